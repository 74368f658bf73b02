package format

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	isoDate   = regexp.MustCompile(`^(-?\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:[T ].*)?$`)
	dotDate   = regexp.MustCompile(`^(\d{4})[./](\d{1,2})(?:[./](\d{1,2}))?$`)
	plainDate = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`)
	cjkDate   = regexp.MustCompile(`^(\d{4})\s*年(?:\s*(\d{1,2})\s*月(?:\s*(\d{1,2})\s*日)?)?`)
	yearRange = regexp.MustCompile(`^(\d{4})\s*[-–/]\s*(\d{4})$`)
	circaYear = regexp.MustCompile(`(?i)^(?:c\.?|ca\.?|circa|about|approximately|约|約)\s*(\d{4})$`)
	centuryXX = regexp.MustCompile(`^(\d{2})(?:\?\?|--|xx|XX|uu)$`)
	decadeX   = regexp.MustCompile(`^(\d{3})[?xXu-]$`)
	longDate  = []string{"2 January 2006", "January 2, 2006", "2 Jan 2006", "Jan 2, 2006", "Mon, 02 Jan 2006", time.RFC1123, time.RFC1123Z, time.ANSIC, "Mon Jan 2 2006"}
	longMonth = []string{"January 2006", "Jan 2006", "January, 2006"}
	anyYear   = regexp.MustCompile(`(?:^|\D)(1[0-9]{3}|20[0-9]{2})(?:\D|$)`)
)

// edtf is a date in the Extended Date/Time Format (ISO 8601-2, levels 0 and 1),
// or "" where none can be told. A time of day is dropped: issues have dates.
func edtf(s string) string {
	s = strings.Trim(strings.TrimSpace(cleanLine(s, 100)), "[]() .©")
	if s == "" {
		return ""
	}
	for _, form := range []*regexp.Regexp{isoDate, dotDate, plainDate, cjkDate} {
		if m := form.FindStringSubmatch(s); m != nil {
			return edtfParts(m[1], m[2], m[3])
		}
	}
	if m := yearRange.FindStringSubmatch(s); m != nil && m[1] <= m[2] {
		return m[1] + "/" + m[2]
	}
	if m := circaYear.FindStringSubmatch(s); m != nil {
		return m[1] + "~"
	}
	if len(s) == 5 && (s[4] == '?' || s[4] == '~' || s[4] == '%') && digits.MatchString(s[:4]) {
		return s
	}
	if m := centuryXX.FindStringSubmatch(s); m != nil {
		return m[1] + "XX"
	}
	if m := decadeX.FindStringSubmatch(s); m != nil {
		return m[1] + "X"
	}
	for _, layout := range longDate {
		if t, err := time.Parse(layout, s); err == nil {
			return edtfParts(fmt.Sprintf("%04d", t.Year()), strconv.Itoa(int(t.Month())), strconv.Itoa(t.Day()))
		}
	}
	for _, layout := range longMonth {
		if t, err := time.Parse(layout, s); err == nil {
			return edtfParts(fmt.Sprintf("%04d", t.Year()), strconv.Itoa(int(t.Month())), "")
		}
	}
	// Day and month in an order that cannot be told: only the year is sure.
	if years := anyYear.FindAllStringSubmatch(s, 3); len(years) == 1 {
		return years[0][1]
	}
	return ""
}

// edtfParts joins what is valid of year, month and day. Year 101 is what Calibre
// writes for "unknown", and 0 is nobody's year of issue.
func edtfParts(year, month, day string) string {
	y, err := strconv.Atoi(year)
	if err != nil || y == 0 || y == 101 || y > 9999 || y < -9999 {
		return ""
	}
	out := fmt.Sprintf("%04d", y)
	if y < 0 {
		out = fmt.Sprintf("-%04d", -y)
	}
	m, err := strconv.Atoi(month)
	if err != nil || m < 1 || m > 12 {
		return out
	}
	out += fmt.Sprintf("-%02d", m)
	d, err := strconv.Atoi(day)
	if err != nil || d < 1 || d > time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return out
	}
	return out + fmt.Sprintf("-%02d", d)
}
