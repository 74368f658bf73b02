package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// MaxBulkRecord is the most bytes that one record of a bulk may have, unpacked. A
// longer one is refused by itself; a stream may be of any length.
const MaxBulkRecord = 8 << 20

// maxWindow is the most memory that a Zstandard frame may ask for, in bytes: what
// the zstd program takes without being told.
const maxWindow = 128 << 20

// Bulk is a form in which many records come in one stream. How the stream comes
// apart is told from how a record is read, because the first is quick and goes in
// order, and the second takes most of the time and goes on all cores.
type Bulk struct {
	Name     string
	elements func(io.Reader) Elements
	parse    func(raw []byte) (*Described, error)
}

// Elements takes a stream apart into the records of a bulk, one at a time.
type Elements interface {
	// Next is the next record's bytes, valid until the following call, and its
	// number: of the line or of the record, from 1. The bytes hold all that is needed
	// to read the record, also what the stream says around it.
	//
	// io.EOF ends the stream. errs.TooLarge says that this one record is longer than
	// [MaxBulkRecord]; Next goes on after it. Any other error, such as errs.Corrupt, is
	// where the stream breaks off: nothing more can be read, and the number says where.
	Next() (raw []byte, number int64, err error)
	// Waits says whether the next call of Next has to read from the stream, and so
	// may wait for whoever writes it.
	Waits() bool
}

// bulks is the table of forms, by the name that `wenlan import` knows them by.
// Those without a parse have their place here and no reader yet.
var bulks = []Bulk{
	{"simple", newLines, parseSimple},
	{"csl", newLines, parseBulkCSL},
	{"jsonl", newLines, parseOwn},
	{"marc", newMARC, parseMARC},
	{"marcxml", newMARCXML, parseMARCXML},
	{"crossref", newCrossref, parseCrossref},
	{"jats", newJATS, parseJATS},
	{"onix", newONIX, parseONIX},
	{"bibtex", newBibTeX, parseBibTeX},
	{"ris", newRIS, parseRIS},
	{"acl", newACL, parseACL},
	{"oai", newOAI, parseOAI},
	{"opds", newOPDS, parseOPDS},
}

// FindBulk is the form with a name; errs.Invalid, in one sentence, where there is
// none, or where it has no reader yet.
func FindBulk(name string) (*Bulk, error) {
	for i := range bulks {
		if bulks[i].Name != name {
			continue
		}
		if bulks[i].parse == nil {
			return nil, errs.WithHint(errs.New(errs.Invalid, "the format %s cannot be imported yet", name), "what can be: "+strings.Join(BulkNames(), ", "))
		}
		return &bulks[i], nil
	}
	return nil, errs.WithHint(errs.New(errs.Invalid, "there is no format %q to import", name), "what can be: "+strings.Join(BulkNames(), ", "))
}

// BulkNames lists the forms that have a reader.
func BulkNames() []string {
	var out []string
	for _, b := range bulks {
		if b.parse != nil {
			out = append(out, b.Name)
		}
	}
	return out
}

// Described is what one record of a bulk says.
type Described struct {
	ID     string         // the record's id at its source, as found; "" where it has none
	Record record.Record  // has a title
	Files  []record.File  // jsonl only
	Rights *record.Rights // jsonl only
	Source *record.Source // jsonl only: which source first said so, without Extra; its Name or Digest may be empty

	Said   *record.Record `json:",omitempty"` // jsonl only: what Source alone says, where others speak of the record as well; Record is what all say together
	Others []record.Layer `json:",omitempty"` // jsonl only: the others, in the order in which they first spoke

	Extra    map[string][]string `json:",omitempty"` // what has no place in a record, by the source's name of the field ("500", "funding"); Parse bounds it
	Left     []string            `json:",omitempty"` // names of the source's fields that were not kept at all
	Warnings []string            `json:",omitempty"` // sentences: a check digit is wrong, a date cannot be read …

	// Deleted: the source says that the record with the ID is no more; nothing else is said of it.
	Deleted bool `json:",omitempty"`

	extra json.RawMessage // Extra as JSON, set by Parse
}

// ExtraJSON is Extra as record.Source keeps it; nil where there is nothing. It is
// there once [Bulk.Parse] has returned.
func (d *Described) ExtraJSON() json.RawMessage { return d.extra }

// keep puts a value under Extra, once, where it is not blank.
func (d *Described) keep(field, value string) {
	if value = cleanText(value, maxAbstract); value == "" {
		return
	}
	if d.Extra == nil {
		d.Extra = map[string][]string{}
	}
	if have := d.Extra[field]; len(have) >= maxList {
		d.Left = append(d.Left, field)
	} else if !slices.Contains(have[:min(len(have), maxShort)], value) {
		d.Extra[field] = append(have, value)
	}
}

// unread keeps a value that a record has a place for, but that is not understood.
func (d *Described) unread(field, value string) {
	if value = cleanLine(value, maxTitle); value != "" {
		d.keep(field, value)
		d.Warnings = append(d.Warnings, "the "+field+" "+value+" cannot be read")
	}
}

// badID warns of an identifier that is stated under a scheme and does not have its
// form; the ISSN and ORCID, which are not kept as text elsewhere, go under Extra.
func (d *Described) badID(scheme, value string) {
	if list := splitIDs(scheme, value); len(list) > 1 {
		for _, one := range list {
			d.badID(scheme, one)
		}
		return
	}
	if value = cleanLine(value, maxValue); value == "" {
		return
	}
	if _, ok := record.NormalID(scheme, value); ok {
		return
	}
	if scheme == "issn" || scheme == "orcid" {
		d.keep(scheme, value)
	}
	d.Warnings = append(d.Warnings, "the "+strings.ToUpper(scheme)+" "+cleanLine(value, 100)+" "+wrongID(scheme))
}

// wrongID says what is wrong with an identifier that is not of its scheme.
func wrongID(scheme string) string {
	switch scheme {
	case "isbn", "issn", "orcid", "isni":
		return "has a wrong check digit or form"
	}
	return "has not the form of one"
}

// keepMembers puts the members of a JSON object under Extra: strings, numbers and
// lists of them as they are, else as JSON.
func (d *Described) keepMembers(object jsontext.Value) {
	if len(object) == 0 {
		return
	}
	dec := jsontext.NewDecoder(bytes.NewReader(object), lenient)
	if _, err := dec.ReadToken(); err != nil {
		return
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return
		}
		field := name.String()
		switch kind := dec.PeekKind(); kind {
		case '[':
			err = eachElement(dec, func(kind jsontext.Kind) error { return d.keepValue(dec, field, kind) })
		default:
			err = d.keepValue(dec, field, kind)
		}
		if err != nil {
			return
		}
	}
}

func (d *Described) keepValue(dec *jsontext.Decoder, field string, kind jsontext.Kind) error {
	switch kind {
	case '"':
		tok, err := dec.ReadToken()
		if err == nil {
			d.keep(field, tok.String())
		}
		return err
	case 'n':
		return dec.SkipValue()
	}
	value, err := dec.ReadValue()
	if err == nil {
		d.keep(field, string(value))
	}
	return err
}

// Limits of what a record says besides.
const (
	maxWarnings  = 20
	maxLeft      = 200
	maxFieldName = 100 // characters
)

// settle bounds what d says besides the record, and encodes Extra, deterministically.
// Names that differ only in case are one name, because no entry may have both. A
// value that does not fit into record.MaxExtra is left aside, by the field's name.
func (d *Described) settle() {
	var left []string
	if len(d.Extra) > 0 {
		kept := make(map[string][]string, len(d.Extra))
		named := make(map[string]string, len(d.Extra)) // lower case -> name
		room := record.MaxExtra - 2
		var quoted []byte
		for _, field := range slices.Sorted(maps.Keys(d.Extra)) {
			name := cleanLine(field, maxFieldName)
			if name == "" {
				name = "?"
			}
			lower := strings.ToLower(name)
			if have, ok := named[lower]; ok {
				name = have
			}
			quoted, _ = jsontext.AppendQuote(quoted[:0], name)
			head := len(quoted) + 4 // "name":[],
			for _, value := range d.Extra[field] {
				if value = strings.TrimSpace(strings.ToValidUTF8(value, "\ufffd")); value == "" {
					continue
				}
				cost := 0
				if _, ok := kept[name]; !ok {
					cost = head
				}
				if cost += len(value) + 3; cost > room {
					left = append(left, name)
					continue
				}
				quoted, _ = jsontext.AppendQuote(quoted[:0], value)
				if cost += len(quoted) - len(value) - 2; cost > room {
					left = append(left, name)
					continue
				}
				room -= cost
				kept[name], named[lower] = append(kept[name], value), name
			}
		}
		d.Extra = kept
		d.extra = encodeExtra(kept)
	}
	left = append(slices.Clip(d.Left), left...)
	for i := range left {
		if left[i] = cleanLine(left[i], maxFieldName); left[i] == "" {
			left[i] = "?"
		}
	}
	slices.Sort(left)
	left = slices.Compact(left)
	d.Left = left[:min(len(left), maxLeft)]
	d.Warnings = d.Warnings[:min(len(d.Warnings), maxWarnings)]
	for i := range d.Warnings {
		d.Warnings[i] = cleanLine(d.Warnings[i], maxTitle)
	}
}

// encodeExtra is fields as a JSON object, its names sorted; nil where there are none.
func encodeExtra(fields map[string][]string) json.RawMessage {
	if len(fields) == 0 {
		return nil
	}
	out := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, name)
		out = append(out, ":["...)
		for j, value := range fields[name] {
			if j > 0 {
				out = append(out, ',')
			}
			out, _ = jsontext.AppendQuote(out, value)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

// Parse reads one record, as [Elements.Next] gives it. It may be called at once on
// all cores, and keeps nothing of raw. The error is of kind errs.Refused and says
// in one sentence why the record is not taken.
func (b *Bulk) Parse(raw []byte) (*Described, error) {
	d, err := b.parse(raw)
	if err != nil {
		if errs.KindOf(err) != errs.Refused {
			err = errs.New(errs.Refused, "%w", err)
		}
		return nil, err
	}
	if strings.TrimSpace(d.Record.Title) == "" && !d.Deleted {
		return nil, errs.New(errs.Refused, "it has no title")
	}
	if cleanLine(d.ID, maxValue) != d.ID {
		return nil, errs.New(errs.Refused, "its id holds what an id cannot hold, or more than %d characters", maxValue)
	}
	d.settle()
	return d, nil
}

// bulkID is an id as found, white space collapsed; one that is too long stays so,
// for Parse to refuse.
func bulkID(s string) string { return cleanLine(s, 2*maxValue) }

// Decompress is the stream that r packs with gzip (RFC 1952) or Zstandard (RFC
// 8878), told by the first bytes, or r itself as it is. Several members or frames
// one after another are one stream. Memory is bounded, whatever r says of its
// window: at most about 2*128 MiB. Close does not close r.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	head, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, damaged(err)
		}
		return z, nil
	case len(head) == 4 && isZstd(head):
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, damaged(err)
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

// isZstd says whether four bytes begin a Zstandard frame or a skippable one (RFC
// 8878, sections 3.1.1 and 3.1.2).
func isZstd(b []byte) bool {
	return b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd ||
		b[0]&0xf0 == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18
}

func damaged(err error) error {
	return errs.New(errs.Corrupt, "the compressed data is damaged: %w", err)
}

// Elements takes the stream r apart; r is already unpacked, see [Decompress].
func (b *Bulk) Elements(r io.Reader) Elements { return b.elements(r) }

// lines takes apart the lines of JSON Lines, or the elements of one JSON array. It
// holds one of them at a time.
type lines struct {
	r     *bufio.Reader
	began bool
	array bool
	ended bool // the array has been closed
	line  int64
	buf   []byte
}

// newLines takes JSON Lines or one JSON array apart. Empty lines are passed over;
// in an array the number is that of the element.
func newLines(r io.Reader) Elements {
	return &lines{r: bufio.NewReaderSize(r, 256<<10)}
}

func (e *lines) Waits() bool { return e.r.Buffered() == 0 }

func (e *lines) Next() (raw []byte, number int64, err error) {
	if !e.began {
		if err := e.begin(); err != nil {
			return nil, 1, broken(err)
		}
	}
	if e.array {
		raw, err = e.element()
	} else {
		raw, err = e.nextLine()
	}
	if err != nil && !errors.Is(err, io.EOF) && !errs.Is(err, errs.TooLarge) {
		err = broken(err)
	}
	return raw, e.line, err
}

// broken gives an error of a stream its kind.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errs.KindOf(err) != errs.Internal {
		return err
	}
	return errs.New(errs.Corrupt, "the stream breaks off here: %w", err)
}

// begin passes over a byte order mark and white space, and tells lines from an array.
func (e *lines) begin() error {
	e.began = true
	if head, _ := e.r.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = e.r.Discard(3)
	}
	for {
		c, err := e.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil // no records
		}
		if err != nil {
			return err
		}
		switch c {
		case '\n':
			e.line++
			continue
		case ' ', '\t', '\r':
			continue
		case '[':
			e.array, e.line = true, 0
			return nil
		}
		return e.r.UnreadByte()
	}
}

func errTooLong() error {
	return errs.New(errs.TooLarge, "it is longer than %d bytes", MaxBulkRecord)
}

// nextLine is the next line that is not empty.
func (e *lines) nextLine() ([]byte, error) {
	for {
		e.buf = e.buf[:0]
		var line []byte
		long := false
		for {
			part, err := e.r.ReadSlice('\n')
			if err == nil && len(e.buf) == 0 && !long {
				line = part
				break
			}
			if !long {
				if len(e.buf)+len(part) > MaxBulkRecord {
					long, e.buf = true, e.buf[:0]
				} else {
					e.buf = append(e.buf, part...)
				}
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) && len(e.buf) == 0 && !long {
				return nil, io.EOF
			}
			if err != nil && !errors.Is(err, io.EOF) {
				e.line++
				return nil, err
			}
			line = e.buf
			break
		}
		e.line++
		if long {
			return nil, errTooLong()
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

// element is the next element of the array. It follows strings and brackets only;
// whether they make JSON is found when the element is parsed.
func (e *lines) element() ([]byte, error) {
	if e.ended {
		return nil, e.after()
	}
	e.buf = e.buf[:0]
	e.line++
	depth, quoted, escaped, long, some := 0, false, false, false, false
	for {
		if e.r.Buffered() == 0 {
			if _, err := e.r.Peek(1); errors.Is(err, io.EOF) {
				return nil, errs.New(errs.Corrupt, "the array is cut off in the middle of this element")
			} else if err != nil {
				return nil, err
			}
		}
		part, _ := e.r.Peek(e.r.Buffered())
		end := -1 // of this element, in part
		for i, c := range part {
			switch {
			case escaped:
				escaped = false
			case quoted:
				escaped = c == '\\'
				quoted = c != '"'
			case c == '"':
				quoted, some = true, true
			case c == '{' || c == '[':
				depth++
				some = true
			case depth > 0 && (c == '}' || c == ']'):
				depth--
			case depth == 0 && (c == ',' || c == ']'):
				end = i
			case c != ' ' && c != '\t' && c != '\r' && c != '\n':
				some = true
			}
			if end >= 0 {
				break
			}
		}
		keep := part
		if end >= 0 {
			keep = part[:end]
		}
		if !long && len(e.buf)+len(keep) > MaxBulkRecord {
			long, e.buf = true, e.buf[:0]
		}
		if !long {
			e.buf = append(e.buf, keep...)
		}
		if end < 0 {
			_, _ = e.r.Discard(len(part))
			continue
		}
		last := part[end] == ']'
		_, _ = e.r.Discard(end + 1)
		if last {
			e.ended = true
		}
		switch {
		case long:
			return nil, errTooLong()
		case some:
			return bytes.TrimSpace(e.buf), nil
		case last: // nothing between the last comma, or the start, and the end
			return nil, e.after()
		}
		return e.buf[:0], nil // nothing between two commas, which is no JSON
	}
}

// after reads what follows the array, which is nothing.
func (e *lines) after() error {
	for {
		c, err := e.r.ReadByte()
		if err != nil {
			return err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return errs.New(errs.Corrupt, "something follows the end of the array")
		}
	}
}
