package index

import (
	"context"
	"strings"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/index/analysis"
	"wenlan/internal/index/exec"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// Bounds of the suggestions to one prefix.
const (
	maxSuggestions = 50
	suggestTime    = 200 * time.Millisecond
	suggestWork    = 500_000
)

// Suggest implements [Index]. Titles come first, then names, then subjects.
func (x *Engine) Suggest(ctx context.Context, prefix string, limit int) ([]Suggestion, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := x.Ready(); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = 10
	}
	limit = min(limit, maxSuggestions)
	typed := query.Typing(prefix)
	if typed.Root == nil {
		return nil, nil
	}
	snap, release := x.store.Snapshot()
	defer release()
	budget := exec.Budget{Deadline: time.Now().Add(min(x.cfg.Budget, suggestTime)), Work: suggestWork, Gate: x.gate}
	titles, err := x.suggestTitles(ctx, snap.Segments, typed, limit, budget)
	if err != nil {
		return nil, err
	}
	names, err := suggestValues(ctx, snap.Segments, typed, segment.Creators, segment.Creator, SuggestCreator, max(1, limit/3), budget)
	if err != nil {
		return nil, err
	}
	subjects, err := suggestValues(ctx, snap.Segments, typed, segment.About, segment.Subject, SuggestSubject, max(1, limit/5), budget)
	if err != nil {
		return nil, err
	}
	// Names and subjects take the place of the last titles.
	titles = titles[:min(len(titles), max(1, limit-len(names)-len(subjects)))]
	out := append(append(titles, names...), subjects...)
	return out[:min(len(out), limit)], nil
}

func (x *Engine) suggestTitles(ctx context.Context, segments []segment.View, typed *query.Query, limit int, b exec.Budget) ([]Suggestion, error) {
	q := *typed
	q.Root = within(typed.Root, segment.Title.Bit()|segment.Reading.Bit())
	if q.Root == nil {
		return nil, nil
	}
	ans, err := exec.Run(ctx, segments, &exec.Request{Query: &q, Limit: 3 * limit, Strict: true}, b)
	if err != nil {
		return nil, err
	}
	var first, rest []Suggestion // those that begin with what was typed, and the others
	start := analysis.Folded(typed.Text)
	had := map[string]bool{}
	for _, h := range ans.Hits {
		st, err := x.cfg.Records.Record(ctx, h.Record)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) || err == nil && st.MergedInto != nil {
			continue // changed a moment ago
		}
		if err != nil {
			return nil, err
		}
		folded := analysis.Folded(st.Record.Title)
		if had[folded] {
			continue
		}
		had[folded] = true
		s := Suggestion{Text: st.Record.Title, Kind: SuggestTitle, Record: h.Record}
		if strings.HasPrefix(folded, start) {
			first = append(first, s)
		} else {
			rest = append(rest, s)
		}
	}
	first = append(first, rest...)
	return first[:min(len(first), limit)], nil
}

// suggestValues gives the values of a facet that have what was typed.
func suggestValues(ctx context.Context, segments []segment.View, typed *query.Query, field segment.Field, facet segment.Facet, kind string, limit int, b exec.Budget) ([]Suggestion, error) {
	q := *typed
	q.Root = within(typed.Root, field.Bit()|segment.Reading.Bit())
	if q.Root == nil {
		return nil, nil
	}
	ans, err := exec.Run(ctx, segments, &exec.Request{Query: &q, Limit: 0, Facets: []segment.Facet{facet}, MaxFacet: 4 * limit, Strict: true}, b)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(analysis.Folded(typed.Text))
	var out []Suggestion
	for _, c := range ans.Facets[0] {
		if len(out) < limit && hasWords(c.Value, words) {
			out = append(out, Suggestion{Text: c.Value, Kind: kind})
		}
	}
	return out, nil
}

// hasWords says whether a value has words that begin with each of the words; in a
// script without spaces, whether it has them anywhere.
func hasWords(value string, words []string) bool {
	have := strings.Fields(analysis.Folded(value))
	for _, w := range words {
		found := false
		for _, h := range have {
			found = found || strings.HasPrefix(h, w) || strings.Contains(h, w) && strings.ContainsFunc(w, analysis.InRun)
		}
		if !found {
			return false
		}
	}
	return true
}

// within is a tree looked for in some fields only; nil when nothing of it can be there.
func within(n query.Node, fields uint8) query.Node {
	switch n := n.(type) {
	case *query.And:
		out := &query.And{}
		for _, x := range n.Of {
			if y := within(x, fields); y != nil {
				out.Of = append(out.Of, y)
			} else if _, not := x.(*query.Not); !not {
				return nil
			}
		}
		if len(out.Of) == 0 {
			return nil
		}
		return out
	case *query.Or:
		out := &query.Or{Alternatives: n.Alternatives}
		for _, x := range n.Of {
			if y := within(x, fields); y != nil {
				out.Of = append(out.Of, y)
			}
		}
		switch len(out.Of) {
		case 0:
			return nil
		case 1:
			return out.Of[0]
		}
		return out
	case *query.Not:
		if y := within(n.Of, fields); y != nil {
			return &query.Not{Of: y}
		}
	case *query.Term:
		if n.Fields&fields != 0 {
			c := *n
			c.Fields &= fields
			return &c
		}
	case *query.Phrase:
		if n.Fields&fields != 0 {
			c := *n
			c.Fields &= fields
			return &c
		}
	}
	return nil
}
