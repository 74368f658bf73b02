package record

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"sync"

	"wenlan/internal/errs"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep an entry nests; the deepest known form has six levels.
const maxDepth = 32

// maxNumber is the largest magnitude of a number in I-JSON (RFC 7493, section 2.2).
const maxNumber = 1 << 53

// CheckIJSON says whether data is one I-JSON object (RFC 7493): valid UTF-8,
// no duplicate names, no number beyond 2^53, nothing behind it. It also refuses
// names in one object that differ only in case, because decoders in other
// languages take one for the other.
func CheckIJSON(data []byte) error {
	c := checkers.Get().(*checker)
	defer checkers.Put(c)
	err := c.check(data)
	c.dec.Reset(bytes.NewBuffer(nil))
	if cap(c.names) > 1024 {
		c.names = nil
	}
	clear(c.names[:cap(c.names)]) // they point into data
	return err
}

var checkers = sync.Pool{New: func() any { return &checker{dec: jsontext.NewDecoder(bytes.NewBuffer(nil))} }}

// checker is the state of a CheckIJSON, kept for the next.
type checker struct {
	dec   *jsontext.Decoder
	names [][]byte // of all open objects, folded; those of the innermost last
	open  [maxDepth]scope
}

// scope is an open object or array.
type scope struct {
	object bool
	name   bool            // in an object, a name comes next
	from   int             // its names are checker.names[from:]
	many   map[string]bool // its names, when they are many
}

// fewNames is how many names of an object are compared one by one.
const fewNames = 24

func (c *checker) check(data []byte) error {
	dec := c.dec
	// Names are compared here, and more strictly.
	dec.Reset(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	c.names = c.names[:0]
	depth := 0
	for first := true; ; first = false {
		kind := dec.PeekKind()
		if kind == 0 {
			_, err := dec.ReadToken()
			if errors.Is(err, io.EOF) && !first && depth == 0 {
				return nil
			}
			return errs.New(errs.Refused, "not I-JSON: %w", err)
		}
		if first && kind != '{' {
			return errs.New(errs.Refused, "not I-JSON: an object is expected")
		}
		if !first && depth == 0 {
			return errs.New(errs.Refused, "not I-JSON: something follows the object")
		}
		named := false
		if depth > 0 && kind != '}' && kind != ']' {
			in := &c.open[depth-1]
			named = in.object && in.name
			in.name = in.object && !in.name
		}
		switch kind {
		case '{', '[':
			if depth == maxDepth {
				return errs.New(errs.Refused, "not I-JSON: nested deeper than %d", maxDepth)
			}
			if _, err := dec.ReadToken(); err != nil {
				return errs.New(errs.Refused, "not I-JSON: %w", err)
			}
			c.open[depth] = scope{object: kind == '{', name: kind == '{', from: len(c.names)}
			depth++
		case '}', ']':
			if _, err := dec.ReadToken(); err != nil {
				return errs.New(errs.Refused, "not I-JSON: %w", err)
			}
			depth--
			c.names = c.names[:c.open[depth].from]
			c.open[depth].many = nil
		default:
			value, err := dec.ReadValue()
			if err != nil {
				return errs.New(errs.Refused, "not I-JSON: %w", err)
			}
			switch {
			case named:
				end := int(dec.InputOffset())
				if err := c.name(&c.open[depth-1], data[end-len(value):end]); err != nil {
					return err
				}
			case kind == '0' && !smallNumber(value):
				f, err := strconv.ParseFloat(string(value), 64)
				// 2^53+1 is the first number that a float64 cannot hold: it reads as 2^53.
				if err != nil || math.Abs(f) > maxNumber || math.Abs(f) == maxNumber && string(bytes.TrimPrefix(value, []byte("-"))) != "9007199254740992" {
					return errs.New(errs.Refused, "not I-JSON: the number %s is beyond 2^53", value)
				}
			}
		}
	}
}

// smallNumber says whether a number is plainly far from the limit.
func smallNumber(b []byte) bool {
	for i, d := range b {
		if (d < '0' || d > '9') && (i > 0 || d != '-') {
			return false
		}
	}
	return len(b) <= 15
}

// name notes the quoted name of a member, and refuses one that was there.
func (c *checker) name(in *scope, quoted []byte) error {
	name := quoted[1 : len(quoted)-1]
	for _, b := range name {
		if b >= 0x80 || b == '\\' || b >= 'A' && b <= 'Z' {
			plain, err := jsontext.AppendUnquote(nil, quoted)
			if err != nil {
				return errs.New(errs.Refused, "not I-JSON: %w", err)
			}
			name = bytes.ToLower(plain)
			break
		}
	}
	twice := false
	if in.many != nil {
		twice = in.many[string(name)]
		in.many[string(name)] = true
	} else {
		own := c.names[in.from:]
		for _, have := range own {
			twice = twice || bytes.Equal(have, name)
		}
		c.names = append(c.names, name)
		if len(own) == fewNames {
			in.many = make(map[string]bool, 2*fewNames)
			for _, have := range c.names[in.from:] {
				in.many[string(have)] = true
			}
		}
	}
	if twice {
		plain, _ := jsontext.AppendUnquote(nil, quoted)
		return errs.New(errs.Refused, "not I-JSON: the name %q appears twice but for its case", plain)
	}
	return nil
}
