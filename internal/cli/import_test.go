package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestImportStream sends standard input through a server as it comes: the records
// are in the library before the stream ends.
func TestImportStream(t *testing.T) {
	p := program{t, filepath.Join(t.TempDir(), "lib")}
	p.run("init")
	server := p.command("serve", "--listen", "127.0.0.1:0")
	ready, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	}()
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, ready)

	cmd := p.command("import", "--json", "simple", "-", "--source", "s")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(out)
	for i := range 3 {
		fmt.Fprintf(in, "{\"id\":\"%d\",\"title\":\"Number %d\"}\n", i, i)
		var l importLine
		if err := dec.Decode(&l); err != nil || l.Status != "added" || l.Input != fmt.Sprintf("-:%d", i+1) {
			t.Fatalf("%+v %v\n%s", l, err, &stderr)
		}
	}
	// More than the pipes hold, read to the end.
	const more = 20_000
	go func() {
		defer in.Close()
		for i := range more {
			fmt.Fprintf(in, "{\"id\":\"m%d\",\"title\":\"More %d\"}\n", i, i)
		}
	}()
	for i := range more {
		var l importLine
		if err := dec.Decode(&l); err != nil || l.Status != "added" {
			t.Fatalf("%d: %+v %v\n%s", i, l, err, &stderr)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	p.run("verify")
}
