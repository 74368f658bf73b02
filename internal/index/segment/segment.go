package segment

import (
	"math"

	"github.com/RoaringBitmap/roaring/v2"
)

// Field is where in a document a token stands.
type Field uint8

const (
	Title     Field = iota // title and other titles
	Creators               // persons and bodies
	About                  // container, series, subjects
	Publisher              // publisher and place
	Abstract               // abstract
	ID                     // whole identifiers, in normal form, each one token
	Reading                // pinyin of title and creators
	Body                   // full text, in the full-text index only
	NumFields = 8
)

// Bit is the field's bit in a mask of fields.
func (f Field) Bit() uint8 { return 1 << f }

// NoMore is what Doc, Next and Advance return past the last posting. No document
// has this number.
const NoMore = math.MaxUint32

// Limits. What is over one is not kept, as each says.
const (
	MaxToken    = 512           // bytes of a token; a longer one is left out, as if it were ""
	MaxTitleKey = 32            // bytes of a title key; the rest is cut
	MaxValue    = 1 << 12       // bytes of a facet value; the rest is cut
	MaxDocs     = math.MaxInt32 // documents of a segment; Add and Merge refuse more
	MaxPerDoc   = 4096          // values of one facet of one document; further ones are left out
	MaxTokens   = 1 << 22       // tokens of a document; Add refuses more
)

// Doc is what a builder takes. Nothing of it is kept after Add returns.
type Doc struct {
	Record    int64               // accession number
	Part      int32               // 0, or the chapter
	Tokens    [NumFields][]string // in order; the place in the slice is the position; "" leaves a gap (between values)
	Year      int16               // 0: unknown; negative before our era
	Kind      string              // "" for none
	Languages []string            // facet values, as shown; "" and repeated ones are left out
	Subjects  []string
	Creators  []string
	Access    []string
	TitleKey  []byte // folded title, sorts bytewise; at most MaxTitleKey bytes count
}

// Options are what a builder is made with. The zero value works.
type Options struct {
	Positions bool               // keep the positions of tokens: needed for phrases
	Weights   [NumFields]float32 // weights of fields in a document's length; all zero: DefaultWeights
}

// DefaultWeights are the weights of fields in a document's length, where the options
// name none. Identifiers and readings add nothing to a length.
var DefaultWeights = [NumFields]float32{Title: 8, Creators: 5, About: 3, Publisher: 1, Abstract: 1, Body: 1}

// Pos is a place in a document: the field, and the place in Doc.Tokens of that field.
type Pos struct {
	Field Field
	At    uint32
}

// Facet is a column of values to count and to filter by.
type Facet uint8

const (
	Language Facet = iota
	Kind
	Subject
	Creator
	Access
	NumFacets = 5
)

// Impact bounds some postings of a block that have one mask of fields: none of them has a greater tf or
// a document with a lesser length code.
type Impact struct {
	Mask   uint8 // fields, as bits
	MaxTF  uint8 // 1..255
	MinLen uint8 // length code, see Len
}

// View is a segment as a snapshot shows it.
type View struct {
	*Reader
	Deleted *roaring.Bitmap // documents that do not count; nil: none
	Live    int             // documents that count
}

// Input is a segment to merge.
type Input struct {
	*Reader
	Deleted *roaring.Bitmap // documents to leave out; nil: none. Not changed.
}

// LenCode quantises a weighted length, in tokens, to one byte; it is monotone. Values
// to 24 are exact, others keep four significant bits, as in Lucene's SmallFloat.intToByte4.
func LenCode(length uint32) uint8 {
	if length > math.MaxInt32 {
		length = math.MaxInt32
	}
	if length < numFree {
		return uint8(length)
	}
	return uint8(numFree + long4(length-numFree))
}

// LenOf is the least weighted length, in tokens, that has the code. A code that no
// length has stands for the greatest one.
func LenOf(code uint8) uint32 { return lenTable[code] }

// numFree is how many lengths have a code of their own: 255 - long4(MaxInt32).
const numFree = 24

// long4 is a float of four significant bits (three stored) as an integer.
func long4(x uint32) uint32 {
	bits := uint32(32)
	for bits > 0 && x>>(bits-1) == 0 {
		bits--
	}
	if bits < 4 {
		return x
	}
	shift := bits - 4
	return x>>shift&7 | (shift+1)<<3
}

var lenTable = func() (t [256]uint32) {
	for c := range t {
		if c < numFree {
			t[c] = uint32(c)
			continue
		}
		x := uint64(c - numFree)
		if shift := int(x>>3) - 1; shift >= 0 {
			x = (x&7 | 8) << shift
		}
		t[c] = uint32(min(x+numFree, math.MaxInt32))
	}
	return t
}()
