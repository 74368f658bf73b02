package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"regexp"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
)

//go:embed export.html
var exportHTML string

var exportTemplate = template.Must(template.New("export").Parse(exportHTML))

// exportPage is the index.html of an export, in Chinese and English.
func exportPage(name string, sum Exported) ([]byte, error) {
	if name == "" {
		name = "Wenlan 文澜"
	}
	var out bytes.Buffer
	err := exportTemplate.Execute(&out, struct {
		Name string
		Exported
	}{name, sum})
	return out.Bytes(), err
}

// ExportServer serves an export: just its files, and nothing else.
type ExportServer struct {
	root *os.Root
	http *http.Server
	ln   net.Listener
}

// NewExportServer opens the export in a data folder and starts to listen. It does
// not answer before Run.
func NewExportServer(cfg Config, log *slog.Logger) (*ExportServer, error) {
	if cfg.Listen == "" {
		cfg.Listen = DefaultListen
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if _, err := readMark(cfg.Data); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(cfg.Data)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		root.Close()
		return nil, errs.New(errs.Refused, "listen on %s: %w", cfg.Listen, err)
	}
	return &ExportServer{root: root, ln: ln, http: &http.Server{
		Handler:           exportHandler(root, log),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      fileTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}, nil
}

// Address is where the server answers.
func (s *ExportServer) Address() string { return "http://" + s.ln.Addr().String() }

// Run answers until ctx ends; then it finishes the requests under way, for at
// most shutdownGrace, and returns nil.
func (s *ExportServer) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		if err := s.http.Shutdown(grace); err != nil {
			_ = s.http.Close()
		}
	})
	err := s.http.Serve(s.ln)
	if !stop() { // Shutdown runs: wait for it
		grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		_ = s.http.Shutdown(grace)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Close ends it all; call it after Run, or instead of it.
func (s *ExportServer) Close() error {
	s.ln.Close()
	return s.root.Close()
}

// tilePath is the form of the paths of tiles, so that nothing else is looked for.
var tilePath = regexp.MustCompile(`^(entries|[0-7])(/x[0-9]{3}){0,6}/[0-9]{3}(\.p/[0-9]{1,3})?$`)

// exportHandler serves the files of an export, and nothing outside it.
func exportHandler(root *os.Root, log *slog.Logger) http.Handler {
	const page = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	mux := http.NewServeMux()
	fail := func(w http.ResponseWriter, r *http.Request, err error) {
		if errors.Is(err, fs.ErrNotExist) || errs.Is(err, errs.NotFound) {
			http.Error(w, "there is no such file", http.StatusNotFound)
			return
		}
		log.WarnContext(r.Context(), "a file of the export cannot be read", "path", r.URL.Path, "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
	}
	changing := func(name, mediaType string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			f, _, err := openRegular(root, name)
			if err != nil {
				fail(w, r, err)
				return
			}
			defer f.Close()
			data, err := io.ReadAll(io.LimitReader(f, 64<<20))
			if err != nil {
				fail(w, r, err)
				return
			}
			sum := sha256.Sum256(data)
			h := w.Header()
			h.Set("Content-Type", mediaType)
			h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
			h.Set("Cache-Control", "no-cache")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Content-Security-Policy", page)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}
	}
	mux.HandleFunc("GET /{$}", changing("index.html", "text/html; charset=utf-8"))
	mux.HandleFunc("GET /index.html", changing("index.html", "text/html; charset=utf-8"))
	mux.HandleFunc("GET /mirrors.json", changing("mirrors.json", "application/json"))
	mux.HandleFunc("GET /register/charters", changing("register/charters", "application/json"))
	mux.HandleFunc("GET /register/safe", changing("register/safe", "text/plain; charset=utf-8"))
	mux.HandleFunc("GET /register/checkpoint", changing("register/checkpoint", "text/plain; charset=utf-8"))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /register/tile/{path...}", func(w http.ResponseWriter, r *http.Request) {
		if !tilePath.MatchString(r.PathValue("path")) {
			fail(w, r, fs.ErrNotExist)
			return
		}
		f, _, err := openRegular(root, path.Join("register/tile", r.PathValue("path")))
		if err != nil {
			fail(w, r, err)
			return
		}
		defer f.Close()
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, "", time.Time{}, f)
	})
	mux.HandleFunc("GET /blobs/sha256/{hash}", func(w http.ResponseWriter, r *http.Request) {
		hash := r.PathValue("hash")
		if !blob.Valid(hash) {
			fail(w, r, fs.ErrNotExist)
			return
		}
		f, size, err := openRegular(root, blobName(hash))
		if err != nil {
			fail(w, r, err)
			return
		}
		defer f.Close()
		b := exportedBlob{f, size}
		if err := blob.Serve(w, r, b, blob.Ref{SHA256: hash, Bytes: size}, blob.ServeOptions{Immutable: true}); err != nil {
			fail(w, r, err)
		}
	})
	return mux
}

// openRegular opens a regular file below the root, whatever links lie there. It
// looks before it opens, because a pipe would wait for ever.
func openRegular(root *os.Root, name string) (*os.File, int64, error) {
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, 0, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// exportedBlob is a file of an export as blob.Serve wants it.
type exportedBlob struct {
	file
	size int64
}

type file = *os.File

func (b exportedBlob) Size() int64    { return b.size }
func (b exportedBlob) File() *os.File { return b.file }
