package query

// Node is a part of a query: one of [*And], [*Or], [*Not], [*Term], [*Phrase].
// The parser makes flat trees: no And directly inside an And, no Or inside an Or
// of the same kind, no Not inside a Not, and a Not only inside an And. Trees are
// at most MaxDepth deep.
type Node interface{ node() }

// And matches what all of its parts match. Parts that are a Not take away. An And
// of nothing but Nots takes away from all documents. Never empty.
type And struct{ Of []Node }

// Or matches what one of its parts matches. Never empty.
type Or struct {
	Of []Node

	// Alternatives: the parts are readings of one thing that was typed. The first
	// is the plain one, the others an identifier or a reading in pinyin. The best
	// of them counts, not their sum; typos are not tried when any matches; and an
	// engine may leave out those in the field Reading when the first is frequent.
	Alternatives bool
}

// Not takes away what its part matches.
type Not struct{ Of Node }

// Term matches documents that have a token.
type Term struct {
	Text   string // as the analyser gives it
	Fields uint8  // mask by segment.Field: 1<<segment.Title and so on; never 0
	Prefix bool   // any token that begins with Text
	Whole  bool   // an identifier, a reading, or between quotes: no typos
}

// Phrase matches documents that have tokens side by side in one field. It has at
// least two tokens, none of them empty.
type Phrase struct {
	Tokens []string
	Fields uint8
	Prefix bool // the last token is only how one begins
	Loose  bool // a word of a script without spaces: that they stand side by side may be verified late, or for the best hits only
	Whole  bool // between quotes, or readings: no typos
}

func (*And) node()    {}
func (*Or) node()     {}
func (*Not) node()    {}
func (*Term) node()   {}
func (*Phrase) node() {}

// Filters are what the text says of values that are not searched but compared.
// They hold for the whole query, wherever they stand in it. Values are in lower
// case, sorted, without repetition.
type Filters struct {
	Languages []string // any of these, by primary subtag
	Kinds     []string // any of these
	YearFrom  int      // first year; 0: open. After YearTo: nothing matches
	YearTo    int      // last year; 0: open

	NotLanguages []string // none of these
	NotKinds     []string
	NotYears     []Years // none of these; an unknown year is in none
}

// Years is a range of years with both ends; 0: open.
type Years struct{ From, To int }

// Query is the meaning of a text.
type Query struct {
	Root    Node // nil: all documents that the filters let through; a term that none has, when nothing typed can be searched for
	Filters Filters
	Text    string // what was read, cut at MaxText, as typed
	Terms   int    // words and phrases in the tree, without alternatives

	syntax *item // what was read, before analysis; nil: nothing
}
