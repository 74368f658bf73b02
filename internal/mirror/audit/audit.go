// Package audit asks mirrors whether they can show the bytes that they say they
// hold, and answers when we are asked.
//
// # The question
//
// POST /audit, a JSON object of at most [MaxQuestion] bytes:
//
//	{"library": HEX, "ranges": [{"blob": HEX, "offset": 0, "length": 65536, "nonce": HEX}, …]}
//
// A range lies within its blob and has at most [MaxLength] bytes; there are at most
// [MaxRanges]. A nonce is 32 random bytes, never used before.
//
// # The answer
//
// A signed note (C2SP signed-note) by the mirror's key. Its text:
//
//	wenlan-audit/v1
//	library HEX
//	time 2026-01-02T15:04:05Z
//	range BLOB OFFSET LENGTH NONCE DIGEST
//
// with a range line for each range of the question, in its order. DIGEST is the
// SHA-256, in hex, of the nonce's 32 bytes followed by the bytes of the range, or
// "-" where the mirror has not got them, or may not give them to everyone.
//
// # What it shows
//
// Only who could read the bytes after the nonce was chosen can know the digest. It
// shows that the bytes can be had there, not that they are stored apart: a mirror
// may fetch them from another when it is asked, and two addresses may share one
// disk. Therefore copies are counted by operator, see [Operators].
package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
)

// Bounds of a question and of an answer.
const (
	MaxRanges   = 16
	MaxLength   = 1 << 20  // bytes of a range
	MaxQuestion = 16 << 10 // bytes of the JSON
	maxAnswer   = 16 << 10 // bytes of the note
)

// Range is a part of a blob that a mirror shall show.
type Range struct {
	Blob   string `json:"blob"` // SHA-256 in lower-case hex
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	Nonce  string `json:"nonce"` // 64 lower-case hex digits
}

// Question is what a mirror is asked.
type Question struct {
	Library string  `json:"library"`
	Ranges  []Range `json:"ranges"`
}

// Answer is what a mirror has answered; Digests are in the order of the ranges,
// empty where it has not got the bytes.
type Answer struct {
	Question
	Time    time.Time
	Digests []string
}

// NewRange chooses a range of at most length bytes of a blob that has at least
// one, and a nonce, both by chance.
func NewRange(ref blob.Ref, length int64) (Range, error) {
	length = min(max(length, 1), MaxLength, ref.Bytes)
	if length < 1 || !blob.Valid(ref.SHA256) {
		return Range{}, errs.New(errs.Invalid, "nothing can be asked of an empty file")
	}
	at, err := rand.Int(rand.Reader, big.NewInt(ref.Bytes-length+1))
	if err != nil {
		return Range{}, err
	}
	var nonce [32]byte
	rand.Read(nonce[:])
	return Range{Blob: ref.SHA256, Offset: at.Int64(), Length: length, Nonce: hex.EncodeToString(nonce[:])}, nil
}

// Digest is the right answer to a range. It fails with errs.NotFound where the
// range does not lie within the blob.
func Digest(b io.ReaderAt, size int64, r Range) (string, error) {
	if r.Length < 1 || r.Offset < 0 || r.Length > size || r.Offset > size-r.Length {
		return "", errs.New(errs.NotFound, "the range does not lie within the file")
	}
	nonce, err := hex.DecodeString(r.Nonce)
	if err != nil {
		return "", errs.New(errs.Invalid, "%.80q is not a nonce", r.Nonce)
	}
	h := sha256.New()
	h.Write(nonce)
	if n, err := io.Copy(h, io.NewSectionReader(b, r.Offset, r.Length)); err != nil || n != r.Length {
		return "", errors.Join(fmt.Errorf("read %d of %d bytes", n, r.Length), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Check says what is wrong with a question.
func (q Question) Check() error {
	bad := func(format string, args ...any) error {
		return errs.New(errs.Invalid, "not an audit's question: "+format, args...)
	}
	if !blob.Valid(q.Library) {
		return bad("it names no library")
	}
	if len(q.Ranges) < 1 || len(q.Ranges) > MaxRanges {
		return bad("it has %d ranges, and may have 1 to %d", len(q.Ranges), MaxRanges)
	}
	seen := map[string]bool{}
	for _, r := range q.Ranges {
		switch {
		case !blob.Valid(r.Blob):
			return bad("%.80q names no file", r.Blob)
		case r.Length < 1 || r.Length > MaxLength || r.Offset < 0:
			return bad("a range has 1 to %d bytes", MaxLength)
		case !blob.Valid(r.Nonce): // it has the same form
			return bad("%.80q is not a nonce: 64 lower-case hex digits", r.Nonce)
		case seen[r.Nonce]:
			return bad("it has a nonce twice")
		}
		seen[r.Nonce] = true
	}
	return nil
}

// ParseQuestion reads the JSON of a question and checks it.
func ParseQuestion(raw []byte) (Question, error) {
	var q Question
	if len(raw) > MaxQuestion {
		return q, errs.New(errs.TooLarge, "a question has at most %d bytes", MaxQuestion)
	}
	if err := json.Unmarshal(raw, &q); err != nil {
		return q, errs.New(errs.Invalid, "not an audit's question: %w", err)
	}
	return q, q.Check()
}

const answerTitle = "wenlan-audit/v1"

// Sign makes the note of an answer.
func (a Answer) Sign(key note.Signer) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nlibrary %s\ntime %s\n", answerTitle, a.Library, a.Time.UTC().Format(time.RFC3339))
	for i, r := range a.Ranges {
		digest := a.Digests[i]
		if digest == "" {
			digest = "-"
		}
		fmt.Fprintf(&b, "range %s %d %d %s %s\n", r.Blob, r.Offset, r.Length, r.Nonce, digest)
	}
	return note.Sign(&note.Note{Text: b.String()}, key)
}

// ParseAnswer reads the note of an answer, which the key must have signed.
func ParseAnswer(signed []byte, key note.Verifier) (Answer, error) {
	bad := func(format string, args ...any) (Answer, error) {
		return Answer{}, errs.New(errs.Corrupt, "not an audit's answer: "+format, args...)
	}
	if len(signed) > maxAnswer {
		return bad("it is longer than %d bytes", maxAnswer)
	}
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return bad("%w", err)
	}
	lines := strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
	if len(lines) < 4 || lines[0] != answerTitle {
		return bad("it begins otherwise")
	}
	var a Answer
	var ok bool
	if a.Library, ok = strings.CutPrefix(lines[1], "library "); !ok {
		return bad("its second line is not the library")
	}
	at, ok := strings.CutPrefix(lines[2], "time ")
	if a.Time, err = time.Parse("2006-01-02T15:04:05Z", at); !ok || err != nil {
		return bad("its third line is not the time")
	}
	for _, line := range lines[3:] {
		f := strings.Split(line, " ")
		if len(f) != 6 || f[0] != "range" || len(a.Ranges) == MaxRanges {
			return bad("it has a line that is no range")
		}
		r := Range{Blob: f[1], Nonce: f[4]}
		if r.Offset, err = number(f[2]); err != nil {
			return bad("%w", err)
		}
		if r.Length, err = number(f[3]); err != nil {
			return bad("%w", err)
		}
		digest := f[5]
		if digest == "-" {
			digest = ""
		} else if !blob.Valid(digest) {
			return bad("%.80q is no digest", digest)
		}
		a.Ranges, a.Digests = append(a.Ranges, r), append(a.Digests, digest)
	}
	if err := a.Check(); err != nil {
		return bad("%w", err)
	}
	return a, nil
}

// number reads a number in its only spelling.
func number(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%.40q is not a number", s)
	}
	return n, nil
}
