package web

import (
	"net/url"
	"strings"

	"wenlan/internal/index"
	"wenlan/internal/record"
)

// authorHref is the page of the i-th creator of a record: that of the ORCID or ISNI,
// which is one person's, where there is one, else that of the name. Of a name that the
// index does not list, it is a search.
func authorHref(c record.Creator, i int) string {
	for _, scheme := range personSchemes {
		for _, id := range c.IDs {
			if normal, ok := record.NormalID(id.Scheme, id.Value); ok && normal.Scheme == scheme {
				return personPath(scheme, normal.Value)
			}
		}
	}
	if i >= index.MaxValues || len(c.Name) > index.MaxValue {
		return searchPath("q", c.Name)
	}
	return authorPath(c.Name)
}

// personSchemes are the identifiers that persons have pages by.
var personSchemes = []string{"orcid", "isni"}

// personPath is the page of a person.
func personPath(scheme, value string) string {
	return "/authors/" + scheme + "/" + url.PathEscape(value)
}

// authorPath is the page of a name.
func authorPath(name string) string {
	return "/authors?" + url.Values{"name": {oneLine(name)}}.Encode()
}

// oneLine is a value as the index has it.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// subjectHref is the page of the i-th subject of a record, or of its class; empty:
// there is none.
func subjectHref(s record.Subject, i int) string {
	if i >= index.MaxValues {
		return ""
	}
	scheme := strings.ToLower(s.Scheme)
	if class, ok := index.Class(scheme, s.Code); ok {
		return classPath(scheme, class)
	}
	label := s.Label
	if label == "" {
		label = s.Code
	}
	if label == "" || len(label) > index.MaxValue {
		return ""
	}
	return subjectPath(label)
}

// subjectPath is the page of a subject by its label.
func subjectPath(label string) string {
	return "/subjects?" + url.Values{"label": {oneLine(label)}}.Encode()
}

// classPath is the page of a class; of the whole scheme where no code is given.
func classPath(scheme, code string) string {
	if code == "" {
		return "/classes/" + scheme
	}
	return "/classes/" + scheme + "/" + url.PathEscape(code)
}
