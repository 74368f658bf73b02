package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"wenlan/internal/durable"
)

// verifyState is what Verify remembers. A time for each of the 65,536 folders,
// that of the beginning of its last whole reading, stands for all blobs in it
// that are older: the size does not grow with the store. Blobs of one folder are
// read in the order of their names, so that one name says how far a reading that
// was stopped had come.
//
// On disk: stateMagic; the times of the folders, Unix seconds in 4 bytes; the
// folder that is half read plus one, or 0, in 4; when its reading began in 4; the
// last name that was read in it, 32; the next position of Expect in 8; SHA-256 of
// all that. Numbers are big-endian.
type verifyState struct {
	read   [folderCount]uint32 // 0: never
	folder int                 // half read; -1: none
	since  uint32
	last   string // hex
	expect int64
}

const (
	stateMagic = "wenlan-blobs-read/1\n"
	stateSize  = len(stateMagic) + 4*folderCount + 4 + 4 + 32 + 8 + 32
)

var errBadState = errors.New("the memory of earlier verifications cannot be used")

func unix(s uint32) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0)
}

func (s *verifyState) at(n int) time.Time { return unix(s.read[n]) }
func (s *verifyState) began() time.Time   { return unix(s.since) }

func (s *verifyState) finish(n int, began time.Time) {
	s.read[n] = uint32(began.Unix())
	if s.folder == n {
		s.folder, s.since, s.last = -1, 0, ""
	}
}

func (s *verifyState) stop(n int, began time.Time, last string) {
	s.folder, s.since, s.last = n, uint32(began.Unix()), last
}

func (s *verifyState) encode() []byte {
	out := append(make([]byte, 0, stateSize), stateMagic...)
	for _, t := range s.read {
		out = binary.BigEndian.AppendUint32(out, t)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(s.folder+1))
	out = binary.BigEndian.AppendUint32(out, s.since)
	var last [32]byte
	_, _ = hex.Decode(last[:], []byte(s.last))
	out = append(out, last[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(s.expect))
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// loadState reads the state; an absent one is new. With errBadState a new one
// comes too.
func loadState(fsys durable.FS, name string) (*verifyState, error) {
	fresh := &verifyState{folder: -1}
	data, err := durable.ReadFile(fsys, name, int64(stateSize))
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return fresh, fmt.Errorf("%w: %w", errBadState, err)
	}
	if len(data) != stateSize || !bytes.HasPrefix(data, []byte(stateMagic)) {
		return fresh, fmt.Errorf("%w: %s is not such a file", errBadState, name)
	}
	body, sum := data[:stateSize-32], [32]byte(data[stateSize-32:])
	if sha256.Sum256(body) != sum {
		return fresh, fmt.Errorf("%w: %s is damaged", errBadState, name)
	}
	s := &verifyState{}
	rest := body[len(stateMagic):]
	for i := range s.read {
		s.read[i] = binary.BigEndian.Uint32(rest[4*i:])
	}
	rest = rest[4*folderCount:]
	s.folder = int(binary.BigEndian.Uint32(rest)) - 1
	s.since = binary.BigEndian.Uint32(rest[4:])
	if s.folder >= 0 {
		s.last = hex.EncodeToString(rest[8:40])
	}
	s.expect = int64(binary.BigEndian.Uint64(rest[40:]))
	if s.folder >= folderCount || s.expect < 0 {
		return fresh, fmt.Errorf("%w: %s makes no sense", errBadState, name)
	}
	return s, nil
}
