package feeds

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// TestDoors asks every door for a record in every state, in every way to ask,
// and wants the bytes only where the state is open.
func TestDoors(t *testing.T) {
	const secret = "the bytes of the book"
	hash := hashOf(secret)
	with := func(change func(*record.State)) func(*library) {
		return func(l *library) { change(l.add(1, open(), secret)) }
	}
	rights := func(r *record.Rights) func(*library) {
		return func(l *library) { l.add(1, r, secret) }
	}
	withdrawal := record.Withdrawal{Entry: 9, Time: day, Ground: "court order"}
	tests := []struct {
		name string
		make func(*library)
		blob int // what /blobs answers
		opds int // what /opds/records answers
		api  int // what /api/v1/records answers: a description is no file
	}{
		{"open", rights(open()), 200, 200, 200},
		{"subsidised", rights(&record.Rights{Basis: record.Permission, Access: record.Subsidised}), 200, 200, 200},
		{"opened by its date", rights(&record.Rights{Basis: record.Permission, Access: record.None, Opens: "2026-05-04"}), 200, 200, 200},
		{"opens tomorrow", rights(&record.Rights{Basis: record.Permission, Access: record.None, Opens: "2026-05-05"}), 403, 403, 200},
		{"rights not stated", rights(nil), 403, 403, 200},
		{"access none", rights(&record.Rights{Basis: record.PublicDomain, Access: record.None}), 403, 403, 200},
		{"no basis", rights(&record.Rights{Access: record.Open}), 403, 403, 200},
		{"lend", rights(&record.Rights{Basis: record.Permission, Access: record.Lend, Copies: 2}), 403, 403, 200},
		{"sale", rights(&record.Rights{Basis: record.Permission, Access: record.Sale, Price: &record.Price{Minor: 100, Currency: "EUR"}}), 403, 403, 200},
		{"another country", rights(&record.Rights{Basis: record.PublicDomain, Access: record.Open, Territories: []string{"CN"}}), 403, 403, 200},
		{"evidence for another country", rights(&record.Rights{Basis: record.PublicDomain, Access: record.Open,
			Evidence: &record.Evidence{Territories: []string{"CN"}}}), 403, 403, 200},
		{"withdrawn", with(func(st *record.State) { st.Withdrawals = []record.Withdrawal{withdrawal} }), 451, 451, 200},
		{"withdrawn here", with(func(st *record.State) {
			st.Withdrawals = []record.Withdrawal{{Entry: 9, Territories: []string{"DE"}}}
		}), 451, 451, 200},
		{"withdrawn elsewhere", with(func(st *record.State) {
			st.Withdrawals = []record.Withdrawal{{Entry: 9, Territories: []string{"FR"}}}
		}), 200, 200, 200},
		{"blob withdrawn", func(l *library) {
			l.add(1, open(), secret)
			w := withdrawal
			w.Blob = hash
			l.withdrawals[hash] = []record.Withdrawal{w}
		}, 451, 451, 200},
		{"blob withdrawn, open in two records", func(l *library) {
			l.add(1, open(), secret)
			l.add(2, open(), secret)
			w := withdrawal
			w.Blob = hash
			l.withdrawals[hash] = []record.Withdrawal{w}
		}, 451, 451, 200},
		{"not stated here, open in another record", func(l *library) {
			l.add(1, nil, secret)
			l.add(2, open(), secret)
		}, 200, 403, 200},
		{"erased, known as such", with(func(st *record.State) { st.Erased = &record.Erasure{Entry: 5} }), 410, 410, 410},
		{"erased, gone from the catalogue", func(l *library) { l.add(1, open(), secret); l.gone[1] = true }, 410, 410, 410},
		{"closed by an unknown entry", with(func(st *record.State) { st.Closed = true }), 403, 403, 200},
		{"file taken off", with(func(st *record.State) { st.Files = nil }), 404, 404, 200},
		{"merged", func(l *library) {
			l.add(2, open(), "other")
			into := int64(2)
			l.add(1, open(), secret).MergedInto = &into
		}, 200, 302, 200},
		{"unknown", func(l *library) { l.blobs[hash] = []byte(secret) }, 404, 404, 404},
	}
	asks := []struct {
		name   string
		method string
		header []string
		full   int // the status of an open door
	}{
		{"GET", http.MethodGet, nil, 200},
		{"HEAD", http.MethodHead, nil, 200},
		{"Range", http.MethodGet, []string{"Range", "bytes=0-3"}, 206},
		{"HEAD Range", http.MethodHead, []string{"Range", "bytes=0-3"}, 206},
		{"If-None-Match", http.MethodGet, []string{"If-None-Match", `"` + hash + `"`}, 304},
		{"If-Range", http.MethodGet, []string{"Range", "bytes=4-", "If-Range", `"` + hash + `"`}, 206},
	}
	for _, tt := range tests {
		l := newLibrary()
		tt.make(l)
		h := l.serve(t, func(c *Config) { c.Place = func(*http.Request) string { return "DE" } })
		for _, a := range asks {
			t.Run(tt.name+"/"+a.name, func(t *testing.T) {
				w := ask(t, h, a.method, "/blobs/sha256/"+hash, a.header...)
				want := tt.blob
				if want == 200 {
					want = a.full
				}
				if w.Code != want {
					t.Errorf("blob: status %d, want %d", w.Code, want)
				}
				if tt.blob != 200 {
					if strings.Contains(w.Body.String(), "bytes") || w.Header().Get("ETag") != "" || w.Header().Get("Location") != "" {
						t.Errorf("a refusal gives away bytes, hash or address: %v %s", w.Header(), w.Body)
					}
					if a.method == http.MethodGet {
						checkError(t, w.Body.Bytes(), want)
					}
					if cc := w.Header().Get("Cache-Control"); cc != "no-store" {
						t.Errorf("a refusal may be cached: %q", cc)
					}
				}
				for path, want := range map[string]int{"/opds/records/1": tt.opds, "/api/v1/records/1": tt.api} {
					w := ask(t, h, a.method, path)
					if w.Code != want {
						t.Errorf("%s: status %d, want %d: %s", path, w.Code, want, w.Body)
					}
					if strings.Contains(w.Body.String(), secret) {
						t.Errorf("%s holds the bytes", path)
					}
				}
				listed := strings.Contains(ask(t, h, http.MethodGet, "/opds/new").Body.String(), "/records/1/files/")
				if listed != (tt.opds == 200) {
					t.Errorf("in the list of new arrivals: %v", listed)
				}
			})
		}
	}
}

func checkError(t *testing.T, body []byte, status int) {
	t.Helper()
	var e ErrorJSON
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Message == "" {
		t.Errorf("not an error in JSON: %s", body)
	}
	if got := errs.Status(errs.New(errs.ParseKind(e.Error.Kind), "x")); got != status {
		t.Errorf("kind %q is for status %d, not %d", e.Error.Kind, got, status)
	}
}

func TestBlobHeaders(t *testing.T) {
	l := newLibrary()
	l.add(1, open(), "an epub")
	l.add(2, open(), "<script>alert(1)</script>").Files[0].MediaType = "text/html"
	l.add(3, &record.Rights{Basis: record.PublicDomain, Access: record.Open, Territories: []string{"DE"}}, "for one place")
	h := l.serve(t)
	w := ask(t, h, "GET", "/blobs/sha256/"+hashOf("an epub"))
	for name, want := range map[string]string{
		"Content-Type": "application/epub+zip", "Cache-Control": "public, max-age=31536000, immutable",
		"ETag": `"` + hashOf("an epub") + `"`, "X-Content-Type-Options": "nosniff", "Content-Length": "7", "Accept-Ranges": "bytes",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w.Body.String() != "an epub" {
		t.Errorf("body %q", w.Body)
	}
	w = ask(t, h, "GET", "/blobs/sha256/"+hashOf("<script>alert(1)</script>"))
	if ct := w.Header().Get("Content-Type"); ct != "application/octet-stream" || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") ||
		!strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("hostile bytes leave as %q, %v", ct, w.Header())
	}
	w = ask(t, h, "GET", "/blobs/sha256/"+hashOf("for one place"))
	if cc := w.Header().Get("Cache-Control"); !strings.HasPrefix(cc, "private") {
		t.Errorf("what depends on the place is cached for all: %q", cc)
	}
}

func TestBlobNames(t *testing.T) {
	l := newLibrary()
	l.add(1, open(), "x")
	h := l.serve(t)
	hash := hashOf("x")
	for _, name := range []string{"", "x", hash[:63], hash + "0", strings.ToUpper(hash), "..%2f" + hash, "%00" + hash[1:]} {
		if w := ask(t, h, "GET", "/blobs/sha256/"+name); w.Code != http.StatusNotFound {
			t.Errorf("%q: status %d", name, w.Code)
		}
	}
	if w := ask(t, h, "POST", "/blobs/sha256/"+hash); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", w.Code)
	}
}

// What an entry names as its body is register data: no record has to open it.
func TestBodyIsServed(t *testing.T) {
	l := newLibrary()
	list := `{"files":[]}`
	l.blobs[hashOf(list)] = []byte(list)
	h := l.serve(t)
	if w := ask(t, h, "GET", "/blobs/sha256/"+hashOf(list)); w.Code != http.StatusNotFound {
		t.Errorf("a blob that nothing names: status %d", w.Code)
	}
	l.bodies = map[string]bool{hashOf(list): true}
	w := ask(t, h, "GET", "/blobs/sha256/"+hashOf(list))
	if w.Code != http.StatusOK || w.Body.String() != list || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("status %d, %q, %v", w.Code, w.Body, w.Header())
	}
}

func TestBlobMissingOnDisk(t *testing.T) {
	l := newLibrary()
	l.add(1, open(), "x")
	delete(l.blobs, hashOf("x"))
	if w := ask(t, l.serve(t), "GET", "/blobs/sha256/"+hashOf("x")); w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
}

func TestCheckpoint(t *testing.T) {
	l := newLibrary()
	h := l.serve(t)
	w := ask(t, h, "GET", "/register/checkpoint")
	if w.Code != 200 || w.Body.String() != l.note || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("status %d, %v, %q", w.Code, w.Header(), w.Body)
	}
	etag := w.Header().Get("ETag")
	if w = ask(t, h, "GET", "/register/checkpoint", "If-None-Match", etag); w.Code != http.StatusNotModified {
		t.Errorf("unchanged: status %d", w.Code)
	}
	l.note = "another"
	if w = ask(t, h, "GET", "/register/checkpoint", "If-None-Match", etag); w.Code != 200 || w.Body.String() != "another" {
		t.Errorf("changed: status %d, %q", w.Code, w.Body)
	}
	if w = ask(t, h, "HEAD", "/register/checkpoint"); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("HEAD: status %d, %q", w.Code, w.Body)
	}
	l.note = ""
	if w = ask(t, h, "GET", "/register/checkpoint"); w.Code != http.StatusNotFound {
		t.Errorf("none: status %d", w.Code)
	}
}

func TestCharters(t *testing.T) {
	w := ask(t, newLibrary().serve(t), "GET", "/register/charters")
	var notes []string
	if err := json.Unmarshal(w.Body.Bytes(), &notes); err != nil || len(notes) != 2 || notes[0] != "first\n" {
		t.Errorf("%s: %v", w.Body, err)
	}
}

func TestTiles(t *testing.T) {
	l := newLibrary()
	for _, path := range []string{"tile/0/000", "tile/1/x001/234.p/7", "tile/entries/000.p/1", "tile/entries/x123/x456/789"} {
		l.resources[path] = []byte(path)
	}
	h := l.serve(t)
	for path := range l.resources {
		w := ask(t, h, "GET", "/register/"+path)
		if w.Code != 200 || w.Body.String() != path || w.Header().Get("Cache-Control") != immutable {
			t.Errorf("%s: status %d %q %v", path, w.Code, w.Body, w.Header())
		}
		if w = ask(t, h, "GET", "/register/"+path, "Range", "bytes=0-3"); w.Code != 206 || w.Body.String() != "tile" {
			t.Errorf("%s: Range: status %d %q", path, w.Code, w.Body)
		}
	}
	l.asked = nil
	for _, path := range []string{"", "0", "0/", "0/0", "0/00", "0/0000", "0/-01", "00/000", "0/000/", "0/x000", "0/x000/000", "0/000.p/0",
		"0/000.p/256", "0/000.p/01", "0/000.p", "8/000", "63/000", "data/000", "8/0/000", "entries", "entries/", "entries/entries/000",
		"0/..%2f..%2fcheckpoint", "%2e%2e/checkpoint", "0/000%00", "0/" + strings.Repeat("x000/", 30) + "000", strconv.Itoa(1<<62) + "/000"} {
		w := ask(t, h, "GET", "/register/tile/"+path)
		if w.Code == 200 || w.Code == 206 {
			t.Errorf("%q: status %d", path, w.Code)
		}
	}
	if len(l.asked) > 0 {
		t.Errorf("paths that the layout does not have reached the register: %q", l.asked)
	}
	w := ask(t, h, "GET", "/register/tile/0/001")
	if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("not covered yet: status %d %v", w.Code, w.Header())
	}
}

func TestInternalErrorsStayInside(t *testing.T) {
	l := newLibrary()
	l.add(1, open(), "x")
	l.broken = fmt.Errorf("open /srv/secret: %w", errors.New("disk on fire"))
	h := l.serve(t)
	for _, path := range []string{"/api/v1/search", "/api/v1/suggest?q=B", "/api/v1/records/1", "/opds", "/opds/new", "/opds/languages", "/opds/kinds",
		"/opds/languages/en", "/opds/kinds/book", "/opds/search?q=B", "/opds/records/1", "/blobs/sha256/" + hashOf("x")} {
		w := ask(t, h, "GET", path)
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: status %d %s", path, w.Code, w.Body)
		}
	}
	l.broken = errs.New(errs.Unavailable, "the index is being built")
	if w := ask(t, h, "GET", "/api/v1/search"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("unavailable: status %d %v", w.Code, w.Header())
	}
}

func FuzzTilePath(f *testing.F) {
	for _, s := range []string{"tile/0/000", "tile/entries/x001/234.p/7", "tile/../checkpoint", "tile/0/x000/000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if isTilePath(path) && (strings.Contains(path, "..") || strings.ContainsAny(path, "\\\x00 ") || strings.HasPrefix(path, "/")) {
			t.Errorf("%q passes", path)
		}
	})
}
