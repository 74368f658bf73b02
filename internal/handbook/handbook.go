// Package handbook makes the project's own two books, The Wenlan Handbook and
// 《文澜手册》, as EPUB 3, out of the Markdown in the folder handbook.
//
// The same text gives the same bytes, on any machine and with any version of
// Go: files are stored and not packed, times are fixed, nothing is random. So
// taking a handbook in twice adds nothing.
package handbook

import (
	"bytes"
	"fmt"
	"html"
	"io/fs"
	"path"
	"strings"

	text "wenlan/handbook"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	markup "github.com/yuin/goldmark/renderer/html"
)

// Book is a finished EPUB file.
type Book struct {
	Name string // a file name
	Data []byte
}

// Licence is what both books state in dc:rights.
const Licence = "https://creativecommons.org/licenses/by-sa/4.0/"

// edition is one language of the handbook.
type edition struct {
	folder, file            string
	lang, title, creator    string
	uuid, date, description string
	subjects                []string
	contents, cover         string // words for the navigation
	lettering               string
}

var editions = []edition{
	{
		folder: "en", file: "the-wenlan-handbook.epub", lang: "en",
		title: "The Wenlan Handbook", creator: "The Wenlan project",
		uuid: "6b0d5f3e-2d0c-5c1a-9b6e-8a4f1c7d2e10", date: "2026-11-22",
		description: "How to keep a Wenlan library: taking books in, stating rights, searching and reading, serving it to others, and keeping it for good.",
		subjects:    []string{"Digital libraries", "Library science", "Handbooks"},
		contents:    "Contents", cover: "Cover", lettering: "title-en.pbm",
	},
	{
		folder: "zh", file: "文澜手册.epub", lang: "zh-Hans",
		title: "文澜手册", creator: "文澜项目",
		uuid: "0e9a7c52-71f4-5d3b-8c20-3f6b9d1e4a77", date: "2026-11-22",
		description: "怎样办好一座文澜图书馆：收书、定权利、检索与阅读、对外开放，以及长久保存。",
		subjects:    []string{"数字图书馆", "图书馆学", "手册"},
		contents:    "目录", cover: "封面", lettering: "title-zh.pbm",
	},
}

// Books makes both books, English first.
func Books() ([]Book, error) {
	var out []Book
	for _, e := range editions {
		data, err := e.build()
		if err != nil {
			return nil, fmt.Errorf("build %s: %w", e.file, err)
		}
		out = append(out, Book{Name: e.file, Data: data})
	}
	return out, nil
}

type chapter struct {
	name, title string
	body        []byte // XHTML
}

// chapters reads and renders the Markdown of an edition.
func (e edition) chapters() ([]chapter, error) {
	files, err := fs.Glob(text.Files, e.folder+"/*.md") // sorted by name
	if err != nil {
		return nil, err
	}
	md := goldmark.New(
		goldmark.WithExtensions(extension.Table, extension.DefinitionList),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(markup.WithXHTML()), // raw HTML stays out
	)
	var out []chapter
	for _, name := range files {
		src, err := fs.ReadFile(text.Files, name)
		if err != nil {
			return nil, err
		}
		title, ok := strings.CutPrefix(strings.SplitN(string(src), "\n", 2)[0], "# ")
		if !ok {
			return nil, fmt.Errorf("%s does not begin with its title", name)
		}
		var body bytes.Buffer
		if err := md.Convert(src, &body); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, chapter{
			name:  strings.TrimSuffix(path.Base(name), ".md") + ".xhtml",
			title: strings.TrimSpace(title),
			body:  linkChapters(body.Bytes()),
		})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no chapters in %s", e.folder)
	}
	return out, nil
}

// linkChapters turns links between the Markdown files into links in the book.
func linkChapters(body []byte) []byte {
	body = bytes.ReplaceAll(body, []byte(`.md">`), []byte(`.xhtml">`))
	return bytes.ReplaceAll(body, []byte(`.md#`), []byte(`.xhtml#`))
}

// build writes the EPUB (EPUB 3.3 Packages and OCF).
func (e edition) build() ([]byte, error) {
	chapters, err := e.chapters()
	if err != nil {
		return nil, err
	}
	cover, err := e.drawCover()
	if err != nil {
		return nil, err
	}
	z := newArchive()
	z.add("mimetype", []byte("application/epub+zip"))
	z.add("META-INF/container.xml", []byte(`<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
  <rootfiles><rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
`))
	z.add("book/package.opf", e.packageDocument(chapters))
	z.add("book/nav.xhtml", e.navigation(chapters))
	z.add("book/toc.ncx", e.ncx(chapters))
	z.add("book/style.css", []byte(style))
	z.add("book/cover.png", cover)
	z.add("book/cover.xhtml", e.page(e.cover, []byte(`<section class="cover" epub:type="cover"><img src="cover.png" alt="`+html.EscapeString(e.title)+`"/></section>`+"\n")))
	for _, c := range chapters {
		z.add("book/"+c.name, e.page(c.title, c.body))
	}
	return z.finish()
}

// page wraps a body as an XHTML document.
func (e edition) page(title string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="%[1]s" xml:lang="%[1]s">
<head>
<meta charset="utf-8"/>
<title>%[2]s</title>
<link rel="stylesheet" type="text/css" href="style.css"/>
</head>
<body>
`, e.lang, html.EscapeString(title))
	b.Write(body)
	b.WriteString("</body>\n</html>\n")
	return b.Bytes()
}

func (e edition) packageDocument(chapters []chapter) []byte {
	var b bytes.Buffer
	esc := html.EscapeString
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="%[1]s">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:%[2]s</dc:identifier>
<dc:title>%[3]s</dc:title>
<dc:creator id="creator">%[4]s</dc:creator>
<meta refines="#creator" property="role" scheme="marc:relators">aut</meta>
<dc:language>%[1]s</dc:language>
<dc:publisher>%[4]s</dc:publisher>
<dc:date>%[5]s</dc:date>
<dc:rights>%[6]s</dc:rights>
<dc:description>%[7]s</dc:description>
`, e.lang, e.uuid, esc(e.title), esc(e.creator), e.date, Licence, esc(e.description))
	for _, s := range e.subjects {
		fmt.Fprintf(&b, "<dc:subject>%s</dc:subject>\n", esc(s))
	}
	fmt.Fprintf(&b, `<meta property="dcterms:modified">%sT00:00:00Z</meta>
<link rel="dcterms:license" href="%s"/>
<meta name="cover" content="cover-image"/>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>
<item id="style" href="style.css" media-type="text/css"/>
<item id="cover-image" href="cover.png" media-type="image/png" properties="cover-image"/>
<item id="cover" href="cover.xhtml" media-type="application/xhtml+xml"/>
`, e.date, Licence)
	for i, c := range chapters {
		fmt.Fprintf(&b, `<item id="c%d" href="%s" media-type="application/xhtml+xml"/>`+"\n", i+1, c.name)
	}
	b.WriteString("</manifest>\n<spine toc=\"ncx\">\n<itemref idref=\"cover\"/>\n<itemref idref=\"nav\"/>\n")
	for i := range chapters {
		fmt.Fprintf(&b, `<itemref idref="c%d"/>`+"\n", i+1)
	}
	b.WriteString("</spine>\n</package>\n")
	return b.Bytes()
}

func (e edition) navigation(chapters []chapter) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<nav epub:type=\"toc\" id=\"toc\">\n<h1>%s</h1>\n<ol>\n", html.EscapeString(e.contents))
	for _, c := range chapters {
		fmt.Fprintf(&b, "<li><a href=\"%s\">%s</a></li>\n", c.name, html.EscapeString(c.title))
	}
	b.WriteString("</ol>\n</nav>\n")
	return e.page(e.contents, b.Bytes())
}

// ncx is the contents for readers of EPUB 2.
func (e edition) ncx(chapters []chapter) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1" xml:lang="%s">
<head><meta name="dtb:uid" content="urn:uuid:%s"/></head>
<docTitle><text>%s</text></docTitle>
<navMap>
`, e.lang, e.uuid, html.EscapeString(e.title))
	for i, c := range chapters {
		fmt.Fprintf(&b, "<navPoint id=\"n%d\" playOrder=\"%d\"><navLabel><text>%s</text></navLabel><content src=\"%s\"/></navPoint>\n",
			i+1, i+1, html.EscapeString(c.title), c.name)
	}
	b.WriteString("</navMap>\n</ncx>\n")
	return b.Bytes()
}

const style = `body { line-height: 1.6; margin: 0 5%; }
:lang(zh) body, body:lang(zh) { line-height: 1.8; }
h1, h2, h3 { line-height: 1.3; text-align: left; page-break-after: avoid; break-after: avoid; }
h1 { font-size: 1.6em; margin: 2em 0 1em; border-bottom: 1px solid #b5391f; padding-bottom: 0.3em; }
h2 { font-size: 1.2em; margin: 1.6em 0 0.6em; }
pre { font-size: 0.85em; line-height: 1.45; white-space: pre-wrap; word-wrap: break-word; margin: 1em 0; padding: 0.6em 0.8em; border-left: 3px solid #b5391f; }
code { font-family: monospace; }
table { border-collapse: collapse; width: 100%; margin: 1em 0; font-size: 0.92em; }
th, td { text-align: left; vertical-align: top; padding: 0.3em 0.6em 0.3em 0; border-bottom: 1px solid #bbb; }
blockquote { margin: 1em 1.5em; font-style: italic; }
blockquote:lang(zh) { font-style: normal; }
section.cover { text-align: center; margin: 0; }
section.cover img { max-width: 100%; max-height: 100%; }
nav ol { padding-left: 1.4em; }
`
