package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sort"
	"sync/atomic"
	"unsafe"

	"wenlan/internal/errs"
)

// Reader reads a segment. All its methods may be called by many goroutines at once. It
// trusts nothing but the checksums: bytes that make no sense are found, told by Err, and shown as empty.
type Reader struct {
	data      []byte
	body      int // bytes under checksums
	crcs      []byte
	seen      []atomic.Uint32 // a bit for each block whose checksum was right
	whole     [maxSection]atomic.Bool
	err       atomic.Pointer[error]
	sections  [maxSection]span
	docs      uint32
	positions bool
	fields    [NumFields]uint64
	lenSum    uint64
	recWidth  int
	chunks    []chunk
	facets    [NumFacets]FacetColumn
	years     yearBounds
}

const maxSection = secFacet + NumFacets*facetSecs

type span struct{ off, len int }

// chunk is a range of words with their postings and positions; offsets in the file.
type chunk struct {
	first          []byte // word
	post, postLen  int
	posLen         int // positions follow the postings
	fstOff, fstLen int
}

func corrupt(off int, what string, args ...any) error {
	return errs.New(errs.Corrupt, "a segment is damaged at byte %d: %s", off, fmt.Sprintf(what, args...))
}

// Open looks at footer, section table, checksums and the list of the dictionary's chunks only; what
// it looks at it checks. data may be memory-mapped; it must not change while the reader is used, and is
// not changed. Bytes that are no segment, or one of another format, are errs.Corrupt.
func Open(data []byte) (*Reader, error) {
	r := &Reader{data: data}
	if len(data) < 16+footerLen || string(data[:len(magic)]) != magic {
		return nil, corrupt(0, "this is no segment")
	}
	at := len(data) - footerLen
	foot := data[at:]
	if crc32.Checksum(foot[:footerLen-4], castagnoli) != binary.LittleEndian.Uint32(foot[footerLen-4:]) ||
		string(foot[footerLen-4-len(magic):footerLen-4]) != magic {
		return nil, corrupt(at, "the checksum of the footer is wrong")
	}
	if f := binary.LittleEndian.Uint32(foot[36:]); f != Format {
		return nil, corrupt(at+36, "the format is %d, not %d", f, Format)
	}
	body, rows := binary.LittleEndian.Uint64(foot), binary.LittleEndian.Uint64(foot[8:])
	blocks, size := binary.LittleEndian.Uint64(foot[16:]), binary.LittleEndian.Uint64(foot[24:])
	if size != uint64(len(data)) || body < 16 || body > uint64(at) || rows > uint64(at)/sectionLen ||
		blocks != (body+blockSize-1)/blockSize || body+rows*sectionLen+blocks*4 != uint64(at) {
		return nil, corrupt(at, "the footer makes no sense")
	}
	r.body = int(body)
	if crc32.Checksum(data[r.body:at], castagnoli) != binary.LittleEndian.Uint32(foot[32:]) {
		return nil, corrupt(r.body, "the checksum of the section table is wrong")
	}
	table := data[r.body:][:rows*sectionLen]
	r.crcs = data[r.body+len(table) : at]
	r.seen = make([]atomic.Uint32, (blocks+31)/32)
	for ; len(table) > 0; table = table[sectionLen:] {
		id, off, n := binary.LittleEndian.Uint64(table), binary.LittleEndian.Uint64(table[8:]), binary.LittleEndian.Uint64(table[16:])
		if id >= maxSection || off%8 != 0 || off > body || n > body-off || r.sections[id] != (span{}) {
			return nil, corrupt(r.body, "the section table makes no sense")
		}
		r.sections[id] = span{int(off), int(n)}
	}
	if !r.readMeta() || !r.readChunks() || !r.readFacets() {
		if err := r.Err(); err != nil {
			return nil, err
		}
		return nil, corrupt(r.body, "the sections make no sense")
	}
	return r, nil
}

// metaLen is the length of the section of numbers: documents, flags, width of accession numbers,
// tokens of each field, sum of lengths.
const metaLen = 12 + 8*NumFields + 8

// Flags of the meta section.
const flagPositions = 1

func (r *Reader) readMeta() bool {
	s := r.sections[secMeta]
	if s.len != metaLen || !r.check(s.off, s.len) {
		return false
	}
	b := r.data[s.off:]
	r.docs = binary.LittleEndian.Uint32(b)
	flags := binary.LittleEndian.Uint32(b[4:])
	r.positions = flags&flagPositions != 0
	r.recWidth = int(binary.LittleEndian.Uint32(b[8:]))
	for f := range r.fields {
		r.fields[f] = binary.LittleEndian.Uint64(b[12+8*f:])
	}
	r.lenSum = binary.LittleEndian.Uint64(b[12+8*NumFields:])
	n := int(r.docs)
	keys := r.sections[secKeyStarts]
	return r.docs <= MaxDocs && flags&^flagPositions == 0 && (r.recWidth == 4 || r.recWidth == 8) &&
		r.sections[secRecords].len == 8+n*r.recWidth &&
		(r.sections[secParts].len == 0 || r.sections[secParts].len == n*4) &&
		r.sections[secYears].len == n*2 && r.sections[secLens].len == n &&
		(keys.len == 0 && r.sections[secKeys].len == 0 || keys.len == (n+keyStep-1)/keyStep*4)
}

func (r *Reader) readChunks() bool {
	s := r.sections[secChunks]
	if s.len < 4 || !r.check(s.off, s.len) {
		return false
	}
	b := r.data[s.off:][:s.len]
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)/36) {
		return false
	}
	r.chunks = make([]chunk, 0, n)
	for range n {
		if len(b) < 36 {
			return false
		}
		var at [4]int
		left := uint64(r.body)
		for i := range at {
			x := binary.LittleEndian.Uint64(b[8*i:])
			if x > left { // the offset and the lengths sum up to no more than there is
				return false
			}
			left -= x
			at[i] = int(x)
		}
		word := binary.LittleEndian.Uint32(b[32:])
		b = b[36:]
		if word == 0 || word > MaxToken || int(word) > len(b) || at[3] < fstHeader+fstFooter {
			return false
		}
		c := chunk{b[:word], at[0], at[1], at[2], at[0] + at[1] + at[2], at[3]}
		b = b[word:]
		if k := len(r.chunks); k > 0 && bytes.Compare(r.chunks[k-1].first, c.first) >= 0 {
			return false
		}
		r.chunks = append(r.chunks, c)
	}
	return len(b) == 0
}

// check looks that the checksums of the blocks from off on, which n bytes touch, are right.
func (r *Reader) check(off, n int) bool {
	if n <= 0 {
		return true
	}
	for b := off >> blockShift; b <= (off+n-1)>>blockShift; b++ {
		if r.seen[b>>5].Load()&(1<<(b&31)) == 0 && !r.checkBlock(b) {
			return false
		}
	}
	return true
}

func (r *Reader) checkBlock(b int) bool {
	lo := b << blockShift
	hi := min(lo+blockSize, r.body)
	if crc32.Checksum(r.data[lo:hi], castagnoli) != binary.LittleEndian.Uint32(r.crcs[4*b:]) {
		if r.err.Load() == nil { // only the first is told
			r.fail(lo, fmt.Sprintf("the checksum of a block is wrong (%s)", r.where(lo, hi)))
		}
		return false
	}
	r.seen[b>>5].Or(1 << (b & 31))
	return true
}

// areas calls f for every part of the file that has a name, in no order.
func (r *Reader) areas(f func(name string, off, n int)) {
	for _, c := range r.chunks {
		f("postings", c.post, c.postLen)
		f("positions", c.post+c.postLen, c.posLen)
		f("words", c.fstOff, c.fstLen)
	}
	for id, s := range r.sections {
		name := ""
		switch {
		case id >= secFacet:
			name = [NumFacets]string{"languages", "kinds", "subjects", "creators", "access"}[(id-secFacet)/facetSecs]
		case id >= secMeta && id <= secCounts:
			name = [...]string{"numbers", "list of chunks", "accession numbers", "parts", "years", "lengths", "places of title keys", "title keys", "common words", "common words"}[id-secMeta]
		}
		f(name, s.off, s.len)
	}
}

// Sections is the bytes of the file by what they are for: words, postings, positions, each column, and
// "checksums and table" for what is left. Their sum is the length of the file.
func (r *Reader) Sections() map[string]int64 {
	out := map[string]int64{}
	left := int64(len(r.data))
	r.areas(func(name string, _, n int) {
		if n > 0 {
			out[name] += int64(n)
			left -= int64(n)
		}
	})
	out["checksums and table"] = left
	return out
}

// where names the sections that bytes belong to.
func (r *Reader) where(lo, hi int) string {
	names := ""
	r.areas(func(name string, off, n int) {
		if n > 0 && off < hi && off+n > lo {
			if names != "" {
				names += ", "
			}
			names += name
		}
	})
	if names == "" {
		return "header"
	}
	return names
}

// fail remembers the first damage.
func (r *Reader) fail(off int, what string) {
	if r.err.Load() == nil {
		err := corrupt(off, "%s", what)
		r.err.CompareAndSwap(nil, &err)
	}
}

// Err is the first damage that reading met, errs.Corrupt, which names the section and the offset in bytes; nil when none. It
// stays. What cannot be read is shown as empty: whoever needs the whole asks Err at the end.
func (r *Reader) Err() error {
	if p := r.err.Load(); p != nil {
		return *p
	}
	return nil
}

// all is the bytes of a section, all checked; nil when it is damaged or absent.
func (r *Reader) all(id int) []byte {
	s := r.sections[id]
	if !r.whole[id].Load() {
		if !r.check(s.off, s.len) {
			return nil
		}
		r.whole[id].Store(true)
	}
	return r.data[s.off : s.off+s.len]
}

// part is n bytes of a section from off on, which are checked; nil when damaged or out of it.
func (r *Reader) part(id, off, n int) []byte {
	s := r.sections[id]
	if off < 0 || n < 0 || off > s.len || n > s.len-off {
		return nil
	}
	if !r.whole[id].Load() && !r.check(s.off+off, n) {
		return nil
	}
	return r.data[s.off+off:][:n]
}

// Docs is the number of documents, the deleted ones included.
func (r *Reader) Docs() int { return int(r.docs) }

// FieldLengths are the tokens of each field, gaps left out, summed over all documents. A merge that
// leaves documents out scales them by the weighted lengths of what remains.
func (r *Reader) FieldLengths() [NumFields]uint64 { return r.fields }

// LengthSum is the sum over all documents of the weighted length, in tokens, as LenOf gives it.
func (r *Reader) LengthSum() uint64 { return r.lenSum }

// Positions says whether the segment keeps positions.
func (r *Reader) Positions() bool { return r.positions }

// Record is the accession number of a document; 0 when there is no such document.
func (r *Reader) Record(doc uint32) int64 {
	if doc >= r.docs {
		return 0
	}
	base := r.part(secRecords, 0, 8)
	b := r.part(secRecords, 8+int(doc)*r.recWidth, r.recWidth)
	if base == nil || b == nil {
		return 0
	}
	n := int64(binary.LittleEndian.Uint64(base))
	if r.recWidth == 4 {
		return n + int64(binary.LittleEndian.Uint32(b))
	}
	return n + int64(binary.LittleEndian.Uint64(b))
}

// Part is the part of a document; 0 when there is no such document.
func (r *Reader) Part(doc uint32) int32 {
	if b := r.part(secParts, int(doc)*4, 4); b != nil && doc < r.docs {
		return int32(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// Find gives the documents of a record: lo and those after it, before hi. None: lo == hi.
func (r *Reader) Find(record int64) (lo, hi uint32) {
	lo = uint32(sort.Search(int(r.docs), func(i int) bool { return r.Record(uint32(i)) >= record }))
	for hi = lo; hi < r.docs && r.Record(hi) == record; {
		hi++
	}
	return lo, hi
}

// Year is the year of a document; 0: unknown, or no such document.
func (r *Reader) Year(doc uint32) int16 {
	if b := r.part(secYears, int(doc)*2, 2); b != nil {
		return int16(binary.LittleEndian.Uint16(b))
	}
	return 0
}

// Len is the quantised weighted length of a document, see LenOf.
func (r *Reader) Len(doc uint32) uint8 {
	if b := r.part(secLens, int(doc), 1); b != nil {
		return b[0]
	}
	return 0
}

// Years are the years of all documents, by document; 0: unknown. Not to be changed, and valid as
// long as the segment's bytes. When they are damaged, all are 0.
func (r *Reader) Years() []int16 {
	if b := r.all(secYears); b != nil {
		return cast[int16](b)
	}
	return make([]int16, r.docs)
}

// Lens are the length codes of all documents, by document. As Years.
func (r *Reader) Lens() []uint8 {
	if b := r.all(secLens); b != nil {
		return b
	}
	return make([]uint8, r.docs)
}

// keyStep is how many title keys follow each place that is kept.
const keyStep = 16

// TitleKey is the sort key of a document's title, at most MaxTitleKey bytes. Not to be changed.
func (r *Reader) TitleKey(doc uint32) []byte {
	start := r.part(secKeyStarts, int(doc/keyStep)*4, 4)
	if start == nil || doc >= r.docs {
		return nil
	}
	at := int(binary.LittleEndian.Uint32(start))
	for i := range doc%keyStep + 1 {
		n := r.part(secKeys, at, 1)
		if n == nil || n[0] > MaxTitleKey {
			r.fail(r.sections[secKeys].off, "a title key makes no sense")
			return nil
		}
		at++
		if i == doc%keyStep {
			return r.part(secKeys, at, int(n[0]))
		}
		at += int(n[0])
	}
	return nil
}

// little says whether this machine has the byte order of the file.
var little = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// cast shows bytes as numbers; it copies only when the machine cannot read them in place.
func cast[T int16 | uint16 | uint32](b []byte) []T {
	var x T
	size := int(unsafe.Sizeof(x))
	n := len(b) / size
	if n == 0 {
		return []T{}
	}
	if p := unsafe.Pointer(unsafe.SliceData(b)); little && uintptr(p)%uintptr(size) == 0 {
		return unsafe.Slice((*T)(p), n)
	}
	out := make([]T, n)
	for i := range out {
		if size == 2 {
			out[i] = T(binary.LittleEndian.Uint16(b[2*i:]))
		} else {
			out[i] = T(binary.LittleEndian.Uint32(b[4*i:]))
		}
	}
	return out
}

// chunkOf is the chunk that a word would be in; -1 when it is before all.
func (r *Reader) chunkOf(word string) int {
	return sort.Search(len(r.chunks), func(i int) bool { return string(r.chunks[i].first) > word }) - 1
}

func (r *Reader) openFST(c *chunk, f *fst) bool {
	*f = fst{r: r, off: c.fstOff, data: r.data[c.fstOff : c.fstOff+c.fstLen]}
	return f.open()
}

// Term looks a word up.
func (r *Reader) Term(text string) (Term, bool) {
	c := r.chunkOf(text)
	if c < 0 || text == "" {
		return Term{}, false
	}
	var f fst
	if !r.openFST(&r.chunks[c], &f) {
		return Term{}, false
	}
	value, ok := f.get(text)
	if !ok {
		return Term{}, false
	}
	t := r.term(c, value)
	return t, t.DF > 0
}
