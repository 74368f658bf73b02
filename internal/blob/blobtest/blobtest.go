// Package blobtest is the conformance suite of [blob.Store]: what its comments
// promise, every store must show.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
)

// Hostile are texts that name no blob; a store must refuse them all.
var Hostile = []string{
	"", ".", "..", "/", "../../etc/passwd", "ab", "tmp", "\x00",
	strings.Repeat("A", 64), strings.Repeat("g", 64), strings.Repeat("a", 63), strings.Repeat("a", 65),
	"../" + strings.Repeat("a", 61), strings.Repeat("a", 62) + "/a", strings.Repeat("a", 63) + "\x00",
	strings.Repeat("é", 32), strings.Repeat("a", 60) + "\r\nX:",
}

// RefOf is the name of some bytes.
func RefOf(data []byte) blob.Ref {
	sum := sha256.Sum256(data)
	return blob.Ref{SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(data))}
}

// Bytes gives n bytes that no other seed gives.
func Bytes(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

// Test holds a store to its contract. open gives an empty one each time.
func Test(t *testing.T, open func(t *testing.T) blob.Store) {
	ctx := context.Background()
	t.Run("put, open, stat", func(t *testing.T) {
		s := open(t)
		for i, n := range []int{0, 1, 511, 4096, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7} {
			data := Bytes(uint64(i), n)
			ref, err := s.Put(ctx, bytes.NewReader(data))
			if err != nil || ref != RefOf(data) {
				t.Fatalf("Put of %d bytes: %v, %v", n, ref, err)
			}
			check(t, s, data) // before Flush
			if i%2 == 0 {
				if err := s.Flush(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		for i, n := range []int{0, 1, 511, 4096, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7} {
			check(t, s, Bytes(uint64(i), n))
		}
	})
	t.Run("readers of every kind", func(t *testing.T) {
		s := open(t)
		data := Bytes(9, 2<<20)
		for name, r := range map[string]io.Reader{
			"half":        iotest.HalfReader(bytes.NewReader(data)),
			"end at once": iotest.DataErrReader(bytes.NewReader(data)),
			"one":         iotest.OneByteReader(bytes.NewReader(data[:5000])),
			"plain":       struct{ io.Reader }{bytes.NewReader(data)},
		} {
			want := data
			if name == "one" {
				want = data[:5000]
			}
			if ref, err := s.Put(ctx, r); err != nil || ref != RefOf(want) {
				t.Errorf("%s: %v, %v", name, ref, err)
			}
		}
		half := bytes.NewReader(data) // from where it stands
		_, _ = half.Seek(1000, io.SeekStart)
		if ref, err := s.Put(ctx, half); err != nil || ref != RefOf(data[1000:]) {
			t.Errorf("from the middle: %v, %v", ref, err)
		}
		flush(t, s)
		check(t, s, data)
		check(t, s, data[1000:])
	})
	t.Run("adding again", func(t *testing.T) {
		s := open(t)
		for range 2 {
			for _, n := range []int{10, 3 << 20} {
				data := Bytes(1, n)
				for range 2 {
					if ref, err := s.Put(ctx, bytes.NewReader(data)); err != nil || ref != RefOf(data) {
						t.Fatal(ref, err)
					}
				}
				if err := s.PutExpect(ctx, RefOf(data), bytes.NewReader(data)); err != nil {
					t.Fatal(err)
				}
			}
			flush(t, s)
		}
		names(t, s, Bytes(1, 10), Bytes(1, 3<<20))
	})
	t.Run("a failing reader leaves nothing", func(t *testing.T) {
		s := open(t)
		broken := errors.New("broken")
		for _, n := range []int{0, 10, 3 << 20} {
			data := Bytes(2, n)
			_, err := s.Put(ctx, io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) {
				t.Errorf("after %d bytes: %v", n, err)
			}
			err = s.PutExpect(ctx, RefOf(data), io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) {
				t.Errorf("PutExpect after %d bytes: %v", n, err)
			}
			absent(t, s, RefOf(data).SHA256)
		}
		flush(t, s)
		names(t, s)
	})
	t.Run("the end of the context", func(t *testing.T) {
		s := open(t)
		ended, cancel := context.WithCancel(ctx)
		data := Bytes(3, 3<<20)
		r := io.MultiReader(bytes.NewReader(data), readerFunc(func([]byte) (int, error) { cancel(); return 0, nil }))
		if _, err := s.Put(ended, r); !errors.Is(err, context.Canceled) {
			t.Errorf("Put: %v", err)
		}
		if err := s.Flush(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Flush: %v", err)
		}
		flush(t, s) // still works
		names(t, s)
	})
	t.Run("expected bytes", func(t *testing.T) {
		s := open(t)
		for i, n := range []int{0, 100, 3 << 20} {
			data := Bytes(uint64(i), n)
			ref := RefOf(data)
			other := RefOf([]byte("other"))
			for what, bad := range map[string]struct {
				ref  blob.Ref
				data []byte
			}{
				"too short":  {ref, data[:max(0, n-1)]},
				"too long":   {ref, append(slices.Clone(data), 'x')},
				"other":      {blob.Ref{SHA256: other.SHA256, Bytes: ref.Bytes}, data},
				"wrong size": {blob.Ref{SHA256: ref.SHA256, Bytes: ref.Bytes + 1}, data},
			} {
				if what == "too short" && n == 0 {
					continue
				}
				if err := s.PutExpect(ctx, bad.ref, bytes.NewReader(bad.data)); !errs.Is(err, errs.Corrupt) {
					t.Errorf("%d bytes, %s: %v", n, what, err)
				}
			}
			absent(t, s, ref.SHA256)
			endless := &counter{}
			if err := s.PutExpect(ctx, ref, endless); !errs.Is(err, errs.Corrupt) || endless.n > ref.Bytes+1 {
				t.Errorf("%d bytes of an endless reader taken for %d: %v", endless.n, ref.Bytes, err)
			}
			if err := s.PutExpect(ctx, ref, bytes.NewReader(data)); err != nil {
				t.Error(err)
			}
			if err := s.PutExpect(ctx, ref, bytes.NewReader(append(data, 'x'))); !errs.Is(err, errs.Corrupt) {
				t.Errorf("other bytes for a known blob: %v", err)
			}
			check(t, s, data)
		}
	})
	t.Run("absent and hostile names", func(t *testing.T) {
		s := open(t)
		if _, err := s.Put(ctx, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		flush(t, s)
		absent(t, s, strings.Repeat("a", 64))
		if err := s.Delete(ctx, strings.Repeat("a", 64)); err != nil {
			t.Errorf("Delete of an absent blob: %v", err)
		}
		for _, name := range Hostile {
			absent(t, s, name)
			if err := s.Delete(ctx, name); !errs.Is(err, errs.Invalid) {
				t.Errorf("Delete(%q): %v", name, err)
			}
			if err := s.PutExpect(ctx, blob.Ref{SHA256: name, Bytes: 1}, strings.NewReader("x")); !errs.Is(err, errs.Invalid) {
				t.Errorf("PutExpect(%q): %v", name, err)
			}
		}
		if err := s.PutExpect(ctx, blob.Ref{SHA256: strings.Repeat("a", 64), Bytes: -1}, strings.NewReader("")); err == nil {
			t.Error("took a negative length")
		}
	})
	t.Run("delete", func(t *testing.T) {
		s := open(t)
		for _, flushed := range []bool{false, true} {
			for _, n := range []int{10, 3 << 20} {
				data := Bytes(4, n)
				ref, err := s.Put(ctx, bytes.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				if flushed {
					flush(t, s)
				}
				b, err := s.Open(ctx, ref.SHA256)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Delete(ctx, ref.SHA256); err != nil {
					t.Fatal(err)
				}
				absent(t, s, ref.SHA256)
				if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, data) {
					t.Errorf("the open blob was not readable to its end: %v", err)
				}
				b.Close()
				flush(t, s)
				names(t, s)
				if _, err := s.Put(ctx, bytes.NewReader(data)); err != nil {
					t.Fatal(err)
				}
				check(t, s, data)
				if err := s.Delete(ctx, ref.SHA256); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	t.Run("walk", func(t *testing.T) {
		s := open(t)
		var all [][]byte
		for i := range 300 {
			data := Bytes(uint64(i), i%7+1)
			all = append(all, data)
			if _, err := s.Put(ctx, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
		}
		flush(t, s)
		names(t, s, all...)
		stop := errors.New("stop")
		seen := 0
		err := s.Walk(ctx, func(string, int64) error {
			if seen++; seen == 5 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || seen != 5 {
			t.Errorf("a walk that was stopped at 5 saw %d: %v", seen, err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Walk(ended, func(string, int64) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("a walk without time: %v", err)
		}
	})
	t.Run("at once", func(t *testing.T) { atOnce(t, open(t)) })
}

func atOnce(t *testing.T, s blob.Store) {
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 40 {
				data := Bytes(uint64((g+i)%50), 1000+i%3) // others put the same
				if i == 20 {
					data = Bytes(uint64(g%2), 2<<20)
				}
				ref, err := s.Put(ctx, bytes.NewReader(data))
				if err != nil || ref != RefOf(data) {
					t.Errorf("Put: %v", err)
					return
				}
				if err := same(s, data); err != nil {
					t.Error(err)
				}
				own := fmt.Appendf(nil, "only %d puts and deletes %d", g, i)
				ref, err = s.Put(ctx, bytes.NewReader(own))
				if err == nil && i%3 == 0 {
					err = s.Flush(ctx)
				}
				if err == nil {
					err = s.Delete(ctx, ref.SHA256)
				}
				if err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					if err := s.Walk(ctx, func(string, int64) error { return nil }); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	flush(t, s)
	seen := map[string]bool{}
	err := s.Walk(ctx, func(sha string, _ int64) error { seen[sha] = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for g := range 8 {
		for i := range 40 {
			data := Bytes(uint64((g+i)%50), 1000+i%3)
			if i == 20 {
				data = Bytes(uint64(g%2), 2<<20)
			}
			want[RefOf(data).SHA256] = true
			if !seen[RefOf(data).SHA256] {
				t.Fatal("a blob is missing after Flush")
			}
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d blobs are there, want %d", len(seen), len(want))
	}
}

// check holds the store to serve data in every way.
func check(t *testing.T, s blob.Store, data []byte) {
	t.Helper()
	if err := same(s, data); err != nil {
		t.Error(err)
	}
}

func same(s blob.Store, data []byte) error {
	ctx := context.Background()
	ref := RefOf(data)
	if n, err := s.Stat(ctx, ref.SHA256); err != nil || n != ref.Bytes {
		return fmt.Errorf("stat of %d bytes: %d, %w", len(data), n, err)
	}
	b, err := s.Open(ctx, ref.SHA256)
	if err != nil {
		return err
	}
	defer b.Close()
	if b.Size() != ref.Bytes {
		return fmt.Errorf("size is %d, want %d", b.Size(), ref.Bytes)
	}
	if f := b.File(); f != nil {
		if info, err := f.Stat(); err != nil || info.Size() != ref.Bytes {
			return fmt.Errorf("file is not the blob: %w", err)
		}
	}
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, data) {
		return fmt.Errorf("%d of %d bytes read, or other bytes: %w", len(got), len(data), err)
	}
	for _, at := range []int{0, len(data) / 3, len(data)} {
		part := make([]byte, min(100, len(data)-at))
		if n, err := b.ReadAt(part, int64(at)); n != len(part) || err != nil && err != io.EOF || !bytes.Equal(part, data[at:at+n]) {
			return fmt.Errorf("read at (%d): %d, %w", at, n, err)
		}
		if pos, err := b.Seek(int64(at), io.SeekStart); err != nil || pos != int64(at) {
			return fmt.Errorf("seek to (%d): %d, %w", at, pos, err)
		}
		if _, err := io.ReadFull(b, part); err != nil || !bytes.Equal(part, data[at:at+len(part)]) {
			return fmt.Errorf("read after seek (%d): %w", at, err)
		}
	}
	if n, err := b.ReadAt(make([]byte, 10), ref.Bytes); n != 0 || err != io.EOF {
		return fmt.Errorf("read at the end: %d, %w", n, err)
	}
	return nil
}

func absent(t *testing.T, s blob.Store, name string) {
	t.Helper()
	ctx := context.Background()
	if _, err := s.Stat(ctx, name); !errs.Is(err, errs.NotFound) {
		t.Errorf("Stat(%q): %v", name, err)
	}
	if b, err := s.Open(ctx, name); !errs.Is(err, errs.NotFound) || b != nil {
		t.Errorf("Open(%q): %v, %v", name, b, err)
	}
}

// names holds the store to contain exactly these.
func names(t *testing.T, s blob.Store, all ...[]byte) {
	t.Helper()
	var want, got []string
	for _, data := range all {
		want = append(want, fmt.Sprint(RefOf(data).SHA256, len(data)))
	}
	slices.Sort(want)
	want = slices.Compact(want)
	err := s.Walk(context.Background(), func(sha string, size int64) error {
		got = append(got, fmt.Sprint(sha, size))
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Walk gave %d names, want %d, sorted: %v", len(got), len(want), err)
	}
}

func flush(t *testing.T, s blob.Store) {
	t.Helper()
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// counter is endless zeros, counted.
type counter struct{ n int64 }

func (c *counter) Read(p []byte) (int, error) {
	clear(p)
	c.n += int64(len(p))
	return len(p), nil
}
