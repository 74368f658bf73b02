package main

import (
	"bufio"
	"bytes"
	"context"
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

// describe prints the machine and how busy it is, without which no figure means
// anything.
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
	load := "unknown"
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Fields(string(b))[0]
	}
	fmt.Printf("%s, %d cores, load %s, %s, %s; medians of alternating runs (least to most)\n",
		cpu, runtime.NumCPU(), load, runtime.Version(), time.Now().UTC().Format("2006-01-02"))
}

// absent is the first of some programs that is not there.
func absent(programs []string) string {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return p
		}
	}
	return ""
}

// wenlan is a command of the binary under test on a data folder.
func (b *bench) wenlan(ctx context.Context, data string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, b.bin, append([]string{"--data", data, "--ui-lang", "en"}, args...)...)
}

// cost is what a command took: seconds on the clock, and of processor time.
type cost struct{ wall, cpu float64 }

// timed runs a command to its end.
func timed(cmd *exec.Cmd) (cost, []byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := cmd.Run()
	c := cost{wall: time.Since(begin).Seconds()}
	if cmd.ProcessState != nil {
		c.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, tail(stdout.Bytes(), 3), tail(stderr.Bytes(), 5))
	}
	return c, stdout.Bytes(), err
}

// tail is the last n lines of some output.
func tail(out []byte, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(string(out), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "")
}

// server is a running program.
type server struct {
	cmd  *exec.Cmd
	base string // http://127.0.0.1:PORT
	done chan struct{}
}

// serve starts a command of Wenlan that says `listening on http://…` in its
// standard error, and waits until it answers.
func (b *bench) serve(ctx context.Context, data string, args ...string) (*server, error) {
	cmd := b.wenlan(ctx, data, args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, done: make(chan struct{})}
	r := bufio.NewReader(stderr)
	var said strings.Builder
	for s.base == "" {
		line, err := r.ReadString('\n')
		said.WriteString(line)
		if _, address, ok := strings.Cut(line, "listening on "); ok && strings.HasPrefix(address, "http://") {
			s.base = strings.TrimRight(strings.Fields(address)[0], "/")
		} else if err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return nil, fmt.Errorf("wenlan %s did not say where it listens: %s", args[0], said.String())
		}
	}
	go func() { // the pipe must not fill up
		_, _ = io.Copy(io.Discard, r)
		_ = cmd.Wait()
		close(s.done)
	}()
	if err := s.wait(ctx, "/healthz"); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// wait asks for a page until it answers 200.
func (s *server) wait(ctx context.Context, path string) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for {
		resp, err := http.Get(s.base + path)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s%s does not answer", s.base, path)
		case <-s.done:
			return fmt.Errorf("%s ended before it answered", filepath.Base(s.cmd.Path))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stop ends the server: politely, then not.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// cpu is the processor time that a process and its children that have ended took:
// fields 14 to 17 of proc_pid_stat(5), in ticks of 10 ms.
func cpu(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	var ticks float64
	for _, f := range fields[min(11, len(fields)):min(15, len(fields))] {
		n, _ := strconv.ParseFloat(f, 64)
		ticks += n
	}
	return ticks / 100
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

// syncDisk waits until a folder's file system has nothing left to write.
func syncDisk(ctx context.Context, dir string) error {
	return exec.CommandContext(ctx, "sync", "--file-system", dir).Run()
}
