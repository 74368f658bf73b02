package intake

import (
	"context"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"
)

// # Imports
//
// An import takes in records in bulk. Who a record is, its source's name and its
// id there say; what it said, a digest. The same again appends nothing; something
// else appends a revision, which is the difference to what the same source said
// before, so that what a librarian or another source says stays as it is.
//
// What a source says for the first time joins the record of another source where a
// valid identifier of the edition (record.EditionIDs) is that of exactly one record
// (where it was merged to counts), of which this source has not spoken, and the
// descriptions do not contradict each other (record.SameEdition). What only looks
// the same is a record of its own, and on the list of duplicates for a person.
//
// A record of Wenlan's own form may have several sources. What the others say goes in as
// revisions after the new records of its group, whose numbers they name; so the numbers,
// and nothing else, depend on where groups end.
//
// One goroutine takes the files apart, as many as there are cores read and encode
// the records, and one looks them up and appends them, some thousands at once, in
// the order of the files. That one holds the intake only for a batch, so that adding
// files does not wait for a long import. Nothing is kept of what was done: run
// again after a stop at any moment, an import finds what is there already.

// ImportOptions are the librarian's statements on everything that one Import takes in.
type ImportOptions struct {
	Options        // rights, where a record with files states none
	Source  string `json:"source,omitempty"` // the name of the source; "": the file's base name, see SourceName
}

// Form is how the records of an import are read: a [format.Bulk].
type Form interface {
	Elements(r io.Reader) format.Elements
	Parse(raw []byte) (*format.Described, error)
}

// ImportFile is a file of records, or a folder of such files, all of one source.
// Reader, where it is not nil, is read to its end in place of the file at Path; a
// cancelled Import does not wait for it.
type ImportFile struct {
	Path   string
	Input  string // as the person gave it, for the reports
	Reader io.Reader
	// Again lets an id come again in the file, and the later counts: a server lists what
	// changes while it lists it.
	Again bool
}

// input is one file of an import.
type input struct {
	ImportFile
	source string // its name
	set    int    // files with the same are one, as far as ids go
	folder bool   // it is one of a folder
	err    error  // why it cannot be read
}

// ImportProgress is how far an Import is.
type ImportProgress struct {
	Records int64 `json:"records"` // reported, the refused too
	Bytes   int64 `json:"bytes"`   // read of the files as they are, packed
	Size    int64 `json:"size"`    // of all files, in bytes; 0: not known
}

// Limits of an import: what is read ahead, and what is appended at once.
const (
	chunkRecords = 256
	chunkBytes   = 1 << 20
	groupRecords = 8192
	groupBytes   = 16 << 20
	maxAhead     = 32       // pieces, while a group is being appended
	bytesAhead   = 24 << 20 // of records as they were found
	cutRecords   = 64       // are looked up at once after a group had to be cut
)

// sourceExtensions are those of packed and of bibliographic files, which SourceName takes off.
var sourceExtensions = []string{".gz", ".gzip", ".zst", ".zstd", ".json", ".jsonl", ".ndjson", ".csl", ".mrc", ".marc", ".xml", ".bib", ".ris", ".txt"}

// SourceName is the name of a source by the name of its file: the base name without
// its extensions, "arxiv" for "/dump/arxiv.jsonl.zst"; "" where nothing is left.
func SourceName(file string) string {
	name := path.Base(filepath.ToSlash(file))
	known := false
	for slices.Contains(sourceExtensions, strings.ToLower(path.Ext(name))) {
		name, known = strings.TrimSuffix(name, path.Ext(name)), true
	}
	if ext := path.Ext(name); !known && ext != name {
		name = strings.TrimSuffix(name, ext)
	}
	if name == "." || name == "/" || name == "-" {
		return ""
	}
	return name
}

// checkSource refuses a name that no source from outside has: errs.Invalid.
func checkSource(name string) error {
	switch {
	case name == record.Librarian:
		return errs.New(errs.Invalid, "the source name %q is that of this library's own corrections", name)
	case name == "" || len(name) > 200 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '�' }):
		return errs.New(errs.Invalid, "%q cannot be the name of a source", name)
	}
	return nil
}

// sourceOf is the name of a file's source; "" where it has none.
func (o ImportOptions) sourceOf(f ImportFile) string {
	if o.Source != "" {
		return o.Source
	}
	return SourceName(f.Path)
}

// Check says whether every file has a source that can be named; errs.Invalid.
func (o ImportOptions) Check(files []ImportFile) error {
	for _, f := range files {
		name := o.sourceOf(f)
		if name == "" {
			return errs.WithHint(errs.New(errs.Invalid, "%s has no name for its source", f.Input), "give it one with --source")
		}
		if err := checkSource(name); err != nil {
			return errs.WithHint(err, "give it another with --source")
		}
	}
	return nil
}

// Import takes in the records of files, one file after the other. Each record gives
// one call of report, in order, never two at once, and only once what it says is
// durable; its Input is FILE:N with the number of the line or element. A file that
// cannot be opened, or breaks off, gives one, too. progress is called after each
// batch, when its outcomes have been reported; it may be nil.
//
// An id counts once in a file, or in all files of a folder: where it comes again
// with other content, that is refused. A later file revises what an earlier one said.
// Hidden files of a folder are left out.
//
// It fails as a whole, after what was reported, when the options make no sense
// (errs.Invalid), the context ends, or the library cannot be written to. A bad
// record does not fail it, not even one that makes the form panic: see Summary.Refused. Other calls of Import and Add may
// run meanwhile.
func (in *Intake) Import(ctx context.Context, form Form, files []ImportFile, opt ImportOptions, report func(Outcome), progress func(ImportProgress)) (Summary, error) {
	var sum Summary
	rights, err := opt.Rights(in.cfg.Now())
	if err != nil {
		return sum, err
	}
	if err := opt.Check(files); err != nil {
		return sum, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	inputs, err := opt.expand(ctx, files)
	if err != nil {
		return sum, err
	}

	b := bulk{in: in, form: form, opt: opt, rights: rights, files: inputs, seen: seen{}, sum: &sum, report: report, progress: progress}
	jobs := make(chan *piece, maxAhead)
	order := make(chan *piece, maxAhead)
	b.ahead.init(ctx)
	go func() { // not waited for: it may hang in a Reader
		defer close(order)
		defer close(jobs)
		for i := range inputs {
			if !b.take(ctx, i, jobs, order) {
				return
			}
		}
	}()
	var wg sync.WaitGroup
	for range in.cfg.Workers {
		wg.Go(func() {
			for {
				select {
				case p, ok := <-jobs:
					if !ok {
						return
					}
					b.read(p)
					close(p.done)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	err = b.collect(ctx, order)
	cancel()
	wg.Wait()
	return sum, err
}

// bulk is an import under way.
type bulk struct {
	in       *Intake
	form     Form
	opt      ImportOptions
	rights   *record.Rights // of the flags
	files    []input
	sum      *Summary
	report   func(Outcome)
	progress func(ImportProgress)

	size     atomic.Int64 // of all files; -1: not known
	bytesIn  atomic.Int64
	panicked sync.Once
	ahead    quota       // bytes of pieces that are read and not in the group
	allKnown atomic.Bool // the last batch held little that was new: encode no accessions ahead

	group   []*described
	bytes   int64 // of the group, as it was found
	seen    seen  // what the file has spoken of
	current int   // the set of the last batch
}
