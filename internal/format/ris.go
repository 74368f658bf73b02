package format

import (
	"bufio"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"wenlan/internal/record"
)

// risReader takes a RIS file apart: the lines from TY to ER, in UTF-8, each ended by
// LF. A record whose ER is missing ends before the next TY. What stands outside of
// records is passed over.
type risReader struct {
	src  io.Reader
	r    *bufio.Reader
	n    int64
	line []byte
	have bool // line has been read and not used
	buf  []byte
	err  error
}

func newRIS(r io.Reader) Elements { return &risReader{src: r} }

func (r *risReader) Waits() bool { return r.r == nil || r.err == nil && r.r.Buffered() == 0 }

func (r *risReader) Next() ([]byte, int64, error) {
	if r.r == nil {
		r.r = inUTF8(r.src)
	}
	r.buf = r.buf[:0]
	within, long := false, false
	for {
		line, err := r.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, r.n + 1, broken(err)
		}
		tag, _ := risTag(line)
		if err != nil || within && tag == "TY" {
			r.have = err == nil
			if !within {
				return nil, r.n, io.EOF
			}
			return r.done(long)
		}
		if !within {
			if tag == "" || tag == "ER" {
				continue
			}
			within = true
		}
		if tag == "ER" {
			return r.done(long)
		}
		if long = long || len(r.buf)+len(line) >= MaxBulkRecord; long {
			r.buf = r.buf[:0]
			continue
		}
		r.buf = append(append(r.buf, line...), '\n')
	}
}

func (r *risReader) done(long bool) ([]byte, int64, error) {
	r.n++
	if long {
		return nil, r.n, errTooLong()
	}
	return r.buf, r.n, nil
}

// next is the next line, without its end, which is LF, CR LF or CR; of one that is
// longer than a record only the first part.
func (r *risReader) next() ([]byte, error) {
	if r.have {
		r.have = false
		return r.line, nil
	}
	if r.err != nil {
		return nil, r.err
	}
	r.line = r.line[:0]
	for some := false; ; some = true {
		c, err := r.r.ReadByte()
		if err != nil {
			r.err = err
			if some && errors.Is(err, io.EOF) {
				return r.line, nil
			}
			return nil, err
		}
		switch {
		case c == '\n':
			return r.line, nil
		case c == '\r':
			if next, err := r.r.Peek(1); err == nil && next[0] == '\n' {
				_, _ = r.r.Discard(1)
			}
			return r.line, nil
		case len(r.line) <= MaxBulkRecord:
			r.line = append(r.line, c)
		}
	}
}

// risTag is the tag at the start of a line, and what follows it; "" where there is none.
// Two spaces stand between tag and hyphen; some programs write one.
func risTag(line []byte) (tag, value string) {
	if len(line) < 4 || line[0] < 'A' || line[0] > 'Z' || !(line[1] >= 'A' && line[1] <= 'Z' || line[1] >= '0' && line[1] <= '9') || line[2] != ' ' {
		return "", ""
	}
	rest := line[3:]
	if rest[0] == ' ' {
		rest = rest[1:]
	}
	if len(rest) == 0 || rest[0] != '-' || len(rest) > 1 && rest[1] != ' ' && rest[1] != '\t' {
		return "", ""
	}
	return string(line[:2]), strings.TrimSpace(string(rest[1:]))
}

// risKinds lead from the types of RIS, those of EndNote with them, to kinds of record.
var risKinds = map[string]record.Kind{
	"ABST": record.Article, "CPAPER": record.Article, "EJOUR": record.Article, "INPR": record.Article, "JOUR": record.Article, "MGZN": record.Article, "NEWS": record.Article,
	"ANCIENT": record.Book, "BOOK": record.Book, "CLSWK": record.Book, "CTLG": record.Book, "EBOOK": record.Book, "EDBOOK": record.Book, "MANSCPT": record.Book, "PAMP": record.Book, "SER": record.Book,
	"CHAP": record.Chapter, "ECHAP": record.Chapter, "DICT": record.Chapter, "ENCYC": record.Chapter, "THES": record.Thesis, "JFULL": record.Issue,
	"GOVDOC": record.Report, "RPRT": record.Report, "STAND": record.Report, "STD": record.Report, "PAT": record.Report,
	"AGGR": record.Dataset, "DATA": record.Dataset, "DBASE": record.Dataset, "MUSIC": record.Audio, "SOUND": record.Audio,
	"ART": record.Image, "CHART": record.Image, "FIGURE": record.Image, "MAP": record.Image, "SLIDE": record.Image,
}

// risWork is a reference on its way to a record.
type risWork struct {
	d      *Described
	values map[string][]string
	used   map[string]bool
}

// parseRIS reads a reference. Source: "RIS Format Specifications", Reference Manager,
// 2012; where EndNote, Zotero and ProQuest differ from it, they are followed as far as
// they do not contradict each other.
func parseRIS(raw []byte) (*Described, error) {
	w := risWork{&Described{}, map[string][]string{}, map[string]bool{}}
	last := ""
	var more []string // lines with which the last value goes on
	room := 0
	join := func() {
		if list := w.values[last]; len(more) > 0 {
			list[len(list)-1] += "\n" + strings.Join(more, "\n")
		}
		more, room = more[:0], 4*maxAbstract
	}
	for line := range strings.Lines(strings.ToValidUTF8(string(raw), "\ufffd")) {
		line = strings.TrimRight(line, "\n")
		tag, value := risTag([]byte(line))
		switch {
		case tag != "":
			join()
			last = tag
			if value != "" {
				w.values[tag] = append(w.values[tag], value)
			}
		case last == "" || strings.TrimSpace(line) == "":
		case last == "KW" || len(w.values[last]) == 0: // EndNote: a keyword on each line
			w.values[last] = append(w.values[last], strings.TrimSpace(line))
		default: // the last value goes on
			if line = strings.TrimSpace(line); len(line) < room {
				more = append(more, line)
				room -= len(line) + 1
			}
		}
	}
	join()
	r := &w.d.Record
	w.d.ID = bulkID(w.first("ID"))
	kind := w.first("TY")
	r.Kind = risKinds[kind]
	switch kind {
	case "CONF": // proceedings, or, as Zotero has it, one of their papers
		r.Kind = record.Book
		if len(w.values["T2"])+len(w.values["BT"])+len(w.values["C3"])+len(w.values["JF"])+len(w.values["SP"]) > 0 {
			r.Kind = record.Article
		}
	}
	if r.Kind == "" {
		r.Kind = record.Other
	}
	if risTypes[r.Kind] != kind && kind != "GEN" {
		w.extra("TY", kind) // what the kind does not say
	}
	w.titles()
	w.people()
	w.container()
	w.date()
	w.ids()
	for tag, list := range w.values {
		if !w.used[tag] {
			w.extra(tag, list...)
		}
	}
	return w.d, nil
}

// all are the values of a tag, which count as used.
func (w *risWork) all(tag string) []string {
	w.used[tag] = true
	return w.values[tag]
}

// first is the first value of the first of the tags that has one, on one line. Further
// ones are kept as extra.
func (w *risWork) first(tags ...string) string {
	out := ""
	for _, tag := range tags {
		for _, v := range w.all(tag) {
			if v = cleanLine(v, maxTitle); out == "" {
				out = v
			} else if v != out {
				w.extra(tag, v)
			}
		}
	}
	return out
}

func (w *risWork) extra(tag string, values ...string) {
	if w.d.Extra == nil {
		w.d.Extra = map[string][]string{}
	}
	for _, v := range values {
		if v = cleanText(v, maxAbstract); v != "" && !slices.Contains(w.d.Extra[tag][:min(len(w.d.Extra[tag]), 64)], v) {
			w.d.Extra[tag] = append(w.d.Extra[tag], v)
		}
	}
}

func (w *risWork) titles() {
	r := &w.d.Record
	tags := []string{"TI", "T1", "CT"}
	if len(w.values["TI"])+len(w.values["T1"])+len(w.values["CT"]) == 0 {
		tags = []string{"BT"}
	}
	r.Title = cleanLine(stripHTML(w.first(tags...)), maxTitle)
	for _, tag := range []string{"ST", "TT"} {
		for _, v := range w.all(tag) {
			if v = cleanLine(stripHTML(v), maxTitle); v != r.Title {
				r.AltTitles = addLine(r.AltTitles, v, maxShort)
			}
		}
	}
	if original := w.first("OP"); plainYear.MatchString(original) {
		w.extra("OP", original)
	} else if original != "" {
		rel := record.Relation{Type: "edition_of", Title: original}
		if len(w.values["A4"]) > 0 {
			rel.Type = "translation_of"
		}
		r.Relations = append(r.Relations, rel)
	}
	abstract := append(w.all("AB"), w.all("N2")...)
	for i, v := range abstract {
		if i == 0 {
			r.Abstract = cleanText(stripHTML(v), maxAbstract)
		} else if v != abstract[0] {
			w.extra("N2", v)
		}
	}
}

func (w *risWork) people() {
	for _, group := range []struct{ tag, role string }{{"AU", "aut"}, {"A1", "aut"}, {"ED", "edt"}, {"A2", "edt"}, {"A3", "edt"}, {"A4", "trl"}} {
		for _, v := range w.all(group.tag) {
			c := risPerson(v, group.role)
			if c.Name == "" || len(w.d.Record.Creators) >= maxList {
				continue
			}
			have := w.d.Record.Creators[:min(len(w.d.Record.Creators), 64)]
			if !slices.ContainsFunc(have, func(o record.Creator) bool { return o.Name == c.Name && o.Role == c.Role }) {
				w.d.Record.Creators = append(w.d.Record.Creators, c)
			}
		}
	}
}

// risPerson reads "Last, First, Suffix"; a name without a comma is one as a whole.
func risPerson(s, role string) record.Creator {
	s = strings.Trim(cleanLine(s, maxTitle), " ,;")
	family, rest, ok := strings.Cut(s, ",")
	if !ok {
		return record.Creator{Name: s, Role: role}
	}
	given, suffix := strings.TrimSpace(rest), ""
	if i := strings.LastIndexByte(rest, ','); i >= 0 {
		given, suffix = strings.TrimSpace(rest[:i]), strings.TrimSpace(rest[i+1:])
	}
	return creatorOf(strings.TrimSpace(family), given, suffix, role)
}

func (w *risWork) container() {
	r := &w.d.Record
	box := record.Container{Title: w.first("JF", "T2", "BT", "C3", "JO", "T3", "JA", "J1", "J2"), Volume: w.first("VL"), Issue: w.first("IS", "CP")}
	from, to := w.first("SP"), w.first("EP")
	if box.Pages = from; to != "" && to != from {
		if from != "" {
			from += "–"
		}
		box.Pages = from + to
	}
	if number := w.first("C7"); box.Pages == "" {
		box.Pages = number
	} else if number != "" {
		w.extra("C7", number)
	}
	r.Publisher, r.Place = w.first("PB"), w.first("CY", "PP")
	for _, v := range w.all("SN") {
		for part := range strings.FieldsFuncSeq(v, func(c rune) bool { return c == ';' || c == ',' || c == '/' || c == '\n' }) {
			w.number(&box, strings.TrimSpace(part))
		}
	}
	if box != (record.Container{}) {
		r.Container = &box
	}
	for _, list := range w.all("LA") {
		for v := range strings.FieldsFuncSeq(list, func(c rune) bool { return c == ';' || c == ',' || c == '\n' }) {
			v = strings.TrimSpace(v)
			tag := babelTags[strings.ToLower(v)]
			if tag == "" {
				tag = normalLanguage(v)
			}
			if tag == "" {
				w.extra("LA", v)
			} else {
				r.Languages = addLine(r.Languages, tag, maxShort)
			}
		}
	}
	for _, v := range w.all("KW") {
		for k := range strings.SplitSeq(v, ";") {
			r.Subjects = addSubject(r.Subjects, subjectOf(cleanLine(k, maxTitle)))
		}
	}
}

// number is an ISBN or ISSN, which the form has one tag for.
func (w *risWork) number(box *record.Container, v string) {
	r := &w.d.Record
	if list := splitIDs("issn", v); len(list) > 1 {
		for _, one := range list {
			w.number(box, one)
		}
		return
	}
	if id, ok := record.NormalID("issn", risFirst(v)); ok {
		if box.ISSN == "" {
			box.ISSN = id.Value
		} else if box.ISSN != id.Value {
			r.IDs = addID(r.IDs, "issn", id.Value)
		}
		return
	}
	isbns := bibISBNs(v)
	for _, isbn := range isbns {
		id, ok := record.NormalID("isbn", isbn)
		switch {
		case !ok:
			r.IDs = addID(r.IDs, "local", isbn)
			w.d.Warnings = append(w.d.Warnings, "the ISBN "+isbn+" has a wrong check digit")
		case r.Kind == record.Chapter: // it is the book's
			r.Relations = append(r.Relations, record.Relation{Type: "part_of", ID: &id, Title: box.Title})
		default:
			r.IDs = addID(r.IDs, "isbn", id.Value)
		}
	}
	switch {
	case len(isbns) > 0:
	case strings.ContainsAny(v, "0123456789"):
		r.IDs = addID(r.IDs, "local", v)
		w.d.Warnings = append(w.d.Warnings, "the number "+cleanLine(v, 60)+" is neither an ISBN nor an ISSN")
	default:
		w.extra("SN", v)
	}
}

func risFirst(s string) string {
	s, _, _ = strings.Cut(s, " ")
	return s
}

// date reads YYYY/MM/DD/other, or what programs write instead.
func (w *risWork) date() {
	r := &w.d.Record
	best := ""
	for _, tag := range []string{"DA", "PY", "Y1"} {
		for _, v := range w.all(tag) {
			got := risDateOf(v)
			switch {
			case got == "":
				w.extra(tag, v)
				if tag != "DA" {
					w.d.Warnings = append(w.d.Warnings, "the date "+cleanLine(v, 60)+" cannot be read")
				}
			case best == "" || tag != "DA" && Year(got) != Year(best) && Year(got) != "":
				best = got // the year of issue counts more than a date that contradicts it
			}
		}
	}
	r.Issued = best
}

func risDateOf(s string) string {
	s = cleanLine(s, 100)
	parts := strings.SplitN(s, "/", 4)
	if len(parts) == 4 && edtfForm.MatchString(parts[3]) && parts[1] == "" {
		return parts[3]
	}
	if len(parts[0]) == 4 && digits.MatchString(parts[0]) {
		parts = append(parts, "", "")
		if len(parts) >= 4 && parts[2] == "" && bibYear(parts[0], parts[3], "") != parts[0] && parts[1] == "" {
			return bibYear(parts[0], parts[3], "") // a month's name, or a season
		}
		return edtfParts(parts[0], strings.TrimSpace(parts[1]), strings.TrimSpace(parts[2]))
	}
	return edtf(strings.TrimRight(s, "/"))
}

var pmcForm = regexp.MustCompile(`^PMC\d+$`)

func (w *risWork) ids() {
	r := &w.d.Record
	for _, list := range w.all("DO") {
		for _, v := range splitIDs("doi", list) {
			if _, ok := record.NormalID("doi", v); !ok {
				w.d.Warnings = append(w.d.Warnings, "the DOI "+cleanLine(v, 100)+" has not the form of one")
			}
			r.IDs = addID(r.IDs, "doi", v)
		}
	}
	for _, v := range w.all("C2") {
		if pmcForm.MatchString(v) {
			r.IDs = addID(r.IDs, "pmcid", v)
		} else {
			w.extra("C2", v)
		}
	}
	for _, v := range w.all("AN") {
		w.d.keepOther("AN", v)
	}
	for _, tag := range []string{"UR", "L2", "LK", "L1"} {
		for _, v := range w.all(tag) {
			for u := range strings.FieldsSeq(v) {
				if u = strings.TrimRight(u, ";,"); strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "https://") {
					r.IDs = addID(r.IDs, "url", u)
				} else if tag == "L1" {
					w.d.Left = append(w.d.Left, tag) // a file on somebody's disk
				} else {
					w.extra(tag, u)
				}
			}
		}
	}
}
