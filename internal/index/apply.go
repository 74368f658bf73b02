package index

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
)

// apply folds a batch into a generation, in one transaction.
func (x *FTS) apply(ctx context.Context, g *sqldb.Generation, batch []view.Entry) error {
	if len(batch) == 0 {
		return nil
	}
	if batch[0].Index != g.Cursor() {
		return fmt.Errorf("index: a batch from entry %d at cursor %d", batch[0].Index, g.Cursor())
	}
	library := ""
	if batch[0].Index == 0 {
		library = view.Library(batch[0].Raw)
	}
	return g.Advance(ctx, batch[len(batch)-1].Index+1, library, func(tx *sql.Tx) error {
		w := &work{ctx: ctx, x: x, tx: tx, batch: batch, stmts: map[string]*sql.Stmt{}, touched: map[int64]bool{}, subjects: map[string]int64{}}
		for i := range batch {
			if err := w.read(batch[i]); err != nil {
				return fmt.Errorf("index: entry %d: %w", batch[i].Index, err)
			}
		}
		return w.write()
	})
}

// work is a batch being applied.
type work struct {
	ctx      context.Context
	x        *FTS
	tx       *sql.Tx
	batch    []view.Entry
	stmts    map[string]*sql.Stmt
	touched  map[int64]bool // records to be read again; true: the batch has all that there is
	subjects map[string]int64
	docs     int64 // more of them than before
}

func (w *work) stmt(query string) (*sql.Stmt, error) {
	if st, ok := w.stmts[query]; ok {
		return st, nil
	}
	st, err := w.tx.PrepareContext(w.ctx, query)
	if err == nil {
		w.stmts[query] = st // closed with the transaction
	}
	return st, err
}

func (w *work) exec(query string, args ...any) (int64, error) {
	st, err := w.stmt(query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(w.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (w *work) numbers(query string, args ...any) ([]int64, error) {
	st, err := w.stmt(query)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(w.ctx, args...)
	return sqldb.Collect(rows, err, func(rows *sql.Rows) (n int64, err error) {
		err = rows.Scan(&n)
		return n, err
	})
}

// read notes which records an entry names.
func (w *work) read(e view.Entry) error {
	i := e.Index
	if !e.Known {
		return nil // it may close a record, but does not change what is found
	}
	switch e.Entry.Type {
	case record.TypeAccession:
		w.touched[i] = true
		return nil
	case record.TypeWithdrawal, record.TypeRestoration, record.TypeRights, record.TypeFiles:
		return nil
	case record.TypeErasure:
		for _, j := range e.Entry.Entries {
			named, err := w.numbers("SELECT n FROM entry_of WHERE entry = ? UNION SELECT src FROM merges WHERE entry = ? UNION SELECT dst FROM merges WHERE entry = ?", j, j, j)
			if err != nil {
				return err
			}
			for _, n := range append(named, j) {
				if n < i {
					w.touched[n] = false
				}
			}
		}
		return nil
	case record.TypeUnmerge:
		named, err := w.numbers("SELECT src FROM merges WHERE entry = ? UNION SELECT dst FROM merges WHERE entry = ?", *e.Entry.Of, *e.Entry.Of)
		if err != nil {
			return err
		}
		return w.names(i, named)
	case record.TypeMerge:
		if _, err := w.exec("INSERT INTO merges (entry, src, dst) VALUES (?, ?, ?)", i, *e.Entry.From, *e.Entry.Into); err != nil {
			return err
		}
	}
	named, _ := e.Entry.Names(i)
	return w.names(i, named)
}

func (w *work) names(i int64, named []int64) error {
	for _, n := range named {
		if n >= i {
			continue
		}
		w.touched[n] = false
		if _, err := w.exec("INSERT INTO entry_of (entry, n) VALUES (?, ?) ON CONFLICT DO NOTHING", i, n); err != nil {
			return err
		}
	}
	return nil
}

// state is the state of a touched record, or nil when it is not to be found.
func (w *work) state(n int64) (*record.State, error) {
	if w.touched[n] {
		e := w.batch[n-w.batch[0].Index]
		if st, _, err := view.Fold(w.ctx, n, []view.Entry{e}, w.x.cfg.Body); err == nil {
			return st, nil
		}
	}
	st, err := w.x.cfg.Records.Record(w.ctx, n)
	switch {
	case errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) || errs.Is(err, errs.Corrupt):
		return nil, nil
	case err != nil:
		return nil, err
	case st.MergedInto != nil:
		return nil, nil
	}
	return st, nil
}

// write stores the documents of the touched records. They are made on all
// processors, a part at a time, so that memory stays bounded.
func (w *work) write() error {
	numbers := slices.Sorted(maps.Keys(w.touched))
	for part := range slices.Chunk(numbers, 256) {
		made := make([]*document, len(part))
		failed := make([]error, len(part))
		var wg sync.WaitGroup
		workers := max(1, runtime.GOMAXPROCS(0))
		for k := range workers {
			wg.Go(func() {
				for i := k; i < len(part); i += workers {
					st, err := w.state(part[i])
					if failed[i] = err; st != nil {
						d := newDocument(st)
						made[i] = &d
					}
				}
			})
		}
		wg.Wait()
		for i, n := range part {
			if failed[i] != nil {
				return fmt.Errorf("index: record %d: %w", n, failed[i])
			}
			if err := w.store(n, made[i]); err != nil {
				return fmt.Errorf("index: record %d: %w", n, err)
			}
		}
	}
	if w.docs == 0 {
		return nil
	}
	_, err := w.exec("UPDATE meta SET v = v + ? WHERE k = 'docs'", w.docs)
	return err
}

// store puts the document of record n in place of the one that is there; nil
// takes it away.
func (w *work) store(n int64, d *document) error {
	if !w.touched[n] { // else it is new
		had, err := w.exec("DELETE FROM docs WHERE n = ?", n)
		if err != nil {
			return err
		}
		if had > 0 {
			w.docs--
			if _, err := w.exec("DELETE FROM fts WHERE rowid = ?", n); err != nil {
				return err
			}
		}
	}
	if d == nil {
		return nil
	}
	w.docs++
	var subjects []byte
	for _, label := range d.subjects {
		id, err := w.subject(label)
		if err != nil {
			return err
		}
		subjects = binary.AppendUvarint(subjects, uint64(id))
	}
	if _, err := w.exec("INSERT INTO docs (n, year, kind, langs, subjects, tkey) VALUES (?, ?, ?, ?, ?, ?)",
		n, d.year, d.kind, strings.Join(d.langs, ","), subjects, d.tkey); err != nil {
		return err
	}
	_, err := w.exec("INSERT INTO fts (rowid, title, creators, about, abstract, ids, facets) VALUES (?, ?, ?, ?, ?, ?, ?)",
		n, d.title, d.creators, d.about, d.abstract, d.ids, d.facets)
	return err
}

// subject is the number of a subject.
func (w *work) subject(label string) (int64, error) {
	if id, ok := w.subjects[label]; ok {
		return id, nil
	}
	st, err := w.stmt("SELECT id FROM subjects WHERE label = ?")
	if err != nil {
		return 0, err
	}
	var id int64
	err = st.QueryRowContext(w.ctx, label).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		if st, err = w.stmt("INSERT INTO subjects (label) VALUES (?) RETURNING id"); err == nil {
			err = st.QueryRowContext(w.ctx, label).Scan(&id)
		}
	}
	if err == nil {
		w.subjects[label] = id
	}
	return id, err
}
