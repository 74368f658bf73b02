package view

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"wenlan/internal/errs"
)

// Node is a view with the names of the views that it needs.
type Node struct {
	View  View
	After []string
}

// Config says what a follower drives.
type Config struct {
	Source       Source
	Body         Body
	Views        []Node // each after those that it needs
	BatchEntries int    // most entries in a batch; default 2048
	BatchBytes   int    // most bytes of entries in a batch, but at least one entry; default 4 MiB
	Log          *slog.Logger
	Progress     func(view string, done, of int64) // called after each batch of a rebuild; may be nil
}

// Follower drives views along the register. All methods may be used at once.
type Follower struct {
	cfg Config

	lead    sync.Mutex // held while batches go into the first view that serves
	apply   sync.Mutex // the same of the others; taken after lead
	behind  behind
	rebuild sync.Mutex // one rebuild at a time

	mu      sync.Mutex
	library string // SHA-256 of entry 0, once read
}

// New makes a follower. It refuses views that are not declared after those that
// they need, which also makes a circle impossible.
func New(cfg Config) (*Follower, error) {
	if cfg.BatchEntries <= 0 {
		cfg.BatchEntries = 2048
	}
	if cfg.BatchBytes <= 0 {
		cfg.BatchBytes = 4 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	var seen []string
	for _, n := range cfg.Views {
		for _, need := range n.After {
			if !slices.Contains(seen, need) {
				return nil, errs.New(errs.Invalid, "the view %s needs %s, which must be declared before it", n.View.Name(), need)
			}
		}
		if slices.Contains(seen, n.View.Name()) {
			return nil, errs.New(errs.Invalid, "the view %s is declared twice", n.View.Name())
		}
		seen = append(seen, n.View.Name())
	}
	f := &Follower{cfg: cfg}
	f.behind.changed.L = &f.behind.mu
	return f, nil
}

// Catch brings every view to the size that the register has when it is called,
// and returns then. It is called at start-up and after each append. A view that
// cannot serve is left out, with those that need it, and named in the error; the
// others follow all the same.
func (f *Follower) Catch(ctx context.Context) error {
	f.lead.Lock()
	defer f.lead.Unlock()
	f.settle()
	f.apply.Lock()
	defer f.apply.Unlock()
	size := f.cfg.Source.Size()
	out := map[string]int64{} // left out, from this entry on
	var failed error
	fail := func(name string, from int64, err error) {
		out[name] = from
		failed = errors.Join(failed, fmt.Errorf("view %s: %w", name, err))
	}
	left := func(n Node, at int64) bool { // itself, or one that it needs
		for _, name := range slices.Concat(n.After, []string{n.View.Name()}) {
			if from, ok := out[name]; ok && at >= from {
				out[n.View.Name()] = from
				return true
			}
		}
		return false
	}
	low := size
	for _, n := range f.cfg.Views {
		if err := f.usable(ctx, n.View, size); err != nil {
			fail(n.View.Name(), 0, err)
		}
		if !left(n, 0) {
			low = min(low, n.View.Cursor())
		}
	}
	if low >= size {
		return failed
	}
	var mu sync.Mutex // guards out and failed from here on
	apply := func(ctx context.Context, n Node, batch []Entry) error {
		at := batch[0].Index
		mu.Lock()
		skip := left(n, at)
		mu.Unlock()
		part := batch[min(int64(len(batch)), max(0, n.View.Cursor()-at)):]
		if skip || len(part) == 0 {
			return nil
		}
		err := n.View.Apply(ctx, part)
		if err != nil && ctx.Err() == nil {
			mu.Lock()
			fail(n.View.Name(), at, err)
			mu.Unlock()
			return nil
		}
		return err
	}
	err := f.relay(ctx, low, size, apply)
	return errors.Join(failed, err)
}

// relay reads [from, to) in batches and calls apply with each for every view. A
// view gets a batch when those declared before it have had it, so it may be behind
// them, by a batch for each, and is never ahead; meanwhile they go on.
func (f *Follower) relay(ctx context.Context, from, to int64, apply func(context.Context, Node, []Entry) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	first := make(chan []Entry)
	in := first
	for _, n := range f.cfg.Views {
		from, next := in, make(chan []Entry)
		wg.Go(func() {
			defer close(next)
			for batch := range from {
				if ctx.Err() != nil {
					continue // what comes is dropped, until there is no more
				}
				if err := apply(ctx, n, batch); err != nil {
					cancel(err)
					continue
				}
				next <- batch
			}
		})
		in = next
	}
	wg.Go(func() {
		for range in {
		}
	})
	err := f.batches(ctx, from, to, func(batch []Entry) error {
		first <- batch
		return ctx.Err()
	})
	close(first)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// usable says whether a view can be applied to, and is of this register.
func (f *Follower) usable(ctx context.Context, v View, size int64) error {
	if err := v.Ready(); err != nil {
		return err
	}
	if v.Cursor() > size {
		return NeedsRebuild(errs.Corrupt, "the view %s has read %d entries of a register that has %d", v.Name(), v.Cursor(), size)
	}
	if v.Cursor() == 0 {
		return nil
	}
	library, err := f.libraryID(ctx)
	if err != nil {
		return err
	}
	if v.Library() != library {
		return NeedsRebuild(errs.Corrupt, "the view %s is of another library", v.Name())
	}
	return nil
}

func (f *Follower) libraryID(ctx context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.library == "" {
		raw, err := f.cfg.Source.Entry(ctx, 0)
		if err != nil {
			return "", fmt.Errorf("read entry 0: %w", err)
		}
		f.library = Library(raw)
	}
	return f.library, nil
}

// Library is the library's id as its entry 0 gives it.
func Library(entry0 []byte) string {
	sum := sha256.Sum256(entry0)
	return hex.EncodeToString(sum[:])
}

// batches reads and decodes [from, to) in batches and calls fn with each; the
// next batch is read while fn works, so it has at most three in memory.
func (f *Follower) batches(ctx context.Context, from, to int64, fn func([]Entry) error) error {
	return f.batchesOf(ctx, from, to, nil, fn)
}

// batchesOf is batches; entries that are known are not decoded.
func (f *Follower) batchesOf(ctx context.Context, from, to int64, known []Entry, fn func([]Entry) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := make(chan []Entry, 1)
	done := make(chan error, 1)
	go func() {
		defer close(ready)
		var batch []Entry
		size := 0
		send := func() error {
			select {
			case ready <- batch:
				batch, size = nil, 0
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := f.cfg.Source.Read(ctx, from, to, func(i int64, raw []byte) error {
			for len(known) > 0 && known[0].Index < i {
				known = known[1:]
			}
			var e Entry
			if len(known) > 0 && known[0].Index == i && bytes.Equal(known[0].Raw, raw) {
				e = known[0]
			} else {
				if raw != nil {
					raw = append(make([]byte, 0, len(raw)), raw...)
				}
				var err error
				if e, err = Decode(ctx, i, raw, f.cfg.Body); err != nil {
					return fmt.Errorf("entry %d: %w", i, err)
				}
			}
			if raw != nil && e.Entry.Type == "" {
				f.cfg.Log.WarnContext(ctx, "the register holds what is no entry", "index", i)
			}
			if batch == nil {
				batch = make([]Entry, 0, min(int64(f.cfg.BatchEntries), max(1, to-i)))
			}
			batch = append(batch, e)
			size += len(raw)
			if len(batch) >= f.cfg.BatchEntries || size >= f.cfg.BatchBytes {
				return send()
			}
			return nil
		})
		if err == nil && len(batch) > 0 {
			err = send()
		}
		done <- err
	}()
	var failed error
	for batch := range ready {
		if failed = fn(batch); failed != nil {
			cancel()
			break
		}
	}
	for range ready { // the reader is stopping; let it
	}
	if err := <-done; failed == nil {
		failed = err
	}
	return failed
}

// Rebuild makes a view anew out of the register, or all of them in order when
// name is empty. The old one serves and is kept up until the new one, at the same
// cursor, takes its place. A rebuild that fails or is stopped changes nothing.
func (f *Follower) Rebuild(ctx context.Context, name string) error {
	f.rebuild.Lock()
	defer f.rebuild.Unlock()
	found := false
	for _, n := range f.cfg.Views {
		if name == "" || n.View.Name() == name {
			found = true
			if err := f.rebuildOne(ctx, n.View); err != nil {
				return fmt.Errorf("rebuild %s: %w", n.View.Name(), err)
			}
		}
	}
	if !found {
		return errs.New(errs.Invalid, "there is no view %q", name)
	}
	return nil
}

func (f *Follower) rebuildOne(ctx context.Context, v View) error {
	next, err := v.Rebuild(ctx)
	if err != nil {
		return err
	}
	defer next.Discard()
	follow := func() error {
		size := f.cfg.Source.Size()
		if next.Cursor() >= size {
			return nil
		}
		return f.batches(ctx, next.Cursor(), size, func(batch []Entry) error {
			if err := next.Apply(ctx, batch); err != nil {
				return err
			}
			if f.cfg.Progress != nil {
				f.cfg.Progress(v.Name(), next.Cursor(), size)
			}
			return nil
		})
	}
	if err := follow(); err != nil { // nearly all of it, while appends go on
		return err
	}
	f.lead.Lock()
	defer f.lead.Unlock()
	f.settle()
	f.apply.Lock()
	defer f.apply.Unlock()
	if err := follow(); err != nil { // what came meanwhile
		return err
	}
	return next.Commit(ctx)
}

// Ready says whether every view serves and has followed the register to its end, or
// is being brought there, see [Follower.Lead].
func (f *Follower) Ready() bool { return f.Check() == nil }

// Check is nil when Ready, and otherwise says what is missing.
func (f *Follower) Check() error {
	size := f.cfg.Source.Size()
	for _, n := range f.cfg.Views {
		if err := n.View.Ready(); err != nil {
			return err
		}
		if c := n.View.Cursor(); c < size && !f.following() {
			return errs.New(errs.Unavailable, "the view %s has read %d of %d entries", n.View.Name(), c, size)
		}
	}
	return nil
}
