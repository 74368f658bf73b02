package reader

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// bookPolicy is the policy of every resource of a book, should anybody open one
// by itself: it is sandboxed, runs nothing and asks for nothing.
const bookPolicy = "sandbox; default-src 'none'; script-src 'none'; connect-src 'none'; " +
	"img-src data:; style-src 'unsafe-inline'; font-src data:; media-src 'none'; " +
	"object-src 'none'; frame-src 'none'; worker-src 'none'; form-action 'none'; base-uri 'none'"

// bookHeaders sets what every answer under a book's path carries, errors too.
func bookHeaders(h http.Header) {
	h.Set("Content-Security-Policy", bookPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-DNS-Prefetch-Control", "off")
}

// plainHost is a host that may stand in a policy (CSP 3, host-source): a name or
// an IPv4 address, with a port.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)

// source names a path of ours in a policy: at the host by which the browser says
// that it reached us, and at that of the public address, since a proxy may have
// put a name of its own in between. Without a scheme a host matches the page's own
// and a safer one. It is empty for what CSP has no words for, such as an IPv6
// address.
func (rd *Reader) source(r *http.Request, path string) string {
	if !plainHost.MatchString(r.Host) {
		return ""
	}
	if rd.public == "" || rd.public == r.Host {
		return r.Host + path
	}
	return r.Host + path + " " + rd.public + path
}

// publicHost is the host of the library's public address, if it may stand in a policy.
func publicHost(address string) string {
	u, err := url.Parse(address)
	if err != nil || !plainHost.MatchString(u.Host) {
		return ""
	}
	return u.Host
}

// pageHeaders sets the policy of the reader page, which the frames of the book
// inherit. Scripts come from the path of our assets alone: not from 'self', where
// the book's own files are, nor from blob:, which the book's frames are made of.
// Styles inside a book are allowed; they can reach no address. frame-ancestors is
// left out on purpose: the frames inherit it and would refuse to be framed.
//
// It returns the nonce for the page's script. The policy names it only where the
// host cannot be named.
func (rd *Reader) pageHeaders(h http.Header, r *http.Request, kind form, bookPath string) (nonce string) {
	assets, book := rd.source(r, rd.assets()), rd.source(r, bookPath)
	scripts, styles, worker := assets, assets, rd.source(r, rd.assets()+workerName)
	if assets == "" {
		nonce = rand.Text()
		scripts, styles, book = "'nonce-"+nonce+"'", "'self'", "'self'"
		assets, worker = "'self'", "'self'"
	}
	policy := []string{
		"default-src 'none'",
		"script-src " + scripts,
		"style-src " + styles + " blob: 'unsafe-inline'",
		"img-src blob: data:",
		"font-src blob: data:",
		"media-src blob: data:",
		"connect-src " + book + " blob:",
		"frame-src blob:",
		"object-src 'none'",
		"worker-src 'none'",
		"form-action 'none'",
		"base-uri 'none'",
	}
	if kind == formPDF {
		// A PDF has no frames; its parser runs in one worker, named whole.
		policy[2] = "style-src " + styles
		policy[6] = "connect-src " + book + " " + assets
		policy[7] = "frame-src 'none'"
		policy[9] = "worker-src " + worker
	}
	h.Set("Content-Security-Policy", strings.Join(policy, "; "))
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-DNS-Prefetch-Control", "off")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	return nonce
}
