package format

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"

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
	Name  string
	parse func(raw []byte) (*Described, error)
}

// bulks is the table of forms, by the name that `wenlan import` knows them by.
// Those without a parse have their place here and no reader yet.
var bulks = []Bulk{
	{"simple", parseSimple},
	{"csl", parseBulkCSL},
	{"jsonl", parseOwn},
	{"marc", nil}, {"marcxml", nil}, {"crossref", nil}, {"jats", nil}, {"onix", nil}, {"bibtex", nil}, {"ris", nil}, {"acl", nil}, {"oai", nil}, {"opds", nil},
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
	Source *record.Source // jsonl only: which source first said so; its Name or Digest may be empty
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
	if strings.TrimSpace(d.Record.Title) == "" {
		return nil, errs.New(errs.Refused, "it has no title")
	}
	if cleanLine(d.ID, maxValue) != d.ID {
		return nil, errs.New(errs.Refused, "its id holds what an id cannot hold, or more than %d characters", maxValue)
	}
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

// Elements takes a stream apart into the records of a bulk: the lines of JSON
// Lines, or the elements of one JSON array. It holds one of them at a time.
type Elements struct {
	r     *bufio.Reader
	began bool
	array bool
	ended bool // the array has been closed
	line  int64
	buf   []byte
}

// Elements takes the stream r apart; r is already unpacked, see [Decompress].
func (b *Bulk) Elements(r io.Reader) *Elements {
	return &Elements{r: bufio.NewReaderSize(r, 256<<10)}
}

// Waits says whether the next call of Next has to read from the stream, and so may
// wait for whoever writes it.
func (e *Elements) Waits() bool { return e.r.Buffered() == 0 }

// Next is the next record's bytes, valid until the following call, and its number:
// of the line, or in an array of the element, from 1. Empty lines are passed over.
//
// io.EOF ends the stream. errs.TooLarge says that this one record is longer than
// [MaxBulkRecord]; Next goes on after it. Any other error, such as errs.Corrupt, is
// where the stream breaks off: nothing more can be read, and the number says where.
func (e *Elements) Next() (raw []byte, number int64, err error) {
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
func (e *Elements) begin() error {
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
func (e *Elements) nextLine() ([]byte, error) {
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
func (e *Elements) element() ([]byte, error) {
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
func (e *Elements) after() error {
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
