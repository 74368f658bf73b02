package cli

import (
	"strconv"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/torrent"

	"github.com/spf13/cobra"
)

func (e *env) shelfCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "shelf", Short: "Shelves: batches of free files that anybody may hold as a torrent", Args: cobra.NoArgs,
		Long: "A shelf is a batch of files whose rights are irrevocable and worldwide, and never\nchanges. It is one torrent. Files wait for a shelf until 2,000 of them or 32 GiB are\ntogether, or the first has waited 30 days; a server then closes the shelf by itself.",
	}
	c.AddCommand(asUsage(e.shelfCloseCommand()), asUsage(e.shelfListCommand()))
	return c
}

func (e *env) shelfCloseCommand() *cobra.Command {
	var due bool
	c := &cobra.Command{
		Use: "close", Short: "Put what waits on a shelf now, and replace shelves that have stopped", Args: cobra.NoArgs,
		Long: "Closes shelves with all files that wait for one. A shelf that has stopped, because a\nfile on it was withdrawn, is replaced by one without that file. Copies that strangers\nmade of the old one remain: nobody can take those back.",
	}
	c.Flags().BoolVar(&due, "due", false, "close only what is full or has waited for 30 days")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := e.config()
		if err != nil {
			return err
		}
		var failed error
		none := true
		err = app.Do(cmd.Context(), cfg, app.Request{Shelf: &app.ShelfRequest{Due: due}}, e.log(), func(ev app.Event) {
			s := ev.Shelved
			if s == nil || failed != nil {
				return
			}
			none = false
			switch {
			case e.json:
				failed = e.print(s)
			case s.Replaces != 0:
				failed = e.say(e.t("cli.shelf.replaced", s.Shelf, s.Replaces, e.printer().N("cli.shelf.size", s.Files, e.printer().Bytes(s.Bytes)), s.Infohash))
			default:
				failed = e.say(e.t("cli.shelf.closed", s.Shelf, e.printer().N("cli.shelf.size", s.Files, e.printer().Bytes(s.Bytes)), s.Infohash))
			}
		})
		if err != nil {
			return err
		}
		if none && !e.json {
			e.note(e.t("cli.shelf.none"))
		}
		return failed
	}
	return c
}

// shelfLine is a shelf as `shelf list --json` prints it.
type shelfLine struct {
	Shelf      int64  `json:"shelf"`
	Entry      int64  `json:"entry"`
	Time       string `json:"time"`
	Files      int64  `json:"files"`
	Bytes      int64  `json:"bytes"`
	State      string `json:"state"`
	Infohash   string `json:"infohash"`
	Name       string `json:"name"`
	Replaces   int64  `json:"replaces,omitempty"`
	ReplacedBy int64  `json:"replaced_by,omitempty"`
}

// shelfWaiting is the last object of `shelf list --json`.
type shelfWaiting struct {
	Files int64 `json:"waiting"`
	Bytes int64 `json:"waiting_bytes"`
}

var shelfStates = map[torrent.State]string{
	torrent.StateOpen: "cli.shelf.open", torrent.StateStopped: "cli.shelf.stopped",
	torrent.StateReplaced: "cli.shelf.replaced_state", torrent.StateBroken: "cli.shelf.broken",
}

func (e *env) shelfListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the shelves, and what waits for one", Args: cobra.NoArgs}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		l, err := e.open(cmd)
		if err != nil {
			return err
		}
		defer l.Close()
		for after := int64(0); ; {
			page, err := l.Shelves.Ascending(cmd.Context(), after, 500)
			if err != nil {
				return err
			}
			for _, s := range page {
				after = s.Number
				line := shelfLine{Shelf: s.Number, Entry: s.Entry, Time: s.Time.Format(time.RFC3339), Files: s.Files, Bytes: s.Bytes, State: string(s.State()),
					Infohash: s.Infohash.String(), Name: s.Name(), Replaces: s.Replaces, ReplacedBy: s.ReplacedBy}
				if e.json {
					err = e.print(line)
				} else {
					err = e.say(strconv.FormatInt(s.Number, 10) + "  " + s.Time.Format(time.DateOnly) + "  " + e.t(shelfStates[s.State()]) + "  " +
						e.printer().N("cli.shelf.size", s.Files, e.printer().Bytes(s.Bytes)) + "  " + line.Infohash)
				}
				if err != nil {
					return err
				}
			}
			if len(page) == 0 {
				break
			}
		}
		files, bytes, err := l.Shelves.WaitingTotal(cmd.Context())
		switch {
		case err != nil:
			return err
		case e.json:
			return e.print(shelfWaiting{files, bytes})
		case files > 0:
			p := e.printer()
			e.note(p.N("cli.shelf.waiting", files, p.Bytes(bytes)))
		}
		return nil
	}
	return c
}
