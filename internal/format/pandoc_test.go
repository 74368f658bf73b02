package format

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wenlan/internal/record"
)

// TestPandoc has pandoc --citeproc make citations of what is written.
func TestPandoc(t *testing.T) {
	pandoc, err := exec.LookPath("pandoc")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no pandoc")
	}
	list := []record.Record{
		{Title: "Pride & Prejudice: 100% of it", Kind: record.Book, Issued: "1813-01-28", Publisher: "T. Egerton", Place: "London", Languages: []string{"en-GB"},
			Creators: []record.Creator{{Name: "Jane Austen", AltNames: []string{"Austen, Jane"}, Role: "aut"}}, IDs: []record.ID{{Scheme: "isbn", Value: "9780141439518"}}},
		{Title: "On {braces} and x_1", Kind: record.Article, Issued: "2019-05", Creators: []record.Creator{{Name: "Ludwig van Beethoven Jr.", AltNames: []string{"van Beethoven, Ludwig, Jr."}, Role: "aut",
			IDs: []record.ID{{Scheme: "orcid", Value: "0000-0002-1825-0097"}}}, {Name: "World Health Organization", Role: "aut"}},
			Container: &record.Container{Title: "Journal of Things", Volume: "12", Issue: "3", Pages: "101–110"}, IDs: []record.ID{{Scheme: "doi", Value: "10.1234/a_b"}}},
		{Title: "紅樓夢", Kind: record.Book, Issued: "1791~", Languages: []string{"zh-Hant"}, Creators: []record.Creator{{Name: "曹雪芹", Role: "aut"}}},
		{Title: "A dataset", Kind: record.Dataset, Issued: "1900/1910", Creators: []record.Creator{{Name: "Émile Zola", Role: "aut"}}},
	}
	for form, name := range map[string]string{"bibtex": "refs.bib", "csl": "refs.json"} { // Debian's pandoc does not read RIS
		t.Run(form, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, writeAll(t, form, list), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(pandoc, "--citeproc", "--bibliography", path, "-t", "plain", "--wrap=none")
			cmd.Stdin = strings.NewReader("---\nnocite: '@*'\n---\n\nSee @wenlan1.\n")
			var out, problems bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &problems
			if err := cmd.Run(); err != nil || problems.Len() > 0 {
				t.Fatalf("%v: %s", err, &problems)
			}
			for _, want := range []string{"Austen, Jane. 1813", "Pride & Prejudice: 100% of it", "T. Egerton", "Beethoven, Ludwig van, Jr., and World Health Organization. 2019", "On {braces} and x_1", "Journal of Things", "101–10",
				"曹雪芹", "紅樓夢", "1791", "A dataset", "Zola, Émile", "1900"} {
				if !strings.Contains(strings.ToLower(out.String()), strings.ToLower(want)) { // a style may change capitals
					t.Errorf("%q is missing in\n%s", want, &out)
				}
			}
		})
	}
}
