package register

import (
	"bytes"
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/errs"
)

// bundle reads bundle n of a state and splits it.
func (r *Register) bundle(s *state, n int64) ([][]byte, error) {
	t := tileIn(bundles, n, s.size())
	if t.W < width {
		return parseBundle(s.bundle, t.W)
	}
	data, err := r.disk.tile(t)
	if err != nil {
		return nil, absent(t, err)
	}
	entries, err := parseBundle(data, t.W)
	if err != nil {
		return nil, damaged(tilePath(t), err)
	}
	return entries, nil
}

// Entry is the bytes of entry i: errs.NotFound beyond the end, errs.Gone where
// it was erased. The bytes must not be changed.
func (r *Register) Entry(ctx context.Context, i int64) ([]byte, error) {
	s := r.state.Load()
	if i < 0 || i >= s.size() {
		return nil, errs.New(errs.NotFound, "there is no entry %d", i)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var entries [][]byte
	var err error
	if n := i / width; n == edgeTile(bundles, s.size()).N {
		entries, err = r.bundle(s, n)
	} else {
		entries, err = r.cache.get(n, func() ([][]byte, error) { return r.bundle(s, n) })
	}
	if err != nil {
		return nil, err
	}
	e := entries[i%width]
	if e == nil {
		return nil, errs.New(errs.Gone, "entry %d was erased", i)
	}
	return e, nil
}

// Read calls fn with the entries from, from+1, … up to but not including to. An
// erased entry comes as nil. The bytes may be kept, but must not be changed.
// Memory is bounded by a bundle.
func (r *Register) Read(ctx context.Context, from, to int64, fn func(i int64, entry []byte) error) error {
	s := r.state.Load()
	if from < 0 || from > to || to > s.size() {
		return errs.New(errs.NotFound, "there are no entries %d to %d", from, to)
	}
	for i := from; i < to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := r.bundle(s, i/width)
		if err != nil {
			return err
		}
		for _, e := range entries[i%width:] {
			if i == to {
				break
			}
			if err := fn(i, e); err != nil {
				return err
			}
			i++
		}
	}
	return nil
}

// hashes reads hashes of a state's tree; each is proved against the root.
func (r *Register) hashes(s *state) tlog.HashReader {
	tree := tlog.Tree{N: s.size(), Hash: s.checkpoint.Root}
	return tlog.TileHashReader(tree, tileReader{r.disk, s.edge})
}

func (r *Register) leafHash(s *state, i int64) (tlog.Hash, error) {
	h, err := r.hashes(s).ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
	if err != nil {
		return tlog.Hash{}, errs.New(errs.Corrupt, "the hash of entry %d: %w", i, err)
	}
	return h[0], nil
}

// LeafHash is the hash of entry i, also of an erased one.
func (r *Register) LeafHash(i int64) (tlog.Hash, error) {
	s := r.state.Load()
	if i < 0 || i >= s.size() {
		return tlog.Hash{}, errs.New(errs.NotFound, "there is no entry %d", i)
	}
	return r.leafHash(s, i)
}

// RootHash is the root of the tree of the first size entries.
func (r *Register) RootHash(size int64) (tlog.Hash, error) {
	s := r.state.Load()
	if size < 0 || size > s.size() {
		return tlog.Hash{}, errs.New(errs.NotFound, "the register has %d entries, not %d", s.size(), size)
	}
	return r.rootAt(s, size)
}

// rootAt is the root that a state's tree had at size.
func (r *Register) rootAt(s *state, size int64) (tlog.Hash, error) {
	if size == s.size() {
		return s.checkpoint.Root, nil
	}
	return tlog.TreeHash(size, r.hashes(s))
}

// InclusionProof proves that entry i is in the tree of the given size.
func (r *Register) InclusionProof(i, size int64) (tlog.RecordProof, error) {
	s := r.state.Load()
	if i < 0 || i >= size || size > s.size() {
		return nil, errs.New(errs.NotFound, "there is no entry %d in a tree of %d", i, size)
	}
	return tlog.ProveRecord(size, i, r.hashes(s))
}

// ConsistencyProof proves that the tree of size old is a prefix of that of size new.
func (r *Register) ConsistencyProof(old, new int64) (tlog.TreeProof, error) {
	s := r.state.Load()
	if old < 1 || old > new || new > s.size() {
		return nil, errs.New(errs.NotFound, "there are no trees of %d and %d", old, new)
	}
	return tlog.ProveTree(new, old, r.hashes(s))
}

// Resource is a file of the register as others see it, by its path below the
// register: "checkpoint", "safe", "tile/…" or "charters" (a JSON array of the notes).
// What the published checkpoint does not cover is errs.NotFound. A partial tile
// of a smaller tree is cut from the present one, so that a client with an older
// checkpoint can finish.
func (r *Register) Resource(path string) ([]byte, error) {
	s := r.state.Load()
	switch path {
	case checkpointName:
		if s.signed == nil {
			return nil, errs.New(errs.NotFound, "this copy has no checkpoint yet")
		}
		return r.Checkpoint(), nil
	case safeName:
		if s.safeSigned == nil {
			return nil, errs.New(errs.NotFound, "nothing is known to be safe")
		}
		return bytes.Clone(s.safeSigned), nil
	case chartersName:
		notes := make([]string, len(s.charters))
		for i, c := range s.charters {
			notes[i] = string(c)
		}
		return json.Marshal(notes)
	}
	t, ok := parseTilePath(path)
	have := tileIn(t.L, t.N, s.size())
	if !ok || t.W > have.W {
		return nil, errs.New(errs.NotFound, "the register has no file %.80q", path)
	}
	data, err := r.tile(s, have)
	if err != nil {
		return nil, err
	}
	if t.L == bundles {
		data, err = cutBundle(data, t.W)
		return append([]byte(nil), data...), err
	}
	if len(data) < t.W*tlog.HashSize {
		return nil, damaged(path, errors.New("it is too short"))
	}
	return append([]byte(nil), data[:t.W*tlog.HashSize]...), nil
}

// tile is a tile or bundle of a state's tree, at the width that it has there.
func (r *Register) tile(s *state, t tlog.Tile) ([]byte, error) {
	switch {
	case t.W < width && t.L == bundles:
		return s.bundle, nil
	case t.W < width:
		return s.edge.tiles[t.L], nil
	}
	data, err := r.disk.tile(t)
	if err != nil {
		return nil, absent(t, err)
	}
	return data, nil
}

// Snapshot hands over every file of the register as it is at one moment, by its
// path below the register, while appends go on; the checkpoint comes last. What
// fn gets must not be changed.
func (r *Register) Snapshot(ctx context.Context, fn func(name string, data []byte) error) error {
	r.erasing.RLock()
	defer r.erasing.RUnlock()
	s := r.state.Load()
	if s.signed == nil {
		return errs.New(errs.Unavailable, "this copy of the register has no checkpoint yet")
	}
	for i, c := range s.charters {
		if err := fn(charterPath(int64(i+1)), c); err != nil {
			return err
		}
	}
	if s.safeSigned != nil {
		if err := fn(safeName, s.safeSigned); err != nil {
			return err
		}
	}
	if err := r.eachBranchFile(ctx, fn); err != nil {
		return err
	}
	for level := bundles; hashesAt(level, s.size()) > 0; level++ {
		for n := int64(0); n*width < hashesAt(level, s.size()); n++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			t := tileIn(level, n, s.size())
			data, err := r.tile(s, t)
			if err != nil {
				return err
			}
			if err := fn(tilePath(t), data); err != nil {
				return err
			}
		}
	}
	return fn(checkpointName, s.signed)
}

// bundleCache keeps the full bundles that were read last, for pages that ask for
// one entry after the other.
type bundleCache struct {
	mu    sync.Mutex
	byN   map[int64]*list.Element
	order list.List // of cached, the last used first
	bytes int64
	epoch int64 // counts drops
}

type cached struct {
	n       int64
	entries [][]byte
	bytes   int64
}

const cacheBytes = 8 << 20

// get is bundle n from the cache, else from read.
func (c *bundleCache) get(n int64, read func() ([][]byte, error)) ([][]byte, error) {
	c.mu.Lock()
	if e := c.byN[n]; e != nil {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		return e.Value.(*cached).entries, nil
	}
	epoch := c.epoch
	c.mu.Unlock()
	entries, err := read()
	if err != nil {
		return nil, err
	}
	item := &cached{n: n, entries: entries}
	for _, e := range entries {
		item.bytes += int64(len(e)) + 24
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byN[n] != nil || c.epoch != epoch {
		return entries, nil
	}
	if c.byN == nil {
		c.byN = map[int64]*list.Element{}
	}
	c.byN[n] = c.order.PushFront(item)
	c.bytes += item.bytes
	for c.bytes > cacheBytes {
		c.remove(c.order.Back())
	}
	return entries, nil
}

func (c *bundleCache) remove(e *list.Element) {
	item := c.order.Remove(e).(*cached)
	delete(c.byN, item.n)
	c.bytes -= item.bytes
}

// clear forgets all.
func (c *bundleCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.byN, c.bytes = nil, 0
	c.order.Init()
}

// drop forgets bundle n, also one that is being read just now.
func (c *bundleCache) drop(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	if e := c.byN[n]; e != nil {
		c.remove(e)
	}
}
