package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/register"

	"golang.org/x/mod/sumdb/note"
)

// Who speaks for the library changes while its folder is closed: the register is
// written with another key, and what follows it is joined anew. A folder's office is
// said by its keys: keys/origin.key, of which the newest charter holds the public
// key, makes it the origin's; without it, mirror/state.json makes it a mirror's.
// [settleOffice] brings the keys in line with the charters at each start, so that a
// crash in between is no harm, and an origin that was superseded while it was away
// comes back as a mirror of the one that holds office.

// SucceedRequest makes a mirror the origin, by a charter that counts and names its
// keys/next.key.
type SucceedRequest struct {
	Note         string `json:"note"`
	ForcePartial bool   `json:"force_partial,omitempty"` // also where not all files are here
}

// closing is the rest of a request, for which the folder has to be closed. l.do
// returns it as an error.
type closing struct {
	said Chartered
	// work is done while nobody has the folder open; nil: opening it anew is enough.
	work func(ctx context.Context) error
}

func (c *closing) Error() string { return "the data folder has to be closed for it" }

// reopenTime is how long a command waits for the server to come back in its new office.
const reopenTime = time.Minute

// succeed checks that this mirror may become the origin; what it returns does it.
func (l *Library) succeed(ctx context.Context, req SucceedRequest) error {
	signed := []byte(req.Note)
	if l.copying == nil {
		return errs.WithHint(errs.New(errs.Refused, "this is the origin already"), "`wenlan charter publish` puts a charter into force here")
	}
	c, old, _, err := l.follows(signed)
	if err != nil {
		return err
	}
	if err := checkCounts(old, signed); err != nil {
		return err
	}
	signer, vkey, err := readKey(l.Config.path("keys", nextKey))
	if errs.Is(err, errs.NotFound) {
		return errs.WithHint(errs.New(errs.Refused, "there is no key here that could be the origin's"), "`wenlan charter draft --succeed` makes it, and the charter that names it")
	} else if err != nil {
		return err
	}
	if c.Origin != vkey {
		return errs.New(errs.Refused, "the charter gives the library to another key than the one here: %s", c.Origin)
	}
	if err := l.holdsBase(c); err != nil {
		return err
	}
	if safe, ok := l.Register.Safe(); ok && safe.Size > c.Base.Size {
		return errs.WithHint(errs.New(errs.Refused, "%d entries are safe, and the charter continues after %d: it would lose what was promised", safe.Size, c.Base.Size),
			"draft a charter here anew, and let the trustees sign that")
	}
	switch st := l.copying.mirror.Status(); {
	case req.ForcePartial:
	case st.Partial || st.NoFiles || st.Denied > 0:
		return errs.WithHint(errs.New(errs.Refused, "this mirror holds a part of the files only: as the origin it would lack the others"), "let a full mirror succeed, or add --force-partial")
	case st.Missing.Files > 0:
		return errs.WithHint(errs.New(errs.Refused, "%d files are not here yet: as the origin it would lack them", st.Missing.Files), "let it copy them first, or add --force-partial")
	}
	cfg, log := l.Config, l.log
	return &closing{said: Chartered{Version: c.Version, Status: "succeeded"}, work: func(ctx context.Context) error {
		return takeOffice(ctx, cfg, signed, signer, log)
	}}
}

// holdsBase checks that what a charter continues is in our register.
func (l *Library) holdsBase(c register.Charter) error {
	if c.Base == nil {
		return errs.New(errs.Refused, "the charter does not say what the new origin continues")
	}
	if size := l.Register.Size(); c.Base.Size > size {
		return errs.WithHint(errs.New(errs.Refused, "the charter continues after %d entries, of which %d are here", c.Base.Size, size), "let it copy the rest first")
	}
	root, err := l.Register.RootHash(c.Base.Size)
	if err == nil && root != c.Base.Root {
		err = errs.New(errs.Refused, "the charter continues another register: its first %d entries are not those that are here", c.Base.Size)
	}
	return err
}

// takeOffice makes the register of a closed folder that of its keys/next.key.
func takeOffice(ctx context.Context, cfg Config, signed []byte, signer note.Signer, log *slog.Logger) error {
	lock, err := durable.Lock(cfg.path("wenlan.lock"))
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if _, err := register.Continue(ctx, register.Config{Dir: cfg.path("register"), Signer: signer, Now: cfg.Now, Log: log}, signed); err != nil {
		return fmt.Errorf("continue the register: %w", err)
	}
	return settleOffice(ctx, cfg, log)
}

// settleOffice brings the keys of a folder in line with the newest charter. The
// caller holds the lock; the register is not open.
func settleOffice(ctx context.Context, cfg Config, log *slog.Logger) error {
	c, signed, err := newestCharter(cfg)
	if err != nil || signed == nil {
		return err
	}
	origin, err := publicOf(cfg, originKey)
	if err != nil {
		return err
	}
	next, err := publicOf(cfg, nextKey)
	if err != nil {
		return err
	}
	switch {
	case c.Origin == origin:
		return nil
	case c.Origin == next && signedBy(cfg, next):
		return takeNext(cfg, c.Version)
	case c.Origin == next && origin != "":
		signer, _, err := readKey(cfg.path("keys", nextKey))
		if err != nil {
			return err
		}
		if _, err := register.Rotate(ctx, register.Config{Dir: cfg.path("register"), Signer: signer, Now: cfg.Now, Log: log}, signed); err != nil {
			return fmt.Errorf("change the origin's key: %w", err)
		}
		log.WarnContext(ctx, "the origin has a new key", "charter", c.Version)
		return takeNext(cfg, c.Version)
	case origin != "":
		log.WarnContext(ctx, "the charter gives the library to another origin: this is a mirror of it from now on", "charter", c.Version, "origin", c.Addresses)
		return retire(cfg, c)
	}
	return nil // a mirror
}

// takeNext gives keys/next.key its office. What was in office before is kept.
func takeNext(cfg Config, version int64) error {
	if err := putAway(cfg, version); err != nil {
		return err
	}
	if err := os.Rename(cfg.path("keys", nextKey), cfg.path("keys", originKey)); err != nil {
		return err
	}
	return durable.OS().SyncDir(cfg.path("keys"))
}

// putAway keeps the key that was in office before a charter under another name.
func putAway(cfg Config, version int64) error {
	err := os.Rename(cfg.path("keys", originKey), cfg.path("keys", "former-"+strconv.FormatInt(version-1, 10)+".key"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.OS().SyncDir(cfg.path("keys"))
}

// retire makes an origin's folder that of a mirror of the charter's origin.
func retire(cfg Config, c register.Charter) error {
	state, err := mirror.LoadState(durable.OS(), cfg.path(mirrorDir))
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	own := strings.TrimSuffix(cfg.URL, "/")
	state.Library, state.Sources = c.Library, slices.DeleteFunc(slices.Clone(c.Addresses), func(a string) bool { return a == own })
	if len(state.Sources) == 0 {
		state.Sources = slices.Clone(cfg.Witnesses)
	}
	if err := mirrorKey(cfg); err != nil {
		return err
	}
	if err := durable.MkdirAll(durable.OS(), cfg.path(mirrorDir), 0o755); err != nil {
		return err
	}
	if err := mirror.SaveState(durable.OS(), cfg.path(mirrorDir), state); err != nil {
		return err
	}
	return putAway(cfg, c.Version)
}

// newestCharter reads the last charter of a closed register, nil where there is
// none. That it counts is for register.Open to say.
func newestCharter(cfg Config) (c register.Charter, signed []byte, err error) {
	for v := int64(1); ; v++ {
		raw, err := durable.ReadFile(durable.OS(), cfg.path("register", "charters", strconv.FormatInt(v, 10)), 1<<17)
		if errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return c, nil, err
		}
		signed = raw
	}
	if signed == nil {
		return c, nil, nil
	}
	c, err = register.ParseCharter(signed)
	if err != nil {
		return c, nil, nil // damaged: register.Open says so
	}
	return c, signed, nil
}

// publicOf is the public key of one of the folder's keys, "" where there is none.
func publicOf(cfg Config, name string) (string, error) {
	_, vkey, err := readKey(cfg.path("keys", name))
	if errs.Is(err, errs.NotFound) {
		return "", nil
	}
	return vkey, err
}

// signedBy says whether the checkpoint on disk is signed by a key.
func signedBy(cfg Config, vkey string) bool {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return false
	}
	raw, err := durable.ReadFile(durable.OS(), cfg.path("register", "checkpoint"), 1<<18)
	if err != nil {
		return false
	}
	_, err = note.Open(raw, note.VerifierList(v))
	return err == nil
}

// finish does what a request has left for when the folder is closed. l is closed
// by it.
func (l *Library) finish(ctx context.Context, c *closing) error {
	cfg, log := l.Config, l.log
	if err := l.Close(); err != nil {
		return err
	}
	if c.work != nil {
		if err := c.work(ctx); err != nil {
			return err
		}
	}
	again, err := Open(ctx, cfg, Own, log)
	if err != nil {
		return err
	}
	return again.Close()
}

// awaitOffice waits until the process that owns the folder has opened it anew, as
// a charter says.
func awaitOffice(ctx context.Context, cfg Config, said Chartered) error {
	ctx, cancel := context.WithTimeout(ctx, reopenTime)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, _, err := newestCharter(cfg)
		if err != nil {
			return err
		}
		origin, err := publicOf(cfg, originKey)
		if err == nil && c.Version >= said.Version && (origin == c.Origin) == (said.Status != "superseded") {
			if conn, err := dialSocket(ctx, socketPath(cfg)); err == nil {
				return conn.Close()
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errs.WithHint(errs.New(errs.Unavailable, "the server has not come back in its new office"), "its log says why; the same command again goes on from there")
		}
	}
}
