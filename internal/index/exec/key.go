package exec

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"math"

	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

// Key is the place of a hit in the order of an answer: what it is sorted by, record and
// part. A key holds as long as the index does not change; for orders other than Relevance
// also beyond, because nothing in it depends on other documents.
type Key struct {
	Sort   Sort
	Score  float64 // Relevance only
	Year   int16   // Newest, Oldest; 0: unknown
	Title  string  // Title only: the title key; at most segment.MaxTitleKey bytes
	Record int64
	Part   int32
}

const (
	keyVersion = 1
	keyHead    = 2 + 8 + 4 // version, sort, record, part
)

// String is the key as text: URL-safe base64 without padding. ParseKey is its inverse.
func (k Key) String() string {
	b := make([]byte, 0, keyHead+segment.MaxTitleKey)
	b = append(b, keyVersion, byte(k.Sort))
	b = binary.BigEndian.AppendUint64(b, uint64(k.Record))
	b = binary.BigEndian.AppendUint32(b, uint32(k.Part))
	switch k.Sort {
	case Newest, Oldest:
		b = binary.BigEndian.AppendUint16(b, uint16(k.Year))
	case Title:
		b = append(b, k.Title[:min(len(k.Title), segment.MaxTitleKey)]...)
	default:
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(k.Score))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseKey reads what String wrote. Anything else is errs.Invalid.
func ParseKey(text string) (Key, error) {
	bad := errs.New(errs.Invalid, "the key of the page is not valid")
	if len(text) > base64.RawURLEncoding.EncodedLen(keyHead+segment.MaxTitleKey) {
		return Key{}, bad
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < keyHead || b[0] != keyVersion {
		return Key{}, bad
	}
	k := Key{Sort: Sort(b[1]), Record: int64(binary.BigEndian.Uint64(b[2:])), Part: int32(binary.BigEndian.Uint32(b[10:]))}
	rest := b[keyHead:]
	switch k.Sort {
	case Relevance:
		if len(rest) != 8 {
			return Key{}, bad
		}
		k.Score = math.Float64frombits(binary.BigEndian.Uint64(rest))
		if math.IsNaN(k.Score) || math.IsInf(k.Score, 0) || k.Score < 0 {
			return Key{}, bad
		}
	case Newest, Oldest:
		if len(rest) != 2 {
			return Key{}, bad
		}
		k.Year = int16(binary.BigEndian.Uint16(rest))
	case Title:
		k.Title = string(rest)
	default:
		return Key{}, bad
	}
	if k.String() != text { // one text a key: no line breaks, no second spelling
		return Key{}, bad
	}
	return k, nil
}

// place is a document's place in an order: smaller comes first. Only the fields of the
// order in use are set.
type place struct {
	score  float64
	year   int32 // see yearRank
	title  []byte
	record int64
	part   int32
	seg    int32
	doc    uint32
}

// yearRank makes a year such that the smaller rank comes first; unknown years last.
func yearRank(s Sort, year int16) int32 {
	switch {
	case year == 0:
		return math.MaxInt32
	case s == Newest:
		return -int32(year)
	default:
		return int32(year)
	}
}

func (k *Key) place() place {
	return place{score: k.Score, year: yearRank(k.Sort, k.Year), title: []byte(k.Title), record: k.Record, part: k.Part}
}

// compare is negative when a comes before b. latest says that of equal ones the later
// record comes first; its parts keep their order.
func (s Sort) compare(a, b *place, latest bool) int {
	switch s {
	case Relevance:
		if a.score != b.score {
			return cmp.Compare(b.score, a.score)
		}
	case Newest, Oldest:
		if a.year != b.year {
			return cmp.Compare(a.year, b.year)
		}
	case Title:
		if (len(a.title) == 0) != (len(b.title) == 0) {
			return cmp.Compare(len(b.title), len(a.title))
		}
		if c := bytes.Compare(a.title, b.title); c != 0 {
			return c
		}
	}
	if a.record != b.record {
		if latest {
			return cmp.Compare(b.record, a.record)
		}
		return cmp.Compare(a.record, b.record)
	}
	return cmp.Compare(a.part, b.part)
}
