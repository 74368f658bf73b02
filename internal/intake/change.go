package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// change is a part of a group becoming entries.
type change struct {
	b       *bulk
	ctx     context.Context
	entries [][]byte
	whole   []*record.Entry // what they decode to, as far as that is known
	bodies  bool
	blobs   []string

	places map[record.SourceKey]int    // by name and id: of an accession in this part
	joined map[record.SourceKey]spoken // by name and id: what joined a record in this part
	beside map[record.SourceKey]bool   // by name and id: what other sources say of a record in this part
	byID   map[record.ID][]int         // see record.EditionIDs
	byKey  map[string][]int
	digest []string     // by place
	what   []*described // by place; nil: no accession

	// What the lookup does not know of records that this part changes: by number, and
	// by an identifier that it gave them, the source that spoke.
	touched map[int64]string
	gained  map[record.ID]string
}

// spoken is what a source said of a record.
type spoken struct {
	record int64
	digest string
}

// many stands in change.touched for more than one source.
const many = "\x00"

// maxPlaces bounds the accessions of one part that are said to look the same.
const maxPlaces = 16

// errCut says that a record can be judged only when what comes before it in the
// group has been appended.
var errCut = errs.New(errs.Internal, "the group ends here")

// touch notes that a source speaks of record n in this part, and gives it ids.
func (c *change) touch(n int64, source string, r record.Record) {
	if have, ok := c.touched[n]; ok && have != source {
		source = many
	}
	c.touched[n] = source
	for _, id := range record.EditionIDs(r) {
		if have, ok := c.gained[id]; ok && have != source {
			c.gained[id] = many
		} else {
			c.gained[id] = source
		}
	}
}

// unheard takes in a record that its source has not spoken of before: as one that
// the library has, by what is alike, or as a new one. The error is errCut where
// that depends on what this part appends.
func (c *change) unheard(d *described, alike []record.Match, p *pending) error {
	key := d.source.Key()
	if c.speaks(d) {
		return errCut
	}
	if place, ok := c.places[key]; ok {
		if c.digest[place] != d.source.Digest {
			return c.twice(d)
		}
		p.place, p.out.Status = place, AlreadyHere
		return nil
	}
	if was, ok := c.joined[key]; ok {
		if was.digest != d.source.Digest {
			return c.twice(d)
		}
		p.out.Record, p.out.Status = was.record, AlreadyHere
		return nil
	}
	same, err := c.same(d, alike)
	if err != nil {
		return err
	}
	for _, m := range alike {
		if same == nil || m.Into == nil || m.Into.Number != same.Number {
			p.out.Duplicates = append(p.out.Duplicates, m.State.Number)
		}
	}
	if same == nil {
		return c.fresh(d, p)
	}
	if err := c.join(d, same, p.elsewhere); err != nil {
		return err
	}
	p.out.Record, p.out.Status = same.Number, Joined
	return nil
}

// twice is the error for an id that came in this part already, with other content.
func (c *change) twice(d *described) error {
	if c.b.files[d.file].Again {
		return errCut
	}
	return c.b.errTwice(d)
}

// same is the record that a description is of, by its identifiers, or nil: where
// exactly one record shares them, no other record of this source is that already,
// and nothing in the descriptions contradicts.
func (c *change) same(d *described, alike []record.Match) (*record.State, error) {
	records := map[int64]*record.State{}
	for _, m := range alike {
		if m.ByID && m.Into != nil {
			records[m.Into.Number] = m.Into
		}
	}
	places := map[int]bool{}
	own, others := false, false // records that this part changed: by this source alone, or by others as well
	note := func(source string) {
		own = true
		others = others || source != d.source.Name
	}
	for _, id := range d.marks.IDs {
		for _, place := range c.byID[id] {
			places[place] = true
		}
		if source, ok := c.gained[id]; ok {
			note(source)
		}
	}
	for n := range records {
		if source, ok := c.touched[n]; ok {
			note(source)
			delete(records, n)
		}
	}
	switch {
	case others, own && len(records)+len(places) > 0:
		return nil, errCut
	case own, len(records)+len(places) != 1:
		return nil, nil
	}
	for _, st := range records {
		if slices.ContainsFunc(st.Sources, func(s record.Source) bool { return s.Name == d.source.Name }) || !record.SameEdition(st.Record, d.Record) {
			return nil, nil
		}
		return st, nil
	}
	for place := range places {
		if other := c.what[place]; other.source.Name != d.source.Name && record.SameEdition(other.Record, d.Record) {
			return nil, errCut // it has no number yet
		}
	}
	return nil, nil
}

// fresh takes in a record that the library does not have.
func (c *change) fresh(d *described, p *pending) error {
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
	for _, id := range d.marks.IDs {
		p.dups = append(p.dups, c.byID[id]...)
		if len(c.byID[id]) < maxPlaces {
			c.byID[id] = append(c.byID[id], p.place)
		}
	}
	if key := d.marks.Title; key != "" {
		p.dups = append(p.dups, c.byKey[key]...)
		if len(c.byKey[key]) < maxPlaces {
			c.byKey[key] = append(c.byKey[key], p.place)
		}
	}
	slices.Sort(p.dups)
	p.dups = slices.Compact(p.dups)
	c.places[d.source.Key()] = p.place
	for _, l := range d.Others {
		if l.Source.Name != record.Librarian {
			c.beside[l.Source.Key()] = true
		}
	}
	return c.put(d.encoded, d)
}

// join takes in what a source says for the first time of a record that the library
// has from another.
func (c *change) join(d *described, st *record.State, elsewhere []*record.State) error {
	more := newFiles(d, st)
	if err := c.files(more); err != nil {
		return err
	}
	patch, err := record.Diff(record.Record{}, *d.own)
	if err != nil {
		return err
	}
	now := c.b.in.cfg.Now()
	if err := c.entry(record.Entry{Type: record.TypeRevision, Time: now, Of: &st.Number, Patch: patch, Source: &d.source}); err != nil {
		return err
	}
	if err := c.holdings(d, st, more, now); err != nil {
		return err
	}
	c.touch(st.Number, d.source.Name, d.Record)
	if err := c.others(d, st.Number, st.Sources, elsewhere, now); err != nil {
		return err
	}
	c.joined[d.source.Key()] = spoken{st.Number, d.source.Digest}
	return nil
}

// newFiles are those of a description that the record does not have.
func newFiles(d *described, st *record.State) []record.File {
	return slices.DeleteFunc(slices.Clone(d.Files), func(f record.File) bool {
		return slices.ContainsFunc(st.Files, func(g record.File) bool { return g.SHA256 == f.SHA256 })
	})
}

// holdings adds files to a record, and states its rights where they were not.
func (c *change) holdings(d *described, st *record.State, more []record.File, now time.Time) error {
	var files []record.File
	for _, f := range more {
		f.Name = unused(f.Name, append(files, st.Files...))
		files = append(files, f)
	}
	if len(files) > 0 {
		if err := c.entry(record.Entry{Type: record.TypeFiles, Time: now, Of: &st.Number, Add: files}); err != nil {
			return err
		}
	}
	if len(st.Files)+len(files) > 0 && d.rights != nil && d.rights.Basis != "" && (st.Rights == nil || st.Rights.Basis == "") {
		return c.entry(record.Entry{Type: record.TypeRights, Time: now, Of: &st.Number, Rights: d.rights})
	}
	return nil
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

// put adds an entry, and its body, to what will be appended; accession is nil for
// one of another type.
func (c *change) put(e encoded, accession *described) error {
	if e.body != nil {
		if err := c.b.in.putBody(c.ctx, *e.ref, e.body); err != nil {
			return err
		}
		c.bodies = true
		c.blobs = append(c.blobs, e.ref.SHA256)
	}
	c.entries, c.whole = append(c.entries, e.entry), append(c.whole, e.whole)
	digest := ""
	if accession != nil {
		digest = accession.source.Digest
	}
	c.digest, c.what = append(c.digest, digest), append(c.what, accession)
	return nil
}

// known takes in what a source says anew of a record that it has spoken of before.
// Rights are stated where they were not; nothing is taken away but what the source
// itself said. The error is errCut where this part has changed the record already.
func (c *change) known(d *described, st *record.State, elsewhere []*record.State) (Status, error) {
	now := c.b.in.cfg.Now()
	if c.speaks(d) {
		return "", errCut
	}
	at := slices.IndexFunc(st.Sources, func(s record.Source) bool { return s.Name == d.source.Name })
	same := at >= 0 && st.Sources[at].Digest == d.source.Digest
	if c.b.seen.has(d.source.Name, st.Number) {
		if same {
			return AlreadyHere, nil
		}
		if !c.b.files[d.file].Again {
			return "", c.b.errTwice(d)
		}
	}
	if _, ok := c.touched[st.Number]; ok && (!same || len(d.Others) > 0) {
		return "", errCut
	}
	before := len(c.entries)
	var more []record.File
	if !same {
		more = newFiles(d, st)
	}
	if err := c.files(more); err != nil {
		return "", err
	}
	if !same {
		var extra json.RawMessage
		if at >= 0 {
			extra = st.Sources[at].Extra
		}
		if err := c.revise(d, st.Number, extra, now); err != nil {
			return "", err
		}
	}
	if err := c.holdings(d, st, more, now); err != nil {
		return "", err
	}
	if err := c.others(d, st.Number, st.Sources, elsewhere, now); err != nil {
		return "", err
	}
	c.b.seen.set(d.source.Name, st.Number)
	if len(c.entries) > before {
		c.touch(st.Number, d.source.Name, d.Record)
		return Revised, nil
	}
	return AlreadyHere, nil
}

// revise appends the difference to what the source said before, where there is
// one: in the description, or in what it says besides, extra being what it was.
func (c *change) revise(d *described, n int64, extra json.RawMessage, now time.Time) error {
	said, _, err := c.b.in.cfg.Known.Said(c.ctx, n, d.source.Name)
	if err != nil {
		return err
	}
	patch, err := record.Diff(said, *d.own)
	if err != nil || string(patch) == "{}" && bytes.Equal(extra, d.source.Extra) {
		return err
	}
	return c.entry(record.Entry{Type: record.TypeRevision, Time: now, Of: &n, Patch: patch, Source: &d.source})
}

// speaks says whether an earlier record of this part says something as this source, or
// as one of those beside it, of which the lookup does not know.
func (c *change) speaks(d *described) bool {
	if c.beside[d.source.Key()] {
		return true
	}
	return slices.ContainsFunc(d.Others, func(l record.Layer) bool {
		key := l.Source.Key()
		_, place := c.places[key]
		_, joined := c.joined[key]
		return l.Source.Name != record.Librarian && (place || joined || c.beside[key])
	})
}

// others takes in what the other sources say of record n, of which the sources have
// spoken already. What is there stays: a librarian's corrections, and what a source says
// by another id, or of another record, which elsewhere has at the places of d.Others.
func (c *change) others(d *described, n int64, sources []record.Source, elsewhere []*record.State, now time.Time) error {
	for i, l := range d.Others {
		at := slices.IndexFunc(sources, func(s record.Source) bool { return s.Name == l.Source.Name })
		patch := []byte(l.Patch)
		switch {
		case at < 0 && elsewhere[i] != nil && elsewhere[i].Number != n:
			d.warn("what %s says of it is in record %d already", l.Source.Name, elsewhere[i].Number)
			continue
		case at < 0:
		case sources[at].Digest == l.Source.Digest && sources[at].ID == l.Source.ID:
			continue
		case l.Source.Name == record.Librarian:
			d.warn("this library's own corrections stay as they are")
			continue
		case sources[at].ID != l.Source.ID:
			d.warn("%s knows the record by another id, %s", l.Source.Name, sources[at].ID)
			continue
		default:
			layers, err := c.b.in.cfg.Known.Layers(c.ctx, n)
			if err != nil {
				return err
			}
			for _, have := range layers {
				if have.Source.Name != l.Source.Name {
					continue
				}
				if patch, err = record.DiffLayers(have.Patch, l.Patch); err != nil {
					return err
				}
			}
		}
		if err := c.entry(record.Entry{Type: record.TypeRevision, Time: now, Of: &n, Patch: patch, Source: &l.Source}); err != nil {
			return err
		}
		c.touch(n, l.Source.Name, d.Record)
		if l.Source.Name != record.Librarian {
			c.beside[l.Source.Key()] = true
		}
	}
	return nil
}

func (c *change) entry(e record.Entry) error {
	var enc encoded
	var err error
	if enc.entry, enc.body, enc.ref, err = record.EncodeLong(e); err != nil {
		return err
	}
	return c.put(enc, nil)
}

// beyond appends what the other sources of the new records say, which have their numbers
// now. What a stop before it leaves out the same import adds when it runs again.
func (c *change) beyond(first int64, part []*described, waiting []pending) error {
	more := change{b: c.b, ctx: c.ctx, beside: c.beside, touched: c.touched, gained: c.gained}
	now := c.b.in.cfg.Now()
	for i, p := range waiting {
		if p.out.Status != Added && p.out.Status != NeedsRights || len(part[i].Others) == 0 {
			continue
		}
		if err := more.others(part[i], first+int64(p.place), nil, p.elsewhere, now); err != nil {
			return err
		}
	}
	_, err := more.commit()
	return err
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
	return cfg.Bulk.AppendWhole(c.ctx, c.entries, c.whole)
}
