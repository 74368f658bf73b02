package format

import (
	"bufio"
	"html"
	"io"
	"strings"

	"wenlan/internal/record"

	"github.com/go-json-experiment/json"
)

// crossrefOut is a work as Crossref's REST API gives it (the field "message" of
// https://api.crossref.org/works/DOI), as far as a record knows it.
type crossrefOut struct {
	DOI       string            `json:"DOI,omitempty"`
	Type      string            `json:"type"`
	Title     []string          `json:"title"`
	Short     []string          `json:"short-title,omitempty"`
	Original  []string          `json:"original-title,omitempty"`
	Author    []crossrefPerson  `json:"author,omitempty"`
	Editor    []crossrefPerson  `json:"editor,omitempty"`
	Translate []crossrefPerson  `json:"translator,omitempty"`
	Issued    *cslDateOut       `json:"issued,omitempty"`
	Container []string          `json:"container-title,omitempty"`
	Volume    string            `json:"volume,omitempty"`
	Issue     string            `json:"issue,omitempty"`
	Page      string            `json:"page,omitempty"`
	Publisher string            `json:"publisher,omitempty"`
	Place     string            `json:"publisher-location,omitempty"`
	Language  string            `json:"language,omitempty"`
	ISBN      []string          `json:"ISBN,omitempty"`
	ISSN      []string          `json:"ISSN,omitempty"`
	Subject   []string          `json:"subject,omitempty"`
	Abstract  string            `json:"abstract,omitempty"` // JATS
	License   []crossrefLicence `json:"license,omitempty"`
	URL       string            `json:"URL,omitempty"`
	Resource  *crossrefResource `json:"resource,omitempty"`
	Alternate []string          `json:"alternative-id,omitempty"`
}

type crossrefPerson struct {
	ORCID    string `json:"ORCID,omitempty"` // as https://orcid.org/…
	Given    string `json:"given,omitempty"`
	Family   string `json:"family,omitempty"`
	Suffix   string `json:"suffix,omitempty"`
	Name     string `json:"name,omitempty"` // of a body, or as a whole
	Sequence string `json:"sequence"`
}

type crossrefLicence struct {
	URL     string `json:"URL"`
	Version string `json:"content-version"`
}

type crossrefResource struct {
	Primary struct {
		URL string `json:"URL"`
	} `json:"primary"`
}

// crossrefTypes are the types of https://api.crossref.org/types; a song and an image
// have none there.
var crossrefTypes = map[record.Kind]string{
	record.Book: "book", record.Article: "journal-article", record.Chapter: "book-chapter", record.Thesis: "dissertation",
	record.Report: "report", record.Issue: "journal-issue", record.Dataset: "dataset",
}

func newCrossrefWriter(w io.Writer) Writer { return newLineWriter(w, writeCrossref) }

// crossrefText is text where Crossref has markup (<i>, <sub>) and entities: its own
// brackets and ampersands are written as entities.
func crossrefText(s string) string { return crossrefEscape.Replace(s) }

var crossrefEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// writeCrossref writes a work as a line of JSON. The first alternative-id is the
// record's id in the document, by which parseCrossref tells records of one DOI apart.
func writeCrossref(w *bufio.Writer, r Exported) error {
	rec, box := r.Record, r.container()
	c := cslOf(r)
	text := crossrefText
	out := crossrefOut{
		DOI: c.DOI, Type: crossrefTypes[rec.Kind], Title: []string{text(rec.Title)}, Short: oneOrNone(text(c.Short)), Original: oneOrNone(text(c.Original)),
		Author: crossrefPeople(c.Author), Editor: crossrefPeople(c.Editor), Translate: crossrefPeople(c.Translator),
		Issued: c.Issued, Container: oneOrNone(text(box.Title)), Volume: text(box.Volume), Issue: text(box.Issue), Page: text(box.Pages),
		Publisher: text(rec.Publisher), Place: text(rec.Place), Language: c.Language, ISBN: r.allIDs("isbn"), ISSN: oneOrNone(box.ISSN),
		Abstract: jatsAbstract(rec.Abstract), URL: c.URL, Alternate: append([]string{exportID(r)}, r.otherIDs([]string{"isbn"}, []string{"doi"})...),
	}
	if out.Type == "" {
		out.Type = "other"
	}
	if c.DOI != "" {
		out.URL = "https://doi.org/" + c.DOI
		if c.URL != "" {
			out.Resource = &crossrefResource{}
			out.Resource.Primary.URL = c.URL
		}
	}
	for _, s := range rec.Subjects {
		if word := keyword(s); word != "" {
			out.Subject = append(out.Subject, word)
		}
	}
	if r.Rights != nil && strings.HasPrefix(r.Rights.Licence, "http") {
		out.License = []crossrefLicence{{r.Rights.Licence, "vor"}}
	}
	raw, err := json.Marshal(out, outJSON)
	if err != nil {
		return err
	}
	_, _ = w.Write(raw)
	return w.WriteByte('\n')
}

func oneOrNone(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func crossrefPeople(list []cslPerson) []crossrefPerson {
	var out []crossrefPerson
	for i, p := range list {
		one := crossrefPerson{Given: p.Given, Family: p.Family, Suffix: p.Suffix, Name: p.Literal, Sequence: "additional"}
		if i == 0 {
			one.Sequence = "first"
		}
		if p.ORCID != "" {
			one.ORCID = "https://orcid.org/" + p.ORCID
		}
		out = append(out, one)
	}
	return out
}

// jatsAbstract is text as a JATS abstract, with a paragraph for each line.
func jatsAbstract(s string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString("<jats:p>" + html.EscapeString(line) + "</jats:p>")
		}
	}
	return b.String()
}
