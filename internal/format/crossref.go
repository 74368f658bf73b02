package format

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// newCrossref takes apart what Crossref gives: XML deposits, and in JSON the public
// data file ({"items":[…]}), answers of the REST API ({"message":…}), works a line
// each, or an array of works. They are told by the first byte.
//
// Sources: https://api.crossref.org/swagger-ui, https://www.crossref.org/documentation
// (public data files), Crossref deposit schema 5.4.0.
func newCrossref(r io.Reader) Elements {
	b := bufio.NewReaderSize(r, 256<<10)
	head, _ := b.Peek(3)
	if bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = b.Discard(3)
	}
	for i := 1; ; i++ {
		head, err := b.Peek(i)
		if err != nil {
			return &crossrefJSON{r: b}
		}
		switch c := head[i-1]; c {
		case ' ', '\t', '\r', '\n':
			if i < b.Size() {
				continue
			}
		case '<', 0xfe, 0xff, 0:
			return splitXML(b, crossrefSpec)
		case '[':
			return newLines(b)
		case '{':
			if oneWorkALine(b) {
				return newLines(b)
			}
		}
		return &crossrefJSON{r: b}
	}
}

// oneWorkALine says whether the first line is a work by itself, so that a broken
// line is only that.
func oneWorkALine(b *bufio.Reader) bool {
	_, _ = b.Peek(b.Size())
	head, _ := b.Peek(b.Buffered())
	line, _, more := bytes.Cut(bytes.TrimLeft(head, " \t\r\n"), []byte("\n"))
	if !more {
		return false
	}
	var o struct {
		Message  jsontext.Value `json:"message"`
		Items    jsontext.Value `json:"items"`
		Response jsontext.Value `json:"response"`
	}
	return json.Unmarshal(line, &o, lenient) == nil && o.Message == nil && o.Items == nil && o.Response == nil
}

// crossrefJSON takes JSON of Crossref apart that is one value, or several one after
// another. It follows strings and brackets only, and holds one work at a time; what
// stands around works is passed over.
type crossrefJSON struct {
	r      *bufio.Reader
	number int64
	items  bool   // within the array of works
	open   int    // objects around the array that are not yet closed
	kind   string // "message-type" of the answer
	buf    []byte
	long   bool
	ended  error
}

// maxWrappers is how deep the works of an answer may lie: response, message, items.
const maxWrappers = 4

func (e *crossrefJSON) Waits() bool { return e.r.Buffered() == 0 }

func (e *crossrefJSON) Next() (raw []byte, number int64, err error) {
	if e.ended == nil {
		raw, err := e.next()
		if err == nil {
			e.number++
			if e.long || len(raw) > MaxBulkRecord {
				return nil, e.number, errTooLong()
			}
			return raw, e.number, nil
		}
		e.ended = broken(err)
	}
	if errors.Is(e.ended, io.EOF) {
		return nil, e.number, io.EOF
	}
	return nil, e.number + 1, e.ended
}

func (e *crossrefJSON) next() ([]byte, error) {
	e.buf, e.long = e.buf[:0], false
	for {
		c, err := e.space()
		if errors.Is(err, io.EOF) && e.open == 0 && !e.items {
			return nil, io.EOF
		}
		if err != nil {
			return nil, cutOffJSON(err)
		}
		switch {
		case e.items && (c == ',' || c == ']'):
			e.items = c == ','
			_, _ = e.r.Discard(1)
		case e.items:
			if err := e.value(); err != nil {
				return nil, err
			}
			return e.buf, nil
		case e.open > 0: // what follows the works
			e.long = true // nothing of it is kept
			done, err := e.members()
			if err != nil {
				return nil, err
			}
			e.buf, e.long = e.buf[:0], false
			if done {
				e.open--
			}
		case c == '{':
			_, _ = e.r.Discard(1)
			e.kind = ""
			e.keep('{')
			done, err := e.members()
			if err != nil {
				return nil, err
			}
			if done {
				return e.answer(), nil
			}
			e.buf, e.long = e.buf[:0], false
		case c == '[':
			_, _ = e.r.Discard(1)
			e.items = true
		default:
			return nil, errs.New(errs.Corrupt, "it is neither XML nor JSON of Crossref")
		}
	}
}

// answer is an object that is complete: a work, or an answer that is none, of which
// only its type is given on, for parseCrossref to refuse.
func (e *crossrefJSON) answer() []byte {
	if e.kind == "" || e.kind == "work" {
		return e.buf
	}
	e.long = false
	raw, _ := json.Marshal(map[string]string{"message-type": e.kind})
	return raw
}

// members reads the members of an object up to its end, or, with done false, up to
// the start of the array of works. An object in "message" or "response" takes the
// place of the one that it is in.
func (e *crossrefJSON) members() (done bool, err error) {
	for {
		c, err := e.space()
		if err != nil {
			return false, cutOffJSON(err)
		}
		if c == '}' || c == ',' {
			_, _ = e.r.Discard(1)
			e.keep(c)
			if c == '}' {
				return true, nil
			}
			continue
		}
		from := len(e.buf)
		if c != '"' {
			return false, errs.New(errs.Corrupt, "it is not JSON: a name was to come, and %q came", string(rune(c)))
		}
		if err := e.value(); err != nil {
			return false, err
		}
		var key string
		if !e.long {
			key = string(e.buf[from:])
		}
		if c, err = e.space(); err != nil {
			return false, cutOffJSON(err)
		}
		if c == ':' {
			_, _ = e.r.Discard(1)
			e.keep(':')
			if c, err = e.space(); err != nil {
				return false, cutOffJSON(err)
			}
		}
		switch {
		case key == `"items"` && c == '[' && (e.kind == "" || e.kind == "work-list"):
			_, _ = e.r.Discard(1)
			e.items = true
			e.open++
			return false, nil
		case (key == `"message"` || key == `"response"`) && c == '{' && e.open < maxWrappers:
			_, _ = e.r.Discard(1)
			e.open++
			e.buf, e.long = append(e.buf[:0], '{'), false
			done, err := e.members()
			if err != nil || !done {
				return done, err
			}
			e.open--
			// The rest of the outer object, of which nothing is kept.
			work, long := len(e.buf), e.long
			e.long = true
			if done, err = e.members(); err != nil {
				return false, err
			}
			e.buf, e.long = e.buf[:work], long
			return done, nil
		}
		from = len(e.buf)
		if err := e.value(); err != nil {
			return false, err
		}
		if key == `"message-type"` && !e.long {
			_ = json.Unmarshal(e.buf[from:], &e.kind)
		}
	}
}

func cutOffJSON(err error) error {
	if errors.Is(err, io.EOF) {
		return errs.New(errs.Corrupt, "the JSON is cut off here")
	}
	return err
}

// space passes over white space and gives the byte that comes next.
func (e *crossrefJSON) space() (byte, error) {
	for {
		b, err := e.r.Peek(1)
		if err != nil {
			return 0, err
		}
		switch b[0] {
		case ' ', '\t', '\r', '\n':
			_, _ = e.r.Discard(1)
		default:
			return b[0], nil
		}
	}
}

func (e *crossrefJSON) keep(c ...byte) {
	switch {
	case e.long:
	case len(e.buf)+len(c) > MaxBulkRecord:
		e.long = true
	default:
		e.buf = append(e.buf, c...)
	}
}

// value reads one JSON value and keeps it. It takes at least one byte.
func (e *crossrefJSON) value() error {
	depth, quoted, escaped, some := 0, false, false, false
	for {
		if e.r.Buffered() == 0 {
			if _, err := e.r.Peek(1); err != nil {
				if errors.Is(err, io.EOF) && some && depth == 0 && !quoted {
					return nil // a number at the very end
				}
				return cutOffJSON(err)
			}
		}
		part, _ := e.r.Peek(e.r.Buffered())
		end := -1
		for i, c := range part {
			switch {
			case escaped:
				escaped = false
			case quoted:
				escaped = c == '\\'
				quoted = c != '"'
				if !quoted && depth == 0 {
					end = i + 1
				}
			case c == '"':
				if some && depth == 0 { // a literal ends where a string begins
					end = i
					break
				}
				quoted = true
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				if depth == 0 {
					end = max(i, 0)
					if !some {
						end = i + 1
					}
					break
				}
				if depth--; depth == 0 {
					end = i + 1
				}
			case depth == 0 && (c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\r' || c == '\n'):
				if end = i; !some {
					end = i + 1
				}
			}
			some = true
			if end >= 0 {
				break
			}
		}
		n := end
		if end < 0 {
			n = len(part)
		}
		e.keep(part[:n]...)
		_, _ = e.r.Discard(n)
		if end >= 0 {
			return nil
		}
	}
}

// crossrefKinds leads from types of Crossref (https://api.crossref.org/types) to
// kinds of record.
var crossrefKinds = map[string]record.Kind{
	"journal-article": record.Article, "proceedings-article": record.Article, "posted-content": record.Article, "peer-review": record.Article,
	"book": record.Book, "monograph": record.Book, "edited-book": record.Book, "reference-book": record.Book, "book-set": record.Book, "book-series": record.Book,
	"proceedings": record.Book, "proceedings-series": record.Book,
	"book-chapter": record.Chapter, "book-section": record.Chapter, "book-part": record.Chapter, "book-track": record.Chapter, "reference-entry": record.Chapter,
	"dissertation": record.Thesis, "report": record.Report, "report-series": record.Report, "report-component": record.Report, "standard": record.Report,
	"journal": record.Issue, "journal-volume": record.Issue, "journal-issue": record.Issue, "dataset": record.Dataset, "database": record.Dataset,
	"component": record.Other, "grant": record.Other, "other": record.Other,
}

// plainTypes are the types that a kind says by itself.
var plainTypes = map[string]bool{"journal-article": true, "book": true, "book-chapter": true, "dissertation": true, "report": true, "dataset": true, "other": true}

// crossrefRelations leads from relations of Crossref, in their hyphenated form, to
// ours. What is not here is kept as it is.
var crossrefRelations = map[string]string{
	"is-translation-of": record.TranslationOf, "has-translation": record.HasTranslation,
	"is-version-of": record.EditionOf, "has-version": record.EditionOf, "is-preprint-of": record.EditionOf, "has-preprint": record.EditionOf,
	"is-manuscript-of": record.EditionOf, "has-manuscript": record.EditionOf, "is-expression-of": record.EditionOf, "has-expression": record.EditionOf,
	"is-variant-form-of": record.FormatOf, "is-original-form-of": record.FormatOf, "is-manifestation-of": record.FormatOf, "has-manifestation": record.FormatOf,
	"is-identical-to": record.FormatOf, "is-same-as": record.FormatOf, "is-format-of": record.FormatOf, "has-format": record.FormatOf,
	"is-part-of": record.PartOf, "has-part": record.HasPart, "is-supplement-to": record.SupplementTo,
	"is-continued-by": record.ContinuedBy, "continues": record.Continues, "is-related-material": record.RelatedTo, "has-related-material": record.RelatedTo,
}

// crossrefRelation keeps a relation; a name in camelCase, as deposits have it, is
// the hyphenated one.
func (d *Described) crossrefRelation(name, scheme, value, said string) {
	var key strings.Builder
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			key.WriteByte('-')
			c |= 0x20
		}
		key.WriteRune(c)
	}
	kind := crossrefRelations[key.String()]
	if scheme == "uri" {
		scheme = "url"
	}
	if kind == "" {
		d.extraText("relation", strings.TrimSpace(key.String()+" "+value+" "+said))
		return
	}
	if id, ok := d.checkedID(scheme, value); ok {
		d.relate(kind, &id, "")
		if said != "" {
			d.extraText("relation", key.String()+" "+value+" "+said)
		}
	}
}

// crossrefName is a contributor in JSON.
type crossrefName struct {
	Given       cslText `json:"given"`
	Family      cslText `json:"family"`
	Name        cslText `json:"name"`
	Suffix      cslText `json:"suffix"`
	ORCID       cslText `json:"ORCID"`
	Affiliation []struct {
		Name cslText `json:"name"`
	} `json:"affiliation"`
}

// crossrefWork is a work of Crossref's REST API, as far as a record has a place for
// it; what else there is comes as Rest.
type crossrefWork struct {
	MessageType    cslText `json:"message-type"`
	DOI            cslText `json:"DOI"`
	Type           cslText `json:"type"`
	Title          cslList `json:"title"`
	Subtitle       cslList `json:"subtitle"`
	ShortTitle     cslList `json:"short-title"`
	OriginalTitle  cslList `json:"original-title"`
	ContainerTitle cslList `json:"container-title"`
	Volume         cslText `json:"volume"`
	Issue          cslText `json:"issue"`
	Page           cslText `json:"page"`
	ArticleNumber  cslText `json:"article-number"`
	ISSN           cslList `json:"ISSN"`
	ISBN           cslList `json:"ISBN"`
	Publisher      cslText `json:"publisher"`
	Place          cslText `json:"publisher-location"`
	Language       cslText `json:"language"`
	Abstract       cslText `json:"abstract"`
	Subject        cslList `json:"subject"`
	URL            cslText `json:"URL"`
	License        cslList `json:"license"`
	Resource       struct {
		Primary struct {
			URL cslText `json:"URL"`
		} `json:"primary"`
	} `json:"resource"`

	Issued cslDate `json:"issued"`
	Pub    cslDate `json:"published"`
	Print  cslDate `json:"published-print"`
	Online cslDate `json:"published-online"`
	Posted cslDate `json:"posted"`

	Author     []crossrefName `json:"author"`
	Editor     []crossrefName `json:"editor"`
	Translator []crossrefName `json:"translator"`
	Chair      []crossrefName `json:"chair"`

	Relation map[string]jsontext.Value `json:"relation"`
	Funder   []struct {
		Name  cslText `json:"name"`
		DOI   cslText `json:"DOI"`
		Award cslList `json:"award"`
	} `json:"funder"`

	Alternative cslList `json:"alternative-id"`

	Rest map[string]jsontext.Value `json:",embed"`
}

// registryFields say how things stand at Crossref, and change without the work: kept,
// they would make a revision of every record at every import. Reference lists are the
// work's text rather than its description.
var registryFields = []string{
	"indexed", "created", "deposited", "score", "is-referenced-by-count", "source", "prefix", "member", "content-domain", "update-policy", "reference", "assertion", "link",
	"short-container-title", "issn-type", "isbn-type", "published-other", "journal-issue",
}

// parseCrossref reads one work of Crossref, in JSON or as a deposit. Licences go to
// the extra: a bulk has no files, and they are what rights are stated for. An ISBN of
// a part is that of the whole.
func parseCrossref(raw []byte) (*Described, error) {
	if len(raw) > 0 && raw[0] == '<' {
		return parseDeposit(raw)
	}
	var w crossrefWork
	if err := json.Unmarshal(raw, &w, lenient); err != nil {
		return nil, notJSON(err)
	}
	if w.MessageType != "" && w.DOI == "" {
		return nil, errs.New(errs.Refused, "it is an answer of the type %.60q, which holds no works", string(w.MessageType))
	}
	d := &Described{ID: bulkID(string(w.DOI))}
	if id, ok := record.NormalID("doi", string(w.DOI)); ok {
		d.ID = id.Value
	}
	for i, id := range w.Alternative {
		if d.ID == "" || i == 0 && exportForm.MatchString(id) { // of a library like this one, in which two records may have one DOI
			d.ID = bulkID(id)
		} else {
			d.keepOther("alternative-id", id)
		}
	}
	r := &d.Record
	kind := string(w.Type)
	d.crossrefType(kind)
	line := func(t cslText) string { return plainMarkup(string(t), maxTitle, false) }
	var titles [4][]string
	for i, list := range []cslList{w.Title, w.Subtitle, w.ShortTitle, w.OriginalTitle} {
		for _, t := range list {
			if t = plainMarkup(t, maxTitle, false); t != "" {
				titles[i] = append(titles[i], t)
			}
		}
	}
	d.crossrefTitles(titles[0], titles[1], titles[2], titles[3])
	names := []struct {
		list []crossrefName
		role string
	}{{w.Author, "aut"}, {w.Editor, "edt"}, {w.Translator, "trl"}, {w.Chair, "orm"}}
	for _, group := range names {
		for _, n := range group.list {
			c := cslName{Literal: string(n.Name), Family: string(n.Family), Given: string(n.Given), Suffix: string(n.Suffix)}.creator(group.role)
			d.creatorID(&c, "orcid", string(n.ORCID))
			d.addCreator(c)
			for _, a := range n.Affiliation {
				d.extraText("affiliation", c.Name+": "+string(a.Name))
			}
		}
	}
	d.crossrefDates([]string{string(w.Issued), string(w.Pub), string(w.Print), string(w.Online), string(w.Posted)}, []string{"issued", "published", "published-print", "published-online", "posted"})
	r.Publisher, r.Place = line(w.Publisher), line(w.Place)
	d.addLanguage("language", string(w.Language))
	r.Abstract = plainMarkup(string(w.Abstract), maxAbstract, true)
	box := d.container()
	box.Volume, box.Issue, box.Pages = line(w.Volume), line(w.Issue), line(w.Page)
	if number := line(w.ArticleNumber); box.Pages == "" {
		box.Pages = number
	} else {
		d.extraText("article-number", number)
	}
	for _, t := range w.ContainerTitle {
		if t = plainMarkup(t, maxTitle, false); box.Title == "" {
			box.Title = t
		} else {
			d.extraText("container-title", t)
		}
	}
	d.keepID("doi", string(w.DOI))
	for _, v := range w.ISSN {
		if kind == "journal" {
			d.keepID("issn", v)
		} else {
			d.keepISSN(v)
		}
	}
	for _, v := range w.ISBN {
		d.crossrefISBN(v, box.Title)
	}
	for _, v := range []cslText{w.URL, w.Resource.Primary.URL} {
		d.keepID("url", string(v))
	}
	d.crossrefUntitled(kind)
	d.dropEmptyContainer()
	for _, s := range w.Subject {
		r.Subjects = addSubject(r.Subjects, subjectOf(s))
	}
	for _, l := range w.License {
		d.extraText("license", l)
	}
	for _, f := range w.Funder {
		d.extraText("funder", strings.Join(append([]string{string(f.Name), string(f.DOI)}, f.Award...), " "))
	}
	for _, name := range slices.Sorted(maps.Keys(w.Relation)) {
		var list []struct {
			Type cslText `json:"id-type"`
			ID   cslText `json:"id"`
		}
		if json.Unmarshal(w.Relation[name], &list, lenient) != nil {
			d.leave("relation")
			continue
		}
		for _, l := range list[:min(len(list), maxList)] {
			d.crossrefRelation(name, string(l.Type), string(l.ID), "")
		}
	}
	for name, value := range w.Rest {
		d.crossrefRest(name, value)
	}
	return d, nil
}

// crossrefRest keeps a field that no place is known for, where it is short.
func (d *Described) crossrefRest(name string, value jsontext.Value) {
	if contains(registryFields, name) {
		if s := value.String(); s != "[]" && s != "{}" && s != "null" {
			d.leave(name)
		}
		return
	}
	var list cslList
	switch value.Kind() {
	case 'n', 'f':
		return
	case '"', '0', 't':
		var text any
		_ = json.Unmarshal(value, &text, lenient)
		if s, ok := text.(string); ok {
			d.extraText(name, s)
		} else {
			d.extraText(name, value.String())
		}
		return
	}
	var date cslDate
	if value.Kind() == '{' && json.Unmarshal(value, &date, lenient) == nil && date != "" {
		d.extraText(name, string(date))
		return
	}
	if value.Kind() == '[' && bytes.IndexByte(value, '{') < 0 && json.Unmarshal(value, &list, lenient) == nil {
		for _, v := range list {
			d.extraText(name, v)
		}
		return
	}
	if value.Compact() == nil && len(value) <= maxValue && len(value) > 2 {
		d.extraText(name, string(value))
	} else if len(value) > 2 {
		d.leave(name)
	}
}

// crossrefType sets the kind, and keeps the type where the kind does not say it.
func (d *Described) crossrefType(kind string) {
	d.Record.Kind = record.Other
	if k, ok := crossrefKinds[kind]; ok {
		d.Record.Kind = k
	}
	if !plainTypes[kind] {
		d.extraText("type", kind)
	}
}

// crossrefTitles sets the titles. The original title is that of the work of which
// this is a translation (deposit schema, original_language_title).
func (d *Described) crossrefTitles(titles, sub, short, original []string) {
	r := &d.Record
	for i, t := range titles {
		if i == 0 {
			r.Title = cleanLine(t, maxTitle)
		} else {
			d.addAlt(t)
		}
	}
	for i, t := range sub {
		if i == 0 && r.Title != "" {
			d.addAlt(r.Title + ": " + t)
		} else {
			d.addAlt(t)
		}
	}
	for _, t := range short {
		d.addAlt(t)
	}
	for _, t := range original {
		if cleanLine(t, maxTitle) != r.Title {
			d.addAlt(t)
			d.relate(record.TranslationOf, nil, t)
		}
	}
}

// crossrefDates sets the date of issue: the first that can be read. Others that
// differ are kept by their names.
func (d *Described) crossrefDates(dates, names []string) {
	for i, date := range dates {
		switch {
		case date == "" || date == d.Record.Issued:
		case d.Record.Issued == "":
			d.Record.Issued = date
		case names[i] != "published":
			d.extraText(names[i], date)
		}
	}
}

// crossrefISBN keeps an ISBN: a part's is that of the whole, which has the title.
func (d *Described) crossrefISBN(value, whole string) {
	value = strings.TrimPrefix(strings.TrimPrefix(value, "https://id.crossref.org/isbn/"), "http://id.crossref.org/isbn/")
	if d.Record.Kind != record.Chapter && d.Record.Kind != record.Article {
		d.keepID("isbn", value)
		return
	}
	d.wholeISBN(value, whole)
}

// crossrefUntitled names an issue or a volume of a journal, which has no title of its
// own, after the journal.
func (d *Described) crossrefUntitled(kind string) {
	box := d.container()
	if d.Record.Title != "" || box.Title == "" || kind != "journal-issue" && kind != "journal-volume" {
		return
	}
	title := box.Title
	if box.Volume != "" {
		title += " " + box.Volume
	}
	if box.Issue != "" {
		title += " (" + box.Issue + ")"
	}
	d.Record.Title = cleanLine(title, maxTitle)
}
