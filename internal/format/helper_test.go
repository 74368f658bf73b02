package format

import (
	"archive/zip"
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"io"
	"strings"
	"testing"
)

// entry is one file of an archive made for a test.
type entry struct {
	name, data string
	method     uint16
}

func makeZip(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, e := range entries {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

const testContainer = `<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OPS/package.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`

const testChapter = `<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>One</title></head>
<body><h1>The first chapter</h1><p>It was the best of times, it was the worst of times, and all of it was in the book that he had.</p></body></html>`

// makeEPUB is a small book with the given metadata and further entries, which
// replace those of the same name.
func makeEPUB(t testing.TB, metadata string, more ...entry) []byte {
	t.Helper()
	opf := `<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">` + metadata + `</metadata>
<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="c1" href="text/c1.xhtml" media-type="application/xhtml+xml"/>
<item id="c2" href="text/c%202.xhtml" media-type="application/xhtml+xml"/><item id="front" href="front.png" media-type="image/png" properties="cover-image"/></manifest>
<spine><itemref idref="c1"/><itemref idref="c2"/></spine></package>`
	entries := []entry{
		{"mimetype", MediaEPUB, zip.Store},
		{"META-INF/container.xml", testContainer, zip.Deflate},
		{"OPS/package.opf", opf, zip.Deflate},
		{"OPS/nav.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="toc"><ol>
<li><a href="text/c1.xhtml#x">Book the First</a></li><li><a href="text/c%202.xhtml">Book the &lt;Second&gt;</a></li></ol></nav></body></html>`, zip.Deflate},
		{"OPS/text/c1.xhtml", testChapter, zip.Deflate},
		{"OPS/text/c 2.xhtml", strings.Replace(testChapter, "first", "second", 1), zip.Deflate},
		{"OPS/front.png", makePNG(t, 6, 8), zip.Store},
	}
	for _, m := range more {
		replaced := false
		for i := range entries {
			if entries[i].name == m.name {
				entries[i], replaced = m, true
			}
		}
		if !replaced {
			entries = append(entries, m)
		}
	}
	return makeZip(t, entries...)
}

func makePNG(t testing.TB, width, height int) string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, width, height))
	img.Set(1, 1, color.White)
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

const plainMetadata = `<dc:title>A Tale</dc:title><dc:language>en</dc:language><dc:identifier id="id">x</dc:identifier>`

func parseBytes(t testing.TB, name string, data []byte) *Document {
	t.Helper()
	doc, err := Parse(context.Background(), name, bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return doc
}

func chaptersOf(t testing.TB, data []byte, mediaType string) []Chapter {
	t.Helper()
	var list []Chapter
	err := Chapters(context.Background(), bytes.NewReader(data), mediaType, func(c Chapter) error {
		list = append(list, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
