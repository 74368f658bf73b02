package intake_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/intake"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

var publicDomain = intake.Options{Basis: "public-domain"}

// library makes a library and an intake over its own parts.
func library(t *testing.T, change func(*intake.Config)) (*app.Library, *intake.Intake) {
	t.Helper()
	cfg := app.Config{Data: filepath.Join(t.TempDir(), "lib")}
	if _, err := app.Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	l, err := app.Open(t.Context(), cfg, app.Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	c := intake.Config{Register: l, Blobs: l.Blobs, Known: l.Catalog}
	if change != nil {
		change(&c)
	}
	return l, intake.New(c)
}

func add(t *testing.T, in *intake.Intake, opt intake.Options, paths ...string) ([]intake.Outcome, intake.Summary) {
	t.Helper()
	var outs []intake.Outcome
	sum, err := in.Add(t.Context(), paths, opt, func(o intake.Outcome) { outs = append(outs, o) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return outs, sum
}

func state(t *testing.T, l *app.Library, n int64) *record.State {
	t.Helper()
	st, err := l.Catalog.Record(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func blobs(t *testing.T, l *app.Library) (n int) {
	t.Helper()
	if err := l.Blobs.Walk(t.Context(), func(string, int64) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// epub is a small book; meta goes into its metadata, text into its only chapter.
func epub(t *testing.T, title, meta, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range [][2]string{
		{"mimetype", "application/epub+zip"},
		{"META-INF/container.xml", `<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`},
		{"c.opf", `<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">x</dc:identifier><dc:title>` + title + `</dc:title><dc:creator>Ann Author</dc:creator><dc:language>en</dc:language>` + meta + `</metadata><manifest><item id="t" href="t.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="t"/></spine></package>`},
		{"t.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body><p>` + text + `</p></body></html>`},
	} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f[0], Method: zip.Store})
		if err == nil {
			_, err = io.WriteString(w, f[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAllBooks(t *testing.T) {
	books := filepath.Join(testdata.Dir(t), "books")
	l, in := library(t, nil)
	outs, sum := add(t, in, publicDomain, books)
	if sum.Added < 100 || sum.Added != len(outs) {
		t.Fatalf("%+v, %d outcomes", sum, len(outs))
	}
	for _, o := range outs {
		raw, err := os.ReadFile(o.Input)
		if err != nil {
			t.Fatal(err)
		}
		st := state(t, l, o.Record)
		if sha := sha256.Sum256(raw); st.Files[0].SHA256 != hex.EncodeToString(sha[:]) {
			t.Errorf("%s is not the file of record %d", o.Input, o.Record)
		}
		if st.Record.Title == "" || st.Rights.Access != record.Open {
			t.Errorf("record %d: %q, %+v", o.Record, st.Record.Title, st.Rights)
		}
	}
	size, held := l.Register.Size(), blobs(t, l)
	again, sum := add(t, in, publicDomain, books)
	if sum.Known != len(outs) || len(again) != len(outs) || l.Register.Size() != size || blobs(t, l) != held {
		t.Errorf("the second time: %+v", sum)
	}
}

func TestSameBytesTwice(t *testing.T) {
	l, in := library(t, nil)
	dir := write(t, t.TempDir(), map[string]string{"a.txt": "One\n\ntext", "b.txt": "One\n\ntext", "cal/metadata.opf": "<package/>", "cal/c.txt": "Two\n\ntext", "cal/d.txt": "Two\n\ntext"})
	outs, sum := add(t, in, publicDomain, dir)
	for _, o := range outs {
		if o.Err != nil {
			t.Errorf("%s: %v", o.Input, o.Err)
		}
	}
	if sum.Refused != 0 || len(outs) != 4 || outs[0].Record != outs[1].Record || outs[2].Record != outs[3].Record || l.Register.Size() != 3 {
		t.Errorf("%+v %+v, %d entries", sum, outs, l.Register.Size())
	}
	if outs, sum = add(t, in, publicDomain, dir); sum.Known != 4 {
		t.Errorf("%+v %+v", sum, outs)
	}
}

func TestDuplicates(t *testing.T) {
	isbn := "<dc:identifier>urn:isbn:9780306406157</dc:identifier>"
	doi := "<dc:identifier>doi:10.1000/abc</dc:identifier>"
	for name, books := range map[string][2]string{
		"isbn":  {epub(t, "One", isbn, "a"), epub(t, "Other", isbn, "b")},
		"doi":   {epub(t, "One", doi, "a"), epub(t, "Other", doi, "b")},
		"title": {epub(t, "The Same", "", "a"), epub(t, "The same", "", "b")},
	} {
		for _, atOnce := range []bool{true, false} {
			l, in := library(t, nil)
			dir := write(t, t.TempDir(), map[string]string{"a.epub": books[0], "b.epub": books[1]})
			var outs []intake.Outcome
			if atOnce {
				outs, _ = add(t, in, publicDomain, dir)
			} else {
				first, _ := add(t, in, publicDomain, filepath.Join(dir, "a.epub"))
				second, _ := add(t, in, publicDomain, filepath.Join(dir, "b.epub"))
				outs = append(first, second...)
			}
			if len(outs) != 2 || outs[1].Status != intake.Added || !slices.Equal(outs[1].Duplicates, []int64{outs[0].Record}) || len(outs[0].Duplicates) != 0 {
				t.Errorf("%s, at once %v: %+v", name, atOnce, outs)
			}
			if l.Register.Size() != 3 || state(t, l, outs[0].Record).MergedInto != nil {
				t.Errorf("%s: merged", name)
			}
		}
	}
}

func TestRightsPrecedence(t *testing.T) {
	meta := "<dc:rights>https://creativecommons.org/licenses/by/4.0/</dc:rights>"
	side := `{"type":"book","title":"S","license":"https://creativecommons.org/licenses/by-sa/4.0/"}`
	for _, c := range []struct {
		name, side, want string
		opt              intake.Options
	}{
		{"metadata", "", "CC-BY-4.0", intake.Options{}},
		{"sidecar", side, "CC-BY-SA-4.0", intake.Options{}},
		{"flags", side, "CC0-1.0", intake.Options{Licence: "CC0-1.0"}},
	} {
		l, in := library(t, nil)
		files := map[string]string{"a.epub": epub(t, "A", meta, "x")}
		if c.side != "" {
			files["a.json"] = c.side
		}
		outs, _ := add(t, in, c.opt, write(t, t.TempDir(), files))
		if r := state(t, l, outs[0].Record).Rights; r.Licence != c.want || r.Access != record.Open {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

func TestNeedsRights(t *testing.T) {
	l, in := library(t, nil)
	outs, sum := add(t, in, intake.Options{}, write(t, t.TempDir(), map[string]string{
		"a.epub": epub(t, "A", "<dc:rights>This book is under the Creative Commons Attribution 4.0 licence.</dc:rights>", "x")}))
	if sum.NeedsRights != 1 || len(outs[0].Hints) == 0 {
		t.Fatalf("%+v", outs)
	}
	if r := state(t, l, outs[0].Record).Rights; r.Basis != "" || r.Access != record.None {
		t.Errorf("%+v", r)
	}
}

func TestRefused(t *testing.T) {
	l, in := library(t, nil)
	dir := write(t, t.TempDir(), map[string]string{"empty.txt": "", "broken.epub": "PK not a book", "broken.pdf": "no"})
	outs, sum := add(t, in, publicDomain, dir, filepath.Join(dir, "nowhere.epub"))
	if sum.Refused != 4 || len(outs) != 4 {
		t.Errorf("%+v", outs)
	}
	for _, o := range outs {
		if o.Err == nil || o.Record != -1 || !errs.Is(o.Err, errs.Refused) {
			t.Errorf("%+v", o)
		}
	}
	if n := blobs(t, l); n != 0 || l.Register.Size() != 1 {
		t.Errorf("%d blobs stay, %d entries", n, l.Register.Size())
	}
}

func many(t *testing.T, n int) string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("%03d.txt", i)] = fmt.Sprintf("Text %d\n\nIts page.", i)
	}
	return write(t, t.TempDir(), files)
}

func TestCancelledThenAgain(t *testing.T) {
	l, in := library(t, nil)
	dir := many(t, 300)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reported := map[string]int64{}
	_, err := in.Add(ctx, []string{dir}, publicDomain, func(o intake.Outcome) {
		reported[o.Input] = o.Record
		cancel()
	}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	if len(reported) == 0 || len(reported) == 300 {
		t.Fatalf("%d reported", len(reported))
	}
	outs, sum := add(t, in, publicDomain, dir)
	if sum.Known < len(reported) || sum.Added+sum.Known != 300 || l.Register.Size() != 301 {
		t.Errorf("%+v after %d, %d entries", sum, len(reported), l.Register.Size())
	}
	for _, o := range outs {
		if n, ok := reported[o.Input]; ok && n != o.Record {
			t.Errorf("%s was %d and is %d", o.Input, n, o.Record)
		}
		if _, err := l.Blobs.Stat(t.Context(), state(t, l, o.Record).Files[0].SHA256); err != nil {
			t.Error(err)
		}
	}
}

// twins is a store in which two files with the same bytes are both missing
// when looked for, and b.txt is put once a.txt is reported; a bad one fails.
type twins struct {
	blob.Store
	sha, bad string
	seen     chan struct{}
	reported chan struct{}
}

func (s *twins) Stat(ctx context.Context, sha string) (int64, error) {
	n, err := s.Store.Stat(ctx, sha)
	if sha == s.sha {
		select {
		case s.seen <- struct{}{}:
		case <-s.seen:
		case <-time.After(5 * time.Second):
		}
	}
	return n, err
}

func (s *twins) PutExpect(ctx context.Context, want blob.Ref, r io.Reader) error {
	if want.SHA256 == s.bad {
		return errs.New(errs.Unavailable, "the disk is full")
	}
	if want.SHA256 == s.sha {
		if f, _, _ := r.(*io.SectionReader).Outer(); strings.HasSuffix(f.(*os.File).Name(), "b.txt") {
			<-s.reported
		}
	}
	return s.Store.PutExpect(ctx, want, r)
}

// TestAbandonKeepsWhatIsNamed: a batch that fails takes away its new blobs, but
// none that an earlier batch has named.
func TestAbandonKeepsWhatIsNamed(t *testing.T) {
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	dir := write(t, t.TempDir(), map[string]string{"a.txt": "Same\n\ntext", "b.txt": "Same\n\ntext", "c.txt": "Bad\n\ntext"})
	s := &twins{sha: sum("Same\n\ntext"), bad: sum("Bad\n\ntext"), seen: make(chan struct{}), reported: make(chan struct{})}
	l, in := library(t, func(c *intake.Config) {
		s.Store, c.Blobs, c.Workers = c.Blobs, s, 2
	})
	var outs []intake.Outcome
	_, err := in.Add(t.Context(), []string{dir}, publicDomain, func(o intake.Outcome) {
		if outs = append(outs, o); len(outs) == 1 {
			close(s.reported)
		}
	}, nil)
	if !errs.Is(err, errs.Unavailable) || len(outs) == 0 {
		t.Fatalf("%+v, %v", outs, err)
	}
	for _, o := range outs {
		if _, err := l.Blobs.Stat(t.Context(), state(t, l, o.Record).Files[0].SHA256); err != nil {
			t.Errorf("%s was reported as %s, but: %v", o.Input, o.Status, err)
		}
	}
}

// TestCalibre: a folder with metadata.opf is one record; a format of it that came
// in by itself in the same run does not swallow the others.
// thief deletes a blob just before a batch may be appended.
type thief struct {
	sync.Mutex
	take func()
}

func (th *thief) Lock() {
	th.Mutex.Lock()
	th.take()
}

// What an erasure takes away while it is taken in is not appended without bytes.
func TestErasedWhileTakenIn(t *testing.T) {
	th := &thief{take: func() {}}
	l, in := library(t, func(c *intake.Config) { c.Keep = th })
	dir := write(t, t.TempDir(), map[string]string{"a.txt": "the words of a book"})
	sum := sha256.Sum256([]byte("the words of a book"))
	th.take = func() {
		if err := l.Blobs.Delete(t.Context(), hex.EncodeToString(sum[:])); err != nil {
			t.Error(err)
		}
	}
	size := l.Register.Size()
	_, err := in.Add(t.Context(), []string{dir}, publicDomain, func(o intake.Outcome) { t.Errorf("reported: %+v", o) }, nil)
	if !errs.Is(err, errs.Unavailable) || errs.HintOf(err) == "" || l.Register.Size() != size {
		t.Fatalf("%v, %d entries", err, l.Register.Size()-size)
	}
	th.take = func() {}
	if outs, _ := add(t, in, publicDomain, dir); len(outs) != 1 || outs[0].Status != intake.Added {
		t.Errorf("again: %+v", outs)
	}
}

func TestCalibre(t *testing.T) {
	opf := `<package xmlns="http://www.idpf.org/2007/opf" version="2.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Whole</dc:title></metadata></package>`
	book := epub(t, "Part", "", "x")
	for _, alone := range []bool{false, true} {
		l, in := library(t, nil)
		files := map[string]string{"z/b/metadata.opf": opf, "z/b/b.epub": book, "z/b/b.txt": "The text\n\nof it", "metadata.db": "x"}
		if alone {
			files["a.epub"] = book
		}
		outs, sum := add(t, in, publicDomain, write(t, t.TempDir(), files))
		if sum.Refused != 0 || sum.Skipped != 0 {
			t.Errorf("%+v %+v", sum, outs)
		}
		for _, o := range outs {
			raw, _ := os.ReadFile(o.Input)
			h := sha256.Sum256(raw)
			if !slices.ContainsFunc(state(t, l, o.Record).Files, func(f record.File) bool { return f.SHA256 == hex.EncodeToString(h[:]) }) {
				t.Errorf("alone %v: %s is %s, but not a file of record %d", alone, o.Input, o.Status, o.Record)
			}
			if !alone && (o.Record != 1 || state(t, l, 1).Record.Title != "Whole") {
				t.Errorf("%+v", o)
			}
		}
	}
}

func TestWalkSkips(t *testing.T) {
	_, in := library(t, nil)
	dir := write(t, t.TempDir(), map[string]string{"a.txt": "A\n\na", "a.json": `{"title":"A side"}`, ".hidden.txt": "h", ".git/b.txt": "b", "photo.xyz": "p", "sub/c.md": "# C\n\nc"})
	other := write(t, t.TempDir(), map[string]string{"far.txt": "Far\n\nfar"})
	if err := os.Symlink(other, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	outs, sum := add(t, in, publicDomain, dir)
	if len(outs) != 2 || sum.Added != 2 || sum.Skipped != 1 || !strings.HasSuffix(outs[1].Input, "c.md") {
		t.Errorf("%+v %+v", sum, outs)
	}
}

func TestOptionsRights(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		opt     intake.Options
		invalid bool
		want    string // basis licence access
	}{
		{opt: intake.Options{}},
		{opt: intake.Options{Access: "none"}},
		{opt: intake.Options{Access: "open"}, invalid: true},
		{opt: intake.Options{Holder: "x"}, invalid: true},
		{opt: intake.Options{Evidence: "x"}, invalid: true},
		{opt: intake.Options{Basis: "maybe", Access: "open"}, invalid: true},
		{opt: intake.Options{Basis: "permission"}, invalid: true},
		{opt: intake.Options{Licence: "My own"}, invalid: true},
		{opt: intake.Options{Basis: "public-domain", Territories: []string{"nowhere"}}, invalid: true},
		{opt: intake.Options{Basis: "public-domain", Opens: "soon"}, invalid: true},
		{opt: intake.Options{Basis: "public-domain", Territories: []string{"cn"}}, want: "public-domain  open"},
		{opt: intake.Options{Licence: "cc-by-4.0"}, want: "licence CC-BY-4.0 open"},
		{opt: intake.Options{Licence: "https://creativecommons.org/publicdomain/mark/1.0/"}, want: "public-domain  open"},
		{opt: intake.Options{Basis: "permission", Access: "lend", Evidence: "https://example.org/x"}, want: "permission  lend"},
	} {
		r, err := c.opt.Rights(now)
		switch {
		case c.invalid:
			if !errs.Is(err, errs.Invalid) {
				t.Errorf("%+v: %+v, %v", c.opt, r, err)
			}
		case err != nil || (r == nil) != (c.want == ""):
			t.Errorf("%+v: %+v, %v", c.opt, r, err)
		case r != nil:
			if got := fmt.Sprintf("%s %s %s", r.Basis, r.Licence, r.Access); got != c.want || r.Evidence.At != "2026-01-02T03:04:05Z" {
				t.Errorf("%+v: %s", c.opt, got)
			}
		}
	}
}
