package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

// A frame is a header of twelve bytes and a payload. The header is, in little-endian
// numbers of four bytes, the payload's length, the payload's CRC-32C, and the CRC-32C
// of the eight bytes before. Both checksums begin with that of the payload of the
// frame before, the first ones with the manifest's salt.
//
// The payload is a batch: the cursor before it and after it, the library, the records
// to delete, the documents; numbers are varints, texts have their length before them.
const (
	frameHeader = 12
	maxFrame    = 1 << 25 // bytes of a payload
)

// tail is the tail that is being written, or was read.
type tail struct {
	name  string
	f     durable.File // nil: not open for writing
	size  int64        // bytes of whole frames
	chain uint32       // checksum of the last frame's payload
}

// frame makes a frame of a payload that has room for the header before it, and returns
// the checksum that the next one begins with.
func frame(buf []byte, chain uint32) uint32 {
	payload := buf[frameHeader:]
	sum := crc32.Update(chain, castagnoli, payload)
	binary.LittleEndian.PutUint32(buf[0:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(buf[4:], sum)
	binary.LittleEndian.PutUint32(buf[8:], crc32.Update(chain, castagnoli, buf[:8]))
	return sum
}

// What scan found after the last whole frame.
type rest int

const (
	restNone    rest = iota // nothing
	restTorn                // the beginning of a frame, which may be being written
	restDamaged             // no frame
)

// scan calls fn with the whole frames from offset off on, and returns where the last
// one ends. An error of fn counts as damage; other errors are of reading.
func scan(f io.ReaderAt, off, size int64, chain uint32, fn func(payload []byte) error) (int64, uint32, rest, error) {
	var head [frameHeader]byte
	for {
		if off >= size {
			return off, chain, restNone, nil
		}
		if size-off < frameHeader {
			return off, chain, restTorn, nil
		}
		if err := readAt(f, head[:], off); err != nil {
			return off, chain, restTorn, err
		}
		length := int64(binary.LittleEndian.Uint32(head[0:]))
		if crc32.Update(chain, castagnoli, head[:8]) != binary.LittleEndian.Uint32(head[8:]) || length == 0 || length > maxFrame {
			return off, chain, restDamaged, nil
		}
		if size-off-frameHeader < length {
			return off, chain, restTorn, nil
		}
		payload := make([]byte, length)
		if err := readAt(f, payload, off+frameHeader); err != nil {
			return off, chain, restTorn, err
		}
		sum := crc32.Update(chain, castagnoli, payload)
		if sum != binary.LittleEndian.Uint32(head[4:]) || fn(payload) != nil {
			return off, chain, restDamaged, nil
		}
		off, chain = off+frameHeader+length, sum
	}
}

func readAt(f io.ReaderAt, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// appendFrame writes a frame after the last whole one. After an error it is not known
// whether the file has the frame, and nothing may be appended to it.
func (g *generation) appendFrame(buf []byte) error {
	t := &g.tail
	if t.f == nil {
		f, err := g.cfg.FS.OpenFile(g.path(t.name), os.O_RDWR|os.O_CREATE, 0o644)
		if err == nil {
			if err = f.Truncate(t.size); err != nil {
				err = errors.Join(err, f.Close())
			}
		}
		if err != nil {
			return fmt.Errorf("append to %s: %w", g.label(t.name), err)
		}
		t.f = f
	}
	chain := frame(buf, t.chain)
	if _, err := t.f.WriteAt(buf, t.size); err != nil {
		err = errors.Join(err, t.f.Truncate(t.size), t.f.Close())
		t.f = nil
		return fmt.Errorf("append to %s: %w", g.label(t.name), err)
	}
	t.size, t.chain = t.size+int64(len(buf)), chain
	return nil
}

// Batches in frames.

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

// appendBatch appends the payload of a batch that was applied at the cursor from.
func appendBatch(b []byte, from int64, batch *Batch) []byte {
	b = binary.AppendUvarint(b, uint64(from))
	b = binary.AppendUvarint(b, uint64(batch.Cursor))
	b = appendString(b, batch.Library)
	b = binary.AppendUvarint(b, uint64(len(batch.Delete)))
	for _, r := range batch.Delete {
		b = binary.AppendVarint(b, r)
	}
	b = binary.AppendUvarint(b, uint64(len(batch.Docs)))
	for _, d := range batch.Docs {
		b = binary.AppendVarint(b, d.Record)
		b = binary.AppendVarint(b, int64(d.Part))
		b = binary.AppendVarint(b, int64(d.Year))
		for _, tokens := range d.Tokens {
			b = appendStrings(b, tokens)
		}
		b = appendString(b, d.Kind)
		for _, list := range [][]string{d.Languages, d.Subjects, d.Creators, d.Access} {
			b = appendStrings(b, list)
		}
		b = appendString(b, string(d.TitleKey))
	}
	return b
}

// decoder reads a payload; what does not fit is remembered in bad, and gives zeros.
type decoder struct {
	s   string
	b   []byte // the same bytes
	at  int
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b[d.at:])
	if n <= 0 {
		d.bad, d.at = true, len(d.b)
		return 0
	}
	d.at += n
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b[d.at:])
	if n <= 0 {
		d.bad, d.at = true, len(d.b)
		return 0
	}
	d.at += n
	return v
}

func (d *decoder) within(low, high int64) int64 {
	v := d.varint()
	if v < low || v > high {
		d.bad = true
		return 0
	}
	return v
}

// count is a number of things, each of at least size bytes, that are still to come.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)-d.at)/uint64(size) {
		d.bad, d.at = true, len(d.b)
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	n := d.count(1)
	s := d.s[d.at : d.at+n]
	d.at += n
	return s
}

func (d *decoder) strings() []string {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, 0, min(n, 1<<12))
	for range n {
		if d.bad {
			return nil
		}
		list = append(list, d.string())
	}
	return list
}

func (d *decoder) cursor() int64 {
	v := d.uvarint()
	if v > math.MaxInt64 {
		d.bad = true
		return 0
	}
	return int64(v)
}

// decodeBatch reads what appendBatch wrote. Other bytes are errs.Corrupt.
func decodeBatch(payload []byte) (from int64, b *Batch, err error) {
	d := &decoder{s: string(payload), b: payload}
	from = d.cursor()
	b = &Batch{Cursor: d.cursor(), Library: d.string()}
	for range d.count(1) {
		b.Delete = append(b.Delete, d.varint())
	}
	const least = 3 + segment.NumFields + 6 // bytes of a document with nothing in it
	for range d.count(least) {
		if d.bad {
			break
		}
		doc := &segment.Doc{
			Record: d.varint(),
			Part:   int32(d.within(math.MinInt32, math.MaxInt32)),
			Year:   int16(d.within(math.MinInt16, math.MaxInt16)),
		}
		for f := range doc.Tokens {
			doc.Tokens[f] = d.strings()
		}
		doc.Kind = d.string()
		for _, list := range []*[]string{&doc.Languages, &doc.Subjects, &doc.Creators, &doc.Access} {
			*list = d.strings()
		}
		if key := d.string(); key != "" {
			doc.TitleKey = []byte(key)
		}
		b.Docs = append(b.Docs, doc)
	}
	if d.bad || d.at != len(d.b) || b.Cursor < from {
		return 0, nil, errs.New(errs.Corrupt, "no batch")
	}
	return from, b, nil
}
