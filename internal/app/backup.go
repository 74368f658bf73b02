package app

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

// backup writes private data, keys, configuration and register to one tar file,
// consistent with each other, while the library serves. Blobs are not in it:
// they are named by their hash, and any copy of them will do.
//
// Full tiles never change, so only the checkpoint and the partial tiles are
// read while appends wait; the rest is copied while the library goes on.
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

func (l *Library) backupTo(ctx context.Context, tw *tar.Writer) error {
	type held struct {
		name string
		data []byte
	}
	var small []held
	var full []string
	take := func(name string) error {
		data, err := os.ReadFile(l.Config.path(filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		small = append(small, held{name, data})
		return err
	}
	collect := func() error {
		l.appendMu.Lock()
		defer l.appendMu.Unlock()
		if err := take("register/checkpoint"); err != nil {
			return err
		}
		return filepath.WalkDir(l.Config.path("register"), func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			rel, err := filepath.Rel(l.Config.Data, p)
			if err != nil {
				return err
			}
			name := filepath.ToSlash(rel)
			switch {
			case name == "register/checkpoint":
			case strings.HasPrefix(name, "register/tile/") && !strings.Contains(name, ".p/"):
				full = append(full, name)
			default:
				return take(name)
			}
			return nil
		})
	}
	if err := collect(); err != nil {
		return err
	}
	for _, dir := range []string{"keys", "private"} {
		err := filepath.WalkDir(l.Config.path(dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			rel, err := filepath.Rel(l.Config.Data, p)
			if err != nil {
				return err
			}
			return take(filepath.ToSlash(rel))
		})
		if err != nil {
			return err
		}
	}
	if err := take(configFile); err != nil {
		return err
	}
	now := l.Config.now().UTC().Truncate(time.Second)
	for _, h := range small {
		if err := tw.WriteHeader(&tar.Header{Name: h.name, Mode: 0o600, Size: int64(len(h.data)), ModTime: now, Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := tw.Write(h.data); err != nil {
			return err
		}
	}
	for _, name := range full {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyInto(tw, l.Config.path(filepath.FromSlash(name)), name, now); err != nil {
			return err
		}
	}
	return nil
}

func copyInto(tw *tar.Writer, path, name string, now time.Time) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: now, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}
