package register

import (
	"encoding/json"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/errs"
)

// Fork proves that one key has signed two trees of which neither holds the
// other. It is an error; the kind of what wraps it is errs.Corrupt.
type Fork struct {
	Key     string         `json:"key"`     // the public key that has signed both
	Shorter string         `json:"shorter"` // the note of the shorter tree
	Longer  string         `json:"longer"`  // the note of the longer one
	Root    tlog.Hash      `json:"root"`    // of the longer tree at the size of the shorter
	Proof   tlog.TreeProof `json:"proof"`   // that this is its root: a consistency proof
}

func (f *Fork) Error() string { return "the origin's key has signed two registers" }

// Marshal is the proof as JSON.
func (f *Fork) Marshal() ([]byte, error) { return json.Marshal(f) }

// ParseFork reads a proof as JSON. It does not verify it: see [Fork.Verify].
func ParseFork(data []byte) (*Fork, error) {
	return nil, errs.New(errs.Internal, "not yet")
}

// Verify checks the proof; the key must be the origin's by one of the charters' notes.
func (f *Fork) Verify(charters [][]byte) error {
	return errs.New(errs.Internal, "not yet")
}
