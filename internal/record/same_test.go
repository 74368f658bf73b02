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

// TestSameEditionDates: years far apart and other DOIs contradict.
func TestSameEditionDates(t *testing.T) {
	isbn := ID{"isbn", "9780306406157"}
	r := func(kind Kind, issued string, dois ...string) Record {
		r := Record{Title: "T", Kind: kind, Issued: issued, IDs: []ID{isbn}}
		for _, d := range dois {
			r.IDs = append(r.IDs, ID{"doi", d})
		}
		return r
	}
	for i, c := range []struct {
		a, b Record
		want bool
	}{
		{r(Book, "1998"), r(Book, "1999"), true},
		{r(Book, "1998"), r(Book, "2003"), true},
		{r(Book, "1998"), r(Book, "2004"), false},
		{r(Book, "1998"), r(Book, ""), true},
		{r(Book, "1998"), r(Book, "c2020"), true}, // no EDTF: it says nothing
		{r(Book, "1998~"), r(Book, "2008-05-03"), false},
		{r(Book, "199X"), r(Book, "2004"), true},
		{r(Book, "199X?"), r(Book, "2005"), false},
		{r(Book, "1998/"), r(Book, "2020"), true},
		{r(Book, "1998/.."), r(Book, "2020"), true},
		{r(Book, "../1998"), r(Book, "1920"), true},
		{r(Book, "../1998"), r(Book, "2020"), false},
		{r(Book, "[1998,2005..2010]"), r(Book, "2012"), true},
		{r(Book, "1998/2001"), r(Book, "2010"), false},
		{r(Book, "-0300"), r(Book, "0300"), false},
		{r(Book, "-03XX"), r(Book, "-0310"), true},
		{r(Book, "1998", "10.1000/x"), r(Book, "1998", "10.1000/y"), false},
		{r(Book, "1998", "10.1000/x", "10.1000/z"), r(Book, "1998", "10.1000/y", "https://doi.org/10.1000/X"), true},
		{r(Book, "1998", "10.1000/x"), r(Book, "1998", "no doi"), true},
		{r(Article, "2018", "10.1000/x"), r(Article, "2020-01", "10.1000/x"), true},
		{r(Article, "2018", "10.1000/x"), r(Article, "2021", "10.1000/x"), false},
	} {
		if SameEdition(c.a, c.b) != c.want || SameEdition(c.b, c.a) != c.want {
			t.Errorf("%d: %q %q", i, c.a.Issued, c.b.Issued)
		}
	}
}

// TestSameEditionVolumes: the ISBN of a set does not make its volumes one.
func TestSameEditionVolumes(t *testing.T) {
	isbn, oclc := ID{"isbn", "9780306406157"}, ID{"oclc", "1"}
	for i, c := range []struct {
		a, b string
		id   ID
		want bool
	}{
		{"Works, vol. 1", "Works, vol. 2", isbn, false},
		{"Works: vol. 1", "Works", isbn, false},
		{"Works: vol. 1", "Works", oclc, true},
		{"Works: vol. 1", "Works, Vol. 1", isbn, true},
		{"全集 第一卷", "全集 第二卷", isbn, false},
		{"全集（第一卷）", "全集", isbn, false},
		{"全集（第一卷）", "全集 第一卷", isbn, true},
		{"小说集 上册", "小说集 下册", isbn, false},
		{"小说集（上）", "小说集", isbn, false},
		{"小说集", "小说集", isbn, true},
	} {
		a, b := Record{Title: c.a, IDs: []ID{c.id}}, Record{Title: c.b, IDs: []ID{c.id}}
		if SameEdition(a, b) != c.want || SameEdition(b, a) != c.want {
			t.Errorf("%d: %q and %q", i, c.a, c.b)
		}
		// The titles of the other volume, and of the set, may be alternative ones.
		a.AltTitles, b.AltTitles = []string{c.b, "Set"}, []string{c.a, "Set"}
		if SameEdition(a, b) != c.want || SameEdition(b, a) != c.want {
			t.Errorf("%d: %q and %q, by alternative titles", i, c.a, c.b)
		}
	}
	a, b := Record{Title: "Works: vol. 1", IDs: []ID{isbn}}, Record{Title: "Works", IDs: []ID{isbn}, Container: &Container{Volume: "1"}}
	if !SameEdition(a, b) || !SameEdition(b, a) {
		t.Error("the container says the volume")
	}
	b.Container.Volume = "2"
	if SameEdition(a, b) || SameEdition(b, a) {
		t.Error("the container says another volume")
	}
}

func TestVolumesOf(t *testing.T) {
	for title, want := range map[string]string{
		"Works, vol. 12": "[12]", "Works, Volume Two": "[2]", "Werke. Band XIV": "[14]", "Werke. Bd.3": "[3]", "Œuvres, tome IX": "[9]", "Works v. 2": "[2]",
		"Works. Part 2, vol. 1": "[2 1]", "Сочинения, т. 3": "[3]", "全集第二十三卷": "[23]", "全集 第３冊": "[3]", "全集 卷一百零二": "[102]", "集刊 第二〇輯": "[20]",
		"紅樓夢 中冊": "[2]", "红楼梦（下）": "[-1]", "红楼梦 下": "[-1]", "Ⅱ": "[]", "Revolution 9": "[]", "A counterpart 3": "[]", "天上人间": "[]", "上海": "[]", "Volumes": "[]", "": "[]",
	} {
		if got := fmt.Sprint(volumesOf(title)); got != want {
			t.Errorf("%q: %s, not %s", title, got, want)
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
