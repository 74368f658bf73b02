package fulltext

import (
	"context"
	"log/slog"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/index/exec"
	"wenlan/internal/index/segment"
	"wenlan/internal/index/store"
	"wenlan/internal/record"
	"wenlan/internal/view"
)

// format is that of the store, of analysis and of apply.go together; whoever
// changes one of them takes the next number.
const format = 2

// Name is the view's name.
const Name = "fulltext"

// Records is what the view needs of the catalogue, which must be applied before it.
type Records interface {
	// Record is the state of a record; errs.NotFound and errs.Gone when there is none.
	Record(ctx context.Context, n int64) (*record.State, error)
	// Named gives the records that an entry names, or named until it was erased.
	Named(ctx context.Context, entry int64) ([]int64, error)
	// ByBlob gives the records that name a blob.
	ByBlob(ctx context.Context, sha256 string) ([]int64, error)
	// BlobWithdrawals are those in force that name the blob itself.
	BlobWithdrawals(ctx context.Context, sha256 string) ([]record.Withdrawal, error)
	// Cursor is how many entries the catalogue has followed.
	Cursor() int64
}

// Blobs is what the view needs of the files.
type Blobs interface {
	// Open opens a blob by its hash; errs.NotFound when it is not there.
	Open(ctx context.Context, sha256 string) (blob.Blob, error)
}

// Config says where the view is and what it reads.
type Config struct {
	Dir      string // DATA/views/fulltext
	ReadOnly bool   // another process writes
	Records  Records
	Blobs    Blobs
	Now      func() time.Time // for the access of a record; nil: time.Now
	Log      *slog.Logger     // nil: none

	MaxText     int           // bytes of text of one work; default 16 MiB
	MaxTokens   int           // of one work; default 2 million
	MaxChapters int           // of one work; default 10,000
	MaxTime     time.Duration // to read one work; default 30 s

	Budget     time.Duration // of one query; default 500 ms
	Work       int64         // postings that one query may look at; default 20 million
	SnippetFor time.Duration // to make the snippets of one query; default 800 ms
	CacheBytes int           // of chapters that were read for snippets; default 8 MiB
}

// FullText is the view. Its reading methods may be used at once, and with Apply.
type FullText struct {
	cfg   Config
	store *store.Store
	gate  *exec.Gate
	texts *texts
}

var _ view.View = (*FullText)(nil)

// Open opens the view, empty when there is none. One that is damaged or of another
// format opens, too, and is not Ready.
func Open(ctx context.Context, cfg Config) (*FullText, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	number := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	number(&cfg.MaxText, 16<<20)
	number(&cfg.MaxTokens, 2_000_000)
	number(&cfg.MaxChapters, 10_000)
	number(&cfg.CacheBytes, 8<<20)
	span := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	span(&cfg.MaxTime, 30*time.Second)
	span(&cfg.Budget, 500*time.Millisecond)
	span(&cfg.SnippetFor, 800*time.Millisecond)
	if cfg.Work <= 0 {
		cfg.Work = 20_000_000
	}
	s, err := store.Open(ctx, store.Config{
		Dir: cfg.Dir, Name: Name, Format: format, ReadOnly: cfg.ReadOnly, Log: cfg.Log,
		Segment: segment.Options{Positions: true}, BuildBytes: 64 << 20, Workers: 1,
	})
	if err != nil {
		return nil, err
	}
	return &FullText{cfg, s, exec.NewGate(1), newTexts(cfg.CacheBytes)}, nil
}

// Name implements [view.View].
func (x *FullText) Name() string { return Name }

// Format implements [view.View].
func (x *FullText) Format() int { return format }

// Cursor implements [view.View].
func (x *FullText) Cursor() int64 { return x.store.Cursor() }

// Library implements [view.View].
func (x *FullText) Library() string { return x.store.Library() }

// Ready implements [view.View]; being behind is no reason not to be.
func (x *FullText) Ready() error { return x.store.Ready() }

// Close implements [view.View].
func (x *FullText) Close() error { return x.store.Close() }

// Check reads the whole view and says what is wrong with it.
func (x *FullText) Check(ctx context.Context) error { return x.store.Check(ctx) }

// Apply implements [view.View], but in pieces, see the package.
func (x *FullText) Apply(ctx context.Context, batch []view.Entry) error {
	return x.apply(ctx, x.store, batch)
}

// Rebuild implements [view.View].
func (x *FullText) Rebuild(ctx context.Context) (view.Building, error) {
	d, err := x.store.Draft(ctx)
	if err != nil {
		return nil, err
	}
	return &building{x, d}, nil
}

type building struct {
	x     *FullText
	draft *store.Draft
}

func (b *building) Cursor() int64 { return b.draft.Cursor() }

func (b *building) Apply(ctx context.Context, batch []view.Entry) error {
	return b.x.apply(ctx, b.draft, batch)
}

func (b *building) Commit(ctx context.Context) error { return b.draft.Commit(ctx) }

func (b *building) Discard() error { return b.draft.Discard() }
