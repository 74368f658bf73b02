package index_test

import (
	"path/filepath"
	"testing"

	"wenlan/internal/index"
	"wenlan/internal/index/indextest"
	"wenlan/internal/record"
	"wenlan/internal/view"
	"wenlan/internal/view/viewtest"
)

func TestConformance(t *testing.T) {
	indextest.Test(t, func(t *testing.T, dir string, records index.Records, body view.Body) index.Index {
		x, err := index.Open(t.Context(), index.Config{Dir: dir, Records: records, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		return x
	})
}

// A query that reaches a limit gives what it saw, and says that it is not all.
func TestBudget(t *testing.T) {
	reg := viewtest.New(t)
	for range 50 {
		reg.Accession(record.Record{Title: "The same"}, nil, nil)
	}
	dir := t.TempDir()
	v := openViews(t, reg, dir)
	if err := v.fol.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer v.close()
	for _, cfg := range []index.Config{{MaxMatches: 10}, {Budget: 1}} {
		cfg.Dir, cfg.ReadOnly, cfg.Records = filepath.Join(dir, "index"), true, v.cat
		x, err := index.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		for _, q := range []index.Query{{Text: "same"}, {Text: "same", Sort: index.Title, Facets: true}, {Kinds: []string{"other"}}, {Facets: true}} {
			res, err := x.Search(t.Context(), q)
			if err != nil || res.Exact || res.Total > 10 {
				t.Errorf("%+v, %+v: %+v %v", cfg, q, res, err)
			}
			if cfg.MaxMatches == 10 && (len(res.Hits) != 10 || res.Hits[0].Record != 50 && q.Sort == "") {
				t.Errorf("%+v: not the latest: %+v", q, res.Hits)
			}
		}
	}
}
