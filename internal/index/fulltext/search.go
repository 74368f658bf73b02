package fulltext

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/index/exec"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
	"wenlan/internal/record"
)

// Query is what is asked.
type Query struct {
	Text      string // in the language of package query; what can be no text gives nothing
	Record    int64  // this record alone; 0: all
	Limit     int    // default 10, at most MaxLimit
	PerRecord int    // hits of one record in an answer; 0: any number
	After     string // go on after the hit with this key

	// Within bounds the time for all of it, half of it for the search itself; 0: as
	// configured.
	Within time.Duration

	// May says whether who asks may read a file of a record, now. It is asked for
	// each hit. nil: a visitor.
	May func(st *record.State, file record.File, withdrawals []record.Withdrawal) bool
}

// MaxLimit is how many hits an answer has at most.
const MaxLimit = 50

// Hit is a chapter or page that matches.
type Hit struct {
	Record int64
	File   record.File
	Part   int    // index of the chapter, from 0
	Title  string // of the chapter; may be empty
	Score  float64
	Key    string // for Query.After

	// Snippet is the text around the best place, at most 240 characters in one line
	// (of scripts without spaces, half as many),
	// and Spans the words that were asked for in it. It is text, whatever it holds.
	// Empty: there was no time to read the file.
	Snippet       string
	Spans         []index.Span
	Before, After bool   // text of the chapter comes before, and after
	Words         string // as they stand at that place, for the reader to find
}

// ReaderQuery is the query of the reader's address at which a hit opens: the
// chapter, the words, and the file where the record has several texts.
func (h Hit) ReaderQuery(st *record.State) url.Values {
	v := url.Values{"chapter": {strconv.Itoa(h.Part)}}
	if h.Words != "" {
		v.Set("q", h.Words)
	}
	texts := 0
	for _, f := range st.Files {
		if f.Role == record.RoleText {
			texts++
		}
	}
	if texts > 1 {
		v.Set("file", h.File.Name)
	}
	return v
}

// Result is the answer to a query.
type Result struct {
	Hits     []Hit
	Total    int64  // chapters that match, also those that are not open to who asks
	Exact    bool   // false: Total is an estimate
	Next     string // Query.After for what follows; empty: nothing does
	Complete bool   // false: the view has not yet read all that the catalogue has
	Took     time.Duration
}

// model ranks chapters. The token of the record must be in each and say nothing.
var model = exec.NewModel(1.2, 0.75, [segment.NumFields]float32{1, 1, 1, 1, 1, 1e9, 1, 1})

// Search answers a query. Any Query is valid but for a key of another kind
// (errs.Invalid).
func (x *FullText) Search(ctx context.Context, q Query) (*Result, error) {
	start := time.Now()
	res := &Result{Exact: true, Complete: x.Cursor() >= x.cfg.Records.Cursor()}
	if err := x.Ready(); err != nil {
		return nil, err
	}
	parsed := query.Parse(q.Text)
	looked := patterns(parsed.Root)
	if len(looked) == 0 {
		return res, nil
	}
	if q.Limit <= 0 {
		q.Limit = 10
	}
	q.Limit = min(q.Limit, MaxLimit)
	if q.Record != 0 {
		self := &query.Term{Text: recordToken(q.Record), Fields: segment.ID.Bit(), Whole: true}
		of := []query.Node{self, parsed.Root}
		if and, ok := parsed.Root.(*query.And); ok {
			of = append([]query.Node{self}, and.Of...)
		}
		whole := *parsed
		whole.Root = &query.And{Of: of}
		parsed = &whole
		q.PerRecord = 0
	}
	req := &exec.Request{Query: parsed, Limit: q.Limit, Strict: true, Model: model}
	if q.PerRecord > 0 {
		req.Limit = min(q.Limit*8, 400)
	}
	if q.After != "" {
		key, err := exec.ParseKey(q.After)
		if err != nil {
			return nil, err
		}
		req.After = &key
	}
	snap, release := x.store.Snapshot()
	defer release()
	budget, snippets := x.cfg.Budget, x.cfg.SnippetFor
	if q.Within > 0 {
		budget, snippets = min(budget, q.Within/2), min(snippets, q.Within)
	}
	ans, err := exec.Run(ctx, snap.Segments, req, exec.Budget{Deadline: start.Add(budget), Work: x.cfg.Work, Gate: x.gate})
	if err != nil {
		return nil, fmt.Errorf("search in texts: %w", err)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	res.Total, res.Exact = ans.Total, ans.Exact
	if q.Within > 0 {
		snippets = min(snippets, q.Within-time.Since(start))
	}
	limited, cancel := context.WithTimeout(ctx, snippets)
	defer cancel()
	had := map[int64]int{}
	seen := 0
	for _, h := range ans.Hits {
		if len(res.Hits) == q.Limit {
			break
		}
		seen++
		if q.PerRecord > 0 && had[h.Record] == q.PerRecord {
			continue
		}
		hit, ok, err := x.hit(ctx, limited, q, looked, h)
		if err != nil {
			return nil, err
		}
		if ok {
			had[h.Record]++
			res.Hits = append(res.Hits, hit)
		}
	}
	if seen > 0 && (seen < len(ans.Hits) || len(ans.Hits) == req.Limit) {
		res.Next = ans.Hits[seen-1].Key.String()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	res.Took = time.Since(start)
	return res, nil
}

// hit makes a hit of what the engine found; false when it is not open to who asks,
// or has changed since.
func (x *FullText) hit(ctx, limited context.Context, q Query, looked []pattern, h exec.Hit) (Hit, bool, error) {
	out := Hit{Record: h.Record, Part: int(h.Part), Score: h.Score, Key: h.Key.String()}
	st, err := x.cfg.Records.Record(ctx, h.Record)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
		return out, false, nil
	}
	if err != nil {
		return out, false, err
	}
	file, ok := File(st)
	if !ok || st.MergedInto != nil {
		return out, false, nil
	}
	out.File = file
	withdrawals, err := x.cfg.Records.BlobWithdrawals(ctx, file.SHA256)
	if err != nil {
		return out, false, err
	}
	if q.May == nil {
		ok = record.Decide(record.Question{State: st, BlobWithdrawals: withdrawals, Standing: record.Visitor, At: x.cfg.Now()}).Read
	} else {
		ok = q.May(st, file, withdrawals)
	}
	if !ok {
		return out, false, nil
	}
	c, err := x.chapter(limited, file, out.Part)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return out, false, ctx.Err()
	case limited.Err() != nil:
		return out, true, nil // found, and no time to show it
	default: // not there, or not what was indexed
		return out, false, nil
	}
	out.Title = c.Title
	s := snippetOf(c.Text, looked)
	out.Snippet, out.Spans, out.Before, out.After, out.Words = s.text, s.spans, s.before, s.after, s.words
	return out, true, nil
}

// Progress says how many entries have been read, of those that the catalogue has.
func (x *FullText) Progress() (done, of int64) {
	done = x.Cursor()
	return done, max(done, x.cfg.Records.Cursor())
}
