package analysis

import (
	"strings"
	"testing"
)

func TestHeading(t *testing.T) {
	for value, want := range map[string]string{
		"Austen, Jane": "austen, jane", "  J.  R.R. Tolkien ": "j r r tolkien", "Smith,John,Jr.": "smith, john jr", ", Jane": "jane", "Jane,": "jane", "C++": "c",
		"O'Brien, Pat": "o brien, pat", "Erdős, Pál": "erdos, pal", "單田芳": "shan tian fang", "紅樓夢 (小説)": "hong lou meng xiao shuo", "Толстой, Лев": "толстои, лев", "": "", "...": "",
	} {
		if got := Heading(value, true); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// FuzzHeadings holds the short way to the long one.
func FuzzHeadings(f *testing.F) {
	for _, s := range []string{"Austen, Jane", "a,b,,c", ",,a", "x.y-z 12", "\x00a\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if len(value) > maxFolded {
			value = value[:maxFolded]
		}
		if got, ok := wordsASCII(value, true); ok && got != headingSlowly(value, false) {
			t.Fatalf("%q: %q, not %q", value, got, headingSlowly(value, false))
		}
		var words []string
		for _, token := range Whole(value) {
			words = append(words, token.Text)
		}
		if got, want := Folded(value), strings.Join(words, " "); got != want {
			t.Fatalf("%q is folded to %q, not %q", value, got, want)
		}
	})
}
