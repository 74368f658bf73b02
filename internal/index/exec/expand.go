package exec

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/vellum"
	"github.com/blevesearch/vellum/levenshtein"

	"wenlan/internal/index/segment"
)

// Bounds of forgiveness.
const (
	maxPrefix = 256     // words of a prefix that are read one by one, see ranged
	fewPrefix = 48      // likewise, at the end of a phrase
	maxNear   = 32      // words that a mistyped one stands for, the nearest
	maxExpand = 16      // prefixes and mistyped words of a query; further ones stand for themselves
	maxScan   = 1 << 15 // words of the dictionaries that are looked at for one of them

	minTypo  = 4  // letters from which one edit is forgiven
	minTypo2 = 8  // letters from which two are
	maxTypo  = 40 // letters from which none is
)

// What a word gives that is not the one asked for, of what that one would: a longer one,
// one edit away, two edits.
const (
	factorPrefix = 0.8
	factorNear   = 0.7
	factorNear2  = 0.5
)

// builders make the automata of one distance; they are costly to make, and constant.
var builders = [...]func() *levenshtein.LevenshteinAutomatonBuilder{
	1: sync.OnceValue(func() *levenshtein.LevenshteinAutomatonBuilder { return builder(1) }),
	2: sync.OnceValue(func() *levenshtein.LevenshteinAutomatonBuilder { return builder(2) }),
}

func builder(distance uint8) *levenshtein.LevenshteinAutomatonBuilder {
	b, err := levenshtein.NewLevenshteinAutomatonBuilder(distance, true)
	if err != nil {
		panic("exec: " + err.Error()) // cannot be for 1 and 2
	}
	return b
}

// mayErr says whether a word is one in which a typo is forgiven: letters only, of a script
// that has spaces between words.
func mayErr(text string) bool {
	n := utf8.RuneCountInString(text)
	if n < minTypo || n > maxTypo {
		return false
	}
	for _, r := range text {
		if !unicode.IsLetter(r) || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan) {
			return !unicode.In(r, unicode.Han) && unicode.IsMark(r)
		}
	}
	return true
}

// found is a word of the dictionaries.
type found struct {
	text  string
	dist  uint8
	df    int64
	terms []segment.Term
}

// better says which of two words is kept when there are too many.
func better(a, b *found) int {
	switch {
	case a.dist != b.dist:
		return int(a.dist) - int(b.dist)
	case a.df != b.df:
		return cmp.Compare(b.df, a.df)
	}
	return strings.Compare(a.text, b.text)
}

// scan collects from all dictionaries the words in [from, to) that aut accepts, the best n
// of them, best first. It says whether that were all.
func (x *run) scan(aut *levenshtein.DFA, from, to string, n int) (out []*found, all bool) {
	var its []*segment.TermIter
	var at []int
	for i := range x.segments {
		var a vellum.Automaton
		if aut != nil {
			a = aut
		}
		if it := x.segments[i].Terms(a, from, to); it.Next() {
			its, at = append(its, it), append(at, i)
		}
	}
	all = true
	full := false // then out is a heap with the worst at its root
	row := make([]segment.Term, len(x.segments))
	for seen := 0; len(its) > 0; seen++ {
		if seen >= maxScan || !x.ctl.spend(1+len(its)) {
			all = false
			break
		}
		// The least word, from all segments that have it.
		text := its[0].Text()
		for _, it := range its[1:] {
			if t := it.Text(); bytes.Compare(t, text) < 0 {
				text = t
			}
		}
		clear(row)
		f := found{terms: row}
		x.word = append(x.word[:0], text...)
		for k := 0; k < len(its); {
			if !bytes.Equal(its[k].Text(), x.word) {
				k++
				continue
			}
			t := its[k].Term()
			row[at[k]] = t
			f.df += int64(t.DF)
			if its[k].Next() {
				k++
				continue
			}
			its, at = slices.Delete(its, k, k+1), slices.Delete(at, k, k+1)
		}
		if f.df == 0 {
			continue
		}
		if full && aut == nil && f.df < out[0].df {
			all = false
			continue
		}
		f.text = string(x.word)
		if aut != nil {
			if r, _ := utf8.DecodeRuneInString(f.text); unicode.Is(unicode.Co, r) {
				continue // an identifier
			}
			_, f.dist = aut.MatchAndDistance(f.text)
		}
		if full {
			all = false
			w := out[0]
			if better(&f, w) > 0 {
				continue
			}
			copy(w.terms, f.terms)
			f.terms = w.terms
			*w = f
			sink(out, 0)
			continue
		}
		f.terms = slices.Clone(row)
		c := f
		out = append(out, &c)
		if len(out) == n {
			full = true
			for i := n/2 - 1; i >= 0; i-- {
				sink(out, i)
			}
		}
	}
	slices.SortFunc(out, better)
	return out, all
}

func sink(h []*found, i int) {
	for {
		k := 2*i + 1
		if k >= len(h) {
			return
		}
		if k+1 < len(h) && better(h[k+1], h[k]) > 0 {
			k++
		}
		if better(h[k], h[i]) <= 0 {
			return
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
}

// group makes of words one part of which the best counts. All have the inverse frequency
// of the most frequent of them, so that a rare one is not worth more for being rare.
func (c *compiler) group(text string, fields uint8, words []*found, factor func(*found) float32) *plan {
	var df int64
	for _, f := range words {
		df = max(df, f.df)
	}
	g := &plan{kind: kindBest, text: text, fields: fields, df: df}
	idf := c.x.scale.idf(df)
	for _, f := range words {
		if c.leaves >= maxLeaves {
			c.capped = true
			break
		}
		c.leaves++
		g.of = append(g.of, &plan{kind: kindTerm, text: f.text, fields: fields, df: f.df, terms: f.terms, dist: f.dist, weight: idf * factor(f)})
	}
	if len(g.of) == 0 {
		return &plan{}
	}
	return g
}

// prefixed is the words that begin with text: the word itself and the n most frequent. It
// is for the end of a phrase; see ranged.
func (c *compiler) prefixed(text string, fields uint8, n int) *plan {
	if text == "" || !c.expand() {
		return c.exact(text, fields)
	}
	words, all := c.x.scan(nil, text, after(text), n)
	if !all {
		c.capped = true
		if len(words) > 0 && !slices.ContainsFunc(words, func(f *found) bool { return f.text == text }) {
			if p := c.exact(text, fields); p.kind == kindTerm {
				c.leaves--
				words = append([]*found{{text: text, df: p.df, terms: p.terms}}, words[:len(words)-1]...)
			}
		}
	}
	return c.group(text, fields, words, func(f *found) float32 {
		if f.text == text {
			return 1
		}
		return factorPrefix
	})
}

// expand says whether another word may be expanded.
func (c *compiler) expand() bool {
	if c.expanded >= maxExpand || c.leaves >= maxLeaves || !c.x.ctl.look() {
		c.capped = true
		return false
	}
	c.expanded++
	return true
}

// after is the least text that is greater than all that begin with text; "": there is none.
func after(text string) string {
	b := []byte(text)
	for len(b) > 0 {
		if b[len(b)-1]++; b[len(b)-1] != 0 {
			return string(b)
		}
		b = b[:len(b)-1]
	}
	return ""
}

// near is the words at a small distance from text, and text itself where exact is there.
// One edit with the first letter right is tried first. Where text itself is nowhere,
// what Request.Near gives is as near as one edit; two edits of a long word are next, and
// then one edit of the first letter.
func (c *compiler) near(text string, fields uint8, exact *plan) *plan {
	if !c.expand() {
		return exact
	}
	_, size := utf8.DecodeRuneInString(text)
	first := text[:size]
	var words []*found
	all := true
	try := func(distance uint8) bool {
		if !c.x.ctl.look() { // an automaton costs as much as some thousand postings
			return false
		}
		dfa, err := builders[distance]().BuildDfa(text, distance)
		if err != nil {
			return false
		}
		words, all = c.x.scan(dfa, first, after(first), maxNear)
		return slices.ContainsFunc(words, func(f *found) bool { return f.dist > 0 })
	}
	ok := try(1)
	if exact.kind == kindNone && c.x.req.Near != nil {
		for _, w := range c.x.req.Near(text) {
			if f := c.x.lookUp(w); f != nil && !slices.ContainsFunc(words, func(g *found) bool { return g.text == w }) {
				words = append(words, f)
			}
		}
		slices.SortFunc(words, better)
		if len(words) > maxNear {
			words, all = words[:maxNear], false
		}
		ok = len(words) > 0
	}
	if !ok && exact.kind == kindNone {
		ok = utf8.RuneCountInString(text) >= minTypo2 && try(2)
		if !ok {
			words, all = c.x.otherFirst(text, maxNear)
		}
	}
	c.capped = c.capped || !all
	if exact.kind == kindTerm && !slices.ContainsFunc(words, func(f *found) bool { return f.text == text }) {
		words = append([]*found{{text: text, df: exact.df, terms: exact.terms}}, words...)
	}
	if len(words) == 0 || len(words) == 1 && words[0].dist == 0 {
		return &plan{}
	}
	var most int64
	for _, f := range words {
		most = max(most, f.df)
	}
	p := c.group(text, fields, words, func(f *found) float32 {
		switch f.dist {
		case 0: // as it would alone, because it is what was typed
			return c.x.scale.idf(f.df) / c.x.scale.idf(most)
		case 1:
			return factorNear
		}
		return factorNear2
	})
	p.widened = p.kind == kindBest
	return p
}

// lookUp is a word, one slip from what was typed, in all dictionaries; nil when it is
// in none.
func (x *run) lookUp(word string) *found {
	f := &found{text: word, dist: 1}
	for i := range x.segments {
		if t, ok := x.segments[i].Term(word); ok {
			if f.terms == nil {
				f.terms = make([]segment.Term, len(x.segments))
			}
			f.terms[i] = t
			f.df += int64(t.DF)
		}
	}
	if f.df == 0 {
		return nil
	}
	return f
}

// otherFirst is the words one edit of the first letter away: it was left out, swapped
// with the next, added, or replaced. They are looked up one by one, which spares a walk
// through all words.
func (x *run) otherFirst(text string, n int) (out []*found, all bool) {
	r, size := utf8.DecodeRuneInString(text)
	rest := text[size:]
	seen := map[string]bool{text: true}
	try := func(w string) {
		if seen[w] || w == "" || !x.ctl.spend(2*len(x.segments)) {
			return
		}
		seen[w] = true
		if f := x.lookUp(w); f != nil {
			out = append(out, f)
		}
	}
	try(rest)
	if r2, size2 := utf8.DecodeRuneInString(rest); size2 > 0 {
		try(string(r2) + string(r) + rest[size2:])
	}
	for i := range x.segments {
		for _, letter := range x.firstLetters(x.segments[i].Reader) {
			try(string(letter) + text)
			try(string(letter) + rest)
		}
	}
	slices.SortFunc(out, better)
	if len(out) > n {
		return out[:n], false
	}
	return out, !x.ctl.stopped
}

// lastLetter is the end of the scripts that have spaces between words, and capitals or
// not: what is beyond is no first letter that someone mistypes.
const lastLetter = 0x2e80

// firstLetters are the letters that words of a segment begin with, found by leaping from
// one to the next.
func (x *run) firstLetters(r *segment.Reader) (out []rune) {
	for from := "0"; x.ctl.spend(4); {
		it := r.Terms(nil, from, "")
		if !it.Next() {
			break
		}
		letter, size := utf8.DecodeRune(it.Text())
		if letter >= lastLetter && letter != utf8.RuneError {
			break
		}
		if size < 2 && letter == utf8.RuneError { // no text at all
			from = string(it.Text()) + "\x00"
			continue
		}
		out = append(out, letter)
		from = after(string(it.Text()[:size]))
	}
	return out
}
