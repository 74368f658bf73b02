// Package feeds serves the library to programs: OPDS 1.2 catalogues for
// e-readers, the JSON API with its OpenAPI description, and the static routes of
// the register and the blobs, by which anyone can copy and verify the library.
//
// The package stores nothing. It promises three things:
//
//   - Bytes of a file leave only through [record.DecideBlob], asked anew for
//     each request; a refused door answers 403, 404, 410 or 451, also to HEAD
//     and Range, and never redirects to the bytes.
//   - A tile leaves only when the published checkpoint covers it, because only
//     then can it never change; such tiles are marked immutable.
//   - JSON answers have the shapes of [SearchJSON], [RecordJSON] and their
//     parts, which the command line prints too; openapi.json describes them and
//     a test holds it to the code.
package feeds

import (
	"log/slog"
	"net/http"
	"time"
)

// Config is what the feeds need. Fields not marked optional must be set.
type Config struct {
	LibraryID string           // hex SHA-256 of entry 0; Atom ids are made from it
	Name      string           // the library's name, as feeds show it; optional
	URL       string           // the public address without a final slash; optional: feeds then use the request's host
	Now       func() time.Time // optional: time.Now
	Log       *slog.Logger     // optional: slog.Default
}

// Feeds answers the requests of programs. It is safe for concurrent use.
type Feeds struct {
	cfg Config
}

// New makes the feeds. It reads nothing yet.
func New(cfg Config) *Feeds {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Feeds{cfg: cfg}
}

// Routes adds every route of the feeds to mux.
func (f *Feeds) Routes(mux *http.ServeMux) {
}
