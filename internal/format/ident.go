package format

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"wenlan/internal/record"
)

var (
	uuidForm  = regexp.MustCompile(`^(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	arxivForm = regexp.MustCompile(`^(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v\d+)?$`)
	digits    = regexp.MustCompile(`^\d+$`)
)

// schemeNames are the names under which files state the schemes that the
// catalogue knows; a name that is not here keeps the identifier as "local".
var schemeNames = map[string]string{
	"isbn": "isbn", "isbn-10": "isbn", "isbn-13": "isbn", "isbn10": "isbn", "isbn13": "isbn", "gtin": "isbn", "eisbn": "isbn",
	"02": "isbn", "15": "isbn", // ONIX code list 5
	"doi": "doi", "06": "doi", "issn": "issn", "eissn": "issn", "uuid": "uuid", "oclc": "oclc", "oclc-number": "oclc", "lccn": "lccn", "13": "lccn",
	"arxiv": "arxiv", "pmid": "pmid", "pmc": "pmcid", "pmcid": "pmcid", "url": "url", "uri": "url", "urn": "urn",
	"asin": "asin", "mobi-asin": "asin", "amazon": "asin", "goodreads": "goodreads", "google": "google", "gutenberg": "gutenberg",
	"douban": "douban", "new_douban": "douban", "orcid": "orcid", "isni": "isni",
}

// urnPrefixes lead from the written form of an identifier to its scheme.
var urnPrefixes = []struct{ prefix, scheme string }{
	{"urn:isbn:", "isbn"}, {"isbn:", "isbn"}, {"isbn ", "isbn"}, {"urn:uuid:", "uuid"}, {"uuid:", "uuid"},
	{"urn:issn:", "issn"}, {"issn:", "issn"}, {"urn:doi:", "doi"}, {"doi:", "doi"}, {"info:doi/", "doi"},
	{"https://doi.org/", "doi"}, {"http://doi.org/", "doi"}, {"https://dx.doi.org/", "doi"}, {"http://dx.doi.org/", "doi"},
	{"arxiv:", "arxiv"}, {"https://arxiv.org/abs/", "arxiv"}, {"http://arxiv.org/abs/", "arxiv"},
	{"pmid:", "pmid"}, {"oclc:", "oclc"}, {"lccn:", "lccn"}, {"info:lccn/", "lccn"},
}

// parseID finds the scheme of an identifier from what the file says of it and
// from its form. A number that only looks like a scheme's, without its check
// digit, is "local". ok is false where nothing is worth keeping.
func parseID(stated, value string) (record.ID, bool) {
	value = cleanLine(value, maxValue)
	stated = strings.ToLower(strings.TrimSpace(stated))
	if value == "" || stated == "calibre" { // a number that only one Calibre folder knows
		return record.ID{}, false
	}
	scheme := schemeNames[stated]
	rest := value
	lower := strings.ToLower(value)
	for _, p := range urnPrefixes {
		if strings.HasPrefix(lower, p.prefix) {
			scheme, rest = p.scheme, strings.TrimSpace(value[len(p.prefix):])
			break
		}
	}
	if scheme != "" && scheme != "url" && scheme != "urn" && wellFormed(scheme, rest) {
		if id, ok := record.NormalID(scheme, rest); ok {
			return id, true
		}
	}
	// Without a scheme that fits, only forms that can hardly be anything else count.
	if uuidForm.MatchString(rest) {
		return record.NormalID("uuid", rest)
	}
	if compact := strings.ReplaceAll(rest, "-", ""); len(compact) == 13 && (strings.HasPrefix(compact, "978") || strings.HasPrefix(compact, "979")) {
		if id, ok := record.NormalID("isbn", compact); ok {
			return id, true
		}
	}
	if strings.HasPrefix(rest, "10.") {
		if id, ok := record.NormalID("doi", rest); ok {
			return id, true
		}
	}
	if u, err := url.Parse(value); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		return record.ID{Scheme: "url", Value: value}, true
	}
	if strings.HasPrefix(lower, "urn:") {
		return record.ID{Scheme: "urn", Value: value}, true
	}
	return record.ID{Scheme: "local", Value: value}, true
}

// wellFormed holds a value to the form of schemes that have no check digit.
func wellFormed(scheme, value string) bool {
	switch scheme {
	case "uuid":
		return uuidForm.MatchString(value)
	case "arxiv":
		return arxivForm.MatchString(value)
	case "goodreads", "gutenberg", "douban":
		return digits.MatchString(value)
	}
	return true
}

// addID appends an identifier, or several that one field holds, to a bounded list, each
// once.
func addID(list []record.ID, stated, value string) []record.ID {
	for _, one := range splitIDs(stated, value) {
		if id, ok := parseID(stated, one); ok && len(list) < maxShort && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

var (
	doiStart = regexp.MustCompile(`(?i)(?:^|[\s;,|]+)(?:(?:https?://(?:dx\.|www\.)?doi\.org/|info:doi/|urn:doi:|doi:?)\s*)?10\.\d{4,9}/`)
	issnForm = regexp.MustCompile(`\b\d{4}-?\d{3}[\dXx]\b`)
)

// splitIDs takes apart a field in which several DOIs, ISBNs or ISSNs stand, with commas,
// semicolons, bars or spaces between them, all of which a DOI itself may hold: the next
// one is told by how it begins. Anything else is the value as it is.
func splitIDs(stated, value string) []string {
	one := []string{value}
	if !strings.ContainsAny(value, " ;,|/\n\t") {
		return one
	}
	scheme := schemeNames[strings.ToLower(strings.TrimSpace(stated))]
	switch {
	case scheme == "isbn":
		found := bibISBNs(value)
		rest := value
		for _, v := range found {
			rest = strings.Replace(rest, v, " ", 1)
		}
		for _, v := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(" ;,|/\n\t()", r) }) {
			if len(found) < maxShort && countDigits(v) >= 8 { // a wrong one; "(vol. 3)" is none
				found = append(found, v)
			}
		}
		if len(found) > 0 {
			return found
		}
	case scheme == "issn":
		found := issnForm.FindAllString(value, maxShort)
		if len(found) < 2 || strings.ContainsAny(issnForm.ReplaceAllString(value, ""), "0123456789") {
			return one
		}
		return found
	case scheme == "doi", stated == "" && strings.Contains(value, "10."):
		at := doiStart.FindAllStringIndex(value, maxShort)
		if len(at) < 2 || at[0][0] > 0 {
			return one
		}
		one = one[:0]
		for i := range at {
			end := len(value)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			one = append(one, strings.Trim(value[at[i][0]:end], " ;,|\n\t"))
		}
	}
	return one
}

func countDigits(s string) (n int) {
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}

// schemed is an identifier with its scheme before it, as idText writes it.
var schemed = regexp.MustCompile(`^([a-z][a-z0-9_.-]{0,31}):(.+)$`)

// idText is an identifier in a form that has no field for its scheme: a DOI, a URL and
// others that say themselves what they are as they are, else with the scheme before a
// colon, "local:(DE-627)123".
func idText(id record.ID) string {
	if back, ok := parseID("", id.Value); ok && back == id && id.Scheme != "local" {
		return id.Value
	}
	return id.Scheme + ":" + id.Value
}

// idOf reads what idText writes; false for a text that names no scheme.
func idOf(text string) (record.ID, bool) {
	text = cleanLine(text, 2*maxValue)
	if id, ok := parseID("", text); ok && id.Scheme != "local" {
		return id, true
	}
	m := schemed.FindStringSubmatch(text)
	switch {
	case m == nil || m[1] != "local" && strings.Contains(m[2], " "): // a sentence
		return record.ID{}, false
	case schemeNames[m[1]] != "":
		return record.NormalID(m[1], m[2])
	}
	return record.ID{Scheme: m[1], Value: strings.TrimSpace(m[2])}, true
}

// otherIDs are the identifiers of a record that a form has no field for, as idText
// writes them: it has one for all of the schemes in all, and for the first of those in
// first, and writes the address.
func (r Exported) otherIDs(all, first []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, id := range r.Record.IDs {
		web := strings.HasPrefix(id.Value, "https://") || strings.HasPrefix(id.Value, "http://")
		switch {
		case slices.Contains(all, id.Scheme), id.Scheme == "url" && (!web || id.Value == r.address()):
		case slices.Contains(first, id.Scheme) && !seen[id.Scheme]:
			seen[id.Scheme] = true
		default:
			out = append(out, idText(id))
		}
	}
	return out
}
