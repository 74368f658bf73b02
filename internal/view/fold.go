package view

import (
	"context"
	"slices"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Decode is the entry as views get it, its body blob included. What is no entry,
// or has no known type, is not an error: it comes with Known false. The error is
// that of fetching the body.
func Decode(ctx context.Context, index int64, raw []byte, body Body) (Entry, error) {
	out := Entry{Index: index, Raw: raw}
	if raw == nil {
		return out, nil
	}
	e, known, err := record.Decode(raw)
	if err != nil {
		return out, nil
	}
	out.Entry, out.Known = e, known
	if !known || e.Body == nil || e.Type == record.TypeShelf || e.Type == record.TypeStatement {
		return out, nil // no view needs the tables, only that they are there
	}
	if body == nil {
		return out, errs.New(errs.Unavailable, "entry %d has a body, and there are no body blobs here", index)
	}
	b, err := body(ctx, *e.Body)
	if err != nil {
		return out, err
	}
	full, err := e.WithBody(b)
	if err != nil {
		out.Known = false
		return out, nil
	}
	out.Entry = full
	return out, nil
}

// Fold is record.Fold over decoded entries: the state of record n out of all
// entries that name it. outside is true when the error is not one of the entries
// but of fetching a body, so that trying again may help.
func Fold(ctx context.Context, n int64, entries []Entry, body Body) (st *record.State, outside bool, err error) {
	if len(entries) == 1 && entries[0].Index == n && entries[0].Known && entries[0].Entry.Type == record.TypeAccession {
		return foldOne(n, entries[0].Entry), false, nil
	}
	indexed := make([]record.Indexed, len(entries))
	for i, e := range entries {
		indexed[i] = record.Indexed{Index: e.Index, Raw: e.Raw}
	}
	fetch := func(b record.Body) ([]byte, error) {
		if body == nil {
			outside = true
			return nil, errs.New(errs.Unavailable, "there are no body blobs here")
		}
		raw, err := body(ctx, b)
		if err != nil {
			outside = true
		}
		return raw, err
	}
	st, err = record.Fold(n, indexed, fetch)
	return st, outside, err
}

// foldOne is what record.Fold gives for an accession alone, which most records
// are, without decoding it again; a test holds the two together.
func foldOne(n int64, e record.Entry) *record.State {
	src := record.Source{}
	if e.Source != nil {
		src = *e.Source
	}
	return &record.State{
		Number:  n,
		Time:    e.Time,
		Record:  *e.Record,
		Files:   slices.Clone(e.Files),
		Rights:  e.Rights,
		Sources: []record.Source{src},
		History: []record.Event{{Entry: n, Type: e.Type, Time: e.Time, Note: src.Name}},
	}
}
