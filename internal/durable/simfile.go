package durable

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// simFile is an open file of a [Sim].
type simFile struct {
	s      *Sim
	node   *simNode
	name   string
	flag   int
	gen    int
	off    int64
	closed bool
}

func (f *simFile) Name() string { return f.name }

// ready says whether the handle may be used; the lock is held.
func (f *simFile) ready(kind OpKind, write bool) error {
	switch {
	case f.s.off || f.gen != f.s.gen:
		return pathError(kind, f.name, ErrCrashed)
	case f.closed:
		return pathError(kind, f.name, fs.ErrClosed)
	case write && f.flag&(os.O_WRONLY|os.O_RDWR) == 0, !write && f.flag&os.O_WRONLY != 0:
		return pathError(kind, f.name, syscall.EBADF)
	case f.node.dir:
		return pathError(kind, f.name, syscall.EISDIR)
	}
	return nil
}

func (f *simFile) Read(p []byte) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	n, err := f.read(p, f.off)
	f.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *simFile) ReadAt(p []byte, off int64) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return f.read(p, off)
}

func (f *simFile) read(p []byte, off int64) (n int, err error) {
	if err := f.ready(OpRead, false); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError(OpRead, f.name, syscall.EINVAL)
	}
	err = f.s.do(OpRead, f.name, func() error {
		if off < int64(len(f.node.cache)) {
			n = copy(p, f.node.cache[off:])
		}
		return nil
	}, nil)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *simFile) Write(p []byte) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.flag&os.O_APPEND != 0 {
		f.off = int64(len(f.node.cache))
	}
	n, err := f.write(p, f.off)
	f.off += int64(n)
	return n, err
}

func (f *simFile) WriteAt(p []byte, off int64) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return f.write(p, off)
}

func (f *simFile) write(p []byte, off int64) (n int, err error) {
	if err := f.ready(OpWrite, true); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError(OpWrite, f.name, syscall.EINVAL)
	}
	put := func(part []byte) {
		if len(part) == 0 {
			return
		}
		w := simWrite{off, append([]byte(nil), part...)}
		f.node.cache = w.apply(f.node.cache)
		f.node.pending = append(f.node.pending, w)
		f.s.clock++
		f.node.mtime = f.s.clock
		n = len(part)
	}
	err = f.s.do(OpWrite, f.name, func() error { put(p); return nil }, func() { put(p[:len(p)/2]) })
	return n, err
}

func (f *simFile) Truncate(size int64) error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if err := f.ready(OpTruncate, true); err != nil {
		return err
	}
	if size < 0 {
		return pathError(OpTruncate, f.name, syscall.EINVAL)
	}
	return f.s.do(OpTruncate, f.name, func() error { f.s.truncate(f.node, size); return nil }, nil)
}

func (s *Sim) truncate(n *simNode, size int64) {
	w := simWrite{off: size}
	n.cache = w.apply(n.cache)
	n.pending = append(n.pending, w)
	s.clock++
	n.mtime = s.clock
}

func (f *simFile) Sync() error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.off || f.gen != f.s.gen {
		return pathError(OpSync, f.name, ErrCrashed)
	}
	if f.closed {
		return pathError(OpSync, f.name, fs.ErrClosed)
	}
	n := f.node
	return f.s.do(OpSync, f.name, func() error {
		for _, w := range n.pending {
			n.disk = w.apply(n.disk)
		}
		n.pending = nil
		return nil
	}, func() { f.s.loseData(n) }) // a failed sync: some may be on disk, and nothing tries again
}

func (f *simFile) Close() error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	return nil
}

func (f *simFile) Seek(offset int64, whence int) (int64, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += f.off
	case io.SeekEnd:
		offset += int64(len(f.node.cache))
	}
	if offset < 0 || f.closed {
		return 0, pathError("seek", f.name, syscall.EINVAL)
	}
	f.off = offset
	return offset, nil
}

func (f *simFile) Stat() (fs.FileInfo, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.off || f.gen != f.s.gen {
		return nil, pathError("stat", f.name, ErrCrashed)
	}
	return f.node.info(filepath.Base(f.name)), nil
}

// apply gives the content after the write.
func (w simWrite) apply(data []byte) []byte {
	end := w.off + int64(len(w.data))
	if w.data == nil && end < int64(len(data)) {
		return data[:end:end]
	}
	if grow := end - int64(len(data)); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	copy(data[w.off:], w.data)
	return data
}
