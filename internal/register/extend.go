package register

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Get reads a file of another copy by its path below the register, as
// "tile/0/000" or "tile/entries/x001/234.p/5"; at most limit bytes. What is not
// there is errs.NotFound.
type Get func(ctx context.Context, path string, limit int64) ([]byte, error)

// Try calls fn with one copy after another until it returns nil. An error of fn
// that is errs.Corrupt says that what this copy gave is wrong. It may be called
// from several goroutines at once.
type Try func(ctx context.Context, fn func(ctx context.Context, get Get) error) error

// ExtendOptions says how to extend a copy. All fields may be empty.
type ExtendOptions struct {
	Progress func(done, size int64) // called now and then, by one goroutine
	Workers  int                    // bundles fetched at once; 0: 8
	// Body fetches the blob of an erasure whose list did not fit into its entry.
	// Without it such an erasure explains no gap.
	Body func(ctx context.Context, ref record.Body) ([]byte, error)
}

// errBranch: what is held is a branch, and the lock erasing is not.
var errBranch = errors.New("the register holds a branch")

// Extend grows a copy to a checkpoint of the origin, of which it believes
// nothing but the signature: what is held must be a part of its tree, and each
// tile and each bundle that is fetched is proved against its root. An entry may
// be empty only where an erasure names it. When it returns nil, the entries and
// the checkpoint are durable; until then nothing of them is to be seen. What an
// Extend fetched that failed or was cut short stays on disk; the next one
// proves it again and does not fetch it again.
//
// A checkpoint that is consistent with what is held and not longer changes
// nothing; if it is the same one, cosignatures that it brings are kept. What
// contradicts it is errs.Corrupt, and a [Fork] where one key has signed both.
// The checkpoint of a key that a charter has replaced is errs.Refused.
//
// What a replaced key had signed and the new key's tree does not have is kept
// as a [Branch], and the register goes back to what both have in common; it
// then has no checkpoint until the new one is there. Whoever reads entries at
// that moment may find them missing or damaged.
func (r *Register) Extend(ctx context.Context, signed []byte, try Try, opts ExtendOptions) error {
	if !r.cfg.Replica {
		return errs.New(errs.Invalid, "only a copy of a register is extended")
	}
	err := r.extend(ctx, signed, try, opts, false)
	if errors.Is(err, errBranch) {
		r.erasing.Lock()
		defer r.erasing.Unlock()
		err = r.extend(ctx, signed, try, opts, true)
	}
	return err
}

func (r *Register) extend(ctx context.Context, signed []byte, try Try, opts ExtendOptions, mayGoBack bool) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.yield()
	if r.broken != nil {
		return r.broken
	}
	if r.litter {
		if err := r.cleanUp(); err != nil {
			return fmt.Errorf("clean up after an extension that failed: %w", err)
		}
		r.litter = false
	}
	s := r.state.Load()
	c, key, signed, err := s.offered(signed)
	if err != nil {
		return err
	}
	superseded := s.signed != nil && !s.ring.isNewest(s.key)
	if c.Size <= s.size() {
		root, err := r.rootAt(s, c.Size)
		if err != nil {
			return err
		}
		switch {
		case root == c.Root && c.Size == s.size():
			return r.renew(s, c, key, signed)
		case root == c.Root && !superseded:
			return nil
		case root != c.Root && !superseded && sameKey(s.key, key):
			return forkOf(key, s.ring.vkeyOf(key), s.checkpoint, c, r.hashes(s))
		}
	}
	x := &extension{r: r, ctx: ctx, try: try, opts: opts, cp: c}
	if err := x.fetchEdge(); err != nil {
		return fmt.Errorf("fetch the edge of a tree of %d entries: %w", c.Size, err)
	}
	contained := false
	if s.size() <= c.Size {
		root, err := tlog.TreeHash(s.size(), x)
		if err != nil {
			return err
		}
		contained = root == s.checkpoint.Root
	}
	if !contained && !superseded && s.signed != nil {
		if sameKey(s.key, key) {
			return forkOf(key, s.ring.vkeyOf(key), s.checkpoint, c, x)
		}
		return errs.New(errs.Corrupt, "the checkpoint at %d entries contradicts that at %d", c.Size, s.size())
	}
	if err := r.checkBase(s, x, contained); err != nil {
		return err
	}
	if !contained {
		if !mayGoBack {
			return errBranch
		}
		size, err := r.common(s, x)
		if err != nil {
			return err
		}
		if err := r.goBack(ctx, size); err != nil {
			return err
		}
		s = r.state.Load()
	}
	if err := r.grow(s, x, key, signed); err != nil {
		return err
	}
	r.askSafe(ctx, try)
	return nil
}

// askSafe asks one other copy what is safe, where the published checkpoint does
// not say so: while the origin appends, its newest is rarely cosigned when it
// is fetched. Without an answer what is known stays.
func (r *Register) askSafe(ctx context.Context, try Try) {
	next := *r.state.Load()
	if _, ok := cosignedAt(next.checkpoint, next.newest); ok || next.newest.Quorum < 1 {
		return
	}
	var signed []byte
	err := try(ctx, func(ctx context.Context, get Get) error {
		signed, _ = get(ctx, safeName, maxCheckpoint)
		return nil
	})
	if err == nil && len(signed) > 0 && len(signed) <= maxCheckpoint {
		err = r.cosignEarlier(&next, signed)
	}
	if err != nil {
		r.cfg.Log.Debug("what is safe is not known", "err", err)
	}
}

// offered verifies a checkpoint that somebody else has sent, and takes from it
// what nobody in the charters has signed.
func (s *state) offered(signed []byte) (c Checkpoint, key note.Verifier, clean []byte, err error) {
	if len(signed) > maxCheckpoint {
		return c, nil, nil, errs.New(errs.Corrupt, "a checkpoint is longer than %d bytes", maxCheckpoint)
	}
	c, key, err = s.ring.open(signed)
	if err != nil {
		if _, _, e := s.ring.openHeld(signed); e == nil {
			err = errs.New(errs.Refused, "the checkpoint is signed by a key that charter %d has replaced", s.newest.Version)
		}
		return c, nil, nil, err
	}
	if base := s.ring.base; base != nil && c.Size < base.Size {
		return c, nil, nil, errs.New(errs.Refused, "the checkpoint covers %d entries, fewer than the %d from which a charter continues", c.Size, base.Size)
	}
	if clean, err = mergeCosignatures(c, key, c.note, time.Time{}); err != nil {
		return c, nil, nil, err
	}
	c, err = ParseCheckpoint(clean, s.ring.origin, key, s.ring.witnesses...)
	return c, key, clean, err
}

// vkeyOf is a key of the ring as text.
func (k keyring) vkeyOf(key note.Verifier) string { return k.vkeys[key.KeyHash()] }

// renew takes over what is new about the checkpoint of the tree that is held.
func (r *Register) renew(s *state, c Checkpoint, key note.Verifier, signed []byte) error {
	next := *s
	switch {
	case s.signed == nil:
		return r.publishReplica(s, &next, c, key, signed)
	case s.checkpoint.note.Text != c.note.Text:
		return nil
	case bytes.Equal(s.signed, signed):
		if err := r.keepSafe(&next, s.checkpoint, s.signed); err != nil {
			return err
		}
		r.state.Store(&next)
		return nil
	case !sameKey(s.key, key) && !s.ring.isNewest(key):
		return nil
	case !sameKey(s.key, key): // the new key's word on a tree that is held already
		merged, err := mergeCosignatures(c, key, s.checkpoint.note, r.latest())
		if err != nil {
			return err
		}
		if next.checkpoint, err = ParseCheckpoint(merged, s.ring.origin, key, s.ring.witnesses...); err != nil {
			return err
		}
		next.key = key
	}
	if err := r.cosign(&next, c.note); err != nil {
		return err
	}
	r.state.Store(&next)
	return nil
}

// checkBase holds the new tree to what the charters continue.
func (r *Register) checkBase(s *state, x *extension, contained bool) error {
	base := s.ring.base
	if base == nil {
		return nil
	}
	if contained && s.size() >= base.Size {
		if root, err := r.rootAt(s, base.Size); err != nil || root == base.Root {
			return err
		}
	}
	root, err := tlog.TreeHash(base.Size, x)
	if err == nil && root != base.Root {
		err = errs.New(errs.Corrupt, "the checkpoint at %d entries does not continue what the charter says, at %d", x.cp.Size, base.Size)
	}
	return err
}

// common is the size of the longest tree that both have.
func (r *Register) common(s *state, x *extension) (int64, error) {
	var failed error
	size := sort.Search(int(min(s.size(), x.cp.Size)), func(i int) bool {
		if failed != nil {
			return true
		}
		ours, err := r.rootAt(s, int64(i)+1)
		if err == nil {
			var theirs tlog.Hash
			if theirs, err = tlog.TreeHash(int64(i)+1, x); err == nil {
				return ours != theirs
			}
		}
		failed = err
		return true
	})
	return int64(size), failed
}

// grow adds the entries that the new tree has beyond ours, and publishes it.
func (r *Register) grow(s *state, x *extension, key note.Verifier, signed []byte) error {
	next := *s
	next.edge = s.edge.clone()
	err := x.addBundles(&next)
	if len(x.gaps) > 0 {
		// Even after an error: what was fetched with gaps stays on disk.
		err = errors.Join(err, x.fillGaps(&next))
	}
	if err == nil {
		var root tlog.Hash
		if root, err = next.edge.root(); err == nil && root != x.cp.Root {
			err = errs.New(errs.Internal, "the tree that was put together has another root than the checkpoint")
		}
	}
	if err == nil && len(next.charters) != len(s.charters) {
		// A charter among the entries may have replaced the key.
		if _, _, err = next.ring.open(signed); err != nil {
			err = errs.New(errs.Refused, "the checkpoint is signed by a key that charter %d, among its entries, has replaced", next.newest.Version)
		}
	}
	if err == nil {
		r.litter = true
		w := r.startWriter()
		w.putEdge(&next.edge, s.size())
		if t := edgeTile(bundles, next.size()); t.W > 0 && next.size() != s.size() {
			w.put(job{name: tilePath(t), data: next.bundle})
		}
		err = w.finish()
	}
	if err != nil {
		// The charters that came with it are on disk, and count.
		kept := *s
		kept.charters, kept.newest, kept.ring = next.charters, next.newest, next.ring
		r.state.Store(&kept)
		return err
	}
	return r.publishReplica(s, &next, x.cp, key, signed)
}

// publishReplica publishes a tree of which every tile is durable.
func (r *Register) publishReplica(old, next *state, c Checkpoint, key note.Verifier, signed []byte) error {
	next.checkpoint, next.signed, next.key, next.instead = c, signed, key, ""
	if err := r.writeFile(checkpointName+durable.TempSuffix, signed); err != nil {
		return err
	}
	if err := r.settle(old, next); err != nil {
		return err
	}
	if old.signed == nil {
		if err := r.cfg.FS.Remove(r.disk.path(groundName)); err != nil {
			r.cfg.Log.Warn("remove a file that no longer counts", "file", groundName, "err", err)
		}
	}
	safe := *next
	if err := r.keepSafe(&safe, c, signed); err != nil {
		return err
	}
	r.state.Store(&safe)
	return nil
}

// addEntries puts the leaves and entries of a bundle from the i-th on to the end
// of the tree.
func (x *extension) addEntries(next *state, w *writer, b *fetched, from int) error {
	filled := func(t tlog.Tile, data []byte) { w.put(job{name: tilePath(t), data: data}) }
	for i := from; i < len(b.entries); i++ {
		at := next.edge.size
		if err := next.edge.add(b.leaves[i], filled); err != nil {
			return err
		}
		if err := x.look(next, at, b.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// look looks at a new entry, which has been proved.
func (x *extension) look(next *state, at int64, entry []byte) error {
	if at == 0 {
		if entry == nil || next.library != "" && LibraryID(entry) != next.library {
			return errs.New(errs.Corrupt, "the register is that of another library: its entry 0 is not that of %s", next.library)
		}
		next.library = LibraryID(entry)
	}
	switch {
	case entry == nil:
		x.gaps.set(at)
	case bytes.Contains(entry, []byte(`"charter"`)):
		signed, isCharter, err := charterOf(entry)
		if err != nil || !isCharter {
			return nil // as Verify does
		}
		if err := x.r.storeCharter(next, signed, true); err != nil {
			return errs.New(errs.Corrupt, "entry %d is a charter that does not count: %w", at, err)
		}
	case bytes.Contains(entry, []byte(`"erasure"`)):
		return x.erasure(at, entry)
	}
	return nil
}

// erasure explains the gaps that an erasure names.
func (x *extension) erasure(at int64, entry []byte) error {
	e, _, err := record.Decode(entry)
	if err != nil || e.Type != record.TypeErasure {
		return nil
	}
	if e.Body != nil && x.opts.Body != nil && len(x.gaps) > 0 {
		body, err := x.opts.Body(x.ctx, *e.Body)
		if err == nil {
			e, err = e.WithBody(body)
		}
		if err != nil {
			return errs.New(errs.Unavailable, "the list of the erasure in entry %d cannot be had: %w", at, err)
		}
	}
	for _, n := range e.Entries {
		if n > 0 && n < at {
			x.gaps.clear(n)
		}
	}
	return nil
}

// fillGaps fetches again the bundles in which entries are empty that no erasure
// names: another copy may have them.
func (x *extension) fillGaps(next *state) error {
	numbers := map[int64]bool{}
	for from, to := range x.gaps.ranges() {
		for n := from / width; n <= (to-1)/width; n++ {
			numbers[n] = true
		}
	}
	w := x.r.startWriter()
	var first error
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		want, err := x.want(x.ctx, n)
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		b, err := x.fetchBundle(x.ctx, n, want, func(b *fetched) error {
			for i, e := range b.entries {
				if at := n*width + int64(i); e == nil && x.gaps.has(at) {
					// The copy need not lie: the erasure may be newer than the checkpoint.
					return errs.New(errs.Unavailable, "entry %d is empty, and no erasure in the first %d entries names it", at, x.cp.Size)
				}
			}
			return nil
		})
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		if data := x.own(b); b.t.W == width {
			w.put(job{name: tilePath(b.t), data: data})
		} else {
			next.bundle = data
		}
		for i, e := range b.entries {
			if at := n*width + int64(i); x.gaps.clear(at) {
				if err := x.look(next, at, e); err != nil {
					first = cmp.Or(first, err)
				}
			}
		}
	}
	return errors.Join(first, w.finish())
}
