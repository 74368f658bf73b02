package analysis

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/kljensen/snowball/english"
)

// stems remembers the stems of what is asked and shown, because making one takes as long
// as all the rest of the analysis. It is a table of a fixed size without locks: a word has one place, and
// the last word that came there stays. It takes 20 MiB at most or so.
var stems [1 << 18]atomic.Pointer[stemmed]

// near remembers the stems of one analyzer's words, word and stem in half a cache
// line, so that looking one up waits for the memory once. It takes 16 MiB: the words
// of a catalogue are many.
type near [1 << 19]struct {
	word, stem [15]byte
	n, m       uint8 // their lengths; 0: a place that is free
}

// append appends the stem of a word to dst.
func (t *near) append(dst, word []byte) []byte {
	e := &t[maphash.Bytes(stemSeed, word)%uint64(len(t))]
	if int(e.n) == len(word) && string(e.word[:e.n]) == string(word) {
		return append(dst, e.stem[:e.m]...)
	}
	s := english.Stem(string(word), false)
	if len(word) <= len(e.word) && len(s) <= len(e.stem) {
		e.n, e.m = uint8(copy(e.word[:], word)), uint8(copy(e.stem[:], s))
	}
	return append(dst, s...)
}

var stemSeed = maphash.MakeSeed()

type stemmed struct{ word, stem string }

// stem is the stem of an English word of lower-case ASCII letters (Snowball's
// English stemmer, also called Porter 2).
func stem(word []byte) string {
	place := &stems[maphash.Bytes(stemSeed, word)%uint64(len(stems))]
	if s := place.Load(); s != nil && s.word == string(word) {
		return s.stem
	}
	s := &stemmed{word: string(word)}
	s.stem = english.Stem(s.word, false)
	if s.stem == s.word {
		s.stem = s.word // one string, not two
	}
	place.Store(s)
	return s.stem
}

// endings are those of English words that the stemmer cuts off.
var endings = strings.Fields("s es ed ing ings ion ions ation ations al ally ment ments ness ity ities ive ively ly ous ously er ers ic ics ical ically ies ied y e ance ances ence ences able ible ism isms ist ists ful less ize izes ized izing")

// PrefixStems gives the stems, shorter than word, that words may have which begin
// with word: "evolutio" begins "evolution", of which "evolut" is stored. Stems
// that begin with word are not among them: a search for a prefix finds those.
// There are eight at most. word is a token of [Whole].
func PrefixStems(word string) []string {
	if len(word) < 4 || len(word) > maxWord-8 {
		return nil
	}
	for _, b := range []byte(word) {
		if b < 'a' || b > 'z' {
			return nil
		}
	}
	var out []string
	add := func(whole string) {
		if s := stem([]byte(whole)); !strings.HasPrefix(s, word) && !slices.Contains(out, s) && len(out) < 8 {
			out = append(out, s)
		}
	}
	add(word)
	for _, e := range endings {
		for n := len(e); n > 0; n-- {
			if base, ok := strings.CutSuffix(word, e[:n]); ok && len(base) >= 3 {
				add(base + e)
				break
			}
		}
	}
	return out
}

// nearTail is how many letters at the end of a word NearStems changes: English
// endings have no more.
const nearTail = 6

// NearStems gives the stems of the words that differ from a mistyped one by one
// slip in its last letters: two letters exchanged, one left out, one too many, one
// wrong. A slip there keeps the stemmer from cutting the ending off, so that what
// is left is far from the stem by letters: "evolutoin" is none of the neighbours of
// "evolut". Stems that are as long as the word, or one letter shorter, are left
// out: those are neighbours. word is a token of five to forty ASCII letters; for
// others there are none. It stems some 300 words.
func NearStems(word string) []string {
	if len(word) < 5 || len(word) > 40 {
		return nil
	}
	for _, b := range []byte(word) {
		if b < 'a' || b > 'z' {
			return nil
		}
	}
	var out []string
	add := func(w []byte) {
		if s := english.Stem(string(w), false); len(s)+1 < len(word) && len(s) >= 3 && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	w := make([]byte, 0, len(word)+1)
	for i := max(2, len(word)-nearTail); i < len(word); i++ {
		add(append(append(w[:0], word[:i]...), word[i+1:]...))
		if i+1 < len(word) && word[i] != word[i+1] {
			add(append(append(w[:0], word[:i]...), append([]byte{word[i+1], word[i]}, word[i+2:]...)...))
		}
		for c := byte('a'); c <= 'z'; c++ {
			if c != word[i] {
				add(append(append(append(w[:0], word[:i]...), c), word[i+1:]...))
			}
			add(append(append(append(w[:0], word[:i]...), c), word[i:]...))
		}
	}
	return out
}

// JoinHyphens is the token of a word with hyphens as it is written without them:
// that of "email" for "e-mail"; empty when a word has none, or other signs.
func JoinHyphens(word string) string {
	if len(word) > maxWord || !strings.Contains(word, "-") {
		return ""
	}
	for _, b := range []byte(word) {
		if b != '-' && (b|0x20 < 'a' || b|0x20 > 'z') {
			return ""
		}
	}
	tokens := Analyze(strings.ReplaceAll(word, "-", ""))
	if len(tokens) != 1 {
		return ""
	}
	return tokens[0].Text
}
