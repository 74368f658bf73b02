package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

// Batch is what is applied at once.
type Batch struct {
	Cursor  int64          // after it; not below the present one
	Library string         // remembered unless empty
	Delete  []int64        // records whose documents go
	Docs    []*segment.Doc // all documents of their records, which replace those that there are
}

const (
	maxMemory  = 10      // segments in memory
	splitDocs  = 1024    // a batch with more documents is built on several cores
	maxPayload = 1 << 24 // bytes of a frame; a batch with more goes to the disk
	maxTail    = 1 << 26 // bytes of a tail; then it is flushed
)

// apply folds a batch in and publishes it.
func (g *generation) apply(ctx context.Context, b *Batch) error {
	if err := g.merger.room(ctx); err != nil {
		return err
	}
	g.merger.busy.Add(1)
	defer g.merger.busy.Add(-1)
	g.write.Lock()
	defer g.write.Unlock()
	if g.closed {
		return errs.New(errs.Unavailable, "the view %s is closed", g.cfg.Name)
	}
	if b.Cursor < g.cur.cursor {
		return errs.New(errs.Invalid, "a batch that ends at %d comes after %d", b.Cursor, g.cur.cursor)
	}
	if len(b.Docs) > g.cfg.FlushDocs {
		return g.applyLarge(ctx, b)
	}
	from := g.cur.cursor
	next := g.cur.clone()
	if err := g.fold(ctx, next, b); err != nil {
		return err
	}
	if docs, bytes := next.inMemory(); !g.mustFlush && docs <= g.cfg.FlushDocs && bytes <= g.cfg.FlushBytes {
		frame := appendBatch(make([]byte, frameHeader, 4096), from, b)
		if len(frame) <= maxPayload && g.tail.size+int64(len(frame)) <= maxTail {
			if err := g.appendFrame(frame); err != nil {
				g.mustFlush = true
				return err
			}
			g.publish(next)
			return nil
		}
	}
	return g.flush(ctx, next)
}

// applyLarge writes the documents of a batch to the disk at once.
func (g *generation) applyLarge(ctx context.Context, b *Batch) error {
	next := g.cur.clone()
	built, err := g.build(ctx, b.Docs, g.writeSegment)
	if err != nil {
		return err
	}
	next.kill(records(b))
	next.at(b)
	for _, s := range built {
		next.disk = append(next.disk, member{seg: s})
	}
	return g.flush(ctx, next)
}

// fold folds a batch into a version that is not published: its documents become
// segments in memory.
func (g *generation) fold(ctx context.Context, v *version, b *Batch) error {
	built, err := g.build(ctx, b.Docs, func(_ context.Context, fill func(io.Writer) error) (*seg, error) { return memorySegment(fill) })
	if err != nil {
		return err
	}
	v.kill(records(b))
	v.at(b)
	for _, s := range built {
		v.mem = append(v.mem, member{seg: s})
	}
	return v.compact()
}

func (v *version) at(b *Batch) {
	v.cursor = b.Cursor
	if b.Library != "" {
		v.library = b.Library
	}
}

// records are those that a batch replaces or deletes, in order, each once.
func records(b *Batch) []int64 {
	list := slices.Clone(b.Delete)
	for _, d := range b.Docs {
		list = append(list, d.Record)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// kill deletes the documents of records, which are in order. Segments in memory with
// nothing left go.
func (v *version) kill(records []int64) {
	v.members(func(m *member) { m.kill(records) })
	v.mem = slices.DeleteFunc(v.mem, func(m member) bool { return m.deleted() == m.r.Docs() })
}

func (m *member) kill(records []int64) {
	i, _ := slices.BinarySearch(records, m.low)
	var live *roaring.Bitmap
	for _, r := range records[i:] {
		if r > m.top {
			break
		}
		lo, hi := m.find(r)
		if lo >= hi || m.live != nil && m.live.Contains(lo) {
			continue
		}
		if live == nil {
			live = roaring.New()
			if m.live != nil {
				live = m.live.Clone()
			}
		}
		live.AddRange(uint64(lo), uint64(hi))
	}
	if live != nil {
		m.live = live
	}
}

// build makes segments of documents with write, on several cores when there are many.
// The documents of a record go into one segment.
func (g *generation) build(ctx context.Context, docs []*segment.Doc, write func(context.Context, func(io.Writer) error) (*seg, error)) ([]*seg, error) {
	if len(docs) == 0 {
		return nil, nil
	}
	docs = slices.Clone(docs)
	slices.SortFunc(docs, func(a, b *segment.Doc) int {
		return cmp.Or(cmp.Compare(a.Record, b.Record), cmp.Compare(a.Part, b.Part))
	})
	parts := 1
	if len(docs) > splitDocs {
		parts = min(g.cfg.Workers, len(docs)/(splitDocs/2))
	}
	built := make([]*seg, parts)
	failed := make([]error, parts)
	var wg sync.WaitGroup
	for i, rest := 0, docs; i < parts; i++ {
		n := len(rest) / (parts - i)
		for n < len(rest) && n > 0 && rest[n].Record == rest[n-1].Record {
			n++
		}
		share := rest[:n]
		rest = rest[n:]
		if n == 0 {
			continue
		}
		one := func() {
			b := segment.NewBuilder(g.cfg.Segment)
			for _, d := range share {
				if failed[i] = b.Add(d); failed[i] != nil {
					return
				}
			}
			built[i], failed[i] = write(ctx, b.Finish)
		}
		if parts == 1 {
			one()
		} else {
			wg.Go(one)
		}
	}
	wg.Wait()
	built = slices.DeleteFunc(built, func(s *seg) bool { return s == nil })
	if err := errors.Join(failed...); err != nil {
		for _, s := range built {
			g.throwAway(s)
		}
		return nil, err
	}
	return built, nil
}

// throwAway closes a segment that is in no version, and removes its file.
func (g *generation) throwAway(s *seg) {
	_ = s.close()
	if s.file.Name != "" {
		_ = g.cfg.FS.Remove(g.path(s.file.Name))
	}
}

func inputs(list []member) []segment.Input {
	in := make([]segment.Input, len(list))
	for i, m := range list {
		in[i] = segment.Input{Reader: m.r, Deleted: m.live}
	}
	return in
}

// compact merges segments in memory when there are too many: the newest ones, and each
// older one that is no larger than twice those after it.
func (v *version) compact() error {
	if len(v.mem) <= maxMemory {
		return nil
	}
	slices.SortStableFunc(v.mem, func(a, b member) int { return cmp.Compare(b.r.Docs(), a.r.Docs()) })
	from, docs := len(v.mem)-2, v.mem[len(v.mem)-1].r.Docs()+v.mem[len(v.mem)-2].r.Docs()
	for from > 0 && v.mem[from-1].r.Docs() <= 2*docs {
		from--
		docs += v.mem[from].r.Docs()
	}
	s, err := memorySegment(func(w io.Writer) error { return segment.Merge(w, inputs(v.mem[from:])) })
	if err != nil {
		return fmt.Errorf("merge in memory: %w", err)
	}
	v.mem = append(v.mem[:from:from], member{seg: s})
	return nil
}

// flush writes what next has in memory to the disk, and a manifest at its cursor, and
// publishes it. After an error nothing is published, and what new files next has are
// removed, unless the manifest that names them may be in place.
func (g *generation) flush(ctx context.Context, next *version) error {
	if len(next.mem) > 0 {
		mem := next.mem
		s, err := g.writeSegment(ctx, func(w io.Writer) error {
			if len(mem) == 1 && mem[0].live == nil {
				_, err := w.Write(mem[0].data)
				return err
			}
			return segment.Merge(w, inputs(mem))
		})
		if err != nil {
			g.abandon(next)
			return err
		}
		next.mem = nil
		next.disk = append(next.disk, member{seg: s})
	}
	next.disk = slices.DeleteFunc(next.disk, func(m member) bool { return m.deleted() == m.r.Docs() })
	for i := range next.disk {
		m := &next.disk[i]
		if m.live == m.saved && (m.saved == nil || m.del != nil) {
			continue
		}
		file, err := g.writeDeleted(m.file.Name, m.live)
		if err != nil {
			g.abandon(next)
			return err
		}
		m.saved, m.del = m.live, file
	}
	var salt [4]byte
	rand.Read(salt[:])
	man := &manifest{
		Cursor: next.cursor, Library: next.library,
		Tail: fmt.Sprintf("tail-%06d", g.next.Add(1)), Salt: binary.LittleEndian.Uint32(salt[:]),
	}
	if err := g.writeManifest(man, next); err != nil {
		g.discard(next)
		return err
	}
	if g.tail.f != nil {
		_ = g.tail.f.Close()
	}
	g.startTail(man)
	g.mustFlush = false
	g.publish(next)
	g.merger.poke()
	return nil
}

// abandon throws away what a version that was not published has in new files.
func (g *generation) abandon(v *version) {
	v.members(func(m *member) {
		g.mu.Lock()
		fresh := m.refs == 0
		g.mu.Unlock()
		if fresh {
			g.throwAway(m.seg)
		}
	})
}

// writeManifest puts a manifest in place that names the segments of v, and removes
// what only the one before named. After an error the outcome is unknown, and the new
// files stay until the next manifest.
func (g *generation) writeManifest(man *manifest, v *version) error {
	man.Layout, man.Format, man.Next = layout, g.cfg.Format, g.next.Load()
	for _, m := range v.disk {
		file := m.file
		file.Deleted = m.del
		man.Segments = append(man.Segments, file)
	}
	data, err := man.encode()
	if err == nil && len(data) > maxManifest {
		err = errs.New(errs.TooLarge, "too many segments")
	}
	if err == nil { // the names of the files, before the name that names them
		err = g.cfg.FS.SyncDir(g.dir)
	}
	if err == nil {
		err = durable.WriteFile(g.cfg.FS, g.path(manifestName), data, 0o644)
	}
	if err != nil {
		g.mustFlush = true
		return fmt.Errorf("write %s: %w", g.label(manifestName), err)
	}
	old := g.man
	g.man = man
	if old == nil {
		return nil
	}
	keep := man.names()
	for name := range old.names() {
		if keep[name] {
			continue
		}
		if err := g.cfg.FS.Remove(g.path(name)); err != nil && !absent(err) {
			g.cfg.Log.Warn("remove an old file", "file", g.label(name), "error", err)
		}
	}
	return nil
}

func defaultWorkers() int { return max(1, min(runtime.GOMAXPROCS(0), 8)) }
