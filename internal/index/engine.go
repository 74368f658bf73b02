package index

import (
	"context"
	"log/slog"
	"time"

	"wenlan/internal/index/exec"
	"wenlan/internal/index/segment"
	"wenlan/internal/index/store"
	"wenlan/internal/record"
	"wenlan/internal/view"
)

// format is that of segments, manifests, analysis and documents together; whoever
// changes one of them takes the next number.
const format = 5

// Config says where the index is and what it reads.
type Config struct {
	Dir      string           // DATA/views/index
	ReadOnly bool             // another process writes
	Records  Records          // the catalogue
	Body     view.Body        // body blobs
	Budget   time.Duration    // of one query; default 1 s
	Work     int64            // postings that one query may look at; default 20 million
	Now      func() time.Time // for the access of a record; nil: time.Now
	Log      *slog.Logger
}

// Records is what the index needs of the catalogue.
type Records interface {
	// Record is the state of a record; errs.NotFound and errs.Gone when there is none.
	Record(ctx context.Context, n int64) (*record.State, error)
	// Named gives the records that an entry names, or named until it was erased.
	Named(ctx context.Context, entry int64) ([]int64, error)
	// Merged gives the records that are merged into one, directly or by way of others.
	Merged(ctx context.Context, n int64) ([]int64, error)
	// MergesOf gives the merge entries in force by which a record is merged into another,
	// though it be erased.
	MergesOf(ctx context.Context, n int64) ([]int64, error)
}

// Engine is Wenlan's own index.
type Engine struct {
	cfg   Config
	store *store.Store
	gate  *exec.Gate
}

var (
	_ Index         = (*Engine)(nil)
	_ view.Gatherer = (*Engine)(nil)
)

// Open opens the index, empty when there is none. One that is damaged or of
// another format opens, too, and is not Ready.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.Budget <= 0 {
		cfg.Budget = time.Second
	}
	if cfg.Work <= 0 {
		cfg.Work = 20_000_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s, err := store.Open(ctx, store.Config{Dir: cfg.Dir, Name: "index", Format: format, ReadOnly: cfg.ReadOnly, Segment: segment.Options{Positions: true}, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return &Engine{cfg, s, exec.NewGate(0)}, nil
}

// Name implements [view.View].
func (x *Engine) Name() string { return "index" }

// Format implements [view.View].
func (x *Engine) Format() int { return format }

// Cursor implements [view.View].
func (x *Engine) Cursor() int64 { return x.store.Cursor() }

// Library implements [view.View].
func (x *Engine) Library() string { return x.store.Library() }

// Ready implements [view.View].
func (x *Engine) Ready() error { return x.store.Ready() }

// Close implements [view.View].
func (x *Engine) Close() error { return x.store.Close() }

// Check implements [Index].
func (x *Engine) Check(ctx context.Context) error { return x.store.Check(ctx) }

// Apply implements [view.View].
func (x *Engine) Apply(ctx context.Context, batch []view.Entry) error {
	x.store.Forget() // what was gathered and has not been settled comes again
	return x.apply(ctx, x.store, batch)
}

// Rebuild implements [view.View].
func (x *Engine) Rebuild(ctx context.Context) (view.Building, error) {
	d, err := x.store.Draft(ctx)
	if err != nil {
		return nil, err
	}
	return &building{x, d}, nil
}

type building struct {
	x     *Engine
	draft *store.Draft
}

func (b *building) Cursor() int64 { return b.draft.Cursor() }

func (b *building) Apply(ctx context.Context, batch []view.Entry) error {
	return b.x.apply(ctx, b.draft, batch)
}

func (b *building) Commit(ctx context.Context) error { return b.draft.Commit(ctx) }

func (b *building) Discard() error { return b.draft.Discard() }
