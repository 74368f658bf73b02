// Package register holds the accession register: an append-only, signed,
// verifiable log of everything that the library states.
//
// # On disk
//
// The layout is that of C2SP tlog-tiles, below [Config.Dir]:
//
//	checkpoint             the published checkpoint, a signed note
//	tile/<L>/<N>           hash tiles of height 8
//	tile/entries/<N>       bundles of 256 entries, each after its length as uint16
//	tile/…/<N>.p/<W>       the last, partial one of each level
//	charters/<VERSION>     the charters, signed notes: who speaks for the library
//	safe                   the longest checkpoint that a quorum of witnesses has cosigned
//	base                   of a copy without a checkpoint: the tree that counts
//	branches/<SIZE-ROOT>/  what was held here and the register does not have
//
// Any tlog client can read and verify it. Trees are hashed by
// golang.org/x/mod/sumdb/tlog and notes signed by its sumdb/note; the text of a
// checkpoint is that of github.com/transparency-dev/formats.
//
// # Promises
//
// When [Register.Append] returns without error, its entries and a checkpoint
// that covers them are durable: first every tile and bundle is synced, then the
// names of the new files, and only then the checkpoint is renamed into place and
// its name synced. The checkpoint on disk is therefore valid at every moment,
// and whatever lies beyond it was never acknowledged. Opening a register reads
// the edge of the tree that the checkpoint covers, proves it against the root
// and sweeps away what lies beyond, which a normal append does too after one
// that failed. A batch is added whole or not at all.
//
// If the fate of the checkpoint itself is unknown, because its renaming or the
// sync after it failed, the register takes no more appends until it is opened
// anew.
//
// # Copies
//
// A register is copied by [CreateReplica] and [Register.Extend]: it grows from
// one checkpoint of the origin to another, by bytes from anywhere that are proved
// against it, and is never signed. What is fetched is written at once, but counts
// only when the checkpoint that covers it is renamed into place, as above.
//
// A charter may give the library to another key. Then a copy that is longer than
// what the charter continues leaves its own tail as a branch: it writes the branch
// below branches/, then the file base, which from then on counts instead of the
// checkpoint, and takes the partial tiles of the branch away. The next checkpoint
// ends that. [Continue] makes a copy the origin's register in the same way.
//
// One process may write; see durable.Lock. Any number may read meanwhile.
//
// # Trust
//
// The disk is believed when entries are read, not when they are verified:
// [Verify] believes the origin's key and nothing else. Whoever controls the disk
// can take entries away or change them, and Verify will say so; only with the
// origin's key can one fork the register, and only witnesses can tell.
package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// Config says where a register is, and with which keys it is read and written.
type Config struct {
	Dir      string           // the folder that holds checkpoint, tile and charters
	FS       durable.FS       // nil: the disk of the machine
	Signer   note.Signer      // the origin's key; nil: read only
	Verifier note.Verifier    // the origin's public key; nil: taken from the newest charter
	Origin   string           // the checkpoint origin line; empty: taken from the newest charter
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
	Replica  bool             // a copy: extended from other copies (Extend), never appended to
}

func (c Config) withDefaults() Config {
	if c.FS == nil {
		c.FS = durable.OS()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Register is an open register. All methods may be called at once.
type Register struct {
	cfg   Config
	disk  disk
	state atomic.Pointer[state] // what is published
	cache bundleCache

	erasing sync.RWMutex // read-locked while a snapshot needs every bundle as it is

	mu    sync.Mutex
	queue []*request // of Append, not yet taken

	// What follows belongs to the one who holds the turn.
	turn   chan struct{}
	broken error           // the fate of the last checkpoint is unknown
	litter bool            // an append failed and left files beyond the checkpoint
	synced map[string]bool // folders whose own names are durable
}

// state is a published checkpoint and all that the next append needs. It is
// never changed, only replaced.
type state struct {
	checkpoint Checkpoint
	signed     []byte // the checkpoint as a note
	key        note.Verifier
	ring       keyring
	edge       edge
	bundle     []byte // the last, partial bundle
	charters   [][]byte
	newest     Charter
	library    string
	instead    string // the checkpoint file that does not count, while there is no other: see groundState
	safe       Checkpoint
	safeSigned []byte     // nil: nothing is safe
	pending    Checkpoint // an earlier one that some witnesses have cosigned; not on disk
}

func (s *state) size() int64 { return s.edge.size }

func newRegister(cfg Config) *Register {
	return &Register{
		cfg: cfg, disk: disk{cfg.FS, cfg.Dir}, turn: make(chan struct{}, 1), synced: map[string]bool{},
	}
}

// Create makes a register whose first entry is entry0, a charter that counts
// and names the key of cfg.Signer. It refuses a folder that has anything in it.
// If it fails or is cut short before the checkpoint is there, nothing was made:
// remove the folder and begin again.
func Create(cfg Config, entry0 []byte) (*Register, error) {
	cfg = cfg.withDefaults()
	if cfg.Signer == nil {
		return nil, errs.New(errs.Invalid, "a register is made with the origin's key")
	}
	if list, err := cfg.FS.ReadDir(cfg.Dir); err == nil && len(list) > 0 {
		has := func(name string) bool {
			return slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() == name })
		}
		if has(checkpointName) {
			return nil, errs.New(errs.Refused, "there is a register in %s already", cfg.Dir)
		}
		return nil, errs.WithHint(errs.New(errs.Refused, "%s holds files, but no register that was finished", cfg.Dir),
			"move that folder away if nothing in it is needed, and begin again")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	signed, isCharter, err := charterOf(entry0)
	if err != nil {
		return nil, err
	}
	if !isCharter {
		return nil, errs.New(errs.Refused, "entry 0 of a register is a charter")
	}
	charter, err := VerifyCharter(nil, signed)
	if err != nil {
		return nil, err
	}
	if cfg.Origin != "" && cfg.Origin != charter.Log {
		return nil, errs.New(errs.Invalid, "the charter is for the log %s, not %s", charter.Log, cfg.Origin)
	}
	cfg.Origin, cfg.Verifier = "", nil // the charter says both
	ring, err := newKeyring(cfg, []Charter{charter})
	if err != nil {
		return nil, err
	}
	if err := durable.MkdirAll(cfg.FS, cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	r := newRegister(cfg)
	r.state.Store(&state{ring: ring, key: ring.keys[0].Verifier, library: LibraryID(entry0)})
	if err := r.checkSigner(); err != nil {
		return nil, err
	}
	if _, err := r.Append(context.Background(), [][]byte{entry0}); err != nil {
		return nil, err
	}
	return r, nil
}

// checkSigner holds the signing key to the newest public one.
func (r *Register) checkSigner() error {
	s, v := r.cfg.Signer, r.state.Load().ring.keys[0]
	if s != nil && (s.Name() != v.Name() || s.KeyHash() != v.KeyHash()) {
		return errs.New(errs.Invalid, "the signing key is %s+%08x, but the register belongs to %s+%08x",
			s.Name(), s.KeyHash(), v.Name(), v.KeyHash())
	}
	return nil
}

// charterOf is the note of a charter entry. It decodes only what may be one.
func charterOf(entry []byte) (signed []byte, isCharter bool, err error) {
	if !bytes.Contains(entry, []byte(`"charter"`)) {
		return nil, false, nil
	}
	e, _, err := record.Decode(entry)
	if err != nil || e.Type != record.TypeCharter {
		return nil, false, err
	}
	if e.Body != nil {
		return nil, true, badCharter("its note must be in the entry itself")
	}
	return []byte(e.Note), true, nil
}

// Size is how many entries the published checkpoint covers.
func (r *Register) Size() int64 { return r.state.Load().size() }

// Checkpoint is the published signed note.
func (r *Register) Checkpoint() []byte { return bytes.Clone(r.state.Load().signed) }

// Published is the published checkpoint with its cosignatures.
func (r *Register) Published() Checkpoint { return r.state.Load().checkpoint }

// Library is the library id.
func (r *Register) Library() string { return r.state.Load().library }

// Origin is the checkpoint origin line.
func (r *Register) Origin() string { return r.state.Load().ring.origin }

// Charter is the newest charter; ok is false for a foreign log without one.
func (r *Register) Charter() (c Charter, ok bool) {
	s := r.state.Load()
	return s.newest, len(s.charters) > 0
}

// Charters are the notes of all charters, the oldest first.
func (r *Register) Charters() [][]byte {
	var list [][]byte
	for _, c := range r.state.Load().charters {
		list = append(list, bytes.Clone(c))
	}
	return list
}

func charterPath(version int64) string {
	return path.Join(chartersName, strconv.FormatInt(version, 10))
}

// AddCharter stores a charter that follows the newest: see [VerifyCharter]. It
// is durable on return. A charter that is there already is fine.
func (r *Register) AddCharter(ctx context.Context, signed []byte) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.yield()
	next := *r.state.Load()
	if err := r.storeCharter(&next, signed, false); err != nil {
		return err
	}
	r.state.Store(&next)
	return nil
}

// storeCharter makes a charter durable and puts it into the state. One with the
// text of another is the same, whoever signed it; the form that is in an entry
// replaces the one that was there.
func (r *Register) storeCharter(s *state, signed []byte, entry bool) error {
	for i, c := range s.charters {
		if bytes.Equal(c, signed) || !entry && sameCharter(c, signed) {
			return nil
		}
		if sameCharter(c, signed) {
			var old []byte
			if i > 0 {
				old = s.charters[i-1]
			}
			if _, err := VerifyCharter(old, signed); err != nil {
				return err
			}
			if err := r.writeCharter(int64(i+1), signed); err != nil {
				return err
			}
			s.charters = slices.Clone(s.charters)
			s.charters[i] = bytes.Clone(signed)
			return nil
		}
	}
	var old []byte
	if len(s.charters) > 0 {
		old = s.charters[len(s.charters)-1]
	}
	c, err := VerifyCharter(old, signed)
	if err != nil {
		return err
	}
	if c.Version > 1 && c.Library != s.library {
		return badCharter("version %d is of another library", c.Version)
	}
	if err := r.writeCharter(c.Version, signed); err != nil {
		return err
	}
	s.charters = append(slices.Clip(s.charters), bytes.Clone(signed))
	s.newest = c
	all, err := VerifyCharters(s.library, s.charters)
	if err != nil {
		return err
	}
	s.ring, err = newKeyring(r.cfg, all)
	return err
}

func (r *Register) writeCharter(version int64, signed []byte) error {
	if err := r.ensureDir(chartersName); err != nil {
		return err
	}
	if err := durable.WriteFile(r.cfg.FS, r.disk.path(charterPath(version)), signed, 0o644); err != nil {
		return fmt.Errorf("write charter %d: %w", version, err)
	}
	return nil
}

// sameCharter says whether two notes have one text, whoever signed them.
func sameCharter(a, b []byte) bool {
	m, err := openUnverified(a)
	if err != nil {
		return false
	}
	n, err := openUnverified(b)
	return err == nil && m.Text == n.Text
}

// take waits for the turn to write.
func (r *Register) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Register) yield() { <-r.turn }
