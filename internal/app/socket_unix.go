//go:build unix

package app

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

func umask(mask int) int { return syscall.Umask(mask) }

// procPath is a short path to a name in an open folder.
func procPath(dir *os.File, path string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
}
