package catalog

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
)

// apply folds a batch into a generation, in one transaction, and returns the
// records that changed.
func (c *Catalog) apply(ctx context.Context, g *sqldb.Generation, batch []view.Entry) ([]int64, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	if batch[0].Index != g.Cursor() {
		return nil, fmt.Errorf("catalog: a batch from entry %d at cursor %d", batch[0].Index, g.Cursor())
	}
	library := ""
	if batch[0].Index == 0 {
		library = view.Library(batch[0].Raw)
	}
	var touched []int64
	err := g.Advance(ctx, batch[len(batch)-1].Index+1, library, func(tx *sql.Tx) error {
		b := &work{ctx: ctx, c: c, tx: tx, batch: batch, stmts: map[string]*sql.Stmt{}, recs: map[int64]*rec{}, counts: map[countKey]int64{}}
		for i := range batch {
			if err := b.read(batch[i]); err != nil {
				return fmt.Errorf("catalog: entry %d: %w", batch[i].Index, err)
			}
		}
		if err := b.write(); err != nil {
			return err
		}
		touched = slices.Collect(maps.Keys(b.recs))
		return nil
	})
	return touched, err
}

// work is a batch being applied.
type work struct {
	ctx    context.Context
	c      *Catalog
	tx     *sql.Tx
	batch  []view.Entry
	stmts  map[string]*sql.Stmt
	recs   map[int64]*rec // what the batch names; nil: there is no such record
	counts map[countKey]int64
}

type countKey struct{ what, key string }

// rec is a record that the batch names.
type rec struct {
	n       int64
	old     facts // as in the database
	entries []int64
	fresh   bool // not in the database
	dirty   bool // to be folded again
	dead    bool // erased by this batch
}

func (b *work) stmt(query string) (*sql.Stmt, error) {
	if st, ok := b.stmts[query]; ok {
		return st, nil
	}
	st, err := b.tx.PrepareContext(b.ctx, query)
	if err == nil {
		b.stmts[query] = st // closed with the transaction
	}
	return st, err
}

func (b *work) exec(query string, args ...any) error {
	st, err := b.stmt(query)
	if err == nil {
		_, err = st.ExecContext(b.ctx, args...)
	}
	return err
}

// row scans one row; false when there is none.
func (b *work) row(query string, args []any, dest ...any) (bool, error) {
	st, err := b.stmt(query)
	if err != nil {
		return false, err
	}
	err = st.QueryRowContext(b.ctx, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// numbers reads rows of one integer.
func (b *work) numbers(query string, args ...any) ([]int64, error) {
	st, err := b.stmt(query)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(b.ctx, args...)
	return sqldb.Collect(rows, err, scanInt)
}

func scanInt(rows *sql.Rows) (n int64, err error) {
	err = rows.Scan(&n)
	return n, err
}

// load is the record n, or nil when there is none.
func (b *work) load(n int64) (*rec, error) {
	if r, ok := b.recs[n]; ok {
		if r != nil && r.dead {
			return nil, nil
		}
		return r, nil
	}
	if n >= b.batch[0].Index {
		return nil, nil // it would be in recs
	}
	r := &rec{n: n}
	var entries, keys []byte
	var langs string
	f := &r.old
	ok, err := b.row("SELECT entries, keys, kind, langs, year, files, bytes, opens, flags FROM records WHERE n = ?", []any{n},
		&entries, &keys, &f.kind, &langs, &f.year, &f.files, &f.bytes, &f.opens, &f.flags)
	if err != nil {
		return nil, err
	}
	if !ok {
		b.recs[n] = nil
		return nil, nil
	}
	if langs != "" {
		f.langs = strings.Split(langs, ",")
	}
	f.keys = unpackKeys(keys)
	r.entries = unpackEntries(n, entries)
	b.recs[n] = r
	return r, nil
}

// join adds entry i to record n, if there is one.
func (b *work) join(n, i int64) error {
	if n >= i {
		return nil
	}
	r, err := b.load(n)
	if err != nil || r == nil || slices.Contains(r.entries, i) {
		return err
	}
	r.entries = append(r.entries, i)
	r.dirty = true
	return b.exec("INSERT INTO entry_of (entry, n) VALUES (?, ?)", i, n)
}

// part takes entry i away from record n.
func (b *work) part(n, i int64) error {
	r, err := b.load(n)
	if err != nil || r == nil {
		return err
	}
	if at := slices.Index(r.entries, i); at >= 0 {
		r.entries = slices.Delete(r.entries, at, at+1)
		r.dirty = true
	}
	return b.exec("DELETE FROM entry_of WHERE entry = ? AND n = ?", i, n)
}

// read notes what one entry says.
func (b *work) read(e view.Entry) error {
	i := e.Index
	if e.Raw == nil {
		return b.exec("INSERT INTO gone (n, erasure) VALUES (?, -1) ON CONFLICT DO NOTHING", i)
	}
	if err := b.keepBody(i, e.Entry.Body); err != nil {
		return err
	}
	if !e.Known && !e.Entry.Critical {
		return nil
	}
	kind := e.Entry.Type
	if !e.Known {
		kind = "" // only what it names counts
	}
	switch kind {
	case record.TypeAccession:
		b.recs[i] = &rec{n: i, entries: []int64{i}, fresh: true, dirty: true}
		return nil
	case record.TypeErasure:
		return b.erase(i, e.Entry)
	case record.TypeUnmerge:
		var src, dst int64
		ok, err := b.row("SELECT src, dst FROM merges WHERE entry = ?", []any{*e.Entry.Of}, &src, &dst)
		if err != nil || !ok {
			return err
		}
		if err := b.exec("INSERT INTO unmerges (entry, merge) VALUES (?, ?)", i, *e.Entry.Of); err != nil {
			return err
		}
		return errors.Join(b.join(src, i), b.join(dst, i))
	case record.TypeMerge:
		if err := b.exec("INSERT INTO merges (entry, src, dst) VALUES (?, ?, ?)", i, *e.Entry.From, *e.Entry.Into); err != nil {
			return err
		}
	}
	records, blobs := e.Entry.Names(i)
	for _, n := range records {
		if err := b.join(n, i); err != nil {
			return err
		}
	}
	for _, sha := range blobs {
		if err := b.closeBlob(sha, i); err != nil {
			return err
		}
	}
	return nil
}

// keepBody notes that entry i names a blob as its body.
func (b *work) keepBody(i int64, body *record.Body) error {
	if body == nil {
		return nil
	}
	sum, err := hex.DecodeString(body.SHA256)
	if err != nil || len(sum) != 32 {
		return nil // an unknown entry may name anything
	}
	return b.exec("INSERT INTO bodies (sha256, entry, bytes) VALUES (?, ?, ?)", sum, i, body.Bytes)
}

// closeBlob notes that entry i restricts or reopens a blob.
func (b *work) closeBlob(sha string, i int64) error {
	sum, err := hex.DecodeString(sha)
	if err != nil || len(sum) != 32 {
		return nil // an unknown entry may name anything
	}
	var packed []byte
	if _, err := b.row("SELECT entries FROM closings WHERE sha256 = ?", []any{sum}, &packed); err != nil {
		return err
	}
	packed = packList(append(unpackList(packed), i))
	if err := b.exec("INSERT INTO closings (sha256, entries) VALUES (?, ?) ON CONFLICT (sha256) DO UPDATE SET entries = excluded.entries", sum, packed); err != nil {
		return err
	}
	k := keyOf(spaceBlob, sha, false)
	named, err := b.numbers("SELECT n FROM keys WHERE k IN (?, ?)", k, k|1)
	if err != nil {
		return err
	}
	for _, n := range named {
		r, err := b.load(n)
		if err != nil {
			return err
		}
		if r != nil {
			r.dirty = true
		}
	}
	return nil
}

// erase takes away all that the erased entries said. What it leaves is what
// reading a register gives in which they have no content any more.
func (b *work) erase(i int64, e record.Entry) error {
	for _, j := range e.Entries {
		if j <= 0 || j >= i {
			continue
		}
		fixed, err := b.fixed(j)
		if err != nil {
			return err
		}
		if fixed {
			continue
		}
		if err := b.exec("INSERT INTO gone (n, erasure) VALUES (?, ?) ON CONFLICT (n) DO UPDATE SET erasure = excluded.erasure WHERE erasure < 0", j, i); err != nil {
			return err
		}
		if err := b.exec("DELETE FROM bodies WHERE entry = ?", j); err != nil {
			return err
		}
		r, err := b.load(j)
		if err != nil {
			return err
		}
		if r != nil {
			for _, x := range r.entries {
				if err := b.exec("DELETE FROM entry_of WHERE entry = ? AND n = ?", x, j); err != nil {
					return err
				}
			}
			r.dead, r.dirty = true, true
			continue
		}
		takenBack, err := b.numbers("SELECT entry FROM unmerges WHERE merge = ?", j)
		if err != nil {
			return err
		}
		for _, x := range append(takenBack, j) {
			named, err := b.numbers("SELECT n FROM entry_of WHERE entry = ?", x)
			if err != nil {
				return err
			}
			for _, n := range named {
				if err := b.exec("INSERT INTO erased_of (entry, n) VALUES (?, ?) ON CONFLICT DO NOTHING", x, n); err != nil {
					return err
				}
				if err := b.part(n, x); err != nil {
					return err
				}
			}
			if err := b.exec("DELETE FROM unmerges WHERE entry = ?", x); err != nil {
				return err
			}
		}
		if err := b.exec("DELETE FROM merges WHERE entry = ?", j); err != nil {
			return err
		}
	}
	return nil
}

// fixed says whether entry j is one that cannot be erased: a charter, or critical.
func (b *work) fixed(j int64) (bool, error) {
	raw := []byte(nil)
	if at := j - b.batch[0].Index; at >= 0 {
		raw = b.batch[at].Raw
	} else {
		var err error
		if raw, err = b.c.cfg.Source.Entry(b.ctx, j); err != nil && !errs.Is(err, errs.Gone) {
			return false, err
		}
	}
	e, _, err := record.Decode(raw)
	return err == nil && (e.Critical || e.Type == record.TypeCharter), nil
}

// withdrawals gives the withdrawals in force of a blob.
func (b *work) withdrawals() func(sha string) ([]record.Withdrawal, error) {
	var some bool
	var failed error
	known := map[string][]record.Withdrawal{}
	some, failed = b.row("SELECT 1 FROM closings LIMIT 1", nil, new(int))
	return func(sha string) ([]record.Withdrawal, error) {
		if failed != nil || !some {
			return nil, failed
		}
		if w, ok := known[sha]; ok {
			return w, nil
		}
		sum, err := hex.DecodeString(sha)
		if err != nil {
			return nil, nil
		}
		var packed []byte
		if _, err := b.row("SELECT entries FROM closings WHERE sha256 = ?", []any{sum}, &packed); err != nil {
			return nil, err
		}
		w, err := b.c.foldClosings(b.ctx, sha, unpackList(packed), b.batch)
		known[sha] = w
		return w, err
	}
}

// foldClosings is the withdrawals in force of a blob out of the entries that name it.
func (c *Catalog) foldClosings(ctx context.Context, sha string, entries []int64, batch []view.Entry) ([]record.Withdrawal, error) {
	var out []record.Withdrawal
	for _, i := range entries {
		e, err := c.entry(ctx, i, batch)
		switch {
		case err != nil:
			return nil, err
		case e.Raw == nil:
		case !e.Known: // an unknown critical entry closes what it names
			out = append(out, record.Withdrawal{Entry: i, Time: e.Entry.Time, Blob: sha, Ground: string(e.Entry.Type)})
		default:
			out = record.FoldWithdrawal(out, i, e.Entry)
		}
	}
	return out, nil
}

// write folds what the batch named and stores it.
func (b *work) write() error {
	closings := b.withdrawals()
	var dirty []*rec
	for _, n := range slices.Sorted(maps.Keys(b.recs)) {
		if r := b.recs[n]; r != nil && r.dirty && !(r.fresh && r.dead) {
			dirty = append(dirty, r)
		}
	}
	next := make([]facts, len(dirty))
	for at, r := range dirty {
		if r.dead {
			continue
		}
		st, _, broken, err := b.c.fold(b.ctx, r.n, r.entries, b.batch)
		if err != nil {
			return fmt.Errorf("catalog: record %d: %w", r.n, err)
		}
		if broken != nil {
			b.c.cfg.Log.WarnContext(b.ctx, "a record does not fold", "record", r.n, "error", broken)
			next[at] = facts{kind: string(record.Other), flags: flagHidden | flagBroken}
			continue
		}
		if next[at], err = factsOf(st, closings); err != nil {
			return fmt.Errorf("catalog: record %d: %w", r.n, err)
		}
	}
	recheck, err := b.writeKeys(dirty, next)
	if err != nil {
		return err
	}
	if err := b.writeRows(dirty, next); err != nil {
		return err
	}
	for _, n := range recheck {
		if err := b.recheck(n); err != nil {
			return err
		}
	}
	return b.writeCounts()
}

// writeKeys changes the keys, sets flagDuplicate in next, and returns the records
// whose flag must be looked at once more when the rows are written.
func (b *work) writeKeys(dirty []*rec, next []facts) (recheck []int64, err error) {
	again := map[int64]bool{}
	members := map[int64][]int{} // odd key -> places in dirty
	var add [][2]int64
	var gone []int64
	for at, r := range dirty {
		f := &next[at]
		for _, k := range r.old.keys {
			if _, keep := slices.BinarySearch(f.keys, k); !keep {
				if err := b.exec("DELETE FROM keys WHERE k = ? AND n = ?", k, r.n); err != nil {
					return nil, err
				}
				if k&1 == 1 {
					gone = append(gone, k)
					again[r.n] = true
				}
			}
		}
		for _, k := range f.keys {
			if _, had := slices.BinarySearch(r.old.keys, k); !had {
				add = append(add, [2]int64{k, r.n})
				if k&1 == 1 {
					members[k] = append(members[k], at)
				}
			}
		}
		f.flags |= r.old.flags & flagDuplicate
	}
	mark := map[int64]bool{}
	odd := slices.Sorted(maps.Keys(members))
	for part := range slices.Chunk(odd, 256) {
		args := make([]any, len(part))
		for i, k := range part {
			args[i] = k
		}
		st, err := b.stmt("WITH v (k) AS (VALUES (?)" + strings.Repeat(", (?)", len(part)-1) + ") SELECT v.k," +
			" (SELECT n FROM keys WHERE keys.k = v.k ORDER BY n LIMIT 1), (SELECT n FROM keys WHERE keys.k = v.k ORDER BY n DESC LIMIT 1) FROM v")
		if err != nil {
			return nil, err
		}
		rows, err := st.QueryContext(b.ctx, args...)
		type ends struct{ k, low, high sql.NullInt64 }
		found, err := sqldb.Collect(rows, err, func(rows *sql.Rows) (e ends, err error) {
			err = rows.Scan(&e.k, &e.low, &e.high)
			return e, err
		})
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			m := members[e.k.Int64]
			if !e.low.Valid && len(m) < 2 {
				continue
			}
			for _, at := range m {
				next[at].flags |= flagDuplicate
			}
			if e.low.Valid { // if it was alone, it is the only one not marked yet
				mark[e.low.Int64], mark[e.high.Int64] = true, true
			}
		}
	}
	slices.SortFunc(add, func(a, b [2]int64) int {
		if a[0] != b[0] {
			return cmpInt(a[0], b[0])
		}
		return cmpInt(a[1], b[1])
	})
	for part := range slices.Chunk(add, 64) {
		args := make([]any, 0, 2*len(part))
		for _, p := range part {
			args = append(args, p[0], p[1])
		}
		if err := b.exec("INSERT INTO keys (k, n) VALUES (?, ?)"+strings.Repeat(", (?, ?)", len(part)-1), args...); err != nil {
			return nil, err
		}
	}
	for _, k := range gone {
		left, err := b.numbers("SELECT n FROM keys WHERE k = ? ORDER BY n LIMIT 2", k)
		if err != nil {
			return nil, err
		}
		if len(left) == 1 {
			again[left[0]] = true
		}
	}
	for at, r := range dirty {
		if mark[r.n] && !r.dead {
			next[at].flags |= flagDuplicate
		}
		delete(mark, r.n)
	}
	for _, n := range slices.Sorted(maps.Keys(mark)) {
		if err := b.exec("UPDATE records SET flags = flags | 8 WHERE n = ?", n); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(again)), nil
}

func cmpInt(a, b int64) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}
	return 0
}

const columns = "n, entries, keys, kind, langs, year, files, bytes, opens, flags"

// writeRows stores the rows, and counts the difference.
func (b *work) writeRows(dirty []*rec, next []facts) error {
	var fresh []any
	flush := func() error {
		if len(fresh) == 0 {
			return nil
		}
		err := b.exec("INSERT INTO records ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"+
			strings.Repeat(", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", len(fresh)/10-1), fresh...)
		fresh = fresh[:0]
		return err
	}
	for at, r := range dirty {
		f := next[at]
		if !r.fresh {
			b.count(r.old, -1)
		}
		if r.dead {
			if err := b.exec("DELETE FROM records WHERE n = ?", r.n); err != nil {
				return err
			}
			continue
		}
		b.count(f, +1)
		row := []any{r.n, packEntries(r.n, r.entries), packKeys(f.keys), f.kind, strings.Join(f.langs, ","), f.year, f.files, f.bytes, f.opens, f.flags}
		if !r.fresh {
			if err := b.exec("INSERT OR REPLACE INTO records ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row...); err != nil {
				return err
			}
			continue
		}
		fresh = append(fresh, row...)
		if len(fresh) == 10*32 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// recheck sets or clears flagDuplicate of one record.
func (b *work) recheck(n int64) error {
	var keys []byte
	var flags int64
	ok, err := b.row("SELECT keys, flags FROM records WHERE n = ?", []any{n}, &keys, &flags)
	if err != nil || !ok {
		return err
	}
	dup := false
	for _, k := range unpackKeys(keys) {
		if k&1 == 0 || dup {
			continue
		}
		if dup, err = b.row("SELECT 1 FROM keys WHERE k = ? AND n <> ? LIMIT 1", []any{k, n}, new(int)); err != nil {
			return err
		}
	}
	if dup == (flags&flagDuplicate != 0) {
		return nil
	}
	return b.exec("UPDATE records SET flags = ? WHERE n = ?", flags^flagDuplicate, n)
}
