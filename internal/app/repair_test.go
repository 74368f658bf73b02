package app

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// filled is a library with books, more than one full tile, and a body; and an
// export of it, served by a plain static web server.
func filled(t *testing.T, first string) (cfg Config, files []string, source string) {
	t.Helper()
	cfg = made(t)
	for _, n := range take(t, cfg, "public-domain", text(t, "a.txt", first), text(t, "b.txt", strings.Repeat("a longer one ", 9000))) {
		files = append(files, sha(t, cfg, n))
	}
	l, err := Open(t.Context(), cfg, Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	var batch [][]byte
	for i := range 600 {
		raw, err := record.Encode(record.Entry{Type: record.TypeAccession, Time: time.Now(), Record: &record.Record{Title: fmt.Sprint("record ", i), Kind: "book"},
			Source: &record.Source{Name: "test", ID: fmt.Sprint(i), Digest: strings.Repeat("ab", 32)}})
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, raw)
	}
	if _, err := l.Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	long := record.Record{Title: "with many authors", Kind: "book"}
	for i := range 3000 {
		long.Creators = append(long.Creators, record.Creator{Name: fmt.Sprint("author number ", i), Role: "aut"})
	}
	raw, body, ref, err := record.EncodeLong(record.Entry{Type: record.TypeAccession, Time: time.Now(), Record: &long,
		Source: &record.Source{Name: "test", ID: "long", Digest: strings.Repeat("cd", 32)}})
	if err != nil || ref == nil {
		t.Fatal(ref, err)
	}
	if _, err := l.Blobs.Put(t.Context(), bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if err := l.Blobs.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), [][]byte{raw}); err != nil {
		t.Fatal(err)
	}
	files = append(files, ref.SHA256)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if sum := exported(t, cfg, ExportRequest{Dir: dir}); sum.Files != 3 {
		t.Fatalf("%+v", sum)
	}
	static := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(static.Close)
	return cfg, files, static.URL
}

// repair mends, and sees that all is right then.
func repair(t *testing.T, cfg Config, from ...string) (said []Problem) {
	t.Helper()
	sum, err := VerifyLibrary(t.Context(), cfg, VerifyRequest{Repair: true, From: from}, nil, func(p Problem) {
		said = append(said, p)
		if !p.Mended {
			t.Errorf("not mended: %+v", p)
		}
	})
	if err != nil {
		t.Errorf("repair: %v", err)
	}
	if sum.Mended != int64(len(said)) || sum.Problems != 0 {
		t.Errorf("%+v, said %d", sum, len(said))
	}
	if _, err := VerifyLibrary(t.Context(), cfg, VerifyRequest{}, nil, func(p Problem) { t.Errorf("after the repair: %+v", p) }); err != nil {
		t.Errorf("after the repair: %v", err)
	}
	return said
}

// damages are what may befall a folder.
func damages(cfg Config, files []string) map[string]func() error {
	reg := func(name string) string { return cfg.path("register", filepath.FromSlash(name)) }
	file := func(sha string) string { return cfg.path("blobs", sha[:2], sha[2:4], sha) }
	flip := func(name string) func() error {
		return func() error {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 8
			return os.WriteFile(name, data, 0o644)
		}
	}
	cut := func(name string) func() error { return func() error { return os.Truncate(name, 100) } }
	rm := func(name string) func() error { return func() error { return os.RemoveAll(name) } }
	first := func(pattern string) string {
		list, _ := filepath.Glob(pattern)
		if len(list) == 0 {
			return pattern
		}
		return list[0]
	}
	return map[string]func() error{
		"a rotten file":        flip(file(files[0])),
		"a missing file":       rm(file(files[1])),
		"a truncated file":     func() error { return os.Truncate(file(files[1]), 5) },
		"a rotten body":        flip(file(files[2])),
		"a missing body":       rm(file(files[2])),
		"all files":            rm(cfg.path("blobs")),
		"a truncated tile":     cut(reg("tile/0/000")),
		"a truncated bundle":   cut(reg("tile/entries/001")),
		"the first bundle":     cut(reg("tile/entries/000")),
		"a damaged edge tile":  flip(first(reg("tile/1/000.p/*"))),
		"the lowest edge tile": flip(first(reg("tile/0/002.p/*"))),
		"the last bundle":      rm(first(reg("tile/entries/002.p/*"))),
		"all tiles":            rm(reg("tile")),
		"a charter":            flip(reg("charters/1")),
		"lost views":           rm(cfg.path("views")),
		"a damaged catalogue":  cut(first(cfg.path("views", "catalog", "*.db"))),
		"a damaged shelf list": cut(first(cfg.path("views", "shelves", "*.db"))),
		"a damaged index":      cut(first(cfg.path("views", "index", "*", "manifest"))),
		"all that is derived, and a bundle": func() error {
			if err := os.RemoveAll(cfg.path("views")); err != nil {
				return err
			}
			return os.Truncate(reg("tile/entries/001"), 7)
		},
	}
}

// another is a copy of a whole data folder.
func another(t *testing.T, cfg Config) Config {
	t.Helper()
	again := Config{Data: filepath.Join(t.TempDir(), "copy")}
	if err := os.CopyFS(again.Data, os.DirFS(cfg.Data)); err != nil {
		t.Fatal(err)
	}
	return again
}

func TestRepair(t *testing.T) {
	whole, files, source := filled(t, "the first book")
	for name := range damages(whole, files) {
		t.Run(name, func(t *testing.T) {
			cfg := another(t, whole)
			if err := damages(cfg, files)[name](); err != nil {
				t.Fatal(err)
			}
			if said := repair(t, cfg, source); len(said) == 0 && name != "lost views" {
				t.Error("nothing was said")
			}
		})
	}
	// The folder of another library's export, and one that is not there, mend nothing.
	cfg := another(t, whole)
	if err := damages(cfg, files)["a rotten file"](); err != nil {
		t.Fatal(err)
	}
	other, _, foreign := filled(t, "another book")
	for _, from := range [][]string{{foreign}, {other.Data}, nil} {
		var said []Problem
		_, err := VerifyLibrary(t.Context(), cfg, VerifyRequest{Repair: true, From: from}, nil, func(p Problem) { said = append(said, p) })
		kind(t, err, errs.Corrupt, "1 things are wrong")
		if len(said) != 1 || said[0].Mended || said[0].Name != files[0] {
			t.Errorf("%v: %+v", from, said)
		}
	}
	// The data folder of a copy is as good as a site.
	repair(t, cfg, whole.Data)
}

// TestRepairServed mends through the socket, while readers read.
func TestRepairServed(t *testing.T) {
	whole, files, source := filled(t, "the first book")
	cfg := another(t, whole)
	s := serve(t, cfg)
	for _, name := range []string{"a rotten file", "a missing file", "a truncated tile", "a truncated bundle", "the lowest edge tile", "the last bundle", "a charter"} {
		if err := damages(cfg, files)[name](); err != nil {
			t.Fatal(name, err)
		}
	}
	if err := os.Remove(cfg.path("register", "checkpoint")); err != nil {
		t.Fatal(err)
	}
	said := repair(t, cfg, source)
	if len(said) < 7 {
		t.Errorf("%d things were mended: %+v", len(said), said)
	}
	if status, body := fetch(t, s.Address()+"/blobs/sha256/"+files[0]); status != 200 || body != "the first book" {
		t.Errorf("%d %q", status, body)
	}
	take(t, cfg, "public-domain", text(t, "c.txt", "one more"))
}

// TestRepairNothing leaves what is right alone, and removes what is damaged and
// not needed.
func TestRepairNothing(t *testing.T) {
	cfg := made(t)
	n := take(t, cfg, "public-domain", text(t, "a.txt", "words"))[0]
	if said := repair(t, cfg); len(said) != 0 {
		t.Errorf("%+v", said)
	}
	l, err := Open(t.Context(), cfg, Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := l.Blobs.Put(t.Context(), strings.NewReader("nothing names this"))
	if err == nil {
		err = l.Blobs.Flush(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	rot(t, cfg, ref.SHA256)
	if said := repair(t, cfg); len(said) != 1 || !strings.Contains(said[0].Mend, "removed") {
		t.Errorf("%+v", said)
	}
	rot(t, cfg, sha(t, cfg, n))
	_, err = VerifyLibrary(t.Context(), cfg, VerifyRequest{Repair: true}, nil, func(p Problem) {
		if p.Mended || !strings.Contains(p.Mend, "--from") {
			t.Errorf("%+v", p)
		}
	})
	kind(t, err, errs.Corrupt, "1 things")
	_, err = VerifyLibrary(t.Context(), cfg, VerifyRequest{Repair: true, From: []string{"ftp://x"}}, nil, func(Problem) {})
	kind(t, err, errs.Invalid, "")
}

// TestRepairKeepsViews: views that are not to blame are not thrown away.
func TestRepairKeepsViews(t *testing.T) {
	cfg := made(t)
	take(t, cfg, "public-domain", text(t, "a.txt", "words"))
	before, err := os.Stat(cfg.path("views", "catalog"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(cfg.path("keys", "origin.key")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(cfg.path("keys", "origin.key"), 0o700); err != nil { // cannot be read
		t.Fatal(err)
	}
	_, err = VerifyLibrary(t.Context(), cfg, VerifyRequest{Repair: true}, nil, func(p Problem) { t.Errorf("%+v", p) })
	if err == nil || !strings.Contains(err.Error(), "origin.key") {
		t.Errorf("%v", err)
	}
	if after, err := os.Stat(cfg.path("views", "catalog")); err != nil || !os.SameFile(before, after) {
		t.Error("the views were thrown away", err)
	}
}
