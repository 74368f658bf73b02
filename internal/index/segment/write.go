package segment

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"math/bits"

	"wenlan/internal/errs"
)

// Format is the number of the file format that Finish and Merge write.
const Format = 3

const (
	magic      = "WenlanSg"
	footerLen  = 64
	blockShift = 14 // of a checksummed block: 16 KiB
	blockSize  = 1 << blockShift
	bufferSize = 64 << 10 // of small writes

	sectionLen = 24
)

// chunkSize is how many bytes of postings, positions and words end a chunk of the dictionary.
// Tests make it small.
var chunkSize = 16 << 20

// The sections, in the table.
const (
	secMeta      = iota + 1 // numbers, see meta
	secChunks               // where the chunks of the dictionary are
	secRecords              // accession numbers
	secParts                // parts; absent when all are 0
	secYears                // int16 each
	secLens                 // a byte each
	secKeyStarts            // where every sixteenth title key starts
	secKeys                 // title keys; absent when there is none
	secCommon               // common words whose facets are counted
	secCounts               // their counts
	secFacet     = 16       // five for each facet follow
	facetStarts  = 0        // where values start: uint32, one more than there are values
	facetText    = 1        // the values
	facetBytes   = 2        // the form of bytes: one a document
	facetLists   = 3        // where lists start: uint32, one more than there are lists
	facetOrds    = 4        // ordinals: uint16 or uint32
	facetMany    = 5        // the form of bytes: documents with several values: uint32, rising
	facetSecs    = 6
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// section is a row of the table.
type section struct {
	id       uint32
	off, len uint64
}

// writer writes a file of checksummed blocks. Its first error stays.
type writer struct {
	w        io.Writer
	off      uint64
	crc      uint32
	crcs     []byte // of the whole blocks so far
	sections []section
	col      colWriter
	err      error
}

func newWriter(w io.Writer) *writer {
	f := &writer{w: w}
	var head [16]byte
	copy(head[:], magic)
	binary.LittleEndian.PutUint32(head[8:], Format)
	f.write(head[:])
	return f
}

func (f *writer) write(b []byte) {
	if f.err != nil {
		return
	}
	if _, err := f.w.Write(b); err != nil {
		f.err = err
		return
	}
	for len(b) > 0 {
		n := min(len(b), blockSize-int(f.off%blockSize))
		f.crc = crc32.Update(f.crc, castagnoli, b[:n])
		f.off += uint64(n)
		b = b[n:]
		if f.off%blockSize == 0 {
			f.endBlock()
		}
	}
}

func (f *writer) endBlock() {
	f.crcs = binary.LittleEndian.AppendUint32(f.crcs, f.crc)
	f.crc = 0
}

// begin starts a section at the next multiple of eight.
func (f *writer) begin(id uint32) {
	var zeros [8]byte
	f.write(zeros[:-f.off%8])
	f.sections = append(f.sections, section{id, f.off, 0})
}

func (f *writer) end() {
	s := &f.sections[len(f.sections)-1]
	s.len = f.off - s.off
}

// section writes a whole section.
func (f *writer) section(id uint32, b []byte) {
	f.begin(id)
	f.write(b)
	f.end()
}

// finish writes table, checksums and footer.
func (f *writer) finish() error {
	if f.off%blockSize != 0 {
		f.endBlock()
	}
	body := f.off
	var table []byte
	for _, s := range f.sections {
		table = binary.LittleEndian.AppendUint64(table, uint64(s.id))
		table = binary.LittleEndian.AppendUint64(table, s.off)
		table = binary.LittleEndian.AppendUint64(table, s.len)
	}
	sum := crc32.Checksum(table, castagnoli)
	sum = crc32.Update(sum, castagnoli, f.crcs)
	foot := make([]byte, 0, footerLen)
	foot = binary.LittleEndian.AppendUint64(foot, body)
	foot = binary.LittleEndian.AppendUint64(foot, uint64(len(f.sections)))
	foot = binary.LittleEndian.AppendUint64(foot, uint64(len(f.crcs)/4))
	foot = binary.LittleEndian.AppendUint64(foot, body+uint64(len(table)+len(f.crcs)+footerLen))
	foot = binary.LittleEndian.AppendUint32(foot, sum)
	foot = binary.LittleEndian.AppendUint32(foot, Format)
	foot = append(foot, make([]byte, footerLen-len(foot)-4-len(magic))...)
	foot = append(foot, magic...)
	foot = binary.LittleEndian.AppendUint32(foot, crc32.Checksum(foot, castagnoli))
	for _, b := range [][]byte{table, f.crcs, foot} {
		if f.err == nil {
			_, f.err = f.w.Write(b)
		}
	}
	return f.err
}

// colWriter gathers small writes of one section. A writer has one, whose buffer grows as it is used.
type colWriter struct {
	f   *writer
	buf []byte
}

func (f *writer) column(id uint32) *colWriter {
	f.begin(id)
	f.col.f = f
	return &f.col
}

func (c *colWriter) flush() {
	c.f.write(c.buf)
	c.buf = c.buf[:0]
}

func (c *colWriter) room(n int) {
	if len(c.buf)+n > bufferSize {
		c.flush()
	}
}

func (c *colWriter) u8(x uint8) { c.room(1); c.buf = append(c.buf, x) }

func (c *colWriter) u16(x uint16) { c.room(2); c.buf = binary.LittleEndian.AppendUint16(c.buf, x) }

func (c *colWriter) u32(x uint32) { c.room(4); c.buf = binary.LittleEndian.AppendUint32(c.buf, x) }

func (c *colWriter) u64(x uint64) { c.room(8); c.buf = binary.LittleEndian.AppendUint64(c.buf, x) }

func (c *colWriter) end() { c.flush(); c.f.end() }

// blockLen is the most postings that a block has, and the least that a list in blocks has.
const blockLen = 128

// leastCopied is how many postings a block has at least that a merge copies. So a list in blocks has no blocks
// smaller than that, but the last.
const leastCopied = blockLen / 2

// maxExceptions bounds the numbers of a block that are wider than its width.
const maxExceptions = 15

// maxPairs is how many impacts of one mask a block, or a group, has at most.
const maxPairs = 4

// Long lists have a second level of bounds, one for each group of blocks. groupEntry is the length of its
// entry: offset of its bounds, postings before it.
const (
	groupLen   = 32  // blocks
	maxMasks   = 128 // of a block or group
	groupEntry = 8
)

// leastGroup is from how many blocks on a list has groups. Tests make it small.
var leastGroup = 2 * groupLen

// skipLen is the length of a skip entry: last document, offset of the block, offset of its bounds,
// postings less 1, and, with positions, their offset.
func skipLen(positions bool) int {
	if positions {
		return 17
	}
	return 13
}

// termWriter writes words in order, each with its postings, in chunks.
type termWriter struct {
	lens      []uint8 // of all documents
	positions bool

	chunkData             // being written
	fst       *fstBuilder // of its words
	limit     int         // bytes that end it
	// put takes a chunk that is whole, and gives one to fill, whose bytes are no more needed.
	put func(chunkData) (chunkData, error)

	// The list being written.
	docs     [blockLen]uint32
	masks    [blockLen]uint8
	tfs      [blockLen]uint8
	n        int    // in the block
	df       uint32 // before it
	start    int    // of the blocks, in post
	posStart int    // of the positions, in pos
	blockPos []byte // positions of the block
	bounds   []byte
	skips    []byte
	groups   []byte // entries of groups
	joined   []byte // their bounds
	tally    impactTally
	impacts  []Impact
	deltas   [blockLen]uint32

	tallies *commonCounts         // nil: no facets are counted
	count   func(c *commonCounts) // counts those of the word being written
}

// newTermWriter is for a segment of documents with these length codes, and of about so many words.
func newTermWriter(lens []uint8, positions bool, words int, put func(chunkData) (chunkData, error)) *termWriter {
	buckets := 10000
	if words <= 500 {
		buckets = 250 // clearing the others would take longer than the words
	}
	return &termWriter{lens: lens, positions: positions, fst: newFSTBuilder(buckets), limit: chunkSize, put: put}
}

// posting adds a posting to the list; documents rise. pos are its positions as
// appendPos gives them.
func (t *termWriter) posting(doc uint32, mask, tf uint8, pos []byte) {
	if t.n == blockLen {
		t.flush()
	}
	t.docs[t.n], t.masks[t.n], t.tfs[t.n] = doc, mask, tf
	t.n++
	if t.positions {
		t.blockPos = append(t.blockPos, pos...)
	}
}

// flush writes the postings that wait as a block.
func (t *termWriter) flush() {
	t.skip(t.docs[t.n-1], t.n)
	t.block()
	if t.positions {
		t.pos = append(t.pos, t.blockPos...)
		t.blockPos = t.blockPos[:0]
	}
	t.n = 0
}

// copyBlock writes a block of n postings as it is in another list; none waits.
func (t *termWriter) copyBlock(last uint32, n int, block, bounds, pos []byte) {
	t.skip(last, n)
	t.post = append(t.post, block...)
	t.bounds = append(t.bounds, bounds...)
	t.pos = append(t.pos, pos...)
}

// skip writes the skip entry of the block that comes next.
func (t *termWriter) skip(last uint32, n int) {
	if t.df == 0 {
		t.start, t.posStart = len(t.post), len(t.pos)
	}
	t.skips = binary.LittleEndian.AppendUint32(t.skips, last)
	t.skips = binary.LittleEndian.AppendUint32(t.skips, uint32(len(t.post)-t.start))
	t.skips = binary.LittleEndian.AppendUint32(t.skips, uint32(len(t.bounds)))
	t.skips = append(t.skips, uint8(n-1))
	if t.positions {
		t.skips = binary.LittleEndian.AppendUint32(t.skips, uint32(len(t.pos)-t.posStart))
	}
	t.df += uint32(n)
}

// block appends the block to post, and its bounds to bounds.
func (t *termWriter) block() {
	n := t.n
	var counts [33]int
	for i, doc := range t.docs[1:n] {
		d := doc - t.docs[i] - 1
		t.deltas[i] = d
		counts[bits.Len32(d)]++
	}
	t.deltas[n-1] = 0
	width := 32
	for width > 0 && counts[width] == 0 {
		width--
	}
	exceptions := 0 // the cheapest width, with exceptions
	best, most, over := packedLen(n, width), width, 0
	for w := width - 1; w >= 0; w-- {
		if over += counts[w+1]; over > maxExceptions {
			break
		}
		if cost := packedLen(n, w) + over*(1+(most-w+6)/7); cost < best {
			best, width, exceptions = cost, w, over
		}
	}

	t.tally.reset()
	for i, m := range t.masks[:n] {
		t.tally.add(m, t.tfs[i], t.lens[t.docs[i]])
	}
	maxTF, m := t.tally.maxTF, len(t.tally.masks)
	t.bounds = t.tally.append(t.bounds)

	tfWidth := byteWidth(maxTF - 1)
	t.post = append(t.post, uint8(width)|uint8(bits.TrailingZeros8(uint8(tfWidth)))<<6, uint8(exceptions))
	t.post = pack(t.post, t.deltas[:n], width)
	if exceptions > 0 {
		for i, d := range t.deltas[:n] {
			if d>>width != 0 {
				t.post = append(t.post, uint8(i))
				t.post = binary.AppendUvarint(t.post, uint64(d>>width))
			}
		}
	}
	var codes [blockLen]uint8
	if m > 1 {
		for i, x := range t.masks[:n] {
			codes[i] = t.tally.place[x]
		}
		t.post = packBytes(t.post, codes[:n], byteWidth(uint8(m-1)))
	}
	if maxTF > 1 {
		for i, tf := range t.tfs[:n] {
			codes[i] = tf - 1
		}
		t.post = packBytes(t.post, codes[:n], tfWidth)
	}
}

// allOnes, of the first byte of a block's bounds, beside the number of masks: all tfs are 1.
const allOnes = 0x80

// end ends the list of a word. A word without postings is left out. Words rise.
func (t *termWriter) end(word []byte) error {
	if t.n == 0 && t.df == 0 {
		return nil
	}
	var value uint64
	if t.df == 0 && t.n < blockLen {
		value = uint64(len(t.post))
		t.small()
		t.post = append(t.post, t.blockPos...)
	} else {
		if t.n > 0 {
			t.flush()
		}
		size := len(t.post) - t.start
		if size > math.MaxUint32 || len(t.bounds) > math.MaxUint32 || len(t.pos)-t.posStart > math.MaxUint32 {
			return errs.New(errs.TooLarge, "the word %q has too many postings for one segment", word)
		}
		if len(t.skips) >= leastGroup*skipLen(t.positions) && !t.group() {
			return errs.New(errs.Internal, "the bounds of the word %q make no sense", word)
		}
		t.post = append(append(append(append(t.post, t.groups...), t.joined...), t.bounds...), t.skips...)
		value = uint64(len(t.post))
		w := bitWriter{dst: t.post}
		w.bits(0, 1)
		w.gamma(t.df)
		t.post = w.end()
		t.post = binary.AppendUvarint(t.post, uint64(len(t.skips)/skipLen(t.positions)))
		t.post = binary.AppendUvarint(t.post, uint64(size))
		t.post = binary.AppendUvarint(t.post, uint64(len(t.bounds)))
		t.post = binary.AppendUvarint(t.post, uint64(len(t.groups)/groupEntry))
		t.post = binary.AppendUvarint(t.post, uint64(len(t.joined)))
		if t.positions {
			t.post = binary.AppendUvarint(t.post, uint64(t.posStart))
			t.post = binary.AppendUvarint(t.post, uint64(len(t.pos)-t.posStart))
		}
	}
	if t.tallies != nil && t.df+uint32(t.n) >= t.tallies.least {
		t.common = append(t.common, commonWord{value, uint32(len(t.counts))})
		t.count(t.tallies)
		t.counts = t.tallies.end(t.counts)
	}
	t.n, t.df, t.bounds, t.skips, t.blockPos = 0, 0, t.bounds[:0], t.skips[:0], t.blockPos[:0]
	t.groups, t.joined = t.groups[:0], t.joined[:0]

	if t.fst.words == 0 {
		t.first = append(t.first[:0], word...)
	}
	if err := t.fst.insert(word, value); err != nil {
		return err
	}
	if len(t.post)+len(t.pos)+len(t.fst.out) >= t.limit {
		return t.endChunk()
	}
	return nil
}

// group makes the second level of bounds of the list being written; false when those of a block make no sense.
// A list of which a group has too many masks has none.
func (t *termWriter) group() bool {
	step := skipLen(t.positions)
	blocks := len(t.skips) / step
	before := uint32(0)
	for from := 0; from < blocks; from += groupLen {
		t.groups = binary.LittleEndian.AppendUint32(t.groups, uint32(len(t.joined)))
		t.groups = binary.LittleEndian.AppendUint32(t.groups, before)
		t.tally.reset()
		for blk := from; blk < min(from+groupLen, blocks); blk++ {
			skip := t.skips[blk*step:]
			before += uint32(skip[atCount]) + 1
			var h bounds
			ok := h.open(t.bounds[binary.LittleEndian.Uint32(skip[atBounds:]):])
			if ok {
				t.impacts, ok = h.impacts(t.impacts[:0])
			}
			if !ok {
				return false
			}
			for _, x := range t.impacts {
				t.tally.add(x.Mask, x.MaxTF, x.MinLen)
			}
		}
		if len(t.tally.masks) > maxMasks {
			t.groups, t.joined = t.groups[:0], t.joined[:0]
			return true
		}
		t.joined = t.tally.append(t.joined)
	}
	return true
}

// small writes a list of fewer than blockLen postings.
func (t *termWriter) small() {
	n := t.n
	docs := uint32(len(t.lens))
	w := bitWriter{dst: t.post}
	if n == 1 && t.tfs[0] == 1 && bits.OnesCount8(t.masks[0]) == 1 {
		w.bits(1, 1)
		w.bits(uint64(bits.TrailingZeros8(t.masks[0])), 3)
		w.bits(uint64(t.docs[0]), bits.Len32(docs-1))
		t.post = w.end()
		return
	}
	t.tally.reset()
	for i, m := range t.masks[:n] {
		t.tally.add(m, t.tfs[i], 0)
	}
	w.bits(0, 1)
	w.gamma(uint32(n))
	w.gamma(uint32(len(t.tally.masks)))
	for _, m := range t.tally.masks {
		if bits.OnesCount8(m) == 1 {
			w.bits(0, 1)
			w.bits(uint64(bits.TrailingZeros8(m)), 3)
		} else {
			w.bits(1, 1)
			w.bits(uint64(m), 8)
		}
	}
	if size := bits.Len(uint(len(t.tally.masks) - 1)); size > 0 {
		for _, m := range t.masks[:n] {
			w.bits(uint64(t.tally.place[m]), size)
		}
	}
	if t.tally.maxTF == 1 {
		w.bits(1, 1)
	} else {
		w.bits(0, 1)
		for _, tf := range t.tfs[:n] {
			w.gamma(uint32(tf))
		}
	}
	k := riceWidth(docs, n)
	next := uint32(0)
	for _, doc := range t.docs[:n] {
		w.rice(doc-next, k)
		next = doc + 1
	}
	t.post = w.end()
}

// riceWidth is the parameter of the code of n documents among docs, n at most docs: the whole is at most n
// times k+3 bits.
func riceWidth(docs uint32, n int) int { return bits.Len32(docs/uint32(n)) - 1 }
