//go:build !unix

package keyset

import (
	"io"
	"os"
)

// mapFile reads a whole file, where files cannot be mapped.
func mapFile(f *os.File, size int64) (data []byte, unmap func() error, err error) {
	data = make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, size), data)
	return data, func() error { return nil }, err
}
