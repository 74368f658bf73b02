package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/record"
)

// Browsing rests on counts that the catalogue keeps and on terms of the index, so that a
// page costs what it shows, however large the library is.

type browsePage struct {
	page
	Arrivals              []card
	Subjects, Authors     []countLink
	Tongues, Kinds, Years []countLink
	Trees                 []classTree
	MoreTongues           bool
}

// classTree is a scheme of classes with its main classes.
type classTree struct {
	Name, Href string
	Classes    []classLine
}

const (
	browseArrivals = 6
	browseMost     = 24
	maxCounted     = 1 << 20 // records among which those of a common value are counted one by one
)

// browse is the overview: a little of each way to look around.
func (s *Site) browse(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	counts, err := s.cfg.Catalog.Counts(ctx)
	if err != nil {
		return err
	}
	newest, err := s.cfg.Catalog.List(ctx, catalog.ListQuery{Newest: true, Limit: browseArrivals})
	if err != nil {
		return err
	}
	p := &browsePage{page: s.newPage(w, r)}
	p.page.Title, p.Section = p.T("browse.title"), "browse"
	if p.Arrivals, err = s.cards(r, &p.page, newest); err != nil {
		return err
	}
	most, err := s.cfg.Index.Search(ctx, index.Query{Sort: index.Newest, Limit: 1, Facets: true, Rough: true, Only: []string{index.FacetSubject, index.FacetCreator}})
	if err != nil {
		return err
	}
	if p.Subjects, err = s.mostUsed(r, &p.page, most, index.FacetSubject, subjectPath); err != nil {
		return err
	}
	if p.Authors, err = s.mostUsed(r, &p.page, most, index.FacetCreator, authorPath); err != nil {
		return err
	}
	p.Tongues = p.languageLinks(counts.Languages)
	if len(p.Tongues) > browseMost {
		p.Tongues, p.MoreTongues = p.Tongues[:browseMost], true
	}
	p.Kinds = p.kindLinks(counts.Kinds)
	for _, c := range p.centuries(counts.Years) {
		p.Years = append(p.Years, c.countLink)
	}
	for _, scheme := range classSchemes {
		tree, err := s.classTree(r, &p.page, scheme)
		if err != nil {
			return err
		}
		if len(tree.Classes) > 0 {
			p.Trees = append(p.Trees, tree)
		}
	}
	return s.render(w, r, http.StatusOK, "browse", p)
}

// mostUsed are the first values of a facet as links to their pages. Where they were
// counted roughly, each is counted as its page does, unless that would take too long.
func (s *Site) mostUsed(r *http.Request, p *page, most *index.Result, facet string, path func(string) string) ([]countLink, error) {
	var list []countLink
	counts := most.Facets[facet]
	for _, c := range counts[:min(len(counts), browseMost)] {
		l := p.countLink(c.Value, path(c.Value), c.N)
		if l.About = !most.Exact; l.About && most.Total <= maxCounted {
			q := index.Query{Sort: index.Newest, Limit: 1}
			if facet == index.FacetSubject {
				q.Subjects = []string{c.Value}
			} else {
				q.Creators = []string{c.Value}
			}
			res, err := s.cfg.Index.Search(r.Context(), q)
			if err != nil {
				return nil, err
			}
			l.N, l.About = res.Total, !res.Exact
		}
		list = append(list, l)
	}
	if !most.Exact {
		slices.SortStableFunc(list, func(a, b countLink) int { return cmp.Compare(b.N, a.N) })
	}
	return list, nil
}

func (p *page) countLink(name, href string, n int64) countLink {
	return countLink{Name: name, Href: href, N: n, say: p.Printer}
}

// roughly marks numbers as estimates, unless they are exact.
func roughly(list []countLink, exact bool) []countLink {
	for i := range list {
		list[i].About = !exact
	}
	return list
}

func (p *page) languageLinks(counts []catalog.Count) []countLink {
	var list []countLink
	for _, c := range counts {
		if c.N > 0 && c.Key != "" {
			list = append(list, p.countLink(p.Language(c.Key), searchPath("lang", c.Key), c.N))
		}
	}
	return list
}

func (p *page) kindLinks(counts []catalog.Count) []countLink {
	var list []countLink
	for _, c := range counts {
		if c.N > 0 && c.Key != "" {
			list = append(list, p.countLink(p.kind(record.Kind(c.Key)), searchPath("kind", c.Key), c.N))
		}
	}
	return list
}

// century is a hundred years and the decades in it.
type century struct {
	countLink
	Decades []countLink
}

// centuries adds years up, because a list of years is too long to read; the latest first.
func (p *page) centuries(counts []catalog.Count) []century {
	var list []century
	all := years(counts, countYear)
	decades := grouped(all, func(int) int { return 10 })
	for _, r := range grouped(all, func(int) int { return 100 }) {
		c := century{countLink: p.countLink(p.years(r), searchPath("year", r.value()), r.n)}
		for _, d := range decades {
			if d.from >= r.from && d.to <= r.to {
				c.Decades = append(c.Decades, p.countLink(p.years(d), searchPath("year", d.value()), d.n))
			}
		}
		list = append(list, c)
	}
	return list
}

type talliesPage struct {
	page
	Tallies   []countLink
	Centuries []century
}

// browseLanguages answers /browse/languages: all of them, most first.
func (s *Site) browseLanguages(w http.ResponseWriter, r *http.Request) error {
	return s.tallies(w, r, "browse.languages", func(p *talliesPage, c catalog.Counts) { p.Tallies = p.languageLinks(c.Languages) })
}

// browseKinds answers /browse/kinds.
func (s *Site) browseKinds(w http.ResponseWriter, r *http.Request) error {
	return s.tallies(w, r, "browse.kinds", func(p *talliesPage, c catalog.Counts) { p.Tallies = p.kindLinks(c.Kinds) })
}

// browseYears answers /browse/years.
func (s *Site) browseYears(w http.ResponseWriter, r *http.Request) error {
	return s.tallies(w, r, "browse.years", func(p *talliesPage, c catalog.Counts) { p.Centuries = p.centuries(c.Years) })
}

func (s *Site) tallies(w http.ResponseWriter, r *http.Request, title string, fill func(*talliesPage, catalog.Counts)) error {
	counts, err := s.cfg.Catalog.Counts(r.Context())
	if err != nil {
		return err
	}
	p := &talliesPage{page: s.newPage(w, r)}
	p.page.Title, p.Section = p.T(title), "browse"
	fill(p, counts)
	return s.render(w, r, http.StatusOK, "tallies", p)
}

type headingsPage struct {
	page
	Where    string // the address without what is asked
	Label    string // of the box
	Lead     string
	From     string // what was typed
	Most     []countLink
	Initials []link
	Lines    []countLink
	First    string // the list from its beginning, when this is another part
	Next     string
}

const headingsLimit = 100

// browseSubjects answers /browse/subjects?from=: the subjects in order.
func (s *Site) browseSubjects(w http.ResponseWriter, r *http.Request) error {
	p := &headingsPage{page: s.newPage(w, r), Where: "/browse/subjects"}
	p.page.Title, p.Label, p.Lead = p.T("browse.subjects"), p.T("headings.subjects_from"), p.T("headings.subjects_lead")
	return s.headings(w, r, p, index.FacetSubject, subjectPath)
}

// browseAuthors answers /browse/authors?from=: the names in order, family names first.
func (s *Site) browseAuthors(w http.ResponseWriter, r *http.Request) error {
	p := &headingsPage{page: s.newPage(w, r), Where: "/browse/authors"}
	p.page.Title, p.Label, p.Lead = p.T("browse.authors"), p.T("headings.authors_from"), p.T("headings.authors_lead")
	return s.headings(w, r, p, index.FacetCreator, authorPath)
}

func (s *Site) headings(w http.ResponseWriter, r *http.Request, p *headingsPage, facet string, path func(string) string) error {
	p.Section = "browse"
	p.From = cut(strings.TrimSpace(strings.ToValidUTF8(r.URL.Query().Get("from"), "")), maxQuery)
	after, err := keyOf(r)
	if err != nil {
		return err
	}
	list, err := s.cfg.Index.Headings(r.Context(), index.HeadingQuery{Facet: facet, From: p.From, After: after, Limit: headingsLimit})
	if err != nil {
		return err
	}
	if p.From == "" && after == "" {
		most, err := s.cfg.Index.Search(r.Context(), index.Query{Sort: index.Newest, Limit: 1, Facets: true, Rough: true, Only: []string{facet}})
		if err != nil {
			return err
		}
		if p.Most, err = s.mostUsed(r, &p.page, most, facet, path); err != nil {
			return err
		}
	} else {
		p.First, p.NoIndex = p.Where, true
	}
	for _, letter := range list.Initials {
		p.Initials = append(p.Initials, link{strings.ToUpper(letter), p.Where + "?" + url.Values{"from": {letter}}.Encode()})
	}
	for _, h := range list.Headings {
		line := p.countLink(h.Listed, path(h.Value), h.N)
		line.About = !h.Exact
		p.Lines = append(p.Lines, line)
	}
	if list.Next != "" {
		p.Next = p.Where + "?" + url.Values{"after": {list.Next}}.Encode()
	}
	return s.render(w, r, http.StatusOK, "headings", p)
}

// cut is the beginning of a text, whole characters, at most most bytes.
func cut(text string, most int) string {
	for i := min(len(text), most); i > 0; i-- {
		if runeStart(text, i) {
			return text[:i]
		}
	}
	return ""
}

type newPage struct {
	page
	Cards []card
	Next  string // the following page, or empty
	First bool   // this is the first page
}

const newLimit = 48

// browseNew lists records, newest first, by key: ?before=N goes on below N.
func (s *Site) browseNew(w http.ResponseWriter, r *http.Request) error {
	var before int64
	if v := r.URL.Query().Get("before"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1 {
			return errs.New(errs.Invalid, "%q is not an accession number", v)
		}
		before = n
	}
	numbers, err := s.cfg.Catalog.List(r.Context(), catalog.ListQuery{Newest: true, After: before, Limit: newLimit + 1})
	if err != nil {
		return err
	}
	p := &newPage{page: s.newPage(w, r), First: before == 0}
	p.page.Title, p.Section = p.T("new.title"), "browse"
	if len(numbers) > newLimit {
		numbers = numbers[:newLimit]
		p.Next = "/browse/new?before=" + strconv.FormatInt(numbers[newLimit-1], 10)
	}
	if p.Cards, err = s.cards(r, &p.page, numbers); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "new", p)
}

// headingPage is the page of an author, a subject or a class: what is known of it, and
// its records.
type headingPage struct {
	page
	Above    string // what it is
	Heading  string
	Crumbs   []link // the classes above
	Lead     string
	Others   []string // other names
	IDs      []factValue
	Classes  []classLine // right under this one
	Total    string
	Counts   []tally
	Sorts    []sortLink
	Cards    []card
	Next     string
	First    string // the first page, when this is another
	Note     string
	InList   *link // where it stands in a list
	Browse   link  // the list
	Searched string
}

// tally is how many records have each value of a facet.
type tally struct {
	Name   string
	Values []countLink
}

const (
	headingLimit  = 36
	tallyShown    = 12
	othersShown   = 12
	maxTitleOrder = 100_000 // records that a page puts in the order of their titles
)

var headingSorts = []string{index.Newest, index.Oldest, index.Title}

// found fills in the records of a heading: those that q finds, in the order and from the
// key that the address asks for. self is the address of the page, filter what a search
// asks for to find the same. Each record that is shown is given to see. Where there
// is none it is errs.NotFound.
func (s *Site) found(r *http.Request, p *headingPage, q index.Query, self string, filter url.Values, see func(*holding)) error {
	values := r.URL.Query()
	after, err := keyOf(r)
	if err != nil {
		return err
	}
	q.Sort = values.Get("sort")
	if !slices.Contains(headingSorts, q.Sort) {
		q.Sort = index.Newest
	}
	address := func(sort, after string) string {
		v := url.Values{}
		if sort != index.Newest {
			v.Set("sort", sort)
		}
		if after != "" {
			v.Set("after", after)
		}
		switch {
		case len(v) == 0:
			return self
		case strings.Contains(self, "?"):
			return self + "&" + v.Encode()
		}
		return self + "?" + v.Encode()
	}
	q.Limit, q.After = headingLimit, after
	q.Facets, q.Only = after == "", []string{index.FacetLanguage, index.FacetKind}
	res, err := s.cfg.Index.Search(r.Context(), q)
	if err != nil {
		return err
	}
	if len(res.Hits) == 0 && after == "" && len(p.Classes) == 0 {
		return errs.New(errs.NotFound, "no record has this")
	}
	p.Canonical = s.base(r) + self
	p.NoIndex = after != "" || q.Sort != index.Newest
	p.Total = p.N("heading.total", res.Total)
	if !res.Exact {
		p.Total = p.N("heading.total_about", rounded(res.Total))
	}
	for _, h := range res.Hits {
		held, err := s.holdings.get(r.Context(), h.Record)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) || err == nil && held.Erased != nil {
			continue // the index has not followed yet
		}
		if err != nil {
			return err
		}
		see(held)
		p.Cards = append(p.Cards, s.card(r, &p.page, held))
	}
	if len(res.Hits) == headingLimit && (after != "" || res.Total > headingLimit) {
		p.Next = address(q.Sort, res.Hits[headingLimit-1].Key)
	}
	if after != "" {
		p.First = address(q.Sort, "")
	}
	for _, sort := range headingSorts {
		if sort == index.Title && res.Total > maxTitleOrder && q.Sort != sort {
			continue
		}
		p.Sorts = append(p.Sorts, sortLink{p.T(sortKeys[sort]), address(sort, ""), sort == q.Sort})
	}
	p.Searched = "/search?" + filter.Encode()
	count := func(name, key string, list []index.FacetCount, say func(string) string) {
		t := tally{Name: name}
		for _, c := range list[:min(len(list), tallyShown)] {
			v := url.Values{key: {c.Value}}
			for k, list := range filter {
				v[k] = list
			}
			t.Values = append(t.Values, p.countLink(say(c.Value), "/search?"+v.Encode(), c.N))
		}
		if roughly(t.Values, res.Exact); len(t.Values) > 1 {
			p.Counts = append(p.Counts, t)
		}
	}
	count(p.T("facet.language"), "lang", res.Facets[index.FacetLanguage], p.Language)
	count(p.T("facet.kind"), "kind", res.Facets[index.FacetKind], func(v string) string { return p.kind(record.Kind(v)) })
	return nil
}

// names counts names in the order in which they come.
type names struct {
	list []string
	n    map[string]int
}

func (c *names) add(name string) {
	if name = oneLine(name); name == "" {
		return
	}
	if c.n == nil {
		c.n = map[string]int{}
	}
	if c.n[name]++; c.n[name] == 1 {
		c.list = append(c.list, name)
	}
}

// most is the name that was there most often, the first of these.
func (c *names) most() string {
	best := ""
	for _, name := range c.list {
		if best == "" || c.n[name] > c.n[best] {
			best = name
		}
	}
	return best
}

// but is the names without one, the first few.
func (c *names) but(name string) []string {
	list := slices.DeleteFunc(slices.Clone(c.list), func(n string) bool { return n == name })
	return list[:min(len(list), othersShown)]
}

// author answers /authors?name=: the records that give a creator by this name.
func (s *Site) author(w http.ResponseWriter, r *http.Request) error {
	name := oneLine(strings.ToValidUTF8(r.URL.Query().Get("name"), ""))
	if name == "" || len(name) > index.MaxValue {
		http.Redirect(w, r, "/browse/authors", http.StatusSeeOther)
		return nil
	}
	p := &headingPage{page: s.newPage(w, r), Heading: name}
	var others, ids names
	see := func(h *holding) {
		for _, c := range h.Record.Creators {
			if oneLine(c.Name) != name {
				continue
			}
			for _, other := range c.AltNames {
				others.add(other)
			}
			for _, id := range c.IDs {
				if normal, ok := record.NormalID(id.Scheme, id.Value); ok && slices.Contains(personSchemes, normal.Scheme) {
					ids.add(normal.Scheme + ":" + normal.Value)
				}
			}
		}
	}
	if err := s.found(r, p, index.Query{Creators: []string{name}}, authorPath(name), url.Values{"creator": {name}}, see); err != nil {
		return err
	}
	p.Others = others.but(name)
	for _, id := range ids.but("") {
		scheme, value, _ := strings.Cut(id, ":")
		p.IDs = append(p.IDs, factValue{Text: schemeNames[scheme] + " " + value, Href: personPath(scheme, value)})
	}
	p.Note = p.T("heading.by_name")
	return s.authorPage(w, r, p, name)
}

// person answers /authors/orcid/ID and /authors/isni/ID: the records that give a
// creator this identifier.
func (s *Site) person(w http.ResponseWriter, r *http.Request) error {
	scheme := r.PathValue("scheme")
	id, ok := record.NormalID(scheme, r.PathValue("id"))
	if !ok || !slices.Contains(personSchemes, scheme) || id.Scheme != scheme {
		return errs.New(errs.NotFound, "this is no identifier of a person")
	}
	self := personPath(scheme, id.Value)
	if id.Value != r.PathValue("id") {
		http.Redirect(w, r, self, http.StatusMovedPermanently)
		return nil
	}
	p := &headingPage{page: s.newPage(w, r)}
	var own, others names
	see := func(h *holding) {
		for _, c := range h.Record.Creators {
			for _, other := range c.IDs {
				if normal, _ := record.NormalID(other.Scheme, other.Value); normal != id {
					continue
				}
				own.add(c.Name)
				for _, alt := range c.AltNames {
					others.add(alt)
				}
				break
			}
		}
	}
	key := scheme + ":" + id.Value
	if err := s.found(r, p, index.Query{Persons: []string{key}}, self, url.Values{"person": {key}}, see); err != nil {
		return err
	}
	p.Heading = cmp.Or(own.most(), id.Value)
	for _, name := range own.list {
		others.add(name)
	}
	p.Others = others.but(p.Heading)
	p.IDs = []factValue{{Text: schemeNames[scheme] + " " + id.Value, Href: resolvers[scheme] + id.Value, Away: true}}
	p.Note = p.T("heading.by_id", schemeNames[scheme])
	return s.authorPage(w, r, p, p.Heading)
}

func (s *Site) authorPage(w http.ResponseWriter, r *http.Request, p *headingPage, name string) error {
	p.page.Title, p.Section, p.Above = p.Heading, "browse", p.T("heading.author")
	p.Browse = link{p.T("browse.authors"), "/browse/authors"}
	p.InList = &link{p.T("heading.in_list"), "/browse/authors?" + url.Values{"from": {name}}.Encode()}
	return s.render(w, r, http.StatusOK, "heading", p)
}

// subject answers /subjects?label=.
func (s *Site) subject(w http.ResponseWriter, r *http.Request) error {
	label := oneLine(strings.ToValidUTF8(r.URL.Query().Get("label"), ""))
	if label == "" || len(label) > index.MaxValue {
		http.Redirect(w, r, "/browse/subjects", http.StatusSeeOther)
		return nil
	}
	p := &headingPage{page: s.newPage(w, r), Heading: label, Above: ""}
	if err := s.found(r, p, index.Query{Subjects: []string{label}}, subjectPath(label), url.Values{"subject": {label}}, func(*holding) {}); err != nil {
		return err
	}
	p.page.Title, p.Section, p.Above = label, "browse", p.T("facet.subject")
	p.Browse = link{p.T("browse.subjects"), "/browse/subjects"}
	p.InList = &link{p.T("heading.in_list"), "/browse/subjects?" + url.Values{"from": {label}}.Encode()}
	return s.render(w, r, http.StatusOK, "heading", p)
}
