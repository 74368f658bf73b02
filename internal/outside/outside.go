// Package outside says what may be asked of the network when strangers name the
// address: which addresses are of the public Internet, and where a redirect may lead.
package outside

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
)

// maxRedirects is how many of one request are followed.
const maxRedirects = 5

// Redirects follows a few, to where the connection is as safe as before; for
// [http.Client.CheckRedirect].
func Redirects(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("it sends from one address to another without end")
	}
	if r.URL.Scheme != "https" && (r.URL.Scheme != "http" || via[0].URL.Scheme == "https") {
		return fmt.Errorf("it sends to %.80q, which is not safe", r.URL.String())
	}
	r.Header.Del("Referer")
	return nil
}

// IsPublic says whether an address is of the public Internet: not of this machine, a
// private network (RFC 1918, RFC 4193), a shared one (RFC 6598), nor an IPv4 address
// in another clothing (RFC 6052, RFC 3056, RFC 4380, RFC 4291 section 2.5.5).
func IsPublic(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("") // no prefix holds an address with one
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("fec0::/10"),
}
