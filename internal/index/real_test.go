package index_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wenlan/internal/catalog"
	"wenlan/internal/index"
	"wenlan/internal/testdata"
	"wenlan/internal/view"
	"wenlan/internal/view/viewtest"
)

type views struct {
	cat *catalog.Catalog
	idx *index.Engine
	fol *view.Follower
}

func openViews(t testing.TB, reg *viewtest.Register, dir string) views {
	t.Helper()
	cat, err := catalog.Open(t.Context(), catalog.Config{Dir: filepath.Join(dir, "catalog"), Source: reg, Body: reg.Body})
	if err != nil {
		t.Fatal(err)
	}
	idx, err := index.Open(t.Context(), index.Config{Dir: filepath.Join(dir, "index"), Records: cat, Body: reg.Body})
	if err != nil {
		t.Fatal(err)
	}
	fol, err := view.New(view.Config{Source: reg, Body: reg.Body, Views: []view.Node{{View: cat}, {View: idx, After: []string{"catalog"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return views{cat, idx, fol}
}

func (v views) close() {
	v.idx.Close()
	v.cat.Close()
}

// TestRealRecords follows a few thousand real records with the catalogue and the
// index, and logs what that takes. WENLAN_SCALE sets their number.
func TestRealRecords(t *testing.T) {
	n := 3000
	if s := os.Getenv("WENLAN_SCALE"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	reg := viewtest.New(t)
	n = reg.Real(t, testdata.Dir(t), n)
	dir := t.TempDir()
	v := openViews(t, reg, dir)

	rate := func(what string, start time.Time) {
		d := time.Since(start)
		t.Logf("%-22s %8.0f records/s (%v)", what, float64(n)/d.Seconds(), d.Round(time.Millisecond))
	}
	start := time.Now()
	if err := v.fol.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	rate("both views", start)
	for _, name := range []string{"catalog", "index"} {
		start = time.Now()
		if err := v.fol.Rebuild(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		rate("rebuild "+name, start)
	}
	if !v.fol.Ready() {
		t.Fatal(v.fol.Check())
	}
	v.close()

	start = time.Now()
	v = openViews(t, reg, dir)
	defer v.close()
	t.Logf("opening both takes %v", time.Since(start).Round(100*time.Microsecond))
	for _, f := range []string{"catalog", "index"} {
		var size int64
		err := filepath.WalkDir(filepath.Join(dir, f), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				size += info.Size()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.0f bytes a record", f, float64(size)/float64(n))
	}
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("heap with both open: %.1f MiB", float64(mem.HeapAlloc)/(1<<20))

	if counts, err := v.cat.Counts(t.Context()); err != nil || counts.Records != int64(n) {
		t.Errorf("counts: %+v %v, want %d records", counts, err, n)
	}
	list, err := v.cat.List(t.Context(), catalog.ListQuery{Newest: true, Limit: 3})
	if err != nil || !slices.Equal(list, []int64{int64(n), int64(n) - 1, int64(n) - 2}) {
		t.Errorf("newest: %v %v", list, err)
	}

	// Every record is found by its title, by a part from the middle of it, and by
	// its identifiers.
	ctx := t.Context()
	step := max(1, n/100)
	var missed []string
	for m := int64(1); m <= int64(n); m += int64(step) {
		st, err := v.cat.Record(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{st.Record.Title}
		for _, id := range st.Record.IDs {
			texts = append(texts, id.Value)
		}
		if words := strings.Fields(st.Record.Title); len(words) > 4 && len(words) < index.MaxTerms {
			texts = append(texts, strings.Join(words[1:len(words)-1], " "))
		} else if runes := []rune(st.Record.Title); len(words) == 1 && len(runes) > 4 && runes[0] > 0x3000 {
			texts = append(texts, string(runes[1:4]))
		}
		for _, text := range texts {
			res, err := v.idx.Search(ctx, index.Query{Text: text, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(res.Hits, func(h index.Hit) bool { return h.Record == m }) {
				missed = append(missed, fmt.Sprintf("%d by %q", m, text))
			}
		}
	}
	if len(missed) > 0 {
		t.Errorf("not found: %d: %s", len(missed), strings.Join(missed[:min(len(missed), 10)], "; "))
	}
	for _, q := range []index.Query{
		{Text: "the"}, {Text: "the", Facets: true}, {Text: "neural network"}, {Text: "neural network", Facets: true}, {Text: "neural network", Languages: []string{"en"}, Sort: index.Newest, Facets: true},
		{Text: "周易"}, {Text: "易"}, {Text: "e"}, {Kinds: []string{"book"}, Facets: true}, {Facets: true}, {Sort: index.Title},
	} {
		start := time.Now()
		var res *index.Result
		const times = 5
		for range times {
			if res, err = v.idx.Search(ctx, q); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%-18q facets=%-5v sort=%-8s %7d exact=%-5v %6.2f ms", q.Text, q.Facets, q.Sort, res.Total, res.Exact, float64(time.Since(start).Microseconds())/1000/times)
	}
	start = time.Now()
	for i := range 200 {
		if _, err := v.cat.Record(context.Background(), int64(1+i*7919%n)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("a record not cached: %v", time.Since(start)/200)
	if rss, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(rss)) {
			if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "VmRSS") {
				t.Log(strings.TrimSpace(line), "(with the register of the test in memory)")
			}
		}
	}
}
