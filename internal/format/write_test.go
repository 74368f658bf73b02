package format

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// holds is what a form that is not our own has places for.
type holds struct {
	languages, alternatives, place bool
	schemes                        []string
	roles                          []string
	kinds                          map[record.Kind]record.Kind // what a kind becomes
}

var formsHold = map[string]holds{
	"csl":      {place: true, schemes: []string{"isbn", "doi", "pmid", "pmcid", "url"}, roles: []string{"aut", "edt", "trl", "ill", "com", "ctb"}},
	"bibtex":   {languages: true, alternatives: true, place: true, schemes: []string{"isbn", "doi", "arxiv", "pmid", "oclc", "lccn", "url"}, roles: []string{"aut", "edt", "trl", "ill", "com", "ctb", "cwt", "aui"}},
	"ris":      {languages: true, alternatives: true, place: true, schemes: []string{"isbn", "doi", "arxiv", "pmid", "oclc", "lccn", "url"}, roles: []string{"aut", "edt", "trl"}},
	"crossref": {place: true, schemes: []string{"isbn", "doi"}, roles: []string{"aut", "edt", "trl"}, kinds: map[record.Kind]record.Kind{record.Audio: record.Other, record.Image: record.Other}},
}

// writeAll writes records in a form.
func writeAll(t testing.TB, form string, list []record.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(form, &b)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range list {
		if err := w.Write(Exported{Number: int64(i + 1), Record: r}); err != nil {
			t.Fatalf("%s: %v", form, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// lost names what of a record did not come back out of a form that holds it.
func lost(form string, r, back record.Record) []string {
	h := formsHold[form]
	var out []string
	say := func(what string, same bool) {
		if !same {
			out = append(out, what)
		}
	}
	kind := r.Kind
	if to, ok := h.kinds[kind]; ok {
		kind = to
	}
	say("title", back.Title == r.Title)
	say("kind", back.Kind == kind)
	say("issued", back.Issued == r.Issued)
	say("publisher", back.Publisher == r.Publisher)
	say("place", !h.place || back.Place == r.Place)
	want, got := record.Container{}, record.Container{}
	if r.Container != nil {
		want = *r.Container
	}
	if back.Container != nil {
		got = *back.Container
	}
	if form == "ris" { // which has a tag for the first page and one for the last
		got.Pages, want.Pages = strings.ReplaceAll(got.Pages, "–", "-"), strings.ReplaceAll(want.Pages, "–", "-")
		if from, to, _ := strings.Cut(want.Pages, "-"); from == to {
			want.Pages = from
		}
	}
	say("container", got == want)
	langs := r.Languages
	if !h.languages && len(langs) > 1 {
		langs = langs[:1]
	}
	say("languages", slices.Equal(back.Languages, langs))
	if h.alternatives {
		for _, a := range r.AltTitles {
			say("alternative title", a == r.Title || slices.Contains(back.AltTitles, a))
		}
	}
	var names, gotNames []string
	for _, role := range h.roles {
		for _, c := range r.Creators {
			if c.Role == role || c.Role == "" && role == "aut" {
				names = append(names, role+" "+c.Name)
			}
		}
		for _, c := range back.Creators {
			if c.Role == role {
				gotNames = append(gotNames, role+" "+c.Name)
			}
		}
	}
	say("creators", slices.Equal(gotNames, names))
	for _, c := range r.Creators {
		if p := PersonOf(c); p.Family != "" && slices.Contains(h.roles, c.Role) {
			say("sort form of "+c.Name, slices.ContainsFunc(back.Creators, func(o record.Creator) bool { return o.Name == c.Name && PersonOf(o) == p }))
		}
	}
	for _, id := range r.IDs {
		if slices.Contains(h.schemes, id.Scheme) {
			say(id.Scheme, slices.Contains(back.IDs, id))
		}
	}
	say("abstract", strings.Join(strings.Fields(back.Abstract), " ") == strings.Join(strings.Fields(r.Abstract), " "))
	for _, s := range r.Subjects {
		if s.Label != "" {
			say("subject "+s.Label, slices.ContainsFunc(back.Subjects, func(o record.Subject) bool { return o.Label == s.Label || o.Code == s.Label }))
		}
	}
	return out
}

// manyKinds are records that have something in every place.
func manyKinds() []record.Record {
	var out []record.Record
	for i, kind := range record.Kinds {
		r := record.Record{
			Title: "The “First” -- and {only} 100% \\real title_of #1 ~ ^2 $x$", Kind: kind, Languages: []string{[]string{"en", "zh-Hant", "de", "grc"}[i%4]},
			Issued: []string{"1813", "1813-01", "1813-01-28", "1900/1910", "1813~", "18XX", "2001-05-06/2001-05-09", "-0044"}[i%8], Publisher: "A & B, Ltd.", Place: "São Paulo",
			Creators: []record.Creator{{Name: "Jane Austen", AltNames: []string{"Austen, Jane"}, Role: "aut", IDs: []record.ID{{Scheme: "orcid", Value: "0000-0002-1825-0097"}}},
				{Name: "Ludwig van Beethoven Jr.", AltNames: []string{"van Beethoven, Ludwig, Jr."}, Role: "aut"}, {Name: "Barnes and Noble", Role: "aut"}, {Name: "魯迅", Role: "aut"},
				{Name: "World Health Organization", Role: "edt"}, {Name: "Émile Zola", AltNames: []string{"Zola, Émile"}, Role: "trl"}},
			Container: &record.Container{Title: "Works & Days", Volume: "12", Issue: "3", Pages: "101–110", ISSN: "1234-5679"},
			Subjects:  []record.Subject{{Label: "Fiction"}, {Scheme: "lcsh", Label: "England -- Social life"}},
			IDs:       []record.ID{{Scheme: "isbn", Value: "9780141439518"}, {Scheme: "doi", Value: "10.1234/a_b(c)<d>#e"}, {Scheme: "url", Value: "https://x.example/a_b?c=%20&d=~e#f"}},
			Abstract:  "One line -- with ``quotes''.\nAnother, of 5% & $3.",
		}
		if kind == record.Chapter || kind == record.Article { // an ISBN is its book's
			r.IDs = r.IDs[1:]
		}
		if kind == record.Book {
			r.Container.Issue = ""
		}
		out = append(out, r)
	}
	return append(out, record.Record{Title: "unmatched } and {", Kind: record.Other}, record.Record{Title: `ends in \`, Kind: record.Book}, record.Record{Title: "–—…?`!`", Kind: record.Book, AltTitles: []string{"A and B", "C, D"}})
}

func TestWriteRead(t *testing.T) {
	for form := range formsHold {
		list := manyKinds()
		got := readBulk(t, form, bytes.NewReader(writeAll(t, form, list)))
		if len(got) != len(list) {
			t.Fatalf("%s: %d records of %d", form, len(got), len(list))
		}
		for i, p := range got {
			if p.err != nil {
				t.Errorf("%s %d: %v", form, i, p.err)
			} else if l := lost(form, list[i], p.d.Record); len(l) > 0 {
				t.Errorf("%s, %s: %q is lost\n%+v", form, list[i].Kind, l, p.d.Record)
			}
		}
	}
}

// Crossref's titles are marked up: what looks like markup in ours comes back as it was,
// and records of one DOI stay two.
func TestCrossrefText(t *testing.T) {
	var list []record.Record
	for _, text := range []string{"The <i> element", "a<b & c>d", "&lt;i&gt; &amp;amp;", "in<br><br> the", "<b>Bold</b>", "</title> --> <![CDATA[x]]>", "AT&T"} {
		list = append(list, record.Record{Title: text, Kind: record.Article, Publisher: text, Place: text, Abstract: text, IDs: []record.ID{{Scheme: "doi", Value: "10.1234/one"}},
			Container: &record.Container{Title: text, Volume: text, Issue: text, Pages: text}, Creators: []record.Creator{{Name: text, Role: "aut"}}, Subjects: []record.Subject{{Label: text}}})
	}
	seen := map[string]bool{}
	for i, p := range readBulk(t, "crossref", bytes.NewReader(writeAll(t, "crossref", list))) {
		if p.err != nil {
			t.Fatal(p.err)
		}
		if l := lost("crossref", list[i], p.d.Record); len(l) > 0 {
			t.Errorf("%q: %q is lost: %+v", list[i].Title, l, p.d.Record)
		}
		if seen[p.d.ID] || p.d.ID == "" {
			t.Errorf("the id %q is there twice", p.d.ID)
		}
		seen[p.d.ID] = true
	}
	for raw, want := range map[string]string{
		`{"DOI":"10.1234/One","title":["T"],"alternative-id":["S0001","wenlan1"]}`: "10.1234/one",
		`{"DOI":"10.1234/One","title":["T"],"alternative-id":["wenlan12"]}`:        "wenlan12",
		`{"title":["T"],"alternative-id":["S0001"]}`:                               "S0001",
	} {
		if d, err := parseCrossref([]byte(raw)); err != nil || d.ID != want {
			t.Errorf("%s: %+v, %v", raw, d, err)
		}
	}
}

// Identifiers that a form has no field for go out with their scheme, and come back, all of
// one scheme too; and classes with theirs.
func TestOthersOut(t *testing.T) {
	ids := []record.ID{{Scheme: "local", Value: "(DE-627)123 {x} & y; z"}, {Scheme: "local", Value: "10.1234/no"}, {Scheme: "local", Value: "urn:x and 1, 2"}, {Scheme: "doi", Value: "10.1234/one"}, {Scheme: "doi", Value: "10.1234/two"},
		{Scheme: "arxiv", Value: "1001.0025"}, {Scheme: "arxiv", Value: "math/0309136"}, {Scheme: "pmid", Value: "12"}, {Scheme: "pmid", Value: "13"}, {Scheme: "pmcid", Value: "PMC1"}, {Scheme: "isni", Value: "0000000121032683"}, {Scheme: "kanripo", Value: "KR1a0001"},
		{Scheme: "urn", Value: "urn:nbn:de:1"}, {Scheme: "uuid", Value: "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}, {Scheme: "issn", Value: "1234-5679"}, {Scheme: "lccn", Value: "85153773"}, {Scheme: "oclc", Value: "123"}, {Scheme: "upc", Value: "042100005264"},
		{Scheme: "url", Value: "https://x.example/a"}, {Scheme: "url", Value: "https://x.example/b"}}
	classes := []record.Subject{{Scheme: "ddc", Code: "823.912", Label: "823.912"}, {Scheme: "clc", Code: "I247.5", Label: "I247.5"}, {Label: "Fiction"}}
	for _, form := range []string{"csl", "bibtex", "ris", "crossref"} {
		text, err := Text(form, Exported{Number: 1, URL: "https://library.example/1", Record: record.Record{Title: "T", Kind: record.Book, IDs: ids, Subjects: classes}})
		if err != nil {
			t.Fatal(err)
		}
		got := readBulk(t, form, strings.NewReader(text))
		if len(got) != 1 || got[0].err != nil {
			t.Fatalf("%s: %+v", form, got)
		}
		d := got[0].d
		for _, id := range ids {
			if !slices.Contains(d.Record.IDs, id) {
				t.Errorf("%s: %v is lost: %v\n%s", form, id, d.Record.IDs, text)
			}
		}
		if len(d.Record.IDs) > len(ids)+2 || len(d.Extra) > 0 || len(d.Warnings) > 0 { // the record's page, and its DOI as an address
			t.Errorf("%s: %v, %v, %v", form, d.Record.IDs, d.Extra, d.Warnings)
		}
		if !slices.Equal(d.Record.Subjects, classes) {
			t.Errorf("%s: %v", form, d.Record.Subjects)
		}
	}
	for text, want := range map[string]record.ID{"WOS:000123": {}, "rayyan-12": {}, "note: see p. 3": {}, "isbn:978": {}, "local:a b": {Scheme: "local", Value: "a b"}, "arXiv:1001.0025": {Scheme: "arxiv", Value: "1001.0025"}} {
		if id, ok := idOf(text); ok != (want != record.ID{}) || ok && id != want {
			t.Errorf("%q: %v, %v", text, id, ok)
		}
	}
}

// Dates before our era go out in every form, and come back as they were.
func TestErasOut(t *testing.T) {
	var list []record.Record
	for _, date := range []string{"-0299", "-0299~", "-0299?", "-0299%", "0000", "0476", "-0043-03-15", "-0383/-0321", "-0026/0014", "-0383~/-0321~", "-0383?/-0321", "-0001/0000", "0000/0014", "-02XX", "-1199", "-0299/..", "1990?/1995?"} {
		list = append(list, record.Record{Title: "T", Kind: record.Book, Issued: date})
	}
	for _, form := range []string{"csl", "bibtex", "ris", "crossref", "marcxml"} {
		doc := writeAll(t, form, list)
		for i, p := range readBulk(t, form, bytes.NewReader(doc)) {
			if want := list[i].Issued; p.err != nil || p.d.Record.Issued != want {
				t.Errorf("%s: %q became %q %v", form, want, p.d.Record.Issued, p.err)
			}
		}
	}
	// CSL has no year 0, and shows a year without its sign.
	for date, want := range map[string]string{"-0299": `{"date-parts":[[-300]]}`, "0000": `{"date-parts":[[-1]]}`, "-0043-03-15~": `{"date-parts":[[-44,3,15]],"circa":true}`, "-0026/0014": `{"date-parts":[[-27],[14]]}`} {
		if text, err := Text("csl", Exported{Record: record.Record{Title: "T", Issued: date}}); err != nil || !strings.Contains(text, `"issued":`+want+`}`) {
			t.Errorf("%s: %s %v", date, text, err)
		}
	}
	for in, want := range map[string]string{"year = {-300}": "-0300", "year = {300 BC}": "-0299", "date = {-0299~}": "-0299~", "year = {ca. 300 BC}": "-0299~", "year = {476}": "0476"} {
		if got := readBulk(t, "bibtex", strings.NewReader("@book{a, title={T}, "+in+"}")); len(got) != 1 || got[0].d.Record.Issued != want {
			t.Errorf("%s: %+v", in, got[0].d)
		}
	}
}

// TestOwnForm checks that our own form holds everything.
func TestOwnForm(t *testing.T) {
	n, r := int64(5), manyKinds()[0]
	r.AltTitles, r.Relations = []string{"Other"}, []record.Relation{{Type: "translation_of", Title: "原題", Record: &n}}
	in := Exported{Number: 7, Record: r, URL: "https://x.example/7", Source: &record.Source{Name: "s", ID: "1", Digest: strings.Repeat("a", 64), Extra: []byte(`{"note":["kept"]}`)},
		Files:  []record.File{{SHA256: strings.Repeat("0", 64), Bytes: 3, MediaType: "text/plain", Name: "a.txt", Role: record.RoleText}},
		Rights: &record.Rights{Basis: record.PublicDomain, Access: record.Open, Evidence: &record.Evidence{By: "me"}}}
	text, err := Text("jsonl", in)
	if err != nil {
		t.Fatal(err)
	}
	got := readBulk(t, "jsonl", strings.NewReader(text))
	if len(got) != 1 || got[0].err != nil {
		t.Fatalf("%+v", got)
	}
	d := got[0].d
	if !reflect.DeepEqual(d.Record, in.Record) || !reflect.DeepEqual(d.Files, in.Files) || !reflect.DeepEqual(d.Rights, in.Rights) ||
		d.Source.Name != "s" || d.ID != "1" || d.Source.Digest != in.Source.Digest || string(d.ExtraJSON()) != `{"note":["kept"]}` {
		t.Errorf("%s\n%+v", text, d)
	}
}

func TestNewWriter(t *testing.T) {
	if _, err := NewWriter("docx", io.Discard); !errs.Is(err, errs.Invalid) || err.Error() != `there is no format "docx" to write` {
		t.Error(err)
	}
	for _, form := range WriterNames() { // an empty document is one
		if got := readBulk(t, form, bytes.NewReader(writeAll(t, form, nil))); len(got) != 0 {
			t.Errorf("%s: %+v", form, got)
		}
	}
	text, err := Text("ris", Exported{Number: 1, Record: record.Record{Title: "T", IDs: []record.ID{{Scheme: "url", Value: "javascript:alert(1)"}}}})
	if err != nil || strings.Contains(text, "javascript") {
		t.Error(text, err)
	}
}

// TestWriteReadData writes some hundred records of each file of records, and reads them.
func TestWriteReadData(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata.Dir(t), "records", "*.zst"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := Decompress(f)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		form, err := FindBulk("simple")
		if err != nil {
			t.Fatal(err)
		}
		var list []record.Record
		for e := form.Elements(r); len(list) < 300; {
			raw, n, err := e.Next()
			if err != nil {
				t.Fatal(err)
			}
			if n%7 != 0 {
				continue
			}
			d, err := form.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, d.Record)
		}
		for form := range formsHold {
			got := readBulk(t, form, bytes.NewReader(writeAll(t, form, list)))
			if len(got) != len(list) {
				t.Errorf("%s, %s: %d records", filepath.Base(path), form, len(got))
				continue
			}
			bad := 0
			for i, p := range got {
				if p.err != nil {
					t.Errorf("%s, %s, %d: %v", filepath.Base(path), form, i, p.err)
				} else if l := lost(form, list[i], p.d.Record); len(l) > 0 {
					if bad++; bad < 4 {
						t.Errorf("%s, %s: %q is lost\n%+v\n%+v", filepath.Base(path), form, l, list[i], p.d.Record)
					}
				}
			}
			if bad > 0 {
				t.Errorf("%s, %s: %d of %d lost something", filepath.Base(path), form, bad, len(list))
			}
		}
	}
}

// FuzzWriteRead writes any text in every form, and reads it again.
func FuzzWriteRead(f *testing.F) {
	f.Add("T -- {x} \\y $z$", "Jane Austen", "Austen, Jane", "Line\nline", "1–2", "k, l; m")
	f.Add("``''?`", "and and", "and, and", "% @ # \"", "--", "{")
	f.Fuzz(func(t *testing.T, title, name, sorted, abstract, pages, key string) {
		r := record.Record{Title: cleanLine(stripHTML(title), maxTitle), Kind: record.Article, Issued: "2000", Abstract: cleanText(stripHTML(abstract), maxAbstract),
			Container: &record.Container{Title: cleanLine(stripHTML(key), maxTitle), Pages: cleanLine(pages, maxTitle)}}
		if r.Title == "" {
			return
		}
		if c := (record.Creator{Name: cleanLine(name, maxTitle), Role: "aut"}); c.Name != "" {
			c.AltNames = addLine(nil, sorted, maxShort)
			r.Creators = append(r.Creators, c)
		}
		for form := range formsHold {
			got := readBulk(t, form, bytes.NewReader(writeAll(t, form, []record.Record{r, {Title: "Another", Kind: record.Book}})))
			if len(got) != 2 || got[0].err != nil || got[1].err != nil || got[1].d.Record.Title != "Another" {
				t.Fatalf("%s: %+v", form, got)
			}
			if (form == "bibtex" || form == "crossref") && got[0].d.Record.Title != r.Title {
				t.Fatalf("%q, not %q\n%s", got[0].d.Record.Title, r.Title, writeAll(t, form, []record.Record{r}))
			}
		}
	})
}
