package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"wenlan/internal/catalog/keyset"
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
	var keys *keyChange
	err := g.Advance(ctx, batch[len(batch)-1].Index+1, library, func(tx *sql.Tx) error {
		b := &work{ctx: ctx, c: c, tx: tx, batch: batch, before: keysOf(g).now.Load(), stmts: map[string]*sql.Stmt{}, recs: map[int64]*rec{}, counts: map[countKey]int64{}}
		for i := range batch {
			if err := b.read(batch[i]); err != nil {
				return fmt.Errorf("catalog: entry %d: %w", batch[i].Index, err)
			}
		}
		err := b.write(keysOf(g))
		keys = b.keys
		if err != nil {
			return err
		}
		touched = slices.Collect(maps.Keys(b.recs))
		return nil
	})
	if err != nil {
		keys.undo()
		return nil, err
	}
	return touched, keys.done()
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
	before *keyState  // the keys before the batch
	keys   *keyChange // and after it, once they are written
}

type countKey struct{ what, key string }

// rec is a record that the batch names.
type rec struct {
	n       int64
	old     facts   // as in the database, but for its keys
	was     []int64 // its entries in the database
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
	var entries []byte
	var langs string
	f := &r.old
	ok, err := b.row("SELECT entries, kind, langs, year, files, bytes, opens, flags FROM records WHERE n = ?", []any{n},
		&entries, &f.kind, &langs, &f.year, &f.files, &f.bytes, &f.opens, &f.flags)
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
	r.was = unpackEntries(n, entries)
	r.entries = slices.Clone(r.was)
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
	for _, n := range b.before.both(k, math.MaxInt) {
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
func (b *work) write(keys *keys) error {
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
	recheck, err := b.writeKeys(keys, dirty, next)
	if err != nil {
		return err
	}
	if err := b.writeRows(dirty, next); err != nil {
		return err
	}
	for _, n := range recheck {
		if err := b.recheck(n, dirty, next); err != nil {
			return err
		}
	}
	return b.writeCounts()
}

// writeKeys changes the keys, sets flagDuplicate in next, and returns the records
// whose flag must be looked at once more when the rows are written.
func (b *work) writeKeys(keys *keys, dirty []*rec, next []facts) (recheck []int64, err error) {
	type member struct {
		key int64
		at  int // in dirty
	}
	var members []member // of odd keys, new
	var change []keyset.Pair
	again := map[int64]bool{}
	gone := map[int64][]int64{} // odd key -> records that had it
	for at, r := range dirty {
		f := &next[at]
		had, err := b.hadKeys(r)
		if err != nil {
			return nil, err
		}
		for _, k := range had {
			if _, keep := slices.BinarySearch(f.keys, k); !keep {
				change = append(change, keyset.Pair{Key: uint64(k), N: r.n, Gone: true})
				if k&1 == 1 {
					gone[k] = append(gone[k], r.n)
					again[r.n] = true
				}
			}
		}
		for _, k := range f.keys {
			if _, had := slices.BinarySearch(had, k); !had {
				change = append(change, keyset.Pair{Key: uint64(k), N: r.n})
				if k&1 == 1 {
					members = append(members, member{k, at})
				}
			}
		}
		f.flags |= r.old.flags & flagDuplicate
	}
	mark := map[int64]bool{}
	slices.SortFunc(members, func(a, b member) int { return cmp.Or(cmpUint(a.key, b.key), a.at-b.at) })
	var others []int64
	for len(members) > 0 {
		k := members[0].key
		end := 1
		for end < len(members) && members[end].key == k {
			end++
		}
		// Two that are there already have been marked when the second came.
		others = b.before.Get(others[:0], uint64(k), 2+len(gone[k]))
		others = slices.DeleteFunc(others, func(n int64) bool { return slices.Contains(gone[k], n) })
		if end > 1 || len(others) > 0 {
			for _, m := range members[:end] {
				next[m.at].flags |= flagDuplicate
			}
			for _, n := range others {
				mark[n] = true
			}
		}
		members = members[end:]
	}
	if b.keys, err = keys.change(b, change); err != nil {
		return nil, err
	}
	for k := range gone {
		if left := b.keys.next.Get(nil, uint64(k), 2); len(left) == 1 {
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

// hadKeys gives the keys that a record had before the batch, sorted: those of the
// entries that made it up, or, where one of these can be read no more, those that are
// found by reading all keys, which an erasure may need.
func (b *work) hadKeys(r *rec) ([]int64, error) {
	if r.fresh {
		return nil, nil
	}
	entries := make([]view.Entry, 0, len(r.was))
	for _, i := range r.was {
		e, err := b.c.entry(b.ctx, i, b.batch)
		if b.ctx.Err() != nil {
			return nil, b.ctx.Err()
		}
		if err != nil || e.Raw == nil {
			return b.allKeys(r.n), nil
		}
		entries = append(entries, e)
	}
	st, outside, err := view.Fold(b.ctx, r.n, entries, b.c.cfg.Body)
	switch {
	case b.ctx.Err() != nil:
		return nil, b.ctx.Err()
	case outside:
		return b.allKeys(r.n), nil
	case err != nil:
		return nil, nil // it did not fold then either
	}
	return keyList(st), nil
}

func (b *work) allKeys(n int64) []int64 {
	var out []int64
	for _, k := range b.before.Of(n) {
		out = append(out, int64(k))
	}
	slices.Sort(out)
	return out
}

// cmpUint compares keys as the set orders them.
func cmpUint(a, b int64) int { return cmp.Compare(uint64(a), uint64(b)) }

func cmpInt(a, b int64) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}
	return 0
}

const columns = "n, entries, kind, langs, year, files, bytes, opens, flags"

// writeRows stores the rows, and counts the difference.
func (b *work) writeRows(dirty []*rec, next []facts) error {
	var fresh []any
	flush := func() error {
		if len(fresh) == 0 {
			return nil
		}
		err := b.exec("INSERT INTO records ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"+
			strings.Repeat(", (?, ?, ?, ?, ?, ?, ?, ?, ?)", len(fresh)/9-1), fresh...)
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
		row := []any{r.n, packEntries(r.n, r.entries), f.kind, strings.Join(f.langs, ","), f.year, f.files, f.bytes, f.opens, f.flags}
		if !r.fresh {
			if err := b.exec("INSERT OR REPLACE INTO records ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row...); err != nil {
				return err
			}
			continue
		}
		fresh = append(fresh, row...)
		if len(fresh) == 9*32 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// recheck sets or clears flagDuplicate of one record, when the keys and the rows of
// the batch, dirty and next, are written.
func (b *work) recheck(n int64, dirty []*rec, next []facts) error {
	var packed []byte
	var flags int64
	ok, err := b.row("SELECT entries, flags FROM records WHERE n = ?", []any{n}, &packed, &flags)
	if err != nil || !ok {
		return err
	}
	var keys []int64
	if at, ok := slices.BinarySearchFunc(dirty, n, func(r *rec, n int64) int { return cmpInt(r.n, n) }); ok {
		keys = next[at].keys
	} else if keys, err = b.hadKeys(&rec{n: n, was: unpackEntries(n, packed)}); err != nil {
		return err
	}
	dup := slices.ContainsFunc(keys, func(k int64) bool {
		return k&1 == 1 && slices.ContainsFunc(b.keys.next.Get(nil, uint64(k), 2), func(m int64) bool { return m != n })
	})
	if dup == (flags&flagDuplicate != 0) {
		return nil
	}
	return b.exec("UPDATE records SET flags = ? WHERE n = ?", flags^flagDuplicate, n)
}
