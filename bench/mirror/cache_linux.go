package main

import (
	"os"
	"syscall"
)

// forget drops the files below a folder from the page cache: posix_fadvise(2) with
// POSIX_FADV_DONTNEED, for which they must be on disk and not mapped.
func forget(dir string) error {
	const dontNeed = 4
	return each(dir, func(f *os.File) error {
		if err := f.Sync(); err != nil {
			return err
		}
		if _, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); e != 0 {
			return e
		}
		return nil
	})
}
