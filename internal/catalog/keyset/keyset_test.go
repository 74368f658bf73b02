package keyset

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"wenlan/internal/errs"

	"pgregory.net/rapid"
)

// TestSetEqualsModel: a set of some recent pairs and some runs, merged now and then,
// answers as a map does.
func TestSetEqualsModel(t *testing.T) {
	dir := t.TempDir()
	files := 0
	rapid.Check(t, func(t *rapid.T) {
		model := map[uint64]map[int64]bool{}
		s := &Set{}
		keys := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 9), rapid.Custom(func(t *rapid.T) uint64 { return ^rapid.Uint64Range(0, 3).Draw(t, "high") }))
		numbers := rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(1<<30, 1<<40))
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 3:
				path := filepath.Join(dir, strconv.Itoa(files))
				files++
				if err := Write(path, s.Recent, nil, len(s.Runs) == 0, false); err != nil {
					t.Fatal(err)
				}
				r, err := OpenRun(path)
				if err != nil {
					t.Fatal(err)
				}
				s = &Set{Runs: append([]*Run{r}, s.Runs...)}
			case 4:
				n := rapid.IntRange(0, len(s.Runs)).Draw(t, "merged")
				path := filepath.Join(dir, strconv.Itoa(files))
				files++
				if err := Write(path, s.Recent, s.Runs[:n], n == len(s.Runs), false); err != nil {
					t.Fatal(err)
				}
				r, err := OpenRun(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Check(); err != nil {
					t.Fatal(err)
				}
				s = &Set{Runs: append([]*Run{r}, s.Runs[n:]...)}
			default:
				change := map[Pair]bool{}
				for range rapid.IntRange(0, 60).Draw(t, "pairs") {
					p := Pair{Key: keys.Draw(t, "key"), N: numbers.Draw(t, "n")}
					change[p] = rapid.IntRange(0, 3).Draw(t, "gone") == 0
				}
				var pairs []Pair
				for p, gone := range change {
					if model[p.Key] == nil {
						model[p.Key] = map[int64]bool{}
					}
					model[p.Key][p.N] = true
					if gone {
						delete(model[p.Key], p.N)
					}
					p.Gone = gone
					pairs = append(pairs, p)
				}
				s = s.With(pairs)
			}
		}
		total := 0
		for key, want := range model {
			all := slices.Sorted(maps.Keys(want))
			total += len(all)
			for _, limit := range []int{1, 3, 1000} {
				for after := int64(-1); after < 12; after++ {
					want := slices.DeleteFunc(slices.Clone(all), func(n int64) bool { return n <= after })
					if got := s.GetAfter(nil, key, after, limit); !slices.Equal(got, want[:min(limit, len(want))]) {
						t.Fatalf("GetAfter(%x, %d, %d) = %v, want %v", key, after, limit, got, want)
					}
				}
				if got := s.Get(nil, key, limit); !slices.Equal(got, all[:min(limit, len(all))]) {
					t.Fatalf("Get(%x, %d) = %v, want %v", key, limit, got, all)
				}
			}
			for n := range want {
				if !slices.Contains(s.Of(n), key) {
					t.Fatalf("Of(%d) has no %x", n, key)
				}
			}
		}
		seen := 0
		var last Pair
		s.All(func(p Pair) bool {
			if !model[p.Key][p.N] || seen > 0 && last.compare(p) >= 0 {
				t.Fatalf("All has %v after %v", p, last)
			}
			last = p
			seen++
			return true
		})
		if seen != total {
			t.Fatalf("All has %d pairs of %d", seen, total)
		}
	})
}

// TestRunIsSmall: some eleven bytes a pair, the directory included.
func TestRunIsSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	var pairs []Pair
	for i := range 100_000 {
		pairs = append(pairs, Pair{Key: uint64(i) * 0x9e3779b97f4a7c15, N: int64(i) + 1<<27})
	}
	if err := Write(path, new(Set).With(pairs).Recent, nil, true, true); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 11*100_000+40_000 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	if err := Write(path, nil, nil, true, false); err == nil {
		t.Error("a run takes the place of another")
	}
}

func TestDamagedRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	if err := Write(path, []Pair{{Key: 1, N: 2}, {Key: 1 << 60, N: 3}}, nil, true, false); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(raw) {
		if _, err := newRun(raw[:cut]); !errs.Is(err, errs.Corrupt) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	raw[3] ^= 1
	r, err := newRun(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Check(); !errs.Is(err, errs.Corrupt) {
		t.Errorf("a changed byte: %v", err)
	}
}

// FuzzRun: whatever a file holds, reading it ends and does not crash.
func FuzzRun(f *testing.F) {
	path := filepath.Join(f.TempDir(), "run")
	var pairs []Pair
	for i := range 200 {
		pairs = append(pairs, Pair{Key: uint64(i) * 0x9e3779b97f4a7c15, N: int64(i), Gone: i%7 == 0})
	}
	if err := Write(path, new(Set).With(pairs).Recent, nil, false, false); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, uint64(1))
	f.Fuzz(func(t *testing.T, raw []byte, key uint64) {
		r, err := newRun(raw)
		if err != nil {
			return
		}
		_ = r.Check()
		s := &Set{Runs: []*Run{r}}
		s.Get(nil, key, 4)
		s.Of(int64(key >> 2))
		if err := write(discard{}, nil, s.Runs, false); err != nil {
			t.Fatal(err)
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
