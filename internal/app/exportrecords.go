package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/index"
	"wenlan/internal/record"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// RecordsRequest says which records to write, how and where to.
type RecordsRequest struct {
	Format string // one of format.WriterNames
	Query  string // as it is typed; empty: all records
	File   string // "" or Stdin: to the io.Writer; what ends in .gz or .zst is packed
}

// RecordsExported counts what was written, as `export FORMAT --json` prints it.
type RecordsExported struct {
	Format  string `json:"format"`
	File    string `json:"file,omitempty"`
	Records int64  `json:"records"`
	Damaged int64  `json:"damaged"` // records that do not fold, and were left out
}

// ExportRecords writes the records that a query finds, or all, in order of accession,
// without merged and erased ones. It reads the register from front to back, whatever the
// size of the library, which may be served meanwhile. A file is written beside its place
// and has its name when it is whole and durable. progress is told now and then how many
// records are written; it may be nil.
//
// Records that are damaged are left out, and the error is errs.Corrupt then, once all
// else is written. Of a record that is closed for legal reasons files and rights stay
// here, because no form says elsewhere that it is.
func (l *Library) ExportRecords(ctx context.Context, req RecordsRequest, out io.Writer, progress func(int64)) (RecordsExported, error) {
	sum := RecordsExported{Format: req.Format}
	if _, err := format.NewWriter(req.Format, io.Discard); err != nil {
		return sum, err
	}
	if err := l.followed(); err != nil {
		return sum, err
	}
	only, err := l.found(ctx, req.Query)
	if err != nil {
		return sum, err
	}
	write := func(w io.Writer) error {
		to, err := format.NewWriter(req.Format, w)
		if err != nil {
			return err
		}
		err = l.Catalog.Each(ctx, only, func(n int64, st *record.State, err error) error {
			if err != nil {
				sum.Damaged++
				l.log.Warn("a record is left out", "record", n, "error", err)
				return nil
			}
			r, err := l.exported(ctx, st, req.Format == "jsonl")
			if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
				return nil // it was erased just now
			}
			if err != nil {
				return err
			}
			if err := to.Write(r); err != nil {
				return err
			}
			if sum.Records++; progress != nil && sum.Records%1000 == 0 {
				progress(sum.Records)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return to.Close()
	}
	if req.File == "" || req.File == Stdin {
		err = write(out)
	} else {
		sum.File = req.File
		err = writeBeside(req.File, func(w io.Writer) error { return packed(req.File, w, write) })
	}
	if err != nil {
		return sum, err
	}
	if sum.Damaged > 0 {
		return sum, errs.WithHint(errs.New(errs.Corrupt, "%d records are damaged and were not exported", sum.Damaged), "wenlan verify finds what is wrong")
	}
	return sum, nil
}

// found gives the records that a query finds, ascending; nil for all. It takes a bit for
// each entry of the register.
func (l *Library) found(ctx context.Context, text string) (iter.Seq[int64], error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	set := make([]uint64, l.Register.Size()/64+1)
	err := l.Index.Each(ctx, index.Query{Text: text}, func(n int64) {
		if n >= 0 && n/64 < int64(len(set)) {
			set[n/64] |= 1 << (n % 64)
		}
	})
	return func(yield func(int64) bool) {
		for i, word := range set {
			for ; word != 0; word &= word - 1 {
				if !yield(int64(i)*64 + int64(bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}, err
}

// exported is a record on its way out; with what each of its sources says, if wanted.
func (l *Library) exported(ctx context.Context, st *record.State, sources bool) (format.Exported, error) {
	r := format.Exported{Number: st.Number, Record: st.Record, Files: st.Files, Rights: st.Rights}
	if len(st.Sources) > 0 && st.Sources[0].Name != "" && st.Sources[0].Name != record.Librarian {
		r.Source = &st.Sources[0]
	}
	if len(st.Withdrawals) > 0 || st.Closed {
		r.Files, r.Rights = nil, nil
	}
	if l.Config.URL != "" && !slices.ContainsFunc(st.Record.IDs, func(id record.ID) bool { return id.Scheme == "url" }) {
		r.URL = strings.TrimSuffix(l.Config.URL, "/") + "/records/" + strconv.FormatInt(st.Number, 10)
	}
	if sources && r.Source != nil && len(st.Sources) > 1 {
		return r, l.layered(ctx, &r)
	}
	var err error
	r.Record.Relations, err = l.relations(ctx, st.Record.Relations)
	return r, err
}

// layered fills in what each source says of a record, and what they say together: as of
// now, because another process may append meanwhile.
func (l *Library) layered(ctx context.Context, r *format.Exported) error {
	layers, err := l.Catalog.Layers(ctx, r.Number)
	if err != nil {
		return err
	}
	if len(layers) < 2 {
		return errs.New(errs.Gone, "record %d was erased while it was exported", r.Number)
	}
	for i := range layers {
		if layers[i].Patch, err = l.patch(ctx, layers[i].Patch); err != nil {
			return fmt.Errorf("record %d: %w", r.Number, err)
		}
	}
	if r.Record, err = record.FoldLayers(layers); err != nil {
		return fmt.Errorf("record %d: %w", r.Number, err)
	}
	said, err := record.FoldLayers(layers[:1])
	r.Source, r.Said, r.Others = &layers[0].Source, &said, layers[1:]
	return err
}

// patch is a patch whose relations are as others understand them.
func (l *Library) patch(ctx context.Context, patch []byte) ([]byte, error) {
	var said map[string]any
	if err := json.Unmarshal(patch, &said); err != nil {
		return nil, err
	}
	var here []record.Relation
	if err := reread(said["relations"], &here); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(here, func(rel record.Relation) bool { return rel.Record != nil }) {
		return patch, nil
	}
	out, err := l.relations(ctx, here)
	if err != nil {
		return nil, err
	}
	var plain any // whose members go out in order, as those of other patches
	if err := reread(out, &plain); err != nil {
		return nil, err
	}
	said["relations"] = plain
	return json.Marshal(said, json.Deterministic(true))
}

// reread reads a value as JSON has it into another type.
func reread(v, to any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

// relations are those of a record as others understand them. The list is not changed.
func (l *Library) relations(ctx context.Context, here []record.Relation) ([]record.Relation, error) {
	out := here
	for i, rel := range here {
		if rel.Record == nil {
			continue
		}
		if &out[0] == &here[0] {
			out = slices.Clone(here)
		}
		var err error
		if out[i], err = l.elsewhere(ctx, rel); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// worldIDs are schemes by which a record is known in other libraries, too.
var worldIDs = []string{"doi", "isbn", "oclc", "lccn", "arxiv", "pmid", "url"}

// elsewhere is a relation to a record of this library as others understand it: accession
// numbers are this library's own.
func (l *Library) elsewhere(ctx context.Context, rel record.Relation) (record.Relation, error) {
	st, err := l.Catalog.Record(ctx, *rel.Record)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) || errs.Is(err, errs.Corrupt) {
		return record.Relation{Type: rel.Type, ID: rel.ID, Title: rel.Title}, nil
	}
	if err != nil {
		return rel, err
	}
	out := record.Relation{Type: rel.Type, ID: rel.ID, Title: st.Record.Title}
	for _, scheme := range worldIDs {
		at := slices.IndexFunc(st.Record.IDs, func(id record.ID) bool { return id.Scheme == scheme })
		if at >= 0 && out.ID == nil {
			id := st.Record.IDs[at]
			out.ID = &id
		}
	}
	if out.ID == nil && l.Config.URL != "" {
		out.ID = &record.ID{Scheme: "url", Value: strings.TrimSuffix(l.Config.URL, "/") + "/records/" + strconv.FormatInt(st.Number, 10)}
	}
	return out, nil
}

// packed writes through the compression that a file's name asks for.
func packed(name string, w io.Writer, write func(io.Writer) error) error {
	var z io.WriteCloser
	switch strings.ToLower(filepath.Ext(name)) {
	case ".gz", ".gzip":
		z = gzip.NewWriter(w)
	case ".zst", ".zstd":
		var err error
		if z, err = zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); err != nil {
			return err
		}
	default:
		return write(w)
	}
	if err := write(z); err != nil {
		return errors.Join(err, z.Close())
	}
	return z.Close()
}

// writeBeside writes a file that has its name only when it is whole and on the disk.
// What is no file, such as /dev/null or a pipe, is written to as it stands.
func writeBeside(name string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return errs.New(errs.Refused, "write %s: %w", name, err)
		}
		b := bufio.NewWriterSize(f, 256<<10)
		if err := write(b); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := errors.Join(b.Flush(), f.Close()); err != nil {
			return errs.New(errs.Refused, "write %s: %w", name, err)
		}
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".wenlan-*")
	if err != nil {
		return errs.New(errs.Refused, "write %s: %w", name, err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	b := bufio.NewWriterSize(tmp, 256<<10)
	if err := write(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return errs.New(errs.Refused, "write %s: %w", name, err)
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return errs.New(errs.Refused, "write %s: %w", name, err)
	}
	if err := os.Rename(tmp.Name(), name); err != nil {
		return errs.New(errs.Refused, "write %s: %w", name, err)
	}
	return durable.OS().SyncDir(filepath.Dir(name))
}
