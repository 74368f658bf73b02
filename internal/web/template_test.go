package web

import (
	"reflect"
	"testing"

	"github.com/jba/templatecheck"
)

// TestTemplatesFitTheirStructs checks each template against what it is given.
func TestTemplatesFitTheirStructs(t *testing.T) {
	all, err := parseTemplates()
	must(t, err)
	data := map[string]any{
		"home": &homePage{}, "search": &searchPage{}, "texts": &textsPage{}, "inside": &insidePage{}, "record": &recordPage{}, "proof": &proofPage{},
		"browse": &browsePage{}, "new": &newPage{}, "tallies": &talliesPage{}, "headings": &headingsPage{}, "heading": &headingPage{}, "classes": &classesPage{}, "about": &aboutPage{}, "help": &helpPage{}, "error": &errorPage{},
		"mirrors": &mirrorsPage{}, "shelves": &shelvesPage{}, "cite": &citePage{},
	}
	for name, tmpl := range all {
		d, ok := data[name]
		if !ok {
			t.Errorf("the template %s has no struct here", name)
			continue
		}
		if err := templatecheck.CheckHTML(tmpl, d); err != nil {
			t.Errorf("%s with %s: %v", name, reflect.TypeOf(d), err)
		}
	}
	if len(all) != len(data) {
		t.Errorf("%d templates, %d structs", len(all), len(data))
	}
}
