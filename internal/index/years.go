package index

import (
	"strconv"
	"strings"
)

// Years of records are those of people: there is no year 0, and -300 is 300 BC.

const maxYear = 9999

// ParseYears reads years as addresses and options say them: 1900, 1850-1900, 1850- and
// -1900, which is until 1900. With two dots a minus is of a year before our era:
// -400..-301, -300.., ..1900. 0 is an open end; false: it says no years.
func ParseYears(text string) (from, to int, ok bool) {
	a, b, dots := strings.Cut(text, "..")
	if !dots {
		var ranged bool
		if a, b, ranged = strings.Cut(text, "-"); !ranged {
			b = a
		}
	}
	year := func(s string) (int, bool) {
		if s == "" {
			return 0, true
		}
		y, err := strconv.Atoi(s)
		return y, err == nil && y != 0 && max(y, -y) <= maxYear && (y > 0 || dots) && s[0] != '+'
	}
	from, okFrom := year(a)
	to, okTo := year(b)
	if !okFrom || !okTo || from == 0 && to == 0 || from != 0 && to != 0 && from > to {
		return 0, 0, false
	}
	return from, to, true
}

// FormatYears says years so that ParseYears reads them; empty where both ends are open.
func FormatYears(from, to int) string {
	end := func(y int) string {
		if y == 0 {
			return ""
		}
		return strconv.Itoa(y)
	}
	switch {
	case from == 0 && to == 0:
		return ""
	case from < 0 || to < 0:
		return end(from) + ".." + end(to)
	case from == to:
		return end(from)
	}
	return end(from) + "-" + end(to)
}
