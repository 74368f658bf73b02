package segment

import (
	"encoding/binary"
	"math/bits"
	"sort"
)

// Term is a word of the dictionary. It belongs to the reader that gave it, and may be compared.
type Term struct {
	DF    int // documents that have it, the deleted ones included; at least 1
	chunk int
	value uint64 // of the dictionary
}

// Postings walks through the documents of a term, in order. It belongs to one goroutine. Damage
// ends it early, as if there were no more: ask Err of the reader.
type Postings struct {
	r     *Reader
	chunk *chunk
	df    int

	single bool   // one block, no skip entries
	blocks []byte // all blocks
	off    int    // of blocks, in the file
	skips  []byte // skip entries
	step   int    // length of one
	nblk   int
	posOff int // of the list's positions, in the file
	posLen int
	inl    bool // inlined: one posting
	inlPos uint32

	blk, sh int // the decoded block, the shallow one; blk is -1 before the first
	n, i    int // postings in the decoded block, the current one

	headOf int // the block that head is of; -1: none
	head   blockHead
	shOf   int // the block that shHead is of; -1: none
	shHead blockHead
	got    uint8 // what of the block is decoded
	posRaw []byte
	posAt  int // the posting that posRaw starts at; -1: unread

	docs  [blockLen]uint32
	masks [blockLen]uint8
	tfs   [blockLen]uint8
}

const (
	gotMasks = 1 << iota
	gotTFs
)

// blockHead is the head of a block.
type blockHead struct {
	width      int
	impacts    []byte // mask, least length code, and the greatest tf unless all are 1
	nimpacts   int
	allOnes    bool
	tfWidth    int
	exceptions int
	docs       []byte // and what follows; the rest is set when the documents are decoded
	codes      []byte
	tail       []byte // after the block
}

// parse reads the head of a block of n postings.
func (h *blockHead) parse(b []byte, n int) bool {
	if len(b) == 0 {
		return false
	}
	c := b[0]
	b = b[1:]
	h.width, h.allOnes, h.nimpacts = int(c&0x3f), c&allOnes != 0, 1
	if c&oneMask == 0 {
		if len(b) == 0 {
			return false
		}
		h.nimpacts = int(b[0])
		b = b[1:]
	}
	size := h.nimpacts * h.impactLen()
	if h.width > 32 || h.nimpacts == 0 || h.nimpacts > n || len(b) < size {
		return false
	}
	h.impacts, b = b[:size], b[size:]
	h.tfWidth, h.exceptions = 0, 0
	if !h.allOnes {
		if len(b) == 0 {
			return false
		}
		h.tfWidth = int(b[0])
		if h.tfWidth != 1 && h.tfWidth != 2 && h.tfWidth != 4 && h.tfWidth != 8 {
			return false
		}
		b = b[1:]
	}
	if n == blockLen {
		if len(b) == 0 {
			return false
		}
		h.exceptions = int(b[0])
		b = b[1:]
	}
	h.docs = b
	return h.exceptions <= maxExceptions && len(b) >= packedLen(n, h.width)
}

func (h *blockHead) impactLen() int {
	if h.allOnes {
		return 2
	}
	return 3
}

func (h *blockHead) impact(i int) Impact {
	b := h.impacts[i*h.impactLen():]
	x := Impact{Mask: b[0], MinLen: b[1], MaxTF: 1}
	if !h.allOnes {
		x.MaxTF = b[2]
	}
	return x
}

// decodeDocs decodes the documents, which are at least from and below end.
func (h *blockHead) decodeDocs(out []uint32, from uint32, end uint64) bool {
	unpack(h.docs, h.width, out)
	b := h.docs[packedLen(len(out), h.width):]
	for range h.exceptions {
		if len(b) == 0 {
			return false
		}
		i := b[0]
		high, rest, ok := uvarint(b[1:])
		if !ok || int(i) >= len(out) || high>>(32-h.width) != 0 {
			return false
		}
		out[i] |= uint32(high << h.width)
		b = rest
	}
	at := uint64(from)
	for i, d := range out {
		at += uint64(d)
		out[i] = uint32(at)
		at++
	}
	if at > end {
		return false
	}
	codes, tfs := 0, 0
	if h.nimpacts > 1 {
		codes = packedLen(len(out), byteWidth(uint8(h.nimpacts-1)))
	}
	if !h.allOnes {
		tfs = packedLen(len(out), h.tfWidth)
	}
	if len(b) < codes+tfs {
		return false
	}
	h.codes, h.tail = b[:codes+tfs], b[codes+tfs:]
	return true
}

// decodeMasks decodes the masks; decodeDocs was before.
func (h *blockHead) decodeMasks(out []uint8) bool {
	if h.nimpacts == 1 {
		m := h.impacts[0]
		for i := range out {
			out[i] = m
		}
		return m != 0
	}
	unpackBytes(h.codes, byteWidth(uint8(h.nimpacts-1)), out)
	var table [256]uint8
	step := h.impactLen()
	for i := range h.nimpacts {
		table[i] = h.impacts[i*step]
	}
	ok := true
	for i, c := range out {
		out[i] = table[c]
		ok = ok && table[c] != 0
	}
	return ok
}

// decodeTFs decodes the tfs; decodeDocs was before.
func (h *blockHead) decodeTFs(out []uint8) bool {
	if h.allOnes {
		for i := range out {
			out[i] = 1
		}
		return true
	}
	b := h.codes
	if h.nimpacts > 1 {
		b = b[packedLen(len(out), byteWidth(uint8(h.nimpacts-1))):]
	}
	unpackBytes(b, h.tfWidth, out)
	ok := true
	for i := range out {
		out[i]++
		ok = ok && out[i] != 0
	}
	return ok
}

// maxHead is more than a block with at most 128 postings and a varint before it take.
const maxHead = 16 + 2 + 3*blockLen + 2 + 4*blockLen + 6*maxExceptions + 2*blockLen

// term makes a term of a dictionary's value; DF 0 when there is damage.
func (r *Reader) term(c int, value uint64) Term {
	t := Term{DF: 1, chunk: c, value: value}
	if value&1 == 0 {
		if b := r.listHead(&r.chunks[c], value); b != nil {
			df, _, ok := uvarint(b)
			if !ok || df == 0 || df > uint64(r.docs) {
				r.fail(r.chunks[c].post+int(value>>1), "a list of postings makes no sense")
				df = 0
			}
			t.DF = int(df)
		} else {
			t.DF = 0
		}
	}
	return t
}

// listHead is the bytes from the head of a list on; nil when there are none, or damaged ones.
func (r *Reader) listHead(c *chunk, value uint64) []byte {
	off := value >> 1
	if off >= uint64(c.postLen) {
		r.fail(c.post, "a word's postings are elsewhere")
		return nil
	}
	n := min(c.postLen-int(off), 40)
	if !r.check(c.post+int(off), n) {
		return nil
	}
	return r.data[c.post+int(off):][:n]
}

// Postings gives the postings of a term of this reader. p is reused when not nil. It stands
// before the first posting: call Next, Advance or NextBlock before Doc.
func (r *Reader) Postings(t Term, p *Postings) *Postings {
	if p == nil {
		p = &Postings{}
	}
	p.r, p.df, p.blk, p.sh, p.n, p.i = r, 0, -1, 0, 0, 0
	p.headOf, p.shOf, p.nblk, p.inl, p.single, p.posAt = -1, -1, 0, false, false, -1
	if t.DF <= 0 || uint(t.chunk) >= uint(len(r.chunks)) {
		return p
	}
	p.chunk = &r.chunks[t.chunk]
	if t.value&1 == 1 {
		p.openInline(t.value)
		return p
	}
	if !p.open(t.value) {
		p.nblk, p.df = 0, 0
		r.fail(p.chunk.post, "a list of postings makes no sense")
	}
	return p
}

func (p *Postings) openInline(value uint64) {
	field := Field(value >> 1 & 7)
	size := value >> 4 & 3
	value >>= inlineDoc
	p.inlPos = uint32(value & (1<<(8*size) - 1))
	doc := value >> (8 * size)
	if doc >= uint64(p.r.docs) {
		p.r.fail(p.chunk.post, "a word's document does not exist")
		return
	}
	p.inl, p.df, p.nblk = true, 1, 1
	p.docs[0], p.masks[0], p.tfs[0] = uint32(doc), field.Bit(), 1
}

func (p *Postings) open(value uint64) bool {
	r, c := p.r, p.chunk
	b := r.listHead(c, value)
	if b == nil {
		return false
	}
	size := len(b)
	df, b, ok := uvarint(b)
	if !ok || df == 0 || df > uint64(r.docs) {
		return false
	}
	at := int(value >> 1)
	p.df, p.nblk = int(df), int((df+blockLen-1)/blockLen)
	if df <= blockLen {
		p.single = true
		at += size - len(b)
		n := min(c.postLen-at, maxHead)
		if !r.check(c.post+at, n) {
			return false
		}
		p.off = c.post + at
		p.blocks = r.data[p.off:][:n]
		return true
	}
	p.step = skipLen(r.positions)
	length, b, ok := uvarint(b)
	skips := p.nblk * p.step
	if !ok || skips > at || length > uint64(at-skips) {
		return false
	}
	if r.positions {
		var off, n uint64
		if off, b, ok = uvarint(b); !ok {
			return false
		}
		if n, _, ok = uvarint(b); !ok || off > uint64(c.posLen) || n > uint64(c.posLen)-off {
			return false
		}
		p.posOff, p.posLen = c.post+c.postLen+int(off), int(n)
	}
	if !r.check(c.post+at-skips, skips) {
		return false
	}
	p.skips = r.data[c.post+at-skips : c.post+at]
	p.off = c.post + at - skips - int(length)
	p.blocks = r.data[p.off:][:length]
	return true
}

// last is the last document of a block of a list that has several.
func (p *Postings) last(blk int) uint32 {
	return binary.LittleEndian.Uint32(p.skips[blk*p.step:])
}

// raw is the bytes of a block, checked.
func (p *Postings) raw(blk int) []byte {
	if p.single {
		return p.blocks
	}
	lo := int(binary.LittleEndian.Uint32(p.skips[blk*p.step+4:]))
	hi := len(p.blocks)
	if blk+1 < p.nblk {
		hi = int(binary.LittleEndian.Uint32(p.skips[(blk+1)*p.step+4:]))
	}
	if lo >= hi || hi > len(p.blocks) {
		return nil
	}
	if !p.r.check(p.off+lo, hi-lo) {
		return nil
	}
	return p.blocks[lo:hi]
}

// count is the number of postings of a block.
func (p *Postings) count(blk int) int { return min(blockLen, p.df-blk*blockLen) }

// damage ends the walk.
func (p *Postings) damage() {
	off := 0
	if p.chunk != nil {
		off = p.chunk.post
	}
	p.r.fail(off, "a block of postings makes no sense")
	p.end()
	p.nblk = 0
}

func (p *Postings) end() { p.blk, p.sh, p.n, p.i = p.nblk, p.nblk, 0, 0 }

// load decodes the documents of a block and stands at its first.
func (p *Postings) load(blk int) bool {
	if blk >= p.nblk {
		p.end()
		return false
	}
	n := p.count(blk)
	p.blk, p.sh, p.n, p.i, p.posAt = blk, blk, n, 0, -1
	if p.inl {
		p.got = gotMasks | gotTFs
		return true
	}
	p.got = 0
	if p.shOf == blk {
		p.head, p.headOf = p.shHead, blk
	} else if !p.head.parse(p.raw(blk), n) {
		p.damage()
		return false
	}
	p.headOf = blk
	var from uint32
	end := uint64(p.r.docs)
	if !p.single {
		if blk > 0 {
			from = p.last(blk-1) + 1
		}
		end = min(end, uint64(p.last(blk))+1)
	}
	if !p.head.decodeDocs(p.docs[:n], from, end) || !p.single && p.docs[n-1] != p.last(blk) {
		p.damage()
		return false
	}
	return true
}

// DF is the number of postings; 0 when the list is damaged.
func (p *Postings) DF() int { return p.df }

// Doc is the current document; NoMore past the last. Before the first it means nothing.
func (p *Postings) Doc() uint32 {
	if p.i >= p.n {
		if p.blk < 0 {
			return 0
		}
		return NoMore
	}
	return p.docs[p.i&(blockLen-1)]
}

// Next moves to the next posting and returns its document, or NoMore.
func (p *Postings) Next() uint32 {
	if p.i+1 < p.n {
		p.i++
		p.sh = p.blk
		return p.docs[p.i&(blockLen-1)]
	}
	if !p.load(p.blk + 1) {
		return NoMore
	}
	return p.docs[0]
}

// Advance moves to the first posting at or after the current one whose document is at least
// target, and returns its document, or NoMore. It does not move when the current one is.
func (p *Postings) Advance(target uint32) uint32 {
	if p.i < p.n {
		if p.docs[p.i&(blockLen-1)] >= target {
			p.sh = p.blk
			return p.docs[p.i&(blockLen-1)]
		}
		if p.docs[(p.n-1)&(blockLen-1)] >= target {
			p.sh = p.blk
			return p.within(target)
		}
	}
	if !p.load(p.find(p.blk+1, target)) {
		return NoMore
	}
	return p.within(target)
}

// within moves to the first posting of the block, at or after the current one, that is at
// least target; NoMore when there is none, which ends the walk.
func (p *Postings) within(target uint32) uint32 {
	i := p.i
	for range 4 {
		if i < p.n && p.docs[i&(blockLen-1)] < target {
			i++
		}
	}
	if i < p.n && p.docs[i&(blockLen-1)] < target {
		n := p.n - i
		for n > 1 {
			half := n >> 1
			if p.docs[(i+half-1)&(blockLen-1)] < target {
				i += half
			}
			n -= half
		}
		if p.docs[i&(blockLen-1)] < target {
			i++
		}
	}
	p.i = i
	if i >= p.n { // of a list of one block
		p.end()
		return NoMore
	}
	return p.docs[i&(blockLen-1)]
}

// find is the first block from blk on whose last document is at least target; nblk when
// there is none. A list of one block does not know its last document.
func (p *Postings) find(blk int, target uint32) int {
	if p.single || p.inl {
		return min(blk, p.nblk)
	}
	step := 1
	lo := blk
	for lo < p.nblk && p.last(lo) < target {
		lo += step
		step *= 2
	}
	if step > 2 { // the last jump went too far, perhaps
		from := lo - step/2 + 1
		lo = from + sort.Search(min(lo, p.nblk)-from, func(i int) bool { return p.last(from+i) >= target })
	}
	return lo
}

// NextBlock moves to the first posting of the next block; false, and Doc is NoMore, when
// there is none.
func (p *Postings) NextBlock() bool { return p.load(p.blk + 1) }

// Mask is the fields of the current document that have the term, as bits.
func (p *Postings) Mask() uint8 {
	if p.got&gotMasks == 0 {
		p.needMasks()
	}
	return p.masks[p.i&(blockLen-1)]
}

// TF is how often the current document has the term, in all fields; at most 255.
func (p *Postings) TF() uint8 {
	if p.got&gotTFs == 0 {
		p.needTFs()
	}
	return p.tfs[p.i&(blockLen-1)]
}

func (p *Postings) needMasks() {
	p.got |= gotMasks
	if p.n > 0 && !p.head.decodeMasks(p.masks[:p.n]) {
		p.bad(p.masks[:p.n])
	}
}

func (p *Postings) needTFs() {
	p.got |= gotTFs
	if p.n > 0 && !p.head.decodeTFs(p.tfs[:p.n]) {
		p.bad(p.tfs[:p.n])
	}
}

// bad tells of damage in a block that is decoded in part, and puts something harmless in its place.
func (p *Postings) bad(vals []uint8) {
	p.r.fail(p.chunk.post, "a block of postings makes no sense")
	for i := range vals {
		vals[i] = 1
	}
}

// Block is the block that Doc is in, all of it: documents, masks and tfs, of one length of
// at most 128. Doc is docs[Index()]. The slices are valid until the postings move to another block, not to
// be changed. Before the first and past the last posting they are empty.
func (p *Postings) Block() (docs []uint32, masks, tfs []uint8) {
	if p.got&gotMasks == 0 {
		p.needMasks()
	}
	if p.got&gotTFs == 0 {
		p.needTFs()
	}
	return p.docs[:p.n], p.masks[:p.n], p.tfs[:p.n]
}

// BlockDocs is the documents of Block alone, which is cheaper.
func (p *Postings) BlockDocs() []uint32 { return p.docs[:p.n] }

// Index is the place of the current document in Block.
func (p *Postings) Index() int { return p.i }

// ShallowAdvance moves to the block that the first posting at or after target is in, forward only,
// without decoding it: BlockLast, MaxTF, MinLen and Impacts speak of it, while Doc and Block
// stay as they were until Next, Advance or NextBlock. False when there is no such block.
func (p *Postings) ShallowAdvance(target uint32) bool {
	if p.single || p.inl {
		if p.BlockLast() < target {
			p.sh = 1
		}
	} else if p.sh < p.nblk && p.last(p.sh) < target {
		p.sh = p.find(p.sh, target)
	}
	return p.sh < p.nblk
}

// BlockLast is the last document of the block; NoMore past the last block. It is of the block that
// ShallowAdvance, or later Next, Advance or NextBlock, moved to; of the first at the start. A list of one
// block that is not decoded yet says NoMore-1: there is no more after it.
func (p *Postings) BlockLast() uint32 {
	switch {
	case p.sh >= p.nblk:
		return NoMore
	case !p.single && !p.inl:
		return p.last(p.sh)
	case p.inl:
		return p.docs[0]
	case p.blk == 0:
		return p.docs[p.n-1]
	}
	return NoMore - 1
}

// shallow reads the head of the shallow block; nil past the last or when it is damaged.
func (p *Postings) shallow() *blockHead {
	if p.sh >= p.nblk || p.inl {
		return nil
	}
	if p.headOf == p.sh {
		return &p.head
	}
	if p.shOf != p.sh {
		if !p.shHead.parse(p.raw(p.sh), p.count(p.sh)) {
			p.shOf = -1
			p.damage()
			return nil
		}
		p.shOf = p.sh
	}
	return &p.shHead
}

// MaxTF is the greatest TF of the block that BlockLast is of; 0 past the last block.
func (p *Postings) MaxTF() uint8 {
	switch {
	case p.sh >= p.nblk:
		return 0
	case p.inl:
		return 1
	case !p.single:
		return p.skips[p.sh*p.step+8]
	}
	var most uint8
	if h := p.shallow(); h != nil {
		for i := range h.nimpacts {
			most = max(most, h.impact(i).MaxTF)
		}
	}
	return most
}

// MinLen is the least length code of the block that BlockLast is of; 255 past the last block.
func (p *Postings) MinLen() uint8 {
	switch {
	case p.sh >= p.nblk:
		return 255
	case p.inl:
		return p.r.Len(p.docs[0])
	case !p.single:
		return p.skips[p.sh*p.step+9]
	}
	least := uint8(255)
	if h := p.shallow(); h != nil {
		for i := range h.nimpacts {
			least = min(least, h.impact(i).MinLen)
		}
	}
	return least
}

// Impacts appends to dst what bounds the score of the postings of the block that BlockLast is of:
// one impact for each mask that occurs in it, at least one. Tighter than MaxTF and MinLen. None past the
// last block.
func (p *Postings) Impacts(dst []Impact) []Impact {
	if p.inl && p.sh < p.nblk {
		return append(dst, Impact{p.masks[0], 1, p.r.Len(p.docs[0])})
	}
	if h := p.shallow(); h != nil {
		for i := range h.nimpacts {
			dst = append(dst, h.impact(i))
		}
	}
	return dst
}

// Positions appends the places of the term in the current document to dst, sorted by
// field and place. It gives none when the segment keeps no positions, or before the first and past the last posting.
func (p *Postings) Positions(dst []Pos) []Pos {
	if !p.r.positions || p.i >= p.n {
		return dst
	}
	if p.inl {
		return append(dst, Pos{Field(bits.TrailingZeros8(p.masks[0])), p.inlPos})
	}
	raw, ok := p.toPos()
	if ok {
		if dst, _, ok = readPos(dst, raw, p.masks[p.i], p.tfs[p.i]); ok {
			return dst
		}
	}
	p.r.fail(p.chunk.post+p.chunk.postLen, "positions make no sense")
	return dst
}

// storedPos is the positions of the current document as appendPos writes them.
func (p *Postings) storedPos() ([]byte, bool) {
	if p.inl {
		p.posRaw = binary.AppendUvarint(nil, uint64(p.inlPos))
		return p.posRaw, true
	}
	raw, ok := p.toPos()
	if !ok {
		return nil, false
	}
	rest, ok := skipPos(raw, p.masks[p.i], p.tfs[p.i])
	if !ok {
		return nil, false
	}
	p.posRaw, p.posAt = rest, p.i+1
	return raw[:len(raw)-len(rest)], true
}

// toPos reads positions of the block up to those of the current document.
func (p *Postings) toPos() ([]byte, bool) {
	if p.got != gotMasks|gotTFs {
		p.Block()
	}
	if p.posAt < 0 || p.posAt > p.i {
		b, ok := p.posBlock()
		if !ok {
			return nil, false
		}
		p.posRaw, p.posAt = b, 0
	}
	for p.posAt < p.i {
		rest, ok := skipPos(p.posRaw, p.masks[p.posAt], p.tfs[p.posAt])
		if !ok {
			return nil, false
		}
		p.posRaw = rest
		p.posAt++
	}
	return p.posRaw, true
}

// posBlock is the positions of the decoded block.
func (p *Postings) posBlock() ([]byte, bool) {
	if p.single {
		n, b, ok := uvarint(p.head.tail)
		off := p.off + len(p.blocks) - len(b)
		if !ok || n > uint64(p.chunk.post+p.chunk.postLen-off) || !p.r.check(off, int(n)) {
			return nil, false
		}
		return p.r.data[off:][:n], true
	}
	lo := int(binary.LittleEndian.Uint32(p.skips[p.blk*p.step+10:]))
	hi := p.posLen
	if p.blk+1 < p.nblk {
		hi = int(binary.LittleEndian.Uint32(p.skips[(p.blk+1)*p.step+10:]))
	}
	if lo > hi || hi > p.posLen || !p.r.check(p.posOff+lo, hi-lo) {
		return nil, false
	}
	return p.r.data[p.posOff+lo : p.posOff+hi], true
}
