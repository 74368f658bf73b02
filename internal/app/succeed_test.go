package app

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

// signedCharter drafts a charter in a folder and signs it with the founder's key.
func signedCharter(t *testing.T, cfg Config, founder string, o DraftOptions) []byte {
	t.Helper()
	draft, _, err := DraftCharter(t.Context(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := PrepareSigning(draft, nil, founder)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign()
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// chartered hands over a charter and says what became of it.
func chartered(t *testing.T, cfg Config, req Request) (status string, err error) {
	t.Helper()
	err = Do(t.Context(), cfg, req, nil, func(ev Event) {
		if ev.Charter != nil {
			status = ev.Charter.Status
		}
	})
	return status, err
}

func key(t *testing.T, cfg Config, name string) string {
	t.Helper()
	vkey, err := publicOf(cfg, name)
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

// sound verifies a library whole.
func sound(t *testing.T, cfg Config) {
	t.Helper()
	if _, err := VerifyLibrary(t.Context(), cfg, VerifyRequest{}, nil, func(p Problem) { t.Errorf("%+v", p) }); err != nil {
		t.Error(err)
	}
}

// copied is a mirror of a library that lies in a folder.
func copied(t *testing.T, from Config, opt MirrorOptions) Config {
	t.Helper()
	cfg := Config{Data: filepath.Join(t.TempDir(), "mirror"), URL: "http://127.0.0.1:1"}
	opt.Sources = []string{from.Data}
	if _, err := InitMirror(t.Context(), cfg, opt, nil); err != nil {
		t.Fatal(err)
	}
	again(t, cfg)
	return cfg
}

// again lets a mirror copy what is there.
func again(t *testing.T, cfg Config) {
	t.Helper()
	if _, err := MirrorOnce(t.Context(), cfg, nil, func(mirror.Status) {}); err != nil {
		t.Fatal(err)
	}
}

// TestRotate gives an origin a new key, whole and cut short anywhere.
func TestRotate(t *testing.T) {
	for name, cut := range map[string]func(t *testing.T, cfg Config, signed []byte){
		"whole": func(t *testing.T, cfg Config, signed []byte) {
			if status, err := chartered(t, cfg, Request{Charter: &CharterRequest{Note: string(signed)}}); err != nil || status != "rotated" {
				t.Fatalf("%s %v", status, err)
			}
		},
		"after the charter": func(t *testing.T, cfg Config, signed []byte) {
			l := owned(t, cfg)
			if err := l.Register.AddCharter(t.Context(), signed); err != nil {
				t.Fatal(err)
			}
			l.Close()
		},
		"after the checkpoint": func(t *testing.T, cfg Config, signed []byte) {
			signer, _, err := readKey(cfg.path("keys", nextKey))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := register.Rotate(t.Context(), register.Config{Dir: cfg.path("register"), Signer: signer}, signed); err != nil {
				t.Fatal(err)
			}
		},
		"between the keys": func(t *testing.T, cfg Config, signed []byte) {
			signer, _, err := readKey(cfg.path("keys", nextKey))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := register.Rotate(t.Context(), register.Config{Dir: cfg.path("register"), Signer: signer}, signed); err != nil {
				t.Fatal(err)
			}
			if err := putAway(cfg, 2); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := made(t)
			if _, err := taken(t, cfg, "before the draft"); err != nil {
				t.Fatal(err)
			}
			copy := copied(t, cfg, MirrorOptions{})
			old := key(t, cfg, originKey)
			signed := signedCharter(t, cfg, cfg.trusteeKey(), DraftOptions{Rotate: true, Addresses: []string{"http://127.0.0.1:1"}})
			next := key(t, cfg, nextKey)
			// The library goes on while the trustees sign; so does the mirror.
			if _, err := taken(t, cfg, "while they sign"); err != nil {
				t.Fatal(err)
			}
			again(t, copy)
			cut(t, cfg, signed)
			if _, err := taken(t, cfg, "after the change"); err != nil {
				t.Fatal(err)
			}
			if key(t, cfg, originKey) != next || key(t, cfg, nextKey) != "" || key(t, cfg, "former-1.key") != old {
				t.Error("the keys are not where they belong")
			}
			sound(t, cfg)
			again(t, copy)
			sound(t, copy)
			l, m := owned(t, cfg), owned(t, copy)
			if l.Register.Published().Root != m.Register.Published().Root || l.Register.Size() != 5 {
				t.Errorf("the mirror has not followed: %d entries, %d at the origin", m.Register.Size(), l.Register.Size())
			}
			if branches, err := m.Register.Branches(); err != nil || len(branches) > 0 {
				t.Errorf("%v %v", branches, err)
			}
		})
	}
}

// TestSucceed gives the library to a mirror, and refuses where it must.
func TestSucceed(t *testing.T) {
	origin := made(t)
	for _, name := range []string{"One", "Two"} {
		if _, err := taken(t, origin, name); err != nil {
			t.Fatal(err)
		}
	}
	founder := origin.trusteeKey()
	heir, part := copied(t, origin, MirrorOptions{}), copied(t, origin, MirrorOptions{NoFiles: new(true)})
	succeed := func(cfg Config, signed []byte, force bool) error {
		_, err := chartered(t, cfg, Request{Succeed: &SucceedRequest{Note: string(signed), ForcePartial: force}})
		return err
	}
	_, err := drafted(t, heir, DraftOptions{Rotate: true})
	kind(t, err, errs.Refused, "no key to change")
	_, err = drafted(t, origin, DraftOptions{Succeed: true})
	kind(t, err, errs.Refused, "is the origin's already")

	partial := signedCharter(t, part, founder, DraftOptions{Succeed: true})
	kind(t, succeed(part, partial, false), errs.Refused, "part of the files")
	kind(t, succeed(heir, partial, false), errs.Refused, "no key here")
	kind(t, succeed(origin, partial, false), errs.Refused, "is the origin already")

	signed := signedCharter(t, heir, founder, DraftOptions{Succeed: true})
	kind(t, succeed(heir, partial, false), errs.Refused, "another key than the one here")
	draft, err := drafted(t, heir, DraftOptions{Succeed: true})
	if err != nil {
		t.Fatal(err)
	}
	kind(t, succeed(heir, draft, false), errs.Refused, "1 more of the trustees before must sign")

	// A base that is not here: longer than what is held, or of another register.
	for what, change := range map[string]func(b *register.Base){
		"of which 3 are here": func(b *register.Base) { b.Size++ },
		"another register":    func(b *register.Base) { b.Root[0]++ },
	} {
		c, err := register.ParseCharter(signed)
		if err != nil {
			t.Fatal(err)
		}
		change(c.Base)
		other, err := register.DraftCharter(c)
		if err != nil {
			t.Fatal(err)
		}
		s, err := PrepareSigning(other, nil, founder)
		if err != nil {
			t.Fatal(err)
		}
		if other, err = s.Sign(); err != nil {
			t.Fatal(err)
		}
		kind(t, succeed(heir, other, false), errs.Refused, what)
	}

	// The old origin goes on for a while, and one mirror follows it: a branch.
	if _, err := taken(t, origin, "Three"); err != nil {
		t.Fatal(err)
	}
	third := copied(t, origin, MirrorOptions{})
	if status, err := chartered(t, heir, Request{Succeed: &SucceedRequest{Note: string(signed)}}); err != nil || status != "succeeded" {
		t.Fatalf("%s %v", status, err)
	}
	if _, err := taken(t, heir, "Four"); err != nil {
		t.Fatal(err)
	}
	sound(t, heir)
	kind(t, succeed(heir, signed, false), errs.Refused, "is the origin already")

	// The charter reaches the old origin, which is a mirror then, and the mirrors.
	for _, cfg := range []Config{origin, third} {
		status, err := chartered(t, cfg, Request{Charter: &CharterRequest{Note: string(signed)}})
		if want := map[bool]string{true: "superseded", false: "stored"}[cfg.Data == origin.Data]; err != nil || status != want {
			t.Fatalf("%s %v", status, err)
		}
		if _, err := taken(t, cfg, "Five"); !errs.Is(err, errs.Refused) {
			t.Errorf("a superseded origin, or a mirror, takes in a book: %v", err)
		}
		if _, err := InitMirror(t.Context(), cfg, MirrorOptions{Sources: []string{heir.Data}}, nil); err != nil {
			t.Fatal(err)
		}
		again(t, cfg)
		sound(t, cfg)
		branches, err := Branches(cfg)
		if err != nil || len(branches) != 1 || branches[0].From != 3 || branches[0].Entries != 1 {
			t.Fatalf("%+v %v", branches, err)
		}
	}
	if key(t, origin, originKey) != "" || key(t, origin, "former-1.key") == "" {
		t.Error("the old origin has its key in office")
	}

	// The branch is taken in again where the librarian says so, once.
	dir := filepath.Join(t.TempDir(), "branch")
	if err := SaveBranch(t.Context(), origin, "1", dir); err != nil {
		t.Fatal(err)
	}
	kind(t, SaveBranch(t.Context(), origin, "1", dir), errs.Refused, "not empty")
	kind(t, SaveBranch(t.Context(), origin, "2", dir+"2"), errs.NotFound, "no branch")
	for i, want := range []int{1, 0} {
		var said []BranchEntry
		if err := Do(t.Context(), heir, Request{Accede: &AccedeRequest{Branch: dir}}, nil, func(ev Event) {
			if ev.Branch != nil {
				said = append(said, *ev.Branch)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if len(said) != want || want == 1 && (said[0].Status != "acceded" || said[0].Title != "Three") {
			t.Errorf("time %d: %+v", i+1, said)
		}
	}
	l := owned(t, heir)
	st, err := l.Catalog.Record(t.Context(), l.Register.Size()-1)
	if err != nil || st.Record.Title != "Three" || st.Rights == nil || st.Rights.Basis != record.PublicDomain || len(st.Files) != 1 {
		t.Errorf("%+v %v", st, err)
	}
	sound(t, heir)
}

// drafted is a draft, or why there is none.
func drafted(t *testing.T, cfg Config, o DraftOptions) ([]byte, error) {
	t.Helper()
	draft, _, err := DraftCharter(t.Context(), cfg, o)
	return draft, err
}

// TestReopen gives the library away while its origin is served, and back.
func TestReopen(t *testing.T) {
	origin := made(t)
	origin.Listen, origin.Poll = freeAddress(t), "50ms"
	origin.URL = "http://" + origin.Listen
	if _, err := taken(t, origin, "One"); err != nil {
		t.Fatal(err)
	}
	founder := origin.trusteeKey()
	reopening(t, origin)
	heir := Config{Data: filepath.Join(t.TempDir(), "mirror"), Listen: freeAddress(t), Poll: "50ms"}
	heir.URL = "http://" + heir.Listen
	if _, err := InitMirror(t.Context(), heir, MirrorOptions{Sources: []string{origin.URL}}, nil); err != nil {
		t.Fatal(err)
	}
	reopening(t, heir)
	size := func(cfg Config) (n int64) {
		reg, err := register.Open(register.Config{Dir: cfg.path("register")})
		if err == nil {
			n = reg.Size()
		}
		return n
	}
	has := func(cfg Config, address string) func() bool {
		return func() bool {
			status, _ := fetch(t, cfg.URL+address)
			return status == http.StatusOK
		}
	}
	until(t, "the mirror has the book", has(heir, "/records/1/files/One.txt"))
	signed := signedCharter(t, heir, founder, DraftOptions{Succeed: true})
	if status, err := chartered(t, heir, Request{Succeed: &SucceedRequest{Note: string(signed)}}); err != nil || status != "succeeded" {
		t.Fatalf("%s %v", status, err)
	}
	if _, err := taken(t, heir, "Two"); err != nil {
		t.Fatal(err)
	}
	// The old origin lives. It learns that it is one no more, and follows.
	until(t, "the old origin follows", func() bool { return size(origin) == 4 })
	until(t, "the old origin has the second book", has(origin, "/records/3/files/Two.txt"))
	if _, err := taken(t, origin, "Three"); !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), "mirror") {
		t.Errorf("the old origin takes in a book: %v", err)
	}
	// And back again, by one more charter.
	signed = signedCharter(t, origin, founder, DraftOptions{Succeed: true})
	if status, err := chartered(t, origin, Request{Succeed: &SucceedRequest{Note: string(signed)}}); err != nil || status != "succeeded" {
		t.Fatalf("%s %v", status, err)
	}
	if _, err := taken(t, origin, "Three"); err != nil {
		t.Fatal(err)
	}
	until(t, "the mirror follows", func() bool { return size(heir) == 6 })
}

// reopening serves a folder, whatever it becomes, until the test ends.
func reopening(t *testing.T, cfg Config) {
	t.Helper()
	s, err := NewServer(t.Context(), cfg, NewLogger(Config{LogLevel: "error"}, t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
			next, err := s.Reopen(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			if next == nil {
				break
			}
			s = next
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// TestForkEnds lets an origin sign two trees, and the trustees say which one counts.
func TestForkEnds(t *testing.T) {
	origin := made(t)
	if _, err := taken(t, origin, "One"); err != nil {
		t.Fatal(err)
	}
	twin := Config{Data: filepath.Join(t.TempDir(), "twin")}
	if err := os.CopyFS(twin.Data, os.DirFS(origin.Data)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(twin.path("keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	for cfg, name := range map[*Config]string{&origin: "Two", &twin: "Another two"} {
		if _, err := taken(t, *cfg, name); err != nil {
			t.Fatal(err)
		}
	}
	mirrored := copied(t, origin, MirrorOptions{})
	if _, err := InitMirror(t.Context(), mirrored, MirrorOptions{Sources: []string{twin.Data}}, nil); err != nil {
		t.Fatal(err)
	}
	st, err := MirrorOnce(t.Context(), mirrored, nil, func(mirror.Status) {})
	kind(t, err, errs.Corrupt, "two registers that contradict each other")
	if st.Alarm == nil || st.Alarm.Kind != mirror.AlarmFork {
		t.Errorf("the mirror sees no fork: %v %+v", err, st)
	}
	// What the twin holds counts from now on: its key is changed for that.
	signed := signedCharter(t, twin, origin.trusteeKey(), DraftOptions{Rotate: true})
	for _, cfg := range []Config{twin, mirrored} {
		if _, err := chartered(t, cfg, Request{Charter: &CharterRequest{Note: string(signed)}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := taken(t, twin, "Three"); err != nil {
		t.Fatal(err)
	}
	again(t, mirrored)
	sound(t, mirrored)
	l, m := owned(t, twin), owned(t, mirrored)
	if l.Register.Published().Root != m.Register.Published().Root {
		t.Error("the mirror has not followed")
	}
	if st := m.copying.mirror.Status(); st.Alarm != nil {
		t.Errorf("the alarm goes on: %+v", st.Alarm)
	}
	if branches, err := m.Register.Branches(); err != nil || len(branches) != 1 || branches[0].From != 2 {
		t.Errorf("what the other tree had is not kept: %+v %v", branches, err)
	}
}
