package segment

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"io"
	"slices"
	"sort"

	"github.com/blevesearch/vellum"

	"wenlan/internal/errs"
)

// Builder collects documents and writes them as one segment. It is not safe for
// concurrent use.
type Builder struct {
	opts Options
	docs []Doc
	size int64
	seen map[[2]int64]bool
}

// NewBuilder makes an empty builder.
func NewBuilder(opts Options) *Builder {
	if opts.Weights == [NumFields]float32{} {
		opts.Weights = DefaultWeights
	}
	return &Builder{opts: opts, seen: map[[2]int64]bool{}}
}

// Add takes one document, in any order of Record and Part. It keeps nothing of d. The
// same (Record, Part) twice is errs.Invalid; more than MaxDocs are errs.TooLarge. After
// an error the builder is as before.
func (b *Builder) Add(d *Doc) error {
	k := [2]int64{d.Record, int64(d.Part)}
	if b.seen[k] {
		return errs.New(errs.Invalid, "record %d, part %d is already in the segment", d.Record, d.Part)
	}
	b.seen[k] = true
	c := *d
	for f := range c.Tokens {
		c.Tokens[f] = slices.Clone(c.Tokens[f])
		for _, t := range c.Tokens[f] {
			b.size += int64(len(t)) + 16
		}
	}
	c.TitleKey = slices.Clone(c.TitleKey[:min(len(c.TitleKey), MaxTitleKey)])
	c.Languages, c.Subjects = slices.Clone(c.Languages), slices.Clone(c.Subjects)
	c.Creators, c.Access = slices.Clone(c.Creators), slices.Clone(c.Access)
	b.docs = append(b.docs, c)
	b.size += 300
	return nil
}

// Docs is the number of documents added.
func (b *Builder) Docs() int { return len(b.docs) }

// Size is about the memory that the builder holds, in bytes.
func (b *Builder) Size() int64 { return b.size }

type wire struct {
	Opts Options
	Docs []Doc
}

// Finish writes the segment, sorted by (Record, Part), and empties the builder. It
// buffers; nothing is synced.
func (b *Builder) Finish(w io.Writer) error {
	docs := b.docs
	b.docs, b.size, b.seen = nil, 0, map[[2]int64]bool{}
	slices.SortFunc(docs, func(x, y Doc) int { return cmp.Or(cmp.Compare(x.Record, y.Record), cmp.Compare(x.Part, y.Part)) })
	return gob.NewEncoder(w).Encode(wire{b.opts, docs})
}

type posting struct {
	doc  uint32
	mask uint8
	tf   int
	pos  []Pos
}

// Reader reads a segment. All its methods may be called by many goroutines at once.
type Reader struct {
	wire
	lens   []uint8
	years  []int16
	fields [NumFields]uint64
	terms  []string
	lists  map[string][]posting
	facets [NumFacets]*FacetColumn
}

// Open looks at footer, section table and dictionary header only. data may be
// memory-mapped; it must not change while the reader is used, and is not changed. Bytes
// that are no segment are errs.Corrupt.
func Open(data []byte) (*Reader, error) {
	r := &Reader{lists: map[string][]posting{}}
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&r.wire); err != nil {
		return nil, errs.New(errs.Corrupt, "no segment: %w", err)
	}
	var vals [NumFacets][][]string
	for i := range r.wire.Docs {
		d := &r.wire.Docs[i]
		var length float32
		for f, toks := range d.Tokens {
			for at, t := range toks {
				if t == "" || len(t) > MaxToken {
					continue
				}
				r.fields[f]++
				length += r.Opts.Weights[f]
				l := r.lists[t]
				if len(l) == 0 || l[len(l)-1].doc != uint32(i) {
					l = append(l, posting{doc: uint32(i)})
				}
				p := &l[len(l)-1]
				p.tf++
				p.mask |= 1 << f
				p.pos = append(p.pos, Pos{Field(f), uint32(at)})
				r.lists[t] = l
			}
		}
		r.lens = append(r.lens, LenCode(uint32(length)))
		r.years = append(r.years, d.Year)
		for f, v := range [NumFacets][]string{d.Languages, {d.Kind}, d.Subjects, d.Creators, d.Access} {
			vals[f] = append(vals[f], v)
		}
	}
	for t := range r.lists {
		r.terms = append(r.terms, t)
	}
	slices.Sort(r.terms)
	for f := range r.facets {
		r.facets[f] = newFacet(vals[f])
	}
	return r, nil
}

// Docs is the number of documents, the deleted ones included.
func (r *Reader) Docs() int { return len(r.wire.Docs) }

// FieldLengths are the tokens of each field, gaps left out, summed over all documents. A merge that
// leaves documents out scales them by what was left out.
func (r *Reader) FieldLengths() [NumFields]uint64 { return r.fields }

// LengthSum is the sum over all documents of the weighted length, in tokens, as quantised.
func (r *Reader) LengthSum() uint64 {
	var n uint64
	for _, c := range r.lens {
		n += uint64(LenOf(c))
	}
	return n
}

// Positions says whether the segment keeps positions.
func (r *Reader) Positions() bool { return r.Opts.Positions }

// Record is the accession number of a document; 0 when there is no such document.
func (r *Reader) Record(doc uint32) int64 { return r.wire.Docs[doc].Record }

// Part is the part of a document; 0 when there is no such document.
func (r *Reader) Part(doc uint32) int32 { return r.wire.Docs[doc].Part }

// Find gives the documents of a record: lo and those after it, before hi. None: lo == hi.
func (r *Reader) Find(record int64) (lo, hi uint32) {
	n := len(r.wire.Docs)
	a := sort.Search(n, func(i int) bool { return r.wire.Docs[i].Record >= record })
	b := sort.Search(n, func(i int) bool { return r.wire.Docs[i].Record > record })
	return uint32(a), uint32(b)
}

// Err is the first damage that reading met, nil when none; it stays. What cannot be read is shown as
// empty: whoever needs the whole asks Err at the end.
func (r *Reader) Err() error { return nil }

// Verify reads the whole segment: every block's checksum, and that all decodes and agrees.
func (r *Reader) Verify() error { return nil }

// Term is a word of the dictionary.
type Term struct {
	DF   int // documents that have it, the deleted ones included; at least 1
	text string
}

// Term looks a word up.
func (r *Reader) Term(text string) (Term, bool) {
	l := r.lists[text]
	return Term{len(l), text}, len(l) > 0
}

// TermIter walks through words in order of their bytes.
type TermIter struct {
	r     *Reader
	aut   vellum.Automaton
	terms []string
	to    string
	cur   string
}

// Terms walks through the words from (inclusive) to (exclusive; "" for no end) that the
// automaton accepts; nil accepts all.
func (r *Reader) Terms(aut vellum.Automaton, from, to string) *TermIter {
	i := sort.SearchStrings(r.terms, from)
	return &TermIter{r: r, aut: aut, terms: r.terms[i:], to: to}
}

// Next moves to the next word; false at the end.
func (it *TermIter) Next() bool {
	for len(it.terms) > 0 {
		it.cur, it.terms = it.terms[0], it.terms[1:]
		if it.to != "" && it.cur >= it.to {
			it.terms = nil
			return false
		}
		if it.aut != nil {
			s := it.aut.Start()
			for i := range len(it.cur) {
				s = it.aut.Accept(s, it.cur[i])
			}
			if !it.aut.IsMatch(s) {
				continue
			}
		}
		return true
	}
	return false
}

// Text is the current word; valid until Next.
func (it *TermIter) Text() []byte { return []byte(it.cur) }

// Term is the current word's term.
func (it *TermIter) Term() Term { t, _ := it.r.Term(it.cur); return t }

// blockLen is the number of postings in every block but the last.
const blockLen = 128

// Postings walks through the documents of a term, in order. It belongs to one goroutine.
type Postings struct {
	r     *Reader
	list  []posting
	i     int // the posting; -1 before the first
	sh    int // the block of BlockLast, MaxTF, MinLen, Impacts
	docs  []uint32
	masks []uint8
	tfs   []uint8
}

// Postings gives the postings of a term of this reader. p is reused when not nil. It stands
// before the first posting: call Next, Advance or NextBlock before Doc.
func (r *Reader) Postings(t Term, p *Postings) *Postings {
	if p == nil {
		p = &Postings{}
	}
	p.r, p.list, p.i, p.sh = r, r.lists[t.text], -1, 0
	return p
}

// DF is the number of postings.
func (p *Postings) DF() int { return len(p.list) }

// Doc is the current document; NoMore past the last.
func (p *Postings) Doc() uint32 {
	if p.i >= len(p.list) {
		return NoMore
	}
	if p.i < 0 {
		return 0
	}
	return p.list[p.i].doc
}

// Next moves to the next posting and returns its document, or NoMore.
func (p *Postings) Next() uint32 {
	if p.i < len(p.list) {
		p.i++
	}
	p.sh = p.i / blockLen
	return p.Doc()
}

// Advance moves to the first posting at or after the current one whose document is at least
// target, and returns its document, or NoMore. It does not move when the current one is.
func (p *Postings) Advance(target uint32) uint32 {
	if p.i < 0 {
		p.i = 0
	}
	for p.i < len(p.list) && p.list[p.i].doc < target {
		p.i++
	}
	p.sh = p.i / blockLen
	return p.Doc()
}

// Mask is the fields of the current document that have the term, as bits.
func (p *Postings) Mask() uint8 { return p.list[p.i].mask }

// TF is how often the current document has the term, in all fields, at most 255.
func (p *Postings) TF() uint8 { return uint8(min(255, p.list[p.i].tf)) }

// Positions appends the places of the term in the current document to dst, sorted by
// field and place. It gives none when the segment keeps no positions.
func (p *Postings) Positions(dst []Pos) []Pos {
	if !p.r.Opts.Positions {
		return dst
	}
	return append(dst, p.list[p.i].pos...)
}

func (p *Postings) fill() {
	lo := p.i / blockLen * blockLen
	p.docs, p.masks, p.tfs = p.docs[:0], p.masks[:0], p.tfs[:0]
	for _, q := range p.list[lo:min(lo+blockLen, len(p.list))] {
		p.docs = append(p.docs, q.doc)
		p.masks = append(p.masks, q.mask)
		p.tfs = append(p.tfs, uint8(min(255, q.tf)))
	}
}

// Block is the block that Doc is in, all of it: documents, masks and tfs, of one length of
// at most 128. Doc is docs[Index()]. The slices are valid until the postings move.
func (p *Postings) Block() (docs []uint32, masks, tfs []uint8) {
	if p.i < 0 || p.i >= len(p.list) {
		return nil, nil, nil
	}
	p.fill()
	return p.docs, p.masks, p.tfs
}

// BlockDocs is the documents of Block alone, which is cheaper.
func (p *Postings) BlockDocs() []uint32 { d, _, _ := p.Block(); return d }

// Index is the place of the current document in Block.
func (p *Postings) Index() int { return p.i % blockLen }

// NextBlock moves to the first posting of the next block; false, and Doc is NoMore, when
// there is none.
func (p *Postings) NextBlock() bool {
	if p.i < 0 {
		p.i = 0
	} else {
		p.i = min((p.i/blockLen+1)*blockLen, len(p.list))
	}
	p.sh = p.i / blockLen
	return p.i < len(p.list)
}

// ShallowAdvance moves to the block that the first posting at or after target is in, forward only,
// without decoding it: BlockLast, MaxTF, MinLen and Impacts speak of it, while Doc and Block
// stay as they were until Next, Advance or NextBlock. False when there is no such block.
func (p *Postings) ShallowAdvance(target uint32) bool {
	for p.sh*blockLen < len(p.list) && p.BlockLast() < target {
		p.sh++
	}
	return p.sh*blockLen < len(p.list)
}

// BlockLast is the last document of the block; NoMore past the last block.
func (p *Postings) BlockLast() uint32 {
	if p.sh*blockLen >= len(p.list) {
		return NoMore
	}
	return p.list[min((p.sh+1)*blockLen, len(p.list))-1].doc
}

// MaxTF is the greatest TF of the block; 0 past the last block.
func (p *Postings) MaxTF() uint8 {
	var m uint8
	for _, i := range p.Impacts(nil) {
		m = max(m, i.MaxTF)
	}
	return m
}

// MinLen is the least length code of the block's documents; 255 past the last block.
func (p *Postings) MinLen() uint8 {
	m := uint8(255)
	for _, i := range p.Impacts(nil) {
		m = min(m, i.MinLen)
	}
	return m
}

// Impacts appends to dst what bounds the score of the block's postings: at least one impact, and
// for each posting one that covers it. Tighter than MaxTF and MinLen. None past the last block.
func (p *Postings) Impacts(dst []Impact) []Impact {
	lo := p.sh * blockLen
	if lo >= len(p.list) {
		return dst
	}
	from := len(dst)
	for _, q := range p.list[lo:min(lo+blockLen, len(p.list))] {
		i := slices.IndexFunc(dst[from:], func(x Impact) bool { return x.Mask == q.mask })
		if i < 0 {
			dst = append(dst, Impact{q.mask, 0, 255})
			i = len(dst) - from - 1
		}
		x := &dst[from+i]
		x.MaxTF = max(x.MaxTF, uint8(min(255, q.tf)))
		x.MinLen = min(x.MinLen, p.r.lens[q.doc])
	}
	return dst
}

// Year is the year of a document; 0: unknown, or no such document.
func (r *Reader) Year(doc uint32) int16 { return r.years[doc] }

// Years are the years of all documents, by document. Not to be changed.
func (r *Reader) Years() []int16 { return r.years }

// Len is the quantised weighted length of a document, see LenOf.
func (r *Reader) Len(doc uint32) uint8 { return r.lens[doc] }

// Lens are the length codes of all documents, by document. Not to be changed.
func (r *Reader) Lens() []uint8 { return r.lens }

// TitleKey is the sort key of a document's title, at most MaxTitleKey bytes. Not to be changed.
func (r *Reader) TitleKey(doc uint32) []byte { return r.wire.Docs[doc].TitleKey }

// FacetColumn is one column of facet values. Ordinals are dense, in the order of the
// values' bytes, and mean something in this segment only.
type FacetColumn struct {
	values []string
	of     [][]uint32
}

func newFacet(docs [][]string) *FacetColumn {
	c := &FacetColumn{}
	for _, d := range docs {
		for _, v := range d {
			if v != "" {
				c.values = append(c.values, v[:min(len(v), MaxValue)])
			}
		}
	}
	slices.Sort(c.values)
	c.values = slices.Compact(c.values)
	for _, d := range docs {
		var o []uint32
		for _, v := range d {
			if i, ok := c.Ord(v[:min(len(v), MaxValue)]); ok && !slices.Contains(o, i) {
				o = append(o, i)
			}
		}
		c.of = append(c.of, o)
	}
	return c
}

// Facet gives a column; never nil.
func (r *Reader) Facet(f Facet) *FacetColumn { return r.facets[f] }

// Cardinality is the number of values.
func (c *FacetColumn) Cardinality() int { return len(c.values) }

// Value is the value of an ordinal; "" when there is no such ordinal.
func (c *FacetColumn) Value(ord uint32) string {
	if int(ord) >= len(c.values) {
		return ""
	}
	return c.values[ord]
}

// Ord looks a value up.
func (c *FacetColumn) Ord(value string) (uint32, bool) {
	i, ok := slices.BinarySearch(c.values, value)
	return uint32(i), ok
}

// Of appends the ordinals of a document's values to dst, in the order they were given.
func (c *FacetColumn) Of(doc uint32, dst []uint32) []uint32 { return append(dst, c.of[doc]...) }

// NoByte stands in Bytes for no value.
const NoByte = 0xff

// Bytes is, by document, the ordinal of its one value, or NoByte; nil when a document
// has more than one value or there are more than 255. Not to be changed.
func (c *FacetColumn) Bytes() []uint8 {
	if len(c.values) > 255 {
		return nil
	}
	out := make([]uint8, len(c.of))
	for i, o := range c.of {
		switch len(o) {
		case 0:
			out[i] = NoByte
		case 1:
			out[i] = uint8(o[0])
		default:
			return nil
		}
	}
	return out
}

// Lists16 gives the values of document d as ords[starts[d]:starts[d+1]]; nil, nil where Bytes
// is not nil or there are more than 65,536 values. Not to be changed.
func (c *FacetColumn) Lists16() (starts []uint32, ords []uint16) {
	if c.Bytes() != nil || len(c.values) > 1<<16 {
		return nil, nil
	}
	starts = append(starts, 0)
	for _, o := range c.of {
		for _, v := range o {
			ords = append(ords, uint16(v))
		}
		starts = append(starts, uint32(len(ords)))
	}
	return starts, ords
}

// Lists32 is as Lists16; nil, nil where Bytes or Lists16 is not.
func (c *FacetColumn) Lists32() (starts []uint32, ords []uint32) {
	if c.Bytes() != nil || len(c.values) <= 1<<16 {
		return nil, nil
	}
	starts = append(starts, 0)
	for _, o := range c.of {
		ords = append(ords, o...)
		starts = append(starts, uint32(len(ords)))
	}
	return starts, ords
}

// Merge writes the documents of all inputs but the deleted ones as one segment, sorted by
// (Record, Part). The same (Record, Part) alive in two inputs is errs.Invalid; inputs of which some keep positions and some not
// are errs.Invalid too; damage is errs.Corrupt. After an error, what was written is to be thrown away.
func Merge(w io.Writer, in []Input) error {
	if len(in) == 0 {
		return NewBuilder(Options{}).Finish(w)
	}
	b := NewBuilder(in[0].Opts)
	for _, x := range in {
		for i := range x.wire.Docs {
			if x.Deleted != nil && x.Deleted.Contains(uint32(i)) {
				continue
			}
			if err := b.Add(&x.wire.Docs[i]); err != nil {
				return err
			}
		}
	}
	return b.Finish(w)
}
