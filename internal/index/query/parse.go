package query

import (
	"regexp"
	"slices"
	"strings"

	"wenlan/internal/index/analysis"
	"wenlan/internal/record"
)

// Limits of a query's text; what is beyond them is cut off.
const (
	MaxText   = 2048 // bytes
	MaxTerms  = 32   // words and phrases
	MaxTokens = 64   // of one phrase
	MaxDepth  = 16   // of the tree, alternatives included
)

// Parse reads a query. Every text has a meaning, see the package. It costs a
// bounded time and may be called by many goroutines at once.
func Parse(text string) *Query { return parse(text, false) }

// Typing reads a query that is still being typed: its last word, when nothing
// follows it, may be only how one begins. It is for suggestions.
func Typing(text string) *Query { return parse(text, true) }

func parse(text string, typing bool) *Query {
	text = clean(text)
	q := &Query{Text: text}
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || trimmed == "*" || trimmed == "*:*" {
		return q
	}
	text = joined(text)
	p := &reader{text: text}
	root := p.group(0, nil, false)
	q.Filters = p.filters
	if root == nil && q.Filters.none() && len(p.ops) > 0 {
		// Nothing but operators: they are words.
		p = &reader{text: strings.Join(p.ops, " ")}
		root = p.group(0, nil, false)
	}
	if root != nil && q.Filters.none() {
		// What is between the groups of a number may be more than spaces.
		if whole := asWhole(root); joined(whole) != whole {
			p = &reader{text: joined(whole)}
			root = p.group(0, nil, false)
		}
	}
	if root != nil {
		depth := 0
		if root.not {
			depth = 1
		}
		root = root.prune(depth)
	}
	// The normal form of what was cut at MaxText fits into it, too.
	for root != nil && len(normal(root, q.Filters)) > MaxText {
		root = root.shorter()
	}
	if typing && p.last != nil && p.lastEnd == len(p.text) {
		p.last.typing = true
	}
	q.syntax = root
	switch {
	case root != nil:
		q.Root, q.Terms = compile(root)
	case q.Filters.none():
		q.Root = nothing()
	}
	return q
}

// numbered is what may be an ISBN or ISSN in groups with spaces.
var numbered = regexp.MustCompile(`^[0-9][0-9 -]{6,20}[0-9Xx]$`)

// joined is the text, or, when the whole of it is such a number, the number in one word.
func joined(text string) string {
	one := strings.TrimSpace(text)
	if !strings.Contains(one, " ") || !numbered.MatchString(one) {
		return text
	}
	one = strings.ReplaceAll(one, " ", "")
	if _, ok := record.ISBN13(one); ok {
		return one
	}
	if _, ok := record.ISSN(one); ok {
		return one
	}
	return text
}

// nothing matches nothing: what was typed has neither letters nor digits.
func nothing() Node { return &Term{Text: analysis.MarkID, Fields: ids, Whole: true} }

func (f *Filters) none() bool {
	return len(f.Languages)+len(f.Kinds)+len(f.NotLanguages)+len(f.NotKinds)+len(f.NotYears) == 0 && f.YearFrom == 0 && f.YearTo == 0
}

// shorter is a group without its last part.
func (it *item) shorter() *item {
	if it.op != '&' && it.op != '|' {
		return nil
	}
	return tidy(&item{op: it.op, not: it.not, of: it.of[:len(it.of)-1]})
}

// String is a normal form of the query: parsed again, it gives the same query but
// for Text. It is what may be shown, linked to and compared.
func (q *Query) String() string {
	if q.syntax == nil && q.Filters.none() && q.Root != nil {
		return `""`
	}
	return normal(q.syntax, q.Filters)
}

func normal(root *item, f Filters) string {
	var b strings.Builder
	if root != nil {
		root.write(&b, false)
	}
	add := func(parts ...string) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		for _, s := range parts {
			b.WriteString(s)
		}
	}
	if len(f.Languages) > 0 {
		add("lang:", strings.Join(f.Languages, ","))
	}
	if len(f.Kinds) > 0 {
		add("kind:", strings.Join(f.Kinds, ","))
	}
	if f.YearFrom != 0 || f.YearTo != 0 {
		add("year:", Years{f.YearFrom, f.YearTo}.String())
	}
	if len(f.NotLanguages) > 0 {
		add("-lang:", strings.Join(f.NotLanguages, ","))
	}
	if len(f.NotKinds) > 0 {
		add("-kind:", strings.Join(f.NotKinds, ","))
	}
	for _, y := range f.NotYears {
		add("-year:", y.String())
	}
	return b.String()
}

// Replace is the normal form of the query with other words: with gives the word
// that stands in place of one, by its token as in [Term.Text]. Words in phrases and
// identifiers stay.
func (q *Query) Replace(with map[string]string) string {
	var copied func(it *item) *item
	copied = func(it *item) *item {
		if it == nil {
			return nil
		}
		out := *it
		out.of = nil
		for _, x := range it.of {
			out.of = append(out.of, copied(x))
		}
		if it.op == 'w' {
			if tokens := analysis.Analyze(it.text); len(tokens) == 1 {
				if to, ok := with[tokens[0].Text]; ok && to != "" {
					out.text = to
				}
			}
		}
		return &out
	}
	return normal(copied(q.syntax), q.Filters)
}

// compile makes the tree.
func compile(root *item) (Node, int) {
	c := compiler{}
	n := c.node(root)
	if _, not := n.(*Not); not {
		n = &And{Of: []Node{n}}
	}
	// The words together may be an identifier that is written with spaces.
	if whole := asWhole(root); whole != "" {
		if forms := analysis.KnownIDs(whole); len(forms) > 0 {
			n = alternatives(n, idTerms(forms))
		}
	}
	return n, c.terms
}

// asWhole is the text of a query that is nothing but several words.
func asWhole(root *item) string {
	if root.op != '&' || root.not || len(root.of) > 8 {
		return ""
	}
	var words []string
	for _, it := range root.of {
		if it.op != 'w' || it.not || it.prefix || it.field != nil {
			return ""
		}
		words = append(words, it.text)
	}
	return strings.Join(words, " ")
}

type compiler struct {
	terms    int
	excluded bool // in what is taken away: what was typed is, and nothing that it may be, too
}

func (c *compiler) node(it *item) Node {
	if it.not {
		plain := *it
		plain.not = false
		was := c.excluded
		c.excluded = true
		n := c.node(&plain)
		c.excluded = was
		return &Not{Of: n}
	}
	switch it.op {
	case '&':
		all := c.all(it.of)
		if len(all) == 1 {
			return all[0]
		}
		return &And{Of: all}
	case '|':
		out := &Or{}
		for _, x := range it.of {
			n := c.node(x)
			if or, ok := n.(*Or); ok && !or.Alternatives {
				out.Of = append(out.Of, or.Of...)
			} else {
				out.Of = append(out.Of, n)
			}
		}
		return out
	}
	c.terms++
	switch it.op {
	case 'i':
		return identifier(it)
	case 'p':
		return phrase(it)
	}
	return c.word(it)
}

// all compiles the parts of an And. Neighbouring words that are syllables wholly
// are also looked for as syllables side by side: "hong lou meng", of which the last may
// be typed in part.
func (c *compiler) all(of []*item) []Node {
	var out []Node
	for i := 0; i < len(of); {
		end := i
		var syllables []string
		for end < len(of) && c.readable(of[end]) && of[end].field == of[i].field {
			parses := of[end].readPinyin().Parses
			if len(parses) == 0 || len(syllables)+len(parses[0]) > maxSyllables {
				break
			}
			syllables = append(syllables, parses[0]...)
			end++
		}
		begun := false
		if end > i && end < len(of) && of[end].typing && of[end].field == of[i].field && len(syllables) < maxSyllables {
			before, _ := beginning(of[end-1].text)
			if last, ok := beginning(of[end].text); ok && analysis.BeginsPinyin(before+last) {
				syllables, begun = append(syllables, analysis.MarkReading+last), true
				end++
			}
		}
		if end-i < 2 {
			out = append(out, c.node(of[i]))
			i++
			continue
		}
		words := &And{}
		for _, it := range of[i:end] {
			words.Of = append(words.Of, c.node(it))
		}
		if begun {
			out = append(out, alternatives(words, []Node{&Phrase{Tokens: syllables, Fields: reading, Prefix: true, Loose: true, Whole: true}}))
		} else {
			out = append(out, alternatives(words, []Node{syllablesOf(syllables, len(syllables) >= minScattered)}))
		}
		i = end
	}
	return out
}

const (
	maxSyllables = 16
	minScattered = 4 // so many syllables say enough wherever they stand, as in a title and a name
)

// readable says whether a word, wholly typed, may be a reading.
func (c *compiler) readable(it *item) bool {
	return it.op == 'w' && !it.not && !c.excluded && !it.prefix && !it.typing && (it.field == nil || it.field.reading)
}

// syllablesOf looks for syllables, side by side or scattered.
func syllablesOf(syllables []string, scattered bool) Node {
	if !scattered {
		return &Phrase{Tokens: syllables, Fields: reading, Loose: true, Whole: true}
	}
	and := &And{}
	for i, s := range syllables {
		if !slices.Contains(syllables[:i], s) {
			and.Of = append(and.Of, &Term{Text: s, Fields: reading, Whole: true})
		}
	}
	if len(and.Of) == 1 {
		return and.Of[0]
	}
	return and
}

// alternatives puts others beside what was typed.
func alternatives(plain Node, others []Node) Node {
	if len(others) == 0 {
		return plain
	}
	if or, ok := plain.(*Or); ok && or.Alternatives {
		return &Or{Of: append(or.Of[:len(or.Of):len(or.Of)], others...), Alternatives: true}
	}
	return &Or{Of: append([]Node{plain}, others...), Alternatives: true}
}

func idTerms(forms []string) []Node {
	var out []Node
	for _, f := range forms {
		out = append(out, &Term{Text: f, Fields: ids, Whole: true})
	}
	return out
}

func identifier(it *item) Node {
	if it.prefix {
		return &Term{Text: analysis.ID(it.text), Fields: ids, Prefix: true, Whole: true}
	}
	forms := analysis.IDForms(it.text)
	if len(forms) == 0 {
		forms = []string{analysis.ID(it.text)}
	}
	terms := idTerms(forms)
	return alternatives(terms[0], terms[1:])
}

func (it *item) mask() uint8 {
	if it.field == nil {
		return Text
	}
	return it.field.mask
}

// tokens are those of a text, without the last character of a run, whose text may
// go on. prefix: the last of them is only how one begins, as one character is.
func tokens(text string) (out []string, prefix bool) {
	all := analysis.Analyze(text)
	for i, t := range all {
		if t.Single && i == len(all)-1 {
			if i > 0 && all[i-1].End == t.End {
				break
			}
			prefix = true
		}
		out = append(out, t.Text)
	}
	if len(out) > MaxTokens {
		out, prefix = out[:MaxTokens], false
	}
	return out, prefix
}

// sequence looks for tokens side by side.
func sequence(tokens []string, mask uint8, prefix, loose, whole bool) Node {
	if len(tokens) == 1 {
		return &Term{Text: tokens[0], Fields: mask, Prefix: prefix, Whole: whole && !prefix}
	}
	return &Phrase{Tokens: tokens, Fields: mask, Prefix: prefix, Loose: loose, Whole: whole}
}

func phrase(it *item) Node {
	list, prefix := tokens(it.text)
	if it.prefix && !prefix && len(list) < MaxTokens {
		if last, ok := beginning(it.text); ok {
			list[len(list)-1], prefix = last, true
		}
	}
	return sequence(list, it.mask(), prefix, false, true)
}

// beginning is the last word of a text as far as it is typed, not cut to a stem;
// false when it is of a script without spaces, the pairs of which need no star.
func beginning(text string) (string, bool) {
	all := analysis.Whole(text)
	last := all[len(all)-1].Text
	for _, r := range last {
		return last, !analysis.InRun(r)
	}
	return "", false
}

func (c *compiler) word(it *item) Node {
	list, prefix := tokens(it.text)
	first := []rune(it.text)[0]
	loose := analysis.InRun(first)
	mask := it.mask()
	plain := sequence(list, mask, prefix, loose, false)
	var others []Node
	hasReading := !c.excluded && (it.field == nil || it.field.reading)
	if it.prefix || it.typing {
		if last, ok := beginning(it.text); ok && !prefix && len(list) < MaxTokens {
			begun := sequence(append(list[:len(list)-1:len(list)-1], last), mask, true, loose, false)
			if it.typing && !it.prefix {
				others = append(others, begun) // the word as it is comes first
			} else {
				plain = begun
			}
			if len(list) == 1 {
				for _, s := range analysis.PrefixStems(last) {
					if plain == begun || s != list[0] {
						others = append(others, &Term{Text: s, Fields: mask, Whole: true})
					}
				}
				if hasReading && analysis.BeginsPinyin(last) {
					others = append(others, &Term{Text: analysis.MarkReading + last, Fields: reading, Prefix: true, Whole: true})
				}
			}
		}
	}
	if c.excluded || it.prefix {
		return alternatives(plain, others)
	}
	if it.field == nil && len(it.text) >= minID {
		forms := slices.DeleteFunc(analysis.IDForms(it.text), func(f string) bool { return len(f) < len(analysis.MarkID)+minID })
		others = append(others, idTerms(forms)...)
	}
	if joined := analysis.JoinHyphens(it.text); joined != "" {
		others = append(others, &Term{Text: joined, Fields: mask})
	}
	if hasReading {
		r := it.readPinyin()
		at := len(others)
		for _, p := range r.Parses {
			if len(p) > 1 && len(p) <= maxSyllables {
				others = append(others, syllablesOf(p, false))
			}
		}
		if r.Whole != "" && (r.Initials || len(others) > at) {
			others = slices.Insert(others, at, Node(&Term{Text: r.Whole, Fields: reading, Whole: true}))
		}
	}
	return alternatives(plain, others)
}

func (it *item) readPinyin() *analysis.Reading {
	if it.pinyin == nil {
		r := analysis.ReadPinyin(it.text)
		it.pinyin = &r
	}
	return it.pinyin
}

// minID is how many bytes a word has at least that may be an identifier: years are
// none.
const minID = 6
