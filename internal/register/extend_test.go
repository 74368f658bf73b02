package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// remote is another copy, whose answers a test may change.
type remote struct {
	r *Register

	mu     sync.Mutex
	change func(path string, data []byte) ([]byte, error)
	gets   map[string]int
	bytes  int64
}

func (m *remote) get(ctx context.Context, path string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := m.r.Resource(path)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gets == nil {
		m.gets = map[string]int{}
	}
	m.gets[path]++
	m.bytes += int64(len(data))
	if err == nil && m.change != nil {
		data, err = m.change(path, data)
	}
	if int64(len(data)) > limit {
		return nil, errs.New(errs.TooLarge, "more than %d bytes", limit)
	}
	return data, err
}

// try tries remotes in order, and returns the first one's error.
func try(remotes ...*remote) Try {
	return func(ctx context.Context, fn func(ctx context.Context, get Get) error) error {
		var first error
		for _, m := range remotes {
			err := fn(ctx, m.get)
			if err == nil {
				return nil
			}
			if first == nil {
				first = err
			}
		}
		return first
	}
}

// replica makes an empty copy of a register.
func replica(t testing.TB, of *Register, fsys durable.FS, dir string) (*Register, Config) {
	t.Helper()
	cfg := Config{Dir: dir, FS: fsys, Replica: true}
	r, err := CreateReplica(context.Background(), cfg, of.Library(), of.Charters())
	if err != nil {
		t.Fatal(err)
	}
	return r, cfg
}

func extend(t testing.TB, r *Register, from *Register) {
	t.Helper()
	if err := r.Extend(context.Background(), from.Checkpoint(), try(&remote{r: from}), ExtendOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestExtend(t *testing.T) {
	ctx := context.Background()
	for _, sizes := range [][]int{{1}, {2, 3, 4}, {255, 256, 257}, {256, 512}, {700, 3000}, {65536, 65537}, {65800, 131072}, {300, 66000, 66001}} {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			t.Parallel()
			origin, _, want := library(t, nil, t.TempDir(), 1)
			r, cfg := replica(t, origin, nil, t.TempDir())
			if r.Size() != 0 || r.Library() != origin.Library() || r.Checkpoint() != nil {
				t.Fatal("an empty copy is not empty")
			}
			verifyClean(t, cfg)
			for _, size := range sizes {
				if n := size - len(want); n > 0 {
					batch := batchOf(len(want), n)
					for len(batch) > 0 {
						part := batch[:min(len(batch), 40000)]
						if _, err := origin.Append(ctx, part); err != nil {
							t.Fatal(err)
						}
						want, batch = append(want, part...), batch[len(part):]
					}
				}
				extend(t, r, origin)
				check(t, r, cfg, want)
				if !bytes.Equal(r.Checkpoint(), origin.Checkpoint()) {
					t.Fatal("another checkpoint")
				}
				extend(t, r, origin) // nothing new
				again, err := Open(cfg)
				if err != nil {
					t.Fatal(err)
				}
				if sum := check(t, again, cfg, want); sum.Leftovers > 0 {
					t.Fatalf("%d leftovers", sum.Leftovers)
				}
				if found, _ := durable.Exists(durable.OS(), cfg.Dir+"/"+groundName); found {
					t.Fatal("the file base is still there")
				}
			}
		})
	}
}

// TestExtendErased copies erased entries, keeps what was erased here, and
// believes no gap that no erasure names.
func TestExtendErased(t *testing.T) {
	ctx := context.Background()
	origin, ocfg, want := library(t, nil, t.TempDir(), 700)
	r, cfg := replica(t, origin, nil, t.TempDir())
	extend(t, r, origin)
	add := func(entries ...[]byte) {
		t.Helper()
		if _, err := origin.Append(ctx, entries); err != nil {
			t.Fatal(err)
		}
		want = append(want, entries...)
	}
	add(batchOf(len(want), 300)...)
	erasure := encode(t, record.Entry{Type: record.TypeErasure, Entries: []int64{40, 690, 800}, Ground: "a court"})
	add(erasure)
	if err := origin.Erase(ctx, []int64{40, 690, 800}); err != nil {
		t.Fatal(err)
	}
	extend(t, r, origin)
	if err := r.Erase(ctx, []int64{40, 690, 800}); err != nil {
		t.Fatal(err)
	}
	want[40], want[690], want[800] = nil, nil, nil
	check(t, r, cfg, want)
	check(t, origin, ocfg, want)

	// Erased here, not there: it stays erased.
	other, otherCfg := replica(t, origin, nil, t.TempDir())
	extend(t, other, origin)
	check(t, other, otherCfg, want)
	last := encode(t, record.Entry{Type: record.TypeErasure, Entries: []int64{999}, Ground: "a court"})
	add(last)
	extend(t, other, origin)
	if err := other.Erase(ctx, []int64{999}); err != nil {
		t.Fatal(err)
	}
	add(batchOf(len(want), 100)...)
	extend(t, other, origin)
	gap := append([][]byte(nil), want...)
	gap[999] = nil
	check(t, other, otherCfg, gap)

	if err := origin.Erase(ctx, []int64{999}); err != nil {
		t.Fatal(err)
	}
	want = gap

	// A gap that no erasure names is filled by another copy, or not believed.
	blank := &remote{r: origin, change: func(path string, data []byte) ([]byte, error) {
		if path != "tile/entries/001" {
			return data, nil
		}
		entries, err := parseBundle(data, width)
		if err != nil {
			return nil, err
		}
		entries[7] = nil
		return bundleOf(nil, nil, entries), nil
	}}
	last1, lastCfg := replica(t, origin, nil, t.TempDir())
	err := last1.Extend(ctx, origin.Checkpoint(), try(blank), ExtendOptions{})
	if !errs.Is(err, errs.Unavailable) || last1.Size() != 0 {
		t.Fatal(last1.Size(), err)
	}
	if err := last1.Extend(ctx, origin.Checkpoint(), try(blank, &remote{r: origin}), ExtendOptions{}); err != nil {
		t.Fatal(err)
	}
	check(t, last1, lastCfg, want)
}

// TestExtendAttacks: whatever a copy gives, nothing wrong is kept.
func TestExtendAttacks(t *testing.T) {
	ctx := context.Background()
	origin, _, want := library(t, durable.NewSim(2), "/r", 66000)
	stranger, _, _ := library(t, durable.NewSim(3), "/r", 66000)
	honest := &remote{r: origin}
	flip := func(prefix string) *remote {
		return &remote{r: origin, change: func(path string, data []byte) ([]byte, error) {
			if strings.HasPrefix(path, prefix) {
				data = bytes.Clone(data)
				data[len(data)/2] ^= 4
			}
			return data, nil
		}}
	}
	cut := &remote{r: origin, change: func(path string, data []byte) ([]byte, error) { return data[:len(data)-1], nil }}
	long := &remote{r: origin, change: func(path string, data []byte) ([]byte, error) { return append(data, make([]byte, maxBundle)...), nil }}
	none := &remote{r: origin, change: func(path string, data []byte) ([]byte, error) { return nil, nil }}
	for name, liar := range map[string]*remote{
		"bundle": flip("tile/entries/"), "last bundle": flip("tile/entries/257.p"), "level 0": flip("tile/0/"), "level 1": flip("tile/1/000"),
		"level 2": flip("tile/2/"), "cut": cut, "long": long, "none": none, "other": {r: stranger},
	} {
		t.Run(name, func(t *testing.T) {
			r, cfg := replica(t, origin, durable.NewSim(1), "/r")
			err := r.Extend(ctx, origin.Checkpoint(), try(liar), ExtendOptions{})
			if !errs.Is(err, errs.Corrupt) || r.Size() != 0 || len(strings.Split(err.Error(), "\n")) > 1 {
				t.Fatal(r.Size(), err)
			}
			verifyClean(t, cfg)
			if err := r.Extend(ctx, origin.Checkpoint(), try(liar, honest), ExtendOptions{}); err != nil {
				t.Fatal(err)
			}
			if r.Size() != int64(len(want)) || r.Published().Root != origin.Published().Root {
				t.Fatal("not extended")
			}
			verifyClean(t, cfg)
		})
	}
	r, cfg := replica(t, origin, durable.NewSim(1), "/r")
	for at := range origin.Checkpoint() {
		bad := origin.Checkpoint()
		bad[at] ^= 1
		if err := r.Extend(ctx, bad, try(honest), ExtendOptions{}); !errs.Is(err, errs.Corrupt) {
			t.Fatalf("byte %d of the checkpoint: %v", at, err)
		}
	}
	if err := r.Extend(ctx, stranger.Checkpoint(), try(&remote{r: stranger}), ExtendOptions{}); !errs.Is(err, errs.Corrupt) {
		t.Fatal(err)
	}
	// Pinned to another library than the one whose charter it has.
	if _, err := CreateReplica(ctx, Config{Dir: t.TempDir(), Replica: true}, "", origin.Charters()); !errs.Is(err, errs.Invalid) {
		t.Fatal(err)
	}
	wrong, wrongCfg := replicaOf(t, stranger.Library(), origin.Charters())
	if err := wrong.Extend(ctx, origin.Checkpoint(), try(honest), ExtendOptions{}); !errs.Is(err, errs.Corrupt) || wrong.Size() != 0 {
		t.Fatal(err)
	}
	verifyClean(t, wrongCfg)
	extend(t, r, origin)
	check(t, r, cfg, want)
	older := origin.Checkpoint()
	if _, err := origin.Append(ctx, batchOf(70000, 10)); err != nil {
		t.Fatal(err)
	}
	extend(t, r, origin)
	if err := r.Extend(ctx, older, try(honest), ExtendOptions{}); err != nil || r.Size() != origin.Size() {
		t.Fatal("an older checkpoint changed something", err)
	}
}

func replicaOf(t *testing.T, library string, charters [][]byte) (*Register, Config) {
	t.Helper()
	cfg := Config{Dir: t.TempDir(), Replica: true}
	r, err := CreateReplica(context.Background(), cfg, library, charters)
	if err != nil {
		t.Fatal(err)
	}
	return r, cfg
}

func TestExtendFork(t *testing.T) {
	ctx := context.Background()
	one, cfg, _ := library(t, nil, t.TempDir(), 500)
	cfg.Dir = copyDir(t, cfg.Dir)
	two, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Append(ctx, batchOf(500, 100)); err != nil {
		t.Fatal(err)
	}
	r, rcfg := replica(t, one, nil, t.TempDir())
	extend(t, r, one)
	for _, n := range []int{50, 50, 300} { // shorter, as long, longer
		if _, err := two.Append(ctx, batchOf(9000, n)); err != nil {
			t.Fatal(err)
		}
		err := r.Extend(ctx, two.Checkpoint(), try(&remote{r: two}), ExtendOptions{})
		var fork *Fork
		if !errs.Is(err, errs.Corrupt) || !errors.As(err, &fork) {
			t.Fatalf("%d: %v", n, err)
		}
		data, err := fork.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseFork(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Verify(one.Charters()); err != nil {
			t.Fatal(err)
		}
		other, _, _ := library(t, nil, t.TempDir(), 1)
		if err := again.Verify(other.Charters()); !errs.Is(err, errs.Refused) {
			t.Fatal(err)
		}
		bad := *again
		bad.Root[3] ^= 1
		if err := bad.Verify(one.Charters()); !errs.Is(err, errs.Corrupt) {
			t.Fatal(err)
		}
		bad = *again
		bad.Longer = bad.Shorter
		if err := bad.Verify(one.Charters()); !errs.Is(err, errs.Corrupt) {
			t.Fatal(err)
		}
		if r.Size() != 600 {
			t.Fatal("a fork was followed")
		}
		verifyClean(t, rcfg)
	}
	// No fork where one holds the other.
	fine := &Fork{Key: r.state.Load().newest.Origin, Shorter: string(r.Checkpoint()), Root: r.Published().Root}
	if _, err := one.Append(ctx, batchOf(600, 100)); err != nil {
		t.Fatal(err)
	}
	fine.Longer = string(one.Checkpoint())
	if fine.Proof, err = one.ConsistencyProof(600, 700); err != nil {
		t.Fatal(err)
	}
	if err := fine.Verify(one.Charters()); !errs.Is(err, errs.Corrupt) {
		t.Fatal(err)
	}
}

// TestExtendResume: a source that fails on the n-th file; the next Extend
// fetches only the rest.
func TestExtendResume(t *testing.T) {
	ctx := context.Background()
	origin, _, want := library(t, nil, t.TempDir(), 20000)
	r, cfg := replica(t, origin, nil, t.TempDir())
	left := 40
	broken := &remote{r: origin, change: func(path string, data []byte) ([]byte, error) {
		if left--; left < 0 {
			return nil, errs.New(errs.Unavailable, "the source is gone")
		}
		return data, nil
	}}
	if err := r.Extend(ctx, origin.Checkpoint(), try(broken), ExtendOptions{Workers: 4}); !errs.Is(err, errs.Unavailable) || r.Size() != 0 {
		t.Fatal(err)
	}
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	honest := &remote{r: origin}
	if err := r.Extend(ctx, origin.Checkpoint(), try(honest), ExtendOptions{}); err != nil {
		t.Fatal(err)
	}
	check(t, r, cfg, want)
	again := 0
	for path := range honest.gets {
		if strings.HasPrefix(path, "tile/entries/") {
			again++
		}
	}
	if bundles := (20000 + width - 1) / width; again > bundles-30 {
		t.Fatalf("%d of %d bundles were fetched again", again, bundles)
	}
}
