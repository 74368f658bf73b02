// Package fulltext is the view in which the texts of open books and papers are
// searched, by chapter or page. It is kept apart from the index of records: a
// library without the files has an empty one, and everything else.
//
// # What is in it
//
// A document is a chapter (of an EPUB, a text, Markdown, HTML) or a page (of a
// PDF), as package format cuts them; its part is the chapter's index. A work is in
// it when a visitor of unknown place may read it at the moment that its entry is
// applied, by [record.Decide], of its one file that reads best ([File]). An entry
// that closes a work names it, and its documents go; one that opens it brings them
// back. A work that opens by itself, at a date, comes with the next entry that
// names it, or with a rebuild. A file that is not there is left out. Of a work,
// what [Config] allows is read; the rest of it is not found.
//
// It stores tokens and positions, not text: a snippet is made by reading the
// chapter again, from the file.
//
// # Doors
//
// What is in the index is no permission. [FullText.Search] asks again, with what it
// is given as [Query.May], before it reads a text for a snippet, and leaves out
// what is closed to who asks; only totals count it.
//
// # It follows in the background
//
// Reading a book takes a hundred times longer than noting its record. So that
// taking in books is not slowed, a [Follower] of its own drives this view, up to
// where the catalogue is, in one goroutine that gives way while entries are being
// appended. Its cursor may lag behind; [Result.Complete] says so, and nothing
// waits for it.
//
// # On disk
//
// A store of package store, DATA/views/fulltext. Each document has one token more,
// in the field of identifiers, that names its record: by it one record alone is
// searched.
//
// # Promises
//
// A batch is applied in pieces, each atomically with its cursor, so that the
// memory is bounded by one work and not by the batch: after an error or a crash the
// cursor says where to go on. Memory is bounded by Config. A file that cannot be
// read is no error of the view: its work is not found, and that is logged.
package fulltext
