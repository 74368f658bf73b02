package catalog

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"wenlan/internal/catalog/keyset"
	"wenlan/internal/errs"
	"wenlan/internal/sqldb"
)

// The keys of a generation are a [keyset.Set]. Its recent pairs are in the table
// key_recent, as each batch left them, and in memory; when there are many they become a run
// beside the database, NUMBER.ID.run, and runs that have become many one run. The
// table key_runs says which count, so that the keys move in one transaction with
// the rest. A run that a crash leaves unnamed is removed at the next opening.

const (
	maxRecent = 1 << 18 // pairs in memory, 16 bytes each; then they become a run
	fanIn     = 4       // runs of a level that become one of the next
)

// keys are the keys of a generation as last committed.
type keys struct {
	g        *sqldb.Generation
	most     int // recent pairs, see maxRecent
	readOnly bool
	now      atomic.Pointer[keyState]
	reload   sync.Mutex
}

// keyState is the keys at one moment.
type keyState struct {
	*keyset.Set
	levels []runLevel // of Set.Runs: by level, then the newest first
	recent int64      // rows of key_recent
	cursor int64      // at which it was read; only where another process writes
}

type runLevel struct{ id, level int64 }

// attachKeys reads the keys of a generation that is being opened.
func attachKeys(cfg Config) func(context.Context, *sqldb.Generation) (any, error) {
	return func(ctx context.Context, g *sqldb.Generation) (any, error) {
		k := &keys{g: g, most: cfg.recentKeys, readOnly: cfg.ReadOnly}
		st, err := k.load(ctx)
		if err != nil {
			return nil, err
		}
		k.now.Store(st)
		if !k.readOnly {
			err = k.clean(st)
		}
		return k, err
	}
}

func keysOf(g *sqldb.Generation) *keys { return g.Attached.(*keys) }

func (k *keys) path(id int64) string { return sqldb.RunPath(k.g.Path(), strconv.FormatInt(id, 10)) }

// load reads the keys as they were committed. Where another process writes, a run
// may go while this reads; then it tries again.
func (k *keys) load(ctx context.Context) (*keyState, error) {
	for try := 0; ; try++ {
		st, err := k.loadOnce(ctx)
		if err == nil {
			return st, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			if k.readOnly && try < 3 {
				continue
			}
			err = errs.New(errs.Corrupt, "keys of the catalogue are missing: %w", err)
		}
		return nil, err
	}
}

func (k *keys) loadOnce(ctx context.Context) (*keyState, error) {
	st := &keyState{Set: &keyset.Set{}}
	var pairs []keyset.Pair
	err := k.g.View(ctx, func(tx *sql.Tx) error {
		cursor, err := cursorOf(ctx, tx)
		if err != nil {
			return err
		}
		st.cursor = cursor
		rows, err := tx.QueryContext(ctx, "SELECT id, level FROM key_runs ORDER BY level, id DESC")
		st.levels, err = sqldb.Collect(rows, err, func(rows *sql.Rows) (l runLevel, err error) {
			err = rows.Scan(&l.id, &l.level)
			return l, err
		})
		if err != nil {
			return err
		}
		rows, err = tx.QueryContext(ctx, "SELECT id, pairs FROM key_recent ORDER BY id")
		_, err = sqldb.Collect(rows, err, func(rows *sql.Rows) (struct{}, error) {
			var packed []byte
			if err := rows.Scan(&st.recent, &packed); err != nil {
				return struct{}{}, err
			}
			pairs = unpackPairs(pairs, packed)
			return struct{}{}, nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keys of the catalogue: %w", err)
	}
	last := map[[2]uint64]int{} // of several rows the last counts
	for i, p := range pairs {
		last[[2]uint64{p.Key, uint64(p.N)}] = i
	}
	unique := pairs[:0]
	for i, p := range pairs {
		if last[[2]uint64{p.Key, uint64(p.N)}] == i {
			unique = append(unique, p)
		}
	}
	for _, l := range st.levels {
		r, err := keyset.OpenRun(k.path(l.id))
		if err != nil {
			return nil, err
		}
		st.Runs = append(st.Runs, r)
	}
	st.Set = st.With(unique)
	return st, nil
}

func cursorOf(ctx context.Context, tx interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (cursor int64, err error) {
	err = tx.QueryRowContext(ctx, "SELECT v FROM meta WHERE k = 'cursor'").Scan(&cursor)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return cursor, err
}

// state is the keys as last committed, by whichever process.
func (k *keys) state(ctx context.Context) (*keyState, error) {
	st := k.now.Load()
	if !k.readOnly {
		return st, nil
	}
	cursor, err := cursorOf(ctx, k.g.Reader())
	if err != nil || cursor == st.cursor {
		return st, err
	}
	k.reload.Lock()
	defer k.reload.Unlock()
	if st, err = k.load(ctx); err == nil {
		k.now.Store(st)
	}
	return st, err
}

// clean removes runs that no row names.
func (k *keys) clean(st *keyState) error {
	own := map[string]bool{}
	for _, l := range st.levels {
		own[k.path(l.id)] = true
	}
	dir, base := filepath.Split(k.path(0))
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	stem, end, _ := strings.Cut(base, "0.")
	for _, e := range list {
		name := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), stem) && strings.HasSuffix(e.Name(), "."+end) && !own[name] {
			err = errors.Join(err, os.Remove(name))
		}
	}
	return err
}

// keyChange is the keys that a batch leaves, until it is committed.
type keyChange struct {
	keys  *keys
	next  *keyState
	made  string   // a new run
	merge []string // runs that went into it
}

// change writes what a batch says of keys, each pair once, in its transaction. The
// caller then calls done or undo.
func (k *keys) change(tx *work, pairs []keyset.Pair) (*keyChange, error) {
	now := k.now.Load()
	c := &keyChange{keys: k, next: now}
	if len(pairs) == 0 {
		return c, nil
	}
	c.next = &keyState{Set: now.With(pairs), levels: now.levels, recent: now.recent + 1}
	if len(c.next.Recent) < k.most {
		return c, tx.exec("INSERT INTO key_recent (id, pairs) VALUES (?, ?)", c.next.recent, packPairs(pairs))
	}
	return c, c.flush(tx)
}

// flush makes one run of the recent pairs, and of the levels that are full with it.
func (c *keyChange) flush(tx *work) error {
	now := c.next
	id, merged, level := int64(1), 0, int64(0)
	for _, l := range now.levels {
		id = max(id, l.id+1)
	}
	for {
		same := 0
		for merged+same < len(now.levels) && now.levels[merged+same].level == level {
			same++
		}
		if same+1 < fanIn {
			break
		}
		merged += same
		level++
	}
	path := c.keys.path(id)
	c.made = path
	if err := keyset.Write(path, now.Recent, now.Runs[:merged], merged == len(now.Runs), !c.keys.g.Scratch); err != nil {
		return err
	}
	run, err := keyset.OpenRun(path)
	if err != nil {
		return err
	}
	for _, l := range now.levels[:merged] {
		c.merge = append(c.merge, c.keys.path(l.id))
		if err := tx.exec("DELETE FROM key_runs WHERE id = ?", l.id); err != nil {
			return err
		}
	}
	c.next = &keyState{
		Set:    &keyset.Set{Runs: append([]*keyset.Run{run}, now.Runs[merged:]...)},
		levels: append([]runLevel{{id, level}}, now.levels[merged:]...),
	}
	if err := tx.exec("DELETE FROM key_recent"); err != nil {
		return err
	}
	if !c.keys.g.Scratch {
		if err := sqldb.SyncFolder(path); err != nil {
			return err
		}
	}
	return tx.exec("INSERT INTO key_runs (id, level) VALUES (?, ?)", id, level)
}

// done puts the keys in place when the transaction is committed.
func (c *keyChange) done() error {
	if c == nil {
		return nil
	}
	c.keys.now.Store(c.next)
	if len(c.merge) == 0 {
		return nil
	}
	// After a power failure the database may be as it was a while ago, and must find
	// its runs: so this is made sure first.
	err := c.keys.g.Sync()
	for _, path := range c.merge {
		if err == nil {
			err = os.Remove(path)
		}
	}
	return err
}

// undo removes what a transaction that failed has written.
func (c *keyChange) undo() {
	if c != nil && c.made != "" {
		_ = os.Remove(c.made) // the next opening does it else
	}
}

func packPairs(pairs []keyset.Pair) []byte {
	out := make([]byte, 0, 16*len(pairs))
	for _, p := range pairs {
		v := uint64(p.N) << 1
		if p.Gone {
			v |= 1
		}
		out = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(out, p.Key), v)
	}
	return out
}

func unpackPairs(out []keyset.Pair, b []byte) []keyset.Pair {
	for ; len(b) >= 16; b = b[16:] {
		v := binary.BigEndian.Uint64(b[8:])
		out = append(out, keyset.Pair{Key: binary.BigEndian.Uint64(b), N: int64(v >> 1), Gone: v&1 == 1})
	}
	return out
}

// both gives the records that have a key in either form, ascending, at most limit.
func (st *keyState) both(k int64, limit int) []int64 { return st.bothAfter(k, -1, limit) }

// bothAfter is both of the records above after.
func (st *keyState) bothAfter(k, after int64, limit int) []int64 {
	out := st.GetAfter(nil, uint64(k&^1), after, limit)
	odd := st.GetAfter(nil, uint64(k|1), after, limit)
	if len(odd) == 0 {
		return out
	}
	out = append(out, odd...)
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(limit, len(out))]
}
