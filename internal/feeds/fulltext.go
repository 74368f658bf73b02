package feeds

import (
	"net/http"
	"net/url"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/record"
)

// TextSearchJSON is the answer of /api/v1/fulltext.
type TextSearchJSON struct {
	Hits     []TextHitJSON `json:"hits"`
	Total    int64         `json:"total"`    // chapters and pages that match, also those closed to who asks
	Exact    bool          `json:"exact"`    // false: total is an estimate
	Complete bool          `json:"complete"` // false: some texts have not been read yet
	TookMS   float64       `json:"took_ms"`
	Limit    int           `json:"limit"`
	Next     string        `json:"next,omitempty"` // after=NEXT goes on from here
}

// TextHitJSON is a chapter or page in which the words stand.
type TextHitJSON struct {
	Record       int64            `json:"record"`
	Title        string           `json:"title"` // of the record
	Creators     []record.Creator `json:"creators"`
	File         string           `json:"file"`                    // its name
	Chapter      int              `json:"chapter"`                 // from 0: in the order of reading; of a PDF, the page
	ChapterTitle string           `json:"chapter_title,omitempty"` // of the chapter
	Snippet      []TextPartJSON   `json:"snippet"`                 // empty when there was no time to read the text
	URL          string           `json:"url"`                     // root-absolute: the reader at that place
	Score        float64          `json:"score"`
}

// TextPartJSON is a piece of a snippet; the pieces together are its text.
type TextPartJSON struct {
	Text  string `json:"text"`
	Match bool   `json:"match"` // it was asked for
}

// apiFullText searches inside what is open to who asks.
func (f *Feeds) apiFullText(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if f.cfg.FullText == nil {
		return errs.New(errs.NotFound, "this library does not search inside texts")
	}
	ctx, reader := r.Context(), f.reader(r)
	query := fulltext.Query{PerRecord: 3, After: q.Get("after")}
	var err error
	if query.Text, err = queryText(q); err != nil {
		return err
	}
	if query.Limit, err = number(q, "limit", 10, 1, fulltext.MaxLimit); err != nil {
		return err
	}
	if len(query.After) > maxKey {
		return errs.New(errs.Invalid, "after is what the last answer gave as next")
	}
	n, err := number(q, "record", 0, 0, 1<<53)
	if err != nil {
		return err
	}
	query.May = func(st *record.State, _ record.File, withdrawals []record.Withdrawal) bool {
		return record.Decide(reader.question(st, withdrawals)).Read
	}
	if query.Record = int64(n); q.Get("record") != "" {
		if err := f.textDoor(r, query.Record, reader); err != nil {
			return err
		}
	}
	res, err := f.cfg.FullText.Search(ctx, query)
	if err != nil {
		return err
	}
	out := TextSearchJSON{Hits: []TextHitJSON{}, Total: res.Total, Exact: res.Exact, Complete: res.Complete, Limit: query.Limit, Next: res.Next,
		TookMS: float64(res.Took.Round(time.Microsecond).Microseconds()) / 1000}
	for _, h := range res.Hits {
		st, err := f.cfg.Catalog.Record(ctx, h.Record)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return err
		}
		out.Hits = append(out.Hits, TextHitJSON{
			Record: h.Record, Title: st.Record.Title, Creators: list(st.Record.Creators), File: h.File.Name,
			Chapter: h.Part, ChapterTitle: h.Title, Snippet: parts(h.Snippet, h.Spans),
			URL: recordPath(h.Record) + "/read?" + h.ReaderQuery(st).Encode(), Score: h.Score,
		})
	}
	f.writeJSON(w, r, http.StatusOK, out)
	return nil
}

// textDoor is the error of a record whose text this reader may not read.
func (f *Feeds) textDoor(r *http.Request, n int64, reader Reader) error {
	st, err := f.cfg.Catalog.Record(r.Context(), n)
	if err != nil {
		return err
	}
	file, ok := fulltext.File(st)
	if !ok {
		if err := record.Decide(reader.question(st, nil)).Err(); err != nil {
			return err
		}
		return errs.New(errs.NotFound, "there is no text to search in record %d", n)
	}
	withdrawals, err := f.cfg.Catalog.BlobWithdrawals(r.Context(), file.SHA256)
	if err != nil {
		return err
	}
	return record.Decide(reader.question(st, withdrawals)).Err()
}

// parts cuts a snippet at its highlights.
func parts(text string, spans []index.Span) []TextPartJSON {
	out := []TextPartJSON{}
	at := 0
	add := func(to int, match bool) {
		if to > at {
			out = append(out, TextPartJSON{text[at:to], match})
		}
		at = to
	}
	for _, s := range spans {
		if s.Start < at || s.End <= s.Start || s.End > len(text) {
			continue
		}
		add(s.Start, false)
		add(s.End, true)
	}
	add(len(text), false)
	return out
}
