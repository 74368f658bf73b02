package format

import (
	"bufio"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Writer writes records in one form, one after the other.
type Writer interface {
	// Write writes one record. What it wrote may be kept back until Close.
	Write(r Exported) error
	// Close ends the document and gives what is left to the io.Writer, which it does
	// not close. Without a record before it, the document is an empty one.
	Close() error
}

// Exported is a record on its way out.
type Exported struct {
	Number int64          // the accession number, from which the record's id in the document is made
	Record record.Record  // has a title
	Files  []record.File  // jsonl only
	Rights *record.Rights // jsonl; its licence also where a form has a place for one
	Source *record.Source // jsonl only
	Said   *record.Record // jsonl only: what Source alone says, where there are Others
	Others []record.Layer // jsonl only: what the other sources of the record say
	URL    string         // of the record's page; "": the record's own first URL is the address
}

// writers is the table of forms in which records go out.
var writers = []struct {
	name string
	open func(io.Writer) Writer
}{
	{"csl", newCSLWriter},
	{"bibtex", newBibTeXWriter},
	{"ris", newRISWriter},
	{"jsonl", newOwnWriter},
	{"crossref", newCrossrefWriter},
	{"marcxml", newMARCXMLWriter},
}

// NewWriter is a writer of the form with a name; errs.Invalid where there is none.
func NewWriter(name string, w io.Writer) (Writer, error) {
	for _, f := range writers {
		if f.name == name {
			return f.open(w), nil
		}
	}
	return nil, errs.WithHint(errs.New(errs.Invalid, "there is no format %q to write", name), "what can be: "+strings.Join(WriterNames(), ", "))
}

// WriterNames lists the forms that can be written.
func WriterNames() []string {
	var out []string
	for _, f := range writers {
		out = append(out, f.name)
	}
	return out
}

// Text is one record in a form, as NewWriter writes it.
func Text(name string, r Exported) (string, error) {
	var b strings.Builder
	w, err := NewWriter(name, &b)
	if err != nil {
		return "", err
	}
	if err := w.Write(r); err != nil {
		return "", err
	}
	err = w.Close()
	return b.String(), err
}

// lineWriter is a Writer of a form in which every record stands by itself.
type lineWriter struct {
	w     *bufio.Writer
	write func(*bufio.Writer, Exported) error
}

func newLineWriter(w io.Writer, write func(*bufio.Writer, Exported) error) Writer {
	return &lineWriter{bufio.NewWriterSize(w, 64<<10), write}
}

func (l *lineWriter) Write(r Exported) error { return l.write(l.w, r) }
func (l *lineWriter) Close() error           { return l.w.Flush() }

// exportID is a record's id in a document: unique in the library, and of letters and
// digits, which every form takes.
func exportID(r Exported) string { return "wenlan" + strconv.FormatInt(r.Number, 10) }

// exportForm is the form of exportID.
var exportForm = regexp.MustCompile(`^wenlan[0-9]{1,18}$`)

// address is the URL of a record in a form that has a place for one.
func (r Exported) address() string {
	if urls := r.urls(); len(urls) > 0 {
		return urls[0]
	}
	return ""
}

// urls are the addresses of a record, its page first. What a record names as its URL
// may be anything, and who clicks on it in another program trusts the library.
func (r Exported) urls() []string {
	var out []string
	for _, u := range append([]string{r.URL}, r.allIDs("url")...) {
		if (strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://")) && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// firstID is the first identifier of a scheme, or "".
func (r Exported) firstID(scheme string) string {
	for _, id := range r.Record.IDs {
		if id.Scheme == scheme {
			return id.Value
		}
	}
	return ""
}

// allIDs are the identifiers of a scheme.
func (r Exported) allIDs(scheme string) []string {
	var out []string
	for _, id := range r.Record.IDs {
		if id.Scheme == scheme {
			out = append(out, id.Value)
		}
	}
	return out
}

// container is the record's container, empty where it has none.
func (r Exported) container() record.Container {
	if r.Record.Container == nil {
		return record.Container{}
	}
	return *r.Record.Container
}

// original is the title of the work that the record translates, or "".
func (r Exported) original() string {
	for _, rel := range r.Record.Relations {
		if rel.Type == "translation_of" && rel.Title != "" {
			return rel.Title
		}
	}
	return ""
}

// byRole are the record's creators in one of the roles; "" is an author's.
func (r Exported) byRole(roles ...string) []record.Creator {
	var out []record.Creator
	for _, c := range r.Record.Creators {
		if slices.Contains(roles, c.Role) {
			out = append(out, c)
		}
	}
	return out
}

// authorRoles are the roles of those who made the work.
var authorRoles = []string{"aut", "", "cre"}

// Year is the year of a date in EDTF, as four digits, or "" where it has no single one,
// or one before our era.
func Year(issued string) string {
	if len(issued) >= 4 && issued[:4] != "0000" && strings.Trim(issued[:4], "0123456789") == "" {
		return issued[:4]
	}
	return ""
}

// Person is a creator's name in parts: Family and Given, or else Literal alone.
type Person struct{ Family, Given, Suffix, Literal string }

// Sorted is "Family, Given, Suffix", or the name as it is.
func (p Person) Sorted() string {
	if p.Family == "" {
		return p.Literal
	}
	out := p.Family
	if p.Given != "" || p.Suffix != "" {
		out += ", " + p.Given
	}
	if p.Suffix != "" {
		out += ", " + p.Suffix
	}
	return out
}

// PersonOf takes the name of a creator apart by its sort form, which is that of its
// other names that has the words of the name, turned around at a comma. Literal is
// always the name as shown.
func PersonOf(c record.Creator) Person {
	p := Person{Literal: c.Name}
	folded := ""
	for _, alt := range c.AltNames {
		family, rest, ok := strings.Cut(alt, ", ")
		if !ok {
			continue
		}
		if folded == "" {
			folded = record.FoldText(c.Name)
		}
		given, suffix := rest, ""
		if i := strings.LastIndex(rest, ", "); i >= 0 {
			given, suffix = rest[:i], rest[i+2:]
		}
		if record.FoldText(given+family+suffix) == folded || record.FoldText(family+given+suffix) == folded {
			p.Family, p.Given, p.Suffix = family, given, suffix
			break
		}
	}
	return p
}

// guessed is PersonOf, where the name has no sort form by the rule that most names in
// Latin letters follow: the last word is the family's. A name that may be that of a
// body, or of an order that is not known, stays as it is.
func guessed(c record.Creator) Person {
	p := PersonOf(c)
	if p.Family != "" {
		return p
	}
	words := strings.Fields(c.Name)
	if len(words) < 2 || len(words) > 5 {
		return p
	}
	family := len(words) - 1
	for family > 1 && nameParticles[words[family-1]] {
		family--
	}
	for i, w := range words {
		if i >= family && i < len(words)-1 {
			continue // a particle
		}
		if !isNameWord(w) || bodyWords[strings.ToLower(strings.Trim(w, ".,"))] {
			return p
		}
	}
	if last := words[len(words)-1]; strings.HasSuffix(last, ".") || len(last) < 2 || strings.ToUpper(last) == last {
		return p // an initial or an abbreviation is no family's name
	}
	p.Family, p.Given = strings.Join(words[family:], " "), strings.Join(words[:family], " ")
	return p
}

// nameParticles stand before a family's name and belong to it.
var nameParticles = map[string]bool{"de": true, "van": true, "der": true, "den": true, "von": true, "du": true, "la": true, "le": true, "di": true, "da": true,
	"del": true, "della": true, "dos": true, "ten": true, "ter": true, "zu": true, "zur": true, "af": true, "al": true, "el": true, "bin": true, "ibn": true}

// bodyWords show that a name is that of a body.
var bodyWords = words(`academy agency archive archives army assembly association authority bank board bureau center centre chamber church city club coalition
	collaboration college commission committee community company conference confederation congress consortium contributors corporation council court department
	directorate division editors experiment federation forum foundation fund government group guild house inc institut institute institution international
	laboratories laboratory league library limited llc ltd ministry museum national network observatory office organisation organization panel parliament party
	press program programme project publications publishers publishing school schools secretariat section service services society staff state states studio
	task team trust union united universidad universita universitat universite university various world workshop writers the and of for anonymous unknown`)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// isNameWord says whether a word looks like part of a person's name in Latin letters.
func isNameWord(w string) bool {
	for i, r := range w {
		switch {
		case i == 0 && !(unicode.IsUpper(r) && unicode.Is(unicode.Latin, r)):
			return false
		case unicode.Is(unicode.Latin, r), r == '-', r == '.', r == '\'', r == '’', unicode.IsMark(r):
		default:
			return false
		}
	}
	return true
}
