package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"wenlan/internal/errs"
)

// Lockfile is a lock that this process holds.
type Lockfile struct{ f *os.File }

// Lock takes the lock file at path for this process, making the file if it is
// not there. While another holder lives it fails at once with [errs.Locked] and
// a sentence that names the holder's process id. The kernel drops the lock when
// the process ends, however it ends, so no lock is ever stale; the file stays.
func Lock(path string) (*Lockfile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	// The holder writes its id just after it has the lock: give it a moment.
	for try := 0; ; try++ {
		err = flock(f)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		pid, alive := holder(f)
		if !alive && try < 10 {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		f.Close()
		if !alive {
			return nil, errs.New(errs.Locked, "another process holds the lock %s", path)
		}
		return nil, errs.New(errs.Locked, "process %d holds the lock %s", pid, path)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Lockfile{f}, nil
}

// Unlock gives the lock back. A second call does nothing.
func (l *Lockfile) Unlock() error {
	if l == nil || l.f == nil {
		return nil
	}
	err := errors.Join(l.f.Truncate(0), l.f.Close())
	l.f = nil
	return err
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// holder reads who holds the lock, and whether that process is there.
func holder(f *os.File) (pid int, alive bool) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(string(bytes.TrimSpace(data)))
	if err != nil || pid <= 0 {
		return 0, false
	}
	err = syscall.Kill(pid, 0)
	return pid, err == nil || errors.Is(err, syscall.EPERM)
}
