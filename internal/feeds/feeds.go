// Package feeds serves the library to programs: OPDS 1.2 catalogues for
// e-readers, the JSON API with its OpenAPI description, and the static routes of
// the register and the blobs, by which anyone can copy and verify the library.
//
// The package stores nothing. It promises:
//
//   - Bytes of a file leave only through [record.DecideBlob], asked anew for
//     each request; a refused door answers 403, 404, 410 or 451, to GET, HEAD
//     and Range alike, and never redirects to the bytes.
//   - A tile leaves only when the published checkpoint covers it, because only
//     then can it never change; such tiles are marked immutable.
//   - JSON answers have the shapes of [SearchJSON], [RecordJSON] and their
//     parts, which the command line prints too; openapi.json describes every
//     route, and a test holds it to the code.
//   - An OPDS acquisition feed lists only what this reader may download.
package feeds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/catalog"
	"wenlan/internal/copies"
	"wenlan/internal/errs"
	"wenlan/internal/i18n"
	"wenlan/internal/index"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/record"
)

// Catalog is what the feeds ask of the catalogue; *catalog.Catalog is one.
type Catalog interface {
	ByBlob(ctx context.Context, sha256 string) ([]int64, error)
	Body(ctx context.Context, sha256 string) (record.Body, error)
	Described
	List(ctx context.Context, q catalog.ListQuery) ([]int64, error)
	Counts(ctx context.Context) (catalog.Counts, error)
	Works
}

// Index is what the feeds ask of the search index; every index.Index is one.
type Index interface {
	Search(ctx context.Context, q index.Query) (*index.Result, error)
	Suggest(ctx context.Context, prefix string, limit int) ([]index.Suggestion, error)
}

// FullText is what the feeds ask of the texts; *fulltext.FullText is one.
type FullText interface {
	Search(ctx context.Context, q fulltext.Query) (*fulltext.Result, error)
}

// Blobs is what the feeds ask of the files; every blob.Store is one.
type Blobs interface {
	Open(ctx context.Context, sha256 string) (blob.Blob, error)
}

// Register is what the feeds ask of the register; *register.Register is one.
type Register interface {
	Checkpoint() []byte
	Charters() [][]byte
	// Resource is a file of the register by its path below it, "tile/…";
	// errs.NotFound for what the published checkpoint does not cover.
	Resource(path string) ([]byte, error)
}

// Config is what the feeds need. Fields not marked optional must be set.
type Config struct {
	Catalog  Catalog
	Index    Index
	Blobs    Blobs
	Register Register

	FullText FullText // search inside what is open; optional: there is none

	Copies copies.Source // shelves and how fresh the register is; optional: there are none, and nothing is said

	ID      string // the library id; Atom ids are made from it
	Name    string // the library's name; optional: "Wenlan"
	URL     string // the public address without a final slash; optional: the request's host is used
	Version string // the program's; optional

	// AddCharter takes in a charter that counts, durably, and returns its version; one that is here
	// already is fine. errs.Refused: it does not count; errs.Conflict: it does not follow; errs.Forbidden:
	// it is of another library. Optional: none is taken.
	AddCharter func(ctx context.Context, signed []byte) (version int64, err error)

	Standing func(*http.Request) record.Standing // optional: every reader is a visitor
	Place    func(*http.Request) string          // ISO 3166-1 alpha-2, "" for not known; optional
	Now      func() time.Time                    // optional: time.Now
	Log      *slog.Logger                        // optional: slog.Default
}

// Feeds answers the requests of programs. It is safe for concurrent use.
type Feeds struct {
	cfg     Config
	words   *i18n.Bundle
	started time.Time // the age of a feed in an empty library
	openapi []byte
	posted  bucket // of charters
}

// New makes the feeds. It reads nothing of the library yet.
func New(cfg Config) (*Feeds, error) {
	if cfg.Catalog == nil || cfg.Index == nil || cfg.Blobs == nil || cfg.Register == nil {
		return nil, errors.New("feeds: the configuration lacks the catalogue, the index, the blobs or the register")
	}
	if cfg.Name == "" {
		cfg.Name = "Wenlan"
	}
	if cfg.Version == "" {
		cfg.Version = "0"
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
	spec, err := openAPI(cfg.Version)
	if err != nil {
		return nil, err
	}
	return &Feeds{cfg: cfg, words: words, started: cfg.Now(), openapi: spec}, nil
}

// handler answers a request or returns why it cannot. q holds only the query
// parameters that the route's line in the table names.
type handler func(w http.ResponseWriter, r *http.Request, q url.Values) error

// route is one line of the table of addresses.
type route struct {
	pattern string
	query   []string // the query parameters it reads
	handler handler
}

// routes is every address of the feeds. GET patterns answer HEAD too.
func (f *Feeds) routes() []route {
	return []route{
		{"GET /api/v1/search", []string{"q", "lang", "kind", "year", "subject", "creator", "access", "class", "person", "group", "sort", "limit", "page", "after"}, f.apiSearch},
		{"GET /api/v1/fulltext", []string{"q", "record", "limit", "after"}, f.apiFullText},
		{"GET /api/v1/suggest", []string{"q", "limit"}, f.apiSuggest},
		{"GET /api/v1/records/{n}", nil, f.apiRecord},
		{"GET /api/v1/status", nil, f.apiStatus},
		{"GET /api/v1/openapi.json", nil, f.apiDescription},

		{"GET /opds", nil, f.opdsRoot},
		{"GET /opds/new", []string{"before"}, f.opdsNew},
		{"GET /opds/languages", nil, f.opdsLanguages},
		{"GET /opds/languages/{lang}", []string{"page", "after"}, f.opdsLanguage},
		{"GET /opds/kinds", nil, f.opdsKinds},
		{"GET /opds/kinds/{kind}", []string{"page", "after"}, f.opdsKind},
		{"GET /opds/search", []string{"q", "lang", "kind", "page", "after"}, f.opdsSearch},
		{"GET /opds/opensearch.xml", nil, f.opdsDescription},
		{"GET /opds/records/{n}", nil, f.opdsRecord},

		{"GET /shelves.atom", []string{"before"}, f.shelves},

		{"GET /register/checkpoint", nil, f.checkpoint},
		{"GET /register/safe", nil, f.safe},
		{"GET /register/charters", nil, f.charters},
		{"POST /register/charters", nil, f.postCharter},
		{"GET /register/tile/{path...}", nil, f.tile},
		{"GET /blobs/sha256/{hash}", nil, f.blob},
	}
}

// Routes adds every route of the feeds to mux, and an answer in JSON for
// whatever else is asked below /api/.
func (f *Feeds) Routes(mux *http.ServeMux) {
	for _, r := range f.routes() {
		mux.Handle(r.pattern, f.handle(r))
	}
	mux.Handle("GET /opds/{$}", http.RedirectHandler("/opds", http.StatusMovedPermanently)) // as some e-readers write it
	mux.Handle("GET /api/", f.handle(route{handler: func(http.ResponseWriter, *http.Request, url.Values) error {
		return errs.New(errs.NotFound, "there is no such address; /api/v1/openapi.json lists those that there are")
	}}))
}

// policy lets nothing in a feed run or load, should a browser show it as a page.
const policy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// handle makes a route an http.Handler: it hands the route only the parameters
// that it names, and turns its error into JSON in this one place. Everything
// that feeds answer is public and the same for every site, so any origin may
// read it (Fetch, section 3.2); no answer depends on a cookie but for the
// language of labels.
func (f *Feeds) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", policy)
		given, q := r.URL.Query(), url.Values{}
		for _, name := range rt.query {
			if v, ok := given[name]; ok {
				q[name] = v
			}
		}
		if err := rt.handler(w, r, q); err != nil {
			f.fail(w, r, err)
		}
	})
}

// fail answers with an error: its kind and its sentence, or, where the fault is
// ours, "internal error", and the cause goes to the log.
func (f *Feeds) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is waiting for the answer
	}
	status, kind, message := errs.Status(err), errs.KindOf(err), err.Error()
	if status == http.StatusInternalServerError {
		f.cfg.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
		message = "internal error"
	}
	h := w.Header()
	for _, k := range []string{"Content-Disposition", "Content-Length", "ETag", "Last-Modified"} {
		h.Del(k)
	}
	h.Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	f.writeJSON(w, r, status, ErrorJSON{Error: ErrorBodyJSON{Kind: kind.String(), Message: message}})
}

// writeJSON sends a value as one compact line of JSON, made whole before the
// first byte is sent.
func (f *Feeds) writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		f.cfg.Log.ErrorContext(r.Context(), "answer cannot be encoded", "path", r.URL.Path, "error", err)
		http.Error(w, `{"error":{"kind":"internal","message":"internal error"}}`, http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // a reader who has gone is no error of ours
	}
}

// reader is who asks, from where and when, as a decision needs it.
func (f *Feeds) reader(r *http.Request) Reader {
	return Reader{Standing: f.cfg.Standing(r), Place: f.cfg.Place(r), At: f.cfg.Now()}
}

// accession reads the accession number in a path.
func accession(r *http.Request) (int64, error) {
	s := r.PathValue("n")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, errs.New(errs.NotFound, "there is no such record")
	}
	return n, nil
}
