package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func create(t *testing.T, fsys FS, name, text string, sync bool) File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func read(fsys FS, name string) string {
	data, err := ReadFile(fsys, name, 1<<20)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "absent"
		}
		return err.Error()
	}
	return string(data)
}

// outcomes runs act on many disks, crashes each, and counts what probe sees.
func outcomes(t *testing.T, act func(s *Sim), probe func(s *Sim) string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for seed := range uint64(400) {
		s := NewSim(seed)
		act(s)
		s.Crash()
		seen[probe(s)]++
	}
	return seen
}

func want(t *testing.T, seen map[string]int, all ...string) {
	t.Helper()
	for _, w := range all {
		if seen[w] == 0 {
			t.Errorf("never saw %q", w)
		}
		delete(seen, w)
	}
	for got, n := range seen {
		t.Errorf("saw %q %d times", got, n)
	}
}

func TestSimCrash(t *testing.T) {
	t.Run("synced", func(t *testing.T) {
		want(t, outcomes(t, func(s *Sim) {
			create(t, s, "/f", "text", true)
			_ = s.SyncDir("/")
		}, func(s *Sim) string { return read(s, "/f") }), "text")
	})
	t.Run("name not synced", func(t *testing.T) {
		want(t, outcomes(t, func(s *Sim) { create(t, s, "/f", "text", true) },
			func(s *Sim) string { return read(s, "/f") }), "absent", "text")
	})
	t.Run("content not synced", func(t *testing.T) {
		want(t, outcomes(t, func(s *Sim) {
			create(t, s, "/f", "text", false)
			_ = s.SyncDir("/")
		}, func(s *Sim) string { return read(s, "/f") }), "", "text", "\x00\x00\x00\x00")
	})
	t.Run("writes out of order", func(t *testing.T) {
		want(t, outcomes(t, func(s *Sim) {
			f := create(t, s, "/f", "ab", true)
			_ = s.SyncDir("/")
			_, _ = f.WriteAt([]byte("A"), 0)
			_, _ = f.WriteAt([]byte("B"), 1)
		}, func(s *Sim) string { return read(s, "/f") }), "ab", "Ab", "aB", "AB")
	})
	t.Run("torn write", func(t *testing.T) {
		big := string(bytes.Repeat([]byte("x"), 3*sector))
		seen := outcomes(t, func(s *Sim) {
			f := create(t, s, "/f", string(make([]byte, 3*sector)), true)
			_ = s.SyncDir("/")
			_, _ = f.WriteAt([]byte(big), 0)
		}, func(s *Sim) string { return read(s, "/f") })
		if len(seen) != 8 {
			t.Errorf("%d outcomes of a write of three sectors, want 8", len(seen))
		}
	})
	t.Run("rename is atomic", func(t *testing.T) {
		both := func(s *Sim) string { return read(s, "/f") + "," + read(s, "/d/f.tmp") }
		want(t, outcomes(t, func(s *Sim) {
			_ = MkdirAll(s, "/d", 0o755)
			create(t, s, "/f", "old", true)
			_ = s.SyncDir("/")
			create(t, s, "/d/f.tmp", "new", true)
			_ = s.SyncDir("/d")
			_ = s.Rename("/d/f.tmp", "/f")
		}, both), "old,new", "new,new", "new,absent")
	})
	t.Run("syncing where a rename came from", func(t *testing.T) {
		want(t, outcomes(t, func(s *Sim) {
			_ = MkdirAll(s, "/d", 0o755)
			create(t, s, "/d/a", "text", true)
			_ = s.SyncDir("/d")
			_ = s.Rename("/d/a", "/b")
			_ = s.SyncDir("/d")
		}, func(s *Sim) string { return read(s, "/b") + "," + read(s, "/d/a") }), "text,absent")
	})
	t.Run("lost folder", func(t *testing.T) {
		want(t, outcomes(t, func(s *Sim) {
			_ = s.MkdirAll("/d", 0o755)
			create(t, s, "/d/f", "text", true)
			_ = s.SyncDir("/d")
		}, func(s *Sim) string { return read(s, "/d/f") }), "absent", "text")
	})
	t.Run("removal not synced", func(t *testing.T) {
		want(t, outcomes(t, func(s *Sim) {
			create(t, s, "/f", "text", true)
			_ = s.SyncDir("/")
			_ = s.Remove("/f")
		}, func(s *Sim) string { return read(s, "/f") }), "absent", "text")
	})
	t.Run("a failed sync is not made good by the next", func(t *testing.T) {
		seen := outcomes(t, func(s *Sim) {
			f := create(t, s, "/f", "text", false)
			_ = s.SyncDir("/")
			s.FailAt(1, FailBefore)
			if err := f.Sync(); !errors.Is(err, ErrInjected) {
				t.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			if got := read(s, "/f"); got != "text" {
				t.Fatalf("the cache shows %q", got)
			}
		}, func(s *Sim) string { return read(s, "/f") })
		if seen[""] == 0 || seen["text"] == 0 {
			t.Error(seen)
		}
	})
	t.Run("the same seed gives the same loss", func(t *testing.T) {
		run := func() (got []string) {
			for seed := range uint64(50) {
				s := NewSim(seed)
				for i := range 5 {
					create(t, s, fmt.Sprint("/f", i), "text", i%2 == 0)
				}
				s.Crash()
				for i := range 5 {
					got = append(got, read(s, fmt.Sprint("/f", i)))
				}
			}
			return got
		}
		if a, b := fmt.Sprint(run()), fmt.Sprint(run()); a != b {
			t.Error("two runs differ")
		}
	})
}

func TestSimKill(t *testing.T) {
	s := NewSim(1)
	f := create(t, s, "/f", "text", false)
	s.Kill()
	if _, err := f.Write([]byte("x")); !errors.Is(err, ErrCrashed) {
		t.Errorf("a dead process wrote: %v", err)
	}
	if got := read(s, "/f"); got != "text" {
		t.Errorf("a kill lost what was written: %q", got)
	}
}

// TestSimFaults checks that each fault does what its name says, to a write.
func TestSimFaults(t *testing.T) {
	for fault, want := range map[Fault]struct {
		text string
		err  error
	}{
		FailBefore: {"old", ErrInjected}, FailAfter: {"new", ErrInjected}, Torn: {"nld", ErrInjected},
		CrashBefore: {"old", ErrCrashed}, CrashAfter: {"new", ErrCrashed},
	} {
		t.Run(fault.String(), func(t *testing.T) {
			s := NewSim(1)
			f := create(t, s, "/f", "old", true)
			var last Op
			s.SetHook(func(op Op) Fault { last = op; return fault })
			_, err := f.WriteAt([]byte("new"), 0)
			if !errors.Is(err, want.err) {
				t.Errorf("got %v, want %v", err, want.err)
			}
			if last != (Op{N: s.Ops(), Kind: OpWrite, Name: "/f"}) {
				t.Errorf("the hook saw %+v", last)
			}
			if s.Off() != (want.err == ErrCrashed) {
				t.Errorf("power off: %v", s.Off())
			}
			if s.Off() {
				if _, err := s.Stat("/f"); !errors.Is(err, ErrCrashed) {
					t.Errorf("a disk without power answered: %v", err)
				}
			}
			s.Kill()
			if got := read(s, "/f"); got != want.text {
				t.Errorf("file holds %q, want %q", got, want.text)
			}
		})
	}
}

// TestWriteFileAtEveryOperation cuts WriteFile at each of its operations, in
// each way, and looks at the file after the next start.
func TestWriteFileAtEveryOperation(t *testing.T) {
	for n := 1; ; n++ {
		reached := false
		for _, fault := range Faults {
			for seed := range uint64(40) {
				s := NewSim(seed)
				if err := MkdirAll(s, "/d", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := WriteFile(s, "/d/f", []byte("old text"), 0o644); err != nil {
					t.Fatal(err)
				}
				before := s.Ops()
				s.FailAt(n, fault)
				err := WriteFile(s, "/d/f", []byte("new"), 0o644)
				reached = reached || s.Ops()-before >= n
				s.Crash()
				got := read(s, "/d/f")
				if err == nil && got != "new" || got != "new" && got != "old text" {
					t.Fatalf("%v at %d, seed %d: WriteFile said %v, file holds %q", fault, n, seed, err, got)
				}
			}
		}
		if !reached {
			break
		}
	}
}

// TestSyncParents: a process makes folders and is killed before it syncs them.
func TestSyncParents(t *testing.T) {
	for seed := range uint64(50) {
		s := NewSim(seed)
		if err := s.MkdirAll("/a/b/c", 0o755); err != nil {
			t.Fatal(err)
		}
		s.Kill()
		if err := SyncParents(s, "/a/b/c"); err != nil {
			t.Fatal(err)
		}
		s.Crash()
		if ok, err := Exists(s, "/a/b/c"); !ok || err != nil {
			t.Fatalf("seed %d: the folder is lost: %v", seed, err)
		}
	}
	if err := SyncParents(OS(), t.TempDir()); err != nil {
		t.Error(err)
	}
}

// TestSimLikeOS does the same random things to a Sim and to the real disk.
func TestSimLikeOS(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		sim := NewSim(seed)
		if err := sim.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		name := func() string {
			n := []string{"a", "b", "d/a", "d/b", "d/e/a", "d", "d/e"}
			return filepath.Join(dir, n[rng.IntN(len(n))])
		}
		for step := range 200 {
			a, b := name(), name()
			if filepath.Dir(a) == b || filepath.Dir(b) == a || filepath.Dir(filepath.Dir(b)) == a {
				continue // no folder is moved into itself
			}
			kind, x, y := rng.IntN(8), rng.IntN(20), rng.IntN(20)
			run := func(fsys FS) (out string) {
				switch kind {
				case 0, 1, 2:
					flags := []int{os.O_CREATE, os.O_CREATE | os.O_TRUNC, os.O_CREATE | os.O_EXCL, os.O_CREATE | os.O_APPEND, 0}
					f, err := fsys.OpenFile(a, os.O_RDWR|flags[x%len(flags)], 0o644)
					if err != nil {
						return "open failed"
					}
					defer f.Close()
					n, err := f.Write(bytes.Repeat([]byte("w"), x))
					out = fmt.Sprint(n, err)
					if x%5 != 3 { // WriteAt is refused in append mode
						n, err = f.WriteAt(bytes.Repeat([]byte("v"), x), int64(y))
						out += fmt.Sprint(n, err)
					}
					if x%3 == 0 {
						out += fmt.Sprint(f.Truncate(int64(y)))
					}
					pos, err := f.Seek(-1, io.SeekEnd)
					out += fmt.Sprint(pos, err != nil)
					data, err := io.ReadAll(f)
					return out + fmt.Sprint(string(data), err)
				case 3:
					return fmt.Sprint(fsys.Rename(a, b) == nil)
				case 4:
					return fmt.Sprint(fsys.Remove(a) == nil)
				case 5:
					return fmt.Sprint(fsys.MkdirAll(a, 0o755) == nil)
				case 6:
					info, err := fsys.Stat(a)
					if err != nil {
						return "stat failed"
					}
					if info.IsDir() {
						return "folder " + info.Name()
					}
					return fmt.Sprint(info.Name(), info.Size())
				}
				list, err := fsys.ReadDir(a)
				for _, e := range list {
					out += e.Name() + fmt.Sprint(e.IsDir())
				}
				return out + fmt.Sprint(err == nil)
			}
			if got, want := run(sim), run(OS()); got != want {
				t.Fatalf("seed %d step %d kind %d %s %s: sim %q, disk %q", seed, step, kind, a, b, got, want)
			}
		}
	}
}
