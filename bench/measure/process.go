package measure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Cost is what a command took: seconds on the clock, and of processor time.
type Cost struct{ Wall, CPU float64 }

// Timed runs a command to its end, and gives what it took and its standard output.
func Timed(cmd *exec.Cmd) (Cost, []byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := cmd.Run()
	c := Cost{Wall: time.Since(begin).Seconds()}
	if cmd.ProcessState != nil {
		c.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, Tail(stdout.Bytes(), 3), Tail(stderr.Bytes(), 5))
	}
	return c, stdout.Bytes(), err
}

// Server is a running program that answers on the network.
type Server struct {
	Base string        // http://127.0.0.1:PORT, or what Start was given
	Took time.Duration // from its start to its first answer
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a command and waits until base+path answers 200, or, where base is of
// another scheme than http, until its host takes a connection. An empty base is read
// from the command's standard error, where it must say `listening on http://…`.
func Start(ctx context.Context, cmd *exec.Cmd, base, path string) (*Server, error) {
	s := &Server{Base: base, cmd: cmd, done: make(chan struct{})}
	var stderr io.ReadCloser
	if base == "" {
		var err error
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
		var said strings.Builder
		for s.Base == "" {
			line, err := r.ReadString('\n')
			said.WriteString(line)
			if _, address, ok := strings.Cut(line, "listening on "); ok && strings.HasPrefix(address, "http://") {
				s.Base = strings.TrimRight(strings.Fields(address)[0], "/")
			} else if err != nil {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				return nil, fmt.Errorf("%s did not say where it listens: %s", filepath.Base(cmd.Path), said.String())
			}
		}
		go func() { // the pipe must not fill up
			_, _ = io.Copy(io.Discard, r)
		}()
	}
	go func() {
		_ = cmd.Wait()
		close(s.done)
	}()
	if err := s.wait(ctx, path); err != nil {
		s.Stop()
		return nil, err
	}
	s.Took = time.Since(begin)
	return s, nil
}

// wait asks a server that was just started until it answers.
func (s *Server) wait(ctx context.Context, path string) error {
	u, err := url.Parse(s.Base)
	if err != nil {
		return err
	}
	name := filepath.Base(s.cmd.Path)
	client := &http.Client{Timeout: 5 * time.Second}
	for begin := time.Now(); ; {
		if u.Scheme == "http" {
			if resp, err := client.Get(s.Base + path); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					return nil
				}
			}
		} else if c, err := net.Dial("tcp", u.Host); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return fmt.Errorf("%s ended before it answered", name)
		case <-time.After(time.Millisecond):
		}
		if time.Since(begin) > 2*time.Minute {
			return fmt.Errorf("%s did not answer within two minutes", name)
		}
	}
}

// Stop ends the server: politely, then not.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// CPU is the processor time in seconds that the server took so far, and its children
// that have ended: fields 14 to 17 of proc_pid_stat(5), in ticks of 10 ms. It is 0
// where there is no /proc.
func (s *Server) CPU() float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
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

// Memory is what the server and its children have resident, in MB.
func (s *Server) Memory() (float64, error) {
	kb, err := treeKB(s.cmd.Process.Pid)
	return float64(kb) * 1024 / 1e6, err
}

// PeakMemory is the most that the server, without its children, had resident, in MB:
// mapped files are included. It is 0 where there is no /proc.
func (s *Server) PeakMemory() float64 {
	kb, err := statusKB(s.cmd.Process.Pid, "VmHWM:")
	if err != nil {
		return 0
	}
	return float64(kb) * 1024 / 1e6
}

func treeKB(pid int) (int64, error) {
	total, err := statusKB(pid, "VmRSS:")
	if err != nil {
		return 0, err
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

// statusKB is a size of proc_pid_status(5); 0 if the process has none, as one that
// has ended.
func statusKB(pid int, field string) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, field); ok {
			return strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
		}
	}
	return 0, nil
}

// FreePort is a port that was free a moment ago.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
