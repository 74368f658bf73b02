package cli

import "testing"

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
