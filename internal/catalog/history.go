package catalog

import (
	"context"
	"fmt"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Changes gives what each of the last entries about record n changed, oldest first;
// at most most. See [record.Changes]. errs.NotFound: there is no such record, or no
// more.
func (c *Catalog) Changes(ctx context.Context, n int64, most int) ([]record.Change, error) {
	in, err := c.indexed(ctx, n)
	if err != nil {
		return nil, err
	}
	changes, err := record.Changes(n, in, func(b record.Body) ([]byte, error) { return c.cfg.Body(ctx, b) }, most)
	if err != nil {
		return nil, fmt.Errorf("changes of record %d: %w", n, err)
	}
	return changes, nil
}

// Layers gives what each source says of record n; see [record.Layers]. errs.NotFound:
// there is no such record, or no more.
func (c *Catalog) Layers(ctx context.Context, n int64) ([]record.Layer, error) {
	in, err := c.indexed(ctx, n)
	if err != nil {
		return nil, err
	}
	return record.Layers(n, in, func(b record.Body) ([]byte, error) { return c.cfg.Body(ctx, b) })
}

// indexed is the entries that make up record n, as the register has them. What was
// erased of them is left out, but for the accession.
func (c *Catalog) indexed(ctx context.Context, n int64) ([]record.Indexed, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	lists, err := entriesOf(ctx, g, []int64{n})
	if err != nil {
		return nil, err
	}
	if lists[n] == nil {
		return nil, errNotFound(n)
	}
	var in []record.Indexed
	for _, i := range lists[n] {
		raw, err := c.cfg.Source.Entry(ctx, i)
		if err != nil && !errs.Is(err, errs.Gone) {
			return nil, fmt.Errorf("record %d: %w", n, err)
		}
		if raw != nil || i == n {
			in = append(in, record.Indexed{Index: i, Raw: raw})
		}
	}
	return in, nil
}
