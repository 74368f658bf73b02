// Package index is the search view.
package index

import (
	"context"
	"log/slog"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/view"
)

// Sort orders.
const (
	Relevance = "relevance"
	Newest    = "newest"
	Oldest    = "oldest"
	Title     = "title"
)

// Query is what is asked.
type Query struct {
	Text      string   // as typed: words that must all match, "phrases"
	Languages []string // any of these; a primary subtag matches its variants
	Kinds     []string // any of these
	Subjects  []string // any of these, as in the facets
	YearFrom  int      // 0: open
	YearTo    int      // 0: open
	Sort      string   // Relevance (default), Newest, Oldest or Title
	Limit     int      // default 20, at most 1000
	Offset    int
	Facets    bool
}

// Span is a range of bytes, [Start, End).
type Span struct{ Start, End int }

// Hit is a record that matches.
type Hit struct {
	Record     int64
	Score      float64
	Highlights map[string][]Span // by field ("title", "creators", "abstract"); see Index
}

// FacetCount is how many matches have a value.
type FacetCount struct {
	Value string
	N     int64
}

// Result is the answer to a query.
type Result struct {
	Hits   []Hit
	Total  int64
	Exact  bool // false: Total and Facets are lower bounds, and better hits may exist
	Took   time.Duration
	Facets map[string][]FacetCount // "language", "kind", "year", "subject"
}

// Suggestion completes what someone is typing.
type Suggestion struct {
	Text   string // a title
	Record int64
}

// Index is a search engine over the records.
type Index interface {
	view.View
	Search(ctx context.Context, q Query) (*Result, error)
	Suggest(ctx context.Context, prefix string, limit int) ([]Suggestion, error)
}

// Records is what the index needs of the catalogue.
type Records interface {
	Record(ctx context.Context, n int64) (*record.State, error)
}

// Config says where the index is and what it reads.
type Config struct {
	Dir      string  // DATA/views/index
	ReadOnly bool    // another process writes
	Records  Records // the catalogue
	Body     view.Body
	Budget   time.Duration // of one query; default 1 s
	Log      *slog.Logger
}

// FTS is the index on SQLite FTS5.
type FTS struct{ cfg Config }

var _ Index = (*FTS)(nil)
var errNot = errs.New(errs.Unavailable, "not built yet")

// Open opens the index.
func Open(ctx context.Context, cfg Config) (*FTS, error) { return &FTS{cfg}, nil }

func (x *FTS) Name() string                                         { return "index" }
func (x *FTS) Format() int                                          { return 1 }
func (x *FTS) Cursor() int64                                        { return 0 }
func (x *FTS) Library() string                                      { return "" }
func (x *FTS) Ready() error                                         { return nil }
func (x *FTS) Close() error                                         { return nil }
func (x *FTS) Apply(ctx context.Context, batch []view.Entry) error  { return errNot }
func (x *FTS) Rebuild(ctx context.Context) (view.Building, error)   { return nil, errNot }
func (x *FTS) Search(ctx context.Context, q Query) (*Result, error) { return nil, errNot }
func (x *FTS) Suggest(ctx context.Context, p string, limit int) ([]Suggestion, error) {
	return nil, errNot
}
