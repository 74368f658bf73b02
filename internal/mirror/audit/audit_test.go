package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/blob"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

const library = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// mirror is a mirror that holds some blobs.
type station struct {
	Mirror
	answerer *Answerer
	blobs    *blob.Local
	server   *httptest.Server
	refused  map[string]bool
	now      time.Time
}

func newMirror(t *testing.T) *station {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "mirror.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	m := &station{refused: map[string]bool{}, now: time.Now()}
	if m.blobs, err = blob.OpenLocal(blob.LocalConfig{Roots: []string{t.TempDir()}}); err != nil {
		t.Fatal(err)
	}
	m.answerer = New(Config{Library: library, Signer: signer, Blobs: m.blobs, Now: func() time.Time { return m.now },
		May: func(_ context.Context, sha string) error {
			if m.refused[sha] {
				return errs.New(errs.Withdrawn, "withdrawn")
			}
			return nil
		}})
	mux := http.NewServeMux()
	m.answerer.Routes(mux)
	m.server = httptest.NewServer(mux)
	t.Cleanup(m.server.Close)
	m.Mirror = Mirror{Address: m.server.URL, Key: vkey, All: true}
	return m
}

func (m *station) put(t *testing.T, data []byte) blob.Ref {
	t.Helper()
	ref, err := m.blobs.Put(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.blobs.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ref
}

// ask makes the question for what the auditor itself holds.
func question(t *testing.T, own *station, refs ...blob.Ref) (list []Asked) {
	t.Helper()
	for _, ref := range refs {
		r, err := NewRange(ref, 100)
		if err != nil {
			t.Fatal(err)
		}
		b, err := own.blobs.Open(t.Context(), ref.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := Digest(b, b.Size(), r)
		b.Close()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Asked{r, digest})
	}
	return list
}

func data(n int) []byte { return bytes.Repeat([]byte(fmt.Sprint("some words ", n)), 1000) }

func TestAudit(t *testing.T) {
	own, m := newMirror(t), newMirror(t)
	var refs []blob.Ref
	for i := range 3 {
		refs = append(refs, own.put(t, data(i)))
		m.put(t, data(i))
	}
	run := func(m Mirror) Result {
		t.Helper()
		return Ask(t.Context(), http.DefaultClient, library, m, question(t, own, refs...), time.Now())
	}
	if res := run(m.Mirror); !res.Passed || res.Right != 3 || res.Note != "" {
		t.Errorf("%+v", res)
	}
	// What is withdrawn there is not shown, nor what it has not got.
	m.refused[refs[0].SHA256] = true
	if res := run(m.Mirror); res.Passed || res.Right != 2 || res.Absent != 1 {
		t.Errorf("%+v", res)
	}
	partial := m.Mirror
	partial.All = false
	if res := run(partial); !res.Passed || res.Absent != 1 {
		t.Errorf("%+v", res)
	}
	m.now = m.now.Add(time.Hour)
	for _, ref := range refs {
		if err := m.blobs.Delete(t.Context(), ref.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if res := run(partial); res.Passed || res.Absent != 3 {
		t.Errorf("%+v", res)
	}
	// Another's key, none, and a mirror that is not there.
	other := m.Mirror
	other.Key = own.Key
	if res := run(other); res.Passed || !strings.Contains(res.Note, "not an audit's answer") {
		t.Errorf("%+v", res)
	}
	other.Key = ""
	if res := run(other); res.Passed || !strings.Contains(res.Note, "key is not known") {
		t.Errorf("%+v", res)
	}
	m.server.Close()
	if res := run(m.Mirror); res.Passed || !strings.Contains(res.Note, "cannot be reached") {
		t.Errorf("%+v", res)
	}
}

// TestWrongBytes asks a mirror that has other bytes under the name of a blob.
func TestWrongBytes(t *testing.T) {
	own, m := newMirror(t), newMirror(t)
	ref := own.put(t, data(1))
	m.answerer.cfg.Blobs = rotten{}
	res := Ask(t.Context(), http.DefaultClient, library, m.Mirror, question(t, own, ref), time.Now())
	if res.Passed || res.Wrong != 1 {
		t.Errorf("%+v", res)
	}
}

type rotten struct{}

func (rotten) Open(context.Context, string) (blob.Blob, error) {
	return rottenBlob{bytes.NewReader(make([]byte, 1<<20))}, nil
}

type rottenBlob struct{ *bytes.Reader }

func (rottenBlob) Close() error   { return nil }
func (rottenBlob) File() *os.File { return nil }
func (b rottenBlob) Size() int64  { return b.Reader.Size() }

// TestReplay gives the auditor an old answer, and the mirror an old question.
func TestReplay(t *testing.T) {
	own, m := newMirror(t), newMirror(t)
	ref := own.put(t, data(1))
	m.put(t, data(1))
	var old []byte
	replaying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if old == nil {
			raw, _ := io.ReadAll(r.Body)
			old, _ = m.answerer.Answer(r.Context(), raw)
			if _, err := m.answerer.Answer(r.Context(), raw); !errs.Is(err, errs.Refused) {
				t.Errorf("a question was answered twice: %v", err)
			}
		}
		w.Write(old)
	}))
	defer replaying.Close()
	liar := m.Mirror
	liar.Address = replaying.URL
	if res := Ask(t.Context(), http.DefaultClient, library, liar, question(t, own, ref), time.Now()); !res.Passed {
		t.Errorf("%+v", res)
	}
	if res := Ask(t.Context(), http.DefaultClient, library, liar, question(t, own, ref), time.Now()); res.Passed || !strings.Contains(res.Note, "another question") {
		t.Errorf("%+v", res)
	}
	// The memory of nonces is bounded.
	for i := range maxNonces + 10 {
		if err := m.answerer.useNonces([]Range{{Nonce: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.answerer.nonces) != maxNonces {
		t.Errorf("%d nonces are remembered", len(m.answerer.nonces))
	}
}

func TestRateLimit(t *testing.T) {
	own, m := newMirror(t), newMirror(t)
	ref := own.put(t, data(1))
	m.put(t, data(1))
	m.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ask := func() Result {
		return Ask(t.Context(), http.DefaultClient, library, m.Mirror, question(t, own, ref), time.Now())
	}
	for range askerBurst {
		if res := ask(); !res.Passed {
			t.Fatalf("%+v", res)
		}
	}
	if res := ask(); res.Passed || !strings.Contains(res.Note, "too often") {
		t.Errorf("%+v", res)
	}
	m.now = m.now.Add(askerEvery)
	if res := ask(); !res.Passed {
		t.Errorf("%+v", res)
	}
	// All askers together are limited too, and the memory of them is bounded.
	m.now = m.now.Add(time.Hour)
	admitted := 0
	for i := range 100 {
		if m.answerer.admit(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32)) == 0 {
			admitted++
		}
	}
	if admitted != allBurst {
		t.Errorf("%d of 100 askers were answered at once", admitted)
	}
	for i := range 3 * maxAskers {
		m.now = m.now.Add(allEvery)
		m.answerer.admit(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 32))
	}
	if len(m.answerer.askers) > maxAskers {
		t.Errorf("%d askers are remembered", len(m.answerer.askers))
	}
}

// slowly is a body that says when it is read, and ends when it is told to.
type slowly struct{ read, end chan struct{} }

func (s slowly) Read([]byte) (int, error) {
	s.read <- struct{}{}
	<-s.end
	return 0, io.EOF
}

// TestSlowAskers: who sends a question slowly keeps nobody else out.
func TestSlowAskers(t *testing.T) {
	own, m := newMirror(t), newMirror(t)
	ref := own.put(t, data(1))
	m.put(t, data(1))
	body := slowly{make(chan struct{}), make(chan struct{})}
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() { m.answerer.serve(httptest.NewRecorder(), httptest.NewRequest("POST", "/audit", body)) })
		<-body.read
	}
	if res := Ask(t.Context(), http.DefaultClient, library, m.Mirror, question(t, own, ref), time.Now()); !res.Passed {
		t.Errorf("%+v", res)
	}
	close(body.end)
	wg.Wait()
}

// called gives requests to a handler, without a network.
type called func(http.ResponseWriter, *http.Request)

func (c called) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r.RemoteAddr = "192.0.2.1:1"
	c(w, r)
	return w.Result(), nil
}

// TestAskedTooOften: a mirror that wants to be left alone for a while is asked again,
// as long as there is time; one that is slow gives a result too.
func TestAskedTooOften(t *testing.T) {
	own, m := newMirror(t), newMirror(t)
	ref := own.put(t, data(1))
	m.put(t, data(1))
	synctest.Test(t, func(t *testing.T) {
		m.answerer.cfg.Now = time.Now
		client := &http.Client{Transport: called(m.answerer.serve)}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errs.New(errs.Unavailable, "it took too long"))
		defer cancel()
		for range askerBurst + 2 {
			if res := Ask(ctx, client, library, m.Mirror, question(t, own, ref), time.Now()); !res.Passed {
				t.Errorf("%+v", res)
			}
		}
		client.Transport = called(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		if res := Ask(ctx, client, library, m.Mirror, question(t, own, ref), time.Now()); res.Passed || res.Note != "it took too long" {
			t.Errorf("%+v", res)
		}
	})
}

// TestClockPutBack: a clock that was wrong and is right again closes nothing.
func TestClockPutBack(t *testing.T) {
	m := newMirror(t)
	who := netip.MustParsePrefix("10.0.0.1/32")
	m.answerer.admit(who)
	m.now = m.now.AddDate(-1, 0, 0)
	if wait := m.answerer.admit(who); wait > 0 {
		t.Errorf("asked to wait for %s", wait)
	}
}

func TestBadQuestions(t *testing.T) {
	m := newMirror(t)
	nonce := strings.Repeat("ab", 32)
	for _, q := range []string{
		``, `{}`, `[]`, `{"library":"x"}`, `{"library":"` + library + `","ranges":[]}`,
		`{"library":"` + library + `","ranges":[{"blob":"../../etc/passwd","offset":0,"length":1,"nonce":"` + nonce + `"}]}`,
		`{"library":"` + library + `","ranges":[{"blob":"` + library + `","offset":-1,"length":1,"nonce":"` + nonce + `"}]}`,
		`{"library":"` + library + `","ranges":[{"blob":"` + library + `","offset":0,"length":1048577,"nonce":"` + nonce + `"}]}`,
		`{"library":"` + library + `","ranges":[{"blob":"` + library + `","offset":0,"length":1,"nonce":"ab"}]}`,
		`{"library":"` + nonce + `","ranges":[{"blob":"` + library + `","offset":0,"length":1,"nonce":"` + nonce + `"}]}`,
	} {
		m.now = m.now.Add(time.Hour)
		resp, err := http.Post(m.Address+"/audit", "application/json", strings.NewReader(q))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 && resp.StatusCode != 404 {
			t.Errorf("%s: %d", q, resp.StatusCode)
		}
	}
}

func TestResults(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mirror", "audits.jsonl")
	r, err := OpenResults(durable.OS(), name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := r.Add(Result{Address: "https://a.example", Right: i}, Result{Address: "https://b.example", Note: strings.Repeat("x", 5000)}); err != nil {
			t.Fatal(err)
		}
	}
	r.list = append(r.list, make([]Result, MaxResults-8)...)
	for i := range r.list[6:] {
		r.list[6+i].Address = "https://c.example"
	}
	if err := r.Add(Result{Address: "https://c.example", Passed: true}); err != nil {
		t.Fatal(err)
	}
	if r, err = OpenResults(durable.OS(), name); err != nil {
		t.Fatal(err)
	}
	last := r.Last()
	if len(r.list) != MaxResults-1 || last["https://a.example"].Right != 2 || !last["https://c.example"].Passed || len(last["https://b.example"].Note) != 500 {
		t.Errorf("%d results, %d mirrors", len(r.list), len(last))
	}
}

func TestOperators(t *testing.T) {
	n := Operators([]Result{
		{Address: "https://a.example", Passed: true},
		{Address: "https://A.example:444", Passed: true},
		{Address: "https://b.example", Passed: true},
		{Address: "https://d.example"},
	})
	if n != 2 {
		t.Errorf("%d", n)
	}
}

func FuzzParseAnswer(f *testing.F) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "m")
	if err != nil {
		f.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		f.Fatal(err)
	}
	key, err := note.NewVerifier(vkey)
	if err != nil {
		f.Fatal(err)
	}
	x := strings.Repeat("ab", 32)
	f.Add("wenlan-audit/v1\nlibrary " + library + "\ntime 2026-01-02T15:04:05Z\nrange " + x + " 0 1 " + x + " -\n")
	f.Add("wenlan-audit/v1\nlibrary " + library + "\ntime 2026-01-02T15:04:05Z\nrange " + x + " 12 1048576 " + x + " " + x + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			return
		}
		a, err := ParseAnswer(signed, key)
		if err != nil {
			return
		}
		again, err := a.Sign(signer)
		if err != nil || !bytes.Equal(again, signed) {
			t.Errorf("%q is read as %q: %v", signed, again, err)
		}
	})
}

func FuzzParseQuestion(f *testing.F) {
	x := strings.Repeat("ab", 32)
	f.Add([]byte(`{"library":"` + library + `","ranges":[{"blob":"` + x + `","offset":0,"length":1,"nonce":"` + x + `"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		q, err := ParseQuestion(raw)
		if err != nil {
			return
		}
		for _, r := range q.Ranges {
			_, _ = Digest(bytes.NewReader(make([]byte, 100)), 100, r)
		}
	})
}
