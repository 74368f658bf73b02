package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

const (
	// MaxBatch is the most entries that one Append takes, and that one group holds.
	MaxBatch = 1 << 17

	writers = 16 // files written and synced at once; syncs that meet share a commit of the journal
)

// request is one call of Append.
type request struct {
	entries [][]byte
	charter bool // one of the entries is a charter
	first   int64
	err     error
	done    chan struct{}
}

// Append adds entries as one batch, whole or not at all, and returns the index
// of the first. When it returns without error, the entries and the checkpoint
// that covers them are durable. Calls that meet share a group and its syncs.
//
// A cancelled context stops a call that waits; once its group is being written
// the call waits for the outcome. An error that is not [errs.Unavailable] means
// that nothing was added. After an unknown outcome every later call fails with
// errs.Unavailable until the register is opened anew.
//
// The entries must be valid (record.Encode) and must not be changed meanwhile;
// at most [MaxBatch]. A charter among them must count: see [VerifyCharter].
func (r *Register) Append(ctx context.Context, entries [][]byte) (first int64, err error) {
	if r.cfg.Signer == nil {
		return 0, errs.New(errs.Invalid, "the register is open for reading only")
	}
	if len(entries) == 0 {
		return r.Size(), nil
	}
	if len(entries) > MaxBatch {
		return 0, errs.New(errs.TooLarge, "%d entries in one batch are more than %d", len(entries), MaxBatch)
	}
	req := &request{entries: entries, done: make(chan struct{})}
	for i, e := range entries {
		if len(e) == 0 || len(e) > record.MaxEntry {
			return 0, errs.New(errs.Invalid, "entry %d of the batch has %d bytes, not 1 to %d", i, len(e), record.MaxEntry)
		}
		if !req.charter && bytes.Contains(e, []byte(`"charter"`)) {
			req.charter = true
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r.mu.Lock()
	r.queue = append(r.queue, req)
	r.mu.Unlock()
	for {
		select {
		case <-req.done:
			return req.first, req.err
		case r.turn <- struct{}{}:
			r.writeGroup(req)
			r.yield()
		case <-ctx.Done():
			if r.withdraw(req) {
				return 0, ctx.Err()
			}
			<-req.done
			return req.first, req.err
		}
	}
}

// writeGroup writes the next group, unless what the caller waits for is done.
func (r *Register) writeGroup(mine *request) {
	select {
	case <-mine.done:
		return
	default:
	}
	group := r.nextGroup()
	r.write(group)
	for _, q := range group {
		close(q.done)
	}
}

// withdraw takes a request off the queue, if no group has it yet.
func (r *Register) withdraw(req *request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.queue, req)
	if i >= 0 {
		r.queue = slices.Delete(r.queue, i, i+1)
	}
	return i >= 0
}

// nextGroup takes what waits, at most MaxBatch entries. What holds a charter is
// a group of its own, so that a charter which does not count harms no other.
func (r *Register) nextGroup() (group []*request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := 0
	for _, q := range r.queue {
		total += len(q.entries)
		if len(group) > 0 && (total > MaxBatch || q.charter || group[0].charter) {
			break
		}
		group = append(group, q)
	}
	r.queue = slices.Delete(r.queue, 0, len(group))
	return group
}

// write publishes a group and tells each request its outcome.
func (r *Register) write(group []*request) {
	if len(group) == 0 {
		return
	}
	old := r.state.Load()
	entries := group[0].entries
	if len(group) > 1 {
		entries = nil
		for _, q := range group {
			entries = append(entries, q.entries...)
		}
	}
	err := r.broken
	if err == nil {
		err = r.publish(old, entries, group[0].charter)
	}
	at := old.size()
	for _, q := range group {
		q.first, q.err = at, err
		if err != nil {
			q.first = 0
		}
		at += int64(len(q.entries))
	}
}

// publish writes entries after the old state and then the checkpoint that covers
// them, and makes the new state the published one.
func (r *Register) publish(old *state, entries [][]byte, charter bool) error {
	if r.litter {
		if err := r.sweep(old.size()); err != nil {
			return fmt.Errorf("clean up after an append that failed: %w", err)
		}
		r.litter = false
	}
	if err := r.checkSigner(); err != nil {
		return err
	}
	next := *old
	if charter {
		for _, e := range entries {
			signed, isCharter, err := charterOf(e)
			if err == nil && isCharter {
				err = r.checkCharterKey(signed)
			}
			if err == nil && isCharter {
				err = r.storeCharter(&next, signed, true)
			}
			if err != nil {
				return err
			}
		}
	}
	r.litter = true
	if err := r.writeTiles(old, &next, entries); err != nil {
		return fmt.Errorf("append %d entries at %d: %w", len(entries), old.size(), err)
	}
	return r.settle(old, &next)
}

// settle makes the checkpoint that lies beside the published one the published
// one. All that it covers is durable.
func (r *Register) settle(old, next *state) error {
	// From here on the outcome is unknown until all has succeeded.
	name := r.disk.path(checkpointName)
	err := r.cfg.FS.Rename(name+durable.TempSuffix, name)
	if err == nil {
		err = r.cfg.FS.SyncDir(r.cfg.Dir)
	}
	if err != nil {
		r.broken = errs.WithHint(errs.New(errs.Unavailable, "it is not known whether the last entries were stored: %w", err),
			"start the program anew; it finds out")
		r.cfg.Log.Error("the fate of a checkpoint is unknown", "size", next.size(), "err", err)
		return r.broken
	}
	r.litter = false
	if next.pending.Size <= next.safe.Size {
		next.pending = Checkpoint{}
	}
	r.state.Store(next)
	r.removeOld(old.size(), next.size())
	return nil
}

// checkCharterKey refuses a charter that gives the register to another key: that
// key signs it, see [Continue].
func (r *Register) checkCharterKey(signed []byte) error {
	c, err := ParseCharter(signed)
	if err != nil {
		return err
	}
	key, err := parseKey(c.Origin)
	if err == nil && !sameKey(key, r.state.Load().ring.keys[0]) && r.cfg.Verifier == nil && r.Size() > 0 {
		err = errs.New(errs.Refused, "charter %d names another origin key, which has to sign the checkpoint that covers it", c.Version)
	}
	return err
}

// job is one file to write: data, or a bundle of a prefix and entries.
type job struct {
	name    string
	data    []byte
	entries [][]byte
}

// writeTiles grows the tree in next by entries and makes durable what that adds,
// and the new checkpoint, still beside the published one.
func (r *Register) writeTiles(old, next *state, entries [][]byte) error {
	leaves := hashLeaves(entries)
	next.edge = old.edge.clone()
	w := r.startWriter()
	filled := func(t tlog.Tile, data []byte) { w.put(job{name: tilePath(t), data: data}) }
	var err error
	for rest := entries; len(rest) > 0 && err == nil; {
		t := edgeTile(bundles, next.edge.size)
		n := min(width-t.W, len(rest))
		for _, leaf := range leaves[:n] {
			if err = next.edge.add(leaf, filled); err != nil {
				break
			}
		}
		if t.W += n; t.W == width {
			w.put(job{name: tilePath(t), data: next.bundle, entries: rest[:n]})
			next.bundle = nil
		} else {
			next.bundle = bundleOf(nil, next.bundle, rest[:n])
			w.put(job{name: tilePath(t), data: next.bundle})
		}
		rest, leaves = rest[n:], leaves[n:]
	}
	w.putEdge(&next.edge, old.size())
	if err == nil {
		if err = r.sign(next); err == nil {
			w.put(job{name: checkpointName + durable.TempSuffix, data: next.signed})
		}
	}
	return errors.Join(err, w.finish())
}

// sign makes the checkpoint of the state's tree, and reads it back as others will.
func (r *Register) sign(s *state) error {
	root, err := s.edge.root()
	if err != nil {
		return err
	}
	s.signed, err = signCheckpoint(s.ring.origin, s.edge.size, root, r.cfg.Signer)
	if err != nil {
		return err
	}
	s.key = s.ring.keys[0].Verifier
	s.checkpoint, err = ParseCheckpoint(s.signed, s.ring.origin, s.key)
	return err
}

// hashLeaves hashes entries on all cores.
func hashLeaves(entries [][]byte) []tlog.Hash {
	leaves := make([]tlog.Hash, len(entries))
	part := max((len(entries)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0), width)
	var wg sync.WaitGroup
	for from := 0; from < len(entries); from += part {
		to := min(from+part, len(entries))
		wg.Go(func() {
			for i := from; i < to; i++ {
				leaves[i] = tlog.RecordHash(entries[i])
			}
		})
	}
	wg.Wait()
	return leaves
}

// bundleOf puts a bundle together in buf.
func bundleOf(buf, prefix []byte, entries [][]byte) []byte {
	n := len(prefix)
	for _, e := range entries {
		n += 2 + len(e)
	}
	buf = append(slices.Grow(buf, n), prefix...)
	for _, e := range entries {
		buf = appendEntry(buf, e)
	}
	return buf
}

// writer writes files at once and syncs each.
type writer struct {
	r     *Register
	jobs  chan job
	wg    sync.WaitGroup
	dirs  map[string]bool // folders that got a new file
	mu    sync.Mutex
	err   error
	count int // workers started
}

func (r *Register) startWriter() *writer {
	return &writer{r: r, jobs: make(chan job), dirs: map[string]bool{}}
}

// put hands over a file to be written; after an error it does nothing.
func (w *writer) put(j job) {
	w.mu.Lock()
	err := w.err
	w.mu.Unlock()
	if err != nil {
		return
	}
	dir := path.Dir(j.name)
	if !w.dirs[dir] {
		if err := w.r.ensureDir(dir); err != nil {
			w.fail(err)
			return
		}
		w.dirs[dir] = true
	}
	if w.count < writers {
		w.count++
		w.wg.Go(w.work)
	}
	w.jobs <- j
}

// putEdge hands over the partial tiles of a tree that one of the old size lacks.
func (w *writer) putEdge(e *edge, old int64) {
	for _, t := range edgeTiles(e.size) {
		if hashesAt(t.L, old) != hashesAt(t.L, e.size) {
			w.put(job{name: tilePath(t), data: e.tiles[t.L]})
		}
	}
}

func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) work() {
	var buf []byte
	for j := range w.jobs {
		data := j.data
		if len(j.entries) > 0 {
			buf = bundleOf(buf[:0], j.data, j.entries)
			data = buf
		}
		if err := w.r.writeFile(j.name, data); err != nil {
			w.fail(err)
		}
	}
}

func (w *writer) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil
}

// finish waits until all files are durable, then makes their names durable.
func (w *writer) finish() error {
	close(w.jobs)
	w.wg.Wait()
	if w.err != nil {
		return w.err
	}
	delete(w.dirs, ".") // the checkpoint's name is the last to be synced
	var wg sync.WaitGroup
	for dir := range w.dirs {
		wg.Go(func() {
			if err := w.r.cfg.FS.SyncDir(w.r.disk.path(dir)); err != nil {
				w.fail(err)
			}
		})
	}
	wg.Wait()
	return w.err
}

// writeFile writes and syncs a file that no checkpoint covers yet.
func (r *Register) writeFile(name string, data []byte) error {
	f, err := r.cfg.FS.OpenFile(r.disk.path(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ensureDir makes a folder below the register, and makes its name and those of
// the folders above durable. A folder that is there may be one that an earlier
// process has made and not synced, so each is synced once.
func (r *Register) ensureDir(dir string) error {
	if dir == "." || r.synced[dir] {
		return nil
	}
	if err := r.ensureDir(path.Dir(dir)); err != nil {
		return err
	}
	if err := r.cfg.FS.MkdirAll(r.disk.path(dir), 0o755); err != nil {
		return err
	}
	if err := r.cfg.FS.SyncDir(r.disk.path(path.Dir(dir))); err != nil {
		return err
	}
	if len(r.synced) > 1000 {
		clear(r.synced)
	}
	r.synced[dir] = true
	return nil
}

// removeOld removes the partial tiles of a tree of the old size that one of the
// new size does not have. What stays behind after a crash does no harm; the
// next start sweeps it away.
func (r *Register) removeOld(old, new int64) {
	remove := func(t tlog.Tile) {
		name := tilePath(t)
		if err := r.cfg.FS.Remove(r.disk.path(name)); err != nil {
			r.cfg.Log.Warn("remove an old partial tile", "file", name, "err", err)
		}
		if tileIn(t.L, t.N, new).W == width {
			dir := path.Dir(name)
			delete(r.synced, dir)
			_ = r.cfg.FS.Remove(r.disk.path(dir)) // fails while something is in it
		}
	}
	for _, t := range edgeTiles(old) {
		if tileIn(t.L, t.N, new).W != t.W {
			remove(t)
			if t.L == 0 {
				t.L = bundles
				remove(t)
			}
		}
	}
}
