package feeds

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// immutable marks what can never change under its address.
const immutable = "public, max-age=31536000, immutable"

// checkpoint serves the published signed note (C2SP tlog-tiles, "Checkpoints").
func (f *Feeds) checkpoint(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	note := f.cfg.Register.Checkpoint()
	if len(note) == 0 {
		return errs.New(errs.NotFound, "there is no checkpoint yet")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return f.send(w, r, note)
}

// safe serves the longest checkpoint that is known to be safe.
func (f *Feeds) safe(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	data, err := f.cfg.Register.Resource("safe")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return f.send(w, r, data)
}

// charters serves the notes of all charters, the oldest first, as a JSON array.
func (f *Feeds) charters(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	notes := []string{}
	for _, c := range f.cfg.Register.Charters() {
		notes = append(notes, string(c))
	}
	f.writeJSON(w, r, http.StatusOK, notes)
	return nil
}

// tile serves a tile or an entry bundle (C2SP tlog-tiles, "Merkle Tree" and "Log
// Entries"). The path must be exactly one that the layout has; the register says
// whether the checkpoint covers it.
func (f *Feeds) tile(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	path := "tile/" + r.PathValue("path")
	if !isTilePath(path) {
		return errs.New(errs.NotFound, "there is no such tile")
	}
	data, err := f.cfg.Register.Resource(path)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", immutable)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return nil
}

// isTilePath says whether a path is one of the layout, in its only spelling:
// tile/<L>/<N>[.p/<W>] or tile/entries/<N>[.p/<W>]. The path of x/mod's tlog has
// the tile height besides, and "data" in the place of "entries".
func isTilePath(path string) bool {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > 100 {
		return false
	}
	if n, isEntries := strings.CutPrefix(rest, "entries/"); isEntries {
		rest = "data/" + n
	} else if strings.HasPrefix(rest, "data/") {
		return false
	}
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	return err == nil && t.Path() == "tile/8/"+rest && t.L <= 7
}

// send serves bytes that change over time: the reader asks each time whether
// they still are what it has (RFC 9110, section 8.8.3; RFC 9111, section 5.2.2.4).
func (f *Feeds) send(w http.ResponseWriter, r *http.Request, data []byte) error {
	sum := sha256.Sum256(data)
	h := w.Header()
	h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return nil
}

// blobAnswer is what the library says of a hash to one reader.
type blobAnswer struct {
	decision record.Decision
	file     *record.File // as the record that opens it has it; nil: none does
	local    bool         // the decision depends on the place, so no shared cache may keep it
}

// decideBlob asks what this reader may do with the bytes of a hash: of every
// record that names it, under the withdrawals of the blob itself.
func (f *Feeds) decideBlob(r *http.Request, hash string) (answer blobAnswer, err error) {
	ctx := r.Context()
	numbers, err := f.cfg.Catalog.ByBlob(ctx, hash)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return answer, err
	}
	withdrawals, err := f.cfg.Catalog.BlobWithdrawals(ctx, hash)
	if err != nil {
		return answer, err
	}
	answer.local = anyPlaced(withdrawals)
	reader := f.reader(r)
	questions := make([]record.Question, 0, len(numbers))
	for _, n := range numbers {
		st, err := f.cfg.Catalog.Record(ctx, n)
		switch {
		case errs.Is(err, errs.NotFound):
			continue
		case errs.Is(err, errs.Gone):
			st = &record.State{Number: n, Erased: &record.Erasure{}}
		case err != nil:
			return answer, err
		}
		at := slices.IndexFunc(st.Files, func(file record.File) bool { return file.SHA256 == hash })
		if at < 0 && st.Erased == nil {
			continue // a record from which the file was taken since opens nothing
		}
		answer.local = answer.local || anyPlaced(st.Withdrawals) || st.Rights != nil &&
			(len(st.Rights.Territories) > 0 || st.Rights.Evidence != nil && len(st.Rights.Evidence.Territories) > 0)
		question := reader.question(st, withdrawals)
		if d := record.Decide(question); d.Read && at >= 0 {
			// A withdrawal of the blob would close this record too, so no other
			// record can say otherwise, however many there are.
			answer.decision, answer.file = d, &st.Files[at]
			return answer, nil
		}
		questions = append(questions, question)
	}
	answer.decision = record.DecideBlob(questions)
	return answer, nil
}

// anyPlaced says whether a withdrawal holds only in some territories.
func anyPlaced(ws []record.Withdrawal) bool {
	return slices.ContainsFunc(ws, func(w record.Withdrawal) bool { return len(w.Territories) > 0 })
}

// blob serves a file by its hash: to mirrors, and to whoever checks a citation.
func (f *Feeds) blob(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	hash := r.PathValue("hash")
	if !record.IsSHA256(hash) {
		return errs.New(errs.NotFound, "there is no such file: a file is named by the 64 lower-case hexadecimal digits of its SHA-256")
	}
	// What the register names as a body is register data: always served.
	switch body, err := f.cfg.Catalog.Body(r.Context(), hash); {
	case err == nil:
		return f.sendBlob(w, r, blob.Ref{SHA256: hash, Bytes: body.Bytes}, blob.ServeOptions{MediaType: "application/json", Immutable: true})
	case !errs.Is(err, errs.NotFound):
		return err
	}
	answer, err := f.decideBlob(r, hash)
	if err != nil {
		return err
	}
	if err := answer.decision.Err(); err != nil {
		return err
	}
	if !answer.decision.Download || answer.file == nil {
		return errs.New(errs.Forbidden, "this may be read here but not downloaded")
	}
	if answer.local {
		w.Header().Set("Cache-Control", strings.Replace(immutable, "public", "private", 1))
	}
	return f.sendBlob(w, r, blob.Ref{SHA256: hash, Bytes: answer.file.Bytes}, blob.ServeOptions{
		Name: answer.file.Name, MediaType: safeType(answer.file.MediaType), Immutable: true,
	})
}

func (f *Feeds) sendBlob(w http.ResponseWriter, r *http.Request, ref blob.Ref, opts blob.ServeOptions) error {
	b, err := f.cfg.Blobs.Open(r.Context(), ref.SHA256)
	if err != nil {
		return err
	}
	defer b.Close()
	return blob.Serve(w, r, b, ref, opts)
}

// safeType is the media type under which a file leaves by its hash: its own
// where no browser runs anything in it, else plain bytes.
func safeType(mediaType string) string {
	switch mediaType {
	case "application/epub+zip", "application/vnd.comicbook+zip", "image/jpeg", "image/png", "image/gif", "image/webp":
		return mediaType
	}
	return "application/octet-stream"
}
