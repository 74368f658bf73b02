package register

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// The layout is that of C2SP tlog-tiles: tiles of height 8, of which level -1
// (as tlog counts them) are the entry bundles.
const (
	height    = 8
	width     = 1 << height
	tileBytes = width * tlog.HashSize
	maxLevel  = 7
	maxBundle = width * (2 + record.MaxEntry)

	checkpointName = "checkpoint"
	chartersName   = "charters"
	bundles        = -1 // the level of entry bundles
)

// tilePath is a tile's path below the register: tile/<L>/<N>[.p/<W>].
func tilePath(t tlog.Tile) string {
	t.H = height
	rest := strings.TrimPrefix(t.Path(), "tile/8/")
	if n, ok := strings.CutPrefix(rest, "data/"); ok {
		rest = "entries/" + n
	}
	return "tile/" + rest
}

// parseTilePath is the inverse of tilePath; there is one path for each tile.
func parseTilePath(path string) (tlog.Tile, bool) {
	if len(path) > 64 {
		return tlog.Tile{}, false
	}
	rest, ok := strings.CutPrefix(path, "tile/")
	if n, isBundle := strings.CutPrefix(rest, "entries/"); isBundle {
		rest = "data/" + n
	}
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	if !ok || err != nil || t.L > maxLevel || t.N < 0 || tilePath(t) != path {
		return tlog.Tile{}, false
	}
	return t, true
}

// hashesAt is how many hashes a tree of size entries has at a level of tiles;
// for bundles, how many entries.
func hashesAt(level int, size int64) int64 {
	return size >> (height * max(level, 0))
}

// tileIn is tile n of a level as a tree of size entries has it. Its width is 0
// where the tree does not reach it.
func tileIn(level int, n, size int64) tlog.Tile {
	w := min(max(hashesAt(level, size)-n*width, 0), width)
	return tlog.Tile{H: height, L: level, N: n, W: int(w)}
}

// edgeTile is the last, unfilled tile of a level; its width may be 0.
func edgeTile(level int, size int64) tlog.Tile {
	return tileIn(level, hashesAt(level, size)/width, size)
}

// topLevel is the highest level of tiles that a tree of size entries has.
func topLevel(size int64) int {
	level := 0
	for hashesAt(level+1, size) > 0 {
		level++
	}
	return level
}

// appendEntry adds an entry to a bundle: tlog-tiles, "Log entries".
func appendEntry(bundle, entry []byte) []byte {
	bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry)))
	return append(bundle, entry...)
}

// parseBundle splits a bundle of exactly w entries. An erased entry is nil; the
// others share the memory of data.
func parseBundle(data []byte, w int) ([][]byte, error) {
	entries := make([][]byte, 0, w)
	for len(data) > 0 {
		if len(entries) == w {
			return nil, fmt.Errorf("more than %d entries", w)
		}
		if len(data) < 2 {
			return nil, errors.New("it ends within a length")
		}
		n := int(binary.BigEndian.Uint16(data))
		data = data[2:]
		if len(data) < n {
			return nil, errors.New("it ends within an entry")
		}
		var entry []byte
		if n > 0 {
			entry = data[:n:n]
		}
		entries, data = append(entries, entry), data[n:]
	}
	if len(entries) != w {
		return nil, fmt.Errorf("%d entries, not %d", len(entries), w)
	}
	return entries, nil
}

// cutBundle is the bundle of the first w entries.
func cutBundle(data []byte, w int) ([]byte, error) {
	end := 0
	for range w {
		if len(data)-end < 2 {
			return nil, errors.New("the bundle is too short")
		}
		end += 2 + int(binary.BigEndian.Uint16(data[end:]))
		if end > len(data) {
			return nil, errors.New("the bundle is too short")
		}
	}
	return data[:end], nil
}

// disk reads the files of a register.
type disk struct {
	fs  durable.FS
	dir string
}

func (d disk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// read reads a whole file of at most limit bytes.
func (d disk) read(name string, limit int64) ([]byte, error) {
	f, err := d.fs.OpenFile(d.path(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() || info.Size() > limit {
		return nil, errs.New(errs.Corrupt, "%s is longer than %d bytes, or no file", name, limit)
	}
	data := make([]byte, info.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// tile reads a tile of hashes or a bundle. Where it is partial and no longer
// there, because the register has grown since, it is cut from a wider one.
func (d disk) tile(t tlog.Tile) ([]byte, error) {
	limit := int64(tileBytes)
	if t.L == bundles {
		limit = maxBundle
	}
	for try := 0; ; try++ {
		data, err := d.read(tilePath(t), limit)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || t.W == width {
			return data, err
		}
		full := t
		full.W = width
		// Either may be one that is being written just now, which no checkpoint
		// covers yet: then it is too short, and the other is whole.
		for _, other := range []tlog.Tile{full, d.wider(t)} {
			if other.W == 0 {
				continue
			}
			data, e := d.read(tilePath(other), limit)
			if errors.Is(e, fs.ErrNotExist) {
				continue
			}
			if e != nil {
				return nil, e
			}
			if t.L == bundles {
				if data, e = cutBundle(data, t.W); e == nil {
					return data, nil
				}
			} else if len(data) >= t.W*tlog.HashSize {
				return data[:t.W*tlog.HashSize], nil
			}
		}
		if try == 4 {
			return nil, err
		}
	}
}

// wider finds the next wider partial tile; its width is 0 if there is none.
func (d disk) wider(t tlog.Tile) tlog.Tile {
	list, err := d.fs.ReadDir(filepath.Dir(d.path(tilePath(t))))
	best := tlog.Tile{}
	if err != nil {
		return best
	}
	for _, e := range list {
		w, err := strconv.Atoi(e.Name())
		if err == nil && w > t.W && w < width && (best.W == 0 || w < best.W) {
			best = t
			best.W = w
		}
	}
	return best
}
