package store

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

const (
	mergeMost = 10      // segments that one merge takes
	maxDisk   = 96      // segments on disk; with more, applying waits for merges
	mergeLate = 80      // segments of a tier that are merged while more is gathered
	mergeStep = 1 << 20 // bytes after which a merge looks whether it should wait
)

// merger merges segments of a generation in the background.
type merger struct {
	wake   chan struct{}
	cancel context.CancelFunc // nil: not running
	done   chan struct{}
	one    sync.Mutex // one merge at a time
	busy   atomic.Int64
	stuck  atomic.Bool  // the last merge failed
	more   atomic.Bool  // more is being gathered
	limit  atomic.Int64 // bytes of what merging makes, where the segments' form sets it; 0: none
	disk   func() int
}

// start begins merging in the background.
func (g *generation) start() {
	m := &g.merger
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.done = cancel, make(chan struct{})
	m.disk = func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.cur == nil {
			return 0
		}
		return len(g.cur.disk)
	}
	go func() {
		defer close(m.done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-m.wake:
			}
			for {
				merged, err := g.mergeOne(ctx, g.pick)
				if ctx.Err() != nil {
					return
				}
				m.stuck.Store(err != nil)
				if err != nil {
					g.cfg.Log.Error("merge segments", "view", g.cfg.Name, "error", err)
				}
				if err != nil || !merged {
					break
				}
			}
		}
	}()
	m.poke()
}

// poke says that there may be something to merge.
func (m *merger) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// stop cancels a merge that runs, and waits for it.
func (m *merger) stop() {
	if m.cancel != nil {
		m.cancel()
		<-m.done
	}
}

// room waits while there are too many segments on disk.
func (m *merger) room(ctx context.Context) error {
	for m.disk != nil && m.disk() > maxDisk && !m.stuck.Load() {
		m.poke()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.done:
			return nil
		case <-time.After(5 * time.Millisecond):
		}
	}
	return ctx.Err()
}

// size is about what a segment takes without what is deleted.
func (m *member) size() int64 {
	if m.saved == nil {
		return m.file.Bytes
	}
	docs := int64(m.file.Docs)
	return int64(float64(m.file.Bytes) * float64(docs-int64(m.saved.GetCardinality())) / float64(docs))
}

// pick chooses what to merge next: a segment that is half deleted, or the smallest of
// a tier that is full. A tier is eight times as large as the one below. While more is
// gathered a tier is full later: what takes documents in is not to wait for what is
// merged again with those that come.
func (g *generation) pick(disk []member) []member {
	floor, limit := max(1, g.cfg.FlushBytes/8), g.cfg.MaxSegmentBytes
	if l := g.merger.limit.Load(); l > 0 {
		limit = min(limit, l)
	}
	full := g.cfg.MergeSegments
	if g.merger.more.Load() {
		full = max(full, mergeLate)
	}
	tiers := map[int][]member{}
	high := 0
	for _, m := range disk {
		if m.saved != nil && m.saved.GetCardinality() > uint64(m.file.Docs)/2 {
			return []member{m}
		}
		if m.size() > limit/2 {
			continue
		}
		tier := (bits.Len64(uint64(m.size()/floor)) + 2) / 3
		tiers[tier] = append(tiers[tier], m)
		high = max(high, tier)
	}
	for tier := 0; tier <= high; tier++ {
		if list := tiers[tier]; len(list) >= full {
			if list = smallest(list, mergeMost, limit); len(list) > 1 {
				return list
			}
		}
	}
	return nil
}

// remainder chooses what a draft leaves of segments that are small beside the largest: they would wait for others of
// their size, and every search reads them.
func remainder(disk []member) []member {
	var most int64
	for i := range disk {
		most = max(most, disk[i].size())
	}
	list := smallest(slices.DeleteFunc(slices.Clone(disk), func(m member) bool { return m.size() > most/2 }), len(disk), most)
	if len(list) < 2 {
		return nil
	}
	return list
}

// smallest are at most n of the smallest segments that together have at most limit bytes.
func smallest(list []member, n int, limit int64) []member {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b member) int { return cmp.Compare(a.size(), b.size()) })
	var total int64
	for i := range list {
		if total += list[i].size(); i == n || total > limit && i >= 2 {
			return list[:i]
		}
	}
	return list
}

// mergeOne merges what pick chooses; false when it chooses nothing.
func (g *generation) mergeOne(ctx context.Context, pick func([]member) []member) (bool, error) {
	g.merger.one.Lock()
	defer g.merger.one.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	v := g.acquire() // which keeps what is merged mapped
	if v == nil {
		return false, nil
	}
	defer g.release(v)
	from := pick(v.disk)
	if len(from) == 0 {
		return false, nil
	}
	out, err := g.writeSegment(ctx, func(w io.Writer) error {
		in := make([]segment.Input, len(from))
		for i, m := range from {
			in[i] = segment.Input{Reader: m.r, Deleted: m.saved}
		}
		workers := 1 // beside what serves
		if g.draft {
			workers = g.cfg.Workers
		}
		return segment.MergeParallel(&throttle{ctx: ctx, w: w, g: g, began: time.Now()}, in, workers)
	})
	if errs.Is(err, errs.TooLarge) { // as much as this is more than one segment holds
		var total int64
		for i := range from {
			total += from[i].size()
		}
		g.merger.limit.Store(max(1, total/2))
	}
	if err != nil {
		return false, err
	}
	return true, g.replace(from, out)
}

// replace puts a merged segment in the place of those it was made of. What was deleted
// in them meanwhile is deleted in it.
func (g *generation) replace(from []member, seg *seg) error {
	g.write.Lock()
	defer g.write.Unlock()
	if g.closed {
		g.throwAway(seg)
		return errs.New(errs.Unavailable, "the view %s is closed", g.cfg.Name)
	}
	next := g.cur.clone()
	next.disk = next.disk[:0]
	out := member{seg: seg}
	left := map[string]member{}
	for _, m := range from {
		left[m.file.Name] = m
	}
	same := true
	for _, now := range g.cur.disk {
		was, merged := left[now.file.Name]
		if !merged {
			next.disk = append(next.disk, now)
			continue
		}
		delete(left, now.file.Name)
		same = same && now.live == now.saved
		if now.saved != was.saved {
			out.saved = carry(out.saved, seg, now, now.saved, was.saved)
		}
		if now.live != was.saved {
			out.live = carry(out.live, seg, now, now.live, was.saved)
		}
	}
	for _, gone := range left { // all of it was deleted, and is saved so
		all := roaring.New()
		all.AddRange(0, uint64(gone.file.Docs))
		out.saved = carry(out.saved, seg, gone, all, gone.saved)
		out.live = carry(out.live, seg, gone, all, gone.saved)
	}
	if same { // one bitmap, so that nothing is to be saved
		out.live = out.saved
	}
	if out.saved != nil && out.saved.GetCardinality() == uint64(seg.file.Docs) {
		g.throwAway(seg)
	} else {
		if out.saved != nil && !g.draft {
			file, err := g.writeDeleted(seg.file.Name, out.saved)
			if err != nil {
				g.throwAway(seg)
				return err
			}
			out.del = file
		}
		next.disk = append(next.disk, out)
	}
	if !g.draft {
		man := &manifest{Cursor: g.man.Cursor, Library: g.man.Library, Tail: g.man.Tail, Salt: g.man.Salt}
		if err := g.writeManifest(man, next); err != nil {
			g.discard(next)
			return err
		}
	} else {
		defer func() { // once it is not named any more
			for _, m := range from {
				_ = g.cfg.FS.Remove(g.path(m.file.Name))
			}
		}()
	}
	g.publish(next)
	return nil
}

// carry adds to what is deleted in a merged segment what is deleted in one of its
// sources now and was not when the merge began.
func carry(to *roaring.Bitmap, seg *seg, source member, now, began *roaring.Bitmap) *roaring.Bitmap {
	if now == nil {
		return to
	}
	fresh := now
	if began != nil {
		fresh = roaring.AndNot(now, began)
	}
	last, first := int64(0), true
	for it := fresh.Iterator(); it.HasNext(); {
		r := source.r.Record(it.Next())
		if !first && r == last {
			continue
		}
		last, first = r, false
		if lo, hi := seg.find(r); lo < hi {
			if to == nil {
				to = roaring.New()
			}
			to.AddRange(uint64(lo), uint64(hi))
		}
	}
	return to
}

// throttle slows a merge down, and stops it when ctx is done.
type throttle struct {
	ctx   context.Context
	w     io.Writer
	g     *generation
	n     int64 // bytes written
	next  int64 // when to look again
	began time.Time
}

func (t *throttle) Write(p []byte) (int, error) {
	if t.n >= t.next {
		t.next = t.n + mergeStep
		if err := t.wait(); err != nil {
			return 0, err
		}
	}
	n, err := t.w.Write(p)
	t.n += int64(n)
	return n, err
}

func (t *throttle) wait() error {
	if err := t.ctx.Err(); err != nil || t.g.draft {
		return err
	}
	nap := func(d time.Duration) error {
		select {
		case <-t.ctx.Done():
			return t.ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
	// While a batch is being applied, but not for ever, and not when that would leave
	// too many segments.
	for range 50 {
		if t.g.merger.busy.Load() == 0 || t.g.merger.disk != nil && t.g.merger.disk() > maxDisk/2 {
			break
		}
		if err := nap(2 * time.Millisecond); err != nil {
			return err
		}
	}
	due := time.Duration(float64(t.n) / float64(t.g.cfg.MergeRate) * float64(time.Second))
	if ahead := due - time.Since(t.began); ahead > 0 {
		return nap(ahead)
	}
	return nil
}

// squeeze merges until there are at most n segments on disk.
func (g *generation) squeeze(ctx context.Context, n int) error {
	for {
		merged, err := g.mergeOne(ctx, func(disk []member) []member {
			if len(disk) <= n {
				return nil
			}
			return smallest(disk, min(mergeMost, len(disk)-n+1), 1<<62)
		})
		if err != nil {
			return fmt.Errorf("merge: %w", err)
		}
		if !merged {
			return nil
		}
	}
}
