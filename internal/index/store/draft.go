package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

// bulk builds the segments of a draft on several cores. Documents go to a builder
// while it has room; then it becomes a segment.
type bulk struct {
	g    *generation
	idle chan *worker
	all  []*worker
	wg   sync.WaitGroup

	// Of the caller:
	held map[int64][]*segment.Doc // documents whose record every builder has had already
	docs int                      // in held

	mu     sync.Mutex // taken after generation.write; guards these, and what epochs hold:
	open   []*epoch   // what is not a segment yet
	failed error
}

// worker owns a builder.
type worker struct {
	b    *segment.Builder
	size int64 // of the builder; written before the worker is idle
	ep   *epoch
	jobs chan job
}

// epoch is what one builder takes until it becomes a segment.
type epoch struct {
	records map[int64]struct{}
	dead    []int64 // records that were deleted or replaced since
}

type job struct {
	cut  *epoch // first, make the builder a segment
	docs []*segment.Doc
}

const heldDocs = 8192

func newBulk(g *generation) *bulk {
	b := &bulk{g: g, idle: make(chan *worker, g.cfg.Workers), held: map[int64][]*segment.Doc{}}
	for range g.cfg.Workers {
		w := &worker{b: segment.NewBuilder(g.cfg.Segment), jobs: make(chan job, 1)}
		b.renew(w)
		b.all = append(b.all, w)
		b.idle <- w
		b.wg.Go(func() {
			for j := range w.jobs {
				if b.err() == nil {
					if err := b.do(w, j); err != nil {
						b.fail(err)
					}
				}
				w.size = w.b.Size()
				b.idle <- w
			}
		})
	}
	return b
}

func (b *bulk) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

func (b *bulk) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = cmp.Or(b.failed, err)
}

// renew begins an epoch.
func (b *bulk) renew(w *worker) {
	w.ep = &epoch{records: map[int64]struct{}{}}
	b.mu.Lock()
	b.open = append(b.open, w.ep)
	b.mu.Unlock()
}

func (b *bulk) do(w *worker, j job) error {
	if j.cut != nil {
		if err := b.end(w, j.cut); err != nil {
			return err
		}
	}
	for _, d := range j.docs {
		if err := w.b.Add(d); err != nil {
			return err
		}
	}
	return nil
}

// end makes a segment of a builder.
func (b *bulk) end(w *worker, ep *epoch) error {
	var s *seg
	if w.b.Docs() > 0 {
		var err error
		if s, err = b.g.writeSegment(context.Background(), func(out io.Writer) error { return w.b.Finish(out) }); err != nil {
			return err
		}
	}
	b.g.write.Lock()
	defer b.g.write.Unlock()
	b.mu.Lock()
	b.open = slices.DeleteFunc(b.open, func(e *epoch) bool { return e == ep })
	dead := ep.dead
	b.mu.Unlock()
	if s == nil {
		return nil
	}
	m := member{seg: s}
	slices.Sort(dead)
	m.kill(slices.Compact(dead))
	m.saved = m.live
	if m.deleted() == s.r.Docs() {
		b.g.throwAway(s)
		return nil
	}
	next := b.g.cur.clone()
	next.disk = append(next.disk, m)
	b.g.publish(next)
	b.g.merger.poke()
	return nil
}

// apply takes a batch. Its documents must not be changed afterwards.
func (b *bulk) apply(ctx context.Context, batch *Batch) error {
	if err := b.g.merger.room(ctx); err != nil {
		return err
	}
	if err := b.err(); err != nil {
		return err
	}
	b.kill(records(batch))
	docs := slices.Clone(batch.Docs)
	slices.SortStableFunc(docs, func(x, y *segment.Doc) int { return cmp.Compare(x.Record, y.Record) })
	for len(docs) > 0 {
		n := min(len(docs), splitDocs)
		for n < len(docs) && docs[n].Record == docs[n-1].Record {
			n++
		}
		if err := b.give(ctx, docs[:n]); err != nil {
			return err
		}
		docs = docs[n:]
	}
	return nil
}

// kill deletes what there is of records.
func (b *bulk) kill(records []int64) {
	for _, r := range records {
		if docs, ok := b.held[r]; ok {
			b.docs -= len(docs)
			delete(b.held, r)
		}
	}
	b.g.write.Lock()
	defer b.g.write.Unlock()
	b.mu.Lock()
	for _, ep := range b.open {
		for _, r := range records {
			if _, ok := ep.records[r]; ok {
				ep.dead = append(ep.dead, r)
			}
		}
	}
	b.mu.Unlock()
	next := b.g.cur.clone()
	next.kill(records)
	changed := false
	for i := range next.disk {
		if m := &next.disk[i]; m.live != m.saved {
			m.saved, m.del, changed = m.live, nil, true
		}
	}
	if !changed {
		return
	}
	var gone []string
	next.disk = slices.DeleteFunc(next.disk, func(m member) bool {
		all := m.deleted() == m.r.Docs()
		if all {
			gone = append(gone, m.file.Name)
		}
		return all
	})
	b.g.publish(next)
	for _, name := range gone {
		_ = b.g.cfg.FS.Remove(b.g.path(name))
	}
}

// give hands documents, whole records, to a worker that has nothing to do; when its
// builder is full it makes a segment of it first.
func (b *bulk) give(ctx context.Context, docs []*segment.Doc) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case w := <-b.idle:
		full := w.size >= b.g.cfg.BuildBytes/int64(len(b.all)) || b.docs >= heldDocs
		w.jobs <- b.job(w, docs, full)
		return nil
	}
}

func (b *bulk) job(w *worker, docs []*segment.Doc, cut bool) job {
	var j job
	if cut {
		j.cut = w.ep
		b.renew(w)
	}
	for r, list := range b.held {
		if _, had := w.ep.records[r]; !had {
			j.docs = append(j.docs, list...)
			w.ep.records[r] = struct{}{}
			b.docs -= len(list)
			delete(b.held, r)
		}
	}
	held := map[int64]bool{} // of this call: all documents of a record stay together
	given := map[int64]bool{}
	for _, d := range docs {
		_, had := w.ep.records[d.Record]
		if held[d.Record] || had && !given[d.Record] {
			held[d.Record] = true
			b.held[d.Record] = append(b.held[d.Record], d)
			b.docs++
			continue
		}
		given[d.Record] = true
		w.ep.records[d.Record] = struct{}{}
		j.docs = append(j.docs, d)
	}
	return j
}

// finish makes segments of all that is left, and ends the workers.
func (b *bulk) finish() error {
	for more := true; more; {
		more = false
		var all []*worker
		for range b.all {
			all = append(all, <-b.idle)
		}
		for _, w := range all {
			j := b.job(w, nil, true)
			more = more || len(j.docs) > 0
			w.jobs <- j
		}
	}
	b.stop()
	return b.err()
}

// stop ends the workers.
func (b *bulk) stop() {
	for range b.all {
		<-b.idle
	}
	for _, w := range b.all {
		close(w.jobs)
	}
	b.wg.Wait()
	b.all = nil
}

// Draft is a generation that is being built beside the one that serves. One goroutine
// uses it. Nothing of it is durable before Commit.
type Draft struct {
	s       *Store
	g       *generation
	b       *bulk
	cursor  int64
	library string
	done    bool
}

// Draft begins an empty generation. One at a time.
func (s *Store) Draft(ctx context.Context) (*Draft, error) {
	if s.cfg.ReadOnly {
		return nil, errs.New(errs.Invalid, "the view %s is open for reading only", s.cfg.Name)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	number, err := s.nextGeneration()
	if err != nil {
		return nil, err
	}
	dir := s.folder(number)
	if err := s.cfg.FS.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a draft: %w", err)
	}
	g := newGeneration(&s.cfg, dir, number, true)
	g.begin()
	g.start()
	return &Draft{s: s, g: g, b: newBulk(g)}, nil
}

// Cursor is that of the last batch.
func (d *Draft) Cursor() int64 { return d.cursor }

// Library is the library that the batches named; empty when none did.
func (d *Draft) Library() string { return d.library }

// Apply folds a batch in, as [Store.Apply] does. The documents belong to the draft from
// then on: they are built into segments while Apply has returned already, on
// [Config.Workers] cores, and an error of that is returned by a later call. After an
// error the draft can only be discarded.
func (d *Draft) Apply(ctx context.Context, b Batch) error {
	if d.done {
		return errs.New(errs.Invalid, "the draft of %s is done", d.s.cfg.Name)
	}
	if b.Cursor < d.cursor {
		return errs.New(errs.Invalid, "a batch that ends at %d comes after %d", b.Cursor, d.cursor)
	}
	if err := d.b.apply(ctx, &b); err != nil {
		return err
	}
	d.cursor = b.Cursor
	if b.Library != "" {
		d.library = b.Library
	}
	return nil
}

// Compact builds what is left and merges until there are at most n segments, which
// takes time and makes searching faster. Apply may be called afterwards.
func (d *Draft) Compact(ctx context.Context, n int) error {
	if d.done {
		return errs.New(errs.Invalid, "the draft of %s is done", d.s.cfg.Name)
	}
	if err := d.b.finish(); err != nil {
		d.b = newBulk(d.g)
		d.b.fail(err)
		return err
	}
	d.b = newBulk(d.g)
	return d.g.squeeze(ctx, max(1, n))
}

// Commit makes the draft durable and puts it in the place of the generation that
// serves; that one is removed when its last reader is done. After an error the old one
// serves, unless the error is of the last step, whose outcome is then unknown until
// the store is opened anew.
func (d *Draft) Commit(ctx context.Context) error {
	if d.done {
		return errs.New(errs.Invalid, "the draft of %s is done", d.s.cfg.Name)
	}
	d.done = true
	err := d.b.finish()
	if err == nil {
		err = ctx.Err()
	}
	// A merge that runs may end, unless the caller will not wait.
	cancel := context.AfterFunc(ctx, d.g.merger.cancel)
	d.g.merger.one.Lock()
	d.g.merger.cancel()
	d.g.merger.one.Unlock()
	cancel()
	d.g.merger.stop()
	if err == nil {
		_, err = d.g.mergeOne(ctx, remainder)
	}
	if err == nil {
		err = d.g.settle(ctx, d.cursor, d.library)
	}
	if err != nil {
		return errors.Join(err, d.remove())
	}
	d.s.swap(d.g)
	return nil
}

// settle makes a draft a generation: its files durable, and last the manifest.
func (g *generation) settle(ctx context.Context, cursor int64, library string) error {
	g.write.Lock()
	defer g.write.Unlock()
	for _, m := range g.cur.disk {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := syncFile(g.cfg.FS, g.path(m.file.Name)); err != nil {
			return fmt.Errorf("sync %s: %w", g.label(m.file.Name), err)
		}
	}
	if err := g.cfg.FS.SyncDir(g.cfg.Dir); err != nil {
		return err
	}
	g.draft = false
	next := g.cur.clone()
	next.cursor, next.library = cursor, library
	return g.flush(ctx, next)
}

// Discard removes the draft; it does nothing after Commit.
func (d *Draft) Discard() error {
	if d.done {
		return nil
	}
	d.done = true
	d.b.stop()
	return d.remove()
}

func (d *Draft) remove() error { return errors.Join(d.g.Close(), d.s.removeGeneration(d.g.number)) }
