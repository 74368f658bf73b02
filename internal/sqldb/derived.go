package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"

	"wenlan/internal/errs"
)

// DerivedConfig says what a derived database is.
type DerivedConfig struct {
	Dir      string // the folder of its generations
	Name     string // of the view, for messages
	Format   int    // of the schema; a file with another is refused
	Schema   string // statements that make an empty one
	ReadOnly bool   // another process writes
	CacheKiB int    // see Config
	ReadKiB  int
	Readers  int
	Log      *slog.Logger
	// Attach gives what belongs to a generation beside its database; nil: nothing. It
	// is called when one is opened, and its error is that of opening.
	Attach func(ctx context.Context, g *Generation) (any, error)
}

// Derived is a database that can be made anew from something else: it has a
// format, a cursor that moves with each transaction, and generations, so that the
// next can be built beside the one that serves. One whose file is damaged or of
// another format opens all the same, refuses to serve and says what to do.
//
// The table meta (k, v) belongs to Derived: cursor and library.
type Derived struct {
	cfg  DerivedConfig
	gens Generations
	live Live[*Generation]
	why  atomic.Pointer[error] // why it does not serve
	now  atomic.Pointer[Generation]
}

// Generation is one file of a derived database.
type Generation struct {
	*DB
	Attached any  // what Attach gave
	Scratch  bool // worthless after a crash: nothing of it need be synced
	format   int
	cursor   atomic.Int64
	library  atomic.Pointer[string]
}

// OpenDerived opens the generation that serves, or makes an empty one when there
// is none (read-only: it is then not ready). Left-overs of a rebuild that did not
// end are removed.
func OpenDerived(ctx context.Context, cfg DerivedConfig) (*Derived, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &Derived{cfg: cfg, gens: Generations{Dir: cfg.Dir}}
	if !cfg.ReadOnly {
		if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
			return nil, err
		}
		if err := d.gens.Clean(); err != nil {
			return nil, err
		}
	}
	for try := 0; ; try++ {
		path, there, err := d.gens.Current()
		if err != nil {
			return nil, err
		}
		if !there && cfg.ReadOnly {
			d.refuse(errs.New(errs.Unavailable, "the view %s has not been made yet", cfg.Name))
			return d, nil
		}
		if !there {
			path = d.gens.First()
		}
		g, err := d.open(ctx, path, cfg.ReadOnly, false)
		if err == nil {
			d.now.Store(g)
			d.live.Swap(g, func(error) {})
			return d, nil
		}
		switch {
		case ctx.Err() != nil:
			return nil, err
		case cfg.ReadOnly && try < 3 && (errors.Is(err, fs.ErrNotExist) || errs.Is(err, errs.NotFound)):
			continue // it was replaced a moment ago
		case errs.Is(err, errs.Corrupt) || errs.Is(err, errs.Refused):
			d.refuse(err)
			return d, nil
		}
		return nil, err
	}
}

func (d *Derived) refuse(err error) {
	if errs.HintOf(err) == "" {
		err = errs.WithHint(err, "run `wenlan rebuild`")
	}
	d.why.Store(&err)
}

func (d *Derived) open(ctx context.Context, path string, readOnly, scratch bool) (*Generation, error) {
	cfg := Config{Path: path, ReadOnly: readOnly, CacheKiB: d.cfg.CacheKiB, ReadKiB: d.cfg.ReadKiB, Readers: d.cfg.Readers, scratch: scratch}
	if scratch {
		cfg.CacheKiB = 16 << 10
	}
	db, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	g := &Generation{DB: db, Scratch: scratch, format: d.cfg.Format}
	err = g.load(ctx, d.cfg)
	if err == nil && d.cfg.Attach != nil {
		g.Attached, err = d.cfg.Attach(ctx, g)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return g, nil
}

func (g *Generation) load(ctx context.Context, cfg DerivedConfig) error {
	var format, tables int
	err := g.r.QueryRowContext(ctx, "SELECT (SELECT user_version FROM pragma_user_version), (SELECT COUNT(*) FROM sqlite_schema)").Scan(&format, &tables)
	if err != nil {
		return wrap("open "+cfg.Name, err)
	}
	if tables == 0 && !cfg.ReadOnly {
		schema := "CREATE TABLE meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID;\n" + cfg.Schema
		return g.DB.Update(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, schema); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "PRAGMA user_version = "+itoa(int64(cfg.Format)))
			return err
		})
	}
	if format != cfg.Format {
		g.format = format
		return errs.New(errs.Refused, "the view %s has the format %d, and this program needs %d", cfg.Name, format, cfg.Format)
	}
	rows, err := g.r.QueryContext(ctx, "SELECT k, v FROM meta WHERE k IN ('cursor', 'library')")
	if err != nil {
		return wrap("open "+cfg.Name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var k string
		var v any
		if err := rows.Scan(&k, &v); err != nil {
			return wrap("open "+cfg.Name, err)
		}
		switch v := v.(type) {
		case int64:
			g.cursor.Store(v)
		case string:
			g.library.Store(&v)
		}
	}
	return wrap("open "+cfg.Name, rows.Err())
}

// Cursor is how many entries the generation has folded in.
func (g *Generation) Cursor() int64 { return g.cursor.Load() }

// Library is the id of the library that it is of; empty at cursor 0.
func (g *Generation) Library() string {
	if p := g.library.Load(); p != nil {
		return *p
	}
	return ""
}

// Advance runs fn and moves the cursor to the index "to", in one transaction. A
// library that is not empty is remembered.
func (g *Generation) Advance(ctx context.Context, to int64, library string, fn func(tx *sql.Tx) error) error {
	err := g.DB.Update(ctx, func(tx *sql.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if library != "" {
			if _, err := tx.ExecContext(ctx, "INSERT INTO meta (k, v) VALUES ('library', ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v", library); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO meta (k, v) VALUES ('cursor', ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v", to)
		return err
	})
	if err != nil {
		return err
	}
	g.cursor.Store(to)
	if library != "" {
		g.library.Store(&library)
	}
	return nil
}

// Ready is nil when it serves, and otherwise the error that every use gives.
func (d *Derived) Ready() error {
	if p := d.why.Load(); p != nil {
		return *p
	}
	return nil
}

// Acquire is the generation that serves, and the call that gives it back.
func (d *Derived) Acquire() (*Generation, func(), error) {
	if err := d.Ready(); err != nil {
		return nil, func() {}, err
	}
	g, release, ok := d.live.Acquire()
	if !ok {
		return nil, release, errs.New(errs.Unavailable, "the view %s is closed", d.cfg.Name)
	}
	return g, release, nil
}

// Cursor is that of the generation that serves; 0 when none does.
func (d *Derived) Cursor() int64 {
	if g := d.now.Load(); g != nil {
		return g.Cursor()
	}
	return 0
}

// Library is that of the generation that serves.
func (d *Derived) Library() string {
	if g := d.now.Load(); g != nil {
		return g.Library()
	}
	return ""
}

// Close closes the generation that serves once its last reader is done.
func (d *Derived) Close() error {
	var err error
	closed := errs.New(errs.Unavailable, "the view %s is closed", d.cfg.Name)
	d.why.Store(&closed)
	d.live.Clear(func(e error) { err = e })
	return err
}

// Draft is a generation that is being built beside the one that serves.
type Draft struct {
	*Generation
	d    *Derived
	done bool
}

// Draft begins an empty generation. It is written without syncing, because a
// draft that a crash leaves behind is thrown away.
func (d *Derived) Draft(ctx context.Context) (*Draft, error) {
	if d.cfg.ReadOnly {
		return nil, errs.New(errs.Invalid, "the view %s is open for reading only", d.cfg.Name)
	}
	path, err := d.gens.Next()
	if err != nil {
		return nil, err
	}
	g, err := d.open(ctx, path, false, true)
	if err != nil {
		return nil, err
	}
	return &Draft{Generation: g, d: d}, nil
}

// Commit puts the draft in place of the generation that serves; that one is
// closed and removed when its last reader is done.
func (w *Draft) Commit(ctx context.Context) error {
	d := w.d
	w.done = true
	built := w.Path()
	if err := w.DB.Close(); err != nil {
		return errors.Join(err, d.gens.Remove(built))
	}
	path, err := d.gens.Publish(built)
	if err != nil {
		return errors.Join(err, d.gens.Remove(built))
	}
	g, err := d.open(ctx, path, false, false)
	if err != nil {
		return err
	}
	old := ""
	if p := d.now.Load(); p != nil {
		old = p.Path()
	}
	d.now.Store(g)
	d.live.Swap(g, func(err error) {
		if err = errors.Join(err, d.gens.Remove(old)); err != nil {
			d.cfg.Log.Warn("remove the old generation", "view", d.cfg.Name, "error", err)
		}
	})
	d.why.Store(nil)
	if old == "" {
		return d.gens.Clean() // what could not be opened
	}
	return nil
}

// Discard closes and removes the draft; it does nothing after Commit.
func (w *Draft) Discard() error {
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.DB.Close(), w.d.gens.Remove(w.Path()))
}
