package reader

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"wenlan/internal/format"
	"wenlan/internal/record"
)

// goal is the place at which the page opens a book, instead of where it was left.
type goal struct {
	At    string // the file of the chapter, in an EPUB
	Page  int    // of a PDF, from 1; 0: none
	Words string // to find there
	Nth   int    // where the form has no places: which of the words' places in the whole text, from 0
}

// Bounds of what an address may ask.
const (
	maxWords   = 400 // bytes
	maxChapter = 1_000_000
	maxNth     = 10_000
	goalTime   = 2 * time.Second
)

var errThere = errors.New("reader: there")

// goal reads ?chapter=K&q=WORDS: the chapter by its index, as package format cuts
// the book into chapters, and the words to find in it. What makes no sense, or
// cannot be found in time, is left out, and the book opens as ever.
func (rd *Reader) goal(r *http.Request, file record.File, kind form) goal {
	var g goal
	q := r.URL.Query()
	if words := strings.TrimSpace(strings.ToValidUTF8(q.Get("q"), "")); len(words) <= maxWords && utf8.ValidString(words) {
		g.Words = words
	}
	chapter, err := strconv.Atoi(q.Get("chapter"))
	if err != nil || chapter < 0 || chapter > maxChapter || kind == formComic {
		return g
	}
	if kind == formPDF {
		g.Page = chapter + 1
		return g
	}
	b, err := rd.cfg.Blobs.Open(r.Context(), file.SHA256)
	if err != nil {
		return g
	}
	defer b.Close()
	if kind == formEPUB {
		g.At, _ = format.Place(b, format.MediaEPUB, chapter)
		return g
	}
	if g.Words == "" || chapter == 0 {
		return g
	}
	ctx, cancel := context.WithTimeout(r.Context(), goalTime)
	defer cancel()
	want, n := strings.ToLower(g.Words), 0
	err = format.Chapters(ctx, b, file.MediaType, func(c format.Chapter) error {
		if c.Index >= chapter || n > maxNth {
			return errThere
		}
		n += strings.Count(strings.ToLower(c.Text), want)
		return nil
	})
	if err == nil || errors.Is(err, errThere) {
		g.Nth = min(n, maxNth)
	}
	return g
}
