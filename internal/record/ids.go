package record

import (
	"crypto/sha256"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func sha256Sum(b []byte) [32]byte { return sha256.Sum256(b) }

// NormalID is an identifier in the form in which it is stored and looked up:
// ISBN with 13 digits, DOI in lower case without a resolver, ISSN with its
// hyphen, ORCID as 0000-0000-0000-000X, ISNI as 16 characters, LCCN
// as the Library of Congress normalises it, OCLC and PubMed numbers as digits alone,
// UUID in lower case. ok is false where a check digit or the form is wrong; the
// value then is as given, white space trimmed.
func NormalID(scheme, value string) (id ID, ok bool) {
	scheme = strings.ToLower(strings.TrimSpace(scheme))
	value = strings.TrimSpace(norm.NFKC.String(value))
	id = ID{Scheme: scheme, Value: value}
	switch scheme {
	case "isbn":
		v, ok := ISBN13(value)
		if ok {
			id.Value = v
		}
		return id, ok
	case "doi":
		v, ok := DOI(value)
		if ok {
			id.Value = v
		}
		return id, ok
	case "issn":
		v, ok := ISSN(value)
		if ok {
			id.Value = v
		}
		return id, ok
	case "orcid":
		v, ok := ORCID(value)
		if ok {
			id.Value = v
		}
		return id, ok
	case "isni":
		v, ok := ISNI(value)
		if ok {
			id.Value = v
		}
		return id, ok
	case "oclc":
		v, ok := OCLC(value)
		if ok {
			id.Value = v
		}
		return id, ok
	case "lccn":
		v, ok := LCCN(value)
		if ok {
			id.Value = v
		}
		return id, ok
	case "pmid":
		m := pmidForm.FindStringSubmatch(value)
		if m != nil {
			id.Value = m[1]
		}
		return id, m != nil
	case "arxiv":
		if len(value) > 6 && strings.EqualFold(value[:6], "arxiv:") {
			id.Value = strings.TrimSpace(value[6:])
		}
		return id, id.Value != ""
	case "uuid":
		id.Value = strings.ToLower(strings.TrimPrefix(strings.ToLower(value), "urn:uuid:"))
		return id, len(id.Value) == 36
	}
	return id, value != ""
}

// ISBN13 is an ISBN-10 or ISBN-13 in any written form as 13 digits, or false
// where the check digit is wrong. Source: ISO 2108, annex on check digits.
func ISBN13(s string) (string, bool) {
	s = compact(s, "urn:isbn:", "isbn-13", "isbn-10", "isbn", ":")
	switch len(s) {
	case 10:
		sum := 0
		for i := range 10 {
			d := int(s[i] - '0')
			if i == 9 && (s[i] == 'x' || s[i] == 'X') {
				d = 10
			} else if s[i] < '0' || s[i] > '9' {
				return "", false
			}
			sum += (10 - i) * d
		}
		if sum%11 != 0 {
			return "", false
		}
		s = "978" + s[:9]
		return s + string(ean(s)), true
	case 13:
		for i := range 13 {
			if s[i] < '0' || s[i] > '9' {
				return "", false
			}
		}
		return s, (s[:3] == "978" || s[:3] == "979") && ean(s[:12]) == s[12]
	}
	return "", false
}

func ean(s string) byte {
	sum := 0
	for i := range 12 {
		d := int(s[i] - '0')
		if i%2 == 1 {
			d *= 3
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}

// ISSN is an ISSN as 1234-567X, or false where the check digit is wrong (ISO 3297).
func ISSN(s string) (string, bool) {
	s = strings.ToUpper(compact(s, "urn:issn:", "e-issn", "issn", ":"))
	if len(s) != 8 {
		return "", false
	}
	sum := 0
	for i := range 8 {
		d := int(s[i] - '0')
		if i == 7 && s[i] == 'X' {
			d = 10
		} else if s[i] < '0' || s[i] > '9' {
			return "", false
		}
		sum += (8 - i) * d
	}
	return s[:4] + "-" + s[4:], sum%11 == 0
}

// DOI is a DOI in any written form (doi:…, https://doi.org/…) in lower case.
func DOI(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, p := range []string{"https://", "http://", "dx.doi.org/", "www.doi.org/", "doi.org/", "info:doi/", "urn:doi:", "doi:"} {
		s = strings.TrimSpace(strings.TrimPrefix(s, p))
	}
	return s, isDOI(s)
}

// isDOI says whether s is 10.REGISTRANT/SUFFIX, with four to nine digits and no white space.
func isDOI(s string) bool {
	registrant, suffix, ok := strings.Cut(s, "/")
	digits, ten := strings.CutPrefix(registrant, "10.")
	return ok && ten && len(digits) >= 4 && len(digits) <= 9 && suffix != "" &&
		strings.Trim(digits, "0123456789") == "" && !strings.ContainsAny(suffix, " \t\n\f\r")
}

// ISNI is an ISNI in any written form as 16 characters, or false where the check
// digit is wrong (ISO 27729; ISO/IEC 7064, MOD 11-2).
func ISNI(s string) (string, bool) {
	s = strings.TrimSpace(s)
	for _, p := range []string{"https://", "http://", "www.", "isni.org/", "isni/"} {
		if len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) {
			s = s[len(p):]
		}
	}
	s = strings.ToUpper(compact(strings.TrimSuffix(s, "/"), "urn:isni:", "isni", ":"))
	return s, mod112(s)
}

// ORCID is an ORCID iD in any written form (https://orcid.org/…) as
// 0000-0000-0000-000X, or false where the check digit is wrong. It is an ISNI with
// hyphens (https://support.orcid.org, "Structure of the ORCID Identifier").
func ORCID(s string) (string, bool) {
	s = strings.TrimSpace(s)
	for _, p := range []string{"https://", "http://", "www.", "orcid.org/"} {
		if len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) {
			s = s[len(p):]
		}
	}
	s = strings.ToUpper(compact(strings.TrimSuffix(s, "/"), "urn:orcid:", "orcid", ":"))
	if !mod112(s) {
		return "", false
	}
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:], true
}

// mod112 says whether s is 15 digits and their check character by ISO/IEC 7064, MOD 11-2.
func mod112(s string) bool {
	if len(s) != 16 {
		return false
	}
	total := 0
	for i := range 15 {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		total = (total + int(s[i]-'0')) * 2 % 11
	}
	return s[15] == "0123456789X"[(12-total)%11]
}

func compact(s string, prefixes ...string) string {
	s = strings.TrimSpace(s)
	for _, p := range prefixes {
		if len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) {
			s = strings.TrimSpace(s[len(p):])
		}
	}
	return strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return r
	}, s)
}

// maxFileName bounds a file name, in bytes; most file systems take 255.
const maxFileName = 200

// CleanFileName makes a plain file name of any text: no folder, no control or
// invisible character, no leading dot, bounded, never empty.
func CleanFileName(name string) string {
	name = norm.NFC.String(strings.ToValidUTF8(name, "_"))
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		case strings.ContainsRune(`/\:*?"<>|`, r):
			return '_'
		}
		return r
	}, name)
	name = strings.TrimLeft(strings.TrimSpace(name), ".")
	ext := path.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	stem := name[:len(name)-len(ext)]
	for len(stem)+len(ext) > maxFileName {
		_, n := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-n]
	}
	name = strings.TrimSpace(stem + ext)
	if strings.Trim(name, "._ ") == "" {
		return "file"
	}
	return name
}

// FoldText is text as it is compared: compatibility forms and case folded,
// diacritics, punctuation and white space dropped.
func FoldText(s string) string {
	if folded, ok := foldPlain(s); ok {
		return folded
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(norm.NFKC.String(s))) {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// foldPlain is FoldText for text of ASCII and unified ideographs, which have no other
// form and which most is of; false for other text.
func foldPlain(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			out = append(out, c)
		case c >= 'A' && c <= 'Z':
			out = append(out, c|0x20)
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r < 0x4e00 || r > 0x9fff {
				return "", false
			}
			out = append(out, s[i:i+n]...)
			i += n
			continue
		}
		i++
	}
	return string(out), true
}

// TitleKey is equal for records with the same title, first creator and language
// after folding, and empty for one without a creator: such a key says too little.
// "Austen, Jane" and "Jane Austen" are the same creator.
func TitleKey(r Record) string {
	title := FoldText(r.Title)
	if title == "" || len(r.Creators) == 0 {
		return ""
	}
	words := strings.FieldsFunc(r.Creators[0].Name, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsNumber(c) && !unicode.IsMark(c) })
	for i, w := range words {
		words[i] = FoldText(w)
	}
	slices.Sort(words)
	lang := ""
	if len(r.Languages) > 0 {
		lang, _, _ = strings.Cut(strings.ToLower(r.Languages[0]), "-")
	}
	return title + "|" + strings.Join(words, "") + "|" + lang
}
