package feeds

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wenlan/internal/errs"
)

func TestPostCharter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var answer error
	var got string
	h := newLibrary().serve(t, func(c *Config) {
		c.Now = func() time.Time { return now }
		c.AddCharter = func(_ context.Context, signed []byte) (int64, error) {
			got = string(signed)
			return 7, answer
		}
	})
	post := func(body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/register/charters", strings.NewReader(body)))
		return w
	}
	if w := post("a note"); w.Code != 200 || got != "a note" || w.Body.String() != `{"version":7}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for kind, status := range map[errs.Kind]int{errs.Refused: 422, errs.Conflict: 409, errs.Forbidden: 403} {
		answer = errs.New(kind, "so it is")
		if w := post("a note"); w.Code != status || !strings.Contains(w.Body.String(), "so it is") {
			t.Errorf("%d, not %d: %s", w.Code, status, w.Body)
		}
	}
	got = ""
	if w := post(strings.Repeat("x", maxCharter+1)); w.Code != http.StatusRequestEntityTooLarge || got != "" {
		t.Errorf("%d", w.Code)
	}
	for range charterBurst {
		post("a note")
	}
	if w := post("a note"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a flood is answered with %d", w.Code)
	}
	now = now.Add(charterEvery)
	answer = nil
	if w := post("a note"); w.Code != 200 {
		t.Errorf("after a while: %d", w.Code)
	}
	none := newLibrary().serve(t, func(c *Config) { c.AddCharter = nil })
	w := httptest.NewRecorder()
	none.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/register/charters", strings.NewReader("x")))
	if w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
}
