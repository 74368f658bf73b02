package blob

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

// pendingFile is a whole blob in ROOT/tmp that waits for its name. Its file stays
// open until it is synced, so that an error of the disk in between is reported.
type pendingFile struct {
	sha   string
	size  int64
	root  int
	tmp   string
	f     durable.File
	force bool // takes the place of damaged copies in all roots
	keep  bool // of ROOT/partial: may be gone on with when the store closes before Flush
}

// Put implements [Store]. A reader that can seek is read twice where that saves
// writing a large blob that is there already.
func (l *Local) Put(ctx context.Context, r io.Reader) (Ref, error) {
	return l.put(ctx, r, nil, false)
}

// PutExpect implements [Store].
func (l *Local) PutExpect(ctx context.Context, want Ref, r io.Reader) error {
	if !Valid(want.SHA256) || want.Bytes < 0 {
		return invalid(want.SHA256)
	}
	_, err := l.put(ctx, r, &want, false)
	return err
}

// Repair is PutExpect that writes the blob even if one is there, to replace one
// that [Local.Verify] found damaged. It is durable after Flush; until then the
// old bytes stay.
func (l *Local) Repair(ctx context.Context, want Ref, r io.Reader) error {
	if !Valid(want.SHA256) || want.Bytes < 0 {
		return invalid(want.SHA256)
	}
	_, err := l.put(ctx, r, &want, true)
	return err
}

// put is the one entrance: every byte that becomes a blob is hashed here.
func (l *Local) put(ctx context.Context, r io.Reader, want *Ref, force bool) (Ref, error) {
	if err := l.writable(); err != nil {
		return Ref{}, err
	}
	in := &intake{ctx: ctx, r: r, hash: sha256.New(), want: want}
	buf := l.buffers.Get().(*[]byte)
	defer l.buffers.Put(buf)

	first, err := in.fill(*buf)
	if err != nil {
		return Ref{}, err
	}
	if in.ended { // all of it is in memory
		return l.store(in, first, force)
	}
	// A large one. Where it may be there already, only hash it first.
	again, back := in.rewind(len(first))
	if !force {
		switch {
		case want != nil:
			known, _, err := l.known(*want)
			if err != nil {
				return Ref{}, err
			}
			if known {
				return in.drain(*buf)
			}
		case again:
			ref, err := in.drain(*buf)
			if err != nil {
				return Ref{}, err
			}
			if known, _, err := l.known(ref); known || err != nil {
				return ref, err
			}
			if err := back(); err != nil {
				return Ref{}, err
			}
			if first, err = in.fill(*buf); err != nil {
				return Ref{}, err
			}
		}
	}
	return l.spill(in, *buf, first, force)
}

// store puts a blob that is whole in memory.
func (l *Local) store(in *intake, data []byte, force bool) (Ref, error) {
	ref, err := in.ref()
	if err != nil {
		return Ref{}, err
	}
	known, at, err := l.known(ref)
	if err != nil || known && !force {
		return ref, err
	}
	at, err = l.place(ref.Bytes, at)
	if err != nil {
		return Ref{}, err
	}
	f, err := l.temp(at)
	if err != nil {
		return Ref{}, err
	}
	if err := write(f, data); err != nil {
		l.discard(f, f.Name())
		return Ref{}, fmt.Errorf("write blob %s: %w", ref.SHA256, err)
	}
	return ref, l.add(in.ctx, &pendingFile{sha: ref.SHA256, size: ref.Bytes, root: at, tmp: f.Name(), f: f, force: force})
}

// spill puts a large blob through a temporary file; its name is known at the end.
func (l *Local) spill(in *intake, buf, data []byte, force bool) (Ref, error) {
	size, at := int64(len(data)), -1
	if in.want != nil {
		size = in.want.Bytes
		var err error
		if _, at, err = l.known(*in.want); err != nil {
			return Ref{}, err
		}
	}
	at, err := l.place(size, at)
	if err != nil {
		return Ref{}, err
	}
	f, err := l.temp(at)
	if err != nil {
		return Ref{}, err
	}
	for err == nil && len(data) > 0 {
		if err = write(f, data); err == nil {
			data, err = in.fill(buf)
		}
	}
	var ref Ref
	if err == nil {
		ref, err = in.ref()
	}
	if err != nil {
		l.discard(f, f.Name())
		return Ref{}, fmt.Errorf("write blob: %w", err)
	}
	known, damaged, err := l.known(ref)
	if err != nil || known && !force {
		l.discard(f, f.Name())
		return ref, err
	}
	// A damaged file in another root would be found first: Flush removes it.
	force = force || damaged >= 0
	return ref, l.add(in.ctx, &pendingFile{sha: ref.SHA256, size: ref.Bytes, root: at, tmp: f.Name(), f: f, force: force})
}

// add lets a whole blob wait for Flush, and flushes when too much waits.
func (l *Local) add(ctx context.Context, p *pendingFile) error {
	l.mu.Lock()
	err := l.broken
	if l.closed {
		err = errs.New(errs.Unavailable, "the store of files is closed")
	}
	old := l.pending[p.sha]
	if err != nil || old != nil && !p.force {
		l.mu.Unlock()
		l.discard(p.f, p.tmp) // another Put of the same bytes was quicker
		return err
	}
	// A repair leaves a waiting blob alone as well: that one was hashed too.
	if old != nil {
		old.force = true
		l.mu.Unlock()
		l.discard(p.f, p.tmp)
		return nil
	}
	l.pending[p.sha] = p
	l.fresh++
	l.freshBytes += p.size
	full := l.fresh >= max(l.cfg.MaxPending/2, 1) || l.freshBytes >= l.cfg.MaxPendingBytes/2
	l.mu.Unlock()
	if full {
		return l.Flush(context.WithoutCancel(ctx))
	}
	return nil
}

// known says whether the blob is there, waiting or under its name, and in which
// root a file of its name was found first (-1: none): if not known, that one has
// another length, and the blob must take its place. The next Flush makes sure
// that a name found on the disk is durable.
func (l *Local) known(ref Ref) (known bool, at int, err error) {
	l.mu.Lock()
	_, known = l.pending[ref.SHA256]
	l.mu.Unlock()
	if known {
		return true, -1, nil
	}
	at = -1
	var failed error
	for i := range l.roots {
		info, err := l.fs.Stat(l.file(i, ref.SHA256))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			failed = fmt.Errorf("find blob %s: %w", ref.SHA256, err)
		case info.Size() == ref.Bytes && at < 0: // else that other one would be found first
			l.mu.Lock()
			if n := folderOf(ref.SHA256); !l.roots[i].settled[n] {
				l.unsettled[folder{i, n}] = true
			}
			l.mu.Unlock()
			return true, i, nil
		case at < 0:
			at = i
		}
	}
	return false, at, failed
}

// place chooses the root for a new blob: only, if it is not -1; else by chance in
// proportion to the free space, so that all disks work and fill up together.
func (l *Local) place(size int64, only int) (int, error) {
	if only >= 0 {
		return only, nil
	}
	room := make([]float64, len(l.roots))
	sum := 0.0
	var failed error
	for i, r := range l.roots {
		free, err := l.fs.Free(r.dir)
		if err != nil {
			failed = err
			continue
		}
		if free -= l.cfg.MinFree; free >= size && free > 0 {
			room[i] = float64(free)
			sum += room[i]
		}
	}
	if sum == 0 {
		if failed != nil {
			return 0, fmt.Errorf("place blob: %w", failed)
		}
		return 0, errs.New(errs.Unavailable, "no disk of the store has room for %d more bytes", size)
	}
	at, last := mathrand.Float64()*sum, 0
	for i, n := range room {
		if n == 0 {
			continue
		}
		last = i
		if at < n {
			break
		}
		at -= n
	}
	return last, nil
}

// temp makes a new file in the tmp of a root.
func (l *Local) temp(root int) (durable.File, error) {
	name := filepath.Join(l.roots[root].dir, tmpFolder, rand.Text())
	f, err := l.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, blobPerm)
	if err != nil {
		// A call that failed may still have made it; then it is ours alone.
		_ = l.fs.Remove(name)
		return nil, fmt.Errorf("write blob: %w", err)
	}
	return f, nil
}

// piece is how much is written at once. With larger writes the kernel looks for
// large pieces of memory, which on Linux 6.18 with ext4 took six times as long.
const piece = 128 << 10

func write(f durable.File, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), piece)
		if _, err := f.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (l *Local) discard(f durable.File, name string) {
	_ = f.Close()
	if err := l.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.cfg.Log.Warn("unfinished file stays until the next start", "file", name, "error", err)
	}
}

// intake hashes and counts what comes in.
type intake struct {
	ctx   context.Context
	r     io.Reader
	hash  hash.Hash
	n     int64
	want  *Ref
	ended bool

	failed bool // an error was not one of the bytes that were read
}

// fill reads until buf is full or the input ends. Of an expected blob it reads at
// most one byte too many. With an error comes what was read before it.
func (in *intake) fill(buf []byte) ([]byte, error) {
	n, idle := 0, 0
	for n < len(buf) && !in.ended {
		if err := in.ctx.Err(); err != nil {
			return buf[:n], err
		}
		part := buf[n:]
		if in.want != nil {
			part = part[:min(int64(len(part)), in.want.Bytes+1-in.n)]
		}
		m, err := in.r.Read(part)
		in.hash.Write(part[:m])
		n += m
		in.n += int64(m)
		if in.want != nil && in.n > in.want.Bytes {
			return nil, errs.New(errs.Corrupt, "the bytes given for the file %s are more than %d", in.want.SHA256, in.want.Bytes)
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle > 100 && err == nil {
			err = io.ErrNoProgress
		}
		if errors.Is(err, io.EOF) {
			in.ended = true
		} else if err != nil {
			return buf[:n], fmt.Errorf("read: %w", err)
		}
	}
	return buf[:n], nil
}

// drain reads to the end.
func (in *intake) drain(buf []byte) (Ref, error) {
	for !in.ended {
		if _, err := in.fill(buf); err != nil {
			return Ref{}, err
		}
	}
	return in.ref()
}

// ref is the name of all that came in, which must be what was wanted.
func (in *intake) ref() (Ref, error) {
	ref := Ref{hex.EncodeToString(in.hash.Sum(nil)), in.n}
	if in.want != nil && ref != *in.want {
		return Ref{}, errs.New(errs.Corrupt, "the bytes given for the file %s (%d bytes) are those of %s (%d bytes)",
			in.want.SHA256, in.want.Bytes, ref.SHA256, ref.Bytes)
	}
	return ref, nil
}

// rewind says whether the input can be read a second time, from where it was
// before the first read bytes, and how.
func (in *intake) rewind(read int) (bool, func() error) {
	s, ok := in.r.(io.Seeker)
	if !ok {
		return false, nil
	}
	at, err := s.Seek(0, io.SeekCurrent)
	if err != nil || at < int64(read) {
		return false, nil
	}
	return true, func() error {
		if _, err := s.Seek(at-int64(read), io.SeekStart); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		in.hash.Reset()
		in.n, in.ended = 0, false
		return nil
	}
}
