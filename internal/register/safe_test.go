package register

import (
	"context"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// cosign is what a witness answers to a checkpoint: the note with its word only.
func cosign(t testing.TB, signed []byte, witnesses ...note.Signer) []byte {
	t.Helper()
	n, err := openUnverified(signed)
	if err != nil {
		t.Fatal(err)
	}
	n.Sigs = n.UnverifiedSigs
	n.UnverifiedSigs = nil
	out, err := note.Sign(n, witnesses...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSafe(t *testing.T) {
	ctx := context.Background()
	l := newLand(t, nil, t.TempDir(), 10)
	w1, v1 := witnessKey(t, "w1.example")
	w2, v2 := witnessKey(t, "w2.example")
	_, v3 := witnessKey(t, "w3.example")
	if _, ok := l.origin.Safe(); ok {
		t.Fatal("safe without a quorum")
	}
	c, err := NextCharter(l.origin.Library(), l.origin.Charters()[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Witnesses, c.Quorum = []string{v1, v2, v3}, 2
	signed, err := SignCharter(c, l.trustee)
	if err != nil {
		t.Fatal(err)
	}
	l.add(t, encode(t, record.Entry{Type: record.TypeCharter, Note: string(signed)}))
	r, rcfg := replica(t, l.origin, nil, t.TempDir())
	extend(t, r, l.origin)
	now := time.Now()
	is := func(r *Register, size int64, f Freshness) {
		t.Helper()
		s, ok := r.Safe()
		if got, _ := r.Freshness(now); got != f || ok != (size > 0) || s.Size != size {
			t.Fatalf("safe %d %v, %v; want %d, %v", s.Size, ok, got, size, f)
		}
	}
	is(r, 0, Unwitnessed)
	first := l.origin.Checkpoint()
	if err := l.origin.AddCosignatures(ctx, cosign(t, first, w1)); err != nil {
		t.Fatal(err)
	}
	is(l.origin, 0, Unwitnessed)
	l.add(t, batchOf(20, 300)...)
	// The witnesses' answers to an earlier checkpoint, one after the other.
	if err := l.origin.AddCosignatures(ctx, cosign(t, first, w1)); err != nil {
		t.Fatal(err)
	}
	is(l.origin, 0, Unwitnessed)
	if err := l.origin.AddCosignatures(ctx, cosign(t, first, w2)); err != nil {
		t.Fatal(err)
	}
	is(l.origin, 11, Current)
	second := l.origin.Checkpoint()
	if err := l.origin.AddCosignatures(ctx, cosign(t, second, w1, w2)); err != nil {
		t.Fatal(err)
	}
	is(l.origin, 311, Current)
	if err := l.origin.AddCosignatures(ctx, cosign(t, first, w1, w2)); err != nil {
		t.Fatal(err)
	}
	is(l.origin, 311, Current)
	l.add(t, batchOf(400, 3)...)
	is(l.origin, 311, Current)
	extend(t, r, l.origin) // what it saw was never cosigned
	is(r, 311, Current)    // but it has asked
	if err := l.origin.AddCosignatures(ctx, cosign(t, l.origin.Checkpoint(), w2, w1)); err != nil {
		t.Fatal(err)
	}
	extend(t, r, l.origin) // the same text, renewed
	is(r, 314, Current)
	for _, reg := range []struct {
		r   *Register
		cfg Config
	}{{l.origin, l.cfg}, {r, rcfg}} {
		verifyClean(t, reg.cfg)
		again, err := Open(reg.cfg)
		if err != nil {
			t.Fatal(err)
		}
		is(again, 314, Current)
	}
	l.add(t, batchOf(500, 1)...)
	again, err := Open(l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	is(again, 314, Current)
	names := map[string]bool{}
	if err := again.Snapshot(ctx, func(name string, _ []byte) error { names[name] = true; return nil }); err != nil || !names[safeName] {
		t.Fatal("a snapshot without what is safe", err)
	}
	now = now.Add(25 * time.Hour)
	is(again, 314, Late)
	now = now.Add(50 * time.Hour)
	is(again, 314, Stale)

	// What is not of this register makes nothing safe.
	other, ocfg, _ := library(t, nil, t.TempDir(), 400)
	_ = ocfg
	for _, bad := range [][]byte{other.Checkpoint(), cosign(t, other.Checkpoint(), w1, w2), []byte("x"), make([]byte, maxCheckpoint+1)} {
		if err := again.AddCosignatures(ctx, bad); !errs.Is(err, errs.Refused) && !errs.Is(err, errs.TooLarge) {
			t.Fatal(err)
		}
	}
	forged, err := signCheckpoint(l.log, 200, [32]byte{1}, l.keys.origin)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.AddCosignatures(ctx, cosign(t, forged, w1, w2)); !errs.Is(err, errs.Refused) {
		t.Fatal(err)
	}
}
