package register

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/errs"
)

// A draft is a charter on its way from one trustee to the next: its note with
// the signatures that it has so far, which may be none. A note of x/mod has at
// least one, so a draft without any is the text and an empty line.

// DraftCharter is the draft of a charter that nobody has signed yet.
func DraftCharter(c Charter) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.Text()})
}

// openDraft splits a draft into its charter and its note.
func openDraft(draft []byte) (c Charter, n *note.Note, err error) {
	if text, ok := bytes.CutSuffix(draft, []byte("\n\n")); ok && len(draft) <= maxCharter {
		n = &note.Note{Text: string(text) + "\n"}
	} else if n, err = openUnverified(draft); err != nil {
		return c, nil, err
	}
	c, err = parseCharterText(n.Text)
	return c, n, err
}

// ParseDraft reads the charter of a draft. It does not check the signatures:
// see [CountSignatures].
func ParseDraft(draft []byte) (Charter, error) {
	c, _, err := openDraft(draft)
	return c, err
}

// SignDraft adds a signature; one by the same key is replaced.
func SignDraft(draft []byte, signer note.Signer) ([]byte, error) {
	_, n, err := openDraft(draft)
	if err != nil {
		return nil, err
	}
	signed, err := note.Sign(n, signer)
	if err == nil && len(signed) > maxCharter {
		return nil, badCharter("with this signature it is longer than %d bytes", maxCharter)
	}
	return signed, err
}

// MergeDrafts joins the signatures of drafts of one text. A signature that a
// trustee's key of that text denies is left out.
func MergeDrafts(drafts ...[]byte) ([]byte, error) {
	if len(drafts) == 0 {
		return nil, badCharter("there is none")
	}
	var all note.Note
	have := map[string]bool{}
	for i, d := range drafts {
		c, n, err := openDraft(d)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			all.Text = n.Text
		} else if n.Text != all.Text {
			return nil, errs.New(errs.Refused, "the charters do not say the same: they cannot be merged")
		}
		for _, s := range n.UnverifiedSigs {
			if have[s.Name+" "+s.Base64] || signatureBy(c.Trustees, n.Text, s).wrong {
				continue
			}
			have[s.Name+" "+s.Base64] = true
			all.Sigs = append(all.Sigs, s)
		}
	}
	merged, err := note.Sign(&all)
	if err == nil && len(merged) > maxCharter {
		return nil, badCharter("with all signatures it is longer than %d bytes", maxCharter)
	}
	return merged, err
}

// Tally says who has signed a charter, and how many signatures it still needs.
type Tally struct {
	Charter    Charter
	Signatures []CharterSignature
	Missing    int  // how many of its own trustees must still sign
	MissingOld int  // how many trustees of the charter before must still sign
	OldKnown   bool // the charter before was given, or there is none
}

// CharterSignature is one signature on a charter.
type CharterSignature struct {
	Name string
	Key  string // the trustee's public key; empty: of no trustee that is known
	New  bool   // by a trustee of the charter itself
	Old  bool   // by a trustee of the charter before
	Good bool   // the key says that it is right
}

// CountSignatures counts a draft's signatures under its own threshold and that of
// the charter before, nil when that is not known. Whether the charter counts is
// for [VerifyCharter] to say.
func CountSignatures(old, draft []byte) (Tally, error) {
	c, n, err := openDraft(draft)
	if err != nil {
		return Tally{}, err
	}
	t := Tally{Charter: c, Missing: c.Threshold, OldKnown: c.Version == 1}
	var before Charter
	if old != nil {
		if before, err = ParseCharter(old); err != nil {
			return Tally{}, err
		}
		if c.Version != before.Version+1 || c.Previous != textSum(before) {
			return Tally{}, badCharter("version %d does not follow version %d", c.Version, before.Version)
		}
		t.OldKnown, t.MissingOld = true, before.Threshold
	}
	trustees := append(slices.Clone(c.Trustees), before.Trustees...)
	seen := map[string]bool{}
	for _, s := range n.UnverifiedSigs {
		by := signatureBy(trustees, n.Text, s)
		cs := CharterSignature{Name: s.Name, Key: by.key, Good: by.key != "" && !by.wrong}
		cs.New, cs.Old = slices.Contains(c.Trustees, by.key), slices.Contains(before.Trustees, by.key)
		if cs.Good && !seen[by.key] {
			seen[by.key] = true
			if cs.New {
				t.Missing--
			}
			if cs.Old {
				t.MissingOld--
			}
		}
		t.Signatures = append(t.Signatures, cs)
	}
	t.Missing, t.MissingOld = max(t.Missing, 0), max(t.MissingOld, 0)
	return t, nil
}

type signatory struct {
	key   string // of those given; empty: none
	wrong bool   // it is named by the signature, and denies it
}

// signatureBy finds whose signature it is among these keys.
func signatureBy(vkeys []string, text string, s note.Signature) (by signatory) {
	for _, k := range vkeys {
		v, err := parseKey(k)
		if err != nil || v.Name() != s.Name || v.KeyHash() != s.Hash {
			continue
		}
		by.key = k
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if by.wrong = err != nil || len(raw) < 4 || !v.Verify([]byte(text), raw[4:]); !by.wrong {
			return by
		}
	}
	return by
}

// SameCharter says whether two notes are the same charter: they have the same
// text, whoever signed it.
func SameCharter(a, b []byte) bool {
	ca, na, err := openDraft(a)
	if err != nil {
		return false
	}
	cb, nb, err := openDraft(b)
	return err == nil && ca.Version == cb.Version && na.Text == nb.Text
}

// PublicKey is the public key of a secret one (C2SP signed-note, Ed25519).
func PublicKey(skey string) (vkey string, err error) {
	bad := errs.New(errs.Invalid, "not a signing key")
	s, err := note.NewSigner(skey)
	if err != nil {
		return "", bad
	}
	// PRIVATE+KEY+NAME+HASH+BASE64 of the algorithm's byte and the seed.
	parts := strings.SplitN(skey, "+", 5)
	if len(parts) != 5 {
		return "", bad
	}
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", bad
	}
	vkey, err = note.NewEd25519VerifierKey(s.Name(), ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey))
	if err != nil {
		return "", err
	}
	if v, err := parseKey(vkey); err != nil || v.KeyHash() != s.KeyHash() {
		return "", errors.Join(bad, err)
	}
	return vkey, nil
}
