package blob_test

import (
	"bytes"
	"testing"

	"wenlan/internal/blob"
	"wenlan/internal/blob/blobtest"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

// stack is what the crash tests put: two batches, the second with a known blob.
var stack = [][][]byte{
	{blobtest.Bytes(1, 700), blobtest.Bytes(2, 2600), {}},
	{blobtest.Bytes(3, 2000), blobtest.Bytes(1, 700), blobtest.Bytes(4, 1)},
}

// crashConfig has a buffer that the larger blobs do not fit in.
func crashConfig(sim *durable.Sim) blob.LocalConfig {
	return blob.LocalConfig{Roots: []string{"/lib/a", "/lib/b"}, FS: sim, Buffer: 1024}
}

// fill does the batches until something fails, and says what was acknowledged.
func fill(sim *durable.Sim) (acked [][]byte, deleted bool, err error) {
	l, err := blob.OpenLocal(crashConfig(sim))
	if err != nil {
		return nil, false, err
	}
	for _, batch := range stack {
		for _, data := range batch {
			if _, err := l.Put(ctx, bytes.NewReader(data)); err != nil {
				return acked, false, err
			}
		}
		if err := l.Flush(ctx); err != nil {
			if again := l.Flush(ctx); again == nil {
				panic("a flush after a failed flush succeeded")
			}
			return acked, false, err
		}
		acked = append(acked, batch...)
	}
	// The last one is deleted at the end; whether it went is then unknown.
	if err := l.Delete(ctx, blobtest.RefOf(stack[1][2]).SHA256); err != nil {
		return acked[:len(acked)-1], false, err
	}
	return acked[:len(acked)-1], true, nil
}

// look opens what is there and holds it to the promises.
func look(t *testing.T, sim *durable.Sim, acked [][]byte, deleted bool) {
	t.Helper()
	l, err := blob.OpenLocal(crashConfig(sim))
	if err != nil {
		t.Fatalf("opening again: %v", err)
	}
	for _, data := range acked {
		if got, err := get(l, blobtest.RefOf(data).SHA256); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("an acknowledged blob of %d bytes is lost: %v", len(data), err)
		}
	}
	if deleted {
		if _, err := l.Stat(ctx, blobtest.RefOf(stack[1][2]).SHA256); !errs.Is(err, errs.NotFound) {
			t.Fatalf("a deleted blob is back: %v", err)
		}
	}
	_, err = l.Verify(ctx, blob.VerifyOptions{}, func(p blob.Problem) { t.Fatalf("half a blob is visible: %+v", p) })
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"/lib/a/tmp", "/lib/b/tmp"} {
		if list, err := sim.ReadDir(root); err != nil || len(list) != 0 {
			t.Fatalf("%s holds %v: %v", root, list, err)
		}
	}
}

// TestCrashAtEveryOperation cuts the power, or fails, at each operation of Put
// and Flush in each way; then the disk loses what was not synced. Nothing
// acknowledged may be missing, nothing half may be visible, and the work can be
// done again, after which another loss of power takes nothing.
func TestCrashAtEveryOperation(t *testing.T) {
	for _, fault := range durable.Faults {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			for n, reached := 1, true; reached; n++ {
				for i := range uint64(4) {
					seed := 4*uint64(n) + i
					sim := durable.NewSim(seed)
					sim.FailAt(n, fault)
					acked, deleted, err := fill(sim)
					reached = sim.Ops() >= n
					if reached && err == nil && fault >= durable.CrashBefore {
						t.Fatalf("operation %d: the power failed and nobody noticed", n)
					}
					if seed%2 == 0 {
						sim.Crash()
					} else {
						sim.Kill() // the process alone ends: the disk still owes much
					}
					look(t, sim, acked, deleted)
					acked, deleted, err = fill(sim)
					if err != nil {
						t.Fatalf("operation %d, seed %d: doing it again: %v", n, seed, err)
					}
					sim.Crash()
					look(t, sim, acked, deleted)
				}
			}
		})
	}
}
