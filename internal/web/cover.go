package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"

	"golang.org/x/text/language"
)

// cover answers /records/N/cover: the stored cover where the rights permit
// serving it, else a drawn one.
func (s *Site) cover(w http.ResponseWriter, r *http.Request) error {
	h, err := s.named(r)
	if err != nil {
		return err
	}
	if h.Erased != nil {
		return &refusal{s.decide(r, h, nil), h.Number}
	}
	if f := h.picture(); f != nil && s.decide(r, h, f).Read && s.decide(r, h, h.text()).Read {
		err := s.send(w, r, f, blob.ServeOptions{MediaType: f.MediaType, Name: f.Name, Inline: true})
		if kind := errs.KindOf(err); err == nil || (kind != errs.Unavailable && kind != errs.Corrupt) {
			return err
		}
	}
	drawn := drawCover(h.Record)
	sum := sha256.Sum256([]byte(drawn))
	s.secure(w, inert)
	head := w.Header()
	head.Set("Content-Type", "image/svg+xml")
	head.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	head.Set("Cache-Control", "private, no-cache")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(drawn))
	return nil
}

// A drawn cover is 300 by 420. The same record always gets the same one.
const (
	coverWidth  = 300
	coverHeight = 420
)

// cloth is the colours of a binding.
type cloth struct{ base, shade, thread, ink string }

// Papers of thread-bound books: indigo, tea, moss, plum, ash.
var papers = []cloth{
	{"#2c4057", "#243649", "#e9e2cf", "#2a241d"},
	{"#6b5138", "#5b452f", "#efe6d0", "#2a241d"},
	{"#47573f", "#3b4935", "#ece4cd", "#2a241d"},
	{"#5a3b40", "#4b3135", "#eee3d2", "#2a241d"},
	{"#4c4f52", "#3f4245", "#ebe5d6", "#2a241d"},
	{"#35514f", "#2b4341", "#ebe4d0", "#2a241d"},
}

// Cloths of bound books; ink is the stamping.
var cloths = []cloth{
	{"#6d2f2a", "#5b2723", "#c8a66a", "#ead9b0"},
	{"#2f4a3f", "#263c33", "#b9a26b", "#e6dcb8"},
	{"#2e3f5c", "#25334b", "#b6a477", "#e4dcc3"},
	{"#7a6a4a", "#68593d", "#f0e4c4", "#f5ecd4"},
	{"#4b3a52", "#3e3044", "#c2a878", "#e8dcc2"},
	{"#3a3f42", "#2f3436", "#b8a98a", "#e2dac6"},
	{"#8a5a34", "#764c2b", "#f1ddb5", "#f7e9cb"},
}

const (
	serifFaces = `'Iowan Old Style','Palatino Linotype',Palatino,'Noto Serif','Liberation Serif',Georgia,serif`
	hanFaces   = `'Songti SC','Noto Serif CJK SC','Noto Serif SC','Source Han Serif SC','Source Han Serif CN',SimSun,STSong,serif`
	hantFaces  = `'Songti TC','Noto Serif CJK TC','Noto Serif TC','Source Han Serif TC','Source Han Serif TW',PMingLiU,serif`
)

// drawCover draws the cover of a record that has none: a thread-bound volume
// with a title slip for a Chinese work, a plain cloth binding for any other.
func drawCover(rec record.Record) string {
	by := ""
	if len(rec.Creators) > 0 {
		by = rec.Creators[0].Name
	}
	sum := sha256.Sum256([]byte(rec.Title + "\x00" + by))
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">`,
		coverWidth, coverHeight, coverWidth, coverHeight)
	if chinese(rec) {
		drawThreadBound(&b, rec, by, sum)
	} else {
		drawCloth(&b, rec, by, sum)
	}
	b.WriteString(`</svg>`)
	return b.String()
}

// chinese says whether a work is written in a Chinese language, or, where no
// language is stated, whether its title is mostly Han.
func chinese(rec record.Record) bool {
	if len(rec.Languages) > 0 {
		t, err := language.Parse(rec.Languages[0])
		if err != nil {
			return false
		}
		switch base, _ := t.Base(); base.String() {
		case "zh", "lzh", "yue", "wuu", "nan", "hak", "gan", "cdo", "hsn":
			return han(rec.Title) > 0
		}
		return false
	}
	return han(rec.Title)*2 > len([]rune(rec.Title))
}

func han(s string) int {
	n := 0
	for _, r := range s {
		if unicode.Is(unicode.Han, r) {
			n++
		}
	}
	return n
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // to memory: cannot fail
	return b.String()
}

// drawThreadBound draws paper, four-hole thread at the right, where a Chinese
// book is bound, and the title slip at the upper left.
func drawThreadBound(b *strings.Builder, rec record.Record, by string, sum [32]byte) {
	c := papers[int(sum[0])%len(papers)]
	fmt.Fprintf(b, `<rect width="300" height="420" fill="%s"/>`, c.base)
	// The laid lines of the paper.
	fmt.Fprintf(b, `<path d="%s" stroke="%s" stroke-width="1" fill="none"/>`, lines(10, 420, 7, int(sum[1])%5), c.shade)
	fmt.Fprintf(b, `<rect x="262" width="38" height="420" fill="%s" fill-opacity="0.55"/>`, c.shade)
	fmt.Fprintf(b, `<path d="M266.5 0V420" stroke="%s" stroke-width="1.6" fill="none"/>`, c.thread)
	for _, y := range []int{28, 130, 290, 392} { // holes: two near the corners, two between
		fmt.Fprintf(b, `<path d="M266 %dH300" stroke="%s" stroke-width="1.6"/><circle cx="266.5" cy="%d" r="2.2" fill="%s"/>`, y, c.thread, y, c.thread)
	}
	fmt.Fprintf(b, `<path d="M266 28L300 0M266 392L300 420" stroke="%s" stroke-width="1.2" stroke-opacity="0.5"/>`, c.thread)

	title := column(rec.Title)
	faces, lang := hanFaces, "zh-Hans"
	if traditional(rec) {
		faces, lang = hantFaces, "zh-Hant"
	}
	const most = 13 // characters in one column before they get too small
	columns := [][]rune{title}
	if len(title) > most {
		half := (len(title) + 1) / 2
		if half > most {
			half = most
			if len(title) > 2*most {
				title = append(title[:2*most-1], '…')
			}
		}
		columns = [][]rune{title[:half], title[half:]}
	}
	size := 36.0
	width := 62.0
	if len(columns) == 2 {
		size, width = 26, 74
	}
	longest := float64(len(columns[0]))
	const slipTop, slipMost = 26.0, 330.0
	step := size * 1.12
	if longest*step > slipMost-36 {
		step = (slipMost - 36) / longest
		size = step / 1.12
	}
	height := max(longest*step+36, 190)
	const left = 26.0
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#f4ecd8"/>`, left, slipTop, width, height)
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="none" stroke="%s" stroke-width="1.8"/>`, left+4, slipTop+4, width-8, height-8, c.ink)
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="none" stroke="%s" stroke-width="0.6"/>`, left+7, slipTop+7, width-14, height-14, c.ink)
	fmt.Fprintf(b, `<g xml:lang="%s" font-family="%s" fill="%s" text-anchor="middle" font-size="%.1f" font-weight="600">`, lang, faces, c.ink, size)
	for i, col := range columns {
		x := left + width/2
		if len(columns) == 2 { // columns run from the right to the left
			x += (0.5 - float64(i)) * (size + 4)
		}
		y := slipTop + 18 + size*0.88
		if len(columns) == 1 { // short titles stand in the middle of the slip
			y += (height - 36 - longest*step) / 2
		}
		for j, r := range col {
			fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text>`, x, y+float64(j)*step, escape(string(r)))
		}
	}
	b.WriteString(`</g>`)

	// The name of the first creator, small, beside the slip at the foot of the
	// cover, under a seal.
	name := column(by)
	if han(by) > 0 && len(name) <= 8 {
		x, y := left+width+26, 378-float64(len(name)-1)*19
		if y > 0 {
			fmt.Fprintf(b, `<g xml:lang="%s" font-family="%s" fill="%s" text-anchor="middle" font-size="16">`, lang, faces, c.thread)
			for j, r := range name {
				fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text>`, x, y+float64(j)*19, escape(string(r)))
			}
			b.WriteString(`</g>`)
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="15" height="15" rx="1.5" fill="#b3301f"/><rect x="%.1f" y="%.1f" width="9" height="9" fill="none" stroke="#f6e9dc" stroke-width="1.1"/>`,
				x-7.5, y-36, x-4.5, y-33)
		}
	}
}

// lines is a path of level lines across the cover.
func lines(from, to, step, shift int) string {
	var b strings.Builder
	for y := from + shift; y < to; y += step {
		fmt.Fprintf(&b, "M0 %dH300", y)
	}
	return b.String()
}

// column is a text for vertical writing: marks that vertical text would turn are
// turned or left out.
func column(s string) []rune {
	var out []rune
	for _, r := range s {
		switch {
		case unicode.IsSpace(r), strings.ContainsRune("《》〈〉“”‘’\"'·", r):
		case r == '(' || r == '（':
			out = append(out, '︵')
		case r == ')' || r == '）':
			out = append(out, '︶')
		case r == '—' || r == '-' || r == '–':
			out = append(out, '︱')
		default:
			out = append(out, r)
		}
	}
	return out
}

func traditional(rec record.Record) bool {
	if len(rec.Languages) == 0 {
		return false
	}
	t, err := language.Parse(rec.Languages[0])
	if err != nil {
		return false
	}
	script, _ := t.Script()
	return script.String() == "Hant"
}

// drawCloth draws a cloth binding: weave, spine, a stamped frame, title and name.
func drawCloth(b *strings.Builder, rec record.Record, by string, sum [32]byte) {
	c := cloths[int(sum[0])%len(cloths)]
	rtl := rightToLeft(rec)
	fmt.Fprintf(b, `<rect width="300" height="420" fill="%s"/>`, c.base)
	fmt.Fprintf(b, `<path d="%s" stroke="%s" stroke-width="1" stroke-opacity="0.55" fill="none"/>`, lines(1, 420, 3, 0), c.shade)
	spine, hinge := 0, 22
	if rtl {
		spine, hinge = 282, 277
	}
	fmt.Fprintf(b, `<rect x="%d" width="18" height="420" fill="%s"/><path d="M%d.5 0V420" stroke="%s" stroke-width="1" stroke-opacity="0.7"/>`, spine, c.shade, hinge, c.shade)
	left := 44.0
	if rtl {
		left = 24
	}
	const width = 232.0
	middle := left + width/2
	fmt.Fprintf(b, `<rect x="%.1f" y="28" width="%.1f" height="364" fill="none" stroke="%s" stroke-width="1.6"/>`, left, width, c.thread)
	fmt.Fprintf(b, `<rect x="%.1f" y="33" width="%.1f" height="354" fill="none" stroke="%s" stroke-width="0.6"/>`, left+5, width-10, c.thread)

	size, text := fit(rec.Title, width-32)
	step := size * 1.25
	y := 156 - float64(len(text)-1)*step/2 + size*0.35
	y = max(y, 66+size*0.8)
	fmt.Fprintf(b, `<g font-family="%s" fill="%s" text-anchor="middle" font-size="%.1f">`, serifFaces, c.ink, size)
	for i, line := range text {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text>`, middle, y+float64(i)*step, escape(line))
	}
	b.WriteString(`</g>`)
	below := max(y+float64(len(text)-1)*step+30, 236)
	fmt.Fprintf(b, `<path d="M%.1f %.1fh22m8 0h22" stroke="%s" stroke-width="1.2"/><path d="M%.1f %.1fl4 -4 4 4 -4 4z" fill="%s"/>`,
		middle-26, below, c.thread, middle-4, below, c.thread)
	if by != "" {
		const most = 17.0
		names := wrap(by, (width-40)/most)
		names = names[:min(len(names), 2)]
		bySize := most
		for _, line := range names {
			bySize = min(bySize, (width-40)/advance(line))
		}
		fmt.Fprintf(b, `<g font-family="%s" fill="%s" text-anchor="middle" font-size="%.1f" fill-opacity="0.92">`, serifFaces, c.ink, bySize)
		for i, line := range names {
			fmt.Fprintf(b, `<text x="%.1f" y="%.1f">%s</text>`, middle, 352+(float64(i)-float64(len(names)-1))*bySize*1.25, escape(line))
		}
		b.WriteString(`</g>`)
	}
}

func rightToLeft(rec record.Record) bool {
	for _, r := range rec.Title {
		if unicode.Is(unicode.Arabic, r) || unicode.Is(unicode.Hebrew, r) || unicode.Is(unicode.Syriac, r) {
			return true
		}
		if unicode.IsLetter(r) {
			return false
		}
	}
	return false
}

const fitLines = 6

// fit breaks a text into at most six lines of a width, as large as it goes.
func fit(s string, width float64) (size float64, text []string) {
	runes := []rune(strings.Join(strings.Fields(s), " "))
	for _, size := range []float64{30, 27, 24, 21, 18, 16} {
		lines := wrap(string(runes), width/size)
		whole := true
		for _, l := range lines {
			whole = whole && advance(l) <= width/size
		}
		if whole && float64(len(lines))*size*1.25 <= 190 && len(lines) <= fitLines {
			return size, lines
		}
	}
	lines := wrap(string(runes), width/16)
	if len(lines) > fitLines {
		lines = lines[:fitLines]
		lines[fitLines-1] += " …"
	}
	for i, l := range lines {
		for r := []rune(l); advance(l) > width/16; l = string(r) + "…" {
			r = r[:len(r)-1]
			lines[i] = string(r) + "…"
		}
	}
	return 16, lines
}

// wrap breaks at spaces, and anywhere between Han and kana.
func wrap(s string, ems float64) []string {
	var lines []string
	line := ""
	for _, word := range words(s) {
		switch {
		case line == "":
			line = strings.TrimSpace(word)
		case advance(line+word) <= ems:
			line += word
		default:
			lines = append(lines, strings.TrimSpace(line))
			line = strings.TrimSpace(word)
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// words are the pieces between which a line may break; each begins with its space.
func words(s string) []string {
	var out []string
	var b strings.Builder
	for _, r := range s {
		if r == ' ' || wide(r) {
			if b.Len() > 0 {
				out = append(out, b.String())
				b.Reset()
			}
		}
		b.WriteRune(r)
	}
	if b.Len() > 0 {
		out = append(out, b.String())
	}
	return out
}

func wide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// advance guesses the width of a text in ems of a serif face, on the wide side.
func advance(s string) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case wide(r):
			w++
		case unicode.Is(unicode.Mn, r):
		case strings.ContainsRune("iljtfI.,:;'|! ", r):
			w += 0.31
		case strings.ContainsRune("mwMW", r):
			w += 0.9
		case unicode.IsUpper(r):
			w += 0.72
		default:
			w += 0.52
		}
	}
	return w
}
