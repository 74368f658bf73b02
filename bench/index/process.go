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

// answer runs a side's process, which prints one JSON object, and gives the peak of
// its anonymous memory in bytes, sampled every 20 ms: mapped files are not counted.
func answer(ctx context.Context, v any, name string, args ...string) (int64, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err := cmd.Start(); err != nil {
		return 0, err
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
	most := <-peak
	if err != nil {
		return most, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bad.Bytes()[max(0, bad.Len()-2000):])
	}
	if err := json.Unmarshal(out.Bytes(), v); err != nil {
		return most, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return most, nil
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
