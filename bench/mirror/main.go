// Mirror measures how Wenlan copies, checks and gives away a library, beside named
// peers on this machine, in one run over loopback:
//
//   - copy: a library of 2 GB mirrored, against `rsync -a` of the same folders from
//     a daemon; both into a fresh folder and to the disk;
//   - hash: `wenlan verify` of its files, against `sha256sum`;
//   - torrent: a shelf closed, against `mktorrent` of the same files;
//   - seed: the shelf seeded to `aria2c`, as a ratio to `curl` from the same server;
//   - wire: the bytes of a mirror, of a delta, and of a poll when nothing changed;
//   - million: one million records without files, mirrored until they are found.
//
// Runs alternate and each figure is the median of its runs: on a shared machine
// only ratios mean something. Peers come from Debian's packages; what is missing is
// named and its part left out. The libraries are kept in the folder -dir, because
// making them takes minutes; everything else is made below it and deleted.
//
//	go run ./bench/mirror                     everything
//	go run ./bench/mirror -only copy,wire     some parts
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
	runs    int    // alternating runs of each measurement
	files   int    // small files of the library; a few large ones come besides
	large   int    // files of 100 MB
	records int    // of the library without files
	cold    bool   // drop the sources from the page cache before each copy
	keep    bool   // keep the folder of the run
}

// parts in the order in which they run.
var parts = []measure.Part[*bench]{
	{Name: "copy", Needs: []string{"rsync"}, Run: copies},
	{Name: "hash", Needs: []string{"sha256sum"}, Run: hashing},
	{Name: "wire", Run: wire},
	{Name: "torrent", Needs: []string{"mktorrent"}, Run: torrents},
	{Name: "seed", Needs: []string{"aria2c", "curl"}, Run: seeding},
	{Name: "million", Run: million},
}

// bench is one run.
type bench struct {
	options
	tmp string // of this run
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
	flag.StringVar(&o.dir, "dir", filepath.Join(cache, "wenlan-bench-mirror"), "`folder` in which the libraries are kept")
	flag.StringVar(&o.only, "only", "", "comma-separated `parts`: copy, hash, wire, torrent, seed, million")
	flag.IntVar(&o.runs, "runs", 3, "alternating runs of each measurement")
	flag.IntVar(&o.files, "files", 1200, "files of 0.2 to 8 MB")
	flag.IntVar(&o.large, "large", 4, "files of 100 MB")
	flag.IntVar(&o.records, "records", 1_000_000, "records of the library without files")
	flag.BoolVar(&o.cold, "cold", false, "drop what is copied from the page cache before each copy")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder of the run")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/mirror:", err)
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
