package intake

import (
	"context"
	"slices"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// batch is what is appended at once. Places within it are counted from its
// start; they become accession numbers when the register has answered.
type batch struct {
	in      *Intake
	sum     *Summary
	report  func(Outcome)
	entries [][]byte
	items   []pending
	byBlob  map[string]int // -> place of the accession in this batch
	byID    map[record.ID][]int
	byKey   map[string][]int
	blobs   []string // that the entries name
	fresh   []string // that were not there before
}

// pending is an outcome that waits for its batch.
type pending struct {
	out   Outcome
	place int   // of its accession in the batch; -1: out.Record counts
	dups  []int // places of duplicates in the batch

	elsewhere []*record.State // of an import: the records of its other sources
}

func (b *batch) reset() {
	*b = batch{in: b.in, sum: b.sum, report: b.report,
		byBlob: map[string]int{}, byID: map[record.ID][]int{}, byKey: map[string][]int{}}
}

// add puts what became of an item into the batch.
func (b *batch) add(ctx context.Context, p *parsed) error {
	if b.byBlob == nil {
		b.reset()
	}
	b.fresh = append(b.fresh, p.fresh...)
	if p.err != nil {
		b.abandon(ctx)
		return p.err
	}
	for _, o := range p.refused {
		b.items = append(b.items, pending{out: o, place: -1})
	}
	var text []file
	for _, f := range p.files {
		if f.Role == record.RoleText {
			text = append(text, f)
		}
	}
	if len(text) == 0 {
		return nil
	}
	place, number, err := b.find(ctx, text)
	if err != nil {
		return err
	}
	if place >= 0 && !b.holds(place, text) {
		// A book in several forms, one of which came in by itself just now:
		// once that is a record, the others are added to it.
		if err := b.flush(ctx); err != nil {
			return err
		}
		b.fresh = append(b.fresh, p.fresh...)
		if place, number, err = b.find(ctx, text); err != nil {
			return err
		}
	}
	switch {
	case place >= 0:
		for _, f := range text {
			b.items = append(b.items, pending{out: Outcome{Input: f.input, Status: AlreadyHere, Record: -1}, place: place})
		}
		return nil
	case number >= 0:
		return b.known(ctx, number, text, p)
	}
	return b.accession(ctx, text, p)
}

// holds says whether all the files belong to one accession of this batch.
func (b *batch) holds(place int, text []file) bool {
	return !slices.ContainsFunc(text, func(f file) bool {
		at, ok := b.byBlob[f.SHA256]
		return !ok || at != place
	})
}

// find looks for a record that already has one of the files: in this batch, or
// in the library.
func (b *batch) find(ctx context.Context, text []file) (place int, number int64, err error) {
	for _, f := range text {
		if place, ok := b.byBlob[f.SHA256]; ok {
			return place, -1, nil
		}
		records, err := b.in.cfg.Known.ByBlob(ctx, f.SHA256)
		if err != nil {
			return -1, -1, err
		}
		for _, n := range records {
			st, err := b.in.cfg.Known.Record(ctx, n)
			if errs.Is(err, errs.Gone) {
				continue
			}
			if err != nil {
				return -1, -1, err
			}
			if st.Erased == nil {
				return -1, n, nil
			}
		}
	}
	return -1, -1, nil
}

// known deals with files of a record that the library has: a changed sidecar is
// a revision, files of a Calibre book that are new are added to it, and rights
// are stated where they were not.
func (b *batch) known(ctx context.Context, number int64, text []file, p *parsed) error {
	st, err := b.in.cfg.Known.Record(ctx, number)
	if err != nil {
		return err
	}
	now := b.in.cfg.Now()
	before := len(b.entries)
	if p.rights != nil && (st.Rights == nil || st.Rights.Basis == "") {
		if err := b.append(ctx, record.Entry{Type: record.TypeRights, Time: now, Of: &number, Rights: p.rights}); err != nil {
			return err
		}
	}
	var more []record.File
	for _, f := range text {
		if f.MediaType != "" && !slices.ContainsFunc(st.Files, func(g record.File) bool { return g.SHA256 == f.SHA256 }) {
			f.Name = unused(f.Name, append(more, st.Files...))
			more = append(more, f.File)
		}
	}
	if len(more) > 0 {
		if err := b.append(ctx, record.Entry{Type: record.TypeFiles, Time: now, Of: &number, Add: more}); err != nil {
			return err
		}
	}
	if err := b.revise(ctx, st, text, p); err != nil {
		return err
	}
	status := AlreadyHere
	if len(b.entries) > before {
		status = Revised
	}
	for _, f := range text {
		b.items = append(b.items, pending{out: Outcome{Input: f.input, Status: status, Record: number, Warnings: p.warnings}, place: -1})
	}
	return nil
}

// revise appends what a sidecar says, where that changed since the record was
// last described by its files and alters anything.
func (b *batch) revise(ctx context.Context, st *record.State, text []file, p *parsed) error {
	if p.side == nil || slices.ContainsFunc(st.Sources, func(s record.Source) bool { return s.Name == sourceName && s.Digest == p.digest }) {
		return nil
	}
	patch, err := record.Diff(record.Record{}, p.side.record)
	if err != nil {
		return err
	}
	now, err := record.PatchRecord(st.Record, patch)
	if err != nil {
		return err
	}
	if same, err := record.Diff(st.Record, now); err != nil || string(same) == "{}" {
		return err
	}
	return b.append(ctx, record.Entry{Type: record.TypeRevision, Time: b.in.cfg.Now(), Of: &st.Number, Patch: patch,
		Source: &record.Source{Name: sourceName, ID: "sha256:" + text[0].SHA256, Digest: p.digest}})
}

func (b *batch) accession(ctx context.Context, text []file, p *parsed) error {
	place := len(b.entries)
	var files []record.File
	for _, f := range p.files {
		f.Name = unused(f.Name, files)
		files = append(files, f.File)
	}
	rights := p.rights
	status := Added
	if rights == nil {
		rights = &record.Rights{Access: record.None}
		status = NeedsRights
	}
	if p.record.Kind == "" {
		p.record.Kind = record.Book
	}
	out := Outcome{Status: status, Record: -1, Warnings: p.warnings, Hints: p.hints}
	dups, err := b.duplicates(ctx, p.record, &out)
	if err != nil {
		return err
	}
	err = b.append(ctx, record.Entry{Type: record.TypeAccession, Time: b.in.cfg.Now(), Record: &p.record, Files: files, Rights: rights,
		Source: &record.Source{Name: sourceName, ID: "sha256:" + text[0].SHA256, Digest: p.digest}})
	if errs.Is(err, errs.TooLarge) || errs.Is(err, errs.Refused) {
		for _, f := range text {
			b.items = append(b.items, pending{out: refuse(f.input, err), place: -1})
		}
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range text {
		o := out
		o.Input = f.input
		b.items = append(b.items, pending{out: o, place: place, dups: dups})
		b.byBlob[f.SHA256] = place
	}
	for _, id := range record.EditionIDs(p.record) {
		b.byID[id] = append(b.byID[id], place)
	}
	if key := record.TitleKey(p.record); key != "" {
		b.byKey[key] = append(b.byKey[key], place)
	}
	return nil
}

// duplicates finds what looks the same: an identifier of the edition, or the same
// title, creator and language after folding. It is reported, never merged.
func (b *batch) duplicates(ctx context.Context, r record.Record, out *Outcome) (places []int, err error) {
	for _, id := range record.EditionIDs(r) {
		same, err := b.in.cfg.Known.ByID(ctx, id.Scheme, id.Value)
		if err != nil {
			return nil, err
		}
		out.Duplicates = append(out.Duplicates, same...)
		places = append(places, b.byID[id]...)
	}
	if key := record.TitleKey(r); key != "" {
		same, err := b.in.cfg.Known.ByKey(ctx, key)
		if err != nil {
			return nil, err
		}
		out.Duplicates = append(out.Duplicates, same...)
		places = append(places, b.byKey[key]...)
	}
	slices.Sort(out.Duplicates)
	out.Duplicates = slices.Compact(out.Duplicates)
	slices.Sort(places)
	return slices.Compact(places), nil
}

// append encodes an entry into the batch; a long one gets a body blob.
func (b *batch) append(ctx context.Context, e record.Entry) error {
	raw, body, ref, err := record.EncodeLong(e)
	if err != nil {
		return err
	}
	if ref != nil {
		if err := b.in.putBody(ctx, *ref, body); err != nil {
			return err
		}
		b.blobs = append(b.blobs, ref.SHA256)
	}
	for _, f := range append(slices.Clone(e.Files), e.Add...) {
		b.blobs = append(b.blobs, f.SHA256)
	}
	b.entries = append(b.entries, raw)
	return nil
}

// flush makes the batch durable, blobs first, and reports it.
func (b *batch) flush(ctx context.Context) error {
	if len(b.items) == 0 {
		return nil
	}
	first := int64(-1)
	if len(b.entries) > 0 {
		if err := b.in.cfg.Blobs.Flush(ctx); err != nil {
			b.abandon(ctx)
			return err
		}
		var err error
		if first, err = b.commit(ctx); err != nil {
			return err // the outcome may be unknown: the blobs stay
		}
	}
	for _, it := range b.items {
		if it.place >= 0 {
			it.out.Record = first + int64(it.place)
		}
		for _, d := range it.dups {
			it.out.Duplicates = append(it.out.Duplicates, first+int64(d))
		}
		b.report(it.out)
	}
	b.reset()
	return nil
}

// commit appends the entries, when all that they name is still there.
func (b *batch) commit(ctx context.Context) (first int64, err error) {
	b.in.cfg.Keep.Lock()
	defer b.in.cfg.Keep.Unlock()
	for _, sum := range b.blobs {
		if _, err := b.in.cfg.Blobs.Stat(ctx, sum); errs.Is(err, errs.NotFound) {
			return 0, errs.WithHint(errs.New(errs.Unavailable, "the file %s was erased while it was taken in", sum), "run the same command again")
		} else if err != nil {
			return 0, err
		}
	}
	return b.in.cfg.Register.Append(ctx, b.entries)
}

// abandon takes away the blobs of a batch that will not be appended. Two files
// with the same bytes may both have found the blob missing, so one that an
// earlier batch has named stays.
func (b *batch) abandon(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, sum := range b.fresh {
		if named, err := b.in.cfg.Known.ByBlob(ctx, sum); err != nil || len(named) > 0 {
			continue
		}
		if err := b.in.cfg.Blobs.Delete(ctx, sum); err != nil && !errs.Is(err, errs.NotFound) {
			b.in.cfg.Log.WarnContext(ctx, "a blob that nothing names stays behind", "blob", sum, "err", err)
		}
	}
}

// unused makes a file name that no other file of the record has.
func unused(name string, files []record.File) string {
	taken := func(n string) bool {
		return slices.ContainsFunc(files, func(f record.File) bool { return f.Name == n })
	}
	for i, stem := 2, name; taken(name); i++ {
		name = numbered(stem, i)
	}
	return name
}
