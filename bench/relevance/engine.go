package main

import (
	"bytes"
	"context"
	"strings"
	"time"

	"wenlan/internal/index/analysis"
	"wenlan/internal/index/exec"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
	"wenlan/internal/record"
	"wenlan/internal/view"
)

// library is an index of ours in memory: one segment, whose document i has the
// accession number i+1.
type library struct{ views []segment.View }

// newLibrary builds the segment of n documents; fill writes document i, for i from 0.
func newLibrary(n int, fill func(i int, a *analysis.Analyzer, d *segment.Doc)) (*library, error) {
	b := segment.NewBuilder(segment.Options{Positions: true})
	var a analysis.Analyzer
	for i := range n {
		d := &segment.Doc{Record: int64(i) + 1}
		fill(i, &a, d)
		if err := b.Add(d); err != nil {
			return nil, err
		}
	}
	var file bytes.Buffer
	if err := b.Finish(&file); err != nil {
		return nil, err
	}
	r, err := segment.Open(file.Bytes())
	if err != nil {
		return nil, err
	}
	return &library{[]segment.View{{Reader: r, Live: r.Docs()}}}, nil
}

// analyse cuts a text of any length: the analyser looks at no more than MaxField of
// one, so a chapter is given to it by paragraphs.
func analyse(a *analysis.Analyzer, text string) []string {
	var out []string
	for paragraph := range strings.Lines(text) {
		out = a.Append(out, paragraph)
	}
	return out
}

// search gives the places of the documents found, best first.
func (l *library) search(ctx context.Context, q *query.Query, limit int) ([]int, error) {
	a, err := exec.Run(ctx, l.views, &exec.Request{Query: q, Limit: limit}, exec.Budget{Deadline: time.Now().Add(5 * time.Second)})
	if err != nil {
		return nil, err
	}
	out := make([]int, len(a.Hits))
	for i, h := range a.Hits {
		out[i] = int(h.Record) - 1
	}
	return out, nil
}

// wenlan ranks as the program does: the text is read as a person typed it, all of
// its words must match, and when nothing has all of them, the documents with the
// most of them come first.
func wenlan(read func(text string) *query.Query) ranker {
	return func(ctx context.Context, c *collection) (map[string][]string, error) {
		text := segment.Abstract
		if c.body {
			text = segment.Body
		}
		l, err := newLibrary(len(c.docs), func(i int, a *analysis.Analyzer, d *segment.Doc) {
			if c.docs[i].Title != "" {
				d.Tokens[segment.Title] = a.Append(nil, c.docs[i].Title)
			}
			d.Tokens[text] = analyse(a, c.docs[i].Text)
		})
		if err != nil {
			return nil, err
		}
		out := map[string][]string{}
		for _, q := range c.queries {
			found, err := l.search(ctx, read(q.Text), depth)
			if err != nil {
				return nil, err
			}
			for _, i := range found {
				out[q.ID] = append(out[q.ID], c.docs[i].ID)
			}
		}
		return out, nil
	}
}

// typed reads a text as a person typed it.
func typed(text string) *query.Query { return query.Parse(text) }

// quoted reads it as a quotation.
func quoted(text string) *query.Query {
	return query.Parse(`"` + strings.ReplaceAll(text, `"`, " ") + `"`)
}

// anyWord is the bag of words, as the peers are asked: any of them, BM25 decides. The
// program does not do that; it shows what its way costs or gains.
func anyWord(text string) *query.Query {
	or := &query.Or{}
	for _, t := range analysis.Analyze(text) {
		or.Of = append(or.Of, &query.Term{Text: t.Text, Fields: query.Text})
	}
	if len(or.Of) == 0 {
		return &query.Query{Root: &query.Term{Text: "\uffff", Fields: query.Text}}
	}
	return &query.Query{Root: or, Text: text, Terms: len(or.Of)}
}

// fillRecord writes what the index takes of a record.
func fillRecord(r *record.Record, a *analysis.Analyzer, d *segment.Doc) {
	d.Tokens[segment.Title] = a.Values(nil, append([]string{r.Title}, r.AltTitles...)...)
	for _, t := range append([]string{r.Title}, r.AltTitles...) {
		d.Tokens[segment.Reading] = analysis.Readings(d.Tokens[segment.Reading], t, false)
	}
	var names, about []string
	for _, c := range r.Creators {
		names = append(append(names, c.Name), c.AltNames...)
	}
	for _, n := range names {
		d.Tokens[segment.Reading] = analysis.Readings(d.Tokens[segment.Reading], n, true)
	}
	d.Tokens[segment.Creators] = a.Values(nil, names...)
	if r.Container != nil {
		about = append(about, r.Container.Title)
	}
	for _, s := range r.Subjects {
		about = append(about, s.Label)
	}
	d.Tokens[segment.About] = a.Values(nil, about...)
	d.Tokens[segment.Publisher] = a.Values(nil, r.Publisher, r.Place)
	d.Tokens[segment.Abstract] = a.Values(nil, r.Abstract)
	for _, id := range r.IDs {
		d.Tokens[segment.ID] = analysis.IDs(d.Tokens[segment.ID], id.Scheme, id.Value)
	}
	d.Year = int16(view.Year(r.Issued))
	d.Kind = view.Kind(*r)
	d.Languages = view.Languages(*r)
}
