package index

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"wenlan/internal/index/analysis"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// maxSpans bounds the highlights of one field.
const maxSpans = 64

// part is what a query looks for: tokens side by side, the last of which may be
// only how one begins.
type part struct {
	tokens []string
	prefix bool
	fields uint8
}

// parts lists what a query looks for, without what it excludes. instead are
// tokens that were looked for in the place of others.
func parts(root query.Node, instead map[string][]string) []part {
	var out []part
	var walk func(query.Node)
	walk = func(n query.Node) {
		switch n := n.(type) {
		case *query.And:
			for _, x := range n.Of {
				walk(x)
			}
		case *query.Or:
			for _, x := range n.Of {
				walk(x)
			}
		case *query.Term:
			out = append(out, part{[]string{n.Text}, n.Prefix, n.Fields})
			for _, other := range instead[n.Text] {
				out = append(out, part{[]string{other}, false, n.Fields})
			}
		case *query.Phrase:
			out = append(out, part{n.Tokens, n.Prefix, n.Fields})
		}
	}
	if root != nil {
		walk(root)
	}
	return out
}

// highlighted are the fields that are shown, with those of the index that they are in.
var highlighted = []struct {
	name   string
	fields uint8
}{
	{FieldTitle, segment.Title.Bit()},
	{FieldCreators, segment.Creators.Bit()},
	{FieldAbstract, segment.Abstract.Bit()},
}

// highlights finds the parts in the text of a record; nil when there is nothing
// to show, or the text cannot be had.
func (x *Engine) highlights(ctx context.Context, n int64, parts []part) map[string][]Span {
	if len(parts) == 0 || x.cfg.Records == nil {
		return nil
	}
	st, err := x.cfg.Records.Record(ctx, n)
	if err != nil || st == nil {
		return nil
	}
	var out map[string][]Span
	for _, f := range highlighted {
		if spans := highlight(FieldText(st.Record, f.name), parts, f.fields); len(spans) > 0 {
			if out == nil {
				out = map[string][]Span{}
			}
			out[f.name] = spans
		}
	}
	return out
}

// highlight gives the places of the parts in a text, in order, none overlapping.
func highlight(text string, parts []part, fields uint8) []Span {
	if text == "" {
		return nil
	}
	tokens := analysis.Analyze(text)
	var spans []Span
	for _, p := range parts {
		if p.fields&fields == 0 {
			continue
		}
		k := len(p.tokens)
		for i := 0; i+k <= len(tokens) && len(spans) < 4*maxSpans; i++ {
			if !p.at(tokens[i : i+k]) {
				continue
			}
			last := tokens[i+k-1]
			end := last.End
			if p.prefix && !last.Single && last.Text != p.tokens[k-1] && strings.ContainsFunc(last.Text, analysis.InRun) {
				end = firstEnd(text, last) // one character was asked, and the token has two
			}
			spans = append(spans, Span{tokens[i].Start, end})
		}
	}
	slices.SortFunc(spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	var out []Span
	for _, s := range spans {
		if n := len(out); n > 0 && s.Start < out[n-1].End {
			out[n-1].End = max(out[n-1].End, s.End)
			continue
		}
		out = append(out, s)
	}
	return out[:min(len(out), maxSpans)]
}

// at says whether tokens begin with what the part looks for.
func (p part) at(tokens []analysis.Token) bool {
	for i, tok := range tokens {
		if tok.Text == p.tokens[i] {
			continue
		}
		if !p.prefix || i != len(tokens)-1 || !strings.HasPrefix(tok.Text, p.tokens[i]) {
			return false
		}
	}
	return true
}

// firstEnd is where the first character of a token ends.
func firstEnd(text string, t analysis.Token) int {
	for i := range text[t.Start:t.End] {
		if i > 0 {
			return t.Start + i
		}
	}
	return t.End
}
