package i18n

import (
	"encoding/json"
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func load(t testing.TB) *Bundle {
	t.Helper()
	b, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// literal is a text in a Go file or a template that has the form of a key.
var literal = regexp.MustCompile(`"([a-z]+(?:\.[a-z0-9_]+)?)"`)

// used reads every Go file and template of the packages that speak through these
// messages, and returns the texts in them that look like keys.
func used(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := ".."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		if d.IsDir() {
			// The reader and the command line have messages of their own.
			if d.Name() == "testdata" || rel == "web/reader" || (strings.Count(rel, "/") == 0 && rel != "web" && rel != "i18n" && rel != root) {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, "_test.go") || (filepath.Ext(path) != ".go" && filepath.Ext(path) != ".html") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range literal.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = rel
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestNoKeyMissingOrUnused(t *testing.T) {
	b := load(t)
	first := b.printers[0].messages
	families := map[string]bool{}
	for key := range first {
		family, _, dotted := strings.Cut(key, ".")
		families[family] = families[family] || dotted
	}
	for _, p := range b.printers[1:] {
		for key := range first {
			if !p.Has(key) {
				t.Errorf("%s lacks the key %q", p.tag, key)
			}
		}
		for key := range p.messages {
			if _, ok := first[key]; !ok {
				t.Errorf("%s has the key %q, which %s lacks", p.tag, key, b.printers[0].tag)
			}
		}
	}
	texts := used(t)
	for key := range first {
		if _, ok := texts[key]; !ok {
			t.Errorf("the key %q is used nowhere", key)
		}
	}
	for text, where := range texts {
		family, _, dotted := strings.Cut(text, ".")
		ends := strings.HasSuffix(text, ".html") || strings.HasSuffix(text, ".css") || strings.HasSuffix(text, ".js") || strings.HasSuffix(text, ".svg")
		if dotted && families[family] && !ends {
			if _, ok := first[text]; !ok {
				t.Errorf("%s uses the key %q, which is nowhere", where, text)
			}
		}
	}
}

// TestSameArguments holds the places for arguments to be the same in all languages.
func TestSameArguments(t *testing.T) {
	b := load(t)
	place := regexp.MustCompile(`\{\d+\}`)
	// A date or a plural may leave out what its language does not say.
	free := []string{"date.", "home.", "search.total", "texts.total"}
	for key, m := range b.printers[0].messages {
		if slices.ContainsFunc(free, func(f string) bool { return strings.HasPrefix(key, f) }) {
			continue
		}
		want := places(place, m.other)
		for _, p := range b.printers[1:] {
			if got := places(place, p.messages[key].other); !maps.Equal(got, want) {
				t.Errorf("%s in %s has the arguments %v, in %s %v", key, p.tag, got, b.printers[0].tag, want)
			}
		}
	}
}

func places(re *regexp.Regexp, text string) map[string]bool {
	out := map[string]bool{}
	for _, p := range re.FindAllString(text, -1) {
		out[p] = true
	}
	return out
}

// TestFilesAreSorted keeps the files easy to compare and to merge.
func TestFilesAreSorted(t *testing.T) {
	key := regexp.MustCompile(`(?m)^  "([^"]+)":`)
	for _, tag := range tags {
		data, err := files.ReadFile("messages/" + tag + ".json")
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		for _, m := range key.FindAllStringSubmatch(string(data), -1) {
			if natural(m[1]) <= natural(last) {
				t.Errorf("%s: %q comes after %q", tag, m[1], last)
			}
			last = m[1]
		}
	}
}

// natural puts month.2 before month.10.
func natural(s string) string {
	head, tail, ok := strings.Cut(s, ".")
	if ok && len(tail) == 1 && tail[0] >= '0' && tail[0] <= '9' {
		return head + ".0" + tail
	}
	return s
}

func TestChoose(t *testing.T) {
	b := load(t)
	for _, c := range []struct {
		name, url, cookie, accept, want string
		chosen                          bool
	}{
		{name: "nothing", url: "/", want: "en"},
		{name: "mainland", url: "/", accept: "zh-CN,zh;q=0.9,en;q=0.8", want: "zh-Hans"},
		{name: "Taiwan", url: "/", accept: "zh-TW", want: "zh-Hans"},
		{name: "British", url: "/", accept: "en-GB", want: "en"},
		{name: "French", url: "/", accept: "fr", want: "en"},
		{name: "French, then Chinese", url: "/", accept: "fr, zh;q=0.5", want: "zh-Hans"},
		{name: "no header that makes sense", url: "/", accept: ";;;q=,", want: "en"},
		{name: "too long", url: "/", accept: strings.Repeat("zh,", 1000), want: "en"},
		{name: "cookie over header", url: "/", cookie: "zh-Hans", accept: "en", want: "zh-Hans"},
		{name: "cookie of no language", url: "/", cookie: "xx", accept: "zh", want: "zh-Hans"},
		{name: "address over cookie", url: "/?ui=en", cookie: "zh-Hans", want: "en", chosen: true},
		{name: "address of no language", url: "/?ui=../../x", cookie: "zh-Hans", want: "zh-Hans"},
	} {
		r := httptest.NewRequest("GET", c.url, nil)
		if c.cookie != "" {
			r.Header.Set("Cookie", Cookie+"="+c.cookie)
		}
		r.Header.Set("Accept-Language", c.accept)
		p, chosen := b.Choose(r)
		if p.Tag() != c.want || chosen != c.chosen {
			t.Errorf("%s: got %s, %v; want %s, %v", c.name, p.Tag(), chosen, c.want, c.chosen)
		}
	}
}

func TestWords(t *testing.T) {
	b := load(t)
	en, zh := b.Printer("en"), b.Printer("zh-Hans")
	day := time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", 3600))
	for _, c := range []struct{ got, want string }{
		{en.Self(), "English"}, {zh.Self(), "简体中文"},
		{en.Language("zh-Hant"), "Traditional Chinese"}, {zh.Language("zh-Hant"), "繁体中文"},
		{en.Language("lzh"), "Literary Chinese"}, {zh.Language("lzh"), "文言文"}, {zh.Language("fr"), "法语"},
		{en.Language("no"), "Norwegian"}, {zh.Language("no"), "挪威语"}, {en.Language("nb"), "Norwegian Bokmål"},
		{en.Language("not a tag"), "not a tag"}, {en.Language("und"), "Language not known"},
		{en.Region("DE"), "Germany"}, {zh.Region("DE"), "德国"}, {zh.Region("?"), "?"},
		{en.Number(1234567), "1,234,567"}, {en.Number(1906), "1906"}, {en.Number(-12345), "−12,345"},
		{en.Bytes(532), "532\u00a0B"}, {en.Bytes(1400), "1.4\u00a0kB"}, {en.Bytes(999_999), "1.0\u00a0MB"}, {en.Bytes(25_000_000), "25\u00a0MB"},
		{en.Date(day), "1 March 2026"}, {zh.Date(day), "2026年3月1日"}, {en.Time(day), "1 March 2026, 22:30 UTC"},
		{en.EDTF("1818"), "1818"}, {zh.EDTF("1818"), "1818年"}, {en.EDTF("1818-05"), "May 1818"}, {zh.EDTF("1818-05-07"), "1818年5月7日"},
		{en.EDTF("1818~"), "about 1818"}, {en.EDTF("1818?"), "1818, uncertain"}, {en.EDTF("1818/1820"), "1818 to 1820"},
		{en.EDTF("-0500"), "501 BC"}, {en.EDTF("18XX"), "1800s"}, {zh.EDTF("18XX"), "19 世纪"}, {en.EDTF("192X"), "1920s"},
		{en.EDTF("1990/.."), "from 1990"}, {en.EDTF("spring 1818"), "spring 1818"}, {en.EDTF("2026-01-05T10:00:00Z"), "5 January 2026"},
		{en.Year("1818-05-07"), "1818"}, {en.Year("0098"), "98"}, {en.Year("0000"), "1 BC"},
		{en.N("search.total", 1), "1 result"}, {en.N("search.total", 12345), "12,345 results"}, {zh.N("search.total", 1), "1 条结果"},
		{en.T("proof.place", int64(3), 4), "Entry 3 of 4 in the register."},
		{en.T("no.such.key"), "no.such.key"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestFill(t *testing.T) {
	var p Printer
	for _, c := range []struct {
		text string
		args []any
		want string
	}{
		{"{1} {2}", []any{"a", "b"}, "a b"},
		{"{2} {1}", []any{"{2}", "b"}, "b {2}"},
		{"{3}", []any{"a"}, "{3}"},
		{"{", []any{"a"}, "{"},
		{"{x} {1}", []any{"a"}, "{x} a"},
	} {
		if got := p.fill(c.text, c.args); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestLoadMore(t *testing.T) {
	more := fstest.MapFS{}
	for _, tag := range tags {
		data, _ := json.Marshal(map[string]string{"test.extra": "extra " + tag})
		more[tag+".json"] = &fstest.MapFile{Data: data}
	}
	b, err := Load(more)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Printer("zh-Hans").T("test.extra"); got != "extra zh-Hans" {
		t.Errorf("got %q", got)
	}
	if _, err := Load(more, more); err == nil {
		t.Error("a key that is there twice was taken")
	}
	if _, err := Load(fstest.MapFS{}); err == nil {
		t.Error("a language without its file was taken")
	}
}
