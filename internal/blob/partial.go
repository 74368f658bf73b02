package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

const (
	partialFolder = "partial"
	partialAge    = 30 * 24 * time.Hour // after which nobody is thought to go on with it
)

// PutResume is PutExpect for a blob whose reading may be interrupted. What came
// is kept in ROOT/partial, also over a restart, and the next PutResume of the same
// blob hashes that and asks open for the rest, from a byte on. Nothing of it is
// visible before all of it is hashed; it is durable after the next Flush.
//
// Where what was kept proves to be wrong in the end, all is read anew by one more
// call of open, from 0. So errs.Corrupt says that the bytes which this open gave
// are wrong, not those of an earlier one; then nothing is kept. A blob that is
// there already is not asked for. Calls for one blob wait for each other.
func (l *Local) PutResume(ctx context.Context, want Ref, open func(from int64) (io.ReadCloser, error)) error {
	if !Valid(want.SHA256) || want.Bytes < 0 {
		return invalid(want.SHA256)
	}
	if err := l.writable(); err != nil {
		return err
	}
	done, err := l.alone(ctx, want.SHA256)
	if err != nil {
		return err
	}
	defer done()
	known, damaged, err := l.known(want)
	if known || err != nil {
		return err
	}
	f, at, err := l.partial(want, damaged)
	if err != nil {
		return err
	}
	if err := l.resume(ctx, want, f, open); err != nil {
		return errors.Join(err, f.Close())
	}
	return l.add(ctx, &pendingFile{
		sha: want.SHA256, size: want.Bytes, root: at, tmp: f.Name(), f: f, force: damaged >= 0, keep: true,
	})
}

// alone waits until nobody else resumes the blob.
func (l *Local) alone(ctx context.Context, sha string) (done func(), err error) {
	for {
		l.mu.Lock()
		other := l.resuming[sha]
		if other == nil {
			mine := make(chan struct{})
			l.resuming[sha] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				delete(l.resuming, sha)
				l.mu.Unlock()
				close(mine)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *Local) partialFile(root int, sha string) string {
	return filepath.Join(l.roots[root].dir, partialFolder, sha)
}

// partial opens what is there of the blob, or begins it in a root that has room;
// in root only, if that is not -1.
func (l *Local) partial(want Ref, only int) (f durable.File, at int, err error) {
	for i := range l.roots {
		if only >= 0 && only != i {
			continue
		}
		f, err := l.fs.OpenFile(l.partialFile(i, want.SHA256), os.O_RDWR, 0)
		if err == nil {
			return f, i, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, 0, fmt.Errorf("go on with blob %s: %w", want.SHA256, err)
		}
	}
	if at, err = l.place(want.Bytes, only); err != nil {
		return nil, 0, err
	}
	name := l.partialFile(at, want.SHA256)
	if err = l.fs.MkdirAll(filepath.Dir(name), folderPerm); err == nil {
		f, err = l.fs.OpenFile(name, os.O_RDWR|os.O_CREATE, blobPerm)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("begin blob %s: %w", want.SHA256, err)
	}
	return f, at, nil
}

// resume completes the file. After an error what is good, or may be, is kept.
func (l *Local) resume(ctx context.Context, want Ref, f durable.File, open func(from int64) (io.ReadCloser, error)) error {
	buf := l.buffers.Get().(*[]byte)
	defer l.buffers.Put(buf)
	in := &intake{ctx: ctx, r: f, hash: sha256.New(), want: &want}
	var err error
	for err == nil && !in.ended {
		_, err = in.fill(*buf)
	}
	if err != nil && !errs.Is(err, errs.Corrupt) { // else it is too long
		return err
	}
	from := in.n
	if err == nil && from == want.Bytes {
		if _, err = in.ref(); err == nil {
			return nil
		}
	}
	for {
		if err != nil { // what was kept is wrong
			if err := f.Truncate(0); err != nil {
				return fmt.Errorf("write blob %s: %w", want.SHA256, err)
			}
			from = 0
			in.hash.Reset()
			in.n = 0
		}
		if _, err := f.Seek(from, io.SeekStart); err != nil {
			return fmt.Errorf("write blob %s: %w", want.SHA256, err)
		}
		in.ended = false
		err = l.rest(in, f, *buf, open)
		if err == nil || !errs.Is(err, errs.Corrupt) || in.failed {
			return err
		}
		if from == 0 {
			if e := l.fs.Remove(f.Name()); e != nil && !errors.Is(e, fs.ErrNotExist) {
				l.cfg.Log.Warn("an unfinished file stays", "file", f.Name(), "error", e)
			}
			return err
		}
	}
}

// rest reads what is missing.
func (l *Local) rest(in *intake, f durable.File, buf []byte, open func(from int64) (io.ReadCloser, error)) error {
	r, err := open(in.n)
	if err != nil {
		in.failed = true
		return err
	}
	defer r.Close()
	in.r = r
	for err == nil && !in.ended {
		var data []byte
		data, err = in.fill(buf)
		if e := write(f, data); e != nil {
			in.failed = true
			return fmt.Errorf("write blob %s: %w", in.want.SHA256, e)
		}
	}
	if err == nil {
		_, err = in.ref()
	}
	return err
}

// sweepPartial removes from ROOT/partial what nobody will go on with.
func (l *Local) sweepPartial() error {
	for i := range l.roots {
		dir := filepath.Join(l.roots[i].dir, partialFolder)
		list, err := l.fs.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range list {
			keep := Valid(e.Name()) && e.Type().IsRegular()
			if info, err := e.Info(); keep && err == nil {
				keep = l.cfg.Now().Sub(info.ModTime()) < partialAge
			}
			if keep {
				keep = l.find(e.Name(), func(_ int, name string) error { _, err := l.fs.Stat(name); return err }) != nil
			}
			if keep || e.IsDir() {
				continue
			}
			if err := l.fs.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// removePartial removes what there is of a blob, unless somebody is at it.
func (l *Local) removePartial(sha string) error {
	l.mu.Lock()
	busy := l.resuming[sha] != nil
	l.mu.Unlock()
	if busy {
		return nil
	}
	for i := range l.roots {
		name := l.partialFile(i, sha)
		err := l.fs.Remove(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = l.fs.SyncDir(filepath.Dir(name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
