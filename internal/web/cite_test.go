package web

import (
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"wenlan/internal/browsertest"
	"wenlan/internal/citation"
	"wenlan/internal/record"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// needCitations skips where the citation processor is not built, and fails there in CI.
func needCitations(t *testing.T) {
	t.Helper()
	if !citation.Built() {
		if os.Getenv("CI") == "true" {
			t.Fatal("the citation processor is not built: make assets")
		}
		t.Skip("the citation processor is not built: make assets")
	}
}

// TestReferences shows records in every style, and says so where it cannot.
func TestReferences(t *testing.T) {
	needCitations(t)
	l := newLibrary(t)
	numbers := []int64{
		l.add(manuscript(), openRights()),
		l.add(record.Record{Title: "On <i>things</i> & 100% of x", Kind: record.Article, Issued: "2020-05", Languages: []string{"en"},
			Creators:  []record.Creator{{Name: "Ana Lima", AltNames: []string{"Lima, Ana"}}, {Name: "The Committee"}, {Name: "Eva Ek", AltNames: []string{"Ek, Eva"}, Role: "edt"}},
			Container: &record.Container{Title: "Journal of Things", Volume: "3", Issue: "4", Pages: "5-9", ISSN: "1234-5679"}, IDs: []record.ID{{Scheme: "doi", Value: "10.1/x"}}}, nil),
		l.add(record.Record{Title: "紅樓夢", Creators: []record.Creator{{Name: "曹雪芹", Role: "aut"}}, Languages: []string{"zh-Hant"}, Kind: record.Book, Issued: "1791", Publisher: "萃文書屋", Place: "北京"}, openRights()),
	}
	var out strings.Builder
	for _, n := range numbers {
		root := l.page(citePath(n), 200)
		for i, section := range all(t, root, ".reference") {
			out.WriteString(citation.Styles[i].Name + ": " + text(one(t, section, ".citation")) + "\n")
			if one(t, section, "[data-copy]") == nil {
				t.Error("no button")
			}
		}
		if link := one(t, l.page(recordPath(n), 200), "[data-references]"); attr(link, "href") != citePath(n) {
			t.Errorf("the record does not lead to %s", citePath(n))
		}
		out.WriteString("\n")
	}
	golden(t, "references.txt", out.String())
	l.page("/records/999/cite", 404)
	// Crawlers stay away: it takes long.
	if res := l.get("GET", citePath(numbers[0])); res.Header.Get("X-Robots-Tag") != "noindex, nofollow" {
		t.Errorf("headers %v", res.Header)
	}
	one(t, l.page(recordPath(numbers[0]), 200), "[data-references][rel=nofollow]")
	body, _ := io.ReadAll(l.get("GET", "/robots.txt").Body)
	holds(t, string(body), "Disallow: /records/*/cite\n")
}

// TestReferencesInPlace fetches the references into the page of a record, and copies one.
func TestReferencesInPlace(t *testing.T) {
	needCitations(t)
	l := newLibrary(t, func(c *Config) { c.URL = "" })
	n := l.add(manuscript(), openRights())
	srv := httptest.NewServer(l.mux)
	defer srv.Close()
	ctx, _ := browsertest.Open(t, browsertest.Options{Language: "en"})
	seen := browsertest.Watch(t, ctx)
	for _, name := range []string{"clipboard-write", "clipboard-read"} {
		browsertest.Do(t, ctx, browsertest.Call(browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted}))
	}
	browsertest.Do(t, ctx, chromedp.Navigate(srv.URL+recordPath(n)), chromedp.Click("[data-references]"))
	browsertest.Wait(t, ctx, `document.querySelectorAll(".reference").length === 4 && document.querySelector(".reference h3")?.textContent === "APA"`)
	browsertest.Do(t, ctx, chromedp.Click(".reference:nth-child(3) [data-copy]"))
	browsertest.Wait(t, ctx, `document.querySelector(".reference:nth-child(3) [data-copy]").textContent === "Copied"`)
	if got := browsertest.Eval[string](t, ctx, `navigator.clipboard.readText()`); !strings.HasPrefix(got, "AUSTEN J.") {
		t.Errorf("copied %q", got)
	}
	browsertest.Axe(t, ctx)
	if lines := seen.Console(); len(lines) > 0 {
		t.Errorf("the browser says: %q", lines)
	}
}
