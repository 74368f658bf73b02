package record

import (
	"fmt"
	"testing"
)

func TestNormalIDForms(t *testing.T) {
	for _, c := range []struct{ scheme, in, want string }{
		{"orcid", "https://orcid.org/0000-0002-1825-0097", "0000-0002-1825-0097"},
		{"orcid", "000000021694233x", "0000-0002-1694-233X"},
		{"orcid", "orcid.org/0000-0002-1694-233X/", "0000-0002-1694-233X"},
		{"orcid", "0000-0002-1825-0098", ""},
		{"orcid", "0000-0002-1825-009", ""},
		{"isni", "ISNI 0000 0001 2150 090X", "000000012150090X"},
		{"isni", "https://isni.org/isni/000000012150090X", "000000012150090X"},
		{"isni", "0000000121500901", ""},
		{"isni", "00000001215009XX", ""},
		{"oclc", "(OCoLC)ocm00012345", "12345"}, {"oclc", "on1234567890", "1234567890"}, {"oclc", "12x", ""}, {"oclc", "0", ""},
		{"lccn", "n 78-890351 ", "n78890351"}, {"lccn", "85-2 ", "85000002"}, {"lccn", "2001-000002", "2001000002"},
		{"lccn", "75-425165//r75", "75425165"}, {"lccn", " 79139101 /AC/r932", "79139101"}, {"lccn", "abc", ""}, {"lccn", "1-2345678", ""},
		{"pmid", "PMID: 012", "12"}, {"pmid", "x", ""}, {"arxiv", "arXiv:1001.0025v2", "1001.0025v2"}, {"arxiv", "arXiv:", "arXiv:"},
		{"isbn", "0-306-40615-2", "9780306406157"},
	} {
		got, ok := NormalID(c.scheme, c.in)
		if ok != (c.want != "") || ok && got.Value != c.want {
			t.Errorf("%s %q: %q %v, not %q", c.scheme, c.in, got.Value, ok, c.want)
		}
	}
}

// TestSamePart: an ISBN tells a book, and not its parts.
func TestSamePart(t *testing.T) {
	isbn, doi, other := ID{"isbn", "9780306406157"}, ID{"doi", "10.1000/x"}, ID{"doi", "10.1000/y"}
	r := func(kind Kind, ids ...ID) Record { return Record{Title: "Introduction", Kind: kind, IDs: ids} }
	for i, c := range []struct {
		a, b Record
		want bool
	}{
		{r(Book, isbn), r(Book, isbn), true},
		{r(Chapter, isbn), r(Chapter, isbn), false},
		{r(Article, isbn), r("", isbn), false},
		{r("", isbn), r(Chapter, isbn), false},
		{r(Chapter, isbn, doi), r(Chapter, isbn, other), false},
		{r(Chapter, isbn, doi), r(Chapter, doi, isbn), true},
		{r(Chapter, doi), r(Chapter, doi, isbn), true},
	} {
		if got := SameEdition(c.a, c.b); got != c.want {
			t.Error(i, got)
		}
	}
}

func TestSameEdition(t *testing.T) {
	r := func(title string, rest ...string) Record {
		r := Record{Title: title}
		for i, s := range rest {
			switch i {
			case 0:
				r.Languages = []string{s}
			case 1:
				r.Kind = Kind(s)
			case 2:
				r.Container = &Container{Volume: s}
			default:
				r.AltTitles = append(r.AltTitles, s)
			}
		}
		return r
	}
	for i, c := range []struct {
		a, b Record
		want bool
	}{
		{r("The Time Machine"), r("the time-machine"), true},
		{r("The Time Machine"), r("The Time Machine : an invention"), true},
		{r("The Time Machine"), r("The Time Machines"), false},
		{r("The Time Machine: a"), r("The Time Machine: b"), false},
		{r("One: two: three"), r("One: two"), true},
		{r("吶喊（增訂本）"), r("吶喊"), true},
		{r("A", "en", "book", "", "Other name"), r("other Name", "en-GB"), true},
		{r("A", "en"), r("A", "zh-Hant"), false},
		{r("A", "en"), r("A", "und"), true},
		{r("A", "en", "book"), r("A", "en", "article"), false},
		{r("A", "en", "book"), r("A", "en", "other"), true},
		{r("A", "en", "book", "1"), r("A", "en", "book", "2"), false},
		{r("A", "en", "book", "1"), r("A", "en", "book", ""), true},
		{r("!!!"), r("???"), false},
		{r("!!!"), r("!!!"), true},
	} {
		if SameEdition(c.a, c.b) != c.want || SameEdition(c.b, c.a) != c.want {
			t.Errorf("%d: %q and %q", i, c.a.Title, c.b.Title)
		}
	}
}

// TestFoldIDs checks that identifiers of all sources add up, and that the
// librarian's word ends that.
func TestFoldIDs(t *testing.T) {
	var entries []Indexed
	add := func(e Entry) { entries = append(entries, Indexed{int64(4 + len(entries)), mustEncode(t, e)}) }
	rev := func(source, patch string) Entry {
		e := Entry{Type: TypeRevision, Of: ptr(int64(4)), Patch: []byte(patch)}
		if source != "" {
			e.Source = &Source{Name: source, Extra: []byte(`{"500":["x"]}`)}
		}
		return e
	}
	want := func(ids string, langs ...string) {
		t.Helper()
		st, err := Fold(4, entries, nil)
		if err != nil || fmt.Sprint(st.Record.IDs) != ids || fmt.Sprint(st.Record.Languages) != fmt.Sprint(langs) {
			t.Errorf("%v %+v, not %s", err, st.Record, ids)
		}
	}
	add(Entry{Type: TypeAccession, Record: &Record{Title: "T", IDs: []ID{{"isbn", "1"}, {"doi", "2"}}}, Source: &Source{Name: "a"}})
	add(rev("b", `{"title":"B","languages":["en"],"ids":[{"scheme":"oclc","value":"3"},{"scheme":"isbn","value":"1"}]}`))
	want("[{isbn 1} {doi 2} {oclc 3}]", "en")
	add(rev("c", `{"ids":[{"scheme":"url","value":"4"}],"languages":["fr"]}`))
	want("[{isbn 1} {doi 2} {oclc 3} {url 4}]", "en")
	add(rev("b", `{"ids":null}`))
	want("[{isbn 1} {doi 2} {url 4}]", "en")
	add(rev("", `{"ids":[{"scheme":"isbn","value":"9"}]}`))
	want("[{isbn 9}]", "en")
	add(rev("", `{"ids":null}`))
	want("[]", "en")
	if st, _ := Fold(4, entries, nil); string(st.Sources[1].Extra) != `{"500":["x"]}` || st.Sources[0].Extra != nil {
		t.Errorf("%+v", st.Sources)
	}
	if _, err := Encode(Entry{Type: TypeRevision, Time: at, Of: ptr(int64(4)), Patch: []byte("{}"), Source: &Source{Extra: []byte("[]")}}); err == nil {
		t.Error("encoded an extra that is no object")
	}
}
