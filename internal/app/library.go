package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"wenlan/internal/blob"
	"wenlan/internal/catalog"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/index"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/intake"
	"wenlan/internal/mirror"
	"wenlan/internal/mirror/audit"
	"wenlan/internal/mirror/witness"
	"wenlan/internal/record"
	"wenlan/internal/register"
	"wenlan/internal/torrent"
	"wenlan/internal/view"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/mod/sumdb/note"
)

// Library is an open data folder.
type Library struct {
	Config   Config
	Register *register.Register
	Blobs    *blob.Local
	Catalog  *catalog.Catalog
	Index    index.Index
	Shelves  *torrent.Shelves
	Views    *view.Follower // of catalogue, index and shelves
	room     room
	FullText *fulltext.FullText

	intake *intake.Intake // nil when the library is only read
	lock   *durable.Lockfile
	log    *slog.Logger
	texts  *fulltext.Follower // while the library is served, else nil
	reopen func(*closing)     // opens the folder of a library that is served anew, else nil

	chartering sync.Mutex // one charter at a time

	witnesses *witness.Gatherer // asks them; nil on a mirror, and when the library is only read
	gathering atomic.Bool       // the witnesses are asked in the background
	refused   *mirror.Deny      // what the keeper of this mirror does not serve
	mirrors   *mirror.List      // who has announced a copy
	copying   *copying          // of a mirror; nil at an origin
	audits    *audit.Results    // what audits of them have found; one for the process
	held      holders           // how often things are held
	changes   atomic.Int64      // of what is said of mirrors and shelves

	shelving     sync.Mutex       // one closes shelves at a time
	torrents     *torrent.Service // gives the shelves out; nil when the library is not served
	stopTorrents func()

	// purging is held to delete blobs, and shared from the moment that an entry's
	// blobs are known to be there until the entry is appended.
	purging sync.RWMutex
	erasing sync.Mutex
	merging sync.Mutex // merges are judged by those before
}

// Made says what init has made.
type Made struct {
	ID         string `json:"library"` // the library id
	Data       string `json:"data"`
	TrusteeKey string `json:"trustee_key"`
	Origin     string `json:"origin"` // the origin's public key
}

const (
	originKey    = "origin.key"
	originKeyNew = "origin.key.new" // until the register that it signs is there
)

// Init makes a library: the origin's key, a charter with one trustee, and a
// register whose entry 0 holds it. It refuses a folder that already has one, and
// a trustee's key file that is already there.
func Init(ctx context.Context, cfg Config) (Made, error) {
	var made Made
	if err := cfg.Check(); err != nil {
		return made, err
	}
	disk := durable.OS()
	if err := os.MkdirAll(cfg.Data, 0o755); err != nil {
		return made, errs.New(errs.Refused, "make the data folder: %w", err)
	}
	lock, err := durable.Lock(cfg.path("wenlan.lock"))
	if err != nil {
		return made, err
	}
	defer lock.Unlock()
	if there, err := exists(cfg); err != nil {
		return made, err
	} else if there {
		return made, errs.New(errs.Refused, "%s already holds a library", cfg.Data)
	}
	if err := durable.MkdirAll(disk, cfg.path("keys"), 0o700); err != nil {
		return made, err
	}

	trusteeFile, err := filepath.Abs(cfg.trusteeKey())
	if err != nil {
		return made, err
	}
	if data, err := filepath.Abs(cfg.Data); err != nil {
		return made, err
	} else if strings.HasPrefix(trusteeFile, data+string(filepath.Separator)) {
		return made, errs.New(errs.Invalid, "the trustee's key does not go into the data folder: whoever takes the folder would take the library")
	}
	trusteeSecret, trusteePublic, err := register.GenerateKeys("wenlan-trustee")
	if err != nil {
		return made, err
	}
	if err := writeNew(trusteeFile, []byte(trusteeSecret+"\n")); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return made, errs.WithHint(errs.New(errs.Refused, "the trustee's key file %s is already there and is never overwritten", trusteeFile), "name another with --trustee-key, or move it away")
		}
		return made, errs.New(errs.Refused, "write the trustee's key: %w", err)
	}
	done := false
	defer func() {
		if !done { // a key that nothing was signed with is of no use
			os.Remove(trusteeFile)
		}
	}()
	log := register.NewLogName()
	originSecret, originPublic, err := register.GenerateKeys(log)
	if err != nil {
		return made, err
	}
	if err := durable.WriteFile(disk, cfg.path("keys", originKeyNew), []byte(originSecret+"\n"), 0o600); err != nil {
		return made, err
	}
	charter := register.NewCharter(log, originPublic, []string{trusteePublic}, 1)
	if cfg.URL != "" {
		charter.Addresses = []string{strings.TrimSuffix(cfg.URL, "/")}
	}
	trustee, err := note.NewSigner(trusteeSecret)
	if err != nil {
		return made, err
	}
	signed, err := register.SignCharter(charter, trustee)
	if err != nil {
		return made, err
	}
	entry0, err := record.Encode(record.Entry{Type: record.TypeCharter, Time: cfg.now(), Note: string(signed)})
	if err != nil {
		return made, err
	}
	if settings, err := toml.Marshal(cfg); err != nil {
		return made, err
	} else if len(bytes.TrimSpace(settings)) > 0 {
		if err := durable.WriteFile(disk, cfg.path(configFile), settings, 0o644); err != nil {
			return made, err
		}
	}
	origin, err := note.NewSigner(originSecret)
	if err != nil {
		return made, err
	}
	reg, err := register.Create(register.Config{Dir: cfg.path("register"), Signer: origin, Now: cfg.Now}, entry0)
	if err != nil {
		return made, err
	}
	done = true
	if err := settleKey(cfg); err != nil {
		return made, err
	}
	return Made{ID: reg.Library(), Data: cfg.Data, TrusteeKey: trusteeFile, Origin: originPublic}, nil
}

// exists says whether there is a library in the folder. A folder that holds some
// parts of one and not others is an error: it must not be started over.
func exists(cfg Config) (bool, error) {
	disk := durable.OS()
	for _, part := range []string{"register/checkpoint", mirrorDir + "/state.json"} {
		if there, err := durable.Exists(disk, cfg.path(part)); err != nil || there {
			return there, err
		}
	}
	for _, part := range []string{filepath.Join("keys", originKey), "register/tile", "private/private.db"} {
		there, err := durable.Exists(disk, cfg.path(part))
		if err != nil {
			return false, err
		}
		if there {
			return false, errs.WithHint(errs.New(errs.Corrupt, "%s holds %s but no register: it is not started over", cfg.Data, part),
				"bring back register/ from a backup, or all of it from a mirror: wenlan recover --from URL")
		}
	}
	return false, nil
}

// settleKey gives the origin's key its name once its register is there; a crash
// between the two is mended at the next start.
func settleKey(cfg Config) error {
	there, err := durable.Exists(durable.OS(), cfg.path("keys", originKeyNew))
	if err != nil || !there {
		return err
	}
	if err := os.Rename(cfg.path("keys", originKeyNew), cfg.path("keys", originKey)); err != nil {
		return err
	}
	return durable.OS().SyncDir(cfg.path("keys"))
}

// writeNew writes a secret file that must not exist yet; durable on return.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = durable.OS().SyncDir(filepath.Dir(name))
	}
	return err
}

// Mode says for what a library is opened.
type Mode int

const (
	ReadOnly Mode = iota // reads what is there; takes no lock
	Own                  // takes the lock, follows the register with the views, may append
)

// Open opens the library in a data folder. With Own it returns once the views
// have followed the register.
func Open(ctx context.Context, cfg Config, mode Mode, log *slog.Logger) (*Library, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if IsExport(cfg.Data) {
		return nil, errs.WithHint(errs.New(errs.Refused, "%s is an export, not a data folder", cfg.Data), "`wenlan serve` serves its files, and `wenlan mirror` copies it into a data folder")
	}
	there, err := exists(cfg)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, errs.WithHint(errs.New(errs.NotFound, "there is no library in %s", cfg.Data), "wenlan init makes one")
	}
	l := &Library{Config: cfg, log: log}
	ok := false
	defer func() {
		if !ok {
			l.Close()
		}
	}()
	if mode == Own {
		if l.lock, err = durable.Lock(cfg.path("wenlan.lock")); err != nil {
			return nil, err
		}
		if err := settleKey(cfg); err != nil {
			return nil, err
		}
		if err := settleOffice(ctx, cfg, log); err != nil {
			return nil, err
		}
	}
	state, isMirror, err := mirrorState(cfg)
	if err != nil {
		return nil, err
	}
	regConfig := register.Config{Dir: cfg.path("register"), Replica: isMirror && mode == Own, Now: cfg.Now, Log: log}
	if mode == Own && !isMirror {
		if regConfig.Signer, err = readSigner(cfg.path("keys", originKey)); err != nil {
			return nil, err
		}
	}
	if l.Register, err = register.Open(regConfig); err != nil {
		return nil, fmt.Errorf("open the register: %w", err)
	}
	if mode == Own && !isMirror {
		l.openGatherer()
	}
	if l.Blobs, err = blob.OpenLocal(blob.LocalConfig{Roots: append([]string{cfg.path("blobs")}, cfg.Stores...), ReadOnly: mode == ReadOnly, Log: log}); err != nil {
		return nil, fmt.Errorf("open the blobs: %w", err)
	}
	if l.refused, err = readDeny(state.Deny); err != nil {
		return nil, err
	}
	if err := l.openViews(ctx, mode); err != nil {
		return nil, err
	}
	if mode == Own {
		if l.audits, err = audit.OpenResults(durable.OS(), cfg.path(mirrorDir, auditsFile)); err != nil {
			return nil, err
		}
		if l.mirrors, err = mirror.OpenList(mirror.ListConfig{
			Dir: cfg.path(mirrorDir), Library: l.Register.Library(), Charters: l.Register.Charters,
			Source: mirror.SourceConfig{Public: mirror.IsPublic(cfg.URL)}, Now: cfg.Now, Log: log,
		}); err != nil {
			return nil, err
		}
	}
	if isMirror && mode == Own {
		if err := l.openMirror(ctx, state); err != nil {
			return nil, err
		}
	}
	if mode == Own {
		if err := l.settleBranch(ctx); err != nil {
			return nil, err
		}
		all, err := l.catch(ctx)
		if err != nil {
			return nil, err
		}
		if all {
			if err := l.finishErasures(ctx); err != nil {
				return nil, err
			}
		}
		if isMirror { // nothing is taken in here
			ok = true
			return l, nil
		}
		l.intake = intake.New(intake.Config{Register: l, Bulk: leading{l}, Blobs: l.Blobs, Known: l.Catalog, Keep: l.purging.RLocker(), Poppler: format.FindPoppler(), Now: cfg.Now, Log: log})
	}
	ok = true
	return l, nil
}

func (l *Library) openViews(ctx context.Context, mode Mode) error {
	var err error
	readOnly := mode == ReadOnly
	if !readOnly {
		if err := os.MkdirAll(l.Config.path("views"), 0o755); err != nil {
			return err
		}
	}
	l.Catalog, err = catalog.Open(ctx, catalog.Config{Dir: l.Config.path("views", "catalog"), ReadOnly: readOnly, Source: l.Register, Body: l.body, Refused: refusals{l.refused}, Log: l.log})
	if err != nil {
		return fmt.Errorf("open the catalogue: %w", err)
	}
	engine, err := index.Open(ctx, index.Config{Dir: l.Config.path("views", "index"), ReadOnly: readOnly, Records: l.Catalog, Body: l.body, Now: l.Config.Now, Log: l.log})
	if err != nil {
		return fmt.Errorf("open the index: %w", err)
	}
	l.Index = engine
	l.Shelves, err = torrent.OpenShelves(ctx, torrent.ShelvesConfig{Dir: l.Config.path("views", "shelves"), ReadOnly: readOnly, Catalog: l.Catalog, Body: l.body, Log: l.log})
	if err != nil {
		return fmt.Errorf("open the shelves: %w", err)
	}
	l.FullText, err = fulltext.Open(ctx, fulltext.Config{Dir: l.Config.path("views", fulltext.Name), ReadOnly: readOnly, Records: l.Catalog, Blobs: l.Blobs, Now: l.Config.Now, Log: l.log})
	if err != nil {
		return fmt.Errorf("open the full text: %w", err)
	}
	l.Views, err = view.New(view.Config{Source: l.Register, Body: l.body, Log: l.log,
		// As many as an import appends at once, and enough for a segment on the disk, which spares
		// the index half of its merging.
		BatchEntries: 8192, BatchBytes: 16 << 20,
		Views: []view.Node{{View: l.Catalog}, {View: l.Index, After: []string{l.Catalog.Name()}}, {View: l.Shelves, After: []string{l.Catalog.Name()}}}})
	return err
}

// followTexts reads the texts of open works in the background, until Close. They
// may be behind: nothing waits for them.
func (l *Library) followTexts() error {
	texts, err := fulltext.Follow(fulltext.FollowConfig{View: l.FullText, Source: l.Register, Body: l.body, Log: l.log})
	if err != nil {
		return err
	}
	l.texts = texts
	return nil
}

// body fetches the body blob of an entry; WithBody checks its hash. A mirror that
// does not have it yet copies it.
func (l *Library) body(ctx context.Context, b record.Body) ([]byte, error) {
	raw, err := readBody(ctx, l.Blobs, b)
	if errs.Is(err, errs.NotFound) && l.copying != nil {
		return l.copying.mirror.Fetch(ctx, b)
	}
	return raw, err
}

func readBody(ctx context.Context, blobs *blob.Local, b record.Body) ([]byte, error) {
	if b.Bytes > record.MaxBody {
		return nil, errs.New(errs.TooLarge, "the body blob %s is longer than %d bytes", b.SHA256, record.MaxBody)
	}
	f, err := blobs.Open(ctx, b.SHA256)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, record.MaxBody+1))
}

func readSigner(name string) (note.Signer, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, errs.WithHint(errs.New(errs.Corrupt, "the origin's signing key cannot be read: %w", err), "bring back keys/ from a backup")
	}
	s, err := note.NewSigner(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, errs.New(errs.Corrupt, "%s is not a signing key", name)
	}
	return s, nil
}

// Append appends encoded entries and returns once they are durable and the views
// have followed; it implements intake.Appender.
func (l *Library) Append(ctx context.Context, entries [][]byte) (int64, error) {
	return l.append(ctx, entries, func(ctx context.Context, _ int64) error {
		_, err := l.catch(ctx)
		return err
	})
}

// leading is the library for an import, which waits for the catalogue alone after
// each of its batches, and for the other views at its end.
type leading struct{ l *Library }

// AppendWhole implements [intake.BulkAppender].
func (a leading) AppendWhole(ctx context.Context, entries [][]byte, whole []*record.Entry) (int64, error) {
	return a.l.append(ctx, entries, func(ctx context.Context, first int64) error {
		known := make([]view.Entry, 0, len(entries))
		for i, e := range whole {
			if e != nil {
				known = append(known, view.Entry{Index: first + int64(i), Raw: entries[i], Entry: *e, Known: true})
			}
		}
		return a.l.Views.Lead(ctx, known)
	})
}

func (l *Library) append(ctx context.Context, entries [][]byte, follow func(ctx context.Context, first int64) error) (int64, error) {
	if l.lock == nil {
		return 0, errs.New(errs.Internal, "the library is open for reading only")
	}
	if err := l.notMirror(); err != nil {
		return 0, err
	}
	if err := l.maySign(ctx); err != nil {
		return 0, err
	}
	first, err := l.Register.Append(ctx, entries)
	if err != nil {
		return 0, fmt.Errorf("append %d entries: %w", len(entries), err)
	}
	l.appended(ctx, first, int64(len(entries)))
	if err := follow(context.WithoutCancel(ctx), first); err != nil {
		return first, err
	}
	if l.texts != nil {
		l.texts.Wake()
	}
	return first, nil
}

// catch lets the views follow the register. A view that is damaged or of another
// format does not, which is logged and no error: it is to be rebuilt. all says
// whether every view has followed.
func (l *Library) catch(ctx context.Context) (all bool, err error) {
	switch err := l.Views.Catch(ctx); {
	case err == nil:
		return true, nil
	case errs.Is(err, errs.Unavailable) || l.derived() != nil:
		l.log.WarnContext(ctx, "a view does not serve", "err", err)
		return false, nil
	default:
		return false, err
	}
}

// Close ends the library's use. What was reported is durable already.
func (l *Library) Close() error {
	var err error
	if l.stopTorrents != nil {
		l.stopTorrents()
		l.stopTorrents = nil
	}
	l.unfollow()
	if l.witnesses != nil {
		l.witnesses.Close()
	}
	if l.texts != nil {
		l.texts.Close()
	}
	if l.FullText != nil {
		err = errors.Join(err, l.FullText.Close())
	}
	if l.Shelves != nil {
		err = errors.Join(err, l.Shelves.Close())
	}
	if l.Index != nil {
		err = errors.Join(err, l.Index.Close())
	}
	if l.Catalog != nil {
		err = errors.Join(err, l.Catalog.Close())
	}
	if l.lock != nil {
		err = errors.Join(err, l.lock.Unlock())
		l.lock = nil
	}
	return err
}
