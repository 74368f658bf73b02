package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/feeds"
	"wenlan/internal/index"
	"wenlan/internal/record"
)

// OpenToRead opens a library for a command that only reads. Where nobody owns
// the folder, it owns it for long enough to let the views follow the register;
// a folder that cannot be written to is read as it is.
func OpenToRead(ctx context.Context, cfg Config, log *slog.Logger) (*Library, error) {
	l, err := Open(ctx, cfg, Own, log)
	if err == nil {
		return l, nil
	}
	if errs.Is(err, errs.Locked) || errors.Is(err, fs.ErrPermission) {
		return Open(ctx, cfg, ReadOnly, log)
	}
	return nil, err
}

// OpenCaughtUp opens a library for a command that only reads, and takes long: the
// views follow first, where nobody owns the folder, and then it is owned no more.
func OpenCaughtUp(ctx context.Context, cfg Config, log *slog.Logger) (*Library, error) {
	if err := caughtUp(ctx, cfg, log); err != nil {
		return nil, err
	}
	return Open(ctx, cfg, ReadOnly, log)
}

// Search asks the index, and gives hits as the API does; with grouped set, one for each
// work, that can be read and is in the language where there is such a one.
func (l *Library) Search(ctx context.Context, q index.Query, grouped bool, language string) ([]feeds.HitJSON, feeds.SearchEndJSON, error) {
	if err := l.followed(); err != nil {
		return nil, feeds.SearchEndJSON{}, err
	}
	res, err := l.finder().Search(ctx, q)
	if err != nil {
		return nil, feeds.SearchEndJSON{}, err
	}
	if grouped {
		hits, err := feeds.NewGrouped(ctx, l.Catalog, res, feeds.Reader{Standing: record.StandingLibrarian, At: l.Config.now()}, language)
		return hits, feeds.NewSearchEnd(res), err
	}
	hits, err := feeds.NewHits(ctx, l.Catalog, res)
	return hits, feeds.NewSearchEnd(res), err
}

// followed says so when a view that this process cannot mend does not serve.
func (l *Library) followed() error {
	if err := l.Catalog.Ready(); err != nil {
		return err
	}
	return l.Index.Ready()
}

// derived is followed, of every view that follows the register with the catalogue.
func (l *Library) derived() error {
	if err := l.followed(); err != nil {
		return err
	}
	return l.Shelves.Ready()
}

// List calls fn with every record that the query selects, oldest first.
func (l *Library) List(ctx context.Context, q catalog.ListQuery, fn func(feeds.ListedJSON, *record.State) error) error {
	if err := l.followed(); err != nil {
		return err
	}
	left := q.Limit
	q.After = -1
	for {
		q.Limit = 500
		if left > 0 {
			q.Limit = min(q.Limit, left)
		}
		page, err := l.Catalog.List(ctx, q)
		if err != nil {
			return err
		}
		for _, n := range page {
			st, err := l.Catalog.Record(ctx, n)
			if err != nil {
				return err
			}
			if err := fn(feeds.NewListed(st), st); err != nil {
				return err
			}
			q.After = n
		}
		if left > 0 {
			if left -= len(page); left <= 0 {
				return nil
			}
		}
		if len(page) < q.Limit {
			return nil
		}
	}
}

// Doubtful calls fn with each record that looks the same as others and those others,
// oldest first: a group comes once for each thing that its records have in common,
// under the lowest of them. Pairs that were merged and taken apart again are left
// out. With NeedsRights, it is called with each record without rights and all that
// look like it. The limit is of groups.
func (l *Library) Doubtful(ctx context.Context, q catalog.ListQuery, fn func(st *record.State, others []feeds.AlikeJSON, states []*record.State) error) error {
	look := l.Catalog.Doubtful
	if q.NeedsRights {
		look = l.Catalog.Duplicates
	}
	limit := q.Limit
	q.Duplicates, q.Limit = true, 0
	enough := errors.New("enough")
	groups := 0
	err := l.List(ctx, q, func(_ feeds.ListedJSON, st *record.State) error {
		found, err := look(ctx, st.Number)
		if err != nil {
			return err
		}
		var others []feeds.AlikeJSON
		var states []*record.State
		for _, d := range found {
			other, err := l.Catalog.Record(ctx, d.Record)
			if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
				continue
			}
			if err != nil {
				return err
			}
			others = append(others, feeds.AlikeJSON{ListedJSON: feeds.NewListed(other), Why: d.Why})
			states = append(states, other)
		}
		if len(others) == 0 {
			return nil
		}
		if err := fn(st, others, states); err != nil {
			return err
		}
		if groups++; groups == limit {
			return enough
		}
		return nil
	})
	if err == enough {
		return nil
	}
	return err
}

// changesShown is how many changes Show tells of, the last.
const changesShown = 1000

// Show is a record as the API shows it, for the librarian at this machine, with its
// history and what else there is of its work.
func (l *Library) Show(ctx context.Context, n int64) (feeds.RecordJSON, error) {
	var out feeds.RecordJSON
	if err := l.followed(); err != nil {
		return out, err
	}
	st, err := l.live(ctx, n)
	if err != nil {
		return out, err
	}
	return feeds.NewRecord(ctx, l.Catalog, st, feeds.Reader{Standing: record.StandingLibrarian, At: l.Config.now()}, changesShown)
}

// Got says what Get has written.
type Got struct {
	Record int64  `json:"record"`
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Get writes a file of a record to out ("-" for w; "" for its own name, in the
// working folder) and checks it against its hash. name chooses among several
// files; without it the first text counts. What Decide closes stays closed.
func (l *Library) Get(ctx context.Context, n int64, name, out string, w io.Writer) (Got, error) {
	if err := l.followed(); err != nil {
		return Got{}, err
	}
	st, err := l.live(ctx, n)
	if err != nil {
		return Got{}, err
	}
	i := slices.IndexFunc(st.Files, func(f record.File) bool {
		if name != "" {
			return f.Name == name
		}
		return f.Role == record.RoleText
	})
	if i < 0 {
		if name != "" {
			return Got{}, errs.New(errs.NotFound, "record %d has no file %s", n, name)
		}
		return Got{}, errs.New(errs.NotFound, "record %d has no text", n)
	}
	f := st.Files[i]
	withdrawn, err := l.Catalog.BlobWithdrawals(ctx, f.SHA256)
	if err != nil {
		return Got{}, err
	}
	if err := record.Decide(record.Question{State: st, BlobWithdrawals: withdrawn, Standing: record.StandingLibrarian, At: l.Config.now()}).Err(); err != nil {
		return Got{}, err
	}
	b, err := l.Blobs.Open(ctx, f.SHA256)
	if errs.Is(err, errs.NotFound) {
		return Got{}, errs.New(errs.Corrupt, "the blob %s of record %d is missing", f.SHA256, n)
	}
	if err != nil {
		return Got{}, err
	}
	defer b.Close()
	got := Got{Record: n, File: out, SHA256: f.SHA256, Bytes: f.Bytes}
	if out == "-" {
		return got, copyChecked(w, b, f)
	}
	if out == "" {
		got.File = f.Name
	} else if info, err := os.Stat(out); err == nil && info.IsDir() {
		got.File = filepath.Join(out, f.Name)
	}
	tmp, err := os.CreateTemp(filepath.Dir(got.File), ".wenlan-*")
	if err != nil {
		return Got{}, errs.New(errs.Refused, "write %s: %w", got.File, err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := copyChecked(tmp, b, f); err != nil {
		return Got{}, err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return Got{}, err
	}
	if err := tmp.Close(); err != nil {
		return Got{}, err
	}
	if out == "" { // a name that the book chose never overwrites anything
		if err := os.Link(tmp.Name(), got.File); err != nil {
			return Got{}, errs.WithHint(errs.New(errs.Refused, "write %s: %w", got.File, err), "name another file with -o")
		}
		return got, nil
	}
	return got, os.Rename(tmp.Name(), got.File)
}

func copyChecked(w io.Writer, r io.Reader, f record.File) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), r)
	if err != nil {
		return err
	}
	if n != f.Bytes || hex.EncodeToString(h.Sum(nil)) != f.SHA256 {
		return errs.WithHint(errs.New(errs.Corrupt, "the blob %s is damaged", f.SHA256), "bring it back from another copy; wenlan verify finds what else is damaged")
	}
	return nil
}
