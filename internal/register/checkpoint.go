package register

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	flog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/errs"
)

const maxCheckpoint = 1 << 18 // bytes; 32 cosignatures with ML-DSA are 110 KB

// Checkpoint is a verified checkpoint (C2SP tlog-checkpoint).
type Checkpoint struct {
	Size         int64
	Root         tlog.Hash
	Cosignatures []Cosignature
	Unknown      int // signatures by keys that were not asked for
	note         *note.Note
}

// Cosignature is a witness's word (C2SP tlog-cosignature): it had seen the
// checkpoint at this time, and nothing that contradicts it.
type Cosignature struct {
	Name string
	Key  uint32 // the key's hash, as in its vkey
	Time time.Time
}

// ParseCheckpoint reads a checkpoint that the log's key has signed. Signatures
// by the witnesses, made by [ParseWitness], become cosignatures; a wrong one
// makes the whole checkpoint wrong.
func ParseCheckpoint(signed []byte, origin string, key note.Verifier, witnesses ...note.Verifier) (Checkpoint, error) {
	bad := func(err error) (Checkpoint, error) {
		return Checkpoint{}, errs.New(errs.Corrupt, "not a valid checkpoint: %w", err)
	}
	if len(signed) > maxCheckpoint {
		return bad(fmt.Errorf("it is longer than %d bytes", maxCheckpoint))
	}
	cp, rest, n, err := flog.ParseCheckpoint(signed, origin, key, witnesses...)
	if err != nil {
		return bad(err)
	}
	if cp.Size > math.MaxInt64>>2 || len(cp.Hash) != tlog.HashSize {
		return bad(errors.New("its size or its root is out of bounds"))
	}
	if n.Text != string(cp.Marshal())+string(rest) {
		return bad(errors.New("its text is not in its one form"))
	}
	for _, s := range n.Sigs {
		if !strictBase64(s.Base64) {
			return bad(errors.New("a signature is not in its one form"))
		}
	}
	c := Checkpoint{Size: int64(cp.Size), Root: tlog.Hash(cp.Hash), Unknown: len(n.UnverifiedSigs), note: n}
	for _, s := range n.Sigs {
		if s.Name == key.Name() && s.Hash == key.KeyHash() {
			continue
		}
		at, err := fnote.CoSigV1Timestamp(s)
		if err != nil {
			return bad(err)
		}
		c.Cosignatures = append(c.Cosignatures, Cosignature{s.Name, s.Hash, at})
	}
	return c, nil
}

// ParseWitness makes a verifier of cosignatures from a witness's public key.
func ParseWitness(vkey string) (note.Verifier, error) {
	v, err := parseWitness(vkey)
	if err != nil {
		return nil, errs.New(errs.Invalid, "not the public key of a witness: %w", err)
	}
	return v, nil
}

// signCheckpoint is the note for a tree, signed by the origin.
func signCheckpoint(origin string, size int64, root tlog.Hash, signer note.Signer) ([]byte, error) {
	cp := flog.Checkpoint{Origin: origin, Size: uint64(size), Hash: root[:]}
	return note.Sign(&note.Note{Text: string(cp.Marshal())}, signer)
}

// mergeCosignatures adds those signatures of other that verify to the note. Of two
// by one witness the newer is kept, so that an old one that is shown again takes
// nothing away; one of a time after latest is older than any.
func mergeCosignatures(c Checkpoint, key note.Verifier, other *note.Note, latest time.Time) ([]byte, error) {
	n := &note.Note{Text: c.note.Text}
	have := map[string]int{} // the place of each
	at := func(s note.Signature) time.Time {
		t, err := fnote.CoSigV1Timestamp(s)
		if err != nil || t.After(latest) {
			return time.Time{}
		}
		return t
	}
	add := func(s note.Signature) {
		id := fmt.Sprintf("%s+%08x", s.Name, s.Hash)
		i, ok := have[id]
		switch {
		case !ok:
			have[id] = len(n.Sigs)
			n.Sigs = append(n.Sigs, s)
		case i > 0 && at(s).After(at(n.Sigs[i])):
			n.Sigs[i] = s
		}
	}
	isKey := func(s note.Signature) bool { return s.Name == key.Name() && s.Hash == key.KeyHash() }
	for _, s := range c.note.Sigs { // the origin's comes first
		if isKey(s) {
			add(s)
		}
	}
	for _, s := range c.note.Sigs {
		if !isKey(s) {
			add(s)
		}
	}
	for _, s := range other.Sigs {
		if !isKey(s) && strictBase64(s.Base64) {
			add(s)
		}
	}
	return note.Sign(n)
}

// keyring says whose signatures count on a checkpoint.
type keyring struct {
	origin    string
	keys      []originKey       // the newest first
	vkeys     map[uint32]string // the charters' keys as text, by their hash
	base      *Base             // what the last charter that has a base continues
	held      []note.Verifier   // all former keys, for what is on our own disk
	witnesses []note.Verifier   // of any charter
}

// originKey is a key that may sign checkpoints; an old one only that which the
// next charter continues.
type originKey struct {
	note.Verifier
	base *Base
}

// newKeyring takes the keys from the configuration, else from the charters.
func newKeyring(cfg Config, charters []Charter) (keyring, error) {
	ring := keyring{origin: cfg.Origin}
	seen := map[string]bool{}
	for i := len(charters) - 1; i >= 0; i-- {
		for _, w := range charters[i].Witnesses {
			if !seen[w] {
				seen[w] = true
				v, err := parseWitness(w)
				if err != nil {
					return ring, err
				}
				ring.witnesses = append(ring.witnesses, v)
			}
		}
	}
	if len(charters) > 0 && ring.origin == "" {
		ring.origin = charters[len(charters)-1].Log
	}
	if cfg.Verifier != nil {
		ring.keys = []originKey{{cfg.Verifier, nil}}
	} else if len(charters) > 0 {
		newest := charters[len(charters)-1]
		v, err := parseKey(newest.Origin)
		if err != nil {
			return ring, err
		}
		ring.keys, ring.vkeys = []originKey{{v, nil}}, map[uint32]string{v.KeyHash(): newest.Origin}
		for i := len(charters) - 2; i >= 0; i-- {
			old, err := parseKey(charters[i].Origin)
			if err != nil {
				return ring, err
			}
			// That which the newest key continues may be by the key before.
			if base := charters[i+1].Base; base != nil && ring.base == nil {
				ring.base = base
				ring.keys = append(ring.keys, originKey{old, base})
			}
			if charters[i].Origin != charters[i+1].Origin {
				ring.held = append(ring.held, old)
				ring.vkeys[old.KeyHash()] = charters[i].Origin
			}
		}
	}
	if ring.origin == "" || len(ring.keys) == 0 {
		return ring, errs.New(errs.Corrupt, "no charter says whose signature the register has")
	}
	return ring, nil
}

// open verifies a checkpoint with the first key that has signed it.
func (k keyring) open(signed []byte) (c Checkpoint, key note.Verifier, err error) {
	for i, key := range k.keys {
		c, e := ParseCheckpoint(signed, k.origin, key.Verifier, k.witnesses...)
		if e == nil && (key.base == nil || c.Size == key.base.Size && c.Root == key.base.Root) {
			return c, key.Verifier, nil
		}
		if i == 0 {
			err = e
		}
	}
	return Checkpoint{}, nil, err
}

// openHeld verifies a checkpoint that is on our own disk: a former key may have
// signed it too, before its successor was heard of.
func (k keyring) openHeld(signed []byte) (c Checkpoint, key note.Verifier, err error) {
	if c, key, err = k.open(signed); err == nil {
		return c, key, nil
	}
	for _, key := range k.held {
		if c, e := ParseCheckpoint(signed, k.origin, key, k.witnesses...); e == nil {
			return c, key, nil
		}
	}
	return Checkpoint{}, nil, err
}

// isNewest says whether a key is the one that speaks for the library now.
func (k keyring) isNewest(key note.Verifier) bool { return sameKey(k.keys[0], key) }

func sameKey(a, b note.Verifier) bool {
	return a != nil && b != nil && a.Name() == b.Name() && a.KeyHash() == b.KeyHash()
}

// exactCheckpoint says whether every byte of the note is accounted for.
func exactCheckpoint(c Checkpoint, signed []byte) bool {
	return c.Unknown == 0 && exactNote(c.note, bytes.Clone(signed))
}
