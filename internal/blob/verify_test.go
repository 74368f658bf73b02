package blob_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/blob/blobtest"
)

func verify(t *testing.T, l *blob.Local, opts blob.VerifyOptions) []blob.Problem {
	t.Helper()
	var found []blob.Problem
	if _, err := l.Verify(ctx, opts, func(p blob.Problem) { found = append(found, p) }); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestVerifyNamesEachProblem(t *testing.T) {
	roots := []string{t.TempDir(), t.TempDir()}
	l := open(t, blob.LocalConfig{Roots: roots})
	var refs []blob.Ref
	var paths []string
	for i := range 40 {
		ref := put(t, l, blobtest.Bytes(uint64(i), 500+i))
		refs = append(refs, ref)
		path := pathOf(roots[0], ref.SHA256)
		if _, err := os.Stat(path); err != nil {
			path = pathOf(roots[1], ref.SHA256)
		}
		paths = append(paths, path)
	}
	expect := func(ctx context.Context, from int64, fn func(int64, blob.Ref) error) error {
		for i := from; i < int64(len(refs)); i++ {
			if err := fn(i, refs[i]); err != nil {
				return err
			}
		}
		return nil
	}
	sum, err := l.Verify(ctx, blob.VerifyOptions{Expect: expect}, func(p blob.Problem) { t.Errorf("%+v", p) })
	if err != nil || !sum.Complete || sum.Blobs != 40 || sum.Expected != 40 || sum.Bytes != 40*500+39*20 {
		t.Fatalf("%+v, %v", sum, err)
	}
	write := func(path string, change func([]byte) []byte) {
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, change(data), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(paths[3], func(b []byte) []byte { b[100] ^= 4; return b })
	write(paths[4], func(b []byte) []byte { return b[:10] })
	write(paths[5], func([]byte) []byte { return nil })
	write(paths[6], func(b []byte) []byte { return append(b, 0) })
	if err := os.Remove(paths[7]); err != nil {
		t.Fatal(err)
	}
	strange := []string{
		filepath.Join(filepath.Dir(paths[8]), "README"), filepath.Join(roots[1], "notes.txt"),
		filepath.Join(filepath.Dir(filepath.Dir(paths[9])), "zz"), filepath.Join(filepath.Dir(paths[10]), refs[11].SHA256),
	}
	for _, path := range strange {
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var bad, foreign []string
	sum, err = l.Verify(ctx, blob.VerifyOptions{Expect: expect}, func(p blob.Problem) {
		if p.What == "" || p.Mend == "" {
			t.Errorf("a problem without words: %+v", p)
		}
		if p.SHA256 == "" {
			foreign = append(foreign, p.Path)
		} else {
			bad = append(bad, p.SHA256)
		}
	})
	if err != nil || sum.Damaged != 4 || sum.Missing != 1 || sum.Foreign != 4 || !sum.Complete {
		t.Fatalf("%+v, %v", sum, err)
	}
	var want []string
	for _, ref := range refs[3:8] {
		want = append(want, ref.SHA256)
	}
	slices.Sort(bad)
	slices.Sort(want)
	slices.Sort(foreign)
	slices.Sort(strange)
	if !slices.Equal(bad, want) {
		t.Errorf("named %v, want %v", bad, want)
	}
	if !slices.Equal(foreign, strange) {
		t.Errorf("named %v, want %v", foreign, strange)
	}
}

// TestVerifyResumes gives Verify time for a few blobs only, again and again.
func TestVerifyResumes(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Now().Add(24 * time.Hour).Unix())
	now := func() time.Time { return time.Unix(clock.Add(1), 0) } // each look takes a second
	root := t.TempDir()
	l := open(t, blob.LocalConfig{Roots: []string{root}, Now: now})
	const blobs = 60
	var refs []blob.Ref
	for i := range blobs {
		refs = append(refs, put(t, l, blobtest.Bytes(uint64(i), 100)))
	}
	// Some in one folder, so that a reading stops within it.
	state := filepath.Join(t.TempDir(), "read")
	opts := blob.VerifyOptions{Budget: 30 * time.Second, StateFile: state, Readers: 1}
	expect := func(_ context.Context, from int64, fn func(int64, blob.Ref) error) error {
		for i := from; i < blobs; i++ {
			if err := fn(i, refs[i]); err != nil {
				return err
			}
		}
		return nil
	}
	opts.Expect = expect
	if err := os.WriteFile(pathOf(root, refs[33].SHA256), []byte("bad"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(pathOf(root, refs[59].SHA256)); err != nil {
		t.Fatal(err)
	}
	var read, expected int64
	runs := 0
	named := map[string]int{}
	for ; runs < 100; runs++ {
		sum, err := l.Verify(ctx, opts, func(p blob.Problem) { named[p.SHA256]++ })
		if err != nil {
			t.Fatal(err)
		}
		if sum.Blobs == 0 {
			t.Fatal("a call got nowhere")
		}
		read += sum.Blobs
		expected += sum.Expected
		if !sum.Oldest.IsZero() {
			break
		}
	}
	if runs < 3 || read < blobs-1 || read > blobs+30 {
		t.Errorf("all blobs were read once after %d runs and %d readings", runs+1, read)
	}
	if named[refs[33].SHA256] == 0 || named[refs[59].SHA256] == 0 && expected >= blobs || len(named) > 2 {
		t.Errorf("named %v", named)
	}
	at, err := l.LastRead(ctx, state, refs[0].SHA256)
	if err != nil || at.IsZero() {
		t.Errorf("LastRead: %v, %v", at, err)
	}
	// With Fresh nothing is read a second time, and a new blob is read.
	clock.Store(time.Now().Add(25 * time.Hour).Unix())
	fresh := blob.VerifyOptions{StateFile: state, Fresh: 100 * time.Hour}
	sum, err := l.Verify(ctx, fresh, func(blob.Problem) {})
	if err != nil || sum.Blobs > 1 || !sum.Complete {
		t.Errorf("what is fresh was read: %+v, %v", sum, err)
	}
	// Without it, all.
	sum, err = l.Verify(ctx, blob.VerifyOptions{StateFile: state}, func(blob.Problem) {})
	if err != nil || sum.Blobs != blobs-1 || !sum.Complete {
		t.Errorf("not all was read: %+v, %v", sum, err)
	}
	// A damaged state costs only the memory.
	if err := os.WriteFile(state, []byte("rubbish"), 0o644); err != nil {
		t.Fatal(err)
	}
	if at, err := l.LastRead(ctx, state, refs[0].SHA256); err != nil || !at.IsZero() {
		t.Errorf("LastRead without memory: %v, %v", at, err)
	}
	if _, err := l.Verify(ctx, opts, func(blob.Problem) {}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(state); err != nil || info.Size() > 300<<10 {
		t.Errorf("the state file: %v, %v", info, err)
	}
}

// TestVerifyStopsWithinFolder: many blobs in one folder, and time for one each.
func TestVerifyStopsWithinFolder(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Now().Add(24 * time.Hour).Unix())
	root := t.TempDir()
	dir := filepath.Join(root, "ab", "cd")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const blobs = 10
	for i := range blobs { // every one of them is damaged, and so is named
		if err := os.WriteFile(filepath.Join(dir, "abcd"+strings.Repeat(string(rune('0'+i)), 60)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, blob.LocalConfig{Roots: []string{root}, Now: func() time.Time { return time.Unix(clock.Add(1), 0) }})
	opts := blob.VerifyOptions{Budget: 1, StateFile: filepath.Join(t.TempDir(), "read"), Readers: 1}
	var named []string
	for range blobs {
		if _, err := l.Verify(ctx, opts, func(p blob.Problem) { named = append(named, p.SHA256) }); err != nil {
			t.Fatal(err)
		}
	}
	if len(slices.Compact(slices.Clone(named))) != blobs || !slices.IsSorted(named) || len(named) != blobs {
		t.Errorf("ten calls named %d blobs", len(named))
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := l.Verify(ended, blob.VerifyOptions{}, func(blob.Problem) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("without time: %v", err)
	}
}
