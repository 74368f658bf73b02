package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

func TestSizes(t *testing.T) {
	ctx := context.Background()
	for _, sizes := range [][]int{
		{1}, {2}, {255}, {256}, {257}, {1, 1, 254, 1}, {255, 1, 256, 511, 3}, {256 * 257}, {65535, 1, 1}, {65536, 65536 * 2},
	} {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			dir := t.TempDir()
			r, cfg, want := library(t, nil, dir, 1)
			for _, n := range sizes {
				for n > 0 {
					batch := batchOf(len(want), min(n, MaxBatch))
					first, err := r.Append(ctx, batch)
					if err != nil || first != int64(len(want)) {
						t.Fatal(first, err)
					}
					n -= len(batch)
					want = append(want, batch...)
				}
				sum := check(t, r, cfg, want)
				if sum.Leftovers != 0 {
					t.Errorf("%d leftovers", sum.Leftovers)
				}
				if n := len(partials(t, dir)); n != 1+len(edgeTiles(r.Size())) && r.Size()%width != 0 {
					t.Errorf("%d partial files for %d entries: %v", n, r.Size(), partials(t, dir))
				}
			}
			again, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			check(t, again, cfg, want)
		})
	}
}

// partials are the files of partial tiles.
func partials(t testing.TB, dir string) (list []string) {
	for _, name := range filesOf(t, dir) {
		if strings.Contains(name, ".p/") {
			list = append(list, name)
		}
	}
	return list
}

func filesOf(t testing.TB, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			list = append(list, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEntries(t *testing.T) {
	ctx := context.Background()
	r, cfg, want := library(t, nil, t.TempDir(), 600)
	for _, i := range []int64{0, 1, 255, 256, 511, 512, 599} {
		got, err := r.Entry(ctx, i)
		if err != nil || !bytes.Equal(got, want[i]) {
			t.Errorf("entry %d: %q, %v", i, got, err)
		}
	}
	for _, i := range []int64{-1, 600} {
		if _, err := r.Entry(ctx, i); !errs.Is(err, errs.NotFound) {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	for _, batch := range [][][]byte{{nil}, {make([]byte, record.MaxEntry+1)}} {
		if _, err := r.Append(ctx, batch); !errs.Is(err, errs.Invalid) {
			t.Errorf("a bad entry: %v", err)
		}
	}
	if _, err := r.Append(ctx, make([][]byte, MaxBatch+1)); !errs.Is(err, errs.TooLarge) {
		t.Errorf("a batch too long: %v", err)
	}
	if _, err := Create(cfg, want[0]); !errs.Is(err, errs.Refused) {
		t.Errorf("a second register in one folder: %v", err)
	}
	if _, err := Open(Config{Dir: t.TempDir()}); !errs.Is(err, errs.NotFound) {
		t.Errorf("no register: %v", err)
	}
	other := newKeys(t)
	cfg.Signer = other.origin
	if _, err := Open(cfg); !errs.Is(err, errs.Invalid) {
		t.Errorf("the wrong key: %v", err)
	}
	cfg.Signer = nil
	reader, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Append(ctx, batchOf(0, 1)); !errs.Is(err, errs.Invalid) {
		t.Errorf("append to a register that is open for reading: %v", err)
	}
	if _, err := r.Append(ctx, batchOf(600, 300)); err != nil {
		t.Fatal(err)
	}
	if got, err := reader.Entry(ctx, 599); err != nil || !bytes.Equal(got, want[599]) {
		t.Errorf("a reader loses its last bundle while the register grows: %v", err)
	}
	if err := reader.Refresh(); err != nil || reader.Size() != 900 {
		t.Errorf("refreshed to %d: %v", reader.Size(), err)
	}
}

func TestProofs(t *testing.T) {
	r, _, want := library(t, nil, t.TempDir(), 700)
	for _, size := range []int64{1, 2, 255, 256, 257, 512, 600, 700} {
		root, err := r.RootHash(size)
		if err != nil || root != rootOf(t, want[:size]) {
			t.Fatalf("root of %d: %v", size, err)
		}
		for i := int64(0); i < size; i += 37 {
			p, err := r.InclusionProof(i, size)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := r.LeafHash(i)
			if err != nil || leaf != tlog.RecordHash(want[i]) {
				t.Fatal(i, err)
			}
			if err := tlog.CheckRecord(p, size, root, i, leaf); err != nil {
				t.Errorf("entry %d of %d: %v", i, size, err)
			}
		}
		p, err := r.ConsistencyProof(size, 700)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(p, 700, r.Published().Root, size, root); err != nil {
			t.Errorf("tree %d: %v", size, err)
		}
	}
	if _, err := r.InclusionProof(5, 701); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
	if _, err := r.ConsistencyProof(0, 700); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
}

func TestResource(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r, _, _ := library(t, nil, dir, 300)
	names := filesOf(t, dir)
	old := map[string][]byte{}
	for _, name := range names {
		old[name], _ = os.ReadFile(filepath.Join(dir, name))
	}
	for range 3 {
		for name, want := range old {
			if strings.HasPrefix(name, "charters/") {
				continue
			}
			if got, err := r.Resource(name); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s of %d entries: %v", name, r.Size(), err)
			}
		}
		if _, err := r.Append(ctx, batchOf(0, 190)); err != nil {
			t.Fatal(err)
		}
		old["checkpoint"] = r.Checkpoint()
	}
	for _, name := range []string{"", "tile", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/0", "tile/entries/999", "tile/data/000",
		"tile/8/0/000", "tile/0/../0/000", "charters/1", "tile/-1/000", "tile/0/x000/001", "../checkpoint"} {
		if _, err := r.Resource(name); !errs.Is(err, errs.NotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if got, err := r.Resource("charters"); err != nil || !bytes.HasPrefix(got, []byte(`["wenlan-charter/v1\n`)) {
		t.Errorf("charters: %s, %v", got, err)
	}
}

// TestGroup checks that calls which meet share checkpoints, and that each gets
// its own indices.
func TestGroup(t *testing.T) {
	ctx := context.Background()
	sim := durable.NewSim(1)
	r, cfg, want := library(t, sim, "/r", 1)
	all := make([][]byte, 401)
	all[0] = want[0]
	published := 0
	sim.SetHook(func(op durable.Op) durable.Fault {
		if op.Kind == durable.OpRename {
			published++
		}
		return durable.None
	})
	if err := r.take(ctx); err != nil { // let all of them meet
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 200 {
		wg.Go(func() {
			batch := batchOf(1000+2*g, 2)
			first, err := r.Append(ctx, batch)
			if err != nil {
				t.Error(err)
				return
			}
			copy(all[first:], batch)
		})
	}
	for {
		r.mu.Lock()
		n := len(r.queue)
		r.mu.Unlock()
		if n == 200 {
			break
		}
	}
	r.yield()
	wg.Wait()
	sim.SetHook(nil)
	check(t, r, cfg, all)
	if published != 1 {
		t.Errorf("%d checkpoints for 200 calls that met", published)
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, cfg, want := library(t, durable.NewSim(1), "/r", 3)
		ctx, cancel := context.WithCancel(context.Background())
		if err := r.take(context.Background()); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := r.Append(ctx, batchOf(3, 1))
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		r.yield()
		check(t, r, cfg, want)
	})
}

// TestModel does random things and compares with a slice of entries after each.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		sim := durable.NewSim(rapid.Uint64().Draw(rt, "seed"))
		r, cfg, model := library(t, sim, "/r", 1)
		var checkpoints []Checkpoint
		erased := false
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				n := rapid.SampledFrom([]int{1, 2, 7, 100, 255, 256, 257, 600}).Draw(rt, "n")
				batch := batchOf(len(model), n)
				first, err := r.Append(ctx, batch)
				if err != nil || first != int64(len(model)) {
					rt.Fatal(first, err)
				}
				model = append(model, batch...)
			},
			"erase": func(rt *rapid.T) {
				i := rapid.Int64Range(0, int64(len(model)-1)).Draw(rt, "i")
				if i == 0 || model[i] != nil && bytes.Contains(model[i], []byte("erasure")) {
					if err := r.Erase(ctx, []int64{i}); !errs.Is(err, errs.Refused) {
						rt.Fatalf("erase %d: %v", i, err)
					}
					return
				}
				e := encode(t, record.Entry{Type: record.TypeErasure, Entries: []int64{i}, Ground: "a court"})
				if _, err := r.Append(ctx, [][]byte{e}); err != nil {
					rt.Fatal(err)
				}
				if err := r.Erase(ctx, []int64{i}); err != nil {
					rt.Fatal(err)
				}
				model = append(model, e)
				model[i] = nil
				erased = true
				if _, err := r.Entry(ctx, i); !errs.Is(err, errs.Gone) {
					rt.Fatalf("an erased entry: %v", err)
				}
			},
			"reopen": func(rt *rapid.T) {
				var err error
				if r, err = Open(cfg); err != nil {
					rt.Fatal(err)
				}
			},
			"crash": func(rt *rapid.T) {
				sim.Crash()
				var err error
				if r, err = Open(cfg); err != nil {
					rt.Fatal(err)
				}
			},
			"fail": func(rt *rapid.T) {
				sim.FailAt(rapid.IntRange(1, 20).Draw(rt, "at"), rapid.SampledFrom([]durable.Fault{durable.FailBefore, durable.FailAfter, durable.Torn}).Draw(rt, "fault"))
				batch := batchOf(len(model)+5000, 300)
				_, err := r.Append(ctx, batch)
				sim.SetHook(nil)
				if err == nil {
					model = append(model, batch...)
				} else if errs.Is(err, errs.Unavailable) {
					if r, err = Open(cfg); err != nil {
						rt.Fatal(err)
					}
					if r.Size() > int64(len(model)) {
						model = append(model, batch...)
					}
				}
			},
			"": func(rt *rapid.T) {
				if sum := check(t, r, cfg, model); (sum.Erased > 0) != erased {
					rt.Fatal("erased entries are not counted")
				}
				if c := r.Published(); len(checkpoints) == 0 || checkpoints[len(checkpoints)-1].Size != c.Size {
					checkpoints = append(checkpoints, c)
				}
				for _, c := range checkpoints {
					p, err := r.ConsistencyProof(c.Size, r.Size())
					if err == nil {
						err = tlog.CheckTree(p, r.Size(), r.Published().Root, c.Size, c.Root)
					}
					if err != nil {
						rt.Fatalf("not a prefix: %v", err)
					}
				}
			},
		})
	})
}

func TestEraseLeavesNoCopy(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r, cfg, want := library(t, nil, dir, 300)
	secret := []byte(`{"secret":"the man's name"}`)
	if _, err := r.Append(ctx, [][]byte{secret}); err != nil {
		t.Fatal(err)
	}
	want = append(want, secret)
	// An old partial copy that a crash has left behind.
	stale, _ := r.Resource("tile/entries/001.p/45")
	e := encode(t, record.Entry{Type: record.TypeErasure, Entries: []int64{300}, Ground: "a court"})
	if _, err := r.Append(ctx, [][]byte{e}); err != nil {
		t.Fatal(err)
	}
	want = append(want, e)
	if err := os.WriteFile(filepath.Join(dir, "tile/entries/001.p/45"), stale, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, problems := verify(t, cfg, VerifyOptions{}); len(problems) != 1 || !strings.Contains(problems[0].What, "still there") {
		t.Errorf("content that should have been purged: %+v", problems)
	}
	if err := r.Erase(ctx, []int64{300}); err != nil {
		t.Fatal(err)
	}
	want[300] = nil
	check(t, r, cfg, want)
	for _, name := range filesOf(t, dir) {
		if data, _ := os.ReadFile(filepath.Join(dir, name)); bytes.Contains(data, []byte("the man's name")) {
			t.Errorf("%s still holds what was erased", name)
		}
	}
	// It stays erased while the register grows over it, and full bundles too.
	if _, err := r.Append(ctx, batchOf(302, 300)); err != nil {
		t.Fatal(err)
	}
	want = append(want, batchOf(302, 300)...)
	check(t, r, cfg, want)
	if _, err := r.Entry(ctx, 20); err != nil { // fill the cache
		t.Fatal(err)
	}
	e = encode(t, record.Entry{Type: record.TypeErasure, Entries: []int64{20, 21}, Ground: "a court"})
	if _, err := r.Append(ctx, [][]byte{e}); err != nil {
		t.Fatal(err)
	}
	if err := r.Erase(ctx, []int64{20, 21}); err != nil {
		t.Fatal(err)
	}
	want = append(want, e)
	want[20], want[21] = nil, nil
	check(t, r, cfg, want)
	if _, err := r.Entry(ctx, 20); !errs.Is(err, errs.Gone) {
		t.Error(err)
	}
	// Without an erasure a gap is a problem.
	if err := r.Erase(ctx, []int64{30, 31, 32, 40}); err != nil {
		t.Fatal(err)
	}
	_, problems := verify(t, cfg, VerifyOptions{})
	if len(problems) != 2 || problems[0].Where != "tile/entries/000" {
		t.Errorf("unexplained gaps: %+v", problems)
	}
	if err := r.Erase(ctx, []int64{0}); !errs.Is(err, errs.Refused) {
		t.Errorf("entry 0: %v", err)
	}
	if !slices.ContainsFunc(want, func(e []byte) bool { return e == nil }) {
		t.Error("nothing was erased")
	}
}

// TestSnapshot copies a register while it grows.
func TestSnapshot(t *testing.T) {
	ctx := context.Background()
	r, cfg, want := library(t, nil, t.TempDir(), 600)
	dir := t.TempDir()
	err := r.Snapshot(ctx, func(name string, data []byte) error {
		if _, err := r.Append(ctx, batchOf(0, 50)); err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir = dir
	copied, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	check(t, copied, cfg, want)
}

// TestMemory checks that neither an open register nor Verify holds more when the
// register is longer.
func TestMemory(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	r, cfg, _ := library(t, nil, t.TempDir(), 1)
	measure := func(n int) (open, verifying int64) {
		t.Helper()
		if _, err := r.Append(context.Background(), benchBatch(n)); err != nil {
			t.Fatal(err)
		}
		open = heap()
		calls := 0
		verify(t, cfg, VerifyOptions{Progress: func(done, size int64) {
			if calls++; calls%50 == 0 {
				verifying = max(verifying, heap())
			}
		}})
		return open, verifying
	}
	open1, verify1 := measure(20_000)
	open2, verify2 := measure(100_000)
	if grown := open2 - open1; grown > 1<<20 {
		t.Errorf("the register holds %d bytes more", grown)
	}
	if grown := verify2 - verify1; grown > 4<<20 {
		t.Errorf("verifying holds %d bytes more", grown)
	}
	runtime.KeepAlive(r)
}
