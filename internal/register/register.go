// Package register holds the accession register: an append-only, signed,
// verifiable log of everything that the library states.
package register

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
)

var errNotYet = errors.New("not yet written")

// MaxBatch is the most entries that one Append takes.
const MaxBatch = 1 << 17

// Config says where a register is, and with which keys it is read and written.
type Config struct {
	Dir      string           // the folder that holds checkpoint, tile and charters
	FS       durable.FS       // nil: the disk
	Signer   note.Signer      // the origin's key; nil: read only
	Verifier note.Verifier    // the origin's public key; nil: taken from the newest charter
	Origin   string           // the checkpoint origin line; empty: taken from the newest charter
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
}

// Register is an open register. All methods may be called at once.
type Register struct{}

// Create makes a register whose first entry is entry0, which holds a charter.
// It refuses a folder in which something is already there.
func Create(cfg Config, entry0 []byte) (*Register, error) { return nil, errNotYet }

// Open opens a register: for writing where the configuration has a Signer.
func Open(cfg Config) (*Register, error) { return nil, errNotYet }

// Append adds entries as one group and returns the index of the first. When it
// returns without error, the entries and the checkpoint that covers them are on
// disk. At most MaxBatch entries; either all or none of them are added.
func (r *Register) Append(ctx context.Context, entries [][]byte) (first int64, err error) {
	return 0, errNotYet
}

// Size is how many entries the published checkpoint covers.
func (r *Register) Size() int64 { return 0 }

// Checkpoint is the published signed note.
func (r *Register) Checkpoint() []byte { return nil }

// Charters are the notes of all charters, the oldest first.
func (r *Register) Charters() [][]byte { return nil }

// Library is the library id: the hex SHA-256 of entry 0.
func (r *Register) Library() string { return "" }

// Entry is the bytes of entry i: errs.NotFound beyond the end, errs.Gone where
// it was erased. The bytes must not be changed.
func (r *Register) Entry(ctx context.Context, i int64) ([]byte, error) { return nil, errNotYet }

// Read calls fn with the entries from, from+1, … up to but not including to. An
// erased entry comes as nil. The bytes may be kept, but must not be changed.
func (r *Register) Read(ctx context.Context, from, to int64, fn func(i int64, entry []byte) error) error {
	return errNotYet
}

// InclusionProof proves that entry i is in the tree of the given size.
func (r *Register) InclusionProof(i, size int64) (tlog.RecordProof, error) { return nil, errNotYet }

// ConsistencyProof proves that the tree of size old is a prefix of that of size new.
func (r *Register) ConsistencyProof(old, new int64) (tlog.TreeProof, error) { return nil, errNotYet }

// LeafHash is the hash of entry i, also of an erased one.
func (r *Register) LeafHash(i int64) (tlog.Hash, error) { return tlog.Hash{}, errNotYet }

// RootHash is the root of the tree of the first size entries.
func (r *Register) RootHash(size int64) (tlog.Hash, error) { return tlog.Hash{}, errNotYet }

// Resource is a file of the register as others see it, by its path below the
// register: "checkpoint" or "tile/…". A partial tile of the past is cut from
// the present one. What the published checkpoint does not cover is errs.NotFound.
func (r *Register) Resource(path string) ([]byte, error) { return nil, errNotYet }

// Erase purges the content of these entries, which an erasure entry in the
// register must already name; they have zero length from then on.
func (r *Register) Erase(ctx context.Context, entries []int64) error { return errNotYet }

// AddCosignatures puts witnesses' signatures on the published checkpoint. The
// note is the published checkpoint's text with any signatures.
func (r *Register) AddCosignatures(ctx context.Context, signed []byte) error { return errNotYet }

// AddCharter stores a charter that follows the newest; see VerifyCharter.
func (r *Register) AddCharter(ctx context.Context, signed []byte) error { return errNotYet }

// Problem is one thing that is wrong.
type Problem struct {
	Where string // the file, relative to the register
	What  string // what is wrong
	Mend  string // what to do about it
}

// VerifyOptions says how to verify.
type VerifyOptions struct {
	Each     func(i int64, entry []byte) error // sees every verified entry; nil where erased
	Progress func(done, size int64)            // called now and then
}

// Summary is what Verify has seen.
type Summary struct {
	Size     int64
	Root     tlog.Hash
	Entries  int64 // whose content is there and right
	Erased   int64
	Bytes    int64 // read
	Files    int64
	Problems int64
}

// Verify checks every file of a register against its checkpoint.
func Verify(ctx context.Context, cfg Config, opts VerifyOptions, report func(Problem)) (Summary, error) {
	return Summary{}, errNotYet
}
