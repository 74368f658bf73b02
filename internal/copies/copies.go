// Package copies holds what is said of the library's copies, to people and to
// programs: how fresh the register is, where this copy stands, who mirrors the
// library and what is on its shelves. They are plain values: whoever copies,
// audits or seeds fills them in, pages and feeds show them.
//
// Copies are counted by operator: two mirrors of one keeper are one copy, because
// they are lost together. A copy is verified when its mirror answered the last
// audit, which shows that the bytes can be had there, not that they are stored
// apart from another's.
package copies

import (
	"context"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Source is what pages and feeds ask. Each function may be nil: nothing is known.
// They may be called at once from several goroutines.
type Source struct {
	// Trust is asked for every page: it answers from memory.
	Trust func(ctx context.Context) Trust
	// Mirrors is who has announced a copy, and how often the library is held.
	Mirrors func(ctx context.Context) (Mirrors, error)
	// Shelves lists the shelves with numbers below before, the newest first, at most
	// limit; before 0 begins with the newest.
	Shelves func(ctx context.Context, before int64, limit int) (Shelves, error)
	// Of counts the copies of one record's files. ok is false where it has none that
	// may be copied.
	Of func(ctx context.Context, record int64) (n Count, ok bool, err error)
	// Denied is what the keeper of this mirror refuses beyond what the library has
	// withdrawn.
	Denied func(ctx context.Context) ([]Refusal, error)
}

// Freshness is how far the register's published checkpoint can be relied on to be
// the newest.
type Freshness string

const (
	Unknown     Freshness = ""            // nothing is said
	Unwitnessed Freshness = "unwitnessed" // no quorum of witnesses has cosigned it
	Current     Freshness = "current"     // cosigned within 24 hours
	Late        Freshness = "late"        // within 72 hours
	Stale       Freshness = "stale"       // longer ago
)

// Trust is what can be said of this copy of the library and of its register at
// one moment. It is comparable: a page is drawn anew when any of it has changed.
type Trust struct {
	Size      int64 // entries of the register here
	Safe      int64 // of these, how many the quorum of witnesses holds; 0 also where there is no quorum
	Quorum    int   // witnesses that must cosign; 0: none are named
	Freshness Freshness
	Witnessed time.Time // the cosignature that completed the quorum; zero: there is none

	Mirror        bool      // this is a mirror; what follows is empty on the origin
	Origin        string    // the origin's address, without a final slash
	Target        int64     // entries that the newest checkpoint heard of covers
	Heard         time.Time // when the origin last answered; zero: not yet
	Partial       bool      // it holds a part of the files
	Selection     string    // which part, as the keeper has said it
	Files, Wanted int64     // files that are here, of those that this mirror means to hold

	Alarm Alarm

	// Changes grows whenever another answer of the Source may have changed.
	Changes int64
}

// AlarmKind is why the origin is not followed.
type AlarmKind string

const (
	Fork       AlarmKind = "fork"       // the origin's key has signed two registers
	Rollback   AlarmKind = "rollback"   // the origin shows less than it had signed
	Superseded AlarmKind = "superseded" // a charter has moved the library away from this origin
)

// Alarm is a reason for which updates have stopped; the zero value is none.
type Alarm struct {
	Kind    AlarmKind
	Message string // one sentence, in English, for who wants to know more
	Since   time.Time
}

// Mirrors is who mirrors the library, and how often its parts are held.
type Mirrors struct {
	List    []Mirror
	Shelves []Held // shelves by the verified copies that there are of them
	Records []Held // records with files, the same
}

// Held is how many shelves or records have a number of copies.
type Held struct {
	Copies int
	N      int64
}

// Mirror is a copy that someone has announced.
type Mirror struct {
	URL     string
	Key     string    // its public key, as a verifier key of signed notes
	Witness string    // the same as a charter names a witness; empty: it cosigns nothing
	All     bool      // everything that may be copied; else a part
	Size    int64     // entries that it had when last heard
	Shelves int64     // shelves that it holds
	Heard   time.Time // its last announcement
	Audited time.Time // its last audit; zero: none yet
	Passed  bool      // it showed what it was asked for; of a part, some
	Note    string    // what the audit found otherwise, a sentence; may be empty
}

// Count is how many copies there are, by operator, the library's own among them.
type Count struct {
	Announced int // who says to have it, verified ones among them
	Verified  int // of these, who could show it
}

// ShelfState says whether a shelf is given out.
type ShelfState string

const (
	Seeded   ShelfState = "open"     // it is given out
	Stopped  ShelfState = "stopped"  // a file on it was withdrawn; nothing is given out until it is replaced
	Replaced ShelfState = "replaced" // another shelf holds what is left of it
	Broken   ShelfState = "broken"   // its list is not what the register says of it
)

// Shelves is a part of the list of shelves, and what all of them come to.
type Shelves struct {
	List                []Shelf
	Total, Files, Bytes int64 // of all shelves that are given out
}

// Shelf is an immutable batch of files.
type Shelf struct {
	Number     int64     // the first is 1
	Entry      int64     // of the register
	Body       string    // SHA-256 of its list, in hex
	Infohash   string    // of its torrent (version 1), in hex
	Time       time.Time // of the entry
	Changed    time.Time // when its state last changed; zero: not since
	Files      int64
	Bytes      int64
	State      ShelfState
	ReplacedBy int64 // the number of the shelf that took its place, where State is Replaced
	Copies     Count
}

// Name is the name of the shelf's torrent, and of its folder on a reader's disk.
func (s Shelf) Name() string { return "wenlan-" + s.Body }

// TorrentPath is the address of its .torrent file on every copy's site.
func (s Shelf) TorrentPath() string { return "/shelves/" + s.Infohash + ".torrent" }

// Magnet is the magnet link of a shelf (BEP 9) with the tracker and the web seed
// at base, the public address of a site without a final slash; base may be empty.
// It is empty for what is not an infohash or is not given out.
func (s Shelf) Magnet(base string) string {
	if raw, err := hex.DecodeString(s.Infohash); err != nil || len(raw) != 20 || s.State != Seeded {
		return ""
	}
	var b strings.Builder
	b.WriteString("magnet:?xt=urn:btih:" + strings.ToLower(s.Infohash) + "&dn=" + url.QueryEscape(s.Name()))
	if s.Bytes > 0 {
		b.WriteString("&xl=" + strconv.FormatInt(s.Bytes, 10))
	}
	if base != "" {
		b.WriteString("&tr=" + url.QueryEscape(base+"/tracker/announce") + "&ws=" + url.QueryEscape(base+"/shelves/seed/"))
	}
	return b.String()
}

// Refusal is something that the keeper of a mirror does not offer, though the
// library has not withdrawn it.
type Refusal struct {
	Record int64  // the record; 0 where a file is meant
	SHA256 string // the file; empty where a record is meant
	Reason string
}
