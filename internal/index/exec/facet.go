package exec

import (
	"cmp"
	"math"
	"slices"

	"wenlan/internal/index/segment"
)

// A counter counts the values of one column in one segment, by ordinal. Where there are
// many values it keeps a list of ordinals first, and makes an array of all of them only
// when the list gets long: by then the query is a heavy one, and Gate holds how many there
// are of those.
type counter struct {
	col    *segment.FacetColumn
	bytes  []uint8 // MostBytes
	some   []uint32
	starts []uint32
	ords16 []uint16
	ords32 []uint32
	counts []uint32 // by ordinal; of bytes two rows of 256; nil: list is used
	list   []uint32
	pairs  []pair                // when done: by ordinal
	ords   [4 * add16Docs]uint16 // of add16
}

type pair struct{ ord, n uint32 }

const (
	smallColumn = 1 << 16 // values of a column that is counted in an array at once
	longList    = 1 << 17 // ordinals
	add16Docs   = 128
)

func (c *counter) set(col *segment.FacetColumn) {
	c.col, c.starts, c.ords16, c.ords32 = col, nil, nil, nil
	c.list, c.pairs = c.list[:0], c.pairs[:0]
	c.bytes = col.MostBytes()
	if c.bytes == nil {
		if c.starts, c.ords16 = col.Lists16(); c.starts == nil {
			c.starts, c.ords32 = col.Lists32()
		}
	}
	n := col.Cardinality()
	if c.bytes != nil {
		n = 512
	}
	if n <= smallColumn {
		c.array(n)
	} else {
		c.counts = c.counts[:0]
	}
}

func (c *counter) array(n int) {
	if cap(c.counts) < n {
		c.counts = make([]uint32, n)
		return
	}
	c.counts = c.counts[:n]
	clear(c.counts)
}

// add counts documents.
func (c *counter) add(docs []uint32) {
	switch {
	case c.bytes != nil:
		// Most documents have the same few values: two rows of counts, so that an
		// addition need not wait for the one before it.
		even, odd, col := (*[256]uint32)(c.counts), (*[256]uint32)(c.counts[256:]), c.bytes
		many := even[segment.ManyByte] + odd[segment.ManyByte]
		i := 0
		for ; i+1 < len(docs); i += 2 {
			even[col[docs[i]]]++
			odd[col[docs[i+1]]]++
		}
		if i < len(docs) {
			even[col[docs[i]]]++
		}
		if even[segment.ManyByte]+odd[segment.ManyByte] == many {
			return
		}
		for _, d := range docs {
			if col[d] == segment.ManyByte {
				c.some = c.col.Of(d, c.some[:0])
				for _, o := range c.some {
					even[uint8(o)]++
				}
			}
		}
	case c.ords16 != nil:
		for len(docs) > 0 {
			n := min(len(docs), add16Docs)
			c.add16(docs[:n])
			docs = docs[n:]
		}
	case c.ords32 != nil:
		starts, ords := c.starts, c.ords32
		if len(c.counts) == 0 {
			for _, d := range docs {
				c.list = append(c.list, ords[starts[d]:starts[d+1]]...)
			}
			if len(c.list) >= longList {
				c.array(c.col.Cardinality())
				for _, o := range c.list {
					c.counts[o]++
				}
				c.list = c.list[:0]
			}
			return
		}
		counts := c.counts
		for _, d := range docs {
			for _, o := range ords[starts[d]:starts[d+1]] {
				counts[o]++
			}
		}
	}
}

// add16 counts at most add16Docs documents.
func (c *counter) add16(docs []uint32) {
	// First the lists are put together, by four values at a time, without a jump that
	// could be guessed wrong: how many a document has is anybody's guess.
	starts, ords, counts := c.starts, c.ords16, c.counts
	all := &c.ords
	k := 0
	for _, d := range docs {
		lo, hi := int(starts[d]), int(starts[d+1])
		if hi-lo > 4 || lo+4 > len(ords) {
			for _, o := range ords[lo:hi] {
				counts[o]++
			}
			continue
		}
		*(*[4]uint16)(all[k:]) = *(*[4]uint16)(ords[lo:])
		k += hi - lo
	}
	for _, o := range all[:k] {
		counts[o]++
	}
}

// done makes pairs of the counts of a column that was listed.
func (c *counter) done() {
	if c.bytes != nil {
		for i, n := range c.counts[256:] {
			c.counts[i] += n
		}
		c.counts = c.counts[:256]
		return
	}
	if len(c.counts) > 0 || len(c.list) == 0 {
		return
	}
	slices.Sort(c.list)
	for i := 0; i < len(c.list); {
		j := i + 1
		for j < len(c.list) && c.list[j] == c.list[i] {
			j++
		}
		c.pairs = append(c.pairs, pair{c.list[i], uint32(j - i)})
		i = j
	}
}

// of is the count of an ordinal.
func (c *counter) of(ord uint32) uint32 {
	if len(c.counts) > 0 {
		return c.counts[ord]
	}
	if i, ok := c.find(ord); ok {
		return c.pairs[i].n
	}
	return 0
}

// find is the place of an ordinal in pairs.
func (c *counter) find(ord uint32) (int, bool) {
	return slices.BinarySearchFunc(c.pairs, ord, func(p pair, o uint32) int { return cmp.Compare(p.ord, o) })
}

// best appends the n most frequent values to dst, then by ordinal, and gives the count
// of the first one left out; 0: none is.
func (c *counter) best(dst []pair, n int) ([]pair, uint32) {
	worse := func(a, b pair) bool { return a.n < b.n || a.n == b.n && a.ord > b.ord }
	h := dst // a heap with the worst at its root
	var rest uint32
	offer := func(p pair) {
		if len(h) < n {
			h = append(h, p)
			for i := len(h) - 1; i > 0 && worse(h[i], h[(i-1)/2]); i = (i - 1) / 2 {
				h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
			}
			return
		}
		if !worse(h[0], p) {
			rest = max(rest, p.n)
			return
		}
		rest = max(rest, h[0].n)
		h[0] = p
		for i := 0; ; {
			k := 2*i + 1
			if k >= len(h) {
				break
			}
			if k+1 < len(h) && worse(h[k+1], h[k]) {
				k++
			}
			if !worse(h[k], h[i]) {
				break
			}
			h[i], h[k] = h[k], h[i]
			i = k
		}
	}
	if len(c.counts) > 0 {
		values := c.counts[:min(len(c.counts), c.col.Cardinality())]
		for o, k := range values {
			if k > 0 {
				offer(pair{uint32(o), k})
			}
		}
	} else {
		for _, p := range c.pairs {
			offer(p)
		}
	}
	return h, rest
}

// merge is the n most frequent values over all segments, then by value. It takes the
// best of each segment, looks those up in all others, and takes more until no value left
// out can be among the n (the threshold algorithm: Fagin, Lotem and Naor, "Optimal
// aggregation algorithms for middleware", JCSS 66, 2003). Of values that are as frequent
// as the last, any may be given: telling them apart would take all of them. exact is
// false when it gave up.
func merge(segments []*counter, n int) (out []FacetCount, exact bool) {
	var buf []pair
	if len(segments) == 1 {
		// Ordinals are in the order of the values.
		c := segments[0]
		buf, _ = c.best(nil, n)
		slices.SortFunc(buf, func(a, b pair) int {
			if a.n != b.n {
				return cmp.Compare(b.n, a.n)
			}
			return cmp.Compare(a.ord, b.ord)
		})
		for _, p := range buf {
			out = append(out, FacetCount{c.col.Value(p.ord), int64(p.n)})
		}
		return out, true
	}
	listed, joinable := 0, true
	for _, c := range segments {
		listed += len(c.pairs)
		joinable = joinable && len(c.counts) == 0
	}
	joinable = joinable && listed <= maxJoin
	if joinable && listed <= fewListed {
		return join(segments, n), true
	}
	for take := max(2*n, 32); ; take *= 8 {
		sums := make(map[string]int64)
		var rest int64
		for i, c := range segments {
			var left uint32
			buf, left = c.best(buf[:0], take)
			rest += int64(left)
			for _, p := range buf {
				value := c.col.Value(p.ord)
				if _, had := sums[value]; had {
					continue
				}
				sum := int64(p.n)
				for j, o := range segments {
					if j == i {
						continue
					}
					if ord, ok := o.col.Ord(value); ok {
						sum += int64(o.of(ord))
					}
				}
				sums[value] = sum
			}
		}
		out = out[:0]
		for v, k := range sums {
			out = append(out, FacetCount{v, k})
		}
		slices.SortFunc(out, func(a, b FacetCount) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value)) })
		exact = rest == 0 || len(out) >= n && out[n-1].N >= rest
		if !exact && joinable {
			return join(segments, n), true
		}
		if exact || take > 1<<14 {
			return slices.Clip(out[:min(n, len(out))]), exact
		}
	}
}

// Looking a value up in a column takes as long as reading dozens of them in order: as many
// listed ones are joined at once, or when the best of each segment did not suffice.
const (
	fewListed = 1 << 13
	maxJoin   = 1 << 16
)

// join is merge for counters that have lists: it walks through them side by side, in the
// order of the values.
func join(segments []*counter, n int) (out []FacetCount) {
	next := make([]int, len(segments))
	value := make([]string, len(segments))
	read := func(i int) {
		if c := segments[i]; next[i] < len(c.pairs) {
			value[i] = c.col.Value(c.pairs[next[i]].ord)
		}
	}
	for i := range segments {
		read(i)
	}
	order := func(a, b FacetCount) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value)) }
	var floor int64 // n values are as frequent, and come before those that follow
	for {
		least := -1
		for i, c := range segments {
			if next[i] < len(c.pairs) && (least < 0 || value[i] < value[least]) {
				least = i
			}
		}
		if least < 0 {
			break
		}
		sum := FacetCount{Value: value[least]}
		for i, c := range segments {
			if next[i] < len(c.pairs) && value[i] == sum.Value {
				sum.N += int64(c.pairs[next[i]].n)
				next[i]++
				read(i)
			}
		}
		if sum.N <= floor {
			continue
		}
		if out = append(out, sum); len(out) >= 2*n+64 {
			slices.SortFunc(out, order)
			out, floor = out[:n], out[n-1].N
		}
	}
	slices.SortFunc(out, order)
	return slices.Clip(out[:min(n, len(out))])
}

// yearCounter counts years over all segments. Only the pages that were touched are read
// and cleared.
type yearCounter struct {
	on      bool
	counts  [1 << 16]uint32
	touched [1 << 8]bool
}

func (y *yearCounter) add(years []int16, docs []uint32) {
	var low, high uint16 = math.MaxUint16, 0
	for _, d := range docs {
		k := uint16(years[d])
		y.counts[k]++
		low, high = min(low, k), max(high, k)
	}
	if len(docs) == 0 {
		return
	}
	if low>>8 == high>>8 {
		y.touched[low>>8] = true
		return
	}
	for _, d := range docs {
		y.touched[uint16(years[d])>>8] = true
	}
}

// put adds counts.
func (y *yearCounter) put(counts []segment.YearCount) {
	for _, c := range counts {
		k := uint16(c.Year)
		y.counts[k] += c.N
		y.touched[k>>8] = true
	}
}

// take gives the counts and clears them.
func (y *yearCounter) take() (out []YearCount, unknown int64) {
	for page := range y.touched {
		if !y.touched[page] {
			continue
		}
		y.touched[page] = false
		for k := page << 8; k < (page+1)<<8; k++ {
			if n := y.counts[k]; n > 0 {
				if k == 0 {
					unknown = int64(n)
				} else {
					out = append(out, YearCount{int16(uint16(k)), int64(n)})
				}
				y.counts[k] = 0
			}
		}
	}
	slices.SortFunc(out, func(a, b YearCount) int { return cmp.Compare(b.Year, a.Year) })
	return out, unknown
}
