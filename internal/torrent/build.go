package torrent

import (
	"context"
	"crypto/sha1" // BEP 3
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
)

// Blobs is what this package needs of the store of files.
type Blobs interface {
	Open(ctx context.Context, sha256hex string) (blob.Blob, error)
	Stat(ctx context.Context, sha256hex string) (size int64, err error)
}

// BuildOptions says how [Build] works.
type BuildOptions struct {
	Workers  int                           // files at once; default: one for each processor
	Progress func(done, total int64)       // in bytes; may be called from several goroutines at once
	Left     func(ref blob.Ref, why error) // a file that is left out, because it is not there or damaged; one call at a time
	// Checked says that a file which was last written then has been held to its
	// SHA-256 lately, so that it is not again. Nil: every file is. It may be called
	// from several goroutines at once.
	Checked func(ref blob.Ref, written time.Time) bool
}

// Build reads each file once and makes the manifest of a shelf: the hashes of its
// pieces, while its SHA-256 is checked, unless it has been lately. A file that is absent or damaged is left out
// and named to Left. The manifest is nil when none is left. Memory is bounded by
// Workers, not by the files.
func Build(ctx context.Context, blobs Blobs, refs []blob.Ref, opts BuildOptions) (*Manifest, error) {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b blob.Ref) int { return strings.Compare(a.SHA256, b.SHA256) })
	var total int64
	for _, r := range refs {
		if r.Bytes < 1 || r.Bytes > MaxFile {
			return nil, errs.New(errs.Invalid, "a file of %d bytes cannot go on a shelf: %s", r.Bytes, r.SHA256)
		}
		total += r.Bytes
	}
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	m := &Manifest{PieceLength: PieceLength(total)}
	files := make([]File, len(refs))
	var next, done atomic.Int64
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range min(opts.Workers, len(refs)) {
		wg.Go(func() {
			buf := make([]byte, readAtOnce)
			for i := next.Add(1) - 1; i < int64(len(refs)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				hashes, err := hashFile(ctx, blobs, refs[i], m.PieceLength, buf, opts.Checked, func(n int64) {
					if at := done.Add(n); opts.Progress != nil {
						opts.Progress(at, total)
					}
				})
				mu.Lock()
				switch {
				case err == nil:
					files[i] = File{SHA256: refs[i].SHA256, Bytes: refs[i].Bytes, Pieces: hashes}
				case ctx.Err() == nil && (errs.Is(err, errs.NotFound) || errs.Is(err, errs.Corrupt)):
					if opts.Left != nil {
						opts.Left(refs[i], err)
					}
				default:
					failed = errors.Join(failed, err)
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.SHA256 != "" {
			m.Files = append(m.Files, f)
		}
	}
	if len(m.Files) == 0 {
		return nil, nil
	}
	return m, m.check()
}

// readAtOnce is small enough that both hashes find what was read in the processor's cache.
const readAtOnce = 128 << 10

// hashFile gives the hashes of a file's pieces of this length, and errs.Corrupt for
// one that has not its length or its SHA-256; see [BuildOptions.Checked].
func hashFile(ctx context.Context, blobs Blobs, ref blob.Ref, length int64, buf []byte, checked func(blob.Ref, time.Time) bool, read func(int64)) ([]byte, error) {
	b, err := blobs.Open(ctx, ref.SHA256)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if b.Size() != ref.Bytes {
		return nil, errs.New(errs.Corrupt, "the file %s has %d bytes and should have %d", ref.SHA256, b.Size(), ref.Bytes)
	}
	check := true
	if f := b.File(); f != nil && checked != nil {
		info, err := f.Stat()
		check = err != nil || !checked(ref, info.ModTime())
	}
	whole, piece := sha256.New(), sha1.New()
	out := make([]byte, 0, sha1.Size*pieces(ref.Bytes, length))
	for off, room := int64(0), length; off < ref.Bytes; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(ref.Bytes-off, room, int64(len(buf)))
		if _, err := io.ReadFull(b, buf[:n]); err != nil {
			return nil, errs.New(errs.Corrupt, "the file %s cannot be read: %w", ref.SHA256, err)
		}
		if check {
			whole.Write(buf[:n])
		}
		piece.Write(buf[:n])
		off, room = off+n, room-n
		if off == ref.Bytes { // the padding
			clear(buf)
			for ; room > 0; room -= min(room, int64(len(buf))) {
				piece.Write(buf[:min(room, int64(len(buf)))])
			}
		}
		if room == 0 {
			out = piece.Sum(out)
			piece.Reset()
			room = length
		}
		read(n)
	}
	if check && hex.EncodeToString(whole.Sum(nil)) != ref.SHA256 {
		return nil, errs.New(errs.Corrupt, "the file %s is damaged", ref.SHA256)
	}
	return out, nil
}
