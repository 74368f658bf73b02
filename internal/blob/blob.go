// Package blob keeps the bytes of the library's files, each named by its
// SHA-256. It is one half of the library's soul; the register is the other.
//
// [Store] is the contract; its conformance suite is in package blobtest. [Local]
// keeps blobs on local disks, in one or several roots:
//
//	ROOT/ab/cd/abcd…   a blob: the name is the whole hash, 64 lower-case hex digits
//	ROOT/tmp/…         unfinished files, removed when the store is opened
//	ROOT/partial/…     unfinished files that are gone on with: see [Local.PutResume]
//
// What is true of a Local store:
//
//   - No file ever has a blob's name before its bytes are whole and on disk.
//   - Bytes come in at one place, which hashes them; a name cannot be chosen.
//   - What was put is durable after Flush, and only then. Flush syncs all waiting
//     files at once and each folder once.
//   - Adding what is there writes nothing.
//   - Memory and open files are bounded, whatever the size of store or blob.
//
// A store trusts its disks for nothing: [Local.Verify] reads every blob again and
// names each that is damaged or missing. Whoever can write to a disk can remove or
// damage blobs, but cannot make other bytes pass for them.
package blob

import (
	"context"
	"io"
	"os"

	"wenlan/internal/errs"
)

// Ref names a blob and says how long it is.
type Ref struct {
	SHA256 string // 64 lower-case hex digits
	Bytes  int64
}

// Store keeps blobs. All methods may run at once, from any number of goroutines.
//
// An absent blob is [errs.NotFound]. A text that is not 64 lower-case hex digits
// names no blob: it is NotFound when reading, [errs.Invalid] when writing, and
// never reaches the disk.
type Store interface {
	// Put reads r to its end, stores the bytes if they are new, and says their
	// name. They can be opened at once, and are durable after the next Flush. A
	// blob that is there already is not written again. When r or the disk fails,
	// or ctx ends, nothing is left behind.
	Put(ctx context.Context, r io.Reader) (Ref, error)

	// PutExpect is Put for bytes whose name and length are known. It fails with
	// [errs.Corrupt] and keeps nothing when r holds anything else, and reads at
	// most one byte beyond the stated length.
	PutExpect(ctx context.Context, want Ref, r io.Reader) error

	// Flush returns nil when every blob whose Put or PutExpect returned before the
	// call is durable, by whomever it was put. After another answer than nil or the
	// end of ctx none of them may be relied on, and every later Put and Flush fails
	// until the store is opened anew; then what is missing can be put again.
	Flush(ctx context.Context) error

	// Open opens a blob for reading. The caller closes it. An open blob stays
	// readable when it is deleted.
	Open(ctx context.Context, sha256hex string) (Blob, error)

	// Stat says how long a blob is.
	Stat(ctx context.Context, sha256hex string) (size int64, err error)

	// Delete removes a blob, durably when it returns. An absent blob is no error,
	// so that an interrupted Delete can be repeated.
	Delete(ctx context.Context, sha256hex string) error

	// Walk calls fn for each durable blob, sorted by name, until fn fails; blobs
	// put or deleted meanwhile may be seen or not. fn may use the store.
	Walk(ctx context.Context, fn func(sha256hex string, size int64) error) error
}

// Blob is an open blob. ReadAt may run at once; Read and Seek share one position.
type Blob interface {
	io.ReadSeekCloser
	io.ReaderAt
	Size() int64
	// File is the open file that holds exactly the blob's bytes, or nil when it is
	// not a local file. It lets [Serve] hand the bytes from the disk to the network
	// without copying them through memory. Its position is that of Read.
	File() *os.File
}

// Valid says whether s can name a blob: 64 lower-case hex digits.
func Valid(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func notFound(sha string) error {
	if !Valid(sha) {
		return errs.New(errs.NotFound, "%.80q does not name a file", sha)
	}
	return errs.New(errs.NotFound, "there is no file %s", sha)
}

func invalid(sha string) error {
	return errs.New(errs.Invalid, "%.80q is not a SHA-256 in lower-case hex", sha)
}
