package mirror

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// announcer is a mirror that may announce itself.
type announcerOf struct {
	a   Announcement
	key *Key
}

func announcement(t testing.TB, library, url string) *announcerOf {
	t.Helper()
	secret, public, err := register.GenerateKeys("mirror")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(secret)
	if err != nil || key.Public() != public {
		t.Fatalf("%v, %v", key, err)
	}
	return &announcerOf{Announcement{Library: library, URL: url, Key: public, Size: 7, Time: time.Now()}, key}
}

func (a *announcerOf) sign(t testing.TB) []byte {
	t.Helper()
	signed, err := SignAnnouncement(a.a, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func newList(t testing.TB, library string) *List {
	t.Helper()
	l, err := OpenList(ListConfig{
		Dir: t.TempDir() + "/mirror", Library: library,
		Check: func(_ context.Context, a Announcement) error {
			if strings.Contains(a.URL, "liar") {
				return errors.New("nobody there")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var someLibrary = strings.Repeat("ab", 32)

func TestList(t *testing.T) {
	t.Parallel()
	l := newList(t, someLibrary)
	now := time.Now()
	l.cfg.Now = func() time.Time { return now }
	a, b := announcement(t, someLibrary, "https://a.example"), announcement(t, someLibrary, "https://b.example")
	a.a.All = true
	b.a.Shelves.Add(3)
	b.a.Shelves.Add(17)
	for _, m := range []*announcerOf{a, b, a} {
		if err := l.Add(ctx, m.sign(t)); err != nil {
			t.Fatal(err)
		}
	}
	if all := l.All(); len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	if l.Copies(3) != 2 || l.Copies(4) != 1 || l.Copies(-1) != 1 || l.Copies(1<<20) != 1 {
		t.Fatal("copies are counted wrong")
	}
	refuse := func(why string, m *announcerOf, change func(*Announcement)) {
		t.Helper()
		change(&m.a)
		if err := l.Add(ctx, m.sign(t)); !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
	refuse("not this one", announcement(t, strings.Repeat("cd", 32), "https://c.example"), func(*Announcement) {})
	refuse("nobody there", announcement(t, someLibrary, "https://liar.example"), func(*Announcement) {})
	refuse("future", announcement(t, someLibrary, "https://d.example"), func(a *Announcement) { a.Time = now.Add(time.Hour) })
	refuse("older", announcement(t, someLibrary, "https://d.example"), func(a *Announcement) { a.Time = now.Add(-8 * 24 * time.Hour) })

	// A later one replaces the earlier; another key at the same address too.
	later := announcement(t, someLibrary, "https://b.example")
	later.a.Time = now.Add(time.Minute)
	if err := l.Add(ctx, later.sign(t)); err != nil {
		t.Fatal(err)
	}
	if all := l.All(); len(all) != 2 || all[0].Key != later.key.Public() {
		t.Fatalf("%+v", all)
	}
	// It is there after a restart, and goes on to others, until it is too old.
	again, err := OpenList(l.cfg)
	if err != nil || len(again.All()) != 2 {
		t.Fatal(again.All(), err)
	}
	other := newList(t, someLibrary)
	if err := other.Merge(ctx, again.JSON()); err != nil || len(other.All()) != 2 {
		t.Fatal(other.All(), err)
	}
	now = now.Add(8 * 24 * time.Hour)
	if all := again.All(); len(all) != 0 {
		t.Fatalf("%+v", all)
	}
}

func TestListBounds(t *testing.T) {
	t.Parallel()
	l := newList(t, someLibrary)
	for i := range maxMirrors + 2 {
		m := announcement(t, someLibrary, "https://m"+strconv.Itoa(i)+".example")
		l.mirrors[m.a.Key] = &listed{Announcement: m.a, note: m.sign(t)}
		if i == maxMirrors-1 {
			break
		}
	}
	if err := l.Add(ctx, announcement(t, someLibrary, "https://x.example").sign(t)); !errs.Is(err, errs.Unavailable) {
		t.Fatal(err)
	}
}

// One host cannot fill the list.
func TestListOfHost(t *testing.T) {
	t.Parallel()
	l := newList(t, someLibrary)
	add := func(url string) error { return l.Add(ctx, announcement(t, someLibrary, url).sign(t)) }
	for i := range maxOfHost {
		if err := add("https://one.example/" + strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := add("https://one.example:8443/x"); !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), "of one.example") {
		t.Fatal(err)
	}
	if err := add("https://two.example"); err != nil {
		t.Fatal(err)
	}
}

func TestListRoutes(t *testing.T) {
	t.Parallel()
	l := newList(t, someLibrary)
	mux := http.NewServeMux()
	l.Routes(mux)
	ask := func(method, path string, body []byte, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, bytes.NewReader(body))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	m := announcement(t, someLibrary, "https://a.example")
	if w := ask("POST", "/mirrors/announce", m.sign(t)); w.Code != http.StatusNoContent {
		t.Fatal(w.Code, w.Body)
	}
	if w := ask("POST", "/mirrors/announce", make([]byte, 1<<20)); w.Code/100 != 4 {
		t.Fatal(w.Code)
	}
	if w := ask("POST", "/mirrors/announce", []byte("hello")); w.Code/100 != 4 || strings.Contains(w.Body.String(), "internal") {
		t.Fatal(w.Code, w.Body)
	}
	w := ask("GET", "/mirrors.json", nil)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "https://a.example") {
		t.Fatal(w.Code, w.Body)
	}
	if w := ask("GET", "/mirrors.json", nil, "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified {
		t.Fatal(w.Code)
	}
	code := 0
	for range announcesAtOnce {
		code = ask("POST", "/mirrors/announce", []byte("hello")).Code
	}
	if code != http.StatusTooManyRequests {
		t.Fatal(code)
	}
}

// TestAnnounce lets a mirror announce itself to the origin, which looks whether it is
// so, and lets another mirror hear of it from there.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(100)
	originList, err := OpenList(ListConfig{Dir: t.TempDir(), Library: o.reg.Library(), Charters: o.reg.Charters})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	originList.Routes(mux)
	mux.Handle("/", o)
	site := start(t, mux)
	var first *Mirror
	own := http.NewServeMux()
	ownList, err := OpenList(ListConfig{Dir: t.TempDir(), Library: o.reg.Library(), Charters: o.reg.Charters})
	if err != nil {
		t.Fatal(err)
	}
	ownList.Routes(own)
	own.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		serve(w, r, first.cfg.Register, first.cfg.Blobs)
	})
	self := start(t, own)
	first = copyOf(t, o, func(c *Config) {
		c.Self, c.Key, c.List = self.URL+"/", announcement(t, someLibrary, "https://x.example").key, ownList
	}, site.URL)
	once(t, first)
	if err := first.Announce(ctx); err != nil {
		t.Fatal(err)
	}
	all := originList.All()
	if len(all) != 1 || all[0].URL != self.URL || !all[0].All || all[0].Size != o.reg.Size() || originList.Copies(0) != 1 {
		t.Fatalf("%+v", all)
	}
	list, err := OpenList(ListConfig{Dir: t.TempDir(), Library: o.reg.Library(), Charters: o.reg.Charters})
	if err != nil {
		t.Fatal(err)
	}
	second := copyOf(t, o, func(c *Config) { c.List = list }, site.URL)
	once(t, second)
	second.readLists(ctx)
	if len(list.All()) != 1 {
		t.Fatal("the list did not go on")
	}
	second.sources()
	if got := second.cfg.Pool.Addresses(); len(got) != 2 || got[1] != self.URL {
		t.Fatalf("sources %q", got)
	}
	// A stranger cannot put his key in the place of the mirror's, neither at the origin
	// nor at the mirror itself.
	stranger := announcement(t, o.reg.Library(), self.URL)
	stranger.a.Time = time.Now().Add(time.Minute)
	for _, l := range []*List{ownList, originList} {
		if err := l.Add(ctx, stranger.sign(t)); !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), "key") || len(l.All()) != 1 || l.All()[0].Key != first.cfg.Key.Public() {
			t.Fatal(l.All(), err)
		}
	}
	// A server that holds another library is not listed.
	other := newOrigin(t)
	other.add(1)
	wrong := announcement(t, o.reg.Library(), start(t, other).URL)
	if err := originList.Add(ctx, wrong.sign(t)); !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), "another library") {
		t.Fatal(err)
	}
}

func FuzzParseAnnouncement(f *testing.F) {
	m := announcement(f, someLibrary, "https://a.example")
	m.a.Shelves = Bitmap{1, 2, 3}
	f.Add(m.sign(f))
	m.a.All, m.a.Shelves = true, nil
	f.Add(m.sign(f))
	f.Add([]byte("wenlan-mirror/v1\n\n— x AAAA\n"))
	f.Fuzz(func(t *testing.T, signed []byte) {
		a, err := ParseAnnouncement(signed)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(signed, []byte(a.text()+"\n")) {
			t.Fatalf("another form: %q", a.text())
		}
	})
}
