package mirror

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Selection says whose files a partial mirror holds. The zero value is all. Words
// of one key are alternatives, different keys must all hold:
//
//	lang:zh lang:en kind:book year:1900..1950
//
// A language is met by its primary subtag or by a longer tag as a whole; a year
// may be open at one end.
type Selection struct {
	Languages []string      // BCP 47, lower case
	Kinds     []record.Kind // of record.Kinds
	Years     []Years
}

// Years is a range, both ends included.
type Years struct{ From, To int }

const (
	minYear, maxYear = -9999, 9999
	maxSelection     = 1000 // bytes
)

// ParseSelection reads a selection; an empty text is all.
func ParseSelection(text string) (Selection, error) {
	var s Selection
	if len(text) > maxSelection {
		return s, errs.New(errs.Invalid, "the selection is longer than %d bytes", maxSelection)
	}
	for word := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(word, ":")
		for v := range strings.SplitSeq(value, ",") {
			if err := s.add(key, v); err != nil {
				return Selection{}, errs.WithHint(fmt.Errorf("%.80q selects nothing: %w", word, err),
					"write it like: lang:zh kind:book year:1900..1950")
			}
		}
	}
	slices.Sort(s.Languages)
	slices.Sort(s.Kinds)
	slices.SortFunc(s.Years, func(a, b Years) int {
		if a.From != b.From {
			return a.From - b.From
		}
		return a.To - b.To
	})
	s.Languages, s.Kinds, s.Years = slices.Compact(s.Languages), slices.Compact(s.Kinds), slices.Compact(s.Years)
	return s, nil
}

func (s *Selection) add(key, value string) error {
	switch key {
	case "lang":
		if !isTag(value) {
			return errs.New(errs.Invalid, "%.40q is not a language's tag", value)
		}
		s.Languages = append(s.Languages, strings.ToLower(value))
	case "kind":
		if !slices.Contains(record.Kinds, record.Kind(value)) {
			return errs.New(errs.Invalid, "%.40q is not a kind of record", value)
		}
		s.Kinds = append(s.Kinds, record.Kind(value))
	case "year":
		from, to, isRange := strings.Cut(value, "..")
		y := Years{minYear, maxYear}
		var err, err2 error
		if from != "" || !isRange {
			y.From, err = parseYear(from)
		}
		if !isRange {
			y.To = y.From
		} else if to != "" {
			y.To, err2 = parseYear(to)
		}
		if err != nil || err2 != nil || y.From > y.To || from == "" && to == "" {
			return errs.New(errs.Invalid, "%.40q is not a year or a range of years", value)
		}
		s.Years = append(s.Years, y)
	default:
		return errs.New(errs.Invalid, "there are lang, kind and year, but no %.40q", key)
	}
	return nil
}

func parseYear(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < minYear || n > maxYear || strings.HasPrefix(s, "+") {
		return 0, errs.New(errs.Invalid, "not a year")
	}
	return n, nil
}

// isTag says whether s has the form of a BCP 47 tag.
func isTag(s string) bool {
	if len(s) < 2 || len(s) > 35 || strings.HasPrefix(s, "-") || strings.HasSuffix(s, "-") || strings.Contains(s, "--") {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '-' {
			return false
		}
	}
	return true
}

// All says whether nothing is left out.
func (s Selection) All() bool { return len(s.Languages)+len(s.Kinds)+len(s.Years) == 0 }

// String is the selection in the form in which [ParseSelection] reads it.
func (s Selection) String() string {
	var words []string
	for _, l := range s.Languages {
		words = append(words, "lang:"+l)
	}
	for _, k := range s.Kinds {
		words = append(words, "kind:"+string(k))
	}
	for _, y := range s.Years {
		switch {
		case y.From == y.To:
			words = append(words, fmt.Sprintf("year:%d", y.From))
		case y.From == minYear:
			words = append(words, fmt.Sprintf("year:..%d", y.To))
		case y.To == maxYear:
			words = append(words, fmt.Sprintf("year:%d..", y.From))
		default:
			words = append(words, fmt.Sprintf("year:%d..%d", y.From, y.To))
		}
	}
	return strings.Join(words, " ")
}

// Match says whether a record is selected. One that states no language or year
// does not meet a condition on it.
func (s Selection) Match(st *record.State) bool {
	r := st.Record
	kind := r.Kind
	if kind == "" {
		kind = record.Other
	}
	if len(s.Kinds) > 0 && !slices.Contains(s.Kinds, kind) {
		return false
	}
	if len(s.Languages) > 0 && !slices.ContainsFunc(r.Languages, s.speaks) {
		return false
	}
	if len(s.Years) > 0 {
		y, ok := yearOf(r.Issued)
		if !ok || !slices.ContainsFunc(s.Years, func(r Years) bool { return r.From <= y && y <= r.To }) {
			return false
		}
	}
	return true
}

func (s Selection) speaks(tag string) bool {
	tag = strings.ToLower(tag)
	for _, l := range s.Languages {
		if rest, ok := strings.CutPrefix(tag, l); ok && (rest == "" || rest[0] == '-') {
			return true
		}
	}
	return false
}

// yearOf is the year that an EDTF date begins with.
func yearOf(issued string) (int, bool) {
	digits := strings.TrimPrefix(issued, "-")
	if len(digits) < 4 {
		return 0, false
	}
	y, err := strconv.Atoi(digits[:4])
	if err != nil || y < 0 || len(digits) > 4 && digits[4] >= '0' && digits[4] <= '9' {
		return 0, false
	}
	if len(digits) < len(issued) {
		y = -y
	}
	return y, true
}

// Offered are the blobs of a record that a mirror may hold: those which any
// visitor may download, at whatever place. Withdrawals are those of a blob, in
// force; at is the present time.
func Offered(st *record.State, withdrawals func(sha256 string) ([]record.Withdrawal, error), q record.Question) ([]blob.Ref, error) {
	if st == nil {
		return nil, nil
	}
	q.State, q.Standing, q.Place, q.BlobWithdrawals = st, record.Visitor, "", nil
	if !record.Decide(q).Download {
		return nil, nil
	}
	var refs []blob.Ref
	for _, f := range st.Files {
		w, err := withdrawals(f.SHA256)
		if err != nil {
			return nil, err
		}
		q.BlobWithdrawals = w
		if record.Decide(q).Download {
			refs = append(refs, blob.Ref{SHA256: f.SHA256, Bytes: f.Bytes})
		}
	}
	return refs, nil
}

// Refusal is one thing that a mirror's keeper does not hold or show.
type Refusal struct {
	Blob   string // SHA-256 in hex; empty: Record
	Record int64
	Reason string // shown openly on this mirror
}

// Deny is what a mirror's keeper refuses beyond what the library does. The zero
// value refuses nothing.
type Deny struct {
	list    []Refusal
	blobs   map[string]string
	records map[int64]string
}

const (
	maxDenyFile = 64 << 20
	maxReason   = 500
)

// ParseDeny reads a list of refusals, one a line: the SHA-256 of a file or the
// number of a record, white space, and the reason, which must be given. Empty
// lines and those that begin with # are left out.
func ParseDeny(text []byte) (*Deny, error) {
	if len(text) > maxDenyFile {
		return nil, errs.New(errs.TooLarge, "the list of refusals is longer than %d bytes", maxDenyFile)
	}
	d := &Deny{blobs: map[string]string{}, records: map[int64]string{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 64<<10)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(strings.ToValidUTF8(lines.Text(), "\uFFFD"))
		if line == "" || line[0] == '#' {
			continue
		}
		what, reason := line, ""
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			what, reason = line[:i], strings.Join(strings.Fields(line[i:]), " ")
		}
		if reason == "" || len(reason) > maxReason {
			return nil, errs.New(errs.Invalid, "line %d of the list of refusals has no reason, or one of more than %d bytes", n, maxReason)
		}
		number, err := strconv.ParseInt(what, 10, 64)
		switch {
		case blob.Valid(what):
			if _, twice := d.blobs[what]; !twice {
				d.list = append(d.list, Refusal{Blob: what, Reason: reason})
			}
			d.blobs[what] = reason
		case err == nil && number >= 0 && strconv.FormatInt(number, 10) == what:
			if _, twice := d.records[number]; !twice {
				d.list = append(d.list, Refusal{Record: number, Reason: reason})
			}
			d.records[number] = reason
		default:
			return nil, errs.New(errs.Invalid, "line %d of the list of refusals begins neither with a SHA-256 nor with a record's number", n)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, errs.New(errs.Invalid, "the list of refusals: %w", err)
	}
	return d, nil
}

// Blob says whether a file is refused, and why.
func (d *Deny) Blob(sha256 string) (reason string, refused bool) {
	if d == nil {
		return "", false
	}
	reason, refused = d.blobs[sha256]
	return reason, refused
}

// Record says whether a record is refused, and why.
func (d *Deny) Record(n int64) (reason string, refused bool) {
	if d == nil {
		return "", false
	}
	reason, refused = d.records[n]
	return reason, refused
}

// List is everything refused, in the order of the file.
func (d *Deny) List() []Refusal {
	if d == nil {
		return nil
	}
	return d.list
}
