package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"wenlan/internal/blob"
	"wenlan/internal/blob/blobtest"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

var ctx = context.Background()

func open(t testing.TB, cfg blob.LocalConfig) *blob.Local {
	t.Helper()
	l, err := blob.OpenLocal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// put stores data durably.
func put(t testing.TB, l blob.Store, data []byte) blob.Ref {
	t.Helper()
	ref, err := l.Put(ctx, bytes.NewReader(data))
	if err == nil {
		err = l.Flush(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func get(l blob.Store, sha string) ([]byte, error) {
	b, err := l.Open(ctx, sha)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return io.ReadAll(b)
}

func pathOf(root, sha string) string { return filepath.Join(root, sha[:2], sha[2:4], sha) }

func TestConformance(t *testing.T) {
	t.Run("one root", func(t *testing.T) {
		blobtest.Test(t, func(t *testing.T) blob.Store { return open(t, blob.LocalConfig{Roots: []string{t.TempDir()}}) })
	})
	t.Run("three roots, small batches", func(t *testing.T) {
		blobtest.Test(t, func(t *testing.T) blob.Store {
			return open(t, blob.LocalConfig{Roots: []string{t.TempDir(), t.TempDir(), t.TempDir()}, MaxPending: 3})
		})
	})
	t.Run("simulated disk", func(t *testing.T) {
		blobtest.Test(t, func(t *testing.T) blob.Store {
			return open(t, blob.LocalConfig{Roots: []string{"/a", "/b"}, FS: durable.NewSim(1)})
		})
	})
}

func TestLayout(t *testing.T) {
	root := filepath.Join(t.TempDir(), "deep", "root")
	l := open(t, blob.LocalConfig{Roots: []string{root}})
	ref := put(t, l, []byte("text"))
	data, err := os.ReadFile(pathOf(root, ref.SHA256))
	if err != nil || string(data) != "text" {
		t.Fatalf("the file holds %q: %v", data, err)
	}
	b, err := l.Open(ctx, ref.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.File() == nil || b.File().Name() != pathOf(root, ref.SHA256) {
		t.Error("the blob's own file is not given out")
	}
	if left, err := os.ReadDir(filepath.Join(root, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("tmp holds %v: %v", left, err)
	}
}

func TestStaleTemporaryFiles(t *testing.T) {
	root := t.TempDir()
	first, err := blob.OpenLocal(blob.LocalConfig{Roots: []string{root}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{10, 3 << 20} { // put, and the process ends
		if _, err := first.Put(ctx, bytes.NewReader(blobtest.Bytes(1, n))); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		list, err := os.ReadDir(filepath.Join(root, "tmp"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if count() != 2 {
		t.Fatalf("%d files wait, want 2", count())
	}
	reader := open(t, blob.LocalConfig{Roots: []string{root}, ReadOnly: true})
	if count() != 2 {
		t.Error("a reader removed the files of the writer")
	}
	if _, err := reader.Put(ctx, strings.NewReader("x")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a reader wrote: %v", err)
	}
	if err := reader.Delete(ctx, strings.Repeat("a", 64)); !errs.Is(err, errs.Unavailable) {
		t.Errorf("a reader deleted: %v", err)
	}
	open(t, blob.LocalConfig{Roots: []string{root}})
	if count() != 0 {
		t.Error("what was unfinished is still there")
	}
}

func TestClose(t *testing.T) {
	root := t.TempDir()
	l, err := blob.OpenLocal(blob.LocalConfig{Roots: []string{root}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Put(ctx, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(root, "tmp")); len(left) != 0 {
		t.Error("an unflushed file stayed")
	}
	if _, err := l.Put(ctx, strings.NewReader("x")); err == nil {
		t.Error("a closed store took a blob")
	}
	if err := l.Flush(ctx); err == nil {
		t.Error("a closed store flushed")
	}
}

func TestBadRoots(t *testing.T) {
	for _, roots := range [][]string{nil, {"/a", "/b", "/a/"}} {
		if _, err := blob.OpenLocal(blob.LocalConfig{Roots: roots, FS: durable.NewSim(1)}); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", roots, err)
		}
	}
}

// TestAddingAgainIsFree counts what the disk has to do for a known blob.
func TestAddingAgainIsFree(t *testing.T) {
	sim := durable.NewSim(1)
	cfg := blob.LocalConfig{Roots: []string{"/a", "/b"}, FS: sim}
	l := open(t, cfg)
	small, large := blobtest.Bytes(1, 100), blobtest.Bytes(2, 3<<20)
	put(t, l, small)
	put(t, l, large)
	before := sim.Ops()
	put(t, l, small)
	put(t, l, large)
	if n := sim.Ops() - before; n != 0 {
		t.Errorf("%d operations in the same process, want none", n)
	}
	// A new process cannot know that the old one's folders are durable.
	l = open(t, cfg)
	var kinds []durable.OpKind
	sim.SetHook(func(op durable.Op) durable.Fault {
		if op.N > 0 {
			kinds = append(kinds, op.Kind)
		}
		return durable.None
	})
	put(t, l, small)
	put(t, l, large)
	for _, k := range kinds {
		if k != durable.OpSyncDir {
			t.Errorf("a known blob needed %q", k)
		}
	}
	before = sim.Ops()
	put(t, l, small)
	put(t, l, large)
	if sim.Ops() != before {
		t.Error("the folders were synced a second time")
	}
}

func TestPlacement(t *testing.T) {
	sim := durable.NewSim(1)
	sim.SetFree("/full", 1<<20)
	sim.SetFree("/small", 1<<30)
	sim.SetFree("/big", 9<<30)
	roots := []string{"/full", "/small", "/big"}
	l := open(t, blob.LocalConfig{Roots: roots, FS: sim, MinFree: 2 << 20})
	count := map[string]int{}
	for i := range 500 {
		ref := put(t, l, fmt.Appendf(nil, "blob %d", i))
		for _, root := range roots {
			if _, err := sim.Stat(pathOf(root, ref.SHA256)); err == nil {
				count[root]++
			}
		}
	}
	if count["/full"] != 0 || count["/small"] < 20 || count["/small"] > 90 || count["/big"] < 410 {
		t.Errorf("500 blobs were placed so: %v", count)
	}
	sim.SetFree("/small", 0)
	sim.SetFree("/big", 0)
	if _, err := l.Put(ctx, strings.NewReader("too much")); !errs.Is(err, errs.Unavailable) {
		t.Errorf("on full disks: %v", err)
	}
	if err := l.Flush(ctx); err != nil {
		t.Errorf("a full disk is no reason to stop: %v", err)
	}
}

// TestMovedBlob: a librarian may move a blob to another disk by hand.
func TestMovedBlob(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	l := open(t, blob.LocalConfig{Roots: []string{a, b}})
	ref := put(t, l, []byte("text"))
	from, to := pathOf(a, ref.SHA256), pathOf(b, ref.SHA256)
	if _, err := os.Stat(from); err != nil {
		from, to = to, from
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	if got, err := get(l, ref.SHA256); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
	put(t, l, []byte("text"))
	if _, err := os.Stat(from); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it was written a second time")
	}
}

// TestDamagedBlobs: adding replaces a file of the wrong length, Repair any.
func TestDamagedBlobs(t *testing.T) {
	for _, size := range []int{100, 3 << 20} {
		data := blobtest.Bytes(5, size)
		ref := blobtest.RefOf(data)
		short, flipped := data[:size-1], bytes.Clone(data)
		flipped[size/2] ^= 1
		for name, c := range map[string]struct {
			copies [3][]byte // in the three roots; nil: none
			repair bool
		}{
			"short":                     {[3][]byte{short}, false},
			"short in the second":       {[3][]byte{1: short}, false},
			"short before a good one":   {[3][]byte{short, data}, false},
			"short after a good one":    {[3][]byte{1: data, 2: short}, true},
			"flipped":                   {[3][]byte{flipped}, true},
			"flipped after a good one":  {[3][]byte{data, flipped}, true},
			"flipped before a good one": {[3][]byte{flipped, nil, data}, true},
			"all bad":                   {[3][]byte{flipped, short, flipped}, true},
		} {
			roots := []string{t.TempDir(), t.TempDir(), t.TempDir()}
			l := open(t, blob.LocalConfig{Roots: roots})
			for i, text := range c.copies {
				if text == nil {
					continue
				}
				if err := os.MkdirAll(filepath.Dir(pathOf(roots[i], ref.SHA256)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(pathOf(roots[i], ref.SHA256), text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			switch {
			case c.repair:
				err = l.Repair(ctx, ref, bytes.NewReader(data))
			case len(name)%2 == 0:
				err = l.PutExpect(ctx, ref, bytes.NewReader(data))
			default:
				_, err = l.Put(ctx, struct{ io.Reader }{bytes.NewReader(data)})
			}
			if err == nil {
				err = l.Flush(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := get(l, ref.SHA256); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s, %d bytes: the damaged file is still served: %v", name, size, err)
			}
			if c.repair || size > 1<<20 {
				continue
			}
			if sum := verify(t, l, blob.VerifyOptions{}); len(sum) != 0 {
				t.Errorf("%s, %d bytes: %v", name, size, sum)
			}
		}
	}
}

// TestBoundedPending: however many blobs are put, few wait.
func TestBoundedPending(t *testing.T) {
	root := t.TempDir()
	l := open(t, blob.LocalConfig{Roots: []string{root}, MaxPending: 8, MaxPendingBytes: 1 << 20})
	for i := range 100 {
		if _, err := l.Put(ctx, bytes.NewReader(blobtest.Bytes(uint64(i), 1000))); err != nil {
			t.Fatal(err)
		}
		list, err := os.ReadDir(filepath.Join(root, "tmp"))
		if err != nil || len(list) >= 8 {
			t.Fatalf("%d files wait: %v", len(list), err)
		}
	}
	if _, err := l.Put(ctx, bytes.NewReader(blobtest.Bytes(1, 2<<20))); err != nil {
		t.Fatal(err)
	}
	if list, _ := os.ReadDir(filepath.Join(root, "tmp")); len(list) != 0 {
		t.Error("two megabytes wait where one is allowed")
	}
}

// zeros are n bytes that cannot be read a second time.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestMemory: a blob of 200 MiB goes in and is checked in a few.
func TestMemory(t *testing.T) {
	l := open(t, blob.LocalConfig{Roots: []string{t.TempDir()}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ref, err := l.Put(ctx, zeros(200<<20))
	if err == nil {
		err = l.Flush(ctx)
	}
	if err != nil || ref.Bytes != 200<<20 {
		t.Fatal(ref, err)
	}
	if found := verify(t, l, blob.VerifyOptions{}); len(found) != 0 {
		t.Error(found)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes were allocated in all", n)
	}
}
