package exec

import (
	"cmp"
	"container/list"
	"math/bits"
	"slices"
	"sync"
	"weak"

	"wenlan/internal/index/segment"
)

// ranged is what a segment has of the words that begin with a text, the word that is the
// text itself left out. It does not change. Where they have few postings together, these
// are in one list, sorted by document; else the most frequent words are read on their own,
// and the list has the rest, or nothing when those are too many, too.
type ranged struct {
	top    []topWord // the most frequent words, most first
	leaves int       // top[:leaves] are not in the list
	sum    int64     // documents that have a word, summed over all words
	all    bool      // false: some words are neither in top[:leaves] nor in the list

	docs       []uint32 // a document comes once for each of its words
	masks, tfs []uint8
	ends       []uint32 // of blocks in the list; no document is in two
	impacts    []segment.Impact
	impactEnds []uint32 // of blocks in impacts
}

type topWord struct {
	text string
	term segment.Term
}

const (
	maxWords = 1 << 16 // words of a range in one segment that are looked at
	fewTop   = 16      // words that are kept of a range that is all in the list
	blockOf  = 128     // postings of a block, at least
)

// maxList is how many postings a list has at most, of 6 bytes each; a variable for tests.
var maxList int64 = 1 << 20

func (g *ranged) size() int {
	return 6*len(g.docs) + 4*len(g.ends) + 7*len(g.impactEnds) + 64*len(g.top) + 300
}

// collectRange reads a segment's dictionary and postings for the words that begin with
// text; nil when the budget was spent meanwhile.
func (x *run) collectRange(r *segment.Reader, text string) *ranged {
	g := &ranged{all: true}
	var words []segment.Term
	worse := func(a, b topWord) bool { return a.term.DF < b.term.DF }
	for it := r.Terms(nil, text, after(text)); it.Next(); {
		if !x.ctl.spend(1) {
			return nil
		}
		if len(words) == maxWords {
			g.all = false
			break
		}
		if len(it.Text()) == len(text) {
			continue
		}
		t := it.Term()
		words = append(words, t)
		g.sum += int64(t.DF)
		switch h := g.top; {
		case len(h) < maxPrefix:
			g.top = append(h, topWord{string(it.Text()), t})
			h = g.top
			for i := len(h) - 1; i > 0 && worse(h[i], h[(i-1)/2]); i = (i - 1) / 2 {
				h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
			}
		case t.DF > h[0].term.DF:
			h[0] = topWord{string(it.Text()), t}
			for i := 0; ; {
				k := 2*i + 1
				if k >= len(h) {
					break
				}
				if k+1 < len(h) && worse(h[k+1], h[k]) {
					k++
				}
				if !worse(h[k], h[i]) {
					break
				}
				h[i], h[k] = h[k], h[i]
				i = k
			}
		}
	}
	slices.SortFunc(g.top, func(a, b topWord) int {
		return cmp.Or(cmp.Compare(b.term.DF, a.term.DF), cmp.Compare(a.text, b.text))
	})
	rest := g.sum
	if rest > maxList {
		g.leaves = len(g.top)
		for _, w := range g.top {
			rest -= int64(w.term.DF)
		}
	} else {
		g.top = slices.Clone(g.top[:min(len(g.top), fewTop)])
	}
	if rest > maxList {
		g.all = false
		return g
	}
	if rest == 0 {
		return g
	}
	alone := map[segment.Term]bool{}
	for _, w := range g.top[:g.leaves] {
		alone[w.term] = true
	}
	keys := make([]uint64, 0, rest)
	var p *segment.Postings
	for _, t := range words {
		if g.leaves > 0 && alone[t] {
			continue
		}
		p = r.Postings(t, p)
		for d := p.Next(); d != segment.NoMore; {
			docs, masks, tfs := p.Block()
			if !x.ctl.spend(len(docs)) {
				return nil
			}
			for i, d := range docs {
				keys = append(keys, uint64(d)<<16|uint64(masks[i])<<8|uint64(tfs[i]))
			}
			if len(keys) > int(rest) || !p.NextBlock() { // more than it says: damaged
				break
			}
			d = p.Doc()
		}
	}
	keys = sortKeys(keys, r.Docs())
	g.fill(keys, r.Lens())
	return g
}

// sortKeys sorts by document: by digits, the lowest first.
func sortKeys(keys []uint64, docs int) []uint64 {
	if len(keys) < 512 {
		slices.Sort(keys)
		return keys
	}
	const digit = 11
	other := make([]uint64, len(keys))
	for shift := 16; shift < 16+bits.Len(uint(docs)); shift += digit {
		var at [1 << digit]uint32
		for _, k := range keys {
			at[k>>shift&(1<<digit-1)]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i], sum = sum, sum+n
		}
		for _, k := range keys {
			d := k >> shift & (1<<digit - 1)
			other[at[d]] = k
			at[d]++
		}
		keys, other = other, keys
	}
	return keys
}

// fill makes the list of sorted keys.
func (g *ranged) fill(keys []uint64, lens []uint8) {
	g.docs, g.masks, g.tfs = make([]uint32, 0, len(keys)), make([]uint8, 0, len(keys)), make([]uint8, 0, len(keys))
	var most [256]segment.Impact
	var used []uint8
	flush := func() {
		for _, m := range used {
			g.impacts = append(g.impacts, most[m])
			most[m] = segment.Impact{}
		}
		used = used[:0]
		g.ends = append(g.ends, uint32(len(g.docs)))
		g.impactEnds = append(g.impactEnds, uint32(len(g.impacts)))
	}
	start := 0
	for i, k := range keys {
		d, mask, tf := uint32(k>>16), uint8(k>>8), uint8(k)
		if i > 0 && k == keys[i-1] || int(d) >= len(lens) || mask == 0 {
			continue
		}
		if n := len(g.docs); n-start >= blockOf && g.docs[n-1] != d {
			flush()
			start = n
		}
		g.docs, g.masks, g.tfs = append(g.docs, d), append(g.masks, mask), append(g.tfs, tf)
		im := &most[mask]
		if im.Mask == 0 {
			*im = segment.Impact{Mask: mask, MaxTF: tf, MinLen: lens[d]}
			used = append(used, mask)
		}
		im.MaxTF, im.MinLen = max(im.MaxTF, tf), min(im.MinLen, lens[d])
	}
	if len(g.docs) > start {
		flush()
	}
}

// listed walks through the list of a range.
type listed struct {
	of     *ranged
	sc     *scale
	lens   []uint8
	fields uint8
	weight float32

	i     int
	cur   uint32
	block int // that limit spoke of
	known bool
	bound float64
}

func (l *listed) doc() uint32 { return l.cur }
func (l *listed) cost() int   { return len(l.of.docs) }

func (l *listed) advance(target uint32) uint32 {
	docs, i := l.of.docs, l.i
	if i < len(docs) && docs[i] < target {
		step := 1
		for i+step < len(docs) && docs[i+step] < target {
			i += step
			step *= 2
		}
		// docs[i] < target, and docs[i+step] is not
		hi := min(i+step, len(docs))
		for i++; i < hi; {
			mid := int(uint(i+hi) >> 1)
			if docs[mid] < target {
				i = mid + 1
			} else {
				hi = mid
			}
		}
		l.i = i
	}
	if i >= len(docs) {
		l.cur = segment.NoMore
	} else {
		l.cur = docs[i]
	}
	return l.cur
}

func (l *listed) match() bool {
	for j := l.i; j < len(l.of.docs) && l.of.docs[j] == l.cur; j++ {
		if l.of.masks[j]&l.fields != 0 {
			return true
		}
	}
	return false
}

func (l *listed) score() (best float64) {
	for j := l.i; j < len(l.of.docs) && l.of.docs[j] == l.cur; j++ {
		if m := l.of.masks[j] & l.fields; m != 0 {
			best = max(best, l.sc.score(l.weight, m, l.of.tfs[j], l.lens[l.cur]))
		}
	}
	return best
}

func (l *listed) limit(target uint32) (float64, uint32) {
	g := l.of
	for l.block < len(g.ends) && g.docs[g.ends[l.block]-1] < target {
		l.block++
		l.known = false
	}
	if l.block == len(g.ends) {
		return 0, segment.NoMore
	}
	if !l.known {
		from := uint32(0)
		if l.block > 0 {
			from = g.impactEnds[l.block-1]
		}
		reach := float32(0)
		for _, im := range g.impacts[from:g.impactEnds[l.block]] {
			if m := im.Mask & l.fields; m != 0 {
				reach = max(reach, l.sc.reach(m, im.MaxTF, im.MinLen))
			}
		}
		l.bound, l.known = quantise(l.weight-float32(l.weight/(1+reach))), true
	}
	return l.bound, g.docs[g.ends[l.block]-1]
}

// rangeCache keeps what was collected of ranges that are dear to collect, the last used
// ones. A segment never changes, and it is not held by its entries.
type rangeCache struct {
	mu      sync.Mutex
	limit   int // bytes
	size    int
	entries map[rangeKey]*list.Element // of *rangeEntry
	used    list.List                  // the last used first
}

type rangeKey struct {
	of   weak.Pointer[segment.Reader]
	text string
}

type rangeEntry struct {
	key rangeKey
	g   *ranged
}

const dearRange = 256 // work from which a range is kept

var ranges = rangeCache{limit: 64 << 20, entries: map[rangeKey]*list.Element{}}

func (c *rangeCache) get(k rangeKey) *ranged {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[k]
	if e == nil {
		return nil
	}
	c.used.MoveToFront(e)
	return e.Value.(*rangeEntry).g
}

func (c *rangeCache) put(k rangeKey, g *ranged) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[k] != nil || g.size() > c.limit/4 {
		return
	}
	c.entries[k] = c.used.PushFront(&rangeEntry{k, g})
	c.size += g.size()
	for c.size > c.limit {
		e := c.used.Remove(c.used.Back()).(*rangeEntry)
		delete(c.entries, e.key)
		c.size -= e.g.size()
	}
}

// rangeOf is collectRange with a memory.
func (x *run) rangeOf(r *segment.Reader, text string) *ranged {
	k := rangeKey{weak.Make(r), text}
	if g := ranges.get(k); g != nil {
		x.ctl.work++
		return g
	}
	before := x.ctl.work
	g := x.collectRange(r, text)
	if g != nil && x.ctl.work-before >= dearRange && r.Err() == nil {
		ranges.put(k, g)
	}
	return g
}

// ranged is all the words that begin with text, and text itself. All have the inverse
// frequency of the most frequent of them.
func (c *compiler) ranged(text string, fields uint8, most int) *plan {
	if !c.expand() {
		return c.exact(text, fields)
	}
	x := c.x
	p := &plan{kind: kindRange, text: text, fields: fields, ranges: make([]*ranged, len(x.segments)), leaves: min(most, maxLeaves-c.leaves)}
	leaves := 0
	for i := range x.segments {
		g := x.rangeOf(x.segments[i].Reader, text)
		if g == nil {
			c.capped = true
			g = &ranged{}
		}
		p.ranges[i] = g
		p.sum += g.sum
		leaves = max(leaves, min(p.leaves, g.leaves))
		c.capped = c.capped || !g.all || g.leaves > p.leaves
	}
	c.leaves += leaves
	exact := c.exact(text, fields)
	if p.sum == 0 || fields == 0 {
		return exact
	}
	if exact.kind == kindTerm {
		p.exact, p.df = exact, exact.df
		p.sum += exact.df
	}
	for i, g := range p.ranges {
		for _, w := range g.top[:min(len(g.top), fewTop)] {
			df := int64(w.term.DF)
			for j := range x.segments {
				if j != i {
					if t, ok := x.segments[j].Term(w.text); ok {
						df += int64(t.DF)
					}
				}
			}
			p.df = max(p.df, df)
			if len(x.segments) == 1 {
				break
			}
		}
	}
	idf := x.scale.idf(p.df)
	p.weight = idf * factorPrefix
	if p.exact != nil {
		p.exact.weight = idf
	}
	return p
}

// rangeIter makes the iterator of a range over the current segment; nil: nothing there.
func (x *run) rangeIter(p *plan) iter {
	g := p.ranges[x.at]
	var of []iter
	if p.exact != nil {
		if l := x.leaf(p.exact); l != nil {
			of = append(of, l)
		}
	}
	for _, w := range g.top[:min(g.leaves, p.leaves)] {
		l := x.nextLeaf()
		l.open(x, x.segments[x.at].Reader, w.term, p)
		of = append(of, l)
	}
	var tail *listed
	if len(g.docs) > 0 {
		tail = &listed{of: g, sc: &x.scale, lens: x.lens, fields: p.fields, weight: p.weight}
	}
	if len(of) > fewLeaves {
		return x.group(of, tail)
	}
	if tail != nil {
		of = append(of, tail)
	}
	switch len(of) {
	case 0:
		return nil
	case 1:
		if l, ok := of[0].(*leaf); !ok || l.plan != p {
			return of[0]
		}
	}
	u := &union{of: of, best: true}
	for _, o := range of {
		u.n += o.cost()
	}
	return u
}
