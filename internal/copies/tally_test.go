package copies

import (
	"fmt"
	"testing"
)

func TestHolders(t *testing.T) {
	h := NewHolders(map[string][]Holder{
		"ourselves": {{All: true, Verified: true}},
		"a whole":   {{All: true, Verified: true}, {All: true, Verified: true}}, // two mirrors of one keeper
		"a liar":    {{All: true}},
		"a part":    {{Shelves: []byte{0b110}, Verified: true}},         // shelves 1 and 2
		"two parts": {{Shelves: []byte{0b10}}, {Shelves: []byte{0, 1}}}, // shelves 1 and 8
		"half good": {{Shelves: []byte{0b1000}, Verified: true}, {Shelves: []byte{0b10}}},
		"nothing":   {{Verified: true}},
	})
	for n, want := range map[int64]Count{
		0:       {Announced: 3, Verified: 2},
		1:       {Announced: 6, Verified: 3},
		2:       {Announced: 4, Verified: 3},
		3:       {Announced: 4, Verified: 3},
		8:       {Announced: 4, Verified: 2},
		9:       {Announced: 3, Verified: 2},
		1 << 40: {Announced: 3, Verified: 2},
		-1:      {Announced: 3, Verified: 2},
	} {
		if got := h.Of(n); got != want {
			t.Errorf("shelf %d: %+v, want %+v", n, got, want)
		}
	}
	if got := fmt.Sprint(h.Histogram([]int64{1, 2, 3, 8, 9, 10})); got != "[{2 3} {3 3}]" {
		t.Errorf("histogram %s", got)
	}
	var none Holders
	if got := none.Of(1); got != (Count{}) || len(none.Histogram(nil)) != 0 || fmt.Sprint(none.Histogram([]int64{1})) != "[{0 1}]" {
		t.Errorf("of nobody: %+v", got)
	}
}

// BenchmarkHistogram counts 50,000 shelves of a thousand operators.
func BenchmarkHistogram(b *testing.B) {
	mirrors, bits := map[string][]Holder{}, make([]byte, 50_000/8+1)
	for i := range bits {
		bits[i] = byte(i)
	}
	for i := range 1000 {
		mirrors[fmt.Sprint(i)] = []Holder{{Shelves: bits, Verified: true}}
	}
	h := NewHolders(mirrors)
	var shelves []int64
	for n := range int64(50_000) {
		shelves = append(shelves, n+1)
	}
	for b.Loop() {
		h.Histogram(shelves)
	}
}
