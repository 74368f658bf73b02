package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wenlan/internal/errs"
)

func TestWriteFile(t *testing.T) {
	for name, fsys := range map[string]FS{"os": OS(), "sim": NewSim(1)} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			if err := MkdirAll(fsys, dir, 0o755); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "f")
			for _, text := range []string{"one", "a longer text", ""} {
				if err := WriteFile(fsys, file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				got, err := ReadFile(fsys, file, 100)
				if err != nil || string(got) != text {
					t.Fatalf("read %q, %v; want %q", got, err, text)
				}
			}
			list, err := fsys.ReadDir(dir)
			if err != nil || len(list) != 1 {
				t.Fatalf("folder holds %v, %v; want the file alone", list, err)
			}
			if _, err := ReadFile(fsys, filepath.Join(dir, "absent"), 1); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("absent file: %v", err)
			}
			if ok, err := Exists(fsys, filepath.Join(dir, "absent")); ok || err != nil {
				t.Errorf("Exists: %v, %v", ok, err)
			}
			if err := WriteFile(fsys, file, bytes.Repeat([]byte("x"), 101), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadFile(fsys, file, 100); err == nil {
				t.Error("a file over the limit was read")
			}
			if err := MkdirAll(fsys, file, 0o755); err == nil {
				t.Error("made a folder where a file is")
			}
			if n, err := fsys.Free(dir); err != nil || n <= 0 {
				t.Errorf("Free: %d, %v", n, err)
			}
		})
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Lock(path)
	if !errs.Is(err, errs.Locked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d holds", os.Getpid())) {
		t.Fatalf("second lock: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Unlock()
}

// TestLockEndsWithProcess kills a process that holds the lock.
func TestLockEndsWithProcess(t *testing.T) {
	path := os.Getenv("WENLAN_TEST_LOCK")
	if path != "" { // the child
		if _, err := Lock(path); err != nil {
			t.Fatal(err)
		}
		fmt.Println("locked")
		time.Sleep(time.Minute)
	}
	path = filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockEndsWithProcess$")
	cmd.Env = append(os.Environ(), "WENLAN_TEST_LOCK="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	_, err = Lock(path)
	if !errs.Is(err, errs.Locked) || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) {
		t.Errorf("while it lives: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	l, err := Lock(path)
	if err != nil {
		t.Fatalf("after its end: %v", err)
	}
	_ = l.Unlock()
}
