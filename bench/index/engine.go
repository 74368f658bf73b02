package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"wenlan/bench/index/gen"
	"wenlan/internal/index/analysis"
	"wenlan/internal/index/exec"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

const (
	hits      = 20 // of an answer, on all sides
	facetHits = 20 // values of a facet, on all sides
	prefixes  = 10 // hits while typing
	identMark = analysis.MarkID
)

// The fields in which the words of a query are looked for: those that the field
// "all" of the Lucene peer joins.
const anywhere = 1<<segment.Title | 1<<segment.Creators | 1<<segment.About | 1<<segment.Publisher | 1<<segment.Abstract

// features are what is added to the bench's fields, to see what each takes.
type features struct {
	positions bool
	readings  bool // pinyin of Chinese titles
	titles    bool // title keys, to sort by
	creators  bool // a column of persons, to count
}

// document is one record as the engine takes it. Subjects are counted but not
// searched, as in the Lucene peer.
func document(c []string, f features) (*segment.Doc, error) {
	id, err := strconv.ParseInt(c[gen.ID], 10, 64)
	if err != nil {
		return nil, err
	}
	year, err := strconv.Atoi(c[gen.Year])
	if err != nil {
		return nil, err
	}
	d := &segment.Doc{
		Record:    id,
		Year:      int16(year),
		Kind:      c[gen.Kind],
		Languages: []string{c[gen.Language]},
		Subjects:  strings.Split(c[gen.Subjects], ";"),
		Access:    []string{c[gen.Format]},
	}
	d.Tokens[segment.Title] = strings.Split(c[gen.Title], " ")
	d.Tokens[segment.Creators] = strings.Split(c[gen.Authors], " ")
	d.Tokens[segment.Publisher] = strings.Split(c[gen.Publisher], " ")
	if c[gen.Abstract] != "" {
		d.Tokens[segment.Abstract] = strings.Split(c[gen.Abstract], " ")
	}
	d.Tokens[segment.ID] = []string{identMark + c[gen.Identifier]}
	if f.readings && c[gen.Language] == "zh" {
		d.Tokens[segment.Reading] = readings(c[gen.Title])
	}
	if f.titles {
		d.TitleKey = []byte(c[gen.Title])
	}
	if f.creators {
		d.Creators = persons(c[gen.Authors])
	}
	return d, nil
}

// readings are the pinyin of a title, whose characters are put together again from
// its bigrams.
func readings(title string) []string {
	var run []rune
	for gram := range strings.FieldsSeq(title) {
		pair := []rune(gram)
		if len(run) == 0 || run[len(run)-1] != pair[0] {
			run = append(run, pair[0])
		}
		run = append(run, pair[1:]...)
	}
	return analysis.Readings(nil, string(run), false)
}

// persons cuts the tokens of the authors into pairs.
func persons(authors string) []string {
	words := strings.Fields(authors)
	var out []string
	for len(words) > 1 {
		out = append(out, words[0]+" "+words[1])
		words = words[2:]
	}
	return out
}

// request is a query of a class, as a tree: making the tree is timed, as on the side
// of Lucene; reading a text and analysing it is not.
func request(class string, q []string, totals int) *exec.Request {
	r := &exec.Request{Limit: hits, TotalUpTo: totals, MaxFacet: facetHits}
	var root query.Node
	switch class {
	case "and2", "zh3", "common", "sortyear", "facetmid", "facetcommon", "filter":
		root = all(anywhere, q[0])
	case "authtitle":
		root = join(all(1<<segment.Creators, q[0]), all(1<<segment.Title, q[1]))
	case "ident":
		root = &query.Term{Text: identMark + q[0], Fields: 1 << segment.ID, Whole: true}
	case "prefix":
		root = join(all(1<<segment.Title, q[0]), &query.Term{Text: q[1], Fields: 1 << segment.Title, Prefix: true})
		r.Limit = prefixes
	case "typo":
		root = join(all(anywhere, q[0]), all(anywhere, q[1]))
	case "or3":
		or := &query.Or{}
		for _, w := range q {
			or.Of = append(or.Of, all(anywhere, w))
		}
		root = or
	case "phrase":
		root = &query.Phrase{Tokens: strings.Split(q[0], " "), Fields: anywhere}
	}
	switch class {
	case "sortyear":
		r.Sort = exec.Newest
	case "facetmid", "facetcommon":
		r.Facets = []segment.Facet{segment.Language, segment.Subject}
		r.Years = true
		r.TotalUpTo = -1
	case "filter":
		r.Filters.Languages = q[1:2]
		r.Filters.YearFrom, _ = strconv.Atoi(q[2])
		r.Filters.YearTo, _ = strconv.Atoi(q[3])
	}
	// Only mistyped words are forgiven: on the side of Lucene, too.
	r.Strict = class != "typo"
	r.Query = &query.Query{Root: root, Terms: 1}
	return r
}

// all wants every one of the tokens.
func all(fields uint8, tokens string) query.Node {
	words := strings.Split(tokens, " ")
	if len(words) == 1 {
		return &query.Term{Text: words[0], Fields: fields}
	}
	and := &query.And{}
	for _, w := range words {
		and.Of = append(and.Of, &query.Term{Text: w, Fields: fields})
	}
	return and
}

// join makes one flat conjunction.
func join(nodes ...query.Node) query.Node {
	and := &query.And{}
	for _, n := range nodes {
		if inner, ok := n.(*query.And); ok {
			and.Of = append(and.Of, inner.Of...)
		} else {
			and.Of = append(and.Of, n)
		}
	}
	return and
}

// ask answers one query under a deadline.
func ask(segments []segment.View, class string, q []string, totals int, budget time.Duration, gate *exec.Gate) (*exec.Answer, error) {
	return exec.Run(context.Background(), segments, request(class, q, totals), exec.Budget{Deadline: time.Now().Add(budget), Gate: gate})
}
