package blob

import (
	"context"
	mathrand "math/rand/v2"
)

// Pick calls fn with names of blobs that are chosen by chance, until fn is done or
// fails, or n have been tried. A blob in a folder with few others comes more
// often, and one may come twice. It reads the names of some folders, never all.
func (l *Local) Pick(ctx context.Context, n int, fn func(sha256hex string) (done bool, err error)) error {
	nothing := func(string, error) error { return nil } // what cannot be read is not picked
	there, err := l.folders(nothing)
	if err != nil {
		return err
	}
	var full []int
	for i, is := range there {
		if is {
			full = append(full, i)
		}
	}
	for ; n > 0 && len(full) > 0; n-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		copies, err := l.list(full[mathrand.IntN(len(full))], nothing)
		if err != nil {
			return err
		}
		if len(copies) == 0 {
			continue
		}
		c := copies[mathrand.IntN(len(copies))]
		if c.sha == "" {
			continue
		}
		if done, err := fn(c.sha); done || err != nil {
			return err
		}
	}
	return nil
}
