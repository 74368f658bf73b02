package witness

import (
	"context"
	"sync"
	"time"
)

// Status says how the library stands with its witnesses.
type Status struct {
	Quorum    int       `json:"quorum"`
	Size      int64     `json:"size"`               // entries that are acknowledged
	Safe      int64     `json:"safe"`               // entries that a quorum holds
	Against   string    `json:"against,omitempty"`  // why nothing may be appended
	Witnesses []Heard   `json:"witnesses,omitzero"` // those whose address is known
	At        time.Time `json:"at,omitzero"`        // the quorum-th newest cosignature of the published checkpoint
	Freshness string    `json:"freshness"`          // unwitnessed, current, late, stale
}

// Heard is one witness, by its address.
type Heard struct {
	Address string    `json:"address"`
	Size    int64     `json:"size"`            // that it cosigned last
	At      time.Time `json:"at,omitzero"`     // when it cosigned last, by our clock
	Error   string    `json:"error,omitempty"` // why it did not the last time
}

// Status is how things stand now.
func (g *Gatherer) Status() Status {
	r := g.cfg.Register
	fresh, at := r.Freshness(g.cfg.Now())
	s := Status{Size: r.Size(), Freshness: fresh.String(), At: at}
	if c, ok := r.Charter(); ok {
		s.Quorum = c.Quorum
	}
	if cp, ok := r.Safe(); ok {
		s.Safe = cp.Size
	}
	prefixes := g.prefixes()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.against != nil {
		s.Against = g.against.Error()
	}
	for _, prefix := range prefixes {
		p := g.peer(prefix)
		h := Heard{Address: site(prefix), Size: p.size, At: p.heard}
		if p.err != nil {
			h.Error = p.err.Error()
		}
		s.Witnesses = append(s.Witnesses, h)
	}
	return s
}

// Appended says that the register has grown. It returns at once.
func (g *Gatherer) Appended() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// WaitSafe waits until a quorum has cosigned a checkpoint of at least size
// entries, and hurries Run; at most so long as patience. It says whether it has.
func (g *Gatherer) WaitSafe(ctx context.Context, size int64, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		g.mu.Lock()
		changed, against := g.changed, g.against
		g.mu.Unlock()
		if cp, ok := g.cfg.Register.Safe(); ok && cp.Size >= size {
			return true
		}
		if against != nil || patience <= 0 {
			return false
		}
		select {
		case g.hurry <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// Run asks the witnesses until ctx ends: soon after appends, again after
// failures with growing pauses, and when their cosignatures grow old.
func (g *Gatherer) Run(ctx context.Context) {
	pause := time.Second
	for ctx.Err() == nil {
		size := g.cfg.Register.Size()
		complete := g.Against() == nil && g.round(ctx)
		wait := g.untilRenewal()
		switch {
		case g.Against() != nil:
			return // what we would show them is not the library
		case complete:
			pause = time.Second
		default:
			wait, pause = pause, min(2*pause, maxPause)
		}
		if g.cfg.Register.Size() > size {
			g.Appended()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-g.hurry:
		case <-g.wake:
			pause = time.Second
			g.settle(ctx)
		}
		timer.Stop()
	}
}

// settle waits until appends have been quiet for a moment, or for Most, or until
// somebody waits.
func (g *Gatherer) settle(ctx context.Context) {
	most := time.NewTimer(g.cfg.Most)
	defer most.Stop()
	for {
		quiet := time.NewTimer(g.cfg.Quiet)
		select {
		case <-g.wake:
			quiet.Stop()
			continue
		case <-quiet.C:
		case <-most.C:
		case <-g.hurry:
		case <-ctx.Done():
		}
		quiet.Stop()
		return
	}
}

// round asks every witness that has not cosigned the published checkpoint lately,
// and says whether all of them have then. It ends early when a quorum has and the
// register has grown meanwhile.
func (g *Gatherer) round(ctx context.Context) (complete bool) {
	t, err := g.target()
	if err != nil {
		g.cfg.Log.ErrorContext(ctx, "the witnesses cannot be asked", "err", err)
		return false
	}
	if len(t.witnesses) == 0 {
		return true
	}
	var ask []string
	prefixes := g.prefixes()
	g.mu.Lock()
	for _, prefix := range prefixes {
		if p := g.peer(prefix); p.text != t.text || g.cfg.Now().Sub(p.at) >= g.cfg.Renew {
			ask = append(ask, prefix)
		}
	}
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Round)
	defer cancel()
	done := make(chan struct{})
	var mu sync.Mutex
	failed := 0
	go func() {
		defer close(done)
		g.each(ask, func(prefix string) {
			if _, err := g.ask(ctx, prefix, t, true); err != nil {
				mu.Lock()
				failed++
				mu.Unlock()
				if ctx.Err() == nil {
					g.cfg.Log.WarnContext(ctx, "a witness has not cosigned", "err", err)
				}
			}
		})
	}()
	tick := time.NewTicker(g.cfg.Quiet)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return failed == 0
		case <-tick.C:
			if _, safe := t.merged(); safe && g.cfg.Register.Size() > t.size {
				cancel()
			}
		}
	}
}

// untilRenewal is how long the cosignatures are young enough.
func (g *Gatherer) untilRenewal() time.Duration {
	wait := g.cfg.Renew
	now := g.cfg.Now()
	prefixes := g.prefixes()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, prefix := range prefixes {
		if p := g.peer(prefix); !p.at.IsZero() {
			wait = min(wait, g.cfg.Renew-now.Sub(p.at))
		}
	}
	return max(wait, time.Second)
}
