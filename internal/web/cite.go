package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"wenlan/internal/blob"
	"wenlan/internal/citation"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"
)

// work is a record as citations want it.
type work struct {
	record.Record
	number      int64
	url         string
	year        string // four digits, or empty
	authors     []format.Person
	editors     []format.Person
	translators []format.Person
}

func (s *Site) work(r *http.Request, h *holding) work {
	wk := work{Record: h.Record, number: h.Number, url: s.base(r) + recordPath(h.Number), year: format.Year(h.Record.Issued)}
	for _, c := range h.Record.Creators {
		p := format.PersonOf(c)
		switch c.Role {
		case "", "aut", "cre":
			wk.authors = append(wk.authors, p)
		case "edt":
			wk.editors = append(wk.editors, p)
		case "trl":
			wk.translators = append(wk.translators, p)
		}
	}
	return wk
}

func (wk work) id(scheme string) string {
	for _, id := range wk.IDs {
		if id.Scheme == scheme {
			return id.Value
		}
	}
	return ""
}

func (wk work) container() record.Container {
	if wk.Container == nil {
		return record.Container{}
	}
	return *wk.Container
}

// plain is the citation as a line of text.
func (wk work) plain(p *page, library string) string {
	var b strings.Builder
	part := func(s string) {
		if s = strings.TrimSpace(s); s != "" {
			b.WriteString(strings.TrimRight(s, ".。"))
			b.WriteString(p.T("cite.stop"))
		}
	}
	names := make([]string, 0, len(wk.authors))
	for i, a := range wk.authors {
		if i == 3 {
			names = append(names, p.T("cite.others"))
			break
		}
		names = append(names, a.Sorted())
	}
	part(strings.Join(names, p.T("cite.semicolon")))
	part(wk.Title)
	c := wk.container()
	place := c.Title
	if c.Volume != "" {
		place += " " + c.Volume
	}
	if c.Issue != "" {
		place += " (" + c.Issue + ")"
	}
	if c.Pages != "" {
		place += ", " + c.Pages
	}
	part(place)
	imprint := wk.Publisher
	if wk.Issued != "" {
		if imprint != "" {
			imprint += p.T("list.comma")
		}
		imprint += p.Year(wk.Issued)
	}
	part(imprint)
	if doi := wk.id("doi"); doi != "" {
		part("https://doi.org/" + doi)
	}
	part(p.T("cite.held", library, strconv.FormatInt(wk.number, 10)))
	return b.String() + wk.url
}

// citationFormats are the downloads of a citation, by the end of their address.
var citationFormats = []struct {
	name, label, mediaType string
}{
	{"bibtex", "BibTeX", "application/x-bibtex; charset=utf-8"},
	{"ris", "RIS", "application/x-research-info-systems; charset=utf-8"},
	{"csl", "CSL-JSON", "application/vnd.citationstyles.csl+json"},
}

// fileEnds are the names under which citations are saved.
var fileEnds = map[string]string{"bibtex": ".bib", "ris": ".ris", "csl": ".json"}

// citeLinks are the downloads of a record's citation.
func citeLinks(n int64) []formatLink {
	var list []formatLink
	for _, f := range citationFormats {
		list = append(list, formatLink{f.label, recordPath(n) + "/citation/" + f.name, f.mediaType})
	}
	return list
}

// citation answers /records/N/citation/FORMAT.
func (s *Site) citation(w http.ResponseWriter, r *http.Request) error {
	h, err := s.named(r)
	if err != nil {
		return err
	}
	if h.Erased != nil {
		return &refusal{s.decide(r, h, nil), h.Number}
	}
	for _, f := range citationFormats {
		if f.name != r.PathValue("format") {
			continue
		}
		text, err := format.Text(f.name, format.Exported{Number: h.Number, Record: h.Record, URL: s.base(r) + recordPath(h.Number)})
		if err != nil {
			return err
		}
		s.secure(w, inert)
		w.Header().Set("Content-Type", f.mediaType)
		w.Header().Set("Content-Disposition", blob.Disposition(false, "wenlan-"+strconv.FormatInt(h.Number, 10)+fileEnds[f.name]))
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		if r.Method != http.MethodHead {
			fmt.Fprint(w, text)
		}
		return nil
	}
	return errs.New(errs.NotFound, "there is no such citation format")
}

// CitePath is the address of the record's references.
func (p *recordPage) CitePath() string { return citePath(p.Number) }

// CiteNames are the styles of references, as a link names them.
func (p *recordPage) CiteNames() string {
	var names []string
	for _, s := range citation.Styles {
		names = append(names, s.Name)
	}
	return strings.Join(names, " · ")
}

// citePage shows a record in the styles of references.
type citePage struct {
	page
	Record     recordLink
	References []citation.Reference // none: the processor could not make them
	Plain      string
	Cites      []formatLink
}

func citePath(n int64) string { return recordPath(n) + "/cite" }

// cite answers /records/N/cite: the references of a record, each to be copied.
func (s *Site) cite(w http.ResponseWriter, r *http.Request) error {
	h, err := s.named(r)
	if err != nil {
		return err
	}
	if h.Erased != nil {
		return &refusal{s.decide(r, h, nil), h.Number}
	}
	p := &citePage{page: s.newPage(w, r), Record: recordLink{Number: h.Number, Href: recordPath(h.Number), Title: h.Record.Title, Lang: titleLang(h.Record)}}
	p.page.Title, p.NoIndex = p.T("cite.title", h.Record.Title), true
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
	p.Plain, p.Cites = s.work(r, h).plain(&p.page, s.cfg.Name), citeLinks(h.Number)
	if p.References, err = s.references(r, h); err != nil {
		if r.Context().Err() != nil {
			return err
		}
		s.cfg.Log.WarnContext(r.Context(), "no references", "record", h.Number, "err", err)
	}
	return s.render(w, r, http.StatusOK, "cite", p)
}

// references are those of a record, in every style.
func (s *Site) references(r *http.Request, h *holding) ([]citation.Reference, error) {
	text, err := format.Text("csl", format.Exported{Number: h.Number, Record: h.Record, URL: s.base(r) + recordPath(h.Number)})
	if err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal([]byte(text), &items); err != nil || len(items) != 1 {
		return nil, fmt.Errorf("web: the CSL-JSON of record %d: %w", h.Number, err)
	}
	language := ""
	if len(h.Record.Languages) > 0 {
		language = h.Record.Languages[0]
	}
	return s.citations.References(r.Context(), items[0], language)
}

// coins is a ContextObject in a span (COinS), from which reference managers take
// a citation. Source: ANSI/NISO Z39.88-2004.
func (wk work) coins() string {
	v := url.Values{"ctx_ver": {"Z39.88-2004"}, "rfr_id": {"info:sid/wenlan"}}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	c := wk.container()
	if wk.Kind == record.Article {
		v.Set("rft_val_fmt", "info:ofi/fmt:kev:mtx:journal")
		v.Set("rft.genre", "article")
		set("rft.atitle", wk.Title)
		set("rft.jtitle", c.Title)
		set("rft.volume", c.Volume)
		set("rft.issue", c.Issue)
		set("rft.pages", c.Pages)
		set("rft.issn", c.ISSN)
	} else {
		v.Set("rft_val_fmt", "info:ofi/fmt:kev:mtx:book")
		v.Set("rft.genre", "book")
		set("rft.btitle", wk.Title)
		set("rft.isbn", wk.id("isbn"))
		set("rft.pub", wk.Publisher)
		set("rft.place", wk.Place)
	}
	set("rft.date", wk.year)
	if doi := wk.id("doi"); doi != "" {
		set("rft_id", "info:doi/"+doi)
	} else {
		set("rft_id", wk.url)
	}
	for i, a := range wk.authors[:min(len(wk.authors), metaAuthors)] {
		if i == 0 && a.Family != "" {
			set("rft.aulast", a.Family)
			set("rft.aufirst", a.Given)
		}
		v.Add("rft.au", a.Sorted())
	}
	if len(wk.Languages) > 0 {
		set("rft.language", wk.Languages[0])
	}
	return v.Encode()
}

// schemaWork is the record as schema.org says it, in JSON-LD.
type schemaWork struct {
	Context   string         `json:"@context"`
	Type      string         `json:"@type"`
	ID        string         `json:"@id"`
	Name      string         `json:"name"`
	Alternate []string       `json:"alternateName,omitempty"`
	Author    []schemaPerson `json:"author,omitempty"`
	Editor    []schemaPerson `json:"editor,omitempty"`
	Translate []schemaPerson `json:"translator,omitempty"`
	Published string         `json:"datePublished,omitempty"`
	Publisher *schemaPerson  `json:"publisher,omitempty"`
	Language  []string       `json:"inLanguage,omitempty"`
	ISBN      string         `json:"isbn,omitempty"`
	Same      string         `json:"sameAs,omitempty"`
	About     []string       `json:"about,omitempty"`
	Abstract  string         `json:"abstract,omitempty"`
	Licence   string         `json:"license,omitempty"`
	Free      bool           `json:"isAccessibleForFree"`
	URL       string         `json:"url"`
	Image     string         `json:"image,omitempty"`
}

type schemaPerson struct {
	Type string `json:"@type"`
	Name string `json:"name"`
}

var schemaTypes = map[record.Kind]string{
	record.Book: "Book", record.Article: "ScholarlyArticle", record.Chapter: "Chapter",
	record.Thesis: "Thesis", record.Report: "Report", record.Issue: "PublicationIssue",
	record.Dataset: "Dataset", record.Audio: "AudioObject", record.Image: "ImageObject",
}

// describeFor fills in what reference managers and crawlers read.
func (s *Site) describeFor(r *http.Request, p *recordPage, h *holding, d record.Decision) {
	wk := s.work(r, h)
	p.Plain, p.COinS = wk.plain(&p.page, s.cfg.Name), wk.coins()
	p.Cites = citeLinks(h.Number)
	for _, f := range p.Cites {
		p.LinkedTo = append(p.LinkedTo, headLink{"alternate", strings.TrimSuffix(f.Type, "; charset=utf-8"), f.Name, f.Href})
	}
	meta := func(name, value string) {
		if value != "" {
			p.Meta = append(p.Meta, metaTag{name, value})
		}
	}
	c := wk.container()
	meta("citation_title", wk.Title)
	for _, a := range wk.authors[:min(len(wk.authors), metaAuthors)] {
		meta("citation_author", a.Sorted())
	}
	for _, e := range wk.editors {
		meta("citation_editor", e.Sorted())
	}
	meta("citation_publication_date", strings.ReplaceAll(strings.Trim(wk.Issued, "~?%"), "-", "/"))
	meta("citation_publisher", wk.Publisher)
	if wk.Kind == record.Article {
		meta("citation_journal_title", c.Title)
	} else {
		meta("citation_inbook_title", c.Title)
	}
	meta("citation_volume", c.Volume)
	meta("citation_issue", c.Issue)
	if from, to, ok := strings.Cut(strings.ReplaceAll(c.Pages, "–", "-"), "-"); ok {
		meta("citation_firstpage", from)
		meta("citation_lastpage", to)
	}
	meta("citation_issn", c.ISSN)
	meta("citation_isbn", wk.id("isbn"))
	meta("citation_doi", wk.id("doi"))
	if len(wk.Languages) > 0 {
		meta("citation_language", wk.Languages[0])
	}
	meta("citation_abstract_html_url", wk.url)
	if p.Download != nil && p.Download.Format == "PDF" {
		meta("citation_pdf_url", s.base(r)+p.Download.Href)
	}
	meta("description", describe(wk.Abstract))

	kind, ok := schemaTypes[wk.Kind]
	if !ok {
		kind = "CreativeWork"
	}
	people := func(list []format.Person) (out []schemaPerson) {
		for _, one := range list[:min(len(list), metaAuthors)] {
			out = append(out, schemaPerson{"Person", one.Literal})
		}
		return out
	}
	p.Schema = &schemaWork{
		Context: "https://schema.org", Type: kind, ID: wk.url, URL: wk.url, Name: wk.Title,
		Alternate: wk.AltTitles, Author: people(wk.authors), Editor: people(wk.editors), Translate: people(wk.translators),
		Published: strings.Trim(wk.Issued, "~?%"), Language: wk.Languages, ISBN: wk.id("isbn"),
		Abstract: wk.Abstract, Free: d.Read, Image: s.base(r) + p.Cover,
	}
	if wk.Publisher != "" {
		p.Schema.Publisher = &schemaPerson{"Organization", wk.Publisher}
	}
	if doi := wk.id("doi"); doi != "" {
		p.Schema.Same = "https://doi.org/" + doi
	}
	for _, sub := range wk.Subjects {
		if sub.Label != "" {
			p.Schema.About = append(p.Schema.About, sub.Label)
		}
	}
	if p.Rights.Licence != nil {
		p.Schema.Licence = p.Rights.Licence.Href
	}
}

const (
	metaAuthors   = 100
	describeRunes = 200
)

// describe is the beginning of a text, for the description of a page.
func describe(text string) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= describeRunes {
		return string(runes)
	}
	return string(runes[:describeRunes-1]) + "…"
}
