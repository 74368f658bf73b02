package store

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/RoaringBitmap/roaring/v2"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// footerBytes is how much of a segment's end the manifest has the checksum of.
const footerBytes = 64

func footerSum(data []byte) uint32 { return sum(data[max(0, len(data)-footerBytes):]) }

// seg is a segment that is open: mapped, or in memory when it has no name.
type seg struct {
	r        *segment.Reader
	data     []byte
	file     segFile // as the manifest names it; no Name: in memory
	low, top int64   // the least and the greatest record
	unmap    func() error

	refs int // versions that have it; guarded by generation.mu
}

func (s *seg) close() error {
	if s.unmap == nil {
		return nil
	}
	return s.unmap()
}

func newSeg(data []byte, file segFile, unmap func() error) (*seg, error) {
	r, err := segment.Open(data)
	if err != nil {
		return nil, err
	}
	s := &seg{r: r, data: data, file: file, unmap: unmap, top: -1}
	if n := r.Docs(); n > 0 {
		s.low, s.top = r.Record(0), r.Record(uint32(n-1))
	}
	return s, nil
}

// find is the documents of a record, deleted or not.
func (s *seg) find(record int64) (lo, hi uint32) {
	if record < s.low || record > s.top {
		return 0, 0
	}
	return s.r.Find(record)
}

func (g *generation) path(name string) string { return filepath.Join(g.dir, name) }

// label names a file in messages.
func (g *generation) label(name string) string {
	return fmt.Sprintf("%s/%d/%s", g.cfg.Name, g.number, name)
}

// load opens a file for reading and gives its bytes, mapped where that is possible.
func (g *generation) load(name string, limit int64) (data []byte, unmap func() error, err error) {
	f, err := g.cfg.FS.OpenFile(g.path(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	size := info.Size()
	if size > limit || size > math.MaxInt {
		return nil, nil, errs.New(errs.Corrupt, "the file %s is longer than it should be", g.label(name))
	}
	if of, ok := f.(*os.File); ok {
		return durable.Map(of, size)
	}
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	return data, func() error { return nil }, err
}

// openSegment maps a segment that a manifest names, and checks length and footer.
// fs.ErrNotExist when it is not there; errs.Corrupt when it is another one.
func (g *generation) openSegment(file segFile) (*seg, error) {
	data, unmap, err := g.load(file.Name, file.Bytes)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", g.label(file.Name), err)
	}
	bad := func(err error) (*seg, error) {
		return nil, errs.New(errs.Corrupt, "the file %s is damaged: %w", g.label(file.Name), errors.Join(err, unmap()))
	}
	if int64(len(data)) != file.Bytes || footerSum(data) != file.Footer {
		return bad(errors.New("its length or its end is not what the manifest says"))
	}
	s, err := newSeg(data, file, unmap)
	if err != nil {
		return bad(err)
	}
	if s.r.Docs() != file.Docs {
		return bad(fmt.Errorf("%d documents instead of %d", s.r.Docs(), file.Docs))
	}
	return s, nil
}

// writeSegment writes a new file with fill and opens it. It is durable but for its
// name, and in a draft not at all. After an error nothing is left.
func (g *generation) writeSegment(ctx context.Context, fill func(w io.Writer) error) (*seg, error) {
	file := segFile{Name: fmt.Sprintf("seg-%06d", g.next.Add(1))}
	path := g.path(file.Name)
	fail := func(err error) (*seg, error) {
		_ = g.cfg.FS.Remove(path)
		return nil, fmt.Errorf("write %s: %w", g.label(file.Name), err)
	}
	f, err := g.cfg.FS.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fail(err)
	}
	out := &counter{ctx: ctx, f: f, sync: !g.draft}
	buf := bufio.NewWriterSize(out, 1<<18)
	err = fill(buf)
	if err == nil {
		err = buf.Flush()
	}
	if err == nil && !g.draft {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fail(err)
	}
	data, unmap, err := g.load(file.Name, math.MaxInt64-1)
	if err != nil {
		return fail(err)
	}
	if int64(len(data)) != out.n {
		return fail(errors.Join(errors.New("its length is not what was written"), unmap()))
	}
	s, err := newSeg(data, file, unmap)
	if err != nil {
		return fail(errors.Join(err, unmap()))
	}
	s.file.Bytes, s.file.Footer, s.file.Docs = out.n, footerSum(data), s.r.Docs()
	return s, nil
}

// syncStep is how many bytes are written before they are synced, so that the last sync
// of a large file does not hold up the disk for others.
const syncStep = 32 << 20

// counter writes to a file, counts, and stops when ctx is done.
type counter struct {
	ctx    context.Context
	f      durable.File
	sync   bool
	n      int64
	synced int64
}

func (c *counter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.f.Write(p)
	c.n += int64(n)
	if err == nil && c.sync && c.n-c.synced >= syncStep {
		c.synced = c.n
		err = c.f.Sync()
	}
	return n, err
}

// memorySegment builds a segment that is in no file.
func memorySegment(fill func(w io.Writer) error) (*seg, error) {
	var w memory
	if err := fill(&w); err != nil {
		return nil, err
	}
	return newSeg(w, segFile{}, nil)
}

type memory []byte

func (m *memory) Write(p []byte) (int, error) {
	*m = append(*m, p...)
	return len(p), nil
}

// Deletion files: the magic number, a bitmap, the CRC-32C of all before it.
const (
	delMagic    = "wlndel1\n"
	maxDelBytes = 1 << 29 // a bitmap of 2^32 bits
)

func encodeDeleted(b *roaring.Bitmap) ([]byte, error) {
	body, err := b.MarshalBinary()
	if err != nil {
		return nil, err
	}
	data := append([]byte(delMagic), body...)
	return binary.LittleEndian.AppendUint32(data, sum(data)), nil
}

// decodeDeleted reads what encodeDeleted wrote for a segment of docs documents. Bytes
// that are something else are errs.Corrupt.
func decodeDeleted(data []byte, docs int) (b *roaring.Bitmap, err error) {
	defer func() {
		if r := recover(); r != nil { // the bitmap's decoder is not ours
			b, err = nil, errs.New(errs.Corrupt, "no bitmap: %v", r)
		}
	}()
	n := len(data) - 4
	if n < len(delMagic) || string(data[:len(delMagic)]) != delMagic || sum(data[:n]) != binary.LittleEndian.Uint32(data[n:]) {
		return nil, errs.New(errs.Corrupt, "its checksum is wrong")
	}
	b = roaring.New()
	if err := b.UnmarshalBinary(data[len(delMagic):n:n]); err != nil {
		return nil, errs.New(errs.Corrupt, "no bitmap: %w", err)
	}
	if err := b.Validate(); err != nil {
		return nil, errs.New(errs.Corrupt, "no bitmap: %w", err)
	}
	if b.IsEmpty() || int64(b.Maximum()) >= int64(docs) {
		return nil, errs.New(errs.Corrupt, "it deletes documents that there are not")
	}
	return b, nil
}

// readDeleted reads the deletion file of a segment.
func (g *generation) readDeleted(of segFile) (*roaring.Bitmap, error) {
	if of.Deleted == nil {
		return nil, nil
	}
	del := *of.Deleted
	f, err := g.cfg.FS.OpenFile(g.path(del.Name), os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", g.label(del.Name), err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, min(del.Bytes, maxDelBytes)+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", g.label(del.Name), err)
	}
	if int64(len(data)) != del.Bytes || sum(data) != del.Sum {
		return nil, errs.New(errs.Corrupt, "the file %s is damaged: it is not what the manifest says", g.label(del.Name))
	}
	b, err := decodeDeleted(data, of.Docs)
	if err != nil {
		return nil, errs.New(errs.Corrupt, "the file %s is damaged: %w", g.label(del.Name), err)
	}
	return b, nil
}

// writeDeleted writes a deletion file for a segment; it is durable but for its name.
func (g *generation) writeDeleted(segName string, b *roaring.Bitmap) (*delFile, error) {
	data, err := encodeDeleted(b)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("del-%s-%d", segName[len("seg-"):], g.next.Add(1))
	f, err := g.cfg.FS.OpenFile(g.path(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err == nil {
		_, err = f.Write(data)
		if err == nil && !g.draft {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		_ = g.cfg.FS.Remove(g.path(name))
		return nil, fmt.Errorf("write %s: %w", g.label(name), err)
	}
	return &delFile{Name: name, Bytes: int64(len(data)), Sum: sum(data)}, nil
}

// syncFile makes what is in a file durable, whoever wrote it.
func syncFile(fsys durable.FS, name string) error {
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// absent says that a file is not there.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
