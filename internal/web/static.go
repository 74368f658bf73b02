package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"wenlan/internal/errs"
)

//go:embed static/*
var staticFiles embed.FS

// static is our own style, scripts and marks. Their folder holds the hash of all
// of them, so that a browser may keep them for ever.
type static struct {
	folder string // "/static/HASH/"
	hash   string
	files  map[string]staticFile
}

type staticFile struct {
	mediaType   string
	plain, gzip []byte // gzip is nil where it would not be shorter
}

// mediaTypes does not ask the machine's tables, which differ.
var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func openStatic() (*static, error) {
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	st := &static{files: map[string]staticFile{}}
	sum := sha256.New()
	for _, e := range entries { // sorted by name
		data, err := staticFiles.ReadFile(path.Join("static", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("static files: %w", err)
		}
		mediaType, ok := mediaTypes[path.Ext(e.Name())]
		if !ok {
			return nil, fmt.Errorf("static file %s: no media type for it", e.Name())
		}
		fmt.Fprintf(sum, "%s\x00%d\x00", e.Name(), len(data))
		sum.Write(data)
		st.files[e.Name()] = staticFile{mediaType, data, shorter(data)}
	}
	st.hash = hex.EncodeToString(sum.Sum(nil)[:8])
	st.folder = "/static/" + st.hash + "/"
	return st, nil
}

// shorter is data compressed, or nil where that does not help.
func shorter(data []byte) []byte {
	var buf bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression) // the level is a valid one
	zw.Write(data)                                           // to memory: cannot fail
	zw.Close()
	if buf.Len() >= len(data) {
		return nil
	}
	return buf.Bytes()
}

// asset answers /static/HASH/NAME. Another hash is another version of the
// program, and is not found.
func (s *Site) asset(w http.ResponseWriter, r *http.Request) error {
	f, ok := s.static.files[r.PathValue("name")]
	if !ok || r.PathValue("hash") != s.static.hash {
		return errs.New(errs.NotFound, "there is no such file")
	}
	s.secure(w, "default-src 'none'; frame-ancestors 'none'")
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	if f.gzip != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		w.Write(body)
	}
	return nil
}

// robots keeps crawlers out of what has no end, and of references, which take long to make
// and say nothing that the record's page does not. A star stands for any characters: RFC 9309, 2.2.3.
func (s *Site) robots(w http.ResponseWriter, r *http.Request) error {
	s.secure(w, "default-src 'none'")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "User-agent: *\nDisallow: /search\nDisallow: /api/\nDisallow: /records/*/cite\n")
	return nil
}
