package format

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// DetectLanguage guesses the language of a text as a BCP 47 tag, and how sure
// the guess is, from 0 to 1. Scripts tell first; languages that share a script
// are told by their commonest words. Chinese is zh-Hans or zh-Hant only where the
// characters that differ speak clearly, else zh. Without a guess, tag is "".
//
// It looks at no more than the first langSample bytes.
func DetectLanguage(text string) (tag string, confidence float64) {
	if len(text) > langSample {
		text = strings.ToValidUTF8(text[:langSample], "")
	}
	var c letterCount
	c.count(text)
	if c.total == 0 {
		return "", 0
	}
	name, n := c.dominant()
	share := float64(n) / float64(c.total)
	sure := share * min(1, float64(n)/20)
	switch name {
	case "Han", "Kana":
		if name == "Kana" || c.kana*20 >= c.han+c.kana {
			return "ja", sure
		}
		return chineseScript(c.hans, c.hant), sure
	case "Hangul":
		return "ko", sure
	case "Latin", "Cyrillic", "Arabic", "Devanagari", "Hebrew", "Greek":
		tag, conf := byWords(text, name)
		return tag, conf * share
	}
	if tag, ok := scriptLanguages[name]; ok {
		return tag, sure
	}
	return "", 0
}

// letterCount counts the letters of a text by script.
type letterCount struct {
	total, han, kana, hangul int
	hans, hant               int // characters that only one writing of Chinese has
	scripts                  map[string]int
}

var (
	onlyHans, onlyHant = splitPairs()
	otherScripts       = scriptTables()
)

func splitPairs() (hans, hant map[rune]bool) {
	hans, hant = map[rune]bool{}, map[rune]bool{}
	all := []rune(hansHant)
	for i := 0; i+1 < len(all); i += 2 {
		hans[all[i]], hant[all[i+1]] = true, true
	}
	// Forms that the other writing uses as characters of their own.
	for _, r := range "后里云干面谷余松斗几丰台系范向只志制适叶号听据累圣种并占卜" {
		delete(hans, r)
	}
	return hans, hant
}

type scriptTable struct {
	name  string
	table *unicode.RangeTable
}

func scriptTables() []scriptTable {
	list := []scriptTable{{"Cyrillic", unicode.Cyrillic}, {"Arabic", unicode.Arabic}, {"Hebrew", unicode.Hebrew}, {"Devanagari", unicode.Devanagari}, {"Greek", unicode.Greek}}
	var names []string
	for name := range scriptLanguages {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list = append(list, scriptTable{name, unicode.Scripts[name]})
	}
	return list
}

func (c *letterCount) count(text string) {
	c.scripts = map[string]int{}
	latin, last := 0, -1
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			if (r|0x20) >= 'a' && (r|0x20) <= 'z' {
				latin++
			}
		case r >= 0x4e00 && r <= 0x9fff, r >= 0x3400 && r <= 0x4dbf, r >= 0x20000 && r <= 0x3ffff:
			c.han++
			if onlyHans[r] {
				c.hans++
			} else if onlyHant[r] {
				c.hant++
			}
		case r >= 0x3041 && r <= 0x30ff && r != 0x30fb:
			c.kana++
		case unicode.Is(unicode.Hangul, r):
			c.hangul++
		case unicode.Is(unicode.Latin, r):
			latin++
		default:
			if last >= 0 && unicode.Is(otherScripts[last].table, r) {
				c.scripts[otherScripts[last].name]++
				continue
			}
			for i := range otherScripts {
				if unicode.Is(otherScripts[i].table, r) {
					c.scripts[otherScripts[i].name]++
					last = i
					break
				}
			}
		}
	}
	c.scripts["Latin"] = latin
	// A Chinese character says as much as several letters.
	c.scripts["Han"], c.scripts["Kana"], c.scripts["Hangul"] = 3*c.han, 3*c.kana, 2*c.hangul
	for _, n := range c.scripts {
		c.total += n
	}
}

// dominant is the script with the most letters; Chinese characters and kana
// together, in texts that have both, are one.
func (c *letterCount) dominant() (name string, n int) {
	var names []string
	for name := range c.scripts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, s := range names {
		k := c.scripts[s]
		if s == "Han" {
			k += c.scripts["Kana"]
		}
		if k > n {
			name, n = s, k
		}
	}
	return name, n
}

// chineseScript tells simplified from traditional: clear is three such
// characters, and four times as many as of the other.
func chineseScript(hans, hant int) string {
	switch {
	case hans >= 3 && hans >= 4*hant:
		return "zh-Hans"
	case hant >= 3 && hant >= 4*hans:
		return "zh-Hant"
	}
	return "zh"
}

// byWords tells languages of one script by their commonest words.
func byWords(text, script string) (string, float64) {
	score := map[string]float64{}
	words, known := 0, 0
	for _, w := range strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r)
	}) {
		words++
		langs, ok := commonWords[w]
		if !ok {
			langs, ok = commonWords[strings.ToLower(w)]
		}
		if !ok {
			continue
		}
		known++
		for _, l := range langs {
			score[l] += 1 / float64(len(langs))
		}
	}
	if words == 0 {
		return "", 0
	}
	for l, letters := range ownLetters {
		if score[l] > 0 {
			score[l] += float64(min(strings.Count(text, letters), known)) * 0.1
		}
	}
	var best, second float64
	tag := ""
	var langs []string
	for l := range score {
		langs = append(langs, l)
	}
	slices.Sort(langs)
	for _, l := range langs {
		switch s := score[l]; {
		case s > best:
			tag, best, second = l, s, best
		case s > second:
			second = s
		}
	}
	if tag == "" {
		switch script { // no word known: the language that most texts in the script are in
		case "Hebrew":
			return "he", 0.6
		case "Arabic":
			return "ar", 0.4
		case "Cyrillic":
			return "ru", 0.3
		case "Greek":
			return "el", 0.9
		}
		return "", 0
	}
	share := best / float64(words)
	lead := (best - second) / best
	conf := min(1, share*5) * min(1, 0.5+lead) * min(1, float64(known)/6)
	return tag, conf
}

// ownLetters are letters that tell close relatives apart.
var ownLetters = map[string]string{
	"uk": "ї", "be": "ў", "ru": "ы", "sr": "ћ", "mk": "ќ", "pt": "ã", "es": "ñ", "ca": "l·l", "de": "ß", "fa": "گ", "ur": "ے",
	"nb": "å", "sk": "ľ", "cs": "ř", "ro": "ț", "tr": "ğ", "az": "ə", "vi": "ư",
}

// languageNames are names that files give instead of tags.
var languageNames = map[string]string{
	"english": "en", "chinese": "zh", "simplified chinese": "zh-Hans", "traditional chinese": "zh-Hant", "中文": "zh", "汉语": "zh", "漢語": "zh",
	"简体中文": "zh-Hans", "繁體中文": "zh-Hant", "german": "de", "deutsch": "de", "french": "fr", "français": "fr", "spanish": "es", "español": "es",
	"italian": "it", "italiano": "it", "portuguese": "pt", "russian": "ru", "русский": "ru", "japanese": "ja", "日本語": "ja", "korean": "ko", "한국어": "ko",
	"arabic": "ar", "hebrew": "he", "latin": "la", "dutch": "nl", "polish": "pl", "swedish": "sv", "greek": "el",
}

// normalLanguage is a stated language as a BCP 47 tag, or "" for none.
func normalLanguage(s string) string {
	s = strings.ReplaceAll(cleanLine(s, 60), "_", "-")
	if tag, ok := languageNames[strings.ToLower(s)]; ok {
		return tag
	}
	if s == "" || len(s) > 35 || strings.HasPrefix(strings.ToLower(s), "x-") {
		return ""
	}
	tag, err := language.Parse(s)
	if err != nil {
		return ""
	}
	out := tag.String()
	if out == "und" || strings.HasPrefix(out, "und-") || out == "mul" || out == "zxx" || out == "mis" {
		return ""
	}
	return out
}

// setLanguage fills in the language of a document from its text when the
// metadata states none.
func (d *Document) setLanguage(text string) {
	if len(d.Record.Languages) > 0 {
		return
	}
	if tag, confidence := DetectLanguage(text); tag != "" && confidence >= 0.25 {
		d.Record.Languages = []string{tag}
		d.LanguageDetected = true
	}
}
