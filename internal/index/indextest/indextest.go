// Package indextest is the conformance suite of search engines: every
// implementation of [index.Index] must pass it.
package indextest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/record"
	"wenlan/internal/view"
	"wenlan/internal/view/viewtest"
)

// Open opens the index in a folder, made if it is empty. The suite closes it.
type Open func(t *testing.T, dir string, records index.Records, body view.Body) index.Index

// Library is the records that the suite searches, in this order from number 1.
var Library = []record.Record{
	{Title: "紅樓夢", Creators: []record.Creator{{Name: "曹雪芹"}}, Kind: record.Book, Languages: []string{"zh-Hant"}, Issued: "1791",
		Subjects: []record.Subject{{Label: "小説"}}, IDs: []record.ID{{Scheme: "isbn", Value: "978-7-02-000220-7"}}},
	{Title: "红楼梦评论", Creators: []record.Creator{{Name: "王国维"}}, Kind: record.Article, Languages: []string{"zh-Hans"}, Issued: "1904", Abstract: "论《红楼梦》之精神"},
	{Title: "脂硯齋重評石頭記", AltTitles: []string{"紅樓夢"}, Kind: record.Book, Languages: []string{"zh"}},
	{Title: "易經", Kind: record.Book, Languages: []string{"lzh"}},
	{Title: "The Origin of Species", Creators: []record.Creator{{Name: "Charles Darwin", AltNames: []string{"Darwin, Charles"}}}, Kind: record.Book, Languages: []string{"en"}, Issued: "1859",
		Subjects: []record.Subject{{Label: "Evolution"}, {Label: "Natural selection"}}, IDs: []record.ID{{Scheme: "isbn", Value: "0439554934"}}},
	{Title: "Notes on evolution", Creators: []record.Creator{{Name: "Paul Erdős"}}, Kind: record.Article, Languages: []string{"en"}, Issued: "1999-04",
		Abstract: "What Darwin wrote on the origin of species, and computing machines.", IDs: []record.ID{{Scheme: "doi", Value: "10.1000/ABC(12)3-4"}},
		Container: &record.Container{Title: "Journal of Examples", ISSN: "0378-5955"}},
	{Title: "L’étranger", Creators: []record.Creator{{Name: "Albert Camus"}}, Kind: record.Book, Languages: []string{"fr"}, Issued: "1942"},
	{Title: "Straße nach Łódź", Kind: record.Book, Languages: []string{"de"}, Issued: "2001"},
	{Title: "Война и мир", Creators: []record.Creator{{Name: "Толстой"}}, Kind: record.Book, Languages: []string{"ru"}, Issued: "1869"},
	{Title: "吾輩は猫である", Creators: []record.Creator{{Name: "夏目漱石"}}, Kind: record.Book, Languages: []string{"ja"}, Issued: "1905"},
	{Title: "Ｆｕｌｌ ｗｉｄｔｈ", Kind: record.Report, Languages: []string{"en"}, Issued: "2001", IDs: []record.ID{{Scheme: "arxiv", Value: "1001.0025"}}},
	{Title: "Species", Kind: record.Thesis, Languages: []string{"en"}, Issued: "1859", Subjects: []record.Subject{{Label: "Evolution"}}},
}

type suite struct {
	reg *viewtest.Register
	idx index.Index
	fol *view.Follower
}

func start(t *testing.T, open Open, dir string, reg *viewtest.Register) *suite {
	t.Helper()
	idx := open(t, dir, reg, reg.Body)
	t.Cleanup(func() { idx.Close() })
	f, err := view.New(view.Config{Source: reg, Body: reg.Body, Views: []view.Node{{View: idx}}, BatchEntries: 5})
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{reg, idx, f}
	s.catch(t)
	return s
}

func (s *suite) catch(t *testing.T) {
	t.Helper()
	if err := s.fol.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) search(t *testing.T, q index.Query) *index.Result {
	t.Helper()
	res, err := s.idx.Search(t.Context(), q)
	if err != nil {
		t.Fatalf("search %q: %v", q.Text, err)
	}
	return res
}

func numbers(res *index.Result) []int64 {
	var out []int64
	for _, h := range res.Hits {
		out = append(out, h.Record)
	}
	return out
}

func filled(t *testing.T) *viewtest.Register {
	reg := viewtest.New(t)
	for _, r := range Library {
		reg.Accession(r, nil, nil)
	}
	return reg
}

// Test runs the suite.
func Test(t *testing.T, open Open) {
	t.Run("find", func(t *testing.T) { find(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("order", func(t *testing.T) { order(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("language", func(t *testing.T) { language(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("forgive", func(t *testing.T) { forgive(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("pages", func(t *testing.T) { pages(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("facets", func(t *testing.T) { facets(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("headings", func(t *testing.T) { headings(t, open) })
	t.Run("classes", func(t *testing.T) { classes(t, open) })
	t.Run("highlights", func(t *testing.T) { highlights(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("hostile", func(t *testing.T) { hostile(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("suggest", func(t *testing.T) { suggest(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("changes", func(t *testing.T) { changes(t, start(t, open, t.TempDir(), filled(t))) })
	t.Run("again", func(t *testing.T) { again(t, open) })
	t.Run("empty", func(t *testing.T) { empty(t, start(t, open, t.TempDir(), viewtest.New(t))) })
}

func find(t *testing.T, s *suite) {
	for _, c := range []struct {
		text string
		want []int64 // in any order; the first must come first
	}{
		{"红楼梦", []int64{1, 2, 3}},
		{"紅樓夢", []int64{1, 2, 3}},
		{"樓夢", []int64{1, 2, 3}},
		{"评论", []int64{2}},
		{"重評石頭", []int64{3}},
		{"“红楼梦”", []int64{1, 2, 3}},
		{"《红楼梦》", []int64{1, 2, 3}},
		{"红梦", nil},
		{"易", []int64{4}},
		{"經", []int64{4}},
		{"曹雪芹", []int64{1}},
		{"王国维 红楼梦", []int64{2}},
		{"origin", []int64{5, 6}},
		{"ORIGIN  of species", []int64{5, 6}},
		{"species origin", []int64{5, 6}},
		{`"species origin"`, nil},
		{`"origin of species"`, []int64{5, 6}},
		{`"origin of species`, []int64{5, 6}},
		{"darwin", []int64{5, 6}},
		{"note", []int64{6}},
		{"computed machine", []int64{6}},
		{"erdos", []int64{6}},
		{"Erdős", []int64{6}},
		{"etranger", []int64{7}},
		{"l'étranger", []int64{7}},
		{"strasse lodz", []int64{8}},
		{"ВОЙНА", []int64{9}},
		{"толстои", []int64{9}},
		{"猫である", []int64{10}},
		{"夏目", []int64{10}},
		{"full width", []int64{11}},
		{"978-0-439-55493-0", []int64{5}},
		{"ISBN 0-439-55493-4", []int64{5}},
		{"9780439554930", []int64{5}},
		{"978 0 439 55493 0", []int64{5}},
		{"702000220X", []int64{1}},
		{"10.1000/abc(12)3-4", []int64{6}},
		{"https://doi.org/10.1000/ABC(12)3-4", []int64{6}},
		{"doi:10.1000/abc(12)3-4.", []int64{6}},
		{"0378-5955", []int64{6}},
		{"arXiv:1001.0025", []int64{11}},
		{"1001.0025", []int64{11}},
		{"nothing has this", nil},
		{"!!! ***", nil},
	} {
		res := s.search(t, index.Query{Text: c.text})
		got := numbers(res)
		if res.Partial { // no record has all of it
			got, res.Total = nil, 0
		}
		if len(got) > 0 && len(c.want) > 0 && got[0] != c.want[0] {
			t.Errorf("%q: first is %d of %v, want %d", c.text, got[0], got, c.want[0])
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.want))
		if !slices.Equal(got, want) || res.Total != int64(len(want)) || !res.Exact {
			t.Errorf("%q: %v of %d (exact %v), want %v", c.text, got, res.Total, res.Exact, want)
		}
		each := map[int64]bool{}
		if err := s.idx.Each(t.Context(), index.Query{Text: c.text, Sort: index.Newest, Limit: 1, Offset: 5}, func(n int64) { each[n] = true }); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		all := numbers(s.search(t, index.Query{Text: c.text, Exactly: true, Limit: index.MaxLimit}))
		if slices.Sort(all); !slices.Equal(slices.Sorted(maps.Keys(each)), all) {
			t.Errorf("%q: each is %v, want %v", c.text, each, all)
		}
	}
}

// language is the query language, see package query.
func language(t *testing.T, s *suite) {
	for _, c := range []struct {
		text string
		want []int64 // ascending
	}{
		{"title:species", []int64{5, 12}},
		{"题名:红楼梦", []int64{1, 2, 3}},
		{"author:darwin", []int64{5}},
		{"作者:曹雪芹", []int64{1}},
		{"subject:evolution", []int64{5, 12}},
		{"in:examples", []int64{6}},
		{"isbn:0439554934", []int64{5}},
		{"doi:10.1000/abc(12)3-4", []int64{6}},
		{"species -origin", []int64{12}},
		{"species -title:origin", []int64{6, 12}},
		{`species -"origin of"`, []int64{12}},
		{"红楼梦 -评论", []int64{1, 3}},
		{"camus OR tolstoy OR толстой", []int64{7, 9}},
		{"(camus OR darwin) origin", []int64{5, 6}},
		{"species year:1990..2000", []int64{6}},
		{"species year:<1900", []int64{5, 12}},
		{"lang:fr", []int64{7}},
		{"kind:thesis species", []int64{12}},
		{"evol* origin", []int64{5, 6}},
		{"spec*", []int64{5, 6, 12}},
	} {
		res := s.search(t, index.Query{Text: c.text})
		got := numbers(res)
		slices.Sort(got)
		if !slices.Equal(got, c.want) || res.Partial || res.Corrected != "" {
			t.Errorf("%q: %v (partial %v, corrected %q), want %v", c.text, got, res.Partial, res.Corrected, c.want)
		}
	}
}

// forgive is what is found although it was not typed so.
func forgive(t *testing.T, s *suite) {
	for _, c := range []struct {
		text      string
		want      int64
		corrected string
	}{
		{"hongloumeng", 1, ""},
		{"hong lou meng", 1, ""},
		{"hóng lóu mèng", 1, ""},
		{"hlm", 1, ""},
		{"caoxueqin", 1, ""},
		{"yijing", 4, ""},
		{"darwinn", 5, "darwin"},
		{"evolutoin", 5, "evolution"},
		{"darwn origin", 5, "darwin origin"},
		{"orgin speces", 5, "origin species"},
	} {
		res := s.search(t, index.Query{Text: c.text})
		if !slices.Contains(numbers(res), c.want) || res.Partial || res.Corrected != c.corrected {
			t.Errorf("%q: %v (partial %v, corrected %q), want %d as %q", c.text, numbers(res), res.Partial, res.Corrected, c.want, c.corrected)
		}
	}
	if res := s.search(t, index.Query{Text: "darwinn", Exactly: true}); len(res.Hits) != 0 || res.Corrected != "" {
		t.Errorf("exactly as typed: %+v", res)
	}
	res := s.search(t, index.Query{Text: "darwin machines elephants"})
	if got := numbers(res); !res.Partial || len(got) == 0 || got[0] != 6 {
		t.Errorf("no record has all: %v, partial %v", got, res.Partial)
	}
	if res := s.search(t, index.Query{Text: "darwin machines elephants", Exactly: true}); len(res.Hits) != 0 {
		t.Errorf("exactly as typed: %v", numbers(res))
	}
}

// pages goes through everything by key, in every order: each record once.
func pages(t *testing.T, s *suite) {
	for _, sort := range []string{index.Relevance, index.Newest, index.Oldest, index.Title} {
		for _, text := range []string{"", "species", "红楼梦 OR evolution OR 2001"} {
			q := index.Query{Text: text, Sort: sort, Limit: 1000}
			want := numbers(s.search(t, q))
			var got []int64
			for q.Limit = 2; ; {
				res := s.search(t, q)
				if len(res.Hits) == 0 {
					break
				}
				if len(got) > len(want) {
					t.Fatalf("%s %q: it does not end", sort, text)
				}
				got = append(got, numbers(res)...)
				q.After = res.Hits[len(res.Hits)-1].Key
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s %q: %v, want %v", sort, text, got, want)
			}
		}
	}
	for _, key := range []string{"x", "\x00", strings.Repeat("A", 100_000)} {
		if _, err := s.idx.Search(t.Context(), index.Query{After: key}); err == nil {
			t.Errorf("%q is no key", key[:1])
		}
	}
}

func order(t *testing.T, s *suite) {
	all := int64(len(Library))
	for _, c := range []struct {
		q     index.Query
		want  []int64
		total int64
	}{
		{index.Query{Text: "species", Sort: index.Oldest}, []int64{5, 12, 6}, 3},
		{index.Query{Text: "species", Sort: index.Newest}, []int64{6, 12, 5}, 3},
		{index.Query{Text: "species", Sort: index.Title}, []int64{6, 5, 12}, 3},
		{index.Query{Text: "species"}, []int64{12, 5, 6}, 3},
		{index.Query{Text: "species", Sort: index.Oldest, Limit: 1, Offset: 1}, []int64{12}, 3},
		{index.Query{Text: "species", Offset: 5}, nil, 3},
		{index.Query{Sort: index.Newest, Limit: 3}, []int64{11, 8, 6}, all},
		{index.Query{Sort: index.Oldest, Limit: 2}, []int64{1, 5}, all},
		{index.Query{Sort: index.Oldest, Offset: int(all) - 2}, []int64{3, 4}, all},
		{index.Query{Sort: index.Title, Limit: 3}, []int64{11, 7, 6}, all},
		{index.Query{Limit: 2}, []int64{12, 11}, all},
		{index.Query{Kinds: []string{"article", "thesis"}, Sort: index.Oldest}, []int64{12, 2, 6}, 3},
		{index.Query{Text: "species", Kinds: []string{"book"}}, []int64{5}, 1},
		{index.Query{Languages: []string{"zh"}, Sort: index.Oldest}, []int64{1, 2, 3}, 3},
		{index.Query{Languages: []string{"zh-Hant"}, Sort: index.Oldest}, []int64{1, 2, 3}, 3},
		{index.Query{Languages: []string{"zh", "lzh"}, Kinds: []string{"book"}, Sort: index.Title}, []int64{4, 1, 3}, 3},
		{index.Query{Text: "evolution", Subjects: []string{"Evolution"}, Sort: index.Title}, []int64{5, 12}, 2},
		{index.Query{Subjects: []string{"Natural selection"}}, []int64{5}, 1},
		{index.Query{Subjects: []string{"none has it"}}, nil, 0},
		{index.Query{YearFrom: 1990, Sort: index.Oldest}, []int64{6, 8, 11}, 3},
		{index.Query{YearTo: 1859, Sort: index.Oldest}, []int64{1, 5, 12}, 3},
		{index.Query{YearFrom: 1904, YearTo: 1905, Sort: index.Title}, []int64{10, 2}, 2},
		{index.Query{Text: "species", YearFrom: 1900}, []int64{6}, 1},
		{index.Query{YearFrom: 3000}, nil, 0},
		{index.Query{Creators: []string{"Charles Darwin"}}, []int64{5}, 1},
		{index.Query{Text: "species", Creators: []string{"Paul Erdős", "nobody"}}, []int64{6}, 1},
		{index.Query{Access: []string{"open"}}, nil, 0},
		{index.Query{Text: "红楼梦", Access: []string{"none"}, Sort: index.Oldest}, []int64{1, 2, 3}, 3},
	} {
		res := s.search(t, c.q)
		got := numbers(res)
		if c.q.Sort == index.Title {
			// the order of titles in different scripts is the engine's own
			got, c.want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(c.want))
			if len(c.q.Text) == 0 && c.q.Limit > 0 {
				continue
			}
		}
		if !slices.Equal(got, c.want) && !(len(got) == 0 && len(c.want) == 0) || res.Total != c.total || !res.Exact {
			t.Errorf("%+v: %v of %d (exact %v), want %v of %d", c.q, got, res.Total, res.Exact, c.want, c.total)
		}
	}
	if got := numbers(s.search(t, index.Query{Text: "species", Sort: index.Title})); !slices.Equal(got, []int64{6, 5, 12}) {
		t.Errorf("by title, without the article: %v", got)
	}
}

func facets(t *testing.T, s *suite) {
	res := s.search(t, index.Query{Text: "species", Facets: true})
	want := map[string][]index.FacetCount{
		index.FacetLanguage: {{Value: "en", N: 3}},
		index.FacetKind:     {{Value: "article", N: 1}, {Value: "book", N: 1}, {Value: "thesis", N: 1}},
		index.FacetYear:     {{Value: "1999", N: 1}, {Value: "1859", N: 2}},
		index.FacetSubject:  {{Value: "Evolution", N: 2}, {Value: "Natural selection", N: 1}},
		index.FacetCreator:  {{Value: "Charles Darwin", N: 1}, {Value: "Paul Erdős", N: 1}},
		index.FacetAccess:   {{Value: "none", N: 3}},
	}
	for name, counts := range want {
		if !slices.Equal(res.Facets[name], counts) {
			t.Errorf("%s: %v, want %v", name, res.Facets[name], counts)
		}
	}
	res = s.search(t, index.Query{Facets: true, Limit: 1})
	if res.Total != int64(len(Library)) || len(res.Hits) != 1 || res.Facets[index.FacetLanguage][0] != (index.FacetCount{Value: "en", N: 4}) {
		t.Errorf("of everything: %d, %v", res.Total, res.Facets)
	}
	if res := s.search(t, index.Query{Text: "species"}); res.Facets != nil {
		t.Errorf("facets that were not asked for: %v", res.Facets)
	}
}

func headings(t *testing.T, open Open) {
	reg := viewtest.New(t)
	add := func(title, issued, subject string, creators ...record.Creator) int64 {
		return reg.Accession(record.Record{Title: title, Kind: record.Book, Languages: []string{"en"}, Issued: issued, Creators: creators, Subjects: []record.Subject{{Label: subject}}}, nil, nil)
	}
	austen := record.Creator{Name: "Jane Austen", AltNames: []string{"Austen, Jane"}}
	emma := add("Emma", "1815", "English literature", austen)
	add("Persuasion", "1817", "English literature", austen, record.Creator{Name: "Paul Erdős", IDs: []record.ID{{Scheme: "orcid", Value: "0000-0002-1825-0097"}}})
	add("狂人日记", "1918", "中国文学", record.Creator{Name: "鲁迅"})
	gone := add("Gone", "1900", "Gone things", record.Creator{Name: "Zadie Gone"})
	add("Other Austen", "2001", "english literature", record.Creator{Name: "Austen Jane"}, record.Creator{Name: "Толстой"})
	s := start(t, open, t.TempDir(), reg)
	reg.Append(record.Entry{Type: record.TypeMerge, From: &gone, Into: &emma})
	s.catch(t)

	list := func(q index.HeadingQuery) (out []string, l *index.HeadingList) {
		t.Helper()
		l, err := s.idx.Headings(t.Context(), q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		for _, h := range l.Headings {
			if !h.Exact {
				t.Errorf("%s: not exact", h.Value)
			}
			out = append(out, fmt.Sprint(h.Value, " ", h.N))
		}
		return out, l
	}
	for _, c := range []struct {
		q    index.HeadingQuery
		want []string
	}{
		{index.HeadingQuery{Facet: index.FacetCreator}, []string{"Jane Austen 2", "Paul Erdős 1", "Austen Jane 1", "鲁迅 1", "Толстой 1"}},
		{index.HeadingQuery{Facet: index.FacetCreator, Prefix: "aus"}, []string{"Jane Austen 2"}},
		{index.HeadingQuery{Facet: index.FacetCreator, Prefix: "鲁"}, []string{"鲁迅 1"}},
		{index.HeadingQuery{Facet: index.FacetCreator, From: "K"}, []string{"鲁迅 1", "Толстой 1"}},
		{index.HeadingQuery{Facet: index.FacetCreator, Prefix: "erdos"}, []string{"Paul Erdős 1"}},
		{index.HeadingQuery{Facet: index.FacetCreator, Prefix: "x"}, nil},
		{index.HeadingQuery{Facet: index.FacetSubject}, []string{"English literature 2", "english literature 1", "中国文学 1"}},
		{index.HeadingQuery{Facet: index.FacetSubject, Prefix: "ENGL"}, []string{"English literature 2", "english literature 1"}},
	} {
		got, _ := list(c.q)
		slices.Sort(got[:min(2, len(got))])
		want := slices.Clone(c.want)
		slices.Sort(want[:min(2, len(want))]) // engines may order what is equal
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
	if _, l := list(index.HeadingQuery{Facet: index.FacetCreator}); !slices.Contains(l.Initials, "a") || !slices.Contains(l.Initials, "т") || !slices.IsSorted(l.Initials) {
		t.Errorf("initials %q", l.Initials)
	}
	var paged []string
	for q := (index.HeadingQuery{Facet: index.FacetCreator, Limit: 2}); ; {
		got, l := list(q)
		paged = append(paged, got...)
		if q.After = l.Next; q.After == "" || len(paged) > 10 {
			break
		}
	}
	if whole, _ := list(index.HeadingQuery{Facet: index.FacetCreator}); !slices.Equal(paged, whole) {
		t.Errorf("by pages %q, want %q", paged, whole)
	}
	if _, err := s.idx.Headings(t.Context(), index.HeadingQuery{Facet: index.FacetYear}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a list of years: %v", err)
	}
	if _, err := s.idx.Headings(t.Context(), index.HeadingQuery{Facet: index.FacetCreator, After: "!"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a key that is none: %v", err)
	}

	// What a list gives is what the filter finds, and only that.
	for _, c := range []struct {
		q    index.Query
		want []int64
	}{
		{index.Query{Creators: []string{"Jane Austen"}}, []int64{2, 1}},
		{index.Query{Creators: []string{"Jane Austen", "鲁迅"}}, []int64{3, 2, 1}},
		{index.Query{Creators: []string{"Nobody"}}, nil},
		{index.Query{Subjects: []string{"English literature"}}, []int64{2, 1}},
		{index.Query{Subjects: []string{"english literature"}}, []int64{5}},
		{index.Query{Subjects: []string{"Gone things"}}, nil},
		{index.Query{Persons: []string{"orcid:0000-0002-1825-0097"}}, []int64{2}},
		{index.Query{Persons: []string{"orcid:0000-0002-1825-0098"}}, nil},
		{index.Query{Persons: []string{"orcid:0000-0002-1825-0097"}, Languages: []string{"fr"}}, nil},
		{index.Query{Text: "emma", Persons: []string{"orcid:0000-0002-1825-0097"}}, nil},
	} {
		c.q.Sort, c.q.Facets = index.Newest, true
		c.q.Exactly = c.q.Text != ""
		res := s.search(t, c.q)
		got := numbers(res)
		if !slices.Equal(got, c.want) || res.Total != int64(len(c.want)) || !res.Exact {
			t.Errorf("%+v: %v of %d, want %v", c.q, got, res.Total, c.want)
		}
	}
	res := s.search(t, index.Query{Sort: index.Newest, Facets: true, Only: []string{index.FacetCreator}})
	if len(res.Facets) != 1 || len(res.Facets[index.FacetCreator]) == 0 || res.Facets[index.FacetCreator][0] != (index.FacetCount{Value: "Jane Austen", N: 2}) || res.Total != 4 {
		t.Errorf("the most frequent names: %+v of %d", res.Facets, res.Total)
	}
}

func classes(t *testing.T, open Open) {
	reg := viewtest.New(t)
	for _, codes := range [][]record.Subject{
		{{Scheme: "ddc", Code: "823/.7"}, {Scheme: "clc", Code: "I561.44"}},
		{{Scheme: "ddc", Code: "823.8"}, {Scheme: "DDC", Code: "820"}},
		{{Scheme: "ddc", Code: "[Fic]"}, {Scheme: "lcc", Code: "PR4034"}},
		{{Scheme: "clc", Code: "TP311.1"}, {Scheme: "ddc", Code: "005.1"}},
		{{Scheme: "clc", Code: "TB1=5"}},
	} {
		reg.Accession(record.Record{Title: "Classed", Kind: record.Book, Issued: "2000", Subjects: codes}, nil, nil)
	}
	s := start(t, open, t.TempDir(), reg)
	for _, c := range []struct{ scheme, parent, want string }{
		{"ddc", "", "[0 1] [8 2]"}, {"ddc", "8", "[82 2]"}, {"ddc", "82", "[820 1] [823 2]"}, {"ddc", "823", "[823.7 1] [823.8 1]"}, {"ddc", "823.7", ""}, {"ddc", "9", ""},
		{"clc", "", "[I 1] [T 2]"}, {"clc", "T", "[TB 1] [TP 1]"}, {"clc", "TP", "[TP3 1]"}, {"clc", "TP311", "[TP311.1 1]"}, {"clc", "??", ""}, {"lcc", "", ""},
	} {
		list, err := s.idx.Classes(t.Context(), c.scheme, c.parent)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range list {
			got = append(got, fmt.Sprint([]any{k.Code, k.N}))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s under %q: %q, want %q", c.scheme, c.parent, got, c.want)
		}
	}
	for _, c := range []struct {
		classes []string
		want    []int64
	}{
		{[]string{"ddc:823"}, []int64{2, 1}}, {[]string{"ddc:823.7"}, []int64{1}}, {[]string{"clc:T"}, []int64{5, 4}}, {[]string{"clc:TP3", "ddc:820"}, []int64{4, 2}},
		{[]string{"ddc:9"}, nil}, {[]string{"nonsense"}, nil},
	} {
		if got := numbers(s.search(t, index.Query{Classes: c.classes})); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.classes, got, c.want)
		}
	}
	if got := numbers(s.search(t, index.Query{Text: "classed", Classes: []string{"ddc:820"}})); !slices.Equal(got, []int64{2}) {
		t.Errorf("with words: %v", got)
	}
}

func highlights(t *testing.T, s *suite) {
	for _, c := range []struct {
		text, field string
		record      int64
		want        []string
	}{
		{"红楼梦", index.FieldTitle, 1, []string{"紅樓夢"}},
		{"红楼梦", index.FieldTitle, 2, []string{"红楼梦"}},
		{"红楼梦", index.FieldAbstract, 2, []string{"红楼梦"}},
		{"楼", index.FieldTitle, 1, []string{"樓"}},
		{"etranger", index.FieldTitle, 7, []string{"étranger"}},
		{"erdos", index.FieldCreators, 6, []string{"Erdős"}},
		{"origin species", index.FieldAbstract, 6, []string{"origin", "species"}},
		{`"origin of species"`, index.FieldAbstract, 6, []string{"origin of species"}},
		{"full", index.FieldTitle, 11, []string{"Ｆｕｌｌ"}},
		{"9780439554930", index.FieldTitle, 5, nil},
	} {
		for _, h := range s.search(t, index.Query{Text: c.text}).Hits {
			if h.Record != c.record {
				continue
			}
			text := index.FieldText(Library[c.record-1], c.field)
			var got []string
			for _, span := range h.Highlights[c.field] {
				got = append(got, text[span.Start:span.End])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q in %s of %d: %q, want %q", c.text, c.field, c.record, got, c.want)
			}
		}
	}
}

// Hostile is what people and programs type into search boxes.
var Hostile = []string{
	"", " ", "*", "a*", "*a", `"`, `""`, `"""`, `a"b`, `a""b`, "(", ")", "(a", "a)", "()", "AND", "OR", "NOT", "a AND", "AND a", "NOT a", "a NOT b", "NEAR", "NEAR(a b)", "NEAR(a b, 5)", "a NEAR/3 b",
	"title:", "title:species", "{title} : a", "-a", "+a", "^a", "a^2", "a~", "a:b:c", ":", "'", "''", "' OR 1=1 --", "; DROP TABLE docs", "\\", "\x00", "a\x00b", "\xff\xfe", "a\xffb", "%", "_", "?", "[a-z]", "$1",
	"\u202eabc", "\ufeff", "\ue000", "\ue001abc", "e\u0301", "\u0301", "\U000e0100", "a\u200bb", "﷽", "ﷺ", "\u00ad", "<script>", "&amp;", "10.", "10.1000/", "978", "0000000000", "１２３", "ㄅ", "ー", "々", "가", "ไทย", "🙂",
	strings.Repeat("a", 100_000), strings.Repeat("word ", 10_000), strings.Repeat("紅", 10_000), strings.Repeat(`"`, 9_999), strings.Repeat("(", 5_000), strings.Repeat("a OR ", 5_000), strings.Repeat("\u0301", 10_000), strings.Repeat("ﷺ", 5_000),
}

func hostile(t *testing.T, s *suite) {
	for _, text := range Hostile {
		for _, sort := range []string{index.Relevance, index.Title, "no such order"} {
			begin := time.Now()
			res, err := s.idx.Search(t.Context(), index.Query{Text: text, Sort: sort, Facets: true, Limit: 1 << 30, Offset: -1, Languages: []string{"en", `"`, ""}})
			short := text[:min(len(text), 40)]
			if err != nil {
				t.Errorf("%q: %v", short, err)
				continue
			}
			if d := time.Since(begin); d > 5*time.Second {
				t.Errorf("%q took %v", short, d)
			}
			_ = res
		}
		if _, err := s.idx.Suggest(t.Context(), text, 5); err != nil {
			t.Errorf("suggest %q: %v", text[:min(len(text), 40)], err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.idx.Search(ctx, index.Query{Text: "species"}); err == nil {
		t.Error("a search that was called off gives an answer")
	}
}

func suggest(t *testing.T, s *suite) {
	for _, c := range []struct {
		prefix string
		want   int64
	}{{"红楼", 1}, {"the ori", 5}, {"ori", 5}, {"spec", 12}, {"évol", 6}, {"étr", 7}, {"石頭", 3}} {
		got, err := s.idx.Suggest(t.Context(), c.prefix, 10)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(got, func(g index.Suggestion) bool {
			return g.Record == c.want && g.Text == Library[c.want-1].Title
		}) {
			t.Errorf("%q: %v, want %d", c.prefix, got, c.want)
		}
	}
	for prefix, want := range map[string]index.Suggestion{
		"darw":  {Text: "Charles Darwin", Kind: index.SuggestCreator},
		"natur": {Text: "Natural selection", Kind: index.SuggestSubject},
		"曹雪":    {Text: "曹雪芹", Kind: index.SuggestCreator},
	} {
		got, err := s.idx.Suggest(t.Context(), prefix, 10)
		if err != nil || !slices.Contains(got, want) {
			t.Errorf("%q: %v %v, want %v", prefix, got, err, want)
		}
	}
	if got, err := s.idx.Suggest(t.Context(), "s", 1); err != nil || len(got) > 1 {
		t.Errorf("more than the limit: %v %v", got, err)
	}
}

func changes(t *testing.T, s *suite) {
	n := func(i int64) *int64 { return &i }
	expect := func(text string, want ...int64) {
		t.Helper()
		s.catch(t)
		got := numbers(s.search(t, index.Query{Text: text}))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	rev := s.reg.Append(record.Entry{Type: record.TypeRevision, Of: n(12), Patch: json.RawMessage(`{"title":"Genera"}`)})
	expect("genera", 12)
	expect("species", 5, 6)
	s.reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{rev}, Ground: "law"})
	s.reg.Purge(rev)
	expect("genera")
	expect("species", 5, 6, 12)
	merge := s.reg.Append(record.Entry{Type: record.TypeMerge, From: n(12), Into: n(5)})
	expect("species", 5, 6)
	s.reg.Append(record.Entry{Type: record.TypeUnmerge, Of: &merge})
	expect("species", 5, 6, 12)
	s.reg.Append(record.Entry{Type: record.TypeWithdrawal, Of: n(12), Ground: "court"})
	expect("species", 5, 6, 12)
	s.reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{12}, Ground: "law"})
	s.reg.Purge(12)
	expect("species", 5, 6)
	if res := s.search(t, index.Query{}); res.Total != int64(len(Library))-1 {
		t.Errorf("total after an erasure: %d", res.Total)
	}
	long := s.reg.Accession(record.Record{Title: "Long", Abstract: strings.Repeat("very long ", 10_000), Subjects: []record.Subject{{Label: strings.Repeat("x", 70_000)}}}, nil, nil)
	expect("long", long)
}

// again checks that an index goes on where it stopped, and that one made anew
// answers as the one that followed.
func again(t *testing.T, open Open) {
	reg, dir := filled(t), t.TempDir()
	s := start(t, open, dir, reg)
	if err := s.idx.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, open, dir, reg)
	if s.idx.Cursor() != reg.Size() {
		t.Errorf("cursor %d of %d", s.idx.Cursor(), reg.Size())
	}
	five := int64(5)
	reg.Append(record.Entry{Type: record.TypeRevision, Of: &five, Patch: json.RawMessage(`{"title":"On the Origin"}`)})
	s.catch(t)
	fresh := start(t, open, t.TempDir(), reg)
	same := func() {
		t.Helper()
		for _, q := range []index.Query{{Text: "origin", Facets: true}, {Text: "species", Sort: index.Title, Facets: true}, {Facets: true, Sort: index.Oldest}, {Text: "红楼梦"}} {
			a, b := s.search(t, q), fresh.search(t, q)
			a.Took, b.Took = 0, 0
			if q.Sort == "" { // scores may differ by what the engine has deleted
				for _, r := range []*index.Result{a, b} {
					for i := range r.Hits {
						r.Hits[i].Score = 0
					}
				}
			}
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			if string(x) != string(y) {
				t.Errorf("%+v:\n%s\n%s", q, x, y)
			}
		}
	}
	same()
	done := make(chan error)
	go func() { done <- s.fol.Rebuild(t.Context(), s.idx.Name()) }()
	for busy := true; busy; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			busy = false
		default:
			if got := numbers(s.search(t, index.Query{Text: "origin"})); len(got) != 2 {
				t.Fatalf("while it is made anew: %v", got)
			}
		}
	}
	same()
	if !s.fol.Ready() {
		t.Error(s.fol.Check())
	}
}

func empty(t *testing.T, s *suite) {
	for _, q := range []index.Query{{}, {Text: "a", Facets: true}, {Kinds: []string{"book"}, Sort: index.Title}} {
		if res := s.search(t, q); res.Total != 0 || len(res.Hits) != 0 || !res.Exact {
			t.Errorf("%+v: %+v", q, res)
		}
	}
	if got, err := s.idx.Suggest(t.Context(), "a", 3); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
}
