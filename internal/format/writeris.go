package format

import (
	"bufio"
	"io"
	"strings"

	"wenlan/internal/record"
)

var risTypes = map[record.Kind]string{
	record.Book: "BOOK", record.Article: "JOUR", record.Chapter: "CHAP", record.Thesis: "THES",
	record.Report: "RPRT", record.Issue: "JFULL", record.Dataset: "DATA", record.Audio: "SOUND", record.Image: "ART",
}

// risRoles are the tags of name lists: editors, and translators as EndNote and Zotero
// have them; other roles have none.
var risRoles = []struct {
	tag   string
	roles []string
}{{"AU", authorRoles}, {"ED", []string{"edt"}}, {"A4", []string{"trl"}}}

func newRISWriter(w io.Writer) Writer { return newLineWriter(w, writeRIS) }

// writeRIS writes a reference as EndNote and Zotero read it, in UTF-8, with lines that
// end in CR LF. Source: "RIS Format Specifications", Reference Manager, 2012.
func writeRIS(w *bufio.Writer, r Exported) error {
	rec, box := r.Record, r.container()
	kind, ok := risTypes[rec.Kind]
	if !ok {
		kind = "GEN"
	}
	tag := func(name, value string) {
		if value = strings.Join(strings.Fields(value), " "); value != "" {
			_, _ = w.WriteString(name + "  - " + value + "\r\n")
		}
	}
	tag("TY", kind)
	tag("ID", exportID(r))
	for _, role := range risRoles {
		for _, c := range r.byRole(role.roles...) {
			tag(role.tag, guessed(c).Sorted())
		}
	}
	tag("TI", rec.Title)
	for _, t := range rec.AltTitles {
		tag("TT", t)
	}
	tag("OP", r.original())
	tag("T2", box.Title)
	tag("VL", box.Volume)
	tag("IS", box.Issue)
	from, to, ok := strings.Cut(strings.ReplaceAll(box.Pages, "–", "-"), "-")
	if ok && from != "" && to != "" && !strings.Contains(to, "-") {
		tag("SP", from)
		tag("EP", to)
	} else {
		tag("SP", box.Pages)
	}
	tag("PY", Year(rec.Issued))
	tag("DA", risDate(rec.Issued))
	tag("PB", rec.Publisher)
	tag("CY", rec.Place)
	for _, isbn := range r.allIDs("isbn") {
		tag("SN", isbn)
	}
	tag("SN", box.ISSN)
	tag("DO", r.firstID("doi"))
	for _, text := range r.otherIDs([]string{"isbn", "url"}, []string{"doi"}) {
		tag("AN", text)
	}
	for _, l := range rec.Languages {
		tag("LA", l)
	}
	for _, sub := range rec.Subjects {
		tag("KW", keyword(sub))
	}
	tag("AB", rec.Abstract)
	for _, u := range r.urls() {
		tag("UR", u)
	}
	_, err := w.WriteString("ER  - \r\n")
	return err
}

// risDate is YYYY/MM/DD/other, where there is more to say than the year: a day and
// month, or as other what the form has no place for, in EDTF.
func risDate(issued string) string {
	if issued == Year(issued) {
		return ""
	}
	if parts := dateParts(issued); len(parts) > 1 && parts[0] >= 0 {
		out := strings.ReplaceAll(issued, "-", "/") + "/"
		if len(parts) == 2 {
			out += "/"
		}
		return out
	}
	return Year(issued) + "///" + issued
}
