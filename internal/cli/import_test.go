package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// killRecords writes records of two sources, some thousands, some groups' worth.
func killRecords(t *testing.T) (files []string, count int) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		var b bytes.Buffer
		for i := range 6000 {
			fmt.Fprintf(&b, "{\"id\":\"%s:%d\",\"type\":\"book\",\"title\":\"The %s book, number %d\",\"authors\":[\"Author %d\"],\"year\":%d,\"abstract\":%q}\n",
				name, i, name, i, i%700, 1500+i%500, strings.Repeat(fmt.Sprintf("word%d ", i%97), 20))
			count++
		}
		file := filepath.Join(dir, name+".jsonl")
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files, count
}

type importLine struct {
	addLine
	Error string `json:"error"`
}

// TestImportKill kills `wenlan import` at random moments: nothing that it reported
// is lost, the library is sound, and the same command again ends with the library
// that one undisturbed run makes.
func TestImportKill(t *testing.T) {
	files, count := killRecords(t)
	kills := 10
	if testing.Short() {
		kills = 4
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	args := append([]string{"import", "--json", "--quiet", "simple"}, files...)
	folder := t.TempDir()

	// described is what the library says of each record, in order, without its times.
	described := func(p program) []string {
		t.Helper()
		var all []string
		for _, n := range []int{1, 2, count / 3, count/2 + 1, count - 1, count} {
			var v map[string]any
			if err := json.Unmarshal(p.run("show", "--json", fmt.Sprint(n)), &v); err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprint(v["record"], v["title"], v["creators"], v["sources"]))
		}
		return all
	}
	whole := func(p program) {
		t.Helper()
		reports := lines[importLine](t, p.run(args...))
		if len(reports) != count {
			t.Errorf("%d reports of %d records", len(reports), count)
		}
		for i, l := range reports {
			if (l.Status != "added" && l.Status != "known") || l.Record != int64(i+1) {
				t.Fatalf("%+v is number %d", l, i)
			}
		}
		p.run("verify")
	}

	undisturbed := program{t, filepath.Join(folder, "whole")}
	start := time.Now()
	whole(undisturbed)
	took := time.Since(start)
	whole(undisturbed)
	want := described(undisturbed)

	p := program{t, filepath.Join(folder, "killed")}
	p.run("init")
	partly, killed, library := 0, 0, 0
	for killed < kills {
		cmd := p.command(args...)
		var out, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(took))), func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			took = took * 3 / 4
		} else if cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("%v\n%s", err, &stderr)
		} else {
			killed++
		}
		reports := lines[importLine](t, out.Bytes())
		for i, l := range reports {
			if (l.Status != "added" && l.Status != "known") || l.Record != int64(i+1) {
				t.Fatalf("%+v is number %d", l, i)
			}
		}
		p.run("verify")
		if n := len(reports); n > 0 {
			last := lines[addLine](t, p.run("show", "--json", fmt.Sprint(n)))
			if len(last) != 1 {
				t.Fatalf("record %d was reported, and is not there", n)
			}
			if n < count {
				partly++
			}
		}
		if err == nil {
			if got := described(p); !slices.Equal(got, want) {
				t.Fatalf("%q\n%q", got, want)
			}
			library++
			p = program{t, filepath.Join(folder, fmt.Sprint(library))}
			p.run("init")
		}
	}
	whole(p)
	if got := described(p); !slices.Equal(got, want) {
		t.Fatalf("%q\n%q", got, want)
	}
	t.Logf("a whole run takes %v; %d killed, %d left the library in part", took, killed, partly)
}

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
