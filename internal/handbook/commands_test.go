package handbook_test

import (
	"bytes"
	"context"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	text "wenlan/handbook"
	"wenlan/internal/cli"
)

var (
	commandRow = regexp.MustCompile("(?m)^\\| `wenlan ([a-z]+)([^|]*)\\|(.*)\\|$")
	flagName   = regexp.MustCompile(`--[a-z-]+`)
	listed     = regexp.MustCompile(`(?m)^  ([a-z]+) {2,}`)
)

// help is what the program says of itself.
func help(t *testing.T, args ...string) string {
	t.Helper()
	var out, problems bytes.Buffer
	if code := cli.Run(context.Background(), append(args, "--help"), &out, &problems); code != 0 {
		t.Fatalf("wenlan %q: exit code %d: %s", args, code, problems.String())
	}
	return out.String()
}

// TestCommands holds the chapter on commands to the program: every command of
// the program is there, and every command and flag that is there exists.
func TestCommands(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		src, err := fs.ReadFile(text.Files, lang+"/14-commands.md")
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{"help": true}
		for _, m := range commandRow.FindAllStringSubmatch(string(src), -1) {
			told[m[1]] = true
			says := help(t, m[1])
			for _, flag := range flagName.FindAllString(m[2]+m[3], -1) {
				if !strings.Contains(says, flag+" ") {
					t.Errorf("%s: wenlan %s has no flag %s", lang, m[1], flag)
				}
			}
		}
		for _, m := range listed.FindAllStringSubmatch(help(t), -1) {
			if !told[m[1]] {
				t.Errorf("%s: the command %s is not told", lang, m[1])
			}
		}
		_, after, ok := strings.Cut(string(src), "`--basis`")
		if !ok {
			t.Fatalf("%s: no rights flags", lang)
		}
		line, _, _ := strings.Cut(after, "\n\n")
		for _, flag := range flagName.FindAllString(line, -1) {
			if !strings.Contains(help(t, "rights"), flag+" ") || !strings.Contains(help(t, "add"), flag+" ") {
				t.Errorf("%s: %s is no rights flag", lang, flag)
			}
		}
	}
}
