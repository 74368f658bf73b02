package exec

import (
	"time"

	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// Bounds of a request; what is beyond them is cut off.
const (
	MaxLimit  = 1000                 // hits of an answer
	MaxOffset = 10000                // hits that are passed over without a key
	MaxTop    = MaxLimit + MaxOffset // hits that a query holds
	MaxFacet  = 1000                 // values of a facet
)

// Sort is the order of hits. Documents that are equal in it are ordered by record,
// ascending, and by part; of equally new ones, and of all when no words are asked for,
// the latest record comes first.
type Sort uint8

const (
	Relevance Sort = iota // best score first
	Newest                // by year, latest first; unknown years last
	Oldest                // by year, earliest first; unknown years last
	Title                 // by title key, bytewise; documents without one last
)

// Filters is what a document's columns must say. Lists are "any of these", values as the
// facets give them; an empty list lets everything through.
type Filters struct {
	Languages, Kinds, Subjects, Creators, Access []string
	YearFrom, YearTo                             int // years, both ends included; 0: open. An unknown year is in no range
}

// Request is what is asked.
type Request struct {
	Query   *query.Query // nil, or nil Root: all documents
	Filters Filters      // holds beside Query.Filters
	Sort    Sort
	Limit   int  // hits, at most MaxLimit; 0: none, only counts
	Offset  int  // hits to pass over, at most MaxOffset; counted from After when there is one
	After   *Key // only hits after this one; of the same sort, else errs.Invalid

	Facets   []segment.Facet // to count over all matches; Answer.Facets is in this order
	Years    bool            // count years, too
	Rough    bool            // what segments have counted of a common word is enough, though it be of their most frequent values only
	MaxFacet int             // values of each facet, at most MaxFacet; 0: 50

	// TotalUpTo says how far matches are counted one by one. A greater total is an
	// estimate and marked, unless it is known anyway. 0: 1000; negative: without end.
	TotalUpTo int

	Strict bool // no typos and no partial matches

	// Each, where it is not nil, is called with the record of every match, in no order, and
	// there are no hits. Sort is Title and Limit at least 1, so that no match is passed over.
	Each func(record int64)

	// Near gives tokens that stand for a mistyped word and are not near to it by letters,
	// because the analyser cuts words; nil: none.
	Near  func(token string) []string
	Model *Model // nil: DefaultModel

	words int // words that a prefix stands for; 0: maxPrefix
}

// latest says whether of equal documents the later record comes first.
func (r *Request) latest() bool {
	return r.Sort == Newest || r.Sort == Relevance && (r.Query == nil || r.Query.Root == nil)
}

// Budget bounds one query. The zero value bounds nothing.
type Budget struct {
	Deadline time.Time // zero: none
	Work     int64     // postings decoded and documents looked at, about; 0: no bound
	Gate     *Gate     // shared by all queries of a library; nil: none
}

// Hit is a document that matches.
type Hit struct {
	Record int64
	Part   int32
	Score  float64 // higher is better, of use within one answer only; 0 when not sorted by relevance
	Year   int16   // 0: unknown
	Key    Key     // for Request.After
}

// FacetCount is how many matches have a value.
type FacetCount struct {
	Value string
	N     int64
}

// YearCount is how many matches are of a year; 0 are those of unknown year.
type YearCount struct {
	Year int16
	N    int64
}

// Correction is a word of the query that no document has, or few, and the most frequent of
// the nearest words that there are. Texts are tokens, as the analyser gives them.
type Correction struct {
	From, To string
	Distance int   // edits
	DF       int64 // documents that have To
	Applied  bool  // true: From was searched as To and its like. False: it may be what was meant
}

// Answer is what was found.
type Answer struct {
	Hits  []Hit
	Total int64 // documents that match
	Exact bool  // false: Total is an estimate, or the budget was spent and better hits may exist

	Facets      [][]FacetCount // most frequent first, then by value, any of those that are as frequent as the last; in the order of Request.Facets
	Years       []YearCount    // latest first, without those of unknown year; all of them
	UnknownYear int64          // matches without a year; counted with Years
	FacetsExact bool           // false: counts are of a part of the matches only, or a value may be missing

	Partial     bool         // nothing matches all words: these are the best of those that match some
	Corrections []Correction // in the order of the query
	Cut         bool         // the budget was spent
	Work        int64        // see Budget
}
