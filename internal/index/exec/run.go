package exec

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

// run is the work of one query, and its scratch.
type run struct {
	ctl      control
	scale    scale
	segments []segment.View
	req      *Request
	cond     conditions
	top      top
	after    place

	// The segment that is read.
	at     int
	docs   int
	lens   []uint8
	filter filter
	year   []int16

	// Scratch that is used again, by the next segment and the next query.
	leaves      []*leaf
	used        int
	groups      []*group
	groupsUsed  int
	posA, posB  []segment.Pos
	word        []byte
	acc         *accumulator
	parts       []part
	primer      leaf
	primeFilter filter
	scores      []float64
	rangeScratch

	// Counting.
	upTo     int64   // matches to count one by one
	whole    bool    // every match must be seen
	count    int64   // matches seen
	extra    float64 // matches estimated
	seen     int64   // documents among which count was counted
	unproved bool    // phrases were not held against positions

	counters  [][]*counter // by facet and segment
	years     *yearCounter
	blocks    []block
	stretches []stretch
	ranking   []uint64
	match     []uint32 // of a block
	pending   []uint32 // matches that are not yet counted in facets
	order     []int

	commonWord   commonWord
	common       *commonWord // of the plan; nil: none
	dead         *segment.Postings
	settled      []bool // by facet: in this segment it is not to be counted
	yearsSettled bool
	live         bool // takeCommon left a facet to count
}

var runs = sync.Pool{New: func() any { return &run{years: &yearCounter{}} }}

// Run answers a request over the segments of a snapshot, which must stay as they are until
// it returns. It never changes them, and any number may run at once.
//
// The error is errs.Invalid for a key of another order, that of ctx when it ended, or
// errs.Corrupt when a segment is damaged; in the last case the answer is not nil and
// holds what could be read. A budget that is spent is no error, see Answer.Cut.
func Run(ctx context.Context, segments []segment.View, req *Request, b Budget) (*Answer, error) {
	if req.After != nil && req.After.Sort != req.Sort {
		return nil, errs.New(errs.Invalid, "the key of the page belongs to another order")
	}
	if req.Sort > Title {
		return nil, errs.New(errs.Invalid, "no such order: %d", req.Sort)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x := runs.Get().(*run)
	defer x.release()
	x.begin(ctx, segments, req, b)
	a := x.answer()
	if x.ctl.err != nil {
		return nil, x.ctl.err
	}
	for i := range segments {
		if err := segments[i].Err(); err != nil {
			a.Exact, a.FacetsExact = false, false
			return a, fmt.Errorf("search: %w", err)
		}
	}
	return a, nil
}

func (x *run) begin(ctx context.Context, segments []segment.View, req *Request, b Budget) {
	x.ctl.begin(ctx, b)
	x.segments, x.req = segments, req
	m := req.Model
	if m == nil {
		m = DefaultModel
	}
	x.scale.set(m, segments)
	x.cond = conditions{lists: x.cond.lists[:0], ranges: x.cond.ranges[:0]}
	x.cond.add(req.Filters, req.Query)
	x.upTo = int64(req.TotalUpTo)
	if x.upTo == 0 {
		x.upTo = 1000
	}
	x.whole = x.upTo < 0 || req.Sort != Relevance || len(req.Facets) > 0 || req.Years
}

// release gives the scratch back, with nothing in it that holds a segment.
func (x *run) release() {
	x.ctl.end()
	x.rangeScratch.release()
	for _, l := range x.leaves {
		l.docs, l.masks, l.tfs, l.lens, l.plan = nil, nil, nil, nil, nil
	}
	for _, cs := range x.counters {
		for _, c := range cs {
			c.col, c.bytes, c.starts, c.ords16, c.ords32 = nil, nil, nil, nil, nil
			if cap(c.counts) > 1<<20 {
				c.counts = nil
			}
		}
	}
	clear(x.top.heap[:cap(x.top.heap)])
	if cap(x.top.heap) > MaxLimit {
		x.top.heap = nil
	}
	x.top.after = nil
	x.filter = filter{tests: x.filter.tests[:0]}
	clear(x.filter.tests[:cap(x.filter.tests)])
	x.primeFilter = filter{}
	for i := range x.parts {
		x.parts[i].it, x.parts[i].leaf = nil, nil
	}
	clear(x.cond.lists[:cap(x.cond.lists)])
	for _, g := range x.groups {
		g.tail = nil
	}
	x.segments, x.req, x.lens, x.year, x.after, x.common, x.dead = nil, nil, nil, nil, place{}, nil, nil
	runs.Put(x)
}

// reset forgets what was found.
func (x *run) reset() {
	req := x.req
	var after *place
	if req.After != nil {
		x.after = req.After.place()
		after = &x.after
	}
	limit, offset := min(max(req.Limit, 0), MaxLimit), min(max(req.Offset, 0), MaxOffset)
	if limit == 0 {
		offset = 0
	}
	x.top.begin(req.Sort, req.latest(), limit+offset, after)
	x.count, x.extra, x.seen, x.unproved = 0, 0, 0, false
	x.pending = x.pending[:0]
	if x.years.on {
		x.years.take()
	}
	x.years.on = req.Years
	for len(x.counters) < len(req.Facets) {
		x.counters = append(x.counters, nil)
	}
}

// search reads all segments for a plan.
func (x *run) search(p *plan) {
	x.reset()
	x.lookCommon(p)
	x.columns()
	for _, i := range x.turns() {
		if x.ctl.stopped {
			break
		}
		if p.absent(i) {
			x.seen += int64(x.segments[i].Docs())
			continue
		}
		if !x.open(i) {
			x.seen += int64(x.docs)
			continue
		}
		x.used, x.groupsUsed = 0, 0
		switch it := x.build(p).(type) {
		case nil:
			x.seen += int64(x.docs)
		case *leaf:
			if x.top.dated() {
				x.dated(it)
			} else {
				x.single(it)
			}
		case *union:
			if it.best {
				x.walk(it)
			} else {
				x.disjoin(it.of)
			}
		case *every:
			if x.top.dated() && !x.filter.on && !x.tallies() {
				x.allDated()
			} else {
				x.all(it)
			}
		default:
			x.walk(it)
		}
		x.flush()
	}
	for _, cs := range x.counters[:len(x.req.Facets)] {
		for _, c := range cs[:len(x.segments)] {
			c.done()
		}
	}
}

// turns is the order in which segments are read: the largest first, which has most of the best documents, so that the
// others are passed over quickly; or the one with the latest records first, where those are wanted first.
func (x *run) turns() []int {
	x.order = x.order[:0]
	for i := range x.segments {
		x.order = append(x.order, i)
	}
	if x.top.latest {
		slices.SortStableFunc(x.order, func(a, b int) int { return cmp.Compare(x.segments[b].Record(0), x.segments[a].Record(0)) })
		return x.order
	}
	slices.SortStableFunc(x.order, func(a, b int) int { return cmp.Compare(x.segments[b].Docs(), x.segments[a].Docs()) })
	return x.order
}

// open makes a segment the one that is read; false when its columns let nothing through.
func (x *run) open(i int) bool {
	v := &x.segments[i]
	x.at, x.docs, x.lens, x.used, x.groupsUsed = i, v.Docs(), v.Lens(), 0, 0
	x.settled = append(x.settled[:0], make([]bool, len(x.req.Facets))...)
	x.yearsSettled = false
	if x.docs == 0 || len(x.lens) < x.docs {
		return false
	}
	if x.req.Sort == Newest || x.req.Sort == Oldest || x.years.on {
		x.year = v.Years()
	}
	x.top.segment(int32(i), v.Record(0), v.Record(uint32(x.docs-1)))
	return x.filter.set(&x.cond, v)
}

// columns makes the facet counters of all segments ready.
func (x *run) columns() {
	for f, facet := range x.req.Facets {
		for len(x.counters[f]) < len(x.segments) {
			x.counters[f] = append(x.counters[f], &counter{})
		}
		if facet >= segment.NumFacets {
			facet = segment.Kind
		}
		for i := range x.segments {
			x.counters[f][i].set(x.segments[i].Facet(facet))
		}
	}
}

// flush counts the pending matches in facets, and in an order by year offers them.
func (x *run) flush() {
	x.tally(x.pending)
	if x.top.dated() {
		x.datedPending()
	}
	x.pending = x.pending[:0]
}

// all reads a segment of which every document matches.
func (x *run) all(e *every) {
	v := &x.segments[x.at]
	n := uint32(x.docs)
	if !x.filter.on && !x.whole && x.top.sort == Relevance {
		// All are equal: the first ones after the key, and a count that is known.
		x.count += int64(v.Live)
		x.seen += int64(n)
		from, to := uint32(0), n
		if a := x.top.after; a != nil && a.score == 0 {
			if from, to = v.Find(a.record); x.top.latest {
				from = 0
			} else {
				to = n
			}
		} else if a != nil && a.score < 0 {
			return
		}
		for i := range to - from {
			d := from + i
			if x.top.latest {
				d = to - 1 - i
			}
			if !x.ctl.spend(1) || !x.top.may(0) && (!x.top.latest || x.top.k == 0 || v.Record(d) != x.top.heap[0].record) {
				break
			}
			if v.Deleted == nil || !v.Deleted.Contains(d) {
				x.offer(d, 0)
			}
		}
		return
	}
	for lo := uint32(0); lo < n; lo += checkWork {
		hi := min(lo+checkWork, n)
		if !x.ctl.spend(checkWork / 4) {
			x.seen += int64(lo)
			return
		}
		for d := lo; d < hi; d++ {
			if x.top.latest { // from the end, so that most cannot enter
				if d := n - 1 - d; (v.Deleted == nil || !v.Deleted.Contains(d)) && x.filter.pass(d) {
					x.collect(d, 0)
				}
			} else if x.filter.accept(d) {
				x.collect(d, 0)
			}
		}
		if x.skipping() && !x.top.may(0) && (!x.top.latest || hi == n || x.top.k == 0 || v.Record(n-1-hi) != x.top.heap[0].record) {
			x.seen += int64(hi)
			return
		}
	}
	x.seen += int64(n)
}

// walk reads a segment document by document.
func (x *run) walk(it iter) {
	scored := x.top.sort == Relevance && x.top.k > 0
	skipping, from := x.skipping(), uint32(0)
	counted := func(d uint32) {
		if from == 0 && !skipping {
			x.seen += int64(min(d, uint32(x.docs)))
		}
	}
	if skipping {
		from = 1
	}
	var bound float64
	last, known := uint32(0), false
	d := it.advance(0)
	for ; d != segment.NoMore; d = it.advance(d + 1) {
		if !x.ctl.spend(1) {
			break
		}
		if !skipping {
			if !x.filter.accept(d) || !it.match() {
				continue
			}
			var s float64
			if scored {
				s = it.score()
			}
			x.collect(d, s)
			if x.skipping() {
				counted(d + 1)
				skipping, from = true, 1
			}
			continue
		}
		if !known || d > last {
			bound, last = it.limit(d)
			known = true
		}
		if !x.top.may(bound) {
			if last >= uint32(x.docs)-1 {
				return
			}
			d = last
			continue
		}
		if !x.filter.accept(d) {
			continue
		}
		if s := it.score(); x.top.may(s) && it.match() {
			x.offer(d, s)
		}
	}
	if !skipping {
		if x.ctl.stopped {
			counted(it.doc())
			if d != segment.NoMore {
				x.seen += int64(d)
			}
		} else {
			counted(uint32(x.docs))
		}
	}
}

// tallies says whether matches are counted in facets.
func (x *run) tallies() bool { return len(x.req.Facets) > 0 || x.years.on }

// tally counts matches in facets, without the detour that collect makes.
func (x *run) tally(docs []uint32) {
	if !x.tallies() {
		return
	}
	for f := range x.req.Facets {
		if !x.settled[f] {
			x.counters[f][x.at].add(docs)
		}
	}
	if x.years.on && !x.yearsSettled {
		x.years.add(x.year, docs)
	}
	x.ctl.work += int64(len(docs) * len(x.req.Facets) / 2)
}
