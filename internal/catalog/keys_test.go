package catalog

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/view/viewtest"
)

func runsIn(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.run"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestRunsOfKeys: runs are merged, those that are merged go, and so do those that a
// crash leaves; a reader in another process follows; a run that is gone is found out.
func TestRunsOfKeys(t *testing.T) {
	ctx := t.Context()
	reg := viewtest.New(t)
	dir := t.TempDir()
	c := open(t, reg, dir)
	f := follower(t, reg, c, 4)
	ro, err := Open(ctx, Config{Dir: dir, ReadOnly: true, Source: reg, Body: reg.Body})
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	found := func(c *Catalog, i int) []int64 {
		t.Helper()
		list, err := c.ByID(ctx, "doi", fmt.Sprintf("10.1000/%d", i))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for i := range 200 {
		n := reg.Accession(record.Record{Title: fmt.Sprint("A", i), Creators: []record.Creator{{Name: "B"}}, IDs: []record.ID{{Scheme: "doi", Value: fmt.Sprintf("10.1000/%d", i)}}}, nil, nil)
		if i%50 == 0 {
			catch(t, f)
			if got := found(ro, i); !slices.Equal(got, []int64{n}) {
				t.Fatalf("a reader finds %v for record %d", got, n)
			}
		}
	}
	catch(t, f)
	if runs := runsIn(t, dir); len(runs) == 0 || len(runs) > 4*fanIn {
		t.Fatalf("runs: %v", runs)
	}
	before := dump(t, c)
	if err := c.Check(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	orphan := filepath.Join(dir, "1.999.run")
	if err := os.WriteFile(orphan, []byte("half of a run"), 0o644); err != nil {
		t.Fatal(err)
	}
	c = open(t, reg, dir)
	if after := dump(t, c); after != before {
		t.Errorf("opened again:\n%s\n%s", before, after)
	}
	if _, err := os.Stat(orphan); !os.IsNotExist(err) {
		t.Errorf("a run that nothing names is there: %v", err)
	}
	if got := found(c, 123); len(got) != 1 {
		t.Errorf("found %v", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	name := runsIn(t, dir)[0]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, int64(len(whole)/2)); err != nil {
		t.Fatal(err)
	}
	if err := open(t, reg, dir).Ready(); !errs.Is(err, errs.Corrupt) || errs.HintOf(err) == "" {
		t.Errorf("half a run: %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	c = open(t, reg, dir)
	if err := c.Ready(); !errs.Is(err, errs.Corrupt) || errs.HintOf(err) == "" {
		t.Fatalf("a run is gone: %v", err)
	}
	if err := follower(t, reg, c, 0).Rebuild(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if after := dump(t, c); after != before {
		t.Errorf("made anew:\n%s\n%s", before, after)
	}
	for _, name := range runsIn(t, dir) {
		if filepath.Base(name)[:2] != "2." {
			t.Errorf("a run of the old generation is left: %s", name)
		}
	}
}

// TestFailedBatchLeavesNoRun: what a batch that fails wrote goes, and it can come again.
func TestFailedBatchLeavesNoRun(t *testing.T) {
	reg := viewtest.New(t)
	dir := t.TempDir()
	c := open(t, reg, dir)
	f := follower(t, reg, c, 0)
	for i := range 20 {
		reg.Accession(record.Record{Title: fmt.Sprint("A", i), Creators: []record.Creator{{Name: "B"}}}, nil, nil)
	}
	g, release, err := c.db.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	// The last thing that a batch writes is its counts.
	exec := func(q string) {
		t.Helper()
		if err := g.Update(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(q); return err }); err != nil {
			t.Fatal(err)
		}
	}
	exec("ALTER TABLE counts RENAME TO away")
	if err := f.Catch(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if runs := runsIn(t, dir); len(runs) > 0 || c.Cursor() != 0 {
		t.Errorf("left: %v, cursor %d", runs, c.Cursor())
	}
	exec("ALTER TABLE away RENAME TO counts")
	catch(t, f)
	if got, err := c.ByKey(t.Context(), record.TitleKey(record.Record{Title: "A7", Creators: []record.Creator{{Name: "B"}}})); err != nil || len(got) != 1 {
		t.Errorf("found %v, %v", got, err)
	}
}
