package register

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/bits"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Problem is one thing that is wrong.
type Problem struct {
	Where string // the file, relative to the register
	What  string // what is wrong
	Mend  string // what to do about it
	// Mended is true where that has been done: the file was written anew.
	Mended bool
}

// VerifyOptions says how to verify. All fields may be empty.
type VerifyOptions struct {
	// Each sees every entry that was proved, in order; nil where it was erased.
	Each func(i int64, entry []byte) error
	// Body fetches the blob of an erasure whose list did not fit into its entry.
	Body func(ctx context.Context, ref record.Body) ([]byte, error)
	// Progress is called now and then.
	Progress func(done, size int64)
	// Repair rewrites hash tiles that can be computed from what they list. The
	// caller must hold the lock of the register.
	Repair bool
}

// Summary is what Verify has seen.
type Summary struct {
	Library      string // the library id; empty if entry 0 could not be proved
	Size         int64
	Root         tlog.Hash
	Cosignatures []Cosignature
	Entries      int64 // whose content is there and right
	Erased       int64
	Bytes        int64 // of bundles and tiles read
	Files        int64 // of the register
	Leftovers    int64 // files beyond the checkpoint, which the next start sweeps away
	Problems     int64
	Repaired     int64
}

const (
	mendCopy   = "copy this file again from a mirror or a backup, then verify again"
	mendTile   = "run `wenlan verify --repair`: it can be computed from what it covers"
	mendRemove = "move it away: nothing reads it"
)

// Verify checks every file of a register: the charters, the checkpoint's
// signatures, each bundle and tile against the root, and each partial tile of
// the past that is still there. It reports what is wrong, file by file, and goes
// on. The error says only why it could not go on.
//
// It streams: memory holds a few bundles, one tile of each level, and one bit
// for each entry around one that is empty. The register may grow meanwhile.
//
// An empty entry is accepted only when an erasure, itself proved, names it; its
// leaf hash is taken from the level-0 tile.
func Verify(ctx context.Context, cfg Config, opts VerifyOptions, report func(Problem)) (Summary, error) {
	cfg = cfg.withDefaults()
	v := &verifier{
		ctx: ctx, disk: disk{cfg.FS, cfg.Dir}, cfg: cfg, opts: opts, report: report,
		named: map[string]bool{}, wrong: map[tlog.Tile]bool{},
	}
	signed, err := v.disk.read(checkpointName, maxCheckpoint)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.problem(checkpointName, err.Error(), mendCopy)
		return v.sum, nil
	}
	ground, isGround, err := readGround(v.disk, signed)
	if err != nil {
		v.problem(groundName, err.Error(), "copy the register anew from a mirror")
		return v.sum, nil
	}
	if signed == nil && !isGround {
		return v.sum, errs.New(errs.NotFound, "there is no register in %s", cfg.Dir)
	}
	if err := v.readCharters(); err != nil {
		return v.sum, err
	}
	if isGround {
		v.openGround(ground)
	} else if !v.openCheckpoint(signed) {
		return v.sum, nil
	}
	if err := v.findEdge(); err != nil {
		return v.sum, err
	}
	if err := v.walk(); err != nil {
		return v.sum, err
	}
	v.settle()
	v.checkSafe()
	if err := v.branches(); err != nil {
		return v.sum, err
	}
	return v.sum, v.files(".")
}

type verifier struct {
	ctx    context.Context
	disk   disk
	cfg    Config
	opts   VerifyOptions
	report func(Problem)
	named  map[string]bool    // files with a problem, of those that are few
	wrong  map[tlog.Tile]bool // damaged tiles and bundles, without their width

	charters [][]byte  // as on disk
	valid    []Charter // the first of them, as far as they count
	cp       Checkpoint
	edge     edge // as proved
	ring     keyring
	key      note.Verifier // that signed the checkpoint; nil: there is none
	proved   bool          // the edge leads to the root
	upper    [maxLevel + 1]upperTile
	gaps     bitmap // empty entries that no erasure has named
	sum      Summary
}

func (v *verifier) problem(where, what, mend string) {
	v.sum.Problems++
	v.report(Problem{Where: where, What: what, Mend: mend})
}

// once reports the first problem of a file.
func (v *verifier) once(where, what, mend string) {
	if !v.named[where] {
		v.named[where] = true
		v.problem(where, what, mend)
	}
}

// readCharters checks each charter against the one before it.
func (v *verifier) readCharters() error {
	list, err := v.disk.fs.ReadDir(v.disk.path(chartersName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if v.charters, err = readCharters(v.disk); err != nil {
		v.once(charterPath(int64(len(v.charters)+1)), err.Error(), mendCopy)
	}
	v.sum.Files += int64(len(v.charters))
	for _, e := range list {
		name := path.Join(chartersName, e.Name())
		known := false
		for i := range v.charters {
			known = known || name == charterPath(int64(i+1))
		}
		if !known && !strings.HasSuffix(name, durable.TempSuffix) {
			v.once(name, "it does not follow the charters before it", mendRemove)
		}
	}
	var old []byte
	for i, signed := range v.charters {
		c, err := VerifyCharter(old, signed)
		if err == nil && c.Version > 1 && c.Library != v.firstLibrary(c) {
			err = badCharter("it is of another library than version 2")
		}
		if err != nil {
			v.once(charterPath(int64(i+1)), err.Error(), mendCopy)
			break
		}
		v.valid, old = append(v.valid, c), signed
	}
	return nil
}

func (v *verifier) firstLibrary(c Charter) string {
	if len(v.valid) > 1 {
		return v.valid[1].Library
	}
	return c.Library
}

// openCheckpoint checks the checkpoint's signatures. Without it there is nothing
// to check the rest against.
func (v *verifier) openCheckpoint(signed []byte) bool {
	charters := v.valid
	if len(charters) == 0 {
		// The charter in entry 0 speaks for itself until its hash is proved.
		if c, ok := v.charterInEntry0(); ok {
			v.once(charterPath(1), "it is missing", mendCopy)
			charters = []Charter{c}
		}
	}
	ring, err := newKeyring(v.cfg, charters)
	if err == nil {
		open := ring.open
		if v.cfg.Replica { // it may not have heard from the newest key yet
			open = ring.openHeld
		}
		v.cp, v.key, err = open(signed)
	}
	v.ring = ring
	if err != nil {
		v.problem(checkpointName, err.Error(), "copy it again from a mirror or a backup; until then nothing can be checked against it")
		return false
	}
	if len(charters) > 0 && !exactCheckpoint(v.cp, signed) {
		v.problem(checkpointName, "it has a signature that no charter accounts for",
			"run any command that appends: it signs a new one")
	}
	v.sum.Files++
	v.sum.Size, v.sum.Root, v.sum.Cosignatures = v.cp.Size, v.cp.Root, v.cp.Cosignatures
	return true
}

func (v *verifier) charterInEntry0() (c Charter, ok bool) {
	for _, w := range []int{width, 1} {
		data, err := v.disk.tile(tlog.Tile{L: bundles, W: w})
		if err != nil {
			continue
		}
		if data, err = cutBundle(data, 1); err != nil {
			continue
		}
		signed, isCharter, err := charterOf(data[2:])
		if err != nil || !isCharter {
			continue
		}
		c, err = VerifyCharter(nil, signed)
		return c, err == nil
	}
	return c, false
}

// entry looks at one proved entry.
func (v *verifier) entry(i int64, raw []byte) {
	v.sum.Entries++
	if i == 0 {
		v.sum.Library = LibraryID(raw)
	}
	if bytes.Contains(raw, []byte(`"charter"`)) {
		v.charterEntry(i, raw)
	}
	if bytes.Contains(raw, []byte(`"erasure"`)) {
		v.erasureEntry(i, raw)
	}
}

// charterEntry holds the file of a charter to the entry that states it.
func (v *verifier) charterEntry(i int64, raw []byte) {
	signed, isCharter, err := charterOf(raw)
	if err != nil || !isCharter {
		return
	}
	c, err := ParseCharter(signed)
	if err != nil {
		return
	}
	if c.Version > int64(len(v.charters)) {
		v.once(charterPath(c.Version), "it is missing", mendCopy)
	} else if !bytes.Equal(v.charters[c.Version-1], signed) {
		v.once(charterPath(c.Version), "it is not the charter that the register holds", mendCopy)
	}
}

// erasureEntry explains the gaps that it names.
func (v *verifier) erasureEntry(i int64, raw []byte) {
	e, _, err := record.Decode(raw)
	if err != nil || e.Type != record.TypeErasure {
		return
	}
	if e.Body != nil && v.opts.Body != nil {
		body, err := v.opts.Body(v.ctx, *e.Body)
		if err == nil {
			e, err = e.WithBody(body)
		}
		if err != nil {
			v.problem("blob "+e.Body.SHA256, "the list of an erasure cannot be read: "+err.Error(), mendCopy)
			return
		}
	}
	for _, n := range e.Entries {
		if n <= 0 || n >= i || v.gaps.clear(n) {
			continue
		}
		raw, t := v.contentOf(n)
		if raw != nil && Erasable(n, raw) {
			v.problem(tilePath(t), "an erasure names an entry in it whose content is still there",
				"run `wenlan erase` for that entry again")
		}
	}
}

// contentOf reads an entry of the past; nil where it is empty or cannot be read.
func (v *verifier) contentOf(n int64) ([]byte, tlog.Tile) {
	t := tileIn(bundles, n/width, v.cp.Size)
	data, err := v.disk.tile(t)
	if err != nil {
		return nil, t
	}
	entries, err := parseBundle(data, t.W)
	if err != nil {
		return nil, t
	}
	return entries[n%width], t
}

// settle reports what only the whole register can tell.
func (v *verifier) settle() {
	for from, to := range v.gaps.ranges() {
		what := "it has an empty entry that no erasure names"
		if to > from+1 {
			what = "it begins a run of empty entries that no erasure names"
		}
		v.problem(tilePath(tileIn(bundles, from/width, v.cp.Size)), what, mendCopy)
	}
	reader := tlog.TileHashReader(tlog.Tree{N: v.cp.Size, Hash: v.cp.Root}, tileReader{v.disk, v.edge})
	for _, c := range v.valid {
		where := charterPath(c.Version)
		if c.Version > 1 && v.sum.Library != "" && c.Library != v.sum.Library {
			v.once(where, "it is of another library", mendRemove)
		}
		if c.Base == nil || !v.proved || v.cfg.Replica && !v.ring.isNewest(v.key) {
			continue
		}
		if c.Base.Size > v.cp.Size {
			v.once(where, "it continues a longer register than this", "run `wenlan recover`: this copy is old")
		} else if root, err := tlog.TreeHash(c.Base.Size, reader); err == nil && root != c.Base.Root {
			v.once(where, "the register that it continues is not this one", "run `wenlan recover`: this copy is a branch")
		}
	}
}

// files walks over all files, for those that the tree does not lead to.
func (v *verifier) files(dir string) error {
	if err := v.ctx.Err(); err != nil {
		return err
	}
	list, err := v.disk.fs.ReadDir(v.disk.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // swept meanwhile
	} else if err != nil {
		return err
	}
	for _, e := range list {
		name := path.Join(dir, e.Name())
		switch {
		case name == checkpointName || name == chartersName || name == safeName || name == groundName || name == branchesName:
		case e.IsDir() && (name == "tile" || strings.HasPrefix(name, "tile/")):
			if err := v.files(name); err != nil {
				return err
			}
		case strings.HasSuffix(name, durable.TempSuffix):
			v.sum.Leftovers++
		default:
			t, ok := parseTilePath(name)
			if !ok || e.IsDir() {
				v.problem(name, "it is not a file of a register", mendRemove)
				continue
			}
			v.sum.Files++
			switch have := tileIn(t.L, t.N, v.cp.Size); {
			case t.W > have.W:
				v.sum.Leftovers++
			case t.W < have.W && !v.wrong[tlog.Tile{L: t.L, N: t.N}]:
				v.oldPartial(t, have)
			}
		}
	}
	return nil
}

// oldPartial holds a partial tile of the past to the present one.
func (v *verifier) oldPartial(t, have tlog.Tile) {
	name := tilePath(t)
	limit := int64(tileBytes)
	if t.L == bundles {
		limit = maxBundle
	}
	data, err := v.disk.read(name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return // swept meanwhile
	}
	var want []byte
	if err == nil {
		if have.W < width && t.L != bundles {
			want = v.edge.tiles[t.L]
		} else {
			want, err = v.disk.tile(have)
		}
	}
	if err == nil && t.L == bundles {
		want, err = cutBundle(want, t.W)
	} else if err == nil {
		want = want[:min(len(want), t.W*tlog.HashSize)]
	}
	if err != nil {
		v.problem(name, err.Error(), mendRemove)
	} else if !bytes.Equal(data, want) {
		v.problem(name, "it differs from the newer, wider one, or holds an erased entry", "remove it: it is of the past")
	}
}

// bitmap is a set of indices, with memory only around its members.
type bitmap map[int64]*[1024]uint64

func (b *bitmap) set(i int64) {
	if *b == nil {
		*b = bitmap{}
	}
	part := (*b)[i>>16]
	if part == nil {
		part = new([1024]uint64)
		(*b)[i>>16] = part
	}
	part[i>>6&1023] |= 1 << (i & 63)
}

// clear takes i out and says whether it was in.
func (b bitmap) clear(i int64) bool {
	part := b[i>>16]
	if part == nil || part[i>>6&1023]&(1<<(i&63)) == 0 {
		return false
	}
	part[i>>6&1023] &^= 1 << (i & 63)
	return true
}

// ranges gives the runs [from, to) of members, in order.
func (b bitmap) ranges() func(yield func(from, to int64) bool) {
	return func(yield func(from, to int64) bool) {
		from, to := int64(-1), int64(-1)
		for _, p := range slices.Sorted(maps.Keys(b)) {
			for w, word := range b[p] {
				for ; word != 0; word &= word - 1 {
					i := p<<16 | int64(w)<<6 | int64(bits.TrailingZeros64(word))
					if i == to {
						to++
						continue
					}
					if from >= 0 && !yield(from, to) {
						return
					}
					from, to = i, i+1
				}
			}
		}
		if from >= 0 {
			yield(from, to)
		}
	}
}
