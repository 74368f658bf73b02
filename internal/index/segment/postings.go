package segment

import (
	"encoding/binary"
	"math/bits"
	"sort"
	"sync"
)

// Term is a word of the dictionary. It belongs to the reader that gave it, and may be compared.
type Term struct {
	DF    int // documents that have it, the deleted ones included; at least 1
	chunk int
	value uint64 // of the dictionary: where the list is in the chunk's postings
}

// Postings walks through the documents of a term, in order. It belongs to one goroutine. Damage
// ends it early, as if there were no more: ask Err of the reader.
type Postings struct {
	r     *Reader
	chunk *chunk
	df    int

	single bool   // a small list: all of it is decoded from the start
	tail   int    // what follows a small list, in the file
	blocks []byte // all blocks
	off    int    // of blocks, in the file
	bounds []byte // of all blocks
	groups []byte // entries of groups
	joined []byte // their bounds
	skips  []byte // skip entries
	step   int    // length of one
	nblk   int
	posOff int // of the list's positions, in the file
	posLen int

	blk, sh int // the decoded block, the shallow one; blk is -1 before the first
	n, i    int // postings in the decoded block, the current one

	head   blockHead // of the decoded block
	got    uint8     // what of the block is decoded
	posRaw []byte
	posAt  int // the posting that posRaw starts at; -1: unread
	window int // bytes after a small list that posRaw is of

	own []Impact // of a small list; empty: unknown

	docs  [blockLen]uint32
	masks [blockLen]uint8
	tfs   [blockLen]uint8
}

const (
	gotMasks = 1 << iota
	gotTFs
)

// maxSmall is more bytes than a list of fewer than blockLen postings takes, without positions, or the head of a
// list in blocks.
const maxSmall = 2048

// window is the bytes of a chunk's postings from a list on, n at most; nil when there are none, or
// damaged ones.
func (r *Reader) window(c *chunk, value uint64, n int) []byte {
	if value >= uint64(c.postLen) {
		r.fail(c.post, "a word's postings are elsewhere")
		return nil
	}
	n = min(c.postLen-int(value), n)
	if !r.check(c.post+int(value), n) {
		return nil
	}
	return r.data[c.post+int(value):][:n]
}

// term makes a term of a dictionary's value; DF 0 when there is damage.
func (r *Reader) term(c int, value uint64) Term {
	t := Term{DF: 1, chunk: c, value: value}
	b := r.window(&r.chunks[c], value, 16)
	if b == nil {
		t.DF = 0
		return t
	}
	w := bitReader{b: b}
	if w.bits(1) == 0 {
		df := w.gamma()
		if w.bad || df > r.docs {
			r.fail(r.chunks[c].post+int(value), "a list of postings makes no sense")
			df = 0
		}
		t.DF = int(df)
	}
	return t
}

// Postings gives the postings of a term of this reader. p is reused when not nil. It stands
// before the first posting: call Next, Advance or NextBlock before Doc.
func (r *Reader) Postings(t Term, p *Postings) *Postings {
	if p == nil {
		p = &Postings{}
	}
	p.r, p.df, p.blk, p.sh, p.n, p.i = r, 0, -1, 0, 0, 0
	p.nblk, p.single, p.posAt, p.got, p.own = 0, false, -1, 0, p.own[:0]
	p.groups, p.joined = nil, nil
	if t.DF <= 0 || uint(t.chunk) >= uint(len(r.chunks)) {
		return p
	}
	p.chunk = &r.chunks[t.chunk]
	if !p.open(t.value) {
		p.nblk, p.df = 0, 0
		r.fail(p.chunk.post, "a list of postings makes no sense")
	}
	return p
}

func (p *Postings) open(value uint64) bool {
	b := p.r.window(p.chunk, value, maxSmall)
	if b == nil {
		return false
	}
	w := bitReader{b: b}
	size := len(b)
	if w.bits(1) == 1 {
		p.masks[0], p.tfs[0] = 1<<w.bits(3), 1
		p.docs[0] = uint32(w.bits(bits.Len32(p.r.docs - 1)))
		p.df = 1
	} else {
		df := w.gamma()
		if w.bad || df > p.r.docs {
			return false
		}
		if p.df = int(df); df >= blockLen {
			rest, ok := w.rest()
			return ok && p.openBlocks(int(value), rest)
		}
		if !p.openSmall(&w) {
			return false
		}
	}
	b, ok := w.rest()
	if !ok || p.docs[p.df-1] >= p.r.docs {
		return false
	}
	p.single, p.nblk, p.got, p.window = true, 1, gotMasks|gotTFs, 0
	p.tail = p.chunk.post + int(value) + size - len(b)
	return true
}

// openSmall decodes a small list.
func (p *Postings) openSmall(w *bitReader) bool {
	n := p.df
	m := int(w.gamma())
	if w.bad || m > n {
		return false
	}
	var table [blockLen]uint8
	for i := range m {
		if w.bits(1) == 0 {
			table[i] = 1 << w.bits(3)
		} else if table[i] = uint8(w.bits(8)); table[i] == 0 {
			return false
		}
	}
	size := bits.Len(uint(m - 1))
	for i := range n {
		p.masks[i] = table[0]
		if size > 0 {
			if p.masks[i] = table[w.bits(size)&(blockLen-1)]; p.masks[i] == 0 {
				return false
			}
		}
	}
	ones := w.bits(1) == 1
	for i := range n {
		p.tfs[i] = 1
		if !ones {
			tf := w.gamma()
			if tf > 255 {
				return false
			}
			p.tfs[i] = uint8(tf)
		}
	}
	k := riceWidth(p.r.docs, n)
	next := uint32(0)
	for i := range n {
		d := next + w.rice(k, p.r.docs)
		if d >= p.r.docs || d < next || w.bad {
			return false
		}
		p.docs[i] = d
		next = d + 1
	}
	return true
}

// openBlocks reads the head of a list in blocks, b, which is at its offset in the chunk's postings.
func (p *Postings) openBlocks(at int, b []byte) bool {
	r, c := p.r, p.chunk
	p.step = skipLen(r.positions)
	// Blocks, their length, that of the bounds, groups, the length of their bounds, where positions start,
	// their length.
	var h [7]uint64
	n := 5
	if r.positions {
		n = 7
	}
	ok := true
	for i := range n {
		if h[i], b, ok = uvarint(b); !ok {
			return false
		}
	}
	left := uint64(at) // what is before the head
	if h[0] == 0 || h[0] > uint64(p.df) || h[0]*uint64(p.step) > left {
		return false
	}
	p.nblk = int(h[0])
	skips := p.nblk * p.step
	if left -= uint64(skips); h[2] > left || h[1] > left-h[2] {
		return false
	}
	left -= h[1] + h[2]
	if h[3] != 0 && h[3] != (h[0]+groupLen-1)/groupLen || h[3]*groupEntry > left || h[4] > left-h[3]*groupEntry {
		return false
	}
	if r.positions {
		if h[5] > uint64(c.posLen) || h[6] > uint64(c.posLen)-h[5] {
			return false
		}
		p.posOff, p.posLen = c.post+c.postLen+int(h[5]), int(h[6])
	}
	groups := int(h[3])*groupEntry + int(h[4])
	at += c.post - skips - int(h[2])
	if !r.check(at-groups, groups+int(h[2])+skips) {
		return false
	}
	p.bounds = r.data[at:][:h[2]]
	p.skips = r.data[at+len(p.bounds):][:skips]
	p.groups = r.data[at-groups:][:int(h[3])*groupEntry]
	p.joined = r.data[at-groups+len(p.groups):][:h[4]]
	p.off = at - groups - int(h[1])
	p.blocks = r.data[p.off : at-groups]
	return true
}

// Of a skip entry.
const (
	atBlock  = 4
	atBounds = 8
	atCount  = 12
	atPos    = 13
)

// last is the last document of a block of a list in blocks.
func (p *Postings) last(blk int) uint32 {
	return binary.LittleEndian.Uint32(p.skips[blk*p.step:])
}

// of cuts what belongs to a block out of an area of its list, by the offset in its skip entry.
func (p *Postings) of(blk, at, length int) (lo, hi int, ok bool) {
	lo, hi = int(binary.LittleEndian.Uint32(p.skips[blk*p.step+at:])), length
	if blk+1 < p.nblk {
		hi = int(binary.LittleEndian.Uint32(p.skips[(blk+1)*p.step+at:]))
	}
	return lo, hi, lo <= hi && hi <= length
}

// raw is the bytes of a block of a list in blocks, checked; nil when there is damage.
func (p *Postings) raw(blk int) []byte {
	lo, hi, ok := p.of(blk, atBlock, len(p.blocks))
	if !ok || !p.r.check(p.off+lo, hi-lo) {
		return nil
	}
	return p.blocks[lo:hi]
}

// rawBounds is the bytes of its bounds; nil when there is damage.
func (p *Postings) rawBounds(blk int) []byte {
	lo, hi, ok := p.of(blk, atBounds, len(p.bounds))
	if !ok {
		return nil
	}
	return p.bounds[lo:hi]
}

// count is the number of postings of a block.
func (p *Postings) count(blk int) int {
	if p.single {
		return p.df
	}
	return int(p.skips[blk*p.step+atCount]&(blockLen-1)) + 1
}

// damage ends the walk.
func (p *Postings) damage() {
	off := 0
	if p.chunk != nil {
		off = p.chunk.post
	}
	p.r.fail(off, "a block of postings makes no sense")
	p.end()
	p.nblk, p.groups = 0, nil
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
	if p.single {
		return true
	}
	p.got = 0
	from, last := uint32(0), p.last(blk)
	if blk > 0 {
		from = p.last(blk-1) + 1
	}
	if last >= p.r.docs || !p.head.open(p.rawBounds(blk)) || !p.head.parse(p.raw(blk), n) ||
		!p.head.decodeDocs(p.docs[:n], from, last) {
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
// there is none.
func (p *Postings) find(blk int, target uint32) int {
	if p.single {
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
// without decoding it: BlockLast, BlockLen, Impacts and MaxReach speak of it, while Doc and Block
// stay as they were until Next, Advance or NextBlock. False when there is no such block.
func (p *Postings) ShallowAdvance(target uint32) bool {
	if p.sh < p.nblk && p.BlockLast() < target {
		if p.single {
			p.sh = 1
		} else {
			p.sh = p.find(p.sh, target)
		}
	}
	return p.sh < p.nblk
}

// BlockLast is the last document of the block; NoMore past the last block. It is of the block that
// ShallowAdvance, or later Next, Advance or NextBlock, moved to; of the first at the start.
func (p *Postings) BlockLast() uint32 {
	switch {
	case p.sh >= p.nblk:
		return NoMore
	case p.single:
		return p.docs[p.df-1]
	}
	return p.last(p.sh)
}

// BlockLen is the number of postings of the block that BlockLast is of, 1 to 128; 0 past the last block.
func (p *Postings) BlockLen() int {
	if p.sh >= p.nblk {
		return 0
	}
	return p.count(p.sh)
}

// Blocks is how many blocks the list is in; a short list is one.
func (p *Postings) Blocks() int { return p.nblk }

// SeekBlock moves to a block by its number, as ShallowAdvance does, but backward, too. False when there is no such block.
func (p *Postings) SeekBlock(blk int) bool {
	p.sh = min(max(blk, 0), p.nblk)
	return p.sh < p.nblk
}

// LoadBlock moves to the first posting of a block by its number, backward, too. False when there is no such block.
func (p *Postings) LoadBlock(blk int) bool { return p.load(max(blk, 0)) }

// Impacts appends to dst what bounds the score of the postings of the block that BlockLast is of: for
// each mask that occurs in it one impact or more, in all at least one. Each posting is within one of the impacts of its
// mask: the bound of the block is the greatest of theirs. None past the last block.
func (p *Postings) Impacts(dst []Impact) []Impact {
	if p.sh >= p.nblk {
		return dst
	}
	if p.single {
		if len(p.own) == 0 {
			p.smallImpacts()
		}
		return append(dst, p.own...)
	}
	var h bounds
	from := len(dst)
	if h.open(p.rawBounds(p.sh)) {
		var ok bool
		if dst, ok = h.impacts(dst); ok {
			return dst
		}
	}
	p.damage()
	return dst[:from]
}

// smallImpacts finds the impacts of a small list.
func (p *Postings) smallImpacts() {
	if p.df <= 2*maxPairs {
		for i, doc := range p.docs[:p.df] {
			p.own = append(p.own, Impact{p.masks[i], p.tfs[i], p.r.Len(doc)})
		}
		return
	}
	t := tallies.Get().(*impactTally)
	defer tallies.Put(t)
	t.reset()
	for i, doc := range p.docs[:p.df] {
		t.add(p.masks[i], p.tfs[i], p.r.Len(doc))
	}
	for k := range t.masks {
		p.own = t.impacts(k, p.own)
	}
}

var tallies = sync.Pool{New: func() any { return new(impactTally) }}
