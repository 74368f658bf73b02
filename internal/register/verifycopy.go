package register

import (
	"errors"
	"io/fs"
	"path"

	"golang.org/x/mod/sumdb/tlog"
)

// openGround takes the tree that counts while there is no checkpoint of it.
func (v *verifier) openGround(g groundState) {
	v.cp = Checkpoint{Size: g.size, Root: g.root}
	v.sum.Files++
	v.sum.Size, v.sum.Root = g.size, g.root
	if ring, err := newKeyring(v.cfg, v.valid); err != nil {
		v.once(chartersName, err.Error(), mendCopy)
	} else {
		v.ring = ring
	}
	for _, c := range v.valid {
		if c.Version > 1 && c.Library != g.library {
			v.once(charterPath(c.Version), "it is of another library", mendRemove)
		}
	}
}

// checkSafe holds the safe checkpoint to the tree.
func (v *verifier) checkSafe() {
	signed, err := v.disk.read(safeName, maxCheckpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	v.sum.Files++
	const mend = "remove it: the next cosigned checkpoint replaces it"
	if err != nil {
		v.problem(safeName, err.Error(), mend)
		return
	}
	c, _, err := v.ring.openHeld(signed)
	if err != nil {
		v.problem(safeName, err.Error(), mend)
		return
	}
	if c.Size > v.cp.Size {
		if v.key != nil { // else the register has just left the branch that it was of
			v.problem(safeName, "it covers more than the checkpoint", "copy the register anew from a mirror: entries that were safe are missing")
		}
		return
	}
	reader := tlog.TileHashReader(tlog.Tree{N: v.cp.Size, Hash: v.cp.Root}, tileReader{v.disk, v.edge})
	if root, err := tlog.TreeHash(c.Size, reader); v.proved && err == nil && root != c.Root {
		v.problem(safeName, "it is of another register", mend)
	}
}

// branches looks whether the branches can be read. They are evidence, and not
// part of the register.
func (v *verifier) branches() error {
	r := newRegister(v.cfg)
	list, err := r.Branches()
	if err != nil {
		v.problem(branchesName, err.Error(), mendRemove)
		return nil
	}
	for _, b := range list {
		if err := r.ReadBranch(v.ctx, b.ID, func(int64, []byte) error { return nil }); err != nil {
			if v.ctx.Err() != nil {
				return v.ctx.Err()
			}
			v.problem(path.Join(branchesName, b.ID), err.Error(), mendRemove)
		}
	}
	return nil
}
