package exec

import (
	"slices"

	"wenlan/internal/index/segment"
)

// In an order by year most documents can be passed over by their year alone. The newest
// are sought from the end of a segment, the oldest from its beginning: of documents of one
// year the later record, or the earlier one, comes first, so that once the heap is full of
// the best year, no other document of the segment can enter.

// dated says whether the order is one by year, and places are wanted.
func (t *top) dated() bool { return t.k > 0 && (t.sort == Newest || t.sort == Oldest) }

// yearSpan is the years that may enter.
type yearSpan struct {
	low, high int32
	unknown   bool // may documents of unknown year? When not, has may still say so.
}

func (s yearSpan) has(year int16) bool {
	y := int32(year)
	return y >= s.low && y <= s.high || y == 0 && s.unknown
}

// meets says whether documents within some bounds may enter.
func (s yearSpan) meets(bounds []segment.YearBound) bool {
	if s.unknown {
		return true
	}
	for _, b := range bounds {
		if int32(b.Most) >= s.low && int32(b.Least) <= s.high {
			return true
		}
	}
	return false
}

// entering is the years of which a document may enter, and any that is before it, where
// the newest are sought, or after it.
func (x *run) entering(doc uint32) yearSpan {
	t := &x.top
	s := yearSpan{-1 << 15, 1<<15 - 1, true}
	// A rank falls as the year rises, where the newest are sought. The unknown year's is
	// beyond all.
	if t.after != nil {
		switch rank := t.after.year; {
		case rank == yearRank(t.sort, 0):
			s.low, s.high = 1, 0
		case t.sort == Newest:
			s.high = -rank
		default:
			s.low = rank
		}
	}
	if !t.full() || t.heap[0].year == yearRank(t.sort, 0) {
		return s
	}
	w := &t.heap[0]
	s.unknown = false
	if record := x.segments[x.at].Record(doc); t.sort == Newest {
		if s.low = -w.year; record < w.record {
			s.low++
		}
	} else {
		if s.high = w.year; record > w.record {
			s.high--
		}
	}
	return s
}

// offerDated offers documents, in order.
func (x *run) offerDated(docs []uint32) {
	years := x.year
	if x.top.sort == Newest {
		for i := len(docs) - 1; i >= 0; i-- {
			s := x.entering(docs[i])
			for !s.has(years[docs[i]]) {
				if i--; i < 0 {
					return
				}
			}
			x.offer(docs[i], 0)
		}
		return
	}
	for i := 0; i < len(docs); i++ {
		s := x.entering(docs[i])
		for !s.has(years[docs[i]]) {
			if i++; i == len(docs) {
				return
			}
		}
		x.offer(docs[i], 0)
	}
}

// datedGroup is how many blocks are read at once.
const datedGroup = 8

// dated reads a segment for one word in an order by year. Blocks in which no document is
// of a year that may enter are only counted.
func (x *run) dated(l *leaf) {
	v := &x.segments[x.at]
	newest := x.top.sort == Newest
	plain := !x.filter.on && x.filter.deleted == nil
	counting := x.tallies()
	blocks := x.blocks[:0]
	next, all := uint32(0), true
	for x.ctl.spend(2) && l.p.SeekBlock(len(blocks)) {
		_, clean := l.reach()
		all = all && clean
		blocks = append(blocks, block{from: next, n: l.p.BlockLen(), clean: clean, num: len(blocks)})
		next = l.p.BlockLast() + 1
	}
	x.blocks = blocks
	if x.ctl.stopped {
		return
	}
	counted := x.common != nil && all && !x.filter.on && x.takeCommon(l)
	if counted {
		counting = x.live
	}
	var bounds []segment.YearBound
	if len(blocks) > datedGroup {
		bounds = v.YearBounds()
	}
	n := len(blocks)
	for done := 0; done < n; done += datedGroup {
		lo, hi := done, min(done+datedGroup, n)
		if newest {
			lo, hi = max(n-done-datedGroup, 0), n-done
		}
		// The documents of the group's blocks are from from to before to.
		from, to := blocks[lo].from, uint32(x.docs)
		if hi < n {
			to = blocks[hi].from
		}
		if !x.ctl.spend(hi - lo) {
			if newest {
				x.seen += int64(uint32(x.docs) - to)
			} else {
				x.seen += int64(from)
			}
			return
		}
		if newest && x.filter.deleted != nil {
			x.filter.restart()
		}
		var open yearSpan
		if newest {
			open = x.entering(to - 1)
		} else {
			open = x.entering(from)
		}
		match := x.match[:0]
		for i := lo; i < hi; i++ {
			b := &blocks[i]
			enter := true
			if bounds != nil {
				last := to - 1
				if i+1 < hi {
					last = blocks[i+1].from - 1
				}
				enter = open.meets(bounds[b.from/segment.YearWindow : last/segment.YearWindow+1])
			}
			if !enter && !counting && (counted || plain && b.clean) {
				if !counted {
					x.count += int64(b.n)
				}
				continue
			}
			x.ctl.work += int64(b.n)
			if !l.p.LoadBlock(b.num) {
				break // damaged
			}
			was := len(match)
			if plain && b.clean {
				match = append(match, l.p.BlockDocs()...)
			} else {
				docs, masks, _ := l.p.Block()
				for i, d := range docs {
					if masks[i]&l.fields != 0 && (plain || x.filter.accept(d)) {
						match = append(match, d)
					}
				}
			}
			if !counted {
				x.count += int64(len(match) - was)
			}
			if !enter {
				x.tally(match[was:])
				match = match[:was]
			}
		}
		x.tally(match)
		x.offerDated(match)
		x.match = match
	}
	x.seen += int64(x.docs)
}

// datedPending offers the pending matches, which may have come from the last to the first.
func (x *run) datedPending() {
	if p := x.pending; len(p) > 1 && p[0] > p[len(p)-1] {
		slices.Reverse(p)
	}
	x.offerDated(x.pending)
}

// allDated reads a segment of which every document matches, in an order by year.
func (x *run) allDated() {
	v := &x.segments[x.at]
	x.count += int64(v.Live)
	x.seen += int64(x.docs)
	bounds := v.YearBounds()
	for i := range bounds {
		if !x.ctl.spend(1) {
			return
		}
		if x.top.sort == Newest {
			i = len(bounds) - 1 - i
		}
		lo := uint32(i * segment.YearWindow)
		hi := min(lo+segment.YearWindow, uint32(x.docs))
		open := x.entering(lo)
		if x.top.sort == Newest {
			open = x.entering(hi - 1)
		}
		if !open.meets(bounds[i : i+1]) {
			continue
		}
		x.ctl.work += int64(hi-lo) / 4
		match := x.match[:0]
		for d := lo; d < hi; d++ {
			if v.Deleted == nil || !v.Deleted.Contains(d) {
				match = append(match, d)
			}
		}
		x.offerDated(match)
		x.match = match
	}
}
