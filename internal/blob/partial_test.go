package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/blob/blobtest"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

// cut gives data from a byte on, but fails before byte end.
func cut(data []byte, end int, asked *[]int64) func(from int64) (io.ReadCloser, error) {
	return func(from int64) (io.ReadCloser, error) {
		*asked = append(*asked, from)
		if end >= len(data) {
			return io.NopCloser(bytes.NewReader(data[from:])), nil
		}
		part := bytes.NewReader(data[min(from, int64(end)):end])
		return io.NopCloser(io.MultiReader(part, iotest.ErrReader(errors.New("the line is cut")))), nil
	}
}

func TestPutResumeGoesOn(t *testing.T) {
	t.Parallel()
	cfg := blob.LocalConfig{Roots: []string{t.TempDir(), t.TempDir()}, Buffer: 1000}
	data := blobtest.Bytes(1, 10_500)
	ref := blobtest.RefOf(data)
	var asked []int64
	for _, end := range []int{2500, 2500, 6001, 20_000} {
		l, err := blob.OpenLocal(cfg) // each time a new process
		if err != nil {
			t.Fatal(err)
		}
		err = l.PutResume(ctx, ref, cut(data, end, &asked))
		if (err == nil) != (end > len(data)) {
			t.Fatalf("cut at %d: %v", end, err)
		}
		if _, e := l.Stat(ctx, ref.SHA256); (e == nil) != (err == nil) {
			t.Fatalf("cut at %d: visible: %v", end, e)
		}
		if sum, err := l.Verify(ctx, blob.VerifyOptions{}, func(p blob.Problem) { t.Errorf("%+v", p) }); err != nil {
			t.Fatal(sum, err)
		}
		if end > len(data) {
			if got, err := get(l, ref.SHA256); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("before Flush: %v", err)
			}
			if err := l.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			if got, err := get(l, ref.SHA256); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("after Flush: %v", err)
			}
			if err := l.PutResume(ctx, ref, cut(data, 0, &asked)); err != nil {
				t.Fatalf("one that is there: %v", err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []int64{0, 2500, 2500, 6001}; !equal(asked, want) {
		t.Fatalf("asked from %v, want %v", asked, want)
	}
	for _, root := range cfg.Roots {
		if list, _ := os.ReadDir(filepath.Join(root, "partial")); len(list) != 0 {
			t.Fatalf("%v is left", list)
		}
	}
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestPutResumeWrongBytes has a first source that lies and is cut, and a second
// one that is honest: the second gets the blob, and no blame.
func TestPutResumeWrongBytes(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	l, err := blob.OpenLocal(blob.LocalConfig{Roots: []string{root}, Buffer: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	data, lie := blobtest.Bytes(1, 5000), blobtest.Bytes(2, 5000)
	ref := blobtest.RefOf(data)
	var asked []int64
	if err := l.PutResume(ctx, ref, cut(lie, 3000, &asked)); err == nil || errs.Is(err, errs.Corrupt) {
		t.Fatalf("the first: %v", err)
	}
	if err := l.PutResume(ctx, ref, cut(data, 5000, &asked)); err != nil {
		t.Fatalf("the second: %v", err)
	}
	if !equal(asked, []int64{0, 3000, 0}) {
		t.Fatalf("asked from %v", asked)
	}
	if got, err := get(l, ref.SHA256); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("stored: %v", err)
	}

	long := append(bytes.Clone(lie), 1, 2, 3)
	for _, wrong := range [][]byte{data[:100], long, {}} {
		ref := blobtest.RefOf(lie)
		if err := l.PutResume(ctx, ref, cut(wrong, len(wrong), &asked)); !errs.Is(err, errs.Corrupt) {
			t.Fatalf("%d wrong bytes: %v", len(wrong), err)
		}
		if list, _ := os.ReadDir(filepath.Join(root, "partial")); len(list) != 1 { // data, which waits for Flush
			t.Fatalf("%v is left", list)
		}
	}
	for _, bad := range blobtest.Hostile {
		if err := l.PutResume(ctx, blob.Ref{SHA256: bad, Bytes: 1}, cut(data, 1, &asked)); !errs.Is(err, errs.Invalid) {
			t.Fatalf("%q: %v", bad, err)
		}
	}
}

func TestPutResumeDelete(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	now := time.Now()
	cfg := blob.LocalConfig{Roots: []string{root}, Buffer: 100, Now: func() time.Time { return now }}
	data := blobtest.Bytes(1, 1000)
	ref := blobtest.RefOf(data)
	var asked []int64
	left := func() int {
		list, err := os.ReadDir(filepath.Join(root, "partial"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	open := func() *blob.Local {
		l, err := blob.OpenLocal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := open()
	_ = l.PutResume(ctx, ref, cut(data, 300, &asked))
	if left() != 1 {
		t.Fatal("nothing is kept")
	}
	if err := l.Delete(ctx, ref.SHA256); err != nil || left() != 0 {
		t.Fatalf("deleted, yet kept: %v", err)
	}
	_ = l.PutResume(ctx, ref, cut(data, 300, &asked))
	l.Close()
	now = now.Add(40 * 24 * time.Hour)
	l = open()
	defer l.Close()
	if left() != 0 {
		t.Fatal("kept for ever")
	}
}

// TestPutResumeCrash cuts the power, or fails, at each operation, and does it
// again until it is done: the blob is there then, whole, and nothing else ever.
func TestPutResumeCrash(t *testing.T) {
	data := blobtest.Bytes(7, 4200)
	ref := blobtest.RefOf(data)
	work := func(sim *durable.Sim, end int) error {
		l, err := blob.OpenLocal(crashConfig(sim))
		if err != nil {
			return err
		}
		defer l.Close()
		var asked []int64
		if err := l.PutResume(ctx, ref, cut(data, end, &asked)); err != nil {
			return err
		}
		return l.Flush(context.Background())
	}
	for _, fault := range durable.Faults {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			for n, reached := 1, true; reached; n++ {
				for i := range uint64(4) {
					seed := 4*uint64(n) + i
					sim := durable.NewSim(seed)
					sim.FailAt(n, fault)
					_ = work(sim, 2700)
					err := work(sim, len(data))
					reached = sim.Ops() >= n
					if seed%2 == 0 {
						sim.Crash()
					} else {
						sim.Kill()
					}
					hold(t, sim, data, err == nil)
					if err := work(sim, len(data)); err != nil {
						t.Fatalf("operation %d, seed %d: doing it again: %v", n, seed, err)
					}
					sim.Crash()
					hold(t, sim, data, true)
				}
			}
		})
	}
}

func hold(t *testing.T, sim *durable.Sim, data []byte, acked bool) {
	t.Helper()
	l, err := blob.OpenLocal(crashConfig(sim))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := get(l, blobtest.RefOf(data).SHA256)
	if acked && err != nil || err == nil && !bytes.Equal(got, data) {
		t.Fatalf("the blob: %d bytes, %v", len(got), err)
	}
	if _, err = l.Verify(ctx, blob.VerifyOptions{}, func(p blob.Problem) { t.Fatalf("half a blob is visible: %+v", p) }); err != nil {
		t.Fatal(err)
	}
}
