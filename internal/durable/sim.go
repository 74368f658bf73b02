package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Errors of a [Sim].
var (
	ErrCrashed  = errors.New("simulated disk: the power is off")
	ErrInjected = errors.New("simulated disk: injected failure")
)

// OpKind names an operation of a [Sim].
type OpKind string

// The kinds. Only the last two change nothing.
const (
	OpCreate   OpKind = "create" // OpenFile of an absent file
	OpWrite    OpKind = "write"  // Write and WriteAt
	OpTruncate OpKind = "truncate"
	OpSync     OpKind = "sync"
	OpRename   OpKind = "rename"
	OpRemove   OpKind = "remove"
	OpMkdir    OpKind = "mkdir" // one folder
	OpSyncDir  OpKind = "syncdir"
	OpOpen     OpKind = "open" // OpenFile of a file that is there
	OpRead     OpKind = "read" // Read, ReadAt and ReadDir
)

// Op is one operation, as a hook sees it before it happens.
type Op struct {
	N    int // counts the operations that change or sync something, from 1; 0 for OpOpen and OpRead
	Kind OpKind
	Name string // the path; for a rename the old one
}

// Fault is what happens to an operation.
type Fault int

const (
	None        Fault = iota
	FailBefore        // not done, and reported as failed
	FailAfter         // done, but reported as failed
	Torn              // a write stops half way and is reported as failed; else as FailBefore
	CrashBefore       // the power fails before it
	CrashAfter        // it is done, not synced, and the power fails before its report
)

// Faults are all faults but [None], for tests that try each.
var Faults = []Fault{FailBefore, FailAfter, Torn, CrashBefore, CrashAfter}

func (f Fault) String() string {
	return [...]string{"none", "fail-before", "fail-after", "torn", "crash-before", "crash-after"}[f]
}

// Sim is a disk in memory that keeps no more promises than [FS] does. What was
// written since the last sync may be lost, in any order, in part, when the power
// fails: see [Sim.Crash]. All methods may run at once.
//
// A write whose sync was reported as failed may stay lost for good, even if a
// later sync succeeds, as on Linux.
//
// After a fault that crashes, every operation fails with [ErrCrashed] until
// Crash is called; a test ends the code under test first, and then opens anew
// what it left.
type Sim struct {
	mu    sync.Mutex
	rng   uint64
	root  *simNode
	nodes []*simNode // every node since the last crash, in order of creation
	gen   int        // handles of an earlier generation are dead
	off   bool
	ops   int
	clock int64
	hook  func(Op) Fault
	free  map[string]int64
}

// simNode is a file or a folder. The cache is what the program sees; disk is
// what is durable; pending is what would take disk to cache.
type simNode struct {
	dir   bool
	perm  fs.FileMode
	mtime int64

	cache, disk []byte // of a file
	pending     []simWrite

	names     map[string]*simNode // of a folder
	diskNames map[string]*simNode
	history   map[string][]simName // what each name has been since the last SyncDir
}

// simWrite is one write, or with data == nil one truncation to off.
type simWrite struct {
	off  int64
	data []byte
}

// simName is what a name became: a node, or nothing.
type simName struct {
	node *simNode
	// When a rename took the name away, where it went. A journal may lose the new
	// name and keep the old, or show both, but never lose both.
	toDir  *simNode
	toName string
	seq    int // of the entry at the new place, for finding it; same for both halves
}

// NewSim makes an empty disk that holds the folder "/". Relative names are taken
// from there. The seed decides what each crash loses.
func NewSim(seed uint64) *Sim {
	s := &Sim{rng: seed, free: map[string]int64{}}
	s.root = s.newNode(true, 0o755)
	return s
}

// Ops is how many operations have changed or synced something so far.
func (s *Sim) Ops() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops
}

// SetHook calls hook before each operation; nil for none. The hook must not use
// the disk. Crash and Kill take it away.
func (s *Sim) SetHook(hook func(Op) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// FailAt makes the n-th changing operation from now (from 1) suffer the fault.
func (s *Sim) FailAt(n int, fault Fault) {
	at := s.Ops() + n
	s.SetHook(func(op Op) Fault {
		if op.N == at {
			return fault
		}
		return None
	})
}

// SetFree says what Free answers for the folder and all below it.
func (s *Sim) SetFree(name string, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free[clean(name)] = bytes
}

// Off says whether a fault has turned the power off.
func (s *Sim) Off() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.off
}

func clean(name string) string { return filepath.Clean("/" + name) }

func (s *Sim) newNode(dir bool, perm fs.FileMode) *simNode {
	s.clock++
	n := &simNode{dir: dir, perm: perm, mtime: s.clock}
	if dir {
		n.names, n.diskNames, n.history = map[string]*simNode{}, map[string]*simNode{}, map[string][]simName{}
	}
	s.nodes = append(s.nodes, n)
	return n
}

// do runs one operation under the lock, with the faults of the hook. torn, if
// not nil, does half of it.
func (s *Sim) do(kind OpKind, name string, act func() error, torn func()) error {
	if s.off {
		return pathError(kind, name, ErrCrashed)
	}
	op := Op{Kind: kind, Name: name}
	if kind != OpOpen && kind != OpRead {
		s.ops++
		op.N = s.ops
	}
	fault := None
	if s.hook != nil {
		fault = s.hook(op)
	}
	switch fault {
	case FailBefore, Torn:
		if torn != nil && (fault == Torn || kind == OpSync) {
			torn()
		}
		return pathError(kind, name, ErrInjected)
	case CrashBefore:
		s.off = true
		return pathError(kind, name, ErrCrashed)
	}
	err := act()
	switch fault {
	case FailAfter:
		return errors.Join(pathError(kind, name, ErrInjected), err)
	case CrashAfter:
		s.off = true
		return pathError(kind, name, ErrCrashed)
	}
	return err
}

func pathError(kind OpKind, name string, err error) error {
	return &fs.PathError{Op: string(kind), Path: name, Err: err}
}

// find walks to the node; err is ErrCrashed, fs.ErrNotExist or ENOTDIR.
func (s *Sim) find(name string) (*simNode, error) {
	if s.off {
		return nil, ErrCrashed
	}
	n := s.root
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if part == "" {
			continue
		}
		if !n.dir {
			return nil, syscall.ENOTDIR
		}
		next, ok := n.names[part]
		if !ok {
			return nil, fs.ErrNotExist
		}
		n = next
	}
	return n, nil
}

// parent is the folder that holds name, and the last part of name.
func (s *Sim) parent(name string) (*simNode, string, error) {
	n, err := s.find(filepath.Dir(name))
	if err == nil && !n.dir {
		err = syscall.ENOTDIR
	}
	return n, filepath.Base(name), err
}

// set makes name in d mean node (nil: nothing), in the cache.
func (d *simNode) set(name string, e simName) {
	if e.node == nil {
		delete(d.names, name)
	} else {
		d.names[name] = e.node
	}
	d.history[name] = append(d.history[name], e)
}

// OpenFile implements [FS].
func (s *Sim) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = clean(name)
	n, err := s.find(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE != 0:
		d, base, err := s.parent(name)
		if err != nil {
			return nil, pathError(OpCreate, name, err)
		}
		err = s.do(OpCreate, name, func() error {
			n = s.newNode(false, perm)
			d.set(base, simName{node: n})
			return nil
		}, nil)
		if err != nil {
			return nil, err
		}
	case err != nil:
		return nil, pathError(OpOpen, name, err)
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, pathError(OpOpen, name, fs.ErrExist)
	case n.dir && flag&(os.O_WRONLY|os.O_RDWR) != 0:
		return nil, pathError(OpOpen, name, syscall.EISDIR)
	default:
		if err := s.do(OpOpen, name, func() error { return nil }, nil); err != nil {
			return nil, err
		}
		if flag&os.O_TRUNC != 0 && len(n.cache) > 0 {
			if err := s.do(OpTruncate, name, func() error { s.truncate(n, 0); return nil }, nil); err != nil {
				return nil, err
			}
		}
	}
	return &simFile{s: s, node: n, name: name, flag: flag, gen: s.gen}, nil
}

// Rename implements [FS].
func (s *Sim) Rename(oldname, newname string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldname, newname = clean(oldname), clean(newname)
	from, fromBase, err := s.parent(oldname)
	if err != nil {
		return pathError(OpRename, oldname, err)
	}
	to, toBase, err := s.parent(newname)
	if err != nil {
		return pathError(OpRename, newname, err)
	}
	return s.do(OpRename, oldname, func() error {
		n, old := from.names[fromBase], to.names[toBase]
		switch {
		case n == nil:
			return pathError(OpRename, oldname, fs.ErrNotExist)
		case old != nil && (old.dir || n.dir): // as os.Rename
			return pathError(OpRename, newname, fs.ErrExist)
		case n == old:
			return nil
		}
		s.clock++
		to.set(toBase, simName{node: n, seq: int(s.clock)})
		from.set(fromBase, simName{toDir: to, toName: toBase, seq: int(s.clock)})
		return nil
	}, nil)
}

// Remove implements [FS].
func (s *Sim) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = clean(name)
	d, base, err := s.parent(name)
	if err == nil && d.names[base] == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return pathError(OpRemove, name, err)
	}
	return s.do(OpRemove, name, func() error {
		if n := d.names[base]; n.dir && len(n.names) > 0 {
			return pathError(OpRemove, name, syscall.ENOTEMPTY)
		}
		d.set(base, simName{})
		return nil
	}, nil)
}

// MkdirAll implements [FS].
func (s *Sim) MkdirAll(name string, perm fs.FileMode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = clean(name)
	at, path := s.root, ""
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if part == "" {
			continue
		}
		path += "/" + part
		next := at.names[part]
		if next == nil {
			err := s.do(OpMkdir, path, func() error {
				next = s.newNode(true, perm)
				at.set(part, simName{node: next})
				return nil
			}, nil)
			if err != nil {
				return err
			}
		}
		if !next.dir {
			return pathError(OpMkdir, path, syscall.ENOTDIR)
		}
		at = next
	}
	return nil
}

// SyncDir implements [FS].
func (s *Sim) SyncDir(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = clean(name)
	d, err := s.find(name)
	if err == nil && !d.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return pathError(OpSyncDir, name, err)
	}
	return s.do(OpSyncDir, name, func() error {
		for _, base := range sortedKeys(d.history) {
			s.settle(d, base, len(d.history[base]))
		}
		return nil
	}, nil)
}

// Stat implements [FS].
func (s *Sim) Stat(name string) (fs.FileInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = clean(name)
	n, err := s.find(name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return n.info(filepath.Base(name)), nil
}

// ReadDir implements [FS].
func (s *Sim) ReadDir(name string) ([]fs.DirEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = clean(name)
	d, err := s.find(name)
	if err == nil && !d.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, pathError(OpRead, name, err)
	}
	var list []fs.DirEntry
	err = s.do(OpRead, name, func() error {
		for _, base := range sortedKeys(d.names) {
			list = append(list, fs.FileInfoToDirEntry(d.names[base].info(base)))
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Free implements [FS].
func (s *Sim) Free(name string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name = clean(name); ; name = filepath.Dir(name) {
		if n, ok := s.free[name]; ok {
			return n, nil
		}
		if name == "/" {
			return 1 << 40, nil
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

type simInfo struct {
	name  string
	size  int64
	mode  fs.FileMode
	mtime time.Time
}

func (i simInfo) Name() string       { return i.name }
func (i simInfo) Size() int64        { return i.size }
func (i simInfo) Mode() fs.FileMode  { return i.mode }
func (i simInfo) ModTime() time.Time { return i.mtime }
func (i simInfo) IsDir() bool        { return i.mode.IsDir() }
func (i simInfo) Sys() any           { return nil }

func (n *simNode) info(name string) fs.FileInfo {
	mode := n.perm.Perm()
	if n.dir {
		mode |= fs.ModeDir
	}
	return simInfo{name, int64(len(n.cache)), mode, time.Unix(n.mtime, 0)}
}

var (
	_ FS   = (*Sim)(nil)
	_ File = (*simFile)(nil)
	_ File = (*os.File)(nil)
)
