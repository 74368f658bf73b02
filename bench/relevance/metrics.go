package main

import "math"

// Depths of the figures.
const (
	ndcgAt   = 10
	recallAt = 100
)

// judged is how a ranking fares against what people judged right.
type judged struct {
	ndcg, ap, recall float64
}

// judge measures one ranking, best first, without repetition, against the set of
// right answers; right is not empty. Judgements are binary.
//
//   - nDCG@10: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR
//     techniques", ACM TOIS 20(4), 2002, with the discount 1/log2(rank+1) from the
//     first rank on, as trec_eval's ndcg_cut.
//   - average precision over the whole ranking, as trec_eval's map: what is not in
//     the ranking has precision 0.
//   - recall in the first 100.
func judge(ranking []string, right map[string]bool) judged {
	var j judged
	found := 0
	for i, id := range ranking {
		if !right[id] {
			continue
		}
		found++
		if i < ndcgAt {
			j.ndcg += 1 / math.Log2(float64(i)+2)
		}
		j.ap += float64(found) / float64(i+1)
		if i < recallAt {
			j.recall++
		}
	}
	ideal := 0.0
	for i := range min(len(right), ndcgAt) {
		ideal += 1 / math.Log2(float64(i)+2)
	}
	j.ndcg /= ideal
	j.ap /= float64(len(right))
	j.recall /= float64(len(right))
	return j
}

// mean is the figure of a collection: the mean over its queries, those with an empty
// ranking included.
func mean(all []judged) judged {
	var m judged
	for _, j := range all {
		m.ndcg += j.ndcg
		m.ap += j.ap
		m.recall += j.recall
	}
	n := float64(max(1, len(all)))
	return judged{m.ndcg / n, m.ap / n, m.recall / n}
}
