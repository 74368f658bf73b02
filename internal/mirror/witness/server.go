package witness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"wenlan/internal/errs"
)

// sizeType is the type of an answer that is a size: C2SP tlog-witness.
const sizeType = "text/x.tlog.size"

// Routes adds what the witness answers over HTTP. It needs nobody's word for who
// asks: the origin's signature on the checkpoint is enough.
func (w *Witness) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /witness/add-checkpoint", w.post)
	mux.HandleFunc("GET /witness/checkpoint", w.checkpoint)
	mux.HandleFunc("GET /witness/evidence", w.evidence)
}

func (w *Witness) post(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Cache-Control", "no-store")
	data, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil {
		http.Error(rw, "the request was cut off", http.StatusBadRequest)
		return
	}
	req, err := ParseRequest(data)
	var lines []byte
	if err == nil {
		lines, err = w.AddSoon(r.Context(), req)
	}
	var c *conflict
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = rw.Write(lines)
	case errors.As(err, &c) && c.size >= 0:
		writeSize(rw, http.StatusConflict, c.size)
	case errors.As(err, &c):
		http.Error(rw, c.why, http.StatusConflict)
	default:
		w.refuse(rw, r, err)
	}
}

func writeSize(rw http.ResponseWriter, status int, size int64) {
	rw.Header().Set("Content-Type", sizeType)
	rw.WriteHeader(status)
	fmt.Fprintln(rw, size)
}

func (w *Witness) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	status, text := errs.Status(err), err.Error()
	switch errs.KindOf(err) {
	case errs.Internal, errs.Corrupt:
		w.cfg.Log.ErrorContext(r.Context(), "the witness failed", "err", err)
		status, text = http.StatusInternalServerError, "internal error"
	case errs.Unavailable:
		rw.Header().Set("Retry-After", strconv.FormatInt(int64(max(w.cfg.Retry.Round(time.Second)/time.Second, 1)), 10))
	}
	http.Error(rw, text, status)
}

// checkpoint answers with the note that was cosigned last. Where nothing was, or
// a charter went back behind it, it answers 404 and the size that stands.
func (w *Witness) checkpoint(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Cache-Control", "no-store")
	charter, ok := w.cfg.Register.Charter()
	if log := r.URL.Query().Get("log"); !ok || log != charter.Log {
		http.Error(rw, "this witness does not cosign that log", http.StatusNotFound)
		return
	}
	signed, size := w.Newest()
	if signed == nil {
		writeSize(rw, http.StatusNotFound, size)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = rw.Write(signed)
}

func (w *Witness) evidence(rw http.ResponseWriter, r *http.Request) {
	list := []json.RawMessage{}
	if w.cfg.Evidence != nil {
		kept, err := w.cfg.Evidence(r.Context())
		if err != nil {
			w.refuse(rw, r, err)
			return
		}
		list = append(list, kept...)
	}
	raw, err := json.Marshal(list)
	if err != nil {
		w.refuse(rw, r, err)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-cache")
	_, _ = rw.Write(raw)
}
