// Package segment is one immutable part of an index: builder, reader and merge.
// Bytes in, bytes out; it opens no files and starts no goroutines, and it never syncs: what is durable is the
// caller's matter.
//
// A [Builder] takes documents and writes a segment. A [Reader] reads one, in place, where it lies in memory or
// is mapped. [Merge] makes one of several and leaves deleted documents out.
//
// # Invariants
//
// The documents of a segment are numbered from 0, sorted by (Record, Part), no pair twice; numbers are below
// [MaxDocs]. Words are sorted by their bytes and have at least one posting. The postings of a word rise by
// document; each has a mask of fields, not 0, and a tf of at least the number of its fields, at most 255 (more is
// cut). The same documents give the same bytes, in whatever order they were added, and merging segments without deletions gives the
// bytes that building at once gives.
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
//	sums     CRC-32C (uint32) of each 64 KiB from the start of the file to the table; the last block may be shorter
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
// The words of a chunk are an FST in vellum's form, version 1, that vellum has written (fst.go describes it, as
// we read it ourselves: vellum's reader trusts its bytes, allocates for each state, and cannot check a block at its first touch). The
// value of a word is a uint64. With bit 0 set, the word is once in one field of one document, and the value has it all:
//
//	bit 1-3  field
//	bit 4-5  bytes of the position, n; 0 when positions are not kept
//	then     position, 8n bits; document, 32 bits
//
// Else the rest is the offset of a list in the chunk's postings. There is
//
//	uvarint  df
//
// and, with up to 128 postings, one block, and after it, when positions are kept, their length (uvarint) and the
// positions. With more postings the list's head is the end of it:
//
//	blocks   of 128 postings, the last one with what is left
//	skips    an entry for each block: last document, offset from the first block (uint32 each), greatest tf, least
//	         length code (a byte each); when positions are kept, their offset from the list's first (uint32)
//	uvarint  df                            the word's value points here
//	uvarint  length of the blocks
//	uvarint  offset in the chunk's positions, and length there; only when positions are kept
//
// A block of n postings:
//
//	byte     bits 0-5: width w, 0 to 32; bit 6: all have one mask; bit 7: all tfs are 1
//	byte     m, the number of masks; only when bit 6 is not set, else it is 1
//	m times  mask, least length code, and, when bit 7 is not set, greatest tf: a byte each
//	byte     width of a tf: 1, 2, 4 or 8; only when bit 7 is not set
//	byte     exceptions, e, at most 15; only with n = 128
//	         n numbers of w bits: each document less the one before it, less 1; the first of a
//	         list as it is; the first of a later block from the last document of the block before
//	e times  place (byte), the bits above w (uvarint)
//	         n numbers of 1, 2, 4 or 8 bits, the least that holds m-1: which mask; only with m over 1
//	         n numbers: tf less 1; only when bit 7 is not set
//
// Numbers are packed from the lowest bit up, and end at a whole byte. The masks with their greatest tf and least
// length are what [Postings.Impacts] gives: with the number of masks small, they bound a score by fields exactly as
// well as a stored score would, for any weights and any average length.
//
// Positions of a posting: for each field of the mask, by rising field, how many (uvarint) and then each less the one
// before it, the first as it is (uvarints). The number is left out where it is the tf: one field, and a tf below 255.
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
//   - Bounds of blocks: Shuai Ding and Torsten Suel, "Faster top-k document retrieval using block-max indexes" (2011). Pairs of
//     greatest tf and least length in place of scores: Adrien Grand and others, "From MaxScore to block-max WAND: the story of
//     how Lucene significantly improved query evaluation performance" (2020).
//   - Lengths in a byte: SmallFloat.intToByte4 of Apache Lucene.
//   - Chains of growing slices in a pool: the ByteBlockPool of Apache Lucene.
//   - CRC-32C: RFC 3720, appendix B.4.
package segment
