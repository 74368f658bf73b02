package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// # Imports
//
// An import takes in records in bulk. Who a record is, its source's name and its
// id there say; what it said, a digest. The same again appends nothing; something
// else appends a revision, which is the difference to what the same source said
// before, so that what a librarian or another source says stays as it is.
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

// ImportFile is a file of records. Reader, where it is not nil, is read to its end
// in place of the file at Path; a cancelled Import does not wait for it.
type ImportFile struct {
	Path   string
	Input  string // as the person gave it, for the reports
	Reader io.Reader
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

// Check says whether every file has a source that can be named; errs.Invalid.
func (o ImportOptions) Check(files []ImportFile) error {
	for _, f := range files {
		name := o.Source
		if name == "" {
			if name = SourceName(f.Path); name == "" {
				return errs.WithHint(errs.New(errs.Invalid, "%s has no name for its source", f.Input), "give it one with --source")
			}
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
// An id counts once in a file: where it comes again with other content, that is
// refused. A later file revises what an earlier one said.
//
// It fails as a whole, after what was reported, when the options make no sense
// (errs.Invalid), the context ends, or the library cannot be written to. A bad
// record does not fail it: see Summary.Refused. Other calls of Import and Add may
// run meanwhile.
func (in *Intake) Import(ctx context.Context, form *format.Bulk, files []ImportFile, opt ImportOptions, report func(Outcome), progress func(ImportProgress)) (Summary, error) {
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

	b := bulk{in: in, form: form, opt: opt, rights: rights, files: files, sum: &sum, report: report, progress: progress}
	jobs := make(chan *piece, maxAhead)
	order := make(chan *piece, maxAhead)
	b.ahead.init(ctx)
	go func() { // not waited for: it may hang in a Reader
		defer close(order)
		defer close(jobs)
		for i := range files {
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
	form     *format.Bulk
	opt      ImportOptions
	rights   *record.Rights // of the flags
	files    []ImportFile
	sum      *Summary
	report   func(Outcome)
	progress func(ImportProgress)

	size     atomic.Int64 // of all files; -1: not known
	bytesIn  atomic.Int64
	ahead    quota       // bytes of pieces that are read and not in the group
	allKnown atomic.Bool // the last batch held little that was new: encode no accessions ahead

	group   []*described
	bytes   int64  // of the group, as it was found
	seen    bitmap // accession numbers that the file has spoken of
	current int    // the file of the last batch
}

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
	encoded
}

// encoded is an accession entry as the register takes it.
type encoded struct {
	entry, body []byte
	ref         *record.Body
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
		one, number, err := elements.Next()
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

// sizes is how many bytes all files have; 0 where that is not known.
func (b *bulk) sizes() (total int64) {
	for _, f := range b.files {
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
			d.err = b.describe(d, p.buf[item.from:item.to])
		}
		p.out = append(p.out, d)
	}
	p.buf, p.items = nil, nil
}

// describe reads one record, finds out who says it, and encodes it as an accession.
func (b *bulk) describe(d *described, raw []byte) error {
	var err error
	if d.Described, err = b.form.Parse(raw); err != nil {
		return err
	}
	d.source = record.Source{Name: b.opt.Source, ID: d.ID, Extra: d.ExtraJSON()}
	if s := d.Source; s != nil {
		d.source.Digest = s.Digest
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
		d.source.Name = SourceName(b.files[d.file].Path)
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
	if b.allKnown.Load() {
		return nil
	}
	return b.encode(d)
}

// encode makes the accession entry of a record.
func (b *bulk) encode(d *described) error {
	var err error
	d.entry, d.body, d.ref, err = record.EncodeLong(record.Entry{Type: record.TypeAccession, Time: b.in.cfg.Now(),
		Record: &d.Record, Files: d.Files, Rights: d.rights, Source: &d.source})
	return err
}

// collect gathers what was read, in order, and appends it group by group: when a
// group is full, or when nothing more is ready for a while.
func (b *bulk) collect(ctx context.Context, order <-chan *piece) error {
	timer := time.NewTimer(batchWait)
	defer timer.Stop()
	var next *piece
	for {
		timer.Reset(batchWait)
		more, done := order, (chan struct{})(nil)
		if next != nil {
			more, done = nil, next.done
		}
		select {
		case <-ctx.Done():
			if err := b.flush(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			return ctx.Err()
		case <-timer.C:
			if err := b.flush(ctx); err != nil {
				return err
			}
		case p, ok := <-more:
			if !ok {
				if ctx.Err() != nil {
					continue
				}
				return b.flush(ctx)
			}
			next = p
		case <-done:
			if next.file != b.current { // ids count once in a file
				if err := b.flush(ctx); err != nil {
					return err
				}
				b.seen, b.current = nil, next.file
			}
			b.group = append(b.group, next.out...)
			b.bytes += next.bytes
			b.ahead.give(next.bytes)
			next = nil
			if len(b.group) >= groupRecords || b.bytes >= groupBytes {
				if err := b.flush(ctx); err != nil {
					return err
				}
			}
		}
	}
}

// flush looks up a group, appends what is new in it, and reports.
func (b *bulk) flush(ctx context.Context) error {
	if len(b.group) == 0 {
		return nil
	}
	outs, err := b.append(ctx)
	if err != nil {
		return err
	}
	for _, o := range outs {
		b.sum.count(o.Status)
		b.report(o)
	}
	if b.progress != nil {
		s := b.sum
		b.progress(ImportProgress{Records: int64(s.Added + s.Known + s.Revised + s.Refused + s.NeedsRights), Bytes: b.bytesIn.Load(), Size: b.size.Load()})
	}
	b.group, b.bytes = nil, 0
	return nil
}

// change is a group becoming entries.
type change struct {
	b       *bulk
	ctx     context.Context
	entries [][]byte
	bodies  bool
	blobs   []string
	places  map[record.SourceKey]int // by name and id: of an accession in this group
	byID    map[record.ID][]int      // isbn and doi
	byKey   map[string][]int
	digests []string // by place
}

// append appends what a group says. It holds the intake, so that no other Add or
// Import comes between the lookup and the appending.
func (b *bulk) append(ctx context.Context) ([]Outcome, error) {
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	states, alike, err := b.lookup(ctx)
	if err != nil {
		return nil, err
	}
	c := change{b: b, ctx: ctx, places: map[record.SourceKey]int{}, byID: map[record.ID][]int{}, byKey: map[string][]int{}}
	waiting := make([]pending, 0, len(b.group))
	var named []int64 // the records that the group speaks of, which the rest of the file may not change
	fresh := 0
	for i, d := range b.group {
		p := pending{out: Outcome{Record: -1}, place: -1}
		err := d.err
		switch {
		case err != nil:
		case states[i] != nil:
			p.out.Record = states[i].Number
			p.out.Status, err = c.known(d, states[i])
			named = append(named, states[i].Number)
		default:
			fresh++
			p.out.Duplicates = alike[i]
			err = c.fresh(d, &p)
		}
		if err != nil {
			if errs.KindOf(err) == errs.Internal || errs.KindOf(err) == errs.Unavailable {
				return nil, err
			}
			p = pending{out: refuse(b.input(d), err), place: -1}
		}
		p.out.Input = b.input(d)
		waiting = append(waiting, p)
	}
	b.allKnown.Store(fresh*8 < len(b.group))
	first, err := c.commit()
	if err != nil {
		return nil, err
	}
	outs := make([]Outcome, 0, len(waiting))
	for _, p := range waiting {
		if p.place >= 0 {
			p.out.Record = first + int64(p.place)
			named = append(named, p.out.Record)
		}
		for _, d := range p.dups {
			p.out.Duplicates = append(p.out.Duplicates, first+int64(d))
		}
		outs = append(outs, p.out)
	}
	for _, n := range named {
		b.seen.set(n)
	}
	return outs, nil
}

// lookup finds the record that each of the group is, if there is one, and for the
// others what looks the same; at the places of the group.
func (b *bulk) lookup(ctx context.Context) (states []*record.State, alike [][]int64, err error) {
	states, alike = make([]*record.State, len(b.group)), make([][]int64, len(b.group))
	var at []int
	var asked []record.Source
	for i, d := range b.group {
		if d.err == nil {
			at, asked = append(at, i), append(asked, d.source)
		}
	}
	found, err := b.in.cfg.Known.BySources(ctx, asked)
	if err != nil {
		return nil, nil, err
	}
	var missing []int
	var records []record.Record
	for j, i := range at {
		if states[i] = found[j]; found[j] == nil {
			missing, records = append(missing, i), append(records, b.group[i].Record)
		}
	}
	same, err := b.in.cfg.Known.Alike(ctx, records)
	if err != nil {
		return nil, nil, err
	}
	for j, i := range missing {
		for _, m := range same[j] {
			alike[i] = append(alike[i], m.State.Number)
		}
	}
	return states, alike, nil
}

// input is where a record stands.
func (b *bulk) input(d *described) string {
	if d.number == 0 {
		return b.files[d.file].Input
	}
	return b.files[d.file].Input + ":" + strconv.FormatInt(d.number, 10)
}

// errTwice is the sentence for an id that a file uses twice.
func errTwice(id string) error {
	return errs.New(errs.Refused, "the id %q stands further up in the file already, with other content", id)
}

// fresh takes in a record that the library does not have.
func (c *change) fresh(d *described, p *pending) error {
	id := d.source.Key()
	if place, ok := c.places[id]; ok {
		if c.digests[place] != d.source.Digest {
			return errTwice(d.source.ID)
		}
		p.place, p.out.Status, p.out.Duplicates = place, AlreadyHere, nil
		return nil
	}
	if err := c.files(d.Files); err != nil {
		return err
	}
	if d.entry == nil {
		if err := c.b.encode(d); err != nil {
			return err
		}
	}
	p.out.Status = Added
	if len(d.Files) > 0 && (d.rights == nil || d.rights.Basis == "") {
		p.out.Status = NeedsRights
	}
	p.place = len(c.entries)
	for _, id := range d.Record.IDs {
		if id.Scheme == "isbn" || id.Scheme == "doi" {
			p.dups = append(p.dups, c.byID[id]...)
			c.byID[id] = append(c.byID[id], p.place)
		}
	}
	if key := record.TitleKey(d.Record); key != "" {
		p.dups = append(p.dups, c.byKey[key]...)
		c.byKey[key] = append(c.byKey[key], p.place)
	}
	slices.Sort(p.dups)
	p.dups = slices.Compact(p.dups)
	c.places[id] = p.place
	return c.put(d.encoded, d.source.Digest)
}

// files refuses files that are not in this library, and notes the others.
func (c *change) files(files []record.File) error {
	for _, f := range files {
		size, err := c.b.in.cfg.Blobs.Stat(c.ctx, f.SHA256)
		if errs.Is(err, errs.NotFound) {
			return errs.New(errs.Refused, "its file %s (sha256:%s) is not in this library", f.Name, f.SHA256)
		} else if err != nil {
			return err
		}
		if size != f.Bytes {
			return errs.New(errs.Refused, "its file %s (sha256:%s) has %d bytes, not %d", f.Name, f.SHA256, size, f.Bytes)
		}
	}
	for _, f := range files {
		c.blobs = append(c.blobs, f.SHA256)
	}
	return nil
}

// put adds an entry, and its body, to what will be appended.
func (c *change) put(e encoded, digest string) error {
	if e.body != nil {
		if err := c.b.in.putBody(c.ctx, *e.ref, e.body); err != nil {
			return err
		}
		c.bodies = true
		c.blobs = append(c.blobs, e.ref.SHA256)
	}
	c.entries = append(c.entries, e.entry)
	c.digests = append(c.digests, digest)
	return nil
}

// known takes in what a source says anew of a record that it has spoken of before.
// Rights are stated where they were not; nothing is taken away but what the source
// itself said.
func (c *change) known(d *described, st *record.State) (Status, error) {
	now := c.b.in.cfg.Now()
	at := slices.IndexFunc(st.Sources, func(s record.Source) bool { return s.Name == d.source.Name })
	same := at >= 0 && st.Sources[at].Digest == d.source.Digest
	if c.b.seen.has(st.Number) {
		if same {
			return AlreadyHere, nil
		}
		return "", errTwice(d.source.ID)
	}
	before := len(c.entries)
	more := d.Files
	if same {
		more = nil
	}
	more = slices.DeleteFunc(slices.Clone(more), func(f record.File) bool {
		return slices.ContainsFunc(st.Files, func(g record.File) bool { return g.SHA256 == f.SHA256 })
	})
	if err := c.files(more); err != nil {
		return "", err
	}
	if !same {
		if err := c.revise(d, st.Number, now); err != nil {
			return "", err
		}
		var files []record.File
		for _, f := range more {
			f.Name = unused(f.Name, append(files, st.Files...))
			files = append(files, f)
		}
		if len(files) > 0 {
			if err := c.entry(record.Entry{Type: record.TypeFiles, Time: now, Of: &st.Number, Add: files}); err != nil {
				return "", err
			}
		}
	}
	if len(st.Files)+len(more) > 0 && d.rights != nil && d.rights.Basis != "" && (st.Rights == nil || st.Rights.Basis == "") {
		if err := c.entry(record.Entry{Type: record.TypeRights, Time: now, Of: &st.Number, Rights: d.rights}); err != nil {
			return "", err
		}
	}
	c.b.seen.set(st.Number)
	if len(c.entries) > before {
		return Revised, nil
	}
	return AlreadyHere, nil
}

// revise appends the difference to what the source said before, where there is one.
func (c *change) revise(d *described, n int64, now time.Time) error {
	said, _, err := c.b.in.cfg.Known.Said(c.ctx, n, d.source.Name)
	if err != nil {
		return err
	}
	patch, err := record.Diff(said, d.Record)
	if err != nil || string(patch) == "{}" {
		return err
	}
	return c.entry(record.Entry{Type: record.TypeRevision, Time: now, Of: &n, Patch: patch, Source: &d.source})
}

func (c *change) entry(e record.Entry) error {
	var enc encoded
	var err error
	if enc.entry, enc.body, enc.ref, err = record.EncodeLong(e); err != nil {
		return err
	}
	return c.put(enc, "")
}

// commit makes the bodies durable, then appends the entries, when all blobs that
// they name are still there.
func (c *change) commit() (first int64, err error) {
	if len(c.entries) == 0 {
		return -1, nil
	}
	cfg := &c.b.in.cfg
	if c.bodies {
		if err := cfg.Blobs.Flush(c.ctx); err != nil {
			return 0, err
		}
	}
	cfg.Keep.Lock()
	defer cfg.Keep.Unlock()
	for _, sum := range c.blobs {
		if _, err := cfg.Blobs.Stat(c.ctx, sum); errs.Is(err, errs.NotFound) {
			return 0, errs.WithHint(errs.New(errs.Unavailable, "the file %s was erased while it was taken in", sum), "run the same command again")
		} else if err != nil {
			return 0, err
		}
	}
	return cfg.Register.Append(c.ctx, c.entries)
}

// bitmap is a set of accession numbers: a bit for each entry of the register, which
// is 12 MB for a hundred million.
type bitmap []uint64

func (m *bitmap) set(n int64) {
	if n < 0 {
		return
	}
	for int(n/64) >= len(*m) {
		*m = append(*m, make([]uint64, max(1024, len(*m)/4))...)
	}
	(*m)[n/64] |= 1 << (n % 64)
}

func (m bitmap) has(n int64) bool {
	return n >= 0 && int(n/64) < len(m) && m[n/64]&(1<<(n%64)) != 0
}
