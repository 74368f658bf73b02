package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

// generation is one folder of the store, open.
type generation struct {
	cfg    *Config
	dir    string
	number int
	draft  bool // has no manifest yet: nothing is synced, there is no tail

	next atomic.Uint64 // the last number that a file was given

	write     sync.Mutex // held while the state on disk and the version change; guards these:
	man       *manifest  // what is on disk
	tail      tail
	mustFlush bool               // what is on disk is not known: the next batch makes a new manifest
	touched   map[int64]struct{} // records that the tail replaces; of a reader
	closed    bool
	cut       error // damage that was cut off the tail when it was opened

	mu    sync.Mutex // held for moments; guards these, and seg.refs:
	cur   *version
	idle  chan struct{} // closed when the last version is given up
	alive int           // versions that are held

	merger merger
}

// member is a segment in a version.
type member struct {
	*seg
	saved *roaring.Bitmap // deleted at the manifest's cursor; nil: none. Of segments on disk
	del   *delFile        // where saved is; nil: in no file
	live  *roaring.Bitmap // deleted now, saved included; nil: none
}

func (m *member) deleted() int {
	if m.live == nil {
		return 0
	}
	return int(m.live.GetCardinality())
}

// version is what there is at one cursor. It is not changed once it is published.
type version struct {
	cursor  int64
	library string
	disk    []member
	mem     []member
	views   []segment.View

	refs int // guarded by generation.mu
}

func (v *version) clone() *version {
	return &version{cursor: v.cursor, library: v.library, disk: slices.Clone(v.disk), mem: slices.Clone(v.mem)}
}

func (v *version) members(fn func(*member)) {
	for i := range v.disk {
		fn(&v.disk[i])
	}
	for i := range v.mem {
		fn(&v.mem[i])
	}
}

// docs counts the documents in memory, the deleted ones included, and their bytes.
func (v *version) inMemory() (docs int, bytes int64) {
	for i := range v.mem {
		docs += v.mem[i].r.Docs()
		bytes += int64(len(v.mem[i].data))
	}
	return docs, bytes
}

// publish makes v what later snapshots are of.
func (g *generation) publish(v *version) {
	v.views = v.views[:0]
	v.members(func(m *member) {
		if live := m.r.Docs() - m.deleted(); live > 0 {
			v.views = append(v.views, segment.View{Reader: m.r, Deleted: m.live, Live: live})
		}
	})
	g.mu.Lock()
	v.members(func(m *member) { m.refs++ })
	v.refs = 1
	g.alive++
	old := g.cur
	g.cur = v
	g.mu.Unlock()
	if old != nil {
		g.release(old)
	}
}

// acquire holds the present version; nil when the generation is closed.
func (g *generation) acquire() *version {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cur != nil {
		g.cur.refs++
	}
	return g.cur
}

// release gives a version back; what nobody has any more is unmapped.
func (g *generation) release(v *version) {
	var gone []*seg
	g.mu.Lock()
	if v.refs--; v.refs == 0 {
		v.members(func(m *member) {
			if m.refs--; m.refs == 0 {
				gone = append(gone, m.seg)
			}
		})
		if g.alive--; g.alive == 0 && g.idle != nil {
			close(g.idle)
		}
	}
	g.mu.Unlock()
	for _, s := range gone {
		if err := s.close(); err != nil {
			g.cfg.Log.Warn("unmap", "file", g.label(s.file.Name), "error", err)
		}
	}
}

// Close stops merging, waits until every snapshot is given back, and unmaps all.
func (g *generation) Close() error {
	g.merger.stop()
	g.write.Lock()
	var err error
	if g.tail.f != nil {
		err = g.tail.f.Close()
		g.tail.f = nil
	}
	g.closed = true
	g.write.Unlock()
	idle := make(chan struct{})
	g.mu.Lock()
	v := g.cur
	g.cur = nil
	g.idle = idle
	if g.alive == 0 {
		close(idle)
	}
	g.mu.Unlock()
	if v != nil {
		g.release(v)
	}
	<-idle
	return err
}

// newGeneration begins one with nothing in it, in a folder that is there and empty.
func newGeneration(cfg *Config, dir string, number int, draft bool) *generation {
	g := &generation{cfg: cfg, dir: dir, number: number, draft: draft}
	g.merger.wake = make(chan struct{}, 1)
	return g
}

// begin gives an empty generation its first version.
func (g *generation) begin() { g.publish(&version{}) }

// open reads what the manifest names. fs.ErrNotExist in the error means that a file is
// not there, which a reader may find while the writer goes on.
func (g *generation) open() error {
	m, err := g.readManifest()
	if err != nil {
		return err
	}
	g.next.Store(m.Next)
	g.man = m
	v, err := g.segments(m, nil)
	if err != nil {
		return err
	}
	g.startTail(m)
	if err := g.follow(v); err != nil {
		g.discard(v)
		return err
	}
	g.publish(v)
	return nil
}

func (g *generation) startTail(m *manifest) {
	g.tail = tail{name: m.Tail, chain: m.Salt}
	g.touched = map[int64]struct{}{}
}

// segments opens what a manifest names, but for what the version have has open.
func (g *generation) segments(m *manifest, have *version) (*version, error) {
	v := &version{cursor: m.Cursor, library: m.Library}
	members, failed := make([]member, len(m.Segments)), make([]error, len(m.Segments))
	// Side by side: from a cold disk each takes some reads, one after the other.
	var wg sync.WaitGroup
	turn := make(chan struct{}, openAtOnce)
	for i, file := range m.Segments {
		x := &members[i]
		x.del = file.Deleted
		if have != nil {
			for _, old := range have.disk {
				if old.file.Name == file.Name {
					x.seg = old.seg
					if old.del != nil && file.Deleted != nil && *old.del == *file.Deleted {
						x.saved = old.saved
					}
				}
			}
		}
		turn <- struct{}{}
		wg.Go(func() {
			var err error
			if file.Deleted != nil && x.saved == nil {
				x.saved, err = g.readDeleted(file)
			}
			if err == nil && x.seg == nil {
				x.seg, err = g.openSegment(file)
			}
			x.live, failed[i] = x.saved, err
			<-turn
		})
	}
	wg.Wait()
	for i, err := range failed {
		if err != nil {
			v.disk = slices.DeleteFunc(members, func(m member) bool { return m.seg == nil })
			g.discard(v)
			return nil, failed[i]
		}
	}
	v.disk = members
	return v, nil
}

// openAtOnce is how many segments are opened side by side.
const openAtOnce = 8

// discard closes what a version that was never published has opened.
func (g *generation) discard(v *version) {
	var gone []*seg
	g.mu.Lock()
	v.members(func(m *member) {
		if m.refs == 0 {
			gone = append(gone, m.seg)
		}
	})
	g.mu.Unlock()
	for _, s := range gone {
		_ = s.close()
	}
}

// follow folds into v what the tail has beyond what was read of it.
func (g *generation) follow(v *version) error {
	f, err := g.cfg.FS.OpenFile(g.path(g.tail.name), os.O_RDONLY, 0)
	if absent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", g.label(g.tail.name), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open %s: %w", g.label(g.tail.name), err)
	}
	var row replay
	fold := func() error {
		if row.batch == nil {
			return nil
		}
		err := g.fold(context.Background(), v, row.take())
		return err
	}
	cursor := v.cursor
	var failed error
	size, chain, left, err := scan(f, g.tail.size, info.Size(), g.tail.chain, func(payload []byte) error {
		from, b, err := decodeBatch(payload)
		if err == nil && from != cursor {
			err = errs.New(errs.Corrupt, "a batch that goes on from %d stands after %d", from, cursor)
		}
		if err != nil {
			return err
		}
		cursor = b.Cursor
		for _, r := range b.Delete {
			g.touched[r] = struct{}{}
		}
		for _, d := range b.Docs {
			g.touched[d.Record] = struct{}{}
		}
		row.add(b)
		if row.docs >= g.cfg.FlushDocs {
			failed = fold()
		}
		return failed
	})
	if err == nil && failed == nil {
		failed = fold()
	}
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("read %s: %w", g.label(g.tail.name), err)
	}
	g.tail.size, g.tail.chain = size, chain
	g.cut = nil
	if left == restDamaged {
		g.cut = errs.New(errs.Corrupt, "the file %s is damaged at byte %d", g.label(g.tail.name), size)
	}
	return nil
}

// replay joins batches that follow each other into one.
type replay struct {
	batch *Batch
	at    map[int64][]*segment.Doc // by record
	docs  int
}

func (p *replay) add(b *Batch) {
	if p.batch == nil {
		*p = replay{batch: &Batch{}, at: map[int64][]*segment.Doc{}}
	}
	p.batch.Cursor = b.Cursor
	if b.Library != "" {
		p.batch.Library = b.Library
	}
	drop := func(r int64) {
		p.docs -= len(p.at[r])
		p.at[r] = nil
	}
	for _, r := range b.Delete {
		drop(r)
	}
	for _, d := range b.Docs {
		drop(d.Record)
	}
	for _, d := range b.Docs {
		p.at[d.Record] = append(p.at[d.Record], d)
		p.docs++
	}
}

// take is the joined batch.
func (p *replay) take() *Batch {
	b := p.batch
	for r, docs := range p.at {
		b.Delete = append(b.Delete, r)
		b.Docs = append(b.Docs, docs...)
	}
	*p = replay{}
	return b
}

// names are the files that a manifest names.
func (m *manifest) names() map[string]bool {
	names := map[string]bool{m.Tail: true}
	for _, s := range m.Segments {
		names[s.Name] = true
		if s.Deleted != nil {
			names[s.Deleted.Name] = true
		}
	}
	return names
}

// cleanUp removes what the manifest does not name. Nothing may be written meanwhile.
func (g *generation) cleanUp() error {
	keep := g.man.names()
	keep[manifestName] = true
	list, err := g.cfg.FS.ReadDir(g.dir)
	if err != nil {
		return fmt.Errorf("clean %s: %w", strings.TrimSuffix(g.label(""), "/"), err)
	}
	for _, e := range list {
		if name := e.Name(); ours(name) && !keep[name] {
			if e := g.cfg.FS.Remove(g.path(name)); e != nil && !absent(e) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}

// damage is the first damage that reading met in a segment of the present version.
func (g *generation) damage() error {
	v := g.acquire()
	if v == nil {
		return nil
	}
	defer g.release(v)
	for _, m := range v.disk {
		if err := m.r.Err(); err != nil {
			return errs.New(errs.Corrupt, "the file %s is damaged: %w", g.label(m.file.Name), err)
		}
	}
	return nil
}
