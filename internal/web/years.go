package web

import (
	"strconv"

	"wenlan/internal/index"
)

// yearRange is some years, both ends included, with how many matches are of them.
type yearRange struct {
	from, to int
	n        int64
}

// value is the range as addresses say it.
func (r yearRange) value() string {
	if r.from == r.to {
		return strconv.Itoa(r.from)
	}
	return strconv.Itoa(r.from) + "-" + strconv.Itoa(r.to)
}

const (
	fewYears  = 12  // years that are listed one by one
	fewRanges = 16  // decades; where there are more, old ones become centuries
	recent    = 100 // years before the latest one that stay decades
)

// yearRanges makes years, the latest first, into a list that can be read: single
// years where they are few, else decades, and where these are many, centuries for
// those long ago. Years before our era are left out, as no address can say them.
func yearRanges(years []index.FacetCount) []yearRange {
	var all []yearRange
	for _, c := range years {
		if y, err := strconv.Atoi(c.Value); err == nil && y > 0 && y <= 9999 && c.N > 0 {
			all = append(all, yearRange{y, y, c.N})
		}
	}
	if len(all) <= fewYears {
		return all
	}
	latest := all[0].from
	decades := grouped(all, func(int) int { return 10 })
	if len(decades) <= fewRanges {
		return decades
	}
	return grouped(all, func(y int) int {
		if y/100*100+99 < latest-recent {
			return 100
		}
		return 10
	})
}

// grouped adds years up that lie in one span of the size that their year has.
func grouped(years []yearRange, size func(year int) int) []yearRange {
	var out []yearRange
	for _, y := range years {
		span := size(y.from)
		from := y.from / span * span
		if last := len(out) - 1; last >= 0 && out[last].from == max(from, 1) {
			out[last].n += y.n
			continue
		}
		out = append(out, yearRange{max(from, 1), from + span - 1, y.n})
	}
	return out
}

// years names a range.
func (p *page) years(r yearRange) string {
	switch {
	case r.from == r.to:
		return strconv.Itoa(r.from)
	case r.to-r.from == 9:
		return p.T("date.decade", strconv.Itoa(r.from))
	}
	return p.T("year.hundred", strconv.Itoa(r.from), strconv.Itoa(r.to))
}
