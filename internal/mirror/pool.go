package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// SourceState is how a source is doing.
type SourceState string

const (
	Unknown      SourceState = "unknown" // not asked yet
	Good         SourceState = "good"
	Slow         SourceState = "slow"          // used when no other is left
	Unreachable  SourceState = "unreachable"   // asked again later, and later still
	Lying        SourceState = "lying"         // gave something that is wrong: set aside
	OtherLibrary SourceState = "other-library" // holds another library: set aside
)

// SourceStatus is what a [Pool] knows of a source.
type SourceStatus struct {
	Address string      `json:"address"`
	State   SourceState `json:"state"`
	Reason  string      `json:"reason,omitempty"` // a sentence; empty when good
	Until   time.Time   `json:"until,omitzero"`   // not asked before; zero: it may be asked
	Heard   time.Time   `json:"heard,omitzero"`   // when it last gave something
	Bytes   int64       `json:"bytes"`            // that came from it and were good, since the start
	Rate    int64       `json:"rate"`             // bytes a second of one request, lately; 0: not known
}

// PoolConfig says how a pool works. Only Blobs is needed, and only by [Pool.Blob].
type PoolConfig struct {
	Blobs  *blob.Local
	Source SourceConfig
	// Open makes a source; nil: OpenSource with Source.
	Open func(address string) (Source, error)

	PerSource int           // requests to one source at once; default 8
	LyingFor  time.Duration // how long one that lied is set aside; default 12 h
	SlowFor   time.Duration // how long one that stalled is used last; default 10 min
	SlowAfter time.Duration // how long one that others surpass by far is waited for; default 10 s
	Backoff   time.Duration // the first wait after a failure; doubles; default 1 s
	MaxWait   time.Duration // the longest; default 10 min
	Patience  time.Duration // how long a Try waits for a source that may come back; default 5 s

	GetTime time.Duration // how long a file of the register may take, and more for what may be long; default 2 min

	ResumeAbove int64 // bytes from which on a file that is interrupted is kept; default 32 MiB

	Now func() time.Time
	Log *slog.Logger
}

// Pool is the sources in use. All methods may be called at once.
type Pool struct {
	cfg PoolConfig

	mu      sync.Mutex
	members []*member
	changed chan struct{} // closed and made anew whenever something changes that a Try may wait for
}

// member is a source of the pool. Its fields belong to the pool's lock.
type member struct {
	address string
	source  Source // nil: not opened yet
	state   SourceState
	reason  string
	until   time.Time // not asked before
	slow    time.Time // used last until
	heard   time.Time
	bytes   int64
	rate    float64   // bytes a second
	fails   int       // in a row
	lies    int       // in a row
	resort  time.Time // one that lied, and is the last that is left, may be asked again
	busy    int       // requests under way
	gone    bool      // no longer in the pool
}

// NewPool makes a pool without sources.
func NewPool(cfg PoolConfig) *Pool {
	cfg.Source = cfg.Source.withDefaults()
	if cfg.Open == nil {
		source := cfg.Source
		cfg.Open = func(address string) (Source, error) { return OpenSource(address, source) }
	}
	if cfg.PerSource <= 0 {
		cfg.PerSource = 8
	}
	if cfg.LyingFor <= 0 {
		cfg.LyingFor = 12 * time.Hour
	}
	if cfg.SlowFor <= 0 {
		cfg.SlowFor = 10 * time.Minute
	}
	if cfg.SlowAfter <= 0 {
		cfg.SlowAfter = 10 * time.Second
	}
	if cfg.Backoff <= 0 {
		cfg.Backoff = time.Second
	}
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = 10 * time.Minute
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 5 * time.Second
	}
	if cfg.GetTime <= 0 {
		cfg.GetTime = 2 * time.Minute
	}
	if cfg.ResumeAbove <= 0 {
		cfg.ResumeAbove = 32 << 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Pool{cfg: cfg, changed: make(chan struct{})}
}

// Set says which sources there are. What is known of one that stays is kept. An
// address that makes no sense is left out, with a line in the log.
func (p *Pool) Set(addresses []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var next []*member
	for _, a := range addresses {
		a, err := CleanAddress(a)
		if err != nil {
			p.cfg.Log.Warn("a source is left out", "error", err)
			continue
		}
		is := func(m *member) bool { return m.address == a }
		if slices.ContainsFunc(next, is) {
			continue
		}
		if i := slices.IndexFunc(p.members, is); i >= 0 {
			next = append(next, p.members[i])
			continue
		}
		next = append(next, &member{address: a, state: Unknown})
	}
	for _, m := range p.members {
		if !slices.Contains(next, m) {
			m.gone = true
			m.release()
		}
	}
	p.members = next
	p.wake()
}

// release closes a source that is out of the pool and out of use.
func (m *member) release() {
	if c, ok := m.source.(io.Closer); ok && m.gone && m.busy == 0 {
		_ = c.Close()
	}
}

// wake tells those who wait to look again. The lock is held.
func (p *Pool) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Addresses are those of all sources, in the order of Set.
func (p *Pool) Addresses() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]string, 0, len(p.members))
	for _, m := range p.members {
		list = append(list, m.address)
	}
	return list
}

// Status says how each source is doing, in the order of Set.
func (p *Pool) Status() []SourceStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	list := make([]SourceStatus, 0, len(p.members))
	for _, m := range p.members {
		s := SourceStatus{Address: m.address, State: m.state, Reason: m.reason, Heard: m.heard, Bytes: m.bytes, Rate: int64(m.rate)}
		if m.until.After(now) {
			s.Until = m.until
		} else if m.state == Lying || m.state == OtherLibrary {
			s.State = Unknown // it may try again
		}
		list = append(list, s)
	}
	return list
}

// SetAside keeps a source from being asked, as for LyingFor; the reason is a
// sentence.
func (p *Pool) SetAside(address string, state SourceState, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		if m.address == address {
			p.setAside(m, state, reason)
		}
	}
}

func (p *Pool) setAside(m *member, state SourceState, reason string) {
	m.state, m.reason, m.until = state, reason, p.cfg.Now().Add(p.cfg.LyingFor)
	p.cfg.Log.Warn("a source is set aside", "source", m.address, "state", string(state), "reason", reason, "until", m.until)
	p.wake()
}

// Try calls fn with one source after another until it returns nil, the better
// ones first. What fn returns otherwise says whose fault it was: errs.Corrupt and
// errs.TooLarge set the source aside as lying; an error of the source's own that
// it does not have the file does it no harm; any other of the source's own makes
// it wait; an error that is not the source's ends the Try.
//
// One that lied is asked for other things only where no other is left: a library
// with one rotten file can still be copied from it, at its pace of being right.
//
// When no source is left the error says so, with what the last one said: kind
// errs.Corrupt where one gave something wrong, errs.NotFound, Gone, Forbidden or
// Withdrawn where nobody has it, else errs.Unavailable.
func (p *Pool) Try(ctx context.Context, fn func(ctx context.Context, s Source) error) error {
	begin := p.cfg.Now()
	asked := map[*member]int{}
	var last, absent, lie error
	within := ctx.Value(tryKey{}) != nil
	ctx = context.WithValue(ctx, tryKey{}, true)
	for {
		m, err := p.borrow(ctx, asked, begin, within)
		if err != nil {
			return err
		}
		if m == nil {
			break
		}
		asked[m]++
		counted := &counter{Source: m.source, pool: p, member: m}
		err = fn(ctx, counted)
		again := p.giveBack(m, counted, err)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		switch verdict(err) {
		case ours:
			return err
		case lacks:
			absent = err
		case lies:
			lie = errs.New(errs.Corrupt, "%s", blame(m, err))
		default:
			last = err
		}
		if !again {
			asked[m] = maxAsked
		}
	}
	switch {
	case lie != nil:
		return errs.New(errs.Corrupt, "no source had the right bytes: %w", lie)
	case last != nil:
		return errs.New(errs.Unavailable, "no source could give it: %w", last)
	case absent != nil:
		return errs.New(errs.KindOf(absent), "no source has it: %w", absent)
	}
	return p.nobody()
}

// tryKey marks the context of a fn that Try calls: a Try within it does not wait
// for a place, since it holds one.
type tryKey struct{}

// maxAsked is how often one Try asks a source whose connection fails.
const maxAsked = 3

// nobody is the error when no source may be asked.
func (p *Pool) nobody() error {
	for _, s := range p.Status() {
		if s.Reason != "" {
			return errs.New(errs.Unavailable, "no source can be asked now: %s", s.Reason)
		}
	}
	return errs.New(errs.Unavailable, "there is no source to copy from")
}

// verdict says what an error of a Try means for its source.
type fault int

const (
	ours fault = iota
	lacks
	lies
	fails
)

func verdict(err error) fault {
	switch errs.KindOf(err) {
	case errs.Corrupt, errs.TooLarge:
		return lies
	}
	var e *sourceError
	if !errors.As(err, &e) {
		return ours
	}
	switch errs.KindOf(e.error) {
	case errs.NotFound, errs.Gone, errs.Forbidden, errs.Withdrawn:
		return lacks
	case errs.Corrupt, errs.TooLarge:
		return lies
	}
	return fails
}

// borrow chooses a source that may be asked and waits, if need be, until one is
// free or may be tried again; nil when there is none.
func (p *Pool) borrow(ctx context.Context, asked map[*member]int, begin time.Time, within bool) (*member, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		p.mu.Lock()
		m, wait, ok := p.choose(asked, begin, within)
		if m != nil && m.source == nil {
			source, err := p.cfg.Open(m.address)
			if err != nil {
				p.fail(m, err)
				p.mu.Unlock()
				continue
			}
			m.source = source
		}
		if m != nil {
			m.busy++
		}
		changed := p.changed
		p.mu.Unlock()
		if m != nil || !ok {
			return m, nil
		}
		var after <-chan time.Time
		if wait > 0 {
			t := time.NewTimer(wait)
			defer t.Stop()
			after = t.C
		}
		select {
		case <-changed:
		case <-after:
		case <-ctx.Done():
		}
	}
}

// choose is the best source that may be asked now. Where all those are busy, ok
// is true and something will change; where one may be asked again soon, wait says
// when. The lock is held.
func (p *Pool) choose(asked map[*member]int, begin time.Time, within bool) (best *member, wait time.Duration, ok bool) {
	now := p.cfg.Now()
	typical := p.typical()
	load := func(m *member) float64 { return float64(m.busy+1) / cmp.Or(m.rate, typical) }
	worse := func(a, b *member) bool { // a than b
		if a, b := p.isSlow(a, now), p.isSlow(b, now); a != b {
			return a
		}
		return load(a) > load(b)
	}
	var slowBest, resort *member
	fast, resortWait := false, time.Duration(0) // fast: there is a good one, be it busy
	for _, m := range p.members {
		if asked[m] >= maxAsked {
			continue
		}
		if m.until.After(now) {
			d := m.until.Sub(now)
			switch {
			case m.state == Lying && !m.resort.After(now):
				if resort == nil || load(m) < load(resort) {
					resort = m
				}
			case m.state == Lying && m.resort.Sub(begin) <= p.cfg.Patience:
				resortWait = m.resort.Sub(now)
			case m.state != Lying && m.state != OtherLibrary && m.until.Sub(begin) <= p.cfg.Patience:
				if wait == 0 || d < wait {
					wait, ok = d, true
				}
			}
			continue
		}
		slow := p.isSlow(m, now)
		fast = fast || !slow
		if m.busy >= p.cfg.PerSource && !within {
			ok = true
			continue
		}
		if slow {
			if slowBest == nil || worse(slowBest, m) {
				slowBest = m
			}
		} else if best == nil || worse(best, m) {
			best = m
		}
	}
	if best == nil && !fast {
		best = slowBest
	}
	if best == nil && !ok {
		switch {
		case resort != nil && resort.busy < p.cfg.PerSource || resort != nil && within:
			best = resort
		case resort != nil:
			ok = true
		case resortWait > 0:
			wait, ok = resortWait, true
		}
	}
	return best, wait, ok
}

// typical is the middle of the rates that are known, for those that are not.
func (p *Pool) typical() float64 {
	var rates []float64
	for _, m := range p.members {
		if m.rate > 0 {
			rates = append(rates, m.rate)
		}
	}
	if len(rates) == 0 {
		return 1 << 20
	}
	slices.Sort(rates)
	return rates[len(rates)/2]
}

// slowRatio is how much slower than the fastest a source may be.
const slowRatio = 20

func (p *Pool) isSlow(m *member, now time.Time) bool {
	if m.slow.After(now) {
		return true
	}
	if m.rate == 0 {
		return false
	}
	for _, o := range p.members {
		if o.rate > slowRatio*m.rate && !o.until.After(now) {
			return true
		}
	}
	return false
}

// giveBack notes how it went; again says whether the same Try may ask once more.
func (p *Pool) giveBack(m *member, c *counter, err error) (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.busy--
	m.release()
	defer p.wake()
	now := p.cfg.Now()
	bytes, spent := c.totals()
	if bytes >= 16<<10 && spent > 0 {
		rate := float64(bytes) / max(spent.Seconds(), 1e-4)
		if m.rate == 0 {
			m.rate = rate
		} else {
			m.rate = 0.8*m.rate + 0.2*rate
		}
	}
	if err == nil {
		m.bytes += bytes
		m.heard, m.fails, m.lies = now, 0, 0
		if m.state != Lying && m.state != OtherLibrary || !m.until.After(now) {
			m.state, m.reason, m.until = Good, "", time.Time{}
			if p.isSlow(m, now) {
				m.state, m.reason = Slow, m.address+" is slow"
			}
		}
		return false
	}
	switch verdict(err) {
	case lacks:
		m.heard, m.fails = now, 0
		if m.state == Unknown || m.state == Unreachable {
			m.state, m.reason = Good, ""
		}
	case lies:
		reason := blame(m, err)
		m.lies++
		m.resort = now
		if m.lies > 1 {
			m.resort = now.Add(min(p.cfg.Backoff<<min(m.lies-2, 20), p.cfg.MaxWait))
		}
		p.setAside(m, Lying, reason)
	case fails:
		p.fail(m, err)
		return m.state != Slow
	}
	return false
}

// blame is the sentence for a source that gave something wrong.
func blame(m *member, err error) string {
	if strings.HasPrefix(err.Error(), m.address) {
		return err.Error()
	}
	return m.address + ": " + err.Error()
}

// fail makes a source wait. The lock is held.
func (p *Pool) fail(m *member, err error) {
	now := p.cfg.Now()
	if m.until.After(now) { // set aside, or several requests failed at once: that is one failure
		if m.state == Lying {
			m.resort = now.Add(p.cfg.Backoff)
		}
		return
	}
	m.fails++
	wait := min(p.cfg.Backoff<<min(m.fails-1, 20), p.cfg.MaxWait)
	m.state = Unreachable
	var e *sourceError
	if errors.As(err, &e) {
		wait = max(wait, e.wait)
		if e.slow {
			m.state, m.slow = Slow, now.Add(p.cfg.SlowFor)
		}
	}
	m.reason, m.until = err.Error(), now.Add(wait)
}

// Ask calls fn with the source at an address, as Try would, but with no other, and
// without waiting for a place. One that is set aside is asked all the same, unless
// it holds another library: fn proves what it says, and asks seldom.
func (p *Pool) Ask(ctx context.Context, address string, fn func(ctx context.Context, s Source) error) error {
	address, err := CleanAddress(address)
	if err != nil {
		return err
	}
	p.mu.Lock()
	now := p.cfg.Now()
	i := slices.IndexFunc(p.members, func(m *member) bool { return m.address == address })
	if i < 0 {
		p.mu.Unlock()
		return errs.New(errs.NotFound, "%s is not among the sources", address)
	}
	m := p.members[i]
	if m.until.After(now) && m.state == OtherLibrary {
		reason := m.reason
		p.mu.Unlock()
		return errs.New(errs.Unavailable, "not asked now: %s", reason)
	}
	if m.source == nil {
		if m.source, err = p.cfg.Open(m.address); err != nil {
			p.fail(m, err)
			p.mu.Unlock()
			return err
		}
	}
	m.busy++
	p.mu.Unlock()
	counted := &counter{Source: m.source, pool: p, member: m}
	err = fn(context.WithValue(ctx, tryKey{}, true), counted)
	p.giveBack(m, counted, err)
	return err
}

// Blob brings a file into the store, from whichever source has it. Each byte is
// hashed before the file gets its name; it is durable after the store's Flush. A
// large file that is interrupted goes on where it was, with any source, also
// after a restart.
func (p *Pool) Blob(ctx context.Context, ref blob.Ref) error {
	err := p.Try(ctx, func(ctx context.Context, s Source) error {
		err := p.fetch(ctx, s, ref)
		if errs.Is(err, errs.Corrupt) && !errors.As(err, new(*sourceError)) {
			return errs.New(errs.Corrupt, "%s gave wrong bytes for the file %s", s.Address(), ref.SHA256)
		}
		return err
	})
	if err != nil && !strings.Contains(err.Error(), ref.SHA256) {
		return fmt.Errorf("fetch file %s: %w", ref.SHA256, err)
	}
	return err
}

func (p *Pool) fetch(ctx context.Context, s Source, ref blob.Ref) error {
	if ref.Bytes > p.cfg.ResumeAbove {
		return p.cfg.Blobs.PutResume(ctx, ref, func(from int64) (io.ReadCloser, error) {
			return s.Blob(ctx, ref.SHA256, from)
		})
	}
	r, err := s.Blob(ctx, ref.SHA256, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	return p.cfg.Blobs.PutExpect(ctx, ref, r)
}

// Register gives the register's files from whichever source has them, as
// [register.Register.Extend] asks for them.
func (p *Pool) Register(ctx context.Context, fn func(ctx context.Context, get register.Get) error) error {
	return p.Try(ctx, func(ctx context.Context, s Source) error {
		return fn(ctx, getter(s))
	})
}

// getter gives the files of a source's register.
func getter(s Source) register.Get {
	return func(ctx context.Context, path string, limit int64) ([]byte, error) {
		return s.Get(ctx, "register/"+path, limit)
	}
}
