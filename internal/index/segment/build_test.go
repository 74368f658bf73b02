package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSorted: words of which many have long beginnings in common, and such as end with zeros.
func TestSorted(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	begin := []string{"", "语言学", "aaaaaaaaaaaaaaaaaaaa", "\xff\xff", strings.Repeat("long", 30), "z\x00\x00\x00\x00\x00\x00\x00\x00"}
	in := newInterner()
	for _, n := range []int{0, 1, 255, 256, 20000} {
		in.reset()
		for range n {
			word := fmt.Sprint(begin[rnd.IntN(len(begin))], rnd.IntN(10000))
			if rnd.IntN(10) == 0 {
				word = "zero" + strings.Repeat("\x00", rnd.IntN(500))
			}
			in.id(word)
		}
		ids := in.sorted()
		if len(ids) != len(in.words) {
			t.Fatalf("%d words, want %d", len(ids), len(in.words))
		}
		for i := 1; i < len(ids); i++ {
			if x, y := in.text(ids[i-1]), in.text(ids[i]); bytes.Compare(x, y) >= 0 {
				t.Fatalf("%q comes before %q", x, y)
			}
		}
	}
}

// TestBuilderAgain: a builder that is used again, with documents in batches that are out of order, gives what a new one
// gives for documents in order.
func TestBuilderAgain(t *testing.T) {
	b := NewBuilder(Options{Positions: true})
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		docs := randomDocs(rnd, 1+rnd.IntN(3000))
		want := build(t, docs, true)
		var parts [][]*Doc
		for step := 1 + rnd.IntN(len(docs)); len(docs) > 0; {
			n := min(step, len(docs))
			parts = append(parts, docs[:n])
			docs = docs[n:]
		}
		rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		for _, part := range parts {
			for _, d := range part {
				if err := b.Add(d); err != nil {
					t.Fatal(err)
				}
			}
		}
		var got bytes.Buffer
		if err := b.Finish(&got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("seed %d, %d parts: other bytes", seed, len(parts))
		}
		if b.Docs() != 0 {
			t.Fatal("the builder is not empty")
		}
	}
}
