package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// piece is a run of records of one file, on its way.
type piece struct {
	file  int
	items []raw
	buf   []byte
	bytes int64 // len(buf), which is given up when it is read
	out   []*described
	done  chan struct{} // closed when out is there
}

// quota holds back who reads ahead.
type quota struct {
	mu   sync.Mutex
	cond *sync.Cond
	out  int64
}

func (q *quota) init(ctx context.Context) {
	q.cond = sync.NewCond(&q.mu)
	context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.cond.Broadcast()
	})
}

// take waits until n bytes more may be out, or the context ends; a piece that is
// larger than all may go alone.
func (q *quota) take(ctx context.Context, n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.out > 0 && q.out+n > bytesAhead && ctx.Err() == nil {
		q.cond.Wait()
	}
	q.out += n
}

func (q *quota) give(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.out -= n
	q.cond.Signal()
}

// raw is one record as it was found: buf[from:to], or why it cannot be read.
type raw struct {
	number   int64
	from, to int
	err      error
}

// described is one record, read.
type described struct {
	file   int
	number int64 // 0: of the file as a whole
	err    error // why it is refused
	*format.Described
	source record.Source
	rights *record.Rights
	marks  record.Marks
	own    *record.Record // what source says of it alone: Record, unless there are Others
	encoded
}

// encoded is an accession entry as the register takes it.
type encoded struct {
	entry, body []byte
	ref         *record.Body
	whole       *record.Entry // what entry decodes to; nil: it has a body, or is not known
}

// counted counts what is read of a file, in bytes.
type counted struct {
	ctx context.Context
	r   io.Reader
	n   *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// take reads a file and sends its pieces; false when the import has ended.
func (b *bulk) take(ctx context.Context, file int, jobs, order chan<- *piece) bool {
	if file == 0 {
		b.size.Store(b.sizes())
	}
	send := func(p *piece) bool {
		p.bytes = int64(len(p.buf))
		b.ahead.take(ctx, p.bytes)
		select {
		case order <- p:
		case <-ctx.Done():
			return false
		}
		select {
		case jobs <- p:
			return true
		case <-ctx.Done():
			return false
		}
	}
	fresh := func() *piece { return &piece{file: file, done: make(chan struct{})} }
	p := fresh()
	whole := func(number int64, err error) bool {
		p.items = append(p.items, raw{number: number, err: err})
		return send(p)
	}
	r := b.files[file].Reader
	if err := b.files[file].err; err != nil {
		return whole(0, err)
	}
	if r == nil {
		f, err := open(b.files[file].Path)
		if err != nil {
			return whole(0, err)
		}
		defer f.Close()
		r = f
	}
	z, err := format.Decompress(&counted{ctx, r, &b.bytesIn})
	if err != nil {
		return ctx.Err() == nil && whole(0, err)
	}
	defer z.Close()
	elements := b.form.Elements(z)
	for {
		if len(p.items) > 0 && (len(p.items) >= chunkRecords || len(p.buf) >= chunkBytes || elements.Waits()) {
			if !send(p) {
				return false
			}
			p = fresh()
		}
		one, number, err := b.next(elements)
		switch {
		case ctx.Err() != nil:
			return false
		case errors.Is(err, io.EOF):
			return len(p.items) == 0 || send(p)
		case err != nil && !errs.Is(err, errs.TooLarge):
			return whole(number, err)
		}
		from := len(p.buf)
		p.buf = append(p.buf, one...)
		p.items = append(p.items, raw{number, from, len(p.buf), err})
	}
}

// open opens a file that holds records.
func open(name string) (*os.File, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errs.New(errs.Refused, "there is no such file")
	} else if err != nil {
		return nil, errs.New(errs.Refused, "it cannot be opened: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, errs.New(errs.Refused, "it is a folder")
	}
	return f, nil
}

// expand puts in the place of each folder its regular files, sorted by their paths,
// without hidden ones, and gives each file the name of its source. The files of one
// folder are one set, within which an id counts once.
func (o ImportOptions) expand(ctx context.Context, files []ImportFile) ([]input, error) {
	var out []input
	for set, f := range files {
		in := input{ImportFile: f, set: set, source: o.sourceOf(f)}
		info, err := os.Stat(f.Path)
		if f.Reader != nil || err != nil || !info.IsDir() {
			out = append(out, in)
			continue
		}
		if o.Source == "" {
			in.source = filepath.Base(f.Path)
		}
		before := len(out)
		err = filepath.WalkDir(f.Path, func(name string, entry fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if name != f.Path && strings.HasPrefix(entry.Name(), ".") {
				if entry.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
			if err == nil && !entry.Type().IsRegular() {
				return nil
			}
			one := in
			one.Path, one.folder = name, true
			if rel, err := filepath.Rel(f.Path, name); err == nil && rel != "." {
				one.Input = filepath.Join(f.Input, rel)
			}
			if err != nil {
				one.err = errs.New(errs.Refused, "it cannot be read: %w", err)
			}
			out = append(out, one)
			if err != nil && entry != nil && entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(out) == before {
			in.err = errs.New(errs.Refused, "there are no files in this folder")
			if err != nil {
				in.err = errs.New(errs.Refused, "it cannot be read: %w", err)
			}
			out = append(out, in)
		}
	}
	return out, nil
}

// sizes is how many bytes all files have; 0 where that is not known.
func (b *bulk) sizes() (total int64) {
	for _, f := range b.files {
		if f.err != nil {
			continue
		}
		info, err := os.Stat(f.Path)
		if f.Reader != nil || err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			return 0
		}
		if err == nil && !info.IsDir() {
			total += info.Size()
		}
	}
	return total
}

// read reads the records of a piece.
func (b *bulk) read(p *piece) {
	for _, item := range p.items {
		d := &described{file: p.file, number: item.number, err: item.err}
		if d.err == nil {
			d.err = b.judge(d, p.buf[item.from:item.to])
		}
		p.out = append(p.out, d)
	}
	p.buf, p.items = nil, nil
}

// warn adds a sentence about what was not done.
func (d *described) warn(sentence string, args ...any) {
	d.Warnings = append(d.Warnings, fmt.Sprintf(sentence, args...))
}

// next is elements.Next; where that panics, the stream breaks off.
func (b *bulk) next(elements format.Elements) (one []byte, number int64, err error) {
	defer b.survive(&err)
	return elements.Next()
}

// judge is describe; where that panics, the record is refused.
func (b *bulk) judge(d *described, raw []byte) (err error) {
	defer b.survive(&err)
	return b.describe(d, raw)
}

// survive, deferred, makes a panic the error of one record; the log has the first of an
// import.
func (b *bulk) survive(err *error) {
	if p := recover(); p != nil {
		b.panicked.Do(func() {
			b.in.cfg.Log.Error("reading a record panicked", "panic", p, "stack", string(debug.Stack()))
		})
		*err = mistake(p)
	}
}

// describe reads one record, finds out who says it, and encodes it as an accession.
func (b *bulk) describe(d *described, raw []byte) error {
	var err error
	if d.Described, err = b.form.Parse(raw); err != nil {
		return err
	}
	d.source = record.Source{Name: b.opt.Source, ID: d.ID, Extra: d.ExtraJSON()}
	d.own, d.marks = &d.Record, record.MarksOf(d.Record)
	if len(d.Others) > 0 && b.opt.Source == "" {
		d.own = d.Said
		for _, l := range d.Others {
			if l.Source.Name != record.Librarian {
				if err := checkSource(l.Source.Name); err != nil {
					return err
				}
			}
		}
	}
	if s := d.Source; s != nil {
		if d.own == d.Said || len(d.Others) == 0 {
			d.source.Digest = s.Digest
		} else { // one source speaks for all
			d.Said, d.Others = nil, nil
		}
		if d.source.Name == "" {
			d.source.Name = s.Name
		}
		if d.source.Name != "" {
			if err := checkSource(d.source.Name); err != nil {
				return err
			}
		}
	}
	if d.source.Name == "" {
		d.source.Name = b.files[d.file].source
	}
	if d.source.Digest == "" {
		said, err := json.Marshal(struct {
			Record *record.Record `json:"record"`
			Files  []record.File  `json:"files,omitzero"`
			Rights *record.Rights `json:"rights,omitzero"`
			Extra  jsontext.Value `json:"extra,omitzero"`
		}{&d.Record, d.Files, d.Rights, jsontext.Value(d.source.Extra)}, json.Deterministic(true))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(said)
		d.source.Digest = hex.EncodeToString(sum[:])
	}
	if d.source.ID == "" {
		d.source.ID = "sha256:" + d.source.Digest
	}
	d.rights = d.Rights
	if len(d.Files) > 0 {
		if d.rights == nil || d.rights.Basis == "" && b.rights != nil {
			d.rights = b.rights
		}
		if d.rights == nil {
			d.rights = &record.Rights{Access: record.None}
		}
	}
	if b.allKnown.Load() || d.Deleted {
		return nil
	}
	return b.encode(d)
}

// encode makes the accession entry of a record.
func (b *bulk) encode(d *described) error {
	source := d.source
	whole, err := record.Complete(record.Entry{Type: record.TypeAccession, Time: b.in.cfg.Now(),
		Record: d.own, Files: d.Files, Rights: d.rights, Source: &source})
	if err != nil {
		return err
	}
	if d.entry, d.body, d.ref, err = record.EncodeLong(whole); err == nil && d.body == nil {
		d.whole = &whole
	}
	return err
}
