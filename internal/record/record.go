// Package record holds what the library states: records, files and rights, the
// entries of the register that say so, their strict encoding, how entries fold
// into the present state of a record, and [Decide], which tells what a reader
// may do with it.
//
// The forms are those of ARCHITECTURE.md, section "The register". Everything
// here is a pure function of its arguments: no clock, no file, no network.
package record

import (
	"encoding/json"
	"time"
)

// Kind is what sort of work a record describes.
type Kind string

const (
	Book    Kind = "book"
	Article Kind = "article"
	Chapter Kind = "chapter"
	Thesis  Kind = "thesis"
	Report  Kind = "report"
	Issue   Kind = "issue"
	Dataset Kind = "dataset"
	Audio   Kind = "audio"
	Image   Kind = "image"
	Other   Kind = "other"
)

// Kinds lists every kind, in the order in which people are shown them.
var Kinds = []Kind{Book, Article, Chapter, Thesis, Report, Issue, Dataset, Audio, Image, Other}

// Record is what the library knows of one edition.
type Record struct {
	Title     string     `json:"title"`
	AltTitles []string   `json:"alt_titles,omitempty"`
	Creators  []Creator  `json:"creators,omitempty"`
	Kind      Kind       `json:"kind,omitempty"`
	Languages []string   `json:"languages,omitempty"` // BCP 47
	Issued    string     `json:"issued,omitempty"`    // EDTF
	Publisher string     `json:"publisher,omitempty"`
	Place     string     `json:"place,omitempty"`
	Container *Container `json:"container,omitempty"`
	Subjects  []Subject  `json:"subjects,omitempty"`
	IDs       []ID       `json:"ids,omitempty"`
	Abstract  string     `json:"abstract,omitempty"`
	Relations []Relation `json:"relations,omitempty"`
}

// Creator is a person or body with a part in the work.
type Creator struct {
	Name     string   `json:"name"`                // as shown: "Jane Austen", "鲁迅"
	AltNames []string `json:"alt_names,omitempty"` // sort form ("Austen, Jane") and other scripts
	Role     string   `json:"role,omitempty"`      // MARC relator code: aut, trl, edt, ill …
	IDs      []ID     `json:"ids,omitempty"`
}

// Container is the journal or series that the work is part of.
type Container struct {
	Title  string `json:"title,omitempty"`
	Volume string `json:"volume,omitempty"`
	Issue  string `json:"issue,omitempty"`
	Pages  string `json:"pages,omitempty"`
	ISSN   string `json:"issn,omitempty"`
}

// Subject is a heading, with its scheme when it has one (lcsh, ddc, clc …).
type Subject struct {
	Scheme string `json:"scheme,omitempty"`
	Code   string `json:"code,omitempty"`
	Label  string `json:"label,omitempty"`
}

// ID is an identifier: isbn, doi, issn, oclc, lccn, arxiv, pmid, uuid, url …
type ID struct {
	Scheme string `json:"scheme"`
	Value  string `json:"value"`
}

// Types of relations. The first four join the editions of one work.
const (
	TranslationOf  = "translation_of"
	HasTranslation = "has_translation"
	EditionOf      = "edition_of" // another edition (MARC 775)
	FormatOf       = "format_of"  // another physical form (MARC 776)
	PartOf         = "part_of"
	HasPart        = "has_part"
	SupplementTo   = "supplement_to"
	Continues      = "continues"
	ContinuedBy    = "continued_by"
	RelatedTo      = "related_to"
)

// Relation joins a record to another, or to something outside the library.
type Relation struct {
	Type   string `json:"type"` // translation_of, edition_of, part_of …
	Record *int64 `json:"record,omitempty"`
	ID     *ID    `json:"id,omitempty"`
	Title  string `json:"title,omitempty"` // of the other, as the source names it, where no record is known
}

// Roles of a file.
const (
	RoleText       = "text"
	RoleCover      = "cover"
	RoleSupplement = "supplement"
)

// File is one blob of a record.
type File struct {
	SHA256    string `json:"sha256"` // lower-case hex
	Bytes     int64  `json:"bytes"`
	MediaType string `json:"media_type"`
	Name      string `json:"name"` // a plain file name, no folder; see CleanFileName
	Role      string `json:"role"`
	Language  string `json:"language,omitempty"`
}

// Bases of a rights statement.
const (
	PublicDomain = "public-domain"
	Licence      = "licence"
	Permission   = "permission"
)

// Access is how a record is offered.
type Access string

const (
	Open       Access = "open"
	Subsidised Access = "subsidised"
	Lend       Access = "lend"
	Sale       Access = "sale"
	None       Access = "none"
)

// Rights is a rights statement; a later one replaces the earlier as a whole.
type Rights struct {
	Basis       string    `json:"basis,omitempty"`
	Licence     string    `json:"licence,omitempty"` // SPDX id or URI
	Holder      string    `json:"holder,omitempty"`
	Evidence    *Evidence `json:"evidence,omitempty"`
	Access      Access    `json:"access"`
	Opens       string    `json:"opens,omitempty"` // YYYY-MM-DD, from which day it is open, UTC
	Price       *Price    `json:"price,omitempty"`
	Copies      int       `json:"copies,omitzero"`
	Territories []string  `json:"territories,omitempty"` // ISO 3166-1 alpha-2; absent: worldwide
}

// Evidence is what a rights statement rests on: a page, a text, or the bare
// assertion (who, when, for which territories).
type Evidence struct {
	URL         string   `json:"url,omitempty"`
	Text        string   `json:"text,omitempty"`
	By          string   `json:"by,omitempty"`
	At          string   `json:"at,omitempty"` // RFC 3339
	Territories []string `json:"territories,omitempty"`
}

// Price is an amount in the minor unit of an ISO 4217 currency.
type Price struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

// Source says which source a description came from, its id there, and a digest
// of what it said, so that an unchanged source appends nothing.
type Source struct {
	Name   string          `json:"name"`
	ID     string          `json:"id,omitempty"`
	Digest string          `json:"digest,omitempty"` // hex SHA-256
	Extra  json.RawMessage `json:"extra,omitempty"`  // what has no place in a record: {field: [values…]} by the source's own names; see MaxExtra
}

// MaxExtra is the most bytes that Source.Extra may have.
const MaxExtra = 16 << 10

// SourceKey is what tells a record of one source from its others.
type SourceKey struct{ Name, ID string }

// Key is the source's name and the id there, without what it said.
func (s Source) Key() SourceKey { return SourceKey{s.Name, s.ID} }

// Body names a blob that holds the fields of an entry that was too long.
type Body struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// State is a record as the register says it is now: all entries that name its
// accession number, folded. It holds no decision: see [Decide].
type State struct {
	Number      int64        // the accession number
	Time        time.Time    // of accession
	Record      Record       // the description, sources folded
	Files       []File       // in the order in which they were added
	Rights      *Rights      // the last statement, or nil
	Sources     []Source     // each source's last word
	MergedInto  *int64       // set while the record is merged into another
	Withdrawals []Withdrawal // in force, of the record itself; those of blobs are found by blob
	Erased      *Erasure     // set when the accession itself was erased
	Closed      bool         // an unknown critical entry names the record
	History     []Event      // every entry that names the record, oldest first
}

// Withdrawal is a closing that is in force.
type Withdrawal struct {
	Entry       int64 // index of the entry that says so
	Time        time.Time
	Blob        string // hex SHA-256, when a blob and not a record was withdrawn
	Ground      string
	Case        string
	Territories []string // absent: everywhere
	Keeper      bool     // the keeper of this copy refuses it; the register does not say so, and Entry is 0
}

// Erasure says that content is gone by law.
type Erasure struct {
	Entry  int64
	Time   time.Time
	Ground string
	Case   string
}

// Event is one line of a record's history.
type Event struct {
	Entry  int64     // index in the register
	Type   Type      // accession, revision, rights …
	Time   time.Time // as the entry states
	Erased bool      // the entry's content is gone
	Note   string    // short and neutral: the ground, the source, the fields changed
}
