package web

import (
	"net/http"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// inert is the policy of what is saved and not shown: whatever it is, it does nothing.
const inert = "default-src 'none'; sandbox; frame-ancestors 'none'"

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
	return s.send(w, r, f, blob.ServeOptions{MediaType: f.MediaType, Name: f.Name, Policy: inert})
}

// send sends the bytes of a file; the caller has asked whether it may. Rights
// change, so that a cache must ask each time; the ETag tells it.
func (s *Site) send(w http.ResponseWriter, r *http.Request, f *record.File, opts blob.ServeOptions) error {
	b, err := s.cfg.Blobs.Open(r.Context(), f.SHA256)
	if errs.Is(err, errs.NotFound) { // the register names it, the disks lack it
		s.cfg.Log.ErrorContext(r.Context(), "blob missing", "sha256", f.SHA256)
		return errs.New(errs.Unavailable, "the file is missing here at the moment")
	}
	if err != nil {
		return err
	}
	defer b.Close()
	w.Header().Set("Cache-Control", "private, no-cache")
	return blob.Serve(w, r, b, blob.Ref{SHA256: f.SHA256, Bytes: f.Bytes}, opts)
}
