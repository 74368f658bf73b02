package record

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// told is the entries of a record 1, as the register has them.
type told struct {
	t       *testing.T
	entries []Indexed
}

func (o *told) say(e Entry) int64 {
	o.t.Helper()
	e.Time = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	raw, err := Encode(e)
	if err != nil {
		o.t.Fatal(err)
	}
	i := int64(len(o.entries) + 1)
	o.entries = append(o.entries, Indexed{i, raw})
	return i
}

func (o *told) changes(most int) []Change {
	o.t.Helper()
	got, err := Changes(1, o.entries, nil, most)
	if err != nil {
		o.t.Fatal(err)
	}
	return got
}

func TestChanges(t *testing.T) {
	o := &told{t: t}
	one, two := int64(1), int64(2)
	sum := strings.Repeat("ab", 32)
	o.say(Entry{Type: TypeAccession, Source: &Source{Name: "marc", ID: "7"}, Record: &Record{Title: "Emma", Publisher: "Murray",
		Creators: []Creator{{Name: "Jane Austen", Role: "aut"}}, IDs: []ID{{"isbn", "9780141439587"}}}})
	o.say(Entry{Type: TypeRevision, Of: &one, Patch: []byte(`{"title":"Emma: A Novel","publisher":null,"creators":[{"name":"Jane Austen","role":"aut"},{"name":"Hugh Thomson","role":"ill"}]}`), Source: &Source{Name: "marc", ID: "7"}})
	o.say(Entry{Type: TypeRevision, Of: &one, Patch: []byte(`{"title":"EMMA","place":"London","ids":[{"scheme":"oclc","value":"12"}]}`), Source: &Source{Name: "union", ID: "x"}})
	o.say(Entry{Type: TypeRevision, Of: &one, Patch: []byte(`{"title":"Emma."}`), Source: &Source{Name: "union", ID: "x"}})
	o.say(Entry{Type: TypeRevision, Of: &one, Patch: []byte(`{"container":{"title":"Novels","volume":"3"},"languages":["en"]}`)})
	o.say(Entry{Type: TypeFiles, Of: &one, Add: []File{{SHA256: sum, Bytes: 3, MediaType: "text/plain", Name: "emma.txt", Role: RoleText}}})
	o.say(Entry{Type: TypeRights, Of: &one, Rights: &Rights{Basis: PublicDomain, Access: Open}})
	o.say(Entry{Type: TypeRights, Of: &one, Rights: &Rights{Access: None}})
	o.say(Entry{Type: TypeWithdrawal, Of: &one, Ground: "a court", Critical: true})
	o.say(Entry{Type: TypeRestoration, Of: &one, Critical: true})
	merge := o.say(Entry{Type: TypeMerge, From: &one, Into: &two})
	o.say(Entry{Type: TypeUnmerge, Of: &merge})
	want := []Change{
		{2, "marc", []FieldChange{{"title", []string{"Emma"}, []string{"Emma: A Novel"}}, {"creators", nil, []string{"Hugh Thomson (ill)"}}, {"publisher", []string{"Murray"}, nil}}},
		{3, "union", []FieldChange{{"place", nil, []string{"London"}}, {"ids", nil, []string{"oclc 12"}}}},
		{4, "union", []FieldChange{}}, // the title of the first source counts
		{5, Librarian, []FieldChange{{"languages", nil, []string{"en"}}, {"container/title", nil, []string{"Novels"}}, {"container/volume", nil, []string{"3"}}}},
		{6, "", []FieldChange{{"files", nil, []string{"emma.txt (text) sha256:" + sum}}}},
		{7, "", []FieldChange{{"rights/basis", nil, []string{"public-domain"}}, {"rights/access", nil, []string{"open"}}}},
		{8, "", []FieldChange{{"rights/access", []string{"open"}, []string{"none"}}, {"rights/basis", []string{"public-domain"}, nil}}},
		{9, "", []FieldChange{{"withdrawn", nil, []string{"a court"}}}},
		{10, "", []FieldChange{{"withdrawn", []string{"a court"}, nil}}},
		{11, "", []FieldChange{{"merged_into", nil, []string{"2"}}}},
		{12, "", []FieldChange{{"merged_into", []string{"2"}, nil}}},
	}
	if got := o.changes(100); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	for most := range len(want) + 2 { // a window of the last ones says the same of them
		from := max(0, len(o.entries)-most) - 1
		if got := o.changes(most); fmt.Sprint(got) != fmt.Sprint(want[max(0, from):]) {
			t.Errorf("the last %d: %v", most, got)
		}
	}
	o.entries[3].Raw = nil // erased
	o.entries[4].Raw = nil
	if got := o.changes(8); got[0].Entry != 6 || len(got[0].Fields) != 1 {
		t.Errorf("after erased entries: %v", got[0])
	}
}

func TestChangesAreBounded(t *testing.T) {
	o := &told{t: t}
	one := int64(1)
	o.say(Entry{Type: TypeAccession, Record: &Record{Title: "T", AltTitles: []string{"b", "a"}}})
	o.say(Entry{Type: TypeRevision, Of: &one, Patch: []byte(`{"abstract":"` + strings.Repeat("ß", 20_000) + `","alt_titles":["a","b"]}`)})
	var list strings.Builder
	for i := range 300 {
		fmt.Fprintf(&list, `,"s%d"`, i)
	}
	o.say(Entry{Type: TypeRevision, Of: &one, Patch: []byte(`{"languages":[` + list.String()[1:] + `]}`)})
	got := o.changes(10)
	if f := got[0].Fields; len(f) != 2 || f[0].Field != "alt_titles" || fmt.Sprint(f[0].Before, f[0].After) != "[b a] [a b]" || len(f[1].After[0]) != maxChangeText+len("…") {
		t.Errorf("%v", got[0])
	}
	if f := got[1].Fields; len(f) != 1 || len(f[0].After) != maxChangeValues+1 || f[0].After[maxChangeValues] != "…" {
		t.Errorf("%v", got[1])
	}
}

func TestWorkKeys(t *testing.T) {
	key := func(title, author string, more ...string) string {
		r := Record{Title: title, Kind: Book, Creators: []Creator{{Name: "A Translator", Role: "trl"}, {Name: author, Role: "aut", AltNames: more}}}
		keys := WorkKeys(r)
		if len(keys) != 1 {
			t.Errorf("keys of %q: %v", title, keys)
			return ""
		}
		return keys[0]
	}
	same := [][2]string{
		{key("红楼梦", "曹雪芹"), key("紅樓夢", "曹雪芹")},
		{key("Pride and Prejudice", "Jane Austen"), key("Pride and prejudice / by Jane Austen", "Austen, Jane, 1775-1817.")},
		{key("The Adventures of Sherlock Holmes", "Arthur Conan Doyle"), key("Adventures of Sherlock Holmes (Illustrated)", "Doyle, Arthur Conan")},
		{key("Sybil, Or the Two Nations", "Benjamin Disraeli"), key("Sybil", "Disraeli, Benjamin")},
		{key("紅樓夢", "Cao, Xueqin", "Xueqin Cao", "曹雪芹"), key("红楼梦：校注本", "曹雪芹")},
		{key("Les Misérables", "Victor Hugo"), key("Les misérables : roman", "Hugo, Victor")},
	}
	for i, s := range same {
		if s[0] != s[1] || s[0] == "" {
			t.Errorf("%d: %q and %q", i, s[0], s[1])
		}
	}
	differ := [][2]string{
		{key("She: A History of Adventure", "H. Rider Haggard"), key("She", "H. Rider Haggard")}, // too short to say anything
		{key("Works", "A B"), key("Works", "C D")},
		{key("The A", "A B"), key("A", "A B")},
	}
	for i, s := range differ {
		if s[0] == s[1] {
			t.Errorf("%d: %q twice", i, s[0])
		}
	}
	none := []Record{
		{Title: "Beowulf", Kind: Book},
		{Title: "On Growth", Kind: Article, Creators: []Creator{{Name: "A"}}},
		{Title: "!!", Kind: Book, Creators: []Creator{{Name: "A"}}},
		{Title: "Title", Kind: Book, Creators: []Creator{{Name: "1900"}}},
	}
	for _, r := range none {
		if got := WorkKeys(r); len(got) != 0 {
			t.Errorf("keys of %q: %v", r.Title, got)
		}
	}
	many := Record{Title: "Own", Kind: Book, Creators: []Creator{{Name: "A"}}, AltTitles: []string{"Five", "Six", "Seven", "Eight"},
		Relations: []Relation{{Type: PartOf, Title: "Series"}, {Type: TranslationOf, Title: "Original"}, {Type: EditionOf, Title: "Other"}}}
	if got := fmt.Sprint(WorkKeys(many)); got != "[original|a other|a own|a five|a]" {
		t.Errorf("keys: %s", got)
	}
}

func FuzzWorkKeys(f *testing.F) {
	f.Add("The A: (", "Austen, Jane, 1775-1817", "紅樓夢")
	f.Add(", or ", "·", "\xff：—")
	f.Fuzz(func(t *testing.T, title, author, alt string) {
		r := Record{Title: title, AltTitles: []string{alt}, Creators: []Creator{{Name: author, AltNames: []string{alt}}}}
		for _, k := range WorkKeys(r) {
			if t1, a, ok := strings.Cut(k, "|"); !ok || t1 == "" || a == "" {
				t.Errorf("key %q", k)
			}
		}
	})
}

// TestLayers: the layers of a record fold to what the record is, nulls among them.
func TestLayers(t *testing.T) {
	rev := func(source, patch string) Entry {
		return Entry{Type: TypeRevision, Of: ptr(int64(4)), Patch: []byte(patch), Source: &Source{Name: source, ID: source + "1"}}
	}
	var entries []Indexed
	for i, e := range []Entry{
		{Type: TypeAccession, Record: &Record{Title: "T", IDs: []ID{{"isbn", "1"}}}, Source: &Source{Name: "a"}},
		rev("b", `{"title":"B","place":"P","container":{"volume":"1"},"ids":[{"scheme":"oclc","value":"3"}]}`),
		rev("c", `{"place":"C","container":{"volume":"2","issue":"3"},"abstract":"A"}`),
		rev("b", `{"place":null}`),
		rev(Librarian, `{"abstract":null,"container":{"issue":null}}`),
	} {
		entries = append(entries, Indexed{int64(4 + i), mustEncode(t, e)})
	}
	st, err := Fold(4, entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := Layers(4, entries, nil)
	if err != nil || len(layers) != 4 || string(layers[1].Patch) != `{"container":{"volume":"1"},"ids":[{"scheme":"oclc","value":"3"}],"place":null,"title":"B"}` ||
		string(layers[3].Patch) != `{"abstract":null,"container":{"issue":null}}` || layers[3].Source.ID != "librarian1" {
		t.Fatalf("%+v %v", layers, err)
	}
	folded, err := FoldLayers(layers)
	if patch, derr := Diff(st.Record, folded); err != nil || derr != nil || string(patch) != "{}" || folded.Place != "" || folded.Container.Volume != "1" || folded.Container.Issue != "" {
		t.Errorf("%s %v\n%+v\n%+v", patch, err, folded, st.Record)
	}
	patch, err := DiffLayers(layers[1].Patch, []byte(`{"title":"B","place":"Q"}`))
	if err != nil || string(patch) != `{"container":null,"ids":null,"place":"Q"}` {
		t.Errorf("%s %v", patch, err)
	}
	for _, bad := range []string{``, `[]`, `{"title":1}`, `{`} {
		if _, err := FoldLayers([]Layer{{Source{Name: "a"}, []byte(bad)}}); err == nil {
			t.Errorf("%q was folded", bad)
		}
	}
	entries[0].Raw = nil
	if layers, err := Layers(4, entries, nil); err != nil || layers != nil {
		t.Errorf("%v %v", layers, err)
	}
}
