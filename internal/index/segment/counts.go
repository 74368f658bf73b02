package segment

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sort"
)

// Common words have their facets counted when the segment is written: every word that at least a 64th of the
// documents have, and leastCommon. They are few, at most 64 times the words of a document, and counting what
// they have is what makes an answer slow.
const commonPart = 64

// leastCommon is a variable for tests, which make it small.
var leastCommon = 4096

// keptCounts is how many values of a facet are kept of a common word, the most frequent ones.
var keptCounts = [NumFacets]int{Language: 256, Kind: 256, Subject: 1024, Creator: 256, Access: 256}

// OrdCount is how many documents have a value.
type OrdCount struct{ Ord, N uint32 }

// YearCount is how many documents are of a year; 0: unknown.
type YearCount struct {
	Year int16
	N    uint32
}

// WordCounts is how many documents of a word there are by facet value and year, the deleted ones included.
type WordCounts struct {
	Values [NumFacets][]OrdCount // the most frequent ones, by rising ordinal
	Rest   [NumFacets]uint32     // no other value has more documents; 0: there is no other
	Years  []YearCount           // all, rising
}

// commonCounts counts the facets of the common words of a segment that is being written, one word after the other.
type commonCounts struct {
	least  uint32              // documents of a common word
	counts [NumFacets][]uint32 // by new ordinal
	years  [1 << 16]uint32     // by year, less the least one
	low    int                 // only years[low:high] may be more than 0
	high   int
	best   []OrdCount
}

// newCommonCounts is for a segment of so many documents with so many values of each facet; nil when it is too small
// to have common words.
func newCommonCounts(docs int, values [NumFacets]int) *commonCounts {
	least := max(leastCommon, docs/commonPart)
	if docs < least {
		return nil
	}
	c := &commonCounts{least: uint32(least), low: 1 << 16}
	for f, n := range values {
		c.counts[f] = make([]uint32, n)
	}
	return c
}

// year counts a document of a year.
func (c *commonCounts) year(y int16) {
	i := int(y) - math.MinInt16
	c.years[i]++
	c.low, c.high = min(c.low, i), max(c.high, i+1)
}

// countRow is the length of a row of section secCommon: chunk, place in section secCounts, value in the dictionary.
const countRow = 16

// end appends what was counted of a word to dst, and forgets it.
func (c *commonCounts) end(dst []byte) []byte {
	for f, counts := range c.counts {
		var rest uint32
		c.best, rest = mostFrequent(c.best[:0], counts, keptCounts[f])
		dst = binary.AppendUvarint(dst, uint64(len(c.best)))
		dst = binary.AppendUvarint(dst, uint64(rest))
		next := uint32(0)
		for _, x := range c.best {
			dst = binary.AppendUvarint(dst, uint64(x.Ord-next))
			dst = binary.AppendUvarint(dst, uint64(x.N))
			next = x.Ord + 1
		}
		clear(counts)
	}
	years := 0
	for _, n := range c.years[c.low:c.high] {
		if n > 0 {
			years++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(years))
	next := 0
	for i := c.low; i < c.high; i++ {
		if n := c.years[i]; n > 0 {
			dst = binary.AppendUvarint(dst, uint64(i-next))
			dst = binary.AppendUvarint(dst, uint64(n))
			next = i + 1
		}
	}
	clear(c.years[c.low:c.high])
	c.low, c.high = len(c.years), 0
	return dst
}

// mostFrequent appends the n greatest counts that are not 0, of equal ones those of the lesser ordinals, by rising
// ordinal, and gives the greatest that is left out.
func mostFrequent(dst []OrdCount, counts []uint32, n int) ([]OrdCount, uint32) {
	less := func(a, b OrdCount) bool { return a.N < b.N || a.N == b.N && a.Ord > b.Ord }
	h := dst // from n on a heap with the least at its root
	var rest uint32
	for o, k := range counts {
		if k == 0 {
			continue
		}
		x := OrdCount{uint32(o), k}
		if len(h) < n {
			if h = append(h, x); len(h) == n {
				slices.SortFunc(h, func(a, b OrdCount) int {
					return cmp.Or(cmp.Compare(a.N, b.N), cmp.Compare(b.Ord, a.Ord))
				})
			}
			continue
		}
		if !less(h[0], x) {
			rest = max(rest, k)
			continue
		}
		rest = max(rest, h[0].N)
		h[0] = x
		for i := 0; ; {
			k := 2*i + 1
			if k >= n {
				break
			}
			if k+1 < n && less(h[k+1], h[k]) {
				k++
			}
			if !less(h[k], h[i]) {
				break
			}
			h[i], h[k] = h[k], h[i]
			i = k
		}
	}
	slices.SortFunc(h, func(a, b OrdCount) int { return cmp.Compare(a.Ord, b.Ord) })
	return h, rest
}

// tally counts the values of documents in counts, whose places are place[ordinal].
func (c *FacetColumn) tally(docs, place, counts []uint32) {
	if c.form == formNone || !c.ready() {
		return
	}
	starts, narrow, wide := c.lists()
	switch {
	case c.form == formBytes:
		col := c.r.all(c.base + facetBytes)
		var some []uint32
		for _, d := range docs {
			switch b := col[d]; b {
			case NoByte:
			case ManyByte:
				some = c.Of(d, some[:0])
				for _, o := range some {
					counts[place[o]]++
				}
			default:
				counts[place[b]]++
			}
		}
	case c.wide:
		for _, d := range docs {
			for _, o := range wide[starts[d]:starts[d+1]] {
				counts[place[o]]++
			}
		}
	default:
		for _, d := range docs {
			for _, o := range narrow[starts[d]:starts[d+1]] {
				counts[place[o]]++
			}
		}
	}
}

// tally is that of FacetColumn, of a builder's documents.
func (c *facetBuilder) tally(docs, place, counts []uint32) {
	for _, d := range docs {
		from := uint32(0)
		if d > 0 {
			from = c.ends[d-1]
		}
		for _, o := range c.ords[from:c.ends[d]] {
			counts[place[o]]++
		}
	}
}

// common is how many rows the segment has of words whose facets are counted.
func (r *Reader) common() int { return r.sections[secCommon].len / countRow }

func (r *Reader) commonRow(i int) (chunk, at uint32, value uint64, ok bool) {
	b := r.part(secCommon, i*countRow, countRow)
	if b == nil {
		return 0, 0, 0, false
	}
	return binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint64(b[8:]), true
}

// Counts gives what was counted of a word of this reader, when it is a common one; into is used again. False: it
// is not, or there is damage.
func (r *Reader) Counts(t Term, into *WordCounts) bool {
	n := r.common()
	if n == 0 || t.DF < leastCommon {
		return false
	}
	i := sort.Search(n, func(i int) bool {
		chunk, _, value, ok := r.commonRow(i)
		return !ok || int64(chunk) > int64(t.chunk) || int(chunk) == t.chunk && value >= t.value
	})
	if i == n {
		return false
	}
	chunk, at, value, ok := r.commonRow(i)
	if !ok || int(chunk) != t.chunk || value != t.value {
		return false
	}
	all := r.sections[secCounts].len
	end := uint32(all)
	if i+1 < n {
		if _, end, _, ok = r.commonRow(i + 1); !ok {
			return false
		}
	}
	var b []byte
	if at <= end && int64(end) <= int64(all) {
		b = r.part(secCounts, int(at), int(end-at))
	}
	if b == nil || !into.read(r, b) {
		r.fail(r.sections[secCounts].off, "the counts of a word make no sense")
		return false
	}
	return true
}

// read decodes the counts of a word.
func (w *WordCounts) read(r *Reader, b []byte) bool {
	var n, x, k uint64
	var ok bool
	for f := range w.Values {
		if n, b, ok = uvarint(b); !ok || n > uint64(len(b)) {
			return false
		}
		if x, b, ok = uvarint(b); !ok || x > uint64(r.docs) {
			return false
		}
		w.Rest[f] = uint32(x)
		out := w.Values[f][:0]
		next, card := uint64(0), uint64(r.facets[f].card)
		for range n {
			if x, b, ok = uvarint(b); !ok || x >= card-next {
				return false
			}
			if k, b, ok = uvarint(b); !ok || k > uint64(r.docs) {
				return false
			}
			out = append(out, OrdCount{uint32(next + x), uint32(k)})
			next += x + 1
		}
		w.Values[f] = out
	}
	if n, b, ok = uvarint(b); !ok || n > uint64(len(b)) {
		return false
	}
	out := w.Years[:0]
	next := uint64(0)
	for range n {
		if x, b, ok = uvarint(b); !ok || x >= 1<<16-next {
			return false
		}
		if k, b, ok = uvarint(b); !ok || k > uint64(r.docs) {
			return false
		}
		out = append(out, YearCount{int16(int64(next+x) + math.MinInt16), uint32(k)})
		next += x + 1
	}
	w.Years = out
	return len(b) == 0
}
