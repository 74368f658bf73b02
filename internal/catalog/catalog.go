// Package catalog is the catalogue view: which entries of the register make up
// each record, and the keys by which records are found.
//
// It stores keys and entry indices, not text. [Catalog.Record] reads the entries
// from the register and folds them; a small cache keeps the last ones. Keys are
// 64-bit hashes, and every answer found by a key is checked against the record
// itself, so two values with the same hash are never taken for one another.
//
// # On disk
//
// One SQLite file, DATA/views/catalog/NUMBER.db (see schema.sql), and beside it the
// keys in sorted runs, NUMBER.ID.run (see keys.go and [wenlan/internal/catalog/keyset]).
// Together they take some 100 bytes a record. Deleting the folder loses nothing.
//
// # Promises
//
// Apply is atomic with the cursor. Applying the register from its start gives the
// same rows as having followed it entry by entry, also when entries have been
// erased meanwhile. No query reads more rows than it answers, apart from a bounded
// number that it must check. Counts are maintained, not counted. Memory is bounded
// by Config, whatever the size of the library.
package catalog

import (
	"context"
	_ "embed" // schema.sql
	"log/slog"
	"sync/atomic"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
)

// format is that of schema.sql and of what apply.go writes into it; whoever
// changes either takes the next number.
const format = 3

//go:embed schema.sql
var schema string

// Config says where the catalogue is and what it reads.
type Config struct {
	Dir        string      // DATA/views/catalog
	ReadOnly   bool        // another process writes
	Source     view.Source // the register
	Body       view.Body   // body blobs
	CacheBytes int         // of folded records, as the bytes of their entries; default 2 MiB
	Refused    Refused     // nil: nothing
	Now        func() time.Time
	Log        *slog.Logger

	recentKeys int // see maxRecent, which is the default
}

// Refused says what the keeper of this copy does not serve, though the register
// does not close it; nil where there is nothing. It is not part of the view: it
// counts when a record or the withdrawals of a blob are asked for.
type Refused interface {
	Record(n int64) *record.Withdrawal
	Blob(sha256 string) *record.Withdrawal
}

// Catalog is the catalogue. Its methods may be used at once, except that Apply is
// called by one goroutine at a time.
type Catalog struct {
	cfg    Config
	db     *sqldb.Derived
	cache  *cache
	counts atomic.Pointer[countsOfDay] // as of the last Apply; nil: to be read
}

var _ view.View = (*Catalog)(nil)

// Open opens the catalogue, empty when there is none. One that is damaged or of
// another format opens, too, and is not Ready.
func Open(ctx context.Context, cfg Config) (*Catalog, error) {
	if cfg.CacheBytes <= 0 {
		cfg.CacheBytes = 2 << 20
	}
	if cfg.ReadOnly {
		cfg.CacheBytes = 0 // another process changes what is cached
	}
	if cfg.recentKeys <= 0 {
		cfg.recentKeys = maxRecent
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	db, err := sqldb.OpenDerived(ctx, sqldb.DerivedConfig{
		Dir: cfg.Dir, Name: "catalog", Format: format, Schema: schema, ReadOnly: cfg.ReadOnly, Log: cfg.Log,
		Attach: attachKeys(cfg),
	})
	if err != nil {
		return nil, err
	}
	return &Catalog{cfg: cfg, db: db, cache: newCache(cfg.CacheBytes)}, nil
}

// Name implements [view.View].
func (c *Catalog) Name() string { return "catalog" }

// Format implements [view.View].
func (c *Catalog) Format() int { return format }

// Cursor implements [view.View].
func (c *Catalog) Cursor() int64 { return c.db.Cursor() }

// Library implements [view.View].
func (c *Catalog) Library() string { return c.db.Library() }

// Ready implements [view.View].
func (c *Catalog) Ready() error { return c.db.Ready() }

// Close implements [view.View].
func (c *Catalog) Close() error { return c.db.Close() }

// Apply implements [view.View].
func (c *Catalog) Apply(ctx context.Context, batch []view.Entry) error {
	g, release, err := c.db.Acquire()
	if err != nil {
		return err
	}
	defer release()
	touched, err := c.apply(ctx, g, batch)
	if err != nil {
		return err
	}
	c.cache.forget(touched)
	c.counts.Store(nil)
	return nil
}

// Rebuild implements [view.View].
func (c *Catalog) Rebuild(ctx context.Context) (view.Building, error) {
	d, err := c.db.Draft(ctx)
	if err != nil {
		return nil, err
	}
	return &building{c: c, draft: d}, nil
}

type building struct {
	c     *Catalog
	draft *sqldb.Draft
}

func (b *building) Cursor() int64 { return b.draft.Cursor() }

func (b *building) Apply(ctx context.Context, batch []view.Entry) error {
	_, err := b.c.apply(ctx, b.draft.Generation, batch)
	return err
}

func (b *building) Commit(ctx context.Context) error {
	if err := b.draft.Commit(ctx); err != nil {
		return err
	}
	b.c.cache.clear()
	b.c.counts.Store(nil)
	return nil
}

func (b *building) Discard() error { return b.draft.Discard() }

// Check reads the whole file and says what is wrong with it.
func (c *Catalog) Check(ctx context.Context) error {
	g, release, err := c.db.Acquire()
	if err != nil {
		return err
	}
	defer release()
	if err := g.Check(ctx); err != nil {
		return err
	}
	for _, run := range keysOf(g).now.Load().Runs {
		if err := run.Check(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// ListQuery asks for accession numbers, in order of accession.
type ListQuery struct {
	After       int64 // go on after this number; 0: from the start (entry 0 is never a record)
	Limit       int   // default 50, at most 1000
	Newest      bool  // newest first
	NeedsRights bool  // only those with files that nobody has said may be served
	Duplicates  bool  // only those that look the same as another, also where the two were told apart
}

// Duplicate is a record that looks the same as another, and why.
type Duplicate struct {
	Record int64
	Why    string // "bytes", "isbn", "doi" or another scheme of [record.IsEditionScheme], or "title"
}

// Counts is how much there is. Merged and erased records do not count.
type Counts struct {
	Records   int64
	Files     int64
	Bytes     int64   // of all files of all records; a file of two records counts twice
	Readable  int64   // records that any visitor may read today, as far as the register says
	Languages []Count // by primary subtag, most first; a record counts in each of its languages
	Kinds     []Count // most first
	Years     []Count // newest first
}

// Count is a value and how many records have it.
type Count struct {
	Key string
	N   int64
}

// errNotFound is the answer for a number that is no record's.
func errNotFound(n int64) error { return errs.New(errs.NotFound, "there is no record %d", n) }

func errGone(n int64) error { return errs.New(errs.Gone, "record %d has been erased", n) }

// entry is entry i: of the batch that is being applied, or else of the register.
func (c *Catalog) entry(ctx context.Context, i int64, batch []view.Entry) (view.Entry, error) {
	if len(batch) > 0 {
		if at := i - batch[0].Index; at >= 0 && at < int64(len(batch)) {
			return batch[at], nil
		}
	}
	raw, err := c.cfg.Source.Entry(ctx, i)
	if errs.Is(err, errs.Gone) {
		return view.Entry{Index: i}, nil
	}
	if err != nil {
		return view.Entry{}, err
	}
	return view.Decode(ctx, i, raw, c.cfg.Body)
}

// fold makes the state of record n out of the entries that name it. broken is an
// error that lies in the entries and will not go away; err one that may.
func (c *Catalog) fold(ctx context.Context, n int64, indices []int64, batch []view.Entry) (st *record.State, bytes int, broken, err error) {
	entries := make([]view.Entry, 0, len(indices))
	for _, i := range indices {
		e, err := c.entry(ctx, i, batch)
		if err != nil {
			return nil, 0, nil, err
		}
		if e.Raw == nil && i != n {
			continue // erased: the entry says nothing any more
		}
		entries = append(entries, e)
		bytes += len(e.Raw)
	}
	st, outside, err := view.Fold(ctx, n, entries, c.cfg.Body)
	if err != nil && !outside && ctx.Err() == nil {
		return nil, 0, errs.New(errs.Corrupt, "the register says of record %d what makes no record: %w", n, err), nil
	}
	return st, bytes, nil, err
}
