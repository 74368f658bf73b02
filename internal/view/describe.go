package view

import (
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/record"
)

// Languages gives the primary subtags of a record's languages, lower case, in
// order, "und" for what is not one; nil when no language is stated.
func Languages(r record.Record) []string {
	var out []string
	for _, tag := range r.Languages {
		tag, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		ok := len(tag) >= 2 && len(tag) <= 8
		for _, c := range []byte(tag) {
			ok = ok && c >= 'a' && c <= 'z'
		}
		if !ok {
			tag = "und"
		}
		if !slices.Contains(out, tag) && len(out) < 16 {
			out = append(out, tag)
		}
	}
	return out
}

// Year is the year of an EDTF date as far as it states one plainly, in the first four
// digits; 0 when there is none. EDTF counts from a year 0, which is 1 BC, and people do
// not: -0300 is -301, which is 301 BC. 0000 counts as none, because those who write it
// mostly mean that.
func Year(issued string) int {
	s := strings.TrimLeft(issued, "~?%[{. ")
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	if len(s) < 4 || (len(s) > 4 && s[4] >= '0' && s[4] <= '9') {
		return 0
	}
	y, err := strconv.Atoi(strings.ReplaceAll(s[:4], "X", "0"))
	if err != nil || y < 0 {
		return 0
	}
	if neg && y != 0 {
		return -y - 1
	}
	return y
}

// Kind is the kind of a record, "other" for what is not one.
func Kind(r record.Record) string {
	if !slices.Contains(record.Kinds, r.Kind) {
		return string(record.Other)
	}
	return string(r.Kind)
}
