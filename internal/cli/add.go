package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/intake"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

// rightsFlags are the flags of a rights statement.
func rightsFlags(c *cobra.Command, o *intake.Options) {
	f := c.Flags()
	f.StringVar(&o.Basis, "basis", "", "why it may be served: public-domain, licence, permission")
	f.StringVar(&o.Licence, "licence", "", "the licence: an SPDX id or a URI")
	f.StringVar(&o.Licence, "license", "", "the same as --licence")
	_ = f.MarkHidden("license")
	f.StringVar(&o.Holder, "holder", "", "who holds the rights")
	f.StringVar(&o.Evidence, "evidence", "", "what the statement rests on: a URL or a text")
	f.StringVar(&o.Access, "access", "", "how it is offered: open, subsidised, lend, sale, none")
	f.StringVar(&o.Opens, "opens", "", "the day from which it is open by itself: YYYY-MM-DD")
	f.StringSliceVar(&o.Territories, "territories", nil, "where the statement holds: CN,DE (default: everywhere)")
	o.By = by()
}

func (e *env) addCommand() *cobra.Command {
	var opt intake.Options
	c := &cobra.Command{
		Use:   "add PATH…",
		Short: "Take in files and folders",
		Long: `Takes in EPUB, PDF, plain text, Markdown, HTML and comic archives (CBZ), and
says file by file what it did or why not. A Calibre library is understood, and
so is a sidecar NAME.opf or NAME.json (CSL-JSON) beside a file.

Rights come from the flags, else from a sidecar, else from what the file itself
states in a form that a program can read. Without any, a record is listed as
"needs-rights" and not served.

Interrupt it at will: the same command again finishes the job.`,
		Example: "  wenlan add ~/Books --basis public-domain\n  wenlan add paper.pdf --licence CC-BY-4.0 --evidence https://example.org/paper",
		Args:    cobra.MinimumNArgs(1),
	}
	rightsFlags(c, &opt)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := e.config()
		if err != nil {
			return err
		}
		req := app.AddRequest{Options: opt}
		for _, a := range args {
			abs, err := filepath.Abs(a)
			if err != nil {
				return err
			}
			req.Paths = append(req.Paths, abs)
			req.Inputs = append(req.Inputs, a)
		}
		bar := e.progress()
		var sum intake.Summary
		var failed error
		var safety *app.Safety
		err = app.Do(cmd.Context(), cfg, app.Request{Add: &req}, e.log(), func(ev app.Event) {
			switch {
			case ev.Outcome != nil:
				bar.pause()
				if perr := e.printOutcome(*ev.Outcome); perr != nil && failed == nil {
					failed = perr
				}
			case ev.Progress != nil:
				bar.set(*ev.Progress)
			case ev.Summary != nil:
				sum = *ev.Summary
			case ev.Safety != nil:
				safety = ev.Safety
			}
		})
		bar.end()
		if !e.quiet && (err == nil || sum != intake.Summary{}) {
			e.printSums("cli.sum.", sum)
		}
		if serr := e.printSafety(safety); failed == nil {
			failed = serr
		}
		if failed != nil {
			return failed
		}
		if err != nil && errs.Is(err, errs.Refused) && sum.Refused > 0 {
			return &errs.Error{Kind: errs.Refused, Message: err.Error(), Err: errQuiet}
		}
		return err
	}
	return c
}

func (e *env) printOutcome(o app.Outcome) error {
	if e.json {
		return e.print(o)
	}
	p := e.printer()
	var line string
	switch o.Status {
	case intake.Refused:
		line = p.T("cli.add.refused", o.Error)
	default:
		line = p.T("cli.add."+string(o.Status), *o.Record, o.Input)
	}
	if len(o.Duplicates) > 0 {
		line += "  " + p.T("cli.add.duplicates", numbers(o.Duplicates))
	}
	if err := e.say(line); err != nil {
		return err
	}
	for _, w := range o.Warnings {
		e.say("    " + p.T("cli.add.warning", w))
	}
	if o.Status == intake.NeedsRights {
		for _, h := range o.Hints {
			e.say("    " + p.T("cli.add.hint", h))
		}
	}
	return nil
}

// printSums says what became of everything; prefix is that of the messages, of files
// or of records.
func (e *env) printSums(prefix string, s intake.Summary) {
	p := e.printer()
	var parts []string
	for _, c := range []struct {
		key string
		n   int
	}{{"added", s.Added}, {"joined", s.Joined}, {"needs", s.NeedsRights}, {"revised", s.Revised}, {"known", s.Known}, {"deleted", s.Deleted}, {"refused", s.Refused}, {"skipped", s.Skipped}, {"warned", s.Warned}} {
		if c.n > 0 {
			parts = append(parts, p.N(prefix+c.key, int64(c.n)))
		}
	}
	if len(parts) == 0 {
		parts = []string{p.T(prefix + "nothing")}
	}
	e.note(strings.Join(parts, p.T("cli.sum.comma")))
	if s.NeedsRights > 0 {
		e.note(p.T(prefix + "rights"))
	}
}

// printSafety says whether what was appended is safe already, or only
// acknowledged; nil where the charter names no quorum.
func (e *env) printSafety(s *app.Safety) error {
	switch {
	case s == nil:
	case e.json:
		return e.print(s)
	case !e.quiet && s.Safe:
		e.note(e.printer().N("cli.safe", s.Entries))
	case !e.quiet:
		e.note(e.printer().N("cli.acknowledged", s.Entries))
	}
	return nil
}

func numbers(list []int64) string {
	var b strings.Builder
	for i, n := range list {
		if i == 8 {
			b.WriteString(" …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	return b.String()
}

// progress shows how far work is: a bar on a terminal, else a line every few seconds.
type progress struct {
	e    *env
	bar  *progressbar.ProgressBar
	last time.Time
	on   bool
}

const progressEvery = 5 * time.Second

func (e *env) progress() *progress {
	p := &progress{e: e, last: time.Now(), on: !e.quiet}
	if p.on && isTerminal(e.stderr) {
		p.bar = progressbar.NewOptions(1, progressbar.OptionSetWriter(e.stderr), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(65*time.Millisecond),
			progressbar.OptionSetWidth(30), progressbar.OptionShowIts(), progressbar.OptionSetItsString("files"))
	}
	return p
}

func (p *progress) set(now intake.Progress) {
	if !p.on {
		return
	}
	if p.bar != nil {
		if p.bar.GetMax() != now.Total {
			p.bar.ChangeMax(now.Total)
		}
		_ = p.bar.Set(now.Done) // the terminal may have gone
		return
	}
	if time.Since(p.last) >= progressEvery {
		p.last = time.Now()
		p.e.note(p.e.t("cli.progress", now.Done, now.Total))
	}
}

// pause takes the bar off the line, so that a line of output can take its place.
func (p *progress) pause() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		_ = p.bar.Clear()
	}
}
