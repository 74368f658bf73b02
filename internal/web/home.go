package web

import (
	"net/http"
	"strconv"
	"strings"

	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/i18n"
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
	About      bool          // N is an estimate
	say        *i18n.Printer // of the reader; nil: digits alone
}

// Count is the number as the reader writes numbers.
func (c countLink) Count() string { return counted(c.say, c.N, c.About) }

func counted(p *i18n.Printer, n int64, about bool) string {
	sign := ""
	if about {
		sign, n = "≈ ", rounded(n)
	}
	if p == nil {
		return sign + strconv.FormatInt(n, 10)
	}
	return sign + p.Number(n)
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
