package register

import (
	"context"
	"fmt"
	"path"
	"strconv"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Erase purges the content of these entries: they have zero length from then on,
// in every copy of their bundles here. An erasure entry in the register must
// already name them, or Verify will not accept the gap. A charter and a critical
// entry cannot be erased. It may be repeated; it is durable on return. It waits
// for snapshots that are being taken.
func (r *Register) Erase(ctx context.Context, entries []int64) error {
	if r.cfg.Signer == nil && !r.cfg.Replica {
		return errs.New(errs.Invalid, "the register is open for reading only")
	}
	r.erasing.Lock()
	defer r.erasing.Unlock()
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.yield()
	if r.broken != nil {
		return r.broken
	}
	byBundle := map[int64][]int64{}
	size := r.Size()
	for _, i := range entries {
		if i < 0 || i >= size {
			return errs.New(errs.NotFound, "there is no entry %d", i)
		}
		raw, err := r.Entry(ctx, i)
		if err == nil && !Erasable(i, raw) {
			return errs.New(errs.Refused, "entry %d cannot be erased: it is a charter, or restricts access", i)
		}
		if err != nil && !errs.Is(err, errs.Gone) {
			return err
		}
		byBundle[i/width] = append(byBundle[i/width], i)
	}
	for n, list := range byBundle {
		if err := r.eraseIn(n, list); err != nil {
			return fmt.Errorf("erase in bundle %d: %w", n, err)
		}
	}
	return nil
}

// Erasable says whether an entry may be erased at all.
func Erasable(i int64, raw []byte) bool {
	e, _, err := record.Decode(raw)
	return i != 0 && (err != nil || !e.Critical && e.Type != record.TypeCharter)
}

// eraseIn rewrites a bundle and removes every other copy of it.
func (r *Register) eraseIn(n int64, list []int64) error {
	next := *r.state.Load()
	entries, err := r.bundle(&next, n)
	if err != nil {
		return err
	}
	for _, i := range list {
		entries[i%width] = nil
	}
	data := bundleOf(nil, nil, entries)
	t := tileIn(bundles, n, next.size())
	name := tilePath(t)
	if err := durable.WriteFile(r.cfg.FS, r.disk.path(name), data, 0o644); err != nil {
		return err
	}
	if t.W < width {
		next.bundle = data
		r.state.Store(&next)
	}
	r.cache.drop(n)
	return r.purgePartials(n, t.W)
}

// purgePartials removes every partial copy of a bundle but that of width keep.
func (r *Register) purgePartials(n int64, keep int) error {
	t := tileIn(bundles, n, n*width+1)
	dir := path.Dir(tilePath(t))
	found, err := durable.Exists(r.cfg.FS, r.disk.path(dir))
	if err != nil || !found {
		return err
	}
	list, err := r.cfg.FS.ReadDir(r.disk.path(dir))
	if err != nil {
		return err
	}
	for _, e := range list {
		if keep == width || e.Name() != strconv.Itoa(keep) {
			if err := r.cfg.FS.Remove(r.disk.path(path.Join(dir, e.Name()))); err != nil {
				return err
			}
		}
	}
	return r.cfg.FS.SyncDir(r.disk.path(dir))
}
