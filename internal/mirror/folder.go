package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
)

// folder is a source on a disk: an exported library, whose files lie as the site
// shows them, or the data folder of a library that is not running. Nothing
// outside it is read, whatever links it holds, and nothing but regular files.
type folder struct {
	address string
	root    *os.Root
}

const maxCharters = 10_000

func openFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errs.New(errs.NotFound, "there is no folder %s (an address begins with https:// or http://)", dir)
		}
		return nil, errs.New(errs.Unavailable, "the folder %s cannot be read: %w", dir, err)
	}
	return &folder{dir, root}, nil
}

func (f *folder) Address() string { return f.address }

func (f *folder) Close() error { return f.root.Close() }

// Get implements [Source].
func (f *folder) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if name == "register/charters" {
		if info, err := f.root.Stat(name); err == nil && info.IsDir() {
			return f.charters(limit)
		}
	}
	file, size, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size > limit {
		return nil, f.tooLarge(name, limit)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, failed(errs.Unavailable, f.address, "has %s, but it cannot be read: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, f.tooLarge(name, limit)
	}
	return data, nil
}

func (f *folder) tooLarge(name string, limit int64) error {
	return failed(errs.TooLarge, f.address, "has more than the %d bytes that %s may have", limit, name)
}

// charters makes the list that a site serves from the files of a data folder.
func (f *folder) charters(limit int64) ([]byte, error) {
	var notes []string
	left := limit
	for n := 1; n <= maxCharters; n++ {
		note, err := f.Get(context.Background(), path.Join("register/charters", strconv.Itoa(n)), left)
		if errs.Is(err, errs.NotFound) && n > 1 {
			break
		}
		if err != nil {
			return nil, err
		}
		notes = append(notes, string(note))
		left -= int64(len(note))
	}
	return json.Marshal(notes)
}

// Poll implements [Source]. The tag is made of the time and the length of the file.
func (f *folder) Poll(ctx context.Context, name, tag string, limit int64) ([]byte, string, bool, error) {
	info, err := f.root.Stat(name)
	now := ""
	if err == nil && info.Mode().IsRegular() {
		now = fmt.Sprintf("%d-%d", info.ModTime().UnixNano(), info.Size())
		if now == tag {
			return nil, tag, false, nil
		}
	}
	data, err := f.Get(ctx, name, limit)
	if err != nil {
		return nil, "", false, err
	}
	return data, now, true, nil
}

// Blob implements [Source].
func (f *folder) Blob(ctx context.Context, sha string, from int64) (io.ReadCloser, error) {
	if !blob.Valid(sha) || from < 0 {
		return nil, errs.New(errs.Invalid, "%.80q is not a SHA-256 in lower-case hex", sha)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, size, err := f.open("blobs/sha256/" + sha)
	if errs.Is(err, errs.NotFound) {
		file, size, err = f.open(path.Join("blobs", sha[:2], sha[2:4], sha))
	}
	if err != nil {
		return nil, err
	}
	if from > size {
		file.Close()
		return nil, failed(errs.Corrupt, f.address, "has only %d bytes of the file %s", size, sha)
	}
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		file.Close()
		return nil, failed(errs.Unavailable, f.address, "has the file %s, but it cannot be read: %w", sha, err)
	}
	return &folderFile{f, file, sha}, nil
}

// folderFile says of an error whose it is.
type folderFile struct {
	f    *folder
	file *os.File
	sha  string
}

func (r *folderFile) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	if err != nil && err != io.EOF {
		err = failed(errs.Unavailable, r.f.address, "has the file %s, but it cannot be read: %w", r.sha, err)
	}
	return n, err
}

func (r *folderFile) Close() error { return r.file.Close() }

// open opens a regular file. It looks before it opens, because opening a pipe
// would wait for ever, and once more after.
func (f *folder) open(name string) (*os.File, int64, error) {
	if !fs.ValidPath(name) {
		return nil, 0, failed(errs.NotFound, f.address, "cannot have a file %.80q", name)
	}
	info, err := f.root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, 0, failed(errs.NotFound, f.address, "has no regular file %s", name)
	}
	var file *os.File
	if err == nil {
		file, err = f.root.Open(name)
	}
	if err == nil {
		if info, err = file.Stat(); err == nil && info.Mode().IsRegular() {
			return file, info.Size(), nil
		}
		file.Close()
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil, 0, failed(errs.NotFound, f.address, "does not have %s", name)
	}
	return nil, 0, failed(errs.Unavailable, f.address, "has %s, but it cannot be read: %w", name, err)
}
