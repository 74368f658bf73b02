package feeds

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/record"
)

// HitJSON is one hit of a search, as /api/v1/search and `wenlan search --json`
// give it. Lists are never null.
type HitJSON struct {
	Record    int64            `json:"record"` // the accession number
	Title     string           `json:"title"`
	Creators  []record.Creator `json:"creators"`
	Languages []string         `json:"languages"` // BCP 47
	Issued    string           `json:"issued"`    // EDTF, or empty
	Kind      record.Kind      `json:"kind"`
	Score     float64          `json:"score"`              // higher is better; comparable within one answer only
	Editions  []int64          `json:"editions,omitempty"` // where editions are grouped: the other hits of the same work that this one stands for
}

// NewHit makes the JSON of a hit from the record and its score.
func NewHit(st *record.State, score float64) HitJSON {
	return HitJSON{
		Record:    st.Number,
		Title:     st.Record.Title,
		Creators:  list(st.Record.Creators),
		Languages: list(st.Record.Languages),
		Issued:    st.Record.Issued,
		Kind:      st.Record.Kind,
		Score:     score,
	}
}

// NewHits looks up the records of a result and makes the JSON of its hits. A
// record that was erased since it was indexed is left out.
func NewHits(ctx context.Context, records Records, res *index.Result) ([]HitJSON, error) {
	hits := make([]HitJSON, 0, len(res.Hits))
	for _, h := range res.Hits {
		st, err := records.Record(ctx, h.Record)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		hits = append(hits, NewHit(st, h.Score))
	}
	return hits, nil
}

// Works says which records are editions of one work; the catalogue does.
type Works interface {
	Works(ctx context.Context, numbers []int64) (map[int64]int64, error)
}

// Editions is what hits are grouped by; *catalog.Catalog is one.
type Editions interface {
	Records
	Withdrawals
	Works
}

// NewGrouped is NewHits with one hit for each work: of its editions one that this reader
// can read, then one in the language, if one is given, then the best. The others of an
// answer are its Editions.
func NewGrouped(ctx context.Context, from Editions, res *index.Result, rd Reader, language string) ([]HitJSON, error) {
	numbers := make([]int64, len(res.Hits))
	for i, h := range res.Hits {
		numbers[i] = h.Record
	}
	of, err := from.Works(ctx, numbers)
	if err != nil {
		return nil, err
	}
	shown, others := index.Grouped(res.Hits, of, func(n int64) int {
		st, err := from.Record(ctx, n)
		if err != nil {
			return -1 // gone by now, or said below
		}
		return index.Rank(readable(ctx, from, st, rd), st.Record, language)
	})
	hits, err := NewHits(ctx, from, &index.Result{Hits: shown})
	for i := range hits {
		hits[i].Editions = others[hits[i].Record]
	}
	return hits, err
}

// readable says whether a record has a text that the reader may read.
func readable(ctx context.Context, withdrawals Withdrawals, st *record.State, rd Reader) bool {
	for _, file := range st.Files {
		if file.Role != record.RoleText && file.Role != "" {
			continue
		}
		if ws, err := withdrawals.BlobWithdrawals(ctx, file.SHA256); err == nil && record.Decide(rd.question(st, ws)).Read {
			return true
		}
	}
	return false
}

// SearchEndJSON closes a search: the last object of `wenlan search --json`, and
// part of [SearchJSON].
type SearchEndJSON struct {
	Total      int64   `json:"total"`                  // how many records match
	Exact      bool    `json:"exact"`                  // false: total and facets are estimates
	Partial    bool    `json:"partial"`                // no record has all the words: these have the most of them
	Corrected  string  `json:"corrected,omitempty"`    // the query that was answered instead
	DidYouMean string  `json:"did_you_mean,omitempty"` // a query that would find more
	TookMS     float64 `json:"took_ms"`                // the time that the search took
}

// NewSearchEnd makes the JSON that closes a search.
func NewSearchEnd(res *index.Result) SearchEndJSON {
	return SearchEndJSON{
		Total: res.Total, Exact: res.Exact, Partial: res.Partial, Corrected: res.Corrected, DidYouMean: res.DidYouMean,
		TookMS: float64(res.Took.Microseconds()) / 1000,
	}
}

// SearchJSON is the answer of /api/v1/search.
type SearchJSON struct {
	Hits []HitJSON `json:"hits"`
	SearchEndJSON
	Page   int                    `json:"page"`
	Limit  int                    `json:"limit"`
	Next   string                 `json:"next,omitempty"` // after=NEXT goes on from here
	Facets map[string][]FacetJSON `json:"facets"`         // language, kind, year, subject, creator, access
}

// FacetJSON is how many matches have a value.
type FacetJSON struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// facetNames are the keys of SearchJSON.Facets, all of them always there.
var facetNames = []string{index.FacetLanguage, index.FacetKind, index.FacetYear, index.FacetSubject, index.FacetCreator, index.FacetAccess}

func newFacets(in map[string][]index.FacetCount) map[string][]FacetJSON {
	out := make(map[string][]FacetJSON, len(facetNames))
	for _, name := range facetNames {
		counts := make([]FacetJSON, 0, len(in[name]))
		for _, c := range in[name] {
			counts = append(counts, FacetJSON{Value: c.Value, Count: c.N})
		}
		out[name] = counts
	}
	return out
}

// SuggestJSON is the answer of /api/v1/suggest.
type SuggestJSON struct {
	Suggestions []SuggestionJSON `json:"suggestions"`
}

// SuggestionJSON completes what someone is typing.
type SuggestionJSON struct {
	Text   string `json:"text"`
	Kind   string `json:"kind"` // title, creator, subject
	Record int64  `json:"record"`
}

// ListedJSON is one line of `wenlan list --json`.
type ListedJSON struct {
	Record int64  `json:"record"`
	Title  string `json:"title"`
}

// NewListed makes the JSON of a listed record.
func NewListed(st *record.State) ListedJSON {
	return ListedJSON{Record: st.Number, Title: st.Record.Title}
}

// GroupJSON is one line of `wenlan list --duplicates --json`.
type GroupJSON struct {
	ListedJSON
	Duplicates []AlikeJSON `json:"duplicates"`
}

// AlikeJSON is a record that looks the same as another.
type AlikeJSON struct {
	ListedJSON
	Why string `json:"why"` // "bytes", "title", or the scheme of an identifier that they share
}

// EditionJSON is another edition of a work.
type EditionJSON struct {
	ListedJSON
	Languages []string `json:"languages,omitempty"`
	Relation  string   `json:"relation,omitempty"` // what the record that was asked for says of it: has_translation, edition_of …; absent where title and author are all they share
}

// RecordJSON is a record, as /api/v1/records/N and `wenlan show --json` give it:
// the fields of the folded description, and what belongs to it.
type RecordJSON struct {
	Number int64     `json:"record"` // the accession number
	Time   time.Time `json:"time"`   // of accession
	record.Record
	Files       []FileJSON       `json:"files"`
	Rights      *record.Rights   `json:"rights"` // the last statement, or null
	Decision    DecisionJSON     `json:"decision"`
	Sources     []record.Source  `json:"sources"`
	Withdrawals []WithdrawalJSON `json:"withdrawals"`           // in force, of the record and of its files
	MergedInto  *int64           `json:"merged_into,omitempty"` // set while it is merged into another record
	History     []EventJSON      `json:"history"`               // oldest first
	Changes     []record.Change  `json:"changes,omitempty"`     // what the last entries of the history changed, oldest first
	Merged      []int64          `json:"merged,omitempty"`      // records merged into it, nearest first
	Editions    []EditionJSON    `json:"editions,omitempty"`    // other records of its work, those that relations name first
}

// FileJSON is a file of a record.
type FileJSON struct {
	record.File
	URL      string       `json:"url"` // root-absolute; what it answers is as Decision says
	Decision DecisionJSON `json:"decision"`
}

// DecisionJSON is what the reader who asks may do now.
type DecisionJSON struct {
	Read     bool          `json:"read"`
	Download bool          `json:"download"`
	Lend     bool          `json:"lend"`
	Buy      bool          `json:"buy"`
	Reason   record.Reason `json:"reason"`
}

func newDecision(d record.Decision) DecisionJSON {
	return DecisionJSON{Read: d.Read, Download: d.Download, Lend: d.Lend, Buy: d.Buy, Reason: d.Reason}
}

// EventJSON is one line of a record's history.
type EventJSON struct {
	Entry  int64       `json:"entry"`          // index in the register
	Type   record.Type `json:"type,omitempty"` // absent when erased
	Time   time.Time   `json:"time,omitzero"`
	Erased bool        `json:"erased,omitempty"` // the entry's content is gone
	Note   string      `json:"note,omitempty"`
}

// WithdrawalJSON is a closing that is in force.
type WithdrawalJSON struct {
	Entry       int64     `json:"entry"`
	Time        time.Time `json:"time"`
	Blob        string    `json:"blob,omitempty"` // set when a file and not the record is withdrawn
	Ground      string    `json:"ground,omitempty"`
	Case        string    `json:"case,omitempty"`
	Territories []string  `json:"territories,omitempty"` // absent: everywhere
	Keeper      bool      `json:"keeper,omitempty"`      // only this copy's keeper refuses it
}

// Records looks up records; *catalog.Catalog does.
type Records interface {
	Record(ctx context.Context, n int64) (*record.State, error)
}

// Withdrawals looks up the withdrawals of a blob; *catalog.Catalog does.
type Withdrawals interface {
	BlobWithdrawals(ctx context.Context, sha256 string) ([]record.Withdrawal, error)
}

// Described is what the JSON of a record is made from; *catalog.Catalog is one. Each
// answer is bounded.
type Described interface {
	Records
	Withdrawals
	Changes(ctx context.Context, n int64, most int) ([]record.Change, error)
	Merged(ctx context.Context, n int64) ([]int64, error)
	Editions(ctx context.Context, n int64) ([]catalog.Edition, error)
}

// Reader is who asks, from where and when.
type Reader struct {
	Standing record.Standing
	Place    string // ISO 3166-1 alpha-2; "" when not known
	At       time.Time
}

// question is what [record.Decide] is asked for this reader.
func (rd Reader) question(st *record.State, blob []record.Withdrawal) record.Question {
	return record.Question{State: st, BlobWithdrawals: blob, Standing: rd.Standing, Place: rd.Place, At: rd.At}
}

// NewRecord makes the JSON of a record as it is for a reader, with at most so many
// changes, the last. Lists are never null, but for the fields of the description and
// what the register has of changes, merges and editions, which are absent when empty.
func NewRecord(ctx context.Context, from Described, st *record.State, rd Reader, changes int) (RecordJSON, error) {
	rec := RecordJSON{
		Number:      st.Number,
		Time:        st.Time,
		Record:      st.Record,
		Files:       make([]FileJSON, 0, len(st.Files)),
		Rights:      st.Rights,
		Decision:    newDecision(record.Decide(rd.question(st, nil))),
		Sources:     list(st.Sources),
		Withdrawals: []WithdrawalJSON{},
		MergedInto:  st.MergedInto,
		History:     make([]EventJSON, 0, len(st.History)),
	}
	add := func(ws []record.Withdrawal) {
		for _, w := range ws {
			rec.Withdrawals = append(rec.Withdrawals, WithdrawalJSON(w))
		}
	}
	add(st.Withdrawals)
	for _, file := range st.Files {
		ws, err := from.BlobWithdrawals(ctx, file.SHA256)
		if err != nil {
			return RecordJSON{}, err
		}
		add(ws)
		rec.Files = append(rec.Files, FileJSON{
			File:     file,
			URL:      filePath(st.Number, file.Name),
			Decision: newDecision(record.Decide(rd.question(st, ws))),
		})
	}
	for _, ev := range st.History {
		rec.History = append(rec.History, EventJSON(ev))
	}
	return rec, rec.relate(ctx, from, st, changes)
}

// relate adds what changed and what else there is of the work. What was erased just now
// is left out.
func (rec *RecordJSON) relate(ctx context.Context, from Described, st *record.State, changes int) (err error) {
	gone := func(err error) bool { return errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) }
	if len(st.History) > 1 {
		if rec.Changes, err = from.Changes(ctx, st.Number, changes); err != nil && !gone(err) {
			return err
		}
	}
	if rec.Merged, err = from.Merged(ctx, st.Number); err != nil {
		return err
	}
	if st.MergedInto != nil {
		return nil
	}
	editions, err := from.Editions(ctx, st.Number)
	if err != nil && !gone(err) {
		return err
	}
	for _, e := range editions {
		other, err := from.Record(ctx, e.Record)
		if gone(err) || err == nil && other.Erased != nil {
			continue
		}
		if err != nil {
			return err
		}
		rec.Editions = append(rec.Editions, EditionJSON{ListedJSON: NewListed(other), Languages: other.Record.Languages, Relation: e.Relation})
	}
	return nil
}

// filePath is the address of a file of a record.
func filePath(n int64, name string) string {
	return recordPath(n) + "/files/" + url.PathEscape(name)
}

// recordPath is the address of a record's page.
func recordPath(n int64) string { return "/records/" + strconv.FormatInt(n, 10) }

// ErrorJSON is the body of every answer that is not 2xx or 304.
type ErrorJSON struct {
	Error ErrorBodyJSON `json:"error"`
}

// ErrorBodyJSON is a failure: a kind for the program, a sentence for the person.
type ErrorBodyJSON struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// list turns nil into an empty list, so that JSON shows [] and not null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
