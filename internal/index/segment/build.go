package segment

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"io"
	"math"
	"slices"

	"wenlan/internal/errs"
)

// interner gives each word a small number. An open hash table over an arena: no
// allocation for a word.
type interner struct {
	seed  maphash.Seed
	table []uint64 // high half: of the hash; low half: the id plus one; 0: free
	words []word   // by id
	pages [][]byte
	full  bool // a word was lost
}

const (
	pageShift = 20
	pageSize  = 1 << pageShift
	maxPages  = 1 << (32 - pageShift)
	firstPage = 1 << 9 // bytes that the first page begins with
)

func newInterner() *interner { return &interner{seed: maphash.MakeSeed()} }

func (in *interner) text(id uint32) []byte {
	w := &in.words[id]
	at := w.where & (pageSize - 1)
	return in.pages[w.where>>pageShift][at : at+uint32(w.size)]
}

// memory is about what is held, in bytes.
func (in *interner) memory() int64 {
	return int64(cap(in.table)*8 + cap(in.words)*24 + len(in.pages)*pageSize)
}

// id is the number of a word of at most math.MaxUint16 bytes.
func (in *interner) id(word string) (id uint32, isNew bool) {
	in.reserve(1)
	return in.find(word, maphash.String(in.seed, word))
}

// reserve makes room for n more words, so that the table stays where it is.
func (in *interner) reserve(n int) {
	for (len(in.words)+n)*2 > len(in.table) {
		in.grow()
	}
}

// find is id, of a word whose hash is known and for which there is room.
func (in *interner) find(word string, hash uint64) (id uint32, isNew bool) {
	tag := hash &^ math.MaxUint32
	mask := uint64(len(in.table) - 1)
	for i := hash >> 32 & mask; ; i = (i + 1) & mask {
		e := in.table[i]
		if e == 0 {
			id = in.add(word)
			in.table[i] = tag | uint64(id+1)
			return id, true
		}
		if e&^math.MaxUint32 == tag {
			if id = uint32(e) - 1; string(in.text(id)) == word {
				return id, false
			}
		}
	}
}

func (in *interner) add(word string) uint32 {
	last := len(in.pages) - 1
	if last < 0 || len(in.pages[last])+len(word) > pageSize {
		if in.full = in.full || len(in.pages) == maxPages; in.full {
			word = ""
		} else {
			n := pageSize
			if last < 0 {
				n = firstPage // which grows: most builders are small
			}
			in.pages = append(in.pages, make([]byte, 0, n))
			last++
		}
	}
	in.words = append(in.words, text(uint32(last)<<pageShift|uint32(len(in.pages[last])), len(word)))
	in.pages[last] = append(in.pages[last], word...)
	return uint32(len(in.words) - 1)
}

func (in *interner) grow() {
	old := in.table
	in.table = make([]uint64, max(16, 2*len(old)))
	mask := uint64(len(in.table) - 1)
	for _, e := range old {
		if e == 0 {
			continue
		}
		i := e >> 32 & mask
		for in.table[i] != 0 {
			i = (i + 1) & mask
		}
		in.table[i] = e
	}
}

// sorted is all ids in the order of their words' bytes.
func (in *interner) sorted() []uint32 {
	type item struct {
		high, low uint64 // the first sixteen bytes
		id        uint32
	}
	items := make([]item, len(in.words))
	for i := range items {
		t := in.text(uint32(i))
		items[i] = item{prefixKey(t), prefixKey(t[min(8, len(t)):]), uint32(i)}
	}
	slices.SortFunc(items, func(a, b item) int {
		if a.high != b.high {
			return cmp.Compare(a.high, b.high)
		}
		if a.low != b.low {
			return cmp.Compare(a.low, b.low)
		}
		return bytes.Compare(in.text(a.id), in.text(b.id))
	})
	ids := make([]uint32, len(items))
	for i, x := range items {
		ids[i] = x.id
	}
	return ids
}

// word is an interned word, and in a builder where its occurrences are kept: a chain of slices in the
// pool, each of which ends with the address of the next. All in one place, as each costs a miss of the cache.
type word struct {
	where          uint32 // its text: page<<pageShift | offset
	size           uint16 // bytes
	level          uint8  // of the last slice
	start, at, end uint32 // addresses: of the first byte, of the next to write, of the link
	doc            uint32 // the last document, plus one
}

func text(where uint32, size int) word { return word{where: where, size: uint16(size)} }

// sliceLen is how long the slices of a stream are, link included.
var sliceLen = [...]uint32{12, 20, 36, 68, 132, 260, 516, 1028, 2052, 4100}

// Builder collects documents and writes them as one segment. It is not safe for
// concurrent use.
type Builder struct {
	opts    Options
	words   *interner
	tokens  []token // of the document being added
	pool    [][]byte
	free    uint32 // the first unused address of the pool
	full    bool   // the pool was exceeded
	touched uint64 // only so that looking ahead is not compiled away

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
	b := &Builder{opts: opts}
	b.reset()
	return b
}

func (b *Builder) reset() {
	*b = Builder{opts: b.opts, words: newInterner(), rising: true}
	for f := range b.facets {
		b.facets[f].values = newInterner()
	}
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
		b.pool = append(b.pool, make([]byte, n))
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
	pool    [][]byte
	at, end uint32
	last    uint32
	level   int
}

func (b *Builder) read(s *word) streamReader {
	return streamReader{b.pool, s.start, s.start + sliceLen[0] - 4, s.at, 0}
}

func (r *streamReader) more() bool { return r.at != r.last }

func (r *streamReader) byte() byte {
	if r.at == r.end {
		link := r.pool[r.end>>pageShift][r.end&(pageSize-1):]
		r.at = uint32(link[0]) | uint32(link[1])<<8 | uint32(link[2])<<16 | uint32(link[3])<<24
		if r.level+1 < len(sliceLen) {
			r.level++
		}
		r.end = r.at + sliceLen[r.level] - 4
	}
	x := r.pool[r.at>>pageShift][r.at&(pageSize-1)]
	r.at++
	return x
}

func (r *streamReader) uvarint() (x uint64) {
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
	doc      uint32
	mask, tf uint8
	lo, hi   int // its positions
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
	var order, place []uint32 // new to old, old to new; nil: the same
	if !b.rising {
		order = make([]uint32, len(b.records))
		for i := range order {
			order[i] = uint32(i)
		}
		slices.SortFunc(order, func(x, y uint32) int {
			return cmp.Or(cmp.Compare(b.records[x], b.records[y]), cmp.Compare(b.parts[x], b.parts[y]))
		})
		place = make([]uint32, len(order))
		lens := make([]uint8, len(order))
		for i, x := range order {
			place[x] = uint32(i)
			lens[i] = b.lens[x]
		}
		b.lens = lens
	}
	f := newWriter(w)
	c, values := b.columns(order)
	if err := b.writeTerms(f, place, c, &values); err != nil {
		return err
	}
	b.pool, b.words = nil, nil
	if err := c.write(f); err != nil {
		return err
	}
	return f.finish()
}

// writeTerms writes the words. place gives documents their new numbers, values the new ordinals of facet values.
func (b *Builder) writeTerms(f *writer, place []uint32, c *columns, values *[NumFacets][]uint32) error {
	t := newTermWriter(f, b.lens, b.opts.Positions, len(b.words.words))
	var docs []uint32 // of the word, as they were numbered; when facets of common words are counted
	t.common = c.common
	t.count = func() {
		for f := range b.facets {
			b.facets[f].tally(docs, values[f], c.common.counts[f])
		}
		for _, d := range docs {
			c.common.year(b.years[d])
		}
	}
	ids := b.words.sorted()
	var occ []Pos
	var pos []byte
	var list []built
	for i, id := range ids {
		if i%ahead == 0 {
			b.look(ids[i:min(i+ahead, len(ids))])
		}
		s := &b.words.words[id]
		r := b.read(s)
		pos, list = pos[:0], list[:0]
		next := uint32(0) // the document of the next occurrence, plus one
		occ = occ[:0]
		var mask uint8
		tf := 0
		docs = docs[:0]
		flush := func() {
			if c.common != nil {
				docs = append(docs, next-1)
			}
			lo := len(pos)
			n := uint8(min(tf, 255))
			if b.opts.Positions {
				pos = appendPos(pos, mask, n, occ)
			}
			if place == nil {
				t.posting(next-1, mask, n, pos)
				pos = pos[:0]
			} else {
				list = append(list, built{place[next-1], mask, n, lo, len(pos)})
			}
			occ, mask, tf = occ[:0], 0, 0
		}
		for r.more() {
			v := r.uvarint()
			if d := uint32(v >> 3); d != 0 {
				if tf > 0 {
					flush()
				}
				next += d
			}
			tf++
			mask |= 1 << (v & 7)
			if b.opts.Positions {
				occ = append(occ, Pos{Field(v & 7), uint32(r.uvarint())})
			}
		}
		flush()
		if place != nil {
			slices.SortFunc(list, func(x, y built) int { return cmp.Compare(x.doc, y.doc) })
			for _, x := range list {
				t.posting(x.doc, x.mask, x.tf, pos[x.lo:x.hi])
			}
		}
		if err := t.end(b.words.text(id)); err != nil {
			return err
		}
	}
	return t.finish()
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
	c.common = newCommonCounts(c.docs, &c.values)
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
