package format

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// cleanLine is text as the catalogue keeps it: one line, white space collapsed,
// nothing that is not a character, no bidirectional overrides, at most limit
// characters. Markup stays what it is: text.
func cleanLine(s string, limit int) string { return clean(s, limit, false) }

// cleanText is cleanLine that keeps the ends of lines.
func cleanText(s string, limit int) string { return clean(s, limit, true) }

func clean(s string, limit int, lines bool) string {
	if isClean(s, limit) {
		return s
	}
	var b strings.Builder
	n, space, newline := 0, false, false
	for _, r := range s {
		switch {
		case r == '\n' && lines:
			newline = true
			continue
		case unicode.IsSpace(r):
			space = true
			continue
		case !printable(r):
			continue
		}
		if n >= limit {
			b.WriteRune('…')
			break
		}
		if b.Len() > 0 {
			if newline {
				b.WriteByte('\n')
				n++
			} else if space {
				b.WriteByte(' ')
				n++
			}
		}
		space, newline = false, false
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// isClean says whether clean would give s as it is; most text is so.
func isClean(s string, limit int) bool {
	n, space := 0, s != ""
	for i := 0; i < len(s); n++ {
		c := s[i]
		switch {
		case c > ' ' && c < 0x7f:
			space = false
			i++
		case c == ' ' && !space:
			space = true
			i++
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			if !printable(r) || unicode.IsSpace(r) {
				return false
			}
			space = false
			i += size
		default:
			return false
		}
	}
	return n <= limit && !space
}

// printable says whether a character may stand in stored text. Controls, broken
// UTF-8, noncharacters (which I-JSON forbids) and the characters that turn the
// direction of what follows may not.
func printable(r rune) bool {
	switch {
	case r == utf8.RuneError, r == '\ufeff', r == '\u00ad':
		return false
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return false
	case r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
		return false
	}
	return !unicode.IsControl(r)
}

// stripHTML is the text of a piece of HTML, as descriptions often are. Text
// without markup comes back with its entities resolved.
func stripHTML(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return s
	}
	if !looksLikeMarkup(s) {
		return html.UnescapeString(s)
	}
	text, err := markupText(strings.NewReader(s), markupOptions{})
	if err != nil {
		return s
	}
	return text.Text
}

// looksLikeMarkup says whether s holds a tag: "<" and a letter, "/" or "!".
func looksLikeMarkup(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if s[i] != '<' {
			continue
		}
		c := s[i+1] | 0x20
		if (c >= 'a' && c <= 'z') || s[i+1] == '/' || s[i+1] == '!' {
			return strings.IndexByte(s[i:], '>') > 0
		}
	}
	return false
}

// addLine appends a cleaned line to a bounded list, once.
func addLine(list []string, s string, limit int) []string {
	s = cleanLine(s, maxTitle)
	if s == "" || len(list) >= limit {
		return list
	}
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
