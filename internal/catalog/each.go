package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
)

// eachPage is how many records Each reads at once.
const eachPage = 1024

// listedRecord is a row of records.
type listedRecord struct {
	n       int64
	entries []int64
	st      *record.State
	err     error
}

// Each calls fn with the state of every record, without merged and erased ones, in order
// of accession. It reads the register from front to back, a page of records at a time,
// and folds on all cores while fn works; memory is two pages, whatever the library. A
// record that does not fold comes as an error of kind errs.Corrupt, with its number and
// without a state; Each goes on when fn returns nil.
//
// only, where it is not nil, names the records that are wanted, ascending; what is no
// record any more is passed over.
func (c *Catalog) Each(ctx context.Context, only iter.Seq[int64], fn func(n int64, st *record.State, err error) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type page struct {
		rows []listedRecord
		err  error
	}
	pages := make(chan page)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer close(pages)
		for rows, err := range c.pages(ctx, only) {
			if err == nil {
				err = c.foldPage(ctx, rows)
			}
			select {
			case pages <- page{rows, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	for p := range pages {
		if p.err != nil {
			return p.err
		}
		for _, r := range p.rows {
			if r.st != nil && (r.st.Erased != nil || r.st.MergedInto != nil) {
				continue
			}
			if err := fn(r.n, r.st, r.err); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// pages gives the rows of the records that are wanted.
func (c *Catalog) pages(ctx context.Context, only iter.Seq[int64]) iter.Seq2[[]listedRecord, error] {
	read := func(query string, args ...any) ([]listedRecord, error) {
		g, release, err := c.db.Acquire()
		if err != nil {
			return nil, err
		}
		defer release()
		rows, err := g.Reader().QueryContext(ctx, query, args...)
		return sqldb.Collect(rows, err, func(rows *sql.Rows) (listedRecord, error) {
			var r listedRecord
			var packed []byte
			err := rows.Scan(&r.n, &packed)
			if err == nil {
				r.entries = unpackEntries(r.n, packed)
			}
			return r, err
		})
	}
	if only == nil {
		return func(yield func([]listedRecord, error) bool) {
			for after := int64(-1); ; {
				rows, err := read("SELECT n, entries FROM records INDEXED BY records_visible WHERE flags & 1 = 0 AND n > ? ORDER BY n LIMIT ?", after, eachPage)
				if err == nil && len(rows) == 0 || !yield(rows, err) || err != nil {
					return
				}
				after = rows[len(rows)-1].n
			}
		}
	}
	return func(yield func([]listedRecord, error) bool) {
		numbers := make([]int64, 0, eachPage)
		flush := func() bool {
			g, release, err := c.db.Acquire()
			if err != nil {
				yield(nil, err)
				return false
			}
			lists, err := entriesOf(ctx, g, numbers)
			release()
			rows := make([]listedRecord, 0, len(lists))
			for _, n := range numbers {
				if list, ok := lists[n]; ok {
					rows = append(rows, listedRecord{n: n, entries: list})
				}
			}
			numbers = numbers[:0]
			return yield(rows, err) && err == nil
		}
		for n := range only {
			if numbers = append(numbers, n); len(numbers) == eachPage && !flush() {
				return
			}
		}
		if len(numbers) > 0 {
			flush()
		}
	}
}

// foldPage reads the entries of the records of a page, in the order of the register, and
// folds them on all cores. The error is one of reading; those of records are in the rows.
func (c *Catalog) foldPage(ctx context.Context, rows []listedRecord) error {
	var order []int64
	for _, r := range rows {
		order = append(order, r.entries...)
	}
	slices.Sort(order)
	order = slices.Compact(order)
	raws := make(map[int64][]byte, len(order))
	for from := 0; from < len(order); {
		end := from + 1
		for end < len(order) && order[end]-order[end-1] <= maxGap {
			end++
		}
		next := from
		err := c.cfg.Source.Read(ctx, order[from], order[end-1]+1, func(i int64, raw []byte) error {
			if i == order[next] {
				next++
				if raw != nil {
					raws[i] = slices.Clone(raw)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		from = end
	}
	workers := max(runtime.GOMAXPROCS(0), 1)
	part := (len(rows) + workers - 1) / workers
	var wg sync.WaitGroup
	failed := make([]error, workers)
	for w := range workers {
		mine := rows[min(w*part, len(rows)):min((w+1)*part, len(rows))]
		wg.Go(func() {
			for i := range mine {
				if failed[w] = c.foldRow(ctx, &mine[i], raws); failed[w] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Catalog) foldRow(ctx context.Context, r *listedRecord, raws map[int64][]byte) error {
	entries := make([]view.Entry, 0, len(r.entries))
	for _, i := range r.entries {
		raw := raws[i]
		if raw == nil && i != r.n {
			continue // erased: the entry says nothing any more
		}
		e, err := view.Decode(ctx, i, raw, c.cfg.Body)
		if err != nil {
			return fmt.Errorf("record %d: %w", r.n, err)
		}
		entries = append(entries, e)
	}
	st, outside, err := view.Fold(ctx, r.n, entries, c.cfg.Body)
	switch {
	case err == nil:
		if r.st = st; c.cfg.Refused != nil {
			if w := c.cfg.Refused.Record(r.n); w != nil {
				st.Withdrawals = append(slices.Clip(st.Withdrawals), *w)
			}
		}
	case outside || ctx.Err() != nil:
		return fmt.Errorf("record %d: %w", r.n, err)
	default:
		r.err = errs.New(errs.Corrupt, "the register says of record %d what makes no record: %w", r.n, err)
	}
	return nil
}
