package segment

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

func TestYearBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, n := range []int{0, 1, YearWindow, 3*YearWindow + 5} {
		b := NewBuilder(Options{})
		want := make([]YearBound, (n+YearWindow-1)/YearWindow)
		for i := range want {
			want[i] = YearBound{math.MaxInt16, math.MinInt16}
		}
		for i := range n {
			y := int16(r.IntN(1<<16) - 1<<15)
			if r.IntN(2) == 0 || i/YearWindow == 1 {
				y = 0
			}
			if err := b.Add(&Doc{Record: int64(i), Year: y}); err != nil {
				t.Fatal(err)
			}
			if w := &want[i/YearWindow]; y != 0 {
				w.Least, w.Most = min(w.Least, y), max(w.Most, y)
			}
		}
		var buf bytes.Buffer
		if err := b.Finish(&buf); err != nil {
			t.Fatal(err)
		}
		seg, err := Open(buf.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got := seg.YearBounds()
		if len(got) != len(want) {
			t.Fatalf("%d bounds, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%d of %d: %v, want %v", i, n, got[i], want[i])
			}
		}
	}
}
