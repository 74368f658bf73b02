// Package reader is the page on which a book is read in the browser, and the
// way in which the book's resources come to it.
//
// A book is hostile: it is a program written by a stranger, shown on the
// library's own origin. Three walls stand between it and the reader; none is
// trusted alone, and a test takes them down one by one:
//
//   - The frames in which a book is shown are sandboxed without scripts. The
//     libraries that make those frames allow scripts; the build patches that and
//     fails when the patch does not fit (scripts/build-reader.mjs).
//   - The policy of the reader page, which blob frames inherit, lets scripts come
//     only from the path of our own assets, and lets nothing leave: no address
//     but the book's own path can be asked (policy.go).
//   - Every resource of a book is served under a policy of its own that sandboxes
//     it, never as a type that runs, and never sniffed.
//
// Besides, the browser's own parser takes out of each chapter what a policy does
// not cover, such as preconnect links (src/clean.js).
//
// What is read:
//
//   - EPUB: the resources one by one out of the archive, as the page asks for them.
//   - Comic archives: likewise, the pictures.
//   - PDF: the file itself, by ranges.
//   - Plain text and Markdown: as escaped XHTML that the server makes, by section.
//   - HTML: the file itself as one hostile chapter, in UTF-8.
//
// Every door asks [record.Decide], each time.
package reader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// assetRoot is where the bundle's files are served from.
const assetRoot = "/reader-assets/"

// Catalog is what the reader asks the catalogue.
type Catalog interface {
	// Record is the present state of a record; errs.NotFound or errs.Gone.
	Record(ctx context.Context, n int64) (*record.State, error)
	// BlobWithdrawals are those in force that name the blob itself.
	BlobWithdrawals(ctx context.Context, sha256 string) ([]record.Withdrawal, error)
}

// Blobs is what the reader asks the stack of files.
type Blobs interface {
	// Open opens a blob by its hash; errs.NotFound when it is not there.
	Open(ctx context.Context, sha256 string) (blob.Blob, error)
}

// Config is what a Reader needs.
type Config struct {
	Catalog Catalog
	Blobs   Blobs
	// URL is the library's public address, where a proxy passes on another name of
	// the host than the one the browser asked for; may be empty.
	URL string
	// Standing is what the reader who asks is to the library; nil: a visitor.
	Standing func(*http.Request) record.Standing
	// Place is where the reader is (ISO 3166-1 alpha-2); nil: not known.
	Place func(*http.Request) string
	// Language is the BCP 47 tag of the language to speak; nil: English.
	Language func(*http.Request) string
	// Error shows a failure as a page; nil: as plain text.
	Error func(http.ResponseWriter, *http.Request, error)
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: none
}

// Reader serves the reader page, the resources of books and the bundle.
type Reader struct {
	cfg      Config
	bundle   *bundle
	public   string // host of the public address
	messages map[string]messages
}

// New makes a Reader.
func New(cfg Config) (*Reader, error) {
	if cfg.Catalog == nil || cfg.Blobs == nil {
		return nil, errors.New("reader: Catalog and Blobs are needed")
	}
	if cfg.Standing == nil {
		cfg.Standing = func(*http.Request) record.Standing { return record.Visitor }
	}
	if cfg.Place == nil {
		cfg.Place = func(*http.Request) string { return "" }
	}
	if cfg.Language == nil {
		cfg.Language = func(*http.Request) string { return languages[0] }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Error == nil {
		cfg.Error = plainError
	}
	b, err := openBundle()
	if err != nil {
		return nil, fmt.Errorf("open the bundled reader: %w", err)
	}
	m, err := loadMessages()
	if err != nil {
		return nil, err
	}
	return &Reader{cfg: cfg, bundle: b, public: publicHost(cfg.URL), messages: m}, nil
}

// Routes adds the reader's addresses to mux.
func (rd *Reader) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /records/{n}/read", rd.handle(rd.servePage))
	mux.HandleFunc("GET /records/{n}/book/{sha256}/{path...}", rd.handle(rd.serveBook))
	mux.HandleFunc("GET "+assetRoot+"{hash}/{path...}", rd.serveAsset)
}

func (rd *Reader) handle(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		if err == nil {
			return
		}
		if errs.KindOf(err) == errs.Internal && r.Context().Err() == nil {
			rd.cfg.Log.ErrorContext(r.Context(), "reader", "path", r.URL.Path, "err", err)
		}
		w.Header().Del("ETag") // that of the book, which this answer is not
		rd.cfg.Error(w, r, err)
	}
}

func plainError(w http.ResponseWriter, _ *http.Request, err error) {
	text := "internal error"
	if errs.KindOf(err) != errs.Internal {
		text = err.Error()
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, errs.Status(err))
}

// form is how a file is read.
type form string

const (
	formEPUB  form = "epub"
	formPDF   form = "pdf"
	formComic form = "comic"
	formText  form = "text"
	formMarks form = "markdown"
	formHTML  form = "html"
)

// forms are tried in this order when a record has several files.
var forms = []form{formEPUB, formPDF, formComic, formHTML, formMarks, formText}

// formOf tells how a file is read in the browser; "" when it cannot be.
func formOf(f record.File) form {
	kind, _, _ := strings.Cut(f.MediaType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/epub+zip":
		return formEPUB
	case "application/pdf":
		return formPDF
	case "application/vnd.comicbook+zip", "application/x-cbz":
		return formComic
	case "text/html", "application/xhtml+xml":
		return formHTML
	case "text/markdown":
		return formMarks
	case "text/plain":
		return formText
	}
	return ""
}

// Readable is the file of a record that the reader opens: the named one, or the
// one that reads best; false when there is none. The record page uses it to know
// whether to offer the reader.
func Readable(files []record.File, name string) (record.File, bool) {
	best, found := record.File{}, false
	rank := len(forms)
	for _, f := range files {
		if f.Role != record.RoleText && f.Role != record.RoleSupplement {
			continue
		}
		i := slices.Index(forms, formOf(f))
		if i < 0 || name != "" && f.Name != name {
			continue
		}
		if f.Role == record.RoleSupplement {
			if name == "" {
				continue
			}
		}
		if i < rank {
			best, found, rank = f, true, i
		}
	}
	return best, found
}

// record reads the accession number of the path and the record's state.
func (rd *Reader) record(r *http.Request) (*record.State, error) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil || n < 0 {
		return nil, errs.New(errs.NotFound, "there is no such record")
	}
	return rd.cfg.Catalog.Record(r.Context(), n)
}

// decide asks whether this reader may read this file of the record now.
func (rd *Reader) decide(r *http.Request, st *record.State, f record.File) error {
	withdrawals, err := rd.cfg.Catalog.BlobWithdrawals(r.Context(), f.SHA256)
	if err != nil {
		return fmt.Errorf("withdrawals of %s: %w", f.SHA256, err)
	}
	return record.Decide(record.Question{
		State:           st,
		BlobWithdrawals: withdrawals,
		Standing:        rd.cfg.Standing(r),
		Place:           rd.cfg.Place(r),
		At:              rd.cfg.Now(),
	}).Err()
}

// serveBook serves the index of a book (the empty path) or one of its resources.
func (rd *Reader) serveBook(w http.ResponseWriter, r *http.Request) error {
	bookHeaders(w.Header())
	st, err := rd.record(r)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(st.Files, func(f record.File) bool { return f.SHA256 == r.PathValue("sha256") })
	if i < 0 {
		return errs.New(errs.NotFound, "the record has no such file")
	}
	file := st.Files[i]
	if err := rd.decide(r, st, file); err != nil {
		return err
	}
	kind := formOf(file)
	if kind == "" {
		return errs.New(errs.NotFound, "a file of this kind is not read in the browser")
	}
	b, err := rd.cfg.Blobs.Open(r.Context(), file.SHA256)
	if err != nil {
		return err
	}
	defer b.Close()

	// The bytes under this address never change, but whether they may be read
	// does: a browser keeps them and asks each time.
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("ETag", `"`+rd.bundle.hash+"-"+file.SHA256+`"`)
	name := r.PathValue("path")
	switch kind {
	case formPDF:
		return servePDF(w, r, b, name)
	case formEPUB, formComic:
		return serveArchive(w, r, b, kind, name)
	case formHTML:
		return serveHTML(w, r, b, file, name)
	default:
		return serveText(w, r, b, file, kind, name)
	}
}

func servePDF(w http.ResponseWriter, r *http.Request, b blob.Blob, name string) error {
	if name != "document.pdf" {
		return errs.New(errs.NotFound, "a PDF has one file: document.pdf")
	}
	w.Header().Set("Content-Type", "application/pdf")
	var content io.ReadSeeker = b
	if f := b.File(); f != nil {
		content = f // the kernel sends it without copying through memory
	}
	http.ServeContent(w, r, "", time.Time{}, content)
	return nil
}

// index tells the page what a book is made of.
type index struct {
	Form     form      `json:"form"`
	Entries  []entry   `json:"entries,omitempty"`  // EPUB, comic
	Sections []section `json:"sections,omitempty"` // text, Markdown, HTML
}

func serveArchive(w http.ResponseWriter, r *http.Request, b blob.Blob, kind form, name string) error {
	a, err := openArchive(b, b.Size())
	if err != nil {
		return err
	}
	keep := func(string) bool { return true }
	if kind == formComic {
		keep = func(name string) bool { return isPicture(name) || name == "ComicInfo.xml" }
	}
	if name == "" {
		return serveIndex(w, r, index{Form: kind, Entries: a.entries(keep)})
	}
	if !keep(name) {
		return errs.New(errs.NotFound, "the book has no file of that name")
	}
	if notModified(w, r) {
		return nil
	}
	rc, size, err := a.open(name)
	if err != nil {
		return err
	}
	defer rc.Close()
	w.Header().Set("Content-Type", resourceType(name))
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	if r.Method == http.MethodHead {
		return nil
	}
	// An error half-way cannot be told any more: the length tells the browser.
	_, _ = io.Copy(w, io.LimitReader(rc, size))
	return nil
}

func serveIndex(w http.ResponseWriter, r *http.Request, x index) error {
	data, err := json.Marshal(x)
	if err != nil {
		return err
	}
	return serveBytes(w, r, "application/json", data)
}

func serveBytes(w http.ResponseWriter, r *http.Request, mediaType string, data []byte) error {
	if notModified(w, r) {
		return nil
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(data)
	if err != nil && r.Context().Err() == nil {
		return nil // the reader has gone away
	}
	return nil
}

// notModified answers 304 when the browser holds what it asks for. The entity tag
// is that of the whole book: its bytes decide all resources.
func notModified(w http.ResponseWriter, r *http.Request) bool {
	if tag := w.Header().Get("ETag"); tag == "" || r.Header.Get("If-None-Match") != tag {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}
