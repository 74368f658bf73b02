package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/register"

	fnote "github.com/transparency-dev/formats/note"
)

// DraftOptions say how a charter differs from the one that holds. Empty fields
// change nothing.
type DraftOptions struct {
	From          string   // whence the charters are, URL#LIBRARYID where it says so; empty: the data folder
	Addresses     []string // replace those that there are
	Trustees      []string // public keys to add
	DropTrustees  []string // public keys, or names that only one has
	Threshold     int
	Witnesses     []string
	DropWitnesses []string
	Quorum        *int
	Expires       string // a date or a time in RFC 3339; "never"
	Origin        string // the public key of a new origin
	Rotate        bool   // a new key for this origin, in keys/next.key
	Succeed       bool   // this mirror becomes the origin, with keys/next.key
}

// DraftCharter drafts the charter that follows the newest. With Rotate or
// Succeed, keys/next.key is there and durable on return; it is made once.
func DraftCharter(ctx context.Context, cfg Config, o DraftOptions) ([]byte, Charter, error) {
	var said Charter
	var reg *register.Register
	var charters [][]byte
	var library string
	var err error
	if o.From == "" || o.Rotate || o.Succeed || o.Origin != "" {
		if reg, err = openRegister(cfg); err != nil {
			return nil, said, err
		}
		charters, library = reg.Charters(), reg.Library()
	} else if from, id, _ := strings.Cut(o.From, "#"); true {
		library = id
		if charters, err = ReadCharters(ctx, from); err != nil {
			return nil, said, err
		}
	}
	if len(charters) == 0 {
		return nil, said, errs.New(errs.NotFound, "there is no charter")
	}
	newest := charters[len(charters)-1]
	if c, err := register.ParseCharter(newest); err != nil {
		return nil, said, err
	} else if c.Version > 1 {
		library = c.Library
	}
	if !record.IsSHA256(library) {
		return nil, said, errs.WithHint(errs.New(errs.Invalid, "the first charter does not name the library"), "say which it is: --from URL#LIBRARYID; or draft where the library is")
	}
	c, err := register.NextCharter(library, newest)
	if err != nil {
		return nil, said, err
	}
	if err := o.apply(cfg, &c); err != nil {
		return nil, said, err
	}
	if o.Rotate || o.Succeed || o.Origin != "" {
		p := reg.Published()
		c.Base = &register.Base{Size: p.Size, Root: p.Root}
	}
	draft, err := register.DraftCharter(c)
	if err != nil {
		return nil, said, err
	}
	said, err = InspectCharter(draft, charters)
	return draft, said, err
}

func (o DraftOptions) apply(cfg Config, c *register.Charter) error {
	add := func(list, keys []string) []string {
		for _, k := range keys {
			if !slices.Contains(list, k) {
				list = append(list, k)
			}
		}
		return list
	}
	drop := func(list, names []string, who string) ([]string, error) {
		for _, name := range names {
			is := func(k string) bool { return k == name || keyName(k) == name }
			switch n := len(slices.Collect(filter(list, is))); {
			case n == 0:
				return nil, errs.New(errs.NotFound, "no %s is called %.200s", who, name)
			case n > 1:
				return nil, errs.New(errs.Invalid, "more than one %s is called %.200s: give the public key", who, name)
			}
			list = slices.DeleteFunc(list, is)
		}
		return list, nil
	}
	var err error
	if c.Trustees, err = drop(c.Trustees, o.DropTrustees, "trustee"); err != nil {
		return err
	}
	c.Trustees = slices.Sorted(slices.Values(add(c.Trustees, o.Trustees)))
	if c.Witnesses, err = drop(c.Witnesses, o.DropWitnesses, "witness"); err != nil {
		return err
	}
	// A mirror has one key, which it shows as it signs with it; it cosigns with the same.
	var witnesses []string
	for _, w := range o.Witnesses {
		if v, err := fnote.VKeyToCosignatureV1(w); err == nil {
			w = v
		}
		witnesses = append(witnesses, w)
	}
	c.Witnesses = add(c.Witnesses, witnesses)
	if o.Threshold != 0 {
		c.Threshold = o.Threshold
	}
	if o.Quorum != nil {
		c.Quorum = *o.Quorum
	}
	if o.Addresses != nil {
		c.Addresses = o.Addresses
	}
	switch {
	case o.Expires == "never":
		c.Expires = time.Time{}
	case o.Expires != "":
		t, err := time.Parse(time.RFC3339, o.Expires)
		if err != nil {
			if t, err = time.Parse(time.DateOnly, o.Expires); err != nil {
				return errs.New(errs.Invalid, "%q is not a date like 2030-12-31", o.Expires)
			}
		}
		c.Expires = t.UTC().Truncate(time.Second)
	}
	if o.Origin != "" {
		c.Origin = o.Origin
		return nil
	}
	if !o.Rotate && !o.Succeed {
		return nil
	}
	isOrigin, err := durable.Exists(durable.OS(), cfg.path("keys", originKey))
	if err != nil {
		return err
	}
	switch {
	case o.Rotate && !isOrigin:
		return errs.WithHint(errs.New(errs.Refused, "%s is not an origin's: there is no key to change", cfg.Data), "--succeed makes a mirror the origin")
	case o.Succeed && isOrigin:
		return errs.WithHint(errs.New(errs.Refused, "%s is the origin's already", cfg.Data), "--rotate gives it a new key")
	}
	if o.Succeed && o.Addresses == nil {
		if cfg.URL == "" {
			return errs.WithHint(errs.New(errs.Invalid, "the charter is to say at what address the library will be"), "add --address, or url to the configuration")
		}
		c.Addresses = []string{strings.TrimSuffix(cfg.URL, "/")}
	}
	if o.Succeed { // who appends is no witness of it
		if own, err := publicOf(cfg, mirrorKeyFile); err != nil {
			return err
		} else if key, err := fnote.VKeyToCosignatureV1(own); err == nil {
			c.Witnesses = slices.DeleteFunc(c.Witnesses, func(w string) bool { return w == key })
			c.Quorum = min(c.Quorum, len(c.Witnesses))
		}
	}
	c.Origin, err = makeNextKey(cfg, c.Log)
	return err
}

func filter[T any](list []T, keep func(T) bool) func(yield func(T) bool) {
	return func(yield func(T) bool) {
		for _, v := range list {
			if keep(v) && !yield(v) {
				return
			}
		}
	}
}

// makeNextKey makes keys/next.key, or finds it, and returns its public key.
func makeNextKey(cfg Config, log string) (vkey string, err error) {
	if err := durable.MkdirAll(durable.OS(), cfg.path("keys"), 0o700); err != nil {
		return "", err
	}
	file := cfg.path("keys", nextKey)
	if there, err := durable.Exists(durable.OS(), file); err != nil {
		return "", err
	} else if !there {
		return MakeKey(file, log)
	}
	signer, vkey, err := readKey(file)
	if err == nil && signer.Name() != log {
		err = errs.New(errs.Refused, "%s is a key of another library", file)
	}
	return vkey, err
}
