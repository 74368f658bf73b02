package app

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

// VerifyRequest says how far to verify.
type VerifyRequest struct {
	Budget time.Duration `json:"budget,omitempty"` // for reading blobs; 0: all of them
	Repair bool          `json:"repair,omitempty"` // mend what can be mended
	From   []string      `json:"from,omitempty"`   // more copies to fetch from: addresses, or folders by their absolute paths
}

// Problem is one thing that is wrong, as `verify --json` prints it.
type Problem struct {
	Part   string `json:"part"` // register, blobs, views
	Name   string `json:"name"` // the file, the entry, the blob, the view
	What   string `json:"what"`
	Mend   string `json:"mend,omitempty"`
	Mended bool   `json:"mended,omitempty"` // it was wrong, and is right now
}

// Verified counts what verify has seen.
type Verified struct {
	Entries  int64 `json:"entries"`
	Erased   int64 `json:"erased"`
	Blobs    int64 `json:"blobs"` // read and compared in this run
	Bytes    int64 `json:"bytes"`
	Complete bool  `json:"complete"` // false: the budget left blobs for the next run
	Problems int64 `json:"problems"` // that are left
	Mended   int64 `json:"mended"`
}

// count counts a problem.
func (v *Verified) count(p Problem) {
	if p.Mended {
		v.Mended++
	} else {
		v.Problems++
	}
}

// err says whether anything is left that is wrong.
func (v *Verified) err() error {
	if v.Problems == 0 {
		return nil
	}
	return errs.New(errs.Corrupt, "%d things are wrong", v.Problems)
}

// maxMissing bounds how many missing blobs are held back until the end, when it
// is clear whether an erasure explains them.
const maxMissing = 100_000

// VerifyLibrary checks every byte of a data folder: register, blobs, views. It
// takes no lock and changes nothing but the note of when each blob was read; a
// library that serves, or that does not open, is verified as well. With Repair it
// owns the folder, or asks who does, and mends what it can: see repair.go.
func VerifyLibrary(ctx context.Context, cfg Config, req VerifyRequest, log *slog.Logger, report func(Problem)) (Verified, error) {
	if req.Repair {
		return repairLibrary(ctx, cfg, req, log, report)
	}
	var sum Verified
	say := func(p Problem) {
		sum.count(p)
		report(p)
	}
	if there, err := exists(cfg); err != nil {
		return sum, err
	} else if !there {
		return sum, errs.WithHint(errs.New(errs.NotFound, "there is no library in %s", cfg.Data), "wenlan init makes one")
	}
	if err := caughtUp(ctx, cfg, log); err != nil {
		say(Problem{Part: "views", Name: "all", What: "the library does not open: " + err.Error(), Mend: hint(err, "mend what is named below, then verify again")})
	}
	blobs, err := blob.OpenLocal(blob.LocalConfig{Roots: append([]string{cfg.path("blobs")}, cfg.Stores...), ReadOnly: true, Log: log})
	if err != nil {
		return sum, err
	}
	regSum, missing, err := verifyRegister(ctx, cfg, blobs, false, func(ctx context.Context, ref record.Body) ([]byte, error) { return readBody(ctx, blobs, ref) }, log, say)
	if err != nil {
		return sum, err
	}
	sum.Entries, sum.Erased = regSum.Entries, regSum.Erased
	verifyViews(ctx, cfg, log, missing, say)
	note := cfg.path("views", "verified")
	if os.MkdirAll(cfg.path("views"), 0o755) != nil {
		note = "" // it is not remembered
	}
	blobSum, err := blobs.Verify(ctx, blob.VerifyOptions{Budget: req.Budget, StateFile: note}, func(p blob.Problem) {
		say(blobProblem(p))
	})
	if err != nil {
		return sum, err
	}
	sum.Blobs, sum.Bytes, sum.Complete = blobSum.Blobs, blobSum.Bytes, blobSum.Complete
	return sum, sum.err()
}

func blobProblem(p blob.Problem) Problem {
	name := p.SHA256
	if name == "" {
		name = p.Path
	}
	return Problem{Part: "blobs", Name: name, What: p.What, Mend: p.Mend}
}

// verifyRegister checks the register, and looks up each blob that an entry names.
// Missing are those that are not there, or have another length.
func verifyRegister(ctx context.Context, cfg Config, blobs *blob.Local, repair bool, body func(context.Context, record.Body) ([]byte, error), log *slog.Logger, say func(Problem)) (sum register.Summary, missing []named, err error) {
	sum, err = register.Verify(ctx, register.Config{Dir: cfg.path("register"), Log: log}, register.VerifyOptions{
		Each: func(i int64, raw []byte) error {
			if raw == nil {
				return nil
			}
			e, known, err := record.Decode(raw)
			if err != nil {
				say(Problem{Part: "register", Name: "entry " + strconv.FormatInt(i, 10), What: err.Error(), Mend: "nothing: every program sets it aside"})
				return nil
			}
			need := func(ref blob.Ref) error {
				n, err := blobs.Stat(ctx, ref.SHA256)
				if err != nil && !errs.Is(err, errs.NotFound) {
					return err
				}
				if (err != nil || n != ref.Bytes) && len(missing) < maxMissing {
					m := named{entry: i, ref: ref, size: n}
					if err != nil {
						m.size = -1
					}
					missing = append(missing, m)
				}
				return nil
			}
			if e.Body != nil {
				return need(blob.Ref{SHA256: e.Body.SHA256, Bytes: e.Body.Bytes})
			}
			if !known {
				return nil
			}
			for _, list := range [][]record.File{e.Files, e.Add} {
				for _, f := range list {
					if err := need(blob.Ref{SHA256: f.SHA256, Bytes: f.Bytes}); err != nil {
						return err
					}
				}
			}
			return nil
		},
		Body:   body,
		Repair: repair,
	}, func(p register.Problem) {
		say(Problem{Part: "register", Name: p.Where, What: p.What, Mend: p.Mend, Mended: p.Mended})
	})
	return sum, missing, err
}

const mendBlob = "fetch it from another copy with `wenlan verify --repair`, or add it again"

// named is a blob that an entry names and that is not there as it should be.
type named struct {
	entry int64
	ref   blob.Ref
	size  int64 // that it has; -1: it is missing
}

func (m named) problem() Problem {
	what := "entry " + strconv.FormatInt(m.entry, 10) + " names it, but it is not there"
	if m.size >= 0 {
		what = "it has " + strconv.FormatInt(m.size, 10) + " bytes, not " + strconv.FormatInt(m.ref.Bytes, 10)
	}
	return Problem{Part: "blobs", Name: m.ref.SHA256, What: what, Mend: mendBlob}
}

// caughtUp lets the views follow the register, where nobody owns the folder.
func caughtUp(ctx context.Context, cfg Config, log *slog.Logger) error {
	l, err := OpenToRead(ctx, cfg, log)
	if err != nil {
		return err
	}
	return l.Close()
}

// checked is a view that can read itself through.
type checked interface {
	Name() string
	Check(context.Context) error
}

// verifyViews checks the views, and settles which missing blobs an erasure explains.
func verifyViews(ctx context.Context, cfg Config, log *slog.Logger, missing []named, say func(Problem)) {
	l, err := Open(ctx, cfg, ReadOnly, log)
	if err == nil {
		defer l.Close()
		if err = l.followed(); err != nil {
			say(Problem{Part: "views", Name: "all", What: err.Error(), Mend: hint(err, "wenlan rebuild")})
		}
		for _, v := range []checked{l.Catalog, l.Index, l.Shelves, l.FullText} {
			if verr := v.Check(ctx); verr != nil {
				say(Problem{Part: "views", Name: v.Name(), What: verr.Error(), Mend: "wenlan rebuild " + v.Name()})
			}
		}
	}
	for _, m := range missing {
		if err == nil {
			if is, derr := l.due(ctx, m.ref.SHA256); derr == nil && !is {
				continue // the record is erased, or the file was taken off it
			}
		}
		say(m.problem())
	}
}

func hint(err error, otherwise string) string {
	if h := errs.HintOf(err); h != "" {
		return h
	}
	return otherwise
}
