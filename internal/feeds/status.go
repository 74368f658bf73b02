package feeds

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/copies"
)

// StatusJSON is the answer of /api/v1/status: how this copy stands.
type StatusJSON struct {
	Library   string            `json:"library"`
	Size      int64             `json:"size"` // entries that the published checkpoint covers
	Root      string            `json:"root"` // its root, base64; empty where there is no checkpoint
	Freshness copies.Freshness  `json:"freshness"`
	Witnessed time.Time         `json:"witnessed,omitzero"`
	Quorum    int               `json:"quorum"` // 0: no witnesses are named
	Safe      int64             `json:"safe"`   // entries that would outlive the origin
	Mirror    *MirrorStatusJSON `json:"mirror,omitempty"`
	Alarm     *AlarmJSON        `json:"alarm,omitempty"`
}

// MirrorStatusJSON is how far a mirror is.
type MirrorStatusJSON struct {
	Origin    string    `json:"origin"`
	Target    int64     `json:"target"` // entries that the newest checkpoint heard of covers
	Heard     time.Time `json:"heard,omitzero"`
	Partial   bool      `json:"partial"`
	Selection string    `json:"selection,omitempty"`
	Files     int64     `json:"files"`  // that are here
	Wanted    int64     `json:"wanted"` // that it means to hold
}

// AlarmJSON is why an origin is not followed.
type AlarmJSON struct {
	Kind    copies.AlarmKind `json:"kind"`
	Message string           `json:"message"`
	Since   time.Time        `json:"since,omitzero"`
}

// NewStatus makes the JSON of a status. Size and root are those of the published
// checkpoint, so that they belong together.
func NewStatus(library string, checkpoint []byte, t copies.Trust) StatusJSON {
	s := StatusJSON{Library: library, Freshness: t.Freshness, Witnessed: seconds(t.Witnessed), Quorum: t.Quorum, Safe: t.Safe}
	s.Size, s.Root = checkpointHead(checkpoint)
	if s.Freshness == copies.Unknown {
		s.Freshness = copies.Unwitnessed
	}
	if t.Mirror {
		s.Mirror = &MirrorStatusJSON{Origin: t.Origin, Target: max(t.Target, s.Size), Heard: seconds(t.Heard), Partial: t.Partial, Selection: t.Selection, Files: t.Files, Wanted: t.Wanted}
	}
	if t.Alarm.Kind != "" {
		s.Alarm = &AlarmJSON{Kind: t.Alarm.Kind, Message: t.Alarm.Message, Since: seconds(t.Alarm.Since)}
	}
	return s
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// checkpointHead is the size and the root of a checkpoint of our own register
// (C2SP tlog-checkpoint: origin, size, base64 root, one a line).
func checkpointHead(note []byte) (size int64, root string) {
	lines := strings.SplitN(string(note), "\n", 4)
	if len(lines) < 4 {
		return 0, ""
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	raw, badRoot := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || size < 0 || badRoot != nil || len(raw) != tlog.HashSize {
		return 0, ""
	}
	return size, lines[2]
}

// apiStatus answers how this copy stands.
func (f *Feeds) apiStatus(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	var t copies.Trust
	if f.cfg.Copies.Trust != nil {
		t = f.cfg.Copies.Trust(r.Context())
	}
	f.writeJSON(w, r, http.StatusOK, NewStatus(f.cfg.ID, f.cfg.Register.Checkpoint(), t))
	return nil
}

// Media types of the feed of shelves.
const (
	typeAtom    = "application/atom+xml"
	typeTorrent = "application/x-bittorrent"
	typeMagnet  = "application/x-bittorrent;x-scheme-handler/magnet"
)

// shelves is the feed of shelves, the newest first, for programs that fetch and
// seed what appears in it. A shelf that is given out no more stays in it, without
// its links and with the reason.
func (f *Feeds) shelves(w http.ResponseWriter, r *http.Request, q url.Values) error {
	before, err := number(q, "before", 0, 1, 1<<31-1)
	if err != nil {
		return err
	}
	v := f.voice(w, r)
	feed := f.feed(v, f.cfg.Name+" · "+v.say("shelves"), "/shelves.atom", withQuery("/shelves.atom", "before", q.Get("before")), typeAtom)
	feed.Links = append(feed.Links[:1], atomLink{Rel: "alternate", Href: "/shelves", Type: "text/html"})
	if f.cfg.Copies.Shelves == nil {
		return f.sendFeed(w, r, feed, typeAtom)
	}
	list, err := f.cfg.Copies.Shelves(r.Context(), int64(before), opdsPage+1)
	if err != nil {
		return err
	}
	if len(list.List) > opdsPage {
		list.List = list.List[:opdsPage]
		next := strconv.FormatInt(list.List[opdsPage-1].Number, 10)
		feed.Links = append(feed.Links, atomLink{Rel: "next", Href: withQuery("/shelves.atom", "before", next), Type: typeAtom})
	}
	for _, s := range list.List {
		feed.Entries = append(feed.Entries, f.shelf(v, s, f.base(r)))
	}
	return f.sendFeed(w, r, feed, typeAtom)
}

// shelf describes a shelf. Links to its torrent are absolute, because programs
// that fetch torrents from feeds often take them as they are.
func (f *Feeds) shelf(v voice, s copies.Shelf, base string) *atomEntry {
	n := strconv.FormatInt(s.Number, 10)
	changed := s.Changed
	if changed.Before(s.Time) {
		changed = s.Time
	}
	e := &atomEntry{
		ID:          f.atomID("shelf " + s.Body),
		Title:       atomText{Text: v.say("shelf", n)},
		Updated:     atomTime(changed),
		Published:   atomTime(s.Time),
		Identifiers: []string{"urn:btih:" + s.Infohash},
		Links:       []atomLink{{Rel: "alternate", Href: base + "/shelves?before=" + strconv.FormatInt(s.Number+1, 10) + "#shelf-" + n, Type: "text/html"}},
	}
	text := v.say("shelf.stopped")
	switch s.State {
	case copies.Seeded:
		text = v.N("trust.files", s.Files) + " · " + v.Bytes(s.Bytes) + " · " + v.say("shelf.copies", strconv.Itoa(s.Copies.Verified))
		if magnet := s.Magnet(base); magnet != "" {
			e.Links = append(e.Links,
				atomLink{Rel: "enclosure", Href: base + s.TorrentPath(), Type: typeTorrent},
				atomLink{Rel: "enclosure", Href: magnet, Type: typeMagnet, Length: s.Bytes})
		}
	case copies.Replaced:
		text = v.say("shelf.replaced", strconv.FormatInt(s.ReplacedBy, 10))
	case copies.Broken:
		text = v.say("shelf.broken")
	}
	e.Summary = &atomText{Type: "text", Text: text}
	return e
}
