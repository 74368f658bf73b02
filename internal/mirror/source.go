// Package mirror copies a library from other copies of it, and goes on copying.
//
// A [Source] is another copy, at an address: a Wenlan server, any static web
// server over an exported folder, or such a folder itself. A [Pool] is those in
// use: it chooses among them, and sets the slow and the lying aside. A [Mirror]
// follows the library: charters, checkpoint, register, then files. A [List] is
// what mirrors say of themselves.
//
// # On disk
//
// Below DATA/mirror:
//
//	state.json   the library that is pinned, the sources, what is selected
//	heard        when the origin was last heard of
//	list.json    the mirrors that announced themselves, as signed notes
//	evidence/    proofs that an origin forked or rolled back: never removed
//
// What a large file has so far is kept by the blob store, in ROOT/partial.
//
// # Trust
//
// No source is believed. The register is proved against the origin's key, which
// the charters name, which the library's id pins; each file is hashed before it
// gets its name. A source that gave something else is set aside, and the reason
// is shown. What a source can do is to be slow, to be silent, or to hold back
// what is new: other sources are asked then, and freshness is shown.
package mirror

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Source is another copy of the library. Nothing that it says is believed. All
// methods may run at once. An error names the address in a sentence; its kind is
// errs.NotFound, Gone, Forbidden or Withdrawn where the copy does not offer the
// file, errs.TooLarge where it sends more than was asked for, errs.Corrupt where
// the answer makes no sense, and otherwise errs.Unavailable.
type Source interface {
	// Address is the URL or the folder, as shown to people, without a final slash.
	Address() string

	// Get reads a file by its path below the site's root, as "register/checkpoint";
	// at most limit bytes.
	Get(ctx context.Context, path string, limit int64) ([]byte, error)

	// Poll is Get for a file that may be as it was when it had the tag; then
	// changed is false, and data nil.
	Poll(ctx context.Context, path, tag string, limit int64) (data []byte, newTag string, changed bool, err error)

	// Blob opens a file of the library from a byte on. The reader may give more
	// than the file has, or other bytes; it fails when the source stalls.
	Blob(ctx context.Context, sha256hex string, from int64) (io.ReadCloser, error)
}

// SourceConfig says how a source is spoken to. Every zero value works.
type SourceConfig struct {
	// A request ends when it brings fewer than StallBytes within StallAfter, as far
	// as that time was spent waiting for it. Default 30 KiB and 30 s.
	StallAfter time.Duration
	StallBytes int64
	Connect    time.Duration // to be connected, and to get the first header; default 15 s
	Conns      int           // connections to one server; default 8
	UserAgent  string        // default "wenlan"
	// Public refuses servers at addresses that are not of the public Internet: for
	// addresses that strangers gave.
	Public bool
}

func (c SourceConfig) withDefaults() SourceConfig {
	if c.StallAfter <= 0 {
		c.StallAfter = 30 * time.Second
	}
	if c.StallBytes <= 0 {
		c.StallBytes = 30 << 10
	}
	if c.Connect <= 0 {
		c.Connect = 15 * time.Second
	}
	if c.Conns <= 0 {
		c.Conns = 8
	}
	if c.UserAgent == "" {
		c.UserAgent = "wenlan"
	}
	return c
}

// CleanAddress is the one form of an address: of a URL without user, query,
// fragment and final slash, or of an absolute folder. A file: URL is a folder.
func CleanAddress(address string) (string, error) {
	if len(address) > 2048 {
		return "", errs.New(errs.Invalid, "an address is longer than 2,048 bytes")
	}
	scheme, _, isURL := strings.Cut(address, "://")
	if !isURL {
		if address == "" || strings.ContainsRune(address, 0) {
			return "", errs.New(errs.Invalid, "%.80q is not an address", address)
		}
		dir, err := filepath.Abs(address)
		if err != nil {
			return "", errs.New(errs.Invalid, "the folder %.80q: %w", address, err)
		}
		return dir, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", errs.New(errs.Invalid, "%.80q is not a plain address", address)
	}
	switch strings.ToLower(scheme) {
	case "file":
		if u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(filepath.FromSlash(u.Path)) {
			return "", errs.New(errs.Invalid, "%.80q does not name a folder of this machine", address)
		}
		return filepath.Clean(filepath.FromSlash(u.Path)), nil
	case "http", "https":
		if u.Hostname() == "" {
			return "", errs.New(errs.Invalid, "%.80q names no server", address)
		}
		u.Host = strings.ToLower(u.Host)
		u.Path = strings.TrimRight(u.Path, "/")
		u.RawPath = ""
		return u.String(), nil
	}
	return "", errs.WithHint(errs.New(errs.Invalid, "%.80q is not an address that can be copied from", address),
		"give an address that begins with https:// or http://, or a folder")
}

// isURL says whether a clean address is one of the web, not a folder.
func isURL(address string) bool {
	return strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://")
}

// OpenSource makes the source at an address: http://, https://, file:// or a
// folder, which is an export or a data folder. Nothing is asked yet of a server;
// a folder must be there.
func OpenSource(address string, cfg SourceConfig) (Source, error) {
	address, err := CleanAddress(address)
	if err != nil {
		return nil, err
	}
	if isURL(address) {
		return newSite(address, cfg.withDefaults()), nil
	}
	return openFolder(address)
}

// CutLibrary splits URL#LIBRARYID as people write it; library is empty where no
// id is given.
func CutLibrary(address string) (rest, library string, err error) {
	rest, library, pinned := strings.Cut(address, "#")
	if !pinned {
		return address, "", nil
	}
	if !isLibrary(library) {
		return "", "", errs.New(errs.Invalid, "%.80q behind # is not a library's id: 64 lower-case hex digits", library)
	}
	return rest, library, nil
}

// sourceError is a failure of a source, not of ours.
type sourceError struct {
	error
	slow bool          // it answered, but too slowly
	wait time.Duration // it asked to be left alone so long; 0: it did not say
}

func (e *sourceError) Unwrap() error { return e.error }

// failed is the error of a source, in one sentence.
func failed(kind errs.Kind, address, format string, args ...any) error {
	return &sourceError{error: errs.New(kind, "%s %w", address, fmt.Errorf(format, args...))}
}

func isLibrary(s string) bool { return record.IsSHA256(s) }
