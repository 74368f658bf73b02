package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

// LocalConfig says where a [Local] store is and how it works. Only Roots is needed.
type LocalConfig struct {
	// Roots are folders, on one or several disks; a missing one is made. A new blob
	// goes to a root chosen by chance, in proportion to the free space. A blob is
	// looked for in all.
	Roots []string

	// ReadOnly opens a store that another process may be writing: nothing is made,
	// cleaned or changed. Without it this process must be the only writer.
	ReadOnly bool

	// MinFree is how many bytes a root must keep free to get new blobs. Default 64 MiB.
	MinFree int64

	// MaxPending and MaxPendingBytes bound what waits for Flush. When half of it has
	// come since the last flush began, Put flushes by itself; other Puts go on until
	// the other half has come. A waiting blob holds one open file. Default 512 files
	// and 512 MiB.
	MaxPending      int
	MaxPendingBytes int64

	// Buffer is how many bytes a Put holds in memory; a larger blob goes through
	// ROOT/tmp while it is hashed. Default 1 MiB.
	Buffer int

	FS  durable.FS       // nil: the real disk
	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: none
}

const (
	syncAtOnce  = 32 // how many files or folders are synced concurrently
	tmpFolder   = "tmp"
	blobPerm    = 0o644
	folderPerm  = 0o755
	folderCount = 1 << 16 // ab/cd
)

// Local is a [Store] on local disks. See the package's comment for the layout.
type Local struct {
	cfg   LocalConfig
	fs    durable.FS
	roots []*root

	flushing sync.Mutex // held by whoever renames into, syncs or removes from folders

	mu         sync.Mutex
	pending    map[string]*pendingFile  // put, not yet durable
	fresh      int                      // how many of them no flush has begun to sync,
	freshBytes int64                    // and their bytes
	resuming   map[string]chan struct{} // closed when PutResume of the blob is done
	unsettled  map[folder]bool          // holds blobs found there that are not known to be durable
	broken     error                    // a flush failed: nothing more is written
	closed     bool

	buffers sync.Pool
}

var _ Store = (*Local)(nil)

// root is one folder of the configuration.
type root struct {
	dir string
	// Which folders this process has seen durable, names and all. A name that an
	// earlier process left may be in the kernel's memory alone.
	settled   [folderCount]bool
	settledAB [256]bool
}

// folder is ROOT/ab/cd.
type folder struct{ root, n int }

func (l *Local) path(f folder) string {
	return filepath.Join(l.pathAB(f), fmt.Sprintf("%02x", f.n&0xff))
}

func (l *Local) pathAB(f folder) string {
	return filepath.Join(l.roots[f.root].dir, fmt.Sprintf("%02x", f.n>>8))
}

// folderOf is the number of the folder, abcd in hex, of a valid name.
func folderOf(sha string) int {
	var b [2]byte
	_, _ = hex.Decode(b[:], []byte(sha[:4]))
	return int(b[0])<<8 | int(b[1])
}

func (l *Local) file(root int, sha string) string {
	return filepath.Join(l.roots[root].dir, sha[:2], sha[2:4], sha)
}

// OpenLocal opens the store, and makes the roots where they are missing. It
// removes what an earlier process left unfinished.
func OpenLocal(cfg LocalConfig) (*Local, error) {
	if len(cfg.Roots) == 0 {
		return nil, errs.New(errs.Invalid, "a store of files needs at least one folder")
	}
	if cfg.FS == nil {
		cfg.FS = durable.OS()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MinFree == 0 {
		cfg.MinFree = 64 << 20
	}
	if cfg.MaxPending <= 0 {
		cfg.MaxPending = 512
	}
	if cfg.MaxPendingBytes <= 0 {
		cfg.MaxPendingBytes = 512 << 20
	}
	if cfg.Buffer <= 0 {
		cfg.Buffer = 1 << 20
	}
	l := &Local{cfg: cfg, fs: cfg.FS, pending: map[string]*pendingFile{}, unsettled: map[folder]bool{},
		resuming: map[string]chan struct{}{}}
	l.buffers.New = func() any { b := make([]byte, cfg.Buffer); return &b }
	for _, dir := range cfg.Roots {
		dir = filepath.Clean(dir)
		if slices.ContainsFunc(l.roots, func(r *root) bool { return r.dir == dir }) {
			return nil, errs.New(errs.Invalid, "the folder %s is named twice", dir)
		}
		l.roots = append(l.roots, &root{dir: dir})
		if cfg.ReadOnly {
			continue
		}
		if err := l.prepare(dir); err != nil {
			return nil, fmt.Errorf("open blob store %s: %w", dir, err)
		}
	}
	if !cfg.ReadOnly {
		if err := l.sweepPartial(); err != nil {
			return nil, fmt.Errorf("open blob store: %w", err)
		}
	}
	return l, nil
}

// prepare makes a root and empties its tmp.
func (l *Local) prepare(dir string) error {
	tmp := filepath.Join(dir, tmpFolder)
	if err := durable.MkdirAll(l.fs, tmp, folderPerm); err != nil {
		return err
	}
	if err := l.fs.SyncDir(dir); err != nil { // the name tmp
		return err
	}
	if err := durable.SyncParents(l.fs, dir); err != nil {
		return err
	}
	stale, err := l.fs.ReadDir(tmp)
	if err != nil {
		return err
	}
	for _, e := range stale {
		if err := l.fs.Remove(filepath.Join(tmp, e.Name())); err != nil {
			return err
		}
	}
	if len(stale) > 0 {
		l.cfg.Log.Info("removed unfinished files", "folder", tmp, "files", len(stale))
	}
	return nil
}

// Close gives up what was put and not flushed, and ends all writing. Open blobs
// stay open.
func (l *Local) Close() error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for sha, p := range l.pending {
		_ = p.f.Close()
		if p.keep {
			delete(l.pending, sha)
			continue
		}
		if err := l.fs.Remove(p.tmp); err != nil {
			l.cfg.Log.Warn("unfinished file stays until the next start", "file", p.tmp, "error", err)
		}
		delete(l.pending, sha)
	}
	l.fresh, l.freshBytes = 0, 0
	return nil
}

// writable says why the store cannot be written, or nil.
func (l *Local) writable() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.cfg.ReadOnly:
		return errs.New(errs.Unavailable, "the store of files is open for reading only")
	case l.closed:
		return errs.New(errs.Unavailable, "the store of files is closed")
	}
	return l.broken
}

// find looks in all roots and calls with for the first that has the file.
func (l *Local) find(sha string, with func(root int, name string) error) error {
	var failed error
	for i := range l.roots {
		err := with(i, l.file(i, sha))
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) && failed == nil {
			failed = err // another root may have it
		}
	}
	if failed != nil {
		return fmt.Errorf("find blob %s: %w", sha, failed)
	}
	return notFound(sha)
}

// Stat implements [Store].
func (l *Local) Stat(ctx context.Context, sha string) (int64, error) {
	if !Valid(sha) {
		return 0, notFound(sha)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	p := l.pending[sha]
	l.mu.Unlock()
	if p != nil {
		return p.size, nil
	}
	var size int64
	err := l.find(sha, func(_ int, name string) error {
		info, err := l.fs.Stat(name)
		if err == nil {
			size = info.Size()
		}
		return err
	})
	return size, err
}

// Open implements [Store].
func (l *Local) Open(ctx context.Context, sha string) (Blob, error) {
	if !Valid(sha) {
		return nil, notFound(sha)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	p := l.pending[sha]
	l.mu.Unlock()
	if p != nil {
		// It may get its name just now; then it is found below.
		if b, err := l.open(p.tmp); !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	var b Blob
	err := l.find(sha, func(_ int, name string) (err error) {
		b, err = l.open(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (l *Local) open(name string) (Blob, error) {
	f, err := l.fs.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &localBlob{f, info.Size()}, nil
}

// localBlob is an open file, without its writing half.
type localBlob struct {
	f    durable.File
	size int64
}

func (b *localBlob) Read(p []byte) (int, error)                { return b.f.Read(p) }
func (b *localBlob) ReadAt(p []byte, off int64) (int, error)   { return b.f.ReadAt(p, off) }
func (b *localBlob) Seek(off int64, whence int) (int64, error) { return b.f.Seek(off, whence) }
func (b *localBlob) Close() error                              { return b.f.Close() }
func (b *localBlob) Size() int64                               { return b.size }

func (b *localBlob) File() *os.File {
	f, _ := b.f.(*os.File)
	return f
}

// Delete implements [Store].
func (l *Local) Delete(ctx context.Context, sha string) error {
	if !Valid(sha) {
		return invalid(sha)
	}
	if err := l.writable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	if p := l.pending[sha]; p != nil {
		delete(l.pending, sha)
		l.fresh--
		l.freshBytes -= p.size
		defer l.discard(p.f, p.tmp)
	}
	l.mu.Unlock()
	if err := l.removePartial(sha); err != nil {
		return fmt.Errorf("delete blob %s: %w", sha, err)
	}
	for i := range l.roots {
		if err := l.fs.Remove(l.file(i, sha)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete blob %s: %w", sha, err)
		}
		// Also when it was not there: an earlier removal may not be durable.
		dir := l.path(folder{i, folderOf(sha)})
		if err := l.fs.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete blob %s: %w", sha, err)
		}
	}
	return nil
}

// Walk implements [Store]. It holds the names of one folder at a time.
func (l *Local) Walk(ctx context.Context, fn func(sha256hex string, size int64) error) error {
	folders, err := l.folders(func(path string, err error) error { return err })
	if err != nil {
		return fmt.Errorf("walk blobs: %w", err)
	}
	for n, there := range folders {
		if !there {
			continue
		}
		copies, err := l.list(n, func(path string, err error) error { return err })
		if err != nil {
			return fmt.Errorf("walk blobs: %w", err)
		}
		last := ""
		for _, c := range copies {
			if c.sha == "" || c.sha == last {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			info, err := l.fs.Stat(c.path)
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				return fmt.Errorf("walk blobs: %w", err)
			}
			last = c.sha
			if err := fn(c.sha, info.Size()); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyOf is one file of one folder; sha is "" when it is no blob.
type copyOf struct{ sha, path string }

// list gives the files of folder n in all roots, sorted by name. failed is asked
// about each folder that cannot be read: nil goes on without it.
func (l *Local) list(n int, failed func(path string, err error) error) ([]copyOf, error) {
	var all []copyOf
	for i := range l.roots {
		dir := l.path(folder{i, n})
		entries, err := l.fs.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			if err := failed(dir, err); err != nil {
				return nil, err
			}
		}
		for _, e := range entries {
			c := copyOf{path: filepath.Join(dir, e.Name())}
			if Valid(e.Name()) && folderOf(e.Name()) == n && e.Type().IsRegular() {
				c.sha = e.Name()
			}
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b copyOf) int { return strings.Compare(a.sha, b.sha) })
	return all, nil
}

// folders says which of the folders are there, in any root.
func (l *Local) folders(failed func(path string, err error) error) ([]bool, error) {
	there := make([]bool, folderCount)
	hexByte := func(name string) (int, bool) {
		b, err := hex.DecodeString(name)
		if err != nil || len(b) != 1 || hex.EncodeToString(b) != name {
			return 0, false
		}
		return int(b[0]), true
	}
	read := func(dir string, each func(n int)) error {
		entries, err := l.fs.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failed(dir, err)
		}
		for _, e := range entries {
			if n, ok := hexByte(e.Name()); ok && e.IsDir() {
				each(n)
			}
		}
		return nil
	}
	for i, r := range l.roots {
		var abs []int
		if err := read(r.dir, func(ab int) { abs = append(abs, ab) }); err != nil {
			return nil, err
		}
		for _, ab := range abs {
			err := read(l.pathAB(folder{i, ab << 8}), func(cd int) { there[ab<<8|cd] = true })
			if err != nil {
				return nil, err
			}
		}
	}
	return there, nil
}
