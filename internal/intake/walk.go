package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wenlan/internal/errs"
)

// item is what becomes one record: a file, or the files of one book in a
// Calibre library, with what describes them.
type item struct {
	files   []found
	sidecar string // path of NAME.opf, NAME.json or metadata.opf; "" without one
	cover   string // path of a Calibre book's cover; "" without one
	err     error  // the path itself cannot be taken: no files then but one input
}

type found struct {
	input string // as reported
	path  string // as opened
}

// counter counts what the finder finds while others work.
type counter struct {
	mu      sync.Mutex
	total   int
	final   bool
	skipped int
	done    int // the collector's own
}

func (c *counter) found() (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total, c.final
}

var extensions = []string{".epub", ".pdf", ".txt", ".text", ".md", ".markdown", ".html", ".htm", ".xhtml", ".cbz"}

// walk finds the books under the paths, in a stable order. Files named outright
// are always offered; in folders only those in a form that intake reads, hidden
// ones and sidecars left out. Symbolic links to folders are not followed.
func walk(ctx context.Context, paths []string, count *counter, yield func(item) error) error {
	defer func() {
		count.mu.Lock()
		count.final = true
		count.mu.Unlock()
	}()
	give := func(it item) error {
		count.mu.Lock()
		count.total += max(1, len(it.files))
		count.mu.Unlock()
		return yield(it)
	}
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := os.Stat(p)
		switch {
		case err != nil:
			if errors.Is(err, fs.ErrNotExist) {
				err = errs.New(errs.NotFound, "there is no such file or folder")
			}
			err = give(item{files: []found{{input: p}}, err: err})
		case info.IsDir():
			err = walkFolder(ctx, p, count, give)
		default:
			it := item{files: []found{{p, p}}, sidecar: sidecarOf(p)}
			if !info.Mode().IsRegular() {
				it.err = errs.New(errs.Refused, "it is not a regular file")
			}
			err = give(it)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func walkFolder(ctx context.Context, dir string, count *counter, give func(item) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return give(item{files: []found{{input: dir}}, err: err})
	}
	var books []found
	var folders []string
	calibre := false
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := os.Stat(p)
		if err != nil {
			if err := give(item{files: []found{{input: p}}, err: err}); err != nil {
				return err
			}
			continue
		}
		switch {
		case info.IsDir():
			if e.Type()&fs.ModeSymlink == 0 {
				folders = append(folders, p)
			}
		case !info.Mode().IsRegular():
		case e.Name() == "metadata.opf":
			calibre = true
		case isBook(p):
			books = append(books, found{p, p})
		case !companion(p, entries):
			count.mu.Lock()
			count.skipped++
			count.mu.Unlock()
		}
	}
	if calibre && len(books) > 0 {
		it := item{files: books, sidecar: filepath.Join(dir, "metadata.opf")}
		for _, name := range []string{"cover.jpg", "cover.jpeg", "cover.png"} {
			if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name }) {
				it.cover = filepath.Join(dir, name)
				break
			}
		}
		if err := give(it); err != nil {
			return err
		}
	} else {
		for _, b := range books {
			if err := give(item{files: []found{b}, sidecar: sidecarOf(b.path)}); err != nil {
				return err
			}
		}
	}
	for _, f := range folders {
		if err := walkFolder(ctx, f, count, give); err != nil {
			return err
		}
	}
	return nil
}

// isBook goes by the name, and where that says nothing by the first bytes.
func isBook(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	if slices.Contains(extensions, ext) {
		return true
	}
	if ext != "" && len(ext) <= 5 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := io.ReadFull(f, head)
	head = head[:n]
	return bytes.HasPrefix(head, []byte("%PDF-")) || (bytes.HasPrefix(head, []byte("PK\x03\x04")) && bytes.Contains(head, []byte("mimetypeapplication/epub+zip")))
}

// companion says whether a file only serves others: a sidecar of a book, or a
// part of a Calibre library.
func companion(path string, entries []fs.DirEntry) bool {
	name := filepath.Base(path)
	switch name {
	case "metadata.db", "metadata_db_prefs_backup.json", "cover.jpg", "cover.jpeg", "cover.png":
		return true
	}
	ext := strings.ToLower(filepath.Ext(name))
	if ext != ".opf" && ext != ".json" {
		return false
	}
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		other := filepath.Ext(e.Name())
		return e.Name() != name && (strings.TrimSuffix(e.Name(), other) == stem || e.Name() == stem)
	})
}

// sidecarOf finds NAME.opf or NAME.json beside a file, NAME with or without the
// file's own extension.
func sidecarOf(path string) string {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	for _, p := range []string{stem + ".opf", stem + ".json", path + ".opf", path + ".json"} {
		if p == path {
			continue
		}
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			return p
		}
	}
	return ""
}
