// Package sqldb opens SQLite databases the way that Wenlan uses them: pragmas in
// the data source name (a pragma sent by Exec would reach one pooled connection
// only), one connection that writes and a small pool that reads, numbered
// migrations, and transactions that always end.
//
// # Promises
//
// The journal is a write-ahead log, so readers never wait for the writer. With
// [Config.Durable] a transaction is on disk when Update returns. Without it a
// crash of the machine may lose the last transactions, but never damages the
// file or half of one: that is enough for a view, whose cursor goes back with it.
// Every connection has a small page cache, so an open database costs little.
//
// # Why modernc.org/sqlite
//
// It is SQLite translated to Go, so that a machine with Go and no C compiler can
// build Wenlan. See BENCHMARKS.md beside this file for what that costs against
// github.com/mattn/go-sqlite3.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/errs"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Config says which database to open and how.
type Config struct {
	Path       string        // the file; its folder is made if missing
	ReadOnly   bool          // another process writes; the file must be there
	Durable    bool          // each transaction is on disk when it is done
	Readers    int           // connections for reading; default 4
	CacheKiB   int           // page cache of the writer; default 2048
	ReadKiB    int           // page cache of each reader; default 512
	BusyWait   time.Duration // how long to wait for another process; default 5 s
	Migrations fs.FS         // numbered .sql files; nil: none

	scratch bool // worthless after a crash: nothing is synced
}

// DB is an open database. All methods may be used at once.
type DB struct {
	path string
	w    *sql.DB // one connection; nil when read-only
	r    *sql.DB
}

// Open opens a database and migrates it. errs.NotFound means that a read-only
// database is not there, errs.Corrupt that the file is not a sound database.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Readers <= 0 {
		cfg.Readers = 4
	}
	if cfg.CacheKiB <= 0 {
		cfg.CacheKiB = 2048
	}
	if cfg.ReadKiB <= 0 {
		cfg.ReadKiB = 512
	}
	if cfg.BusyWait <= 0 {
		cfg.BusyWait = 5 * time.Second
	}
	db := &DB{path: cfg.Path}
	if cfg.ReadOnly {
		if _, err := os.Stat(cfg.Path); err != nil {
			return nil, errs.New(errs.NotFound, "the database %s is not there", filepath.Base(cfg.Path))
		}
	} else {
		if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o755); err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
		w, err := sql.Open("sqlite", dsn(cfg, true))
		if err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
		w.SetMaxOpenConns(1)
		db.w = w
		if err := w.PingContext(ctx); err != nil {
			db.Close()
			return nil, wrap("open database", err)
		}
		if cfg.Migrations != nil {
			if err := migrate(ctx, w, cfg.Migrations); err != nil {
				db.Close()
				return nil, err
			}
		}
	}
	r, err := sql.Open("sqlite", dsn(cfg, false))
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	r.SetMaxOpenConns(cfg.Readers)
	r.SetMaxIdleConns(cfg.Readers)
	r.SetConnMaxIdleTime(time.Minute)
	db.r = r
	if err := r.PingContext(ctx); err != nil {
		db.Close()
		return nil, wrap("open database", err)
	}
	return db, nil
}

// dsn is the data source name, with every pragma in it.
func dsn(cfg Config, write bool) string {
	q := url.Values{}
	pragma := func(name string, value any) { q.Add("_pragma", fmt.Sprintf("%s(%v)", name, value)) }
	pragma("busy_timeout", cfg.BusyWait.Milliseconds())
	pragma("foreign_keys", 1)
	pragma("temp_store", "memory")
	pragma("trusted_schema", 0)
	if write {
		pragma("journal_mode", "wal")
		sync := "normal"
		switch {
		case cfg.scratch:
			sync = "off"
		case cfg.Durable:
			sync = "full"
		}
		pragma("synchronous", sync)
		pragma("cache_size", -cfg.CacheKiB)
		pragma("journal_size_limit", 16<<20)
		q.Set("_txlock", "immediate")
	} else {
		q.Set("mode", "ro")
		pragma("query_only", 1)
		pragma("cache_size", -cfg.ReadKiB)
	}
	return "file:" + (&url.URL{Path: cfg.Path}).EscapedPath() + "?" + q.Encode()
}

// Path is the database's file.
func (db *DB) Path() string { return db.path }

// Reader is the pool for reading.
func (db *DB) Reader() *sql.DB { return db.r }

// Update runs fn in the one writing transaction; it waits its turn. The
// transaction is committed when fn returns nil, and undone otherwise. When the
// commit itself fails nothing of it is there.
func (db *DB) Update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if db.w == nil {
		return errs.New(errs.Invalid, "the database %s is open for reading only", filepath.Base(db.path))
	}
	return transact(ctx, db.w, fn)
}

// View runs fn in a reading transaction: all that it reads is of one moment.
func (db *DB) View(ctx context.Context, fn func(tx *sql.Tx) error) error {
	return transact(ctx, db.r, fn)
}

func transact(ctx context.Context, pool *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return wrap("begin", err)
	}
	defer tx.Rollback() // does nothing after a commit
	if err := fn(tx); err != nil {
		return wrap("transaction", err)
	}
	return wrap("commit", tx.Commit())
}

// Close closes the database. The writer folds the write-ahead log into the file
// when no other process has it open.
func (db *DB) Close() error {
	var err error
	if db.r != nil {
		err = db.r.Close()
	}
	if db.w != nil {
		err = errors.Join(err, db.w.Close())
	}
	return err
}

// Sync makes what was committed durable, as far as it is not.
func (db *DB) Sync() error {
	err := syncFile(db.path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		err = syncFile(db.path)
	}
	return errors.Join(err, SyncFolder(db.path))
}

// SyncFolder makes the names in the folder of a file durable.
func SyncFolder(path string) error { return syncFile(filepath.Dir(path)) }

// Check reads the whole file and says what is wrong with it; nil when sound.
func (db *DB) Check(ctx context.Context) error {
	var answer string
	if err := db.r.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer); err != nil {
		return wrap("check", err)
	}
	if answer != "ok" {
		return errs.New(errs.Corrupt, "the database %s is damaged: %s", filepath.Base(db.path), answer)
	}
	return nil
}

// wrap gives damage its kind; other errors keep theirs.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var se *sqlite.Error
	if errors.As(err, &se) {
		switch se.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return errs.New(errs.Corrupt, "the database is damaged: %w", err)
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return errs.New(errs.Unavailable, "the database is busy: %w", err)
		}
	}
	return fmt.Errorf("%s: %w", op, err)
}

// Interrupted says whether err means that a statement was stopped by its context.
func Interrupted(err error) bool {
	var se *sqlite.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		(errors.As(err, &se) && se.Code()&0xff == sqlite3.SQLITE_INTERRUPT)
}

// migrate brings the schema forward, one transaction for each file. Files are
// named NUMBER_name.sql with numbers 1, 2, 3 …; user_version holds the last one.
func migrate(ctx context.Context, pool *sql.DB, files fs.FS) error {
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	var have int
	if err := pool.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return wrap("migrate", err)
	}
	if have > len(names) {
		return errs.WithHint(errs.New(errs.Refused, "the database was written by a newer program (schema %d, this one knows %d)", have, len(names)),
			"use the newer program")
	}
	for i, name := range names {
		head, _, _ := strings.Cut(name, "_")
		if n, err := strconv.Atoi(head); err != nil || n != i+1 {
			return fmt.Errorf("migrate: %s should have number %d", name, i+1)
		}
		if i < have {
			continue
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		err = transact(ctx, pool, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "PRAGMA user_version = "+itoa(int64(i+1)))
			return err
		})
		if err != nil {
			return fmt.Errorf("migrate %s: %w", name, err)
		}
	}
	return nil
}

// Collect reads all rows with scan and closes them.
func Collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, wrap("query", err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return out, wrap("scan", err)
		}
		out = append(out, v)
	}
	return out, wrap("query", rows.Err())
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
