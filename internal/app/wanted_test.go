package app

import (
	"strings"
	"testing"

	"wenlan/internal/blob"
	"wenlan/internal/intake"
	"wenlan/internal/record"
)

// What may be copied is what any visitor may have, and each file comes once.
func TestWanted(t *testing.T) {
	ctx := t.Context()
	l := owned(t, made(t))
	open := func(name, words string, opt intake.Options) (n int64) {
		t.Helper()
		path := text(t, name, words)
		if err := l.add(ctx, AddRequest{Paths: []string{path}, Inputs: []string{path}, Options: opt}, func(e Event) {
			if e.Outcome != nil && e.Outcome.Record != nil {
				n = *e.Outcome.Record
			}
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	pd := intake.Options{Basis: "public-domain"}
	one := open("one.txt", "one", pd)
	open("two.txt", "nobody has said what its rights are", intake.Options{})
	three := open("three.txt", "three", pd)
	lent := open("lent.txt", "lent only", intake.Options{Basis: "permission", Access: "lend"})
	list := func() string {
		t.Helper()
		var got []string
		last := int64(0)
		if err := l.wanted(ctx, 0, nil, func(pos int64, ref blob.Ref) error {
			if pos < last {
				t.Errorf("the position falls from %d to %d", last, pos)
			}
			last = pos
			b, err := readBody(ctx, l.Blobs, record.Body{SHA256: ref.SHA256, Bytes: ref.Bytes})
			got = append(got, string(b))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(got, ", ")
	}
	do := func(req Request) {
		t.Helper()
		if err := l.do(ctx, req, func(Event) {}); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(); got != "one, three" {
		t.Errorf("at first: %s", got)
	}
	do(Request{Withdraw: &WithdrawRequest{Record: one, Ground: "a claim"}})
	do(Request{Rights: &RightsRequest{Record: lent, Options: pd}})
	if got := list(); got != "three, lent only" {
		t.Errorf("after a withdrawal and a statement: %s", got)
	}
	do(Request{Restore: &WithdrawRequest{Record: one}})
	if got := list(); got != "three, lent only, one" {
		t.Errorf("after a restoration: %s", got)
	}
	sel := func(st *record.State) bool { return st.Number == three }
	n := 0
	if err := l.wanted(ctx, 0, sel, func(int64, blob.Ref) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("selected: %d, %v", n, err)
	}
}

// What a record has left when a file was taken off it is wanted all the same.
func TestWantedAfterRemoval(t *testing.T) {
	ctx := t.Context()
	l := owned(t, made(t))
	file := func(words string) record.File {
		ref, err := l.Blobs.Put(ctx, strings.NewReader(words))
		if err != nil {
			t.Fatal(err)
		}
		return record.File{SHA256: ref.SHA256, Bytes: ref.Bytes, MediaType: "text/plain", Name: words + ".txt", Role: record.RoleText}
	}
	kept, gone := file("kept"), file("gone")
	put := func(e record.Entry) int64 {
		e.Time = l.Config.now()
		raw, err := record.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		i, err := l.Append(ctx, [][]byte{raw})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	if err := l.Blobs.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	n := put(record.Entry{Type: record.TypeAccession, Record: &record.Record{Title: "Two"}, Files: []record.File{kept, gone}, Rights: &record.Rights{Basis: record.PublicDomain, Access: record.Open}})
	put(record.Entry{Type: record.TypeFiles, Of: &n, Remove: []string{gone.SHA256}})
	if _, err := l.catch(ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := l.wanted(ctx, 0, nil, func(_ int64, ref blob.Ref) error { got = append(got, ref.SHA256); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != kept.SHA256 {
		t.Errorf("wanted: %v", got)
	}
}
