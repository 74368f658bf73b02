package cli

import (
	"io"
	"slices"
	"strings"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/format"

	"github.com/spf13/cobra"
)

func (e *env) exportCommand() *cobra.Command {
	var req app.ExportRequest
	var file string
	c := &cobra.Command{
		Use: "export FORMAT [QUERY] | --to DIR", Short: "Write records for other programs, or the library as plain files for mirrors", Args: cobra.ArbitraryArgs,
		Long: `With a FORMAT, writes the records that a query finds, or all, in order of accession,
to standard output or to a file, which is packed if its name ends in .gz or .zst.
The query is that of wenlan search, taken at its word. The formats:

  jsonl     Wenlan's own, nothing left out: wenlan import jsonl takes it in again
  marcxml   MARC 21 for libraries
  csl       CSL-JSON for citation processors, an array
  bibtex    BibTeX and biblatex, in UTF-8
  ris       for reference managers
  crossref  as Crossref's REST API has works, an object a line

With --to, writes the register, and the files that everyone everywhere may have, into
a folder or onto a disk, under the addresses of the site. Any static web server can
serve it, or wenlan serve --data DIR; wenlan mirror copies from it, over the web or
from the folder itself. The same command again adds what is new, and removes what was
withdrawn or erased since. The library may be served meanwhile.`,
		Example:   "  wenlan export jsonl -o records.jsonl.zst\n  wenlan export bibtex author:austen > austen.bib\n  wenlan export --to /media/disk/library\n  wenlan export --to chinese --select 'lang:zh kind:book'",
		ValidArgs: format.WriterNames(),
	}
	f := c.Flags()
	f.StringVarP(&file, "output", "o", app.Stdin, "with a FORMAT, the file to write to; - is standard output")
	f.StringVar(&req.Dir, "to", "", "the folder to write to")
	f.BoolVar(&req.NoFiles, "no-files", false, "the register only: catalogue and search, no books")
	f.StringVar(&req.Select, "select", "", "the files of these records only: 'lang:zh kind:book year:1900..1950'")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0 && (req.Dir != "" || req.NoFiles || req.Select != ""):
			return usageError{errs.New(errs.Invalid, "name a FORMAT, or a folder with --to DIR, not both")}
		case len(args) > 0:
			return e.exportRecords(cmd, app.RecordsRequest{Format: args[0], Query: strings.Join(args[1:], " "), File: file})
		case req.Dir == "":
			return usageError{errs.New(errs.Invalid, "name a FORMAT, or a folder with --to DIR")}
		}
		l, err := e.caughtUp(cmd)
		if err != nil {
			return err
		}
		defer l.Close()
		last := time.Now()
		sum, err := l.Export(cmd.Context(), req, func(p app.ExportProgress) {
			if e.quiet || time.Since(last) < progressEvery {
				return
			}
			last = time.Now()
			e.note(e.t("cli.export.progress", p.Files, p.Total, e.printer().Bytes(p.Bytes)))
		})
		if err != nil && !errs.Is(err, errs.Corrupt) {
			return err
		}
		if e.json {
			if perr := e.print(sum); perr != nil {
				return perr
			}
		} else if sum.Library != "" {
			p := e.printer()
			if serr := e.say(p.T("cli.export.sum", sum.Dir, p.Number(sum.Entries), p.Number(sum.Files), p.Bytes(sum.Bytes), p.Number(sum.Added), p.Bytes(sum.AddedSize), p.Number(sum.Removed))); serr != nil {
				return serr
			}
		}
		return err
	}
	return c
}

// caughtUp opens the library for reading, with its views as far as the register.
func (e *env) caughtUp(cmd *cobra.Command) (*app.Library, error) {
	cfg, err := e.config()
	if err != nil {
		return nil, err
	}
	return app.OpenCaughtUp(cmd.Context(), cfg, e.log())
}

// exportRecords writes records in a form for other programs.
func (e *env) exportRecords(cmd *cobra.Command, req app.RecordsRequest) error {
	if e.json && req.File == app.Stdin {
		return usageError{errs.New(errs.Invalid, "--json and -o - both want standard output")}
	}
	if !slices.Contains(format.WriterNames(), req.Format) {
		_, err := format.NewWriter(req.Format, io.Discard)
		return err
	}
	l, err := e.caughtUp(cmd)
	if err != nil {
		return err
	}
	defer l.Close()
	start := time.Now()
	last := start
	sum, err := l.ExportRecords(cmd.Context(), req, e.stdout, func(n int64) {
		if e.quiet || time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		e.note(e.t("cli.import.rate", n, int64(float64(n)/time.Since(start).Seconds())))
	})
	if err != nil && !errs.Is(err, errs.Corrupt) {
		return err
	}
	switch {
	case e.json:
		if perr := e.print(sum); perr != nil {
			return perr
		}
	case !e.quiet && req.File != app.Stdin:
		e.note(e.t("cli.export.records", sum.File, sum.Records))
	}
	return err
}

// serveExport serves an export in the place of a library.
func (e *env) serveExport(cmd *cobra.Command, cfg app.Config) error {
	held := &heldWriter{w: e.stderr}
	s, err := app.NewExportServer(cfg, app.NewLogger(cfg, held))
	if err != nil {
		_ = held.release()
		return err
	}
	defer s.Close()
	e.note("listening on " + s.Address())
	if err := held.release(); err != nil {
		return err
	}
	return s.Run(cmd.Context())
}
