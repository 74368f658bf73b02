package format

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"wenlan/internal/errs"
	"wenlan/internal/record"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxCSL bounds a sidecar, in bytes.
const maxCSL = 1 << 20

// cslItem is an item of CSL-JSON (the CSL project's csl-data.json schema), as far
// as a record has a place for it. Values come as strings, numbers or lists.
type cslItem struct {
	ID              cslText   `json:"id"`
	Type            string    `json:"type"`
	Title           cslText   `json:"title"`
	TitleShort      cslText   `json:"title-short"`
	OriginalTitle   cslText   `json:"original-title"`
	Subtitle        cslText   `json:"subtitle"`
	Author          []cslName `json:"author"`
	Editor          []cslName `json:"editor"`
	Translator      []cslName `json:"translator"`
	Illustrator     []cslName `json:"illustrator"`
	Compiler        []cslName `json:"compiler"`
	Contributor     []cslName `json:"contributor"`
	Issued          cslDate   `json:"issued"`
	Publisher       cslText   `json:"publisher"`
	PublisherPlace  cslText   `json:"publisher-place"`
	ContainerTitle  cslText   `json:"container-title"`
	CollectionTitle cslText   `json:"collection-title"`
	CollectionNo    cslText   `json:"collection-number"`
	Volume          cslText   `json:"volume"`
	Issue           cslText   `json:"issue"`
	Page            cslText   `json:"page"`
	Abstract        cslText   `json:"abstract"`
	Language        cslText   `json:"language"`
	Keyword         cslText   `json:"keyword"`
	ISBN            cslList   `json:"ISBN"`
	ISSN            cslList   `json:"ISSN"`
	DOI             cslText   `json:"DOI"`
	URL             cslText   `json:"URL"`
	PMID            cslText   `json:"PMID"`
	PMCID           cslText   `json:"PMCID"`
	License         cslList   `json:"license"` // not in the schema; Crossref and Zotero write it
	Rights          cslList   `json:"rights"`
}

type cslName struct {
	Family   string `json:"family"`
	Given    string `json:"given"`
	Literal  string `json:"literal"`
	Particle string `json:"non-dropping-particle"`
	Dropping string `json:"dropping-particle"`
	Suffix   string `json:"suffix"`
	ORCID    string `json:"ORCID"`
}

// cslText is a string, a number, or the first of a list.
type cslText string

func (t *cslText) UnmarshalJSON(data []byte) error {
	var list cslList
	if err := list.UnmarshalJSON(data); err != nil {
		return err
	}
	if len(list) > 0 {
		*t = cslText(list[0])
	}
	return nil
}

// cslList is a list of strings or numbers, or one alone. What is neither counts
// as absent; of an object, its "URL" counts, as Crossref writes licences.
type cslList []string

func (l *cslList) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil
	}
	switch data[0] {
	case '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*l = append(*l, s)
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return err
		}
		for _, item := range items[:min(len(items), maxList)] {
			if len(item) > 0 && item[0] != '[' {
				if err := l.UnmarshalJSON(item); err != nil {
					return err
				}
			}
		}
	case '{':
		var o struct {
			URL string `json:"URL"`
		}
		if json.Unmarshal(data, &o) == nil && o.URL != "" {
			*l = append(*l, o.URL)
		}
	case 'n', 't', 'f':
	default:
		*l = append(*l, string(data))
	}
	return nil
}

// cslDate is a date variable: date-parts, raw or literal.
type cslDate string

func (d *cslDate) UnmarshalJSON(data []byte) error {
	var o struct {
		Parts   [][]cslText `json:"date-parts"`
		Raw     cslText     `json:"raw"`
		Literal cslText     `json:"literal"`
		Circa   any         `json:"circa"`
	}
	if err := json.Unmarshal(data, &o); err != nil {
		var s cslText
		if err := s.UnmarshalJSON(data); err != nil {
			return err
		}
		*d = cslDate(edtf(string(s)))
		return nil
	}
	var dates []string
	for _, parts := range o.Parts[:min(len(o.Parts), 2)] {
		var p [3]string
		for i := range min(len(parts), 3) {
			p[i] = string(parts[i])
		}
		date := edtfParts(p[0], p[1], p[2])
		if n, err := strconv.Atoi(p[0]); err == nil && n < 0 && n >= -9999 {
			date = edtfDate(n+1, p[1], p[2]) // -1 is 1 BC there, which is 0000 in EDTF
		}
		if date != "" {
			dates = append(dates, date)
		}
	}
	out := strings.Join(dates, "/")
	for _, text := range []cslText{o.Raw, o.Literal} {
		switch {
		case out != "":
		case edtfForm.MatchString(string(text)):
			out = string(text)
		default:
			out = edtf(string(text))
		}
	}
	if circa, _ := o.Circa.(bool); circa && len(dates) == 1 {
		out += "~"
	}
	*d = cslDate(out)
	return nil
}

// cslKinds leads from the types of CSL to kinds of record.
var cslKinds = map[string]record.Kind{
	"book": record.Book, "classic": record.Book, "manuscript": record.Book, "article": record.Article, "article-journal": record.Article,
	"article-magazine": record.Article, "article-newspaper": record.Article, "paper-conference": record.Article, "review": record.Article,
	"journal-article": record.Article, "proceedings-article": record.Article, "posted-content": record.Article, "monograph": record.Book, "edited-book": record.Book,
	"book-chapter": record.Chapter, "dissertation": record.Thesis,
	"chapter": record.Chapter, "entry": record.Chapter, "entry-encyclopedia": record.Chapter, "entry-dictionary": record.Chapter,
	"thesis": record.Thesis, "report": record.Report, "standard": record.Report, "periodical": record.Issue, "dataset": record.Dataset,
	"song": record.Audio, "graphic": record.Image, "figure": record.Image, "map": record.Image,
}

// ParseCSL reads a sidecar in CSL-JSON: one item, or a list of one.
func ParseCSL(data []byte) (record.Record, *Statement, error) {
	if len(data) > maxCSL {
		return record.Record{}, nil, errs.New(errs.Refused, "the sidecar is larger than %d bytes", maxCSL)
	}
	data = bytes.TrimSpace(utf16ToUTF8(data))
	var item cslItem
	if len(data) > 0 && data[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil {
			return record.Record{}, nil, errs.New(errs.Refused, "the sidecar is not CSL-JSON: %w", err)
		}
		if len(list) != 1 {
			return record.Record{}, nil, errs.New(errs.Refused, "the sidecar holds %d items; it must hold one", len(list))
		}
		data = list[0]
	}
	if err := json.Unmarshal(data, &item); err != nil {
		return record.Record{}, nil, errs.New(errs.Refused, "the sidecar is not CSL-JSON: %w", err)
	}
	r := item.record()
	if r.Title == "" {
		return record.Record{}, nil, errs.New(errs.Refused, "the sidecar has no title")
	}
	var rights rightsOf
	for _, v := range append(item.License, item.Rights...) {
		rights.add(v)
	}
	var doc Document
	rights.settle(&doc)
	return r, doc.Rights, nil
}

// bulkItem is an item with what a record has no place for.
type bulkItem struct {
	cslItem
	Custom jsontext.Value `json:"custom"`
	Rest   jsontext.Value `json:",unknown"`
}

// split is the list with those members taken apart that hold several identifiers.
func (l cslList) split(scheme string) cslList {
	var out cslList
	for _, v := range l {
		out = append(out, splitIDs(scheme, v)...)
	}
	return out
}

// custom reads the member in which CSL has room for what is not CSL's: identifiers are
// there as cslCustom writes them, what else there is is kept besides.
func (d *Described) custom(object jsontext.Value) {
	if object.Kind() != '{' {
		return
	}
	var c struct {
		Identifiers cslList        `json:"identifiers"`
		Rest        jsontext.Value `json:",unknown"`
	}
	if err := jsonv2.Unmarshal(object, &c, lenient); err != nil {
		d.leave("custom")
		return
	}
	for _, text := range c.Identifiers {
		d.keepOther("identifiers", text)
	}
	d.keepMembers(c.Rest)
}

// parseBulkCSL reads one item of a bulk of CSL-JSON. What the item says of rights
// is no statement: a bulk has no files, and they are what rights are stated for.
func parseBulkCSL(raw []byte) (*Described, error) {
	var item bulkItem
	if err := jsonv2.Unmarshal(raw, &item, lenient, jsonv2.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, notJSON(err)
	}
	d := &Described{ID: bulkID(string(item.ID)), Record: item.record()}
	d.badID("doi", string(item.DOI))
	for _, v := range item.ISBN {
		d.badID("isbn", v)
	}
	d.custom(item.Custom)
	for i, v := range item.ISSN.split("issn") {
		d.badID("issn", v)
		if box := d.Record.Container; i > 0 && box != nil {
			if id, ok := record.NormalID("issn", v); ok && id.Value != box.ISSN {
				d.keep("ISSN", v)
			}
		}
	}
	for _, group := range [][]cslName{item.Author, item.Editor, item.Translator, item.Illustrator, item.Compiler, item.Contributor} {
		for _, n := range group {
			d.badID("orcid", n.ORCID)
		}
	}
	if d.Record.Languages == nil {
		d.unread("language", string(item.Language))
	}
	if box := d.Record.Container; box != nil && item.ContainerTitle != "" {
		d.keep("collection-title", string(item.CollectionTitle))
		d.keep("collection-number", string(item.CollectionNo))
	}
	for _, v := range item.License {
		d.keep("license", v)
	}
	for _, v := range item.Rights {
		d.keep("rights", v)
	}
	d.keepMembers(item.Rest)
	return d, nil
}

func (c *cslItem) record() record.Record {
	line := func(t cslText) string { return cleanLine(stripHTML(string(t)), maxTitle) }
	r := record.Record{Kind: cslKinds[strings.ToLower(c.Type)], Title: line(c.Title), Issued: string(c.Issued),
		Publisher: line(c.Publisher), Place: line(c.PublisherPlace), Abstract: cleanText(stripHTML(string(c.Abstract)), maxAbstract)}
	if r.Kind == "" {
		r.Kind = record.Other
		if c.Type == "" {
			r.Kind = record.Book
		}
	}
	if s := line(c.Subtitle); s != "" {
		r.AltTitles = addLine(r.AltTitles, r.Title+": "+s, maxShort)
	}
	for _, t := range []cslText{c.TitleShort, c.OriginalTitle} {
		if line(t) != r.Title {
			r.AltTitles = addLine(r.AltTitles, line(t), maxShort)
		}
	}
	if original := line(c.OriginalTitle); original != "" && original != r.Title {
		r.Relations = append(r.Relations, record.Relation{Type: "translation_of", Title: original})
	}
	for _, group := range []struct {
		names []cslName
		role  string
	}{{c.Author, "aut"}, {c.Editor, "edt"}, {c.Translator, "trl"}, {c.Illustrator, "ill"}, {c.Compiler, "com"}, {c.Contributor, "ctb"}} {
		for _, n := range group.names {
			if len(r.Creators) < maxList {
				if creator := n.creator(group.role); creator.Name != "" {
					r.Creators = append(r.Creators, creator)
				}
			}
		}
	}
	if tag := normalLanguage(string(c.Language)); tag != "" {
		r.Languages = []string{tag}
	}
	box := record.Container{Title: line(c.ContainerTitle), Volume: line(c.Volume), Issue: line(c.Issue), Pages: line(c.Page)}
	if box.Title == "" && line(c.CollectionTitle) != "" {
		box.Title = line(c.CollectionTitle)
		if n := line(c.CollectionNo); n != "" {
			box.Volume = n
		}
	}
	for _, v := range c.ISSN.split("issn") {
		if id, ok := record.NormalID("issn", v); ok && box.ISSN == "" {
			box.ISSN = id.Value
		}
	}
	if box != (record.Container{}) {
		r.Container = &box
	}
	for _, k := range strings.FieldsFunc(string(c.Keyword), func(x rune) bool { return x == ',' || x == ';' || x == '，' || x == '；' }) {
		r.Subjects = addSubject(r.Subjects, subjectOf(k))
	}
	for _, v := range c.ISBN {
		r.IDs = addID(r.IDs, "isbn", v)
	}
	r.IDs = addID(r.IDs, "doi", string(c.DOI))
	r.IDs = addID(r.IDs, "url", string(c.URL))
	r.IDs = addID(r.IDs, "pmid", string(c.PMID))
	r.IDs = addID(r.IDs, "pmcid", string(c.PMCID))
	return r
}

// creator joins the parts of a name.
func (n cslName) creator(role string) record.Creator {
	join := func(parts ...string) string { return cleanLine(strings.Join(parts, " "), maxTitle) }
	c := record.Creator{Role: role, Name: join(n.Literal)}
	if c.Name == "" {
		c = creatorOf(join(n.Dropping, n.Particle, n.Family), join(n.Given), join(n.Suffix), role)
	}
	if n.ORCID != "" {
		if id, ok := record.NormalID("orcid", n.ORCID); ok {
			c.IDs = []record.ID{id}
		}
	}
	return c
}

func isHanName(s string) bool {
	for _, r := range s {
		if !unicode.Is(unicode.Han, r) && !unicode.Is(unicode.Hangul, r) && !isKana(r) {
			return false
		}
	}
	return s != ""
}
