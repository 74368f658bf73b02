package format

import (
	"strings"
	"unicode/utf8"

	"wenlan/internal/record"
)

// isbdMark takes the mark of ISBD from the end of a value: what it leads on to. East
// Asian cataloguing has the same marks in full width.
func isbdMark(s string) (string, byte) {
	s = strings.TrimRight(s, " ")
	if n := len(s); n >= 2 && s[n-2] == ' ' {
		switch s[n-1] {
		case '/', ':', ';', '=', ',', '+':
			return strings.TrimRight(s[:n-2], " "), s[n-1]
		}
	}
	for _, w := range []struct {
		wide string
		mark byte
	}{{"：", ':'}, {"／", '/'}, {"；", ';'}, {"＝", '='}, {"，", ','}, {"、", ','}, {"،", ','}, {"؛", ';'}} {
		if t, ok := strings.CutSuffix(s, w.wide); ok {
			return strings.TrimRight(t, " "), w.mark
		}
	}
	return s, 0
}

// trimISBD takes from the end of a value what only leads on to the next one: a mark
// of ISBD, a comma, or a full stop at the end of all that ends no abbreviation. One
// before such a mark belongs to the word: "Chicago, Ill. :".
func trimISBD(s string) string {
	t, mark := isbdMark(s)
	if mark == 0 {
		t = strings.TrimRight(t, " ,;:/=")
		if t == s {
			for _, stop := range []string{".", "．", "。"} {
				if head, ok := strings.CutSuffix(t, stop); ok && endsSentence(head) {
					return strings.TrimRight(head, " ")
				}
			}
			return t
		}
	}
	for {
		again, mark := isbdMark(t)
		if mark == 0 {
			again = strings.TrimRight(again, " ,;:/=")
		}
		if again == t {
			return t
		}
		t = again
	}
}

// abbreviations end in a full stop of their own.
var abbreviations = map[string]bool{
	"inc": true, "ltd": true, "corp": true, "bros": true, "etc": true, "dept": true, "univ": true, "assn": true, "pub": true, "pubs": true, "pty": true, "cie": true, "cent": true,
	"comp": true, "div": true, "govt": true, "intl": true, "calif": true, "penn": true, "repr": true, "ges": true, "verl": true, "hrsg": true, "abt": true, "vol": true, "vols": true, "esq": true, "rev": true, "aufl": true,
}

// shortWords are the words of two letters with which titles end; others are taken
// for initials or abbreviations.
var shortWords = map[string]bool{
	"me": true, "us": true, "it": true, "he": true, "we": true, "you": true, "in": true, "on": true, "up": true, "of": true, "to": true, "by": true, "at": true, "go": true, "is": true, "be": true, "do": true, "so": true, "am": true, "if": true, "or": true, "as": true, "my": true,
}

// endsSentence says whether a full stop after s belongs to nothing in it: the last
// word is no initial and no abbreviation.
func endsSentence(s string) bool {
	if strings.HasSuffix(s, ".") { // an ellipsis
		return false
	}
	word := s[strings.LastIndexAny(s, " .-([")+1:]
	if word == "" {
		return true
	}
	last, _ := utf8.DecodeLastRuneInString(word)
	if last == ')' || last == ']' || last == '"' || last == '”' || last >= '0' && last <= '9' || last >= 0x2e80 {
		return true
	}
	if word = strings.ToLower(word); utf8.RuneCountInString(word) < 3 {
		return shortWords[word]
	}
	return !abbreviations[word]
}

// isbdJoin writes the marks of ISBD inside a value as people do.
func isbdJoin(s string) string {
	if strings.Contains(s, " : ") {
		s = strings.ReplaceAll(s, " : ", ": ")
	}
	if strings.Contains(s, " ; ") {
		s = strings.ReplaceAll(s, " ; ", "; ")
	}
	return s
}

// marcRoles leads from the words of $e, in lower case and without a full stop, to
// MARC relator codes. What is not here is looked for in roleNames.
var marcRoles = map[string]string{
	"au": "aut", "joint author": "aut", "jt. author": "aut", "joint": "aut", "creator": "cre", "ed": "edt", "eds": "edt", "joint editor": "edt", "jt. ed": "edt", "series editor": "edt",
	"tr": "trl", "trans": "trl", "transl": "trl", "ill": "ill", "illus": "ill", "comp": "com", "arr": "arr", "arranger": "arr", "adapter": "adp", "adaptor": "adp",
	"performer": "prf", "prf": "prf", "singer": "sng", "conductor": "cnd", "instrumentalist": "itr", "musician": "mus", "vocalist": "voc", "librettist": "lbt", "lyricist": "lyr",
	"director": "drt", "film director": "fmd", "producer": "pro", "film producer": "fmp", "screenwriter": "aus", "actor": "act", "host": "hst", "speaker": "spk", "interviewee": "ive", "interviewer": "ivr",
	"publisher": "pbl", "printer": "prt", "engraver": "egr", "cartographer": "ctg", "cartographer/cartography": "ctg", "photographer": "pht", "designer": "dsr", "book designer": "bkd", "cover designer": "cov",
	"author of introduction": "aui", "author of introduction, etc": "aui", "writer of introduction": "win", "writer of foreword": "wfw", "writer of preface": "wpr", "writer of afterword": "waw", "writer of added commentary": "wac", "writer of added text": "wat",
	"author of afterword, colophon, etc": "aft", "foreword": "wfw", "sponsor": "spn", "sponsoring body": "spn", "issuing body": "isb", "host institution": "his", "degree granting institution": "dgg", "degree grantor": "dgg", "organizer": "orm", "funder": "fnd",
	"degree supervisor": "dgs", "thesis advisor": "ths", "advisor": "ths", "thesis supervisor": "ths", "dedicatee": "dte", "honoree": "hnr", "former owner": "fmo", "owner": "own", "donor": "dnr", "collector": "col", "abridger": "abr", "reviewer": "rev", "secretary": "sec",
	"verfasser": "aut", "verfasserin": "aut", "verfasserin, verfasser": "aut", "hrsg": "edt", "herausgeber": "edt", "herausgeberin": "edt", "übers": "trl", "übersetzer": "trl", "auteur": "aut", "éditeur scientifique": "edt", "traducteur": "trl", "traductor": "trl", "autor": "aut", "traduttore": "trl",
}

// marcRole is the relator code that $4 and $e of a name give; "" for none.
func (x *marcMap) marcRole(f *marcField) string {
	word := ""
	for _, s := range x.of(f) {
		switch {
		case s.code == '4':
			v := s.value[strings.LastIndexByte(s.value, '/')+1:]
			if len(v) >= 3 {
				if code := relator(v[:3], ""); code != "" && len(strings.TrimRight(v, " .")) == 3 {
					return code
				}
			}
		case word == "" && (s.code == 'e' && !strings.HasSuffix(f.tag, "11") || s.code == 'j' && strings.HasSuffix(f.tag, "11")):
			v := strings.TrimRight(strings.ToLower(cleanLine(s.value, 100)), " .,)]")
			v = strings.TrimLeft(v, " ([")
			if code, ok := marcRoles[v]; ok {
				word = code
			} else if code, ok := roleNames[v]; ok {
				word = code
			} else if isHanName(v) {
				word = hanRole(v)
			}
		}
	}
	return word
}

// name is a person, body or meeting (1XX, 7XX); one with a title ($t) is not a
// maker of this work, but what names another (ind2 2: that is part of this one).
func (x *marcMap) name(f *marcField) {
	if f.tag[0] == '7' && x.first(f, 't') != "" {
		x.nameTitle(f)
		return
	}
	own, other := x.shown(f)
	c := record.Creator{}
	var used string
	c.Name, c.AltNames, used = x.nameOf(own)
	if c.Name == "" || len(x.r.Creators) >= maxList {
		x.rest(f, "")
		return
	}
	if other != nil {
		name, sorted, usedOther := x.nameOf(other)
		if len(sorted) == 0 {
			sorted = []string{name}
		}
		for _, n := range sorted {
			if n != c.Name {
				c.AltNames = addLine(c.AltNames, n, maxShort)
			}
		}
		x.rest(other, usedOther+"e014")
	}
	if c.Role = x.marcRole(f); c.Role == "" && other != nil {
		c.Role = x.marcRole(other)
	}
	roles := "e4"
	if c.Role == "" {
		roles = ""
		if c.Role = "ctb"; f.tag[0] == '1' {
			c.Role = "aut"
		}
	} else if strings.HasSuffix(f.tag, "11") {
		roles = "j4"
	}
	c.IDs = x.nameIDs(f)
	if other != nil && len(c.IDs) == 0 {
		c.IDs = x.nameIDs(other)
	}
	kept := x.restOfName(own, used+roles)
	if kept != "" {
		x.extra(f.tag, c.Name+kept)
	}
	for _, have := range x.r.Creators[:min(len(x.r.Creators), 64)] {
		if have.Name == c.Name && have.Role == c.Role {
			return
		}
	}
	x.r.Creators = append(x.r.Creators, c)
}

// restOfName is what a heading says besides, with the codes: dates of life, titles,
// affiliation.
func (x *marcMap) restOfName(f *marcField, used string) string {
	var out strings.Builder
	for _, s := range x.of(f) {
		if s.code == '6' || s.code == '0' || s.code == '1' || strings.IndexByte(used, s.code) >= 0 {
			continue
		}
		if v := x.line(s.value); v != "" {
			out.WriteString(" $" + string(rune(s.code)) + " " + v)
		}
	}
	return out.String()
}

// nameOf is a heading as it is shown, the forms that it is sorted and found by, and
// which subfields went into them.
func (x *marcMap) nameOf(f *marcField) (name string, alt []string, used string) {
	switch f.tag[1:] {
	case "00", "20":
		return x.personOf(f)
	case "10": // corporate: the parts of a body
		var parts []string
		for _, s := range x.of(f) {
			if s.code == 'a' || s.code == 'b' {
				if v := x.line(s.value); v != "" {
					parts = append(parts, v)
				}
			}
		}
		name = strings.Join(parts, ". ")
		if f.ind1 == '0' { // a name in inverted order
			if shown, ok := uninvert(name); ok {
				return shown, []string{name}, "ab"
			}
		}
		return cleanLine(name, maxTitle), nil, "ab"
	}
	// A meeting: its number, date and place tell it from others of the series.
	var more []string
	for _, s := range x.of(f) {
		v := strings.Trim(x.line(s.value), "() :")
		switch {
		case v == "" || len(name) > 4*maxTitle || len(more) > maxShort:
		case s.code == 'a' && name == "":
			name = v
		case s.code == 'e' || s.code == 'q':
			name += ". " + v
		case s.code == 'n' || s.code == 'd' || s.code == 'c':
			more = append(more, v)
		}
	}
	if len(more) > 0 && name != "" {
		name += " (" + strings.Join(more, " : ") + ")"
	}
	return cleanLine(name, maxTitle), nil, "aeqndc"
}

// personOf is a personal name. One in inverted order (ind1 1) is turned round to be
// shown: "Austen, Jane" is Jane Austen, and the heading is the form to sort by.
func (x *marcMap) personOf(f *marcField) (name string, alt []string, used string) {
	name, used = x.line(x.first(f, 'a')), "ab"
	if name == "" {
		return "", nil, used
	}
	if b := x.line(x.first(f, 'b')); b != "" {
		name += " " + b // numeration: John Paul II
	}
	if f.ind1 == '0' || f.ind1 == '3' {
		return cleanLine(name, maxTitle), nil, used
	}
	shown, ok := uninvert(name)
	if !ok {
		return cleanLine(name, maxTitle), nil, used
	}
	if c := x.line(x.first(f, 'c')); c != "" && strings.IndexByte(c, ' ') < 0 && isSuffix(c) {
		shown, name, used = shown+", "+c, name+", "+c, used+"c"
	}
	alt = addLine(nil, name, maxShort)
	if q := strings.Trim(x.line(x.first(f, 'q')), "()"); q != "" { // fuller form of the name
		if family, _, ok := strings.Cut(name, ", "); ok && !strings.Contains(q, ",") {
			if full := q + " " + family; full != shown {
				alt = addLine(alt, full, maxShort)
			}
			used += "q"
		}
	}
	return cleanLine(shown, maxTitle), alt, used
}

func isSuffix(s string) bool {
	switch strings.TrimSuffix(s, ".") {
	case "Jr", "Sr", "II", "III", "IV", "V", "fils", "père":
		return true
	}
	return false
}

// uninvert turns "Austen, Jane" round; ok is false where there is nothing to turn.
// East Asian names keep their order, and lose the comma.
func uninvert(s string) (string, bool) {
	var family, given string
	ok := false
	for _, comma := range []string{", ", "，", "، ", "،", ","} {
		if family, given, ok = strings.Cut(s, comma); ok {
			break
		}
	}
	if !ok {
		if joined := strings.ReplaceAll(s, " ", ""); isHanName(joined) && !isKana(firstRune(joined)) && utf8.RuneCountInString(joined) <= 5 {
			return joined, joined != s // "鄭 慶謨", as some catalogues divide it
		}
		return s, false
	}
	family, given = strings.TrimSpace(family), strings.TrimSpace(given)
	switch {
	case family == "" || given == "":
		return s, false
	case isHanName(family) && isHanName(given):
		if isKana(firstRune(family)) && isKana(firstRune(given)) { // a foreign name in kana
			return s, false
		}
		return family + given, true
	}
	if given, suffix, ok := strings.Cut(given, ", "); ok { // King, Martin Luther, Jr.
		return given + " " + family + ", " + suffix, true
	}
	return given + " " + family, true
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// authorities lead from what stands before a number in $0 or $1 to the scheme of an
// identifier of persons.
var authorities = []struct{ prefix, scheme string }{
	{"(orcid)", "orcid"}, {"https://orcid.org/", "orcid"}, {"http://orcid.org/", "orcid"},
	{"(isni)", "isni"}, {"(DE-588)", "gnd"}, {"https://d-nb.info/gnd/", "gnd"}, {"http://d-nb.info/gnd/", "gnd"},
	{"(viaf)", "viaf"}, {"(VIAF)", "viaf"}, {"http://viaf.org/viaf/", "viaf"}, {"https://viaf.org/viaf/", "viaf"},
	{"http://www.wikidata.org/entity/", "wikidata"}, {"https://www.wikidata.org/entity/", "wikidata"}, {"(wikidata)", "wikidata"},
	{"http://id.loc.gov/authorities/names/", "lcnaf"}, {"https://id.loc.gov/authorities/names/", "lcnaf"}, {"(DLC)", "lcnaf"},
	{"http://isni.org/isni/", "isni"}, {"https://isni.org/isni/", "isni"}, {"http://www.isni.org/", "isni"}, {"https://www.isni.org/", "isni"}, {"http://www.isni.org/isni/", "isni"}, {"https://www.isni.org/isni/", "isni"},
}

// nameIDs are the identifiers of a person or body ($0, $1). Those of authorities that
// are not known here stay under the field's tag.
func (x *marcMap) nameIDs(f *marcField) []record.ID {
	var ids []record.ID
	for _, s := range x.of(f) {
		if s.code != '0' && s.code != '1' {
			continue
		}
		v := cleanLine(s.value, maxValue)
		known := false
		for _, a := range authorities {
			if len(v) <= len(a.prefix) || !strings.HasPrefix(v, a.prefix) {
				continue
			}
			known = true
			id, ok := record.NormalID(a.scheme, strings.ReplaceAll(v[len(a.prefix):], " ", ""))
			if !ok {
				x.warn("the " + strings.ToUpper(a.scheme) + " " + v[len(a.prefix):] + " in field " + f.tag + " has a wrong check digit")
				id = record.ID{Scheme: "local", Value: v}
			}
			ids = appendID(ids, id)
			break
		}
		if !known && v != "" {
			x.extra(f.tag, "$"+string(rune(s.code))+" "+v)
		}
	}
	return ids
}

// appendID appends an identifier to a bounded list, once.
func appendID(list []record.ID, id record.ID) []record.ID {
	if len(list) >= maxShort {
		return list
	}
	for _, have := range list {
		if have == id {
			return list
		}
	}
	return append(list, id)
}

// nameTitle is a 7XX of a name and the title of another work: one that this holds
// (ind2 2), or one that it has to do with.
func (x *marcMap) nameTitle(f *marcField) {
	own, other := x.shown(f)
	name, _, used := x.nameOf(own)
	title := x.line(x.first(own, 't'))
	if name != "" && title != "" {
		title = name + ". " + title
	}
	kind := record.RelatedTo
	if f.ind2 == '2' {
		kind = record.HasPart
	}
	x.relate(record.Relation{Type: kind, Title: cleanLine(title, maxTitle)})
	x.rest(own, used+"t")
	x.rest(other, "")
}
