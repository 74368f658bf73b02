package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// TestManyValues counts a column of more values than are counted in an array at once.
func TestManyValues(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	parts := make([][]*segment.Doc, 3)
	for i := range 150_000 {
		d := &segment.Doc{Record: int64(i), Creators: []string{fmt.Sprint("person ", i/2), fmt.Sprint("author ", r.IntN(1+r.IntN(80_000)))}}
		d.Tokens[segment.Title] = []string{fmt.Sprint("w", r.IntN(10)), fmt.Sprint("x", r.IntN(1000))}
		k := r.IntN(3)
		parts[k] = append(parts[k], d)
	}
	parts[0] = append(parts[0], &segment.Doc{Record: 1 << 20, Creators: []string{"alone"}})
	l := makeLibrary(t, parts, nil, false)
	for _, v := range l.segments[1:] {
		if starts, _ := v.Facet(segment.Creator).Lists32(); starts == nil {
			t.Fatalf("%d values are too few", v.Facet(segment.Creator).Cardinality())
		}
	}
	for _, word := range []string{"w1", "x1", "x2", "none"} {
		root := &query.Term{Text: word, Fields: text}
		all := facets(l.answer(root, Filters{}, Relevance), segment.Creator, 1<<20)
		for _, n := range []int{1, 7, 50, 1000} {
			a, err := Run(context.Background(), l.segments, &Request{Query: &query.Query{Root: root}, Strict: true, Facets: []segment.Facet{segment.Creator}, MaxFacet: n}, Budget{})
			if err != nil {
				t.Fatal(err)
			}
			want, got := all[:min(n, len(all))], a.Facets[0]
			if !a.FacetsExact || len(got) != len(want) {
				t.Fatalf("%s: %d values, exact %v, want %d", word, len(got), a.FacetsExact, len(want))
			}
			for i := range want {
				if got[i].N != want[i].N || !slices.Contains(all, got[i]) {
					t.Fatalf("%s: value %d of %d: %v, want %v", word, i, n, got[i], want[i])
				}
			}
		}
	}
}
