package mirror

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/durable"
)

// Announcement is what a mirror says of itself, signed with its key.
type Announcement struct {
	Library string    // the library's id
	URL     string    // where it serves
	Key     string    // its public key, a note vkey
	Size    int64     // entries of its register
	All     bool      // it selects everything that may be held
	Time    time.Time // when it was signed
	Shelves Bitmap    // those that it holds, where it does not select all
	Heard   time.Time // when it was taken into the list; not part of the note
}

// Bitmap is a set of shelves by their numbers: shelf n is bit n%8 of byte n/8.
type Bitmap []byte

// Has says whether shelf n is in the set.
func (b Bitmap) Has(n int) bool { return n >= 0 && n/8 < len(b) && b[n/8]>>(n%8)&1 == 1 }

// ListConfig says where the list of mirrors is, and how it is kept.
type ListConfig struct {
	Dir     string // DATA/mirror
	FS      durable.FS
	Library string
	// Check asks an announced address for its checkpoint and its library before it
	// is listed; nil: CheckSite with Source.
	Check  func(ctx context.Context, a Announcement) error
	Source SourceConfig
	Now    func() time.Time
	Log    *slog.Logger
}

// List is the mirrors that have announced themselves. All methods may be called at once.
type List struct{ cfg ListConfig }

// OpenList reads list.json.
func OpenList(cfg ListConfig) (*List, error) { return &List{cfg: cfg}, nil }

// Add takes a signed announcement into the list, after asking the address.
func (l *List) Add(ctx context.Context, signed []byte) error { return nil }

// All are the mirrors in the list, those heard of last first.
func (l *List) All() []Announcement { return nil }

// Copies is how many mirrors say that they hold shelf n, the origin not counted;
// one host counts once.
func (l *List) Copies(n int) int { return 0 }

// JSON is /mirrors.json: an array of the signed notes.
func (l *List) JSON() []byte { return []byte("[]") }

// Routes adds POST /mirrors/announce and GET /mirrors.json.
func (l *List) Routes(mux *http.ServeMux) {}

// SignAnnouncement is the announcement as a signed note. The signer's key must be
// the one that it names.
func SignAnnouncement(a Announcement, signer note.Signer) ([]byte, error) { return nil, nil }

// ParseAnnouncement reads an announcement and checks its signature.
func ParseAnnouncement(signed []byte) (Announcement, error) { return Announcement{}, nil }
