package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"wenlan/bench/measure"
)

// books copies the EPUBs of the test data into the temporary folder, once.
func (b *bench) books() (folder string, n int, err error) {
	folder = filepath.Join(b.dir, "books")
	n, err = copyBooks(filepath.Join(b.data, "books"), folder)
	return folder, n, err
}

// calibreBooks is a calibre library of the books: one that intake made, or new.
func (b *bench) calibreBooks(ctx context.Context, folder string) (string, error) {
	library := filepath.Join(b.dir, "intake-calibre-0")
	if _, err := os.Stat(filepath.Join(library, "metadata.db")); err == nil {
		return library, nil
	}
	_, err := b.fillCalibre(ctx, library, folder)
	return library, err
}

// intake takes the same EPUBs into fresh libraries in turn.
func intake(ctx context.Context, b *bench) error {
	folder, n, err := b.books()
	if err != nil {
		return err
	}
	measure.Heading("Intake of %d EPUBs into an empty library, one command each", n)
	ours, theirs := measure.Side{Name: "wenlan add"}, measure.Side{Name: "calibredb add"}
	for i := range b.runs {
		took, err := b.fill(ctx, filepath.Join(b.dir, fmt.Sprintf("intake-%d", i)), folder)
		if err != nil {
			return err
		}
		ours.Runs = append(ours.Runs, took)
		if !b.calibre {
			continue
		}
		if took, err = b.fillCalibre(ctx, filepath.Join(b.dir, fmt.Sprintf("intake-calibre-%d", i)), folder); err != nil {
			return err
		}
		theirs.Runs = append(theirs.Runs, took)
	}
	measure.Row("time", "s", true, measure.Goal{Ratio: 10}, ours, theirs)
	return nil
}

// many is a Wenlan library of many small books, made once, and the seconds that
// took.
func (b *bench) many(ctx context.Context) (data, folder string, took float64, err error) {
	folder, data = filepath.Join(b.dir, "many"), filepath.Join(b.dir, "many-library")
	if b.manyTook > 0 {
		return data, folder, b.manyTook, nil
	}
	if err := writeMany(folder, b.records); err != nil {
		return "", "", 0, err
	}
	b.manyTook, err = b.fill(ctx, data, folder)
	return data, folder, b.manyTook, err
}

// searches are asked in turn.
var searches = []string{"love", "the time machine", "红楼梦", "紅樓夢", "darwin", "house", "李白", "austen", "history", "詩"}

// warmUp is how long each side is asked before it is measured.
const warmUp = 500 * time.Millisecond

// pages measures pages a second over the same books.
func pages(ctx context.Context, b *bench) error {
	folder, n, err := b.books()
	if err != nil {
		return err
	}
	measure.Heading("Pages over %d books, %d connections, %s a run", n, b.concurrency, b.duration)
	data := filepath.Join(b.dir, "pages")
	if _, err := b.fill(ctx, data, folder); err != nil {
		return err
	}
	ours, err := b.serveWenlan(ctx, data)
	if err != nil {
		return err
	}
	defer ours.Stop()
	records, err := b.recordPaths(ctx, data)
	if err != nil {
		return err
	}
	var theirs *measure.Server
	if b.calibre {
		library, err := b.calibreBooks(ctx, folder)
		if err != nil {
			return err
		}
		if theirs, err = b.serveCalibre(ctx, library); err != nil {
			return err
		}
		defer theirs.Stop()
	}
	manyData, _, _, err := b.many(ctx)
	if err != nil {
		return err
	}
	big, err := b.serveWenlan(ctx, manyData)
	if err != nil {
		return err
	}
	defer big.Stop()
	manyRecords, err := b.recordPaths(ctx, manyData)
	if err != nil {
		return err
	}
	var searchOurs, searchTheirs, booksTheirs []string
	for _, q := range searches {
		searchOurs = append(searchOurs, "/search?q="+url.QueryEscape(q))
		searchTheirs = append(searchTheirs, calibreList+"&search="+url.QueryEscape(q))
	}
	for i := range min(len(records), n) {
		booksTheirs = append(booksTheirs, fmt.Sprintf("/ajax/book/%d", i+1))
	}
	var fresh []string // the same searches, no two alike: in a range of years that holds all
	for from := range 300 {
		for to := range 100 {
			for _, q := range searchOurs {
				fresh = append(fresh, fmt.Sprintf("%s&year=%d-%d", q, from+1, to+2100))
			}
		}
	}
	runs := max(b.runs, 5)
	kinds := []struct {
		name, peer   string
		server       *measure.Server
		ours, theirs []string
		once         bool // no page of ours is asked for twice, so that none is kept
	}{
		{"home", "calibre list", ours, []string{"/"}, []string{calibreList}, false},
		{"search, ten words", "calibre search", ours, searchOurs, searchTheirs, false},
		{"search, each new", "calibre search", ours, fresh, searchTheirs, true},
		{"record, of the books", "calibre record (JSON)", ours, records, booksTheirs, false},
		{"record, each new", "calibre record (JSON)", big, manyRecords, booksTheirs, true},
	}
	var lists measure.Side
	for _, k := range kinds {
		a, c, p99 := measure.Side{Name: "wenlan"}, measure.Side{Name: k.peer}, measure.Side{Name: "wenlan"}
		if !k.once {
			if _, err := load(ctx, k.server.Base, k.ours, false, b.concurrency, warmUp); err != nil {
				return fmt.Errorf("wenlan %s: %w", k.name, err)
			}
		}
		if theirs != nil {
			if _, err := load(ctx, theirs.Base, k.theirs, false, b.concurrency, warmUp); err != nil {
				return fmt.Errorf("calibre-server %s: %w", k.name, err)
			}
		}
		for i := range runs {
			paths := k.ours
			if k.once {
				paths = paths[i*len(paths)/runs : (i+1)*len(paths)/runs]
			}
			h, err := load(ctx, k.server.Base, paths, k.once, b.concurrency, b.duration)
			if err != nil {
				return fmt.Errorf("wenlan %s: %w", k.name, err)
			}
			a.Runs = append(a.Runs, h.rate)
			p99.Runs = append(p99.Runs, h.p99.Seconds()*1000)
			if theirs == nil {
				continue
			}
			if h, err = load(ctx, theirs.Base, k.theirs, false, b.concurrency, b.duration); err != nil {
				return fmt.Errorf("calibre-server %s: %w", k.name, err)
			}
			c.Runs = append(c.Runs, h.rate)
		}
		if k.name == "home" {
			lists = c
			measure.Row(k.name, "/s", false, measure.Goal{Ratio: 10}, a, c)
		} else {
			measure.Row(k.name, "/s", false, measure.Goal{}, a, c)
			measure.Row("  against its list", "/s", false, measure.Goal{Ratio: 10}, a, lists)
		}
		measure.Row("  p99", "ms", true, measure.Goal{}, p99)
	}
	return nil
}

// download fetches one big file with the same client.
func download(ctx context.Context, b *bench) error {
	measure.Heading("Download of a %d MB file over loopback, same client", b.fileMB)
	folder := filepath.Join(b.dir, "big")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := measure.WriteEPUB(filepath.Join(folder, "big.epub"), measure.Book{
		ID: "big", Title: "A Big Book", Creator: "Nobody", Filling: int64(b.fileMB) * 1_000_000, Seed: 1}); err != nil {
		return err
	}
	data := filepath.Join(b.dir, "download")
	took, err := b.fill(ctx, data, folder)
	if err != nil {
		return err
	}
	measure.Row("taking it in", "s", true, measure.Goal{}, measure.Side{Name: "wenlan", Runs: []float64{took}})
	ours, err := b.serveWenlan(ctx, data)
	if err != nil {
		return err
	}
	defer ours.Stop()
	records, err := b.recordPaths(ctx, data)
	if err != nil {
		return err
	}
	path, err := b.filePath(ctx, data, records[0])
	if err != nil {
		return err
	}
	var theirs *measure.Server
	if b.nginx {
		if theirs, err = b.serveNginx(ctx, folder, "/big.epub"); err != nil {
			return err
		}
		defer theirs.Stop()
	}
	for _, connections := range []int{1, 4} {
		a, c := measure.Side{Name: "wenlan"}, measure.Side{Name: "nginx"}
		for range max(b.runs, 5) {
			h, err := load(ctx, ours.Base, []string{path}, false, connections, b.duration/2)
			if err != nil {
				return fmt.Errorf("wenlan: %w", err)
			}
			a.Runs = append(a.Runs, h.mbRate)
			if theirs == nil {
				continue
			}
			if h, err = load(ctx, theirs.Base, []string{"/big.epub"}, false, connections, b.duration/2); err != nil {
				return fmt.Errorf("nginx: %w", err)
			}
			c.Runs = append(c.Runs, h.mbRate)
		}
		var goal measure.Goal
		if connections == 1 {
			goal.Ratio = 0.9
		}
		measure.Row(fmt.Sprintf("%d at once", connections), "MB/s", false, goal, a, c)
	}
	return nil
}

// start measures the time from the command to the first page, and memory.
func start(ctx context.Context, b *bench) error {
	measure.Heading("Start and memory with %d records", b.records)
	data, folder, took, err := b.many(ctx)
	if err != nil {
		return err
	}
	measure.Row("intake of small EPUBs", "/s", false, measure.Goal{}, measure.Side{Name: "wenlan", Runs: []float64{float64(b.records) / took}})
	contestants := []struct {
		name  string
		page  string
		start func() (*measure.Server, error)
	}{
		{"wenlan", "/", func() (*measure.Server, error) { return b.serveWenlan(ctx, data) }},
	}
	if b.calibre {
		library := filepath.Join(b.dir, "start-calibre")
		if err := b.calibreRecords(ctx, library, b.records); err != nil {
			return err
		}
		contestants = append(contestants, struct {
			name  string
			page  string
			start func() (*measure.Server, error)
		}{"calibre-server", calibreList, func() (*measure.Server, error) { return b.serveCalibre(ctx, library) }})
	}
	if b.nginx {
		contestants = append(contestants, struct {
			name  string
			page  string
			start func() (*measure.Server, error)
		}{"nginx", "/000/000000.epub", func() (*measure.Server, error) { return b.serveNginx(ctx, folder, "/000/000000.epub") }})
	}
	starts, idle, busy := make([]measure.Side, len(contestants)), make([]measure.Side, len(contestants)), make([]measure.Side, len(contestants))
	for range max(b.runs, 5) {
		for i, c := range contestants {
			starts[i].Name, idle[i].Name, busy[i].Name = c.name, c.name, c.name
			s, err := c.start()
			if err != nil {
				return err
			}
			err = func() error {
				defer s.Stop()
				starts[i].Runs = append(starts[i].Runs, s.Took.Seconds()*1000)
				time.Sleep(500 * time.Millisecond)
				mb, err := s.Memory()
				if err != nil {
					return err
				}
				idle[i].Runs = append(idle[i].Runs, mb)
				if _, err := load(ctx, s.Base, []string{c.page}, false, b.concurrency, b.duration/4); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				mb, err = s.Memory()
				busy[i].Runs = append(busy[i].Runs, mb)
				return err
			}()
			if err != nil {
				return err
			}
		}
	}
	measure.Row("start to the first page", "ms", true, measure.Goal{Limit: 300}, starts...)
	measure.Row("memory, idle", "MB", true, measure.Goal{Limit: 60}, idle...)
	measure.Row("memory, after load", "MB", true, measure.Goal{}, busy...)
	return nil
}

// goBenchmarks runs the Go benchmarks of the two stores.
func goBenchmarks(ctx context.Context, b *bench) error {
	measure.Heading("Go benchmarks of the register and the blobs")
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchmem", "./internal/register", "./internal/blob")
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Benchmark") || strings.HasPrefix(line, "pkg:") {
			fmt.Print("  ", line)
		}
	}
	if err != nil {
		return fmt.Errorf("go test -bench: %w\n%s", err, measure.Tail(bytes.TrimSpace(out), 5))
	}
	return nil
}
