package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// export exports and returns what was done.
func export(t *testing.T, cfg Config, req ExportRequest) (Exported, error) {
	t.Helper()
	l, err := OpenToRead(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Export(t.Context(), req, func(ExportProgress) {})
}

func exported(t *testing.T, cfg Config, req ExportRequest) Exported {
	t.Helper()
	sum, err := export(t, cfg, req)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// sameAsSite holds every file of an export to what the site says at its address.
func sameAsSite(t *testing.T, dir, site string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		rel = filepath.ToSlash(rel)
		switch rel {
		case exportMarker, exportLock, "index.html", "mirrors.json":
			return nil
		}
		want, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if status, body := fetch(t, site+"/"+rel); status != 200 || body != string(want) {
			t.Errorf("%s: %d, %d bytes, want %d", rel, status, len(body), len(want))
		}
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// serveExport serves an export with the program's own server.
func serveExport(t *testing.T, dir string) string {
	t.Helper()
	s, err := NewExportServer(Config{Data: dir, Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil && !strings.Contains(err.Error(), "use of closed") {
			t.Error(err)
		}
	})
	return s.Address()
}

// sha is the hash of a record's first file.
func sha(t *testing.T, cfg Config, n int64) string {
	t.Helper()
	l, err := OpenToRead(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	st, err := l.Catalog.Record(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return st.Files[0].SHA256
}

func TestExport(t *testing.T) {
	cfg := made(t)
	open := take(t, cfg, "public-domain", text(t, "a.txt", "open to all"))[0]
	closed := take(t, cfg, "", text(t, "b.txt", "nobody has said anything"))[0]
	soon := take(t, cfg, "public-domain", text(t, "c.txt", "withdrawn soon"))[0]
	local := take(t, cfg, "public-domain", text(t, "d.txt", "only in China"))[0]
	if err := Do(t.Context(), cfg, Request{Withdraw: &WithdrawRequest{Record: local, Ground: "x", Territories: []string{"DE"}}}, nil, func(Event) {}); err != nil {
		t.Fatal(err)
	}
	openSHA, closedSHA, soonSHA := sha(t, cfg, open), sha(t, cfg, closed), sha(t, cfg, soon)
	dir := filepath.Join(t.TempDir(), "disk", "export")
	sum := exported(t, cfg, ExportRequest{Dir: dir})
	if sum.Files != 2 || sum.Added == 0 || sum.Removed != 0 {
		t.Errorf("%+v", sum)
	}
	site := serve(t, cfg).Address()
	static := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer static.Close()
	own := serveExport(t, dir)
	for _, address := range []string{site, static.URL, own} {
		if n := sameAsSite(t, dir, address); n < 6 {
			t.Errorf("%s: only %d files were compared", address, n)
		}
	}
	if status, _ := fetch(t, own+"/blobs/sha256/"+closedSHA); status != 404 {
		t.Errorf("a file whose rights are not stated: %d", status)
	}
	if status, body := fetch(t, own+"/"); status != 200 || !strings.Contains(body, sum.Library) {
		t.Errorf("index.html: %d %s", status, body)
	}
	for _, path := range []string{"/" + exportMarker, "/register", "/register/tile/", "/blobs/sha256/", "/blobs/sha256/..%2f..%2f" + exportMarker, "/register/tile/0/../../../" + exportMarker, "/register/tile/0/000.tmp", "/wenlan-export.lock"} {
		if status, _ := fetch(t, own+path); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	// The same again writes nothing, also while the library is served.
	if again := exported(t, cfg, ExportRequest{Dir: dir}); again.Added != 0 || again.Removed != 0 {
		t.Errorf("%+v", again)
	}
	// What is new is added, what is withdrawn is gone, also where it is asked for under way.
	newer := take(t, cfg, "public-domain", text(t, "e.txt", "something new"))[0]
	if err := Do(t.Context(), cfg, Request{Withdraw: &WithdrawRequest{Record: soon, Ground: "a claim"}}, nil, func(Event) {}); err != nil {
		t.Fatal(err)
	}
	sum = exported(t, cfg, ExportRequest{Dir: dir})
	if sum.Removed != 1 || sum.Files != 2 {
		t.Errorf("%+v", sum)
	}
	for name, want := range map[string]int{openSHA: 200, soonSHA: 404, sha(t, cfg, newer): 200} {
		if status, _ := fetch(t, own+"/blobs/sha256/"+name); status != want {
			t.Errorf("%s: %d, want %d", name, status, want)
		}
	}
	sameAsSite(t, dir, site)
	partials := 0
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if strings.Contains(p, ".p"+string(filepath.Separator)) {
			partials++
		}
		return err
	})
	if partials != 2 { // a tile and a bundle
		t.Errorf("%d partial tiles are left", partials)
	}
	if _, err := os.Stat(filepath.Join(dir, "register", "checkpoint")); err != nil {
		t.Error(err)
	}
}

// TestExportSelected writes no files, and then those of some records.
func TestExportSelected(t *testing.T) {
	cfg := made(t)
	take(t, cfg, "public-domain", text(t, "a.txt", "open to all"))
	dir := t.TempDir()
	if sum := exported(t, cfg, ExportRequest{Dir: dir, NoFiles: true}); sum.Files != 0 {
		t.Errorf("%+v", sum)
	}
	if sum := exported(t, cfg, ExportRequest{Dir: dir, Select: "kind:article"}); sum.Files != 0 {
		t.Errorf("%+v", sum)
	}
	if sum := exported(t, cfg, ExportRequest{Dir: dir}); sum.Files != 1 {
		t.Errorf("%+v", sum)
	}
	// An export is no data folder.
	_, err := Open(t.Context(), Config{Data: dir}, ReadOnly, nil)
	kind(t, err, errs.Refused, "is an export")
}

func TestExportRefuses(t *testing.T) {
	cfg, other := made(t), made(t)
	dir := t.TempDir()
	exported(t, cfg, ExportRequest{Dir: dir})
	_, err := export(t, other, ExportRequest{Dir: dir})
	kind(t, err, errs.Refused, "another library")
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letter.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = export(t, cfg, ExportRequest{Dir: full})
	kind(t, err, errs.Refused, "letter.txt")
	_, err = export(t, cfg, ExportRequest{Dir: filepath.Join(cfg.Data, "blobs")})
	kind(t, err, errs.Invalid, "does not go into the data folder")
	// One that is newer than the library.
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(cfg.Data)); err != nil {
		t.Fatal(err)
	}
	take(t, cfg, "public-domain", text(t, "a.txt", "open to all"))
	exported(t, cfg, ExportRequest{Dir: dir})
	_, err = export(t, Config{Data: old}, ExportRequest{Dir: dir})
	kind(t, err, errs.Refused, "is newer than this library")
}

// TestExportResumes goes on after files that were cut short, and leaves out what is
// damaged here.
func TestExportResumes(t *testing.T) {
	cfg := made(t)
	n := take(t, cfg, "public-domain", text(t, "a.txt", "open to all"), text(t, "b.txt", "and this"))
	dir := t.TempDir()
	exported(t, cfg, ExportRequest{Dir: dir})
	a := sha(t, cfg, n[0])
	for _, name := range []string{"blobs/sha256/" + a, "register/tile/entries/000.p/3"} {
		if err := os.Truncate(filepath.Join(dir, filepath.FromSlash(name)), 5); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(dir, "blobs", "sha256", a+".tmp")
	if err := os.WriteFile(left, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if sum := exported(t, cfg, ExportRequest{Dir: dir}); sum.Added != 2 {
		t.Errorf("%+v", sum)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file that was never finished is still there")
	}
	rot(t, cfg, a)
	if err := os.Remove(filepath.Join(dir, "blobs", "sha256", a)); err != nil {
		t.Fatal(err)
	}
	sum, err := export(t, cfg, ExportRequest{Dir: dir})
	kind(t, err, errs.Corrupt, "1 files are damaged")
	if sum.Damaged != 1 {
		t.Errorf("%+v", sum)
	}
}

// rot changes a byte of a blob.
func rot(t *testing.T, cfg Config, sha string) {
	t.Helper()
	name := cfg.path("blobs", sha[:2], sha[2:4], sha)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[0] ^= 1
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestExportProved reads an export as a stranger would: by its checkpoint alone.
func TestExportProved(t *testing.T) {
	cfg := made(t)
	take(t, cfg, "public-domain", text(t, "a.txt", "open to all"))
	dir := t.TempDir()
	sum := exported(t, cfg, ExportRequest{Dir: dir})
	l := owned(t, cfg)
	signed, err := os.ReadFile(filepath.Join(dir, "register", "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	cp, err := register.ParseCheckpoint(signed, l.Register.Origin(), originVerifier{l.Register})
	if err != nil || cp.Size != sum.Entries || !bytes.Equal(signed, l.Register.Checkpoint()) {
		t.Errorf("%+v %v", cp, err)
	}
}
