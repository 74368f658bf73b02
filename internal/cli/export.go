package cli

import (
	"time"

	"wenlan/internal/app"
	"wenlan/internal/errs"

	"github.com/spf13/cobra"
)

func (e *env) exportCommand() *cobra.Command {
	var req app.ExportRequest
	c := &cobra.Command{
		Use: "export --to DIR", Short: "Write the library as plain files that any web server can serve and any mirror can copy", Args: cobra.NoArgs,
		Long:    "Writes the register, and the files that everyone everywhere may have, into a folder\nor onto a disk, under the addresses of the site. Any static web server can serve\nit, or wenlan serve --data DIR; wenlan mirror copies from it, over the web or from\nthe folder itself. The same command again adds what is new, and removes what was\nwithdrawn or erased since. The library may be served meanwhile.",
		Example: "  wenlan export --to /media/disk/library\n  wenlan export --to chinese --select 'lang:zh kind:book'\n  wenlan mirror /media/disk/library",
	}
	f := c.Flags()
	f.StringVar(&req.Dir, "to", "", "the folder to write to")
	f.BoolVar(&req.NoFiles, "no-files", false, "the register only: catalogue and search, no books")
	f.StringVar(&req.Select, "select", "", "the files of these records only: 'lang:zh kind:book year:1900..1950'")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if req.Dir == "" {
			return usageError{errs.New(errs.Invalid, "name the folder with --to DIR")}
		}
		cfg, err := e.config()
		if err != nil {
			return err
		}
		l, err := app.OpenCaughtUp(cmd.Context(), cfg, e.log())
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
