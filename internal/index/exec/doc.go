// Package exec answers a query over the segments of a snapshot: the best documents,
// how many there are, facets, orders, filters, and forgiveness for what was mistyped.
//
// [Run] is the whole of it; [Complete] serves what someone is still typing. Both read
// only what they are given, and may be called by many goroutines at once. All that is kept
// between two queries is scratch, and the words of a prefix and what was collected of them, at most
// 64 MiB, the last used first; it holds no segment.
//
// # How it goes
//
// The tree of package query becomes a plan, once for the snapshot: words get their
// frequency summed over the segments, prefixes and typos become groups of words. Then
// each segment in turn is read, document at a time, with one heap for all, so that what
// the first segment found lets the later ones skip.
//
//   - A word alone skips blocks of postings whose bound is not above the heap's worst, and
//     groups of blocks. The most promising groups, and then blocks, are looked at first, so
//     that the threshold is high from the start; likewise the largest segment.
//   - The facets of a common word alone are those that its segments have counted
//     ([segment.Reader.Counts]). Where these keep only the most frequent values, and several
//     segments have the word, its documents are counted, or, when they are very many, the
//     counts are what the segments have, and not exact. See common.go.
//   - A conjunction leapfrogs through its lists, the rarest first, and skips where the
//     bounds of the blocks cannot sum up to enough (Ding and Suel, "Faster top-k document
//     retrieval using block-max indexes", SIGIR 2011).
//   - A disjunction is MaxScore (Turtle and Flood, "Query evaluation: strategies and
//     optimizations", IPM 31(6), 1995), with bounds of blocks, window by window; the
//     threshold starts at what the rarest word alone reaches. Once no document can enter
//     without a certain word, its list alone is followed, and the others are asked.
//   - A prefix stands for all words that begin with it. Their postings in the fields asked for
//     are collected into one list for the segment, with bounds of its blocks, and kept. Where
//     they are too many, or the other words of a conjunction leave few documents, the words
//     are looked for in these alone. A prefix without others has then its most frequent words
//     read on their own, and the list has the rest; where that is too much, too, the rest is
//     left out, and the total is no longer exact. See ranged.go.
//   - A group of words (frequent ones of a prefix, typos) is united window by window; the
//     best word of it that a document has counts.
//   - In an order by year, documents of a year that cannot enter are passed over, and of a
//     word alone blocks that are within bounds of years that cannot. See dated.go.
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
// by an automaton over the words with the same first letter (Schulz and Mihov, "Fast string
// correction with Levenshtein automata", IJDAR 5, 2002); when there are none, by those that
// differ by an edit of the first letter, which are looked up one by one. A word that few
// have is widened by one edit, its first letter kept, when the query finds little. A total
// is exact only when [Answer].Corrections says of all that was widened that it was.
// See expand.go.
//
// When nothing matches all words, those that match some are given, ranked by BM25F with a
// small bonus for each word, and [Answer].Partial is set.
//
// # Bounds
//
// A query holds at most maxLeaves lists, [MaxTop] hits, and scratch that is a few bytes
// for each value of a facet; it is pooled. [Budget] bounds time and work, [Gate] how many
// heavy queries run at once. What was cut by either is marked in the [Answer].
package exec
