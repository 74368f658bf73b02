package cli

import (
	"wenlan/internal/app"

	"github.com/spf13/cobra"
)

func (e *env) succeedCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "succeed FILE", Short: "Make this mirror the origin, by a charter that its trustees have signed", Args: cobra.ExactArgs(1),
		Long: `Makes a full mirror the origin of the library when its old one is lost: from now on
it takes in books, and the other mirrors follow it. FILE is the charter that
wenlan charter draft --succeed has drafted here and enough trustees have signed;
with one signature too few nothing happens. What the old origin had acknowledged
after the charter's base is kept where it turns up, and offered: wenlan branches.`,
		Example: "  wenlan charter draft --succeed --address https://new.example.org\n  (the trustees sign charter-2.note)\n  wenlan succeed charter-2.note",
	}
	c.Flags().BoolVar(&force, "force-partial", false, "although this mirror does not hold all files")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		draft, err := readDraft(cmd, args[0])
		if err != nil {
			return err
		}
		return e.do(cmd, app.Request{Succeed: &app.SucceedRequest{Note: string(draft), ForcePartial: force}})
	}
	return c
}
