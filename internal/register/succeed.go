package register

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/errs"
)

// Continue makes a register (closed; its lock held by the caller) that of the
// origin named by a charter: it goes back to the charter's base where it is
// longer, signs the checkpoint there with cfg.Signer, and appends the charter.
func Continue(ctx context.Context, cfg Config, charter []byte) (*Register, error) {
	return nil, errs.New(errs.Internal, "not yet")
}

// Rotate is Continue for an origin that only changes its key: nothing is taken
// back, what the old key signed after the charter's base is signed by the new one.
func Rotate(ctx context.Context, cfg Config, charter []byte) (*Register, error) {
	return nil, errs.New(errs.Internal, "not yet")
}

// Branch is what a superseded key has signed after the base of a charter.
type Branch struct {
	ID   string // names it: SIZE-ROOT
	From int64  // the first entry that is not in the register
	Size int64
	Root tlog.Hash
	Note []byte // its checkpoint
}

// Branches lists the branches that are kept, the shortest first.
func (r *Register) Branches() ([]Branch, error) { return nil, nil }

// ReadBranch calls fn with the entries From, From+1, … of a branch, by their
// index in it; an erased entry comes as nil.
func (r *Register) ReadBranch(ctx context.Context, id string, fn func(i int64, entry []byte) error) error {
	return errs.New(errs.NotFound, "there is no branch %.80q", id)
}
