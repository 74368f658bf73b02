package analysis

import (
	"strings"
	"unicode/utf8"
)

// Heading is a value as lists put it in order: folded, words parted by one space, and
// Chinese characters as their pinyin without tones, because that is how Chinese lists
// are ordered and how a reader can say where in one to begin. A comma stays, which
// parts a family name from the others. With name set, surnames are read as such.
// Other scripts stay as they are, and so follow the Latin letters. What is beyond a KiB
// is left out.
func Heading(value string, name bool) string {
	if len(value) > maxFolded {
		value = value[:maxFolded]
	}
	if out, ok := wordsASCII(value, true); ok {
		return out
	}
	return headingSlowly(value, name)
}

// wordsASCII are the words of what is ASCII and has no apostrophe, as most is, folded and
// parted by one space; with commas set, the first comma stays.
func wordsASCII(value string, commas bool) (string, bool) {
	out := make([]byte, 0, len(value)+1)
	word, comma := 0, -1 // letters of the word so far; where the first comma stands in out
	space := false
	for i := range len(value) {
		c := value[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c >= utf8.RuneSelf, c == '\'':
			return "", false
		default:
			if commas && c == ',' && comma < 0 {
				comma = len(out)
			}
			word, space = 0, true
			continue
		}
		if word++; word > maxWord {
			return "", false
		}
		if space && len(out) > 0 {
			if comma == len(out) {
				out = append(out, ',')
			}
			out = append(out, ' ')
		}
		space = false
		out = append(out, c)
	}
	return string(out), true
}

func headingSlowly(value string, name bool) string {
	before, after, comma := strings.Cut(value, ",")
	out := headingWords(before, name)
	if comma {
		if rest := headingWords(after, name); rest != "" {
			if out == "" {
				return rest
			}
			return out + ", " + rest
		}
	}
	return out
}

func headingWords(text string, name bool) string {
	var b strings.Builder
	word := func(s string) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s)
	}
	for _, t := range Whole(text) {
		if !strings.ContainsFunc(t.Text, isHan) {
			word(t.Text)
			continue
		}
		// Syllables come first; what follows a gap are other readings of the same.
		read := Readings(nil, t.Text, name)
		if len(read) == 0 {
			word(t.Text) // Japanese, or a character without a reading
		}
		for _, s := range read {
			if s == "" {
				break
			}
			word(strings.TrimPrefix(s, MarkReading))
		}
	}
	return b.String()
}
