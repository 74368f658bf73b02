package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// killRecords writes count records of two sources, some groups' worth. Every tenth
// of the second is an edition that the first has as well; every fortieth has its
// number and another title.
func killRecords(t *testing.T, count int) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		var b bytes.Buffer
		for i := range count / 2 {
			title := fmt.Sprintf("The %s book, number %d", name, i)
			isbn := ""
			if i%10 == 0 {
				isbn = isbn13(i)
				if i%40 != 0 {
					title = fmt.Sprintf("The shared book, number %d", i)
				}
			}
			fmt.Fprintf(&b, "{\"id\":\"%s:%d\",\"type\":\"book\",\"title\":\"%s\",\"authors\":[\"Author %d\"],\"isbn\":\"%s\",\"year\":%d,\"abstract\":%q}\n",
				name, i, title, i%700, isbn, 1500+i%500, strings.Repeat(fmt.Sprintf("word%d ", i%97), 20))
		}
		file := filepath.Join(dir, name+".jsonl")
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// isbn13 is the ISBN of a number below a thousand million.
func isbn13(n int) string {
	s := fmt.Sprintf("978%09d", n)
	sum := 0
	for i, c := range s {
		sum += int(c-'0') * (1 + i%2*2)
	}
	return s + fmt.Sprint((10-sum%10)%10)
}

type importLine struct {
	addLine
	Duplicates []int64 `json:"duplicates"`
	Error      string  `json:"error"`
}

// known is what the same command again says of an outcome.
func known(l importLine) importLine {
	l.Status, l.Duplicates = "known", nil
	return l
}

// sameReports says whether the reports are the first of those wanted, or say of
// records that they are known.
func sameReports(t *testing.T, got, want []importLine) {
	t.Helper()
	for i, l := range got {
		if !reflect.DeepEqual(l, want[i]) && !reflect.DeepEqual(l, known(want[i])) {
			t.Fatalf("%+v, not %+v, is number %d", l, want[i], i)
		}
	}
}

// sameLibrary compares two libraries record by record: all that the register says
// of each, but for the times.
func sameLibrary(t *testing.T, got, want program) {
	t.Helper()
	open := func(p program) *app.Library {
		l, err := app.Open(t.Context(), app.Config{Data: p.data}, app.ReadOnly, nil)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a, b := open(got), open(want)
	defer a.Close()
	defer b.Close()
	if a.Register.Size() != b.Register.Size() {
		t.Fatalf("%d entries, not %d", a.Register.Size(), b.Register.Size())
	}
	of := func(l *app.Library, n int64) *record.State {
		st, err := l.Catalog.Record(t.Context(), n)
		if errs.Is(err, errs.NotFound) {
			return nil
		} else if err != nil {
			t.Fatal(err)
		}
		plain := *st
		plain.Time, plain.History = time.Time{}, slices.Clone(st.History)
		for i := range plain.History {
			plain.History[i].Time = time.Time{}
		}
		return &plain
	}
	for n := range b.Register.Size() {
		if x, y := of(a, n), of(b, n); !reflect.DeepEqual(x, y) {
			t.Fatalf("record %d:\n%+v\n%+v", n, x, y)
		}
	}
	x, err := a.Catalog.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Catalog.Counts(t.Context())
	if err != nil || !reflect.DeepEqual(x, y) {
		t.Fatalf("%+v, not %+v, %v", x, y, err)
	}
}

// TestImportKill kills `wenlan import` at random moments: nothing that it reported
// is lost, the library is sound, and the same command again ends with the library
// that one undisturbed run makes. WENLAN_KILLS and WENLAN_KILL_RECORDS set how many
// kills, of an import of how many records.
func TestImportKill(t *testing.T) {
	kills, count := 5, 10_000
	if testing.Short() {
		kills = 2
	}
	for name, n := range map[string]*int{"WENLAN_KILLS": &kills, "WENLAN_KILL_RECORDS": &count} {
		if s := os.Getenv(name); s != "" {
			var err error
			if *n, err = strconv.Atoi(s); err != nil {
				t.Fatal(name, err)
			}
		}
	}
	files := killRecords(t, count)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	args := append([]string{"import", "--json", "--quiet", "simple"}, files...)
	folder := t.TempDir()
	// reports are the lines of an import but for the last, which counts them.
	reports := func(out []byte) []importLine {
		all := lines[importLine](t, out)
		return slices.DeleteFunc(all, func(l importLine) bool { return l.Input == "" })
	}

	undisturbed := program{t, filepath.Join(folder, "whole")}
	start := time.Now()
	want := reports(undisturbed.run(args...))
	took := time.Since(start)
	joined := 0
	for _, l := range want {
		if l.Status == "joined" {
			joined++
		} else if l.Status != "added" {
			t.Fatalf("%+v", l)
		}
	}
	if len(want) != count || joined != (count/2+9)/10-(count/2+39)/40 {
		t.Fatalf("%d reports of %d records, %d joined", len(want), count, joined)
	}
	undisturbed.run("verify")

	fresh := func(n int) program {
		p := program{t, filepath.Join(folder, fmt.Sprint(n))}
		p.run("init")
		return p
	}
	// whole runs the same command once more, and compares.
	whole := func(p program) {
		t.Helper()
		all := reports(p.run(args...))
		if len(all) != count {
			t.Fatalf("%d reports of %d records", len(all), count)
		}
		sameReports(t, all, want)
		p.run("verify")
		sameLibrary(t, p, undisturbed)
		if err := os.RemoveAll(p.data); err != nil {
			t.Fatal(err)
		}
	}
	p := fresh(0)
	partly, killed, libraries := 0, 0, 0
	limit := took
	for killed < kills {
		cmd := p.command(args...)
		var out, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(limit))), func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		switch {
		case err == nil:
			limit = limit * 3 / 4
		case cmd.ProcessState.ExitCode() != -1:
			t.Fatalf("%v\n%s", err, &stderr)
		default:
			killed++
		}
		said := reports(out.Bytes())
		sameReports(t, said, want)
		p.run("verify")
		if n := len(said); n > 0 {
			if last := lines[addLine](t, p.run("show", "--json", fmt.Sprint(said[n-1].Record))); len(last) != 1 {
				t.Fatalf("record %d was reported, and is not there", n)
			}
			if n < count {
				partly++
			}
		}
		if err == nil || random.IntN(4) == 0 {
			whole(p)
			libraries++
			p, limit = fresh(libraries), took
		}
	}
	whole(p)
	t.Logf("a whole run of %d records takes %v; %d killed, %d left the library in part; %d libraries compared", count, took, killed, partly, libraries+1)
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
