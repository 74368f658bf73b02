package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
)

// Works are views: which records are editions of one work is never stored, and
// nothing that is done here changes a record. What a record says of itself by a
// relation comes first, then the keys of [record.WorkKeys].

// Bounds of the answers about works, whatever records say.
const (
	maxEditions = 100 // records of one work
	maxSteps    = 3   // from one record to another that names it or has its key
	maxNamed    = 32  // identifiers and relations of one record that are followed
	maxMergedIn = 256 // records merged into one
	maxLowest   = 8   // holders of one key that Works looks at
	maxChain    = 64  // merges from one record into another
	maxAsked    = 16  // records of one step that are asked for theirs
)

// Edition is a record of the same work as another.
type Edition struct {
	Record int64
	// Relation is what the record that was asked about would say of this one
	// (has_translation: this is a translation of it); empty where only the title and
	// the author are the same.
	Relation string
}

// Editions gives the other records of the work of record n, or of the one that it
// was merged into: those that relations name, in either direction, by record or by
// identifier, nearest first; then those with the same title and author, ascending.
// The first of each step are asked for their own in turn, three steps far, and at
// most 100 are given. Records merged into another stand for that one, and what they say
// counts as said by it. errs.NotFound and errs.Gone as [Catalog.Record].
func (c *Catalog) Editions(ctx context.Context, n int64) ([]Edition, error) {
	n, err := c.Target(ctx, n)
	if err != nil {
		return nil, err
	}
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	b := newBonds(c, g, 2*maxEditions)
	defer b.close()
	var stated, alike []Edition
	at := map[int64]string{n: ""} // the relation of each member to n
	frontier := []int64{n}
	for step := 0; step < maxSteps && len(frontier) > 0 && len(at) <= maxEditions; step++ {
		found, err := b.from(ctx, frontier, maxEditions)
		if err != nil {
			return nil, err
		}
		frontier = nil
		for _, f := range found {
			if _, ok := at[f.to]; ok || len(at) > maxEditions {
				continue
			}
			relation := f.relation
			if step > 0 && relation != "" {
				relation = record.EditionOf // of an edition
			}
			if at[f.from] == "" && f.from != n {
				relation = "" // the way to it is by the title
			}
			at[f.to] = relation
			if len(frontier) < maxAsked {
				frontier = append(frontier, f.to)
			}
			if relation != "" {
				stated = append(stated, Edition{f.to, relation})
			} else {
				alike = append(alike, Edition{f.to, ""})
			}
		}
	}
	slices.SortFunc(alike, func(a, b Edition) int { return cmpInt(a.Record, b.Record) })
	return append(stated, alike...), nil
}

// Works gives for each number a record that stands for its work, the same for all
// editions, so that a list can show one of them. It is the lowest that is found by
// one step, of those that are asked for and those that they lead to; two editions
// that only longer ways join may be given two. A number that is no record's, or is
// erased, is left out; a merged one stands for that which it was merged into.
func (c *Catalog) Works(ctx context.Context, numbers []int64) (map[int64]int64, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	b := newBonds(c, g, 16*len(numbers)+maxEditions)
	defer b.close()
	if err := b.load(ctx, numbers); err != nil {
		return nil, err
	}
	out := make(map[int64]int64, len(numbers))
	parent := map[int64]int64{}
	var root func(int64) int64
	root = func(n int64) int64 {
		if p, ok := parent[n]; ok && p != n {
			parent[n] = root(p)
			return parent[n]
		}
		return n
	}
	join := func(a, b int64) {
		if a, b = root(a), root(b); a != b {
			parent[max(a, b)] = min(a, b)
		}
	}
	var heads []int64
	for _, n := range numbers {
		if b.states[n] == nil {
			continue
		}
		to, err := c.Target(ctx, n)
		if err != nil {
			if lost(err) {
				continue
			}
			return nil, err
		}
		out[n] = to
		heads = append(heads, to)
	}
	found, err := b.from(ctx, heads, maxLowest)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		join(f.from, f.to)
	}
	for n, to := range out {
		out[n] = root(to)
	}
	return out, nil
}

// bonds finds what joins records to others of their works.
type bonds struct {
	c      *Catalog
	g      *sqldb.Generation
	into   *sql.Stmt
	left   int                     // how many records may still be read
	states map[int64]*record.State // of the records looked at; nil: not to be had
	asked  map[int64]int64         // keys that were looked up, and the record for which
}

func newBonds(c *Catalog, g *sqldb.Generation, most int) *bonds {
	return &bonds{c: c, g: g, left: most, states: map[int64]*record.State{}, asked: map[int64]int64{}}
}

func (b *bonds) close() {
	if b.into != nil {
		b.into.Close()
	}
}

// bond is a way from one record to another.
type bond struct {
	from, to int64
	relation string // what from would say of to; empty: they share a key
}

// claim is a way that has still to be looked at: the record that it leads to must
// really say what the key of the catalogue is for.
type claim struct {
	bond
	really func(*record.State) bool
}

// from gives the bonds of records, those by relations first; at most limit records
// are looked at for each identifier, relation and key.
func (b *bonds) from(ctx context.Context, numbers []int64, limit int) ([]bond, error) {
	if err := b.load(ctx, numbers); err != nil {
		return nil, err
	}
	var stated, alike []claim
	for _, n := range numbers {
		st := b.states[n]
		if st == nil {
			continue
		}
		voices := []*record.State{st}
		merged, err := b.mergedInto(ctx, n)
		if err != nil {
			return nil, err
		}
		for _, m := range merged {
			if st := b.states[m]; st != nil {
				voices = append(voices, st)
			}
		}
		for _, v := range voices {
			if stated, err = b.stated(ctx, stated, n, v, limit); err != nil {
				return nil, err
			}
			for _, key := range record.WorkKeys(v.Record) {
				k := keyOf(spaceWork, key, false)
				if by, ok := b.asked[k]; ok {
					alike = append(alike, claim{bond{n, by, ""}, anything})
					continue
				}
				b.asked[k] = n
				found, err := b.holders(ctx, k, limit)
				if err != nil {
					return nil, err
				}
				for _, m := range found {
					alike = append(alike, claim{bond{n, m, ""}, func(other *record.State) bool {
						return slices.Contains(record.WorkKeys(other.Record), key)
					}})
				}
			}
		}
	}
	claims := append(stated, alike...)
	var wanted []int64
	for _, cl := range claims {
		wanted = append(wanted, cl.to)
	}
	if err := b.load(ctx, wanted); err != nil {
		return nil, err
	}
	var out []bond
	for _, cl := range claims {
		other := b.states[cl.to]
		if other == nil || !cl.really(other) {
			continue
		}
		to := cl.to
		if other.MergedInto != nil {
			var err error
			if to, err = b.c.Target(ctx, to); lost(err) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		if to != cl.from {
			out = append(out, bond{cl.from, to, cl.relation})
		}
	}
	return out, nil
}

// stated adds what relations claim of record n, as v says, which is n or was merged
// into it: by its own relations, and by those of others that name it.
func (b *bonds) stated(ctx context.Context, claims []claim, n int64, v *record.State, limit int) ([]claim, error) {
	add := func(k int64, relation func(*record.State) string) error {
		if by, ok := b.asked[k]; ok {
			if by != n {
				claims = append(claims, claim{bond{n, by, record.EditionOf}, anything})
			}
			return nil
		}
		b.asked[k] = n
		found, err := b.holders(ctx, k, limit)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := b.load(ctx, found); err != nil {
			return err
		}
		for _, m := range found {
			if st := b.states[m]; st != nil && m != n {
				if r := relation(st); r != "" {
					claims = append(claims, claim{bond{n, m, r}, anything})
				}
			}
		}
		return nil
	}
	// others that name the same thing, or this record
	names := func(about string, how func(string) string) func(*record.State) string {
		return func(st *record.State) string {
			for _, rel := range st.Record.Relations {
				if a, ok := relatesTo(rel); ok && a == about {
					return how(rel.Type)
				}
			}
			return ""
		}
	}
	sibling := func(string) string { return record.EditionOf }
	for i, rel := range v.Record.Relations {
		about, ok := relatesTo(rel)
		if i == maxNamed {
			break
		}
		if !ok {
			continue
		}
		if rel.Record != nil {
			claims = append(claims, claim{bond{n, *rel.Record, rel.Type}, anything})
		} else {
			id, _ := record.NormalID(rel.ID.Scheme, rel.ID.Value)
			has := func(st *record.State) string {
				if slices.ContainsFunc(st.Record.IDs, func(have record.ID) bool {
					have, _ = record.NormalID(have.Scheme, have.Value)
					return have == id
				}) {
					return rel.Type
				}
				return ""
			}
			if err := add(keyOf(spaceID, about, false), has); err != nil {
				return nil, err
			}
		}
		if err := add(keyOf(spaceRelates, about, false), names(about, sibling)); err != nil {
			return nil, err
		}
	}
	about := "#" + strconv.FormatInt(v.Number, 10)
	if err := add(keyOf(spaceRelates, about, false), names(about, record.Reverse)); err != nil {
		return nil, err
	}
	for i, id := range v.Record.IDs {
		if i == maxNamed {
			break
		}
		if id, ok := record.NormalID(id.Scheme, id.Value); ok && id.Scheme != "local" {
			about := id.Scheme + ":" + id.Value
			if err := add(keyOf(spaceRelates, about, false), names(about, record.Reverse)); err != nil {
				return nil, err
			}
		}
	}
	return claims, nil
}

func anything(*record.State) bool { return true }

// load folds records that were not looked at yet, as far as that is allowed.
func (b *bonds) load(ctx context.Context, numbers []int64) error {
	var missing []int64
	for _, n := range numbers {
		if _, ok := b.states[n]; ok {
			continue
		}
		if st, _ := b.c.cache.get(n); st != nil {
			b.states[n] = st
			continue
		}
		b.states[n] = nil
		if b.left > 0 {
			b.left--
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return b.c.records(ctx, b.g, map[int64][]int64{0: missing}, func(st *record.State) { b.states[st.Number] = st })
}

// holders gives the lowest records with a key.
func (b *bonds) holders(ctx context.Context, k int64, limit int) ([]int64, error) {
	set, err := keysOf(b.g).state(ctx)
	if err != nil {
		return nil, err
	}
	return set.both(k, limit), nil
}

// mergedInto gives the records that are merged into n, directly or not, and loads them.
func (b *bonds) mergedInto(ctx context.Context, n int64) (all []int64, err error) {
	if b.into == nil {
		if b.into, err = b.g.Reader().PrepareContext(ctx, "SELECT DISTINCT src FROM merges WHERE dst = ? ORDER BY src LIMIT ?"); err != nil {
			return nil, err
		}
	}
	seen := map[int64]bool{n: true}
	for ask := []int64{n}; len(ask) > 0 && len(all) < maxMergedIn; ask = ask[1:] {
		rows, err := b.into.QueryContext(ctx, ask[0], maxMergedIn)
		found, err := sqldb.Collect(rows, err, scanInt)
		if err != nil {
			return nil, fmt.Errorf("records merged into %d: %w", n, err)
		}
		if err := b.load(ctx, found); err != nil {
			return nil, err
		}
		for _, m := range found {
			st := b.states[m]
			if seen[m] || len(all) == maxMergedIn || st == nil || st.MergedInto == nil || *st.MergedInto != ask[0] {
				continue
			}
			seen[m] = true
			all, ask = append(all, m), append(ask, m)
		}
	}
	return all, nil
}

// Merged gives the records that are merged into record n, directly or by way of
// others, nearest first; at most 256.
func (c *Catalog) Merged(ctx context.Context, n int64) ([]int64, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	b := newBonds(c, g, 2*maxMergedIn)
	defer b.close()
	return b.mergedInto(ctx, n)
}

// Target is the record that stands for record n: n itself, or the last of those
// that it was merged into. Merges in a circle, which no library states, end where
// they come round. errs.NotFound and errs.Gone as [Catalog.Record], of n; where
// what it was merged into is gone, it is the last that is there.
func (c *Catalog) Target(ctx context.Context, n int64) (int64, error) {
	st, err := c.Record(ctx, n)
	if err != nil {
		return n, err
	}
	seen := []int64{n}
	for st.MergedInto != nil && len(seen) < maxChain && !slices.Contains(seen, *st.MergedInto) {
		next, err := c.Record(ctx, *st.MergedInto)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			break
		}
		if err != nil {
			return n, err
		}
		st = next
		seen = append(seen, st.Number)
	}
	return st.Number, nil
}

// MergesOf gives the merge entries in force by which record n is merged into
// another, ascending; an unmerge takes back one of them.
func (c *Catalog) MergesOf(ctx context.Context, n int64) ([]int64, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	rows, err := g.Reader().QueryContext(ctx, "SELECT entry FROM merges WHERE src = ? AND entry NOT IN (SELECT merge FROM unmerges) ORDER BY entry", n)
	found, err := sqldb.Collect(rows, err, scanInt)
	if err != nil {
		return nil, fmt.Errorf("merges of record %d: %w", n, err)
	}
	return found, nil
}

// ByCreatorID gives the records that have a creator with an ORCID or ISNI in any
// written form, ascending, after a number; those merged away are left out. Fewer
// than limit are the last.
func (c *Catalog) ByCreatorID(ctx context.Context, scheme, value string, after int64, limit int) ([]int64, error) {
	want, ok := creatorID(record.ID{Scheme: scheme, Value: value})
	if !ok {
		return nil, nil
	}
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 1000)
	k := keyOf(spaceCreator, want.Scheme+":"+want.Value, false)
	var out []int64
	set, err := keysOf(g).state(ctx)
	if err != nil {
		return nil, err
	}
	for {
		found := set.bothAfter(k, after, limit)
		have := map[int64]bool{}
		err = c.records(ctx, g, map[int64][]int64{0: found}, func(st *record.State) {
			have[st.Number] = st.MergedInto == nil && slices.ContainsFunc(st.Record.Creators, func(cr record.Creator) bool {
				return slices.ContainsFunc(cr.IDs, func(id record.ID) bool {
					id, _ = creatorID(id)
					return id == want
				})
			})
		})
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			if have[n] && len(out) < limit {
				out = append(out, n)
			}
			after = n
			if len(out) == limit {
				return out, nil
			}
		}
		if len(found) < limit {
			break
		}
	}
	return out, nil
}

// Lookup gives the records that an identifier names, as someone types it: an ISBN, a
// DOI or an ISSN, or any identifier with its scheme, "oclc:12". Merged records are
// followed to what stands for them, so that every identifier that once led somewhere
// still does. Ascending, at most 256; none where the text is no identifier.
func (c *Catalog) Lookup(ctx context.Context, text string) ([]int64, error) {
	var found []int64
	for _, id := range typedIDs(text) {
		numbers, err := c.ByID(ctx, id.Scheme, id.Value)
		if err != nil {
			return nil, err
		}
		for _, n := range numbers {
			to, err := c.Target(ctx, n)
			if err != nil && !lost(err) {
				return nil, err
			}
			if err == nil && !slices.Contains(found, to) {
				found = append(found, to)
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

// maxTyped bounds the identifiers that are looked up, in bytes.
const maxTyped = 256

// typedIDs is what a text may mean as an identifier.
func typedIDs(text string) []record.ID {
	if text = strings.TrimSpace(text); text == "" || len(text) > maxTyped {
		return nil
	}
	schemes := []string{"isbn", "doi", "issn"}
	if scheme, value, ok := strings.Cut(text, ":"); ok {
		scheme = strings.ToLower(strings.TrimSpace(scheme))
		if slices.Contains(schemes, scheme) || record.IsEditionScheme(scheme) {
			schemes, text = []string{scheme}, strings.Trim(value, `" `)
		}
	}
	var out []record.ID
	for _, s := range schemes {
		if id, ok := record.NormalID(s, text); ok {
			out = append(out, id)
		}
	}
	return out
}
