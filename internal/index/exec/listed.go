package exec

import (
	"wenlan/internal/index/segment"
)

// listed walks through the list of a range.
type listed struct {
	of     *ranged
	sc     *scale
	lens   []uint8
	weight float32

	i     int
	cur   uint32
	block int // that limit spoke of
	known bool
	bound float64
}

func (l *listed) doc() uint32 { return l.cur }

func (l *listed) cost() int { return len(l.of.docs) }

func (l *listed) match() bool { return true }

func (l *listed) advance(target uint32) uint32 {
	docs := l.of.docs
	if l.i = seek(docs, l.i, target); l.i < len(docs) {
		l.cur = docs[l.i]
	} else {
		l.cur = segment.NoMore
	}
	return l.cur
}

func (l *listed) score() float64 {
	return l.sc.score(l.weight, l.of.masks[l.i], l.of.tfs[l.i], l.lens[l.cur])
}

func (l *listed) limit(target uint32) (float64, uint32) {
	g := l.of
	for l.block < len(g.ends) && g.last(l.block) < target {
		l.block++
		l.known = false
	}
	if l.block == len(g.ends) {
		return 0, segment.NoMore
	}
	if !l.known {
		from := uint32(0)
		if l.block > 0 {
			from = g.ends[l.block-1]
		}
		reach := float32(0)
		for _, im := range g.impacts[from:g.ends[l.block]] {
			reach = max(reach, l.sc.reach(im.Mask, im.MaxTF, im.MinLen))
		}
		l.bound, l.known = quantise(l.weight-float32(l.weight/(1+reach))), true
	}
	return l.bound, g.last(l.block)
}
