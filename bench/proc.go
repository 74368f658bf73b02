package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// describe prints the machine, without which no figure means anything.
func describe() {
	cpu := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				cpu = strings.TrimSpace(v)
				break
			}
		}
	}
	fmt.Printf("%s, %d cores, %s, %s; medians of alternating runs (least to most)\n", cpu, runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format("2006-01-02"))
}

// need says whether a peer's program is there, installing its package when it
// may; else it says what is missing.
func (b *bench) need(program, pkg string) bool {
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	if b.install && os.Geteuid() == 0 {
		fmt.Printf("installing %s …\n", pkg)
		for _, args := range [][]string{{"update", "-q"}, {"install", "-y", "-q", "--no-install-recommends", pkg}} {
			cmd := exec.Command("apt-get", args...)
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			if out, err := cmd.CombinedOutput(); err != nil {
				fmt.Printf("apt-get %s: %v\n%s", strings.Join(args, " "), err, tail(out, 5))
			}
		}
		if _, err := exec.LookPath(program); err == nil {
			return true
		}
	}
	fmt.Printf("missing: %s (Debian package %s): it is left out\n", program, pkg)
	return false
}

// tail is the last n lines of some output.
func tail(out []byte, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(string(out), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "") + "\n"
}

// command is a program that dies with ctx, with the environment that keeps
// calibre from touching the user's own configuration.
func (b *bench) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(),
		"CALIBRE_CONFIG_DIRECTORY="+filepath.Join(b.dir, "calibre-config"),
		"QT_QPA_PLATFORM=offscreen")
	return cmd
}

// timed runs a command to its end and gives the seconds it took. Exit code 3 of
// wenlan (some inputs refused) is for the caller to judge.
func timed(cmd *exec.Cmd) (float64, error) {
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begin).Seconds()
	if err != nil {
		return took, fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, tail(out, 5))
	}
	return took, nil
}

// server is a running peer.
type server struct {
	cmd  *exec.Cmd
	base string // http://127.0.0.1:PORT
	took time.Duration
	done chan struct{}
}

// startServer starts a command and waits until base+path answers 200. With an
// empty base it is read from the first line of standard error, which must be
// `listening on http://…`.
func startServer(ctx context.Context, cmd *exec.Cmd, base, path string) (*server, error) {
	s := &server{cmd: cmd, base: base, done: make(chan struct{})}
	var stderr io.ReadCloser
	var err error
	if base == "" {
		if stderr, err = cmd.StderrPipe(); err != nil {
			return nil, err
		}
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if base == "" {
		r := bufio.NewReader(stderr)
		line, err := r.ReadString('\n')
		at := strings.Index(line, "http://")
		if err != nil || at < 0 {
			rest, _ := io.ReadAll(io.LimitReader(r, 4096))
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return nil, fmt.Errorf("%s did not say where it listens: %s%s", filepath.Base(cmd.Path), line, rest)
		}
		s.base = strings.TrimRight(strings.Fields(line[at:])[0], "/")
		go func() { // the pipe must not fill up
			_, _ = io.Copy(io.Discard, r)
		}()
	}
	go func() {
		_ = cmd.Wait()
		close(s.done)
	}()
	client := &http.Client{Timeout: 5 * time.Second}
	for {
		resp, err := client.Get(s.base + path)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				s.took = time.Since(begin)
				return s, nil
			}
		}
		select {
		case <-ctx.Done():
			s.stop()
			return nil, ctx.Err()
		case <-s.done:
			return nil, fmt.Errorf("%s ended before it answered", filepath.Base(cmd.Path))
		case <-time.After(time.Millisecond):
		}
		if time.Since(begin) > 2*time.Minute {
			s.stop()
			return nil, fmt.Errorf("%s did not answer within two minutes", filepath.Base(cmd.Path))
		}
	}
}

// stop ends the server: politely, then not.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// rss is the resident memory in MB of the server and its children.
func (s *server) rss() (float64, error) {
	kb, err := treeKB(s.cmd.Process.Pid)
	return float64(kb) * 1024 / 1e6, err
}

func treeKB(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	var total int64
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			if err != nil {
				return 0, err
			}
			total += kb
		}
	}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, f := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		kb, err := treeKB(child)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		total += kb
	}
	return total, nil
}

// freePort is a port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
