package app

import (
	"context"
	"slices"
	"strings"

	"wenlan/internal/copies"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/register"

	fnote "github.com/transparency-dev/formats/note"
)

// copies is what pages and feeds say of this copy and of the others.
func (l *Library) copies() copies.Source {
	return copies.Source{Trust: l.trust, Mirrors: l.listMirrors, Shelves: l.listShelves, Of: l.copiesOf, Denied: l.denied}
}

// trust is how far this copy of the register can be relied on. It answers from memory.
func (l *Library) trust(context.Context) copies.Trust {
	_, held := l.heldBy()
	t := copies.Trust{Size: l.Register.Size(), Changes: l.changes.Load() + held}
	if c, ok := l.Register.Charter(); ok {
		t.Quorum = c.Quorum
	}
	if cp, ok := l.Register.Safe(); ok {
		t.Safe = cp.Size
	}
	f, at := l.Register.Freshness(l.Config.now())
	t.Freshness, t.Witnessed = freshness[f], at
	if l.witnesses != nil {
		if err := l.witnesses.Against(); err != nil {
			t.Alarm = copies.Alarm{Kind: copies.Rollback, Message: err.Error()}
		}
	}
	if l.copying == nil {
		return t
	}
	s := l.copying.mirror.Status()
	t.Mirror, t.Origin = true, s.Origin
	t.Target, t.Heard = max(s.Target, t.Size), s.Heard
	t.Partial, t.Files, t.Wanted = s.Partial, s.Files.Files, s.Wanted.Files
	t.Selection = s.Selection
	if s.Alarm != nil {
		t.Alarm = copies.Alarm{Kind: copies.AlarmKind(s.Alarm.Kind), Since: s.Alarm.Since}
		if s.Alarm.Kind != mirror.AlarmFork { // of a fork, pages say as much in the reader's language
			t.Alarm.Message = s.Alarm.Sentence
		}
	}
	return t
}

var freshness = map[register.Freshness]copies.Freshness{
	register.Unwitnessed: copies.Unwitnessed, register.Current: copies.Current, register.Late: copies.Late, register.Stale: copies.Stale,
}

// listMirrors is who has announced a copy.
func (l *Library) listMirrors(ctx context.Context) (out copies.Mirrors, err error) {
	if out.Shelves, err = l.heldShelves(ctx); err != nil && !errs.Is(err, errs.Unavailable) {
		return out, err
	}
	counts, err := l.Catalog.Counts(ctx)
	if err != nil {
		return out, err
	}
	out.Records = []copies.Held{{Copies: l.copyHolders().Of(0).Verified, N: counts.Readable}}
	audited := l.audited()
	for _, a := range l.mirrors.All() {
		if strings.TrimSuffix(a.URL, "/") == strings.TrimSuffix(l.Config.URL, "/") {
			continue // what this origin said of itself while it was a mirror
		}
		witness := "" // a part attests nothing
		if a.All {
			witness, _ = fnote.VKeyToCosignatureV1(a.Key)
		}
		last := audited[strings.TrimSuffix(a.URL, "/")]
		out.List = append(out.List, copies.Mirror{
			URL: a.URL, Key: a.Key, Witness: witness, All: a.All, Size: a.Size, Shelves: shelvesOf(a), Heard: a.Heard,
			Audited: last.Time, Passed: last.Passed, Note: last.Note,
		})
	}
	return out, nil
}

// shelvesOf is how many shelves a mirror says that it holds.
func shelvesOf(a mirror.Announcement) (n int64) {
	for _, b := range a.Shelves {
		for ; b != 0; b &= b - 1 {
			n++
		}
	}
	return n
}

// denied is what the keeper of this mirror refuses.
func (l *Library) denied(context.Context) ([]copies.Refusal, error) {
	var out []copies.Refusal
	for _, r := range l.refused.List() {
		out = append(out, copies.Refusal{Record: r.Record, SHA256: r.Blob, Reason: r.Reason})
	}
	slices.SortStableFunc(out, func(a, b copies.Refusal) int { return int(a.Record - b.Record) })
	return out, nil
}
