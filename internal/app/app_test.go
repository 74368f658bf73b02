package app

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// made is a library in a folder of its own.
func made(t *testing.T) Config {
	t.Helper()
	cfg := Config{Data: filepath.Join(t.TempDir(), "lib")}
	if _, err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// owned opens a library until the test ends.
func owned(t *testing.T, cfg Config) *Library {
	t.Helper()
	l, err := Open(t.Context(), cfg, Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// text writes a small book.
func text(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func kind(t *testing.T, err error, want errs.Kind, words string) {
	t.Helper()
	if !errs.Is(err, want) || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, want a %s error that says %q", err, want, words)
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, configFile), []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("name = \"A\"\nlisten = \"127.0.0.1:1\"\nstores = [\"/a\"]\n")
	t.Setenv("WENLAN_NAME", "B")
	t.Setenv("WENLAN_STORES", "/b"+string(filepath.ListSeparator)+"/c")
	cfg, err := LoadConfig(dir)
	if err != nil || cfg.Name != "B" || cfg.Listen != "127.0.0.1:1" || len(cfg.Stores) != 2 || cfg.Stores[1] != "/c" {
		t.Errorf("%+v %v", cfg, err)
	}
	write("name = \"A\"\n[server]\nport = 3\n")
	_, err = LoadConfig(dir)
	kind(t, err, errs.Invalid, "server")
	write("name = 3")
	_, err = LoadConfig(dir)
	kind(t, err, errs.Invalid, configFile)

	for words, bad := range map[string]Config{
		"address of a site": {URL: "books.example.org"},
		"contact":           {URL: "https://books.example.org"},
		"listen on":         {Listen: "here"},
		"is not an address": {Source: "my/source"},
		"log format":        {LogFormat: "xml"},
		"log level":         {LogLevel: "loud"},
	} {
		kind(t, bad.Check(), errs.Invalid, words)
	}
	for _, good := range []Config{{}, {URL: "http://127.0.0.1:8080"}, {URL: "https://books.example.org", Contact: "a@example.org"}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}

func TestOneOwner(t *testing.T) {
	cfg := made(t)
	l := owned(t, cfg)
	_, err := Open(t.Context(), cfg, Own, nil)
	kind(t, err, errs.Locked, "")
	reading, err := Open(t.Context(), cfg, ReadOnly, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	if _, err := reading.Append(t.Context(), [][]byte{[]byte("{}")}); err == nil {
		t.Error("a library that is only read takes an entry")
	}
	// Somebody owns the folder who does not answer.
	err = Do(t.Context(), cfg, Request{Rebuild: &RebuildRequest{}}, nil, func(Event) {})
	kind(t, err, errs.Locked, "")
	l.Close()
	if err := Do(t.Context(), cfg, Request{Rebuild: &RebuildRequest{}}, nil, func(Event) {}); err != nil {
		t.Error(err)
	}
}

func TestSocket(t *testing.T) {
	cfg := made(t)
	serve(t, cfg)
	info, err := os.Stat(socketPath(cfg))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the socket: %v %v", info, err)
	}
	n := take(t, cfg, "public-domain", text(t, "a.txt", "some words"))[0]
	// An error keeps its kind and its hint on the way.
	err = Do(t.Context(), cfg, Request{Withdraw: &WithdrawRequest{Record: n + 50, Ground: "x"}}, nil, func(Event) {})
	kind(t, err, errs.NotFound, "")
	err = Do(t.Context(), cfg, Request{Rights: &RightsRequest{Record: n}}, nil, func(Event) {})
	kind(t, err, errs.Invalid, "says nothing")
	if errs.HintOf(err) == "" {
		t.Error("the hint is lost")
	}
	err = Do(t.Context(), cfg, Request{}, nil, func(Event) {})
	kind(t, err, errs.Invalid, "asks for nothing")
	// Many at once: each is done, and said to whom it belongs.
	var wg sync.WaitGroup
	seen := make([]int64, 8)
	for i := range seen {
		wg.Go(func() {
			req := Request{Withdraw: &WithdrawRequest{Record: n, Ground: "x"}}
			if err := Do(t.Context(), cfg, req, nil, func(e Event) { seen[i] = e.Entry.Entry }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all := map[int64]bool{}
	for _, i := range seen {
		all[i] = true
	}
	if len(all) != len(seen) || all[0] {
		t.Errorf("entries %v", seen)
	}
}

func TestHealth(t *testing.T) {
	l := owned(t, made(t))
	h, err := l.handler(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, from string, header ...string) int {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = from
		if len(header) == 2 {
			r.Header.Set(header[0], header[1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	if code := ask("/healthz", "192.0.2.1:5"); code != http.StatusOK {
		t.Errorf("healthz: %d", code)
	}
	for _, tc := range []struct {
		from   string
		header []string
		code   int
	}{
		{"127.0.0.1:5", nil, 200},
		{"[::1]:5", nil, 200},
		{"192.0.2.1:5", nil, 403},
		{"[2001:db8::1]:5", nil, 403},
		{"127.0.0.1:5", []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{"127.0.0.1:5", []string{"Forwarded", "for=192.0.2.1"}, 403},
	} {
		if code := ask("/metrics", tc.from, tc.header...); code != tc.code {
			t.Errorf("metrics from %s %v: %d", tc.from, tc.header, code)
		}
	}
	// The register is ahead of the views.
	raw, err := record.Encode(record.Entry{Type: record.TypeAccession, Time: time.Now(), Record: &record.Record{Title: "A", Kind: record.Book}, Rights: &record.Rights{Access: record.None}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Register.Append(t.Context(), [][]byte{raw}); err != nil {
		t.Fatal(err)
	}
	if code := ask("/healthz", "192.0.2.1:5"); code != http.StatusServiceUnavailable {
		t.Errorf("healthz, when the views are behind: %d", code)
	}
	if err := l.Views.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := ask("/healthz", "192.0.2.1:5"); code != http.StatusOK {
		t.Errorf("healthz, when they have followed: %d", code)
	}
}

func TestPanic(t *testing.T) {
	l := owned(t, made(t))
	var logged bytes.Buffer
	mux := http.NewServeMux()
	mux.HandleFunc("GET /boom", func(http.ResponseWriter, *http.Request) { panic("of a handler") })
	h := newMetrics(l).observe(slog.New(slog.NewTextHandler(&logged, nil)), mux, mux)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/boom", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(logged.String(), "of a handler") || strings.Contains(w.Body.String(), "of a handler") {
		t.Errorf("status %d, %q, log %q", w.Code, w.Body, &logged)
	}
}

// sink is a connection's end that says what it was handed.
type sink struct {
	*httptest.ResponseRecorder
	got io.Reader
}

func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	s.got = r
	return io.Copy(s.ResponseRecorder, r)
}

// The file itself reaches the connection, so that the kernel can send it.
func TestFilesAreHandedOn(t *testing.T) {
	cfg := made(t)
	words := strings.Repeat("all the words of a book ", 10_000)
	n := take(t, cfg, "public-domain", text(t, "long.txt", words))[0]
	l := owned(t, cfg)
	h, err := l.handler(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	st, err := l.Catalog.Record(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/records/1/files/long.txt", "/blobs/sha256/" + st.Files[0].SHA256} {
		s := &sink{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(s, httptest.NewRequest("GET", path, nil))
		limited, ok := s.got.(*io.LimitedReader)
		if !ok {
			t.Fatalf("%s: the connection was handed %T", path, s.got)
		}
		if _, ok := limited.R.(*os.File); !ok {
			t.Errorf("%s: the connection was handed a limited %T", path, limited.R)
		}
		if s.Body.String() != words {
			t.Errorf("%s: %d bytes", path, s.Body.Len())
		}
	}
}

func TestEraseAfterACrash(t *testing.T) {
	ctx := t.Context()
	cfg := made(t)
	shared := text(t, "shared.txt", "words that two records have")
	alone := text(t, "alone.txt", "words that one record has")
	n := take(t, cfg, "public-domain", alone)[0]
	other := take(t, cfg, "public-domain", shared)[0]

	l, err := Open(ctx, cfg, Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := l.Catalog.Record(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	st2, err := l.Catalog.Record(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	// The first record gets the second one's file besides, and a description.
	if _, err := l.decide(ctx, record.Entry{Type: record.TypeFiles, Of: &n, Add: []record.File{{SHA256: st2.Files[0].SHA256, Bytes: st2.Files[0].Bytes, MediaType: "text/plain", Name: "s.txt", Role: record.RoleText}}}, func(Event) {}); err != nil {
		t.Fatal(err)
	}
	if err := l.edit(ctx, EditRequest{Record: n, Patch: json.RawMessage(`{"title":"a name that must go"}`)}, func(Event) {}); err != nil {
		t.Fatal(err)
	}
	// It is erased, and the power goes when the entry has just been appended.
	job := erasing{From: l.Register.Size(), Entries: []int64{n, n + 2, n + 3}, Blobs: []string{st.Files[0].SHA256, st2.Files[0].SHA256}}
	journal, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(durable.OS(), cfg.path(erasingFile), journal, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.decide(ctx, record.Entry{Type: record.TypeErasure, Entries: job.Entries, Ground: "law"}, func(Event) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Blobs.Stat(ctx, st.Files[0].SHA256); err != nil {
		t.Fatal(err)
	}
	l.Close()

	l = owned(t, cfg)
	for _, i := range job.Entries {
		if _, err := l.Register.Entry(ctx, i); !errs.Is(err, errs.Gone) {
			t.Errorf("entry %d is still there: %v", i, err)
		}
	}
	if _, err := l.Blobs.Stat(ctx, st.Files[0].SHA256); !errs.Is(err, errs.NotFound) {
		t.Errorf("the file is still there: %v", err)
	}
	if _, err := l.Blobs.Stat(ctx, st2.Files[0].SHA256); err != nil {
		t.Errorf("another record's file is gone: %v", err)
	}
	if there, _ := durable.Exists(durable.OS(), cfg.path(erasingFile)); there {
		t.Error("the journal is still there")
	}
	if _, err := VerifyLibrary(ctx, cfg, VerifyRequest{}, nil, func(p Problem) { t.Errorf("%+v", p) }); err != nil {
		t.Error(err)
	}
}

// An erasure that was not appended promised nothing.
func TestEraseBeforeACrash(t *testing.T) {
	ctx := t.Context()
	cfg := made(t)
	n := take(t, cfg, "public-domain", text(t, "a.txt", "words"))[0]
	l, err := Open(ctx, cfg, Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := l.Catalog.Record(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	journal, _ := json.Marshal(erasing{From: l.Register.Size(), Entries: []int64{n}, Blobs: []string{st.Files[0].SHA256}})
	if err := durable.WriteFile(durable.OS(), cfg.path(erasingFile), journal, 0o600); err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = owned(t, cfg)
	if _, err := l.Register.Entry(ctx, n); err != nil {
		t.Error(err)
	}
	if _, err := l.Blobs.Stat(ctx, st.Files[0].SHA256); err != nil {
		t.Error(err)
	}
	if there, _ := durable.Exists(durable.OS(), cfg.path(erasingFile)); there {
		t.Error("the journal is still there")
	}
}

func TestVerifyNamesAView(t *testing.T) {
	ctx := t.Context()
	cfg := made(t)
	take(t, cfg, "public-domain", text(t, "a.txt", "words of a book"))
	for _, view := range []string{"catalog/*.db", "index/*/manifest"} {
		found, err := filepath.Glob(cfg.path("views", view))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v %v", view, found, err)
		}
		file := found[0]
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		for at := len(bad) / 2; at < len(bad); at++ {
			bad[at] ^= 0x55
		}
		if err := os.WriteFile(file, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		var said []Problem
		_, err = VerifyLibrary(ctx, cfg, VerifyRequest{}, nil, func(p Problem) { said = append(said, p) })
		kind(t, err, errs.Corrupt, "wrong")
		named := false
		for _, p := range said {
			named = named || p.Part == "views" && p.Mend != ""
		}
		if !named {
			t.Errorf("%s: %+v", view, said)
		}
		// What is damaged can be rebuilt as it is; where it is the index, other work goes on.
		if strings.HasPrefix(view, "index") {
			take(t, cfg, "public-domain", text(t, "b.txt", "words of another book"))
		}
		if err := Do(ctx, cfg, Request{Rebuild: &RebuildRequest{}}, nil, func(Event) {}); err != nil {
			t.Fatal(err)
		}
		if _, err = VerifyLibrary(ctx, cfg, VerifyRequest{}, nil, func(p Problem) { t.Errorf("%s, rebuilt: %+v", view, p) }); err != nil {
			t.Error(err)
		}
	}
}

func TestSecureNeedsPort443(t *testing.T) {
	cfg := made(t)
	cfg.URL, cfg.Contact = "https://books.example.org", "a@example.org"
	s := serve(t, cfg)
	if !strings.HasPrefix(s.Address(), "http://127.0.0.1:") {
		t.Errorf("address %s", s.Address())
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Address(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
