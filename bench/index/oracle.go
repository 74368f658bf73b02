package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"wenlan/internal/index/exec"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// oracle answers a request by reading every posting of every word of it, from the
// definitions in exec.Model alone: no bounds, no skipping, no heap, in float64. It
// shares nothing with exec but the segments' reader.
type oracle struct {
	segments []segment.View
	docs     float64
	average  float64
	meant    map[string][]word // what mistyped words of the request stand for
}

// word is one of a group of which the best counts, and what it gives of what the
// word asked for would.
type word struct {
	text   string
	factor float64
}

// The weights and constants of exec.DefaultModel, written down a second time.
var (
	weights = [segment.NumFields]float64{
		segment.Title: 8, segment.Creators: 5, segment.About: 3, segment.Publisher: 1,
		segment.Abstract: 1, segment.ID: 10, segment.Reading: 2, segment.Body: 1,
	}
	k1, b = 1.2, 0.75
)

func newOracle(segments []segment.View) *oracle {
	o := &oracle{segments: segments}
	var length float64
	for _, s := range segments {
		o.docs += float64(s.Docs())
		for d := range s.Docs() {
			length += float64(segment.LenOf(s.Len(uint32(d))))
		}
	}
	o.average = length / max(1, o.docs)
	return o
}

// found is a document with its score, in the order of documents.
type found struct {
	doc   uint32
	score float64
}

// hit is a document of the answer.
type hit struct {
	record int64
	score  float64
	year   int16
}

// truth is the whole answer.
type truth struct {
	hits   []hit // all, sorted as the request says
	facets []map[string]int64
	years  map[int16]int64
}

func (o *oracle) answer(r *exec.Request) (*truth, error) {
	t := &truth{years: map[int16]int64{}}
	for range r.Facets {
		t.facets = append(t.facets, map[string]int64{})
	}
	var ords []uint32
	for i := range o.segments {
		s := &o.segments[i]
		list, err := o.eval(s, r.Query.Root)
		if err != nil {
			return nil, err
		}
		lang := s.Facet(segment.Language)
		for _, f := range list {
			if s.Deleted != nil && s.Deleted.Contains(f.doc) {
				continue
			}
			year := s.Year(f.doc)
			if y := r.Filters; y.YearFrom != 0 && int(year) < y.YearFrom || y.YearTo != 0 && int(year) > y.YearTo {
				continue
			}
			if want := r.Filters.Languages; want != nil {
				ords = lang.Of(f.doc, ords[:0])
				if !slices.ContainsFunc(ords, func(ord uint32) bool { return slices.Contains(want, lang.Value(ord)) }) {
					continue
				}
			}
			t.hits = append(t.hits, hit{s.Record(f.doc), f.score, year})
			for k, facet := range r.Facets {
				col := s.Facet(facet)
				ords = col.Of(f.doc, ords[:0])
				for _, ord := range ords {
					t.facets[k][col.Value(ord)]++
				}
			}
			t.years[year]++
		}
	}
	slices.SortFunc(t.hits, func(a, b hit) int {
		if r.Sort == exec.Newest {
			return cmp.Or(cmp.Compare(b.year, a.year), cmp.Compare(a.record, b.record))
		}
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.record, b.record))
	})
	return t, nil
}

// eval gives what matches a part of the query in one segment.
func (o *oracle) eval(s *segment.View, n query.Node) ([]found, error) {
	switch n := n.(type) {
	case *query.Term:
		if words := o.meant[n.Text]; words != nil {
			return o.group(s, words, n.Fields), nil
		}
		if n.Prefix {
			return o.group(s, o.longer(n.Text), n.Fields), nil
		}
		return o.term(s, n.Text, n.Fields, o.idf(o.df(n.Text))), nil
	case *query.And:
		var out []found
		seen := map[query.Term]bool{}
		for i, part := range n.Of {
			if t, ok := part.(*query.Term); ok && seen[*t] {
				continue // a word that is asked for twice counts once
			} else if ok {
				seen[*t] = true
			}
			list, err := o.eval(s, part)
			if err != nil {
				return nil, err
			}
			if i == 0 {
				out = list
			} else {
				out = both(out, list)
			}
		}
		return out, nil
	case *query.Or:
		var out []found
		for _, part := range n.Of {
			list, err := o.eval(s, part)
			if err != nil {
				return nil, err
			}
			join := func(x, y float64) float64 { return x + y }
			if n.Alternatives {
				join = math.Max
			}
			out = merge(out, list, join)
		}
		return out, nil
	case *query.Phrase:
		var out []found
		for i, word := range n.Tokens {
			if slices.Contains(n.Tokens[:i], word) {
				continue // counts once, here too
			}
			list := o.term(s, word, n.Fields, o.idf(o.df(word)))
			if i == 0 {
				out = list
			} else {
				out = both(out, list)
			}
		}
		return slices.DeleteFunc(out, func(f found) bool { return !inOrder(s, f.doc, n) }), nil
	}
	return nil, fmt.Errorf("the oracle does not know %T", n)
}

// inOrder says whether a document has the tokens of a phrase side by side.
func inOrder(s *segment.View, doc uint32, n *query.Phrase) bool {
	var starts map[segment.Pos]bool // where the phrase may begin
	for i, word := range n.Tokens {
		term, _ := s.Term(word)
		p := s.Postings(term, nil)
		if p.Advance(doc) != doc {
			return false
		}
		next := map[segment.Pos]bool{}
		for _, pos := range p.Positions(nil) {
			if n.Fields>>pos.Field&1 == 0 || pos.At < uint32(i) {
				continue
			}
			pos.At -= uint32(i)
			if i == 0 || starts[pos] {
				next[pos] = true
			}
		}
		starts = next
	}
	return len(starts) > 0
}

// df is how many documents have a word, over all segments.
func (o *oracle) df(text string) float64 {
	n := 0.0
	for _, s := range o.segments {
		if t, ok := s.Term(text); ok {
			n += float64(t.DF)
		}
	}
	return n
}

func (o *oracle) idf(df float64) float64 { return math.Log(1 + (o.docs-df+0.5)/(df+0.5)) }

// longer are all the words that begin with a text, of all segments.
func (o *oracle) longer(text string) []word {
	seen := map[string]bool{}
	var out []word
	for _, s := range o.segments {
		for it := s.Terms(nil, text, ""); it.Next(); {
			w := string(it.Text())
			if !strings.HasPrefix(w, text) {
				break
			}
			if !seen[w] {
				seen[w] = true
				factor := 0.8
				if w == text {
					factor = 1
				}
				out = append(out, word{w, factor})
			}
		}
	}
	return out
}

// group gives the best of a group of words; all of them have the inverse frequency
// of the most frequent.
func (o *oracle) group(s *segment.View, words []word, fields uint8) []found {
	df := 0.0
	for _, w := range words {
		df = max(df, o.df(w.text))
	}
	best := map[uint32]float64{}
	for _, w := range words {
		for _, f := range o.term(s, w.text, fields, o.idf(df)*w.factor) {
			best[f.doc] = max(best[f.doc], f.score)
		}
	}
	out := make([]found, 0, len(best))
	for doc, score := range best {
		out = append(out, found{doc, score})
	}
	slices.SortFunc(out, func(x, y found) int { return cmp.Compare(x.doc, y.doc) })
	return out
}

// near are the words that a mistyped one may mean, as internal/index/exec says: those
// one edit away with the same first letter; where there are none, those two edits
// away of a word of eight letters or more; else those one edit away.
func (o *oracle) near(text string) []word {
	most := func(distance int, first bool) (out []word, any bool) {
		seen := map[string]bool{}
		for _, s := range o.segments {
			for it := s.Terms(nil, "", ""); it.Next(); {
				b := it.Text()
				if first && b[0] != text[0] || len(b) > len(text)+distance || len(b) < len(text)-distance || seen[string(b)] {
					continue
				}
				w := string(b)
				d := edits(text, w)
				if d > distance || strings.HasPrefix(w, identMark) {
					continue
				}
				seen[w] = true
				any = any || d > 0
				out = append(out, word{w, []float64{1, 0.7, 0.5}[d]})
			}
		}
		return out, any
	}
	if out, any := most(1, true); any {
		return out
	}
	if len(text) >= 8 {
		if out, any := most(2, true); any {
			return out
		}
	}
	out, _ := most(1, false)
	return out
}

// edits is the least number of letters to insert, drop or change, or of neighbours to
// swap, that make one word of the other; no letter is edited twice.
func edits(x, y string) int {
	a, b := []rune(x), []rune(y)
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// term reads all postings of a word.
func (o *oracle) term(s *segment.View, word string, fields uint8, idf float64) []found {
	t, ok := s.Term(word)
	if !ok {
		return nil
	}
	var out []found
	p := s.Postings(t, nil)
	for doc := p.Next(); doc != segment.NoMore; doc = p.Next() {
		mask := p.Mask() & fields
		if mask == 0 {
			continue
		}
		heavy, light := 0.0, math.Inf(1)
		for f, w := range weights {
			if mask>>f&1 == 1 {
				heavy, light = max(heavy, w), min(light, w)
			}
		}
		w := heavy + float64(p.TF()-1)*light
		norm := k1 * (1 - b + b*float64(segment.LenOf(s.Len(doc)))/o.average)
		out = append(out, found{doc, idf * (1 - 1/(1+w/norm))})
	}
	return out
}

// both gives what two lists share, with the sum of the scores.
func both(x, y []found) []found {
	var out []found
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i].doc < y[j].doc:
			i++
		case x[i].doc > y[j].doc:
			j++
		default:
			out = append(out, found{x[i].doc, x[i].score + y[j].score})
			i, j = i+1, j+1
		}
	}
	return out
}

// merge gives what either list has.
func merge(x, y []found, join func(a, b float64) float64) []found {
	if len(x) == 0 {
		return y
	}
	if len(y) == 0 {
		return x
	}
	out := make([]found, 0, len(x)+len(y))
	i, j := 0, 0
	for i < len(x) && j < len(y) {
		switch {
		case x[i].doc < y[j].doc:
			out = append(out, x[i])
			i++
		case x[i].doc > y[j].doc:
			out = append(out, y[j])
			j++
		default:
			out = append(out, found{x[i].doc, join(x[i].score, y[j].score)})
			i, j = i+1, j+1
		}
	}
	return append(append(out, x[i:]...), y[j:]...)
}

// compare holds an answer against the truth. It gives what is wrong, empty when
// nothing is: of the ten best, of an exact total, of the counts.
func compare(r *exec.Request, a *exec.Answer, t *truth) (ten, total, facets string) {
	most := min(10, len(t.hits))
	if len(a.Hits) < most {
		ten = fmt.Sprintf("%d hits of %d", len(a.Hits), most)
	}
	for i := 0; i < most && ten == ""; i++ {
		got, want := a.Hits[i], t.hits[i]
		switch {
		case r.Sort == exec.Newest && got.Year != want.year:
			ten = fmt.Sprintf("hit %d is of %d and not of %d", i, got.Year, want.year)
		case r.Sort != exec.Newest && math.Abs(got.Score-want.score) > 1e-4*max(1, want.score):
			ten = fmt.Sprintf("hit %d has the score %.6f and not %.6f", i, got.Score, want.score)
		}
	}
	if a.Exact && a.Total != int64(len(t.hits)) {
		total = fmt.Sprintf("total %d and not %d", a.Total, len(t.hits))
	}
	off := func(got, want int64) bool { return math.Abs(float64(got-want)) > 0.02*float64(want) }
	for k, counts := range a.Facets {
		for _, c := range counts {
			if want := t.facets[k][c.Value]; off(c.N, want) {
				facets = fmt.Sprintf("%d of %s and not %d", c.N, c.Value, want)
			}
		}
		if want := min(len(t.facets[k]), r.MaxFacet); len(counts) < want {
			facets = fmt.Sprintf("%d values and not %d", len(counts), want)
		}
	}
	for _, y := range a.Years {
		if want := t.years[y.Year]; off(y.N, want) {
			facets = fmt.Sprintf("%d of the year %d and not %d", y.N, y.Year, want)
		}
	}
	return ten, total, facets
}
