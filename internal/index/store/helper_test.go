package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

// state is a model of a store: by record and part, what the document says.
type state map[[2]int64]uint64

func (s state) apply(b *Batch) state {
	next := state{}
	gone := map[int64]bool{}
	for _, r := range records(b) {
		gone[r] = true
	}
	for k, v := range s {
		if !gone[k[0]] {
			next[k] = v
		}
	}
	for _, d := range b.Docs {
		next[[2]int64{d.Record, int64(d.Part)}] = binary.BigEndian.Uint64(d.TitleKey)
	}
	return next
}

// doc is a document that says the number of its batch.
func doc(record int64, part int32, number uint64) *segment.Doc {
	d := &segment.Doc{
		Record: record, Part: part, Kind: "book", Year: int16(1900 + number%100),
		Languages: []string{"zh", "en"}[:1+record%2], Subjects: []string{fmt.Sprintf("subject %d", record%7)},
		TitleKey: binary.BigEndian.AppendUint64(nil, number),
	}
	d.Tokens[segment.Title] = []string{"the", fmt.Sprintf("r%d", record), "", fmt.Sprintf("n%d", number)}
	d.Tokens[segment.Creators] = []string{fmt.Sprintf("c%d", record%50)}
	return d
}

// batchAt is the batch that ends at a cursor; always the same one. About one in fifty
// is a large one, of the size given.
func batchAt(cursor int64, large int) Batch {
	rng := rand.New(rand.NewPCG(uint64(cursor), 1))
	b := Batch{Cursor: cursor, Library: "library"}
	n := rng.IntN(8)
	if rng.IntN(50) == 0 {
		n = large
	}
	seen := map[int64]bool{}
	for range n {
		r := rng.Int64N(1500) + cursor%3*10
		if seen[r] {
			continue
		}
		seen[r] = true
		for part := range int32(1 + rng.IntN(3)) {
			b.Docs = append(b.Docs, doc(r, part, uint64(cursor)))
		}
	}
	for range rng.IntN(4) {
		if r := rng.Int64N(1500); !seen[r] {
			b.Delete = append(b.Delete, r)
		}
	}
	return b
}

// history gives the state at each cursor of what batchAt gives.
type history struct {
	large  int
	states []state
}

func (h *history) at(cursor int64) state {
	if len(h.states) == 0 {
		h.states = []state{{}}
	}
	for int64(len(h.states)) <= cursor {
		b := batchAt(int64(len(h.states)), h.large)
		h.states = append(h.states, h.states[len(h.states)-1].apply(&b))
	}
	return h.states[cursor]
}

// read is what a snapshot holds.
func read(t tester, snap *Snapshot) state {
	t.Helper()
	s := state{}
	for _, v := range snap.Segments {
		live := 0
		for i := range uint32(v.Docs()) {
			if v.Deleted != nil && v.Deleted.Contains(i) {
				continue
			}
			live++
			k := [2]int64{v.Record(i), int64(v.Part(i))}
			if _, twice := s[k]; twice {
				t.Fatalf("record %d, part %d is there twice", k[0], k[1])
			}
			key := v.TitleKey(i)
			if len(key) != 8 {
				t.Fatalf("record %d has the key %q", k[0], key)
			}
			s[k] = binary.BigEndian.Uint64(key)
			if _, ok := v.Term(fmt.Sprintf("r%d", k[0])); !ok {
				t.Fatalf("record %d cannot be found by its word", k[0])
			}
		}
		if live != v.Live || live == 0 {
			t.Fatalf("a view says that %d documents live, and %d do", v.Live, live)
		}
		if err := v.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func same(t tester, got, want state) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Fatalf("record %d, part %d says %d instead of %d", k[0], k[1], got[k], v)
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			t.Fatalf("record %d, part %d says %d and should not be there", k[0], k[1], v)
		}
	}
}

// holds checks a store against the state at a cursor.
func holds(t tester, s *Store, cursor int64, want state) {
	t.Helper()
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	snap, release := s.Snapshot()
	defer release()
	if snap.Cursor != cursor {
		t.Fatalf("the cursor is %d instead of %d", snap.Cursor, cursor)
	}
	same(t, read(t, snap), want)
}

// small is a configuration that flushes and merges all the time.
func small(dir string, fsys durable.FS) Config {
	return Config{Dir: dir, FS: fsys, Format: 3, FlushDocs: 30, FlushBytes: 1 << 20, MergeSegments: 3, Workers: 2, BuildBytes: 1 << 14}
}

func open(t tester, cfg Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closed(t tester, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func sound(t tester, s *Store) {
	t.Helper()
	if err := s.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func apply(t tester, s *Store, b Batch) {
	t.Helper()
	if err := s.Apply(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

func isKind(t tester, err error, kind errs.Kind) {
	t.Helper()
	if !errs.Is(err, kind) {
		t.Fatalf("%v is not of the kind %v", err, kind)
	}
}

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}
