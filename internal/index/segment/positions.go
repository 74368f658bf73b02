package segment

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Positions appends the places of the term in the current document to dst, sorted by
// field and place. It gives none when the segment keeps no positions, or before the first and past the last posting.
func (p *Postings) Positions(dst []Pos) []Pos {
	if !p.r.positions || p.i >= p.n {
		return dst
	}
	from := len(dst)
	for p.toPos() {
		var ok bool
		if dst, _, ok = readPos(dst[:from], p.posRaw, p.masks[p.i], p.tfs[p.i]); ok {
			return dst
		}
		if !p.morePos() {
			break
		}
	}
	p.r.fail(p.chunk.post+p.chunk.postLen, "positions make no sense")
	return dst[:from]
}

// storedPos is the positions of the current document as appendPos writes them.
func (p *Postings) storedPos() ([]byte, bool) {
	for p.toPos() {
		raw := p.posRaw
		if rest, ok := skipPos(raw, p.masks[p.i], p.tfs[p.i]); ok {
			p.posRaw, p.posAt = rest, p.i+1
			return raw[:len(raw)-len(rest)], true
		}
		if !p.morePos() {
			break
		}
	}
	return nil, false
}

// toPos makes posRaw begin with the positions of the current document.
func (p *Postings) toPos() bool {
	if p.got != gotMasks|gotTFs {
		p.Block()
	}
	if p.posAt < 0 || p.posAt > p.i {
		if !p.single {
			b, ok := p.blockPos(p.blk)
			if !ok {
				return false
			}
			p.posRaw, p.posAt = b, 0
		} else if p.window == 0 {
			if !p.morePos() {
				return false
			}
		} else {
			p.posRaw, p.posAt = p.r.data[p.tail:][:p.window], 0
		}
	}
	for p.posAt < p.i {
		// Postings whose numbers are known to be so many are passed over together.
		at, n := p.posAt, uint64(0)
		for ; at < p.i && p.masks[at]&(p.masks[at]-1) == 0 && p.tfs[at] < 255; at++ {
			n += uint64(p.tfs[at])
		}
		var rest []byte
		var ok bool
		if n > 0 {
			rest, ok = skipVarints(p.posRaw, n)
		} else {
			rest, ok = skipPos(p.posRaw, p.masks[at], p.tfs[at])
			at++
		}
		if !ok {
			if !p.morePos() {
				return false
			}
			continue
		}
		p.posRaw, p.posAt = rest, at
	}
	return true
}

// morePos takes a larger window of what follows a small list, whose positions end somewhere in it, and
// begins there anew; false when there is no larger one.
func (p *Postings) morePos() bool {
	most := p.chunk.post + p.chunk.postLen - p.tail
	if !p.single || p.window >= most {
		return false
	}
	n := min(most, max(256, 8*p.window))
	if !p.r.check(p.tail, n) {
		return false
	}
	p.window = n
	p.posRaw, p.posAt = p.r.data[p.tail:][:n], 0
	return true
}

// blockPos is the positions of a block of a list in blocks.
func (p *Postings) blockPos(blk int) ([]byte, bool) {
	lo, hi, ok := p.of(blk, atPos, p.posLen)
	if !ok || !p.r.check(p.posOff+lo, hi-lo) {
		return nil, false
	}
	return p.r.data[p.posOff+lo : p.posOff+hi], true
}

// appendPos appends the positions of a posting, sorted by field and place: for each field of the
// mask the number of places, then each place less the one before; the number is left out where
// it is the tf: one field, and a tf below 255.
func appendPos(dst []byte, mask, tf uint8, pos []Pos) []byte {
	implied := bits.OnesCount8(mask) == 1 && tf < 255
	for len(pos) > 0 {
		n := slices.IndexFunc(pos, func(p Pos) bool { return p.Field != pos[0].Field })
		if n < 0 {
			n = len(pos)
		}
		if !implied {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
		var prev uint32
		for _, p := range pos[:n] {
			dst = binary.AppendUvarint(dst, uint64(p.At-prev))
			prev = p.At
		}
		pos = pos[n:]
	}
	return dst
}

// skipPos cuts the positions of a posting off b; ok is false when they make no sense.
func skipPos(b []byte, mask, tf uint8) (rest []byte, ok bool) {
	n := uint64(tf)
	if bits.OnesCount8(mask) == 1 && tf < 255 {
		return skipVarints(b, n)
	}
	for range bits.OnesCount8(mask) {
		if n, b, ok = uvarint(b); !ok || n == 0 {
			return nil, false
		}
		if b, ok = skipVarints(b, n); !ok {
			return nil, false
		}
	}
	return b, true
}

// skipVarints cuts n numbers off b. Each ends with a byte below 0x80; these are counted eight at a time.
func skipVarints(b []byte, n uint64) (rest []byte, ok bool) {
	i := 0
	for n >= 8 && i+8 <= len(b) {
		n -= uint64(bits.OnesCount64(^binary.LittleEndian.Uint64(b[i:]) & 0x8080808080808080))
		i += 8
	}
	// The eight bytes may have ended within a number: its end is counted below, as the number was not yet.
	for ; n > 0; n-- {
		for {
			if i >= len(b) {
				return nil, false
			}
			i++
			if b[i-1] < 0x80 {
				break
			}
		}
	}
	return b[i:], true
}

// readPos appends the positions of a posting to dst; they rise strictly within a field.
func readPos(dst []Pos, b []byte, mask, tf uint8) (out []Pos, rest []byte, ok bool) {
	n := uint64(tf)
	implied := bits.OnesCount8(mask) == 1 && tf < 255
	for m := mask; m != 0; m &= m - 1 {
		field := Field(bits.TrailingZeros8(m))
		if !implied {
			if n, b, ok = uvarint(b); !ok || n == 0 || n > uint64(len(b)) {
				return dst, nil, false
			}
		}
		var at uint64
		for i := range n {
			var d uint64
			if d, b, ok = uvarint(b); !ok || i > 0 && d == 0 || d > math.MaxUint32 {
				return dst, nil, false
			}
			if at += d; at > math.MaxUint32 {
				return dst, nil, false
			}
			dst = append(dst, Pos{field, uint32(at)})
		}
	}
	return dst, b, true
}
