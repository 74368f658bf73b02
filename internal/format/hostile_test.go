package format

import (
	"archive/zip"
	"bytes"
	"context"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What would make a careless parser slow or large ends soon, whatever it says.
func TestHostileSizes(t *testing.T) {
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	body := func(s string) entry { return entry{"OPS/text/c1.xhtml", s, zip.Store} }
	metadata := func(s string) []byte { return makeEPUB(t, plainMetadata+s) }
	cases := map[string][]byte{
		"open tags":       makeEPUB(t, plainMetadata, body("<html><body>"+fill("<p>"))),
		"half tags":       makeEPUB(t, plainMetadata, body("<html><body>"+fill("<p "))),
		"angle brackets":  makeEPUB(t, plainMetadata, body(fill("<"))),
		"end tags":        makeEPUB(t, plainMetadata, body(fill("</"))),
		"comments":        makeEPUB(t, plainMetadata, body(fill("<!--"))),
		"comment dashes":  makeEPUB(t, plainMetadata, body("<!--"+fill("--!"))),
		"CDATA":           makeEPUB(t, plainMetadata, body(fill("<![CDATA["))),
		"scripts":         makeEPUB(t, plainMetadata, body(fill("<script><!--<script>"))),
		"titles":          makeEPUB(t, plainMetadata, body(fill("<title>"))),
		"attributes":      makeEPUB(t, plainMetadata, body("<p "+fill("a=b ")+">")),
		"entities":        makeEPUB(t, plainMetadata, body(fill("&amp;"))),
		"ampersands":      makeEPUB(t, plainMetadata, body(fill("&"))),
		"licences":        makeEPUB(t, plainMetadata, body(fill("cc0"))),
		"creators":        metadata(strings.Repeat("<dc:creator id='a'>N</dc:creator><meta refines='#a' property='role'>aut</meta>", 20_000)),
		"identifiers":     metadata(strings.Repeat("<dc:identifier id='a'>N</dc:identifier><meta refines='#a' property='x'>aut</meta>", 20_000)),
		"subjects":        metadata(subjects(10_000)),
		"nested metadata": metadata(strings.Repeat("<dc:title>", 90) + fill("x")[:1<<19] + strings.Repeat("</dc:title>", 90)),
		"many attributes": metadata("<meta " + strings.Repeat(`a="" `, 300_000) + "/>"),
		"many files":      manyFiles(t, 60_000),
	}
	text := map[string]string{
		"a.txt": fill("第一回 "), "b.txt": fill("\n"), "c.txt": fill("Chapter 1\n"), "d.txt": fill("a\x1b$B"), "e.txt": fill("\xe9"),
		"a.md": fill("> "), "b.md": fill("[a]("), "c.md": fill("# x\n"), "d.md": "---\n" + fill("a: b\n"), "e.md": fill("*_`"), "f.md": fill("<a"),
		"a.html": "<html>" + fill("<h1>x"), "b.html": "<html>" + fill("<table><tr>"), "c.html": "<html>" + fill("<meta name=a content=b>"),
	}
	for name, s := range text {
		cases[name] = []byte(s)
	}
	for what, data := range cases {
		name := what
		if !strings.Contains(what, ".") {
			name = "x.epub"
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		doc, err := Parse(context.Background(), name, bytes.NewReader(data))
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if doc != nil {
			checkRecord(t, doc.Record)
			start = time.Now()
			err = Chapters(context.Background(), bytes.NewReader(data), doc.MediaType, func(Chapter) error { return nil })
			took = max(took, time.Since(start))
		}
		if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 30*time.Second || allocated > 1500 {
			t.Errorf("%s: %v, %d MB allocated, %v", what, took, allocated, err)
		} else if testing.Verbose() {
			t.Logf("%s: %v, %d MB allocated, %v", what, took, allocated, err)
		}
	}
}

func subjects(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("<dc:subject>")
		b.WriteString(strings.Repeat("x", i%1000))
		b.WriteString("</dc:subject>")
		if b.Len() > 6<<20 {
			break
		}
	}
	return b.String()
}

func manyFiles(t *testing.T, n int) []byte {
	t.Helper()
	entries := make([]entry, n)
	for i := range entries {
		entries[i] = entry{name: strings.Repeat("d/", i%7) + "f" + string(rune('a'+i%26)) + strings.Repeat("x", i%200) + string(rune(0x4e00+i%20000)) + string(rune(0x4e00+i/20000))}
	}
	return makeZip(t, entries...)
}
