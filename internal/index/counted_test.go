package index_test

import (
	"fmt"
	"testing"

	"wenlan/internal/index"
	"wenlan/internal/record"
	"wenlan/internal/view/viewtest"
)

// TestCountedExactly: a list counts a value of very many records as the search for it does,
// when a few of them were changed or merged away.
func TestCountedExactly(t *testing.T) {
	const many = 24_000 // as many as are in one segment, and more than are gone through one by one
	reg := viewtest.New(t)
	for i := range many {
		reg.Accession(record.Record{Title: fmt.Sprint("No. ", i), Subjects: []record.Subject{{Scheme: "ddc", Code: "510", Label: "Numbers"}}}, nil, nil)
	}
	v := openViews(t, reg, t.TempDir())
	defer v.close()
	if err := v.fol.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := v.fol.Rebuild(t.Context(), "index"); err != nil { // one segment of all
		t.Fatal(err)
	}
	for n := range int64(7) {
		from, into := n+10, int64(5)
		reg.Append(record.Entry{Type: record.TypeMerge, From: &from, Into: &into})
	}
	if err := v.fol.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := v.idx.Headings(t.Context(), index.HeadingQuery{Facet: index.FacetSubject})
	if err != nil || len(list.Headings) != 1 || list.Headings[0].N != many-7 || !list.Headings[0].Exact {
		t.Errorf("%+v, %v", list, err)
	}
	classes, err := v.idx.Classes(t.Context(), "ddc", "")
	if err != nil || len(classes) != 1 || classes[0].N != many-7 || !classes[0].Exact {
		t.Errorf("%+v, %v", classes, err)
	}
	res, err := v.idx.Search(t.Context(), index.Query{Subjects: []string{"Numbers"}, Sort: index.Newest})
	if err != nil || res.Total != many-7 || !res.Exact {
		t.Errorf("%d, %v, %v", res.Total, res.Exact, err)
	}
}
