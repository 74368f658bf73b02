package app

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/intake"
	"wenlan/internal/mirror"
	"wenlan/internal/mirror/witness"
	"wenlan/internal/register"
)

// freeAddress is a host and port that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// served serves a data folder until stop is called, or the test ends.
func served(t *testing.T, cfg Config) (s *Server, stop func()) {
	t.Helper()
	s, err := NewServer(t.Context(), cfg, NewLogger(Config{LogLevel: "error"}, t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return s, stop
}

// taken takes in a small book in the public domain and returns what was said of its safety.
func taken(t *testing.T, cfg Config, name string) (*Safety, error) {
	t.Helper()
	file := text(t, name+".txt", "# "+name+"\n\nThe whole of "+name+".\n")
	var said *Safety
	err := Do(t.Context(), cfg, Request{Add: &AddRequest{Paths: []string{file}, Inputs: []string{file},
		Options: intake.Options{Basis: "public-domain", Evidence: "the author died in 1817"}}}, nil, func(ev Event) {
		if ev.Safety != nil {
			said = ev.Safety
		}
	})
	return said, err
}

// until waits for something that comes by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// witnessed is an origin and two mirrors, all served, with a charter whose quorum
// is both of them.
func witnessed(t *testing.T) (origin Config, mirrors []Config, stopOrigin func(), stopMirrors func()) {
	t.Helper()
	origin = made(t)
	origin.Listen = freeAddress(t)
	origin.Poll = "50ms"
	var keys []string
	for range 2 {
		m := Config{Data: filepath.Join(t.TempDir(), "mirror"), Listen: freeAddress(t), Poll: "50ms"}
		mirrors = append(mirrors, m)
		origin.Witnesses = append(origin.Witnesses, "http://"+m.Listen)
	}
	_, stopOrigin = served(t, origin)
	var stops []func()
	for _, m := range mirrors {
		if _, err := InitMirror(t.Context(), m, MirrorOptions{Sources: []string{"http://" + origin.Listen}}, nil); err != nil {
			t.Fatal(err)
		}
		_, stop := served(t, m)
		stops = append(stops, stop)
		secret, err := os.ReadFile(m.path("keys", mirrorKeyFile))
		if err != nil {
			t.Fatal(err)
		}
		c, err := witness.NewCosigner(string(secret))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, c.VKey())
	}
	quorum := 2
	charter(t, origin, DraftOptions{Witnesses: keys, Quorum: &quorum})
	return origin, mirrors, stopOrigin, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// TestRecoverMeetsMirrors: an origin that is brought up knows where its witnesses are.
func TestRecoverMeetsMirrors(t *testing.T) {
	t.Parallel()
	origin := made(t)
	origin.Listen = freeAddress(t)
	_, stop := served(t, origin)
	m := Config{Data: filepath.Join(t.TempDir(), "mirror"), Listen: freeAddress(t), Poll: "50ms", Contact: "lake@example.org"}
	m.URL = "http://" + m.Listen
	if _, err := InitMirror(t.Context(), m, MirrorOptions{Sources: []string{"http://" + origin.Listen}}, nil); err != nil {
		t.Fatal(err)
	}
	_, stopMirror := served(t, m)
	defer stopMirror()
	until(t, "the mirror lists itself", func() bool {
		resp, err := http.Get(m.URL + "/mirrors.json")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(raw), m.URL)
	})
	stop()
	bare := Config{Data: filepath.Join(t.TempDir(), "lib")}
	if err := os.CopyFS(filepath.Join(bare.Data, "keys"), os.DirFS(origin.path("keys"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(t.Context(), bare, RecoverOptions{From: []string{m.URL}}, nil); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(bare.path(mirrorDir, "list.json"))
	if err != nil || !strings.Contains(string(raw), m.URL) {
		t.Errorf("%s, %v", raw, err)
	}
}

// charter publishes a charter that the one trustee signs.
func charter(t *testing.T, cfg Config, o DraftOptions) {
	t.Helper()
	draft, _, err := DraftCharter(t.Context(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	among, err := LocalCharters(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := PrepareSigning(draft, among, cfg.trusteeKey())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign()
	if err != nil {
		t.Fatal(err)
	}
	if err := Do(t.Context(), cfg, Request{Charter: &CharterRequest{Note: string(signed)}}, nil, func(Event) {}); err != nil {
		t.Fatal(err)
	}
}

// TestWitnesses tells acknowledged from safe, restores an origin from an old
// backup, brings it up from a mirror, and lets the fork that comes back be found.
func TestWitnesses(t *testing.T) {
	origin, mirrors, stopOrigin, stopMirrors := witnessed(t)
	said, err := taken(t, origin, "Persuasion")
	if err != nil || said == nil || !said.Safe || said.Entries != 1 {
		t.Fatalf("%+v, %v", said, err)
	}
	stopOrigin()
	old := origin
	old.Data = filepath.Join(t.TempDir(), "lib")
	if err := os.CopyFS(old.Data, os.DirFS(origin.Data)); err != nil {
		t.Fatal(err)
	}
	_, stopOrigin = served(t, origin)
	if said, err = taken(t, origin, "Emma"); err != nil || !said.Safe {
		t.Fatalf("%+v, %v", said, err)
	}
	stopOrigin()
	// What nobody can copy is not safe.
	if said, err = taken(t, origin, "Sanditon"); err != nil || said.Safe || said.Entries != 1 {
		t.Errorf("%+v, %v", said, err)
	}

	// Who copies an export knows how far it is safe.
	disk := Config{Data: filepath.Join(t.TempDir(), "export")}
	exported(t, origin, ExportRequest{Dir: disk.Data})
	for _, from := range []string{disk.Data, serveExport(t, disk.Data)} {
		l, err := OpenToRead(t.Context(), copied(t, Config{Data: from}, MirrorOptions{}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if cp, ok := l.Register.Safe(); !ok || cp.Size != l.Register.Size()-1 {
			t.Errorf("from %s: of %d entries %d are safe, %t", from, l.Register.Size(), cp.Size, ok)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}

	// The old backup must not sign before it has all that is safe.
	_, err = taken(t, old, "Evelina")
	kind(t, err, errs.Refused, "this folder has")
	if hint := errs.HintOf(err); !strings.Contains(hint, "wenlan recover --from http://"+mirrors[0].Listen) && !strings.Contains(hint, "wenlan recover --from http://"+mirrors[1].Listen) {
		t.Error(hint)
	}
	_, err = Recover(t.Context(), old, RecoverOptions{}, nil)
	kind(t, err, errs.Invalid, "")
	_, err = Recover(t.Context(), mirrors[0], RecoverOptions{From: []string{"http://" + mirrors[1].Listen}}, nil)
	kind(t, err, errs.Refused, "is a mirror")
	_, err = Recover(t.Context(), old, RecoverOptions{From: []string{"http://" + freeAddress(t)}}, nil)
	kind(t, err, errs.Unavailable, "")
	got, err := Recover(t.Context(), old, RecoverOptions{From: []string{"http://" + mirrors[0].Listen}}, nil)
	if err != nil || got.Added != 1 || got.Files != 1 || got.Missing != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	_, stopOld := served(t, old)
	if said, err = taken(t, old, "Evelina"); err != nil || !said.Safe {
		t.Fatalf("%+v, %v", said, err)
	}
	stopOld()
	if sum, err := VerifyLibrary(t.Context(), old, VerifyRequest{}, nil, func(p Problem) { t.Error(p) }); err != nil || !sum.Complete {
		t.Error(sum, err)
	}

	// A folder that has nothing but the key is brought up as well.
	bare := origin
	bare.Data = filepath.Join(t.TempDir(), "lib")
	if err := os.CopyFS(filepath.Join(bare.Data, "keys"), os.DirFS(origin.path("keys"))); err != nil {
		t.Fatal(err)
	}
	got, err = Recover(t.Context(), bare, RecoverOptions{From: []string{"http://" + mirrors[1].Listen}}, nil)
	if err != nil || got.Added != got.Entries || got.Files != 3 {
		t.Fatalf("%+v, %v", got, err)
	}

	// The first folder has signed what the library does not have.
	_, err = taken(t, origin, "Udolpho")
	kind(t, err, errs.Refused, "other entries")
	if err := Vouch(t.Context(), origin, nil); err != nil {
		t.Fatal(err)
	}
	_, err = Recover(t.Context(), origin, RecoverOptions{From: []string{"http://" + mirrors[0].Listen}}, nil)
	kind(t, err, errs.Refused, "forked")
	isFork(t, origin, origin.path(mirrorDir, "evidence", "recover-fork.json"))
	if _, err := os.Stat(origin.path(aloneFile)); !os.IsNotExist(err) {
		t.Errorf("somebody still vouches for a fork: %v", err)
	}
	// It is served all the same: both mirrors find it, keep the proof and publish it.
	_, stopOrigin = served(t, origin)
	for _, m := range mirrors {
		until(t, "the fork is found", func() bool {
			resp, err := http.Get("http://" + m.Listen + "/witness/evidence")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			var list []mirror.Evidence
			return err == nil && json.Unmarshal(raw, &list) == nil && len(list) > 0 && list[0].Kind == mirror.AlarmFork
		})
	}
	stopOrigin()

	// Without witnesses nothing is appended, until somebody vouches for the folder.
	stopMirrors()
	_, err = taken(t, bare, "Udolpho")
	kind(t, err, errs.Unavailable, "witnesses")
	if err := Vouch(t.Context(), bare, nil); err != nil {
		t.Fatal(err)
	}
	if said, err = taken(t, bare, "Udolpho"); err != nil || said.Safe {
		t.Errorf("%+v, %v", said, err)
	}
}

// isFork checks the proof in a file.
func isFork(t *testing.T, cfg Config, name string) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := register.ParseFork(raw)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := register.Open(register.Config{Dir: cfg.path("register")})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(reg.Charters()); err != nil {
		t.Error(err)
	}
}

// TestCosigns goes through what a mirror may be like when it is asked to cosign.
func TestCosigns(t *testing.T) {
	whole := mirror.Status{Size: 10, Target: 12, Covered: 10, Looked: true}
	if err := cosigns(whole, 10); err != nil {
		t.Error(err)
	}
	for words, change := range map[string]func(s *mirror.Status){
		"has the files of 9 of 10": func(s *mirror.Status) { s.Covered = 9 },
		"1 are missing":            func(s *mirror.Status) { s.Missing.Files = 1 },
	} {
		s := whole
		change(&s)
		kind(t, cosigns(s, 10), errs.Unavailable, words)
	}
	for words, change := range map[string]func(s *mirror.Status){
		"a part only": func(s *mirror.Status) { s.Partial = true },
		"its keeper":  func(s *mirror.Status) { s.Denied = 1 },
		"two registers": func(s *mirror.Status) {
			s.Alarm = &mirror.Alarm{Kind: mirror.AlarmFork, Sentence: "It has signed two registers."}
		},
		"takes nothing": func(s *mirror.Status) { s.Alarm = &mirror.Alarm{Kind: mirror.AlarmRollback} },
	} {
		s := whole
		change(&s)
		kind(t, cosigns(s, 10), errs.Forbidden, words)
	}
	s := whole
	s.Alarm = &mirror.Alarm{Kind: mirror.AlarmSuperseded} // of the origin before
	if err := cosigns(s, 10); err != nil {
		t.Error(err)
	}
}

// TestRecoverErased brings up a backup from before an erasure: what was erased goes.
func TestRecoverErased(t *testing.T) {
	origin := made(t)
	if _, err := taken(t, origin, "Camilla"); err != nil {
		t.Fatal(err)
	}
	old := origin
	old.Data = filepath.Join(t.TempDir(), "lib")
	if err := os.CopyFS(old.Data, os.DirFS(origin.Data)); err != nil {
		t.Fatal(err)
	}
	if err := Do(t.Context(), origin, Request{Erase: &EraseRequest{Entry: 1, Ground: "a court's order"}}, nil, func(Event) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := taken(t, origin, "Cecilia"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		got, err := Recover(t.Context(), old, RecoverOptions{From: []string{origin.Data}}, nil)
		if err != nil || got.Entries != 4 || got.Missing != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	l := owned(t, old)
	if _, err := l.Register.Entry(t.Context(), 1); !errs.Is(err, errs.Gone) {
		t.Errorf("the erased entry is still here: %v", err)
	}
	files := 0
	if err := l.Blobs.Walk(t.Context(), func(string, int64) error { files++; return nil }); err != nil || files != 1 {
		t.Errorf("%d files, %v", files, err)
	}
	l.Close()
	if _, err := VerifyLibrary(t.Context(), old, VerifyRequest{}, nil, func(p Problem) { t.Error(p) }); err != nil {
		t.Error(err)
	}
}

// A copy with one rotten file still gives all the others.
func TestRecoverFromRot(t *testing.T) {
	origin := made(t)
	for _, name := range []string{"Emma", "Sanditon", "Evelina"} {
		if _, err := taken(t, origin, name); err != nil {
			t.Fatal(err)
		}
	}
	rotten := false
	err := filepath.WalkDir(origin.path("blobs"), func(name string, d os.DirEntry, err error) error {
		if err != nil || rotten || !d.Type().IsRegular() || len(d.Name()) != 64 {
			return err
		}
		rotten = true
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		raw[0] ^= 1
		if err := os.Chmod(name, 0o644); err != nil {
			return err
		}
		return os.WriteFile(name, raw, 0o644)
	})
	if err != nil || !rotten {
		t.Fatal(rotten, err)
	}
	bare := Config{Data: filepath.Join(t.TempDir(), "lib")}
	if err := os.CopyFS(filepath.Join(bare.Data, "keys"), os.DirFS(origin.path("keys"))); err != nil {
		t.Fatal(err)
	}
	got, err := Recover(t.Context(), bare, RecoverOptions{From: []string{origin.Data}}, nil)
	if err != nil || got.Files != 2 || got.Missing != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// A mirror of a folder finds it again, wherever it is started.
func TestMirrorOfRelativeFolder(t *testing.T) {
	origin := made(t)
	t.Chdir(filepath.Dir(origin.Data))
	m := Config{Data: filepath.Join(t.TempDir(), "mirror")}
	if _, err := InitMirror(t.Context(), m, MirrorOptions{Sources: []string{"./" + filepath.Base(origin.Data)}}, nil); err != nil {
		t.Fatal(err)
	}
	s, _, err := mirrorState(m)
	if err != nil || len(s.Sources) != 1 || s.Sources[0] != origin.Data {
		t.Errorf("%q, %v", s.Sources, err)
	}
}
