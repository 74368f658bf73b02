package format

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf16"

	"golang.org/x/net/html/charset"
)

// xmlNode is an element of a small XML document held in memory. Names are as
// written, without their prefix; space is the namespace, or the prefix where it
// was never declared.
type xmlNode struct {
	space, name string // both empty for text
	attrs       []xml.Attr
	children    []*xmlNode
	data        string // text; "" for an element
}

var (
	errXMLEntities = errors.New("it declares entities, which is not safe to read")
	errXMLDepth    = errors.New("it is nested too deep")
	errXMLSize     = errors.New("it is too large")
	errXMLEmpty    = errors.New("it holds no element")
)

// parseXML reads a metadata document. A document type that declares entities is
// refused, whatever it would expand to: nothing external is ever read, and nothing
// is expanded but the five entities of XML and those of HTML. A document that is
// not well-formed is read as far as it makes sense, and said to be so.
func parseXML(data []byte) (root *xmlNode, wellFormed bool, err error) {
	if len(data) > maxXML {
		return nil, false, errXMLSize
	}
	data = utf16ToUTF8(data)
	root, err = decodeXML(data, true)
	if err == nil {
		return root, true, nil
	}
	if errors.Is(err, errXMLEntities) || errors.Is(err, errXMLDepth) || errors.Is(err, errXMLSize) {
		return nil, false, err
	}
	loose, looseErr := decodeXML(data, false)
	if looseErr != nil && (loose == nil || errors.Is(looseErr, errXMLEntities) || errors.Is(looseErr, errXMLDepth) || errors.Is(looseErr, errXMLSize)) {
		return nil, false, err
	}
	return loose, false, nil
}

// decodeXML builds the tree. When it fails midway and strict is false, the tree
// so far comes with the error.
func decodeXML(data []byte, strict bool) (*xmlNode, error) {
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.Strict = strict
	dec.Entity = xml.HTMLEntity
	dec.CharsetReader = charsetReader
	var root *xmlNode
	var stack []*xmlNode
	nodes := 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if root == nil {
				return nil, errXMLEmpty
			}
			return root, nil
		}
		if err != nil {
			return root, err
		}
		switch t := tok.(type) {
		case xml.Directive:
			if bytes.Contains(bytes.ToUpper(t), []byte("<!ENTITY")) {
				return root, errXMLEntities
			}
		case xml.StartElement:
			nodes++
			if len(stack) >= maxXMLDepth {
				return root, errXMLDepth
			}
			if nodes > maxXMLNodes {
				return root, errXMLSize
			}
			n := &xmlNode{space: t.Name.Space, name: t.Name.Local, attrs: t.Copy().Attr}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				parent.children = append(parent.children, n)
			} else if root == nil {
				root = n
			}
			stack = append(stack, n)
		case xml.EndElement:
			if len(stack) == 0 {
				continue
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				nodes++
				top := stack[len(stack)-1]
				top.children = append(top.children, &xmlNode{data: string(t)})
			}
		}
	}
}

// maxNodeText bounds the text that is taken out of one element, in bytes.
const maxNodeText = 256 << 10

// text is the text of an element and everything in it, up to maxNodeText.
func (n *xmlNode) text() string {
	if n == nil {
		return ""
	}
	if len(n.children) == 1 && n.children[0].name == "" {
		return n.children[0].data[:min(len(n.children[0].data), maxNodeText)]
	}
	var b strings.Builder
	n.writeText(&b)
	return b.String()
}

func (n *xmlNode) writeText(b *strings.Builder) {
	if room := maxNodeText - b.Len(); room > 0 {
		b.WriteString(n.data[:min(len(n.data), room)])
		for _, c := range n.children {
			c.writeText(b)
		}
	}
}

// attr is the value of the first attribute with a local name, whatever its
// namespace.
func (n *xmlNode) attr(name string) string {
	for _, a := range n.attrs {
		if strings.EqualFold(a.Name.Local, name) && a.Name.Space != "xmlns" {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}

// find is the first element with a name among n and all below it, or nil.
func (n *xmlNode) find(name string) *xmlNode {
	if n == nil {
		return nil
	}
	if n.name != "" && strings.EqualFold(n.name, name) {
		return n
	}
	for _, c := range n.children {
		if hit := c.find(name); hit != nil {
			return hit
		}
	}
	return nil
}

// all calls fn for n and every element below it, in document order.
func (n *xmlNode) all(fn func(*xmlNode)) {
	if n == nil || n.name == "" {
		return
	}
	fn(n)
	for _, c := range n.children {
		c.all(fn)
	}
}

// charsetReader serves encoding/xml. UTF-16 was resolved before.
func charsetReader(label string, in io.Reader) (io.Reader, error) {
	if l := strings.ToLower(label); strings.HasPrefix(l, "utf-16") || strings.HasPrefix(l, "utf-8") || l == "utf8" || l == "unicode" {
		return in, nil
	}
	return charset.NewReaderLabel(label, in)
}

// utf16ToUTF8 resolves UTF-16 with a byte order mark, and drops the mark of UTF-8.
func utf16ToUTF8(data []byte) []byte {
	if bytes.HasPrefix(data, []byte{0xef, 0xbb, 0xbf}) {
		return data[3:]
	}
	if len(data) < 2 {
		return data
	}
	little := data[0] == 0xff && data[1] == 0xfe
	big := data[0] == 0xfe && data[1] == 0xff
	if !little && !big {
		return data
	}
	data = data[2:]
	units := make([]uint16, len(data)/2)
	for i := range units {
		if little {
			units[i] = uint16(data[2*i]) | uint16(data[2*i+1])<<8
		} else {
			units[i] = uint16(data[2*i])<<8 | uint16(data[2*i+1])
		}
	}
	return []byte(string(utf16.Decode(units)))
}
