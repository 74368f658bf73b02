package torrent

import (
	"container/list"
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// Config says what a [Service] gives out and how. Only Shelves and Blobs are needed.
type Config struct {
	Shelves *Shelves
	Blobs   Blobs

	// Listen is the address for BitTorrent, host:port; empty: none, and clients have
	// the web seeds.
	Listen string
	// URL is the public address of the site; empty: what the request names.
	URL string
	// Mirrors are the public addresses of others that hold a shelf, the origin first;
	// asked each time, and the first 20 are told. Nil: none.
	Mirrors func(number int64) []string
	// Denied says that the keeper refuses a file.
	Denied func(ctx context.Context, sha256 string) bool
	// Holders is how many mirrors say that they hold a shelf; it is added to what
	// the tracker knows. Nil: none.
	Holders func(number int64) int
	// Error answers a request that failed; nil: in plain text.
	Error func(w http.ResponseWriter, r *http.Request, err error)

	MaxLoaded  int   // torrents in memory; default 200
	MaxPeers   int   // connections; default 200
	CacheBytes int64 // of pieces; default 96 MiB
	Now        func() time.Time
	Log        *slog.Logger
}

// Service gives out the shelves: seeder, tracker, web seed and .torrent files.
// Its methods may be used at once.
type Service struct {
	cfg     Config
	store   *store
	seeder  *Seeder
	tracker *tracker
}

// New makes a service. Nothing is listened to before Start.
func New(cfg Config) *Service {
	if cfg.MaxLoaded <= 0 {
		cfg.MaxLoaded = 200
	}
	if cfg.CacheBytes <= 0 {
		cfg.CacheBytes = 96 << 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	st := &store{shelves: cfg.Shelves, blobs: cfg.Blobs, denied: cfg.Denied, max: cfg.MaxLoaded, now: cfg.Now, log: cfg.Log,
		reads: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))), order: list.New(), byHash: map[Infohash]*list.Element{}, loading: map[Infohash]chan struct{}{},
		cache: pieceCache{max: cfg.CacheBytes, order: list.New(), by: map[pieceKey]*list.Element{}}}
	return &Service{cfg: cfg, store: st, seeder: newSeeder(st, cfg.MaxPeers, cfg.Log), tracker: newTracker(cfg.Now)}
}

// Start listens for BitTorrent clients, where that is wanted. After an error the
// rest of the service works all the same.
func (s *Service) Start() error {
	if s.cfg.Listen == "" {
		return nil
	}
	return s.seeder.Listen(s.cfg.Listen)
}

// Run stops what the register stops, until ctx ends. It is the reader of
// [Shelves.Changes].
func (s *Service) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.cfg.Shelves.Changes():
			if err := s.Refresh(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.WarnContext(ctx, "cannot tell which shelves have stopped", "err", err)
			}
		}
	}
}

// Refresh looks at every loaded torrent; what has stopped is given out no more
// when it returns.
func (s *Service) Refresh(ctx context.Context) error { return s.store.drop(ctx) }

// Close ends the seeder and its connections.
func (s *Service) Close() { s.seeder.Close() }

// Seeder is the seeder, for its figures.
func (s *Service) Seeder() *Seeder { return s.seeder }

// Copies is how many whole copies of a shelf are known besides this one: mirrors
// that say so, and clients of the tracker that have it all.
func (s *Service) Copies(shelf Shelf) int {
	seeds, _, _ := s.tracker.scrape(shelf.Infohash)
	if s.cfg.Holders != nil {
		seeds += s.cfg.Holders(shelf.Number)
	}
	return seeds
}

// Trackers and WebSeeds are the addresses in torrents.
func Trackers(bases []string) []string { return under(bases, "/tracker/announce") }

// WebSeeds is described at Trackers.
func WebSeeds(bases []string) []string { return under(bases, "/shelves/seed/") }

func under(bases []string, path string) []string {
	out := make([]string, 0, len(bases))
	for _, b := range bases {
		out = append(out, strings.TrimSuffix(b, "/")+path)
	}
	return out
}
