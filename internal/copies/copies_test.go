package copies

import (
	"net/url"
	"strings"
	"testing"
)

func TestMagnet(t *testing.T) {
	hash := strings.Repeat("AB", 20)
	s := Shelf{Infohash: hash, Body: strings.Repeat("cd", 32), Bytes: 5, State: Seeded}
	u, err := url.Parse(s.Magnet("https://library.example:8443"))
	if err != nil || u.Scheme != "magnet" {
		t.Fatal(u, err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"xt": "urn:btih:" + strings.ToLower(hash), "dn": "wenlan-" + s.Body, "xl": "5",
		"tr": "https://library.example:8443/tracker/announce", "ws": "https://library.example:8443/shelves/seed/",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if got := s.Magnet(""); strings.Contains(got, "tr=") || strings.Contains(got, "ws=") {
		t.Errorf("without an address: %s", got)
	}
	for _, bad := range []Shelf{
		{Infohash: hash, State: Stopped}, {Infohash: hash, State: Replaced}, {Infohash: hash},
		{Infohash: hash[:39], State: Seeded}, {Infohash: hash + "00", State: Seeded}, {Infohash: "&xt=" + hash[:36], State: Seeded}, {State: Seeded},
	} {
		if got := bad.Magnet("https://library.example"); got != "" {
			t.Errorf("%+v has the magnet link %s", bad, got)
		}
	}
}
