package register

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// copyOf makes a copy of a folder.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// from gives the files of open registers, one after the other.
func from(list ...func(path string) ([]byte, error)) Try {
	return func(ctx context.Context, fn func(context.Context, Get) error) error {
		err := errs.New(errs.Unavailable, "there is no copy")
		for _, resource := range list {
			err = fn(ctx, func(_ context.Context, path string, limit int64) ([]byte, error) {
				data, err := resource(path)
				if err == nil && int64(len(data)) > limit {
					err = errs.New(errs.TooLarge, "%s is too large", path)
				}
				return data, err
			})
			if err == nil {
				return nil
			}
		}
		return err
	}
}

// lying flips a bit of everything that resource gives.
func lying(resource func(string) ([]byte, error)) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		data, err := resource(path)
		if len(data) > 0 {
			data = bytes.Clone(data)
			data[len(data)/2] ^= 1
		}
		return data, err
	}
}

// mend verifies, mends and verifies again.
func mend(t *testing.T, cfg Config, try Try, opts MendOptions) []Problem {
	t.Helper()
	report := func(p Problem) { opts.Wrong = append(opts.Wrong, p.Where) }
	if _, err := Verify(t.Context(), cfg, VerifyOptions{Repair: true}, report); err != nil && !errs.Is(err, errs.NotFound) {
		t.Fatal(err)
	}
	if err := Mend(t.Context(), cfg, try, opts); err != nil {
		t.Log(err)
	}
	_, after := verify(t, cfg, VerifyOptions{})
	return after
}

func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, p)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestMendEachFile damages every file of a register in several ways, one at a
// time; each is mended from another copy, behind one that lies.
func TestMendEachFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "register")
	r, cfg, _ := witnessed(t, dir, 1300)
	cfg.Signer = nil
	try := from(lying(r.Resource), r.Resource)
	for _, damage := range []struct {
		name string
		do   func(name string) error
	}{
		{"flip", func(name string) error {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			data[len(data)/3] ^= 4
			return os.WriteFile(name, data, 0o644)
		}},
		{"truncate", func(name string) error {
			info, err := os.Stat(name)
			if err != nil {
				return err
			}
			return os.Truncate(name, info.Size()/2)
		}},
		{"remove", os.Remove},
	} {
		for _, name := range files(t, dir) {
			bad := copyDir(t, dir)
			if err := damage.do(filepath.Join(bad, filepath.FromSlash(name))); err != nil {
				t.Fatal(err)
			}
			cfg := cfg
			cfg.Dir = bad
			// The library is known: from the views, or from the pin of a mirror.
			for _, p := range mend(t, cfg, try, MendOptions{Library: r.Library()}) {
				t.Errorf("%s %s: %+v", damage.name, name, p)
			}
			if _, err := Open(cfg); err != nil {
				t.Errorf("%s %s: %v", damage.name, name, err)
			}
			if err := os.RemoveAll(bad); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestMendAll loses all tiles and bundles, and then everything.
func TestMendAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "register")
	r, cfg, want := witnessed(t, dir, 70_000)
	cfg.Signer = nil
	for _, lost := range []string{"tile", "tile/0", "tile/1", "tile/entries", "charters", "checkpoint"} {
		bad := copyDir(t, dir)
		if err := os.RemoveAll(filepath.Join(bad, filepath.FromSlash(lost))); err != nil {
			t.Fatal(err)
		}
		cfg := cfg
		cfg.Dir = bad
		mended := 0
		for _, p := range mend(t, cfg, from(r.Resource), MendOptions{Library: r.Library(), Mended: func(string) { mended++ }}) {
			t.Errorf("%s: %+v", lost, p)
		}
		again, err := Open(cfg)
		if err != nil {
			t.Fatalf("%s: %v", lost, err)
		}
		check(t, again, cfg, want)
		if err := os.RemoveAll(bad); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMendNothingRight keeps a damaged register as it is where every other copy lies.
func TestMendNothingRight(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "register")
	r, cfg, _ := witnessed(t, dir, 600)
	cfg.Signer = nil
	cfg.Dir = copyDir(t, dir)
	name := filepath.Join(cfg.Dir, "tile", "entries", "000")
	if err := os.Truncate(name, 100); err != nil {
		t.Fatal(err)
	}
	other, _, _ := library(t, nil, filepath.Join(t.TempDir(), "other"), 600)
	after := mend(t, cfg, from(lying(r.Resource), other.Resource), MendOptions{})
	if len(after) == 0 || after[0].Where != "tile/entries/000" {
		t.Errorf("%+v", after)
	}
	if info, err := os.Stat(name); err != nil || info.Size() != 100 {
		t.Errorf("%v %v", info, err)
	}
	if err := Mend(t.Context(), cfg, nil, MendOptions{}); err != nil {
		t.Error(err)
	}
}

// TestMendKeepsErasures does not bring back what was erased here from a copy that
// has it still, and takes an emptied bundle of a copy.
func TestMendKeepsErasures(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "register")
	r, cfg, want := library(t, nil, dir, 700)
	ctx := t.Context()
	raw := encode(t, record.Entry{Type: record.TypeErasure, Entries: []int64{300, 20}, Ground: "a court"})
	if _, err := r.Append(ctx, [][]byte{raw}); err != nil {
		t.Fatal(err)
	}
	want = append(want, raw)
	before, err := Open(Config{Dir: copyDir(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Erase(ctx, []int64{20, 300}); err != nil {
		t.Fatal(err)
	}
	want[20], want[300] = nil, nil
	for _, source := range []*Register{before, r} {
		cfg := Config{Dir: copyDir(t, dir)}
		for _, name := range []string{"000", "001"} {
			if err := os.Truncate(filepath.Join(cfg.Dir, "tile", "entries", name), 7); err != nil {
				t.Fatal(err)
			}
		}
		if after := mend(t, cfg, from(source.Resource), MendOptions{}); len(after) > 0 {
			t.Errorf("%+v", after)
		}
		mended, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		check(t, mended, cfg, want)
	}
	// An entry that no erasure names is not taken as empty.
	lossy := func(path string) ([]byte, error) {
		data, err := before.Resource(path)
		if err == nil && path == "tile/entries/001" {
			entries, _ := parseBundle(data, width)
			entries[9] = nil
			data = bundleOf(nil, nil, entries)
		}
		return data, err
	}
	cfg.Signer, cfg.Dir = nil, copyDir(t, dir)
	if err := os.Truncate(filepath.Join(cfg.Dir, "tile", "entries", "001"), 7); err != nil {
		t.Fatal(err)
	}
	if after := mend(t, cfg, from(lossy), MendOptions{}); len(after) == 0 {
		t.Error("an emptied bundle was taken")
	}
	if after := mend(t, cfg, from(lossy, r.Resource), MendOptions{}); len(after) > 0 {
		t.Errorf("%+v", after)
	}
}

// TestMendOpen mends under an owner that goes on appending.
func TestMendOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "register")
	r, cfg, want := library(t, nil, dir, 1000)
	other, err := Open(Config{Dir: copyDir(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "tile")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "charters")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	if err := r.Mend(t.Context(), from(other.Resource), MendOptions{}); err != nil {
		t.Fatal(err)
	}
	check(t, r, cfg, want)
	if _, err := r.Append(t.Context(), batchOf(1000, 600)); err != nil {
		t.Fatal(err)
	}
	check(t, r, cfg, append(want, batchOf(1000, 600)...))
}

// TestMendOriginsCheckpoint does not let an origin go back behind what it has
// signed.
func TestMendOriginsCheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "register")
	r, _, _ := library(t, nil, dir, 500)
	older, err := Open(Config{Dir: copyDir(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Append(t.Context(), batchOf(500, 300)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: dir}
	err = Mend(t.Context(), cfg, from(older.Resource), MendOptions{})
	if !errs.Is(err, errs.Unavailable) || !strings.Contains(errs.HintOf(err), "wenlan recover") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a checkpoint was written")
	}
	// Nor where the tail is lost with it.
	tail := Config{Dir: copyDir(t, older.cfg.Dir)}
	for _, name := range []string{"checkpoint", "tile/0/001.p", "tile/1", "tile/entries/001.p"} {
		if err := os.RemoveAll(filepath.Join(tail.Dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := Mend(t.Context(), tail, from(older.Resource), MendOptions{}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("%v", err)
	}
	tail.Replica = true
	if err := Mend(t.Context(), tail, from(older.Resource), MendOptions{}); err != nil {
		t.Error(err)
	}
	verifyClean(t, tail)
	if err := Mend(t.Context(), cfg, from(older.Resource, r.Resource), MendOptions{}); err != nil {
		t.Error(err)
	}
	verifyClean(t, cfg)
}

// FuzzMend feeds what another copy says.
func FuzzMend(f *testing.F) {
	const dir = "register"
	r, _, _ := library(f, durable.NewSim(1), dir, 300)
	names := []string{"charters", "checkpoint", "tile/entries/000", "tile/entries/001.p/44", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"}
	for _, name := range names {
		data, err := r.Resource(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, data)
		f.Add(name, data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		disk := durable.NewSim(1)
		cfg := Config{Dir: dir, FS: disk}
		if err := durable.MkdirAll(disk, filepath.Join(dir, chartersName), 0o755); err != nil {
			t.Fatal(err)
		}
		for file, content := range map[string][]byte{checkpointName: r.Checkpoint(), charterPath(1): r.Charters()[0]} {
			if file == name || file == charterPath(1) && name == chartersName {
				cfg.Replica = true
				continue // it is lost
			}
			if err := durable.WriteFile(disk, filepath.Join(dir, file), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		try := from(func(path string) ([]byte, error) {
			if path == name {
				return data, nil
			}
			return r.Resource(path)
		}, r.Resource)
		if err := Mend(t.Context(), cfg, try, MendOptions{Library: r.Library()}); err != nil {
			t.Fatal(err)
		}
		verifyClean(t, cfg)
	})
}
