package index_test

import (
	"fmt"
	"testing"

	"wenlan/internal/index"
	"wenlan/internal/record"
	"wenlan/internal/view/viewtest"
)

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
