package harvest

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// book is a small EPUB.
func book(t *testing.T, title string, filler int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name, text string, method uint16) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("mimetype", "application/epub+zip", zip.Store)
	add("META-INF/container.xml", `<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`, zip.Store)
	add("a.opf", `<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">x</dc:identifier><dc:title>`+title+`</dc:title><dc:language>en</dc:language></metadata><manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="c"/></spine></package>`, zip.Store)
	add("c.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>c</title></head><body><p>`+strings.Repeat("words ", filler)+`</p></body></html>`, zip.Store)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newBlobs(t *testing.T) *blob.Local {
	t.Helper()
	l, err := blob.OpenLocal(blob.LocalConfig{Roots: []string{filepath.Join(t.TempDir(), "blobs")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// catalogue is an OPDS catalogue for tests: addresses and what is there.
type catalogue struct {
	*httptest.Server
	pages map[string]string // {S} is the server's address
	files map[string][]byte
	asked []string // paths, and what else was asked of them
	fail  func(w http.ResponseWriter, r *http.Request) bool
}

func newCatalogue(t *testing.T, pages map[string]string) *catalogue {
	t.Helper()
	c := &catalogue{pages: pages, files: map[string][]byte{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := r.URL.RequestURI()
		if v := r.Header.Get("Range"); v != "" {
			what += " " + v
		}
		c.asked = append(c.asked, what)
		if c.fail != nil && c.fail(w, r) {
			return
		}
		data, ok := c.files[r.URL.Path]
		if text, page := c.pages[r.URL.RequestURI()]; page {
			data, ok = []byte(strings.ReplaceAll(text, "{S}", c.URL)), true
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, key(string(data))))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(c.Close)
	return c
}

func openOPDS(t *testing.T, cfg Config, req OPDSRequest) *OPDS {
	t.Helper()
	o, err := OpenOPDS(t.Context(), cfg, req)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// lines reads a harvest to its end.
func lines(t *testing.T, h Harvest) (out []*format.Described, refused []string, err error) {
	t.Helper()
	all, err := io.ReadAll(h)
	for line := range bytes.Lines(all) {
		d, perr := h.Form().Parse(line)
		if perr != nil {
			refused = append(refused, perr.Error())
			continue
		}
		out = append(out, d)
	}
	return out, refused, err
}

func titles(list []*format.Described) (out []string) {
	for _, d := range list {
		out = append(out, d.Record.Title)
	}
	return out
}

const atomHead = `<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/terms/"><id>f</id><title>f</title>`

func atomEntry(id, title, links string) string {
	return "<entry><id>" + id + "</id><title>" + title + "</title><updated>2024-01-01T00:00:00Z</updated>" + links + "</entry>"
}

const (
	toFeed  = `<link rel="subsection" href="%s" type="application/atom+xml;profile=opds-catalog;kind=acquisition"/>`
	toBook  = `<link rel="http://opds-spec.org/acquisition/open-access" href="%s" type="application/epub+zip"/>`
	toFull  = `<link rel="alternate" type="application/atom+xml;type=entry;profile=opds-catalog" href="%s"/>`
	licence = `<link rel="license" href="https://creativecommons.org/licenses/by/4.0/"/>`
)

func link(form, href string) string { return fmt.Sprintf(form, href) }

// TestOPDSWalk: pages, feeds within the host, complete entries, each entry once; loops end.
func TestOPDSWalk(t *testing.T) {
	other := newCatalogue(t, map[string]string{"/": atomHead + atomEntry("z", "Elsewhere", link(toBook, "/z.epub")) + "</feed>"})
	c := newCatalogue(t, map[string]string{
		"/opds": atomHead + atomEntry("n1", "New", link(toFeed, "/new")) + atomEntry("n2", "Again", link(toFeed, "{S}/opds")) + atomEntry("n3", "Kinds", link(toFeed, "kinds")) +
			atomEntry("n4", "Elsewhere", link(toFeed, other.URL+"/")) + `<link rel="search" href="/search?q={searchTerms}" type="application/atom+xml"/></feed>`,
		"/new":   atomHead + `<link rel="next" href="/new?2"/>` + atomEntry("a", "A", link(toBook, "/a.epub")+link(toFull, "/a")) + "</feed>",
		"/new?2": atomHead + `<link rel="next" href="/new"/>` + atomEntry("b", "B", link(toBook, "/b.epub")) + atomEntry("b", "B", link(toBook, "/b.epub")) + atomEntry("b", "B two", link(toBook, "/b.epub")) + "</feed>",
		"/kinds": atomHead + atomEntry("k", "Books", link(toFeed, "/books")) + atomEntry("p", "Plain", "") + atomEntry("l", "Lost", link(toFeed, "/lost")) + "</feed>",
		"/books": atomHead + atomEntry("b", "B", link(toBook, "/b.epub")) + atomEntry("a", "A", link(toBook, "/a.epub")+link(toFull, "/a")) + atomEntry("d", "D", link(toBook, "/d.epub")+link(toFull, "/not-d")) + "</feed>",
		"/a":     `<entry xmlns="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/terms/"><id>a</id><title>A, complete</title><dc:publisher>P</dc:publisher>` + link(toBook, "/a.epub") + "</entry>",
		"/not-d": `<entry xmlns="http://www.w3.org/2005/Atom"><id>other</id><title>Not D</title>` + link(toBook, "/a.epub") + "</entry>",
	})
	cfg := testConfig(t, t.TempDir(), nil)
	o := openOPDS(t, cfg, OPDSRequest{URL: c.URL + "/opds"})
	got, refused, err := lines(t, o)
	if want := []string{"A, complete", "B", "B two", "D"}; err != nil || !slices.Equal(titles(got), want) {
		t.Fatal(titles(got), err)
	}
	if got[0].Record.Publisher != "P" || got[0].Record.IDs[0] != (record.ID{Scheme: "url", Value: c.URL + "/a.epub"}) {
		t.Errorf("%+v", got[0].Record)
	}
	if len(got[3].Warnings) != 1 || !strings.Contains(got[3].Warnings[0], "has another id") {
		t.Error(got[3].Warnings)
	}
	if len(refused) != 2 || !strings.Contains(refused[0], "no acquisition link") || !strings.Contains(refused[1], "/lost is not there") {
		t.Error(refused)
	}
	slices.Sort(c.asked)
	if want := []string{"/a", "/books", "/kinds", "/lost", "/new", "/new?2", "/not-d", "/opds"}; !slices.Equal(c.asked, want) || len(other.asked) > 0 {
		t.Error(c.asked, other.asked)
	}
	if err := o.Finish(nil); err != nil {
		t.Fatal(err)
	}
	// Next time, what has not changed is not sent again; what was not whole is.
	c.pages["/books"] = strings.Replace(c.pages["/books"], "</feed>", atomEntry("e", "E", link(toBook, "/e.epub"))+"</feed>", 1)
	o = openOPDS(t, cfg, OPDSRequest{URL: c.URL + "/opds"})
	if got, _, err = lines(t, o); err != nil || !slices.Equal(titles(got), []string{"B", "A, complete", "D", "E"}) {
		t.Error(titles(got), err)
	}
}

// TestOPDSComplete: where there is a complete feed, that alone is read.
func TestOPDSComplete(t *testing.T) {
	c := newCatalogue(t, map[string]string{
		"/":    atomHead + atomEntry("n", "New", link(toFeed, "/new")) + `<link rel="http://opds-spec.org/crawlable" href="/all" type="application/atom+xml"/></feed>`,
		"/all": atomHead + atomEntry("a", "A", link(toBook, "/a.epub")) + "</feed>",
	})
	got, refused, err := lines(t, openOPDS(t, testConfig(t, t.TempDir(), nil), OPDSRequest{URL: c.URL}))
	if err != nil || len(refused) > 0 || !slices.Equal(titles(got), []string{"A"}) || !slices.Equal(c.asked, []string{"/", "/all"}) {
		t.Error(titles(got), refused, err, c.asked)
	}
}

// TestOPDS2 harvests the test catalogue of OPDS 2.0.
func TestOPDS2(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "interop", "opds")
	pages := map[string]string{}
	for _, name := range []string{"home", "navigation", "publications"} {
		data, err := os.ReadFile(filepath.Join(dir, "opds2-"+name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		pages["/2.0/"+name+".json"] = strings.ReplaceAll(string(data), "https://test.opds.io", "{S}")
	}
	c := newCatalogue(t, pages)
	got, refused, err := lines(t, openOPDS(t, testConfig(t, t.TempDir(), nil), OPDSRequest{URL: c.URL + "/2.0/home.json"}))
	if err != nil {
		t.Fatal(err)
	}
	// Of the 10 in home.json two stand in two groups; the 14 in publications.json have
	// an id that home.json had.
	if len(got) != 8 || got[2].Record.Title != "Voyage au centre de la Terre" || got[2].Record.Creators[0].AltNames[0] != "Verne, Jules" {
		t.Error(len(got), titles(got))
	}
	if len(refused) != 1 || !strings.Contains(refused[0], "/2.0/404.json is not there") {
		t.Error(refused)
	}
	c.asked = nil
	got, refused, err = lines(t, openOPDS(t, testConfig(t, t.TempDir(), nil), OPDSRequest{URL: c.URL + "/2.0/publications.json"}))
	if err != nil || len(got) != 14 || len(refused) != 0 || len(c.asked) != 1 {
		t.Error(len(got), refused, err, c.asked)
	}
}

// TestOPDSFiles: a file comes only with a licence that a program can read; it is gone
// on with after a break, asked for once, and read before it is kept.
func TestOPDSFiles(t *testing.T) {
	feed := atomHead + atomEntry("a", "A", link(toBook, "/a.epub?v=1")+licence+`<link rel="alternate" type="text/html" href="/a.html"/>`) + atomEntry("b", "B", link(toBook, "/b.epub")) +
		atomEntry("c", "C", strings.Replace(link(toBook, "/c.epub"), "/open-access", "", 1)+"<rights>CC0-1.0</rights>") +
		atomEntry("d", "D", strings.Replace(link(toBook, "/c.epub"), "/open-access", "/buy", 1)+licence) +
		atomEntry("e", "E", link(toBook, "/e.epub")+licence) + atomEntry("f", "F", link(toBook, "/a.epub")+"<rights>All rights reserved, see CC BY 4.0</rights>") + "</feed>"
	c := newCatalogue(t, map[string]string{"/": feed})
	big := book(t, "A", 200_000)
	c.files = map[string][]byte{"/a.epub": big, "/b.epub": book(t, "B", 1), "/c.epub": book(t, "C", 1), "/e.epub": []byte("<html>please log in</html>")}
	broken := false
	c.fail = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/a.epub" || broken {
			return false
		}
		broken = true
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, key(string(big))))
		w.Header().Set("Content-Length", fmt.Sprint(len(big)))
		_, _ = w.Write(big[:300_000])
		panic(http.ErrAbortHandler)
	}
	blobs := newBlobs(t)
	dir := t.TempDir()
	cfg := testConfig(t, dir, nil)
	o := openOPDS(t, cfg, OPDSRequest{URL: c.URL, Files: true, Blobs: blobs})
	got, refused, err := lines(t, o)
	if err != nil || len(refused) > 0 || !slices.Equal(titles(got), []string{"A", "B", "C", "D", "E", "F"}) {
		t.Fatal(titles(got), refused, err)
	}
	a := got[0]
	if len(a.Files) != 1 || a.Files[0].Bytes != int64(len(big)) || a.Files[0].Name != "a.epub" || a.Files[0].MediaType != "application/epub+zip" || a.Files[0].Role != record.RoleText {
		t.Fatalf("%+v", a.Files)
	}
	if r := a.Rights; r == nil || r.Basis != record.Licence || r.Licence != "CC-BY-4.0" || r.Access != record.Open || r.Evidence.URL != c.URL+"/" && r.Evidence.URL != c.URL {
		t.Errorf("%+v", r)
	}
	if a.Record.IDs[0].Value != c.URL+"/a.html" {
		t.Error(a.Record.IDs)
	}
	if len(got[2].Files) != 1 || got[2].Rights.Licence != "CC0-1.0" {
		t.Errorf("%+v", got[2])
	}
	for _, i := range []int{1, 3, 4, 5} {
		if len(got[i].Files) > 0 || got[i].Rights != nil {
			t.Errorf("%s has files: %+v", got[i].Record.Title, got[i].Files)
		}
	}
	if len(got[4].Warnings) != 1 || !strings.Contains(got[4].Warnings[0], "its file was not taken") {
		t.Error(got[4].Warnings)
	}
	if want := []string{"/", "/a.epub?v=1", "/a.epub?v=1 bytes=300000-", "/c.epub", "/e.epub"}; !slices.Equal(c.asked, want) {
		t.Error(c.asked)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "partial", "*")); len(left) > 0 {
		t.Error(left)
	}
	if err := o.Finish(nil); err != nil {
		t.Fatal(err)
	}
	// Again: the page has changed, the entry of A has not, and its file is not asked for.
	c.asked = nil
	c.pages["/"] = strings.Replace(feed, "<title>B</title>", "<title>B again</title>", 1)
	o = openOPDS(t, cfg, OPDSRequest{URL: c.URL, Files: true, Blobs: blobs})
	again, _, err := lines(t, o)
	if err != nil || len(again) != 6 || len(again[0].Files) != 1 || again[0].Files[0] != a.Files[0] || !slices.Equal(c.asked, []string{"/", "/e.epub"}) {
		t.Error(c.asked, err)
	}
	// The librarian's word goes with open-access links.
	o = openOPDS(t, testConfig(t, t.TempDir(), nil), OPDSRequest{URL: c.URL, Files: true, Stated: true, Blobs: blobs})
	if got, _, err = lines(t, o); err != nil || len(got[1].Files) != 1 || got[1].Rights != nil || len(got[5].Files) != 1 || len(got[3].Files) != 0 {
		t.Errorf("%v %+v", err, got[1])
	}
	// A file that is too long is not taken.
	cfg = testConfig(t, t.TempDir(), nil)
	cfg.MaxFile = 1000
	if got, _, err = lines(t, openOPDS(t, cfg, OPDSRequest{URL: c.URL, Files: true, Blobs: blobs})); err != nil || len(got[0].Files) > 0 || !strings.Contains(got[0].Warnings[0], "longer than 1000 bytes") {
		t.Errorf("%v %+v", err, got[0].Warnings)
	}
}

// TestOPDSHostile: what a hostile catalogue calls a book is not taken, costs a bounded
// time and room, and the next entry comes all the same.
func TestOPDSHostile(t *testing.T) {
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	for _, name := range []string{"mimetype", "META-INF/container.xml", "a.opf"} {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.CopyN(w, zeros{}, 64<<20)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	secret := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("this machine was asked") }))
	defer secret.Close()
	toText := strings.Replace(toBook, "application/epub+zip", "text/plain", 1)
	feed := atomHead
	for i, l := range []string{link(toBook, "/huge"), link(toBook, "/long"), link(toBook, "/drip"), link(toBook, "/inside"), link(toBook, "/local"), link(toBook, "file:///etc/passwd"),
		link(toText, "/page"), link(toBook, "/bomb"), link(toBook, "/unasked"), link(toText, "/more"), link(toText, "/good")} {
		feed += atomEntry(fmt.Sprint(i), fmt.Sprint(i), l+licence)
	}
	c := newCatalogue(t, map[string]string{"/": feed + "</feed>"})
	c.files = map[string][]byte{"/bomb": bomb.Bytes(), "/page": []byte("<!DOCTYPE html><html><head><title>Log in</title></head><body><p>Log in</p></body></html>"), "/good": []byte("A good text.\n")}
	c.fail = func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/huge":
			w.Header().Set("Content-Length", "9000000000000")
		case "/long":
			_, _ = io.CopyN(w, zeros{}, 3<<20)
		case "/drip": // fast enough never to stall
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte("drip"))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(time.Millisecond)
			}
		case "/inside":
			http.Redirect(w, r, secret.URL, http.StatusFound)
		case "/local":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/unasked":
			w.WriteHeader(http.StatusNotModified)
		case "/more":
			w.Header().Set("Content-Range", "bytes 5-9/10")
			w.WriteHeader(http.StatusPartialContent)
		default:
			return false
		}
		return true
	}
	dir, blobs := t.TempDir(), newBlobs(t)
	cfg := testConfig(t, dir, nil)
	cfg.MaxFile, cfg.Longest, cfg.StallAfter, cfg.StallBytes, cfg.Tries = 1<<20, 100*time.Millisecond, 50*time.Millisecond, 1, 2
	o := openOPDS(t, cfg, OPDSRequest{URL: c.URL, Files: true, Blobs: blobs})
	// As if the catalogue was of the public Internet, and this connection to it open.
	o.client.mu.Lock()
	o.client.inside = false
	o.client.mu.Unlock()
	dial := o.client.http.Transport.(*http.Transport).DialContext
	o.client.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == strings.TrimPrefix(c.URL, "http://") {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		return dial(ctx, network, address)
	}
	got, refused, err := lines(t, o)
	if err != nil || len(refused) > 0 || len(got) != 11 {
		t.Fatal(len(got), refused, err)
	}
	for i, says := range []string{"longer than", "longer than", "takes longer than", "not an address of the public Internet", "not safe", "not an address of the web",
		"is text/html, and not text/plain", "", "answers 304", "another part"} {
		d := got[i]
		if says == "another part" { // of a whole that is not asked for in parts
			says = "another part than was asked for"
		}
		if len(d.Files) > 0 || d.Rights != nil || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "its file was not taken") || !strings.Contains(d.Warnings[0], says) {
			t.Errorf("%s: %+v %v", says, d.Files, d.Warnings)
		}
	}
	if d := got[10]; len(d.Files) != 1 || d.Files[0].Bytes != 13 || len(d.Warnings) > 0 {
		t.Errorf("%+v %v", d.Files, d.Warnings)
	}
	// Parts that are kept for the next time are few.
	for i := range 2 * maxPartial {
		name := filepath.Join(dir, "partial", fmt.Sprint(i))
		for _, name := range []string{name, name + ".tag"} {
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := prune(filepath.Join(dir, "partial"), filepath.Join(dir, "partial", "3")); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "partial", "*")); len(left) > 2*maxPartial || !slices.Contains(left, filepath.Join(dir, "partial", "3.tag")) {
		t.Error(left)
	}
}

// zeros is nothing without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestOPDSUnasked: a server that says of what was not asked before that it has not changed.
func TestOPDSUnasked(t *testing.T) {
	c := newCatalogue(t, map[string]string{"/": atomHead + atomEntry("a", "A", link(toBook, "/a.epub")+link(toFull, "/a")) + "</feed>"})
	c.fail = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNotModified)
		}
		return r.URL.Path != "/"
	}
	if _, err := OpenOPDS(t.Context(), testConfig(t, t.TempDir(), nil), OPDSRequest{URL: c.URL + "/x"}); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "answers 304") {
		t.Error(err)
	}
	got, _, err := lines(t, openOPDS(t, testConfig(t, t.TempDir(), nil), OPDSRequest{URL: c.URL}))
	if err != nil || len(got) != 1 || len(got[0].Warnings) != 1 || !strings.Contains(got[0].Warnings[0], "answers 304") {
		t.Error(got, err)
	}
}

// TestOPDSBounds: however many feeds a catalogue leads to, and however long its entries,
// what is held of them is bounded; and it is said that some were left out.
func TestOPDSBounds(t *testing.T) {
	c := newCatalogue(t, map[string]string{"/": atomHead + "</feed>"})
	o := openOPDS(t, testConfig(t, t.TempDir(), nil), OPDSRequest{URL: c.URL})
	if _, _, err := lines(t, o); err != nil {
		t.Fatal(err)
	}
	pad := strings.Repeat("x", 4000)
	for n := range 20 {
		var feeds []string
		for i := range 1000 {
			feeds = append(feeds, fmt.Sprintf("%s/%s/%d/%d", c.URL, pad, n, i))
		}
		if err := o.follow(feed{url: fmt.Sprint(c.URL, n)}, fmt.Sprintf("%s/next/%d", c.URL, n), feeds); err != nil {
			t.Fatal(err)
		}
		o.remember(feed{url: fmt.Sprint(c.URL, n)}, opdsPage{ETag: "x", Feeds: feeds})
	}
	size := 0
	for _, f := range o.queue {
		size += len(f.url)
	}
	if size > maxWaiting || size < maxWaiting/2 || size != o.waiting || bytes.Count(o.buf.Bytes(), []byte("more feeds than are read")) != 1 {
		t.Error(size, o.waiting, o.buf.String())
	}
	size = 0
	for _, p := range o.fresh {
		for _, f := range p.Feeds {
			size += len(f)
		}
	}
	if size > maxKept || size < maxKept/2 {
		t.Error(size)
	}

	// A page whose entries are long is given piece by piece, and whole.
	page := &format.OPDSPage{}
	for i := range 40 {
		page.Entries = append(page.Entries, format.OPDSEntry{Described: &format.Described{ID: fmt.Sprint(i), Record: record.Record{Title: "T", Abstract: strings.Repeat("x", 100_000)}}})
	}
	o.buf.Reset()
	o.give(feed{url: c.URL}, page, http.Header{})
	given := 0
	for o.page != nil {
		if err := o.next(); err != nil {
			t.Fatal(err)
		}
		if o.buf.Len() > giveAt+200_000 {
			t.Fatal(o.buf.Len())
		}
		given += bytes.Count(o.buf.Bytes(), []byte("\n"))
		o.buf.Reset()
	}
	if given != 40 {
		t.Error(given)
	}
}

// TestOPDSErrors: what is no catalogue is said to be none.
func TestOPDSErrors(t *testing.T) {
	c := newCatalogue(t, map[string]string{"/html": "<html><body/></html>", "/json": "[1]", "/bad": "{", "/xxe": `<!DOCTYPE feed [<!ENTITY a SYSTEM "file:///etc/passwd">]><feed>&a;</feed>`})
	for path, says := range map[string]string{"/html": "no OPDS catalogue", "/json": "", "/bad": "no OPDS 2.0 catalogue", "/xxe": "entities", "/nothing": "is not there"} {
		_, err := OpenOPDS(t.Context(), testConfig(t, t.TempDir(), nil), OPDSRequest{URL: c.URL + path})
		if err == nil || !strings.Contains(err.Error(), says) || errs.Is(err, errs.Internal) {
			t.Error(path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	o, err := OpenOAI(ctx, testConfig(t, t.TempDir(), nil), OAIRequest{URL: newOAIServer(t, five...).URL})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := o.Read(make([]byte, 10)); err != context.Canceled {
		t.Error(err)
	}
}

// TestStall: a server that sends nothing more is given up.
func TestStall(t *testing.T) {
	gone := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, oaiHead)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-gone:
		}
	}))
	defer s.Close()
	defer close(gone)
	cfg := testConfig(t, t.TempDir(), nil)
	cfg.StallAfter, cfg.Tries = 20*time.Millisecond, 2
	if _, err := OpenOAI(t.Context(), cfg, OAIRequest{URL: s.URL}); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "too slowly") {
		t.Error(err)
	}
}

// TestPause: between two requests there is a pause, of which what has passed counts.
func TestPause(t *testing.T) {
	var waits []time.Duration
	cfg := testConfig(t, t.TempDir(), &waits)
	cfg.Pause = time.Hour
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cfg.Now = func() time.Time { return now }
	o := openOAI(t, cfg, OAIRequest{URL: newOAIServer(t, five...).URL})
	if _, err := harvested(t, o); err != nil || !slices.Equal(waits, []time.Duration{time.Hour, time.Hour, time.Hour}) {
		t.Error(waits, err)
	}
}

// TestWhereItConnects: a catalogue of the public Internet leads nowhere else.
func TestWhereItConnects(t *testing.T) {
	for _, c := range []struct {
		first, then string
		ok          bool
	}{
		{"93.184.216.34:443", "1.1.1.1:80", true},
		{"93.184.216.34:443", "127.0.0.1:80", false},
		{"93.184.216.34:443", "10.0.0.1:80", false},
		{"93.184.216.34:443", "169.254.169.254:80", false},
		{"93.184.216.34:443", "100.64.0.1:80", false},
		{"93.184.216.34:443", "0.0.0.0:80", false},
		{"93.184.216.34:443", "[::1]:80", false},
		{"93.184.216.34:443", "[::ffff:127.0.0.1]:80", false},
		{"93.184.216.34:443", "[fd00::1]:80", false},
		{"93.184.216.34:443", "[64:ff9b::7f00:1]:80", false},
		{"[2606:2800:220:1::1]:443", "[2606:4700::1111]:80", true},
		{"127.0.0.1:8080", "10.0.0.1:80", true},
		{"192.168.1.2:80", "93.184.216.34:80", true},
	} {
		cl := newClient(Config{}.withDefaults(), new(url.URL))
		if err := cl.mayConnect(t.Context(), "tcp", c.first, nil); err != nil {
			t.Error(c.first, err)
		}
		if err := cl.mayConnect(t.Context(), "tcp", c.then, nil); (err == nil) != c.ok {
			t.Error(c, err)
		}
	}
	// The sentence, when it happens within a request.
	cl := newClient(Config{}.withDefaults(), new(url.URL))
	cl.judged = true
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if _, err := cl.open(t.Context(), request{url: s.URL}); !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), "not an address of the public Internet") {
		t.Error(err)
	}
	// A name that leads to this machine first, and then to where it speaks from.
	cl = newClient(Config{}.withDefaults(), new(url.URL))
	page := context.WithValue(t.Context(), forPage{}, true)
	for _, c := range []struct {
		ctx context.Context
		at  string
		ok  bool
	}{{page, "127.0.0.1:80", true}, {t.Context(), "93.184.216.34:80", true}, {t.Context(), "10.0.0.1:80", true}, {page, "93.184.216.34:80", true}, {t.Context(), "10.0.0.1:80", false}, {page, "127.0.0.1:80", false}} {
		if err := cl.mayConnect(c.ctx, "tcp", c.at, nil); (err == nil) != c.ok {
			t.Error(c.at, err)
		}
	}
}

// TestOPDSPassword: who asks is told to the catalogue's own server, and stands in no
// address that is kept.
func TestOPDSPassword(t *testing.T) {
	asked := map[string]string{}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked["other "+r.URL.Path] = r.Header.Get("Authorization")
		http.NotFound(w, r)
	}))
	defer other.Close()
	c := newCatalogue(t, map[string]string{
		"/opds":   atomHead + atomEntry("a", "A", link(toBook, "/a.epub")+link(toBook, other.URL+"/b.epub")+licence) + `<link rel="next" href="/opds?2"/></feed>`,
		"/opds?2": atomHead + atomEntry("b", "B", link(toBook, "/b.epub")+`<link rel="alternate" type="text/html" href="/b.html"/>`) + "</feed>",
		"/a.epub": "<!DOCTYPE html><html><head><title>Log in</title></head><body><p>Log in</p></body></html>",
	})
	c.fail = func(_ http.ResponseWriter, r *http.Request) bool {
		name, password, _ := r.BasicAuth()
		asked[r.URL.RequestURI()] = name + " " + password
		return false
	}
	req := OPDSRequest{URL: strings.Replace(c.URL, "://", "://me:secret@", 1) + "/opds", Files: true, Blobs: newBlobs(t)}
	cfg := testConfig(t, t.TempDir(), nil)
	o := openOPDS(t, cfg, req)
	all, err := io.ReadAll(o)
	if err != nil || strings.Contains(string(all), "secret") || strings.Count(string(all), "\n") != 2 || !strings.Contains(string(all), c.URL+"/b.html") {
		t.Errorf("%s %v", all, err)
	}
	if !strings.Contains(string(all), "not a ZIP archive") {
		t.Errorf("a page to log in was taken for a book: %s", all)
	}
	if err := o.Finish(nil); err != nil {
		t.Fatal(err)
	}
	if state, err := os.ReadFile(o.file); err != nil || strings.Contains(string(state), "secret") {
		t.Errorf("%s %v", state, err)
	}
	for path, want := range map[string]string{"/opds": "me secret", "/opds?2": "me secret", "/a.epub": "me secret", "other /b.epub": ""} {
		if got, ok := asked[path]; !ok || got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}

// TestSourceName: a source is called by its host and path.
func TestSourceName(t *testing.T) {
	for in, want := range map[string]string{"https://WWW.Example.org/oai/": "example.org/oai", "http://x:8080": "x:8080", "https://a.b/c?d=e#f": "a.b/c", "file": ""} {
		if got := SourceName(in); got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
}

// FuzzReadOPDS: whatever a catalogue answers, it is read to an end, and what it says
// can be handed on.
func FuzzReadOPDS(f *testing.F) {
	f.Add([]byte(atomHead + atomEntry("a", "A", link(toBook, "/a.epub")+licence) + atomEntry("n", "N", link(toFeed, "/n")) + "</feed>"))
	f.Add([]byte(`{"metadata":{"title":"x"},"publications":[{"metadata":{"title":{"en":"t"},"author":[{"name":"a","sortAs":"b"}],"belongsTo":{"series":[{"name":"s","position":1.5}]}},"links":[{"rel":["http://opds-spec.org/acquisition"],"href":"a","properties":{"price":{"value":1,"currency":"EUR"}}}]}],"groups":[{"navigation":[{"href":"b"}]}],"links":[{"rel":"next","href":"?2"}]}`))
	f.Add([]byte(`<entry xmlns="http://www.w3.org/2005/Atom"><id>a</id></entry>`))
	form := format.Harvested()
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := format.ReadOPDS("https://example.org/opds", data)
		if err != nil {
			return
		}
		for _, e := range p.Entries {
			line, err := format.EncodeHarvested(e.Described, e.Err)
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(line) || bytes.ContainsRune(line, '\n') {
				t.Fatalf("%q is no line", line)
			}
			if d, err := form.Parse(line); err == nil && d.Record.Title != e.Record.Title {
				t.Fatalf("%q became %q", e.Record.Title, d.Record.Title)
			}
		}
	})
}
