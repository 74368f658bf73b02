package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/intake"
)

// shelve closes shelves and gives what was said of them.
func shelve(t *testing.T, cfg Config, req ShelfRequest) []Shelved {
	t.Helper()
	var out []Shelved
	if err := Do(t.Context(), cfg, Request{Shelf: &req}, nil, func(ev Event) {
		if ev.Shelved != nil {
			out = append(out, *ev.Shelved)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestShelves: what is free and has evidence goes on a shelf; a withdrawal stops the
// shelf, and closing replaces it without reading a file.
func TestShelves(t *testing.T) {
	cfg := made(t)
	now := time.Now()
	cfg.Now = func() time.Time { return now }
	cfg.URL, cfg.Torrents = "http://127.0.0.1", "127.0.0.1:0"
	free := func(path string) {
		t.Helper()
		err := Do(t.Context(), cfg, Request{Add: &AddRequest{Paths: []string{path}, Inputs: []string{path},
			Options: intake.Options{Licence: "CC-BY-4.0", Evidence: "https://a.example/licence"}}}, nil, func(Event) {})
		if err != nil {
			t.Fatal(err)
		}
	}
	take(t, cfg, "public-domain", text(t, "bare.txt", "a bare assertion is served and not shelved"))
	free(text(t, "a.txt", "the first free book"))
	free(text(t, "b.txt", "the second free book"))
	if got := shelve(t, cfg, ShelfRequest{Due: true}); len(got) != 0 {
		t.Errorf("closed too early: %+v", got)
	}
	now = now.Add(shelfWait)
	got := shelve(t, cfg, ShelfRequest{Due: true})
	if len(got) != 1 || got[0].Files != 2 || got[0].Shelf != 1 {
		t.Fatalf("%+v", got)
	}
	if again := shelve(t, cfg, ShelfRequest{}); len(again) != 0 {
		t.Errorf("closed again: %+v", again)
	}

	s := serve(t, cfg)
	l := s.Library()
	shelf, err := l.Shelves.ByNumber(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Shelves.Manifest(t.Context(), shelf)
	if err != nil {
		t.Fatal(err)
	}
	h, err := l.handler(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, want int) string {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		body, _ := io.ReadAll(w.Result().Body)
		if w.Code != want {
			t.Errorf("%s: %d, want %d: %.200s", path, w.Code, want, body)
		}
		return string(body)
	}
	if page := get("/shelves", http.StatusOK); !strings.Contains(page, shelf.Infohash.String()) {
		t.Error("the page does not show the shelf")
	}
	get("/shelves.atom", http.StatusOK)
	get("/shelves/"+shelf.Infohash.String()+".torrent", http.StatusOK)
	seed := "/shelves/seed/" + shelf.Name() + "/" + m.Files[0].SHA256
	get(seed, http.StatusOK)
	if answer := get("/tracker/announce?port=0&left=0&peer_id=12345678901234567890&info_hash="+url.QueryEscape(string(shelf.Infohash[:])), http.StatusOK); !strings.HasPrefix(answer, "d8:complete") {
		t.Error("the tracker does not know the shelf")
	}
	if l.torrents.Seeder().Port() == 0 {
		t.Error("nobody listens for BitTorrent")
	}

	if err := l.do(t.Context(), Request{Withdraw: &WithdrawRequest{Blob: m.Files[0].SHA256, Ground: "a court said so"}}, func(Event) {}); err != nil {
		t.Fatal(err)
	}
	get(seed, http.StatusUnavailableForLegalReasons)
	get("/shelves/seed/"+shelf.Name()+"/"+m.Files[1].SHA256, http.StatusUnavailableForLegalReasons)
	var next []Shelved
	if err := l.closeShelves(t.Context(), ShelfRequest{Due: true}, func(ev Event) { next = append(next, *ev.Shelved) }); err != nil {
		t.Fatal(err)
	}
	if len(next) != 1 || next[0].Replaces != 1 || next[0].Files != 1 {
		t.Fatalf("%+v", next)
	}
	get("/shelves/seed/"+next[0].Name+"/"+m.Files[1].SHA256, http.StatusOK)
	get("/shelves/seed/"+next[0].Name+"/"+m.Files[0].SHA256, http.StatusNotFound)
	err = l.erase(t.Context(), EraseRequest{Entry: next[0].Entry, Ground: "law"}, func(Event) {})
	kind(t, err, errs.Refused, "cannot be erased")
	if list, err := l.listShelves(t.Context(), 0, 10); err != nil || len(list.List) != 2 || list.Total != 1 || list.List[1].ReplacedBy != 2 || list.List[1].Changed.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	// A torrent that a mirror gives out names the origin too.
	copy := owned(t, copied(t, Config{Data: s.Address()}, MirrorOptions{}))
	if got := copy.holders(2); !slices.Equal(got, []string{s.Address()}) {
		t.Errorf("a mirror names %q", got)
	}
	var said []Problem
	if _, err := VerifyLibrary(t.Context(), cfg, VerifyRequest{}, nil, func(p Problem) { said = append(said, p) }); err != nil {
		t.Errorf("%v %+v", err, said)
	}
	if found, _ := filepath.Glob(filepath.Join(cfg.Data, "views", "shelves", "*.db")); len(found) != 1 {
		t.Error("the view is not where it belongs")
	}
}

// TestJustTaken: only a file that intake wrote, within the day, is not read against
// its SHA-256 again.
func TestJustTaken(t *testing.T) {
	now := time.Date(2026, 5, 2, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name           string
		taken, written time.Duration // before now
		want           bool
	}{
		{"now", 0, time.Second, true},
		{"an hour ago", time.Hour, time.Hour + time.Minute, true},
		{"long ago", 25 * time.Hour, 25 * time.Hour, false},
		{"an old file", time.Hour, 3 * time.Hour, false},
		{"written since", time.Hour, time.Hour - 2*time.Second, false},
		{"from the future", -time.Hour, 0, false},
	} {
		if got := justTaken(now, now.Add(-c.taken), now.Add(-c.written)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
