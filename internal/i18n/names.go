package i18n

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// Language is the name of a language in the reader's: "zh-Hant" is
// "Traditional Chinese" or "繁体中文". A tag that is not one is its own name.
func (p *Printer) Language(tag string) string {
	t, err := language.Parse(tag)
	if err != nil || tag == "" {
		return tag
	}
	base, confidence := t.Base()
	switch {
	case t == language.Und:
		return p.T("language.unknown")
	case base.String() == "lzh": // has no name in Chinese there
		return p.T("language.lzh")
	case tag == "no": // stands there for Bokmål
		return p.T("language.no")
	}
	if name := p.names.Name(t); name != "" {
		return name
	}
	if confidence != language.No {
		if name := p.names.Name(base); name != "" {
			return name
		}
	}
	return tag
}

// Region is the name of a country or territory, from its ISO 3166-1 code.
func (p *Printer) Region(code string) string {
	r, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	if name := p.regions.Name(r); name != "" {
		return name
	}
	return code
}

// Number writes a whole number with its digits in groups of three.
func (p *Printer) Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	if len(s) <= 4 { // a year-like number reads better whole
		return sign + s
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Bytes writes a size: "532 B", "1.4 MB". Units are powers of 1,000.
func (p *Printer) Bytes(n int64) string {
	units := [...]string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	v, u := float64(n), 0
	for v >= 999.5 && u < len(units)-1 {
		v, u = v/1000, u+1
	}
	decimals := 0
	if u > 0 && v < 9.95 {
		decimals = 1
	}
	return strconv.FormatFloat(v, 'f', decimals, 64) + "\u00a0" + units[u]
}

var monthKeys = [...]string{
	"month.1", "month.2", "month.3", "month.4", "month.5", "month.6",
	"month.7", "month.8", "month.9", "month.10", "month.11", "month.12",
}

// Date writes a day, in UTC: "22 November 2026", "2026年11月22日".
func (p *Printer) Date(t time.Time) string {
	t = t.UTC()
	return p.date(strconv.Itoa(t.Year()), int(t.Month()), t.Day())
}

// Time writes a moment, in UTC, to the minute.
func (p *Printer) Time(t time.Time) string {
	return p.T("date.time", p.Date(t), t.UTC().Format("15:04"))
}

func (p *Printer) date(year string, month, day int) string {
	switch {
	case month < 1 || month > 12:
		return p.T("date.year", year)
	case day < 1 || day > 31:
		return p.T("date.month", year, p.T(monthKeys[month-1]))
	}
	return p.T("date.day", year, p.T(monthKeys[month-1]), strconv.Itoa(day))
}

// EDTF writes a date of the Extended Date/Time Format, levels 0 and 1, as far
// as catalogues use it; what it does not understand it shows as it is.
// Source: ISO 8601-2:2019, annex A.
func (p *Printer) EDTF(s string) string {
	if from, to, ok := strings.Cut(s, "/"); ok {
		switch {
		case to == "" || to == "..":
			return p.T("date.from", p.EDTF(from))
		case from == "" || from == "..":
			return p.T("date.until", p.EDTF(to))
		}
		return p.T("date.range", p.EDTF(from), p.EDTF(to))
	}
	if v, ok := strings.CutSuffix(s, "~"); ok {
		return p.T("date.circa", p.EDTF(v))
	}
	if v, ok := strings.CutSuffix(s, "%"); ok {
		return p.T("date.uncertain", p.T("date.circa", p.EDTF(v)))
	}
	if v, ok := strings.CutSuffix(s, "?"); ok {
		return p.T("date.uncertain", p.EDTF(v))
	}
	day, _, _ := strings.Cut(s, "T")
	negative := strings.HasPrefix(day, "-")
	parts := strings.Split(strings.TrimPrefix(day, "-"), "-")
	year := parts[0]
	if len(year) != 4 || len(parts) > 3 {
		return s
	}
	if strings.HasSuffix(year, "X") {
		return p.unspecified(s, year)
	}
	y, err := strconv.Atoi(year)
	if err != nil {
		return s
	}
	name := strconv.Itoa(y)
	if negative || y == 0 { // astronomical years: 0000 is 1 BC
		name = p.T("date.bc", strconv.Itoa(y+1))
	}
	month, dayOfMonth := 0, 0
	if len(parts) > 1 {
		month, _ = strconv.Atoi(parts[1]) // "XX" is 0: not stated
	}
	if len(parts) > 2 {
		dayOfMonth, _ = strconv.Atoi(parts[2])
	}
	return p.date(name, month, dayOfMonth)
}

// unspecified writes "19XX" and "192X".
func (p *Printer) unspecified(whole, year string) string {
	digits := strings.TrimRight(year, "X")
	n, err := strconv.Atoi(digits)
	if err != nil || whole != year {
		return whole
	}
	switch len(digits) {
	case 3:
		return p.T("date.decade", strconv.Itoa(n*10))
	case 2:
		return p.T("date.century", strconv.Itoa(n+1), strconv.Itoa(n*100))
	}
	return whole
}

// Year is the year of an EDTF date as a number, for a short line: "1818", or
// the whole date written out where there is no plain year.
func (p *Printer) Year(s string) string {
	if len(s) >= 4 && s[:4] != "0000" && strings.Trim(s[:4], "0123456789") == "" && !strings.ContainsAny(s, "/~?%") {
		return strings.TrimLeft(s[:4], "0")
	}
	return p.EDTF(s)
}
