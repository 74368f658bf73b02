// Package format holds the pure parsers of what comes into the library: EPUB,
// PDF, plain text, Markdown, HTML and comic archives, and the sidecar files
// that describe them (OPF, CSL-JSON).
//
// A parser reads a [File] and nothing else: no path, no network, no process
// ([Poppler] apart, which only intake calls). It
// writes nothing. Whatever the input, it ends: sizes, counts, depth, the ratio
// of packed to unpacked bytes and the time of the context are bounded, and no
// parser panics; [Parse] is fuzzed. Text out of a file is text: a title that
// holds markup is a title that holds angle brackets, for the page to escape.
//
// A file that cannot be taken in is refused with an error of kind
// [errs.Refused] whose text is one sentence for the person who offered it.
// What is only odd is taken in, and said in [Document.Warnings].
package format

import (
	"io"

	"wenlan/internal/record"
)

// Media types that [Parse] tells apart. Plain text carries its charset.
const (
	MediaEPUB     = "application/epub+zip"
	MediaPDF      = "application/pdf"
	MediaText     = "text/plain"
	MediaMarkdown = "text/markdown"
	MediaHTML     = "text/html"
	MediaCBZ      = "application/vnd.comicbook+zip"
)

// File is what a parser gets: bytes and their number, no name and no path.
type File interface {
	io.ReaderAt
	Size() int64
}

// Document is what a file says of itself.
type Document struct {
	Record    record.Record
	MediaType string // with charset for plain text

	Rights     *Statement // machine-readable; nil when there is none
	RightsText string     // what the metadata says in prose
	Hints      []string   // licences mentioned in the body: for the librarian, never a statement

	Cover            *Cover
	Pages            int  // pages of a PDF, images of a comic; else 0
	LanguageDetected bool // Record.Languages was guessed from the text
	Warnings         []string
}

// Statement is a machine-readable rights statement: a value that as a whole was
// a URI or an SPDX id.
type Statement struct {
	Basis   string // record.PublicDomain or record.Licence
	Licence string // the SPDX id; empty for the public domain
	Raw     string // as found
}

// Cover is the picture on the front, as it is in the file.
type Cover struct {
	MediaType string
	Data      []byte // at most MaxCover bytes
}

// Chapter is a piece of the text in reading order: an EPUB spine item, a page
// of a PDF, a section of a text.
type Chapter struct {
	Index int
	Title string
	Href  string // where it is in the file; "page=3" for a PDF
	Text  string // white space collapsed, paragraphs ended by a newline
}
