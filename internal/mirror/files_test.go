package mirror

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// TestMirrorMissingFile has a file that no source has: it is named, and fetched when
// it turns up.
func TestMirrorMissingFile(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(100, 200, 300)
	lost := o.files[1]
	var hidden atomic.Bool
	hidden.Store(true)
	site := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hidden.Load() && strings.HasSuffix(r.URL.Path, lost.SHA256) {
			http.NotFound(w, r)
			return
		}
		o.ServeHTTP(w, r)
	}))
	now := time.Now()
	m := copyOf(t, o, func(c *Config) { c.Now = func() time.Time { return now } }, site.URL)
	err := m.Once(ctx)
	if !errs.Is(err, errs.NotFound) || !strings.Contains(err.Error(), lost.SHA256) {
		t.Fatal(err)
	}
	if s := m.Status(); s.Missing != (Tally{1, 200}) || s.Files != (Tally{2, 400}) || !s.Looked || s.Complete() {
		t.Fatalf("%+v", s)
	}
	m.Missing(func(ref blob.Ref, why error) {
		if ref != lost || why == nil {
			t.Errorf("%v: %v", ref, why)
		}
	})
	hidden.Store(false)
	now = now.Add(2 * time.Minute)
	once(t, m)
	whole(t, m, o)
}

// TestMirrorMissingWithdrawn has a file that was withdrawn before it could be copied:
// nothing is missing then.
func TestMirrorMissingWithdrawn(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(100, 200, 300)
	lost := o.files[1]
	var status atomic.Int32
	status.Store(http.StatusNotFound)
	site := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, lost.SHA256) {
			w.WriteHeader(int(status.Load()))
			return
		}
		o.ServeHTTP(w, r)
	}))
	now := time.Now()
	m := copyOf(t, o, func(c *Config) { c.Now = func() time.Time { return now } }, site.URL)
	if err := m.Once(ctx); !errs.Is(err, errs.NotFound) {
		t.Fatal(err)
	}
	status.Store(http.StatusUnavailableForLegalReasons)
	m.cfg.Wanted = func(ctx context.Context, from int64, fn func(int64, blob.Ref) error) error {
		return o.wanted(ctx, from, func(pos int64, ref blob.Ref) error {
			if ref == lost {
				return nil
			}
			return fn(pos, ref)
		})
	}
	now = now.Add(2 * time.Hour)
	if err := m.Once(ctx); !errs.Is(err, errs.Withdrawn) {
		t.Fatal(err)
	}
	once(t, m)
	if s := m.Status(); s.Missing != (Tally{}) || s.Wanted != (Tally{2, 400}) || !s.Complete() {
		t.Fatalf("%+v", s)
	}
}

// TestMirrorViewsLag does not look for files of entries that the views do not know.
func TestMirrorViewsLag(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(100)
	site := start(t, o)
	var broken atomic.Bool
	broken.Store(true)
	m := copyOf(t, o, func(c *Config) {
		c.Extended = func(context.Context) error {
			if broken.Load() {
				return errs.New(errs.Unavailable, "the views do not follow")
			}
			return nil
		}
	}, site.URL)
	if err := m.Once(ctx); !errs.Is(err, errs.Unavailable) {
		t.Fatal(err)
	}
	if err := m.copyFiles(ctx); err != nil {
		t.Fatal(err)
	}
	if s := m.Status(); s.Looked || s.Complete() || s.Files.Files != 0 || s.Size != 2 {
		t.Fatalf("%+v", s)
	}
	broken.Store(false)
	once(t, m)
	whole(t, m, o)
}

type shelves struct {
	list  []Shelf
	files map[int][]blob.Ref
}

func (s shelves) Shelves(context.Context) ([]Shelf, error) { return s.list, nil }
func (s shelves) Files(_ context.Context, n int, fn func(blob.Ref) error) error {
	for _, ref := range s.files[n] {
		if err := fn(ref); err != nil {
			return err
		}
	}
	return nil
}

// TestMirrorSpace fills what there is: the rarest shelf, then the newest.
func TestMirrorSpace(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(1000, 1000, 1000, 1000, 1000, 1000)
	site := start(t, o)
	list := newList(t, o.reg.Library())
	holder := announcement(t, o.reg.Library(), "https://holder.example")
	holder.a.Shelves.Add(0)
	if err := list.Add(ctx, holder.sign(t)); err != nil {
		t.Fatal(err)
	}
	m := copyOf(t, o, func(c *Config) {
		c.Space, c.List = 3500, list
		c.Shelves = shelves{[]Shelf{{0, 2000}, {1, 1000}}, map[int][]blob.Ref{0: {o.files[0], o.files[1]}, 1: {o.files[2]}}}
	}, site.URL)
	once(t, m)
	for i, ref := range o.files { // 2 is on the rarest shelf; then 0 and 1 of the other
		if _, err := m.cfg.Blobs.Stat(ctx, ref.SHA256); (err == nil) != (i <= 2) {
			t.Errorf("file %d: %v", i, err)
		}
	}
	m2 := copyOf(t, o, func(c *Config) { c.Space = 3500 }, site.URL)
	once(t, m2)
	once(t, m2)
	for i, ref := range o.files {
		if _, err := m2.cfg.Blobs.Stat(ctx, ref.SHA256); (err == nil) != (i >= 3) {
			t.Errorf("newest first: file %d: %v", i, err)
		}
	}
	if s := m2.Status(); !s.Partial || s.Files.Files != 3 || s.Missing.Files != 0 || !s.Looked {
		t.Errorf("%+v", s)
	}
}

func TestMirrorFetchesBodies(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(777)
	site := start(t, o)
	m := copyOf(t, o, nil, site.URL)
	body := record.Body{SHA256: o.files[0].SHA256, Bytes: 777}
	for range 2 {
		data, err := m.Fetch(ctx, body)
		if err != nil || refOf(data) != o.files[0] {
			t.Fatal(err)
		}
	}
	if n := site.asked("/blobs/"); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	if _, err := m.Fetch(ctx, record.Body{SHA256: body.SHA256, Bytes: record.MaxBody + 1}); !errs.Is(err, errs.TooLarge) {
		t.Fatal(err)
	}
	if _, err := m.Fetch(ctx, record.Body{SHA256: "../x", Bytes: 1}); err == nil {
		t.Fatal("a path was fetched")
	}
}
