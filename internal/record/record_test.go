package record

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"wenlan/internal/errs"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func mustEncode(t *testing.T, e Entry) []byte {
	t.Helper()
	if e.Time.IsZero() {
		e.Time = at
	}
	raw, err := Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestEncodeDecode(t *testing.T) {
	e := Entry{Type: TypeAccession, Time: at.Add(300 * time.Millisecond), Record: &Record{Title: "紅樓夢 <b>&", Kind: Book},
		Files: []File{{SHA256: strings.Repeat("a", 64), Bytes: 1, Name: "a.epub", Role: RoleText, MediaType: "application/epub+zip"}}}
	raw := mustEncode(t, e)
	if !bytes.Contains(raw, []byte(`"time":"2026-03-01T12:00:00Z"`)) || !bytes.Contains(raw, []byte("紅樓夢 <b>&")) {
		t.Fatalf("encoded as %s", raw)
	}
	got, known, err := Decode(raw)
	if err != nil || !known || got.Record.Title != e.Record.Title || len(got.Salt) != 24 || got.Critical {
		t.Fatalf("decoded %+v, %v, %v", got, known, err)
	}
	again, err := Encode(got)
	if err != nil || !bytes.Equal(again, raw) {
		t.Fatalf("encodes again as %s, %v", again, err)
	}
	w, _, err := Decode(mustEncode(t, Entry{Type: TypeWithdrawal, Of: ptr(int64(3)), Ground: "court order"}))
	if err != nil || !w.Critical {
		t.Fatalf("a withdrawal is critical: %+v, %v", w, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	head := `"time":"2026-03-01T12:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA=="`
	for name, raw := range map[string]string{
		"nothing":            ``,
		"array":              `[]`,
		"duplicate name":     `{"type":"merge","type":"merge",` + head + `,"from":1,"into":2}`,
		"case variant":       `{"type":"merge","Type":"merge",` + head + `,"from":1,"into":2}`,
		"nested case":        `{"type":"accession",` + head + `,"record":{"title":"a","Title":"b"}}`,
		"invalid UTF-8":      `{"type":"accession",` + head + `,"record":{"title":"` + "\xff" + `"}}`,
		"lone surrogate":     `{"type":"accession",` + head + `,"record":{"title":"\ud800"}}`,
		"large number":       `{"type":"merge",` + head + `,"from":1,"into":9007199254740993}`,
		"large unknown":      `{"type":"merge",` + head + `,"from":1,"into":2,"x":1e300}`,
		"trailing":           `{"type":"merge",` + head + `,"from":1,"into":2} {}`,
		"fraction of second": `{"type":"merge","time":"2026-03-01T12:00:00.5Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","from":1,"into":2}`,
		"zone":               `{"type":"merge","time":"2026-03-01T12:00:00+08:00","salt":"AAAAAAAAAAAAAAAAAAAAAA==","from":1,"into":2}`,
		"short salt":         `{"type":"merge","time":"2026-03-01T12:00:00Z","salt":"AAAA","from":1,"into":2}`,
		"critical false":     `{"type":"merge","critical":false,` + head + `,"from":1,"into":2}`,
		"no type":            `{` + head + `}`,
		"deep":               `{"type":"x",` + head + `,"y":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
		"no title":           `{"type":"accession",` + head + `,"record":{}}`,
		"bad access":         `{"type":"rights",` + head + `,"of":1,"rights":{"basis":"public-domain","access":"maybe"}}`,
		"open without basis": `{"type":"rights",` + head + `,"of":1,"rights":{"access":"open"}}`,
		"file in a folder":   `{"type":"files",` + head + `,"of":1,"add":[{"sha256":"` + strings.Repeat("a", 64) + `","bytes":1,"name":"../x","role":"text","media_type":"a/b"}]}`,
	} {
		if _, _, err := Decode([]byte(raw)); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
	e, known, err := Decode([]byte(`{"type":"lock","critical":true,` + head + `,"of":7,"other":[1,{}]}`))
	if err != nil || known || !e.Critical || e.Of == nil || *e.Of != 7 {
		t.Errorf("an unknown critical entry: %+v, %v, %v", e, known, err)
	}
}

func TestEncodeLong(t *testing.T) {
	r := Record{Title: "The many"}
	for range 3000 {
		r.Creators = append(r.Creators, Creator{Name: "Somebody With A Long Name"})
	}
	entry, body, ref, err := EncodeLong(Entry{Type: TypeAccession, Time: at, Record: &r})
	if err != nil || body == nil || len(entry) > MaxEntry {
		t.Fatalf("%d bytes, %v", len(entry), err)
	}
	e, _, err := Decode(entry)
	if err != nil || e.Record != nil || *e.Body != *ref {
		t.Fatalf("%+v, %v", e, err)
	}
	full, err := e.WithBody(body)
	if err != nil || len(full.Record.Creators) != 3000 {
		t.Fatalf("%v", err)
	}
	body[10] ^= 1
	if _, err := e.WithBody(body); !errs.Is(err, errs.Corrupt) {
		t.Fatalf("a changed body: %v", err)
	}
	st, err := Fold(5, []Indexed{{5, entry}}, func(Body) ([]byte, error) { body[10] ^= 1; return body, nil })
	if err != nil || st.Record.Title != "The many" {
		t.Fatalf("%v", err)
	}
}

func TestFold(t *testing.T) {
	file := File{SHA256: strings.Repeat("b", 64), Bytes: 3, Name: "b.pdf", Role: RoleText, MediaType: "application/pdf"}
	rev := func(src *Source, patch string) Entry {
		return Entry{Type: TypeRevision, Of: ptr(int64(4)), Patch: []byte(patch), Source: src}
	}
	var entries []Indexed
	add := func(e Entry) { entries = append(entries, Indexed{int64(4 + len(entries)), mustEncode(t, e)}) }
	add(Entry{Type: TypeAccession, Record: &Record{Title: "Old", Publisher: "P", Kind: Book}, Source: &Source{Name: "a"}})
	add(rev(&Source{Name: "b"}, `{"title":"From b","place":"Hangzhou","abstract":"b's"}`))
	add(rev(nil, `{"title":"By hand","abstract":null}`))
	add(rev(&Source{Name: "a", Digest: "x"}, `{"title":"New from a","publisher":null,"issued":"1900"}`))
	add(Entry{Type: TypeFiles, Of: ptr(int64(4)), Add: []File{file}})
	add(Entry{Type: TypeRights, Of: ptr(int64(4)), Rights: &Rights{Basis: PublicDomain, Access: Open}})
	st, err := Fold(4, entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := st.Record
	if r.Title != "By hand" || r.Publisher != "" || r.Place != "Hangzhou" || r.Abstract != "" || r.Issued != "1900" {
		t.Errorf("folded to %+v", r)
	}
	if len(st.Files) != 1 || st.Rights.Access != Open || len(st.History) != 6 || len(st.Sources) != 3 {
		t.Errorf("folded to %+v", st)
	}
	add(Entry{Type: TypeMerge, From: ptr(int64(4)), Into: ptr(int64(2))})
	if st, err = Fold(4, entries, nil); err != nil || st.MergedInto == nil || *st.MergedInto != 2 {
		t.Errorf("merged: %+v, %v", st, err)
	}
	add(Entry{Type: TypeUnmerge, Of: ptr(int64(10))})
	if st, err = Fold(4, entries, nil); err != nil || st.MergedInto != nil || st.History[len(st.History)-1].Note != "4 → 2" {
		t.Errorf("unmerged: %+v, %v", st, err)
	}
	add(Entry{Type: TypeErasure, Entries: []int64{4}, Ground: "privacy"})
	if st, err = Fold(4, entries, nil); err != nil || st.Erased == nil || st.Record.Title != "" {
		t.Errorf("erased: %+v, %v", st, err)
	}
	entries[0].Raw = nil
	if st, err = Fold(4, entries, nil); err != nil || st.Erased == nil || st.Erased.Ground != "privacy" {
		t.Errorf("erased and purged: %+v, %v", st, err)
	}
	if _, err := Fold(9, entries, nil); !errs.Is(err, errs.NotFound) {
		t.Errorf("no accession: %v", err)
	}
}

func TestRestoration(t *testing.T) {
	one := FoldWithdrawal(nil, 1, Entry{Type: TypeWithdrawal, Territories: []string{"DE", "FR"}, Ground: "g"})
	if got := FoldWithdrawal(one, 2, Entry{Type: TypeRestoration, Territories: []string{"DE"}}); len(got) != 1 || got[0].Territories[0] != "FR" {
		t.Errorf("%+v", got)
	}
	if len(one[0].Territories) != 2 {
		t.Error("the argument changed")
	}
	if got := FoldWithdrawal(one, 2, Entry{Type: TypeRestoration}); got != nil {
		t.Errorf("%+v", got)
	}
	all := FoldWithdrawal(nil, 1, Entry{Type: TypeWithdrawal, Ground: "g"})
	if got := FoldWithdrawal(all, 2, Entry{Type: TypeRestoration, Territories: []string{"DE"}}); len(got) != 1 {
		t.Errorf("a worldwide withdrawal is not lifted by a place: %+v", got)
	}
}

func TestPatchAndDiff(t *testing.T) {
	a := Record{Title: "A", Publisher: "P", IDs: []ID{{"isbn", "1"}}, Container: &Container{Title: "J", Volume: "1"}}
	b := Record{Title: "A", Place: "X", IDs: []ID{{"isbn", "2"}}, Container: &Container{Title: "J", Volume: "2"}}
	patch, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := PatchRecord(a, patch)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := Diff(got, b); string(left) != "{}" {
		t.Errorf("%s left after %s", left, patch)
	}
	for _, bad := range []string{`{"title":null}`, `{"titel":"x"}`, `{"title":1}`, `{"title":"a","TITLE":"b"}`, `x`} {
		if _, err := PatchRecord(a, []byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

// TestDecide goes through every combination of access, basis, withdrawal, place,
// standing and date, against rules stated independently of the code's order.
func TestDecide(t *testing.T) {
	accesses := []Access{"", Open, Subsidised, Lend, Sale, None}
	bases := []string{"", PublicDomain, Licence, Permission}
	places := []string{"", "CN", "DE"}
	lists := [][]string{nil, {"CN"}, {"DE", "FR"}}
	opens := []string{"", "2026-03-01", "2026-03-02"}
	has := func(list []string, place string) bool {
		if len(list) == 0 || place == "" {
			return true
		}
		for _, t := range list {
			if t == place {
				return true
			}
		}
		return false
	}
	n := 0
	for _, access := range accesses {
		for _, basis := range bases {
			for _, rightsFor := range lists {
				for _, assertedFor := range lists {
					for wd := range 7 { // none; record: everywhere, CN, DE+FR; blob likewise
						for _, place := range places {
							for _, standing := range []Standing{Visitor, Registered, Member, StandingLibrarian} {
								for _, open := range opens {
									for flags := range 4 {
										erased, closed := flags&1 != 0, flags&2 != 0
										st := &State{Rights: &Rights{Basis: basis, Access: access, Opens: open, Territories: rightsFor,
											Evidence: &Evidence{By: "x", Territories: assertedFor}}, Closed: closed}
										if erased {
											st.Erased = &Erasure{}
										}
										q := Question{State: st, Standing: standing, Place: place, At: at}
										shut := false
										if wd > 0 {
											list := lists[(wd-1)%3]
											w := []Withdrawal{{Territories: list, Ground: "g"}}
											if wd > 3 {
												w[0].Blob = "b"
												q.BlobWithdrawals = w
											} else {
												st.Withdrawals = w
											}
											shut = has(list, place)
										}
										d := Decide(q)
										opened := open == "2026-03-01"
										stated := basis != "" && access != "" && (access != None || opened)
										covered := has(rightsFor, place) && has(assertedFor, place)
										free := !erased && !closed && !shut && stated && covered
										wantRead := free && (opened || access == Open || access == Subsidised)
										wantLend := free && !wantRead && access == Lend && standing != Visitor
										wantBuy := free && !wantRead && access == Sale
										if d.Read != wantRead || d.Download != wantRead || d.Lend != wantLend || d.Buy != wantBuy {
											t.Fatalf("%+v with rights %+v: %+v", q, st.Rights, d)
										}
										wantErr := errs.Forbidden
										switch {
										case erased:
											wantErr = errs.Gone
										case shut:
											wantErr = errs.Withdrawn
										}
										if err := d.Err(); (err == nil) != d.Read || (err != nil && errs.KindOf(err) != wantErr) {
											t.Fatalf("%+v with rights %+v: %v", q, st.Rights, err)
										}
										n++
									}
								}
							}
						}
					}
				}
			}
		}
	}
	if n != 6*4*3*3*7*3*4*3*4 {
		t.Errorf("%d combinations", n)
	}
	if d := Decide(Question{At: at}); d.Err() == nil || errs.KindOf(d.Err()) != errs.NotFound {
		t.Errorf("unknown: %+v", d)
	}
	if d := Decide(Question{State: &State{}, At: at}); d.Reason != ReasonNotStated {
		t.Errorf("no rights at all: %+v", d)
	}
}

func TestDecideBlob(t *testing.T) {
	open := &State{Rights: &Rights{Basis: PublicDomain, Access: Open}}
	none := &State{}
	gone := &State{Erased: &Erasure{}}
	shut := &State{Rights: open.Rights, Withdrawals: []Withdrawal{{Ground: "g"}}}
	blob := []Withdrawal{{Blob: "b", Ground: "g"}}
	for name, c := range map[string]struct {
		q    []Question
		want Reason
	}{
		"nobody names it":    {nil, ReasonUnknown},
		"the most open wins": {[]Question{{State: none}, {State: open}, {State: shut}}, ReasonOpen},
		"withdrawal shown":   {[]Question{{State: none}, {State: shut}}, ReasonWithdrawn},
		"erased and unknown": {[]Question{{State: gone}}, ReasonErased},
		"blob withdrawal overrides": {[]Question{{State: open, BlobWithdrawals: blob}, {State: open, BlobWithdrawals: blob}},
			ReasonWithdrawn},
	} {
		if d := DecideBlob(c.q); d.Reason != c.want {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for _, c := range []struct {
		scheme, in, want string
		ok               bool
	}{
		{"isbn", "0-306-40615-2", "9780306406157", true},
		{"isbn", "urn:isbn:978-0-306-40615-7", "9780306406157", true},
		{"ISBN", "080442957X", "9780804429573", true},
		{"isbn", "9780306406158", "9780306406158", false},
		{"isbn", "030640615X", "030640615X", false},
		{"doi", "https://doi.org/10.21105/JCON.00012", "10.21105/jcon.00012", true},
		{"doi", "doi: 10.1000/182", "10.1000/182", true},
		{"doi", "hello", "hello", false},
		{"issn", "03785955", "0378-5955", true},
		{"issn", "0378-5954", "0378-5954", false},
		{"uuid", "urn:uuid:C7C5B44E-a1c4-5b57-ab7a-7435ebe08a77", "c7c5b44e-a1c4-5b57-ab7a-7435ebe08a77", true},
	} {
		id, ok := NormalID(c.scheme, c.in)
		if id.Value != c.want || ok != c.ok {
			t.Errorf("%s %q: %q, %v", c.scheme, c.in, id.Value, ok)
		}
	}
	for in, want := range map[string]string{
		"a/b/../c.epub": "c.epub", `..\..\x.pdf`: "x.pdf", "": "file", "..": "file", ".hidden": "hidden",
		"红楼梦.epub": "红楼梦.epub", "a\x00\n\u202eb.txt": "ab.txt", "what?.txt": "what_.txt",
	} {
		if got := CleanFileName(in); got != want {
			t.Errorf("file name %q: %q", in, got)
		}
	}
	if got := CleanFileName(strings.Repeat("夢", 200) + ".epub"); len(got) > 200 || !strings.HasSuffix(got, ".epub") {
		t.Errorf("long file name: %q", got)
	}
	a := TitleKey(Record{Title: "Émile, ou De l’éducation", Creators: []Creator{{Name: "Rousseau, Jean-Jacques"}}, Languages: []string{"fr-FR"}})
	b := TitleKey(Record{Title: "EMILE ou de l'education", Creators: []Creator{{Name: "Jean-Jacques Rousseau"}}, Languages: []string{"fr"}})
	if a != b || a == "" {
		t.Errorf("%q and %q", a, b)
	}
}

func TestParseLicence(t *testing.T) {
	for in, want := range map[string]string{
		"https://creativecommons.org/licenses/by-sa/4.0/":    "licence CC-BY-SA-4.0",
		"http://creativecommons.org/licenses/by/3.0/deed.en": "licence CC-BY-3.0",
		"cc-by-4.0": "licence CC-BY-4.0",
		"https://creativecommons.org/publicdomain/zero/1.0/":              "licence CC0-1.0",
		"https://creativecommons.org/publicdomain/mark/1.0/":              "public-domain ",
		"This book is licensed under https://creativecommons.org/by/4.0/": " ",
		"https://creativecommons.org/licenses/by/9.9/":                    " ",
		"https://evil.example/creativecommons.org/licenses/by/4.0/":       " ",
		"Public domain": " ",
		"":              " ",
	} {
		basis, licence, _ := ParseLicence(in)
		if got := basis + " " + licence; got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"merge","time":"2026-03-01T12:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","from":1,"into":2}`))
	f.Add([]byte(`{"type":"revision","time":"2026-03-01T12:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","of":0,"patch":{"a":null}}`))
	f.Add([]byte(`{"type":"revision","time":"2026-03-01T12:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","of":0,"patch":{}}`))
	f.Add([]byte(`{"type":"accession","time":"2026-03-01T12:00:00Z","salt":"AAAAAAAAAAAAAAAAAAAAAA==","record":{"title":"x"},"rights":{"access":"none"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, known, err := Decode(raw)
		if err != nil || !known || e.Body != nil {
			return
		}
		again, err := Encode(e)
		if errs.Is(err, errs.TooLarge) {
			return
		}
		if err != nil {
			t.Fatalf("decoded %s but does not encode: %v", raw, err)
		}
		back, _, err := Decode(again)
		if err != nil {
			t.Fatalf("%s does not decode: %v", again, err)
		}
		third, err := Encode(back)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%s and %s, %v", again, third, err)
		}
		_, _ = Fold(0, []Indexed{{0, raw}}, nil)
	})
}

func FuzzPatch(f *testing.F) {
	f.Add([]byte(`{"title":"b","container":{"title":null},"creators":[{"name":"x"}]}`))
	f.Fuzz(func(t *testing.T, patch []byte) {
		_, _ = PatchRecord(Record{Title: "a", Container: &Container{Title: "j"}}, patch)
	})
}

func TestSaid(t *testing.T) {
	n := int64(7)
	var list []Indexed
	entry := func(i int64, e Entry) { list = append(list, Indexed{i, mustEncode(t, e)}) }
	entry(7, Entry{Type: TypeAccession, Record: &Record{Title: "One", Publisher: "P", Issued: "1900"}, Source: &Source{Name: "a", ID: "1"}})
	entry(8, Entry{Type: TypeRevision, Of: &n, Patch: []byte(`{"title":"Mine","publisher":null}`), Source: &Source{Name: Librarian}})
	entry(9, Entry{Type: TypeRevision, Of: &n, Patch: []byte(`{"title":"Two","issued":null}`), Source: &Source{Name: "a", ID: "1"}})
	entry(10, Entry{Type: TypeRevision, Of: &n, Patch: []byte(`{"place":"Q","title":null}`), Source: &Source{Name: "b"}})
	for _, c := range []struct {
		source string
		want   Record
		ok     bool
	}{{"a", Record{Title: "Two", Publisher: "P"}, true}, {"b", Record{Place: "Q"}, true}, {Librarian, Record{Title: "Mine"}, true}, {"c", Record{}, false}} {
		got, ok, err := Said(7, list, nil, c.source)
		if err != nil || ok != c.ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v %v", c.source, got, ok, err)
		}
	}
	if st, err := Fold(7, list, nil); err != nil || st.Record.Title != "Mine" || st.Record.Place != "Q" || st.Record.Publisher != "" {
		t.Errorf("%+v %v", st, err)
	}
	if _, _, err := Said(6, list, nil, "a"); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
	list[0].Raw = nil
	if _, ok, err := Said(7, list, nil, "a"); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestFoldASCII(t *testing.T) {
	var all []byte
	for c := range byte(0x80) {
		all = append(all, c)
	}
	// A letter that is not ASCII makes the long way; its fold is the last letter.
	want := strings.TrimSuffix(FoldText(string(all)+"é"), "e")
	if got := FoldText(string(all)); got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// TestLicenceURI: what LicenceURI gives, ParseLicence reads.
func TestLicenceURI(t *testing.T) {
	for _, id := range openLicences {
		uri := LicenceURI(&Rights{Basis: Licence, Licence: id})
		if basis, got, ok := ParseLicence(uri); !ok || basis != Licence || got != id {
			t.Errorf("%s: %s is read as %s %s", id, uri, basis, got)
		}
	}
	if basis, _, ok := ParseLicence(LicenceURI(&Rights{Basis: PublicDomain})); !ok || basis != PublicDomain {
		t.Error("the public domain is not read back")
	}
	for _, r := range []*Rights{nil, {}, {Basis: Permission}, {Basis: Licence, Licence: "https://example.org/terms"}} {
		if uri := LicenceURI(r); uri != "" {
			t.Errorf("%+v has the address %s", r, uri)
		}
	}
}
