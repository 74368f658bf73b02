package reader

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// The folder dist is made by scripts/assets; see ARCHITECTURE.md. Only a note is
// committed, so that the program builds without it and says what to do.
//
//go:embed all:dist
var embedded embed.FS

// Licence is the licence of one bundled package, for the page that lists them.
type Licence struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Licence string `json:"licence"` // SPDX id
	Text    string `json:"text"`    // whole, as the package carries it
}

// Licences are the licences of the third-party browser code in this program, by
// name; none when the reader was not built.
func Licences() []Licence {
	data, err := embedded.ReadFile("dist/licences.json")
	if err != nil {
		return nil
	}
	var list []Licence
	if json.Unmarshal(data, &list) != nil {
		return nil
	}
	return list
}

// Built says whether the bundled reader is in this program.
func Built() bool {
	for _, name := range []string{"book.js", "pdf.js", "licences.json"} {
		if _, err := fs.Stat(embedded, "dist/"+name); err != nil {
			return false
		}
	}
	return true
}

// bundle is the built reader: its files and the hash that stands in their path.
type bundle struct {
	files fs.FS
	hash  string

	mu     sync.Mutex
	packed map[string][]byte // scripts and styles by name, compressed when first asked for
}

// openBundle hashes names and bytes of all embedded files.
func openBundle() (*bundle, error) {
	files, err := fs.Sub(embedded, "dist")
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		one := sha256.Sum256(data)
		sum.Write([]byte(name))
		sum.Write(one[:])
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &bundle{files: files, hash: hex.EncodeToString(sum.Sum(nil)[:8]), packed: map[string][]byte{}}, nil
}

// workerName is the one script that may run as a worker.
const workerName = "pdf.worker.js"

// serveAsset serves one file of the bundle, immutable under its hash.
func (rd *Reader) serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("path")
	if r.PathValue("hash") != rd.bundle.hash || !fs.ValidPath(name) {
		http.NotFound(w, r)
		return
	}
	data, err := fs.ReadFile(rd.bundle.files, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", assetType(name))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if name == workerName {
		// A worker takes its policy from its own response (HTML, "run a worker").
		// It decodes pictures with WebAssembly and fetches fonts and character maps.
		assets := rd.source(r, rd.assets())
		if assets == "" {
			assets = "'self'" // see pageHeaders
		}
		h.Set("Content-Security-Policy", "default-src 'none'; script-src "+assets+
			" 'wasm-unsafe-eval'; connect-src "+assets)
	}
	if ext := path.Ext(name); ext == ".js" || ext == ".css" {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			if data, err = rd.bundle.pack(name, data); err != nil {
				http.Error(w, "internal error", http.StatusInternalServerError)
				return
			}
			h.Set("Content-Encoding", "gzip")
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// pack compresses a file of the bundle, once.
func (b *bundle) pack(name string, data []byte) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if packed, ok := b.packed[name]; ok {
		return packed, nil
	}
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	b.packed[name] = buf.Bytes()
	return buf.Bytes(), nil
}

// assets is the path under which the bundle's files are, with a final slash.
func (rd *Reader) assets() string { return assetRoot + rd.bundle.hash + "/" }

func assetType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".wasm":
		return "application/wasm"
	case ".json":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	default:
		if t := mime.TypeByExtension(ext); strings.HasPrefix(t, "font/") {
			return t
		}
		return "application/octet-stream"
	}
}
