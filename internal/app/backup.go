package app

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

// backup writes keys, configuration, register and what is known of other copies to
// one tar file, consistent with each other, while the library serves. Blobs are not
// in it: they are named by their hash, and any copy of them will do.
func (l *Library) backup(ctx context.Context, file string, emit func(Event)) error {
	if rel, err := filepath.Rel(l.Config.path("register"), file); err == nil && !strings.HasPrefix(rel, "..") {
		return errs.New(errs.Invalid, "a backup does not go into the register")
	}
	tmp := file + ".tmp"
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // it holds keys
	if err != nil {
		return errs.New(errs.Refused, "write the backup: %w", err)
	}
	defer os.Remove(tmp)
	defer out.Close()
	tw := tar.NewWriter(out)
	if err := l.backupTo(ctx, tw); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if err := tw.Close(); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, file); err != nil {
		return err
	}
	if err := durable.OS().SyncDir(filepath.Dir(file)); err != nil {
		return err
	}
	emit(Event{Done: &Done{What: "backed-up", Name: file}})
	return nil
}

// backupTo writes keys, configuration, register and, of the other copies, the list
// (an origin that is restored finds its witnesses there), what a mirror follows, and
// proofs. There is no private data yet; when there is, its database is copied by its
// own means, not as a file.
func (l *Library) backupTo(ctx context.Context, tw *tar.Writer) error {
	now := l.Config.now().UTC().Truncate(time.Second)
	put := func(name string, data []byte) error {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: now, Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := tw.Write(data)
		return err
	}
	names := []string{configFile, "mirror/state.json", "mirror/list.json"}
	for _, folder := range []string{"keys", "mirror/evidence"} {
		err := filepath.WalkDir(l.Config.path(folder), func(p string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			rel, err := filepath.Rel(l.Config.Data, p)
			names = append(names, filepath.ToSlash(rel))
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, name := range names {
		data, err := os.ReadFile(l.Config.path(filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := put(name, data); err != nil {
			return err
		}
	}
	return l.Register.Snapshot(ctx, func(name string, data []byte) error { return put("register/"+name, data) })
}
