package register

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// TestCrashAtEveryOperation lets each operation of an append fail or lose the
// power, and then opens what is left: it must verify, hold all that was
// acknowledged, and hold the batch whole or not at all.
func TestCrashAtEveryOperation(t *testing.T) {
	ctx := context.Background()
	for _, shape := range []struct{ have, add int }{{1, 1}, {255, 1}, {256, 1}, {200, 100}, {250, 600}, {65535, 2}} {
		seeds, step := uint64(2), 1
		if shape.have > 1000 { // slow: a few operations of each fault will do
			seeds, step = 1, 16
		}
		for _, fault := range durable.Faults {
			t.Run(fmt.Sprintf("%d+%d/%v", shape.have, shape.add, fault), func(t *testing.T) {
				t.Parallel()
				for seed := range seeds {
					for at := 1 + int(fault)%step; ; at += step {
						sim := durable.NewSim(seed*1000 + uint64(at))
						r, cfg, want := library(t, sim, "/lib/register", shape.have)
						batch := batchOf(shape.have, shape.add)
						before := sim.Ops()
						sim.FailAt(at, fault)
						_, err := r.Append(ctx, batch)
						over := sim.Ops()-before < at
						if err == nil {
							want = append(want, batch...)
						} else if !errs.Is(err, errs.Unavailable) && !sim.Off() {
							// Nothing was added, and the register goes on without being opened anew.
							sim.SetHook(nil)
							check(t, r, cfg, want)
							other := batchOf(9000, shape.add/2+1)
							if _, err := r.Append(ctx, other); err != nil {
								t.Fatalf("after a failure at %d: %v", at, err)
							}
							want = append(want, other...)
							check(t, r, cfg, want)
							err = nil
						}
						if err != nil && !sim.Off() {
							if _, again := r.Append(ctx, batch); !errs.Is(again, errs.Unavailable) {
								t.Fatalf("an append after an unknown outcome: %v", again)
							}
						}
						sim.Crash()
						want = reopen(t, cfg, want, batch, err != nil)
						if sum := verifyClean(t, cfg); sum.Leftovers != 0 {
							t.Fatalf("at %d: %d leftovers after a start: %v", at, sum.Leftovers, simFiles(t, sim, "/lib/register"))
						}
						sim.Crash() // what was found after the start is durable
						reopen(t, cfg, want, nil, false)
						if over {
							break
						}
					}
				}
			})
		}
	}
}

// reopen verifies what is on the disk, opens it, appends to it, and returns what
// it now holds; maybe is a batch that it may also hold.
func reopen(t *testing.T, cfg Config, want, maybe [][]byte, unknown bool) [][]byte {
	t.Helper()
	verifyClean(t, cfg) // even before recovery
	r, err := Open(cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if unknown && r.Size() != int64(len(want)) {
		want = append(slices.Clip(want), maybe...)
	}
	check(t, r, cfg, want)
	batch := batchOf(7000, 3)
	if _, err := r.Append(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	want = append(slices.Clip(want), batch...)
	check(t, r, cfg, want)
	return want
}

// TestOpenIsDurable: what a start has found is not lost by a later loss of power,
// though the process before was killed between the renaming and its sync.
func TestOpenIsDurable(t *testing.T) {
	for seed := range uint64(40) {
		sim := durable.NewSim(seed)
		r, cfg, _ := library(t, sim, "/r", 10)
		sim.SetHook(func(op durable.Op) durable.Fault {
			if op.Kind == durable.OpRename {
				return durable.FailAfter
			}
			return durable.None
		})
		if _, err := r.Append(context.Background(), batchOf(10, 5)); !errs.Is(err, errs.Unavailable) {
			t.Fatal(err)
		}
		sim.Kill()
		r, err := Open(cfg)
		if err != nil || r.Size() != 15 {
			t.Fatal(r.Size(), err)
		}
		sim.Crash()
		if r, err = Open(cfg); err != nil || r.Size() != 15 {
			t.Fatalf("seed %d: what was served is gone: %d, %v", seed, r.Size(), err)
		}
	}
}

func simFiles(t *testing.T, sim *durable.Sim, dir string) (list []string) {
	entries, err := sim.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := dir + "/" + e.Name(); e.IsDir() {
			list = append(list, simFiles(t, sim, name)...)
		} else {
			list = append(list, name)
		}
	}
	return list
}

// TestCrashWhileErasing does the same to an erasure: the entry is there or gone,
// and after a second try it is gone.
func TestCrashWhileErasing(t *testing.T) {
	ctx := context.Background()
	for _, have := range []int{100, 256, 300} {
		for _, fault := range durable.Faults {
			for at := 1; ; at++ {
				sim := durable.NewSim(uint64(at))
				r, cfg, want := library(t, sim, "/r", have)
				e := encode(t, record.Entry{Type: record.TypeErasure, Entries: []int64{50}, Ground: "a court"})
				if _, err := r.Append(ctx, [][]byte{e}); err != nil {
					t.Fatal(err)
				}
				want = append(want, e)
				before := sim.Ops()
				sim.FailAt(at, fault)
				err := r.Erase(ctx, []int64{50})
				over := sim.Ops()-before < at
				sim.Crash()
				r, openErr := Open(cfg)
				if openErr != nil {
					t.Fatalf("%d, %v at %d: %v", have, fault, at, openErr)
				}
				if _, readErr := r.Entry(ctx, 50); err == nil && !errs.Is(readErr, errs.Gone) {
					t.Fatalf("%d, %v at %d: an acknowledged erasure is undone", have, fault, at)
				}
				if err := r.Erase(ctx, []int64{50}); err != nil {
					t.Fatal(err)
				}
				want[50] = nil
				check(t, r, cfg, want)
				if over {
					break
				}
			}
		}
	}
}

// TestCrashWhileCreating leaves a whole register or one that can be told from it.
func TestCrashWhileCreating(t *testing.T) {
	for _, fault := range durable.Faults {
		for at := 1; ; at++ {
			sim := durable.NewSim(uint64(at))
			k := newKeys(t)
			cfg := Config{Dir: "/lib/register", FS: sim, Signer: k.origin}
			entry0 := k.entry0(t)
			sim.FailAt(at, fault)
			_, err := Create(cfg, entry0)
			over := sim.Ops() < at
			sim.Crash()
			r, openErr := Open(cfg)
			switch {
			case openErr == nil:
				check(t, r, cfg, [][]byte{entry0})
			case err == nil:
				t.Fatalf("%v at %d: a register that was made is gone: %v", fault, at, openErr)
			case !errs.Is(openErr, errs.NotFound):
				t.Fatalf("%v at %d: %v", fault, at, openErr)
			default:
				if _, err := Create(cfg, entry0); err != nil && !strings.Contains(err.Error(), "no register that was finished") {
					t.Fatalf("%v at %d: %v", fault, at, err)
				}
			}
			if over {
				break
			}
		}
	}
}

// TestReaderWhileWriting opens, reads and verifies while another appends.
func TestReaderWhileWriting(t *testing.T) {
	ctx := context.Background()
	w, cfg, want := library(t, nil, t.TempDir(), 1)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for i := range 60 {
			if _, err := w.Append(ctx, batchOf(1+i*29, 29)); err != nil {
				t.Error(err)
			}
		}
	}()
	want = append(want, batchOf(1, 60*29)...)
	ro := cfg
	ro.Signer = nil
	for running := true; running; {
		select {
		case <-stop:
			running = false
		default:
		}
		r, err := Open(ro)
		if err != nil {
			t.Fatal(err)
		}
		err = r.Read(ctx, 0, r.Size(), func(i int64, e []byte) error {
			if !bytes.Equal(e, want[i]) {
				return fmt.Errorf("entry %d differs", i)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		verifyClean(t, ro)
	}
}
