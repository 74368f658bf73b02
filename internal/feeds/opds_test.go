package feeds

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"wenlan/internal/record"
)

// node is an element of any XML document.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Kids    []node     `xml:",any"`
	Text    string     `xml:",chardata"`
}

func (n node) attr(name string) string {
	for _, a := range n.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (n node) all(space, local string) (out []node) {
	for _, k := range n.Kids {
		if k.XMLName.Space == space && k.XMLName.Local == local {
			out = append(out, k)
		}
	}
	return out
}

func (n node) links(rel string) (out []node) {
	for _, k := range n.all(nsAtom, "link") {
		if k.attr("rel") == rel {
			out = append(out, k)
		}
	}
	return out
}

func (n node) link(rel string) string {
	if l := n.links(rel); len(l) > 0 {
		return l[0].attr("href")
	}
	return ""
}

func (n node) text(local string) string {
	if k := n.all(nsAtom, local); len(k) > 0 {
		return k[0].Text
	}
	return ""
}

// getXML asks for a document, and checks what holds for all of them.
func getXML(t *testing.T, h http.Handler, path string, header ...string) node {
	t.Helper()
	w := ask(t, h, "GET", path, header...)
	if w.Code != 200 {
		t.Fatalf("%s: status %d: %s", path, w.Code, w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-cache" || w.Header().Get("ETag") == "" {
		t.Errorf("%s: %v", path, w.Header())
	}
	dec := xml.NewDecoder(w.Body)
	var n node
	if err := dec.Decode(&n); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if _, err := dec.Token(); err != io.EOF && err != nil {
		t.Errorf("%s: after the document: %v", path, err)
	}
	again := ask(t, h, "GET", path, append(header, "If-None-Match", w.Header().Get("ETag"))...)
	if again.Code != http.StatusNotModified {
		t.Errorf("%s: unchanged, yet status %d", path, again.Code)
	}
	wantType := map[string]string{"feed": "application/atom+xml;profile=opds-catalog;kind=", "entry": typeEntry, "OpenSearchDescription": typeOpenSearch}[n.XMLName.Local]
	if !strings.HasPrefix(w.Header().Get("Content-Type"), wantType) || wantType == "" {
		t.Errorf("%s: %s as %q", path, n.XMLName.Local, w.Header().Get("Content-Type"))
	}
	switch n.XMLName.Local {
	case "feed":
		checkFeed(t, path, n, strings.HasSuffix(w.Header().Get("Content-Type"), "acquisition"))
	case "entry":
		checkEntry(t, path, n, true)
	}
	return n
}

var uuid = regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// atomRules is how often each Atom element may stand in a feed and in an entry:
// least and most, most 0 for any number (RFC 4287, sections 4.1.1 and 4.1.2, and
// its RELAX NG schema).
var atomRules = map[string]map[string][2]int{
	"feed": {"id": {1, 1}, "title": {1, 1}, "updated": {1, 1}, "author": {1, 0}, "link": {1, 0}, "entry": {0, 0},
		"generator": {0, 1}, "subtitle": {0, 1}},
	"entry": {"id": {1, 1}, "title": {1, 1}, "updated": {1, 1}, "published": {0, 1}, "author": {0, 0}, "contributor": {0, 0},
		"category": {0, 0}, "content": {0, 1}, "summary": {0, 1}, "rights": {0, 1}, "link": {0, 0}},
}

// checkCommon checks what RFC 4287 asks of feeds and entries alike.
func checkCommon(t *testing.T, path string, n node) {
	t.Helper()
	if n.XMLName.Space != nsAtom {
		t.Errorf("%s: %s is in namespace %q", path, n.XMLName.Local, n.XMLName.Space)
	}
	rules, count := atomRules[n.XMLName.Local], map[string]int{}
	for _, k := range n.Kids {
		if k.XMLName.Space != nsAtom {
			if k.XMLName.Space != nsTerms && k.XMLName.Space != nsOpenSearch {
				t.Errorf("%s: element %v", path, k.XMLName)
			}
			continue
		}
		if _, ok := rules[k.XMLName.Local]; !ok {
			t.Errorf("%s: %s in %s", path, k.XMLName.Local, n.XMLName.Local)
		}
		count[k.XMLName.Local]++
	}
	for name, r := range rules {
		if count[name] < r[0] || r[1] > 0 && count[name] > r[1] {
			t.Errorf("%s: %d × %s in %s", path, count[name], name, n.XMLName.Local)
		}
	}
	if !uuid.MatchString(n.text("id")) {
		t.Errorf("%s: id %q", path, n.text("id"))
	}
	if strings.TrimSpace(n.text("title")) == "" {
		t.Errorf("%s: no title", path)
	}
	for _, name := range []string{"updated", "published"} {
		if s := n.text(name); s != "" {
			if at, err := time.Parse(time.RFC3339, s); err != nil || at.Year() < 2000 {
				t.Errorf("%s: %s %q", path, name, s)
			}
		}
	}
	for _, p := range append(n.all(nsAtom, "author"), n.all(nsAtom, "contributor")...) {
		if len(p.all(nsAtom, "name")) != 1 || strings.TrimSpace(p.text("name")) == "" {
			t.Errorf("%s: a person without a name", path)
		}
	}
	alternates := map[string]bool{}
	for _, l := range n.all(nsAtom, "link") {
		u, err := url.Parse(l.attr("href"))
		if err != nil || l.attr("href") == "" || l.attr("rel") == "" || l.attr("type") == "" || !u.IsAbs() && !strings.HasPrefix(u.Path, "/") {
			t.Errorf("%s: link %v", path, l.Attrs)
		}
		if l.attr("rel") == "alternate" { // no two with the same type and language
			key := l.attr("type") + " " + l.attr("hreflang")
			if alternates[key] {
				t.Errorf("%s: two alternates of type %s", path, key)
			}
			alternates[key] = true
		}
	}
}

func checkFeed(t *testing.T, path string, n node, acquisition bool) {
	t.Helper()
	checkCommon(t, path, n)
	if self := n.links("self"); len(self) != 1 || self[0].attr("href") != path {
		t.Errorf("%s: self is %v", path, self)
	}
	if n.link("start") != "/opds" || n.link("search") != "/opds/opensearch.xml" {
		t.Errorf("%s: no way to the root or to the search", path)
	}
	ids, newest := map[string]bool{}, ""
	for _, e := range n.all(nsAtom, "entry") {
		checkEntry(t, path, e, acquisition)
		if id := e.text("id"); ids[id] {
			t.Errorf("%s: two entries with the id %s", path, id)
		}
		ids[e.text("id")] = true
		newest = max(newest, e.text("updated"))
	}
	if newest > n.text("updated") {
		t.Errorf("%s: an entry is newer than the feed", path)
	}
	active := map[string]int{}
	for _, l := range n.links(relFacet) {
		if !acquisition {
			t.Errorf("%s: a facet in a navigation feed", path)
		}
		if l.attr("facetGroup") == "" || l.attr("title") == "" {
			t.Errorf("%s: facet %v", path, l.Attrs)
		}
		if l.attr("activeFacet") == "true" {
			active[l.attr("facetGroup")]++
		}
	}
	for g, c := range active {
		if c > 1 {
			t.Errorf("%s: %d active facets in %s", path, c, g)
		}
	}
}

// checkEntry checks a catalogue entry (OPDS 1.2, section 5), or one that leads
// to another feed (section 2.2).
func checkEntry(t *testing.T, path string, n node, acquisition bool) {
	t.Helper()
	checkCommon(t, path, n)
	var acquisitions, catalogues int
	for _, l := range n.all(nsAtom, "link") {
		rel, typ := l.attr("rel"), l.attr("type")
		switch {
		case strings.HasPrefix(rel, "http://opds-spec.org/acquisition"):
			acquisitions++
			if strings.Contains(typ, ";") {
				t.Errorf("%s: acquisition of type %q", path, typ)
			}
		case strings.HasPrefix(rel, relImage):
			if !isArtwork(typ) {
				t.Errorf("%s: artwork of type %q", path, typ)
			}
		case typ == typeNavigation || typ == typeAcquisition:
			catalogues++
		}
	}
	if acquisition != (acquisitions > 0) || acquisition == (catalogues > 0) {
		t.Errorf("%s: %d acquisition links and %d links to catalogues: %s", path, acquisitions, catalogues, n.text("title"))
	}
	if acquisition && len(n.all(nsAtom, "author")) == 0 {
		t.Errorf("%s: an entry without an author", path)
	}
	for _, s := range n.all(nsAtom, "summary") {
		if s.attr("type") != "text" || len(s.Kids) > 0 {
			t.Errorf("%s: summary %v", path, s)
		}
	}
	for _, c := range n.all(nsAtom, "category") {
		if c.attr("term") == "" {
			t.Errorf("%s: category without term", path)
		}
	}
}

func place(c *Config) { c.Place = func(*http.Request) string { return "DE" } }

func TestCatalogueIsWalkable(t *testing.T) {
	h := richLibrary().serve(t, place)
	seen, todo := map[string]bool{}, []string{"/opds"}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		n := getXML(t, h, path)
		var walk func(node)
		walk = func(n node) {
			for _, l := range n.all(nsAtom, "link") {
				if strings.HasPrefix(l.attr("href"), "/opds") {
					todo = append(todo, l.attr("href"))
				}
			}
			for _, e := range n.all(nsAtom, "entry") {
				walk(e)
			}
		}
		walk(n)
	}
	for _, path := range []string{"/opds/new", "/opds/languages/zh-Hant", "/opds/kinds/book", "/opds/records/1", "/opds/opensearch.xml"} {
		if !seen[path] {
			t.Errorf("%s cannot be reached from the root", path)
		}
	}
}

func TestEntry(t *testing.T) {
	h := richLibrary().serve(t, place)
	partial := getXML(t, h, "/opds/search?q="+url.QueryEscape("紅樓夢")).all(nsAtom, "entry")
	if len(partial) != 1 {
		t.Fatalf("%d entries", len(partial))
	}
	whole := getXML(t, h, "/opds/records/1")
	for _, n := range []node{partial[0], whole} {
		title := n.all(nsAtom, "title")[0]
		if title.Text != "紅樓夢 <第一回> & more" || title.attr("lang") != "zh-Hant" {
			t.Errorf("title %v", title)
		}
		if n.text("updated") != "2026-06-04T03:02:01Z" || n.text("published") != "2026-05-04T04:02:01Z" {
			t.Errorf("updated %s, published %s", n.text("updated"), n.text("published"))
		}
		if l := n.links("license"); len(l) != 1 || l[0].attr("href") != "https://creativecommons.org/licenses/by/4.0/" {
			t.Errorf("licence %v", l)
		}
		a := n.links(relOpenAccess)
		if len(a) != 1 || a[0].attr("href") != "/records/1/files/"+url.PathEscape("紅樓夢 1.epub") || a[0].attr("type") != "application/epub+zip" {
			t.Errorf("acquisition %v: the withdrawn text must not be there", a)
		}
		if n.link(relImage) != "/records/1/files/cover.jpg" || n.link(relThumbnail) == "" {
			t.Errorf("artwork %q", n.link(relImage))
		}
		if c := n.all(nsAtom, "category"); len(c) != 2 || c[0].attr("term") != "sh1" || c[1].attr("term") != "小說" {
			t.Errorf("categories %v", c)
		}
		if a := n.all(nsAtom, "author"); len(a) != 1 || a[0].text("name") != "曹雪芹" {
			t.Errorf("authors %v", a)
		}
		if c := n.all(nsAtom, "contributor"); len(c) != 1 || c[0].text("name") != "高鶚" {
			t.Errorf("contributors %v", c)
		}
		if n.text("rights") != "CC-BY-4.0 · 某人" {
			t.Errorf("rights %q", n.text("rights"))
		}
	}
	if partial[0].text("id") != whole.text("id") {
		t.Error("the same record has two ids")
	}
	if partial[0].text("content") != "" || !strings.HasSuffix(partial[0].text("summary"), "…") || !strings.HasPrefix(whole.text("content"), "滿紙") {
		t.Errorf("summary %q, content %q", partial[0].text("summary"), whole.text("content"))
	}
	ids := whole.all(nsTerms, "identifier")
	if len(ids) != 3 || ids[0].Text != "urn:isbn:9780141439518" || ids[1].Text != "doi:10.1000/1" || ids[2].Text != "https://example.org/1" {
		t.Errorf("identifiers %v", ids)
	}
	if whole.link("self") != "/opds/records/1" {
		t.Errorf("self %q", whole.link("self"))
	}
	if w := ask(t, h, "GET", "/opds/records/2"); w.Code != http.StatusFound || w.Header().Get("Location") != "/opds/records/1" {
		t.Errorf("merged: status %d to %q", w.Code, w.Header().Get("Location"))
	}
	unsigned := getXML(t, h, "/opds/records/3")
	if a := unsigned.all(nsAtom, "author"); len(a) != 1 || a[0].text("name") != "Unknown author" {
		t.Errorf("author %v", a)
	}
}

func TestIDsArePermanent(t *testing.T) {
	l := richLibrary()
	a := getXML(t, l.serve(t, place), "/opds/records/1").text("id")
	b := getXML(t, l.serve(t, place, func(c *Config) { c.URL, c.Name = "https://elsewhere.example", "Another name" }), "/opds/records/1").text("id")
	other := getXML(t, l.serve(t, place, func(c *Config) { c.ID = hashOf("another library") }), "/opds/records/1").text("id")
	if a != b || a == other {
		t.Errorf("%s, %s, %s", a, b, other)
	}
}

func TestFeedsInChinese(t *testing.T) {
	h := richLibrary().serve(t, place)
	n := getXML(t, h, "/opds", "Accept-Language", "zh-CN,zh;q=0.9,en;q=0.1")
	if n.attr("lang") != "zh-Hans" {
		t.Errorf("lang %q", n.attr("lang"))
	}
	var titles []string
	for _, e := range n.all(nsAtom, "entry") {
		titles = append(titles, e.text("title"))
	}
	if got := strings.Join(titles, " "); got != "新入藏 按语言浏览 按类型浏览" {
		t.Errorf("titles %q", got)
	}
	n = getXML(t, h, "/opds/languages", "Accept-Language", "zh")
	var b strings.Builder
	for _, e := range n.all(nsAtom, "entry") {
		b.WriteString(e.text("title") + " ")
	}
	if !strings.Contains(b.String(), "繁体中文") || !strings.Contains(b.String(), "英语") {
		t.Errorf("languages %q", &b)
	}
	for key, pair := range labels {
		for i, text := range pair {
			if text == "" || strings.Count(text, "{}") != strings.Count(pair[0], "{}") {
				t.Errorf("label %s in column %d: %q", key, i, text)
			}
		}
	}
	for _, k := range record.Kinds {
		if _, ok := labels["kind."+string(k)]; !ok {
			t.Errorf("no label for kind %s", k)
		}
	}
}

// TestNewArrivalsPaging walks all pages down and up again, with records between
// that are not listed.
func TestNewArrivalsPaging(t *testing.T) {
	l := newLibrary()
	want := 0
	for i := range int64(200) {
		rights := open()
		if i%3 == 0 {
			rights = nil
		} else {
			want++
		}
		l.add(i*2+1, rights, fmt.Sprint("book ", i))
	}
	h := l.serve(t)
	seen := map[string]int{}
	path, last := "/opds/new", ""
	pages := 0
	for path != "" {
		n := getXML(t, h, path)
		entries := n.all(nsAtom, "entry")
		if len(entries) > opdsPage {
			t.Errorf("%s: %d entries", path, len(entries))
		}
		for i, e := range entries {
			seen[e.text("id")]++
			if i > 0 && e.text("published") > entries[i-1].text("published") {
				t.Errorf("%s: not the newest first", path)
			}
		}
		if (n.link("previous") == "") != (path == "/opds/new") || n.link("first") != "/opds/new" {
			t.Errorf("%s: previous %q, first %q", path, n.link("previous"), n.link("first"))
		}
		last, path = path, n.link("next")
		if pages++; pages > 20 {
			t.Fatal("no end")
		}
	}
	if len(seen) != want {
		t.Errorf("%d records listed, want %d", len(seen), want)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s listed %d times", id, times)
		}
	}
	up := map[string]bool{}
	for path = last; ; {
		n := getXML(t, h, path)
		for _, e := range n.all(nsAtom, "entry") {
			up[e.text("id")] = true
		}
		if path == "/opds/new" {
			break
		}
		if path = n.link("previous"); path == "" {
			t.Fatal("lost on the way up")
		}
		if pages++; pages > 60 {
			t.Fatal("no end on the way up")
		}
	}
	if len(up) != want {
		t.Errorf("%d records on the way up, want %d", len(up), want)
	}
}

func TestSearchPaging(t *testing.T) {
	l := newLibrary()
	for i := range int64(70) {
		l.add(i+1, open(), fmt.Sprint("book ", i))
	}
	h := l.serve(t)
	n := getXML(t, h, "/opds/search?lang=en&page=2&q=Book")
	for rel, want := range map[string]string{"first": "/opds/search?lang=en&q=Book", "previous": "/opds/search?lang=en&q=Book", "next": "/opds/search?lang=en&page=3&q=Book"} {
		if got := n.link(rel); got != want {
			t.Errorf("%s: %q, want %q", rel, got, want)
		}
	}
	if total := n.all(nsOpenSearch, "totalResults"); len(total) != 1 || total[0].Text != "70" {
		t.Errorf("total %v", total)
	}
	if start := n.all(nsOpenSearch, "startIndex"); len(start) != 1 || start[0].Text != "31" {
		t.Errorf("start %v", start)
	}
	facets := n.links(relFacet)
	if len(facets) != 2 || facets[0].attr("activeFacet") != "true" || facets[0].attr("count") != "70" || facets[1].attr("title") != "Books" {
		t.Errorf("facets %v", facets)
	}
	if n := getXML(t, h, "/opds/search?lang=en&page=3&q=Book"); n.link("next") != "" || len(n.all(nsAtom, "entry")) != 10 {
		t.Errorf("the last page has %d entries and leads to %q", len(n.all(nsAtom, "entry")), n.link("next"))
	}
	if n := getXML(t, h, "/opds/search?q=nothing"); len(n.all(nsAtom, "entry")) != 0 || n.link("next") != "" {
		t.Error("nothing has entries")
	}
}

func TestOpenSearch(t *testing.T) {
	l := newLibrary()
	n := getXML(t, l.serve(t), "/opds/opensearch.xml")
	if n.XMLName.Space != nsOpenSearch {
		t.Errorf("namespace %q", n.XMLName.Space)
	}
	urls := n.all(nsOpenSearch, "Url")
	if len(urls) == 0 || urls[0].attr("template") != "http://example.com/opds/search?q={searchTerms}&page={startPage?}" || urls[0].attr("type") != typeAcquisition {
		t.Errorf("%v", urls)
	}
	n = getXML(t, l.serve(t, func(c *Config) {
		c.URL, c.Name = "https://library.example", "文澜阁数字图书馆的一个很长很长的名字"
	}), "/opds/opensearch.xml")
	if got := n.all(nsOpenSearch, "Url")[0].attr("template"); !strings.HasPrefix(got, "https://library.example/opds/search?") {
		t.Errorf("template %q", got)
	}
	if name := n.all(nsOpenSearch, "ShortName")[0].Text; len([]rune(name)) > 16 {
		t.Errorf("ShortName %q has more than 16 characters", name)
	}
	// What the template gives with a page left empty must be taken.
	if w := ask(t, l.serve(t), "GET", "/opds/search?q=x&page="); w.Code != 200 {
		t.Errorf("an empty page: status %d", w.Code)
	}
}

func TestEmptyLibrary(t *testing.T) {
	h := newLibrary().serve(t)
	for _, path := range []string{"/opds", "/opds/new", "/opds/languages", "/opds/kinds", "/opds/languages/en", "/opds/kinds/book", "/opds/search"} {
		getXML(t, h, path)
	}
}
