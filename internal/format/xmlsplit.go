package format

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"wenlan/internal/errs"
)

const (
	maxAround = 64 << 10 // bytes of what stands around a record: start tags of its ancestors, and context
	maxTag    = 1 << 20  // bytes of one tag, or of a document type
	maxName   = 4 << 10  // bytes of the name of an element around records

	// What stands around a record is copied, parsed and kept with each record in it. A
	// stream of tiny records in large surroundings would grow by thousands of times: so
	// all that is given with records is at most freeAround and then perAround times the
	// bytes of the stream so far, which is beyond what is found in real ones.
	freeAround = 16 << 20
	perAround  = 64
)

// xmlSpec says how a stream of XML comes apart. Names are local ones: prefixes do
// not count, letter case does.
type xmlSpec struct {
	roots   []string // what the root may be; any, if empty
	records []string // the elements that are records; one within another of a different name belongs to the outer
	context []string // elements that are given with every record after them within the same parent; one may be a record too
	skip    []string // elements whose content is left out, wherever they stand; an empty tag remains

	some bool // a stream without a single record is refused: it is something else

	// holds makes an element of records one only where it has an element of this
	// name in it.
	holds map[string]string
}

const (
	xmlRecord = 1 << iota
	xmlContext
	xmlSkip
)

// xmlSplitter takes a stream of XML apart. It follows tags, comments, CDATA and
// processing instructions only: whether a record is well-formed is found when it
// is parsed. Its memory is one record, whatever the stream's length.
type xmlSplitter struct {
	spec   xmlSpec
	names  map[string]int // what the spec says of a name: xmlRecord, xmlContext, xmlSkip
	r      io.Reader
	err    error // of r, once it is read out
	ended  error // what Next gives from now on
	win    []byte
	pos    int // win[pos:end] is read and not yet looked at
	end    int
	began  bool // an element has been seen
	number int64
	passed int64 // bytes of the stream before win
	spent  int64 // bytes given with records that stand around them

	frames []xmlFrame // the open elements around records
	around []byte     // their start tags, each with the context within it
	wide   int        // how many of frames have lost something to maxAround

	out   []byte // what is being captured, and before it, where it may be a record, around
	head  int    // bytes of around in out
	dear  bool   // there is no room left to give around with it
	in    string // the local name of what is being captured, or ""
	what  int    // of it: xmlRecord, xmlContext, or both
	last  string // the local name of what was captured last
	depth int    // of elements named as it is, in it
	long  bool   // it is longer than it may be

	skip      string // the element that is being left out, or ""
	skipDepth int
}

// xmlFrame is an open element around records.
type xmlFrame struct {
	name, local string
	from        int  // where it begins in around
	wide        bool // its start tag or its context is too long, and is not in around
}

// splitXML takes the XML stream r apart. A record comes as a document of its own in
// UTF-8: wrapped in the start tags of its ancestors, so that their attributes and
// namespaces are there, and after the context elements that came before it.
// Comments, processing instructions and the document type are left out.
//
// A document type that declares entities is errs.Refused, and ends the stream. A
// record that is longer than MaxBulkRecord with what stands around it, or whose
// surroundings are longer than maxAround, is errs.TooLarge by itself, and so is one
// whose surroundings have been given with too many before it: see perAround. Several
// documents one after another are one stream.
//
// Source: Extensible Markup Language (XML) 1.0, Fifth Edition, section 2.
func splitXML(r io.Reader, spec xmlSpec) Elements {
	s := &xmlSplitter{spec: spec, names: map[string]int{}, r: r}
	for what, list := range map[int][]string{xmlRecord: spec.records, xmlContext: spec.context, xmlSkip: spec.skip} {
		for _, name := range list {
			s.names[name] |= what
		}
	}
	return s
}

// Waits says whether the next call of Next has to read from the stream; white space
// and end tags that are left of the last record do not count.
func (s *xmlSplitter) Waits() bool {
	rest := s.win[s.pos:s.end]
	for len(rest) < 256 {
		rest = bytes.TrimSpace(rest)
		end := bytes.IndexByte(rest, '>')
		if !bytes.HasPrefix(rest, []byte("</")) || end < 0 {
			return len(rest) == 0
		}
		rest = rest[end+1:]
	}
	return false
}

// Next is the next record, valid until the following call, and its number from 1;
// see Elements.
func (s *xmlSplitter) Next() (raw []byte, number int64, err error) {
	if s.win == nil {
		s.win = make([]byte, 256<<10)
		s.r, s.ended = xmlReader(s.r)
	}
	if s.ended == nil {
		done, err := s.next()
		if err == nil || errs.Is(err, errs.TooLarge) {
			return done, s.number, err
		}
		s.ended = broken(err)
	}
	if errors.Is(s.ended, io.EOF) {
		return nil, s.number, io.EOF
	}
	return nil, s.number + 1, s.ended
}

func (s *xmlSplitter) next() ([]byte, error) {
	for {
		i := bytes.IndexByte(s.win[s.pos:s.end], '<')
		if i < 0 {
			i = s.end - s.pos
		}
		if err := s.text(s.win[s.pos : s.pos+i]); err != nil {
			return nil, err
		}
		s.pos += i
		if s.pos == s.end {
			if err := s.fill(); errors.Is(err, io.EOF) {
				return nil, s.atEnd()
			} else if err != nil {
				return nil, err
			}
			continue
		}
		head, err := s.peek(2)
		if err == nil && len(head) == 2 && head[1] == '!' {
			head, err = s.peek(len("<![CDATA["))
		}
		if err != nil {
			return nil, err
		}
		if len(head) < 2 {
			return nil, errCutOff()
		}
		first := head[1] // head is gone when more is read
		switch {
		case bytes.HasPrefix(head, []byte("<!--")):
			s.pos += 4
			err = s.until("-->", false)
		case bytes.HasPrefix(head, []byte("<![CDATA[")):
			s.keep(head)
			s.pos += 9
			err = s.until("]]>", true)
		case first == '!':
			err = s.directive()
		case first == '?':
			s.pos += 2
			err = s.until("?>", false)
		case first == '/', isNameStart(first):
			var tag []byte
			if tag, err = s.tag(); err != nil {
				break
			}
			var done bool
			if first == '/' {
				done = s.endTag(tag)
			} else {
				done, err = s.startTag(tag)
			}
			s.pos += len(tag)
			if done {
				return s.finish()
			}
		default: // a bare "<", which is no markup
			s.keep([]byte("&lt;"))
			s.pos++
		}
		if err != nil {
			return nil, err
		}
	}
}

func errCutOff() error {
	return errs.New(errs.Corrupt, "the document is cut off in the middle of this element")
}

// atEnd says how the stream ended.
func (s *xmlSplitter) atEnd() error {
	switch {
	case s.in != "":
		return errCutOff()
	case len(s.frames) > 0:
		return errs.New(errs.Corrupt, "the document is cut off: its element %.40q is not closed", s.frames[len(s.frames)-1].name)
	case s.spec.some && s.began && s.number == 0:
		return errs.New(errs.Refused, "it holds no element %s", strings.Join(s.spec.records, " or "))
	}
	return io.EOF
}

// text takes a piece of what stands between tags.
func (s *xmlSplitter) text(b []byte) error {
	if s.in != "" {
		s.keep(b)
	} else if !s.began && len(bytes.TrimSpace(b)) > 0 {
		return errs.New(errs.Refused, "it is not XML")
	}
	return nil
}

// keep adds to what is being captured.
func (s *xmlSplitter) keep(b []byte) {
	switch {
	case s.in == "" || s.skip != "" || s.long:
	case len(s.out)+len(b) > MaxBulkRecord:
		s.long = true
	default:
		s.out = append(s.out, b...)
	}
}

// startTag takes a start tag; done says that a record is complete with it.
func (s *xmlSplitter) startTag(tag []byte) (done bool, err error) {
	name := tagName(tag[1:])
	local := localName(name)
	empty := tag[len(tag)-2] == '/'
	if s.skip != "" {
		if string(local) == s.skip && !empty {
			s.skipDepth++
		}
		return false, nil
	}
	if s.in != "" {
		if len(s.spec.skip) > 0 && s.names[string(local)]&xmlSkip != 0 {
			s.leaveOut(tag, string(local), empty)
			return false, nil
		}
		s.keep(tag)
		if string(local) == s.in && !empty {
			s.depth++
		}
		return false, nil
	}
	if !s.began {
		s.began = true
		if len(s.spec.roots) > 0 && !slices.Contains(s.spec.roots, string(local)) {
			return false, errs.New(errs.Refused, "its root element is %.40q, not %s", name, strings.Join(s.spec.roots, " or "))
		}
	}
	what := s.names[string(local)]
	switch {
	case what&(xmlRecord|xmlContext) != 0:
		s.out = s.out[:0]
		s.dear = what&xmlRecord != 0 && s.spent+int64(len(s.around)) > freeAround+perAround*(s.passed+int64(s.pos))
		if what&xmlRecord != 0 && !s.dear {
			s.out = append(s.out, s.around...)
		}
		s.head = len(s.out)
		s.in, s.what, s.depth, s.long = string(local), what, 1, false
		s.keep(tag)
		if empty {
			s.depth = 0
			return s.captured(), nil
		}
	case what&xmlSkip != 0:
		s.leaveOut(tag, string(local), empty)
	case !empty:
		if len(s.frames) >= maxXMLDepth {
			return false, errs.New(errs.Corrupt, "%w", errXMLDepth)
		}
		if len(name) > maxName {
			return false, errs.New(errs.Corrupt, "the name of an element is longer than %d bytes", maxName)
		}
		f := xmlFrame{name: string(name), local: string(local), from: len(s.around), wide: len(s.around)+len(tag) > maxAround}
		if f.wide {
			s.wide++
		} else {
			s.around = append(s.around, tag...)
		}
		s.frames = append(s.frames, f)
	}
	return false, nil
}

// leaveOut begins to leave an element out, but for its tag.
func (s *xmlSplitter) leaveOut(tag []byte, local string, empty bool) {
	if empty {
		s.keep(tag)
		return
	}
	s.keep(tag[:len(tag)-1])
	s.keep([]byte("/>"))
	s.skip, s.skipDepth = local, 1
}

// endTag takes an end tag; done says that a record is complete with it.
func (s *xmlSplitter) endTag(tag []byte) (done bool) {
	local := localName(tagName(tag[2:]))
	switch {
	case s.skip != "":
		if string(local) == s.skip {
			if s.skipDepth--; s.skipDepth == 0 {
				s.skip = ""
			}
		}
		return false
	case s.in != "":
		s.keep(tag)
		if string(local) == s.in {
			if s.depth--; s.depth == 0 {
				return s.captured()
			}
		}
		return false
	}
	// An end tag closes what is open below it too, and one that fits nothing is passed over.
	for i := len(s.frames) - 1; i >= 0; i-- {
		if s.frames[i].local != string(local) {
			continue
		}
		s.around = s.around[:s.frames[i].from]
		for _, f := range s.frames[i:] {
			if f.wide {
				s.wide--
			}
		}
		s.frames = s.frames[:i]
		break
	}
	return false
}

// captured ends a capture: it keeps what is context, and says whether it is a record.
func (s *xmlSplitter) captured() bool {
	in := s.in
	s.in, s.last = "", in
	body := s.out[s.head:]
	isRecord := s.what&xmlRecord != 0
	if need := s.spec.holds[in]; isRecord && need != "" && !s.long {
		isRecord = holdsElement(body, need)
	}
	if isRecord {
		for _, f := range slices.Backward(s.frames) {
			s.out = append(append(append(s.out, "</"...), f.name...), '>')
		}
	}
	if s.what&xmlContext == 0 || len(s.frames) == 0 {
		return isRecord
	}
	top := &s.frames[len(s.frames)-1]
	switch {
	case !s.long && len(s.around)+len(body) <= maxAround:
		s.around = append(s.around, body...)
	case !top.wide:
		top.wide = true
		s.wide++
	}
	return isRecord
}

// finish gives the record that is complete.
func (s *xmlSplitter) finish() ([]byte, error) {
	s.number++
	if s.dear {
		return nil, errs.New(errs.TooLarge, "what stands around it is too long for so many short records: more than %d times the whole file", perAround)
	}
	s.spent += int64(s.head)
	if s.wide > 0 {
		return nil, errs.New(errs.TooLarge, "what stands around it and belongs to it is longer than %d bytes", maxAround)
	}
	if s.long || len(s.out) > MaxBulkRecord {
		return nil, errTooLong()
	}
	return s.out, nil
}

// holdsElement says whether a start tag of a local name stands in b.
func holdsElement(b []byte, local string) bool {
	for {
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			return false
		}
		b = b[i+1:]
		if string(localName(tagName(b))) == local {
			return true
		}
	}
}

// tag is the tag that begins at pos, whole.
func (s *xmlSplitter) tag() ([]byte, error) {
	quote := byte(0)
	for i := 1; ; {
		w := s.win[s.pos:s.end]
		for ; i < len(w); i++ {
			switch c := w[i]; {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '>':
				return w[:i+1], nil
			}
		}
		if err := s.more(); err != nil {
			return nil, err
		}
	}
}

// directive passes over the document type that begins at pos, and whatever else
// begins with "<!".
func (s *xmlSplitter) directive() error {
	quote, depth := byte(0), 0
	for i := 2; ; {
		w := s.win[s.pos:s.end]
		for ; i < len(w); i++ {
			switch c := w[i]; {
			case quote == '-': // a comment of the internal subset
				if c == '>' && bytes.HasSuffix(w[:i], []byte("--")) {
					quote = 0
				}
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '-' && bytes.HasSuffix(w[:i], []byte("<!-")):
				quote = '-'
			case c == '[':
				depth++
			case c == ']':
				depth--
			case (c == 'y' || c == 'Y') && bytes.EqualFold(w[max(0, i-7):i], []byte("<!ENTIT")):
				return errs.New(errs.Refused, "%w", errXMLEntities)
			case c == '>' && depth <= 0:
				s.pos += i + 1
				return nil
			case c == '>' && s.began: // no document type stands here
				s.pos += i + 1
				return nil
			}
		}
		if err := s.more(); err != nil {
			return err
		}
	}
}

// until passes over everything up to the end of pattern, and keeps it where told to.
func (s *xmlSplitter) until(pattern string, keep bool) error {
	for {
		w := s.win[s.pos:s.end]
		n := bytes.Index(w, []byte(pattern))
		found := n >= 0
		if found {
			n += len(pattern)
		} else {
			n = max(0, len(w)-len(pattern)+1)
		}
		if keep {
			s.keep(w[:n])
		}
		s.pos += n
		if found {
			return nil
		}
		if err := s.more(); err != nil {
			return err
		}
	}
}

// peek is the next n bytes, or fewer at the end of the stream.
func (s *xmlSplitter) peek(n int) ([]byte, error) {
	for s.end-s.pos < n {
		if err := s.fill(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	return s.win[s.pos:min(s.end, s.pos+n)], nil
}

// more is fill in the middle of something that must go on.
func (s *xmlSplitter) more() error {
	err := s.fill()
	if errors.Is(err, io.EOF) {
		return errCutOff()
	}
	return err
}

// fill reads on. What is not yet looked at moves to the start of the window.
func (s *xmlSplitter) fill() error {
	if s.err != nil {
		return s.err
	}
	if s.pos > 0 {
		s.passed += int64(s.pos)
		s.end = copy(s.win, s.win[s.pos:s.end])
		s.pos = 0
	}
	if s.end == len(s.win) {
		if len(s.win) >= maxTag {
			return errs.New(errs.Corrupt, "a tag is longer than %d bytes", maxTag)
		}
		s.win = append(s.win, make([]byte, len(s.win))...)
	}
	for range 100 {
		n, err := s.r.Read(s.win[s.end:])
		s.end += n
		s.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// isNameStart says whether a byte may begin a name (XML 1.0, section 2.3); of what
// is not ASCII, all may.
func isNameStart(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' || c >= utf8.RuneSelf
}

// tagName is the name at the start of b, which is a tag without its "<".
func tagName(b []byte) []byte {
	for i, c := range b {
		if c <= ' ' || c == '>' || c == '/' {
			return b[:i]
		}
	}
	return b
}

// localName is a name without its prefix.
func localName(name []byte) []byte { return name[bytes.LastIndexByte(name, ':')+1:] }

var xmlEncoding = regexp.MustCompile(`^<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']`)

// xmlReader gives a stream of XML in UTF-8: the encoding is told by a byte order
// mark, or by the zeros of UTF-16, else by the XML declaration (XML 1.0, appendix F).
func xmlReader(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, _ := b.Peek(256) // an error comes again when reading gets there
	var enc encoding.Encoding
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = b.Discard(3)
		return b, nil
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		_, _ = b.Discard(2)
		enc = utf16LE.enc
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		_, _ = b.Discard(2)
		enc = utf16BE.enc
	case bytes.HasPrefix(head, []byte("<\x00")):
		enc = utf16LE.enc
	case bytes.HasPrefix(head, []byte("\x00<")):
		enc = utf16BE.enc
	default:
		m := xmlEncoding.FindSubmatch(bytes.TrimLeft(head, " \t\r\n"))
		if m == nil {
			return b, nil
		}
		label := strings.ToLower(string(m[1]))
		if strings.HasPrefix(label, "utf") || strings.HasPrefix(label, "iso-10646-ucs") || label == "unicode" || label == "us-ascii" {
			return b, nil // the bytes say that it is not UTF-16
		}
		if enc, _ = charset.Lookup(label); enc == nil {
			return nil, errs.New(errs.Refused, "its encoding %q is not known here", label)
		}
	}
	return transform.NewReader(b, enc.NewDecoder()), nil
}

// recordXML reads one record as splitXML gives it. What cannot stand in XML, such as
// controls and what is not UTF-8, is replaced first: it would end the reading there.
// warning says that the record is not well-formed, and is "" where it is.
func recordXML(raw []byte) (root *xmlNode, warning string, err error) {
	root, wellFormed, err := parseXML(soundXML(raw))
	if err != nil {
		return nil, "", errs.New(errs.Refused, "it cannot be read: %w", err)
	}
	if !wellFormed {
		warning = "it is not well-formed XML; what could be read of it was used"
	}
	return root, warning, nil
}

// soundXML is raw with what cannot stand in XML replaced.
func soundXML(raw []byte) []byte {
	if xmlSound(raw) {
		return raw
	}
	raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	for i, c := range raw {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			raw[i] = ' '
		}
	}
	raw = bytes.ReplaceAll(raw, []byte("\uFFFE"), []byte("\uFFFD"))
	return bytes.ReplaceAll(raw, []byte("\uFFFF"), []byte("\uFFFD"))
}

// xmlSound says whether bytes are UTF-8 with no character that XML forbids.
func xmlSound(b []byte) bool {
	for i, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xbf && bytes.HasPrefix(b[max(0, i-2):], []byte("\xef\xbf\xbf")) || c == 0xbe && bytes.HasPrefix(b[max(0, i-2):], []byte("\xef\xbf\xbe")) {
			return false
		}
	}
	return utf8.Valid(b)
}
