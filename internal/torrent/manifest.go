package torrent

import (
	"bytes"
	"crypto/sha1" // BEP 3
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Manifest is the body of a shelf's entry: what is on it, and the hashes of the
// pieces, so that its torrent is made without reading a file.
type Manifest struct {
	PieceLength int64  `json:"piece_length"`
	Files       []File `json:"files"` // sorted by hash, each once
}

// File is one file of a shelf.
type File struct {
	SHA256 string `json:"sha256"` // lower-case hex
	Bytes  int64  `json:"bytes"`  // at least 1
	Pieces []byte `json:"pieces"` // SHA-1 of each piece, 20 bytes each; the last piece is padded with zeros
}

// ParseManifest reads a manifest and checks all that can be checked without the
// files. Unknown fields are skipped.
func ParseManifest(raw []byte) (*Manifest, error) {
	if len(raw) > MaxManifest {
		return nil, errs.New(errs.TooLarge, "the list of a shelf has %d bytes, more than %d", len(raw), MaxManifest)
	}
	if err := record.CheckIJSON(raw); err != nil {
		return nil, errs.New(errs.Refused, "the list of a shelf: %w", err)
	}
	m := new(Manifest)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, errs.New(errs.Refused, "the list of a shelf: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Manifest) check() error {
	if m.PieceLength != PieceSmall && m.PieceLength != PieceLarge {
		return errs.New(errs.Refused, "the list of a shelf has pieces of %d bytes, neither %d nor %d", m.PieceLength, PieceSmall, PieceLarge)
	}
	if len(m.Files) == 0 || len(m.Files) > MaxFiles {
		return errs.New(errs.Refused, "the list of a shelf has %d files, not 1 to %d", len(m.Files), MaxFiles)
	}
	for i, f := range m.Files {
		if !record.IsSHA256(f.SHA256) {
			return errs.New(errs.Refused, "the list of a shelf names %.80q, which is no hash: a file's name on a shelf is its hash and nothing else", f.SHA256)
		}
		if i > 0 && f.SHA256 <= m.Files[i-1].SHA256 {
			return errs.New(errs.Refused, "the list of a shelf is not sorted by hash, or has a file twice: %s", f.SHA256)
		}
		if f.Bytes < 1 || f.Bytes > MaxFile {
			return errs.New(errs.Refused, "the list of a shelf has a file of %d bytes: %s", f.Bytes, f.SHA256)
		}
		if int64(len(f.Pieces)) != sha1.Size*pieces(f.Bytes, m.PieceLength) {
			return errs.New(errs.Refused, "the list of a shelf has %d bytes of hashes where %d pieces are: %s", len(f.Pieces), pieces(f.Bytes, m.PieceLength), f.SHA256)
		}
	}
	return nil
}

func pieces(bytes, length int64) int64 { return (bytes + length - 1) / length }

// Encode is the manifest as it is stored: deterministic, so that its hash is that
// of what it says.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// Bytes is how long the files are together, padding not counted.
func (m *Manifest) Bytes() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Bytes
	}
	return n
}

// Pieces is how many pieces the torrent has.
func (m *Manifest) Pieces() int {
	n := 0
	for _, f := range m.Files {
		n += len(f.Pieces) / sha1.Size
	}
	return n
}

// Find is the file with a hash.
func (m *Manifest) Find(sha string) (File, bool) {
	i, ok := slices.BinarySearchFunc(m.Files, sha, func(f File, sha string) int { return strings.Compare(f.SHA256, sha) })
	if !ok {
		return File{}, false
	}
	return m.Files[i], true
}

// Without is the manifest of what is left without some files, or nil when nothing
// is. The hashes of the others stay as they are; so does the length of pieces.
func (m *Manifest) Without(gone func(sha string) bool) *Manifest {
	out := &Manifest{PieceLength: m.PieceLength}
	for _, f := range m.Files {
		if !gone(f.SHA256) {
			out.Files = append(out.Files, f)
		}
	}
	if len(out.Files) == 0 {
		return nil
	}
	return out
}

// padding is how many zeros follow a file.
func (m *Manifest) padding(f File) int64 {
	return pieces(f.Bytes, m.PieceLength)*m.PieceLength - f.Bytes
}

// Name is what the torrent of a shelf is called; body is the SHA-256 of its
// manifest, in hex.
func Name(body string) string { return namePrefix + body }

const (
	namePrefix = "wenlan-"
	padFolder  = ".pad" // BEP 47
)

// Info is the info dictionary of the torrent (BEP 3), bencoded. A pad file's name
// is the number of the file that it follows, because programs that know no pad
// files write them to the disk, and two of one name would be one.
func (m *Manifest) Info(body string) []byte {
	var b bytes.Buffer
	b.WriteString("d5:filesl")
	for i, f := range m.Files {
		b.WriteString("d6:length")
		benInt(&b, f.Bytes)
		b.WriteString("4:pathl")
		benString(&b, f.SHA256)
		b.WriteString("ee")
		if pad := m.padding(f); pad > 0 {
			b.WriteString("d4:attr1:p6:length")
			benInt(&b, pad)
			b.WriteString("4:pathl")
			benString(&b, padFolder)
			benString(&b, strconv.Itoa(i))
			b.WriteString("ee")
		}
	}
	b.WriteString("e4:name")
	benString(&b, Name(body))
	b.WriteString("12:piece length")
	benInt(&b, m.PieceLength)
	b.WriteString("6:pieces")
	b.WriteString(strconv.Itoa(sha1.Size * m.Pieces()))
	b.WriteByte(':')
	for _, f := range m.Files {
		b.Write(f.Pieces)
	}
	b.WriteByte('e')
	return b.Bytes()
}

// Infohash is the SHA-1 of the info dictionary, by which the world knows the torrent.
func (m *Manifest) Infohash(body string) Infohash { return sha1.Sum(m.Info(body)) }

// Infohash names a torrent (BEP 3).
type Infohash [sha1.Size]byte

// String is the infohash in lower-case hex.
func (h Infohash) String() string { return hex.EncodeToString(h[:]) }

// ParseInfohash reads 40 hex digits, lower case.
func ParseInfohash(s string) (h Infohash, ok bool) {
	if len(s) != 2*len(h) {
		return h, false
	}
	n, err := hex.Decode(h[:], []byte(s))
	return h, err == nil && n == len(h) && h.String() == s
}

// Entry makes the entry of a shelf with this manifest, and its body. replaces is
// the SHA-256 of the manifest of the shelf that it stands in for, or empty.
func (m *Manifest) Entry(replaces string) (e record.Entry, body []byte, err error) {
	if body, err = m.Encode(); err != nil {
		return e, nil, err
	}
	sum := sha256.Sum256(body)
	name := hex.EncodeToString(sum[:])
	return record.Entry{
		Type: record.TypeShelf, Body: &record.Body{SHA256: name, Bytes: int64(len(body))},
		Count: int64(len(m.Files)), Bytes: m.Bytes(), Infohash: m.Infohash(name).String(), Replaces: replaces,
	}, body, nil
}

// Metainfo is a .torrent file of the info dictionary.
func Metainfo(info []byte, trackers, webSeeds []string, comment string, created int64) []byte {
	var b bytes.Buffer
	b.WriteByte('d')
	if len(trackers) > 0 {
		b.WriteString("8:announce")
		benString(&b, trackers[0])
		b.WriteString("13:announce-listl") // BEP 12: each in a tier of its own, so that all are asked
		for _, t := range trackers {
			b.WriteByte('l')
			benString(&b, t)
			b.WriteByte('e')
		}
		b.WriteByte('e')
	}
	b.WriteString("7:comment")
	benString(&b, comment)
	b.WriteString("10:created by6:Wenlan13:creation date")
	benInt(&b, created)
	b.WriteString("4:info")
	b.Write(info)
	if len(webSeeds) > 0 {
		b.WriteString("8:url-listl") // BEP 19
		for _, u := range webSeeds {
			benString(&b, u)
		}
		b.WriteByte('e')
	}
	b.WriteByte('e')
	return b.Bytes()
}
