package format

import (
	"bytes"
	"errors"
	"strconv"
)

// The objects of a PDF (ISO 32000-2, 7.3): nil, bool, int64, float64, pdfName,
// pdfString, pdfArray, pdfDict, pdfRef and pdfStream.
type (
	pdfName   string
	pdfString string
	pdfArray  []any
	pdfDict   map[pdfName]any
	pdfOp     string // a bare word: an operator, or "obj", "stream", "R"
	pdfRef    struct{ num, gen int }
)

// pdfStream is a stream whose bytes are still in the file.
type pdfStream struct {
	dict     pdfDict
	offset   int64
	num, gen int // for decryption
}

const (
	pdfMaxDepth  = 48      // nested arrays and dictionaries
	pdfMaxItems  = 1 << 20 // items of one array or dictionary
	pdfMaxObject = 8 << 20 // bytes of one object without its stream
)

var (
	errPDFEnd   = errors.New("pdf: the object goes on behind the bytes given")
	errPDFToken = errors.New("pdf: no object here")
)

// pdfLexer reads objects out of bytes. It returns errPDFEnd at the end of them.
type pdfLexer struct {
	buf []byte
	pos int
}

func pdfSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func pdfDelim(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

// skip passes white space and comments.
func (l *pdfLexer) skip() {
	for l.pos < len(l.buf) {
		c := l.buf[l.pos]
		if c == '%' {
			for l.pos < len(l.buf) && l.buf[l.pos] != '\n' && l.buf[l.pos] != '\r' {
				l.pos++
			}
		} else if pdfSpace(c) {
			l.pos++
		} else {
			return
		}
	}
}

// value reads one object; two integers and an R become a pdfRef.
func (l *pdfLexer) value(depth int) (any, error) {
	if depth > pdfMaxDepth {
		return nil, errPDFToken
	}
	l.skip()
	if l.pos >= len(l.buf) {
		return nil, errPDFEnd
	}
	switch c := l.buf[l.pos]; {
	case c == '/':
		return l.name()
	case c == '(':
		return l.literal()
	case c == '[':
		l.pos++
		return l.array(depth)
	case c == '<':
		if l.pos+1 < len(l.buf) && l.buf[l.pos+1] == '<' {
			l.pos += 2
			return l.dict(depth)
		}
		return l.hex()
	case c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.':
		return l.number()
	case c == ')' || c == '>' || c == ']' || c == '{' || c == '}':
		l.pos++
		return pdfOp(c), nil
	}
	start := l.pos
	for l.pos < len(l.buf) && !pdfSpace(l.buf[l.pos]) && !pdfDelim(l.buf[l.pos]) {
		l.pos++
	}
	switch word := string(l.buf[start:l.pos]); word {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	default:
		return pdfOp(word), nil
	}
}

func (l *pdfLexer) name() (any, error) {
	l.pos++
	var out []byte
	for l.pos < len(l.buf) && !pdfSpace(l.buf[l.pos]) && !pdfDelim(l.buf[l.pos]) {
		c := l.buf[l.pos]
		if c == '#' && l.pos+2 < len(l.buf) {
			if hi, lo := unhex(l.buf[l.pos+1]), unhex(l.buf[l.pos+2]); hi >= 0 && lo >= 0 {
				c = byte(hi<<4 | lo)
				l.pos += 2
			}
		}
		out = append(out, c)
		l.pos++
	}
	return pdfName(out), nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (l *pdfLexer) hex() (any, error) {
	l.pos++
	var out []byte
	half := -1
	for l.pos < len(l.buf) {
		c := l.buf[l.pos]
		l.pos++
		if c == '>' {
			if half >= 0 {
				out = append(out, byte(half<<4))
			}
			return pdfString(out), nil
		}
		d := unhex(c)
		if d < 0 {
			continue
		}
		if half < 0 {
			half = d
		} else {
			out = append(out, byte(half<<4|d))
			half = -1
		}
	}
	return nil, errPDFEnd
}

// literal reads a string in parentheses (7.3.4.2).
func (l *pdfLexer) literal() (any, error) {
	l.pos++
	var out []byte
	depth := 1
	for l.pos < len(l.buf) {
		c := l.buf[l.pos]
		l.pos++
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return pdfString(out), nil
			}
		case '\\':
			if l.pos >= len(l.buf) {
				return nil, errPDFEnd
			}
			c = l.buf[l.pos]
			l.pos++
			switch c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case '\r':
				if l.pos < len(l.buf) && l.buf[l.pos] == '\n' {
					l.pos++
				}
				continue
			case '\n':
				continue
			case '0', '1', '2', '3', '4', '5', '6', '7':
				v := int(c - '0')
				for i := 0; i < 2 && l.pos < len(l.buf) && l.buf[l.pos] >= '0' && l.buf[l.pos] <= '7'; i++ {
					v = v<<3 | int(l.buf[l.pos]-'0')
					l.pos++
				}
				c = byte(v)
			}
		}
		out = append(out, c)
	}
	return nil, errPDFEnd
}

// number reads a number, or a reference "12 0 R".
func (l *pdfLexer) number() (any, error) {
	first, ok := l.plain()
	n, isInt := first.(int64)
	if !ok || !isInt || n < 0 || n > 1<<31 {
		return first, nil
	}
	save := l.pos
	l.skip()
	if l.pos < len(l.buf) && l.buf[l.pos] >= '0' && l.buf[l.pos] <= '9' {
		second, _ := l.plain()
		if gen, isInt := second.(int64); isInt && gen <= 65535 {
			l.skip()
			if l.pos < len(l.buf) && l.buf[l.pos] == 'R' && (l.pos+1 == len(l.buf) || pdfSpace(l.buf[l.pos+1]) || pdfDelim(l.buf[l.pos+1])) {
				l.pos++
				return pdfRef{int(n), int(gen)}, nil
			}
		}
	}
	l.pos = save
	return n, nil
}

func (l *pdfLexer) plain() (any, bool) {
	start := l.pos
	for l.pos < len(l.buf) {
		c := l.buf[l.pos]
		if c >= '0' && c <= '9' || c == '.' || c == '+' || c == '-' {
			l.pos++
			continue
		}
		break
	}
	word := string(l.buf[start:l.pos])
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return n, true
	}
	if x, err := strconv.ParseFloat(word, 64); err == nil {
		return x, true
	}
	return int64(0), false // "--5" and the like, as other readers take them
}

func (l *pdfLexer) array(depth int) (any, error) {
	out := pdfArray{}
	for {
		l.skip()
		if l.pos < len(l.buf) && l.buf[l.pos] == ']' {
			l.pos++
			return out, nil
		}
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if op, ok := v.(pdfOp); ok && (op == "endobj" || op == ">") || len(out) >= pdfMaxItems {
			return nil, errPDFToken
		}
		out = append(out, v)
	}
}

func (l *pdfLexer) dict(depth int) (any, error) {
	out := pdfDict{}
	for {
		l.skip()
		if l.pos+1 < len(l.buf) && l.buf[l.pos] == '>' && l.buf[l.pos+1] == '>' {
			l.pos += 2
			return out, nil
		}
		k, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		key, ok := k.(pdfName)
		if !ok || len(out) >= pdfMaxItems {
			return nil, errPDFToken
		}
		l.skip()
		if l.pos+1 < len(l.buf) && l.buf[l.pos] == '>' && l.buf[l.pos+1] == '>' {
			continue // a key without a value
		}
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out[key] = v
	}
}

// indirect reads "12 0 obj …" and, for a stream, finds where its bytes start
// relative to the buffer.
func (l *pdfLexer) indirect() (num, gen int, obj any, stream int, err error) {
	head := [3]any{}
	for i := range head {
		l.skip()
		if l.pos >= len(l.buf) {
			return 0, 0, nil, 0, errPDFEnd
		}
		if c := l.buf[l.pos]; i < 2 {
			if c < '0' || c > '9' {
				return 0, 0, nil, 0, errPDFToken
			}
			head[i], _ = l.plain()
		} else if head[i], err = l.value(0); err != nil {
			return 0, 0, nil, 0, err
		}
	}
	n, ok1 := head[0].(int64)
	g, ok2 := head[1].(int64)
	if !ok1 || !ok2 || head[2] != pdfOp("obj") || n > 1<<31 || g > 65535 {
		return 0, 0, nil, 0, errPDFToken
	}
	if obj, err = l.value(0); err != nil {
		return 0, 0, nil, 0, err
	}
	if op, ok := obj.(pdfOp); ok {
		if op != "endobj" {
			return 0, 0, nil, 0, errPDFToken
		}
		return int(n), int(g), nil, 0, nil
	}
	if _, ok := obj.(pdfDict); ok {
		l.skip()
		rest := l.buf[l.pos:]
		if len(rest) < 8 {
			return 0, 0, nil, 0, errPDFEnd
		}
		if bytes.HasPrefix(rest, []byte("stream")) {
			stream = l.pos + 6
			if rest[6] == '\r' && rest[7] == '\n' {
				stream += 2
			} else if rest[6] == '\n' || rest[6] == '\r' {
				stream++
			}
		}
	}
	return int(n), int(g), obj, stream, nil
}
