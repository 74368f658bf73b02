package format

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"wenlan/internal/errs"
)

// markupOf reads a document of markup held in memory, in whatever encoding it
// says it is in. limit bounds the text that is kept; 0 keeps all.
func markupOf(data []byte, xml bool, limit int) (*markup, error) {
	return markupText(bytes.NewReader(decodeMarkup(data)), markupOptions{xml: xml, limit: limit})
}

// decodeMarkup gives markup in UTF-8: by its byte order mark, else as it is where
// that is UTF-8, else by what it declares.
func decodeMarkup(data []byte) []byte {
	data = utf16ToUTF8(data)
	if utf8.Valid(data) {
		return data
	}
	if m := declaredCharset.FindSubmatch(data[:min(len(data), 1024)]); m != nil {
		if enc, name := charset.Lookup(string(m[1])); enc != nil && name != "utf-8" {
			if out, err := enc.NewDecoder().Bytes(data); err == nil {
				return out
			}
		}
	}
	if text, _, _, err := decodeText(data); err == nil {
		return []byte(text)
	}
	return bytes.ToValidUTF8(data, []byte("�"))
}

// declaredCharset is how HTML and XML name their encoding.
var declaredCharset = regexp.MustCompile(`(?i)(?:charset|encoding)\s*=\s*["']?([a-z0-9_:.-]+)`)

// pageOf reads a page of its own: as XML where it says that it is.
func pageOf(data []byte) (*markup, error) {
	return markupOf(data, bytes.HasPrefix(bytes.TrimLeft(utf16ToUTF8(data), " \t\r\n"), []byte("<?xml")), 0)
}

// parseHTML describes a single page: its title, its meta elements in the common
// vocabularies (Dublin Core, Highwire, Open Graph), a licence link in its head.
func parseHTML(name string, data []byte) (*Document, error) {
	m, err := pageOf(data)
	if err != nil {
		return nil, errs.New(errs.Refused, "the page cannot be read")
	}
	doc := &Document{Record: newBook(), MediaType: MediaHTML}
	r := &doc.Record
	var rights rightsOf
	for _, meta := range m.Metas {
		v := meta.content
		switch meta.name {
		case "dc.title", "dcterms.title", "citation_title":
			r.Title = cleanLine(v, maxTitle)
		case "author", "dc.creator", "dcterms.creator", "citation_author":
			r.Creators = addCreator(r.Creators, v, "aut")
		case "dc.contributor":
			r.Creators = addCreator(r.Creators, v, "ctb")
		case "dc.language", "dcterms.language", "citation_language":
			if tag := normalLanguage(v); tag != "" {
				r.Languages = addLine(r.Languages, tag, maxShort)
			}
		case "dc.date", "dcterms.issued", "dc.date.issued", "citation_publication_date", "citation_date":
			if r.Issued == "" {
				r.Issued = edtf(v)
			}
		case "dc.publisher", "dcterms.publisher", "citation_publisher":
			r.Publisher = cleanLine(v, maxTitle)
		case "dc.identifier", "dcterms.identifier":
			r.IDs = addID(r.IDs, "", v)
		case "citation_doi":
			r.IDs = addID(r.IDs, "doi", v)
		case "citation_isbn":
			r.IDs = addID(r.IDs, "isbn", v)
		case "description", "dc.description", "dcterms.abstract", "citation_abstract":
			if r.Abstract == "" {
				r.Abstract = cleanText(stripHTML(v), maxAbstract)
			}
		case "keywords", "dc.subject", "citation_keywords":
			for _, k := range strings.FieldsFunc(v, func(c rune) bool { return c == ',' || c == ';' || c == '，' || c == '；' }) {
				r.Subjects = addSubject(r.Subjects, subjectOf(k))
			}
		case "dc.rights", "dcterms.rights", "dcterms.license", "license":
			rights.add(v)
		}
	}
	for _, l := range m.Links {
		if l.rel == "license" || l.rel == "licence" || strings.HasPrefix(l.rel, "license ") {
			rights.add(l.href)
		}
	}
	rights.settle(doc)
	for _, title := range []string{m.Title, m.Heading, titleOfName(name)} {
		if r.Title == "" {
			r.Title = title
		}
	}
	if tag := normalLanguage(m.Lang); tag != "" && len(r.Languages) == 0 {
		r.Languages = []string{tag}
	}
	if m.Active {
		doc.warn("scripts in the page will not run")
	}
	if m.Embeds {
		doc.warn("forms and frames in the page will not work")
	}
	return finishText(doc, m.Text)
}

// htmlChapters splits a page at its first and second headings.
func htmlChapters(data []byte, fn func(Chapter) error) error {
	m, err := pageOf(data)
	if err != nil {
		return errs.New(errs.Refused, "the page cannot be read")
	}
	index, from, title := 0, 0, ""
	emit := func(to int) error {
		text := strings.TrimSpace(m.Text[min(from, len(m.Text)):min(to, len(m.Text))])
		if text == "" {
			return nil
		}
		c := Chapter{Index: index, Title: title, Text: text}
		index++
		return fn(c)
	}
	for _, h := range m.Headings {
		if h.offset <= from {
			title = h.title
			continue
		}
		if err := emit(h.offset); err != nil {
			return err
		}
		from, title = h.offset, h.title
	}
	if title == "" {
		title = m.Title
	}
	return emit(len(m.Text))
}
