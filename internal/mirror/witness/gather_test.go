package witness

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// gatherer asks these replicas, and these addresses besides.
func (l *library) gatherer(t *testing.T, mirrors []*replica, more ...string) *Gatherer {
	t.Helper()
	addresses := more
	for _, m := range mirrors {
		addresses = append(addresses, m.srv.URL)
	}
	return NewGatherer(GatherConfig{Register: l.reg, Addresses: func() []string { return addresses },
		Quiet: 10 * time.Millisecond, Most: 50 * time.Millisecond, Round: 5 * time.Second})
}

// run runs the gatherer until the test ends.
func run(t *testing.T, g *Gatherer) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { g.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// replicas makes n mirrors that copy when they are woken.
func (l *library) replicas(t *testing.T, n int) (list []*replica) {
	t.Helper()
	for i := range n {
		m := l.patient(t, i, 0)
		m.onWake = func() {
			if err := m.reg.Extend(context.Background(), l.reg.Checkpoint(), l.try, register.ExtendOptions{}); err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
		}
		list = append(list, m)
	}
	return list
}

// dead is an address at which nobody answers.
func dead(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return s.URL
}

// TestSafe appends at an origin with three witnesses, one of which is dead.
func TestSafe(t *testing.T) {
	l := newLibrary(t, 3, 2)
	mirrors := l.replicas(t, 2)
	g := l.gatherer(t, mirrors, dead(t))
	if g.WaitSafe(t.Context(), 1, 0) {
		t.Error("safe before anybody was asked")
	}
	run(t, g)
	for range 3 {
		l.add(t, 5)
		g.Appended()
		size := l.reg.Size()
		if !g.WaitSafe(t.Context(), size, 20*time.Second) {
			t.Fatalf("%d entries are not safe: %+v", size, g.Status())
		}
	}
	cp, ok := l.reg.Safe()
	if !ok || cp.Size != 16 {
		t.Errorf("%+v %v", cp, ok)
	}
	if s := g.Status(); s.Safe != 16 || s.Size != 16 || s.Quorum != 2 || s.Freshness != "current" || len(s.Witnesses) != 3 || s.Witnesses[0].Error == "" {
		t.Errorf("%+v", s)
	}
	if g.WaitSafe(t.Context(), 17, 20*time.Millisecond) {
		t.Error("what is not there is safe")
	}
}

// TestLoad appends without a pause, with a witness that hangs: something becomes
// safe all the same.
func TestLoad(t *testing.T) {
	l := newLibrary(t, 2, 1)
	mirrors := l.replicas(t, 1)
	hang := make(chan struct{})
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(hung.Close)
	t.Cleanup(func() { close(hang) })
	g := l.gatherer(t, mirrors, hung.URL)
	run(t, g)
	deadline := time.Now().Add(20 * time.Second)
	for safe := int64(0); safe < 10; {
		l.add(t, 1)
		g.Appended()
		if cp, ok := l.reg.Safe(); ok {
			safe = cp.Size
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d entries are safe", safe, l.reg.Size())
		}
	}
}

// TestRenew lets cosignatures grow old.
func TestRenew(t *testing.T) {
	l := newLibrary(t, 1, 1)
	mirrors := l.replicas(t, 1)
	var skew atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
	var err error
	if l.reg, err = register.Open(register.Config{Dir: l.dir, Signer: l.origin, Now: now}); err != nil {
		t.Fatal(err)
	}
	g := NewGatherer(GatherConfig{Register: l.reg, Addresses: func() []string { return []string{mirrors[0].srv.URL} }, Quiet: time.Millisecond, Now: now})
	run(t, g)
	if !g.WaitSafe(t.Context(), 1, 20*time.Second) {
		t.Fatal(g.Status())
	}
	_, first := l.reg.Freshness(now())
	skew.Store(int64(13 * time.Hour))
	mirrors[0].mu.Lock()
	mirrors[0].now = now()
	mirrors[0].mu.Unlock()
	g.Appended() // an hour would do as well
	late := time.After(20 * time.Second)
	for {
		g.mu.Lock()
		changed := g.changed
		g.mu.Unlock()
		if f, at := l.reg.Freshness(now()); f == register.Current && at.After(first.Add(12*time.Hour)) {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatal("not renewed")
		}
	}
}

// TestRestored asks the witnesses for an origin that is an old copy: it must not
// sign. One that has signed other entries is told so.
func TestRestored(t *testing.T) {
	l := newLibrary(t, 3, 2)
	l.add(t, 4)
	old := l.fork(t)
	forked := l.fork(t)
	mirrors := l.replicas(t, 3)
	l.add(t, 6)
	g := l.gatherer(t, mirrors)
	run(t, g)
	for late := time.After(20 * time.Second); len(l.reg.Published().Cosignatures) < 3; { // all three have seen it
		g.mu.Lock()
		changed := g.changed
		g.mu.Unlock()
		if len(l.reg.Published().Cosignatures) == 3 {
			break
		}
		select {
		case <-changed:
		case <-late:
			t.Fatal(g.Status())
		}
	}
	refused := func(l *library, words string, mirrors []*replica, more ...string) {
		t.Helper()
		g := l.gatherer(t, mirrors, more...)
		for range 2 {
			err := g.Check(t.Context())
			if !errs.Is(err, errs.Refused) || !strings.Contains(err.Error()+errs.HintOf(err), words) {
				t.Errorf("%v (%s), want %q", err, errs.HintOf(err), words)
			}
		}
	}
	refused(old, "wenlan recover --from "+mirrors[0].srv.URL, mirrors[:1])
	refused(old, "wenlan recover --from", mirrors)
	refused(old, "wenlan recover --from", mirrors[2:], dead(t), dead(t)+"/x")
	forked.add(t, 6)
	refused(forked, "charter with base", mirrors)
	forked.add(t, 3)
	refused(forked, "charter with base", mirrors[1:])
	forked.reg = old.reg

	// It is brought up as a copy, and may sign again.
	again := l.fork(t)
	if err := again.gatherer(t, mirrors).Check(t.Context()); err != nil {
		t.Error(err)
	}
	// A library under way is told as well, when a witness has more.
	g = old.gatherer(t, mirrors[:1])
	g.Trust()
	run(t, g)
	old.add(t, 1)
	g.Appended()
	if g.WaitSafe(t.Context(), 6, 20*time.Second) || g.Against() == nil {
		t.Error("nothing is held against it")
	}
}

// TestCheck counts who answers: so many that every quorum has one of them.
func TestCheck(t *testing.T) {
	l := newLibrary(t, 3, 2)
	l.add(t, 4)
	mirrors := l.replicas(t, 3)
	gone := dead(t)
	too := func(mirrors []*replica, more ...string) {
		t.Helper()
		g := l.gatherer(t, mirrors, more...)
		err := g.Check(t.Context())
		if !errs.Is(err, errs.Unavailable) || !strings.Contains(errs.HintOf(err), "--alone") {
			t.Errorf("%v (%s)", err, errs.HintOf(err))
		}
		g.Trust()
		if err := g.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	too(nil, gone)
	too(mirrors[:1], gone)
	// Whoever claims to have more, and does not show it, is no voice and no reason.
	liar := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { writeSize(rw, 409, 1000) }))
	t.Cleanup(liar.Close)
	too(mirrors[:1], liar.URL)
	garbage := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { rw.Write([]byte("— x AAAA\n")) }))
	t.Cleanup(garbage.Close)
	too(mirrors[:1], garbage.URL)

	g := l.gatherer(t, mirrors[:2], gone, liar.URL)
	if err := g.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, m := range mirrors {
		m.follow(t, l)
	}
	g = l.gatherer(t, mirrors[1:], gone)
	if err := g.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if cp, ok := l.reg.Safe(); !ok || cp.Size != 5 { // the answers were cosignatures
		t.Errorf("%+v %v", cp, ok)
	}
	if err := newLibrary(t, 0, 0).gatherer(t, nil).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPrefix(t *testing.T) {
	for in, want := range map[string]string{
		"https://m.example": "https://m.example/witness", "https://m.example/": "https://m.example/witness",
		"http://127.0.0.1:1/w/": "http://127.0.0.1:1/w", "https://m.example/witness": "https://m.example/witness",
		"m.example": "", "ftp://m": "", "https://u:p@m": "", "https://m/?q": "", "https://m/#x": "",
	} {
		got, err := Prefix(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}
