package segment

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"math"
	"slices"
)

// interner gives each word a small number. An open hash table over an arena: no
// allocation for a word.
type interner struct {
	seed  maphash.Seed
	table []uint64 // high half: of the hash; low half: the id plus one; 0: free
	words []word   // by id
	pages [][]byte
	spare [][]byte // pages to use again
	full  bool     // a word was lost
}

const (
	pageShift = 20
	pageSize  = 1 << pageShift
	maxPages  = 1 << (32 - pageShift)
	firstPage = 1 << 9 // bytes that the first page begins with
)

func newInterner() *interner { return &interner{seed: maphash.MakeSeed()} }

// reset forgets all words, and keeps the memory.
func (in *interner) reset() {
	clear(in.table)
	in.words, in.pages, in.spare, in.full = in.words[:0], nil, whole(in.spare, in.pages), false
}

// whole adds the pages that have their full size to those that may be used again.
func whole(spare, pages [][]byte) [][]byte {
	for _, p := range pages {
		if cap(p) == pageSize {
			spare = append(spare, p[:pageSize])
		}
	}
	return spare
}

// page takes a page that may be used again, or makes one of n bytes. What is in it is not said.
func page(spare *[][]byte, n int) []byte {
	last := len(*spare) - 1
	if last < 0 {
		return make([]byte, n)
	}
	p := (*spare)[last]
	*spare = (*spare)[:last]
	return p
}

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
			in.pages = append(in.pages, page(&in.spare, n)[:0])
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
	items := make([]sortItem, len(in.words))
	for i := range items {
		items[i].id = uint32(i)
	}
	in.sort(items, make([]sortItem, len(items)), 0)
	ids := make([]uint32, len(items))
	for i, x := range items {
		ids[i] = x.id
	}
	return ids
}

// sortItem is a word to be sorted, and eight of its bytes.
type sortItem struct {
	key uint64
	id  uint32
}

// sort sorts words whose first bytes, so many, are the same. Many words are sorted by the next eight bytes first, byte after
// byte from the last (radix sort), with room for as many.
func (in *interner) sort(items, room []sortItem, same int) {
	for i := range items {
		t := in.text(items[i].id)
		items[i].key = prefixKey(t[min(same, len(t)):])
	}
	if len(items) < 256 || same > 64 {
		slices.SortFunc(items, func(a, b sortItem) int {
			if a.key != b.key {
				return cmp.Compare(a.key, b.key)
			}
			return bytes.Compare(in.text(a.id), in.text(b.id))
		})
		return
	}
	var counts [8][256]uint32
	for i := range items {
		for b, x := 0, items[i].key; b < 8; b, x = b+1, x>>8 {
			counts[b][uint8(x)]++
		}
	}
	from, to := items, room
	for b := range counts {
		n := &counts[b]
		if int(n[uint8(from[0].key>>(8*b))]) == len(items) {
			continue // the byte is the same everywhere
		}
		at := uint32(0)
		for c, count := range n {
			n[c] = at
			at += count
		}
		for _, x := range from {
			c := uint8(x.key >> (8 * b))
			to[n[c]] = x
			n[c]++
		}
		from, to = to, from
	}
	copy(items, from)
	for lo, hi := 0, 0; lo < len(items); lo = hi {
		for hi = lo + 1; hi < len(items) && items[hi].key == items[lo].key; {
			hi++
		}
		if hi > lo+1 {
			in.sort(items[lo:hi], room[lo:hi], same+8)
		}
	}
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
