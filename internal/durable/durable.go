// Package durable holds files that survive power loss.
//
// Everything that the library promises to keep is written through an [FS]. The
// real one is [OS]; [Sim] is a disk in memory that loses or reorders whatever
// was not synced when it "crashes", so that tests can cut the power at every
// operation.
package durable

import (
	"io"
	"io/fs"
)

// FS is a file system as far as durable code needs one. Names are paths of the
// operating system. A file's content is durable after File.Sync; its name is
// durable after SyncDir of the folder that holds it. Absent files give an error
// for which errors.Is(err, fs.ErrNotExist) holds.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Rename(oldname, newname string) error // atomic; replaces newname
	Remove(name string) error
	MkdirAll(name string, perm fs.FileMode) error
	Stat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error) // sorted by name
	SyncDir(name string) error
}

// File is an open file of an [FS].
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Seeker
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error
}
