package format

import (
	"bufio"
	"io"
	"strconv"
	"strings"

	"wenlan/internal/record"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// cslOut is an item of CSL-JSON 1.0.2 (csl-data.json), as it is written. An ORCID of a
// name is not in the schema; Crossref and DataCite write it there, too.
type cslOut struct {
	ID          string      `json:"id"`
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Short       string      `json:"title-short,omitempty"`
	Original    string      `json:"original-title,omitempty"`
	Author      []cslPerson `json:"author,omitempty"`
	Editor      []cslPerson `json:"editor,omitempty"`
	Translator  []cslPerson `json:"translator,omitempty"`
	Illustrator []cslPerson `json:"illustrator,omitempty"`
	Compiler    []cslPerson `json:"compiler,omitempty"`
	Contributor []cslPerson `json:"contributor,omitempty"`
	Issued      *cslDateOut `json:"issued,omitempty"`
	Container   string      `json:"container-title,omitempty"`
	Collection  string      `json:"collection-title,omitempty"`
	CollectionN string      `json:"collection-number,omitempty"`
	Volume      string      `json:"volume,omitempty"`
	Issue       string      `json:"issue,omitempty"`
	Page        string      `json:"page,omitempty"`
	Publisher   string      `json:"publisher,omitempty"`
	Place       string      `json:"publisher-place,omitempty"`
	Language    string      `json:"language,omitempty"`
	ISBN        string      `json:"ISBN,omitempty"`
	ISSN        string      `json:"ISSN,omitempty"`
	DOI         string      `json:"DOI,omitempty"`
	PMID        string      `json:"PMID,omitempty"`
	PMCID       string      `json:"PMCID,omitempty"`
	Keyword     string      `json:"keyword,omitempty"`
	Abstract    string      `json:"abstract,omitempty"`
	URL         string      `json:"URL,omitempty"`
	Custom      *cslCustom  `json:"custom,omitempty"`
}

// cslCustom is what CSL has no variable for: identifiers, as idText writes them.
type cslCustom struct {
	Identifiers []string `json:"identifiers"`
}

type cslPerson struct {
	Family  string `json:"family,omitempty"`
	Given   string `json:"given,omitempty"`
	Suffix  string `json:"suffix,omitempty"`
	Literal string `json:"literal,omitempty"`
	ORCID   string `json:"ORCID,omitempty"`
}

// cslDateOut is a date variable.
type cslDateOut struct {
	Parts   [][]int `json:"date-parts,omitempty"`
	Circa   bool    `json:"circa,omitzero"`
	Literal string  `json:"literal,omitempty"` // what date-parts cannot say, in EDTF
}

var cslTypes = map[record.Kind]string{
	record.Book: "book", record.Article: "article-journal", record.Chapter: "chapter", record.Thesis: "thesis",
	record.Report: "report", record.Issue: "periodical", record.Dataset: "dataset", record.Audio: "song", record.Image: "graphic",
}

// outJSON writes text as it is, but for what I-JSON forbids.
var outJSON = json.JoinOptions(jsontext.AllowInvalidUTF8(true), json.OmitZeroStructFields(false))

// cslWriter writes a JSON array with an item on each line.
type cslWriter struct {
	w     *bufio.Writer
	began bool
}

func newCSLWriter(w io.Writer) Writer { return &cslWriter{w: bufio.NewWriterSize(w, 64<<10)} }

func (c *cslWriter) Write(r Exported) error {
	item := cslOf(r)
	if others := r.otherIDs([]string{"isbn"}, []string{"doi", "pmid", "pmcid"}); len(others) > 0 {
		item.Custom = &cslCustom{others}
	}
	raw, err := json.Marshal(item, outJSON)
	if err != nil {
		return err
	}
	lead := ",\n"
	if !c.began {
		c.began, lead = true, "[\n"
	}
	_, _ = c.w.WriteString(lead) // the error of a bufio.Writer stays until Flush
	_, err = c.w.Write(raw)
	return err
}

func (c *cslWriter) Close() error {
	end := "\n]\n"
	if !c.began {
		end = "[]\n"
	}
	_, _ = c.w.WriteString(end)
	return c.w.Flush()
}

func cslOf(r Exported) *cslOut {
	rec, box := r.Record, r.container()
	out := &cslOut{
		ID: exportID(r), Type: cslTypes[rec.Kind], Title: rec.Title, Original: r.original(),
		Author: cslPeople(r.byRole(authorRoles...)), Editor: cslPeople(r.byRole("edt")), Translator: cslPeople(r.byRole("trl")),
		Illustrator: cslPeople(r.byRole("ill")), Compiler: cslPeople(r.byRole("com")), Contributor: cslPeople(r.byRole("ctb")),
		Issued: cslDateOf(rec.Issued), Publisher: rec.Publisher, Place: rec.Place,
		Volume: box.Volume, Issue: box.Issue, Page: box.Pages, ISSN: box.ISSN,
		ISBN: strings.Join(r.allIDs("isbn"), " "), DOI: r.firstID("doi"), PMID: r.firstID("pmid"), PMCID: r.firstID("pmcid"),
		Abstract: rec.Abstract, URL: r.address(),
	}
	if out.Type == "" {
		out.Type = "document"
	}
	if rec.Kind == record.Book && box.Title != "" { // a book's container is its series
		out.Collection, out.CollectionN, out.Volume = box.Title, box.Volume, ""
	} else {
		out.Container = box.Title
	}
	if len(rec.Languages) > 0 {
		out.Language = rec.Languages[0]
	}
	for _, t := range rec.AltTitles {
		if out.Short == "" && t != rec.Title && strings.HasPrefix(rec.Title, t) {
			out.Short = t
		}
	}
	var keys []string
	for _, s := range rec.Subjects {
		if word := keyword(s); word != "" {
			keys = append(keys, word)
		}
	}
	out.Keyword = strings.Join(keys, "; ")
	return out
}

func cslPeople(list []record.Creator) []cslPerson {
	var out []cslPerson
	for _, c := range list {
		p := guessed(c)
		one := cslPerson{Family: p.Family, Given: p.Given, Suffix: p.Suffix}
		if p.Family == "" {
			one.Literal = p.Literal
		}
		for _, id := range c.IDs {
			if id.Scheme == "orcid" {
				one.ORCID = id.Value
			}
		}
		out = append(out, one)
	}
	return out
}

// cslDateOf is a date in EDTF as CSL has it; nil for none.
func cslDateOf(issued string) *cslDateOut {
	if issued == "" {
		return nil
	}
	d := &cslDateOut{}
	plain := strings.TrimRight(issued, "~")
	d.Circa = plain != issued
	for one := range strings.SplitSeq(plain, "/") {
		parts := dateParts(one)
		if parts == nil || len(d.Parts) == 2 {
			return &cslDateOut{Literal: issued}
		}
		if parts[0] <= 0 {
			parts[0]-- // CSL has no year 0: -1 is 1 BC
		}
		d.Parts = append(d.Parts, parts)
	}
	return d
}

// dateParts are year, month and day of a date of EDTF level 0; nil for another.
func dateParts(s string) []int {
	sign := 1
	if strings.HasPrefix(s, "-") {
		sign, s = -1, s[1:]
	}
	var out []int
	for i, part := range strings.SplitN(s, "-", 4) {
		n, err := strconv.Atoi(part)
		if err != nil || i > 2 || strings.Trim(part, "0123456789") != "" || (i == 0) != (len(part) == 4) {
			return nil
		}
		out = append(out, n)
	}
	if len(out) > 1 && (out[1] < 1 || out[1] > 12) {
		return nil
	}
	out[0] *= sign
	return out
}
