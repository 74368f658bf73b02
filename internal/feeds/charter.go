package feeds

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"wenlan/internal/errs"
)

const (
	maxCharter   = 60_000 // bytes of a charter's note
	charterBurst = 20     // charters that are looked at, at once
	charterEvery = time.Second
)

// postCharter takes in a charter that counts: one signed note. Whoever brings it
// need not be believed, because the trustees have signed it.
func (f *Feeds) postCharter(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	if f.cfg.AddCharter == nil {
		return errs.New(errs.Forbidden, "this library takes no charters")
	}
	if !f.posted.take(f.cfg.Now()) {
		return errs.New(errs.Unavailable, "too many charters at once: send it again in a moment")
	}
	signed, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCharter))
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return errs.New(errs.TooLarge, "a charter has at most %d bytes", maxCharter)
	} else if err != nil {
		return errs.New(errs.Invalid, "the charter did not arrive whole: %w", err)
	}
	version, err := f.cfg.AddCharter(r.Context(), signed)
	if err != nil {
		return err
	}
	f.writeJSON(w, r, http.StatusOK, CharterJSON{Version: version})
	return nil
}

// CharterJSON is the answer to a charter that was taken in, or is here already.
type CharterJSON struct {
	Version int64 `json:"version"`
}

// bucket lets charterBurst through at once, and then one each charterEvery.
type bucket struct {
	mu   sync.Mutex
	full time.Time // when it is full again
}

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full.Before(now) {
		b.full = now
	}
	if b.full.Add(charterEvery).Sub(now) > charterBurst*charterEvery {
		return false
	}
	b.full = b.full.Add(charterEvery)
	return true
}
