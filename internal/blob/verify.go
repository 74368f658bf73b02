package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

// Problem is one thing that Verify found wrong.
type Problem struct {
	SHA256 string // the blob; empty when it is about something else
	Path   string // the file or folder; empty when there is none
	What   string // one sentence
	Mend   string // one sentence
}

// VerifyOptions says how much [Local.Verify] does. The zero value reads all.
type VerifyOptions struct {
	// Budget is how long to read; 0 is to the end. A blob that is being read when
	// the time is up is read to its end.
	Budget time.Duration

	// StateFile remembers when each blob was last read, so that the next call
	// begins with what was read longest ago; empty: nothing is remembered. It has
	// always about 256 KiB. Losing it loses only that memory.
	StateFile string

	// Fresh is how recently a blob must have been read not to be read again; 0
	// reads all. After an interruption it lets Verify go on where it stopped.
	Fresh time.Duration

	// Expect, if not nil, calls fn for each blob that must be there, from a
	// position on, in an order of increasing positions that stays the same: Verify
	// names the missing. It takes at most a quarter of the Budget, and goes on
	// there the next time.
	Expect func(ctx context.Context, from int64, fn func(pos int64, ref Ref) error) error

	// Readers is how many blobs are read at once; 0: two for each root, at most as
	// many as processors.
	Readers int
}

// Summary is what Verify did.
type Summary struct {
	Blobs, Bytes int64     // read now
	Expected     int64     // looked up now
	Damaged      int64     // wrong bytes, or not readable
	Missing      int64     // expected and not there
	Foreign      int64     // files that do not belong in the store
	Complete     bool      // everything was read or fresh, and everything expected looked up
	Oldest       time.Time // every blob has been read since; zero when some never was
}

var errBudget = errors.New("the time is up")

// saveEvery is how often a long Verify writes down how far it is.
const saveEvery = 30 * time.Second

// Verify reads blobs and compares them with their names; it calls report for
// each problem, one at a time. It needs the memory of one folder's names, however
// large the store. It may run while the store is written and served. When ctx
// ends it fails, and has remembered what it read until then.
func (l *Local) Verify(ctx context.Context, opts VerifyOptions, report func(Problem)) (Summary, error) {
	v := &verifier{l: l, opts: opts, report: report, start: l.cfg.Now(), state: &verifyState{folder: -1}}
	if opts.Readers <= 0 {
		v.opts.Readers = min(2*len(l.roots), runtime.GOMAXPROCS(0))
	}
	if opts.StateFile != "" {
		state, err := loadState(l.fs, opts.StateFile)
		if errors.Is(err, errBadState) {
			l.cfg.Log.Warn("verification begins anew", "error", err)
		} else if err != nil {
			return Summary{}, fmt.Errorf("verify blobs: %w", err)
		}
		v.state = state
	}
	err := v.run(ctx)
	if e := v.save(); err == nil {
		err = e
	}
	if err != nil {
		return v.sum, fmt.Errorf("verify blobs: %w", err)
	}
	return v.sum, nil
}

type verifier struct {
	l      *Local
	opts   VerifyOptions
	report func(Problem)
	start  time.Time
	saved  time.Time
	state  *verifyState

	mu  sync.Mutex // of report and sum
	sum Summary
}

func (v *verifier) problem(count *int64, p Problem) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if count != nil {
		*count++
	}
	v.report(p)
}

// any says whether something has been read.
func (v *verifier) any() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sum.Blobs > 0
}

// over says whether the part of the budget has been used.
func (v *verifier) over(part time.Duration) bool {
	return v.opts.Budget > 0 && v.l.cfg.Now().Sub(v.start) >= v.opts.Budget/part
}

func (v *verifier) save() error {
	v.saved = v.l.cfg.Now()
	if v.opts.StateFile == "" {
		return nil
	}
	return durable.WriteFile(v.l.fs, v.opts.StateFile, v.state.encode(), 0o600)
}

func (v *verifier) run(ctx context.Context) error {
	v.saved = v.start
	complete := true
	if v.opts.Expect != nil {
		err := v.expected(ctx)
		if errors.Is(err, errBudget) {
			complete = false
		} else if err != nil {
			return err
		}
	}
	there, err := v.l.folders(v.unreadable)
	if err != nil {
		return err
	}
	v.roots()
	var order []int
	for n, is := range there {
		if is {
			order = append(order, n)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(v.state.read[a]) - int(v.state.read[b]) })
	if at := slices.Index(order, v.state.folder); at > 0 { // half read: first
		order = slices.Insert(slices.Delete(order, at, at+1), 0, v.state.folder)
	}
	for _, n := range order {
		if v.opts.Fresh > 0 && v.state.read[n] > 0 && n != v.state.folder &&
			!v.newer(n) && v.start.Sub(v.state.at(n)) < v.opts.Fresh {
			continue
		}
		err := v.folder(ctx, n)
		if errors.Is(err, errBudget) {
			complete = false
			break
		}
		if err != nil {
			return err
		}
		if v.l.cfg.Now().Sub(v.saved) > saveEvery {
			if err := v.save(); err != nil {
				return err
			}
		}
	}
	v.sum.Complete = complete
	for i, n := range order {
		switch at := v.state.at(n); {
		case at.IsZero() || v.newer(n):
			v.sum.Oldest = time.Time{}
			return nil
		case i == 0 || at.Before(v.sum.Oldest):
			v.sum.Oldest = at
		}
	}
	return nil
}

// newer says whether a folder has changed since it was read, so that a blob in
// it may never have been.
func (v *verifier) newer(n int) bool {
	for i := range v.l.roots {
		info, err := v.l.fs.Stat(v.l.path(folder{i, n}))
		if err == nil && !info.ModTime().Before(v.state.at(n)) {
			return true
		}
	}
	return false
}

// expected looks up what must be there.
func (v *verifier) expected(ctx context.Context) error {
	err := v.opts.Expect(ctx, v.state.expect, func(pos int64, ref Ref) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if v.over(4) {
			return errBudget
		}
		_, err := v.l.Stat(ctx, ref.SHA256) // a wrong length is found by reading
		switch {
		case errs.Is(err, errs.NotFound):
			v.problem(&v.sum.Missing, Problem{ref.SHA256, "", "the file is missing",
				"fetch it from a mirror with `wenlan verify --repair`, or add it again"})
		case err != nil:
			v.problem(&v.sum.Damaged, Problem{ref.SHA256, "", "the file cannot be looked up: " + err.Error(), "check the disk"})
		}
		v.sum.Expected++
		v.state.expect = pos + 1
		return nil
	})
	if err == nil {
		v.state.expect = 0 // the next call begins again
	}
	return err
}

func (v *verifier) unreadable(path string, err error) error {
	v.problem(&v.sum.Damaged, Problem{"", path, "the folder cannot be read: " + err.Error(), "check the disk"})
	return nil
}

// roots reports what does not belong beside the folders.
func (v *verifier) roots() {
	foreign := func(dir string, own func(fs.DirEntry) bool) {
		list, err := v.l.fs.ReadDir(dir)
		if err != nil {
			return // reported already
		}
		for _, e := range list {
			if !own(e) {
				v.foreign(filepath.Join(dir, e.Name()))
			}
		}
	}
	isFolder := func(e fs.DirEntry) bool {
		b, err := hex.DecodeString(e.Name())
		return err == nil && len(b) == 1 && hex.EncodeToString(b) == e.Name() && e.IsDir()
	}
	for i, r := range v.l.roots {
		foreign(r.dir, func(e fs.DirEntry) bool {
			return isFolder(e) || (e.Name() == tmpFolder || e.Name() == partialFolder) && e.IsDir() || e.Name() == "lost+found"
		})
		for ab := range 256 {
			foreign(v.l.pathAB(folder{i, ab << 8}), isFolder)
		}
	}
}

func (v *verifier) foreign(path string) {
	v.problem(&v.sum.Foreign, Problem{"", path, "the file does not belong in the store", "look at it, and move it away"})
}

// folder reads what the folder holds, in all roots, by several readers.
func (v *verifier) folder(ctx context.Context, n int) error {
	copies, err := v.l.list(n, v.unreadable)
	if err != nil {
		return err
	}
	began := v.l.cfg.Now()
	from := "" // read already, up to here
	if n == v.state.folder && (v.opts.Budget > 0 || v.start.Sub(v.state.began()) < v.opts.Fresh) {
		began, from = v.state.began(), v.state.last
	}
	var todo []copyOf
	for _, c := range copies {
		if c.sha == "" {
			if from == "" {
				v.foreign(c.path)
			}
		} else if c.sha > from {
			todo = append(todo, c)
		}
	}
	done, err := v.readAll(ctx, todo)
	if done == len(todo) && err == nil {
		v.state.finish(n, began)
		return nil
	}
	// The copies of one blob are read again together.
	for done > 0 && done < len(todo) && todo[done-1].sha == todo[done].sha {
		done--
	}
	if done > 0 {
		v.state.stop(n, began, todo[done-1].sha)
	}
	return err
}

// readAll checks the files; done says how many of the first were read before the
// time was up or ctx ended.
func (v *verifier) readAll(ctx context.Context, todo []copyOf) (done int, err error) {
	var (
		wg   sync.WaitGroup
		next int
		stop error
		mu   sync.Mutex
	)
	first := len(todo) // that was not read
	for range min(v.opts.Readers, len(todo)) {
		wg.Go(func() {
			buf := v.l.buffers.Get().(*[]byte)
			defer v.l.buffers.Put(buf)
			for {
				mu.Lock()
				if stop == nil && ctx.Err() != nil {
					stop = ctx.Err()
				}
				// At least one is read, so that every call gets on.
				if stop == nil && v.over(1) && (next > 0 || v.any()) {
					stop = errBudget
				}
				i := next
				if stop != nil || i == len(todo) {
					first = min(first, i)
					mu.Unlock()
					return
				}
				next++
				mu.Unlock()
				if err := v.check(ctx, todo[i], *buf); err != nil {
					mu.Lock()
					first, stop = min(first, i), err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first, stop
}

// check reads one file; it fails only when ctx ends.
func (v *verifier) check(ctx context.Context, c copyOf, buf []byte) error {
	f, err := v.l.fs.OpenFile(c.path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile
	}
	hash, size := sha256.New(), int64(0)
	if err == nil {
		defer f.Close()
		for err == nil && ctx.Err() == nil {
			var n int
			n, err = f.Read(buf)
			hash.Write(buf[:n])
			size += int64(n)
		}
		if err == nil {
			return ctx.Err()
		}
	}
	v.mu.Lock()
	v.sum.Blobs++
	v.sum.Bytes += size
	v.mu.Unlock()
	const mend = "fetch it from a mirror with `wenlan verify --repair`, or delete it and add it again"
	if !errors.Is(err, io.EOF) {
		v.problem(&v.sum.Damaged, Problem{c.sha, c.path, "the file cannot be read: " + err.Error(), "check the disk; " + mend})
	} else if got := hex.EncodeToString(hash.Sum(nil)); got != c.sha {
		v.problem(&v.sum.Damaged, Problem{c.sha, c.path,
			fmt.Sprintf("the file is damaged: its %d bytes have the hash %s", size, got), mend})
	}
	return nil
}

// LastRead says when Verify last read a blob, by its state file; the zero time if
// never.
func (l *Local) LastRead(ctx context.Context, stateFile, sha string) (time.Time, error) {
	if !Valid(sha) {
		return time.Time{}, notFound(sha)
	}
	state, err := loadState(l.fs, stateFile)
	if err != nil && !errors.Is(err, errBadState) {
		return time.Time{}, err
	}
	n := folderOf(sha)
	at := state.at(n)
	if n == state.folder && sha <= state.last {
		at = state.began()
	}
	err = l.find(sha, func(_ int, name string) error {
		info, err := l.fs.Stat(name)
		if err == nil && !info.ModTime().Before(at) {
			at = time.Time{} // it came later
		}
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	return at, ctx.Err()
}
