package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

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
	Blobs   []string `json:"blobs"` // that they named; those that nothing else names go too
}

const erasingFile = "erasing.json"

// erase appends an erasure and purges what it names: the entry's content, its
// body blob, and, for an accession, everything else that describes the record,
// with the files that no other record has.
func (l *Library) erase(ctx context.Context, req EraseRequest, emit func(Event)) error {
	if req.Ground == "" {
		return errs.New(errs.Invalid, "an erasure states its ground")
	}
	l.erasing.Lock() // there is one journal
	defer l.erasing.Unlock()
	if there, err := durable.Exists(durable.OS(), l.Config.path(erasingFile)); err != nil {
		return err
	} else if there {
		if err := l.finishErasures(ctx); err != nil {
			return fmt.Errorf("finish the last erasure first: %w", err)
		}
	}
	raw, err := l.Register.Entry(ctx, req.Entry)
	if errs.Is(err, errs.Gone) {
		return errs.New(errs.Gone, "entry %d was erased already", req.Entry)
	}
	if err != nil {
		return err
	}
	e, known, err := record.Decode(raw)
	if err != nil {
		return err
	}
	if !known || e.Critical || e.Type == record.TypeCharter || e.Type == record.TypeShelf { // a shelf names only hashes; its number must stay
		return errs.New(errs.Refused, "a %s entry cannot be erased", e.Type)
	}
	job := erasing{From: l.Register.Size(), Entries: []int64{req.Entry}}
	if e.Type == record.TypeAccession {
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
		blobs, err := l.blobsOf(ctx, i)
		if err != nil {
			return err
		}
		job.Blobs = append(job.Blobs, blobs...)
	}
	if err := l.writeErasing(job); err != nil {
		return err
	}
	if _, err := l.decide(ctx, record.Entry{Type: record.TypeErasure, Entries: job.Entries, Ground: req.Ground, Case: req.Case}, emit); err != nil {
		return err
	}
	if err := l.purge(ctx, job); err != nil {
		return err
	}
	return l.catchTexts(ctx)
}

// writeErasing writes the journal of an erasure, durably.
func (l *Library) writeErasing(job erasing) error {
	journal, err := json.Marshal(job)
	if err != nil {
		return err
	}
	return durable.WriteFile(durable.OS(), l.Config.path(erasingFile), journal, 0o600)
}

// textTime is how long an erasure waits for the full text.
const textTime = 30 * time.Second

// catchTexts waits until the full text has followed, so that what was erased is
// found in it no more. Where it is far behind, it follows later: until then its
// door, which decides at each hit, keeps shut what was erased.
func (l *Library) catchTexts(ctx context.Context) error {
	if l.FullText.Cursor() == 0 {
		return nil // it has read nothing yet
	}
	if l.texts == nil {
		if err := l.followTexts(); err != nil {
			return err
		}
	}
	soon, cancel := context.WithTimeout(ctx, textTime)
	defer cancel()
	if err := l.texts.Catch(soon); err != nil && (ctx.Err() != nil || soon.Err() == nil) {
		return err
	}
	return nil
}

// blobsOf lists the blobs that an entry names: its body, and its files.
func (l *Library) blobsOf(ctx context.Context, i int64) (blobs []string, err error) {
	raw, err := l.Register.Entry(ctx, i)
	if err != nil {
		return nil, err
	}
	e, _, err := record.Decode(raw)
	if err != nil {
		return nil, err
	}
	if e.Body != nil {
		blobs = append(blobs, e.Body.SHA256)
		if e.Type == record.TypeShelf || e.Type == record.TypeStatement {
			return blobs, nil // their bodies are lists of their own form; the files on a shelf are its records'
		}
		b, err := l.body(ctx, *e.Body)
		if errs.Is(err, errs.NotFound) {
			return blobs, nil
		}
		if err != nil {
			return nil, err
		}
		if e, err = e.WithBody(b); err != nil {
			return nil, err
		}
	}
	for _, f := range append(slices.Clone(e.Files), e.Add...) {
		blobs = append(blobs, f.SHA256)
	}
	return blobs, nil
}

// purge takes away what an erasure names. It needs the views: when they have read
// the erasure, a blob that they still know is named by something else. Where it
// fails the journal stays.
func (l *Library) purge(ctx context.Context, job erasing) error {
	if err := l.Views.Catch(ctx); err != nil {
		return err
	}
	if err := l.Register.Erase(ctx, job.Entries); err != nil {
		return err
	}
	l.purging.Lock()
	defer l.purging.Unlock()
	for _, sum := range job.Blobs {
		records, err := l.Catalog.ByBlob(ctx, sum)
		if err != nil {
			return err
		}
		_, err = l.Catalog.Body(ctx, sum)
		if len(records) > 0 || err == nil {
			continue
		}
		if !errs.Is(err, errs.NotFound) {
			return err
		}
		if err := l.Blobs.Delete(ctx, sum); err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	if err := durable.OS().Remove(l.Config.path(erasingFile)); err != nil {
		return err
	}
	return durable.OS().SyncDir(l.Config.Data)
}

// finishErasures makes good an erasure that a crash cut short. The views must
// have followed the register.
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
		if err != nil || e.Type != record.TypeErasure {
			return nil
		}
		if e.Body != nil {
			b, err := l.body(ctx, *e.Body)
			if err != nil {
				return err
			}
			if e, err = e.WithBody(b); err != nil {
				return err
			}
		}
		said = said || slices.Contains(e.Entries, job.Entries[0])
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
