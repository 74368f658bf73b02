package segment

import (
	"encoding/binary"
	"slices"
	"sort"
	"sync"
)

// FacetColumn is one column of facet values. Ordinals are dense, in the order of the
// values' bytes, and mean something in this segment only. Its methods may be called by many goroutines at once.
type FacetColumn struct {
	r    *Reader
	base int // its first section
	card int
	form uint8
	wide bool // ordinals are uint32

	once  sync.Once // checks what the fast paths show
	sound bool
}

// Forms of a column.
const (
	formNone  = iota // no document has a value
	formBytes        // a byte a document, and lists for documents with several
	formLists        // lists
)

const (
	// NoByte stands in Bytes and MostBytes for no value.
	NoByte = 0xff
	// ManyByte stands in MostBytes for several values, which Of gives.
	ManyByte = 0xfe
	maxBytes = 0xfe // values of a column in the form of bytes
)

func (r *Reader) readFacets() bool {
	n := int(r.docs)
	for f := range r.facets {
		c := &r.facets[f]
		c.r, c.base = r, secFacet+f*facetSecs
		sec := func(i int) span { return r.sections[c.base+i] }
		if sec(facetStarts).len == 0 {
			continue
		}
		if sec(facetStarts).len%4 != 0 {
			return false
		}
		c.card = sec(facetStarts).len/4 - 1
		lists := sec(facetLists).len
		size := 2
		if c.wide = c.card > 1<<16; c.wide {
			size = 4
		}
		if lists%4 != 0 || sec(facetOrds).len%size != 0 {
			return false
		}
		switch {
		case c.card == 0:
			return false
		case sec(facetBytes).len > 0:
			c.form = formBytes
			if sec(facetBytes).len != n || c.card > maxBytes || sec(facetMany).len%4 != 0 || lists != sec(facetMany).len+4 {
				return false
			}
		default:
			c.form = formLists
			if lists != 4*(n+1) {
				return false
			}
		}
	}
	return true
}

// Facet gives a column; never nil.
func (r *Reader) Facet(f Facet) *FacetColumn { return &r.facets[f] }

// Cardinality is the number of values.
func (c *FacetColumn) Cardinality() int { return c.card }

func (c *FacetColumn) value(ord int) []byte {
	b := c.r.part(c.base+facetStarts, ord*4, 8)
	if b == nil {
		return nil
	}
	lo, hi := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if lo > hi {
		c.damage()
		return nil
	}
	v := c.r.part(c.base+facetText, int(lo), int(hi-lo))
	if v == nil {
		c.damage()
	}
	return v
}

func (c *FacetColumn) damage() {
	c.r.fail(c.r.sections[c.base].off, "a column of values makes no sense")
}

// Value is the value of an ordinal; "" when there is no such ordinal.
func (c *FacetColumn) Value(ord uint32) string {
	if int64(ord) >= int64(c.card) {
		return ""
	}
	return string(c.value(int(ord)))
}

// Ord looks a value up.
func (c *FacetColumn) Ord(value string) (uint32, bool) {
	i := sort.Search(c.card, func(i int) bool { return string(c.value(i)) >= value })
	return uint32(i), i < c.card && string(c.value(i)) == value
}

// Of appends the ordinals of a document's values to dst, in the order they were given. There are
// none when there is no such document.
func (c *FacetColumn) Of(doc uint32, dst []uint32) []uint32 {
	if doc >= c.r.docs {
		return dst
	}
	switch c.form {
	case formBytes:
		b := c.r.part(c.base+facetBytes, int(doc), 1)
		if b == nil || b[0] == NoByte {
			return dst
		}
		if b[0] != ManyByte {
			return c.append(dst, uint32(b[0]))
		}
		many := c.r.sections[c.base+facetMany].len / 4
		i := sort.Search(many, func(i int) bool {
			b := c.r.part(c.base+facetMany, 4*i, 4)
			return b == nil || binary.LittleEndian.Uint32(b) >= doc
		})
		if i < many {
			return c.list(i, dst)
		}
		c.damage()
	case formLists:
		return c.list(int(doc), dst)
	}
	return dst
}

// append adds an ordinal that a value has.
func (c *FacetColumn) append(dst []uint32, ord uint32) []uint32 {
	if int64(ord) >= int64(c.card) {
		c.damage()
		return dst
	}
	return append(dst, ord)
}

func (c *FacetColumn) list(i int, dst []uint32) []uint32 {
	b := c.r.part(c.base+facetLists, 4*i, 8)
	if b == nil {
		return dst
	}
	lo, hi := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if lo > hi {
		c.damage()
		return dst
	}
	size := c.ordSize()
	ords := c.r.part(c.base+facetOrds, int(lo)*size, int(hi-lo)*size)
	if ords == nil && lo != hi {
		c.damage()
		return dst
	}
	for ; len(ords) >= size; ords = ords[size:] {
		if c.wide {
			dst = c.append(dst, binary.LittleEndian.Uint32(ords))
		} else {
			dst = c.append(dst, uint32(binary.LittleEndian.Uint16(ords)))
		}
	}
	return dst
}

func (c *FacetColumn) ordSize() int {
	if c.wide {
		return 4
	}
	return 2
}

// ready checks once that all that the fast paths show is whole and in range.
func (c *FacetColumn) ready() bool {
	c.once.Do(func() {
		c.sound = c.verify()
		if !c.sound {
			c.damage()
		}
	})
	return c.sound
}

// verify reads the ordinals of all documents.
func (c *FacetColumn) verify() bool {
	for i := facetBytes; i <= facetMany; i++ {
		if c.r.sections[c.base+i].len > 0 && c.r.all(c.base+i) == nil {
			return false
		}
	}
	card := uint32(c.card)
	if c.form == formNone {
		return true
	}
	starts, narrow, wide := c.lists()
	if !slices.IsSorted(starts) || starts[0] != 0 || int(starts[len(starts)-1]) != len(narrow)+len(wide) {
		return false
	}
	for _, o := range narrow {
		if uint32(o) >= card {
			return false
		}
	}
	for _, o := range wide {
		if o >= card {
			return false
		}
	}
	if c.form == formBytes {
		many := cast[uint32](c.r.all(c.base + facetMany))
		k := 0
		for doc, b := range c.r.all(c.base + facetBytes) {
			switch {
			case b == ManyByte:
				if k >= len(many) || many[k] != uint32(doc) || starts[k+1]-starts[k] < 2 {
					return false
				}
				k++
			case b != NoByte && uint32(b) >= card:
				return false
			}
		}
		return k == len(many)
	}
	return true
}

func (c *FacetColumn) lists() (starts []uint32, narrow []uint16, wide []uint32) {
	starts = cast[uint32](c.r.all(c.base + facetLists))
	if ords := c.r.all(c.base + facetOrds); c.wide {
		wide = cast[uint32](ords)
	} else {
		narrow = cast[uint16](ords)
	}
	return starts, narrow, wide
}

// Bytes is, by document, the ordinal of its one value, or NoByte; nil when a document
// has more than one value, there are more than 254, or none at all. Not to be changed.
func (c *FacetColumn) Bytes() []uint8 {
	if c.form != formBytes || c.r.sections[c.base+facetMany].len > 0 || !c.ready() {
		return nil
	}
	return c.r.all(c.base + facetBytes)
}

// MostBytes is as Bytes, but has ManyByte for documents with several values, which Of gives. It is not nil
// where Bytes is not; it is nil where more than an eighth of the documents have several.
func (c *FacetColumn) MostBytes() []uint8 {
	if c.form != formBytes || !c.ready() {
		return nil
	}
	return c.r.all(c.base + facetBytes)
}

// Lists16 gives the values of document d as ords[starts[d]:starts[d+1]], every ordinal below
// Cardinality; nil, nil where MostBytes is not nil, there are more than 65,536 values, or none at all. Not
// to be changed.
func (c *FacetColumn) Lists16() (starts []uint32, ords []uint16) {
	if c.form != formLists || c.wide || !c.ready() {
		return nil, nil
	}
	starts, ords, _ = c.lists()
	return starts, ords
}

// Lists32 is as Lists16, where there are more than 65,536 values.
func (c *FacetColumn) Lists32() (starts, ords []uint32) {
	if c.form != formLists || !c.wide || !c.ready() {
		return nil, nil
	}
	starts, _, ords = c.lists()
	return starts, ords
}
