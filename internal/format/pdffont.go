package format

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

const pdfMaxCodes = 1 << 20 // entries that the tables of all fonts in memory may hold

// pdfRange gives codes from lo to hi a text that counts up, or a width.
type pdfRange struct {
	lo, hi uint32
	text   []rune // of lo
	width  float64
}

// findRange finds the range that holds c; the list is sorted by lo.
func findRange(list []pdfRange, c uint32) *pdfRange {
	i := sort.Search(len(list), func(i int) bool { return list[i].lo > c }) - 1
	if i < 0 || c > list[i].hi {
		return nil
	}
	return &list[i]
}

func sortRanges(list []pdfRange) {
	sort.SliceStable(list, func(i, j int) bool { return list[i].lo < list[j].lo })
}

// room says whether one more entry may be kept.
func (p *pdfFile) room() bool {
	p.codes++
	return p.codes <= pdfMaxCodes
}

// pdfFont turns the bytes of shown strings into text and widths (9.6 to 9.10).
type pdfFont struct {
	wide    bool // codes of two bytes
	unicode map[uint32]string
	ranges  []pdfRange
	spans   []pdfRange // widths by range
	simple  [256]string
	charset encoding.Encoding // a predefined CJK map
	utf16   bool              // a predefined Unicode map
	widths  map[uint32]float64
	missing float64
}

// font reads the dictionary of a font.
func (p *pdfFile) font(v any) *pdfFont {
	d := p.dict(v)
	f := &pdfFont{widths: map[uint32]float64{}, missing: 500}
	if d == nil {
		f.encoding(p, nil, false)
		return f
	}
	if st, ok := p.get(d["ToUnicode"]).(pdfStream); ok {
		if data, err := p.stream(st); err == nil {
			f.unicode = map[uint32]string{}
			p.toUnicode(f, data)
		}
	}
	if p.get(d["Subtype"]) == pdfName("Type0") {
		f.wide, f.missing = true, 1000
		name, _ := p.get(d["Encoding"]).(pdfName)
		f.predefined(string(name))
		if kids := p.array(d["DescendantFonts"]); len(kids) > 0 {
			kid := p.dict(kids[0])
			if n := p.integer(kid["DW"]); n >= 0 {
				f.missing = float64(n)
			}
			f.wideWidths(p, p.array(kid["W"]))
		}
		return f
	}
	desc := p.dict(d["FontDescriptor"])
	flags := p.integer(desc["Flags"])
	f.encoding(p, d["Encoding"], flags > 0 && flags&4 != 0)
	first := p.integer(d["FirstChar"])
	scale := 1.0
	if p.get(d["Subtype"]) == pdfName("Type3") {
		if m := p.array(d["FontMatrix"]); len(m) == 6 {
			scale = pdfNumber(p.get(m[0])) * 1000
		}
	}
	if n := p.integer(desc["MissingWidth"]); n > 0 {
		f.missing = float64(n)
	}
	for i, w := range p.array(d["Widths"]) {
		if i > 255 {
			break
		}
		f.widths[uint32(first+i)] = pdfNumber(p.get(w)) * scale
	}
	return f
}

func pdfNumber(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

// wideWidths reads the W array of a CID font: "c [w …]" and "first last w".
func (f *pdfFont) wideWidths(p *pdfFile, w pdfArray) {
	for i := 0; i+1 < len(w); {
		first := p.integer(w[i])
		if list, ok := p.get(w[i+1]).(pdfArray); ok {
			for k, v := range list {
				if !p.room() {
					return
				}
				f.widths[uint32(first+k)] = pdfNumber(p.get(v))
			}
			i += 2
			continue
		}
		if i+2 >= len(w) || !p.room() {
			break
		}
		if last := p.integer(w[i+1]); first >= 0 && last >= first {
			f.spans = append(f.spans, pdfRange{lo: uint32(first), hi: uint32(last), width: pdfNumber(p.get(w[i+2]))})
		}
		i += 3
	}
	sortRanges(f.spans)
}

// width of a code, in thousandths of the font size.
func (f *pdfFont) width(c uint32) float64 {
	if w, ok := f.widths[c]; ok {
		return w
	}
	if r := findRange(f.spans, c); r != nil {
		return r.width
	}
	return f.missing
}

// text of a code by the ToUnicode map.
func (f *pdfFont) text(c uint32) (string, bool) {
	if t, ok := f.unicode[c]; ok {
		return t, true
	}
	r := findRange(f.ranges, c)
	if r == nil {
		return "", false
	}
	out := append([]rune(nil), r.text...)
	out[len(out)-1] += rune(c - r.lo)
	return string(out), true
}

// predefined knows the CJK maps of 9.7.5.2 by their names.
func (f *pdfFont) predefined(name string) {
	switch {
	case strings.HasPrefix(name, "Uni") && (strings.Contains(name, "UCS2") || strings.Contains(name, "UTF16")):
		f.utf16 = true
	case strings.HasPrefix(name, "GB"):
		f.charset = simplifiedchinese.GB18030
	case strings.Contains(name, "B5") || strings.HasPrefix(name, "HKscs"):
		f.charset = traditionalchinese.Big5
	case strings.Contains(name, "RKSJ"):
		f.charset = japanese.ShiftJIS
	case name == "EUC-H" || name == "EUC-V":
		f.charset = japanese.EUCJP
	case strings.HasPrefix(name, "KSC"):
		f.charset = korean.EUCKR
	}
}

// encoding fills the table of a font with one byte a code.
func (f *pdfFont) encoding(p *pdfFile, v any, symbolic bool) {
	base := charmap.Windows1252
	var differences pdfArray
	name, _ := p.get(v).(pdfName)
	if d := p.dict(v); d != nil {
		name, _ = p.get(d["BaseEncoding"]).(pdfName)
		differences = p.array(d["Differences"])
	}
	if name == "MacRomanEncoding" {
		base = charmap.Macintosh
	}
	for c := 32; c < 256; c++ {
		if symbolic && c >= 127 && name == "" {
			continue // the font's own order, which is not told
		}
		if r := base.DecodeByte(byte(c)); r != utf8.RuneError {
			f.simple[c] = string(r)
		}
	}
	code := 0
	for _, v := range differences {
		switch v := p.get(v).(type) {
		case int64:
			code = int(v)
		case pdfName:
			if code >= 0 && code < 256 {
				f.simple[code] = glyphText(string(v))
			}
			code++
		}
	}
}

// toUnicode reads the bfchar and bfrange of a ToUnicode map (9.10.3).
func (p *pdfFile) toUnicode(f *pdfFont, data []byte) {
	defer func() { sortRanges(f.ranges) }()
	l := pdfLexer{buf: data}
	var args []any
	for p.step() == nil {
		v, err := l.value(0)
		if err != nil {
			return
		}
		op, ok := v.(pdfOp)
		if !ok {
			if len(args) < 4096 {
				args = append(args, v)
			}
			continue
		}
		switch op {
		case "endbfchar":
			for i := 0; i+1 < len(args) && p.room(); i += 2 {
				from, ok1 := args[i].(pdfString)
				to, ok2 := args[i+1].(pdfString)
				if ok1 && ok2 {
					f.unicode[pdfCode(from)] = pdfUTF16(to)
				}
			}
		case "endbfrange":
			for i := 0; i+2 < len(args) && p.room(); i += 3 {
				lo, ok1 := args[i].(pdfString)
				hi, ok2 := args[i+1].(pdfString)
				if !ok1 || !ok2 || pdfCode(hi) < pdfCode(lo) {
					continue
				}
				switch to := args[i+2].(type) {
				case pdfString:
					if text := []rune(pdfUTF16(to)); len(text) > 0 {
						f.ranges = append(f.ranges, pdfRange{lo: pdfCode(lo), hi: min(pdfCode(hi), pdfCode(lo)+65535), text: text})
					}
				case pdfArray:
					for k, v := range to {
						s, ok := v.(pdfString)
						if c := pdfCode(lo) + uint32(k); ok && c <= pdfCode(hi) && p.room() {
							f.unicode[c] = pdfUTF16(s)
						}
					}
				}
			}
		}
		args = args[:0]
	}
}

// pdfUTF16 is the target of a ToUnicode map, which is short.
func pdfUTF16(s pdfString) string {
	return utf16Text([]byte(s[:min(len(s), 64)]), true)
}

func pdfCode(s pdfString) uint32 {
	var n uint32
	for i := 0; i < len(s) && i < 4; i++ {
		n = n<<8 | uint32(s[i])
	}
	return n
}

// show gives the text of a shown string, its width in thousandths of the font
// size, how many codes it has, and how many of them are a single-byte space.
func (f *pdfFont) show(s pdfString) (text string, width float64, codes, spaces int) {
	var b strings.Builder
	if !f.wide {
		for i := 0; i < len(s); i++ {
			c := s[i]
			if u, ok := f.text(uint32(c)); ok {
				b.WriteString(u)
			} else {
				b.WriteString(f.simple[c])
			}
			width += f.width(uint32(c))
			if c == ' ' {
				spaces++
			}
		}
		return b.String(), width, len(s), spaces
	}
	if f.charset != nil && len(f.unicode)+len(f.ranges) == 0 {
		out, _ := f.charset.NewDecoder().Bytes([]byte(s))
		n := utf8.RuneCount(out)
		return string(bytes.ToValidUTF8(out, nil)), float64(n) * f.missing, n, 0
	}
	for i := 0; i+1 < len(s); i += 2 {
		c := uint32(s[i])<<8 | uint32(s[i+1])
		if u, ok := f.text(c); ok {
			b.WriteString(u)
		} else if f.utf16 {
			n := 2
			if c >= 0xd800 && c < 0xdc00 && i+3 < len(s) {
				n = 4
			}
			b.WriteString(utf16Text([]byte(s[i:i+n]), true))
			i += n - 2
		}
		width += f.width(c)
		codes++
	}
	return b.String(), width, codes, 0
}

// glyphText is the text of a glyph by its name, as the Adobe Glyph List says;
// names that are not here and not of the form uniXXXX give nothing.
func glyphText(name string) string {
	if i := strings.IndexByte(name, '.'); i > 0 {
		name = name[:i]
	}
	if len(name) == 1 {
		return name
	}
	if t, ok := glyphNames[name]; ok {
		return t
	}
	hex := ""
	if strings.HasPrefix(name, "uni") && len(name) >= 7 {
		hex = name[3:7]
	} else if strings.HasPrefix(name, "u") && len(name) >= 5 && len(name) <= 7 {
		hex = name[1:]
	}
	if n, err := strconv.ParseUint(hex, 16, 21); err == nil && utf8.ValidRune(rune(n)) {
		return string(rune(n))
	}
	return ""
}

var glyphNames = func() map[string]string {
	m := map[string]string{}
	f := strings.Fields(glyphTable)
	for i := 0; i+1 < len(f); i += 2 {
		m[f[i]] = f[i+1]
	}
	m["space"], m["nbspace"], m["nonbreakingspace"] = " ", " ", " "
	return m
}()

// glyphTable is the part of the Adobe Glyph List that books in the Latin script,
// and formulas, use.
const glyphTable = `
exclam ! quotedbl " numbersign # dollar $ percent % ampersand & quotesingle ' quoteright ’ quoteleft ‘ parenleft (
parenright ) asterisk * plus + comma , hyphen - minus − period . slash / zero 0 one 1 two 2 three 3 four 4 five 5 six 6
seven 7 eight 8 nine 9 colon : semicolon ; less < equal = greater > question ? at @ bracketleft [ backslash \
bracketright ] asciicircum ^ underscore _ grave ` + "`" + ` braceleft { bar | braceright } asciitilde ~ exclamdown ¡ cent ¢
sterling £ currency ¤ yen ¥ brokenbar ¦ section § dieresis ¨ copyright © ordfeminine ª guillemotleft « logicalnot ¬
registered ® macron ¯ degree ° plusminus ± twosuperior ² threesuperior ³ acute ´ mu µ paragraph ¶ periodcentered ·
cedilla ¸ onesuperior ¹ ordmasculine º guillemotright » onequarter ¼ onehalf ½ threequarters ¾ questiondown ¿
Agrave À Aacute Á Acircumflex Â Atilde Ã Adieresis Ä Aring Å AE Æ Ccedilla Ç Egrave È Eacute É Ecircumflex Ê Edieresis Ë
Igrave Ì Iacute Í Icircumflex Î Idieresis Ï Eth Ð Ntilde Ñ Ograve Ò Oacute Ó Ocircumflex Ô Otilde Õ Odieresis Ö multiply ×
Oslash Ø Ugrave Ù Uacute Ú Ucircumflex Û Udieresis Ü Yacute Ý Thorn Þ germandbls ß agrave à aacute á acircumflex â
atilde ã adieresis ä aring å ae æ ccedilla ç egrave è eacute é ecircumflex ê edieresis ë igrave ì iacute í icircumflex î
idieresis ï eth ð ntilde ñ ograve ò oacute ó ocircumflex ô otilde õ odieresis ö divide ÷ oslash ø ugrave ù uacute ú
ucircumflex û udieresis ü yacute ý thorn þ ydieresis ÿ
Abreve Ă abreve ă Aogonek Ą aogonek ą Cacute Ć cacute ć Ccaron Č ccaron č Dcaron Ď dcaron ď Dcroat Đ dcroat đ Ecaron Ě
ecaron ě Eogonek Ę eogonek ę Gbreve Ğ gbreve ğ Lslash Ł lslash ł Nacute Ń nacute ń Ncaron Ň ncaron ň Ohungarumlaut Ő
ohungarumlaut ő OE Œ oe œ Rcaron Ř rcaron ř Sacute Ś sacute ś Scaron Š scaron š Scedilla Ş scedilla ş Tcaron Ť tcaron ť
Uhungarumlaut Ű uhungarumlaut ű Uring Ů uring ů Ydieresis Ÿ Zacute Ź zacute ź Zcaron Ž zcaron ž Zdotaccent Ż zdotaccent ż
dotlessi ı florin ƒ circumflex ˆ caron ˇ breve ˘ dotaccent ˙ ring ˚ ogonek ˛ tilde ˜ hungarumlaut ˝
Alpha Α Beta Β Gamma Γ Delta Δ Epsilon Ε Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ Omicron Ο Pi Π Rho Ρ
Sigma Σ Tau Τ Upsilon Υ Phi Φ Chi Χ Psi Ψ Omega Ω alpha α beta β gamma γ delta δ epsilon ε epsilon1 ϵ zeta ζ eta η theta θ
theta1 ϑ iota ι kappa κ lambda λ nu ν xi ξ omicron ο pi π rho ρ sigma σ sigma1 ς tau τ upsilon υ phi φ phi1 ϕ chi χ psi ψ omega ω
endash – emdash — quotedblleft “ quotedblright ” quotesinglbase ‚ quotedblbase „ dagger † daggerdbl ‡ bullet • ellipsis …
perthousand ‰ guilsinglleft ‹ guilsinglright › fraction ⁄ Euro € trademark ™ fi fi fl fl ff ff ffi ffi ffl ffl
arrowleft ← arrowup ↑ arrowright → arrowdown ↓ arrowboth ↔ arrowdblright ⇒ arrowdblboth ⇔ universal ∀ existential ∃
partialdiff ∂ emptyset ∅ gradient ∇ element ∈ notelement ∉ product ∏ summation ∑ radical √ infinity ∞ integral ∫
logicaland ∧ logicalor ∨ intersection ∩ union ∪ similar ∼ approxequal ≈ notequal ≠ equivalence ≡ lessequal ≤
greaterequal ≥ propersubset ⊂ propersuperset ⊃ reflexsubset ⊆ circleplus ⊕ circlemultiply ⊗ dotmath ⋅ asteriskmath ∗
lozenge ◊ angbracketleft 〈 angbracketright 〉 prime ′ ell ℓ
`
