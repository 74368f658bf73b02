package web

import (
	"io"
	"net/http"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// hostile is the policy of bytes that are not ours: whatever they are, they do nothing.
const hostile = "default-src 'none'; sandbox; frame-ancestors 'none'"

// file answers /records/N/files/NAME, with Range, ETag and HEAD.
func (s *Site) file(w http.ResponseWriter, r *http.Request) error {
	h, err := s.named(r)
	if err != nil {
		return err
	}
	if h.Erased != nil {
		return &refusal{s.decide(r, h, nil), h.Number}
	}
	f := h.fileNamed(r.PathValue("name"), r.URL.Query().Get("sha256"))
	if f == nil {
		return errs.New(errs.NotFound, "record %d has no file of that name", h.Number)
	}
	if d := s.decide(r, h, f); !d.Download {
		return &refusal{d, h.Number}
	}
	w.Header().Set("Content-Disposition", attachment(f.Name))
	return s.send(w, r, f)
}

// send sends the bytes of a file; the caller has asked whether it may.
func (s *Site) send(w http.ResponseWriter, r *http.Request, f *record.File) error {
	b, err := s.cfg.Blobs.Open(r.Context(), f.SHA256)
	if err != nil {
		w.Header().Del("Content-Disposition")
		if errs.Is(err, errs.NotFound) { // the register names it, the disks lack it
			s.cfg.Log.ErrorContext(r.Context(), "blob missing", "sha256", f.SHA256, "error", err)
			return errs.New(errs.Unavailable, "the file is missing here at the moment")
		}
		return err
	}
	defer b.Close()
	s.secure(w, hostile)
	head := w.Header()
	head.Set("Content-Type", f.MediaType)
	head.Set("ETag", `"`+f.SHA256+`"`)
	// Rights change: a cache must ask each time, and is told by the ETag.
	head.Set("Cache-Control", "private, no-cache")
	blobServe(w, r, b)
	return nil
}

// noTime leaves out Last-Modified: a blob has no date of its own.
var noTime time.Time

func blobServe(w http.ResponseWriter, r *http.Request, b blob.Blob) {
	var content io.ReadSeeker = b
	if f := b.File(); f != nil {
		content = f // lets the kernel pass the bytes on
	}
	http.ServeContent(w, r, "", noTime, content)
}
