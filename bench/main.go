// Bench measures Wenlan beside named peers on this machine, in one run:
//
//   - intake of the same EPUBs, against calibredb;
//   - rate of the home page, a search and a record, against calibre-server, at
//     the same concurrency and from the same load generator; searches and
//     records both asked for again and again, as popular pages are, and each
//     only once, so that a server that keeps drawn pages has none to give;
//   - download of a 100 MB file, against nginx, with the same client;
//   - start time and memory with 10,000 records, against the same servers;
//   - the Go benchmarks of the register and the blob store.
//
// Runs of the peers alternate, and each figure is the median of its runs: on a
// shared machine only ratios mean something. Peers come from Debian's packages
// (calibre, nginx-light); what is missing is installed when the program runs as
// root, else it is named and its part is left out. Nothing is kept: all data is
// made in a temporary folder.
//
//	bench/run                 everything
//	bench/run -only pages     one part: intake, pages, download, start, go
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"wenlan/bench/measure"
)

// options are the flags of a run.
type options struct {
	bin         string        // the wenlan binary
	data        string        // folder of the test data
	only        string        // comma-separated parts; empty: all
	runs        int           // alternating runs of each measurement
	duration    time.Duration // of one page-rate run
	concurrency int           // connections of the load generator
	records     int           // records for start time and memory
	fileMB      int           // size of the downloaded file
	install     bool          // install missing peers when root
	keep        bool          // keep the temporary folder
}

// parts in the order in which they run.
var parts = []measure.Part[*bench]{
	{Name: "intake", Run: intake},
	{Name: "pages", Run: pages},
	{Name: "download", Run: download},
	{Name: "start", Run: start},
	{Name: "go", Run: goBenchmarks},
}

// bench is one run: the options, the temporary folder, the peers that are there.
type bench struct {
	options
	dir     string
	calibre bool
	nginx   bool

	manyTook float64 // see many
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.bin, "bin", "bin/wenlan", "the wenlan `binary`")
	flag.StringVar(&o.data, "data", testData(), "`folder` of the test data")
	flag.StringVar(&o.only, "only", "", "comma-separated `parts`: intake, pages, download, start, go")
	flag.IntVar(&o.runs, "runs", 3, "alternating runs of each measurement")
	flag.DurationVar(&o.duration, "duration", 3*time.Second, "length of one page-rate run")
	flag.IntVar(&o.concurrency, "c", 8, "connections of the load generator")
	flag.IntVar(&o.records, "records", 10_000, "records for start time and memory")
	flag.IntVar(&o.fileMB, "mb", 100, "size of the downloaded file in MB")
	flag.BoolVar(&o.install, "install", true, "install missing peers with apt-get when root")
	flag.BoolVar(&o.keep, "keep", false, "keep the temporary folder")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	bin, err := measure.Binary(o.bin)
	if err != nil {
		return err
	}
	o.bin = bin
	dir, err := os.MkdirTemp("", "wenlan-bench-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Println("working in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	b := &bench{options: o, dir: dir}
	measure.Describe()
	b.calibre = b.need("calibredb", "calibre") && b.need("calibre-server", "calibre")
	b.nginx = b.need("nginx", "nginx-light")
	return measure.RunParts(ctx, b, parts, o.only)
}

// testData is the folder of real books: WENLAN_TESTDATA, or beside the repository.
func testData() string {
	if dir := os.Getenv("WENLAN_TESTDATA"); dir != "" {
		return dir
	}
	return filepath.Join("..", "shared", "data")
}
