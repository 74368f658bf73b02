package exec

import "wenlan/internal/index/segment"

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
