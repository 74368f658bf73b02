package segment

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"wenlan/internal/errs"
)

// gone stands for a document that a merge leaves out.
const gone = math.MaxUint32

// Merge writes the documents of all inputs but the deleted ones as one segment, sorted by
// (Record, Part). It holds the postings and words of one chunk, the longest list of a word, four bytes a
// document and the facet values; not the inputs. The same (Record, Part) alive in two inputs is errs.Invalid;
// inputs of which some keep positions and some not are errs.Invalid too; damage is errs.Corrupt. After
// an error, what was written is to be thrown away. Nothing is synced.
func Merge(w io.Writer, in []Input) error { return MergeParallel(w, in, 1) }

// MergeParallel is Merge on so many goroutines, which have ended when it returns. It gives the same bytes; but
// it holds up to three chunks for each goroutine.
func MergeParallel(w io.Writer, in []Input, workers int) error {
	m := &merge{in: in}
	for _, x := range in {
		if x.positions != in[0].positions {
			return errs.New(errs.Invalid, "segments with and without positions do not merge")
		}
	}
	if err := m.number(); err != nil {
		return err
	}
	f := newWriter(w)
	c, err := m.columns()
	if err == nil {
		err = m.writeTerms(f, workers)
	}
	if err == nil {
		err = c.write(f)
	}
	if err == nil {
		err = m.damage()
	}
	if err != nil {
		return err
	}
	return f.finish()
}

type merge struct {
	in   []Input
	docs int
	to   [][]uint32 // by input and document: its new number, or gone
	runs [][]uint32 // by input: where documents begin that stay side by side; nil: too many of them
	lens []uint8
	// place is by facet, input and ordinal the ordinal in the new segment.
	place  [NumFacets][][]uint32
	values [NumFacets]int // of the new segment
}

// scratch is what count uses again.
type scratch struct {
	p    *Postings
	stay []uint32
}

// damage is the first damage of an input.
func (m *merge) damage() error {
	for i, x := range m.in {
		if err := x.Err(); err != nil {
			return fmt.Errorf("segment %d of %d to merge: %w", i+1, len(m.in), err)
		}
	}
	return nil
}

// number numbers the documents that stay.
func (m *merge) number() error {
	heads := make([]uint32, len(m.in))
	keys := make([]docKey, len(m.in))
	live := func(i int) { // moves to the next document that stays
		x := &m.in[i]
		for heads[i] < x.docs && x.Deleted != nil && x.Deleted.Contains(heads[i]) {
			m.to[i][heads[i]] = gone
			heads[i]++
		}
		if heads[i] < x.docs {
			keys[i] = docKey{x.Record(heads[i]), x.Part(heads[i])}
		}
	}
	for i, x := range m.in {
		m.to = append(m.to, make([]uint32, x.docs))
		live(i)
	}
	var last docKey
	for {
		best := -1
		for i := range m.in {
			if heads[i] < m.in[i].docs && (best < 0 || keys[i].compare(keys[best]) < 0) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		if m.docs > 0 && keys[best].compare(last) <= 0 {
			if err := m.damage(); err != nil {
				return err
			}
			return errs.New(errs.Invalid, "record %d, part %d is twice in the segments to merge", keys[best].record, keys[best].part)
		}
		if m.docs >= MaxDocs {
			return errs.New(errs.TooLarge, "too many documents for one segment")
		}
		last = keys[best]
		m.to[best][heads[best]] = uint32(m.docs)
		m.lens = append(m.lens, m.in[best].Len(heads[best]))
		m.docs++
		heads[best]++
		live(best)
	}
	for _, to := range m.to {
		var runs []uint32
		for d, n := range to {
			if d == 0 || n == gone || to[d-1] == gone || n != to[d-1]+1 {
				if runs = append(runs, uint32(d)); len(runs) > 16+len(to)/16 {
					runs = nil
					break
				}
			}
		}
		m.runs = append(m.runs, runs)
	}
	return m.damage()
}

func (k docKey) compare(o docKey) int {
	return cmp.Or(cmp.Compare(k.record, o.record), cmp.Compare(k.part, o.part))
}

// each calls f for every document that stays, in order.
func (m *merge) each(f func(in int, doc uint32)) {
	heads := make([]int, len(m.in))
	for n := range m.docs {
		for i, to := range m.to {
			h := heads[i]
			for h < len(to) && to[h] == gone {
				h++
			}
			if heads[i] = h; h < len(to) && to[h] == uint32(n) {
				heads[i]++
				f(i, uint32(h))
				break
			}
		}
	}
}

// writeRange writes the words from (inclusive) to (exclusive; "" for no end), and ends their chunk.
func (m *merge) writeRange(t *termWriter, from, to string) error {
	iters := make([]*TermIter, 0, len(m.in))
	of := make([]int, 0, len(m.in)) // the input of each iterator
	for i, x := range m.in {
		if it := x.Terms(nil, from, to); it.Next() {
			iters, of = append(iters, it), append(of, i)
		}
	}
	lists := make([]mergeList, len(m.in))
	var word []byte
	var with []int
	var scratch scratch
	t.count = func(c *commonCounts) {
		for _, i := range with {
			m.count(c, &scratch, of[i], iters[i].Term())
		}
	}
	for len(iters) > 0 {
		with = with[:0]
		for i, it := range iters {
			c := -1
			if len(with) > 0 {
				c = bytes.Compare(it.Text(), iters[with[0]].Text())
			}
			if c < 0 {
				with = append(with[:0], i)
			} else if c == 0 {
				with = append(with, i)
			}
		}
		word = append(word[:0], iters[with[0]].Text()...)
		active := lists[:0]
		for _, i := range with {
			l := mergeList{to: m.to[of[i]], runs: m.runs[of[i]], p: lists[:cap(lists)][len(active)].p, blk: -1}
			l.p = m.in[of[i]].Postings(iters[i].Term(), l.p)
			active = append(active, l)
		}
		if err := m.writeList(t, active); err != nil {
			return err
		}
		if err := t.end(word); err != nil {
			return err
		}
		for k := len(with) - 1; k >= 0; k-- {
			if i := with[k]; !iters[i].Next() {
				iters, of = slices.Delete(iters, i, i+1), slices.Delete(of, i, i+1)
			}
		}
	}
	if err := m.damage(); err != nil {
		return err
	}
	return t.endChunk()
}

// mergeList is a word's postings in one input.
type mergeList struct {
	p     *Postings
	to    []uint32
	runs  []uint32
	blk   int    // the current block
	whole bool   // all of it stays, and nothing comes between: it is not decoded
	doc   uint32 // the new number of the current posting; of a whole block, at most that of its first
	run   int    // the run that number looked at last
	end   uint32 // where it ends; 0: none
	shift uint32 // what its documents are moved by, modulo 2^32
}

// number is the new number of a document, which is not below that of the call before. A table of all documents is slow
// to look at here and there, and mostly there are few runs.
func (l *mergeList) number(doc uint32) uint32 {
	if doc < l.end {
		return doc + l.shift
	}
	if l.runs == nil || l.p.df < 4 {
		return l.to[doc]
	}
	step := 1 // from l.run on, which begins at doc or before
	for l.run+step < len(l.runs) && l.runs[l.run+step] <= doc {
		l.run += step
		step *= 2
	}
	after, _ := slices.BinarySearch(l.runs[l.run:min(l.run+step, len(l.runs))], doc+1)
	l.run += after - 1
	from := l.runs[l.run]
	if l.to[from] == gone {
		return gone
	}
	l.shift, l.end = l.to[from]-from, uint32(len(l.to))
	if l.run+1 < len(l.runs) {
		l.end = l.runs[l.run+1]
	}
	return doc + l.shift
}

// next moves to the next posting that stays, or to the next whole block.
func (l *mergeList) next() bool {
	p := l.p
	for {
		if !l.whole {
			for p.i+1 < p.n {
				p.i++
				if l.doc = l.number(p.docs[p.i]); l.doc != gone {
					return true
				}
			}
		}
		l.blk++
		if l.whole = l.stays(); l.whole {
			return true
		}
		if !p.load(l.blk) {
			return false
		}
		if l.doc = l.number(p.docs[0]); l.doc != gone {
			return true
		}
	}
}

// stays says whether the current block can be copied: its documents, and all between them, stay and
// stay side by side.
func (l *mergeList) stays() bool {
	p := l.p
	if p.single || l.runs == nil || l.blk >= p.nblk || p.count(l.blk) < leastCopied {
		return false
	}
	from, last := uint32(0), p.last(l.blk)
	if l.blk > 0 {
		from = p.last(l.blk-1) + 1
	}
	if from > last || last >= p.r.docs {
		return false
	}
	l.doc = l.to[from]
	next, _ := slices.BinarySearch(l.runs, from+1)
	return l.doc != gone && (next == len(l.runs) || l.runs[next] > last)
}

// emit writes the current posting or block.
func (l *mergeList) emit(t *termWriter) error {
	if l.whole {
		return l.copy(t)
	}
	return l.one(t)
}

func (l *mergeList) one(t *termWriter) error {
	p := l.p
	var pos []byte
	if t.positions {
		var ok bool
		if pos, ok = p.storedPos(); !ok {
			p.r.fail(p.chunk.post+p.chunk.postLen, "positions make no sense")
			return p.r.Err()
		}
	}
	t.posting(l.doc, p.Mask(), p.TF(), pos)
	return nil
}

// copy writes a whole block as it is. When postings wait that are too few for a block of their own, it makes
// of them and of the block's postings one block, or two of about one size.
func (l *mergeList) copy(t *termWriter) error {
	p, n := l.p, l.p.count(l.blk)
	if t.n >= leastCopied {
		t.flush()
	}
	if t.n == 0 {
		block, bounds := p.raw(l.blk), p.rawBounds(l.blk)
		var pos []byte
		ok := len(block) > 0 && len(bounds) > 0
		if ok && t.positions {
			pos, ok = p.blockPos(l.blk)
		}
		if !ok {
			p.damage()
			return p.r.Err()
		}
		t.copyBlock(l.to[p.last(l.blk)], n, block, bounds, pos)
		return nil
	}
	if !p.load(l.blk) {
		return p.r.Err()
	}
	half := blockLen + 1
	if t.n+n > blockLen {
		half = (t.n + n) / 2
	}
	for p.i < p.n {
		if t.n == half {
			t.flush()
			half = blockLen + 1
		}
		l.doc = l.number(p.docs[p.i])
		if err := l.one(t); err != nil {
			return err
		}
		p.i++
	}
	return nil
}

func (m *merge) writeList(t *termWriter, lists []mergeList) error {
	n := 0
	for i := range lists {
		if lists[i].next() {
			lists[n], lists[i] = lists[i], lists[n]
			n++
		}
	}
	for n > 0 {
		best, second := 0, uint32(gone)
		for i := 1; i < n; i++ {
			if lists[i].doc < lists[best].doc {
				best, second = i, lists[best].doc
			} else {
				second = min(second, lists[i].doc)
			}
		}
		l := &lists[best]
		for more := true; more; more = l.doc < second {
			if err := l.emit(t); err != nil {
				return err
			}
			if !l.next() {
				n--
				lists[best], lists[n] = lists[n], lists[best]
				break
			}
		}
	}
	return nil
}

func (m *merge) columns() (*columns, error) {
	c := &columns{
		docs: m.docs, positions: len(m.in) > 0 && m.in[0].positions, lens: m.lens, each: m.each,
		record: func(in int, doc uint32) int64 { return m.in[in].Record(doc) },
		part:   func(in int, doc uint32) int32 { return m.in[in].Part(doc) },
		year:   func(in int, doc uint32) int16 { return m.in[in].Year(doc) },
		key:    func(in int, doc uint32) []byte { return m.in[in].TitleKey(doc) },
	}
	for i, x := range m.in {
		var stay, live uint64
		for d, to := range m.to[i] {
			if to != gone {
				live++
				stay += uint64(LenOf(x.Len(uint32(d))))
			}
		}
		part := 1.0
		switch {
		case live == uint64(x.docs):
		case x.lenSum > 0:
			part = float64(stay) / float64(x.lenSum)
		default:
			part = float64(live) / float64(x.docs)
		}
		for f, n := range x.fields {
			if part != 1 {
				n = uint64(math.Round(float64(n) * part))
			}
			c.fields[f] += n
		}
	}
	var buf []uint32
	for f := range Facet(NumFacets) {
		type value struct {
			text string
			in   int
			ord  uint32
		}
		var all []value
		for i, x := range m.in {
			col := x.Facet(f)
			used := make([]bool, col.Cardinality())
			for d, to := range m.to[i] {
				if to != gone {
					buf = col.Of(uint32(d), buf[:0])
					for _, o := range buf {
						used[o] = true
					}
				}
			}
			m.place[f] = append(m.place[f], make([]uint32, len(used)))
			for o, u := range used {
				if u {
					all = append(all, value{col.Value(uint32(o)), i, uint32(o)})
				}
			}
		}
		slices.SortFunc(all, func(a, b value) int { return cmp.Compare(a.text, b.text) })
		for _, v := range all {
			if n := len(c.values[f]); n == 0 || c.values[f][n-1] != v.text {
				c.values[f] = append(c.values[f], v.text)
			}
			m.place[f][v.in][v.ord] = uint32(len(c.values[f]) - 1)
		}
	}
	c.of = func(f Facet, in int, doc uint32, dst []uint32) []uint32 {
		from := len(dst)
		dst = m.in[in].Facet(f).Of(doc, dst)
		for i := range dst[from:] {
			dst[from+i] = m.place[f][in][dst[from+i]]
		}
		return dst
	}
	for f, values := range c.values {
		m.values[f] = len(values)
	}
	return c, m.damage()
}

// count counts the facets of a word's documents that stay, in one input.
func (m *merge) count(c *commonCounts, s *scratch, in int, t Term) {
	x, to := m.in[in], m.to[in]
	years := x.Years()
	s.p = x.Postings(t, s.p)
	for s.p.NextBlock() {
		docs := s.p.BlockDocs()
		if x.Deleted != nil {
			s.stay = s.stay[:0]
			for _, d := range docs {
				if to[d] != gone {
					s.stay = append(s.stay, d)
				}
			}
			docs = s.stay
		}
		for f := range Facet(NumFacets) {
			x.Facet(f).tally(docs, m.place[f][in], c.counts[f])
		}
		for _, d := range docs {
			c.year(years[d])
		}
	}
}
