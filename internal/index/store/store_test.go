package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

func TestApply(t *testing.T) {
	ctx := context.Background()
	cfg := Config{Dir: t.TempDir(), Format: 3}
	s := open(t, cfg)
	holds(t, s, 0, state{})
	var h history
	h.large = 100
	for c := int64(1); c <= 300; c++ {
		apply(t, s, batchAt(c, 100))
		holds(t, s, c, h.at(c))
	}
	snap, release := s.Snapshot()
	if n := len(snap.Segments); n > maxMemory+1 {
		t.Errorf("%d segments in memory", n)
	}
	release()
	isKind(t, s.Apply(ctx, Batch{Cursor: 299}), errs.Invalid)
	isKind(t, s.Apply(ctx, Batch{Cursor: 301, Docs: []*segment.Doc{doc(5, 1, 1), doc(5, 1, 2)}}), errs.Invalid)
	holds(t, s, 300, h.at(300))
	sound(t, s)
	closed(t, s)
	isKind(t, s.Ready(), errs.Unavailable)
	isKind(t, s.Apply(ctx, Batch{Cursor: 301}), errs.Unavailable)
	if snap, release := s.Snapshot(); len(snap.Segments) != 0 {
		t.Error("a closed store has segments")
	} else {
		release()
	}
	closed(t, s)

	s = open(t, cfg) // from the tail
	holds(t, s, 300, h.at(300))
	if s.Library() != "library" {
		t.Errorf("the library is %q", s.Library())
	}
	if err := s.Compact(ctx, 1); err != nil {
		t.Fatal(err)
	}
	holds(t, s, 300, h.at(300))
	apply(t, s, batchAt(301, 100))
	closed(t, s)
	s = open(t, cfg)
	holds(t, s, 301, h.at(301))
	sound(t, s)
	closed(t, s)

	cfg.Format = 4
	s = open(t, cfg)
	isKind(t, s.Ready(), errs.Refused)
	if errs.HintOf(s.Ready()) == "" {
		t.Error("no hint")
	}
	d, err := s.Draft(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	holds(t, s, 0, state{})
	closed(t, s)
	if list := files(t, cfg.Dir); !slices.Equal(list, []string{"2/manifest"}) {
		t.Errorf("left are %q", list)
	}
}

func files(t tester, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			list = append(list, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestModel does random things to a store and compares it with a map, and so does with
// a reader beside it and with copies of the folder as a crash might leave them.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		dir, err := os.MkdirTemp("", "store")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cfg := small(filepath.Join(dir, "a"), nil)
		if rapid.Bool().Draw(t, "long builds") {
			cfg.BuildBytes = 1 << 30
		}
		ro := cfg
		ro.ReadOnly = true
		r := open(t, ro)
		isKind(t, r.Ready(), errs.Unavailable)
		s := open(t, cfg)
		states := []state{{}}
		numbers := uint64(0)
		cursor := func() int64 { return int64(len(states) - 1) }
		type kept struct {
			snap    *Snapshot
			release func()
		}
		var keep []kept
		batch := func(n int) Batch {
			numbers++
			b := Batch{Cursor: cursor() + 1, Library: "l"}
			seen := map[int64]bool{}
			for range n {
				r := rapid.Int64Range(1, 120).Draw(t, "record")
				if !seen[r] {
					for p := range int32(rapid.IntRange(1, 2).Draw(t, "parts")) {
						b.Docs = append(b.Docs, doc(r, p, numbers))
					}
				}
				seen[r] = true
			}
			b.Delete = rapid.SliceOfN(rapid.Int64Range(1, 120), 0, 3).Draw(t, "delete")
			return b
		}
		put := func(b Batch) {
			apply(t, s, b)
			states = append(states, states[cursor()].apply(&b))
		}
		giveBack := func() {
			for _, k := range keep {
				same(t, read(t, k.snap), states[k.snap.Cursor])
				k.release()
			}
			keep = nil
		}
		copies := 0
		t.Repeat(map[string]func(*rapid.T){
			"small":  func(*rapid.T) { put(batch(rapid.IntRange(0, 5).Draw(t, "n"))) },
			"large":  func(*rapid.T) { put(batch(60)) },
			"flush":  func(*rapid.T) { s.now.Load().flushNow(ctx) },
			"merge":  func(*rapid.T) { s.Compact(ctx, rapid.IntRange(1, 3).Draw(t, "segments")) },
			"reopen": func(*rapid.T) { giveBack(); closed(t, s); s = open(t, cfg) },
			"reader": func(*rapid.T) { holds(t, r, cursor(), states[cursor()]) },
			"new reader": func(*rapid.T) {
				giveBack()
				closed(t, r)
				r = open(t, ro)
				holds(t, r, cursor(), states[cursor()])
				sound(t, r)
			},
			"keep": func(*rapid.T) {
				for _, x := range []*Store{s, r} {
					if x.Ready() == nil {
						snap, release := x.Snapshot()
						keep = append(keep, kept{snap, release})
					}
				}
			},
			"kept": func(*rapid.T) { giveBack() },
			"rebuild": func(*rapid.T) {
				d, err := s.Draft(ctx)
				if err != nil {
					t.Fatal(err)
				}
				defer d.Discard()
				st := state{}
				for c := int64(1); c <= cursor(); c++ {
					b := batch(rapid.IntRange(0, 20).Draw(t, "n"))
					b.Cursor = c
					if c == cursor() { // make it what the store is
						b = Batch{Cursor: c}
						for k := range st {
							b.Delete = append(b.Delete, k[0])
						}
						for k, v := range states[c] {
							b.Docs = append(b.Docs, doc(k[0], int32(k[1]), v))
						}
					}
					if err := d.Apply(ctx, b); err != nil {
						t.Fatal(err)
					}
					st = st.apply(&b)
				}
				if rapid.Bool().Draw(t, "commit") {
					if err := d.Commit(ctx); err != nil {
						t.Fatal(err)
					}
				}
			},
			"crash": func(*rapid.T) {
				copies++
				other := cfg
				other.Dir = filepath.Join(dir, fmt.Sprint(copies))
				g := s.now.Load()
				g.write.Lock() // a copy takes time, a crash does not
				flushed := g.man.Cursor
				copyDir(t, cfg.Dir, other.Dir, g.number)
				tail := filepath.Join(other.Dir, fmt.Sprint(g.number), g.tail.name)
				g.write.Unlock()
				if data, err := os.ReadFile(tail); err == nil && len(data) > 0 && rapid.Bool().Draw(t, "tear") {
					n := rapid.IntRange(0, len(data)).Draw(t, "length")
					data = append(data[:n], make([]byte, rapid.IntRange(0, 20).Draw(t, "zeros"))...)
					if err := os.WriteFile(tail, data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				for _, name := range []string{"seg-999999", "del-000001-999999", "tail-999999", "manifest.tmp"} {
					os.WriteFile(filepath.Join(filepath.Dir(tail), name), []byte("torn"), 0o644)
				}
				x := open(t, other)
				c := x.Cursor()
				if c < flushed || c > cursor() {
					t.Fatalf("the cursor is %d", c)
				}
				holds(t, x, c, states[c])
				sound(t, x)
				b := batch(3)
				b.Cursor = c + 1
				apply(t, x, b)
				holds(t, x, c+1, states[c].apply(&b))
				closed(t, x)
				x = open(t, other)
				holds(t, x, c+1, states[c].apply(&b))
				closed(t, x)
				for _, name := range files(t, other.Dir) {
					if strings.Contains(name, "999999") || strings.HasSuffix(name, ".tmp") {
						t.Fatalf("%s is left", name)
					}
				}
			},
			"": func(*rapid.T) { holds(t, s, cursor(), states[cursor()]) },
		})
		giveBack()
		sound(t, s)
		closed(t, s)
		closed(t, r)
	})
}

// copyDir copies what a crash would leave while generation number is in use. What
// goes away meanwhile is a segment that a merge writes, or of a generation that is
// being closed.
func copyDir(t tester, from, to string, number int) {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		gone := func(err error) error {
			current, name := filepath.Split(rel)
			if errors.Is(err, fs.ErrNotExist) && rel != "." && (strings.HasPrefix(name, "seg-") || current != fmt.Sprint(number)+"/") {
				return nil
			}
			return err
		}
		if err != nil {
			return gone(err)
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return gone(err)
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSimCrash lets operations of the disk fail, or the power, while batches are
// applied, merged and rebuilt, and opens what is left.
func TestSimCrash(t *testing.T) {
	ctx := context.Background()
	var h history
	h.large = 60
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	for _, fault := range durable.Faults {
		t.Run(fault.String(), func(t *testing.T) {
			h := history{large: 60, states: slices.Clone(h.states)}
			for seed := range rounds / 5 {
				sim := durable.NewSim(uint64(seed))
				cfg := small("/views/index", sim)
				c := int64(0)
				for crash := range 4 {
					s, err := Open(ctx, cfg)
					if err != nil {
						t.Fatalf("seed %d, crash %d: %v", seed, crash, err)
					}
					if err := s.Ready(); err != nil {
						t.Fatalf("seed %d, crash %d: %v", seed, crash, err)
					}
					c = s.Cursor()
					holds(t, s, c, h.at(c))
					if err := s.Check(ctx); err != nil {
						t.Fatalf("seed %d, crash %d: %v", seed, crash, err)
					}
					sim.FailAt(1+(seed*37+crash*11)%150, fault)
					for range 60 {
						b := batchAt(c+1, h.large)
						if s.Apply(ctx, b) != nil {
							if sim.Off() {
								break
							}
							if s.Cursor() != c {
								t.Fatalf("seed %d: a failed batch moved the cursor", seed)
							}
							continue // again
						}
						c++
					}
					if !sim.Off() {
						holds(t, s, c, h.at(c))
						if seed%3 == 0 {
							if d, err := s.Draft(ctx); err == nil {
								for at := int64(1); at <= c && err == nil; at++ {
									err = d.Apply(ctx, batchAt(at, h.large))
								}
								if err == nil {
									err = d.Commit(ctx)
								}
								d.Discard()
								if err == nil {
									holds(t, s, c, h.at(c))
								}
							}
						}
					}
					s.Close() // so that nothing of it goes on after the crash
					if crash == 1 {
						sim.Kill()
					} else {
						sim.Crash()
					}
				}
			}
		})
	}
}

// TestOpenIsDurable: what a start has found is not lost by a later loss of power,
// though the process before was killed between a renaming and its sync.
func TestOpenIsDurable(t *testing.T) {
	h := history{large: 60}
	for seed := range uint64(20) {
		sim := durable.NewSim(seed)
		cfg := small("/views/index", sim)
		s := open(t, cfg)
		c := int64(0)
		for ; c < 40; c++ {
			apply(t, s, batchAt(c+1, h.large))
		}
		sim.SetHook(func(op durable.Op) durable.Fault {
			if op.Kind == durable.OpRename {
				return durable.FailAfter
			}
			return durable.None
		})
		var err error
		for ; err == nil; c++ {
			err = s.Apply(context.Background(), batchAt(c+1, h.large))
		}
		closed(t, s)
		sim.Kill()
		s = open(t, cfg)
		if at := s.Cursor(); at != c && at != c-1 { // the batch that failed may be there
			t.Fatalf("the cursor is %d after %d", at, c)
		}
		c = s.Cursor()
		holds(t, s, c, h.at(c))
		closed(t, s)
		sim.Crash()
		s = open(t, cfg)
		c = s.Cursor()
		holds(t, s, c, h.at(c))
		sound(t, s)
		closed(t, s)
	}
}

// TestFlip flips bytes in every file; Check finds each and names the file.
func TestFlip(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	cfg := small(dir, nil)
	cfg.MergeSegments = 10
	s := open(t, cfg)
	for c := int64(1); c <= 60; c++ {
		apply(t, s, batchAt(c, 60))
	}
	for s.now.Load().tail.size < 1000 {
		apply(t, s, batchAt(s.Cursor()+1, 5))
	}
	s.now.Load().merger.stop()
	sound(t, s)
	ro := cfg
	ro.ReadOnly = true
	kinds := map[string]int{}
	for _, name := range files(t, dir) {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			at := (i*len(data)/12 + i*i*7) % len(data)
			if i == 0 {
				at = len(data) - 1
			}
			put := func(x byte) {
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err == nil {
					_, err = f.WriteAt([]byte{x}, int64(at))
					f.Close()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			put(data[at] ^ 1<<(i%8))
			r := open(t, ro) // which opens what is damaged
			for who, x := range map[string]*Store{"writer": s, "reader": r} {
				if who == "reader" && strings.Contains(name, "tail") && at > len(data)-30 {
					continue // looks like a frame that is being written
				}
				err := x.Check(ctx)
				if !errs.Is(err, errs.Corrupt) || !strings.Contains(err.Error(), filepath.Base(name)) {
					t.Errorf("%s: byte %d of %s is flipped: %v", who, at, name, err)
				}
			}
			closed(t, r)
			put(data[at])
		}
		kinds[strings.SplitN(filepath.Base(name), "-", 2)[0]]++
	}
	if len(kinds) != 4 {
		t.Errorf("only %v", slices.Collect(maps.Keys(kinds)))
	}
	sound(t, s)
	closed(t, s)
}

// TestDamaged opens stores with files that are cut or missing: they say so, and can be
// rebuilt.
func TestDamaged(t *testing.T) {
	ctx := context.Background()
	from := t.TempDir()
	s := open(t, small(from, nil))
	for c := int64(1); c <= 60; c++ {
		apply(t, s, batchAt(c, 60))
	}
	closed(t, s)
	for _, name := range files(t, from) {
		if strings.Contains(name, "tail") {
			continue
		}
		for _, how := range []string{"remove", "cut", "empty"} {
			if how == "remove" && strings.HasSuffix(name, manifestName) {
				continue // as if it had never been made
			}
			dir := filepath.Join(t.TempDir(), "x")
			copyDir(t, from, dir, 0) // nobody has it open
			path := filepath.Join(dir, name)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			switch how {
			case "remove":
				err = os.Remove(path)
			case "cut":
				err = os.Truncate(path, info.Size()-1)
			case "empty":
				err = os.Truncate(path, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			cfg := small(dir, nil)
			ro := cfg
			ro.ReadOnly = true
			r := open(t, ro)
			isKind(t, r.Ready(), errs.Corrupt)
			s := open(t, cfg)
			isKind(t, s.Ready(), errs.Corrupt)
			isKind(t, s.Check(ctx), errs.Corrupt)
			isKind(t, s.Apply(ctx, batchAt(1, 60)), errs.Corrupt)
			if errs.HintOf(s.Ready()) == "" || !strings.Contains(s.Ready().Error(), filepath.Base(name)) {
				t.Errorf("%s: %v", name, s.Ready())
			}
			d, err := s.Draft(ctx)
			if err == nil {
				err = d.Apply(ctx, batchAt(1, 60))
			}
			if err == nil {
				err = d.Commit(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			var h history
			h.large = 60
			holds(t, s, 1, h.at(1))
			holds(t, r, 1, h.at(1))
			closed(t, r)
			closed(t, s)
			if list := files(t, dir); len(list) > 3 || !strings.HasPrefix(list[0], "2/") {
				t.Errorf("left are %q", list)
			}
		}
	}
}

// TestReading reads in several goroutines and from a second store while batches are
// applied and merged: every snapshot is exactly one of the states.
func TestReading(t *testing.T) {
	cfg := small(t.TempDir(), nil)
	s := open(t, cfg)
	ro := cfg
	ro.ReadOnly = true
	r := open(t, ro)
	var h history
	h.large = 60
	last := int64(400)
	if testing.Short() {
		last = 100
	}
	h.at(last)
	var stop atomic.Bool
	var longest atomic.Int64
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			x := s
			if i%2 == 1 {
				x = r
			}
			before := int64(0)
			for !stop.Load() {
				began := time.Now()
				snap, release := x.Snapshot()
				if x == s {
					took := int64(time.Since(began))
					for old := longest.Load(); took > old && !longest.CompareAndSwap(old, took); old = longest.Load() {
					}
				}
				if snap.Cursor < before {
					t.Errorf("the cursor went from %d to %d", before, snap.Cursor)
				}
				before = snap.Cursor
				got := read(t, snap)
				same(t, got, h.states[snap.Cursor])
				release()
			}
		})
	}
	wg.Go(func() {
		for !stop.Load() {
			sound(t, s)
			sound(t, r)
		}
	})
	for c := int64(1); c <= last; c++ {
		apply(t, s, batchAt(c, 60))
	}
	stop.Store(true)
	wg.Wait()
	t.Logf("the longest wait for a snapshot was %v", time.Duration(longest.Load()))
	holds(t, r, last, h.at(last))
	closed(t, r)
	closed(t, s)
}

// TestDraft: what a draft does is not seen before Commit, and Discard leaves nothing.
func TestDraft(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cfg := small(t.TempDir(), nil)
	s := open(t, cfg)
	h := history{large: 60}
	apply(t, s, batchAt(1, h.large))
	for round, end := range []func(*Draft) error{
		(*Draft).Discard,
		func(d *Draft) error { return d.Commit(ctx) },
		func(d *Draft) error { return errors.Join(d.Compact(ctx, 1), d.Commit(ctx)) },
		func(d *Draft) error { cancel(); isKind(t, d.Commit(ctx), errs.Internal); return d.Discard() },
		func(d *Draft) error { d.b.fail(errors.New("no room")); return d.Discard() },
	} {
		at, before := s.Cursor(), s.now.Load().number
		d, err := s.Draft(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for c := int64(1); c <= int64(round+2)*50; c++ {
			if err := d.Apply(context.Background(), batchAt(c, h.large)); err != nil {
				t.Fatal(err)
			}
		}
		holds(t, s, at, h.at(at))
		if err := end(d); err != nil {
			t.Fatal(err)
		}
		if s.now.Load().number != before {
			at = d.Cursor()
		}
		holds(t, s, at, h.at(at))
		if want := round == 1 || round == 2; (s.now.Load().number != before) != want {
			t.Fatalf("round %d: the generation is %d after %d", round, s.now.Load().number, before)
		}
		if err := d.Discard(); err != nil {
			t.Fatal(err)
		}
		sound(t, s)
		if list, err := s.generations(); err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
	}
	closed(t, s)
}

// TestCloseWaits: a snapshot stays whole until it is given back, and Close waits.
func TestCloseWaits(t *testing.T) {
	s := open(t, small(t.TempDir(), nil))
	apply(t, s, batchAt(1, 60))
	if err := s.Compact(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	snap, release := s.Snapshot()
	done := make(chan struct{})
	go func() { closed(t, s); close(done) }()
	select {
	case <-done:
		t.Fatal("closed while a snapshot is held")
	case <-time.After(20 * time.Millisecond):
	}
	var h history
	h.large = 60
	same(t, read(t, snap), h.at(1))
	release()
	<-done
}

// TestOldSearch: the files of the first version's search go, others stay.
func TestOldSearch(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"3.db", "3.db-wal", "4.new", "notes.txt", "x.db"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, open(t, Config{Dir: dir}))
	if list := files(t, dir); !slices.Equal(list, []string{"1/manifest", "notes.txt", "x.db"}) {
		t.Errorf("left are %q", list)
	}
}

func FuzzBatch(f *testing.F) {
	b := batchAt(7, 20)
	f.Add(appendBatch(nil, 6, &b))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		from, b, err := decodeBatch(data)
		if err != nil {
			isKind(t, err, errs.Corrupt)
			return
		}
		again, b2, err := decodeBatch(appendBatch(nil, from, b))
		if err != nil || again != from || b2.Cursor != b.Cursor || len(b2.Docs) != len(b.Docs) || len(b2.Delete) != len(b.Delete) {
			t.Fatalf("%v: not the same again", err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	m := manifest{Layout: layout, Tail: "tail-000001", Segments: []segFile{{Name: "seg-000002", Docs: 5, Deleted: &delFile{Name: "del-000002-3"}}}}
	data, _ := m.encode()
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		line, _, _ := strings.Cut(string(data), "\n")
		for _, d := range [][]byte{data, fmt.Appendf(nil, "%s\ncrc32c %08x\n", line, sum([]byte(line+"\n")))} {
			if m, err := decodeManifest(d); err == nil {
				for name := range m.names() {
					if !ours(name) || strings.ContainsAny(name, "/\\.") {
						t.Errorf("it names %q", name)
					}
				}
			}
		}
	})
}

func FuzzDeleted(f *testing.F) {
	seed, err := encodeDeleted(roaring.BitmapOf(1, 5, 900))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed[len(delMagic) : len(seed)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		data := append([]byte(delMagic), body...)
		data = binary.LittleEndian.AppendUint32(data, sum(data))
		b, err := decodeDeleted(data, 1000)
		if err != nil {
			isKind(t, err, errs.Corrupt)
			return
		}
		n := 0
		for it := b.Iterator(); it.HasNext(); n++ {
			if it.Next() >= 1000 || n > 1000 {
				t.Fatal("it deletes documents that there are not")
			}
		}
	})
}
