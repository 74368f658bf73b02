package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"

	"wenlan/internal/blob"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/record"
	"wenlan/internal/register"

	"golang.org/x/mod/sumdb/note"
)

// Recovered says what recover has brought up.
type Recovered struct {
	Added   int64 `json:"added"`   // entries that this folder did not have
	Entries int64 `json:"entries"` // that it has now
	Files   int64 `json:"files"`   // that were fetched
	Bytes   int64 `json:"bytes"`   // of them
	Missing int64 `json:"missing"` // files that the register names and nobody asked has, or has right: such as are not mirrored
}

// RecoverOptions says from where to recover.
type RecoverOptions struct {
	From     []string                           // addresses of mirrors, or folders that they exported
	Progress func(what string, done, all int64) // what: "entries"; "files": all that were asked for yet. At once from several goroutines; may be nil
	Source   mirror.SourceConfig                // how they are spoken to
}

// Recover brings an origin that was restored from an old backup up to what its
// mirrors hold, so that it may sign again without forking the library: the
// register as any mirror verifies it, then every file that is missing. A folder
// with nothing but the origin's key is brought up as well. It can be interrupted,
// and run again. No process may serve the folder meanwhile.
//
// errs.Refused: the folder has signed entries that the library does not have (a
// fork, of which the proof is kept), or another key speaks for the library now.
func Recover(ctx context.Context, cfg Config, opts RecoverOptions, log *slog.Logger) (Recovered, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if opts.Progress == nil {
		opts.Progress = func(string, int64, int64) {}
	}
	var sum Recovered
	if err := cfg.Check(); err != nil {
		return sum, err
	}
	if len(opts.From) == 0 {
		return sum, errs.New(errs.Invalid, "it is not said from where to recover")
	}
	r := &recovery{cfg: cfg, opts: opts, log: log}
	if err := r.run(ctx, &sum); err != nil {
		return sum, err
	}
	l, err := Open(ctx, cfg, Own, log) // the views follow
	if err != nil {
		return sum, err
	}
	defer l.Close()
	r.meet(ctx, l.mirrors)
	return sum, l.purgeErased(ctx) // what was erased since the backup
}

// meet takes in which mirrors the copies know: the library's witnesses are found
// among them, who must be asked before anything is appended.
func (r *recovery) meet(ctx context.Context, list *mirror.List) {
	for _, s := range r.sources {
		raw, err := s.Get(ctx, "mirrors.json", maxMirrorList)
		if err == nil {
			err = list.Merge(ctx, raw)
		}
		if err != nil {
			r.log.WarnContext(ctx, "a copy did not say which mirrors there are", "address", s.Address(), "err", err)
		}
	}
}

// Vouch lets a library be appended to whose witnesses do not answer: somebody
// says that the folder is no old copy. It counts until the charter changes or the
// witnesses have answered. What a witness shows counts all the same.
func Vouch(ctx context.Context, cfg Config, log *slog.Logger) error {
	l, err := Open(ctx, cfg, ReadOnly, log)
	if err != nil {
		return err
	}
	defer l.Close()
	c, ok := l.Register.Charter()
	if !ok {
		return errs.New(errs.Corrupt, "the register has no charter")
	}
	raw, err := json.Marshal(alone{Charter: c.Version, At: cfg.now().UTC()})
	if err != nil {
		return err
	}
	return durable.WriteFile(durable.OS(), cfg.path(aloneFile), raw, 0o600)
}

// recovery is one run of Recover.
type recovery struct {
	cfg     Config
	opts    RecoverOptions
	log     *slog.Logger
	signer  note.Signer
	sources []mirror.Source
	pool    *mirror.Pool
	reg     *register.Register
	blobs   *blob.Local
	erased  map[int64]bool // entries that an erasure names
}

func (r *recovery) run(ctx context.Context, sum *Recovered) error {
	if _, is, err := mirrorState(r.cfg); err != nil {
		return err
	} else if is {
		return errs.New(errs.Refused, "%s is a mirror, which follows by itself", r.cfg.Data)
	}
	lock, err := durable.Lock(r.cfg.path("wenlan.lock"))
	if err != nil {
		if errs.Is(err, errs.Locked) {
			return errs.WithHint(err, "stop what serves it, and begin again")
		}
		return err
	}
	defer lock.Unlock()
	if err := settleKey(r.cfg); err != nil {
		return err
	}
	if r.signer, err = readSigner(r.cfg.path("keys", originKey)); err != nil {
		return err
	}
	for _, address := range r.opts.From {
		s, err := mirror.OpenSource(address, r.opts.Source)
		if err != nil {
			return err
		}
		r.sources = append(r.sources, s)
	}
	if err := durable.MkdirAll(durable.OS(), r.cfg.path(mirrorDir, "evidence"), 0o755); err != nil {
		return err
	}
	if err := writeNumber(r.cfg.path(mirrorDir, purgedFile), 0); err != nil {
		return err
	}
	r.blobs, err = blob.OpenLocal(blob.LocalConfig{Roots: append([]string{r.cfg.path("blobs")}, r.cfg.Stores...), Log: r.log})
	if err != nil {
		return fmt.Errorf("open the blobs: %w", err)
	}
	defer r.blobs.Close()
	r.pool = mirror.NewPool(mirror.PoolConfig{Blobs: r.blobs, Source: r.opts.Source, Log: r.log})
	r.pool.Set(r.opts.From)
	if err := r.openRegister(ctx); err != nil {
		return err
	}
	before := r.reg.Size()
	if err := r.extend(ctx); err != nil {
		return err
	}
	sum.Entries = r.reg.Size()
	sum.Added = sum.Entries - before
	if err := r.findErased(ctx); err != nil {
		return err
	}
	return r.fetchFiles(ctx, sum)
}

// openRegister opens the register as a copy, or makes one, where the folder has
// lost it, of the library whose origin our key is.
func (r *recovery) openRegister(ctx context.Context) error {
	cfg := register.Config{Dir: r.cfg.path("register"), Replica: true, Now: r.cfg.Now, Log: r.log}
	there, err := durable.Exists(durable.OS(), r.cfg.path("register", "charters", "1"))
	if err != nil {
		return err
	}
	if there {
		if r.reg, err = register.Open(cfg); err != nil {
			return fmt.Errorf("open the register: %w", err)
		}
		return nil
	}
	var failed []error
	for _, s := range r.sources {
		library, charters, err := mirror.Pin(ctx, s, "")
		if err == nil {
			err = r.ours(charters)
		}
		if err == nil {
			r.reg, err = register.CreateReplica(ctx, cfg, library, charters)
		}
		if err == nil {
			return nil
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// ours says whether the newest of these charters names our key as the origin.
func (r *recovery) ours(charters [][]byte) error {
	if len(charters) == 0 {
		return errs.New(errs.Corrupt, "there is no charter")
	}
	c, err := register.ParseCharter(charters[len(charters)-1])
	if err != nil {
		return err
	}
	key, err := note.NewVerifier(c.Origin)
	if err != nil {
		return err
	}
	if key.Name() == r.signer.Name() && key.KeyHash() == r.signer.KeyHash() {
		return nil
	}
	hint := "wenlan serve makes this folder a mirror of it"
	if r.reg == nil { // the folder does not know the charter
		hint = "an empty folder can follow it: wenlan mirror"
		if len(c.Addresses) > 0 {
			hint += " " + c.Addresses[0]
		}
	}
	if key.Name() != r.signer.Name() {
		return errs.New(errs.Refused, "it holds another library than the one whose key is here")
	}
	return errs.WithHint(errs.New(errs.Refused, "the trustees have given the library another origin (charter %d): the key that is here signs for it no more", c.Version), hint)
}

// extend takes the charters and the newest checkpoint that any of the sources has.
func (r *recovery) extend(ctx context.Context) error {
	var failed []error
	answered := 0
	for _, s := range r.sources {
		err := r.charters(ctx, s)
		if err == nil {
			err = r.ours(r.reg.Charters())
			if err != nil {
				return err
			}
			err = r.extendTo(ctx, s)
		}
		var fork *register.Fork
		switch {
		case errors.As(err, &fork):
			return r.forked(s, fork)
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			failed = append(failed, err)
			if len(r.sources) == 1 {
				continue
			}
			r.log.WarnContext(ctx, "a copy gave nothing", "address", s.Address(), "err", err)
		default:
			answered++
		}
	}
	if answered == 0 {
		return errs.New(errs.Unavailable, "nothing could be recovered: %w", errors.Join(failed...))
	}
	return nil
}

// Bounds of what a copy sends, in bytes.
const (
	maxCharters   = 64 << 20
	maxMirrorList = 16 << 20
)

func (r *recovery) charters(ctx context.Context, s mirror.Source) error {
	raw, err := s.Get(ctx, "register/charters", maxCharters)
	if err != nil {
		return err
	}
	var notes []string
	if err := json.Unmarshal(raw, &notes); err != nil {
		return errs.New(errs.Corrupt, "%s has no list of charters: %w", s.Address(), err)
	}
	have := r.reg.Charters()
	for i, signed := range notes {
		if i < len(have) {
			theirs, err := register.ParseCharter([]byte(signed))
			ours, e := register.ParseCharter(have[i])
			if err != nil || e != nil || theirs.Text() != ours.Text() {
				return errs.New(errs.Refused, "%s holds another library, or other charters of this one", s.Address())
			}
			continue
		}
		if err := r.reg.AddCharter(ctx, []byte(signed)); err != nil {
			return errs.New(errs.Refused, "%s has a charter that does not count: %w", s.Address(), err)
		}
	}
	return nil
}

func (r *recovery) extendTo(ctx context.Context, s mirror.Source) error {
	signed, err := s.Get(ctx, "register/checkpoint", 1<<18)
	if err != nil {
		return err
	}
	return r.reg.Extend(ctx, signed, r.pool.Register, register.ExtendOptions{
		Progress: func(done, size int64) { r.opts.Progress("entries", done, size) },
		Body:     r.body,
	})
}

// forked keeps the proof that this folder has signed what the library does not have.
func (r *recovery) forked(s mirror.Source, fork *register.Fork) error {
	proof, err := fork.Marshal()
	if err != nil {
		return err
	}
	if err := os.Remove(r.cfg.path(aloneFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // nobody can vouch for it any more
	}
	name := r.cfg.path(mirrorDir, "evidence", "recover-fork.json")
	if err := durable.WriteFile(durable.OS(), name, proof, 0o644); err != nil {
		return err
	}
	return errs.WithHint(errs.New(errs.Refused, "this folder has signed other entries than %s holds: the library is forked, and the proof is in %s", s.Address(), name),
		"a charter with base says which part counts and ends it: wenlan charter draft --help")
}

// body is a body blob, fetched where it is missing.
func (r *recovery) body(ctx context.Context, b record.Body) ([]byte, error) {
	if b.Bytes > record.MaxBody {
		return nil, errs.New(errs.TooLarge, "the body blob %s is longer than %d bytes", b.SHA256, record.MaxBody)
	}
	data, err := readBody(ctx, r.blobs, b)
	if !errs.Is(err, errs.NotFound) {
		return data, err
	}
	if err := r.pool.Blob(ctx, blob.Ref{SHA256: b.SHA256, Bytes: b.Bytes}); err != nil {
		return nil, err
	}
	if err := r.blobs.Flush(ctx); err != nil {
		return nil, err
	}
	return readBody(ctx, r.blobs, b)
}

// each calls fn with every entry that is there and can be read, its body filled in.
func (r *recovery) each(ctx context.Context, types []record.Type, fn func(i int64, e record.Entry) error) error {
	return r.reg.Read(ctx, 0, r.reg.Size(), func(i int64, raw []byte) error {
		if raw == nil || r.erased[i] {
			return nil
		}
		e, known, err := record.Decode(raw)
		if err != nil || !known || len(types) > 0 && !slices.Contains(types, e.Type) {
			return nil // every program sets aside what is no entry
		}
		if e.Body != nil {
			b, err := r.body(ctx, *e.Body)
			if err != nil {
				return fmt.Errorf("the body of entry %d: %w", i, err)
			}
			if e, err = e.WithBody(b); err != nil {
				return nil
			}
		}
		return fn(i, e)
	})
}

// findErased looks for what erasures name, whose files are not fetched again.
func (r *recovery) findErased(ctx context.Context) error {
	named := map[int64]bool{}
	err := r.each(ctx, []record.Type{record.TypeErasure}, func(_ int64, e record.Entry) error {
		for _, n := range e.Entries {
			named[n] = true
		}
		return nil
	})
	r.erased = named
	return err
}

const (
	recoverWorkers = 8
	recoverFlush   = 512 // files between two syncs
)

// fetchFiles fetches every file that the register names and this folder lacks.
// What no copy has right is counted; whatever else fails ends it.
func (r *recovery) fetchFiles(ctx context.Context, sum *Recovered) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	refs := make(chan blob.Ref)
	var mu sync.Mutex
	var wg sync.WaitGroup
	fetch := func(ref blob.Ref) error {
		err := r.pool.Blob(ctx, ref)
		if errs.Is(err, errs.Corrupt) { // as verify does, it says so of each, and goes on
			r.log.WarnContext(ctx, "a file could not be recovered", "file", ref.SHA256, "err", err)
		} else if err != nil && !isLacking(err) {
			return err
		}
		mu.Lock()
		if err != nil {
			sum.Missing++
		} else {
			sum.Files++
			sum.Bytes += ref.Bytes
		}
		flush := err == nil && sum.Files%recoverFlush == 0
		r.opts.Progress("files", sum.Files, sum.Files+sum.Missing)
		mu.Unlock()
		if flush {
			return r.blobs.Flush(ctx)
		}
		return nil
	}
	for range recoverWorkers {
		wg.Go(func() {
			for ref := range refs {
				if err := fetch(ref); err != nil {
					cancel(err)
				}
			}
		})
	}
	asked := map[string]bool{} // once, though many records may name them
	err := r.each(ctx, nil, func(_ int64, e record.Entry) error {
		for _, f := range append(slices.Clone(e.Files), e.Add...) {
			if _, err := r.blobs.Stat(ctx, f.SHA256); err == nil || asked[f.SHA256] {
				continue
			} else if !errs.Is(err, errs.NotFound) {
				return err
			}
			if len(asked) < maxMissing {
				asked[f.SHA256] = true
			}
			select {
			case refs <- blob.Ref{SHA256: f.SHA256, Bytes: f.Bytes}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	close(refs)
	wg.Wait()
	if ferr := r.blobs.Flush(context.WithoutCancel(ctx)); err == nil {
		err = ferr
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// isLacking says whether an error means that nobody who was asked offers a file.
func isLacking(err error) bool {
	switch errs.KindOf(err) {
	case errs.NotFound, errs.Gone, errs.Forbidden, errs.Withdrawn:
		return true
	}
	return false
}
