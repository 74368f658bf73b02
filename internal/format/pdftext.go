package format

import (
	"bytes"
	"math"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	pdfMaxOps   = 1 << 20 // operators of one page
	pdfMaxForms = 6       // form XObjects inside each other
	pdfMaxPage  = 1 << 20 // bytes of text of one page
)

// pdfRun is a piece of text with its place on the page.
type pdfRun struct {
	text   string
	x, y   float64 // where it starts
	ex, ey float64 // where it ends
	size   float64 // height of the letters
	dx, dy float64 // unit vector of the line
}

type pdfMatrix [6]float64

func (m pdfMatrix) mul(n pdfMatrix) pdfMatrix {
	return pdfMatrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

var pdfUnit = pdfMatrix{1, 0, 0, 1, 0, 0}

// pdfState is the part of the graphics state that text needs (9.3).
type pdfState struct {
	ctm               pdfMatrix
	font              *pdfFont
	size              float64
	char, word, scale float64
	leading           float64
}

// pdfInk runs the content of a page and gathers its text.
type pdfInk struct {
	p     *pdfFile
	fonts map[pdfRef]*pdfFont
	runs  []pdfRun
	bytes int
	ops   int
}

// pageRuns gives the text of a page, piece by piece in the order of drawing.
func (p *pdfFile) pageRuns(page pdfDict, resources pdfDict, fonts map[pdfRef]*pdfFont) ([]pdfRun, error) {
	p.reads, p.decoded = 0, 0
	ink := &pdfInk{p: p, fonts: fonts}
	var content []byte
	switch c := p.get(page["Contents"]).(type) {
	case pdfStream:
		content, _ = p.stream(c)
	case pdfArray:
		for _, v := range c {
			st, ok := p.get(v).(pdfStream)
			if !ok {
				continue
			}
			part, err := p.stream(st)
			if err == errPDFLimit || len(content)+len(part) > pdfMaxStream {
				break
			}
			content = append(append(content, part...), '\n')
		}
	}
	err := ink.run(content, resources, pdfState{ctm: pdfUnit, scale: 1}, 0)
	return ink.runs, err
}

// run interprets one content stream (7.8.2, 9.4).
func (k *pdfInk) run(content []byte, resources pdfDict, g pdfState, depth int) error {
	var (
		l      = pdfLexer{buf: content}
		args   []any
		saved  []pdfState
		tm, lm = pdfUnit, pdfUnit
		fonts  = k.p.dict(resources["Font"])
	)
	num := func(i int) float64 { // the i-th argument from the end
		if i >= len(args) {
			return 0
		}
		return pdfNumber(args[len(args)-1-i])
	}
	next := func(x, y float64) {
		lm = pdfMatrix{1, 0, 0, 1, x, y}.mul(lm)
		tm = lm
	}
	show := func(v any) {
		s, ok := v.(pdfString)
		if !ok || g.font == nil || k.bytes > pdfMaxPage {
			return
		}
		text, width, codes, spaces := g.font.show(s)
		advance := (width/1000*g.size + float64(codes)*g.char + float64(spaces)*g.word) * g.scale
		at := tm.mul(g.ctm)
		tm = pdfMatrix{1, 0, 0, 1, advance, 0}.mul(tm)
		end := tm.mul(g.ctm)
		if text == "" {
			return
		}
		length := math.Hypot(at[0], at[1])
		if length == 0 || math.IsInf(length, 0) || math.IsNaN(length) {
			return
		}
		k.bytes += len(text)
		k.runs = append(k.runs, pdfRun{
			text: text, x: at[4], y: at[5], ex: end[4], ey: end[5],
			size: math.Abs(g.size) * math.Hypot(at[2], at[3]), dx: at[0] / length, dy: at[1] / length,
		})
	}
	for {
		v, err := l.value(0)
		if err == errPDFToken {
			args = args[:0]
			continue
		}
		if err != nil {
			return nil // the end
		}
		op, ok := v.(pdfOp)
		if !ok {
			if len(args) < 64 {
				args = append(args, v)
			}
			continue
		}
		if k.ops++; k.ops > pdfMaxOps {
			return nil
		}
		if k.ops&1023 == 0 {
			if err := k.p.ctx.Err(); err != nil {
				return err
			}
		}
		switch op {
		case "q":
			if len(saved) < 256 {
				saved = append(saved, g)
			}
		case "Q":
			if n := len(saved); n > 0 {
				g, saved = saved[n-1], saved[:n-1]
			}
		case "cm":
			g.ctm = pdfMatrix{num(5), num(4), num(3), num(2), num(1), num(0)}.mul(g.ctm)
		case "BT":
			tm, lm = pdfUnit, pdfUnit
		case "Tf":
			if len(args) >= 2 {
				name, _ := args[len(args)-2].(pdfName)
				g.font, g.size = k.font(fonts[name]), num(0)
			}
		case "Tc":
			g.char = num(0)
		case "Tw":
			g.word = num(0)
		case "Tz":
			g.scale = num(0) / 100
		case "TL":
			g.leading = num(0)
		case "Td":
			next(num(1), num(0))
		case "TD":
			g.leading = -num(0)
			next(num(1), num(0))
		case "Tm":
			lm = pdfMatrix{num(5), num(4), num(3), num(2), num(1), num(0)}
			tm = lm
		case "T*":
			next(0, -g.leading)
		case "Tj", "'", "\"":
			if op == "\"" {
				g.word, g.char = num(2), num(1)
			}
			if op != "Tj" {
				next(0, -g.leading)
			}
			if len(args) > 0 {
				show(args[len(args)-1])
			}
		case "TJ":
			if len(args) > 0 {
				list, _ := args[len(args)-1].(pdfArray)
				for _, v := range list {
					if s, ok := v.(pdfString); ok {
						show(s)
					} else {
						tm = pdfMatrix{1, 0, 0, 1, -pdfNumber(v) / 1000 * g.size * g.scale, 0}.mul(tm)
					}
				}
			}
		case "Do":
			if len(args) == 0 || depth >= pdfMaxForms {
				break
			}
			name, _ := args[len(args)-1].(pdfName)
			st, ok := k.p.get(k.p.dict(resources["XObject"])[name]).(pdfStream)
			if !ok || k.p.get(st.dict["Subtype"]) != pdfName("Form") {
				break
			}
			body, err := k.p.stream(st)
			if err != nil {
				break
			}
			inner := g
			if m := k.p.array(st.dict["Matrix"]); len(m) == 6 {
				var fm pdfMatrix
				for i := range fm {
					fm[i] = pdfNumber(k.p.get(m[i]))
				}
				inner.ctm = fm.mul(g.ctm)
			}
			res := k.p.dict(st.dict["Resources"])
			if res == nil {
				res = resources
			}
			if err := k.run(body, res, inner, depth+1); err != nil {
				return err
			}
		case "ID": // an image in the content: bytes up to EI
			rest := l.buf[l.pos:]
			for at := 0; ; {
				i := bytes.Index(rest[at:], []byte("EI"))
				if i < 0 {
					return nil
				}
				at += i + 2
				if at-3 >= 0 && pdfSpace(rest[at-3]) && (at == len(rest) || pdfSpace(rest[at])) {
					l.pos += at
					break
				}
			}
		}
		args = args[:0]
	}
}

func (k *pdfInk) font(v any) *pdfFont {
	ref, ok := v.(pdfRef)
	if !ok {
		return k.p.font(v)
	}
	f := k.fonts[ref]
	if f == nil {
		if len(k.fonts) >= 256 {
			clear(k.fonts)
			k.p.codes = 0
		}
		f = k.p.font(ref)
		k.fonts[ref] = f
	}
	return f
}

var pdfLigatures = strings.NewReplacer("ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "st", "ﬆ", "st")

// pdfLine is a line of text as it stands on the page.
type pdfLine struct {
	text string
	size float64
	y    float64
	gap  float64 // to the line before, in letter heights; 0 where it cannot be told
}

// pdfLines joins runs into lines.
func pdfLines(runs []pdfRun) []pdfLine {
	var out []pdfLine
	var b strings.Builder
	var last pdfRun
	var size, weight, lineY, gap float64
	flush := func() {
		if t := cleanLine(pdfLigatures.Replace(b.String()), pdfMaxPage); t != "" {
			out = append(out, pdfLine{text: t, size: size, y: lineY, gap: gap})
		}
		b.Reset()
		weight = 0
	}
	for i, r := range runs {
		if i > 0 {
			along := (r.x-last.ex)*last.dx + (r.y-last.ey)*last.dy
			across := math.Abs((r.y-last.ey)*last.dx - (r.x-last.ex)*last.dy)
			em := max(last.size, r.size)
			switch {
			case across > 0.55*em || along < -3*em || math.Abs(r.dx-last.dx)+math.Abs(r.dy-last.dy) > 0.1:
				flush()
				gap = 0
				if em > 0 {
					gap = across / em
				}
			case along > 0.17*em && b.Len() > 0:
				b.WriteByte(' ')
			}
		}
		if b.Len() == 0 {
			lineY = r.y
		}
		if w := float64(len(r.text)); w > weight && strings.TrimSpace(r.text) != "" {
			size, weight = r.size, w
		}
		b.WriteString(r.text)
		last = r
	}
	flush()
	return out
}

// pdfProse joins lines into paragraphs: a wide gap or another size of letters
// ends one; a hyphen at the end of a line goes when the word goes on.
func pdfProse(lines []pdfLine) string {
	var b []byte
	for i, line := range lines {
		if i > 0 {
			prev := lines[i-1]
			switch {
			case line.gap > 1.75 || line.gap == 0 || math.Abs(line.size-prev.size) > 0.15*max(line.size, prev.size):
				b = append(b, '\n')
			case hyphenated(prev.text, line.text):
				b = bytes.TrimRight(b, "-\u2010")
			case !(endsWide(prev.text) && startsWide(line.text)):
				b = append(b, ' ')
			}
		}
		b = append(b, line.text...)
	}
	return string(b)
}

func hyphenated(a, b string) bool {
	body := strings.TrimRight(a, "-\u2010")
	if body == a {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(body)
	after, _ := utf8.DecodeRuneInString(b)
	return unicode.IsLower(before) && unicode.IsLower(after)
}

func wideRune(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xff60
}

func endsWide(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return wideRune(r)
}

func startsWide(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return wideRune(r)
}

// pdfTitle is the text in the largest letters of the first page, where they are
// clearly larger than most of it; else "".
func pdfTitle(lines []pdfLine) string {
	lines = lines[:min(len(lines), 2000)]
	weight := map[int]int{} // letters by size in half points
	total := 0
	for _, l := range lines {
		weight[int(l.size*2+0.5)] += len(l.text)
		total += len(l.text)
	}
	if total < 200 { // a title page: nothing to measure against
		return ""
	}
	var sizes []int
	for s := range weight {
		sizes = append(sizes, s)
	}
	sort.Ints(sizes)
	median, seen := 0, 0
	for _, s := range sizes {
		if seen += weight[s]; seen*2 >= total {
			median = s
			break
		}
	}
	for i := len(sizes) - 1; i >= 0 && float64(sizes[i]) >= 1.2*float64(median); i-- {
		var group []pdfLine
		for j, l := range lines {
			if s := int(l.size*2 + 0.5); s != sizes[i] {
				continue
			}
			if len(group) > 0 && (j > 0 && int(lines[j-1].size*2+0.5) != sizes[i] || l.gap > 2.5) {
				break
			}
			l.gap = max(1, min(l.gap, 1.5))
			group = append(group, l)
		}
		title := cleanLine(pdfProse(group), maxTitle)
		if titleLike(title) {
			return title
		}
	}
	return ""
}

// titleLike says whether a text may be a title: long enough, and mostly letters.
func titleLike(s string) bool {
	letters, wide, n := 0, 0, 0
	for _, r := range s {
		n++
		if unicode.IsLetter(r) {
			letters++
		}
		if wideRune(r) {
			wide++
		}
	}
	return n <= 300 && letters*10 >= n*6 && (n >= 8 || wide >= 2)
}
