package format

import (
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/unicode/norm"
)

// unimarc leads from fields of UNIMARC, and so of CNMARC, to those of MARC 21: the tag,
// the indicators, and pairs of subfield codes, the one's and the other's. Source: IFLA,
// UNIMARC Manual, Bibliographic Format; Library of Congress, "UNIMARC to MARC 21
// Conversion Specifications". Persons, linking fields, 100 and 101 are in the code.
var unimarc = map[string]struct{ tag, ind, codes string }{
	"010": {"020", "  ", "aazzbq"}, "011": {"022", "  ", "aayyzz"}, "205": {"250", "  ", "aabb"}, "210": {"264", " 1", "aacbdc"}, "215": {"300", "  ", "aacbdcee"},
	"200": {"245", "10", "aaebhnipfcgc"}, "225": {"490", "0 ", "aahnipvvxx"}, "300": {"500", "  ", "aa"}, "320": {"504", "  ", "aa"}, "327": {"505", "0 ", "aa"}, "328": {"502", "  ", "aa"}, "330": {"520", "  ", "aa"},
	"500": {"240", "10", "aahnipmlll"}, "510": {"246", "31", "aaebhnip"}, "512": {"246", "34", "aaebhnip"}, "513": {"246", "35", "aaebhnip"}, "514": {"246", "36", "aaebhnip"}, "515": {"246", "37", "aaebhnip"},
	"516": {"246", "38", "aaebhnip"}, "517": {"246", "3 ", "aaebhnip"}, "540": {"246", "3 ", "aaebhnip"},
	"601": {"610", "27", "aabbxxyzzyjv22"}, "605": {"630", "07", "aahnipxxyzzyjv22"}, "606": {"650", " 7", "aaxxyzzyjv22"}, "607": {"651", " 7", "aaxxyzzyjv22"}, "608": {"655", " 7", "aaxxyzzyjv22"}, "610": {"653", "  ", "aa"},
	"675": {"080", "  ", "aa"}, "676": {"082", "04", "aav2"}, "680": {"050", " 4", "aabb"}, "690": {"084", "  ", "aa22"},
	"710": {"110", "2 ", "aabbddeceec4"}, "711": {"710", "2 ", "aabb44"}, "712": {"710", "2 ", "aabb44"}, "856": {"856", "40", "uuzz"},
	"430": {"780", "00", ""}, "431": {"780", "00", ""}, "432": {"780", "00", ""}, "440": {"785", "00", ""}, "441": {"785", "00", ""}, "451": {"775", "0 ", ""}, "452": {"776", "0 ", ""}, "453": {"767", "0 ", ""}, "454": {"765", "0 ", ""}, "455": {"776", "0 ", ""}, "456": {"776", "0 ", ""},
	"410": {"830", " 0", ""}, "421": {"770", "0 ", ""}, "422": {"772", "0 ", ""}, "461": {"773", "0 ", ""}, "462": {"773", "0 ", ""}, "463": {"773", "0 ", ""}, "464": {"774", "0 ", ""}, "488": {"787", "0 ", ""},
}

// unimarcRoles leads from UNIMARC's codes of relators (appendix C) to MARC's.
var unimarcRoles = map[string]string{
	"005": "act", "010": "adp", "020": "ann", "070": "aut", "075": "aft", "080": "aui", "100": "ant", "205": "ctb", "212": "cwt", "220": "com", "230": "cmp", "250": "cnd", "300": "drt",
	"340": "edt", "440": "ill", "480": "lbt", "520": "lyr", "557": "orm", "570": "oth", "590": "prf", "600": "pht", "610": "prt", "650": "pbl", "651": "pbd", "673": "ths", "710": "rdd", "720": "rev", "727": "ths", "730": "trl",
}

// isUNIMARC says whether a record is UNIMARC: its title is in field 200, which MARC 21
// does not have, and there is no 245.
func (m *marcRecord) isUNIMARC() bool {
	has200 := false
	for i := range m.fields {
		switch f := &m.fields[i]; f.tag {
		case "200":
			has200 = has200 || m.first(f, 'a') != ""
		case "245":
			return false
		}
	}
	return has200
}

// chinese decodes what is no UTF-8 in a record of CNMARC: GB 18030, of which GBK and
// GB 2312 are parts.
func chinese(s string) string {
	out, err := simplifiedchinese.GB18030.NewDecoder().String(s)
	if err != nil {
		return ""
	}
	return norm.NFC.String(out)
}

// fromUNIMARC turns a record of UNIMARC into one of MARC 21, by the table. Subfields
// that have no counterpart go to a field "unimarc" and the tag, and so do fields.
func (m *marcRecord) fromUNIMARC() {
	old := m.fields
	m.fields = make([]marcField, 0, len(old)+8)
	m.leader = m.leader[:18] + "c" + m.leader[19:] // UNIMARC has no punctuation of ISBD in its subfields
	for i := range old {
		f := old[i]
		to, known := unimarc[f.tag]
		switch {
		case isControlTag(f.tag):
			if f.tag == "001" || f.tag == "005" {
				m.fields = append(m.fields, f)
			}
		case f.tag == "100":
			m.unimarcDates(m.first(&f, 'a'))
		case f.tag == "101":
			ind := byte('0')
			if f.ind1 == '1' || f.ind1 == '2' {
				ind = '1'
			}
			m.convert(f, "041", string(rune(ind))+" ", "aach")
		case f.tag == "700" || f.tag == "701" || f.tag == "702" || f.tag == "720":
			m.unimarcPerson(f)
		case f.tag[0] == '4' && known:
			m.unimarcLink(f, to.tag, to.ind)
		case f.tag == "690":
			from := len(m.subs)
			m.subs = append(append(m.subs, m.of(&f)...), marcSub{'2', "clc"})
			f.from, f.to = from, len(m.subs)
			m.convert(f, to.tag, to.ind, to.codes)
		case known:
			m.convert(f, to.tag, to.ind, to.codes)
		case f.tag[0] == '8' || f.tag[0] == '9' || f.tag[0] == '1': // housekeeping, holdings, coded values
			f.tag = "9" + f.tag[1:]
			m.fields = append(m.fields, f)
		default:
			f.tag = "unimarc " + f.tag
			m.fields = append(m.fields, f)
		}
	}
}

// convert appends a field with other codes. $A, and $9 of titles, are the romanisation
// in CNMARC: a field of its own, as 880 would be.
func (m *marcRecord) convert(f marcField, tag, ind, codes string) {
	from := len(m.subs)
	var rest []marcSub
	latin := ""
	for _, s := range m.of(&f) {
		switch i := pairOf(codes, s.code); {
		case i >= 0 && s.code == '4' && unimarcRoles[s.value] != "":
			m.subs = append(m.subs, marcSub{'4', unimarcRoles[s.value]})
		case i >= 0 && s.code == '4': // CNMARC has words
			m.subs = append(m.subs, marcSub{'e', s.value})
		case i >= 0:
			m.subs = append(m.subs, marcSub{codes[i+1], s.value})
		case s.code == 'A' || s.code == '9' && f.tag == "200":
			latin = s.value
		default:
			rest = append(rest, s)
		}
	}
	out := marcField{tag: tag, ind1: ind[0], ind2: ind[1], from: from, to: len(m.subs), alt: -1}
	m.append(out, latin)
	if len(rest) > 0 {
		from := len(m.subs)
		m.subs = append(m.subs, rest...)
		m.fields = append(m.fields, marcField{tag: "unimarc " + f.tag, ind1: f.ind1, ind2: f.ind2, from: from, to: len(m.subs), alt: -1})
	}
}

// append adds a field, and its form in Latin letters where there is one.
func (m *marcRecord) append(f marcField, latin string) {
	if latin != "" {
		m.subs = append(m.subs, marcSub{'a', latin})
		f.alt = len(m.fields)
		m.fields = append(m.fields, marcField{tag: f.tag, ind1: '0', ind2: ' ', from: len(m.subs) - 1, to: len(m.subs), alt: -1, used: true})
	}
	if f.to > f.from {
		m.fields = append(m.fields, f)
	}
}

// pairOf is where a code stands first in pairs of codes, or -1.
func pairOf(codes string, code byte) int {
	for i := 0; i+1 < len(codes); i += 2 {
		if codes[i] == code {
			return i
		}
	}
	return -1
}

// unimarcDates makes 008 of the dates of 100 (positions 8 to 16).
func (m *marcRecord) unimarcDates(s string) {
	if len(s) < 17 {
		return
	}
	kind := byte('n')
	if i := strings.IndexByte("abcdefghij", s[8]); i >= 0 {
		kind = "cdusrqmtpe"[i]
	}
	date := strings.NewReplacer("?", "u").Replace(s[9:17])
	if len(date) == 8 {
		m.fields = append(m.fields, marcField{tag: "008", value: "000000" + string(rune(kind)) + date + "   |||||||||||||||||   |d", alt: -1})
	}
}

// unimarcPerson is a person (700 to 720): $a the part that is sorted by, $b the rest.
func (m *marcRecord) unimarcPerson(f marcField) {
	tag, ind := "700", byte('0')
	if f.tag == "700" {
		tag = "100"
	}
	a, b := m.first(&f, 'a'), m.first(&f, 'b')
	if b != "" {
		a, ind = strings.TrimRight(a, ", ")+", "+strings.TrimSpace(b), '1'
	}
	subs := append([]marcSub{{'a', a}}, m.of(&f)...)
	f.from = len(m.subs)
	for i, s := range subs {
		if i > 0 && (s.code == 'a' || s.code == 'b') {
			continue
		}
		m.subs = append(m.subs, s)
	}
	f.to = len(m.subs)
	m.convert(f, tag, string(rune(ind))+" ", "aaccfdgq44")
}

// unimarcLink is a linking field (4XX): with subfields of its own, or with whole fields
// embedded behind $1.
func (m *marcRecord) unimarcLink(f marcField, tag, ind string) {
	in := ""
	from := len(m.subs)
	title := byte('t')
	if tag == "830" {
		title = 'a'
	}
	for _, s := range m.of(&f) {
		code := byte(0)
		switch {
		case s.code == '1':
			in = s.value[:min(3, len(s.value))]
			continue
		case in == "" && s.code == 't', in == "200" && s.code == 'a', in == "500" && s.code == 'a':
			code = title
		case in == "" && s.code == 'x', in == "011" && s.code == 'a':
			code = 'x'
		case in == "" && s.code == 'y', in == "010" && s.code == 'a':
			code = 'z'
		case s.code == 'v' && tag == "830":
			code = 'v'
		case s.code == 'v':
			m.subs = append(m.subs, marcSub{'g', "volume:" + s.value})
			continue
		}
		if code != 0 {
			m.subs = append(m.subs, marcSub{code, s.value})
		}
	}
	m.append(marcField{tag: tag, ind1: ind[0], ind2: ind[1], from: from, to: len(m.subs), alt: -1}, "")
}
