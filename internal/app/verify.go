package app

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

// VerifyRequest says how far to verify.
type VerifyRequest struct {
	Budget time.Duration // for reading blobs; 0: all of them
}

// Problem is one thing that is wrong, as `verify --json` prints it.
type Problem struct {
	Part string `json:"part"` // register, blobs, views
	Name string `json:"name"` // the file, the entry, the blob, the view
	What string `json:"what"`
	Mend string `json:"mend,omitempty"`
}

// Verified counts what verify has seen.
type Verified struct {
	Entries  int64 `json:"entries"`
	Erased   int64 `json:"erased"`
	Blobs    int64 `json:"blobs"` // read and compared in this run
	Bytes    int64 `json:"bytes"`
	Complete bool  `json:"complete"` // false: the budget left blobs for the next run
	Problems int64 `json:"problems"`
}

// maxMissing bounds how many missing blobs are held back until the end, when it
// is clear whether an erasure explains them.
const maxMissing = 100_000

// VerifyLibrary checks every byte of a data folder: register, blobs, views. It
// takes no lock and changes nothing but the note of when each blob was read; a
// library that serves, or that does not open, is verified as well.
func VerifyLibrary(ctx context.Context, cfg Config, req VerifyRequest, log *slog.Logger, report func(Problem)) (Verified, error) {
	var sum Verified
	say := func(p Problem) {
		sum.Problems++
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
	var missing []named
	regSum, err := register.Verify(ctx, register.Config{Dir: cfg.path("register"), Log: log}, register.VerifyOptions{
		Each: func(i int64, raw []byte) error {
			if raw == nil {
				return nil
			}
			e, known, err := record.Decode(raw)
			if err != nil {
				say(Problem{Part: "register", Name: "entry " + strconv.FormatInt(i, 10), What: err.Error(), Mend: "nothing: every program sets it aside"})
				return nil
			}
			need := func(sha string, bytes int64) error {
				n, err := blobs.Stat(ctx, sha)
				switch {
				case errs.Is(err, errs.NotFound):
					if len(missing) < maxMissing {
						missing = append(missing, named{i, sha})
					}
				case err != nil:
					return err
				case n != bytes:
					say(Problem{Part: "blobs", Name: sha, What: "it has " + strconv.FormatInt(n, 10) + " bytes, not " + strconv.FormatInt(bytes, 10), Mend: mendBlob})
				}
				return nil
			}
			if e.Body != nil {
				return need(e.Body.SHA256, e.Body.Bytes)
			}
			if !known {
				return nil
			}
			for _, list := range [][]record.File{e.Files, e.Add} {
				for _, f := range list {
					if err := need(f.SHA256, f.Bytes); err != nil {
						return err
					}
				}
			}
			return nil
		},
		Body: func(ctx context.Context, ref record.Body) ([]byte, error) { return readBody(ctx, blobs, ref) },
	}, func(p register.Problem) {
		say(Problem{Part: "register", Name: p.Where, What: p.What, Mend: p.Mend})
	})
	if err != nil {
		return sum, err
	}
	sum.Entries, sum.Erased = regSum.Entries, regSum.Erased
	verifyViews(ctx, cfg, log, missing, say)
	blobSum, err := blobs.Verify(ctx, blob.VerifyOptions{Budget: req.Budget, StateFile: cfg.path("views", "verified")}, func(p blob.Problem) {
		say(Problem{Part: "blobs", Name: p.SHA256, What: p.What, Mend: p.Mend})
	})
	if err != nil {
		return sum, err
	}
	sum.Blobs, sum.Bytes, sum.Complete = blobSum.Blobs, blobSum.Bytes, blobSum.Complete
	if sum.Problems > 0 {
		return sum, errs.New(errs.Corrupt, "%d things are wrong", sum.Problems)
	}
	return sum, nil
}

const mendBlob = "bring the file back from another copy of the library, or add it again"

// named is a blob that an entry names.
type named struct {
	entry int64
	sha   string
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
			if n, cerr := l.Catalog.ByBlob(ctx, m.sha); cerr == nil && len(n) == 0 {
				continue // the record is erased, or the file was taken off it
			}
		}
		say(Problem{Part: "blobs", Name: m.sha, What: "entry " + strconv.FormatInt(m.entry, 10) + " names it, but it is not there", Mend: mendBlob})
	}
}

func hint(err error, otherwise string) string {
	if h := errs.HintOf(err); h != "" {
		return h
	}
	return otherwise
}
