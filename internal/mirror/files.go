package mirror

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
)

const (
	maxAbsent  = 100_000 // files that are missing, remembered one by one
	firstRetry = time.Minute
	lastRetry  = 6 * time.Hour
	lookAgain  = time.Hour // between whole looks because a source says that a file is not to be had
	hopeless   = 64        // failures in a row after which a look at the files is broken off
	window     = 1 << 16   // entries that are looked at at once, newest first
)

// Shelves is what a mirror needs to know of shelves to take the rarest first.
type Shelves interface {
	// Shelves are all that are in force, by their numbers.
	Shelves(ctx context.Context) ([]Shelf, error)
	// Files calls fn with each file of a shelf that may be copied.
	Files(ctx context.Context, number int, fn func(ref blob.Ref) error) error
}

// Shelf is one of the library's shelves.
type Shelf struct {
	Number int
	Bytes  int64
}

// pass is a look at all files that are wanted, and what came of it. Its fields
// belong to the mirror's lock.
type pass struct {
	running bool      // a look at everything began, and has not come to its end
	next    int64     // the entry from which it, or the next one, goes on
	looked  int64     // entries of which all files that are wanted are here or known to be missing
	ended   time.Time // when the last whole look came to its end; zero: never
	wanted  Tally
	absent  map[string]*absent // wanted and not here, by name
	missing Tally              // of those, and of what was too much to remember
	number  int                // of whole looks that began
	doubt   bool               // a source says that a file is withdrawn: is it still wanted?
}

// absent is a file that is not here.
type absent struct {
	ref    blob.Ref
	flying bool  // somebody is fetching it
	err    error // why the last try failed; nil: not tried yet
	tries  int
	next   time.Time
	look   int // the whole look in which it was wanted last
}

// begin lets the next look start again at entry 0. What failed stays known.
func (p *pass) begin() {
	p.running, p.next, p.ended, p.wanted, p.doubt = false, 0, time.Time{}, Tally{}, false
	p.number++
	p.count()
}

// count makes missing what is remembered: a whole look finds the rest again.
func (p *pass) count() {
	p.missing = Tally{}
	for _, f := range p.absent {
		p.missing.Files++
		p.missing.Bytes += f.ref.Bytes
	}
}

// drop forgets what was not wanted in the look that came to its end: what was
// withdrawn before anybody could copy it is not missing.
func (p *pass) drop() {
	maps.DeleteFunc(p.absent, func(_ string, f *absent) bool { return f.look != p.number && !f.flying })
	p.count()
}

// lack notes a file that is not here.
func (p *pass) lack(ref blob.Ref) *absent {
	f := &absent{ref: ref, look: p.number}
	p.absent[ref.SHA256] = f
	p.missing.Files++
	p.missing.Bytes += ref.Bytes
	return f
}

// have notes that a file is here, or no longer wanted.
func (p *pass) have(sha string) {
	if f := p.absent[sha]; f != nil {
		delete(p.absent, sha)
		p.missing.Files--
		p.missing.Bytes -= f.ref.Bytes
	}
}

func refOf(data []byte) blob.Ref {
	sum := sha256.Sum256(data)
	return blob.Ref{SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(data))}
}

// copyFiles fetches what is wanted and not here. A file that no source has, or that
// all have wrong, is remembered, tried again later, and no error.
func (m *Mirror) copyFiles(ctx context.Context) error {
	if err := hold(ctx, m.copying); err != nil {
		return err
	}
	defer func() { <-m.copying }()
	if m.cfg.Wanted == nil || m.cfg.NoFiles {
		size := m.cfg.Register.Size()
		if err := m.cfg.Blobs.Flush(ctx); err != nil { // the bodies
			return err
		}
		m.mu.Lock()
		m.pass.looked = size
		m.mu.Unlock()
		return nil
	}
	m.working(1)
	defer m.working(-1)
	now := m.cfg.Now()
	m.mu.Lock()
	p, size := &m.pass, m.viewed
	if since := now.Sub(p.ended); !p.running && (p.ended.IsZero() || since >= m.cfg.Again || p.doubt && since >= lookAgain) {
		p.begin()
		p.running = true
	}
	from, look := p.next, p.running || p.next < size
	var again []blob.Ref
	for _, f := range p.absent {
		if !f.flying && !f.next.After(now) {
			again = append(again, f.ref)
		}
	}
	m.mu.Unlock()

	c := m.newCopier(ctx)
	var err error
	for _, ref := range again {
		if err = c.fetch(ref); err != nil {
			break
		}
	}
	switch {
	case err != nil || !look:
	case m.cfg.Space > 0:
		err = m.fill(c, size)
	default:
		err = m.cfg.Wanted(c.ctx, from, func(pos int64, ref blob.Ref) error {
			if pos >= size {
				return errStop // of entries that came meanwhile; the next round sees them
			}
			m.mu.Lock()
			p.next = max(p.next, pos)
			m.mu.Unlock()
			return c.want(ref)
		})
	}
	if errors.Is(err, errStop) {
		err = nil
	}
	if e := c.wait(); e != nil {
		err = e
	}
	if e := m.cfg.Blobs.Flush(context.WithoutCancel(ctx)); e != nil {
		return e
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err = cmp.Or(ctx.Err(), err); err != nil {
		if m.cfg.Space > 0 || ctx.Err() != nil {
			p.begin()
		}
		return err
	}
	p.next, p.looked = size, size
	if p.running {
		p.running, p.ended = false, now
		p.drop()
	}
	return nil
}

var errStop = errors.New("enough")

// firstFailure is nil when nothing that is wanted is missing.
func (m *Mirror) firstFailure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var worst *absent
	for _, f := range m.pass.absent {
		if f.err != nil && (worst == nil || errs.Is(f.err, errs.Corrupt) && !errs.Is(worst.err, errs.Corrupt)) {
			worst = f
		}
	}
	n := m.pass.missing.Files
	switch {
	case n == 0:
		return nil
	case worst == nil:
		return errs.New(errs.Unavailable, "%d files are missing", n)
	case n == 1:
		return errs.New(errs.KindOf(worst.err), "1 file is missing: %w", worst.err)
	}
	return errs.New(errs.KindOf(worst.err), "%d files are missing, one of them: %w", n, worst.err)
}

// Missing calls fn with each file that is known to be missing, and why; the error
// is nil for one that was not tried yet.
func (m *Mirror) Missing(fn func(ref blob.Ref, why error)) {
	m.mu.Lock()
	list := make([]absent, 0, len(m.pass.absent))
	for _, f := range m.pass.absent {
		list = append(list, *f)
	}
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b absent) int { return cmp.Compare(a.ref.SHA256, b.ref.SHA256) })
	for _, f := range list {
		fn(f.ref, f.err)
	}
}

// copier fetches files, several at once.
type copier struct {
	m      *Mirror
	outer  context.Context
	ctx    context.Context // ends with outer, or when going on makes no sense
	cancel context.CancelCauseFunc
	jobs   chan blob.Ref
	wg     sync.WaitGroup
	bad    int // failures in a row; belongs to the mirror's lock
}

func (m *Mirror) newCopier(ctx context.Context) *copier {
	c := &copier{m: m, outer: ctx, jobs: make(chan blob.Ref, m.cfg.Workers)}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	for range m.cfg.Workers {
		c.wg.Go(func() {
			for ref := range c.jobs {
				err := context.Cause(c.ctx)
				if err == nil {
					err = m.cfg.Pool.Blob(c.ctx, ref)
				}
				c.land(ref, err)
			}
		})
	}
	return c
}

// want counts a file and fetches it where it is not here.
func (c *copier) want(ref blob.Ref) error {
	if !blob.Valid(ref.SHA256) || ref.Bytes < 0 {
		return nil // an entry may say anything
	}
	p := &c.m.pass
	c.m.mu.Lock()
	p.wanted.Files++
	p.wanted.Bytes += ref.Bytes
	f := p.absent[ref.SHA256]
	if f != nil {
		f.look = p.number
	}
	later := f != nil && (f.flying || f.next.After(c.m.cfg.Now()))
	c.m.mu.Unlock()
	if later {
		return context.Cause(c.ctx)
	}
	return c.fetch(ref)
}

// here says whether the store has a file of that name and length.
func (c *copier) here(ref blob.Ref) (bool, error) {
	size, err := c.m.cfg.Blobs.Stat(c.ctx, ref.SHA256)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil && size == ref.Bytes, err
}

// fetch fetches a file, unless it is here or under way. It waits only for a place.
func (c *copier) fetch(ref blob.Ref) error {
	if err := context.Cause(c.ctx); err != nil {
		return err
	}
	there, err := c.here(ref)
	if err != nil {
		return err
	}
	c.m.mu.Lock()
	p := &c.m.pass
	f := p.absent[ref.SHA256]
	switch {
	case there:
		if f != nil && !f.flying {
			p.have(ref.SHA256)
		}
		c.m.mu.Unlock()
		return nil
	case f != nil && f.flying:
		c.m.mu.Unlock()
		return nil
	case f == nil:
		f = p.lack(ref)
	}
	f.flying = true
	c.m.mu.Unlock()
	select {
	case c.jobs <- ref:
		return nil
	case <-c.ctx.Done():
		c.land(ref, context.Cause(c.ctx))
		return context.Cause(c.ctx)
	}
}

// land notes how fetching a file went.
func (c *copier) land(ref blob.Ref, err error) {
	m := c.m
	defer m.progress()
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &m.pass
	if err == nil {
		c.bad = 0
		p.have(ref.SHA256)
		return
	}
	f := p.absent[ref.SHA256]
	f.flying = false
	if c.outer.Err() != nil {
		return // we were told to stop: the file is not to blame
	}
	if isOurs(err) {
		c.cancel(err)
	} else if !errs.Is(err, errs.Unavailable) {
		c.bad = 0
	} else if c.bad++; c.bad >= hopeless {
		c.cancel(err)
	}
	switch errs.KindOf(err) {
	case errs.Withdrawn, errs.Forbidden, errs.Gone:
		p.doubt = true
	}
	if f.tries == 0 {
		m.cfg.Log.Warn("a file could not be copied", "file", ref.SHA256, "error", err)
	}
	first := min(firstRetry, m.cfg.Poll)
	f.err, f.next = err, m.cfg.Now().Add(min(first<<min(f.tries, 16), lastRetry))
	f.tries++
	if len(p.absent) > maxAbsent { // the next whole look finds it again
		delete(p.absent, ref.SHA256)
	}
}

// wait ends the work: all that was given is fetched, or known to have failed.
func (c *copier) wait() error {
	close(c.jobs)
	c.wg.Wait()
	err := context.Cause(c.ctx)
	c.cancel(nil)
	return err
}

// fill copies what there is space for: the shelves with the fewest holders first,
// then the newest records' files. What is here stays.
func (m *Mirror) fill(c *copier, size int64) error {
	var used int64
	err := m.cfg.Blobs.Walk(c.ctx, func(_ string, n int64) error {
		used += n
		return c.ctx.Err()
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.pass.wanted = Tally{}
	maps.DeleteFunc(m.pass.absent, func(_ string, f *absent) bool { return !f.flying })
	m.pass.count()
	m.mu.Unlock()
	seen := map[string]bool{}
	take := func(ref blob.Ref) error {
		if !blob.Valid(ref.SHA256) || ref.Bytes < 0 || seen[ref.SHA256] {
			return nil
		}
		there, err := c.here(ref)
		if err != nil {
			return err
		}
		c.m.mu.Lock()
		there = there || c.m.pass.absent[ref.SHA256] != nil // counted already
		c.m.mu.Unlock()
		if !there {
			if used+ref.Bytes > m.cfg.Space {
				return nil
			}
			used += ref.Bytes
		}
		seen[ref.SHA256] = true
		return c.want(ref)
	}
	if m.cfg.Shelves != nil && m.cfg.Selection == "" { // else a shelf holds more than is selected
		shelves, err := m.cfg.Shelves.Shelves(c.ctx)
		if err != nil {
			return fmt.Errorf("list shelves: %w", err)
		}
		copies := func(s Shelf) int {
			if m.cfg.List == nil {
				return 0
			}
			return m.cfg.List.Copies(s.Number)
		}
		holders := make(map[int]int, len(shelves))
		for _, s := range shelves {
			holders[s.Number] = copies(s)
		}
		slices.SortStableFunc(shelves, func(a, b Shelf) int {
			return cmp.Or(cmp.Compare(holders[a.Number], holders[b.Number]), cmp.Compare(b.Number, a.Number))
		})
		for _, s := range shelves {
			if used >= m.cfg.Space {
				break
			}
			if err := m.cfg.Shelves.Files(c.ctx, s.Number, take); err != nil {
				return fmt.Errorf("shelf %d: %w", s.Number, err)
			}
		}
	}
	// Newest first: one stretch of entries after another, from the end.
	for end := size; end > 0; end -= window {
		begin := max(end-window, 0)
		var refs []blob.Ref
		err := m.cfg.Wanted(c.ctx, begin, func(pos int64, ref blob.Ref) error {
			if pos >= end {
				return errStop
			}
			refs = append(refs, ref)
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			return err
		}
		for _, ref := range slices.Backward(refs) {
			if err := take(ref); err != nil {
				return err
			}
		}
	}
	return nil
}
