package index

import (
	"context"
	"slices"
	"time"

	"wenlan/internal/record"
	"wenlan/internal/view"
)

// Sort orders. What is equal in one is ordered by accession number; of equally new
// records, and of all when nothing is asked for, the latest comes first.
const (
	Relevance = "relevance" // best first
	Newest    = "newest"    // by year of issue, latest first; unknown years last
	Oldest    = "oldest"    // by year of issue, earliest first; unknown years last
	Title     = "title"     // by title
)

// Query is what is asked.
type Query struct {
	Text      string   // as typed: words that must all match, "phrases"; empty: everything
	Languages []string // any of these, by primary subtag
	Kinds     []string // any of these
	Subjects  []string // any of these, as the facets give them
	Creators  []string // any of these, likewise
	Access    []string // any of these, likewise
	Classes   []string // any of these, and what is under them: "ddc:823.7", "clc:I24"; see Class
	Persons   []string // any of these identifiers of creators, in normal form: "orcid:0000-0002-1825-0097"
	YearFrom  int      // 0: open
	YearTo    int      // 0: open
	Sort      string   // one of the sort orders; another one counts as Relevance
	Limit     int      // default 20, at most MaxLimit
	Offset    int      // at most MaxOffset
	After     string   // go on after the hit with this key, however deep; Offset counts from there
	Facets    bool     // count facets, too
	Only      []string // of the facets, these; none: all
	Rough     bool     // the facets may be of the most frequent values of parts of the index only, and are then not exact, but cost nothing
	Exactly   bool     // the words as they were typed: nothing is corrected, and nothing partial is given
}

// Limits of a query; what is beyond them is cut off.
const (
	MaxLimit  = 1000
	MaxOffset = 10000
	MaxText   = 2048 // bytes
	MaxTerms  = 32   // words and phrases
)

// Span is a range of bytes, [Start, End).
type Span struct{ Start, End int }

// Hit is a record that matches.
type Hit struct {
	Record     int64
	Score      float64           // higher is better; only of use within one result
	Key        string            // for Query.After
	Highlights map[string][]Span // by field; only fields with a match
}

// Fields of highlights. The spans are those of [FieldText].
const (
	FieldTitle    = "title"
	FieldCreators = "creators"
	FieldAbstract = "abstract"
)

// FacetCount is how many matches have a value.
type FacetCount struct {
	Value string
	N     int64
}

// Names of the facets.
const (
	FacetLanguage = "language" // primary subtags; most first
	FacetKind     = "kind"     // most first
	FacetYear     = "year"     // latest first
	FacetSubject  = "subject"  // labels; most first
	FacetCreator  = "creator"  // names; most first
	FacetAccess   = "access"   // record.Access, or AccessWithdrawn, as of the last entry that names the record; most first
)

// AccessWithdrawn is the access of what is closed for legal reasons.
const AccessWithdrawn = "withdrawn"

// MaxFacet is how many values of a facet a result gives; years are given all.
const MaxFacet = 50

// Result is the answer to a query.
type Result struct {
	Hits       []Hit
	Total      int64
	Exact      bool   // false: Total is an estimate, or Facets are, or better hits may exist
	Partial    bool   // no record has all the words: these have the most of them
	Corrected  string // the query that was answered instead, because a word of it exists nowhere
	DidYouMean string // a query that would find more; not what was answered
	Took       time.Duration
	Facets     map[string][]FacetCount
}

// Grouped leaves of hits one of each work, and gives for each of these the other hits of
// its work, in their order. works says by which record a work is known; a hit that is not
// in it stands for itself. A work stands where its first hit was, and of its hits the one
// is shown that rank gives most for, of equal ones the first; rank is asked of works with
// several hits alone.
func Grouped(hits []Hit, works map[int64]int64, rank func(n int64) int) (shown []Hit, others map[int64][]int64) {
	at := map[int64]int{} // by work, in of
	var of [][]Hit
	for _, h := range hits {
		work, ok := works[h.Record]
		if !ok {
			work = h.Record
		}
		i, had := at[work]
		if !had {
			i = len(of)
			at[work], of = i, append(of, nil)
		}
		of[i] = append(of[i], h)
	}
	others = map[int64][]int64{}
	for _, group := range of {
		best := 0
		if len(group) > 1 {
			most := rank(group[0].Record)
			for i, h := range group[1:] {
				if r := rank(h.Record); r > most {
					best, most = i+1, r
				}
			}
		}
		shown = append(shown, group[best])
		for i, h := range group {
			if i != best {
				others[group[best].Record] = append(others[group[best].Record], h.Record)
			}
		}
	}
	return shown, others
}

// Rank says how much an edition of a work is worth to a reader: first that it can be read,
// then that it is in the reader's language, a BCP 47 tag.
func Rank(readable bool, r record.Record, language string) int {
	rank := 0
	if readable {
		rank = 2
	}
	if own := subtags([]string{language})[0]; own != "" && slices.Contains(subtags(r.Languages), own) {
		rank++
	}
	return rank
}

// Suggestion completes what someone is typing.
type Suggestion struct {
	Text   string // a title, a name or a subject
	Kind   string // SuggestTitle, SuggestCreator, SuggestSubject
	Record int64  // of a title: one that has it
}

// Kinds of suggestions.
const (
	SuggestTitle   = "title"
	SuggestCreator = "creator"
	SuggestSubject = "subject"
)

// Index is a search engine over the records. Its reading methods may be used at
// once, and with Apply.
type Index interface {
	view.View

	// Search answers a query. Any Query is valid. The error is one of the engine
	// or of ctx, never of what was typed.
	Search(ctx context.Context, q Query) (*Result, error)

	// Each calls fn with every record that matches a query, with the words as they were
	// typed, in no order; a record may come more than once. Sort, Limit, Offset and After
	// do not count, and there is no budget: it takes as long as it takes.
	Each(ctx context.Context, q Query, fn func(n int64)) error

	// Suggest gives titles that begin with, or have a word that begins with, what
	// was typed; at most limit, different from each other.
	Suggest(ctx context.Context, prefix string, limit int) ([]Suggestion, error)

	// Headings lists the values of a facet in order, with how many records have each.
	// It costs what it lists, however many there are.
	Headings(ctx context.Context, q HeadingQuery) (*HeadingList, error)

	// Classes gives the classes right under one, in order, with how many records are in
	// each of them or under it; under "" the main classes. An unknown scheme has none.
	Classes(ctx context.Context, scheme, parent string) ([]ClassCount, error)

	// Check reads the whole index and says what is wrong with it.
	Check(ctx context.Context) error
}

// HeadingQuery asks for values of a facet in order: FacetSubject, or FacetCreator by sort
// forms ("Austen, Jane"). The order is that of [analysis.Heading]: case and diacritics do
// not count, Chinese is among the Latin letters by its pinyin, other scripts follow.
// What is listed begins with Prefix, is not before From, and comes after After. Prefix and
// From are as someone types them.
type HeadingQuery struct {
	Facet  string
	Prefix string
	From   string
	After  string // HeadingList.Next of the page before
	Limit  int    // default 50, at most MaxHeadings
}

// MaxHeadings is how many values a list gives at most.
const MaxHeadings = 200

// HeadingList is a part of a list of values.
type HeadingList struct {
	Headings []Heading
	Next     string   // for After; empty: that was all
	Initials []string // what values begin with: letters of keys, in order; all those of the whole facet
}

// Heading is a value of a facet and how many records have it. A name that records give
// with different sort forms may stand in the list with each.
type Heading struct {
	Value  string // for Query.Creators or Query.Subjects
	Listed string // as a list shows it: "Austen, Jane"
	Key    string // what it is ordered by
	N      int64
	Exact  bool // false: N is an estimate, because some of many were changed since
}

// ClassCount is a class and how many records are in it or under it.
type ClassCount struct {
	Code  string // as Class gives it
	N     int64
	Exact bool // as that of Heading
}

// FieldText is the text of a field that highlights are spans of: the title, the
// names of the creators with "; " between them, or the abstract.
func FieldText(r record.Record, field string) string {
	switch field {
	case FieldTitle:
		return r.Title
	case FieldCreators:
		out := ""
		for i, c := range r.Creators {
			if i > 0 {
				out += "; "
			}
			out += c.Name
		}
		return out
	case FieldAbstract:
		return r.Abstract
	}
	return ""
}
