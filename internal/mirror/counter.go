package mirror

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"wenlan/internal/errs"
)

// counter counts what a source gives, and how long it takes for that.
type counter struct {
	Source
	pool   *Pool
	member *member
	mu     sync.Mutex
	bytes  int64
	spent  time.Duration
}

// getRate is the bytes a second with which a file of the greatest length must come.
const getRate = 32 << 10

// surpassed says whether others that may be asked are so much faster that waiting
// on makes no sense.
func (c *counter) surpassed() bool {
	bytes, spent := c.totals()
	p := c.pool
	if spent < p.cfg.SlowAfter {
		return false
	}
	rate := float64(bytes) / spent.Seconds()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	return slices.ContainsFunc(p.members, func(o *member) bool {
		return o != c.member && !o.until.After(now) && o.rate > slowRatio*rate
	})
}

func (c *counter) add(n int64, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += n
	c.spent += d
}

func (c *counter) totals() (int64, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes, c.spent
}

// bound is the time in which a file of at most limit bytes must have come: a source
// that always brings just so much that it is not taken for stalled would else hold
// up all that waits for the file.
func (c *counter) bound(ctx context.Context, path string, limit int64) (context.Context, context.CancelFunc) {
	most := c.pool.cfg.GetTime + time.Duration(limit/getRate)*time.Second
	return context.WithTimeoutCause(ctx, most, tooSlow(c.Address(), "has not given %s in %s", path, most))
}

// tooSlow is the error of a source that took too long.
func tooSlow(address, format string, args ...any) error {
	return &sourceError{error: errs.New(errs.Unavailable, "%s %w", address, fmt.Errorf(format, args...)), slow: true}
}

func (c *counter) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	begin := time.Now()
	ctx, cancel := c.bound(ctx, path, limit)
	defer cancel()
	data, err := c.Source.Get(ctx, path, limit)
	c.add(int64(len(data)), time.Since(begin))
	return data, err
}

func (c *counter) Poll(ctx context.Context, path, tag string, limit int64) ([]byte, string, bool, error) {
	ctx, cancel := c.bound(ctx, path, limit)
	defer cancel()
	data, newTag, changed, err := c.Source.Poll(ctx, path, tag, limit)
	c.add(int64(len(data)), 0)
	return data, newTag, changed, err
}

func (c *counter) Blob(ctx context.Context, sha string, from int64) (io.ReadCloser, error) {
	begin := time.Now()
	r, err := c.Source.Blob(ctx, sha, from)
	c.add(0, time.Since(begin))
	if err != nil {
		return nil, err
	}
	return &countedReader{r, c}, nil
}

type countedReader struct {
	io.ReadCloser
	c *counter
}

func (r *countedReader) Read(p []byte) (int, error) {
	begin := time.Now()
	n, err := r.ReadCloser.Read(p)
	r.c.add(int64(n), time.Since(begin))
	if err == nil && r.c.surpassed() {
		err = tooSlow(r.c.Address(), "is much slower than others")
	}
	return n, err
}
