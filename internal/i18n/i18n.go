// Package i18n speaks to readers in their own language: messages with plurals,
// the choice of the language, and the names of languages, dates, numbers and
// sizes.
//
// Messages are in messages/LANG.json, one file a language, embedded and all
// read by [Load]. A file is one object from key to text, or, where the words
// depend on a number, to an object with the plural forms "one" and "other".
// {1}, {2} … stand for the arguments. A test holds the files to each other and
// to the keys that the program uses: none is missing, none is unused.
//
// A [Printer] belongs to one language, never changes, and may be used by any
// number of goroutines at once.
package i18n

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

//go:embed messages/*.json
var files embed.FS

// Tags are the languages of the site, the first being the one used where none fits.
var tags = []string{"en", "zh-Hans"}

// Cookie holds the language that the reader chose; Param in a URL chooses it.
const (
	Cookie = "wenlan_ui"
	Param  = "ui"
)

// Bundle holds all languages.
type Bundle struct {
	printers []*Printer
	matcher  language.Matcher
}

// Printer speaks one language.
type Printer struct {
	tag      string
	base     language.Tag
	messages map[string]message
	names    display.Namer
	regions  display.Namer
}

type message struct{ one, other string }

// UnmarshalJSON takes a text, or an object of the plural forms.
func (m *message) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &m.other)
	}
	var forms map[string]string
	if err := json.Unmarshal(b, &forms); err != nil {
		return err
	}
	for form, text := range forms {
		switch form {
		case "one":
			m.one = text
		case "other":
			m.other = text
		default:
			return fmt.Errorf("unknown plural form %q", form)
		}
	}
	if m.other == "" {
		return errors.New(`the plural form "other" is missing`)
	}
	return nil
}

// Load reads every language. more are the messages of other packages, each a
// folder with one TAG.json a language; a key that is there twice is an error.
func Load(more ...fs.FS) (*Bundle, error) {
	b := new(Bundle)
	var supported []language.Tag
	for _, tag := range tags {
		data, err := files.ReadFile(path.Join("messages", tag+".json"))
		if err != nil {
			return nil, fmt.Errorf("messages of %s: %w", tag, err)
		}
		base := language.MustParse(tag)
		p := &Printer{tag: tag, base: base, names: display.Languages(base), regions: display.Regions(base)}
		if err := json.Unmarshal(data, &p.messages); err != nil {
			return nil, fmt.Errorf("messages of %s: %w", tag, err)
		}
		for _, other := range more {
			if err := p.add(other); err != nil {
				return nil, fmt.Errorf("messages of %s: %w", tag, err)
			}
		}
		b.printers = append(b.printers, p)
		supported = append(supported, base)
	}
	b.matcher = language.NewMatcher(supported)
	return b, nil
}

// add reads more messages of the printer's language.
func (p *Printer) add(from fs.FS) error {
	data, err := fs.ReadFile(from, p.tag+".json")
	if err != nil {
		return err
	}
	var messages map[string]message
	if err := json.Unmarshal(data, &messages); err != nil {
		return err
	}
	for key, m := range messages {
		if p.Has(key) {
			return fmt.Errorf("the key %q is there twice", key)
		}
		p.messages[key] = m
	}
	return nil
}

// Printers lists every language in the order in which readers are shown them.
func (b *Bundle) Printers() []*Printer { return b.printers }

// Printer is the one for a tag such as "zh-Hans", or nil.
func (b *Bundle) Printer(tag string) *Printer {
	for _, p := range b.printers {
		if p.tag == tag {
			return p
		}
	}
	return nil
}

// Choose is the language for a request: the URL's ui parameter, else the
// cookie, else Accept-Language, else the first language. chosen says that the
// URL chose it, so that the cookie should be set.
func (b *Bundle) Choose(r *http.Request) (p *Printer, chosen bool) {
	if strings.Contains(r.URL.RawQuery, Param+"=") {
		if p := b.Printer(r.URL.Query().Get(Param)); p != nil {
			return p, true
		}
	}
	if c, err := r.Cookie(Cookie); err == nil {
		if p := b.Printer(c.Value); p != nil {
			return p, false
		}
	}
	return b.Match(r.Header.Get("Accept-Language")), false
}

// Match is the language that fits an Accept-Language header, or a plain tag, best.
func (b *Bundle) Match(accept string) *Printer {
	const enough = 1 << 10 // a longer header is not a list of what anyone reads
	if accept == "" || len(accept) > enough {
		return b.printers[0]
	}
	want, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(want) == 0 {
		return b.printers[0]
	}
	_, i, confidence := b.matcher.Match(want...)
	if confidence == language.No {
		return b.printers[0]
	}
	return b.printers[i]
}

// Tag is the language's BCP 47 tag.
func (p *Printer) Tag() string { return p.tag }

// Self is the language's name in itself: "English", "简体中文".
func (p *Printer) Self() string { return display.Self.Name(p.base) }

// Has says whether there is a message for a key.
func (p *Printer) Has(key string) bool {
	_, ok := p.messages[key]
	return ok
}

// T is the message for a key. A number among the arguments is written as the
// language writes it. An unknown key is its own text.
func (p *Printer) T(key string, args ...any) string {
	m, ok := p.messages[key]
	if !ok {
		return key
	}
	return p.fill(m.other, args)
}

// N is the message for a key in the plural form that n asks for; n is {1}, and
// the arguments are {2} and on.
func (p *Printer) N(key string, n int64, args ...any) string {
	m, ok := p.messages[key]
	if !ok {
		return key
	}
	text := m.other
	// CLDR plural rules: English has "one" for 1 alone; Chinese has only "other".
	if n == 1 && m.one != "" {
		text = m.one
	}
	return p.fill(text, append([]any{n}, args...))
}

func (p *Printer) fill(text string, args []any) string {
	if len(args) == 0 || !strings.Contains(text, "{") {
		return text
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		i, err := strconv.Atoi(name)
		if !ok || err != nil || i < 1 || i > len(args) {
			b.WriteByte('{')
			text = rest
			continue
		}
		switch arg := args[i-1].(type) {
		case int64:
			b.WriteString(p.Number(arg))
		case int:
			b.WriteString(p.Number(int64(arg)))
		default:
			fmt.Fprint(&b, arg)
		}
		text = after
	}
}
