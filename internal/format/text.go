package format

import (
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// readAll is the whole of a text file in memory.
func readAll(f File) ([]byte, error) {
	if f.Size() > maxText {
		return nil, errs.New(errs.Refused, "the text is larger than %d MiB", maxText>>20)
	}
	data := make([]byte, f.Size())
	n, err := f.ReadAt(data, 0)
	if n < len(data) {
		return nil, errs.New(errs.Internal, "read the file: %w", err)
	}
	return data, nil
}

var (
	textTitle    = regexp.MustCompile(`^(?i)(?:title|书名|書名|标题|標題|題名)\s*[:：]\s*(.+)$`)
	textAuthor   = regexp.MustCompile(`^(?i)(?:author|by|作者|著者)\s*[:：]\s*(.+)$`)
	textTrl      = regexp.MustCompile(`^(?i)(?:translator|译者|譯者|訳者)\s*[:：]\s*(.+)$`)
	textLanguage = regexp.MustCompile(`^(?i)language\s*[:：]\s*(.+)$`)
	textBracket  = regexp.MustCompile(`^《([^《》]{1,80})》\s*(?:(?:作者|著者)?\s*[:：]\s*(.{1,40}))?$`)
	textChapter  = regexp.MustCompile(`^(?:第[〇零一二三四五六七八九十百千两0-9０-９]{1,9}[章回卷节節部篇集](?:\s.{0,40}|[^。，！？]{0,40})|(?i:chapter|book|part|canto|act)\s+(?:[ivxlcdm]+|\d+)\b.{0,60})$`)
)

// parseText describes a plain text: what its first lines say, else its file name.
func parseText(name string, data []byte) (*Document, error) {
	text, charset, broken, err := decodeText(data)
	if err != nil {
		return nil, err
	}
	doc := &Document{Record: newBook(), MediaType: MediaText + "; charset=" + charset}
	if broken > 0 {
		doc.warn("some characters of the text are broken")
	}
	r := &doc.Record
	for i, line := range headLines(text) {
		line = cleanLine(line, maxTitle)
		switch {
		case textTitle.MatchString(line) && r.Title == "":
			r.Title = cleanLine(textTitle.FindStringSubmatch(line)[1], maxTitle)
		case textAuthor.MatchString(line):
			r.Creators = addCreator(r.Creators, textAuthor.FindStringSubmatch(line)[1], "aut")
		case textTrl.MatchString(line):
			r.Creators = addCreator(r.Creators, textTrl.FindStringSubmatch(line)[1], "trl")
		case textLanguage.MatchString(line):
			if tag := normalLanguage(textLanguage.FindStringSubmatch(line)[1]); tag != "" {
				r.Languages = []string{tag}
			}
		case i < 3 && textBracket.MatchString(line) && r.Title == "":
			m := textBracket.FindStringSubmatch(line)
			r.Title = m[1]
			r.Creators = addCreator(r.Creators, m[2], "aut")
		}
	}
	if r.Title == "" {
		r.Title = titleOfName(name)
	}
	if r.Title == "" {
		r.Title = firstLine(text)
	}
	return finishText(doc, text)
}

// finishText adds what every kind of text has: a title, a language, hints.
func finishText(doc *Document, text string) (*Document, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errs.New(errs.Refused, "the file holds no text")
	}
	if doc.Record.Title == "" {
		doc.Record.Title = firstLine(text)
	}
	if doc.Record.Title == "" {
		return nil, errs.New(errs.Refused, "the file has no title and no name")
	}
	doc.hintsFrom("the text", text[:min(len(text), hintSample)])
	if len(text) > hintSample {
		doc.hintsFrom("the end of the text", text[max(len(text)-hintSample, hintSample):])
	}
	doc.setLanguage(text)
	return doc, nil
}

// headLines are the first lines of a text that are not empty.
func headLines(text string) []string {
	var lines []string
	for len(text) > 0 && len(lines) < 40 {
		line, rest, _ := strings.Cut(text[:min(len(text), 4096)], "\n")
		text = text[min(len(text), len(line)+1):]
		_ = rest
		if strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func firstLine(text string) string {
	for _, line := range headLines(text) {
		if line = cleanLine(line, 120); line != "" {
			return line
		}
	}
	return ""
}

// titleOfName makes a title of a file's name.
func titleOfName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if name == "." || name == "/" {
		return ""
	}
	name = strings.TrimSuffix(name, path.Ext(name))
	if !strings.Contains(name, " ") {
		name = strings.ReplaceAll(name, "_", " ")
	}
	return cleanLine(strings.ToValidUTF8(name, ""), maxTitle)
}

// addCreator appends a name to a bounded list, once.
func addCreator(list []record.Creator, name, role string) []record.Creator {
	name = cleanLine(name, maxTitle)
	if name == "" || len(list) >= maxList {
		return list
	}
	for _, have := range list {
		if have.Name == name && have.Role == role {
			return list
		}
	}
	return append(list, record.Creator{Name: name, Role: role})
}

// textChunk is how long a chapter of a text without chapters may grow, in bytes.
const textChunk = 64 << 10

// textChapters splits a text at its headings, as isHeading finds them, and where
// there are none at line ends every textChunk bytes.
func textChapters(text string, isHeading func(line, next string) (string, bool), fn func(Chapter) error) error {
	var b strings.Builder
	c := Chapter{}
	flush := func() error {
		c.Text = cleanText(b.String(), maxMarkup)
		b.Reset()
		if c.Text == "" && c.Title == "" {
			return nil
		}
		err := fn(c)
		c = Chapter{Index: c.Index + 1}
		return err
	}
	for len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		next, _, _ := strings.Cut(text[:min(len(text), 200)], "\n")
		if title, ok := isHeading(line, next); ok && c.Index < maxSpine {
			if err := flush(); err != nil {
				return err
			}
			c.Title = cleanLine(title, maxTitle)
		}
		for len(line) > textChunk { // a file of one line
			cut := textChunk
			for cut > 0 && !utf8.RuneStart(line[cut]) {
				cut--
			}
			b.WriteString(line[:cut])
			line = line[cut:]
			if err := flush(); err != nil {
				return err
			}
		}
		b.WriteString(line)
		b.WriteByte('\n')
		if b.Len() > textChunk {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// plainHeading finds headings in plain text.
func plainHeading(line, _ string) (string, bool) {
	if len(line) > 300 {
		return "", false
	}
	line = strings.TrimSpace(strings.ReplaceAll(line, "\u3000", " "))
	return line, line != "" && textChapter.MatchString(line)
}
