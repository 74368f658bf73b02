package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"
)

// forget drops the files below a folder from the page cache: posix_fadvise(2) with
// POSIX_FADV_DONTNEED, for which they must be on disk and not mapped. Other files
// stay, so that nobody else is slowed.
func forget(dir string) error {
	const dontNeed = 4
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Sync(); err != nil {
			return err
		}
		if _, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); e != 0 {
			return e
		}
		return nil
	})
}

// threadTime is the processor time of this thread: clock_gettime(2) with
// CLOCK_THREAD_CPUTIME_ID.
func threadTime() time.Duration {
	const threadCPU = 3
	var t syscall.Timespec
	if _, _, e := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadCPU, uintptr(unsafe.Pointer(&t)), 0); e != 0 {
		panic(e)
	}
	return time.Duration(t.Nano())
}
