package format

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"wenlan/internal/errs"
)

// # OAI-PMH
//
// An answer of OAI-PMH 2.0 (https://www.openarchives.org/OAI/openarchivesprotocol.html)
// to ListRecords or GetRecord, or many of them one after another within one element.
// The description of a record is told by its first element, not by the prefix under
// which it was asked for: Dublin Core (oai_dc, and forms with the DCMI terms), see
// dublinCore, or MARCXML. The record's id is that of the header; its sets are kept in
// Extra; its datestamp says when the server changed it, and is not of the work.
//
// A record that the server calls deleted has no description, and is none here:
// see Described.Deleted. An error that the server answers is one record, refused.

// newOAI takes answers apart: into their records, and the errors that were answered.
func newOAI(r io.Reader) Elements {
	return splitXML(r, xmlSpec{records: []string{"record", "error"}})
}

// parseOAI reads one record.
func parseOAI(raw []byte) (*Described, error) {
	root, wellFormed, err := parseXML(raw)
	if err != nil {
		return nil, errs.New(errs.Refused, "it cannot be read as XML: %w", err)
	}
	n := root.find("record")
	if n == nil {
		if e := root.find("error"); e != nil {
			return nil, oaiError(e)
		}
		return nil, errs.New(errs.Refused, "it holds no record")
	}
	d := &Described{}
	if !wellFormed {
		d.Warnings = append(d.Warnings, "its XML is not well-formed; what could be read of it was used")
	}
	deleted := false
	var metadata *xmlNode
	for _, part := range n.children {
		switch part.name {
		case "":
		case "header":
			deleted = strings.EqualFold(part.attr("status"), "deleted")
			for _, h := range part.children {
				switch h.name {
				case "identifier":
					d.ID = bulkID(h.text())
				case "setSpec":
					d.keep("setSpec", h.text())
				}
			}
		case "metadata":
			metadata = part.element()
		default:
			d.Left = append(d.Left, part.name)
		}
	}
	if deleted {
		d.Deleted = true
		return d, nil
	}
	if metadata == nil {
		return nil, errs.New(errs.Refused, "it has no description")
	}
	switch strings.ToLower(metadata.name) {
	case "dc", "qualifieddc", "dcterms", "oai_dc", "dcqual":
		describeDC(metadata, d)
	case "record", "collection":
		if metadata.name == "collection" {
			if metadata = metadata.find("record"); metadata == nil {
				return nil, errs.New(errs.Refused, "it has no description")
			}
		}
		return oaiMARC(metadata, d)
	default:
		return nil, errs.WithHint(errs.New(errs.Refused, "its description is in a form that is not read: <%s>", cleanLine(metadata.name, 60)), "ask for --prefix oai_dc or marcxml")
	}
	return d, nil
}

// element is the first element below n, or nil.
func (n *xmlNode) element() *xmlNode {
	for _, c := range n.children {
		if c.name != "" {
			return c
		}
	}
	return nil
}

// oaiError is the sentence for an error that a server answered (OAI-PMH, section 3.6).
func oaiError(e *xmlNode) error {
	code := cleanLine(e.attr("code"), 60)
	if text := cleanLine(e.text(), 300); text != "" {
		return errs.New(errs.Refused, "the server answered an error, %s: %s", code, text)
	}
	return errs.New(errs.Refused, "the server answered an error, %s", code)
}

// oaiMARC adds what the header said to a MARC record. A record that its leader calls
// deleted is deleted.
func oaiMARC(n *xmlNode, header *Described) (*Described, error) {
	d, err := marcElement(n)
	if err != nil {
		return nil, err
	}
	if header.ID != "" {
		d.ID = header.ID
	}
	for field, values := range header.Extra {
		for _, v := range values {
			d.keep(field, v)
		}
	}
	d.Left, d.Warnings = append(d.Left, header.Left...), append(header.Warnings, d.Warnings...)
	return d, nil
}

// OAIPage is an answer of an OAI-PMH server, as a harvest needs it.
type OAIPage struct {
	Records    [][]byte // of ListRecords or GetRecord, each as Elements of the form oai gives it
	Deleted    int      // of them
	Datestamps []string // of each record, as found
	List       bool     // it holds a list of records, which may be empty
	Token      string   // the resumption token; "" at the end of the list
	Date       string   // responseDate
	ErrorCode  string   // such as noRecordsMatch; "" where none was answered
	ErrorText  string
	Prefixes   []string // of ListMetadataFormats
	Identify   *OAIIdentity
}

// OAIIdentity is what a server says of itself (OAI-PMH, section 4.2).
type OAIIdentity struct {
	Name, Granularity, Earliest, Deleted string
}

// ReadOAI reads an answer. errs.Refused where it is none, errs.Corrupt where it breaks
// off, or says where the list goes on in a way that cannot be read: without its token
// the list would seem to be at its end. A single record that is too long is left out;
// Records then has nil in its place.
func ReadOAI(data []byte) (*OAIPage, error) {
	p := &OAIPage{}
	pieces := splitXML(bytes.NewReader(data), xmlSpec{roots: []string{"OAI-PMH"}, records: []string{"record", "error", "resumptionToken", "responseDate", "Identify", "ListMetadataFormats"}}).(*xmlSplitter)
	for {
		raw, _, err := pieces.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		long := errs.Is(err, errs.TooLarge)
		if errs.Is(err, errs.Refused) {
			return nil, errs.New(errs.Refused, "it is no answer of OAI-PMH: %w", err)
		}
		if err != nil && !long {
			return nil, err
		}
		var root *xmlNode
		wellFormed := true
		if !long {
			root, wellFormed, err = parseXML(raw)
		}
		switch {
		case err == nil && (wellFormed || pieces.last != "resumptionToken" || readsLoosely(raw)):
			p.piece(root, raw)
		case pieces.last == "record" && long:
			p.Records, p.Datestamps = append(p.Records, nil), append(p.Datestamps, "")
		case pieces.last == "record": // it is refused by itself when it is read
			p.Records, p.Datestamps = append(p.Records, bytes.Clone(raw)), append(p.Datestamps, "")
		case pieces.last == "resumptionToken":
			return nil, errs.New(errs.Corrupt, "the answer is cut short: its resumption token cannot be read")
		}
	}
	if !pieces.began {
		return nil, errs.New(errs.Refused, "it is no answer of OAI-PMH")
	}
	list := holdsElement(data, "ListRecords")
	p.List = list || len(p.Records) > 0 || p.Token != ""
	if list && len(p.Records) > 0 && !closesElement(data, "ListRecords") {
		return nil, errs.New(errs.Corrupt, "the answer is cut short: its list is not closed")
	}
	return p, nil
}

// readsLoosely says whether XML that is not well-formed can be read to its end.
func readsLoosely(raw []byte) bool {
	_, err := decodeXML(raw, false)
	return err == nil
}

// closesElement says whether an end tag of a local name stands in b.
func closesElement(b []byte, local string) bool {
	for {
		i := bytes.Index(b, []byte("</"))
		if i < 0 {
			return false
		}
		b = b[i+2:]
		if string(localName(tagName(b))) == local {
			return true
		}
	}
}

// piece adds one part of an answer: the innermost of the elements that root wraps.
func (p *OAIPage) piece(root *xmlNode, raw []byte) {
	for _, name := range []string{"record", "error", "resumptionToken", "responseDate", "Identify", "ListMetadataFormats"} {
		n := root.find(name)
		if n == nil {
			continue
		}
		switch name {
		case "record":
			stamp := ""
			if h := n.find("header"); h != nil {
				stamp = cleanLine(h.find("datestamp").text(), 60)
				if strings.EqualFold(h.attr("status"), "deleted") {
					p.Deleted++
				}
			}
			p.Records, p.Datestamps = append(p.Records, bytes.Clone(raw)), append(p.Datestamps, stamp)
		case "error":
			if p.ErrorCode == "" {
				p.ErrorCode, p.ErrorText = cleanLine(n.attr("code"), 60), cleanLine(n.text(), 300)
			}
			if p.ErrorCode == "" {
				p.ErrorCode = "unknown"
			}
		case "resumptionToken":
			p.Token = strings.TrimSpace(n.text())
		case "responseDate":
			p.Date = cleanLine(n.text(), 60)
		case "Identify":
			get := func(name string) string { return cleanLine(n.find(name).text(), 300) }
			p.Identify = &OAIIdentity{get("repositoryName"), get("granularity"), get("earliestDatestamp"), strings.ToLower(get("deletedRecord"))}
		case "ListMetadataFormats":
			n.all(func(f *xmlNode) {
				if f.name == "metadataPrefix" && len(p.Prefixes) < maxShort {
					p.Prefixes = append(p.Prefixes, cleanLine(f.text(), 60))
				}
			})
		}
		return
	}
}
