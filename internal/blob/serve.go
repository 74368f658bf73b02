package blob

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/errs"
)

// DefaultPolicy is the Content-Security-Policy of a served blob: a document that
// a browser shows runs nothing, fetches nothing and has an origin of its own.
const DefaultPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; " +
	"script-src 'none'; connect-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'"

// ServeOptions says how [Serve] presents a blob.
type ServeOptions struct {
	MediaType string    // Content-Type; empty: application/octet-stream
	Name      string    // the file name that a browser offers; may be anything
	Inline    bool      // may be shown in the browser, else only saved
	Immutable bool      // caches may keep it for ever; else they must ask each time
	ModTime   time.Time // Last-Modified; zero: none
	Policy    string    // Content-Security-Policy; empty: DefaultPolicy
}

// Serve answers a GET or HEAD with the blob: ranges, conditional requests and
// If-Range included, by [http.ServeContent]. The ETag is the hash. For a local
// file on a plain connection the kernel copies from disk to network; a middleware
// that wraps w must pass on io.ReaderFrom for that. The caller has decided that
// the reader may have it, and closes b.
//
// A Cache-Control header that is set already stays. An error, of a blob whose
// length is not the one that ref says, comes before anything is written.
func Serve(w http.ResponseWriter, r *http.Request, b Blob, ref Ref, opts ServeOptions) error {
	sum, err := hex.DecodeString(ref.SHA256)
	if err != nil || !Valid(ref.SHA256) {
		return invalid(ref.SHA256)
	}
	if b.Size() != ref.Bytes {
		return errs.New(errs.Corrupt, "the file %s has %d bytes on disk and should have %d", ref.SHA256, b.Size(), ref.Bytes)
	}
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return nil
	}
	h.Set("ETag", `"`+ref.SHA256+`"`)
	// RFC 9530 section 3: of the whole representation, also in a 206.
	h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
	h.Set("Content-Type", orElse(opts.MediaType, "application/octet-stream"))
	h.Set("Content-Disposition", Disposition(opts.Inline, opts.Name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", orElse(opts.Policy, DefaultPolicy))
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	if h.Get("Cache-Control") == "" {
		if opts.Immutable {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			h.Set("Cache-Control", "no-cache")
		}
	}
	if f := b.File(); f != nil {
		http.ServeContent(w, r, "", opts.ModTime, f) // sees the *os.File, and so uses sendfile
	} else {
		http.ServeContent(w, r, "", opts.ModTime, b)
	}
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Disposition is a Content-Disposition header (RFC 6266) for any file name: an
// ASCII form for old programs, and where that is not the whole name the real one
// in UTF-8 (RFC 8187). What could deceive or hurt, such as folders, control and
// direction characters, is taken out.
func Disposition(inline bool, name string) string {
	kind := "attachment"
	if inline {
		kind = "inline"
	}
	name = safeName(name)
	if name == "" {
		return kind
	}
	plain := asciiName(name)
	out := fmt.Sprintf(`%s; filename="%s"`, kind, plain)
	if plain != name {
		out += "; filename*=UTF-8''" + percent(name)
	}
	return out
}

// maxName is the longest file name in bytes; common file systems take 255.
const maxName = 200

func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\' || r == ':':
			return '_'
		case r == utf8.RuneError, unicode.Is(unicode.C, r), r == '\u2028', r == '\u2029':
			return -1
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = strings.Trim(name, " .")
	if len(name) > maxName {
		ext := path.Ext(name)
		if len(ext) > 20 {
			ext = ""
		}
		stem := name[:maxName-len(ext)]
		for !utf8.ValidString(stem) {
			stem = stem[:len(stem)-1]
		}
		name = strings.TrimRight(stem, " .") + ext
	}
	return name
}

func asciiName(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range name {
		if r < 0x20 || r > 0x7e || r == '"' || r == '%' || r == '\'' || r == ';' {
			if !gap {
				b.WriteByte('_')
			}
			gap = true
			continue
		}
		gap = false
		b.WriteRune(r)
	}
	plain := b.String()
	ext := path.Ext(plain)
	if strings.Trim(strings.TrimSuffix(plain, ext), "_-. ()") == "" && plain != name {
		plain = "file" + ext
	}
	return plain
}

// percent writes a value as RFC 8187 section 3.2.1 wants it.
func percent(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}
