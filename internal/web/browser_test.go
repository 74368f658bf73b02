package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"wenlan/internal/browsertest"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
	"wenlan/internal/web/reader"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestInBrowser opens every page in a real browser, by day and by night, on a
// desk and on a phone, in both languages: axe-core finds nothing that keeps
// people out, nothing is wider than the window, nothing breaks the page's own
// policy, and no request goes to another host.
func TestInBrowser(t *testing.T) {
	l := newLibrary(t, func(c *Config) { c.URL = "" })
	paths := pages(l)
	srv := httptest.NewServer(l.mux)
	defer srv.Close()
	for _, c := range []struct {
		name    string
		options browsertest.Options
	}{
		{"desk-en-light", browsertest.Options{Language: "en"}},
		{"phone-zh-dark", browsertest.Options{Language: "zh-CN", Dark: true, Phone: true}},
		{"narrow-en-dark", browsertest.Options{Language: "en", Dark: true, Width: 320, Height: 640}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, _ := browsertest.Open(t, c.options)
			seen := browsertest.Watch(t, ctx)
			for i, path := range paths {
				browsertest.Do(t, ctx, chromedp.Navigate(srv.URL+path))
				t.Run(strings.Trim(strings.ReplaceAll(path, "/", "_"), "_"), func(t *testing.T) {
					if wide := browsertest.Eval[int](t, ctx, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
						t.Errorf("%s is %d pixels too wide: %s", path, wide, browsertest.Eval[string](t, ctx,
							`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).slice(0, 4).map(e => e.outerHTML.slice(0, 90)).join("\n")`))
					}
					browsertest.Shot(t, ctx, c.name+"-"+strconv.Itoa(i))
					browsertest.Axe(t, ctx)
				})
			}
			if foreign := seen.Foreign(srv.URL); len(foreign) > 0 {
				t.Errorf("asked elsewhere: %v", foreign)
			}
			for _, line := range seen.Console() {
				// A page that is 404, 410 or 451 is one of the pages here.
				if !strings.Contains(line, "the server responded with a status of") {
					t.Errorf("the browser says: %s", line)
				}
			}
		})
	}
}

// TestScripts uses the two small comforts.
func TestScripts(t *testing.T) {
	l := newLibrary(t, func(c *Config) { c.URL = "" })
	srv := httptest.NewServer(l.mux)
	defer srv.Close()
	ctx, _ := browsertest.Open(t, browsertest.Options{})
	browsertest.Do(t, ctx, chromedp.Navigate(srv.URL+"/"))
	paper := func() string {
		return browsertest.Eval[string](t, ctx, "getComputedStyle(document.documentElement).backgroundColor")
	}
	light := paper()
	click := "document.querySelector('[data-theme-switch]').click()"
	browsertest.Eval[any](t, ctx, click+"; "+click) // as the system, light, dark
	dark := paper()
	if light == dark {
		t.Errorf("the switch does nothing: %s", light)
	}
	browsertest.Do(t, ctx, chromedp.Navigate(srv.URL+"/help"))
	if got := paper(); got != dark {
		t.Errorf("the next page is %s, not %s", got, dark)
	}
	browsertest.Eval[bool](t, ctx, `document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true}))`)
	if got := browsertest.Eval[string](t, ctx, "document.activeElement.name || ''"); got != "q" {
		t.Errorf("the key / goes to %q", got)
	}
}

// TestSuggest types into the box, and chooses by key and by touch.
func TestSuggest(t *testing.T) {
	l := newLibrary(t, func(c *Config) { c.URL = "" })
	l.mux.HandleFunc("GET /api/v1/suggest", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"suggestions":[{"text":"Prime <b>numbers</b>","kind":"title","record":1},{"text":"Pride and Prejudice","kind":"title","record":2},`+
			`{"text":"Proust, Marcel & Co.","kind":"creator","record":0},{"text":"Prisons","kind":"subject","record":0}]}`)
	})
	srv := httptest.NewServer(l.mux)
	defer srv.Close()
	for _, c := range []struct {
		name    string
		options browsertest.Options
		page    string
	}{
		{"desk-en-light", browsertest.Options{Language: "en"}, "/help"},
		{"phone-zh-dark", browsertest.Options{Language: "zh-CN", Dark: true, Phone: true}, "/"},
		{"narrow-en-light", browsertest.Options{Language: "en", Width: 320, Height: 640}, "/search"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, _ := browsertest.Open(t, c.options)
			seen := browsertest.Watch(t, ctx)
			open := func() {
				t.Helper()
				browsertest.Do(t, ctx, chromedp.Navigate(srv.URL+c.page), chromedp.SendKeys("[data-suggest]", "pr"))
				browsertest.Wait(t, ctx, `document.querySelectorAll(".suggest:not([hidden]) [role=option]").length === 4`)
			}
			open()
			browsertest.Shot(t, ctx, "suggest-"+c.name)
			browsertest.Axe(t, ctx)
			if wide := browsertest.Eval[int](t, ctx, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
				t.Errorf("%d pixels too wide", wide)
			}
			browsertest.Do(t, ctx, chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowDown))
			if got := browsertest.Eval[string](t, ctx, `document.getElementById(document.querySelector("[data-suggest]").getAttribute("aria-activedescendant")).textContent`); got != "Pride and Prejudice" {
				t.Errorf("the second is %q", got)
			}
			browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
			browsertest.Wait(t, ctx, `location.pathname + location.search === "/search?q=Pride+and+Prejudice"`)
			open()
			browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Escape))
			browsertest.Wait(t, ctx, `document.querySelector(".suggest").hidden && document.querySelector("[data-suggest]").value === "pr"`)
			open()
			browsertest.Eval[any](t, ctx, `document.querySelectorAll(".suggest [role=option]")[2].click()`)
			browsertest.Wait(t, ctx, `location.pathname + location.search === "/search?creator=Proust%2C+Marcel+%26+Co."`)
			if thrown := seen.Errors(); len(thrown) > 0 {
				t.Errorf("errors in the page: %v", thrown)
			}
		})
	}
}

// TestFromSearchToWords searches a phrase of a real book, opens the hit, and sees
// the reader show the words; from the search page and from within the book.
func TestFromSearchToWords(t *testing.T) {
	books := filepath.Join(testdata.Dir(t), "books")
	l := newLibrary(t, func(c *Config) { c.URL = "" })
	rd, err := reader.New(reader.Config{Catalog: l.catalog, Blobs: l.blobs, Now: func() time.Time { return now }, Language: l.site.Language, Error: l.site.Error})
	must(t, err)
	rd.Routes(l.mux)
	if !reader.Built() {
		if os.Getenv("CI") == "true" {
			t.Fatal("the reader is not built: run make assets")
		}
		t.Skip("the reader is not built: run make assets")
	}
	add := func(title, lang, name string) int64 {
		data, err := os.ReadFile(filepath.Join(books, name))
		must(t, err)
		return l.add(record.Record{Title: title, Languages: []string{lang}, Kind: record.Book}, openRights(), l.store(filepath.Base(name), "application/epub+zip", record.RoleText, data))
	}
	pride := add("Pride and Prejudice", "en", "en/jane-austen_pride-and-prejudice.epub")
	red := add("紅樓夢", "zh-Hant", "zh/紅樓夢.epub")
	srv := httptest.NewServer(l.mux)
	defer srv.Close()
	const shown = `document.querySelector('foliate-view')?.lastLocation?.range?.toString().replace(/\s+/g, ' ') ?? ''`
	for _, c := range []struct {
		name, phrase, words string
		number              int64
		options             browsertest.Options
	}{
		{"desk-en-light", `"handsome enough to tempt me"`, "handsome enough to tempt me", pride, browsertest.Options{Language: "en"}},
		{"phone-zh-dark", "假作真时真亦假", "假作真時真亦假", red, browsertest.Options{Language: "zh-CN", Dark: true, Phone: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, _ := browsertest.Open(t, c.options)
			seen := browsertest.Watch(t, ctx)
			arrive := func() {
				t.Helper()
				browsertest.Wait(t, ctx, `location.pathname.endsWith('/read') && document.body.dataset.ready === 'true'`)
				browsertest.Wait(t, ctx, shown+`.includes(`+strconv.Quote(c.words)+`)`)
			}
			browsertest.Do(t, ctx, chromedp.Navigate(srv.URL+"/search"), chromedp.SendKeys("#q", c.phrase+"\r"))
			browsertest.Wait(t, ctx, `document.querySelector('.intexts .passages mark')`)
			browsertest.Shot(t, ctx, "texts-"+c.name)
			browsertest.Axe(t, ctx)
			browsertest.Eval[any](t, ctx, `document.querySelector('.intexts .passages h3 a').click()`)
			arrive()
			browsertest.Shot(t, ctx, "arrived-"+c.name)
			browsertest.Do(t, ctx, chromedp.Navigate(srv.URL+recordPath(c.number)), chromedp.SendKeys("#inside", c.phrase+"\r"))
			browsertest.Wait(t, ctx, `location.pathname.endsWith('/search') && document.querySelector('.passages mark')`)
			browsertest.Shot(t, ctx, "inside-"+c.name)
			browsertest.Axe(t, ctx)
			browsertest.Eval[any](t, ctx, `document.querySelector('.passages h3 a').click()`)
			arrive()
			if foreign := seen.Foreign(srv.URL); len(foreign) > 0 {
				t.Errorf("asked elsewhere: %v", foreign)
			}
			if thrown := seen.Errors(); len(thrown) > 0 {
				t.Errorf("errors in the page: %v", thrown)
			}
		})
	}
}
