package web

import (
	"cmp"
	"slices"
	"strconv"

	"wenlan/internal/catalog"
	"wenlan/internal/index"
)

// yearRange is some years, both ends included, with how many matches are of them. Years
// before our era are negative, and there is no year 0: as an end it is open.
type yearRange struct {
	from, to int
	n        int64
}

// value is the range as addresses say it.
func (r yearRange) value() string { return index.FormatYears(r.from, r.to) }

// years reads counted years, the latest first; what is no year is left out.
func years[T any](counts []T, of func(T) (string, int64)) []yearRange {
	var all []yearRange
	for _, c := range counts {
		value, n := of(c)
		if y, err := strconv.Atoi(value); err == nil && y != 0 && max(y, -y) <= 9999 && n > 0 {
			all = append(all, yearRange{y, y, n})
		}
	}
	slices.SortFunc(all, func(a, b yearRange) int { return cmp.Compare(b.from, a.from) })
	return all
}

func facetYear(c index.FacetCount) (string, int64) { return c.Value, c.N }
func countYear(c catalog.Count) (string, int64)    { return c.Key, c.N }

const (
	fewYears  = 12  // years that are listed one by one
	fewRanges = 16  // decades; where there are more, old ones become centuries
	recent    = 100 // years before the latest one that stay decades
)

// yearRanges makes years, the latest first, into a list that can be read: single
// years where they are few, else decades, and where these are many, centuries for
// those long ago.
func yearRanges(counts []index.FacetCount) []yearRange {
	all := years(counts, facetYear)
	if len(all) <= fewYears {
		return all
	}
	latest := all[0].from
	decades := grouped(all, func(int) int { return 10 })
	if len(decades) <= fewRanges {
		return decades
	}
	return grouped(all, func(y int) int {
		if y < 0 || y/100*100+99 < latest-recent {
			return 100
		}
		return 10
	})
}

// grouped adds years up that lie in one span of the size that their year has.
func grouped(years []yearRange, size func(year int) int) []yearRange {
	var out []yearRange
	for _, y := range years {
		r := spanOf(y.from, size(y.from))
		if last := len(out) - 1; last >= 0 && out[last].from == r.from {
			out[last].n += y.n
			continue
		}
		r.n = y.n
		out = append(out, r)
	}
	return out
}

// spanOf is the decade or the century of a year: 1900 to 1999, 400 to 301 BC.
func spanOf(year, span int) yearRange {
	if year < 0 {
		from := -((-year-1)/span + 1) * span
		return yearRange{from: from, to: from + span - 1}
	}
	from := year / span * span
	return yearRange{from: max(from, 1), to: from + span - 1}
}

// years names a range.
func (p *page) years(r yearRange) string {
	name := func(y int) string {
		if y < 0 {
			return p.T("date.bc", strconv.Itoa(-y))
		}
		return strconv.Itoa(y)
	}
	switch {
	case r.from == r.to:
		return name(r.from)
	case r.to == 0:
		return p.T("year.since", name(r.from))
	case r.from == 0:
		return p.T("year.until", name(r.to))
	case r.to < 0:
		return p.T("year.bc", strconv.Itoa(-r.from), strconv.Itoa(-r.to))
	case r.from > 0 && r.from%10 == 0 && r.to-r.from == 9:
		return p.T("date.decade", strconv.Itoa(r.from))
	}
	return p.T("year.between", name(r.from), name(r.to))
}
