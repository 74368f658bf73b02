// Package index is the search view.
//
// [Index] is the contract of a search engine over the records: query in; hits,
// highlights, facets, a total and the time it took out. [Engine] is Wenlan's own,
// made for a hundred million records on a volunteer's machine; the package
// indextest is the conformance suite that every engine must pass.
//
// # Where things are
//
//	analysis  text to tokens: folding, stems, pairs of Chinese characters, pinyin, identifiers
//	query     what people type to a tree of tokens
//	segment   one immutable part of the index, as a row of bytes: file format, builder, reader, merge
//	store     the segments in a folder: manifest, log of small batches, deletions, merging, snapshots
//	exec      the answer to a query over a snapshot: ranking, counts, facets, typos, prefixes, budget
//	fulltext  the text of open works, by chapter or page, in a store of its own
//
// This package makes documents of records (document.go), folds the register's
// entries into the store (apply.go), and turns answers into results with
// highlights, spelling and suggestions. The formats, byte by byte, are described
// in the packages that write them: segment (files seg-…), store (manifest, tail,
// deletions). The sources of the algorithms are named there and in exec.
//
// # Documents
//
// A record is one document. Its fields are title (with the other titles),
// creators, about (container and subjects), publisher (and place), abstract,
// identifiers, and readings, which are the pinyin of Chinese titles and names. A
// value divides the positions, so that no phrase crosses from one title to the
// next. For filters, facets and sorting it has year, kind, languages, subjects,
// creators, access and the folded title. Text is not stored: what a hit shows is
// read from the register through [Records].
//
// # Promises
//
// Apply is atomic with the cursor, and reading never waits for it. Any text is a
// query: nothing that is typed is a syntax error. Each query has a budget of time
// and of work; one that reaches it gives the best of what it saw and says so
// ([Result.Exact] is false). Totals are counted to a bound, or known from the
// dictionary; others are estimates and are marked. Records that are merged away or
// erased are not found; what they were merged into is, by their titles, names and
// identifiers, too. Records whose access is withdrawn are: the site shows a
// tombstone for them.
package index
