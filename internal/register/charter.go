package register

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Charter says who speaks for the library: ARCHITECTURE.md, "Trust".
type Charter struct {
	Library   string    // the library id in hex; "-" in entry 0
	Version   int64     // 1 in entry 0
	Previous  string    // hex SHA-256 of the previous note's text, or "-"
	Base      *Base     // what a new origin key continues; nil: "-"
	Log       string    // the checkpoint origin line
	Origin    string    // the origin's public key
	Addresses []string  // where the library is served
	Trustees  []string  // public keys, sorted
	Threshold int       // how many trustees must sign
	Witnesses []string  // public keys of cosigners
	Quorum    int       // how many witnesses make an entry safe
	Expires   time.Time // only warns; zero: "-"
}

// Base is a state of the register.
type Base struct {
	Size int64
	Root tlog.Hash
}

const (
	charterHeader  = "wenlan-charter/v1"
	charterTime    = "2006-01-02T15:04:05Z"
	none           = "-"
	maxCharter     = 60_000 // bytes of a note: it has to fit into an entry
	maxCharterList = 32     // addresses, trustees, witnesses
	maxCharters    = 10_000 // versions of one library
)

// NewCharter is the first charter of a library, for entry 0. The log is its
// origin line: see [NewLogName].
func NewCharter(log, origin string, trustees []string, threshold int) Charter {
	return Charter{
		Library: none, Version: 1, Previous: none, Log: log, Origin: origin,
		Trustees: slices.Sorted(slices.Values(trustees)), Threshold: threshold,
	}
}

// NextCharter is a charter to follow the given one, with all else as it was.
func NextCharter(library string, signed []byte) (Charter, error) {
	c, err := ParseCharter(signed)
	if err != nil {
		return Charter{}, err
	}
	c.Previous = textSum(c)
	c.Library, c.Base = library, nil
	c.Version++
	return c, nil
}

// Text is the charter in its one form, the text of its note.
func (c Charter) Text() string {
	var b strings.Builder
	line := func(key, value string) { b.WriteString(key + " " + value + "\n") }
	b.WriteString(charterHeader + "\n")
	line("library", c.Library)
	line("version", strconv.FormatInt(c.Version, 10))
	line("previous", c.Previous)
	if c.Base == nil {
		line("base", none)
	} else {
		line("base", strconv.FormatInt(c.Base.Size, 10)+" "+c.Base.Root.String())
	}
	line("log", c.Log)
	line("origin", c.Origin)
	for _, a := range c.Addresses {
		line("address", a)
	}
	for _, t := range c.Trustees {
		line("trustee", t)
	}
	line("threshold", strconv.Itoa(c.Threshold))
	for _, w := range c.Witnesses {
		line("witness", w)
	}
	line("quorum", strconv.Itoa(c.Quorum))
	if c.Expires.IsZero() {
		line("expires", none)
	} else {
		line("expires", c.Expires.UTC().Format(charterTime))
	}
	return b.String()
}

// ParseCharter reads a charter from its signed note. It does not check the
// signatures: see [VerifyCharter].
func ParseCharter(signed []byte) (Charter, error) {
	n, err := openUnverified(signed)
	if err != nil {
		return Charter{}, err
	}
	return parseCharterText(n.Text)
}

func badCharter(format string, args ...any) error {
	return errs.New(errs.Refused, "not a charter: "+format, args...)
}

// openUnverified splits a note into its text and its signatures.
func openUnverified(signed []byte) (*note.Note, error) {
	if len(signed) > maxCharter {
		return nil, badCharter("it is longer than %d bytes", maxCharter)
	}
	_, err := note.Open(signed, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return nil, badCharter("%w", err)
	}
	return unverified.Note, nil
}

func parseCharterText(text string) (Charter, error) {
	var c Charter
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != charterHeader {
		return c, badCharter("its first line is not %s", charterHeader)
	}
	lines = lines[1:]
	next := func(key string) (string, bool) {
		if len(lines) == 0 {
			return "", false
		}
		value, ok := strings.CutPrefix(lines[0], key+" ")
		if ok {
			lines = lines[1:]
		}
		return value, ok
	}
	all := func(key string) (list []string) {
		for {
			value, ok := next(key)
			if !ok {
				return list
			}
			list = append(list, value)
		}
	}
	number := func(key string) int64 {
		value, _ := next(key)
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	c.Library, _ = next("library")
	c.Version = number("version")
	c.Previous, _ = next("previous")
	base, _ := next("base")
	c.Log, _ = next("log")
	c.Origin, _ = next("origin")
	c.Addresses = all("address")
	c.Trustees = all("trustee")
	threshold := number("threshold")
	c.Witnesses = all("witness")
	quorum := number("quorum")
	expires, _ := next("expires")
	if threshold > maxCharterList || quorum > maxCharterList {
		return c, badCharter("its threshold or its quorum is out of bounds")
	}
	c.Threshold, c.Quorum = int(threshold), int(quorum)
	if base != none {
		size, root, _ := strings.Cut(base, " ")
		n, err := strconv.ParseInt(size, 10, 64)
		h, err2 := tlog.ParseHash(root)
		if err != nil || err2 != nil || n < 1 {
			return c, badCharter("its base is not a size and a root")
		}
		c.Base = &Base{n, h}
	}
	if expires != none {
		t, err := time.Parse(charterTime, expires)
		if err != nil || t.IsZero() {
			return c, badCharter("it expires at no time like %s", charterTime)
		}
		c.Expires = t
	}
	if err := c.check(); err != nil {
		return c, err
	}
	// There is one form only: whatever was read loosely above differs here.
	if c.Text() != text {
		return c, badCharter("its lines are not in the one form that charters have")
	}
	return c, nil
}

// check holds a charter to what it must say.
func (c Charter) check() error {
	switch {
	case c.Version < 1:
		return badCharter("it has no version")
	case c.Version == 1 && (c.Library != none || c.Previous != none || c.Base != nil):
		return badCharter("version 1 follows no other")
	case c.Version > 1 && (!record.IsSHA256(c.Library) || !record.IsSHA256(c.Previous)):
		return badCharter("it does not name its library and the charter before it")
	case !isLogName(c.Log):
		return badCharter("its log is not wenlan/ and 32 hex digits")
	case len(c.Addresses) > maxCharterList || len(c.Trustees) > maxCharterList || len(c.Witnesses) > maxCharterList:
		return badCharter("it has more than %d addresses, trustees or witnesses", maxCharterList)
	case c.Threshold < 1 || c.Threshold > len(c.Trustees):
		return badCharter("its threshold is not between 1 and the number of trustees")
	case c.Quorum < 0 || c.Quorum > len(c.Witnesses):
		return badCharter("its quorum is more than its witnesses")
	case !slices.IsSorted(c.Trustees):
		return badCharter("its trustees are not sorted")
	}
	origin, err := parseKey(c.Origin)
	if err != nil || origin.Name() != c.Log {
		return badCharter("its origin is not a public key named as the log")
	}
	for _, a := range c.Addresses {
		u, err := url.Parse(a)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.String() != a {
			return badCharter("%.100q is not an address", a)
		}
	}
	// One key is one voice, whatever names it bears.
	seen := map[string]bool{}
	for _, t := range c.Trustees {
		if _, err := parseKey(t); err != nil {
			return badCharter("a trustee: %w", err)
		}
		key := keyBytes(t)
		if seen[key] {
			return badCharter("a trustee is named twice")
		}
		seen[key] = true
	}
	clear(seen)
	for _, w := range c.Witnesses {
		if _, err := parseWitness(w); err != nil {
			return badCharter("a witness: %w", err)
		}
		key := keyBytes(w)
		if seen[key] {
			return badCharter("a witness is named twice")
		}
		seen[key] = true
	}
	return nil
}

// parseKey reads an Ed25519 vkey in its one form.
func parseKey(vkey string) (note.Verifier, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	return v, canonicalKey(v, vkey)
}

// parseWitness reads the vkey of a cosigner (C2SP tlog-cosignature) in its one form.
func parseWitness(vkey string) (note.Verifier, error) {
	v, err := fnote.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		return nil, err
	}
	return v, canonicalKey(v, vkey)
}

func canonicalKey(v note.Verifier, vkey string) error {
	b64, ok := strings.CutPrefix(vkey, fmt.Sprintf("%s+%08x+", v.Name(), v.KeyHash()))
	if !ok || !strictBase64(b64) {
		return errors.New("the public key is not in its one form")
	}
	return nil
}

// keyBytes is the last part of a vkey, NAME+HASH+KEY; base64 may hold a plus.
func keyBytes(vkey string) string {
	parts := strings.SplitN(vkey, "+", 3)
	return parts[len(parts)-1]
}

// strictBase64 says whether no bit of the text is idle.
func strictBase64(s string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(s)
	return err == nil && !strings.ContainsAny(s, "\r\n")
}

// SignCharter is the charter as a note, signed by these trustees.
func SignCharter(c Charter, signers ...note.Signer) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.Text()}, signers...)
}

// VerifyCharter checks that a charter counts: that the threshold of its own
// trustees and that of the old charter's, which is nil for entry 0, have signed
// it, and that it follows the old one. That the old one counts is for the caller
// to know: see [VerifyCharters].
func VerifyCharter(old, new []byte) (Charter, error) {
	c, err := ParseCharter(new)
	if err != nil {
		return Charter{}, err
	}
	trustees := slices.Clone(c.Trustees)
	var before Charter
	if old == nil {
		if c.Version != 1 {
			return Charter{}, badCharter("the first one has version 1")
		}
	} else {
		if before, err = ParseCharter(old); err != nil {
			return Charter{}, err
		}
		switch {
		case c.Version != before.Version+1 || c.Previous != textSum(before):
			return Charter{}, badCharter("version %d does not follow the charter before it", c.Version)
		case c.Library != before.Library && before.Version > 1:
			return Charter{}, badCharter("version %d is of another library", c.Version)
		case c.Log != before.Log:
			return Charter{}, badCharter("version %d changes the log's name", c.Version)
		case c.Origin != before.Origin && c.Base == nil:
			return Charter{}, badCharter("version %d changes the origin's key and names no base", c.Version)
		}
		trustees = append(trustees, before.Trustees...)
	}
	slices.Sort(trustees)
	var keys []note.Verifier
	name := map[note.Verifier]string{}
	for _, t := range slices.Compact(trustees) {
		v, err := parseKey(t)
		if err != nil {
			return Charter{}, badCharter("a trustee: %w", err)
		}
		keys = append(keys, v)
		name[v] = t
	}
	n, err := note.Open(new, note.VerifierList(keys...))
	if err != nil {
		return Charter{}, badCharter("%w", err)
	}
	if len(n.UnverifiedSigs) > 0 {
		return Charter{}, badCharter("it is signed by %s, who is no trustee", n.UnverifiedSigs[0].Name)
	}
	if !exactNote(n, new) {
		return Charter{}, badCharter("its signatures are not in their one form")
	}
	count := func(c Charter) (k int) {
		for _, s := range n.Sigs {
			for v, t := range name {
				if v.Name() == s.Name && v.KeyHash() == s.Hash && slices.Contains(c.Trustees, t) {
					k++
				}
			}
		}
		return k
	}
	if k := count(c); k < c.Threshold {
		return Charter{}, badCharter("%d of its trustees signed, not %d", k, c.Threshold)
	}
	if k := count(before); old != nil && k < before.Threshold {
		return Charter{}, badCharter("%d of the trustees before signed, not %d", k, before.Threshold)
	}
	return c, nil
}

// VerifyCharters checks a whole succession, the oldest first, of one library.
// An empty library is not checked.
func VerifyCharters(library string, signed [][]byte) ([]Charter, error) {
	var list []Charter
	var old []byte
	for _, s := range signed {
		c, err := VerifyCharter(old, s)
		if err != nil {
			return nil, err
		}
		if c.Version > 1 && library != "" && c.Library != library {
			return nil, badCharter("version %d is of another library", c.Version)
		}
		list, old = append(list, c), s
	}
	return list, nil
}

// exactNote says whether the note, with all signatures verified, has just the
// bytes that it must have: no signature twice, no idle bit.
func exactNote(n *note.Note, signed []byte) bool {
	for _, s := range n.Sigs {
		if !strictBase64(s.Base64) {
			return false
		}
	}
	again, err := note.Sign(n)
	return err == nil && bytes.Equal(again, signed)
}

func textSum(c Charter) string {
	sum := sha256.Sum256([]byte(c.Text()))
	return hex.EncodeToString(sum[:])
}

// LibraryID is the library id: the hex SHA-256 of entry 0.
func LibraryID(entry0 []byte) string {
	sum := sha256.Sum256(entry0)
	return hex.EncodeToString(sum[:])
}

// NewLogName is a fresh checkpoint origin line: "wenlan/" and 32 hex digits.
func NewLogName() string {
	var b [16]byte
	rand.Read(b[:])
	return "wenlan/" + hex.EncodeToString(b[:])
}

func isLogName(s string) bool {
	digits, ok := strings.CutPrefix(s, "wenlan/")
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}

// GenerateKeys makes a key pair of Ed25519 in the form of signed notes. The
// origin's is named as the log, a trustee's as the trustee likes.
func GenerateKeys(name string) (skey, vkey string, err error) {
	return note.GenerateKey(rand.Reader, name)
}
