package index_test

import (
	"testing"

	"wenlan/internal/index"
	"wenlan/internal/index/indextest"
	"wenlan/internal/view"
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
