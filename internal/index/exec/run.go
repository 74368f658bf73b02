package exec

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"wenlan/internal/errs"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// When a query finds fewer than fewHits, words that at most rareDF documents have are
// widened by those near to them, at most maxWiden words. A word that more have is what was
// meant.
const (
	fewHits  = 5
	rareDF   = 3
	maxWiden = 4
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

	// Counting.
	upTo     int64   // matches to count one by one
	whole    bool    // every match must be seen
	count    int64   // matches seen
	extra    float64 // matches estimated
	seen     int64   // documents among which count was counted
	unproved bool    // phrases were not held against positions

	counters [][]*counter // by facet and segment
	years    *yearCounter
	blocks   []block
	reaches  []float32
	match    []uint32 // of a block
	pending  []uint32 // matches that are not yet counted in facets
	reached  int      // segments whose counters are set
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
	x.segments, x.req, x.lens, x.year, x.after = nil, nil, nil, nil, place{}
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
	x.pending, x.reached = x.pending[:0], 0
	if x.years.on {
		x.years.take()
	}
	x.years.on = req.Years
	for len(x.counters) < len(req.Facets) {
		x.counters = append(x.counters, nil)
	}
}

// answer tries the query as it was typed, then more forgivingly.
func (x *run) answer() *Answer {
	a := &Answer{Exact: true}
	c := &compiler{x: x, strict: x.req.Strict}
	var root query.Node
	if x.req.Query != nil {
		root = x.req.Query.Root
	}
	compile := func() *plan {
		c.leaves, c.expanded, c.capped, c.words, c.corrects = 0, 0, false, nil, nil
		if root == nil {
			return &plan{kind: kindAll}
		}
		return c.node(root, 0)
	}
	p := compile()
	x.search(p)
	used, corrects, none := p, c.corrects, x.count == 0
	if !x.req.Strict && root != nil && x.count < fewHits && !x.ctl.stopped {
		if c.widen = widen(c.words); c.widen != nil {
			used = compile()
			x.search(used)
			corrects = append(corrects[:len(corrects):len(corrects)], c.corrects...)
			if none && x.count > 0 && !x.ctl.stopped && x.needed(c) {
				used = compile()
				x.search(used)
				corrects = c.corrects
			}
		}
		if x.count == 0 && !x.ctl.stopped {
			if q := p.partial(); q != nil {
				x.search(q)
				used, a.Partial = q, x.count > 0
			}
		}
	}
	a.Hits = x.hits()
	a.Corrections = x.corrections(corrects, none, a)
	// What was found by near words that nobody is told of is no count of what was typed.
	silent := slices.ContainsFunc(c.corrects, func(g *plan) bool {
		return !slices.ContainsFunc(a.Corrections, func(k Correction) bool { return k.From == g.text && k.Applied })
	})
	x.total(a, used, c.capped || silent && !a.Partial)
	x.countsOf(a)
	a.Cut, a.Work = x.ctl.stopped, x.ctl.work
	return a
}

// widen chooses the words that are to be widened; nil: none.
func widen(words []*plan) map[string]bool {
	slices.SortStableFunc(words, func(a, b *plan) int { return int(min(max(a.df-b.df, -1), 1)) })
	out := make(map[string]bool)
	for _, w := range words {
		if len(out) < maxWiden && w.df <= rareDF {
			out[w.text] = true
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// needed takes from the words that were widened, though they exist, those that the best
// hit has as they were typed: it was found without. It says whether there are any, and
// others that have to stay.
func (x *run) needed(c *compiler) bool {
	best := x.top.best()
	if best == nil {
		return false
	}
	x.open(int(best.seg))
	spare := 0
	for _, g := range c.corrects {
		if len(g.of) > 0 && g.of[0].dist == 0 && c.widen[g.text] {
			if l := x.leaf(g.of[0]); l != nil && l.advance(best.doc) == best.doc && l.match() {
				delete(c.widen, g.text)
				spare++
			}
		}
	}
	return spare > 0
}

// corrections says what mistyped words became: for each the near word that the first hit
// has, or the nearest.
func (x *run) corrections(groups []*plan, none bool, a *Answer) (out []Correction) {
	for _, g := range groups {
		var best, own *plan
		for _, w := range g.of {
			if w.dist == 0 {
				own = w
			} else if best == nil {
				best = w
			}
		}
		if len(a.Hits) > 0 {
			first := &x.top.heap[x.firstHit()]
			x.open(int(first.seg))
			has := func(w *plan) bool {
				l := x.leaf(w)
				return l != nil && l.advance(first.doc) == first.doc && l.match()
			}
			if own != nil && none && has(own) {
				continue
			}
			for _, w := range g.of {
				if w.dist > 0 && has(w) {
					best = w
					break
				}
			}
		}
		if best == nil || slices.ContainsFunc(out, func(c Correction) bool { return c.From == g.text }) {
			continue
		}
		if own != nil && !none && best.df < 4*own.df {
			continue // hardly what was meant
		}
		out = append(out, Correction{From: g.text, To: best.text, Distance: int(best.dist), DF: best.df, Applied: own == nil || none})
	}
	return out
}

// search reads all segments for a plan.
func (x *run) search(p *plan) {
	x.reset()
	for i := range x.segments {
		if x.ctl.stopped {
			break
		}
		if !x.open(i) {
			x.seen += int64(x.docs)
			x.columns(i)
			continue
		}
		x.columns(i)
		x.used, x.groupsUsed = 0, 0
		switch it := x.build(p).(type) {
		case nil:
			x.seen += int64(x.docs)
		case *leaf:
			x.single(it)
		case *union:
			if it.best {
				x.walk(it)
			} else {
				x.disjoin(it.of)
			}
		case *every:
			x.all(it)
		default:
			x.walk(it)
		}
		x.flush()
	}
	for _, cs := range x.counters[:len(x.req.Facets)] {
		for _, c := range cs[:min(len(cs), x.reached)] {
			c.done()
		}
	}
}

// open makes a segment the one that is read; false when its columns let nothing through.
func (x *run) open(i int) bool {
	v := &x.segments[i]
	x.at, x.docs, x.lens, x.used, x.groupsUsed = i, v.Docs(), v.Lens(), 0, 0
	if x.docs == 0 || len(x.lens) < x.docs {
		return false
	}
	if x.req.Sort == Newest || x.req.Sort == Oldest || x.years.on {
		x.year = v.Years()
	}
	x.top.segment(int32(i), v.Record(0), v.Record(uint32(x.docs-1)))
	return x.filter.set(&x.cond, v)
}

// columns makes the facet counters of a segment ready.
func (x *run) columns(i int) {
	x.reached = i + 1
	for f, facet := range x.req.Facets {
		for len(x.counters[f]) <= i {
			x.counters[f] = append(x.counters[f], &counter{})
		}
		c := x.counters[f][i]
		if facet >= segment.NumFacets {
			facet = segment.Kind
		}
		c.set(x.segments[i].Facet(facet))
	}
}

// skipping says whether documents that cannot enter need not be seen.
func (x *run) skipping() bool { return !x.whole && x.count > x.upTo }

// collect counts a match and offers it.
func (x *run) collect(doc uint32, score float64) {
	x.count++
	if len(x.req.Facets) > 0 || x.years.on {
		if x.pending = append(x.pending, doc); len(x.pending) == 1024 {
			x.flush()
		}
	}
	x.offer(doc, score)
}

func (x *run) offer(doc uint32, score float64) {
	t := &x.top
	p := place{seg: int32(x.at), doc: doc}
	switch t.sort {
	case Relevance:
		if !t.may(score) {
			return
		}
		p.score = score
	case Newest, Oldest:
		p.year = yearRank(t.sort, x.year[doc])
		if t.k == 0 {
			return
		}
		if t.full() {
			w := &t.heap[0]
			// An equal one of the same segment has to be the later one, or the earlier one.
			if p.year > w.year || p.year == w.year && w.seg == t.seg && (t.latest && doc < w.doc && x.segments[x.at].Record(doc) != w.record || !t.latest && doc > w.doc) {
				return
			}
		}
	case Title:
		if t.k == 0 {
			return
		}
		p.title = x.segments[x.at].TitleKey(doc)
		if t.full() && t.heap[0].seg == t.seg && string(p.title) == string(t.heap[0].title) {
			return
		}
	}
	v := &x.segments[x.at]
	p.record, p.part = v.Record(doc), v.Part(doc)
	t.push(&p)
}

// offerAll offers documents in an order other than Relevance. Those of a year that cannot
// enter are passed over quickly; of equally new ones the last is looked at first.
func (x *run) offerAll(docs []uint32) {
	t := &x.top
	if t.k == 0 {
		return
	}
	if t.sort == Title {
		for _, d := range docs {
			x.offer(d, 0)
		}
		return
	}
	years := x.year
	if t.sort == Newest {
		for i := len(docs) - 1; i >= 0; i-- {
			y := years[docs[i]]
			if t.full() {
				// A rank falls as the year rises; the unknown year's is beyond all.
				w := t.heap[0].year
				if w <= math.MaxInt16+1 {
					for -int32(y) > w || y == 0 {
						if i--; i < 0 {
							return
						}
						y = years[docs[i]]
					}
				}
			}
			x.offer(docs[i], 0)
		}
		return
	}
	for i := 0; i < len(docs); i++ {
		y := years[docs[i]]
		if t.full() {
			w := t.heap[0].year
			if w <= math.MaxInt16+1 {
				for int32(y) > w || y == 0 {
					if i++; i == len(docs) {
						return
					}
					y = years[docs[i]]
				}
			}
		}
		x.offer(docs[i], 0)
	}
}

// flush counts the pending matches in facets.
func (x *run) flush() {
	x.tally(x.pending)
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

// single reads a segment for one word.
func (x *run) single(l *leaf) {
	scored := x.top.sort == Relevance
	plain := !x.filter.on && x.filter.deleted == nil
	var lost, hits, looked int
	// What the blocks can give.
	blocks := x.blocks[:0]
	next := uint32(0)
	for x.ctl.spend(2) && l.p.ShallowAdvance(next) {
		r, clean := l.reach()
		blocks = append(blocks, block{next, l.p.BlockLen(), r, clean})
		next = l.p.BlockLast() + 1
	}
	x.blocks = blocks
	x.seen += int64(x.docs)
	if x.ctl.stopped {
		x.seen -= int64(x.docs)
		return
	}
	l.p = x.segments[x.at].Postings(l.plan.terms[x.at], l.p)
	if scored && x.top.k > 0 && x.top.after == nil && len(blocks) > 8 {
		x.primeBlocks(l, blocks)
	}
	for _, b := range blocks {
		n := b.n
		enter := !scored
		if scored && x.top.k > 0 {
			enter = b.reach >= least(l.weight, x.top.thr) && x.top.may(quantise(l.weight-float32(l.weight/(1+b.reach))))
		}
		clean := b.clean
		if !enter && len(x.req.Facets) == 0 && !x.years.on {
			if plain && clean {
				x.count += int64(n)
				continue
			}
			if x.skipping() {
				lost += n
				continue
			}
		}
		if !x.ctl.spend(n) {
			x.seen -= int64(x.docs) - int64(b.from)
			break
		}
		if l.p.Advance(b.from) == segment.NoMore {
			break
		}
		looked += n
		if !enter && plain && clean {
			x.count += int64(n)
			hits += n
			x.tally(l.p.BlockDocs())
			continue
		}
		if plain && clean && !scored {
			docs := l.p.BlockDocs()
			x.count += int64(len(docs))
			hits += len(docs)
			x.tally(docs)
			x.offerAll(docs)
			continue
		}
		docs, masks, tfs := l.p.Block()
		match := x.match[:0]
		if plain && clean {
			match = append(match, docs...)
		} else {
			for i, d := range docs {
				if masks[i]&l.fields != 0 && (plain || x.filter.accept(d)) {
					match = append(match, d)
				}
			}
		}
		x.match = match
		x.count += int64(len(match))
		hits += len(match)
		x.tally(match)
		switch {
		case !enter:
		case !scored:
			x.offerAll(match)
		default:
			thr := x.top.thr
			need := least(l.weight, thr)
			i := 0
			for _, d := range match {
				for docs[i] != d {
					i++
				}
				m := masks[i] & l.fields
				if x.scale.reach(m, tfs[i], x.lens[d]) < need {
					continue
				}
				x.offer(d, x.scale.score(l.weight, m, tfs[i], x.lens[d]))
				if x.top.thr != thr {
					thr = x.top.thr
					need = least(l.weight, thr)
				}
			}
		}
	}
	if lost > 0 {
		ratio := 1.0
		if looked > 0 {
			ratio = float64(hits) / float64(looked)
		}
		x.extra += float64(lost) * ratio
	}
}

// block is what one of a word's blocks can give.
type block struct {
	from  uint32 // its documents are at or after this one
	n     int    // postings
	reach float32
	clean bool // see leaf.reach
}

// primeBlocks raises the threshold to what the best documents of the most promising blocks
// have. Afterwards l stands at the beginning again.
func (x *run) primeBlocks(l *leaf, blocks []block) {
	if x.top.k > 1000 {
		return
	}
	// The n greatest reaches; a heap with the least at its root.
	n := min(len(blocks)/2, 4+x.top.k)
	best := x.reaches[:0]
	for _, b := range blocks {
		if len(best) < n {
			best = append(best, b.reach)
			for i := len(best) - 1; i > 0 && best[i] < best[(i-1)/2]; i = (i - 1) / 2 {
				best[i], best[(i-1)/2] = best[(i-1)/2], best[i]
			}
		} else if b.reach > best[0] {
			best[0] = b.reach
			settle(best)
		}
	}
	x.reaches = best
	f := &x.primeFilter
	f.set(&x.cond, &x.segments[x.at])
	scores, left := x.scores[:0], 2*n
	for _, b := range blocks {
		if b.reach < best[0] || left == 0 {
			continue
		}
		left--
		if l.p.Advance(b.from) == segment.NoMore {
			break
		}
		docs, masks, tfs := l.p.Block()
		x.ctl.work += int64(len(docs))
		for i, d := range docs {
			if m := masks[i] & l.fields; m != 0 {
				s := x.scale.score(l.weight, m, tfs[i], x.lens[d])
				if (len(scores) < x.top.k || s > scores[0]) && f.accept(d) {
					scores = keep(scores, s, x.top.k)
				}
			}
		}
	}
	if len(scores) == x.top.k {
		x.top.raise(scores[0])
	}
	x.scores = scores
	l.p = x.segments[x.at].Postings(l.plan.terms[x.at], l.p)
}

// keep adds a score to the k greatest, a heap with the least at its root.
func keep(h []float64, s float64, k int) []float64 {
	if len(h) == k {
		h[0] = s
		settle(h)
		return h
	}
	h = append(h, s)
	for i := len(h) - 1; i > 0 && h[i] < h[(i-1)/2]; i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
	return h
}

// settle makes h a heap again after its root grew.
func settle[T float32 | float64](h []T) {
	for i := 0; ; {
		k := 2*i + 1
		if k >= len(h) {
			return
		}
		if k+1 < len(h) && h[k+1] < h[k] {
			k++
		}
		if h[i] <= h[k] {
			return
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
}

// tally counts matches in facets, without the detour that collect makes.
func (x *run) tally(docs []uint32) {
	if len(x.req.Facets) == 0 && !x.years.on {
		return
	}
	for f := range x.req.Facets {
		x.counters[f][x.at].add(docs)
	}
	if x.years.on {
		x.years.add(x.year, docs)
	}
	x.ctl.work += int64(len(docs) * len(x.req.Facets) / 2)
}

// firstHit is the place in the sorted heap of the answer's first hit.
func (x *run) firstHit() int {
	if x.req.Limit <= 0 {
		return 0
	}
	return min(max(x.req.Offset, 0), MaxOffset)
}

func (x *run) hits() []Hit {
	places := x.top.sorted()
	places = places[min(x.firstHit(), len(places)):]
	if len(places) == 0 {
		return nil
	}
	out := make([]Hit, len(places))
	for i, p := range places {
		v := &x.segments[p.seg]
		h := Hit{Record: p.record, Part: p.part, Score: p.score, Year: v.Year(p.doc)}
		h.Key = Key{Sort: x.req.Sort, Record: p.record, Part: p.part}
		switch x.req.Sort {
		case Relevance:
			h.Key.Score = p.score
		case Newest, Oldest:
			h.Key.Year = h.Year
		case Title:
			h.Key.Title = string(p.title)
		}
		out[i] = h
	}
	return out
}

// total says how many match: what was counted, and for what was not read as many as there
// were in what was.
func (x *run) total(a *Answer, p *plan, capped bool) {
	var docs int64
	for i := range x.segments {
		docs += int64(x.segments[i].Docs())
	}
	est := float64(x.count) + x.extra
	a.Exact = x.extra == 0 && x.seen >= docs && !capped && !x.unproved && !x.ctl.stopped
	if x.seen < docs && x.seen > 0 {
		est += est / float64(x.seen) * float64(docs-x.seen)
	}
	a.Total = max(x.count, min(int64(est+0.5), p.most(x)))
}

// most is a bound of how many documents match.
func (p *plan) most(x *run) int64 {
	n := int64(math.MaxInt64)
	switch p.kind {
	case kindNone:
		return 0
	case kindAll:
		n = 0
		for i := range x.segments {
			n += int64(x.segments[i].Live)
		}
	case kindTerm:
		n = p.df
	case kindRange:
		n = p.sum
	case kindAnd, kindPhrase:
		for _, q := range p.of {
			n = min(n, q.most(x))
		}
	default:
		n = 0
		for _, q := range p.of {
			n += q.most(x)
		}
	}
	return min(n, x.scale.docs)
}

// countsOf gives the facets.
func (x *run) countsOf(a *Answer) {
	a.FacetsExact = !x.ctl.stopped && !x.unproved
	n := min(x.req.MaxFacet, MaxFacet)
	if n <= 0 {
		n = 50
	}
	for f := range x.req.Facets {
		cs := x.counters[f]
		out, exact := merge(cs[:min(len(cs), x.reached)], n)
		a.Facets = append(a.Facets, out)
		a.FacetsExact = a.FacetsExact && exact
	}
	if x.years.on {
		a.Years, a.UnknownYear = x.years.take()
	}
}
