package audit

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
)

// How often questions are answered. A question costs at most MaxRanges times
// MaxLength bytes of reading and hashing.
const (
	askerBurst = 4
	askerEvery = 15 * time.Second // one more for each asker
	allBurst   = 16
	allEvery   = time.Second // one more for all
	atOnce     = 2
	maxAskers  = 4096 // remembered
	maxNonces  = 4096 // remembered
)

// Config is what an [Answerer] needs.
type Config struct {
	Library string      // the library id
	Signer  note.Signer // the mirror's key
	// Blobs opens what is held.
	Blobs interface {
		Open(ctx context.Context, sha256hex string) (blob.Blob, error)
	}
	// May says whether everyone may have a blob; an error that has a kind says why
	// not. Nothing is answered of others, not even whether they are held.
	May func(ctx context.Context, sha256hex string) error
	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: none
}

// Answerer answers audits. All methods may be called at once.
type Answerer struct {
	cfg     Config
	working chan struct{}

	mu     sync.Mutex
	all    bucket
	askers map[netip.Prefix]bucket
	nonces map[string]bool
	order  []string // of nonces, a ring
	next   int
}

// New makes an answerer.
func New(cfg Config) *Answerer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Answerer{
		cfg: cfg, working: make(chan struct{}, atOnce),
		askers: map[netip.Prefix]bucket{}, nonces: map[string]bool{},
	}
}

// Routes adds POST /audit.
func (a *Answerer) Routes(mux *http.ServeMux) { mux.HandleFunc("POST /audit", a.serve) }

func (a *Answerer) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if wait := a.admit(mirror.Asker(r)); wait > 0 {
		tooMany(w, wait)
		return
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, MaxQuestion+1))
	if err != nil {
		http.Error(w, "the question could not be read", http.StatusBadRequest)
		return
	}
	select { // now, so that who sends slowly keeps nobody out
	case a.working <- struct{}{}:
		defer func() { <-a.working }()
	default:
		tooMany(w, allEvery)
		return
	}
	signed, err := a.Answer(r.Context(), raw)
	if err != nil {
		status, text := errs.Status(err), err.Error()
		if errs.Is(err, errs.Internal) {
			a.cfg.Log.WarnContext(r.Context(), "an audit failed", "err", err)
			text = "internal error"
		}
		http.Error(w, text, status)
		return
	}
	_, _ = w.Write(signed)
}

func tooMany(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	http.Error(w, "too many audits: ask again later", http.StatusTooManyRequests)
}

// Answer is the signed answer to the JSON of a question. A nonce that was asked
// with before is errs.Refused: an answer is made for one question only.
func (a *Answerer) Answer(ctx context.Context, raw []byte) ([]byte, error) {
	q, err := ParseQuestion(raw)
	if err != nil {
		return nil, err
	}
	if q.Library != a.cfg.Library {
		return nil, errs.New(errs.NotFound, "this is a copy of another library, %s", a.cfg.Library)
	}
	if err := a.useNonces(q.Ranges); err != nil {
		return nil, err
	}
	out := Answer{Question: q, Time: a.cfg.Now(), Digests: make([]string, len(q.Ranges))}
	for i, r := range q.Ranges {
		if out.Digests[i], err = a.digest(ctx, r); err != nil {
			return nil, err
		}
	}
	return out.Sign(a.cfg.Signer)
}

// digest is empty for what cannot be shown.
func (a *Answerer) digest(ctx context.Context, r Range) (string, error) {
	if err := a.cfg.May(ctx, r.Blob); err != nil {
		if errs.Is(err, errs.Internal) {
			return "", err
		}
		return "", nil
	}
	b, err := a.cfg.Blobs.Open(ctx, r.Blob)
	if errs.Is(err, errs.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer b.Close()
	digest, err := Digest(b, b.Size(), r)
	if err != nil {
		a.cfg.Log.WarnContext(ctx, "a file cannot be shown to an audit", "blob", r.Blob, "err", err)
		return "", ctx.Err()
	}
	return digest, nil
}

// useNonces remembers the nonces of a question, the last maxNonces of them.
func (a *Answerer) useNonces(list []Range) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range list {
		if a.nonces[r.Nonce] {
			return errs.New(errs.Refused, "this nonce was used before: every question has its own")
		}
	}
	for _, r := range list {
		if len(a.order) < maxNonces {
			a.order = append(a.order, r.Nonce)
		} else {
			delete(a.nonces, a.order[a.next])
			a.order[a.next] = r.Nonce
			a.next = (a.next + 1) % maxNonces
		}
		a.nonces[r.Nonce] = true
	}
	return nil
}

// admit takes a token of the asker and of all; wait is positive where there is none.
func (a *Answerer) admit(who netip.Prefix) (wait time.Duration) {
	now := a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.askers) >= maxAskers {
		for k, b := range a.askers { // those that have waited long enough are as new
			if !now.Before(b.full()) {
				delete(a.askers, k)
			}
		}
		if _, known := a.askers[who]; !known && len(a.askers) >= maxAskers {
			return askerEvery
		}
	}
	mine, wait := a.askers[who].take(now, askerBurst, askerEvery)
	if wait > 0 {
		return wait
	}
	all, wait := a.all.take(now, allBurst, allEvery)
	if wait > 0 {
		return wait
	}
	a.askers[who], a.all = mine, all
	return 0
}

// bucket is a token bucket: the moment at which it was, or will be, empty of debt.
// One token costs a step of time; it may lie at most burst steps ahead.
type bucket time.Time

func (b bucket) take(now time.Time, burst int, every time.Duration) (bucket, time.Duration) {
	at := time.Time(b)
	if at.Before(now) || at.Sub(now) > time.Duration(burst)*every { // the clock was put back
		at = now
	}
	at = at.Add(every)
	if over := at.Sub(now) - time.Duration(burst)*every; over > 0 {
		return b, over
	}
	return bucket(at), 0
}

// full is when all tokens are there again.
func (b bucket) full() time.Time { return time.Time(b) }
