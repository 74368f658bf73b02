package mirror

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
	"syscall"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/outside"
)

// site is a source on the web.
type site struct {
	address string
	cfg     SourceConfig
	client  *http.Client
}

const (
	readBuffer = 64 << 10
	maxHeader  = 64 << 10
	maxSkip    = 1 << 30 // bytes read and dropped where a server knows no ranges
)

func newSite(address string, cfg SourceConfig) *site {
	dialer := &net.Dialer{Timeout: cfg.Connect, KeepAlive: 30 * time.Second}
	if cfg.Public {
		dialer.ControlContext = publicOnly
	}
	s := &site{address: address, cfg: cfg}
	s.client = &http.Client{
		CheckRedirect: outside.Redirects,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			DisableCompression:     true, // bytes as they are: hashed, resumed and counted
			MaxConnsPerHost:        cfg.Conns,
			MaxIdleConnsPerHost:    cfg.Conns,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    cfg.Connect,
			ResponseHeaderTimeout:  cfg.Connect,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: maxHeader,
			ReadBufferSize:         readBuffer,
		},
	}
	return s
}

// publicOnly refuses to connect within this machine and its own network, so that
// an address from a stranger cannot make us ask what only we may ask.
func publicOnly(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !outside.IsPublic(ap.Addr()) {
		return fmt.Errorf("%s is not an address of the public Internet", ap.Addr().Unmap())
	}
	return nil
}

// IsPublic says whether an address looks like one of the public Internet: a name
// with a dot, or a public IP address. A library there does not ask addresses in its
// own network because a stranger announced them: see SourceConfig.Public.
func IsPublic(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return false
	}
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		return outside.IsPublic(ip)
	}
	return strings.Contains(strings.Trim(host, "."), ".") && !strings.HasSuffix(host, ".localhost")
}

func (s *site) Address() string { return s.address }

// Close drops idle connections.
func (s *site) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Get implements [Source].
func (s *site) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	data, _, _, err := s.Poll(ctx, path, "", limit)
	return data, err
}

// Poll implements [Source].
func (s *site) Poll(ctx context.Context, path, tag string, limit int64) ([]byte, string, bool, error) {
	resp, body, err := s.ask(ctx, path, func(h http.Header) {
		if tag != "" {
			h.Set("If-None-Match", tag)
		}
	})
	if err != nil {
		return nil, "", false, err
	}
	defer body.Close()
	if resp.StatusCode == http.StatusNotModified && tag != "" {
		return nil, tag, false, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", false, s.refused(resp, path)
	}
	if resp.ContentLength > limit {
		return nil, "", false, failed(errs.TooLarge, s.address, "sends more than the %d bytes that %s may have", limit, path)
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, "", false, err
	}
	if int64(len(data)) > limit {
		return nil, "", false, failed(errs.TooLarge, s.address, "sends more than the %d bytes that %s may have", limit, path)
	}
	etag := resp.Header.Get("ETag")
	if len(etag) > 256 {
		etag = ""
	}
	return data, etag, true, nil
}

// Blob implements [Source].
func (s *site) Blob(ctx context.Context, sha string, from int64) (io.ReadCloser, error) {
	if !blob.Valid(sha) || from < 0 {
		return nil, errs.New(errs.Invalid, "%.80q is not a SHA-256 in lower-case hex", sha)
	}
	path := "blobs/sha256/" + sha
	resp, body, err := s.ask(ctx, path, func(h http.Header) {
		if from > 0 {
			h.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		}
	})
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		// A plain server that knows no ranges sends all.
		if from > maxSkip {
			err = failed(errs.Unavailable, s.address, "cannot send the rest of the file %s alone", sha)
		} else if n, e := io.CopyN(io.Discard, body, from); n < from {
			if e == io.EOF {
				e = failed(errs.Corrupt, s.address, "sends only %d bytes of the file %s", n, sha)
			}
			err = e
		}
	case resp.StatusCode == http.StatusPartialContent && from > 0:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(from, 10)+"-") {
			err = failed(errs.Corrupt, s.address, "sends another part of the file %s than was asked for", sha)
		}
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && from > 0:
		err = failed(errs.Corrupt, s.address, "says that the file %s ends before byte %d", sha, from)
	default:
		err = s.refused(resp, path)
	}
	if err != nil {
		body.Close()
		return nil, err
	}
	return body, nil
}

// ask sends a GET, and gives the answer with its body under watch.
func (s *site) ask(ctx context.Context, path string, header func(http.Header)) (*http.Response, *watched, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address+"/"+path, nil)
	if err != nil {
		cancel(nil)
		return nil, nil, errs.New(errs.Invalid, "%.80q is not an address: %w", s.address+"/"+path, err)
	}
	r.Header.Set("User-Agent", s.cfg.UserAgent)
	header(r.Header)
	resp, err := s.client.Do(r)
	if err != nil {
		err = s.unreachable(ctx, err)
		cancel(nil)
		return nil, nil, err
	}
	w := &watched{s: s, body: resp.Body, ctx: ctx, cancel: cancel}
	w.timer = time.AfterFunc(s.cfg.StallAfter, func() { cancel(errStalled) })
	w.timer.Stop()
	return resp, w, nil
}

var errStalled = errors.New("it sends too slowly")

// unreachable is the sentence for a failed request.
func (s *site) unreachable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errStalled) {
		return cause // ours: we were told to stop
	}
	var slow bool
	var timeout net.Error
	switch {
	case errors.Is(context.Cause(ctx), errStalled):
		slow = true
		err = fmt.Errorf("sends too slowly: fewer than %d bytes in %s", s.cfg.StallBytes, s.cfg.StallAfter)
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("breaks off in the middle")
	case errors.As(err, &timeout) && timeout.Timeout():
		err = errors.New("does not answer in time")
	default:
		err = fmt.Errorf("cannot be reached: %w", plain(err))
	}
	return &sourceError{error: errs.New(errs.Unavailable, "%s %w", s.address, err), slow: slow}
}

// plain takes the method and the address, which the sentence has already, off an
// error of net/http.
func plain(err error) error {
	type wrapper interface{ Unwrap() error }
	for range 3 {
		w, ok := err.(wrapper)
		if !ok || w.Unwrap() == nil || !strings.HasPrefix(fmt.Sprintf("%T", err), "*url.") {
			return err
		}
		err = w.Unwrap()
	}
	return err
}

// refused is the error of an answer that is not the file.
func (s *site) refused(resp *http.Response, path string) error {
	kind, what := errs.Unavailable, fmt.Sprintf("answers %d for %s", resp.StatusCode, path)
	switch resp.StatusCode {
	case http.StatusNotFound:
		kind, what = errs.NotFound, "does not have "+path
	case http.StatusGone:
		kind, what = errs.Gone, "says that "+path+" is erased"
	case http.StatusForbidden, http.StatusUnauthorized:
		kind, what = errs.Forbidden, "does not give out "+path
	case http.StatusUnavailableForLegalReasons:
		kind, what = errs.Withdrawn, "says that "+path+" is withdrawn"
	}
	e := &sourceError{error: errs.New(kind, "%s %s", s.address, what)}
	if kind == errs.Unavailable {
		e.wait = retryAfter(resp.Header.Get("Retry-After"))
	}
	return e
}

// retryAfter reads the header (RFC 9110, 10.2.3) as far as it is in seconds; at
// most an hour.
func retryAfter(value string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(min(n, 3600))*time.Second, time.Hour)
}

// watched reads a body, and gives up when too little comes. Only the time spent
// waiting for the source counts, not that of whoever reads.
type watched struct {
	s      *site
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	spent  time.Duration // waiting, since got began at 0
	got    int64
}

func (w *watched) Read(p []byte) (int, error) {
	begin := time.Now()
	w.timer.Reset(max(w.s.cfg.StallAfter-w.spent, time.Millisecond))
	n, err := w.body.Read(p)
	w.timer.Stop()
	w.spent += time.Since(begin)
	w.got += int64(n)
	if w.got >= w.s.cfg.StallBytes {
		w.got, w.spent = 0, 0
	}
	if err != nil && err != io.EOF {
		err = w.s.unreachable(w.ctx, err)
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	w.cancel(nil)
	return w.body.Close()
}
