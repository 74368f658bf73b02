package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
)

func sameManifest(a, b *manifest) bool {
	x, err1 := a.encode()
	y, err2 := b.encode()
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// Check reads everything that the store has on disk: the manifest, the deletion files,
// the tail, and every block of every segment, first as a plain file. errs.Corrupt names
// each file that is damaged. It may run at once with everything.
func (s *Store) Check(ctx context.Context) error {
	if err := s.Ready(); err != nil {
		return err
	}
	g, release, ok := s.live.Acquire()
	if !ok {
		return errs.New(errs.Unavailable, "the view %s is closed", s.cfg.Name)
	}
	defer release()
	return g.check(ctx)
}

func (g *generation) check(ctx context.Context) error {
	// What is on disk at one moment. The tail is opened in it, so that it cannot go.
	g.write.Lock()
	v := g.acquire()
	if v == nil {
		g.write.Unlock()
		return errs.New(errs.Unavailable, "the view %s is closed", g.cfg.Name)
	}
	defer g.release(v)
	var failed error
	man := g.man
	if m, err := g.readManifest(); err != nil {
		failed = damagedIf(err)
	} else if !g.cfg.ReadOnly && !sameManifest(m, man) && !g.mustFlush {
		failed = errs.New(errs.Corrupt, "the file %s is not what was written", g.label(manifestName))
	}
	failed = errors.Join(failed, g.cut)
	t := g.tail
	f, err := g.cfg.FS.OpenFile(g.path(t.name), os.O_RDONLY, 0)
	g.write.Unlock()
	switch {
	case absent(err) && t.size == 0:
	case err != nil && g.cfg.ReadOnly && absent(err): // the writer has flushed it
	case err != nil:
		failed = errors.Join(failed, damagedIf(fmt.Errorf("open %s: %w", g.label(t.name), err)))
	default:
		defer f.Close()
		end, _, _, err := scan(f, 0, t.size, man.Salt, func(p []byte) error {
			_, _, err := decodeBatch(p)
			return errors.Join(err, ctx.Err())
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
			failed = errors.Join(failed, fmt.Errorf("read %s: %w", g.label(t.name), err))
		case end != t.size:
			failed = errors.Join(failed, errs.New(errs.Corrupt, "the file %s is damaged at byte %d", g.label(t.name), end))
		}
	}
	for i := range v.disk {
		if err := g.checkSegment(ctx, &v.disk[i]); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// damagedIf gives a file that should be there and is not the kind of damage.
func damagedIf(err error) error {
	if absent(err) {
		return errs.New(errs.Corrupt, "%w", err)
	}
	return err
}

func (g *generation) checkSegment(ctx context.Context, m *member) error {
	var failed error
	if m.del != nil {
		file := m.file
		file.Deleted = m.del
		if _, err := g.readDeleted(file); err != nil && !(absent(err) && g.gone(m.del.Name)) {
			failed = damagedIf(err)
		}
	}
	name := g.label(m.file.Name)
	if err := g.readPlainly(ctx, m.file); err != nil {
		if absent(err) && g.gone(m.file.Name) {
			return failed
		}
		return errors.Join(failed, damagedIf(err))
	}
	r, err := segment.Open(m.data) // anew: the one that serves remembers what it has checked
	if err == nil && footerSum(m.data) != m.file.Footer {
		err = errors.New("its end is not what the manifest says")
	}
	if err == nil {
		err = r.Verify()
	}
	if err != nil {
		failed = errors.Join(failed, errs.New(errs.Corrupt, "the file %s is damaged: %w", name, err))
	}
	return failed
}

// gone says that a file may be absent, because the manifest does not name it any more.
func (g *generation) gone(name string) bool {
	m, err := g.readManifest()
	return absent(err) || err == nil && !m.names()[name]
}

// readPlainly reads a whole file, so that an error of the disk is an error.
func (g *generation) readPlainly(ctx context.Context, file segFile) error {
	name := g.label(file.Name)
	f, err := g.cfg.FS.OpenFile(g.path(file.Name), os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	var n int64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		k, err := f.Read(buf)
		n += int64(k)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	if n != file.Bytes {
		return errs.New(errs.Corrupt, "the file %s is damaged: it has %d bytes instead of %d", name, n, file.Bytes)
	}
	return nil
}
