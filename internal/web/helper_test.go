package web

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/catalog"
	"wenlan/internal/index"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/record"
	"wenlan/internal/register"
	"wenlan/internal/view"

	"github.com/andybalholm/cascadia"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is the moment at which everything here happens.
var now = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// library is a real library in a temporary folder, with its site.
type library struct {
	t        testing.TB
	register *register.Register
	blobs    *blob.Local
	catalog  *catalog.Catalog
	index    index.Index
	texts    *fulltext.FullText
	follower *view.Follower
	verifier note.Verifier
	site     *Site
	mux      *http.ServeMux
	log      *logged
}

// logged keeps what was logged, for tests of what is not shown.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newLibrary(t testing.TB, change ...func(*Config)) *library {
	t.Helper()
	ctx := t.Context()
	dir := t.TempDir()
	l := &library{t: t, log: &logged{}}
	name := register.NewLogName()
	skey, vkey, err := register.GenerateKeys(name)
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	l.verifier, err = note.NewVerifier(vkey)
	must(t, err)
	tskey, tvkey, err := register.GenerateKeys("trustee")
	must(t, err)
	trustee, err := note.NewSigner(tskey)
	must(t, err)
	charter, err := register.SignCharter(register.NewCharter(name, vkey, []string{tvkey}, 1), trustee)
	must(t, err)
	entry0, err := record.Encode(record.Entry{Type: record.TypeCharter, Time: now, Note: string(charter)})
	must(t, err)
	l.register, err = register.Create(register.Config{Dir: filepath.Join(dir, "register"), Signer: signer, Now: func() time.Time { return now }}, entry0)
	must(t, err)
	l.blobs, err = blob.OpenLocal(blob.LocalConfig{Roots: []string{filepath.Join(dir, "blobs")}, MinFree: 1})
	must(t, err)
	body := func(ctx context.Context, b record.Body) ([]byte, error) {
		f, err := l.blobs.Open(ctx, b.SHA256)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(f)
	}
	views := filepath.Join(dir, "views")
	l.catalog, err = catalog.Open(ctx, catalog.Config{Dir: views, Source: l.register, Body: body, Now: func() time.Time { return now }})
	must(t, err)
	t.Cleanup(func() { l.catalog.Close() })
	l.index, err = index.Open(ctx, index.Config{Dir: filepath.Join(views, "index"), Records: l.catalog, Body: body})
	must(t, err)
	t.Cleanup(func() { l.index.Close() })
	l.texts, err = fulltext.Open(ctx, fulltext.Config{Dir: filepath.Join(views, "fulltext"), Records: l.catalog, Blobs: l.blobs, Now: func() time.Time { return now }})
	must(t, err)
	t.Cleanup(func() { l.texts.Close() })
	l.follower, err = view.New(view.Config{Source: l.register, Body: body,
		Views: []view.Node{{View: l.catalog}, {View: l.index, After: []string{l.catalog.Name()}}, {View: l.texts, After: []string{l.catalog.Name()}}}})
	must(t, err)
	cfg := Config{
		Catalog: l.catalog, Index: l.index, FullText: l.texts, Blobs: l.blobs, Register: l.register, Verifier: l.verifier,
		Name: "Pavilion", Contact: "notices@library.example", URL: "https://library.example", Version: "0.1", ID: strings.Repeat("ab", 32),
		Licences: []Licence{{Name: "a-reader", Version: "1.0", Licence: "MIT", Text: "Permission is hereby granted <free>"}},
		Readable: func(mediaType string) bool {
			return mediaType == "application/epub+zip" || strings.HasPrefix(mediaType, "text/plain")
		},
		Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(l.log, nil)),
	}
	for _, f := range change {
		f(&cfg)
	}
	l.site, err = New(cfg)
	must(t, err)
	l.mux = http.NewServeMux()
	l.site.Routes(l.mux)
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// append writes entries and lets the views follow; it gives the first index.
func (l *library) append(entries ...record.Entry) int64 {
	l.t.Helper()
	var raw [][]byte
	for i, e := range entries {
		if e.Time.IsZero() {
			e.Time = now.Add(-24 * time.Hour)
		}
		b, err := record.Encode(e)
		if err != nil {
			l.t.Fatalf("entry %d: %v", i, err)
		}
		raw = append(raw, b)
	}
	first, err := l.register.Append(l.t.Context(), raw)
	must(l.t, err)
	must(l.t, l.follower.Catch(l.t.Context()))
	return first
}

// store puts bytes and gives the file that names them.
func (l *library) store(name, mediaType, role string, data []byte) record.File {
	l.t.Helper()
	ref, err := l.blobs.Put(l.t.Context(), bytes.NewReader(data))
	must(l.t, err)
	must(l.t, l.blobs.Flush(l.t.Context()))
	return record.File{SHA256: ref.SHA256, Bytes: ref.Bytes, MediaType: mediaType, Name: name, Role: role}
}

// add takes in a record with one EPUB of its own and returns its number.
func (l *library) add(rec record.Record, rights *record.Rights, files ...record.File) int64 {
	l.t.Helper()
	return l.append(record.Entry{Type: record.TypeAccession, Record: &rec, Files: files, Rights: rights,
		Source: &record.Source{Name: "files", ID: rec.Title}})
}

func (l *library) epub(text string) record.File {
	return l.store(text+".epub", "application/epub+zip", record.RoleText, []byte("the text of "+text+strings.Repeat(".", 1000)))
}

// novel is a text of two chapters.
func (l *library) novel(title string) record.File {
	return l.store("novel.txt", "text/plain; charset=utf-8", record.RoleText, []byte("Chapter 1\n\nCall me <i>"+title+"</i>. I saw the white whale.\n\n"+
		"Chapter 2\n\n"+strings.Repeat("The sea was wide. ", 60)+"There she blows, a white whale! "+strings.Repeat("And it was deep. ", 60)))
}

// open is a rights statement with evidence.
func openRights() *record.Rights {
	return &record.Rights{Basis: record.PublicDomain, Access: record.Open,
		Evidence: &record.Evidence{URL: "https://evidence.example/page?a=1&b=2", By: "ana", At: "2026-01-02T03:04:05Z"}}
}

func picture(t testing.TB) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 5, 7))
	img.Set(1, 1, color.RGBA{200, 30, 20, 255})
	var buf bytes.Buffer
	must(t, png.Encode(&buf, img))
	return buf.Bytes()
}

// get asks the site; header is in pairs.
func (l *library) get(method, path string, header ...string) *http.Response {
	l.t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Host = "library.example"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.mux.ServeHTTP(w, r)
	return w.Result()
}

// page asks for a page and takes it apart.
func (l *library) page(path string, status int, header ...string) *html.Node {
	l.t.Helper()
	res := l.get("GET", path, header...)
	if res.StatusCode != status {
		l.t.Fatalf("GET %s: status %d, want %d\n%s", path, res.StatusCode, status, l.log)
	}
	root, err := html.Parse(res.Body)
	must(l.t, err)
	return root
}

// all finds the nodes that a selector selects.
func all(t testing.TB, root *html.Node, selector string) []*html.Node {
	t.Helper()
	sel, err := cascadia.ParseGroup(selector)
	if err != nil {
		t.Fatalf("selector %q: %v", selector, err)
	}
	return cascadia.QueryAll(root, sel)
}

// one finds the only node that a selector selects.
func one(t testing.TB, root *html.Node, selector string) *html.Node {
	t.Helper()
	list := all(t, root, selector)
	if len(list) != 1 {
		t.Fatalf("selector %q: %d nodes, want 1\n%s", selector, len(list), text(root))
	}
	return list[0]
}

// none wants a selector to select nothing.
func none(t testing.TB, root *html.Node, selector string) {
	t.Helper()
	for _, n := range all(t, root, selector) {
		t.Errorf("selector %q selects %q", selector, text(n))
	}
}

// text is the text of a node, white space collapsed.
func text(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
		if n.Type == html.ElementNode && n.Data != "mark" {
			b.WriteByte(' ')
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}

// attr is an attribute of a node.
func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// holds wants a text to contain each of the parts.
func holds(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("lacks %q: %s", part, text)
		}
	}
}

// manuscript is a record with everything in it.
func manuscript() record.Record {
	return record.Record{
		Title: "Pride & <Prejudice>", AltTitles: []string{"First Impressions"}, Kind: record.Book,
		Creators: []record.Creator{
			{Name: "Jane Austen", AltNames: []string{"Austen, Jane"}, Role: "aut"},
			{Name: "Hugh Thomson", AltNames: []string{"Thomson, Hugh"}, Role: "ill"},
		},
		Languages: []string{"en-GB"}, Issued: "1813-01-28", Publisher: "T. Egerton", Place: "London",
		Container: &record.Container{Title: "Novels", Volume: "2"},
		Subjects:  []record.Subject{{Scheme: "lcsh", Label: "Courtship"}, {Scheme: "ddc", Code: "823.7"}},
		IDs:       []record.ID{{Scheme: "isbn", Value: "9780141439518"}, {Scheme: "doi", Value: "10.1234/pride"}, {Scheme: "url", Value: "javascript:alert(1)"}},
		Abstract:  "It is a truth universally acknowledged.\n<script>alert(1)</script>",
	}
}

// number is an accession number as text.
func number(n int64) string { return fmt.Sprint(n) }
