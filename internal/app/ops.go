package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/intake"
	"wenlan/internal/mirror/audit"
	"wenlan/internal/record"
)

// Request is work that writes. Exactly one field is set.
type Request struct {
	Add      *AddRequest      `json:"add,omitempty"`
	Import   *ImportRequest   `json:"import,omitempty"`
	Edit     *EditRequest     `json:"edit,omitempty"`
	Rights   *RightsRequest   `json:"rights,omitempty"`
	Withdraw *WithdrawRequest `json:"withdraw,omitempty"`
	Restore  *WithdrawRequest `json:"restore,omitempty"`
	Erase    *EraseRequest    `json:"erase,omitempty"`
	Merge    *MergeRequest    `json:"merge,omitempty"`
	Unmerge  *UnmergeRequest  `json:"unmerge,omitempty"`
	Rebuild  *RebuildRequest  `json:"rebuild,omitempty"`
	Backup   *BackupRequest   `json:"backup,omitempty"`
	Verify   *VerifyRequest   `json:"verify,omitempty"` // with Repair
	Shelf    *ShelfRequest    `json:"shelf,omitempty"`
	Audit    *AuditRequest    `json:"audit,omitempty"`
	Charter  *CharterRequest  `json:"charter,omitempty"`
	Succeed  *SucceedRequest  `json:"succeed,omitempty"`
	Accede   *AccedeRequest   `json:"accede,omitempty"`
}

// AddRequest takes in files and folders. Paths are absolute; Inputs are the same
// paths as the person gave them, for the reports.
type AddRequest struct {
	Paths   []string       `json:"paths"`
	Inputs  []string       `json:"inputs"`
	Options intake.Options `json:"options"`
}

// Stdin stands in ImportRequest.Paths for standard input.
const Stdin = "-"

// ImportRequest takes in records in bulk. Paths are absolute, or once Stdin, or all of
// them addresses to harvest; Inputs are the same as the person gave them, for the reports.
type ImportRequest struct {
	Format  string               `json:"format"` // simple, csl, jsonl
	Paths   []string             `json:"paths"`
	Inputs  []string             `json:"inputs"`
	Options intake.ImportOptions `json:"options"`
	Harvest HarvestOptions       `json:"harvest,omitzero"` // of addresses
	Stdin   io.Reader            `json:"-"`                // what Stdin stands for; the socket carries it behind the request
}

// EditRequest changes a description by a merge patch (RFC 7396).
type EditRequest struct {
	Record int64           `json:"record"`
	Patch  json.RawMessage `json:"patch"`
	By     string          `json:"by,omitempty"`
}

// RightsRequest states the rights in a record anew.
type RightsRequest struct {
	Record  int64          `json:"record"`
	Options intake.Options `json:"options"`
}

// WithdrawRequest closes, or in a restoration reopens, a record or a blob.
type WithdrawRequest struct {
	Record      int64    `json:"record"`         // counts where Blob is empty
	Blob        string   `json:"blob,omitempty"` // hex SHA-256
	Ground      string   `json:"ground,omitempty"`
	Case        string   `json:"case,omitempty"`
	Territories []string `json:"territories,omitempty"`
}

// EraseRequest removes the content of an entry, and what only it named.
type EraseRequest struct {
	Entry  int64  `json:"entry"`
	Ground string `json:"ground"`
	Case   string `json:"case,omitempty"`
}

// RebuildRequest makes views anew; View empty means all of them.
type RebuildRequest struct {
	View string `json:"view,omitempty"`
}

// BackupRequest writes a backup to a file; the path is absolute.
type BackupRequest struct {
	File string `json:"file"`
}

// Event is one thing that a request has to say while it runs. One field is set.
type Event struct {
	Outcome  *Outcome               `json:"outcome,omitempty"`
	Progress *intake.Progress       `json:"progress,omitempty"`
	Imported *intake.ImportProgress `json:"imported,omitempty"` // after each batch of an import
	Summary  *intake.Summary        `json:"summary,omitempty"`
	Entry    *Appended              `json:"entry,omitempty"`
	Done     *Done                  `json:"done,omitempty"`
	Problem  *Problem               `json:"problem,omitempty"`  // of a verification that mends
	Verified *Verified              `json:"verified,omitempty"` // at its end
	Audited  *audit.Result          `json:"audited,omitempty"`  // of one mirror
	Safety   *Safety                `json:"safety,omitempty"`   // the last, where the charter names a quorum
	Shelved  *Shelved               `json:"shelved,omitempty"`
	Charter  *Chartered             `json:"charter,omitempty"`
	Branch   *BranchEntry           `json:"branch,omitempty"`
	// Reopening says what will be once the owner has opened the folder anew; the socket only.
	Reopening *Chartered  `json:"reopening,omitempty"`
	Error     *ErrorEvent `json:"error,omitempty"`
}

// Outcome is what became of one file, as `add --json` prints it, or of one record,
// as `import --json` does.
type Outcome struct {
	Input      string        `json:"input"`
	Status     intake.Status `json:"status"`
	Record     *int64        `json:"record,omitempty"`
	Duplicates []int64       `json:"duplicates,omitempty"`
	Warnings   []string      `json:"warnings,omitempty"`
	Hints      []string      `json:"hints,omitempty"`
	Error      string        `json:"error,omitempty"`
}

// Appended says which entry a decision became.
type Appended struct {
	Entry  int64       `json:"entry"` // index in the register; -1: nothing had to be said
	Type   record.Type `json:"type"`
	Record *int64      `json:"record,omitempty"`
	Into   *int64      `json:"into,omitempty"` // of a merge, and of what an unmerge takes back
	Blob   string      `json:"blob,omitempty"`
}

// Done says that something else is finished.
type Done struct {
	What string `json:"what"` // "rebuilt", "backed-up"
	Name string `json:"name"` // the view, the file
}

// ErrorEvent carries a failure through the socket.
type ErrorEvent struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func errorEvent(err error) *ErrorEvent {
	return &ErrorEvent{Kind: errs.KindOf(err).String(), Message: err.Error(), Hint: errs.HintOf(err)}
}

func (e *ErrorEvent) err() error {
	return &errs.Error{Kind: errs.ParseKind(e.Kind), Message: e.Message, Hint: e.Hint}
}

// Do does the work of a request: through the socket of the process that owns the
// data folder, or, where there is none, by owning it for as long as it takes.
// emit is called with one event at a time, each once what it says is durable.
func Do(ctx context.Context, cfg Config, req Request, log *slog.Logger, emit func(Event)) error {
	if req.Import != nil {
		if _, _, err := req.Import.files(); err != nil {
			return err
		}
	}
	var reopening *Chartered
	served, err := callOwner(ctx, cfg, req, func(ev Event) {
		if ev.Reopening != nil {
			reopening = ev.Reopening
			return
		}
		emit(ev)
	})
	if served && err == nil && reopening != nil {
		if err = awaitOffice(ctx, cfg, *reopening); err == nil {
			emit(Event{Charter: reopening})
		}
	}
	if served {
		return err
	}
	if req.Add != nil || req.Import != nil { // as serve does, they make the library where there is none
		if there, err := exists(cfg); err != nil {
			return err
		} else if !there {
			if _, err := Init(ctx, cfg); err != nil {
				return err
			}
		}
	}
	l, err := Open(ctx, cfg, Own, log)
	if err != nil {
		return err
	}
	defer l.Close()
	err = l.do(ctx, req, emit)
	var rest *closing
	if errors.As(err, &rest) {
		if err = l.finish(ctx, rest); err == nil {
			emit(Event{Charter: &rest.said})
		}
	}
	return err
}

func (l *Library) do(ctx context.Context, req Request, emit func(Event)) error {
	if req.Rebuild == nil && req.Backup == nil && req.Verify == nil && req.Audit == nil && req.Charter == nil && req.Succeed == nil && req.Accede == nil {
		if err := l.notMirror(); err != nil {
			return err
		}
	}
	ctx, told := l.count(ctx)
	defer told(emit)
	switch {
	case req.Add != nil:
		return l.add(ctx, *req.Add, emit)
	case req.Import != nil:
		return l.bulk(ctx, *req.Import, emit)
	case req.Edit != nil:
		return l.edit(ctx, *req.Edit, emit)
	case req.Rights != nil:
		return l.rights(ctx, *req.Rights, emit)
	case req.Withdraw != nil:
		return l.withdraw(ctx, record.TypeWithdrawal, *req.Withdraw, emit)
	case req.Restore != nil:
		return l.withdraw(ctx, record.TypeRestoration, *req.Restore, emit)
	case req.Erase != nil:
		return l.erase(ctx, *req.Erase, emit)
	case req.Merge != nil:
		return l.merge(ctx, *req.Merge, emit)
	case req.Unmerge != nil:
		return l.unmerge(ctx, *req.Unmerge, emit)
	case req.Rebuild != nil:
		return l.rebuild(ctx, req.Rebuild.View, emit)
	case req.Shelf != nil:
		return l.closeShelves(ctx, *req.Shelf, emit)
	case req.Backup != nil:
		return l.backup(ctx, req.Backup.File, emit)
	case req.Verify != nil:
		sum, err := l.repair(ctx, *req.Verify, func(p Problem) { emit(Event{Problem: &p}) })
		emit(Event{Verified: &sum})
		return err
	case req.Audit != nil:
		return l.audit(ctx, *req.Audit, emit)
	case req.Charter != nil:
		return l.publishCharter(ctx, *req.Charter, emit)
	case req.Succeed != nil:
		return l.succeed(ctx, *req.Succeed)
	case req.Accede != nil:
		return l.accede(ctx, *req.Accede, emit)
	}
	return errs.New(errs.Invalid, "the request asks for nothing")
}

func (l *Library) add(ctx context.Context, req AddRequest, emit func(Event)) error {
	if len(req.Inputs) != len(req.Paths) {
		return errs.New(errs.Invalid, "the request names %d paths for %d inputs", len(req.Paths), len(req.Inputs))
	}
	asGiven := func(p string) string {
		for i, path := range req.Paths {
			if p == path {
				return req.Inputs[i]
			}
			if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(path, "/")+"/"); ok {
				return strings.TrimSuffix(req.Inputs[i], "/") + "/" + rest
			}
		}
		return p
	}
	sum, err := l.intake.Add(ctx, req.Paths, req.Options, func(o intake.Outcome) {
		emit(Event{Outcome: outcome(o, asGiven(o.Input))})
	}, func(p intake.Progress) { emit(Event{Progress: &p}) })
	emit(Event{Summary: &sum})
	if err != nil {
		return err
	}
	if sum.Refused > 0 {
		return errs.New(errs.Refused, "%d of %d files refused", sum.Refused, sum.Added+sum.Joined+sum.Known+sum.Revised+sum.Refused+sum.NeedsRights)
	}
	return nil
}

// outcome is what became of an input, which the person knows by another name.
func outcome(o intake.Outcome, input string) *Outcome {
	out := Outcome{Input: input, Status: o.Status, Duplicates: o.Duplicates, Warnings: o.Warnings, Hints: o.Hints}
	if o.Record >= 0 {
		out.Record = &o.Record
	}
	if o.Err != nil {
		out.Error = strings.Replace(o.Err.Error(), o.Input, input, 1)
	}
	return &out
}

// files are what the request names; errs.Invalid where that makes no sense.
func (req ImportRequest) files() (*format.Bulk, []intake.ImportFile, error) {
	if len(req.Inputs) != len(req.Paths) {
		return nil, nil, errs.New(errs.Invalid, "the request names %d paths for %d inputs", len(req.Paths), len(req.Inputs))
	}
	form, err := format.FindBulk(req.Format)
	if err != nil {
		return nil, nil, err
	}
	if harvests, err := req.harvests(); harvests || err != nil {
		return form, nil, err
	}
	files := make([]intake.ImportFile, len(req.Paths))
	stdin := false
	for i, p := range req.Paths {
		files[i] = intake.ImportFile{Path: p, Input: req.Inputs[i]}
		if p != Stdin {
			continue
		}
		if stdin || req.Stdin == nil {
			return nil, nil, errs.New(errs.Invalid, "standard input can be read once")
		}
		stdin, files[i].Reader = true, req.Stdin
	}
	return form, files, req.Options.Check(files)
}

// bulk takes in records.
func (l *Library) bulk(ctx context.Context, req ImportRequest, emit func(Event)) error {
	form, files, err := req.files()
	if err != nil {
		return err
	}
	defer l.room.take()()
	var sum intake.Summary
	if files == nil {
		sum, err = l.harvest(ctx, req, emit)
	} else {
		sum, err = l.intake.Import(ctx, form, files, req.Options, func(o intake.Outcome) {
			emit(Event{Outcome: outcome(o, o.Input)})
		}, func(p intake.ImportProgress) { emit(Event{Imported: &p}) })
	}
	if _, cerr := l.catch(context.WithoutCancel(ctx)); err == nil {
		err = cerr
	}
	emit(Event{Summary: &sum})
	if err != nil {
		return err
	}
	if sum.Refused > 0 {
		return errs.New(errs.Refused, "%d of %d records refused", sum.Refused, sum.Added+sum.Joined+sum.Known+sum.Revised+sum.Refused+sum.NeedsRights+sum.Deleted)
	}
	return nil
}

// decide appends one decision and says so.
func (l *Library) decide(ctx context.Context, e record.Entry, emit func(Event)) (int64, error) {
	e.Time = l.Config.now()
	raw, body, ref, err := record.EncodeLong(e)
	if err != nil {
		return 0, err
	}
	l.purging.RLock()
	defer l.purging.RUnlock()
	if ref != nil {
		if _, err := l.Blobs.Put(ctx, strings.NewReader(string(body))); err != nil {
			return 0, err
		}
		if err := l.Blobs.Flush(ctx); err != nil {
			return 0, err
		}
	}
	i, err := l.Append(ctx, [][]byte{raw})
	if err != nil {
		return 0, err
	}
	emit(Event{Entry: &Appended{Entry: i, Type: e.Type, Record: e.Of, Blob: e.Blob}})
	return i, nil
}

// live is a record that may be decided upon.
func (l *Library) live(ctx context.Context, n int64) (*record.State, error) {
	st, err := l.Catalog.Record(ctx, n)
	if st != nil && st.Erased != nil && st.Erased.Ground != "" {
		return nil, errs.New(errs.Gone, "record %d was erased: %s (entry %d)", n, st.Erased.Ground, st.Erased.Entry)
	}
	return st, err
}

func (l *Library) edit(ctx context.Context, req EditRequest, emit func(Event)) error {
	st, err := l.live(ctx, req.Record)
	if err != nil {
		return err
	}
	changed, err := record.PatchRecord(st.Record, req.Patch)
	if err != nil {
		return err
	}
	if same, err := record.Diff(st.Record, changed); err != nil {
		return err
	} else if string(same) == "{}" {
		emit(Event{Entry: &Appended{Entry: -1, Type: record.TypeRevision, Record: &req.Record}})
		return nil
	}
	sum := sha256.Sum256(req.Patch)
	_, err = l.decide(ctx, record.Entry{Type: record.TypeRevision, Of: &req.Record, Patch: req.Patch,
		Source: &record.Source{Name: record.Librarian, ID: req.By, Digest: hex.EncodeToString(sum[:])}}, emit)
	return err
}

func (l *Library) rights(ctx context.Context, req RightsRequest, emit func(Event)) error {
	if _, err := l.live(ctx, req.Record); err != nil {
		return err
	}
	r, err := req.Options.Rights(l.Config.now())
	if err != nil {
		return err
	}
	if r == nil {
		if req.Options.Access != string(record.None) {
			return errs.WithHint(errs.New(errs.Invalid, "the statement says nothing"), "add --basis or --licence; --access none closes the record again")
		}
		r = &record.Rights{Access: record.None, Evidence: &record.Evidence{By: req.Options.By, At: l.Config.now().UTC().Format("2006-01-02T15:04:05Z")}}
	}
	_, err = l.decide(ctx, record.Entry{Type: record.TypeRights, Of: &req.Record, Rights: r}, emit)
	return err
}

func (l *Library) withdraw(ctx context.Context, typ record.Type, req WithdrawRequest, emit func(Event)) error {
	e := record.Entry{Type: typ, Ground: req.Ground, Case: req.Case}
	for _, t := range req.Territories {
		e.Territories = append(e.Territories, strings.ToUpper(t))
	}
	var inForce []record.Withdrawal
	if req.Blob != "" {
		if !record.IsSHA256(req.Blob) {
			return errs.New(errs.Invalid, "%q is not a SHA-256: 64 hex digits", req.Blob)
		}
		named, err := l.Catalog.ByBlob(ctx, req.Blob)
		if err != nil {
			return err
		}
		if len(named) == 0 {
			return errs.New(errs.NotFound, "no record has a file sha256:%s", req.Blob)
		}
		if inForce, err = l.Catalog.BlobWithdrawals(ctx, req.Blob); err != nil {
			return err
		}
		e.Blob = req.Blob
	} else {
		st, err := l.live(ctx, req.Record)
		if err != nil {
			return err
		}
		inForce = st.Withdrawals
		e.Of = &req.Record
	}
	if typ == record.TypeRestoration {
		if len(inForce) == 0 {
			return errs.New(errs.Refused, "nothing is withdrawn that could be restored")
		}
		if len(e.Territories) > 0 && slices.ContainsFunc(inForce, func(w record.Withdrawal) bool { return len(w.Territories) == 0 }) {
			return errs.WithHint(errs.New(errs.Refused, "a worldwide withdrawal cannot be lifted for some places only"),
				"restore it, then withdraw it for the places that stay closed")
		}
	}
	_, err := l.decide(ctx, e, emit)
	return err
}

func (l *Library) rebuild(ctx context.Context, name string, emit func(Event)) error {
	names := []string{name}
	if name == "" {
		names = []string{l.Catalog.Name(), l.Index.Name(), l.Shelves.Name(), l.FullText.Name()}
	}
	for _, n := range names {
		again := l.Views.Rebuild
		if n == l.FullText.Name() {
			again = l.rebuildTexts
		}
		if err := again(ctx, n); err != nil {
			return fmt.Errorf("rebuild %s: %w", n, err)
		}
		emit(Event{Done: &Done{What: "rebuilt", Name: n}})
	}
	return l.Views.Catch(ctx)
}

// rebuildTexts makes the full text anew, by the follower of a library that is
// served, or by one for just that.
func (l *Library) rebuildTexts(ctx context.Context, _ string) error {
	if l.texts == nil {
		if err := l.followTexts(); err != nil {
			return err
		}
	}
	return l.texts.Rebuild(ctx)
}
