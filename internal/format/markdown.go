package format

import (
	"regexp"
	"strings"

	"wenlan/internal/record"
)

// Markdown is read line by line: the library needs its title, its headings and
// its words, and a parser that builds a tree of hostile nesting costs more than
// it gives. What readers see is rendered elsewhere.

var (
	mdFence  = regexp.MustCompile("^ {0,3}(```+|~~~+)")
	mdImage  = regexp.MustCompile(`!\[([^\]\n]*)\]\([^)\n]*\)`)
	mdLink   = regexp.MustCompile(`\[([^\]\n]*)\](?:\([^)\n]*\)|\[[^\]\n]*\])`)
	mdMarker = regexp.MustCompile(`^[ \t]*(?:>[ \t]?)*(?:[-*+][ \t]+|\d{1,9}[.)][ \t]+)?`)
	mdMarks  = strings.NewReplacer("**", "", "__", "", "`", "", `\*`, "*", `\_`, "_")
	mdDefine = regexp.MustCompile(`^ {0,3}\[[^\]\n]+\]:\s*\S+`)
)

// mdLevel is the level of a heading line and its text; 0 for another line. next
// is the line after it, for headings that are underlined.
func mdLevel(line, next string) (int, string) {
	if level, text := mdHash(line); level > 0 {
		return level, mdInline(text)
	}
	text, under := strings.TrimSpace(line), strings.TrimSpace(next)
	if text == "" || len(under) < 2 || strings.HasPrefix(text, "|") || strings.HasPrefix(text, "-") {
		return 0, ""
	}
	switch {
	case strings.Trim(under, "=") == "":
		return 1, mdInline(text)
	case strings.Trim(under, "-") == "":
		return 2, mdInline(text)
	}
	return 0, ""
}

// mdHash reads a heading of the form "## text" (CommonMark 0.31, section 4.2).
func mdHash(line string) (level int, text string) {
	text = strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 || !strings.HasPrefix(text, "#") {
		return 0, ""
	}
	rest := strings.TrimLeft(text, "#")
	level = len(text) - len(rest)
	if level > 6 || rest != "" && strings.TrimLeft(rest, " \t\r") == rest {
		return 0, ""
	}
	rest = strings.Trim(rest, " \t\r")
	if open := strings.TrimRight(rest, "#"); open == "" || strings.HasSuffix(open, " ") {
		rest = strings.TrimRight(open, " ")
	}
	return level, rest
}

// mdFenceOf is the mark that opens or closes a fenced block of code, or "".
func mdFenceOf(line string) string {
	line = line[:min(len(line), 100)]
	if !strings.Contains(line, "```") && !strings.Contains(line, "~~~") {
		return ""
	}
	if m := mdFence.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// mdInline is the text of a line without its marks.
func mdInline(s string) string {
	if len(s) > 64<<10 {
		return s
	}
	if strings.Contains(s, "](") || strings.Contains(s, "][") {
		s = mdImage.ReplaceAllString(s, "$1")
		s = mdLink.ReplaceAllString(s, "$1")
	}
	s = mdMarks.Replace(s)
	return strings.Trim(s, "*_ \t")
}

// frontMatter splits off a block of "key: value" lines between "---" at the top,
// as Pandoc and site generators write it. Only the plain forms of YAML are read:
// scalars and lists of scalars.
func frontMatter(text string) (map[string][]string, string) {
	text = strings.TrimPrefix(text, "\ufeff")
	fields := map[string][]string{}
	if !strings.HasPrefix(text, "---\n") && !strings.HasPrefix(text, "---\r\n") {
		return fields, text
	}
	_, rest, _ := strings.Cut(text, "\n")
	key := ""
	for n := 0; n < 500; n++ {
		line, after, more := strings.Cut(rest, "\n")
		rest = after
		line = strings.TrimRight(line, "\r \t")
		if line == "---" || line == "..." {
			return fields, rest
		}
		if !more {
			break
		}
		trimmed := strings.TrimSpace(line)
		switch k, v, ok := strings.Cut(line, ":"); {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		case strings.HasPrefix(trimmed, "- ") && key != "":
			item := strings.TrimSpace(trimmed[2:])
			if _, name, found := strings.Cut(item, "name:"); found {
				item = name
			}
			fields[key] = append(fields[key], unquote(item))
		case ok && line[0] != ' ' && line[0] != '\t':
			key = strings.ToLower(strings.TrimSpace(k))
			v = strings.TrimSpace(v)
			if strings.HasPrefix(v, "[") && strings.HasSuffix(v, "]") {
				for _, item := range strings.Split(v[1:len(v)-1], ",") {
					fields[key] = append(fields[key], unquote(item))
				}
			} else if v != "" && v != "|" && v != ">" {
				fields[key] = append(fields[key], unquote(v))
			}
		case key != "" && len(fields[key]) == 0, key != "" && key == "abstract":
			fields[key] = []string{strings.TrimSpace(strings.Join(fields[key], " ") + " " + trimmed)}
		}
	}
	return map[string][]string{}, text // never closed: it was not front matter
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

func subjectOf(label string) record.Subject {
	m := codedSubject.FindStringSubmatch(label)
	if m == nil {
		return record.Subject{Label: cleanLine(label, maxTitle)}
	}
	s := record.Subject{Scheme: strings.ToLower(m[1] + m[3]), Code: cleanLine(m[2]+m[4], 200)}
	s.Label = s.Code
	if code, name, ok := strings.Cut(s.Code, " "); ok && (s.Scheme == "ddc" || s.Scheme == "udc") {
		s.Code, s.Label = code, name // "ddc:820 English literature"
	}
	return s
}

// codedSubject is a class that names its scheme: "ddc:823.912", "DDC 823.912", "clc:I247.5".
// A number by itself is a word like any other: those of DDC, UDC and other schemes look
// the same.
var codedSubject = regexp.MustCompile(`^\s*(?:(?i:(ddc|udc|clc|lcc|nlm)):\s*(\[?[0-9A-Z].{0,200})|(?i:(ddc|udc))\s+([0-9].{0,200}))$`)

// keyword is a subject in a form that has words alone: a class with its scheme before it.
func keyword(s record.Subject) string {
	if text := s.Scheme + ":" + s.Code; s.Code != "" && (s.Label == "" || s.Label == s.Code) && subjectOf(text) == (record.Subject{Scheme: s.Scheme, Code: s.Code, Label: s.Code}) {
		return text
	}
	return s.Label
}

// parseMarkdown describes a Markdown file: front matter first, else its first
// heading, else its name.
func parseMarkdown(name string, data []byte) (*Document, error) {
	text, charset, broken, err := decodeText(data)
	if err != nil {
		return nil, err
	}
	doc := &Document{Record: newBook(), MediaType: MediaMarkdown + "; charset=" + charset}
	if broken > 0 {
		doc.warn("some characters of the text are broken")
	}
	fields, body := frontMatter(text)
	r := &doc.Record
	one := func(keys ...string) string {
		for _, k := range keys {
			if v := fields[k]; len(v) > 0 {
				return v[0]
			}
		}
		return ""
	}
	r.Title = cleanLine(one("title"), maxTitle)
	if s := one("subtitle"); s != "" && r.Title != "" {
		r.AltTitles = addLine(r.AltTitles, r.Title+": "+s, maxShort)
	}
	for _, f := range []struct{ key, role string }{{"author", "aut"}, {"authors", "aut"}, {"creator", "aut"}, {"translator", "trl"}, {"editor", "edt"}} {
		for _, v := range fields[f.key] {
			r.Creators = addCreator(r.Creators, v, f.role)
		}
	}
	if tag := normalLanguage(one("lang", "language")); tag != "" {
		r.Languages = []string{tag}
	}
	r.Issued = edtf(one("date", "issued", "published"))
	r.Publisher = cleanLine(one("publisher"), maxTitle)
	r.Abstract = cleanText(one("abstract", "description", "summary"), maxAbstract)
	for _, key := range []string{"keywords", "subject", "subjects", "tags"} {
		for _, v := range fields[key] {
			r.Subjects = addSubject(r.Subjects, subjectOf(v))
		}
	}
	for _, scheme := range []string{"isbn", "doi", "identifier"} {
		for _, v := range fields[scheme] {
			r.IDs = addID(r.IDs, scheme, v)
		}
	}
	var rights rightsOf
	for _, key := range []string{"license", "licence", "rights", "copyright"} {
		for _, v := range fields[key] {
			rights.add(v)
		}
	}
	rights.settle(doc)
	plain := mdPlain(body)
	if r.Title == "" {
		r.Title = mdTitle(body)
	}
	if r.Title == "" {
		r.Title = titleOfName(name)
	}
	return finishText(doc, plain)
}

// mdTitle is the first heading.
func mdTitle(body string) string {
	title := ""
	mdLines(body, func(line, next string) bool {
		if _, text := mdLevel(line, next); text != "" {
			title = cleanLine(text, maxTitle)
		}
		return title == ""
	})
	return title
}

// mdLines calls fn for each line that is not inside a fenced block of code.
func mdLines(body string, fn func(line, next string) bool) {
	fence := ""
	for len(body) > 0 {
		var line string
		line, body, _ = strings.Cut(body, "\n")
		if mark := mdFenceOf(line); mark != "" {
			switch {
			case fence == "":
				fence = mark[:3]
			case strings.HasPrefix(mark, fence):
				fence = ""
			}
			continue
		}
		if fence != "" {
			continue
		}
		next, _, _ := strings.Cut(body[:min(len(body), 400)], "\n")
		if !fn(line, next) {
			return
		}
	}
}

// mdPlain is the text of Markdown without its marks and its code.
func mdPlain(body string) string {
	var b strings.Builder
	mdLines(body, func(line, next string) bool {
		b.WriteString(mdPlainLine(line))
		b.WriteByte('\n')
		return true
	})
	return stripHTML(b.String())
}

func mdPlainLine(line string) string {
	if level, text := mdHash(line); level > 0 {
		return mdInline(text)
	}
	if strings.Contains(line, "]:") && mdDefine.MatchString(line[:min(len(line), 4096)]) || strings.Trim(line, "=-\r ") == "" {
		return ""
	}
	if !strings.ContainsAny(line[:1], " \t>-*+0123456789") {
		return mdInline(line)
	}
	return mdInline(line[len(mdMarker.FindString(line[:min(len(line), 4096)])):])
}

// markdownChapters splits Markdown at headings of the first and second level.
func markdownChapters(data []byte, fn func(Chapter) error) error {
	text, _, _, err := decodeText(data)
	if err != nil {
		return err
	}
	_, body := frontMatter(text)
	fence := ""
	heading := func(line, next string) (string, bool) {
		if mark := mdFenceOf(line); mark != "" && fence == "" {
			fence = mark[:3]
		} else if mark != "" && strings.HasPrefix(mark, fence) {
			fence = ""
		}
		if fence != "" {
			return "", false
		}
		level, title := mdLevel(line, next)
		return title, level == 1 || level == 2
	}
	return textChapters(body, heading, func(c Chapter) error {
		c.Text = mdPlain(c.Text)
		return fn(c)
	})
}
