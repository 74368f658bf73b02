package exec

import (
	"math/bits"
	"slices"

	"wenlan/internal/index/segment"
)

// every walks through all documents of a segment, with score 0.
type every struct{ cur, n uint32 }

func (e *every) doc() uint32 { return e.cur }
func (e *every) advance(target uint32) uint32 {
	e.cur = max(e.cur, target)
	if e.cur >= e.n {
		e.cur = segment.NoMore
	}
	return e.cur
}
func (e *every) match() bool                    { return true }
func (e *every) score() float64                 { return 0 }
func (e *every) limit(uint32) (float64, uint32) { return 0, segment.NoMore }
func (e *every) cost() int                      { return int(e.n) }

// conj is the documents that all its parts have, and none of nots.
type conj struct {
	ctl     *control
	leaves  []*leaf // rarest first
	others  []iter  // likewise
	nots    []iter
	phrases []*phrase
	later   []*plan // parts that are not yet among others
	cur     uint32
}

func (c *conj) doc() uint32 { return c.cur }

func (c *conj) cost() int {
	n := segment.NoMore
	if len(c.leaves) > 0 {
		n = c.leaves[0].cost()
	}
	if len(c.others) > 0 {
		n = min(n, c.others[0].cost())
	}
	return n
}

func (c *conj) advance(target uint32) uint32 {
	d := target
next:
	for {
		if c.ctl.work >= c.ctl.next && !c.ctl.look() {
			c.cur = segment.NoMore
			return c.cur
		}
		for i, l := range c.leaves {
			e := l.advance(d)
			if c.ctl.work >= c.ctl.next && !c.ctl.look() {
				e = segment.NoMore
			}
			if e == d {
				continue
			}
			if e == segment.NoMore {
				c.cur = e
				return e
			}
			d = e
			if i > 0 {
				c.ctl.work++
				continue next // looks at the budget
			}
		}
		for i, o := range c.others {
			e := o.advance(d)
			if e == d {
				continue
			}
			if e == segment.NoMore {
				c.cur = e
				return e
			}
			d = e
			if i > 0 || len(c.leaves) > 0 {
				c.ctl.work++
				continue next
			}
		}
		c.cur = d
		return d
	}
}

func (c *conj) match() bool {
	for _, l := range c.leaves {
		if !l.match() {
			return false
		}
	}
	for _, o := range c.others {
		if !o.match() {
			return false
		}
	}
	for _, n := range c.nots {
		if n.advance(c.cur) == c.cur && n.match() {
			return false
		}
	}
	for _, p := range c.phrases {
		if !p.holds() {
			return false
		}
	}
	return true
}

func (c *conj) score() float64 {
	var s float64
	for _, l := range c.leaves {
		s += l.score()
	}
	for _, o := range c.others {
		s += o.score()
	}
	return s
}

func (c *conj) limit(target uint32) (float64, uint32) {
	var sum float64
	last := uint32(segment.NoMore)
	for _, l := range c.leaves {
		b, e := l.limit(target)
		sum, last = sum+b, min(last, e)
	}
	for _, o := range c.others {
		b, e := o.limit(target)
		sum, last = sum+b, min(last, e)
	}
	return sum, last
}

// union is the documents that any of its parts has. Their scores are summed, or the best
// one counts.
type union struct {
	of   []iter
	best bool
	cur  uint32
	n    int
}

func (u *union) doc() uint32 { return u.cur }
func (u *union) cost() int   { return u.n }

func (u *union) advance(target uint32) uint32 {
	d := uint32(segment.NoMore)
	for _, o := range u.of {
		d = min(d, o.advance(target))
	}
	u.cur = d
	return d
}

func (u *union) match() bool {
	for _, o := range u.of {
		if o.doc() == u.cur && o.match() {
			return true
		}
	}
	return false
}

func (u *union) score() float64 {
	var s float64
	for _, o := range u.of {
		if o.doc() == u.cur && o.match() {
			if u.best {
				s = max(s, o.score())
			} else {
				s += o.score()
			}
		}
	}
	return s
}

func (u *union) limit(target uint32) (float64, uint32) {
	var s float64
	last := uint32(segment.NoMore)
	for _, o := range u.of {
		b, e := o.limit(target)
		last = min(last, e)
		if u.best {
			s = max(s, b)
		} else {
			s += b
		}
	}
	return s, last
}

// window is how many documents are united at once.
const window = 4096

// group is a union of many words, of which the best counts. It reads its lists a window
// at a time into a bitmap, and keeps of each document which word it was.
type group struct {
	ctl    *control
	leaves []*leaf
	tail   *listed  // nil: none
	next   []uint32 // by leaf, and then of the tail: its document, at or after hi
	lo, hi uint32   // the window that is read; empty at first
	cur    uint32
	n      int
	top    float64 // no score is above
	bits   [window / 64]uint64
	slot   [window]slot
}

type slot struct {
	leaf     uint16
	mask, tf uint8
}

func (g *group) begin(x *run, leaves []*leaf, tail *listed) {
	g.tail = tail
	g.ctl, g.leaves, g.lo, g.hi, g.cur, g.n, g.top = &x.ctl, leaves, 0, 0, 0, 0, 0
	g.next = g.next[:0]
	for _, l := range leaves {
		g.next = append(g.next, 0)
		g.n += l.cost()
		g.top = max(g.top, quantise(l.weight))
	}
	if tail != nil {
		g.next = append(g.next, 0)
		g.n += tail.cost()
		g.top = max(g.top, quantise(tail.weight))
	}
}

func (g *group) doc() uint32                    { return g.cur }
func (g *group) cost() int                      { return g.n }
func (g *group) match() bool                    { return true }
func (g *group) limit(uint32) (float64, uint32) { return g.top, segment.NoMore }

func (g *group) advance(target uint32) uint32 {
	if g.cur >= target && g.hi > 0 {
		return g.cur
	}
	for {
		if target < g.hi {
			i := (target - g.lo) / 64
			w := g.bits[i] &^ (1<<((target-g.lo)%64) - 1)
			for w == 0 && i+1 < window/64 {
				i++
				w = g.bits[i]
			}
			if w != 0 {
				g.cur = g.lo + i*64 + uint32(bits.TrailingZeros64(w))
				return g.cur
			}
			target = g.hi
		}
		least := uint32(segment.NoMore)
		for _, d := range g.next {
			least = min(least, d)
		}
		target = max(target, least)
		if target == segment.NoMore || g.ctl.work >= g.ctl.next && !g.ctl.look() {
			g.cur = segment.NoMore
			g.lo, g.hi = segment.NoMore, segment.NoMore
			return g.cur
		}
		g.fill(target)
	}
}

// fill reads the window that begins at lo.
func (g *group) fill(lo uint32) {
	hi := lo + window
	if hi < lo {
		hi = segment.NoMore
	}
	g.lo, g.hi = lo, hi
	clear(g.bits[:])
	g.ctl.work += int64(len(g.leaves)) / 4
	for k, d := range g.next {
		if d >= hi {
			continue
		}
		if k == len(g.leaves) {
			g.next[k] = g.fillTail(lo, hi)
			continue
		}
		l := g.leaves[k]
		for d = l.advance(lo); d < hi; d = l.advance(d) {
			l.load()
			docs, masks, tfs := l.docs, l.masks, l.tfs
			i := l.i
			for ; i < len(docs) && docs[i] < hi; i++ {
				m := masks[i] & l.fields
				if m == 0 {
					continue
				}
				g.put(docs[i], slot{uint16(k), m, tfs[i]})
			}
			if i < len(docs) {
				l.i, l.cur = i, docs[i]
				d = docs[i]
				break
			}
			d = docs[len(docs)-1] + 1
		}
		g.next[k] = d
	}
}

// put keeps what a document has, when it is the best.
func (g *group) put(doc uint32, s slot) {
	at := doc - g.lo
	if g.bits[at/64]>>(at%64)&1 == 0 {
		g.bits[at/64] |= 1 << (at % 64)
		g.slot[at] = s
	} else if g.value(s, doc) > g.value(g.slot[at], doc) {
		g.slot[at] = s
	}
}

// fillTail reads the window's part of the tail, and gives the document after it.
func (g *group) fillTail(lo, hi uint32) uint32 {
	l := g.tail
	l.advance(lo)
	docs, i := l.of.docs, l.i
	for ; i < len(docs) && docs[i] < hi; i++ {
		g.put(docs[i], slot{uint16(len(g.leaves)), l.of.masks[i], l.of.tfs[i]})
	}
	g.ctl.work += int64(i-l.i) / 4
	if l.i = i; i == len(docs) {
		return segment.NoMore
	}
	return docs[i]
}

func (g *group) value(s slot, doc uint32) float64 {
	if int(s.leaf) == len(g.leaves) {
		return g.tail.sc.score(g.tail.weight, s.mask, s.tf, g.tail.lens[doc])
	}
	l := g.leaves[s.leaf]
	return l.sc.score(l.weight, s.mask, s.tf, l.lens[doc])
}

func (g *group) score() float64 { return g.value(g.slot[g.cur-g.lo], g.cur) }

// phrase is a claim about the current documents of some iterators: that they have their
// words side by side in one field.
type phrase struct {
	x     *run
	words [][]*leaf // by place; any of them
}

func (p *phrase) holds() bool {
	x := p.x
	have, next := x.posA[:0], x.posB[:0]
	var doc uint32
	for i, any := range p.words {
		next = next[:0]
		sorted := true
		for _, l := range any {
			if i == 0 {
				doc = l.cur
			}
			if l.cur == doc {
				sorted = sorted && len(next) == 0
				next = l.places(next)
			}
		}
		x.ctl.work += int64(len(next))
		if !sorted {
			slices.SortFunc(next, comparePos)
		}
		if i == 0 {
			have, next = next, have
			continue
		}
		// Keep the beginnings that go on at their i-th place.
		out, j := have[:0], 0
		for _, h := range have {
			at := segment.Pos{Field: h.Field, At: h.At + uint32(i)}
			for j < len(next) && comparePos(next[j], at) < 0 {
				j++
			}
			if j < len(next) && next[j] == at {
				out = append(out, h)
			}
		}
		have = out
		if len(have) == 0 {
			break
		}
	}
	x.posA, x.posB = have[:0], next[:0]
	return len(have) > 0
}

func comparePos(a, b segment.Pos) int {
	if a.Field != b.Field {
		return int(a.Field) - int(b.Field)
	}
	switch {
	case a.At < b.At:
		return -1
	case a.At > b.At:
		return 1
	}
	return 0
}
