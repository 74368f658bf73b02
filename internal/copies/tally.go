package copies

import "slices"

// Holder is what one operator holds, as far as is known: all mirrors of one keeper
// together.
type Holder struct {
	All      bool   // everything that may be copied
	Shelves  []byte // shelf n is bit n%8 of byte n/8; where not all is held
	Verified bool   // the last audit was passed
}

// has says whether shelf n is held; shelf 0 stands for what is on no shelf, which
// only those have who hold everything.
func (h *Holder) has(n int64) bool {
	return h.All || n > 0 && n/8 < int64(len(h.Shelves)) && h.Shelves[n/8]>>(n%8)&1 == 1
}

// Holders counts copies. It never changes and may be used by several goroutines.
type Holders struct {
	said, shown []Holder // one an operator: what it announces, and what of that it could show
}

// NewHolders joins the mirrors of each operator.
func NewHolders(mirrors map[string][]Holder) Holders {
	var h Holders
	for _, list := range mirrors {
		var said, shown Holder
		for _, m := range list {
			said.add(m)
			if m.Verified {
				shown.add(m)
			}
		}
		h.said = append(h.said, said)
		if shown.All || len(shown.Shelves) > 0 {
			h.shown = append(h.shown, shown)
		}
	}
	return h
}

func (h *Holder) add(m Holder) {
	h.All = h.All || m.All
	if grow := len(m.Shelves) - len(h.Shelves); grow > 0 {
		h.Shelves = append(slices.Clone(h.Shelves), make([]byte, grow)...)
	} else {
		h.Shelves = slices.Clone(h.Shelves)
	}
	for i, b := range m.Shelves {
		h.Shelves[i] |= b
	}
}

// Of counts the copies of shelf n; 0 stands for what is on no shelf.
func (h Holders) Of(n int64) Count {
	return Count{Announced: count(h.said, n), Verified: count(h.shown, n)}
}

func count(list []Holder, n int64) (copies int) {
	for i := range list {
		if list[i].has(n) {
			copies++
		}
	}
	return copies
}

// Histogram says how many of these shelves there are with each number of verified
// copies, by that number.
func (h Holders) Histogram(shelves []int64) []Held {
	counts := make([]int64, len(h.shown)+1)
	for _, n := range shelves {
		counts[count(h.shown, n)]++
	}
	var out []Held
	for copies, n := range counts {
		if n > 0 {
			out = append(out, Held{Copies: copies, N: n})
		}
	}
	return out
}
