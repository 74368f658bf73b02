package torrent

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
	"wenlan/internal/view/viewtest"

	"pgregory.net/rapid"
)

// library is a register in memory with the catalogue and the shelves behind it.
type library struct {
	t      testing.TB
	reg    *viewtest.Register
	bodies map[string][]byte
	cat    *catalog.Catalog
	*Shelves
	follow *view.Follower
}

func newLibrary(t testing.TB, dir string, batch int) *library {
	t.Helper()
	l := &library{t: t, reg: viewtest.New(t), bodies: map[string][]byte{}}
	var err error
	if l.cat, err = catalog.Open(context.Background(), catalog.Config{Dir: filepath.Join(dir, "catalog"), Source: l.reg, Body: l.body}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.cat.Close() })
	if l.Shelves, err = OpenShelves(context.Background(), ShelvesConfig{Dir: filepath.Join(dir, "shelves"), Catalog: l.cat, Body: l.body}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Shelves.Close() })
	l.follow, err = view.New(view.Config{Source: l.reg, Body: l.body, BatchEntries: batch,
		Views: []view.Node{{View: l.cat}, {View: l.Shelves, After: []string{"catalog"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *library) body(ctx context.Context, b record.Body) ([]byte, error) {
	if raw, ok := l.bodies[b.SHA256]; ok {
		return raw, nil
	}
	return l.reg.Body(ctx, b)
}

func (l *library) catch() {
	l.t.Helper()
	if err := l.follow.Catch(context.Background()); err != nil {
		l.t.Fatal(err)
	}
}

// shelve appends a shelf of these files, the hashes of whose pieces are made up.
func (l *library) shelve(replaces string, files ...Waiting) (number int64, body string) {
	l.t.Helper()
	m := &Manifest{PieceLength: PieceSmall}
	for _, w := range files {
		m.Files = append(m.Files, File{SHA256: w.SHA256, Bytes: w.Bytes, Pieces: make([]byte, 20*pieces(w.Bytes, PieceSmall))})
	}
	slices.SortFunc(m.Files, func(a, b File) int { return strings.Compare(a.SHA256, b.SHA256) })
	e, raw, err := m.Entry(replaces)
	if err != nil {
		l.t.Fatal(err)
	}
	l.bodies[e.Body.SHA256] = raw
	l.reg.Append(e)
	l.catch()
	n, err := l.Count(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	return n, e.Body.SHA256
}

func (l *library) waiting() []Waiting {
	l.t.Helper()
	list, err := l.Waiting(context.Background(), 1000)
	if err != nil {
		l.t.Fatal(err)
	}
	return list
}

func (l *library) state(number int64) State {
	l.t.Helper()
	s, err := l.ByNumber(context.Background(), number)
	if err != nil {
		l.t.Fatal(err)
	}
	return s.State()
}

func sum(i int) string {
	h := sha256.Sum256(fmt.Append(nil, i))
	return hex.EncodeToString(h[:])
}

func file(i int) record.File {
	return record.File{SHA256: sum(i), Bytes: int64(100 + i), MediaType: "application/epub+zip", Name: fmt.Sprintf("f%d.epub", i), Role: record.RoleText}
}

var (
	free = &record.Rights{Basis: record.PublicDomain, Access: record.Open, Evidence: &record.Evidence{Text: "the author died in 1817"}}
	bare = &record.Rights{Basis: record.PublicDomain, Access: record.Open}
	kept = &record.Rights{Basis: record.Permission, Access: record.Lend, Evidence: &record.Evidence{Text: "a letter"}}
)

func TestLifeOfAShelf(t *testing.T) {
	ctx := t.Context()
	l := newLibrary(t, t.TempDir(), 0)
	rec := record.Record{Title: "Emma", Kind: record.Book}
	one := l.reg.Accession(rec, []record.File{file(1), file(2)}, free)
	l.reg.Accession(rec, []record.File{file(3)}, free)
	for i, r := range []*record.Rights{bare, kept, nil,
		{Basis: record.Licence, Licence: "CC-BY-4.0", Access: record.Open, Evidence: &record.Evidence{URL: "https://a.example"}, Territories: []string{"CN"}},
		{Basis: record.Licence, Licence: "https://a.example/terms", Access: record.Open, Evidence: &record.Evidence{URL: "https://a.example"}},
	} {
		l.reg.Accession(rec, []record.File{file(10 + i)}, r)
	}
	l.catch()
	if got := l.waiting(); len(got) != 3 {
		t.Fatalf("waiting: %v", got)
	}
	first, body := l.shelve("", l.waiting()...)
	if got := l.waiting(); len(got) != 0 || first != 1 {
		t.Fatalf("waiting: %v, shelf %d", got, first)
	}
	if l.state(first) != StateOpen {
		t.Error("not open")
	}
	if on, err := l.OfBlob(ctx, sum(2)); err != nil || len(on) != 1 || on[0].Number != 1 {
		t.Errorf("shelves of a file: %v, %v", on, err)
	}

	l.reg.Append(record.Entry{Type: record.TypeWithdrawal, Blob: sum(2), Ground: "a court said so"})
	l.catch()
	if l.state(first) != StateStopped {
		t.Error("a withdrawal does not stop the shelf")
	}
	s, err := l.ByBody(ctx, body)
	if err != nil || !errs.Is(s.Err(), errs.Withdrawn) {
		t.Errorf("%v, %v", err, s.Err())
	}
	if !s.Changed.After(s.Time) {
		t.Errorf("closed at %s, and changed at %s", s.Time, s.Changed)
	}
	stopped := s.Changed
	if err := l.follow.Rebuild(ctx, "shelves"); err != nil {
		t.Fatal(err)
	}
	if s, err = l.ByBody(ctx, body); err != nil || !s.Changed.Equal(stopped) {
		t.Errorf("made anew it changed at %s, not %s: %v", s.Changed, stopped, err)
	}
	if closed, err := l.ClosedFiles(ctx, s); err != nil || !slices.Equal(closed, []string{sum(2)}) {
		t.Errorf("closed: %v, %v", closed, err)
	}
	m, err := l.Manifest(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	var left []Waiting
	for _, f := range m.Without(func(sha string) bool { return sha == sum(2) }).Files {
		left = append(left, Waiting{SHA256: f.SHA256, Bytes: f.Bytes})
	}
	second, _ := l.shelve(body, left...)
	if l.state(first) != StateReplaced || l.state(second) != StateOpen {
		t.Errorf("states %s, %s", l.state(first), l.state(second))
	}
	l.reg.Append(record.Entry{Type: record.TypeRestoration, Blob: sum(2)})
	l.catch()
	if got := l.waiting(); len(got) != 1 || got[0].SHA256 != sum(2) {
		t.Errorf("what was restored does not wait: %v", got)
	}
	if l.state(first) != StateReplaced {
		t.Error("a replaced shelf came back")
	}
	l.reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{one}, Ground: "law"})
	l.catch()
	if l.state(second) != StateStopped || len(l.waiting()) != 0 {
		t.Errorf("after an erasure: %s, waiting %v", l.state(second), l.waiting())
	}
	if page, err := l.Page(ctx, 0, 1); err != nil || len(page) != 1 || page[0].Number != second {
		t.Errorf("page: %v, %v", page, err)
	}
	if stopped, err := l.Stopped(ctx); err != nil || len(stopped) != 1 || stopped[0].Number != second {
		t.Errorf("stopped: %v, %v", stopped, err)
	}
}

// TestBrokenShelves: an entry whose list is not what it says gets a number and
// nothing else, and the view goes on.
func TestBrokenShelves(t *testing.T) {
	l := newLibrary(t, t.TempDir(), 0)
	rec := record.Record{Title: "Emma", Kind: record.Book}
	l.reg.Accession(rec, []record.File{file(1)}, free)
	m := &Manifest{PieceLength: PieceSmall, Files: []File{{SHA256: sum(1), Bytes: 101, Pieces: make([]byte, 20)}}}
	good, raw, err := m.Entry("")
	if err != nil {
		t.Fatal(err)
	}
	put := func(e record.Entry, raw string) {
		h := sha256.Sum256([]byte(raw))
		e.Body = &record.Body{SHA256: hex.EncodeToString(h[:]), Bytes: int64(len(raw))}
		l.bodies[e.Body.SHA256] = []byte(raw)
		l.reg.Append(e)
	}
	for _, bad := range []string{
		strings.Replace(string(raw), sum(1), "../"+sum(1)[3:], 1),
		strings.Replace(string(raw), sum(1), strings.ToUpper(sum(1)), 1),
		strings.Replace(string(raw), "1048576", "1024", 1),
		`{"piece_length":1048576,"files":[]}`, `null`, `[]`, ``,
	} {
		put(good, bad)
	}
	other := good
	other.Infohash = strings.Repeat("0", 40)
	put(other, string(raw))
	other = good
	other.Count = 2
	put(other, string(raw))
	noBody := good
	noBody.Body = nil
	l.reg.Append(noBody)
	l.reg.Append(good, good)
	l.catch()
	n, err := l.Count(t.Context())
	if err != nil || n != 12 {
		t.Fatalf("%d shelves, %v", n, err)
	}
	for i := int64(1); i <= n; i++ {
		want := StateBroken
		if i == 11 {
			want = StateOpen
		}
		if got := l.state(i); got != want {
			t.Errorf("shelf %d is %s", i, got)
		}
	}
	if s, err := l.ByBody(t.Context(), good.Body.SHA256); err != nil || s.Number != 11 {
		t.Errorf("%v, %v", s, err)
	}
	if got := l.waiting(); len(got) != 0 {
		t.Errorf("waiting: %v", got)
	}
}

// dump is every row whose content must not depend on how the view came to be.
func (l *library) dump(s *Shelves) string {
	l.t.Helper()
	g, release, err := s.db.Acquire()
	if err != nil {
		l.t.Fatal(err)
	}
	defer release()
	var b strings.Builder
	for _, query := range []string{
		"SELECT number, entry, hex(body), hex(infohash), files, bytes, replaces, replaced, closed, broken FROM shelves ORDER BY number",
		"SELECT hex(sha256), shelf, closed FROM files ORDER BY sha256, shelf",
		"SELECT hex(sha256), bytes, since FROM waiting ORDER BY sha256",
		"SELECT (SELECT COUNT(*) FROM waiting) - COALESCE((SELECT v FROM totals WHERE k = 'files'), 0)",
	} {
		rows, err := g.Reader().Query(query)
		if err != nil {
			l.t.Fatal(err)
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
			l.t.Fatal(err)
		}
	}
	return b.String()
}

// TestShelvesFollowTheRegister compares the view with the plainest model, and a
// rebuild with what was followed.
func TestShelvesFollowTheRegister(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		l := newLibrary(t, filepath.Join(dir, time.Now().Format("150405.000000000")), rapid.SampledFrom([]int{1, 3, 0}).Draw(rt, "batch"))
		ctx := context.Background()
		const blobs = 6
		number := func(name string) *int64 {
			n := rapid.Int64Range(1, max(1, l.reg.Size()-1)).Draw(rt, name)
			return &n
		}
		blob := func() int { return rapid.IntRange(0, blobs-1).Draw(rt, "blob") }
		rights := func() *record.Rights {
			return rapid.SampledFrom([]*record.Rights{free, free, bare, kept}).Draw(rt, "rights")
		}
		rec := record.Record{Title: "A book", Kind: record.Book}
		isRecord := func(n int64) bool { st, err := l.reg.Record(ctx, n); return err == nil && st.Erased == nil }
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "op") {
			case 0, 1:
				l.reg.Accession(rec, []record.File{file(blob())}, rights())
			case 2:
				l.reg.Append(record.Entry{Type: record.TypeRights, Of: number("of"), Rights: rights()})
			case 3:
				l.reg.Append(record.Entry{Type: record.TypeWithdrawal, Blob: sum(blob()), Ground: "g"})
			case 4:
				l.reg.Append(record.Entry{Type: record.TypeRestoration, Blob: sum(blob())})
			case 5:
				typ := rapid.SampledFrom([]record.Type{record.TypeWithdrawal, record.TypeRestoration}).Draw(rt, "type")
				l.reg.Append(record.Entry{Type: typ, Of: number("of"), Ground: "g"})
			case 6:
				if rapid.Bool().Draw(rt, "add") {
					l.reg.Append(record.Entry{Type: record.TypeFiles, Of: number("of"), Add: []record.File{file(blob())}})
				} else {
					l.reg.Append(record.Entry{Type: record.TypeFiles, Of: number("of"), Remove: []string{sum(blob())}})
				}
			case 7:
				if n := *number("of"); isRecord(n) {
					l.reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{n}, Ground: "law"})
					l.catch()
					l.reg.Purge(n)
				}
			case 8:
				l.catch()
				if w := l.waiting(); len(w) > 0 {
					l.shelve("", w[:rapid.IntRange(1, len(w)).Draw(rt, "take")]...)
				}
			case 9:
				l.catch()
				stopped, err := l.Stopped(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range stopped {
					closed, err := l.ClosedFiles(ctx, s)
					if err != nil {
						t.Fatal(err)
					}
					m, err := l.Manifest(ctx, s)
					if err != nil {
						t.Fatal(err)
					}
					var left []Waiting
					for _, f := range m.Files {
						if !slices.Contains(closed, f.SHA256) {
							left = append(left, Waiting{SHA256: f.SHA256, Bytes: f.Bytes})
						}
					}
					if len(left) > 0 {
						l.shelve(s.Body.SHA256, left...)
					}
				}
			}
		}
		l.catch()
		for i := range blobs {
			l.compare(rt, sum(i))
		}
		before := l.dump(l.Shelves)
		if err := l.follow.Rebuild(ctx, "shelves"); err != nil {
			rt.Fatal(err)
		}
		if after := l.dump(l.Shelves); after != before {
			rt.Fatalf("a rebuild differs\nfollowed:\n%s\nrebuilt:\n%s", before, after)
		}
	})
}

// compare holds one file to what a look at the whole register says of it.
func (l *library) compare(t *rapid.T, sha string) {
	ctx := context.Background()
	fit := false
	closings, err := l.cat.BlobWithdrawals(ctx, sha)
	if err != nil {
		t.Fatal(err)
	}
	for n := range l.reg.Size() {
		st, err := l.reg.Record(ctx, n)
		if err != nil {
			continue
		}
		has := slices.ContainsFunc(st.Files, func(f record.File) bool { return f.SHA256 == sha })
		fit = fit || has && record.MayShelve(st, closings)
	}
	on, err := l.OfBlob(ctx, sha)
	if err != nil {
		t.Fatal(err)
	}
	live := false
	for _, s := range on {
		closed, err := l.ClosedFiles(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(closed, sha) == fit {
			t.Fatalf("shelf %d: file %s, fit %v", s.Number, sha, fit)
		}
		live = live || s.ReplacedBy == 0
	}
	waits := slices.ContainsFunc(l.waiting(), func(w Waiting) bool { return w.SHA256 == sha })
	if waits != (fit && !live) {
		t.Fatalf("file %s: waits %v, fit %v, on a shelf %v", sha, waits, fit, live)
	}
}
