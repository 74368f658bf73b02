package torrent

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
)

// apply folds a batch into a generation, in one transaction; changed says that
// shelves came, stopped or opened again.
//
// What a file may do is asked of the catalogue, at this entry or later. That is
// exact in the end, because every entry that could change the answer names the
// file's records again, and the file is then judged again.
func (s *Shelves) apply(ctx context.Context, g *sqldb.Generation, batch []view.Entry) (changed bool, err error) {
	if len(batch) == 0 {
		return false, nil
	}
	if batch[0].Index != g.Cursor() {
		return false, fmt.Errorf("shelves: a batch from entry %d at cursor %d", batch[0].Index, g.Cursor())
	}
	library := ""
	if batch[0].Index == 0 {
		library = view.Library(batch[0].Raw)
	}
	w := &work{ctx: ctx, s: s}
	err = g.Advance(ctx, batch[len(batch)-1].Index+1, library, func(tx *sql.Tx) error {
		w.tx, w.judged = tx, map[string]bool{}
		for _, e := range batch {
			if err := w.read(e); err != nil {
				return fmt.Errorf("shelves: entry %d: %w", e.Index, err)
			}
		}
		return nil
	})
	return w.changed, err
}

// work is a batch being applied.
type work struct {
	ctx     context.Context
	s       *Shelves
	tx      *sql.Tx
	judged  map[string]bool // since the last shelf: the catalogue's answer stays within a batch
	now     int64           // time of the entry that is read, Unix seconds
	changed bool
}

func (w *work) exec(query string, args ...any) error {
	_, err := w.tx.ExecContext(w.ctx, query, args...)
	return err
}

func (w *work) row(query string, args []any, dest ...any) (bool, error) {
	err := w.tx.QueryRowContext(w.ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (w *work) sums(query string, args ...any) ([]string, error) {
	rows, err := w.tx.QueryContext(w.ctx, query, args...)
	return sqldb.Collect(rows, err, func(rows *sql.Rows) (string, error) {
		var sum []byte
		err := rows.Scan(&sum)
		return hex.EncodeToString(sum), err
	})
}

func (w *work) read(e view.Entry) error {
	if e.Raw == nil || (!e.Known && !e.Entry.Critical) {
		return nil
	}
	w.now = e.Entry.Time.Unix()
	records, blobs := e.Entry.Names(e.Index)
	switch {
	case !e.Known: // critical: it may close what it names
	case e.Entry.Type == record.TypeShelf:
		return w.shelf(e.Index, e.Entry)
	case e.Entry.Type == record.TypeAccession && len(e.Entry.Files) == 0, e.Entry.Type == record.TypeRevision:
		return nil
	case e.Entry.Type == record.TypeUnmerge:
		named, err := w.s.cfg.Catalog.Named(w.ctx, e.Index)
		if err != nil {
			return err
		}
		records = named
	case e.Entry.Type == record.TypeErasure:
		for _, j := range e.Entry.Entries {
			named, err := w.s.cfg.Catalog.Named(w.ctx, j)
			if err != nil && !errs.Is(err, errs.NotFound) {
				return err
			}
			records = append(records, named...)
			if err := w.drop(j); err != nil {
				return err
			}
		}
	}
	for _, n := range records {
		if err := w.record(n); err != nil {
			return err
		}
	}
	for _, sha := range blobs {
		if err := w.judge(sha); err != nil {
			return err
		}
	}
	return nil
}

// record judges all files that a record names, or named when it was last looked at.
func (w *work) record(n int64) error {
	sums, err := w.sums("SELECT sha256 FROM named WHERE n = ?", n)
	if err != nil {
		return err
	}
	st, err := w.state(n)
	if err != nil {
		return err
	}
	if st != nil {
		fit := record.MayShelve(st, nil)
		for _, f := range st.Files {
			if slices.Contains(sums, f.SHA256) {
				continue
			}
			if !fit { // then it matters only when it is on a shelf already
				on, err := w.onShelf(f.SHA256)
				if err != nil {
					return err
				}
				if !on {
					continue
				}
			}
			sums = append(sums, f.SHA256)
		}
	}
	for _, sha := range sums {
		if err := w.judge(sha); err != nil {
			return err
		}
	}
	return nil
}

// state is a record as the catalogue has it; nil for what is no record now.
func (w *work) state(n int64) (*record.State, error) {
	st, err := w.s.cfg.Catalog.Record(w.ctx, n)
	switch errs.KindOf(err) {
	case errs.NotFound, errs.Gone, errs.Corrupt:
		if err != nil {
			return nil, w.ctx.Err()
		}
	}
	return st, err
}

func (w *work) onShelf(sha string) (bool, error) {
	sum, _ := hex.DecodeString(sha)
	var one int
	return w.row("SELECT 1 FROM files WHERE sha256 = ? LIMIT 1", []any{sum}, &one)
}

// judge asks whether a file may be passed on, and notes the answer wherever it is.
func (w *work) judge(sha string) error {
	sum, err := hex.DecodeString(sha)
	if err != nil || len(sum) != 32 {
		return nil // an unknown entry may name anything
	}
	if w.judged[sha] {
		return nil
	}
	w.judged[sha] = true
	cat := w.s.cfg.Catalog
	records, err := cat.ByBlob(w.ctx, sha)
	if err != nil {
		return err
	}
	closings, err := cat.BlobWithdrawals(w.ctx, sha)
	if err != nil {
		return err
	}
	var bytes, since int64
	fit, said := false, int64(0) // said is when the register last spoke of its rights
	for _, c := range closings {
		if !c.Keeper {
			said = max(said, c.Time.Unix())
		}
	}
	for _, n := range records {
		st, err := w.state(n)
		if err != nil {
			return err
		}
		if st != nil {
			for _, ev := range st.History {
				switch ev.Type {
				case record.TypeRights, record.TypeFiles, record.TypeWithdrawal, record.TypeRestoration, record.TypeErasure:
					said = max(said, ev.Time.Unix())
				}
			}
		}
		if !record.MayShelve(st, closings) {
			continue
		}
		at := st.Time.Unix()
		for _, ev := range st.History {
			switch ev.Type {
			case record.TypeRights, record.TypeFiles, record.TypeRestoration:
				at = max(at, ev.Time.Unix())
			}
		}
		if i := slices.IndexFunc(st.Files, func(f record.File) bool { return f.SHA256 == sha }); i >= 0 && (!fit || at < since) {
			fit, since, bytes = true, at, st.Files[i].Bytes
		}
	}
	shelved, err := w.mark(sum, !fit, max(said, w.now))
	if err != nil {
		return err
	}
	on, err := w.onShelf(sha)
	if err != nil {
		return err
	}
	if fit || on {
		for _, n := range records {
			if err := w.exec("INSERT INTO named (n, sha256) VALUES (?, ?) ON CONFLICT DO NOTHING", n, sum); err != nil {
				return err
			}
		}
	}
	return w.wait(sum, fit && !shelved && bytes >= 1 && bytes <= MaxFile, since, bytes)
}

// mark notes on every shelf that has the file whether it is closed, since at where
// that is new; shelved is true when one of them still counts.
func (w *work) mark(sum []byte, closed bool, at int64) (shelved bool, err error) {
	rows, err := w.tx.QueryContext(w.ctx, "SELECT shelf, files.closed, replaced FROM files JOIN shelves ON number = shelf WHERE sha256 = ?", sum)
	type place struct {
		shelf, replaced int64
		closed          bool
	}
	places, err := sqldb.Collect(rows, err, func(rows *sql.Rows) (p place, err error) {
		err = rows.Scan(&p.shelf, &p.closed, &p.replaced)
		return p, err
	})
	if err != nil {
		return false, err
	}
	for _, p := range places {
		shelved = shelved || p.replaced == 0
		if p.closed == closed {
			continue
		}
		w.changed = true
		step := -1
		if closed {
			step = 1
		}
		if err := w.exec("UPDATE files SET closed = ? WHERE sha256 = ? AND shelf = ?", closed, sum, p.shelf); err != nil {
			return false, err
		}
		if err := w.exec("UPDATE shelves SET closed = closed + ?, changed = MAX(changed, ?) WHERE number = ?", step, at, p.shelf); err != nil {
			return false, err
		}
	}
	return shelved, nil
}

// wait puts a file among those that wait for a shelf, or takes it away.
func (w *work) wait(sum []byte, yes bool, since, bytes int64) error {
	var had int64
	was, err := w.row("SELECT bytes FROM waiting WHERE sha256 = ?", []any{sum}, &had)
	if err != nil || (!was && !yes) {
		return err
	}
	n, size := int64(0), int64(0)
	if was {
		n, size = -1, -had
		if err := w.exec("DELETE FROM waiting WHERE sha256 = ?", sum); err != nil {
			return err
		}
	}
	if yes {
		n, size = n+1, size+bytes
		if err := w.exec("INSERT INTO waiting (sha256, since, bytes) VALUES (?, ?, ?)", sum, since, bytes); err != nil {
			return err
		}
	}
	const add = "INSERT INTO totals (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = v + excluded.v"
	if err := w.exec(add, "files", n); err != nil {
		return err
	}
	return w.exec(add, "bytes", size)
}

// shelf takes in a shelf. One whose manifest is not what the entry says gets its
// number all the same, and is broken.
func (w *work) shelf(i int64, e record.Entry) error {
	var number int64
	if _, err := w.row("SELECT COALESCE(MAX(number), 0) + 1 FROM shelves", nil, &number); err != nil {
		return err
	}
	s := Shelf{Number: number, Entry: i, Files: e.Count, Bytes: e.Bytes}
	if e.Body != nil {
		s.Body = *e.Body
	}
	body, _ := hex.DecodeString(s.Body.SHA256) // empty where there is none
	m, err := w.manifest(e)
	if err != nil {
		if errs.KindOf(err) != errs.Refused && errs.KindOf(err) != errs.TooLarge {
			return err // the body is not here, or damaged: it may come
		}
		s.Broken = err.Error()
	}
	if m != nil {
		s.Infohash, _ = ParseInfohash(e.Infohash)
		var twin int64
		if there, err := w.row("SELECT number FROM shelves WHERE body = ? AND broken = ''", []any{body}, &twin); err != nil {
			return err
		} else if there {
			s.Broken, m = fmt.Sprintf("it is shelf %d again", twin), nil
		}
	}
	old, _ := hex.DecodeString(e.Replaces)
	if m != nil && len(old) == 32 {
		if _, err := w.row("SELECT number FROM shelves WHERE body = ? AND broken = '' AND replaced = 0", []any{old}, &s.Replaces); err != nil {
			return err
		}
	}
	err = w.exec("INSERT INTO shelves ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?)", s.Number, s.Entry, w.now, body, s.Body.Bytes,
		s.Infohash[:], s.Files, s.Bytes, s.Replaces, w.now, s.Broken)
	if err != nil || m == nil {
		return err
	}
	w.changed = true
	clear(w.judged)
	var again []string
	if s.Replaces != 0 {
		if err := w.exec("UPDATE shelves SET replaced = ?, changed = MAX(changed, ?) WHERE number = ?", s.Number, w.now, s.Replaces); err != nil {
			return err
		}
		if again, err = w.filesOf(s.Replaces); err != nil {
			return err
		}
	}
	for _, f := range m.Files {
		sum, _ := hex.DecodeString(f.SHA256)
		if err := w.exec("INSERT INTO files (sha256, shelf, closed) VALUES (?, ?, 0)", sum, s.Number); err != nil {
			return err
		}
		again = append(again, f.SHA256)
	}
	for _, sha := range again {
		if err := w.judge(sha); err != nil {
			return err
		}
	}
	return nil
}

// manifest reads the manifest that an entry names; nil with an error of the kind
// Refused when it can never be right.
func (w *work) manifest(e record.Entry) (*Manifest, error) {
	if e.Body == nil {
		return nil, errs.New(errs.Refused, "its entry names no list")
	}
	m, err := readManifest(w.ctx, w.s.cfg.Body, *e.Body)
	if err != nil {
		return nil, err
	}
	if int64(len(m.Files)) != e.Count || m.Bytes() != e.Bytes {
		return nil, errs.New(errs.Refused, "its list has %d files and %d bytes, its entry says %d and %d", len(m.Files), m.Bytes(), e.Count, e.Bytes)
	}
	if m.Infohash(e.Body.SHA256).String() != e.Infohash {
		return nil, errs.New(errs.Refused, "its list makes another torrent than its entry says")
	}
	return m, nil
}

// filesOf lists the files of a shelf, from its manifest, which was read before.
func (w *work) filesOf(number int64) ([]string, error) {
	var body record.Body
	var sum []byte
	if _, err := w.row("SELECT body, size FROM shelves WHERE number = ?", []any{number}, &sum, &body.Bytes); err != nil {
		return nil, err
	}
	body.SHA256 = hex.EncodeToString(sum)
	m, err := readManifest(w.ctx, w.s.cfg.Body, body)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range m.Files {
		out = append(out, f.SHA256)
	}
	return out, nil
}

// drop takes away the shelf of an erased entry. Its number is not used again
// while it is not the last; libraries made by this program erase no shelf.
func (w *work) drop(entry int64) error {
	var number int64
	there, err := w.row("SELECT number FROM shelves WHERE entry = ?", []any{entry}, &number)
	if err != nil || !there {
		return err
	}
	w.changed = true
	sums, err := w.sums("SELECT sha256 FROM files WHERE shelf = ?", number)
	if err != nil {
		return err
	}
	if err := w.exec("DELETE FROM files WHERE shelf = ?", number); err != nil {
		return err
	}
	if err := w.exec("UPDATE shelves SET replaced = 0 WHERE replaced = ?", number); err != nil {
		return err
	}
	if err := w.exec("DELETE FROM shelves WHERE number = ?", number); err != nil {
		return err
	}
	clear(w.judged)
	for _, sha := range sums {
		if err := w.judge(sha); err != nil {
			return err
		}
	}
	return nil
}
