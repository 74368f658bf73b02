package app

import (
	"context"
	"fmt"
	"slices"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// MergeRequest says that records are the same edition as another, which stands for
// them from now on. Nothing of them is lost: their pages, files and identifiers
// lead there, and an unmerge takes it back.
type MergeRequest struct {
	From []int64 `json:"from"`
	Into int64   `json:"into"`
}

// UnmergeRequest says that a record is one of its own after all. The two that were
// merged then count as told apart: they are doubtful no more.
type UnmergeRequest struct {
	Record int64 `json:"record"`
}

// merge appends one entry for each record, all of them or none. errs.NotFound,
// errs.Gone: one of the records; errs.Refused: they cannot be merged so.
func (l *Library) merge(ctx context.Context, req MergeRequest, emit func(Event)) error {
	l.merging.Lock()
	defer l.merging.Unlock()
	if len(req.From) == 0 {
		return errs.New(errs.Invalid, "the request names no record to merge")
	}
	into, err := l.live(ctx, req.Into)
	if err != nil {
		return err
	}
	if into.MergedInto != nil {
		end, err := l.Catalog.Target(ctx, req.Into)
		if err != nil {
			return err
		}
		return errs.WithHint(errs.New(errs.Refused, "record %d is itself merged into record %d", req.Into, *into.MergedInto), fmt.Sprintf("merge into %d", end))
	}
	var entries []record.Entry
	from := slices.Clone(req.From)
	slices.Sort(from)
	for _, n := range slices.Compact(from) {
		if n == req.Into {
			return errs.New(errs.Refused, "record %d cannot be merged into itself", n)
		}
		st, err := l.live(ctx, n)
		if err != nil {
			return err
		}
		switch {
		case st.MergedInto == nil:
			entries = append(entries, record.Entry{Type: record.TypeMerge, From: &n, Into: &req.Into})
		case *st.MergedInto == req.Into:
			emit(Event{Entry: &Appended{Entry: -1, Type: record.TypeMerge, Record: &n, Into: &req.Into}})
		default:
			return errs.WithHint(errs.New(errs.Refused, "record %d is already merged into record %d", n, *st.MergedInto), fmt.Sprintf("run `wenlan unmerge %d` first", n))
		}
	}
	return l.decideAll(ctx, entries, emit)
}

// unmerge takes back the merge by which a record is merged into another.
func (l *Library) unmerge(ctx context.Context, req UnmergeRequest, emit func(Event)) error {
	l.merging.Lock()
	defer l.merging.Unlock()
	st, err := l.live(ctx, req.Record)
	if err != nil {
		return err
	}
	if st.MergedInto == nil {
		return errs.New(errs.Refused, "record %d is not merged into another", req.Record)
	}
	merges, err := l.Catalog.MergesOf(ctx, req.Record)
	if err != nil {
		return err
	}
	if len(merges) == 0 {
		return errs.New(errs.Corrupt, "the catalogue does not know the merge of record %d", req.Record)
	}
	var entries []record.Entry
	for _, m := range merges {
		entries = append(entries, record.Entry{Type: record.TypeUnmerge, Of: &m})
	}
	return l.decideAll(ctx, entries, func(ev Event) {
		if ev.Entry != nil { // the entry names the merge; people know the record
			ev.Entry.Record, ev.Entry.Into = &req.Record, st.MergedInto
		}
		emit(ev)
	})
}

// decideAll appends several short decisions, all of them or none, and says so.
func (l *Library) decideAll(ctx context.Context, entries []record.Entry, emit func(Event)) error {
	if len(entries) == 0 {
		return nil
	}
	var raw [][]byte
	for _, e := range entries {
		e.Time = l.Config.now()
		b, err := record.Encode(e)
		if err != nil {
			return err
		}
		raw = append(raw, b)
	}
	first, err := l.Append(ctx, raw)
	if err != nil {
		return err
	}
	for i, e := range entries {
		emit(Event{Entry: &Appended{Entry: first + int64(i), Type: e.Type, Record: e.From, Into: e.Into}})
	}
	return nil
}
