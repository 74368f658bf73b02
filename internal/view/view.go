// Package view is the contract of everything that is derived from the register,
// and the follower that drives it.
//
// A view has a name, a format number and a cursor: how many entries of the
// register it has folded in. It applies batches of entries, each atomically with
// the cursor, so that after a crash it is simply at an older cursor and goes on
// from there: recovery and normal work are the same code. A view holds nothing
// that the register and the body blobs do not say; deleting it loses nothing.
//
// # What views may read
//
// A view is applied after the views that it needs (a declared, acyclic order),
// batch by batch. While it applies a batch that ends at cursor c, the views it
// needs are at c or later. What it reads there may be newer than its batch; that
// is harmless when it stores what it read for the records that the batch names,
// because every later entry names its records again. Answers that join two views
// are exact when both are at the same cursor, which is what [Follower.Ready] says.
//
// # On disk
//
// A view keeps its files in a folder of its own, DATA/views/NAME. A rebuild
// writes the next generation beside the one that serves, and a rename puts it in
// place.
package view

import (
	"context"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Entry is an entry of the register as views get it.
type Entry struct {
	Index int64
	Raw   []byte       // the bytes of the register; nil: erased
	Entry record.Entry // decoded, its body blob included
	Known bool         // false for a type this program does not know, and for what is no entry
}

// View is something derived from the register. Reading methods of a view may be
// used at once with Apply; Apply is called by one goroutine at a time.
type View interface {
	// Name is short and fixed: "catalog", "index".
	Name() string
	// Format is the number of the format that the view has on disk.
	Format() int
	// Cursor is how many entries of the register are folded in.
	Cursor() int64
	// Library is the SHA-256, in hex, of entry 0 of the register that is folded
	// in, which is the library's id; empty at cursor 0.
	Library() string
	// Ready is nil when the view can serve and be applied to. Otherwise it says
	// why not, in a sentence with a hint: see [NeedsRebuild].
	Ready() error
	// Apply folds in entries, the first of which has the index Cursor(), all of
	// them together with the cursor or none.
	Apply(ctx context.Context, batch []Entry) error
	// Rebuild begins an empty generation beside the one that serves.
	Rebuild(ctx context.Context) (Building, error)
	Close() error
}

// Gatherer is a view to which many small batches cost more than a large one.
type Gatherer interface {
	View
	// Gather folds in entries, the first of which follows those that were applied or
	// gathered last, and may keep them in memory: what it has of them, and the cursor,
	// moves when there are many, and at Settle. An Apply that comes before takes what
	// was gathered for not said.
	Gather(ctx context.Context, batch []Entry) error
	Settle(ctx context.Context) error
}

// Building is the next generation of a view, beside the one that serves.
type Building interface {
	Cursor() int64
	Apply(ctx context.Context, batch []Entry) error
	// Commit puts it in the place of the old one, which is removed when its last
	// reader is done. No Apply may run on the view meanwhile.
	Commit(ctx context.Context) error
	// Discard removes it; it does nothing after Commit.
	Discard() error
}

// Source is what a follower needs of the register.
type Source interface {
	Size() int64
	// Entry is one entry; errs.Gone when it is erased.
	Entry(ctx context.Context, i int64) ([]byte, error)
	// Read calls fn with the entries [from, to) in order; entry is nil when
	// erased, and valid only until fn returns.
	Read(ctx context.Context, from, to int64, fn func(i int64, entry []byte) error) error
}

// Body fetches a body blob whole. The caller checks its hash.
type Body func(ctx context.Context, b record.Body) ([]byte, error)

// NeedsRebuild is the error of a view that cannot serve as it is.
func NeedsRebuild(kind errs.Kind, format string, args ...any) error {
	return errs.WithHint(errs.New(kind, format, args...), "run `wenlan rebuild`")
}
