package format

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/record"
)

// bibTypes are entry types that BibTeX's styles, biblatex and pandoc know.
var bibTypes = map[record.Kind]string{
	record.Book: "book", record.Article: "article", record.Chapter: "incollection", record.Thesis: "phdthesis", record.Report: "techreport",
	record.Issue: "periodical", record.Dataset: "dataset", record.Audio: "audio", record.Image: "image",
}

// bibRoles are the name lists of biblatex, and for roles that it has none for fields
// that it passes over; also the way in which they are read.
var bibRoles = []struct {
	field string
	roles []string
}{
	{"author", authorRoles}, {"editor", []string{"edt"}}, {"translator", []string{"trl"}}, {"annotator", []string{"ann"}}, {"commentator", []string{"cwt"}},
	{"introduction", []string{"aui"}}, {"afterword", []string{"aft"}}, {"illustrator", []string{"ill"}}, {"compiler", []string{"com"}}, {"contributor", []string{"ctb"}},
}

// bibIDs are the fields of identifiers other than isbn, doi, url and arxiv.
var bibIDs = []string{"pmid", "pmcid", "oclc", "lccn", "uuid", "urn", "goodreads", "gutenberg", "douban", "asin"}

// bibMonths are the macros for months that every style defines.
var bibMonths = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// babelTags lead from the names that babel and polyglossia have for languages, which
// langid takes, to BCP 47.
var babelTags = map[string]string{
	"english": "en", "american": "en-US", "usenglish": "en-US", "british": "en-GB", "ukenglish": "en-GB", "australian": "en-AU", "canadian": "en-CA",
	"german": "de", "ngerman": "de", "austrian": "de-AT", "naustrian": "de-AT", "nswissgerman": "de-CH", "french": "fr", "canadien": "fr-CA", "acadian": "fr-CA",
	"spanish": "es", "mexican": "es-MX", "italian": "it", "portuguese": "pt", "brazilian": "pt-BR", "portuges": "pt", "russian": "ru", "dutch": "nl", "polish": "pl",
	"swedish": "sv", "danish": "da", "norsk": "nb", "norwegian": "no", "nynorsk": "nn", "finnish": "fi", "icelandic": "is", "greek": "el", "polutonikogreek": "el",
	"latin": "la", "czech": "cs", "slovak": "sk", "slovene": "sl", "slovenian": "sl", "croatian": "hr", "serbian": "sr", "bulgarian": "bg", "hungarian": "hu", "magyar": "hu",
	"romanian": "ro", "turkish": "tr", "ukrainian": "uk", "ukrainan": "uk", "estonian": "et", "latvian": "lv", "lithuanian": "lt", "catalan": "ca", "galician": "gl",
	"basque": "eu", "welsh": "cy", "irish": "ga", "hebrew": "he", "arabic": "ar", "persian": "fa", "farsi": "fa", "hindi": "hi", "thai": "th", "vietnamese": "vi",
	"japanese": "ja", "korean": "ko", "chinese": "zh", "chinese-hans": "zh-Hans", "chinese-hant": "zh-Hant", "chinese-simplified": "zh-Hans", "chinese-traditional": "zh-Hant",
}

// babelNames lead back; of several names for one tag it is the one that styles know.
var babelNames = func() map[string]string {
	out := map[string]string{}
	for name, tag := range babelTags {
		if have, ok := out[tag]; !ok || name < have {
			out[tag] = name
		}
	}
	out["de"], out["en-US"], out["en-GB"], out["pt"], out["hu"], out["uk"], out["sl"] = "ngerman", "american", "british", "portuguese", "magyar", "ukrainian", "slovene"
	out["de-AT"], out["fr-CA"], out["zh-Hans"], out["zh-Hant"], out["el"], out["fa"] = "naustrian", "canadien", "chinese-hans", "chinese-hant", "greek", "persian"
	return out
}()

func newBibTeXWriter(w io.Writer) Writer { return newLineWriter(w, writeBibTeX) }

// bibEntry writes the fields of an entry.
type bibEntry struct{ w *bufio.Writer }

// raw writes a field with a value that is in the form of BibTeX already.
func (e bibEntry) raw(name, value string) {
	if value != "" {
		_, _ = e.w.WriteString(",\n  " + name + " = {" + value + "}")
	}
}

// text writes a field of text.
func (e bibEntry) text(name, value string) { e.raw(name, bibText(value)) }

// verbatim writes a field that biblatex takes as it is, such as a URL.
func (e bibEntry) verbatim(name, value string) {
	e.raw(name, verbatimEscape.Replace(strings.Join(strings.Fields(value), "")))
}

var verbatimEscape = strings.NewReplacer("{", "%7B", "}", "%7D", `\`, "%5C")

// writeBibTeX writes an entry that biblatex and BibTeX's own styles take, in UTF-8.
// Source: "The biblatex Package" 3.19, section 2; "BibTeXing", Oren Patashnik, 1988.
func writeBibTeX(w *bufio.Writer, r Exported) error {
	rec, box := r.Record, r.container()
	kind, ok := bibTypes[rec.Kind]
	if !ok {
		kind = "misc"
	}
	_, _ = w.WriteString("@" + kind + "{" + exportID(r))
	e := bibEntry{w}
	for _, role := range bibRoles {
		list := r.byRole(role.roles...)
		e.raw(role.field, bibNames(list))
		e.raw(role.field+"+an:orcid", bibORCIDs(list))
	}
	e.raw("title", protected(rec.Title))
	e.raw("alttitle", bibList(rec.AltTitles))
	if original := r.original(); original != "" {
		e.raw("origtitle", protected(original))
	}
	switch kind {
	case "article":
		e.text("journal", box.Title)
	case "incollection":
		e.text("booktitle", box.Title)
	default:
		e.text("series", box.Title)
	}
	e.text("volume", box.Volume)
	e.text("number", box.Issue)
	pages := bibText(box.Pages)
	if !strings.Contains(pages, "-") {
		pages = strings.ReplaceAll(pages, "–", "--")
	}
	e.raw("pages", pages)
	switch kind {
	case "phdthesis":
		e.text("school", rec.Publisher)
	case "techreport":
		e.text("institution", rec.Publisher)
	default:
		e.text("publisher", rec.Publisher)
	}
	e.text("address", rec.Place)
	e.date(rec.Issued)
	e.raw("isbn", bibText(strings.Join(r.allIDs("isbn"), ", ")))
	e.text("issn", box.ISSN)
	e.verbatim("doi", r.firstID("doi"))
	e.languages(rec.Languages)
	if arxiv := r.firstID("arxiv"); arxiv != "" {
		e.verbatim("eprint", arxiv)
		e.raw("eprinttype", "arxiv")
	}
	for _, scheme := range bibIDs {
		e.verbatim(scheme, r.firstID(scheme))
	}
	e.raw("identifier", bibList(r.otherIDs([]string{"isbn"}, append([]string{"doi", "arxiv"}, bibIDs...)))) // no style prints it
	e.raw("keywords", bibKeywords(rec.Subjects))
	e.raw("abstract", bibParagraphs(rec.Abstract))
	e.verbatim("url", r.address())
	_, err := w.WriteString("\n}\n")
	return err
}

// date writes the year, for every style, and what more is known.
func (e bibEntry) date(issued string) {
	year := Year(issued)
	e.raw("year", year)
	if issued == year {
		return
	}
	if parts := dateParts(issued); len(parts) == 2 && parts[0] >= 0 {
		_, _ = e.w.WriteString(",\n  month = " + bibMonths[parts[1]-1])
		return
	}
	if !edtfForm.MatchString(issued) {
		issued = bibText(issued)
	}
	e.raw("date", issued) // biblatex reads EDTF, levels 0 and 1
}

func (e bibEntry) languages(tags []string) {
	if len(tags) == 0 {
		return
	}
	name, exact := babelNames[tags[0]], true
	if name == "" {
		primary, _, _ := strings.Cut(tags[0], "-")
		name, exact = babelNames[primary], false
	}
	e.raw("langid", name)
	if !exact || name == "" || len(tags) > 1 {
		e.raw("language", bibText(strings.Join(tags, " and ")))
	}
}

// protected is a text whose capitals a style leaves as they are.
func protected(s string) string {
	if s = bibText(s); s == "" {
		return ""
	}
	return "{" + s + "}"
}

// bibNames is a list of names.
func bibNames(list []record.Creator) string {
	var names []string
	for _, c := range list {
		p := guessed(c)
		if p.Family == "" || strings.ContainsAny(p.Family+p.Given+p.Suffix, ",") {
			names = append(names, "{"+bibText(p.Literal)+"}") // as a whole: not to be taken apart
			continue
		}
		name := bibPart(p.Family)
		if p.Suffix != "" {
			name += ", " + bibPart(p.Suffix)
		}
		names = append(names, name+", "+bibPart(p.Given))
	}
	return strings.Join(names, " and ")
}

// bibPart is a part of a name, as a whole where it holds the word that parts names.
func bibPart(s string) string {
	out := bibText(s)
	if slices.ContainsFunc(strings.Fields(s), func(w string) bool { return strings.EqualFold(w, "and") }) {
		out = "{" + out + "}"
	}
	return out
}

// bibORCIDs is a data annotation: 1="0000-…"; 3="0000-…" (biblatex, section 3.7).
func bibORCIDs(list []record.Creator) string {
	var out []string
	for i, c := range list {
		for _, id := range c.IDs {
			if id.Scheme == "orcid" {
				out = append(out, strconv.Itoa(i+1)+`="`+bibText(id.Value)+`"`)
			}
		}
	}
	return strings.Join(out, "; ")
}

// bibList is a literal list of biblatex.
func bibList(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, "{"+bibText(s)+"}")
	}
	return strings.Join(out, " and ")
}

func bibKeywords(subjects []record.Subject) string {
	var out []string
	for _, s := range subjects {
		label := keyword(s)
		if label == "" {
			label = strings.TrimSpace(s.Scheme + " " + s.Code)
		}
		text := bibText(label)
		if strings.ContainsAny(label, ",;") {
			text = "{" + text + "}"
		}
		if text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, ", ")
}

// bibParagraphs is a text whose lines stay apart.
func bibParagraphs(s string) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = bibText(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n\n")
}

var bibEscape = strings.NewReplacer(`\`, `\textbackslash{}`, "%", `\%`, "&", `\&`, "#", `\#`, "$", `\$`, "_", `\_`,
	"~", `\textasciitilde{}`, "^", `\textasciicircum{}`, "{", `\{`, "}", `\}`)

// apart keeps signs apart that TeX's fonts join: -- is a dash, and ” a quotation mark.
func apart(s string) string {
	if !strings.Contains(s, "--") && !strings.ContainsAny(s, "`'") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if i > 0 && (c == s[i-1] && (c == '-' || c == '`' || c == '\'') || c == '`' && (s[i-1] == '?' || s[i-1] == '!')) {
			b.WriteString("{}")
		}
		b.WriteByte(c)
	}
	return b.String()
}

var bibBraces = strings.NewReplacer(`\{`, `\textbraceleft{}`, `\}`, `\textbraceright{}`)

// bibText is text as LaTeX reads it: white space collapsed, what means something to
// TeX escaped. A reader that knows LaTeX gets the same text back.
func bibText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	depth, odd := 0, false
	for _, c := range s {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
			odd = odd || depth < 0
		}
	}
	out := apart(bibEscape.Replace(s))
	if odd || depth != 0 {
		out = bibBraces.Replace(out) // BibTeX counts braces even behind a backslash
	}
	return out
}
