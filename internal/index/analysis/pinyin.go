package analysis

import (
	_ "embed" // pinyin.txt
	"math/bits"
	"strings"
	"sync"
	"unicode/utf8"
)

// MarkReading is what every token of the field Reading begins with, so that
// syllables and English words ("he", "long") are different terms. No token of a
// text begins with it: it is of the private use area, which Analyze drops.
const MarkReading = "\ue001"

// Limits of readings.
const (
	maxSyllables = 64 // of one value
	maxJoined    = 10 // characters of a run whose whole and initials are given
	maxPhrase    = 8  // characters of a word with a reading of its own
)

//go:embed pinyin.txt
var pinyinText string

type pinyinTable struct {
	syllables []string            // each with its mark before it
	of        []uint16            // by character from U+3400: 1 + its place in syllables; 0: none
	words     map[string][]uint16 // words that are read otherwise than their characters
	first     map[rune]bool       // characters that such words begin with
	known     map[string]bool     // syllables of Mandarin without tone
	begun     map[string]bool     // what they begin with
	surnames  map[string][]uint16 // as names; one or two characters
}

// surnames that are read otherwise as names than elsewhere.
const surnames = `单 shan|曾 zeng|仇 qiu|解 xie|任 ren|区 ou|查 zha|朴 piao|盖 ge|翟 zhai|乐 yue|缪 miao|员 yun|繁 po|秘 bi|冼 xian|洗 xian|种 chong|召 shao|祭 zhai|那 na|覃 qin|晁 chao|乜 nie|句 gou|逄 pang|黑 he|折 she|宓 mi|葛 ge|盛 sheng|臧 zang|薄 bo|车 che|石 shi|应 ying|贾 jia|柏 bai|牟 mou|谌 chen|阚 kan|隗 wei|郗 xi|卜 bu|佴 nai|长孙 zhang sun|尉迟 yu chi|万俟 mo qi|令狐 ling hu|澹台 tan tai|鲜于 xian yu|单于 chan yu|夏侯 xia hou|呼延 hu yan|宰父 zai fu|亓官 qi guan`

var pinyinTables = sync.OnceValue(buildPinyin)

func buildPinyin() *pinyinTable {
	t := &pinyinTable{of: make([]uint16, 0xa000-lowFrom), words: map[string][]uint16{}, first: map[rune]bool{}, known: map[string]bool{}, begun: map[string]bool{}, surnames: map[string][]uint16{}}
	place := map[string]uint16{}
	id := func(s string) uint16 {
		n, ok := place[s]
		if !ok {
			n = uint16(len(t.syllables))
			place[s] = n
			t.syllables = append(t.syllables, MarkReading+s)
			if strings.ContainsAny(s, "aeiou") {
				t.known[s] = true
				for i := range s {
					t.begun[s[:i+1]] = true
				}
			}
		}
		return n
	}
	word := func(line string) (string, []uint16) {
		w, rest, _ := strings.Cut(line, " ")
		var ids []uint16
		for s := range strings.FieldsSeq(rest) {
			ids = append(ids, id(s))
		}
		return w, ids
	}
	inWords := false
	for line := range strings.Lines(pinyinText) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			inWords = true
		case inWords:
			w, ids := word(line)
			t.words[w] = ids
			r, _ := utf8.DecodeRuneInString(w)
			t.first[r] = true
		default:
			s, chars, _ := strings.Cut(line, " ")
			n := id(s)
			for _, r := range chars {
				if at := r - lowFrom; at >= 0 && int(at) < len(t.of) {
					t.of[at] = n + 1
				}
			}
		}
	}
	for line := range strings.SplitSeq(surnames, "|") {
		w, ids := word(line)
		t.surnames[w] = ids
	}
	return t
}

// read appends the syllables of characters, which are folded, to dst; false when
// one has no reading. The longest word counts (as in forward maximum matching).
func (t *pinyinTable) read(dst []uint16, text []rune, name bool) ([]uint16, bool) {
	i := 0
	if name && len(text) >= 2 && len(text) <= 4 {
		for n := min(2, len(text)-1); n >= 1; n-- {
			if ids, ok := t.surnames[string(text[:n])]; ok {
				dst, i = append(dst, ids...), n
				break
			}
		}
	}
next:
	for i < len(text) {
		if t.first[text[i]] {
			for n := min(maxPhrase, len(text)-i); n >= 2; n-- {
				if ids, ok := t.words[string(text[i:i+n])]; ok {
					dst = append(dst, ids...)
					i += n
					continue next
				}
			}
		}
		at := text[i] - lowFrom
		if at < 0 || int(at) >= len(t.of) || t.of[at] == 0 {
			return dst, false
		}
		dst = append(dst, t.of[at]-1)
		i++
	}
	return dst, true
}

// Readings appends the readings of a value in pinyin without tones to dst, for
// the field Reading. Each run of Chinese characters gives its syllables, in order,
// and, when it has two to ten characters, after a gap the whole joined and the
// initials: "红楼梦" gives hong, lou, meng, "", hongloumeng, hlm, each with
// MarkReading before it. With name set the value is the name of a person, whose
// surname may be read in its own way (单 as shan). A value with kana or Korean
// syllables is not Chinese and gives nothing, nor does one in other scripts. When
// dst is not empty, a gap comes first.
func Readings(dst []string, value string, name bool) []string {
	if len(value) > MaxField {
		value = value[:MaxField]
	}
	han := false
	for _, r := range value {
		if r >= 0x3041 && r <= 0x30fa || r >= 0xac00 && r <= 0xd7a3 {
			return dst
		}
		han = han || isHan(r)
	}
	if !han {
		return dst
	}
	t, chars := pinyinTables(), tables()
	var runBuf [maxSyllables]rune
	var idBuf [maxSyllables]uint16
	left := maxSyllables
	emit := func(run []rune) {
		ids, ok := t.read(idBuf[:0], run, name)
		if len(ids) == 0 {
			return
		}
		if len(dst) > 0 {
			dst = append(dst, "")
		}
		for _, n := range ids {
			dst = append(dst, t.syllables[n])
		}
		if !ok || len(ids) < 2 || len(ids) > maxJoined {
			return
		}
		joined := append(make([]byte, 0, 64), MarkReading...)
		initials := append(make([]byte, 0, 16), MarkReading...)
		for _, n := range ids {
			s := t.syllables[n][len(MarkReading):]
			joined, initials = append(joined, s...), append(initials, s[0])
		}
		dst = append(dst, "", string(joined), string(initials))
	}
	run := runBuf[:0]
	for _, r := range value {
		r = chars.simplify(r)
		if isHan(r) && left > 0 {
			run = append(run, r)
			left--
			continue
		}
		if len(run) > 0 && !isDropped(r) {
			emit(run)
			run = run[:0]
		}
	}
	if len(run) > 0 {
		emit(run)
	}
	return dst
}

// Reading is what a word in Latin letters may be as pinyin.
type Reading struct {
	Whole    string     // joined or initials, with MarkReading before it; empty: neither
	Initials bool       // Whole can only be initials
	Parses   [][]string // its syllables, each with MarkReading before it: the ways to part it, the fewest first
}

// maxParses bounds the ways to part a word.
const maxParses = 4

// ReadPinyin says what a word, as typed, may be as pinyin: with tones ("hóng"),
// tones as digits ("hong2lou2"), v for ü, apostrophes between syllables. Parses is
// empty unless the word is made of syllables wholly. Words of more than 64 bytes
// are none.
func ReadPinyin(word string) Reading {
	if len(word) > 2*maxWord {
		return Reading{}
	}
	if letters := lettersOnly(word); letters != "" {
		return readPinyin(letters, false)
	}
	if r, _ := utf8.DecodeRuneInString(word); r >= 0x2e80 {
		return Reading{}
	}
	// Letters only, lower case; a space where a syllable must begin.
	var b strings.Builder
	letters, digits := 0, 0
	for _, tok := range Whole(pinyinMarks.Replace(word)) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		for i, c := range []byte(tok.Text) {
			switch {
			case 'a' <= c && c <= 'z':
				b.WriteByte(c)
				letters++
			case '0' <= c && c <= '5' && i > 0 && tok.Text[i-1] >= 'a':
				b.WriteByte(' ')
				digits++
			default:
				return Reading{}
			}
		}
	}
	text := strings.TrimSpace(b.String())
	if letters > maxWord {
		return Reading{}
	}
	return readPinyin(text, digits > 0)
}

// lettersOnly is a word in lower case; empty when it has anything but ASCII letters.
func lettersOnly(word string) string {
	for _, c := range []byte(word) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return ""
		}
	}
	return strings.ToLower(word)
}

// readPinyin reads lower-case letters, with spaces where syllables must begin.
func readPinyin(text string, tones bool) Reading {
	if len(text) < 2 || len(text) > 2*maxWord {
		return Reading{}
	}
	t := pinyinTables()
	var out Reading
	parts := strings.Fields(text)
	parses := [][]string{nil}
	for _, part := range parts {
		ways := t.split(part)
		if len(ways) == 0 {
			parses = nil
			break
		}
		var next [][]string
		for _, p := range parses {
			for _, w := range ways {
				if len(next) < maxParses {
					next = append(next, append(p[:len(p):len(p)], w...))
				}
			}
		}
		parses = next
	}
	out.Parses = parses
	if !tones && len(parts) == 1 {
		switch {
		case len(parses) > 0:
			out.Whole = MarkReading + strings.Join(unmarked(parses[0]), "")
		case isInitials(text):
			out.Whole, out.Initials = MarkReading+text, true
		}
	} else if len(parses) > 0 {
		out.Whole = MarkReading + strings.Join(unmarked(parses[0]), "")
	}
	return out
}

// pinyinMarks writes ü as the table does, and apostrophes as what parts syllables.
var pinyinMarks = strings.NewReplacer("'", " ", "’", " ", "ʼ", " ", "-", " ", "u:", "u", "U:", "u")

func unmarked(tokens []string) []string {
	out := make([]string, len(tokens))
	for i, s := range tokens {
		out[i] = strings.TrimPrefix(s, MarkReading)
	}
	return out
}

// isInitials says whether letters may be the initials of two to ten characters.
// No syllable begins with i, u or v, and few begin with another vowel; words of
// other languages have more of those.
func isInitials(text string) bool {
	if len(text) < 2 || len(text) > maxJoined {
		return false
	}
	vowels := 0
	for _, c := range []byte(text) {
		switch {
		case c < 'a', c > 'z', c == 'i', c == 'u', c == 'v':
			return false
		case c == 'a', c == 'e', c == 'o':
			vowels++
		}
	}
	return 4*vowels <= len(text)
}

// longest syllable, in bytes ("zhuang").
const maxSyllable = 6

// split parts letters into syllables, the ways with the fewest first; none when it
// cannot be done. v stands for ü, which the table writes u. A syllable of one
// letter, as e, only stands first: elsewhere an apostrophe parts it (GB/T 16159).
func (t *pinyinTable) split(text string) [][]string {
	if len(text) > maxWord {
		return nil
	}
	// counts[i] has bit n set when text[i:] can be n syllables.
	var counts [maxWord + 1]uint64
	counts[len(text)] = 1
	for i := len(text) - 1; i >= 0; i-- {
		for n := 1; n <= maxSyllable && i+n <= len(text); n++ {
			if counts[i+n] != 0 && (n > 1 || i == 0) && t.isSyllable(text[i:i+n]) {
				counts[i] |= counts[i+n] << 1
			}
		}
	}
	var out [][]string
	so := make([]string, 0, 16)
	var walk func(i, left int)
	walk = func(i, left int) {
		if i == len(text) {
			out = append(out, append([]string(nil), so...))
			return
		}
		for n := min(maxSyllable, len(text)-i); n >= 1 && len(out) < maxParses; n-- {
			s := text[i : i+n]
			if counts[i+n]&(1<<(left-1)) != 0 && (n > 1 || i == 0) && t.isSyllable(s) {
				so = append(so, MarkReading+strings.ReplaceAll(s, "v", "u"))
				walk(i+n, left-1)
				so = so[:len(so)-1]
			}
		}
	}
	// The fewest, then one more: "xian" is xian and xi an.
	fewest := bits.TrailingZeros64(counts[0])
	for n := fewest; n <= fewest+1 && n < 64; n++ {
		if counts[0]&(1<<n) != 0 {
			walk(0, n)
		}
	}
	return out
}

// BeginsPinyin says whether lower-case letters, three at least, may be how readings
// begin: syllables and the beginning of one, or initials.
func BeginsPinyin(text string) bool {
	if len(text) < 3 || len(text) > maxWord {
		return false
	}
	t := pinyinTables()
	var ends [maxWord + 1]bool // syllables may end here
	ends[0] = true
	for i := range len(text) {
		if !ends[i] {
			continue
		}
		for n := 1; n <= maxSyllable && i+n <= len(text); n++ {
			s := text[i : i+n]
			if i+n == len(text) && t.begun[s] {
				return true
			}
			if (n > 1 || i == 0) && t.isSyllable(s) {
				ends[i+n] = true
			}
		}
	}
	return isInitials(text)
}

func (t *pinyinTable) isSyllable(s string) bool {
	switch s {
	case "lv", "nv", "lve", "nve":
		return true
	}
	return t.known[s]
}
