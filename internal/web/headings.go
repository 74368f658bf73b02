package web

import (
	"net/url"
	"strings"

	"wenlan/internal/record"
)

// authorHref is the page of a creator: that of the ORCID or ISNI, which is one
// person's, where there is one, else that of the name.
func authorHref(c record.Creator) string {
	for _, scheme := range []string{"orcid", "isni"} {
		for _, id := range c.IDs {
			if id.Scheme == scheme {
				return "/authors/" + scheme + "/" + url.PathEscape(id.Value)
			}
		}
	}
	return authorPath(c.Name)
}

// authorPath is the page of a name.
func authorPath(name string) string { return "/authors?" + url.Values{"name": {name}}.Encode() }

// subjectHref is the page of a subject, or of a class; empty: there is none.
func subjectHref(s record.Subject) string {
	if scheme := strings.ToLower(s.Scheme); s.Code != "" && (scheme == "ddc" || scheme == "clc") {
		return classPath(scheme, s.Code)
	}
	if s.Label != "" {
		return subjectPath(s.Label)
	}
	return ""
}

// subjectPath is the page of a subject by its label.
func subjectPath(label string) string {
	return "/subjects?" + url.Values{"label": {label}}.Encode()
}

// classPath is the page of a class; of the whole scheme where no code is given.
func classPath(scheme, code string) string {
	if code == "" {
		return "/classes/" + scheme
	}
	return "/classes/" + scheme + "/" + url.PathEscape(code)
}
