package analysis

import (
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Token is one word, or two neighbouring characters of a script that is written
// without spaces, or the last character of a run of such. Start and End say where
// it is in the text that was analysed, in bytes.
type Token struct {
	Text       string
	Start, End int
	Single     bool // one character of such a script, the last of its run
}

// Limits of analysis, so that no text costs more than a bounded time.
const (
	MaxField = 64 << 10 // bytes of one field
	maxWord  = 64       // bytes of one word; the rest of it is dropped
)

// Analyze cuts text into tokens, the same way for what is stored and what is
// asked; see the package for how. What is beyond MaxField is not looked at.
func Analyze(text string) []Token { return analyze(text, mode{}) }

// Whole is Analyze, but words keep their ends and a run of characters of a script
// without spaces is one token.
func Whole(text string) []Token { return analyze(text, mode{whole: true}) }

// Analyzer analyses many texts. It keeps its buffers, and may be used by one
// goroutine at a time. The zero value is ready.
type Analyzer struct{ c cutter }

// Append appends the tokens of text to dst: the text of those of [Analyze].
func (a *Analyzer) Append(dst []string, text string) []string {
	if a.c.near == nil {
		a.c.near = new(near)
	}
	a.c.cut(text, mode{})
	return a.c.texts(dst)
}

// Values appends the tokens of the values of one field to dst, with an empty
// string between two values, so that no phrase crosses from one to the other.
// All values together count for MaxField.
func (a *Analyzer) Values(dst []string, values ...string) []string {
	from, left := len(dst), MaxField
	for _, v := range values {
		if v == "" || left <= 0 {
			continue
		}
		if len(v) > left {
			v = v[:left]
		}
		left -= len(v)
		gap := len(dst)
		if gap > from {
			dst = append(dst, "")
		}
		n := len(dst)
		if dst = a.Append(dst, v); len(dst) == n {
			dst = dst[:gap]
		}
	}
	return dst
}

var analyzers = sync.Pool{New: func() any { return new(Analyzer) }}

func analyze(text string, m mode) []Token {
	a := analyzers.Get().(*Analyzer)
	defer analyzers.Put(a)
	a.c.cut(text, m)
	return a.c.tokens()
}

// mode is how a text is cut.
type mode struct {
	whole bool // as in Whole
	slow  bool // without the short ways for frequent characters; for tests
}

// cutter collects characters into words and runs, and these into pieces.
type cutter struct {
	mode
	pieces []piece
	buf    []byte // text of the pieces that have no stem
	near   *near  // of a cutter that is used again; else nil

	word       []byte // the word that is being read
	start, end int
	plain      bool // the word is ASCII letters only
	apostrophe bool // one came after the word
	run        []unit
	seg        []byte
	scratch    []byte
}

// piece is a token whose text is a stem that was known, or buf[from:to].
type piece struct {
	stem       string
	from, to   int
	start, end int
	single     bool
}

type unit struct {
	r          rune
	start, end int
}

func (c *cutter) texts(dst []string) []string {
	all := string(c.buf)
	dst = slices.Grow(dst, len(c.pieces))
	for i := range c.pieces {
		p := &c.pieces[i]
		if p.stem != "" {
			dst = append(dst, p.stem)
		} else {
			dst = append(dst, all[p.from:p.to])
		}
	}
	return dst
}

func (c *cutter) tokens() []Token {
	all := string(c.buf)
	out := make([]Token, len(c.pieces))
	for i, p := range c.pieces {
		text := p.stem
		if text == "" {
			text = all[p.from:p.to]
		}
		out[i] = Token{Text: text, Start: p.start, End: p.end, Single: p.single}
	}
	return out
}

func (c *cutter) cut(text string, m mode) {
	c.mode = m
	c.pieces, c.buf, c.word, c.run, c.apostrophe = c.pieces[:0], c.buf[:0], c.word[:0], c.run[:0], false
	if len(text) > MaxField {
		text = text[:MaxField]
		for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
	}
	t := tables()
	for i := 0; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf {
			// Most of the bytes of most libraries are such letters.
			if l := t.ascii[b]; l != 0 && len(c.run) == 0 && len(c.word) > 0 && !c.apostrophe {
				i = c.letters(text, i, t)
				continue
			}
			c.ascii(b, i, t)
			i++
			continue
		}
		if !m.slow {
			if n := c.fast(text, i, t); n > 0 {
				i += n
				continue
			}
		}
		end := i
		for end < len(text) && text[end] >= utf8.RuneSelf {
			_, n := utf8.DecodeRuneInString(text[end:])
			if !m.slow && end > i && t.isFast(text, end) {
				break
			}
			end += n
		}
		c.slowly(text, i, end, t)
		i = end
	}
	c.flushWord()
	c.flushRun()
}

// letters takes ASCII letters and digits of the word that is being read, and
// returns where they end.
func (c *cutter) letters(text string, i int, t *table) int {
	for i < len(text) {
		b := text[i]
		if b >= utf8.RuneSelf || t.ascii[b] == 0 {
			break
		}
		c.plain = c.plain && b > '9'
		if len(c.word) < maxWord {
			c.word = append(c.word, t.ascii[b])
		}
		i++
	}
	c.end = i
	return i
}

// ascii takes an ASCII character.
func (c *cutter) ascii(b byte, at int, t *table) {
	switch l := t.ascii[b]; {
	case l != 0:
		c.letter(rune(l), at, at+1, l > '9')
	case b == '\'':
		c.mark()
	default:
		c.flushWord()
		c.flushRun()
	}
}

// fast takes a character that stays what it is whatever comes beside it, and
// returns its length; 0 when it is another one.
func (c *cutter) fast(text string, at int, t *table) int {
	r, n := utf8.DecodeRuneInString(text[at:])
	if isHan(r) {
		c.flushWord()
		c.run = append(c.run, unit{t.simplify(r), at, at + n})
		return n
	}
	f := t.fold(r)
	if f == nil || f.kind == kindSlow {
		return 0
	}
	if f.kind == kindRun && joins(text, at+n) {
		return 0
	}
	c.take(f.kind, r, f.b[:f.n], f.plain, at, at+n)
	return n
}

// joins says whether a mark follows that makes one character with a kana or a
// Korean syllable before it.
func joins(text string, at int) bool {
	if at+2 >= len(text) {
		return false
	}
	switch a, b, d := text[at], text[at+1], text[at+2]; {
	case a == 0xe3:
		return b == 0x82 && (d == 0x99 || d == 0x9a)
	case a == 0xe1:
		return b >= 0x84 && b <= 0x87
	}
	return false
}

// isFast says whether fast takes the character.
func (t *table) isFast(text string, at int) bool {
	r, n := utf8.DecodeRuneInString(text[at:])
	if isHan(r) {
		return true
	}
	f := t.fold(r)
	return f != nil && f.kind != kindSlow && (f.kind != kindRun || !joins(text, at+n))
}

// slowly takes text[i:end] as its compatibility form (NFKC, Unicode Standard
// Annex 15), of which every character goes its way.
func (c *cutter) slowly(text string, i, end int, t *table) {
	var it norm.Iter
	it.InitString(norm.NFKC, text[i:end])
	for !it.Done() {
		from := i + it.Pos()
		c.seg = append(c.seg[:0], it.Next()...)
		for i+it.Pos() == from && !it.Done() { // one character that becomes several
			c.seg = append(c.seg, it.Next()...)
		}
		to := i + it.Pos()
		for rest := c.seg; len(rest) > 0; {
			r, n := utf8.DecodeRune(rest)
			rest = rest[n:]
			var kind uint8
			var plain bool
			kind, c.scratch, plain = foldOf(c.scratch[:0], r)
			if kind == kindMixed {
				for b := c.scratch; len(b) > 0; {
					x, n := utf8.DecodeRune(b)
					c.letter(x, from, to, x < utf8.RuneSelf && x > '9')
					b = b[n:]
				}
				continue
			}
			if kind == kindRun {
				r = t.simplify(r)
			}
			c.take(kind, r, c.scratch, plain, from, to)
		}
	}
}

// take takes a character of a kind; letters is what it is folded to, when it is
// part of a word.
func (c *cutter) take(kind uint8, r rune, letters []byte, plain bool, start, end int) {
	switch kind {
	case kindWord:
		if len(letters) > 0 {
			c.append(letters, start, end, plain)
		}
	case kindRun:
		c.flushWord()
		c.run = append(c.run, unit{r, start, end})
	case kindMark:
		c.mark()
	case kindDrop:
		if len(c.word) > 0 {
			c.end = end
		} else if n := len(c.run); n > 0 {
			c.run[n-1].end = end
		}
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

func (c *cutter) letter(r rune, start, end int, plain bool) {
	c.begin(start, end, plain)
	if len(c.word) < maxWord {
		c.word = utf8.AppendRune(c.word, r)
	}
}

// append takes several letters that were one character.
func (c *cutter) append(letters []byte, start, end int, plain bool) {
	c.begin(start, end, plain)
	for len(letters) > 0 && len(c.word) < maxWord {
		_, n := utf8.DecodeRune(letters)
		c.word = append(c.word, letters[:n]...)
		letters = letters[n:]
	}
}

func (c *cutter) begin(start, end int, plain bool) {
	c.flushRun()
	if len(c.word) == 0 {
		c.start, c.plain = start, true
	}
	c.apostrophe = false
	c.plain = c.plain && plain
	c.end = end
}

func (c *cutter) flushWord() {
	c.apostrophe = false
	if len(c.word) == 0 {
		return
	}
	p := piece{start: c.start, end: c.end}
	switch stems := c.plain && len(c.word) > 3 && !c.whole; {
	case stems && c.near != nil:
		p.from = len(c.buf)
		c.buf = c.near.append(c.buf, c.word)
		p.to = len(c.buf)
	case stems:
		p.stem = stem(c.word)
	}
	if p.stem == "" && p.to == p.from {
		p.from = len(c.buf)
		c.buf = append(c.buf, c.word...)
		p.to = len(c.buf)
	}
	c.pieces = append(c.pieces, p)
	c.word = c.word[:0]
}

func (c *cutter) flushRun() {
	n := len(c.run)
	if n == 0 {
		return
	}
	if c.whole {
		from := len(c.buf)
		for _, u := range c.run {
			c.buf = utf8.AppendRune(c.buf, u.r)
		}
		c.pieces = append(c.pieces, piece{from: from, to: len(c.buf), start: c.run[0].start, end: c.run[n-1].end})
		c.run = c.run[:0]
		return
	}
	// The characters one after the other are the text of every pair.
	last := len(c.buf)
	for i, u := range c.run {
		at := len(c.buf)
		c.buf = utf8.AppendRune(c.buf, u.r)
		if i > 0 {
			c.pieces = append(c.pieces, piece{from: last, to: len(c.buf), start: c.run[i-1].start, end: u.end})
		}
		last = at
	}
	c.pieces = append(c.pieces, piece{from: last, to: len(c.buf), start: c.run[n-1].start, end: c.run[n-1].end, single: true})
	c.run = c.run[:0]
}
