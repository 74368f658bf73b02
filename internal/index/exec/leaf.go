package exec

import "wenlan/internal/index/segment"

// iter walks through the documents of one segment that may match a part of the query, in
// order. It begins before the first: advance(0) finds that.
type iter interface {
	// doc is the current document; segment.NoMore past the last.
	doc() uint32

	// advance moves to the first document at or after both target and the current one.
	advance(target uint32) uint32

	// match says whether the current document matches indeed.
	match() bool

	// score is what the current document gets; only of use where it matches.
	score() float64

	// limit bounds the score of all documents from target to last, forward only. It does
	// not move the iterator.
	limit(target uint32) (bound float64, last uint32)

	// cost is about how many documents there are.
	cost() int
}

// leaf is the postings of one word.
type leaf struct {
	ctl    *control
	sc     *scale
	p      *segment.Postings
	lens   []uint8
	fields uint8
	weight float32

	cur        uint32
	i          int
	docs       []uint32 // the block that cur is in
	masks, tfs []uint8  // of the block; nil: not yet asked for
	plan       *plan

	last  uint32 // what limit said
	bound float64
	known bool
}

// open makes l ready for a word in a segment.
func (l *leaf) open(x *run, r *segment.Reader, t segment.Term, p *plan) {
	l.ctl, l.sc, l.lens, l.plan = &x.ctl, &x.scale, x.lens, p
	l.p = r.Postings(t, l.p)
	l.fields, l.weight = p.fields, p.weight
	l.cur, l.i, l.docs, l.masks, l.tfs, l.known = 0, 0, nil, nil, nil, false
}

func (l *leaf) doc() uint32 { return l.cur }
func (l *leaf) cost() int   { return l.p.DF() }

func (l *leaf) advance(target uint32) uint32 {
	n := len(l.docs)
	if n == 0 || l.docs[n-1] < target {
		return l.jump(target)
	}
	docs, i := l.docs, l.i
	if docs[i] >= target {
		return l.cur
	}
	// The next one, most often; else halve.
	i++
	if docs[i] < target {
		lo, hi := i+1, n-1 // docs[hi] >= target
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if docs[mid] < target {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		i = lo
	}
	l.i, l.cur = i, docs[i]
	return l.cur
}

// jump moves to another block.
func (l *leaf) jump(target uint32) uint32 {
	if l.cur == segment.NoMore {
		return l.cur
	}
	l.masks = nil
	l.cur = l.p.Advance(target)
	if l.cur == segment.NoMore {
		l.docs = nil
		return l.cur
	}
	l.docs, l.i = l.p.BlockDocs(), l.p.Index()
	l.ctl.work += int64(len(l.docs))
	if l.i >= len(l.docs) { // damaged
		l.docs, l.cur = nil, segment.NoMore
	}
	return l.cur
}

func (l *leaf) load() {
	if l.masks == nil {
		l.docs, l.masks, l.tfs = l.p.Block()
	}
}

func (l *leaf) match() bool {
	l.load()
	return l.masks[l.i]&l.fields != 0
}

func (l *leaf) score() float64 {
	l.load()
	return l.sc.score(l.weight, l.masks[l.i]&l.fields, l.tfs[l.i], l.lens[l.cur])
}

func (l *leaf) limit(target uint32) (float64, uint32) {
	if l.known && target <= l.last {
		return l.bound, l.last
	}
	l.known = true
	if !l.p.ShallowAdvance(target) {
		l.bound, l.last = 0, segment.NoMore
		return l.bound, l.last
	}
	l.last = l.p.BlockLast()
	x, _ := l.reach()
	l.bound = quantise(l.weight - float32(l.weight/(1+x)))
	return l.bound, l.last
}

// reach bounds w/norm over the block of limit, and says whether all its postings are in
// the fields that were asked for.
func (l *leaf) reach() (x float32, clean bool) {
	return l.p.MaxReach(&l.sc.weights, l.fields)
}

// places appends where the current document has the word, in the fields asked for.
func (l *leaf) places(dst []segment.Pos) []segment.Pos {
	l.p.Advance(l.cur)
	l.masks = nil // Block's slices are gone
	from := len(dst)
	dst = l.p.Positions(dst)
	out := dst[:from]
	for _, p := range dst[from:] {
		if l.fields>>p.Field&1 == 1 {
			out = append(out, p)
		}
	}
	l.docs = l.p.BlockDocs()
	return out
}
