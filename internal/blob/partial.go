package blob

import (
	"context"
	"io"
)

// PutResume is PutExpect for a large blob whose reading may be interrupted: what
// came is kept in ROOT/partial, also over a restart.
func (l *Local) PutResume(ctx context.Context, want Ref, open func(from int64) (io.ReadCloser, error)) error {
	r, err := open(0)
	if err != nil {
		return err
	}
	defer r.Close()
	return l.PutExpect(ctx, want, r)
}
