package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wenlan/internal/testdata"
)

// program is one library folder and the program that works on it.
type program struct {
	t    *testing.T
	data string
}

func (p program) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0] = "wenlan" // TestMain then runs the program and no tests
	cmd.Env = append(os.Environ(), "WENLAN_DATA="+p.data, "LANG=C")
	return cmd
}

func (p program) run(args ...string) []byte {
	p.t.Helper()
	cmd := p.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("wenlan %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return out
}

type addLine struct {
	Input  string `json:"input"`
	Status string `json:"status"`
	Record int64  `json:"record"`
}

// lines reads whole lines; what a killed program left of the last is no report.
func lines[T any](t *testing.T, out []byte) []T {
	t.Helper()
	var list []T
	for r := bufio.NewReader(bytes.NewReader(out)); ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return list
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		list = append(list, v)
	}
}

// killInputs makes a folder of real books and short texts: some batches' worth.
func killInputs(t *testing.T) (dir string, count int) {
	t.Helper()
	var books []string
	err := filepath.WalkDir(filepath.Join(testdata.Dir(t), "books"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(p) != ".epub" {
			return err
		}
		if info, err := d.Info(); err == nil && info.Size() < 160_000 {
			books = append(books, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(books)
	books = books[:min(40, len(books))]
	dir = t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		count++
	}
	for i, b := range books {
		data, err := os.ReadFile(b)
		if err != nil {
			t.Fatal(err)
		}
		write(fmt.Sprintf("%03d.epub", i), data)
		for j := range 3 {
			write(fmt.Sprintf("%03d-%d.txt", i, j), fmt.Appendf(nil, "Notes on %s\n\nPage %d.\n", filepath.Base(b), j))
		}
	}
	return dir, count
}

// TestKill kills `wenlan add` at random moments: nothing that it reported is
// lost, the library is sound, and the same command again finishes the job.
func TestKill(t *testing.T) {
	inputs, count := killInputs(t)
	kills := 100
	if testing.Short() {
		kills = 10
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	args := []string{"add", "--json", "--quiet", "--basis", "public-domain", inputs}

	folder := t.TempDir()
	libraries := 0
	fresh := func() program {
		libraries++
		p := program{t, filepath.Join(folder, fmt.Sprint(libraries))}
		p.run("init")
		return p
	}
	whole := func(p program) {
		t.Helper()
		seen := map[int64]string{}
		for _, l := range lines[addLine](t, p.run(args...)) {
			if l.Status != "added" && l.Status != "known" || l.Record < 1 {
				t.Errorf("%s: %s, record %d", l.Input, l.Status, l.Record)
			}
			if other, ok := seen[l.Record]; ok {
				t.Errorf("%s and %s are both record %d", l.Input, other, l.Record)
			}
			seen[l.Record] = l.Input
		}
		listed := lines[addLine](t, p.run("list", "--json"))
		if len(seen) != count || len(listed) != count {
			t.Errorf("%d files: %d reported, %d records", count, len(seen), len(listed))
		}
		p.run("verify")
	}

	p := fresh()
	start := time.Now()
	p.run(args...)
	took := time.Since(start)
	whole(p)

	p = fresh()
	reported := map[string]int64{}
	killed, partly := 0, 0
	for round := 1; killed < kills; round++ {
		cmd := p.command(args...)
		var out, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(took))), func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		done := err == nil
		if !done && cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("round %d: %v\n%s", round, err, &stderr)
		}
		if !done {
			killed++
		}
		for _, l := range lines[addLine](t, out.Bytes()) {
			if l.Status != "added" && l.Status != "known" {
				t.Errorf("round %d: %s is %s", round, l.Input, l.Status)
			}
			if before, ok := reported[l.Input]; ok && before != l.Record {
				t.Errorf("round %d: %s was record %d and is %d", round, l.Input, before, l.Record)
			}
			reported[l.Input] = l.Record
		}
		p.run("verify")
		there := map[int64]bool{}
		for _, l := range lines[addLine](t, p.run("list", "--json")) {
			there[l.Record] = true
		}
		for input, n := range reported {
			if !there[n] {
				t.Errorf("round %d: %s was reported as record %d, which is not there", round, input, n)
			}
		}
		if len(there) > 0 && len(there) < count {
			partly++
		}
		if t.Failed() {
			t.FailNow()
		}
		if done || len(there) == count {
			whole(p)
			p = fresh()
			clear(reported)
		}
	}
	whole(p)
	t.Logf("a whole run takes %v; %d killed, %d libraries, %d rounds left one in part", took, killed, libraries, partly)
}
