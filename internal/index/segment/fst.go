package segment

import (
	"bytes"
	"encoding/binary"

	"github.com/blevesearch/vellum"
)

// The dictionary is in vellum's form, version 1, and read here: vellum's own reader trusts its bytes, and
// cannot check a block when it first touches it. A state ends at its address
// and is read backwards from there:
//
//	1 next common   one transition, to the state right below; common: 1..63, a letter of common, or 0: a byte below it
//	1 0 common      one transition: [letter] sizes, delta, output
//	0 final n       n transitions (0: a byte below it says it; 1 there is 256): sizes, letters, deltas, outputs, [final output]
//
// sizes is a byte: bytes of a delta, bytes of an output. A delta is taken from the first byte of the
// state; 0 is the final state without transitions. Lists are in falling order of letters.
const (
	fstHeader = 16 // version, type: uint64
	fstFooter = 16 // number of words, address of the root: uint64
)

// common are vellum's most common letters, commonest first (from vellum, Apache-2.0).
const common = "te/oasripcnw.hlm-du012g=:bf3y5&_4v9678k%?xCDASFIBEjPTzRNM+LOqHG"

// node is a state of the FST.
type node struct {
	n               int // transitions
	final, single   bool
	letter          byte // single: its transition
	next            int
	out             uint64
	base            int // where deltas are taken from
	keys, to, outs  int // offsets of the lists
	toSize, outSize int
}

// fst is the dictionary of one chunk.
type fst struct {
	r    *Reader
	off  int    // of data in the file
	data []byte // with vellum's header and footer
	root int
	len  uint64
}

func (f *fst) corrupt(at int) bool { f.r.fail(f.off+at, "the dictionary makes no sense"); return false }

// open reads the footer. The whole is at least fstHeader+fstFooter bytes.
func (f *fst) open() bool {
	at := len(f.data) - fstFooter
	if !f.r.check(f.off+at, fstFooter) {
		return false
	}
	f.len = binary.LittleEndian.Uint64(f.data[at:])
	root := binary.LittleEndian.Uint64(f.data[at+8:])
	if root != 0 && (root < fstHeader || root >= uint64(at)) {
		return f.corrupt(at)
	}
	f.root = int(root)
	return true
}

// at reads the state at an address. False: damage, which Err tells.
func (f *fst) at(addr int, s *node) bool {
	if addr == 0 {
		*s = node{final: true}
		return true
	}
	if addr < fstHeader || addr >= len(f.data)-fstFooter {
		return f.corrupt(0)
	}
	// No state is longer than 3 + 256*17 + 8 bytes; what is checked may reach into the
	// one below.
	if !f.r.check(f.off+addr, 1) {
		return false
	}
	d, p := f.data, addr
	b := d[p]
	if b >= 0x80 {
		*s = node{n: 1, single: true}
		if low := max(0, p-18); !f.r.check(f.off+low, p-low) { // at most: letter, sizes, 8, 8
			return false
		}
		if c := b & 0x3f; c != 0 {
			s.letter = common[c-1]
		} else {
			p--
			s.letter = d[p]
		}
		if b&0x40 != 0 {
			s.next = p - 1
			return true
		}
		p--
		toSize, outSize := int(d[p]>>4), int(d[p]&15)
		if toSize > 8 || outSize > 8 || p-toSize-outSize < fstHeader {
			return f.corrupt(addr)
		}
		p -= toSize
		delta := packed(d[p:], toSize)
		p -= outSize
		s.out = packed(d[p:], outSize)
		if delta != 0 {
			if delta > uint64(p) {
				return f.corrupt(addr)
			}
			s.next = p - int(delta)
		}
		return true
	}
	*s = node{final: b&0x40 != 0, n: int(b & 0x3f)}
	if !f.r.check(f.off+p-2, 2) {
		return false
	}
	if s.n == 0 {
		p--
		if s.n = int(d[p]); s.n == 1 {
			s.n = 256
		}
	}
	p--
	s.toSize, s.outSize = int(d[p]>>4), int(d[p]&15)
	size := s.n * (1 + s.toSize + s.outSize)
	if s.final {
		size += s.outSize
	}
	if s.toSize > 8 || s.outSize > 8 || p-size < fstHeader {
		return f.corrupt(addr)
	}
	if !f.r.check(f.off+p-size, size) {
		return false
	}
	s.keys = p - s.n
	s.to = s.keys - s.n*s.toSize
	s.outs = s.to - s.n*s.outSize
	s.base = s.outs
	if s.final {
		s.base -= s.outSize
		s.out = packed(d[s.base:], s.outSize) // of the state itself
	}
	if s.outSize == 0 {
		s.base = s.to
	}
	return true
}

// packed reads a number of n bytes.
func packed(b []byte, n int) (x uint64) {
	for i := range n {
		x |= uint64(b[i]) << (8 * i)
	}
	return x
}

// step gives the transition of the place i, by rising letter.
func (f *fst) step(s *node, i int) (letter byte, next int, out uint64) {
	if s.single {
		return s.letter, s.next, s.out
	}
	j := s.n - 1 - i
	if delta := packed(f.data[s.to+j*s.toSize:], s.toSize); delta != 0 {
		next = s.base - int(delta&(1<<62-1))
		if next < fstHeader {
			next = 1 // no state has this address
		}
	}
	return f.data[s.keys+j], next, packed(f.data[s.outs+j*s.outSize:], s.outSize)
}

// letterAt is the letter of step alone.
func (f *fst) letterAt(s *node, i int) byte {
	if s.single {
		return s.letter
	}
	return f.data[s.keys+s.n-1-i]
}

// finalOut is the output of a final state.
func (s *node) finalOut() uint64 {
	if s.single {
		return 0
	}
	return s.out
}

// get looks a word up.
func (f *fst) get(word string) (value uint64, ok bool) {
	var s node
	if !f.at(f.root, &s) {
		return 0, false
	}
	for i := range len(word) {
		c := word[i]
		var next int
		var out uint64
		if s.single {
			if s.letter != c {
				return 0, false
			}
			next, out = s.next, s.out
		} else {
			j := bytes.IndexByte(f.data[s.keys:s.keys+s.n], c)
			if j < 0 {
				return 0, false
			}
			_, next, out = f.step(&s, s.n-1-j)
		}
		value += out
		if !f.at(next, &s) {
			return 0, false
		}
	}
	return value + s.finalOut(), s.final
}

// frame is a state on the way to the current word.
type frame struct {
	node
	i        int // the next transition
	aut      int // the automaton's state
	value    uint64
	from, to bool // the word so far is a beginning of from, of to
}

// TermIter walks through words in order of their bytes. It belongs to one goroutine.
type TermIter struct {
	r        *Reader
	aut      vellum.Automaton
	from, to string
	chunk    int // the next one
	f        fst
	stack    []frame
	word     []byte
	value    uint64
	done     bool
}

// Terms walks through the words from (inclusive) to (exclusive; "" for no end) that the
// automaton accepts; nil accepts all. Damage ends it early: ask Err.
func (r *Reader) Terms(aut vellum.Automaton, from, to string) *TermIter {
	it := &TermIter{r: r, aut: aut, from: from, to: to, chunk: max(0, r.chunkOf(from))}
	return it
}

// Text is the current word; valid until Next, not to be changed.
func (it *TermIter) Text() []byte { return it.word }

// Term is the current word's term. It may read the postings' head.
func (it *TermIter) Term() Term { return it.r.term(it.chunk-1, it.value) }

// push enters a state.
func (it *TermIter) push(addr int, value uint64, aut int, from, to bool) bool {
	n := len(it.stack)
	if n < cap(it.stack) {
		it.stack = it.stack[:n+1]
	} else {
		it.stack = append(it.stack, frame{})
	}
	fr := &it.stack[n]
	fr.i, fr.aut, fr.value, fr.from, fr.to = 0, aut, value, from, to
	if !it.f.at(addr, &fr.node) {
		return false
	}
	if from { // nothing below from[depth]
		if d := len(it.word); d < len(it.from) {
			for fr.i < fr.n && it.f.letterAt(&fr.node, fr.i) < it.from[d] {
				fr.i++
			}
		}
	}
	return true
}

// Next moves to the next word; false at the end.
func (it *TermIter) Next() bool {
	for !it.done {
		if len(it.stack) == 0 {
			if it.chunk >= len(it.r.chunks) {
				break
			}
			c := &it.r.chunks[it.chunk]
			it.chunk++
			if it.to != "" && string(c.first) >= it.to || !it.r.openFST(c, &it.f) {
				break
			}
			aut := 0
			if it.aut != nil {
				aut = it.aut.Start()
			}
			it.word = it.word[:0]
			if !it.push(it.f.root, 0, aut, it.from != "" && string(c.first) < it.from, it.to != "") {
				break
			}
			if it.emit() {
				return true
			}
			continue
		}
		fr := &it.stack[len(it.stack)-1]
		depth := len(it.stack) - 1
		it.word = it.word[:depth]
		if fr.i >= fr.n {
			it.stack = it.stack[:depth]
			continue
		}
		letter := it.f.letterAt(&fr.node, fr.i)
		aut, to := 0, false
		from := fr.from && depth < len(it.from) && letter == it.from[depth]
		if fr.to {
			if letter > it.to[depth] || letter == it.to[depth] && depth+1 == len(it.to) {
				break
			}
			to = letter == it.to[depth]
		}
		if it.aut != nil {
			if aut = it.aut.Accept(fr.aut, letter); !it.aut.CanMatch(aut) {
				fr.i++
				continue
			}
		}
		_, next, out := it.f.step(&fr.node, fr.i)
		fr.i++
		value := fr.value + out
		it.word = append(it.word, letter)
		if depth >= MaxToken {
			it.f.corrupt(0)
			break
		}
		if !it.push(next, value, aut, from, to) {
			break
		}
		if it.emit() {
			return true
		}
	}
	it.done = true
	return false
}

// emit says whether the word so far is one to show.
func (it *TermIter) emit() bool {
	fr := &it.stack[len(it.stack)-1]
	if !fr.final || fr.from && len(it.word) < len(it.from) {
		return false
	}
	if it.aut != nil && !it.aut.IsMatch(fr.aut) {
		return false
	}
	it.value = fr.value + fr.finalOut()
	return true
}
