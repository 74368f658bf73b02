package exec

import (
	"bytes"
	"context"
	"slices"

	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// Typed is what someone has typed so far.
type Typed struct {
	Tokens []string // as the analyser gives them, at most 16 count; the last is only how one begins
	Key    []byte   // the title key of what was typed: titles that begin with it come first; nil: none
	Limit  int      // completions of each kind, at most 50; 0: 10

	// Match says whether a name or a subject is meant, because a document that has what was
	// typed has other names, too. It gets the values as they are shown. Nil: all are.
	Match func(facet segment.Facet, value string) bool
}

// Completions is what it may become, each kind best first.
type Completions struct {
	Titles   []Hit        // documents with the words in the title: those whose title begins so, then by score
	Creators []FacetCount // names, most documents first
	Subjects []FacetCount // likewise
	Cut      bool         // the budget was spent
	Work     int64        // see Budget
}

const (
	maxTyped    = 16
	completions = 50
	wordsTyped  = 48  // words that the last token stands for
	nearTyped   = 8   // titles to choose from for each one that is given
	valuesTyped = 200 // names to choose from
	workTyped   = 1e6 // work for each kind
)

// Complete gives titles, names and subjects that complete what is typed, with no typos
// forgiven. It costs at most a few milliseconds, less when the budget says so: counts of
// names are then of a part of the documents. Errors are those of Run.
func Complete(ctx context.Context, segments []segment.View, t Typed, b Budget) (*Completions, error) {
	tokens := t.Tokens[:min(len(t.Tokens), maxTyped)]
	limit := min(t.Limit, completions)
	if limit <= 0 {
		limit = 10
	}
	out := &Completions{}
	if len(tokens) == 0 || tokens[len(tokens)-1] == "" {
		return out, nil
	}
	// in asks for documents that have the tokens in a field.
	in := func(field segment.Field, req Request) (*Answer, error) {
		and := &query.And{}
		for i, tok := range tokens {
			and.Of = append(and.Of, &query.Term{Text: tok, Fields: field.Bit(), Prefix: i == len(tokens)-1})
		}
		req.Query, req.Strict, req.words = &query.Query{Root: and, Terms: len(tokens)}, true, wordsTyped
		sub := b
		sub.Work = workTyped
		if b.Work > 0 {
			sub.Work = min(sub.Work, max(1, b.Work-out.Work))
		}
		a, err := Run(ctx, segments, &req, sub)
		if a != nil {
			out.Work += a.Work
			out.Cut = out.Cut || a.Cut
		}
		return a, err
	}
	a, err := in(segment.Title, Request{Limit: limit * nearTyped, TotalUpTo: 1})
	if err != nil {
		return nil, err
	}
	out.Titles = a.Hits
	if len(t.Key) > 0 {
		begins := func(h *Hit) bool {
			for i := range segments {
				v := &segments[i]
				if lo, hi := v.Find(h.Record); lo < hi {
					for d := lo; d < hi; d++ {
						if v.Part(d) == h.Part && (v.Deleted == nil || !v.Deleted.Contains(d)) {
							return bytes.HasPrefix(v.TitleKey(d), t.Key)
						}
					}
				}
			}
			return false
		}
		var first, rest []Hit
		for i := range out.Titles {
			if begins(&out.Titles[i]) {
				first = append(first, out.Titles[i])
			} else {
				rest = append(rest, out.Titles[i])
			}
		}
		out.Titles = append(first, rest...)
	}
	out.Titles = out.Titles[:min(limit, len(out.Titles))]
	values := func(field segment.Field, facet segment.Facet) ([]FacetCount, error) {
		a, err := in(field, Request{Facets: []segment.Facet{facet}, MaxFacet: valuesTyped})
		if err != nil {
			return nil, err
		}
		v := a.Facets[0]
		if t.Match != nil {
			v = slices.DeleteFunc(v, func(c FacetCount) bool { return !t.Match(facet, c.Value) })
		}
		return v[:min(limit, len(v))], nil
	}
	if out.Creators, err = values(segment.Creators, segment.Creator); err != nil {
		return nil, err
	}
	if out.Subjects, err = values(segment.About, segment.Subject); err != nil {
		return nil, err
	}
	return out, nil
}
