package catalog

import (
	"fmt"
	"slices"
	"testing"

	"wenlan/internal/record"
)

func (s *shelf) book(title, isbn string, files ...record.File) int64 {
	r := record.Record{Title: title, Creators: []record.Creator{{Name: "Jane Austen"}}, Languages: []string{"en"}}
	if isbn != "" {
		r.IDs = []record.ID{{Scheme: "isbn", Value: isbn}}
	}
	return s.reg.Accession(r, files, nil)
}

func TestDoubtful(t *testing.T) {
	s := newShelf(t)
	ctx := t.Context()
	a := s.book("Emma", "9780141439587")
	b := s.book("Emma, a novel", "0-14-143958-0")
	c := s.book("Emma", "", file(1))
	d := s.book("Another", "", file(1))
	e := s.book("Alone", "9780141439518")
	doubtful := func(n int64, want ...Duplicate) {
		t.Helper()
		s.f()
		if got, err := s.Doubtful(ctx, n); err != nil || !slices.Equal(got, want) {
			t.Errorf("doubtful with %d: %v %v, want %v", n, got, err, want)
		}
	}
	alike := func(n int64, want ...Duplicate) {
		t.Helper()
		s.f()
		if got, err := s.Duplicates(ctx, n); err != nil || !slices.Equal(got, want) {
			t.Errorf("duplicates of %d: %v %v, want %v", n, got, err, want)
		}
	}
	doubtful(a, Duplicate{b, "isbn"}, Duplicate{c, "title"})
	doubtful(b)
	doubtful(c, Duplicate{d, "bytes"})
	doubtful(d)
	doubtful(e)
	alike(b, Duplicate{a, "isbn"})
	alike(d, Duplicate{c, "bytes"})

	merge := s.reg.Append(record.Entry{Type: record.TypeMerge, From: &c, Into: &a})
	doubtful(a, Duplicate{b, "isbn"})
	doubtful(c)
	doubtful(d) // it has the bytes of c, which is a now: that is for a person who looks at a
	s.reg.Append(record.Entry{Type: record.TypeUnmerge, Of: &merge})
	doubtful(a, Duplicate{b, "isbn"}) // c was looked at, and is another
	doubtful(c, Duplicate{d, "bytes"})
	alike(a, Duplicate{b, "isbn"})
	alike(c, Duplicate{d, "bytes"})

	// told apart from the lowest is not told apart from the others
	f := s.book("Emma", "")
	doubtful(a, Duplicate{b, "isbn"}, Duplicate{f, "title"})
	doubtful(c, Duplicate{d, "bytes"}, Duplicate{f, "title"})
	// erased, the merge says nothing any more
	s.reg.Append(record.Entry{Type: record.TypeErasure, Entries: []int64{merge}, Ground: "law", Critical: true})
	s.reg.Purge(merge)
	doubtful(a, Duplicate{b, "isbn"}, Duplicate{c, "title"}, Duplicate{f, "title"})
}

// TestOtherEditions: what says that it is another edition of a record is not taken for the
// same, whatever its title; what says nothing is.
func TestOtherEditions(t *testing.T) {
	s := newShelf(t)
	a := s.book("Emma", "9780141439587")
	edition := func(rel record.Relation) int64 {
		return s.reg.Accession(record.Record{Title: "Emma", Creators: []record.Creator{{Name: "Jane Austen"}}, Languages: []string{"en"}, Relations: []record.Relation{rel}}, nil, nil)
	}
	b := edition(record.Relation{Type: record.EditionOf, ID: &record.ID{Scheme: "isbn", Value: "0-14-143958-0"}})
	c := edition(record.Relation{Type: record.FormatOf, Record: &a})
	d := edition(record.Relation{Type: record.SupplementTo, Record: &a})
	s.f()
	for n, want := range map[int64][]Duplicate{a: {{d, "title"}}, b: {{c, "title"}, {d, "title"}}, c: {{b, "title"}, {d, "title"}}} {
		if got, err := s.Duplicates(t.Context(), n); err != nil || !slices.Equal(got, want) {
			t.Errorf("duplicates of %d: %v %v, want %v", n, got, err, want)
		}
	}
}

// TestManyAlike is a title that very many records have: each is in one group, and
// what one record costs is bounded.
func TestManyAlike(t *testing.T) {
	s := newShelf(t)
	const many = 600
	var first int64
	for i := range many {
		n := s.reg.Accession(record.Record{Title: "Poems", Creators: []record.Creator{{Name: "A"}}, IDs: []record.ID{{Scheme: "x", Value: fmt.Sprint(i)}}}, nil, nil)
		if first == 0 {
			first = n
		}
	}
	s.f()
	got, err := s.Doubtful(t.Context(), first)
	if err != nil || len(got) != maxLike {
		t.Errorf("%d, %v", len(got), err)
	}
	if got, err := s.Doubtful(t.Context(), first+500); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := s.Duplicates(t.Context(), first+500); err != nil || len(got) != maxLikeNow || got[0].Record != first {
		t.Errorf("%v, %v", got, err)
	}
}
