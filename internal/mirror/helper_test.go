package mirror

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/blob"
	"wenlan/internal/blob/blobtest"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

var ctx = context.Background()

// origin is a library with a register and files, and the keys to go on with it.
type origin struct {
	t       testing.TB
	log     string
	signer  note.Signer
	vkey    string
	trustee note.Signer
	tkey    string
	reg     *register.Register
	path    string // the folder of the register
	blobs   *blob.Local
	files   []blob.Ref  // in the order of their entries
	at      []int64     // the entry of each
	mu      *sync.Mutex // for these two
}

func newKey(t testing.TB, name string) (note.Signer, string) {
	t.Helper()
	secret, public, err := register.GenerateKeys(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s, public
}

func newOrigin(t testing.TB, addresses ...string) *origin {
	t.Helper()
	o := &origin{t: t, log: register.NewLogName(), mu: &sync.Mutex{}}
	o.signer, o.vkey = newKey(t, o.log)
	o.trustee, o.tkey = newKey(t, "trustee")
	c := register.NewCharter(o.log, o.vkey, []string{o.tkey}, 1)
	c.Addresses = addresses
	signed, err := register.SignCharter(c, o.trustee)
	if err != nil {
		t.Fatal(err)
	}
	o.path = t.TempDir() + "/register"
	o.reg, err = register.Create(register.Config{Dir: o.path, Signer: o.signer}, entry(t, record.Entry{Type: record.TypeCharter, Note: string(signed)}))
	if err != nil {
		t.Fatal(err)
	}
	o.blobs = newStore(t)
	return o
}

func entry(t testing.TB, e record.Entry) []byte {
	t.Helper()
	e.Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	raw, err := record.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newStore(t testing.TB) *blob.Local {
	t.Helper()
	s, err := blob.OpenLocal(blob.LocalConfig{Roots: []string{t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// add takes in files of these lengths, one record each.
func (o *origin) add(sizes ...int) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	var batch [][]byte
	for _, n := range sizes {
		data := blobtest.Bytes(uint64(len(o.files)+1), n)
		ref, err := o.blobs.Put(ctx, bytes.NewReader(data))
		if err != nil {
			o.t.Fatal(err)
		}
		o.files = append(o.files, ref)
		o.at = append(o.at, o.reg.Size()+int64(len(batch)))
		batch = append(batch, entry(o.t, record.Entry{
			Type: record.TypeAccession, Record: &record.Record{Title: "Book " + strconv.Itoa(len(o.files))},
			Files: []record.File{{SHA256: ref.SHA256, Bytes: ref.Bytes, MediaType: "text/plain", Name: "b.txt", Role: record.RoleText}},
		}))
	}
	if err := o.blobs.Flush(ctx); err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.reg.Append(ctx, batch); err != nil {
		o.t.Fatal(err)
	}
}

// ServeHTTP serves the library as its site does.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve(w, r, o.reg, o.blobs)
}

func serve(w http.ResponseWriter, r *http.Request, reg *register.Register, blobs *blob.Local) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if sha, ok := strings.CutPrefix(path, "blobs/sha256/"); ok {
		b, err := blobs.Open(ctx, sha)
		if err != nil {
			http.Error(w, err.Error(), errs.Status(err))
			return
		}
		defer b.Close()
		_ = blob.Serve(w, r, b, blob.Ref{SHA256: sha, Bytes: b.Size()}, blob.ServeOptions{Immutable: true})
		return
	}
	name, ok := strings.CutPrefix(path, "register/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	data, err := reg.Resource(name)
	if err != nil {
		http.Error(w, err.Error(), errs.Status(err))
		return
	}
	w.Header().Set("ETag", `"`+refOf(data).SHA256[:16]+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// wanted enumerates the files, as the catalogue would.
func (o *origin) wanted(ctx context.Context, from int64, fn func(int64, blob.Ref) error) error {
	o.mu.Lock()
	files, at := slices.Clone(o.files), slices.Clone(o.at)
	o.mu.Unlock()
	for i, ref := range files {
		if at[i] >= from {
			if err := fn(at[i], ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// start serves a handler, and counts the requests and the bytes of both directions.
func start(t testing.TB, h http.Handler) *counted {
	t.Helper()
	c := &counted{}
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		c.mu.Lock()
		c.paths = append(c.paths, r.URL.Path)
		c.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	c.server.Listener = &countingListener{c.server.Listener, &c.bytes}
	c.server.Start()
	t.Cleanup(c.server.Close)
	c.URL = c.server.URL
	return c
}

type counted struct {
	server   *httptest.Server
	URL      string
	requests atomic.Int64
	bytes    atomic.Int64
	mu       sync.Mutex
	paths    []string
}

func (c *counted) reset() {
	c.requests.Store(0)
	c.bytes.Store(0)
	c.mu.Lock()
	c.paths = nil
	c.mu.Unlock()
}

func (c *counted) asked(prefix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.paths {
		if strings.HasPrefix(p, prefix) {
			n++
		}
	}
	return n
}

// fastPool waits for nothing for long.
func fastPool(store *blob.Local) PoolConfig {
	return PoolConfig{
		Blobs: store, Backoff: 5 * time.Millisecond, MaxWait: 50 * time.Millisecond, Patience: 100 * time.Millisecond,
		Source: SourceConfig{StallAfter: 300 * time.Millisecond, StallBytes: 1000},
	}
}

func readAll(t testing.TB, s *blob.Local, ref blob.Ref) []byte {
	t.Helper()
	b, err := s.Open(ctx, ref.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	data, err := io.ReadAll(b)
	if err != nil || refOf(data) != ref {
		t.Fatalf("file %v has %d other bytes: %v", ref, len(data), err)
	}
	return data
}

func absentIn(t testing.TB, s *blob.Local, ref blob.Ref) {
	t.Helper()
	if _, err := s.Stat(ctx, ref.SHA256); !errs.Is(err, errs.NotFound) {
		t.Fatalf("the file %v is there: %v", ref, err)
	}
}

// twin makes a second register with the same key, which may go another way.
func (o *origin) twin(t testing.TB) *origin {
	t.Helper()
	c := o.copied(t)
	var err error
	if c.reg, err = register.Open(register.Config{Dir: c.path, Signer: o.signer}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (o *origin) copied(t testing.TB) *origin {
	t.Helper()
	c := *o
	c.mu = &sync.Mutex{}
	c.files, c.at = slices.Clip(o.files), slices.Clip(o.at)
	c.path = t.TempDir() + "/register"
	if err := os.CopyFS(c.path, os.DirFS(o.path)); err != nil {
		t.Fatal(err)
	}
	return &c
}

// heir is the library under a new key, by a charter that counts.
func (o *origin) heir(t testing.TB, signer note.Signer, charter []byte) *origin {
	t.Helper()
	c := o.copied(t)
	c.signer = signer
	var err error
	c.reg, err = register.Continue(ctx, register.Config{Dir: c.path, Signer: signer}, charter)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
