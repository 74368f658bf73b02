package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// GatherConfig is what the origin needs to ask its witnesses.
type GatherConfig struct {
	Register *register.Register
	// Addresses are where the witnesses are: see [Prefix]. Asked each time.
	Addresses func() []string
	Quiet     time.Duration // after an append the witnesses are asked when it has been quiet for so long; 0: 1 s
	Most      time.Duration // but under load after so long at most; 0: 3 s
	Renew     time.Duration // a cosignature is renewed when it is so old; 0: 12 h
	Round     time.Duration // how long a checkpoint is tried before the next takes its place; 0: 1 min
	Now       func() time.Time
	Log       *slog.Logger
}

const (
	atOnce    = 8 // witnesses that are asked at once
	checkTime = 10 * time.Second
	maxPause  = 5 * time.Minute // between two tries of witnesses that fail
)

// Gatherer asks the witnesses for the origin. No append waits for it, but for
// the first after a start: see Check. Its methods may be called at once; Run by
// one goroutine.
type Gatherer struct {
	cfg    GatherConfig
	client client

	wake  chan struct{} // something was appended
	hurry chan struct{} // somebody waits

	checking sync.Mutex

	mu      sync.Mutex
	checked bool
	against error // what a witness has shown that our own key has signed
	changed chan struct{}
	peers   map[string]*peer // by prefix
}

// peer is what is known of one witness.
type peer struct {
	size  int64     // that it cosigned last, as far as we know
	text  string    // of the checkpoint that it cosigned last for us
	at    time.Time // and when
	heard time.Time
	err   error
}

// NewGatherer makes a gatherer; it asks nobody before Run or Check.
func NewGatherer(cfg GatherConfig) *Gatherer {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&cfg.Quiet, time.Second)
	set(&cfg.Most, 3*time.Second)
	set(&cfg.Renew, 12*time.Hour)
	set(&cfg.Round, time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Gatherer{cfg: cfg, client: newClient(), wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		changed: make(chan struct{}), peers: map[string]*peer{}}
}

// Close lets go of the connections to the witnesses.
func (g *Gatherer) Close() { g.client.http.CloseIdleConnections() }

// prefixes are the witnesses' addresses in their one form, each once.
func (g *Gatherer) prefixes() (list []string) {
	seen := map[string]bool{}
	for _, a := range g.cfg.Addresses() {
		p, err := Prefix(a)
		if err != nil {
			g.cfg.Log.Warn("a witness is left out", "err", err)
			continue
		}
		if !seen[p] {
			seen[p] = true
			list = append(list, p)
		}
	}
	return list
}

// target is a checkpoint for which cosignatures are gathered.
type target struct {
	text      string
	signed    []byte // with the origin's signature alone
	size      int64
	root      tlog.Hash
	log       string
	key       note.Verifier
	witnesses []note.Verifier
	quorum    int

	mu   sync.Mutex
	all  []byte          // signed, and the lines of the witnesses
	have map[uint32]bool // their keys
}

// target is the published checkpoint.
func (g *Gatherer) target() (*target, error) {
	charter, ok := g.cfg.Register.Charter()
	if !ok {
		return nil, errs.New(errs.Internal, "the register has no charter")
	}
	t := &target{log: charter.Log, quorum: charter.Quorum, have: map[uint32]bool{}}
	var err error
	if t.key, err = note.NewVerifier(charter.Origin); err != nil {
		return nil, err
	}
	for _, vkey := range charter.Witnesses {
		v, err := register.ParseWitness(vkey)
		if err != nil {
			return nil, err
		}
		t.witnesses = append(t.witnesses, v)
	}
	published := g.cfg.Register.Checkpoint()
	n, err := note.Open(published, note.VerifierList(t.key))
	if err != nil {
		return nil, fmt.Errorf("open the published checkpoint: %w", err)
	}
	if t.signed, err = note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs}); err != nil {
		return nil, err
	}
	cp, err := register.ParseCheckpoint(t.signed, t.log, t.key)
	if err != nil {
		return nil, err
	}
	t.text, t.size, t.root, t.all = n.Text, cp.Size, cp.Root, bytes.Clone(t.signed)
	return t, nil
}

// accept verifies a witness's lines and takes those by the charter's witnesses.
func (t *target) accept(lines []byte) (keys []uint32, err error) {
	n, err := note.Open(append(bytes.Clone(t.signed), lines...), note.VerifierList(t.witnesses...))
	if err != nil {
		return nil, errs.New(errs.Refused, "it gave no cosignature of a witness that the charter names: %w", err)
	}
	good, err := note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs})
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, good[len(n.Text)+1:]...)
	for _, s := range n.Sigs {
		keys = append(keys, s.Hash)
		t.have[s.Hash] = true
	}
	return keys, nil
}

// merged is the note with what has been gathered; safe says whether that is a quorum.
func (t *target) merged() (signed []byte, safe bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.all), t.quorum > 0 && len(t.have) >= t.quorum
}

// peer is what is known of a witness; read and write it with the lock held.
func (g *Gatherer) peer(prefix string) *peer {
	p := g.peers[prefix]
	if p == nil {
		p = &peer{}
		g.peers[prefix] = p
	}
	return p
}

// ask brings one witness to cosign the target, and stores what it gave. It
// follows Retry-After until ctx ends, unless patient is false.
func (g *Gatherer) ask(ctx context.Context, prefix string, t *target, patient bool) (keys []uint32, err error) {
	asked := g.cfg.Now() // a cosignature is at least as young as this
	g.mu.Lock()
	old := g.peer(prefix).size
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		p := g.peer(prefix)
		if p.err = err; err == nil {
			p.size, p.text, p.at, p.heard = t.size, t.text, asked, g.cfg.Now()
		}
	}()
	if old > t.size {
		old = 0
	}
	for corrections := 0; ; {
		req := Request{Old: old, Note: t.signed}
		if old > 0 && old < t.size {
			if req.Proof, err = g.cfg.Register.ConsistencyProof(old, t.size); err != nil {
				return nil, err
			}
		}
		lines, err := g.client.add(ctx, prefix, req)
		if err == nil {
			if keys, err = t.accept(lines); err != nil {
				return nil, fmt.Errorf("the witness at %s: %w", prefix, err)
			}
			signed, _ := t.merged()
			if err := g.cfg.Register.AddCosignatures(ctx, signed); err != nil {
				return nil, fmt.Errorf("store a cosignature: %w", err)
			}
			g.announce()
			return keys, nil
		}
		var size *sized
		var wait *later
		var no *refusal
		switch {
		case errors.As(err, &size) && size.size != old && size.size <= t.size && corrections < 5:
			old = size.size
			corrections++
			g.mu.Lock()
			g.peer(prefix).size = old
			g.mu.Unlock()
		case errors.As(err, &size), errors.As(err, &no) && no.status == 409:
			// It knows more than this checkpoint, or something else: what, its newest shows.
			_, e := g.newest(ctx, prefix, t)
			return nil, errors.Join(err, e)
		case errors.As(err, &wait) && patient:
			select {
			case <-ctx.Done():
				return nil, err
			case <-time.After(wait.after):
			}
		default:
			return nil, err
		}
	}
}

// newest reads the checkpoint that a witness cosigned last. One that our own key
// has signed and our register does not hold is held against us: see Against.
// Otherwise voices names the keys that have cosigned it, or, where the witness
// says that it cosigned nothing beyond us, its address.
func (g *Gatherer) newest(ctx context.Context, prefix string, t *target) (voices []string, err error) {
	signed, err := g.client.newest(ctx, prefix, t.log)
	var size *sized
	if errors.As(err, &size) && size.size <= g.cfg.Register.Size() {
		return []string{prefix}, nil
	}
	if err != nil {
		return nil, err
	}
	cp, err := register.ParseCheckpoint(signed, t.log, t.key, t.witnesses...)
	if err != nil {
		return nil, errs.New(errs.Refused, "what the witness at %s shows is not signed by this origin: %w", prefix, err)
	}
	have := g.cfg.Register.Size() // after the note was there: we may have grown
	if cp.Size <= have {
		root, err := g.cfg.Register.RootHash(cp.Size)
		if err != nil {
			return nil, err
		}
		if root == cp.Root {
			for _, c := range cp.Cosignatures {
				voices = append(voices, fmt.Sprintf("%08x", c.Key))
			}
			return voices, nil
		}
		err = errs.WithHint(errs.New(errs.Refused, "the witness at %s shows %d other entries that this library's key has signed", prefix, cp.Size),
			"this folder and another were both appended to; a charter with base ends the fork: wenlan charter draft --help")
		g.hold(err)
		return nil, err
	}
	err = errs.WithHint(errs.New(errs.Refused, "the witness at %s has %d entries of this library, which its key has signed, and this folder has %d", prefix, cp.Size, have),
		fmt.Sprintf("it is an old copy; bring it up first: wenlan recover --from %s", site(prefix)))
	g.hold(err)
	return nil, err
}

// hold keeps the first thing that was shown against us.
func (g *Gatherer) hold(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.against == nil {
		g.against = err
		close(g.changed)
		g.changed = make(chan struct{})
		g.cfg.Log.Error("the register must not be appended to", "err", err)
	}
}

// Against is what a witness has shown of this origin's own signatures that this
// register does not hold; nil: nothing. With it no append is right.
func (g *Gatherer) Against() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.against
}

// announce wakes whoever waits for the register to become safe.
func (g *Gatherer) announce() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.changed)
	g.changed = make(chan struct{})
}

// Check asks, once after a start, whether the witnesses have seen more than this
// register holds: then this is an old copy, and whatever it signed would fork the
// library. It is nil when so many have answered, each with nothing beyond, that
// every quorum has one of them; later calls are nil at once. errs.Refused: a
// witness has shown more. errs.Unavailable: too few answered.
//
// Their answers are cosignatures of the published checkpoint, where they can be.
func (g *Gatherer) Check(ctx context.Context) error {
	g.checking.Lock()
	defer g.checking.Unlock()
	g.mu.Lock()
	checked, against := g.checked, g.against
	g.mu.Unlock()
	if against != nil {
		return against
	}
	if checked {
		return nil
	}
	t, err := g.target()
	if err != nil {
		return err
	}
	prefixes := g.prefixes()
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var mu sync.Mutex
	voices := map[string]bool{}
	var failed []error
	g.each(prefixes, func(prefix string) {
		heard, err := g.vouch(ctx, prefix, t)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = append(failed, err)
		}
		for _, v := range heard {
			voices[v] = true
		}
	})
	if err := g.Against(); err != nil {
		return err
	}
	if need := len(t.witnesses) - t.quorum + 1; t.quorum > 0 && len(voices) < need {
		err := errs.New(errs.Unavailable, "%d of the %d witnesses that must be asked before anything is appended have answered", len(voices), need)
		if len(failed) > 0 {
			err = errs.New(errs.Unavailable, "%w: %w", err, errors.Join(failed...))
		}
		return errs.WithHint(err, "try again when they do, or name their addresses in wenlan.toml: witnesses = [\"https://…\"]; if this folder may be an old copy: wenlan recover --from URL; only if it is certain that it is none: wenlan recover --alone")
	}
	g.mu.Lock()
	g.checked = true
	g.mu.Unlock()
	return nil
}

// Trust makes Check pass without asking: somebody has said that this folder is
// no old copy. What a witness shows later still counts.
func (g *Gatherer) Trust() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.checked = true
}

// vouch says who of the charter's witnesses, behind this address, knows of
// nothing beyond us.
func (g *Gatherer) vouch(ctx context.Context, prefix string, t *target) ([]string, error) {
	keys, err := g.ask(ctx, prefix, t, false)
	if err == nil {
		var voices []string
		for _, k := range keys {
			voices = append(voices, fmt.Sprintf("%08x", k))
		}
		return voices, nil
	}
	if g.Against() != nil || ctx.Err() != nil || errs.Is(err, errs.Unavailable) {
		return nil, err
	}
	voices, e := g.newest(ctx, prefix, t)
	if e != nil {
		return nil, errors.Join(err, e)
	}
	var no *refusal
	if errors.As(err, &no) && slices.Contains(voices, prefix) {
		return nil, err // it has cosigned nothing because it does not cosign for this key
	}
	return voices, nil
}

// each calls fn for every witness, a few at once.
func (g *Gatherer) each(prefixes []string, fn func(prefix string)) {
	var wg sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for _, p := range prefixes {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			fn(p)
		})
	}
	wg.Wait()
}
