package format

import (
	"bufio"
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"wenlan/internal/record"
)

// marcXMLWriter writes MARC 21 in XML (Library of Congress, MARC 21 XML Schema,
// "slim"), as MARC.md says. What is written is read back by parseMARCXML as the same
// record, as far as MARC has a place for it; identifiers and subjects come back in the
// order of their fields.
type marcXMLWriter struct {
	w     *bufio.Writer
	began bool
}

func newMARCXMLWriter(w io.Writer) Writer { return &marcXMLWriter{w: bufio.NewWriterSize(w, 64<<10)} }

func (m *marcXMLWriter) begin() {
	if !m.began {
		m.began = true
		_, _ = m.w.WriteString(xml.Header + `<collection xmlns="http://www.loc.gov/MARC21/slim">` + "\n")
	}
}

func (m *marcXMLWriter) Write(r Exported) error {
	m.begin()
	out := marcOut{Exported: r}
	out.fill()
	_, _ = m.w.WriteString("<record>\n  <leader>" + out.leader() + "</leader>\n")
	slices.SortStableFunc(out.fields, func(a, b outField) int { return strings.Compare(a.order(), b.order()) })
	for _, f := range out.fields {
		if f.value != "" {
			_, _ = m.w.WriteString(`  <controlfield tag="` + f.tag + `">`)
			_ = xml.EscapeText(m.w, []byte(f.value))
			_, _ = m.w.WriteString("</controlfield>\n")
			continue
		}
		_, _ = m.w.WriteString(`  <datafield tag="` + f.tag + `" ind1="` + f.ind[:1] + `" ind2="` + f.ind[1:] + "\">\n")
		for i := 0; i+1 < len(f.subs); i += 2 {
			_, _ = m.w.WriteString(`    <subfield code="` + f.subs[i] + `">`)
			_ = xml.EscapeText(m.w, []byte(f.subs[i+1]))
			_, _ = m.w.WriteString("</subfield>\n")
		}
		_, _ = m.w.WriteString("  </datafield>\n")
	}
	_, err := m.w.WriteString("</record>\n")
	return err
}

func (m *marcXMLWriter) Close() error {
	m.begin()
	_, _ = m.w.WriteString("</collection>\n")
	return m.w.Flush()
}

// marcOut gathers the fields of a record.
type marcOut struct {
	Exported
	fields []outField
	links  int // fields 880 so far
}

type outField struct {
	tag, ind string   // ind: both indicators
	value    string   // of a control field
	subs     []string // codes and values in turn
}

// order is by tag; persons and bodies (700 to 711) stay in their order.
func (f outField) order() string {
	if f.tag == "710" {
		return "700"
	}
	return f.tag
}

// add appends a field of subfields, given as codes and values; those without a value
// are left out, and so is a field that has none.
func (m *marcOut) add(tag, ind string, subs ...string) {
	var kept []string
	for i := 0; i+1 < len(subs); i += 2 {
		if v := strings.TrimSpace(subs[i+1]); v != "" {
			kept = append(kept, subs[i], v)
		}
	}
	if len(kept) > 0 {
		m.fields = append(m.fields, outField{tag: tag, ind: ind, subs: kept})
	}
}

// marcKinds are Leader/06-07 of each kind.
var marcKinds = map[record.Kind]string{
	record.Book: "am", record.Article: "ab", record.Chapter: "aa", record.Thesis: "am", record.Report: "am", record.Issue: "as",
	record.Dataset: "mm", record.Audio: "im", record.Image: "km", record.Other: "om", "": "am",
}

// leader says: a new record, UTF-8, made without much looking (Leader/17 u), and no
// punctuation of ISBD between its parts (Leader/18 c).
func (m *marcOut) leader() string {
	kind := marcKinds[m.Record.Kind]
	if kind == "" {
		kind = "om"
	}
	return "00000n" + kind + " a2200000uc 4500"
}

func (m *marcOut) fill() {
	r := &m.Record
	m.fields = append(m.fields, outField{tag: "001", value: exportID(m.Exported)})
	issued := m.fixed()
	m.ids()
	m.languages()
	m.creators()
	m.titles()
	m.add("264", " 1", "a", r.Place, "b", r.Publisher, "c", issued)
	if r.Kind == record.Thesis {
		m.add("502", "  ", "a", "Thesis")
	}
	m.add("520", "3 ", "a", r.Abstract)
	if m.Rights != nil {
		m.add("540", "  ", "a", m.Rights.Licence)
	}
	m.subjects()
	m.relations()
	if m.URL != "" {
		m.add("856", "42", "3", "Catalogue record", "u", m.URL)
	}
}

// fixed writes 008, and gives the date as field 264 says it: what 008 has no code for
// is only there.
func (m *marcOut) fixed() (stated string) {
	r := &m.Record
	dates, stated := m.dates(r.Issued)
	rest := []byte("||||||||||||||||") // 18 to 33
	switch r.Kind {
	case record.Thesis:
		rest[24-18] = 'm'
	case record.Report:
		rest[24-18] = 't'
	case record.Dataset:
		rest[26-18] = 'a'
	}
	lang := "und"
	if len(r.Languages) > 0 {
		lang = marcCode(r.Languages[0])
	}
	m.fields = append(m.fields, outField{tag: "008", value: "000000" + dates + "xx " + string(rest) + "|" + lang + "|d"})
	return stated
}

// dates are 008/06-14 for a date in EDTF, and the date in words.
func (m *marcOut) dates(issued string) (fixed, stated string) {
	serial := m.Record.Kind == record.Issue
	year := func(s string) string {
		if len(s) != 4 || s == "0000" || strings.Trim(s, "0123456789X") != "" || strings.Contains(strings.TrimRight(s, "X"), "X") || strings.HasPrefix(s, "X") || s[1] == 'X' {
			return ""
		}
		return strings.ReplaceAll(s, "X", "u")
	}
	from, to, span := strings.Cut(issued, "/")
	switch {
	case issued == "":
		return "nuuuuuuuu", ""
	case !span && year(issued) != "":
		return "s" + year(issued) + "    ", issued
	case !span && len(issued) >= 7 && issued[4] == '-' && year(issued[:4]) != "":
		monthDay := strings.ReplaceAll(issued[5:], "-", "")
		if len(monthDay) <= 4 && allDigits(monthDay) {
			return "e" + issued[:4] + (monthDay + "    ")[:4], issued
		}
	case span && to == ".." && year(from) != "" && serial:
		return "c" + year(from) + "9999", from + "-"
	case span && to == ".." && year(from) != "":
		return "m" + year(from) + "9999", from + "-"
	case span && to == "" && year(from) != "":
		return "u" + year(from) + "uuuu", from + "-"
	case span && year(from) != "" && year(to) != "" && serial:
		return "d" + year(from) + year(to), from + "-" + to
	case span && year(from) != "" && year(to) != "":
		return "m" + year(from) + year(to), from + "-" + to
	case span && strings.HasSuffix(from, "?") && strings.HasSuffix(to, "?") && year(from[:len(from)-1]) != "" && year(to[:len(to)-1]) != "":
		return "q" + year(from[:len(from)-1]) + year(to[:len(to)-1]), "between " + from[:len(from)-1] + " and " + to[:len(to)-1]
	case eraWords(from) != "" && !span:
		m.add("046", "  ", "a", "b", "b", strconv.Itoa(yearsBC(from)))
		return "b        ", eraWords(from)
	case eraWords(from) != "" && !strings.ContainsAny(issued, "?~%") && (yearsBC(to) > 0 || year(to) != "" && allDigits(to)):
		code, year, words := "d", strconv.Itoa(yearsBC(to)), eraWords(to)
		if words == "" {
			code, year, words = "e", to, strings.TrimLeft(to, "0")+" A.D."
		}
		m.add("046", "  ", "a", "b", "b", strconv.Itoa(yearsBC(from)), code, year)
		return "b        ", eraWords(from) + "-" + words
	case !span && strings.HasSuffix(issued, "~"):
		return "|||||||||", "ca. " + strings.TrimSuffix(issued, "~")
	}
	return "|||||||||", issued
}

// yearsBC is how many years before our era a year of EDTF is, with its mark or without,
// or 0 for another: 0000 is 1, -0299 is 300.
func yearsBC(s string) int {
	s = strings.TrimRight(s, "?~%")
	n, err := strconv.Atoi(s)
	if err != nil || n > 0 || n <= -9999 || len(s) != 5 && s != "0000" {
		return 0
	}
	return 1 - n
}

// eraWords is a year before our era in words: "ca. 300 B.C."; "" for another.
func eraWords(s string) string {
	n := yearsBC(s)
	if n == 0 {
		return ""
	}
	words := strconv.Itoa(n) + " B.C."
	if mark := s[len(s)-1]; mark == '?' || mark == '%' {
		words += "?"
	}
	if mark := s[len(s)-1]; mark == '~' || mark == '%' {
		words = "ca. " + words
	}
	return words
}

// marcCode is a language in the MARC code list; "und" where it has none.
func marcCode(tag string) string {
	parsed, err := language.Parse(tag)
	if err != nil {
		return "und"
	}
	base, _ := parsed.Base()
	for code, short := range marcLanguages {
		if short == base.String() && bibliographic[code] {
			return code
		}
	}
	if code := base.ISO3(); len(code) == 3 {
		return code
	}
	return "und"
}

// bibliographic are the codes of ISO 639-2/B that are not those of 639-2/T.
var bibliographic = words("alb arm baq bur chi cze dut fre geo ger gre ice mac mao may per rum slo tib wel")

// languages writes 041, where 008 cannot say it all.
func (m *marcOut) languages() {
	list := m.Record.Languages
	if len(list) == 0 || len(list) == 1 && marcLanguage(marcCode(list[0])) == list[0] {
		return
	}
	codes, plain := []string{}, true
	for _, tag := range list {
		code := marcCode(tag)
		plain = plain && marcLanguage(code) == tag
		codes = append(codes, "a", code)
	}
	if plain {
		m.add("041", "  ", codes...)
		return
	}
	codes = codes[:0]
	for _, tag := range list {
		codes = append(codes, "a", tag)
	}
	m.add("041", " 7", append(codes, "2", "rfc5646")...)
}

// ids writes the identifiers that have a field of their own there, the others with
// their scheme in 024.
func (m *marcOut) ids() {
	for _, id := range m.Record.IDs {
		switch id.Scheme {
		case "lccn":
			m.add("010", "  ", "a", id.Value)
		case "isbn":
			m.add("020", "  ", "a", id.Value)
		case "issn":
			m.add("022", "  ", "a", id.Value)
		case "oclc":
			m.add("035", "  ", "a", "(OCoLC)"+id.Value)
		case "url":
			m.add("856", "40", "u", id.Value)
		case "isrc", "upc", "ismn", "ean", "sici":
			ind := map[string]string{"isrc": "0 ", "upc": "1 ", "ismn": "2 ", "ean": "3 ", "sici": "4 "}[id.Scheme]
			m.add("024", ind, "a", id.Value)
		case "local":
			if back, ok := controlNumber(id.Value); ok && back == id {
				m.add("035", "  ", "a", id.Value)
				break
			}
			m.add("024", "8 ", "a", id.Value)
		default:
			m.add("024", "7 ", "a", id.Value, "2", id.Scheme)
		}
	}
}

// titles writes 245, 246 for other titles.
func (m *marcOut) titles() {
	main, more, _ := strings.Cut(m.Record.Title, ": ")
	if main == "" || strings.TrimSpace(main) != main || more == "" || strings.TrimSpace(more) != more || more[0] == '(' { // "(" begins a qualifier there
		main, more = m.Record.Title, ""
	}
	ind := "00"
	if len(m.Record.Creators) > 0 && mainEntry(m.Record.Creators[0].Role) {
		ind = "10"
	}
	m.add("245", ind, "a", main, "b", more)
	for _, t := range m.Record.AltTitles {
		m.add("246", "3 ", "a", t)
	}
}

// mainEntry says whether a creator with a role stands at the head of a record (1XX).
func mainEntry(role string) bool { return role == "" || slices.Contains(authorRoles, role) }

// creators writes the first one, if it is an author, in 1XX, the others in 7XX. A name
// in another script than Latin has its romanisation in the field, and itself in 880.
func (m *marcOut) creators() {
	for i, c := range m.Record.Creators {
		tag := "7"
		if i == 0 && mainEntry(c.Role) {
			tag = "1"
		}
		kind, ind, name := "00", "0 ", c.Name
		person := guessed(c)
		sorted := person.Sorted()
		if back, ok := uninvert(sorted); ok && back == c.Name && person.Family != "" {
			ind, name = "1 ", sorted
		} else if hasBodyWord(c.Name) {
			kind, ind = "10", "2 "
		}
		role := c.Role
		if role == "" {
			role = "aut"
		}
		more := []string{"4", role}
		for _, id := range c.IDs {
			if s, code := headingID(id); s != "" {
				more = append(more, code, s)
			}
		}
		if latin, latinInd := romanised(c); latin != "" {
			m.links++
			n := strconv.Itoa(m.links)
			if m.links < 10 {
				n = "0" + n
			}
			if m.links < 100 {
				m.add(tag+kind, latinInd, append([]string{"6", "880-" + n, "a", latin}, more...)...)
				m.add("880", ind, "6", tag+kind+"-"+n, "a", name)
				continue
			}
		}
		m.add(tag+kind, ind, append([]string{"a", name}, more...)...)
	}
}

func hasBodyWord(name string) bool {
	for _, w := range strings.Fields(name) {
		if bodyWords[strings.ToLower(strings.Trim(w, ".,()"))] {
			return true
		}
	}
	return false
}

// romanised is the form in Latin letters of a name in another script, and its
// indicators; "" where there is none.
func romanised(c record.Creator) (name, ind string) {
	if !foreignText(c.Name) {
		return "", ""
	}
	for _, alt := range c.AltNames {
		if foreignText(alt) {
			continue
		}
		if _, ok := uninvert(alt); ok {
			return alt, "1 "
		}
		return alt, "0 "
	}
	return "", ""
}

// headingID is an identifier of a person as $0 or $1 has it.
func headingID(id record.ID) (value, code string) {
	switch id.Scheme {
	case "orcid":
		return "https://orcid.org/" + id.Value, "1"
	case "isni":
		return "https://isni.org/isni/" + id.Value, "1"
	case "viaf":
		return "http://viaf.org/viaf/" + id.Value, "1"
	case "wikidata":
		return "http://www.wikidata.org/entity/" + id.Value, "1"
	case "gnd":
		return "(DE-588)" + id.Value, "0"
	case "lcnaf":
		return "http://id.loc.gov/authorities/names/" + id.Value, "0"
	}
	return "", ""
}

// subjects writes classes to 050 to 084, headings to 650, words without a scheme to 653.
func (m *marcOut) subjects() {
	for _, s := range m.Record.Subjects {
		if s.Code != "" && (s.Label == "" || s.Label == s.Code) {
			switch s.Scheme {
			case "lcc":
				m.add("050", " 4", "a", s.Code)
			case "nlm":
				m.add("060", " 4", "a", s.Code)
			case "udc":
				m.add("080", "  ", "a", s.Code)
			case "ddc":
				m.add("082", "04", "a", s.Code)
			case "sudocs":
				m.add("086", "0 ", "a", s.Code)
			case "":
				m.add("653", "  ", "a", s.Code)
			default:
				m.add("084", "  ", "a", s.Code, "2", s.Scheme)
			}
			continue
		}
		if s.Scheme == "" && s.Code == "" {
			m.add("653", "  ", "a", s.Label)
			continue
		}
		ind, scheme := " 7", s.Scheme
		for i, name := range headingSchemes {
			if name == s.Scheme {
				ind, scheme = " "+string(rune(i)), ""
			}
		}
		if s.Scheme == "" {
			ind = " 4"
		}
		var subs []string
		// An open date keeps its hyphen: "Nūrī, 1949---Interviews".
		label := strings.ReplaceAll(s.Label, "---", "-\x00")
		for i, part := range strings.Split(strings.ReplaceAll(label, "--", "\x00"), "\x00") {
			code := "x"
			if i == 0 {
				code = "a"
			}
			subs = append(subs, code, part)
		}
		if s.Code != "" {
			subs = append(subs, "0", "("+s.Scheme+")"+s.Code)
		}
		m.add("650", ind, append(subs, "2", scheme)...)
	}
}

// relations writes the container to 773 or 490, and relations to linking entries.
func (m *marcOut) relations() {
	host := -1 // the relation that the container is about
	if c := m.Record.Container; c != nil {
		if m.Record.Kind != record.Article && m.Record.Kind != record.Chapter && c.Issue == "" && c.Pages == "" && c.Title != "" {
			m.add("490", "0 ", "a", c.Title, "v", c.Volume, "x", c.ISSN)
		} else {
			subs := []string{"t", c.Title, "x", c.ISSN}
			for i, rel := range m.Record.Relations {
				if rel.Type == record.PartOf && (rel.Title == "" || rel.Title == c.Title) && rel.ID != nil && rel.ID.Scheme != "issn" {
					host = i
					subs = append(subs, relationID(rel)...)
					break
				}
			}
			m.add("773", "0 ", append(subs, hostParts(c)...)...)
		}
	}
	for i, rel := range m.Record.Relations {
		if i == host {
			continue
		}
		tag, ind := "787", "0 "
		for t, kind := range marcRelations {
			if kind == rel.Type && t != "770" && t != "777" && t != "786" {
				tag = t
			}
		}
		if tag == "780" || tag == "785" {
			ind = "00"
		}
		m.add(tag, ind, append([]string{"t", rel.Title}, relationID(rel)...)...)
	}
}

// hostParts are the numbers of a part, in $g with their names, as German libraries
// write them: a reader need not guess.
func hostParts(c *record.Container) []string {
	var subs []string
	for _, p := range []struct{ name, value string }{{"volume", c.Volume}, {"number", c.Issue}, {"pages", c.Pages}} {
		if p.value != "" {
			subs = append(subs, "g", p.name+":"+p.value)
		}
	}
	return subs
}

func relationID(rel record.Relation) []string {
	switch {
	case rel.ID == nil && rel.Record != nil:
		return []string{"w", "(wenlan)" + strconv.FormatInt(*rel.Record, 10)}
	case rel.ID == nil:
		return nil
	}
	switch rel.ID.Scheme {
	case "isbn":
		return []string{"z", rel.ID.Value}
	case "issn":
		return []string{"x", rel.ID.Value}
	case "oclc":
		return []string{"w", "(OCoLC)" + rel.ID.Value}
	case "lccn":
		return []string{"w", "(DLC)" + rel.ID.Value}
	case "local":
		return []string{"w", rel.ID.Value}
	}
	return []string{"o", rel.ID.Scheme + ":" + rel.ID.Value}
}
