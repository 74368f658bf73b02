package mirror

import (
	"strings"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

func TestSelection(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                      "",
		"lang:zh kind:book year:1900..1950":     "lang:zh kind:book year:1900..1950",
		" kind:thesis,book\tlang:EN,zh-hant,en": "lang:en lang:zh-hant kind:book kind:thesis",
		"year:1900 year:..1700 year:1999..":     "year:..1700 year:1900 year:1999..",
		"year:-100..100":                        "year:-100..100",
	} {
		s, err := ParseSelection(in)
		if err != nil || s.String() != want || s.All() != (want == "") {
			t.Errorf("%q: %q, %v", in, s, err)
		}
	}
	for _, bad := range []string{
		"zh", "lang:", "lang:x", "lang:-zh", "kind:film", "year:", "year:..", "year:a..b", "year:1950..1900", "year:+5", "year:99999",
		"size:1", ":", strings.Repeat("lang:zh ", 200),
	} {
		if s, err := ParseSelection(bad); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v, %v", bad, s, err)
		}
	}
	rec := func(kind record.Kind, issued string, langs ...string) *record.State {
		return &record.State{Record: record.Record{Kind: kind, Issued: issued, Languages: langs}}
	}
	s, err := ParseSelection("lang:zh lang:lzh kind:book year:1900..1950")
	if err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		st   *record.State
		want bool
	}{
		{rec(record.Book, "1923", "zh"), true},
		{rec(record.Book, "1923-04", "en", "zh-Hant"), true},
		{rec(record.Book, "1950~", "lzh"), true},
		{rec(record.Book, "1951", "zh"), false},
		{rec(record.Book, "", "zh"), false},
		{rec(record.Book, "19230", "zh"), false},
		{rec(record.Book, "-1923", "zh"), false},
		{rec(record.Article, "1923", "zh"), false},
		{rec("", "1923", "zh"), false},
		{rec(record.Book, "1923"), false},
		{rec(record.Book, "1923", "zhx"), false},
	} {
		if got := s.Match(test.st); got != test.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}

func FuzzParseSelection(f *testing.F) {
	f.Add("lang:zh kind:book year:1900..1950")
	f.Add("year:..5 year:-3 lang:a-b")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelection(text)
		if err != nil {
			return
		}
		s.Match(&record.State{Record: record.Record{Issued: text, Languages: []string{text}}})
		again, err := ParseSelection(s.String())
		if len(s.String()) <= maxSelection && (err != nil || again.String() != s.String()) {
			t.Fatalf("%q is read as %q: %v", s, again, err)
		}
	})
}

func TestDeny(t *testing.T) {
	t.Parallel()
	sha := strings.Repeat("0a", 32)
	d, err := ParseDeny([]byte("# ours\n\n" + sha + "  a court's  order\n17\tnot lawful here\r\n17 twice\n"))
	if err != nil {
		t.Fatal(err)
	}
	if why, ok := d.Blob(sha); !ok || why != "a court's order" {
		t.Error(why, ok)
	}
	if why, ok := d.Record(17); !ok || why != "twice" {
		t.Error(why, ok)
	}
	if _, ok := d.Record(18); ok || len(d.List()) != 2 {
		t.Errorf("%+v", d.List())
	}
	for _, bad := range []string{"17", "x y", "017 y", "-1 y", strings.ToUpper(sha) + " y", "17 " + strings.Repeat("y", 600), strings.Repeat("y", 1<<17)} {
		if _, err := ParseDeny([]byte(bad)); !errs.Is(err, errs.Invalid) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	var none *Deny
	if _, ok := none.Blob(sha); ok || none.List() != nil {
		t.Error("nothing refuses something")
	}
}

func FuzzParseDeny(f *testing.F) {
	f.Add([]byte("# x\n" + strings.Repeat("0a", 32) + " y\n17 z"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ParseDeny(text)
		if err != nil {
			return
		}
		for _, r := range d.List() {
			if _, ok := d.Blob(r.Blob); r.Blob != "" && !ok || r.Reason == "" {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func TestOffered(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	none := func(string) ([]record.Withdrawal, error) { return nil, nil }
	file := record.File{SHA256: someLibrary, Bytes: 5}
	for access, want := range map[record.Access]int{record.Open: 1, record.Subsidised: 1, record.Lend: 0, record.Sale: 0, record.None: 0} {
		st := &record.State{Files: []record.File{file}, Rights: &record.Rights{Basis: record.Permission, Access: access}}
		refs, err := Offered(st, none, record.Question{At: at})
		if err != nil || len(refs) != want {
			t.Errorf("%s: %v, %v", access, refs, err)
		}
		refs, _ = Offered(st, func(string) ([]record.Withdrawal, error) {
			return []record.Withdrawal{{Blob: someLibrary, Ground: "court"}}, nil
		}, record.Question{At: at})
		if len(refs) != 0 {
			t.Errorf("%s, withdrawn: %v", access, refs)
		}
		st.Rights = nil
		if refs, _ := Offered(st, none, record.Question{At: at}); len(refs) != 0 {
			t.Error("without rights")
		}
	}
}
