package cli

import (
	"slices"
	"testing"

	"wenlan/internal/record"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"紅樓夢\t— 曹雪芹\nline":   "紅樓夢\t— 曹雪芹\nline",
		"a\x1b]0;title\x07b": "a\ufffd]0;title\ufffdb",
		"a\u009b31mb":        "a\ufffd31mb",
		"a\u202etxt.exe":     "a\ufffdtxt.exe",
		"a\r\x08b\x7f":       "a\ufffd\ufffdb\ufffd",
		"bad \xff bytes":     "bad \ufffd bytes",
		"שלום 👩‍🚀":           "שלום 👩‍🚀",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q is shown as %q, not %q", in, got, want)
		}
	}
}

// TestTwoRoles: a person with two roles is named once.
func TestTwoRoles(t *testing.T) {
	creators := []record.Creator{{Name: "William Blake", Role: "aut"}, {Name: "Ana Lima"}, {Name: "William Blake", Role: "ill"}, {Name: "Eva Ek", Role: "edt"}, {Name: "Eva Ek", Role: "edt"}, {Name: "Bo"}}
	if got, want := creatorLines(creators), []string{"William Blake (aut, ill)", "Ana Lima", "Eva Ek (edt)", "Bo"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got, want := (&env{}).line(7, "Songs", creators, "1789", []string{"en"}), "      7  Songs — William Blake, Ana Lima, Eva Ek, … (1789, en)"; got != want {
		t.Errorf("%q", got)
	}
}
