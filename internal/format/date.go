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
	shortYear = regexp.MustCompile(`^(?:\d{3}|-\d{1,3})$`)
	yearRange = regexp.MustCompile(`^(\d{4})\s*[-–/]\s*(\d{4})$`)
	signRange = regexp.MustCompile(`^(-\d{4}[?~%]?)/(-?\d{4}[?~%]?)$`)
	circaYear = regexp.MustCompile(`(?i)^(?:c\.?|ca\.?|circa|about|approximately|约|約)\s*(\d{3,4})$`)
	markYear  = regexp.MustCompile(`^-?\d{4}[?~%]$`)
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
	if era := eraDate(s); era != "" {
		return era
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
		return fmt.Sprintf("%04s~", m[1])
	}
	if shortYear.MatchString(s) {
		return edtfParts(s, "", "")
	}
	if markYear.MatchString(s) || signRange.MatchString(s) {
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

// A year with its era. What stands before our era is told by one of many signs, behind
// the year or, in Chinese and Japanese, before it.
const (
	circaWord = `((?:c|ca|circa|about|um|vers|hacia|约|約)[. ]\s*|[约約]\s*)?`
	bcWord    = `\s*(?:b\. ?c\.?(?: ?e\.?)?|bce?|v\. ?(?:chr|u\. ?z)\.?|av\. ?j\.? ?-?c\.?|a\. ?c|до н\. ?э)\.?`
	ceWord    = `\s*(?:a\. ?d\.?|ad|c\. ?e\.?|ce|n\. ?chr\.?)`
	bcBefore  = `(?:(?:公元|西元|纪元|紀元)?前|b\. ?c\.?(?: ?e\.?)?|bce?)\s*`
)

var (
	eraYear    = regexp.MustCompile(`(?i)^` + circaWord + `(\d{1,4})(\?)?(?:` + bcWord + `|(` + ceWord + `))(\?)?$`)
	eraBefore  = regexp.MustCompile(`(?i)^` + circaWord + bcBefore + circaWord + `(\d{1,4})\s*年?$`)
	eraSpan    = regexp.MustCompile(`(?i)^` + circaWord + `(\d{1,4})(` + bcWord + `)?\s*[-–/]\s*(?:(\d{1,4})` + bcWord + `|(?:a\. ?d\.? |ad )?(\d{1,4})` + ceWord + `)$`)
	eraCentury = regexp.MustCompile(`(?i)^` + circaWord + `(?:` + bcBefore + `(\d{1,2})\s*世[纪紀]|(\d{1,2})(?:st|nd|rd|th)?\.? (?:century|cent\.?|c\.|jh\.?|jahrhundert) ?` + bcWord + `)$`)
)

// eraDate is a year, a span of years or a century that is said to be before our era or
// of it: "ca. 300 BC", "384–322 B.C.", "27 BC-14 AD", "3rd century BC", "公元前300年",
// "476 CE"; "" for anything else. EDTF counts as ISO 8601 does: 1 BC is 0000, 300 BC -0299.
func eraDate(s string) string {
	if !strings.ContainsAny(s, "BbCcDdVvнН前") {
		return ""
	}
	mark := func(circa, query string) string {
		switch {
		case circa != "" && query != "":
			return "%"
		case circa != "":
			return "~"
		}
		return query
	}
	if m := eraYear.FindStringSubmatch(s); m != nil {
		if m[4] != "" {
			return eraPart(m[2], false, mark(m[1], m[3]+m[5]))
		}
		return eraPart(m[2], true, mark(m[1], m[3]+m[5]))
	}
	if m := eraBefore.FindStringSubmatch(s); m != nil {
		return eraPart(m[3], true, mark(m[1]+m[2], ""))
	}
	if m := eraSpan.FindStringSubmatch(s); m != nil {
		circa := mark(m[1], "")
		from, to := eraPart(m[2], true, circa), eraPart(m[4], true, circa)
		if m[5] != "" {
			to = eraPart(m[5], false, circa)
		}
		later, _ := strconv.Atoi(m[4])
		earlier, _ := strconv.Atoi(m[2])
		if from == "" || to == "" || m[5] != "" && m[3] == "" || m[5] == "" && later >= earlier {
			return ""
		}
		return from + "/" + to
	}
	if m := eraCentury.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[2] + m[3])
		if n == 0 {
			return ""
		}
		circa := mark(m[1], "")
		return eraPart(strconv.Itoa(100*n), true, circa) + "/" + eraPart(strconv.Itoa(100*n-99), true, circa)
	}
	return ""
}

// eraPart is a year counted from our era, or back from it, with a mark; "" for the year 0
// and none.
func eraPart(year string, before bool, mark string) string {
	n, err := strconv.Atoi(year)
	switch {
	case err != nil || n <= 0 || n > 9999:
		return ""
	case before:
		return edtfDate(1-n, "", "") + mark
	}
	return edtfDate(n, "", "") + mark
}

// edtfParts joins what is valid of year, month and day. Year 101 is what Calibre
// writes for "unknown", and 0 is nobody's year of issue.
func edtfParts(year, month, day string) string {
	y, err := strconv.Atoi(year)
	if err != nil || y == 0 || y == 101 || y > 9999 || y < -9999 {
		return ""
	}
	return edtfDate(y, month, day)
}

// edtfDate is a date in a year of at most four digits, as ISO 8601 counts them.
func edtfDate(y int, month, day string) string {
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
