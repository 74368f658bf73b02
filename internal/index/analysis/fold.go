package analysis

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/record/han"

	"golang.org/x/text/unicode/norm"
)

// Kinds of characters.
const (
	kindBreak uint8 = iota // parts words
	kindWord               // letters, digits, marks
	kindRun                // of a script that is written without spaces
	kindMark               // apostrophes
	kindDrop               // left out
	kindMixed              // becomes letters and digits
	kindSlow               // depends on what is beside it; only in tables
)

// special holds letters that Unicode does not decompose but people write plainly,
// and letters that people do not tell apart.
var special = map[rune]string{
	'ß': "ss", 'ẞ': "ss", 'æ': "ae", 'Æ': "ae", 'œ': "oe", 'Œ': "oe", 'ø': "o", 'Ø': "o",
	'đ': "d", 'Đ': "d", 'ð': "d", 'Ð': "d", 'þ': "th", 'Þ': "th", 'ł': "l", 'Ł': "l",
	'ħ': "h", 'Ħ': "h", 'ı': "i", 'ŋ': "n", 'Ŋ': "n", 'ς': "σ",
	'\u0649': "\u064a", '\u06cc': "\u064a", // Arabic alef maksura and Persian yeh: yeh
	'\u0629': "\u0647", '\u06a9': "\u0643", // teh marbuta: heh; keheh: kaf
}

// foldOf gives the kind of a character of text in NFKC and appends to dst what it
// is folded to, when that is part of a word: lower case, without diacritics,
// digits of all scripts as ASCII. plain: that is ASCII letters.
func foldOf(dst []byte, r rune) (kind uint8, letters []byte, plain bool) {
	switch {
	case r < utf8.RuneSelf:
		switch {
		case 'a' <= r && r <= 'z':
			return kindWord, append(dst, byte(r)), true
		case 'A' <= r && r <= 'Z':
			return kindWord, append(dst, byte(r)+'a'-'A'), true
		case '0' <= r && r <= '9':
			return kindWord, append(dst, byte(r)), false
		case r == '\'':
			return kindMark, dst, false
		}
		return kindBreak, dst, false
	case r == '\u2019' || r == '\u02bc':
		return kindMark, dst, false
	case isDropped(r):
		return kindDrop, dst, false
	case inRun(r):
		return kindRun, dst, false
	case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
		if d, ok := digit(r); ok {
			return kindWord, append(dst, d), false
		}
		if s, ok := special[r]; ok {
			return kindWord, append(dst, s...), s[0] < utf8.RuneSelf
		}
		from := len(dst)
		var buf [utf8.UTFMax]byte
		lower := buf[:utf8.EncodeRune(buf[:], unicode.ToLower(r))]
		dst = norm.NFD.Append(dst, lower...)
		out := dst[from:from:len(dst)]
		ascii, other := false, false
		decomposed := string(dst[from:])
		for _, x := range decomposed {
			if isDropped(x) {
				continue
			}
			if s, ok := special[x]; ok {
				out = append(out, s...)
				ascii, other = ascii || s[0] < utf8.RuneSelf, other || s[0] >= utf8.RuneSelf
				continue
			}
			out = utf8.AppendRune(out, x)
			ascii, other = ascii || x < utf8.RuneSelf, other || x >= utf8.RuneSelf
		}
		if ascii && other {
			return kindMixed, append(dst[:from], out...), false
		}
		return kindWord, append(dst[:from], out...), ascii
	}
	return kindBreak, dst, false
}

// digit is the ASCII form of a decimal digit. Unicode keeps the ten of a script
// side by side, in order (The Unicode Standard, section 4.6).
func digit(r rune) (byte, bool) {
	if r < 0x660 || !unicode.Is(unicode.Nd, r) {
		return 0, false
	}
	for _, x := range unicode.Nd.R16 {
		if rune(x.Lo) <= r && r <= rune(x.Hi) {
			return '0' + byte((r-rune(x.Lo))%10), true
		}
	}
	for _, x := range unicode.Nd.R32 {
		if rune(x.Lo) <= r && r <= rune(x.Hi) {
			return '0' + byte((r-rune(x.Lo))%10), true
		}
	}
	return 0, false
}

// isDropped says whether a character is a mark that people leave out when they
// ask: accents, Hebrew and Arabic points, the apostrophe-like letters of
// romanisations, and invisible characters.
func isDropped(r rune) bool {
	switch {
	case r < 0x2b9:
		return r == 0xad
	case r <= 0x2bf:
		return r != 0x2bc
	case r < 0x300:
		return false
	case r < 0x700:
		return unicode.Is(unicode.Mn, r) || r == 0x640
	case r >= 0x1ab0 && r <= 0x1aff, r >= 0x1dc0 && r <= 0x1dff, r >= 0x20d0 && r <= 0x20ff, r >= 0xfe00 && r <= 0xfe0f, r >= 0xfe20 && r <= 0xfe2f:
		return true
	case r >= 0xe0100 && r <= 0xe01ef:
		return true
	case r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x2064, r == 0xfeff:
		return true
	}
	return false
}

// InRun says whether a character is of a script written without spaces (or, as
// Korean, with spaces that do not part what people look for).
func InRun(r rune) bool { return inRun(r) }

func inRun(r rune) bool {
	switch {
	case r < 0xe00:
		return false
	case r >= 0x4e00 && r <= 0x9fff, r >= 0x3400 && r <= 0x4dbf, r >= 0x20000 && r <= 0x3ffff:
		return true
	case r >= 0xac00 && r <= 0xd7a3:
		return true
	case r >= 0x3041 && r <= 0x3096, r >= 0x30a1 && r <= 0x30fa, r >= 0x30fc && r <= 0x30ff, r >= 0x31f0 && r <= 0x31ff:
		return true
	case r == 0x3005 || r == 0x3006 || r == 0x3007, r >= 0xf900 && r <= 0xfaff:
		return true
	case r >= 0xe00 && r <= 0xeff:
		return unicode.IsLetter(r) || unicode.IsMark(r)
	case r >= 0x1000 && r <= 0x109f, r >= 0x1780 && r <= 0x17d3:
		return unicode.IsLetter(r) || unicode.IsMark(r)
	}
	return false
}

// isHan says whether a character is a Chinese one that no neighbour changes.
func isHan(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x3400 && r <= 0x4dbf || r >= 0x20000 && r <= 0x2f7ff
}

// table is what is known of characters, so that most of them cost one look.
type table struct {
	ascii [128]byte // lower-case letter or digit; 0: something else
	short [len(ranges)][]folded
	low   [0xa000 - lowFrom]rune // simplified form of a character, 0: itself
	high  map[rune]rune
}

// folded is a result of foldOf.
type folded struct {
	kind  uint8
	plain bool
	n     uint8
	b     [5]byte
}

// ranges are those of the characters that are looked up: Latin, Greek, Cyrillic,
// punctuation, kana, Korean syllables, full-width ASCII.
var ranges = [...]struct{ lo, hi rune }{
	{0x80, 0x250}, {0x370, 0x530}, {0x1e00, 0x2000}, {0x2010, 0x2030}, {0x3000, 0x302a}, {0x3041, 0x3097}, {0x30a1, 0x3100}, {0xff01, 0xff5f}, {0xac00, 0xd7a4},
}

const lowFrom = 0x3400

// fold is what is known of a character; nil when nothing is.
func (t *table) fold(r rune) *folded {
	var i int
	switch {
	case r < 0x250:
		i = 0
	case r < 0x370:
		return nil
	case r < 0x530:
		i = 1
	case r < 0x1e00:
		return nil
	case r < 0x2000:
		i = 2
	case r < 0x2010:
		return nil
	case r < 0x2030:
		i = 3
	case r < 0x3000:
		return nil
	case r < 0x302a:
		i = 4
	case r < 0x3041:
		return nil
	case r < 0x3097:
		i = 5
	case r < 0x30a1:
		return nil
	case r < 0x3100:
		i = 6
	case r < 0xac00:
		return nil
	case r < 0xd7a4:
		i = 8
	case r < 0xff01:
		return nil
	case r < 0xff5f:
		i = 7
	default:
		return nil
	}
	return &t.short[i][r-ranges[i].lo]
}

// simplify is the one of its variants that a character folds to.
func (t *table) simplify(r rune) rune {
	if at := r - lowFrom; at >= 0 && int(at) < len(t.low) {
		if to := t.low[at]; to != 0 {
			return to
		}
		return r
	}
	if r >= 0xf900 {
		if to, ok := t.high[r]; ok {
			return to
		}
	}
	return r
}

// Simplify folds the variants of Chinese characters in a text: traditional ones,
// and Japanese ones where that is safe, become simplified ones.
func Simplify(text string) string { return strings.Map(tables().simplify, text) }

var tables = sync.OnceValue(buildTables)

func buildTables() *table {
	t := &table{high: map[rune]rune{}}
	for b := range t.ascii {
		if kind, letters, _ := foldOf(nil, rune(b)); kind == kindWord {
			t.ascii[b] = letters[0]
		}
	}
	for i, x := range ranges {
		t.short[i] = make([]folded, x.hi-x.lo)
		for r := x.lo; r < x.hi; r++ {
			t.short[i][r-x.lo] = shortOf(r)
		}
	}
	han.Pairs(func(from, to rune) {
		if at := from - lowFrom; at >= 0 && int(at) < len(t.low) {
			t.low[at] = to
		} else {
			t.high[from] = to
		}
	})
	return t
}

// shortOf is what one character alone comes to, when its neighbours cannot change
// that and it is of one kind.
func shortOf(r rune) folded {
	slow := folded{kind: kindSlow}
	var buf [utf8.UTFMax]byte
	form := norm.NFKC.Bytes(buf[:utf8.EncodeRune(buf[:], r)])
	if !norm.NFKC.PropertiesString(string(r)).BoundaryBefore() {
		return slow
	}
	var out folded
	for i, x := range string(form) {
		kind, letters, plain := foldOf(nil, x)
		switch {
		case kind == kindMixed, int(out.n)+len(letters) > len(out.b):
			return slow
		case kind == kindRun && string(form) != string(r):
			return slow
		case i > 0 && (kind != out.kind || plain != out.plain || kind == kindMark):
			return slow
		}
		out.kind, out.plain = kind, plain
		out.n += uint8(copy(out.b[out.n:], letters))
	}
	return out
}
