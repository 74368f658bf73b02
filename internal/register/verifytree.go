package register

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
)

// How a wrong file is told from a right one. The root in the checkpoint is
// right. The edge tiles together lead to it; if they do not, each is computed
// from what it covers, and the choice of read and computed tiles that leads to
// the root is taken. From there every full tile must have the hash that its
// parent lists; if it has not, it is computed from what it covers. A tile that
// can be proved neither way is reported, and what it covers with it where that
// differs.

// upperTile is the tile of a level above 0 that covers the present bundle.
type upperTile struct {
	n    int64
	data []byte // nil: not loaded
}

// read reads a tile of hashes and checks only its length.
func (v *verifier) read(t tlog.Tile) ([]byte, error) {
	data, err := v.disk.tile(t)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("it is missing")
	}
	if err != nil {
		return nil, err
	}
	v.sum.Bytes += int64(len(data))
	if len(data) != t.W*tlog.HashSize {
		return nil, fmt.Errorf("it has %d bytes, not %d", len(data), t.W*tlog.HashSize)
	}
	return data, nil
}

// fromBelow computes a tile from the files that it covers; ok is false where one
// of them cannot be used. If deep, those files are computed in turn, down to the
// bundles, which may take as long as all the rest.
func (v *verifier) fromBelow(t tlog.Tile, deep bool) (data []byte, ok bool) {
	if v.ctx.Err() != nil {
		return nil, false
	}
	if t.L == 0 {
		asRead, _ := v.disk.tile(t) // for the hashes of erased entries
		return v.disk.loadBundle(tlog.Tile{H: height, L: bundles, N: t.N, W: t.W}).hashes(asRead)
	}
	for i := range int64(t.W) {
		child := tlog.Tile{H: height, L: t.L - 1, N: t.N*width + i, W: width}
		var below []byte
		if deep {
			if below, ok = v.fromBelow(child, true); !ok {
				return nil, false
			}
		} else {
			var err error
			if below, err = v.read(child); err != nil {
				return nil, false
			}
		}
		h, err := tileRoot(child, below)
		if err != nil {
			return nil, false
		}
		data = append(data, h[:]...)
	}
	return data, true
}

// findEdge reads the edge of the tree and proves it against the root.
func (v *verifier) findEdge() error {
	size := v.cp.Size
	v.edge.size = size
	v.edge.tiles = make([][]byte, topLevel(size)+1)
	tiles := edgeTiles(size)
	failed := map[int]error{}
	for _, t := range tiles {
		data, err := v.read(t)
		if err != nil {
			failed[t.L] = err
			data = make([]byte, t.W*tlog.HashSize)
		}
		v.edge.tiles[t.L] = data
	}
	if root, err := v.edge.root(); err != nil {
		return err
	} else if root == v.cp.Root && len(failed) == 0 {
		v.proved = true
		return nil
	}
	computed := map[int][]byte{}
	for _, deep := range []bool{false, true} {
		for _, t := range tiles {
			if data, ok := v.fromBelow(t, deep); ok && !bytes.Equal(data, v.edge.tiles[t.L]) {
				computed[t.L] = data
			}
		}
		if err := v.chooseEdge(tiles, computed, failed); err != nil || v.proved {
			return err
		}
	}
	for _, t := range tiles {
		if failed[t.L] != nil || computed[t.L] != nil {
			v.wrongTile(t, failed[t.L], nil)
		}
	}
	v.once(checkpointName, "its root is not that of the tiles at the edge of the tree",
		"copy the files that are named, or the whole register, again from a mirror or a backup")
	return nil
}

// chooseEdge finds which tiles of the edge, taken as computed instead of as
// read, lead to the root: the fewest.
func (v *verifier) chooseEdge(tiles []tlog.Tile, computed map[int][]byte, failed map[int]error) error {
	for n := 1; n <= len(computed); n++ {
		for choice := range 1 << len(v.edge.tiles) {
			e, taken := v.edge.clone(), 0
			for level, data := range computed {
				if choice>>level&1 == 1 {
					e.tiles[level] = data
					taken++
				}
			}
			root, err := e.root()
			if err != nil {
				return err
			}
			if taken == n && root == v.cp.Root {
				v.edge, v.proved = e, true
				for _, t := range tiles {
					if choice>>t.L&1 == 1 && computed[t.L] != nil {
						v.wrongTile(t, failed[t.L], e.tiles[t.L])
					}
				}
				return nil
			}
		}
	}
	return nil
}

// wrongTile reports a tile and, where its right content is known, may mend it.
func (v *verifier) wrongTile(t tlog.Tile, err error, right []byte) {
	what := "it has other bytes than what it covers and its parent say"
	if err != nil {
		what = err.Error()
	}
	mend := mendCopy
	if right != nil {
		mend = mendTile
		if v.opts.Repair {
			name := v.disk.path(tilePath(t))
			err := durable.MkdirAll(v.disk.fs, filepath.Dir(name), 0o755)
			if err == nil {
				err = durable.WriteFile(v.disk.fs, name, right, 0o644)
			}
			if err == nil {
				v.sum.Repaired++
				v.sum.Problems++
				v.wrong[tlog.Tile{L: t.L, N: t.N}] = true
				v.report(Problem{tilePath(t), what, "it was written anew", true})
				return
			}
		}
	}
	v.wrong[tlog.Tile{L: t.L, N: t.N}] = true
	v.problem(tilePath(t), what, mend)
}

// wrongBundle reports a bundle.
func (v *verifier) wrongBundle(t tlog.Tile, what string) {
	v.wrong[tlog.Tile{L: bundles, N: t.N}] = true
	v.problem(tilePath(t), what, mendCopy)
}

// tileAt is the tile of a level above 0, proved if that is possible.
func (v *verifier) tileAt(level int, n int64) []byte {
	if n == edgeTile(level, v.cp.Size).N {
		return v.edge.tiles[level]
	}
	u := &v.upper[level]
	if u.data != nil && u.n == n {
		return u.data
	}
	t := tileIn(level, n, v.cp.Size)
	data, err := v.read(t)
	u.n, u.data = n, v.prove(t, data, err)
	return u.data
}

// prove is the content of a full tile: as read, if it has the hash that its
// parent lists, else as computed, if that has, else as read, or zeros.
func (v *verifier) prove(t tlog.Tile, data []byte, err error) []byte {
	parent := v.tileAt(t.L+1, t.N/width)
	want := tlog.Hash(parent[t.N%width*tlog.HashSize:][:tlog.HashSize])
	if err == nil {
		if root, e := tileRoot(t, data); e == nil && root == want {
			return data
		}
	}
	var computed []byte
	ok := false
	for _, deep := range []bool{false, true} {
		if computed, ok = v.fromBelow(t, deep); ok {
			if root, e := tileRoot(t, computed); e == nil && root == want {
				v.wrongTile(t, err, computed)
				return computed
			}
		}
		if t.L == 0 {
			break
		}
	}
	if err != nil {
		v.wrongTile(t, err, nil)
		return make([]byte, tileBytes)
	}
	// The hash of an erased entry is computed from nothing: it may be what is wrong.
	if !ok || !bytes.Equal(data, computed) || t.L == 0 && v.erasedIn(t) {
		v.wrongTile(t, nil, nil)
	} else if v.proved {
		v.once(tilePath(tileIn(t.L+1, t.N/width, v.cp.Size)), "it and what it covers differ", mendCopy)
	}
	return data
}

// erasedIn says whether the bundle below a tile has an empty entry.
func (v *verifier) erasedIn(t tlog.Tile) bool {
	b := v.disk.loadBundle(tlog.Tile{H: height, L: bundles, N: t.N, W: t.W})
	return slices.ContainsFunc(b.entries, func(e []byte) bool { return e == nil })
}

// loaded is a bundle with what can be said about it alone.
type loaded struct {
	t       tlog.Tile
	bytes   int64
	entries [][]byte
	leaves  []tlog.Hash // zero where erased
	err     error
	tile    []byte // the level-0 tile, for a full bundle
	tileErr error
}

func (d disk) loadBundle(t tlog.Tile) *loaded {
	b := &loaded{t: t}
	data, err := d.tile(t)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.err = errors.New("it is missing")
	case err != nil:
		b.err = err
	default:
		b.bytes = int64(len(data))
		b.entries, b.err = parseBundle(data, t.W)
	}
	if b.err == nil {
		b.leaves = make([]tlog.Hash, t.W)
		for i, e := range b.entries {
			if e != nil {
				b.leaves[i] = tlog.RecordHash(e)
			}
		}
	}
	return b
}

// hashes are the bundle's leaves as a tile, with those of erased entries from
// the tile as read.
func (b *loaded) hashes(asRead []byte) (data []byte, ok bool) {
	if b.err != nil {
		return nil, false
	}
	for i, h := range b.leaves {
		at := i * tlog.HashSize
		if b.entries[i] == nil {
			if len(asRead) < at+tlog.HashSize {
				return nil, false
			}
			h = tlog.Hash(asRead[at:][:tlog.HashSize])
		}
		data = append(data, h[:]...)
	}
	return data, true
}

// walk checks all bundles and tiles, in order. A few bundles are read ahead, so
// that reading and hashing use all cores.
func (v *verifier) walk() error {
	const ahead = 4
	queue := make(chan chan *loaded, ahead)
	stop := make(chan struct{})
	defer close(stop)
	size, d := v.cp.Size, v.disk
	go func() {
		defer close(queue)
		for n := int64(0); n*width < size; n++ {
			c := make(chan *loaded, 1)
			select {
			case queue <- c:
			case <-stop:
				return
			}
			go func() {
				b := d.loadBundle(tileIn(bundles, n, size))
				if b.t.W == width {
					b.tile, b.tileErr = d.tile(tlog.Tile{H: height, L: 0, N: n, W: width})
				}
				c <- b
			}()
		}
	}()
	for c := range queue {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if err := v.checkBundle(<-c); err != nil {
			return err
		}
	}
	return nil
}

// checkBundle holds a bundle and its tile to the tree.
func (v *verifier) checkBundle(b *loaded) error {
	v.sum.Bytes += b.bytes + int64(len(b.tile))
	var tile []byte
	if b.t.W < width {
		tile = v.edge.tiles[0]
	} else {
		t := tileIn(0, b.t.N, v.cp.Size)
		err := b.tileErr
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = errors.New("it is missing")
		case err == nil && len(b.tile) != tileBytes:
			err = fmt.Errorf("it has %d bytes, not %d", len(b.tile), tileBytes)
		}
		tile = v.prove(t, b.tile, err)
	}
	first := b.t.N * width
	if v.opts.Progress != nil {
		v.opts.Progress(first+int64(b.t.W), v.cp.Size)
	}
	if b.err != nil {
		v.wrongBundle(b.t, b.err.Error())
		return nil
	}
	wrong := 0
	for i, e := range b.entries {
		switch at := first + int64(i); {
		case e == nil:
			v.sum.Erased++
			v.gaps.set(at)
		case b.leaves[i] != tlog.Hash(tile[i*tlog.HashSize:][:tlog.HashSize]):
			if wrong++; wrong == 1 {
				v.wrongBundle(b.t, fmt.Sprintf("entry %d has other bytes than were registered", at))
			}
			continue
		default:
			v.entry(at, e)
		}
		if v.opts.Each != nil {
			if err := v.opts.Each(first+int64(i), e); err != nil {
				return err
			}
		}
	}
	return nil
}
