package mirror

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/blob/blobtest"
	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// library is some files behind a server that may be bad in some way.
type library struct {
	files map[string][]byte
	bad   func(w http.ResponseWriter, r *http.Request, data []byte) bool // true: it has answered
}

func newLibrary(sizes ...int) (*library, []blob.Ref) {
	l := &library{files: map[string][]byte{}}
	var refs []blob.Ref
	for i, n := range sizes {
		data := blobtest.Bytes(uint64(i), n)
		ref := refOf(data)
		l.files[ref.SHA256] = data
		refs = append(refs, ref)
	}
	return l, refs
}

func (l *library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, ok := l.files[strings.TrimPrefix(r.URL.Path, "/blobs/sha256/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if l.bad == nil || !l.bad(w, r, data) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

func (l *library) with(bad func(w http.ResponseWriter, r *http.Request, data []byte) bool) *library {
	return &library{l.files, bad}
}

func flip(w http.ResponseWriter, _ *http.Request, data []byte) bool {
	data = bytes.Clone(data)
	data[len(data)/2] ^= 1
	_, _ = w.Write(data)
	return true
}

func state(t *testing.T, p *Pool, address string) SourceStatus {
	t.Helper()
	for _, s := range p.Status() {
		if s.Address == address {
			return s
		}
	}
	t.Fatalf("%s is no source", address)
	return SourceStatus{}
}

// TestPoolAttacks has one bad source at a time beside a good one, and by itself.
func TestPoolAttacks(t *testing.T) {
	t.Parallel()
	lib, refs := newLibrary(50_000, 10, 0, 200_000)
	forever := func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 10_000)); err != nil {
				break
			}
		}
		return true
	}
	slowly := func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		for _, b := range data {
			_, _ = w.Write([]byte{b})
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(50 * time.Millisecond):
			case <-r.Context().Done():
				return true
			}
		}
		return true
	}
	silent := func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		<-r.Context().Done()
		return true
	}
	cutOff := func(w http.ResponseWriter, _ *http.Request, data []byte) bool {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data[:len(data)/2])
		panic(http.ErrAbortHandler)
	}
	round := func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		http.Redirect(w, r, r.URL.Path+"?again", http.StatusFound)
		return true
	}
	refuse := func(code int) func(http.ResponseWriter, *http.Request, []byte) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ []byte) bool { w.WriteHeader(code); return true }
	}
	for _, test := range []struct {
		name  string
		bad   func(http.ResponseWriter, *http.Request, []byte) bool
		state SourceState
		alone errs.Kind
		says  string
	}{
		{"a wrong byte", flip, Lying, errs.Corrupt, "gave wrong bytes"},
		{"sends forever", forever, Lying, errs.Corrupt, "gave wrong bytes"},
		{"cut off", cutOff, Unreachable, errs.Unavailable, "breaks off"},
		{"sends slowly", slowly, Slow, errs.Unavailable, "too slowly"},
		{"silent", silent, Unreachable, errs.Unavailable, "does not answer"},
		{"round and round", round, Unreachable, errs.Unavailable, "without end"},
		{"broken", refuse(500), Unreachable, errs.Unavailable, "answers 500"},
		{"closed", refuse(403), Good, errs.Forbidden, "does not give out"},
		{"gone", refuse(410), Good, errs.Gone, "is erased"},
		{"withdrawn", refuse(451), Good, errs.Withdrawn, "is withdrawn"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bad, good := start(t, lib.with(test.bad)), start(t, lib)
			store := newStore(t)
			cfg := fastPool(store)
			cfg.Source.Connect = 300 * time.Millisecond
			p := NewPool(cfg)
			p.Set([]string{bad.URL})
			err := p.Blob(ctx, refs[0])
			if !errs.Is(err, test.alone) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), bad.URL) {
				t.Fatalf("alone: %v", err)
			}
			absentIn(t, store, refs[0])
			if s := state(t, p, bad.URL); s.State != test.state || s.Bytes != 0 {
				t.Fatalf("alone: %+v", s)
			}
			p.Set([]string{bad.URL, good.URL})
			for _, ref := range refs {
				if err := p.Blob(ctx, ref); err != nil {
					t.Fatalf("with a good one: %v", err)
				}
				readAll(t, store, ref)
			}
			if s := state(t, p, good.URL); s.State != Good || s.Heard.IsZero() {
				t.Fatalf("the good one: %+v", s)
			}
			if s := state(t, p, bad.URL); test.state == Lying && (s.State != Lying || s.Reason == "" || s.Until.IsZero()) {
				t.Fatalf("the lying one: %+v", s)
			}
		})
	}
}

// TestPoolSeveral copies many files from three sources at once, of which one lies:
// all work, the liar is asked a few times only.
func TestPoolSeveral(t *testing.T) {
	t.Parallel()
	sizes := make([]int, 300)
	for i := range sizes {
		sizes[i] = 20_000 + i
	}
	lib, refs := newLibrary(sizes...)
	a, b, liar := start(t, lib), start(t, lib), start(t, lib.with(flip))
	store := newStore(t)
	p := NewPool(fastPool(store))
	p.Set([]string{liar.URL, a.URL, b.URL, b.URL + "/"})
	var wg sync.WaitGroup
	jobs := make(chan blob.Ref)
	for range 12 {
		wg.Go(func() {
			for ref := range jobs {
				if err := p.Blob(ctx, ref); err != nil {
					t.Errorf("%v: %v", ref, err)
				}
			}
		})
	}
	for _, ref := range refs {
		jobs <- ref
	}
	close(jobs)
	wg.Wait()
	for _, ref := range refs {
		readAll(t, store, ref)
	}
	if n := liar.requests.Load(); n > 12 {
		t.Errorf("the liar was asked %d times", n)
	}
	for _, s := range []*counted{a, b} {
		if s.requests.Load() < 30 {
			t.Errorf("a good source was asked %d times only", s.requests.Load())
		}
	}
	if s := state(t, p, liar.URL); s.State != Lying {
		t.Errorf("the liar: %+v", s)
	}
}

// TestPoolOneRottenFile has a single source with one bad file: all the others come.
func TestPoolOneRottenFile(t *testing.T) {
	t.Parallel()
	lib, refs := newLibrary(1000, 2000, 3000, 4000)
	rotten := refs[1].SHA256
	s := start(t, lib.with(func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		return strings.HasSuffix(r.URL.Path, rotten) && flip(w, r, data)
	}))
	store := newStore(t)
	p := NewPool(fastPool(store))
	p.Set([]string{s.URL})
	for range 2 {
		for i, ref := range refs {
			if err := p.Blob(ctx, ref); (err == nil) == (i == 1) || i == 1 && !errs.Is(err, errs.Corrupt) {
				t.Fatalf("file %d: %v", i, err)
			}
		}
	}
	if st := state(t, p, s.URL); st.State != Lying || !strings.Contains(st.Reason, rotten) {
		t.Fatalf("%+v", st)
	}
}

// TestPoolResume cuts a large file off again and again, at two sources in turn, one
// of which knows no ranges; nothing is asked for twice where it need not be.
func TestPoolResume(t *testing.T) {
	t.Parallel()
	lib, refs := newLibrary(1 << 20)
	var mu sync.Mutex
	cuts := 0
	s := start(t, lib.with(func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		mu.Lock()
		cuts++
		n := cuts
		mu.Unlock()
		if n >= 4 {
			return false
		}
		from := 0
		if v := r.Header.Get("Range"); v != "" {
			from, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(v, "bytes="), "-"))
			w.Header().Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(len(data)-1)+"/"+strconv.Itoa(len(data)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(data[from : from+200_000])
		panic(http.ErrAbortHandler)
	}))
	store := newStore(t)
	cfg := fastPool(store)
	cfg.ResumeAbove = 1000
	p := NewPool(cfg)
	p.Set([]string{s.URL})
	var err error
	for range 5 {
		if err = p.Blob(ctx, refs[0]); err == nil {
			break
		}
		time.Sleep(60 * time.Millisecond) // the longest wait of the pool
	}
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, store, refs[0])
	if n := s.bytes.Load(); n > 1<<20*103/100 {
		t.Fatalf("%d bytes for a file of %d", n, 1<<20)
	}

	// A plain server, such as Python's, sends all from the start.
	plain := start(t, lib.with(func(w http.ResponseWriter, _ *http.Request, data []byte) bool {
		_, _ = w.Write(data)
		return true
	}))
	src, err := OpenSource(plain.URL, SourceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Blob(ctx, refs[0].SHA256, 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err := io.ReadAll(r); err != nil || !bytes.Equal(data, lib.files[refs[0].SHA256][1000:]) {
		t.Fatalf("%d bytes: %v", len(data), err)
	}
}

// TestPoolSurpassed gives up a source that trickles, though never stalls, for one
// that is known to be fast; by itself it is waited for.
func TestPoolSurpassed(t *testing.T) {
	t.Parallel()
	lib, refs := newLibrary(400_000, 30_000)
	trickle := start(t, lib.with(func(w http.ResponseWriter, r *http.Request, data []byte) bool {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		for len(data) > 0 && r.Context().Err() == nil {
			n := min(len(data), 1000)
			_, _ = w.Write(data[:n])
			_ = http.NewResponseController(w).Flush()
			data = data[n:]
			time.Sleep(5 * time.Millisecond)
		}
		return true
	}))
	good := start(t, lib)
	store := newStore(t)
	cfg := fastPool(store)
	cfg.SlowAfter = 100 * time.Millisecond
	p := NewPool(cfg)
	p.Set([]string{trickle.URL})
	if err := p.Blob(ctx, refs[1]); err != nil {
		t.Fatal(err)
	}
	p.Set([]string{trickle.URL, good.URL})
	p.members[1].rate = 100 << 20
	p.members[0].rate, p.members[0].slow = 1<<30, time.Time{} // it was fast once, and is asked first
	if err := p.Blob(ctx, refs[0]); err != nil {
		t.Fatal(err)
	}
	readAll(t, store, refs[0])
	if s := state(t, p, trickle.URL); s.State != Slow || !strings.Contains(s.Reason, "slower") {
		t.Fatalf("%+v", s)
	}
	if good.requests.Load() == 0 {
		t.Fatal("the fast one was not asked")
	}
}

func TestPoolOurs(t *testing.T) {
	t.Parallel()
	lib, refs := newLibrary(100)
	s := start(t, lib)
	p := NewPool(fastPool(newStore(t)))
	p.Set([]string{s.URL, "ftp://nowhere", ""})
	if got := p.Addresses(); len(got) != 1 {
		t.Fatalf("sources %q", got)
	}
	broken := errors.New("our disk is full")
	if err := p.Try(ctx, func(context.Context, Source) error { return broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if st := state(t, p, s.URL); st.Reason != "" {
		t.Fatalf("our fault was laid at the source's door: %+v", st)
	}
	stop, cancel := context.WithCancel(ctx)
	cancel()
	if err := p.Blob(stop, refs[0]); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	p.Set(nil)
	if err := p.Blob(ctx, refs[0]); !errs.Is(err, errs.Unavailable) {
		t.Fatal(err)
	}
}

func TestSiteGet(t *testing.T) {
	t.Parallel()
	var tag string
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/lib/ok":
			tag = r.Header.Get("If-None-Match")
			w.Header().Set("ETag", `"1"`)
			if tag == `"1"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write(make([]byte, 100))
		case "/lib/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1000)); err != nil {
					return
				}
			}
		case "/lib/away":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	src, err := OpenSource(s.URL+"/lib/", SourceConfig{})
	if err != nil || src.Address() != s.URL+"/lib" {
		t.Fatal(src, err)
	}
	if data, err := src.Get(ctx, "ok", 100); err != nil || len(data) != 100 {
		t.Fatal(len(data), err)
	}
	if _, err := src.Get(ctx, "ok", 99); !errs.Is(err, errs.TooLarge) {
		t.Fatal(err)
	}
	if _, err := src.Get(ctx, "endless", 50_000); !errs.Is(err, errs.TooLarge) {
		t.Fatal(err)
	}
	if _, err := src.Get(ctx, "none", 1); !errs.Is(err, errs.NotFound) {
		t.Fatal(err)
	}
	if _, err := src.Get(ctx, "away", 1000); !errs.Is(err, errs.Unavailable) {
		t.Fatal(err)
	}
	_, etag, changed, err := src.Poll(ctx, "ok", "", 100)
	if err != nil || !changed || etag != `"1"` {
		t.Fatal(etag, changed, err)
	}
	if _, _, changed, err = src.Poll(ctx, "ok", etag, 100); err != nil || changed {
		t.Fatal(changed, err)
	}
	for address, want := range map[string]bool{
		"https://a.example": true, "http://8.8.8.8:80": true, "http://[2001:4860::1]": true,
		"http://127.0.0.1:1": false, "http://10.1.2.3": false, "http://localhost:8080": false, "http://box": false,
		"http://[::1]": false, "http://100.64.1.1": false, "http://169.254.1.1": false, "/srv": false, "": false,
	} {
		if IsPublic(address) != want {
			t.Errorf("%s is public: %v", address, !want)
		}
	}
	private, err := OpenSource(s.URL, SourceConfig{Public: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := private.Get(ctx, "lib/ok", 100); err == nil || !strings.Contains(err.Error(), "public Internet") {
		t.Fatal(err)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	data := blobtest.Bytes(1, 500)
	ref := refOf(data)
	old := blobtest.Bytes(2, 600)
	oldRef := refOf(old)
	dir := t.TempDir()
	write := func(name string, data []byte) {
		t.Helper()
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("blobs/sha256/"+ref.SHA256, data)
	write("blobs/"+oldRef.SHA256[:2]+"/"+oldRef.SHA256[2:4]+"/"+oldRef.SHA256, old)
	write("register/checkpoint", []byte("hello"))
	write("register/charters/1", []byte("one"))
	write("register/charters/2", []byte("two"))
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "register", "link")); err != nil {
		t.Fatal(err)
	}
	src, err := OpenSource("file://"+dir, SourceConfig{})
	if err != nil || src.Address() != dir {
		t.Fatal(err)
	}
	if got, err := src.Get(ctx, "register/checkpoint", 10); err != nil || string(got) != "hello" {
		t.Fatal(got, err)
	}
	if _, err := src.Get(ctx, "register/checkpoint", 4); !errs.Is(err, errs.TooLarge) {
		t.Fatal(err)
	}
	if got, err := src.Get(ctx, "register/charters", 100); err != nil || string(got) != `["one","two"]` {
		t.Fatal(string(got), err)
	}
	for _, name := range []string{"register/link", "../" + filepath.Base(outside), "/etc/passwd", "register", "register/none", ""} {
		if got, err := src.Get(ctx, name, 100); err == nil {
			t.Fatalf("%q: %q", name, got)
		}
	}
	_, tag, changed, err := src.Poll(ctx, "register/checkpoint", "", 10)
	if err != nil || !changed || tag == "" {
		t.Fatal(tag, changed, err)
	}
	if _, _, changed, err = src.Poll(ctx, "register/checkpoint", tag, 10); err != nil || changed {
		t.Fatal(changed, err)
	}
	store := newStore(t)
	p := NewPool(fastPool(store))
	p.Set([]string{dir})
	for _, ref := range []blob.Ref{ref, oldRef} {
		if err := p.Blob(ctx, ref); err != nil {
			t.Fatal(err)
		}
		readAll(t, store, ref)
	}
	if err := p.Blob(ctx, refOf([]byte("other"))); !errs.Is(err, errs.NotFound) {
		t.Fatal(err)
	}
	if _, err := OpenSource(filepath.Join(dir, "nothing"), SourceConfig{}); !errs.Is(err, errs.NotFound) {
		t.Fatal(err)
	}
}

func TestCleanAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://A.example//":        "https://a.example",
		"http://a.example:8080/lib/": "http://a.example:8080/lib",
		"file:///srv/export/":        "/srv/export",
		"/srv/export/../x":           "/srv/x",
		"https://a.example/?q=1":     "",
		"https://a.example/#x":       "",
		"https://u:p@a.example":      "",
		"https://":                   "",
		"ftp://a.example":            "",
		"file://host/x":              "",
		"":                           "",
	} {
		if got, err := CleanAddress(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	id := strings.Repeat("a", 64)
	if a, l, err := CutLibrary("https://a.example#" + id); a != "https://a.example" || l != id || err != nil {
		t.Error(a, l, err)
	}
	if _, _, err := CutLibrary("https://a.example#abc"); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
}

// drip serves a file that never ends, and comes just fast enough not to have stalled.
func drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 500)); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// A source that drips holds up neither what is asked of it nor the mirror.
func TestDrip(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(10)
	good := start(t, o)
	bad := start(t, http.HandlerFunc(drip))
	p := NewPool(fastPool(newStore(t)))
	p.cfg.GetTime = 100 * time.Millisecond
	p.Set([]string{bad.URL})
	err := p.Register(ctx, func(ctx context.Context, get register.Get) error {
		_, err := get(ctx, "tile/entries/000", getRate-1)
		return err
	})
	if !errs.Is(err, errs.Unavailable) || isOurs(err) || !strings.Contains(err.Error(), "has not given register/tile/entries/000") {
		t.Fatal(err)
	}
	m := copyOf(t, o, func(c *Config) { c.AskTime = 100 * time.Millisecond }, good.URL, bad.URL)
	once(t, m)
	err = m.ask(ctx, bad.URL)
	if !errs.Is(err, errs.Unavailable) || isOurs(err) || !strings.Contains(err.Error(), "has not said in 100ms") {
		t.Fatal(err)
	}
}
