// Package web is the library's site: home, search, record pages, browsing,
// downloads, covers and proofs, drawn on the server and usable without scripts.
//
// It stores nothing. It promises:
//
//   - Bytes of a file leave only through [record.Decide], asked anew for each
//     request; a refused door answers 403, 404, 410 or 451, to GET, HEAD and
//     Range alike, and never redirects to the bytes.
//   - A page asks no other host for anything, runs no script but our own, and
//     carries a Content-Security-Policy that says so.
//   - A page is drawn whole before its first byte is sent, so that an error
//     never follows a 200.
//   - Titles, names and descriptions are text, whatever they hold.
//
// Templates are in templates/, style and scripts in static/ under a URL that
// holds their hash; all of it is in the binary.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"wenlan/internal/record"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Catalog is what the site asks of the catalogue; *catalog.Catalog is one.
type Catalog interface {
	Record(ctx context.Context, n int64) (*record.State, error)
	BlobWithdrawals(ctx context.Context, sha256 string) ([]record.Withdrawal, error)
	Cursor() int64
}

// Register is what the site asks of the register; *register.Register is one.
type Register interface {
	Size() int64
	Checkpoint() []byte
	InclusionProof(i, size int64) (tlog.RecordProof, error)
	LeafHash(i int64) (tlog.Hash, error)
}

// Licence is one piece of bundled browser code, as the about page lists it.
type Licence struct {
	Name    string // as published: "foliate-js"
	Version string
	SPDX    string
	Text    string // the whole notice
}

// Config is what the site needs. Fields not marked optional must be set.
type Config struct {
	Catalog  Catalog
	Register Register

	Verifier note.Verifier // optional: the origin's key; without it a proof page checks hashes only
	Name     string        // the library's name; optional: "Wenlan"
	Contact  string        // where notices go: an address or a URL; optional
	URL      string        // the public address without a final slash; optional: the request's host is used
	Version  string        // the program's; optional
	ID       string        // the library id; optional
	Licences []Licence     // bundled browser code; optional

	Readable func(mediaType string) bool         // which files /records/N/read opens; optional: none
	Standing func(*http.Request) record.Standing // optional: every reader is a visitor
	Place    func(*http.Request) string          // ISO 3166-1 alpha-2; optional: not known
	Now      func() time.Time                    // optional: time.Now
	Log      *slog.Logger                        // optional: slog.Default
}

// Site answers the requests of people. It is safe for concurrent use.
type Site struct {
	cfg Config
}

// New makes the site.
func New(cfg Config) (*Site, error) {
	if cfg.Catalog == nil || cfg.Register == nil {
		return nil, errors.New("web: the configuration lacks a catalogue or a register")
	}
	return &Site{cfg: cfg}, nil
}

// Routes adds every route of the site to mux.
func (s *Site) Routes(mux *http.ServeMux) {
}
