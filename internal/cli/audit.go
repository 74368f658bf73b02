package cli

import (
	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/mirror/audit"

	"github.com/spf13/cobra"
)

func (e *env) auditCommand() *cobra.Command {
	var req app.AuditRequest
	c := &cobra.Command{
		Use: "audit [URL…]", Short: "Challenge mirrors to show what they hold",
		Long:    "Asks mirrors for random ranges of files that this copy holds too, hashed with a\nfresh nonce: only who has the bytes at hand can answer. Without an address, all\nmirrors that have announced themselves are asked. The results are kept, and shown\non the page of mirrors.\n\nAn audit shows that the bytes can be had at that address, not that they are\nstored apart from another's: copies are counted by operator, each one once. The\nexit code is 4 where a mirror showed other bytes, 3 where one did not show what it\nwas asked for.",
		Example: "  wenlan audit\n  wenlan audit https://mirror.example.org --ranges 16",
	}
	c.Flags().IntVar(&req.Ranges, "ranges", 0, "how many ranges each mirror is asked for, at most 16 (default 8)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		req.Mirrors = args
		cfg, err := e.config()
		if err != nil {
			return err
		}
		var results []audit.Result
		var failed error
		err = app.Do(cmd.Context(), cfg, app.Request{Audit: &req}, e.log(), func(ev app.Event) {
			if ev.Audited == nil {
				return
			}
			r := *ev.Audited
			results = append(results, r)
			p := e.printer()
			switch {
			case e.json:
				failed = e.print(r)
			case r.Passed:
				failed = e.say(p.T("cli.audit.passed", r.Address, r.Right, r.Asked))
			default:
				failed = e.say(p.T("cli.audit.failed", r.Address, r.Right, r.Asked, r.Note))
			}
		})
		if err != nil && !errs.Is(err, errs.Corrupt) && !errs.Is(err, errs.Refused) {
			return err
		}
		if failed != nil {
			return failed
		}
		if !e.quiet && !e.json && len(results) > 0 {
			e.note(e.printer().N("cli.audit.operators", int64(audit.Operators(results))))
		}
		return err
	}
	return c
}
