package format

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// marc8Table is the code tables of MARC-8; its head says where they come from.
//
//go:embed marc8.txt
var marc8Table string

// The final bytes of the escape sequences that name a character set (MARC 21
// Specifications, "Character Sets: MARC-8 Encoding Environment", tables 1 to 3).
const (
	marc8ASCII  = 0x42
	marc8ANSEL  = 0x45
	marc8EACC   = 0x31
	marc8Greek3 = 0x67 // Greek symbols, subscripts and superscripts have escapes of their own
	marc8Sub    = 0x62
	marc8Super  = 0x70
)

// marc8Run is characters of a set whose codes follow each other.
type marc8Run struct {
	first    uint32
	combines bool // with the character after it
	chars    []rune
}

// marc8Sets are the runs of each set, by their first code.
var marc8Sets = sync.OnceValue(func() map[byte][]marc8Run {
	sets := map[byte][]marc8Run{}
	for line := range strings.Lines(marc8Table) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		set, _ := strconv.ParseUint(line[:2], 16, 8)
		at := 5
		if set == marc8EACC {
			at = 9
		}
		code, _ := strconv.ParseUint(line[3:at], 16, 32)
		run := marc8Run{first: uint32(code), combines: line[at] == '+'}
		if line[at] == ' ' {
			run.chars = []rune(line[at+1:])
		} else {
			char, _ := strconv.ParseUint(line[at+1:], 16, 32)
			run.chars = []rune{rune(char)}
		}
		sets[byte(set)] = append(sets[byte(set)], run)
	}
	return sets
})

// marc8Char looks a code up; ok is false where the set has none such.
func marc8Char(set byte, code uint32) (r rune, combines, ok bool) {
	if set == marc8ASCII {
		return rune(code), false, true
	}
	runs := marc8Sets()[set]
	i, found := slices.BinarySearchFunc(runs, code, func(run marc8Run, code uint32) int { return int(run.first) - int(code) })
	if !found {
		i--
	}
	if i < 0 || code-runs[i].first >= uint32(len(runs[i].chars)) {
		return 0, false, false
	}
	return runs[i].chars[code-runs[i].first], runs[i].combines, true
}

// decodeMARC8 is MARC-8 in Unicode, normalised to NFC. A mark that stands before
// its letter comes after it; both halves of a ligature are one mark; character
// references (&#x4E2D;) are resolved, as the specification asks of what MARC-8
// cannot say. bad counts the codes that mean nothing; they are left out.
//
// The sets are those of the beginning, ASCII and ANSEL, because each subfield ends
// in them.
func decodeMARC8(s string) (text string, bad int) {
	out := make([]byte, 0, len(s)+len(s)/4)
	var marks []rune
	g0, g1 := byte(marc8ASCII), byte(marc8ANSEL)
	for i := 0; i < len(s); {
		c := s[i]
		if c == 0x1b {
			n := 0
			if g0, g1, n = marc8Escape(s[i:], g0, g1); n == 1 {
				bad++
			}
			i += n
			continue
		}
		set := g0
		if c >= 0x80 {
			set = g1
		}
		var r rune
		var combines, ok bool
		switch low := c & 0x7f; {
		case low <= 0x20 || low == 0x7f:
			i++
			if c == 0x8d || c == 0x8e { // joiner, non-joiner
				r, ok = 0x200d-rune(c-0x8d), true
				break
			}
			if c == 0x88 || c == 0x89 { // around what is not sorted by
				continue
			}
			r, ok = ' ', c < 0x80 && c != 0x7f
		case set == marc8EACC:
			if len(s)-i < 3 {
				bad++
				i = len(s)
				continue
			}
			r, combines, ok = marc8Char(set, uint32(low)<<16|uint32(s[i+1]&0x7f)<<8|uint32(s[i+2]&0x7f))
			if ok || s[i+1]&0x7f > 0x20 && s[i+2]&0x7f > 0x20 {
				i += 3
			} else {
				i++
			}
		case set == marc8ASCII && c == '&':
			if char, n := charReference(s[i:]); n > 0 {
				r, ok = char, true
				i += n
				break
			}
			r, ok = '&', true
			i++
		case set == marc8ANSEL && (low == 0x6c || low == 0x7b): // second halves of the two marks below
			i++
			continue
		case set == marc8ANSEL && low == 0x6b: // ligature, double tilde: one mark over two letters
			r, combines, ok = 0x361, true, true
			i++
		case set == marc8ANSEL && low == 0x7a:
			r, combines, ok = 0x360, true, true
			i++
		default:
			r, combines, ok = marc8Char(set, uint32(low))
			i++
		}
		switch {
		case !ok:
			bad++
		case combines && len(marks) < 8:
			marks = append(marks, r)
		case !combines:
			out = utf8.AppendRune(out, r)
			for _, m := range marks {
				out = utf8.AppendRune(out, m)
			}
			marks = marks[:0]
		}
	}
	bad += len(marks)
	return norm.NFC.String(string(out)), bad
}

// marc8Escape reads an escape sequence: the sets that are in force after it, and
// its length, which is 1 where it is none.
func marc8Escape(s string, g0, g1 byte) (newG0, newG1 byte, n int) {
	if len(s) < 2 {
		return g0, g1, 1
	}
	switch s[1] {
	case marc8Greek3, marc8Sub, marc8Super:
		return s[1], g1, 2
	case 's':
		return marc8ASCII, g1, 2
	}
	i, high, known := 1, false, false
	for ; i < len(s) && i < 4; i++ {
		switch s[i] {
		case '$', '(', ',':
			known = true
		case ')', '-':
			known, high = true, true
		case '!': // before the final byte of ANSEL
		default:
			if !known {
				return g0, g1, 1
			}
			if _, ok := marc8Sets()[s[i]]; !ok && s[i] != marc8ASCII {
				return g0, g1, 1
			}
			if high {
				return g0, s[i], i + 1
			}
			return s[i], g1, i + 1
		}
	}
	return g0, g1, 1
}

// charReference is the character of a reference such as &#x4E2D; at the beginning
// of s, and the reference's length; 0 where there is none.
func charReference(s string) (rune, int) {
	if !strings.HasPrefix(s, "&#x") {
		return 0, 0
	}
	end := strings.IndexByte(s[:min(len(s), 12)], ';')
	if end < 4 {
		return 0, 0
	}
	code, err := strconv.ParseUint(s[3:end], 16, 32)
	if err != nil || code > utf8.MaxRune || !utf8.ValidRune(rune(code)) {
		return 0, 0
	}
	return rune(code), end + 1
}
