package mirror

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Asker is who asks, as limits count: an IPv4 address, or the network of an IPv6 one, of which
// one customer has 2^64. Behind a proxy on this machine it is what that proxy has
// added to X-Forwarded-For.
func Asker(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	if f := r.Header.Values("X-Forwarded-For"); addr.IsLoopback() && len(f) > 0 {
		list := strings.Split(f[len(f)-1], ",")
		if a, err := netip.ParseAddr(strings.TrimSpace(list[len(list)-1])); err == nil {
			addr = a
		}
	}
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}
