package register

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

const (
	groundName   = "base"
	groundHeader = "wenlan-base/v1"
	maxGround    = 1024
)

// groundState is the file base: the tree that counts while no checkpoint of it is
// there. A copy that is made begins with the empty tree, and one that leaves a
// branch with what the branch has in common with the register. It is written
// before anything is taken away and removed after the next checkpoint is there.
type groundState struct {
	library string
	size    int64
	root    tlog.Hash
	instead string // hex SHA-256 of the checkpoint file that no longer counts; "-": there was none
}

func (g groundState) text() []byte {
	return fmt.Appendf(nil, "%s\nlibrary %s\ntree %d %s\ninstead %s\n", groundHeader, g.library, g.size, g.root, g.instead)
}

func parseGroundState(data []byte) (groundState, error) {
	var g groundState
	bad := errors.New("it is not in the one form that it has")
	lines := strings.Split(string(data), "\n")
	if len(lines) != 5 || lines[0] != groundHeader {
		return g, bad
	}
	var tree string
	for i, to := range map[int]*string{1: &g.library, 2: &tree, 3: &g.instead} {
		_, *to, _ = strings.Cut(lines[i], " ")
	}
	size, root, _ := strings.Cut(tree, " ")
	var err error
	if g.size, err = strconv.ParseInt(size, 10, 64); err != nil || g.size < 0 || g.size >= 1<<60 {
		return g, bad
	}
	if g.root, err = tlog.ParseHash(root); err != nil || !record.IsSHA256(g.library) {
		return g, bad
	}
	if !bytes.Equal(g.text(), data) {
		return g, bad
	}
	return g, nil
}

// readGround reads the file base, if it still counts beside the checkpoint.
func readGround(d disk, signed []byte) (g groundState, ok bool, err error) {
	data, err := d.read(groundName, maxGround)
	if errors.Is(err, fs.ErrNotExist) {
		return g, false, nil
	} else if err != nil {
		return g, false, err
	}
	if g, err = parseGroundState(data); err != nil {
		return g, false, damaged(groundName, err)
	}
	return g, signed == nil || g.instead == fileSum(signed), nil
}

// fileSum names a checkpoint file in the file base.
func fileSum(signed []byte) string {
	if signed == nil {
		return none
	}
	sum := sha256.Sum256(signed)
	return hex.EncodeToString(sum[:])
}

// CreateReplica makes an empty copy of a library: its charters, no entry, and no
// checkpoint yet. The library's id is what the caller has pinned; entry 0 is held
// to it when it comes. The copy is durable on return; if it fails or is cut short
// it may be repeated.
func CreateReplica(ctx context.Context, cfg Config, library string, charters [][]byte) (*Register, error) {
	cfg = cfg.withDefaults()
	switch {
	case !cfg.Replica || cfg.Signer != nil:
		return nil, errs.New(errs.Invalid, "a copy of a register is not signed here")
	case !record.IsSHA256(library):
		return nil, errs.New(errs.Invalid, "%.80q is not the id of a library", library)
	case len(charters) == 0:
		return nil, errs.New(errs.Invalid, "the library has no charter")
	}
	list, err := VerifyCharters(library, charters)
	if err != nil {
		return nil, err
	}
	if _, err := newKeyring(cfg, list); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := durable.MkdirAll(cfg.FS, cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	r := newRegister(cfg)
	if err := r.refuseFull(); err != nil {
		return nil, err
	}
	if err := r.ensureDir(chartersName); err != nil {
		return nil, err
	}
	for i, signed := range charters {
		if err := durable.WriteFile(cfg.FS, r.disk.path(charterPath(int64(i+1))), signed, 0o644); err != nil {
			return nil, fmt.Errorf("write charter %d: %w", i+1, err)
		}
	}
	root, err := tlog.TreeHash(0, nil)
	if err != nil {
		return nil, err
	}
	g := groundState{library: library, root: root, instead: none}
	if err := durable.WriteFile(cfg.FS, r.disk.path(groundName), g.text(), 0o644); err != nil {
		return nil, err
	}
	return Open(cfg)
}

// refuseFull refuses a folder that is more than what an earlier CreateReplica
// has left behind, of which it removes the charters.
func (r *Register) refuseFull() error {
	list, err := r.cfg.FS.ReadDir(r.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Name() == checkpointName || e.Name() == groundName {
			return errs.New(errs.Refused, "there is a register in %s already", r.cfg.Dir)
		}
		if e.Name() != chartersName && e.Name() != groundName+durable.TempSuffix {
			return errs.WithHint(errs.New(errs.Refused, "%s holds files, but no register that was finished", r.cfg.Dir),
				"move that folder away if nothing in it is needed, and begin again")
		}
	}
	list, err = r.cfg.FS.ReadDir(r.disk.path(chartersName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range list {
		if err := r.cfg.FS.Remove(r.disk.path(path.Join(chartersName, e.Name()))); err != nil {
			return err
		}
	}
	return nil
}
