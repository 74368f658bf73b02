package index

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"wenlan/internal/sqldb"
)

// maxSpans bounds the highlights of one field.
const maxSpans = 64

// highlights finds the terms in the text of a record; nil when there is nothing
// to show, or the text cannot be had.
func (x *FTS) highlights(ctx context.Context, n int64, p parsed) map[string][]Span {
	if len(p.terms) == 0 || x.cfg.Records == nil {
		return nil
	}
	st, err := x.cfg.Records.Record(ctx, n)
	if err != nil || st == nil {
		return nil
	}
	var out map[string][]Span
	for _, field := range []string{FieldTitle, FieldCreators, FieldAbstract} {
		if spans := highlight(FieldText(st.Record, field), p.terms); len(spans) > 0 {
			if out == nil {
				out = map[string][]Span{}
			}
			out[field] = spans
		}
	}
	return out
}

// highlight gives the places of the terms in a text, in order, none overlapping.
func highlight(text string, terms []term) []Span {
	tokens := Analyze(text)
	var spans []Span
	for _, t := range terms {
		k := len(t.tokens)
		for i := 0; i+k <= len(tokens) && len(spans) < 4*maxSpans; i++ {
			if sequence(tokens[i:i+k], t) {
				last := tokens[i+k-1]
				end := last.End
				if t.prefix && !last.Single && last.Text != t.tokens[k-1] {
					end = firstEnd(text, last) // one character was asked, and the token has two
				}
				spans = append(spans, Span{tokens[i].Start, end})
			}
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

// firstEnd is where the first character of a token ends.
func firstEnd(text string, t Token) int {
	for i := range text[t.Start:t.End] {
		if i > 0 {
			return t.Start + i
		}
	}
	return t.End
}

func sequence(tokens []Token, t term) bool {
	for i, tok := range tokens {
		if tok.Text == t.tokens[i] {
			continue
		}
		if !t.prefix || i != len(tokens)-1 || !strings.HasPrefix(tok.Text, t.tokens[i]) {
			return false
		}
	}
	return true
}

// Suggest implements [Index].
func (x *FTS) Suggest(ctx context.Context, prefix string, limit int) ([]Suggestion, error) {
	if limit <= 0 {
		limit = 10
	}
	limit = min(limit, 50)
	g, release, err := x.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	key := titleKey(prefix)
	if len(key) == 0 {
		return nil, nil
	}
	var out []Suggestion
	had := map[string]bool{}
	add := func(found []int64) error {
		for _, n := range found {
			if len(out) >= limit {
				return nil
			}
			st, err := x.cfg.Records.Record(ctx, n)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil || st.MergedInto != nil { // changed a moment ago
				continue
			}
			if k := folded(st.Record.Title); !had[k] {
				had[k] = true
				out = append(out, Suggestion{Text: st.Record.Title, Kind: SuggestTitle, Record: n})
			}
		}
		return nil
	}
	budget, cancel := context.WithTimeout(ctx, min(x.cfg.Budget, 200*time.Millisecond))
	defer cancel()
	ask := func(query string, args ...any) error {
		rows, err := g.Reader().QueryContext(budget, query, args...)
		found, err := sqldb.Collect(rows, err, func(rows *sql.Rows) (n int64, err error) {
			err = rows.Scan(&n)
			return n, err
		})
		if err != nil && (ctx.Err() != nil || !sqldb.Interrupted(err)) {
			return err
		}
		return add(found)
	}
	if err := ask("SELECT n FROM docs WHERE tkey >= ? AND tkey < ? ORDER BY tkey, n LIMIT ?", key, append(slices.Clone(key), 0xff), 3*limit); err != nil {
		return nil, err
	}
	if match := suggestMatch(prefix); match != "" && len(out) < limit {
		if err := ask("SELECT rowid FROM fts WHERE fts MATCH ? ORDER BY rowid DESC LIMIT ?", match, 3*limit); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// suggestMatch asks for titles with the words, the last of which may go on.
func suggestMatch(prefix string) string {
	p := parse(prefix)
	if len(p.terms) == 0 {
		return ""
	}
	var parts []string
	for i, t := range p.terms {
		t.ids = nil
		s := t.match()
		if i == len(p.terms)-1 && !t.prefix {
			whole := analyze(prefix, true)
			last := whole[len(whole)-1].Text
			if len(last) < 2 {
				return ""
			}
			if len(t.tokens) == 1 {
				s = "(" + s + " OR " + quote(last) + " *)"
			}
		}
		parts = append(parts, "{title} : "+s)
	}
	return strings.Join(parts, " AND ")
}
