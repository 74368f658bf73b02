package cli

import (
	"fmt"
	"sync"
	"time"

	"wenlan/internal/app"

	"github.com/spf13/cobra"
)

func (e *env) recoverCommand() *cobra.Command {
	var from []string
	var vouch bool
	c := &cobra.Command{
		Use: "recover --from URL", Short: "Bring an origin up from its mirrors, after a restored backup", Args: cobra.NoArgs,
		Long: `An origin that was restored from an old backup must not sign before it has what
it signed since: it would fork the library. recover fetches that from mirrors,
verifies it as any mirror does, and fetches the files that are missing; then the
library is appended to as before. The origin's key is all that the folder must
have. Stop wenlan serve first. It can be interrupted and run again.

Where the folder has signed other entries meanwhile, recover refuses: a charter
with base says which part counts.

Before its first append after a start an origin asks its witnesses whether they
have more than it has, so many that any quorum has one of them. Where they do
not answer it appends nothing. --alone says that this folder is no old copy, and
lets it go on without them; it counts until the charter changes or they answer.`,
		Example: "  wenlan recover --from https://mirror.example.org\n  wenlan recover --from /mnt/disk/export --from https://mirror.example.org",
	}
	f := c.Flags()
	f.StringArrayVar(&from, "from", nil, "a mirror's address, or a folder that it exported (repeat it for more)")
	f.BoolVar(&vouch, "alone", false, "append without the witnesses, who do not answer")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(from) > 0) == vouch {
			return usageError{fmt.Errorf("give --from URL, or --alone (wenlan recover --help)")}
		}
		cfg, err := e.config()
		if err != nil {
			return err
		}
		if vouch {
			if err := app.Vouch(cmd.Context(), cfg, e.log()); err != nil {
				return err
			}
			if e.json {
				return e.print(map[string]bool{"alone": true})
			}
			return e.say(e.t("cli.recover.alone"))
		}
		sum, err := app.Recover(cmd.Context(), cfg, app.RecoverOptions{From: from, Progress: e.recovering()}, e.log())
		if err != nil {
			return err
		}
		if e.json {
			return e.print(sum)
		}
		p := e.printer()
		if sum.Missing > 0 {
			e.note(p.N("cli.recover.missing", sum.Missing))
		}
		return e.say(p.T("cli.recovered", sum.Added, sum.Entries, sum.Files, p.Bytes(sum.Bytes)))
	}
	return c
}

// recovering says every few seconds how far it is.
func (e *env) recovering() func(what string, done, all int64) {
	var mu sync.Mutex
	last := time.Now()
	return func(what string, done, all int64) {
		mu.Lock()
		defer mu.Unlock()
		if e.quiet || time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		p := e.printer()
		e.note(p.T("cli.recover."+what, p.Number(done), p.Number(all)))
	}
}
