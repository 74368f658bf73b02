package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// work is a record as reference managers want it.
type work struct {
	record.Record
	number      int64
	url         string
	year        string // four digits, or empty
	authors     []person
	editors     []person
	translators []person
}

type person struct{ literal, family, given string }

// sorted is "Family, Given", or the name as it is.
func (p person) sorted() string {
	if p.family != "" {
		return p.family + ", " + p.given
	}
	return p.literal
}

func (s *Site) work(r *http.Request, h *holding) work {
	wk := work{Record: h.Record, number: h.Number, url: s.base(r) + recordPath(h.Number)}
	if y := h.Record.Issued; len(y) >= 4 && strings.Trim(y[:4], "0123456789") == "" {
		wk.year = y[:4]
	}
	for _, c := range h.Record.Creators {
		p := person{literal: c.Name}
		for _, alt := range c.AltNames {
			// A sort form has the words of the name, turned around at a comma.
			family, given, ok := strings.Cut(alt, ", ")
			if ok && record.FoldText(given+family) == record.FoldText(c.Name) {
				p.family, p.given = family, given
				break
			}
		}
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
		names = append(names, a.sorted())
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
	write                  func(work) (string, error)
}{
	{"bibtex", "BibTeX", "application/x-bibtex; charset=utf-8", work.bibtex},
	{"ris", "RIS", "application/x-research-info-systems; charset=utf-8", work.ris},
	{"csl", "CSL-JSON", "application/vnd.citationstyles.csl+json", work.csl},
}

// fileEnds are the names under which citations are saved.
var fileEnds = map[string]string{"bibtex": ".bib", "ris": ".ris", "csl": ".json"}

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
		text, err := f.write(s.work(r, h))
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

var bibTypes = map[record.Kind]string{
	record.Book: "book", record.Article: "article", record.Chapter: "incollection",
	record.Thesis: "phdthesis", record.Report: "techreport", record.Issue: "book",
}

var bibEscape = strings.NewReplacer(`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "%", `\%`,
	"&", `\&`, "#", `\#`, "$", `\$`, "_", `\_`, "~", `\textasciitilde{}`, "^", `\textasciicircum{}`)

func (wk work) bibtex() (string, error) {
	kind, ok := bibTypes[wk.Kind]
	if !ok {
		kind = "misc"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "@%s{wenlan%d", kind, wk.number)
	field := func(name, value string) {
		if value = strings.Join(strings.Fields(value), " "); value != "" {
			fmt.Fprintf(&b, ",\n  %s = {%s}", name, value)
		}
	}
	text := func(name, value string) { field(name, bibEscape.Replace(value)) }
	people := func(name string, list []person) {
		var names []string
		for _, p := range list {
			n := bibEscape.Replace(p.sorted())
			if p.family == "" {
				n = "{" + n + "}" // as a whole: not to be taken apart
			}
			names = append(names, n)
		}
		field(name, strings.Join(names, " and "))
	}
	people("author", wk.authors)
	people("editor", wk.editors)
	people("translator", wk.translators)
	field("title", "{"+bibEscape.Replace(wk.Title)+"}")
	c := wk.container()
	switch kind {
	case "article":
		text("journal", c.Title)
	case "incollection":
		text("booktitle", c.Title)
	default:
		text("series", c.Title)
	}
	text("volume", c.Volume)
	text("number", c.Issue)
	text("pages", c.Pages)
	switch kind {
	case "phdthesis":
		text("school", wk.Publisher)
	case "techreport":
		text("institution", wk.Publisher)
	default:
		text("publisher", wk.Publisher)
	}
	text("address", wk.Place)
	text("year", wk.year)
	text("isbn", wk.id("isbn"))
	text("issn", c.ISSN)
	text("doi", wk.id("doi"))
	if len(wk.Languages) > 0 {
		text("langid", wk.Languages[0])
	}
	field("url", wk.url)
	b.WriteString("\n}\n")
	return b.String(), nil
}

var risTypes = map[record.Kind]string{
	record.Book: "BOOK", record.Article: "JOUR", record.Chapter: "CHAP", record.Thesis: "THES",
	record.Report: "RPRT", record.Issue: "JFULL", record.Dataset: "DATA", record.Audio: "SOUND", record.Image: "ART",
}

func (wk work) ris() (string, error) {
	kind, ok := risTypes[wk.Kind]
	if !ok {
		kind = "GEN"
	}
	var b strings.Builder
	tag := func(name, value string) {
		if value = strings.Join(strings.Fields(value), " "); value != "" {
			b.WriteString(name + "  - " + value + "\r\n")
		}
	}
	tag("TY", kind)
	for _, p := range wk.authors {
		tag("AU", p.sorted())
	}
	for _, p := range wk.editors {
		tag("ED", p.sorted())
	}
	for _, p := range wk.translators {
		tag("A4", p.sorted())
	}
	tag("TI", wk.Title)
	c := wk.container()
	tag("T2", c.Title)
	tag("VL", c.Volume)
	tag("IS", c.Issue)
	from, to, ok := strings.Cut(strings.ReplaceAll(c.Pages, "–", "-"), "-")
	tag("SP", from)
	if ok {
		tag("EP", to)
	}
	tag("PY", wk.year)
	tag("PB", wk.Publisher)
	tag("CY", wk.Place)
	if isbn := wk.id("isbn"); isbn != "" {
		tag("SN", isbn)
	} else {
		tag("SN", c.ISSN)
	}
	tag("DO", wk.id("doi"))
	for _, l := range wk.Languages {
		tag("LA", l)
	}
	for _, sub := range wk.Subjects {
		tag("KW", sub.Label)
	}
	tag("AB", wk.Abstract)
	tag("UR", wk.url)
	b.WriteString("ER  - \r\n")
	return b.String(), nil
}

var cslTypes = map[record.Kind]string{
	record.Book: "book", record.Article: "article-journal", record.Chapter: "chapter", record.Thesis: "thesis",
	record.Report: "report", record.Issue: "periodical", record.Dataset: "dataset", record.Audio: "song", record.Image: "graphic",
}

// cslItem is an item of CSL-JSON 1.0.2.
type cslItem struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"`
	Title      string    `json:"title"`
	Author     []cslName `json:"author,omitempty"`
	Editor     []cslName `json:"editor,omitempty"`
	Translator []cslName `json:"translator,omitempty"`
	Issued     *cslDate  `json:"issued,omitempty"`
	Container  string    `json:"container-title,omitempty"`
	Volume     string    `json:"volume,omitempty"`
	Issue      string    `json:"issue,omitempty"`
	Page       string    `json:"page,omitempty"`
	Publisher  string    `json:"publisher,omitempty"`
	Place      string    `json:"publisher-place,omitempty"`
	Language   string    `json:"language,omitempty"`
	ISBN       string    `json:"ISBN,omitempty"`
	ISSN       string    `json:"ISSN,omitempty"`
	DOI        string    `json:"DOI,omitempty"`
	Abstract   string    `json:"abstract,omitempty"`
	URL        string    `json:"URL"`
}

type cslName struct {
	Family  string `json:"family,omitempty"`
	Given   string `json:"given,omitempty"`
	Literal string `json:"literal,omitempty"`
}

type cslDate struct {
	Parts [][]int `json:"date-parts"`
}

func (wk work) csl() (string, error) {
	kind, ok := cslTypes[wk.Kind]
	if !ok {
		kind = "document"
	}
	names := func(list []person) (out []cslName) {
		for _, p := range list {
			if p.family != "" {
				out = append(out, cslName{Family: p.family, Given: p.given})
			} else {
				out = append(out, cslName{Literal: p.literal})
			}
		}
		return out
	}
	c := wk.container()
	item := cslItem{
		ID: "wenlan" + strconv.FormatInt(wk.number, 10), Type: kind, Title: wk.Title,
		Author: names(wk.authors), Editor: names(wk.editors), Translator: names(wk.translators),
		Container: c.Title, Volume: c.Volume, Issue: c.Issue, Page: c.Pages,
		Publisher: wk.Publisher, Place: wk.Place, ISBN: wk.id("isbn"), ISSN: c.ISSN,
		DOI: wk.id("doi"), Abstract: wk.Abstract, URL: wk.url,
	}
	if len(wk.Languages) > 0 {
		item.Language = wk.Languages[0]
	}
	if y, err := strconv.Atoi(wk.year); err == nil {
		item.Issued = &cslDate{[][]int{{y}}}
	}
	b, err := json.MarshalIndent([]cslItem{item}, "", "  ")
	return string(b) + "\n", err
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
		if i == 0 && a.family != "" {
			set("rft.aulast", a.family)
			set("rft.aufirst", a.given)
		}
		v.Add("rft.au", a.sorted())
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
	for _, f := range citationFormats {
		address := recordPath(h.Number) + "/citation/" + f.name
		p.Cites = append(p.Cites, formatLink{f.label, address, f.mediaType})
		p.LinkedTo = append(p.LinkedTo, headLink{"alternate", strings.TrimSuffix(f.mediaType, "; charset=utf-8"), f.label, address})
	}
	meta := func(name, value string) {
		if value != "" {
			p.Meta = append(p.Meta, metaTag{name, value})
		}
	}
	c := wk.container()
	meta("citation_title", wk.Title)
	for _, a := range wk.authors[:min(len(wk.authors), metaAuthors)] {
		meta("citation_author", a.sorted())
	}
	for _, e := range wk.editors {
		meta("citation_editor", e.sorted())
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
	people := func(list []person) (out []schemaPerson) {
		for _, one := range list[:min(len(list), metaAuthors)] {
			out = append(out, schemaPerson{"Person", one.literal})
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
