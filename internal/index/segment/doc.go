// Package segment is one immutable part of an index: builder, reader and merge.
// Bytes in, bytes out; it opens no files and never syncs: what is durable is the caller's matter. It starts no goroutines
// but those that [MergeParallel] is asked for, which have ended when it returns.
//
// A [Builder] takes documents and writes a segment. A [Reader] reads one, in place, where it lies in memory or
// is mapped. [Merge] makes one of several and leaves deleted documents out.
//
// # Invariants
//
// The documents of a segment are numbered from 0, sorted by (Record, Part), no pair twice; numbers are below
// [MaxDocs]. Words are sorted by their bytes and have at least one posting. The postings of a word rise by
// document; each has a mask of fields, not 0, and a tf of at least the number of its fields, at most 255 (more is
// cut). The same documents give the same bytes, in whatever order they were added. A merge gives what building at once would
// give, but for the sizes of blocks, and so their bytes.
//
// Nothing that a reader gives is out of range: a document is below Docs, an ordinal below Cardinality. That
// holds for bytes that make no sense too. Damage never panics and is never silent: Err of the reader names it from then on,
// and what could not be read is shown as empty. Every byte of a file is under a checksum, which is checked before the
// byte is first believed; so a flipped bit is found by Open, when its block is read, or by Verify.
//
// The checksums find accidents, not forgers. Against a segment forged with right checksums the reader is safe
// (no panic, nothing out of range, memory bounded by the file's size), but its answers may be wrong, and walking its words may take long.
//
// # The file
//
// All integers are little-endian. uvarint is the variable-length integer of protocol buffers, at most ten bytes, as
// short as it can be.
//
//	header   16 bytes: "WenlanSg", format (uint32, [Format]), 0 (uint32)
//	chunks   of the dictionary, see below
//	sections each at a multiple of eight, gaps are zeros
//	table    a row of 24 bytes for each section: id, offset, length (uint64 each)
//	sums     CRC-32C (uint32) of each 16 KiB from the start of the file to the table; the last block may be shorter
//	footer   64 bytes:
//	    0  uint64  where the table starts
//	    8  uint64  rows of the table
//	   16  uint64  blocks that have a checksum
//	   24  uint64  length of the file
//	   32  uint32  CRC-32C of table and sums
//	   36  uint32  format
//	   40  12 zeros
//	   52  "WenlanSg"
//	   60  uint32  CRC-32C of the 60 bytes before
//
// Open reads header, footer, table and sums, and the sections 1 and 2. All else is read, and checked by the block, when it
// is asked for; a bit for each block remembers that its checksum was right.
//
// # The dictionary
//
// Words are cut into chunks of about 16 MiB, so that a merge needs no more memory than that, and can write in
// one pass. A chunk is three areas, one right after the other:
//
//	postings, positions, words
//
// Section 2 lists the chunks: their number (uint32); for each: the offset of its postings, the lengths
// of the three areas (uint64 each), the length of its first word (uint32), its first word.
//
// The words of a chunk are an FST in vellum's form, version 1 (fst.go describes it). We read it ourselves, as vellum's reader
// trusts its bytes, allocates for each state, and cannot check a block at its first touch; and write it, to the byte as
// vellum would, as that takes a third of the time (fstbuild.go). The
// value of a word is the offset of its list in the chunk's postings. Lists are in the order of words, so values rise, which
// makes the FST a third smaller than values of any other order.
//
// # Lists
//
// A list begins with bits: the first in the lowest bit of a byte, each number from its lowest bit up; zeros fill up the
// last byte. gamma is Elias's code for numbers from 1: as many zeros as bits follow the highest one, the one, those bits.
// rice(k) is x>>k zeros, a one, and the low k bits of x. A word that is once in one field of one document has
//
//	1 bit    1
//	3 bits   field
//	         document; as many bits as n-1 has, with n documents in the segment
//
// any other word that is in fewer than 128 documents
//
//	1 bit    0
//	gamma    df
//	gamma    m, the number of masks
//	m times  a mask: 0 and its one field (3 bits), or 1 and the mask (8 bits)
//	df times which mask; as many bits as m-1 has
//	1 bit    all tfs are 1
//	df times tf: gamma; unless all are 1
//	df times each document less the one before it, less 1; the first as it is: rice(k), 2^k the
//	         greatest power of two that is at most n/df, rounded down
//
// and after either come the positions, when they are kept. Their length is not told; they end where the last posting's
// end. With 128 documents or more the postings are in blocks, and the word's value points behind these:
//
//	blocks   each of 64 to 128 postings, the last one of 1 to 128. A builder makes all but the last of 128
//	groups   with 64 blocks or more: of each 32 blocks, the last ones fewer, the offset of their bounds from
//	         the first group's, and the postings before them (uint32 each)
//	joined   the bounds of each group: they bound all its postings, and are written as those of a block. A list
//	         with a group of more than 128 masks has no groups
//	bounds   of each block
//	skips    an entry for each block: its last document, the offset of the block from the first, that of its bounds
//	         from the first (uint32 each), its postings less 1 (byte); when positions are kept, the
//	         offset of its positions from the list's first (uint32)
//	bits     0, and df in gamma                the word's value points here
//	uvarint  number of blocks
//	uvarint  length of all blocks
//	uvarint  length of all bounds
//	uvarint  number of groups
//	uvarint  length of their bounds
//	uvarint  offset in the chunk's positions, and length there; only when positions are kept
//
// The bounds of a block:
//
//	byte     bits 0-6: masks, less 1; bit 7: all tfs are 1
//	for each mask
//	  byte     the mask
//	  1 to 4 times, by rising tf and length
//	    byte     least length code
//	    uvarint  bit 0: another follows; the rest: greatest tf, less that of the pair before; not where
//	             all tfs are 1: there is one pair then
//
// Every posting is within one pair of its mask: its tf is not greater, its length code not less. Pairs that
// another excels in both are left out, and above four the two neighbours that are most alike are joined. They are what
// [Postings.Impacts] gives: they bound a score by fields for any weights and any average length, and are
// read without touching the block. (For a list of fewer than 128 they are found from its postings.)
//
// A block of n postings:
//
//	byte     bits 0-5: width w, 0 to 32; bits 6-7: width of a tf, 1, 2, 4 or 8, as its logarithm
//	byte     exceptions, e, at most 15
//	         n numbers of w bits: the documents between each and the next; the last is 0. So the last document,
//	         in the skip entry, gives all others, and a block can be moved as it is
//	e times  place (byte), the bits above w (uvarint)
//	         n numbers of 1, 2, 4 or 8 bits, the least that holds m-1: which of the m masks of the bounds; only with m over 1
//	         n numbers: tf less 1; not where all are 1
//
// Numbers are packed from the lowest bit up, and end at a whole byte.
//
// Positions of a posting: for each field of the mask, by rising field, how many (uvarint) and then each less the one
// before it, the first as it is (uvarints). The number is left out where it is the tf: one field, and a tf below 255.
//
// # Merging
//
// A merge numbers the documents anew. Where the documents from one block's end to the next one's stay side by side (none
// is deleted, none comes between), the block is copied with its bounds and positions, and only its last document is
// another. At the seams postings wait for a block: 64 or more become one before the next block is copied; fewer are put together
// with that block, into one or two blocks. So blocks do not become small however often a segment is merged.
//
// The words are cut into ranges of about a chunk's size, at words that the inputs decide, and each begins a new chunk. So
// ranges can be merged side by side, and the bytes are the same on however many goroutines.
//
// # Columns
//
// The sections, by id; n is the number of documents:
//
//	 1  numbers: n, flags (1: positions are kept), width of accession numbers (uint32 each), tokens
//	    of each of the eight fields, sum of the lengths (uint64 each)
//	 2  the list of chunks
//	 3  accession numbers: the first (int64), then each less the first, 4 or 8 bytes
//	 4  parts: int32 each; absent when all are 0
//	 5  years: int16 each
//	 6  length codes: a byte each
//	 7  where every sixteenth title key starts: uint32; 7 and 8 are absent when there is no key
//	 8  title keys: a byte of length, at most 32, and the key
//	 9  common words, those that at least 4,096 documents and a 64th of all have, in the order of the dictionary:
//	    chunk, where the word's counts start in 10 (uint32 each), the word's value in the dictionary (uint64)
//	10  of each common word, for each facet in turn: how many values follow; the count of the most frequent value
//	    that does not, 0 when all do; of each value its ordinal, less the one before and less 1, the first as it is, and how
//	    many of the word's documents have it. Then how many years follow, and each likewise, counted from -32768. All are
//	    uvarints. The 1,024 most frequent subjects are kept, and 256 values of the other facets. 9 and 10 are
//	    absent when there is no common word
//	16 + 6f and following, for the facets language, kind, subject, creator, access (f = 0 to 4); absent without values
//	+0  where each value starts, and where the last ends: uint32
//	+1  the values, sorted by their bytes
//	+2  form of bytes, where there are at most 254 values and at most an eighth of the documents has
//	    several: a byte each, the ordinal, 255 for none, 254 for several
//	+3  where lists of ordinals start, and where the last ends: uint32. In the form of bytes a list for
//	    each document with several values, else for each document
//	+4  ordinals: uint16, or uint32 with more than 65,536 values
//	+5  form of bytes: the documents with several values: uint32
//
// The length of a document is the sum over its fields of tokens times weight, in one byte ([LenCode]).
//
// # Common words
//
// What takes long is to count the facets of a word that most documents have, and to find its best documents. Such words are
// few: at most 64 times the distinct words of a document. So their facets are counted when a segment is written, by a builder or a merge,
// and [Reader.Counts] gives them; the deleted documents are the reader's to take off. And long lists have a second level of bounds,
// so that a search reads those of the blocks only where a group can give something.
//
// # What a builder does
//
// It gives each word a number by an open hash table over an arena. The places of a word go, as variable-length
// integers, into a chain of slices in one pool, which grow as the chain does; so there is no allocation for a
// word or a posting, and all that is held is told by Size. Finish sorts the words by their first sixteen bytes and writes
// them in order.
//
// # Sources
//
//   - The dictionary: github.com/blevesearch/vellum, after Andrew Gallant, "Index 1,600,000,000 keys with automata and
//     Rust" (2015), and Jan Daciuk and others, "Incremental construction of minimal acyclic finite-state automata" (2000).
//   - Bit packing by blocks of 128, and exceptions: Daniel Lemire and Leonid Boytsov, "Decoding billions of integers per second
//     through vectorization" (2015); Marcin Zukowski and others, "Super-scalar RAM-CPU cache compression" (2006). The
//     unpacking is unrolled by gen, one function for each width, over 64-bit words.
//   - Bounds of blocks: Shuai Ding and Torsten Suel, "Faster top-k document retrieval using block-max indexes" (2011). Competitive pairs
//     of tf and length in place of scores (CompetitiveImpactAccumulator of Apache Lucene): Adrien Grand and others, "From MaxScore to block-max WAND: the story of
//     how Lucene significantly improved query evaluation performance" (2020).
//   - A second level of bounds: the levels of Lucene's skip lists (Lucene84SkipWriter), with groups of one size.
//   - Codes of small lists: Peter Elias, "Universal codeword sets and representations of the integers" (1975); Robert Rice and
//     James Plaunt, "Adaptive variable-length coding for efficient compression of spacecraft television data" (1971).
//   - Lengths in a byte: SmallFloat.intToByte4 of Apache Lucene.
//   - Chains of growing slices in a pool: the ByteBlockPool of Apache Lucene.
//   - CRC-32C: RFC 3720, appendix B.4.
package segment
