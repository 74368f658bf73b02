package reader

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	ghtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html/charset"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Bounds of what is shown as text; a longer file can be downloaded.
const (
	maxText     = 32 << 20
	sectionSize = 48 << 10 // of text without headings, at the next paragraph
	maxSection  = 256 << 10
)

// section is a part of a text, as the reader's index lists it.
type section struct {
	Path  string `json:"path"`
	Title string `json:"title"` // "" when it has none of its own
	Size  int64  `json:"size"`

	text string
}

// readText reads a whole text as UTF-8. The charset is the one that intake found,
// else the one that the text itself declares.
func readText(b blob.Blob, file record.File) (string, error) {
	if b.Size() > maxText {
		return "", errs.New(errs.TooLarge, "this text is too long to be read here; it can be downloaded")
	}
	mediaType := file.MediaType
	if _, params, err := mime.ParseMediaType(mediaType); err != nil || params["charset"] == "" {
		head := make([]byte, min(b.Size(), 64<<10))
		if n, err := b.ReadAt(head, 0); err != nil && err != io.EOF {
			return "", fmt.Errorf("read the text: %w", err)
		} else if utf8.Valid(trimPartial(head[:n])) {
			mediaType = "text/plain; charset=utf-8"
		}
	}
	rd, err := charset.NewReader(io.NewSectionReader(b, 0, b.Size()), mediaType)
	if err != nil {
		return "", errs.New(errs.Refused, "the text is in an unknown character set: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(rd, 3*maxText))
	if err != nil {
		return "", fmt.Errorf("read the text: %w", err)
	}
	text := strings.TrimPrefix(strings.ToValidUTF8(string(data), "\uFFFD"), "\uFEFF")
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), nil
}

// trimPartial drops a rune that the end of the sample cut in two.
func trimPartial(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// serveHTML serves a file of HTML as the one chapter of a book, in UTF-8. It is
// as hostile as any chapter: the page cleans it and shows it in a sandbox.
func serveHTML(w http.ResponseWriter, r *http.Request, b blob.Blob, file record.File, name string) error {
	switch name {
	case "":
		return serveIndex(w, r, index{Form: formHTML, Sections: []section{{Path: "index.html", Size: b.Size()}}})
	case "index.html":
		text, err := readText(b, file)
		if err != nil {
			return err
		}
		return serveBytes(w, r, "text/html; charset=utf-8", []byte(text))
	}
	return errs.New(errs.NotFound, "the book has no file of that name")
}

// serveText serves plain text or Markdown as XHTML of our own making.
func serveText(w http.ResponseWriter, r *http.Request, b blob.Blob, file record.File, kind form, name string) error {
	text, err := readText(b, file)
	if err != nil {
		return err
	}
	headingOf := plainHeading
	if kind == formMarks {
		headingOf = markdownHeading
	}
	sections := split(text, headingOf)
	if name == "" {
		return serveIndex(w, r, index{Form: kind, Sections: sections})
	}
	i, err := strconv.Atoi(strings.TrimSuffix(name, ".xhtml"))
	if err != nil || i < 0 || i >= len(sections) || name != sections[i].Path {
		return errs.New(errs.NotFound, "the text has no such section")
	}
	body := &bytes.Buffer{}
	if kind == formMarks {
		if err := markdown.Convert([]byte(sections[i].text), body); err != nil {
			return errs.New(errs.Refused, "the text is not Markdown: %w", err)
		}
	} else {
		writePlain(body, sections[i].text)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `<?xml version="1.0" encoding="utf-8"?>`+"\n"+
		`<html xmlns="http://www.w3.org/1999/xhtml" lang="%s"><head><title>%s</title></head><body>`+"\n",
		html.EscapeString(file.Language), xmlText(sections[i].Title))
	out.Write(body.Bytes())
	out.WriteString("</body></html>\n")
	return serveBytes(w, r, "application/xhtml+xml; charset=utf-8", out.Bytes())
}

// markdown writes XHTML and drops links that run. HTML is no part of it here: its
// parsers are left out, so that a tag is shown as the text that it is.
var markdown = goldmark.New(
	goldmark.WithParser(parser.NewParser(
		parser.WithBlockParsers(slices.DeleteFunc(parser.DefaultBlockParsers(), isParser(parser.NewHTMLBlockParser()))...),
		parser.WithInlineParsers(slices.DeleteFunc(parser.DefaultInlineParsers(), isParser(parser.NewRawHTMLParser()))...),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
		parser.WithAutoHeadingID(),
	)),
	goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Footnote),
	goldmark.WithRendererOptions(ghtml.WithXHTML()),
)

// isParser tells a parser by its type.
func isParser(p any) func(util.PrioritizedValue) bool {
	return func(v util.PrioritizedValue) bool { return reflect.TypeOf(v.Value) == reflect.TypeOf(p) }
}

var (
	chineseHeading = regexp.MustCompile(`^[\s　]*第[0-9０-９零〇一二三四五六七八九十百千两]{1,9}[章回节卷部篇折][\s　：:、]?.{0,40}$`)
	englishHeading = regexp.MustCompile(`^\s*(?i:chapter|book|part|volume|canto|letter|act)\s+([0-9]{1,4}|[IVXLC]{1,9})\b.{0,60}$`)
)

func plainHeading(line string) (string, bool) {
	if len(line) > 240 || !chineseHeading.MatchString(line) && !englishHeading.MatchString(line) {
		return "", false
	}
	return strings.Trim(line, " \t　"), true
}

func markdownHeading(line string) (string, bool) {
	title, ok := strings.CutPrefix(line, "# ")
	if !ok {
		title, ok = strings.CutPrefix(line, "## ")
	}
	return strings.Trim(title, " \t#"), ok
}

// split cuts a text at its headings, and where there are none for long, at a
// blank line; a line that never ends is cut between runes.
func split(text string, headingOf func(string) (string, bool)) []section {
	var list []section
	var cur strings.Builder
	title, headings, fenced := "", 0, false
	end := func() {
		if strings.TrimSpace(cur.String()) != "" {
			list = append(list, section{
				Path: strconv.Itoa(len(list)) + ".xhtml", Title: title,
				Size: int64(cur.Len()), text: cur.String(),
			})
		}
		cur.Reset()
		title = ""
	}
	for line := range strings.Lines(text) {
		bare := strings.TrimRight(line, "\n")
		if strings.HasPrefix(bare, "```") || strings.HasPrefix(bare, "~~~") {
			fenced = !fenced
		}
		if h, ok := headingOf(bare); ok && !fenced {
			headings++
			end()
			title = h
		} else if strings.TrimSpace(bare) == "" && !fenced && cur.Len() > sectionSize {
			end()
		}
		for len(line) > maxSection-cur.Len() {
			cut := maxSection - cur.Len()
			for cut > 0 && !utf8.RuneStart(line[cut]) {
				cut--
			}
			cur.WriteString(line[:cut])
			line = line[cut:]
			end()
		}
		cur.WriteString(line)
	}
	end()
	if len(list) == 0 {
		list = append(list, section{Path: "0.xhtml", text: " ", Size: 1})
	}
	return list
}

// writePlain writes text as paragraphs. A blank line ends one. Lines of prose that
// were wrapped by hand are joined; other lines stay lines.
func writePlain(w *bytes.Buffer, text string) {
	wrapped := isWrapped(text)
	for i, para := range strings.Split(text, "\n\n") {
		lines := strings.FieldsFunc(para, func(r rune) bool { return r == '\n' })
		if len(lines) == 0 {
			continue
		}
		if i == 0 {
			if h, ok := plainHeading(lines[0]); ok {
				fmt.Fprintf(w, "<h2>%s</h2>\n", xmlText(h))
				lines = lines[1:]
			}
		}
		if len(lines) == 0 {
			continue
		}
		sep := "<br/>\n"
		if wrapped {
			sep = "\n"
		}
		w.WriteString("<p>")
		for j, line := range lines {
			if j > 0 {
				w.WriteString(sep)
			}
			w.WriteString(xmlText(strings.TrimRight(line, " \t")))
		}
		w.WriteString("</p>\n")
	}
}

// isWrapped says whether most full lines are of the length at which people wrap.
func isWrapped(text string) bool {
	full, all := 0, 0
	for line := range strings.Lines(text) {
		switch n := utf8.RuneCountInString(strings.TrimSpace(line)); {
		case n == 0:
		case n >= 50 && n <= 90:
			full++
			all++
		default:
			all++
		}
		if all == 400 {
			break
		}
	}
	return all > 3 && full*2 > all
}

// xmlText escapes text for XHTML; characters that XML cannot hold are replaced.
func xmlText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r >= 0x20 && r != 0xFFFE && r != 0xFFFF:
			return r
		case r == '\f':
			return ' '
		}
		return '\uFFFD'
	}, s)
	return html.EscapeString(s)
}
