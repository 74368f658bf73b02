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
		n := 0
		for p.NextBlock() {
			docs, masks, tfs := p.Block()
			impacts = p.Impacts(impacts[:0])
			n += len(docs)
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
		if n != t.DF {
			r.fail(c.post, "a list of postings is too short")
			return
		}
		if r.Err() != nil {
			return
		}
	}
	for i := range r.chunks {
		var f fst
		if r.openFST(&r.chunks[i], &f) && f.len != perChunk[i] {
			r.fail(f.off, "words are missing")
		}
	}
}
