package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wenlan/internal/record"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
)

// Lookups of many keys at once, for imports. They read the database in the order of
// its keys, and the register in the order of its entries.

// maxGap is how many entries that nobody asked for are read between two that are
// wanted, rather than beginning anew: an entry bundle's.
const maxGap = 256

// maxAlike bounds the records that one reason makes look the same, in a lookup of many.
const maxAlike = 16

// chunk is how many records are folded before what is not asked for is dropped.
const chunk = 256

// BySources gives for each name and id the record that the source knows by that
// id, or nil; at the same places. Digests in the question do not count. Of the
// states only Number, Files, Rights, Sources and MergedInto are filled in.
func (c *Catalog) BySources(ctx context.Context, asked []record.Source) ([]*record.State, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	keys := make([]int64, len(asked))
	for i, s := range asked {
		keys[i] = keyOf(spaceSource, s.Name+"\x00"+s.ID, false)
	}
	found, err := holders(ctx, g, keys, maxFound)
	if err != nil {
		return nil, err
	}
	states := map[int64]*record.State{}
	err = c.records(ctx, g, found, func(st *record.State) {
		states[st.Number] = &record.State{Number: st.Number, Files: st.Files, Rights: st.Rights, Sources: st.Sources, MergedInto: st.MergedInto}
	})
	if err != nil {
		return nil, err
	}
	out := make([]*record.State, len(asked))
	for i, s := range asked {
		for _, n := range found[keys[i]] {
			st := states[n]
			if st != nil && s.ID != "" && slices.ContainsFunc(st.Sources, func(have record.Source) bool { return have.Name == s.Name && have.ID == s.ID }) {
				out[i] = st
				break
			}
		}
	}
	return out, nil
}

// Alike gives for each description, by its marks, the records that look the same, by ascending
// number, at the same places: they share an identifier of an edition (see
// [record.EditionIDs]), or have the same title, creator and language. At most 16 for
// each reason; records merged away count as well, and Into says where they went.
//
// Of the states only Number, Files, Rights, Sources, MergedInto and what [record.SameEdition] and
// [record.EditionIDs] look at are filled in.
func (c *Catalog) Alike(ctx context.Context, asked []record.Marks) ([][]record.Match, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	of := make([][]int64, len(asked))
	keys := make([]int64, 0, 4*len(asked))
	for i, m := range asked {
		of[i] = keysOfMarks(m)
		for _, k := range of[i] {
			keys = append(keys, k, k|1)
		}
	}
	found, err := holders(ctx, g, keys, maxAlike)
	if err != nil {
		return nil, err
	}
	have := map[int64]likeness{}
	add := func(st *record.State) { have[st.Number] = likeness{record.MarksOf(st.Record), slim(st)} }
	if err := c.records(ctx, g, found, add); err != nil {
		return nil, err
	}
	for range maxMerges { // what they were merged into
		missing := map[int64][]int64{}
		for _, h := range have {
			if into := h.state.MergedInto; into != nil && have[*into].state == nil {
				missing[0] = append(missing[0], *into)
			}
		}
		before := len(have)
		if len(missing) == 0 {
			break
		}
		if err := c.records(ctx, g, missing, add); err != nil {
			return nil, err
		}
		if len(have) == before { // erased, all of them
			break
		}
	}
	into := func(st *record.State) *record.State {
		for range maxMerges {
			if st == nil || st.MergedInto == nil {
				return st
			}
			st = have[*st.MergedInto].state
		}
		return nil
	}
	out := make([][]record.Match, len(asked))
	for i, m := range asked {
		var numbers []int64
		for _, k := range of[i] {
			numbers = append(append(numbers, found[k]...), found[k|1]...)
		}
		slices.Sort(numbers)
		for _, n := range slices.Compact(numbers) {
			if other := have[n]; other.state != nil && m.Meet(other.marks) {
				out[i] = append(out[i], record.Match{State: other.state, ByID: m.ShareID(other.marks), Into: into(other.state)})
			}
		}
	}
	return out, nil
}

// maxMerges bounds how far a record that was merged, and merged again, is followed.
const maxMerges = 8

// likeness is a record of the library, compared with a description.
type likeness struct {
	marks record.Marks
	state *record.State
}

// slim is the part of a state that Alike gives.
func slim(st *record.State) *record.State {
	r := st.Record
	return &record.State{Number: st.Number, Files: st.Files, Rights: st.Rights, Sources: st.Sources, MergedInto: st.MergedInto, Record: record.Record{
		Title: r.Title, AltTitles: r.AltTitles, Kind: r.Kind, Languages: r.Languages, Issued: r.Issued, Container: r.Container, IDs: r.IDs}}
}

// keysOfMarks are the keys by which records with these marks are found, but for their lowest bit.
func keysOfMarks(m record.Marks) []int64 {
	keys := make([]int64, 0, len(m.IDs)+1)
	for _, id := range m.IDs {
		keys = append(keys, keyOf(spaceID, id.Scheme+":"+id.Value, false))
	}
	if m.Title != "" {
		keys = append(keys, keyOf(spaceTitle, m.Title, false))
	}
	return keys
}

// Said is what a source says of record n, without what others say: what its next
// patch applies to. ok is false where it says nothing. errs.NotFound: there is no
// such record, or no more.
func (c *Catalog) Said(ctx context.Context, n int64, source string) (said record.Record, ok bool, err error) {
	in, err := c.indexed(ctx, n)
	if err != nil {
		return said, false, err
	}
	return record.Said(n, in, func(b record.Body) ([]byte, error) { return c.cfg.Body(ctx, b) }, source)
}

// holders gives the records that have each key, at most limit; a key that none has
// is not there.
func holders(ctx context.Context, g *sqldb.Generation, keys []int64, limit int) (map[int64][]int64, error) {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	set, err := keysOf(g).state(ctx)
	if err != nil {
		return nil, err
	}
	found := map[int64][]int64{}
	var have []int64
	for _, k := range keys {
		if have = set.Get(have[:0], uint64(k), limit); len(have) > 0 {
			found[k] = slices.Clone(have)
		}
	}
	return found, nil
}

// entriesOf gives the entries that make up each record; one that is not there has none.
func entriesOf(ctx context.Context, g *sqldb.Generation, numbers []int64) (map[int64][]int64, error) {
	out := make(map[int64][]int64, len(numbers))
	err := inChunks(ctx, g, "SELECT n, entries FROM records WHERE n IN ", "", numbers, func(rows *sql.Rows) error {
		var n int64
		var packed []byte
		if err := rows.Scan(&n, &packed); err != nil {
			return err
		}
		out[n] = unpackEntries(n, packed)
		return nil
	})
	return out, err
}

// inChunks runs a query with its list filled in by a part of values at a time.
func inChunks(ctx context.Context, g *sqldb.Generation, before, after string, values []int64, row func(*sql.Rows) error) error {
	const size = 512
	var st *sql.Stmt
	for part := range slices.Chunk(values, size) {
		args := make([]any, size)
		for i := range args {
			args[i] = part[min(i, len(part)-1)] // the last one again does not matter
		}
		if st == nil {
			var err error
			if st, err = g.Reader().PrepareContext(ctx, before+"(?"+strings.Repeat(", ?", size-1)+")"+after); err != nil {
				return err
			}
			defer st.Close()
		}
		rows, err := st.QueryContext(ctx, args...)
		if _, err = sqldb.Collect(rows, err, func(rows *sql.Rows) (struct{}, error) { return struct{}{}, row(rows) }); err != nil {
			return err
		}
	}
	return nil
}

// records calls use with the states of all the records that found names, in no
// particular order. One that is erased, or does not fold, is left out.
func (c *Catalog) records(ctx context.Context, g *sqldb.Generation, found map[int64][]int64, use func(*record.State)) error {
	all := map[int64]bool{}
	for _, list := range found {
		for _, n := range list {
			all[n] = true
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(all)), chunk) {
		lists, err := entriesOf(ctx, g, part)
		if err != nil {
			return err
		}
		entries, err := c.entries(ctx, lists)
		if err != nil {
			return err
		}
		for n, list := range lists {
			var own []view.Entry
			for _, i := range list {
				if e := entries[i]; e.Raw != nil || i == n {
					own = append(own, e)
				}
			}
			st, outside, err := view.Fold(ctx, n, own, c.cfg.Body)
			if outside || ctx.Err() != nil {
				return fmt.Errorf("record %d: %w", n, err)
			}
			if err == nil && st.Erased == nil {
				use(st)
			}
		}
	}
	return nil
}

// entries reads the entries in all the lists, in the order of the register.
func (c *Catalog) entries(ctx context.Context, lists map[int64][]int64) (map[int64]view.Entry, error) {
	out := map[int64]view.Entry{}
	for _, list := range lists {
		for _, i := range list {
			out[i] = view.Entry{Index: i}
		}
	}
	order := slices.Sorted(maps.Keys(out))
	for len(order) > 0 {
		end := 1
		for end < len(order) && order[end]-order[end-1] <= maxGap {
			end++
		}
		err := c.cfg.Source.Read(ctx, order[0], order[end-1]+1, func(i int64, raw []byte) error {
			if _, ok := out[i]; !ok || raw == nil {
				return nil
			}
			e, err := view.Decode(ctx, i, slices.Clone(raw), c.cfg.Body)
			out[i] = e
			return err
		})
		if err != nil {
			return nil, err
		}
		order = order[end:]
	}
	return out, nil
}
