// Package torrent holds shelves: immutable batches of files that anybody may copy
// for ever, each of which is one torrent.
//
// # What a shelf is
//
// An entry of type shelf names a body blob, the [Manifest]: the files by SHA-256,
// sorted, each with its length and the SHA-1 of its pieces. Each file is padded to
// whole pieces (BEP 47), so the hashes of one do not depend on its neighbours:
// closing a file leaves the pieces of the others as they are. A torrent (v1, BEP 3)
// is made of the manifest without reading a file; its name is "wenlan-" and the
// SHA-256 of the manifest, and its paths are the files' hashes. Nothing in it was
// chosen by a person, so no path can lead out of the folder.
//
// What goes on a shelf is decided by [record.MayShelve]; a file whose withdrawal or
// change of rights comes later stops its shelf everywhere, until an entry with
// replaces puts the others on a new one.
//
// # The parts
//
//   - [Shelves] is a view of the register: which shelves there are, what is on
//     them, what has stopped, and what waits for a shelf.
//   - [Build] reads blobs and makes a manifest.
//   - [Seeder] gives pieces to BitTorrent clients straight from the blob store. It
//     only uploads. Each piece is read whole and checked against its hash before a
//     byte of it leaves; a wrong one is withdrawn and logged once.
//   - [Service] joins them: it loads at most 200 torrents at a time, others when they
//     are asked for, answers the tracker (BEP 3, 7, 23, 48) and the web seed
//     (BEP 19), and makes .torrent files.
//
// # Why the seeder is our own
//
// Only upload of v1 torrents is wanted, which is a small part of BitTorrent: the
// handshake, have and request messages, the Fast extension (BEP 6), and metadata for
// magnet links (BEP 9, 10). The library at hand, anacrolix/torrent, brings some sixty
// modules, among them WebRTC, and C and C++ code wherever cgo is on, which the race
// detector needs; it deadlocked with its defaults in a trial. DHT, uTP, encryption
// and peer exchange are not there: trackers and web seeds bring clients in.
//
// # Trust
//
// Nothing that a client says is believed or kept beyond its connection, apart from
// its address, which the tracker takes from the connection and gives to others.
package torrent

const (
	// PieceSmall and PieceLarge are the lengths of pieces, in bytes, of shelves below
	// and from largeFrom on.
	PieceSmall = 1 << 20
	PieceLarge = 4 << 20
	largeFrom  = 4 << 30

	// MaxFiles and MaxBytes close a shelf. One file longer than MaxBytes has a shelf
	// of its own.
	MaxFiles = 2000
	MaxBytes = 32 << 30
	// MaxFile is the longest file that goes on a shelf, in bytes: its hashes fill
	// half a manifest.
	MaxFile = 256 << 30
	// MaxManifest bounds a manifest, in bytes.
	MaxManifest = 4 << 20
)

// PieceLength is the length of the pieces of a shelf with so many bytes.
func PieceLength(bytes int64) int64 {
	if bytes < largeFrom {
		return PieceSmall
	}
	return PieceLarge
}
