package format

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// bookLine is a line of books.jsonl.
type bookLine struct {
	File       string   `json:"file"`
	Title      string   `json:"title"`
	Creators   []string `json:"creators"`
	Language   string   `json:"language"`
	Subjects   []string `json:"subjects"`
	Identifier string   `json:"identifier"`
	Characters int      `json:"characters"`
}

func readBooks(t testing.TB) (dir string, list []bookLine) {
	dir = testdata.Dir(t)
	f, err := os.Open(filepath.Join(dir, "books", "books.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var b bookLine
		if err := json.Unmarshal(sc.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return dir, list
}

// Every real book goes in, and says of itself what the list of books says.
func TestRealBooks(t *testing.T) {
	dir, list := readBooks(t)
	covers := 0
	for _, b := range list {
		data, err := os.ReadFile(filepath.Join(dir, b.File))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := Parse(context.Background(), b.File, bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", b.File, err)
			continue
		}
		r := doc.Record
		if record.FoldText(r.Title) != record.FoldText(b.Title) {
			t.Errorf("%s: title %q, want %q", b.File, r.Title, b.Title)
		}
		for i, name := range b.Creators {
			if i >= len(r.Creators) || record.FoldText(r.Creators[i].Name) != record.FoldText(name) {
				t.Errorf("%s: creators %+v, want %q", b.File, r.Creators, b.Creators)
				break
			}
		}
		if len(b.Creators) == 0 && len(r.Creators) > 0 {
			t.Errorf("%s: creators %+v, want none", b.File, r.Creators)
		}
		if !slices.Equal(r.Languages, []string{b.Language}) || doc.LanguageDetected {
			t.Errorf("%s: languages %q, want %q", b.File, r.Languages, b.Language)
		}
		if id, ok := parseID("", b.Identifier); ok && !slices.Contains(r.IDs, id) {
			t.Errorf("%s: identifiers %v, want %v", b.File, r.IDs, id)
		}
		for _, s := range b.Subjects {
			if !slices.ContainsFunc(r.Subjects, func(have record.Subject) bool { return have.Label == s }) {
				t.Errorf("%s: subjects %v, want %q", b.File, r.Subjects, s)
			}
		}
		if doc.Cover != nil {
			covers++
		}
		var text strings.Builder
		n := 0
		err = Chapters(context.Background(), bytes.NewReader(data), doc.MediaType, func(c Chapter) error {
			if c.Index != n {
				t.Errorf("%s: chapter %d has the index %d", b.File, n, c.Index)
			}
			n++
			text.WriteString(c.Text)
			return nil
		})
		if err != nil || n == 0 {
			t.Errorf("%s: %d chapters, %v", b.File, n, err)
		}
		if got := len([]rune(text.String())); b.Characters > 0 && (got < b.Characters || got > b.Characters*2+2000) {
			t.Errorf("%s: %d characters of text, want about %d", b.File, got, b.Characters)
		}
	}
	if covers < 5 {
		t.Errorf("only %d covers found", covers)
	}
}

// The language of a real book is told from its text alone: of Chinese, the
// writing too.
func TestRealLanguages(t *testing.T) {
	dir, list := readBooks(t)
	wrong := 0
	for _, b := range list {
		data, err := os.ReadFile(filepath.Join(dir, b.File))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, c := range chaptersOf(t, data, MediaEPUB) {
			text.WriteString(c.Text + "\n")
		}
		if text.Len() < 2000 {
			continue
		}
		got, confidence := DetectLanguage(text.String())
		base, _, _ := strings.Cut(b.Language, "-")
		if got != b.Language && got != base || confidence < 0.5 {
			t.Logf("%s: told %q (%.2f), stated %q", b.File, got, confidence, b.Language)
			wrong++
		}
		if strings.HasPrefix(b.Language, "zh-") && got != "zh" && got != b.Language {
			t.Errorf("%s: told %q, stated %q", b.File, got, b.Language)
		}
	}
	if wrong > 2 {
		t.Errorf("%d books in the wrong language", wrong)
	}
}

// What the malformed set holds: what is only odd goes in with a warning, the
// rest is refused with one sentence.
func TestMalformed(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "malformed")
	want := map[string]string{ // file -> words of the warning; "-" for none, "!" and words of the refusal
		"ok-minimal.epub":           "-",
		"opf-html-title.epub":       "markup",
		"script-active.epub":        "scripts",
		"xhtml-not-wellformed.epub": "not well-formed",
		"no-mimetype.epub":          "mimetype",
		"zip-traversal.epub":        "!leads out",
		"bomb-flat.epub":            "!beyond reason",
		"xml-billion-laughs.epub":   "!entities",
		"xml-xxe-file.epub":         "!entities",
		"no-container.epub":         "!container.xml",
		"zip-truncated.epub":        "!cut off",
		"empty.epub":                "!empty",
		"atom-xxe.xml":              "!not known",
		"marc-truncated.mrc":        "!not taken in",
	}
	for name, words := range want {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		doc, err := Parse(context.Background(), name, bytes.NewReader(data))
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		refusal, refused := strings.CutPrefix(words, "!")
		switch {
		case refused:
			if !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), refusal) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case words == "-":
			if len(doc.Warnings) > 0 {
				t.Errorf("%s: warnings %q", name, doc.Warnings)
			}
		case len(doc.Warnings) == 0 || !strings.Contains(strings.Join(doc.Warnings, "; "), words):
			t.Errorf("%s: warnings %q", name, doc.Warnings)
		}
		if name == "opf-html-title.epub" && doc != nil && doc.Record.Title != `<script>alert(1)</script><b>bold</b> &amp; "quoted"` {
			t.Errorf("title %q", doc.Record.Title)
		}
	}
}

// Books that are valid go in; none, valid or not, panics or takes long.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata.Dir(t), "conformance", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		start := time.Now()
		doc, err := Parse(context.Background(), name, bytes.NewReader(data))
		if doc != nil {
			err = Chapters(context.Background(), bytes.NewReader(data), doc.MediaType, func(Chapter) error { return nil })
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		// This one is encrypted as a whole, which is valid, but not for readers without its key.
		if strings.HasSuffix(name, "-valid.epub") && err != nil && name != "epub3__test-files-unused__ocf-compression-valid.epub" {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !errs.Is(err, errs.Refused) {
			t.Errorf("%s: %v is not a refusal", name, err)
		}
	}
}

// BenchmarkParseBooks describes all real EPUBs, from memory, on both cores.
func BenchmarkParseBooks(b *testing.B) {
	dir, list := readBooks(b)
	var books [][]byte
	var total int64
	for _, line := range list {
		data, err := os.ReadFile(filepath.Join(dir, line.File))
		if err != nil {
			b.Fatal(err)
		}
		books = append(books, data)
		total += int64(len(data))
	}
	b.SetBytes(total)
	for b.Loop() {
		work := make(chan []byte)
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				for data := range work {
					if _, err := Parse(context.Background(), "x.epub", bytes.NewReader(data)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for _, data := range books {
			work <- data
		}
		close(work)
		group.Wait()
	}
	b.ReportMetric(float64(len(books))*float64(b.N)/b.Elapsed().Seconds(), "books/s")
}
