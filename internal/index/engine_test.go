package index_test

import (
	"path/filepath"
	"testing"
	"time"

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
	for range 3000 {
		reg.Accession(record.Record{Title: "The same"}, nil, nil)
	}
	dir := t.TempDir()
	v := openViews(t, reg, dir)
	if err := v.fol.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer v.close()
	for _, cfg := range []index.Config{{Work: 10}, {Budget: 1}} {
		cfg.Dir, cfg.ReadOnly, cfg.Records = filepath.Join(dir, "index"), true, v.cat
		x, err := index.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		for _, q := range []index.Query{{Text: "same", Sort: index.Title, Facets: true}, {Kinds: []string{"other"}, Facets: true}, {Facets: true}} {
			start := time.Now()
			res, err := x.Search(t.Context(), q)
			if err != nil || res.Exact {
				t.Errorf("%+v, %+v: %+v %v", cfg, q, res, err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%+v: %v", q, took)
			}
		}
	}
}
