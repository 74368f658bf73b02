package main

import (
	"archive/zip"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// copyBooks copies every EPUB of the test data into one folder, so that both
// sides take in the same files and nothing else.
func copyBooks(from, to string) (int, error) {
	n := 0
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".epub" {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			return err
		}
		n++
		return os.WriteFile(dst, data, 0o644)
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("no EPUB under %s (set WENLAN_TESTDATA)", from)
	}
	return n, err
}

// words make titles and names that differ.
var words = strings.Fields(`amber bridge cloud dawn ember field garden harbour island
	journey kingdom lantern mountain night orchard pine quiet river summer temple
	upland valley winter 春 夏 秋 冬 江 河 山 水 花 月 風 雪 書 詩 史`)

// writeMany writes n small EPUBs, each a book of its own.
func writeMany(dir string, n int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func() string { return words[rng.IntN(len(words))] }
	for i := range n {
		title := fmt.Sprintf("%s %s %s %d", pick(), pick(), pick(), i)
		creator := fmt.Sprintf("%s %s", pick(), pick())
		folder := filepath.Join(dir, fmt.Sprintf("%03d", i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
		}
		if err := writeEPUB(filepath.Join(folder, fmt.Sprintf("%06d.epub", i)), title, creator, 0); err != nil {
			return err
		}
	}
	return nil
}

// writeEPUB writes a small EPUB 3, with so many bytes of incompressible filling.
func writeEPUB(path, title, creator string, filling int64) error {
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
		// EPUB 3.3, section 4.2.2: mimetype comes first, stored, without a
		// data descriptor.
		w, err = z.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte(text)),
			CompressedSize64: uint64(len(text)), UncompressedSize64: uint64(len(text))})
		if err == nil {
			_, err = io.WriteString(w, text)
		}
	}
	add("mimetype", "application/epub+zip")
	add("META-INF/container.xml", `<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`)
	extra := ""
	if filling > 0 {
		extra = `<item id="f" href="filling.bin" media-type="application/octet-stream"/>`
	}
	add("content.opf", fmt.Sprintf(`<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">urn:bench:%s</dc:identifier><dc:title>%s</dc:title><dc:creator>%s</dc:creator><dc:language>en</dc:language><dc:date>1900</dc:date><meta property="dcterms:modified">2020-01-01T00:00:00Z</meta></metadata><manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/>%s</manifest><spine><itemref idref="c"/></spine></package>`,
		filepath.Base(path), title, creator, extra))
	add("nav.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Contents</title></head><body><nav epub:type="toc"><ol><li><a href="c.xhtml">Text</a></li></ol></nav></body></html>`)
	add("c.xhtml", fmt.Sprintf(`<html xmlns="http://www.w3.org/1999/xhtml"><head><title>%s</title></head><body><h1>%s</h1><p>It is a truth that this book is short.</p></body></html>`, title, title))
	if err == nil && filling > 0 {
		var w io.Writer
		if w, err = z.CreateHeader(&zip.FileHeader{Name: "filling.bin", Method: zip.Store}); err == nil {
			_, err = io.CopyN(w, rand.NewChaCha8([32]byte{1}), filling)
		}
	}
	if err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close()
}
