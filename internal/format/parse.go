package format

import (
	"context"
	"io"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Parse tells what f is, by its content first and by name second, and reads its
// description. The error is of kind errs.Refused when the file is bad.
func Parse(ctx context.Context, name string, f File) (*Document, error) {
	return nil, errs.New(errs.Refused, "this kind of file is not known")
}

// Chapters calls fn with the text of f, chapter by chapter.
func Chapters(ctx context.Context, f File, mediaType string, fn func(Chapter) error) error {
	return errs.New(errs.Refused, "this kind of file is not known")
}

// ParseOPF reads a metadata.opf as Calibre writes it beside a book.
func ParseOPF(data []byte) (*Document, error) {
	return nil, errs.New(errs.Refused, "not a package document")
}

// ParseCSL reads a sidecar in CSL-JSON.
func ParseCSL(data []byte) (record.Record, *Statement, error) {
	return record.Record{}, nil, errs.New(errs.Refused, "not CSL-JSON")
}

// DetectLanguage guesses the language of a text as a BCP 47 tag.
func DetectLanguage(text string) (tag string, confidence float64) { return "", 0 }

// EPUB is an open EPUB, for the reader.
type EPUB struct{}

// OpenEPUB opens an EPUB whose archive and package document are sound.
func OpenEPUB(f File) (*EPUB, error) { return nil, errs.New(errs.Refused, "not an EPUB") }

// Resource opens a file of the book by its path in the archive.
func (e *EPUB) Resource(path string) (io.ReadCloser, string, int64, error) {
	return nil, "", 0, errs.New(errs.NotFound, "no such resource")
}

// CBZ is an open comic archive, for the reader.
type CBZ struct{}

// OpenCBZ opens a comic archive.
func OpenCBZ(f File) (*CBZ, error) { return nil, errs.New(errs.Refused, "not a comic archive") }

// Resource opens an image of the comic by its path in the archive.
func (c *CBZ) Resource(path string) (io.ReadCloser, string, int64, error) {
	return nil, "", 0, errs.New(errs.NotFound, "no such resource")
}
