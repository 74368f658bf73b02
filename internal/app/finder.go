package app

import (
	"context"

	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/index"
)

// finder is the index, and for an identifier that it does not find the catalogue: the
// identifiers of records that were merged into others lead to what stands for them.
type finder struct {
	index.Index
	catalog *catalog.Catalog
}

func (l *Library) finder() index.Index { return finder{l.Index, l.Catalog} }

// Search implements [index.Index].
func (f finder) Search(ctx context.Context, q index.Query) (*index.Result, error) {
	res, err := f.Index.Search(ctx, q)
	if err != nil || q.Offset > 0 || q.After != "" || q.YearFrom != 0 || q.YearTo != 0 ||
		len(q.Languages)+len(q.Kinds)+len(q.Subjects)+len(q.Creators)+len(q.Access)+len(q.Classes)+len(q.Persons) > 0 ||
		len(res.Hits) > 0 && !res.Partial && res.Corrected == "" {
		return res, err
	}
	found, err := f.catalog.Lookup(ctx, q.Text)
	switch {
	case errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone): // erased just now
		return res, nil
	case err != nil:
		return nil, err
	case len(found) == 0:
		return res, nil
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 20
	}
	out := &index.Result{Total: int64(len(found)), Exact: true, Took: res.Took}
	for _, n := range found[:min(len(found), limit)] {
		out.Hits = append(out.Hits, index.Hit{Record: n, Score: 1})
	}
	return out, nil
}
