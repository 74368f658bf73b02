package intake_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/intake"
	"wenlan/internal/record"
)

// shelf is a library in memory: the plainest that an intake can work on.
type shelf struct {
	entries [][]byte // entry 0 is a charter
	states  map[int64]*record.State
	of      map[int64][]record.Indexed
	kept    map[string][]byte
}

func newShelf() *shelf {
	return &shelf{entries: [][]byte{nil}, states: map[int64]*record.State{}, of: map[int64][]record.Indexed{}, kept: map[string][]byte{}}
}

func (s *shelf) body(b record.Body) ([]byte, error) {
	raw, ok := s.kept[b.SHA256]
	if !ok {
		return nil, errs.New(errs.NotFound, "there is no body")
	}
	return raw, nil
}

func (s *shelf) Append(_ context.Context, entries [][]byte) (int64, error) {
	first := int64(len(s.entries))
	for i, raw := range entries {
		e, known, err := record.Decode(raw)
		if err == nil && e.Body != nil {
			var b []byte
			if b, err = s.body(*e.Body); err == nil {
				e, err = e.WithBody(b)
			}
		}
		if err != nil || !known {
			return 0, errs.New(errs.Internal, "entry %s: %w", raw, err)
		}
		index := first + int64(i)
		numbers, _ := e.Names(index)
		for _, n := range numbers {
			s.of[n] = append(s.of[n], record.Indexed{Index: index, Raw: raw})
			if s.states[n], err = record.Fold(n, s.of[n], s.body); err != nil {
				return 0, errs.New(errs.Internal, "%w", err)
			}
		}
		s.entries = append(s.entries, raw)
	}
	return first, nil
}

func (s *shelf) Record(_ context.Context, n int64) (*record.State, error) {
	if st := s.states[n]; st != nil {
		return st, nil
	}
	return nil, errs.New(errs.NotFound, "there is no record %d", n)
}

func (s *shelf) ByBlob(context.Context, string) ([]int64, error)       { return nil, nil }
func (s *shelf) ByID(context.Context, string, string) ([]int64, error) { return nil, nil }
func (s *shelf) ByKey(context.Context, string) ([]int64, error)        { return nil, nil }

func (s *shelf) BySources(_ context.Context, asked []record.Source) ([]*record.State, error) {
	byKey := map[record.SourceKey]*record.State{}
	for _, st := range s.states {
		for _, src := range st.Sources {
			byKey[src.Key()] = st
		}
	}
	out := make([]*record.State, len(asked))
	for i, a := range asked {
		out[i] = byKey[a.Key()]
	}
	return out, nil
}

func (s *shelf) Alike(_ context.Context, asked []record.Marks) ([][]record.Match, error) {
	out := make([][]record.Match, len(asked))
	for i, m := range asked {
		for n := range int64(len(s.entries)) {
			if st := s.states[n]; st != nil {
				if have := record.MarksOf(st.Record); m.Meet(have) {
					out[i] = append(out[i], record.Match{State: st, ByID: m.ShareID(have), Into: st})
				}
			}
		}
	}
	return out, nil
}

func (s *shelf) Said(_ context.Context, n int64, source string) (record.Record, bool, error) {
	return record.Said(n, s.of[n], s.body, source)
}

func (s *shelf) Layers(_ context.Context, n int64) ([]record.Layer, error) {
	return record.Layers(n, s.of[n], s.body)
}

// bodies holds the bodies of entries, and nothing else.
type bodies struct {
	blob.Store // what an import of descriptions does not use
	*shelf
}

func (b bodies) PutExpect(_ context.Context, want blob.Ref, r io.Reader) error {
	raw, err := io.ReadAll(r)
	b.kept[want.SHA256] = raw
	return err
}

func (b bodies) Flush(context.Context) error { return nil }

func (b bodies) Stat(_ context.Context, sum string) (int64, error) {
	raw, err := b.body(record.Body{SHA256: sum})
	return int64(len(raw)), err
}

// FuzzImport takes in any bytes in any form: each record is reported once, what is
// refused says why, what is appended are entries that fold, and the same again
// appends nothing.
func FuzzImport(f *testing.F) {
	names := format.BulkNames()
	seed := func(form, pattern string) {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files[:min(len(files), 20)] {
			if data, err := os.ReadFile(file); err == nil && len(data) <= 32<<10 {
				f.Add(uint8(slices.Index(names, form)), data)
			}
		}
	}
	for _, name := range names {
		seed(name, filepath.Join("..", "format", "testdata", "bulk", name+".json*"))
		if dir := os.Getenv("WENLAN_TESTDATA"); dir != "" {
			seed(name, filepath.Join(dir, "interop", name, "*"))
			seed(name, filepath.Join(dir, "malformed", name+"*"))
		}
	}
	f.Add(uint8(slices.Index(names, "jsonl")), []byte(`{"record":{"title":"A","ids":[{"scheme":"oclc","value":"1"}]},"source":{"name":"a","id":"1","extra":{"x":["y"]}}}
{"record":{"title":"A","ids":[{"scheme":"oclc","value":"1"}]},"source":{"name":"b","id":"1"}}`))
	f.Add(uint8(slices.Index(names, "jsonl")), []byte(`{"record":{"title":"A","place":"P"},"source":{"name":"a","id":"1"},"said":{"title":"A"},"others":[{"source":{"name":"b","id":"1"},"says":{"place":"P"}}]}
{"record":{"title":"A"},"source":{"name":"b","id":"1"}}
{"record":{"title":"C"},"source":{"name":"c","id":"1"},"said":{"title":"C"},"others":[{"source":{"name":"librarian","id":"1"},"says":{"place":null}},{"source":{"name":"a","id":"1"},"says":{}}]}`))
	f.Fuzz(func(t *testing.T, form uint8, data []byte) {
		if len(data) > 64<<10 {
			return
		}
		s := newShelf()
		in := intake.New(intake.Config{Register: s, Blobs: bodies{shelf: s}, Known: s, Workers: 1})
		bulk, err := format.FindBulk(names[int(form)%len(names)])
		if err != nil {
			t.Fatal(err)
		}
		run := func(source string) string {
			var said []string
			sum, err := in.Import(t.Context(), bulk, []intake.ImportFile{{Path: "x", Input: "x", Reader: strings.NewReader(string(data))}}, intake.ImportOptions{Source: source}, func(o intake.Outcome) {
				if o.Status == intake.Refused && (o.Err == nil || o.Err.Error() == "") || o.Status != intake.Refused && o.Status != intake.Deleted && s.states[o.Record] == nil {
					t.Fatalf("%+v", o)
				}
				said = append(said, fmt.Sprint(o.Input, o.Status == intake.Refused, o.Record))
			}, nil)
			if n := sum.Added + sum.Joined + sum.Known + sum.Revised + sum.Refused + sum.NeedsRights + sum.Deleted; err != nil || n != len(said) {
				t.Fatalf("%+v %v", sum, err)
			}
			return strings.Join(said, "\n")
		}
		first := run("a")
		size := len(s.entries)
		if again := run("a"); again != first || len(s.entries) != size {
			t.Fatalf("%d entries more; %s\n%s", len(s.entries)-size, first, again)
		}
		run("b")
		run("") // each source by its own name
		size = len(s.entries)
		if run(""); len(s.entries) != size {
			t.Fatalf("%d entries more", len(s.entries)-size)
		}
	})
}
