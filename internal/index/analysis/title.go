package analysis

import "strings"

// MaxTitleKey is the length of a title key at most, in bytes.
const MaxTitleKey = 48

// maxFolded is how much of a text Folded looks at, in bytes.
const maxFolded = 1024

// TitleKey sorts titles: the words of the title, folded but not stemmed, without
// an English article at the start.
func TitleKey(title string) []byte {
	s := Folded(title)
	for _, article := range []string{"the ", "a ", "an "} {
		if rest, ok := strings.CutPrefix(s, article); ok && rest != "" {
			s = rest
			break
		}
	}
	if len(s) > MaxTitleKey {
		s = s[:MaxTitleKey]
	}
	return []byte(s)
}

// Folded is text with case, diacritics and variants of characters folded, and
// words parted by one space. What is beyond a KiB is left out.
func Folded(text string) string {
	if len(text) > maxFolded {
		text = text[:maxFolded]
	}
	if out, ok := wordsASCII(text, false); ok {
		return out
	}
	var b strings.Builder
	for _, t := range Whole(text) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.Text)
	}
	return b.String()
}
