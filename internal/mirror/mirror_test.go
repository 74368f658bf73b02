package mirror

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// copyOf makes an empty mirror of the library at the first source.
func copyOf(t testing.TB, o *origin, change func(*Config), sources ...string) *Mirror {
	t.Helper()
	src, err := OpenSource(sources[0], SourceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	id, charters, err := Pin(ctx, src, "")
	if err != nil || id != o.reg.Library() {
		t.Fatalf("pinned %s: %v", id, err)
	}
	reg, err := register.CreateReplica(ctx, register.Config{Dir: t.TempDir() + "/register", Replica: true}, id, charters)
	if err != nil {
		t.Fatal(err)
	}
	store := newStore(t)
	cfg := Config{
		Dir: t.TempDir() + "/mirror", Register: reg, Blobs: store, Pool: NewPool(fastPool(store)), Sources: sources,
		Wanted: o.wanted, Poll: time.Hour,
	}
	if change != nil {
		change(&cfg)
	}
	m, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func once(t testing.TB, m *Mirror) {
	t.Helper()
	if err := m.Once(ctx); err != nil {
		t.Fatal(err)
	}
}

// whole holds a mirror to have all that the origin has, down to the last byte.
func whole(t testing.TB, m *Mirror, o *origin) {
	t.Helper()
	r := m.cfg.Register
	if r.Published().Root != o.reg.Published().Root || r.Size() != o.reg.Size() {
		t.Fatalf("%d of %d entries", r.Size(), o.reg.Size())
	}
	for _, ref := range o.files {
		readAll(t, m.cfg.Blobs, ref)
	}
	if s := m.Status(); !s.Complete() || s.Missing.Files != 0 || s.Files != s.Wanted || s.Files.Files != int64(len(o.files)) {
		t.Fatalf("status %+v", s)
	}
}

func TestMirrorCopiesAndFollows(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	sizes := make([]int, 300)
	for i := range sizes {
		sizes[i] = 5000 + i
	}
	o.add(sizes...)
	site := start(t, o)
	var views atomic.Int64
	m := copyOf(t, o, func(c *Config) {
		c.Extended = func(context.Context) error { views.Store(c.Register.Size()); return nil }
	}, site.URL)
	if s := m.Status(); s.Looked || s.Size != 0 || s.Complete() {
		t.Fatalf("before: %+v", s)
	}
	once(t, m)
	whole(t, m, o)
	if views.Load() != o.reg.Size() {
		t.Fatal("the views were not told")
	}
	s := m.Status()
	if s.Origin != site.URL || s.Heard.IsZero() || s.Library != o.reg.Library() || s.Alarm != nil || s.Partial {
		t.Fatalf("status %+v", s)
	}

	// Nothing changed: one small request.
	site.reset()
	once(t, m)
	if n, b := site.requests.Load(), site.bytes.Load(); n != 1 || b >= 2048 {
		t.Fatalf("a poll of an unchanged origin: %d requests, %d bytes", n, b)
	}

	// What is new and nothing else.
	o.add(400_000, 300_000, 500_000)
	site.reset()
	once(t, m)
	whole(t, m, o)
	if b := site.bytes.Load(); b > 1_200_000*103/100 {
		t.Fatalf("%d bytes for 1,200,000 new ones", b)
	}
	if n := site.asked("/blobs/"); n != 3 {
		t.Fatalf("%d files asked for", n)
	}
	t.Logf("delta: %d bytes over the wire for 1,200,000", site.bytes.Load())
}

func TestMirrorRunFollows(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(100)
	site := start(t, o)
	grown := make(chan int64, 10)
	m := copyOf(t, o, func(c *Config) {
		c.Poll = 20 * time.Millisecond
		c.Extended = func(context.Context) error { grown <- c.Register.Size(); return nil }
	}, site.URL)
	stop, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- m.Run(stop) }()
	for want := int64(2); want < 5; want++ {
		if got := <-grown; got != want {
			t.Fatalf("%d entries, not %d", got, want)
		}
		if want < 4 {
			o.add(100)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	again, err := Open(m.cfg)
	if err != nil || again.Status().Heard.IsZero() || m.Status().Heard.Sub(again.Status().Heard) > time.Second {
		t.Fatalf("when the origin was heard of is forgotten: %v, %v", again.Status().Heard, err)
	}
}

// TestMirrorInterrupted ends the copying again and again; what is here is not asked
// for a second time.
func TestMirrorInterrupted(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	for range 3 {
		o.add(make3(40, 3000)...)
	}
	site := start(t, o)
	m := copyOf(t, o, func(c *Config) { c.Workers = 2 }, site.URL)
	for i := 0; ; i++ {
		c, cancel := context.WithCancel(ctx)
		m.cfg.Progress = func(s Status) { cancel() }
		m.shown = time.Time{}
		err := m.Once(c)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) || i > 1000 {
			t.Fatal(err)
		}
		if i == 20 { // enough
			m.cfg.Progress = nil
			once(t, m)
			break
		}
	}
	whole(t, m, o)
	if n := site.asked("/blobs/"); n > len(o.files)*3/2 {
		t.Fatalf("%d requests for %d files", n, len(o.files))
	}
}

func make3(n, size int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = size + i
	}
	return list
}

// TestMirrorBadSource copies from a good source and one that is bad in each way.
func TestMirrorBadSource(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(make3(280, 500)...)
	good := start(t, o)
	other := newOrigin(t)
	other.add(1)
	type badOne struct {
		http.Handler
		spoiled atomic.Int64 // answers
	}
	change := func(prefix string, spoil func(data []byte) []byte) *badOne {
		b := &badOne{}
		b.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			o.ServeHTTP(rec, r)
			data := rec.Body.Bytes()
			if strings.HasPrefix(r.URL.Path, prefix) && rec.Code == 200 {
				b.spoiled.Add(1)
				data = spoil(data)
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(data)
		})
		return b
	}
	flip := func(data []byte) []byte { data[len(data)/3] ^= 4; return data }
	cut := func(data []byte) []byte { return data[:len(data)*2/3] }
	for _, test := range []struct {
		name  string
		h     *badOne
		state SourceState
	}{
		{"a wrong byte in files", change("/blobs/", flip), Lying},
		{"a wrong byte in bundles", change("/register/tile/entries/", flip), Lying},
		{"a wrong byte in tiles", change("/register/tile/1", flip), Lying},
		{"a truncated register", change("/register/tile/", cut), Lying},
		{"truncated files", change("/blobs/", cut), Lying},
		{"a wrong byte in the checkpoint", change("/register/checkpoint", flip), Lying},
		{"a wrong byte in the charters", change("/register/charters", flip), ""},
		{"another library", &badOne{Handler: other}, OtherLibrary},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bad := start(t, test.h)
			m := copyOf(t, o, nil, good.URL, bad.URL)
			for range 3 * othersEvery { // the bad one is asked too
				once(t, m)
			}
			whole(t, m, o)
			// There are few tiles and bundles here: it may be that only the good one was asked.
			if s := state(t, m.cfg.Pool, bad.URL); (test.state == OtherLibrary || test.state != "" && test.h.spoiled.Load() > 0) && s.State != test.state {
				t.Fatalf("the bad source: %+v", s)
			}
			if m.Status().Alarm != nil {
				t.Fatalf("alarm: %+v", m.Status().Alarm)
			}

			// The bad one first, and alone: nothing wrong is kept.
			src, err := OpenSource(bad.URL, SourceConfig{})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := Pin(ctx, src, o.reg.Library()); test.state == OtherLibrary && !errs.Is(err, errs.Refused) && !errs.Is(err, errs.Corrupt) {
				t.Fatalf("pinned: %v", err)
			}
			alone := copyOf(t, o, func(c *Config) { c.Sources = []string{bad.URL} }, good.URL)
			err = alone.Once(ctx)
			for _, ref := range o.files {
				if _, e := alone.cfg.Blobs.Stat(ctx, ref.SHA256); e == nil {
					readAll(t, alone.cfg.Blobs, ref)
				}
			}
			if s := state(t, alone.cfg.Pool, bad.URL); test.state != "" && (err == nil || s.State != test.state) {
				t.Fatalf("the bad source alone: %+v, %v", s, err)
			}
			// When a good one comes, all is well again.
			alone.cfg.Sources = []string{bad.URL, good.URL}
			for range 3 {
				for _, f := range alone.pass.absent {
					f.next = time.Time{}
				}
				err = alone.Once(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			whole(t, alone, o)
		})
	}
}

// swap serves one handler after another at one address.
type swap struct{ h atomic.Pointer[http.Handler] }

func (s *swap) set(h http.Handler) { s.h.Store(&h) }
func (s *swap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.h.Load()).ServeHTTP(w, r)
}

func down() http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

func TestMirrorFork(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(100, 200)
	evil := o.twin(t)
	var sw swap
	sw.set(o)
	site := start(t, &sw)
	honest := start(t, o) // another mirror, which holds the honest one
	m := copyOf(t, o, nil, site.URL, honest.URL)
	once(t, m)
	o.add(300)
	once(t, m)
	before := m.cfg.Register.Published()
	evil.add(400, 500, 600)
	sw.set(evil)
	if err := m.Once(ctx); err != nil {
		t.Fatal(err)
	}
	check := func(m *Mirror) {
		t.Helper()
		s := m.Status()
		if s.Alarm == nil || s.Alarm.Kind != AlarmFork || s.Alarm.Address != site.URL || s.Alarm.Sentence == "" {
			t.Fatalf("alarm %+v", s.Alarm)
		}
		list, err := m.Evidence()
		if err != nil || len(list) != 1 {
			t.Fatalf("evidence %v: %v", list, err)
		}
		f, err := register.ParseFork(list[0].Fork)
		if err != nil || f.Verify(m.cfg.Register.Charters()) != nil {
			t.Fatalf("the proof: %v", err)
		}
		if err := m.Accuse(ctx, f); err != nil {
			t.Fatal(err)
		}
		if got := m.cfg.Register.Published(); got.Size != before.Size || got.Root != before.Root {
			t.Fatalf("%d entries were taken from a fork", got.Size)
		}
		if s := state(t, m.cfg.Pool, honest.URL); s.State == Lying {
			t.Fatalf("the honest mirror is blamed: %+v", s)
		}
		if j, err := m.EvidenceJSON(ctx); err != nil || len(j) != 1 {
			t.Fatal(j, err)
		}
	}
	check(m)
	again, err := Open(m.cfg) // a restart
	if err != nil {
		t.Fatal(err)
	}
	once(t, again)
	check(again)

	// A charter with a base ends it: the trustees say that the honest one counts.
	base := o.reg.Published()
	next, err := register.NextCharter(o.reg.Library(), o.reg.Charters()[0])
	if err != nil {
		t.Fatal(err)
	}
	signer, vkey := newKey(t, o.log)
	next.Origin, next.Base = vkey, &register.Base{Size: base.Size, Root: base.Root}
	signed, err := register.SignCharter(next, o.trustee)
	if err != nil {
		t.Fatal(err)
	}
	heir := o.heir(t, signer, signed)
	honest2 := start(t, heir)
	again.cfg.Sources = append(again.cfg.Sources, honest2.URL)
	for range othersEvery * 3 {
		_ = again.Once(ctx)
	}
	if a := again.Status().Alarm; a != nil && a.Kind == AlarmFork {
		t.Fatalf("alarm %+v", a)
	}
	if got := again.cfg.Register.Published(); got.Size != heir.reg.Size() || got.Root != heir.reg.Published().Root {
		t.Fatalf("%d entries, not %d", got.Size, heir.reg.Size())
	}
	// The old key still signs: refused, and kept as evidence.
	list, err := again.Evidence()
	if err != nil || len(list) < 2 {
		t.Fatalf("evidence %d: %v", len(list), err)
	}
}

func TestMirrorRollback(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(100, 200)
	old := o.twin(t)
	var sw swap
	sw.set(o)
	site := start(t, &sw)
	m := copyOf(t, o, nil, site.URL)
	o.add(300)
	once(t, m)
	sw.set(old)
	once(t, m)
	a := m.Status().Alarm
	if a == nil || a.Kind != AlarmRollback {
		t.Fatalf("alarm %+v", a)
	}
	list, err := m.Evidence()
	if err != nil || len(list) != 1 || len(list[0].Notes) != 2 || list[0].Notes[1] != string(old.reg.Checkpoint()) {
		t.Fatalf("evidence %+v: %v", list, err)
	}
	whole(t, m, o)
	sw.set(o)
	once(t, m)
	if a := m.Status().Alarm; a != nil {
		t.Fatalf("the origin is back, and yet: %+v", a)
	}
	if _, err := os.Stat(filepath.Join(m.cfg.Dir, evidenceName, alarmName)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestMirrorOriginSilent lets a mirror hear of new entries and of a new origin from
// another mirror, when the old address is dead.
func TestMirrorOriginSilent(t *testing.T) {
	t.Parallel()
	var dead, alive swap
	o := newOrigin(t)
	o.add(100)
	dead.set(o)
	site := start(t, &dead)
	first := copyOf(t, o, nil, site.URL)
	alive.set(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(w, r, first.cfg.Register, first.cfg.Blobs)
	}))
	friend := start(t, &alive)
	m := copyOf(t, o, nil, site.URL, friend.URL)
	once(t, first)
	once(t, m)
	heard := m.Status().Heard
	o.add(200)
	once(t, first)
	dead.set(down())
	if err := m.Once(ctx); err != nil { // the friend has it
		t.Fatal(err)
	}
	whole(t, m, o)
	if s := m.Status(); !s.Heard.Equal(heard) {
		t.Fatalf("heard of the origin, which is dead: %+v", s)
	}
	// The friend becomes the origin.
	base := o.reg.Published()
	next, err := register.NextCharter(o.reg.Library(), o.reg.Charters()[0])
	if err != nil {
		t.Fatal(err)
	}
	signer, vkey := newKey(t, o.log)
	next.Origin, next.Base, next.Addresses = vkey, &register.Base{Size: base.Size, Root: base.Root}, []string{friend.URL}
	signed, err := register.SignCharter(next, o.trustee)
	if err != nil {
		t.Fatal(err)
	}
	heir := o.heir(t, signer, signed)
	heir.add(300)
	alive.set(heir)
	m.cfg.Wanted = heir.wanted
	for range 2 {
		once(t, m)
	}
	whole(t, m, heir)
	if s := m.Status(); s.Origin != friend.URL || !s.Heard.After(heard) {
		t.Fatalf("status %+v", s)
	}
	// The old origin comes back from a backup and signs on: no harm.
	o.add(400)
	dead.set(o)
	for range 2 * othersEvery {
		_ = m.Once(ctx)
	}
	whole(t, m, heir)
	if a := m.Status().Alarm; a == nil || a.Kind != AlarmSuperseded || a.Address != site.URL {
		t.Fatalf("alarm %+v", a)
	}
	// It is one piece of evidence, however long that goes on, and is forgotten with
	// whoever showed it.
	before, err := m.Evidence()
	if err != nil || len(before) == 0 {
		t.Fatal(before, err)
	}
	for range 3 {
		heir.add(1)
		for range 2 * othersEvery {
			_ = m.Once(ctx)
		}
	}
	after, err := m.Evidence()
	if err != nil || len(after) != len(before) {
		t.Fatalf("%d pieces of evidence became %d: %v", len(before), len(after), err)
	}
	m.cfg.Sources = []string{friend.URL}
	once(t, m)
	if a := m.Status().Alarm; a != nil {
		t.Fatalf("alarm %+v", a)
	}
}

// TestMirrorYield brings a charter to a mirror whose origin keeps it waiting in the
// middle of the register.
func TestMirrorYield(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	o.add(100)
	var silent atomic.Bool
	asked := make(chan struct{}, 1)
	site := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/tile/entries/") && silent.Load() {
			push(asked)
			<-r.Context().Done()
			return
		}
		o.ServeHTTP(w, r)
	}))
	m := copyOf(t, o, func(c *Config) {
		pool := fastPool(c.Blobs)
		pool.Source.Connect = time.Minute
		c.Pool = NewPool(pool)
	}, site.URL)
	silent.Store(true)
	done := make(chan error, 1)
	go func() { done <- m.Once(ctx) }()
	<-asked
	c, err := register.NextCharter(o.reg.Library(), o.reg.Charters()[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Addresses = []string{"https://new.example"}
	signed, err := register.SignCharter(c, o.trustee)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m.Yield()
	if err := m.cfg.Register.AddCharter(short, signed); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "for a charter") {
		t.Fatal(err)
	}
}
