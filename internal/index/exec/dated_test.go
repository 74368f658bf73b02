package exec

import (
	"context"
	"math/rand/v2"
	"testing"

	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// TestDated holds orders by year to the oracle, over lists of many blocks: years before
// our era, unknown ones, a far one, records of several parts, deletions, pages.
func TestDated(t *testing.T) {
	for _, years := range []func(r *rand.Rand) int16{
		func(r *rand.Rand) int16 { return int16(2000 + r.IntN(5)) },
		func(r *rand.Rand) int16 { return int16(r.IntN(40)*r.IntN(40)/30 - 10) },
		func(r *rand.Rand) int16 { return 0 },
		func(r *rand.Rand) int16 {
			if r.IntN(3000) == 0 {
				return 32767
			}
			return int16(1800 + r.IntN(225))
		},
	} {
		r := rand.New(rand.NewPCG(7, 7))
		parts, deleted := make([][]*segment.Doc, 3), map[[2]int64]bool{}
		for rec := range int64(5000) {
			k := rec / 1700
			if r.IntN(5) == 0 {
				k = r.Int64N(3)
			}
			year := years(r)
			for part := range int32(1 + r.IntN(3)/2) {
				d := &segment.Doc{Record: rec, Part: part, Year: year, Subjects: []string{"subject"}}
				d.Tokens[segment.Title] = []string{"the"}
				if r.IntN(2) == 0 {
					d.Tokens[segment.ID] = []string{"half"}
				} else if r.IntN(4) > 0 {
					d.Tokens[segment.Title] = []string{"half"}
				}
				parts[k] = append(parts[k], d)
				if r.IntN(9) == 0 && k == 1 {
					deleted[docKey(d)] = true
				}
			}
		}
		l := makeLibrary(t, parts, deleted, false)
		half := &query.Term{Text: "half", Fields: text}
		for _, root := range []query.Node{half, &query.Term{Text: "the", Fields: text}, &query.Or{Of: []query.Node{half, &query.Term{Text: "the", Fields: text}}}, nil} {
			for _, sort := range []Sort{Newest, Oldest} {
				for _, f := range []Filters{{}, {YearFrom: 2001, YearTo: 2003}} {
					want := l.answer(root, f, sort)
					req := &Request{Query: &query.Query{Root: root}, Filters: f, Sort: sort, Limit: 300, Strict: true}
					for offset := 0; offset == 0 || offset < len(want) && offset < 1500; offset += 300 {
						req.Facets, req.Years = nil, offset%600 > 0
						if req.Years {
							req.Facets = []segment.Facet{segment.Subject}
						}
						a, err := Run(context.Background(), l.segments, req, Budget{})
						if err != nil {
							t.Fatal(err)
						}
						if err := check(want, a, sort, offset, 300); err != nil {
							t.Fatalf("%s sort %d from %d: %v", show(root), sort, offset, err)
						}
						if !a.Exact || a.Total != int64(len(want)) {
							t.Fatalf("%s sort %d: total %d (%v), want %d", show(root), sort, a.Total, a.Exact, len(want))
						}
						if req.Years && (len(a.Facets[0]) != 1 || a.Facets[0][0].N != a.Total) {
							t.Fatalf("%s: facets %v of %d", show(root), a.Facets, a.Total)
						}
						if len(a.Hits) > 0 {
							req.After = &a.Hits[len(a.Hits)-1].Key
						}
					}
					// With a few hits most blocks are passed over.
					req.After, req.Limit, req.Facets, req.Years = nil, 3, nil, false
					a, err := Run(context.Background(), l.segments, req, Budget{})
					if err != nil {
						t.Fatal(err)
					}
					if err := check(want, a, sort, 0, 3); err != nil || a.Total != int64(len(want)) || !a.Exact {
						t.Fatalf("%s sort %d: %d of %d, %v", show(root), sort, a.Total, len(want), err)
					}
				}
			}
		}
	}
}
