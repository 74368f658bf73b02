package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"wenlan/internal/format"
	"wenlan/internal/testdata"
)

// imported is the last object that an import prints.
type imported struct {
	Input                                                                 string
	Added, Joined, Revised, Known, Needs_rights, Deleted, Refused, Warned int
	Left                                                                  map[string]int64
}

// taken is how many records the library has of those that were read.
func (s imported) taken() int { return s.Added + s.Joined + s.Revised + s.Known }

// importAll runs an import, and gives its reports and its sums.
func importAll(t *testing.T, p program, args ...string) (reports []importLine, sum imported) {
	t.Helper()
	cmd := p.command(append([]string{"import", "--json", "--quiet"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
		t.Fatalf("%v\n%s%s", err, out, &stderr)
	}
	all := lines[importLine](t, out)
	sums := lines[imported](t, out)
	return all[:len(all)-1], sums[len(sums)-1]
}

// TestImportData takes in all the files of every form that there are, and holds the
// counts to what the sources hold: marks counts in the files themselves what a
// record begins or ends with. Our own form then carries all of it to another library.
func TestImportData(t *testing.T) {
	interop := filepath.Join(testdata.Dir(t), "interop")
	for _, c := range []struct {
		form, files     string
		records         int    // that the files hold
		marks           string // a pattern that each record has once; "": checked by hand
		deleted         int
		refused, others int      // records that are refused; files and entries that hold no record
		why             []string // what is said of them, in order
	}{
		{form: "marc", files: "marc/*.m*c", records: 56, marks: "\x1d", deleted: 1, refused: 2, why: []string{"it has no title", "it has no title"}},
		{form: "marc", files: "marc/*.gz", records: 30, marks: "\x1d", deleted: 1},
		{form: "marcxml", files: "marc/*.xml", records: 30, marks: `<record[ >]`, deleted: 1},
		{form: "crossref", files: "crossref/*.xml", records: 72, marks: `<journal_article[ >]|<conference_paper[ >]`},
		{form: "crossref", files: "crossref/*.json", records: 9, others: 9, why: []string{"license-list", `"prefix"`, `"prefix"`, "work-agency", "work-agency", `"type"`, `"type"`, "work-agency", `"prefix"`}},
		{form: "jats", files: "jats/*.xml", records: 38, marks: `<article[ >]`},
		{form: "bibtex", files: "bibtex/*.bib", records: 25, marks: `@[A-Za-z]+ ?\{`},
		{form: "oai", files: "oai/*.xml", records: 32, marks: `<record>`, deleted: 4, others: 8, why: []string{"not XML", "badArgument", "badResumptionToken", "cannotDisseminateFormat", "idDoesNotExist", "noRecordsMatch", "noSetHierarchy", "undefinedError"}},
		{form: "opds", files: "opds/*.atom", records: 3, others: 3, why: []string{"leads to another feed", "leads to another feed", "leads to another feed"}},
		{form: "opds", files: "opds/opds2-home.json", records: 10},
		{form: "simple", files: "../records/goodbooks.jsonl.zst", records: 8493, marks: `\n`},
	} {
		t.Run(c.form+" "+filepath.Base(c.files), func(t *testing.T) {
			if _, err := format.FindBulk(c.form); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(interop, c.files))
			if err != nil || len(files) == 0 {
				t.Fatal(err, c.files)
			}
			if c.marks != "" {
				mark, n := regexp.MustCompile(c.marks), 0
				for _, file := range files {
					n += len(mark.FindAllIndex(unpacked(t, file), -1))
				}
				if n != c.records {
					t.Errorf("the files hold %d records, not %d", n, c.records)
				}
			}
			p := program{t, filepath.Join(t.TempDir(), "lib")}
			reports, sum := importAll(t, p, append([]string{c.form}, files...)...)
			if sum.taken() != c.records-c.refused-c.deleted || sum.Refused != c.refused+c.others || sum.Deleted != c.deleted || len(reports) != c.records+c.others || sum.Needs_rights != 0 {
				t.Errorf("of %d records: %+v, %d reports", c.records, sum, len(reports))
			}
			var why []string
			for _, l := range reports {
				if l.Status == "refused" {
					why = append(why, l.Error)
				}
			}
			for i, sentence := range why {
				if i >= len(c.why) || !strings.Contains(sentence, c.why[i]) {
					t.Errorf("refused: %s", sentence)
				}
			}
			again, more := importAll(t, p, append([]string{c.form}, files...)...)
			if more.Known != sum.taken() || more.Refused != sum.Refused || more.Deleted != sum.Deleted || len(again) != len(reports) {
				t.Errorf("once more: %+v", more)
			}
			p.run("verify")

			// Out in our own form, into another library, and out again: the same to the byte.
			exported := p.run("export", "jsonl")
			if n := bytes.Count(exported, []byte("\n")); n != sum.Added {
				t.Errorf("%d records exported, not %d", n, sum.Added)
			}
			file := filepath.Join(t.TempDir(), "all.jsonl")
			if err := os.WriteFile(file, exported, 0o644); err != nil {
				t.Fatal(err)
			}
			other := program{t, filepath.Join(t.TempDir(), "other")}
			if _, sum := importAll(t, other, "jsonl", file); sum.Refused > 0 {
				t.Errorf("imported from the export: %+v", sum)
			}
			if got := other.run("export", "jsonl"); !bytes.Equal(got, exported) {
				t.Error("what was exported and imported is exported otherwise")
			}
		})
	}
}

// unpacked is a whole file, without its packing.
func unpacked(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := format.Decompress(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
