package catalog

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
)

// Record is the state of record n. It is shared: nobody may change it.
//
// errs.NotFound: there is no such record. errs.Gone: the entry has been erased;
// the state is given as well, with Erased set as far as known. A record that is
// merged into another has MergedInto set.
func (c *Catalog) Record(ctx context.Context, n int64) (*record.State, error) {
	st, epoch := c.cache.get(n)
	if st != nil {
		return st, nil
	}
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	var packed []byte
	err = g.Reader().QueryRowContext(ctx, "SELECT entries FROM records WHERE n = ?", n).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return c.absent(ctx, g, n)
	}
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", n, err)
	}
	st, bytes, broken, err := c.fold(ctx, n, unpackEntries(n, packed), nil)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", n, err)
	}
	if broken != nil {
		return nil, broken
	}
	if st.Erased != nil { // purged, and the erasure not applied yet
		return st, errGone(n)
	}
	if c.cfg.Refused != nil {
		if w := c.cfg.Refused.Record(n); w != nil {
			st.Withdrawals = append(slices.Clip(st.Withdrawals), *w)
		}
	}
	c.cache.put(n, st, bytes, epoch)
	return st, nil
}

// absent is the answer for a number without a row.
func (c *Catalog) absent(ctx context.Context, g *sqldb.Generation, n int64) (*record.State, error) {
	var by int64
	err := g.Reader().QueryRowContext(ctx, "SELECT erasure FROM gone WHERE n = ?", n).Scan(&by)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNotFound(n)
	}
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", n, err)
	}
	st := &record.State{Number: n, Erased: &record.Erasure{Entry: by}}
	if by >= 0 {
		e, err := c.entry(ctx, by, nil)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", n, err)
		}
		st.Erased.Time, st.Erased.Ground, st.Erased.Case = e.Entry.Time, e.Entry.Ground, e.Entry.Case
		st.History = []record.Event{{Entry: by, Type: record.TypeErasure, Time: e.Entry.Time, Note: e.Entry.Ground}}
	}
	return st, errGone(n)
}

// maxFound bounds the records that an answer by key names.
const maxFound = 256

// lost says whether a record is left out of an answer by key: it is erased, as its keys
// are not yet, or damaged, which is no reason to keep the others from anyone.
func lost(err error) bool {
	return errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) || errs.Is(err, errs.Corrupt)
}

// find gives the records, ascending, that have a key and, as a look at them
// shows, really have its value.
func (c *Catalog) find(ctx context.Context, k int64, really func(*record.State) bool) ([]int64, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	set, err := keysOf(g).state(ctx)
	if err != nil {
		return nil, err
	}
	found := set.both(k, maxFound)
	var out []int64
	for _, n := range found {
		st, err := c.Record(ctx, n)
		if lost(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if really(st) {
			out = append(out, n)
		}
	}
	return out, nil
}

// ByBlob gives the records that name a blob, those merged away too; at most 256.
func (c *Catalog) ByBlob(ctx context.Context, sha256 string) ([]int64, error) {
	return c.find(ctx, keyOf(spaceBlob, sha256, false), func(st *record.State) bool {
		return slices.ContainsFunc(st.Files, func(f record.File) bool { return f.SHA256 == sha256 })
	})
}

// ByID gives the records with an identifier in any written form; at most 256.
func (c *Catalog) ByID(ctx context.Context, scheme, value string) ([]int64, error) {
	want, _ := record.NormalID(scheme, value)
	return c.find(ctx, keyOf(spaceID, want.Scheme+":"+want.Value, false), func(st *record.State) bool {
		return slices.ContainsFunc(st.Record.IDs, func(id record.ID) bool {
			have, _ := record.NormalID(id.Scheme, id.Value)
			return have == want
		})
	})
}

// ByKey gives the records with a title key, see [record.TitleKey]; at most 256.
func (c *Catalog) ByKey(ctx context.Context, key string) ([]int64, error) {
	if key == "" {
		return nil, nil
	}
	return c.find(ctx, keyOf(spaceTitle, key, false), func(st *record.State) bool { return record.TitleKey(st.Record) == key })
}

// BySource gives the record that a source knows by an id, and the digest of what
// it said last; ok is false when there is none.
func (c *Catalog) BySource(ctx context.Context, name, id string) (n int64, digest string, ok bool, err error) {
	if id == "" {
		return 0, "", false, nil
	}
	found, err := c.find(ctx, keyOf(spaceSource, name+"\x00"+id, false), func(st *record.State) bool {
		at := slices.IndexFunc(st.Sources, func(s record.Source) bool { return s.Name == name && s.ID == id })
		if at >= 0 && !ok {
			n, digest, ok = st.Number, st.Sources[at].Digest, true
		}
		return at >= 0
	})
	return n, digest, ok && len(found) > 0, err
}

// Named gives the records that an entry names, or named until it was erased. An
// accession names itself, which is not said here.
func (c *Catalog) Named(ctx context.Context, entry int64) ([]int64, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	rows, err := g.Reader().QueryContext(ctx, "SELECT n FROM entry_of WHERE entry = ? UNION SELECT n FROM erased_of WHERE entry = ?", entry, entry)
	found, err := sqldb.Collect(rows, err, scanInt)
	if err != nil {
		return nil, fmt.Errorf("records that entry %d names: %w", entry, err)
	}
	return found, nil
}

// Body says how long a blob is that an entry names as its body; errs.NotFound
// where none does.
func (c *Catalog) Body(ctx context.Context, sha256 string) (record.Body, error) {
	none := errs.New(errs.NotFound, "no entry has %s as its body", sha256)
	sum, err := hex.DecodeString(sha256)
	if err != nil || len(sum) != 32 {
		return record.Body{}, none
	}
	g, release, err := c.db.Acquire()
	if err != nil {
		return record.Body{}, err
	}
	defer release()
	body := record.Body{SHA256: sha256}
	err = g.Reader().QueryRowContext(ctx, "SELECT bytes FROM bodies WHERE sha256 = ? LIMIT 1", sum).Scan(&body.Bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return record.Body{}, none
	}
	if err != nil {
		return record.Body{}, fmt.Errorf("bodies with the hash %s: %w", sha256, err)
	}
	return body, nil
}

// BlobWithdrawals gives the withdrawals in force of a blob.
func (c *Catalog) BlobWithdrawals(ctx context.Context, sha256 string) ([]record.Withdrawal, error) {
	said, err := c.blobWithdrawals(ctx, sha256)
	if err == nil && c.cfg.Refused != nil {
		if w := c.cfg.Refused.Blob(sha256); w != nil {
			said = append(said, *w)
		}
	}
	return said, err
}

func (c *Catalog) blobWithdrawals(ctx context.Context, sha256 string) ([]record.Withdrawal, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	sum, err := hex.DecodeString(sha256)
	if err != nil || len(sum) != 32 {
		return nil, nil
	}
	var packed []byte
	err = g.Reader().QueryRowContext(ctx, "SELECT entries FROM closings WHERE sha256 = ?", sum).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("withdrawals of %s: %w", sha256, err)
	}
	return c.foldClosings(ctx, sha256, unpackList(packed), nil)
}

// List gives accession numbers in order, without merged and erased records.
func (c *Catalog) List(ctx context.Context, q ListQuery) ([]int64, error) {
	g, release, err := c.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	if q.Limit <= 0 {
		q.Limit = 50
	}
	q.Limit = min(q.Limit, 1000)
	index, where := "records_visible", "flags & 1 = 0"
	if q.Duplicates { // records that are merged away make no duplicates
		index, where = "records_dup", "flags & 8 = 8"
	}
	if q.NeedsRights {
		if !q.Duplicates {
			index = "records_rights"
			where = "flags & 2 = 2"
		} else {
			where += " AND flags & 2 = 2"
		}
	}
	order, from := "n", q.After
	if q.Newest {
		order = "n DESC"
		where += " AND n < ?"
		if q.After <= 0 {
			from = 1 << 62
		}
	} else {
		where += " AND n > ?"
	}
	rows, err := g.Reader().QueryContext(ctx, "SELECT n FROM records INDEXED BY "+index+" WHERE "+where+" ORDER BY "+order+" LIMIT ?", from, q.Limit)
	return sqldb.Collect(rows, err, scanInt)
}

// Counts is how much there is. It costs next to nothing.
func (c *Catalog) Counts(ctx context.Context) (Counts, error) {
	today := c.cfg.Now().UTC().Unix() / 86400
	if p := c.counts.Load(); p != nil && p.day == today && !c.cfg.ReadOnly {
		return p.Counts, nil
	}
	g, release, err := c.db.Acquire()
	if err != nil {
		return Counts{}, err
	}
	defer release()
	at := g.Cursor()
	var out Counts
	rows, err := g.Reader().QueryContext(ctx, "SELECT what, key, n FROM counts")
	_, err = sqldb.Collect(rows, err, func(rows *sql.Rows) (struct{}, error) {
		var what, key string
		var n int64
		if err := rows.Scan(&what, &key, &n); err != nil {
			return struct{}{}, err
		}
		switch what {
		case "total":
			switch key {
			case "records":
				out.Records = n
			case "files":
				out.Files = n
			case "bytes":
				out.Bytes = n
			case "readable":
				out.Readable += n
			}
		case "opens":
			if day, err := strconv.ParseInt(key, 10, 64); err == nil && day <= today {
				out.Readable += n
			}
		case "language":
			out.Languages = append(out.Languages, Count{key, n})
		case "kind":
			out.Kinds = append(out.Kinds, Count{key, n})
		case "year":
			if y, err := strconv.Atoi(key); err == nil {
				out.Years = append(out.Years, Count{strconv.Itoa(y), n})
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return Counts{}, err
	}
	most := func(a, b Count) int {
		if a.N != b.N {
			return cmpInt(b.N, a.N)
		}
		if a.Key < b.Key {
			return -1
		}
		return 1
	}
	slices.SortFunc(out.Languages, most)
	slices.SortFunc(out.Kinds, most)
	slices.SortFunc(out.Years, func(a, b Count) int {
		x, _ := strconv.Atoi(a.Key)
		y, _ := strconv.Atoi(b.Key)
		return y - x
	})
	if g.Cursor() == at {
		c.counts.Store(&countsOfDay{out, today})
		if c.db.Cursor() != at { // an Apply came between
			c.counts.Store(nil)
		}
	}
	return out, nil
}

// countsOfDay is the counts as read on a day; works open by themselves at midnight.
type countsOfDay struct {
	Counts
	day int64
}
