package register

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
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

// at is a witness whose clock stands still.
type at struct {
	note.Signer
	key  ed25519.PrivateKey
	time time.Time
}

func (w at) Sign(msg []byte) ([]byte, error) {
	sig := binary.BigEndian.AppendUint64(nil, uint64(w.time.Unix()))
	return append(sig, ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", w.time.Unix(), msg))...), nil
}

// Whoever shows a checkpoint with the cosignatures that it had long ago makes a copy
// no older than it is, and a witness of the year 2100 makes none fresh for ever.
func TestCosignaturesOfOtherTimes(t *testing.T) {
	ctx := context.Background()
	l := newLand(t, nil, t.TempDir(), 10)
	skey, vkey, err := GenerateKeys("w.example")
	if err != nil {
		t.Fatal(err)
	}
	s, err := fnote.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base64.StdEncoding.DecodeString(strings.SplitN(skey, "+", 5)[4])
	if err != nil {
		t.Fatal(err)
	}
	w := at{Signer: s, key: ed25519.NewKeyFromSeed(seed[1:])}
	if vkey, err = fnote.VKeyToCosignatureV1(vkey); err != nil {
		t.Fatal(err)
	}
	c, err := NextCharter(l.origin.Library(), l.origin.Charters()[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Witnesses, c.Quorum = []string{vkey}, 1
	signed, err := SignCharter(c, l.trustee)
	if err != nil {
		t.Fatal(err)
	}
	l.add(t, encode(t, record.Entry{Type: record.TypeCharter, Note: string(signed)}))
	now := time.Now()
	put := func(when time.Time) []byte {
		t.Helper()
		w.time = when
		if err := l.origin.AddCosignatures(ctx, cosign(t, l.origin.Checkpoint(), w)); err != nil {
			t.Fatal(err)
		}
		return l.origin.Checkpoint()
	}
	old := put(now.Add(-80 * time.Hour))
	r, _ := replica(t, l.origin, nil, t.TempDir())
	is := func(f Freshness) {
		t.Helper()
		if got, at := r.Freshness(now); got != f {
			t.Fatalf("%v of %v, not %v", got, at, f)
		}
	}
	extend(t, r, l.origin)
	is(Stale)
	put(now)
	extend(t, r, l.origin)
	is(Current)
	before := r.Checkpoint()
	if err := r.Extend(ctx, old, try(&remote{r: l.origin}), ExtendOptions{}); err != nil || !bytes.Equal(before, r.Checkpoint()) {
		t.Fatal("an old cosignature was taken for a new one", err)
	}
	is(Current)
	put(now.AddDate(80, 0, 0))
	extend(t, r, l.origin)
	is(Current) // the one before is kept
	l.add(t, batchOf(20, 1)...)
	put(now.AddDate(80, 0, 0))
	extend(t, r, l.origin)
	is(Unwitnessed)
	put(now)
	extend(t, r, l.origin)
	is(Current)
}
