package app

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/mirror/audit"
)

const (
	auditRanges = 8        // of a mirror, by default
	auditLength = 64 << 10 // bytes of a range
	auditAtOnce = 4        // mirrors
	auditTries  = 50       // blobs looked at for each range
	auditTime   = time.Minute
	auditsFile  = "audits.jsonl"
)

// AuditRequest says which mirrors to audit.
type AuditRequest struct {
	Mirrors []string `json:"mirrors,omitempty"` // addresses; empty: all that have announced themselves
	Ranges  int      `json:"ranges,omitempty"`  // asked of each; 0: auditRanges
}

// audit challenges mirrors for ranges of files that we hold ourselves, and keeps
// what it finds in DATA/mirror/audits.jsonl. A mirror that did not show what it was
// asked for makes it fail, errs.Corrupt where one showed other bytes.
func (l *Library) audit(ctx context.Context, req AuditRequest, emit func(Event)) error {
	if req.Ranges == 0 {
		req.Ranges = auditRanges
	}
	if req.Ranges < 1 || req.Ranges > audit.MaxRanges {
		return errs.New(errs.Invalid, "a mirror is asked for 1 to %d ranges", audit.MaxRanges)
	}
	list, err := l.toAudit(req.Mirrors)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errs.WithHint(errs.New(errs.NotFound, "no mirror has announced itself"), "a mirror does so when it is served with --url")
	}
	u, err := url.Parse(l.Config.URL)
	public := err == nil && u.Host != "" && !isLocal(u.Hostname())
	client := mirror.Client(mirror.SourceConfig{Public: public})
	defer client.CloseIdleConnections()

	var mu sync.Mutex
	var failed error
	missed, wrong := 0, 0
	slots := make(chan struct{}, auditAtOnce)
	var wg sync.WaitGroup
	for _, a := range list {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			res, err := l.auditOne(ctx, client, a, req.Ranges)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				err = l.audits.Add(res)
			}
			if err != nil {
				failed = err
				return
			}
			if !res.Passed {
				missed++
			}
			if res.Wrong > 0 {
				wrong++
			}
			emit(Event{Audited: &res})
		})
	}
	wg.Wait()
	l.changes.Add(1) // pages show it
	switch {
	case wrong > 0:
		return errs.New(errs.Corrupt, "%d of %d mirrors showed other bytes", wrong, len(list))
	case failed != nil:
		return failed
	case missed > 0:
		return errs.New(errs.Refused, "%d of %d mirrors did not show what they were asked for", missed, len(list))
	}
	return nil
}

// toAudit are the mirrors to audit: ourselves only where somebody says so.
func (l *Library) toAudit(addresses []string) ([]mirror.Announcement, error) {
	known := l.mirrors.All()
	if len(addresses) == 0 {
		self := strings.TrimSuffix(l.Config.URL, "/")
		return slices.DeleteFunc(known, func(a mirror.Announcement) bool { return strings.TrimSuffix(a.URL, "/") == self }), nil
	}
	var list []mirror.Announcement
	for _, address := range addresses {
		address, err := mirror.CleanAddress(address)
		if err != nil {
			return nil, err
		}
		a := mirror.Announcement{URL: address} // without a key: nobody can say whose answer it is
		for _, k := range known {
			if strings.TrimSuffix(k.URL, "/") == address {
				a = k
			}
		}
		list = append(list, a)
	}
	return list, nil
}

func (l *Library) auditOne(ctx context.Context, client *http.Client, a mirror.Announcement, n int) (audit.Result, error) {
	m := audit.Mirror{Address: strings.TrimSuffix(a.URL, "/"), Key: a.Key, All: a.All}
	asked, err := l.question(ctx, a, n)
	if err != nil {
		return audit.Result{}, err
	}
	if len(asked) == 0 && (a.All || shelvesOf(a) == 0) {
		return audit.Result{}, errs.New(errs.NotFound, "nothing is held here that a mirror could be asked for")
	}
	if len(asked) == 0 { // it may say that it holds what there is not
		return audit.Result{Address: m.Address, Time: l.Config.now().UTC().Truncate(time.Second), Note: "nothing is held here of what it says that it holds"}, nil
	}
	in, cancel := context.WithTimeoutCause(ctx, auditTime, errs.New(errs.Unavailable, "it has not answered within a minute"))
	defer cancel()
	return audit.Ask(in, client, l.Register.Library(), m, asked, l.Config.now()), ctx.Err()
}

// question chooses ranges by chance: of all files that may be copied, or, for a
// mirror that holds a part, of those on the shelves that it says it holds. Our own
// copy is read through first, lest a mirror be blamed for our damage.
func (l *Library) question(ctx context.Context, a mirror.Announcement, n int) (asked []audit.Asked, err error) {
	take := func(sha string) (done bool, err error) {
		ref, _, err := l.mayCopy(ctx, sha)
		if closed(err) || err == nil && ref.Bytes == 0 {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		right, err := l.whole(ctx, sha)
		if err != nil {
			return false, err
		}
		if !right {
			l.log.WarnContext(ctx, "a file is missing or damaged here: wenlan verify --repair mends it", "blob", sha)
			return false, nil
		}
		r, err := audit.NewRange(ref, auditLength)
		if err != nil {
			return false, err
		}
		b, err := l.Blobs.Open(ctx, sha)
		if err != nil {
			return false, err
		}
		defer b.Close()
		digest, err := audit.Digest(b, b.Size(), r)
		if err != nil {
			return false, err
		}
		asked = append(asked, audit.Asked{Range: r, Digest: digest})
		return len(asked) == n, nil
	}
	if shelves := shelvesOf(a); !a.All && shelves > 0 {
		for range n * auditTries {
			sha, err := l.pickShelved(ctx, a.Shelves, rand.Int64N(shelves))
			if err != nil {
				return nil, err
			}
			if sha == "" {
				continue
			}
			if done, err := take(sha); done || err != nil {
				return asked, err
			}
		}
		return asked, nil
	}
	return asked, l.Blobs.Pick(ctx, n*auditTries, take)
}

// pickShelved is a file of one of the shelves in a set: of the at-th of them.
func (l *Library) pickShelved(ctx context.Context, set mirror.Bitmap, at int64) (string, error) {
	for number := range 8 * len(set) {
		if !set.Has(number) {
			continue
		}
		if at--; at >= 0 {
			continue
		}
		shelf, err := l.Shelves.ByNumber(ctx, int64(number))
		if err != nil && !errs.Is(err, errs.NotFound) {
			return "", err
		}
		if err != nil || shelf.Broken != "" {
			return "", nil
		}
		m, err := l.Shelves.Manifest(ctx, shelf)
		if err != nil || len(m.Files) == 0 {
			return "", err
		}
		return m.Files[rand.IntN(len(m.Files))].SHA256, nil
	}
	return "", nil
}

// answerer answers audits of this mirror.
func (l *Library) answerer() *audit.Answerer {
	return audit.New(audit.Config{
		Library: l.Register.Library(), Signer: l.copying.key, Blobs: l.Blobs, Now: l.Config.Now, Log: l.log,
		May: func(ctx context.Context, sha string) error {
			_, _, err := l.mayCopy(ctx, sha)
			return err
		},
	})
}
