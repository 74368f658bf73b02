package analysis

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"wenlan/internal/record"
)

// MarkID is what every token of the field ID begins with: no token of a text
// begins with it, and no reading does.
const MarkID = "\ue000"

// maxID is how many bytes of an identifier are its token; the rest of a longer one
// is a hash.
const maxID = 96

// ID is the token of an identifier in a normal form, whatever its scheme: in lower
// case, without white space and hyphens, "\ue000" before it. Empty when there is
// nothing but these.
func ID(value string) string {
	if len(value) > MaxField {
		value = value[:MaxField]
	}
	if isASCII(value) {
		value = plainID(value)
	} else {
		value = strings.ToValidUTF8(value, "")
		for range 4 { // what is left out lets marks come to other letters, which then are one
			was := value
			if value = plainID(norm.NFKC.String(value)); value == was {
				break
			}
		}
	}
	if value == "" {
		return ""
	}
	if len(value) > maxID {
		sum := sha256.Sum256([]byte(value))
		cut := maxID - 16
		for !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut] + hex.EncodeToString(sum[:8])
	}
	return MarkID + value
}

// plainID is a value in lower case, without what ID leaves out.
func plainID(value string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			switch {
			case r <= ' ', r == '-', r == 0x7f:
				return -1
			case 'A' <= r && r <= 'Z':
				return r + 'a' - 'A'
			}
			return r
		}
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, value)
}

var (
	arxivForm   = regexp.MustCompile(`(?i)^(?:https?://(?:www\.)?arxiv\.org/(?:abs|pdf|html)/|10\.48550/)?(?:arxiv[:.]\s*)?(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(v\d{1,3})?(?:\.pdf)?$`)
	schemeStart = regexp.MustCompile(`^(?:urn:)?[A-Za-z]{2,12}[:\s]\s*`)
)

// arxiv is an arXiv identifier without its version (https://info.arxiv.org/help/arxiv_identifier.html).
func arxiv(value string) (string, bool) {
	if len(value) > 128 || !strings.ContainsAny(value, "./") {
		return "", false
	}
	m := arxivForm.FindStringSubmatch(value)
	if m == nil {
		return "", false
	}
	return strings.ToLower(m[1]), true
}

// IDs appends the tokens of an identifier of a record to dst: that of its normal
// form, and of the forms without the version that an arXiv identifier has and
// without a point at the end. A token that is there already is not appended again.
func IDs(dst []string, scheme, value string) []string {
	id, _ := record.NormalID(scheme, value)
	add := func(value string) {
		if t := ID(value); t != "" && !slices.Contains(dst, t) {
			dst = append(dst, t)
		}
	}
	add(id.Value)
	switch id.Scheme {
	case "oclc", "lccn", "pmid":
		add(value) // as it is written: "ocm00012345"
	case "arxiv", "doi", "url", "uri":
		if v, ok := arxiv(id.Value); ok {
			add(v)
		}
		if v, ok := record.DOI(id.Value); ok {
			add(v)
			add(strings.TrimRight(v, ".,;:")) // some records end a DOI as a sentence; what is asked is trimmed
		}
	}
	return dst
}

// IDForms gives the tokens of the identifiers that a text, as typed, may be; none
// when it has no digit or is longer than 512 bytes.
func IDForms(text string) []string {
	out, plain, bare := knownIDs(text)
	for _, v := range []string{plain, bare} {
		if v == "" {
			continue
		}
		if t := ID(v); t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// KnownIDs is IDForms, but only those that have the form, and the check digit, of
// an identifier that is known: ISBN, DOI, ISSN, arXiv.
func KnownIDs(text string) []string {
	out, _, _ := knownIDs(text)
	return out
}

// knownIDs also gives the text itself, and the text without the name of a scheme
// before it.
func knownIDs(text string) (out []string, plain, bare string) {
	if len(text) > 512 || !strings.ContainsFunc(text, unicode.IsDigit) {
		return nil, "", ""
	}
	if !isASCII(text) {
		text = norm.NFKC.String(text)
	}
	plain = strings.TrimSpace(text)
	if strings.ContainsAny(plain, ": \t\n") {
		if bare = schemeStart.ReplaceAllString(plain, ""); bare == plain {
			bare = ""
		}
	}
	add := func(value string, ok bool) {
		if !ok {
			return
		}
		if t := ID(value); t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	for _, s := range []string{plain, bare} {
		if s == "" {
			continue
		}
		if len(s) <= 64 {
			add(record.ISBN13(s))
			add(record.ISSN(s))
		}
		if strings.Contains(s, "10.") {
			if v, ok := record.DOI(s); ok {
				add(v, true)
				add(strings.TrimRight(v, ".,;:!?)]}>\"'"), true)
			}
		}
		add(arxiv(s))
	}
	return out, plain, bare
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
