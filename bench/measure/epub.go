package measure

import (
	"archive/zip"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
)

// Book is what a book to measure with says of itself. Its texts go into XML as they
// are, so they hold no markup.
type Book struct {
	ID, Title, Creator string
	Filling            int64  // bytes that nothing compresses, as pictures are
	Seed               uint32 // of the filling: the same makes the same bytes
}

// WriteEPUB writes a small EPUB 3, the same for the same book.
func WriteEPUB(path string, b Book) error {
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
	extra := ""
	if b.Filling > 0 {
		extra = `<item id="f" href="filling.bin" media-type="application/octet-stream"/>`
	}
	add("mimetype", "application/epub+zip")
	add("META-INF/container.xml", `<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`)
	add("content.opf", fmt.Sprintf(`<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">urn:bench:%s</dc:identifier><dc:title>%s</dc:title><dc:creator>%s</dc:creator><dc:language>en</dc:language><dc:date>1900</dc:date><meta property="dcterms:modified">2020-01-01T00:00:00Z</meta></metadata><manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/>%s</manifest><spine><itemref idref="c"/></spine></package>`,
		b.ID, b.Title, b.Creator, extra))
	add("nav.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Contents</title></head><body><nav epub:type="toc"><ol><li><a href="c.xhtml">Text</a></li></ol></nav></body></html>`)
	add("c.xhtml", fmt.Sprintf(`<html xmlns="http://www.w3.org/1999/xhtml"><head><title>%s</title></head><body><h1>%[1]s</h1><p>This book is short.</p></body></html>`, b.Title))
	if err == nil && b.Filling > 0 {
		seed := [32]byte{byte(b.Seed), byte(b.Seed >> 8), byte(b.Seed >> 16), byte(b.Seed >> 24)}
		var w io.Writer
		if w, err = z.CreateHeader(&zip.FileHeader{Name: "filling.bin", Method: zip.Store}); err == nil {
			_, err = io.CopyN(w, rand.NewChaCha8(seed), b.Filling)
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
