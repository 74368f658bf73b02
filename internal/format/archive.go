package format

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"sort"
	"strings"

	"golang.org/x/text/unicode/norm"

	"wenlan/internal/errs"
)

// archive is a ZIP file that was found to be sound: no name leads out of it, no
// two files have the same name or the same bytes, nothing is packed beyond reason.
// Nothing of it is ever unpacked to disk.
type archive struct {
	files  []*zip.File          // in the order of the directory, folders left out
	byName map[string]*zip.File // exact names
	folded map[string]string    // foldName(name) -> name
}

func isZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// budgetReader bounds how many bytes may be read while an archive is listed:
// archive/zip reads the directory until it ends, whatever count is stated.
type budgetReader struct {
	f    File
	left *int64 // nil: no bound, once the archive is listed
}

var errBudget = errors.New("the archive's directory is too large")

func (b *budgetReader) ReadAt(p []byte, off int64) (int, error) {
	if b.left != nil {
		if *b.left -= int64(len(p)); *b.left < 0 {
			return 0, errBudget
		}
	}
	return b.f.ReadAt(p, off)
}

// openArchive lists an archive and checks it. noun names the file to the person:
// "book", "comic".
func openArchive(f File, noun string) (*archive, error) {
	size := f.Size()
	left := int64(maxDirectory)
	reader := &budgetReader{f, &left}
	zr, err := zip.NewReader(reader, size)
	switch {
	case errors.Is(err, errBudget):
		return nil, errs.New(errs.Refused, "the %s's archive lists too many files", noun)
	case err != nil && !errors.Is(err, zip.ErrInsecurePath), zr == nil:
		return nil, errs.New(errs.Refused, "the %s's archive is cut off or damaged", noun)
	}
	if len(zr.File) > maxEntries {
		return nil, errs.New(errs.Refused, "the %s's archive lists too many files", noun)
	}
	reader.left = nil
	a := &archive{byName: make(map[string]*zip.File, len(zr.File)), folded: make(map[string]string, len(zr.File))}
	type span struct{ from, to int64 }
	spans := make([]span, 0, len(zr.File))
	var total uint64
	for _, e := range zr.File {
		if !safeName(e.Name) {
			return nil, errs.New(errs.Refused, "the %s's archive holds a file whose name leads out of it: %q", noun, cleanLine(e.Name, 80))
		}
		if strings.HasSuffix(e.Name, "/") {
			continue
		}
		if _, twice := a.byName[e.Name]; twice {
			return nil, errs.New(errs.Refused, "the %s's archive holds two files of the same name: %q", noun, cleanLine(e.Name, 80))
		}
		if e.Flags&1 != 0 {
			return nil, errs.New(errs.Refused, "the %s is locked with a password", noun)
		}
		if e.Method != zip.Store && e.Method != zip.Deflate {
			return nil, errs.New(errs.Refused, "the %s is packed in a way that is not read here: method %d", noun, e.Method)
		}
		if e.UncompressedSize64 > maxEntryBytes || (e.UncompressedSize64 > freeRatio && e.UncompressedSize64/maxRatio > e.CompressedSize64) {
			return nil, errs.New(errs.Refused, "the %s's archive holds a file that unpacks beyond reason: %q", noun, cleanLine(e.Name, 80))
		}
		total += e.UncompressedSize64
		from, err := e.DataOffset()
		to := from + int64(e.CompressedSize64)
		if err != nil || e.CompressedSize64 > uint64(size) || to > size {
			return nil, errs.New(errs.Refused, "the %s's archive is cut off or damaged", noun)
		}
		spans = append(spans, span{from - localHeader, to})
		a.files = append(a.files, e)
		a.byName[e.Name] = e
		a.folded[foldName(e.Name)] = e.Name
	}
	if total > maxUnpacked || (total > 4*freeRatio && total/maxRatio > uint64(size)) {
		return nil, errs.New(errs.Refused, "the %s unpacks beyond reason", noun)
	}
	sort.Slice(spans, func(i, j int) bool { return spans[i].from < spans[j].from })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return nil, errs.New(errs.Refused, "the %s's archive holds files that overlap", noun)
		}
	}
	return a, nil
}

// localHeader is the shortest header before a file's bytes (APPNOTE.TXT, 4.3.7).
const localHeader = 30

// safeName says whether a name stays in the archive wherever it is unpacked.
func safeName(name string) bool {
	if name == "" || strings.ContainsRune(name, 0) {
		return false
	}
	name = strings.ReplaceAll(name, `\`, "/")
	if strings.HasPrefix(name, "/") || (len(name) > 1 && name[1] == ':') {
		return false
	}
	for _, part := range strings.Split(name, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}

// foldName is a name without the differences that many file systems ignore: case
// and the composition of characters.
func foldName(name string) string { return norm.NFC.String(strings.ToLower(name)) }

// get finds a file by the name that a document gives it; where none has the
// exact name, one will do that many machines would take for the same.
func (a *archive) get(name string) *zip.File {
	if f, ok := a.byName[name]; ok {
		return f
	}
	return a.byName[a.folded[foldName(name)]]
}

// open is a reader of one file that ends after the size the directory states.
func (a *archive) open(f *zip.File) (io.ReadCloser, error) {
	rc, err := f.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(rc, int64(f.UncompressedSize64)+1), rc}, nil
}

// read is the whole of one file, at most limit bytes; longer gives errs.TooLarge.
func (a *archive) read(f *zip.File, limit int64) ([]byte, error) {
	if f.UncompressedSize64 > uint64(limit) {
		return nil, errs.New(errs.TooLarge, "%q is too large", cleanLine(f.Name, 80))
	}
	rc, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	data := make([]byte, 0, int(f.UncompressedSize64)+bytes.MinRead)
	buf := bytes.NewBuffer(data)
	if _, err := buf.ReadFrom(io.LimitReader(rc, limit+1)); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// check reads a file to its end for its checksum.
func (a *archive) check(ctx context.Context, f *zip.File, buf []byte) error {
	rc, err := f.Open()
	if err != nil {
		return err
	}
	defer rc.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := rc.Read(buf); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// resolve is the name in the archive of a link in a document at base; "" for a
// link that leads elsewhere. The fragment is cut off.
func resolve(base, href string) string {
	href, _, _ = strings.Cut(strings.TrimSpace(href), "#")
	if href == "" || strings.Contains(href, "://") || strings.HasPrefix(href, "data:") {
		return ""
	}
	href, _, _ = strings.Cut(href, "?")
	name := unescapePath(href)
	if strings.HasPrefix(name, "/") {
		name = strings.TrimLeft(name, "/")
	} else {
		name = path.Join(path.Dir(base), name)
	}
	name = path.Clean(name)
	if !safeName(name) || name == "." {
		return ""
	}
	return name
}

// unescapePath undoes percent-encoding where it is sound.
func unescapePath(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2]); hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
