package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wenlan/internal/catalog/keyset"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
	"wenlan/internal/view/viewtest"

	"pgregory.net/rapid"
)

func open(t testing.TB, reg *viewtest.Register, dir string) *Catalog {
	t.Helper()
	c, err := Open(t.Context(), Config{Dir: dir, Source: reg, Body: reg.Body, recentKeys: 8}) // so that there are runs, and merges
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func follower(t testing.TB, reg *viewtest.Register, c *Catalog, batch int) *view.Follower {
	t.Helper()
	f, err := view.New(view.Config{Source: reg, Body: reg.Body, Views: []view.Node{{View: c}}, BatchEntries: batch})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func catch(t testing.TB, f *view.Follower) {
	t.Helper()
	if err := f.Catch(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// dump is every row of the catalogue, the cursor and the library apart.
func dump(t testing.TB, c *Catalog) string {
	t.Helper()
	g, release, err := c.db.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var b strings.Builder
	for _, table := range []string{
		"SELECT n, hex(entries), kind, langs, year, files, bytes, opens, flags FROM records ORDER BY n",
		"SELECT entry, n FROM entry_of ORDER BY entry, n",
		"SELECT entry, src, dst FROM merges ORDER BY entry",
		"SELECT entry, merge FROM unmerges ORDER BY entry",
		"SELECT n, erasure FROM gone ORDER BY n",
		"SELECT hex(sha256), hex(entries) FROM closings ORDER BY sha256",
		"SELECT hex(sha256), entry, bytes FROM bodies ORDER BY sha256, entry",
		"SELECT what, key, n FROM counts ORDER BY what, key",
	} {
		rows, err := g.Reader().Query(table)
		if err != nil {
			t.Fatal(err)
		}
		cols, _ := rows.Columns()
		_, err = sqldb.Collect(rows, nil, func(rows *sql.Rows) (int, error) {
			vals := make([]any, len(cols))
			for i := range vals {
				vals[i] = new(any)
			}
			err := rows.Scan(vals...)
			for i := range vals {
				fmt.Fprintf(&b, "%v|", *vals[i].(*any))
			}
			b.WriteByte('\n')
			return 0, err
		})
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("--\n")
	}
	set, err := keysOf(g).load(t.Context()) // as it is on the disk
	if err != nil {
		t.Fatal(err)
	}
	set.All(func(p keyset.Pair) bool {
		fmt.Fprintf(&b, "%x|%d\n", p.Key, p.N)
		return true
	})
	return b.String()
}

func sha(i int) string { return fmt.Sprintf("%064x", i+1) }

func file(i int) record.File {
	return record.File{SHA256: sha(i), Bytes: int64(100 + i), MediaType: "application/epub+zip", Name: fmt.Sprintf("f%d.epub", i), Role: record.RoleText}
}

var openRights = &record.Rights{Basis: record.PublicDomain, Access: record.Open}

func ptr(n int64) *int64 { return &n }

func TestLifeOfARecord(t *testing.T) {
	ctx := t.Context()
	reg := viewtest.New(t)
	c := open(t, reg, t.TempDir())
	f := follower(t, reg, c, 0)
	rec := record.Record{Title: "紅樓夢", Creators: []record.Creator{{Name: "曹雪芹"}}, Kind: record.Book, Languages: []string{"zh-Hant"}, Issued: "1791",
		IDs: []record.ID{{Scheme: "isbn", Value: "0-439-55493-4"}, {Scheme: "doi", Value: "https://doi.org/10.1000/ABC"}}}
	n := reg.Append(record.Entry{Type: record.TypeAccession, Record: &rec, Files: []record.File{file(1)}, Source: &record.Source{Name: "marc", ID: "7", Digest: sha(9)}})
	catch(t, f)

	want := func(got []int64, err error) func(...int64) {
		return func(numbers ...int64) {
			t.Helper()
			if err != nil || !slices.Equal(got, numbers) {
				t.Errorf("got %v, %v; want %v", got, err, numbers)
			}
		}
	}
	want(c.ByBlob(ctx, sha(1)))(n)
	want(c.ByID(ctx, "isbn", "978-0-439-55493-0"))(n)
	want(c.ByID(ctx, "ISBN", "0439554934"))(n)
	want(c.ByID(ctx, "doi", "doi:10.1000/abc"))(n)
	want(c.ByKey(ctx, record.TitleKey(rec)))(n)
	want(c.List(ctx, ListQuery{NeedsRights: true}))(n)
	if m, digest, ok, err := c.BySource(ctx, "marc", "7"); err != nil || !ok || m != n || digest != sha(9) {
		t.Errorf("BySource: %d %s %v %v", m, digest, ok, err)
	}
	if _, _, ok, err := c.BySource(ctx, "marc", "8"); ok || err != nil {
		t.Errorf("an unknown source: %v %v", ok, err)
	}
	counts, err := c.Counts(ctx)
	if err != nil || counts.Records != 1 || counts.Files != 1 || counts.Bytes != 101 || counts.Readable != 0 || counts.Languages[0] != (Count{"zh", 1}) || counts.Years[0] != (Count{"1791", 1}) {
		t.Errorf("counts: %+v %v", counts, err)
	}

	reg.Append(record.Entry{Type: record.TypeRights, Of: &n, Rights: openRights})
	catch(t, f)
	want(c.List(ctx, ListQuery{NeedsRights: true}))()
	if counts, _ := c.Counts(ctx); counts.Readable != 1 {
		t.Errorf("readable: %+v", counts)
	}

	reg.Append(record.Entry{Type: record.TypeWithdrawal, Blob: sha(1), Ground: "court"})
	catch(t, f)
	if w, err := c.BlobWithdrawals(ctx, sha(1)); err != nil || len(w) != 1 || w[0].Ground != "court" || w[0].Blob != sha(1) {
		t.Errorf("withdrawals: %v %v", w, err)
	}
	if counts, _ := c.Counts(ctx); counts.Readable != 0 {
		t.Errorf("readable after a withdrawal: %+v", counts)
	}
	reg.Append(record.Entry{Type: record.TypeRestoration, Blob: sha(1), Ground: "appeal"})
	catch(t, f)
	if w, err := c.BlobWithdrawals(ctx, sha(1)); err != nil || len(w) != 0 {
		t.Errorf("withdrawals: %v %v", w, err)
	}

	m := reg.Accession(rec, []record.File{file(2)}, nil)
	catch(t, f)
	want(c.List(ctx, ListQuery{Duplicates: true}))(n, m)
	if d, err := c.Duplicates(ctx, n); err != nil || len(d) != 1 || d[0] != (Duplicate{m, "isbn"}) {
		t.Errorf("duplicates: %v %v", d, err)
	}
	want(c.List(ctx, ListQuery{Newest: true}))(m, n)
	want(c.List(ctx, ListQuery{Newest: true, After: m, Limit: 1}))(n)
	want(c.List(ctx, ListQuery{After: n}))(m)

	merge := reg.Append(record.Entry{Type: record.TypeMerge, From: &m, Into: &n})
	catch(t, f)
	want(c.List(ctx, ListQuery{}))(n)
	want(c.List(ctx, ListQuery{Duplicates: true}))()
	if st, err := c.Record(ctx, m); err != nil || st.MergedInto == nil || *st.MergedInto != n {
		t.Errorf("merged: %+v %v", st, err)
	}
	want(c.ByBlob(ctx, sha(2)))(m)
	unmerge := reg.Append(record.Entry{Type: record.TypeUnmerge, Of: &merge})
	catch(t, f)
	want(c.List(ctx, ListQuery{Duplicates: true}))(n, m)
	want(c.Named(ctx, merge))(n, m)
	want(c.Named(ctx, unmerge))(n, m)
	want(c.Named(ctx, n))()

	revision := reg.Append(record.Entry{Type: record.TypeRevision, Of: &n, Patch: []byte(`{"place":"x"}`)})
	catch(t, f)
	want(c.Named(ctx, revision))(n)
	reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{revision, merge}, Ground: "law"})
	catch(t, f)
	want(c.Named(ctx, revision))(n)
	want(c.Named(ctx, merge))(n, m)
	want(c.Named(ctx, unmerge))(n, m)

	reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{m}, Ground: "law"})
	reg.Purge(m)
	catch(t, f)
	want(c.List(ctx, ListQuery{}))(n)
	want(c.List(ctx, ListQuery{Duplicates: true}))()
	want(c.ByBlob(ctx, sha(2)))()
	if st, err := c.Record(ctx, m); !errs.Is(err, errs.Gone) || st == nil || st.Erased.Ground != "law" {
		t.Errorf("erased: %+v %v", st, err)
	}
	if _, err := c.Record(ctx, 99); !errs.Is(err, errs.NotFound) {
		t.Errorf("no record: %v", err)
	}
	if _, err := c.Record(ctx, 0); !errs.Is(err, errs.NotFound) {
		t.Errorf("the charter is no record: %v", err)
	}
}

func TestOpensByItself(t *testing.T) {
	reg := viewtest.New(t)
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	c, err := Open(t.Context(), Config{Dir: t.TempDir(), Source: reg, Body: reg.Body, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	reg.Accession(record.Record{Title: "Later"}, []record.File{file(1)}, &record.Rights{Basis: record.Permission, Access: record.Sale, Opens: "2026-06-02"})
	catch(t, follower(t, reg, c, 0))
	for _, want := range []int64{0, 1} {
		if got, err := c.Counts(t.Context()); err != nil || got.Readable != want {
			t.Errorf("on %v: %+v, %v", now, got, err)
		}
		now = now.AddDate(0, 0, 1)
	}
}

func TestUnknownCriticalEntryCloses(t *testing.T) {
	reg := viewtest.New(t)
	c := open(t, reg, t.TempDir())
	f := follower(t, reg, c, 0)
	n := reg.Accession(record.Record{Title: "A"}, []record.File{file(1)}, openRights)
	reg.AppendRaw(fmt.Appendf(nil, `{"type":"embargo","time":"2026-01-01T00:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","of":%d}`, n))
	catch(t, f)
	if st, err := c.Record(t.Context(), n); err != nil || st.Closed {
		t.Fatalf("a plain unknown entry: %+v %v", st, err)
	}
	reg.AppendRaw(fmt.Appendf(nil, `{"type":"embargo","time":"2026-01-01T00:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","of":%d,"critical":true}`, n))
	reg.AppendRaw(fmt.Appendf(nil, `{"type":"embargo","time":"2026-01-01T00:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","blob":%q,"critical":true}`, sha(1)))
	reg.AppendRaw([]byte("no entry at all"))
	catch(t, f)
	if st, err := c.Record(t.Context(), n); err != nil || !st.Closed {
		t.Errorf("not closed: %+v %v", st, err)
	}
	if w, err := c.BlobWithdrawals(t.Context(), sha(1)); err != nil || len(w) != 1 {
		t.Errorf("blob not closed: %v %v", w, err)
	}
	if counts, _ := c.Counts(t.Context()); counts.Readable != 0 {
		t.Errorf("%+v", counts)
	}
}

func TestBodies(t *testing.T) {
	ctx := t.Context()
	reg := viewtest.New(t)
	c := open(t, reg, t.TempDir())
	f := follower(t, reg, c, 0)
	n := reg.Accession(record.Record{Title: "A", Abstract: strings.Repeat("long ", record.MaxEntry/5)}, nil, nil)
	unknown := fmt.Appendf(nil, `{"type":"list","time":"2026-01-01T00:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","body":{"sha256":%q,"bytes":7}}`, sha(7))
	reg.AppendRaw(unknown)
	again := reg.AppendRaw(unknown)
	catch(t, f)
	raw, err := reg.Entry(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := record.Decode(raw)
	if err != nil || e.Body == nil {
		t.Fatalf("the record fits into its entry: %v", err)
	}
	if got, err := c.Body(ctx, e.Body.SHA256); err != nil || got != *e.Body {
		t.Errorf("the body of an accession: %v %v", got, err)
	}
	if got, err := c.Body(ctx, sha(7)); err != nil || got.Bytes != 7 {
		t.Errorf("the body of a type that is not known: %v %v", got, err)
	}
	reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{n, again}, Ground: "court"})
	catch(t, f)
	if _, err := c.Body(ctx, e.Body.SHA256); !errs.Is(err, errs.NotFound) {
		t.Errorf("the body of an erased entry: %v", err)
	}
	if _, err := c.Body(ctx, sha(7)); err != nil {
		t.Errorf("another entry names it still: %v", err)
	}
	for _, none := range []string{"", "x", sha(8)} {
		if _, err := c.Body(ctx, none); !errs.Is(err, errs.NotFound) {
			t.Errorf("%q: %v", none, err)
		}
	}
}

func TestRefusesWhatItCannotRead(t *testing.T) {
	reg := viewtest.New(t)
	reg.Accession(record.Record{Title: "A"}, nil, nil)
	for name, spoil := range map[string]func(path string) error{
		"another format": func(path string) error {
			db, err := sqldb.Open(t.Context(), sqldb.Config{Path: path})
			if err != nil {
				return err
			}
			defer db.Close()
			return db.Update(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec("PRAGMA user_version = 99"); return err })
		},
		"no database": func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o644)
		},
		"another library": func(path string) error {
			db, err := sqldb.Open(t.Context(), sqldb.Config{Path: path})
			if err != nil {
				return err
			}
			defer db.Close()
			return db.Update(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec("UPDATE meta SET v = 'x' WHERE k = 'library'"); return err })
		},
		"too far": func(path string) error {
			db, err := sqldb.Open(t.Context(), sqldb.Config{Path: path})
			if err != nil {
				return err
			}
			defer db.Close()
			return db.Update(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec("UPDATE meta SET v = 77 WHERE k = 'cursor'"); return err })
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := open(t, reg, dir)
			catch(t, follower(t, reg, c, 0))
			c.Close()
			if err := spoil(filepath.Join(dir, "1.db")); err != nil {
				t.Fatal(err)
			}
			c = open(t, reg, dir)
			f := follower(t, reg, c, 0)
			err := f.Catch(t.Context())
			if err == nil || !strings.Contains(errs.HintOf(err)+findHint(err), "wenlan rebuild") {
				t.Fatalf("no hint: %v", err)
			}
			if err := f.Rebuild(t.Context(), "catalog"); err != nil {
				t.Fatal(err)
			}
			catch(t, f)
			if !f.Ready() {
				t.Error(f.Check())
			}
			if _, err := c.Record(t.Context(), 1); err != nil {
				t.Error(err)
			}
			c.Close()
			c = open(t, reg, dir)
			if c.Ready() != nil || c.Cursor() != reg.Size() {
				t.Errorf("after opening again: %v, cursor %d", c.Ready(), c.Cursor())
			}
		})
	}
}

// findHint looks for a hint in joined errors, too.
func findHint(err error) string {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, x := range e.Unwrap() {
			if h := findHint(x); h != "" {
				return h
			}
		}
	case interface{ Unwrap() error }:
		if h := errs.HintOf(err); h != "" {
			return h
		}
		return findHint(e.Unwrap())
	}
	return errs.HintOf(err)
}

func TestReadOnly(t *testing.T) {
	reg := viewtest.New(t)
	dir := t.TempDir()
	ro, err := Open(t.Context(), Config{Dir: filepath.Join(dir, "no"), ReadOnly: true, Source: reg})
	if err != nil || ro.Ready() == nil {
		t.Fatalf("a missing view: %v, %v", err, ro.Ready())
	}
	c := open(t, reg, dir)
	f := follower(t, reg, c, 0)
	n := reg.Accession(record.Record{Title: "A"}, nil, nil)
	catch(t, f)
	ro, err = Open(t.Context(), Config{Dir: dir, ReadOnly: true, Source: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	reg.Append(record.Entry{Type: record.TypeRevision, Of: &n, Patch: json.RawMessage(`{"title":"B"}`)})
	catch(t, f)
	if st, err := ro.Record(t.Context(), n); err != nil || st.Record.Title != "B" {
		t.Errorf("%+v %v", st, err)
	}
}

// op appends something to a register; the entries that it may erase are noted.
func op(t *rapid.T, reg *viewtest.Register) {
	size := reg.Size()
	some := func() *int64 { return ptr(rapid.Int64Range(1, max(1, size)).Draw(t, "n")) }
	blob := func() int { return rapid.IntRange(0, 5).Draw(t, "blob") }
	rec := func() record.Record {
		r := record.Record{Title: rapid.SampledFrom([]string{"A", "B", "紅樓夢"}).Draw(t, "title"), Creators: []record.Creator{{Name: rapid.SampledFrom([]string{"X", "Y"}).Draw(t, "creator")}},
			Kind: rapid.SampledFrom(record.Kinds).Draw(t, "kind"), Languages: rapid.SampledFrom([][]string{nil, {"en"}, {"zh-Hant", "en"}}).Draw(t, "langs"),
			Issued: rapid.SampledFrom([]string{"", "1791", "2001-02"}).Draw(t, "issued")}
		if rapid.Bool().Draw(t, "isbn") {
			r.IDs = []record.ID{{Scheme: "isbn", Value: rapid.SampledFrom([]string{"0439554934", "9780316015844"}).Draw(t, "isbn value")}}
		}
		return r
	}
	switch rapid.IntRange(0, 11).Draw(t, "op") {
	case 0, 1, 2, 3:
		var files []record.File
		if rapid.Bool().Draw(t, "with file") {
			files = []record.File{file(blob())}
		}
		reg.Accession(rec(), files, rapid.SampledFrom([]*record.Rights{nil, openRights, {Access: record.None}, {Basis: record.Permission, Access: record.Sale, Opens: "2030-01-01"}}).Draw(t, "rights"))
	case 4:
		reg.Append(record.Entry{Type: record.TypeRevision, Of: some(), Patch: json.RawMessage(rapid.SampledFrom([]string{`{"title":"C"}`, `{"languages":["fr"]}`, `{"ids":null}`, `{"languages":"broken"}`}).Draw(t, "patch"))})
	case 5:
		a, b := some(), some()
		if *a != *b {
			reg.Append(record.Entry{Type: record.TypeMerge, From: a, Into: b})
		}
	case 6:
		reg.Append(record.Entry{Type: record.TypeUnmerge, Of: some()})
	case 7:
		reg.Append(record.Entry{Type: record.TypeFiles, Of: some(), Add: []record.File{file(blob())}, Remove: []string{sha(blob())}})
	case 8:
		reg.Append(record.Entry{Type: record.TypeRights, Of: some(), Rights: openRights})
	case 9:
		e := record.Entry{Type: rapid.SampledFrom([]record.Type{record.TypeWithdrawal, record.TypeRestoration}).Draw(t, "type"), Ground: "g"}
		if rapid.Bool().Draw(t, "of blob") {
			e.Blob = sha(blob())
		} else {
			e.Of = some()
		}
		reg.Append(e)
	case 10:
		reg.AppendRaw(fmt.Appendf(nil, `{"type":"embargo","time":"2026-01-01T00:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","of":%d,"critical":true}`, *some()))
	case 11:
		n := *some()
		if n >= size {
			return
		}
		raw, err := reg.Entry(context.Background(), n)
		reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{n}, Ground: "law"})
		if err != nil {
			return
		}
		if e, _, err := record.Decode(raw); err == nil && !e.Critical && rapid.Bool().Draw(t, "purge") {
			reg.Purge(n)
		}
	}
}

// Following entry by entry, in batches, and from the start must give the same
// rows, and the records of the model.
func TestRebuildEqualsFollowing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		reg := viewtest.New(t)
		one, all := open(t, reg, t.TempDir()), open(t, reg, t.TempDir())
		defer one.Close()
		defer all.Close()
		step := follower(t, reg, one, 1)
		for range rapid.IntRange(1, 20).Draw(rt, "ops") {
			op(rt, reg)
			if rapid.IntRange(0, 2).Draw(rt, "catch") > 0 {
				catch(t, step)
			}
		}
		catch(t, step)
		catch(t, follower(t, reg, all, 7))
		a, b := dump(t, one), dump(t, all)
		if a != b {
			rt.Fatalf("following:\n%s\nfrom the start:\n%s", a, b)
		}
		if err := step.Rebuild(t.Context(), "catalog"); err != nil {
			rt.Fatal(err)
		}
		if c := dump(t, one); a != c {
			rt.Fatalf("following:\n%s\nrebuilt:\n%s", a, c)
		}
		var visible, dup []int64
		for n := range reg.Size() {
			want, wantErr := reg.Record(t.Context(), n)
			got, gotErr := one.Record(t.Context(), n)
			if wantErr != nil && errs.KindOf(wantErr) == errs.Internal || errs.Is(wantErr, errs.Refused) { // a broken record
				if !errs.Is(gotErr, errs.Corrupt) {
					rt.Fatalf("record %d: %v, model %v", n, gotErr, wantErr)
				}
				continue
			}
			if errs.KindOf(wantErr) != errs.KindOf(gotErr) {
				rt.Fatalf("record %d: %v, model %v", n, gotErr, wantErr)
			}
			if wantErr == nil {
				x, _ := json.Marshal(want)
				y, _ := json.Marshal(got)
				if string(x) != string(y) {
					rt.Fatalf("record %d:\n%s\nmodel:\n%s", n, y, x)
				}
				if want.MergedInto == nil {
					visible = append(visible, n)
					if d, err := one.Duplicates(t.Context(), n); err != nil {
						rt.Fatal(err)
					} else if len(d) > 0 {
						dup = append(dup, n)
					}
				}
			}
		}
		list, err := one.List(t.Context(), ListQuery{Limit: 1000})
		if err != nil || !slices.Equal(list, visible) {
			rt.Fatalf("list %v, model %v (%v)", list, visible, err)
		}
		list, err = one.List(t.Context(), ListQuery{Limit: 1000, Duplicates: true})
		if err != nil || !slices.Equal(list, dup) {
			rt.Fatalf("duplicates %v, model %v (%v)", list, dup, err)
		}
		if counts, err := one.Counts(t.Context()); err != nil || counts.Records != int64(len(visible)) {
			rt.Fatalf("counts %+v, model %d (%v)", counts, len(visible), err)
		}
	})
}

// A crash at any moment leaves what the disk had: the file and its log. What is
// opened from there goes on and ends where one that was never stopped ends.
func TestCrashBetweenBatches(t *testing.T) {
	reg := viewtest.New(t)
	for i := range 30 {
		n := reg.Accession(record.Record{Title: fmt.Sprint("T", i%7), Creators: []record.Creator{{Name: "X"}}}, []record.File{file(i % 5)}, openRights)
		if i%3 == 0 {
			reg.Append(record.Entry{Type: record.TypeRevision, Of: &n, Patch: json.RawMessage(`{"issued":"1999"}`)})
		}
	}
	whole := open(t, reg, t.TempDir())
	catch(t, follower(t, reg, whole, 0))
	want := dump(t, whole)

	dir := t.TempDir()
	c := open(t, reg, dir)
	for stop := int64(1); stop < reg.Size(); stop += 5 {
		var batch []view.Entry
		for i := c.Cursor(); i < stop; i++ {
			e, err := c.entry(t.Context(), i, nil)
			if err != nil {
				t.Fatal(err)
			}
			batch = append(batch, e)
		}
		if err := c.Apply(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		// A batch that fails half way leaves the cursor where it was.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		e, err := c.entry(t.Context(), stop, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Apply(ctx, []view.Entry{e}); err == nil || c.Cursor() != stop {
			t.Fatalf("a batch that was stopped: %v, cursor %d", err, c.Cursor())
		}
		if err := c.Apply(t.Context(), []view.Entry{{Index: stop + 1}}); err == nil {
			t.Fatal("a batch with a gap passes")
		}
		crashed := t.TempDir()
		if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(crashed, "1.db-shm"))
		again := open(t, reg, crashed)
		if again.Cursor() != stop {
			t.Errorf("cursor %d after a crash at %d", again.Cursor(), stop)
		}
		catch(t, follower(t, reg, again, 3))
		if got := dump(t, again); got != want {
			t.Fatalf("after a crash at %d:\n%s\nwant:\n%s", stop, got, want)
		}
		again.Close()
	}
}

// A command that only reads needs nobody who writes.
func TestReadOnlyAlone(t *testing.T) {
	reg := viewtest.New(t)
	dir := t.TempDir()
	c := open(t, reg, dir)
	n := reg.Accession(record.Record{Title: "A"}, nil, nil)
	catch(t, follower(t, reg, c, 0))
	c.Close()
	ro, err := Open(t.Context(), Config{Dir: dir, ReadOnly: true, Source: reg})
	if err != nil || ro.Ready() != nil {
		t.Fatal(err, ro.Ready())
	}
	defer ro.Close()
	if st, err := ro.Record(t.Context(), n); err != nil || st.Record.Title != "A" {
		t.Errorf("%+v %v", st, err)
	}
	if err := ro.Apply(t.Context(), []view.Entry{{Index: ro.Cursor()}}); err == nil {
		t.Error("a reader can write")
	}
}
