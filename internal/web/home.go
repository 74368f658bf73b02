package web

import (
	"net/http"
	"strconv"
	"strings"

	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/index/query"
	"wenlan/internal/record"

	"golang.org/x/text/language"
)

// card is a record in a list.
type card struct {
	Href, Cover string
	Title       string
	Lang        string // of the title, for the lang attribute; may be empty
	Creators    string
	Year        string
	Kind        string
	Language    string
	Status      string // why it cannot be read; empty when it can
}

// card describes a record for a list.
func (s *Site) card(r *http.Request, p *page, h *holding) card {
	c := card{
		Href:     recordPath(h.Number),
		Cover:    recordPath(h.Number) + "/cover",
		Title:    h.Record.Title,
		Lang:     titleLang(h.Record),
		Creators: p.creators(h.Record.Creators, 3),
		Kind:     p.kind(h.Record.Kind),
	}
	if h.Record.Issued != "" {
		c.Year = p.Year(h.Record.Issued)
	}
	if len(h.Record.Languages) > 0 {
		c.Language = p.Language(h.Record.Languages[0])
	}
	c.Status = p.status(h, s.decide(r, h, h.text()))
	return c
}

// status is a word or two on why a record cannot be read; empty when it can.
func (p *page) status(h *holding, d record.Decision) string {
	switch d.Reason {
	case record.ReasonErased:
		return p.T("status.erased")
	case record.ReasonWithdrawn:
		if refusedHere(d) {
			return p.T("status.refused")
		}
		return p.T("status.withdrawn")
	}
	switch {
	case h.text() == nil:
		return p.T("status.no_file")
	case d.Read:
		return ""
	case d.Reason == record.ReasonNotStated:
		return p.T("status.needs_rights")
	case d.Reason == record.ReasonLend:
		return p.T("status.lend")
	case d.Reason == record.ReasonSale:
		return p.T("status.sale")
	}
	return p.T("status.closed")
}

// cards describes records; those that are gone by now are left out.
func (s *Site) cards(r *http.Request, p *page, numbers []int64) ([]card, error) {
	list := make([]card, 0, len(numbers))
	for _, n := range numbers {
		h, err := s.holdings.get(r.Context(), n)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if h.Erased == nil {
			list = append(list, s.card(r, p, h))
		}
	}
	return list, nil
}

// titleLang is the language of a record's title as an HTML lang attribute, or "".
func titleLang(rec record.Record) string {
	if len(rec.Languages) == 0 {
		return ""
	}
	return langAttr(rec.Languages[0])
}

func langAttr(tag string) string {
	t, err := language.Parse(tag)
	if err != nil || t == language.Und {
		return ""
	}
	return t.String()
}

type homePage struct {
	page
	Records, Readable, Files int64
	Size                     string
	Arrivals                 []card
	Tongues                  []countLink
	More                     bool // languages beyond those shown
}

// countLink is a value with how many records have it, and the search for them.
type countLink struct {
	Name, Href string
	N          int64
}

const (
	homeArrivals  = 12
	homeLanguages = 10
)

func (s *Site) home(w http.ResponseWriter, r *http.Request) error {
	counts, err := s.cfg.Catalog.Counts(r.Context())
	if err != nil {
		return err
	}
	newest, err := s.cfg.Catalog.List(r.Context(), catalog.ListQuery{Newest: true, Limit: homeArrivals})
	if err != nil {
		return err
	}
	p := &homePage{page: s.newPage(w, r), Records: counts.Records, Readable: counts.Readable, Files: counts.Files}
	p.Search = true
	p.Size = p.Bytes(counts.Bytes)
	if p.Arrivals, err = s.cards(r, &p.page, newest); err != nil {
		return err
	}
	p.Tongues = p.languageLinks(counts.Languages)
	if len(p.Tongues) > homeLanguages {
		p.Tongues, p.More = p.Tongues[:homeLanguages], true
	}
	return s.render(w, r, http.StatusOK, "home", p)
}

func (p *page) languageLinks(counts []catalog.Count) []countLink {
	var list []countLink
	for _, c := range counts {
		if c.N > 0 && c.Key != "" {
			list = append(list, countLink{p.Language(c.Key), searchPath("lang", c.Key), c.N})
		}
	}
	return list
}

type browsePage struct {
	page
	Tongues, Kinds, Years []countLink
}

// browse lists the languages, kinds and years that the catalogue counts.
func (s *Site) browse(w http.ResponseWriter, r *http.Request) error {
	counts, err := s.cfg.Catalog.Counts(r.Context())
	if err != nil {
		return err
	}
	p := &browsePage{page: s.newPage(w, r)}
	p.page.Title, p.Section = p.T("browse.title"), "browse"
	p.Tongues = p.languageLinks(counts.Languages)
	for _, c := range counts.Kinds {
		if c.N > 0 && c.Key != "" {
			p.Kinds = append(p.Kinds, countLink{p.kind(record.Kind(c.Key)), searchPath("kind", c.Key), c.N})
		}
	}
	p.Years = p.centuries(counts.Years)
	return s.render(w, r, http.StatusOK, "browse", p)
}

// centuries adds years up to hundreds, because a list of years is too long to read.
func (p *page) centuries(years []catalog.Count) []countLink {
	var list []countLink
	at := map[int]int{}
	for _, c := range years {
		y, err := strconv.Atoi(c.Key)
		if err != nil || y < 0 || c.N <= 0 {
			continue
		}
		from := y - y%100
		i, ok := at[from]
		if !ok {
			i = len(list)
			at[from] = i
			list = append(list, countLink{
				Name: p.T("year.hundred", strconv.Itoa(from), strconv.Itoa(from+99)),
				Href: searchPath("year", strconv.Itoa(from)+"-"+strconv.Itoa(from+99)),
			})
		}
		list[i].N += c.N
	}
	return list
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

type aboutPage struct {
	page
	ID       string
	Entries  int64
	Licences []Licence
}

func (s *Site) about(w http.ResponseWriter, r *http.Request) error {
	p := &aboutPage{page: s.newPage(w, r), ID: s.cfg.ID, Entries: s.cfg.Register.Size(), Licences: s.cfg.Licences}
	p.page.Title, p.Section = p.T("about.title"), "about"
	return s.render(w, r, http.StatusOK, "about", p)
}

type helpPage struct {
	page
	OPDS   string
	Asking []asking
}

// asking is a line of the query language.
type asking struct{ Typed, Href, Finds string }

// exampleKeys are the explanations of [query.Help].
var exampleKeys = map[string]string{
	"words": "help.q_words", "phrase": "help.q_phrase", "or": "help.q_or", "not": "help.q_not", "group": "help.q_group", "prefix": "help.q_prefix",
	"title": "help.q_title", "author": "help.q_author", "subject": "help.q_subject", "in": "help.q_in", "publisher": "help.q_publisher",
	"abstract": "help.q_abstract", "text": "help.q_text", "isbn": "help.q_isbn", "doi": "help.q_doi", "year": "help.q_year", "lang": "help.q_lang",
	"kind": "help.q_kind", "pinyin": "help.q_pinyin",
}

func (s *Site) help(w http.ResponseWriter, r *http.Request) error {
	p := &helpPage{page: s.newPage(w, r), OPDS: s.base(r) + "/opds"}
	p.page.Title, p.Section = p.T("help.title"), "help"
	for _, e := range query.Help() {
		typed := e.Text
		if strings.HasPrefix(p.Tag(), "zh") && e.Chinese != "" {
			typed = e.Chinese
		}
		if key, ok := exampleKeys[e.Key]; ok && (e.Key != "text" || s.cfg.FullText != nil) {
			p.Asking = append(p.Asking, asking{typed, searchPath("q", typed), p.T(key)})
		}
	}
	return s.render(w, r, http.StatusOK, "help", p)
}
