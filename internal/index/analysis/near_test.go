package analysis

import (
	"slices"
	"testing"
)

func TestNearStems(t *testing.T) {
	for word, want := range map[string]string{
		"evolutoin":   "evolut",
		"informatin":  "inform",
		"computaton":  "comput",
		"universitys": "univers",
		"relativty":   "relat",
	} {
		if got := NearStems(word); !slices.Contains(got, want) {
			t.Errorf("%s: %q, want %s", word, got, want)
		}
	}
	for _, word := range []string{"", "abc", "çalış", "红楼", "e=mc2"} {
		if got := NearStems(word); got != nil {
			t.Errorf("%s: %q", word, got)
		}
	}
}

func BenchmarkNearStems(b *testing.B) {
	for b.Loop() {
		NearStems("evolutoin")
	}
}
