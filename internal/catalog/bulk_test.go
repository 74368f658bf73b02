package catalog

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/view/viewtest"
)

// TestLookupsOfMany holds the lookups of many keys to those of one.
func TestLookupsOfMany(t *testing.T) {
	reg := viewtest.New(t)
	for i := range 700 {
		r := record.Record{Title: fmt.Sprintf("Title %d", i%500), Creators: []record.Creator{{Name: "Ann Author"}}}
		if i%3 == 0 {
			r.IDs = []record.ID{{Scheme: "doi", Value: fmt.Sprintf("10.1234/%d", i%90)}}
		}
		reg.Append(record.Entry{Type: record.TypeAccession, Record: &r, Source: &record.Source{Name: "s", ID: fmt.Sprint(i), Digest: "d"}})
	}
	reg.Append(record.Entry{Type: record.TypeRevision, Of: ptr(5), Patch: []byte(`{"title":"Mine"}`), Source: &record.Source{Name: record.Librarian}})
	reg.Append(record.Entry{Type: record.TypeRevision, Of: ptr(5), Patch: []byte(`{"title":"Theirs","place":"Q"}`), Source: &record.Source{Name: "s", ID: "4", Digest: "e"}})
	reg.Append(record.Entry{Type: record.TypeMerge, From: ptr(6), Into: ptr(7)})
	erasure := reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{9}, Ground: "law"})
	c := open(t, reg, t.TempDir())
	catch(t, follower(t, reg, c, 64))

	var asked []record.Source
	for i := range 702 {
		asked = append(asked, record.Source{Name: "s", ID: fmt.Sprint(i)})
	}
	asked = append(asked, record.Source{Name: "S", ID: "1"}, record.Source{Name: "s"})
	states, err := c.BySources(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range asked {
		n, digest, ok, err := c.BySource(t.Context(), s.Name, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if ok != (states[i] != nil) || ok && (states[i].Number != n || states[i].Sources[0].Digest != digest) {
			t.Errorf("%v: %v %d %s, not %+v", s, ok, n, digest, states[i])
		}
	}
	if states[0] == nil || states[8] != nil || states[4].Sources[0].Digest != "e" {
		t.Error(states[0], states[8], states[4])
	}

	var records []record.Record
	var marks []record.Marks
	for i := range 510 {
		r := record.Record{Title: fmt.Sprintf("TITLE  %d", i), Creators: []record.Creator{{Name: "Author, Ann"}}}
		if i%2 == 0 {
			r.IDs = []record.ID{{Scheme: "doi", Value: fmt.Sprintf("https://doi.org/10.1234/%d", i%100)}, {Scheme: "url", Value: "x"}}
		}
		records, marks = append(records, r), append(marks, record.MarksOf(r))
	}
	alike, err := c.Alike(t.Context(), marks)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		want, err := c.ByKey(t.Context(), record.TitleKey(r))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.IDs) > 0 {
			more, err := c.ByID(t.Context(), "doi", r.IDs[0].Value)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, more...)
		}
		slices.Sort(want)
		want = slices.Compact(want)
		var got []int64
		for _, m := range alike[i] {
			got = append(got, m.State.Number)
		}
		if len(want)+len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, not %v", r.Title, got, want)
		}
	}

	said, ok, err := c.Said(t.Context(), 5, "s")
	if err != nil || !ok || said.Title != "Theirs" || said.Place != "Q" {
		t.Errorf("%+v %v %v", said, ok, err)
	}
	if _, ok, err := c.Said(t.Context(), 5, "t"); ok || err != nil {
		t.Error(ok, err)
	}
	reg.Purge(9)
	for _, n := range []int64{9, erasure, 5000} {
		if _, _, err := c.Said(t.Context(), n, "s"); !errs.Is(err, errs.NotFound) {
			t.Error(n, err)
		}
	}
	if none, err := c.BySources(t.Context(), nil); err != nil || len(none) != 0 {
		t.Error(none, err)
	}
}

// TestLostRecords: a record whose bytes are gone, before its erasure is known, hides no
// other that has the same identifier.
func TestLostRecords(t *testing.T) {
	reg := viewtest.New(t)
	var numbers []int64
	for i := range 3 {
		numbers = append(numbers, reg.Accession(record.Record{Title: fmt.Sprint(i), IDs: []record.ID{{Scheme: "doi", Value: "10.1234/x"}}}, nil, nil))
	}
	c := open(t, reg, t.TempDir())
	catch(t, follower(t, reg, c, 0))
	reg.Purge(numbers[1])
	want := []int64{numbers[0], numbers[2]}
	if got, err := c.ByID(t.Context(), "doi", "10.1234/X"); err != nil || !slices.Equal(got, want) {
		t.Error(got, err)
	}
	if got, err := c.Lookup(t.Context(), "10.1234/x"); err != nil || !slices.Equal(got, want) {
		t.Error(got, err)
	}
}

// TestManyKeys: a record with more identifiers than it can be found by is known to its
// source all the same, so that it does not go in twice.
func TestManyKeys(t *testing.T) {
	reg := viewtest.New(t)
	r := record.Record{Title: "Much"}
	for i := range 2 * maxKeys {
		r.IDs = append(r.IDs, record.ID{Scheme: "url", Value: fmt.Sprintf("https://x.test/%d", i)})
	}
	var asked []record.Source
	for i := range 8 { // keys are hashes: of one it might come well by chance
		asked = append(asked, record.Source{Name: "s", ID: fmt.Sprint(i)})
		reg.Append(record.Entry{Type: record.TypeAccession, Record: &r, Source: &record.Source{Name: "s", ID: fmt.Sprint(i), Digest: "d"}})
	}
	c := open(t, reg, t.TempDir())
	catch(t, follower(t, reg, c, 0))
	states, err := c.BySources(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range states {
		if st == nil {
			t.Errorf("record %d of the source is not known", i)
		}
	}
	if n := len(keyList(&record.State{Record: r, Sources: asked[:1]})); n > maxKeys+1 {
		t.Error(n)
	}
}
