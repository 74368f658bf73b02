// Package segment is one immutable part of an index: builder, reader and merge.
// Bytes in, bytes out; it opens no files and starts no goroutines.
package segment
