package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/register"

	"golang.org/x/mod/sumdb/note"
)

const (
	nextKey     = "next.key"       // the key of an origin that a charter is to name
	maxSource   = 64 << 20         // bytes of a list of charters
	charterTime = 30 * time.Second // for an answer
)

// Charter is what a charter says, and who has signed it.
type Charter struct {
	Library    string           `json:"library"` // "-" in the first one
	Version    int64            `json:"version"`
	Previous   string           `json:"previous"`
	Base       *CharterBase     `json:"base,omitempty"`
	Log        string           `json:"log"`
	Origin     string           `json:"origin"`
	Addresses  []string         `json:"addresses,omitempty"`
	Trustees   []CharterTrustee `json:"trustees"`
	Threshold  int              `json:"threshold"`
	Before     *CharterBefore   `json:"before,omitempty"` // the charter before; absent: not known, or none
	Witnesses  []string         `json:"witnesses,omitempty"`
	Quorum     int              `json:"quorum"`
	Expires    *time.Time       `json:"expires,omitempty"`
	Strangers  []string         `json:"strangers,omitempty"` // names of signatures by no trustee, or wrong ones
	Missing    int              `json:"missing"`             // signatures that its own trustees still owe
	MissingOld int              `json:"missing_before"`      // signatures that the trustees before still owe
	Counts     bool             `json:"counts"`              // as far as is known here
	Note       string           `json:"note"`
}

// CharterBase is the state of the register that a new origin continues.
type CharterBase struct {
	Size int64  `json:"size"`
	Root string `json:"root"`
}

// CharterTrustee is one who may sign, and whether he has.
type CharterTrustee struct {
	Name   string `json:"name"`
	Key    string `json:"key"`
	Signed bool   `json:"signed"`
}

// CharterBefore is what the charter before said that this one may change.
type CharterBefore struct {
	Origin    string           `json:"origin"`
	Addresses []string         `json:"addresses,omitempty"`
	Witnesses []string         `json:"witnesses,omitempty"`
	Quorum    int              `json:"quorum"`
	Trustees  []CharterTrustee `json:"trustees"`
	Threshold int              `json:"threshold"`
}

// InspectCharter says what a charter, or the draft of one, says. among are the
// charters in which the one before it may be.
func InspectCharter(draft []byte, among [][]byte) (Charter, error) {
	c, err := register.ParseDraft(draft)
	if err != nil {
		return Charter{}, err
	}
	old, before, err := previousOf(c, among)
	if err != nil {
		return Charter{}, err
	}
	tally, err := register.CountSignatures(old, draft)
	if err != nil {
		return Charter{}, err
	}
	signed := map[string]bool{}
	out := Charter{Library: c.Library, Version: c.Version, Previous: c.Previous, Log: c.Log, Origin: c.Origin, Addresses: c.Addresses,
		Threshold: c.Threshold, Witnesses: c.Witnesses, Quorum: c.Quorum, Missing: tally.Missing, MissingOld: tally.MissingOld, Note: string(draft)}
	for _, s := range tally.Signatures {
		if s.Good {
			signed[s.Key] = true
		} else {
			out.Strangers = append(out.Strangers, s.Name)
		}
	}
	out.Trustees = trustees(c.Trustees, signed)
	if old != nil {
		out.Before = &CharterBefore{Origin: before.Origin, Addresses: before.Addresses, Witnesses: before.Witnesses, Quorum: before.Quorum, Trustees: trustees(before.Trustees, signed), Threshold: before.Threshold}
	}
	if c.Base != nil {
		out.Base = &CharterBase{c.Base.Size, c.Base.Root.String()}
	}
	if !c.Expires.IsZero() {
		out.Expires = &c.Expires
	}
	if tally.OldKnown {
		_, err := register.VerifyCharter(old, draft)
		out.Counts = err == nil
	}
	return out, nil
}

// previousOf finds the charter before c among charters.
func previousOf(c register.Charter, among [][]byte) (old []byte, before register.Charter, err error) {
	for _, signed := range among {
		b, err := register.ParseCharter(signed)
		if err != nil {
			return nil, before, err
		}
		if b.Version != c.Version-1 {
			continue
		}
		if next, err := register.NextCharter(c.Library, signed); err == nil && next.Previous == c.Previous {
			return signed, b, nil
		}
	}
	return nil, before, nil
}

func trustees(keys []string, signed map[string]bool) []CharterTrustee {
	list := make([]CharterTrustee, len(keys))
	for i, k := range keys {
		list[i] = CharterTrustee{Name: keyName(k), Key: k, Signed: signed[k]}
	}
	return list
}

// keyName is the name in a public key, NAME+HASH+KEY.
func keyName(vkey string) string {
	name, _, _ := strings.Cut(vkey, "+")
	return name
}

// ReadCharters reads charters from a file, which holds a note or a JSON array of
// notes, or from the address of a library. A list is checked to be a succession
// that counts; a single note is not.
func ReadCharters(ctx context.Context, from string) ([][]byte, error) {
	var raw []byte
	var err error
	if strings.HasPrefix(from, "http://") || strings.HasPrefix(from, "https://") {
		raw, err = fetchCharters(ctx, from)
	} else {
		raw, err = readBounded(from, maxSource)
	}
	if err != nil {
		return nil, err
	}
	return parseCharters(from, raw)
}

// parseCharters reads a note, or a list of notes that is a succession.
func parseCharters(from string, raw []byte) ([][]byte, error) {
	if len(raw) == 0 || raw[0] != '[' {
		return [][]byte{raw}, nil
	}
	var notes []string
	if err := json.Unmarshal(raw, &notes); err != nil {
		return nil, errs.New(errs.Refused, "%s is not a list of charters: %w", from, err)
	}
	list := make([][]byte, len(notes))
	for i, n := range notes {
		list[i] = []byte(n)
	}
	if len(list) == 0 {
		return nil, errs.New(errs.Refused, "%s has no charter", from)
	}
	if _, err := register.VerifyCharters("", list); err != nil {
		return nil, err
	}
	return list, nil
}

func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errs.New(errs.NotFound, "there is no file %s", name)
	} else if err != nil {
		return nil, errs.New(errs.Refused, "read %s: %w", name, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, errs.New(errs.Refused, "read %s: %w", name, err)
	}
	if int64(len(raw)) > limit {
		return nil, errs.New(errs.TooLarge, "%s is longer than %d bytes", name, limit)
	}
	return raw, nil
}

// chartersAt is where a library of an address has its charters.
func chartersAt(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", errs.New(errs.Invalid, "%q is not the address of a library: https://books.example.org", address)
	}
	u.Fragment = "" // URL#LIBRARYID
	return u.JoinPath("register", "charters").String(), nil
}

func fetchCharters(ctx context.Context, address string) ([]byte, error) {
	at, err := chartersAt(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, charterTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, errs.New(errs.Unavailable, "%s does not answer: %w", address, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errs.New(errs.NotFound, "%s has no charters: it answers %s", address, resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxSource+1))
	if err != nil {
		return nil, errs.New(errs.Unavailable, "read the charters of %s: %w", address, err)
	}
	if len(raw) > maxSource {
		return nil, errs.New(errs.TooLarge, "the charters of %s are longer than %d bytes", address, maxSource)
	}
	return raw, nil
}

// PostCharter gives a charter to the library at an address.
func PostCharter(ctx context.Context, address string, signed []byte) error {
	return postCharter(ctx, http.DefaultClient, address, signed)
}

func postCharter(ctx context.Context, client *http.Client, address string, signed []byte) error {
	at, err := chartersAt(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, charterTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(string(signed)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := client.Do(req)
	if err != nil {
		return errs.New(errs.Unavailable, "%s does not answer: %w", address, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var said struct {
		Error struct{ Kind, Message string }
	}
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(raw, &said) == nil && said.Error.Message != "" {
		return errs.New(errs.ParseKind(said.Error.Kind), "%s: %s", address, said.Error.Message)
	}
	return errs.New(errs.Refused, "%s does not take the charter: it answers %s", address, resp.Status)
}

// MakeKey writes a new signing key to a file, mode 0600, that must not exist yet,
// and returns the public key.
func MakeKey(file, name string) (vkey string, err error) {
	secret, vkey, err := register.GenerateKeys(name)
	if err == nil {
		_, err = register.PublicKey(secret)
	}
	if err != nil {
		return "", errs.New(errs.Invalid, "%q is not a name for a key: it has no spaces and no plus", name)
	}
	if err := writeNew(file, []byte(secret+"\n")); errors.Is(err, fs.ErrExist) {
		return "", errs.WithHint(errs.New(errs.Refused, "%s is already there and is never overwritten", file), "name another file")
	} else if err != nil {
		return "", errs.New(errs.Refused, "write the key: %w", err)
	}
	return vkey, nil
}

// readKey reads a signing key and its public key.
func readKey(file string) (signer note.Signer, vkey string, err error) {
	raw, err := readBounded(file, 4096)
	if err != nil {
		return nil, "", err
	}
	secret := strings.TrimSpace(string(raw))
	if vkey, err = register.PublicKey(secret); err != nil {
		return nil, "", errs.New(errs.Invalid, "%s is not a signing key", file)
	}
	signer, err = note.NewSigner(secret)
	return signer, vkey, err
}

// FolderKey is a key of the data folder, or of a file.
type FolderKey struct {
	Name   string `json:"key"` // origin, next, mirror
	Public string `json:"public"`
}

// PublicKeys are the public halves of the keys in a data folder.
func PublicKeys(cfg Config) ([]FolderKey, error) {
	var list []FolderKey
	for _, name := range []string{originKey, nextKey, mirrorKeyFile} {
		vkey, err := publicOf(cfg, name)
		if err != nil {
			return nil, err
		}
		if vkey != "" {
			list = append(list, FolderKey{strings.TrimSuffix(name, ".key"), vkey})
		}
	}
	if len(list) == 0 {
		return nil, errs.New(errs.NotFound, "there is no key in %s", cfg.path("keys"))
	}
	return list, nil
}

// PublicKey is the public half of a key file.
func PublicKey(file string) (string, error) {
	_, vkey, err := readKey(file)
	return vkey, err
}

// Signing is a charter that a trustee is about to sign.
type Signing struct {
	Charter Charter
	Key     string // his public key
	Role    string // "trustee": under the charter; "former": only under the one before; "unknown": that one is not known here
	draft   []byte
	signer  note.Signer
}

// PrepareSigning reads a draft and a key. It needs no library. It refuses a key
// that is known to have no say.
func PrepareSigning(draft []byte, among [][]byte, keyFile string) (*Signing, error) {
	signer, vkey, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	c, err := InspectCharter(draft, among)
	if err != nil {
		return nil, err
	}
	has := func(list []CharterTrustee) bool {
		return slices.ContainsFunc(list, func(t CharterTrustee) bool { return t.Key == vkey })
	}
	s := &Signing{Charter: c, Key: vkey, Role: "unknown", draft: draft, signer: signer}
	switch {
	case has(c.Trustees):
		s.Role = "trustee"
	case c.Before != nil && has(c.Before.Trustees):
		s.Role = "former"
	case c.Before != nil || c.Version == 1:
		return nil, errs.New(errs.Refused, "the key %s is no trustee's, neither under this charter nor under the one before: its signature would make the charter void", keyName(vkey))
	}
	return s, nil
}

// Sign adds the signature.
func (s *Signing) Sign() ([]byte, error) { return register.SignDraft(s.draft, s.signer) }

// MergeCharters joins the signatures of drafts of one text.
func MergeCharters(drafts [][]byte) ([]byte, error) { return register.MergeDrafts(drafts...) }

// openRegister opens the register of a data folder for reading.
func openRegister(cfg Config) (*register.Register, error) {
	there, err := exists(cfg)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, errs.WithHint(errs.New(errs.NotFound, "there is no library in %s", cfg.Data), "--data names the folder; --from takes the charters from a file or an address")
	}
	return register.Open(register.Config{Dir: cfg.path("register"), Now: cfg.Now})
}

// LocalCharters are the charters of the data folder, the oldest first.
func LocalCharters(cfg Config) ([][]byte, error) {
	reg, err := openRegister(cfg)
	if err != nil {
		return nil, err
	}
	return reg.Charters(), nil
}

// CharterRequest takes in a charter.
type CharterRequest struct {
	Note string `json:"note"`
}

// Chartered says what became of a charter.
type Chartered struct {
	Version int64  `json:"version"`
	Status  string `json:"status"`          // known, stored; rotated: this origin has a new key; superseded: another is the origin; succeeded: this is the origin now
	Entry   *int64 `json:"entry,omitempty"` // at the origin: the entry that it became
}

// isOrigin says whether this library may append: it has the origin's key.
func (l *Library) isOrigin() bool { return l.intake != nil }

// follows reads a charter that comes next after the newest, old, or is the newest:
// known. It does not say whether it counts.
func (l *Library) follows(signed []byte) (c register.Charter, old []byte, known bool, err error) {
	if c, err = register.ParseDraft(signed); err != nil {
		return c, nil, false, err
	}
	charters := l.Register.Charters()
	newest, ok := l.Register.Charter()
	if !ok {
		return c, nil, false, errs.New(errs.Refused, "this register has no charters")
	}
	if library := l.Register.Library(); c.Log != newest.Log || c.Version > 1 && c.Library != library {
		return c, nil, false, errs.New(errs.Forbidden, "the charter is of another library: this is %s", library)
	}
	same := func(version int64) bool { return register.SameCharter(charters[version-1], signed) }
	switch {
	case c.Version == newest.Version && same(c.Version):
		if c.Version > 1 {
			old = charters[c.Version-2]
		}
		return c, old, true, nil
	case c.Version < newest.Version && same(c.Version):
		return c, nil, false, errs.New(errs.Conflict, "charter %d has been followed by charter %d: it does not hold any more", c.Version, newest.Version)
	case c.Version <= newest.Version:
		return c, nil, false, errs.New(errs.Conflict, "there is another charter %d here, which counts", c.Version)
	case c.Version > newest.Version+1:
		return c, nil, false, errs.New(errs.Conflict, "charter %d follows charter %d, which is not here yet: send that first", c.Version, c.Version-1)
	}
	return c, charters[len(charters)-1], false, nil
}

// addCharter takes in a charter that counts: it is durable on return, and at an
// origin that it leaves in office it is an entry as well. One that changes the office
// of this folder takes effect when it is opened anew: see [settleOffice].
func (l *Library) addCharter(ctx context.Context, signed []byte) (said Chartered, err error) {
	l.chartering.Lock()
	defer l.chartering.Unlock()
	c, old, known, err := l.follows(signed)
	said = Chartered{Version: c.Version, Status: "known"}
	if err != nil || known {
		return said, err
	}
	if err := checkCounts(old, signed); err != nil {
		return said, err
	}
	said.Status = "stored"
	newest, _ := l.Register.Charter()
	switch {
	case !l.isOrigin():
		if l.copying != nil {
			l.copying.mirror.Yield()
		}
		if err = l.Register.AddCharter(ctx, signed); err == nil {
			l.chartered()
		}
		return said, err
	case c.Origin != newest.Origin:
		said.Status = "superseded"
		if next, err := publicOf(l.Config, nextKey); err != nil {
			return said, err
		} else if next == c.Origin {
			said.Status = "rotated"
			if err := l.holdsBase(c); err != nil {
				return said, err
			}
		}
		return said, l.Register.AddCharter(ctx, signed)
	}
	raw, err := record.Encode(record.Entry{Type: record.TypeCharter, Time: l.Config.now(), Note: string(signed)})
	if err != nil {
		return said, err
	}
	i, err := l.Append(ctx, [][]byte{raw})
	said.Entry = &i
	return said, err
}

// reopens says whether the folder has to be opened anew for a charter.
func (c Chartered) reopens() bool { return c.Status == "rotated" || c.Status == "superseded" }

// checkCounts says in a sentence why a charter does not count.
func checkCounts(old, signed []byte) error {
	tally, err := register.CountSignatures(old, signed)
	if err != nil {
		return err
	}
	if tally.MissingOld > 0 {
		return errs.New(errs.Refused, "charter %d does not count: %d more of the trustees before must sign", tally.Charter.Version, tally.MissingOld)
	}
	if tally.Missing > 0 {
		return errs.New(errs.Refused, "charter %d does not count: %d more of its trustees must sign", tally.Charter.Version, tally.Missing)
	}
	_, err = register.VerifyCharter(old, signed)
	return err
}

// publishCharter is addCharter for the librarian.
func (l *Library) publishCharter(ctx context.Context, req CharterRequest, emit func(Event)) error {
	said, err := l.addCharter(ctx, []byte(req.Note))
	switch {
	case err != nil:
		return err
	case said.reopens():
		return &closing{said: said}
	}
	emit(Event{Charter: &said})
	return nil
}

// postedCharter is addCharter for whoever brings one over HTTP.
func (l *Library) postedCharter(ctx context.Context, signed []byte) (version int64, err error) {
	said, err := l.addCharter(ctx, signed)
	if err != nil || said.Status == "known" {
		return said.Version, err
	}
	l.log.WarnContext(ctx, "a charter was brought and counts", "version", said.Version, "status", said.Status)
	if said.reopens() && l.reopen != nil {
		l.reopen(&closing{said: said})
	}
	return said.Version, nil
}
