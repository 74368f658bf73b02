package main

import (
	"strings"

	"wenlan/internal/index/analysis"
	"wenlan/internal/index/query"
)

// parse stands in for query.Parse.
func parse(text string) *query.Query {
	and := &query.And{}
	add := func(text string, loose bool) {
		var words []string
		for _, t := range analysis.Analyze(text) {
			if t.Single && len(words) > 0 {
				continue
			}
			words = append(words, t.Text)
		}
		switch {
		case len(words) == 1:
			and.Of = append(and.Of, &query.Term{Text: words[0], Fields: everywhere})
		case len(words) > 1:
			and.Of = append(and.Of, &query.Phrase{Tokens: words, Fields: everywhere, Loose: loose})
		}
	}
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		add(strings.TrimSuffix(inner, `"`), false)
	} else {
		for _, w := range strings.FieldsFunc(text, func(r rune) bool {
			return strings.ContainsRune(" ,.?!，。？！、《》「」“”：；:;()（）", r)
		}) {
			add(w, true)
		}
	}
	if len(and.Of) == 0 {
		return &query.Query{Root: &query.Term{Text: "\uffff", Fields: everywhere}}
	}
	return &query.Query{Root: and, Text: text, Terms: len(and.Of)}
}
