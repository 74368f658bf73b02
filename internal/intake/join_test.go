package intake_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/format"
	"wenlan/internal/intake"
	"wenlan/internal/record"
)

func from(source string) intake.ImportOptions { return intake.ImportOptions{Source: source} }

// appendEntry appends one entry as a librarian would.
func appendEntry(t *testing.T, l *app.Library, e record.Entry) int64 {
	t.Helper()
	e.Time = time.Now()
	raw, err := record.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	n, err := l.Append(t.Context(), [][]byte{raw})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestImportJoin: a second source of an edition joins its record, where identifiers
// agree and nothing contradicts.
func TestImportJoin(t *testing.T) {
	l, in := library(t, nil)
	outs, _ := imports(t, in, "simple", from("a"), `{"id":"1","type":"book","title":"The Time Machine","isbn":"9780306406157","language":"en","publisher":"P"}
{"id":"2","type":"book","title":"Another","doi":"10.1234/two","volume":"1"}
{"id":"3","type":"book","title":"Third","isbn":"9780131103627"}
{"id":"4","type":"book","title":"Third, once more","isbn":"9780131103627"}`)
	expect(t, outs, "f1:1 added 1; f1:2 added 2; f1:3 added 3; f1:4 added 4 like [3]")

	text := `{"id":"x1","type":"book","title":"The time machine: an invention","isbn":"0-306-40615-2","doi":"10.1234/one","place":"London","publisher":"Q"}
{"id":"x2","type":"book","title":"Another","doi":"10.1234/two","volume":"2"}
{"id":"x3","type":"book","title":"Third","isbn":"9780131103627"}
{"id":"x4","type":"book","title":"Die Zeitmaschine","isbn":"9780306406157","language":"de"}
{"id":"x5","type":"book","title":"The Time Machine","isbn":"9780306406157"}
{"id":"x1","type":"book","title":"The time machine: an invention","isbn":"0-306-40615-2","doi":"10.1234/one","place":"London","publisher":"Q"}
{"id":"x1","type":"book","title":"Other"}`
	outs, sum := imports(t, in, "simple", from("b"), text)
	// The second has another volume; the third two records to choose from; the fourth another
	// title; of the fifth's the source has spoken already.
	expect(t, outs, "f1:1 joined 1; f1:2 added 6 like [2]; f1:3 added 7 like [3 4]; f1:4 added 8 like [1]; f1:5 added 9 like [1 8]; f1:6 known 1; f1:7 refused")
	if sum != (intake.Summary{Joined: 1, Added: 4, Known: 1, Refused: 1}) {
		t.Errorf("%+v", sum)
	}
	st := state(t, l, 1)
	r := st.Record
	if r.Title != "The Time Machine" || r.Publisher != "P" || r.Place != "London" || fmt.Sprint(r.IDs) != "[{isbn 9780306406157} {doi 10.1234/one}]" {
		t.Errorf("%+v", r)
	}
	if len(st.Sources) != 2 || st.Sources[1].Name != "b" || st.Sources[1].ID != "x1" {
		t.Errorf("%+v", st.Sources)
	}
	size := l.Register.Size()
	outs, _ = imports(t, in, "simple", from("b"), text)
	expect(t, outs, "f1:1 known 1; f1:2 known 6; f1:3 known 7; f1:4 known 8; f1:5 known 9; f1:6 known 1; f1:7 refused")
	if l.Register.Size() != size {
		t.Error("the same again appended something")
	}

	// A revision of the second source changes only what it said.
	outs, _ = imports(t, in, "simple", from("b"), `{"id":"x1","type":"book","title":"The time machine: an invention","isbn":"0-306-40615-2","place":"Paris"}`)
	expect(t, outs, "f1:1 revised 1")
	if r := state(t, l, 1).Record; r.Place != "Paris" || r.Publisher != "P" || len(r.IDs) != 1 {
		t.Errorf("%+v", r)
	}

	// A third source joins by an identifier of the second's, where the first was merged.
	one, nine := int64(1), int64(9)
	appendEntry(t, l, record.Entry{Type: record.TypeMerge, From: &one, Into: &nine})
	eight := int64(8)
	appendEntry(t, l, record.Entry{Type: record.TypeMerge, From: &eight, Into: &nine})
	outs, _ = imports(t, in, "simple", from("c"), `{"id":"y","title":"The Time Machine","isbn":"9780306406157","type":"book"}`)
	expect(t, outs, "f1:1 joined 9")
	if st := state(t, l, 9); len(st.Sources) != 2 || st.Sources[1].ID != "y" {
		t.Errorf("%+v", st.Sources)
	}
}

// TestImportContradicts: years far apart, other DOIs and other volumes keep records of
// one identifier apart, and on the list of duplicates.
func TestImportContradicts(t *testing.T) {
	l, in := library(t, nil)
	first := `{"id":"1","type":"book","title":"Works","isbn":"9780306406157","year":1950}
{"id":"2","type":"article","title":"Paper","doi":"10.1234/two","pmid":"7","year":2010}
{"id":"3","type":"book","title":"Third","isbn":"9780131103627","doi":"10.1234/three","year":1998}
{"id":"4","type":"book","title":"全集","isbn":"9787020002207"}`
	second := `{"id":"1","type":"book","title":"Works","isbn":"9780306406157","year":1956}
{"id":"2","type":"article","title":"Paper","doi":"10.1234/two","year":2013}
{"id":"3","type":"book","title":"Third","isbn":"9780131103627","doi":"10.1234/drei","year":1998}
{"id":"4","type":"book","title":"全集（第二卷）","isbn":"9787020002207"}
{"id":"5","type":"book","title":"Third: a book","doi":"10.1234/three","year":1999}`
	imports(t, in, "simple", from("a"), first)
	outs, _ := imports(t, in, "simple", from("b"), second)
	expect(t, outs, "f1:1 added 5 like [1]; f1:2 added 6 like [2]; f1:3 added 7 like [3]; f1:4 added 8 like [4]; f1:5 joined 3")
	for n := int64(1); n <= 4; n++ {
		if list, err := l.Catalog.Doubtful(t.Context(), n); err != nil || len(list) != 1 || list[0].Record != n+4 {
			t.Errorf("%d is doubtful beside %v, %v", n, list, err)
		}
	}
}

// TestImportExtra: what a record says besides is kept with its source, and what
// changes in it alone is a revision.
func TestImportExtra(t *testing.T) {
	l, in := library(t, nil)
	line := func(extra string) string {
		return `{"record":{"title":"T","relations":[{"type":"translation_of","title":"Der T"}]},"source":{"name":"s","id":"1","extra":` + extra + `}}`
	}
	for i, c := range []struct{ extra, want, kept string }{
		{`{"500":["note","second"],"funding":["X"]}`, "f1:1 added 1", `{"500":["note","second"],"funding":["X"]}`},
		{`{"funding":["X"],"500":["note","second"]}`, "f1:1 known 1", `{"500":["note","second"],"funding":["X"]}`},
		{`{"500":["note"]}`, "f1:1 revised 1", `{"500":["note"]}`},
		{`{}`, "f1:1 revised 1", ""},
		{`{"a":"no list"}`, "f1:1 refused", ""},
		{`{"a":["` + strings.Repeat("x", record.MaxExtra) + `"]}`, "f1:1 refused", ""},
	} {
		outs, _ := imports(t, in, "jsonl", intake.ImportOptions{}, line(c.extra))
		if got := said(outs); got != c.want {
			t.Errorf("%d: %s, not %s", i, got, c.want)
		}
		st := state(t, l, 1)
		if string(st.Sources[0].Extra) != c.kept || st.Record.Relations[0].Title != "Der T" {
			t.Errorf("%d: %s %+v", i, st.Sources[0].Extra, st.Record)
		}
	}
	if n := len(state(t, l, 1).History); n != 3 {
		t.Errorf("%d entries", n)
	}
}

// TestImportGroups: the library does not depend on where the groups of an import
// end. Records of several sources, many of which share identifiers, come in one
// file, and then one by one.
func TestImportGroups(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	var all, revised []string
	for i := range 150 {
		r := map[string]any{"title": []string{"The Same", "The Same: a novel", "Other"}[random.IntN(7)/3], "kind": "book"}
		ids := []map[string]string{{"scheme": "oclc", "value": fmt.Sprint(1 + random.IntN(50))}, {"scheme": "pmid", "value": fmt.Sprint(1 + random.IntN(400))}}
		if n := random.IntN(8); n > 0 {
			r["ids"] = ids[:1+n/6]
		}
		if random.IntN(4) == 0 {
			r["languages"] = []string{[]string{"en", "de"}[random.IntN(2)]}
		}
		source := map[string]string{"name": fmt.Sprint("s", random.IntN(4)), "id": fmt.Sprint(i)}
		line := func() string {
			raw, err := json.Marshal(map[string]any{"record": r, "source": source})
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}
		all = append(all, line())
		switch random.IntN(6) {
		case 0: // the source knows another edition by now
			r["ids"] = []map[string]string{{"scheme": "oclc", "value": fmt.Sprint(1 + random.IntN(50))}}
			r["languages"] = []string{"de"}
		case 1: // a further record of it
			source["id"] += "new"
		case 2:
			r["place"] = "X"
		}
		revised = append(revised, line())
	}
	whole := func(step int) (sums []intake.Summary, states []record.State) {
		l, in := library(t, nil)
		for _, list := range [][]string{all, revised, all} {
			var sum intake.Summary
			for part := range slices.Chunk(list, step) {
				_, s := imports(t, in, "jsonl", intake.ImportOptions{}, strings.Join(part, "\n"))
				sum.Added += s.Added
				sum.Joined += s.Joined
				sum.Revised += s.Revised
				sum.Known += s.Known
				sum.Refused += s.Refused
			}
			sums = append(sums, sum)
		}
		for n := int64(1); n < l.Register.Size(); n++ {
			if st, err := l.Catalog.Record(t.Context(), n); err == nil {
				st := *st
				st.Time = time.Time{}
				st.History = slices.Clone(st.History)
				for i := range st.History {
					st.History[i].Time = time.Time{}
				}
				states = append(states, st)
			}
		}
		return sums, states
	}
	wantSums, want := whole(1)
	if wantSums[0].Joined < 15 || wantSums[1].Revised < 15 || wantSums[0].Refused > 0 {
		t.Errorf("%+v is no test", wantSums)
	}
	for _, step := range []int{150} {
		sums, got := whole(step)
		if !reflect.DeepEqual(sums, wantSums) {
			t.Errorf("by %d: %+v, not %+v", step, sums, wantSums)
		}
		if len(got) != len(want) {
			t.Fatalf("by %d: %d records, not %d", step, len(got), len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("by %d: record %d:\n%+v\n%+v", step, got[i].Number, got[i], want[i])
			}
		}
	}
}

// TestImportFolder: a folder is one source, of all its files but hidden ones.
func TestImportFolder(t *testing.T) {
	l, in := library(t, nil)
	dir := filepath.Join(t.TempDir(), "journal.2024")
	write(t, dir, map[string]string{"b.jsonl": `{"id":"2","title":"B"}`, "a/x.jsonl": "{\"id\":\"1\",\"title\":\"A\"}\n{\"id\":\"2\",\"title\":\"Not B\"}", ".hidden.jsonl": `{"title":"H"}`, ".git/x": `{"title":"G"}`})
	if err := os.Symlink(filepath.Join(dir, "b.jsonl"), filepath.Join(dir, "c.jsonl")); err != nil {
		t.Log(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	form, err := format.FindBulk("simple")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"j/a/x.jsonl:1 added 1; j/a/x.jsonl:2 added 2; j/b.jsonl:1 refused; e refused",
		"j/a/x.jsonl:1 known 1; j/a/x.jsonl:2 known 2; j/b.jsonl:1 refused; e refused",
	} {
		var outs []intake.Outcome
		_, err = in.Import(t.Context(), form, []intake.ImportFile{{Path: dir, Input: "j"}, {Path: empty, Input: "e"}}, intake.ImportOptions{}, func(o intake.Outcome) { outs = append(outs, o) }, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		expect(t, outs, want)
		if e := outs[2].Err.Error(); e != `j/b.jsonl:1: the id "2" came in this folder already, with other content` {
			t.Error(e)
		}
		if e := outs[3].Err.Error(); e != "e: there are no files in this folder" {
			t.Error(e)
		}
	}
	if s := state(t, l, 1).Sources[0].Name; s != "journal.2024" {
		t.Errorf("the source is %q", s)
	}
}
