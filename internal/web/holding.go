package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// holding is a record with all that a decision about it and its files rests on.
// It is shared between requests and never changed.
type holding struct {
	*record.State
	withdrawn map[string][]record.Withdrawal // by blob, only those in force
}

// holdings remembers what the catalogue said, as long as its cursor stands still.
type holdings struct {
	catalog Catalog

	mu     sync.Mutex
	cursor int64
	known  map[int64]*holding
}

// maxHoldings bounds the memory; a page shows at most a few dozen.
const maxHoldings = 2048

// get is record n; of one that was erased, what is left to say of it. The cursor is read first, so that an answer is never kept
// under a later cursor than its own.
func (hs *holdings) get(ctx context.Context, n int64) (*holding, error) {
	cursor := hs.catalog.Cursor()
	hs.mu.Lock()
	if hs.known == nil || hs.cursor != cursor || len(hs.known) >= maxHoldings {
		hs.known, hs.cursor = map[int64]*holding{}, cursor
	}
	h := hs.known[n]
	hs.mu.Unlock()
	if h != nil {
		return h, nil
	}
	st, err := hs.catalog.Record(ctx, n)
	if err != nil && (st == nil || st.Erased == nil) {
		return nil, err
	}
	h = &holding{State: st, withdrawn: map[string][]record.Withdrawal{}}
	for _, f := range st.Files {
		list, err := hs.catalog.BlobWithdrawals(ctx, f.SHA256)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			h.withdrawn[f.SHA256] = list
		}
	}
	hs.mu.Lock()
	if hs.cursor == cursor {
		hs.known[n] = h
	}
	hs.mu.Unlock()
	return h, nil
}

// text is the file that a reader wants: the first text, or nil.
func (h *holding) text() *record.File {
	for i := range h.Files {
		if h.Files[i].Role == record.RoleText || h.Files[i].Role == "" {
			return &h.Files[i]
		}
	}
	for i := range h.Files {
		if h.Files[i].Role != record.RoleCover {
			return &h.Files[i]
		}
	}
	return nil
}

// coverTypes are the pictures that are passed on as covers. SVG is a document that
// can do things, but not as a page's image, and by itself not under our policy.
var coverTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/svg+xml"}

// picture is the stored cover, or nil.
func (h *holding) picture() *record.File {
	for i := range h.Files {
		if h.Files[i].Role == record.RoleCover && slices.Contains(coverTypes, h.Files[i].MediaType) {
			return &h.Files[i]
		}
	}
	return nil
}

// decide asks the judge about one file of a record; a nil file asks about the
// record alone.
func (s *Site) decide(r *http.Request, h *holding, f *record.File) record.Decision {
	q := record.Question{State: h.State, Standing: s.cfg.Standing(r), Place: s.cfg.Place(r), At: s.cfg.Now()}
	if f != nil {
		q.BlobWithdrawals = h.withdrawn[f.SHA256]
	}
	return record.Decide(q)
}

// named finds the record that a request's path names.
func (s *Site) named(r *http.Request) (*holding, error) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != r.PathValue("n") {
		return nil, errs.New(errs.NotFound, "there is no such record")
	}
	return s.holdings.get(r.Context(), n)
}

func recordPath(n int64) string { return "/records/" + strconv.FormatInt(n, 10) }

// filePath is the address of a file. Where an earlier file of the record has the
// same name, the hash tells them apart.
func filePath(h *holding, f *record.File) string {
	p := recordPath(h.Number) + "/files/" + url.PathEscape(f.Name)
	if first := h.fileNamed(f.Name, ""); first != nil && first.SHA256 != f.SHA256 {
		p += "?sha256=" + f.SHA256
	}
	return p
}

// fileNamed finds a file by name and, where given, hash.
func (h *holding) fileNamed(name, sha256 string) *record.File {
	for i := range h.Files {
		if h.Files[i].Name == name && (sha256 == "" || h.Files[i].SHA256 == sha256) {
			return &h.Files[i]
		}
	}
	return nil
}
