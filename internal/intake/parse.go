package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"
)

// maxSidecar bounds a sidecar file, in bytes.
const maxSidecar = 4 << 20

// sourceName is the source of descriptions that come from files.
const sourceName = "files"

// parsed is an item read and stored, ready to be appended.
type parsed struct {
	item     item
	refused  []Outcome // files of the item that are not taken in
	files    []file    // those that are
	record   record.Record
	rights   *record.Rights
	side     *sidecar // nil without one
	digest   string   // of the files and the sidecar: what the source said
	warnings []string
	hints    []string
	fresh    []string // blobs that were not there before: taken away if the append fails
	err      error    // the work cannot go on
}

type file struct {
	found
	record.File
}

// parse reads, judges and stores one item. It runs on any core.
func (in *Intake) parse(ctx context.Context, it item, flags *record.Rights) *parsed {
	p := &parsed{item: it, rights: flags}
	if it.err != nil {
		p.refused = append(p.refused, refuse(it.files[0].input, it.err))
		return p
	}
	side, err := readSidecar(it.sidecar)
	if err != nil {
		p.warnings = append(p.warnings, err.Error())
	}
	described := false
	sum := sha256.New()
	var cover *format.Cover
	for _, f := range it.files {
		doc, stored, err := in.take(ctx, f, p)
		if ctx.Err() != nil {
			p.err = context.Cause(ctx)
			return p
		}
		if err != nil {
			var stop *writeError
			if errors.As(err, &stop) {
				p.err = stop.err
				return p
			}
			p.refused = append(p.refused, refuse(f.input, err))
			continue
		}
		p.files = append(p.files, stored)
		fmt.Fprintf(sum, "%s\n", stored.SHA256)
		if doc == nil { // known: its description is in the register
			continue
		}
		p.warnings = append(p.warnings, doc.Warnings...)
		p.hints = append(p.hints, doc.Hints...)
		if !described {
			described = true
			p.record = doc.Record
			if p.rights == nil {
				p.rights = stated(doc.Rights, "the metadata of "+stored.Name)
			}
		}
		if cover == nil {
			cover = doc.Cover
		}
		if cover == nil && doc.MediaType == format.MediaPDF && in.cfg.Poppler != nil {
			c, err := in.cfg.Poppler.Cover(ctx, f.path)
			if err == nil {
				cover = c
			} else {
				in.cfg.Log.DebugContext(ctx, "no cover", "file", f.path, "err", err)
			}
		}
	}
	if len(p.files) == 0 {
		return p
	}
	if side != nil {
		p.side = side
		sum.Write(side.raw)
		p.record = side.over(p.record)
		if r := stated(side.rights, filepath.Base(it.sidecar)); r != nil && flags == nil {
			p.rights = r
		}
	}
	p.digest = hex.EncodeToString(sum.Sum(nil))
	if c := readCover(it.cover); c != nil {
		cover = c
	}
	if cover != nil && described {
		in.storeCover(ctx, cover, p)
	}
	if strings.TrimSpace(p.record.Title) == "" {
		name := filepath.Base(p.files[0].path)
		p.record.Title = strings.TrimSuffix(name, filepath.Ext(name))
	}
	return p
}

// writeError is a failure of the store, which ends the whole Add.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// take parses a file and stores it. For a file that the library knows, doc is nil.
func (in *Intake) take(ctx context.Context, f found, p *parsed) (doc *format.Document, stored file, err error) {
	fd, err := os.Open(f.path)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, stored, err
	}
	defer fd.Close()
	info, err := fd.Stat()
	if err != nil {
		return nil, stored, err
	}
	if !info.Mode().IsRegular() {
		return nil, stored, errs.New(errs.Refused, "it is not a regular file")
	}
	if info.Size() == 0 {
		return nil, stored, errs.New(errs.Refused, "it is empty")
	}
	h := sha256.New()
	n, err := io.Copy(h, &stoppable{ctx, io.NewSectionReader(fd, 0, info.Size())})
	if err != nil {
		return nil, stored, err
	}
	ref := blob.Ref{SHA256: hex.EncodeToString(h.Sum(nil)), Bytes: n}
	name := record.CleanFileName(filepath.Base(f.path))
	stored = file{f, record.File{SHA256: ref.SHA256, Bytes: ref.Bytes, Name: name, Role: record.RoleText}}
	records, err := in.cfg.Known.ByBlob(ctx, ref.SHA256)
	if err != nil {
		return nil, stored, &writeError{err}
	}
	here := false
	if _, err := in.cfg.Blobs.Stat(ctx, ref.SHA256); err == nil {
		here = true
	} else if !errs.Is(err, errs.NotFound) {
		return nil, stored, &writeError{err}
	}
	if len(records) > 0 && here {
		return nil, stored, nil
	}
	doc, err = in.read(ctx, name, section{io.NewSectionReader(fd, 0, n)})
	if err != nil {
		return nil, stored, err
	}
	stored.MediaType = doc.MediaType
	if len(doc.Record.Languages) > 0 {
		stored.Language = doc.Record.Languages[0]
	}
	err = in.cfg.Blobs.PutExpect(ctx, ref, io.NewSectionReader(fd, 0, n))
	if errs.Is(err, errs.Corrupt) {
		return nil, stored, errs.New(errs.Refused, "it changed while it was read")
	}
	if err != nil {
		return nil, stored, &writeError{err}
	}
	if !here {
		p.fresh = append(p.fresh, ref.SHA256)
	}
	return doc, stored, nil
}

// read describes a file. Where a parser panics the file is refused: see mistake.
func (in *Intake) read(ctx context.Context, name string, f format.File) (doc *format.Document, err error) {
	defer func() {
		if p := recover(); p != nil {
			in.cfg.Log.Error("reading a file panicked", "name", name, "panic", p, "stack", string(debug.Stack()))
			doc, err = nil, mistake(p)
		}
	}()
	return format.Parse(ctx, name, f)
}

// mistake is a panic in a parser as the refusal of what it read: it must not end an
// import of millions, or the program that serves the library meanwhile.
func mistake(p any) error {
	return errs.New(errs.Refused, "it cannot be read, by a mistake of this program: %.200s", fmt.Sprint(p))
}

func (in *Intake) storeCover(ctx context.Context, c *format.Cover, p *parsed) {
	sum := sha256.Sum256(c.Data)
	ref := blob.Ref{SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(c.Data))}
	_, err := in.cfg.Blobs.Stat(ctx, ref.SHA256)
	here := err == nil
	if err := in.cfg.Blobs.PutExpect(ctx, ref, bytes.NewReader(c.Data)); err != nil {
		p.err = err
		return
	}
	if !here {
		p.fresh = append(p.fresh, ref.SHA256)
	}
	ext := map[string]string{"image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/svg+xml": ".svg"}[c.MediaType]
	if ext == "" {
		ext = ".jpg"
	}
	p.files = append(p.files, file{found{}, record.File{SHA256: ref.SHA256, Bytes: ref.Bytes, MediaType: c.MediaType, Name: "cover" + ext, Role: record.RoleCover}})
}

// section is a file as parsers get it.
type section struct{ *io.SectionReader }

// stoppable is a reader that ends with its context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

// sidecar is what a file beside the book says.
type sidecar struct {
	raw    []byte
	record record.Record
	rights *format.Statement
}

func readSidecar(path string) (*sidecar, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := readBounded(path, maxSidecar)
	if err != nil {
		return nil, fmt.Errorf("the sidecar %s is left aside: %w", filepath.Base(path), err)
	}
	if strings.EqualFold(filepath.Ext(path), ".opf") {
		doc, err := format.ParseOPF(raw)
		if err != nil {
			return nil, fmt.Errorf("the sidecar %s is left aside: %w", filepath.Base(path), err)
		}
		return &sidecar{raw, doc.Record, doc.Rights}, nil
	}
	rec, rights, err := format.ParseCSL(raw)
	if err != nil {
		return nil, fmt.Errorf("the sidecar %s is left aside: %w", filepath.Base(path), err)
	}
	return &sidecar{raw, rec, rights}, nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = errs.New(errs.Refused, "it is larger than %d bytes", limit)
	}
	return raw, err
}

func readCover(path string) *format.Cover {
	if path == "" {
		return nil
	}
	raw, err := readBounded(path, format.MaxCover)
	if err != nil {
		return nil
	}
	switch mt := http.DetectContentType(raw); mt {
	case "image/jpeg", "image/png", "image/gif", "image/webp":
		return &format.Cover{MediaType: mt, Data: raw}
	}
	return nil
}

// over lays the sidecar's description over the file's own, field by field: what
// the sidecar says counts, what it leaves out stays.
func (s *sidecar) over(r record.Record) record.Record {
	o := s.record
	set(&r.Title, o.Title)
	setList(&r.AltTitles, o.AltTitles)
	setList(&r.Creators, o.Creators)
	set(&r.Kind, o.Kind)
	setList(&r.Languages, o.Languages)
	set(&r.Issued, o.Issued)
	set(&r.Publisher, o.Publisher)
	set(&r.Place, o.Place)
	if o.Container != nil {
		r.Container = o.Container
	}
	setList(&r.Subjects, o.Subjects)
	setList(&r.IDs, o.IDs)
	set(&r.Abstract, o.Abstract)
	setList(&r.Relations, o.Relations)
	return r
}

func set[T ~string](to *T, from T) {
	if from != "" {
		*to = from
	}
}

func setList[T any](to *[]T, from []T) {
	if len(from) > 0 {
		*to = from
	}
}

// putBody stores the body of a long entry.
func (in *Intake) putBody(ctx context.Context, ref record.Body, body []byte) error {
	return in.cfg.Blobs.PutExpect(ctx, blob.Ref{SHA256: ref.SHA256, Bytes: ref.Bytes}, bytes.NewReader(body))
}

// numbered is a file name with a number before its extension: "a-2.epub".
func numbered(name string, n int) string {
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), n, ext)
}
