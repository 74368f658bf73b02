package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"wenlan/internal/cli"
	"wenlan/internal/testdata"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"wenlan": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs testdata/script: every command, as a person uses it.
func TestScripts(t *testing.T) {
	data := testdata.Dir(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("BOOKS", filepath.Join(data, "books"))
			env.Setenv("PAPERS", filepath.Join(data, "papers"))
			env.Setenv("OAI_ANSWERS", filepath.Join(data, "interop", "oai"))
			env.Setenv("MALFORMED", filepath.Join(data, "malformed"))
			env.Setenv("WENLAN_DATA", filepath.Join(env.WorkDir, "lib"))
			env.Setenv("LANG", "C")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":    code,
			"serve":   serve,
			"get":     get,
			"json":    jsonLines,
			"corrupt": corrupt,
			"replace": replace,
			"oai":     oai,

			"withkeys": withKeys,
		},
	})
}

// code N COMMAND…: the command exits with N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if (got == want) == neg {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// serve [FLAG…]: starts `wenlan serve` on a free port; its address is $URL. It is
// stopped, and must stop well, when the script ends.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("wenlan", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	self, err := os.Executable()
	ts.Check(err)
	cmd.Path = filepath.Join(filepath.Dir(self), "wenlan")
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p := filepath.Join(dir, "wenlan"); isFile(p) {
			cmd.Path = p
			break
		}
	}
	cmd.Err = nil
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "WENLAN_DATA=" + ts.Getenv("WENLAN_DATA"), "HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR"), "LANG=C"}
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	first := make(chan string, 1)
	rest := new(bytes.Buffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var line []byte
		one := make([]byte, 1)
		for {
			n, err := stderr.Read(one)
			if n == 1 && one[0] != '\n' {
				line = append(line, one[0])
			}
			if err != nil || (n == 1 && one[0] == '\n') {
				first <- string(line)
				break
			}
		}
		io.Copy(rest, stderr)
	}()
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-done
		if err := cmd.Wait(); err != nil {
			ts.Logf("serve ended with %v\n%s", err, rest)
			panic("serve did not stop well")
		}
	})
	select {
	case line := <-first:
		url, ok := strings.CutPrefix(line, "listening on ")
		if !ok {
			ts.Fatalf("serve says %q first", line)
		}
		ts.Setenv("URL", url)
	case <-time.After(20 * time.Second):
		ts.Fatalf("serve does not start")
	}
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// get STATUS PATH [PATTERN]: asks the server started by serve.
func get(ts *testscript.TestScript, neg bool, args []string) {
	client := &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(ts.Getenv("URL") + args[1])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("%s answers %d, want %s\n%.500s", args[1], resp.StatusCode, args[0], body)
	}
	if len(args) > 2 {
		if ok, err := regexp.Match(args[2], body); err != nil || ok == neg {
			ts.Fatalf("%s: match of %q is %v, %v\n%.2000s", args[1], args[2], ok, err, body)
		}
	}
}

// json FIELD=VALUE…: some line of stdout is an object with these fields; every
// line is an object.
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	found := false
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			ts.Fatalf("not an object: %s", line)
		}
		all := true
		for _, a := range args {
			field, want, _ := strings.Cut(a, "=")
			got, ok := v[field]
			raw, err := json.Marshal(got)
			ts.Check(err)
			all = all && ok && (string(raw) == want || got == want)
		}
		found = found || all
	}
	if found == neg {
		ts.Fatalf("a line with %v: %v\n%s", args, found, ts.ReadFile("stdout"))
	}
}

// corrupt GLOB: flips a bit in the middle of the first file that matches.
func corrupt(ts *testscript.TestScript, neg bool, args []string) {
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("nothing matches %s", args[0])
	}
	raw, err := os.ReadFile(files[0])
	ts.Check(err)
	raw[len(raw)/2] ^= 4
	ts.Check(os.Chmod(files[0], 0o644))
	ts.Check(os.WriteFile(files[0], raw, 0o644))
}

// replace FILE OLD NEW.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	raw := ts.ReadFile(args[0])
	if !strings.Contains(raw, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(raw, args[1], args[2])), 0o644))
}

// withkeys exec COMMAND…: an argument @FILE is what the file holds.
func withKeys(ts *testscript.TestScript, neg bool, args []string) {
	for i, a := range args {
		if name, ok := strings.CutPrefix(a, "@"); ok {
			args[i] = strings.TrimSpace(ts.ReadFile(name))
		}
	}
	ts.Check(ts.Exec(args[1], args[2:]...))
}
