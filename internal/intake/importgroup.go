package intake

import (
	"context"
	"strconv"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

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
			if set := b.files[next.file].set; set != b.current { // ids count once in a file
				if err := b.flush(ctx); err != nil {
					return err
				}
				b.seen, b.current = seen{}, set
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
	for size := len(b.group); len(b.group) > 0; {
		part := b.group[:min(size, len(b.group))]
		outs, err := b.append(ctx, part)
		if err == nil && len(outs) == 0 {
			err = errs.New(errs.Internal, "%s cannot be judged", b.input(part[0]))
		}
		if err != nil {
			return err
		}
		for i, o := range outs {
			b.sum.count(o.Status)
			if o.Status != Refused {
				b.sum.note(part[i])
			}
			b.report(o)
		}
		if size *= 2; len(outs) < len(part) {
			size = cutRecords // what comes next may well be cut, too
		}
		b.group = b.group[len(outs):]
		if b.progress != nil {
			s := b.sum
			b.progress(ImportProgress{Records: int64(s.Added + s.Joined + s.Known + s.Revised + s.Refused + s.NeedsRights + s.Deleted), Bytes: b.bytesIn.Load(), Size: b.size.Load()})
		}
	}
	b.group, b.bytes = nil, 0
	return nil
}

// append appends what the part of a group says, as far as it can be judged: the
// outcomes are those of its first records, of at least one. What depends on what
// comes before it in the part is left for the next, so that the library that comes of
// an import does not depend on where groups end. It holds the intake, so that no
// other Add or Import comes between the lookup and the appending.
func (b *bulk) append(ctx context.Context, part []*described) ([]Outcome, error) {
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	states, others, alike, err := b.lookup(ctx, part)
	if err != nil {
		return nil, err
	}
	c := change{b: b, ctx: ctx, places: map[record.SourceKey]int{}, joined: map[record.SourceKey]spoken{}, beside: map[record.SourceKey]bool{},
		byID: map[record.ID][]int{}, byKey: map[string][]int{}, touched: map[int64]string{}, gained: map[record.ID]string{}}
	waiting := make([]pending, 0, len(part))
	fresh := 0
	for i, d := range part {
		p := pending{out: Outcome{Record: -1}, place: -1, elsewhere: others[i]}
		err := d.err
		switch {
		case err != nil:
		case d.Deleted:
			p.out.Status = Deleted
			if states[i] != nil {
				p.out.Record = states[i].Number
				d.Warnings = append(d.Warnings, "its source says that it is no more; the record stays as it is")
			}
		case states[i] != nil:
			p.out.Record = states[i].Number
			p.out.Status, err = c.known(d, states[i], others[i])
		default:
			fresh++
			err = c.unheard(d, alike[i], &p)
		}
		if err == errCut {
			break
		}
		if err != nil {
			if errs.KindOf(err) == errs.Internal || d.err == nil && errs.KindOf(err) == errs.Unavailable { // d.err: its stream broke off
				return nil, err
			}
			p = pending{out: refuse(b.input(d), err), place: -1}
		}
		p.out.Input = b.input(d)
		waiting = append(waiting, p)
	}
	b.allKnown.Store(fresh*8 < len(part))
	first, err := c.commit()
	if err != nil {
		return nil, err
	}
	if err := c.beyond(first, part, waiting); err != nil {
		return nil, err
	}
	outs := make([]Outcome, 0, len(waiting))
	for i, p := range waiting {
		if p.place >= 0 {
			p.out.Record = first + int64(p.place)
		}
		if p.out.Status != Refused {
			p.out.Warnings = part[i].Warnings
		}
		if p.out.Record >= 0 {
			b.seen.set(part[i].source.Name, p.out.Record)
		}
		for _, d := range p.dups {
			p.out.Duplicates = append(p.out.Duplicates, first+int64(d))
		}
		outs = append(outs, p.out)
	}
	return outs, nil
}

// lookup finds the record that each of the part is, if there is one, those that its
// other sources know by their ids, and for what is new what looks the same; at the
// places of the part.
func (b *bulk) lookup(ctx context.Context, part []*described) (states []*record.State, others [][]*record.State, alike [][]record.Match, err error) {
	states, others, alike = make([]*record.State, len(part)), make([][]*record.State, len(part)), make([][]record.Match, len(part))
	var at []int
	var asked []record.Source
	for i, d := range part {
		if d.err == nil {
			at, asked = append(at, i), append(asked, d.source)
		}
	}
	for _, i := range at {
		for _, l := range part[i].Others {
			if l.Source.Name == record.Librarian { // whose id is a person's
				l.Source.ID = ""
			}
			asked = append(asked, l.Source)
		}
	}
	found, err := b.in.cfg.Known.BySources(ctx, asked)
	if err != nil {
		return nil, nil, nil, err
	}
	rest := found[len(at):]
	for _, i := range at {
		n := len(part[i].Others)
		others[i], rest = rest[:n:n], rest[n:]
	}
	var missing []int
	var marks []record.Marks
	for j, i := range at {
		if states[i] = found[j]; found[j] == nil {
			missing, marks = append(missing, i), append(marks, part[i].marks)
		}
	}
	same, err := b.in.cfg.Known.Alike(ctx, marks)
	if err != nil {
		return nil, nil, nil, err
	}
	for j, i := range missing {
		alike[i] = same[j]
	}
	return states, others, alike, nil
}

// input is where a record stands.
func (b *bulk) input(d *described) string {
	if d.number == 0 {
		return b.files[d.file].Input
	}
	return b.files[d.file].Input + ":" + strconv.FormatInt(d.number, 10)
}

// errTwice is the sentence for an id that a file or a folder uses twice.
func (b *bulk) errTwice(d *described) error {
	if b.files[d.file].folder {
		return errs.New(errs.Refused, "the id %q came in this folder already, with other content", d.source.ID)
	}
	return errs.New(errs.Refused, "the id %q stands further up in the file already, with other content", d.source.ID)
}

// seen is the records that the sources of a file have spoken of, of the first
// maxSources sources: further ones, which only a file that names a source with each
// record has, may say something of a record twice.
type seen map[string]*bitmap

const maxSources = 64

func (s seen) set(source string, n int64) {
	m := s[source]
	if m == nil {
		if len(s) >= maxSources {
			return
		}
		m = new(bitmap)
		s[source] = m
	}
	m.set(n)
}

func (s seen) has(source string, n int64) bool {
	m := s[source]
	return m != nil && m.has(n)
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
