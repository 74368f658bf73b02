// Package catalog is the catalogue view.
package catalog

import (
	"context"
	"log/slog"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/view"
)

// Config says where the catalogue is and what it reads.
type Config struct {
	Dir      string      // DATA/views/catalog
	ReadOnly bool        // another process writes
	Source   view.Source // the register
	Body     view.Body   // body blobs
	Log      *slog.Logger
}

// Catalog is the catalogue.
type Catalog struct{ cfg Config }

var _ view.View = (*Catalog)(nil)
var errNot = errs.New(errs.Unavailable, "not built yet")

// Open opens the catalogue.
func Open(ctx context.Context, cfg Config) (*Catalog, error) { return &Catalog{cfg}, nil }

// Name implements view.View.
func (c *Catalog) Name() string    { return "catalog" }
func (c *Catalog) Format() int     { return 1 }
func (c *Catalog) Cursor() int64   { return 0 }
func (c *Catalog) Library() string { return "" }
func (c *Catalog) Ready() error    { return nil }
func (c *Catalog) Close() error    { return nil }
func (c *Catalog) Apply(ctx context.Context, batch []view.Entry) error {
	return errNot
}
func (c *Catalog) Rebuild(ctx context.Context) (view.Building, error) { return nil, errNot }

func (c *Catalog) Record(ctx context.Context, n int64) (*record.State, error) { return nil, errNot }
func (c *Catalog) ByBlob(ctx context.Context, sha256 string) ([]int64, error) { return nil, errNot }
func (c *Catalog) ByID(ctx context.Context, scheme, value string) ([]int64, error) {
	return nil, errNot
}
func (c *Catalog) ByKey(ctx context.Context, key string) ([]int64, error) { return nil, errNot }
func (c *Catalog) BySource(ctx context.Context, name, id string) (n int64, digest string, ok bool, err error) {
	return 0, "", false, errNot
}
func (c *Catalog) BlobWithdrawals(ctx context.Context, sha256 string) ([]record.Withdrawal, error) {
	return nil, errNot
}

// ListQuery asks for accession numbers.
type ListQuery struct {
	After       int64 // go on after this number; 0: from the start
	Limit       int   // default 50, at most 1000
	Newest      bool  // newest first
	NeedsRights bool
	Duplicates  bool
}

func (c *Catalog) List(ctx context.Context, q ListQuery) ([]int64, error) { return nil, errNot }

// Duplicates lists the other records that look the same as record n.
func (c *Catalog) Duplicates(ctx context.Context, n int64) ([]Duplicate, error) { return nil, errNot }

// Duplicate is a record that looks the same as another.
type Duplicate struct {
	Record int64
	Why    string // "bytes", "isbn", "doi", "title"
}

// Counts is how much there is.
type Counts struct {
	Records, Files, Bytes, Readable int64
	Languages, Kinds, Years         []Count
}

// Count is a value and how many records have it.
type Count struct {
	Key string
	N   int64
}

func (c *Catalog) Counts(ctx context.Context) (Counts, error) { return Counts{}, errNot }
