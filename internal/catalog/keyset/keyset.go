// Package keyset is a set of pairs (key, number) that grows to hundreds of
// millions without slowing down: hashes of what records are found by, and the
// records.
//
// A b-tree that takes random keys writes a page for each of them once it is larger
// than its cache. Here the newest pairs are in memory, and the others in sorted
// runs: files that are written once, from one end to the other, and mapped for
// reading. Runs are merged by tiers, so that there are a dozen of them at most
// and a pair is written again a few times in all (a log-structured merge tree: O'Neil and others, Acta
// Informatica 33, 1996). A pair that is taken away leaves a mark, which goes when
// it meets the pair in a merge, or the oldest run.
//
// # A run on disk
//
//	pairs      the low bytes of the key, then the number with the mark, ascending;
//	           both big-endian, as wide as the trailer says
//	directory  for each value of the key's first bits the place of its first pair,
//	           4 bytes big-endian; and the end
//	trailer    pairs (8 bytes), bits, width of the key, width of the number, a zero,
//	           CRC-32C of all before it (4 bytes), "wlkeys1\n"
//
// A run takes 10 or 11 bytes a pair. Who keeps the runs says which belong to the
// set, in what order, and makes that atomic with the rest: see [wenlan/internal/catalog].
package keyset

import (
	"cmp"
	"slices"
	"sort"
)

// Pair is a key and a number that has it; Gone, that it has it no more.
type Pair struct {
	Key  uint64
	N    int64 // from 0, below 2^62
	Gone bool
}

func (p Pair) compare(q Pair) int {
	if c := cmp.Compare(p.Key, q.Key); c != 0 {
		return c
	}
	return cmp.Compare(p.N, q.N)
}

// Set is the pairs at one moment. It does not change, and may be used by many at
// once. The zero Set is empty.
type Set struct {
	Recent []Pair // ascending, each pair once; newer than all runs
	Runs   []*Run // the newest first
}

// With is the set after a change: pairs, which it may keep, in any order and each
// once, that win over what was said before.
func (s *Set) With(pairs []Pair) *Set {
	slices.SortFunc(pairs, Pair.compare)
	return &Set{Recent: union(s.Recent, pairs), Runs: s.Runs}
}

// union joins two ascending lists; where both have a pair, that of newer counts.
func union(older, newer []Pair) []Pair {
	if len(older) == 0 {
		return newer
	}
	out := make([]Pair, 0, len(older)+len(newer))
	for len(older) > 0 && len(newer) > 0 {
		switch c := older[0].compare(newer[0]); {
		case c < 0:
			out, older = append(out, older[0]), older[1:]
		case c > 0:
			out, newer = append(out, newer[0]), newer[1:]
		default:
			older = older[1:]
		}
	}
	return append(append(out, older...), newer...)
}

// source is where a key's pairs are in one part of the set.
type source struct {
	recent   []Pair // used up as it is read
	run      *Run
	from, to int
}

// peek is the number that comes next.
func (s *source) peek() (n int64, gone, ok bool) {
	switch {
	case len(s.recent) > 0:
		return s.recent[0].N, s.recent[0].Gone, true
	case s.from < s.to:
		n, gone = s.run.number(s.from)
		return n, gone, true
	}
	return 0, false, false
}

func (s *source) next() {
	if len(s.recent) > 0 {
		s.recent = s.recent[1:]
	} else {
		s.from++
	}
}

// Get appends the numbers that have a key to dst, ascending, at most limit. However
// many have it, it reads no more than it gives, marks apart.
func (s *Set) Get(dst []int64, key uint64, limit int) []int64 {
	return s.GetAfter(dst, key, -1, limit)
}

// GetAfter is Get of the numbers above after.
func (s *Set) GetAfter(dst []int64, key uint64, after int64, limit int) []int64 {
	var buf [16]source
	in := buf[:0] // the newest first
	at, _ := slices.BinarySearchFunc(s.Recent, Pair{Key: key, N: after + 1}, Pair.compare)
	end, _ := slices.BinarySearchFunc(s.Recent, Pair{Key: key, N: 1 << 62}, Pair.compare)
	if at < end {
		in = append(in, source{recent: s.Recent[at:end]})
	}
	for _, r := range s.Runs {
		from, to := r.find(key)
		if after >= 0 && from < to {
			from += sort.Search(to-from, func(i int) bool {
				n, _ := r.number(from + i)
				return n > after
			})
		}
		if from < to {
			in = append(in, source{run: r, from: from, to: to})
		}
	}
	for limit > 0 && len(in) > 0 {
		least, gone, found := int64(0), false, false
		for i := range in {
			if n, g, ok := in[i].peek(); ok && (!found || n < least) {
				least, gone, found = n, g, true
			}
		}
		if !found {
			break
		}
		for i := range in {
			if n, _, ok := in[i].peek(); ok && n == least {
				in[i].next()
			}
		}
		if !gone {
			dst = append(dst, least)
			limit--
		}
	}
	return dst
}

// Of gives the keys that a number has, ascending, by reading the whole set.
func (s *Set) Of(number int64) []uint64 {
	said := map[uint64]bool{} // key -> gone, by the newest that says so
	for _, p := range s.Recent {
		if p.N == number {
			said[p.Key] = p.Gone
		}
	}
	for _, r := range s.Runs {
		for i := range r.pairs {
			if n, gone := r.number(i); n == number {
				if key := r.key(i); !has(said, key) {
					said[key] = gone
				}
			}
		}
	}
	var out []uint64
	for key, gone := range said {
		if !gone {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

func has(m map[uint64]bool, key uint64) bool { _, ok := m[key]; return ok }

// All calls fn with each pair of the set, ascending, until it says no.
func (s *Set) All(fn func(Pair) bool) {
	m := newMerge(s.Recent, s.Runs)
	for p, ok := m.next(); ok; p, ok = m.next() {
		if !p.Gone && !fn(p) {
			return
		}
	}
}

// merge reads several parts of a set as one, a pair once, as its newest part says.
type merge struct {
	recent []Pair
	runs   []cursor // the newest first
	heads  []Pair   // of runs
}

func newMerge(recent []Pair, runs []*Run) *merge {
	m := &merge{recent: recent}
	for _, r := range runs {
		c := cursor{r: r}
		if p, ok := c.next(); ok {
			m.runs, m.heads = append(m.runs, c), append(m.heads, p)
		}
	}
	return m
}

func (m *merge) next() (least Pair, found bool) {
	if len(m.recent) > 0 {
		least, found = m.recent[0], true
	}
	for i := range m.heads {
		if !found || m.heads[i].compare(least) < 0 {
			least, found = m.heads[i], true
		}
	}
	if !found {
		return least, false
	}
	if len(m.recent) > 0 && m.recent[0].compare(least) == 0 {
		m.recent = m.recent[1:]
	}
	for i := 0; i < len(m.heads); {
		if m.heads[i].compare(least) == 0 {
			p, ok := m.runs[i].next()
			if !ok {
				m.runs, m.heads = slices.Delete(m.runs, i, i+1), slices.Delete(m.heads, i, i+1)
				continue
			}
			m.heads[i] = p
		}
		i++
	}
	return least, true
}
