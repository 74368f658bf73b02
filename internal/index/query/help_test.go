package query

import (
	"os"
	"strings"
	"testing"
)

// TestHelp: every example is read as one, and every field is in the documentation.
func TestHelp(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Help() {
		if seen[e.Key] || e.Text == "" {
			t.Errorf("%+v", e)
		}
		seen[e.Key] = true
		for _, text := range []string{e.Text, e.Chinese} {
			check(t, text)
			q := Parse(text)
			if name, _, ok := strings.Cut(text, ":"); ok {
				f := fieldOf(name)
				if f == nil || f.name != e.Key || !strings.HasPrefix(q.String(), e.Key+":") {
					t.Errorf("%s is read as %s", text, q)
				}
			}
		}
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		if !strings.Contains(string(doc), f.name+":") {
			t.Errorf("doc.go says nothing of %s:", f.name)
		}
	}
}
