package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/handbook"
	"wenlan/internal/intake"
	"wenlan/internal/record"

	"github.com/spf13/cobra"
)

func (e *env) initCommand() *cobra.Command {
	var name, url, contact, key string
	c := &cobra.Command{
		Use: "init", Short: "Make a library: keys, charter, empty register", Args: cobra.NoArgs,
		Long: "Makes a library in the data folder. The first trustee's key is written beside\nthe folder, not in it: keep it apart, on paper or another machine. Who holds it\ncan give the library a new server when this one is lost.",
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "what the library is called")
	f.StringVar(&url, "url", "", "its public address, such as https://books.example.org")
	f.StringVar(&contact, "contact", "", "where notices go; a public address needs one")
	f.StringVar(&key, "trustee-key", "", "the file for the first trustee's key (default: DATA-trustee.key)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := e.config()
		if err != nil {
			return err
		}
		override(&cfg.Name, name)
		override(&cfg.URL, url)
		override(&cfg.Contact, contact)
		cfg.TrusteeKey = key
		made, err := app.Init(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		if e.json {
			return e.print(made)
		}
		e.say(e.t("cli.init.made", made.ID, made.Data, made.TrusteeKey))
		return nil
	}
	return c
}

func override(to *string, from string) {
	if from != "" {
		*to = from
	}
}

// do hands a request to the owner of the folder and prints what it says.
func (e *env) do(cmd *cobra.Command, req app.Request) error {
	cfg, err := e.config()
	if err != nil {
		return err
	}
	var failed error
	err = app.Do(cmd.Context(), cfg, req, e.log(), func(ev app.Event) {
		p := e.printer()
		switch {
		case ev.Entry != nil && e.json:
			failed = e.print(ev.Entry)
		case ev.Entry != nil && ev.Entry.Entry < 0:
			e.say(p.T("cli.unchanged"))
		case ev.Entry != nil:
			e.say(p.T("cli.entry", string(ev.Entry.Type), ev.Entry.Entry))
		case ev.Done != nil && e.json:
			failed = e.print(ev.Done)
		case ev.Done != nil:
			e.say(p.T("cli."+ev.Done.What, ev.Done.Name))
		case ev.Safety != nil:
			failed = e.printSafety(ev.Safety)
		case ev.Branch != nil && e.json:
			failed = e.print(ev.Branch)
		case ev.Branch != nil:
			e.say(e.branchEntry(*ev.Branch))
		case ev.Charter != nil && e.json:
			failed = e.print(ev.Charter)
		case ev.Charter != nil:
			e.say(p.T("cli.charter."+ev.Charter.Status, ev.Charter.Version))
		}
	})
	if err != nil {
		return err
	}
	return failed
}

func (e *env) editCommand() *cobra.Command {
	var sets []string
	var patch string
	c := &cobra.Command{
		Use: "edit N", Short: "Describe a record better", Args: cobra.ExactArgs(1),
		Long:    "Changes fields of the description. F=V sets one: title, publisher, place, issued,\nabstract, kind, languages, creators, subjects, alt_titles; several values of a\nlist are separated by ; and F= removes the field. --patch takes a JSON merge\npatch (RFC 7396) for everything else. What was said before stays in the history.",
		Example: "  wenlan edit 12 --set title='Pride and Prejudice' --set creators='Jane Austen'\n  wenlan edit 12 --patch better.json",
	}
	c.Flags().StringArrayVar(&sets, "set", nil, "a field and its value, F=V")
	c.Flags().StringVar(&patch, "patch", "", "a file with a JSON merge patch; - is standard input")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := number(args[0])
		if err != nil {
			return err
		}
		if len(sets) == 0 && patch == "" {
			return usageError{fmt.Errorf("nothing to change: give --set F=V or --patch FILE")}
		}
		if len(sets) > 0 && patch != "" {
			return usageError{fmt.Errorf("give either --set or --patch")}
		}
		var raw []byte
		if patch != "" {
			if raw, err = readPatch(cmd, patch); err != nil {
				return err
			}
		} else if raw, err = patchOf(sets); err != nil {
			return err
		}
		return e.do(cmd, app.Request{Edit: &app.EditRequest{Record: n, Patch: raw, By: by()}})
	}
	return c
}

func readPatch(cmd *cobra.Command, name string) ([]byte, error) {
	var r io.Reader = cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, errs.New(errs.NotFound, "read the patch: %w", err)
		}
		defer f.Close()
		r = f
	}
	raw, err := io.ReadAll(io.LimitReader(r, record.MaxBody))
	if err != nil {
		return nil, err
	}
	if err := record.CheckIJSON(raw); err != nil {
		return nil, errs.New(errs.Refused, "the patch: %w", err)
	}
	return raw, nil
}

// patchOf makes a merge patch of F=V settings.
func patchOf(sets []string) ([]byte, error) {
	patch := map[string]any{}
	for _, s := range sets {
		field, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("%q is not F=V", s)}
		}
		value = strings.TrimSpace(value)
		list := func() []string {
			var out []string
			for v := range strings.SplitSeq(value, ";") {
				if v = strings.TrimSpace(v); v != "" {
					out = append(out, v)
				}
			}
			return out
		}
		var v any
		switch field {
		case "title", "publisher", "place", "issued", "abstract", "kind":
			v = value
		case "languages", "alt_titles":
			v = list()
		case "creators":
			var cs []record.Creator
			for _, name := range list() {
				cs = append(cs, record.Creator{Name: name, Role: "aut"})
			}
			v = cs
		case "subjects":
			var ss []record.Subject
			for _, label := range list() {
				ss = append(ss, record.Subject{Label: label})
			}
			v = ss
		default:
			return nil, usageError{fmt.Errorf("%q cannot be set so: use --patch", field)}
		}
		if value == "" {
			v = nil
		}
		patch[field] = v
	}
	return json.Marshal(patch)
}

func (e *env) rightsCommand() *cobra.Command {
	var opt intake.Options
	c := &cobra.Command{
		Use: "rights N", Short: "State the rights in a record", Args: cobra.ExactArgs(1),
		Long:    "A statement replaces the one before as a whole. The public domain and open\nlicences make the record open; a permission needs --access. A bare --basis is\nrecorded as your assertion; --evidence is better.",
		Example: "  wenlan rights 12 --basis public-domain --evidence 'the author died in 1817'\n  wenlan rights 12 --access none",
	}
	rightsFlags(c, &opt)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := number(args[0])
		if err != nil {
			return err
		}
		return e.do(cmd, app.Request{Rights: &app.RightsRequest{Record: n, Options: opt}})
	}
	return c
}

// target reads what a withdrawal closes: a record or a blob.
func target(s string, req *app.WithdrawRequest) error {
	if sum, ok := strings.CutPrefix(s, "sha256:"); ok {
		if !record.IsSHA256(sum) {
			return usageError{fmt.Errorf("%q is not a SHA-256: 64 lower-case hex digits", sum)}
		}
		req.Blob = sum
		return nil
	}
	n, err := number(s)
	req.Record = n
	return err
}

func (e *env) withdrawCommand() *cobra.Command {
	var req app.WithdrawRequest
	c := &cobra.Command{
		Use: "withdraw N|sha256:HEX", Short: "Close a record or a file, openly", Args: cobra.ExactArgs(1),
		Long: "Closes access to a record, or to a file in every record that has it. The record\nstays listed, with a tombstone that says so and why.",
	}
	f := c.Flags()
	f.StringVar(&req.Ground, "ground", "", "why, as readers are told")
	f.StringVar(&req.Case, "case", "", "the number of the case")
	f.StringSliceVar(&req.Territories, "territories", nil, "only there: CN,DE (default: everywhere)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := target(args[0], &req); err != nil {
			return err
		}
		if req.Ground == "" {
			return usageError{fmt.Errorf("a withdrawal states its --ground")}
		}
		return e.do(cmd, app.Request{Withdraw: &req})
	}
	return c
}

func (e *env) restoreCommand() *cobra.Command {
	var req app.WithdrawRequest
	c := &cobra.Command{Use: "restore N|sha256:HEX", Short: "Reopen what was withdrawn", Args: cobra.ExactArgs(1)}
	f := c.Flags()
	f.StringVar(&req.Ground, "ground", "", "why")
	f.StringVar(&req.Case, "case", "", "the number of the case")
	f.StringSliceVar(&req.Territories, "territories", nil, "only there: CN,DE (default: everywhere)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := target(args[0], &req); err != nil {
			return err
		}
		return e.do(cmd, app.Request{Restore: &req})
	}
	return c
}

func (e *env) eraseCommand() *cobra.Command {
	var req app.EraseRequest
	c := &cobra.Command{
		Use: "erase ENTRY", Short: "Remove the content of an entry for good", Args: cobra.ExactArgs(1),
		Long: "Removes what an entry says, and the files that only it named, where the law\ndemands it. It cannot be undone. That something was erased, when and on what\nground stays in the register; to close a record reversibly use withdraw.",
	}
	c.Flags().StringVar(&req.Ground, "ground", "", "why, as readers are told")
	c.Flags().StringVar(&req.Case, "case", "", "the number of the case")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if req.Entry, err = number(args[0]); err != nil {
			return err
		}
		if req.Ground == "" {
			return usageError{fmt.Errorf("an erasure states its --ground")}
		}
		return e.do(cmd, app.Request{Erase: &req})
	}
	return c
}

func (e *env) rebuildCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rebuild [VIEW]", Short: "Make the views anew from the register", Args: cobra.MaximumNArgs(1),
		Long: "Makes the catalogue and the index anew; nothing is lost by it. The old view\nserves until the new one is ready.",
		RunE: func(cmd *cobra.Command, args []string) error {
			var req app.RebuildRequest
			if len(args) > 0 {
				req.View = args[0]
			}
			return e.do(cmd, app.Request{Rebuild: &req})
		},
	}
}

func (e *env) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Write register, keys, private data and configuration to a tar file, while serving", Args: cobra.ExactArgs(1),
		Long: "The backup holds secrets: keep it as you keep a key. The list of mirrors is in it,\nso that a restored library finds its witnesses. Files (blobs) are not in it;\ncopy the blobs folder with any tool. To restore, unpack it into an empty data\nfolder, bring the blobs, and run wenlan verify.",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return e.do(cmd, app.Request{Backup: &app.BackupRequest{File: file}})
		},
	}
}

func (e *env) handbookCommand() *cobra.Command {
	return &cobra.Command{
		Use: "handbook DIR", Short: "Write the handbook's EPUB files, English and Chinese, to a folder", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			books, err := handbook.Books()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return errs.New(errs.Refused, "make the folder: %w", err)
			}
			for _, b := range books {
				name := filepath.Join(args[0], b.Name)
				if err := os.WriteFile(name, b.Data, 0o644); err != nil {
					return errs.New(errs.Refused, "write %s: %w", name, err)
				}
				if e.json {
					err = e.print(map[string]any{"file": name, "bytes": len(b.Data)})
				} else {
					err = e.say(name)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (e *env) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if e.json {
				return e.print(map[string]string{"version": Version, "go": runtime.Version()})
			}
			return e.say("wenlan " + Version)
		},
	}
}

func (e *env) serveCommand() *cobra.Command {
	var listen, url, contact string
	c := &cobra.Command{
		Use: "serve", Short: "Serve the web site and every feed", Args: cobra.NoArgs,
		Long: "Serves the library, and makes one where the data folder is empty. Other commands\nwork on while it runs: it does their writing for them. With --url https://… and\n--listen :443 it gets its certificate by itself.",
	}
	f := c.Flags()
	f.StringVar(&listen, "listen", "", "the address to serve on (default "+app.DefaultListen+"); port 0 takes a free one")
	f.StringVar(&url, "url", "", "the public address, such as https://books.example.org")
	f.StringVar(&contact, "contact", "", "where notices go; a public address needs one")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := e.config()
		if err != nil {
			return err
		}
		override(&cfg.Listen, listen)
		override(&cfg.URL, url)
		override(&cfg.Contact, contact)
		if app.IsExport(cfg.Data) {
			return e.serveExport(cmd, cfg)
		}
		return e.serve(cmd.Context(), cfg)
	}
	return c
}

// serve serves a data folder until ctx ends.
func (e *env) serve(ctx context.Context, cfg app.Config) error {
	held := &heldWriter{w: e.stderr}
	s, err := app.NewServer(ctx, cfg, app.NewLogger(cfg, held))
	if err != nil {
		_ = held.release()
		return err
	}
	defer func() { s.Close() }()
	fmt.Fprintf(e.stderr, "listening on %s\n", s.Address())
	if err := held.release(); err != nil {
		return err
	}
	for {
		if err := s.Run(ctx); err != nil {
			return err
		}
		next, err := s.Reopen(ctx)
		if err != nil || next == nil {
			return err
		}
		s = next
	}
}
