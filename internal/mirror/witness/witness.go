// Package witness keeps an origin from showing two faces: the side that cosigns,
// a mirror's, and the side that asks for cosignatures, the origin's. Both speak
// C2SP tlog-witness, so either may be somebody else's program.
//
// # The witness
//
// A [Witness] cosigns (C2SP tlog-cosignature v1, Ed25519, with the time) a
// checkpoint of the origin only when the mirror's own copy of the register has
// reached its size with the same root and the mirror holds every file that it may
// hold; so a cosignature says that what the checkpoint covers would survive the
// origin. It never cosigns a size below, or a root other than, what it cosigned
// before, unless the trustees' charter goes back to a base.
//
// # On disk
//
//	DIR/cosigned.json   the charter's version and the last note that was cosigned
//
// It is durable before an answer leaves. Whoever loses it loses no safety: the
// copy of the register is then the least that is cosigned.
//
// # The origin
//
// A [Gatherer] asks the witnesses after appends, brings their answers into the
// published checkpoint, and renews them while nothing happens. Before the first
// append after a start its Check asks whether a witness has seen more than this
// register holds; what a witness says against the origin counts only when it
// shows a checkpoint that the origin itself has signed.
package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// Cosigner signs checkpoints with the time.
type Cosigner struct {
	name string
	hash uint32
	vkey string
	key  ed25519.PrivateKey
}

// NewCosigner makes a cosigner from an Ed25519 key in the form of signed notes,
// as register.GenerateKeys makes it.
func NewCosigner(skey string) (*Cosigner, error) {
	bad := errs.New(errs.Corrupt, "the mirror's key is not an Ed25519 key of a signed note")
	signer, err := note.NewSigner(strings.TrimSpace(skey))
	if err != nil {
		return nil, bad
	}
	// PRIVATE+KEY+NAME+HASH+BASE64 of the algorithm's byte and the seed.
	parts := strings.SplitN(strings.TrimSpace(skey), "+", 5)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return nil, bad
	}
	key := ed25519.NewKeyFromSeed(raw[1:])
	public, err := note.NewEd25519VerifierKey(signer.Name(), key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, bad
	}
	vkey, err := fnote.VKeyToCosignatureV1(public)
	if err != nil {
		return nil, bad
	}
	v, err := register.ParseWitness(vkey)
	if err != nil {
		return nil, err
	}
	return &Cosigner{name: signer.Name(), hash: v.KeyHash(), vkey: vkey, key: key}, nil
}

// VKey is the public key as a charter names a witness.
func (c *Cosigner) VKey() string { return c.vkey }

// Verifier verifies what the cosigner signs.
func (c *Cosigner) Verifier() note.Verifier {
	v, err := register.ParseWitness(c.vkey)
	if err != nil {
		panic(err) // NewCosigner has parsed it
	}
	return v
}

// Cosign is the signature line of a checkpoint's text at a time: C2SP
// tlog-cosignature, "Format".
func (c *Cosigner) Cosign(text string, at time.Time) []byte {
	seconds := uint64(max(at.Unix(), 0))
	sig := binary.BigEndian.AppendUint32(nil, c.hash)
	sig = binary.BigEndian.AppendUint64(sig, seconds)
	sig = append(sig, ed25519.Sign(c.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, text))...)
	return fmt.Appendf(nil, "— %s %s\n", c.name, base64.StdEncoding.EncodeToString(sig))
}

// Config is what a witness needs.
type Config struct {
	Dir      string // its folder, DATA/mirror/witness; made by New
	FS       durable.FS
	Register *register.Register // the mirror's copy
	Cosigner *Cosigner
	// Ready is nil when every file that may be held of the first size entries is
	// held. errs.Unavailable says not yet, errs.Forbidden never: a part only is
	// mirrored, or the origin is under alarm; its sentence is the answer.
	Ready func(ctx context.Context, size int64) error
	// Wake asks the mirror to go on with this checkpoint, which the origin has
	// signed and the copy has not reached. It must not wait. May be nil.
	Wake func(signed []byte)
	// Accuse keeps the proof of a fork, durable when it returns.
	Accuse func(ctx context.Context, fork *register.Fork) error
	// Evidence is every proof that is kept, each a JSON value. May be nil.
	Evidence func(ctx context.Context) ([]json.RawMessage, error)
	Wait     time.Duration // how long a client that comes too early is kept waiting for the mirror; 0: 3 s
	Retry    time.Duration // and when it may ask again; 0: 1 s
	Now      func() time.Time
	Log      *slog.Logger
}

// Witness cosigns for one mirror. Its methods may be called at once.
type Witness struct {
	cfg Config

	mu      sync.Mutex
	last    cosigned
	grown   chan struct{}     // closed, and made anew, when our copy has grown
	waiting int               // clients
	pending map[string][]byte // notes of the origin beyond our copy, by their text; looked at once it is reached
}

// cosigned is what was cosigned last.
type cosigned struct {
	Charter int64  `json:"charter"` // the version in force then
	Note    []byte `json:"note"`    // with the origin's signature and ours; empty: nothing yet
	size    int64
	root    tlog.Hash
}

const (
	stateName  = "cosigned.json"
	maxState   = 1 << 20
	maxPending = 16
)

// New opens a witness.
func New(ctx context.Context, cfg Config) (*Witness, error) {
	if cfg.FS == nil {
		cfg.FS = durable.OS()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Wait <= 0 {
		cfg.Wait = 3 * time.Second
	}
	if cfg.Retry <= 0 {
		cfg.Retry = time.Second
	}
	if err := durable.MkdirAll(cfg.FS, cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the witness's folder: %w", err)
	}
	w := &Witness{cfg: cfg, grown: make(chan struct{}), pending: map[string][]byte{}}
	raw, err := durable.ReadFile(cfg.FS, filepath.Join(cfg.Dir, stateName), maxState)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return w, nil
	case err == nil:
		err = w.load(raw)
	}
	if err != nil {
		// What is lost said nothing that the copy does not hold: only what the copy had
		// reached was ever cosigned. The copy as it is now is the safe answer.
		cfg.Log.WarnContext(ctx, "what was cosigned last cannot be read; the copy of the register stands for it", "err", err)
		p := cfg.Register.Published()
		w.last = cosigned{Charter: w.version(), size: p.Size, root: p.Root}
	}
	return w, nil
}

// load reads the state: a note that an origin key of the charters has signed.
func (w *Witness) load(raw []byte) error {
	var last cosigned
	if err := json.Unmarshal(raw, &last); err != nil {
		return err
	}
	for _, signed := range w.cfg.Register.Charters() {
		c, err := register.ParseCharter(signed)
		if err != nil || c.Version != last.Charter {
			continue
		}
		key, err := note.NewVerifier(c.Origin)
		if err != nil {
			return err
		}
		cp, err := register.ParseCheckpoint(last.Note, c.Log, key, w.cfg.Cosigner.Verifier())
		if err != nil {
			return err
		}
		last.size, last.root = cp.Size, cp.Root
		w.last = last
		return nil
	}
	return errs.New(errs.Corrupt, "it names charter %d, which is not there", last.Charter)
}

func (w *Witness) version() int64 {
	c, _ := w.cfg.Register.Charter()
	return c.Version
}

// standing is what the next cosignature must extend: what was cosigned last, or
// the base of a later charter, where that goes back behind it.
func (w *Witness) standing() (cosigned, error) {
	last := w.last
	if last.size == 0 || last.Charter == w.version() {
		return last, nil
	}
	for _, signed := range w.cfg.Register.Charters() {
		c, err := register.ParseCharter(signed)
		if err != nil {
			return last, err
		}
		if c.Version > last.Charter && c.Base != nil && last.size > c.Base.Size {
			last = cosigned{Charter: c.Version, size: c.Base.Size, root: c.Base.Root}
		}
	}
	return last, nil
}

// Newest is the note that was cosigned last, with our cosignature; size is its
// size. The note is nil where there is none or a charter went back behind it.
func (w *Witness) Newest() (signed []byte, size int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, err := w.standing()
	if err != nil {
		return nil, 0
	}
	return last.Note, last.size
}

// conflict is the answer 409.
type conflict struct {
	size int64 // what was cosigned last
	why  string
}

func (c *conflict) Error() string { return c.why }

// Add checks a request and cosigns its checkpoint. The lines that it returns are
// durable: no later call contradicts them, in this process or the next.
//
// errs.NotFound: another log. errs.Forbidden: not signed by the origin's key, or
// this mirror does not cosign. errs.Invalid: not a request. errs.Refused: the
// proof is wrong. errs.Unavailable: not held yet; ask again.
func (w *Witness) Add(ctx context.Context, req Request) (lines []byte, err error) {
	return w.add(ctx, req, w.cfg.Wake)
}

func (w *Witness) add(ctx context.Context, req Request, wake func([]byte)) (lines []byte, err error) {
	charter, ok := w.cfg.Register.Charter()
	if !ok {
		return nil, errs.New(errs.NotFound, "this witness knows no log yet")
	}
	if origin, _, _ := bytes.Cut(req.Note, []byte("\n")); string(origin) != charter.Log {
		return nil, errs.New(errs.NotFound, "this witness cosigns %s, not %.80q", charter.Log, origin)
	}
	key, err := note.NewVerifier(charter.Origin)
	if err != nil {
		return nil, err
	}
	cp, err := register.ParseCheckpoint(req.Note, charter.Log, key)
	if err != nil {
		return nil, errs.New(errs.Forbidden, "the checkpoint is not signed by the library's origin: %w", err)
	}
	if req.Old > cp.Size {
		return nil, errs.New(errs.Invalid, "old %d is beyond the checkpoint's %d entries", req.Old, cp.Size)
	}
	// Its text, and the origin's signature: whatever else came with it is not ours to keep.
	n, err := note.Open(req.Note, note.VerifierList(key))
	if err != nil {
		return nil, errs.New(errs.Forbidden, "the checkpoint is not signed by the library's origin: %w", err)
	}
	signed, err := note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs})
	if err != nil {
		return nil, err
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	last, err := w.standing()
	if err != nil {
		return nil, err
	}
	var other error
	if last.size == 0 {
		last.root = sha256.Sum256(nil) // RFC 6962, section 2.1: of the empty tree
	}
	if cp.Size > 0 && cp.Size <= w.cfg.Register.Size() {
		other = w.compare(ctx, cp, signed) // a proof of a fork is kept, whatever the request is worth
	}
	if req.Old != last.size {
		return nil, &conflict{last.size, fmt.Sprintf("the last that was cosigned has %d entries", last.size)}
	}
	if other != nil {
		return nil, other
	}
	switch {
	case req.Old == 0 && len(req.Proof) > 0:
		return nil, errs.New(errs.Refused, "what extends an empty tree needs no proof")
	case req.Old == cp.Size:
		if len(req.Proof) > 0 {
			return nil, errs.New(errs.Refused, "two checkpoints of one size need no proof")
		}
		if cp.Root != last.root {
			return nil, &conflict{-1, "another root was cosigned at this size"}
		}
	case req.Old > 0:
		if err := tlog.CheckTree(req.Proof, cp.Size, cp.Root, last.size, last.root); err != nil {
			return nil, errs.New(errs.Refused, "the checkpoint is not proved to extend the last one that was cosigned: %w", err)
		}
	}
	if have := w.cfg.Register.Size(); cp.Size > have {
		if len(w.pending) < maxPending {
			w.pending[n.Text] = signed
		}
		if wake != nil {
			wake(signed)
		}
		return nil, errs.New(errs.Unavailable, "this mirror holds %d of %d entries", have, cp.Size)
	}
	if err := w.cfg.Ready(ctx, cp.Size); err != nil {
		if errs.Is(err, errs.Unavailable) && wake != nil {
			wake(signed)
		}
		return nil, err
	}
	lines = w.cfg.Cosigner.Cosign(n.Text, w.cfg.Now())
	next := cosigned{Charter: charter.Version, Note: append(bytes.Clone(signed), lines...), size: cp.Size, root: cp.Root}
	raw, err := json.Marshal(next)
	if err != nil {
		return nil, err
	}
	// If the write fails its outcome is unknown, but the copy holds all that it may say,
	// and the next start reads what is there.
	if err := durable.WriteFile(w.cfg.FS, filepath.Join(w.cfg.Dir, stateName), raw, 0o644); err != nil {
		return nil, errs.New(errs.Unavailable, "the cosignature could not be kept: %w", err)
	}
	w.last = next
	return lines, nil
}

const (
	maxWaiting = 16
	lookAgain  = 100 * time.Millisecond // for files, of whose coming nobody tells
)

// AddSoon is Add that waits a moment for a mirror which is behind, because the
// origin asks as soon as something is new: what is new is here soon after.
func (w *Witness) AddSoon(ctx context.Context, req Request) (lines []byte, err error) {
	w.mu.Lock()
	patient := w.waiting < maxWaiting
	w.waiting++
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting--
	}()
	wake := w.cfg.Wake
	end := time.NewTimer(w.cfg.Wait)
	defer end.Stop()
	for {
		w.mu.Lock()
		grown := w.grown
		w.mu.Unlock()
		if lines, err = w.add(ctx, req, wake); !patient || !errs.Is(err, errs.Unavailable) {
			return lines, err
		}
		wake = nil
		again := time.NewTimer(lookAgain)
		select {
		case <-grown:
		case <-again.C:
		case <-end.C:
			patient = false
		case <-ctx.Done():
			patient = false
		}
		again.Stop()
	}
}

// compare holds a checkpoint of the origin against our copy, which has reached
// its size. Another root is a fork, which is kept.
func (w *Witness) compare(ctx context.Context, cp register.Checkpoint, signed []byte) error {
	root, err := w.cfg.Register.RootHash(cp.Size)
	if err != nil {
		return err
	}
	if root == cp.Root {
		return nil
	}
	err = w.cfg.Register.Extend(ctx, signed, nowhere, register.ExtendOptions{})
	var fork *register.Fork
	if errors.As(err, &fork) && w.cfg.Accuse != nil {
		if err := w.cfg.Accuse(context.WithoutCancel(ctx), fork); err != nil {
			return err
		}
	}
	return &conflict{-1, fmt.Sprintf("the origin has signed another tree of %d entries than this mirror has copied", cp.Size)}
}

// nowhere is where a comparison with what is here reads from.
func nowhere(ctx context.Context, _ func(context.Context, register.Get) error) error {
	return errs.New(errs.Unavailable, "no other copy is asked")
}

// Extended looks at the origin's checkpoints that came before our copy had
// reached their size; call it when the copy has grown. A fork among them is
// kept.
func (w *Witness) Extended(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.grown)
	w.grown = make(chan struct{})
	charter, ok := w.cfg.Register.Charter()
	if !ok {
		return nil
	}
	key, err := note.NewVerifier(charter.Origin)
	if err != nil {
		return err
	}
	for text, signed := range w.pending {
		cp, err := register.ParseCheckpoint(signed, charter.Log, key)
		if err == nil && cp.Size > w.cfg.Register.Size() {
			continue
		}
		delete(w.pending, text)
		if err != nil { // of a key that counts no more
			continue
		}
		var c *conflict
		if err := w.compare(ctx, cp, signed); err != nil && !errors.As(err, &c) {
			return err
		}
	}
	return nil
}
