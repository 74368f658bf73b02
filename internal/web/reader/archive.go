package reader

import (
	"archive/zip"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"wenlan/internal/errs"
)

// Bounds on what is served out of an archive. Intake has refused what is worse;
// here they hold for what a disk or another library hands us.
const (
	maxEntries  = 65536
	maxResource = 512 << 20 // bytes of one unpacked resource; streamed, never held
)

// archive is an EPUB or a comic: a zip whose files are the book's resources.
type archive struct {
	files map[string]*zip.File
	names []string // in the order of the zip
}

// openArchive reads the directory of a zip.
func openArchive(f io.ReaderAt, size int64) (*archive, error) {
	zr, err := zip.NewReader(f, size)
	if err != nil {
		return nil, errs.New(errs.Refused, "the book is not a sound archive: %w", err)
	}
	if len(zr.File) > maxEntries {
		return nil, errs.New(errs.TooLarge, "the book has more than %d files", maxEntries)
	}
	a := &archive{files: make(map[string]*zip.File, len(zr.File))}
	for _, f := range zr.File {
		if strings.HasSuffix(f.Name, "/") || !fs.ValidPath(f.Name) || a.files[f.Name] != nil {
			continue
		}
		a.files[f.Name] = f
		a.names = append(a.names, f.Name)
	}
	return a, nil
}

// open opens a resource; the error is of kind errs.NotFound when there is none.
func (a *archive) open(name string) (io.ReadCloser, int64, error) {
	f := a.files[name]
	if f == nil {
		return nil, 0, errs.New(errs.NotFound, "the book has no file of that name")
	}
	if f.UncompressedSize64 > maxResource {
		return nil, 0, errs.New(errs.TooLarge, "a file of the book is too large")
	}
	rc, err := f.Open()
	if err != nil {
		return nil, 0, errs.New(errs.Corrupt, "a file of the book cannot be unpacked: %w", err)
	}
	return rc, int64(f.UncompressedSize64), nil
}

// entry is a resource as the reader's index lists it.
type entry struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

// entries lists the resources for which keep says so.
func (a *archive) entries(keep func(name string) bool) []entry {
	list := make([]entry, 0, len(a.names))
	for _, name := range a.names {
		if keep(name) {
			list = append(list, entry{name, int64(a.files[name].UncompressedSize64)})
		}
	}
	return list
}

// isPicture says whether a file of a comic is a page that browsers show. SVG is
// left out: it is a document, and no comic needs it.
func isPicture(name string) bool {
	if base := path.Base(name); strings.HasPrefix(base, ".") || strings.HasPrefix(name, "__MACOSX/") {
		return false
	}
	return slices.Contains([]string{".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".avif"},
		strings.ToLower(path.Ext(name)))
}

// resourceType is the media type under which a book's resource is served. What a
// browser could run as a script, and everything not known, is a plain stream.
func resourceType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".xhtml", ".xht":
		return "application/xhtml+xml; charset=utf-8"
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".opf", ".ncx", ".xml", ".smil", ".pls":
		return "application/xml"
	case ".svg":
		return "image/svg+xml"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".png":
		return "image/png"
	case ".gif":
		return "image/gif"
	case ".bmp":
		return "image/bmp"
	case ".webp":
		return "image/webp"
	case ".avif":
		return "image/avif"
	case ".ttf":
		return "font/ttf"
	case ".otf":
		return "font/otf"
	case ".woff":
		return "font/woff"
	case ".woff2":
		return "font/woff2"
	case ".mp3":
		return "audio/mpeg"
	case ".m4a":
		return "audio/mp4"
	case ".ogg", ".opus":
		return "audio/ogg"
	case ".mp4", ".m4v":
		return "video/mp4"
	case ".webm":
		return "video/webm"
	}
	return "application/octet-stream"
}
