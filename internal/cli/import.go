package cli

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/harvest"
	"wenlan/internal/intake"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

func (e *env) importCommand() *cobra.Command {
	var opt intake.ImportOptions
	c := &cobra.Command{
		Use:   "import FORMAT FILE|FOLDER|URL…",
		Short: "Take in records in bulk",
		Long: `Takes in descriptions of books and papers, many at once, from files that may be
packed with gzip or Zstandard, or from folders of such files; - is standard input.
The formats:

` + importForms() + `
A record is known by its source and its id there. The same again changes nothing;
what a source says otherwise than before becomes a revision, under which a
librarian's own corrections stay. What another source says of the same edition
joins its record, where an ISBN, DOI or other identifier agrees and the title,
language, kind, volume and year do not contradict. The rights flags hold for records with
files that state no rights themselves.

An https:// address is harvested: of an OAI-PMH server (oai), from where the last
harvest ended, or of an OPDS catalogue (opds), with --files also its open-access
files where their licence is stated in a form that a program can read. The source
is then called by its host and path. What a server calls deleted stays here.

Interrupt it at will: the same command again finishes the job.`,
		Example: "  wenlan import oai https://export.arxiv.org/oai2 --set cs\n  wenlan import opds https://books.example.org/opds --files\n  wenlan import simple arxiv.jsonl.zst\n  zstdcat dump.zst | wenlan import csl - --source crossref",
		Args:    cobra.MinimumNArgs(2),
	}
	rightsFlags(c, &opt.Options)
	c.Flags().StringVar(&opt.Source, "source", "", "the name of the source (default: the base name of the file or folder)")
	var how app.HarvestOptions
	harvestFlags(c, &how)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := e.config()
		if err != nil {
			return err
		}
		req := app.ImportRequest{Format: args[0], Inputs: args[1:], Options: opt, Harvest: how}
		for _, a := range req.Inputs {
			name := a
			if a == app.Stdin {
				req.Stdin = cmd.InOrStdin()
			} else if harvest.IsAddress(a) {
				name = a
			} else if name, err = filepath.Abs(a); err != nil {
				return err
			}
			req.Paths = append(req.Paths, name)
		}
		out := bufio.NewWriterSize(e.stdout, 64<<10)
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		bar := e.importProgress()
		var sum *intake.Summary
		warned := 0
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
			case ev.Outcome != nil && len(ev.Outcome.Warnings) > 0 && warned < maxWarned && !e.quiet:
				bar.pause()
				for _, w := range ev.Outcome.Warnings {
					err = e.say(e.t("cli.import.warning", ev.Outcome.Input, w))
				}
				warned++
			case ev.Imported != nil:
				err = out.Flush()
				bar.set(*ev.Imported)
			case ev.Summary != nil:
				sum = ev.Summary
			case ev.Safety != nil:
				safety = ev.Safety
			}
			if failed == nil {
				failed = err
			}
		})
		bar.end()
		if sum == nil {
			sum = &intake.Summary{}
		}
		if e.json {
			if jerr := enc.Encode(importSums(*sum)); failed == nil {
				failed = jerr
			}
		}
		if ferr := out.Flush(); failed == nil {
			failed = ferr
		}
		if !e.quiet && (err == nil || *sum != intake.Summary{}) {
			e.printSums("cli.records.", *sum)
			e.printLeft(sum.Left)
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

// harvestFlags are those for addresses.
func harvestFlags(c *cobra.Command, o *app.HarvestOptions) {
	f := c.Flags()
	f.StringVar(&o.Set, "set", "", "of an OAI-PMH server: this set alone")
	f.StringVar(&o.Prefix, "prefix", "", "of an OAI-PMH server: the form of its records, oai_dc or marcxml as the server calls it (default oai_dc)")
	f.StringVar(&o.From, "from", "", "of an OAI-PMH server: what changed since this day, YYYY-MM-DD (default: since the last harvest)")
	f.StringVar(&o.Until, "until", "", "of an OAI-PMH server: what changed until this day")
	f.BoolVar(&o.Files, "files", false, "of an OPDS catalogue: open-access files too, where their rights are stated")
	f.DurationVar(&o.Pause, "pause", 0, "wait so long between two requests: 1s")
}

// forms says in a line or two what each form is that an import knows.
var forms = []struct{ name, what string }{
	{"simple", "one JSON object a line, with title, authors, year, doi, isbn and the like"},
	{"csl", "CSL-JSON: an array, or one object a line"},
	{"jsonl", "Wenlan's own: an object {record, files, rights, source, …} a line, as\nwenlan export jsonl writes it; files must be in the library already"},
	{"marc", "MARC 21 in ISO 2709, in UTF-8 or MARC-8; UNIMARC and CNMARC likewise"},
	{"marcxml", "MARC 21 in XML"},
	{"crossref", "Crossref: the REST API's JSON, or the XML of deposits"},
	{"jats", "articles in JATS"},
	{"onix", "ONIX 3.0 for books"},
	{"bibtex", "BibTeX and BibLaTeX"},
	{"ris", "RIS"},
	{"acl", "the XML of the ACL Anthology"},
	{"oai", "an OAI-PMH server's address, or its answers in files"},
	{"opds", "the address of an OPDS 1.2 or 2.0 catalogue, or its feeds in files"},
}

// importForms is the list of forms that can be imported, for the help.
func importForms() string {
	var b strings.Builder
	names := format.BulkNames()
	for _, f := range forms {
		if slices.Contains(names, f.name) {
			fmt.Fprintf(&b, "  %-9s%s\n", f.name, strings.ReplaceAll(f.what, "\n", "\n           "))
		}
	}
	return b.String()
}

// Limits of what is shown to people; `--json` has it all.
const (
	maxWarned    = 20 // records with warnings
	maxLeftShown = 30 // names of fields
)

// sums is the last object that `import --json` prints.
type sums struct {
	Added       int              `json:"added"`
	Joined      int              `json:"joined"`
	Revised     int              `json:"revised"`
	Known       int              `json:"known"`
	NeedsRights int              `json:"needs_rights"`
	Deleted     int              `json:"deleted"` // at their source
	Refused     int              `json:"refused"`
	Warned      int              `json:"warned"`              // records with warnings
	Left        map[string]int64 `json:"left"`                // records with a field that was left aside, by its name
	LeftMore    int64            `json:"left_more,omitempty"` // of further names
}

func importSums(s intake.Summary) sums {
	out := sums{Added: s.Added, Joined: s.Joined, Revised: s.Revised, Known: s.Known, NeedsRights: s.NeedsRights, Deleted: s.Deleted, Refused: s.Refused, Warned: s.Warned, Left: map[string]int64{}}
	if s.Left != nil {
		out.Left, out.LeftMore = s.Left.Fields, s.Left.More
	}
	return out
}

// printLeft names the fields that were left aside, the most frequent first.
func (e *env) printLeft(left *intake.Left) {
	if left == nil {
		return
	}
	names := slices.SortedFunc(maps.Keys(left.Fields), func(a, b string) int {
		return cmp.Or(cmp.Compare(left.Fields[b], left.Fields[a]), strings.Compare(a, b))
	})
	var list []string
	for _, name := range names[:min(len(names), maxLeftShown)] {
		list = append(list, fmt.Sprintf("%s (%d)", name, left.Fields[name]))
	}
	if len(names) > maxLeftShown || left.More > 0 {
		list = append(list, "…")
	}
	e.note(e.t("cli.import.aside", strings.Join(list, ", ")))
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
