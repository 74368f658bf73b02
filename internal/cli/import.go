package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/intake"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

func (e *env) importCommand() *cobra.Command {
	var opt intake.ImportOptions
	c := &cobra.Command{
		Use:   "import FORMAT FILE…",
		Short: "Take in records in bulk",
		Long: `Takes in descriptions of books and papers, many at once, from files that may be
packed with gzip or Zstandard; - is standard input. The formats:

  simple   one JSON object a line, with title, authors, year, doi, isbn and the like
  csl      CSL-JSON: an array, or one object a line
  jsonl    Wenlan's own: an object {record, files, rights, source} a line; files
           must be in the library already

A record is known by its source and its id there. The same again changes nothing;
what a source says otherwise than before becomes a revision, under which a
librarian's own corrections stay. The rights flags hold for records with files
that state no rights themselves.

Interrupt it at will: the same command again finishes the job.`,
		Example: "  wenlan import simple arxiv.jsonl.zst\n  zstdcat dump.zst | wenlan import csl - --source crossref",
		Args:    cobra.MinimumNArgs(2),
	}
	rightsFlags(c, &opt.Options)
	c.Flags().StringVar(&opt.Source, "source", "", "the name of the source (default: the file's base name)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := e.config()
		if err != nil {
			return err
		}
		req := app.ImportRequest{Format: args[0], Inputs: args[1:], Options: opt}
		for _, a := range req.Inputs {
			name := a
			if a == app.Stdin {
				req.Stdin = cmd.InOrStdin()
			} else if name, err = filepath.Abs(a); err != nil {
				return err
			}
			req.Paths = append(req.Paths, name)
		}
		out := bufio.NewWriterSize(e.stdout, 64<<10)
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		bar := e.importProgress()
		var sum intake.Summary
		var failed error
		var safety *app.Safety
		err = app.Do(cmd.Context(), cfg, app.Request{Import: &req}, e.log(), func(ev app.Event) {
			var err error
			switch {
			case ev.Outcome != nil && e.json:
				err = enc.Encode(ev.Outcome)
			case ev.Outcome != nil && ev.Outcome.Status == intake.Refused:
				bar.pause()
				err = e.say(e.t("cli.add.refused", ev.Outcome.Error))
			case ev.Imported != nil:
				err = out.Flush()
				bar.set(*ev.Imported)
			case ev.Summary != nil:
				sum = *ev.Summary
			case ev.Safety != nil:
				safety = ev.Safety
			}
			if failed == nil {
				failed = err
			}
		})
		bar.end()
		if ferr := out.Flush(); failed == nil {
			failed = ferr
		}
		if !e.quiet && (err == nil || sum != intake.Summary{}) {
			e.printSums("cli.records.", sum)
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

// importProgress shows how far an import is: on a terminal a bar with the time that
// is left, where the size is known; else a line every few seconds.
type importProgress struct {
	e     *env
	bar   *progressbar.ProgressBar
	start time.Time
	last  time.Time
}

func (e *env) importProgress() *importProgress {
	now := time.Now()
	return &importProgress{e: e, start: now, last: now}
}

func (p *importProgress) set(now intake.ImportProgress) {
	if p.e.quiet {
		return
	}
	spent := time.Since(p.start)
	rate := int64(float64(now.Records) / max(spent.Seconds(), 0.001))
	if isTerminal(p.e.stderr) {
		if p.bar == nil {
			size := now.Size
			if size == 0 {
				size = -1
			}
			p.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(p.e.stderr), progressbar.OptionClearOnFinish(),
				progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(65*time.Millisecond), progressbar.OptionSetWidth(30))
		}
		p.bar.Describe(p.e.t("cli.import.rate", now.Records, rate))
		_ = p.bar.Set64(now.Bytes) // the terminal may have gone
		return
	}
	if time.Since(p.last) < progressEvery {
		return
	}
	p.last = time.Now()
	line := p.e.t("cli.import.rate", now.Records, rate)
	if now.Size > 0 && now.Bytes > 0 {
		share := min(1, float64(now.Bytes)/float64(now.Size))
		left := time.Duration(float64(spent) * (1 - share) / share).Round(time.Second)
		line = p.e.t("cli.import.left", line, fmt.Sprintf("%.0f%%", 100*share), left.String())
	}
	p.e.note(line)
}

// pause takes the bar off the line, so that a line of output can take its place.
func (p *importProgress) pause() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

func (p *importProgress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		_ = p.bar.Clear()
	}
}
