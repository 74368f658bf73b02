package format

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"wenlan/internal/errs"
)

// errEnough ends the reading of chapters once the one that was asked is there.
var errEnough = errors.New("format: enough")

// ChapterAt is the chapter with an index, as [Chapters] gives it; errs.NotFound
// when there is none. Of an EPUB and of a PDF only that chapter is read.
func ChapterAt(ctx context.Context, f File, mediaType string, index int) (Chapter, error) {
	var out *Chapter
	take := func(c Chapter) error {
		if c.Index != index {
			return nil
		}
		out = &c
		return errEnough
	}
	var err error
	base, _, _ := strings.Cut(mediaType, ";")
	switch strings.TrimSpace(base) {
	case MediaEPUB:
		var e *EPUB
		if e, err = OpenEPUB(f); err == nil {
			err = e.chapters(ctx, func(i int) bool { return i == index }, take)
		}
	case MediaPDF:
		err = pdfText(ctx, f, func(n int) bool { return n == index }, take)
	default:
		err = Chapters(ctx, f, mediaType, take)
	}
	switch {
	case out != nil:
		return *out, nil
	case err != nil && !errors.Is(err, errEnough):
		return Chapter{}, err
	}
	return Chapter{}, errs.New(errs.NotFound, "the file has no chapter %d", index)
}

// Place is where in the file the chapter with an index is, without reading its
// text: [Chapter.Href]. It is empty for a form whose chapters have no place of
// their own, and for an index that no chapter has.
func Place(f File, mediaType string, index int) (string, error) {
	base, _, _ := strings.Cut(mediaType, ";")
	switch strings.TrimSpace(base) {
	case MediaEPUB:
		e, err := OpenEPUB(f)
		if err != nil {
			return "", err
		}
		for i, it := range e.spine() {
			if i == index {
				return it.path, nil
			}
		}
	case MediaPDF:
		if index >= 0 {
			return fmt.Sprintf("page=%d", index+1), nil
		}
	}
	return "", nil
}

// spine is the chapters of the book: what is text, each file once, without the
// table of contents.
func (e *EPUB) spine() []*opfItem {
	var out []*opfItem
	seen := map[string]bool{}
	for _, it := range e.opf.spine {
		f := e.zip.get(it.path)
		if f == nil || seen[f.Name] || !it.isMarkup() || (it == e.opf.nav && len(e.opf.spine) > 1) {
			continue
		}
		seen[f.Name] = true
		out = append(out, it)
	}
	return out
}
