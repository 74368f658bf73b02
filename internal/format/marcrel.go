package format

import (
	"regexp"
	"strings"

	"wenlan/internal/record"
)

// marcRelations leads from linking entry fields (76X to 78X) to types of relation.
var marcRelations = map[string]string{
	"765": record.TranslationOf, "767": record.HasTranslation, "770": record.RelatedTo, "772": record.SupplementTo, "773": record.PartOf, "774": record.HasPart,
	"775": record.EditionOf, "776": record.FormatOf, "777": record.RelatedTo, "780": record.Continues, "785": record.ContinuedBy, "786": record.RelatedTo, "787": record.RelatedTo,
}

// maxRelations bounds the relations of a record.
const maxRelations = 200

func (x *marcMap) relate(r record.Relation) {
	if r.ID == nil && r.Title == "" {
		return
	}
	if len(x.r.Relations) >= maxRelations {
		x.left("7XX")
		return
	}
	x.r.Relations = append(x.r.Relations, r)
}

func (x *marcMap) hasRelation(kind string) bool {
	for i := range x.r.Relations {
		if x.r.Relations[i].Type == kind {
			return true
		}
	}
	return false
}

// relation is a linking entry. The other is named by its ISBN ($z), else its ISSN
// ($x), else its control number ($w), and by its title ($t, $s) in any case.
func (x *marcMap) relation(f *marcField) {
	own, other := x.shown(f)
	title := x.line(x.first(own, 't'))
	used := "t"
	if title == "" {
		title, used = x.line(x.first(own, 's')), "s"
	}
	if title == "" && f.tag != "773" {
		if title = x.line(x.first(own, 'a')); title != "" {
			used = "a"
		}
	}
	title = isbdJoin(title)
	var ids []record.ID
	for _, s := range x.of(f) {
		switch s.code {
		case 'z':
			if id, ok := record.NormalID("isbn", firstWord(s.value)); ok {
				ids = appendID(ids, id)
			} else {
				x.badID("ISBN", s.value, f.tag)
			}
		case 'x':
			if id, ok := record.NormalID("issn", s.value); !ok {
				x.badID("ISSN", s.value, f.tag)
			} else if x.first(f, 'z') == "" {
				ids = appendID(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		for _, s := range x.of(f) {
			if s.code != 'w' || len(ids) > 0 {
				continue
			}
			if id, ok := controlNumber(s.value); ok {
				ids = appendID(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		for _, s := range x.of(f) {
			if s.code == 'o' && len(ids) == 0 { // other item identifier
				ids = addID(ids, "", s.value)
			}
		}
		if len(ids) > 0 && ids[0].Scheme == "local" {
			ids = nil
			x.extra(f.tag, "$o "+cleanLine(x.first(f, 'o'), maxValue))
		}
		used += "o"
	}
	if len(ids) > 4 {
		ids = ids[:4]
	}
	if f.tag == "773" && x.host == nil {
		x.host = f
		used += "gq"
		if len(ids) == 0 || ids[0].Scheme == "issn" && title != "" {
			x.rest(own, used+"zxw7")
			if other != nil {
				x.rest(other, "zxw7")
			}
			return // the container says it all
		}
	}
	for i := range ids {
		x.relate(record.Relation{Type: marcRelations[f.tag], ID: &ids[i], Title: title})
	}
	if len(ids) == 0 {
		x.relate(record.Relation{Type: marcRelations[f.tag], Title: title})
	}
	x.rest(own, used+"zxw7")
	if other != nil {
		x.rest(other, "zxw7")
	}
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	if i := strings.IndexByte(word, '('); i > 0 {
		word = word[:i]
	}
	return strings.TrimRight(word, ".:;,")
}

func (x *marcMap) badID(scheme, value, tag string) {
	x.extra(tag, scheme+" "+cleanLine(value, 100))
	x.warn("the " + scheme + " " + cleanLine(value, 100) + " in field " + tag + " has a wrong check digit or form")
}

// controlNumber is a system control number (field 035): "(OCoLC)1234" names a record
// at OCLC, "(DLC)  85153773" one at the Library of Congress. A number of another
// organisation stays as it is.
func controlNumber(s string) (record.ID, bool) {
	s = cleanLine(s, maxValue)
	org, n, ok := strings.Cut(strings.TrimPrefix(s, "("), ")")
	if !ok || !strings.HasPrefix(s, "(") || org == "" || strings.TrimSpace(n) == "" {
		return record.ID{}, false
	}
	switch org {
	case "OCoLC", "OCoLC-M", "OCoLC-I":
		if n := oclcNumber(n); n != "" {
			return record.ID{Scheme: "oclc", Value: n}, true
		}
	case "DLC":
		if n := lccn(n); n != "" {
			return record.ID{Scheme: "lccn", Value: n}, true
		}
	}
	return record.ID{Scheme: "local", Value: s}, true
}

// oclcNumber is an OCLC number without its prefix (ocm, ocn, on) and leading zeros.
func oclcNumber(s string) string {
	s = strings.TrimSpace(s)
	for _, p := range []string{"ocm", "ocn", "on"} {
		if strings.HasPrefix(s, p) {
			s = s[len(p):]
			break
		}
	}
	s = strings.TrimLeft(strings.TrimSpace(s), "0")
	if s == "" || !allDigits(s) {
		return ""
	}
	return s
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// lccn is a control number of the Library of Congress in its normal form (info URI
// scheme "lccn", rules of normalisation): no blanks, nothing from a slash on, six
// digits after a hyphen.
func lccn(s string) string {
	s, _, _ = strings.Cut(strings.ReplaceAll(s, " ", ""), "/")
	if year, n, ok := strings.Cut(s, "-"); ok {
		if len(n) > 6 || !allDigits(n) {
			return ""
		}
		s = year + strings.Repeat("0", 6-len(n)) + n
	}
	if len(s) < 8 || len(s) > 12 || !allDigits(s[len(s)-8:]) {
		return ""
	}
	return strings.ToLower(s)
}

// ownNumber adds the record's number at who made it (003 and 001), by which other
// records of the same catalogue refer to it ($w).
func (x *marcMap) ownNumber() {
	if x.local == "" {
		return
	}
	org := x.org
	if org == "" {
		if len(x.local) > 3 && (strings.HasPrefix(x.local, "ocm") || strings.HasPrefix(x.local, "ocn")) && oclcNumber(x.local) != "" {
			org = "OCoLC"
		} else {
			return
		}
	}
	if id, ok := controlNumber("(" + org + ")" + x.local); ok && (org != "DLC" || id.Scheme == "lccn") {
		x.r.IDs = appendID(x.r.IDs, id)
	}
}

// numberNames are the schemes of field 024 by its first indicator.
var numberNames = map[byte]string{'0': "isrc", '1': "upc", '2': "ismn", '3': "ean", '4': "sici"}

// identifier is a number or address of the work: 010, 020, 022, 024, 035, 856.
func (x *marcMap) identifier(f *marcField) {
	used := "a"
	value := cleanLine(x.first(f, 'a'), maxValue)
	switch f.tag {
	case "010":
		if v := lccn(value); v != "" {
			x.r.IDs = appendID(x.r.IDs, record.ID{Scheme: "lccn", Value: v})
		} else if value != "" {
			x.r.IDs = appendID(x.r.IDs, record.ID{Scheme: "local", Value: value})
			x.warn("the LCCN " + value + " has not the form of one")
		}
	case "020":
		word := firstWord(value)
		if id, ok := record.NormalID("isbn", word); ok {
			x.r.IDs = appendID(x.r.IDs, id)
			if more := strings.TrimSpace(strings.TrimPrefix(value, word)); strings.Trim(more, " :;.") != "" {
				x.extra("020", strings.TrimRight(value, " :;"))
			}
		} else if value != "" {
			x.wrong("ISBN", value, f.tag)
		}
	case "022":
		if id, ok := record.NormalID("issn", value); ok {
			x.r.IDs = appendID(x.r.IDs, id)
		} else if value != "" {
			x.wrong("ISSN", value, f.tag)
		}
	case "024":
		scheme := numberNames[f.ind1]
		if f.ind1 == '7' {
			scheme, used = strings.ToLower(cleanLine(x.first(f, '2'), 40)), "a2"
		}
		if value == "" {
			break
		}
		switch scheme {
		case "doi", "isbn", "ean":
			if scheme == "ean" {
				scheme = "isbn"
			}
			if id, ok := record.NormalID(scheme, value); ok {
				x.r.IDs = appendID(x.r.IDs, id)
			} else if scheme == "isbn" { // some other article number
				x.r.IDs = appendID(x.r.IDs, record.ID{Scheme: "ean", Value: value})
			} else {
				x.wrong("DOI", value, f.tag)
			}
		case "uri", "url", "urn", "":
			x.r.IDs = addID(x.r.IDs, scheme, value)
		default:
			x.r.IDs = appendID(x.r.IDs, record.ID{Scheme: scheme, Value: value})
		}
	case "035":
		if id, ok := controlNumber(value); ok {
			x.r.IDs = appendID(x.r.IDs, id)
		} else if n := oclcNumber(value); n != "" && value[0] == 'o' {
			x.r.IDs = appendID(x.r.IDs, record.ID{Scheme: "oclc", Value: n})
		} else {
			used = "" // a number of nobody
		}
	case "856":
		// ind2 0: the resource, 1: a version of it; else what has to do with it, such as a
		// table of contents.
		if used = ""; f.ind2 != '2' && x.first(f, '3') == "" {
			used = "u"
			for _, s := range x.of(f) {
				if s.code != 'u' {
					continue
				}
				if u := cleanLine(s.value, maxValue); f.ind2 == '1' {
					x.r.IDs = appendID(x.r.IDs, record.ID{Scheme: "url", Value: u})
				} else {
					x.r.IDs = addID(x.r.IDs, "url", u)
				}
			}
		}
	}
	x.rest(f, used)
	x.rest(x.other(f), "")
}

// wrong keeps an identifier whose check digit is wrong as text, and says so.
func (x *marcMap) wrong(scheme, value, tag string) {
	x.r.IDs = appendID(x.r.IDs, record.ID{Scheme: "local", Value: value})
	x.warn("the " + scheme + " " + value + " in field " + tag + " has a wrong check digit or form")
}

// classSchemes are the schemes of classification fields.
var classSchemes = map[string]string{"050": "lcc", "055": "lcc", "060": "nlm", "070": "nal", "080": "udc", "082": "ddc", "083": "ddc", "086": "gdc", "090": "lcc", "092": "ddc"}

var primeMarks = strings.NewReplacer("/", "", "'", "", "′", "")

// class is a classification: 050 to 092; in 084 the scheme is $2, "clc" for the
// Chinese Library Classification.
func (x *marcMap) class(f *marcField) {
	scheme, used := classSchemes[f.tag], "a"
	switch {
	case f.tag == "084":
		scheme, used = strings.ToLower(cleanLine(x.first(f, '2'), 40)), "a2"
		if scheme == "cnclc" || scheme == "ztf" {
			scheme = "clc"
		}
	case f.tag == "086" && f.ind1 == '0':
		scheme = "sudocs"
	}
	for _, s := range x.of(f) {
		if s.code != 'a' {
			continue
		}
		code := cleanLine(s.value, 200)
		if scheme == "ddc" { // marks of where a number may be cut (DDC, prime marks)
			code = primeMarks.Replace(code)
		}
		if code != "" && scheme != "" {
			x.r.Subjects = addSubject(x.r.Subjects, record.Subject{Scheme: scheme, Code: code, Label: code})
		}
	}
	if scheme == "" {
		used = ""
	}
	x.rest(f, used)
}

// headingSchemes are the lists that subject headings come from, by ind2.
var headingSchemes = map[byte]string{'0': "lcsh", '1': "lcshac", '2': "mesh", '3': "nal", '5': "cash", '6': "rvm"}

// subject is a heading (6XX): its parts joined by "--", as catalogues show them.
func (x *marcMap) subject(f *marcField) {
	scheme, used := headingSchemes[f.ind2], ""
	if f.ind2 == '7' || f.tag == "655" && f.ind2 == ' ' || f.tag == "647" {
		if v := strings.ToLower(cleanLine(x.first(f, '2'), 40)); v != "" {
			scheme, used = v, "2"
		}
	}
	if f.tag == "653" { // index terms without control: each is one
		for _, s := range x.of(f) {
			if v := x.line(s.value); v != "" && s.code == 'a' {
				x.r.Subjects = addSubject(x.r.Subjects, record.Subject{Label: v})
			}
		}
		x.rest(f, "a")
		x.rest(x.other(f), "")
		return
	}
	code := headingCode(x.first(f, '0'))
	if code != "" {
		used += "0"
	}
	for i, one := range []*marcField{f, x.other(f)} {
		if one == nil {
			continue
		}
		label := x.heading(one)
		if label == "" || len(x.r.Subjects) >= maxList {
			x.rest(one, "2")
			continue
		}
		s := record.Subject{Scheme: scheme, Label: label}
		if i == 0 {
			s.Code = code
		}
		x.r.Subjects = addSubject(x.r.Subjects, s)
		x.rest(one, used+"2abcdfghjklmnopqrstvxyz")
	}
}

// heading is the text of a subject heading.
func (x *marcMap) heading(f *marcField) string {
	var b strings.Builder
	for _, s := range x.of(f) {
		if s.code < 'a' || s.code > 'z' || s.code == 'e' || s.code == 'i' || s.code == 'u' || s.code == 'w' {
			continue
		}
		v := x.line(s.value)
		if v == "" {
			continue
		}
		if b.Len() > 0 {
			switch s.code {
			case 'v', 'x', 'y', 'z':
				b.WriteString("--")
			case 't', 'b', 'n', 'p':
				b.WriteString(". ")
			case 'd', 'c':
				if v[0] == '(' {
					b.WriteByte(' ')
					break
				}
				b.WriteString(", ")
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString(v)
	}
	return cleanLine(b.String(), maxTitle)
}

// headingCode is the number of a heading in its list ($0): the end of an address,
// or what follows the organisation's code.
func headingCode(s string) string {
	s = cleanLine(s, 200)
	if strings.HasPrefix(s, "http") {
		return s[strings.LastIndexByte(s, '/')+1:]
	}
	if i := strings.IndexByte(s, ')'); i > 0 && s[0] == '(' {
		return strings.ReplaceAll(s[i+1:], " ", "")
	}
	return ""
}

// Parts of $g of field 773, as in "Vol. 24, pt. B, no. 9 (Sept. 1993), p. 235-248" and
// "第3卷第2期 (2001年), 页15-20".
var (
	hostVolume = regexp.MustCompile(`(?i)(?:\b(?:vol|v|bd|jahrg|jg|t|tome|année)\b\.?\s*|第)([0-9]+(?:[/-][0-9]+)?|[ivxlc]+\b)(?:[\s,]|卷|$)`)
	hostIssue  = regexp.MustCompile(`(?i)(?:\b(?:no|nr|num|n°|iss|issue|heft|h)\b\.?\s*|第)([0-9]+(?:[/-][0-9]+)?)(?:[\s,.(]|期|号|號|$)`)
	hostPages  = regexp.MustCompile(`(?i)(?:\b(?:pp?|pages?|s|seiten?|str|c)\b\.?\s*|[页頁])\s*([a-z]?[0-9]+(?:\s*[-–]\s*[a-z]?[0-9]+)?)`)
	hostShort  = regexp.MustCompile(`^([0-9/-]+)(?::([0-9/-]+))?(?::[0-9]+)*(?:<([0-9-]+))?$`) // $q, as in 24:9<235
)

// bareVolume is a volume without the word for it, where a number follows: "v. 7".
func bareVolume(s string) string {
	word, n, ok := strings.Cut(s, " ")
	if !ok || n == "" || n[0] < '0' || n[0] > '9' {
		return s
	}
	switch strings.ToLower(strings.TrimSuffix(word, ".")) {
	case "v", "vol", "volume", "no", "nr", "number", "bd", "band", "t", "tome", "n°", "number:", "issue", "pt":
		return n
	}
	return s
}

// cutLast is strings.Cut around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// container is what the work is part of: the host item (773), else the series.
func (x *marcMap) container() {
	box := record.Container{}
	switch {
	case x.host != nil:
		own, _ := x.shown(x.host)
		if box.Title = x.line(x.first(own, 't')); box.Title == "" {
			box.Title = x.line(x.first(own, 's'))
		}
		if id, ok := record.NormalID("issn", x.first(x.host, 'x')); ok {
			box.ISSN = id.Value
		}
		var g string
		q := cleanLine(x.first(own, 'q'), 100)
		for _, s := range x.of(own) {
			if s.code != 'g' {
				continue
			}
			v := cleanLine(s.value, 500)
			switch name, value, _ := strings.Cut(v, ":"); { // with names, as German libraries have it
			case name == "volume" && box.Volume == "":
				box.Volume = value
			case name == "number" && box.Issue == "":
				box.Issue = value
			case name == "pages" && box.Pages == "":
				box.Pages = value
			case name == "year" && strings.HasPrefix(x.r.Issued, value), name == "extent":
			case g == "":
				g = v
			default:
				x.extra("773", "$g "+v)
			}
		}
		for _, part := range []struct {
			into *string
			form *regexp.Regexp
		}{{&box.Volume, hostVolume}, {&box.Issue, hostIssue}, {&box.Pages, hostPages}} {
			if m := part.form.FindStringSubmatch(g); m != nil && *part.into == "" {
				*part.into = strings.ReplaceAll(m[1], " ", "")
			}
		}
		if m := hostShort.FindStringSubmatch(q); m != nil {
			for i, into := range []*string{&box.Volume, &box.Issue, &box.Pages} {
				if *into == "" {
					*into = m[i+1]
				}
			}
		}
		if g != "" { // the date of the part, and words, have no place
			x.extra("773", "$g "+g)
		}
		x.seriesRest(nil)
	case x.series != nil:
		own, other := x.shown(x.series)
		box.Title, box.Volume = x.seriesTitle(own), x.line(x.first(own, 'v'))
		if title, volume, ok := cutLast(box.Title, "; "); ok && box.Volume == "" && allDigits(volume) {
			box.Title, box.Volume = title, volume
		}
		box.Volume = bareVolume(box.Volume)
		for _, f := range []*marcField{x.series, other} {
			if id, ok := record.NormalID("issn", strings.TrimRight(x.seriesISSN(f), " ;,.")); ok && f != nil && box.ISSN == "" {
				box.ISSN = id.Value
			}
		}
		x.seriesRest(x.series)
	}
	if box != (record.Container{}) {
		x.r.Container = &box
	}
}
