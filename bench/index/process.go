package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// used is what a process took.
type used struct {
	Anon int64   `json:"anon"` // peak of anonymous memory in bytes, sampled every 20 ms: mapped files are not counted
	CPU  float64 `json:"cpu"`  // seconds of all threads, from start to end
}

// answer runs a side's process, which prints one JSON object.
func answer(ctx context.Context, v any, name string, args ...string) (used, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err := cmd.Start(); err != nil {
		return used{}, err
	}
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-tick.C:
				most = max(most, anon(cmd.Process.Pid))
			case <-stop:
				tick.Stop()
				peak <- most
				return
			}
		}
	}()
	err := cmd.Wait()
	close(stop)
	u := used{Anon: <-peak}
	if s := cmd.ProcessState; s != nil {
		u.CPU = (s.UserTime() + s.SystemTime()).Seconds()
	}
	if err != nil {
		return u, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bad.Bytes()[max(0, bad.Len()-2000):])
	}
	if err := json.Unmarshal(out.Bytes(), v); err != nil {
		return u, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return u, nil
}

// anon is the anonymous memory of a process, in bytes; 0 where /proc has none.
func anon(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}
