package witness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/errs"
)

// Prefix is the submission prefix of a witness (C2SP tlog-witness), as it is
// configured: an address without a path is that of a mirror of this program,
// whose witness is at /witness.
func Prefix(address string) (string, error) {
	u, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errs.New(errs.Invalid, "%.200q is not the address of a witness: https://mirror.example.org", address)
	}
	if u.Path == "" {
		u.Path = "/witness"
	}
	return u.String(), nil
}

// site is where the mirror of a witness is, as far as its prefix says so.
func site(prefix string) string { return strings.TrimSuffix(prefix, "/witness") }

const (
	requestTime = 15 * time.Second // for one answer
	maxLines    = 64 << 10         // bytes of an answer with signatures
)

// sized is the answer 409 or 404 of a witness that names a size: of what it
// cosigned last.
type sized struct {
	prefix string
	size   int64
}

func (s *sized) Error() string {
	return fmt.Sprintf("the witness at %s has cosigned %d entries", s.prefix, s.size)
}

// later is the answer 503 of a witness that has not caught up.
type later struct {
	prefix string
	after  time.Duration
	why    string
}

func (l *later) Error() string { return fmt.Sprintf("the witness at %s: %s", l.prefix, l.why) }

// refusal is any other answer.
type refusal struct {
	prefix string
	status int
	why    string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the witness at %s answers %d: %s", r.prefix, r.status, r.why)
}

// client speaks to witnesses.
type client struct{ http *http.Client }

func newClient() client {
	return client{&http.Client{
		Timeout:       requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 2, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: requestTime,
		},
	}}
}

// add posts a request and returns the signature lines, unverified.
func (c client) add(ctx context.Context, prefix string, req Request) ([]byte, error) {
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, prefix+"/add-checkpoint", bytes.NewReader(req.Marshal()))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "text/plain; charset=utf-8")
	return c.do(prefix, post, maxLines)
}

// newest asks for the note that the witness cosigned last.
func (c client) newest(ctx context.Context, prefix, log string) ([]byte, error) {
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, prefix+"/checkpoint?log="+url.QueryEscape(log), nil)
	if err != nil {
		return nil, err
	}
	return c.do(prefix, get, maxNote)
}

// do returns the body of the answer 200; other answers are sized, later or refusal.
func (c client) do(prefix string, req *http.Request, limit int64) ([]byte, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, errs.New(errs.Unavailable, "the witness at %s does not answer: %w", prefix, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, errs.New(errs.Unavailable, "the answer of the witness at %s was cut off: %w", prefix, err)
	}
	if int64(len(body)) > limit {
		return nil, errs.New(errs.TooLarge, "the answer of the witness at %s is longer than %d bytes", prefix, limit)
	}
	why := strings.ToValidUTF8(strings.TrimSpace(string(body[:min(len(body), 300)])), "�")
	switch resp.StatusCode {
	case http.StatusOK:
		return body, nil
	case http.StatusConflict, http.StatusNotFound:
		if resp.Header.Get("Content-Type") == sizeType {
			if size, err := parseSize(strings.TrimSuffix(string(body), "\n")); err == nil {
				return nil, &sized{prefix, size}
			}
		}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return nil, &later{prefix, retryAfter(resp.Header.Get("Retry-After")), why}
	}
	return nil, &refusal{prefix, resp.StatusCode, why}
}

// retryAfter reads the header of that name, in seconds (RFC 9110, section
// 10.2.3), and bounds it.
func retryAfter(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return time.Second
	}
	return time.Duration(min(n, 60)) * time.Second
}
