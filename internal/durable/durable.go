// Package durable holds files that survive power loss.
//
// Everything that the library promises to keep is written through an [FS]. The
// real one is [OS]; [Sim] is a disk in memory that loses or reorders whatever
// was not synced when it "crashes", so that tests can cut the power at every
// operation.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FS is a file system as far as durable code needs one. Names are paths of the
// operating system. A file's content is durable after File.Sync; its name is
// durable after SyncDir of the folder that holds it. Absent files give an error
// for which errors.Is(err, fs.ErrNotExist) holds. All methods may run at once.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Rename(oldname, newname string) error // atomic; replaces newname
	Remove(name string) error
	MkdirAll(name string, perm fs.FileMode) error
	Stat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error) // sorted by name
	SyncDir(name string) error
	Free(name string) (int64, error) // bytes that may still be written below the folder
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

// TempSuffix ends the name of a file that [WriteFile] has not finished. A crash
// may leave such a file behind; the next WriteFile of the same name replaces it.
const TempSuffix = ".tmp"

// WriteFile replaces the file name by data, all or nothing: it writes
// name+TempSuffix, syncs it, renames it and syncs the folder. When it returns
// nil the content and the name are durable. After an error either the old or the
// new content is there, whole. One call at a time for each name.
func WriteFile(fsys FS, name string, data []byte, perm fs.FileMode) error {
	tmp := name + TempSuffix
	if err := writeSynced(fsys, tmp, data, perm); err != nil {
		_ = fsys.Remove(tmp)
		return err
	}
	if err := fsys.Rename(tmp, name); err != nil {
		_ = fsys.Remove(tmp)
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

func writeSynced(fsys FS, name string, data []byte, perm fs.FileMode) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ReadFile reads the whole file name, and refuses one longer than limit bytes.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: longer than %d bytes", name, limit)
	}
	return data, nil
}

// MkdirAll makes the folder name and what is missing above it, and returns when
// their names are durable. Where the folder is there already nothing is synced.
func MkdirAll(fsys FS, name string, perm fs.FileMode) error {
	name = filepath.Clean(name)
	switch info, err := fsys.Stat(name); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: name, Err: errors.New("a file is in the way")}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(name)
	if parent != name {
		if err := MkdirAll(fsys, parent, perm); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(name, perm); err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}

// Exists says whether name is there.
func Exists(fsys FS, name string) (bool, error) {
	_, err := fsys.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// SyncParents makes the name of a folder durable, and those of all folders above
// it. A program that begins to use a folder which is there already calls it:
// whoever made the folder may have been killed before syncing its name. A folder
// that may not be read, or cannot be synced, was not made by us.
func SyncParents(fsys FS, name string) error {
	for name = filepath.Clean(name); ; {
		parent := filepath.Dir(name)
		if parent == name {
			return nil
		}
		err := fsys.SyncDir(parent)
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EINVAL) {
			return err
		}
		name = parent
	}
}
