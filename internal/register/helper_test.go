package register

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/record"
)

// keys are those of a library: its log's name, the origin and one trustee.
type keys struct {
	log     string
	origin  note.Signer
	vkey    string
	trustee note.Signer
	tkey    string
}

func newKeys(t testing.TB) keys {
	t.Helper()
	var k keys
	k.log = NewLogName()
	k.origin, k.vkey = newKey(t, k.log)
	k.trustee, k.tkey = newKey(t, "trustee")
	return k
}

func newKey(t testing.TB, name string) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := GenerateKeys(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return s, vkey
}

func encode(t testing.TB, e record.Entry) []byte {
	t.Helper()
	e.Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	raw, err := record.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (k keys) charter() Charter { return NewCharter(k.log, k.vkey, []string{k.tkey}, 1) }

func (k keys) entry0(t testing.TB, change ...func(*Charter)) []byte {
	t.Helper()
	c := k.charter()
	for _, f := range change {
		f(&c)
	}
	signed, err := SignCharter(c, k.trustee)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, record.Entry{Type: record.TypeCharter, Note: string(signed)})
}

// library makes a register with n entries.
func library(t testing.TB, fsys durable.FS, dir string, n int) (*Register, Config, [][]byte) {
	t.Helper()
	k := newKeys(t)
	cfg := Config{Dir: dir, FS: fsys, Signer: k.origin}
	entries := [][]byte{k.entry0(t)}
	r, err := Create(cfg, entries[0])
	if err != nil {
		t.Fatal(err)
	}
	for len(entries) < n {
		batch := batchOf(len(entries), min(n-len(entries), MaxBatch))
		if _, err := r.Append(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, batch...)
	}
	return r, cfg, entries
}

func batchOf(from, n int) [][]byte {
	batch := make([][]byte, n)
	for i := range batch {
		batch[i] = testEntry(from + i)
	}
	return batch
}

// testEntry is as good as any: the register does not look into entries.
func testEntry(i int) []byte {
	rng := rand.New(rand.NewPCG(uint64(i), 7))
	return fmt.Appendf(nil, `{"type":"accession","n":%d,"pad":%q}`, i, strings.Repeat("x", rng.IntN(60)))
}

// check holds a register to the entries that it must have, down to the last
// file, and returns what Verify has seen.
func check(t testing.TB, r *Register, cfg Config, want [][]byte) Summary {
	t.Helper()
	ctx := context.Background()
	if r.Size() != int64(len(want)) {
		t.Fatalf("size %d, want %d", r.Size(), len(want))
	}
	n := 0
	err := r.Read(ctx, 0, r.Size(), func(i int64, entry []byte) error {
		if i != int64(n) || string(entry) != string(want[i]) {
			return fmt.Errorf("entry %d is %q, want %q", i, entry, want[n])
		}
		n++
		return nil
	})
	if err != nil || n != len(want) {
		t.Fatalf("read %d entries: %v", n, err)
	}
	if root := rootOf(t, want); want[0] != nil && noGaps(want) && r.Published().Root != root {
		t.Fatalf("root %v, want %v", r.Published().Root, root)
	}
	return verifyClean(t, cfg)
}

func noGaps(entries [][]byte) bool {
	for _, e := range entries {
		if e == nil {
			return false
		}
	}
	return true
}

func verifyClean(t testing.TB, cfg Config) Summary {
	t.Helper()
	sum, problems := verify(t, cfg, VerifyOptions{})
	for _, p := range problems {
		t.Errorf("verify: %+v", p)
	}
	if t.Failed() {
		t.FailNow()
	}
	return sum
}

func verify(t testing.TB, cfg Config, opts VerifyOptions) (Summary, []Problem) {
	t.Helper()
	cfg.Signer = nil
	var problems []Problem
	sum, err := Verify(context.Background(), cfg, opts, func(p Problem) { problems = append(problems, p) })
	if err != nil {
		t.Fatal(err)
	}
	if sum.Problems != int64(len(problems)) {
		t.Fatalf("%d problems counted, %d reported", sum.Problems, len(problems))
	}
	return sum, problems
}

// rootOf computes the root by the definition of RFC 6962, for tests only.
func rootOf(t testing.TB, entries [][]byte) tlog.Hash {
	t.Helper()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for i, e := range entries {
		h, err := tlog.StoredHashes(int64(i), e, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, h...)
	}
	root, err := tlog.TreeHash(int64(len(entries)), reader)
	if err != nil {
		t.Fatal(err)
	}
	return root
}
