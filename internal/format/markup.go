package format

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// markupOptions say how markupText reads.
type markupOptions struct {
	xml   bool // XHTML or SVG: <title/> has an end, CDATA is text
	limit int  // bytes of text to keep; 0: maxMarkup
}

// markup is what one document of markup says.
type markup struct {
	Text     string // paragraphs ended by a newline
	Title    string // of <title>
	Heading  string // the first h1 to h6
	Lang     string // of the root element
	Metas    []markupMeta
	Links    []markupLink // <link rel href> in the head
	Images   []string     // sources of the first images
	Active   bool         // scripts, handlers, javascript: links, meta refresh
	Embeds   bool         // frames, forms
	NotWell  bool         // tags that do not match, bare ampersands; only told for XML
	Headings []markupHeading
}

type markupMeta struct{ name, content string }
type markupLink struct{ rel, href string }

// markupHeading is where in Text an h1 or h2 begins.
type markupHeading struct {
	offset int
	title  string
}

// Elements that end a paragraph, whose text is not for reading, and that act.
var (
	blockTags  = tagSet("address article aside blockquote body br caption center dd details dialog div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html li main nav ol option p pre section summary table tbody td tfoot th thead title tr ul text")
	silentTags = tagSet("script style template noscript iframe object applet rt rp audio video canvas select datalist")
	activeTags = tagSet("script applet")
	embedTags  = tagSet("iframe form frame frameset embed")
	voidTags   = tagSet("area base br col embed hr img input link meta param source track wbr")
)

func tagSet(names string) map[string]bool {
	set := map[string]bool{}
	for _, n := range strings.Fields(names) {
		set[n] = true
	}
	return set
}

// maxOpenTags bounds the stack on which matching of tags is checked.
const maxOpenTags = 512

// markupText reads HTML, XHTML or SVG as a browser would tokenise it, never
// failing on bad markup, and keeps its text. It builds no tree, so that depth
// costs nothing. The error is that of r, or of a tag longer than maxToken.
func markupText(r io.Reader, opt markupOptions) (*markup, error) {
	if opt.limit == 0 {
		opt.limit = maxMarkup
	}
	s := &markupScan{opt: opt, z: html.NewTokenizer(r), out: &markup{}}
	s.z.SetMaxBuf(maxToken)
	s.z.AllowCDATA(opt.xml)
	err := s.run()
	s.out.Text = strings.TrimSpace(s.text.String())
	if opt.xml && len(s.open) > 0 {
		s.out.NotWell = true
	}
	return s.out, err
}

type markupScan struct {
	opt     markupOptions
	z       *html.Tokenizer
	out     *markup
	text    textBuilder
	open    []string // open elements, for well-formedness
	silent  string   // the element whose content is skipped
	depth   int      // how often it is nested in itself
	title   *strings.Builder
	heading *strings.Builder
	level   byte // of the heading that is open
}

func (s *markupScan) run() error {
	for {
		switch s.z.Next() {
		case html.ErrorToken:
			if err := s.z.Err(); !errors.Is(err, io.EOF) {
				return err
			}
			return nil
		case html.TextToken:
			s.onText()
		case html.StartTagToken:
			s.onStart(false)
		case html.SelfClosingTagToken:
			s.onStart(true)
		case html.EndTagToken:
			name, _ := s.z.TagName()
			s.onEnd(string(name))
		}
	}
}

func (s *markupScan) onText() {
	if s.opt.xml && !s.out.NotWell && s.silent == "" && bareAmpersand(s.z.Raw()) {
		s.out.NotWell = true
	}
	if s.silent != "" {
		return
	}
	data := s.z.Text()
	switch {
	case s.title != nil:
		if s.title.Len() < maxValue {
			s.title.Write(data)
		}
		return
	case s.heading != nil && s.heading.Len() < maxValue:
		s.heading.Write(data)
	}
	if s.text.Len() < s.opt.limit {
		s.text.add(data)
	}
}

func (s *markupScan) onStart(closed bool) {
	raw, hasAttr := s.z.TagName()
	name := string(raw)
	if i := strings.IndexByte(name, ':'); i >= 0 { // svg:image, xhtml:script
		name = name[i+1:]
	}
	if closed && s.opt.xml {
		s.z.NextIsNotRawText()
	}
	s.attrs(name, hasAttr)
	if activeTags[name] {
		s.out.Active = true
	}
	if embedTags[name] {
		s.out.Embeds = true
	}
	closed = (closed && s.opt.xml) || voidTags[name] && !s.opt.xml
	if blockTags[name] {
		s.text.newline()
	}
	if closed {
		return
	}
	if s.opt.xml {
		if len(s.open) < maxOpenTags {
			s.open = append(s.open, name)
		} else {
			s.out.NotWell = true
		}
	}
	switch {
	case s.silent != "":
		if name == s.silent {
			s.depth++
		}
	case silentTags[name]:
		s.silent, s.depth = name, 1
	case name == "title" && s.out.Title == "" && s.title == nil:
		s.title = &strings.Builder{}
	case len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6':
		s.heading, s.level = &strings.Builder{}, name[1]
		if name[1] <= '2' && len(s.out.Headings) < maxSpine {
			s.out.Headings = append(s.out.Headings, markupHeading{offset: s.text.Len()})
		}
	}
}

func (s *markupScan) onEnd(name string) {
	if i := strings.IndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	if s.opt.xml {
		if n := len(s.open); n > 0 && s.open[n-1] == name {
			s.open = s.open[:n-1]
		} else {
			s.out.NotWell = true
		}
	}
	switch {
	case s.silent != "":
		if name == s.silent {
			if s.depth--; s.depth == 0 {
				s.silent = ""
			}
		}
		return
	case s.title != nil && name == "title":
		s.out.Title = cleanLine(s.title.String(), maxTitle)
		s.title = nil
	case s.heading != nil && len(name) == 2 && name[0] == 'h' && name[1] == s.level:
		h := cleanLine(s.heading.String(), maxTitle)
		if s.out.Heading == "" {
			s.out.Heading = h
		}
		if s.level <= '2' && len(s.out.Headings) > 0 {
			s.out.Headings[len(s.out.Headings)-1].title = h
		}
		s.heading = nil
	}
	if blockTags[name] {
		s.text.newline()
	}
}

func (s *markupScan) attrs(tag string, more bool) {
	var m markupMeta
	var l markupLink
	for n := 0; more && n < 256; n++ {
		var k, v []byte
		k, v, more = s.z.TagAttr()
		key := string(k)
		if len(key) > 2 && key[0] == 'o' && key[1] == 'n' {
			s.out.Active = true
		}
		switch key {
		case "href", "src", "action", "formaction", "xlink:href", "data":
			if scriptLink(v) {
				s.out.Active = true
			}
		}
		switch tag {
		case "html", "svg":
			if (key == "lang" || key == "xml:lang") && s.out.Lang == "" {
				s.out.Lang = cleanLine(string(v), 40)
			}
		case "meta":
			switch key {
			case "name", "property", "itemprop":
				m.name = strings.ToLower(cleanLine(string(v), 100))
			case "http-equiv":
				if strings.EqualFold(string(v), "refresh") {
					s.out.Active = true
				}
			case "content":
				m.content = cleanLine(string(v), maxAbstract)
			}
		case "link", "a":
			switch key {
			case "rel":
				l.rel = strings.ToLower(cleanLine(string(v), 100))
			case "href":
				l.href = cleanLine(string(v), maxValue)
			}
		case "img", "image":
			if (key == "src" || key == "href" || key == "xlink:href") && len(s.out.Images) < 8 {
				s.out.Images = append(s.out.Images, cleanLine(string(v), maxValue))
			}
		}
	}
	if m.name != "" && len(s.out.Metas) < maxShort*4 {
		s.out.Metas = append(s.out.Metas, m)
	}
	if tag == "link" && l.rel != "" && len(s.out.Links) < maxShort {
		s.out.Links = append(s.out.Links, l)
	}
}

// scriptLink says whether a link runs something: browsers skip white space and
// control characters in front of a scheme.
func scriptLink(v []byte) bool {
	v = bytes.ToLower(bytes.TrimLeftFunc(v, func(r rune) bool { return r <= ' ' }))
	return bytes.HasPrefix(v, []byte("javascript:")) || bytes.HasPrefix(v, []byte("vbscript:")) || bytes.HasPrefix(v, []byte("data:text/html"))
}

// bareAmpersand says whether text of XML has an "&" that begins no reference.
func bareAmpersand(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			return false
		}
		raw = raw[i+1:]
		end := bytes.IndexByte(raw[:min(len(raw), 40)], ';')
		if end < 1 || bytes.ContainsAny(raw[:end], " \t\n<&") {
			return true
		}
	}
}

// textBuilder collects text with white space collapsed, and a newline where a
// block ends.
type textBuilder struct {
	strings.Builder
	space, line bool
}

func (t *textBuilder) newline() { t.line = true }

func (t *textBuilder) add(data []byte) {
	for len(data) > 0 {
		// Runs of plain bytes are copied at once.
		n := 0
		for n < len(data) && data[n] > ' ' && data[n] < utf8.RuneSelf && data[n] != 0x7f {
			n++
		}
		if n > 0 {
			t.gap()
			t.Write(data[:n])
			data = data[n:]
			continue
		}
		r, size := utf8.DecodeRune(data)
		switch {
		case r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\u00a0' || r == '\u3000' && t.Len() == 0 || r == '\u2028' || r == '\u2029':
			t.space = true
		case printable(r):
			t.gap()
			t.Write(data[:size])
		}
		data = data[size:]
	}
}

// gap writes the white space that is due before the next character.
func (t *textBuilder) gap() {
	switch {
	case t.Len() == 0:
	case t.line:
		t.WriteByte('\n')
	case t.space:
		t.WriteByte(' ')
	}
	t.line, t.space = false, false
}
