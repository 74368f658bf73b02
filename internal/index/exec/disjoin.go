package exec

import (
	"math/bits"
	"slices"

	"wenlan/internal/index/segment"
)

// accumulator sums scores over a window of documents.
type accumulator struct {
	bits [window / 64]uint64
	sum  [window]float64
}

// part is one side of a disjunction.
type part struct {
	it    iter
	leaf  *leaf // nil: it is something else
	bonus float64
	most  float64 // no score is above, bonus included
	bound float64 // over the window

	spans []span // the window's bounds, in order
	k     int    // the span of the document that was asked about last
}

// span is a bound of the scores of documents up to last.
type span struct {
	last  uint32
	bound float64
}

// at is the bound at a document; forward only.
func (p *part) at(d uint32) float64 {
	for p.spans[p.k].last < d {
		p.k++
	}
	return p.spans[p.k].bound
}

// disjoin reads a segment for documents that any of its parts has: MaxScore over windows.
// In each window the parts with the least bounds, which together cannot lift a document
// into the heap, are only asked about documents that another part has.
func (x *run) disjoin(its []iter) {
	parts := x.parts[:0]
	for _, it := range its {
		var p part
		if len(parts) < cap(parts) {
			p.spans = parts[:len(parts)+1][len(parts)].spans
		}
		p.it = it
		if r, ok := it.(*raised); ok {
			p.it, p.bonus = r.iter, r.bonus
		}
		p.leaf, _ = p.it.(*leaf)
		p.most = infinite
		if p.leaf != nil {
			p.most = quantise(p.leaf.weight) + p.bonus
		}
		parts = append(parts, p)
	}
	x.parts = parts
	if x.acc == nil {
		x.acc = &accumulator{}
	}
	acc := x.acc
	scored := x.top.sort == Relevance && x.top.k > 0
	skipping := x.skipping()
	if skipping {
		x.prime(parts)
	}
	counted := !skipping // this segment, from its first document on
	docs := uint32(x.docs)
	lo := uint32(0)
	for lo < docs {
		if !x.ctl.spend(len(parts)) {
			break
		}
		if !skipping && x.skipping() {
			x.seen += int64(lo)
			skipping, counted = true, false
			x.prime(parts)
		}
		if skipping && x.leads(parts) {
			x.follow(parts, lo)
			break
		}
		hi := min(lo+window, docs)
		weak := 0 // parts that are only asked
		if skipping {
			var sum float64
			far := docs // no bound changes before
			for i := range parts {
				p := &parts[i]
				p.bound, p.spans, p.k = 0, p.spans[:0], 0
				var last uint32
				for from := lo; ; from = last + 1 {
					var b float64
					if b, last = p.it.limit(from); b > 0 {
						b += p.bonus
					}
					p.bound = max(p.bound, b)
					p.spans = append(p.spans, span{last, b})
					if last >= hi-1 {
						break
					}
				}
				far = min(far, last)
				sum += p.bound
			}
			if !x.top.may(sum) {
				lo = max(hi, far)
				if far < docs {
					lo = max(hi, far+1)
				}
				continue
			}
			slices.SortFunc(parts, func(a, b part) int {
				switch {
				case a.bound < b.bound:
					return -1
				case a.bound > b.bound:
					return 1
				}
				return 0
			})
			sum = 0
			for weak < len(parts)-1 && !x.top.may(sum+parts[weak].bound) {
				sum += parts[weak].bound
				weak++
			}
		}
		least := uint32(segment.NoMore) // where the next window may begin, when all are read
		for i := weak; i < len(parts); i++ {
			p := &parts[i]
			if skipping && p.bound == 0 {
				continue
			}
			if !x.ctl.spend(0) {
				break
			}
			if p.leaf != nil {
				least = min(least, x.gather(acc, p, lo, hi, scored))
				continue
			}
			d := p.it.advance(lo)
			for ; d < hi; d = p.it.advance(d + 1) {
				if !x.ctl.spend(1) {
					break
				}
				if p.it.match() {
					s := p.bonus
					if scored {
						s += p.it.score()
					}
					acc.add(d-lo, s)
				}
			}
			least = min(least, d)
		}
		for w := range acc.bits[:(hi-lo+63)/64] {
			word := acc.bits[w]
			acc.bits[w] = 0
			for ; word != 0; word &= word - 1 {
				at := uint32(w*64 + bits.TrailingZeros64(word))
				d, s := lo+at, acc.sum[at]
				if !skipping {
					if x.filter.accept(d) {
						x.collect(d, s)
					}
					continue
				}
				if s, ok := x.ask(parts[:weak], d, s); ok && x.filter.accept(d) {
					x.offer(d, s)
				}
			}
		}
		if x.ctl.stopped {
			break
		}
		lo = hi
		if !skipping {
			if least == segment.NoMore {
				lo = docs
			} else {
				lo = max(lo, least)
			}
		}
	}
	if counted {
		if x.ctl.stopped {
			x.seen += int64(lo)
		} else {
			x.seen += int64(docs)
		}
	}
}

// leads says whether a document needs a certain word to enter, whatever else it has; that
// is the last of parts then. It stays so: the threshold only rises.
func (x *run) leads(parts []part) bool {
	best := 0
	var rest float64
	for i := range parts {
		if rest += parts[i].most; parts[i].most > parts[best].most {
			best = i
		}
	}
	if parts[best].leaf == nil || rest >= infinite || x.top.may(rest-parts[best].most) {
		return false
	}
	last := len(parts) - 1
	parts[best], parts[last] = parts[last], parts[best]
	return true
}

// follow reads the rest of a segment by the postings of the word that leads, which is the
// last of parts. The others are asked one after the other, and what a block of theirs can
// give is looked at only for a document that may still enter.
func (x *run) follow(parts []part, from uint32) {
	weak, p := parts[:len(parts)-1], &parts[len(parts)-1]
	l := p.leaf
	var rest float64
	for i := range weak {
		rest += weak[i].most
	}
	for x.ctl.spend(1) {
		b, last := l.limit(from)
		if !x.top.may(b + p.bonus + rest) {
			if last >= uint32(x.docs)-1 {
				return
			}
			from = last + 1
			continue
		}
		if l.advance(from) == segment.NoMore {
			return
		}
		l.load()
		docs, masks, tfs := l.docs, l.masks, l.tfs
		thr := x.top.thr
		need := least(l.weight, thr-rest-p.bonus)
		for i := l.i; i < len(docs); i++ {
			d, m := docs[i], masks[i]&l.fields
			if m == 0 || x.scale.reach(m, tfs[i], x.lens[d]) < need {
				continue
			}
			if !x.ctl.spend(0) {
				return
			}
			s := x.scale.score(l.weight, m, tfs[i], x.lens[d]) + p.bonus
			if s, ok := x.askBlocks(weak, d, s, rest); ok && x.filter.accept(d) {
				x.offer(d, s)
				if x.top.thr != thr {
					thr = x.top.thr
					need = least(l.weight, thr-rest-p.bonus)
				}
			}
		}
		if from = docs[len(docs)-1] + 1; from >= uint32(x.docs) {
			return
		}
	}
}

// askBlocks adds to the score of a document what the weak parts give, which is at most
// rest; false when it cannot enter.
func (x *run) askBlocks(weak []part, d uint32, s, rest float64) (float64, bool) {
	if !x.top.may(s + rest) {
		return s, false
	}
	for i := len(weak) - 1; i >= 0; i-- {
		p := &weak[i]
		rest -= p.most
		b, _ := p.it.limit(d)
		if b == 0 {
			continue
		}
		if !x.top.may(s + b + p.bonus + rest) {
			return s, false
		}
		x.ctl.work++
		if p.it.advance(d) == d && p.it.match() {
			s += p.it.score() + p.bonus
		}
		if !x.top.may(s + rest) {
			return s, false
		}
	}
	return s, true
}

func (a *accumulator) add(at uint32, s float64) {
	if a.bits[at/64]>>(at%64)&1 == 0 {
		a.bits[at/64] |= 1 << (at % 64)
		a.sum[at] = s
	} else {
		a.sum[at] += s
	}
}

// gather sums what a word gives in [lo, hi), and gives the first document after.
func (x *run) gather(acc *accumulator, p *part, lo, hi uint32, scored bool) uint32 {
	l := p.leaf
	for d := l.advance(lo); d < hi; {
		l.load()
		docs, masks, tfs := l.docs, l.masks, l.tfs
		i := l.i
		for ; i < len(docs) && docs[i] < hi; i++ {
			m := masks[i] & l.fields
			if m == 0 {
				continue
			}
			s := p.bonus
			if scored {
				s += l.sc.score(l.weight, m, tfs[i], l.lens[docs[i]])
			}
			acc.add(docs[i]-lo, s)
		}
		if i < len(docs) {
			l.i, l.cur = i, docs[i]
			return l.cur
		}
		l.i = len(docs) - 1
		l.cur = docs[l.i]
		d = l.advance(l.cur + 1)
	}
	return l.cur
}

// ask adds to the score of a document what the weak parts give; false when it cannot enter.
func (x *run) ask(weak []part, d uint32, s float64) (float64, bool) {
	var rest float64
	for i := range weak {
		rest += weak[i].bound
	}
	if !x.top.may(s + rest) {
		return s, false
	}
	// The bounds of the blocks that the document is in.
	rest = 0
	for i := range weak {
		rest += weak[i].at(d)
	}
	for i := len(weak) - 1; i >= 0; i-- {
		if !x.top.may(s + rest) {
			return s, false
		}
		p := &weak[i]
		b := p.at(d)
		if b == 0 {
			continue
		}
		rest -= b
		x.ctl.work++
		if p.it.advance(d) == d && p.it.match() {
			s += p.it.score() + p.bonus
		}
	}
	return s, x.top.may(s)
}

// prime raises the threshold to what the best documents reach by the rarest word alone:
// no other document below that can be among the first.
func (x *run) prime(parts []part) {
	if x.top.k == 0 || x.top.k > 1000 || x.top.after != nil {
		return
	}
	var rare *part
	for i := range parts {
		p := &parts[i]
		if p.leaf != nil && (rare == nil || p.leaf.weight > rare.leaf.weight) {
			rare = p
		}
	}
	if rare == nil || rare.leaf.cost() < x.top.k {
		return
	}
	l := &x.primer
	l.open(x, x.segments[x.at].Reader, rare.leaf.plan.terms[x.at], rare.leaf.plan)
	f := &x.primeFilter
	f.set(&x.cond, &x.segments[x.at])
	scores := x.scores[:0] // a heap, the least at its root
	for next := uint32(0); ; {
		if !l.p.ShallowAdvance(next) || !x.ctl.spend(8) {
			break
		}
		last := l.p.BlockLast()
		r, _ := l.reach()
		if len(scores) == x.top.k && quantise(l.weight-float32(l.weight/(1+r))) <= scores[0] {
			if last >= uint32(x.docs)-1 {
				break
			}
			next = last + 1
			continue
		}
		if l.p.Advance(next) == segment.NoMore {
			break
		}
		docs, masks, tfs := l.p.Block()
		x.ctl.work += int64(len(docs))
		for i, d := range docs {
			m := masks[i] & l.fields
			if m == 0 {
				continue
			}
			s := x.scale.score(l.weight, m, tfs[i], x.lens[d])
			if len(scores) == x.top.k && s <= scores[0] || !f.accept(d) {
				continue
			}
			scores = keep(scores, s, x.top.k)
		}
		if last >= uint32(x.docs)-1 {
			break
		}
		next = last + 1
	}
	if len(scores) == x.top.k {
		x.top.raise(scores[0] + rare.bonus)
	}
	x.scores = scores
}
