package register

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

// Open opens a register: for writing where the configuration has a Signer. It
// proves the edge of the tree against the checkpoint, and fails with
// errs.Corrupt where they differ. A register opened for reading stays as it was
// then; see [Register.Refresh].
func Open(cfg Config) (*Register, error) {
	r := newRegister(cfg.withDefaults())
	if err := r.Refresh(); err != nil {
		return nil, err
	}
	if r.cfg.Replica && r.cfg.Signer != nil {
		return nil, errs.New(errs.Invalid, "a copy of a register is not signed here")
	}
	if r.cfg.Signer == nil && !r.cfg.Replica {
		return r, nil
	}
	if err := r.checkOrigin(); err != nil {
		return nil, err
	}
	// The checkpoint may have been renamed by a process that was then killed.
	// It must not be served while power loss could still take it back.
	if err := r.cfg.FS.SyncDir(r.cfg.Dir); err != nil {
		return nil, err
	}
	if err := r.cleanUp(); err != nil {
		return nil, fmt.Errorf("sweep the register: %w", err)
	}
	return r, nil
}

// checkOrigin holds a register that is open for signing to its charters.
func (r *Register) checkOrigin() error {
	if r.cfg.Signer == nil {
		return nil
	}
	if err := r.checkSigner(); err != nil {
		return err
	}
	s := r.state.Load()
	base := s.ring.base
	if s.signed == nil || !s.ring.isNewest(s.key) && (base == nil || s.size() != base.Size || s.checkpoint.Root != base.Root) {
		return errs.WithHint(errs.New(errs.Refused, "the register in %s is a copy that its charter's key has not continued", r.cfg.Dir),
			"`wenlan succeed` makes a copy the origin")
	}
	return nil
}

// cleanUp removes what does not belong to the register.
func (r *Register) cleanUp() error {
	s := r.state.Load()
	if !r.cfg.Replica {
		return r.sweep(s.size())
	}
	if s.signed == nil {
		if err := r.writeEdge(s); err != nil {
			return err
		}
	}
	return r.sweepAll(s.size(), true)
}

// Refresh reads the checkpoint that is now on disk, for a register that is open
// for reading while another process writes.
func (r *Register) Refresh() error {
	for try := 0; ; try++ {
		s, err := r.load()
		if err == nil {
			r.state.Store(s)
			return nil
		}
		// A writer may have moved on between two of our reads.
		if !errors.Is(err, fs.ErrNotExist) || try == 10 {
			return err
		}
	}
}

// load reads the state that the checkpoint on disk covers.
func (r *Register) load() (*state, error) {
	s := &state{}
	signed, err := r.disk.read(checkpointName, maxCheckpoint)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ground, isGround, err := readGround(r.disk, signed)
	if err != nil {
		return nil, err
	}
	if signed == nil && !isGround {
		return nil, errs.New(errs.NotFound, "there is no register in %s", r.cfg.Dir)
	}
	if s.charters, err = readCharters(r.disk); err != nil {
		return nil, err
	}
	charters, err := VerifyCharters("", s.charters)
	if err != nil {
		return nil, damaged(chartersName, err)
	}
	if len(charters) > 0 {
		s.newest = charters[len(charters)-1]
	}
	if s.ring, err = newKeyring(r.cfg, charters); err != nil {
		return nil, damaged(chartersName, err)
	}
	if isGround {
		s.checkpoint, s.library, s.instead = Checkpoint{Size: ground.size, Root: ground.root}, ground.library, ground.instead
	} else {
		s.signed = signed
		if s.checkpoint, s.key, err = s.ring.openHeld(signed); err != nil {
			return nil, damaged(checkpointName, err)
		}
	}
	if err := r.loadEdge(s); err != nil {
		return nil, err
	}
	if err := r.loadLibrary(s); err != nil {
		return nil, err
	}
	return s, r.loadSafe(s)
}

func damaged(where string, err error) error {
	return errs.WithHint(errs.New(errs.Corrupt, "the register is damaged at %s: %w", where, err),
		"`wenlan verify` says all that is wrong and how to mend it")
}

// loadEdge reads the edge of the tree, which tlog proves against the root, and
// the last bundle, which is held to the lowest tile.
func (r *Register) loadEdge(s *state) error {
	size := s.checkpoint.Size
	s.edge.size = size
	if size == 0 {
		root, err := s.edge.root()
		if err == nil && root != s.checkpoint.Root {
			err = damaged(checkpointName, errors.New("an empty tree has another root"))
		}
		return err
	}
	s.edge.tiles = make([][]byte, topLevel(size)+1)
	for _, t := range edgeTiles(size) {
		data, err := r.disk.tile(t)
		if err != nil {
			return absent(t, err)
		}
		if len(data) != t.W*tlog.HashSize {
			return damaged(tilePath(t), fmt.Errorf("it has %d bytes", len(data)))
		}
		s.edge.tiles[t.L] = data
	}
	root, err := s.edge.root()
	if err != nil {
		return err
	}
	if root != s.checkpoint.Root {
		return damaged("its edge", errors.New("the last tiles do not lead to the root in the checkpoint"))
	}
	t := edgeTile(bundles, size)
	if t.W == 0 {
		return nil
	}
	if s.bundle, err = r.disk.tile(t); err != nil {
		return absent(t, err)
	}
	entries, err := parseBundle(s.bundle, t.W)
	if err != nil {
		return damaged(tilePath(t), err)
	}
	for i, e := range entries {
		if leaf := s.edge.tiles[0][i*tlog.HashSize:][:tlog.HashSize]; e != nil && tlog.RecordHash(e) != tlog.Hash(leaf) {
			return damaged(tilePath(t), fmt.Errorf("entry %d has another hash than its tile says", t.N*width+int64(i)))
		}
	}
	return nil
}

// absent keeps fs.ErrNotExist visible, for Refresh.
func absent(t tlog.Tile, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errs.New(errs.Corrupt, "%s is missing: %w", tilePath(t), err)
	}
	return err
}

// loadLibrary finds the library id in entry 0 and holds the charters to it.
func (r *Register) loadLibrary(s *state) error {
	if s.size() == 0 {
		return nil
	}
	t := tileIn(bundles, 0, s.size())
	data := s.bundle
	if t.W == width {
		var err error
		if data, err = r.disk.tile(t); err != nil {
			return absent(t, err)
		}
	}
	entries, err := parseBundle(data, t.W)
	if err != nil {
		return damaged(tilePath(t), err)
	}
	leaf, err := r.leafHash(s, 0)
	if err != nil {
		return err
	}
	if tlog.RecordHash(entries[0]) != leaf {
		return damaged(tilePath(t), errors.New("entry 0 has another hash than its tile says"))
	}
	s.library = LibraryID(entries[0])
	signed, isCharter, err := charterOf(entries[0])
	if err != nil || !isCharter {
		return nil // a foreign log, whose entries mean nothing to us
	}
	if len(s.charters) == 0 || !bytes.Equal(s.charters[0], signed) {
		return damaged(charterPath(1), errors.New("it is not the charter that entry 0 holds"))
	}
	if _, err := VerifyCharters(s.library, s.charters); err != nil {
		return damaged(chartersName, err)
	}
	return nil
}

// readCharters reads charters/1, 2, … up to the first that is not there.
func readCharters(d disk) (list [][]byte, err error) {
	for v := int64(1); v <= maxCharters; v++ {
		data, err := d.read(charterPath(v), maxCharter)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		list = append(list, data)
	}
	return list, nil
}

// sweep removes from the edge of the tree what a checkpoint of the given size
// does not have: partial tiles of the past, and all that an append had written
// when it failed or was cut short. One batch fills at most MaxBatch/256 tiles of
// a level, which is less than a folder holds; so it can only have touched the
// folder of the edge, the one before and the one after.
func (r *Register) sweep(size int64) error {
	levels, err := r.cfg.FS.ReadDir(r.disk.path("tile"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, l := range levels {
		level := bundles
		if l.Name() != "entries" {
			if level, err = strconv.Atoi(l.Name()); err != nil || level < 0 || level > maxLevel {
				continue
			}
		}
		edge := edgeTile(level, size)
		done := map[string]bool{}
		for _, n := range []int64{edge.N - 1000, edge.N, edge.N + 1000} {
			dir := path.Dir(tilePath(tlog.Tile{L: level, N: max(n, 0), W: width}))
			if done[dir] {
				continue
			}
			done[dir] = true
			if err := r.sweepDir(dir, size, false); err != nil {
				return err
			}
		}
	}
	return r.sweepTemporary()
}

// sweepAll does the same wherever tiles may be, for a copy, whose extensions are
// of any length. Full tiles are kept on request: they are what an extension
// fetched when it failed or was cut short, and are proved before they are used.
func (r *Register) sweepAll(size int64, keepFull bool) error {
	var walk func(dir string) error
	walk = func(dir string) error {
		list, err := r.cfg.FS.ReadDir(r.disk.path(dir))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		for _, e := range list {
			if e.IsDir() && !strings.HasSuffix(e.Name(), ".p") {
				if err := walk(path.Join(dir, e.Name())); err != nil {
					return err
				}
			}
		}
		return r.sweepDir(dir, size, keepFull)
	}
	if err := walk("tile"); err != nil {
		return err
	}
	return r.sweepTemporary()
}

func (r *Register) sweepTemporary() error {
	for _, dir := range []string{".", chartersName} {
		list, err := r.cfg.FS.ReadDir(r.disk.path(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range list {
			if strings.HasSuffix(e.Name(), durable.TempSuffix) {
				if err := r.cfg.FS.Remove(r.disk.path(path.Join(dir, e.Name()))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sweepDir sweeps one folder of tiles.
func (r *Register) sweepDir(dir string, size int64, keepFull bool) error {
	list, err := r.cfg.FS.ReadDir(r.disk.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range list {
		name := path.Join(dir, e.Name())
		number, partial := strings.CutSuffix(name, ".p")
		t, ok := parseTilePath(strings.TrimSuffix(number, durable.TempSuffix))
		if !ok {
			continue
		}
		want := tileIn(t.L, t.N, size).W
		if !partial {
			if want != width && !keepFull || strings.HasSuffix(name, durable.TempSuffix) {
				if err := r.cfg.FS.Remove(r.disk.path(name)); err != nil {
					return err
				}
			}
			continue
		}
		widths, err := r.cfg.FS.ReadDir(r.disk.path(name))
		if err != nil {
			return err
		}
		for _, w := range widths {
			if want == width || w.Name() != strconv.Itoa(want) {
				if err := r.cfg.FS.Remove(r.disk.path(path.Join(name, w.Name()))); err != nil {
					return err
				}
			}
		}
		if want == width || want == 0 {
			delete(r.synced, name)
			if err := r.cfg.FS.Remove(r.disk.path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}
