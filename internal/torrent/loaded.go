package torrent

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha1" // BEP 3
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"wenlan/internal/errs"
)

// loaded is a torrent in memory: its manifest, and which pieces can be given.
type loaded struct {
	shelf  Shelf
	m      *Manifest
	starts []int // the first piece of each file
	pieces int
	info   int // bytes of the info dictionary
	at     time.Time

	mu      sync.Mutex
	have    []byte       // bit field as it goes over the wire, BEP 3
	lacks   int          // pieces that cannot be given
	said    map[int]bool // files whose damage was logged
	stopped bool
	peers   map[*peer]bool
}

// errStopped is the end of a connection whose shelf has stopped.
var errStopped = errs.New(errs.Withdrawn, "the shelf has stopped")

func newLoaded(shelf Shelf, m *Manifest, now time.Time) *loaded {
	l := &loaded{shelf: shelf, m: m, at: now, info: len(m.Info(shelf.Body.SHA256)), said: map[int]bool{}, peers: map[*peer]bool{}}
	for _, f := range m.Files {
		l.starts = append(l.starts, l.pieces)
		l.pieces += len(f.Pieces) / sha1.Size
	}
	l.have = bytes.Repeat([]byte{0xff}, (l.pieces+7)/8)
	if spare := len(l.have)*8 - l.pieces; spare > 0 {
		l.have[len(l.have)-1] = 0xff << spare
	}
	return l
}

// fileOf is the file that a piece belongs to, and where in it the piece begins.
func (l *loaded) fileOf(piece int) (file int, off int64) {
	file, ok := slices.BinarySearch(l.starts, piece)
	if !ok {
		file--
	}
	return file, int64(piece-l.starts[file]) * l.m.PieceLength
}

func (l *loaded) has(piece int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return piece >= 0 && piece < l.pieces && l.have[piece/8]&(0x80>>(piece%8)) != 0
}

// withdraw takes pieces [from, to) out of what is given; first says that the file
// had no damage before.
func (l *loaded) withdraw(file, from, to int) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := from; p < to; p++ {
		if l.have[p/8]&(0x80>>(p%8)) != 0 {
			l.have[p/8] &^= 0x80 >> (p % 8)
			l.lacks++
		}
	}
	first = !l.said[file]
	l.said[file] = true
	return first
}

func (l *loaded) end(file int) int {
	if file+1 < len(l.starts) {
		return l.starts[file+1]
	}
	return l.pieces
}

// field is a copy of the bit field; all says that nothing lacks.
func (l *loaded) field() (have []byte, all, none bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.have), l.lacks == 0, l.lacks == l.pieces
}

// stop ends every connection of the torrent.
func (l *loaded) stop() {
	l.mu.Lock()
	l.stopped = true
	peers := make([]*peer, 0, len(l.peers))
	for p := range l.peers {
		peers = append(peers, p)
	}
	l.mu.Unlock()
	for _, p := range peers {
		p.close()
	}
}

func (l *loaded) join(p *peer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	l.peers[p] = true
	return true
}

func (l *loaded) leave(p *peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.peers, p)
}

func (l *loaded) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.peers) == 0
}

// again is how long a torrent that lacks pieces stays as it is before it is
// loaded anew, in case that the files came back.
const again = 10 * time.Minute

// store keeps the loaded torrents, at most max, and the pieces last read. All
// methods may be used at once.
type store struct {
	shelves *Shelves
	blobs   Blobs
	denied  func(ctx context.Context, sha256 string) bool
	max     int
	now     func() time.Time
	log     *slog.Logger

	reads chan struct{} // pieces that are read and hashed at once: a block of 16 KiB costs a whole one

	mu      sync.Mutex
	drops   int        // how often drop has begun
	order   *list.List // of *loaded, last used first
	byHash  map[Infohash]*list.Element
	loading map[Infohash]chan struct{}

	cache pieceCache
}

// get is the torrent of an open shelf, loaded when it is not; errs.NotFound and
// errs.Withdrawn say that there is none to give.
func (s *store) get(ctx context.Context, h Infohash) (*loaded, error) {
	for {
		s.mu.Lock()
		if el := s.byHash[h]; el != nil {
			l := el.Value.(*loaded)
			l.mu.Lock()
			stale := l.lacks > 0 && s.now().Sub(l.at) > again
			l.mu.Unlock()
			if !stale {
				s.order.MoveToFront(el)
				s.mu.Unlock()
				return l, nil
			}
			s.remove(el)
		}
		wait := s.loading[h]
		if wait == nil {
			break
		}
		s.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	done := make(chan struct{})
	s.loading[h] = done
	defer s.mu.Unlock()
	var l *loaded
	var err error
	for before := -1; err == nil && before != s.drops; { // else drop did not see it, and it may have stopped
		before = s.drops
		s.mu.Unlock()
		l, err = s.load(ctx, h)
		s.mu.Lock()
	}
	delete(s.loading, h)
	close(done)
	if err != nil {
		return nil, err
	}
	s.byHash[h] = s.order.PushFront(l)
	for el := s.order.Back(); s.order.Len() > s.max && el != nil && el != s.order.Front(); {
		prev := el.Prev()
		if el.Value.(*loaded).idle() || s.order.Len() > 2*s.max {
			s.remove(el)
		}
		el = prev
	}
	return l, nil
}

// remove unloads a torrent; s.mu is held. Its connections end.
func (s *store) remove(el *list.Element) {
	l := el.Value.(*loaded)
	s.order.Remove(el)
	delete(s.byHash, l.shelf.Infohash)
	go l.stop()
}

func (s *store) load(ctx context.Context, h Infohash) (*loaded, error) {
	shelf, err := s.shelves.ByInfohash(ctx, h)
	if err != nil {
		return nil, err
	}
	if err := shelf.Err(); err != nil {
		return nil, err
	}
	m, err := s.shelves.Manifest(ctx, shelf)
	if err != nil {
		return nil, err
	}
	l := newLoaded(shelf, m, s.now())
	missing := 0
	for i, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		size, err := s.blobs.Stat(ctx, f.SHA256)
		if err != nil || size != f.Bytes || (s.denied != nil && s.denied(ctx, f.SHA256)) {
			l.withdraw(i, l.starts[i], l.end(i))
			missing++
		}
	}
	if missing > 0 {
		s.log.InfoContext(ctx, "a shelf is seeded in part", "shelf", shelf.Number, "files", len(m.Files), "missing", missing)
	}
	return l, nil
}

// drop unloads what is not open any more, by a look at each loaded shelf.
func (s *store) drop(ctx context.Context) error {
	s.mu.Lock()
	s.drops++
	var all []*loaded
	for el := s.order.Front(); el != nil; el = el.Next() {
		all = append(all, el.Value.(*loaded))
	}
	s.mu.Unlock()
	for _, l := range all {
		shelf, err := s.shelves.ByInfohash(ctx, l.shelf.Infohash)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		if err == nil && shelf.Err() == nil {
			continue
		}
		s.mu.Lock()
		if el := s.byHash[l.shelf.Infohash]; el != nil && el.Value == l {
			s.remove(el)
		}
		s.mu.Unlock()
		l.stop()
		s.log.InfoContext(ctx, "a shelf is seeded no more", "shelf", l.shelf.Number)
	}
	return nil
}

// piece is one piece, padding included, checked against its hash. What cannot be
// read or is wrong is withdrawn, and logged once for each file.
func (s *store) piece(ctx context.Context, l *loaded, n int) ([]byte, error) {
	if !l.has(n) {
		return nil, errs.New(errs.NotFound, "the piece is not here")
	}
	return s.cache.get(pieceKey{l.shelf.Infohash, n}, func() ([]byte, error) {
		file, off := l.fileOf(n)
		f := l.m.Files[file]
		select {
		case s.reads <- struct{}{}:
			defer func() { <-s.reads }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		data, err := s.read(ctx, f, off, l.m.PieceLength)
		from, to := n, n+1
		if err != nil {
			from, to = l.starts[file], l.end(file) // the whole file
		} else {
			sum := sha1.Sum(data)
			at := (n - l.starts[file]) * sha1.Size
			if !bytes.Equal(sum[:], f.Pieces[at:at+sha1.Size]) {
				err = errs.New(errs.Corrupt, "the file %s is damaged within %d bytes from byte %d on", f.SHA256, l.m.PieceLength, off)
			}
		}
		if err == nil {
			return data, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if l.withdraw(file, from, to) {
			s.log.WarnContext(ctx, "a file on a shelf is not seeded any more", "shelf", l.shelf.Number, "sha256", f.SHA256, "err", err)
		}
		return nil, err
	})
}

func (s *store) read(ctx context.Context, f File, off, length int64) ([]byte, error) {
	b, err := s.blobs.Open(ctx, f.SHA256)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if b.Size() != f.Bytes {
		return nil, errs.New(errs.Corrupt, "the file %s has %d bytes and should have %d", f.SHA256, b.Size(), f.Bytes)
	}
	data := make([]byte, length)
	n := min(length, f.Bytes-off)
	if _, err := b.ReadAt(data[:n], off); err != nil && err != io.EOF {
		return nil, err
	}
	return data, nil
}

type pieceKey struct {
	h Infohash
	n int
}

// pieceCache keeps the pieces last read, so that the blocks of one are read and
// checked once. A piece that several ask for is read by one of them.
type pieceCache struct {
	max int64 // bytes

	mu    sync.Mutex
	size  int64
	order *list.List // of *cached, last used first
	by    map[pieceKey]*list.Element
}

type cached struct {
	key  pieceKey
	once sync.Once
	data []byte
	err  error
}

func (c *pieceCache) get(key pieceKey, read func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	el := c.by[key]
	if el == nil {
		el = c.order.PushFront(&cached{key: key})
		c.by[key] = el
	} else {
		c.order.MoveToFront(el)
	}
	item := el.Value.(*cached)
	c.mu.Unlock()
	item.once.Do(func() {
		data, err := read()
		c.mu.Lock()
		defer c.mu.Unlock()
		item.data, item.err = data, err
		if c.by[key] != el {
			return
		}
		if item.err != nil {
			c.order.Remove(el)
			delete(c.by, key)
			return
		}
		c.size += int64(len(item.data))
		for last := c.order.Back(); c.size > c.max && last != nil && last != el; {
			prev := last.Prev()
			if old := last.Value.(*cached); old.data != nil {
				c.size -= int64(len(old.data))
				c.order.Remove(last)
				delete(c.by, old.key)
			}
			last = prev
		}
	})
	return item.data, item.err
}
