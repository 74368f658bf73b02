package mirror

import (
	"net/http/httptest"
	"testing"
)

// TestAsker: a proxy on this machine is not everybody.
func TestAsker(t *testing.T) {
	for _, c := range []struct{ from, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1/32"},
		{"192.0.2.1:5", "10.0.0.1", "192.0.2.1/32"},
		{"127.0.0.1:5", "10.0.0.1, 198.51.100.7", "198.51.100.7/32"},
		{"[::1]:5", "2001:db8::1", "2001:db8::/64"},
		{"127.0.0.1:5", "nonsense", "127.0.0.1/32"},
	} {
		r := httptest.NewRequest("POST", "/mirrors/announce", nil)
		r.RemoteAddr = c.from
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := Asker(r); got.String() != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
