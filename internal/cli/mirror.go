package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"

	"github.com/spf13/cobra"
)

func (e *env) mirrorCommand() *cobra.Command {
	var listen, url, contact, name, space, choose, deny, poll string
	var from []string
	var once, noFiles, files bool
	c := &cobra.Command{
		Use:   "mirror URL[#ID]",
		Short: "Copy another library, follow it and serve it read-only",
		Long: `Copies a library from its address, or from a folder that wenlan export wrote:
first the register, then the files that anyone may have. Every byte is checked
before it counts: nobody has to be believed but the trustees. It goes on copying
what is new and serves the whole site under its own address.

URL#ID says which library it must be; else the id of the library that is found is
printed and counts from then on. Interrupt it at will. The same folder goes on
being a mirror under wenlan serve.`,
		Example: "  wenlan --data /srv/copy mirror https://books.example.org\n" +
			"  wenlan --data /srv/copy mirror https://books.example.org --space 200GB --select 'lang:zh kind:book'\n" +
			"  wenlan --data /srv/copy mirror /media/disk/export --once",
		Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&listen, "listen", "", "the address to serve on (default "+app.DefaultListen+"); port 0 takes a free one")
	f.StringVar(&url, "url", "", "the public address of this mirror")
	f.StringVar(&contact, "contact", "", "where notices go; a public address needs one")
	f.StringVar(&name, "name", "", "what the library is called on this mirror's pages")
	f.BoolVar(&once, "once", false, "copy what is there and stop")
	f.StringSliceVar(&from, "from", nil, "more addresses or folders to copy from")
	f.StringVar(&space, "space", "", "hold at most so much of files, such as 200GB; 0: no limit")
	f.StringVar(&choose, "select", "", "hold only the files of some records: 'lang:zh kind:book year:1900..1950'; all: everything")
	f.BoolVar(&noFiles, "no-files", false, "catalogue and search only, no files")
	f.BoolVar(&files, "files", false, "files too, on a mirror that was made with --no-files")
	f.StringVar(&deny, "deny", "", "a file of what is refused here, one a line: a record's number or a SHA-256, and the reason; -: nothing")
	f.StringVar(&poll, "poll", "", "how often to ask what is new (default 1m)")
	c.MarkFlagsMutuallyExclusive("files", "no-files")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := e.config()
		if err != nil {
			return err
		}
		override(&cfg.Listen, listen)
		override(&cfg.URL, url)
		override(&cfg.Contact, contact)
		override(&cfg.Name, name)
		override(&cfg.Poll, poll)
		opt := app.MirrorOptions{Sources: append(args, from...)}
		if cmd.Flags().Changed("space") {
			n, err := parseSize(space)
			if err != nil {
				return usageError{err}
			}
			opt.Space = &n
		}
		if cmd.Flags().Changed("select") {
			if choose == "all" {
				choose = ""
			}
			opt.Select = &choose
		}
		if noFiles || files {
			opt.NoFiles = &noFiles
		}
		if deny != "" {
			if deny == "-" {
				deny = ""
			}
			opt.Deny = &deny
		}
		made, err := app.InitMirror(cmd.Context(), cfg, opt, e.log())
		if err != nil {
			return err
		}
		if made.Pinned {
			e.note(e.t("cli.mirror.pinned", made.Library, made.Source+"#"+made.Library))
		}
		if once {
			return e.mirrorOnce(cmd, cfg, made)
		}
		return e.serve(cmd.Context(), cfg)
	}
	return c
}

// mirrored is what `mirror --once --json` prints.
type mirrored struct {
	Library string `json:"library"`
	mirror.Status
}

func (e *env) mirrorOnce(cmd *cobra.Command, cfg app.Config, made app.Mirrored) error {
	line := e.liveLine()
	st, err := app.MirrorOnce(cmd.Context(), cfg, e.log(), func(s mirror.Status) { line.set(e.mirrorLine(s)) })
	line.end()
	if err != nil {
		return err
	}
	if e.json {
		return e.print(mirrored{Library: made.Library, Status: st})
	}
	return e.say(e.mirrorLine(st))
}

// mirrorLine says in one line how far a mirror is.
func (e *env) mirrorLine(s mirror.Status) string {
	return e.t("cli.mirror.line", s.Size, max(s.Size, s.Target), s.Files.Files, s.Wanted.Files, size(s.Files.Bytes))
}

// liveLine is one line about work that goes on: written over on a terminal, else
// every few seconds.
type liveLine struct {
	e        *env
	last     time.Time
	terminal bool
}

func (e *env) liveLine() *liveLine {
	return &liveLine{e: e, last: time.Now(), terminal: isTerminal(e.stderr)}
}

func (l *liveLine) set(text string) {
	switch {
	case l.e.quiet:
	case l.terminal:
		fmt.Fprintf(l.e.stderr, "\r%s\x1b[K", plain(text))
	case time.Since(l.last) >= progressEvery:
		l.last = time.Now()
		l.e.note(text)
	}
}

func (l *liveLine) end() {
	if l.terminal && !l.e.quiet {
		fmt.Fprint(l.e.stderr, "\r\x1b[K")
	}
}

var sizeForm = regexp.MustCompile(`^(?i)([0-9]{1,12})\s*([kmgtp]?)(i?)b?$`)

// parseSize reads a number of bytes: 200GB, 1.5 has no meaning, 64MiB, 1000.
func parseSize(s string) (int64, error) {
	m := sizeForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, fmt.Errorf("%q is not a size such as 200GB", s)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, err
	}
	unit := int64(1000)
	if m[3] != "" {
		unit = 1024
	}
	for range strings.Index(" kmgtp", strings.ToLower(m[2] + " ")[:1]) {
		if n > (1<<62)/unit {
			return 0, errs.New(errs.Invalid, "%q is more than there is", s)
		}
		n *= unit
	}
	return n, nil
}

// size is a number of bytes as people read it.
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	v, u := float64(n), 0
	for v >= 1000 && u < len(units)-1 {
		v, u = v/1000, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[u])
}
