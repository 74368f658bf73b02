package reader

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// library is a catalogue and a stack of files in memory.
type library struct {
	records     map[int64]*record.State
	blobs       map[string][]byte
	withdrawals map[string][]record.Withdrawal
}

func (l *library) Record(_ context.Context, n int64) (*record.State, error) {
	if st := l.records[n]; st != nil {
		return st, nil
	}
	return nil, errs.New(errs.NotFound, "there is no such record")
}

func (l *library) BlobWithdrawals(_ context.Context, sha string) ([]record.Withdrawal, error) {
	return l.withdrawals[sha], nil
}

type memory struct{ *bytes.Reader }

func (memory) Close() error   { return nil }
func (memory) File() *os.File { return nil }

func (l *library) Open(_ context.Context, sha string) (blob.Blob, error) {
	if b, ok := l.blobs[sha]; ok {
		return memory{bytes.NewReader(b)}, nil
	}
	return nil, errs.New(errs.NotFound, "there is no such file")
}

func newLibrary() *library {
	return &library{
		records:     map[int64]*record.State{},
		blobs:       map[string][]byte{},
		withdrawals: map[string][]record.Withdrawal{},
	}
}

// add takes a file in, open to all, and gives the record's number.
func (l *library) add(name, mediaType, title, language string, data []byte) int64 {
	sum := sha256.Sum256(data)
	sha := hex.EncodeToString(sum[:])
	l.blobs[sha] = data
	n := int64(len(l.records) + 1)
	st := &record.State{
		Number: n,
		Record: record.Record{Title: title, Creators: []record.Creator{{Name: "A. Writer"}}},
		Files:  []record.File{{SHA256: sha, Bytes: int64(len(data)), MediaType: mediaType, Name: name, Role: record.RoleText}},
		Rights: &record.Rights{Basis: record.PublicDomain, Access: record.Open},
	}
	if language != "" {
		st.Record.Languages = []string{language}
	}
	l.records[n] = st
	return n
}

func (l *library) sha(n int64) string { return l.records[n].Files[0].SHA256 }

// serve starts a server; the language is what the browser asks for first.
func (l *library) serve(t testing.TB) *httptest.Server {
	t.Helper()
	rd, err := New(Config{
		Catalog: l,
		Blobs:   l,
		Language: func(r *http.Request) string {
			if strings.HasPrefix(r.Header.Get("Accept-Language"), "zh") {
				return "zh-Hans"
			}
			return "en"
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	rd.Routes(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func makeZip(t testing.TB, files ...[2]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, f := range files {
		h := &zip.FileHeader{Name: f[0], Method: zip.Deflate}
		if f[0] == "mimetype" {
			h.Method = zip.Store
		}
		fw, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(fw, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func get(t testing.TB, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func at(n int64, rest string) string { return "/records/" + strconv.FormatInt(n, 10) + rest }

func TestEveryDoorAsks(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	book := makeZip(t, [2]string{"mimetype", "application/epub+zip"}, [2]string{"a.xhtml", "<html/>"})
	pdf := []byte("%PDF-1.7 not really")
	for _, tc := range []struct {
		name   string
		change func(n int64, st *record.State)
		status int
	}{
		{"open", func(int64, *record.State) {}, 200},
		{"not stated", func(_ int64, st *record.State) { st.Rights = nil }, 403},
		{"none", func(_ int64, st *record.State) { st.Rights.Access = record.None }, 403},
		{"lend", func(_ int64, st *record.State) { st.Rights.Access = record.Lend }, 403},
		{"closed", func(_ int64, st *record.State) { st.Closed = true }, 403},
		{"withdrawn", func(_ int64, st *record.State) { st.Withdrawals = []record.Withdrawal{{Ground: "x"}} }, 451},
		{"blob withdrawn", func(n int64, _ *record.State) {
			l.withdrawals[l.sha(n)] = []record.Withdrawal{{Blob: l.sha(n), Ground: "x"}}
		}, 451},
		{"erased", func(_ int64, st *record.State) { st.Erased = &record.Erasure{} }, 410},
	} {
		e := l.add("b.epub", "application/epub+zip", tc.name, "", append(slices.Clip(book), tc.name...))
		p := l.add("b.pdf", "application/pdf", tc.name, "", append(slices.Clip(pdf), tc.name...))
		tc.change(e, l.records[e])
		tc.change(p, l.records[p])
		srv := l.serve(t)
		for _, door := range []string{
			at(e, "/read"), at(e, "/book/"+l.sha(e)+"/"), at(e, "/book/"+l.sha(e)+"/a.xhtml"),
			at(p, "/read"), at(p, "/book/"+l.sha(p)+"/document.pdf"),
		} {
			res, body := get(t, srv.URL+door)
			if res.StatusCode != tc.status {
				t.Errorf("%s: %s: %d, want %d", tc.name, door, res.StatusCode, tc.status)
			}
			if tc.status != 200 && (strings.Contains(body, "<html") || strings.Contains(body, "%PDF")) {
				t.Errorf("%s: %s: the answer holds the book", tc.name, door)
			}
			if head, err := http.Head(srv.URL + door); err != nil || head.StatusCode != tc.status {
				t.Errorf("%s: HEAD %s: %v %v", tc.name, door, head.StatusCode, err)
			}
			if strings.HasSuffix(door, ".pdf") && tc.status != 200 {
				if res, _ := get(t, srv.URL+door, "Range", "bytes=0-3"); res.StatusCode != tc.status {
					t.Errorf("%s: Range %s: %d", tc.name, door, res.StatusCode)
				}
			}
			if etag := `"` + "x" + `"`; tc.status != 200 {
				if res, _ := get(t, srv.URL+door, "If-None-Match", etag); res.StatusCode == 304 {
					t.Errorf("%s: %s: 304", tc.name, door)
				}
			}
		}
	}
}

func TestDoorsThatAreNotThere(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	n := l.add("b.epub", "application/epub+zip", "b", "", makeZip(t, [2]string{"a.xhtml", "x"}, [2]string{"../up", "x"}))
	other := l.add("c.txt", "text/plain", "c", "", []byte("other"))
	table := l.add("d.csv", "text/csv", "d", "", []byte("1,2"))
	srv := l.serve(t)
	for _, p := range []string{
		"/records/99/read", "/records/x/read", "/records/-1/read", at(table, "/read"),
		at(n, "/book/"+l.sha(other)+"/"), at(n, "/book/"+l.sha(n)+"/none"), at(n, "/book/"+l.sha(n)+"/%2e%2e/up"),
		at(n, "/book/"+l.sha(n)+"/%2e%2e%2fup"), at(other, "/book/"+l.sha(other)+"/1.xhtml"), at(other, "/book/"+l.sha(other)+"/00.xhtml"),
		at(table, "/book/"+l.sha(table)+"/"), "/reader-assets/0/book.js", "/reader-assets/0/../x",
	} {
		if res, _ := get(t, srv.URL+p); res.StatusCode != 404 {
			t.Errorf("%s: %d", p, res.StatusCode)
		}
	}
}

func TestResourcesAreServedInert(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	n := l.add("b.epub", "application/epub+zip", "b", "", makeZip(t,
		[2]string{"a.xhtml", "<html/>"}, [2]string{"a.js", "x"}, [2]string{"a.mjs", "x"}, [2]string{"a.JS", "x"}, [2]string{"odd", "x"},
		[2]string{"a.css", "x"}, [2]string{"中文 书.svg", "<svg/>"}, [2]string{"a.wasm", "x"}, [2]string{"a.json", "x"}))
	srv := l.serve(t)
	for name, want := range map[string]string{
		"a.xhtml": "application/xhtml+xml; charset=utf-8", "a.js": "application/octet-stream", "a.mjs": "application/octet-stream",
		"a.JS": "application/octet-stream", "odd": "application/octet-stream", "a.css": "text/css; charset=utf-8",
		"%E4%B8%AD%E6%96%87%20%E4%B9%A6.svg": "image/svg+xml", "a.wasm": "application/octet-stream", "a.json": "application/octet-stream",
	} {
		res, _ := get(t, srv.URL+at(n, "/book/"+l.sha(n)+"/"+name))
		h := res.Header
		if res.StatusCode != 200 || h.Get("Content-Type") != want {
			t.Errorf("%s: %d %s", name, res.StatusCode, h.Get("Content-Type"))
		}
		for key, part := range map[string]string{
			"Content-Security-Policy": "sandbox; default-src 'none'; script-src 'none'", "X-Content-Type-Options": "nosniff",
			"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
		} {
			if !strings.Contains(h.Get(key), part) {
				t.Errorf("%s: %s: %q", name, key, h.Get(key))
			}
		}
		if res, _ := get(t, srv.URL+at(n, "/book/"+l.sha(n)+"/"+name), "If-None-Match", h.Get("ETag")); res.StatusCode != 304 {
			t.Errorf("%s: not cached: %d", name, res.StatusCode)
		}
	}
	res, body := get(t, srv.URL+at(n, "/book/"+l.sha(n)+"/"))
	var x index
	if err := json.Unmarshal([]byte(body), &x); err != nil || x.Form != formEPUB || len(x.Entries) != 9 || x.Entries[0] != (entry{"a.xhtml", 7}) {
		t.Errorf("index: %d %v %s", res.StatusCode, err, body)
	}
}

func TestPagePolicy(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	e := l.add("b.epub", "application/epub+zip", `A "title" <b>`, "", makeZip(t, [2]string{"a.xhtml", "x"}))
	p := l.add("b.pdf", "application/pdf", "p", "", []byte("%PDF"))
	srv := l.serve(t)
	host := strings.TrimPrefix(srv.URL, "http://")
	res, body := get(t, srv.URL+at(e, "/read"))
	csp := policy(res.Header.Get("Content-Security-Policy"))
	if csp["default-src"] != "'none'" || !strings.HasPrefix(csp["script-src"], host+"/reader-assets/") || strings.Contains(csp["script-src"], " ") {
		t.Errorf("policy: %v", csp)
	}
	if want := host + at(e, "/book/"+l.sha(e)+"/") + " blob:"; csp["connect-src"] != want {
		t.Errorf("connect-src: %q, want %q", csp["connect-src"], want)
	}
	for _, key := range []string{"object-src", "worker-src", "form-action", "base-uri"} {
		if csp[key] != "'none'" {
			t.Errorf("%s: %q", key, csp[key])
		}
	}
	if _, ok := csp["frame-ancestors"]; ok {
		t.Error("frame-ancestors would keep the book's own frames out")
	}
	if res.Header.Get("Referrer-Policy") != "no-referrer" || res.Header.Get("X-DNS-Prefetch-Control") != "off" {
		t.Errorf("headers: %v", res.Header)
	}
	if strings.Contains(body, "<b>") {
		t.Error("the title is not escaped")
	}
	res, _ = get(t, srv.URL+at(p, "/read"))
	csp = policy(res.Header.Get("Content-Security-Policy"))
	if csp["frame-src"] != "'none'" || !strings.HasSuffix(csp["worker-src"], "/pdf.worker.js") || strings.Contains(csp["style-src"], "unsafe") {
		t.Errorf("policy for PDF: %v", csp)
	}
}

// An address that a policy cannot name falls back to a nonce, never to 'self'.
func TestPagePolicyOfOddHosts(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	n := l.add("b.txt", "text/plain", "t", "", []byte("x"))
	rd, err := New(Config{Catalog: l, Blobs: l})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	rd.Routes(mux)
	for _, host := range []string{"[::1]:8080", "a;script-src *", "a b", "'self'", "*", "*.test", ""} {
		r := httptest.NewRequest("GET", at(n, "/read"), nil)
		r.Host = host
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		csp := policy(w.Header().Get("Content-Security-Policy"))
		if w.Code != 200 || !strings.HasPrefix(csp["script-src"], "'nonce-") || strings.Contains(csp["script-src"], " ") {
			t.Errorf("%q: %d %v", host, w.Code, csp)
		}
	}
}

// Behind a proxy that changes the host, the public name counts too.
func TestPagePolicyBehindAProxy(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	n := l.add("b.txt", "text/plain", "t", "", []byte("x"))
	rd, err := New(Config{Catalog: l, Blobs: l, URL: "https://wenlan.example/"})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	rd.Routes(mux)
	r := httptest.NewRequest("GET", at(n, "/read"), nil)
	r.Host = "127.0.0.1:8080"
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	got := policy(w.Header().Get("Content-Security-Policy"))["script-src"]
	if want := "127.0.0.1:8080" + rd.assets() + " wenlan.example" + rd.assets(); got != want {
		t.Errorf("script-src %q, want %q", got, want)
	}
}

func policy(header string) map[string]string {
	m := map[string]string{}
	for part := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		if _, ok := m[name]; !ok {
			m[name] = value
		}
	}
	return m
}

func TestReadable(t *testing.T) {
	t.Parallel()
	files := []record.File{
		{Name: "c.jpg", MediaType: "image/jpeg", Role: record.RoleCover},
		{Name: "a.txt", MediaType: "text/plain; charset=gb18030", Role: record.RoleText},
		{Name: "a.pdf", MediaType: "application/pdf", Role: record.RoleText},
		{Name: "s.epub", MediaType: "application/epub+zip", Role: record.RoleSupplement},
	}
	for name, want := range map[string]string{"": "a.pdf", "a.txt": "a.txt", "s.epub": "s.epub", "c.jpg": "", "none": ""} {
		if f, ok := Readable(files, name); f.Name != want || ok != (want != "") {
			t.Errorf("%q: %q %v", name, f.Name, ok)
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	all, err := loadMessages()
	if err != nil {
		t.Fatal(err)
	}
	used := string(must(os.ReadFile("page.html"))) + string(must(os.ReadFile("page.go")))
	sources, _ := filepath.Glob("src/*.js")
	for _, name := range sources {
		used += string(must(os.ReadFile(name)))
	}
	for key := range all["en"] {
		if all["zh-Hans"][key] == "" {
			t.Errorf("%s is missing in Chinese", key)
		}
		if !strings.Contains(used, `"`+key+`"`) && !strings.Contains(used, `'`+key+`'`) {
			t.Errorf("%s is not used", key)
		}
	}
	if len(all["en"]) != len(all["zh-Hans"]) {
		t.Errorf("%d messages in English, %d in Chinese", len(all["en"]), len(all["zh-Hans"]))
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestText(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	gb := []byte{0xB5, 0xDA, 0xD2, 0xBB, 0xBB, 0xD8, 0x0A, 0x0A, 0xD6, 0xD0, 0xCE, 0xC4, 0x3C, 0x73, 0x63, 0x72, 0x69, 0x70, 0x74, 0x3E, 0x01} // 第一回 中文<script>\x01
	zh := l.add("g.txt", "text/plain; charset=gb18030", "g", "zh", gb)
	md := l.add("m.md", "text/markdown; charset=utf-8", "m", "en",
		[]byte("# One\n\n<script>alert(1)</script> *soft* [a](javascript:alert(1)) [b](https://example.org/)\n\n## Two\n\n```\n# no heading\n```\n"))
	long := l.add("l.txt", "text/plain", "l", "en", []byte(strings.Repeat(strings.Repeat("line of text ", 6)+"\n", 3000)+strings.Repeat("字", 200000)))
	ht := l.add("h.html", "text/html", "h", "zh", []byte("<meta charset=gbk><p>\xd6\xd0\xce\xc4<script>1</script>"))
	srv := l.serve(t)
	fetch := func(n int64, name string) string {
		res, body := get(t, srv.URL+at(n, "/book/"+l.sha(n)+"/"+name))
		if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
		return body
	}
	if got := fetch(zh, "0.xhtml"); !strings.Contains(got, "<h2>第一回</h2>") || !strings.Contains(got, "中文&lt;script&gt;\uFFFD") {
		t.Errorf("plain: %s", got)
	}
	var x index
	if err := json.Unmarshal([]byte(fetch(md, "")), &x); err != nil || len(x.Sections) != 2 || x.Sections[1].Title != "Two" {
		t.Errorf("sections: %+v", x)
	}
	if got := fetch(md, "0.xhtml"); strings.Contains(got, "<script") || strings.Contains(got, "javascript:") || !strings.Contains(got, "&lt;script&gt;") || !strings.Contains(got, "<em>soft</em>") {
		t.Errorf("markdown: %s", got)
	}
	if err := json.Unmarshal([]byte(fetch(long, "")), &x); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, s := range x.Sections {
		total += int(s.Size)
		if s.Size > maxSection {
			t.Errorf("a section of %d bytes", s.Size)
		}
	}
	if total != len(l.blobs[l.sha(long)]) {
		t.Errorf("the sections have %d bytes of %d", total, len(l.blobs[l.sha(long)]))
	}
	if got := fetch(ht, "index.html"); !strings.Contains(got, "中文") {
		t.Errorf("html: %s", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("第一回 甄士隱\n\nhello\n"), "text/plain; charset=big5", true)
	f.Add([]byte("\xff\xfea\x00\n\x00"), "text/plain", false)
	f.Add([]byte("# a\n```\n# b\n"), "text/markdown", true)
	f.Fuzz(func(t *testing.T, data []byte, mediaType string, marks bool) {
		text, err := readText(memory{bytes.NewReader(data)}, record.File{MediaType: mediaType})
		if err != nil {
			return
		}
		headingOf := plainHeading
		if marks {
			headingOf = markdownHeading
		}
		n := 0
		for _, s := range split(text, headingOf) {
			n += len(s.text)
			var buf bytes.Buffer
			writePlain(&buf, s.text)
			if strings.Contains(buf.String(), "<script") {
				t.Fatal("markup in plain text")
			}
			buf.Reset()
			if err := markdown.Convert([]byte(s.text), &buf); err != nil {
				t.Fatal(err)
			}
		}
		if n > len(text)+1 {
			t.Fatalf("%d bytes became %d", len(text), n)
		}
	})
}

func FuzzArchive(f *testing.F) {
	f.Add(makeZip(f, [2]string{"a", "b"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := openArchive(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, name := range a.names {
			if rc, size, err := a.open(name); err == nil {
				_, _ = io.Copy(io.Discard, io.LimitReader(rc, min(size, 1<<20)))
				rc.Close()
			}
		}
	})
}

func TestAssets(t *testing.T) {
	t.Parallel()
	needBuilt(t)
	l := newLibrary()
	srv := l.serve(t)
	b, err := openBundle()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"book.js": "text/javascript; charset=utf-8", "reader.css": "text/css; charset=utf-8", "pdf.worker.js": "text/javascript; charset=utf-8"} {
		res, body := get(t, srv.URL+assetRoot+b.hash+"/"+name)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != want || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
		if strings.HasSuffix(name, ".js") && !strings.HasPrefix(name, "pdf") && strings.Contains(body, "allow-scripts") {
			t.Errorf("%s allows scripts in frames", name)
		}
	}
	list := Licences()
	if !slices.ContainsFunc(list, func(l Licence) bool { return l.Name == "foliate-js" && l.Licence == "MIT" && l.Text != "" }) ||
		!slices.ContainsFunc(list, func(l Licence) bool { return l.Name == "pdfjs-dist" && strings.Contains(l.Text, "Apache") }) {
		t.Errorf("licences: %+v", list)
	}
}

func TestPageOfAProgramWithoutTheReader(t *testing.T) {
	t.Parallel()
	all, err := loadMessages()
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := pageTemplate.Execute(&buf, page{Lang: "en", T: all["en"], Title: "T", File: "/records/1/files/a.epub"}); err != nil {
		t.Fatal(err)
	}
	if got := buf.String(); !strings.Contains(got, "make assets") || !strings.Contains(got, "/records/1/files/a.epub") || strings.Contains(got, "<script") {
		t.Errorf("the page: %s", got)
	}
}

// needBuilt skips a test where the reader was not bundled, and fails it in CI.
func needBuilt(t testing.TB) {
	t.Helper()
	if Built() {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("the reader is not built: run make assets")
	}
	t.Skip("the reader is not built: run make assets")
}
