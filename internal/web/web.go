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

	"wenlan/internal/blob"
	"wenlan/internal/catalog"
	"wenlan/internal/citation"
	"wenlan/internal/copies"
	"wenlan/internal/i18n"
	"wenlan/internal/index"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/record"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Catalog is what the site asks of the catalogue; *catalog.Catalog is one.
type Catalog interface {
	Record(ctx context.Context, n int64) (*record.State, error)
	BlobWithdrawals(ctx context.Context, sha256 string) ([]record.Withdrawal, error)
	List(ctx context.Context, q catalog.ListQuery) ([]int64, error)
	Counts(ctx context.Context) (catalog.Counts, error)
	Duplicates(ctx context.Context, n int64) ([]catalog.Duplicate, error)
	Editions(ctx context.Context, n int64) ([]catalog.Edition, error)
	Merged(ctx context.Context, n int64) ([]int64, error)
	Target(ctx context.Context, n int64) (int64, error)
	Changes(ctx context.Context, n int64, most int) ([]record.Change, error)
	Works(ctx context.Context, numbers []int64) (map[int64]int64, error)
	Cursor() int64 // grows whenever an answer above may have changed
}

// Index is what the site asks of the search index; every index.Index is one.
type Index interface {
	Search(ctx context.Context, q index.Query) (*index.Result, error)
	Headings(ctx context.Context, q index.HeadingQuery) (*index.HeadingList, error)
	Classes(ctx context.Context, scheme, parent string) ([]index.ClassCount, error)
	Cursor() int64 // grows whenever an answer may have changed
}

// FullText is what the site asks of the texts; *fulltext.FullText is one.
type FullText interface {
	Search(ctx context.Context, q fulltext.Query) (*fulltext.Result, error)
	Cursor() int64              // grows whenever an answer may have changed
	Progress() (done, of int64) // entries whose texts have been read
}

// Blobs is what the site asks of the files; every blob.Store is one.
type Blobs interface {
	Open(ctx context.Context, sha256 string) (blob.Blob, error)
}

// Register is what the site asks of the register; *register.Register is one.
type Register interface {
	Size() int64 // grows with every entry
	Checkpoint() []byte
	InclusionProof(i, size int64) (tlog.RecordProof, error)
	LeafHash(i int64) (tlog.Hash, error)
}

// Licence is one piece of bundled third-party code, as the about page lists it.
type Licence struct {
	Name    string // as published: "foliate-js"
	Version string
	Licence string // SPDX id
	Text    string // the whole notice
}

// Config is what the site needs. Fields not marked optional must be set.
type Config struct {
	Catalog  Catalog
	Index    Index
	Blobs    Blobs
	Register Register

	FullText FullText      // search inside what is open; optional: none is offered
	Verifier note.Verifier // optional: the origin's key; without it only hashes are checked
	Name     string        // the library's name; optional: "Wenlan"
	Contact  string        // where notices go: an e-mail address or a URL; optional
	URL      string        // the public address without a final slash; optional: the request's host is used
	Source   string        // where the program's source can be had; optional
	Version  string        // the program's; optional
	ID       string        // the library id; optional
	Licences []Licence     // of bundled third-party code; optional

	Copies copies.Source // mirrors, shelves and how fresh the register is; optional: nothing is said of them

	Readable func(mediaType string) bool         // which files /records/N/read opens; optional: none
	Standing func(*http.Request) record.Standing // optional: every reader is a visitor
	Place    func(*http.Request) string          // ISO 3166-1 alpha-2, "" for not known; optional
	Now      func() time.Time                    // optional: time.Now
	Log      *slog.Logger                        // optional: slog.Default
}

// Site answers the requests of people. It is safe for concurrent use.
type Site struct {
	cfg       Config
	words     *i18n.Bundle
	templates templates
	static    *static
	holdings  holdings
	citations *citation.Processor
	pages     kept
}

// New makes the site. It reads nothing of the library yet.
func New(cfg Config) (*Site, error) {
	if cfg.Catalog == nil || cfg.Index == nil || cfg.Blobs == nil || cfg.Register == nil {
		return nil, errors.New("web: the configuration lacks the catalogue, the index, the blobs or the register")
	}
	if cfg.Name == "" {
		cfg.Name = "Wenlan"
	}
	if cfg.Readable == nil {
		cfg.Readable = func(string) bool { return false }
	}
	if cfg.Standing == nil {
		cfg.Standing = func(*http.Request) record.Standing { return record.Visitor }
	}
	if cfg.Place == nil {
		cfg.Place = func(*http.Request) string { return "" }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	words, err := i18n.Load()
	if err != nil {
		return nil, err
	}
	parsed, err := parseTemplates()
	if err != nil {
		return nil, err
	}
	assets, err := openStatic()
	if err != nil {
		return nil, err
	}
	s := &Site{cfg: cfg, words: words, templates: parsed, static: assets, citations: citation.New()}
	s.holdings.catalog = cfg.Catalog
	return s, nil
}

// route is one line of the table of addresses.
type route struct {
	pattern string
	handler func(http.ResponseWriter, *http.Request) error
}

// routes is every address of the site. GET patterns answer HEAD too.
func (s *Site) routes() []route {
	return []route{
		{"GET /{$}", s.keep(s.home)},
		{"GET /search", s.keep(s.search)},
		{"GET /browse", s.keep(s.browse)},
		{"GET /browse/new", s.keep(s.browseNew)},
		{"GET /browse/languages", s.keep(s.browseLanguages)},
		{"GET /browse/kinds", s.keep(s.browseKinds)},
		{"GET /browse/years", s.keep(s.browseYears)},
		{"GET /browse/subjects", s.keep(s.browseSubjects)},
		{"GET /browse/authors", s.keep(s.browseAuthors)},
		{"GET /authors", s.keep(s.author)},
		{"GET /authors/{scheme}/{id}", s.keep(s.person)},
		{"GET /subjects", s.keep(s.subject)},
		{"GET /classes", s.keep(s.classes)},
		{"GET /classes/{scheme}", s.keep(s.classes)},
		{"GET /classes/{scheme}/{code}", s.keep(s.class)},
		{"GET /records/{n}", s.keep(s.record)},
		{"GET /records/{n}/search", s.keep(s.inside)},
		{"GET /records/{n}/files/{name}", s.file},
		{"GET /records/{n}/cover", s.cover},
		{"GET /records/{n}/proof", s.proof},
		{"GET /records/{n}/cite", s.cite}, // what it takes long to make is kept already
		{"GET /records/{n}/citation/{format}", s.citation},
		{"GET /mirrors", s.mirrors},
		{"GET /shelves", s.shelves},
		{"GET /about", s.keep(s.about)},
		{"GET /help", s.keep(s.help)},
		{"GET /static/{hash}/{name}", s.asset},
		{"GET /robots.txt", s.robots},
		{"/", s.notFound},
	}
}

// Routes adds every route of the site to mux, "/" included, which answers
// whatever no other route takes.
func (s *Site) Routes(mux *http.ServeMux) {
	for _, r := range s.routes() {
		mux.HandleFunc(r.pattern, s.handle(r.handler))
	}
}
