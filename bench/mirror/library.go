package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"wenlan/bench/index/gen"
	"wenlan/bench/measure"
)

// library is the data folder of the origin of b.files and b.large EPUBs, which may
// go on shelves. It is made once and kept.
func (b *bench) library(ctx context.Context) (string, error) {
	name := fmt.Sprintf("files-%d-%d", b.files, b.large)
	return b.kept(ctx, name, func(data string) error { return b.fill(ctx, data) })
}

// taken is the same library, made just now.
func (b *bench) taken(ctx context.Context) (string, error) {
	data := filepath.Join(b.tmp, "taken")
	if _, _, err := measure.Timed(b.wenlan(ctx, data, "init")); err != nil {
		return "", err
	}
	return data, b.fill(ctx, data)
}

// fill takes the books into a library.
func (b *bench) fill(ctx context.Context, data string) error {
	books := filepath.Join(b.tmp, "books")
	if err := os.MkdirAll(books, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(books)
	if err := writeBooks(books, 0, b.files, b.large); err != nil {
		return err
	}
	return b.add(ctx, data, books)
}

// add takes a folder of files into a library, with rights that let them on a shelf.
func (b *bench) add(ctx context.Context, data, folder string) error {
	_, _, err := measure.Timed(b.wenlan(ctx, data, "--quiet", "add", folder,
		"--basis", "public-domain", "--evidence", "https://example.org/made-for-the-benchmark"))
	return err
}

// withoutFiles is the data folder of the origin of b.records records.
func (b *bench) withoutFiles(ctx context.Context) (string, error) {
	return b.kept(ctx, fmt.Sprintf("records-%d", b.records), func(data string) error {
		v, err := gen.Load()
		if err != nil {
			return err
		}
		name := filepath.Join(b.tmp, "records.jsonl")
		defer os.Remove(name)
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := v.Simple(f, 0, b.records); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		cmd := b.wenlan(ctx, data, "--quiet", "import", "simple", name, "--source", "bench")
		cmd.Stdout = io.Discard
		return cmd.Run()
	})
}

// kept is a data folder below -dir: made whole, or not there.
func (b *bench) kept(ctx context.Context, name string, fill func(data string) error) (string, error) {
	data := filepath.Join(b.dir, name)
	if _, err := os.Stat(data); err == nil {
		return data, nil
	}
	fmt.Printf("making %s (kept) …\n", data)
	part := data + ".part"
	for _, old := range []string{part, part + "-trustee.key"} {
		if err := os.RemoveAll(old); err != nil {
			return "", err
		}
	}
	if _, _, err := measure.Timed(b.wenlan(ctx, part, "init")); err != nil {
		return "", err
	}
	if err := fill(part); err != nil {
		return "", err
	}
	if err := syncDisk(ctx, b.dir); err != nil {
		return "", err
	}
	return data, os.Rename(part, data)
}

// writeBooks writes EPUBs: n whose sizes go from 0.2 to 8 MB, small ones more often,
// and large ones of 100 MB. Book i is the same on every machine.
func writeBooks(dir string, from, n, large int) error {
	for i := from; i < from+n+large; i++ {
		r := rand.New(rand.NewPCG(uint64(i), 4))
		u := r.Float64()
		size := int64(200_000 * math.Pow(40, u*u))
		if i >= from+n {
			size = 100_000_000
		}
		book := measure.Book{ID: strconv.Itoa(i), Title: fmt.Sprintf("Volume %d of the benchmark", i), Creator: fmt.Sprintf("Author %d", i%97), Filling: size, Seed: uint32(i)}
		if err := measure.WriteEPUB(filepath.Join(dir, fmt.Sprintf("%06d.epub", i)), book); err != nil {
			return err
		}
	}
	return nil
}

// blobs lists the files of the library, and how many bytes they have.
func blobs(data string) (names []string, bytes int64, err error) {
	err = filepath.WalkDir(filepath.Join(data, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || len(d.Name()) != 64 || filepath.Base(filepath.Dir(path)) == "tmp" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		names, bytes = append(names, path), bytes+info.Size()
		return nil
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s holds no files", data)
	}
	return names, bytes, err
}

// folderBytes are those of all files below some folders.
func folderBytes(dirs ...string) (bytes int64, err error) {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				bytes += info.Size()
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return bytes, nil
}

// warm reads the files below a folder into the page cache.
func warm(dir string) error {
	return each(dir, func(f *os.File) error {
		_, err := io.Copy(io.Discard, f)
		return err
	})
}

func each(dir string, fn func(*os.File) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return fn(f)
	})
}

// copyTree copies a folder, its files by reference where the disk can.
func copyTree(ctx context.Context, from, to string) error {
	_, _, err := measure.Timed(exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", from, to))
	return err
}
