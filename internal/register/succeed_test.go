package register

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// land is a library with its keys, for tests of succession.
type land struct {
	keys
	origin *Register
	cfg    Config
	want   [][]byte
}

func newLand(t testing.TB, fsys durable.FS, dir string, n int) *land {
	t.Helper()
	l := &land{keys: newKeys(t)}
	l.cfg = Config{Dir: dir, FS: fsys, Signer: l.keys.origin}
	l.want = [][]byte{l.entry0(t)}
	var err error
	if l.origin, err = Create(l.cfg, l.want[0]); err != nil {
		t.Fatal(err)
	}
	l.add(t, batchOf(1, n-1)...)
	return l
}

func (l *land) add(t testing.TB, batch ...[]byte) {
	t.Helper()
	if _, err := l.origin.Append(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	l.want = append(l.want, batch...)
}

// next is a charter that gives the library to a new key, from base on.
func (l *land) next(t testing.TB, r *Register, base int64) (signed []byte, signer note.Signer) {
	t.Helper()
	list := r.Charters()
	c, err := NextCharter(r.Library(), list[len(list)-1])
	if err != nil {
		t.Fatal(err)
	}
	signer, c.Origin = newKey(t, l.log)
	root, err := r.RootHash(base)
	if err != nil {
		t.Fatal(err)
	}
	c.Base = &Base{base, root}
	if signed, err = SignCharter(c, l.trustee); err != nil {
		t.Fatal(err)
	}
	return signed, signer
}

// TestCopiesFollowSuccession: a copy becomes the origin, and the others, which hold less,
// as much and more than base, follow it.
func TestCopiesFollowSuccession(t *testing.T) {
	ctx := context.Background()
	for _, base := range []int{300, 512, 700} {
		t.Run(fmt.Sprint(base), func(t *testing.T) {
			t.Parallel()
			l := newLand(t, nil, t.TempDir(), 200)
			var copies []*Register
			var cfgs []Config
			at := []int{200, base - 1, base, base + 1, base + 700}
			for _, size := range at {
				if n := size - len(l.want); n > 0 {
					l.add(t, batchOf(len(l.want), n)...)
				}
				r, cfg := replica(t, l.origin, nil, t.TempDir())
				extend(t, r, l.origin)
				copies, cfgs = append(copies, r), append(cfgs, cfg)
			}
			heirAt, heirCfg := replica(t, copies[4], nil, t.TempDir())
			extend(t, heirAt, copies[4])
			l.add(t, batchOf(len(l.want), 5)...)
			charter, signer := l.next(t, heirAt, int64(base))
			heirCfg.Replica, heirCfg.Signer = false, signer

			if _, err := Open(heirCfg); err == nil {
				t.Fatal("a copy was opened for appending")
			}
			heir, err := Continue(ctx, heirCfg, charter)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Continue(ctx, heirCfg, charter)
			if err != nil || again.Size() != int64(base)+1 || heir.Size() != again.Size() {
				t.Fatalf("repeated: %v", err)
			}
			heir = again
			want := append([][]byte(nil), l.want[:base]...)
			entry, err := heir.Entry(ctx, int64(base))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, entry)
			more := batchOf(50000, 300)
			if _, err := heir.Append(ctx, more); err != nil {
				t.Fatal(err)
			}
			want = append(want, more...)
			if sum := check(t, heir, heirCfg, want); sum.Leftovers != 0 {
				t.Fatalf("%d leftovers", sum.Leftovers)
			}
			branchHolds(t, heir, l.want[:base+700], base)

			for i, r := range copies {
				if err := r.Extend(ctx, heir.Checkpoint(), try(&remote{r: heir}), ExtendOptions{}); !errs.Is(err, errs.Corrupt) {
					t.Fatalf("the checkpoint of an unknown key: %v", err)
				}
				if err := r.AddCharter(ctx, charter); err != nil {
					t.Fatal(err)
				}
				verifyClean(t, cfgs[i])
				if r, err = Open(cfgs[i]); err != nil {
					t.Fatal(err)
				}
				if err := r.Extend(ctx, l.origin.Checkpoint(), try(&remote{r: l.origin}), ExtendOptions{}); !errs.Is(err, errs.Refused) {
					t.Fatalf("%d: a checkpoint of the replaced key: %v", at[i], err)
				}
				if r.Size() != int64(at[i]) {
					t.Fatal("changed by it")
				}
				extend(t, r, heir)
				check(t, r, cfgs[i], want)
				if r, err = Open(cfgs[i]); err != nil {
					t.Fatal(err)
				}
				check(t, r, cfgs[i], want)
				if at[i] > base {
					branchHolds(t, r, l.want[:at[i]], base)
				} else if list, err := r.Branches(); err != nil || len(list) != 0 {
					t.Fatal(list, err)
				}
				if err := r.AddCharter(ctx, charter); err != nil {
					t.Fatal(err)
				}
			}
			// The old origin takes no more entries once it has heard.
			if err := l.origin.AddCharter(ctx, charter); err != nil {
				t.Fatal(err)
			}
			if _, err := l.origin.Append(ctx, batchOf(0, 1)); err == nil {
				t.Fatal("the old origin goes on")
			}
			// Its folder follows as a copy.
			old := l.cfg
			old.Signer, old.Replica = nil, true
			r, err := Open(old)
			if err != nil {
				t.Fatal(err)
			}
			extend(t, r, heir)
			check(t, r, old, want)
			branchHolds(t, r, l.want, base)
		})
	}
}

func branchHolds(t *testing.T, r *Register, want [][]byte, from int) {
	t.Helper()
	list, err := r.Branches()
	if err != nil || len(list) != 1 {
		t.Fatalf("branches %+v, %v", list, err)
	}
	b := list[0]
	if b.From != int64(from) || b.Size != int64(len(want)) || b.Root != rootOf(t, want) || len(b.Note) == 0 {
		t.Fatalf("branch %+v, want %d to %d", b, from, len(want))
	}
	i := from
	err = r.ReadBranch(context.Background(), b.ID, func(at int64, e []byte) error {
		if at != int64(i) || !bytes.Equal(e, want[i]) {
			return fmt.Errorf("entry %d of the branch differs", at)
		}
		i++
		return nil
	})
	if err != nil || i != len(want) {
		t.Fatal(i, err)
	}
	if _, err := r.branch("../" + b.ID); !errs.Is(err, errs.NotFound) {
		t.Fatal(err)
	}
}

// TestRotate changes the key and keeps what the old one signed after base; copies
// need not go back.
func TestRotate(t *testing.T) {
	ctx := context.Background()
	l := newLand(t, nil, t.TempDir(), 300)
	charter, signer := l.next(t, l.origin, 300)
	l.add(t, batchOf(300, 400)...)
	r, cfg := replica(t, l.origin, nil, t.TempDir())
	extend(t, r, l.origin)
	l.cfg.Signer = signer
	origin, err := Rotate(ctx, l.cfg, charter)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := origin.Entry(ctx, 700)
	if err != nil {
		t.Fatal(err)
	}
	l.want = append(l.want, entry)
	check(t, origin, l.cfg, l.want)
	if err := r.AddCharter(ctx, charter); err != nil {
		t.Fatal(err)
	}
	extend(t, r, origin)
	check(t, r, cfg, l.want)
	if list, err := r.Branches(); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
	// Once more: charter 3, whose base only charter 3 has.
	charter, signer = l.next(t, origin, 701)
	l.cfg.Signer = signer
	if origin, err = Rotate(ctx, l.cfg, charter); err != nil {
		t.Fatal(err)
	}
	if err := r.AddCharter(ctx, charter); err != nil {
		t.Fatal(err)
	}
	if r, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	extend(t, r, origin)
	verifyClean(t, cfg)
	// A new copy takes all charters at once.
	fresh, freshCfg := replica(t, origin, nil, t.TempDir())
	extend(t, fresh, origin)
	verifyClean(t, freshCfg)
}

func TestContinueRefuses(t *testing.T) {
	ctx := context.Background()
	l := newLand(t, nil, t.TempDir(), 300)
	r, cfg := replica(t, l.origin, nil, t.TempDir())
	extend(t, r, l.origin)
	l.add(t, batchOf(300, 10)...)
	stranger, _ := newKey(t, l.log)
	charter, signer := l.next(t, l.origin, 310)
	own := cfg
	own.Replica = false
	for name, key := range map[string]note.Signer{"base beyond": signer, "another key": stranger, "none": nil} {
		own.Signer = key
		if _, err := Continue(ctx, own, charter); err == nil {
			t.Fatal(name)
		}
	}
	// Signed by too few: nothing happens.
	few, err := NextCharter(l.origin.Library(), l.origin.Charters()[0])
	if err != nil {
		t.Fatal(err)
	}
	few.Trustees, few.Threshold = append(few.Trustees, l.charter().Origin), 1
	r, err = Open(cfg)
	if err != nil || r.Size() != 300 {
		t.Fatal(err)
	}
	verifyClean(t, cfg)
}

// TestForkEnds: a copy that follows one side of a fork goes over to the side
// that a charter continues.
func TestForkEnds(t *testing.T) {
	ctx := context.Background()
	l := newLand(t, nil, t.TempDir(), 600)
	cfg := l.cfg
	cfg.Dir = copyDir(t, cfg.Dir)
	two, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, rcfg := replica(t, l.origin, nil, t.TempDir())
	l.add(t, batchOf(600, 600)...)
	extend(t, r, l.origin)
	other := batchOf(90000, 300)
	if _, err := two.Append(ctx, other); err != nil {
		t.Fatal(err)
	}
	charter, signer := l.next(t, two, 800)
	cfg.Signer = signer
	heir, err := Rotate(ctx, cfg, charter)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddCharter(ctx, charter); err != nil {
		t.Fatal(err)
	}
	extend(t, r, heir)
	entry, err := heir.Entry(ctx, 900)
	if err != nil {
		t.Fatal(err)
	}
	check(t, r, rcfg, append(append(append([][]byte(nil), l.want[:600]...), other...), entry))
	branchHolds(t, r, l.want, 600)
}

// TestSameCharter: a charter of the same text with other signatures is the same,
// and the one in the register is what stays.
func TestSameCharter(t *testing.T) {
	ctx := context.Background()
	l := newLand(t, nil, t.TempDir(), 10)
	second, secondKey := newKey(t, "second")
	c, err := NextCharter(l.origin.Library(), l.origin.Charters()[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Trustees = NewCharter(l.log, l.vkey, []string{l.tkey, secondKey}, 1).Trustees
	one, err := SignCharter(c, l.trustee)
	if err != nil {
		t.Fatal(err)
	}
	both, err := SignDraft(one, second)
	if err != nil {
		t.Fatal(err)
	}
	r, cfg := replica(t, l.origin, nil, t.TempDir())
	for _, signed := range [][]byte{one, both, one} {
		if err := r.AddCharter(ctx, signed); err != nil {
			t.Fatal(err)
		}
	}
	l.add(t, encode(t, record.Entry{Type: record.TypeCharter, Note: string(both)}))
	extend(t, r, l.origin)
	check(t, r, cfg, l.want)
	if !bytes.Equal(r.Charters()[1], both) {
		t.Fatal("not the one in the register")
	}
	// A charter among the entries that was not heard of before.
	fresh, freshCfg := replicaOf(t, l.origin.Library(), l.origin.Charters()[:1])
	extend(t, fresh, l.origin)
	check(t, fresh, freshCfg, l.want)
	if len(fresh.Charters()) != 2 {
		t.Fatal("the charter was not stored")
	}
}

// TestExtendCrash lets each operation of an extension, and of leaving a branch,
// fail or lose the power: what is left verifies, opens and can be extended.
func TestExtendCrash(t *testing.T) {
	ctx := context.Background()
	old := newLand(t, nil, t.TempDir(), 700)
	heirCopy, heirCfg := replica(t, old.origin, nil, t.TempDir())
	extend(t, heirCopy, old.origin)
	charter, signer := old.next(t, heirCopy, 400)
	heirCfg.Replica, heirCfg.Signer = false, signer
	heir, err := Continue(ctx, heirCfg, charter)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := heir.Append(ctx, batchOf(5000, 500)); err != nil {
		t.Fatal(err)
	}
	type step struct {
		name    string
		prepare func(r *Register)
		from    *Register
	}
	for _, s := range []step{
		{"first", func(*Register) {}, old.origin},
		{"back", func(r *Register) {
			extend(t, r, old.origin)
			if err := r.AddCharter(ctx, charter); err != nil {
				t.Fatal(err)
			}
		}, heir},
	} {
		for _, fault := range durable.Faults {
			t.Run(fmt.Sprintf("%s/%v", s.name, fault), func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					sim := durable.NewSim(uint64(at))
					r, cfg := replica(t, old.origin, sim, "/r")
					s.prepare(r)
					before := sim.Ops()
					sim.FailAt(at, fault)
					err := r.Extend(ctx, s.from.Checkpoint(), try(&remote{r: s.from}), ExtendOptions{Workers: 1})
					over := sim.Ops()-before < at
					if err != nil && !sim.Off() && !errs.Is(err, errs.Unavailable) {
						sim.SetHook(nil)
						extend(t, r, s.from) // goes on without being opened anew
					}
					sim.Crash()
					verifyClean(t, cfg)
					if r, err = Open(cfg); err != nil {
						t.Fatalf("at %d: %v", at, err)
					}
					verifyClean(t, cfg)
					extend(t, r, s.from)
					if r.Size() != s.from.Size() || r.Published().Root != s.from.Published().Root {
						t.Fatalf("at %d: not extended", at)
					}
					verifyClean(t, cfg)
					sim.Crash()
					if r, err = Open(cfg); err != nil || r.Size() != s.from.Size() {
						t.Fatalf("at %d: what was extended is gone: %v", at, err)
					}
					verifyClean(t, cfg)
					if s.name == "back" {
						branchHolds(t, r, old.want, 400)
					}
					if over {
						break
					}
				}
			})
		}
	}
}

// TestCreateReplicaCrash leaves a copy or a folder in which one can be made.
func TestCreateReplicaCrash(t *testing.T) {
	ctx := context.Background()
	l := newLand(t, nil, t.TempDir(), 3)
	for _, fault := range durable.Faults {
		for at := 1; ; at++ {
			sim := durable.NewSim(uint64(at))
			cfg := Config{Dir: "/lib/register", FS: sim, Replica: true}
			sim.FailAt(at, fault)
			_, err := CreateReplica(ctx, cfg, l.origin.Library(), l.origin.Charters())
			over := sim.Ops() < at
			sim.Crash()
			r, openErr := Open(cfg)
			if openErr != nil {
				if err == nil || !errs.Is(openErr, errs.NotFound) {
					t.Fatalf("%v at %d: %v", fault, at, openErr)
				}
				if r, err = CreateReplica(ctx, cfg, l.origin.Library(), l.origin.Charters()); err != nil {
					t.Fatalf("%v at %d: %v", fault, at, err)
				}
			}
			extend(t, r, l.origin)
			if over {
				break
			}
		}
	}
}

// TestContinueCrash: a succession that is cut short is repeated.
func TestContinueCrash(t *testing.T) {
	ctx := context.Background()
	l := newLand(t, nil, t.TempDir(), 700)
	charter, signer := l.next(t, l.origin, 400)
	for _, fault := range durable.Faults {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at++ {
				sim := durable.NewSim(uint64(at))
				r, cfg := replica(t, l.origin, sim, "/r")
				extend(t, r, l.origin)
				own := cfg
				own.Replica, own.Signer = false, signer
				before := sim.Ops()
				sim.FailAt(at, fault)
				_, _ = Continue(ctx, own, charter) // it fails, or the power does
				over := sim.Ops()-before < at
				sim.Crash()
				verifyClean(t, cfg)
				r, err := Continue(ctx, own, charter)
				if err != nil {
					t.Fatalf("at %d: %v", at, err)
				}
				if r.Size() != 401 {
					t.Fatalf("at %d: %d entries", at, r.Size())
				}
				if sum := verifyClean(t, own); sum.Leftovers != 0 {
					t.Fatalf("at %d: %d leftovers: %v", at, sum.Leftovers, simFiles(t, sim, "/r"))
				}
				branchHolds(t, r, l.want, 400)
				if over {
					break
				}
			}
		})
	}
}
