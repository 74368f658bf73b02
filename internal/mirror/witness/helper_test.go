package witness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/durable"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

// library is an origin's register with witnesses.
type library struct {
	dir      string
	trustee  note.Signer
	origin   note.Signer
	skey     string // the origin's
	reg      *register.Register
	cosigner []*Cosigner
	keys     []string // secret, of the witnesses
}

func key(t testing.TB, name string) (skey string, s note.Signer, vkey string) {
	t.Helper()
	skey, vkey, err := register.GenerateKeys(name)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	return skey, s, vkey
}

// newLibrary makes a library whose charter names n witnesses and a quorum.
func newLibrary(t testing.TB, n, quorum int) *library {
	t.Helper()
	l := &library{dir: filepath.Join(t.TempDir(), "register")}
	name := register.NewLogName()
	var vkey, trustee string
	l.skey, l.origin, vkey = key(t, name)
	_, l.trustee, trustee = key(t, "trustee")
	c := register.NewCharter(name, vkey, []string{trustee}, 1)
	for i := range n {
		skey, _, _ := key(t, fmt.Sprintf("witness-%d", i))
		w, err := NewCosigner(skey)
		if err != nil {
			t.Fatal(err)
		}
		l.keys, l.cosigner, c.Witnesses = append(l.keys, skey), append(l.cosigner, w), append(c.Witnesses, w.VKey())
	}
	c.Quorum = quorum
	signed, err := register.SignCharter(c, l.trustee)
	if err != nil {
		t.Fatal(err)
	}
	entry := encode(t, record.Entry{Type: record.TypeCharter, Note: string(signed)})
	if l.reg, err = register.Create(register.Config{Dir: l.dir, Signer: l.origin}, entry); err != nil {
		t.Fatal(err)
	}
	return l
}

func encode(t testing.TB, e record.Entry) []byte {
	t.Helper()
	e.Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	raw, err := record.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// add appends n entries.
func (l *library) add(t testing.TB, n int) {
	t.Helper()
	var list [][]byte
	for i := range n {
		list = append(list, encode(t, record.Entry{Type: record.TypeAccession, Record: &record.Record{Title: fmt.Sprint("Book ", i)},
			Source: &record.Source{Name: "test", ID: fmt.Sprint(l.reg.Size() + int64(i)), Digest: "d"}}))
	}
	if _, err := l.reg.Append(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

// fork is another origin with the same key that goes on from here by itself.
func (l *library) fork(t testing.TB) *library {
	t.Helper()
	other := *l
	other.dir = filepath.Join(t.TempDir(), "register")
	if err := os.CopyFS(other.dir, os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	var err error
	if other.reg, err = register.Open(register.Config{Dir: other.dir, Signer: l.origin}); err != nil {
		t.Fatal(err)
	}
	return &other
}

// try gives the register's files as another copy would.
func (l *library) try(ctx context.Context, fn func(context.Context, register.Get) error) error {
	return fn(ctx, func(_ context.Context, path string, _ int64) ([]byte, error) { return l.reg.Resource(path) })
}

// replica is a mirror's copy, with its witness and server.
type replica struct {
	dir string
	reg *register.Register
	w   *Witness
	srv *httptest.Server

	mu       sync.Mutex
	ready    error
	woken    [][]byte
	onWake   func()
	woke     sync.WaitGroup
	wait     time.Duration
	evidence []json.RawMessage
	now      time.Time
}

// replica makes an empty copy with witness i, whose clients are not kept waiting.
func (l *library) replica(t testing.TB, i int) *replica { return l.patient(t, i, time.Millisecond) }

func (l *library) patient(t testing.TB, i int, wait time.Duration) *replica {
	t.Helper()
	m := &replica{dir: t.TempDir(), now: time.Now(), wait: wait}
	var err error
	m.reg, err = register.CreateReplica(t.Context(), register.Config{Dir: filepath.Join(m.dir, "register"), Replica: true}, l.reg.Library(), l.reg.Charters())
	if err != nil {
		t.Fatal(err)
	}
	m.open(t, l.cosigner[i], durable.OS(), filepath.Join(m.dir, "witness"))
	return m
}

// open opens the witness anew.
func (m *replica) open(t testing.TB, c *Cosigner, fsys durable.FS, dir string) {
	t.Helper()
	var err error
	m.w, err = New(t.Context(), Config{
		Dir: dir, FS: fsys, Register: m.reg, Cosigner: c,
		Ready: func(context.Context, int64) error { m.mu.Lock(); defer m.mu.Unlock(); return m.ready },
		Wake: func(signed []byte) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.woken = append(m.woken, signed)
			if m.onWake != nil {
				m.woke.Go(m.onWake)
			}
		},
		Accuse: func(_ context.Context, f *register.Fork) error {
			raw, err := f.Marshal()
			if err != nil {
				return err
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			m.evidence = append(m.evidence, raw)
			return nil
		},
		Evidence: func(context.Context) ([]json.RawMessage, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return slices.Clone(m.evidence), nil
		},
		Wait: m.wait,
		Now:  func() time.Time { m.mu.Lock(); defer m.mu.Unlock(); return m.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	if m.srv == nil {
		m.srv = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			mux := http.NewServeMux()
			m.w.Routes(mux)
			mux.ServeHTTP(rw, r)
		}))
		t.Cleanup(func() {
			m.srv.Close()
			m.woke.Wait()
		})
	}
}

// follow copies what the library has.
func (m *replica) follow(t testing.TB, l *library) {
	t.Helper()
	if t.Context().Err() != nil {
		return
	}
	if err := m.reg.Extend(t.Context(), l.reg.Checkpoint(), l.try, register.ExtendOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := m.w.Extended(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// request is one from the size old to the library's published checkpoint.
func (l *library) request(t testing.TB, old int64) Request {
	t.Helper()
	r := Request{Old: old, Note: l.reg.Checkpoint()}
	if size := l.reg.Size(); old > 0 && old < size {
		var err error
		if r.Proof, err = l.reg.ConsistencyProof(old, size); err != nil {
			t.Fatal(err)
		}
	}
	return r
}
