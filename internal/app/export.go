package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"wenlan/internal/blob"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/record"
	"wenlan/internal/register"

	"golang.org/x/mod/sumdb/tlog"
)

// An export is a folder of plain files that any static web server can serve and
// any mirror can copy from, under the addresses of the site:
//
//	wenlan-export.json         what this is; made first
//	register/tile/…            tiles and bundles of the register
//	register/charters          the charters, a JSON array
//	register/safe              the longest checkpoint that is known to be safe, where one is
//	blobs/sha256/HEX           files that everyone everywhere may have, and bodies
//	mirrors.json               the list of mirrors
//	index.html                 says what this is, for people
//	register/checkpoint        written last: what it covers is there
//
// It is written file by file, each whole and synced before it has its name; an
// export that was cut short is gone on with by the same command, and later ones
// add what is new and take away what was withdrawn or erased.

const (
	exportMarker = "wenlan-export.json"
	exportLock   = "wenlan-export.lock"
	exportFormat = 1
	exportAtOnce = 8       // files that are written at once
	exportSpare  = 1 << 20 // bytes that must stay free
)

// exportMark is the content of exportMarker.
type exportMark struct {
	Format  int    `json:"format"`
	Library string `json:"library"`
}

// ExportRequest says what to export, and where to.
type ExportRequest struct {
	Dir     string
	NoFiles bool   // the register and its bodies only
	Select  string // of which records the files are written, see mirror.ParseSelection; empty: all
}

// Exported counts what an export has done, as `export --json` prints it.
type Exported struct {
	Library   string `json:"library"`
	Dir       string `json:"dir"`
	Entries   int64  `json:"entries"`
	Files     int64  `json:"files"` // that may be exported and are held here
	Bytes     int64  `json:"bytes"` // of these
	Added     int64  `json:"added"` // files written now, of the register and of blobs
	AddedSize int64  `json:"added_bytes"`
	Removed   int64  `json:"removed"` // files that may be given out no more
	Damaged   int64  `json:"damaged"` // files that are damaged here, and were left out
}

// ExportProgress says how far an export is.
type ExportProgress struct {
	Files int64 // blobs looked at
	Total int64 // that are here
	Bytes int64 // written
}

// Export writes the library into a folder as plain files; see the top of this
// file. It only reads the library, which may be served meanwhile. When it
// returns everything that it wrote is durable. Files that are damaged here are
// left out, and the error is errs.Corrupt then, once all else is written.
func (l *Library) Export(ctx context.Context, req ExportRequest, progress func(ExportProgress)) (sum Exported, err error) {
	if err := l.followed(); err != nil {
		return sum, err
	}
	if l.Register.Size() == 0 {
		return sum, errs.New(errs.Unavailable, "this mirror has not copied the register yet: there is nothing to export")
	}
	selection, err := mirror.ParseSelection(req.Select)
	if err != nil {
		return sum, err
	}
	dir, err := filepath.Abs(req.Dir)
	if err != nil {
		return sum, errs.New(errs.Invalid, "the folder %s: %w", req.Dir, err)
	}
	x := &exporter{l: l, req: req, dir: dir, selection: selection, progress: progress, sum: Exported{Library: l.Register.Library(), Dir: dir}}
	if err := x.prepare(); err != nil {
		return sum, err
	}
	lock, err := durable.Lock(filepath.Join(dir, exportLock))
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := x.run(ctx); err != nil {
		return x.sum, fmt.Errorf("export to %s: %w", dir, err)
	}
	if x.sum.Damaged > 0 {
		return x.sum, errs.WithHint(errs.New(errs.Corrupt, "%d files are damaged and were not exported", x.sum.Damaged), "mend them with `wenlan verify --repair`, then export again")
	}
	return x.sum, nil
}

type exporter struct {
	l         *Library
	req       ExportRequest
	dir       string
	selection mirror.Selection
	progress  func(ExportProgress)
	done      ExportProgress

	mu  sync.Mutex
	sum Exported
}

func (x *exporter) path(name string) string { return filepath.Join(x.dir, filepath.FromSlash(name)) }

// prepare makes the folder, or sees that it holds an export of this library which
// is not newer.
func (x *exporter) prepare() error {
	data, err := filepath.Abs(x.l.Config.Data)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(data, x.dir); err == nil && !strings.HasPrefix(rel, "..") {
		return errs.New(errs.Invalid, "an export does not go into the data folder")
	}
	switch mark, err := readMark(x.dir); {
	case errs.Is(err, errs.NotFound):
	case err != nil:
		return err
	case mark.Library != x.sum.Library:
		return errs.New(errs.Refused, "%s holds an export of another library, %s", x.dir, mark.Library)
	default:
		return x.sameRegister()
	}
	list, err := os.ReadDir(x.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errs.New(errs.Refused, "the folder %s cannot be read: %w", x.dir, err)
	}
	for _, e := range list {
		switch e.Name() {
		case "lost+found", exportLock, exportMarker + durable.TempSuffix:
		default:
			return errs.WithHint(errs.New(errs.Refused, "%s is not empty and no export: it holds %s", x.dir, e.Name()), "name an empty folder, or one that is not there")
		}
	}
	disk := durable.OS()
	if err := durable.MkdirAll(disk, x.dir, 0o755); err != nil {
		return errs.New(errs.Refused, "make the folder: %w", err)
	}
	raw, err := json.Marshal(exportMark{exportFormat, x.sum.Library})
	if err != nil {
		return err
	}
	return durable.WriteFile(disk, x.path(exportMarker), append(raw, '\n'), 0o644)
}

// readMark reads the marker of an export; errs.NotFound where the folder is none.
func readMark(dir string) (exportMark, error) {
	var mark exportMark
	raw, err := durable.ReadFile(durable.OS(), filepath.Join(dir, exportMarker), 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return mark, errs.New(errs.NotFound, "%s is no export", dir)
	}
	if err == nil {
		err = json.Unmarshal(raw, &mark)
	}
	if err != nil || !record.IsSHA256(mark.Library) {
		return mark, errs.New(errs.Corrupt, "%s in %s is damaged", exportMarker, dir)
	}
	if mark.Format != exportFormat {
		return mark, errs.New(errs.Refused, "%s was written by another version of this program", dir)
	}
	return mark, nil
}

// IsExport says whether a folder holds an export rather than a library.
func IsExport(dir string) bool {
	_, err := readMark(dir)
	return err == nil
}

// sameRegister refuses an export that is newer than the library, or a branch. One
// whose checkpoint is damaged or missing is written anew.
func (x *exporter) sameRegister() error {
	signed, err := durable.ReadFile(durable.OS(), x.path("register/checkpoint"), maxExportedCheckpoint)
	if err != nil {
		return nil
	}
	cp, err := register.ParseCheckpoint(signed, x.l.Register.Origin(), originVerifier{x.l.Register})
	if err != nil {
		return nil // by an older key, perhaps
	}
	if cp.Size > x.l.Register.Size() {
		return errs.WithHint(errs.New(errs.Refused, "the export in %s is newer than this library: it has %d entries, and here are %d", x.dir, cp.Size, x.l.Register.Size()),
			"copy from it with `wenlan mirror`, or name another folder")
	}
	root, err := x.l.Register.RootHash(cp.Size)
	if err == nil && root != cp.Root {
		return errs.New(errs.Corrupt, "the export in %s is of another branch of this library", x.dir)
	}
	return err
}

const maxExportedCheckpoint = 1 << 18

func (x *exporter) run(ctx context.Context) error {
	for _, dir := range []string{"register/tile", "blobs/sha256"} {
		if err := durable.MkdirAll(durable.OS(), x.path(dir), 0o755); err != nil {
			return err
		}
	}
	// First what may not be there any more.
	if err := x.removeBlobs(ctx); err != nil {
		return err
	}
	if err := x.room(ctx); err != nil {
		return err
	}
	if err := x.addBlobs(ctx); err != nil {
		return err
	}
	if err := x.register(ctx); err != nil {
		return err
	}
	return x.sweep(ctx)
}

// mayCopy gives the length of a blob that everyone everywhere may have, and the
// record whose file it is: nil for a body, which is register data. Otherwise the
// error says why not.
func (l *Library) mayCopy(ctx context.Context, sha string) (blob.Ref, *record.State, error) {
	ref := blob.Ref{SHA256: sha}
	if body, err := l.Catalog.Body(ctx, sha); err == nil {
		ref.Bytes = body.Bytes
		return ref, nil, nil
	} else if !errs.Is(err, errs.NotFound) {
		return ref, nil, err
	}
	numbers, err := l.Catalog.ByBlob(ctx, sha)
	if err != nil {
		return ref, nil, err
	}
	withdrawals := func(sha string) ([]record.Withdrawal, error) { return l.Catalog.BlobWithdrawals(ctx, sha) }
	for _, n := range numbers {
		st, err := l.Catalog.Record(ctx, n)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return ref, nil, err
		}
		// Who copies takes it to any place.
		if r := st.Rights; r == nil || len(r.Territories) > 0 || r.Evidence != nil && len(r.Evidence.Territories) > 0 {
			continue
		}
		offered, err := mirror.Offered(st, withdrawals, record.Question{At: l.Config.now()})
		if err != nil {
			return ref, nil, err
		}
		for _, o := range offered {
			if o.SHA256 == sha {
				return o, st, nil
			}
		}
	}
	return ref, nil, errs.New(errs.Forbidden, "the file %s may not be given to everyone", sha)
}

// closed says whether an error of mayCopy means that the file may not be given out.
func closed(err error) bool {
	switch errs.KindOf(err) {
	case errs.Forbidden, errs.NotFound, errs.Gone, errs.Withdrawn:
		return true
	}
	return false
}

func blobName(sha string) string { return "blobs/sha256/" + sha }

// removeBlobs takes away what is withdrawn or erased, and what does not belong there.
func (x *exporter) removeBlobs(ctx context.Context) error {
	dir := x.path("blobs/sha256")
	return eachName(dir, func(name string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if blob.Valid(name) {
			if _, _, err := x.l.mayCopy(ctx, name); err == nil {
				return nil
			} else if !closed(err) {
				return err
			}
			x.sum.Removed++
		}
		return os.Remove(filepath.Join(dir, name))
	})
}

// eachName calls fn with the name of each file in a folder, which may have
// millions, and which fn may remove.
func eachName(dir string, fn func(name string) error) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(1024)
		for _, n := range names {
			if err := fn(n); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return durable.OS().SyncDir(dir)
		}
		if err != nil {
			return err
		}
	}
}

// wanted says whether a blob that is held here is to be exported, with its length.
func (x *exporter) wanted(ctx context.Context, sha string) (ref blob.Ref, ok bool, err error) {
	ref, st, err := x.l.mayCopy(ctx, sha)
	if err != nil {
		if closed(err) {
			err = nil
		}
		return ref, false, err
	}
	return ref, st == nil || !x.req.NoFiles && x.selection.Match(st), nil
}

// there says whether the export has the blob already, by its length.
func (x *exporter) there(name string, size int64) bool {
	info, err := os.Lstat(x.path(name))
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// room counts what will be written and sees that there is space for it.
func (x *exporter) room(ctx context.Context) error {
	var need int64
	err := x.l.Blobs.Walk(ctx, func(sha string, _ int64) error {
		x.done.Total++
		ref, ok, err := x.wanted(ctx, sha)
		if err != nil || !ok {
			return err
		}
		x.sum.Files++
		x.sum.Bytes += ref.Bytes
		if !x.there(blobName(sha), ref.Bytes) {
			need += ref.Bytes
		}
		return nil
	})
	if err != nil {
		return err
	}
	own := x.l.Config.path("register")
	err = filepath.WalkDir(own, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // swept meanwhile
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(own, p)
		if err == nil && !x.there("register/"+filepath.ToSlash(rel), info.Size()) {
			need += info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	free, err := durable.OS().Free(x.dir)
	if err != nil {
		return err
	}
	if need+exportSpare > free {
		return errs.WithHint(errs.New(errs.Refused, "%d bytes are to be written to %s, and %d are free", need+exportSpare, x.dir, free),
			"--no-files writes the register alone, --select a part of the files")
	}
	return nil
}

// addBlobs copies the blobs that the export has not got.
func (x *exporter) addBlobs(ctx context.Context) error {
	w := newWriters(ctx)
	err := x.l.Blobs.Walk(w.ctx, func(sha string, _ int64) error {
		x.done.Files++
		ref, ok, err := x.wanted(w.ctx, sha)
		if err == nil && ok && !x.there(blobName(sha), ref.Bytes) {
			err = w.run(func(ctx context.Context) error { return x.addBlob(ctx, ref) })
		}
		x.tell()
		return err
	})
	if err := w.wait(err); err != nil {
		return err
	}
	return durable.OS().SyncDir(x.path("blobs/sha256"))
}

func (x *exporter) tell() {
	if x.progress != nil {
		x.mu.Lock()
		x.done.Bytes = x.sum.AddedSize
		x.mu.Unlock()
		x.progress(x.done)
	}
}

// addBlob copies one blob, and checks it on the way.
func (x *exporter) addBlob(ctx context.Context, ref blob.Ref) error {
	b, err := x.l.Blobs.Open(ctx, ref.SHA256)
	if errs.Is(err, errs.NotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	defer b.Close()
	name := x.path(blobName(ref.SHA256))
	tmp := name + durable.TempSuffix
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	err = copyChecked(f, &whileAlive{ctx, b}, record.File{SHA256: ref.SHA256, Bytes: ref.Bytes})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		_ = os.Remove(tmp)
		if errs.Is(err, errs.Corrupt) {
			x.l.log.WarnContext(ctx, "a damaged file is not exported", "blob", ref.SHA256)
			x.mu.Lock()
			x.sum.Damaged++
			x.mu.Unlock()
			return nil
		}
		return err
	}
	x.added(ref.Bytes)
	return nil
}

// whileAlive ends the reading of a long file when the work is given up.
type whileAlive struct {
	ctx context.Context
	r   io.Reader
}

func (w *whileAlive) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

func (x *exporter) added(bytes int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sum.Added++
	x.sum.AddedSize += bytes
}

// writers writes several files at once and stops at the first error.
type writers struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	slots  chan struct{}
	wg     sync.WaitGroup
}

func newWriters(ctx context.Context) *writers {
	w := &writers{slots: make(chan struct{}, exportAtOnce)}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	return w
}

// run begins fn once there is room.
func (w *writers) run(fn func(ctx context.Context) error) error {
	select {
	case w.slots <- struct{}{}:
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	w.wg.Go(func() {
		defer func() { <-w.slots }()
		if err := fn(w.ctx); err != nil {
			w.cancel(err)
		}
	})
	return nil
}

// wait ends when all are done, with the first error: err is that of the caller.
func (w *writers) wait(err error) error {
	if err != nil {
		w.cancel(err)
	}
	w.wg.Wait()
	err = context.Cause(w.ctx)
	w.cancel(nil)
	return err
}

// register writes the register, the list of mirrors and the page for people; the
// checkpoint last.
func (x *exporter) register(ctx context.Context) error {
	disk := durable.OS()
	w := newWriters(ctx)
	var checkpoint, safe []byte
	err := x.l.Register.Snapshot(w.ctx, func(name string, data []byte) error {
		switch {
		case name == "checkpoint":
			checkpoint = bytes.Clone(data)
			return nil
		case name == "safe":
			safe = bytes.Clone(data)
			return nil
		case !strings.HasPrefix(name, "tile/"):
			return nil // charters are one file, as the site has them
		}
		// A tile never changes but by an erasure, which makes it shorter.
		if name = "register/" + name; x.there(name, int64(len(data))) {
			return nil
		}
		x.tell()
		return w.run(func(context.Context) error {
			file := x.path(name)
			if err := durable.MkdirAll(disk, filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := durable.WriteFile(disk, file, data, 0o644); err != nil {
				return err
			}
			x.added(int64(len(data)))
			return nil
		})
	})
	if err := w.wait(err); err != nil {
		return err
	}
	charters, err := x.l.Register.Resource("charters")
	if err != nil {
		return err
	}
	list, err := mirror.OpenList(mirror.ListConfig{Dir: x.l.Config.path("mirror"), FS: disk, Library: x.sum.Library})
	if err != nil {
		return err
	}
	x.sum.Entries = x.l.Register.Size()
	page, err := exportPage(x.l.Config.Name, x.sum)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"register/charters", append(charters, '\n')}, {"mirrors.json", list.JSON()}, {"index.html", page}, {"register/safe", safe}, {"register/checkpoint", checkpoint},
	} {
		if f.data == nil { // nothing is known to be safe, any more perhaps
			if err := os.Remove(x.path(f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if old, err := os.ReadFile(x.path(f.name)); err == nil && bytes.Equal(old, f.data) {
			continue
		}
		if err := durable.WriteFile(disk, x.path(f.name), f.data, 0o644); err != nil {
			return err
		}
		x.added(int64(len(f.data)))
	}
	return nil
}

// sweep removes tiles that the checkpoint has not: partial ones of the past.
func (x *exporter) sweep(ctx context.Context) error {
	root := x.path("register/tile")
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if !d.IsDir() || !strings.HasSuffix(d.Name(), ".p") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		list, err := os.ReadDir(p)
		if err != nil {
			return err
		}
		keep := 0
		for _, e := range list {
			if x.newest(filepath.ToSlash(rel) + "/" + e.Name()) {
				keep++
				continue
			}
			if err := os.Remove(filepath.Join(p, e.Name())); err != nil {
				return err
			}
		}
		if keep == 0 {
			if err := os.Remove(p); err != nil {
				return err
			}
			return filepath.SkipDir
		}
		return durable.OS().SyncDir(p)
	})
}

// newest says whether a partial tile is as wide as the register has it now.
func (x *exporter) newest(rel string) bool {
	rest := rel
	if n, ok := strings.CutPrefix(rel, "entries/"); ok {
		rest = "data/" + n
	}
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	if err != nil {
		return false
	}
	hashes := x.l.Register.Size() >> (8 * max(t.L, 0))
	return t.N == hashes/256 && int64(t.W) == hashes%256
}
