package format

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	utf16enc "golang.org/x/text/encoding/unicode"

	"wenlan/internal/errs"
)

// candidate is an encoding that a text without a mark may be in.
type candidate struct {
	name string
	enc  encoding.Encoding
}

var candidates = []candidate{
	{"gb18030", simplifiedchinese.GB18030},
	{"big5", traditionalchinese.Big5},
	{"shift_jis", japanese.ShiftJIS},
	{"euc-jp", japanese.EUCJP},
	{"euc-kr", korean.EUCKR},
	{"windows-1252", charmap.Windows1252},
	{"windows-1251", charmap.Windows1251},
	{"koi8-r", charmap.KOI8R},
	{"windows-1250", charmap.Windows1250},
	{"windows-1253", charmap.Windows1253},
	{"windows-1255", charmap.Windows1255},
	{"windows-1256", charmap.Windows1256},
}

var (
	utf16LE = candidate{"utf-16le", utf16enc.UTF16(utf16enc.LittleEndian, utf16enc.IgnoreBOM)}
	utf16BE = candidate{"utf-16be", utf16enc.UTF16(utf16enc.BigEndian, utf16enc.IgnoreBOM)}
)

// charsetSample is how many bytes an encoding is judged by.
const charsetSample = 32 << 10

// decodeText finds the encoding of a plain text and gives the text in UTF-8, with
// the name of the encoding. broken counts the characters that did not decode.
func decodeText(data []byte) (text, charset string, broken int, err error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xef, 0xbb, 0xbf}):
		text = string(data[3:])
		return strings.ToValidUTF8(text, "�"), "utf-8", invalidUTF8(text), nil
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return decodeAs(utf16LE, data[2:])
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return decodeAs(utf16BE, data[2:])
	}
	if c, ok := guessUTF16(data); ok {
		return decodeAs(c, data)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return "", "", 0, errs.New(errs.Refused, "the file is not text, nor a book in a form that is known here")
	}
	if bytes.Contains(data, []byte("\x1b$B")) || bytes.Contains(data, []byte("\x1b$@")) {
		return decodeAs(candidate{"iso-2022-jp", japanese.ISO2022JP}, data)
	}
	if utf8.Valid(data) {
		return string(data), "utf-8", 0, nil
	}
	if n := invalidUTF8(string(data)); n*200 < countHigh(data) {
		return strings.ToValidUTF8(string(data), "�"), "utf-8", n, nil
	}
	sample := highSample(data)
	best, bestScore := candidate{}, -1.0
	for _, c := range candidates {
		if s := scoreCharset(c, sample); s > bestScore {
			best, bestScore = c, s
		}
	}
	if best.enc == nil || bestScore < 0 {
		return "", "", 0, errs.New(errs.Refused, "the encoding of the text cannot be told; save it as UTF-8")
	}
	return decodeAs(best, data)
}

func decodeAs(c candidate, data []byte) (text, charset string, broken int, err error) {
	out, err := c.enc.NewDecoder().Bytes(data)
	if err != nil {
		return "", "", 0, errs.New(errs.Refused, "the text cannot be read as %s", c.name)
	}
	broken = bytes.Count(out, []byte("�"))
	if broken*20 > utf8.RuneCount(out) {
		return "", "", 0, errs.New(errs.Refused, "the encoding of the text cannot be told; save it as UTF-8")
	}
	return string(out), c.name, broken, nil
}

func invalidUTF8(s string) int {
	n := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			n++
		}
		i += size
	}
	return n
}

func countHigh(data []byte) int {
	n := 0
	for _, b := range data {
		if b >= 0x80 {
			n++
		}
	}
	return n
}

// guessUTF16 recognises UTF-16 without a mark: Latin text has its zeros on one
// side; Chinese text decodes to common characters in one byte order only.
func guessUTF16(data []byte) (candidate, bool) {
	sample := data[:min(len(data), charsetSample)&^1]
	if len(sample) < 4 || len(data)%2 != 0 {
		return candidate{}, false
	}
	if utf8.Valid(data) && bytes.IndexByte(sample, 0) < 0 {
		return candidate{}, false
	}
	// A script of letters fills one side with one or two values, zero among them.
	for side, c := range []candidate{utf16BE, utf16LE} {
		var counts [256]int
		other := 0
		for i, b := range sample {
			if i&1 == side {
				counts[b]++
			} else if b == 0 {
				other++
			}
		}
		zeros := counts[0]
		slices.Sort(counts[:])
		if zeros > 0 && other*20 < zeros && (counts[255]+counts[254])*10 >= len(sample)/2*9 && controls(c, sample) == 0 {
			return c, true
		}
	}
	le, be := hanziShare(utf16LE, sample), hanziShare(utf16BE, sample)
	switch {
	case le > 0.6 && le > 2*be && controls(utf16LE, sample) == 0:
		return utf16LE, true
	case be > 0.6 && be > 2*le && controls(utf16BE, sample) == 0:
		return utf16BE, true
	}
	return candidate{}, false
}

// controls counts the characters that no text holds.
func controls(c candidate, sample []byte) int {
	out, err := c.enc.NewDecoder().Bytes(sample)
	if err != nil {
		return len(sample)
	}
	n := 0
	for _, r := range string(out) {
		if unicode.IsControl(r) && !unicode.IsSpace(r) && r != 0x1a {
			n++
		}
	}
	return n
}

// hanziShare is the share of characters that are common in East Asian text.
func hanziShare(c candidate, sample []byte) float64 {
	out, err := c.enc.NewDecoder().Bytes(sample)
	if err != nil {
		return 0
	}
	good, all := 0, 0
	for _, r := range string(out) {
		all++
		if common[r] || isKana(r) || r >= 0xac00 && r <= 0xd7a3 || isCJKMark(r) || r == '\n' || r == '\r' || r == ' ' {
			good++
		}
	}
	return float64(good) / float64(max(all, 1))
}

// highSample gathers lines that hold other bytes than ASCII.
func highSample(data []byte) []byte {
	if len(data) <= charsetSample {
		return data
	}
	out := make([]byte, 0, charsetSample)
	for len(data) > 0 && len(out) < charsetSample {
		line := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line = data[:i+1]
		}
		data = data[len(line):]
		if countHigh(line) > 0 {
			out = append(out, line[:min(len(line), charsetSample-len(out))]...)
		}
	}
	return out
}

var common = commonRunes()

func commonRunes() map[rune]bool {
	set := map[rune]bool{}
	for _, r := range commonHanzi + hansHant + commonHangul {
		set[r] = true
	}
	return set
}

func isKana(r rune) bool { return r >= 0x3041 && r <= 0x30fe }

func isCJKMark(r rune) bool {
	switch r {
	case '。', '，', '、', '：', '；', '？', '！', '“', '”', '‘', '’', '「', '」', '『', '』', '《', '》', '（', '）', '…', '—', '　', '・', '．', '〈', '〉':
		return true
	}
	return false
}

// scoreCharset says how much a sample, read in an encoding, looks like text: each
// character that is not ASCII counts by how common it is, per byte that it took.
func scoreCharset(c candidate, sample []byte) float64 {
	out, err := c.enc.NewDecoder().Bytes(sample)
	if err != nil {
		return -1
	}
	text := string(out)
	wide := c.name == "gb18030" || c.name == "big5" || c.name == "shift_jis" || c.name == "euc-jp" || c.name == "euc-kr"
	score := 0.0
	var prev rune
	run := 0
	for _, r := range text {
		if r < utf8.RuneSelf {
			if r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' && r != 0x1a {
				score -= 1
			}
			if !wide && run > 0 && isLatinLetter(r) && unicode.IsLetter(prev) && !unicode.Is(unicode.Latin, prev) {
				score -= 1
			}
			prev, run = r, 0
			continue
		}
		run++
		if wide {
			score += 2 * scoreWide(r)
		} else {
			score += scoreNarrow(r, prev, run, c.name)
		}
		prev = r
	}
	score /= float64(max(countHigh(sample), 1))
	if !wide {
		if _, confidence := byDominantWords(text); confidence > 0 {
			score += 0.5 * confidence
		}
	}
	return score
}

func scoreWide(r rune) float64 {
	switch {
	case r == utf8.RuneError:
		return -3
	case common[r]:
		return 1
	case isCJKMark(r):
		return 0.9
	case isKana(r):
		return 0.9
	case r >= 0xac00 && r <= 0xd7a3:
		return 0.3
	case r >= 0xff61 && r <= 0xff9f: // half-width kana: what Shift-JIS makes of anything
		return -1
	case r >= 0xff01 && r <= 0xff5e: // full-width Latin
		return 0.2
	case r >= 0x4e00 && r <= 0x9fff:
		return -0.1
	case r >= 0xe000 && r <= 0xf8ff:
		return -1
	}
	return -0.5
}

func scoreNarrow(r, prev rune, run int, name string) float64 {
	switch {
	case r == utf8.RuneError:
		return -3
	case unicode.IsControl(r):
		return -2
	case strings.ContainsRune("“”‘’—–…«»°§ ", r):
		return 0.4
	case !unicode.IsLetter(r):
		if unicode.IsMark(r) && (name == "windows-1255" || name == "windows-1256") {
			return 0.3
		}
		return -0.7
	}
	// Two alphabets in one word: the wrong code page for a Latin text.
	if isLatinLetter(prev) && !unicode.Is(unicode.Latin, r) {
		return -1
	}
	// A capital inside a word: the case of another code page.
	if unicode.IsUpper(r) && unicode.IsLower(prev) {
		return -1
	}
	switch name {
	case "windows-1252", "windows-1250":
		if run > 2 { // accented letters stand alone in words
			return -1
		}
		if strings.ContainsRune("éèàçùâêîôûäöüßñáíóúìòãõåøæëïœąćęłńśźżčřšžěůýőűďťň", r) {
			return 0.6
		}
		return 0
	case "windows-1251", "koi8-r":
		if strings.ContainsRune("оеаинтсрвлкмдпуяыьгзбчйжхшюцщэіїєў", r) {
			return 0.8
		}
		return 0.2
	}
	return 0.6
}

func isLatinLetter(r rune) bool { return (r|0x20) >= 'a' && (r|0x20) <= 'z' }

// byDominantWords is byWords for the script that a text is mostly in.
func byDominantWords(text string) (string, float64) {
	var c letterCount
	c.count(text)
	name, _ := c.dominant()
	switch name {
	case "Latin", "Cyrillic", "Arabic", "Hebrew", "Greek":
		return byWords(text, name)
	}
	return "", 0
}
