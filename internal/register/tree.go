package register

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of the tree: of each level the hashes of the last,
// unfilled tile. It is all that an append has to know of what came before.
type edge struct {
	size  int64
	tiles [][]byte // tiles[L]: less than 256 hashes
}

func (e edge) clone() edge {
	c := edge{size: e.size, tiles: make([][]byte, len(e.tiles))}
	for level, data := range e.tiles {
		c.tiles[level] = append(make([]byte, 0, tileBytes), data...)
	}
	return c
}

// add puts a leaf at the end and hands over the tiles that it fills.
func (e *edge) add(leaf tlog.Hash, filled func(t tlog.Tile, data []byte)) error {
	h := leaf
	for level := 0; ; level++ {
		if level == len(e.tiles) {
			e.tiles = append(e.tiles, nil)
		}
		if e.tiles[level] == nil {
			e.tiles[level] = make([]byte, 0, tileBytes)
		}
		e.tiles[level] = append(e.tiles[level], h[:]...)
		data := e.tiles[level]
		if len(data) < tileBytes {
			break
		}
		t := tlog.Tile{H: height, L: level, N: e.size >> (height * (level + 1)), W: width}
		filled(t, data)
		var err error
		if h, err = tileRoot(t, data); err != nil {
			return err
		}
		e.tiles[level] = nil
	}
	e.size++
	return nil
}

// tileRoot is the hash of a whole full tile, which its parent lists.
func tileRoot(t tlog.Tile, data []byte) (tlog.Hash, error) {
	if len(data) != tileBytes {
		return tlog.Hash{}, fmt.Errorf("a full tile has %d bytes, not %d", tileBytes, len(data))
	}
	t.H, t.W = height, width
	below := height*t.L + height - 1 // the two halves
	left, err := tlog.HashFromTile(t, data, tlog.StoredHashIndex(below, 2*t.N))
	if err != nil {
		return tlog.Hash{}, err
	}
	right, err := tlog.HashFromTile(t, data, tlog.StoredHashIndex(below, 2*t.N+1))
	return tlog.NodeHash(left, right), err
}

// root is the root of the tree, of which the edge holds every subtree that the
// root is made of.
func (e edge) root() (tlog.Hash, error) {
	return tlog.TreeHash(e.size, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			t := edgeTile(tlog.TileForIndex(height, x).L, e.size)
			if t.L >= len(e.tiles) || len(e.tiles[t.L]) != t.W*tlog.HashSize {
				return nil, errors.New("the edge of the tree is not whole")
			}
			h, err := tlog.HashFromTile(t, e.tiles[t.L], x)
			if err != nil {
				return nil, err
			}
			hashes[i] = h
		}
		return hashes, nil
	}))
}

// edgeTiles are the partial tiles of a tree of size entries, the lowest first.
func edgeTiles(size int64) (tiles []tlog.Tile) {
	for level := 0; hashesAt(level, size) > 0; level++ {
		if t := edgeTile(level, size); t.W > 0 {
			tiles = append(tiles, t)
		}
	}
	return tiles
}

// tileReader gives tiles to tlog: those of the edge from memory, which stays
// right while the register grows, the full ones from disk.
type tileReader struct {
	disk disk
	edge edge
}

func (r tileReader) Height() int                     { return height }
func (r tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	for i, t := range tiles {
		if t.L < len(r.edge.tiles) && t.N == edgeTile(t.L, r.edge.size).N {
			data := r.edge.tiles[t.L]
			if len(data) < t.W*tlog.HashSize {
				return nil, fmt.Errorf("%s is not in the tree", tilePath(t))
			}
			all[i] = data[: t.W*tlog.HashSize : t.W*tlog.HashSize]
			continue
		}
		full := t
		full.W = width
		data, err := r.disk.tile(full)
		if err != nil {
			return nil, err
		}
		if len(data) != tileBytes {
			return nil, fmt.Errorf("%s has %d bytes, not %d", tilePath(full), len(data), tileBytes)
		}
		all[i] = slices.Clip(data[:t.W*tlog.HashSize])
	}
	return all, nil
}
