package index_test

import (
	"fmt"
	"testing"

	"wenlan/internal/index"
	"wenlan/internal/record"
	"wenlan/internal/view/viewtest"
)

// TestBeginnings: a star stands at the beginning of an identifier, too, and pinyin is
// completed while it is typed.
func TestBeginnings(t *testing.T) {
	reg := viewtest.New(t)
	isbn := reg.Accession(record.Record{Title: "紅樓夢", IDs: []record.ID{{Scheme: "isbn", Value: "978-7-02-000220-7"}}}, nil, nil)
	doi := reg.Accession(record.Record{Title: "Papers", IDs: []record.ID{{Scheme: "doi", Value: "10.1000/ABC-4"}}}, nil, nil)
	v := openViews(t, reg, t.TempDir())
	defer v.close()
	if err := v.fol.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int64{"isbn:97870*": isbn, "doi:10.1000/*": doi, "hongl*": isbn} {
		if res, err := v.idx.Search(t.Context(), index.Query{Text: text}); err != nil || len(res.Hits) != 1 || res.Hits[0].Record != want {
			t.Errorf("%s: %+v, %v", text, res, err)
		}
	}
	for _, text := range []string{"hongl", "honglou", "hong lou", "hong lou m", "hong lou meng", "hlm"} {
		if got, err := v.idx.Suggest(t.Context(), text, 5); err != nil || len(got) != 1 || got[0].Record != isbn {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// TestCorrected: what is said to have been searched has every word that was searched
// for another, and nothing else is changed. Some slips are in records, too.
func TestCorrected(t *testing.T) {
	reg := viewtest.New(t)
	title := func(format string, a ...any) {
		reg.Accession(record.Record{Title: fmt.Sprintf(format, a...), Languages: []string{"en"}}, nil, nil)
	}
	for i := range 40 {
		title("Neural networks for beginners, part %d", i)
		title("Information retrieval in practice, lecture %d", i)
		title("Information retrieval with networks, lecture %d", i)
		title("Neural networks and the 红楼梦, lesson %d", i)
	}
	title("A neural estimator by the neural netwroks of old")
	title("Databases for information retreival by networks")
	title("The letters of Erdos")
	for range 8 {
		title("Hymns to Eros")
	}
	v := openViews(t, reg, t.TempDir())
	defer v.close()
	if err := v.fol.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, corrected, meant string }{
		{"neural networks", "", ""},
		{"nueral networks", "neural networks", ""},
		{"neural netwroks", "", "neural networks"}, // one has it as it is typed
		{"nueral netwroks", "neural networks", ""},
		{"netwroks nueral", "networks neural", ""},
		{"Nueral Netwroks", "neural networks", ""},
		{"informatin retreival", "information retrieval", ""},
		{"infromation retreival netwroks", "information retrieval networks", ""},
		{"informatin retreival netwroks", "information retrieval networks", ""},
		{"retreival informatin practise", "retrieval information practice", ""},
		{"title:nueral netwroks", "title:neural networks", ""},
		{"title:(nueral netwroks)", "title:neural title:networks", ""},
		{"题名:nueral 题名:netwroks", "title:neural title:networks", ""},
		{"nueral netwroks lang:en -lecture", "neural networks -lecture lang:en", ""},
		{`nueral netwroks "for beginners"`, `neural networks "for beginners"`, ""},
		{`nueral "networks for beginners"`, `neural "networks for beginners"`, ""},
		{"nueral netwroks 红楼梦", "neural networks 红楼梦", ""},
		{"紅樓夢 nueral lessen", "紅樓夢 neural lesson", ""},
		{"红楼梦nueral netwroks", "红楼梦 neural networks", ""},
		{"nueral OR informatin", "neural OR information", ""},
		{"(nueral OR informatin) netwroks", "(neural OR information) networks", ""},
		{"nueral netwroks begin*", "neural networks begin*", ""},
		{"lettres erdos", "letters erdos", ""}, // a rare word that is right
		{`"nueral netwroks"`, "", ""},          // as typed
	} {
		res, err := v.idx.Search(t.Context(), index.Query{Text: c.text})
		if err != nil || res.Corrected != c.corrected || res.DidYouMean != c.meant {
			t.Errorf("%s: corrected %q, meant %q, %v; want %q, %q", c.text, res.Corrected, res.DidYouMean, err, c.corrected, c.meant)
		}
		if err == nil && c.corrected != "" && (len(res.Hits) == 0 || res.Partial) {
			t.Errorf("%s: %d hits, partial %v", c.text, res.Total, res.Partial)
		}
	}
	// Where no record has all, only what was searched is said to have been.
	res, err := v.idx.Search(t.Context(), index.Query{Text: "informatin retreival elephants"})
	if err != nil || !res.Partial || res.Corrected != "information retreival elephants" || res.DidYouMean != "information retrieval elephants" {
		t.Errorf("%+v, %v", res, err)
	}
	// What no hit has, is shown as a word nevertheless.
	res, err = v.idx.Search(t.Context(), index.Query{Text: "informatin hymns eros beginners", Limit: 1})
	if err != nil || !res.Partial || res.Corrected != "information hymns eros beginners" {
		t.Errorf("%+v, %v", res, err)
	}
}
