package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wenlan/internal/blob"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

// How `verify --repair` works. The register is mended first, against the checkpoint
// on this disk: what can be computed is, the rest comes from other copies and is
// proved. Then the views, which are made anew where they are damaged; they say
// which files this copy means to hold. Then the files. No other copy is believed,
// and nobody is asked anything. What could not be mended is reported as verify
// does, with the same exit code.
//
// A library that does not open is mended closed as far as it must be for that:
// register, bodies, and views that are thrown away.

// repairLibrary verifies and mends, in the process that owns the folder.
func repairLibrary(ctx context.Context, cfg Config, req VerifyRequest, log *slog.Logger, report func(Problem)) (Verified, error) {
	var sum Verified
	emit := func(ev Event) {
		switch {
		case ev.Problem != nil:
			report(*ev.Problem)
		case ev.Verified != nil:
			sum = *ev.Verified
		}
	}
	from, err := absSources(req.From)
	if err != nil {
		return sum, err
	}
	req.From = from
	if served, err := callOwner(ctx, cfg, Request{Verify: &req}, emit); served {
		return sum, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var before []Problem // from mending it closed
	l, err := Open(ctx, cfg, Own, log)
	if err != nil && !errs.Is(err, errs.Locked) && !errs.Is(err, errs.Invalid) && !IsExport(cfg.Data) {
		log.WarnContext(ctx, "the library does not open", "err", err)
		cerr := repairClosed(ctx, cfg, req, log, func(p Problem) {
			before = append(before, p)
			report(p)
		})
		if cerr != nil {
			return sum, errs.WithHint(errs.New(errs.Corrupt, "%w", errors.Join(err, cerr)), hint(cerr, hint(err, "name another copy with --from")))
		}
		if l, err = Open(ctx, cfg, Own, log); err != nil && ctx.Err() == nil && !errs.Is(err, errs.Locked) {
			// The register and its bodies are right, so it may be what is derived from them.
			p := Problem{Part: "views", Name: "all", What: err.Error(), Mend: "they were made anew", Mended: true}
			if l, err = openWithoutViews(ctx, cfg, err, log); err == nil {
				before = append(before, p)
				report(p)
			}
		}
	}
	if err != nil {
		return sum, err
	}
	defer l.Close()
	sum, err = l.repair(ctx, req, report)
	for _, p := range before {
		sum.count(p)
	}
	return sum, err
}

// openWithoutViews opens a library that does not open, for the reason why, with its
// views made anew. Where they are not to blame they are put back, and it fails with why.
func openWithoutViews(ctx context.Context, cfg Config, why error, log *slog.Logger) (*Library, error) {
	views, aside := cfg.path("views"), cfg.path("views.bad")
	if err := os.RemoveAll(aside); err != nil {
		return nil, err
	}
	if err := os.Rename(views, aside); err != nil {
		return nil, why
	}
	l, err := Open(ctx, cfg, Own, log)
	if err != nil {
		return nil, errors.Join(why, os.RemoveAll(views), os.Rename(aside, views))
	}
	if err := os.RemoveAll(aside); err != nil {
		log.WarnContext(ctx, "the old views stay", "folder", aside, "err", err)
	}
	return l, nil
}

// absSources makes the folders among addresses absolute: another process may read
// them. An address may end in #LIBRARYID.
func absSources(list []string) ([]string, error) {
	var out []string
	for _, s := range list {
		address, library, err := mirror.CutLibrary(s)
		if err != nil {
			return nil, err
		}
		if address, err = mirror.CleanAddress(address); err != nil {
			return nil, err
		}
		if library != "" {
			address += "#" + library
		}
		out = append(out, address)
	}
	return out, nil
}

// repairSources are the addresses to mend from: those that were named, those that a
// mirror copies from, those of the charters, and those who announced a copy.
func repairSources(cfg Config, req VerifyRequest, log *slog.Logger) (list []other, library string) {
	add := func(address string) { list = addOther(cfg, list, other{address: address}) }
	for _, s := range req.From {
		address, id, _ := mirror.CutLibrary(s)
		if id != "" {
			library = id
		}
		add(address)
	}
	if state, err := mirror.LoadState(durable.OS(), cfg.path(mirrorDir)); err == nil {
		library = state.Library
		for _, address := range state.Sources {
			add(address)
		}
	}
	// Addresses need not be true: what comes from them is proved.
	names, _ := filepath.Glob(cfg.path("register", "charters", "*"))
	for _, name := range names {
		if raw, err := durable.ReadFile(durable.OS(), name, 64<<10); err == nil {
			if c, err := register.ParseCharter(raw); err == nil {
				for _, address := range c.Addresses {
					add(address)
				}
			}
		}
	}
	if known, err := mirror.OpenList(mirror.ListConfig{Dir: cfg.path(mirrorDir), Library: library, Now: cfg.Now, Log: log}); err == nil {
		for _, a := range known.All() {
			list = addOther(cfg, list, other{a.URL, true})
		}
	}
	return list, library
}

// addOther adds an address that is neither in the list nor our own.
func addOther(cfg Config, list []other, o other) []other {
	o.address = strings.TrimSuffix(o.address, "/")
	if o.address == "" || o.address == strings.TrimSuffix(cfg.URL, "/") ||
		slices.ContainsFunc(list, func(have other) bool { return have.address == o.address }) {
		return list
	}
	return append(list, o)
}

// repairClosed mends what keeps a library from opening: its register, and the
// bodies that the register names.
func repairClosed(ctx context.Context, cfg Config, req VerifyRequest, log *slog.Logger, report func(Problem)) (err error) {
	_, isMirror, err := mirrorState(cfg)
	if err != nil {
		return err
	}
	if there, err := durable.Exists(durable.OS(), cfg.path("register")); err != nil {
		return err
	} else if !there && !isMirror {
		return errs.WithHint(errs.New(errs.NotFound, "there is no register in %s", cfg.Data), "`wenlan recover --from URL` brings a lost one up again")
	}
	lock, err := durable.Lock(cfg.path("wenlan.lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	blobs, err := blob.OpenLocal(blob.LocalConfig{Roots: append([]string{cfg.path("blobs")}, cfg.Stores...), Log: log})
	if err != nil {
		return err
	}
	defer blobs.Close()
	addresses, library := repairSources(cfg, req, log)
	f := newFetcher(cfg, blobs, addresses, log)
	defer f.close()
	body := func(ctx context.Context, b record.Body) ([]byte, error) { return f.body(ctx, b, report) }
	regConfig := register.Config{Dir: cfg.path("register"), Replica: isMirror, Now: cfg.Now, Log: log}
	wrong, err := wrongFiles(ctx, regConfig, body, report)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	if errs.Is(err, errs.NotFound) {
		wrong = map[string]string{"checkpoint": "it is missing"}
	}
	if len(wrong) > 0 {
		opts := mendOptions(wrong, body, report)
		opts.Library = library
		if err := register.Mend(ctx, regConfig, f.pool.Register, opts); err != nil {
			return err
		}
	}
	// The views need the bodies.
	_, err = register.Verify(ctx, regConfig, register.VerifyOptions{Body: body, Repair: true, Each: func(i int64, raw []byte) error {
		e, _, err := record.Decode(raw)
		if raw == nil || err != nil || e.Body == nil {
			return nil
		}
		if _, err := body(ctx, *e.Body); err != nil {
			log.WarnContext(ctx, "a list that the register names cannot be had", "entry", i, "err", err)
		}
		return ctx.Err()
	}}, func(register.Problem) {})
	if err != nil {
		return err
	}
	return blobs.Flush(ctx)
}

// wrongFiles verifies a register, mends what can be computed, and gives the files
// that are wrong beyond that, each with what is wrong.
func wrongFiles(ctx context.Context, cfg register.Config, body func(context.Context, record.Body) ([]byte, error), report func(Problem)) (map[string]string, error) {
	wrong := map[string]string{}
	_, err := register.Verify(ctx, cfg, register.VerifyOptions{Repair: true, Body: body}, func(p register.Problem) {
		if p.Mended {
			report(Problem{Part: "register", Name: p.Where, What: p.What, Mend: p.Mend, Mended: true})
		} else if len(wrong) < maxMissing {
			wrong[p.Where] = p.What
		}
	})
	return wrong, err
}

func mendOptions(wrong map[string]string, body func(context.Context, record.Body) ([]byte, error), report func(Problem)) register.MendOptions {
	opts := register.MendOptions{Body: body, Mended: func(where string) {
		what := wrong[where]
		if what == "" {
			what = "it was damaged or missing"
		}
		report(Problem{Part: "register", Name: where, What: what, Mend: "it was mended", Mended: true})
	}}
	for where := range wrong {
		opts.Wrong = append(opts.Wrong, where)
	}
	return opts
}

// fetcher brings blobs from other copies into the store.
type fetcher struct {
	pool  *mirror.Pool
	blobs *blob.Local
	mu    sync.Mutex
	idle  int // how often nobody could be reached, one after the other
}

// maxIdle is after how many of these no more is asked for.
const maxIdle = 3

// newFetcher makes one. What strangers have announced is asked within our own
// network only by a library that is not public itself.
func newFetcher(cfg Config, blobs *blob.Local, list []other, log *slog.Logger) *fetcher {
	u, err := url.Parse(cfg.URL)
	public := err == nil && u.Host != "" && !isLocal(u.Hostname())
	strangers := map[string]bool{}
	var addresses []string
	for _, o := range list {
		address, err := mirror.CleanAddress(o.address)
		if err != nil {
			continue
		}
		strangers[address] = o.stranger
		addresses = append(addresses, address)
	}
	f := &fetcher{blobs: blobs}
	f.pool = mirror.NewPool(mirror.PoolConfig{Blobs: blobs, Now: cfg.Now, Log: log, Open: func(address string) (mirror.Source, error) {
		return mirror.OpenSource(address, mirror.SourceConfig{Public: public && strangers[address]})
	}})
	f.pool.Set(addresses)
	return f
}

func (f *fetcher) close() { f.pool.Set(nil) }

// fetch replaces a blob, or brings one that is missing; it is durable after Flush.
func (f *fetcher) fetch(ctx context.Context, ref blob.Ref, missing bool) error {
	f.mu.Lock()
	idle := f.idle
	f.mu.Unlock()
	if len(f.pool.Addresses()) == 0 {
		return errs.New(errs.Unavailable, "no other copy is known: name one with --from")
	}
	if idle >= maxIdle {
		return errs.New(errs.Unavailable, "no other copy can be reached")
	}
	var err error
	if missing {
		err = f.pool.Blob(ctx, ref) // large ones go on where they were
	} else {
		err = f.pool.Try(ctx, func(ctx context.Context, s mirror.Source) error {
			r, err := s.Blob(ctx, ref.SHA256, 0)
			if err != nil {
				return err
			}
			defer r.Close()
			return f.blobs.Repair(ctx, ref, r)
		})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if errs.Is(err, errs.Unavailable) {
		f.idle++
	} else {
		f.idle = 0
	}
	return err
}

// body reads a body, after fetching it where it is missing or damaged.
func (f *fetcher) body(ctx context.Context, b record.Body, report func(Problem)) ([]byte, error) {
	raw, err := readBody(ctx, f.blobs, b)
	if err == nil && sumOf(raw) == b.SHA256 {
		return raw, nil
	}
	if err != nil && !errs.Is(err, errs.NotFound) && errs.KindOf(err) != errs.Internal {
		return nil, err
	}
	p := Problem{Part: "blobs", Name: b.SHA256, What: "a list that the register names is damaged or missing", Mend: "it was fetched", Mended: true}
	if err := f.fetch(ctx, blob.Ref{SHA256: b.SHA256, Bytes: b.Bytes}, errs.Is(err, errs.NotFound)); err != nil {
		return nil, err
	}
	if err := f.blobs.Flush(ctx); err != nil {
		return nil, err
	}
	report(p)
	return readBody(ctx, f.blobs, b)
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// repair verifies an open library that this process owns, and mends it.
func (l *Library) repair(ctx context.Context, req VerifyRequest, report func(Problem)) (sum Verified, err error) {
	var mu sync.Mutex
	say := func(p Problem) {
		mu.Lock()
		defer mu.Unlock()
		sum.count(p)
		report(p)
	}
	addresses, _ := repairSources(l.Config, req, l.log)
	for _, o := range l.others() { // what the disk says may be damaged
		addresses = addOther(l.Config, addresses, o)
	}
	f := newFetcher(l.Config, l.Blobs, addresses, l.log)
	defer f.close()
	body := func(ctx context.Context, b record.Body) ([]byte, error) { return f.body(ctx, b, say) }

	missing, err := l.repairRegister(ctx, f, body, &sum, say)
	if err != nil {
		return sum, err
	}
	if err := l.repairViews(ctx, say); err != nil {
		return sum, err
	}
	tried := map[string]bool{}
	for _, m := range missing {
		if tried[m.ref.SHA256] {
			continue
		}
		tried[m.ref.SHA256] = true
		is, err := l.due(ctx, m.ref.SHA256)
		if err != nil {
			return sum, err
		}
		if is {
			l.repairBlob(ctx, f, m.ref, m.size < 0, m.problem(), say)
		}
	}
	var damaged []blob.Problem
	blobSum, err := l.Blobs.Verify(ctx, blob.VerifyOptions{Budget: req.Budget, StateFile: l.Config.path("views", "verified")}, func(p blob.Problem) {
		if p.SHA256 == "" || len(damaged) >= maxMissing {
			say(blobProblem(p))
			return
		}
		damaged = append(damaged, p)
	})
	if err != nil {
		return sum, err
	}
	for _, p := range damaged {
		if tried[p.SHA256] {
			continue // said already
		}
		tried[p.SHA256] = true
		if err := l.repairDamaged(ctx, f, p, say); err != nil {
			return sum, err
		}
	}
	if err := l.Blobs.Flush(ctx); err != nil {
		return sum, err
	}
	sum.Blobs, sum.Bytes, sum.Complete = blobSum.Blobs, blobSum.Bytes, blobSum.Complete
	return sum, sum.err()
}

// repairRegister mends the register, and gives the blobs that it names and that
// are not there.
func (l *Library) repairRegister(ctx context.Context, f *fetcher, body func(context.Context, record.Body) ([]byte, error), sum *Verified, say func(Problem)) ([]named, error) {
	if l.Register.Size() == 0 {
		return nil, nil // a mirror that has copied nothing yet
	}
	var first []Problem
	hold := func(p Problem) {
		if p.Mended || len(first) >= maxMissing {
			say(p)
			return
		}
		first = append(first, p)
	}
	seen, missing, err := verifyRegister(ctx, l.Config, l.Blobs, true, body, l.log, hold)
	if err != nil && !errs.Is(err, errs.NotFound) { // the checkpoint is lost: it is in our memory
		return nil, err
	}
	if err != nil || len(first) > 0 {
		wrong := map[string]string{}
		for _, p := range first {
			wrong[p.Name] = p.What
		}
		if err := l.Register.Mend(ctx, f.pool.Register, mendOptions(wrong, body, say)); err != nil {
			return nil, fmt.Errorf("mend the register: %w", err)
		}
		if seen, missing, err = verifyRegister(ctx, l.Config, l.Blobs, true, body, l.log, say); err != nil {
			return nil, err
		}
	}
	sum.Entries, sum.Erased = seen.Entries, seen.Erased
	return missing, nil
}

// repairViews makes anew what is damaged.
func (l *Library) repairViews(ctx context.Context, say func(Problem)) error {
	for _, v := range []interface {
		checked
		Ready() error
	}{l.Catalog, l.Index, l.Shelves, l.FullText} {
		err := v.Ready()
		if err == nil {
			err = v.Check(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue
		}
		p := Problem{Part: "views", Name: v.Name(), What: err.Error(), Mend: "it was made anew", Mended: true}
		if rerr := l.rebuild(ctx, v.Name(), func(Event) {}); rerr != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			p.Mend, p.Mended = "it cannot be made anew: "+rerr.Error(), false
		}
		say(p)
	}
	return nil
}

// due says whether this copy means to hold a blob: a body always; a file, at an
// origin, of any record that has it, and at a mirror where it may have it and
// selects it.
func (l *Library) due(ctx context.Context, sha string) (bool, error) {
	ref, err := l.dueRef(ctx, sha)
	return ref.SHA256 != "", err
}

// dueRef is due with the length of the blob; the zero Ref where it is not.
func (l *Library) dueRef(ctx context.Context, sha string) (blob.Ref, error) {
	if b, err := l.Catalog.Body(ctx, sha); err == nil {
		return blob.Ref{SHA256: sha, Bytes: b.Bytes}, nil
	} else if !errs.Is(err, errs.NotFound) {
		return blob.Ref{}, err
	}
	state, isMirror, err := mirrorState(l.Config)
	if err != nil {
		return blob.Ref{}, err
	}
	choose, err := mirror.ParseSelection(state.Select)
	if err != nil {
		return blob.Ref{}, err
	}
	numbers, err := l.Catalog.ByBlob(ctx, sha)
	if err != nil {
		return blob.Ref{}, err
	}
	var due blob.Ref
	for _, n := range numbers {
		if isMirror {
			if state.NoFiles || state.Space > 0 { // with little space it holds what fits
				break
			}
			err = l.openFiles(ctx, n, choose.Match, func(f record.File) error {
				if f.SHA256 == sha {
					due = blob.Ref{SHA256: sha, Bytes: f.Bytes}
				}
				return nil
			})
			if err != nil {
				return blob.Ref{}, err
			}
			continue
		}
		st, err := l.Catalog.Record(ctx, n)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return blob.Ref{}, err
		}
		for _, f := range st.Files {
			if f.SHA256 == sha {
				due = blob.Ref{SHA256: sha, Bytes: f.Bytes}
			}
		}
	}
	return due, nil
}

// repairBlob fetches a blob that is due.
func (l *Library) repairBlob(ctx context.Context, f *fetcher, ref blob.Ref, missing bool, p Problem, say func(Problem)) {
	if err := f.fetch(ctx, ref, missing); err != nil {
		p.Mend = "no other copy has mended it: " + err.Error()
	} else {
		p.Mend, p.Mended = "it was fetched", true
	}
	say(p)
}

// repairDamaged fetches a damaged blob, or removes it where this copy need not hold
// it: its bytes are not those of its name.
func (l *Library) repairDamaged(ctx context.Context, f *fetcher, bad blob.Problem, say func(Problem)) error {
	ref, err := l.dueRef(ctx, bad.SHA256)
	if err != nil {
		return err
	}
	p := blobProblem(bad)
	if ref.SHA256 != "" {
		l.repairBlob(ctx, f, ref, false, p, say)
		return nil
	}
	l.purging.Lock()
	defer l.purging.Unlock()
	if ref, err := l.dueRef(ctx, bad.SHA256); err != nil || ref.SHA256 != "" {
		say(p) // it has just been named
		return err
	}
	if holds, err := l.whole(ctx, bad.SHA256); err != nil || holds {
		return err // another root has it whole
	}
	if err := l.Blobs.Delete(ctx, bad.SHA256); err != nil {
		return err
	}
	p.Mend, p.Mended = "it was removed: nothing needs it", true
	say(p)
	return nil
}

// whole says whether the blob that the store opens has the bytes of its name.
func (l *Library) whole(ctx context.Context, sha string) (bool, error) {
	b, err := l.Blobs.Open(ctx, sha)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer b.Close()
	h := sha256.New()
	if _, err := io.Copy(h, &whileAlive{ctx, b}); err != nil {
		return false, ctx.Err()
	}
	return hex.EncodeToString(h.Sum(nil)) == sha, nil
}
