package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"wenlan/internal/blob"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

// A branch is what an origin has signed after the base of the charter that took its
// office away: acknowledged, never safe, and not in the library. It is kept where it
// was, never served, and offered: a librarian of the new origin may take its entries
// in again, as new entries with new numbers.

// Branch is what is left of an origin that was succeeded.
type Branch struct {
	ID      string `json:"branch"`
	From    int64  `json:"from"` // the first entry that the library does not have under this number
	Entries int64  `json:"entries"`
	Signed  bool   `json:"signed"` // its checkpoint is here, as evidence
}

// BranchEntry is an entry of a branch, and what became of it when it was offered.
type BranchEntry struct {
	Index  int64       `json:"index"` // in the branch
	Type   record.Type `json:"type,omitempty"`
	Title  string      `json:"title,omitempty"` // of an accession
	Of     *int64      `json:"of,omitempty"`    // the record that it is about; in a branch, by its number there
	Status string      `json:"status,omitempty"`
	Entry  *int64      `json:"entry,omitempty"`  // what it became
	Reason string      `json:"reason,omitempty"` // why it was passed over, or not taken in whole
}

// AccedeRequest takes the entries of a branch in again. Branch is the id of one that
// is here, or the absolute path of a folder that SaveBranch wrote.
type AccedeRequest struct {
	Branch string `json:"branch"`
}

// Branches lists the branches of a data folder.
func Branches(cfg Config) ([]Branch, error) {
	reg, err := openRegister(cfg)
	if err != nil {
		return nil, err
	}
	list, err := reg.Branches()
	if err != nil {
		return nil, err
	}
	var out []Branch
	for _, b := range list {
		out = append(out, Branch{ID: b.ID, From: b.From, Entries: b.Size - b.From, Signed: len(b.Note) > 0})
	}
	return out, nil
}

// findBranch finds a branch by its id, or by its place in the list, from 1.
func findBranch(reg *register.Register, name string) (register.Branch, error) {
	list, err := reg.Branches()
	if err != nil {
		return register.Branch{}, err
	}
	n, err := strconv.Atoi(name)
	for i, b := range list {
		if b.ID == name || err == nil && n == i+1 {
			return b, nil
		}
	}
	return register.Branch{}, errs.WithHint(errs.New(errs.NotFound, "there is no branch %.80q here", name), "`wenlan branches` lists those that there are")
}

// openBranch opens what a branch is read from: the register that keeps it, and the
// blobs, which the caller closes.
func openBranch(cfg Config, name string) (*register.Register, register.Branch, *blob.Local, error) {
	reg, err := openRegister(cfg)
	if err != nil {
		return nil, register.Branch{}, nil, err
	}
	b, err := findBranch(reg, name)
	if err != nil {
		return nil, b, nil, err
	}
	blobs, err := blob.OpenLocal(blob.LocalConfig{Roots: append([]string{cfg.path("blobs")}, cfg.Stores...), ReadOnly: true})
	return reg, b, blobs, err
}

// ReadBranch calls fn with what the entries of a branch say.
func ReadBranch(ctx context.Context, cfg Config, name string, fn func(BranchEntry) error) error {
	reg, b, blobs, err := openBranch(cfg, name)
	if err != nil {
		return err
	}
	defer blobs.Close()
	return reg.ReadBranch(ctx, b.ID, func(i int64, raw []byte) error {
		said, _, _ := describe(ctx, blobs, i, raw)
		return fn(said)
	})
}

// describe reads an entry of a branch. ok says that it can be understood.
func describe(ctx context.Context, blobs *blob.Local, i int64, raw []byte) (said BranchEntry, e record.Entry, ok bool) {
	said = BranchEntry{Index: i}
	if raw == nil {
		said.Reason = "it was erased"
		return said, e, false
	}
	e, known, err := record.Decode(raw)
	if err == nil && e.Body != nil {
		var body []byte
		if body, err = readBody(ctx, blobs, *e.Body); err == nil {
			e, err = e.WithBody(body)
		}
	}
	said.Type, said.Of = e.Type, e.Of
	switch {
	case err != nil:
		said.Reason = fmt.Sprintf("it cannot be read: %v", err)
		return said, e, false
	case !known:
		said.Reason = "its type is not known here"
		return said, e, false
	}
	if e.Record != nil {
		said.Title = e.Record.Title
	}
	return said, e, true
}

// Of a branch that is written to a folder:
const (
	branchFolder = "branch.json" // a branchHead
	branchLines  = "entries"     // the entries in base64, one a line; an empty line is one that was erased
	branchBlobs  = "blobs"       // the files that they name, as far as they are here, each by its SHA-256
)

type branchHead struct {
	Library string `json:"library"`
	Branch
	Checkpoint string `json:"checkpoint,omitempty"`
}

// SaveBranch writes a branch, with its files, to a folder that must be empty or
// absent, to be carried to the new origin. The file branch.json comes last.
func SaveBranch(ctx context.Context, cfg Config, name, dir string) error {
	reg, b, blobs, err := openBranch(cfg, name)
	if err != nil {
		return err
	}
	defer blobs.Close()
	if err := os.MkdirAll(filepath.Join(dir, branchBlobs), 0o755); err != nil {
		return errs.New(errs.Refused, "make the folder: %w", err)
	}
	if list, err := os.ReadDir(dir); err != nil {
		return err
	} else if len(list) != 1 {
		return errs.WithHint(errs.New(errs.Refused, "%s is not empty", dir), "name another folder")
	}
	disk := durable.OS()
	var lines bytes.Buffer
	err = reg.ReadBranch(ctx, b.ID, func(i int64, raw []byte) error {
		lines.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
		_, e, ok := describe(ctx, blobs, i, raw)
		if !ok {
			return nil
		}
		names := []string{}
		for _, f := range slices.Concat(e.Files, e.Add) {
			names = append(names, f.SHA256)
		}
		if head, _, err := record.Decode(raw); err == nil && head.Body != nil {
			names = append(names, head.Body.SHA256)
		}
		for _, sha := range names {
			if err := copyOut(ctx, blobs, sha, filepath.Join(dir, branchBlobs, sha)); err != nil && !errs.Is(err, errs.NotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := disk.SyncDir(filepath.Join(dir, branchBlobs)); err != nil {
		return err
	}
	if err := durable.WriteFile(disk, filepath.Join(dir, branchLines), lines.Bytes(), 0o644); err != nil {
		return err
	}
	head, err := json.Marshal(branchHead{Library: reg.Library(), Branch: Branch{ID: b.ID, From: b.From, Entries: b.Size - b.From, Signed: len(b.Note) > 0}, Checkpoint: string(b.Note)})
	if err != nil {
		return err
	}
	return durable.WriteFile(disk, filepath.Join(dir, branchFolder), append(head, '\n'), 0o644)
}

func copyOut(ctx context.Context, blobs *blob.Local, sha, name string) error {
	from, err := blobs.Open(ctx, sha)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}

func parseBranch(raw []byte) (head branchHead, err error) {
	if err := json.Unmarshal(raw, &head); err != nil || head.From < 0 || head.From > 1<<53 || !isBranchID(head.ID) {
		return head, errs.New(errs.Refused, "%s does not say of which branch it is", branchFolder)
	}
	return head, nil
}

// offered is a branch that is offered for accession.
type offered struct {
	id    string
	from  int64
	blobs string // a folder of files; empty: those of the library
	each  func(fn func(i int64, raw []byte) error) error
}

// openOffer opens a branch that is here, or one that was written to a folder.
func (l *Library) openOffer(ctx context.Context, name string) (offered, error) {
	if !filepath.IsAbs(name) {
		b, err := findBranch(l.Register, name)
		return offered{id: b.ID, from: b.From, each: func(fn func(int64, []byte) error) error { return l.Register.ReadBranch(ctx, b.ID, fn) }}, err
	}
	raw, err := durable.ReadFile(durable.OS(), filepath.Join(name, branchFolder), 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return offered{}, errs.New(errs.NotFound, "%s holds no branch that was saved", name)
	} else if err != nil {
		return offered{}, err
	}
	head, err := parseBranch(raw)
	if err != nil {
		return offered{}, err
	}
	if head.Library != l.Register.Library() {
		return offered{}, errs.New(errs.Refused, "the branch in %s is of another library", name)
	}
	return offered{id: head.ID, from: head.From, blobs: filepath.Join(name, branchBlobs), each: func(fn func(int64, []byte) error) error {
		f, err := os.Open(filepath.Join(name, branchLines))
		if err != nil {
			return errs.New(errs.NotFound, "read the branch: %w", err)
		}
		defer f.Close()
		return eachEntry(f, func(n int64, entry []byte) error { return fn(head.From+n, entry) })
	}}, nil
}

// acceded is how far a branch has been taken in, kept as DATA/mirror/acceded-ID.json.
type acceded struct {
	Done    int64           `json:"done"`    // the entries before it have been settled
	Records map[int64]int64 `json:"records"` // numbers in the branch, and here
	Entries map[int64]int64 `json:"entries"` // the same of merges, which unmerge names
}

// accede takes the entries of a branch in again, each as a new entry that is durable
// before the next one. It may be interrupted and repeated: what was taken in is not
// taken in twice, and what the library has got otherwise is known.
func (l *Library) accede(ctx context.Context, req AccedeRequest, emit func(Event)) error {
	if !l.isOrigin() {
		return errs.WithHint(errs.New(errs.Refused, "only the origin takes entries in"), "`wenlan branches save` writes the branch to a folder that can be carried there")
	}
	offer, err := l.openOffer(ctx, req.Branch)
	if err != nil {
		return err
	}
	file := l.Config.path(mirrorDir, "acceded-"+offer.id+".json")
	state := acceded{Records: map[int64]int64{}, Entries: map[int64]int64{}}
	raw, err := durable.ReadFile(durable.OS(), file, 64<<20)
	switch {
	case err == nil:
		if err := json.Unmarshal(raw, &state); err != nil {
			return errs.New(errs.Corrupt, "%s cannot be read: %w", file, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := durable.MkdirAll(durable.OS(), l.Config.path(mirrorDir), 0o755); err != nil {
		return err
	}
	a := &acceding{l: l, offer: offer, state: &state}
	return offer.each(func(i int64, raw []byte) error {
		if i < state.Done {
			return nil
		}
		if err := a.bringBody(ctx, raw); err != nil {
			return err
		}
		said, e, ok := describe(ctx, l.Blobs, i, raw)
		said.Status = "passed-over"
		if ok {
			if err := a.take(ctx, e, &said); err != nil {
				return err
			}
		}
		state.Done = i + 1
		kept, err := json.Marshal(state)
		if err != nil {
			return err
		}
		if err := durable.WriteFile(durable.OS(), file, kept, 0o644); err != nil {
			return err
		}
		emit(Event{Branch: &said})
		return nil
	})
}

func isBranchID(id string) bool {
	return id != "" && len(id) <= 64 && filepath.Base(id) == id && id[0] != '.'
}

// acceding is one run of accede.
type acceding struct {
	l     *Library
	offer offered
	state *acceded
}

// take takes an entry in, or says why not.
func (a *acceding) take(ctx context.Context, e record.Entry, said *BranchEntry) error {
	e.Body, e.Salt = nil, ""
	switch e.Type {
	case record.TypeAccession:
		return a.accession(ctx, e, said)
	case record.TypeRevision, record.TypeRights, record.TypeFiles, record.TypeWithdrawal, record.TypeRestoration, record.TypeMerge, record.TypeUnmerge:
	case record.TypeErasure:
		said.Reason = "an erasure is decided anew: wenlan erase"
		return nil
	default:
		said.Reason = "it is not about a record"
		return nil
	}
	for _, n := range []**int64{&e.Of, &e.From, &e.Into} {
		if *n == nil {
			continue
		}
		to, ok := a.number(**n)
		if e.Type == record.TypeUnmerge {
			if to, ok = a.state.Entries[**n]; **n < a.offer.from {
				to, ok = **n, true
			}
		}
		if !ok {
			said.Reason = fmt.Sprintf("entry %d, which it is about, was not taken in", **n)
			return nil
		}
		*n = &to
	}
	if e.Of != nil && e.Type != record.TypeUnmerge {
		if _, err := a.l.live(ctx, *e.Of); err != nil {
			said.Reason = err.Error()
			return nil
		}
	}
	var err error
	if e.Add, err = a.bring(ctx, e.Add, said); err != nil {
		return err
	}
	if e.Type == record.TypeFiles && len(e.Add) == 0 && len(e.Remove) == 0 {
		return nil
	}
	i, err := a.l.decide(ctx, e, func(Event) {})
	if err != nil {
		return err
	}
	if e.Type == record.TypeMerge {
		a.state.Entries[said.Index] = i
	}
	said.Status, said.Entry = "acceded", &i
	return nil
}

// number is the number here of a record of the branch.
func (a *acceding) number(n int64) (int64, bool) {
	if n < a.offer.from {
		return n, true
	}
	to, ok := a.state.Records[n]
	return to, ok
}

// accession takes a record in, unless the library has it: by its source, or by a
// file of its text.
func (a *acceding) accession(ctx context.Context, e record.Entry, said *BranchEntry) error {
	known := func(n int64) error {
		a.state.Records[said.Index] = n
		said.Status, said.Entry = "known", &n
		return nil
	}
	if e.Source != nil {
		n, _, ok, err := a.l.Catalog.BySource(ctx, e.Source.Name, e.Source.ID)
		if err != nil {
			return err
		}
		if ok {
			return known(n)
		}
	}
	for _, f := range e.Files {
		if f.Role != record.RoleText {
			continue
		}
		list, err := a.l.Catalog.ByBlob(ctx, f.SHA256)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		if len(list) > 0 {
			return known(list[0])
		}
	}
	var err error
	if e.Files, err = a.bring(ctx, e.Files, said); err != nil {
		return err
	}
	if e.Record != nil {
		r := *e.Record
		r.Relations = nil
		for _, rel := range e.Record.Relations {
			if rel.Record != nil {
				n, ok := a.number(*rel.Record)
				if !ok {
					said.Reason = "a relation to a record that was not taken in is left out"
					continue
				}
				rel.Record = &n
			}
			r.Relations = append(r.Relations, rel)
		}
		e.Record = &r
	}
	i, err := a.l.decide(ctx, e, func(Event) {})
	if err != nil {
		return err
	}
	a.state.Records[said.Index] = i
	said.Status, said.Entry = "acceded", &i
	return nil
}

// bring makes sure of the files, from the branch's folder where they are not here,
// and leaves out those that nobody has.
func (a *acceding) bring(ctx context.Context, files []record.File, said *BranchEntry) ([]record.File, error) {
	var list []record.File
	for _, f := range files {
		ok, err := a.have(ctx, blob.Ref{SHA256: f.SHA256, Bytes: f.Bytes})
		if err != nil {
			return nil, err
		}
		if !ok {
			said.Reason = fmt.Sprintf("the file %s is not here: it is left out", f.Name)
			continue
		}
		list = append(list, f)
	}
	return list, a.l.Blobs.Flush(ctx)
}

// bringBody brings the body of an entry that has one.
func (a *acceding) bringBody(ctx context.Context, raw []byte) error {
	if raw == nil {
		return nil
	}
	e, _, err := record.Decode(raw)
	if err != nil || e.Body == nil || e.Body.Bytes > record.MaxBody {
		return nil // said later
	}
	if _, err = a.have(ctx, blob.Ref{SHA256: e.Body.SHA256, Bytes: e.Body.Bytes}); err != nil {
		return err
	}
	return a.l.Blobs.Flush(ctx)
}

// have says whether a file is here, after it was looked for in the branch's folder.
func (a *acceding) have(ctx context.Context, ref blob.Ref) (bool, error) {
	if n, err := a.l.Blobs.Stat(ctx, ref.SHA256); err == nil {
		return n == ref.Bytes, nil
	} else if !errs.Is(err, errs.NotFound) || a.offer.blobs == "" || !record.IsSHA256(ref.SHA256) {
		return false, ignore(err, errs.NotFound)
	}
	f, err := os.Open(filepath.Join(a.offer.blobs, ref.SHA256))
	if err != nil {
		return false, nil
	}
	defer f.Close()
	err = a.l.Blobs.PutExpect(ctx, ref, f)
	return err == nil, ignore(err, errs.Corrupt)
}

func ignore(err error, kind errs.Kind) error {
	if errs.Is(err, kind) {
		return nil
	}
	return err
}

// eachEntry calls fn with the entries of a branch that was saved, nil for one that
// was erased. n counts from 0.
func eachEntry(r io.Reader, fn func(n int64, entry []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 2*record.MaxEntry)
	n := int64(0)
	for ; lines.Scan(); n++ {
		entry, err := base64.StdEncoding.Strict().DecodeString(lines.Text())
		if err != nil || len(entry) > record.MaxEntry {
			return errs.New(errs.Refused, "%s:%d is not an entry", branchLines, n+1)
		}
		if len(entry) == 0 {
			entry = nil
		}
		if err := fn(n, entry); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return errs.New(errs.Refused, "%s:%d cannot be read: %w", branchLines, n+1, err)
	}
	return nil
}
