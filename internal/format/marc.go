package format

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"wenlan/internal/errs"
)

// The bytes of ISO 2709 (MARC 21 Specifications for Record Structure, Character
// Sets, and Exchange Media: "Record Structure").
const (
	marcRecordEnd = 0x1d
	marcFieldEnd  = 0x1e
	marcSubfield  = 0x1f

	marcLeader = 24 // bytes
	marcEntry  = 12 // bytes of an entry of the directory: tag 3, length 4, start 5
)

// maxMARCFields bounds the fields of a record, and maxMARCSubs its subfields.
const (
	maxMARCFields = 20_000
	maxMARCSubs   = 200_000
)

// marcRecord is a record of MARC 21 as it is written, whether in ISO 2709 or in XML.
type marcRecord struct {
	leader   string // 24 characters
	fields   []marcField
	subs     []marcSub // of all fields
	warnings []string
}

// marcField is a field: a control field has a value, a data field indicators and
// subfields.
type marcField struct {
	tag        string // 3 characters
	ind1, ind2 byte
	value      string
	from, to   int  // its subfields are marcRecord.subs[from:to]
	alt        int  // index of the field 880 that says the same in another script, or -1
	used       bool // a field 880 that another field refers to
}

type marcSub struct {
	code  byte
	value string
}

// of is the subfields of a field.
func (m *marcRecord) of(f *marcField) []marcSub { return m.subs[f.from:f.to] }

func (m *marcRecord) reset() {
	clear(m.fields) // they point into the bytes of the record before
	clear(m.subs)
	m.leader, m.fields, m.subs, m.warnings = "", m.fields[:0], m.subs[:0], nil
}

var marcRecords = sync.Pool{New: func() any { return new(marcRecord) }}

// marcStream takes a stream of ISO 2709 apart. A record ends where its terminator
// stands, whatever its leader says; one that lost its terminator ends where the
// next leader begins that keeps its word.
type marcStream struct {
	r     *bufio.Reader
	n     int64
	began bool
	buf   []byte // a record longer than the reader's buffer
	rest  []byte // records still to be told apart, up to a terminator
}

func newMARC(r io.Reader) Elements {
	return &marcStream{r: bufio.NewReaderSize(r, 256<<10)}
}

func (m *marcStream) Waits() bool { return len(m.rest) == 0 && m.r.Buffered() == 0 }

func (m *marcStream) Next() (raw []byte, number int64, err error) {
	if len(m.rest) == 0 {
		if err := m.read(); err != nil {
			if !errors.Is(err, io.EOF) {
				m.n++
			}
			if !errs.Is(err, errs.TooLarge) {
				err = broken(err)
			}
			return nil, m.n, err
		}
	}
	m.n++
	raw = m.rest
	if n := firstMARC(raw); n > 0 {
		raw = raw[:n]
	}
	m.rest = m.rest[len(raw):]
	return raw, m.n, nil
}

// read fills rest with what stands before the next terminator, and the terminator.
func (m *marcStream) read() error {
	if !m.began {
		m.began = true
		if head, _ := m.r.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
			_, _ = m.r.Discard(3)
		}
	}
	// Files that went through an editor or a tape have line ends or zeros between records.
	for {
		c, err := m.r.ReadByte()
		if err != nil {
			return err
		}
		if c == '\n' || c == '\r' || c == ' ' || c == '\t' || c == 0 || c == 0x1a || c == marcRecordEnd {
			continue
		}
		if c == '<' && m.n == 0 {
			return errs.WithHint(errs.New(errs.Corrupt, "this is XML and not ISO 2709"), "its format is marcxml")
		}
		_ = m.r.UnreadByte()
		break
	}
	m.buf = m.buf[:0]
	long := false
	for {
		part, err := m.r.ReadSlice(marcRecordEnd)
		if err == nil && len(m.buf) == 0 && !long {
			m.rest = part
			return nil
		}
		if !long && len(m.buf)+len(part) > MaxBulkRecord {
			long, m.buf = true, m.buf[:0]
		}
		if !long {
			m.buf = append(m.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case long:
			return errTooLong()
		}
		m.rest = m.buf // with io.EOF it has no terminator, which is for the parser to say
		return nil
	}
}

// firstMARC is the length of the first of several records in b, where only the
// last has a terminator, or bytes that are no record stand before it; 0 where b is
// one record.
func firstMARC(b []byte) int {
	if n, ok := leaderMARC(b); ok && n == len(b) {
		return 0
	}
	for at := 1; at+marcLeader < len(b); at++ {
		// Cheap first: a leader stands after the end of a field, or after nothing of a record.
		if b[at] < '0' || b[at] > '9' {
			continue
		}
		if n, ok := leaderMARC(b[at:]); ok && n == len(b)-at {
			return at
		}
	}
	return 0
}

// leaderMARC says whether b begins with a leader of MARC 21, and what length it
// gives: five digits, two of two, "4500" (MARC 21 Format for Bibliographic Data,
// Leader).
func leaderMARC(b []byte) (length int, ok bool) {
	if len(b) < marcLeader || b[10] != '2' || b[11] != '2' || b[20] != '4' || b[21] != '5' || b[22] != '0' {
		return 0, false
	}
	if length, ok = number(b[:5]); !ok {
		return 0, false
	}
	_, ok = number(b[12:17])
	return length, ok
}

// number is decimal digits as a number.
func number[T string | []byte](b T) (n int, ok bool) {
	for i := range len(b) {
		if b[i] < '0' || b[i] > '9' {
			return 0, false
		}
		n = n*10 + int(b[i]-'0')
	}
	return n, len(b) > 0
}

// parseMARC reads one record of ISO 2709.
func parseMARC(raw []byte) (*Described, error) {
	m := marcRecords.Get().(*marcRecord)
	defer marcRecords.Put(m)
	m.reset()
	if err := m.decode(raw); err != nil {
		return nil, err
	}
	return m.describe()
}

// decode reads the structure of a record: leader, directory, fields.
func (m *marcRecord) decode(raw []byte) error {
	if len(raw) < marcLeader+2 {
		return errs.New(errs.Refused, "it is no MARC record: %d bytes are too few", len(raw))
	}
	if raw[len(raw)-1] != marcRecordEnd {
		if n, ok := number(raw[:5]); ok {
			return errs.New(errs.Refused, "it is cut off: its leader says %d bytes, and there are %d without an end", n, len(raw))
		}
		return errs.New(errs.Refused, "it is no MARC record: no leader begins it and no terminator ends it")
	}
	for _, c := range raw[:marcLeader] {
		if c < ' ' || c > '~' {
			return errs.New(errs.Refused, "it does not begin with a leader")
		}
	}
	text := string(raw)
	m.leader = text[:marcLeader]
	if !m.directory(text) {
		if err := m.mend(text); err != nil {
			return err
		}
		m.warn("its leader or directory gives wrong lengths; its fields were told by their ends")
	}
	m.characters(text)
	return nil
}

func (m *marcRecord) warn(s string) {
	if len(m.warnings) < maxWarnings {
		m.warnings = append(m.warnings, s)
	}
}

// directory reads the fields as the directory says; false where it is not true of
// the bytes.
func (m *marcRecord) directory(text string) bool {
	length, ok := number(text[:5])
	base, ok2 := number(text[12:17])
	if !ok || !ok2 || length != len(text) || base <= marcLeader || base >= len(text) || text[base-1] != marcFieldEnd || (base-1-marcLeader)%marcEntry != 0 {
		return false
	}
	entries := text[marcLeader : base-1]
	if len(entries)/marcEntry > maxMARCFields {
		return false
	}
	data := text[base : len(text)-1]
	room := len(data) // fields do not overlap
	for ; len(entries) > 0; entries = entries[marcEntry:] {
		n, ok := number(entries[3:7])
		start, ok2 := number(entries[7:12])
		if room -= n; !ok || !ok2 || n < 1 || room < 0 || start+n > len(data) || data[start+n-1] != marcFieldEnd || strings.IndexByte(data[start:start+n], marcFieldEnd) != n-1 {
			m.fields, m.subs = m.fields[:0], m.subs[:0]
			return false
		}
		m.add(entries[:3], data[start:start+n-1])
	}
	return true
}

// mend reads the fields by their terminators, in the order of the directory: for
// records whose numbers are wrong, or too small for what they hold, as in those
// longer than 99,999 bytes.
func (m *marcRecord) mend(text string) error {
	m.fields, m.subs = m.fields[:0], m.subs[:0]
	end := strings.IndexByte(text, marcFieldEnd)
	if end < marcLeader+marcEntry {
		return errs.New(errs.Refused, "it has no directory")
	}
	entries := text[marcLeader:end]
	data := strings.TrimSuffix(text[end+1:len(text)-1], string(rune(marcFieldEnd)))
	if len(entries)%marcEntry != 0 {
		return errs.New(errs.Refused, "its directory has %d bytes, which is no whole number of entries", len(entries))
	}
	if want, have := len(entries)/marcEntry, strings.Count(data, string(rune(marcFieldEnd)))+1; want != have {
		return errs.New(errs.Refused, "its directory names %d fields, and there are %d", want, have)
	} else if want > maxMARCFields {
		return errs.New(errs.Refused, "it has more than %d fields", maxMARCFields)
	}
	last := -1
	for ; len(entries) > 0; entries = entries[marcEntry:] {
		if start, ok := number(entries[7:12]); len(text) <= 99_999 {
			if !ok || start < last {
				return errs.New(errs.Refused, "its directory is damaged: which field is which cannot be told")
			}
			last = start
		}
		var value string
		value, data, _ = strings.Cut(data, string(rune(marcFieldEnd)))
		m.add(entries[:3], value)
	}
	return nil
}

// add appends a field with its bytes, which end before the terminator.
func (m *marcRecord) add(tag, data string) {
	f := marcField{tag: tag, alt: -1}
	if isControlTag(tag) {
		f.value = strings.TrimPrefix(data, "\x1f")
		m.fields = append(m.fields, f)
		return
	}
	f.ind1, f.ind2, f.from = ' ', ' ', len(m.subs)
	at := strings.IndexByte(data, marcSubfield)
	if at < 0 {
		at = len(data)
	}
	if at >= 2 { // otherwise indicators are missing
		f.ind1, f.ind2 = data[0], data[1]
	} else if at == 1 {
		f.ind1 = data[0]
	}
	for data = data[at:]; len(data) >= 2 && len(m.subs) < maxMARCSubs; {
		data = data[1:]
		end := strings.IndexByte(data, marcSubfield)
		if end < 0 {
			end = len(data)
		}
		if end > 1 {
			code := data[0]
			if code <= ' ' || code > '~' {
				code = '?'
			}
			m.subs = append(m.subs, marcSub{code, data[1:end]})
		}
		data = data[end:]
	}
	f.to = len(m.subs)
	m.fields = append(m.fields, f)
}

// isControlTag says whether a field has no indicators and subfields: 001 to 009.
func isControlTag(tag string) bool { return len(tag) == 3 && tag[0] == '0' && tag[1] == '0' }

// characters turns the bytes of all values into Unicode. Leader/09 says what they
// are, and is not always right: what is UTF-8 by its form is read as that.
func (m *marcRecord) characters(text string) {
	plain := true
	for i := range len(text) {
		if c := text[i]; c >= 0x80 || c == 0x1b || c == '&' {
			plain = false
			break
		}
	}
	if plain {
		return
	}
	stated := m.leader[9] == 'a'
	valid := utf8.ValidString(text)
	escapes := strings.IndexByte(text, 0x1b) >= 0
	high := false
	for i := range len(text) {
		high = high || text[i] >= 0x80
	}
	decode := func(s string) string { return norm.NFC.String(s) }
	switch {
	case valid && (stated || high && !escapes):
		if !stated {
			if !m.isUNIMARC() { // whose leader does not say
				m.warn("its leader says MARC-8, and it is UTF-8")
			}
		}
	case m.isUNIMARC():
		decode = chinese
	case !stated:
		bad := 0
		decode = func(s string) string {
			out, n := decodeMARC8(s)
			bad += n
			return out
		}
		m.each(decode)
		if bad > 0 {
			m.warn("characters that MARC-8 does not have were left out")
		}
		return
	default: // UTF-8, says the leader, and it is not all so
		if broken := invalidUTF8(text); escapes || broken > 3 && broken*2 > wideRunes(text) {
			bad := 0
			for i := range m.subs {
				_, n := decodeMARC8(m.subs[i].value)
				bad += n
			}
			if bad == 0 {
				m.warn("its leader says UTF-8, and it is MARC-8")
				decode = func(s string) string { out, _ := decodeMARC8(s); return out }
			} else {
				m.warn("its leader says UTF-8, and it is not; it was read as Windows-1252")
				decode = func(s string) string {
					out, err := charmap.Windows1252.NewDecoder().String(s)
					if err != nil {
						return ""
					}
					return norm.NFC.String(out)
				}
			}
			break
		}
		m.warn("bytes that are not UTF-8 were left out")
		decode = func(s string) string { return norm.NFC.String(strings.ToValidUTF8(s, "")) }
	}
	m.each(decode)
}

// wideRunes counts the characters of a text that take more than one byte of UTF-8
// and are whole.
func wideRunes(text string) int {
	n := 0
	for _, r := range text {
		if r >= utf8.RuneSelf && r != utf8.RuneError {
			n++
		}
	}
	return n
}

// strays are characters that catalogues have and records do not: marks that turn the
// direction of writing, around punctuation that goes too, and the halves of a mark
// over two letters, which is one character.
var strays = strings.NewReplacer("\u200e", "", "\u200f", "", "\ufe20", "\u0361", "\ufe21", "", "\ufe22", "\u0360", "\ufe23", "")

// each changes every value that is not plain ASCII.
func (m *marcRecord) each(read func(string) string) {
	decode := func(s string) string {
		s = read(s)
		if strings.Contains(s, "\xe2\x80") || strings.Contains(s, "\xef\xb8") {
			s = strays.Replace(s)
		}
		return s
	}
	for i := range m.subs {
		if v := m.subs[i].value; !isPlain(v) {
			m.subs[i].value = decode(v)
		}
	}
	for i := range m.fields {
		if v := m.fields[i].value; !isPlain(v) {
			m.fields[i].value = decode(v)
		}
	}
}

// isPlain says whether MARC-8 and UTF-8 both read s as the same ASCII.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || c == 0x1b || c == '&' {
			return false
		}
	}
	return true
}
