package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"wenlan/bench/index/gen"
	"wenlan/bench/measure"
)

// addresses are the pages that are asked for; %d is a record or any other number. A page that
// has no place for one is asked for with it all the same, because a server keeps the pages that
// it has drawn.
var addresses = []string{"/records/%d", "/browse?n=%d", "/browse/new?before=%d", "/browse/languages?n=%d", "/browse/kinds?n=%d", "/browse/years?n=%d",
	"/browse/subjects?n=%d", "/browse/subjects?from=s&n=%d", "/browse/authors?n=%d", "/browse/authors?from=m&n=%d", "/authors?name=%s", "/authors/orcid/%s",
	"/subjects?label=%s", "/classes/ddc?n=%d", "/classes/ddc/5?n=%d", "/classes/ddc/512?n=%d", "/classes/clc?n=%d", "/classes/clc/I?n=%d"}

// pages asks the server of a large library for each page, one at a time, and prints
// the median and the 99th percentile of the time to the whole answer.
func pages(ctx context.Context, b *bench) error {
	file, err := b.file(b.pages, "linked.jsonl")
	if err != nil {
		return err
	}
	data := filepath.Join(b.dir, fmt.Sprintf("library-%d", b.pages))
	if _, err := os.Stat(data); err != nil {
		fmt.Printf("making %s (kept) …\n", data)
		part := filepath.Join(b.tmp, "pages")
		if _, err := b.take(ctx, part, "jsonl", file, b.pages); err != nil {
			return err
		}
		if err := os.Rename(part, data); err != nil {
			return err
		}
	}
	v, err := gen.Load()
	if err != nil {
		return err
	}
	serve := b.wenlan(ctx, data, "serve", "--listen", "127.0.0.1:0")
	s, err := measure.Start(ctx, serve, "", "/healthz")
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := rest(ctx, serve.Process.Pid); err != nil {
		return err
	}
	measure.Heading("Pages of a library of %d records, at the server", b.pages)
	r := rand.New(rand.NewPCG(1, 5))
	for _, address := range addresses {
		var ms []float64
		for range 200 {
			n := 1 + r.IntN(b.pages)
			path := ""
			switch {
			case strings.HasPrefix(address, "/authors/orcid"):
				path = fmt.Sprintf(address, gen.ORCID(n%gen.People))
			case strings.HasPrefix(address, "/authors?"):
				path = fmt.Sprintf(address, url.QueryEscape(v.Author(n)))
			case strings.HasPrefix(address, "/subjects"):
				path = fmt.Sprintf(address, url.QueryEscape(v.Subject(n)))
			default:
				path = fmt.Sprintf(address, n)
			}
			begin := time.Now()
			status, err := get(ctx, s.Base+path)
			if err != nil {
				return err
			}
			if status != http.StatusOK {
				return fmt.Errorf("%s: status %d", path, status)
			}
			ms = append(ms, float64(time.Since(begin).Microseconds())/1000)
		}
		slices.Sort(ms)
		measure.Row(address, "ms", true, measure.Goal{Limit: 20}, measure.Side{Name: "wenlan", Runs: ms[:len(ms)*99/100]})
	}
	return nil
}

// get reads an answer to its end.
func get(ctx context.Context, address string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// rest waits until a process has used less than a tenth of a processor for three seconds:
// what an import left to be merged is merged then.
func rest(ctx context.Context, pid int) error {
	for idle := 0; idle < 3; {
		before := ticks(pid)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		if idle++; ticks(pid)-before > 10 {
			idle = 0
		}
	}
	return nil
}

// ticks is the processor time of a process in hundredths of a second (utime and stime of proc_pid_stat(5)).
func ticks(pid int) (n int64) {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(raw), ") ") // what comes before may hold spaces
	if fields := strings.Fields(rest); len(fields) > 12 {
		for _, f := range fields[11:13] {
			t, _ := strconv.ParseInt(f, 10, 64)
			n += t
		}
	}
	return n
}
