package analysis

import "strings"

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
