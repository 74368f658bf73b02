package exec

import (
	"math"

	"wenlan/internal/index/segment"
)

// stretch is what a part of a word's list can give: a group of blocks, or all of a short list.
type stretch struct {
	n          int // postings
	reach      float32
	clean      bool // see leaf.reach
	blk, after int  // its blocks
	at         int  // where they are in run.blocks, once they were looked at; -1: they were not
}

// block is what one of a word's blocks can give.
type block struct {
	from  uint32 // its documents are at or after this one
	n     int    // postings
	reach float32
	clean bool
	num   int
}

// single reads a segment for one word.
func (x *run) single(l *leaf) {
	scored := x.top.sort == Relevance
	plain := !x.filter.on && x.filter.deleted == nil
	tallying := x.tallies()
	x.blocks = x.blocks[:0]
	clean := x.outline(l)
	if x.ctl.stopped {
		return
	}
	x.seen += int64(x.docs)
	counted := false // all matches are
	switch {
	case x.common != nil && clean && !x.filter.on && x.takeCommon(l):
		counted, tallying = true, x.live
	case plain && clean && !tallying:
		x.count += int64(l.p.DF())
		counted = true
	}
	if scored && x.top.k > 0 && x.top.k <= 1000 && x.top.after == nil {
		x.primeSingle(l)
	}
	var lost, hits, looked int
	read := func(num int, from uint32, n int, enter, all bool) bool {
		if !x.ctl.spend(n) {
			if !counted {
				x.seen -= int64(x.docs) - int64(from)
			}
			return false
		}
		if !l.p.LoadBlock(num) {
			return false
		}
		if scored && !tallying && (counted || x.skipping()) {
			if x.bestOf(l, all); !counted {
				lost += n
			}
			return true
		}
		looked += n
		n = x.readBlock(l, enter, scored, all, tallying)
		hits += n
		if !counted {
			x.count += int64(n)
		}
		return true
	}
reading:
	for i := range x.stretches {
		s := &x.stretches[i]
		enter := x.enter(l, scored, s.reach)
		switch {
		case !enter && !tallying && counted:
			continue
		case !enter && !tallying && x.skipping():
			lost += s.n
			continue
		case plain && s.clean && (!enter || !scored):
			if !enter && !tallying {
				x.count += int64(s.n)
				continue
			}
			// Whatever the blocks can give, all of them are read.
			for num := s.blk; num < s.after; num++ {
				l.p.SeekBlock(num)
				n, last := l.p.BlockLen(), l.p.BlockLast()
				if !read(num, last, n, enter, true) {
					break reading
				}
			}
			continue
		}
		x.look(l, s)
		for _, b := range x.blocks[s.at : s.at+s.after-s.blk] {
			enter := x.enter(l, scored, b.reach)
			if !enter && !tallying {
				if counted {
					continue
				}
				if plain && b.clean {
					x.count += int64(b.n)
					continue
				}
				if x.skipping() {
					lost += b.n
					continue
				}
			}
			if !read(b.num, b.from, b.n, enter, plain && b.clean) {
				break reading
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

// enter says whether a document with such a reach may be among the first.
func (x *run) enter(l *leaf, scored bool, reach float32) bool {
	if !scored {
		return x.top.k > 0
	}
	return x.top.k > 0 && reach >= least(l.weight, x.top.thr) && x.top.may(quantise(l.weight-float32(l.weight/(1+reach))))
}

// readBlock counts the facets of a block's matches and offers them, and says how many they are.
// all says that every posting is one.
func (x *run) readBlock(l *leaf, enter, scored, all, tallying bool) int {
	if all && (!enter || !scored) {
		docs := l.p.BlockDocs()
		if tallying {
			x.tally(docs)
		}
		if enter {
			x.offerAll(docs)
		}
		return len(docs)
	}
	docs, masks, tfs := l.p.Block()
	match := x.match[:0]
	if all {
		match = append(match, docs...)
	} else {
		for i, d := range docs {
			if masks[i]&l.fields != 0 {
				match = append(match, d)
			}
		}
		match = x.filter.narrow(match)
	}
	x.match = match
	if tallying {
		x.tally(match)
	}
	switch {
	case !enter:
	case !scored:
		x.offerAll(match)
	default:
		i := 0
		need := x.need(l)
		for _, d := range match {
			for docs[i] != d {
				i++
			}
			m := masks[i] & l.fields
			if x.scale.reach(m, tfs[i], x.lens[d]) < need {
				continue
			}
			x.offer(d, x.scale.score(l.weight, m, tfs[i], x.lens[d]))
			need = x.need(l)
		}
	}
	return len(match)
}

// need is the reach that a document must have to enter, about.
func (x *run) need(l *leaf) float32 { return least(l.weight, x.top.thr) }

// bestOf offers those of a block's matches that may enter. It looks at the others as little as can be, and does not
// count them.
func (x *run) bestOf(l *leaf, all bool) {
	docs, masks, tfs := l.p.Block()
	need := x.need(l)
	for i, d := range docs {
		m := masks[i] & l.fields
		if m == 0 || x.scale.reach(m, tfs[i], x.lens[d]) < need {
			continue
		}
		if s := x.scale.score(l.weight, m, tfs[i], x.lens[d]); x.top.may(s) && (all || x.filter.accept(d)) {
			x.offer(d, s)
			need = x.need(l)
		}
	}
}

// outline finds what the parts of a word's list can give, and says whether all its postings are in the fields
// that were asked for.
func (x *run) outline(l *leaf) (clean bool) {
	x.stretches = x.stretches[:0]
	groups := l.p.Groups()
	if groups == 0 {
		s := stretch{n: l.p.DF(), after: l.p.Blocks(), at: -1}
		x.look(l, &s)
		clean = true
		for _, b := range x.blocks[s.at:] {
			s.reach = max(s.reach, b.reach)
			clean = clean && b.clean
		}
		s.clean = clean
		x.stretches = append(x.stretches, s)
		return clean
	}
	clean = true
	for g := range groups {
		if !x.ctl.spend(4) {
			return false
		}
		r, c := l.p.GroupReach(g, &x.scale.weights, l.fields)
		clean = clean && c
		blk := g * segment.GroupBlocks
		x.stretches = append(x.stretches, stretch{l.p.GroupCount(g), r, c, blk, min(blk+segment.GroupBlocks, l.p.Blocks()), -1})
	}
	return clean
}

// look finds what the blocks of a stretch can give.
func (x *run) look(l *leaf, s *stretch) {
	if s.at >= 0 {
		return
	}
	s.at = len(x.blocks)
	from := uint32(0)
	if s.blk > 0 && l.p.SeekBlock(s.blk-1) {
		from = l.p.BlockLast() + 1
	}
	for num := s.blk; num < s.after; num++ {
		x.ctl.spend(2)
		if !l.p.SeekBlock(num) { // damaged
			s.after = num
			break
		}
		r, clean := l.reach()
		x.blocks = append(x.blocks, block{from, l.p.BlockLen(), r, clean, num})
		from = l.p.BlockLast() + 1
	}
}

// primeSingle raises the threshold to what the best documents of a word have: of stretches and blocks the one that can
// give most is read next, as long as it can give more than was found.
func (x *run) primeSingle(l *leaf) {
	if l.p.Blocks() <= 8 {
		return
	}
	// A heap with the greatest reach at its root; then which stretch it is of, or which block.
	const isBlock = 1
	h := x.ranking[:0]
	key := func(reach float32, i int, what uint64) uint64 {
		return uint64(math.Float32bits(reach))<<32 | uint64(i)<<1 | what
	}
	for i := range x.stretches {
		h = append(h, key(x.stretches[i].reach, i, 0))
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		lower(h, i)
	}
	f := &x.primeFilter
	f.set(&x.cond, &x.segments[x.at])
	scores := x.scores[:0]
	blocks := l.p.Blocks()
	if f.on {
		blocks = 4 + 2*x.top.k // most documents may be kept out, and then more is read twice than is spared
	}
	for len(h) > 0 && blocks > 0 {
		top := h[0]
		reach, i := math.Float32frombits(uint32(top>>32)), int(uint32(top)>>1)
		bound := quantise(l.weight - float32(l.weight/(1+reach)))
		if len(scores) == x.top.k && bound <= scores[0] || !x.top.may(bound) || !x.ctl.spend(8) {
			break
		}
		h[0] = h[len(h)-1]
		h = h[:len(h)-1]
		lower(h, 0)
		if top&isBlock == 0 {
			s := &x.stretches[i]
			x.look(l, s)
			for k := s.at; k < s.at+s.after-s.blk; k++ {
				h = append(h, key(x.blocks[k].reach, k, isBlock))
				lift(h)
			}
			continue
		}
		blocks--
		x.ctl.work += int64(x.blocks[i].n)
		if !l.p.LoadBlock(x.blocks[i].num) {
			break
		}
		docs, masks, tfs := l.p.Block()
		need := float32(0)
		if len(scores) == x.top.k {
			need = least(l.weight, scores[0])
		}
		for i, d := range docs {
			m := masks[i] & l.fields
			if m == 0 || x.scale.reach(m, tfs[i], x.lens[d]) < need {
				continue
			}
			s := x.scale.score(l.weight, m, tfs[i], x.lens[d])
			if (len(scores) < x.top.k || s > scores[0]) && (!f.on || f.pass(d)) && (f.deleted == nil || !f.deleted.Contains(d)) {
				if scores = keep(scores, s, x.top.k); len(scores) == x.top.k {
					need = least(l.weight, scores[0])
				}
			}
		}
	}
	if len(scores) == x.top.k {
		x.top.raise(scores[0])
	}
	x.scores, x.ranking = scores, h[:0]
}

// lower makes h a heap again, the greatest at its root, after h[i] became less.
func lower(h []uint64, i int) {
	for {
		k := 2*i + 1
		if k >= len(h) {
			return
		}
		if k+1 < len(h) && h[k+1] > h[k] {
			k++
		}
		if h[i] >= h[k] {
			return
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
}

// lift is lower, after one was appended.
func lift(h []uint64) {
	for i := len(h) - 1; i > 0 && h[i] > h[(i-1)/2]; i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
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
