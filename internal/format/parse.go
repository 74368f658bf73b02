package format

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"wenlan/internal/errs"
)

// kind is what a file turned out to be.
type kind int

const (
	kindUnknown kind = iota
	kindZip
	kindPDF
	kindHTML
	kindMarkdown
	kindText
)

// sniffLen is how many bytes of a file are looked at to tell what it is.
const sniffLen = 1024

// known are forms that the library can name but does not take in.
var known = []struct {
	magic  string
	offset int
	what   string
}{
	{"BOOKMOBI", 60, "a Kindle (MOBI) book"},
	{"TEXtREAd", 60, "a Palm book"},
	{"Rar!\x1a", 0, "a RAR archive"},
	{"7z\xbc\xaf\x27\x1c", 0, "a 7z archive"},
	{"AT&TFORM", 0, "a DjVu document"},
	{"\x1f\x8b", 0, "a gzip archive"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0, "an old Office document"},
	{"\x89PNG", 0, "a picture"},
	{"\xff\xd8\xff", 0, "a picture"},
	{"GIF8", 0, "a picture"},
	{"ITSF", 0, "a CHM help file"},
	{"\x7fELF", 0, "a program"},
	{"MZ", 0, "a program"},
	{"{\\rtf", 0, "an RTF document"},
	{"ID3", 0, "a sound file"},
	{"SQLite format 3", 0, "a database"},
}

// sniff tells what a file is by its first bytes, and by its name where these do
// not say. The error is the sentence for what is not taken in.
func sniff(name string, head []byte) (kind, error) {
	ext := strings.ToLower(path.Ext(name))
	if len(head) == 0 {
		return kindUnknown, errs.New(errs.Refused, "the file is empty")
	}
	if isZip(head) {
		return kindZip, nil
	}
	if bytes.HasPrefix(bytes.TrimLeft(head, "\ufeff \t\r\n"), []byte("%PDF-")) || (ext == ".pdf" && bytes.Contains(head, []byte("%PDF-"))) {
		return kindPDF, nil
	}
	if ext == ".epub" || ext == ".cbz" {
		return kindUnknown, errs.New(errs.Refused, "the file is not a ZIP archive, as an %s file must be", strings.ToUpper(ext[1:]))
	}
	if ext == ".pdf" {
		return kindUnknown, errs.New(errs.Refused, "the file does not begin as a PDF file must")
	}
	for _, k := range known {
		if len(head) >= k.offset && bytes.HasPrefix(head[k.offset:], []byte(k.magic)) && (k.magic != "MZ" || bytes.IndexByte(head, 0) >= 0) {
			return kindUnknown, errs.New(errs.Refused, "the file is %s, which is not taken in", k.what)
		}
	}
	start := bytes.ToLower(bytes.TrimLeft(utf16ToUTF8(head), " \t\r\n"))
	if bytes.HasPrefix(start, []byte("<?xml")) {
		if i := bytes.Index(start, []byte("<html")); i >= 0 {
			return kindHTML, nil
		}
		if ext != ".html" && ext != ".htm" && ext != ".xhtml" {
			return kindUnknown, errs.New(errs.Refused, "the file is XML of a kind that is not known here")
		}
	}
	switch {
	case bytes.HasPrefix(start, []byte("<!doctype html")), bytes.HasPrefix(start, []byte("<html")), ext == ".html", ext == ".htm", ext == ".xhtml":
		return kindHTML, nil
	case ext == ".md", ext == ".markdown", ext == ".mdown":
		return kindMarkdown, nil
	case ext == "", ext == ".txt", ext == ".text", ext == ".asc", len(ext) > 6, strings.Contains(ext, " "): // "Dr. Jekyll" has no extension
		return kindText, nil
	}
	return kindUnknown, errs.New(errs.Refused, "the file is not a book in a form that is known here: %s files are not taken in", cleanLine(ext, 10))
}

func head(f File) ([]byte, error) {
	buf := make([]byte, min(f.Size(), sniffLen))
	n, err := f.ReadAt(buf, 0)
	if n < len(buf) && !errors.Is(err, io.EOF) {
		return nil, errs.New(errs.Internal, "read the file: %w", err)
	}
	return buf[:n], nil
}

// Parse tells what f is, by its content first and by name second, and reads its
// description. name is the file's name, of which only the last part counts. An
// error of kind errs.Refused says in one sentence why the file is not taken in.
//
// It keeps no reference to f. It takes at most maxParseTime, and memory in
// proportion to the largest chapter, not to the file.
func Parse(ctx context.Context, name string, f File) (*Document, error) {
	ctx, cancel := context.WithTimeout(ctx, maxParseTime)
	defer cancel()
	h, err := head(f)
	if err != nil {
		return nil, err
	}
	k, err := sniff(name, h)
	if err != nil {
		return nil, err
	}
	switch k {
	case kindZip:
		return parseZip(ctx, name, f)
	case kindPDF:
		doc, err := parsePDF(ctx, f)
		if err != nil {
			return nil, err
		}
		if doc.Record.Title == "" {
			doc.Record.Title = titleOfName(name)
		}
		if doc.Record.Title == "" {
			return nil, errs.New(errs.Refused, "the file has no title and no name")
		}
		return doc, nil
	}
	data, err := readAll(f)
	if err != nil {
		return nil, err
	}
	switch k {
	case kindHTML:
		return parseHTML(name, data)
	case kindMarkdown:
		return parseMarkdown(name, data)
	}
	return parseText(name, data)
}

// parseZip tells books from comics.
func parseZip(ctx context.Context, name string, f File) (*Document, error) {
	ext := strings.ToLower(path.Ext(name))
	noun := "book"
	if ext == ".cbz" {
		noun = "comic"
	}
	a, err := openArchive(f, noun)
	if err != nil {
		return nil, err
	}
	switch {
	case a.get("META-INF/container.xml") != nil, a.mimetype() == MediaEPUB:
		return parseEPUB(ctx, name, a)
	case ext == ".cbz", a.get("ComicInfo.xml") != nil, a.mostlyPictures():
		return parseCBZ(ctx, name, a)
	case ext == ".epub":
		return parseEPUB(ctx, name, a)
	case a.get("[Content_Types].xml") != nil:
		return nil, errs.New(errs.Refused, "the file is an Office document, which is not taken in")
	case strings.HasPrefix(a.mimetype(), "application/vnd.oasis.opendocument"):
		return nil, errs.New(errs.Refused, "the file is an OpenDocument, which is not taken in")
	}
	return nil, errs.New(errs.Refused, "the file is a ZIP archive that holds neither a book nor a comic")
}

func (a *archive) mimetype() string {
	f := a.byName["mimetype"]
	if f == nil {
		return ""
	}
	data, err := a.read(f, 200)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func (a *archive) mostlyPictures() bool {
	n := 0
	for _, f := range a.files {
		if isComicPage(f.Name) {
			n++
		}
	}
	return n > 0 && n*10 >= len(a.files)*9
}

// Chapters calls fn with the text of f, chapter by chapter or page by page, in
// reading order. mediaType is what [Parse] said. A comic has no text. An error of
// fn ends it and is returned.
func Chapters(ctx context.Context, f File, mediaType string, fn func(Chapter) error) error {
	base, _, _ := strings.Cut(mediaType, ";")
	switch strings.TrimSpace(base) {
	case MediaEPUB:
		e, err := OpenEPUB(f)
		if err != nil {
			return err
		}
		return e.Chapters(ctx, fn)
	case MediaPDF:
		return pdfPages(ctx, f, fn)
	case MediaCBZ:
		return nil
	case MediaText, MediaMarkdown, MediaHTML:
	default:
		return errs.New(errs.Refused, "there is no text to be had from %s", cleanLine(base, 80))
	}
	data, err := readAll(f)
	if err != nil {
		return err
	}
	checked := func(c Chapter) error {
		if err := ctx.Err(); err != nil {
			return tooLong(err)
		}
		return fn(c)
	}
	switch strings.TrimSpace(base) {
	case MediaHTML:
		return htmlChapters(data, checked)
	case MediaMarkdown:
		return markdownChapters(data, checked)
	}
	text, _, _, err := decodeText(data)
	if err != nil {
		return err
	}
	return textChapters(text, plainHeading, checked)
}
