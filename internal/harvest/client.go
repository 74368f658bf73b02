package harvest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/outside"
)

// maxRetry is the longest that a server may have us wait.
const maxRetry = time.Hour

// client asks one request at a time.
type client struct {
	cfg  Config
	http *http.Client
	last time.Time // when the last request ended

	// The librarian's name and password, as in https://NAME:PASSWORD@…, which are sent
	// to that server alone, and stand in no address that is kept or shown.
	user *url.Userinfo
	home string // its scheme and host

	mu     sync.Mutex
	judged bool // the first connection has been tried
	inside bool // and was to an address that is not of the public Internet, as all for pages since
}

// newClient is a client for the catalogue at base, out of which it takes who asks.
func newClient(cfg Config, base *url.URL) *client {
	c := &client{cfg: cfg, user: base.User, home: base.Scheme + "://" + base.Host}
	base.User = nil
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, ControlContext: c.mayConnect}
	c.http = &http.Client{
		CheckRedirect: outside.Redirects,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			MaxConnsPerHost:        1,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    30 * time.Second,
			ResponseHeaderTimeout:  cfg.Headers,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
		},
	}
	return c
}

// forPage in a context says that it is a page that is asked for, and no file.
type forPage struct{}

// mayConnect lets the first connection, which is the librarian's own address, go
// anywhere. Where that is of the public Internet, all that come after must be. So it
// is once a page came from there: a name may lead to several addresses, this machine
// first.
func (c *client) mayConnect(ctx context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	public := outside.IsPublic(ap.Addr())
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.judged {
		c.judged, c.inside = true, !public
	} else if public && ctx.Value(forPage{}) != nil {
		c.inside = false
	}
	if !public && !c.inside {
		return fmt.Errorf("%s is not an address of the public Internet, where the catalogue is", ap.Addr())
	}
	return nil
}

// request is what is asked. Header is added to it.
type request struct {
	url    string
	header http.Header
}

// answer is a response whose body is under watch.
type answer struct {
	*http.Response
	body io.ReadCloser
}

// errPasses is a failure that may pass: it is tried again, after so long.
type errPasses struct {
	error
	after time.Duration
}

func (e errPasses) Unwrap() error { return e.error }

// try calls fn until it succeeds, fails for good, or has failed too often.
func (c *client) try(ctx context.Context, fn func() error) error {
	pause := 2 * time.Second
	for n := 1; ; n++ {
		err := fn()
		var passes errPasses
		if err == nil || !errors.As(err, &passes) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n == c.cfg.Tries {
			return passes.error
		}
		d := max(pause, passes.after)
		c.cfg.Log.InfoContext(ctx, "a harvest waits", "seconds", int(d.Seconds()), "why", passes.error)
		if err := c.cfg.Wait(ctx, d); err != nil {
			return err
		}
		pause = min(pause*2, 2*time.Minute)
	}
}

// open asks once. 200, 206 and 304 are answers; else the error says what was wrong.
// Its body must be closed.
func (c *client) open(ctx context.Context, req request) (*answer, error) {
	if d := c.cfg.Pause - c.cfg.Now().Sub(c.last); d > 0 && !c.last.IsZero() {
		if err := c.cfg.Wait(ctx, d); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(req.url)
	if err != nil || len(req.url) > maxAddress || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errs.New(errs.Refused, "%.80q is not an address of the web", req.url)
	}
	work, cancel := context.WithCancelCause(ctx)
	end := time.AfterFunc(c.cfg.Longest, func() { cancel(errLong) })
	r, err := http.NewRequestWithContext(work, http.MethodGet, u.String(), nil)
	if err != nil {
		end.Stop()
		cancel(nil)
		return nil, errs.New(errs.Refused, "%.80q is not an address of the web: %w", req.url, err)
	}
	for k, v := range req.header {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", c.cfg.UserAgent)
	if c.user != nil && u.Scheme+"://"+u.Host == c.home {
		r.URL.User = c.user
	}
	resp, err := c.http.Do(r)
	if err == nil && resp.Request.URL.User != nil { // it becomes part of what is kept
		resp.Request.URL = new(*resp.Request.URL)
		resp.Request.URL.User = nil
	}
	if err != nil {
		end.Stop()
		cancel(nil)
		c.last = c.cfg.Now()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, c.unreachable(u, err)
	}
	w := &watched{c: c, url: u, body: resp.Body, ctx: work, cancel: cancel, end: end}
	w.timer = time.AfterFunc(c.cfg.StallAfter, func() { cancel(errStalled) })
	w.timer.Stop()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified, http.StatusRequestedRangeNotSatisfiable:
		return &answer{resp, w}, nil
	}
	_, _ = io.CopyN(io.Discard, w, 64<<10) // so that the connection can be used again
	w.Close()
	return nil, c.refused(u, resp)
}

// page asks for an address and reads the answer, at most limit bytes unpacked. final
// is where it was in the end. Without a body it was not changed since header said.
func (c *client) page(ctx context.Context, address string, header http.Header, limit int64) (body []byte, final *url.URL, got http.Header, err error) {
	ctx = context.WithValue(ctx, forPage{}, true)
	err = c.try(ctx, func() error {
		a, err := c.open(ctx, request{address, header})
		if err != nil {
			return err
		}
		defer a.body.Close()
		final, got, body = a.Request.URL, a.Header, nil
		if a.StatusCode == http.StatusNotModified && (header.Get("If-None-Match") != "" || header.Get("If-Modified-Since") != "") {
			return nil
		}
		if a.StatusCode != http.StatusOK {
			return errs.New(errs.Unavailable, "%s answers %d", show(final), a.StatusCode)
		}
		body, err = io.ReadAll(io.LimitReader(a.body, limit+1))
		if err == nil && int64(len(body)) > limit {
			err = errs.New(errs.TooLarge, "%s sends more than %d bytes at once", show(final), limit)
		}
		if body == nil {
			body = []byte{}
		}
		return err
	})
	return body, final, got, err
}

// show is an address as people are shown it: without its query, which may be long.
func show(u *url.URL) string {
	s := u.Scheme + "://" + u.Host + u.EscapedPath()
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

// unreachable is the sentence for a request that failed.
func (c *client) unreachable(u *url.URL, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var timeout net.Error
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial" && strings.Contains(err.Error(), "public Internet"),
		strings.Contains(err.Error(), "not safe"), strings.Contains(err.Error(), "without end"):
		return errs.New(errs.Refused, "%s cannot be asked: %w", show(u), err)
	case errors.As(err, &timeout) && timeout.Timeout():
		err = errors.New("it does not answer in time")
	}
	return errPasses{error: errs.New(errs.Unavailable, "%s cannot be reached: %w", show(u), err)}
}

// refused is the error of an answer that is none. Servers that are busy, or fail, are
// asked again.
func (c *client) refused(u *url.URL, resp *http.Response) error {
	kind, what := errs.Unavailable, fmt.Sprintf("answers %d", resp.StatusCode)
	switch resp.StatusCode {
	case http.StatusNotFound:
		kind, what = errs.NotFound, "is not there"
	case http.StatusGone:
		kind, what = errs.Gone, "is gone"
	case http.StatusForbidden, http.StatusUnauthorized:
		kind, what = errs.Forbidden, fmt.Sprintf("is not open to us (%d)", resp.StatusCode)
	case http.StatusUnavailableForLegalReasons:
		kind, what = errs.Withdrawn, "is withdrawn for legal reasons"
	}
	err := errs.New(kind, "%s %s", show(u), what)
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return errPasses{err, c.retryAfter(resp.Header.Get("Retry-After"))}
	}
	return err
}

// retryAfter reads the header: seconds or a date (RFC 9110, section 10.2.3).
func (c *client) retryAfter(value string) time.Duration {
	value = strings.TrimSpace(value)
	if n, err := strconv.Atoi(value); err == nil {
		return min(time.Duration(max(0, min(n, 1<<20)))*time.Second, maxRetry)
	}
	if t, err := http.ParseTime(value); err == nil {
		return min(max(0, t.Sub(c.cfg.Now())), maxRetry)
	}
	return 0
}

var (
	errStalled = errors.New("it sends too slowly")
	errLong    = errors.New("it sends for too long")
)

// watched reads a body, and gives up when too little comes. Only the time spent
// waiting for the server counts.
type watched struct {
	c      *client
	url    *url.URL
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	end    *time.Timer   // of all
	spent  time.Duration // waiting, since got began at 0
	got    int64
}

func (w *watched) Read(p []byte) (int, error) {
	begin := time.Now()
	w.timer.Reset(max(w.c.cfg.StallAfter-w.spent, time.Millisecond))
	n, err := w.body.Read(p)
	w.timer.Stop()
	w.spent += time.Since(begin)
	w.got += int64(n)
	if w.got >= w.c.cfg.StallBytes {
		w.got, w.spent = 0, 0
	}
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	switch cause := context.Cause(w.ctx); {
	case errors.Is(cause, errStalled):
		err = errPasses{error: errs.New(errs.Unavailable, "%s sends too slowly", show(w.url))}
	case errors.Is(cause, errLong):
		err = errPasses{error: errs.New(errs.Unavailable, "%s takes longer than %v for one answer", show(w.url), w.c.cfg.Longest)}
	case cause != nil:
		err = cause
	default:
		err = errPasses{error: errs.New(errs.Unavailable, "%s breaks off in the middle: %w", show(w.url), err)}
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	w.end.Stop()
	w.cancel(nil)
	err := w.body.Close()
	w.c.last = w.c.cfg.Now()
	return err
}
