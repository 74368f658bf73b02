package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

const (
	manifestName = "manifest"
	layout       = 1       // of the folder: manifest, deletion files, tail
	maxManifest  = 8 << 20 // bytes
)

// manifest is what the manifest file says.
type manifest struct {
	Layout   int       `json:"layout"`
	Format   int       `json:"format"` // Config.Format
	Library  string    `json:"library"`
	Cursor   int64     `json:"cursor"`
	Next     uint64    `json:"next"` // numbers of files up to this one are taken
	Tail     string    `json:"tail"` // a file that may be absent: no batches
	Salt     uint32    `json:"salt"` // with which the tail's checksums begin
	Segments []segFile `json:"segments"`
}

// segFile is a segment as the manifest names it.
type segFile struct {
	Name    string   `json:"name"`
	Bytes   int64    `json:"bytes"`
	Footer  uint32   `json:"footer"` // CRC-32C of the last bytes
	Docs    int      `json:"docs"`
	Deleted *delFile `json:"deleted,omitempty"`
}

// delFile is a deletion file as the manifest names it.
type delFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Sum   uint32 `json:"sum"` // CRC-32C of all of it
}

func (m *manifest) encode() ([]byte, error) {
	line, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	return fmt.Appendf(line, "crc32c %08x\n", sum(line)), nil
}

// decodeManifest reads a manifest. errs.Corrupt when it is none, errs.Refused when it
// is of another layout.
func decodeManifest(data []byte) (*manifest, error) {
	line, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok || string(rest) != fmt.Sprintf("crc32c %08x\n", sum(data[:len(line)+1])) {
		return nil, errs.New(errs.Corrupt, "its checksum is wrong")
	}
	m := &manifest{}
	if err := json.Unmarshal(line, m); err != nil {
		return nil, errs.New(errs.Corrupt, "no manifest: %w", err)
	}
	if m.Layout != layout {
		return nil, errs.New(errs.Refused, "it has the layout %d, and this program needs %d", m.Layout, layout)
	}
	if m.Cursor < 0 || m.Next > math.MaxInt64 || !validName(m.Tail, "tail-") {
		return nil, errs.New(errs.Corrupt, "no manifest")
	}
	seen := map[string]bool{}
	for _, s := range m.Segments {
		if !validName(s.Name, "seg-") || seen[s.Name] || s.Bytes < 0 || s.Docs <= 0 {
			return nil, errs.New(errs.Corrupt, "no manifest: it names %q", s.Name)
		}
		seen[s.Name] = true
		if d := s.Deleted; d != nil && (!validName(d.Name, "del-"+s.Name[len("seg-"):]+"-") || d.Bytes < 0 || d.Bytes > maxDelBytes) {
			return nil, errs.New(errs.Corrupt, "no manifest: it names %q", d.Name)
		}
	}
	return m, nil
}

// validName says whether a name is prefix and a number.
func validName(name, prefix string) bool {
	digits, ok := strings.CutPrefix(name, prefix)
	n, err := strconv.ParseUint(digits, 10, 63)
	return ok && err == nil && n > 0 && digits[0] != '+'
}

// ours says whether a name in a generation's folder is one that we make, so that
// cleaning leaves everything else alone.
func ours(name string) bool {
	if name == manifestName || name == manifestName+durable.TempSuffix {
		return true
	}
	if rest, ok := strings.CutPrefix(name, "del-"); ok {
		a, b, ok := strings.Cut(rest, "-")
		return ok && validName(a, "") && validName(b, "")
	}
	return validName(name, "seg-") || validName(name, "tail-")
}

// readManifest reads the manifest of a generation; fs.ErrNotExist when there is none.
func (g *generation) readManifest() (*manifest, error) {
	data, err := durable.ReadFile(g.cfg.FS, g.path(manifestName), maxManifest)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", g.label(manifestName), err)
	}
	m, err := decodeManifest(data)
	if err != nil {
		return nil, errs.New(errs.KindOf(err), "the file %s cannot be used: %w", g.label(manifestName), err)
	}
	if m.Format != g.cfg.Format {
		return nil, errs.New(errs.Refused, "the view %s has the format %d, and this program needs %d", g.cfg.Name, m.Format, g.cfg.Format)
	}
	return m, nil
}
