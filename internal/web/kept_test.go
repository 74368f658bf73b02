package web

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"wenlan/internal/record"
)

// TestKeptPages: a page that is kept is what would be drawn now, whatever changes.
func TestKeptPages(t *testing.T) {
	var place, at atomic.Value
	place.Store("DE")
	at.Store(now)
	l := newLibrary(t, func(c *Config) {
		c.Place = func(*http.Request) string { return place.Load().(string) }
		c.Now = func() time.Time { return at.Load().(time.Time) }
	})
	rights := openRights()
	rights.Access, rights.Basis = record.Lend, record.Permission
	rights.Opens, rights.Territories = now.Add(24*time.Hour).Format(time.DateOnly), []string{"DE"}
	n := l.add(record.Record{Title: "Voyage"}, rights, l.epub("voyage"))
	headline := func() string { return text(one(t, l.page(recordPath(n), 200), ".headline")) }
	read := func(path string, header ...string) string {
		b, _ := io.ReadAll(l.get("GET", path, header...).Body)
		return string(b)
	}
	first := headline()
	if again := headline(); again != first {
		t.Errorf("asked again, the answer is %q", again)
	}
	holds(t, first, "lent")
	place.Store("FR")
	holds(t, headline(), "do not cover")
	place.Store("DE")
	at.Store(now.Add(24 * time.Hour))
	holds(t, headline(), "term has passed")
	holds(t, read(recordPath(n), "Accept-Language", "zh"), `lang="zh-Hans"`)
	holds(t, read(recordPath(n)), `lang="en"`)
	holds(t, read("/search?q=voyage"), "1 result")
	l.add(record.Record{Title: "Voyage again"}, nil)
	holds(t, read("/search?q=voyage"), "2 results")
	holds(t, read("/"), "2 records")
	l.append(record.Entry{Type: record.TypeWithdrawal, Of: &n, Ground: "claim", Critical: true})
	holds(t, headline(), "withdrawn")
	if c := l.get("GET", recordPath(n)+"?ui=en").Header.Get("Set-Cookie"); c == "" {
		t.Error("the language was not remembered")
	}
}

func TestKeptIsBounded(t *testing.T) {
	var k kept
	for i := range 1000 {
		k.put(keptKey{path: number(int64(i))}, make([]byte, 100<<10))
	}
	k.put(keptKey{path: "long"}, make([]byte, keptPage+1))
	total := 0
	for _, p := range k.pages {
		total += len(p)
	}
	if total > keptBytes || total != k.bytes || k.get(keptKey{path: "long"}) != nil {
		t.Errorf("%d bytes are kept, %d counted", total, k.bytes)
	}
}
