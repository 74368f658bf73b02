//go:build !unix

package durable

import (
	"io"
	"os"
)

// Map reads a whole file, where files cannot be mapped.
func Map(f *os.File, size int64) (data []byte, unmap func() error, err error) {
	data = make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, size), data)
	return data, func() error { return nil }, err
}
