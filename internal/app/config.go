// Package app builds a library's parts and joins them: it makes and opens the
// data folder, follows the register with the views, serves the site, and does
// the work of every command that writes.
//
// # One owner
//
// One process owns a data folder at a time and holds DATA/wenlan.lock. While
// `serve` owns it, it listens on DATA/wenlan.sock (mode 0600); [Do] hands a
// request to it there, or, where nobody owns the folder, opens it and does the
// work itself. Reading needs no lock: the register, the blobs and the views may
// be read by any process at any time.
package app

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/mirror/witness"

	"github.com/pelletier/go-toml/v2"
)

// Config is the whole configuration. Each field can be set in the file
// wenlan.toml of the data folder under its toml name, by the environment
// variable WENLAN_ and that name in capitals, and, where a command has it, by a
// flag; the later of these counts. The zero value works.
type Config struct {
	// Data is the data folder.
	Data string `toml:"-"`
	// Name is what the library is called on its pages.
	Name string `toml:"name,omitempty"`
	// URL is the public address, such as https://books.example.org; empty for a
	// library that only this machine uses.
	URL string `toml:"url,omitempty"`
	// Contact is where notices go: a mail address or a URL. A public address needs one.
	Contact string `toml:"contact,omitempty"`
	// Listen is the address to serve on, host:port; port 443 with an https URL
	// gets its certificate by itself (ACME), and port 80 redirects to it.
	Listen string `toml:"listen,omitempty"`
	// ACME is the directory of the authority that certificates come from (RFC
	// 8555, section 7.1.1); empty: Let's Encrypt.
	ACME string `toml:"acme,omitempty"`
	// Source is where the source of the program that runs can be had, as its
	// licence (AGPL-3.0, section 13) wants it offered; shown on /about.
	Source string `toml:"source,omitempty"`
	// Stores are more folders for blobs, on other disks; DATA/blobs is always one.
	Stores []string `toml:"stores,omitempty"`
	// Witnesses are where the charter's witnesses are asked to cosign: the address of
	// a mirror, or the submission prefix (C2SP tlog-witness) of another program. Those
	// that have announced themselves are asked as well.
	Witnesses []string `toml:"witnesses,omitempty"`
	// Poll is how often a mirror asks what is new, such as 1m; default one minute.
	Poll string `toml:"poll,omitempty"`
	// Torrents is the address for BitTorrent clients of the shelves, such as :6881,
	// or off; empty: :6881 where there is a public address, and off where not.
	Torrents string `toml:"torrents,omitempty"`
	// PlaceHeader is the request header in which a trusted proxy states the
	// reader's country (ISO 3166-1 alpha-2); empty: the place is not known.
	PlaceHeader string `toml:"place_header,omitempty"`
	// LogFormat is text or json.
	LogFormat string `toml:"log_format,omitempty"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `toml:"log_level,omitempty"`
	// TrusteeKey is the file for the first trustee's key, used by init alone.
	TrusteeKey string `toml:"-"`
	// Version is the program's.
	Version string `toml:"-"`
	// Now is the clock; nil: time.Now.
	Now func() time.Time `toml:"-"`
}

// DefaultListen is the address that serve takes when none is configured.
const DefaultListen = "127.0.0.1:8080"

// configFile is the optional configuration file, in the data folder.
const configFile = "wenlan.toml"

// DefaultData is where a library lives when nothing else is said:
// WENLAN_DATA, else wenlan in XDG_DATA_HOME, else in ~/.local/share.
func DefaultData() string {
	if dir := os.Getenv("WENLAN_DATA"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "wenlan")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "wenlan-data"
	}
	return filepath.Join(home, ".local", "share", "wenlan")
}

// LoadConfig reads the configuration of a data folder: file, then environment.
// An unknown key is an error that names it.
func LoadConfig(data string) (Config, error) {
	cfg := Config{Data: data}
	raw, err := os.ReadFile(filepath.Join(data, configFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cfg, errs.New(errs.Invalid, "read the configuration: %w", err)
	}
	dec := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields()
	if err := dec.Decode(&cfg); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) && len(strict.Errors) > 0 {
			return cfg, errs.New(errs.Invalid, "%s has a key that means nothing: %s", filepath.Join(data, configFile), strings.Join(strict.Errors[0].Key(), "."))
		}
		return cfg, errs.New(errs.Invalid, "%s: %w", filepath.Join(data, configFile), err)
	}
	for name, field := range map[string]*string{
		"WENLAN_NAME": &cfg.Name, "WENLAN_URL": &cfg.URL, "WENLAN_CONTACT": &cfg.Contact, "WENLAN_LISTEN": &cfg.Listen,
		"WENLAN_ACME": &cfg.ACME, "WENLAN_TORRENTS": &cfg.Torrents, "WENLAN_SOURCE": &cfg.Source, "WENLAN_PLACE_HEADER": &cfg.PlaceHeader, "WENLAN_POLL": &cfg.Poll, "WENLAN_LOG_FORMAT": &cfg.LogFormat, "WENLAN_LOG_LEVEL": &cfg.LogLevel,
	} {
		if v, ok := os.LookupEnv(name); ok {
			*field = v
		}
	}
	if v, ok := os.LookupEnv("WENLAN_STORES"); ok {
		cfg.Stores = filepath.SplitList(v)
	}
	if v, ok := os.LookupEnv("WENLAN_WITNESSES"); ok {
		cfg.Witnesses = strings.Fields(v)
	}
	return cfg, nil
}

// Check says what is wrong with the configuration.
func (c Config) Check() error {
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
			return errs.New(errs.Invalid, "%q is not the address of a site: https://books.example.org", c.URL)
		}
		if c.Contact == "" && !isLocal(u.Hostname()) {
			return errs.WithHint(errs.New(errs.Invalid, "a library with a public address needs a contact for notices"), "add --contact with a mail address or a URL")
		}
	}
	for _, address := range []string{c.ACME, c.Source} {
		if u, err := url.Parse(address); address != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
			return errs.New(errs.Invalid, "%q is not an address: https://example.org/…", address)
		}
	}
	for _, address := range c.Witnesses {
		if _, err := witness.Prefix(address); err != nil {
			return err
		}
	}
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			return errs.New(errs.Invalid, "%q is not an address to listen on: 127.0.0.1:8080", c.Listen)
		}
	}
	if d, err := time.ParseDuration(c.Poll); c.Poll != "" && (err != nil || d <= 0) {
		return errs.New(errs.Invalid, "%q is not how often to ask: 1m", c.Poll)
	}
	if err := checkTorrents(c.Torrents); err != nil {
		return err
	}
	switch c.LogFormat {
	case "", "text", "json":
	default:
		return errs.New(errs.Invalid, "%q is not a log format: text or json", c.LogFormat)
	}
	switch c.LogLevel {
	case "", "debug", "info", "warn", "error":
	default:
		return errs.New(errs.Invalid, "%q is not a log level: debug, info, warn or error", c.LogLevel)
	}
	return nil
}

func isLocal(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (c Config) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// poll is how often a mirror asks; 0: its default.
func (c Config) poll() time.Duration {
	d, _ := time.ParseDuration(c.Poll) // checked before
	return d
}

func (c Config) path(parts ...string) string {
	return filepath.Join(append([]string{c.Data}, parts...)...)
}

// trusteeKey is where init writes the first trustee's key: beside the data
// folder, never in it.
func (c Config) trusteeKey() string {
	if c.TrusteeKey != "" {
		return c.TrusteeKey
	}
	return filepath.Clean(c.Data) + "-trustee.key"
}
