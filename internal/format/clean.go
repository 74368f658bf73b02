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
	text, err := markupText(strings.NewReader(escapeLoose(s)), markupOptions{})
	if err != nil {
		return s
	}
	return text.Text
}

// looksLikeMarkup says whether s holds a tag.
func looksLikeMarkup(s string) bool {
	for i := strings.IndexByte(s, '<'); i >= 0; {
		if beginsTag(s[i:]) {
			return true
		}
		next := strings.IndexByte(s[i+1:], '<')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// escapeLoose makes text of every "<" that begins no tag: a<b, <Adjective Noun>.
func escapeLoose(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		if beginsTag(s[i:]) {
			b.WriteByte('<')
		} else {
			b.WriteString("&lt;")
		}
		s = s[i+1:]
	}
}

// knownTags are the elements that descriptions are marked up with: those of HTML
// that hold text, those of JATS and old Crossref, and of MathML without its prefix.
var knownTags = tagSet(`a abbr acronym address applet article aside audio b bdi bdo big blockquote body br button canvas caption
	center cite code col colgroup dd del details dfn dialog dir div dl dt em embed fieldset figcaption figure font footer form
	h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label legend li link main map mark menu meta nav
	nobr noscript object ol optgroup option p param picture pre q rb rp rt ruby s samp script section select small source span
	strike strong style sub summary sup table tbody td template text textarea tfoot th thead time title tr tt u ul var video wbr
	abstract alternatives bold disp-formula disp-quote email ext-link fn inf inline-formula inline-graphic italic label list
	list-item monospace named-content overline roman sans-serif sc scp sec styled-content tex-math tex uri underline xref
	math maction menclose merror mfenced mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace
	msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none semantics annotation annotation-xml`)

// maxTagName bounds the name of a tag in a description, with its prefix.
const maxTagName = 40

// beginsTag says whether s begins with a tag of a known element or with a prefix, a
// comment or a CDATA section. What follows the name must be what may stand in a
// tag: an end, or white space and either an attribute with a value or an end.
func beginsTag(s string) bool {
	if strings.HasPrefix(s, "<!--") || strings.HasPrefix(s, "<![CDATA[") || len(s) > 9 && strings.EqualFold(s[:9], "<!doctype") {
		return true
	}
	s = strings.TrimPrefix(s[1:], "/")
	n := 0
	for n < len(s) && n <= maxTagName && isTagByte(s[n]) {
		n++
	}
	name := strings.ToLower(s[:n])
	prefix, local, prefixed := strings.Cut(name, ":")
	if prefixed && (prefix == "" || local == "") || !prefixed && !knownTags[name] {
		return false
	}
	rest := strings.TrimLeft(s[n:], " \t\r\n")
	if strings.HasPrefix(rest, ">") || strings.HasPrefix(rest, "/>") {
		return true
	}
	value := strings.IndexAny(rest, "=<>") // never past another "<": text of many is read once
	if len(rest) == len(s)-n || value <= 0 || rest[value] != '=' {
		return false
	}
	if end := strings.IndexAny(rest[value:], "<>"); end < 0 || rest[value+end] != '>' {
		return false
	}
	return len(name) > 1 || !strings.ContainsAny(strings.TrimSpace(rest[:value]), " \t\r\n") // a<b and c=d>e
}

func isTagByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == ':' || c == '_'
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
