package index

import "testing"

func TestParseYears(t *testing.T) {
	for text, want := range map[string][2]int{
		"1900": {1900, 1900}, "1850-1900": {1850, 1900}, "1850..1900": {1850, 1900}, "1850-": {1850, 0}, "-1900": {0, 1900},
		"1850..": {1850, 0}, "..1900": {0, 1900}, "-400..-301": {-400, -301}, "-300..-300": {-300, -300}, "-300..": {-300, 0},
		"..-1": {0, -1}, "-50..50": {-50, 50}, "0050": {50, 50},
	} {
		from, to, ok := ParseYears(text)
		if !ok || from != want[0] || to != want[1] {
			t.Errorf("%q: %d to %d, %v", text, from, to, ok)
		}
		if a, b, ok := ParseYears(FormatYears(from, to)); !ok || a != from || b != to {
			t.Errorf("%q is said as %q", text, FormatYears(from, to))
		}
	}
	for _, text := range []string{"", "-", "..", "x", "0", "1-2-3", "1900-1800", "-300..-400", "10000", "-10000..", "+5", "..+5", "0..5", "1...2", " 1900", "99999999999999999999"} {
		if from, to, ok := ParseYears(text); ok {
			t.Errorf("%q was read as %d to %d", text, from, to)
		}
	}
	for _, c := range []struct {
		from, to int
		want     string
	}{{0, 0, ""}, {1813, 1813, "1813"}, {1800, 1899, "1800-1899"}, {0, 1900, "-1900"}, {1900, 0, "1900-"}, {-400, -301, "-400..-301"}, {-1, 5, "-1..5"}, {0, -1, "..-1"}} {
		if got := FormatYears(c.from, c.to); got != c.want {
			t.Errorf("%d to %d: %q, want %q", c.from, c.to, got, c.want)
		}
	}
}
