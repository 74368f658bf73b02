package exec

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"

	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// A library is documents, as an oracle reads them, and the segments made of them.
type library struct {
	docs     []*segment.Doc // deleted ones included
	deleted  map[[2]int64]bool
	segments []segment.View

	df  map[string]int
	avg float64
}

func docKey(d *segment.Doc) [2]int64 { return [2]int64{d.Record, int64(d.Part)} }

func makeLibrary(t testing.TB, parts [][]*segment.Doc, deleted map[[2]int64]bool, positions bool) *library {
	l := &library{deleted: deleted, df: map[string]int{}}
	var sum, n float64
	for _, docs := range parts {
		b := segment.NewBuilder(segment.Options{Positions: positions})
		for _, d := range docs {
			if err := b.Add(d); err != nil {
				t.Fatal(err)
			}
			l.docs = append(l.docs, d)
			have := map[string]bool{}
			for _, toks := range d.Tokens {
				for _, tok := range toks {
					if tok != "" {
						have[tok] = true
					}
				}
			}
			for tok := range have {
				l.df[tok]++
			}
			sum += float64(length(d))
			n++
		}
		var buf bytes.Buffer
		if err := b.Finish(&buf); err != nil {
			t.Fatal(err)
		}
		r, err := segment.Open(buf.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		v := segment.View{Reader: r, Live: r.Docs()}
		for i := range uint32(r.Docs()) {
			if deleted[[2]int64{r.Record(i), int64(r.Part(i))}] {
				if v.Deleted == nil {
					v.Deleted = roaring.New()
				}
				v.Deleted.Add(i)
				v.Live--
			}
		}
		l.segments = append(l.segments, v)
	}
	l.avg = 1
	if n > 0 && sum > 0 {
		l.avg = sum / n
	}
	return l
}

func length(d *segment.Doc) uint32 {
	var s float32
	for f, toks := range d.Tokens {
		for _, tok := range toks {
			if tok != "" {
				s += segment.DefaultWeights[f]
			}
		}
	}
	return segment.LenOf(segment.LenCode(uint32(s)))
}

var oracleWeights = [segment.NumFields]float64{8, 5, 3, 1, 1, 10, 2, 1}

func (l *library) idf(df int) float64 {
	n := float64(len(l.docs))
	return math.Log(1 + (n-float64(df)+0.5)/(float64(df)+0.5))
}

// word is what a document gets for a token; ok false: it has none in the fields.
func (l *library) word(d *segment.Doc, tok string, fields uint8, weight float64) (float64, bool) {
	tf, heavy, light := 0, 0.0, math.Inf(1)
	for f, toks := range d.Tokens {
		for _, x := range toks {
			if x != tok {
				continue
			}
			tf++
			if fields>>f&1 == 1 {
				heavy, light = max(heavy, oracleWeights[f]), min(light, oracleWeights[f])
			}
		}
	}
	if heavy == 0 {
		return 0, false
	}
	w := heavy + float64(min(tf, 255)-1)*light
	norm := 1.2 * (0.25 + 0.75*float64(length(d))/l.avg)
	return weight * (1 - 1/(1+w/norm)), true
}

func (l *library) group(d *segment.Doc, words map[string]float64, fields uint8) (best float64, ok bool) {
	for w, weight := range words {
		if s, has := l.word(d, w, fields, weight); has {
			best, ok = max(best, s), true
		}
	}
	return best, ok
}

func (l *library) prefix(text string) map[string]float64 {
	out, df := map[string]float64{}, 0
	for w, n := range l.df {
		if strings.HasPrefix(w, text) {
			out[w] = factorPrefix
			df = max(df, n)
		}
	}
	for w := range out {
		if w == text {
			out[w] = 1
		}
		out[w] *= l.idf(df)
	}
	return out
}

// sideBySide says whether a document has tokens in a row in one of the fields.
func sideBySide(d *segment.Doc, tokens []string, fields uint8, prefix bool) bool {
	for f, toks := range d.Tokens {
		if fields>>f&1 == 0 {
			continue
		}
	next:
		for i := range toks {
			for j, want := range tokens {
				if i+j >= len(toks) {
					continue next
				}
				got := toks[i+j]
				if got != want && !(prefix && j == len(tokens)-1 && got != "" && strings.HasPrefix(got, want)) {
					continue next
				}
			}
			return true
		}
	}
	return false
}

// eval is whether a document matches, and its score. Words seen in the same And are
// counted once.
func (l *library) eval(n query.Node, d *segment.Doc, seen map[string]bool) (float64, bool) {
	once := func(tok string, fields uint8) (float64, bool) {
		s, ok := l.word(d, tok, fields, l.idf(l.df[tok]))
		if k := fmt.Sprint(tok, fields); seen != nil {
			if seen[k] {
				return 0, ok
			}
			seen[k] = true
		}
		return s, ok
	}
	switch n := n.(type) {
	case *query.Term:
		if n.Prefix && len(l.prefix(n.Text)) > 0 {
			return l.group(d, l.prefix(n.Text), n.Fields)
		}
		return once(n.Text, n.Fields)
	case *query.Phrase:
		if seen == nil {
			seen = map[string]bool{}
		}
		var sum float64
		for i, tok := range n.Tokens {
			s, ok := 0.0, false
			if n.Prefix && i == len(n.Tokens)-1 {
				s, ok = l.group(d, l.prefix(tok), n.Fields)
			} else {
				s, ok = once(tok, n.Fields)
			}
			if !ok {
				return 0, false
			}
			sum += s
		}
		return sum, sideBySide(d, n.Tokens, n.Fields, n.Prefix)
	case *query.And:
		if seen == nil {
			seen = map[string]bool{}
		}
		var sum float64
		all := true
		for _, o := range n.Of {
			if not, ok := o.(*query.Not); ok {
				if _, m := l.eval(not.Of, d, nil); m {
					all = false
				}
				continue
			}
			s, m := l.eval(o, d, seen)
			sum += s
			all = all && m
		}
		return sum, all
	case *query.Or:
		var sum, best float64
		any := false
		of := n.Of
		if first, ok := of[0].(*query.Term); ok && n.Alternatives && !first.Prefix {
			folded := *first
			of = []query.Node{&folded}
			for _, o := range n.Of[1:] {
				if t, ok := o.(*query.Term); ok && t.Text == first.Text && !t.Prefix {
					folded.Fields |= t.Fields
				} else {
					of = append(of, o)
				}
			}
		}
		of = slices.DeleteFunc(slices.Clone(of), l.none)
		if len(of) == 1 {
			return l.eval(of[0], d, seen)
		}
		for _, o := range of {
			if s, m := l.eval(o, d, nil); m {
				sum += s
				best = max(best, s)
				any = true
			}
		}
		if n.Alternatives {
			return best, any
		}
		return sum, any
	}
	panic("node")
}

// none says whether a part is left out, because no segment has its words: what remains of
// an Or may then be a part of the And around it.
func (l *library) none(n query.Node) bool {
	switch n := n.(type) {
	case *query.Term:
		return l.df[n.Text] == 0 && !(n.Prefix && len(l.prefix(n.Text)) > 0)
	case *query.Phrase:
		for i, tok := range n.Tokens {
			if l.none(&query.Term{Text: tok, Prefix: n.Prefix && i == len(n.Tokens)-1}) {
				return true
			}
		}
	case *query.And:
		return len(n.Of) == 1 && l.none(n.Of[0])
	case *query.Or:
		return !slices.ContainsFunc(n.Of, func(o query.Node) bool { return !l.none(o) })
	}
	return false
}

func (l *library) passes(d *segment.Doc, f Filters) bool {
	any := func(want, have []string) bool {
		return len(want) == 0 || slices.ContainsFunc(want, func(w string) bool { return slices.Contains(have, w) })
	}
	if f.YearFrom != 0 || f.YearTo != 0 {
		if y := int(d.Year); y == 0 || f.YearFrom != 0 && y < f.YearFrom || f.YearTo != 0 && y > f.YearTo {
			return false
		}
	}
	return any(f.Languages, d.Languages) && any(f.Kinds, []string{d.Kind}) && any(f.Subjects, d.Subjects) && any(f.Creators, d.Creators) && any(f.Access, d.Access)
}

type expected struct {
	doc   *segment.Doc
	score float64
}

func (l *library) answer(root query.Node, f Filters, s Sort) (out []expected) {
	for _, d := range l.docs {
		if l.deleted[docKey(d)] || !l.passes(d, f) {
			continue
		}
		if root == nil {
			out = append(out, expected{d, 0})
		} else if score, ok := l.eval(root, d, nil); ok {
			out = append(out, expected{d, score})
		}
	}
	slices.SortFunc(out, func(a, b expected) int {
		x := place{score: a.score, year: yearRank(s, a.doc.Year), title: a.doc.TitleKey, record: a.doc.Record, part: a.doc.Part}
		y := place{score: b.score, year: yearRank(s, b.doc.Year), title: b.doc.TitleKey, record: b.doc.Record, part: b.doc.Part}
		return s.compare(&x, &y, s == Newest || s == Relevance && root == nil)
	})
	return out
}

func facetOf(d *segment.Doc, f segment.Facet) []string {
	v := [][]string{d.Languages, {d.Kind}, d.Subjects, d.Creators, d.Access}[f]
	v = slices.Clone(v)
	slices.Sort(v)
	return slices.DeleteFunc(slices.Compact(v), func(s string) bool { return s == "" })
}

func facets(docs []expected, f segment.Facet, n int) (out []FacetCount) {
	m := map[string]int64{}
	for _, e := range docs {
		for _, v := range facetOf(e.doc, f) {
			m[v]++
		}
	}
	for v, k := range m {
		out = append(out, FacetCount{v, k})
	}
	slices.SortFunc(out, func(a, b FacetCount) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value)) })
	return out[:min(n, len(out))]
}

const text = uint8(1<<segment.Title | 1<<segment.Creators | 1<<segment.About | 1<<segment.Publisher | 1<<segment.Abstract | 1<<segment.Body)

var vocabulary = strings.Fields("the of red dream rose river stone history china study theory 红楼 楼梦 梦的 的研 研究 rare1 rare2 dreams dreamer dreaming reds roses x y z")

func drawDoc(t *rapid.T, record int64, part int32, size int) *segment.Doc {
	r := rand.New(rand.NewPCG(uint64(record), rapid.Uint64().Draw(t, "seed")))
	d := &segment.Doc{Record: record, Part: part}
	for f := range d.Tokens {
		if segment.Field(f) == segment.ID || r.IntN(3) == 0 {
			continue
		}
		for range r.IntN(size) {
			w := vocabulary[int(float64(len(vocabulary))*math.Pow(r.Float64(), 2))]
			if r.IntN(12) == 0 {
				w = ""
			}
			d.Tokens[f] = append(d.Tokens[f], w)
		}
	}
	if r.IntN(4) > 0 {
		d.Year = int16(1990 + r.IntN(12))
	}
	d.Kind = []string{"book", "article", ""}[r.IntN(3)]
	d.Languages = []string{[]string{"en", "zh", "de"}[r.IntN(3)]}
	if r.IntN(5) == 0 {
		d.Languages = append(d.Languages, "fr")
	}
	for range r.IntN(4) {
		d.Subjects = append(d.Subjects, fmt.Sprint("subject ", r.IntN(30)))
		d.Creators = append(d.Creators, fmt.Sprint("person ", r.IntN(300)))
	}
	d.TitleKey = []byte(strings.Join(d.Tokens[segment.Title], " "))
	d.TitleKey = d.TitleKey[:min(len(d.TitleKey), segment.MaxTitleKey)]
	return d
}

func drawLibrary(t *rapid.T, tb testing.TB) *library {
	var parts [][]*segment.Doc
	deleted := map[[2]int64]bool{}
	size := rapid.SampledFrom([]int{3, 6, 12}).Draw(t, "size")
	dels := rapid.SampledFrom([]int{0, 0, 10, 2}).Draw(t, "deleted")
	r := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "layout")))
	n := rapid.IntRange(1, 4).Draw(t, "segments")
	records := r.Perm(2000)
	for range n {
		var docs []*segment.Doc
		for range rapid.SampledFrom([]int{1, 5, 60, 300}).Draw(t, "docs") {
			rec := int64(records[0])
			records = records[1:]
			docs = append(docs, drawDoc(t, rec, int32(r.IntN(2)), size))
			if dels > 0 && r.IntN(dels) == 0 {
				deleted[docKey(docs[len(docs)-1])] = true
			}
		}
		parts = append(parts, docs)
	}
	return makeLibrary(tb, parts, deleted, true)
}

func drawNode(t *rapid.T, depth int) query.Node {
	fields := rapid.SampledFrom([]uint8{text, text, text, 0xff, 1 << segment.Title, 1<<segment.Title | 1<<segment.About}).Draw(t, "fields")
	word := func() string { return rapid.SampledFrom(vocabulary).Draw(t, "word") }
	kinds := 5
	if depth > 2 {
		kinds = 3
	}
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0, 1:
		return &query.Term{Text: word(), Fields: fields}
	case 2:
		return &query.Term{Text: word()[:1], Fields: fields, Prefix: true}
	case 3:
		p := &query.Phrase{Fields: fields, Loose: rapid.Bool().Draw(t, "loose")}
		for range rapid.IntRange(2, 3).Draw(t, "tokens") {
			p.Tokens = append(p.Tokens, word())
		}
		p.Prefix = rapid.IntRange(0, 3).Draw(t, "prefixed") == 0
		return p
	case 4:
		a := &query.And{}
		for range rapid.IntRange(1, 4).Draw(t, "parts") {
			a.Of = append(a.Of, drawNode(t, depth+1))
		}
		if rapid.IntRange(0, 2).Draw(t, "not") == 0 {
			a.Of = append(a.Of, &query.Not{Of: drawNode(t, depth+1)})
		}
		return a
	default:
		o := &query.Or{Alternatives: rapid.IntRange(0, 3).Draw(t, "alt") == 0}
		for range rapid.IntRange(1, 4).Draw(t, "parts") {
			o.Of = append(o.Of, drawNode(t, depth+1))
		}
		return o
	}
}

func drawFilters(t *rapid.T) (f Filters) {
	switch rapid.IntRange(0, 7).Draw(t, "filter") {
	case 0:
		f.Languages = []string{"en", "fr"}
	case 1:
		f.YearFrom, f.YearTo = 1994, 1996
	case 2:
		f.Subjects = []string{"subject 3", "subject 7", "none"}
	case 3:
		f.Kinds, f.Creators = []string{"book"}, []string{"person 1", "person 2", "person 3"}
	}
	return f
}

func near(a, b float64) bool { return math.Abs(a-b) <= 2e-5*(1+math.Abs(b)) }

// check compares an answer with what was expected. Documents whose scores differ by
// rounding only may change places.
func check(want []expected, got *Answer, s Sort, offset, limit int) error {
	n := max(0, min(limit, len(want)-offset))
	if len(got.Hits) != n {
		return fmt.Errorf("%d hits, want %d", len(got.Hits), n)
	}
	at := map[[2]int64]int{}
	for i, e := range want {
		at[docKey(e.doc)] = i
	}
	for i, h := range got.Hits {
		e := want[offset+i]
		j, ok := at[[2]int64{h.Record, int64(h.Part)}]
		if !ok {
			return fmt.Errorf("hit %d: %d/%d does not match", i, h.Record, h.Part)
		}
		if s == Relevance {
			if !near(h.Score, e.score) || !near(h.Score, want[j].score) {
				return fmt.Errorf("hit %d: record %d score %v, want record %d %v (its own: %v)", i, h.Record, h.Score, e.doc.Record, e.score, want[j].score)
			}
		} else if j != offset+i {
			return fmt.Errorf("hit %d: record %d, want %d", i, h.Record, e.doc.Record)
		}
	}
	return nil
}

// examine compares all of an answer with what was expected.
func examine(want []expected, req *Request, a *Answer) error {
	if err := check(want, a, req.Sort, req.Offset, req.Limit); err != nil {
		return err
	}
	n := int64(len(want))
	if a.Exact && a.Total != n || !a.Exact && (n <= int64(req.TotalUpTo) || req.TotalUpTo < 0) {
		return fmt.Errorf("total %d exact %v, want %d", a.Total, a.Exact, n)
	}
	if len(req.Facets) == 0 {
		return nil
	}
	if !a.Exact || !a.FacetsExact {
		return fmt.Errorf("facets are not exact")
	}
	for i, f := range req.Facets {
		all := facets(want, f, math.MaxInt)
		w := all[:min(len(all), req.MaxFacet)]
		if !slices.EqualFunc(w, a.Facets[i], func(w, got FacetCount) bool {
			// Any of those that are as frequent as the last will do.
			return w == got || w.N == got.N && len(all) > req.MaxFacet && w.N == all[req.MaxFacet-1].N && slices.Contains(all, got)
		}) {
			return fmt.Errorf("facet %d: %v, want %v", f, a.Facets[i], w)
		}
	}
	years := map[int16]int64{}
	for _, e := range want {
		years[e.doc.Year]++
	}
	got := map[int16]int64{}
	for _, y := range a.Years {
		got[y.Year] = y.N
	}
	if a.UnknownYear > 0 {
		got[0] = a.UnknownYear
	}
	if !maps.Equal(years, got) {
		return fmt.Errorf("years %v, want %v", got, years)
	}
	return nil
}

func TestOracle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := drawLibrary(rt, t)
		for range 6 {
			var root query.Node
			if rapid.IntRange(0, 15).Draw(rt, "root") > 0 {
				root = drawNode(rt, 0)
			}
			f := drawFilters(rt)
			sort := rapid.SampledFrom([]Sort{Relevance, Relevance, Relevance, Newest, Oldest, Title}).Draw(rt, "sort")
			want := l.answer(root, f, sort)
			req := &Request{Query: &query.Query{Root: root}, Filters: f, Sort: sort, Limit: rapid.SampledFrom([]int{1, 3, 10, 1000}).Draw(rt, "limit"), Strict: true}
			req.Offset = rapid.SampledFrom([]int{0, 0, 2, 50}).Draw(rt, "offset")
			req.TotalUpTo = rapid.SampledFrom([]int{-1, 1, 5, 50, 1000}).Draw(rt, "upto")
			if rapid.Bool().Draw(rt, "facets") {
				req.Facets = []segment.Facet{segment.Language, segment.Subject, segment.Creator, segment.Kind}
				req.Years, req.MaxFacet = true, 7
			}
			a, err := Run(context.Background(), l.segments, req, Budget{})
			if err != nil {
				rt.Fatal(err)
			}
			if err := examine(want, req, a); err != nil {
				rt.Fatalf("%s %+v sort %d upto %d: %v", show(root), f, sort, req.TotalUpTo, err)
			}
			if rapid.IntRange(0, 3).Draw(rt, "page") == 0 {
				pages(rt, l, req, want)
			}
		}
	})
}

// pages reads everything by key: each match once, in order.
func pages(t *rapid.T, l *library, req *Request, want []expected) {
	r := *req
	r.Offset, r.Limit, r.Facets, r.Years = 0, rapid.SampledFrom([]int{1, 7, 100}).Draw(t, "page size"), nil, false
	if r.Limit < len(want)/30 {
		r.Limit = len(want) / 30
	}
	seen := map[[2]int64]bool{}
	var last *Hit
	for {
		a, err := Run(context.Background(), l.segments, &r, Budget{})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range a.Hits {
			k := [2]int64{h.Record, int64(h.Part)}
			if seen[k] {
				t.Fatalf("%s: record %d comes twice", show(req.Query.Root), h.Record)
			}
			seen[k] = true
			if last != nil && last.Score < h.Score {
				t.Fatalf("score %v after %v", h.Score, last.Score)
			}
			last = &h
			key, err := ParseKey(h.Key.String())
			if err != nil || key != h.Key {
				t.Fatalf("key %+v: %v", h.Key, err)
			}
			r.After = &key
		}
		if len(a.Hits) < r.Limit {
			break
		}
	}
	if len(seen) != len(want) {
		t.Fatalf("%s sort %d: pages have %d documents, want %d", show(req.Query.Root), r.Sort, len(seen), len(want))
	}
}

func show(n query.Node) string {
	list := func(of []query.Node) string {
		var s []string
		for _, o := range of {
			s = append(s, show(o))
		}
		return strings.Join(s, " ")
	}
	switch n := n.(type) {
	case nil:
		return "all"
	case *query.Term:
		return fmt.Sprintf("%s/%x/%v", n.Text, n.Fields, n.Prefix)
	case *query.Phrase:
		return fmt.Sprintf("%q/%x/%v", n.Tokens, n.Fields, n.Prefix)
	case *query.And:
		return "and(" + list(n.Of) + ")"
	case *query.Or:
		return fmt.Sprintf("or%v(%s)", n.Alternatives, list(n.Of))
	case *query.Not:
		return "not " + show(n.Of)
	}
	return "?"
}

// TestCommon asks for words that most documents have, of which the segments keep bounds by groups, and counts of
// the most frequent facet values.
func TestCommon(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	deleted := map[[2]int64]bool{}
	var parts [][]*segment.Doc
	record := int64(0)
	for _, n := range []int{900, 26_000, 9000} {
		var docs []*segment.Doc
		for range n {
			record++
			d := &segment.Doc{Record: record, Year: int16(1990 + rnd.IntN(30)), Kind: "book", Languages: []string{"en"}}
			if rnd.IntN(20) == 0 {
				d.Year, d.Kind = 0, "article"
			}
			for range 1 + rnd.IntN(12) {
				d.Tokens[segment.Title] = append(d.Tokens[segment.Title], fmt.Sprint("w", rnd.IntN(900)))
			}
			for range rnd.IntN(4) { // most documents have it, some often
				d.Tokens[segment.Abstract] = append(d.Tokens[segment.Abstract], "most", "of")
			}
			if rnd.IntN(3) == 0 {
				d.Tokens[segment.Title] = append(d.Tokens[segment.Title], "third")
			}
			for range rnd.IntN(4) {
				d.Subjects = append(d.Subjects, fmt.Sprint("s", int(rnd.ExpFloat64()*300)))
				d.Creators = append(d.Creators, fmt.Sprint("c", int(rnd.ExpFloat64()*3000)))
			}
			if rnd.IntN(60) == 0 {
				deleted[docKey(d)] = true
			}
			docs = append(docs, d)
		}
		parts = append(parts, docs)
	}
	for name, dead := range map[string]map[[2]int64]bool{"all": nil, "some deleted": deleted} {
		l := makeLibrary(t, parts, dead, false)
		one := makeLibrary(t, parts[1:2], dead, false)
		for word, counted := range map[string]int{"most": 2, "third": 1, "w5": 0} {
			root := &query.Term{Text: word, Fields: text}
			var have segment.WordCounts
			n := 0
			for i := range l.segments {
				if term, ok := l.segments[i].Term(word); ok && l.segments[i].Counts(term, &have) {
					n++
				}
			}
			if n != counted {
				t.Fatalf("%q is counted in %d segments, want %d", word, n, counted)
			}
			for _, of := range []*library{l, one} {
				for _, sort := range []Sort{Relevance, Newest, Oldest} {
					want := of.answer(root, Filters{}, sort)
					req := &Request{Query: &query.Query{Root: root}, Sort: sort, Limit: 20, Strict: true, MaxFacet: 30}
					for _, facets := range [][]segment.Facet{nil, {segment.Language, segment.Kind, segment.Subject}, {segment.Creator, segment.Subject}} {
						req.Facets, req.Years, req.TotalUpTo = facets, facets != nil, -1
						if req.MaxFacet = 30; sort == Oldest {
							req.MaxFacet = 600 // more than segments keep of creators
						}
						a, err := Run(context.Background(), of.segments, req, Budget{})
						if err != nil {
							t.Fatal(err)
						}
						if err := examine(want, req, a); err != nil {
							t.Errorf("%s, %q, %d segments, sort %d, facets %v: %v", name, word, len(of.segments), sort, facets, err)
						}
					}
					f := Filters{Kinds: []string{"article"}}
					want = of.answer(root, f, sort)
					req.Filters = f
					a, err := Run(context.Background(), of.segments, req, Budget{})
					if err != nil {
						t.Fatal(err)
					}
					if err := examine(want, req, a); err != nil {
						t.Errorf("%s, %q, filtered, sort %d: %v", name, word, sort, err)
					}
					req.Filters = Filters{}
				}
			}
		}
	}
}
