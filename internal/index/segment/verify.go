package segment

import (
	"bytes"
	"math/bits"
	"slices"
)

// Verify reads the whole segment: every block's checksum, and that all decodes, is in order and
// in range, and agrees. The error is errs.Corrupt and names section and offset in bytes. It takes about as long as a
// merge.
func (r *Reader) Verify() error {
	if !r.check(0, r.body) {
		return r.Err()
	}
	for d := range r.docs {
		if d > 0 && (docKey{r.Record(d - 1), r.Part(d - 1)}).compare(docKey{r.Record(d), r.Part(d)}) >= 0 {
			r.fail(r.sections[secRecords].off, "documents are out of order")
			break
		}
		r.TitleKey(d)
	}
	var sum uint64
	for _, l := range r.Lens() {
		sum += uint64(LenOf(l))
	}
	if sum != r.lenSum {
		r.fail(r.sections[secLens].off, "the sum of lengths is wrong")
	}
	for f := range r.facets {
		c := &r.facets[f]
		if !c.ready() {
			break
		}
		for i := range c.card {
			if v := c.value(i); len(v) == 0 || i > 0 && bytes.Compare(c.value(i-1), v) >= 0 {
				c.damage()
				break
			}
		}
	}
	if r.Err() == nil {
		r.verifyTerms()
	}
	return r.Err()
}

func (r *Reader) verifyTerms() {
	var p *Postings
	var pos []Pos
	var impacts []Impact
	lens := r.Lens()
	perChunk := make([]uint64, len(r.chunks))
	recount := newRecount(r)
	common := 0
	var last []byte
	it := r.Terms(nil, "", "")
	for it.Next() {
		c := &r.chunks[it.chunk-1]
		perChunk[it.chunk-1]++
		if bytes.Compare(last, it.Text()) >= 0 || perChunk[it.chunk-1] == 1 && !bytes.Equal(c.first, it.Text()) ||
			perChunk[it.chunk-1] > it.f.len {
			r.fail(c.fstOff, "words are out of order")
			return
		}
		last = append(last[:0], it.Text()...)
		t := it.Term()
		p = r.Postings(t, p)
		counted := r.Counts(t, &recount.have)
		if counted {
			common++
		}
		n := 0
		var group []Impact
		groups, left := 0, 0 // seen, and postings that are to come in the group
		for p.NextBlock() {
			docs, masks, tfs := p.Block()
			impacts = p.Impacts(impacts[:0])
			if p.Groups() > 0 {
				if p.blk%groupLen == 0 {
					if left != 0 {
						r.fail(c.post, "a group of blocks has another length")
						return
					}
					group = p.GroupImpacts(groups, group[:0])
					left = p.GroupCount(groups)
					groups++
				}
				left -= len(docs)
				for _, x := range impacts {
					if !slices.ContainsFunc(group, func(y Impact) bool {
						return x.Mask == y.Mask && x.MaxTF <= y.MaxTF && x.MinLen >= y.MinLen
					}) {
						r.fail(c.post, "the bounds of a group of blocks are wrong")
						return
					}
				}
			}
			n += len(docs)
			if counted {
				recount.add(docs)
			}
			for i, doc := range docs {
				within := slices.ContainsFunc(impacts, func(x Impact) bool {
					return x.Mask == masks[i] && tfs[i] <= x.MaxTF && lens[doc] >= x.MinLen
				})
				if !within || int(tfs[i]) < bits.OnesCount8(masks[i]) {
					r.fail(c.post, "the bounds of a block of postings are wrong")
					return
				}
			}
			if r.positions {
				for range docs {
					pos = p.Positions(pos[:0])
					if len(pos) != int(p.TF()) && (p.TF() < 255 || len(pos) < 255) {
						r.fail(c.post+c.postLen, "positions make no sense")
						return
					}
					if p.i+1 < p.n {
						p.Next()
					}
				}
			}
		}
		if n != t.DF || left != 0 {
			r.fail(c.post, "a list of postings is too short")
			return
		}
		if counted && !recount.same() {
			r.fail(r.sections[secCounts].off, "the counts of a word are wrong")
		}
		if r.Err() != nil {
			return
		}
	}
	if common != r.common() {
		r.fail(r.sections[secCommon].off, "counts are of no word")
	}
	for i := range r.chunks {
		var f fst
		if r.openFST(&r.chunks[i], &f) && f.len != perChunk[i] {
			r.fail(f.off, "words are missing")
		}
	}
}

// recount counts the facets of common words anew.
type recount struct {
	r      *Reader
	have   WordCounts
	place  [NumFacets][]uint32 // every ordinal is itself
	counts [NumFacets][]uint32
	years  map[int16]uint32
}

func newRecount(r *Reader) *recount {
	c := &recount{r: r, years: map[int16]uint32{}}
	if r.common() == 0 {
		return c
	}
	for f := range c.place {
		n := r.facets[f].card
		c.place[f], c.counts[f] = make([]uint32, n), make([]uint32, n)
		for i := range c.place[f] {
			c.place[f][i] = uint32(i)
		}
	}
	return c
}

func (c *recount) add(docs []uint32) {
	for f := range c.counts {
		c.r.facets[f].tally(docs, c.place[f], c.counts[f])
	}
	years := c.r.Years()
	for _, d := range docs {
		c.years[years[d]]++
	}
}

// same says whether the counts are those of the file, and forgets them.
func (c *recount) same() bool {
	ok := len(c.years) == len(c.have.Years)
	for _, y := range c.have.Years {
		ok = ok && c.years[y.Year] == y.N
	}
	for f, counts := range c.counts {
		for _, x := range c.have.Values[f] {
			ok = ok && counts[x.Ord] == x.N
			counts[x.Ord] = 0
		}
		rest := uint32(0)
		for i, n := range counts {
			rest = max(rest, n)
			counts[i] = 0
		}
		ok = ok && rest == c.have.Rest[f]
	}
	clear(c.years)
	return ok
}
