package index_test

import (
	"encoding/json"
	"slices"
	"testing"

	"wenlan/internal/index"
	"wenlan/internal/record"
	"wenlan/internal/view/viewtest"
)

// TestMerged: what was merged into a record is found as that record, by its titles, names
// and identifiers, through chains too, for as long as it is merged.
func TestMerged(t *testing.T) {
	reg := viewtest.New(t)
	a := reg.Accession(record.Record{Title: "Zephyr", AltTitles: []string{"西风"}, Creators: []record.Creator{{Name: "Ximena Quux", AltNames: []string{"Quux, X."}}},
		IDs: []record.ID{{Scheme: "isbn", Value: "9780141439518"}}}, nil, nil)
	b := reg.Accession(record.Record{Title: "Breeze"}, nil, nil)
	c := reg.Accession(record.Record{Title: "Wind", Creators: []record.Creator{{Name: "Ana Lima"}}}, nil, nil)
	v := openViews(t, reg, t.TempDir())
	defer v.close()
	merge := func(from, into int64) int64 {
		return reg.Append(record.Entry{Type: record.TypeMerge, From: &from, Into: &into})
	}
	undo := func(merge int64) { reg.Append(record.Entry{Type: record.TypeUnmerge, Of: &merge}) }
	finds := func(when string, want map[string]int64) {
		t.Helper()
		if err := v.fol.Catch(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, how := range []string{"followed", "made anew"} {
			for text, n := range want {
				res, err := v.idx.Search(t.Context(), index.Query{Text: text, Exactly: true})
				if err != nil {
					t.Fatal(err)
				}
				var got []int64
				for _, h := range res.Hits {
					got = append(got, h.Record)
				}
				if n == 0 && len(got) > 0 || n != 0 && !slices.Equal(got, []int64{n}) {
					t.Errorf("%s, %s, %q: %v, want %d", when, how, text, got, n)
				}
			}
			if err := v.fol.Rebuild(t.Context(), "index"); err != nil {
				t.Fatal(err)
			}
		}
	}
	finds("apart", map[string]int64{"zephyr": a, "breeze": b, "wind": c})
	ab := merge(a, b)
	finds("merged", map[string]int64{"zephyr": b, "breeze": b, "西风": b, "xifeng": b, "quux": b, "author:ximena": b, "isbn:0141439513": b, "zephyr breeze": b, "wind": c})
	bc := merge(b, c)
	finds("in a chain", map[string]int64{"zephyr": c, "breeze": c, "quux": c, "wind": c})
	patch := json.RawMessage(`{"title":"Zonda"}`)
	reg.Append(record.Entry{Type: record.TypeRevision, Of: &a, Patch: patch, Source: &record.Source{Name: record.Librarian}})
	finds("revised", map[string]int64{"zonda": c, "zephyr": 0})
	undo(bc)
	finds("the second taken back", map[string]int64{"zonda": b, "breeze": b, "wind": c})
	merge(b, c)
	undo(ab)
	finds("the first taken back", map[string]int64{"zonda": a, "quux": a, "breeze": c, "wind": c})
	merge(a, b)
	finds("merged again", map[string]int64{"zonda": c})
	if res, err := v.idx.Headings(t.Context(), index.HeadingQuery{Facet: index.FacetCreator}); err != nil || len(res.Headings) != 1 || res.Headings[0].Value != "Ana Lima" {
		t.Errorf("lists have those of the target alone: %+v, %v", res, err)
	}
	reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{a}, Ground: "law", Critical: true})
	finds("erased", map[string]int64{"zonda": 0, "quux": 0, "西风": 0, "breeze": c})
}
