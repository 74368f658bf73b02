package format

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"wenlan/internal/record"

	"github.com/go-json-experiment/json"
)

// Limits of what is kept of a BibTeX file beside the entry that is being read.
const (
	maxBibStrings = 4 << 20  // bytes of all @string
	maxBibString  = 64 << 10 // bytes of one
	maxBibParents = 16 << 20 // bytes of entries from which others may inherit
	maxBibParent  = 64 << 10 // bytes of one of them
	maxBibHeld    = 32 << 20 // bytes of entries that wait for one to inherit from
	maxBibFields  = 1000     // of an entry
	maxBibKey     = 500      // bytes of a key or of a field's name
)

// bibRaw is an entry that stands by itself: its abbreviations are expanded, and what it
// inherits is in it. Values are in LaTeX still. It is what the splitter gives to Parse,
// as JSON.
type bibRaw struct {
	Type   string      `json:"type"` // lower case, as the names of fields
	Key    string      `json:"key"`
	Fields [][2]string `json:"fields"`
	Warn   []string    `json:"warn,omitempty"`
	Bad    string      `json:"bad,omitempty"` // why it is no entry

	number int64
	size   int
	long   bool
}

func (e *bibRaw) get(name string) string {
	for _, f := range e.Fields {
		if f[0] == name {
			return f[1]
		}
	}
	return ""
}

// bibReader takes a BibTeX file apart. Entries that inherit from one that has not come
// yet are held back, within bounds, until it has, or the file ends. Source: "BibTeXing",
// Oren Patashnik, 1988; "The biblatex Package" 3.19, section 2.4.
//
// No Go library was found that reads what is here: those there are stop at the first
// entry that is not as it should be, hold the whole file, and leave LaTeX in the text.
type bibReader struct {
	src   io.Reader
	r     *bufio.Reader
	n     int64
	ended bool
	err   error // after what is ready

	strings     map[string]string
	stringBytes int
	parents     map[string]*bibRaw
	order       []string // of parents, the oldest first
	parentBytes int
	waiting     map[string][]*bibRaw // entries that are held back, by the key that they wait for
	heldBytes   int
	at          bool      // the "@" of the next entry has been read
	ready       []*bibRaw // each inherits when it is given out: together they would not fit
}

func newBibTeX(r io.Reader) Elements {
	return &bibReader{src: r, strings: map[string]string{}, parents: map[string]*bibRaw{}, waiting: map[string][]*bibRaw{}}
}

func (b *bibReader) Waits() bool {
	return len(b.ready) == 0 && !b.ended && (b.r == nil || b.r.Buffered() == 0)
}

func (b *bibReader) Next() ([]byte, int64, error) {
	if b.r == nil {
		b.r = inUTF8(b.src)
	}
	for len(b.ready) == 0 {
		if b.ended {
			return nil, b.n, b.err
		}
		e, err := b.entry()
		if e != nil {
			b.route(e)
		}
		if err != nil {
			b.ended, b.err = true, broken(err)
			var left []*bibRaw
			for _, list := range b.waiting {
				left = append(left, list...)
			}
			slices.SortFunc(left, func(x, y *bibRaw) int { return int(x.number - y.number) })
			b.ready, b.waiting = append(b.ready, left...), nil
		}
	}
	e := b.settled(b.ready[0])
	b.ready[0] = nil
	b.ready = b.ready[1:]
	if e.long {
		return nil, e.number, errTooLong()
	}
	e.decode()
	out, err := json.Marshal(e, outJSON)
	return out, e.number, err
}

// bibParents are the types of entries from which others inherit; an entry of another
// type does when somebody waits for it.
var bibParents = words("book mvbook collection mvcollection proceedings mvproceedings reference mvreference periodical xdata")

// route gives an entry out, holds it back, or lets those go that waited for it.
func (b *bibReader) route(e *bibRaw) {
	key := strings.ToLower(e.Key)
	awaited := b.waiting[key]
	if key != "" && (bibParents[e.Type] || len(awaited) > 0) {
		b.remember(key, e)
	}
	if e.Type != "xdata" {
		b.n++
		e.number = b.n
		if missing := b.missing(e); missing == "" || b.heldBytes+e.cost() > maxBibHeld {
			b.ready = append(b.ready, e)
		} else {
			b.hold(missing, e)
		}
	}
	delete(b.waiting, key)
	for _, h := range awaited {
		b.heldBytes -= h.cost()
		if missing := b.missing(h); missing != "" {
			b.hold(missing, h)
		} else {
			b.ready = append(b.ready, h)
		}
	}
}

func (b *bibReader) hold(missing string, e *bibRaw) {
	b.waiting[missing] = append(b.waiting[missing], e)
	b.heldBytes += e.cost()
}

// cost is about how many bytes an entry takes that is held, of which it may say few.
func (e *bibRaw) cost() int { return e.size + len(e.Key) + 32*len(e.Fields) + 300 }

func (b *bibReader) remember(key string, e *bibRaw) {
	if _, ok := b.parents[key]; ok || e.cost() > maxBibParent || e.Bad != "" {
		return
	}
	b.parents[key] = e
	b.order = append(b.order, key)
	b.parentBytes += e.cost()
	for b.parentBytes > maxBibParents {
		b.parentBytes -= b.parents[b.order[0]].cost()
		delete(b.parents, b.order[0])
		b.order = b.order[1:]
	}
}

// refers lists the keys of the entries that e inherits from, in lower case.
func (e *bibRaw) refers() []string {
	var out []string
	for key := range strings.SplitSeq(e.get("xdata"), ",") {
		if key = strings.ToLower(strings.TrimSpace(key)); key != "" && len(out) < 20 {
			out = append(out, key)
		}
	}
	if key := e.crossref(); key != "" {
		out = append(out, key)
	}
	return out
}

func (e *bibRaw) crossref() string { return strings.ToLower(strings.TrimSpace(e.get("crossref"))) }

// missing is the first key that e refers to and that has not come; "" for none.
func (b *bibReader) missing(e *bibRaw) string {
	for _, key := range e.refers() {
		if _, ok := b.parents[key]; !ok && key != strings.ToLower(e.Key) {
			return key
		}
	}
	return ""
}

// settled is e with what it inherits.
func (b *bibReader) settled(e *bibRaw) *bibRaw {
	refers := e.refers()
	if len(refers) > 0 && e.Bad == "" {
		full := *e
		full.Fields = slices.Clone(e.Fields)
		h := heir{parents: b.parents, e: &full, has: map[string]bool{}}
		for _, f := range e.Fields {
			h.has[f[0]] = h.has[f[0]] || f[1] != ""
		}
		for _, key := range refers {
			if p, ok := b.parents[key]; ok && p != e {
				h.inherit(p, key == e.crossref(), 0)
			} else {
				full.Warn = append(full.Warn, "the entry "+cleanLine(key, 100)+", from which it inherits, is not there")
			}
		}
		e = &full
	}
	return e
}

// notInherited are fields that say something of an entry itself.
var notInherited = words(`abstract annotation annote author crossref doi entryset entrysubtype eprint eprintclass eprinttype execute file archiveprefix primaryclass ids isbn key keywords
	label note number options pages pagetotal presort related relatedoptions relatedstring relatedtype shortauthor shorteditor shorthand shorthandintro shorttitle sorttitle sortkey url urldate xdata xref`)

// parentTitles are the fields that a parent's title and subtitle become.
var parentTitles = map[string]string{"title": "booktitle", "subtitle": "booksubtitle", "titleaddon": "booktitleaddon"}

// heir is an entry that inherits.
type heir struct {
	parents map[string]*bibRaw
	e       *bibRaw
	has     map[string]bool // the names of its fields
	n       int             // entries from which it has inherited
}

// inherit gives the heir what it has not, from p: all of it, of a container of data, or
// what biblatex does by default, of a crossref. A part's identifiers are not those of
// the whole, so these come as "parent isbn" and "parent doi", for a relation.
func (h *heir) inherit(p *bibRaw, crossref bool, depth int) {
	if h.n++; depth > 3 || h.n > 50 {
		return
	}
	e := h.e
	add := func(name, value string) {
		if value != "" && !h.has[name] && len(e.Fields) < 2*maxBibFields {
			h.has[name] = true
			e.Fields = append(e.Fields, [2]string{name, value})
		}
	}
	part := bibKinds[e.Type] == record.Chapter || e.Type == "inproceedings" || e.Type == "conference"
	dated := h.has["date"] || h.has["year"]
	for _, f := range p.Fields {
		switch {
		case !crossref:
			if f[0] != "xdata" && f[0] != "crossref" && f[0] != "ids" {
				add(f[0], f[1])
			}
		case f[0] == "isbn" || f[0] == "doi":
			add("parent "+f[0], f[1])
		case f[0] == "number" && p.get("series") != "", f[0] == "author" && strings.HasSuffix(p.Type, "book") && strings.HasSuffix(e.Type, "book"):
			add(f[0], f[1])
		case notInherited[f[0]], dated && (f[0] == "date" || f[0] == "year" || f[0] == "month"):
		case parentTitles[f[0]] != "":
			if part {
				add(parentTitles[f[0]], f[1])
			} else if strings.HasPrefix(p.Type, "mv") {
				add("main"+f[0], f[1])
			} else if p.Type == "periodical" && f[0] == "title" {
				add("journaltitle", f[1])
			}
		default:
			add(f[0], f[1])
		}
	}
	for _, key := range p.refers() {
		if q, ok := h.parents[key]; ok && q != p && q != e {
			h.inherit(q, key == p.crossref(), depth+1)
		}
	}
}

// decode makes UTF-8 of an entry in which something else was found in a file of UTF-8.
func (e *bibRaw) decode() {
	var sample []byte
	for _, f := range e.Fields {
		if !utf8.ValidString(f[1]) && len(sample) < charsetSample {
			sample = append(append(sample, f[1]...), ' ')
		}
	}
	if len(sample) == 0 && utf8.ValidString(e.Key) {
		return
	}
	c := charsetOf(append(sample, e.Key...))
	fix := func(s string) string {
		if utf8.ValidString(s) {
			return s
		}
		if out, err := c.enc.NewDecoder().String(s); err == nil {
			return out
		}
		return strings.ToValidUTF8(s, "\ufffd")
	}
	e.Key = fix(e.Key)
	e.Fields = slices.Clone(e.Fields) // they may be a parent's, too
	for i, f := range e.Fields {
		e.Fields[i][1] = fix(f[1])
	}
}

// entry reads the next entry; nil for what is none, such as an abbreviation.
func (b *bibReader) entry() (*bibRaw, error) {
	for {
		if err := b.toAt(); err != nil {
			return nil, err
		}
		kind, closer, err := b.opening()
		if err != nil {
			return nil, err
		}
		switch kind {
		case "":
			continue
		case "comment", "preamble":
			err = b.skip(closer)
		case "string":
			e := &bibRaw{}
			err = b.fields(e, closer, "")
			b.define(e)
		default:
			e := &bibRaw{Type: kind}
			err = b.body(e, closer)
			if errors.Is(err, io.EOF) {
				e.Bad, err = "the file ends in the middle of this entry", nil
			}
			return e, err
		}
		if err != nil {
			return nil, err
		}
	}
}

// toAt passes over what stands between entries.
func (b *bibReader) toAt() error {
	if b.at {
		b.at = false
		return nil
	}
	for {
		_, err := b.r.ReadSlice('@')
		if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// opening reads the type of an entry and its opening brace; "" where there is none.
func (b *bibReader) opening() (kind string, closer byte, err error) {
	if err := b.space(); err != nil {
		return "", 0, err
	}
	var name []byte
	for {
		c, err := b.r.ReadByte()
		if err != nil {
			return "", 0, err
		}
		if !isBibLetter(c) || len(name) >= 64 {
			_ = b.r.UnreadByte()
			break
		}
		name = append(name, c)
	}
	if err := b.space(); err != nil {
		return "", 0, err
	}
	c, err := b.r.ReadByte()
	if err != nil {
		return "", 0, err
	}
	switch {
	case len(name) == 0:
	case c == '{':
		return strings.ToLower(string(name)), '}', nil
	case c == '(':
		return strings.ToLower(string(name)), ')', nil
	}
	return "", 0, b.r.UnreadByte()
}

func isBibLetter(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func (b *bibReader) space() error {
	for {
		c, err := b.r.ReadByte()
		if err != nil {
			return err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return b.r.UnreadByte()
		}
	}
}

// skip passes over what ends with closer, braces counted.
func (b *bibReader) skip(closer byte) error {
	for depth, last := 0, byte('\n'); ; {
		c, err := b.r.ReadByte()
		if err != nil {
			return err
		}
		switch {
		case c == closer && depth == 0:
			return nil
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == '@' && last == '\n' && b.begins():
			return nil // it is not closed
		}
		last = c
	}
}

// begins says whether what follows an "@" at the start of a line is an entry: a type, a
// brace and a key, or an abbreviation. No text goes on so. If it is, toAt finds it.
func (b *bibReader) begins() bool {
	head, _ := b.r.Peek(200)
	i := 0
	for i < len(head) && isBibLetter(head[i]) {
		i++
	}
	kind := strings.ToLower(string(head[:i]))
	for i < len(head) && (head[i] == ' ' || head[i] == '\t') {
		i++
	}
	if kind == "" || i >= len(head) || head[i] != '{' {
		return false
	}
	for _, c := range head[i+1:] {
		switch c {
		case ',', '=':
			b.at = true
			return true
		case '{', '}', '\n', '"':
			return false
		}
	}
	return false
}

// body reads an entry behind its opening brace.
func (b *bibReader) body(e *bibRaw, closer byte) error {
	if err := b.space(); err != nil {
		return err
	}
	var key []byte
	for {
		c, err := b.r.ReadByte()
		if err != nil {
			return err
		}
		switch {
		case c == ',':
			e.Key = strings.TrimSpace(string(key))
			return b.fields(e, closer, "")
		case c == closer:
			e.Key = strings.TrimSpace(string(key))
			return nil
		case c == '=': // an entry without a key
			return b.fields(e, closer, strings.TrimSpace(string(key)))
		case c == '{' && len(key) > 1 && key[0] == '@': // the entry begins twice
			e.Type, key = strings.ToLower(strings.TrimSpace(string(key[1:]))), key[:0]
			e.Warn = append(e.Warn, "it begins twice")
			continue
		case c == '{' || c == '"' || len(key) >= maxBibKey:
			e.Bad = "it has no key"
			return b.recover(closer)
		}
		key = append(key, c)
	}
}

// recover goes on behind an entry that makes no sense.
func (b *bibReader) recover(closer byte) error {
	if err := b.r.UnreadByte(); err != nil {
		return err
	}
	return b.skip(closer)
}

// fields reads name = value pairs up to closer; name is that of the first, where it has
// been read with its "=".
func (b *bibReader) fields(e *bibRaw, closer byte, name string) error {
	for {
		if name == "" {
			done, err := b.fieldName(e, closer, &name)
			if err != nil || done {
				return err
			}
			if name == "" {
				continue
			}
		}
		value, err := b.value(e, closer)
		if err != nil || e.Bad != "" {
			return err
		}
		e.size += len(name) + len(value)
		if e.size > MaxBulkRecord {
			e.long = true
		}
		switch {
		case e.long:
			e.Fields = nil
		case len(e.Fields) >= maxBibFields:
			e.warn("it has too many fields")
		default:
			e.Fields = append(e.Fields, [2]string{strings.ToLower(name), value})
		}
		name = ""
	}
}

// fieldName reads a field's name and its "="; done says that the entry has ended. name
// stays empty where something else stood there.
func (b *bibReader) fieldName(e *bibRaw, closer byte, name *string) (done bool, err error) {
	var buf []byte
	for last := byte(0); ; {
		c, err := b.r.ReadByte()
		if err != nil {
			return false, err
		}
		switch {
		case c == '=':
			*name = strings.TrimSpace(string(buf))
			if *name == "" {
				*name = "?"
			}
			return false, nil
		case c == closer || c == '}':
			return true, nil
		case c == ',':
			if len(buf) > 0 {
				e.warn("something stands between two fields: " + cleanLine(string(buf), 60))
			}
			return false, nil
		case c == '@' && last == '\n' && b.begins():
			e.warn("its closing brace is missing")
			return true, nil
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			last = c
			continue
		case len(buf) >= maxBibKey:
			e.Bad = "something is there in the place of a field"
			return true, b.recover(closer)
		}
		if (last == ' ' || last == '\n' || last == '\t') && len(buf) > 0 {
			buf = append(buf, ' ')
		}
		last = c
		buf = append(buf, c)
	}
}

func (e *bibRaw) warn(sentence string) {
	if len(e.Warn) < maxWarnings {
		e.Warn = append(e.Warn, sentence)
	}
}

// value reads the parts of a value, with "#" between them.
func (b *bibReader) value(e *bibRaw, closer byte) (string, error) {
	var out []byte
	for {
		if err := b.space(); err != nil {
			return "", err
		}
		c, err := b.r.ReadByte()
		if err != nil {
			return "", err
		}
		switch c {
		case '{', '"':
			if out, err = b.quoted(e, out, c); err != nil || e.Bad != "" {
				return "", err
			}
		case ',', closer:
			return string(out), b.r.UnreadByte() // nothing is there
		default:
			word := []byte{c}
			for {
				c, err := b.r.ReadByte()
				if err != nil {
					return "", err
				}
				if strings.IndexByte(",#}) \t\r\n", c) >= 0 || len(word) >= maxBibKey {
					if err := b.r.UnreadByte(); err != nil {
						return "", err
					}
					break
				}
				word = append(word, c)
			}
			if text := b.expand(e, string(word)); !e.long {
				out = append(out, text...)
			}
		}
		if e.long = e.long || e.size+len(out) > MaxBulkRecord; e.long {
			out = out[:0]
		}
		if err := b.space(); err != nil {
			return "", err
		}
		if c, err = b.r.ReadByte(); err != nil {
			return "", err
		}
		if c != '#' {
			return string(out), b.r.UnreadByte()
		}
	}
}

// expand is what an abbreviation stands for. Months stand for themselves.
func (b *bibReader) expand(e *bibRaw, word string) string {
	lower := strings.ToLower(word)
	if v, ok := b.strings[lower]; ok {
		return v
	}
	if c := word[0]; (c < '0' || c > '9') && !slices.Contains(bibMonths, lower) {
		e.warn("the abbreviation " + cleanLine(word, 60) + " is not defined")
	}
	return word
}

func (b *bibReader) define(e *bibRaw) {
	for _, f := range e.Fields {
		if cost := len(f[0]) + len(f[1]) + 64; len(f[1]) <= maxBibString && b.stringBytes+cost <= maxBibStrings {
			b.strings[f[0]] = f[1]
			b.stringBytes += cost
		}
	}
}

// quoted appends what stands between braces, or between quotation marks, in which
// braces match.
func (b *bibReader) quoted(e *bibRaw, out []byte, open byte) ([]byte, error) {
	for depth, last := 0, open; ; {
		c, err := b.r.ReadByte()
		if err != nil {
			return out, err
		}
		switch {
		case c == '}' && depth == 0 && open == '{':
			return out, nil
		case c == '"' && depth == 0 && open == '"':
			// BibTeX ends the value at the mark of \"o, too; many files have it all the same.
			next, _ := b.r.Peek(1)
			if last != '\\' || len(next) == 0 || next[0] != '{' && (next[0]|0x20 < 'a' || next[0]|0x20 > 'z') {
				return out, nil
			}
		case c == '{':
			depth++
		case c == '}':
			depth = max(depth-1, 0)
		case c == '@' && last == '\n' && b.begins():
			e.Bad = "a brace or quotation mark in it is not closed"
			return out, nil
		}
		last = c
		if !e.long {
			out = append(out, c)
			if e.size+len(out) > MaxBulkRecord {
				e.long, out = true, out[:0]
			}
		}
	}
}
