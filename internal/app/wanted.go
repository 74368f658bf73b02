package app

import (
	"bytes"
	"context"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// wanted calls fn with every blob that a copy of the library may hold, by the entries
// from one on that say so: the tables and lists that the register names, always, and
// the files that any visitor may have today, of records that choose selects (nil: all).
// pos is the index of the entry. A record's files come with the last entry that may
// have opened them; a blob comes again where another record has it too, or where it was
// closed and reopened by its hash. The catalogue must have followed.
func (l *Library) wanted(ctx context.Context, from int64, choose func(*record.State) bool, fn func(pos int64, ref blob.Ref) error) error {
	end := min(l.Register.Size(), l.Catalog.Cursor())
	if from >= end {
		return nil
	}
	return l.Register.Read(ctx, from, end, func(i int64, raw []byte) error {
		if !mayOpen(raw) {
			return nil
		}
		e, _, err := record.Decode(raw)
		if err != nil {
			return nil // what is no entry names nothing
		}
		if e.Body != nil {
			if err := fn(i, blob.Ref{SHA256: e.Body.SHA256, Bytes: e.Body.Bytes}); err != nil {
				return err
			}
		}
		numbers, err := l.Catalog.Named(ctx, i)
		if err != nil {
			return err
		}
		if e.Type == record.TypeAccession {
			numbers = append(numbers, i)
		}
		give := func(f record.File) error { return fn(i, blob.Ref{SHA256: f.SHA256, Bytes: f.Bytes}) }
		for _, n := range numbers {
			once := func(st *record.State) bool { return lastOpening(st) == i && (choose == nil || choose(st)) }
			if err := l.openFiles(ctx, n, once, give); err != nil {
				return err
			}
		}
		if e.Blob == "" {
			return nil
		}
		if numbers, err = l.Catalog.ByBlob(ctx, e.Blob); err != nil {
			return err
		}
		for _, n := range numbers {
			if err := l.openFiles(ctx, n, choose, func(f record.File) error {
				if f.SHA256 != e.Blob {
					return nil
				}
				return give(f)
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// lastOpening is the last entry of a record that may have opened its files; mayOpen
// says yes to all such.
func lastOpening(st *record.State) (entry int64) {
	for _, ev := range st.History {
		switch ev.Type {
		case record.TypeAccession, record.TypeFiles, record.TypeRights, record.TypeRestoration:
			entry = ev.Entry
		}
	}
	return entry
}

// mayOpen says whether an entry names a blob or is one that lastOpening counts. It
// spares the decoding of the millions that only describe.
func mayOpen(raw []byte) bool {
	for _, key := range [][]byte{[]byte(`"sha256"`), []byte(`"rights"`), []byte(`"restoration"`), []byte(`"files"`)} {
		if bytes.Contains(raw, key) {
			return true
		}
	}
	return false
}

// openFiles calls fn with the files of a record that any visitor may have today.
func (l *Library) openFiles(ctx context.Context, n int64, choose func(*record.State) bool, fn func(record.File) error) error {
	st, err := l.Catalog.Record(ctx, n)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(st.Files) == 0 || choose != nil && !choose(st) {
		return nil
	}
	for _, f := range st.Files {
		withdrawals, err := l.Catalog.BlobWithdrawals(ctx, f.SHA256)
		if err != nil {
			return err
		}
		if record.Decide(record.Question{State: st, BlobWithdrawals: withdrawals, Standing: record.Visitor, At: l.Config.now()}).Download {
			if err := fn(f); err != nil {
				return err
			}
		}
	}
	return nil
}
