package format

import (
	"io"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// newJATS takes articles in JATS apart, one or several in a stream. Only what
// describes an article is read: its text is not.
//
// Source: JATS, ANSI/NISO Z39.96-2021 (1.3), and the NLM tag sets 2 and 3 before it.
func newJATS(r io.Reader) Elements {
	return splitXML(r, xmlSpec{records: []string{"article"}, skip: []string{"body", "back", "floats-group", "response"}, some: true})
}

// jats is an article that is being read.
type jats struct {
	*Described
	affs map[string]string // by id
}

func parseJATS(raw []byte) (*Described, error) {
	root, warning, err := recordXML(raw)
	if err != nil {
		return nil, err
	}
	article := root.find("article")
	if article == nil {
		return nil, errs.New(errs.Refused, "it is no article of JATS")
	}
	p := &jats{&Described{}, map[string]string{}}
	p.warnOf(warning)
	p.Record.Kind = record.Article
	if l := article.attr("lang"); l != "" {
		p.addLanguage("language", l)
	}
	if t := article.attr("article-type"); t != "research-article" {
		p.extraText("article-type", t)
	}
	for _, n := range article.children {
		switch n.name {
		case "front":
			for _, m := range n.children {
				switch m.name {
				case "journal-meta":
					p.journal(m)
				case "article-meta":
					p.article(m)
				default:
					p.keepRest(m)
				}
			}
		case "sub-article":
			p.subArticle(n)
		case "body", "back", "floats-group", "response":
			// its text
		default:
			p.keepRest(n)
		}
	}
	p.dropEmptyContainer()
	for _, scheme := range []string{"arxiv", "pmid", "pmcid", "doi"} { // the last that is there is the id
		for _, id := range p.Record.IDs {
			if id.Scheme == scheme {
				p.ID = scheme + ":" + id.Value
			}
		}
	}
	p.ID = strings.TrimPrefix(p.ID, "doi:")
	return p.Described, nil
}

// subArticle takes the title of a translation that comes with the article.
func (p *jats) subArticle(n *xmlNode) {
	if n.attr("article-type") != "translation" {
		p.leave("sub-article")
		return
	}
	p.addAlt(plainXML(n.find("article-title"), maxTitle))
	if l := n.attr("lang"); l != "" {
		p.addLanguage("language", l)
	}
}

func (p *jats) journal(n *xmlNode) {
	box := p.container()
	for _, m := range n.children {
		switch m.name {
		case "journal-title-group":
			p.journal(m)
		case "journal-title":
			box.Title = plainXML(m, maxTitle)
		case "abbrev-journal-title":
			if box.Title == "" {
				box.Title = plainXML(m, maxTitle)
			}
		case "issn", "issn-l":
			p.keepISSN(m.text())
		case "publisher":
			p.Record.Publisher = plainXML(m.find("publisher-name"), maxTitle)
			p.Record.Place = plainXML(m.find("publisher-loc"), maxTitle)
		case "journal-id":
			p.extraText("journal-id", strings.TrimSpace(m.attr("journal-id-type")+" "+m.text()))
		case "journal-subtitle", "trans-title-group":
			p.extraText(m.name, plainXML(m, maxTitle))
		default:
			p.keepRest(m)
		}
	}
}

func (p *jats) article(meta *xmlNode) {
	r, box := &p.Record, p.container()
	meta.all(func(n *xmlNode) {
		if id := n.attr("id"); n.name == "aff" && id != "" && len(p.affs) < maxList {
			p.affs[id] = affiliation(n)
		}
	})
	first, last, paged := "", "", children(meta, "fpage") != nil
	for _, n := range meta.children {
		text := func() string { return cleanLine(n.text(), maxTitle) }
		switch n.name {
		case "":
		case "article-id":
			switch kind := n.attr("pub-id-type"); kind {
			case "doi", "pmid", "pmc", "pmcid", "arxiv":
				p.keepID(kind, n.text())
			default:
				p.extraText("article-id", strings.TrimSpace(kind+" "+n.text()))
				if kind == "publisher-id" && p.ID == "" {
					p.ID = bulkID(n.text()) // where there is no other
				}
			}
		case "article-categories":
			for _, g := range n.children {
				if g.name == "subj-group" {
					p.subjects(g, g.attr("subj-group-type"))
				} else {
					p.keepRest(g)
				}
			}
		case "title-group":
			p.titles(n)
		case "contrib-group":
			p.contributors(n, 0)
		case "aff", "aff-alternatives":
			// with those who have it
		case "author-notes", "counts", "supplementary-material", "product":
			p.leave(n.name)
		case "pub-date", "pub-date-not-available":
			// below
		case "volume":
			box.Volume = text()
		case "issue":
			box.Issue = text()
		case "fpage":
			first = text()
		case "lpage":
			last = text()
		case "page-range":
			box.Pages = text()
		case "elocation-id":
			if !paged {
				first = text()
			} else {
				p.extraText(n.name, text())
			}
		case "isbn":
			p.wholeISBN(n.text(), "") // of the proceedings
		case "history":
			for _, d := range children(n, "date") {
				if date := p.date(d); date != "" {
					p.extraText(d.attr("date-type"), date)
				}
			}
		case "pub-history":
			p.leave(n.name)
		case "permissions":
			p.permissions(n)
		case "self-uri":
			if href := n.attr("href"); strings.HasPrefix(href, "http") {
				p.keepID("url", href)
			} else {
				p.extraText(n.name, href)
			}
		case "related-article", "related-object":
			p.related(n)
		case "abstract", "trans-abstract":
			p.abstract(n)
		case "kwd-group":
			for _, k := range n.children {
				if k.name == "kwd" || k.name == "compound-kwd" || k.name == "nested-kwd" {
					if s := subjectOf(plainXML(k, maxTitle)); s.Label != "" {
						if strings.EqualFold(n.attr("kwd-group-type"), "mesh") || strings.EqualFold(n.attr("vocab"), "mesh") {
							s.Scheme = "mesh"
						}
						r.Subjects = addSubject(r.Subjects, s)
					}
				}
			}
		case "funding-group":
			n.all(func(m *xmlNode) {
				if m.name == "funding-source" || m.name == "award-id" || m.name == "funding-statement" {
					p.extraText(m.name, plainXML(m, maxAbstract))
				}
			})
		case "conference":
			for _, m := range n.children {
				p.keepRest(m)
			}
		case "custom-meta-group", "custom-meta-wrap":
			for _, m := range n.children {
				if m.name == "custom-meta" {
					p.extraText("custom-meta", strings.TrimSpace(plainXML(m.find("meta-name"), 200)+": "+plainXML(m.find("meta-value"), maxAbstract)))
				}
			}
		default:
			p.keepRest(n)
		}
	}
	if box.Pages == "" {
		if box.Pages = first; last != "" && last != first {
			box.Pages += "-" + last
		}
	}
	p.issued(meta)
}

func (p *jats) titles(n *xmlNode) {
	sub := ""
	for _, t := range n.children {
		switch text := plainXML(t, maxTitle); t.name {
		case "":
		case "article-title":
			p.Record.Title = text
		case "subtitle":
			if sub == "" {
				sub = text
			}
		case "trans-title-group":
			p.addAlt(plainXML(t.find("trans-title"), maxTitle))
			if s := plainXML(t.find("trans-subtitle"), maxTitle); s != "" {
				p.addAlt(plainXML(t.find("trans-title"), maxTitle) + ": " + s)
			}
		case "trans-title", "alt-title":
			p.addAlt(text)
		case "fn-group":
		default:
			p.keepRest(t)
		}
	}
	if sub != "" {
		p.addAlt(p.Record.Title + ": " + sub)
	}
}

// subjects takes a group of subjects and the groups in it. What is called a heading
// is the section of the journal.
func (p *jats) subjects(n *xmlNode, kind string) {
	for _, c := range n.children {
		switch c.name {
		case "subject", "compound-subject":
			text := plainXML(c, maxTitle)
			if strings.EqualFold(kind, "heading") || strings.EqualFold(kind, "toc-heading") {
				p.extraText("heading", text)
			} else {
				p.Record.Subjects = addSubject(p.Record.Subjects, subjectOf(text))
			}
		case "subj-group":
			p.subjects(c, kind)
		}
	}
}

// jatsRoles leads from contrib-type to MARC relator codes.
var jatsRoles = map[string]string{
	"author": "aut", "editor": "edt", "translator": "trl", "reviewer": "rev", "illustrator": "ill", "compiler": "com", "collab": "aut", "interviewer": "ivr",
	"interviewee": "ive", "photographer": "pht", "commentator": "cwt",
}

func jatsRole(contrib, group *xmlNode) string {
	for _, kind := range []string{contrib.attr("contrib-type"), strings.TrimSuffix(strings.ToLower(group.attr("content-type")), "s")} {
		kind = strings.ToLower(kind)
		if role := jatsRoles[kind]; role != "" {
			return role
		}
		if strings.Contains(kind, "editor") {
			return "edt"
		}
	}
	return relator(plainXML(contrib.find("role"), 100), "aut")
}

func (p *jats) contributors(group *xmlNode, depth int) {
	for _, n := range group.children {
		if n.name != "contrib" {
			continue
		}
		c := record.Creator{}
		role := jatsRole(n, group)
		var members []*xmlNode
		for _, m := range n.children {
			switch m.name {
			case "name", "string-name":
				p.name(&c, m, role)
			case "name-alternatives", "collab-alternatives":
				for _, alt := range m.children {
					if alt.name == "collab" {
						c.AltNames, c.Name = otherName(c, collab(alt))
					} else {
						p.name(&c, alt, role)
					}
				}
			case "collab":
				c.AltNames, c.Name = otherName(c, collab(m))
				if g := m.find("contrib-group"); g != nil {
					members = append(members, g)
				}
			case "anonymous":
				p.extraText("anonymous", role)
			}
		}
		c.Role = role
		var affs []string
		for _, m := range n.children {
			switch m.name {
			case "contrib-id":
				kind := strings.ToLower(m.attr("contrib-id-type"))
				if text := m.text(); kind == "orcid" || strings.Contains(text, "orcid.org/") {
					p.creatorID(&c, "orcid", text)
				} else if kind == "isni" {
					p.creatorID(&c, "isni", text)
				} else {
					p.extraText("contrib-id", c.Name+": "+kind+" "+text)
				}
			case "uri", "ext-link":
				if text := m.text(); strings.Contains(text, "orcid.org/") {
					p.creatorID(&c, "orcid", text)
				}
			case "aff":
				affs = append(affs, affiliation(m))
			case "xref":
				if m.attr("ref-type") == "aff" {
					for rid := range strings.FieldsSeq(m.attr("rid")) {
						affs = append(affs, p.affs[rid])
					}
				}
			case "bio":
				p.leave(m.name)
			}
		}
		p.addCreator(c)
		for _, a := range affs {
			if a != "" && c.Name != "" {
				p.extraText("affiliation", c.Name+": "+a)
			}
		}
		for _, g := range members {
			if depth < 3 {
				p.contributors(g, depth+1)
			}
		}
	}
}

// name gives a creator a name, or, where it has one, another form of it.
func (p *jats) name(c *record.Creator, n *xmlNode, role string) {
	if n.name != "name" && n.name != "string-name" {
		return
	}
	part := func(name string) string { return plainXML(n.find(name), maxTitle) }
	family, given := part("surname"), part("given-names")
	one := cslName{Family: family, Given: given, Suffix: part("suffix")}.creator(role)
	switch {
	case n.name == "string-name":
		one.Name = plainXML(n, maxTitle)
	case n.attr("name-style") == "eastern" && given != "" && !isHanName(family):
		one.Name = cleanLine(family+" "+given, maxTitle)
	}
	if c.Name == "" {
		c.Name, c.AltNames = one.Name, one.AltNames
		return
	}
	for _, alt := range append([]string{one.Name}, one.AltNames...) {
		if alt != c.Name {
			c.AltNames = addLine(c.AltNames, alt, maxShort)
		}
	}
}

func otherName(c record.Creator, name string) (alt []string, main string) {
	if c.Name == "" {
		return c.AltNames, name
	}
	return addLine(c.AltNames, name, maxShort), c.Name
}

// collab is the name of a group, without those who are in it.
func collab(n *xmlNode) string {
	own := &xmlNode{name: n.name}
	for _, c := range n.children {
		if c.name != "contrib-group" && c.name != "xref" && c.name != "aff" {
			own.children = append(own.children, c)
		}
	}
	return plainXML(own, maxTitle)
}

func affiliation(n *xmlNode) string {
	own := &xmlNode{name: n.name}
	for _, c := range n.children {
		if c.name != "label" && c.name != "sup" && c.name != "email" {
			own.children = append(own.children, c)
		}
	}
	return plainXML(own, maxTitle)
}

// issued chooses the date of issue: the first that is there of the electronic
// publication, the printed one, the collection (volume or issue), and any other.
// The others are kept besides, by what they are.
func (p *jats) issued(meta *xmlNode) {
	best := len(jatsDates)
	type dated struct{ kind, date string }
	var all []dated
	for _, n := range children(meta, "pub-date") {
		date := p.date(n)
		if date == "" {
			p.warnOf("the publication date " + plainXML(n, 60) + " cannot be read")
			continue
		}
		kind := n.attr("pub-type")
		if kind == "" { // JATS 1.1 and later: date-type and publication-format
			kind = n.attr("date-type")
			if f := n.attr("publication-format"); kind == "pub" || kind == "" {
				kind = map[string]string{"electronic": "epub", "print": "ppub"}[f]
			}
		}
		all = append(all, dated{kind, date})
		rank := len(jatsDates) - 1
		for i, k := range jatsDates {
			if k == kind {
				rank = i
				break
			}
		}
		if rank < best {
			best, p.Record.Issued = rank, date
		}
	}
	for _, d := range all {
		if d.date != p.Record.Issued {
			p.extraText("pub-date", strings.TrimSpace(d.kind+" "+d.date))
		}
	}
}

// jatsDates are kinds of date, the one that counts first; the last stands for others.
var jatsDates = []string{"epub", "epub-ppub", "ppub", "pub", "collection", "preprint", ""}

// date is a date of year, month and day, or as a text.
func (p *jats) date(n *xmlNode) string {
	part := func(name string) string { return cleanLine(n.find(name).text(), 40) }
	year, month, day := part("year"), part("month"), part("day")
	if month != "" && !digits.MatchString(month) {
		if d := edtf(strings.TrimSpace(day + " " + month + " " + year)); d != "" {
			return d
		}
	}
	if d := edtfParts(year, month, day); d != "" {
		return d
	}
	if d := edtf(n.attr("iso-8601-date")); d != "" {
		return d
	}
	return edtf(plainXML(n, 100))
}

// permissions keeps what is said of licences. It is no statement of rights: those
// are stated for files.
func (p *jats) permissions(n *xmlNode) {
	for _, m := range n.children {
		switch m.name {
		case "license", "licence":
			said := m.attr("href")
			m.all(func(c *xmlNode) {
				if said == "" && c.name == "license_ref" {
					said = c.text()
				} else if said == "" && strings.Contains(c.attr("href"), "creativecommons.org/") {
					said = c.attr("href")
				}
			})
			if said == "" {
				said = plainXML(m, maxValue)
			}
			p.extraText("license", said)
		case "copyright-statement", "copyright-holder", "copyright-year":
			p.extraText(m.name, plainXML(m, maxValue))
		case "free_to_read":
			p.extraText(m.name, strings.TrimSpace("yes "+m.attr("start_date")))
		case "license_ref":
			p.extraText("license", m.text())
		default:
			p.keepRest(m)
		}
	}
}

// jatsRelations leads from related-article-type to relations; others are related.
var jatsRelations = map[string]string{
	"preprint": record.EditionOf, "preprint-of": record.EditionOf, "alt-language": record.HasTranslation, "translated-article": record.TranslationOf,
	"translation": record.HasTranslation, "republished-article": record.EditionOf, "update": record.EditionOf,
}

func (p *jats) related(n *xmlNode) {
	kind, href := n.attr("related-article-type"), cleanLine(n.attr("href"), maxValue)
	if kind == "" {
		kind = n.attr("link-type")
	}
	p.extraText(n.name, strings.TrimSpace(kind+" "+href+" "+plainXML(n, maxTitle)))
	if href == "" {
		return
	}
	relation := jatsRelations[kind]
	if relation == "" {
		relation = record.RelatedTo
	}
	if id, ok := parseID(n.attr("ext-link-type"), href); ok {
		p.relate(relation, &id, "")
	}
}

// abstract keeps the abstract: the first that is of no special type, and others by
// their type.
func (p *jats) abstract(n *xmlNode) {
	kind := n.attr("abstract-type")
	own := &xmlNode{name: n.name}
	for _, c := range n.children {
		if c.name != "title" || !strings.EqualFold(plainXML(c, 40), "abstract") {
			own.children = append(own.children, c)
		}
	}
	switch text := plainLines(own, maxAbstract); {
	case n.name == "trans-abstract":
		p.extraText(n.name, strings.TrimSpace(n.attr("lang")+" "+text))
	case kind == "" && p.Record.Abstract == "":
		p.Record.Abstract = text
	default:
		p.extraText(strings.TrimSuffix("abstract-"+kind, "-"), text)
	}
}
