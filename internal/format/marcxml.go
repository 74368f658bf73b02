package format

import (
	"io"
	"strings"

	"golang.org/x/text/unicode/norm"

	"wenlan/internal/errs"
)

// newMARCXML takes MARCXML apart (MARC 21 XML Schema, "slim"), bare or wrapped in
// answers of OAI-PMH or SRU: there the wrapping record is the element.
func newMARCXML(r io.Reader) Elements {
	return splitXML(r, xmlSpec{records: []string{"record"}})
}

// parseMARCXML reads one record.
func parseMARCXML(raw []byte) (*Described, error) {
	root, wellFormed, err := parseXML(raw)
	if err != nil {
		return nil, errs.New(errs.Refused, "its XML cannot be read: %w", err)
	}
	d, err := marcElement(root)
	if err == nil && !wellFormed {
		d.Warnings = append(d.Warnings, "its XML is not well-formed; what could be read of it was used")
	}
	return d, err
}

// marcElement reads the first record of MARCXML in an element, such as the metadata of
// a record of OAI-PMH. The error is of kind errs.Refused.
func marcElement(root *xmlNode) (*Described, error) {
	n := findMARC(root)
	if n == nil {
		return nil, errs.New(errs.Refused, "it holds no record of MARCXML")
	}
	m := marcRecords.Get().(*marcRecord)
	defer marcRecords.Put(m)
	m.reset()
	if err := m.elements(n); err != nil {
		return nil, err
	}
	return m.describe()
}

// findMARC is the first element named record that has fields, or nil.
func findMARC(n *xmlNode) *xmlNode {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		switch c.name {
		case "leader", "controlfield", "datafield":
			if n.name == "record" {
				return n
			}
		}
	}
	for _, c := range n.children {
		if c.name == "" {
			continue
		}
		if hit := findMARC(c); hit != nil {
			return hit
		}
	}
	return nil
}

// elements reads the fields.
func (m *marcRecord) elements(n *xmlNode) error {
	const ends = "\r\n\t"
	leader := ""
	for _, c := range n.children {
		switch c.name {
		case "leader":
			leader = strings.Trim(c.text(), ends)
		case "controlfield":
			m.fields = append(m.fields, marcField{tag: marcTag(c.attr("tag")), alt: -1, value: strings.Trim(c.text(), ends)})
		case "datafield":
			f := marcField{tag: marcTag(c.attr("tag")), alt: -1, ind1: indicator(c, "ind1"), ind2: indicator(c, "ind2"), from: len(m.subs)}
			if isControlTag(f.tag) {
				continue
			}
			for _, s := range c.children {
				if s.name != "subfield" || len(m.subs) >= maxMARCSubs {
					continue
				}
				code := byte('?')
				if v := s.attr("code"); len(v) == 1 && v[0] > ' ' && v[0] <= '~' {
					code = v[0]
				}
				if v := strings.TrimSpace(s.text()); v != "" {
					m.subs = append(m.subs, marcSub{code, v})
				}
			}
			f.to = len(m.subs)
			m.fields = append(m.fields, f)
		}
		if len(m.fields) > maxMARCFields {
			return errs.New(errs.Refused, "it has more than %d fields", maxMARCFields)
		}
	}
	if len(m.fields) == 0 {
		return errs.New(errs.Refused, "it has no fields")
	}
	if len(leader) < marcLeader { // blanks that something took away
		leader += strings.Repeat(" ", marcLeader-len(leader))
	}
	m.leader = leader[:marcLeader]
	m.each(norm.NFC.String)
	return nil
}

// marcTag is a tag of three characters, "???" where it is none.
func marcTag(s string) string {
	if len(s) != 3 {
		return "???"
	}
	return s
}

func indicator(n *xmlNode, name string) byte {
	for _, a := range n.attrs {
		if a.Name.Local == name && len(a.Value) == 1 {
			return a.Value[0]
		}
	}
	return ' '
}
