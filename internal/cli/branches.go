package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"wenlan/internal/app"

	"github.com/spf13/cobra"
)

func (e *env) branchesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "branches", Short: "What a lost origin had acknowledged and the library does not have", Args: cobra.NoArgs,
		Long: `When a charter gives the library another origin, it says after which entry the new
one continues. What the old one had signed after that was acknowledged but never
safe. It is kept where it turns up, as a branch, and never served; here it is
listed, carried to the new origin and, if its librarian decides so, taken in again.

  wenlan branches                     lists them
  wenlan branches show 1              the entries of one
  wenlan branches save 1 DIR          at a mirror: to be carried to the origin
  wenlan branches accede 1            at the origin: as new entries (or accede DIR)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := e.config()
			if err != nil {
				return err
			}
			list, err := app.Branches(cfg)
			if err != nil {
				return err
			}
			for i, b := range list {
				if e.json {
					err = e.print(b)
				} else {
					err = e.say(e.printer().N("cli.branch.line", b.Entries, strconv.Itoa(i+1), b.From, b.ID))
				}
				if err != nil {
					return err
				}
			}
			if len(list) == 0 && !e.json {
				return e.say(e.t("cli.branch.none"))
			}
			return nil
		},
	}
	show := &cobra.Command{
		Use: "show N", Short: "Show the entries of a branch", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := e.config()
			if err != nil {
				return err
			}
			return app.ReadBranch(cmd.Context(), cfg, args[0], func(b app.BranchEntry) error {
				if e.json {
					return e.print(b)
				}
				return e.say(e.branchEntry(b))
			})
		},
	}
	save := &cobra.Command{
		Use: "save N DIR", Short: "Write a branch and its files to a folder", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := e.config()
			if err != nil {
				return err
			}
			if err := app.SaveBranch(cmd.Context(), cfg, args[0], args[1]); err != nil {
				return err
			}
			if e.json {
				return e.print(map[string]string{"branch": args[0], "folder": args[1]})
			}
			return e.say(e.t("cli.charter.wrote", args[1]))
		},
	}
	accede := &cobra.Command{
		Use: "accede N|DIR", Short: "Take the entries of a branch in again, at the origin", Args: cobra.ExactArgs(1),
		Long: "Takes accessions, revisions, rights and withdrawals in again, as new entries with\nnew numbers; rights stay as they were stated. What the library has meanwhile is\nknown and not taken in twice. It can be interrupted and repeated.",
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if info, err := os.Stat(name); err == nil && info.IsDir() {
				abs, err := filepath.Abs(name)
				if err != nil {
					return err
				}
				name = abs
			}
			return e.do(cmd, app.Request{Accede: &app.AccedeRequest{Branch: name}})
		},
	}
	c.AddCommand(asUsage(show), asUsage(save), asUsage(accede))
	return c
}

// branchEntry is a line about an entry of a branch.
func (e *env) branchEntry(b app.BranchEntry) string {
	parts := []string{fmt.Sprintf("%6d  %-12s", b.Index, b.Type)}
	if b.Of != nil {
		parts = append(parts, fmt.Sprintf("(%d)", *b.Of))
	}
	if b.Title != "" {
		parts = append(parts, b.Title)
	}
	if b.Status != "" {
		parts = append(parts, "- "+e.t("cli.branch."+b.Status))
	}
	if b.Entry != nil {
		parts = append(parts, strconv.FormatInt(*b.Entry, 10))
	}
	if b.Reason != "" {
		parts = append(parts, "("+b.Reason+")")
	}
	return strings.Join(parts, " ")
}
