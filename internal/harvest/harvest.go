// Package harvest fetches what other catalogues publish: OAI-PMH 2.0 servers
// (https://www.openarchives.org/OAI/openarchivesprotocol.html) and OPDS 1.2 and 2.0
// catalogues. It gives the records as a stream in a form of package format, which
// the intake reads as it reads a file; nothing is appended here.
//
// # On disk
//
// Below DATA/harvest:
//
//	NAME-HASH.json   how far the harvest of a source has come; HASH is of what was asked
//	partial/         files of which only a part has come, the last eight
//
// All of it may be removed: the next harvest then asks for everything again, and what
// is known already appends nothing. So it does where the register is not the one, or
// has less than the one, into which the last harvest went, such as an older copy.
//
// # Manners
//
// One request at a time, with a pause between them where one is wanted, a User-Agent
// that names the library, and compression. An answer 429 or 503 is waited for as
// Retry-After says. Every answer is bounded in bytes, and in the time that nothing comes.
//
// # Trust
//
// A catalogue is believed in what it says of works, not in where it sends us. Addresses
// are http or https, no redirect leads from https to http. The librarian's own address
// may be anywhere; where it is of the public Internet, no other that the catalogue
// names is connected to within this machine or its own network. (Through a proxy,
// HTTP_PROXY, the proxy decides.) Feeds are followed within the catalogue's own host.
// A file is read as one that somebody brought, before it becomes a blob, and only where
// its rights are stated in a form that a program can read; see OPDS.
package harvest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/format"
)

// Config says how to harvest. FS and Dir must be set; every other zero value works.
type Config struct {
	FS        durable.FS
	Dir       string        // DATA/harvest
	UserAgent string        // default "wenlan"
	Pause     time.Duration // between the end of one request and the next
	// A request ends when it brings fewer than StallBytes within StallAfter; default
	// 1 KiB and one minute. Headers is how long the first byte may take, because
	// servers search before they answer; default five minutes.
	StallAfter time.Duration
	StallBytes int64
	Headers    time.Duration
	Longest    time.Duration // of one answer, however fast; default two hours
	Tries      int           // of one request that fails for a reason that may pass; default 6
	MaxFile    int64         // bytes of one file; default 1 GiB
	// Register is what is harvested into; nil: what is remembered always holds.
	Register Register
	Now      func() time.Time
	Wait     func(ctx context.Context, d time.Duration) error // default: a timer
	Log      *slog.Logger
}

// Register is the library's register, by which is told whether it still has what was
// harvested into it.
type Register interface {
	Size() int64                     // entries
	Root(size int64) (string, error) // over the first so many entries
}

func (c Config) withDefaults() Config {
	if c.UserAgent == "" {
		c.UserAgent = "wenlan"
	}
	if c.StallAfter <= 0 {
		c.StallAfter = time.Minute
	}
	if c.StallBytes <= 0 {
		c.StallBytes = 1 << 10
	}
	if c.Headers <= 0 {
		c.Headers = 5 * time.Minute
	}
	if c.Longest <= 0 {
		c.Longest = 2 * time.Hour
	}
	if c.Tries <= 0 {
		c.Tries = 6
	}
	if c.MaxFile <= 0 {
		c.MaxFile = 1 << 30
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Harvest is one under way. Read is the stream of records in the form Form; its
// error is of a kind, and one sentence. One goroutine reads; Durable and Finish may
// be called by another meanwhile.
type Harvest interface {
	io.Reader
	Form() *format.Bulk
	// Durable says that the first so many records that were read are in the library:
	// where the harvest was then is remembered, so that after a kill it goes on there.
	Durable(records int64)
	// Finish says that the import has ended, whole or with an error, and remembers for
	// the next time. It is durable when it returns nil. Nothing is read after it.
	Finish(imported error) error
}

// SourceName is the name of the source at an address: its host and path.
func SourceName(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	name := strings.TrimPrefix(strings.ToLower(u.Host), "www.") + strings.TrimSuffix(u.Path, "/")
	if len(name) > 200 {
		name = name[:200]
	}
	return strings.ToValidUTF8(name, "")
}

// IsAddress says whether an input is an address to harvest, and no file.
func IsAddress(input string) bool {
	return strings.HasPrefix(input, "http://") || strings.HasPrefix(input, "https://")
}

// checkAddress is an address to begin with; errs.Invalid.
func checkAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxAddress || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errs.New(errs.Invalid, "%.80q is not an address to harvest: https://…", address)
	}
	u.Fragment = ""
	return u, nil
}

// maxAddress is the longest address that is asked, in bytes.
const maxAddress = 8 << 10

// maxState bounds a state file, in bytes.
const maxState = 256 << 20

// saveEvery is how often a harvest that goes on remembers where it is.
const saveEvery = 5 * time.Second

// stateFile is the name of the file of a harvest, by everything that makes it
// another one.
func (c Config) stateFile(source string, asked ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(asked, "\x00")))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(source))
	name = strings.TrimLeft(name[:min(len(name), 80)], ".")
	return filepath.Join(c.Dir, name+"-"+hex.EncodeToString(sum[:4])+".json")
}

// into is the register as it was when a state was saved.
type into struct {
	Entries int64  `json:"entries,omitempty"`
	Root    string `json:"root,omitempty"`
}

// now is the register as it is.
func (c Config) now() (in into, err error) {
	if c.Register != nil {
		in.Entries = c.Register.Size()
		in.Root, err = c.Register.Root(in.Entries)
	}
	return in, err
}

// holds says whether the register has all that it had then; if not, says so.
func (c Config) holds(in into) (bool, error) {
	if c.Register == nil || in == (into{}) {
		return true, nil
	}
	why := "has fewer entries than then"
	if in.Entries <= c.Register.Size() {
		root, err := c.Register.Root(in.Entries)
		if err != nil || root == in.Root {
			return err == nil, err
		}
		why = "is another one"
	}
	c.Log.Warn("what is remembered of the last harvest is not used, because the register " + why + ": everything is asked for again")
	return false, nil
}

// load reads a state; one that is not there, or cannot be read, is as new.
func load[T any](c Config, name string) T {
	var state, none T
	data, err := durable.ReadFile(c.FS, name, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return none
	}
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err != nil {
		state = none
		c.Log.Warn("what is remembered of the last harvest cannot be read: everything is asked for again", "file", name, "error", err)
	}
	return state
}

// save writes a state; it is durable on return.
func (c Config) save(name string, state any) error {
	data, err := json.Marshal(state)
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(c.FS, filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return durable.WriteFile(c.FS, name, data, 0o644)
}
