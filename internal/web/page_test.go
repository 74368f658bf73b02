package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/record"
)

// pages are the addresses of every kind of page, in a library that has them all.
func pages(l *library) []string {
	t := l.t
	f := l.epub("pride")
	full := l.add(manuscript(), openRights(), f, l.store("cover.png", "image/png", record.RoleCover, picture(t)))
	same := l.add(manuscript(), nil, l.epub("pride again"))
	hong := l.add(record.Record{Title: "紅樓夢", Creators: []record.Creator{{Name: "曹雪芹", IDs: []record.ID{{Scheme: "orcid", Value: "0000-0002-1825-0097"}}}}, Languages: []string{"zh-Hant"}, Kind: record.Book, Issued: "1791",
		Subjects: []record.Subject{{Scheme: "clc", Code: "I242.4", Label: "章回小说"}}},
		&record.Rights{Basis: record.PublicDomain, Access: record.Open, Evidence: &record.Evidence{By: "ana", At: "2026-01-02T03:04:05Z"}}, l.epub("hong"))
	l.add(record.Record{Title: "שלום", Languages: []string{"he"}, Kind: record.Book}, openRights(), l.epub("shalom"))
	only := l.add(record.Record{Title: "A paper without its file", Kind: record.Article, Issued: "2020~"}, nil)
	shut := l.add(record.Record{Title: "Closed"}, openRights(), l.epub("closed"))
	l.append(record.Entry{Type: record.TypeWithdrawal, Of: &shut, Ground: "claim of the estate", Case: "7/26", Critical: true})
	gone := l.add(record.Record{Title: "Gone"}, openRights(), l.epub("gone"))
	l.append(record.Entry{Type: record.TypeErasure, Entries: []int64{gone}, Ground: "order", Critical: true})
	merged := l.add(record.Record{Title: "Merged"}, openRights(), l.epub("merged"))
	l.append(record.Entry{Type: record.TypeMerge, From: &merged, Into: &full})
	whale := l.add(record.Record{Title: "The whale & <all>", Creators: []record.Creator{{Name: "Herman Melville"}}, Languages: []string{"en"}, Kind: record.Book}, openRights(), l.novel("the whale"))
	return []string{
		"/search?q=whale", "/search?in=text&q=white+whale", "/search?in=text", recordPath(whale), recordPath(whale) + "/search", recordPath(whale) + "/search?q=whale",
		recordPath(whale) + "/search?q=nothing", recordPath(shut) + "/search?q=x",
		"/", "/search", "/search?q=pride", "/search?q=nothing-is-called-so&lang=en&kind=book&year=1800-1899&subject=x", "/search?q=%E7%BA%A2%E6%A5%BC%E6%A2%A6&lang=zh",
		"/browse", "/browse/new", "/browse/new?before=2", "/browse/languages", "/browse/kinds", "/browse/years", "/browse/subjects", "/browse/authors", "/browse/authors?from=m", "/authors?name=Jane+Austen",
		"/authors/orcid/0000-0002-1825-0097", "/subjects?label=Courtship", "/classes", "/classes/ddc", "/classes/ddc/82", "/classes/clc/I242", "/authors?name=Nobody", "/mirrors", "/shelves", "/about", "/help", "/nowhere",
		recordPath(full), recordPath(same), recordPath(hong), recordPath(only), recordPath(shut), recordPath(gone), recordPath(merged),
		recordPath(full) + "/proof", citePath(full), citePath(hong), recordPath(shut) + "/proof?entry=" + number(shut+1), recordPath(shut) + "/files/closed.epub", recordPath(same) + "/files/pride%20again.epub",
	}
}

// TestEveryPage holds what is true of every page, in every language.
func TestEveryPage(t *testing.T) {
	l := newLibrary(t)
	for _, path := range pages(l) {
		for _, lang := range []string{"en", "zh-Hans"} {
			res := l.get("GET", path, "Accept-Language", lang)
			body, _ := io.ReadAll(res.Body)
			h := res.Header
			policy := h.Get("Content-Security-Policy")
			holds(t, policy, "default-src 'none'; ", "script-src library.example/static/", "style-src library.example/static/",
				"img-src 'self'; ", "form-action 'self'; ", "base-uri 'none'; ", "frame-ancestors 'none'")
			if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%s: %v", path, h)
			}
			if strings.Contains(string(body), "ZgotmplZ") || strings.Contains(string(body), "<no value>") || strings.Contains(string(body), "%!") {
				t.Errorf("%s in %s holds what a template left", path, lang)
			}
			root := l.page(path, res.StatusCode, "Accept-Language", lang)
			if got := attr(one(t, root, "html"), "lang"); got != lang {
				t.Errorf("%s: lang %q, want %q", path, got, lang)
			}
			if text(one(t, root, "title")) == "" || text(one(t, root, "h1")) == "" {
				t.Errorf("%s lacks a title or a heading", path)
			}
			holds(t, text(one(t, root, "footer")), "notices@library.example")
			one(t, root, `a.skip[href="#main"]`)
			one(t, root, "main#main")
			none(t, root, "script:not([src]):not([type='application/ld+json']), [style], style, iframe, object, embed, base")
			for _, a := range []string{"onclick", "onload", "onerror"} {
				none(t, root, "["+a+"]")
			}
			for _, n := range all(t, root, "script[src], link[rel=stylesheet], link[rel=icon], img") {
				at := attr(n, "src") + attr(n, "href")
				if !strings.HasPrefix(at, "/") || strings.HasPrefix(at, "//") {
					t.Errorf("%s asks elsewhere: %s", path, at)
				}
				if asked := l.get("GET", at); asked.StatusCode != 200 {
					t.Errorf("%s asks for %s: status %d", path, at, asked.StatusCode)
				}
			}
			for _, n := range all(t, root, "a[href^='javascript:'], form[method=post]") {
				t.Errorf("%s holds %v", path, n.Attr)
			}
			ids := map[string]bool{}
			for _, n := range all(t, root, "[id]") {
				if ids[attr(n, "id")] {
					t.Errorf("%s has the id %q twice", path, attr(n, "id"))
				}
				ids[attr(n, "id")] = true
			}
			for _, n := range all(t, root, "main a[href^='/'], header a[href^='/']") {
				at := attr(n, "href")
				if strings.HasPrefix(at, "/register/") || strings.HasPrefix(at, "/opds") || at == "/shelves.atom" || strings.HasSuffix(at, "/read") || strings.Contains(at, "/read?") {
					continue
				}
				if asked := l.get("HEAD", at); asked.StatusCode != 200 && asked.StatusCode != 410 {
					t.Errorf("%s links to %s: status %d", path, at, asked.StatusCode)
				}
			}
			head := l.get("HEAD", path, "Accept-Language", lang)
			if b, _ := io.ReadAll(head.Body); head.StatusCode != res.StatusCode || len(b) > 0 {
				t.Errorf("HEAD %s: %d, %d bytes", path, head.StatusCode, len(b))
			}
		}
	}
	if logged := l.log.String(); logged != "" {
		t.Errorf("logged: %s", logged)
	}
}

func TestRecordPage(t *testing.T) {
	l := newLibrary(t)
	f := l.epub("pride")
	n := l.add(manuscript(), openRights(), l.store("a-cover.png", "image/png", record.RoleCover, picture(t)), f)
	again := l.add(manuscript(), nil, l.epub("pride again"))
	root := l.page(recordPath(n), 200)

	h1 := one(t, root, "h1")
	if text(h1) != "Pride & <Prejudice>" || attr(h1, "lang") != "en-GB" {
		t.Errorf("heading %q in %q", text(h1), attr(h1, "lang"))
	}
	links := all(t, root, `a[href*="/files/"]`)
	if len(links) == 0 || attr(links[0], "href") != recordPath(n)+"/files/pride.epub" {
		t.Errorf("the first file is not the text: %v", links[0].Attr)
	}
	if got := attr(one(t, root, ".do a.button:not(.second)"), "href"); got != recordPath(n)+"/read" {
		t.Errorf("reader at %q", got)
	}
	holds(t, text(one(t, root, ".creators")), "Jane Austen", "Hugh Thomson illustrator")
	facts := text(one(t, root, "section[aria-labelledby=facts]"))
	holds(t, facts, "28 January 1813", "T. Egerton", "London", "Novels, vol. 2", "British English", "Courtship", "DDC 823.7", "9780141439518", "21 November 2026")
	none(t, root, `a[href*="javascript"]`)
	one(t, root, `a[href="https://doi.org/10.1234/pride"]`)
	one(t, root, `a[href="/subjects?label=Courtship"]`)
	holds(t, text(one(t, root, ".abstract")), "universally acknowledged", "<script>alert(1)</script>")
	rights := one(t, root, ".rights")
	holds(t, text(rights), "Open to everyone", "public domain", "Recorded by ana on 2 January 2026. This rests on:")
	if got := attr(one(t, rights, "a"), "href"); got != "https://evidence.example/page?a=1&b=2" {
		t.Errorf("evidence at %q", got)
	}
	holds(t, text(one(t, root, ".register .sound")), "Verified")
	holds(t, text(one(t, root, ".history")), "Taken in", "21 November 2026")
	same := one(t, root, "section[aria-labelledby=same] a")
	if attr(same, "href") != recordPath(again) {
		t.Errorf("duplicate at %q", attr(same, "href"))
	}
	// What reference managers read.
	for name, want := range map[string]string{
		"citation_title": "Pride & <Prejudice>", "citation_author": "Austen, Jane", "citation_isbn": "9780141439518",
		"citation_doi": "10.1234/pride", "citation_publication_date": "1813/01/28", "citation_publisher": "T. Egerton",
	} {
		if got := attr(one(t, root, "meta[name="+name+"]"), "content"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	holds(t, attr(one(t, root, "span.Z3988"), "title"), "rft.btitle=Pride", "rft.aulast=Austen", "rft_id=info%3Adoi%2F10.1234%2Fpride")
	var schema map[string]any
	must(t, json.Unmarshal([]byte(one(t, root, "script[type='application/ld+json']").FirstChild.Data), &schema))
	if schema["@type"] != "Book" || schema["name"] != "Pride & <Prejudice>" || schema["isAccessibleForFree"] != true || schema["url"] != "https://library.example"+recordPath(n) {
		t.Errorf("schema.org: %v", schema)
	}
	if got := attr(one(t, root, "link[rel=canonical]"), "href"); got != "https://library.example"+recordPath(n) {
		t.Errorf("canonical %q", got)
	}
}

// TestManyCreators: three thousand names do not make a page long to read or slow.
func TestManyCreators(t *testing.T) {
	l := newLibrary(t)
	rec := record.Record{Title: "Many", Kind: record.Article}
	for i := range 300 {
		rec.Creators = append(rec.Creators, record.Creator{Name: "Author " + number(int64(i))})
	}
	n := l.add(rec, openRights())
	root := l.page(recordPath(n), 200)
	if got := len(all(t, root, "details:not([open]) .creators li")); got != 300-creatorsShown {
		t.Errorf("%d creators are folded away", got)
	}
	holds(t, text(one(t, root, "details.more summary")), "and 288 more")
	if got := len(all(t, root, "meta[name=citation_author]")); got != metaAuthors {
		t.Errorf("%d citation_author", got)
	}
}

// TestRightsInPlainWords says what each statement rests on.
func TestRightsInPlainWords(t *testing.T) {
	l := newLibrary(t)
	for i, c := range []struct {
		rights *record.Rights
		want   []string
		links  []string
	}{
		{nil, []string{"rights are not stated"}, nil},
		{&record.Rights{Basis: record.PublicDomain, Access: record.Open}, []string{"librarian’s word alone"}, nil},
		{&record.Rights{Basis: record.PublicDomain, Access: record.Open, Evidence: &record.Evidence{By: "ana", At: "2026-01-02T03:04:05Z"}},
			[]string{"the word of ana of 2 January 2026 alone; no evidence was given"}, nil},
		{&record.Rights{Basis: record.Licence, Licence: "CC-BY-SA-4.0", Holder: "Ana", Access: record.Open, Evidence: &record.Evidence{Text: "dc:rights of the package"}},
			[]string{"Ana has put it under a licence", "CC BY-SA 4.0", "dc:rights of the package"}, []string{"https://creativecommons.org/licenses/by-sa/4.0/"}},
		{&record.Rights{Basis: record.Licence, Licence: "https://creativecommons.org/publicdomain/zero/1.0/", Access: record.Open, Evidence: &record.Evidence{URL: "javascript:alert(1)"}},
			[]string{"CC0 1.0", "javascript:alert(1)"}, []string{"https://creativecommons.org/publicdomain/zero/1.0/"}},
		{&record.Rights{Basis: record.Licence, Licence: "MIT", Access: record.Open, Evidence: &record.Evidence{Text: "x"}}, []string{"MIT"}, []string{"https://spdx.org/licenses/MIT.html"}},
		{&record.Rights{Basis: record.Permission, Holder: "Ana", Access: record.Lend, Opens: "2030-01-01", Territories: []string{"DE", "CN"}, Evidence: &record.Evidence{Text: "letter"}},
			[]string{"lent to registered readers", "Ana has agreed", "Germany, China", "opens on 1 January 2030"}, nil},
	} {
		n := l.add(record.Record{Title: "Rights " + number(int64(i))}, c.rights, l.epub("rights "+number(int64(i))))
		box := one(t, l.page(recordPath(n), 200), ".rights")
		holds(t, text(box), c.want...)
		var links []string
		for _, a := range all(t, box, "a") {
			links = append(links, attr(a, "href"))
		}
		if strings.Join(links, " ") != strings.Join(c.links, " ") {
			t.Errorf("%d: links %v, want %v", i, links, c.links)
		}
	}
}

func TestTombstones(t *testing.T) {
	l := newLibrary(t)
	n := l.add(record.Record{Title: "Closed"}, openRights(), l.epub("closed"))
	l.append(record.Entry{Type: record.TypeWithdrawal, Of: &n, Ground: "claim of the estate", Case: "7/26", Critical: true, Territories: []string{"DE"}})
	for _, path := range []string{recordPath(n), recordPath(n) + "/files/closed.epub"} {
		status := 200
		if strings.Contains(path, "files") {
			status = 451
		}
		root := l.page(path, status)
		holds(t, text(one(t, root, ".tomb")), "Withdrawn", "claim of the estate", "7/26", "Germany", "21 November 2026")
		one(t, root, "meta[name=robots][content=noindex]")
	}
	holds(t, text(one(t, l.page(recordPath(n)+"/proof?entry="+number(n+1), 200), "main")), "Verified", "Withdrawn")
	needs := l.add(record.Record{Title: "Unstated"}, nil, l.epub("unstated"))
	holds(t, text(one(t, l.page(recordPath(needs), 200), ".notice")), "Rights not stated")
}

// TestChangesShowAtOnce: what was remembered must not outlive an entry.
func TestChangesShowAtOnce(t *testing.T) {
	l := newLibrary(t)
	n := l.add(record.Record{Title: "Before"}, openRights(), l.epub("x"))
	path := recordPath(n) + "/files/x.epub"
	if res := l.get("GET", path); res.StatusCode != 200 {
		t.Fatal(res.StatusCode)
	}
	l.append(record.Entry{Type: record.TypeRevision, Of: &n, Patch: []byte(`{"title":"After"}`)},
		record.Entry{Type: record.TypeWithdrawal, Of: &n, Ground: "claim", Critical: true})
	if res := l.get("GET", path); res.StatusCode != 451 {
		t.Errorf("withdrawn: status %d", res.StatusCode)
	}
	if got := text(one(t, l.page(recordPath(n), 200), "h1")); got != "After" {
		t.Errorf("title %q", got)
	}
}

func TestSearchPage(t *testing.T) {
	l := newLibrary(t)
	for i := range 45 {
		l.add(record.Record{Title: "Voyage " + number(int64(i)), Kind: record.Book, Languages: []string{"fr"}, Issued: number(int64(1850 + i)),
			Creators: []record.Creator{{Name: "Jules Verne"}}, Abstract: strings.Repeat("Nothing here. ", 40) + "The <b>voyage</b> begins."}, openRights())
	}
	l.add(record.Record{Title: "紅樓夢", Languages: []string{"zh-Hant"}, Kind: record.Book}, openRights())

	root := l.page("/search?q=voyage", 200)
	holds(t, text(one(t, root, "#found")), "45 results")
	if got := len(all(t, root, ".hits > li")); got != searchLimit {
		t.Errorf("%d hits", got)
	}
	holds(t, text(all(t, root, ".hits h3 mark")[0]), "Voyage")
	snippet := all(t, root, ".snippet")[0]
	holds(t, text(snippet), "…", "<b>")
	if len(all(t, snippet, "mark")) == 0 {
		t.Error("the snippet does not show the word")
	}
	if got := attr(one(t, root, "a[rel~=next]"), "href"); got != "/search?page=2&q=voyage" {
		t.Errorf("next page %q", got)
	}
	holds(t, text(one(t, root, ".facets")), "French 45", "Book 45", "1890s 5", "1850s 10")
	last := l.page("/search?q=voyage&page=3", 200)
	if got := len(all(t, last, ".hits > li")); got != 5 || len(all(t, last, "a[rel~=next]")) != 0 {
		t.Errorf("%d hits on the last page", got)
	}
	// A filter narrows, shows as a chip, and can be taken away.
	some := l.page("/search?q=voyage&lang=fr&year=1850-1859", 200)
	holds(t, text(one(t, some, "#found")), "10 results")
	chips := all(t, some, ".chips a:not(.all)")
	if len(chips) != 2 || attr(chips[0], "href") != "/search?q=voyage&year=1850-1859" || attr(chips[1], "href") != "/search?lang=fr&q=voyage" {
		t.Errorf("chips: %v", chips)
	}
	one(t, some, ".ask input[type=hidden][name=lang][value=fr]")
	holds(t, text(one(t, l.page("/search?q=voyage&from=1890&to=", 200), "#found")), "5 results")
	// Both scripts, and nothing found.
	holds(t, text(one(t, l.page("/search?q=红楼", 200), ".hits")), "紅樓夢")
	holds(t, text(one(t, l.page("/search?q=zzzz&lang=fr", 200), ".nothing")), "Nothing found", "without the filters")
	// Whatever is typed has an answer.
	for _, q := range []string{"%22", "%00", "%ff", "*", "AND", "%22a%20b", strings.Repeat("x", 3000), "q&page=-1", "q&page=99999999999999999999", "q&year=1-2-3", "q&sort=evil", "(((", "title:"} {
		if res := l.get("GET", "/search?q="+q); res.StatusCode != 200 {
			t.Errorf("q=%.20s: status %d", q, res.StatusCode)
		}
	}
}

// guessing is an index that makes something of what was typed.
type guessing struct {
	Index
	result index.Result
	asked  index.Query
}

func (g *guessing) Search(ctx context.Context, q index.Query) (*index.Result, error) {
	g.asked = q
	r := g.result
	return &r, nil
}

func TestGuesses(t *testing.T) {
	g := &guessing{}
	l := newLibrary(t, func(c *Config) { g.Index, c.Index = c.Index, g })
	n := l.add(record.Record{Title: "Pride & Prejudice"}, openRights())
	g.result = index.Result{Hits: []index.Hit{{Record: n}}, Total: 12345, Partial: true, Corrected: "pride <&> prejudice", DidYouMean: "bride",
		Facets: map[string][]index.FacetCount{
			index.FacetCreator: {{Value: "Jane Austen", N: 3}}, index.FacetAccess: {{Value: "open", N: 2}, {Value: "lend", N: 1}, {Value: "odd", N: 1}},
			index.FacetSubject: {{Value: "Courtship", N: 1}},
		}}
	root := l.page("/search?q=pryde+%26+prejudice&lang=en&page=2&creator=B&access=sale", 200)
	if !slices.Equal(g.asked.Creators, []string{"B"}) || !slices.Equal(g.asked.Access, []string{"sale"}) || g.asked.Exactly {
		t.Errorf("asked %+v", g.asked)
	}
	holds(t, text(one(t, root, "#found")), "About 12,000 results")
	one(t, root, ".partial")
	guesses := all(t, root, ".guess")
	if len(guesses) != 2 {
		t.Fatalf("%d guesses", len(guesses))
	}
	holds(t, text(guesses[0]), "Showing results for pride <&> prejudice", "Search instead for pryde & prejudice")
	if got := attr(one(t, guesses[0], "a"), "href"); got != "/search?access=sale&creator=B&exact=1&lang=en&q=pryde+%26+prejudice" {
		t.Errorf("as typed: %q", got)
	}
	if got := attr(one(t, guesses[1], "a"), "href"); got != "/search?access=sale&creator=B&lang=en&q=bride" {
		t.Errorf("meant: %q", got)
	}
	holds(t, text(one(t, root, ".facets")), "Access Open 2 For loan 1 odd 1", "People Jane Austen 3")
	holds(t, text(one(t, root, ".chips")), "For sale", "B", "English")
	one(t, root, `.facets a[href="/search?access=sale&creator=B&creator=Jane+Austen&lang=en&q=pryde+%26+prejudice"]`)
	one(t, root, ".ask input[type=hidden][name=creator][value=B]")

	l.page("/search?q=pryde&exact=1", 200)
	if !g.asked.Exactly {
		t.Error("the words as typed were not asked for")
	}
	g.result = index.Result{Partial: true}
	none(t, l.page("/search?q=x", 200), ".guess, .partial")
}

func TestTexts(t *testing.T) {
	l := newLibrary(t)
	book := func(title string, rights *record.Rights) int64 {
		return l.add(record.Record{Title: title, Languages: []string{"en"}, Kind: record.Book}, rights, l.novel(title))
	}
	n := book("A & <b>", openRights())
	shut := book("Shut", nil)
	german := book("German", &record.Rights{Basis: record.PublicDomain, Access: record.Open, Territories: []string{"DE"}})
	l.add(record.Record{Title: "whale"}, nil)

	root := l.page("/search?q=whale", 200)
	section := one(t, root, ".intexts")
	holds(t, text(section), "In the text", "A & <b>", "Chapter 1", "the white whale", "German")
	if got := len(all(t, section, "li")); got != 2 {
		t.Errorf("%d hits", got)
	}
	none(t, section, "b")
	one(t, section, `a[href="/search?in=text&q=whale"]`)
	one(t, root, ".hits")
	none(t, l.page("/search?q=whale&lang=en", 200), ".intexts")
	none(t, l.page("/search?q=zzz", 200), ".intexts")

	root = l.page("/search?in=text&q=whale+white", 200)
	holds(t, text(one(t, root, "#found")), "4 chapters or pages")
	links := all(t, root, ".passages h3 a")
	if len(links) != 4 {
		t.Fatalf("%d places", len(links))
	}
	one(t, root, `.passages a[href="`+recordPath(n)+`/read?chapter=1&q=white+whale"]`)
	if got := text(all(t, root, ".passages mark")[0]); got != "white" && got != "white whale" {
		t.Errorf("marked %q", got)
	}
	one(t, root, `.tabs a[href="/search?q=whale+white"]`)
	l.page("/search?in=text&q=whale&after=x", 400)
	l.page("/search?in=text&q=whale&after="+strings.Repeat("x", 600), 400)

	root = l.page(recordPath(n), 200)
	one(t, root, `form.inside[action="`+recordPath(n)+`/search"] input[name=q]`)
	none(t, l.page(recordPath(shut), 200), "form.inside")
	root = l.page(recordPath(n)+"/search?q=whale", 200)
	holds(t, text(one(t, root, ".passages")), "Chapter 1", "Chapter 2")
	none(t, l.page(recordPath(n)+"/search?q=nothing", 200), ".passages")
	l.page(recordPath(shut)+"/search?q=whale", 403)
	l.page("/records/999/search?q=whale", 404)

	// The door is asked when somebody comes, whatever the view says.
	l.append(record.Entry{Type: record.TypeWithdrawal, Of: &n, Ground: "x", Critical: true, Territories: []string{"FR"}})
	l.page(recordPath(n)+"/search?q=whale", 451)
	holds(t, text(one(t, l.page("/search?in=text&q=whale", 200), ".passages")), "German")
	place := newLibrary(t, func(c *Config) { c.Place = func(*http.Request) string { return "FR" } })
	g := place.add(record.Record{Title: "German"}, &record.Rights{Basis: record.PublicDomain, Access: record.Open, Territories: []string{"DE"}}, place.novel("x"))
	none(t, place.page("/search?in=text&q=whale", 200), ".passages")
	place.page(recordPath(g)+"/search?q=whale", 403)
	_ = german

	// Without such a view, none of it is offered.
	bare := newLibrary(t, func(c *Config) { c.FullText = nil })
	m := bare.add(record.Record{Title: "whale"}, openRights(), bare.novel("x"))
	none(t, bare.page("/search?q=whale&in=text", 200), ".tabs, .intexts")
	none(t, bare.page(recordPath(m), 200), "form.inside")
	bare.page(recordPath(m)+"/search?q=whale", 404)
}

// behindTexts is texts that are still being read in.
type behindTexts struct {
	FullText
	none bool // nothing was found so far
	err  error
}

func (b *behindTexts) Search(ctx context.Context, q fulltext.Query) (*fulltext.Result, error) {
	res, err := b.FullText.Search(ctx, q)
	if err != nil || b.err != nil {
		return nil, errors.Join(err, b.err)
	}
	if res.Complete = false; b.none {
		res.Hits, res.Total = nil, 0
	}
	return res, nil
}

func (b *behindTexts) Progress() (done, of int64) { return 3, 8 }

// TestTextsBehind: while texts are read in, each page on which they are searched says so.
func TestTextsBehind(t *testing.T) {
	b := &behindTexts{}
	l := newLibrary(t, func(c *Config) { b.FullText, c.FullText = c.FullText, b })
	n := l.add(record.Record{Title: "whale"}, openRights(), l.novel("x"))
	for _, path := range []string{"/search?q=whale", "/search?in=text&q=whale", recordPath(n) + "/search?q=whale"} {
		b.none, b.err = true, nil
		root := l.page(path, 200)
		none(t, root, ".passages")
		holds(t, text(one(t, root, ".behind")), "Nothing found in the texts so far", "37%")
		holds(t, text(one(t, l.page(path, 200, "Accept-Language", "zh"), ".behind")), "暂未找到", "37%")
		b.none = false
		root = l.page(path, 200)
		one(t, root, ".passages")
		holds(t, text(one(t, root, ".behind")), "still being read in (37% so far)")
		b.err = errs.New(errs.Unavailable, "of another format")
		holds(t, text(one(t, l.page(path, 200), ".behind")), "cannot be searched at the moment")
	}
	b.err = nil
	none(t, l.page("/search?q=whale&lang=en", 200), ".behind") // the texts are not searched
	none(t, l.page("/search?in=text", 200), ".behind")
}

func TestRounded(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 7: 7, 99: 99, 100: 100, 104: 100, 106: 110, 12345: 12000, 996_000: 1_000_000} {
		if got := rounded(n); got != want {
			t.Errorf("%d: %d", n, got)
		}
	}
}

func TestYearRanges(t *testing.T) {
	list := func(years ...int) (out []index.FacetCount) {
		for _, y := range years {
			out = append(out, index.FacetCount{Value: number(int64(y)), N: 1})
		}
		return out
	}
	for _, c := range []struct {
		in   []index.FacetCount
		want string
	}{
		{nil, ""},
		{list(1999, 1813, 0, -200), "1999:1 1813:1 -200..-200:1"},
		{list(2001, 2000, 1999, 1998, 1997, 1996, 1995, 1994, 1993, 1992, 1991, 1990, 1989), "2000-2009:2 1990-1999:10 1980-1989:1"},
		{list(2020, 2010, 2000, 1990, 1980, 1970, 1960, 1950, 1940, 1930, 1920, 1910, 1900, 1890, 1880, 1799, 1701, 5),
			"2020-2029:1 2010-2019:1 2000-2009:1 1990-1999:1 1980-1989:1 1970-1979:1 1960-1969:1 1950-1959:1 1940-1949:1 1930-1939:1 1920-1929:1 1910-1919:1 1900-1909:1 1800-1899:2 1700-1799:2 1-99:1"},
		{list(2020, 2010, 2000, 1990, 1980, 1970, 1960, 1950, 1940, 1930, 1920, 1910, 5, -1, -100, -101, -301, -400, -500),
			"2020-2029:1 2010-2019:1 2000-2009:1 1990-1999:1 1980-1989:1 1970-1979:1 1960-1969:1 1950-1959:1 1940-1949:1 1930-1939:1 1920-1929:1 1910-1919:1 1-99:1 -100..-1:2 -200..-101:1 -400..-301:2 -500..-401:1"},
	} {
		var got []string
		for _, r := range yearRanges(c.in) {
			got = append(got, r.value()+":"+number(r.n))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%v", s)
		}
	}
}

func TestMark(t *testing.T) {
	for _, c := range []struct {
		text  string
		spans []index.Span
		want  string
	}{
		{"a <b> c", []index.Span{{Start: 2, End: 5}}, "a <mark>&lt;b&gt;</mark> c"},
		{"紅樓夢", []index.Span{{Start: 0, End: 3}, {Start: 6, End: 9}}, "<mark>紅</mark>樓<mark>夢</mark>"},
		{"紅樓夢", []index.Span{{Start: 1, End: 3}, {Start: 3, End: 99}, {Start: 5, End: 2}, {Start: -1, End: 2}}, "紅樓夢"},
		{"abcd", []index.Span{{Start: 0, End: 3}, {Start: 1, End: 4}}, "<mark>abc</mark>d"},
	} {
		if got := string(mark(c.text, c.spans)); got != c.want {
			t.Errorf("%q %v: %q, want %q", c.text, c.spans, got, c.want)
		}
	}
}

func FuzzMark(f *testing.F) {
	f.Add("紅樓夢 <script>", 0, 3, 5, 9)
	f.Fuzz(func(t *testing.T, s string, a, b, c, d int) {
		spans := []index.Span{{Start: a, End: b}, {Start: c, End: d}}
		for _, out := range []string{string(mark(s, spans)), string(snippet(s, spans))} {
			plain := strings.NewReplacer("<mark>", "", "</mark>", "").Replace(out)
			if strings.ContainsAny(plain, "<>") {
				t.Fatalf("%q holds a tag", out)
			}
		}
	})
}

func TestLanguageSwitch(t *testing.T) {
	l := newLibrary(t)
	res := l.get("GET", "/search?q=a%26b&lang=fr&ui=zh-Hans")
	holds(t, res.Header.Get("Set-Cookie"), "wenlan_ui=zh-Hans", "HttpOnly", "SameSite=Lax")
	holds(t, res.Header.Get("Vary"), "Accept-Language", "Cookie")
	root := l.page("/search?q=a%26b&lang=fr", 200, "Cookie", "wenlan_ui=zh-Hans")
	if got := attr(one(t, root, "html"), "lang"); got != "zh-Hans" {
		t.Errorf("lang %q", got)
	}
	if got := attr(one(t, root, ".tongues a[lang=en]"), "href"); got != "/search?lang=fr&q=a%26b&ui=en" {
		t.Errorf("switch to %q", got)
	}
	if got := l.get("GET", "/?ui=xx").Header.Get("Set-Cookie"); got != "" {
		t.Errorf("a cookie for no language: %q", got)
	}
}

func TestProofPage(t *testing.T) {
	l := newLibrary(t)
	n := l.add(record.Record{Title: "One"}, openRights())
	for i := range 20 {
		l.add(record.Record{Title: "More " + number(int64(i))}, nil)
	}
	root := l.page(recordPath(n)+"/proof", 200)
	holds(t, text(one(t, root, "main")), "Verified", "Signed by the origin’s key", "Entry 1 of the register")
	if len(all(t, root, ".hashes li")) < 4 {
		t.Error("too few hashes for 22 entries")
	}
	one(t, root, `a[href="/register/tile/entries/000.p/22"]`)

	// A checkpoint of another key, and a register whose hashes lead elsewhere.
	other := newLibrary(t)
	mixed := newLibrary(t, func(c *Config) { c.Register, c.Catalog, c.Verifier = l.register, l.catalog, other.verifier })
	holds(t, text(one(t, mixed.page(recordPath(n)+"/proof", 200), ".verdict")), "signature is not the origin’s")
	false_ := newLibrary(t, func(c *Config) { c.Register, c.Catalog, c.Verifier = lying{l.register}, l.catalog, l.verifier })
	holds(t, text(one(t, false_.page(recordPath(n)+"/proof", 200), ".verdict")), "Not verified")
}

func TestBundlePath(t *testing.T) {
	for _, c := range []struct {
		entry, size int64
		want        string
	}{
		{0, 1, "/register/tile/entries/000.p/1"}, {255, 256, "/register/tile/entries/000"}, {256, 300, "/register/tile/entries/001.p/44"},
		{256 * 1234067, 256 * 1234068, "/register/tile/entries/x001/x234/067"}, {5, 5, ""},
	} {
		if got := bundlePath(c.entry, c.size); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.entry, c.size, got, c.want)
		}
	}
}

func TestBrowse(t *testing.T) {
	l := newLibrary(t)
	for i := range newLimit + 5 {
		l.add(record.Record{Title: "Book " + number(int64(i)), Kind: record.Book, Languages: []string{"de"}, Issued: number(int64(1790 + i))}, openRights())
	}
	root := l.page("/browse", 200)
	holds(t, text(one(t, root, "main")), "German "+number(newLimit+5), "Book "+number(newLimit+5), "1700 to 1799 10")
	first := l.page("/browse/new", 200)
	if got := len(all(t, first, ".shelf > li")); got != newLimit {
		t.Errorf("%d records", got)
	}
	holds(t, text(all(t, first, ".shelf > li")[0]), "Book "+number(newLimit+4))
	rest := l.page(attr(one(t, first, "a[rel=next]"), "href"), 200)
	if got := len(all(t, rest, ".shelf > li")); got != 5 {
		t.Errorf("%d records on the second page", got)
	}
	none(t, rest, "a[rel=next]")
}

func TestAbout(t *testing.T) {
	l := newLibrary(t)
	root := l.page("/about", 200)
	holds(t, text(one(t, root, "main")), strings.Repeat("ab", 32), "a-reader 1.0 MIT", "Permission is hereby granted <free>")
	if got := attr(all(t, root, "main a")[0], "href"); got != "mailto:notices@library.example" {
		t.Errorf("contact %q", got)
	}
	web := newLibrary(t, func(c *Config) { c.Contact = "https://library.example/notices" })
	one(t, web.page("/about", 200), `.notices a[href="https://library.example/notices"]`)
	odd := newLibrary(t, func(c *Config) { c.Contact = "javascript:alert(1)" })
	none(t, odd.page("/about", 200), ".notices a")
	silent := newLibrary(t, func(c *Config) { c.Contact = "" })
	holds(t, text(one(t, silent.page("/", 200), ".notices")), "has not said")
}

// TestFailures shows nothing of the cause and logs it.
func TestFailures(t *testing.T) {
	l := newLibrary(t, func(c *Config) { c.Index = failing{errors.New("disk on fire at /secret")} })
	root := l.page("/search?q=x", 500)
	holds(t, text(root), "Something went wrong")
	if strings.Contains(text(root), "secret") {
		t.Error("the cause is shown")
	}
	holds(t, l.log.String(), "disk on fire")
	gone := newLibrary(t, func(c *Config) { c.Index = failing{context.Canceled} })
	r, _ := http.NewRequestWithContext(canceled(), "GET", "/search", nil)
	w := &recorder{header: http.Header{}}
	gone.mux.ServeHTTP(w, r)
	if w.status != 0 || gone.log.String() != "" {
		t.Errorf("a reader who left: status %d, log %s", w.status, gone.log)
	}
}

func TestPolicyOfOddHosts(t *testing.T) {
	s := &Site{static: &static{folder: "/static/x/"}}
	for host, want := range map[string]string{
		"library.example": "script-src library.example/static/x/;", "127.0.0.1:8080": "script-src 127.0.0.1:8080/static/x/;",
		"[::1]:8080": "script-src 'self';", "a; script-src *": "script-src 'self';", "": "script-src 'self';",
	} {
		r, _ := http.NewRequest("GET", "/", nil)
		r.Host = host
		holds(t, s.policy(r), want)
		if strings.Contains(s.policy(r), "*") {
			t.Errorf("%q changes the policy", host)
		}
	}
}

func TestStatic(t *testing.T) {
	l := newLibrary(t)
	for _, encoding := range []string{"", "gzip"} {
		res := l.get("GET", l.site.static.folder+"site.css", "Accept-Encoding", encoding)
		if res.StatusCode != 200 || res.Header.Get("Content-Encoding") != encoding || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%q: %d %v", encoding, res.StatusCode, res.Header)
		}
	}
	if res := l.get("GET", "/robots.txt"); res.StatusCode != 200 {
		t.Errorf("robots.txt: %d", res.StatusCode)
	}
}

func TestCitations(t *testing.T) {
	l := newLibrary(t)
	book := l.add(manuscript(), openRights())
	paper := l.add(record.Record{Title: "On {braces} & 100% of x_1", Kind: record.Article, Issued: "2020-05", Languages: []string{"en"},
		Creators:  []record.Creator{{Name: "Ana Lima"}, {Name: "B"}, {Name: "C"}, {Name: "D"}, {Name: "E", Role: "edt"}, {Name: "F", Role: "trl"}},
		Container: &record.Container{Title: "Journal of Things", Volume: "3", Issue: "4", Pages: "5–9", ISSN: "1234-5679"}, IDs: []record.ID{{Scheme: "doi", Value: "10.1/x"}}}, nil)
	hong := l.add(record.Record{Title: "紅樓夢", Creators: []record.Creator{{Name: "曹雪芹"}}, Languages: []string{"zh-Hant"}, Kind: record.Book, Issued: "1791"}, openRights())
	var out strings.Builder
	for _, n := range []int64{book, paper, hong} {
		for _, lang := range []string{"en", "zh-Hans"} {
			out.WriteString(text(one(t, l.page(recordPath(n)+"?ui="+lang, 200), ".citation")) + "\n")
		}
		for _, f := range citationFormats {
			res := l.get("GET", recordPath(n)+"/citation/"+f.name)
			b, _ := io.ReadAll(res.Body)
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != f.mediaType {
				t.Errorf("%s: %d %v", f.name, res.StatusCode, res.Header)
			}
			out.WriteString(strings.ReplaceAll(string(b), "\r\n", "\n"))
		}
		out.WriteString("\n")
	}
	golden(t, "citations.txt", out.String())
}

// golden compares with a file of testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if got != string(want) {
		t.Errorf("%s differs; see it with -update and git diff\n%s", path, got)
	}
}
