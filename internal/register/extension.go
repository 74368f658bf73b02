package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/errs"
)

// extension is one Extend: the tree that is grown to, of which every hash is
// proved. It is a tlog.HashReader of that tree.
type extension struct {
	r    *Register
	ctx  context.Context
	try  Try
	opts ExtendOptions
	cp   Checkpoint
	edge edge   // of the new tree; it leads to the root
	gaps bitmap // new entries that are empty, and that no erasure has named

	mu    sync.Mutex
	tiles map[tlog.Tile][]byte // full ones that were proved
}

const maxTiles = 256 // kept in memory, of 8 KiB

// getFile reads a file of just the given size, or of at most limit bytes where
// size is negative.
func getFile(ctx context.Context, get Get, path string, limit int64) ([]byte, error) {
	data, err := get(ctx, path, limit)
	if errs.Is(err, errs.TooLarge) || err == nil && int64(len(data)) > limit {
		return nil, errs.New(errs.Corrupt, "%s is longer than it may be", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// getTile reads a tile of hashes, or a bundle, from another copy. A partial
// one may have been replaced by the full one meanwhile, where files are served
// as they lie.
func getTile(ctx context.Context, get Get, t tlog.Tile) ([]byte, error) {
	limit := int64(maxBundle)
	if t.L != bundles {
		limit = int64(t.W) * tlog.HashSize
	}
	data, err := getFile(ctx, get, tilePath(t), limit)
	if errs.Is(err, errs.NotFound) && t.W < width {
		full := t
		full.W = width
		more, e := getFile(ctx, get, tilePath(full), max(limit, tileBytes))
		switch {
		case e != nil:
			return nil, err
		case t.L != bundles:
			data, err = more[:min(int64(len(more)), limit)], nil
		default:
			if data, err = cutBundle(more, t.W); err != nil {
				err = errs.New(errs.Corrupt, "%s: %w", tilePath(full), err)
			}
		}
	}
	if err == nil && t.L != bundles && int64(len(data)) != limit {
		err = errs.New(errs.Corrupt, "%s has %d bytes, not %d", tilePath(t), len(data), limit)
	}
	return data, err
}

// fetchEdge fetches the edge of the new tree, which must lead to its root.
func (x *extension) fetchEdge() error {
	size := x.cp.Size
	if size == 0 {
		x.edge = edge{}
		root, err := x.edge.root()
		if err == nil && root != x.cp.Root {
			err = errs.New(errs.Corrupt, "the checkpoint of an empty tree has another root")
		}
		return err
	}
	return x.ask(x.ctx, func(ctx context.Context, get Get) error {
		e := edge{size: size, tiles: make([][]byte, topLevel(size)+1)}
		for _, t := range edgeTiles(size) {
			data, err := getTile(ctx, get, t)
			if err != nil {
				return err
			}
			e.tiles[t.L] = data
		}
		root, err := e.root()
		if err != nil {
			return err
		}
		if root != x.cp.Root {
			return errs.New(errs.Corrupt, "the tiles at the edge do not lead to the root of the checkpoint at %d entries", size)
		}
		x.edge = e
		return nil
	}, func() bool { return x.edge.tiles != nil })
}

// ask is Try, of which nothing is believed: done says whether fn was called and
// had success.
func (x *extension) ask(ctx context.Context, fn func(ctx context.Context, get Get) error, done func() bool) error {
	err := x.try(ctx, fn)
	if err == nil && !done() {
		err = errs.New(errs.Unavailable, "there is no other copy to ask")
	}
	return err
}

// hash is that of a full tile, as the one above it says.
func (x *extension) hash(ctx context.Context, t tlog.Tile) (tlog.Hash, error) {
	up := tileIn(t.L+1, t.N/width, x.cp.Size)
	data, err := x.tile(ctx, up)
	if err != nil {
		return tlog.Hash{}, err
	}
	at := int(t.N%width) * tlog.HashSize
	if len(data) < at+tlog.HashSize {
		return tlog.Hash{}, errs.New(errs.Internal, "%s does not cover %s", tilePath(up), tilePath(t))
	}
	return tlog.Hash(data[at:][:tlog.HashSize]), nil
}

// tile is a tile of hashes as wide as the new tree has it, proved: from our own
// disk if it is right there, else from another copy.
func (x *extension) tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if t.W < width {
		if t.L >= len(x.edge.tiles) || len(x.edge.tiles[t.L]) != t.W*tlog.HashSize {
			return nil, errs.New(errs.Internal, "%s is not in a tree of %d entries", tilePath(t), x.cp.Size)
		}
		return x.edge.tiles[t.L], nil
	}
	x.mu.Lock()
	data := x.tiles[t]
	x.mu.Unlock()
	if data != nil {
		return data, nil
	}
	want, err := x.hash(ctx, t)
	if err != nil {
		return nil, err
	}
	if data, err = x.fullTile(ctx, t, want); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tiles == nil {
		x.tiles = map[tlog.Tile][]byte{}
	}
	for old := range x.tiles {
		if len(x.tiles) < maxTiles {
			break
		}
		delete(x.tiles, old)
	}
	x.tiles[t] = data
	return data, nil
}

// fullTile reads a full tile that must have the given hash.
func (x *extension) fullTile(ctx context.Context, t tlog.Tile, want tlog.Hash) ([]byte, error) {
	if data, err := x.r.disk.read(tilePath(t), tileBytes); err == nil {
		if h, err := tileRoot(t, data); err == nil && h == want {
			return data, nil
		}
	}
	var found []byte
	err := x.ask(ctx, func(ctx context.Context, get Get) error {
		data, err := getTile(ctx, get, t)
		if err != nil {
			return err
		}
		if h, err := tileRoot(t, data); err != nil || h != want {
			return errs.New(errs.Corrupt, "%s is not what the tree says", tilePath(t))
		}
		found = data
		return nil
	}, func() bool { return found != nil })
	return found, err
}

// ReadHashes gives hashes of the new tree, by their stored indexes.
func (x *extension) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		t := tlog.TileForIndex(height, index)
		t = tileIn(t.L, t.N, x.cp.Size)
		if t.W == 0 {
			return nil, errs.New(errs.Internal, "hash %d is not in a tree of %d entries", index, x.cp.Size)
		}
		data, err := x.tile(x.ctx, t)
		if err != nil {
			return nil, err
		}
		if hashes[i], err = tlog.HashFromTile(t, data, index); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// fetched is a bundle that was proved.
type fetched struct {
	t       tlog.Tile
	data    []byte
	entries [][]byte // nil where erased
	leaves  []tlog.Hash
	err     error
}

// addBundles fetches the bundles that the new tree has beyond ours, several at
// once, and adds them in order. Memory holds a few for each worker.
func (x *extension) addBundles(next *state) (err error) {
	workers := x.opts.Workers
	if workers < 1 {
		workers = 8
	}
	old, size := next.size(), x.cp.Size
	queue := make(chan chan *fetched, workers) // in order; those ahead of the one that is awaited
	slots := make(chan struct{}, workers)
	ctx, cancel := context.WithCancel(x.ctx)
	var wg sync.WaitGroup
	w := x.r.startWriter()
	defer func() {
		cancel()
		wg.Wait()
		err = errors.Join(err, w.finish())
	}()
	wg.Go(func() {
		defer close(queue)
		for n := old / width; n*width < size; n++ {
			c := make(chan *fetched, 1)
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			want, err := x.want(ctx, n)
			wg.Go(func() {
				defer func() { <-slots }()
				var b *fetched
				if err == nil {
					b, err = x.bundle(ctx, n, want)
				}
				if err != nil {
					b = &fetched{err: err}
				}
				c <- b
			})
			select {
			case queue <- c:
			case <-ctx.Done():
				return
			}
		}
	})
	for c := range queue {
		b := <-c
		if b.err != nil {
			return b.err
		}
		from := 0
		if b.t.N == old/width {
			from = int(old % width)
		}
		data := x.own(b)
		if err := x.addEntries(next, w, b, from); err != nil {
			return err
		}
		if b.t.W == width {
			w.put(job{name: tilePath(b.t), data: data})
			next.bundle = nil
		} else {
			next.bundle = data
		}
		if w.failed() {
			return nil // finish says why
		}
		if x.opts.Progress != nil {
			x.opts.Progress(next.size(), size)
		}
	}
	return x.ctx.Err()
}

// own is a bundle's bytes, where it begins with entries that are held already as
// they are held: what was erased here stays so.
func (x *extension) own(b *fetched) []byte {
	s := x.r.state.Load()
	have := int(s.size() % width)
	if b.t.N != s.size()/width || have == 0 {
		return b.data
	}
	return bundleOf(nil, s.bundle, b.entries[have:])
}

// want is the hash that the tile over bundle n must have, if it is full.
func (x *extension) want(ctx context.Context, n int64) (tlog.Hash, error) {
	t := tileIn(0, n, x.cp.Size)
	if t.W < width {
		return tlog.Hash{}, nil
	}
	return x.hash(ctx, t)
}

// bundle is bundle n, proved: from our own disk if it is right there.
func (x *extension) bundle(ctx context.Context, n int64, want tlog.Hash) (*fetched, error) {
	t := tileIn(bundles, n, x.cp.Size)
	if t.W == width {
		if data, err := x.r.disk.read(tilePath(t), maxBundle); err == nil {
			b, err := x.prove(t, want, data, func() ([]byte, error) {
				return x.r.disk.read(tilePath(tlog.Tile{L: 0, N: n, W: width}), tileBytes)
			})
			if err == nil {
				return b, nil
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	return x.fetchBundle(ctx, n, want, nil)
}

// fetchBundle fetches bundle n from another copy, proves it, and asks accept.
func (x *extension) fetchBundle(ctx context.Context, n int64, want tlog.Hash, accept func(*fetched) error) (*fetched, error) {
	t := tileIn(bundles, n, x.cp.Size)
	var found *fetched
	err := x.ask(ctx, func(ctx context.Context, get Get) error {
		data, err := getTile(ctx, get, t)
		if err != nil {
			return err
		}
		b, err := x.prove(t, want, data, func() ([]byte, error) {
			return getTile(ctx, get, tlog.Tile{H: height, L: 0, N: n, W: width})
		})
		if err == nil && accept != nil {
			err = accept(b)
		}
		if err != nil {
			return err
		}
		found = b
		return nil
	}, func() bool { return found != nil })
	return found, err
}

// prove holds a bundle to the new tree. Where entries are empty their hashes are
// taken from the tile of level 0, which is proved as well.
func (x *extension) prove(t tlog.Tile, want tlog.Hash, data []byte, level0 func() ([]byte, error)) (*fetched, error) {
	wrong := func(what string) error { return errs.New(errs.Corrupt, "%s %s", tilePath(t), what) }
	b := &fetched{t: t, data: data}
	var err error
	if b.entries, err = parseBundle(data, t.W); err != nil {
		return nil, wrong("is no bundle: " + err.Error())
	}
	b.leaves = make([]tlog.Hash, t.W)
	empty := false
	for i, e := range b.entries {
		if e == nil {
			empty = true
		} else {
			b.leaves[i] = tlog.RecordHash(e)
		}
	}
	var tile []byte
	if t.W < width {
		tile = x.edge.tiles[0]
	} else {
		if !empty {
			tile = make([]byte, 0, tileBytes)
			for _, h := range b.leaves {
				tile = append(tile, h[:]...)
			}
		} else if tile, err = level0(); err != nil {
			return nil, err
		}
		h, err := tileRoot(tlog.Tile{L: 0, N: t.N, W: width}, tile)
		if err != nil || h != want {
			return nil, wrong("has other entries than the tree says")
		}
	}
	for i := range b.entries {
		h := tile[i*tlog.HashSize:][:tlog.HashSize]
		if b.entries[i] == nil {
			b.leaves[i] = tlog.Hash(h)
		} else if !bytes.Equal(b.leaves[i][:], h) {
			return nil, wrong(fmt.Sprintf("has another entry %d than the tree says", t.N*width+int64(i)))
		}
	}
	return b, nil
}
