package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Continue makes a register that is closed, and whose lock the caller holds, the
// one of the origin that a charter names. The charter must count, cfg.Signer must
// be its origin's key, and its base must be in the tree that is held. Where that
// is longer, the rest is kept as a branch and the register goes back to base. It
// signs the checkpoint there and appends the charter as an entry. It may be
// repeated after any failure; what returns is open for appending.
func Continue(ctx context.Context, cfg Config, charter []byte) (*Register, error) {
	return succeed(ctx, cfg, charter, false)
}

// Rotate is Continue for an origin that only changes its key: nothing is taken
// back. What the old key has signed after the charter's base the new key signs
// too.
func Rotate(ctx context.Context, cfg Config, charter []byte) (*Register, error) {
	return succeed(ctx, cfg, charter, true)
}

func succeed(ctx context.Context, cfg Config, charter []byte, all bool) (*Register, error) {
	cfg.Replica = false
	if cfg.Signer == nil {
		return nil, errs.New(errs.Invalid, "a register is continued with the key of its new origin")
	}
	c, err := ParseCharter(charter)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(c.Origin)
	if err != nil {
		return nil, err
	}
	if s := cfg.Signer; s.Name() != key.Name() || s.KeyHash() != key.KeyHash() {
		return nil, errs.New(errs.Refused, "the charter names another origin key than %s+%08x", s.Name(), s.KeyHash())
	}
	copied := cfg
	copied.Signer, copied.Replica = nil, true
	r, err := Open(copied)
	if err != nil {
		return nil, err
	}
	if err := r.AddCharter(ctx, charter); err != nil {
		return nil, err
	}
	s := r.state.Load()
	base := s.ring.base
	switch {
	case s.newest.Text() != c.Text():
		return nil, errs.New(errs.Refused, "charter %d is not the newest: that is %d", c.Version, s.newest.Version)
	case base == nil:
		return nil, errs.New(errs.Refused, "the charter names no base, from which its key continues")
	case s.size() < base.Size:
		return nil, errs.New(errs.Refused, "there are %d entries here, fewer than the %d from which the charter continues", s.size(), base.Size)
	}
	if root, err := r.rootAt(s, base.Size); err != nil {
		return nil, err
	} else if root != base.Root {
		return nil, errs.New(errs.Refused, "what the charter continues is not what is held here: the first %d entries have another root", base.Size)
	}
	if s.signed == nil || !s.ring.isNewest(s.key) {
		if err := r.signNew(ctx, cfg, all); err != nil {
			return nil, fmt.Errorf("continue the register: %w", err)
		}
	}
	if r, err = Open(cfg); err != nil {
		return nil, err
	}
	return r, r.appendCharter(ctx, base.Size)
}

// signNew signs what is held, up to the base or all of it, with the new key.
func (r *Register) signNew(ctx context.Context, cfg Config, all bool) error {
	r.erasing.Lock()
	defer r.erasing.Unlock()
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.yield()
	s := r.state.Load()
	if !all && s.size() > s.ring.base.Size {
		if err := r.goBack(ctx, s.ring.base.Size); err != nil {
			return err
		}
		s = r.state.Load()
	}
	if err := r.sweepAll(s.size(), false); err != nil {
		return err
	}
	next := *s
	signed, err := signCheckpoint(s.ring.origin, s.size(), s.checkpoint.Root, cfg.Signer)
	if err != nil {
		return err
	}
	key := s.ring.keys[0].Verifier
	c, err := ParseCheckpoint(signed, s.ring.origin, key)
	if err != nil {
		return err
	}
	return r.publishReplica(s, &next, c, key, signed)
}

// appendCharter appends the newest charter, if no entry from the given one on
// holds it.
func (r *Register) appendCharter(ctx context.Context, from int64) error {
	s := r.state.Load()
	newest := s.charters[len(s.charters)-1]
	found := errors.New("found")
	err := r.Read(ctx, from, s.size(), func(_ int64, entry []byte) error {
		if !bytes.Contains(entry, []byte(`"charter"`)) {
			return nil
		}
		if signed, isCharter, err := charterOf(entry); err == nil && isCharter && sameCharter(signed, newest) {
			return found
		}
		return nil
	})
	if errors.Is(err, found) {
		return nil
	} else if err != nil {
		return err
	}
	entry, err := record.Encode(record.Entry{
		Type: record.TypeCharter, Time: r.cfg.Now().UTC().Truncate(time.Second), Note: string(newest),
	})
	if err != nil {
		return err
	}
	_, err = r.Append(ctx, [][]byte{entry})
	return err
}
