package fulltext

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"wenlan/internal/errs"
	form "wenlan/internal/format"
	"wenlan/internal/index/analysis"
	"wenlan/internal/index/segment"
	"wenlan/internal/index/store"
	"wenlan/internal/record"
	"wenlan/internal/view"
)

// pieceTokens is how many tokens a piece of a batch has, about, before it is
// applied; a work is never divided.
const pieceTokens = 500_000

// applier is a store, or the draft of its next generation.
type applier interface {
	Cursor() int64
	Apply(ctx context.Context, b store.Batch) error
}

// apply folds a batch of entries into a store, in pieces.
func (x *FullText) apply(ctx context.Context, to applier, batch []view.Entry) error {
	if len(batch) == 0 {
		return nil
	}
	if batch[0].Index != to.Cursor() {
		return fmt.Errorf("fulltext: a batch from entry %d at cursor %d", batch[0].Index, to.Cursor())
	}
	var piece store.Batch
	if batch[0].Index == 0 {
		piece.Library = view.Library(batch[0].Raw)
	}
	tokens := 0
	done := map[int64]bool{} // what is read once is as new as the catalogue
	for i, e := range batch {
		records, err := x.named(ctx, e)
		if err != nil {
			return fmt.Errorf("fulltext: entry %d: %w", e.Index, err)
		}
		for _, n := range records {
			if done[n] {
				continue
			}
			done[n] = true
			docs, size, err := x.documents(ctx, n)
			if err != nil {
				return fmt.Errorf("fulltext: record %d: %w", n, err)
			}
			piece.Docs = append(piece.Docs, docs...)
			if tokens += size; len(docs) == 0 && n < batch[0].Index {
				piece.Delete = append(piece.Delete, n)
			}
		}
		if tokens >= pieceTokens || i == len(batch)-1 {
			piece.Cursor = e.Index + 1
			if err := to.Apply(ctx, piece); err != nil {
				return err
			}
			piece, tokens = store.Batch{}, 0
		}
	}
	return nil
}

// named are the records that change by an entry; of an accession, only one that
// has files.
func (x *FullText) named(ctx context.Context, e view.Entry) ([]int64, error) {
	i := e.Index
	if !e.Known && !e.Entry.Critical {
		return nil, nil
	}
	if e.Known && e.Entry.Type == record.TypeAccession {
		if len(e.Entry.Files) == 0 {
			return nil, nil
		}
		return []int64{i}, nil
	}
	records, blobs := e.Entry.Names(i)
	ask := []int64{i}
	if e.Known && e.Entry.Type == record.TypeErasure {
		ask = e.Entry.Entries
	}
	for _, j := range ask {
		more, err := x.cfg.Records.Named(ctx, j)
		if err != nil {
			return nil, err
		}
		records = append(records, more...)
	}
	for _, sha256 := range blobs {
		more, err := x.cfg.Records.ByBlob(ctx, sha256)
		if err != nil {
			return nil, err
		}
		records = append(records, more...)
	}
	slices.Sort(records)
	return slices.DeleteFunc(slices.Compact(records), func(n int64) bool { return n >= i || n < 0 }), nil
}

// forms are the media types whose text is searched, the one that reads best first.
var forms = []string{form.MediaEPUB, form.MediaPDF, form.MediaHTML, form.MediaMarkdown, form.MediaText}

// File is the file of a record whose text is searched: the text that the reader
// would open. false: there is none.
func File(st *record.State) (record.File, bool) {
	best, rank := record.File{}, len(forms)
	for _, f := range st.Files {
		if f.Role != record.RoleText {
			continue
		}
		base, _, _ := strings.Cut(f.MediaType, ";")
		base = strings.ToLower(strings.TrimSpace(base))
		if base == "application/xhtml+xml" {
			base = form.MediaHTML
		}
		if i := slices.Index(forms, base); i >= 0 && i < rank {
			best, rank = f, i
		}
	}
	return best, rank < len(forms)
}

// documents makes the documents of a record; none when it is not to be found here.
// The error is of the catalogue or of ctx.
func (x *FullText) documents(ctx context.Context, n int64) ([]*segment.Doc, int, error) {
	st, err := x.cfg.Records.Record(ctx, n)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) || errs.Is(err, errs.Corrupt) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	file, ok := File(st)
	if !ok || st.MergedInto != nil {
		return nil, 0, nil
	}
	open, err := x.open(ctx, st, file)
	if err != nil || !open {
		return nil, 0, err
	}
	docs, size, err := x.read(ctx, st, file)
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	if err != nil && !errs.Is(err, errs.NotFound) {
		x.cfg.Log.WarnContext(ctx, "a text is not searched to its end", "record", n, "file", file.SHA256, "chapters", len(docs), "err", err)
	}
	return docs, size, nil
}

// open says whether a visitor may read a file now.
func (x *FullText) open(ctx context.Context, st *record.State, file record.File) (bool, error) {
	withdrawals, err := x.cfg.Records.BlobWithdrawals(ctx, file.SHA256)
	if err != nil {
		return false, err
	}
	return record.Decide(record.Question{State: st, BlobWithdrawals: withdrawals, Standing: record.Visitor, At: x.cfg.Now()}).Read, nil
}

var errEnough = errors.New("the rest is longer than is searched")

// read makes documents of a file's chapters. What could be read comes with the
// error.
func (x *FullText) read(ctx context.Context, st *record.State, file record.File) (docs []*segment.Doc, size int, err error) {
	b, err := x.cfg.Blobs.Open(ctx, file.SHA256)
	if err != nil {
		return nil, 0, err
	}
	defer b.Close()
	limited, cancel := context.WithTimeout(ctx, x.cfg.MaxTime)
	defer cancel()
	year := view.Year(st.Record.Issued)
	if year < math.MinInt16 || year > math.MaxInt16 {
		year = 0
	}
	languages, kind, self := view.Languages(st.Record), view.Kind(st.Record), recordToken(st.Number)
	known := map[string]string{} // a word is held once, however often it stands there
	var an analysis.Analyzer
	var scratch []string
	text := 0
	err = form.Chapters(limited, b, file.MediaType, func(c form.Chapter) error {
		if c.Index < 0 || c.Index > math.MaxInt32 || len(docs) >= x.cfg.MaxChapters || text >= x.cfg.MaxText || size >= x.cfg.MaxTokens {
			return errEnough
		}
		if len(c.Text) > x.cfg.MaxText-text {
			c.Text = strings.ToValidUTF8(c.Text[:x.cfg.MaxText-text], "")
		}
		text += len(c.Text)
		scratch = scratch[:0]
		for part := range pieces(c.Text) {
			if scratch = an.Append(scratch, part); size+len(scratch) > x.cfg.MaxTokens {
				break
			}
		}
		if len(scratch) == 0 {
			return nil
		}
		d := &segment.Doc{Record: st.Number, Part: int32(c.Index), Year: int16(year), Kind: kind, Languages: languages}
		tokens := make([]string, len(scratch))
		for i, t := range scratch {
			have, ok := known[t]
			if !ok {
				have = strings.Clone(t)
				known[have] = have
			}
			tokens[i] = have
		}
		d.Tokens[segment.Body], d.Tokens[segment.ID] = tokens, []string{self}
		docs = append(docs, d)
		size += len(tokens)
		return nil
	})
	return docs, size, err
}

// recordToken is the token that all documents of a record have; nothing that is
// typed gives it.
func recordToken(n int64) string { return analysis.MarkID + "\x00" + strconv.FormatInt(n, 10) }

// pieces cuts a text for the analyser, which looks at so much at once, at the ends
// of lines or words. It is the same for what is stored and what is shown.
func pieces(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(text) > 0 {
			n := len(text)
			if n > analysis.MaxField {
				n = analysis.MaxField
				if i := strings.LastIndexAny(text[n/2:n], "\n "); i >= 0 {
					n = n/2 + i + 1
				} else {
					for n > 1 && !utf8.RuneStart(text[n]) {
						n--
					}
				}
			}
			if !yield(text[:n]) {
				return
			}
			text = text[n:]
		}
	}
}
