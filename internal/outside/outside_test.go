package outside

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// TestIsPublic: no address of this machine or its network is one, however it is written.
func TestIsPublic(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "0.0.0.1", "198.18.0.1", "255.255.255.255", "224.0.0.1", "::", "::1", "fd00::1",
		"64:ff9b::7f00:1", "64:ff9b::7f00:1%eth0", "64:ff9b:1::1", "2002:7f00:1::", "::7f00:1", "2001:0:1::1", "fec0::1", "fe80::1%eth0", "::ffff:10.0.0.1"} {
		if IsPublic(netip.MustParseAddr(ip)) {
			t.Errorf("%s is public", ip)
		}
	}
	for _, ip := range []string{"93.184.216.34", "1.1.1.1", "::ffff:1.1.1.1", "2606:4700::1111"} {
		if !IsPublic(netip.MustParseAddr(ip)) {
			t.Errorf("%s is not public", ip)
		}
	}
}

func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		from, to string
		before   int
		says     string
	}{
		{"http://a.test/", "http://b.test/", 1, ""}, {"http://a.test/", "https://a.test/", 5, ""}, {"https://a.test/", "https://b.test/", 1, ""},
		{"https://a.test/", "http://a.test/", 1, "not safe"}, {"http://a.test/", "file:///etc/passwd", 1, "not safe"}, {"http://a.test/", "http://b.test/", 6, "without end"},
	} {
		var via []*http.Request
		for range c.before {
			r, err := http.NewRequest(http.MethodGet, c.from, nil)
			if err != nil {
				t.Fatal(err)
			}
			via = append(via, r)
		}
		r, err := http.NewRequest(http.MethodGet, c.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Referer", c.from)
		switch err := Redirects(r, via); {
		case (err == nil) != (c.says == ""), err != nil && !strings.Contains(err.Error(), c.says):
			t.Errorf("%+v: %v", c, err)
		case err == nil && r.Header.Get("Referer") != "":
			t.Errorf("%+v: it is told where it came from", c)
		}
	}
}
