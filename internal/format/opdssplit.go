package format

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"

	"wenlan/internal/errs"

	"github.com/go-json-experiment/json/jsontext"
)

// newOPDS takes a saved catalogue apart: the entries of Atom, or the publications of
// OPDS 2.0, those in groups too. A publication by itself is one.
func newOPDS(r io.Reader) Elements {
	b := bufio.NewReaderSize(r, 64<<10)
	for i := 1; i <= 512; i++ { // a byte order mark and white space
		head, err := b.Peek(i)
		if err != nil {
			break
		}
		switch c := head[i-1]; c {
		case ' ', '\t', '\r', '\n', 0xef, 0xbb, 0xbf:
			continue
		case '{':
			_, _ = b.Discard(i - 1)
			return newOPDS2(b)
		}
		break
	}
	return splitXML(b, xmlSpec{records: []string{"entry"}, context: []string{"link"}})
}

// opds2Elements takes a feed of OPDS 2.0 apart. It holds one publication at a time,
// and of the feed its own address.
type opds2Elements struct {
	in     *allowance
	dec    *jsontext.Decoder
	stack  []byte // of what is open: f a feed or group, g a list of groups, p one of publications
	began  bool
	base   string
	number int64
	alone  map[string]jsontext.Value // of a document without publications: it may be one
}

// allowance is a reader that fails after so many bytes, so that no value can fill
// the memory.
type allowance struct {
	r    io.Reader
	left int
}

func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, errs.New(errs.Corrupt, "a value in it is longer than %d bytes", MaxBulkRecord)
	}
	n, err := a.r.Read(p[:min(len(p), a.left)])
	a.left -= n
	return n, err
}

func newOPDS2(r io.Reader) Elements {
	in := &allowance{r: r}
	return &opds2Elements{in: in, dec: jsontext.NewDecoder(in, lenient), alone: map[string]jsontext.Value{}}
}

func (e *opds2Elements) Waits() bool { return len(e.dec.UnreadBuffer()) == 0 }

func (e *opds2Elements) Next() ([]byte, int64, error) {
	for {
		e.in.left = MaxBulkRecord + 1<<20
		raw, err := e.step()
		switch {
		case errors.Is(err, io.EOF) && len(e.stack) == 0 && e.began:
			return nil, e.number, io.EOF
		case err != nil:
			var known *errs.Error
			if errors.As(err, &known) {
				return nil, e.number + 1, known
			}
			return nil, e.number + 1, errs.New(errs.Corrupt, "the JSON breaks off here: %w", err)
		case raw == nil:
			continue
		}
		e.number++
		if len(raw) > MaxBulkRecord {
			return nil, e.number, errTooLong()
		}
		return raw, e.number, nil
	}
}

// step reads on by one token or value; raw is a publication, or nil.
func (e *opds2Elements) step() (raw []byte, err error) {
	if len(e.stack) == 0 {
		if e.began {
			return e.end()
		}
		e.began = true
		if e.dec.PeekKind() != '{' {
			return nil, errs.New(errs.Corrupt, "it is no OPDS catalogue")
		}
		return nil, e.open('f')
	}
	kind := e.dec.PeekKind()
	if kind == 0 { // the error, or the end, comes with the token
		_, err := e.dec.ReadToken()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if kind == '}' || kind == ']' {
		e.stack = e.stack[:len(e.stack)-1]
		_, err := e.dec.ReadToken()
		return nil, err
	}
	switch e.stack[len(e.stack)-1] {
	case 'p':
		v, err := e.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		e.alone = nil
		return e.wrap(v)
	case 'g':
		if kind == '{' && len(e.stack) < 16 {
			return nil, e.open('f')
		}
		return nil, e.dec.SkipValue()
	}
	name, err := e.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	key := name.String()
	kind = e.dec.PeekKind()
	switch {
	case key == "publications" && kind == '[':
		return nil, e.open('p')
	case key == "groups" && kind == '[':
		return nil, e.open('g')
	case len(e.stack) == 1 && (key == "links" || key == "metadata" || key == "images"):
		v, err := e.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if e.alone != nil {
			e.alone[key] = v.Clone()
		}
		if key == "links" {
			var links opds2Links
			_ = json.Unmarshal(v, &links)
			for _, l := range links {
				if l.Rel.first() == "self" {
					e.base = l.Href
				}
			}
		}
		return nil, nil
	}
	if key == "navigation" {
		e.alone = nil
	}
	return nil, e.dec.SkipValue()
}

func (e *opds2Elements) open(what byte) error {
	e.stack = append(e.stack, what)
	_, err := e.dec.ReadToken()
	return err
}

// wrap is a publication with the address of its feed.
func (e *opds2Elements) wrap(v jsontext.Value) ([]byte, error) {
	base, err := json.Marshal(e.base)
	if err != nil {
		return nil, err
	}
	raw := append(append([]byte(`{"base":`), base...), `,"publication":`...)
	return append(append(raw, v...), '}'), nil
}

// end is what follows the document: nothing. A document that turned out to be a
// publication by itself comes last.
func (e *opds2Elements) end() ([]byte, error) {
	if alone := e.alone; alone != nil {
		e.alone = nil
		var f opds2Feed
		_ = json.Unmarshal(alone["links"], &f.Links)
		if f.isPublication() {
			v := jsontext.Value("{")
			for i, key := range []string{"metadata", "links", "images"} {
				if alone[key] == nil {
					continue
				}
				if i > 0 && len(v) > 1 {
					v = append(v, ',')
				}
				v = append(append(append(v, '"'), key...), `":`...)
				v = append(v, alone[key]...)
			}
			return e.wrap(append(v, '}'))
		}
	}
	if _, err := e.dec.ReadToken(); err != nil {
		return nil, err
	}
	return nil, errs.New(errs.Corrupt, "something follows the end of the catalogue")
}

// Harvested is the form of what EncodeHarvested writes, one a line.
func Harvested() *Bulk { return &harvested }

var harvested = Bulk{"harvested", newLines, parseHarvested}

// harvestedLine is one record that a harvest has read already, or why it is none.
type harvestedLine struct {
	*Described
	Refused string `json:",omitempty"`
}

// EncodeHarvested writes one record for [Harvested], without an end of line: what was
// read of an entry, or, where err is not nil, why it was not.
func EncodeHarvested(d *Described, err error) ([]byte, error) {
	if err != nil {
		return json.Marshal(harvestedLine{Refused: err.Error()})
	}
	return json.Marshal(harvestedLine{Described: d})
}

func parseHarvested(raw []byte) (*Described, error) {
	var l harvestedLine
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, notJSON(err)
	}
	if l.Refused != "" {
		return nil, errs.New(errs.Refused, "%s", l.Refused)
	}
	if l.Described == nil {
		return nil, errs.New(errs.Refused, "it holds no record")
	}
	return l.Described, nil
}
