package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wenlan/bench/index/gen"
	"wenlan/bench/measure"
)

// file is the file of the first n records, made once and kept: as JSON lines (jsonl), as
// MARC (mrc), or in our own form with what links records (linked.jsonl).
func (b *bench) file(n int, form string) (string, error) {
	v, err := gen.Load()
	if err != nil {
		return "", err
	}
	made := ""
	if v.Made {
		made = "-made" // without the word lists: figures do not compare
	}
	name := filepath.Join(b.dir, fmt.Sprintf("records-%d%s.%s", n, made, form))
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	fmt.Printf("making %s (kept) …\n", name)
	f, err := os.Create(name + ".part")
	if err != nil {
		return "", err
	}
	defer f.Close()
	write := v.Simple
	switch form {
	case "mrc":
		write = v.MARC
	case "linked.jsonl":
		write = v.Linked
	}
	if err := write(f, 0, n); err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return name, os.Rename(name+".part", name)
}

// wenlan is a command of the binary under test on a data folder.
func (b *bench) wenlan(ctx context.Context, data string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, b.bin, append([]string{"--data", data, "--ui-lang", "en"}, args...)...)
}

// taken is what an import took.
type taken struct {
	measure.Cost
	anon float64 // MB, the most
	data string  // the library
}

// take makes a library of the records in a file, which has n. The time ends when a
// search has found the last one.
func (b *bench) take(ctx context.Context, data, format, file string, n int) (taken, error) {
	t := taken{data: data}
	if _, _, err := measure.Timed(b.wenlan(ctx, data, "init")); err != nil {
		return t, err
	}
	begin := time.Now()
	cmd := b.wenlan(ctx, data, "--quiet", "import", format, file, "--source", "bench")
	anon, err := peak(cmd)
	if err != nil {
		return t, err
	}
	t.anon, t.CPU = anon, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	v, err := gen.Load()
	if err != nil {
		return t, err
	}
	last := strings.Split(string(v.Append(nil, n-1)), "\t")[gen.Identifier]
	_, out, err := measure.Timed(b.wenlan(ctx, data, "--json", "search", last))
	if err != nil {
		return t, err
	}
	t.Wall = time.Since(begin).Seconds()
	var hit struct {
		Record int64 `json:"record"`
	}
	if line, _, _ := bytes.Cut(out, []byte("\n")); json.Unmarshal(line, &hit) != nil || hit.Record != int64(n) {
		return t, fmt.Errorf("a search for the last record, %s, answers %s", last, measure.Tail(out, 1))
	}
	return t, nil
}

// peak runs a command to its end, and gives the most anonymous memory that it had,
// in MB: mapped files are not counted (RssAnon of proc_pid_status(5)).
func peak(cmd *exec.Cmd) (float64, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		var kb int64
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-tick.C:
				kb = max(kb, anonKB(cmd.Process.Pid))
			case <-stop:
				tick.Stop()
				most <- kb
				return
			}
		}
	}()
	err := cmd.Wait()
	close(stop)
	mb := float64(<-most) * 1024 / 1e6
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, measure.Tail(stderr.Bytes(), 5))
	}
	return mb, err
}

func anonKB(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0 // it has ended
	}
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return kb
		}
	}
	return 0
}

// bytesOf are those of the files below a folder for whose names is says yes.
func bytesOf(dir string, is func(name string) bool) (bytes float64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !is(d.Name()) {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += float64(info.Size())
		}
		return err
	})
	return bytes, err
}

// remove removes a library and the trustee's key beside it.
func remove(data string) error {
	for _, path := range []string{data, data + "-trustee.key"} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// sizes prints how many bytes of each part of a library there are to a record.
func (b *bench) sizes(data string, n int) error {
	isRun := func(name string) bool { return strings.HasSuffix(name, ".run") }
	views := filepath.Join(data, "views")
	for _, part := range []struct {
		what, dir string
		is        func(string) bool
		limit     float64
	}{
		{"catalogue: keys", filepath.Join(views, "catalog"), isRun, 0},
		{"catalogue: the rest", filepath.Join(views, "catalog"), func(name string) bool { return !isRun(name) }, 100},
		{"index", filepath.Join(views, "index"), func(string) bool { return true }, 0},
		{"register", filepath.Join(data, "register"), func(string) bool { return true }, 0},
	} {
		bytes, err := bytesOf(part.dir, part.is)
		if err != nil {
			return err
		}
		measure.Row(part.what, "bytes a record", true, measure.Goal{Limit: part.limit}, measure.Side{Name: "wenlan", Runs: []float64{bytes / float64(n)}})
	}
	return nil
}

// fromJSON takes in the records from JSON lines.
func fromJSON(ctx context.Context, b *bench) error {
	file, err := b.file(b.records, "jsonl")
	if err != nil {
		return err
	}
	measure.Heading("%d records from JSON lines into register, catalogue and index, until a search finds the last", b.records)
	var rate, cpu, memory []float64
	for run := range b.runs {
		data := filepath.Join(b.tmp, "json")
		t, err := b.take(ctx, data, "simple", file, b.records)
		if err != nil {
			return err
		}
		b.json = append(b.json, t.Wall)
		rate, cpu, memory = append(rate, float64(b.records)/t.Wall), append(cpu, t.CPU/float64(b.records)*1e6), append(memory, t.anon)
		if run == b.runs-1 {
			if err := b.sizes(data, b.records); err != nil {
				return err
			}
		}
		if err := remove(data); err != nil {
			return err
		}
	}
	measure.Row("records a second", "/s", false, measure.Goal{Limit: 15_000}, measure.Side{Name: "wenlan", Runs: rate})
	measure.Row("processor time", "µs a record", true, measure.Goal{}, measure.Side{Name: "wenlan", Runs: cpu})
	measure.Row("most anonymous memory", "MB", true, measure.Goal{Limit: 1610}, measure.Side{Name: "wenlan", Runs: memory})
	return nil
}

// tenTimes takes in ten times as many, and compares the times.
func tenTimes(ctx context.Context, b *bench) error {
	if len(b.json) == 0 {
		return fmt.Errorf("ten needs json in the same run")
	}
	file, err := b.file(b.ten, "jsonl")
	if err != nil {
		return err
	}
	measure.Heading("%d records from JSON lines", b.ten)
	data := filepath.Join(b.tmp, "ten")
	t, err := b.take(ctx, data, "simple", file, b.ten)
	if err != nil {
		return err
	}
	defer remove(data)
	more := float64(b.ten) / float64(b.records)
	measure.Row("time", "s", true, measure.Goal{}, measure.Side{Name: "wenlan", Runs: []float64{t.Wall}})
	measure.Row("as a multiple", "times", true, measure.Goal{Limit: 1.1 * more}, measure.Side{Name: "wenlan", Runs: []float64{t.Wall / measure.Median(b.json)}})
	measure.Row("most anonymous memory", "MB", true, measure.Goal{Limit: 1610}, measure.Side{Name: "wenlan", Runs: []float64{t.anon}})
	return b.sizes(data, b.ten)
}
