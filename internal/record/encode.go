package record

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"

	"wenlan/internal/errs"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var known = []Type{TypeCharter, TypeAccession, TypeRevision, TypeMerge, TypeUnmerge, TypeFiles, TypeRights,
	TypeWithdrawal, TypeRestoration, TypeErasure, TypeShelf, TypeStatement, TypeMirror}

// timeLayout is RFC 3339 with whole seconds, in UTC.
const timeLayout = "2006-01-02T15:04:05Z"

// NewSalt is 16 random bytes in standard base64: 24 characters.
func NewSalt() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// Encode is the entry as it goes into the register. It fills in a missing salt,
// drops fractions of a second, marks what restricts access as critical, and
// refuses what [Decode] would refuse. A longer entry than [MaxEntry] gives
// errs.TooLarge: see [EncodeLong].
func Encode(e Entry) ([]byte, error) {
	e, err := prepare(e)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		return nil, errs.New(errs.Invalid, "encode a %s entry: %w", e.Type, err)
	}
	if len(raw) > MaxEntry {
		return nil, errs.New(errs.TooLarge, "a %s entry of %d bytes is longer than %d", e.Type, len(raw), MaxEntry)
	}
	if !e.plain() {
		if err := CheckIJSON(raw); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// plain says whether an entry is text alone, which the encoder makes I-JSON of: there is
// no number that may be too large, and nothing that comes as JSON already.
func (e *Entry) plain() bool {
	return e.Type == TypeAccession && len(e.Files) == 0 && e.Rights == nil && (e.Source == nil || len(e.Source.Extra) == 0) &&
		e.Body == nil && !slices.ContainsFunc(e.Record.Relations, func(r Relation) bool { return r.Record != nil })
}

// Complete fills in what [Encode] does: what it then encodes is this entry, and
// [Decode] gives it back, but for lists that are empty and not nil.
func Complete(e Entry) (Entry, error) { return prepare(e) }

// EncodeLong is Encode for entries of any length up to MaxBody: where the entry
// does not fit, its fields become a body. Then body is non-nil; the caller must
// make it durable as the blob that the entry names, before it appends the entry.
func EncodeLong(e Entry) (entry, body []byte, ref *Body, err error) {
	entry, err = Encode(e)
	if !errs.Is(err, errs.TooLarge) {
		return entry, nil, nil, err
	}
	e, err = prepare(e)
	if err != nil {
		return nil, nil, nil, err
	}
	full, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		return nil, nil, nil, err
	}
	var fields map[string]jsontext.Value
	if err := json.Unmarshal(full, &fields); err != nil {
		return nil, nil, nil, err
	}
	for _, name := range []string{"type", "time", "salt", "critical"} {
		delete(fields, name)
	}
	body, err = json.Marshal(fields, json.Deterministic(true))
	if err != nil {
		return nil, nil, nil, err
	}
	if len(body) > MaxBody {
		return nil, nil, nil, errs.New(errs.TooLarge, "a %s of %d bytes is longer than %d", e.Type, len(body), MaxBody)
	}
	if err := CheckIJSON(body); err != nil {
		return nil, nil, nil, err
	}
	ref = &Body{SHA256: sumHex(body), Bytes: int64(len(body))}
	entry, err = json.Marshal(Entry{Type: e.Type, Time: e.Time, Salt: e.Salt, Critical: e.Critical, Body: ref}, json.Deterministic(true))
	return entry, body, ref, err
}

// MaxBody bounds the body of an entry, in bytes.
const MaxBody = 64 << 20

// Decode reads an entry, strictly. known is false for a type that this program
// does not know: the caller skips it, or, where it is Critical, closes what it
// names. An entry with a Body has its other fields there: see [Entry.WithBody].
func Decode(raw []byte) (e Entry, isKnown bool, err error) {
	if len(raw) > MaxEntry {
		return e, false, errs.New(errs.TooLarge, "an entry of %d bytes is longer than %d", len(raw), MaxEntry)
	}
	if err := CheckIJSON(raw); err != nil {
		return e, false, err
	}
	// The fields of the entry with these two as they are written. Names have been
	// compared, so that the decoder need not.
	var full struct {
		Entry
		Time     string `json:"time"`
		Critical *bool  `json:"critical"`
	}
	wrong := json.Unmarshal(raw, &full, noTwins)
	head := &full
	if wrong != nil { // a type that is not known may use a name for something else
		var h struct {
			Type     Type   `json:"type"`
			Time     string `json:"time"`
			Salt     string `json:"salt"`
			Critical *bool  `json:"critical"`
		}
		if err := json.Unmarshal(raw, &h); err != nil {
			return e, false, errs.New(errs.Refused, "not an entry: %w", err)
		}
		head.Type, head.Time, head.Salt, head.Critical = h.Type, h.Time, h.Salt, h.Critical
	}
	if head.Critical != nil && !*head.Critical {
		return e, false, errs.New(errs.Refused, "not an entry: critical is true or absent")
	}
	if salt, err := base64.StdEncoding.Strict().DecodeString(head.Salt); err != nil || len(salt) != 16 {
		return e, false, errs.New(errs.Refused, "not an entry: the salt is not 16 bytes of base64")
	}
	stated, err := time.Parse(timeLayout, head.Time)
	if err != nil || stated.IsZero() || stated.Format(timeLayout) != head.Time {
		return e, false, errs.New(errs.Refused, "not an entry: its time is not like 2006-01-02T15:04:05Z")
	}
	if !slices.Contains(known, head.Type) {
		if head.Type == "" {
			return e, false, errs.New(errs.Refused, "not an entry: it has no type")
		}
		e = Entry{Type: head.Type, Time: stated, Salt: head.Salt, Critical: head.Critical != nil}
		e.namesOf(raw)
		return e, false, nil
	}
	if wrong != nil {
		return e, false, errs.New(errs.Refused, "not a %s entry: %w", head.Type, wrong)
	}
	e = full.Entry
	e.Time, e.Critical = stated, head.Critical != nil
	if e.Body != nil {
		return e, true, e.Body.check()
	}
	return e, true, e.check()
}

// noTwins spares the decoder of what CheckIJSON has passed the comparing of names.
var noTwins = jsontext.AllowDuplicateNames(true)

// namesOf fills in what an entry of an unknown type names, as far as it uses the
// common field names; fields of another form are left alone.
func (e *Entry) namesOf(raw []byte) {
	var fields map[string]jsontext.Value
	if json.Unmarshal(raw, &fields) != nil {
		return
	}
	for name, target := range map[string]any{"of": &e.Of, "from": &e.From, "into": &e.Into, "blob": &e.Blob, "entries": &e.Entries, "body": &e.Body} {
		if v, ok := fields[name]; ok {
			_ = json.Unmarshal(v, target) // another form names nothing that we understand
		}
	}
	if e.Body != nil && e.Body.check() != nil {
		e.Body = nil
	}
}

// WithBody is the entry with the fields of its body blob filled in. The bytes
// must be those that e.Body names.
func (e Entry) WithBody(body []byte) (Entry, error) {
	if e.Body == nil {
		return e, nil
	}
	if int64(len(body)) != e.Body.Bytes || sumHex(body) != e.Body.SHA256 {
		return e, errs.New(errs.Corrupt, "the body of a %s entry has not the hash %s", e.Type, e.Body.SHA256)
	}
	if err := CheckIJSON(body); err != nil {
		return e, err
	}
	full := Entry{}
	if err := json.Unmarshal(body, &full); err != nil {
		return e, errs.New(errs.Refused, "not the body of a %s entry: %w", e.Type, err)
	}
	full.Type, full.Time, full.Salt, full.Critical = e.Type, e.Time, e.Salt, e.Critical
	full.Body = nil
	if err := full.check(); err != nil {
		return e, err
	}
	full.Body = e.Body
	return full, nil
}

func prepare(e Entry) (Entry, error) {
	if e.Salt == "" {
		e.Salt = NewSalt()
	}
	e.Time = e.Time.UTC().Truncate(time.Second)
	switch e.Type {
	case TypeWithdrawal, TypeRestoration, TypeErasure:
		e.Critical = true
	}
	if e.Time.IsZero() {
		return e, errs.New(errs.Invalid, "a %s entry has no time", e.Type)
	}
	if !slices.Contains(known, e.Type) {
		return e, errs.New(errs.Invalid, "%q is not a type of entry", e.Type)
	}
	return e, e.check()
}

var (
	hexSum    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	territory = regexp.MustCompile(`^[A-Z]{2}$`)
	date      = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	currency  = regexp.MustCompile(`^[A-Z]{3}$`)
)

// IsSHA256 says whether s is a hash as the register writes it: 64 lower-case hex digits.
func IsSHA256(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (b Body) check() error {
	if !hexSum.MatchString(b.SHA256) || b.Bytes < 0 {
		return errs.New(errs.Refused, "not an entry: its body has no hash")
	}
	return nil
}

// check holds an entry to the fields that its type must have.
func (e Entry) check() error {
	bad := func(what string) error { return errs.New(errs.Refused, "not a %s entry: %s", e.Type, what) }
	index := func(n *int64) bool { return n != nil && *n >= 0 }
	switch e.Type {
	case TypeCharter:
		if e.Note == "" {
			return bad("it has no note")
		}
	case TypeAccession:
		if e.Record == nil || strings.TrimSpace(e.Record.Title) == "" {
			return bad("its record has no title")
		}
	case TypeRevision:
		if !index(e.Of) {
			return bad("it names no record")
		}
		if len(e.Patch) == 0 || e.Patch[0] != '{' {
			return bad("its patch is not an object")
		}
	case TypeMerge:
		if !index(e.From) || !index(e.Into) || *e.From == *e.Into {
			return bad("it does not name two records")
		}
	case TypeUnmerge:
		if !index(e.Of) {
			return bad("it names no merge")
		}
	case TypeFiles:
		if !index(e.Of) {
			return bad("it names no record")
		}
		if len(e.Add)+len(e.Remove) == 0 {
			return bad("it changes nothing")
		}
	case TypeRights:
		if !index(e.Of) || e.Rights == nil {
			return bad("it names no record, or says nothing of its rights")
		}
	case TypeWithdrawal, TypeRestoration:
		if index(e.Of) == (e.Blob != "") {
			return bad("it must name a record or a blob")
		}
		if e.Blob != "" && !IsSHA256(e.Blob) {
			return bad("its blob is not a hash")
		}
		if e.Type == TypeWithdrawal && e.Ground == "" {
			return bad("it states no ground")
		}
	case TypeErasure:
		if len(e.Entries) == 0 || e.Ground == "" {
			return bad("it names no entries, or no ground")
		}
		for _, n := range e.Entries {
			if n <= 0 {
				return bad("entry 0 cannot be erased")
			}
		}
	}
	for _, list := range [][]File{e.Files, e.Add} {
		for _, f := range list {
			if !IsSHA256(f.SHA256) || f.Bytes < 0 {
				return bad("a file has no hash")
			}
			if f.Name == "" || f.Name != CleanFileName(f.Name) {
				return bad("a file's name is not plain")
			}
		}
	}
	for _, sum := range e.Remove {
		if !IsSHA256(sum) {
			return bad("what it removes is not a hash")
		}
	}
	for _, t := range e.Territories {
		if !territory.MatchString(t) {
			return bad("a territory is not an ISO 3166-1 alpha-2 code")
		}
	}
	if e.Source != nil && len(e.Source.Extra) > 0 && (e.Source.Extra[0] != '{' || len(e.Source.Extra) > MaxExtra) {
		return bad("what its source says besides is no object, or too long")
	}
	if e.Rights != nil {
		return e.Rights.Check()
	}
	return nil
}

// Check holds a rights statement to its forms.
func (r *Rights) Check() error {
	switch r.Access {
	case Open, Subsidised, Lend, Sale, None:
	default:
		return errs.New(errs.Refused, "%q is not an access: open, subsidised, lend, sale or none", r.Access)
	}
	switch r.Basis {
	case "", PublicDomain, Licence, Permission:
	default:
		return errs.New(errs.Refused, "%q is not a basis: public-domain, licence or permission", r.Basis)
	}
	if r.Basis == "" && r.Access != None {
		return errs.New(errs.Refused, "access %q needs a basis: public-domain, licence or permission", r.Access)
	}
	if r.Basis == Licence && r.Licence == "" {
		return errs.New(errs.Refused, "the basis licence needs the licence: an SPDX id or a URI")
	}
	if r.Opens != "" {
		if _, err := time.Parse(time.DateOnly, r.Opens); err != nil || !date.MatchString(r.Opens) {
			return errs.New(errs.Refused, "%q is not a date: YYYY-MM-DD", r.Opens)
		}
	}
	territories := r.Territories
	if r.Evidence != nil {
		territories = append(slices.Clone(territories), r.Evidence.Territories...)
	}
	for _, t := range territories {
		if !territory.MatchString(t) {
			return errs.New(errs.Refused, "%q is not a territory: an ISO 3166-1 alpha-2 code such as CN", t)
		}
	}
	if r.Price != nil && (r.Price.Minor < 0 || !currency.MatchString(r.Price.Currency)) {
		return errs.New(errs.Refused, "a price has an amount and an ISO 4217 currency")
	}
	if r.Copies < 0 {
		return errs.New(errs.Refused, "a number of copies is not negative")
	}
	return nil
}

func sumHex(b []byte) string {
	sum := sha256Sum(b)
	return hex.EncodeToString(sum[:])
}
