package app

import (
	"context"
	"encoding/json"
	"slices"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// erasing is the journal of an erasure: written before its entry is appended,
// removed after the purge, so that a crash between the two is made good at the
// next start.
type erasing struct {
	From    int64    `json:"from"` // the erasure entry is at this index or later
	Entries []int64  `json:"entries"`
	Record  bool     `json:"record"` // a whole record: its accession and all that describes it
	Blobs   []string `json:"blobs"`  // that nothing else names
}

const erasingFile = "erasing.json"

// erase appends an erasure and purges what it names: the entry's content, its
// body blob, and, for an accession, everything else that describes the record,
// and the files that no other record has.
func (l *Library) erase(ctx context.Context, req EraseRequest, emit func(Event)) error {
	if req.Ground == "" {
		return errs.New(errs.Invalid, "an erasure states its ground")
	}
	raw, err := l.Register.Entry(ctx, req.Entry)
	if errs.Is(err, errs.Gone) {
		return errs.New(errs.Gone, "entry %d is erased already", req.Entry)
	}
	if err != nil {
		return err
	}
	e, known, err := record.Decode(raw)
	if err != nil {
		return err
	}
	if e.Type == record.TypeCharter || e.Critical || !known {
		return errs.New(errs.Refused, "a %s entry cannot be erased", e.Type)
	}
	job := erasing{From: l.Register.Size(), Entries: []int64{req.Entry}}
	if job.Record = e.Type == record.TypeAccession; job.Record {
		st, err := l.Catalog.Record(ctx, req.Entry)
		if err != nil {
			return err
		}
		for _, ev := range st.History {
			if !ev.Erased && (ev.Type == record.TypeRevision || ev.Type == record.TypeFiles) {
				job.Entries = append(job.Entries, ev.Entry)
			}
		}
	}
	for _, i := range job.Entries {
		if err := l.orphans(ctx, i, req.Entry, &job); err != nil {
			return err
		}
	}
	journal, err := json.Marshal(job)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(durable.OS(), l.Config.path(erasingFile), journal, 0o600); err != nil {
		return err
	}
	if _, err := l.decide(ctx, record.Entry{Type: record.TypeErasure, Entries: job.Entries, Ground: req.Ground, Case: req.Case}, emit); err != nil {
		return err
	}
	return l.purge(ctx, job)
}

// orphans adds to the job the blobs of entry i that only it, or the record that
// is being erased, names: its body, and its files.
func (l *Library) orphans(ctx context.Context, i, number int64, job *erasing) error {
	raw, err := l.Register.Entry(ctx, i)
	if err != nil {
		return err
	}
	e, _, err := record.Decode(raw)
	if err != nil {
		return err
	}
	if e.Body != nil {
		job.Blobs = append(job.Blobs, e.Body.SHA256)
		b, err := l.body(ctx, *e.Body)
		if errs.Is(err, errs.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, err = e.WithBody(b); err != nil {
			return err
		}
	}
	if !job.Record {
		return nil
	}
	for _, f := range append(slices.Clone(e.Files), e.Add...) {
		others, err := l.Catalog.ByBlob(ctx, f.SHA256)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(others, func(n int64) bool { return n != number }) && !slices.Contains(job.Blobs, f.SHA256) {
			job.Blobs = append(job.Blobs, f.SHA256)
		}
	}
	return nil
}

func (l *Library) purge(ctx context.Context, job erasing) error {
	if err := l.Register.Erase(ctx, job.Entries); err != nil {
		return err
	}
	for _, sum := range job.Blobs {
		if err := l.Blobs.Delete(ctx, sum); err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	if err := durable.OS().Remove(l.Config.path(erasingFile)); err != nil {
		return err
	}
	return durable.OS().SyncDir(l.Config.Data)
}

// finishErasures makes good an erasure that a crash cut short. It runs before
// the views are used.
func (l *Library) finishErasures(ctx context.Context) error {
	there, err := durable.Exists(durable.OS(), l.Config.path(erasingFile))
	if err != nil || !there {
		return err
	}
	raw, err := durable.ReadFile(durable.OS(), l.Config.path(erasingFile), 1<<20)
	if err != nil {
		return err
	}
	var job erasing
	if err := json.Unmarshal(raw, &job); err != nil {
		return errs.New(errs.Corrupt, "%s is damaged: %w", l.Config.path(erasingFile), err)
	}
	said := false
	err = l.Register.Read(ctx, job.From, l.Register.Size(), func(i int64, entry []byte) error {
		if entry == nil {
			return nil
		}
		e, _, err := record.Decode(entry)
		if err == nil && e.Type == record.TypeErasure && slices.Contains(e.Entries, job.Entries[0]) {
			said = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !said { // the entry was never appended: nothing was promised
		if err := durable.OS().Remove(l.Config.path(erasingFile)); err != nil {
			return err
		}
		return durable.OS().SyncDir(l.Config.Data)
	}
	return l.purge(ctx, job)
}
