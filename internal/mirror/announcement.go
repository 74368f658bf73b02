package mirror

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/errs"
)

// Announcement is what a mirror says of itself. As a signed note its text is, line
// by line:
//
//	wenlan-mirror/v1
//	library <the library's id in hex>
//	url <where it serves>
//	key <its public key, an Ed25519 vkey>
//	size <entries of its register>
//	selects all | part
//	time <RFC 3339, UTC, whole seconds>
//	shelves <base64 of the set, or -, which is none or, where all is selected, all>
type Announcement struct {
	Library string
	URL     string
	Key     string
	Size    int64
	All     bool      // it selects everything that may be held
	Time    time.Time // when it was signed
	Shelves Bitmap    // those that it holds, where it does not select all

	Heard time.Time // when it was taken into the list; not part of the note
}

// Bitmap is a set of shelves by their numbers: shelf n is bit n%8 of byte n/8.
type Bitmap []byte

// Has says whether shelf n is in the set.
func (b Bitmap) Has(n int) bool { return n >= 0 && n/8 < len(b) && b[n/8]>>(n%8)&1 == 1 }

// Add puts shelf n into the set; beyond what an announcement can say it does nothing.
func (b *Bitmap) Add(n int) {
	if n < 0 || n/8 >= maxBitmap {
		return
	}
	for len(*b) <= n/8 {
		*b = append(*b, 0)
	}
	(*b)[n/8] |= 1 << (n % 8)
}

const (
	announcementHeader = "wenlan-mirror/v1"
	announcementTime   = "2006-01-02T15:04:05Z"
	maxAnnouncement    = 16 << 10 // bytes of the note
	maxBitmap          = 8 << 10  // bytes: 65,536 shelves
	none               = "-"
)

func badAnnouncement(format string, args ...any) error {
	return errs.New(errs.Refused, "not a mirror's announcement: "+format, args...)
}

// text is the announcement in its one form.
func (a Announcement) text() string {
	selects, shelves := "part", none
	if a.All {
		selects = "all"
	}
	if len(a.Shelves) > 0 {
		shelves = base64.StdEncoding.EncodeToString(a.Shelves)
	}
	return strings.Join([]string{
		announcementHeader,
		"library " + a.Library,
		"url " + a.URL,
		"key " + a.Key,
		"size " + strconv.FormatInt(a.Size, 10),
		"selects " + selects,
		"time " + a.Time.UTC().Format(announcementTime),
		"shelves " + shelves,
	}, "\n") + "\n"
}

// SignAnnouncement is the announcement as a signed note. The signer's key must be
// the one that it names.
func SignAnnouncement(a Announcement, signer note.Signer) ([]byte, error) {
	a.Time = a.Time.UTC().Truncate(time.Second)
	signed, err := note.Sign(&note.Note{Text: a.text()}, signer)
	if err != nil {
		return nil, err
	}
	_, err = ParseAnnouncement(signed)
	return signed, err
}

// ParseAnnouncement reads an announcement and checks that the key that it names,
// and no other, has signed it.
func ParseAnnouncement(signed []byte) (Announcement, error) {
	var a Announcement
	if len(signed) > maxAnnouncement {
		return a, badAnnouncement("it is longer than %d bytes", maxAnnouncement)
	}
	_, err := note.Open(signed, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return a, badAnnouncement("%w", err)
	}
	text := unverified.Note.Text
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 8 || lines[0] != announcementHeader {
		return a, badAnnouncement("its first line is not %s, or it has not 8 lines", announcementHeader)
	}
	value := func(i int, key string) string { v, _ := strings.CutPrefix(lines[i], key+" "); return v }
	a.Library, a.URL, a.Key = value(1, "library"), value(2, "url"), value(3, "key")
	a.Size, err = strconv.ParseInt(value(4, "size"), 10, 64)
	if err != nil || a.Size < 0 {
		return a, badAnnouncement("its size is no number of entries")
	}
	a.All = value(5, "selects") == "all"
	if a.Time, err = time.Parse(announcementTime, value(6, "time")); err != nil {
		return a, badAnnouncement("it has no time like %s", announcementTime)
	}
	if v := value(7, "shelves"); v != none {
		if a.Shelves, err = base64.StdEncoding.Strict().DecodeString(v); err != nil || len(a.Shelves) > maxBitmap || len(a.Shelves) == 0 {
			return a, badAnnouncement("its shelves are not a set of at most %d", maxBitmap*8)
		}
	}
	if !isLibrary(a.Library) {
		return a, badAnnouncement("it names no library")
	}
	if clean, err := CleanAddress(a.URL); err != nil || clean != a.URL || !isURL(a.URL) {
		return a, badAnnouncement("%.80q is not an address that begins with https:// or http://, without a final slash", a.URL)
	}
	// There is one form only: what was read loosely above differs here.
	if a.text() != text {
		return a, badAnnouncement("its lines are not in their one form")
	}
	v, err := note.NewVerifier(a.Key)
	if err != nil {
		return a, badAnnouncement("its key is not a public key: %w", err)
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return a, badAnnouncement("the key that it names has not signed it: %w", err)
	}
	if len(n.UnverifiedSigs) > 0 || len(n.Sigs) != 1 {
		return a, badAnnouncement("others have signed it too")
	}
	return a, nil
}

// host is who is taken for one operator: a host name, or on this machine a port.
func (a Announcement) host() string {
	u, err := url.Parse(a.URL)
	if err != nil {
		return a.URL
	}
	switch h := u.Hostname(); h {
	case "localhost", "127.0.0.1", "::1":
		return u.Host
	default:
		return h
	}
}
