package index

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"wenlan/internal/index/analysis"
	"wenlan/internal/index/segment"
	"wenlan/internal/record"
	"wenlan/internal/view"
)

// Most values of one record that facets count and lists have, and the longest of them in bytes.
const (
	MaxValues = 32
	MaxValue  = 256
)

// Records merged into one whose words its document has, and the most bytes of these.
const (
	maxMerged      = 64
	maxMergedBytes = 64 << 10
)

// analyzers are kept between documents, with what they remember of stems.
var analyzers = sync.Pool{New: func() any { return new(analysis.Analyzer) }}

// newDocument makes the document of a record: its words by field, its readings,
// its identifiers, and the values by which it is filtered, counted and sorted. It is
// found by the titles, the names and the identifiers of what was merged into it, too.
func newDocument(st *record.State, merged []*record.State, now time.Time) *segment.Doc {
	a := analyzers.Get().(*analysis.Analyzer)
	defer analyzers.Put(a)
	r := &st.Record
	d := &segment.Doc{Record: st.Number, Kind: view.Kind(*r), Languages: view.Languages(*r), TitleKey: analysis.TitleKey(r.Title)}
	if y := view.Year(r.Issued); y >= math.MinInt16 && y <= math.MaxInt16 {
		d.Year = int16(y)
	}

	titles := append([]string{r.Title}, r.AltTitles...)
	var names, about, ids []string
	for i := range r.Creators {
		c := &r.Creators[i]
		names = append(append(names, c.Name), c.AltNames...)
		d.Creators = facetValue(d.Creators, c.Name)
		for _, id := range c.IDs {
			ids = analysis.IDs(ids, id.Scheme, id.Value)
		}
	}
	for _, id := range r.IDs {
		ids = analysis.IDs(ids, id.Scheme, id.Value)
	}
	left := maxMergedBytes
	other := func(list []string, v string) []string {
		if left < len(v) || v == "" || slices.Contains(list, v) {
			return list
		}
		left -= len(v)
		return append(list, v)
	}
	for _, m := range merged {
		titles = other(titles, m.Record.Title)
		for _, t := range m.Record.AltTitles {
			titles = other(titles, t)
		}
		for i := range m.Record.Creators {
			c := &m.Record.Creators[i]
			names = other(names, c.Name)
			for _, n := range c.AltNames {
				names = other(names, n)
			}
		}
		for i := range m.Record.IDs {
			if id := m.Record.IDs[i]; left > len(id.Value) {
				left -= len(id.Value)
				ids = analysis.IDs(ids, id.Scheme, id.Value)
			}
		}
	}
	if c := r.Container; c != nil {
		about = append(about, c.Title)
		if c.ISSN != "" {
			ids = analysis.IDs(ids, "issn", c.ISSN)
		}
	}
	for _, s := range r.Subjects {
		about = append(about, s.Label)
		if s.Code != "" && s.Code != s.Label {
			about = append(about, s.Code)
		}
		if s.Label != "" {
			d.Subjects = facetValue(d.Subjects, s.Label)
		} else {
			d.Subjects = facetValue(d.Subjects, s.Code)
		}
	}
	d.Tokens[segment.Title] = a.Values(nil, titles...)
	d.Tokens[segment.Creators] = a.Values(nil, names...)
	d.Tokens[segment.About] = a.Values(nil, about...)
	d.Tokens[segment.Publisher] = a.Values(nil, r.Publisher, r.Place)
	d.Tokens[segment.Abstract] = a.Values(nil, r.Abstract)
	d.Tokens[segment.ID] = headings(ids, r, d.Creators, d.Subjects)
	var readings []string
	for _, t := range titles {
		readings = analysis.Readings(readings, t, false)
	}
	for _, n := range names {
		readings = analysis.Readings(readings, n, true)
	}
	d.Tokens[segment.Reading] = readings

	d.Access = []string{access(record.Decide(record.Question{State: st, Standing: record.Visitor, At: now}).Reason)}
	return d
}

// access is a decision as a facet: one of record.Access, or AccessWithdrawn. The
// place is not known, which counts as every listed one.
func access(r record.Reason) string {
	switch r {
	case record.ReasonOpen, record.ReasonOpened:
		return string(record.Open)
	case record.ReasonSubsidised:
		return string(record.Subsidised)
	case record.ReasonLend:
		return string(record.Lend)
	case record.ReasonSale:
		return string(record.Sale)
	case record.ReasonWithdrawn, record.ReasonClosed:
		return AccessWithdrawn
	}
	return string(record.None)
}

// facetValue appends a value, white space collapsed, if it is a new one.
func facetValue(list []string, v string) []string {
	v = strings.Join(strings.Fields(v), " ")
	if v == "" || len(v) > MaxValue || len(list) >= MaxValues || slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}
