package exec

import (
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// test is what one facet column must say, in one segment.
type test struct {
	not    bool
	col    *segment.FacetColumn
	bytes  []uint8 // MostBytes
	some   []uint32
	ok     [256]bool
	starts []uint32
	ords16 []uint16
	ords32 []uint32
	want   []uint32 // sorted
}

func (t *test) has(ord uint32) bool {
	if len(t.want) <= 8 {
		for _, w := range t.want {
			if w == ord {
				return true
			}
		}
		return false
	}
	_, ok := slices.BinarySearch(t.want, ord)
	return ok
}

func (t *test) pass(doc uint32) bool {
	if t.bytes != nil {
		b := t.bytes[doc]
		if b != segment.ManyByte {
			return t.ok[b]
		}
		t.some = t.col.Of(doc, t.some[:0])
		for _, o := range t.some {
			if t.has(o) {
				return !t.not
			}
		}
		return t.not
	}
	lo, hi := t.starts[doc], t.starts[doc+1]
	if t.ords16 != nil {
		for _, o := range t.ords16[lo:hi] {
			if t.has(uint32(o)) {
				return !t.not
			}
		}
		return t.not
	}
	for _, o := range t.ords32[lo:hi] {
		if t.has(o) {
			return !t.not
		}
	}
	return t.not
}

// filter is all that is asked of the columns of one segment, and which of its documents
// are deleted.
type filter struct {
	on       bool // anything but deletions
	years    []int16
	ranges   []query.Years // all of them
	notYears []query.Years // none of them
	tests    []test

	deleted *roaring.Bitmap
	it      roaring.IntPeekable
	gone    uint32 // the first deleted document that is not before the last one asked for
}

// wanted is a list of values and the column they are of.
type wanted struct {
	facet  segment.Facet
	values []string
	not    bool
}

// conditions are all filters of a request.
type conditions struct {
	lists    []wanted
	ranges   []query.Years
	notYears []query.Years
	never    bool
}

func (c *conditions) add(f Filters, q *query.Query) {
	list := func(facet segment.Facet, values []string, not bool) {
		if len(values) > 0 {
			c.lists = append(c.lists, wanted{facet, values, not})
		}
	}
	years := func(from, to int) {
		if from != 0 || to != 0 {
			c.never = c.never || from != 0 && to != 0 && from > to
			c.ranges = append(c.ranges, query.Years{From: from, To: to})
		}
	}
	list(segment.Language, f.Languages, false)
	list(segment.Kind, f.Kinds, false)
	list(segment.Subject, f.Subjects, false)
	list(segment.Creator, f.Creators, false)
	list(segment.Access, f.Access, false)
	years(f.YearFrom, f.YearTo)
	if q != nil {
		list(segment.Language, q.Filters.Languages, false)
		list(segment.Kind, q.Filters.Kinds, false)
		list(segment.Language, q.Filters.NotLanguages, true)
		list(segment.Kind, q.Filters.NotKinds, true)
		years(q.Filters.YearFrom, q.Filters.YearTo)
		c.notYears = q.Filters.NotYears
	}
}

// set makes f ready for a segment; false when nothing passes.
func (f *filter) set(c *conditions, v *segment.View) bool {
	f.tests, f.ranges, f.notYears = f.tests[:0], c.ranges, c.notYears
	f.years, f.deleted, f.it, f.gone = nil, nil, nil, segment.NoMore
	if c.never {
		return false
	}
	if len(f.ranges)+len(f.notYears) > 0 {
		f.years = v.Years()
	}
	for _, l := range c.lists {
		col := v.Facet(l.facet)
		t := test{not: l.not, col: col}
		for _, value := range l.values {
			if ord, ok := col.Ord(value); ok {
				t.want = append(t.want, ord)
			}
		}
		if len(t.want) == 0 {
			if l.not {
				continue
			}
			return false
		}
		slices.Sort(t.want)
		if t.bytes = col.MostBytes(); t.bytes != nil {
			for i := range t.ok {
				t.ok[i] = l.not
			}
			for _, w := range t.want {
				t.ok[w&0xff] = !l.not
			}
		} else if t.starts, t.ords16 = col.Lists16(); t.starts == nil {
			t.starts, t.ords32 = col.Lists32()
			if t.starts == nil {
				return false // damaged
			}
		}
		f.tests = append(f.tests, t)
	}
	f.on = len(f.tests) > 0 || f.years != nil
	if v.Deleted != nil && !v.Deleted.IsEmpty() {
		f.deleted = v.Deleted
		f.restart()
	}
	return true
}

// restart goes back to the first document.
func (f *filter) restart() {
	if f.deleted != nil {
		f.it, f.gone = f.deleted.Iterator(), 0
		f.gone = f.it.PeekNext()
	}
}

// seek says whether a document counts; documents are asked for in order.
func (f *filter) seek(doc uint32) bool {
	if doc > f.gone {
		f.it.AdvanceIfNeeded(doc)
		if !f.it.HasNext() {
			f.gone = segment.NoMore
			return true
		}
		f.gone = f.it.PeekNext()
	}
	return doc != f.gone
}

func inside(y int, r query.Years) bool {
	return y != 0 && (r.From == 0 || y >= r.From) && (r.To == 0 || y <= r.To)
}

// pass says whether a document is what was asked for.
func (f *filter) pass(doc uint32) bool {
	if f.years != nil {
		y := int(f.years[doc])
		for _, r := range f.ranges {
			if !inside(y, r) {
				return false
			}
		}
		for _, r := range f.notYears {
			if inside(y, r) {
				return false
			}
		}
	}
	for i := range f.tests {
		if !f.tests[i].pass(doc) {
			return false
		}
	}
	return true
}

// accept is live and pass.
func (f *filter) accept(doc uint32) bool {
	return (doc < f.gone || f.seek(doc)) && (!f.on || f.pass(doc))
}

// narrow leaves of documents, in order, those that count and are what was asked for. It
// changes docs.
func (f *filter) narrow(docs []uint32) []uint32 {
	if f.deleted != nil {
		n := 0
		for _, d := range docs {
			if d < f.gone || f.seek(d) {
				docs[n] = d
				n++
			}
		}
		docs = docs[:n]
	}
	for i := range f.tests {
		docs = f.tests[i].narrow(docs)
	}
	if f.years == nil {
		return docs
	}
	for _, r := range f.ranges {
		low, high := max(r.From, math.MinInt16), r.To
		if r.To == 0 || r.To > math.MaxInt16 {
			high = math.MaxInt16
		}
		if r.From == 0 {
			low = math.MinInt16
		}
		n := 0
		for _, d := range docs {
			docs[n] = d
			if y := int(f.years[d]); y >= low && y <= high && y != 0 {
				n++
			}
		}
		docs = docs[:n]
	}
	for _, r := range f.notYears {
		n := 0
		for _, d := range docs {
			docs[n] = d
			if !inside(int(f.years[d]), r) {
				n++
			}
		}
		docs = docs[:n]
	}
	return docs
}

// narrow leaves of documents those that pass. It changes docs.
func (t *test) narrow(docs []uint32) []uint32 {
	n := 0
	if t.bytes == nil {
		for _, d := range docs {
			docs[n] = d
			if t.pass(d) {
				n++
			}
		}
		return docs[:n]
	}
	for _, d := range docs {
		docs[n] = d
		b := t.bytes[d]
		if t.ok[b] && b != segment.ManyByte || b == segment.ManyByte && t.pass(d) {
			n++
		}
	}
	return docs[:n]
}
