package sqldb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Generations are the generations of a view in its folder. A generation is the
// file NUMBER.db with the side files of its engine (NUMBER.db-wal …) and those that
// the view keeps beside it (NUMBER.anything.run); the highest number serves. One that is being built is called NUMBER.new: the rename to its
// real name is the moment of the swap, so a crash leaves either the old or the new.
type Generations struct{ Dir string }

// Current is the path of the generation that serves; ok is false without one.
func (g Generations) Current() (path string, ok bool, err error) {
	n, err := g.highest()
	if err != nil || n == 0 {
		return "", false, err
	}
	return g.path(n), true, nil
}

// First is where the first generation goes when there is none.
func (g Generations) First() string { return g.path(1) }

// Next is the path at which to build the next generation.
func (g Generations) Next() (string, error) {
	n, err := g.highest()
	if err != nil {
		return "", err
	}
	path := filepath.Join(g.Dir, strconv.Itoa(n+1)+".new")
	return path, g.Remove(path)
}

// Publish puts a built generation, closed and whole, in place, and returns its
// new path. Older generations stay until [Generations.Clean].
func (g Generations) Publish(built string) (string, error) {
	path := strings.TrimSuffix(built, ".new") + ".db"
	runs, err := g.runs(built)
	if err != nil {
		return "", fmt.Errorf("publish %s: %w", filepath.Base(path), err)
	}
	for _, file := range append(runs, built) {
		if err := syncFile(file); err != nil {
			return "", fmt.Errorf("publish %s: %w", filepath.Base(path), err)
		}
	}
	if err := os.Rename(built, path); err != nil {
		return "", fmt.Errorf("publish %s: %w", filepath.Base(path), err)
	}
	return path, syncFile(g.Dir)
}

// Clean removes everything but the generation that serves.
func (g Generations) Clean() error {
	n, err := g.highest()
	if err != nil {
		return err
	}
	list, err := os.ReadDir(g.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keep := strconv.Itoa(n) + ".db"
	for _, e := range list {
		if name := e.Name(); e.Type().IsRegular() && name != keep && !strings.HasPrefix(name, keep+"-") && generationFile(name) &&
			!(strings.HasPrefix(name, strconv.Itoa(n)+".") && strings.HasSuffix(name, runEnd)) {
			err = errors.Join(err, os.Remove(filepath.Join(g.Dir, name)))
		}
	}
	return err
}

// Remove removes a generation and its side files.
func (g Generations) Remove(path string) error {
	var err error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if e := os.Remove(path + suffix); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	runs, e := g.runs(path)
	err = errors.Join(err, e)
	for _, file := range runs {
		if e := os.Remove(file); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// runEnd ends the names of the files that a view keeps beside its database.
const runEnd = ".run"

// RunPath is where a generation keeps a file beside its database, by the path of that;
// name is of letters and digits.
func RunPath(generation, name string) string {
	stem, _, _ := strings.Cut(filepath.Base(generation), ".")
	return filepath.Join(filepath.Dir(generation), stem+"."+name+runEnd)
}

// runs are the files that a generation has beside its database.
func (g Generations) runs(path string) ([]string, error) {
	stem, _, _ := strings.Cut(filepath.Base(path), ".")
	list, err := os.ReadDir(g.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range list {
		if strings.HasPrefix(e.Name(), stem+".") && strings.HasSuffix(e.Name(), runEnd) {
			out = append(out, filepath.Join(g.Dir, e.Name()))
		}
	}
	return out, err
}

func (g Generations) path(n int) string { return filepath.Join(g.Dir, strconv.Itoa(n)+".db") }

func (g Generations) highest() (int, error) {
	list, err := os.ReadDir(g.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("list generations: %w", err)
	}
	high := 0
	for _, e := range list {
		if stem, ok := strings.CutSuffix(e.Name(), ".db"); ok {
			if n, err := strconv.Atoi(stem); err == nil {
				high = max(high, n)
			}
		}
	}
	return high, nil
}

// generationFile says whether a name is one that we make, so that Clean leaves
// everything else alone.
func generationFile(name string) bool {
	stem, rest, ok := strings.Cut(name, ".")
	_, err := strconv.Atoi(stem)
	ends := []string{"db", "db-wal", "db-shm", "db-journal", "new", "new-wal", "new-shm", "new-journal"}
	return ok && err == nil && (slices.Contains(ends, rest) || strings.HasSuffix(rest, runEnd))
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) { // a file system whose folders cannot be synced
		err = nil
	}
	return errors.Join(err, f.Close())
}

// Live holds the generation that serves. A generation that was replaced is
// closed when its last reader is done.
type Live[T io.Closer] struct {
	mu  sync.Mutex
	cur *held[T]
}

type held[T io.Closer] struct {
	value  T
	users  int
	retire func(error)
}

// Acquire is the generation that serves, and the call that gives it back; ok is
// false when there is none.
func (l *Live[T]) Acquire() (value T, release func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.cur
	if h == nil {
		return value, func() {}, false
	}
	h.users++
	return h.value, sync.OnceFunc(func() { l.release(h) }), true
}

func (l *Live[T]) release(h *held[T]) {
	l.mu.Lock()
	h.users--
	last := h.users == 0 && h.retire != nil
	l.mu.Unlock()
	if last {
		h.retire(h.value.Close())
	}
}

// Swap puts next in place of the present generation. retired is called with the
// outcome of closing the old one, once its last reader is done; not at all when
// there was none.
func (l *Live[T]) Swap(next T, retired func(error)) {
	l.put(&held[T]{value: next}, retired)
}

// Clear takes the present generation away; later readers find none.
func (l *Live[T]) Clear(retired func(error)) { l.put(nil, retired) }

func (l *Live[T]) put(next *held[T], retired func(error)) {
	l.mu.Lock()
	old := l.cur
	l.cur = next
	idle := false
	if old != nil {
		old.retire = retired
		idle = old.users == 0
	}
	l.mu.Unlock()
	if idle {
		retired(old.value.Close())
	}
}
