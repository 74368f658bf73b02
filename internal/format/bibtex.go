package format

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/errs"
	"wenlan/internal/record"

	"github.com/go-json-experiment/json"
)

// bibKinds lead from the entry types of BibTeX and biblatex, and some of other styles,
// to kinds of record.
var bibKinds = map[string]record.Kind{
	"article": record.Article, "suppperiodical": record.Article, "review": record.Article, "inproceedings": record.Article, "conference": record.Article,
	"preprint": record.Article, "newsarticle": record.Article, "magarticle": record.Article,
	"book": record.Book, "mvbook": record.Book, "collection": record.Book, "mvcollection": record.Book, "proceedings": record.Book, "mvproceedings": record.Book,
	"reference": record.Book, "mvreference": record.Book, "booklet": record.Book, "manual": record.Book, "ebook": record.Book,
	"inbook": record.Chapter, "bookinbook": record.Chapter, "incollection": record.Chapter, "suppbook": record.Chapter, "suppcollection": record.Chapter, "inreference": record.Chapter,
	"thesis": record.Thesis, "phdthesis": record.Thesis, "mastersthesis": record.Thesis, "masterthesis": record.Thesis, "bachelorsthesis": record.Thesis, "dissertation": record.Thesis,
	"techreport": record.Report, "report": record.Report, "standard": record.Report, "patent": record.Report,
	"periodical": record.Issue, "dataset": record.Dataset, "data": record.Dataset,
	"audio": record.Audio, "music": record.Audio, "image": record.Image, "artwork": record.Image, "map": record.Image,
}

// bibAliases are other names of fields: those of BibTeX where biblatex has its own, and
// what other programs write.
var bibAliases = map[string]string{
	"journal": "journaltitle", "address": "location", "annote": "annotation", "archiveprefix": "eprinttype", "primaryclass": "eprintclass", "school": "institution",
	"hyphenation": "langid", "keyword": "keywords", "tags": "keywords", "issue_date": "date", "articleno": "eid", "article-number": "eid", "e-print": "eprint", "arxiv": "arxivid", "eissn": "issn",
	"isbn-13": "isbn", "isbn13": "isbn", "pubmed": "pmid", "summary": "abstract", "link": "url", "howpublished": "howpublished", "numpages": "pagetotal", "translatedby": "translator",
}

// bibPrivate are fields in which programs keep what is theirs: they are left aside.
var bibPrivate = regexp.MustCompile(`^(bdsk-.*|file|owner|timestamp|groups|__markedentry|creationdate|modificationdate|mendeley-.*|date-added|date-modified|local-url|username|readstatus|ranking|priority|qualityassured|citeulike-.*|posted-at|added-at|biburl|bibsource|interhash|intrahash|sortkey|sorttitle|sortname|sortyear|presort|options|execute|ids|label|shorthand|keywords\+.*|xdata|crossref|entryset|skip|internal-note)$`)

// bibWork is an entry on its way to a record.
type bibWork struct {
	d      *Described
	e      *bibRaw
	fields map[string]string // in LaTeX, by name
	used   map[string]bool
}

// parseBibTeX reads an entry as bibReader gives it. Fields are those of "The biblatex
// Package" 3.19, section 2.2, and of BibTeX's own styles.
func parseBibTeX(raw []byte) (*Described, error) {
	var e bibRaw
	if err := json.Unmarshal(raw, &e, lenient); err != nil {
		return nil, notJSON(err)
	}
	if e.Bad != "" {
		return nil, errs.New(errs.Refused, "%s", e.Bad)
	}
	w := bibWork{d: &Described{ID: bulkID(latexText(e.Key)), Warnings: e.Warn}, e: &e, fields: map[string]string{}, used: map[string]bool{}}
	for _, f := range e.Fields {
		name := cleanLine(f[0], maxFieldName)
		if to, ok := bibAliases[name]; ok {
			name = to
		}
		switch {
		case strings.TrimSpace(f[1]) == "":
		case w.fields[name] == "":
			w.fields[name] = f[1]
		case w.fields[name] != f[1]: // BibTeX takes the first, too
			w.extra(name, f[1])
		}
	}
	w.kind()
	w.titles()
	w.people()
	w.container()
	w.date()
	w.languages()
	w.ids()
	w.rest()
	return w.d, nil
}

// take is the value of a field as it is, which counts as used.
func (w *bibWork) take(name string) string {
	w.used[name] = true
	return w.fields[name]
}

// line is the value of a field as text on one line.
func (w *bibWork) line(name string) string { return bibLine(w.take(name)) }

func bibLine(s string) string { return cleanLine(latexText(s), maxTitle) }

// extra keeps a value for which a record has no place.
func (w *bibWork) extra(name, value string) {
	if w.d.Extra == nil {
		w.d.Extra = map[string][]string{}
	}
	if value = cleanText(latexText(value), maxAbstract); value != "" {
		w.d.Extra[name] = append(w.d.Extra[name], value)
	}
}

func (w *bibWork) warn(sentence string) { w.d.Warnings = append(w.d.Warnings, sentence) }

func (w *bibWork) kind() {
	k, ok := bibKinds[w.e.Type]
	switch {
	case ok:
	case w.fields["eprint"] != "" || w.fields["arxivid"] != "":
		k = record.Article // @misc and @online of a preprint server
	default:
		k = record.Other
	}
	w.d.Record.Kind = k
	switch w.e.Type {
	case "mastersthesis", "masterthesis", "bachelorsthesis", "patent", "standard", "software", "video", "movie", "online", "electronic", "www", "letter", "unpublished", "manual", "inproceedings", "conference", "proceedings":
		w.extra("entrytype", w.e.Type) // what the kind does not say
	}
}

func (w *bibWork) titles() {
	r := &w.d.Record
	r.Title = w.line("title")
	if sub := w.line("subtitle"); sub != "" && r.Title != "" {
		r.AltTitles = addLine(r.AltTitles, r.Title, maxShort)
		r.Title = joinTitle(r.Title, sub)
	}
	for _, t := range append(bibItems(w.take("alttitle"), "and"), w.take("shorttitle")) {
		if t = bibLine(t); t != r.Title {
			r.AltTitles = addLine(r.AltTitles, t, maxShort)
		}
	}
	if original := w.line("origtitle"); original != "" {
		if original != r.Title {
			r.AltTitles = addLine(r.AltTitles, original, maxShort)
		}
		r.Relations = append(r.Relations, record.Relation{Type: "translation_of", Title: original})
	}
	r.Abstract = bibAbstract(w.take("abstract"))
}

// joinTitle joins a title and its subtitle.
func joinTitle(title, sub string) string {
	if last, _ := utf8.DecodeLastRuneInString(title); strings.ContainsRune("?!:：？！", last) {
		return cleanLine(title+" "+sub, maxTitle)
	}
	return cleanLine(title+": "+sub, maxTitle)
}

// bibAbstract is text with its paragraphs, which empty lines part.
func bibAbstract(s string) string {
	var out []string
	var part []string
	flush := func() {
		if text := cleanLine(latexText(strings.Join(part, " ")), maxAbstract); text != "" {
			out = append(out, text)
		}
		part = part[:0]
	}
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line == "" {
			flush()
		} else {
			part = append(part, line)
		}
	}
	flush()
	return cleanText(stripHTML(strings.Join(out, "\n")), maxAbstract)
}

// editorRoles lead from biblatex's editortype to a relator code.
var editorRoles = map[string]string{"compiler": "com", "translator": "trl", "illustrator": "ill", "director": "drt", "reviser": "edt", "redactor": "red", "founder": "fmo", "organizer": "orm", "collaborator": "ctb"}

func (w *bibWork) people() {
	add := func(field, role string) {
		names, others := bibPeople(w.take(field))
		annotations := bibAnnotations(w.take(field + "+an:orcid"))
		for i, c := range names {
			if len(w.d.Record.Creators) >= maxList {
				break
			}
			c.Role = role
			if v := annotations[strconv.Itoa(i+1)]; v != "" {
				if id, ok := record.NormalID("orcid", v); ok {
					c.IDs = append(c.IDs, id)
				} else {
					c.IDs = append(c.IDs, record.ID{Scheme: "local", Value: cleanLine(v, maxValue)})
					w.warn("the ORCID " + cleanLine(v, 100) + " is not valid")
				}
			}
			w.d.Record.Creators = append(w.d.Record.Creators, c)
		}
		if others {
			w.extra(field, "and others")
		}
	}
	for _, role := range bibRoles {
		code := role.roles[0]
		if role.field == "editor" {
			for _, n := range []string{"", "a", "b", "c"} {
				code = "edt"
				if to := editorRoles[strings.ToLower(w.line("editor"+n+"type"))]; to != "" {
					code = to
				}
				add("editor"+n, code)
			}
			continue
		}
		add(role.field, code)
	}
	add("foreword", "aui")
}

// bibPeople reads a list of names; others says that the list goes on with "and others".
func bibPeople(list string) (out []record.Creator, others bool) {
	for _, name := range bibItems(list, "and") {
		if strings.EqualFold(name, "others") {
			others = true
			continue
		}
		if c := bibPerson(name); c.Name != "" && len(out) < maxList {
			out = append(out, c)
		}
	}
	return out, others
}

// bibItems takes a list apart at a word between white space, outside of braces.
func bibItems(s, word string) []string {
	var out []string
	depth, from := 0, 0
	space := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case depth == 0 && space && i+len(word) < len(s) && strings.EqualFold(s[i:i+len(word)], word) && isTexSpace(s[i+len(word)]):
			out = append(out, strings.TrimSpace(s[from:i]))
			from = i + len(word)
			i = from - 1
			space = false
			continue
		}
		space = isTexSpace(s[i])
	}
	out = append(out, strings.TrimSpace(s[from:]))
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

func isTexSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// splitOutside takes s apart at any of the bytes, outside of braces.
func splitOutside(s, at string) []string {
	var out []string
	depth, from := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
		case c == '{':
			depth++
		case c == '}':
			depth--
		case depth == 0 && strings.IndexByte(at, c) >= 0 && (i == 0 || s[i-1] != '\\'):
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// bibPerson reads one name. Source: "BibTeXing", section 4; for the form with keys, "The
// biblatex Package" 3.19, section 3.4.
func bibPerson(s string) record.Creator {
	s = strings.TrimSpace(s)
	if wrapped(s) { // a body's name, or one that is not to be taken apart
		return record.Creator{Name: bibLine(s)}
	}
	parts := splitOutside(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	var given, family, suffix string
	switch {
	case strings.Contains(parts[0], "=") && nameKey.MatchString(parts[0]):
		got := map[string]string{}
		for _, p := range parts {
			k, v, _ := strings.Cut(p, "=")
			got[strings.ToLower(strings.TrimSpace(k))] = bibLine(strings.Trim(strings.TrimSpace(v), `"`))
		}
		given, suffix = got["given"], got["suffix"]
		family = strings.TrimSpace(got["prefix"] + " " + got["family"])
	case len(parts) == 1:
		words := splitNonEmpty(s)
		if len(words) == 1 {
			return record.Creator{Name: bibLine(s)}
		}
		from := len(words) - 1 // of the family's name, a "von" before it
		if at := slices.IndexFunc(words[:from], isLowerWord); at >= 0 {
			from = at
		}
		given, family = bibLine(strings.Join(words[:from], " ")), bibLine(strings.Join(words[from:], " "))
		if isHanName(strings.ReplaceAll(given+family, " ", "")) { // in its own order
			return record.Creator{Name: strings.ReplaceAll(given+family, " ", "")}
		}
	case len(parts) == 2:
		family, given = bibLine(parts[0]), bibLine(parts[1])
	default:
		family, suffix, given = bibLine(parts[0]), bibLine(parts[1]), bibLine(strings.Join(parts[2:], ", "))
	}
	return creatorOf(family, given, suffix, "")
}

var nameKey = regexp.MustCompile(`(?i)^\s*(family|given|prefix|suffix|id|useprefix)(-i)?\s*=`)

// creatorOf is a creator by the parts of the name. East Asian names are written family
// first, without a space.
func creatorOf(family, given, suffix, role string) record.Creator {
	c := record.Creator{Role: role}
	if isHanName(family) && isHanName(given) {
		c.Name = family + given
		return c
	}
	c.Name = cleanLine(given+" "+family+" "+suffix, maxTitle)
	if sorted := (Person{Family: family, Given: given, Suffix: suffix, Literal: c.Name}).Sorted(); given != "" && family != "" {
		c.AltNames = addLine(nil, sorted, 1)
	}
	return c
}

// wrapped says whether one pair of braces is around all of s.
func wrapped(s string) bool {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' || s[1] == '\\' && strings.IndexByte(s, '}') == len(s)-1 && len(s) < 8 {
		return false
	}
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 && i < len(s)-1 {
				return false
			}
		}
	}
	return depth == 0
}

// splitNonEmpty takes a name apart at white space and ties, outside of braces.
func splitNonEmpty(s string) []string {
	return slices.DeleteFunc(splitOutside(s, " \t\r\n~"), func(s string) bool { return s == "" })
}

// isLowerWord says whether BibTeX takes a word of a name for a "von": its first letter
// outside of braces, or of an accent, is a small one.
func isLowerWord(s string) bool {
	if s[0] == '{' && (len(s) < 2 || s[1] != '\\') {
		return false
	}
	for _, r := range latexText(s) {
		if unicode.IsLetter(r) {
			return unicode.IsLower(r)
		}
	}
	return false
}

// bibAnnotations reads 1="…"; 3="…".
func bibAnnotations(s string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(s, ";") {
		if k, v, ok := strings.Cut(part, "="); ok && len(out) < maxList {
			out[strings.TrimSpace(k)] = strings.Trim(strings.TrimSpace(latexText(v)), `"`)
		}
	}
	return out
}

func (w *bibWork) container() {
	r := &w.d.Record
	box := record.Container{Volume: w.line("volume"), Pages: strings.Trim(w.line("pages"), " {}")}
	if eid := w.line("eid"); box.Pages == "" {
		box.Pages = eid
	} else if eid != box.Pages {
		w.extra("eid", eid)
	}
	number := w.line("number")
	if issue := w.line("issue"); number == "" {
		number = issue
	} else if issue != number {
		w.extra("issue", issue)
	}
	journal, booktitle, series, main := w.line("journaltitle"), w.line("booktitle"), w.line("series"), w.line("maintitle")
	if sub := w.line("journalsubtitle"); sub != "" && journal != "" {
		journal = joinTitle(journal, sub)
	}
	if sub := w.line("booksubtitle"); sub != "" && booktitle != "" {
		booktitle = joinTitle(booktitle, sub)
	}
	if sub := w.line("mainsubtitle"); sub != "" && main != "" {
		main = joinTitle(main, sub)
	}
	for _, title := range []struct{ name, value string }{{"journal", journal}, {"booktitle", booktitle}, {"maintitle", main}, {"series", series}} {
		switch {
		case title.value == "":
		case box.Title == "":
			box.Title = title.value
			if title.name == "series" && box.Volume == "" { // a number in a series of books
				box.Volume, number = number, ""
			}
		default:
			w.extra(title.name, title.value)
			if title.name == "series" && (r.Kind == record.Chapter || booktitle != "") && number != "" {
				w.extra("number", number) // it is that of the series
				number = ""
			}
		}
	}
	box.Issue = number
	for _, v := range strings.FieldsFunc(w.line("issn"), func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '/' }) {
		switch id, ok := record.NormalID("issn", v); {
		case !ok:
			if strings.ContainsAny(v, "0123456789") {
				r.IDs = addID(r.IDs, "local", v)
				w.warn("the ISSN " + v + " has a wrong check digit")
			}
		case box.ISSN == "":
			box.ISSN = id.Value
		case box.ISSN != id.Value:
			r.IDs = addID(r.IDs, "issn", v)
		}
	}
	if box != (record.Container{}) {
		r.Container = &box
	}
	for _, name := range []string{"publisher", "institution", "organization"} {
		if v := w.line(name); r.Publisher == "" {
			r.Publisher = v
		} else if v != r.Publisher {
			w.extra(name, v)
		}
	}
	r.Place = w.line("location")
}

// ids finds identifiers. An ISBN that a part of a book states is that of the book.
func (w *bibWork) ids() {
	r := &w.d.Record
	part := r.Kind == record.Chapter || w.e.Type == "inproceedings" || w.e.Type == "conference"
	isbns := bibISBNs(w.line("isbn"))
	var whole *record.ID
	for _, v := range isbns {
		id, ok := record.NormalID("isbn", v)
		switch {
		case !ok:
			r.IDs = addID(r.IDs, "local", v)
			w.warn("the ISBN " + v + " has a wrong check digit")
		case part:
			if whole == nil {
				whole = &id
			} else {
				w.extra("isbn", v)
			}
		default:
			r.IDs = addID(r.IDs, "isbn", v)
		}
	}
	for _, name := range []string{"parent isbn", "parent doi"} {
		v := w.take(name)
		if scheme := strings.TrimPrefix(name, "parent "); scheme == "isbn" {
			v = strings.Join(bibISBNs(bibLine(v))[:min(1, len(bibISBNs(bibLine(v))))], "")
		} else {
			v = bibVerbatim(v)
		}
		if id, ok := record.NormalID(strings.TrimPrefix(name, "parent "), v); ok && whole == nil {
			whole = &id
		}
	}
	if whole != nil {
		rel := record.Relation{Type: "part_of", ID: whole}
		if r.Container != nil {
			rel.Title = r.Container.Title
		}
		r.Relations = append(r.Relations, rel)
	}
	for _, v := range splitIDs("doi", bibVerbatim(w.take("doi"))) {
		if v == "" {
			continue
		}
		if _, ok := record.NormalID("doi", v); !ok {
			w.warn("the DOI " + cleanLine(v, 100) + " has not the form of one")
		}
		r.IDs = addID(r.IDs, "doi", v)
	}
	if v := bibVerbatim(w.take("arxivid")); v != "" {
		r.IDs = addID(r.IDs, "arxiv", arxivPrefix.ReplaceAllString(v, ""))
	}
	if v := bibVerbatim(w.take("eprint")); v != "" {
		kind := strings.ToLower(w.line("eprinttype"))
		bare := arxivPrefix.ReplaceAllString(v, "")
		switch {
		case kind == "arxiv" || kind == "" && arxivForm.MatchString(bare):
			r.IDs = addID(r.IDs, "arxiv", bare)
			if class := w.line("eprintclass"); class != "" {
				r.Subjects = addSubject(r.Subjects, record.Subject{Scheme: "arxiv", Code: class, Label: class})
			}
		case kind == "pubmed":
			r.IDs = addID(r.IDs, "pmid", v)
		case kind != "" && plainScheme.MatchString(kind) && len(r.IDs) < maxShort:
			r.IDs = append(r.IDs, record.ID{Scheme: kind, Value: cleanLine(v, maxValue)})
		default:
			r.IDs = addID(r.IDs, "local", v)
		}
	}
	for _, scheme := range bibIDs {
		if v := bibVerbatim(w.take(scheme)); v != "" {
			r.IDs = addID(r.IDs, scheme, v)
		}
	}
	for _, v := range bibItems(w.take("identifier"), "and") {
		w.d.keepOther("identifier", bibLine(v))
	}
	urls := bibVerbatim(w.take("url"))
	if how := w.fields["howpublished"]; urls == "" && strings.Contains(how, "http") && strings.Contains(how, `\url{`) {
		urls = bibVerbatim(w.take("howpublished"))
	}
	if urls != "" {
		r.IDs = addID(r.IDs, "url", urls)
	}
	for _, k := range splitOutside(w.take("keywords"), ",;") {
		r.Subjects = addSubject(r.Subjects, subjectOf(bibLine(k)))
	}
}

var (
	arxivPrefix = regexp.MustCompile(`(?i)^arxiv:\s*`)
	plainScheme = regexp.MustCompile(`^[a-z][a-z0-9]{1,15}$`)
	isbnWord    = regexp.MustCompile(`(?i)\b(?:97[89])?[0-9]{9}[0-9X]\b`)
	isbnForm    = regexp.MustCompile(`(?i)(?:97[89][- ]?)?[0-9][-0-9 ]{7,14}[0-9X]`)
	urlCommand  = regexp.MustCompile(`\\(?:url|nolinkurl|path|href)\s*`)
)

// bibISBNs are the ISBNs of a field, which may have several, written in any way.
func bibISBNs(s string) []string {
	if s == "" {
		return nil
	}
	if _, ok := record.ISBN13(s); ok {
		return []string{s}
	}
	var out []string
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' || r == '/' || r == '(' || r == ')' }) {
		part = strings.TrimSpace(part)
		if _, ok := record.ISBN13(part); ok {
			out = append(out, part)
			continue
		}
		found := false
		for _, f := range strings.Fields(part) {
			if _, ok := record.ISBN13(f); ok {
				out, found = append(out, f), true
			}
		}
		if v := isbnWord.FindString(part); !found && v != "" {
			out = append(out, v)
		} else if v := isbnForm.FindString(part); !found && v != "" {
			out = append(out, v)
		}
	}
	return out[:min(len(out), maxShort)]
}

// bibVerbatim is the value of a field that biblatex takes as it is, such as a URL;
// BibTeX's styles want it escaped.
func bibVerbatim(s string) string {
	s = urlCommand.ReplaceAllString(strings.TrimSpace(s), "")
	if strings.ContainsAny(s, "\\{}") {
		s = verbatimUnescape.Replace(s)
	}
	return cleanLine(s, maxValue)
}

var verbatimUnescape = strings.NewReplacer(`\textasciitilde{}`, "~", `\textasciitilde `, "~", `\textasciitilde`, "~", `\~{}`, "~", `\_`, "_", `\%`, "%", `\&`, "&", `\#`, "#", `\$`, "$", `\{`, "{", `\}`, "}", `$\sim$`, "~", "{", "", "}", "")

var (
	// edtfForm is a date of EDTF, levels 0 and 1, or an interval of them.
	edtfForm  = regexp.MustCompile(`^` + edtfOne + `(?:/(?:` + edtfOne + `|\.\.)?)?$`)
	dayMonth  = regexp.MustCompile(`^([0-9]{1,2})(?:st|nd|rd|th)?[ ~.,/-]+([A-Za-z]{3,})|([A-Za-z]{3,})\.?[ ~]+([0-9]{1,2})(?:st|nd|rd|th)?$`)
	monthOnly = regexp.MustCompile(`^\{?([A-Za-z]{3,}|[0-9]{1,2})`)
)

const edtfOne = `-?[0-9]{2}[0-9X]{2}(?:-[0-9X]{2}(?:-[0-9X]{2})?)?[?~%]?`

var seasons = map[string]string{"spring": "21", "summer": "22", "autumn": "23", "fall": "23", "winter": "24"}

func (w *bibWork) date() {
	r := &w.d.Record
	date, year, month, day := bibVerbatim(w.take("date")), w.line("year"), w.line("month"), w.line("day") // "1850~" is no tie
	if edtfForm.MatchString(date) {
		r.Issued = date
		if plain := edtf(date); plain != "" && len(plain) > 7 && len(date) == 10 {
			r.Issued = plain
		}
		return
	}
	if r.Issued = edtf(date); r.Issued == "" && date != "" {
		w.extra("date", date)
	}
	if r.Issued == "" {
		r.Issued = bibYear(year, month, day)
		if r.Issued == "" && year != "" {
			w.warn("the date " + cleanLine(year, 60) + " cannot be read")
			w.extra("year", year)
		}
	}
	if r.Issued == "" && year == "" && date != "" {
		w.warn("the date " + cleanLine(date, 60) + " cannot be read")
	}
	if r.Issued == "" && month != "" {
		w.extra("month", month)
	}
}

// bibYear is a date by the fields of BibTeX: month is a name or a number, in which a day
// may stand.
func bibYear(year, month, day string) string {
	issued := edtf(year)
	if len(issued) != 4 || strings.Trim(issued, "0123456789") != "" || month == "" {
		return issued
	}
	month = strings.ToLower(month)
	if s, ok := seasons[month]; ok {
		return issued + "-" + s
	}
	if m := dayMonth.FindStringSubmatch(month); m != nil {
		month, day = m[2]+m[3], m[1]+m[4]
	}
	m := monthOnly.FindStringSubmatch(month)
	if m == nil {
		return issued
	}
	name := m[1]
	if len(name) >= 3 {
		if at := slices.Index(bibMonths, name[:3]); at >= 0 {
			name = strconv.Itoa(at + 1)
		}
	}
	return edtfParts(issued, name, day)
}

// languages reads language and langid, each a name that babel knows, a tag, or several.
func (w *bibWork) languages() {
	r := &w.d.Record
	for _, name := range []string{"language", "langid"} {
		value := w.line(name)
		if name == "langid" && len(r.Languages) > 0 {
			return
		}
		for _, one := range bibItems(strings.NewReplacer(",", " and ", ";", " and ", "/", " and ").Replace(value), "and") {
			lower := strings.TrimPrefix(strings.ToLower(one), "lang") // biblatex's keys: langfrench
			tag := babelTags[lower]
			if tag == "" {
				tag = normalLanguage(lower)
			}
			if tag == "" {
				w.extra(name, one)
			} else {
				r.Languages = addLine(r.Languages, tag, maxShort)
			}
		}
	}
}

// rest keeps what no other has taken.
func (w *bibWork) rest() {
	for name, value := range w.fields {
		switch {
		case w.used[name]:
		case bibPrivate.MatchString(name):
			w.d.Left = append(w.d.Left, name)
		default:
			w.extra(name, value)
		}
	}
}
