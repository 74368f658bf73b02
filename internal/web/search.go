package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/record"
)

const (
	searchLimit = 20
	groupLimit  = 40  // records of a page that shows works
	searchPages = 50  // what is further down is found by asking better
	maxQuery    = 500 // bytes; more is not a question
	maxFilters  = 16
	facetShown  = 8
)

// asked is a search as its address says it.
type asked struct {
	text     string
	langs    []string
	kinds    []string
	subjects []string
	creators []string
	access   []string
	classes  []string // "ddc:823.7"
	persons  []string // "orcid:0000-0002-1825-0097"
	from, to int      // years; 0: open
	sort     string
	page     int
	exact    bool // the words as typed
	group    bool // one hit for each work
	inText   bool // inside what is open, instead of the records
}

// readAsked takes a search from an address; what makes no sense is left out,
// because anything typed gives an answer.
func readAsked(v url.Values) asked {
	a := asked{
		text:     strings.TrimSpace(strings.ToValidUTF8(v.Get("q"), "")),
		langs:    values(v["lang"]),
		kinds:    values(v["kind"]),
		subjects: values(v["subject"]),
		creators: values(v["creator"]),
		access:   values(v["access"]),
		classes:  values(v["class"]),
		persons:  values(v["person"]),
		sort:     v.Get("sort"),
		exact:    v.Get("exact") == "1",
		group:    v.Get("group") == "1",
		inText:   v.Get("in") == "text",
	}
	for len(a.text) > maxQuery {
		_, n := utf8.DecodeLastRuneInString(a.text[:maxQuery+1])
		a.text = strings.TrimSpace(a.text[:max(0, maxQuery+1-n)])
	}
	if !slices.Contains(sorts, a.sort) {
		a.sort = index.Relevance
	}
	if years := strings.TrimSpace(v.Get("year")); years != "" {
		a.from, a.to, _ = index.ParseYears(years)
	} else { // the two boxes of the form
		a.from, a.to, _ = index.ParseYears(strings.TrimSpace(v.Get("from")) + ".." + strings.TrimSpace(v.Get("to")))
	}
	a.page, _ = strconv.Atoi(v.Get("page"))
	a.page = min(max(a.page, 1), searchPages)
	return a
}

var sorts = []string{index.Relevance, index.Newest, index.Oldest, index.Title}

func values(list []string) []string {
	var out []string
	for _, v := range list {
		if v = strings.TrimSpace(v); v != "" && len(v) <= maxQuery && utf8.ValidString(v) && !slices.Contains(out, v) && len(out) < maxFilters {
			out = append(out, v)
		}
	}
	return out
}

// path is the address of a search, the shortest that says it.
func (a asked) path() string {
	v := url.Values{}
	if a.text != "" {
		v.Set("q", a.text)
	}
	for key, list := range map[string][]string{"lang": a.langs, "kind": a.kinds, "subject": a.subjects, "creator": a.creators, "access": a.access, "class": a.classes, "person": a.persons} {
		for _, one := range list {
			v.Add(key, one)
		}
	}
	if years := a.years(); years != "" {
		v.Set("year", years)
	}
	if a.sort != index.Relevance {
		v.Set("sort", a.sort)
	}
	if a.exact {
		v.Set("exact", "1")
	}
	if a.group {
		v.Set("group", "1")
	}
	if a.inText {
		v.Set("in", "text")
	}
	if a.page > 1 {
		v.Set("page", strconv.Itoa(a.page))
	}
	if len(v) == 0 {
		return "/search"
	}
	return "/search?" + v.Encode()
}

// years is the range of years as an address says it; empty: there is none.
func (a asked) years() string { return index.FormatYears(a.from, a.to) }

// limit is how many records a page of a search is made of.
func (a asked) limit() int {
	if a.group {
		return groupLimit
	}
	return searchLimit
}

// searchPath is a search by one filter alone.
func searchPath(key, value string) string {
	return "/search?" + url.Values{key: {value}}.Encode()
}

func (a asked) filtered() bool {
	return len(a.langs)+len(a.kinds)+len(a.subjects)+len(a.creators)+len(a.access)+len(a.classes)+len(a.persons) > 0 || a.years() != ""
}

type searchPage struct {
	page
	Query    string
	Hidden   []metaTag // the filters, kept when the words change
	Chips    []chip    // the filters, each with the search without it
	Clear    string
	Found    bool
	Total    string
	Hits     []hit
	Facets   []facet
	Sorts    []sortLink
	Group    sortLink // the same search with editions together, or apart
	Grouped  bool     // on this page there are some together
	From, To string   // the years in the form
	YearKeep []metaTag
	Previous string
	Next     string
	PageNow  int
	Pages    int64
	Deep     bool // there are more than can be paged to
	About    bool // the numbers are estimates
	Partial  bool // no record has all the words
	Instead  *instead
	Meant    *link  // a query that would find more
	TextHref string // the same words inside what is open
	Texts    *textList
}

// instead says that another query was answered than the one that was typed.
type instead struct {
	Answered string
	Typed    link // the query as it was typed
}

type link struct{ Text, Href string }

type chip struct{ Label, Href string }

type hit struct {
	card
	Marked  template.HTML // the title with highlights; built from escaped text alone
	By      template.HTML
	Snippet template.HTML
	Number  int64
	More    string // how many editions it stands for; empty: none but itself
}

type facet struct {
	Name   string
	Values []facetValue // the first few
	More   []facetValue // the rest
}

func (f *facet) add(v facetValue) {
	if len(f.Values) < facetShown {
		f.Values = append(f.Values, v)
	} else {
		f.More = append(f.More, v)
	}
}

type facetValue struct {
	Name, Href string
	Lang       string
	N          int64
	On         bool
}

type sortLink struct {
	Name, Href string
	On         bool
}

var sortKeys = map[string]string{
	index.Relevance: "sort.relevance", index.Newest: "sort.newest", index.Oldest: "sort.oldest", index.Title: "sort.title",
}

func (s *Site) search(w http.ResponseWriter, r *http.Request) error {
	a := readAsked(r.URL.Query())
	if a.inText && s.cfg.FullText != nil {
		return s.searchTexts(w, r, a)
	}
	result, err := s.cfg.Index.Search(r.Context(), index.Query{
		Text: a.text, Languages: a.langs, Kinds: a.kinds, Subjects: a.subjects, Creators: a.creators, Access: a.access, Classes: a.classes, Persons: a.persons,
		YearFrom: a.from, YearTo: a.to, Sort: a.sort, Exactly: a.exact,
		Limit: a.limit(), Offset: (a.page - 1) * a.limit(), Facets: true,
	})
	if err != nil {
		return err
	}
	p := &searchPage{page: s.newPage(w, r), Query: a.text, PageNow: a.page, About: !result.Exact, Partial: result.Partial}
	p.page.Title, p.Search, p.NoIndex = p.T("search.title"), true, true
	if a.text != "" {
		p.page.Title = p.T("search.title_for", a.text)
	}
	p.Canonical = ""
	p.Found = len(result.Hits) > 0
	p.Total = p.N("search.total", result.Total)
	if !result.Exact {
		p.Total = p.N("search.total_about", rounded(result.Total))
	}
	hits, others := result.Hits, map[int64][]int64(nil)
	if a.group {
		numbers := make([]int64, len(hits))
		for i, h := range hits {
			numbers[i] = h.Record
		}
		works, err := s.cfg.Catalog.Works(r.Context(), numbers)
		if err != nil {
			return err
		}
		hits, others = index.Grouped(hits, works, func(n int64) int {
			held, err := s.holdings.get(r.Context(), n)
			if err != nil {
				return -1 // gone by now, or said below
			}
			text := held.text()
			return index.Rank(text != nil && s.decide(r, held, text).Read, held.Record, p.Tag())
		})
	}
	for _, h := range hits {
		held, err := s.holdings.get(r.Context(), h.Record)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) || (err == nil && held.Erased != nil) {
			continue // the index has not followed yet
		}
		if err != nil {
			return err
		}
		shown := s.hit(r, &p.page, held, h.Highlights)
		if n := int64(len(others[h.Record])); n > 0 {
			shown.More, p.Grouped = p.N("search.editions", n+1), true
		}
		p.Hits = append(p.Hits, shown)
	}
	p.guess(a, result)
	p.describe(a, result)
	if !result.Exact { // asked again, it may find more
		r = passing(r)
	}
	if s.cfg.FullText != nil && a.text != "" {
		p.TextHref = asked{text: a.text, sort: index.Relevance, inText: true, page: 1}.path()
		if a.page == 1 && !a.filtered() {
			if p.Texts, err = s.textHits(r, &p.page, fulltext.Query{Text: a.text, Limit: textShown, PerRecord: 1, Within: textWithin}); err != nil {
				return err
			}
			if !p.Texts.Settled {
				r = passing(r)
			}
		}
	}
	return s.render(w, r, http.StatusOK, "search", p)
}

// rounded is an estimate as people say it: two figures, and noughts.
func rounded(n int64) int64 {
	unit := int64(1)
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit/2) / unit * unit
}

// guess says what the engine made of the words: another query that it answered, or
// one that it would.
func (p *searchPage) guess(a asked, result *index.Result) {
	with := func(text string, exact bool) link {
		b := a
		b.text, b.page, b.exact = text, 1, exact
		return link{text, b.path()}
	}
	if c := result.Corrected; c != "" && c != a.text {
		p.Instead = &instead{Answered: c, Typed: with(a.text, true)}
	}
	if d := result.DidYouMean; d != "" && d != a.text && d != result.Corrected {
		meant := with(d, false)
		p.Meant = &meant
	}
}

// hit describes one hit with its highlights.
func (s *Site) hit(r *http.Request, p *page, h *holding, spans map[string][]index.Span) hit {
	out := hit{card: s.card(r, p, h), Number: h.Number}
	out.Marked = mark(h.Record.Title, spans[index.FieldTitle])
	out.By = template.HTML(template.HTMLEscapeString(out.Creators))
	if marks := spans[index.FieldCreators]; len(marks) > 0 {
		out.By = mark(index.FieldText(h.Record, index.FieldCreators), marks)
	}
	out.Snippet = snippet(h.Record.Abstract, spans[index.FieldAbstract])
	return out
}

// describe fills in filters, facets, sorting and paging.
func (p *searchPage) describe(a asked, result *index.Result) {
	first := a
	first.page = 1
	keep := func(key string, list ...string) {
		for _, v := range list {
			p.Hidden = append(p.Hidden, metaTag{key, v})
		}
	}
	keep("lang", a.langs...)
	keep("kind", a.kinds...)
	keep("subject", a.subjects...)
	keep("creator", a.creators...)
	keep("access", a.access...)
	keep("class", a.classes...)
	keep("person", a.persons...)
	p.YearKeep = slices.Clone(p.Hidden)
	if years := a.years(); years != "" {
		keep("year", years)
	}
	if a.sort != index.Relevance {
		keep("sort", a.sort)
		p.YearKeep = append(p.YearKeep, metaTag{"sort", a.sort})
	}
	if a.group {
		keep("group", "1")
		p.YearKeep = append(p.YearKeep, metaTag{"group", "1"})
	}
	if a.from != 0 {
		p.From = strconv.Itoa(a.from)
	}
	if a.to != 0 {
		p.To = strconv.Itoa(a.to)
	}

	names := map[string]func(string) string{
		index.FacetLanguage: p.Language,
		index.FacetKind:     func(v string) string { return p.kind(record.Kind(v)) },
		index.FacetSubject:  func(v string) string { return v },
		index.FacetCreator:  func(v string) string { return v },
		index.FacetAccess:   p.access,
	}
	groups := []struct {
		facet, key string
		on         []string
		set        func(*asked, []string)
	}{
		{index.FacetAccess, "facet.access", a.access, func(b *asked, v []string) { b.access = v }},
		{index.FacetLanguage, "facet.language", a.langs, func(b *asked, v []string) { b.langs = v }},
		{index.FacetKind, "facet.kind", a.kinds, func(b *asked, v []string) { b.kinds = v }},
		{index.FacetSubject, "facet.subject", a.subjects, func(b *asked, v []string) { b.subjects = v }},
		{index.FacetCreator, "facet.creator", a.creators, func(b *asked, v []string) { b.creators = v }},
	}
	for _, g := range groups {
		for _, v := range g.on {
			b := first
			g.set(&b, slices.DeleteFunc(slices.Clone(g.on), func(o string) bool { return o == v }))
			p.Chips = append(p.Chips, chip{names[g.facet](v), b.path()})
		}
		f := facet{Name: p.T(g.key)}
		for _, c := range result.Facets[g.facet] {
			if c.Value == "" || c.N == 0 || slices.Contains(g.on, c.Value) {
				continue
			}
			b := first
			g.set(&b, append(slices.Clone(g.on), c.Value))
			f.add(facetValue{Name: names[g.facet](c.Value), Href: b.path(), N: c.N})
		}
		if len(f.Values) > 0 {
			p.Facets = append(p.Facets, f)
		}
	}
	for _, g := range []struct {
		on  []string
		set func(*asked, []string)
		say func(scheme, value string) string
	}{
		{a.classes, func(b *asked, v []string) { b.classes = v }, func(scheme, class string) string {
			return strings.TrimSpace(strings.ToUpper(scheme) + " " + className(scheme, class) + " " + p.caption(scheme, class))
		}},
		{a.persons, func(b *asked, v []string) { b.persons = v }, func(scheme, id string) string { return strings.ToUpper(scheme) + " " + id }},
	} {
		for _, v := range g.on {
			b := first
			g.set(&b, slices.DeleteFunc(slices.Clone(g.on), func(o string) bool { return o == v }))
			scheme, value, _ := strings.Cut(v, ":")
			p.Chips = append(p.Chips, chip{g.say(scheme, value), b.path()})
		}
	}
	years := facet{Name: p.T("facet.year")}
	for _, r := range yearRanges(result.Facets[index.FacetYear]) {
		b := first
		b.from, b.to = r.from, r.to
		if b.years() != a.years() {
			years.add(facetValue{Name: p.years(r), Href: b.path(), N: r.n})
		}
	}
	if len(years.Values) > 0 {
		p.Facets = append(p.Facets, years)
	}
	if a.years() != "" {
		b := first
		b.from, b.to = 0, 0
		p.Chips = append(p.Chips, chip{p.years(yearRange{from: a.from, to: a.to}), b.path()})
	}
	if a.filtered() {
		p.Clear = asked{text: a.text, sort: a.sort, group: a.group, page: 1}.path()
	}
	for _, order := range sorts {
		b := first
		b.sort = order
		p.Sorts = append(p.Sorts, sortLink{p.T(sortKeys[order]), b.path(), order == a.sort})
	}

	apart := first
	apart.group = !a.group
	p.Group = sortLink{p.T("search.group"), apart.path(), a.group}
	p.Pages = (result.Total + int64(a.limit()) - 1) / int64(a.limit())
	p.Deep = p.Pages > searchPages
	p.Pages = min(p.Pages, searchPages)
	if a.page > 1 {
		b := a
		b.page = a.page - 1
		p.Previous = b.path()
	}
	if int64(a.page) < p.Pages {
		b := a
		b.page = a.page + 1
		p.Next = b.path()
	}
}

// mark escapes a text and puts its highlights in <mark>. Spans that do not fit
// the text are left out.
func mark(text string, spans []index.Span) template.HTML {
	var b strings.Builder
	at := 0
	for _, sp := range spans {
		if sp.Start < at || sp.End > len(text) || sp.Start >= sp.End ||
			!runeStart(text, sp.Start) || !runeStart(text, sp.End) {
			continue
		}
		b.WriteString(template.HTMLEscapeString(text[at:sp.Start]))
		b.WriteString("<mark>")
		b.WriteString(template.HTMLEscapeString(text[sp.Start:sp.End]))
		b.WriteString("</mark>")
		at = sp.End
	}
	b.WriteString(template.HTMLEscapeString(text[at:]))
	return template.HTML(b.String())
}

func runeStart(s string, i int) bool { return i == len(s) || utf8.RuneStart(s[i]) }

const (
	snippetBefore = 60  // bytes before the first highlight
	snippetBytes  = 260 // in all
)

// snippet is the part of a text around its first highlight, highlights marked.
func snippet(text string, spans []index.Span) template.HTML {
	from := 0
	if len(spans) > 0 && spans[0].Start > snippetBefore && spans[0].Start < len(text) {
		from = wordStart(text, spans[0].Start-snippetBefore)
	}
	to := len(text)
	if to-from > snippetBytes {
		to = wordEnd(text, from+snippetBytes)
	}
	var moved []index.Span
	for _, sp := range spans {
		if sp.Start >= from && sp.End <= to {
			moved = append(moved, index.Span{Start: sp.Start - from, End: sp.End - from})
		}
	}
	out := mark(text[from:to], moved)
	if from > 0 {
		out = "… " + out
	}
	if to < len(text) {
		out += " …"
	}
	return out
}

// wordEnd moves back to the end of a word, or at least of a character.
func wordEnd(s string, i int) int {
	for !runeStart(s, i) {
		i--
	}
	if s[i] == ' ' {
		return i
	}
	if sp := strings.LastIndexByte(s[max(0, i-20):i], ' '); sp > 0 {
		return max(0, i-20) + sp
	}
	return i
}

// wordStart moves forward to the start of a word, or at least of a character.
func wordStart(s string, i int) int {
	for !runeStart(s, i) {
		i++
	}
	if sp := strings.IndexByte(s[i:min(len(s), i+20)], ' '); sp >= 0 {
		return i + sp + 1
	}
	return i
}
