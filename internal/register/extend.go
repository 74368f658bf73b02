package register

import (
	"context"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Get reads a file of another copy by its path below the register, as
// "tile/0/000" or "tile/entries/x001/234.p/5"; at most limit bytes.
type Get func(ctx context.Context, path string, limit int64) ([]byte, error)

// Try calls fn with one copy after another until it returns nil. An error of fn
// that is errs.Corrupt says that what this copy gave is wrong. It may be called
// from several goroutines at once.
type Try func(ctx context.Context, fn func(ctx context.Context, get Get) error) error

// ExtendOptions says how to extend a copy. All fields may be empty.
type ExtendOptions struct {
	Progress func(done, size int64) // called now and then, by one goroutine
	Workers  int                    // bundles fetched at once; 0: 8
	// Body fetches the blob of an erasure whose list did not fit into its entry.
	Body func(ctx context.Context, ref record.Body) ([]byte, error)
}

// CreateReplica makes an empty copy of a library.
func CreateReplica(ctx context.Context, cfg Config, library string, charters [][]byte) (*Register, error) {
	return nil, errs.New(errs.Internal, "not yet")
}

// Extend grows a copy to a checkpoint of the origin.
func (r *Register) Extend(ctx context.Context, signed []byte, try Try, opts ExtendOptions) error {
	return errs.New(errs.Internal, "not yet")
}
