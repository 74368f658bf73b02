package torrent

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// everywhere has every file, without bytes.
type everywhere struct{}

func (everywhere) Stat(context.Context, string) (int64, error) { return 1, nil }
func (everywhere) Open(context.Context, string) (blob.Blob, error) {
	return nil, errs.New(errs.NotFound, "there are no bytes here")
}

// resident is how much memory this process takes; 0: the system does not tell.
func resident(t *testing.T) (bytes int64) {
	t.Helper()
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &bytes); err == nil {
			return bytes << 10
		}
	}
	return 0
}

// TestManyShelves: 50,000 shelves, of which all were listed, asked for and tracked,
// take little memory, because the view is on the disk and few torrents are loaded.
// TestMemory has what full shelves take while they are loaded.
func TestManyShelves(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector makes it long, and its memory says nothing")
	}
	const n, clients = 50_000, 4
	ctx := t.Context()
	bodies, err := os.Create(t.TempDir() + "/bodies") // on the disk, as the store has them
	if err != nil {
		t.Fatal(err)
	}
	defer bodies.Close()
	type row struct {
		Body, Hash, File string
		Size, At         int64
	}
	list, at, places := make([]row, n), int64(0), make(map[string]int64, n)
	for i := range list {
		m := &Manifest{PieceLength: PieceSmall, Files: []File{{SHA256: sum(i), Bytes: 1, Pieces: make([]byte, 20)}}}
		e, raw, err := m.Entry("")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bodies.Write(raw); err != nil {
			t.Fatal(err)
		}
		list[i], places[e.Body.SHA256] = row{e.Body.SHA256, e.Infohash, sum(i), int64(len(raw)), at}, at
		at += int64(len(raw))
	}
	s, err := OpenShelves(ctx, ShelvesConfig{Dir: t.TempDir(), Body: func(_ context.Context, b record.Body) ([]byte, error) {
		raw := make([]byte, b.Bytes)
		_, err := bodies.ReadAt(raw, places[b.SHA256])
		return raw, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	raw, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	g, release, err := s.db.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	err = g.Advance(ctx, n, strings.Repeat("0", 64), func(tx *sql.Tx) error { // what apply writes, at once
		for _, query := range []string{
			"INSERT INTO shelves (" + columns + `) SELECT key + 1, key, 0, unhex(value ->> 'Body'), value ->> 'Size', unhex(value ->> 'Hash'), 1, 1, 0, 0, 0, 0, '' FROM json_each(?)`,
			"INSERT INTO files (sha256, shelf, closed) SELECT unhex(value ->> 'File'), key + 1, 0 FROM json_each(?)",
		} {
			if _, err := tx.ExecContext(ctx, query, string(raw)); err != nil {
				return err
			}
		}
		return nil
	})
	release()
	if err != nil {
		t.Fatal(err)
	}
	raw = nil
	before := resident(t)

	service := New(Config{Shelves: s, Blobs: everywhere{}})
	defer service.Close()
	if total, err := s.Total(ctx); err != nil || total.Shelves != n {
		t.Fatalf("%+v %v", total, err)
	}
	var seen int
	for from := int64(0); ; {
		page, err := s.Page(ctx, from, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		seen, from = seen+len(page), page[len(page)-1].Number
	}
	if seen != n {
		t.Errorf("%d shelves were listed", seen)
	}
	mux := http.NewServeMux()
	service.Routes(mux)
	for i, row := range list {
		h, _ := ParseInfohash(row.Hash)
		for c := range clients {
			who := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(1+c))
			service.tracker.announce(h, who, c > 0, "", numWantUsual)
		}
		if i%50 != 0 {
			continue
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/shelves/"+row.Hash+".torrent", nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		if _, err := service.store.get(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	if loaded := service.store.order.Len(); loaded != 200 {
		t.Errorf("%d torrents are loaded", loaded)
	}
	if tracked := service.tracker.total; tracked != n*clients {
		t.Errorf("%d clients are tracked", tracked)
	}
	after := resident(t)
	t.Logf("%d shelves and their %d clients take %d MiB more than none, of %d MiB", n, n*clients, (after-before)>>20, after>>20)
	if after-before > 256<<20 {
		t.Errorf("that is too much")
	}
}
