package main

import (
	"math"
	"strings"
	"testing"
)

// The figures are computed by hand: 1/log2(2) = 1, 1/log2(3) = .6309, 1/log2(4) = .5,
// 1/log2(5) = .4307, 1/log2(6) = .3869.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		ranking, right   string
		ndcg, ap, recall float64
	}{
		{"a", "a", 1, 1, 1},
		{"b a", "a", .6309, .5, 1},
		{"b c a", "a", .5, 1. / 3, 1},
		{"", "a", 0, 0, 0},
		{"b c", "a", 0, 0, 0},
		{"a b c d e", "a b", 1, 1, 1},
		// (1 + .5) / (1 + .6309); (1/1 + 2/3) / 2
		{"a x b", "a b", .9197, .8333, 1},
		// (.6309 + .4307) / (1 + .6309 + .5); (1/2 + 2/4) / 3; 2 of 3
		{"x a y b", "a b c", .4982, .3333, .6667},
		// the eleventh rank counts for the average precision, not for nDCG@10
		{"1 2 3 4 5 6 7 8 9 10 a", "a", 0, 1. / 11, 1},
	} {
		right := map[string]bool{}
		for _, r := range strings.Fields(c.right) {
			right[r] = true
		}
		j := judge(strings.Fields(c.ranking), right)
		for _, x := range []struct {
			name      string
			got, want float64
		}{{"nDCG@10", j.ndcg, c.ndcg}, {"AP", j.ap, c.ap}, {"recall@100", j.recall, c.recall}} {
			if math.Abs(x.got-x.want) > 5e-5 {
				t.Errorf("%s of %q against %q is %.4f and not %.4f", x.name, c.ranking, c.right, x.got, x.want)
			}
		}
	}
}

func TestRecallAt100(t *testing.T) {
	var ranking []string
	for range 100 {
		ranking = append(ranking, "x")
	}
	j := judge(append(ranking, "a"), map[string]bool{"a": true})
	if j.recall != 0 || math.Abs(j.ap-1./101) > 1e-9 {
		t.Errorf("recall@100 %v, AP %v", j.recall, j.ap)
	}
}

func TestMean(t *testing.T) {
	m := mean([]judged{{1, .5, 1}, {0, 0, 0}})
	if m != (judged{.5, .25, .5}) {
		t.Errorf("mean %v", m)
	}
	if mean(nil) != (judged{}) {
		t.Error("the mean of nothing")
	}
}
