package app

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWriteBeside: a file has its name when it is whole; a pipe or device is written to,
// and nothing takes its place.
func TestWriteBeside(t *testing.T) {
	dir := t.TempDir()
	text := func(w io.Writer) error { _, err := io.WriteString(w, "text"); return err }
	name := filepath.Join(dir, "file")
	if err := writeBeside(name, func(w io.Writer) error { _ = text(w); return io.ErrUnexpectedEOF }); err == nil {
		t.Error("no error")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Error(left)
	}
	for range 2 { // and again in its place
		if err := writeBeside(name, text); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(name); string(got) != "text" {
		t.Errorf("%s %v", got, err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		data, _ := os.ReadFile(pipe)
		got <- string(data)
	}()
	if err := writeBeside(pipe, text); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode().IsRegular() {
		t.Fatal("a file took the place of the pipe", err)
	}
	if s := <-got; s != "text" {
		t.Error(s)
	}
	if err := writeBeside(dir, text); err == nil {
		t.Error("a folder was written to")
	}
}
