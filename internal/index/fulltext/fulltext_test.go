package fulltext

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	form "wenlan/internal/format"
	"wenlan/internal/index/query"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
	"wenlan/internal/view"
	"wenlan/internal/view/viewtest"
)

type library struct {
	t       *testing.T
	dir     string
	reg     *viewtest.Register
	blobs   *blob.Local
	catalog *catalog.Catalog
	texts   *FullText
	views   *view.Follower
	now     time.Time
}

func newLibrary(t *testing.T, change ...func(*Config)) *library {
	t.Helper()
	l := &library{t: t, dir: t.TempDir(), reg: viewtest.New(t), now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	l.blobs, err = blob.OpenLocal(blob.LocalConfig{Roots: []string{filepath.Join(l.dir, "blobs")}, MinFree: 1})
	must(t, err)
	l.catalog, err = catalog.Open(t.Context(), catalog.Config{Dir: filepath.Join(l.dir, "catalog"), Source: l.reg, Body: l.reg.Body})
	must(t, err)
	t.Cleanup(func() { l.catalog.Close() })
	l.open(change...)
	return l
}

func (l *library) open(change ...func(*Config)) {
	l.t.Helper()
	cfg := Config{Dir: filepath.Join(l.dir, "fulltext"), Records: l.catalog, Blobs: l.blobs, Now: func() time.Time { return l.now }}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	l.texts, err = Open(l.t.Context(), cfg)
	must(l.t, err)
	texts := l.texts
	l.t.Cleanup(func() { texts.Close() })
	l.views, err = view.New(view.Config{Source: l.reg, Body: l.reg.Body, BatchEntries: 7,
		Views: []view.Node{{View: l.catalog}, {View: l.texts, After: []string{l.catalog.Name()}}}})
	must(l.t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open() *record.Rights { return &record.Rights{Basis: record.PublicDomain, Access: record.Open} }

// store puts a text and names it.
func (l *library) store(name, mediaType string, data []byte) record.File {
	l.t.Helper()
	ref, err := l.blobs.Put(l.t.Context(), bytes.NewReader(data))
	must(l.t, err)
	return record.File{SHA256: ref.SHA256, Bytes: ref.Bytes, MediaType: mediaType, Name: name, Role: record.RoleText}
}

func (l *library) text(name, text string, rights *record.Rights) int64 {
	l.t.Helper()
	return l.reg.Accession(record.Record{Title: name, Kind: record.Book, Languages: []string{"en"}}, []record.File{l.store(name+".txt", "text/plain; charset=utf-8", []byte(text))}, rights)
}

func (l *library) catch() {
	l.t.Helper()
	must(l.t, l.views.Catch(l.t.Context()))
}

func (l *library) search(q Query) *Result {
	l.t.Helper()
	res, err := l.texts.Search(l.t.Context(), q)
	must(l.t, err)
	return res
}

// found are the hits of a query as "record/part", sorted.
func (l *library) found(text string) string {
	l.t.Helper()
	var out []string
	for _, h := range l.search(Query{Text: text, Limit: MaxLimit}).Hits {
		out = append(out, fmt.Sprintf("%d/%d", h.Record, h.Part))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func marked(h Hit) string {
	var out []string
	for _, s := range h.Spans {
		out = append(out, h.Snippet[s.Start:s.End])
	}
	return strings.Join(out, "|")
}

const tale = "Chapter 1\n\nThe <b>whale</b> was white, and the sea was wide.\n\nChapter 2\n\nHe followed the white whale round the world for twenty years.\n"

func TestSearch(t *testing.T) {
	l := newLibrary(t)
	one := l.text("tale", tale, open())
	two := l.text("novel", "第一回 开篇\n\n話說黛玉進了大觀園。\n\n第二回 又\n\n寶玉看黛玉。\n", open())
	shut := l.text("shut", "a white whale in a shut book", nil)
	l.reg.Accession(record.Record{Title: "only a record"}, nil, open())
	missing := l.text("missing", "a white whale that is not there", open())
	st, _ := l.reg.Record(t.Context(), missing)
	must(t, l.blobs.Delete(t.Context(), st.Files[0].SHA256))
	l.catch()
	if l.texts.Cursor() != l.reg.Size() {
		t.Errorf("at %d of %d", l.texts.Cursor(), l.reg.Size())
	}
	for text, want := range map[string]string{
		"whale": fmt.Sprintf("%d/0 %d/1", one, one), "whales round": fmt.Sprintf("%d/1", one), `"white whale"`: fmt.Sprintf("%d/1", one),
		`"whale white"`: "", "whale -years": fmt.Sprintf("%d/0", one), "text:whal*": fmt.Sprintf("%d/0 %d/1", one, one), "sea OR world": fmt.Sprintf("%d/0 %d/1", one, one),
		"黛玉": fmt.Sprintf("%d/0 %d/1", two, two), "话说黛玉": fmt.Sprintf("%d/0", two), "宝玉 黛玉": fmt.Sprintf("%d/1", two), "whale lang:zh": "",
		"title:tale": "", "": "", "lang:en": "", "-whale": "", "(((": "", "whalle": "", fmt.Sprintf("id:%d", one): "",
	} {
		if got := l.found(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	res := l.search(Query{Text: "whale white"})
	if res.Total != 2 || !res.Exact || !res.Complete || len(res.Hits) != 2 {
		t.Fatalf("%+v", res)
	}
	for _, h := range res.Hits {
		switch h.Part {
		case 0:
			if h.Snippet != "Chapter 1 The <b>whale</b> was white, and the sea was wide." && !strings.Contains(h.Snippet, "The <b>whale</b> was white") || marked(h) != "whale|white" {
				t.Errorf("%q %q", h.Snippet, marked(h))
			}
		case 1:
			if marked(h) != "white whale" && marked(h) != "white|whale" || h.Words != "white whale" || h.Title != "Chapter 2" {
				t.Errorf("%+v", h)
			}
		}
		if h.File.Name != "tale.txt" || strings.ContainsAny(h.Snippet, "\n") {
			t.Errorf("%+v", h)
		}
	}
	if res := l.search(Query{Text: "whale", Record: two}); len(res.Hits) != 0 || res.Total != 0 {
		t.Errorf("in another book: %+v", res)
	}
	if res := l.search(Query{Text: "whale OR 黛玉", Record: two}); len(res.Hits) != 2 || res.Hits[0].Record != two {
		t.Errorf("in one book: %+v", res)
	}
	if res := l.search(Query{Text: "whale OR 黛玉", PerRecord: 1}); len(res.Hits) != 2 || res.Hits[0].Record == res.Hits[1].Record {
		t.Errorf("one of each: %+v", res)
	}
	// by key
	var parts []string
	for after := ""; ; {
		res := l.search(Query{Text: "whale OR 黛玉", Limit: 1, After: after})
		for _, h := range res.Hits {
			parts = append(parts, fmt.Sprintf("%d/%d", h.Record, h.Part))
		}
		if after = res.Next; after == "" || len(parts) > 9 {
			break
		}
	}
	if slices.Sort(parts); strings.Join(parts, " ") != fmt.Sprintf("%d/0 %d/1 %d/0 %d/1", one, one, two, two) {
		t.Errorf("by key: %v", parts)
	}
	if _, err := l.texts.Search(t.Context(), Query{Text: "whale", After: "x"}); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
	// Without time there are hits, and nothing to show of them.
	if res := l.search(Query{Text: "sea", Within: 1}); len(res.Hits) > 1 {
		t.Errorf("in no time: %+v", res)
	}
	// The door is asked for each hit.
	no := func(*record.State, record.File, []record.Withdrawal) bool { return false }
	if res := l.search(Query{Text: "whale", May: no}); len(res.Hits) != 0 {
		t.Errorf("through a shut door: %+v", res)
	}
	_ = shut
	must(t, l.texts.Check(t.Context()))
}

// TestDoorsMove opens and closes works in every way.
func TestDoorsMove(t *testing.T) {
	l := newLibrary(t)
	n := l.text("tale", tale, nil)
	twin := l.text("twin", tale, open()) // the same bytes
	st, _ := l.reg.Record(t.Context(), n)
	sha := st.Files[0].SHA256
	here, both := fmt.Sprintf("%d/0 %d/1", n, n), ""
	other := fmt.Sprintf("%d/0 %d/1", twin, twin)
	both = here + " " + other
	step := func(what, want string, entries ...record.Entry) {
		t.Helper()
		l.reg.Append(entries...)
		l.catch()
		if got := l.found("whale"); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	step("not stated", other)
	step("stated", both, record.Entry{Type: record.TypeRights, Of: &n, Rights: open()})
	step("withdrawn", other, record.Entry{Type: record.TypeWithdrawal, Of: &n, Ground: "x", Critical: true})
	step("restored", both, record.Entry{Type: record.TypeRestoration, Of: &n, Ground: "x", Critical: true})
	step("the blob withdrawn", "", record.Entry{Type: record.TypeWithdrawal, Blob: sha, Ground: "x", Critical: true})
	step("the blob restored", both, record.Entry{Type: record.TypeRestoration, Blob: sha, Ground: "x", Critical: true})
	step("no files", other, record.Entry{Type: record.TypeFiles, Of: &n, Remove: []string{sha}})
	step("files", both, record.Entry{Type: record.TypeFiles, Of: &n, Add: st.Files})
	step("merged", other, record.Entry{Type: record.TypeMerge, From: &n, Into: &twin})
	merge := l.reg.Size() - 1
	step("unmerged", both, record.Entry{Type: record.TypeUnmerge, Of: &merge})
	step("erased", other, record.Entry{Type: record.TypeErasure, Entries: []int64{n}, Ground: "x", Critical: true})
	// Closed, and the view has not followed: the door is asked.
	l.reg.Append(record.Entry{Type: record.TypeWithdrawal, Of: &twin, Ground: "x", Critical: true})
	alone, err := view.New(view.Config{Source: l.reg, Body: l.reg.Body, Views: []view.Node{{View: l.catalog}}})
	must(t, err)
	must(t, alone.Catch(t.Context()))
	if res := l.search(Query{Text: "whale"}); len(res.Hits) != 0 || res.Complete {
		t.Errorf("behind: %+v", res)
	}
	// A rebuild equals what was followed.
	l.reg.Append(record.Entry{Type: record.TypeRestoration, Of: &twin, Ground: "x", Critical: true})
	l.catch()
	must(t, l.views.Rebuild(t.Context(), Name))
	if got := l.found("whale"); got != other {
		t.Errorf("rebuilt: %q", got)
	}
	must(t, l.texts.Close())
	l.open()
	if got := l.found("whale"); got != other {
		t.Errorf("opened again: %q", got)
	}
}

func TestBounds(t *testing.T) {
	l := newLibrary(t, func(c *Config) { c.MaxText, c.MaxChapters = 3000, 5 })
	var long strings.Builder
	for i := range 20 {
		fmt.Fprintf(&long, "Chapter %d\n\nword%d %s\n\n", i+1, i, strings.Repeat("x ", 100))
	}
	n := l.text("long", long.String(), open())
	flat := l.text("flat", "begin "+strings.Repeat("y ", 3000)+" end", open())
	l.catch()
	if l.found("word4") != fmt.Sprintf("%d/4", n) || l.found("word5") != "" {
		t.Errorf("%q %q", l.found("word4"), l.found("word5"))
	}
	if l.found("begin") != fmt.Sprintf("%d/0", flat) || l.found("end") != "" {
		t.Error("a text is not cut")
	}
	l.text("bad", "ok", open())
	l.reg.Accession(record.Record{Title: "broken"}, []record.File{l.store("b.epub", form.MediaEPUB, []byte("PK\x03\x04 no"))}, open())
	l.reg.Accession(record.Record{Title: "broken"}, []record.File{l.store("b.pdf", form.MediaPDF, []byte("%PDF-1.4 no"))}, open())
	l.catch()
}

func TestFollower(t *testing.T) {
	l := newLibrary(t)
	front, err := view.New(view.Config{Source: l.reg, Body: l.reg.Body, Views: []view.Node{{View: l.catalog}}})
	must(t, err)
	f, err := Follow(FollowConfig{View: l.texts, Source: l.reg, Body: l.reg.Body})
	must(t, err)
	for i := range 40 {
		l.text(fmt.Sprint("tale ", i), tale, open())
		must(t, front.Catch(t.Context()))
		f.Wake()
	}
	for end := time.Now().Add(20 * time.Second); l.texts.Cursor() < l.reg.Size(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("at %d of %d", l.texts.Cursor(), l.reg.Size())
		}
	}
	if done, of := l.texts.Progress(); done != of || of != l.reg.Size() {
		t.Errorf("%d of %d", done, of)
	}
	if res := l.search(Query{Text: "whale"}); res.Total != 80 || !res.Complete {
		t.Errorf("%+v", res.Total)
	}
	l.text("tale", tale, open()) // the catalogue has not followed, so neither does the view
	must(t, f.Catch(t.Context()))
	if l.texts.Cursor() != l.reg.Size()-1 {
		t.Error("further than the catalogue")
	}
	must(t, f.Rebuild(t.Context()))
	f.Close()
	f.Close()
}

func TestSnippet(t *testing.T) {
	long := strings.Repeat("Lorem ipsum dolor sit amet. ", 40)
	for _, c := range []struct{ text, asked, marks, words string }{
		{long + "The white whale\nswam. " + long, "whale white", "white|whale", "white whale"},
		{"whale " + long + "a whale is white " + long, "whale white", "whale|white", "whale"},
		{strings.Repeat("一二三四五六七八九十", 60) + "紅樓夢\n" + strings.Repeat("一二三四五六七八九十", 60), "红楼梦", "紅樓夢", "紅樓夢"},
		{"紅樓夢", "红", "紅", "紅"},
		{strings.Repeat("x", 5000), "xy", "", ""},
		{"Élan &amp; <i>naïve</i>", "naive elan", "Élan|naïve", "Élan"},
		{"", "a", "", ""},
	} {
		s := snippetOf(c.text, patterns(query.Parse(c.asked).Root))
		if got := marked(Hit{Snippet: s.text, Spans: s.spans}); got != c.marks || s.words != c.words {
			t.Errorf("%q in %.30q: %q, %q of %q", c.asked, c.text, got, s.words, s.text)
		}
		if n := width(s.text); n > snippetWidth {
			t.Errorf("%d characters wide", n)
		}
	}
}

func FuzzSnippet(f *testing.F) {
	f.Add("The white whale", "whale")
	f.Add("紅樓夢", "红*")
	f.Add("a\nb\xffc", `"a b" -c OR "d`)
	f.Fuzz(func(t *testing.T, text, asked string) {
		s := snippetOf(text, patterns(query.Parse(asked).Root))
		last := 0
		for _, sp := range s.spans {
			if sp.Start < last || sp.End <= sp.Start || sp.End > len(s.text) {
				t.Fatalf("%+v in %q", s.spans, s.text)
			}
			last = sp.End
		}
	})
}

// TestRealBooks finds phrases of real books, and says how long reading takes.
func TestRealBooks(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "books")
	l := newLibrary(t)
	numbers := map[string]int64{}
	for _, name := range []string{"en/jane-austen_pride-and-prejudice.epub", "zh/紅樓夢.epub"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		numbers[name] = l.reg.Accession(record.Record{Title: name}, []record.File{l.store(filepath.Base(name), form.MediaEPUB, data)}, open())
	}
	start := time.Now()
	l.catch()
	t.Logf("read in %v", time.Since(start))
	for _, c := range []struct{ book, asked, words string }{
		{"en/jane-austen_pride-and-prejudice.epub", `"truth universally acknowledged"`, "truth universally acknowledged"},
		{"zh/紅樓夢.epub", "满纸荒唐言", "滿紙荒唐言"},
	} {
		start := time.Now()
		res := l.search(Query{Text: c.asked})
		if len(res.Hits) == 0 || res.Hits[0].Record != numbers[c.book] || res.Hits[0].Words != c.words {
			t.Errorf("%s: %+v", c.asked, res.Hits)
			continue
		}
		h := res.Hits[0]
		t.Logf("%s in %v: chapter %d %q: %s", c.asked, time.Since(start), h.Part, h.Title, h.Snippet)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.texts.Search(ctx, Query{Text: "truth"}); err == nil {
		t.Error("nobody waits, and there is an answer")
	}
}
