package app

import (
	"context"
	"slices"
	"strings"

	"wenlan/internal/copies"
	"wenlan/internal/mirror"
	"wenlan/internal/register"

	fnote "github.com/transparency-dev/formats/note"
)

// copies is what pages and feeds say of this copy and of the others.
func (l *Library) copies() copies.Source {
	return copies.Source{Trust: l.trust, Mirrors: l.listMirrors, Shelves: l.listShelves, Denied: l.denied}
}

// trust is how far this copy of the register can be relied on. It answers from memory.
func (l *Library) trust(context.Context) copies.Trust {
	t := copies.Trust{Size: l.Register.Size(), Changes: l.changes.Load()}
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
		t.Alarm = copies.Alarm{Kind: copies.AlarmKind(s.Alarm.Kind), Message: s.Alarm.Sentence, Since: s.Alarm.Since}
	}
	return t
}

var freshness = map[register.Freshness]copies.Freshness{
	register.Unwitnessed: copies.Unwitnessed, register.Current: copies.Current, register.Late: copies.Late, register.Stale: copies.Stale,
}

// listMirrors is who has announced a copy.
func (l *Library) listMirrors(context.Context) (copies.Mirrors, error) {
	var out copies.Mirrors
	for _, a := range l.mirrors.All() {
		witness := "" // a part attests nothing
		if a.All {
			witness, _ = fnote.VKeyToCosignatureV1(a.Key)
		}
		out.List = append(out.List, copies.Mirror{
			URL: a.URL, Operator: operator(a), Key: a.Key, Witness: witness, All: a.All, Size: a.Size, Shelves: shelvesOf(a), Heard: a.Heard,
		})
	}
	return out, nil
}

// operator is who keeps a mirror, as far as its address tells.
func operator(a mirror.Announcement) string {
	host := strings.TrimPrefix(strings.TrimPrefix(a.URL, "https://"), "http://")
	host, _, _ = strings.Cut(host, "/")
	return host
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
