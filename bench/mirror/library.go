package main

import (
	"archive/zip"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"

	"wenlan/bench/index/gen"
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
	if _, _, err := timed(b.wenlan(ctx, data, "init")); err != nil {
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
	_, _, err := timed(b.wenlan(ctx, data, "--quiet", "add", folder,
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
	if _, _, err := timed(b.wenlan(ctx, part, "init")); err != nil {
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
		if err := writeEPUB(filepath.Join(dir, fmt.Sprintf("%06d.epub", i)), i, size); err != nil {
			return err
		}
	}
	return nil
}

// writeEPUB writes a small EPUB 3 with so many bytes of filling that nothing
// compresses, as pictures do not.
func writeEPUB(path string, i int, filling int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z := zip.NewWriter(f)
	add := func(name, text string) {
		if err != nil {
			return
		}
		var w io.Writer
		// EPUB 3.3, section 4.2.2: mimetype comes first, stored, without a data
		// descriptor.
		w, err = z.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte(text)),
			CompressedSize64: uint64(len(text)), UncompressedSize64: uint64(len(text))})
		if err == nil {
			_, err = io.WriteString(w, text)
		}
	}
	title := fmt.Sprintf("Volume %d of the benchmark", i)
	add("mimetype", "application/epub+zip")
	add("META-INF/container.xml", `<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`)
	add("content.opf", fmt.Sprintf(`<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">urn:bench:%d</dc:identifier><dc:title>%s</dc:title><dc:creator>Author %d</dc:creator><dc:language>en</dc:language><dc:date>1900</dc:date><meta property="dcterms:modified">2020-01-01T00:00:00Z</meta></metadata><manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/><item id="f" href="filling.bin" media-type="application/octet-stream"/></manifest><spine><itemref idref="c"/></spine></package>`, i, title, i%97))
	add("nav.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Contents</title></head><body><nav epub:type="toc"><ol><li><a href="c.xhtml">Text</a></li></ol></nav></body></html>`)
	add("c.xhtml", fmt.Sprintf(`<html xmlns="http://www.w3.org/1999/xhtml"><head><title>%s</title></head><body><h1>%s</h1><p>This book is short.</p></body></html>`, title, title))
	if err != nil {
		return err
	}
	w, err := z.CreateHeader(&zip.FileHeader{Name: "filling.bin", Method: zip.Store})
	if err != nil {
		return err
	}
	if _, err := io.CopyN(w, rand.NewChaCha8([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}), filling); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close()
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
	_, _, err := timed(exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", from, to))
	return err
}
