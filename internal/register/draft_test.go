package register

import (
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// TestDrafts takes a charter from draft to what counts, by files that go round.
func TestDrafts(t *testing.T) {
	k := newKeys(t)
	var skeys, vkeys []string
	var signers []note.Signer
	for _, name := range []string{"a", "b", "c"} {
		s, v, err := GenerateKeys(name)
		if err != nil {
			t.Fatal(err)
		}
		if public, err := PublicKey(s); err != nil || public != v {
			t.Errorf("the public key of %s is %s (%v), not %s", name, public, err, v)
		}
		signer, err := note.NewSigner(s)
		if err != nil {
			t.Fatal(err)
		}
		skeys, vkeys, signers = append(skeys, s), append(vkeys, v), append(signers, signer)
	}
	if _, err := PublicKey(skeys[0] + "x"); err == nil {
		t.Error("a key with a letter more")
	}
	first := NewCharter(k.log, k.vkey, vkeys[:2], 2)
	old, err := SignCharter(first, signers[:2]...)
	if err != nil {
		t.Fatal(err)
	}
	next, err := NextCharter(strings.Repeat("1", 64), old)
	if err != nil {
		t.Fatal(err)
	}
	next.Trustees = NewCharter(k.log, k.vkey, vkeys[1:], 2).Trustees // a goes, c comes
	draft, err := DraftCharter(next)
	if err != nil {
		t.Fatal(err)
	}
	count := func(old, draft []byte, missing, missingOld int) {
		t.Helper()
		got, err := CountSignatures(old, draft)
		if err != nil {
			t.Fatal(err)
		}
		if got.Missing != missing || got.MissingOld != missingOld || got.OldKnown != (old != nil) {
			t.Errorf("%d and %d are missing, not %d and %d: %+v", got.Missing, got.MissingOld, missing, missingOld, got)
		}
		if _, err := VerifyCharter(old, draft); (err == nil) != (missing == 0 && missingOld == 0 && old != nil) {
			t.Errorf("with %d and %d missing: %v", missing, missingOld, err)
		}
	}
	count(old, draft, 2, 2)
	count(nil, draft, 2, 0)
	if c, err := ParseDraft(draft); err != nil || c.Version != 2 {
		t.Errorf("a draft without signatures: %v", err)
	}
	sign := func(draft []byte, s note.Signer) []byte {
		t.Helper()
		signed, err := SignDraft(draft, s)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	byA, byB := sign(draft, signers[0]), sign(sign(draft, signers[1]), signers[1])
	count(old, byA, 2, 1)
	count(old, byB, 1, 1)
	byBC := sign(byB, signers[2])
	count(old, byBC, 0, 1)
	all, err := MergeDrafts(byA, byBC, byB, draft)
	if err != nil {
		t.Fatal(err)
	}
	count(old, all, 0, 0)
	if !SameCharter(all, byA) || SameCharter(all, old) {
		t.Error("what the same charter is")
	}

	// A signature moved from another text is left out, and counts for nothing.
	stolen, err := MergeDrafts(byBC)
	if err != nil {
		t.Fatal(err)
	}
	next.Threshold = 1
	other, err := DraftCharter(next)
	if err != nil {
		t.Fatal(err)
	}
	_, sigs, _ := strings.Cut(string(stolen), "\n\n")
	forged := append(other, sigs...)
	if got, err := CountSignatures(old, forged); err != nil || got.Missing != 1 || got.MissingOld != 2 || got.Signatures[0].Good {
		t.Errorf("%v %+v", err, got)
	}
	if merged, err := MergeDrafts(forged); err != nil || string(merged) != string(other) {
		t.Errorf("a wrong signature is kept: %v", err)
	}
	if _, err := MergeDrafts(draft, other); err == nil {
		t.Error("two charters were merged")
	}
}

func FuzzDraft(f *testing.F) {
	s, v, _ := GenerateKeys("a")
	signer, _ := note.NewSigner(s)
	log := NewLogName()
	_, origin, _ := GenerateKeys(log)
	draft, _ := DraftCharter(NewCharter(log, origin, []string{v}, 1))
	signed, _ := SignDraft(draft, signer)
	f.Add(draft)
	f.Add(signed)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := CountSignatures(nil, data)
		if err != nil {
			return
		}
		if again, err := SignDraft(data, signer); err == nil {
			if len(again) > maxCharter {
				t.Error("longer than a charter may be")
			}
			if _, err := ParseDraft(again); err != nil && len(got.Signatures) < 100 {
				t.Error(err)
			}
		}
		if _, err := MergeDrafts(data, data); err != nil && len(data) < maxCharter {
			t.Error(err)
		}
	})
}
