package format

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
)

const (
	xmpMaxDepth  = 64
	xmpMaxTokens = 400_000
	xmpMaxValues = 1000     // values kept of one property
	xmpMaxValue  = 64 << 10 // bytes kept of one value
)

// xmpSpaces are the namespaces that are read, under the prefix used here.
var xmpSpaces = []struct{ uri, prefix string }{
	{"http://purl.org/dc/elements/1.1/", "dc"},
	{"http://purl.org/dc/terms/", "dcterms"},
	{"http://ns.adobe.com/xap/1.0/rights/", "xmpRights"},
	{"http://creativecommons.org/ns#", "cc"},
	{"http://web.resource.org/cc/", "cc"},
	{"http://ns.adobe.com/pdfx/1.3/", "pdfx"},
	{"http://ns.adobe.com/pdf/1.3/", "pdf"},
	{"http://crossref.org/crossmark/1.0/", "crossmark"},
}

const rdfSpace = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

// xmpName gives "dc:title" for a property that is read, else "".
func xmpName(n xml.Name) string {
	if strings.HasPrefix(n.Space, "http://prismstandard.org/namespaces/") {
		return "prism:" + n.Local // every version and part of PRISM
	}
	for _, s := range xmpSpaces {
		if n.Space == s.uri {
			return s.prefix + ":" + n.Local
		}
	}
	return ""
}

// xmp is what an XMP packet (ISO 16684-1) says: the values of each property
// that is read, a language alternative's default first.
type xmp map[string][]string

// first is the first value of the first property that has one.
func (x xmp) first(names ...string) string {
	for _, n := range names {
		if v := x[n]; len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

func (x xmp) add(name, value string, front bool) {
	value = strings.TrimSpace(value)
	if name == "" || value == "" || len(x[name]) >= xmpMaxValues {
		return
	}
	if front {
		x[name] = append([]string{value}, x[name]...)
	} else {
		x[name] = append(x[name], value)
	}
}

// parseXMP reads a packet. Damaged XML gives what stood before the damage, and
// the error; entities and document types are not followed.
func parseXMP(data []byte) (xmp, error) {
	out := xmp{}
	d := xml.NewDecoder(bytes.NewReader(xmpUTF8(data)))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var (
		stack []xml.Name
		prop  string // the property being read; its element is stack[base]
		base  int
		text  strings.Builder
		plain bool // the property has no element inside
		front bool
	)
	isRDF := func(i int, local string) bool {
		return i >= 0 && i < len(stack) && stack[i].Space == rdfSpace && stack[i].Local == local
	}
	for range xmpMaxTokens {
		tok, err := d.Token()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if len(stack) >= xmpMaxDepth {
				return out, errors.New("xmp: nested too deeply")
			}
			stack = append(stack, t.Name)
			top := len(stack) - 1
			switch {
			case isRDF(top, "Description") && isRDF(top-1, "RDF"):
				for _, a := range t.Attr {
					out.add(xmpName(a.Name), a.Value, false)
				}
			case prop == "" && isRDF(top-1, "Description") && isRDF(top-2, "RDF"):
				prop, base, plain = xmpName(t.Name), top, true
				text.Reset()
				for _, a := range t.Attr {
					if a.Name.Space == rdfSpace && a.Name.Local == "resource" {
						out.add(prop, a.Value, false)
					}
				}
			case prop != "":
				plain = false
				if isRDF(top, "li") && top == base+2 {
					text.Reset()
					front = false
					for _, a := range t.Attr {
						if a.Name.Local == "lang" && a.Value == "x-default" {
							front = true
						}
						if a.Name.Space == rdfSpace && a.Name.Local == "resource" {
							out.add(prop, a.Value, false)
						}
					}
				}
			}
		case xml.EndElement:
			top := len(stack) - 1
			if top < 0 {
				continue
			}
			if prop != "" && top == base+2 && isRDF(top, "li") {
				out.add(prop, text.String(), front)
			}
			if prop != "" && top == base {
				if plain {
					out.add(prop, text.String(), false)
				}
				prop = ""
			}
			stack = stack[:top]
		case xml.CharData:
			top := len(stack) - 1
			if prop != "" && (top == base && plain || top == base+2) && text.Len() < xmpMaxValue {
				text.Write(t)
			}
		}
	}
	return out, errors.New("xmp: too long")
}

// xmpUTF8 turns a packet in UTF-16 into UTF-8.
func xmpUTF8(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}), bytes.HasPrefix(data, []byte{0, '<'}):
		return []byte(utf16Text(data, true))
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{'<', 0}):
		return []byte(utf16Text(data, false))
	}
	return data
}

func utf16Text(data []byte, big bool) string {
	units := make([]uint16, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		hi, lo := data[i], data[i+1]
		if !big {
			hi, lo = lo, hi
		}
		units = append(units, uint16(hi)<<8|uint16(lo))
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}
