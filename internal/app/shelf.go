package app

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/copies"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/record"
	"wenlan/internal/torrent"
)

const (
	// shelfWait is how long a file waits for a shelf that is not full.
	shelfWait = 30 * 24 * time.Hour
	// shelfEvery is how often a served origin looks whether a shelf is to be closed.
	shelfEvery = time.Hour
)

// ShelfRequest puts on shelves all that waits for one, and replaces the shelves that
// have stopped.
type ShelfRequest struct {
	// Due closes only what is full, or has waited for 30 days.
	Due bool `json:"due,omitempty"`
}

// Shelved is a shelf that was closed.
type Shelved struct {
	Shelf    int64  `json:"shelf"`
	Entry    int64  `json:"entry"`
	Files    int64  `json:"files"`
	Bytes    int64  `json:"bytes"`
	Infohash string `json:"infohash"`
	Name     string `json:"name"`
	Replaces int64  `json:"replaces,omitempty"` // the number of a shelf that had stopped
}

// closeShelves closes shelves. What cannot be read is left out, said in the end
// (errs.Refused), and waits on.
func (l *Library) closeShelves(ctx context.Context, req ShelfRequest, emit func(Event)) error {
	if err := l.notMirror(); err != nil {
		return err
	}
	l.shelving.Lock()
	defer l.shelving.Unlock()
	stopped, err := l.Shelves.Stopped(ctx)
	if err != nil {
		return err
	}
	for _, s := range stopped {
		if err := l.replaceShelf(ctx, s, emit); err != nil {
			return err
		}
	}
	bad := map[string]bool{}
	var last error
	for {
		batch, due, err := l.nextShelf(ctx, bad)
		if err != nil {
			return err
		}
		if len(batch) == 0 || (req.Due && !due) {
			break
		}
		refs := make([]blob.Ref, len(batch))
		taken := make(map[string]time.Time, len(batch))
		for i, w := range batch {
			refs[i] = blob.Ref{SHA256: w.SHA256, Bytes: w.Bytes}
			taken[w.SHA256] = w.Since
		}
		now := l.Config.now()
		m, err := torrent.Build(ctx, l.Blobs, refs, torrent.BuildOptions{
			Checked: func(ref blob.Ref, written time.Time) bool { return justTaken(now, taken[ref.SHA256], written) },
			Left: func(ref blob.Ref, why error) {
				bad[ref.SHA256], last = true, why
				l.log.WarnContext(ctx, "a file does not go on a shelf", "sha256", ref.SHA256, "err", why)
			},
		})
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		if err := l.appendShelf(ctx, m, nil, emit); err != nil {
			return err
		}
	}
	if last != nil {
		return errs.WithHint(errs.New(errs.Refused, "%d files cannot go on a shelf: %w", len(bad), last), "run `wenlan verify --repair`")
	}
	return nil
}

// justTaken says whether a file was taken in within the last day and not written
// since: intake held it to its SHA-256 while it was written, and then appended its
// entry, at the time taken, which has whole seconds.
func justTaken(now, taken, written time.Time) bool {
	return now.Sub(taken) < 24*time.Hour && !taken.After(now) && taken.Sub(written).Abs() < time.Hour && written.Before(taken.Add(time.Second))
}

// nextShelf is what the next shelf holds, the files that have waited longest; due
// says that it is full, or that the first has waited long enough.
func (l *Library) nextShelf(ctx context.Context, bad map[string]bool) (batch []torrent.Waiting, due bool, err error) {
	waiting, err := l.Shelves.Waiting(ctx, torrent.MaxFiles+len(bad))
	if err != nil {
		return nil, false, err
	}
	var size int64
	for _, w := range waiting {
		if bad[w.SHA256] {
			continue
		}
		if len(batch) == torrent.MaxFiles || (len(batch) > 0 && size+w.Bytes > torrent.MaxBytes) {
			return batch, true, nil
		}
		due = due || l.Config.now().Sub(w.Since) >= shelfWait
		batch = append(batch, w)
		size += w.Bytes
	}
	return batch, due || len(batch) >= torrent.MaxFiles || size >= torrent.MaxBytes, nil
}

// replaceShelf puts what may still be passed on of a stopped shelf on a new one. The
// hashes of its pieces stay as they are, so no file is read. A shelf of which nothing
// is left stays stopped.
func (l *Library) replaceShelf(ctx context.Context, s torrent.Shelf, emit func(Event)) error {
	m, err := l.Shelves.Manifest(ctx, s)
	if err != nil {
		return err
	}
	closed, err := l.Shelves.ClosedFiles(ctx, s)
	if err != nil {
		return err
	}
	rest := m.Without(func(sha string) bool { return slices.Contains(closed, sha) })
	if rest == nil || len(rest.Files) == len(m.Files) {
		return nil
	}
	return l.appendShelf(ctx, rest, &s, emit)
}

// appendShelf publishes a shelf. It is durable when it returns.
func (l *Library) appendShelf(ctx context.Context, m *torrent.Manifest, replaces *torrent.Shelf, emit func(Event)) error {
	old := ""
	if replaces != nil {
		old = replaces.Body.SHA256
	}
	e, body, err := m.Entry(old)
	if err != nil {
		return err
	}
	e.Time = l.Config.now()
	raw, err := record.Encode(e)
	if err != nil {
		return err
	}
	l.purging.RLock()
	defer l.purging.RUnlock()
	if _, err := l.Blobs.Put(ctx, bytes.NewReader(body)); err != nil {
		return err
	}
	if err := l.Blobs.Flush(ctx); err != nil {
		return err
	}
	i, err := l.Append(ctx, [][]byte{raw})
	if err != nil {
		return err
	}
	l.changes.Add(1)
	s, err := l.Shelves.ByBody(ctx, e.Body.SHA256)
	if err != nil {
		return err
	}
	emit(Event{Shelved: &Shelved{Shelf: s.Number, Entry: i, Files: s.Files, Bytes: s.Bytes, Infohash: s.Infohash.String(), Name: s.Name(), Replaces: s.Replaces}})
	return nil
}

// openTorrents makes the service that gives the shelves out, and listens for
// BitTorrent clients where that is configured. A port that is taken is no reason not
// to serve: there are the web seeds.
func (l *Library) openTorrents() {
	l.torrents = torrent.New(torrent.Config{
		Shelves: l.Shelves, Blobs: l.Blobs, Listen: l.Config.torrents(), URL: l.Config.URL,
		Mirrors: l.holders,
		Holders: func(number int64) int { return l.mirrors.Copies(int(number)) },
		Denied:  l.refusedFile,
		Now:     l.Config.Now, Log: l.log,
	})
	if err := l.torrents.Start(); err != nil {
		l.log.Warn("shelves are not seeded by BitTorrent", "err", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() {
		_ = l.torrents.Run(ctx)
		done <- struct{}{}
	}()
	go func() {
		l.keepShelves(ctx)
		done <- struct{}{}
	}()
	l.stopTorrents = func() {
		stop()
		<-done
		<-done
		l.torrents.Close()
	}
}

// refusedFile says whether the keeper of this copy refuses a file, or all records that
// have it.
func (l *Library) refusedFile(ctx context.Context, sha string) bool {
	if l.refused == nil {
		return false
	}
	if _, no := l.refused.Blob(sha); no {
		return true
	}
	records, err := l.Catalog.ByBlob(ctx, sha)
	for _, n := range records {
		if _, no := l.refused.Record(n); !no {
			return false
		}
	}
	return err != nil || len(records) > 0
}

// holders are the addresses of the origin, where this is a mirror, and of the mirrors
// that say that they hold a shelf.
func (l *Library) holders(number int64) []string {
	var out []string
	if l.copying != nil {
		if origin := l.copying.mirror.Status().Origin; strings.HasPrefix(origin, "http") {
			out = append(out, origin)
		}
	}
	for _, a := range l.mirrors.All() {
		if a.All || a.Shelves.Has(int(number)) {
			out = append(out, a.URL)
		}
	}
	return out
}

// keepShelves closes shelves that are due, at an origin, until ctx ends.
func (l *Library) keepShelves(ctx context.Context) {
	if l.copying != nil {
		return
	}
	tick := time.NewTicker(shelfEvery)
	defer tick.Stop()
	for {
		if err := l.closeShelves(ctx, ShelfRequest{Due: true}, func(Event) {}); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "cannot close a shelf", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// listShelves is what pages and feeds show of the shelves.
func (l *Library) listShelves(ctx context.Context, before int64, limit int) (copies.Shelves, error) {
	total, err := l.Shelves.Total(ctx)
	if err != nil {
		return copies.Shelves{}, err
	}
	page, err := l.Shelves.Page(ctx, before, limit)
	if err != nil {
		return copies.Shelves{}, err
	}
	out, now := copies.Shelves{Total: total.Shelves, Files: total.Files, Bytes: total.Bytes}, l.copyHolders()
	for _, s := range page {
		line := copies.Shelf{Number: s.Number, Entry: s.Entry, Body: s.Body.SHA256, Infohash: s.Infohash.String(), Time: s.Time, Changed: s.Changed,
			Files: s.Files, Bytes: s.Bytes, State: copies.ShelfState(s.State()), ReplacedBy: s.ReplacedBy}
		line.Copies = now.Of(s.Number)
		out.List = append(out.List, line)
	}
	return out, nil
}

// shelvesToMirror is what a mirror with little space chooses from.
type shelvesToMirror struct {
	shelves *torrent.Shelves
	refused *mirror.Deny
}

// Shelves implements mirror.Shelves.
func (m shelvesToMirror) Shelves(ctx context.Context) ([]mirror.Shelf, error) {
	var out []mirror.Shelf
	for after := int64(0); ; {
		list, err := m.shelves.Ascending(ctx, after, 1000)
		if err != nil || len(list) == 0 {
			return out, err
		}
		for _, s := range list {
			if s.State() == torrent.StateOpen {
				out = append(out, mirror.Shelf{Number: int(s.Number), Bytes: s.Bytes})
			}
			after = s.Number
		}
	}
}

// Files implements mirror.Shelves.
func (m shelvesToMirror) Files(ctx context.Context, number int, fn func(ref blob.Ref) error) error {
	s, err := m.shelves.ByNumber(ctx, int64(number))
	if err != nil {
		return err
	}
	list, err := m.shelves.Manifest(ctx, s)
	if err != nil {
		return err
	}
	for _, f := range list.Files {
		if _, refused := m.refused.Blob(f.SHA256); refused {
			continue
		}
		if err := fn(blob.Ref{SHA256: f.SHA256, Bytes: f.Bytes}); err != nil {
			return err
		}
	}
	return nil
}

// heldHere are the shelves of which every file is here, as a mirror of a part
// announces them.
func (l *Library) heldHere(ctx context.Context) (mirror.Bitmap, error) {
	var held mirror.Bitmap
	m := shelvesToMirror{l.Shelves, nil}
	list, err := m.Shelves(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		err := m.Files(ctx, s.Number, func(ref blob.Ref) error {
			size, err := l.Blobs.Stat(ctx, ref.SHA256)
			if err == nil && size != ref.Bytes {
				err = errs.New(errs.NotFound, "the file %s is not whole", ref.SHA256)
			}
			return err
		})
		switch {
		case err == nil:
			held.Add(s.Number)
		case !errs.Is(err, errs.NotFound):
			return nil, err
		}
	}
	return held, nil
}

// torrents is the address for BitTorrent clients; empty: none.
func (c Config) torrents() string {
	switch c.Torrents {
	case "off":
		return ""
	case "":
		if u, err := url.Parse(c.URL); c.URL == "" || err != nil || isLocal(u.Hostname()) {
			return ""
		}
		return DefaultTorrents
	}
	return c.Torrents
}

func checkTorrents(address string) error {
	if address == "" || address == "off" {
		return nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return errs.New(errs.Invalid, "%q is not an address for BitTorrent: :6881, or off", address)
	}
	return nil
}

// DefaultTorrents is where a library with a public address takes BitTorrent clients.
const DefaultTorrents = ":6881"
