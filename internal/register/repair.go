package register

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// MendOptions says how [Mend] works. All fields may be empty.
type MendOptions struct {
	// Library is the library id, where it is known from elsewhere. Without it a
	// register whose first entry is lost has nothing to be held to.
	Library string
	// Wrong are the files that Verify has named. Of charters, only these are
	// fetched, and those that others on the disk follow; partial tiles of the past
	// are removed where they are among them.
	Wrong []string
	// Body fetches the blob of an erasure whose list did not fit into its entry.
	Body func(ctx context.Context, ref record.Body) ([]byte, error)
	// Mended is called with each file that has been written anew, once it is durable.
	Mended func(where string)
	// Progress is called now and then.
	Progress func(done, size int64)
}

// Mend fetches from other copies what is damaged or missing of a register, and
// writes it anew. It believes what the checkpoint on disk covers, and of others
// only what is proved against that: hash tiles by the tiles above them, bundles by
// their hash tiles. Where the checkpoint itself is lost, one of another copy that
// the origin has signed is taken; for the origin's own register only if what is left
// on the disk ends just there, for else the origin might sign again what others have
// seen otherwise: that is for `wenlan recover`.
//
// What an erasure has emptied stays empty, whatever the other copies hold. What
// nobody has is left as it is, for Verify to name. The caller holds the lock of
// the register, and nobody has it open for writing; see [Register.Mend] for that.
func Mend(ctx context.Context, cfg Config, try Try, opts MendOptions) error {
	cfg = cfg.withDefaults()
	m := &mender{ctx: ctx, cfg: cfg, disk: disk{cfg.FS, cfg.Dir}, try: try, opts: opts}
	m.guard = func(_ tlog.Tile, write func() error) error { return write() }
	valid, err := m.charters()
	if err != nil {
		return err
	}
	lost, err := m.checkpoint(valid)
	if err != nil {
		return err
	}
	if err := m.findEdge(); err != nil {
		return err
	}
	if err := m.walk(); err != nil || lost == nil || m.failed {
		return err
	}
	return m.write(checkpointName, lost)
}

// Mend is the package's [Mend] for a register that is open, and may be read and
// appended to meanwhile. Erasures wait for it.
func (r *Register) Mend(ctx context.Context, try Try, opts MendOptions) error {
	r.erasing.RLock()
	defer r.erasing.RUnlock()
	s := r.state.Load()
	m := &mender{ctx: ctx, cfg: r.cfg, disk: r.disk, try: try, opts: opts, cp: s.checkpoint, edge: s.edge}
	m.guard = func(t tlog.Tile, write func() error) error {
		if err := r.take(ctx); err != nil {
			return err
		}
		defer r.yield()
		if t.W < width && r.Size() != m.cp.Size {
			return nil // an append has replaced it meanwhile
		}
		err := write()
		if t.L == bundles {
			r.cache.drop(t.N)
		}
		return err
	}
	if err := m.ownCharters(s.charters); err != nil {
		return err
	}
	if err := m.safe(s.ring); err != nil {
		return err
	}
	if data, err := r.disk.read(checkpointName, maxCheckpoint); s.signed != nil && (err != nil || !bytes.Equal(data, s.signed)) {
		if err := r.take(ctx); err != nil {
			return err
		}
		err := m.write(checkpointName, r.Checkpoint())
		r.yield()
		if err != nil {
			return err
		}
	}
	for _, t := range edgeTiles(m.cp.Size) {
		if data, err := m.disk.tile(t); err != nil || !bytes.Equal(data, s.edge.tiles[t.L]) {
			if err := m.writeTile(t, s.edge.tiles[t.L]); err != nil {
				return err
			}
		}
	}
	if t := edgeTile(bundles, m.cp.Size); t.W > 0 {
		if data, err := m.disk.tile(t); err != nil || !bytes.Equal(data, s.bundle) {
			if err := m.writeTile(t, s.bundle); err != nil {
				return err
			}
		}
	}
	return m.walk()
}

// maxChartersSent bounds the charters that another copy sends, in bytes.
const maxChartersSent = 16 << 20

// mender is one run of Mend.
type mender struct {
	ctx    context.Context
	cfg    Config
	disk   disk
	try    Try
	opts   MendOptions
	guard  func(t tlog.Tile, write func() error) error
	cp     Checkpoint
	edge   edge
	upper  [maxLevel + 1]upperTile // proved; data nil: it cannot be
	erased bitmap                  // entries that a proved erasure names
	blind  bool                    // an erasure further on may be unknown
	failed bool                    // something could not be mended
}

// write makes a file durable.
func (m *mender) write(where string, data []byte) error {
	name := m.disk.path(where)
	if err := durable.MkdirAll(m.cfg.FS, filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := durable.WriteFile(m.cfg.FS, name, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", where, err)
	}
	if m.opts.Mended != nil {
		m.opts.Mended(where)
	}
	return nil
}

// remove takes away a partial tile of the past, which nothing needs.
func (m *mender) remove(where string) error {
	name := m.disk.path(where)
	if err := m.cfg.FS.Remove(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if m.opts.Mended != nil {
		m.opts.Mended(where)
	}
	return m.cfg.FS.SyncDir(filepath.Dir(name))
}

func (m *mender) writeTile(t tlog.Tile, data []byte) error {
	return m.guard(t, func() error { return m.write(tilePath(t), data) })
}

// fetch asks other copies until one gives what use accepts. What nobody gives is
// not an error: ok is false then.
func (m *mender) fetch(use func(ctx context.Context, get Get) error) (ok bool, err error) {
	if m.try == nil {
		return false, m.ctx.Err()
	}
	if err := m.try(m.ctx, use); err != nil {
		m.cfg.Log.Debug("no copy mends it", "err", err)
		return false, m.ctx.Err()
	}
	return true, nil
}

// fetchTile reads a tile or bundle of another copy; a partial one may have to be
// cut from what that copy has grown to. Its length is not yet checked.
func fetchTile(ctx context.Context, get Get, t tlog.Tile) ([]byte, error) {
	limit := int64(tileBytes)
	if t.L == bundles {
		limit = maxBundle
	}
	data, err := get(ctx, tilePath(t), limit)
	if err == nil || t.W == width || !errs.Is(err, errs.NotFound) {
		return data, err
	}
	wider := t
	wider.W = width
	if data, err = get(ctx, tilePath(wider), limit); errs.Is(err, errs.NotFound) {
		signed, e := get(ctx, checkpointName, maxCheckpoint)
		if e != nil {
			return nil, e
		}
		// Only to know the file's name: it need not be true.
		lines := strings.SplitN(string(signed), "\n", 3)
		if len(lines) < 3 {
			return nil, err
		}
		size, e := strconv.ParseInt(lines[1], 10, 64)
		if wider.W = tileIn(t.L, t.N, max(size, 0)).W; e != nil || wider.W <= t.W || wider.W == width {
			return nil, err
		}
		data, err = get(ctx, tilePath(wider), limit)
	}
	if err != nil {
		return nil, err
	}
	if t.L == bundles {
		if data, err = cutBundle(data, t.W); err != nil {
			return nil, errs.New(errs.Corrupt, "%s: %w", tilePath(wider), err)
		}
		return data, nil
	}
	return data[:min(len(data), t.W*tlog.HashSize)], nil
}

// ownCharters writes charters that are known to be right.
func (m *mender) ownCharters(list [][]byte) error {
	for i, signed := range list {
		where := charterPath(int64(i + 1))
		if data, err := m.disk.read(where, maxCharter); err != nil || !bytes.Equal(data, signed) {
			if err := m.write(where, signed); err != nil {
				return err
			}
		}
	}
	return nil
}

// charters mends the charters on disk and returns those that count.
func (m *mender) charters() ([]Charter, error) {
	d := m.disk
	onDisk, _ := readCharters(d) // up to the first that cannot be read
	entry0 := m.entry0()
	library := m.opts.Library
	if entry0 != nil {
		library = LibraryID(entry0)
	}
	var good [][]byte
	for i := range onDisk {
		list, err := VerifyCharters("", onDisk[:i+1])
		if err != nil {
			break
		}
		if c := list[i]; c.Version > 1 && library == "" {
			library = c.Library
		} else if c.Version > 1 && c.Library != library {
			break
		}
		good = onDisk[: i+1 : i+1]
	}
	if signed, isCharter, err := charterOf(entry0); err == nil && isCharter && (len(good) == 0 || !bytes.Equal(good[0], signed)) {
		good = [][]byte{signed}
	}
	want := int64(1)
	if list, err := m.cfg.FS.ReadDir(d.path(chartersName)); err == nil {
		for _, e := range list {
			if v, err := strconv.ParseInt(e.Name(), 10, 64); err == nil && v <= maxCharters && charterPath(v) == path.Join(chartersName, e.Name()) {
				want = max(want, v)
			}
		}
	}
	for _, where := range m.opts.Wrong {
		if v, err := strconv.ParseInt(strings.TrimPrefix(where, chartersName+"/"), 10, 64); err == nil && charterPath(v) == where && v <= maxCharters {
			want = max(want, v)
		}
	}
	if int64(len(good)) < want {
		_, err := m.fetch(func(ctx context.Context, get Get) error {
			list, err := fetchCharters(ctx, get, library)
			if err != nil {
				return err
			}
			list = list[:min(int64(len(list)), want)]
			if len(list) <= len(good) || len(good) > 0 && !bytes.Equal(list[0], good[0]) {
				return errs.New(errs.Unavailable, "this copy has no more charters")
			}
			good = list
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(good) == 0 {
		return nil, errs.WithHint(errs.New(errs.Corrupt, "no charter is left that says whose signature the register has"),
			"name another copy with --from")
	}
	if err := m.ownCharters(good); err != nil {
		return nil, err
	}
	return VerifyCharters("", good)
}

// entry0 is the first entry as the disk has it; nil where it cannot be read.
func (m *mender) entry0() []byte {
	for _, w := range []int{width, 1} {
		data, err := m.disk.tile(tlog.Tile{L: bundles, W: w})
		if err != nil {
			continue
		}
		if data, err = cutBundle(data, 1); err != nil || len(data) == 2 {
			continue
		}
		if m.opts.Library == "" || LibraryID(data[2:]) == m.opts.Library {
			return data[2:]
		}
	}
	return nil
}

// fetchCharters reads the charters of another copy of a library.
func fetchCharters(ctx context.Context, get Get, library string) ([][]byte, error) {
	if library == "" {
		return nil, errs.New(errs.Unavailable, "which library this is cannot be read any more")
	}
	raw, err := get(ctx, chartersName, maxChartersSent)
	if err != nil {
		return nil, err
	}
	var notes []string
	if err := json.Unmarshal(raw, &notes); err != nil {
		return nil, errs.New(errs.Corrupt, "its charters are no list: %w", err)
	}
	list := make([][]byte, len(notes))
	for i, n := range notes {
		list[i] = []byte(n)
	}
	charters, err := VerifyCharters(library, list)
	if err != nil || len(charters) == 0 {
		return nil, errs.New(errs.Corrupt, "its charters do not count: %w", err)
	}
	data, err := fetchTile(ctx, get, tlog.Tile{H: height, L: bundles, W: 1})
	if err != nil {
		return nil, err
	}
	entries, err := parseBundle(data, 1)
	if err != nil || entries[0] == nil || LibraryID(entries[0]) != library {
		return nil, errs.New(errs.Corrupt, "it is another library")
	}
	if signed, isCharter, err := charterOf(entries[0]); err != nil || !isCharter || !bytes.Equal(signed, list[0]) {
		return nil, errs.New(errs.Corrupt, "its first charter is not that of entry 0")
	}
	return list, nil
}

// checkpoint opens the checkpoint on disk, or where that is lost the one of
// another copy: lost holds it, to be written when all that it covers is there.
func (m *mender) checkpoint(valid []Charter) (lost []byte, err error) {
	ring, err := newKeyring(m.cfg, valid)
	if err != nil {
		return nil, err
	}
	signed, err := m.disk.read(checkpointName, maxCheckpoint)
	if ground, ok, e := readGround(m.disk, signed); e == nil && ok {
		m.cp = Checkpoint{Size: ground.size, Root: ground.root}
		return nil, nil
	}
	if err == nil {
		open := ring.open
		if m.cfg.Replica {
			open = ring.openHeld
		}
		if m.cp, _, err = open(signed); err == nil {
			return nil, m.safe(ring)
		}
	}
	var why error
	ok, err := m.fetch(func(ctx context.Context, get Get) error {
		signed, err := get(ctx, checkpointName, maxCheckpoint)
		if err != nil {
			return err
		}
		cp, _, err := ring.open(signed)
		if err != nil {
			return err
		}
		if !m.cfg.Replica {
			where, err := m.beyond("tile", cp.Size)
			if err != nil {
				return err
			}
			if where == "" {
				_, err = readEdge(cp, m.disk.tile)
			}
			if where != "" || err != nil {
				why = errs.WithHint(errs.New(errs.Unavailable, "the checkpoint is lost, and what is left of the register does not end where that of another copy does"),
					"run `wenlan recover --from URL`: the origin must not sign again what others have seen otherwise")
				return why
			}
		}
		m.cp, lost = cp, signed
		return nil
	})
	if err == nil && !ok {
		if err = why; err == nil {
			err = errs.WithHint(errs.New(errs.Corrupt, "the checkpoint is lost, and no other copy gives one"), "name another copy with --from")
		}
	}
	return lost, err
}

// safe removes a safe checkpoint that nobody can read: the next one that is
// cosigned replaces it.
func (m *mender) safe(ring keyring) error {
	signed, err := m.disk.read(safeName, maxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		if _, _, err = ring.openHeld(signed); err == nil {
			return nil
		}
	}
	return m.remove(safeName)
}

// beyond finds a file of the disk that a tree of the given size has not.
func (m *mender) beyond(dir string, size int64) (string, error) {
	list, err := m.cfg.FS.ReadDir(m.disk.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	for _, e := range list {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			if found, err := m.beyond(name, size); found != "" || err != nil {
				return found, err
			}
		} else if t, ok := parseTilePath(name); ok && t.W > tileIn(t.L, t.N, size).W {
			return name, nil
		}
	}
	return "", err
}

// findEdge reads the edge of the tree, or fetches it.
func (m *mender) findEdge() error {
	size := m.cp.Size
	m.edge = edge{size: size}
	if size == 0 {
		return nil
	}
	var err error
	if m.edge, err = readEdge(m.cp, m.disk.tile); err == nil {
		return nil
	}
	ok, err := m.fetch(func(ctx context.Context, get Get) (err error) {
		m.edge, err = readEdge(m.cp, func(t tlog.Tile) ([]byte, error) { return fetchTile(ctx, get, t) })
		return err
	})
	if err != nil {
		return err
	}
	if !ok {
		return errs.WithHint(errs.New(errs.Corrupt, "the edge of the register is damaged, and no other copy gives it"), "name another copy with --from")
	}
	for _, t := range edgeTiles(size) {
		if data, err := m.disk.tile(t); err != nil || !bytes.Equal(data, m.edge.tiles[t.L]) {
			if err := m.writeTile(t, m.edge.tiles[t.L]); err != nil {
				return err
			}
		}
	}
	return nil
}

// readEdge reads the edge of a checkpoint's tree and proves it.
func readEdge(cp Checkpoint, read func(t tlog.Tile) ([]byte, error)) (edge, error) {
	e := edge{size: cp.Size}
	if cp.Size == 0 {
		return e, nil
	}
	e.tiles = make([][]byte, topLevel(cp.Size)+1)
	for _, t := range edgeTiles(cp.Size) {
		data, err := read(t)
		if err != nil {
			return e, err
		}
		e.tiles[t.L] = data
	}
	root, err := e.root()
	if err != nil || root != cp.Root {
		return e, errs.New(errs.Corrupt, "its edge does not lead to the root in the checkpoint")
	}
	return e, nil
}

// tileAt is a tile of hashes, proved by the one above it: as read, else as
// fetched, and then written; nil where neither is right.
func (m *mender) tileAt(level int, n int64) ([]byte, error) {
	if n == edgeTile(level, m.cp.Size).N {
		return m.edge.tiles[level], nil
	}
	u := &m.upper[level]
	if u.data != nil && u.n == n {
		return u.data, nil
	}
	parent, err := m.tileAt(level+1, n/width)
	if err != nil || parent == nil {
		return nil, err
	}
	t := tlog.Tile{H: height, L: level, N: n, W: width}
	want := tlog.Hash(parent[n%width*tlog.HashSize:][:tlog.HashSize])
	right := func(data []byte) bool {
		root, err := tileRoot(t, data)
		return err == nil && root == want
	}
	data, err := m.disk.tile(t)
	if err != nil || !right(data) {
		data = nil
		ok, err := m.fetch(func(ctx context.Context, get Get) error {
			fetched, err := fetchTile(ctx, get, t)
			if err != nil {
				return err
			}
			if !right(fetched) {
				return errs.New(errs.Corrupt, "%s has other bytes than the tile above it says", tilePath(t))
			}
			data = fetched
			return nil
		})
		if err != nil {
			return nil, err
		}
		if ok {
			if err := m.writeTile(t, data); err != nil {
				return nil, err
			}
		} else {
			m.failed = true
		}
	}
	u.n, u.data = n, data
	return data, nil
}

// walk mends all tiles and bundles: the last first, so that of every entry it is
// known whether an erasure names it.
func (m *mender) walk() error {
	size := m.cp.Size
	for _, where := range m.opts.Wrong {
		if t, ok := parseTilePath(where); ok && t.W < tileIn(t.L, t.N, size).W {
			if err := m.remove(where); err != nil {
				return err
			}
		}
	}
	for n := (size - 1) / width; n >= 0 && size > 0; n-- {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		if err := m.bundle(tileIn(bundles, n, size)); err != nil {
			return fmt.Errorf("mend bundle %d: %w", n, err)
		}
		if m.opts.Progress != nil {
			m.opts.Progress(size-n*width, size)
		}
	}
	return nil
}

// bundle mends one bundle.
func (m *mender) bundle(t tlog.Tile) error {
	leaves, err := m.tileAt(0, t.N)
	if err != nil {
		return err
	}
	if leaves == nil { // the bundle proves the tile where nothing is empty; Verify does that
		m.failed, m.blind = true, true
		return nil
	}
	first := t.N * width
	// right says why a bundle is not. What it holds of entries that were erased is
	// no fault, but emptied: changed.
	right := func(data []byte) (entries [][]byte, changed bool, err error) {
		if entries, err = parseBundle(data, t.W); err != nil {
			return nil, false, err
		}
		for i, e := range entries {
			if e != nil && tlog.RecordHash(e) != tlog.Hash(leaves[i*tlog.HashSize:][:tlog.HashSize]) {
				return nil, false, fmt.Errorf("entry %d has other bytes than were registered", first+int64(i))
			}
		}
		for i, e := range slices.Backward(entries) {
			switch at := first + int64(i); {
			case e == nil && !m.erased.has(at) && !m.blind:
				return nil, false, fmt.Errorf("entry %d is empty, and no erasure names it", at)
			case e == nil:
			case m.erased.has(at) && Erasable(at, e):
				entries[i], changed = nil, true
			default:
				m.erasure(at, e)
			}
		}
		return entries, changed, nil
	}
	var entries [][]byte
	var changed bool
	data, err := m.disk.tile(t)
	if err == nil {
		entries, changed, err = right(data)
	}
	if err != nil {
		changed, err = m.fetch(func(ctx context.Context, get Get) error {
			data, err := fetchTile(ctx, get, t)
			if err != nil {
				return err
			}
			if entries, _, err = right(data); err != nil {
				return errs.New(errs.Corrupt, "%s: %w", tilePath(t), err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !changed {
			m.failed, m.blind = true, true
		}
	}
	if !changed {
		return nil
	}
	return m.writeTile(t, bundleOf(nil, nil, entries))
}

// erasure notes what a proved entry erases.
func (m *mender) erasure(at int64, raw []byte) {
	if !bytes.Contains(raw, []byte(`"erasure"`)) {
		return
	}
	e, _, err := record.Decode(raw)
	if err != nil || e.Type != record.TypeErasure {
		return
	}
	if e.Body != nil {
		var body []byte
		err := errors.New("nobody was asked for its list")
		if m.opts.Body != nil {
			body, err = m.opts.Body(m.ctx, *e.Body)
		}
		if err == nil {
			e, err = e.WithBody(body)
		}
		if err != nil {
			m.blind = true
			m.cfg.Log.Warn("the list of an erasure cannot be read", "entry", at, "err", err)
			return
		}
	}
	for _, n := range e.Entries {
		if n > 0 && n < at {
			m.erased.set(n)
		}
	}
}

// has says whether i is in the set.
func (b bitmap) has(i int64) bool {
	part := b[i>>16]
	return part != nil && part[i>>6&1023]&(1<<(i&63)) != 0
}
