package store

import (
	"maps"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

// TestGather: what is gathered shows at Settle and not before, all of it; an Apply that
// takes it again finds it forgotten.
func TestGather(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir, GatherBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	want := state{}
	batch := func(cursor int64) Batch {
		b := Batch{Cursor: cursor, Library: "library"}
		for r := cursor * 10; r < cursor*10+10; r++ {
			for part := range int32(1 + r%3) {
				b.Docs = append(b.Docs, doc(r, part, uint64(cursor)))
			}
		}
		return b
	}
	now := func() state {
		snap, release := s.Snapshot()
		defer release()
		return read(t, snap)
	}
	gather := func(cursor int64) {
		t.Helper()
		if full, err := s.Gather(t.Context(), batch(cursor)); err != nil || full {
			t.Fatalf("gather %d: full %v, %v", cursor, full, err)
		}
	}
	for cursor := int64(1); cursor <= 5; cursor++ {
		gather(cursor)
		b := batch(cursor)
		want = want.apply(&b)
	}
	if len(now()) != 0 || s.Cursor() != 0 || s.Gathered() != 5 {
		t.Fatalf("before it is settled: %d documents, cursor %d, gathered %d", len(now()), s.Cursor(), s.Gathered())
	}
	if err := s.Settle(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(now(), want) || s.Cursor() != 5 || s.Library() != "library" {
		t.Fatalf("settled: %d of %d documents, cursor %d", len(now()), len(want), s.Cursor())
	}
	if err := s.Settle(t.Context(), false); err != nil || s.Cursor() != 5 {
		t.Errorf("nothing to settle: %v, %d", err, s.Cursor())
	}
	for what, b := range map[string]Batch{
		"a deletion":  {Cursor: 6, Delete: []int64{1}},
		"the past":    {Cursor: 4},
		"an old book": {Cursor: 6, Docs: []*segment.Doc{doc(11, 0, 6), doc(10, 0, 6)}},
	} {
		if _, err := s.Gather(t.Context(), b); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
		s.Forget()
	}
	gather(6)
	s.Forget()
	six := batch(6)
	if err := s.Apply(t.Context(), six); err != nil {
		t.Fatal(err)
	}
	want = want.apply(&six)
	if !maps.Equal(now(), want) || s.Cursor() != 6 {
		t.Errorf("applied after it was forgotten: %d of %d documents, cursor %d", len(now()), len(want), s.Cursor())
	}
	gather(7) // and the process ends
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(now(), want) || s.Cursor() != 6 {
		t.Errorf("opened again: %d of %d documents, cursor %d", len(now()), len(want), s.Cursor())
	}
}

// TestGatherMore: segments are merged late while more is gathered, and as ever at its end.
func TestGatherMore(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), GatherBytes: 1 << 30, Workers: 1})
	defer closed(t, s)
	for cursor := int64(1); cursor <= 20; cursor++ {
		b := Batch{Cursor: cursor, Docs: []*segment.Doc{doc(cursor, 0, 1)}}
		if _, err := s.Gather(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	g := s.now.Load()
	if merged, err := g.mergeOne(t.Context(), g.pick); merged || err != nil {
		t.Error("merged while more is gathered", err)
	}
	if n := g.merger.disk(); n != 20 {
		t.Errorf("%d segments", n)
	}
	if err := s.Settle(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for g.merger.disk() >= 8 {
		if _, err := g.mergeOne(t.Context(), g.pick); err != nil { // beside the one in the background
			t.Fatal(err)
		}
	}
}
