package store

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

// gathered is documents that are in builders and in no version yet: of an import,
// whose batches would each be segments that are merged soon after.
type gathered struct {
	builders []*segment.Builder
	docs     int
	last     int64 // the highest record
	cursor   int64 // of the last batch
	library  string
}

// Gather takes a batch like Apply, and keeps it in memory: nothing of it is shown or
// outlives the process before Settle, nor does the cursor move. The batch may only
// add documents of records above all that there are. full says that it is time for
// Settle. After an error all that was gathered is gone, which Gathered says.
func (s *Store) Gather(ctx context.Context, b Batch) (full bool, err error) {
	if s.cfg.ReadOnly {
		return false, errs.New(errs.Invalid, "the view %s is open for reading only", s.cfg.Name)
	}
	if err := s.Ready(); err != nil {
		return false, err
	}
	if err := s.now.Load().merger.room(ctx); err != nil {
		return false, err
	}
	g := &s.gathered
	if len(b.Delete) > 0 || b.Cursor < s.Gathered() {
		return false, errs.New(errs.Invalid, "the batch that ends at %d cannot be gathered", b.Cursor)
	}
	for _, d := range b.Docs {
		if d.Record < g.last {
			return false, errs.New(errs.Invalid, "record %d is not above those that were gathered", d.Record)
		}
		g.last = d.Record
	}
	for len(g.builders) < s.cfg.Workers {
		g.builders = append(g.builders, segment.NewBuilder(s.cfg.Segment))
	}
	failed := make([]error, len(g.builders))
	var wg sync.WaitGroup
	for i, rest := 0, b.Docs; i < len(g.builders); i++ {
		n := len(rest) / (len(g.builders) - i)
		for n > 0 && n < len(rest) && rest[n].Record == rest[n-1].Record {
			n++ // the documents of a record go into one segment
		}
		share := rest[:n]
		rest = rest[n:]
		wg.Go(func() {
			for _, d := range share {
				if failed[i] = g.builders[i].Add(d); failed[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		s.Forget()
		return false, err
	}
	g.docs, g.cursor = g.docs+len(b.Docs), b.Cursor
	if b.Library != "" {
		g.library = b.Library
	}
	size := int64(0)
	for _, b := range g.builders {
		size += b.Size()
	}
	return size >= s.cfg.GatherBytes, nil
}

// Gathered is the cursor with what is gathered; Cursor where that is nothing.
func (s *Store) Gathered() int64 { return max(s.gathered.cursor, s.Cursor()) }

// Forget drops what is gathered.
func (s *Store) Forget() {
	s.gathered = gathered{}
	if g := s.now.Load(); g != nil {
		g.merger.more.Store(false)
	}
}

// Settle makes segments of what is gathered, durably, shows it and moves the cursor.
// After an error it is gone, as after one of Apply. more says that more will be gathered,
// and merging waits as long as there are not too many segments.
func (s *Store) Settle(ctx context.Context, more bool) error {
	g := s.now.Load()
	if g != nil && g.merger.more.Swap(more) && !more {
		g.merger.poke()
	}
	got := s.gathered
	if got.cursor == 0 {
		return nil
	}
	s.gathered = gathered{}
	if err := s.Ready(); err != nil {
		return err
	}
	err := g.show(ctx, &got)
	if err == nil {
		s.gathered.builders = append(s.gathered.builders, got.builders...) // with the memory that they have
	}
	return err
}

// show makes segments of what was gathered, and publishes them.
func (g *generation) show(ctx context.Context, got *gathered) error {
	g.merger.busy.Add(1)
	defer g.merger.busy.Add(-1)
	built, failed := make([]*seg, len(got.builders)), make([]error, len(got.builders))
	var wg sync.WaitGroup
	for i, b := range got.builders {
		if b.Docs() > 0 {
			wg.Go(func() {
				built[i], failed[i] = g.writeSegment(ctx, func(w io.Writer) error { return b.Finish(w) })
			})
		}
	}
	wg.Wait()
	built = slices.DeleteFunc(built, func(s *seg) bool { return s == nil })
	g.write.Lock()
	defer g.write.Unlock()
	err := errors.Join(failed...)
	if err == nil && g.closed {
		err = errs.New(errs.Unavailable, "the view %s is closed", g.cfg.Name)
	}
	if err != nil {
		for _, s := range built {
			g.throwAway(s)
		}
		return err
	}
	next := g.cur.clone()
	next.cursor = got.cursor
	if got.library != "" {
		next.library = got.library
	}
	for _, s := range built {
		next.disk = append(next.disk, member{seg: s})
	}
	return g.flush(ctx, next)
}
