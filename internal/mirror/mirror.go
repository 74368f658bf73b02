package mirror

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

// Config says what a mirror copies, and where to.
type Config struct {
	Dir      string // DATA/mirror
	FS       durable.FS
	Register *register.Register // a replica
	Blobs    *blob.Local
	Pool     *Pool
	List     *List // the mirrors that are known; may be nil

	// Wanted calls fn with every file that may be copied and is selected, of the
	// records that entries from `from` on name: pos is the entry's index, and does
	// not fall. The same file may come more than once. Nil: no files.
	Wanted func(ctx context.Context, from int64, fn func(pos int64, ref blob.Ref) error) error
	// Extended is called after the register or its charters grew; the views follow.
	Extended func(ctx context.Context) error
	// Shelves are those that the library has, for a mirror with little space; may be nil.
	Shelves Shelves

	Self    string // our own address, which is not asked
	Workers int    // files copied at once; default 8
	Poll    time.Duration
	Now     func() time.Time
	Log     *slog.Logger
}

// Shelves is what a mirror needs to know of shelves to take the rarest first.
type Shelves interface {
	// Shelves are all that are in force, by their numbers.
	Shelves(ctx context.Context) ([]Shelf, error)
	// Files calls fn with each file of a shelf.
	Files(ctx context.Context, number int, fn func(ref blob.Ref) error) error
}

// Shelf is one of the library's shelves.
type Shelf struct {
	Number int
	Bytes  int64
}

// Mirror follows a library. All methods may be called at once.
type Mirror struct {
	cfg Config
	mu  sync.Mutex
}

// State is what a mirror keeps in state.json.
type State struct {
	Library string   `json:"library"` // the id that is pinned
	Sources []string `json:"sources"` // as the keeper gave them, the first one first
	Select  string   `json:"select,omitempty"`
	Space   int64    `json:"space,omitempty"`
	NoFiles bool     `json:"no_files,omitempty"`
	Deny    string   `json:"deny,omitempty"` // the path of the list of refusals
}

// Open makes a mirror of what [SaveState] wrote.
func Open(cfg Config) (*Mirror, error) {
	return &Mirror{cfg: cfg}, nil
}

// LoadState reads DATA/mirror/state.json; errs.NotFound where there is none, which
// says that the folder is no mirror's.
func LoadState(fsys durable.FS, dir string) (State, error) {
	return State{}, errs.New(errs.NotFound, "%s holds no mirror", dir)
}

// SaveState writes state.json, durably.
func SaveState(fsys durable.FS, dir string, s State) error { return nil }

// Pin asks a source which library it holds, and holds its answer to itself: the
// charters count, and entry 0 is the first of them. Where library is not empty it
// must be that one. It is the one moment at which a source is believed, and only
// where library is empty.
func Pin(ctx context.Context, s Source, library string) (id string, charters [][]byte, err error) {
	return "", nil, errs.New(errs.Unavailable, "not yet")
}

// Run follows the library until ctx ends: at once, then every Poll, and when Wake
// is called. It returns the error of ctx, or one of our own disk.
func (m *Mirror) Run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Once does one whole round: what is new of the register, then all files that are
// missing. It returns when they are durable.
func (m *Mirror) Once(ctx context.Context) error { return nil }

// Wake begins a round at once, if Run runs.
func (m *Mirror) Wake() {}

// Status says how it goes.
func (m *Mirror) Status() Status { return Status{} }

// Fetch is the body blob of an entry: from our store, or else from a source, and
// then stored. Its hash is checked.
func (m *Mirror) Fetch(ctx context.Context, body record.Body) ([]byte, error) {
	return nil, errs.New(errs.Unavailable, "not yet")
}
