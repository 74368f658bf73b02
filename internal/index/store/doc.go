// Package store keeps the segments of an index in a folder: which there are, what is
// deleted in them, and up to where of the register they go. One goroutine applies
// batches; any number read snapshots, in this process and in others.
//
// # On disk
//
//	DIR/N/manifest      what there is; swapped by rename
//	DIR/N/seg-XXXXXX    a segment, see package segment; never changed
//	DIR/N/del-XXXXXX-Y  which documents of segment X are deleted; never changed
//	DIR/N/tail-XXXXXX   the batches that were applied since the manifest
//
// N is the number of a generation. A generation is there when its manifest is; the
// highest one serves. A [Draft] builds the next one beside it, and writing its first
// manifest is the moment of the swap, so a crash leaves either the old or the new.
//
// The manifest is one line of JSON and one of its CRC-32C: format, library, cursor,
// and the name, length and checksum of every file, of segments the checksum of the
// last 64 bytes, which are the footer. It is written whole to manifest.tmp, synced
// and renamed; what it names was synced before. Files that it does not name are
// removed when the writer opens the store.
//
// A deletion file is a Roaring bitmap in its portable form
// (https://github.com/RoaringBitmap/RoaringFormatSpec) between a magic number and a
// CRC-32C.
//
// The tail is a row of frames, see tail.go: the batches as they were given. They are
// not synced. Each frame's checksum begins with the one before, and the first with a
// number that the manifest holds, so that a frame counts only in its place. Reading
// stops at the first frame that is not whole; the writer cuts the rest off.
//
// # How it works
//
// A small batch is appended to the tail and becomes a segment in memory; these are
// merged so that there are at most ten (the logarithmic method: J. L. Bentley,
// "Decomposable searching problems", 1979). When they exceed [Config.FlushBytes] or
// [Config.FlushDocs] they become one segment on disk, with a new manifest and an empty
// tail. A large batch goes to the disk at once, built on several cores. Segments on
// disk are merged in the background by tiers of size, as Lucene's TieredMergePolicy
// does: ten of about one size become one, until one would exceed
// [Config.MaxSegmentBytes]; a segment that is half deleted is written anew. A merge
// waits while a batch is applied, writes at most [Config.MergeRate], and there is one
// at a time, on one core; that of a draft has [Config.Workers] cores, and does not wait.
//
// # Invariants
//
//   - The documents of a record that are not deleted are in one batch's segment: a
//     record is replaced whole.
//   - What the manifest names is the state at the manifest's cursor, exactly. Deletions
//     made by the tail are in memory only. A merge leaves out what was deleted at the
//     manifest's cursor, and nothing else.
//   - A version (the segments and their deletions at one cursor) is never changed once
//     it is published; deletions are copied before they are changed. A snapshot holds
//     a version; a file is unmapped when no version has it. Its name may go before that.
//
// # What is durable when
//
// When Apply returns, the batch outlives the process, but perhaps not the machine: a
// loss of power takes the cursor back to where the manifest is, or to some later batch,
// with exactly the documents of that moment. The register replays the rest. A flush,
// a large batch, a merge and a commit of a draft are durable when they return.
//
// # Damage
//
// Opening checks the manifest, the deletion files, the footers and the tail. Other
// blocks are checked when they are first read, and by Check. Damage makes Ready say so,
// by name of the file; a rebuild mends it. A disk that fails under a memory map, or a
// file that someone cuts short, ends the process (SIGBUS): Check reads files plainly
// before it trusts them to a map.
package store
