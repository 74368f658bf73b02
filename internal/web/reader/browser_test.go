package reader

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	bt "wenlan/internal/browsertest"
	"wenlan/internal/format"
	"wenlan/internal/testdata"
)

// Scripts of the tests, run in the page: the frames of a book are behind a closed
// shadow root, and are reached through the view.
const (
	view     = `document.querySelector('foliate-view')`
	isReady  = `document.body.dataset.ready === 'true'`
	contents = view + `.renderer.getContents()`
	text     = `(` + contents + `.map(c => c.doc.body?.textContent ?? '').join(' '))`
	place    = `JSON.stringify([` + view + `.lastLocation.section.current, ` + view + `.renderer.page])`
)

// open starts a browser on a book and waits until it is shown.
func open(t *testing.T, base string, n int64, o bt.Options) (context.Context, *bt.Requests) {
	t.Helper()
	needBuilt(t)
	ctx, _ := bt.Open(t, o)
	requests := bt.Watch(t, ctx)
	bt.Do(t, ctx, chromedp.Navigate(base+at(n, "/read")))
	bt.Wait(t, ctx, `document.body.dataset.ready`)
	if got := bt.Eval[string](t, ctx, `document.body.dataset.ready`); got != "true" {
		t.Fatalf("the book did not open: %q %q", requests.Console(), requests.Errors())
	}
	t.Logf("opened in %d ms, with %d kB of the book and %d kB of our own",
		bt.Eval[int](t, ctx, `Number(document.body.dataset.opened)`),
		bt.Eval[int](t, ctx, `Math.round(performance.getEntriesByType('resource').filter(e => e.name.includes('/book/')).reduce((n, e) => n + e.transferSize, 0) / 1024)`),
		bt.Eval[int](t, ctx, `Math.round(performance.getEntriesByType('resource').filter(e => e.name.includes('/reader-assets/')).reduce((n, e) => n + e.transferSize, 0) / 1024)`))
	return ctx, requests
}

// quiet holds that nothing went wrong in the page's scripts, and nothing left.
func quiet(t *testing.T, base string, rs *bt.Requests) {
	t.Helper()
	if got := rs.Errors(); len(got) > 0 {
		t.Errorf("errors in the page: %q", got)
	}
	if got := rs.Foreign(base); len(got) > 0 {
		t.Errorf("requests to others: %q", got)
	}
	for _, said := range rs.Console() {
		if strings.HasPrefix(said, "error") {
			t.Errorf("console: %s", said)
		}
	}
}

func data(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata.Dir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const epubType = "application/epub+zip"

func TestReadChinese(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	n := l.add("紅樓夢.epub", epubType, "紅樓夢", "zh-Hant", data(t, "books/zh/紅樓夢.epub"))
	srv := l.serve(t)
	ctx, rs := open(t, srv.URL, n, bt.Options{Phone: true, Language: "zh-CN"})
	if got := bt.Eval[string](t, ctx, `document.documentElement.lang + document.getElementById('open-contents').title`); got != "zh-Hans目录" {
		t.Errorf("the page speaks %q", got)
	}
	bt.Shot(t, ctx, "zh-phone-first")

	// contents
	bt.Do(t, ctx, chromedp.Click("#open-contents"))
	bt.Wait(t, ctx, `document.getElementById('contents').open`)
	bt.Shot(t, ctx, "zh-phone-contents")
	bt.Axe(t, ctx)
	label := bt.Eval[string](t, ctx, `[...document.querySelectorAll('#contents-list button')].find(b => b.textContent.includes('第三回')).textContent`)
	bt.Eval[int](t, ctx, `([...document.querySelectorAll('#contents-list button')].find(b => b.textContent.includes('第三回')).click(), 1)`)
	bt.Wait(t, ctx, `!document.getElementById('contents').open && `+text+`.includes('黛玉')`)
	bt.Wait(t, ctx, `document.getElementById('where').textContent.includes('第三回')`)
	if !strings.Contains(label, "第三回") {
		t.Errorf("label %q", label)
	}

	// a tap at the right turns the page, one at the left turns back
	before := bt.Eval[string](t, ctx, place)
	bt.Do(t, ctx, chromedp.MouseClickXY(370, 420))
	bt.Wait(t, ctx, place+` !== `+quote(before))
	bt.Do(t, ctx, chromedp.Sleep(300_000_000), chromedp.MouseClickXY(20, 420))
	bt.Wait(t, ctx, place+` === `+quote(before))
	bt.Do(t, ctx, chromedp.Sleep(300_000_000), chromedp.TapXY(370, 420))
	bt.Wait(t, ctx, place+` !== `+quote(before))
	bt.Shot(t, ctx, "zh-phone-page")

	// where one was is kept
	kept := bt.Eval[string](t, ctx, view+`.lastLocation.cfi`)
	bt.Do(t, ctx, chromedp.Reload())
	bt.Wait(t, ctx, isReady)
	if got := bt.Eval[string](t, ctx, view+`.lastLocation.cfi`); got != kept {
		t.Errorf("reopened at %s, not %s", got, kept)
	}

	// search
	bt.Do(t, ctx, chromedp.Click("#open-search"), chromedp.SendKeys("#query", "劉姥姥"), chromedp.Click("#search-go"))
	bt.Wait(t, ctx, `document.querySelectorAll('#results mark').length > 20`)
	bt.Shot(t, ctx, "zh-phone-search")
	bt.Eval[int](t, ctx, `(document.querySelectorAll('#results button')[2].click(), 1)`)
	bt.Wait(t, ctx, `!document.getElementById('search').open && `+text+`.includes('劉姥姥')`)
	quiet(t, srv.URL, rs)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `\'`) + "'" }

func TestReadEnglish(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	n := l.add("p.epub", epubType, "Pride and Prejudice", "en", data(t, "books/en/jane-austen_pride-and-prejudice.epub"))
	srv := l.serve(t)
	ctx, rs := open(t, srv.URL, n, bt.Options{})
	bt.Shot(t, ctx, "en-desktop-first")
	bt.Axe(t, ctx)

	// the keyboard alone: contents, into the fifth chapter, on by keys
	bt.Do(t, ctx, chromedp.KeyEvent("t"))
	bt.Wait(t, ctx, `document.getElementById('contents').open`)
	bt.Do(t, ctx, chromedp.KeyEvent(kb.Escape))
	bt.Wait(t, ctx, `!document.getElementById('contents').open`)
	bt.Eval[int](t, ctx, `([...document.querySelectorAll('#contents-list button')].find(b => /^(chapter )?V$/i.test(b.textContent)).click(), 1)`)
	bt.Wait(t, ctx, text+`.includes('Sir William Lucas')`)
	for _, key := range []string{kb.ArrowRight, kb.PageDown, " "} {
		before := bt.Eval[string](t, ctx, place)
		bt.Do(t, ctx, chromedp.Sleep(300_000_000), chromedp.KeyEvent(key))
		bt.Wait(t, ctx, place+` !== `+quote(before))
	}
	before := bt.Eval[string](t, ctx, place)
	bt.Do(t, ctx, chromedp.Sleep(300_000_000), chromedp.KeyEvent(kb.ArrowLeft))
	bt.Wait(t, ctx, place+` !== `+quote(before))
	bt.Do(t, ctx, chromedp.Sleep(500_000_000))
	bt.Shot(t, ctx, "en-desktop-page")

	// the size of the type
	size := `parseFloat(getComputedStyle(` + contents + `[0].doc.querySelector('p')).fontSize)`
	small := bt.Eval[float64](t, ctx, size)
	bt.Do(t, ctx, chromedp.Click("#open-settings"))
	bt.Wait(t, ctx, `document.getElementById('settings').open`)
	bt.Shot(t, ctx, "en-desktop-settings")
	bt.Axe(t, ctx)
	bt.Do(t, ctx, chromedp.Click("#larger"), chromedp.Click("#larger"))
	bt.Wait(t, ctx, size+` > `+"1.15*"+fmtFloat(small))

	// night, and sepia
	bt.Eval[int](t, ctx, `(document.querySelector('input[name=theme][value=dark]').click(), 1)`)
	bt.Wait(t, ctx, `getComputedStyle(`+contents+`[0].doc.querySelector('p')).color === 'rgb(213, 205, 191)'`)
	bt.Axe(t, ctx)
	bt.Do(t, ctx, chromedp.Click("#settings .close"))
	bt.Shot(t, ctx, "en-desktop-dark")
	bt.Axe(t, ctx)
	bt.Eval[int](t, ctx, `(document.querySelector('input[name=theme][value=sepia]').click(), 1)`)
	bt.Wait(t, ctx, `getComputedStyle(`+contents+`[0].doc.querySelector('p')).color === 'rgb(59, 47, 32)'`)
	bt.Shot(t, ctx, "en-desktop-sepia")
	bt.Axe(t, ctx)

	// one long scroll
	bt.Eval[int](t, ctx, `(document.querySelector('input[name=flow][value=scrolled]').click(), 1)`)
	bt.Wait(t, ctx, view+`.renderer.getAttribute('flow') === 'scrolled'`)
	bt.Shot(t, ctx, "en-desktop-scrolled")

	bt.Do(t, ctx, chromedp.KeyEvent("/"))
	bt.Wait(t, ctx, `document.getElementById('search').open`)
	bt.Do(t, ctx, chromedp.SendKeys("#query", "universally acknowledged\r"))
	bt.Wait(t, ctx, `document.querySelector('#results mark')?.textContent.toLowerCase() === 'universally acknowledged'`)
	bt.Wait(t, ctx, `!document.getElementById('search-state').textContent.includes('…')`)
	bt.Shot(t, ctx, "en-desktop-search")
	bt.Axe(t, ctx)
	quiet(t, srv.URL, rs)
}

// The samples that show what EPUB can: each opens, and its text or picture is there.
func TestReadSamples(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file, shown string
		check       string // must hold in the page, at some turn of the page
	}{
		{"regime-anticancer-arabic", "ar", view + `.book.dir === 'rtl' && ` + text + `.length > 500`},
		{"israelsailing", "he", view + `.book.dir === 'rtl' && ` + text + `.length > 500`},
		{"cole-voyage-of-life", "en", contents + `.some(c => c.doc.querySelector('img')?.naturalWidth > 0)`},
		{"svg-in-spine", "en", contents + `.some(c => c.doc.querySelector('img[src^=blob]')?.naturalWidth > 0)`},
		{"georgia-cfi", "en", text + `.includes('Georgia')`},
		{"hefty-water", "en", text + `.length > 20`},
		{"childrens-literature", "en", text + `.length > 500`},
		{"moby-dick", "en", text + `.length > 100`},
		{"../../conformance/epubcheck/epub3__03-resources__conformance-xml-id-leading-trailing-spaces-valid", "en", text + `.trim().length > 5`},
	} {
		t.Run(tc.file, func(t *testing.T) {
			l := newLibrary()
			n := l.add(tc.file+".epub", epubType, tc.file, tc.shown, data(t, "books/other/"+tc.file+".epub"))
			srv := l.serve(t)
			ctx, rs := open(t, srv.URL, n, bt.Options{})
			shown := false
			for range 6 {
				if shown = bt.Eval[bool](t, ctx, `!!(`+tc.check+`)`); shown {
					break
				}
				bt.Eval[int](t, ctx, view+`.next().then(() => 1)`)
				bt.Do(t, ctx, chromedp.Sleep(150_000_000))
			}
			bt.Shot(t, ctx, "sample-"+filepath.Base(tc.file))
			if !shown {
				t.Errorf("not shown: %s; text %.200s", tc.check, bt.Eval[string](t, ctx, text))
			}
			quiet(t, srv.URL, rs)
		})
	}
}

// vertical is a small book set from top to bottom, right to left.
func vertical(t *testing.T) []byte {
	var body strings.Builder
	for range 60 {
		body.WriteString("<p>文瀾閣在杭州孤山，四庫七閣之一。江南學子皆可登閣借鈔，故其書雖散而復聚。</p>\n")
	}
	return makeZip(t,
		[2]string{"mimetype", epubType},
		[2]string{"META-INF/container.xml", container},
		[2]string{"OEBPS/package.opf", `<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">v</dc:identifier><dc:title>直排</dc:title><dc:language>zh-Hant</dc:language></metadata>
			<manifest><item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine page-progression-direction="rtl"><itemref idref="a"/></spine></package>`},
		[2]string{"OEBPS/nav.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="toc"><ol><li><a href="a.xhtml">閣記</a></li></ol></nav></body></html>`},
		[2]string{"OEBPS/a.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml" lang="zh-Hant"><head><title>閣記</title><style>html{writing-mode:vertical-rl}</style></head><body><h1>閣記</h1>` + body.String() + `</body></html>`},
	)
}

const container = `<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles><rootfile full-path="OEBPS/package.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`

func TestReadVertical(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	n := l.add("v.epub", epubType, "閣記", "zh-Hant", vertical(t))
	srv := l.serve(t)
	ctx, rs := open(t, srv.URL, n, bt.Options{Language: "zh-CN"})
	if got := bt.Eval[string](t, ctx, `getComputedStyle(`+contents+`[0].doc.body).writingMode`); got != "vertical-rl" {
		t.Errorf("set %s", got)
	}
	// in a book that runs leftward the left button goes on
	if got := bt.Eval[string](t, ctx, `document.getElementById('left').title`); got != "下一页" {
		t.Errorf("the left button: %s", got)
	}
	before := bt.Eval[string](t, ctx, place)
	bt.Do(t, ctx, chromedp.KeyEvent(kb.ArrowLeft))
	bt.Wait(t, ctx, place+` !== `+quote(before))
	bt.Shot(t, ctx, "zh-vertical")
	quiet(t, srv.URL, rs)
}

func TestReadPDF(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	n := l.add("a.pdf", "application/pdf", "A paper", "en", data(t, "papers/10.21105.jose.00013.pdf"))
	srv := l.serve(t)
	for _, o := range []bt.Options{{}, {Phone: true, Dark: true, Language: "zh-CN"}} {
		ctx, rs := open(t, srv.URL, n, o)
		got := bt.Eval[string](t, ctx, `document.querySelector('.page[data-page-number="1"] .textLayer').textContent`)
		if !strings.Contains(got, "Journal of Open Source Education") && !strings.Contains(got, "Summary") {
			t.Errorf("the text of page 1: %.300s", got)
		}
		bt.Wait(t, ctx, `document.querySelector('.page[data-page-number="1"] canvas')`)
		bt.Do(t, ctx, chromedp.Sleep(500_000_000))
		if o.Phone {
			bt.Shot(t, ctx, "pdf-phone-dark")
		} else {
			bt.Shot(t, ctx, "pdf-desktop")
			bt.Axe(t, ctx)
		}
		bt.Do(t, ctx, chromedp.Click("#right"))
		bt.Wait(t, ctx, `document.getElementById('position').value === '2'`)
		bt.Do(t, ctx, chromedp.Click("#open-search"), chromedp.SendKeys("#query", "research"), chromedp.Click("#search-go"))
		bt.Wait(t, ctx, `document.querySelectorAll('#results mark').length > 0`)
		bt.Do(t, ctx, chromedp.Click("#search .close"))
		quiet(t, srv.URL, rs)
		if !slices.ContainsFunc(rs.Sent(), func(u string) bool { return strings.HasSuffix(u, "/document.pdf") }) {
			t.Errorf("sent %q", rs.Sent())
		}
	}
}

// TestArrive opens books at a chapter and at words in it, as search leads there.
func TestArrive(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	pride := l.add("p.epub", epubType, "Pride and Prejudice", "en", data(t, "books/en/jane-austen_pride-and-prejudice.epub"))
	red := l.add("h.epub", epubType, "紅樓夢", "zh-Hant", data(t, "books/zh/紅樓夢.epub"))
	paper := l.add("a.pdf", "application/pdf", "A paper", "en", data(t, "papers/10.21105.jose.00013.pdf"))
	plain := l.add("t.txt", "text/plain; charset=utf-8", "Tale", "en", []byte("Chapter 1\n\nA white whale.\n\n"+strings.Repeat("The sea was wide.\n\n", 200)+"Chapter 2\n\nThe second White Whale was wider.\n"))
	srv := l.serve(t)
	// marked says whether words are in the page that is shown, and marked there.
	const marked = `(() => {
		const { range } = ` + view + `.lastLocation
		const drawn = ` + contents + `.some(c => c.overlayer?.element?.childElementCount > 0)
		return (drawn ? 'marked: ' : 'not marked: ') + range.toString().replace(/\s+/g, ' ')
	})()`
	for _, c := range []struct {
		n       int64
		chapter int
		words   string
		options bt.Options
	}{
		{pride, 21, "sensible, unaffected", bt.Options{}},
		{red, 1, "滿紙荒唐言", bt.Options{Phone: true, Dark: true, Language: "zh-CN"}},
		{plain, 1, "White Whale", bt.Options{}},
	} {
		if c.n == pride { // wherever it stands in this edition
			f, err := blobFile(l, c.n)
			if err != nil {
				t.Fatal(err)
			}
			c.chapter, c.words = chapterOf(t, f, epubType, "You must allow me to tell you how ardently"), "how ardently I admire"
		}
		ctx, rs := open(t, srv.URL, c.n, c.options)
		first := bt.Eval[string](t, ctx, `localStorage.getItem(Object.keys(localStorage).find(k => k.startsWith('wenlan:place:')))`)
		bt.Do(t, ctx, chromedp.Navigate(srv.URL+at(c.n, "/read?chapter=")+strconv.Itoa(c.chapter)+"&q="+url.QueryEscape(c.words)))
		bt.Wait(t, ctx, isReady)
		bt.Wait(t, ctx, marked+`.includes(`+quote(c.words)+`)`)
		if got := bt.Eval[string](t, ctx, marked); !strings.HasPrefix(got, "marked: ") {
			t.Errorf("%s", got)
		}
		bt.Shot(t, ctx, "arrive-"+strconv.FormatInt(c.n, 10))
		if got := bt.Eval[string](t, ctx, `localStorage.getItem(Object.keys(localStorage).find(k => k.startsWith('wenlan:place:')))`); got != first {
			t.Errorf("the place where reading was left off became %s, was %s", got, first)
		}
		quiet(t, srv.URL, rs)
		for _, odd := range []string{"?chapter=999999&q=" + url.QueryEscape(c.words), "?chapter=-1&q=%22%3E%3Cscript%3E", "?chapter=x", "?q=" + strings.Repeat("x", 500)} {
			bt.Do(t, ctx, chromedp.Navigate(srv.URL+at(c.n, "/read")+odd))
			bt.Wait(t, ctx, isReady)
		}
		quiet(t, srv.URL, rs)
	}
	ctx, rs := open(t, srv.URL, paper, bt.Options{})
	bt.Do(t, ctx, chromedp.Navigate(srv.URL+at(paper, "/read?chapter=2&q=the")))
	bt.Wait(t, ctx, isReady+` && document.getElementById('position').value === '3'`)
	bt.Wait(t, ctx, `document.querySelectorAll('.page[data-page-number="3"] .highlight').length > 0`)
	bt.Shot(t, ctx, "arrive-pdf")
	quiet(t, srv.URL, rs)
}

func blobFile(l *library, n int64) (*bytes.Reader, error) {
	b, ok := l.blobs[l.sha(n)]
	if !ok {
		return nil, os.ErrNotExist
	}
	return bytes.NewReader(b), nil
}

// chapterOf is the index of the chapter in which words stand.
func chapterOf(t *testing.T, f format.File, mediaType, words string) int {
	t.Helper()
	found := -1
	err := format.Chapters(t.Context(), f, mediaType, func(c format.Chapter) error {
		if found < 0 && strings.Contains(c.Text, words) {
			found = c.Index
		}
		return nil
	})
	if err != nil || found < 0 {
		t.Fatalf("%q: chapter %d, %v", words, found, err)
	}
	return found
}

func fmtFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func TestReadTextAndComic(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	plain := l.add("t.txt", "text/plain; charset=utf-8", "石头记", "zh", []byte("第一回　甄士隐梦幻识通灵\n\n此开卷第一回也。<script>ran=1</script>\n\n"+strings.Repeat("作者自云：因曾历过一番梦幻之后，故将真事隐去。\n\n", 80)+"第二回　贾夫人仙逝扬州城\n\n却说封肃听见公差传唤，忙出来陪笑启问。\n"))
	marks := l.add("m.md", "text/markdown; charset=utf-8", "Notes", "en", []byte("# One\n\nSome *soft* words, [away](https://example.org/).\n\n## Two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"))
	hyper := l.add("h.html", "text/html; charset=utf-8", "Page", "en", []byte(`<!DOCTYPE html><title>x</title><body onload="ran=1"><h1>A page</h1><script>top.ran=1</script><p>of hypertext</p><img src="http://127.0.0.1:1/x.png" alt="">`))
	comic := l.add("c.cbz", "application/vnd.comicbook+zip", "Pictures", "ja", makeZip(t,
		[2]string{"p10.png", picture(t, 240, 60, 30)}, [2]string{"p2.png", picture(t, 30, 60, 240)}, [2]string{"p1.png", picture(t, 168, 48, 31)},
		[2]string{"ComicInfo.xml", "<ComicInfo><Manga>YesAndRightToLeft</Manga></ComicInfo>"}, [2]string{"__MACOSX/x.png", "x"}))
	srv := l.serve(t)

	ctx, rs := open(t, srv.URL, plain, bt.Options{Phone: true, Dark: true, Language: "zh-CN"})
	if got := bt.Eval[string](t, ctx, text); !strings.Contains(got, "此开卷第一回也。<script>") {
		t.Errorf("plain: %.200s", got)
	}
	bt.Shot(t, ctx, "zh-phone-dark-text")
	bt.Axe(t, ctx)
	bt.Do(t, ctx, chromedp.Click("#open-contents"))
	bt.Eval[int](t, ctx, `(document.querySelectorAll('#contents-list button')[1].click(), 1)`)
	bt.Wait(t, ctx, text+`.includes('却说封肃')`)

	bt.Do(t, ctx, chromedp.Navigate(srv.URL+at(marks, "/read")))
	bt.Wait(t, ctx, isReady+` && `+text+`.includes('soft')`)
	// a link that leads away is asked about, and can be left alone
	bt.Eval[int](t, ctx, `(`+contents+`[0].doc.querySelector('a').click(), 1)`)
	bt.Wait(t, ctx, `document.getElementById('link').open && document.getElementById('link-open').href === 'https://example.org/'`)
	bt.Shot(t, ctx, "zh-phone-dark-link")
	bt.Axe(t, ctx)
	bt.Do(t, ctx, chromedp.Click("#link-stay"))
	bt.Wait(t, ctx, `!document.getElementById('link').open`)

	bt.Do(t, ctx, chromedp.Navigate(srv.URL+at(hyper, "/read")))
	bt.Wait(t, ctx, isReady+` && `+text+`.includes('of hypertext')`)
	if bt.Eval[bool](t, ctx, `'ran' in globalThis`) {
		t.Error("a script of the page ran")
	}

	bt.Do(t, ctx, chromedp.Navigate(srv.URL+at(comic, "/read")))
	shows := func(i int) string {
		return isReady + ` && ` + contents + `.some(c => c.doc.querySelector('img')?.naturalWidth === 40 && c.doc.querySelector('img').alt.includes('第 ` + strconv.Itoa(i) + ` 页'))`
	}
	bt.Wait(t, ctx, shows(1))
	bt.Shot(t, ctx, "zh-phone-dark-comic")
	bt.Do(t, ctx, chromedp.KeyEvent(kb.ArrowLeft)) // it runs leftward
	bt.Wait(t, ctx, shows(2))
	quiet(t, srv.URL, rs)
}

// picture is a PNG of 40 by 60 in one colour.
func picture(t *testing.T, r, g, b uint8) string {
	img := image.NewRGBA(image.Rect(0, 0, 40, 60))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{r, g, b, 255}), image.Point{}, draw.Src)
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestReadDark(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	n := l.add("n.epub", epubType, "吶喊", "zh-Hant", data(t, "books/zh/吶喊.epub"))
	srv := l.serve(t)
	ctx, rs := open(t, srv.URL, n, bt.Options{Dark: true, Language: "zh-CN"})
	bt.Eval[int](t, ctx, view+`.goTo(4).then(() => 1)`)
	bt.Do(t, ctx, chromedp.Sleep(300_000_000))
	bt.Shot(t, ctx, "zh-desktop-dark")
	bt.Axe(t, ctx)
	bt.Do(t, ctx, chromedp.Click("#open-settings"), chromedp.Sleep(300_000_000))
	bt.Shot(t, ctx, "zh-desktop-dark-settings")
	bt.Axe(t, ctx)
	quiet(t, srv.URL, rs)
}

// A sample of the real books opens and shows text; with WENLAN_READ_ALL=1, all of
// them, the odd and the broken too, of which it is only asked that they do no harm.
func TestReadMany(t *testing.T) {
	t.Parallel()
	needBuilt(t)
	root := testdata.Dir(t)
	all := os.Getenv("WENLAN_READ_ALL") != ""
	books, _ := filepath.Glob(filepath.Join(root, "books", "*", "*.epub"))
	sound := len(books)
	odd, _ := filepath.Glob(filepath.Join(root, "malformed", "*.epub"))
	if all {
		more, _ := filepath.Glob(filepath.Join(root, "conformance", "epubcheck", "*.epub"))
		odd = append(odd, more...)
	}
	books = append(books, odd...)
	l := newLibrary()
	srv := l.serve(t)
	ctx, _ := bt.Open(t, bt.Options{Timeout: 20 * time.Minute})
	rs := bt.Watch(t, ctx)
	for i, name := range books {
		if i < sound && !all && i%16 != 0 || strings.Contains(name, "bomb") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n := l.add(filepath.Base(name), epubType, filepath.Base(name), "", b)
		bt.Do(t, ctx, chromedp.Navigate(srv.URL+at(n, "/read")))
		if i >= sound {
			bt.Do(t, ctx, chromedp.Sleep(700_000_000))
			if got := bt.Eval[string](t, ctx, `document.body.dataset.ready ?? 'not yet'`); all && got != "true" {
				t.Logf("%s: %s", filepath.Base(name), got)
			}
			continue
		}
		bt.Wait(t, ctx, `document.body.dataset.ready`)
		if got := bt.Eval[string](t, ctx, `document.body.dataset.ready`); got != "true" {
			t.Errorf("%s did not open: %q", name, rs.Console())
			continue
		}
		bt.Eval[int](t, ctx, view+`.goToFraction(.5).then(() => 1)`)
		bt.Do(t, ctx, chromedp.Sleep(100_000_000))
		if got := bt.Eval[string](t, ctx, text); len(strings.TrimSpace(got)) < 6 && !bt.Eval[bool](t, ctx, contents+`.some(c => c.doc.querySelector('img, svg'))`) {
			t.Errorf("%s: in the middle stands only %q", name, got)
		}
	}
	if got := rs.Foreign(srv.URL); len(got) > 0 {
		t.Errorf("requests to others: %q", got)
	}
}
