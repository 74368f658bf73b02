package main

import (
	"testing"

	"wenlan/bench/measure"
)

func TestPercentile(t *testing.T) {
	var ns []int64
	for i := range int64(100) {
		ns = append(ns, 100-i)
	}
	for p, want := range map[float64]int64{.5: 50, .95: 95, .99: 99} {
		if got := percentile(ns, p); got != want {
			t.Errorf("percentile(%v) = %d, want %d", p, got, want)
		}
	}
	if percentile(nil, .5) != 0 || percentile([]int64{7}, .99) != 7 {
		t.Error("of few")
	}
	if measure.Median([]int64{3, 1, 2}) != 2 || measure.Median([]float64{1, 2}) != 1.5 {
		t.Error("median")
	}
}

func TestGoals(t *testing.T) {
	const ms = 1_000_000
	for _, c := range []struct {
		class              string
		ours, lucene, fts5 [3]int64
		want               string
	}{
		{"and2", [3]int64{1 * ms, 1, 3 * ms}, [3]int64{2 * ms, 1, 3 * ms}, [3]int64{}, "met"},
		{"and2", [3]int64{1.5 * ms, 1, 4 * ms}, [3]int64{2 * ms, 1, 3 * ms}, [3]int64{}, "missed: p50 p99"},
		{"facetcommon", [3]int64{1 * ms, 1, 1 * ms}, [3]int64{4 * ms, 1, 4 * ms}, [3]int64{}, "missed: p50"},
		{"and2", [3]int64{1 * ms, 1, 1 * ms}, [3]int64{4 * ms, 1, 4 * ms}, [3]int64{ms / 2, 1, 1}, "missed: best"},
		{"ident", [3]int64{9_000, 1, 20_000}, [3]int64{12_000, 1, 13_000}, [3]int64{}, "met"}, // ties
	} {
		if got := goals(c.class, c.ours, c.lucene, c.fts5); got != c.want {
			t.Errorf("goals(%s, %v, %v, %v) = %q, want %q", c.class, c.ours, c.lucene, c.fts5, got, c.want)
		}
	}
}
