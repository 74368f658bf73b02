package format

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// marcMap makes a record of what a record of MARC 21 says. MARC.md is the table of
// what goes where; here each step names its fields. The source is the MARC 21
// Format for Bibliographic Data of the Library of Congress.
type marcMap struct {
	*marcRecord
	d          *Described
	r          *record.Record
	isbd       bool       // punctuation stands between the parts of a description (leader/18)
	org, local string     // 003 and 001
	fixed      string     // 008
	title      *marcField // 245
	published  *marcField // 264 _1, else 260, else another 264
	series     *marcField // 8XX, else 490, 440
	host       *marcField // 773
	original   string     // uniform title
	translated bool
}

// marcLeft are fields of housekeeping, holdings and coded values. They are left
// aside, by name; those of local use (9XX, and tags that are no number) too.
var marcLeft = map[string]bool{
	"005": true, "006": true, "007": true, "029": true, "040": true, "042": true, "049": true, "066": true, "336": true, "337": true, "338": true,
	"841": true, "842": true, "843": true, "844": true, "845": true, "850": true, "852": true, "853": true, "854": true, "855": true, "863": true, "864": true, "865": true,
	"866": true, "867": true, "868": true, "876": true, "877": true, "878": true, "882": true, "883": true, "884": true, "885": true, "886": true, "887": true,
}

// describe makes the record.
func (m *marcRecord) describe() (*Described, error) {
	if err := m.bibliographic(); err != nil {
		return nil, err
	}
	if m.isUNIMARC() {
		m.fromUNIMARC()
	}
	d := &Described{Warnings: m.warnings}
	x := marcMap{marcRecord: m, d: d, r: &d.Record, isbd: m.leader[18] != 'c' && m.leader[18] != 'n'}
	x.link()
	for i := range m.fields {
		f := &m.fields[i]
		switch f.tag {
		case "001":
			x.local = bulkID(f.value)
		case "003":
			x.org = cleanLine(f.value, 40)
		case "008":
			x.fixed = f.value
		}
	}
	d.ID = x.local
	if x.org != "" && x.local != "" {
		d.ID = "(" + x.org + ")" + x.local
	}
	if m.leader[5] == 'd' && d.ID != "" { // Leader/05
		return &Described{ID: d.ID, Deleted: true}, nil
	}
	x.kind()
	x.ownNumber()
	for i := range m.fields {
		if f := &m.fields[i]; !f.used {
			x.field(f)
		}
	}
	x.finish()
	return d, nil
}

// bibliographic refuses what is no bibliographic record of MARC 21.
func (m *marcRecord) bibliographic() error {
	switch m.leader[6] { // Leader/06, and the other formats of MARC 21
	case 'z':
		return errs.New(errs.Refused, "it is an authority record, and describes no work")
	case 'u', 'v', 'x', 'y':
		return errs.New(errs.Refused, "it is a holdings record, and describes no work")
	case 'w':
		return errs.New(errs.Refused, "it is a classification record, and describes no work")
	case 'q':
		return errs.New(errs.Refused, "it is a community information record, and describes no work")
	}
	return nil
}

// link joins fields 880 to the fields that they repeat in another script ($6, MARC
// 21 appendix A). One that repeats none stands for a field of its own.
func (x *marcMap) link() {
	var at [100]int // by occurrence number, the 880's index and one
	any := false
	for i := range x.fields {
		f := &x.fields[i]
		if f.tag != "880" {
			continue
		}
		tag, n, ok := marcLink(x.first(f, '6'))
		if !ok || isControlTag(tag) || tag == "880" {
			continue
		}
		f.tag = tag // what it is
		if n > 0 && at[n] == 0 {
			at[n] = i + 1
			any = true
		}
	}
	if !any {
		return
	}
	for i := range x.fields {
		f := &x.fields[i]
		if tag, n, ok := marcLink(x.first(f, '6')); ok && tag == "880" && n > 0 && at[n] > 0 {
			if alt := &x.fields[at[n]-1]; alt.tag == f.tag && !alt.used && alt != f {
				f.alt, alt.used = at[n]-1, true
			}
		}
	}
}

// marcLink reads subfield $6: the tag of the other field and the occurrence number,
// as in "245-01/$1".
func marcLink(s string) (tag string, n int, ok bool) {
	if len(s) < 6 || s[3] != '-' {
		return "", 0, false
	}
	n, ok = number(s[4:6])
	return s[:3], n, ok
}

// first is the value of a field's first subfield with a code, as it is.
func (m *marcRecord) first(f *marcField, code byte) string {
	for _, s := range m.of(f) {
		if s.code == code {
			return s.value
		}
	}
	return ""
}

// other is the field 880 of a field, or nil.
func (x *marcMap) other(f *marcField) *marcField {
	if f.alt < 0 {
		return nil
	}
	return &x.fields[f.alt]
}

// shown is which of a field and its 880 is in the script of the work itself, and
// which is the other: what is in Latin letters is the cataloguer's romanisation
// where the other is not. The other is nil where there is but one.
func (x *marcMap) shown(f *marcField) (own, other *marcField) {
	alt := x.other(f)
	if alt != nil && !x.foreign(f) && x.foreign(alt) {
		return alt, f
	}
	return f, alt
}

// foreign says whether most letters of a field's text are not Latin.
func (x *marcMap) foreign(f *marcField) bool {
	n := 0
	for _, s := range x.of(f) {
		if s.code >= 'a' && s.code <= 'z' {
			n += foreignLetters(s.value)
		}
	}
	return n > 0
}

func foreignText(s string) bool { return foreignLetters(s) > 0 }

// foreignLetters counts letters that are not Latin, less those that are.
func foreignLetters(s string) (n int) {
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			if isLatinLetter(r) {
				n--
			}
		case unicode.Is(unicode.Latin, r):
			n--
		case unicode.IsLetter(r):
			n++
		}
	}
	return n
}

// line is a value as the record keeps it: clean, without the punctuation of ISBD
// that leads on to the next part.
func (x *marcMap) line(s string) string {
	s = cleanLine(s, maxTitle)
	if x.isbd {
		s = trimISBD(s)
	}
	return s
}

// rest keeps what a field says in other subfields than those that were used: under
// its tag, with the codes, and without the link to its 880.
func (x *marcMap) rest(f *marcField, used string) {
	if f == nil {
		return
	}
	var b strings.Builder
	n := 0
	var only marcSub
	for _, s := range x.of(f) {
		if s.code == '6' || strings.IndexByte(used, s.code) >= 0 {
			continue
		}
		v := cleanText(s.value, maxAbstract)
		if v == "" {
			continue
		}
		if n++; n == 1 {
			only = marcSub{s.code, v}
			continue
		}
		if n == 2 {
			b.WriteByte('$')
			b.WriteByte(only.code)
			b.WriteByte(' ')
			b.WriteString(only.value)
		}
		b.WriteString(" $")
		b.WriteByte(s.code)
		b.WriteByte(' ')
		b.WriteString(v)
	}
	switch {
	case n == 0:
	case n == 1 && only.code == 'a':
		x.extra(f.tag, only.value)
	case n == 1:
		x.extra(f.tag, "$"+string(rune(only.code))+" "+only.value)
	default:
		x.extra(f.tag, b.String())
	}
}

// maxMARCExtra bounds the values under one tag.
const maxMARCExtra = 200

func (x *marcMap) extra(tag, value string) {
	if value == "" {
		return
	}
	if x.d.Extra == nil {
		x.d.Extra = make(map[string][]string, 8)
	}
	if list := x.d.Extra[tag]; len(list) < maxMARCExtra {
		x.d.Extra[tag] = append(list, value)
		return
	}
	x.left(tag)
}

func (x *marcMap) left(tag string) {
	if !slices.Contains(x.d.Left, tag) && len(x.d.Left) < maxLeft {
		x.d.Left = append(x.d.Left, tag)
	}
}

func (x *marcMap) warn(s string) {
	if len(x.d.Warnings) < maxWarnings {
		x.d.Warnings = append(x.d.Warnings, s)
	}
}

// field takes one field; those that are weighed against each other wait for finish.
func (x *marcMap) field(f *marcField) {
	if isControlTag(f.tag) {
		switch f.tag {
		case "001", "003", "008":
		default:
			x.left(f.tag)
		}
		return
	}
	switch f.tag {
	case "010", "020", "022", "024", "035", "856":
		x.identifier(f)
	case "041":
		x.languages(f)
	case "046":
		x.rest(f, "")
	case "050", "055", "060", "070", "080", "082", "083", "084", "086", "090", "092":
		x.class(f)
	case "100", "110", "111", "700", "710", "711", "720":
		x.name(f)
	case "130", "240", "243":
		x.uniform(f)
	case "245":
		if x.title == nil {
			x.title = f
			break
		}
		x.altTitle(f)
	case "210", "222", "242", "246", "247":
		x.altTitle(f)
	case "730", "740":
		x.otherTitle(f)
	case "260", "264":
		x.imprint(f)
	case "440", "490", "800", "810", "811", "830":
		x.inSeries(f)
	case "500", "534":
		x.note(f)
	case "520":
		x.abstract(f)
	case "600", "610", "611", "630", "647", "648", "650", "651", "653", "654", "655", "656", "657", "658", "662":
		x.subject(f)
	case "765", "767", "770", "772", "773", "774", "775", "776", "777", "780", "785", "786", "787":
		x.relation(f)
	default:
		if strings.HasPrefix(f.tag, "unimarc ") {
			x.rest(f, "")
			return
		}
		if marcLeft[f.tag] || f.tag[0] == '9' || !isTag(f.tag) {
			x.left(cleanLine(f.tag, maxFieldName))
			return
		}
		x.rest(f, "")
		x.rest(x.other(f), "")
	}
}

func isTag(tag string) bool {
	_, ok := number(tag)
	return ok
}

// finish settles what several fields speak of.
func (x *marcMap) finish() {
	x.setTitle()
	x.place()
	x.date()
	x.container()
	x.codes()
	if len(x.fixed) >= 38 && x.fixed[35:38] != "   " {
		tag := marcLanguage(x.fixed[35:38])
		for _, have := range x.r.Languages {
			if strings.HasPrefix(have, tag+"-") { // 041 said it more exactly
				tag = ""
				break
			}
		}
		if tag != "" {
			x.r.Languages = addLine(x.r.Languages, tag, maxShort)
		}
	}
	if x.original != "" {
		if x.translated && !x.hasRelation(record.TranslationOf) {
			x.relate(record.Relation{Type: record.TranslationOf, Title: x.original})
		}
		if x.original != x.r.Title && !slices.Contains(x.r.AltTitles, x.original) && len(x.r.AltTitles) < maxShort {
			x.r.AltTitles = slices.Insert(x.r.AltTitles, 0, x.original)
		}
	}
}

// kind is what Leader/06 and /07, field 502 and the contents of 008 say of a book.
func (x *marcMap) kind() {
	thesis, contents := false, ""
	for i := range x.fields {
		if x.fields[i].tag == "502" {
			thesis = true
		}
	}
	if len(x.fixed) >= 28 {
		contents = x.fixed[24:28] // 008/24-27, nature of contents of books
	}
	kind := record.Other
	switch x.leader[6] {
	case 'a', 't':
		switch x.leader[7] {
		case 'm':
			kind = record.Book
			if thesis || strings.IndexByte(contents, 'm') >= 0 {
				kind = record.Thesis
			} else if strings.IndexByte(contents, 't') >= 0 {
				kind = record.Report
			}
		case 'a':
			kind = record.Chapter
		case 'b':
			kind = record.Article
		case 's':
			kind = record.Issue
		case 'i', 'c', 'd':
		default: // what the leader should not say
			kind = record.Book
		}
	case 'c', 'd', 'e', 'f', 'g', 'k', 'o', 'p', 'r':
		if k := x.leader[6]; k == 'e' || k == 'f' || k == 'k' {
			kind = record.Image
		}
	case 'i', 'j':
		kind = record.Audio
	case 'm':
		if len(x.fixed) >= 27 && x.fixed[26] == 'a' { // 008/26: numeric data
			kind = record.Dataset
		}
	}
	x.r.Kind = kind
}

// setTitle is 245, or what stands for it where it is missing or says nothing.
func (x *marcMap) setTitle() {
	if x.title != nil {
		own, other := x.shown(x.title)
		title, parallel := x.titleOf(own)
		x.r.Title = title
		var rest []string
		if other != nil {
			t, more := x.titleOf(other)
			rest = append(rest, t)
			parallel = append(parallel, more...)
			x.rest(other, "abnpkfgs")
		}
		for _, t := range append(rest, parallel...) {
			if t != x.r.Title {
				x.r.AltTitles = addLine(x.r.AltTitles, t, maxShort)
			}
		}
		x.rest(own, "abnpkfgs")
	}
	if x.r.Title == "" && x.original != "" {
		x.r.Title = x.original
	}
	if x.r.Title == "" && len(x.r.AltTitles) > 0 {
		x.r.Title, x.r.AltTitles = x.r.AltTitles[0], x.r.AltTitles[1:]
		if len(x.r.AltTitles) == 0 {
			x.r.AltTitles = nil
		}
	}
	for i, t := range x.r.AltTitles {
		if t == x.r.Title {
			x.r.AltTitles = slices.Delete(x.r.AltTitles, i, i+1)
			break
		}
	}
}

// titleOf joins the parts of a title (field 245 and those like it): $a, numbers and
// names of parts ($n, $p), the subtitle or parallel title ($b), and where there is
// no $a the form of an archive's title ($k, $f, $g). What ISBD (sections 1.1 to
// 1.3) puts between them is resolved: "A / B" keeps A, "A = B" gives a parallel
// title, "A : B" is "A: B".
func (x *marcMap) titleOf(f *marcField) (title string, parallel []string) {
	var b []byte // one string at the end
	codes := "abnps"
	if x.first(f, 'a') == "" {
		codes = "abnpskfg"
	}
	last, ended := byte(0), byte(0) // the code before, and the mark at its end
	into := &b
	var second []byte
	for _, s := range x.of(f) {
		if strings.IndexByte(codes, s.code) < 0 {
			continue
		}
		v := cleanLine(s.value, maxTitle)
		mark := byte(0)
		if x.isbd {
			v, mark = isbdMark(v)
			v = trimISBD(v)
		}
		if v == "" {
			continue
		}
		if ended == '=' && s.code == 'b' {
			into = &second
		}
		if x.isbd {
			first, more, found := strings.Cut(v, " = ")
			if found && into == &b {
				parallel = append(parallel, isbdJoin(more))
				v = first
			}
			v = isbdJoin(v)
		}
		if len(*into) > 0 {
			switch {
			case v[0] == '(': // a qualifier of a key title
				*into = append(*into, ' ')
			case s.code == 'b' && ended == ';':
				*into = append(*into, "; "...)
			case s.code == 'b':
				*into = append(*into, ": "...)
			case s.code == 'p' && last == 'n', s.code == 'f', s.code == 'g':
				*into = append(*into, ", "...)
			case s.code == 'a': // repeated against the rules
				*into = append(*into, "; "...)
			default:
				*into = append(*into, ". "...)
			}
		}
		*into = append(*into, v...)
		last, ended = s.code, mark
	}
	if len(second) > 0 {
		parallel = append(parallel, string(second))
	}
	title = cleanLine(string(b), maxTitle)
	if x.isbd && strings.HasPrefix(title, "[") && strings.IndexByte(title, ']') == len(title)-1 { // supplied by the cataloguer
		title = title[1 : len(title)-1]
	}
	return title, parallel
}

// altTitle is a varying title, a former one, a key title, a related one.
func (x *marcMap) altTitle(f *marcField) {
	if len(x.r.AltTitles) >= maxShort {
		x.rest(f, "")
		return
	}
	for _, one := range []*marcField{f, x.other(f)} {
		if one == nil {
			continue
		}
		t, parallel := x.titleOf(one)
		for _, t := range append([]string{t}, parallel...) {
			x.r.AltTitles = addLine(x.r.AltTitles, t, maxShort)
		}
		x.rest(one, "abnpkfgsi")
	}
}

// otherTitle is a title without a name (730, 740): of a part of this (ind2 2), else of
// another work (730), or another title of this one (740, before 1993).
func (x *marcMap) otherTitle(f *marcField) {
	if f.tag == "740" && f.ind2 != '2' {
		x.altTitle(f)
		return
	}
	own, other := x.shown(f)
	kind := record.RelatedTo
	if f.ind2 == '2' {
		kind = record.HasPart
	}
	title, _ := x.titleOf(own)
	x.relate(record.Relation{Type: kind, Title: title})
	x.rest(own, "anp")
	x.rest(other, "")
}

// collective are titles that stand for many works of one author (RDA 6.2.2.10, 6.14.2.8,
// 6.19.2.5), folded: they name none.
var collective = map[string]bool{
	"works": true, "selections": true, "poems": true, "poetry": true, "plays": true, "novels": true, "shortstories": true, "essays": true, "prose": true, "proseworks": true, "speeches": true, "correspondence": true, "letters": true,
	"lawsetc": true, "treatiesetc": true, "constitution": true, "music": true, "vocalmusic": true, "instrumentalmusic": true, "songs": true, "sonatas": true, "symphonies": true, "quartets": true, "concertos": true, "operas": true, "pianomusic": true, "organmusic": true, "chambermusic": true, "orchestramusic": true, "keyboardmusic": true, "choralmusic": true, "librettos": true, "lyrics": true, "posters": true, "sermons": true, "dialogues": true,
}

// uniform is a uniform title (130, 240): the name of the work, under which its
// editions and translations stand together.
func (x *marcMap) uniform(f *marcField) {
	own, other := x.shown(f)
	for _, one := range []*marcField{own, other} {
		if one == nil {
			continue
		}
		t, _ := x.titleOf(one)
		if base, _, _ := strings.Cut(t, " ("); collective[record.FoldText(base)] {
			x.rest(one, "")
			continue
		}
		if x.first(one, 'l') != "" { // language of the text, so this is a translation
			x.translated = true
		}
		if x.original == "" {
			x.original = t
		} else {
			x.r.AltTitles = addLine(x.r.AltTitles, t, maxShort)
		}
		x.rest(one, "anp")
	}
}

// note keeps a general note, and takes the original title out of one that says
// "Translation of: …".
func (x *marcMap) note(f *marcField) {
	text := cleanLine(x.first(f, 'a'), maxTitle)
	for _, before := range []string{"Translation of: ", "Translation of ", "Originally published as: ", "Originally published under the title: "} {
		if len(text) > len(before) && strings.EqualFold(text[:len(before)], before) && f.tag == "500" {
			title := strings.Trim(trimISBD(text[len(before):]), `"“”`)
			if len(title) < 200 && !x.hasRelation(record.TranslationOf) {
				kind := record.EditionOf
				if strings.HasPrefix(before, "Tr") {
					kind = record.TranslationOf
				}
				x.relate(record.Relation{Type: kind, Title: title})
			}
			break
		}
	}
	x.rest(f, "")
	x.rest(x.other(f), "")
}

// abstract is a summary (520, unless it is a review or a warning of contents).
func (x *marcMap) abstract(f *marcField) {
	own, other := x.shown(f)
	if f.ind1 == '1' || f.ind1 == '4' || len(x.r.Abstract) >= maxAbstract { // or there is no room for more
		x.rest(f, "")
		x.rest(x.other(f), "")
		return
	}
	text := cleanText(x.first(own, 'a'), maxAbstract)
	if b := cleanText(x.first(own, 'b'), maxAbstract); b != "" {
		text += "\n" + b
	}
	if x.r.Abstract != "" {
		text = x.r.Abstract + "\n" + text
	}
	x.r.Abstract = cleanText(text, maxAbstract)
	x.rest(own, "ab")
	x.rest(other, "")
}
