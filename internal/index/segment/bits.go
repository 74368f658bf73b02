package segment

//go:generate go run ./gen

import (
	"encoding/binary"
	"math/bits"
)

// packedLen is how many bytes n numbers of width bits take.
func packedLen(n, width int) int { return (n*width + 7) / 8 }

// pack appends the low width bits of each number, the first in the lowest bits; the
// last byte is filled up with zeros.
func pack(dst []byte, in []uint32, width int) []byte {
	if width == 0 {
		return dst
	}
	mask := uint64(1)<<width - 1
	var acc uint64
	var have int
	for _, x := range in {
		acc |= uint64(x) & mask << have
		have += width
		if have >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(acc))
			acc >>= 32
			have -= 32
		}
	}
	for ; have > 0; have -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// unpack reads len(out) numbers, at most blockLen, of width bits, 0 to 32, from in,
// which holds packedLen bytes at least.
func unpack(in []byte, width int, out []uint32) {
	if len(out) == blockLen {
		unpack64(in[:8*width], width, (*[64]uint32)(out))
		unpack64(in[8*width:16*width], width, (*[64]uint32)(out[64:]))
		return
	}
	if width == 0 {
		clear(out)
		return
	}
	if len(out) >= 64 {
		unpack64(in[:8*width], width, (*[64]uint32)(out))
		in, out = in[8*width:], out[64:]
	}
	var pad [64*4 + 8]byte
	copy(pad[:], in[:packedLen(len(out), width)])
	mask := uint32(uint64(1)<<width - 1)
	for i := range out {
		bit := i * width
		out[i] = uint32(binary.LittleEndian.Uint64(pad[bit>>3:])>>(bit&7)) & mask
	}
}

// byteWidth is the least of 1, 2, 4 and 8 that holds numbers up to most, 1..255.
func byteWidth(most uint8) int {
	switch n := bits.Len8(most); {
	case n <= 1:
		return 1
	case n <= 2:
		return 2
	case n <= 4:
		return 4
	}
	return 8
}

// packBytes is pack for a width of byteWidth.
func packBytes(dst, in []byte, width int) []byte {
	per := 8 / width
	for len(in) > 0 {
		var b byte
		for i := range min(per, len(in)) {
			b |= in[i] << (i * width)
		}
		dst = append(dst, b)
		in = in[min(per, len(in)):]
	}
	return dst
}

// unpackBytes reads len(out) numbers of a width of byteWidth from in, which holds
// packedLen bytes at least.
func unpackBytes(in []byte, width int, out []byte) {
	switch width {
	case 8:
		copy(out, in)
		return
	case 1:
		for ; len(out) >= 8; in, out = in[1:], out[8:] {
			b, o := in[0], (*[8]byte)(out)
			o[0], o[1], o[2], o[3] = b&1, b>>1&1, b>>2&1, b>>3&1
			o[4], o[5], o[6], o[7] = b>>4&1, b>>5&1, b>>6&1, b>>7
		}
	case 2:
		for ; len(out) >= 4; in, out = in[1:], out[4:] {
			b, o := in[0], (*[4]byte)(out)
			o[0], o[1], o[2], o[3] = b&3, b>>2&3, b>>4&3, b>>6
		}
	case 4:
		for ; len(out) >= 2; in, out = in[1:], out[2:] {
			b, o := in[0], (*[2]byte)(out)
			o[0], o[1] = b&15, b>>4
		}
	}
	mask := byte(1)<<width - 1
	for i := range out {
		out[i] = in[i*width/8] >> (i * width % 8) & mask
	}
}

// uvarint reads a number of at most 64 bits and returns it with what follows; ok is
// false when it is cut off, too long, or longer than it need be.
func uvarint(b []byte) (x uint64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), b[1:], true
	}
	x, n := binary.Uvarint(b)
	if n <= 0 || b[n-1] == 0 {
		return 0, nil, false
	}
	return x, b[n:], true
}

// bitWriter appends numbers bit by bit, the first in the lowest bits.
type bitWriter struct {
	dst  []byte
	acc  uint64
	have int // bits in acc, below 8 after each number
}

// bits writes the low n bits of x, n at most 56.
func (w *bitWriter) bits(x uint64, n int) {
	w.acc |= x & (1<<n - 1) << w.have
	for w.have += n; w.have >= 8; w.have -= 8 {
		w.dst = append(w.dst, byte(w.acc))
		w.acc >>= 8
	}
}

// unary writes n zeros and a one.
func (w *bitWriter) unary(n uint32) {
	for ; n >= 32; n -= 32 {
		w.bits(0, 32)
	}
	w.bits(1<<n, int(n)+1)
}

// gamma writes a number of at least 1 in Elias's gamma code: as many zeros as bits follow the
// highest one, the one, those bits.
func (w *bitWriter) gamma(x uint32) {
	n := bits.Len32(x) - 1
	w.unary(uint32(n))
	w.bits(uint64(x), n)
}

// rice writes x>>k in unary, and the low k bits.
func (w *bitWriter) rice(x uint32, k int) {
	w.unary(x >> k)
	w.bits(uint64(x), k)
}

// end fills the last byte with zeros, and gives all bytes.
func (w *bitWriter) end() []byte {
	if w.have > 0 {
		w.dst = append(w.dst, byte(w.acc))
		w.acc, w.have = 0, 0
	}
	return w.dst
}

// bitReader reads what bitWriter wrote. Past the end there are zeros, and bad is true.
type bitReader struct {
	b   []byte
	at  int // bits read
	bad bool
}

// peek is the next 57 bits at least.
func (r *bitReader) peek() uint64 {
	i := r.at >> 3
	if i+8 <= len(r.b) {
		return binary.LittleEndian.Uint64(r.b[i:]) >> (r.at & 7)
	}
	if i >= len(r.b) {
		r.bad = true
		return 0
	}
	var pad [8]byte
	copy(pad[:], r.b[i:])
	return binary.LittleEndian.Uint64(pad[:]) >> (r.at & 7)
}

// bits reads n bits, at most 56.
func (r *bitReader) bits(n int) uint64 {
	if n == 0 {
		return 0
	}
	x := r.peek() & (1<<n - 1)
	r.at += n
	return x
}

// unary reads zeros, at most limit, and the one after them.
func (r *bitReader) unary(limit uint32) uint32 {
	n := uint32(0)
	for !r.bad {
		if x := r.peek() & (1<<56 - 1); x != 0 {
			z := bits.TrailingZeros64(x)
			r.at += z + 1
			if n += uint32(z); n > limit {
				break
			}
			return n
		}
		r.at += 56
		if n += 56; n > limit {
			break
		}
	}
	r.bad = true
	return 0
}

func (r *bitReader) gamma() uint32 {
	n := int(r.unary(31))
	return 1<<n | uint32(r.bits(n))
}

// rice reads a number below limit.
func (r *bitReader) rice(k int, limit uint32) uint32 {
	q := r.unary(limit >> k)
	return q<<k | uint32(r.bits(k))
}

// rest is the bytes after those that were read; ok is false when there were too few.
func (r *bitReader) rest() (b []byte, ok bool) {
	n := (r.at + 7) / 8
	if r.bad || n > len(r.b) {
		return nil, false
	}
	return r.b[n:], true
}
