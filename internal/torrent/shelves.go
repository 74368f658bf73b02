package torrent

import (
	"context"
	"database/sql"
	_ "embed" // schema.sql
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/sqldb"
	"wenlan/internal/view"
)

// format is that of schema.sql and of what apply.go writes into it.
const format = 2

//go:embed schema.sql
var schema string

// Catalog is what the view asks the catalogue, which it follows.
type Catalog interface {
	Record(ctx context.Context, n int64) (*record.State, error)
	ByBlob(ctx context.Context, sha256 string) ([]int64, error)
	BlobWithdrawals(ctx context.Context, sha256 string) ([]record.Withdrawal, error)
	Named(ctx context.Context, entry int64) ([]int64, error)
}

// ShelvesConfig says where the view is and what it reads.
type ShelvesConfig struct {
	Dir      string // DATA/views/shelves
	ReadOnly bool   // another process writes
	Catalog  Catalog
	Body     view.Body // manifests
	Log      *slog.Logger
}

// Shelves is the view of the register that knows the shelves. Its methods may be
// used at once, except that Apply is called by one goroutine at a time. It must
// follow after the catalogue.
type Shelves struct {
	cfg     ShelvesConfig
	db      *sqldb.Derived
	changes chan struct{}
	total   atomic.Pointer[countedTotal]
}

var _ view.View = (*Shelves)(nil)

// OpenShelves opens the view, empty when there is none. One that is damaged or of
// another format opens, too, and is not Ready.
func OpenShelves(ctx context.Context, cfg ShelvesConfig) (*Shelves, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	db, err := sqldb.OpenDerived(ctx, sqldb.DerivedConfig{
		Dir: cfg.Dir, Name: "shelves", Format: format, Schema: schema, ReadOnly: cfg.ReadOnly, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	return &Shelves{cfg: cfg, db: db, changes: make(chan struct{}, 1)}, nil
}

// Name implements [view.View].
func (s *Shelves) Name() string { return "shelves" }

// Format implements [view.View].
func (s *Shelves) Format() int { return format }

// Cursor implements [view.View].
func (s *Shelves) Cursor() int64 { return s.db.Cursor() }

// Library implements [view.View].
func (s *Shelves) Library() string { return s.db.Library() }

// Ready implements [view.View].
func (s *Shelves) Ready() error { return s.db.Ready() }

// Close implements [view.View].
func (s *Shelves) Close() error { return s.db.Close() }

// Apply implements [view.View].
func (s *Shelves) Apply(ctx context.Context, batch []view.Entry) error {
	g, release, err := s.db.Acquire()
	if err != nil {
		return err
	}
	defer release()
	changed, err := s.apply(ctx, g, batch)
	if err == nil && changed {
		s.change()
	}
	return err
}

func (s *Shelves) change() {
	select {
	case s.changes <- struct{}{}:
	default:
	}
}

// Changes gets a value after shelves came, stopped or opened again; several at
// once may be one. It has one reader.
func (s *Shelves) Changes() <-chan struct{} { return s.changes }

// Rebuild implements [view.View].
func (s *Shelves) Rebuild(ctx context.Context) (view.Building, error) {
	d, err := s.db.Draft(ctx)
	if err != nil {
		return nil, err
	}
	return &building{s: s, draft: d}, nil
}

type building struct {
	s     *Shelves
	draft *sqldb.Draft
}

func (b *building) Cursor() int64 { return b.draft.Cursor() }

func (b *building) Apply(ctx context.Context, batch []view.Entry) error {
	_, err := b.s.apply(ctx, b.draft.Generation, batch)
	return err
}

func (b *building) Commit(ctx context.Context) error {
	if err := b.draft.Commit(ctx); err != nil {
		return err
	}
	b.s.change()
	return nil
}

func (b *building) Discard() error { return b.draft.Discard() }

// Check reads the whole file and says what is wrong with it.
func (s *Shelves) Check(ctx context.Context) error {
	g, release, err := s.db.Acquire()
	if err != nil {
		return err
	}
	defer release()
	return g.Check(ctx)
}

// State says whether a shelf is given out.
type State string

const (
	StateOpen     State = "open"     // is seeded
	StateStopped  State = "stopped"  // a file on it may not be passed on; another shelf will replace it
	StateReplaced State = "replaced" // another shelf stands in for it
	StateBroken   State = "broken"   // its manifest is not what its entry says
)

// Shelf is what the register says of one shelf.
type Shelf struct {
	Number     int64 // 1, 2, 3 … in the order of the register
	Entry      int64 // index in the register
	Time       time.Time
	Body       record.Body // the manifest
	Infohash   Infohash
	Files      int64
	Bytes      int64 // of the files, padding not counted
	Replaces   int64 // the number of the shelf that it stands in for; 0: none
	ReplacedBy int64 // the number of the shelf that stands in for it; 0: none
	Closed     int64 // how many of its files may not be passed on now
	// Changed is when a file on it was closed or opened, or the shelf replaced, for the
	// last time; Time where nothing of it was. A view that was made anew need not know
	// of what was taken back since.
	Changed time.Time
	Broken  string
}

// Name is the name of its torrent.
func (s Shelf) Name() string { return Name(s.Body.SHA256) }

// State is the shelf's state as far as the register says.
func (s Shelf) State() State {
	switch {
	case s.Broken != "":
		return StateBroken
	case s.ReplacedBy != 0:
		return StateReplaced
	case s.Closed > 0:
		return StateStopped
	}
	return StateOpen
}

// Err is nil for an open shelf, and else the error of whoever asks for its files.
func (s Shelf) Err() error {
	switch s.State() {
	case StateReplaced:
		return errs.New(errs.Withdrawn, "shelf %d is not given out any more: shelf %d stands in for it", s.Number, s.ReplacedBy)
	case StateStopped:
		return errs.New(errs.Withdrawn, "shelf %d has stopped: a file on it was withdrawn, and the shelf that will replace it is not there yet", s.Number)
	case StateBroken:
		return errs.New(errs.NotFound, "shelf %d cannot be given out: %s", s.Number, s.Broken)
	}
	return nil
}

const columns = "number, entry, time, body, size, infohash, files, bytes, replaces, replaced, closed, changed, broken"

func scanShelf(rows *sql.Rows) (s Shelf, err error) {
	var at, changed int64
	var body, hash []byte
	err = rows.Scan(&s.Number, &s.Entry, &at, &body, &s.Body.Bytes, &hash, &s.Files, &s.Bytes, &s.Replaces, &s.ReplacedBy, &s.Closed, &changed, &s.Broken)
	s.Time, s.Changed = time.Unix(at, 0).UTC(), time.Unix(changed, 0).UTC()
	s.Body.SHA256 = hex.EncodeToString(body)
	copy(s.Infohash[:], hash)
	return s, err
}

func (s *Shelves) query(ctx context.Context, where string, args ...any) ([]Shelf, error) {
	g, release, err := s.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	rows, err := g.Reader().QueryContext(ctx, "SELECT "+columns+" FROM shelves "+where, args...)
	return sqldb.Collect(rows, err, scanShelf)
}

func (s *Shelves) one(ctx context.Context, where string, args ...any) (Shelf, error) {
	list, err := s.query(ctx, where+" LIMIT 1", args...)
	if err != nil {
		return Shelf{}, err
	}
	if len(list) == 0 {
		return Shelf{}, errs.New(errs.NotFound, "there is no such shelf")
	}
	return list[0], nil
}

// Page lists shelves, newest first, those with a smaller number than before; 0:
// from the newest on.
func (s *Shelves) Page(ctx context.Context, before int64, limit int) ([]Shelf, error) {
	if before <= 0 {
		return s.query(ctx, "ORDER BY number DESC LIMIT ?", limit)
	}
	return s.query(ctx, "WHERE number < ? ORDER BY number DESC LIMIT ?", before, limit)
}

// Ascending lists shelves, oldest first, those with a greater number than after.
func (s *Shelves) Ascending(ctx context.Context, after int64, limit int) ([]Shelf, error) {
	return s.query(ctx, "WHERE number > ? ORDER BY number LIMIT ?", after, limit)
}

// ByNumber is one shelf; errs.NotFound where there is none.
func (s *Shelves) ByNumber(ctx context.Context, number int64) (Shelf, error) {
	return s.one(ctx, "WHERE number = ?", number)
}

// ByInfohash is the shelf with an infohash; errs.NotFound where there is none.
func (s *Shelves) ByInfohash(ctx context.Context, h Infohash) (Shelf, error) {
	return s.one(ctx, "WHERE infohash = ? AND broken = '' ORDER BY number", h[:])
}

// ByBody is the shelf whose manifest has a SHA-256, in hex; errs.NotFound where
// there is none.
func (s *Shelves) ByBody(ctx context.Context, body string) (Shelf, error) {
	sum, err := hex.DecodeString(body)
	if err != nil {
		return Shelf{}, errs.New(errs.NotFound, "there is no such shelf")
	}
	return s.one(ctx, "WHERE body = ? AND broken = '' ORDER BY number", sum)
}

// OfBlob lists the shelves that a file is on, newest first.
func (s *Shelves) OfBlob(ctx context.Context, sha256 string) ([]Shelf, error) {
	sum, err := hex.DecodeString(sha256)
	if err != nil {
		return nil, nil
	}
	return s.query(ctx, "WHERE number IN (SELECT shelf FROM files WHERE sha256 = ?) ORDER BY number DESC", sum)
}

// Stopped lists the shelves that wait to be replaced, oldest first.
func (s *Shelves) Stopped(ctx context.Context) ([]Shelf, error) {
	return s.query(ctx, "WHERE closed > 0 AND replaced = 0 ORDER BY number")
}

// Count is the number of the newest shelf, and so how many there are.
func (s *Shelves) Count(ctx context.Context) (int64, error) {
	g, release, err := s.db.Acquire()
	if err != nil {
		return 0, err
	}
	defer release()
	var n int64
	err = g.Reader().QueryRowContext(ctx, "SELECT COALESCE(MAX(number), 0) FROM shelves").Scan(&n)
	return n, err
}

// ClosedFiles lists the files of a shelf that may not be passed on, by hash.
func (s *Shelves) ClosedFiles(ctx context.Context, shelf Shelf) ([]string, error) {
	if shelf.Closed == 0 {
		return nil, nil
	}
	m, err := s.Manifest(ctx, shelf)
	if err != nil {
		return nil, err
	}
	g, release, err := s.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	var out []string
	for _, f := range m.Files {
		sum, _ := hex.DecodeString(f.SHA256) // checked by the parser
		var closed bool
		err := g.Reader().QueryRowContext(ctx, "SELECT closed FROM files WHERE sha256 = ? AND shelf = ?", sum, shelf.Number).Scan(&closed)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		if closed {
			out = append(out, f.SHA256)
		}
	}
	return out, nil
}

// Waiting is a file that may go on a shelf and is on none.
type Waiting struct {
	SHA256 string
	Bytes  int64
	Since  time.Time // when the register last said something of its rights or files
}

// Waiting lists what waits, oldest first, at most limit.
func (s *Shelves) Waiting(ctx context.Context, limit int) ([]Waiting, error) {
	g, release, err := s.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	rows, err := g.Reader().QueryContext(ctx, "SELECT sha256, bytes, since FROM waiting ORDER BY since, sha256 LIMIT ?", limit)
	return sqldb.Collect(rows, err, func(rows *sql.Rows) (w Waiting, err error) {
		var sum []byte
		var since int64
		err = rows.Scan(&sum, &w.Bytes, &since)
		w.SHA256, w.Since = hex.EncodeToString(sum), time.Unix(since, 0).UTC()
		return w, err
	})
}

// WaitingTotal is how much waits.
func (s *Shelves) WaitingTotal(ctx context.Context) (files, bytes int64, err error) {
	g, release, err := s.db.Acquire()
	if err != nil {
		return 0, 0, err
	}
	defer release()
	err = g.Reader().QueryRowContext(ctx, "SELECT COALESCE((SELECT v FROM totals WHERE k = 'files'), 0), COALESCE((SELECT v FROM totals WHERE k = 'bytes'), 0)").Scan(&files, &bytes)
	return files, bytes, err
}

// Manifest reads the list of a shelf, and checks that it is the one that the
// register names.
func (s *Shelves) Manifest(ctx context.Context, shelf Shelf) (*Manifest, error) {
	return readManifest(ctx, s.cfg.Body, shelf.Body)
}

func readManifest(ctx context.Context, body view.Body, b record.Body) (*Manifest, error) {
	if body == nil {
		return nil, errs.New(errs.Unavailable, "there are no body blobs here")
	}
	if b.Bytes > MaxManifest {
		return nil, errs.New(errs.TooLarge, "the list of a shelf has %d bytes, more than %d", b.Bytes, MaxManifest)
	}
	raw, err := body(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("read the list of a shelf: %w", err)
	}
	if !b.Holds(raw) {
		return nil, errs.New(errs.Corrupt, "the list of a shelf has not the hash %s", b.SHA256)
	}
	return ParseManifest(raw)
}

// Total is what all open shelves come to.
type Total struct{ Shelves, Files, Bytes int64 }

// Total adds up the open shelves. It is counted once for each cursor.
func (s *Shelves) Total(ctx context.Context) (Total, error) {
	g, release, err := s.db.Acquire()
	if err != nil {
		return Total{}, err
	}
	defer release()
	at := g.Cursor()
	if t := s.total.Load(); t != nil && t.cursor == at && t.g == g {
		return t.Total, nil
	}
	var t Total
	err = g.Reader().QueryRowContext(ctx, "SELECT COUNT(*), COALESCE(SUM(files), 0), COALESCE(SUM(bytes), 0) FROM shelves WHERE replaced = 0 AND closed = 0 AND broken = ''").Scan(&t.Shelves, &t.Files, &t.Bytes)
	if err == nil && g.Cursor() == at {
		s.total.Store(&countedTotal{t, g, at})
	}
	return t, err
}

type countedTotal struct {
	Total
	g      *sqldb.Generation
	cursor int64
}

// Waits says whether a file may go on a shelf and is on none.
func (s *Shelves) Waits(ctx context.Context, sha256 string) (bool, error) {
	g, release, err := s.db.Acquire()
	if err != nil {
		return false, err
	}
	defer release()
	sum, err := hex.DecodeString(sha256)
	if err != nil {
		return false, nil
	}
	var n int
	err = g.Reader().QueryRowContext(ctx, "SELECT COUNT(*) FROM waiting WHERE sha256 = ?", sum).Scan(&n)
	return n > 0, err
}
