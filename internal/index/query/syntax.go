package query

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/index/analysis"
	"wenlan/internal/record"
)

// item is a part of the text, before it is analysed.
type item struct {
	op     byte // 'w' word, 'p' phrase, 'i' identifier, '&' all of, '|' any of
	text   string
	field  *field // of words, phrases and identifiers; nil: any
	prefix bool   // ends in *
	typing bool   // is being typed
	not    bool
	of     []*item // of groups
	pinyin *analysis.Reading
}

// Limits of syntax.
const (
	maxGroups = 4  // parentheses within each other; deeper ones only divide words
	maxValues = 16 // of a filter
)

// reader reads a cleaned text by recursive descent.
type reader struct {
	text    string
	at      int
	leaves  int
	filters Filters
	last    *item // the word that was read last, and where it ends
	lastEnd int
	ops     []string // operators that stand alone
}

// clean cuts a text at MaxText, and makes one of each kind of operator: Chinese
// and full-width punctuation becomes what ASCII has. Control characters, those
// for private use and what is not UTF-8 become spaces, invisible ones fall out.
func clean(text string) string {
	if len(text) > MaxText {
		text = text[:MaxText]
		for i := 0; i < utf8.UTFMax && len(text) > 0; i++ {
			if r, n := utf8.DecodeLastRuneInString(text); r != utf8.RuneError || n != 1 {
				break
			}
			text = text[:len(text)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.IsSpace(r), unicode.Is(unicode.Co, r):
			return ' '
		case r == 0xad, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x2064, r == 0xfeff:
			return -1
		}
		switch r {
		case '：', '﹕', '︰':
			return ':'
		case '（', '﹙', '【', '〔', '［':
			return '('
		case '）', '﹚', '】', '〕', '］':
			return ')'
		case '－', '﹣', '−':
			return '-'
		case '＊':
			return '*'
		case '＂', '‟', '〃':
			return '"'
		}
		return r
	}, text)
}

// quotes are the quotation marks that differ at begin and end.
var quotes = map[rune]rune{'“': '”', '„': '“', '«': '»', '「': '」', '『': '』', '《': '》', '〈': '〉', '〝': '〞', '﹁': '﹂', '﹃': '﹄'}

func isQuote(r rune) bool {
	switch r {
	case '"', '“', '”', '„', '«', '»', '「', '」', '『', '』', '《', '》', '〈', '〉', '〝', '〞', '〟', '﹁', '﹂', '﹃', '﹄':
		return true
	}
	return false
}

func (p *reader) peek() (rune, int) { return utf8.DecodeRuneInString(p.text[p.at:]) }

func (p *reader) done() bool { return p.at >= len(p.text) }

// begins says whether an item may begin here with a sign that has a meaning only
// there.
func (p *reader) begins() bool {
	if p.at == 0 {
		return true
	}
	switch p.text[p.at-1] {
	case ' ', '(', ':':
		return true
	}
	return false
}

// group reads items up to the end, or up to the closing parenthesis when depth is
// not 0; nil when there are none.
func (p *reader) group(depth int, f *field, not bool) *item {
	var out []*item
	or := false
	for !p.done() {
		r, n := p.peek()
		if r == ')' {
			p.at += n
			if depth > 0 {
				break
			}
			continue
		}
		if op := p.operator(); op != "" {
			or = op == "OR"
			continue
		}
		it := p.item(depth, f, not)
		if it == nil {
			continue
		}
		last := len(out) - 1
		switch {
		case !or || last < 0 || it.not || out[last].not:
			out = append(out, it)
		case out[last].op == '|':
			out[last].of = append(out[last].of, it)
		default:
			out[last] = &item{op: '|', of: []*item{out[last], it}}
		}
		or = false
	}
	for i, it := range out {
		if it.op == '|' {
			out[i] = tidy(it)
		}
	}
	return tidy(&item{op: '&', of: out})
}

// operator reads AND or OR in capitals, alone.
func (p *reader) operator() string {
	if !p.begins() {
		return ""
	}
	rest := p.text[p.at:]
	if i := strings.IndexAny(rest[:min(len(rest), 4)], " )"); i >= 0 {
		rest = rest[:i]
	}
	op := ""
	switch rest {
	case "OR", "|", "||":
		op = "OR"
	case "AND", "&&", "&":
		op = "AND"
	default:
		return ""
	}
	p.at += len(rest)
	p.ops = append(p.ops, strings.ToLower(op))
	return op
}

// item reads one item, of the field f unless it names another; nil when there is
// nothing to search for in it, and p.at is further on. not: what it is part of is
// excluded.
func (p *reader) item(depth int, f *field, not bool) *item {
	r, n := p.peek()
	switch {
	case r == '-':
		return p.minus(depth, f, not)
	case r == '(':
		p.at += n
		if depth >= maxGroups {
			return nil
		}
		return p.group(depth+1, f, not)
	case isQuote(r):
		inner, ok := p.quoted()
		if !ok {
			return nil
		}
		return p.phrase(inner, f)
	case !wordly(r):
		p.at += n
		return nil
	}
	if g, value := p.name(); g != nil {
		if it, ok := p.value(g, value, depth, not); ok {
			return it
		}
	}
	return p.word(f)
}

// minus reads what is excluded. Two and more, and one between spaces, are dashes.
func (p *reader) minus(depth int, f *field, not bool) *item {
	begins := p.begins()
	n := 0
	for !p.done() && p.text[p.at] == '-' {
		p.at++
		n++
	}
	if n != 1 || !begins || p.done() || p.text[p.at] == ' ' || p.text[p.at] == ')' {
		return nil
	}
	it := p.item(depth, f, !not)
	if it == nil {
		return nil
	}
	if it.op == '|' || it.op == '&' {
		return tidy(&item{op: it.op, of: it.of, not: !it.not})
	}
	it.not = !it.not
	return it
}

// name reads the name of a field and says where its value begins, without going
// on; nil when there is none.
func (p *reader) name() (*field, int) {
	rest := p.text[p.at:]
	end := strings.IndexByte(rest[:min(len(rest), maxName+1)], ':')
	if end <= 0 {
		return nil, 0
	}
	for _, r := range rest[:end] {
		if !unicode.IsLetter(r) {
			return nil, 0
		}
	}
	return fieldOf(rest[:end]), p.at + end + 1
}

// value reads what stands after the name of a field. false: nothing does, or not
// what the field takes; then p is where it was.
func (p *reader) value(f *field, from, depth int, not bool) (*item, bool) {
	was := p.at
	p.at = from
	for !p.done() && p.text[p.at] == ' ' {
		p.at++
	}
	ok := false
	var it *item
	switch {
	case p.done():
	case f.mask == 0:
		ok = p.filter(f, not)
	case f.mask == ids:
		it = p.identifier(f)
		ok = it != nil
	default:
		it = p.item(depth, f, not)
		ok = it != nil
	}
	if !ok {
		p.at = was
	}
	return it, ok
}

// raw reads a value up to a space, or what is between quotes or parentheses.
func (p *reader) raw() string {
	r, _ := p.peek()
	if isQuote(r) {
		if inner, ok := p.quoted(); ok {
			return inner
		}
		return ""
	}
	if r == '(' {
		if inner, _, ok := strings.Cut(p.text[p.at+1:], ")"); ok && !strings.Contains(inner, "(") {
			p.at += len(inner) + 2
			return inner
		}
	}
	from, open := p.at, 0
	for !p.done() {
		r, n := p.peek()
		if r == ' ' || isQuote(r) {
			break
		}
		if r == '(' {
			open++
		} else if r == ')' {
			if open == 0 {
				break
			}
			open--
		}
		p.at += n
	}
	return p.text[from:p.at]
}

func (p *reader) filter(f *field, not bool) bool {
	text := p.raw()
	to := &p.filters
	switch f.name {
	case "lang":
		list := values(text, language)
		if not {
			to.NotLanguages = join(to.NotLanguages, list)
		} else {
			to.Languages = join(to.Languages, list)
		}
		return len(list) > 0
	case "kind":
		list := values(text, kind)
		if not {
			to.NotKinds = join(to.NotKinds, list)
		} else {
			to.Kinds = join(to.Kinds, list)
		}
		return len(list) > 0
	}
	y, ok := years(text)
	if !ok || y == (Years{}) {
		return false
	}
	if not {
		if !slices.Contains(to.NotYears, y) && len(to.NotYears) < maxValues {
			to.NotYears = append(to.NotYears, y)
		}
		return true
	}
	y = narrow(Years{to.YearFrom, to.YearTo}, y)
	to.YearFrom, to.YearTo = y.From, y.To
	return true
}

func join(a, b []string) []string {
	for _, v := range b {
		if !slices.Contains(a, v) && len(a) < maxValues {
			a = append(a, v)
		}
	}
	slices.Sort(a)
	return a
}

// spaced is how ISBN and ISSN are written with spaces.
var spaced = regexp.MustCompile(`^[0-9Xx][0-9Xx -]{6,24}`)

func (p *reader) identifier(f *field) *item {
	if f.name == "isbn" || f.name == "issn" {
		long := spaced.FindString(p.text[p.at:])
		for long != "" {
			end := p.at + len(long)
			_, isbn := record.ISBN13(long)
			_, issn := record.ISSN(long)
			if (isbn || issn) && (end == len(p.text) || p.text[end] == ' ' || p.text[end] == ')') {
				p.at = end
				return p.leaf(&item{op: 'i', text: compact(long), field: f})
			}
			long = strings.TrimRight(long[:max(strings.LastIndexByte(long, ' '), 0)], " ")
		}
	}
	text := compact(p.raw())
	text, prefix := strings.CutSuffix(text, "*")
	text = strings.TrimLeftFunc(text, func(r rune) bool { return !wordly(r) })
	return p.leaf(&item{op: 'i', text: text, field: f, prefix: prefix})
}

func compact(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || isQuote(r) {
			return -1
		}
		return r
	}, s)
}

// quoted reads what is between quotation marks; false when the end is missing, and
// then only the mark is read.
func (p *reader) quoted() (string, bool) {
	r, n := p.peek()
	p.at += n
	rest := p.text[p.at:]
	end, size := -1, 0
	if closing, ok := quotes[r]; ok {
		end, size = strings.IndexRune(rest, closing), utf8.RuneLen(closing)
	}
	if end < 0 {
		for i, x := range rest {
			if isQuote(x) {
				end, size = i, utf8.RuneLen(x)
				// Within plain marks may stand others, of which one begins: "he said, “no".
				if _, begins := quotes[x]; begins && r == '"' {
					if plain := strings.IndexByte(rest, '"'); plain >= 0 {
						end, size = plain, 1
					}
				}
				break
			}
		}
	}
	if end < 0 {
		return "", false
	}
	p.at += end + size
	inner := strings.Map(func(r rune) rune {
		if isQuote(r) {
			return ' '
		}
		return r
	}, rest[:end])
	return inner, true
}

func (p *reader) phrase(inner string, f *field) *item {
	text := strings.Join(strings.Fields(inner), " ")
	text, prefix := strings.CutSuffix(text, "*")
	text = strings.TrimRight(text, "* ")
	return p.leaf(&item{op: 'p', text: text, field: f, prefix: prefix})
}

// word reads a word; several, when scripts with and without spaces stand side by
// side, as in "红楼梦study", which asks for both and not for them side by side.
func (p *reader) word(f *field) *item {
	var out []*item
	for !p.done() {
		r, n := p.peek()
		if r == ' ' || r == '(' || r == ')' || isQuote(r) {
			break
		}
		if !wordly(r) {
			p.at += n
			continue
		}
		if len(out) > 0 {
			if g, _ := p.name(); g != nil {
				break
			}
		}
		if it := p.piece(f); it != nil {
			out = append(out, it)
		}
	}
	return tidy(&item{op: '&', of: out})
}

func (p *reader) piece(f *field) *item {
	from, open := p.at, 0
	first, _ := p.peek()
	run := analysis.InRun(first)
	for !p.done() {
		r, n := p.peek()
		if r == ' ' || isQuote(r) {
			break
		}
		if run && !analysis.InRun(r) && !unicode.IsMark(r) {
			if r == '*' {
				p.at += n
			}
			break
		}
		if !run && analysis.InRun(r) || r == ':' && fieldOf(p.text[from:p.at]) != nil {
			break
		}
		if r == '(' {
			open++
		} else if r == ')' {
			if open == 0 {
				break
			}
			open--
		}
		p.at += n
	}
	text := strings.TrimRightFunc(p.text[from:p.at], func(r rune) bool { return !wordly(r) && r != '*' && r != ')' })
	text, prefix := strings.CutSuffix(text, "*")
	keep := func(r rune) bool { return !wordly(r) }
	if _, ok := record.DOI(text); ok { // some end in a parenthesis
		keep = func(r rune) bool { return !wordly(r) && r != ')' }
	}
	text = strings.TrimRightFunc(text, keep)
	it := p.leaf(&item{op: 'w', text: text, field: f, prefix: prefix})
	if it != nil {
		p.last, p.lastEnd = it, p.at
	}
	return it
}

// maxLeaf bounds the text of a word or phrase, in bytes.
const maxLeaf = 1024

// leaf finishes and counts a word or phrase; nil when there are too many, or there
// is nothing in it to search for.
func (p *reader) leaf(it *item) *item {
	if len(it.text) > maxLeaf {
		cut := maxLeaf
		for !utf8.RuneStart(it.text[cut]) {
			cut--
		}
		it.text = strings.TrimRightFunc(it.text[:cut], func(r rune) bool { return !wordly(r) })
		it.prefix = false
	}
	if it.op != 'p' {
		if !balanced(it.text) { // it would not be read as one word again
			it.text = strings.Map(func(r rune) rune {
				if r == '(' || r == ')' {
					return ','
				}
				return r
			}, it.text)
		}
		it.text = strings.TrimRight(it.text, "*,;:.")
		if it.text == "OR" || it.text == "AND" {
			it.text = strings.ToLower(it.text)
		}
	}
	if p.leaves >= MaxTerms || len(analysis.Whole(it.text)) == 0 {
		return nil
	}
	p.leaves++
	return it
}

func balanced(s string) bool {
	open := 0
	for _, r := range s {
		switch r {
		case '(':
			open++
		case ')':
			if open--; open < 0 {
				return false
			}
		}
	}
	return open == 0
}

// wordly says whether a character can begin a word.
func wordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// tidy makes a group as flat as it can be, without repetitions; nil when it is
// empty.
func tidy(g *item) *item {
	var flat []*item
	for _, it := range g.of {
		if it.op == g.op && !it.not {
			flat = append(flat, it.of...)
		} else {
			flat = append(flat, it)
		}
	}
	out := flat[:0]
	for _, it := range flat {
		if !slices.ContainsFunc(out, it.same) {
			out = append(out, it)
		}
	}
	switch len(out) {
	case 0:
		return nil
	case 1:
		out[0].not = out[0].not != g.not
		return out[0]
	}
	return &item{op: g.op, of: out, not: g.not}
}

// prune keeps the normal form of an item from having more than maxGroups parentheses
// within each other: of a group that is deeper, the first word stays. depth is that
// around the item.
func (it *item) prune(depth int) *item {
	if it.op != '&' && it.op != '|' {
		return it
	}
	if depth > maxGroups {
		leaf := it
		for leaf.op == '&' || leaf.op == '|' {
			leaf = leaf.of[0]
		}
		leaf.not = it.not
		return leaf
	}
	for i, x := range it.of {
		it.of[i] = x.prune(depth + 1)
	}
	return tidy(it)
}

// same says whether two items mean the same.
func (it *item) same(x *item) bool {
	return it.op == x.op && it.text == x.text && it.field == x.field && it.prefix == x.prefix && it.not == x.not && slices.EqualFunc(it.of, x.of, (*item).same)
}

// runsInto says whether an identifier that may be written with spaces would be read on
// into what stands after it.
func (it *item) runsInto(next *item) bool {
	if it.op != 'i' || it.prefix || it.field.name != "isbn" && it.field.name != "issn" {
		return false
	}
	return next.not || next.op == 'w' && next.field == nil && strings.IndexByte("0123456789Xx", next.text[0]) >= 0
}

// write writes an item; inside another one, groups have parentheses.
func (it *item) write(b *strings.Builder, inside bool) {
	if it.not {
		b.WriteByte('-')
	}
	switch it.op {
	case '&', '|':
		inside = inside || it.not
		if inside {
			b.WriteByte('(')
		}
		for i, x := range it.of {
			if i > 0 {
				b.WriteByte(' ')
				if it.op == '|' {
					b.WriteString("OR ")
				}
			}
			if it.op == '&' && i+1 < len(it.of) && x.runsInto(it.of[i+1]) {
				if x.not {
					b.WriteByte('-')
				}
				b.WriteString(x.field.name + `:"` + x.text + `"`)
				continue
			}
			x.write(b, true)
		}
		if inside {
			b.WriteByte(')')
		}
		return
	}
	if it.field != nil {
		b.WriteString(it.field.name)
		b.WriteByte(':')
	}
	star := ""
	if it.prefix {
		star = "*"
	}
	if it.op == 'p' {
		b.WriteString(`"` + it.text + star + `"`)
		return
	}
	b.WriteString(it.text + star)
}
