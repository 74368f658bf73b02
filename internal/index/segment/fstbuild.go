package segment

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"wenlan/internal/errs"
)

// fstBuilder writes the dictionary of one chunk in the form that fst reads. It gives the bytes that vellum's builder
// gives for words whose values rise, in a third of its time: it makes no object for a state, and
// remembers of those that it has written a hash and the place, so that it rarely looks at one that is another.
type fstBuilder struct {
	out   []byte // the header, and the states that are written
	words uint64
	value uint64 // of the last word
	last  []byte // the last word
	stack []openState
	cells []fstCell // two for each remainder of the hash; of the two, the one used last first
	again []byte
}

// openState is a state on the way to the last word. Of its transitions, that to the next one of the stack is missing.
type openState struct {
	final bool
	out   uint64 // of the transition that leads here
	value uint64 // the sum of these so far
	steps []fstStep
}

// fstStep is a transition.
type fstStep struct {
	out    uint64
	addr   uint32 // of the state that it leads to; 0: final, without transitions
	letter byte
}

// fstCell remembers a state that was written from start to addr; addr 0: none.
type fstCell struct{ hash, start, addr uint32 }

// newFSTBuilder makes a builder that remembers at most twice so many states.
func newFSTBuilder(buckets int) *fstBuilder {
	b := &fstBuilder{stack: make([]openState, 1, 64), cells: make([]fstCell, 2*buckets)}
	b.reset(nil)
	return b
}

// reset begins anew, in buf.
func (b *fstBuilder) reset(buf []byte) {
	clear(b.cells)
	b.out = append(buf[:0], make([]byte, fstHeader)...)
	b.out[0] = 1 // the version
	b.words, b.value, b.last = 0, 0, b.last[:0]
	b.stack = b.stack[:1]
	b.stack[0].steps = b.stack[0].steps[:0]
}

// insert adds a word. Words rise; so do values, or are equal.
func (b *fstBuilder) insert(word []byte, value uint64) error {
	p, most := 0, min(len(word), len(b.last))
	for p < most && word[p] == b.last[p] {
		p++
	}
	if p == len(word) || p < len(b.last) && word[p] < b.last[p] || value < b.value {
		return errs.New(errs.Internal, "the word %q is out of order", word)
	}
	if len(b.out) > math.MaxUint32/2 {
		return errs.New(errs.TooLarge, "too many words for one dictionary")
	}
	b.freeze(p)
	out := value - b.stack[p].value
	for i := p; i < len(word); i++ {
		if n := len(b.stack); n < cap(b.stack) {
			b.stack = b.stack[:n+1]
		} else {
			b.stack = append(b.stack, openState{})
		}
		s := &b.stack[i+1]
		s.final, s.out, s.value, s.steps = false, out, value, s.steps[:0]
		out = 0
	}
	b.stack[len(word)].final = true
	b.last = append(b.last[:p], word[p:]...)
	b.words, b.value = b.words+1, value
	return nil
}

// freeze writes the states of the stack above the first n letters of the last word.
func (b *fstBuilder) freeze(n int) {
	for i := len(b.stack) - 1; i > n; i-- {
		s, before := &b.stack[i], &b.stack[i-1]
		before.steps = append(before.steps, fstStep{out: s.out, addr: b.state(s), letter: b.last[i-1]})
	}
	b.stack = b.stack[:n+1]
}

// finish writes what is left. The whole is out, until reset.
func (b *fstBuilder) finish() {
	b.freeze(0)
	root := b.state(&b.stack[0])
	b.out = binary.LittleEndian.AppendUint64(b.out, b.words)
	b.out = binary.LittleEndian.AppendUint64(b.out, uint64(root))
}

// state gives the address of a state, which it writes unless it remembers an equal one.
func (b *fstBuilder) state(s *openState) uint32 {
	if s.final && len(s.steps) == 0 {
		return 0
	}
	const prime = 1099511628211 // of FNV-1a
	hash := uint64(14695981039346656037)
	if s.final {
		hash ^= 1
	}
	hash = hash * prime * prime // the output of the state itself is always 0
	for i := range s.steps {
		t := &s.steps[i]
		hash = (hash ^ uint64(t.letter)) * prime
		hash = (hash ^ t.out) * prime
		hash = (hash ^ uint64(t.addr)) * prime
	}
	cells := (*[2]fstCell)(b.cells[2*int(hash%uint64(len(b.cells)/2)):])
	tag := uint32(hash >> 32)
	for i, c := range cells {
		if c.addr == 0 || c.hash != tag {
			continue
		}
		b.again = appendState(b.again[:0], s, c.start)
		if bytes.Equal(b.again, b.out[c.start:c.addr+1]) {
			cells[i], cells[0] = cells[0], c
			return c.addr
		}
	}
	start := uint32(len(b.out))
	b.out = appendState(b.out, s, start)
	addr := uint32(len(b.out) - 1)
	cells[1], cells[0] = cells[0], fstCell{tag, start, addr}
	return addr
}

// commonCode is the code of each letter that is in common; 0: none.
var commonCode = func() (t [256]byte) {
	for i, c := range []byte(common) {
		t[c] = byte(i + 1)
	}
	return t
}()

// appendState writes a state that begins at the address start.
func appendState(dst []byte, s *openState, start uint32) []byte {
	size := func(x uint64) int { return max(1, (bits.Len64(x)+7)/8) }
	number := func(x uint64, n int) {
		dst = binary.LittleEndian.AppendUint64(dst, x)
		dst = dst[:len(dst)-8+n]
	}
	delta := func(t *fstStep) uint64 {
		if t.addr == 0 {
			return 0
		}
		return uint64(start - t.addr)
	}
	if len(s.steps) == 1 && !s.final {
		t := &s.steps[0]
		head := 0x80 | commonCode[t.letter]
		if t.out == 0 && t.addr == start-1 {
			head |= 0x40
		} else {
			outSize, toSize := 0, size(delta(t))
			if t.out != 0 {
				outSize = size(t.out)
				number(t.out, outSize)
			}
			number(delta(t), toSize)
			dst = append(dst, byte(toSize<<4|outSize))
		}
		if commonCode[t.letter] == 0 {
			dst = append(dst, t.letter)
		}
		return append(dst, head)
	}
	toSize, outSize := 0, 0
	for i := range s.steps {
		t := &s.steps[i]
		toSize = max(toSize, size(delta(t)))
		if t.out != 0 {
			outSize = max(outSize, size(t.out))
		}
	}
	if s.final {
		number(0, outSize)
	}
	for i := len(s.steps) - 1; outSize > 0 && i >= 0; i-- {
		number(s.steps[i].out, outSize)
	}
	for i := len(s.steps) - 1; i >= 0; i-- {
		number(delta(&s.steps[i]), toSize)
	}
	for i := len(s.steps) - 1; i >= 0; i-- {
		dst = append(dst, s.steps[i].letter)
	}
	dst = append(dst, byte(toSize<<4|outSize))
	head := byte(0)
	switch n := len(s.steps); {
	case n < 64:
		head = byte(n)
	case n == 256:
		dst = append(dst, 1)
	default:
		dst = append(dst, byte(n))
	}
	if s.final {
		head |= 0x40
	}
	return append(dst, head)
}
