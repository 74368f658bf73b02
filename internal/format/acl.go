package format

import (
	"io"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// newACL takes collections of the ACL Anthology apart. The papers are records, and
// the front matter, which stands for the whole volume. What is said of events is not
// of works, and left out.
//
// Source: https://github.com/acl-org/acl-anthology, data/xml/schema.rnc.
func newACL(r io.Reader) Elements {
	return splitXML(r, xmlSpec{roots: []string{"collection", "volume"}, records: []string{"paper", "frontmatter"}, context: []string{"meta"}, skip: []string{"event"}})
}

// aclPaper is a paper or the front matter of a volume that is being read.
type aclPaper struct {
	*Described
	volume, meta *xmlNode
	collection   string
	whole, month string // the title of the volume; the month that it states
}

func parseACL(raw []byte) (*Described, error) {
	root, warning, err := recordXML(raw)
	if err != nil {
		return nil, err
	}
	p := &aclPaper{Described: &Described{}, volume: root.find("volume"), meta: &xmlNode{}, collection: root.find("collection").attr0("id")}
	p.warnOf(warning)
	if p.volume == nil {
		return nil, errs.New(errs.Refused, "it is in no volume of the ACL Anthology")
	}
	var work *xmlNode
	for _, n := range p.volume.children {
		switch n.name {
		case "meta":
			p.meta = n
		case "paper", "frontmatter":
			work = n
		}
	}
	if work == nil {
		return nil, errs.New(errs.Refused, "it is no paper of the ACL Anthology")
	}
	p.whole, p.month = aclText(p.meta.find("booktitle"), maxTitle), aclMonth(p.meta)
	p.Record.Kind = record.Article
	number := work.attr("id")
	if work.name == "frontmatter" {
		p.Record.Kind = record.Book
		number = "0"
		p.front()
	} else {
		p.surroundings()
	}
	p.read(work)
	if p.ID == "" {
		p.ID = bulkID(aclID(p.collection, p.volume.attr("id"), number))
		p.keepID("url", "https://aclanthology.org/"+p.ID+"/")
	}
	p.dropEmptyContainer()
	return p.Described, nil
}

// attr0 is attr of an element that may not be there.
func (n *xmlNode) attr0(name string) string {
	if n == nil {
		return ""
	}
	return n.attr(name)
}

// aclID is the Anthology's id of a paper: 2020.acl-main.12, or until 2019 P19-1012,
// and W19-0312 for workshops, whose volumes have two digits.
func aclID(collection, volume, paper string) string {
	if collection == "" { // as until 2019: the volume was the collection
		return volume + "-" + paper
	}
	if len(collection) != 3 || collection[0] < 'A' || collection[0] > 'Z' {
		return collection + "-" + volume + "." + paper
	}
	pad := func(s string, n int) string { return strings.Repeat("0", max(0, n-len(s))) + s }
	if collection[0] == 'W' || collection == "C69" || collection == "D19" && len(volume) > 1 {
		return collection + "-" + pad(volume, 2) + pad(paper, 2)
	}
	return collection + "-" + volume + pad(paper, 3)
}

// front makes a record of the volume.
func (p *aclPaper) front() {
	for _, n := range p.meta.children {
		switch n.name {
		case "booktitle":
			p.Record.Title = aclText(n, maxTitle)
		case "editor":
			p.person(n, "edt")
		case "isbn", "ISBN":
			p.keepID("isbn", n.text())
		case "journal-title", "journal-volume", "journal-issue":
			p.journal(n)
		case "shortbooktitle":
			p.addAlt(aclText(n, maxTitle))
		case "doi", "url": // of the volume, as in the front matter
			p.url(n, "volume")
		default:
			p.imprint(n)
		}
	}
}

// surroundings takes over what a paper has of its volume.
func (p *aclPaper) surroundings() {
	box := p.container()
	for _, n := range p.meta.children {
		switch n.name {
		case "booktitle":
			if box.Title == "" {
				box.Title = aclText(n, maxTitle)
			}
		case "journal-title", "journal-volume", "journal-issue":
			p.journal(n)
		case "editor": // of the volume, which has a record of its own
		case "isbn", "ISBN":
			p.wholeISBN(n.text(), p.whole)
		case "doi", "url", "shortbooktitle":
		default:
			p.imprint(n)
		}
	}
}

func (p *aclPaper) journal(n *xmlNode) {
	box := p.container()
	switch n.name {
	case "journal-title":
		box.Title = aclText(n, maxTitle)
	case "journal-volume":
		box.Volume = cleanLine(n.text(), maxTitle)
	case "journal-issue":
		box.Issue = cleanLine(n.text(), maxTitle)
	}
}

// imprint takes what a volume and its papers have alike.
func (p *aclPaper) imprint(n *xmlNode) {
	r := &p.Record
	switch n.name {
	case "":
	case "publisher":
		r.Publisher = aclText(n, maxTitle)
	case "address":
		r.Place = aclText(n, maxTitle)
	case "year":
		r.Issued = edtf(strings.TrimSpace(p.month + " " + n.text()))
		if r.Issued == "" {
			r.Issued = edtf(n.text())
		}
	case "month": // with the year
	case "venue":
		p.extraText("venue", n.text())
	default:
		p.keepRest(n)
	}
}

// aclMonth is the month of a volume; of "July 5-10" and "June–July" the first.
func aclMonth(n *xmlNode) string {
	for _, m := range children(n, "month") {
		if words := strings.FieldsFunc(m.text(), func(c rune) bool { return c < 'A' || c > 'z' }); len(words) > 0 {
			return words[0]
		}
	}
	return ""
}

func (p *aclPaper) read(work *xmlNode) {
	r := &p.Record
	month := aclMonth(work)
	for _, n := range work.children {
		switch n.name {
		case "title":
			r.Title = aclText(n, maxTitle)
		case "author":
			p.person(n, "aut")
		case "editor":
			p.person(n, "edt")
		case "booktitle":
			p.container().Title = aclText(n, maxTitle)
		case "journal":
			p.container().Title = aclText(n, maxTitle)
		case "volume":
			p.container().Volume = cleanLine(n.text(), maxTitle)
		case "issue":
			p.container().Issue = cleanLine(n.text(), maxTitle)
		case "pages":
			pages := strings.NewReplacer("–", "-", "--", "-").Replace(cleanLine(n.text(), 100))
			if work.name == "frontmatter" {
				p.extraText("pages", pages)
			} else {
				p.container().Pages = pages
			}
		case "abstract":
			r.Abstract = aclText(n, maxAbstract)
		case "url", "doi":
			p.url(n, "")
		case "isbn", "ISBN":
			p.keepID("isbn", n.text())
		case "language":
			p.addLanguage("language", n.text())
		case "bibkey":
			p.extraText("bibkey", n.text())
		case "revision", "erratum", "video", "presentation", "attachment", "software", "dataset", "poster", "pwccode", "pwcdataset", "mrf", "award", "retracted", "removed", "issue-title":
			text := strings.TrimSpace(n.text() + " " + n.attr("href") + " " + n.attr("url"))
			if t := n.attr("type"); t != "" {
				text = t + " " + text
			}
			p.extraText(n.name, strings.TrimSpace(n.attr("id")+" "+text))
		case "year":
			if d := edtf(strings.TrimSpace(month + " " + n.text())); d != "" {
				r.Issued = d
			}
		default:
			p.imprint(n)
		}
	}
}

// url takes the address of a paper: its Anthology id, or a whole URL; or its DOI.
func (p *aclPaper) url(n *xmlNode, of string) {
	value := cleanLine(n.text(), maxValue)
	switch {
	case value == "" || of == "volume" && n.name == "url":
	case n.name == "doi":
		p.keepID("doi", value)
	case strings.Contains(value, "://"):
		if _, id, ok := strings.Cut(value, "aclanthology.org/"); ok && p.ID == "" {
			p.ID = bulkID(strings.TrimSuffix(strings.Trim(id, "/"), ".pdf"))
		} else if _, id, ok := strings.Cut(value, "aclweb.org/anthology/"); ok && p.ID == "" {
			p.ID = bulkID(strings.TrimSuffix(strings.Trim(id, "/"), ".pdf"))
		}
		p.keepID("url", value)
	default:
		p.ID = bulkID(value)
		p.keepID("url", "https://aclanthology.org/"+value+"/")
	}
}

func (p *aclPaper) person(n *xmlNode, role string) {
	name := func(n *xmlNode) record.Creator {
		part := func(name string) string {
			if c := children(n, name); len(c) > 0 {
				return cleanLine(c[0].text(), maxTitle)
			}
			return ""
		}
		c := cslName{Given: part("first"), Family: part("last")}.creator(role)
		if c.Name == "" && n.find("last") == nil { // a name by itself
			c.Name = cleanLine(n.text(), maxTitle)
		}
		return c
	}
	c := name(n)
	for _, v := range children(n, "variant") { // in another script
		if alt := name(v); alt.Name != "" && alt.Name != c.Name {
			c.AltNames = addLine(c.AltNames, alt.Name, maxShort)
		}
	}
	p.creatorID(&c, "orcid", n.attr("orcid"))
	p.addCreator(c)
	for _, a := range children(n, "affiliation") {
		p.extraText("affiliation", c.Name+": "+aclText(a, maxTitle))
	}
}

// aclText is marked up text made plain: case that is fixed and emphasis are their
// text, and formulas stay in TeX, between dollars as in the TeX that they come from.
func aclText(n *xmlNode, limit int) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	var walk func(*xmlNode)
	walk = func(n *xmlNode) {
		if b.Len() > maxNodeText {
			return
		}
		if n.name == "tex-math" {
			b.WriteString("$" + strings.TrimSpace(n.text()) + "$")
			return
		}
		b.WriteString(n.data)
		for _, c := range n.children {
			walk(c)
		}
	}
	walk(n)
	return cleanLine(b.String(), limit)
}
