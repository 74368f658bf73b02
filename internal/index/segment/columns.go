package segment

import (
	"encoding/binary"
	"math"

	"wenlan/internal/errs"
)

// columns is what the columns of a new segment are made from. Its documents are asked for in order,
// from 0, once for each column.
type columns struct {
	docs      int
	positions bool
	fields    [NumFields]uint64
	lens      []uint8
	// each calls f for every document, in the order of the new segment; in and doc name
	// it to the functions below.
	each   func(f func(in int, doc uint32))
	record func(in int, doc uint32) int64
	part   func(in int, doc uint32) int32
	year   func(in int, doc uint32) int16
	key    func(in int, doc uint32) []byte
	values [NumFacets][]string // sorted, each used by a document
	// of appends the ordinals in values of a document.
	of func(f Facet, in int, doc uint32, dst []uint32) []uint32
}

// write writes all columns.
func (c *columns) write(f *writer) error {
	var first, last int64
	parts, n := false, 0
	var keyBytes uint64
	c.each(func(in int, doc uint32) {
		rec := c.record(in, doc)
		if n == 0 {
			first = rec
		}
		last = rec
		n++
		parts = parts || c.part(in, doc) != 0
		keyBytes += uint64(min(len(c.key(in, doc)), MaxTitleKey))
	})
	if n != c.docs {
		return errs.New(errs.Internal, "%d documents instead of %d", n, c.docs)
	}
	width := 4
	if uint64(last)-uint64(first) > math.MaxUint32 {
		width = 8
	}

	w := f.column(secMeta)
	flags := uint32(0)
	if c.positions {
		flags |= flagPositions
	}
	w.u32(uint32(c.docs))
	w.u32(flags)
	w.u32(uint32(width))
	var sum uint64
	for _, l := range c.lens {
		sum += uint64(LenOf(l))
	}
	for _, n := range c.fields {
		w.u64(n)
	}
	w.u64(sum)
	w.end()

	w = f.column(secRecords)
	w.u64(uint64(first))
	c.each(func(in int, doc uint32) {
		if d := uint64(c.record(in, doc)) - uint64(first); width == 4 {
			w.u32(uint32(d))
		} else {
			w.u64(d)
		}
	})
	w.end()
	if parts {
		w = f.column(secParts)
		c.each(func(in int, doc uint32) { w.u32(uint32(c.part(in, doc))) })
		w.end()
	}
	w = f.column(secYears)
	c.each(func(in int, doc uint32) { w.u16(uint16(c.year(in, doc))) })
	w.end()
	f.section(secLens, c.lens)
	if keyBytes > 0 {
		if keyBytes+uint64(c.docs) > math.MaxUint32 {
			return errs.New(errs.TooLarge, "the title keys are too long for one segment")
		}
		w = f.column(secKeyStarts)
		at, i := 0, 0
		c.each(func(in int, doc uint32) {
			if i%keyStep == 0 {
				w.u32(uint32(at))
			}
			i++
			at += 1 + min(len(c.key(in, doc)), MaxTitleKey)
		})
		w.end()
		w = f.column(secKeys)
		c.each(func(in int, doc uint32) {
			key := c.key(in, doc)
			key = key[:min(len(key), MaxTitleKey)]
			w.room(1 + len(key))
			w.buf = append(append(w.buf, uint8(len(key))), key...)
		})
		w.end()
	}
	for facet := range Facet(NumFacets) {
		if err := c.facet(f, facet); err != nil {
			return err
		}
	}
	return f.err
}

func (c *columns) facet(f *writer, facet Facet) error {
	values := c.values[facet]
	if len(values) == 0 {
		return f.err
	}
	base := uint32(secFacet + int(facet)*facetSecs)
	w := f.column(base + facetStarts)
	at := uint64(0)
	for _, v := range values {
		w.u32(uint32(at))
		if at += uint64(len(v)); at > math.MaxUint32 {
			return errs.New(errs.TooLarge, "the facet values are too long for one segment")
		}
	}
	w.u32(uint32(at))
	w.end()
	w = f.column(base + facetText)
	for _, v := range values {
		w.room(len(v))
		w.buf = append(w.buf, v...)
	}
	w.end()

	var buf []uint32
	many, total := 0, uint64(0)
	each := func(do func(doc int, ords []uint32)) {
		i := 0
		c.each(func(in int, doc uint32) {
			buf = c.of(facet, in, doc, buf[:0])
			do(i, buf)
			i++
		})
	}
	each(func(_ int, ords []uint32) {
		if total += uint64(len(ords)); len(ords) > 1 {
			many++
		}
	})
	if total > math.MaxUint32 {
		return errs.New(errs.TooLarge, "too many facet values for one segment")
	}
	bytes := len(values) <= maxBytes && many <= c.docs/8
	if bytes {
		w = f.column(base + facetBytes)
		each(func(_ int, ords []uint32) {
			switch len(ords) {
			case 0:
				w.u8(NoByte)
			case 1:
				w.u8(uint8(ords[0]))
			default:
				w.u8(ManyByte)
			}
		})
		w.end()
	}
	// In the form of bytes, lists are of the documents with several values only.
	w = f.column(base + facetLists)
	start := uint32(0)
	w.u32(0)
	each(func(_ int, ords []uint32) {
		if !bytes || len(ords) > 1 {
			start += uint32(len(ords))
			w.u32(start)
		}
	})
	w.end()
	w = f.column(base + facetOrds)
	each(func(_ int, ords []uint32) {
		if bytes && len(ords) < 2 {
			return
		}
		for _, o := range ords {
			if len(values) > 1<<16 {
				w.u32(o)
			} else {
				w.u16(uint16(o))
			}
		}
	})
	w.end()
	if bytes && many > 0 {
		w = f.column(base + facetMany)
		each(func(doc int, ords []uint32) {
			if len(ords) > 1 {
				w.u32(uint32(doc))
			}
		})
		w.end()
	}
	return f.err
}

// sortValues gives the permutation that sorts interned values: the sorted values, and the place of
// each id among them.
func sortValues(in *interner) (sorted []string, place []uint32) {
	ids := in.sorted()
	sorted, place = make([]string, len(ids)), make([]uint32, len(ids))
	for i, id := range ids {
		sorted[i] = string(in.text(id))
		place[id] = uint32(i)
	}
	return sorted, place
}

// prefixKey is the first eight bytes of a word, so that most comparisons are of numbers.
func prefixKey(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var pad [8]byte
	copy(pad[:], b)
	return binary.BigEndian.Uint64(pad[:])
}
