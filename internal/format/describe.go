package format

import (
	"bytes"
	"html"
	"slices"
	"strings"

	"wenlan/internal/record"
)

// What the parsers of bulk forms share: each of these keeps a value of a source
// where it belongs, or says that it could not.

// extraText keeps a value that has no place in a record.
func (d *Described) extraText(field, value string) {
	if value = cleanLine(value, maxAbstract); value == "" {
		return
	}
	if d.Extra == nil {
		d.Extra = map[string][]string{}
	}
	if have := d.Extra[field]; len(have) >= maxShort {
		d.leave(field)
	} else if !contains(have, value) {
		d.Extra[field] = append(have, value)
	}
}

// leave says that a field of the source was not kept.
func (d *Described) leave(field string) {
	if len(d.Left) < 2*maxLeft && !contains(d.Left, field) {
		d.Left = append(d.Left, field)
	}
}

// warnOf says something of the record in one sentence; an empty one says nothing.
func (d *Described) warnOf(sentence string) {
	if sentence != "" && len(d.Warnings) < maxWarnings && !contains(d.Warnings, sentence) {
		d.Warnings = append(d.Warnings, sentence)
	}
}

// keepID keeps an identifier of the record. One that is not of the scheme that it is
// said to be of is kept as text, with a warning.
func (d *Described) keepID(stated, value string) {
	for _, one := range splitIDs(stated, value) {
		if id, ok := d.checkedID(stated, one); !ok || slices.Contains(d.Record.IDs, id) {
			continue
		} else if len(d.Record.IDs) >= maxShort {
			d.leave(stated)
		} else {
			d.Record.IDs = append(d.Record.IDs, id)
		}
	}
}

// keepOther keeps an identifier that says itself what it is, see idOf; another text is
// kept besides.
func (d *Described) keepOther(field, text string) {
	switch id, ok := idOf(text); {
	case !ok || len(d.Record.IDs) >= maxShort:
		d.extraText(field, text)
	case !slices.Contains(d.Record.IDs, id):
		d.Record.IDs = append(d.Record.IDs, id)
	}
}

// checkedID is an identifier as it is stored; a wrong one is text, with a warning.
func (d *Described) checkedID(stated, value string) (record.ID, bool) {
	id, ok := parseID(stated, value)
	if scheme := schemeNames[strings.ToLower(stated)]; ok && id.Scheme == "local" && scheme != "" {
		d.warnOf("the " + strings.ToUpper(scheme) + " " + cleanLine(value, 100) + " " + wrongID(scheme) + "; it is kept as text")
	}
	return id, ok
}

// creatorID gives a creator an ORCID or ISNI, or, as text, what is said to be one.
func (d *Described) creatorID(c *record.Creator, scheme, value string) {
	if value = cleanLine(value, 200); value == "" || len(c.IDs) >= maxShort {
		return
	}
	id, ok := record.NormalID(scheme, value)
	if !ok {
		id = record.ID{Scheme: "local", Value: value}
		d.warnOf("the " + strings.ToUpper(scheme) + " " + cleanLine(value, 100) + " of " + cleanLine(c.Name, 100) + " has a wrong check digit or form; it is kept as text")
	}
	for _, have := range c.IDs {
		if have == id {
			return
		}
	}
	c.IDs = append(c.IDs, id)
}

// addCreator appends a creator that has a name, once in a role.
func (d *Described) addCreator(c record.Creator) {
	if c.Name == "" {
		return
	}
	list := d.Record.Creators
	if len(list) >= maxList {
		d.leave("creators beyond the thousandth")
		return
	}
	for i := range list[:min(len(list), 64)] {
		if list[i].Name == c.Name && list[i].Role == c.Role && (len(list[i].IDs) == 0 || len(c.IDs) == 0) {
			return
		}
	}
	d.Record.Creators = append(list, c)
}

// addAlt appends another title, where it is not the first.
func (d *Described) addAlt(title string) {
	if title = cleanLine(title, maxTitle); title != d.Record.Title {
		d.Record.AltTitles = addLine(d.Record.AltTitles, title, maxShort)
	}
}

// relate joins the record to another, that is named by an identifier, a title, or both.
func (d *Described) relate(kind string, id *record.ID, title string) {
	title = cleanLine(title, maxTitle)
	if id == nil && title == "" {
		return
	}
	for i, have := range d.Record.Relations {
		switch {
		case have.Type != kind:
		case have.Title == title && (have.ID == nil) == (id == nil) && (id == nil || *have.ID == *id):
			return
		case kind == record.TranslationOf && have.ID == nil && title == "", kind == record.TranslationOf && have.Title == "" && id == nil:
			// There is one original: what is said of it twice is one relation.
			if id != nil {
				d.Record.Relations[i].ID = id
			} else {
				d.Record.Relations[i].Title = title
			}
			return
		}
	}
	if len(d.Record.Relations) >= maxShort {
		d.leave("relation")
		return
	}
	d.Record.Relations = append(d.Record.Relations, record.Relation{Type: kind, ID: id, Title: title})
}

// wholeISBN keeps the ISBN of what the record is a part of.
func (d *Described) wholeISBN(value, title string) {
	if id, ok := d.checkedID("isbn", value); ok && id.Scheme == "isbn" {
		d.relate(record.PartOf, &id, title)
	} else {
		d.extraText("isbn", value)
	}
}

// addLanguage appends a language; what is none is kept as the source says it.
func (d *Described) addLanguage(field, value string) {
	if tag := normalLanguage(value); tag != "" {
		d.Record.Languages = addLine(d.Record.Languages, tag, maxShort)
	} else {
		d.extraText(field, value)
	}
}

// keepRest keeps an element that no place is known for: its text where it is a plain
// one, else only that it was there.
func (d *Described) keepRest(n *xmlNode) {
	if n.name == "" {
		return
	}
	for _, c := range n.children {
		if c.name != "" {
			d.leave(n.name)
			return
		}
	}
	d.extraText(n.name, n.text())
}

// container is the record's container, made when it is first asked for.
func (d *Described) container() *record.Container {
	if d.Record.Container == nil {
		d.Record.Container = &record.Container{}
	}
	return d.Record.Container
}

// keepISSN gives the container its ISSN; more than one, and wrong ones, are kept besides.
func (d *Described) keepISSN(value string) {
	if list := splitIDs("issn", value); len(list) > 1 {
		for _, one := range list {
			d.keepISSN(one)
		}
		return
	}
	if value = cleanLine(value, 100); value == "" {
		return
	}
	id, ok := record.NormalID("issn", value)
	switch {
	case !ok:
		d.warnOf("the ISSN " + value + " has a wrong check digit or form; it is kept as text")
		d.extraText("issn", value)
	case d.container().ISSN == "":
		d.container().ISSN = id.Value
	case d.container().ISSN != id.Value:
		d.extraText("issn", id.Value)
	}
}

// dropEmptyContainer leaves no container that says nothing.
func (d *Described) dropEmptyContainer() {
	if c := d.Record.Container; c != nil && *c == (record.Container{}) {
		d.Record.Container = nil
	}
}

// blocks are the elements of JATS and of HTML that stand on lines of their own.
var blocks = map[string]bool{
	"p": true, "title": true, "sec": true, "list": true, "list-item": true, "disp-formula": true, "break": true, "br": true, "div": true, "li": true, "ul": true, "ol": true,
	"abstract": true, "disp-quote": true, "def-item": true, "label": true,
}

// plainXML is the text of an element whose content is marked up, on one line.
// Formulas give their MathML, or else their TeX; marks of notes give nothing.
func plainXML(n *xmlNode, limit int) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	writePlain(&b, n, " ")
	return cleanLine(b.String(), limit)
}

// plainLines is plainXML with a line for each paragraph.
func plainLines(n *xmlNode, limit int) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	writePlain(&b, n, "\n")
	return cleanText(b.String(), limit)
}

func writePlain(b *strings.Builder, n *xmlNode, end string) {
	if b.Len() > maxNodeText {
		return
	}
	if n.name == "" {
		data := n.data
		if end == "\n" && strings.Contains(data, "\n") {
			data = strings.ReplaceAll(data, "\n", " ") // lines are those of paragraphs
		}
		b.WriteString(data[:min(len(data), maxNodeText)])
		return
	}
	switch n.name {
	case "annotation", "annotation-xml", "inline-graphic", "graphic", "fn", "object-id":
		return
	case "xref":
		if t := n.attr("ref-type"); t == "fn" || t == "aff" || t == "corresp" || t == "table-fn" {
			return
		}
	case "alternatives":
		for _, name := range []string{"math", "textual-form", "tex-math"} {
			if c := n.find(name); c != nil {
				writePlain(b, c, end)
				return
			}
		}
	case "tex-math":
		// Publishers give whole documents of TeX.
		_, body, ok := strings.Cut(n.text(), `\begin{document}`)
		if !ok {
			body = n.text()
		}
		body, _, _ = strings.Cut(body, `\end{document}`)
		b.WriteString(strings.TrimSpace(body))
		return
	}
	block := blocks[n.name]
	if block {
		b.WriteString(end)
	}
	for _, c := range n.children {
		writePlain(b, c, end)
	}
	if block {
		b.WriteString(end)
	}
}

// plainMarkup is the text of a string that may hold JATS, MathML or HTML, as titles
// and abstracts of Crossref do; lines keeps paragraphs apart.
func plainMarkup(s string, limit int, lines bool) string {
	text := plainMarked(s, limit, lines)
	if head, rest, ok := strings.Cut(text, "\n"); ok && strings.EqualFold(head, "abstract") {
		return rest // a heading that says what the field says
	}
	return text
}

func plainMarked(s string, limit int, lines bool) string {
	if !strings.ContainsAny(s, "<&") {
		return clean(s, limit, lines)
	}
	if !looksLikeMarkup(s) {
		return clean(html.UnescapeString(s), limit, lines)
	}
	if data := []byte("<x>" + escapeLoose(s) + "</x>"); len(data) <= maxXML {
		if !xmlSound(data) {
			data = bytes.ToValidUTF8(data, nil)
		}
		if root, err := decodeXML(data, true); err == nil {
			if lines {
				return plainLines(root, limit)
			}
			return plainXML(root, limit)
		}
	}
	return clean(stripHTML(s), limit, lines)
}
