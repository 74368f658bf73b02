package segment

import (
	"bytes"
	"slices"
	"testing"

	"github.com/blevesearch/vellum"
	"pgregory.net/rapid"

	"wenlan/internal/errs"
)

// TestFSTBuilder holds what we write to what vellum writes, byte by byte.
func TestFSTBuilder(t *testing.T) {
	own := map[int]*fstBuilder{1: newFSTBuilder(1), 7: newFSTBuilder(7), 1000: newFSTBuilder(1000)}
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SampledFrom([]string{"ab", "abc语e\x00\xff", ""}).Draw(t, "letters")
		letter := rapid.Byte()
		if letters != "" {
			letter = rapid.SampledFrom([]byte(letters))
		}
		words := rapid.SliceOfN(rapid.SliceOfN(letter, 1, 9), 1, 600).Draw(t, "words")
		slices.SortFunc(words, bytes.Compare)
		words = slices.CompactFunc(words, bytes.Equal)
		step := rapid.SampledFrom([]uint64{0, 1, 100, 1 << 33}).Draw(t, "step")
		buckets := rapid.SampledFrom([]int{1, 7, 1000}).Draw(t, "buckets")
		var want bytes.Buffer
		v, err := vellum.New(&want, &vellum.BuilderOpts{Encoder: 1, RegistryTableSize: buckets, RegistryMRUSize: 2})
		if err != nil {
			t.Fatal(err)
		}
		b := own[buckets]
		b.reset(b.out)
		value := uint64(0)
		for _, w := range words {
			if err := v.Insert(w, value); err != nil {
				t.Fatal(err)
			}
			if err := b.insert(w, value); err != nil {
				t.Fatal(err)
			}
			value += rapid.Uint64Range(0, step).Draw(t, "more")
		}
		if errs.KindOf(b.insert(words[len(words)-1], value)) != errs.Internal {
			t.Fatal("the same word twice")
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		b.finish()
		if !bytes.Equal(b.out, want.Bytes()) {
			t.Fatalf("%d words, %d buckets: %d bytes, vellum writes %d", len(words), buckets, len(b.out), want.Len())
		}
	})
}
