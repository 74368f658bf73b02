package catalog

import (
	"context"
	"fmt"
	"slices"

	"wenlan/internal/record"
	"wenlan/internal/sqldb"
)

// Two records look the same when they have the same bytes, an identifier of an
// edition (see [record.EditionIDs]), or the same title, creator and language, unless one
// says of the other that it is another edition. Only a person can tell whether they are:
// by a merge, or by a merge that is taken back, which says that they were looked at and
// are apart. Such a pair is doubtful no more.

// Bounds of what is looked at for one record.
const (
	maxLike    = 256 // records that one reason makes look the same, for intake and lists
	maxLikeNow = 16  // the same, for a page
	maxReasons = 256 // reasons of one record, of which its files may be many
	maxLeading = 16  // lower records with a key that are looked at; see Doubtful
)

// Duplicates gives the other records that look the same as record n, ascending; at
// most 16 for each reason. Records merged away do not count, nor those that were
// told apart from it.
func (c *Catalog) Duplicates(ctx context.Context, n int64) ([]Duplicate, error) {
	st, err := c.Record(ctx, n)
	if err != nil {
		return nil, err
	}
	return c.like(ctx, st, maxLikeNow)
}

// Like is Duplicates of a state, which need not be of a record in the library, with
// at most 256 for each reason.
func (c *Catalog) Like(ctx context.Context, st *record.State) ([]Duplicate, error) {
	return c.like(ctx, st, maxLike)
}

func (c *Catalog) like(ctx context.Context, st *record.State, most int) ([]Duplicate, error) {
	l, release, err := c.lookalikes(ctx, st)
	if err != nil {
		return nil, err
	}
	defer release()
	var out []Duplicate
	for _, r := range reasonsOf(st) {
		found, err := l.of(ctx, r, -1, most)
		if err != nil {
			return nil, err
		}
		out = appendNew(out, found)
	}
	slices.SortFunc(out, func(a, b Duplicate) int { return cmpInt(a.Record, b.Record) })
	return out, nil
}

// Doubtful gives the records above n that look the same as it, for the reasons for
// which it is the lowest: so that a list that asks of all records names a group once
// for each reason. At most 256 for each reason; ascending.
func (c *Catalog) Doubtful(ctx context.Context, n int64) ([]Duplicate, error) {
	st, err := c.Record(ctx, n)
	if err != nil {
		return nil, err
	}
	if st.MergedInto != nil {
		return nil, nil
	}
	l, release, err := c.lookalikes(ctx, st)
	if err != nil {
		return nil, err
	}
	defer release()
	var out []Duplicate
	for _, r := range reasonsOf(st) {
		lower, err := l.of(ctx, r, -1, maxLeading)
		if err != nil {
			return nil, err
		}
		if len(lower) > 0 && lower[0].Record < n {
			continue // it is named there
		}
		found, err := l.of(ctx, r, n, maxLike)
		if err != nil {
			return nil, err
		}
		out = appendNew(out, found)
	}
	slices.SortFunc(out, func(a, b Duplicate) int { return cmpInt(a.Record, b.Record) })
	return out, nil
}

func appendNew(list, more []Duplicate) []Duplicate {
	have := make(map[int64]bool, len(list))
	for _, d := range list {
		have[d.Record] = true
	}
	for _, d := range more {
		if !have[d.Record] {
			list = append(list, d)
		}
	}
	return list
}

// reason is what a record may have in common with those that look the same.
type reason struct {
	why    string
	key    int64
	really func(*record.State) bool
}

func reasonsOf(st *record.State) []reason {
	var out []reason
	for _, f := range st.Files {
		if f.Role != record.RoleText {
			continue
		}
		if len(out) == maxReasons {
			break
		}
		out = append(out, reason{"bytes", keyOf(spaceBlob, f.SHA256, false), func(other *record.State) bool {
			return slices.ContainsFunc(other.Files, func(g record.File) bool { return g.SHA256 == f.SHA256 })
		}})
	}
	for _, id := range record.EditionIDs(st.Record) {
		out = append(out, reason{id.Scheme, keyOf(spaceID, id.Scheme+":"+id.Value, false), func(other *record.State) bool {
			return slices.ContainsFunc(other.Record.IDs, func(have record.ID) bool {
				have, _ = record.NormalID(have.Scheme, have.Value)
				return have == id
			})
		}})
	}
	if title := record.TitleKey(st.Record); title != "" {
		out = append(out, reason{"title", keyOf(spaceTitle, title, false), func(other *record.State) bool {
			return record.TitleKey(other.Record) == title && !relates(st, other) && !relates(other, st)
		}})
	}
	return out
}

// relates says whether a record says of another that it is of the same work, and so not
// the same.
func relates(st, other *record.State) bool {
	return slices.ContainsFunc(st.Record.Relations, func(rel record.Relation) bool {
		if !record.SameWork(rel.Type) {
			return false
		}
		if rel.Record != nil {
			return *rel.Record == other.Number
		}
		if rel.ID == nil {
			return false
		}
		id, ok := record.NormalID(rel.ID.Scheme, rel.ID.Value)
		return ok && slices.ContainsFunc(other.Record.IDs, func(have record.ID) bool {
			have, _ = record.NormalID(have.Scheme, have.Value)
			return have == id
		})
	})
}

// lookalikes finds the records that look the same as one.
type lookalikes struct {
	*bonds
	n     int64
	apart []int64
}

func (c *Catalog) lookalikes(ctx context.Context, st *record.State) (*lookalikes, func(), error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, nil, err
	}
	b := newBonds(c, g, 1<<20)
	l := &lookalikes{bonds: b, n: st.Number}
	if l.apart, err = b.apart(ctx, st.Number); err != nil {
		release()
		return nil, nil, err
	}
	return l, func() { b.close(); release() }, nil
}

// of gives the records above after that look the same for a reason, ascending, at
// most as many as most that have its key.
func (l *lookalikes) of(ctx context.Context, r reason, after int64, most int) ([]Duplicate, error) {
	set, err := keysOf(l.g).state(ctx)
	if err != nil {
		return nil, err
	}
	found := set.GetAfter(nil, uint64(r.key|1), after, most+1) // itself may be among them
	if err := l.load(ctx, found); err != nil {
		return nil, err
	}
	var out []Duplicate
	for _, m := range found {
		other := l.states[m]
		if len(out) < most && m != l.n && other != nil && other.MergedInto == nil && r.really(other) && !slices.Contains(l.apart, m) {
			out = append(out, Duplicate{m, r.why})
		}
	}
	return out, nil
}

// apart gives the records that were merged with n, in either direction, and taken
// apart again.
func (b *bonds) apart(ctx context.Context, n int64) ([]int64, error) {
	rows, err := b.g.Reader().QueryContext(ctx, "SELECT dst FROM merges WHERE src = ?1 AND entry IN (SELECT merge FROM unmerges)"+
		" UNION SELECT src FROM merges WHERE dst = ?1 AND entry IN (SELECT merge FROM unmerges)", n)
	found, err := sqldb.Collect(rows, err, scanInt)
	if err != nil {
		return nil, fmt.Errorf("records told apart from %d: %w", n, err)
	}
	return found, nil
}
