package citation

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if !Built() {
		fmt.Fprintln(os.Stderr, "the citation processor is not built: make assets")
		if os.Getenv("CI") == "true" {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func item(t *testing.T, v map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReferences(t *testing.T) {
	p := New()
	for _, test := range []struct {
		name, language string
		item           map[string]any
		html           []string // in the order of Styles
	}{
		{"a paper", "en-GB", map[string]any{"type": "article-journal", "title": "On the tendency of <i>species</i> & more", "language": "en",
			"author": []any{map[string]any{"family": "Darwin", "given": "Charles"}, map[string]any{"family": "Wallace", "given": "Alfred"}},
			"issued": map[string]any{"date-parts": []any{[]any{1858, 8, 20}}}, "container-title": "Zoological Journal", "volume": "3", "issue": "9", "page": "45-62", "DOI": "10.1111/j.1096"},
			[]string{
				"Darwin, C., &amp; Wallace, A. (1858). On the tendency of <i>species</i> &amp; more. <i>Zoological Journal</i>, <i>3</i>(9), 45–62. https://doi.org/10.1111/j.1096",
				"Darwin, Charles, and Alfred Wallace. 1858. “On the Tendency of <i>Species</i> &amp; More.” <i>Zoological Journal</i> 3 (9): 45–62. https://doi.org/10.1111/j.1096.",
				"DARWIN C, WALLACE A. On the tendency of <i>species</i> &amp; more[J/OL]. Zoological Journal, 1858, 3(9): 45-62. DOI:10.1111/j.1096.",
				"Darwin, Charles, and Alfred Wallace. “On the Tendency of <i>Species</i> &amp; More.” <i>Zoological Journal</i>, vol. 3, no. 9, Aug. 1858, pp. 45–62, https://doi.org/10.1111/j.1096.",
			}},
		{"a Chinese book", "zh-Hans", map[string]any{"type": "book", "title": "呐喊", "language": "zh", "publisher": "新潮社", "publisher-place": "北京",
			"author": []any{map[string]any{"literal": "鲁迅"}}, "issued": map[string]any{"date-parts": []any{[]any{1923}}}},
			[]string{"鲁迅. (1923). <i>呐喊</i>. 新潮社.", "鲁迅. 1923. 呐喊. 北京: 新潮社.", "鲁迅. 呐喊[M]. 北京: 新潮社, 1923.", "鲁迅. 呐喊. 新潮社, 1923."}},
		{"many names", "zh", map[string]any{"type": "book", "title": "诗选", "author": []any{
			map[string]any{"literal": "甲"}, map[string]any{"literal": "乙"}, map[string]any{"literal": "丙"}, map[string]any{"literal": "丁"}}},
			[]string{"甲, 乙, 丙, &amp; 丁. (不详). <i>诗选</i>.", "甲, 乙, 丙和丁. 不详. 诗选.", "甲, 乙, 丙, 等. 诗选[M].", "甲, 等. 诗选."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			refs, err := p.References(t.Context(), item(t, test.item), test.language)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range refs {
				if r.Style != Styles[i] || string(r.HTML) != test.html[i] {
					t.Errorf("%s:\n%s, not\n%s", r.Style.Name, r.HTML, test.html[i])
				}
				if text := html.UnescapeString(strings.NewReplacer("<i>", "", "</i>", "").Replace(string(r.HTML))); r.Text != text {
					t.Errorf("%s as text: %s", r.Style.Name, r.Text)
				}
			}
		})
	}
}

func TestHostile(t *testing.T) {
	p := New()
	names := make([]any, 3000)
	for i := range names {
		names[i] = map[string]any{"family": strings.Repeat("x", 5000), "given": "<script>alert(1)</script>"}
	}
	refs, err := p.References(t.Context(), item(t, map[string]any{"type": "book", "author": names,
		"title": `<img src=x onerror=alert(1)> "<i>a</i>" </i></div><b>` + strings.Repeat("<span>(", 3000), "URL": "javascript:alert(1)"}), "en")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refs {
		for _, bad := range []string{"<script", "<img", "<div", "<span", "<a"} {
			if strings.Contains(string(r.HTML), bad) {
				t.Fatalf("%s: %s in %.300s", r.Style.ID, bad, r.HTML)
			}
		}
	}
	for _, bad := range []string{"", "[]", "null", "{", `{"author":3,"issued":"x","title":{}}`, `{"type":"book","issued":{"date-parts":[["x"]]}}`} {
		_, _ = p.References(t.Context(), []byte(bad), "x-\x00")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.References(over, []byte(`{"type":"book","title":"x"}`), "en"); err == nil {
		t.Fatal("no error although nobody waits")
	}
	// And then all is well.
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			refs, err := p.References(context.Background(), []byte(`{"type":"book","title":"Emma"}`), "en")
			if err != nil || len(refs) != len(Styles) || !strings.Contains(refs[0].Text, "Emma") {
				t.Error(refs, err)
			}
		})
	}
	all.Wait()
}

// TestRest lets the machine go and takes it up again.
func TestRest(t *testing.T) {
	p := New()
	work := []byte(`{"type":"book","title":"Emma"}`)
	if _, err := p.References(t.Context(), work, "en"); err != nil || p.vm == nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p.timer.Reset(0)
	for loaded := true; loaded; time.Sleep(time.Millisecond) {
		<-p.free
		loaded = p.vm != nil
		p.free <- struct{}{}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(before.HeapAlloc) - int64(after.HeapAlloc); kept < 1<<20 || kept > 128<<20 {
		t.Errorf("the machine held %d bytes", kept)
	}
	if refs, err := p.References(t.Context(), work, "en"); err != nil || refs[3].Text != "Emma." {
		t.Fatal(refs, err)
	}
}

func BenchmarkReferences(b *testing.B) {
	p := New()
	work := []byte(`{"type":"article-journal","title":"Emma","author":[{"family":"Austen","given":"Jane"}],"container-title":"A Journal","volume":"3","issued":{"date-parts":[[1815]]}}`)
	if _, err := p.References(b.Context(), work, "en"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.References(b.Context(), work, "en"); err != nil {
			b.Fatal(err)
		}
	}
}
