package format

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// # OPDS
//
// The form "opds" is saved catalogues of OPDS 1.2 (Atom, https://specs.opds.io/opds-1.2)
// and OPDS 2.0 (JSON, https://drafts.opds.io/opds-2.0). An entry or publication is a
// record; an entry without an acquisition link leads to another feed and is refused.
// What they become:
//
//	id, identifier       the record's id at its source; dc:identifier and identifier an id, too
//	title, subtitle      title; "title: subtitle" an alternative title, as a title in other languages
//	author, contributor  creators; in OPDS 2 translator, editor, illustrator … with their
//	                     roles, sortAs as the sort form; an ORCID or ISNI uri is the person's
//	dc:issued, published (OPDS 2)  issued; published and updated of Atom are of the entry: left
//	category, subject    subjects, with their scheme
//	summary, content, description  abstract, the longest
//	publisher, language  as they are
//	series, belongsTo    container with the place in it as volume
//	rights, licence      Extra, and for a harvest the statement where it is machine-readable
//	acquisition links, covers      Extra: "acquisition" (relation, type, address), "image";
//	                     the page of the entry, or else its first link, is its url
//	all others           Extra, by their name

// The relations of links (OPDS 1.2, sections 5.2 and 6; RFC 4287; RFC 4946).
const (
	relAcquisition = "http://opds-spec.org/acquisition"
	relOpen        = relAcquisition + "/open-access"
	relImage       = "http://opds-spec.org/image"
	relCrawlable   = "http://opds-spec.org/crawlable"
	relFacet       = "http://opds-spec.org/facet"
	relShelf       = "http://opds-spec.org/shelf"
)

// OPDSLink is a link of a feed or an entry.
type OPDSLink struct {
	Rel, Type, Href string // Href absolute where the base is known; Rel one of its relations
}

// Acquisition says whether the link leads to the work itself, and whether without
// any condition: open-access.
func (l OPDSLink) Acquisition() (is, open bool) {
	return l.Rel == relAcquisition || strings.HasPrefix(l.Rel, relAcquisition+"/"), l.Rel == relOpen
}

// Free says whether the link may lead to the whole work for nothing: open-access,
// or an acquisition that names no condition.
func (l OPDSLink) Free() bool { return l.Rel == relOpen || l.Rel == relAcquisition }

// OPDSEntry is a publication, with what a harvest needs of it.
type OPDSEntry struct {
	*Described
	Updated  string     // when the entry was changed, as found
	Links    []OPDSLink // all of its links
	Stated   *Statement // its rights, machine-readable; nil when there are none or several
	Complete string     // the address of the complete entry, of which this is a part; ""
	Err      error      // why it is no record; kind errs.Refused
}

// OPDSPage is a feed, or one page of it, or an entry by itself.
type OPDSPage struct {
	Entries  []OPDSEntry
	Next     string   // the address of the next page; ""
	Feeds    []string // the addresses of the feeds that it leads to, in order
	Complete string   // the address of a feed of all that the catalogue has (rel crawlable); ""
}

// maxOPDSLinks bounds the links of one entry, and of one page; maxOPDSEntries the
// entries of a page.
const (
	maxOPDSLinks   = 1000
	maxOPDSEntries = 50_000
)

func errOPDSEntries() error {
	return errs.New(errs.Refused, "the feed has more than %d entries on one page", maxOPDSEntries)
}

// ReadOPDS reads a page of a catalogue of either version that was found at base.
// errs.Refused where it is none, errs.Corrupt where it breaks off.
func ReadOPDS(base string, data []byte) (*OPDSPage, error) {
	if len(data) > MaxOPDSPage {
		return nil, errs.New(errs.Refused, "the feed is longer than %d bytes", MaxOPDSPage)
	}
	text := strings.TrimLeft(string(utf16ToUTF8(data[:min(len(data), 512)])), " \t\r\n")
	if strings.HasPrefix(text, "{") {
		return readOPDS2(base, utf16ToUTF8(data))
	}
	root, wellFormed, err := parseXML(data)
	if err == nil && !wellFormed && !readsLoosely(data) { // what comes after the fault would seem not to be
		if data = soundXML(utf16ToUTF8(data)); !readsLoosely(data) {
			return nil, errs.New(errs.Corrupt, "the feed is cut short, or cannot be read to its end")
		}
		root, _, err = parseXML(data)
	}
	if err != nil {
		return nil, errs.New(errs.Refused, "the feed cannot be read as XML: %w", err)
	}
	switch root.name {
	case "entry":
		e := atomEntry(root, base)
		return &OPDSPage{Entries: []OPDSEntry{e}}, nil
	case "feed":
	default:
		return nil, errs.New(errs.Refused, "it is no OPDS catalogue: it begins with <%s>", cleanLine(root.name, 60))
	}
	p := &OPDSPage{}
	base = joinBase(base, root.attr("base"))
	for _, n := range root.children {
		switch n.name {
		case "link":
			l := atomLink(n, base)
			switch {
			case l.Rel == "next":
				p.Next = l.Href
			case l.Rel == relCrawlable:
				p.Complete = l.Href
			}
		case "entry":
			if len(p.Entries) == maxOPDSEntries {
				return nil, errOPDSEntries()
			}
			e := atomEntry(n, base)
			if e.Described != nil || !e.leads() {
				p.Entries = append(p.Entries, e)
				continue
			}
			for _, l := range e.Links {
				if l.navigates() && len(p.Feeds) < maxOPDSLinks {
					p.Feeds = append(p.Feeds, l.Href)
				}
			}
		}
	}
	return p, nil
}

// MaxOPDSPage is the most bytes that one page of a catalogue may have.
const MaxOPDSPage = maxXML

// leads says whether an entry leads to other feeds.
func (e *OPDSEntry) leads() bool {
	for _, l := range e.Links {
		if l.navigates() {
			return true
		}
	}
	return false
}

// navigates says whether a link of a navigation entry leads to another feed of the
// catalogue (OPDS 1.2, section 2.1). Searches, facets and a reader's own shelf do not.
func (l OPDSLink) navigates() bool {
	t := strings.ToLower(l.Type)
	atom := strings.Contains(t, "application/atom+xml") && !strings.Contains(t, "type=entry")
	if !atom && !strings.Contains(t, "application/opds+json") || l.Href == "" || strings.ContainsRune(l.Href, '{') {
		return false
	}
	switch l.Rel {
	case "search", "self", "start", "up", "previous", "prev", "first", "last", relFacet, relShelf, "related":
		return false
	}
	return true
}

// maxJoined bounds an address that is made of two, in bytes: a page may have many
// that are made with one base.
const maxJoined = 4 << 10

// joinBase is the address ref within base; base where ref is none. Without a base a
// relative ref stays as it is. It is "" where it would be longer than maxJoined.
func joinBase(base, ref string) string {
	ref = strings.TrimSpace(ref)
	if ref == "" {
		return base
	}
	if len(base)+len(ref) > maxJoined {
		return ""
	}
	u, err := url.Parse(ref)
	if err != nil {
		return ""
	}
	b, err := url.Parse(base)
	if err != nil || base == "" || !b.IsAbs() {
		return ref
	}
	return b.ResolveReference(u).String()
}

func atomLink(n *xmlNode, base string) OPDSLink {
	l := OPDSLink{Rel: n.attr("rel"), Type: n.attr("type")}
	if href := n.attr("href"); href != "" && len(href) <= maxValue {
		l.Href = joinBase(base, href)
	}
	if l.Rel == "" {
		l.Rel = "alternate" // RFC 4287, section 4.2.7.2
	}
	return l
}

// parseOPDS reads one record of the form opds: an Atom entry within the start tags
// of its feed, or {base, publication}.
func parseOPDS(raw []byte) (*Described, error) {
	var e OPDSEntry
	if len(raw) > 0 && raw[0] == '{' {
		var p opds2Wrapped
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, notJSON(err)
		}
		e = p.Publication.entry(p.Base)
	} else {
		root, wellFormed, err := parseXML(raw)
		if err != nil {
			return nil, errs.New(errs.Refused, "it cannot be read as XML: %w", err)
		}
		n := root.find("entry")
		if n == nil {
			return nil, errs.New(errs.Refused, "it holds no entry")
		}
		base := root.attr("base")
		if root.name == "feed" {
			for _, c := range root.children {
				if c.name == "link" && c.attr("rel") == "self" && base == "" {
					base = c.attr("href")
				}
			}
		}
		e = atomEntry(n, base)
		if !wellFormed && e.Described != nil {
			e.Warnings = append(e.Warnings, "its XML is not well-formed; what could be read of it was used")
		}
	}
	if e.Err != nil {
		return nil, e.Err
	}
	return e.Described, nil
}

// atomText is an Atom text construct (RFC 4287, section 3.1) as plain text.
func atomText(n *xmlNode) string {
	text := n.text()
	if t := strings.ToLower(n.attr("type")); t == "html" || t == "text/html" {
		text = stripHTML(text)
	}
	return text
}

// atomSchemes are the IRIs of subject schemes that are known.
var atomSchemes = []struct{ part, scheme string }{
	{"bisg.org", "bisac"}, {"id.loc.gov/authorities/subjects", "lcsh"}, {"purl.org/dc/terms/lcsh", "lcsh"}, {"id.loc.gov/authorities/classification", "lcc"},
	{"purl.org/dc/terms/lcc", "lcc"}, {"dewey.info", "ddc"}, {"purl.org/dc/terms/ddc", "ddc"}, {"clcindex", "clc"},
}

func atomScheme(iri string) string {
	lower := strings.ToLower(iri)
	for _, s := range atomSchemes {
		if strings.Contains(lower, s.part) {
			return s.scheme
		}
	}
	return ""
}

func atomEntry(n *xmlNode, base string) OPDSEntry {
	base = joinBase(base, n.attr("base"))
	d := &Described{}
	e := OPDSEntry{Described: d}
	r := &d.Record
	r.Kind = record.Book
	if t := n.attr("additionalType"); strings.Contains(strings.ToLower(t), "audio") {
		r.Kind = record.Audio
	}
	var rights rightsOf
	var texts []string
	created := ""
	for _, c := range n.children {
		dc := strings.Contains(c.space, "purl.org/dc") || c.space == "dc" || c.space == "dcterms"
		switch name := strings.ToLower(c.name); name {
		case "":
		case "id":
			d.ID = bulkID(c.text())
		case "title":
			if t := cleanLine(atomText(c), maxTitle); t != r.Title {
				if r.Title == "" {
					r.Title = t
				} else {
					r.AltTitles = addLine(r.AltTitles, t, maxShort)
				}
			}
		case "subtitle", "alternativeheadline":
			if t := cleanLine(atomText(c), maxTitle); t != "" {
				r.AltTitles = addLine(r.AltTitles, r.Title+": "+t, maxShort)
			}
		case "author", "creator":
			e.person(c, "aut")
		case "contributor":
			e.person(c, "ctb")
		case "link":
			if len(e.Links) == maxOPDSLinks {
				d.Left = append(d.Left, "link")
				continue
			}
			l := atomLink(c, base)
			e.Links = append(e.Links, l)
			e.link(l, atomPrices(c), &rights)
		case "category":
			s := record.Subject{Scheme: atomScheme(c.attr("scheme")), Code: cleanLine(c.attr("term"), 200), Label: cleanLine(c.attr("label"), maxTitle)}
			if s.Label == "" {
				s.Label = s.Code
			}
			if s.Scheme == "" && c.attr("scheme") == "" {
				s.Code = "" // a tag
			}
			r.Subjects = addSubject(r.Subjects, s)
		case "rights", "license":
			rights.add(atomText(c))
			d.keep("rights", atomText(c))
		case "summary", "content", "description", "abstract":
			if c.attr("src") == "" {
				texts = append(texts, atomText(c))
			}
		case "updated":
			e.Updated = cleanLine(c.text(), 60)
		case "published":
		case "language":
			if tag := normalLanguage(c.text()); tag != "" {
				r.Languages = addLine(r.Languages, tag, maxShort)
			} else {
				d.keep("language", c.text())
			}
		case "issued", "date":
			if date := edtf(c.text()); date == "" {
				d.keep(name, c.text())
				d.Warnings = append(d.Warnings, "the date “"+cleanLine(c.text(), 100)+"” cannot be read")
			} else if r.Issued == "" || name == "issued" {
				r.Issued = date
			}
		case "created":
			created = edtf(c.text())
		case "publisher":
			if r.Publisher == "" {
				r.Publisher = cleanLine(c.text(), maxTitle)
			} else {
				d.keep(name, c.text())
			}
		case "identifier":
			d.addStated("", cleanLine(c.text(), maxValue))
		case "series":
			e.series(c.attr("name"), c.attr("position"))
		case "ispartof":
			e.series(c.text(), "")
		default:
			value := atomText(c)
			if strings.TrimSpace(value) == "" {
				if c.element() != nil || len(c.attrs) > 0 {
					d.Left = append(d.Left, c.name)
				}
				continue
			}
			if !dc && c.element() != nil {
				d.Left = append(d.Left, c.name)
				continue
			}
			d.keep(c.name, value)
		}
	}
	if r.Issued == "" {
		r.Issued = created
	}
	e.finish(texts, &rights, false)
	return e
}

// person adds a person construct (RFC 4287, section 3.2).
func (e *OPDSEntry) person(n *xmlNode, role string) {
	name := ""
	uri := ""
	for _, c := range n.children {
		switch strings.ToLower(c.name) {
		case "name":
			name = c.text()
		case "uri":
			uri = c.text()
		}
	}
	if name == "" && n.element() == nil {
		name = n.text() // dc:creator
	}
	e.creator(name, n.attr("file-as"), uri, relator(n.attr("role"), role))
}

func (e *OPDSEntry) creator(name, sorted, uri, role string) {
	r := &e.Record
	c := personOf(name, role)
	if c.Name == "" || len(r.Creators) >= maxList {
		return
	}
	if sorted = cleanLine(sorted, maxTitle); sorted != "" && sorted != c.Name {
		c.AltNames = addLine(c.AltNames, sorted, maxShort)
	}
	switch lower := strings.ToLower(uri); {
	case strings.Contains(lower, "orcid.org/"):
		if id, ok := record.NormalID("orcid", uri); ok {
			c.IDs = []record.ID{id}
		}
	case strings.Contains(lower, "isni.org/"), strings.HasPrefix(lower, "urn:isni"):
		if id, ok := record.NormalID("isni", uri); ok {
			c.IDs = []record.ID{id}
		}
	case uri != "":
		e.keep("author.uri", uri)
	}
	for _, have := range r.Creators[max(0, len(r.Creators)-maxShort):] {
		if have.Name == c.Name && have.Role == c.Role {
			return
		}
	}
	r.Creators = append(r.Creators, c)
}

func (e *OPDSEntry) series(name, position string) {
	name = cleanLine(name, maxTitle)
	switch {
	case name == "":
	case e.Record.Container == nil:
		e.Record.Container = &record.Container{Title: name, Volume: cleanLine(strings.TrimSuffix(position, ".0"), 40)}
	case position != "":
		e.keep("series", name+" "+position)
	default:
		e.keep("series", name)
	}
}

// atomPrices are the prices of an acquisition link (OPDS 1.2, section 5.2.1.1).
func atomPrices(n *xmlNode) string {
	out := ""
	for _, c := range n.children {
		if c.name == "price" {
			out += " " + cleanLine(c.text(), 40) + " " + cleanLine(c.attr("currencycode"), 3)
		}
	}
	return out
}

// link keeps what a link says.
func (e *OPDSEntry) link(l OPDSLink, prices string, rights *rightsOf) {
	is, _ := l.Acquisition()
	switch {
	case l.Rel == "license":
		rights.add(l.Href)
		e.keep("license", l.Href)
	case is:
		rel := strings.TrimPrefix(strings.TrimPrefix(l.Rel, relAcquisition), "/")
		e.keep("acquisition", strings.Join(strings.Fields(rel+" "+l.Type+" "+l.Href+prices), " "))
	case strings.HasPrefix(l.Rel, relImage) || l.Rel == "cover" || strings.HasPrefix(l.Rel, "x-stanza-cover"):
		e.keep("image", l.Href)
	case l.Rel == "alternate" && strings.Contains(l.Type, "type=entry"):
		if e.Complete == "" {
			e.Complete = l.Href
		}
	}
}

// finish settles what the whole entry says. Unless it is certain that it describes a
// publication, an acquisition link says so (OPDS 1.2, section 5).
func (e *OPDSEntry) finish(texts []string, rights *rightsOf, certain bool) {
	r := &e.Record
	for _, t := range texts {
		if t = cleanText(stripHTML(t), maxAbstract); len(t) > len(r.Abstract) {
			r.Abstract = t
		}
	}
	var doc Document
	rights.settle(&doc)
	e.Stated = doc.Rights
	page, work, acquisition := "", "", false
	for _, l := range e.Links {
		is, _ := l.Acquisition()
		acquisition = acquisition || is
		absolute := strings.HasPrefix(l.Href, "http://") || strings.HasPrefix(l.Href, "https://")
		switch {
		case !absolute || strings.ContainsRune(l.Href, '{'):
		case page == "" && l.Rel == "alternate" && strings.Contains(l.Type, "html"):
			page = l.Href
		case work == "" && is:
			work = l.Href
		}
	}
	if has := slices.ContainsFunc(r.IDs, func(id record.ID) bool { return id.Scheme == "url" }); page == "" && !has {
		page = work
	}
	if page != "" {
		r.IDs = addID(r.IDs, "url", page)
	}
	if e.Complete != "" {
		acquisition = true
	}
	if acquisition || certain {
		return
	}
	e.Err = errs.New(errs.Refused, "it describes no publication: it has no acquisition link")
	if e.leads() {
		e.Err = errs.New(errs.Refused, "it describes no publication: it leads to another feed, “%s”", cleanLine(r.Title, 100))
	}
	e.Described = nil
}
