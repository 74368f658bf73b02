// Package exec answers a query over the segments of a snapshot: the best documents,
// how many there are, facets, orders, filters, and forgiveness for what was mistyped.
//
// [Run] is the whole of it; [Complete] serves what someone is still typing. Both read
// only what they are given, keep nothing, and may be called by many goroutines at once.
//
// # How it goes
//
// The tree of package query becomes a plan, once for the snapshot: words get their
// frequency summed over the segments, prefixes and typos become groups of words. Then
// each segment in turn is read, document at a time, with one heap for all, so that what
// the first segment found lets the later ones skip.
//
//   - A word alone skips blocks of postings whose bound is not above the heap's worst. The
//     most promising blocks are looked at first, so that the threshold is high from the start.
//   - A conjunction leapfrogs through its lists, the rarest first, and skips where the
//     bounds of the blocks cannot sum up to enough (Ding and Suel, "Faster top-k document
//     retrieval using block-max indexes", SIGIR 2011).
//   - A disjunction is MaxScore (Turtle and Flood, "Query evaluation: strategies and
//     optimizations", IPM 31(6), 1995), with bounds of blocks, window by window; the
//     threshold starts at what the rarest word alone reaches.
//   - A group of words (prefix, typos) is united window by window; the best word of it
//     that a document has counts.
//   - Phrases are conjunctions whose matches are then held against the positions.
//   - Filters look into the columns of a document that matches.
//
// # Scores
//
// BM25F with one list a word (Robertson, Zaragoza and Taylor, "Simple BM25 extension to
// multiple weighted fields", CIKM 2004, with one length for all fields): see [Model].
// Frequencies and lengths are those of all segments together; documents that are deleted
// but not yet merged away still count in them, and nowhere else.
//
// A score is a multiple of 2^-30. Sums of scores are therefore exact, in whatever order
// the lists are read, and equal documents have equal scores: the order of hits, by score
// and then by record, is the same whatever was skipped, and deep paging by [Key] misses
// and repeats nothing.
//
// # Forgiveness
//
// A word that no document has is replaced by those at a small Levenshtein distance, found
// by an automaton over the dictionary (Schulz and Mihov, "Fast string correction with
// Levenshtein automata", IJDAR 5, 2002). A word that few have is widened in this way when
// the query finds little. See expand.go. When nothing matches all words, the documents
// that match some best are given, by BM25F alone but for a small bonus a word, and [Answer.Partial] is set.
//
// # Bounds
//
// A query holds at most maxLeaves lists, [MaxTop] hits, and scratch that is a few bytes
// for each value of a facet; it is pooled. [Budget] bounds time and work, [Gate] how many
// heavy queries run at once. What was cut by either is marked in the [Answer].
package exec
