package record

import (
	"encoding/json"
	"time"
)

// Type is the type of an entry.
type Type string

const (
	TypeCharter     Type = "charter"
	TypeAccession   Type = "accession"
	TypeRevision    Type = "revision"
	TypeMerge       Type = "merge"
	TypeUnmerge     Type = "unmerge"
	TypeFiles       Type = "files"
	TypeRights      Type = "rights"
	TypeWithdrawal  Type = "withdrawal"
	TypeRestoration Type = "restoration"
	TypeErasure     Type = "erasure"
	TypeShelf       Type = "shelf"
	TypeStatement   Type = "statement"
	TypeMirror      Type = "mirror"
)

// MaxEntry is the most bytes an entry may have: C2SP tlog-tiles prefixes each
// entry of a bundle with its length as a big-endian uint16.
const MaxEntry = 65535

// Entry is one entry of the register, any type. Which fields a type has is the
// table of ARCHITECTURE.md, "The register"; the others stay empty.
type Entry struct {
	Type     Type      `json:"type"`
	Time     time.Time `json:"time"` // whole seconds, UTC
	Salt     string    `json:"salt"` // 16 random bytes, standard base64
	Critical bool      `json:"critical,omitzero"`
	Body     *Body     `json:"body,omitempty"`

	Note string `json:"note,omitempty"` // charter

	Record *Record `json:"record,omitempty"` // accession
	Files  []File  `json:"files,omitempty"`  // accession
	Rights *Rights `json:"rights,omitempty"` // accession, rights
	Source *Source `json:"source,omitempty"` // accession, revision

	Of    *int64          `json:"of,omitempty"`   // the accession number; in unmerge, the merge entry's index
	Patch json.RawMessage `json:"patch,omitzero"` // revision: RFC 7396; an empty object is a patch too

	From *int64 `json:"from,omitempty"` // merge
	Into *int64 `json:"into,omitempty"` // merge

	Add    []File   `json:"add,omitempty"`    // files
	Remove []string `json:"remove,omitempty"` // files: hex SHA-256

	Blob        string   `json:"blob,omitempty"` // withdrawal, restoration: hex SHA-256
	Ground      string   `json:"ground,omitempty"`
	Case        string   `json:"case,omitempty"`
	Territories []string `json:"territories,omitempty"`

	Entries []int64 `json:"entries,omitempty"` // erasure

	Count    int64           `json:"count,omitzero"` // shelf
	Bytes    int64           `json:"bytes,omitzero"`
	Infohash string          `json:"infohash,omitempty"`
	Replaces string          `json:"replaces,omitempty"`
	Kind     string          `json:"kind,omitempty"` // statement
	Period   string          `json:"period,omitempty"`
	Totals   json.RawMessage `json:"totals,omitempty"`
	URL      string          `json:"url,omitempty"` // mirror
	Key      string          `json:"key,omitempty"`
	Status   string          `json:"status,omitempty"`
}
