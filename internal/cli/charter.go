package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wenlan/internal/app"
	"wenlan/internal/errs"

	"github.com/spf13/cobra"
)

func (e *env) charterCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "charter", Short: "Say who speaks for the library: draft, sign and publish charters",
		Long: `A charter is a short text that names the origin's key and addresses, the trustees
and how many of them must sign. It counts when enough of the trustees before and
enough of its own have signed it: with it they can give the library a new server,
a new key or new trustees, whatever has become of the old ones.

  wenlan charter draft --threshold 2 --trustee KEY    at the library
  wenlan charter sign charter-2.note --key KEYFILE    each trustee, on any machine
  wenlan charter merge A.note B.note -o charter-2.note
  wenlan charter publish charter-2.note               at the library

A mirror becomes the origin with charter draft --succeed and wenlan succeed.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	c.AddCommand(asUsage(e.charterShowCommand()), asUsage(e.charterKeygenCommand()), asUsage(e.charterKeysCommand()), asUsage(e.charterDraftCommand()),
		asUsage(e.charterSignCommand()), asUsage(e.charterMergeCommand()), asUsage(e.charterPublishCommand()))
	return c
}

// readDraft reads a charter's note, signed by many, by one or by none.
func readDraft(cmd *cobra.Command, name string) ([]byte, error) {
	list, err := app.ReadCharters(cmd.Context(), name)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, errs.New(errs.Invalid, "%s holds %d charters, not one", name, len(list))
	}
	return list[0], nil
}

// before are charters in which the one before a draft may be: those named, else
// those of the data folder, where there is one.
func (e *env) before(cmd *cobra.Command, from string) ([][]byte, error) {
	if from != "" {
		return app.ReadCharters(cmd.Context(), from)
	}
	cfg, err := e.config()
	if err != nil {
		return nil, nil // a trustee's machine has no library
	}
	list, err := app.LocalCharters(cfg)
	if err != nil {
		return nil, nil
	}
	return list, nil
}

func (e *env) charterShowCommand() *cobra.Command {
	var before string
	c := &cobra.Command{
		Use: "show [FILE|URL]", Short: "Show a charter, who has signed it and who must still", Args: cobra.MaximumNArgs(1),
		Long: "Shows the newest charter of the data folder, of a file or of the library at an\naddress. A draft is counted under the charter before it as well where that is\nknown: from the data folder, or from --before.",
	}
	c.Flags().StringVar(&before, "before", "", "a file or an address that has the charter before it")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var list [][]byte
		var err error
		if len(args) > 0 {
			list, err = app.ReadCharters(cmd.Context(), args[0])
		} else {
			cfg, cerr := e.config()
			if cerr != nil {
				return cerr
			}
			list, err = app.LocalCharters(cfg)
		}
		if err != nil {
			return err
		}
		among := list
		if len(list) == 1 {
			if among, err = e.before(cmd, before); err != nil {
				return err
			}
		}
		info, err := app.InspectCharter(list[len(list)-1], among)
		if err != nil {
			return err
		}
		if e.json {
			return e.print(info)
		}
		return e.say(e.charter(info))
	}
	return c
}

// charter is what a charter says, for people.
func (e *env) charter(c app.Charter) string {
	p := e.printer()
	var b strings.Builder
	line := func(key, value string) {
		label := p.T("cli.charter." + key)
		wide := len([]rune(label))
		if wide < len(label) { // Chinese: each character takes two columns
			wide *= 2
		}
		fmt.Fprintf(&b, "  %s%s %s\n", label, strings.Repeat(" ", max(0, 12-wide)), value)
	}
	if c.Version == 1 {
		b.WriteString(p.T("cli.charter.first", c.Log) + "\n")
	} else {
		b.WriteString(p.T("cli.charter.title", c.Version, c.Library) + "\n")
	}
	line("origin", c.Origin)
	if c.Before != nil && c.Before.Origin != c.Origin {
		line("before", c.Before.Origin)
	}
	if c.Base != nil {
		line("base", p.T("cli.charter.continues", c.Base.Size, c.Base.Root))
	}
	for _, a := range c.Addresses {
		line("address", a)
	}
	line("trustees", p.T("cli.charter.threshold", c.Threshold, len(c.Trustees)))
	mark := func(t app.CharterTrustee) string {
		if t.Signed {
			return p.T("cli.charter.signed", t.Key)
		}
		return p.T("cli.charter.unsigned", t.Key)
	}
	for _, t := range c.Trustees {
		line("trustee", mark(t))
	}
	if c.Before != nil && !slices.EqualFunc(c.Before.Trustees, c.Trustees, func(a, b app.CharterTrustee) bool { return a.Key == b.Key }) ||
		c.Before != nil && c.Before.Threshold != c.Threshold {
		line("formerly", p.T("cli.charter.threshold", c.Before.Threshold, len(c.Before.Trustees)))
		for _, t := range c.Before.Trustees {
			line("former", mark(t))
		}
	}
	if c.Quorum > 0 {
		line("witnesses", p.T("cli.charter.quorum", c.Quorum, len(c.Witnesses)))
	}
	for _, w := range c.Witnesses {
		line("witness", w)
	}
	if c.Expires != nil {
		line("expires", c.Expires.Format(time.RFC3339))
	}
	for _, s := range c.Strangers {
		line("stranger", s)
	}
	if c.Expires != nil && c.Expires.Before(time.Now()) {
		b.WriteString(p.T("cli.charter.expired") + "\n")
	}
	b.WriteString(e.missing(c))
	return b.String()
}

// missing says whether a charter counts, and what it lacks.
func (e *env) missing(c app.Charter) string {
	p := e.printer()
	var say []string
	switch {
	case c.Counts:
		return p.T("cli.charter.counts")
	case c.MissingOld > 0:
		say = append(say, p.N("cli.charter.missing_before", int64(c.MissingOld)))
	}
	if c.Missing > 0 {
		say = append(say, p.N("cli.charter.missing", int64(c.Missing)))
	}
	switch {
	case len(c.Strangers) > 0 && c.Before != nil:
		say = append(say, p.T("cli.charter.void"))
	case c.Before == nil && c.Version > 1:
		say = append(say, p.T("cli.charter.unknown"))
	case len(say) == 0:
		say = append(say, p.T("cli.charter.void"))
	}
	return strings.Join(say, "\n")
}

// changes is what a charter changes, in plain words.
func (e *env) changes(c app.Charter) []string {
	p := e.printer()
	if c.Before == nil {
		return nil
	}
	var say []string
	has := func(list []app.CharterTrustee, key string) bool {
		return slices.ContainsFunc(list, func(t app.CharterTrustee) bool { return t.Key == key })
	}
	if c.Origin != c.Before.Origin {
		say = append(say, p.T("cli.change.origin", c.Origin))
	}
	if c.Base != nil {
		say = append(say, p.T("cli.change.base", c.Base.Size))
	}
	if !slices.Equal(c.Addresses, c.Before.Addresses) {
		say = append(say, p.T("cli.change.addresses", strings.Join(c.Addresses, " ")))
	}
	for _, t := range c.Trustees {
		if !has(c.Before.Trustees, t.Key) {
			say = append(say, p.T("cli.change.comes", t.Key))
		}
	}
	for _, t := range c.Before.Trustees {
		if !has(c.Trustees, t.Key) {
			say = append(say, p.T("cli.change.goes", t.Key))
		}
	}
	if c.Threshold != c.Before.Threshold {
		say = append(say, p.T("cli.change.threshold", c.Threshold, c.Before.Threshold))
	}
	if !slices.Equal(c.Witnesses, c.Before.Witnesses) || c.Quorum != c.Before.Quorum {
		say = append(say, p.T("cli.change.witnesses", c.Quorum, len(c.Witnesses)))
	}
	if len(say) == 0 {
		say = append(say, p.T("cli.change.nothing"))
	}
	return say
}

func (e *env) charterKeygenCommand() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "keygen FILE", Short: "Make a trustee's key", Args: cobra.ExactArgs(1),
		Long: "Writes a new signing key to FILE, mode 0600, never over one that is there, and\nprints the public key. Keep the file on a machine of its own or on paper; only\nthe public key leaves it. Needs no library.",
	}
	c.Flags().StringVar(&name, "name", "", "whose key it is, without spaces (default: the file's name)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if name == "" {
			name = strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0]))
		}
		vkey, err := app.MakeKey(args[0], name)
		if err != nil {
			return err
		}
		if e.json {
			return e.print(map[string]string{"file": args[0], "public": vkey})
		}
		return e.say(vkey)
	}
	return c
}

func (e *env) charterKeysCommand() *cobra.Command {
	return &cobra.Command{
		Use: "keys [FILE]", Short: "Print the public keys of the data folder, or of a key file", Args: cobra.MaximumNArgs(1),
		Long: "The origin's signs the register; next is that of an origin to be; the mirror's\nsigns what a mirror says of itself, and cosigns: a charter that names it as a\n--witness trusts this machine to hold what it cosigns.",
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []app.FolderKey
			if len(args) > 0 {
				vkey, err := app.PublicKey(args[0])
				if err != nil {
					return err
				}
				list = []app.FolderKey{{Name: args[0], Public: vkey}}
			} else {
				cfg, err := e.config()
				if err != nil {
					return err
				}
				if list, err = app.PublicKeys(cfg); err != nil {
					return err
				}
			}
			for _, k := range list {
				var err error
				if e.json {
					err = e.print(k)
				} else {
					err = e.say(k.Name + "  " + k.Public)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (e *env) charterDraftCommand() *cobra.Command {
	var o app.DraftOptions
	var out string
	var quorum int
	c := &cobra.Command{
		Use: "draft", Short: "Draft the charter that follows the newest", Args: cobra.NoArgs,
		Long: `Drafts a charter that changes what the flags say and nothing else. It counts once
enough trustees have signed it. --rotate makes a new key for this origin, and
--succeed one for this mirror, which then becomes the origin: both keep it in the
data folder, as keys/next.key, until it is taken into use.`,
		Example: "  wenlan charter draft --trustee 'anna+1a2b3c4d+AQ…' --threshold 2\n  wenlan charter draft --succeed --address https://new.example.org",
	}
	f := c.Flags()
	f.StringVarP(&out, "output", "o", "", "the file for the draft; - is standard output (default: charter-VERSION.note)")
	f.StringVar(&o.From, "from", "", "a file or an address (URL#LIBRARYID) that has the charters (default: the data folder)")
	f.StringArrayVar(&o.Addresses, "address", nil, "where the library is served; may be repeated, and replaces what there was")
	f.StringArrayVar(&o.Trustees, "trustee", nil, "the public key of a new trustee")
	f.StringArrayVar(&o.DropTrustees, "drop-trustee", nil, "the public key, or the name, of one who is none any more")
	f.IntVar(&o.Threshold, "threshold", 0, "how many trustees must sign")
	f.StringArrayVar(&o.Witnesses, "witness", nil, "the public key of a new witness")
	f.StringArrayVar(&o.DropWitnesses, "drop-witness", nil, "the public key, or the name, of one who is none any more")
	f.IntVar(&quorum, "quorum", 0, "how many witnesses make an entry safe")
	f.StringVar(&o.Expires, "expires", "", "when to look at it again: 2030-12-31, or never; it only warns")
	f.StringVar(&o.Origin, "origin", "", "the public key of a new origin, named as the log")
	f.BoolVar(&o.Rotate, "rotate", false, "at the origin: a new key for it")
	f.BoolVar(&o.Succeed, "succeed", false, "at a mirror: it becomes the origin, continuing from what it holds")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if o.Rotate && o.Succeed || o.Origin != "" && (o.Rotate || o.Succeed) {
			return usageError{fmt.Errorf("give one of --origin, --rotate and --succeed")}
		}
		if f.Changed("quorum") {
			o.Quorum = &quorum
		}
		cfg, err := e.config()
		if err != nil {
			return err
		}
		draft, info, err := app.DraftCharter(cmd.Context(), cfg, o)
		if err != nil {
			return err
		}
		if out == "" {
			out = fmt.Sprintf("charter-%d.note", info.Version)
		}
		return e.written(out, draft, info, false)
	}
	return c
}

// written writes a charter to a file and says so. over allows it to replace what
// is there.
func (e *env) written(out string, draft []byte, info app.Charter, over bool) error {
	if out == "-" {
		_, err := e.stdout.Write(draft)
		return err
	}
	if _, err := os.Lstat(out); err == nil && !over {
		return errs.WithHint(errs.New(errs.Refused, "%s is already there", out), "name another file with -o")
	} else if err != nil && !os.IsNotExist(err) {
		return errs.New(errs.Refused, "write the charter: %w", err)
	}
	if err := writeOver(out, draft); err != nil {
		return errs.New(errs.Refused, "write the charter: %w", err)
	}
	if e.json {
		return e.print(struct {
			File string `json:"file"`
			app.Charter
		}{out, info})
	}
	lines := append(e.changes(info), e.t("cli.charter.wrote", out), e.missing(info))
	return e.say(strings.Join(lines, "\n"))
}

// writeOver replaces a file whole or not at all.
func writeOver(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".charter-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func (e *env) charterSignCommand() *cobra.Command {
	var key, out, before string
	var yes bool
	c := &cobra.Command{
		Use: "sign FILE --key KEYFILE", Short: "Sign a charter as a trustee", Args: cobra.ExactArgs(1),
		Long: "Says in plain words what the charter says, asks, and adds the signature to the\nfile. It needs the file and the key, no library and no network; with --before it\nalso says what the charter changes.",
	}
	f := c.Flags()
	f.StringVar(&key, "key", "", "the file with the trustee's key")
	f.StringVarP(&out, "output", "o", "", "the file for the signed charter (default: FILE itself)")
	f.StringVar(&before, "before", "", "a file or an address that has the charter before it")
	f.BoolVar(&yes, "yes", false, "sign without asking")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if key == "" {
			return usageError{fmt.Errorf("name the trustee's key with --key KEYFILE")}
		}
		draft, err := readDraft(cmd, args[0])
		if err != nil {
			return err
		}
		among, err := e.before(cmd, before)
		if err != nil {
			return err
		}
		s, err := app.PrepareSigning(draft, among, key)
		if err != nil {
			return err
		}
		e.note(e.charter(s.Charter))
		for _, l := range e.changes(s.Charter) {
			e.note("* " + l)
		}
		e.note(e.t("cli.sign.role."+s.Role, s.Key))
		if !yes {
			fmt.Fprint(e.stderr, e.t("cli.sign.ask"))
			answer, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 100)).ReadString('\n')
			if err != nil && err != io.EOF {
				return err
			}
			if a := strings.ToLower(strings.TrimSpace(answer)); a != "yes" && a != "是" {
				fmt.Fprintln(e.stderr)
				return errs.New(errs.Refused, "not signed")
			}
		}
		signed, err := s.Sign()
		if err != nil {
			return err
		}
		info, err := app.InspectCharter(signed, among)
		if err != nil {
			return err
		}
		if out == "" {
			out = args[0]
		}
		return e.written(out, signed, info, out == args[0])
	}
	return c
}

func (e *env) charterMergeCommand() *cobra.Command {
	var out, before string
	c := &cobra.Command{
		Use: "merge FILE…", Short: "Join the signatures of copies of one charter", Args: cobra.MinimumNArgs(1),
		Long: "Trustees who sign at once each have a file; this joins their signatures in one,\nthe first unless -o names another.",
	}
	c.Flags().StringVarP(&out, "output", "o", "", "the file for the charter (default: the first FILE)")
	c.Flags().StringVar(&before, "before", "", "a file or an address that has the charter before it")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var drafts [][]byte
		for _, name := range args {
			d, err := readDraft(cmd, name)
			if err != nil {
				return err
			}
			drafts = append(drafts, d)
		}
		merged, err := app.MergeCharters(drafts)
		if err != nil {
			return err
		}
		among, err := e.before(cmd, before)
		if err != nil {
			return err
		}
		info, err := app.InspectCharter(merged, among)
		if err != nil {
			return err
		}
		if out == "" {
			out = args[0]
		}
		return e.written(out, merged, info, slices.Contains(args, out))
	}
	return c
}

func (e *env) charterPublishCommand() *cobra.Command {
	var to []string
	c := &cobra.Command{
		Use: "publish FILE", Short: "Put a charter into force", Args: cobra.ExactArgs(1),
		Long: "At the origin: keeps the charter and enters it in the register; one that --rotate\ndrafted changes the key. At a mirror: keeps it, and others take it from there.\nWith --to it is sent to a library anywhere. What does not count is refused.",
	}
	c.Flags().StringArrayVar(&to, "to", nil, "the address of an origin or a mirror; may be repeated")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		draft, err := readDraft(cmd, args[0])
		if err != nil {
			return err
		}
		if len(to) == 0 {
			return e.do(cmd, app.Request{Charter: &app.CharterRequest{Note: string(draft)}})
		}
		for _, address := range to {
			if err := app.PostCharter(cmd.Context(), address, draft); err != nil {
				return err
			}
			if e.json {
				err = e.print(map[string]string{"to": address, "status": "taken"})
			} else {
				err = e.say(e.t("cli.charter.taken", address))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return c
}
