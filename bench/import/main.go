// Import measures how fast records go into a library in bulk, and how large it grows:
//
//   - json: a million records from JSON lines into register, catalogue and index, until
//     a search finds the last; memory, and bytes of the catalogue;
//   - marc: the same records in MARC 21, beside `zebraidx` of Debian's idzebra-2.0;
//   - ten: ten times as many from JSON lines, as a ratio of the times;
//   - pages: half as many as in ten, and how long the server takes over a page.
//
// Records are made by bench/index/gen, the same on every machine, and kept in -dir
// with the library of pages. Runs alternate, and each figure is the median of its runs.
//
//	go run ./bench/import                     everything
//	go run ./bench/import -only json,marc     some parts
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"wenlan/bench/measure"
)

// options are the flags of a run.
type options struct {
	bin     string // the wenlan binary
	dir     string // what is kept, and what is made
	only    string // comma-separated parts; empty: all
	runs    int    // alternating runs of json and marc; ten and pages run once
	records int    // of json and marc
	ten     int    // of ten
	pages   int    // of pages
	keep    bool   // keep the folder of the run
}

// parts in the order in which they run.
var parts = []measure.Part[*bench]{
	{Name: "json", Run: fromJSON},
	{Name: "marc", Run: fromMARC},
	{Name: "ten", Run: tenTimes},
	{Name: "pages", Run: pages},
}

// bench is one run.
type bench struct {
	options
	tmp  string    // of this run
	json []float64 // seconds for records of JSON lines
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	var o options
	flag.StringVar(&o.bin, "bin", "bin/wenlan", "the wenlan `binary`")
	flag.StringVar(&o.dir, "dir", filepath.Join(cache, "wenlan-bench-import"), "`folder` in which records are kept")
	flag.StringVar(&o.only, "only", "", "comma-separated `parts`: json, marc, ten, pages")
	flag.IntVar(&o.runs, "runs", 3, "alternating runs")
	flag.IntVar(&o.records, "records", 1_000_000, "records of json and marc")
	flag.IntVar(&o.ten, "ten", 10_000_000, "records of ten")
	flag.IntVar(&o.pages, "pages", 5_000_000, "records of pages")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder of the run")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/import:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	var err error
	if o.bin, err = measure.Binary(o.bin); err != nil {
		return err
	}
	b := &bench{options: o}
	var done func()
	if b.dir, b.tmp, done, err = measure.Folder(o.dir, o.keep); err != nil {
		return err
	}
	defer done()
	measure.Describe()
	return measure.RunParts(ctx, b, parts, o.only)
}
