package gen

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecords(t *testing.T) {
	v := Made()
	dir := t.TempDir()
	small, large := filepath.Join(dir, "small"), filepath.Join(dir, "large")
	if err := v.Records(small, 1000); err != nil {
		t.Fatal(err)
	}
	if err := Made().Records(large, 12_000); err != nil {
		t.Fatal(err)
	}
	a, err := os.ReadFile(small)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(large)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, a) {
		t.Error("a larger library does not begin with the smaller one")
	}
	chinese, abstracts, n := 0, 0, 0
	for line := range strings.Lines(string(b)) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(col) != Columns {
			t.Fatalf("%d columns: %q", len(col), line)
		}
		for _, c := range []int{ID, Kind, Title, Authors, Publisher, Year, Language, Subjects, Identifier, Format} {
			if col[c] == "" {
				t.Fatalf("column %d is empty: %q", c, line)
			}
		}
		if col[Language] == "zh" {
			chinese++
		}
		if col[Abstract] != "" {
			abstracts++
		}
		n++
	}
	if n != 12_000 || chinese < n*38/100 || chinese > n*42/100 || abstracts < n*48/100 || abstracts > n*52/100 {
		t.Errorf("%d records, %d Chinese, %d with an abstract", n, chinese, abstracts)
	}
}

func TestTokens(t *testing.T) {
	for in, want := range map[string]string{
		"the red house":   "the red house",
		"红楼梦":             "红楼 楼梦",
		"甲":               "甲",
		"smith j ; 曹雪芹":   "smith j 曹雪 雪芹",
		"abc红楼 def":       "abc 红楼 def",
		"10.1000/ab.7":    "10.1000/ab.7",
		"":                "",
		"没有 三国演义 vol one": "没有 三国 国演 演义 vol one",
	} {
		if got := string(tokens(nil, in)); got != want {
			t.Errorf("tokens(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestISBN(t *testing.T) {
	for i := range 1000 {
		sum := 0
		for k, c := range isbn13(i) {
			d := int(c - '0')
			if k%2 == 1 {
				d *= 3
			}
			sum += d
		}
		if sum%10 != 0 {
			t.Fatalf("isbn13(%d) = %s has a wrong check digit", i, isbn13(i))
		}
	}
}

func TestQueries(t *testing.T) {
	v := Made()
	path := filepath.Join(t.TempDir(), "q")
	if err := v.Queries(path, 2000, 40); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	args := map[string]int{}
	for _, c := range Classes {
		args[c.Name] = c.Args
	}
	for line := range strings.Lines(string(raw)) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		count[col[0]]++
		if len(col)-1 != args[col[0]] {
			t.Errorf("%q has %d arguments", line, len(col)-1)
		}
		for _, a := range col[1:] {
			if a == "" {
				t.Errorf("empty argument: %q", line)
			}
		}
	}
	for _, c := range Classes {
		if count[c.Name] != 40 {
			t.Errorf("%d queries of %s", count[c.Name], c.Name)
		}
	}
}

func TestMisspell(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		if w := misspell(r, "library"); w[0] != 'l' || len(w) < 6 || len(w) > 8 {
			t.Fatalf("misspell: %q", w)
		}
	}
}

func TestAlias(t *testing.T) {
	a := newAlias([]float64{1, 2, 7})
	r := rand.New(rand.NewPCG(1, 2))
	var n [3]int
	for range 100_000 {
		n[a.draw(r)]++
	}
	for i, want := range []int{10_000, 20_000, 70_000} {
		if n[i] < want-1000 || n[i] > want+1000 {
			t.Errorf("draws of %d: %d, want about %d", i, n[i], want)
		}
	}
}
