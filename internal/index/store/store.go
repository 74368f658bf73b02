package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
)

// Config says where a store is and how it works.
type Config struct {
	Dir      string     // the folder of its generations
	Name     string     // of the view, for messages; default "index"
	Format   int        // of what the caller puts in; a store with another is refused
	ReadOnly bool       // another process writes
	FS       durable.FS // default: the machine's
	Log      *slog.Logger

	Segment segment.Options // of every segment

	FlushBytes      int64 // of segments in memory, before they go to the disk; default 16 MiB
	FlushDocs       int   // likewise, and what makes a batch a large one; default 8192
	MaxSegmentBytes int64 // of what merging makes; default 4 GiB
	MergeSegments   int   // of about one size, before they are merged; default 8, at most 10
	MergeRate       int64 // bytes a second that a merge writes; default 64 MiB
	BuildBytes      int64 // that the builders of a draft may hold together; default 256 MiB
	GatherBytes     int64 // the same of those of Gather; default 256 MiB
	Workers         int   // cores that build segments, and merge those of a draft; default all, at most 8
}

// Store is a folder of segments. Apply, Gather, Settle, Forget, Draft and Close are called by one goroutine at
// a time; everything else by any number, at any time.
type Store struct {
	cfg  Config
	live sqldb.Live[*generation]
	now  atomic.Pointer[generation] // the one in live
	why  atomic.Pointer[error]      // why it does not serve
	past sync.WaitGroup             // generations that are being closed

	gathered gathered

	refreshing sync.Mutex // of a reader; guards seen
	seen       sight
	retry      bool // of a reader: it has never opened a generation, or could not
}

// Snapshot is what there is at one moment. It does not change.
type Snapshot struct {
	Segments []segment.View
	Cursor   int64
	Library  string
}

// Open opens the generation that serves, or begins an empty one when there is none
// (read-only: it is then not ready). Where that one is damaged or of another format the
// store opens, serves nothing, and Ready says why. The error is of the disk.
//
// The writer removes what a crash or a draft that did not end left behind. There may be
// one writer, which the caller sees to, and readers in any number of processes.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg.defaults()
	s := &Store{cfg: cfg}
	if cfg.ReadOnly {
		s.retry = true
		return s, s.refresh(ctx)
	}
	if err := durable.MkdirAll(cfg.FS, cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Name, err)
	}
	number, err := s.current()
	if err != nil {
		return nil, err
	}
	// What is found may not be durable yet, if the writer before was killed: before
	// anything is removed for its sake, it must be.
	if number > 0 {
		err = cfg.FS.SyncDir(s.folder(number))
	}
	if err := errors.Join(err, cfg.FS.SyncDir(cfg.Dir)); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Name, err)
	}
	if err := s.clean(number); err != nil {
		return nil, err
	}
	if number == 0 {
		g, err := s.first(ctx)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", cfg.Name, err)
		}
		s.swap(g)
		return s, nil
	}
	g := newGeneration(&s.cfg, s.folder(number), number, false)
	if err := g.open(); err != nil {
		if absent(err) {
			err = errs.New(errs.Corrupt, "the view %s is damaged: %w", cfg.Name, err)
		}
		if errs.Is(err, errs.Corrupt) || errs.Is(err, errs.Refused) {
			s.refuse(err)
			return s, nil
		}
		return nil, err
	}
	if g.cut != nil {
		cfg.Log.Warn("batches are cut off, and will be applied again", "error", g.cut)
		g.cut = nil
	}
	if err := g.cleanUp(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	s.swap(g)
	return s, nil
}

func (c *Config) defaults() {
	if c.Name == "" {
		c.Name = "index"
	}
	if c.FS == nil {
		c.FS = durable.OS()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	number := func(v *int64, def int64) {
		if *v <= 0 {
			*v = def
		}
	}
	number(&c.FlushBytes, 16<<20)
	number(&c.MaxSegmentBytes, 4<<30)
	number(&c.MergeRate, 64<<20)
	number(&c.BuildBytes, 256<<20)
	number(&c.GatherBytes, 256<<20)
	if c.FlushDocs <= 0 {
		c.FlushDocs = 8192
	}
	if c.MergeSegments <= 0 {
		c.MergeSegments = 8
	}
	c.MergeSegments = min(max(c.MergeSegments, 2), mergeMost)
	if c.Workers <= 0 {
		c.Workers = defaultWorkers()
	}
}

// first makes the first generation.
func (s *Store) first(ctx context.Context) (*generation, error) {
	if err := durable.MkdirAll(s.cfg.FS, s.folder(1), 0o755); err != nil {
		return nil, err
	}
	g := newGeneration(&s.cfg, s.folder(1), 1, false)
	g.begin()
	g.write.Lock()
	err := g.flush(ctx, g.cur.clone())
	g.write.Unlock()
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (s *Store) folder(number int) string { return filepath.Join(s.cfg.Dir, strconv.Itoa(number)) }

// generations are the numbers of those that there are, whether they have a manifest or
// not, in no order.
func (s *Store) generations() ([]int, error) {
	list, err := s.cfg.FS.ReadDir(s.cfg.Dir)
	if err != nil && !absent(err) {
		return nil, fmt.Errorf("list generations: %w", err)
	}
	var out []int
	for _, e := range list {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 && e.IsDir() && strconv.Itoa(n) == e.Name() {
			out = append(out, n)
		}
	}
	return out, nil
}

// current is the highest generation that has a manifest; 0 when there is none.
func (s *Store) current() (int, error) {
	list, err := s.generations()
	if err != nil {
		return 0, err
	}
	high := 0
	for _, n := range list {
		there, err := durable.Exists(s.cfg.FS, filepath.Join(s.folder(n), manifestName))
		if err != nil {
			return 0, fmt.Errorf("list generations: %w", err)
		}
		if there {
			high = max(high, n)
		}
	}
	return high, nil
}

// nextGeneration is the number of a draft.
func (s *Store) nextGeneration() (int, error) {
	list, err := s.generations()
	high := 0
	for _, n := range list {
		high = max(high, n)
	}
	return high + 1, err
}

// clean removes every generation but one, and the files of the first version's search,
// which are N.db with what SQLite puts beside them.
func (s *Store) clean(keep int) error {
	list, err := s.generations()
	for _, n := range list {
		if n != keep {
			err = errors.Join(err, s.removeGeneration(n))
		}
	}
	old, e := s.cfg.FS.ReadDir(s.cfg.Dir)
	err = errors.Join(err, e)
	for _, e := range old {
		stem, ext, _ := strings.Cut(e.Name(), ".")
		ext, _, _ = strings.Cut(ext, "-")
		if validName(stem, "") && e.Type().IsRegular() && (ext == "db" || ext == "new") {
			err = errors.Join(err, s.cfg.FS.Remove(filepath.Join(s.cfg.Dir, e.Name())))
		}
	}
	return err
}

// removeGeneration removes what we made in a generation's folder, the manifest first,
// and the folder when nothing else is in it.
func (s *Store) removeGeneration(number int) error {
	dir := s.folder(number)
	err := s.cfg.FS.Remove(filepath.Join(dir, manifestName))
	if absent(err) {
		err = nil
	}
	list, e := s.cfg.FS.ReadDir(dir)
	if absent(e) {
		return err
	}
	err = errors.Join(err, e)
	others := false
	for _, e := range list {
		if !ours(e.Name()) {
			others = true
			continue
		}
		if e := s.cfg.FS.Remove(filepath.Join(dir, e.Name())); e != nil && !absent(e) {
			err = errors.Join(err, e)
		}
	}
	if err == nil && !others {
		err = s.cfg.FS.Remove(dir)
	}
	if err != nil {
		return fmt.Errorf("remove the generation %d of %s: %w", number, s.cfg.Name, err)
	}
	return nil
}

// swap makes a generation the one that serves. The old one is closed and removed when
// its last reader is done.
func (s *Store) swap(g *generation) {
	if !s.cfg.ReadOnly {
		g.start()
	}
	old := s.now.Swap(g)
	if old != nil {
		s.past.Add(1)
	}
	s.live.Swap(g, func(err error) {
		defer s.past.Done()
		if !s.cfg.ReadOnly {
			err = errors.Join(err, s.removeGeneration(old.number))
		}
		if err != nil {
			s.cfg.Log.Warn("close the old generation", "view", s.cfg.Name, "error", err)
		}
	})
	s.why.Store(nil)
	if old == nil && !s.cfg.ReadOnly {
		if err := s.clean(g.number); err != nil { // what could not be opened
			s.cfg.Log.Warn("remove old generations", "view", s.cfg.Name, "error", err)
		}
	}
}

func (s *Store) refuse(err error) {
	if errs.HintOf(err) == "" {
		err = view.NeedsRebuild(errs.KindOf(err), "%w", err)
	}
	s.why.Store(&err)
}

// Ready is nil when the store serves and can be applied to. Otherwise it says why not:
// errs.Corrupt names the file that is damaged, errs.Refused means another format, both
// with the hint to rebuild; errs.Unavailable means closed, or not made yet.
func (s *Store) Ready() error {
	s.look()
	if p := s.why.Load(); p != nil {
		return *p
	}
	if g := s.now.Load(); g != nil {
		if err := g.damage(); err != nil {
			s.refuse(err)
			return *s.why.Load()
		}
	}
	return nil
}

// Cursor is that of the last batch that was applied; 0 when nothing serves.
func (s *Store) Cursor() int64 {
	snap, release := s.Snapshot()
	defer release()
	return snap.Cursor
}

// Library is the last library that a batch named.
func (s *Store) Library() string {
	snap, release := s.Snapshot()
	defer release()
	return snap.Library
}

// Snapshot is what there is now, and the call that gives it back, which must be made:
// Close waits for it, and files are not unmapped before. It never waits for the writer.
// When the store is not ready it may be empty. A reader sees what the writer's process
// has applied before this call, unless another goroutine is just looking; then it may
// see what was there a moment ago.
func (s *Store) Snapshot() (*Snapshot, func()) {
	s.look()
	g, done, ok := s.live.Acquire()
	if !ok {
		return &Snapshot{}, func() {}
	}
	v := g.acquire()
	if v == nil {
		done()
		return &Snapshot{}, func() {}
	}
	return &Snapshot{Segments: v.views, Cursor: v.cursor, Library: v.library}, sync.OnceFunc(func() {
		g.release(v)
		done()
	})
}

// Apply deletes all documents of the records in Delete and of the records of Docs, then
// adds Docs, all of it together with the cursor or nothing, and shows it in the next
// snapshot. Nothing of the batch is kept. errs.Invalid: the cursor goes back, or two
// documents are the same part of a record.
//
// When it returns the batch outlives the process. It outlives the machine when the
// batch has more than FlushDocs documents, or with a later batch that makes the store
// flush. After an error nothing of the batch is shown; after a restart it may be there,
// whole.
func (s *Store) Apply(ctx context.Context, b Batch) error {
	if s.cfg.ReadOnly {
		return errs.New(errs.Invalid, "the view %s is open for reading only", s.cfg.Name)
	}
	if err := s.Ready(); err != nil {
		return err
	}
	return s.now.Load().apply(ctx, &b)
}

// Compact writes what is in memory to the disk, durably, and merges until there are at
// most n segments. It may run at once with Apply.
func (s *Store) Compact(ctx context.Context, n int) error {
	if s.cfg.ReadOnly {
		return errs.New(errs.Invalid, "the view %s is open for reading only", s.cfg.Name)
	}
	if err := s.Ready(); err != nil {
		return err
	}
	g, release, ok := s.live.Acquire()
	if !ok {
		return nil
	}
	defer release()
	if err := g.flushNow(ctx); err != nil {
		return err
	}
	return g.squeeze(ctx, max(1, n))
}

func (g *generation) flushNow(ctx context.Context) error {
	g.write.Lock()
	defer g.write.Unlock()
	if g.closed {
		return errs.New(errs.Unavailable, "the view %s is closed", g.cfg.Name)
	}
	return g.flush(ctx, g.cur.clone())
}

// Close stops merging, waits for every snapshot to be given back, and closes the store.
// A few batches in the tail stay there; many are written to the disk, so that opening is
// fast. Later calls say that it is closed.
func (s *Store) Close() error {
	closed := errs.New(errs.Unavailable, "the view %s is closed", s.cfg.Name)
	s.why.Store(&closed)
	s.refreshing.Lock()
	s.retry = false
	g := s.now.Swap(nil)
	s.refreshing.Unlock()
	if g == nil {
		return nil
	}
	if !s.cfg.ReadOnly {
		if err := g.tidy(); err != nil {
			s.cfg.Log.Warn("flush before closing", "view", s.cfg.Name, "error", err)
		}
	}
	g.merger.stop()
	done := make(chan error, 1)
	s.live.Clear(func(err error) { done <- err })
	err := <-done
	s.past.Wait()
	return err
}

// tidy flushes a tail that would make the next opening slow, which reads a document in
// about 10 microseconds.
func (g *generation) tidy() error {
	g.write.Lock()
	defer g.write.Unlock()
	if docs, _ := g.cur.inMemory(); docs <= g.cfg.FlushDocs/16 {
		return nil
	}
	return g.flush(context.Background(), g.cur.clone())
}

// sight is what a reader saw when it last looked.
type sight struct {
	manifest fs.FileInfo
	tail     int64 // bytes; -1: absent
	at       time.Time
}

// young is how long after a change two files may have the same time.
const young = 50 * time.Millisecond

// look refreshes a reader, unless someone else is doing so.
func (s *Store) look() {
	if !s.cfg.ReadOnly || !s.refreshing.TryLock() {
		return
	}
	defer s.refreshing.Unlock()
	if err := s.update(); err != nil {
		s.cfg.Log.Warn("look for changes", "view", s.cfg.Name, "error", err)
	}
}

func (s *Store) refresh(ctx context.Context) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	return errors.Join(ctx.Err(), s.update())
}

// update brings a reader to where the writer is; refreshing is held. Damage is not an
// error: Ready says it.
func (s *Store) update() error {
	g := s.now.Load()
	if g == nil {
		if !s.retry {
			return nil
		}
		return s.reopen()
	}
	info, err := s.cfg.FS.Stat(g.path(manifestName))
	if absent(err) {
		return s.reopen()
	}
	if err != nil {
		return err
	}
	// The next generation need not have the next number: drafts that were discarded had some.
	if number, err := s.current(); err != nil || number > g.number {
		return errors.Join(err, s.reopen())
	}
	was := s.seen.manifest
	same := was != nil && was.Size() == info.Size() && was.ModTime().Equal(info.ModTime()) && s.seen.at.Sub(info.ModTime()) > young
	tail := g.tailSize()
	if same && tail == s.seen.tail && s.why.Load() == nil {
		return nil
	}
	now := sight{manifest: info, tail: tail, at: time.Now()}
	for range 5 { // files may go while we read
		if err = g.catchUp(tail); !absent(err) {
			break
		}
	}
	if err != nil {
		s.seen = sight{}
		if absent(err) {
			return s.reopen()
		}
		if errs.Is(err, errs.Corrupt) || errs.Is(err, errs.Refused) {
			s.refuse(err)
			return nil
		}
		return err
	}
	s.seen = now
	s.why.Store(nil)
	return nil
}

// reopen opens the generation that serves now.
func (s *Store) reopen() error {
	var err error
	for range 100 {
		var number int
		if number, err = s.current(); err != nil {
			return err
		}
		if number == 0 {
			if s.now.Load() == nil {
				none := errs.New(errs.Unavailable, "the view %s has not been made yet", s.cfg.Name)
				s.why.Store(&none)
			}
			return nil
		}
		g := newGeneration(&s.cfg, s.folder(number), number, false)
		if err = g.open(); err == nil {
			s.seen = sight{}
			s.swap(g)
			return nil
		}
		if !absent(err) {
			break
		}
		// A file is not there: the writer has removed it since, unless the manifest says
		// the same as before.
		if m, again := g.readManifest(); again == nil && g.man != nil && sameManifest(m, g.man) {
			err = errs.New(errs.Corrupt, "the view %s is damaged: %w", s.cfg.Name, err)
			break
		}
	}
	if errs.Is(err, errs.Corrupt) || errs.Is(err, errs.Refused) {
		s.refuse(err)
		return nil
	}
	if absent(err) && s.now.Load() != nil {
		return nil // the writer is fast; what was there still serves
	}
	return err
}

// tailSize is the size of the tail's file; -1 when it is absent.
func (g *generation) tailSize() int64 {
	info, err := g.cfg.FS.Stat(g.path(g.tail.name))
	if err != nil {
		return -1
	}
	return info.Size()
}

// catchUp brings a reader's generation to what the files say.
func (g *generation) catchUp(tailSize int64) error {
	g.write.Lock()
	defer g.write.Unlock()
	if g.closed {
		return nil
	}
	m, err := g.readManifest()
	if err != nil {
		return err
	}
	next := g.cur.clone()
	keep := m.Tail == g.man.Tail && m.Salt == g.man.Salt && tailSize >= g.tail.size
	if !sameManifest(m, g.man) || !keep {
		if next, err = g.segments(m, g.cur); err != nil {
			return err
		}
		if keep { // a merge: what is in memory stays
			next.mem = g.cur.mem
			next.cursor, next.library = g.cur.cursor, g.cur.library
			list := make([]int64, 0, len(g.touched))
			for r := range g.touched {
				list = append(list, r)
			}
			slices.Sort(list)
			for i := range next.disk {
				next.disk[i].kill(list)
			}
		} else {
			g.startTail(m)
		}
		g.man = m
	}
	if err := g.follow(next); err != nil {
		g.discard(next)
		g.man = &manifest{} // so that the next try reads all of it anew
		return err
	}
	g.publish(next)
	return nil
}
