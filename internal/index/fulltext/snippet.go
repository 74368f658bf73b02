package fulltext

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/index"
	"wenlan/internal/index/analysis"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// pattern is a word or phrase to look for in a text.
type pattern struct {
	tokens []string
	prefix bool // the last token is only how one begins
}

// patterns are the words and phrases of a query that a text may have; none of what
// is excluded.
func patterns(n query.Node) []pattern {
	body := segment.Body.Bit()
	switch n := n.(type) {
	case *query.And:
		var out []pattern
		for _, of := range n.Of {
			out = append(out, patterns(of)...)
		}
		return out
	case *query.Or:
		var out []pattern
		for _, of := range n.Of {
			out = append(out, patterns(of)...)
		}
		return out
	case *query.Term:
		if n.Fields&body != 0 {
			return []pattern{{[]string{n.Text}, n.Prefix}}
		}
	case *query.Phrase:
		if n.Fields&body != 0 {
			return []pattern{{n.Tokens, n.Prefix}}
		}
	}
	return nil
}

// Bounds of a snippet.
const (
	snippetWidth = 240     // characters; those of scripts without spaces count twice
	clusterWidth = 180     // in which the words should stand
	wordsRunes   = 100     // for the reader to find
	maxPlaces    = 2000    // of words in a chapter that are looked at
	maxLooked    = 4 << 20 // bytes of a chapter that are
)

// match is a place of a pattern.
type match struct {
	index.Span
	pattern int
}

// snippet is a piece of a text with the words that were asked for.
type snippet struct {
	text          string
	spans         []index.Span
	before, after bool
	words         string
}

// snippetOf finds the place of a text where most of the patterns stand together.
func snippetOf(text string, looked []pattern) snippet {
	matches := find(text, looked)
	best, last := cluster(text, matches)
	from, to := 0, 0
	var out snippet
	if len(matches) > 0 {
		from, to = matches[best].Start, matches[best].End
		for _, m := range matches[best : last+1] {
			to = max(to, m.End)
		}
		out.words = words(text, matches[best:last+1])
	}
	from, to = widen(text, from, to)
	out.before, out.after = strings.TrimSpace(text[:from]) != "", strings.TrimSpace(text[to:]) != ""
	out.text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, text[from:to])
	for _, m := range matches {
		if m.Start < from || m.End > to {
			continue
		}
		sp := index.Span{Start: m.Start - from, End: m.End - from}
		if n := len(out.spans); n > 0 && sp.Start <= out.spans[n-1].End {
			out.spans[n-1].End = max(out.spans[n-1].End, sp.End)
			continue
		}
		out.spans = append(out.spans, sp)
	}
	return out
}

// find gives the places of the patterns, by where they begin.
func find(text string, looked []pattern) []match {
	if len(text) > maxLooked {
		text = strings.ToValidUTF8(text[:maxLooked], "")
	}
	begins := map[string][]int{} // patterns by their first token
	var open []int               // those whose first token is a prefix
	for i, p := range looked {
		if len(p.tokens) == 1 && p.prefix {
			open = append(open, i)
		} else {
			begins[p.tokens[0]] = append(begins[p.tokens[0]], i)
		}
	}
	var out []match
	var tokens []analysis.Token
	at := 0
	for part := range pieces(text) {
		for _, t := range analysis.Analyze(part) {
			t.Start, t.End = t.Start+at, t.End+at
			tokens = append(tokens, t)
		}
		at += len(part)
	}
	for i, t := range tokens {
		if len(out) >= maxPlaces {
			break
		}
		for _, p := range begins[t.Text] {
			if end, ok := sequence(text, tokens[i:], looked[p]); ok {
				out = append(out, match{index.Span{Start: t.Start, End: end}, p})
			}
		}
		for _, p := range open {
			if end, ok := sequence(text, tokens[i:], looked[p]); ok {
				out = append(out, match{index.Span{Start: t.Start, End: end}, p})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b match) int { return cmp.Compare(a.Start, b.Start) })
	return out
}

// sequence says whether tokens begin with a pattern, and where that ends.
func sequence(text string, tokens []analysis.Token, p pattern) (end int, ok bool) {
	k := len(p.tokens)
	if len(tokens) < k {
		return 0, false
	}
	for i, want := range p.tokens {
		if tokens[i].Text != want && (!p.prefix || i < k-1 || !strings.HasPrefix(tokens[i].Text, want)) {
			return 0, false
		}
	}
	last := tokens[k-1]
	if p.prefix && !last.Single && last.Text != p.tokens[k-1] && analysis.InRun(first(last.Text)) {
		// One character was asked for, and the token has two.
		_, n := utf8.DecodeRuneInString(text[last.Start:])
		return last.Start + n, true
	}
	return last.End, true
}

func first(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// cluster is the range of matches, both ends included, that stand together and
// have the most different patterns, then the most matches; the first of such.
func cluster(text string, matches []match) (from, to int) {
	best := -1
	for i := range matches {
		had := map[int]bool{}
		j := i
		for ; j < len(matches) && j < i+64; j++ {
			if j > i && width(text[matches[i].Start:max(matches[j].End, matches[i].Start)]) > clusterWidth {
				break
			}
			had[matches[j].pattern] = true
		}
		if score := len(had)*100 + min(j-i, 99); score > best {
			best, from, to = score, i, j-1
		}
	}
	return from, to
}

// words is the longest run of matches with nothing but white space between them,
// on one line, as it stands in the text.
func words(text string, matches []match) string {
	var best string
	most := 0
	for i := 0; i < len(matches); {
		start, end, n := matches[i].Start, matches[i].End, 1
		j := i + 1
		for ; j < len(matches); j++ {
			if matches[j].Start > end {
				between := text[end:matches[j].Start]
				if strings.TrimSpace(between) != "" || strings.Contains(between, "\n") {
					break
				}
				n++
			}
			end = max(end, matches[j].End)
		}
		if n > most {
			best, most = text[start:end], n
		}
		i = j
	}
	best, _, _ = strings.Cut(best, "\n")
	if utf8.RuneCountInString(best) > wordsRunes {
		best = string([]rune(best)[:wordsRunes])
	}
	return strings.TrimSpace(best)
}

// width is how much room a text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += wide(r)
	}
	return n
}

func wide(r rune) int {
	if r >= 0x1100 && (analysis.InRun(r) || r >= 0x3000 && r < 0x3100 || r >= 0xff00 && r < 0xff61) {
		return 2
	}
	return 1
}

// widen adds text on both sides of a range up to the width of a snippet, to the
// ends of words where these are near.
func widen(text string, from, to int) (int, int) {
	left := snippetWidth - width(text[from:to])
	if left < 0 { // one match, very long
		n := 0
		for i, r := range text[from:to] {
			if n += wide(r); n > snippetWidth {
				return from, from + i
			}
		}
	}
	first, must := from, to
	for back := left / 3; from > 0; {
		r, n := utf8.DecodeLastRuneInString(text[:from])
		if back -= wide(r); back < 0 {
			break
		}
		from -= n
		left -= wide(r)
	}
	if from > 0 { // not in the middle of a word
		for i, r := range text[from:min(must, from+48)] {
			if unicode.IsSpace(r) {
				from += i + utf8.RuneLen(r)
				break
			}
			if analysis.InRun(r) {
				break
			}
		}
	}
	for from > 0 && from < first { // nor with what ends a sentence
		r, n := utf8.DecodeRuneInString(text[from:])
		if !unicode.IsSpace(r) && (r == '"' || r == '\'' || !unicode.In(r, unicode.Po, unicode.Pe, unicode.Pf)) {
			break
		}
		from += n
	}
	for to < len(text) {
		r, n := utf8.DecodeRuneInString(text[to:])
		if left -= wide(r); left < 0 {
			break
		}
		to += n
	}
	if to < len(text) {
		low := max(must, to-48)
		for low < to && !utf8.RuneStart(text[low]) {
			low++
		}
		cut := to
		for i, r := range text[low:to] {
			if unicode.IsSpace(r) {
				cut = low + i
			} else if analysis.InRun(r) {
				cut = low + i + utf8.RuneLen(r)
			}
		}
		to = cut
	}
	return from, to
}
