// Index races Wenlan's search engine against Lucene 8.7 and SQLite FTS5, on the
// same generated records and queries. README.md beside it says what is equal on
// the sides, what is not, and how to read the table.
//
//	go run ./bench/index                          100,000 records, three runs: two or three minutes
//	go run ./bench/index -n 1000000 -runs 5       the race that counts
//	go run ./bench/index -only hostile,writer     parts: build, open, query, check, hostile, writer
//	go run ./bench/index -fresh wenlan            measure one side anew
//
// Everything is kept in the folder -dir: records, queries, built indexes, and one
// file for each cell (a side, a part, a class and a run) as soon as it is measured.
// A run that was broken off, or is started again with more runs, does only what is
// missing. Cells and indexes of Wenlan are of one state of the engine's source and
// are made anew when that changes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags of a run.
type options struct {
	n       int           // records
	runs    int           // alternating runs of each cell
	queries int           // of a class
	peers   string        // the sides, comma-separated
	dir     string        // where everything is kept
	only    string        // parts; empty: all
	classes string        // classes of queries; empty: all
	threads int           // that build
	totals  int           // hits are counted exactly up to here
	warm    time.Duration // of querying before a class is timed
	limit   time.Duration // of one timed cell: what is not asked by then is left out
	budget  time.Duration // deadline of one query of Wenlan
	fresh   string        // sides whose cells are measured anew
	rebuild string        // sides whose index is built anew
	keep    bool          // keep Wenlan's index though the source has changed
	heap    string        // of Java
	profile string        // folder for profiles of Wenlan's timed queries; empty: none
	clock   string        // wall, or cpu: of the thread that asks
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "side" {
		if err := side(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench/index:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	var o options
	flag.IntVar(&o.n, "n", 100_000, "records")
	flag.IntVar(&o.runs, "runs", 3, "alternating runs of each class")
	flag.IntVar(&o.queries, "queries", 2000, "queries of a class (SQLite gets a tenth)")
	flag.StringVar(&o.peers, "peers", "wenlan,lucene,sqlite", "the `sides` of the race")
	flag.StringVar(&o.dir, "dir", filepath.Join(cache, "wenlan-bench-index"), "`folder` in which all is kept")
	flag.StringVar(&o.only, "only", "", "`parts`: build, open, query, check, hostile, writer")
	flag.StringVar(&o.classes, "classes", "", "`classes` of queries")
	flag.IntVar(&o.threads, "threads", 2, "threads that build")
	flag.IntVar(&o.totals, "totals", 1000, "hits are counted exactly up to here, on both sides")
	flag.DurationVar(&o.warm, "warm", time.Second, "querying before a class is timed")
	flag.DurationVar(&o.limit, "limit", time.Minute, "of one timed cell; SQLite gets a sixth")
	flag.DurationVar(&o.budget, "budget", time.Second, "deadline of one query of Wenlan")
	flag.StringVar(&o.fresh, "fresh", "", "`sides` to measure anew")
	flag.StringVar(&o.rebuild, "rebuild", "", "`sides` to build anew")
	flag.BoolVar(&o.keep, "keep", false, "keep Wenlan's index though its source has changed")
	flag.StringVar(&o.profile, "profile", "", "`folder` for CPU profiles of Wenlan, one a class (with -fresh wenlan, or of new cells)")
	flag.StringVar(&o.clock, "clock", "wall", "how queries are timed: wall, or cpu, the time of the asking thread, for a machine that others use")
	flag.StringVar(&o.heap, "heap", "3g", "heap of Java")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/index:", err)
		os.Exit(1)
	}
}

// has says whether a comma-separated list names something; an empty one names all.
func has(list, name string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), name)
}

// names says whether a list names something; an empty one names nothing.
func names(list, name string) bool { return list != "" && has(list, name) }
