package exec

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"weak"

	"wenlan/internal/index/segment"
)

// rangeWords is the words of a segment that begin with a text, the word that is the text
// itself left out. It does not change.
type rangeWords struct {
	rangeHead
	words []segment.Term // in order of their bytes
	lead  []segment.Term // the most frequent, most first, when sum is above maxList; else none
}

// rangeHead is what a query must know of them before it reads them.
type rangeHead struct {
	top []topWord // the most frequent, most first
	n   int       // words
	sum int64     // documents that have a word, summed over all words
	all bool      // false: there are more words
}

type topWord struct {
	text string
	df   int
}

// ranged is the documents that have such a word in some fields, sorted, each once, with
// what its best word gives it. It does not change.
type ranged struct {
	*rangeHead
	lead  []segment.Term // words that are not in the list, but read on their own
	whole bool           // false: some words are neither in lead nor in the list

	docs       []uint32
	masks, tfs []uint8 // of the posting that weighs most; of the mask only the fields asked for
	impacts    []segment.Impact
	ends       []uint32 // of blocks of blockOf documents in impacts
}

const (
	maxWords = 1 << 16 // words of a range in one segment that are looked at
	fewTop   = 16      // words that are kept of a range with their text
	blockOf  = 128     // documents of a block
	maxAmong = 1 << 18 // documents, of the rarest of other words, among which a range is looked for
)

// Variables for tests.
var (
	maxList int64 = 1 << 20 // postings that are read for a list, and documents of a list
	maxRead int64 = 1 << 23 // postings that are read for a list that is asked for again, or among few documents

	maxSieve uint32 = 1 << 22 // bits to find documents by
)

func (h *rangeHead) size() int {
	n := 100
	for _, w := range h.top {
		n += 24 + len(w.text)
	}
	return n
}

func (w *rangeWords) size() int { return w.rangeHead.size() + 24*(len(w.words)+len(w.lead)) + 200 }

func (g *ranged) size() int {
	n := 6*len(g.docs) + 4*len(g.ends) + 3*len(g.impacts) + 24*len(g.lead) + 300
	if g.rangeHead != nil {
		n += g.rangeHead.size()
	}
	return n
}

// collectWords reads a segment's dictionary for the words that begin with text; nil when
// the budget was spent meanwhile.
func (x *run) collectWords(r *segment.Reader, text string) *rangeWords {
	w := &rangeWords{rangeHead: rangeHead{all: true}}
	words := x.terms[:0]
	for it := r.Terms(nil, text, after(text)); it.Next(); {
		if !x.ctl.spend(1) {
			return nil
		}
		if len(words) == maxWords {
			w.all = false
			break
		}
		if len(it.Text()) == len(text) {
			continue
		}
		t := it.Term()
		words = append(words, t)
		w.sum += int64(t.DF)
		n := len(w.top)
		if n == fewTop && t.DF <= w.top[n-1].df {
			continue
		}
		if n < fewTop {
			w.top = append(w.top, topWord{})
			n++
		}
		i := n - 1
		for ; i > 0 && w.top[i-1].df < t.DF; i-- {
			w.top[i] = w.top[i-1]
		}
		w.top[i] = topWord{string(it.Text()), t.DF}
	}
	x.terms = words
	w.n, w.words = len(words), slices.Clone(words)
	if w.sum > maxList {
		w.lead = mostFrequent(words, maxPrefix)
	}
	return w
}

// mostFrequent gives the n most frequent words, most first.
func mostFrequent(words []segment.Term, n int) []segment.Term {
	h := make([]segment.Term, 0, min(n, len(words)))
	for _, t := range words {
		switch {
		case len(h) < n:
			h = append(h, t)
			for i := len(h) - 1; i > 0 && h[i].DF < h[(i-1)/2].DF; i = (i - 1) / 2 {
				h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
			}
		case t.DF > h[0].DF:
			h[0] = t
			for i := 0; ; {
				k := 2*i + 1
				if k >= len(h) {
					break
				}
				if k+1 < len(h) && h[k+1].DF < h[k].DF {
					k++
				}
				if h[k].DF >= h[i].DF {
					break
				}
				h[i], h[k] = h[k], h[i]
				i = k
			}
		}
	}
	slices.SortFunc(h, func(a, b segment.Term) int { return cmp.Compare(b.DF, a.DF) })
	return h
}

// collectList reads the postings of the words in some fields, those of lead left out; nil
// when the budget was spent meanwhile. It is not whole, and empty, when there are too many.
func (x *run) collectList(r *segment.Reader, w *rangeWords, lead []segment.Term, fields uint8) *ranged {
	head := w.rangeHead
	g := &ranged{rangeHead: &head, lead: lead}
	left := w.sum
	alone := map[segment.Term]bool{}
	for _, t := range lead {
		alone[t] = true
		left -= int64(t.DF)
	}
	if left > maxRead || left > maxList && lead != nil {
		return g
	}
	keys := x.keys[:0]
	var p *segment.Postings
	for _, t := range w.words {
		if len(alone) > 0 && alone[t] {
			continue
		}
		p = r.Postings(t, p)
		for p.NextBlock() {
			docs, masks, tfs := p.Block()
			if !x.ctl.spend(len(docs)) {
				return nil
			}
			for i, d := range docs {
				if m := masks[i] & fields; m != 0 {
					keys = append(keys, uint64(d)<<16|uint64(m)<<8|uint64(tfs[i]))
				}
			}
			if left -= int64(len(docs)); left < 0 { // more than it says: damaged
				break
			}
		}
		if int64(len(keys)) > maxList {
			x.keys = keys
			return g
		}
	}
	x.keys = keys
	g.whole = true
	g.fill(x, r)
	return g
}

// narrow is collectList for some documents alone, sorted; no word is left out. It decodes only
// blocks that one of them may be in.
func (x *run) narrow(r *segment.Reader, w *rangeWords, fields uint8, among []uint32) *ranged {
	size := uint32(64)
	for int(size) < r.Docs() && size < maxSieve {
		size *= 2
	}
	if len(x.sieve) < int(size/64) {
		x.sieve = make([]uint64, size/64)
	}
	sieve := x.sieve[:size/64]
	for _, d := range among {
		d &= size - 1
		sieve[d/64] |= 1 << (d % 64)
	}
	keys := x.keys[:0]
	var p *segment.Postings
	ok := true
	for _, t := range w.words {
		if !ok || len(among) == 0 {
			break
		}
		p = r.Postings(t, p)
		for k := 0; k < len(among); {
			if p.Advance(among[k]) == segment.NoMore {
				break
			}
			docs := p.BlockDocs()
			if ok = x.ctl.spend(len(docs)); !ok {
				break
			}
			var masks, tfs []uint8
			for i := p.Index(); i < len(docs); i++ {
				d := docs[i]
				if f := d & (size - 1); sieve[f/64]>>(f%64)&1 == 0 {
					continue
				}
				if k = seek(among, k, d); k == len(among) {
					break
				}
				if among[k] != d {
					continue
				}
				if masks == nil {
					docs, masks, tfs = p.Block()
				}
				if m := masks[i] & fields; m != 0 {
					keys = append(keys, uint64(d)<<16|uint64(m)<<8|uint64(tfs[i]))
				}
			}
			k = seek(among, k, docs[len(docs)-1]+1)
		}
	}
	for _, d := range among {
		sieve[d&(size-1)/64] = 0
	}
	x.keys = keys
	if !ok {
		return nil
	}
	g := &ranged{whole: w.all}
	g.fill(x, r)
	return g
}

// seek is the first place from i on, of sorted documents, that is at least target.
func seek(docs []uint32, i int, target uint32) int {
	if i >= len(docs) || docs[i] >= target {
		return i
	}
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
	return i
}

// weigh is what a posting gives, before the length of its document.
func (s *scale) weigh(mask, tf uint8) float32 {
	return s.heavy[mask] + float32(float32(tf-1)*s.light[mask])
}

// sortKeys sorts by document: by digits, the lowest first. other is scratch; what is
// given back of it may be scratch again.
func sortKeys(keys, other []uint64, docs int) (sorted, scratch []uint64) {
	if len(keys) < 512 {
		slices.Sort(keys)
		return keys, other
	}
	const digit = 11
	other = slices.Grow(other[:0], len(keys))[:len(keys)]
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
	return keys, other
}

// fill makes the list of the keys that were collected.
func (g *ranged) fill(x *run, r *segment.Reader) {
	x.keys, x.spare = sortKeys(x.keys, x.spare, r.Docs())
	keys := x.keys
	lens := r.Lens()
	n := 0
	for i, k := range keys {
		if i == 0 || k>>16 != keys[i-1]>>16 {
			n++
		}
	}
	docs := make([]uint32, 0, n)
	bytes := make([]uint8, 2*n)
	masks, tfs := bytes[:0:n], bytes[n:n]
	for i := 0; i < len(keys); {
		k := keys[i]
		d := k >> 16
		for i++; i < len(keys) && keys[i]>>16 == d; i++ { // most documents have one of the words
			if x.scale.weigh(uint8(keys[i]>>8), uint8(keys[i])) > x.scale.weigh(uint8(k>>8), uint8(k)) {
				k = keys[i]
			}
		}
		if d < uint64(len(lens)) {
			docs, masks, tfs = append(docs, uint32(d)), append(masks, uint8(k>>8)), append(tfs, uint8(k))
		}
	}
	g.docs, g.masks, g.tfs = docs, masks, tfs
	blocks := (len(docs) + blockOf - 1) / blockOf
	g.ends, g.impacts = make([]uint32, 0, blocks), make([]segment.Impact, 0, blocks)
	var most [256]segment.Impact
	var used []uint8
	for from := 0; from < len(docs); from += blockOf {
		for i := from; i < min(from+blockOf, len(docs)); i++ {
			m, tf, length := masks[i], tfs[i], lens[docs[i]]
			im := &most[m]
			if im.Mask == 0 {
				*im = segment.Impact{Mask: m, MaxTF: tf, MinLen: length}
				used = append(used, m)
			}
			im.MaxTF, im.MinLen = max(im.MaxTF, tf), min(im.MinLen, length)
		}
		for _, m := range used {
			g.impacts = append(g.impacts, most[m])
			most[m] = segment.Impact{}
		}
		used = used[:0]
		g.ends = append(g.ends, uint32(len(g.impacts)))
	}
}

// last is the last document of a block.
func (g *ranged) last(block int) uint32 {
	return g.docs[min((block+1)*blockOf, len(g.docs))-1]
}

// rangeScratch is what collecting needs, used again by the next.
type rangeScratch struct {
	terms       []segment.Term
	keys, spare []uint64
	sieve       []uint64 // all zero
	candidates  []uint32
}

// release lets go of what is large.
func (s *rangeScratch) release() {
	if cap(s.keys) > 1<<17 {
		s.keys, s.spare = nil, nil
	}
	if cap(s.terms) > 1<<14 {
		s.terms = nil
	}
	if cap(s.candidates) > 1<<17 {
		s.candidates = nil
	}
}

// rangeIn is what a query knows of a range in one segment.
type rangeIn struct {
	*rangeHead
	words *rangeWords // nil: not yet needed
	again bool        // others asked for it, not long ago
	list  *ranged     // nil: not yet there
}

// rangeIn is the range's list where it is kept, else its words. False: the budget was spent.
func (x *run) rangeIn(r *segment.Reader, text string, fields uint8) (in rangeIn, ok bool) {
	x.ctl.work++
	if g, ok := ranges.get(x.keyOf(r, text, fields, false)).(*ranged); ok {
		return rangeIn{rangeHead: g.rangeHead, again: true, list: g}, true
	}
	in.rangeHead = &rangeHead{}
	if ok = x.wordsOf(r, text, &in); ok {
		in.rangeHead = &in.words.rangeHead
	}
	return in, ok
}

func (x *run) keyOf(r *segment.Reader, text string, fields uint8, part bool) rangeKey {
	return rangeKey{weak.Make(r), text, fields, part, x.scale.Model}
}

// wordsOf sets the words of a range; false when the budget was spent.
func (x *run) wordsOf(r *segment.Reader, text string, in *rangeIn) bool {
	if in.words != nil {
		return true
	}
	k := rangeKey{of: weak.Make(r), text: text}
	if in.words, in.again = ranges.get(k).(*rangeWords); in.again {
		return true
	}
	in.words = x.collectWords(r, text)
	if in.words == nil {
		return false
	}
	if int64(in.words.n)+in.words.sum >= dearRange && r.Err() == nil {
		ranges.put(k, in.words)
	}
	return true
}

// listOf is collectList with a memory; part says that the most frequent words are left out.
func (x *run) listOf(r *segment.Reader, p *plan, part bool) *ranged {
	in := &p.ranges[x.at]
	k := x.keyOf(r, p.text, p.fields, part)
	if part {
		if g, ok := ranges.get(k).(*ranged); ok {
			return g
		}
	}
	if !x.wordsOf(r, p.text, in) {
		return nil
	}
	var lead []segment.Term
	if part {
		lead = in.words.lead
	}
	g := x.collectList(r, in.words, lead, p.fields)
	if g != nil && int64(in.n)+in.sum >= dearRange && r.Err() == nil {
		ranges.grow(x.scale.docs)
		ranges.put(k, g)
	}
	return g
}

// rangeFor is what is read of a range in the current segment; nil: nothing. Not nil, c has
// the words that a document must have beside it, rarest first.
//
// Where few documents come into question, or the list is too long, it is made of those
// only. A range that is asked for again is worth a list, though, even a longer one. Alone,
// one that is too long has its most frequent words read on their own.
func (x *run) rangeFor(p *plan, c *conj) *ranged {
	r, in := x.segments[x.at].Reader, &p.ranges[x.at]
	if in.list != nil && in.list.whole || in.sum == 0 {
		return in.list
	}
	long := in.sum > maxList
	if c != nil && len(c.leaves) > 0 && c.leaves[0].cost() <= maxAmong && x.wordsOf(r, p.text, in) {
		if long && in.list == nil && in.again && in.sum <= maxRead && x.ctl.affords(2*in.sum) {
			if in.list = x.listOf(r, p, false); in.list != nil && in.list.whole {
				return in.list
			}
		}
		if long || !in.again && 4*in.words.costOf(c.leaves[0].cost()) < in.sum {
			docs := x.among(c)
			if cost := in.words.costOf(len(docs)); cost <= maxRead && x.ctl.affords(2*cost) {
				if g := x.narrow(r, in.words, p.fields, docs); g != nil {
					return g
				}
			}
		}
	}
	g := x.listOf(r, p, long)
	if !long {
		in.list = g
	}
	return g
}

// costOf is how many postings are decoded at most to find some documents.
func (w *rangeWords) costOf(docs int) int64 {
	cost := w.n
	for _, t := range w.words {
		cost += min(t.DF, docs*blockOf)
	}
	return int64(cost)
}

// among is the documents that have the words of a conjunction, which stand at their
// beginning again.
func (x *run) among(c *conj) []uint32 {
	docs := x.candidates[:0]
	w := &conj{ctl: &x.ctl, leaves: c.leaves}
	for d := w.advance(0); d != segment.NoMore; d = w.advance(d + 1) {
		if w.match() {
			docs = append(docs, d)
		}
	}
	x.candidates = docs
	for _, l := range c.leaves {
		l.open(x, x.segments[x.at].Reader, l.plan.terms[x.at], l.plan)
	}
	return docs
}

// ranged is all the words that begin with text, and text itself. All have the inverse
// frequency of the most frequent of them.
func (c *compiler) ranged(text string, fields uint8, most int) *plan {
	if !c.expand() {
		return c.exact(text, fields)
	}
	x := c.x
	p := &plan{kind: kindRange, text: text, fields: fields, ranges: make([]rangeIn, len(x.segments)), leaves: min(most, maxLeaves-c.leaves)}
	leaves := 0
	for i := range x.segments {
		in, ok := x.rangeIn(x.segments[i].Reader, text, fields)
		p.ranges[i] = in
		p.sum += in.sum
		c.capped = c.capped || !ok || !in.all
		if in.sum > maxList {
			leaves = max(leaves, min(p.leaves, in.n))
		}
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
	for i := range p.ranges {
		x.mostOf(p, i)
	}
	idf := x.scale.idf(p.df)
	p.weight = idf * factorPrefix
	if p.exact != nil {
		p.exact.weight = idf
	}
	return p
}

// mostOf raises p.df to what the most frequent words of one segment have in all. Words of
// which it is plain that they have no more are not looked up.
func (x *run) mostOf(p *plan, at int) {
	for _, w := range p.ranges[at].top {
		most := int64(w.df)
		for j := range p.ranges {
			if top := p.ranges[j].top; j != at && len(top) > 0 {
				most += int64(top[0].df)
			}
		}
		if most <= p.df {
			return // and those after it have less
		}
		df, unknown := int64(w.df), int64(0)
		for j := range p.ranges {
			if j != at {
				n, rest := p.ranges[j].find(w.text)
				df, unknown = df+int64(n), unknown+int64(rest)
			}
		}
		if df+unknown <= p.df {
			continue
		}
		if unknown > 0 {
			df = 0
			for j := range x.segments {
				if t, ok := x.segments[j].Term(w.text); ok {
					df += int64(t.DF)
				}
			}
		}
		p.df = max(p.df, df)
	}
}

// find is the documents that have a word of the range; where it is not among the most
// frequent, how many have it at most.
func (h *rangeHead) find(text string) (df, most int) {
	for _, w := range h.top {
		if w.text == text {
			return w.df, 0
		}
	}
	if h.all && len(h.top) == h.n || h.n == 0 {
		return 0, 0
	}
	if !h.all {
		return 0, math.MaxInt32 // among those that were not looked at
	}
	return 0, h.top[len(h.top)-1].df
}

// rangeIter makes the iterator of a range over the current segment; nil: nothing there.
// For c see rangeFor.
func (x *run) rangeIter(p *plan, c *conj) iter {
	var of []iter
	if p.exact != nil {
		if l := x.leaf(p.exact); l != nil {
			of = append(of, l)
		}
	}
	g := x.rangeFor(p, c)
	var tail *listed
	if g != nil {
		lead := g.lead[:min(len(g.lead), p.leaves)]
		for _, t := range lead {
			l := x.nextLeaf()
			l.open(x, x.segments[x.at].Reader, t, p)
			of = append(of, l)
		}
		x.unproved = x.unproved || !g.whole || len(lead) < len(g.lead)
		if len(g.docs) > 0 {
			tail = &listed{of: g, sc: &x.scale, lens: x.lens, weight: p.weight}
		}
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
