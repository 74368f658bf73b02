// Package cli is the command line: one table of commands, each thin over
// package app.
//
// Standard output carries what was asked for; with --json one compact object a
// line, printed once what it says is durable. Standard error carries the rest:
// progress, warnings, and, last, why a command failed, with a hint where the
// person can do something about it. Exit codes are those of package errs.
package cli

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/i18n"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

//go:embed messages/*.json
var messages embed.FS

// Version is the program's version, set when it is built.
var Version = "0.1.0-dev"

// env is what every command has.
type env struct {
	stdout, stderr io.Writer
	data           string
	json           bool
	quiet          bool
	uiLang         string
	words          *i18n.Bundle
}

// Run is the program: it runs one command and returns its exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	own, err := fs.Sub(messages, "messages")
	if err != nil {
		fmt.Fprintln(stderr, "wenlan:", err)
		return errs.ExitInternal
	}
	words, err := i18n.Load(own)
	if err != nil {
		fmt.Fprintln(stderr, "wenlan:", err)
		return errs.ExitInternal
	}
	e := &env{stdout: stdout, stderr: stderr, words: words}
	root := e.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err = root.ExecuteContext(ctx)
	if err == nil {
		return errs.ExitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		e.note("wenlan: " + e.t("cli.interrupted"))
		return errs.ExitInternal
	}
	var usage usageError
	if errors.As(err, &usage) {
		e.note("wenlan: " + err.Error())
		return errs.ExitUsage
	}
	if errors.Is(err, errQuiet) {
		return errs.Exit(err)
	}
	e.note("wenlan: " + err.Error())
	if h := errs.HintOf(err); h != "" {
		e.note("        " + h)
	}
	return errs.Exit(err)
}

// errQuiet marks a failure that was said already.
var errQuiet = errors.New("said already")

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "wenlan",
		Short:         "A public digital library that cannot be burnt down",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	f := root.PersistentFlags()
	f.StringVar(&e.data, "data", app.DefaultData(), "the data folder")
	f.BoolVar(&e.json, "json", false, "print one JSON object a line")
	f.BoolVar(&e.quiet, "quiet", false, "errors only: no progress, sums or warnings")
	f.StringVar(&e.uiLang, "ui-lang", "", "the language of messages: en, zh-Hans (default: from the environment)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (%s --help)", err, cmd.CommandPath())}
	})
	for _, c := range []*cobra.Command{
		e.initCommand(), e.addCommand(), e.importCommand(), e.searchCommand(), e.listCommand(), e.showCommand(), e.getCommand(),
		e.editCommand(), e.rightsCommand(), e.withdrawCommand(), e.restoreCommand(), e.eraseCommand(),
		e.mergeCommand(), e.unmergeCommand(),
		e.serveCommand(), e.mirrorCommand(), e.verifyCommand(), e.rebuildCommand(), e.backupCommand(), e.handbookCommand(), e.versionCommand(),
		e.charterCommand(),
		e.recoverCommand(),
		e.exportCommand(), e.auditCommand(),
		e.succeedCommand(),
		e.shelfCommand(),
		e.branchesCommand(),
	} {
		root.AddCommand(asUsage(c))
	}
	return root
}

// asUsage makes wrong arguments of a command wrong usage.
func asUsage(c *cobra.Command) *cobra.Command {
	args := c.Args
	c.Args = func(cmd *cobra.Command, a []string) error {
		if args != nil {
			if err := args(cmd, a); err != nil {
				return usageError{fmt.Errorf("%w (%s --help)", err, cmd.CommandPath())}
			}
		}
		return nil
	}
	return c
}

func unknownCommand(cmd *cobra.Command, name string) error {
	msg := fmt.Sprintf("there is no command %q", name)
	if s := cmd.SuggestionsFor(name); len(s) > 0 {
		msg += "; is it " + strings.Join(s, " or ") + "?"
	}
	return usageError{errors.New(msg)}
}

// config is the configuration of the data folder.
func (e *env) config() (app.Config, error) {
	cfg, err := app.LoadConfig(e.data)
	cfg.Version = Version
	return cfg, err
}

// log is for commands: only warnings, on standard error.
func (e *env) log() *slog.Logger {
	level := slog.LevelWarn
	if e.quiet {
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: level}))
}

// t is a message in the language of the person at the terminal.
func (e *env) t(key string, args ...any) string { return e.printer().T(key, args...) }

func (e *env) printer() *i18n.Printer {
	if e.uiLang != "" {
		return e.words.Match(e.uiLang)
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			tag, _, _ := strings.Cut(v, ".")
			return e.words.Match(strings.ReplaceAll(tag, "_", "-"))
		}
	}
	return e.words.Match("")
}

// say writes a line, or a few, for people.
func (e *env) say(line string) error {
	_, err := fmt.Fprintln(e.stdout, plain(line))
	return err
}

// note writes a line for people beside the answer; the terminal may have gone.
func (e *env) note(line string) {
	fmt.Fprintln(e.stderr, plain(line))
}

// plain takes out what would steer a terminal, or hide what is written: titles and
// names come from strangers.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // UAX 9, explicit directions
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// print writes one JSON object as a line.
func (e *env) print(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// isTerminal says whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// by is who makes a statement: the account at this machine.
func by() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "librarian"
}

// number reads an accession number.
func number(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "#"), 10, 64)
	if err != nil || n < 0 {
		return 0, usageError{fmt.Errorf("%q is not an accession number", s)}
	}
	return n, nil
}
