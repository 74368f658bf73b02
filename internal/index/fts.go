package index

import (
	"context"
	_ "embed" // schema.sql
	"log/slog"
	"time"

	"wenlan/internal/sqldb"
	"wenlan/internal/view"
)

// format is that of schema.sql, of Analyze and of document.go; whoever changes
// one of them takes the next number.
const format = 1

//go:embed schema.sql
var schema string

// Config says where the index is and what it reads.
type Config struct {
	Dir        string        // DATA/views/index
	ReadOnly   bool          // another process writes
	Records    Records       // the catalogue
	Body       view.Body     // body blobs
	Budget     time.Duration // of one query; default 1 s
	MaxMatches int           // most matches that a query looks at; default 200,000
	Log        *slog.Logger
}

// FTS is the index on SQLite FTS5.
type FTS struct {
	cfg Config
	db  *sqldb.Derived
}

var _ Index = (*FTS)(nil)

// Open opens the index, empty when there is none. One that is damaged or of
// another format opens, too, and is not Ready.
func Open(ctx context.Context, cfg Config) (*FTS, error) {
	if cfg.Budget <= 0 {
		cfg.Budget = time.Second
	}
	if cfg.MaxMatches <= 0 {
		cfg.MaxMatches = 200_000
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	db, err := sqldb.OpenDerived(ctx, sqldb.DerivedConfig{
		Dir: cfg.Dir, Name: "index", Format: format, Schema: schema, ReadOnly: cfg.ReadOnly, Log: cfg.Log,
		CacheKiB: 4096, ReadKiB: 1024,
	})
	if err != nil {
		return nil, err
	}
	return &FTS{cfg: cfg, db: db}, nil
}

// Name implements [view.View].
func (x *FTS) Name() string { return "index" }

// Format implements [view.View].
func (x *FTS) Format() int { return format }

// Cursor implements [view.View].
func (x *FTS) Cursor() int64 { return x.db.Cursor() }

// Library implements [view.View].
func (x *FTS) Library() string { return x.db.Library() }

// Ready implements [view.View].
func (x *FTS) Ready() error { return x.db.Ready() }

// Close implements [view.View].
func (x *FTS) Close() error { return x.db.Close() }

// Apply implements [view.View].
func (x *FTS) Apply(ctx context.Context, batch []view.Entry) error {
	g, release, err := x.db.Acquire()
	if err != nil {
		return err
	}
	defer release()
	return x.apply(ctx, g, batch)
}

// Rebuild implements [view.View].
func (x *FTS) Rebuild(ctx context.Context) (view.Building, error) {
	d, err := x.db.Draft(ctx)
	if err != nil {
		return nil, err
	}
	return &building{x, d}, nil
}

type building struct {
	x     *FTS
	draft *sqldb.Draft
}

func (b *building) Cursor() int64 { return b.draft.Cursor() }

func (b *building) Apply(ctx context.Context, batch []view.Entry) error {
	return b.x.apply(ctx, b.draft.Generation, batch)
}

func (b *building) Commit(ctx context.Context) error { return b.draft.Commit(ctx) }

func (b *building) Discard() error { return b.draft.Discard() }

// Check reads the whole file and says what is wrong with it.
func (x *FTS) Check(ctx context.Context) error {
	g, release, err := x.db.Acquire()
	if err != nil {
		return err
	}
	defer release()
	return g.Check(ctx)
}
