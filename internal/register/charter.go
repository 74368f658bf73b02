package register

import (
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Charter says who speaks for the library.
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
	Root [32]byte
}

// ParseCharter reads a charter from its signed note. It does not check the
// signatures: see VerifyCharter.
func ParseCharter(signed []byte) (Charter, error) { return Charter{}, errNotYet }

// Text is the charter in its one form, the text of its note.
func (c Charter) Text() string { return "" }

// NewCharter is the first charter of a library: for entry 0.
func NewCharter(log, origin string, trustees []string, threshold int) Charter { return Charter{} }

// NextCharter is a charter to follow the given one, with all else as it was.
func NextCharter(library string, signed []byte) (Charter, error) { return Charter{}, errNotYet }

// SignCharter is the charter as a note, signed by these trustees.
func SignCharter(c Charter, signers ...note.Signer) ([]byte, error) { return nil, errNotYet }

// AddSignatures adds the signatures of more trustees to a charter's note.
func AddSignatures(signed []byte, signers ...note.Signer) ([]byte, error) { return nil, errNotYet }

// VerifyCharter checks that a charter counts: that enough of its own trustees
// and of those of the old one, which is nil for entry 0, have signed it.
func VerifyCharter(old, new []byte) (Charter, error) { return Charter{}, errNotYet }

// VerifyCharters checks a whole succession, the oldest first, of one library.
func VerifyCharters(library string, signed [][]byte) ([]Charter, error) { return nil, errNotYet }

// LibraryID is the library id: the hex SHA-256 of entry 0.
func LibraryID(entry0 []byte) string { return "" }

// NewLogName is a fresh checkpoint origin line: "wenlan/" and 32 hex digits.
func NewLogName() string { return "" }

// GenerateKeys makes a key pair of Ed25519 in the form of signed notes.
func GenerateKeys(name string) (skey, vkey string, err error) { return "", "", errNotYet }
