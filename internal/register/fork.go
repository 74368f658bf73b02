package register

import (
	"bytes"
	"encoding/json"
	"errors"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/errs"
)

const (
	maxFork  = 4 << 20 // bytes: two checkpoints, escaped, and a proof
	maxProof = 128     // hashes: twice the height of any tree
)

// Fork proves that one key has signed two trees of which neither holds the
// other. It is an error; what wraps it has the kind errs.Corrupt, and errors.As
// finds it. Anybody who has the library's charters can check it.
type Fork struct {
	Key     string         `json:"key"`     // the public key that has signed both
	Shorter string         `json:"shorter"` // the checkpoint of the shorter tree
	Longer  string         `json:"longer"`  // that of the longer one
	Root    tlog.Hash      `json:"root"`    // of the longer tree at the size of the shorter
	Proof   tlog.TreeProof `json:"proof"`   // that it is: a consistency proof; empty where the sizes are equal
}

func (f *Fork) Error() string {
	return "the origin's key has signed two registers that contradict each other"
}

// Marshal is the proof as JSON.
func (f *Fork) Marshal() ([]byte, error) { return json.MarshalIndent(f, "", "  ") }

// ParseFork reads a proof as JSON. It does not check what it proves: see
// [Fork.Verify].
func ParseFork(data []byte) (*Fork, error) {
	bad := func(err error) (*Fork, error) { return nil, errs.New(errs.Corrupt, "not a proof of a fork: %w", err) }
	if len(data) > maxFork {
		return bad(errors.New("it is too long"))
	}
	f := &Fork{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(f); err != nil {
		return bad(err)
	}
	if d.More() {
		return bad(errors.New("something follows it"))
	}
	if len(f.Shorter) > maxCheckpoint || len(f.Longer) > maxCheckpoint || len(f.Proof) > maxProof {
		return bad(errors.New("it is too long"))
	}
	if _, err := parseKey(f.Key); err != nil {
		return bad(err)
	}
	return f, nil
}

// Verify checks the proof, against all charters of the library, the oldest
// first: the key must be the origin's by one of them.
func (f *Fork) Verify(charters [][]byte) error {
	list, err := VerifyCharters("", charters)
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.Origin == f.Key {
			return f.verify(c.Log)
		}
	}
	return errs.New(errs.Refused, "the proof of a fork is about another library's key")
}

func (f *Fork) verify(log string) error {
	key, err := parseKey(f.Key)
	if err != nil {
		return errs.New(errs.Corrupt, "the proof of a fork: %w", err)
	}
	short, err := ParseCheckpoint([]byte(f.Shorter), log, key)
	if err != nil {
		return err
	}
	long, err := ParseCheckpoint([]byte(f.Longer), log, key)
	if err != nil {
		return err
	}
	none := errs.New(errs.Corrupt, "the proof of a fork proves none")
	switch {
	case short.Size > long.Size || f.Root == short.Root:
		return none
	case short.Size == long.Size:
		if len(f.Proof) > 0 || f.Root != long.Root {
			return none
		}
	case short.Size < 1 || tlog.CheckTree(f.Proof, long.Size, long.Root, short.Size, f.Root) != nil:
		return none
	}
	return nil
}

// forkOf is the error for two checkpoints by one key that contradict each other,
// in any order. hashes are those of the longer tree.
func forkOf(key note.Verifier, vkey string, a, b Checkpoint, hashes tlog.HashReader) error {
	strip := func(c Checkpoint) (string, error) { // the origin's word alone
		n := &note.Note{Text: c.note.Text}
		for _, s := range c.note.Sigs {
			if s.Name == key.Name() && s.Hash == key.KeyHash() {
				n.Sigs = append(n.Sigs, s)
			}
		}
		signed, err := note.Sign(n)
		return string(signed), err
	}
	if a.Size > b.Size {
		a, b = b, a
	}
	f := &Fork{Key: vkey, Root: b.Root}
	var err error
	if f.Shorter, err = strip(a); err != nil {
		return err
	}
	if f.Longer, err = strip(b); err != nil {
		return err
	}
	if a.Size < b.Size {
		if f.Root, err = tlog.TreeHash(a.Size, hashes); err != nil {
			return err
		}
		if f.Proof, err = tlog.ProveTree(b.Size, a.Size, hashes); err != nil {
			return err
		}
	}
	if err := f.verify(key.Name()); err != nil {
		return err
	}
	return errs.New(errs.Corrupt, "at %d and at %d entries %w", a.Size, b.Size, f)
}
