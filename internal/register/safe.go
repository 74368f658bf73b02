package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

const (
	safeName = "safe"
	maxSkew  = time.Hour // that a witness's clock may be ahead of ours
)

// Freshness says how old the witnesses' word on the register is.
type Freshness int

const (
	Unwitnessed Freshness = iota // the charter asks for no quorum, or it has not signed
	Current                      // under 24 hours
	Late                         // to 72 hours
	Stale
)

// String is the stable name, as programs see it in JSON.
func (f Freshness) String() string {
	return [...]string{"unwitnessed", "current", "late", "stale"}[f]
}

// Safe is the longest checkpoint that the quorum of the charter's witnesses has
// cosigned, as far as this copy knows; ok is false where there is none, as
// without a quorum. The charter is the newest at the time of cosigning: what is
// safe stays so. It is kept as the file safe, a note.
func (r *Register) Safe() (c Checkpoint, ok bool) {
	s := r.state.Load()
	if _, ok := cosignedAt(s.checkpoint, s.newest); ok {
		return s.checkpoint, true
	}
	return s.safe, s.safeSigned != nil
}

// Freshness is how old the witnesses' word is: at is the time of the quorum-th
// newest cosignature of the published checkpoint, or of the safe one while the
// published one has not yet as many. A time that is still to come says nothing.
func (r *Register) Freshness(now time.Time) (f Freshness, at time.Time) {
	s := r.state.Load()
	for _, c := range []Checkpoint{s.checkpoint, s.safe} {
		if t, ok := cosignedAt(c, s.newest); ok && t.After(at) && !t.After(now.Add(maxSkew)) {
			at = t
		}
	}
	switch age := now.Sub(at); {
	case at.IsZero():
		return Unwitnessed, at
	case age < 24*time.Hour:
		return Current, at
	case age <= 72*time.Hour:
		return Late, at
	}
	return Stale, at
}

// latest is the time after which no cosignature can have been made.
func (r *Register) latest() time.Time { return r.cfg.Now().Add(maxSkew) }

// cosignedAt is the time of the quorum-th newest cosignature of a checkpoint.
func cosignedAt(c Checkpoint, charter Charter) (time.Time, bool) {
	var times []time.Time
	for _, w := range charter.Witnesses {
		v, err := parseWitness(w)
		if err != nil {
			continue
		}
		for _, s := range c.Cosignatures {
			if s.Name == v.Name() && s.Key == v.KeyHash() {
				times = append(times, s.Time)
				break
			}
		}
	}
	if charter.Quorum < 1 || len(times) < charter.Quorum {
		return time.Time{}, false
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	return times[charter.Quorum-1], true
}

// AddCosignatures puts witnesses' signatures on a checkpoint of the register,
// and returns when they are durable: on the published one, or on an earlier one,
// where only the signatures of a quorum are kept, and make it safe. The note is
// the checkpoint's text with any signatures, for an earlier one the origin's
// among them; those of the charters' witnesses are kept.
func (r *Register) AddCosignatures(ctx context.Context, signed []byte) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.yield()
	if r.broken != nil {
		return r.broken
	}
	next := *r.state.Load()
	if len(next.ring.witnesses) == 0 {
		return errs.New(errs.Refused, "the charter names no witness")
	}
	if len(signed) > maxCheckpoint {
		return errs.New(errs.TooLarge, "a cosigned checkpoint is longer than %d bytes", maxCheckpoint)
	}
	n, err := note.Open(signed, note.VerifierList(next.ring.witnesses...))
	if err != nil {
		return errs.New(errs.Refused, "no valid cosignature: %w", err)
	}
	if next.signed == nil || n.Text != next.checkpoint.note.Text {
		return r.cosignEarlier(&next, signed)
	}
	if err := r.cosign(&next, n); err != nil {
		return err
	}
	r.state.Store(&next)
	return nil
}

// cosign merges the signatures of a note into the published checkpoint, which
// has the same text, durably.
func (r *Register) cosign(next *state, n *note.Note) error {
	was := next.signed
	var err error
	if next.signed, err = mergeCosignatures(next.checkpoint, next.key, n, r.latest()); err != nil {
		return err
	}
	if bytes.Equal(next.signed, was) {
		return r.keepSafe(next, next.checkpoint, next.signed)
	}
	next.checkpoint, err = ParseCheckpoint(next.signed, next.ring.origin, next.key, next.ring.witnesses...)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(r.cfg.FS, r.disk.path(checkpointName), next.signed, 0o644); err != nil {
		return fmt.Errorf("write checkpoint: %w", err) // the text is the same before and after
	}
	return r.keepSafe(next, next.checkpoint, next.signed)
}

// cosignEarlier makes an earlier checkpoint safe, when a quorum has signed it.
func (r *Register) cosignEarlier(next *state, signed []byte) error {
	c, key, err := next.ring.openHeld(signed)
	if err != nil {
		return errs.New(errs.Refused, "the cosigned checkpoint is not the published one, nor one that the origin has signed: %w", err)
	}
	if c.Size > next.size() {
		return errs.New(errs.Refused, "the cosigned checkpoint is longer than the published one")
	}
	if root, err := r.rootAt(next, c.Size); err != nil {
		return err
	} else if root != c.Root {
		return errs.New(errs.Refused, "the cosigned checkpoint is not one of this register")
	}
	other := &note.Note{Text: c.note.Text}
	if next.pending.note != nil && next.pending.note.Text == c.note.Text {
		other = next.pending.note
	}
	if signed, err = mergeCosignatures(c, key, other, r.latest()); err != nil {
		return err
	}
	if c, err = ParseCheckpoint(signed, next.ring.origin, key, next.ring.witnesses...); err != nil {
		return err
	}
	if c.Size >= next.pending.Size {
		next.pending = c
	}
	if err := r.keepSafe(next, c, signed); err != nil {
		return err
	}
	r.state.Store(next)
	return nil
}

// keepSafe makes a checkpoint the safe one, durably, if it is one and no shorter
// than that.
func (r *Register) keepSafe(next *state, c Checkpoint, signed []byte) error {
	if _, ok := cosignedAt(c, next.newest); !ok || c.Size < next.safe.Size || string(signed) == string(next.safeSigned) {
		return nil
	}
	if err := durable.WriteFile(r.cfg.FS, r.disk.path(safeName), signed, 0o644); err != nil {
		return fmt.Errorf("write the safe checkpoint: %w", err)
	}
	next.safe, next.safeSigned = c, signed
	return nil
}

// loadSafe reads the safe checkpoint. One that is not of the tree, as after
// leaving a branch, or that does not count, is no safe one.
func (r *Register) loadSafe(s *state) error {
	signed, err := r.disk.read(safeName, maxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	c, _, err := s.ring.openHeld(signed)
	if err != nil || c.Size > s.size() || len(c.Cosignatures) == 0 {
		r.cfg.Log.Warn("the safe checkpoint on disk is not used", "err", err, "size", c.Size)
		return nil
	}
	if root, err := r.rootAt(s, c.Size); err != nil || root != c.Root {
		r.cfg.Log.Warn("the safe checkpoint on disk is of another tree", "err", err, "size", c.Size)
		return nil
	}
	s.safe, s.safeSigned = c, signed
	return nil
}
