package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/mirror/witness"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

// MirrorOptions says whose copy a mirror is, and of what part. The zero value of a
// field leaves what an existing mirror has.
type MirrorOptions struct {
	Sources []string // addresses or folders; the first may end in #LIBRARYID
	Select  *string  // see mirror.Selection
	Space   *int64   // bytes of files; 0: no limit
	NoFiles *bool    // catalogue and search only
	Deny    *string  // the file of what its keeper refuses; "": none
}

// Mirrored says whose copy a folder has become.
type Mirrored struct {
	Library string `json:"library"`
	Source  string `json:"source"`
	Pinned  bool   `json:"pinned"` // the id was not given: it is that of the library that was found, and counts from now on
}

const (
	mirrorDir = "mirror"
	// purgedFile holds the index of the register up to which erasures have been carried out here.
	purgedFile = "purged"
	// branchFile holds how many branches had been put aside when the views were made.
	branchFile = "views/branches"
)

// InitMirror makes the data folder of a mirror, or changes what an existing one
// copies. It asks a source only where there is no copy yet.
func InitMirror(ctx context.Context, cfg Config, opt MirrorOptions, log *slog.Logger) (Mirrored, error) {
	var made Mirrored
	if err := cfg.Check(); err != nil {
		return made, err
	}
	if err := os.MkdirAll(cfg.Data, 0o755); err != nil {
		return made, errs.New(errs.Refused, "make the data folder: %w", err)
	}
	lock, err := durable.Lock(cfg.path("wenlan.lock"))
	if err != nil {
		return made, err
	}
	defer lock.Unlock()
	state, isMirror, err := mirrorState(cfg)
	if err != nil {
		return made, err
	}
	if !isMirror {
		if there, err := exists(cfg); err != nil {
			return made, err
		} else if there {
			return made, errs.WithHint(errs.New(errs.Refused, "%s holds a library of its own, not a mirror", cfg.Data), "name another folder with --data")
		}
	}
	want := state.Library
	for i, address := range opt.Sources {
		address, library, err := mirror.CutLibrary(address)
		if err != nil {
			return made, err
		}
		if library != "" && want != "" && library != want {
			return made, errs.WithHint(errs.New(errs.Refused, "this folder is pinned to the library %s, not %s", want, library), "name another folder with --data")
		}
		if library != "" {
			want = library
		}
		// A folder as it is called from everywhere.
		if opt.Sources[i], err = mirror.CleanAddress(address); err != nil {
			return made, err
		}
	}
	if len(opt.Sources) > 0 {
		state.Sources = opt.Sources
	}
	if len(state.Sources) == 0 {
		return made, errs.New(errs.Invalid, "a mirror needs an address to copy from")
	}
	if err := opt.apply(&state); err != nil {
		return made, err
	}
	made.Library, made.Source = want, state.Sources[0]
	if !isMirror {
		// What an earlier try left had published nothing.
		if err := os.RemoveAll(cfg.path("register")); err != nil {
			return made, err
		}
		pool := mirror.NewPool(mirror.PoolConfig{Now: cfg.Now, Log: log})
		pool.Set(state.Sources)
		var charters [][]byte
		err := pool.Try(ctx, func(ctx context.Context, s mirror.Source) error {
			var err error
			made.Source = s.Address()
			made.Library, charters, err = mirror.Pin(ctx, s, want)
			return err
		})
		if err != nil {
			return made, err
		}
		made.Pinned = want == ""
		if err := mirrorKey(cfg); err != nil {
			return made, err
		}
		if _, err := register.CreateReplica(ctx, register.Config{Dir: cfg.path("register"), Replica: true, Now: cfg.Now, Log: log}, made.Library, charters); err != nil {
			return made, err
		}
	}
	state.Library = made.Library
	if err := durable.MkdirAll(durable.OS(), cfg.path(mirrorDir), 0o755); err != nil {
		return made, err
	}
	return made, mirror.SaveState(durable.OS(), cfg.path(mirrorDir), state)
}

// apply changes what is to be copied.
func (opt MirrorOptions) apply(s *mirror.State) error {
	if opt.Select != nil {
		sel, err := mirror.ParseSelection(*opt.Select)
		if err != nil {
			return err
		}
		s.Select = sel.String()
	}
	if opt.Space != nil {
		s.Space = *opt.Space
	}
	if opt.NoFiles != nil {
		s.NoFiles = *opt.NoFiles
	}
	if opt.Deny != nil {
		s.Deny = *opt.Deny
		if s.Deny != "" {
			abs, err := filepath.Abs(s.Deny)
			if err != nil {
				return err
			}
			s.Deny = abs
		}
	}
	_, err := readDeny(s.Deny)
	return err
}

// mirrorKey makes the key of a mirror, which signs what it says of itself and
// cosigns what it holds, where there is none yet.
func mirrorKey(cfg Config) error {
	if err := durable.MkdirAll(durable.OS(), cfg.path("keys"), 0o700); err != nil {
		return err
	}
	if there, err := durable.Exists(durable.OS(), cfg.path("keys", mirrorKeyFile)); err != nil || there {
		return err
	}
	secret, _, err := register.GenerateKeys("wenlan-mirror-" + strings.TrimPrefix(register.NewLogName(), "wenlan/")[:8])
	if err != nil {
		return err
	}
	return durable.WriteFile(durable.OS(), cfg.path("keys", mirrorKeyFile), []byte(secret+"\n"), 0o600)
}

const mirrorKeyFile = "mirror.key"

// mirrorState is what a mirror's folder says of itself. A folder with the key of an
// origin is the origin's, also when it was a mirror before.
func mirrorState(cfg Config) (mirror.State, bool, error) {
	if there, err := durable.Exists(durable.OS(), cfg.path("keys", originKey)); err != nil || there {
		return mirror.State{}, false, err
	}
	s, err := mirror.LoadState(durable.OS(), cfg.path(mirrorDir))
	if errs.Is(err, errs.NotFound) {
		return s, false, nil
	}
	return s, err == nil, err
}

// copying is what a library has that is a mirror.
type copying struct {
	state   mirror.State
	choose  mirror.Selection
	pool    *mirror.Pool
	key     *mirror.Key
	mirror  *mirror.Mirror
	witness *witness.Witness

	stop context.CancelFunc // of Run; nil while it does not run
	done chan struct{}
}

// Mirror is what copies, nil at an origin.
func (l *Library) Mirror() *mirror.Mirror {
	if l.copying == nil {
		return nil
	}
	return l.copying.mirror
}

// openMirror joins a mirror's parts. The views are open.
func (l *Library) openMirror(ctx context.Context, state mirror.State) error {
	choose, err := mirror.ParseSelection(state.Select)
	if err != nil {
		return err
	}
	c := &copying{state: state, choose: choose}
	c.pool = mirror.NewPool(mirror.PoolConfig{Blobs: l.Blobs, Now: l.Config.Now, Log: l.log})
	mc := mirror.Config{
		Dir: l.Config.path(mirrorDir), Register: l.Register, Blobs: l.Blobs, Pool: c.pool, List: l.mirrors, Shelves: shelvesToMirror{l.Shelves, l.refused}, Holds: l.heldHere,
		Sources: state.Sources, Partial: !choose.All(), Selection: state.Select, Space: state.Space, NoFiles: state.NoFiles, Denied: len(l.refused.List()),
		Extended: l.extended, Self: l.Config.URL, Poll: l.Config.poll(), Now: l.Config.Now, Log: l.log,
	}
	if !state.NoFiles {
		mc.Wanted = func(ctx context.Context, from int64, fn func(int64, blob.Ref) error) error {
			return l.wanted(ctx, from, choose.Match, fn)
		}
	}
	secret, err := os.ReadFile(l.Config.path("keys", mirrorKeyFile))
	if err != nil {
		return errs.New(errs.Corrupt, "the mirror's key cannot be read: %w", err)
	}
	if mc.Key, err = mirror.ParseKey(string(secret)); err != nil {
		return err
	}
	c.key = mc.Key
	if c.mirror, err = mirror.Open(mc); err != nil {
		return err
	}
	l.copying = c
	if c.witness, err = l.openWitness(ctx, string(secret), c.mirror); err != nil {
		return fmt.Errorf("open the witness: %w", err)
	}
	return nil
}

// chartered is called when a mirror has got a charter otherwise than by asking.
func (l *Library) chartered() {
	if l.copying != nil {
		if err := l.copying.mirror.Chartered(); err != nil {
			l.log.Error("a new charter", "err", err)
		}
	}
}

// follow copies in the background, until Close.
func (l *Library) follow() {
	ctx, stop := context.WithCancel(context.Background())
	l.copying.stop, l.copying.done = stop, make(chan struct{})
	go func() {
		defer close(l.copying.done)
		if err := l.copying.mirror.Run(ctx); err != nil && ctx.Err() == nil {
			l.log.Error("the mirror has stopped", "err", err)
		}
	}()
}

// unfollow ends it.
func (l *Library) unfollow() {
	if l.copying != nil && l.copying.stop != nil {
		l.copying.stop()
		<-l.copying.done
		l.copying.stop = nil
	}
}

// extended is called when the register of a mirror has grown, or a charter came.
func (l *Library) extended(ctx context.Context) error {
	defer l.changes.Add(1)
	if err := l.settleBranch(ctx); err != nil {
		return err
	}
	if l.derived() != nil { // what is derived is made anew, without asking anybody
		if err := l.Views.Rebuild(ctx, ""); err != nil {
			return err
		}
	}
	all, err := l.catch(ctx)
	if err != nil {
		return err
	}
	if !all {
		return errs.New(errs.Unavailable, "the views have not followed the register")
	}
	if err := l.purgeErased(ctx); err != nil {
		return err
	}
	if err := l.copying.witness.Extended(ctx); err != nil {
		return err
	}
	if l.texts != nil {
		l.texts.Wake()
	}
	return nil
}

// settleBranch makes the views anew when the register has gone back to a charter's
// base since they were made: they may have read what is no longer in it.
func (l *Library) settleBranch(ctx context.Context) error {
	branches, err := l.Register.Branches()
	if err != nil {
		return err
	}
	seen, err := readNumber(l.Config.path(branchFile))
	if err != nil {
		return err
	}
	if seen == int64(len(branches)) {
		return nil
	}
	if l.Catalog.Cursor() > 0 || l.Index.Cursor() > 0 {
		l.log.WarnContext(ctx, "the register went back to the base of a charter: the views are made anew")
		if err := l.Views.Rebuild(ctx, ""); err != nil {
			return err
		}
		if err := l.rebuildTexts(ctx, l.FullText.Name()); err != nil {
			return err
		}
	}
	return writeNumber(l.Config.path(branchFile), int64(len(branches)))
}

// purgeErased carries out the erasures that the register states since the last time:
// what this copy took in before them goes too.
func (l *Library) purgeErased(ctx context.Context) error {
	from, err := readNumber(l.Config.path(mirrorDir, purgedFile))
	if err != nil {
		return err
	}
	size := l.Register.Size()
	if from >= size {
		return nil
	}
	var found []int64
	err = l.Register.Read(ctx, from, size, func(i int64, raw []byte) error {
		if bytes.Contains(raw, []byte(`"erasure"`)) {
			found = append(found, i)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, i := range found {
		if err := l.purgeBy(ctx, i); err != nil {
			return err
		}
	}
	return writeNumber(l.Config.path(mirrorDir, purgedFile), size)
}

// purgeBy carries out the erasure at an index of the register, if it is one.
func (l *Library) purgeBy(ctx context.Context, at int64) error {
	raw, err := l.Register.Entry(ctx, at)
	if err != nil {
		return err
	}
	e, known, err := record.Decode(raw)
	if err != nil || !known || e.Type != record.TypeErasure {
		return nil
	}
	if e.Body != nil {
		body, err := l.body(ctx, *e.Body)
		if err != nil {
			return err
		}
		if e, err = e.WithBody(body); err != nil {
			return nil // it names nothing that could be understood
		}
	}
	job := erasing{From: at}
	for _, i := range e.Entries {
		if i >= at {
			continue
		}
		raw, err := l.Register.Entry(ctx, i)
		if errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return err
		}
		if !register.Erasable(i, raw) {
			l.log.WarnContext(ctx, "an erasure names an entry that cannot be erased", "erasure", at, "entry", i)
			continue
		}
		job.Entries = append(job.Entries, i)
		blobs, err := l.blobsOf(ctx, i)
		if err != nil {
			return err
		}
		job.Blobs = append(job.Blobs, blobs...)
	}
	if len(job.Entries) == 0 {
		return nil
	}
	l.erasing.Lock()
	defer l.erasing.Unlock()
	if err := l.writeErasing(job); err != nil {
		return err
	}
	return l.purge(ctx, job)
}

// notMirror refuses on a mirror what only an origin does.
func (l *Library) notMirror() error {
	if l.copying == nil {
		return nil
	}
	of := l.Register.Library()
	if list := l.copying.state.Sources; len(list) > 0 {
		of = list[0]
	}
	return errs.WithHint(errs.New(errs.Refused, "this is a mirror of %s: only the origin adds to the register", of),
		"ask its librarians; `wenlan succeed` makes a mirror the origin when the trustees have signed")
}

// MirrorOnce copies what there is and returns when it is durable. What a source did
// not have right is an error, errs.Corrupt, that names the first such file.
func MirrorOnce(ctx context.Context, cfg Config, log *slog.Logger, progress func(mirror.Status)) (mirror.Status, error) {
	l, err := Open(ctx, cfg, Own, log)
	if err != nil {
		return mirror.Status{}, err
	}
	defer l.Close()
	if l.copying == nil {
		return mirror.Status{}, errs.New(errs.Invalid, "%s is not a mirror", cfg.Data)
	}
	end := make(chan struct{})
	defer close(end)
	go func() {
		tick := time.NewTicker(time.Second / 4)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				progress(l.copying.mirror.Status())
			case <-end:
				return
			}
		}
	}()
	err = l.copying.mirror.Once(ctx)
	st := l.copying.mirror.Status()
	if a := st.Alarm; err == nil && a != nil && a.Kind != mirror.AlarmSuperseded {
		err = errs.New(errs.Corrupt, "%s (%s)", strings.TrimSuffix(a.Sentence, "."), a.Address)
	}
	return st, err
}

// refusals is what a mirror's keeper refuses, as the catalogue asks for it.
type refusals struct{ deny *mirror.Deny }

func readDeny(name string) (*mirror.Deny, error) {
	if name == "" {
		return nil, nil
	}
	text, err := durable.ReadFile(durable.OS(), name, 64<<20)
	if err != nil {
		return nil, errs.New(errs.Invalid, "read the list of what is refused: %w", err)
	}
	return mirror.ParseDeny(text)
}

// Record implements catalog.Refused.
func (r refusals) Record(n int64) *record.Withdrawal {
	if reason, ok := r.deny.Record(n); ok {
		return &record.Withdrawal{Ground: reason, Keeper: true}
	}
	return nil
}

// Blob implements catalog.Refused.
func (r refusals) Blob(sha string) *record.Withdrawal {
	if reason, ok := r.deny.Blob(sha); ok {
		return &record.Withdrawal{Ground: reason, Blob: sha, Keeper: true}
	}
	return nil
}

// readNumber reads a file that holds a number; 0 where there is none.
func readNumber(name string) (int64, error) {
	raw, err := durable.ReadFile(durable.OS(), name, 64)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil || n < 0 {
		return 0, nil // begin again
	}
	return n, nil
}

func writeNumber(name string, n int64) error {
	return durable.WriteFile(durable.OS(), name, []byte(strconv.FormatInt(n, 10)+"\n"), 0o644)
}
