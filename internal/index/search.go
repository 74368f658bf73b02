package index

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"wenlan/internal/index/analysis"
	"wenlan/internal/index/exec"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// countTo is how far the matches of a query are counted one by one; a greater
// total is an estimate, unless the dictionary knows it.
const countTo = 10_000

var sorts = map[string]exec.Sort{Relevance: exec.Relevance, Newest: exec.Newest, Oldest: exec.Oldest, Title: exec.Title}

// facets are those that a result has, beside years, in the order of the requests.
var facets = []facetOf{
	{FacetLanguage, segment.Language}, {FacetKind, segment.Kind}, {FacetSubject, segment.Subject},
	{FacetCreator, segment.Creator}, {FacetAccess, segment.Access},
}

type facetOf struct {
	name  string
	facet segment.Facet
}

// Search implements [Index].
func (x *Engine) Search(ctx context.Context, q Query) (*Result, error) {
	start := time.Now()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := x.Ready(); err != nil {
		return nil, err
	}
	req, err := newRequest(q)
	if err != nil {
		return nil, err
	}
	snap, release := x.store.Snapshot()
	defer release()
	ans, err := exec.Run(ctx, snap.Segments, req, exec.Budget{Deadline: start.Add(x.cfg.Budget), Work: x.cfg.Work, Gate: x.gate})
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	res := &Result{Total: ans.Total, Exact: ans.Exact && (!q.Facets || ans.FacetsExact), Partial: ans.Partial}
	instead := map[string][]string{}
	for _, c := range ans.Corrections {
		instead[c.From] = append(instead[c.From], c.To)
	}
	looked := parts(query.Parse(q.Text).Root, instead)
	for _, h := range ans.Hits {
		res.Hits = append(res.Hits, Hit{Record: h.Record, Score: h.Score, Key: h.Key.String(), Highlights: x.highlights(ctx, h.Record, looked)})
	}
	if q.Facets {
		res.Facets = map[string][]FacetCount{}
		for i, f := range q.facets() {
			for _, c := range ans.Facets[i] {
				res.Facets[f.name] = append(res.Facets[f.name], FacetCount{Value: c.Value, N: c.N})
			}
		}
		for _, y := range ans.Years {
			res.Facets[FacetYear] = append(res.Facets[FacetYear], FacetCount{Value: strconv.Itoa(int(y.Year)), N: y.N})
		}
	}
	x.spell(ctx, snap.Segments, req.Query, ans, res)
	res.Took = time.Since(start)
	return res, nil
}

// Each implements [Index].
func (x *Engine) Each(ctx context.Context, q Query, fn func(n int64)) error {
	if err := x.Ready(); err != nil {
		return err
	}
	q.Sort, q.Limit, q.Offset, q.After, q.Facets, q.Exactly = Title, 1, 0, "", false, true
	req, err := newRequest(q)
	if err != nil {
		return err
	}
	req.Each = fn
	snap, release := x.store.Snapshot()
	defer release()
	_, err = exec.Run(ctx, snap.Segments, req, exec.Budget{})
	return err
}

// newRequest is a query as exec takes it.
func newRequest(q Query) (*exec.Request, error) {
	if q.Limit <= 0 {
		q.Limit = 20
	}
	req := &exec.Request{
		Query: query.Parse(q.Text),
		Filters: exec.Filters{Languages: subtags(q.Languages), Kinds: q.Kinds, Subjects: q.Subjects, Creators: q.Creators, Access: q.Access,
			YearFrom: q.YearFrom, YearTo: q.YearTo},
		Sort: sorts[q.Sort], Limit: min(q.Limit, MaxLimit), Offset: min(max(q.Offset, 0), MaxOffset),
		TotalUpTo: countTo, Strict: q.Exactly, Near: analysis.NearStems,
	}
	q.byTerms(req)
	if q.After != "" {
		key, err := exec.ParseKey(q.After)
		if err != nil {
			return nil, err
		}
		req.After = &key
	}
	if q.Facets {
		for _, f := range q.facets() {
			req.Facets = append(req.Facets, f.facet)
		}
		req.Rough = q.Rough
		req.Years, req.MaxFacet = len(q.Only) == 0 || slices.Contains(q.Only, FacetYear), MaxFacet
	}
	return req, nil
}

// facets are those that a query wants, beside years.
func (q *Query) facets() []facetOf {
	if len(q.Only) == 0 {
		return facets
	}
	return slices.DeleteFunc(slices.Clone(facets), func(f facetOf) bool { return !slices.Contains(q.Only, f.name) })
}

// subtags are the primary subtags of language tags.
func subtags(tags []string) []string {
	var out []string
	for _, tag := range tags {
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		out = append(out, tag)
	}
	return out
}

// spell says which words were searched as others, or may have been meant as
// others: in the query as it was typed, with the words as the records have them.
func (x *Engine) spell(ctx context.Context, segments []segment.View, q *query.Query, ans *exec.Answer, res *Result) {
	applied, meant := map[string]string{}, map[string]string{}
	for _, c := range ans.Corrections {
		word, ok := typed(q.Text, c.From)
		to := x.surface(ctx, segments, ans.Hits, c.To, word)
		if ok && strings.EqualFold(word, to) {
			continue
		}
		meant[c.From] = to
		if c.Applied {
			applied[c.From] = to
		}
	}
	if len(applied) > 0 {
		res.Corrected = q.Replace(applied)
	}
	if len(meant) > len(applied) {
		res.DidYouMean = q.Replace(meant)
	}
}

// typed is the word of a text that the analyser makes a token of.
func typed(text, token string) (word string, ok bool) {
	for _, t := range analysis.Analyze(text) {
		if t.Text == token {
			return text[t.Start:t.End], true
		}
	}
	return "", false
}

// surface is a token as a word, because tokens are stems: as one of the first hits
// writes it, or where none has it, a record that does. Of its forms it is the one
// whose length is nearest to that of the word that was typed.
func (x *Engine) surface(ctx context.Context, segments []segment.View, hits []exec.Hit, token, typed string) string {
	best := ""
	look := func(hits []exec.Hit) {
		for _, h := range hits {
			st, err := x.cfg.Records.Record(ctx, h.Record)
			if err != nil {
				continue
			}
			for _, f := range highlighted {
				text := FieldText(st.Record, f.name)
				for _, t := range analysis.Analyze(text) {
					if word := text[t.Start:t.End]; t.Text == token && (best == "" || farFrom(word, typed) < farFrom(best, typed)) {
						best = word
					}
				}
			}
		}
	}
	look(hits[:min(len(hits), 5)])
	if best == "" {
		one := &query.Query{Root: &query.Term{Text: token, Fields: query.Text, Whole: true}}
		if ans, err := exec.Run(ctx, segments, &exec.Request{Query: one, Limit: 5, Strict: true}, exec.Budget{Work: surfaceWork}); err == nil {
			look(ans.Hits)
		}
	}
	if best == "" {
		return token
	}
	return strings.ToLower(best)
}

// surfaceWork is how many postings are looked at to find a record that has a word.
const surfaceWork = 20_000

// farFrom is by how many letters two words differ in length.
func farFrom(a, b string) int {
	n := utf8.RuneCountInString(a) - utf8.RuneCountInString(b)
	return max(n, -n)
}
