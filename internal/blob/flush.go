package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"wenlan/internal/errs"
)

// Flush implements [Store]. The order is: sync the waiting files, all at once;
// give them their names; sync the folders whose names changed or are not known
// to be durable, each once. It is not interrupted once it has begun.
func (l *Local) Flush(ctx context.Context) error {
	if err := l.writable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.flushing.Lock()
	defer l.flushing.Unlock()
	if err := l.writable(); err != nil { // another flush may just have failed
		return err
	}
	l.mu.Lock()
	batch := make([]*pendingFile, 0, len(l.pending))
	for _, p := range l.pending {
		batch = append(batch, p)
	}
	l.fresh, l.freshBytes = 0, 0
	todo := l.unsettled
	l.unsettled = map[folder]bool{}
	l.mu.Unlock()

	if err := l.flush(batch, todo); err != nil {
		err = errs.WithHint(fmt.Errorf("store files durably: %w", err),
			"no more files are stored until the program is started again; check the disk")
		l.mu.Lock()
		l.broken = err
		l.mu.Unlock()
		return err
	}
	return nil
}

func (l *Local) flush(batch []*pendingFile, todo map[folder]bool) error {
	err := parallel(batch, func(p *pendingFile) error { return errors.Join(p.f.Sync(), p.f.Close()) })
	if err != nil {
		return err
	}
	dirs := map[string]bool{}
	for f := range todo {
		l.unsettledDirs(f, dirs)
	}
	for _, p := range batch {
		f := folder{p.root, folderOf(p.sha)}
		todo[f] = true
		l.unsettledDirs(f, dirs)
		if r := l.roots[f.root]; !r.settled[f.n] { // else it is there
			if err := l.fs.MkdirAll(l.path(f), folderPerm); err != nil {
				return err
			}
		}
		dirs[l.path(f)] = true
		if err := l.fs.Rename(p.tmp, l.file(p.root, p.sha)); err != nil {
			return err
		}
	}
	list := make([]string, 0, len(dirs))
	for dir := range dirs {
		list = append(list, dir)
	}
	if err := parallel(list, l.fs.SyncDir); err != nil {
		return err
	}
	for _, p := range batch { // now that the good copy is durable
		if p.force {
			if err := l.removeCopies(p); err != nil {
				return err
			}
		}
	}
	l.mu.Lock()
	for f := range todo {
		r := l.roots[f.root]
		r.settled[f.n], r.settledAB[f.n>>8] = true, true
	}
	for _, p := range batch {
		delete(l.pending, p.sha)
	}
	l.mu.Unlock()
	return nil
}

// removeCopies removes the blob from all roots but that of p.
func (l *Local) removeCopies(p *pendingFile) error {
	for i := range l.roots {
		if i == p.root {
			continue
		}
		err := l.fs.Remove(l.file(i, p.sha))
		if err == nil {
			err = l.fs.SyncDir(l.path(folder{i, folderOf(p.sha)}))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// unsettledDirs adds the folders that must be synced for the names of ROOT, ab and cd to
// be durable, unless they are known to be.
func (l *Local) unsettledDirs(f folder, dirs map[string]bool) {
	r := l.roots[f.root]
	if r.settled[f.n] {
		return
	}
	dirs[l.path(f)] = true
	dirs[l.pathAB(f)] = true // holds the name cd
	if !r.settledAB[f.n>>8] {
		dirs[r.dir] = true // holds the name ab
	}
}

// parallel runs do for each, some at once, and joins the errors.
func parallel[T any](list []T, do func(T) error) error {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed error
		next   int
	)
	for range min(syncAtOnce, len(list)) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(list) {
					return
				}
				if err := do(list[i]); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failed
}
