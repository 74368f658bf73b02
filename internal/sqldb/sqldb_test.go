package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"wenlan/internal/errs"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func TestMigrations(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "a b?#%.db")
	files := fstest.MapFS{"1_first.sql": {Data: []byte("CREATE TABLE a (x); INSERT INTO a VALUES (1);")}}
	open := func() (*DB, error) { return Open(ctx, Config{Path: path, Migrations: files, Durable: true}) }
	count := func(db *DB) (n int) {
		t.Helper()
		if err := db.Reader().QueryRow("SELECT COUNT(*) FROM a").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 2 { // the second time nothing is left to do
		db, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if count(db) != 1 {
			t.Error("migrated twice")
		}
		db.Close()
	}
	files["2_second.sql"] = &fstest.MapFile{Data: []byte("INSERT INTO a VALUES (2); INSERT INTO nowhere VALUES (1);")}
	if _, err := open(); err == nil {
		t.Fatal("a migration that fails passes")
	}
	files["2_second.sql"] = &fstest.MapFile{Data: []byte("INSERT INTO a VALUES (2);")}
	db, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if count(db) != 2 {
		t.Error("a migration that failed has left something behind")
	}
	db.Close()
	delete(files, "2_second.sql")
	if _, err := open(); !errs.Is(err, errs.Refused) {
		t.Errorf("a newer database: %v", err)
	}
	files["3_gap.sql"] = &fstest.MapFile{Data: []byte("SELECT 1")}
	if _, err := open(); err == nil {
		t.Error("a gap in the numbers passes")
	}
}

func TestTransactions(t *testing.T) {
	ctx := t.Context()
	db, err := Open(ctx, Config{Path: filepath.Join(t.TempDir(), "x.db"), Migrations: fstest.MapFS{"1_a.sql": {Data: []byte("CREATE TABLE a (x)")}}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	insert := func(tx *sql.Tx) error { _, err := tx.Exec("INSERT INTO a VALUES (1)"); return err }
	if err := db.Update(ctx, insert); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no")
	if err := db.Update(ctx, func(tx *sql.Tx) error { return errors.Join(insert(tx), broken) }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := db.View(ctx, insert); err == nil {
		t.Error("a reader can write")
	}
	var n int
	if err := db.View(ctx, func(tx *sql.Tx) error { return tx.QueryRow("SELECT COUNT(*) FROM a").Scan(&n) }); err != nil || n != 1 {
		t.Errorf("%d %v", n, err)
	}
	for name, want := range map[string]string{"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000"} {
		var got string
		if err := db.w.QueryRow("PRAGMA " + name).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	if err := db.Check(ctx); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err = db.Reader().QueryRowContext(short, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT MAX(x) FROM c").Scan(&n)
	if !Interrupted(err) {
		t.Errorf("a query beyond its time: %v", err)
	}
}

func derived(t *testing.T, dir string, format int) *Derived {
	t.Helper()
	d, err := OpenDerived(t.Context(), DerivedConfig{Dir: dir, Name: "x", Format: format, Schema: "CREATE TABLE a (x);"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDerived(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	d := derived(t, dir, 1)
	g, release, err := d.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	add := func(tx *sql.Tx) error { _, err := tx.Exec("INSERT INTO a VALUES (1)"); return err }
	count := func(g *Generation) (n int) {
		t.Helper()
		if err := g.Reader().QueryRow("SELECT COUNT(*) FROM a").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := g.Advance(ctx, 3, "lib", add); err != nil || d.Cursor() != 3 || d.Library() != "lib" {
		t.Fatal(err, d.Cursor(), d.Library())
	}
	if err := g.Advance(ctx, 4, "", func(tx *sql.Tx) error { return errors.Join(add(tx), errors.New("no")) }); err == nil || d.Cursor() != 3 || count(g) != 1 {
		t.Errorf("a batch that failed: %v, cursor %d, %d rows", err, d.Cursor(), count(g))
	}

	w, err := d.Draft(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Advance(ctx, 5, "lib", func(tx *sql.Tx) error { return errors.Join(add(tx), add(tx)) }); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if count(g) != 1 { // a reader that began before goes on with the old
		t.Error("the old generation changed under its reader")
	}
	if d.Cursor() != 5 {
		t.Errorf("cursor %d", d.Cursor())
	}
	release()
	if got := names(t, dir); slices.Contains(got, "1.db") || !slices.Contains(got, "2.db") {
		t.Errorf("left: %v", got)
	}
	g, release, err = d.Acquire()
	if err != nil || count(g) != 2 {
		t.Errorf("the new generation: %v", err)
	}
	release()

	// A rebuild that was stopped leaves nothing that matters.
	if w, err = d.Draft(ctx); err != nil {
		t.Fatal(err)
	}
	d.Close()
	os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600)
	d = derived(t, dir, 1)
	if got := names(t, dir); slices.Contains(got, "3.new") || !slices.Contains(got, "notes.txt") || d.Cursor() != 5 {
		t.Errorf("left: %v, cursor %d", got, d.Cursor())
	}
	w.Discard()
	d.Close()
	if _, _, err := d.Acquire(); !errs.Is(err, errs.Unavailable) {
		t.Errorf("closed: %v", err)
	}

	d = derived(t, dir, 2)
	if err := d.Ready(); !errs.Is(err, errs.Refused) || errs.HintOf(err) == "" {
		t.Errorf("another format: %v", err)
	}
	if w, err = d.Draft(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx); err != nil || d.Ready() != nil || d.Cursor() != 0 {
		t.Errorf("made anew: %v %v %d", err, d.Ready(), d.Cursor())
	}
}
