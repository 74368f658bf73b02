package main

import (
	"bytes"
	"context"
	"math"
	"testing"

	"wenlan/internal/index/exec"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// four records of title words, in one segment.
func four(t *testing.T) []segment.View {
	t.Helper()
	b := segment.NewBuilder(segment.Options{Positions: true})
	for i, title := range [][]string{{"red", "house"}, {"house", "red", "roof"}, {"red"}, {"blue"}} {
		d := &segment.Doc{Record: int64(i + 1), Year: int16(2000 + i), Languages: []string{"en"}}
		d.Tokens[segment.Title] = title
		if err := b.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := b.Finish(&file); err != nil {
		t.Fatal(err)
	}
	r, err := segment.Open(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return []segment.View{{Reader: r, Live: r.Docs()}}
}

// By hand: the weighted lengths are 16, 24, 8 and 8, 14 on average. For "red", which
// three of four have, idf = ln(1 + 1.5/3.5) = .35667. In record 3 norm is
// 1.2·(.25 + .75·8/14) = .81429, and the score .35667·(1 - 1/(1 + 8/.81429)) = .32373.
func TestOracle(t *testing.T) {
	o := newOracle(four(t))
	truth, err := o.answer(&exec.Request{Query: &query.Query{Root: all(anywhere, "red")}})
	if err != nil {
		t.Fatal(err)
	}
	if len(truth.hits) != 3 || truth.hits[0].record != 3 || math.Abs(truth.hits[0].score-.32373) > 2e-5 {
		t.Errorf("%+v", truth.hits)
	}
	for _, c := range []struct {
		root query.Node
		want []int64
	}{
		{all(anywhere, "red house"), []int64{1, 2}},
		{all(anywhere, "red green"), nil},
		{&query.Or{Of: []query.Node{all(anywhere, "blue"), all(anywhere, "roof")}}, []int64{4, 2}},
		{&query.Phrase{Tokens: []string{"red", "house"}, Fields: anywhere}, []int64{1}},
		{&query.Phrase{Tokens: []string{"house", "red", "roof"}, Fields: anywhere}, []int64{2}},
		{&query.Term{Text: "ro", Fields: anywhere, Prefix: true}, []int64{2}},
		{all(1<<segment.Abstract, "red"), nil},
	} {
		truth, err := o.answer(&exec.Request{Query: &query.Query{Root: c.root}})
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, h := range truth.hits {
			got = append(got, h.record)
		}
		if len(got) != len(c.want) {
			t.Fatalf("%#v: %v", c.root, got)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%#v: %v and not %v", c.root, got, c.want)
			}
		}
	}
}

// What is wrong is told.
func TestCompare(t *testing.T) {
	views := four(t)
	r := &exec.Request{Query: &query.Query{Root: all(anywhere, "red")}, Limit: 10, Facets: []segment.Facet{segment.Language}, Years: true, MaxFacet: 10, Strict: true}
	a, err := exec.Run(context.Background(), views, r, exec.Budget{})
	if err != nil {
		t.Fatal(err)
	}
	truth, err := newOracle(views).answer(r)
	if err != nil {
		t.Fatal(err)
	}
	if ten, total, facets := compare(r, a, truth); ten+total+facets != "" {
		t.Errorf("a right answer: %s %s %s", ten, total, facets)
	}
	a.Hits[1].Score *= 1.01
	a.Total++
	a.Facets[0][0].N++
	if ten, total, facets := compare(r, a, truth); ten == "" || total == "" || facets == "" {
		t.Errorf("a wrong answer passes: %q %q %q", ten, total, facets)
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"house", "house", 0}, {"huose", "house", 1}, {"hose", "house", 1}, {"houses", "house", 1}, {"mouse", "house", 1}, {"mose", "house", 2}, {"红楼", "红梦", 1}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
