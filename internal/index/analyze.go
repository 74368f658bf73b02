package index

import (
	_ "embed" // t2s.txt
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/kljensen/snowball/english"
	"golang.org/x/text/unicode/norm"
)

// Token is one word, or two neighbouring characters of a script that is written
// without spaces, or the last character of a run of such. Start and End say where
// it is in the text that was analysed.
type Token struct {
	Text       string
	Start, End int
	Single     bool // one character of such a script
}

// Limits of analysis, so that no text costs more than a bounded time.
const (
	maxField = 64 << 10 // bytes of one field
	maxWord  = 64       // bytes of one word; the rest of it is dropped
)

// Analyze cuts text into tokens, the same way for what is stored and what is
// asked. Compatibility forms, case, diacritics and the difference of traditional
// and simplified characters are folded; Latin words are cut to their stem. Runs of
// Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese give every pair of
// neighbours and then the last character alone: a run of n characters gives n
// tokens, and a part of it gives the same pairs.
func Analyze(text string) []Token { return analyze(text, false) }

// analyze is Analyze; with whole set, words keep their ends and runs are one token.
func analyze(text string, whole bool) []Token {
	if len(text) > maxField {
		text = text[:maxField]
		for !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
	}
	var seg []byte
	c := cutter{whole: whole, tokens: make([]Token, 0, len(text)/5+1)}
	for i := 0; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf {
			c.ascii(rune(b), i, i+1)
			i++
			continue
		}
		end := i
		for end < len(text) && text[end] >= utf8.RuneSelf {
			end++
		}
		var it norm.Iter
		it.InitString(norm.NFKC, text[i:end])
		for !it.Done() {
			from := i + it.Pos()
			seg = append(seg[:0], it.Next()...)
			for i+it.Pos() == from && !it.Done() { // one character that becomes several
				seg = append(seg, it.Next()...)
			}
			to := i + it.Pos()
			for rest := seg; len(rest) > 0; {
				r, n := utf8.DecodeRune(rest)
				rest = rest[n:]
				c.rune(r, from, to)
			}
		}
		i = end
	}
	c.flushWord()
	c.flushRun()
	return c.tokens
}

// cutter collects characters into words and runs.
type cutter struct {
	whole  bool
	tokens []Token

	word        []byte // of the word that is being read
	start, end  int
	plain       bool // the word is ASCII letters only
	apostrophe  bool // one came after the word
	run         []unit
	foldScratch []byte
}

type unit struct {
	r          rune
	start, end int
}

// ascii takes an ASCII character.
func (c *cutter) ascii(r rune, start, end int) {
	switch {
	case 'a' <= r && r <= 'z':
		c.letter(r, start, end, true)
	case 'A' <= r && r <= 'Z':
		c.letter(r+'a'-'A', start, end, true)
	case '0' <= r && r <= '9':
		c.letter(r, start, end, false)
	case r == '\'':
		c.mark()
	default:
		c.flushWord()
		c.flushRun()
	}
}

// mark notes an apostrophe. Between letters it is dropped ("author's", "don't"),
// after one or two letters it divides ("l'amour", "d'Artagnan", "O'Brien").
func (c *cutter) mark() {
	if c.apostrophe || len(c.word) < 3 {
		c.flushWord()
		c.flushRun()
		return
	}
	c.apostrophe = true
}

func (c *cutter) rune(r rune, start, end int) {
	if r < utf8.RuneSelf { // a compatibility form of an ASCII character
		c.ascii(r, start, end)
		return
	}
	switch {
	case r == '\u2019' || r == '\u02bc':
		c.mark()
	case isDropped(r):
		if len(c.word) > 0 {
			c.end = end
		}
	case inRun(r):
		c.flushWord()
		c.run = append(c.run, unit{simplify(r), start, end})
	case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
		if s, ok := special[r]; ok {
			for _, x := range s {
				c.letter(x, start, end, true)
			}
			return
		}
		r = unicode.ToLower(r)
		c.foldScratch = norm.NFD.AppendString(c.foldScratch[:0], string(r))
		for b := c.foldScratch; len(b) > 0; {
			x, n := utf8.DecodeRune(b)
			b = b[n:]
			if isDropped(x) {
				continue
			}
			if s, ok := special[x]; ok {
				for _, y := range s {
					c.letter(y, start, end, true)
				}
				continue
			}
			c.letter(x, start, end, x < utf8.RuneSelf)
		}
	default:
		c.flushWord()
		c.flushRun()
	}
}

func (c *cutter) letter(r rune, start, end int, plain bool) {
	c.flushRun()
	if len(c.word) == 0 {
		c.start, c.plain = start, true
	}
	c.apostrophe = false
	c.plain = c.plain && plain
	c.end = end
	if len(c.word) < maxWord {
		c.word = utf8.AppendRune(c.word, r)
	}
}

func (c *cutter) flushWord() {
	c.apostrophe = false
	if len(c.word) == 0 {
		return
	}
	text := string(c.word)
	if c.plain && len(text) > 3 && !c.whole {
		text = stem(text)
	}
	c.tokens = append(c.tokens, Token{Text: text, Start: c.start, End: c.end})
	c.word = c.word[:0]
}

// stems remembers stems, because making one takes as long as all the rest of the
// analysis; the garbage collector empties it when nobody analyses.
var stems = sync.Pool{New: func() any { return map[string]string{} }}

const maxStems = 8192 // in one map

func stem(word string) string {
	known := stems.Get().(map[string]string)
	defer stems.Put(known)
	if s, ok := known[word]; ok {
		return s
	}
	if len(known) >= maxStems {
		clear(known)
	}
	s := english.Stem(word, false)
	known[word] = s
	return s
}

func (c *cutter) flushRun() {
	n := len(c.run)
	if n == 0 {
		return
	}
	if c.whole {
		var text strings.Builder
		for _, u := range c.run {
			text.WriteRune(u.r)
		}
		c.tokens = append(c.tokens, Token{Text: text.String(), Start: c.run[0].start, End: c.run[n-1].end})
		c.run = c.run[:0]
		return
	}
	for i, u := range c.run[:n-1] {
		v := c.run[i+1]
		c.tokens = append(c.tokens, Token{Text: string(u.r) + string(v.r), Start: u.start, End: v.end})
	}
	last := c.run[n-1]
	c.tokens = append(c.tokens, Token{Text: string(last.r), Start: last.start, End: last.end, Single: true})
	c.run = c.run[:0]
}

// special holds letters that Unicode does not decompose but people write plainly.
var special = map[rune]string{
	'ß': "ss", 'ẞ': "ss", 'æ': "ae", 'Æ': "ae", 'œ': "oe", 'Œ': "oe", 'ø': "o", 'Ø': "o",
	'đ': "d", 'Đ': "d", 'ð': "d", 'Ð': "d", 'þ': "th", 'Þ': "th", 'ł': "l", 'Ł': "l",
	'ħ': "h", 'Ħ': "h", 'ı': "i", 'ŋ': "n", 'Ŋ': "n", 'ς': "σ",
}

// isDropped says whether a character is a mark that people leave out when they
// ask: accents, Hebrew and Arabic points, and invisible characters.
func isDropped(r rune) bool {
	switch {
	case r < 0x300:
		return r == 0xad
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

// inRun says whether a character is of a script written without spaces (or, as
// Korean, with spaces that do not part what people look for).
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

//go:embed t2s.txt
var t2sText string

// t2s is the table by character, for the two ranges that it has: the basic plane
// from U+3400, and above.
var t2s = sync.OnceValue(func() *foldTable {
	t := &foldTable{high: map[rune]rune{}}
	for line := range strings.Lines(t2sText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var from rune
		for _, r := range strings.TrimSpace(line) {
			if from == 0 {
				from = r
				continue
			}
			if at := from - foldFrom; at >= 0 && int(at) < len(t.low) {
				t.low[at] = r
			} else {
				t.high[from] = r
			}
			from = 0
		}
	}
	return t
})

const foldFrom = 0x3400

type foldTable struct {
	low  [0xa000 - foldFrom]rune
	high map[rune]rune
}

// simplify is the simplified form of a character, or the character itself.
func simplify(r rune) rune {
	t := t2s()
	if at := r - foldFrom; at >= 0 && int(at) < len(t.low) {
		if to := t.low[at]; to != 0 {
			return to
		}
		return r
	}
	if to, ok := t.high[r]; ok {
		return to
	}
	return r
}
