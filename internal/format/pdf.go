package format

import (
	"context"

	"wenlan/internal/errs"
)

// parsePDF describes a PDF file.
func parsePDF(ctx context.Context, f File) (*Document, error) {
	return nil, errs.New(errs.Refused, "the PDF file cannot be read")
}

// pdfPages gives the text of a PDF page by page.
func pdfPages(ctx context.Context, f File, fn func(Chapter) error) error {
	return errs.New(errs.Refused, "the PDF file cannot be read")
}
