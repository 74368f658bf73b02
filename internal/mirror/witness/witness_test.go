package witness

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// post sends a body to the witness and returns status, type and text of the answer.
func (m *replica) post(t *testing.T, body []byte) (int, string, string) {
	t.Helper()
	resp, err := http.Post(m.srv.URL+"/witness/add-checkpoint", "text/plain", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(text)
}

func (m *replica) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(m.srv.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestCosigner holds the cosignatures to another implementation.
func TestCosigner(t *testing.T) {
	l := newLibrary(t, 1, 1)
	c := l.cosigner[0]
	v, err := fnote.NewVerifierForCosignatureV1(c.VKey())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_800_000_000, 0)
	n, err := note.Open(l.reg.Checkpoint(), note.VerifierList())
	var un *note.UnverifiedNoteError
	if !errors.As(err, &un) {
		t.Fatal(n, err)
	}
	signed := append(l.reg.Checkpoint(), c.Cosign(un.Note.Text, at)...)
	n, err = note.Open(signed, note.VerifierList(v))
	if err != nil || len(n.Sigs) != 1 {
		t.Fatal(n, err)
	}
	if got, err := fnote.CoSigV1Timestamp(n.Sigs[0]); err != nil || !got.Equal(at) {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "x", "PRIVATE+KEY+a+00000000+AAAA", strings.Replace(l.keys[0], "PRIVATE", "PUBLIC", 1)} {
		if _, err := NewCosigner(bad); !errs.Is(err, errs.Corrupt) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestStates goes through the answers of C2SP tlog-witness.
func TestStates(t *testing.T) {
	l := newLibrary(t, 1, 1)
	l.add(t, 9)
	m := l.replica(t, 0)
	want := func(what string, status int, text string, body []byte) {
		t.Helper()
		got, _, answer := m.post(t, body)
		if got != status || !strings.Contains(answer, text) {
			t.Errorf("%s: %d %q, want %d %q", what, got, answer, status, text)
		}
	}
	first := l.request(t, 0)
	want("behind", 503, "holds 0 of 10", first.Marshal())
	if len(m.woken) != 1 || !bytes.Equal(m.woken[0], l.reg.Checkpoint()) {
		t.Errorf("the mirror was woken with %q", m.woken)
	}
	if status, text := m.get(t, "/witness/checkpoint?log="+l.reg.Origin()); status != 404 || text != "0\n" {
		t.Errorf("nothing cosigned: %d %q", status, text)
	}
	m.follow(t, l)
	m.ready = errs.New(errs.Unavailable, "2 files are missing")
	want("files missing", 503, "2 files are missing", first.Marshal())
	m.ready = errs.New(errs.Forbidden, "this mirror holds a part only")
	want("partial", 403, "a part only", first.Marshal())
	m.ready = nil

	want("no request", 400, "", []byte("new 0\n\n"))
	other := newLibrary(t, 0, 0)
	want("unknown log", 404, "", other.request(t, 0).Marshal())
	stranger, err := note.NewSigner(renamed(t, l.reg.Origin()))
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := bytes.Cut(l.reg.Checkpoint(), []byte("\n\n"))
	forged, err := note.Sign(&note.Note{Text: string(text) + "\n"}, stranger)
	if err != nil {
		t.Fatal(err)
	}
	want("not the origin's key", 403, "", Request{Note: forged}.Marshal())
	want("old beyond the checkpoint", 400, "", Request{Old: 11, Note: first.Note}.Marshal())
	status, kind, size := m.post(t, Request{Old: 3, Note: first.Note}.Marshal())
	if status != 409 || kind != sizeType || size != "0\n" {
		t.Errorf("wrong old: %d %q %q", status, kind, size)
	}
	want("a proof from nothing", 422, "", Request{Proof: tlog.TreeProof{{}}, Note: first.Note}.Marshal())

	status, _, lines := m.post(t, first.Marshal())
	if status != 200 {
		t.Fatalf("%d %q", status, lines)
	}
	isCosigned(t, l, append(first.Note, lines...), 10)
	if status, text := m.get(t, "/witness/checkpoint?log="+l.reg.Origin()); status != 200 {
		t.Errorf("%d %q", status, text)
	} else {
		isCosigned(t, l, []byte(text), 10)
	}
	if status, _ := m.get(t, "/witness/checkpoint?log="+other.reg.Origin()); status != 404 {
		t.Errorf("another log: %d", status)
	}
	m.now = m.now.Add(time.Hour)
	if status, _, again := m.post(t, l.request(t, 10).Marshal()); status != 200 || again == lines {
		t.Errorf("renewed: %d %q", status, again)
	}

	l.add(t, 300)
	m.follow(t, l)
	grown := l.request(t, 10)
	bad := grown
	bad.Proof = append(tlog.TreeProof{}, grown.Proof...)
	bad.Proof[0][0] ^= 1
	want("a wrong proof", 422, "", bad.Marshal())
	status, kind, size = m.post(t, l.request(t, 0).Marshal())
	if status != 409 || kind != sizeType || size != "10\n" {
		t.Errorf("from nothing again: %d %q %q", status, kind, size)
	}
	if status, _, lines := m.post(t, grown.Marshal()); status != 200 {
		t.Errorf("%d %q", status, lines)
	}
	want("an older checkpoint", 409, "310", first.Marshal())
	if status, text := m.get(t, "/witness/evidence"); status != 200 || text != "[]" {
		t.Errorf("%d %q", status, text)
	}
}

// renamed is a fresh secret key with this name.
func renamed(t *testing.T, name string) string {
	t.Helper()
	skey, _, _ := key(t, name)
	return skey
}

// isCosigned checks that a note of this size has the origin's signature and a witness's.
func isCosigned(t *testing.T, l *library, signed []byte, size int64) {
	t.Helper()
	c, _ := l.reg.Charter()
	v, err := note.NewVerifier(c.Origin)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := register.ParseCheckpoint(signed, c.Log, v, l.cosigner[0].Verifier())
	if err != nil || cp.Size != size || len(cp.Cosignatures) != 1 {
		t.Errorf("%+v, %v", cp, err)
	}
}

// TestFork shows another tree of the origin's to a witness, smaller and larger
// than its copy. The proof is kept, published, and holds.
func TestFork(t *testing.T) {
	l := newLibrary(t, 1, 1)
	l.add(t, 4)
	other := l.fork(t)
	l.add(t, 3)
	other.add(t, 2)
	m := l.replica(t, 0)
	m.follow(t, l)
	if status, _, lines := m.post(t, l.request(t, 0).Marshal()); status != 200 {
		t.Fatalf("%d %q", status, lines)
	}
	if status, _, text := m.post(t, Request{Old: 0, Note: other.reg.Checkpoint()}.Marshal()); status != 409 || text != "8\n" {
		t.Errorf("%d %q", status, text)
	}
	proves := func(n int) {
		t.Helper()
		status, text := m.get(t, "/witness/evidence")
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(text), &list); err != nil || status != 200 || len(list) != n {
			t.Fatalf("%d %q %v", status, text, err)
		}
		for _, raw := range list {
			f, err := register.ParseFork(raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Verify(l.reg.Charters()); err != nil {
				t.Error(err)
			}
		}
	}
	proves(1)
	other.add(t, 2) // 9 entries, one more than the copy
	req := Request{Old: 8, Note: other.reg.Checkpoint()}
	if p, err := other.reg.ConsistencyProof(8, 9); err != nil {
		t.Fatal(err)
	} else {
		req.Proof = p
	}
	if status, _, text := m.post(t, req.Marshal()); status != 422 {
		t.Errorf("%d %q", status, text)
	}
	// A witness that has cosigned nothing yet looks at it once its copy is that long.
	fresh := l.replica(t, 0)
	if status, _, text := fresh.post(t, Request{Note: other.reg.Checkpoint()}.Marshal()); status != 503 {
		t.Errorf("%d %q", status, text)
	}
	fresh.follow(t, l)
	if len(fresh.evidence) != 0 {
		t.Error("evidence before the copy is as long")
	}
	l.add(t, 3)
	fresh.follow(t, l)
	m = fresh
	proves(1)
}

// TestCrash cuts the disk off at every operation of keeping a cosignature: after
// each, whatever was answered stands, and nothing contradicts it.
func TestCrash(t *testing.T) {
	l := newLibrary(t, 1, 1)
	l.add(t, 3)
	m := l.replica(t, 0)
	m.follow(t, l)
	first := l.request(t, 0)
	l.add(t, 5)
	m.follow(t, l)
	second := l.request(t, 4)
	for _, fault := range []durable.Fault{durable.CrashBefore, durable.CrashAfter} {
		for op := 1; crashes(t, l, m, first, second, op, fault); op++ {
		}
	}
}

// crashes cuts the disk off at one operation, and says whether there was so many.
func crashes(t *testing.T, l *library, m *replica, first, second Request, op int, fault durable.Fault) bool {
	t.Helper()
	sim := durable.NewSim(uint64(op))
	m.open(t, l.cosigner[0], sim, "/witness")
	if _, err := m.w.Add(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	sim.FailAt(op, fault)
	_, err := m.w.Add(t.Context(), second)
	off := sim.Off()
	sim.Crash()
	m.open(t, l.cosigner[0], sim, "/witness")
	_, size := m.w.Newest()
	if err == nil && size != 9 || size != 4 && size != 9 {
		t.Fatalf("operation %d: %v, then %d entries", op, err, size)
	}
	if _, err := m.w.Add(t.Context(), l.request(t, size)); err != nil {
		t.Errorf("operation %d: %v", op, err)
	}
	return off
}

// TestLost damages and removes what was cosigned.
func TestLost(t *testing.T) {
	l := newLibrary(t, 1, 1)
	l.add(t, 3)
	m := l.replica(t, 0)
	m.follow(t, l)
	if _, err := m.w.Add(t.Context(), l.request(t, 0)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(m.dir, "witness", stateName)
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, raw := range map[string][]byte{"no JSON": []byte("{"), "another charter": bytes.Replace(good, []byte(`"charter":1`), []byte(`"charter":7`), 1), "empty": nil} {
		if err := os.WriteFile(name, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		m.open(t, l.cosigner[0], durable.OS(), filepath.Dir(name))
		if _, size := m.w.Newest(); size != 4 {
			t.Errorf("%s: %d entries stand", what, size)
		}
	}
}
