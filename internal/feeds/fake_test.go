package feeds

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/record"
)

// library is a library in memory: what the feeds ask of the catalogue, the
// index, the blobs and the register.
type library struct {
	states      map[int64]*record.State
	gone        map[int64]bool
	withdrawals map[string][]record.Withdrawal
	blobs       map[string][]byte
	bodies      map[string]bool // those that entries name as their body
	resources   map[string][]byte
	asked       []string // resources asked for
	note        string
	broken      error // what every answer fails with
	keys        bool  // hits have keys
	guess       index.Result
}

var day = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func newLibrary() *library {
	return &library{
		states: map[int64]*record.State{}, gone: map[int64]bool{}, withdrawals: map[string][]record.Withdrawal{},
		blobs: map[string][]byte{}, resources: map[string][]byte{}, note: "wenlan/0\n1\nAAAA\n\n— wenlan/0 sig\n",
	}
}

func hashOf(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

// add puts a record with one text file that holds the given bytes.
func (l *library) add(n int64, rights *record.Rights, data string) *record.State {
	hash := hashOf(data)
	l.blobs[hash] = []byte(data)
	st := &record.State{
		Number: n, Time: day.Add(time.Duration(n) * time.Hour),
		Record: record.Record{Title: fmt.Sprintf("Book %d", n), Kind: record.Book, Languages: []string{"en"}},
		Files:  []record.File{{SHA256: hash, Bytes: int64(len(data)), MediaType: "application/epub+zip", Name: "book.epub", Role: record.RoleText}},
		Rights: rights,
	}
	st.History = []record.Event{{Entry: n, Type: record.TypeAccession, Time: st.Time}}
	l.states[n] = st
	return st
}

func open() *record.Rights {
	return &record.Rights{Basis: record.PublicDomain, Access: record.Open}
}

// Works has those records be of one work that have one title.
func (l *library) Works(_ context.Context, numbers []int64) (map[int64]int64, error) {
	out, first := map[int64]int64{}, map[string]int64{}
	for _, n := range numbers {
		if st := l.states[n]; st != nil {
			if first[st.Record.Title] == 0 {
				first[st.Record.Title] = n
			}
			out[n] = first[st.Record.Title]
		}
	}
	return out, nil
}

// Changes, Merged and Editions: 1 was revised, 2 is merged into it, and 3 translates it.
func (l *library) Changes(_ context.Context, n int64, most int) ([]record.Change, error) {
	var out []record.Change
	for i := range 2 * most {
		out = append(out, record.Change{Entry: int64(10 + i), Source: "librarian", Fields: []record.FieldChange{{Field: "title", Before: []string{"Titel"}, After: []string{"Title"}}}})
	}
	return out[:most], l.broken
}

func (l *library) Merged(_ context.Context, n int64) (out []int64, err error) {
	for _, m := range l.numbers() {
		if to := l.states[m].MergedInto; to != nil && *to == n {
			out = append(out, m)
		}
	}
	return out, l.broken
}

func (l *library) Editions(_ context.Context, n int64) ([]catalog.Edition, error) {
	if n != 1 {
		return nil, l.broken
	}
	return []catalog.Edition{{Record: 3, Relation: record.HasTranslation}, {Record: 99}}, l.broken
}

func (l *library) Record(_ context.Context, n int64) (*record.State, error) {
	if l.broken != nil {
		return nil, l.broken
	}
	if l.gone[n] {
		return nil, errs.New(errs.Gone, "record %d was erased", n)
	}
	if st, ok := l.states[n]; ok {
		return st, nil
	}
	return nil, errs.New(errs.NotFound, "there is no record %d", n)
}

func (l *library) ByBlob(_ context.Context, hash string) (numbers []int64, err error) {
	for n, st := range l.states {
		if slices.ContainsFunc(st.Files, func(f record.File) bool { return f.SHA256 == hash }) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, l.broken
}

func (l *library) Body(_ context.Context, hash string) (record.Body, error) {
	if !l.bodies[hash] {
		return record.Body{}, errs.New(errs.NotFound, "no entry has the body %s", hash)
	}
	return record.Body{SHA256: hash, Bytes: int64(len(l.blobs[hash]))}, l.broken
}

func (l *library) BlobWithdrawals(_ context.Context, hash string) ([]record.Withdrawal, error) {
	return l.withdrawals[hash], l.broken
}

func (l *library) numbers() (all []int64) {
	for n := range l.states {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

func (l *library) List(_ context.Context, q catalog.ListQuery) (out []int64, err error) {
	all := l.numbers()
	if q.Newest {
		slices.Reverse(all)
	}
	for _, n := range all {
		if q.After != 0 && (q.Newest && n >= q.After || !q.Newest && n <= q.After) {
			continue
		}
		if len(out) < q.Limit {
			out = append(out, n)
		}
	}
	return out, l.broken
}

func (l *library) Counts(context.Context) (catalog.Counts, error) {
	c := catalog.Counts{Records: int64(len(l.states))}
	languages, kinds := map[string]int64{}, map[string]int64{}
	for _, st := range l.states {
		for _, lang := range st.Record.Languages {
			languages[lang]++
		}
		kinds[string(st.Record.Kind)]++
	}
	count := func(m map[string]int64) (out []catalog.Count) {
		for k, n := range m {
			out = append(out, catalog.Count{Key: k, N: n})
		}
		slices.SortFunc(out, func(a, b catalog.Count) int { return cmp.Compare(a.Key, b.Key) })
		return out
	}
	c.Languages, c.Kinds = count(languages), count(kinds)
	return c, l.broken
}

func (l *library) Search(_ context.Context, q index.Query) (*index.Result, error) {
	if l.broken != nil {
		return nil, l.broken
	}
	res := &index.Result{Exact: true, Took: 1500 * time.Microsecond, Partial: l.guess.Partial, Corrected: l.guess.Corrected, DidYouMean: l.guess.DidYouMean}
	after, _ := strconv.ParseInt(q.After, 10, 64)
	for _, n := range l.numbers() {
		st := l.states[n]
		if !strings.Contains(st.Record.Title, q.Text) ||
			len(q.Languages) > 0 && !slices.ContainsFunc(q.Languages, func(s string) bool { return slices.Contains(st.Record.Languages, s) }) ||
			len(q.Kinds) > 0 && !slices.Contains(q.Kinds, string(st.Record.Kind)) {
			continue
		}
		if len(q.Creators) > 0 && !slices.ContainsFunc(st.Record.Creators, func(c record.Creator) bool { return slices.Contains(q.Creators, c.Name) }) ||
			len(q.Access) > 0 && (st.Rights == nil || !slices.Contains(q.Access, string(st.Rights.Access))) {
			continue
		}
		if res.Total++; n > after && res.Total > int64(q.Offset) && len(res.Hits) < q.Limit {
			h := index.Hit{Record: n, Score: 1 / float64(n)}
			if l.keys {
				h.Key = strconv.FormatInt(n, 10)
			}
			res.Hits = append(res.Hits, h)
		}
	}
	if q.Facets {
		c, _ := l.Counts(context.Background())
		res.Facets = map[string][]index.FacetCount{"year": {{Value: "1900", N: 1}}}
		for name, counts := range map[string][]catalog.Count{"language": c.Languages, "kind": c.Kinds} {
			for _, k := range counts {
				res.Facets[name] = append(res.Facets[name], index.FacetCount{Value: k.Key, N: k.N})
			}
		}
	}
	return res, nil
}

// texts finds every text that is asked for in records that may be read.
type texts struct{ *library }

func (l texts) Search(_ context.Context, q fulltext.Query) (*fulltext.Result, error) {
	if l.broken != nil {
		return nil, l.broken
	}
	res := &fulltext.Result{Complete: true, Next: "more", Took: 1500 * time.Microsecond}
	for _, n := range l.numbers() {
		st := l.states[n]
		file, ok := fulltext.File(st)
		if !ok || q.Record != 0 && q.Record != n || q.Text == "" {
			continue
		}
		if res.Total++; q.May(st, file, l.withdrawals[file.SHA256]) {
			res.Hits = append(res.Hits, fulltext.Hit{Record: n, File: file, Part: 3, Title: "III", Score: 1, Snippet: "a <white> whale", Words: "white whale",
				Spans: []index.Span{{Start: 2, End: 9}, {Start: 10, End: 15}}})
		}
	}
	return res, nil
}

func (l *library) Suggest(_ context.Context, prefix string, limit int) (out []index.Suggestion, err error) {
	for _, n := range l.numbers() {
		if t := l.states[n].Record.Title; strings.HasPrefix(t, prefix) && len(out) < limit {
			out = append(out, index.Suggestion{Text: t, Kind: index.SuggestTitle, Record: n})
		}
	}
	return out, l.broken
}

type memory struct{ *bytes.Reader }

func (memory) Close() error   { return nil }
func (memory) File() *os.File { return nil }

func (l *library) Open(_ context.Context, hash string) (blob.Blob, error) {
	data, ok := l.blobs[hash]
	if !ok {
		return nil, errs.New(errs.NotFound, "there is no such file")
	}
	return memory{bytes.NewReader(data)}, nil
}

func (l *library) Checkpoint() []byte { return []byte(l.note) }
func (l *library) Charters() [][]byte { return [][]byte{[]byte("first\n"), []byte("second\n")} }
func (l *library) Resource(path string) ([]byte, error) {
	l.asked = append(l.asked, path)
	if data, ok := l.resources[path]; ok {
		return data, nil
	}
	return nil, errs.New(errs.NotFound, "there is no such tile")
}

// serve makes the feeds of a library, with what a test changes in the Config.
func (l *library) serve(t testing.TB, change ...func(*Config)) http.Handler {
	t.Helper()
	cfg := Config{Catalog: l, Index: l, FullText: texts{l}, Blobs: l, Register: l, ID: hashOf("entry 0"), Name: "Test Library",
		Now: func() time.Time { return day }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, c := range change {
		c(&cfg)
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	f.Routes(mux)
	return mux
}

// ask sends a request; header is name, value, name, value …
func ask(t testing.TB, h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
