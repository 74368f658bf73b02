package format

import (
	"net/url"
	"regexp"
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

// addID appends an identifier to a bounded list, once.
func addID(list []record.ID, stated, value string) []record.ID {
	id, ok := parseID(stated, value)
	if !ok || len(list) >= maxShort {
		return list
	}
	for _, have := range list {
		if have == id {
			return list
		}
	}
	return append(list, id)
}
