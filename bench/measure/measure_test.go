package measure

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test's own binary be a server: one that says where it listens.
func TestMain(m *testing.M) {
	if os.Getenv("MEASURE_TEST_SERVER") == "" {
		os.Exit(m.Run())
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	fmt.Fprintf(os.Stderr, "a note at http://example.org\nlistening on %s/\n", s.URL)
	select {}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := Median(c.xs); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.xs, got, c.want)
		}
	}
}

func TestRow(t *testing.T) {
	a, b, none := Side{"a", []float64{2, 4, 3}}, Side{"b", []float64{6}}, Side{Name: "c"}
	for _, c := range []struct {
		lower bool
		goal  Goal
		sides []Side
		want  string
	}{
		{false, Goal{}, []Side{a}, "a 3.00 s (2.00 to 4.00)"},
		{true, Goal{Ratio: 2}, []Side{a, b}, "a 3.00 s (2.00 to 4.00)  b 6.00 s (6.00 to 6.00)  ratio 2.00  [goal 2: met]"},
		{false, Goal{Ratio: 0.8}, []Side{a, b}, "a 3.00 s (2.00 to 4.00)  b 6.00 s (6.00 to 6.00)  ratio 0.50  [goal 0.8: MISSED]"},
		{false, Goal{Ratio: 0.8}, []Side{a, none}, "a 3.00 s (2.00 to 4.00)  c: not measured  [goal 0.8]"},
		{true, Goal{Limit: 3}, []Side{a}, "a 3.00 s (2.00 to 4.00)  [goal 3 s: met]"},
		{true, Goal{Limit: 2}, []Side{a}, "a 3.00 s (2.00 to 4.00)  [goal 2 s: MISSED]"},
		{false, Goal{Limit: 2}, []Side{a}, "a 3.00 s (2.00 to 4.00)  [goal 2 s: met]"},
	} {
		if got := row("time", "s", c.lower, c.goal, c.sides); got != fmt.Sprintf("  %-28s  %s", "time", c.want) {
			t.Errorf("%+v, lower %v: %q", c.goal, c.lower, got)
		}
	}
}

func TestWriteEPUB(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.epub")
	if err := WriteEPUB(name, Book{ID: "1", Title: "A", Creator: "B", Filling: 5000}); err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if z.File[0].Name != "mimetype" || z.File[0].Method != zip.Store {
		t.Errorf("first file is %s", z.File[0].Name)
	}
	for _, f := range z.File {
		if f.Name == "filling.bin" && f.UncompressedSize64 != 5000 {
			t.Errorf("filling has %d bytes", f.UncompressedSize64)
		}
	}
}

func TestRunParts(t *testing.T) {
	var ran []string
	part := func(name string, err error, needs ...string) Part[*[]string] {
		return Part[*[]string]{name, needs, func(_ context.Context, ran *[]string) error {
			*ran = append(*ran, name)
			return err
		}}
	}
	parts := []Part[*[]string]{part("a", errors.New("no")), part("b", nil), part("c", nil, "no-such-program-here")}
	if err := RunParts(t.Context(), &ran, parts, ""); err == nil || strings.Join(ran, "") != "ab" {
		t.Errorf("ran %v, %v", ran, err)
	}
	if err := RunParts(t.Context(), &ran, parts, "b,c"); err != nil || strings.Join(ran, "") != "abb" {
		t.Errorf("ran %v, %v", ran, err)
	}
}

func TestServer(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "MEASURE_TEST_SERVER=1")
	s, err := Start(t.Context(), cmd, "", "/a")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Base, "http://127.0.0.1:") || strings.HasSuffix(s.Base, "/") || s.Took <= 0 {
		t.Errorf("%s after %s", s.Base, s.Took)
	}
	if _, err := os.Stat("/proc/self/status"); err == nil {
		if mb, err := s.Memory(); err != nil || mb <= 0 || s.PeakMemory() < mb/2 {
			t.Errorf("%v MB, at most %v, %v", mb, s.PeakMemory(), err)
		}
	}
	s.Stop()
	if _, err := Start(t.Context(), exec.CommandContext(t.Context(), "false"), "", "/"); err == nil {
		t.Error("a program that ends is a server")
	}
}

// TestFolder: the folder of a run goes with it, unless people want to keep it.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "below")
	for _, keep := range []bool{false, true} {
		abs, run, done, err := Folder(dir, keep)
		if err != nil || abs != dir || filepath.Dir(run) != dir {
			t.Fatal(abs, run, err)
		}
		done()
		if _, err := os.Stat(run); (err == nil) != keep {
			t.Error(keep, err)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
