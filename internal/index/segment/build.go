package segment

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"io"
	"math"
	"slices"

	"wenlan/internal/errs"
)

// sliceLen is how long the slices of a stream are, link included.
var sliceLen = [...]uint32{12, 20, 36, 68, 132, 260, 516, 1028, 2052, 4100}

// Builder collects documents and writes them as one segment. It is not safe for
// concurrent use.
type Builder struct {
	opts    Options
	words   *interner
	tokens  []token // of the document being added
	pool    [][]byte
	spare   [][]byte // pages to use again
	free    uint32   // the first unused address of the pool
	full    bool     // the pool was exceeded
	touched uint64   // only so that looking ahead is not compiled away

	records []int64
	parts   []int32
	years   []int16
	lens    []uint8
	fields  [NumFields]uint64
	keys    []byte
	keyEnds []uint32
	facets  [NumFacets]facetBuilder
	rising  bool                // documents came in order
	seen    map[docKey]struct{} // nil while rising
}

type docKey struct {
	record int64
	part   int32
}

type facetBuilder struct {
	values *interner
	ends   []uint32 // by document, in ords
	ords   []uint32 // ids of values
}

// NewBuilder makes an empty builder.
func NewBuilder(opts Options) *Builder {
	if opts.Weights == [NumFields]float32{} {
		opts.Weights = DefaultWeights
	}
	b := &Builder{opts: opts, words: newInterner(), rising: true}
	for f := range b.facets {
		b.facets[f].values = newInterner()
	}
	return b
}

// reset empties the builder, and keeps its memory.
func (b *Builder) reset() {
	b.words.reset()
	for f := range b.facets {
		c := &b.facets[f]
		c.values.reset()
		c.ends, c.ords = c.ends[:0], c.ords[:0]
	}
	b.spare, b.pool, b.free, b.full = whole(b.spare, b.pool), nil, 0, false
	b.records, b.parts, b.years, b.lens = b.records[:0], b.parts[:0], b.years[:0], b.lens[:0]
	b.keys, b.keyEnds = b.keys[:0], b.keyEnds[:0]
	b.fields = [NumFields]uint64{}
	b.rising, b.seen = true, nil
}

// Docs is the number of documents added.
func (b *Builder) Docs() int { return len(b.records) }

// Size is about the memory that the builder holds, in bytes. Finish takes about a third more while it runs.
func (b *Builder) Size() int64 {
	n := b.words.memory() + int64(cap(b.tokens))*48 + int64(len(b.pool))*pageSize
	n += int64(cap(b.records)*8 + cap(b.parts)*4 + cap(b.years)*2 + cap(b.lens) + cap(b.keys) + cap(b.keyEnds)*4)
	for f := range b.facets {
		c := &b.facets[f]
		n += c.values.memory() + int64(cap(c.ends)*4+cap(c.ords)*4)
	}
	return n + int64(len(b.seen))*40
}

// Add takes one document, in any order of Record and Part; rising order is faster. It keeps nothing of d. The
// same (Record, Part) twice is errs.Invalid; more documents than MaxDocs, more text than a builder
// can hold (3.5 GiB of postings), or more than MaxTokens in d, are errs.TooLarge. After an error the builder is as before.
func (b *Builder) Add(d *Doc) error {
	if err := b.mayAdd(d); err != nil {
		return err
	}
	doc := uint32(len(b.records))
	b.records = append(b.records, d.Record)
	b.parts = append(b.parts, d.Part)
	b.years = append(b.years, d.Year)
	var length float64
	for f := range d.Tokens {
		n := 0
		for at, word := range d.Tokens[f] {
			if word == "" || len(word) > MaxToken {
				continue
			}
			n++
			b.tokens = append(b.tokens, token{word: word, at: uint32(at), field: uint8(f)})
		}
		b.fields[f] += uint64(n)
		length += float64(n) * float64(b.opts.Weights[f])
	}
	b.addTokens(doc)
	b.lens = append(b.lens, LenCode(uint32(min(max(length, 0), math.MaxInt32))))
	b.keys = append(b.keys, d.TitleKey[:min(len(d.TitleKey), MaxTitleKey)]...)
	b.keyEnds = append(b.keyEnds, uint32(len(b.keys)))
	b.facets[Language].add(d.Languages...)
	b.facets[Kind].add(d.Kind)
	b.facets[Subject].add(d.Subjects...)
	b.facets[Creator].add(d.Creators...)
	b.facets[Access].add(d.Access...)
	return nil
}

func (b *Builder) mayAdd(d *Doc) error {
	tokens := 0
	for f := range d.Tokens {
		tokens += len(d.Tokens[f])
	}
	n := len(b.records)
	if tokens > MaxTokens {
		return errs.New(errs.TooLarge, "a document has more than %d tokens", MaxTokens)
	}
	full := n >= MaxDocs || len(b.pool) > maxPages/8*7 || len(b.words.pages) > maxPages/2 || len(b.keys) > math.MaxUint32/2
	for f := range b.facets {
		full = full || len(b.facets[f].ords) > math.MaxUint32/2 || len(b.facets[f].values.pages) > maxPages/2
	}
	if full {
		return errs.New(errs.TooLarge, "the segment is full")
	}
	key := docKey{d.Record, d.Part}
	if n > 0 && b.rising {
		if c := cmp.Or(cmp.Compare(b.records[n-1], d.Record), cmp.Compare(b.parts[n-1], d.Part)); c >= 0 {
			b.rising = false
			b.seen = make(map[docKey]struct{}, n)
			for i, r := range b.records {
				b.seen[docKey{r, b.parts[i]}] = struct{}{}
			}
		}
	}
	if !b.rising {
		if _, twice := b.seen[key]; twice {
			return errs.New(errs.Invalid, "record %d, part %d is already in the segment", d.Record, d.Part)
		}
		b.seen[key] = struct{}{}
	}
	return nil
}

func (c *facetBuilder) add(values ...string) {
	from := len(c.ords)
	for _, v := range values {
		if v = v[:min(len(v), MaxValue)]; v == "" || len(c.ords)-from >= MaxPerDoc {
			continue
		}
		id, _ := c.values.id(v)
		if !slices.Contains(c.ords[from:], id) {
			c.ords = append(c.ords, id)
		}
	}
	c.ends = append(c.ends, uint32(len(c.ords)))
}

// of appends the ids of a document's values.
func (c *facetBuilder) of(doc uint32, dst []uint32) []uint32 {
	from := uint32(0)
	if doc > 0 {
		from = c.ends[doc-1]
	}
	return append(dst, c.ords[from:c.ends[doc]]...)
}

// token is one place of a word in the document being added.
type token struct {
	word         string
	hash, entry  uint64
	where, write uint32 // of the word, as far as the first look finds it
	at           uint32
	field        uint8
}

// addTokens writes the document's tokens. All hashes come first, with a look at their places in the table, the
// words there, and the ends of their chains, so that the misses of the cache are waited for together.
func (b *Builder) addTokens(doc uint32) {
	b.words.reserve(len(b.tokens))
	table := b.words.table
	mask := uint64(len(table) - 1)
	var touched uint64
	for i := range b.tokens {
		t := &b.tokens[i]
		t.hash = maphash.String(b.words.seed, t.word)
		t.entry = table[t.hash>>32&mask]
	}
	for i := range b.tokens { // the word, unless the place is another's
		if t := &b.tokens[i]; t.entry != 0 && t.entry>>32 == t.hash>>32 {
			t.where, t.write = b.words.words[uint32(t.entry)-1].where, b.words.words[uint32(t.entry)-1].at
		}
	}
	for i := range b.tokens {
		if t := &b.tokens[i]; t.write != 0 {
			touched += uint64(b.words.pages[t.where>>pageShift][t.where&(pageSize-1)]) +
				uint64(b.pool[(t.write-1)>>pageShift][(t.write-1)&(pageSize-1)])
		}
	}
	b.touched |= touched
	for i := range b.tokens {
		t := &b.tokens[i]
		id, isNew := b.words.find(t.word, t.hash)
		w := &b.words.words[id]
		if isNew {
			start := b.slice(sliceLen[0])
			w.start, w.at, w.end = start, start, start+sliceLen[0]-4
		}
		b.occurrence(w, doc, t.field, t.at)
	}
	clear(b.tokens)
	b.tokens = b.tokens[:0]
}

// occurrence writes one place of a word: the document less the last one, and the field, in one
// varint; then the position.
func (b *Builder) occurrence(s *word, doc uint32, field uint8, at uint32) {
	v := uint64(doc+1-s.doc)<<3 | uint64(field)
	s.doc = doc + 1
	for v >= 0x80 {
		b.put(s, byte(v)|0x80)
		v >>= 7
	}
	b.put(s, byte(v))
	if b.opts.Positions {
		for at >= 0x80 {
			b.put(s, byte(at)|0x80)
			at >>= 7
		}
		b.put(s, byte(at))
	}
}

func (b *Builder) put(s *word, x byte) {
	if s.at == s.end {
		b.extend(s)
	}
	b.pool[s.at>>pageShift][s.at&(pageSize-1)] = x
	s.at++
}

// extend gives a stream its next slice.
func (b *Builder) extend(s *word) {
	if int(s.level)+1 < len(sliceLen) {
		s.level++
	}
	n := sliceLen[s.level]
	next := b.slice(n)
	link := b.pool[s.end>>pageShift][s.end&(pageSize-1):]
	link[0], link[1], link[2], link[3] = byte(next), byte(next>>8), byte(next>>16), byte(next>>24)
	s.at, s.end = next, next+n-4
}

// slice takes n bytes of one page.
func (b *Builder) slice(n uint32) uint32 {
	if len(b.pool) == 0 || b.free&(pageSize-1)+n > pageSize || b.free>>pageShift >= uint32(len(b.pool)) {
		if b.full = b.full || len(b.pool) == maxPages-1; b.full {
			return uint32(len(b.pool)-1) << pageShift // overwrites what is there; Finish fails
		}
		b.free = uint32(len(b.pool)) << pageShift
		n := pageSize
		if len(b.pool) == 0 {
			n = firstPage
		}
		b.pool = append(b.pool, page(&b.spare, n))
	}
	if need := b.free&(pageSize-1) + n; need > uint32(len(b.pool[len(b.pool)-1])) {
		last := &b.pool[len(b.pool)-1]
		grown := make([]byte, min(pageSize, 2*max(need, uint32(len(*last)))))
		copy(grown, *last)
		*last = grown
	}
	at := b.free
	b.free += n
	return at
}

// streamReader reads a stream.
type streamReader struct {
	pool  [][]byte
	rest  []byte // of the slice
	link  uint32 // where the address of the next one is, unless this is the last
	level int
	end   uint32 // of the stream
	last  bool   // the slice is the last one
}

func (b *Builder) read(s *word) (r streamReader) {
	r = streamReader{pool: b.pool, end: s.at}
	r.slice(s.start)
	return r
}

// slice begins with the slice at an address.
func (r *streamReader) slice(at uint32) {
	r.link = at + sliceLen[r.level] - 4
	page := r.pool[at>>pageShift]
	if r.last = at <= r.end && r.end <= r.link; r.last {
		r.rest = page[at&(pageSize-1):][:r.end-at]
	} else {
		r.rest = page[at&(pageSize-1):][:r.link-at]
	}
}

// more says whether something follows. No slice but the last ends before its link.
func (r *streamReader) more() bool { return len(r.rest) > 0 || !r.last }

func (r *streamReader) byte() byte {
	if len(r.rest) == 0 {
		link := r.pool[r.link>>pageShift][r.link&(pageSize-1):]
		r.level = min(r.level+1, len(sliceLen)-1)
		r.slice(binary.LittleEndian.Uint32(link))
	}
	x := r.rest[0]
	r.rest = r.rest[1:]
	return x
}

func (r *streamReader) uvarint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		x := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(x)
	}
	return r.long()
}

// long is uvarint of more than a byte, or at the end of a slice.
func (r *streamReader) long() (x uint64) {
	for shift := 0; ; shift += 7 {
		c := r.byte()
		x |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return x
		}
	}
}

// built is a posting of a word that waits to be sorted.
type built struct {
	doc, piece uint32
	lo, hi     uint32 // its positions
	mask, tf   uint8
}

// Finish writes the segment, sorted by (Record, Part), and empties the builder, also when it fails. It
// writes in pieces and in order; nothing is synced. Its errors are those of w, and errs.TooLarge.
func (b *Builder) Finish(w io.Writer) error {
	defer b.reset()
	b.seen = nil
	lost := b.full || b.words.full
	for f := range b.facets {
		lost = lost || b.facets[f].values.full
	}
	if lost {
		return errs.New(errs.TooLarge, "the documents are too large for one segment")
	}
	var order []uint32 // new to old; nil: the same
	var place []placed // by old number
	if !b.rising {
		order = make([]uint32, len(b.records))
		for i := range order {
			order[i] = uint32(i)
		}
		slices.SortFunc(order, func(x, y uint32) int {
			return cmp.Or(cmp.Compare(b.records[x], b.records[y]), cmp.Compare(b.parts[x], b.parts[y]))
		})
		place = make([]placed, len(order))
		lens := make([]uint8, len(order))
		piece := uint32(0)
		for i, x := range order {
			if i > 0 && x != order[i-1]+1 {
				piece++
			}
			place[x] = placed{uint32(i), piece}
			lens[i] = b.lens[x]
		}
		b.lens = lens
	}
	f := newWriter(w)
	c, ords := b.columns(order)
	if err := b.writeTerms(f, place, &ords); err != nil {
		return err
	}
	if err := c.write(f); err != nil {
		return err
	}
	return f.finish()
}

// placed is where a document comes: its new number, and the number of the piece that it is in. A piece is documents
// that are side by side, in the same order, in the old numbers and in the new ones. Documents mostly come in batches
// that are in order each, so that pieces are long.
type placed struct{ doc, piece uint32 }

// writeTerms writes the words. place gives documents their new numbers, ords the new ordinals of facet values, by their ids.
func (b *Builder) writeTerms(f *writer, place []placed, ords *[NumFacets][]uint32) error {
	list := &chunkList{f: f}
	t := newTermWriter(b.lens, b.opts.Positions, len(b.words.words), list.put)
	var docs []uint32 // of the word, by their old numbers, where facets are counted
	var values [NumFacets]int
	for f := range ords {
		values[f] = len(ords[f])
	}
	t.tallies = newCommonCounts(len(b.records), values)
	t.count = func(c *commonCounts) {
		for f := range b.facets {
			b.facets[f].tally(docs, ords[f], c.counts[f])
		}
		for _, d := range docs {
			c.year(b.years[d])
		}
	}
	ids := b.words.sorted()
	var occ []Pos
	var pos []byte
	var wait []built
	var runs []run
	for i, id := range ids {
		if i%ahead == 0 {
			b.look(ids[i:min(i+ahead, len(ids))])
		}
		r := b.read(&b.words.words[id])
		pos, wait, docs = pos[:0], wait[:0], docs[:0]
		doc := uint32(math.MaxUint32) // so that the first is the first difference less 1
		v := r.uvarint()
		for more := true; more; {
			doc += uint32(v >> 3)
			mask, tf := uint8(0), 0
			occ = occ[:0]
			for same := true; same; {
				tf++
				mask |= 1 << (v & 7)
				if b.opts.Positions {
					occ = append(occ, Pos{Field(v & 7), uint32(r.uvarint())})
				}
				if more = r.more(); !more {
					break
				}
				v = r.uvarint()
				same = v>>3 == 0
			}
			if t.tallies != nil {
				docs = append(docs, doc)
			}
			lo, n := uint32(len(pos)), uint8(min(tf, 255))
			switch {
			case len(occ) == 1:
				pos = binary.AppendUvarint(pos, uint64(occ[0].At))
			case len(occ) > 1:
				pos = appendPos(pos, mask, n, occ)
			}
			if place == nil {
				t.posting(doc, mask, n, pos)
				pos = pos[:0]
			} else {
				to := place[doc]
				wait = append(wait, built{to.doc, to.piece, lo, uint32(len(pos)), mask, n})
			}
		}
		if len(wait) > 0 {
			runs = sortBuilt(wait, runs[:0])
			for _, one := range runs {
				for _, x := range wait[one.lo:one.hi] {
					t.posting(x.doc, x.mask, x.tf, pos[x.lo:x.hi])
				}
			}
		}
		if err := t.end(b.words.text(id)); err != nil {
			return err
		}
	}
	if err := t.endChunk(); err != nil {
		return err
	}
	return list.finish()
}

// run is a part of a list, of one piece.
type run struct{ lo, hi int }

// sortBuilt gives the runs of a list in the order of the new numbers.
func sortBuilt(list []built, runs []run) []run {
	lo, rises := 0, true
	for i := 1; i < len(list); i++ {
		if list[i].piece != list[i-1].piece {
			rises = rises && list[i].doc > list[i-1].doc
			runs = append(runs, run{lo, i})
			lo = i
		}
	}
	if rises {
		return append(runs[:0], run{0, len(list)})
	}
	runs = append(runs, run{lo, len(list)})
	slices.SortFunc(runs, func(x, y run) int { return cmp.Compare(list[x.lo].doc, list[y.lo].doc) })
	return runs
}

// ahead is how many words Finish looks at together.
const ahead = 32

// look touches the words, their texts and the beginnings of their chains, so that the misses of the cache
// are waited for together.
func (b *Builder) look(ids []uint32) {
	var touched uint64
	var at [ahead]uint32
	for i, id := range ids {
		w := &b.words.words[id]
		at[i] = w.start
		touched += uint64(b.words.pages[w.where>>pageShift][w.where&(pageSize-1)])
	}
	for _, x := range at[:len(ids)] {
		touched += uint64(b.pool[x>>pageShift][x&(pageSize-1)])
	}
	b.touched += touched
}

// columns gives the columns, and the new ordinals of facet values by their ids.
func (b *Builder) columns(order []uint32) (c *columns, place [NumFacets][]uint32) {
	c = &columns{
		docs: len(b.records), positions: b.opts.Positions, fields: b.fields, lens: b.lens,
		each: func(f func(int, uint32)) {
			for i := range b.records {
				if order != nil {
					i = int(order[i])
				}
				f(0, uint32(i))
			}
		},
		record: func(_ int, doc uint32) int64 { return b.records[doc] },
		part:   func(_ int, doc uint32) int32 { return b.parts[doc] },
		year:   func(_ int, doc uint32) int16 { return b.years[doc] },
		key: func(_ int, doc uint32) []byte {
			from := uint32(0)
			if doc > 0 {
				from = b.keyEnds[doc-1]
			}
			return b.keys[from:b.keyEnds[doc]]
		},
	}
	for f := range b.facets {
		c.values[f], place[f] = sortValues(b.facets[f].values)
	}
	c.of = func(f Facet, _ int, doc uint32, dst []uint32) []uint32 {
		from := len(dst)
		dst = b.facets[f].of(doc, dst)
		for i := range dst[from:] {
			dst[from+i] = place[f][dst[from+i]]
		}
		return dst
	}
	return c, place
}
