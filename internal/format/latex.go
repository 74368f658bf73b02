package format

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxLatexDepth bounds commands within the arguments of commands.
const maxLatexDepth = 8

// latexText is what LaTeX would print, as plain text: accents and symbols as
// characters, quotation marks and dashes as they are set, commands for looks gone,
// their text kept. Formulas that plain text can say are said so, others stay as they
// are, between dollars. A command that is not known stays, too.
func latexText(s string) string {
	if !strings.ContainsAny(s, "\\{}$~-`'") {
		return s
	}
	var b strings.Builder
	l := latex{b: &b}
	l.run(s, 0)
	return b.String()
}

type latex struct {
	b        *strings.Builder
	unclosed bool // a brace is not closed: none is looked for any more
}

func (l *latex) run(s string, depth int) {
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '{', '}':
			i++
		case '~':
			l.b.WriteByte(' ')
			i++
		case '\\':
			i += l.command(s[i:], depth)
		case '$':
			i += l.math(s[i:])
		case '-':
			n := 1
			for n < 3 && i+n < len(s) && s[i+n] == '-' {
				n++
			}
			l.b.WriteString([]string{"-", "–", "—"}[n-1])
			i += n
		case '`', '\'', '?', '!':
			if i+1 < len(s) {
				if to, ok := latexPairs[s[i:i+2]]; ok {
					l.b.WriteString(to)
					i += 2
					continue
				}
			}
			l.b.WriteByte(c)
			i++
		default:
			n := strings.IndexAny(s[i:], "{}~\\$-`'?!")
			if n < 0 {
				n = len(s) - i
			}
			l.b.WriteString(s[i : i+n])
			i += n
		}
	}
}

var latexPairs = map[string]string{"``": "“", "''": "”", "?`": "¿", "!`": "¡"}

// latexAccents lead from an accent to the combining character.
var latexAccents = map[string]rune{
	"`": 0x300, "'": 0x301, "^": 0x302, "~": 0x303, "=": 0x304, "u": 0x306, ".": 0x307, "\"": 0x308, "r": 0x30a, "H": 0x30b, "v": 0x30c,
	"d": 0x323, "c": 0x327, "k": 0x328, "b": 0x331, "U": 0x30e, "G": 0x30f, "f": 0x311, "h": 0x309, "t": 0x361, "C": 0x30f,
}

// latexSymbols are commands that stand for characters.
var latexSymbols = map[string]string{
	"ss": "ß", "SS": "ẞ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å", "i": "ı", "j": "ȷ",
	"dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ", "ng": "ŋ", "NG": "Ŋ", "ij": "ĳ", "IJ": "Ĳ",
	"textendash": "–", "textemdash": "—", "ldots": "…", "dots": "…", "textellipsis": "…", "textbackslash": `\`, "backslash": `\`,
	"textasciitilde": "~", "textasciicircum": "^", "textasciigrave": "`", "textbraceleft": "{", "textbraceright": "}", "lbrace": "{", "rbrace": "}",
	"textquoteleft": "‘", "textquoteright": "’", "textquotedblleft": "“", "textquotedblright": "”", "textquotedbl": `"`, "textquotesingle": "'", "lq": "‘", "rq": "’",
	"guillemotleft": "«", "guillemotright": "»", "guillemetleft": "«", "guillemetright": "»", "guilsinglleft": "‹", "guilsinglright": "›", "glqq": "„", "grqq": "“", "quotedblbase": "„",
	"flqq": "«", "frqq": "»", "quotesinglbase": "‚", "textless": "<", "textgreater": ">", "textbar": "|", "textunderscore": "_", "textdollar": "$",
	"copyright": "©", "textcopyright": "©", "textregistered": "®", "texttrademark": "™", "pounds": "£", "textsterling": "£", "euro": "€", "texteuro": "€", "EUR": "€", "textyen": "¥",
	"S": "§", "P": "¶", "dag": "†", "ddag": "‡", "textsection": "§", "textparagraph": "¶", "textdegree": "°", "degree": "°", "textpm": "±", "textmu": "µ", "textbullet": "•", "textperiodcentered": "·",
	"textexclamdown": "¡", "textquestiondown": "¿", "slash": "/", "LaTeX": "LaTeX", "TeX": "TeX", "BibTeX": "BibTeX", "LaTeXe": "LaTeX2e", "par": "\n\n", "newline": "\n", "quad": " ", "qquad": " ",
	"space": " ", "nobreakspace": " ", "bibstring": "", "textvisiblespace": " ", "cprime": "ʹ", "textnumero": "№", "No": "№", "textordfeminine": "ª", "textordmasculine": "º", "textonehalf": "½",
}

// latexLooks are commands that change how text looks, or nothing at all.
var latexLooks = words(`emph textit textbf textsc texttt textrm textsf textsl textup textmd textnormal text textin mbox hbox underline uline em it bf sc rm sf tt sl itshape bfseries scshape
	rmfamily sffamily ttfamily slshape upshape mdseries normalfont small footnotesize scriptsize tiny large Large normalsize relax protect noindent mkbibemph mkbibitalic mkbibbold textlatin foreignlanguage
	ensuremath mathrm mathit mathbf mathsf mathcal mathbb boldsymbol operatorname uppercase lowercase MakeUppercase MakeLowercase nocase NoCaseChange nolinkurl path url bibinfo bibnamefont bibfnamefont penalty hspace hskip
	left right allowbreak break nolinebreak linebreak selectlanguage cyr textcyr textgreek`)

// latexArguments are commands whose argument is looked for; of others it is read as
// the text that it is.
var latexArguments = words(`textsuperscript textsubscript textsu enquote mkbibquote href hyperlink textcolor noopsort singleletter SortNoop vspace label cite footnote phantom natexlab`)

// command reads the command at the start of s, and gives its length.
func (l *latex) command(s string, depth int) int {
	if len(s) == 1 {
		l.b.WriteByte('\\')
		return 1
	}
	end := 1
	for end < len(s) && isTexLetter(s[end]) {
		end++
	}
	if end == 1 { // a control symbol
		_, size := utf8.DecodeRuneInString(s[1:])
		end = 1 + size
		name := s[1:end]
		if mark, ok := latexAccents[name]; ok {
			return l.accent(s, end, mark, depth)
		}
		switch name {
		case "&", "%", "$", "#", "_", "{", "}", `"`:
			l.b.WriteString(name)
		case " ", ",", ";", ":", "\n", "\t", "\r", `\`:
			l.b.WriteByte(' ')
		case "-", "/", "@", "!", "+", "*":
		case "(", ")", "[", "]":
			l.b.WriteByte('$')
		default:
			l.b.WriteString(name)
		}
		return end
	}
	name := s[1:end]
	after := end
	for after < len(s) && (s[after] == ' ' || s[after] == '\n' || s[after] == '\t' || s[after] == '\r') {
		after++
	}
	if mark, ok := latexAccents[name]; ok {
		return l.accent(s, after, mark, depth)
	}
	if text, ok := latexSymbols[name]; ok {
		l.b.WriteString(text)
		return after
	}
	if latexLooks[name] {
		return after
	}
	if sign, ok := mathSigns[name]; ok {
		l.b.WriteString(sign)
		return after
	}
	if latexArguments[name] && depth < maxLatexDepth && after < len(s) && s[after] == '{' {
		if arg, n := l.argument(s[after:]); n > 0 {
			done := after + n
			switch name {
			case "textsuperscript", "textsubscript", "textsu":
				table := superscripts
				if name == "textsubscript" {
					table = subscripts
				}
				text := l.sub(arg, depth)
				if small, ok := mapAll(text, table); ok {
					text = small
				}
				l.b.WriteString(text)
				return done
			case "enquote", "mkbibquote":
				l.b.WriteString("“")
				l.run(arg, depth+1)
				l.b.WriteString("”")
				return done
			case "href", "hyperlink", "textcolor", "noopsort", "singleletter", "SortNoop", "vspace", "label", "cite", "footnote", "phantom", "natexlab":
				if name == "cite" || name == "natexlab" {
					l.run(arg, depth+1)
				}
				return done // the text is the second argument
			}
		}
	}
	l.b.WriteString(s[:end])
	if after > end {
		l.b.WriteByte(' ')
	}
	return after
}

func isTexLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// argument is what stands between the brace at the start of s and the one that closes
// it, with the length of all; 0 where none does.
func (l *latex) argument(s string) (string, int) {
	if l.unclosed {
		return "", 0
	}
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return s[1:i], i + 1
			}
		}
	}
	l.unclosed = true
	return "", 0
}

// accent puts a combining character on the letter at s[at:], which may stand in braces.
func (l *latex) accent(s string, at int, mark rune, depth int) int {
	for at < len(s) && s[at] == ' ' {
		at++
	}
	if at >= len(s) {
		l.b.WriteString(norm.NFC.String(" " + string(mark)))
		return at
	}
	letter, rest, n := "", "", 0
	switch {
	case s[at] == '{':
		end := strings.IndexByte(s[at:min(len(s), at+60)], '}')
		if inner := at + 1; end > 0 && inner < len(s) && strings.IndexByte(s[inner:at+end], '{') >= 0 && depth < maxLatexDepth {
			if arg, size := l.argument(s[at:min(len(s), at+200)]); size > 0 {
				letter, n = l.sub(arg, depth), size
			}
			l.unclosed = false
		} else if end > 0 {
			letter, n = l.sub(s[at+1:at+end], depth), end+1
		}
		if n == 0 {
			return at // no letter of any sense
		}
	case s[at] == '\\' && depth < maxLatexDepth:
		var b strings.Builder
		inner := latex{b: &b, unclosed: l.unclosed}
		n = inner.command(s[at:], depth+1)
		letter = b.String()
	case s[at] == '}' || s[at] == '\\':
		return at
	default:
		_, n = utf8.DecodeRuneInString(s[at:])
		letter = s[at : at+n]
	}
	if letter == "" {
		return at + n
	}
	r, size := utf8.DecodeRuneInString(letter)
	rest = letter[size:]
	switch r {
	case 'ı':
		r = 'i'
	case 'ȷ':
		r = 'j'
	}
	l.b.WriteString(norm.NFC.String(string(r)+string(mark)) + rest)
	return at + n
}

// sub is a short piece of LaTeX as text.
func (l *latex) sub(s string, depth int) string {
	var b strings.Builder
	inner := latex{b: &b}
	inner.run(s, depth+1)
	return b.String()
}

// math reads a formula between dollars at the start of s, and gives its length.
func (l *latex) math(s string) int {
	end := 1
	for end < len(s) && s[end] != '$' && end < 2000 {
		if s[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(s) || s[end] != '$' {
		l.b.WriteByte('$')
		return 1
	}
	if text, ok := plainMath(s[1:end]); ok {
		l.b.WriteString(text)
	} else {
		l.b.WriteString(s[:end+1])
	}
	return end + 1
}

// plainMath is a formula as plain text, where that can say it.
func plainMath(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\\':
			end := i + 1
			for end < len(s) && isTexLetter(s[end]) {
				end++
			}
			name := s[i+1 : end]
			sign, ok := mathSigns[name]
			switch {
			case ok:
				b.WriteString(sign)
			case mathFonts[name]:
			case name == "" && end < len(s) && strings.IndexByte("%&#_,;:! ", s[end]) >= 0:
				if c := s[end]; c == '%' || c == '&' || c == '#' || c == '_' {
					b.WriteByte(c)
				}
				end++
			default:
				return "", false
			}
			for end < len(s) && s[end] == ' ' {
				end++
			}
			i = end
		case c == '^' || c == '_':
			arg, n := mathArgument(s[i+1:])
			table := superscripts
			if c == '_' {
				table = subscripts
			}
			text, ok := plainMath(arg)
			if n == 0 || !ok || strings.ContainsAny(arg, "^_") {
				return "", false
			}
			small, ok := mapAll(text, table)
			if !ok {
				return "", false
			}
			b.WriteString(small)
			i += 1 + n
		case c == '{' || c == '}':
			i++
		case c == '~':
			b.WriteByte(' ')
			i++
		case c == '-':
			b.WriteString("−")
			i++
		case c == '$' || c == '&':
			return "", false
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), true
}

// mathArgument is the one character, command or group that follows.
func mathArgument(s string) (string, int) {
	if s == "" {
		return "", 0
	}
	if s[0] == '{' {
		if end := strings.IndexByte(s, '}'); end > 0 && strings.IndexByte(s[1:end], '{') < 0 {
			return s[1:end], end + 1
		}
		return "", 0
	}
	if s[0] == '\\' {
		end := 1
		for end < len(s) && isTexLetter(s[end]) {
			end++
		}
		return s[:end], end
	}
	_, n := utf8.DecodeRuneInString(s)
	return s[:n], n
}

var mathFonts = words("mathrm mathit mathbf mathsf mathcal mathbb mathfrak boldsymbol bm text textrm textit rm it bf mbox left right displaystyle")

// mathSigns are commands of formulas that a character stands for.
var mathSigns = pairs(`alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π varpi ϖ rho ρ varrho ϱ
	sigma σ varsigma ς tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω
	times × pm ± mp ∓ cdot · div ÷ leq ≤ le ≤ geq ≥ ge ≥ neq ≠ ne ≠ approx ≈ sim ∼ simeq ≃ cong ≅ equiv ≡ propto ∝ infty ∞ partial ∂ nabla ∇ sum ∑ prod ∏ int ∫ in ∈ notin ∉ subset ⊂ subseteq ⊆
	cup ∪ cap ∩ emptyset ∅ forall ∀ exists ∃ neg ¬ wedge ∧ vee ∨ oplus ⊕ otimes ⊗ to → rightarrow → leftarrow ← leftrightarrow ↔ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ mapsto ↦ uparrow ↑ downarrow ↓
	ell ℓ hbar ℏ prime ′ circ ∘ bullet • star ⋆ ast ∗ ldots … cdots ⋯ ll ≪ gg ≫ perp ⊥ parallel ∥ mid ∣ angle ∠ sqrt √ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ Re ℜ Im ℑ aleph ℵ log log sin sin cos cos exp exp`)

func pairs(s string) map[string]string {
	out := map[string]string{}
	f := strings.Fields(s)
	for i := 0; i+1 < len(f); i += 2 {
		out[f[i]] = f[i+1]
	}
	return out
}

var (
	superscripts = runes("0123456789+−-=()nabcdefghijklmoprstuvwxyz∘′*∗", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐᵒᵖʳˢᵗᵘᵛʷˣʸᶻ°′**")
	subscripts   = runes("0123456789+−-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
)

func runes(from, to string) map[rune]rune {
	out := map[rune]rune{}
	other := []rune(to)
	for i, r := range []rune(from) {
		out[r] = other[i]
	}
	return out
}

// mapAll maps every character, or says that it cannot.
func mapAll(s string, table map[rune]rune) (string, bool) {
	var b strings.Builder
	for _, r := range s {
		to, ok := table[r]
		if !ok {
			return "", false
		}
		b.WriteRune(to)
	}
	return b.String(), true
}
