package mirror

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/errs"
)

// Key is a mirror's key: an Ed25519 note key, which signs what it says of itself.
// It is a note.Signer.
type Key struct {
	note.Signer
	public string
}

// ParseKey reads a key as register.GenerateKeys makes it, as in keys/mirror.key.
func ParseKey(secret string) (*Key, error) {
	secret = strings.TrimSpace(secret)
	s, err := note.NewSigner(secret)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the mirror's key cannot be read: %w", err)
	}
	// PRIVATE+KEY+NAME+HASH+BASE64, of the algorithm's byte and the seed.
	raw, err := base64.StdEncoding.DecodeString(secret[strings.LastIndexByte(secretHead(secret, s), '+')+1:])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return nil, errs.New(errs.Invalid, "the mirror's key is not an Ed25519 key")
	}
	public, err := note.NewEd25519VerifierKey(s.Name(), ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey))
	if err != nil {
		return nil, errs.New(errs.Invalid, "the mirror's key: %w", err)
	}
	return &Key{s, public}, nil
}

// secretHead is what stands before the base64, which may hold a plus itself.
func secretHead(secret string, s note.Signer) string {
	n := len("PRIVATE+KEY+") + len(s.Name()) + len("+12345678+")
	return secret[:min(n, len(secret))]
}

// Public is the public key, a vkey.
func (k *Key) Public() string { return k.public }
