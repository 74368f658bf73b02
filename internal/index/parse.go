package index

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/record"
)

// term is what a record must have: one of the ids, or the tokens side by side in
// one field. With prefix set the last token is only how a token begins.
type term struct {
	tokens []string
	prefix bool
	ids    []string
}

// parsed is a query's text.
type parsed struct {
	terms []term
	whole []string // identifiers that the text as a whole may be
	empty bool     // nothing was asked
}

// parse reads a query's text. Any text has a meaning: words must all match, what
// is between quotes must match side by side, and everything else only divides
// words. A word that the analysis cuts into several tokens, as Chinese ones, must
// match side by side. What is beyond MaxText and MaxTerms is cut off.
func parse(text string) parsed {
	text = strings.ToValidUTF8(text, " ")
	if len(text) > MaxText {
		text = text[:MaxText]
		for len(text) > 0 {
			if r, n := utf8.DecodeLastRuneInString(text); r != utf8.RuneError || n != 1 {
				break
			}
			text = text[:len(text)-1]
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		if unicode.Is(unicode.Co, r) {
			return ' '
		}
		return r
	}, text)
	p := parsed{empty: strings.TrimSpace(text) == ""}
	p.whole = idForms(strings.TrimSpace(text))
	add := func(chunk string, quoted bool) {
		if len(p.terms) >= MaxTerms {
			return
		}
		t := term{}
		tokens := Analyze(chunk)
		for i, tok := range tokens {
			last := i == len(tokens)-1
			if tok.Single && last {
				if i > 0 && tokens[i-1].End == tok.End {
					break // the end of a run: its text may go on
				}
				t.prefix = true // one character alone
			}
			t.tokens = append(t.tokens, tok.Text)
		}
		if !quoted {
			t.ids = idForms(chunk)
		}
		if len(t.tokens) > 0 && !slices.ContainsFunc(p.terms, func(u term) bool { return slices.Equal(t.tokens, u.tokens) && t.prefix == u.prefix }) {
			p.terms = append(p.terms, t)
		}
	}
	quoted := false
	for part := range strings.SplitAfterSeq(quotes.Replace(text), `"`) {
		inner, closed := strings.CutSuffix(part, `"`)
		if quoted && closed {
			add(inner, true)
		} else {
			for word := range strings.FieldsSeq(inner) {
				for _, w := range divide(word) {
					add(w, false)
				}
			}
		}
		quoted = closed && !quoted
	}
	return p
}

// quotes makes every double quotation mark a plain one.
var quotes = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`, "「", `"`, "」", `"`, "『", `"`, "』", `"`, "《", `"`, "》", `"`, "＂", `"`)

// divide parts a word at changes between a script without spaces and others, so
// that "红楼梦study" asks for both and not for them side by side.
func divide(word string) []string {
	var out []string
	from := 0
	var last rune
	for i, r := range word {
		if letter(last) && letter(r) && inRun(last) != inRun(r) {
			out = append(out, word[from:i])
			from = i
		}
		last = r
	}
	return append(out, word[from:])
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

var schemePrefix = regexp.MustCompile(`^[A-Za-z]{2,12}[:\s]\s*`)

// idForms gives the tokens of the identifiers that a text may be; none when it
// has no digit.
func idForms(text string) []string {
	if len(text) > 512 || !strings.ContainsFunc(text, unicode.IsDigit) {
		return nil
	}
	var values []string
	if v, ok := record.ISBN13(text); ok {
		values = append(values, v)
	}
	if v, ok := record.DOI(text); ok {
		values = append(values, v)
		if cut := strings.TrimRight(v, ".,;:!?)]}>\"'"); cut != v {
			values = append(values, cut)
		}
	}
	if v, ok := record.ISSN(text); ok {
		values = append(values, v)
	}
	values = append(values, text)
	if rest := schemePrefix.ReplaceAllString(text, ""); rest != text && rest != "" {
		values = append(values, rest)
	}
	var out []string
	for _, v := range values {
		if t := idToken(v); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// match is the terms as an FTS5 expression. Tokens hold neither quotes nor
// anything else that FTS5 reads, and are quoted all the same.
func (p parsed) match() string {
	var b strings.Builder
	for i, t := range p.terms {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString(t.match())
	}
	if len(p.whole) > 0 && len(p.terms) > 1 {
		return "(" + b.String() + ") OR " + anyOf(p.whole)
	}
	return b.String()
}

func (t term) match() string {
	s := quote(strings.Join(t.tokens, " "))
	if t.prefix {
		s += " *"
	}
	if len(t.ids) > 0 {
		return "(" + s + " OR " + anyOf(t.ids) + ")"
	}
	return s
}

func anyOf(tokens []string) string {
	quoted := make([]string, len(tokens))
	for i, t := range tokens {
		quoted[i] = quote(t)
	}
	return "(" + strings.Join(quoted, " OR ") + ")"
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
