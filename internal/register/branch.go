package register

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

const (
	branchesName = "branches"
	fromName     = "from"
	maxBranches  = 1000
)

// Branch is what was held here and is not in the register that the trustees
// chose to continue. It lies below branches/ID: the file from, the checkpoint,
// if there was one, and the bundles from that of entry From on.
type Branch struct {
	ID   string // SIZE-ROOT, the root shortened
	From int64  // the first entry that the register does not have
	Size int64
	Root tlog.Hash
	Note []byte // its checkpoint; nil if it had none
}

func branchID(size int64, root tlog.Hash) string { return fmt.Sprintf("%d-%x", size, root[:8]) }

// fromText is the file from of a branch.
func (b Branch) fromText() []byte { return fmt.Appendf(nil, "%d %d %s\n", b.From, b.Size, b.Root) }

func parseFrom(id string, data []byte) (b Branch, ok bool) {
	f := strings.Fields(string(data))
	if len(f) != 3 {
		return b, false
	}
	var err [3]error
	b.From, err[0] = strconv.ParseInt(f[0], 10, 64)
	b.Size, err[1] = strconv.ParseInt(f[1], 10, 64)
	b.Root, err[2] = tlog.ParseHash(f[2])
	b.ID = branchID(b.Size, b.Root)
	ok = errors.Join(err[:]...) == nil && b.From >= 0 && b.From < b.Size && b.Size < 1<<60 && b.ID == id &&
		bytes.Equal(b.fromText(), data)
	return b, ok
}

// goBack makes the tree of the first size entries the one that counts, without a
// checkpoint of it, and keeps what was longer as a branch. size is at most that
// of the state. It is durable on return; if it is cut short it may be repeated.
// The caller has the turn and holds the lock erasing.
func (r *Register) goBack(ctx context.Context, size int64) error {
	s := r.state.Load()
	next := *s
	var err error
	if next.edge, next.bundle, err = r.edgeAt(s, size); err != nil {
		return err
	}
	root, err := next.edge.root()
	if err != nil {
		return err
	}
	if size < s.size() {
		if err := r.keepBranch(ctx, s, size); err != nil {
			return fmt.Errorf("keep the branch: %w", err)
		}
	}
	if s.signed != nil {
		next.instead = fileSum(s.signed)
	}
	g := groundState{library: s.library, size: size, root: root, instead: next.instead}
	if err := durable.WriteFile(r.cfg.FS, r.disk.path(groundName), g.text(), 0o644); err != nil {
		// It may have been renamed: the next start finds out.
		r.broken = errs.WithHint(errs.New(errs.Unavailable, "it is not known whether the register has left the branch: %w", err),
			"start the program anew; it finds out")
		return r.broken
	}
	next.checkpoint, next.signed, next.key = Checkpoint{Size: size, Root: root}, nil, nil
	if next.safe.Size > size {
		next.safe, next.safeSigned = Checkpoint{}, nil
	}
	next.pending = Checkpoint{}
	r.state.Store(&next)
	r.cache.clear()
	r.litter = true
	r.cfg.Log.Warn("the register has left a branch", "entries", s.size(), "back to", size)
	if err := r.cleanUp(); err != nil {
		return err
	}
	r.litter = false
	return nil
}

// writeEdge writes what is not there yet of the edge of a tree that has no
// checkpoint. Until then it is cut from the tiles of the branch.
func (r *Register) writeEdge(s *state) error {
	write := func(t tlog.Tile, data []byte) error {
		name := tilePath(t)
		if found, err := durable.Exists(r.cfg.FS, r.disk.path(name)); found || err != nil {
			return err
		}
		if err := r.ensureDir(path.Dir(name)); err != nil {
			return err
		}
		return durable.WriteFile(r.cfg.FS, r.disk.path(name), data, 0o644)
	}
	for _, t := range edgeTiles(s.size()) {
		if err := write(t, s.edge.tiles[t.L]); err != nil {
			return err
		}
	}
	if t := edgeTile(bundles, s.size()); t.W > 0 {
		return write(t, s.bundle)
	}
	return nil
}

// edgeAt is the edge, and the last bundle, that a state's tree had at size.
func (r *Register) edgeAt(s *state, size int64) (e edge, bundle []byte, err error) {
	e.size = size
	if size == 0 {
		return e, nil, nil
	}
	e.tiles = make([][]byte, topLevel(size)+1)
	for _, t := range edgeTiles(size) {
		data, err := r.tile(s, tileIn(t.L, t.N, s.size()))
		if err != nil {
			return e, nil, err
		}
		if len(data) < t.W*tlog.HashSize {
			return e, nil, damaged(tilePath(t), errors.New("it is too short"))
		}
		e.tiles[t.L] = slices.Clone(data[:t.W*tlog.HashSize])
	}
	if t := edgeTile(bundles, size); t.W > 0 {
		data, err := r.tile(s, tileIn(bundles, t.N, s.size()))
		if err == nil {
			data, err = cutBundle(data, t.W)
		}
		if err != nil {
			return e, nil, err
		}
		bundle = bytes.Clone(data)
	}
	return e, bundle, nil
}

// keepBranch writes what a state's tree holds from an entry on below branches/,
// durably; the file from comes last.
func (r *Register) keepBranch(ctx context.Context, s *state, from int64) error {
	b := Branch{From: from, Size: s.size(), Root: s.checkpoint.Root}
	dir := path.Join(branchesName, branchID(b.Size, b.Root))
	w := r.startWriter()
	for n := from / width; n*width < s.size(); n++ {
		t := tileIn(bundles, n, s.size())
		data, err := r.tile(s, t)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return errors.Join(err, w.finish())
		}
		w.put(job{name: path.Join(dir, tilePath(t)), data: data})
	}
	if s.signed != nil {
		w.put(job{name: path.Join(dir, checkpointName), data: s.signed})
	}
	if err := w.finish(); err != nil {
		return err
	}
	return durable.WriteFile(r.cfg.FS, r.disk.path(path.Join(dir, fromName)), b.fromText(), 0o644)
}

// Branches lists the branches that are kept, the shortest first.
func (r *Register) Branches() ([]Branch, error) {
	list, err := r.cfg.FS.ReadDir(r.disk.path(branchesName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var all []Branch
	for _, e := range list[:min(len(list), maxBranches)] {
		b, err := r.branch(e.Name())
		if errs.Is(err, errs.NotFound) {
			continue // not finished
		} else if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b Branch) int { return cmp.Compare(a.Size, b.Size) })
	return all, nil
}

func (r *Register) branch(id string) (Branch, error) {
	none := errs.New(errs.NotFound, "there is no branch %.80q", id)
	if strings.Trim(id, "0123456789abcdef-") != "" || id == "" || len(id) > 64 {
		return Branch{}, none
	}
	dir := path.Join(branchesName, id)
	data, err := r.disk.read(path.Join(dir, fromName), maxGround)
	if errors.Is(err, fs.ErrNotExist) {
		return Branch{}, none
	} else if err != nil {
		return Branch{}, err
	}
	b, ok := parseFrom(id, data)
	if !ok {
		return b, damaged(path.Join(dir, fromName), errors.New("it does not say from where the branch goes"))
	}
	b.Note, err = r.disk.read(path.Join(dir, checkpointName), maxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return b, err
}

// ReadBranch calls fn with the entries From, From+1, … of a branch, by their
// index in it; an erased entry comes as nil. The bytes may be kept.
func (r *Register) ReadBranch(ctx context.Context, id string, fn func(i int64, entry []byte) error) error {
	b, err := r.branch(id)
	if err != nil {
		return err
	}
	for i := b.From; i < b.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := tileIn(bundles, i/width, b.Size)
		name := path.Join(branchesName, id, tilePath(t))
		data, err := r.disk.read(name, maxBundle)
		if err != nil {
			return err
		}
		entries, err := parseBundle(data, t.W)
		if err != nil {
			return damaged(name, err)
		}
		for _, e := range entries[i%width:] {
			if err := fn(i, e); err != nil {
				return err
			}
			i++
		}
	}
	return nil
}

// eachBranchFile hands over the files of all branches.
func (r *Register) eachBranchFile(ctx context.Context, fn func(name string, data []byte) error) error {
	list, err := r.Branches()
	if err != nil {
		return err
	}
	for _, b := range list {
		dir := path.Join(branchesName, b.ID)
		for n := b.From / width; n*width < b.Size; n++ {
			name := path.Join(dir, tilePath(tileIn(bundles, n, b.Size)))
			data, err := r.disk.read(name, maxBundle)
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				err = fn(name, data)
			}
			if err != nil {
				return err
			}
		}
		if b.Note != nil {
			if err := fn(path.Join(dir, checkpointName), b.Note); err != nil {
				return err
			}
		}
		if err := fn(path.Join(dir, fromName), b.fromText()); err != nil {
			return err
		}
	}
	return nil
}
