package app

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"wenlan/internal/copies"
	"wenlan/internal/errs"
	"wenlan/internal/mirror/audit"
	"wenlan/internal/record"
	"wenlan/internal/torrent"
)

const (
	holdersFor  = time.Minute // how old a count of copies may be
	filesLooked = 64          // files of one record whose copies are counted
)

// holders counts the copies of the library: this one, the origin's, and those that
// were announced and audited. It is safe for concurrent use.
type holders struct {
	mu      sync.Mutex
	at      time.Time
	now     copies.Holders
	changes int64  // how often it was another
	print   uint64 // of what it was made from

	counting sync.Mutex // for what follows
	counted  time.Time
	shelves  []copies.Held
	cursor   int64 // of the view of shelves then
	then     int64 // changes then
}

// copyHolders is who holds what, at most a minute old.
func (l *Library) copyHolders() copies.Holders {
	h, _ := l.heldBy()
	return h
}

// heldBy is who holds what, and a number that grows when that has changed.
func (l *Library) heldBy() (copies.Holders, int64) {
	h := &l.held
	h.mu.Lock()
	defer h.mu.Unlock()
	now := l.Config.now()
	if age := now.Sub(h.at); !h.at.IsZero() && age >= 0 && age < holdersFor {
		return h.now, h.changes
	}
	h.at = now
	all := l.mirrorsByOperator()
	if print := fingerprint(all); print != h.print {
		h.now, h.print = copies.NewHolders(all), print
		h.changes++
	}
	return h.now, h.changes
}

// mirrorsByOperator is what every mirror says that it holds, by its operator. This
// copy, and at a mirror its origin's, are among them.
func (l *Library) mirrorsByOperator() map[string][]copies.Holder {
	all := map[string][]copies.Holder{}
	audited := l.audited()
	add := func(address string, h copies.Holder) {
		h.Verified = h.Verified || audited[address].Passed
		who := audit.Operator(address)
		all[who] = append(all[who], h)
	}
	here, whole := l.Config.URL, true
	if l.copying != nil {
		s := l.copying.mirror.Status()
		whole = s.Complete() && !s.Partial
		if s.Origin != "" {
			add(s.Origin, copies.Holder{All: true})
		}
	}
	if whole { // its own disk needs no audit
		add(here, copies.Holder{All: true, Verified: true})
	}
	if l.mirrors != nil {
		for _, a := range l.mirrors.All() {
			add(strings.TrimSuffix(a.URL, "/"), copies.Holder{All: a.All, Shelves: a.Shelves})
		}
	}
	return all
}

// fingerprint tells one state of the mirrors from another.
func fingerprint(all map[string][]copies.Holder) uint64 {
	sum := fnv.New64a()
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, h := range all[name] {
			fmt.Fprintf(sum, "%q %t %t %x\n", name, h.All, h.Verified, h.Shelves)
		}
	}
	return sum.Sum64()
}

// audited is the last audit of each address.
func (l *Library) audited() map[string]audit.Result {
	if l.audits == nil {
		return nil
	}
	return l.audits.Last()
}

// heldShelves is how many shelves that are given out have each number of verified
// copies. It is counted anew when shelves or holders have changed, and then at most
// once a minute.
func (l *Library) heldShelves(ctx context.Context) ([]copies.Held, error) {
	now, changes := l.heldBy()
	at, cursor := l.Config.now(), l.Shelves.Cursor()
	h := &l.held
	h.counting.Lock()
	defer h.counting.Unlock()
	if !h.counted.IsZero() {
		age := at.Sub(h.counted)
		if age >= 0 && age < holdersFor || h.cursor == cursor && h.then == changes {
			return h.shelves, nil
		}
	}
	var numbers []int64
	for after := int64(0); ; {
		list, err := l.Shelves.Ascending(ctx, after, 1000)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			break
		}
		for _, s := range list {
			if after = s.Number; s.State() == torrent.StateOpen {
				numbers = append(numbers, s.Number)
			}
		}
	}
	h.shelves, h.counted, h.cursor, h.then = now.Histogram(numbers), at, cursor, changes
	return h.shelves, nil
}

var errEnough = errors.New("enough")

// copiesOf is how often a record is held: as often as the rarest of its files that
// may be copied. A file that is on no shelf is with those who hold everything.
func (l *Library) copiesOf(ctx context.Context, n int64) (least copies.Count, ok bool, err error) {
	now, looked := l.copyHolders(), 0
	err = l.openFiles(ctx, n, nil, func(f record.File) error {
		if looked++; looked > filesLooked {
			return errEnough
		}
		best := now.Of(0)
		list, err := l.Shelves.OfBlob(ctx, f.SHA256)
		if err != nil && !errs.Is(err, errs.Unavailable) { // the view may be behind, or be made anew
			return err
		}
		for _, s := range list {
			if c := now.Of(s.Number); s.State() == torrent.StateOpen && more(c, best) {
				best = c
			}
		}
		if !ok || more(least, best) {
			least, ok = best, true
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return least, ok, err
}

// more says whether a is held more often than b.
func more(a, b copies.Count) bool {
	return a.Verified > b.Verified || a.Verified == b.Verified && a.Announced > b.Announced
}
