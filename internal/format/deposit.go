package format

import (
	"slices"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// crossrefSpec takes deposits apart (Crossref deposit schema 5.4.0 and earlier, and
// the same under doi_records or crossref_result, as queries answer). A journal, or
// proceedings and series without a DOI, are what works are in, and no works.
var crossrefSpec = xmlSpec{
	roots: []string{"doi_batch", "doi_records", "doi_record", "crossref_result", "crossref"},
	records: []string{
		"journal_article", "conference_paper", "content_item", "dissertation", "dataset", "posted_content", "peer_review", "component", "pending_publication", "grant",
		"book_metadata", "book_series_metadata", "book_set_metadata", "report-paper_metadata", "report-paper_series_metadata", "standard_metadata",
		"database_metadata", "proceedings_metadata", "proceedings_series_metadata", "journal_issue",
	},
	context: []string{
		"journal_metadata", "journal_issue", "event_metadata", "contributors", "book_metadata", "book_series_metadata", "book_set_metadata", "proceedings_metadata",
		"proceedings_series_metadata", "report-paper_metadata", "report-paper_series_metadata", "standard_metadata", "database_metadata",
	},
	skip:  []string{"citation_list"},
	holds: map[string]string{"journal_issue": "doi_data", "database_metadata": "doi_data", "proceedings_metadata": "doi_data", "proceedings_series_metadata": "doi_data"},
}

// depositTypes leads from elements of a deposit to types of Crossref.
var depositTypes = map[string]string{
	"journal_article": "journal-article", "conference_paper": "proceedings-article", "content_item": "book-chapter", "dissertation": "dissertation", "dataset": "dataset",
	"posted_content": "posted-content", "peer_review": "peer-review", "component": "component", "pending_publication": "other", "grant": "grant",
	"book_metadata": "book", "book_series_metadata": "book", "book_set_metadata": "book-set", "report-paper_metadata": "report", "report-paper_series_metadata": "report",
	"standard_metadata": "standard", "database_metadata": "database", "proceedings_metadata": "proceedings", "proceedings_series_metadata": "proceedings", "journal_issue": "journal-issue",
}

// bookTypes leads from the attribute book_type to types of Crossref.
var bookTypes = map[string]string{"edited_book": "edited-book", "monograph": "monograph", "reference": "reference-book"}

// depositRoles leads from contributor_role to MARC relator codes.
var depositRoles = map[string]string{
	"author": "aut", "editor": "edt", "chair": "orm", "reviewer": "rev", "review-assistant": "rev", "stats-reviewer": "rev", "reviewer-external": "rev",
	"translator": "trl", "reader": "ctb",
}

// deposit is one work of a deposit, and what stands around it.
type deposit struct {
	*Described
	kind string
	work *xmlNode
	up   []*xmlNode // its ancestors, the root first
}

func parseDeposit(raw []byte) (*Described, error) {
	root, warning, err := recordXML(raw)
	if err != nil {
		return nil, err
	}
	p := &deposit{Described: &Described{}}
	p.warnOf(warning)
	for n := root; p.work == nil; {
		if depositTypes[n.name] != "" {
			p.work = n
			break
		}
		p.up = append(p.up, n)
		last := len(n.children) - 1
		for last >= 0 && n.children[last].name == "" {
			last--
		}
		if last < 0 {
			return nil, errs.New(errs.Refused, "it is no work of a Crossref deposit")
		}
		n = n.children[last]
	}
	p.kind = depositTypes[p.work.name]
	parent := &xmlNode{}
	if len(p.up) > 0 {
		parent = p.up[len(p.up)-1]
	}
	if t := bookTypes[parent.attr("book_type")]; t != "" && p.kind == "book" {
		p.kind = t
	}
	if t := strings.ToLower(p.work.attr("component_type")); p.kind == "book-chapter" && (t == "section" || t == "part" || t == "track") {
		p.kind = "book-" + t
	} else if p.kind == "book-chapter" && (t == "reference_entry" || parent.attr("book_type") == "reference" && t == "") {
		p.kind = "reference-entry"
	}
	p.crossrefType(p.kind)
	p.surroundings(parent)
	for _, n := range p.up {
		if id, ok := p.checkedID("doi", n.attr("parent_doi")); ok { // of a component
			p.relate(record.PartOf, &id, "")
		}
	}
	p.read()
	if p.kind == "book-chapter" && strings.HasPrefix(parent.name, "report") {
		p.Record.Kind = record.Report
	}
	p.crossrefUntitled(p.kind)
	p.dropEmptyContainer()
	if p.ID == "" {
		for _, id := range p.Record.IDs {
			if id.Scheme == "doi" {
				p.ID = id.Value
			}
		}
	}
	return p.Described, nil
}

// surroundings takes over what belongs to the work of what it is in: the journal and
// its issue, the book or the proceedings.
func (p *deposit) surroundings(parent *xmlNode) {
	box := p.container()
	for _, c := range parent.children {
		if c == p.work || c.name == "" {
			continue
		}
		switch c.name {
		case "journal_metadata":
			for _, m := range c.children {
				switch m.name {
				case "full_title":
					box.Title = plainXML(m, maxTitle)
				case "abbrev_title":
					if box.Title == "" {
						box.Title = plainXML(m, maxTitle)
					}
				case "issn":
					p.keepISSN(m.text())
				}
			}
		case "journal_issue":
			p.issue(c)
			if d := p.date(c, "publication_date"); d != "" {
				p.Record.Issued = d // where the article states none of its own
			}
		case "event_metadata":
			for _, m := range c.children {
				if m.name != "" {
					p.extraText(m.name, plainXML(m, maxTitle))
				}
			}
		case "contributors": // of a conference
			for _, m := range c.children {
				p.contributor(m, "edt")
			}
		case "proceedings_metadata", "proceedings_series_metadata", "book_metadata", "book_series_metadata", "book_set_metadata", "report-paper_metadata",
			"report-paper_series_metadata", "standard_metadata", "database_metadata":
			p.whole(c)
		}
	}
}

// whole takes over what belongs to a part of its whole.
func (p *deposit) whole(c *xmlNode) {
	box, r := p.container(), &p.Record
	titles := c.find("titles")
	for _, m := range c.children {
		switch m.name {
		case "proceedings_title":
			box.Title = plainXML(m, maxTitle)
		case "titles":
			titles = m // its own, and not its series'
		case "volume":
			box.Volume = cleanLine(m.text(), maxTitle)
		case "publisher":
			p.publisher(m)
		case "series_metadata":
			for _, s := range children(m, "issn") {
				p.keepISSN(s.text())
			}
		}
	}
	if r.Issued == "" {
		r.Issued = p.date(c, "publication_date")
	}
	if box.Title == "" && titles != nil {
		box.Title = plainXML(titles.find("title"), maxTitle)
	}
	for _, m := range c.children {
		if m.name == "isbn" {
			p.wholeISBN(m.text(), box.Title)
		}
	}
	if doi := c.find("doi"); doi != nil {
		if id, ok := p.checkedID("doi", doi.text()); ok {
			p.relate(record.PartOf, &id, box.Title)
		}
	}
}

func (p *deposit) issue(n *xmlNode) {
	box := p.container()
	for _, m := range n.children {
		switch m.name {
		case "journal_volume":
			box.Volume = cleanLine(m.find("volume").text(), maxTitle)
		case "issue":
			box.Issue = cleanLine(m.text(), maxTitle)
		case "special_numbering":
			p.extraText(m.name, m.text())
		}
	}
}

// date is the earliest of the dates with a name; the others are kept besides.
func (p *deposit) date(n *xmlNode, name string) string {
	var dates []string
	for _, c := range n.children {
		if c.name != name {
			continue
		}
		for _, in := range []string{"publication_date", "creation_date"} { // database_date holds others
			if inner := children(c, in); len(inner) > 0 {
				c = inner[0]
				break
			}
		}
		part := func(name string) string { return strings.TrimSpace(c.find(name).text()) }
		if d := edtfParts(part("year"), part("month"), part("day")); d != "" {
			dates = append(dates, d)
		} else {
			p.warnOf("the " + name + " " + cleanLine(c.text(), 60) + " cannot be read")
		}
	}
	if len(dates) == 0 {
		return ""
	}
	first := slices.Min(dates)
	if n == p.work {
		for _, d := range dates {
			if d != first {
				p.extraText(name, d)
			}
		}
	}
	return first
}

func (p *deposit) publisher(n *xmlNode) {
	p.Record.Publisher = cleanLine(n.find("publisher_name").text(), maxTitle)
	if place := n.find("publisher_place"); place != nil {
		p.Record.Place = cleanLine(place.text(), maxTitle)
	}
}

func (p *deposit) contributor(n *xmlNode, fallback string) {
	role := depositRoles[n.attr("contributor_role")]
	if role == "" {
		role = fallback
	}
	part := func(name string) string { return plainXML(n.find(name), maxTitle) }
	var c record.Creator
	switch n.name {
	case "person_name":
		c = cslName{Given: part("given_name"), Family: part("surname"), Suffix: part("suffix")}.creator(role)
		p.creatorID(&c, "orcid", n.find("ORCID").text())
		for _, name := range []string{"alt-name", "name"} {
			if alt := n.find(name); alt != nil && plainXML(alt, maxTitle) != c.Name {
				c.AltNames = addLine(c.AltNames, plainXML(alt, maxTitle), maxShort)
			}
		}
	case "organization":
		c = record.Creator{Name: plainXML(n, maxTitle), Role: role}
	case "anonymous":
		p.extraText("anonymous", n.attr("contributor_role"))
		return
	default:
		return
	}
	p.addCreator(c)
	n.all(func(m *xmlNode) {
		if name := m.name; name == "affiliation" || name == "institution_name" {
			p.extraText("affiliation", c.Name+": "+plainXML(m, maxTitle))
		}
	})
}

// read takes the fields of the work itself.
func (p *deposit) read() {
	r, box := &p.Record, p.container()
	if p.work.name == "journal_issue" {
		p.issue(p.work)
	}
	if l := p.work.attr("language"); l != "" {
		p.addLanguage("language", l)
	}
	if t := p.work.attr("type"); t != "" && p.work.name == "posted_content" {
		p.extraText("subtype", t)
	}
	var main, sub, original []string
	series := func(n *xmlNode) { // what a book or report is in
		box.Title = plainXML(n.find("title"), maxTitle)
		for _, s := range children(n, "issn") {
			p.keepISSN(s.text())
		}
	}
	for _, n := range p.work.children {
		switch n.name {
		case "":
		case "titles":
			for _, t := range n.children {
				switch text := plainXML(t, maxTitle); t.name {
				case "title":
					main = append(main, text)
				case "subtitle":
					sub = append(sub, text)
				case "original_language_title":
					original = append(original, text)
				}
			}
		case "proceedings_title":
			main = append(main, plainXML(n, maxTitle))
		case "contributors":
			fallback := "aut"
			if p.work.name == "journal_issue" {
				fallback = "edt"
			}
			for _, c := range n.children {
				p.contributor(c, fallback)
			}
		case "person_name", "organization", "anonymous": // of a dissertation, by itself
			p.contributor(n, "aut")
		case "series_metadata", "set_metadata":
			series(n)
		case "abstract", "description":
			if r.Abstract == "" {
				r.Abstract = plainLines(n, maxAbstract)
			} else {
				p.extraText(n.name, plainXML(n, maxAbstract))
			}
		case "publication_date", "posted_date", "approval_date", "database_date", "review_date", "acceptance_date":
			// below
		case "pages":
			first, last := cleanLine(n.find("first_page").text(), 100), cleanLine(n.find("last_page").text(), 100)
			box.Pages = first
			if last != "" && last != first {
				box.Pages += "-" + last
			}
			p.extraText("other_pages", n.find("other_pages").text())
		case "volume", "component_number":
			if n.name == "volume" {
				box.Volume = cleanLine(n.text(), maxTitle)
			} else {
				p.extraText(n.name, n.text())
			}
		case "journal_volume", "issue", "special_numbering":
			if p.work.name != "journal_issue" {
				p.keepRest(n)
			}
		case "publisher":
			p.publisher(n)
		case "institution":
			name := plainXML(n.find("institution_name"), maxTitle)
			if name == "" {
				name = plainXML(n, maxTitle)
			}
			if place := n.find("institution_place"); r.Publisher == "" {
				r.Publisher, r.Place = name, plainXML(place, maxTitle)
			} else if name != r.Publisher {
				p.extraText("institution", name)
			}
		case "isbn":
			p.crossrefISBN(n.text(), box.Title)
		case "issn":
			p.keepISSN(n.text())
		case "publisher_item":
			p.publisherItem(n)
		case "doi_data":
			p.keepID("doi", n.find("doi").text())
			p.keepID("url", n.find("resource").text())
			if n.find("collection") != nil {
				p.leave("collection")
			}
		case "program":
			p.program(n)
		case "crossmark":
			for _, m := range n.children {
				if m.name == "custom_metadata" {
					for _, program := range children(m, "program") {
						p.program(program)
					}
				} else if m.name != "" {
					p.leave("crossmark")
				}
			}
		case "citation_list", "component_list":
			p.leave(n.name)
		case "subject", "proceedings_subject", "group_title":
			if n.name == "group_title" {
				p.extraText(n.name, n.text())
			} else {
				r.Subjects = addSubject(r.Subjects, subjectOf(n.text()))
			}
		default:
			p.keepRest(n)
		}
	}
	p.crossrefTitles(main, sub, nil, original)
	stated := ""
	for _, name := range []string{"publication_date", "posted_date", "approval_date", "database_date", "review_date", "acceptance_date"} {
		switch d := p.date(p.work, name); {
		case d == "":
		case stated == "":
			stated, r.Issued = d, d
		case d != stated:
			p.extraText(name, d)
		}
	}
}

// publisherItem takes numbers that the publisher gave the work.
func (p *deposit) publisherItem(n *xmlNode) {
	for _, m := range n.children {
		switch {
		case m.name == "item_number" && p.container().Pages == "" && m.attr("item_number_type") == "article_number":
			p.container().Pages = cleanLine(m.text(), 100)
		case m.name == "identifier" && m.attr("id_type") == "doi":
			p.keepID("doi", m.text())
		case m.name == "identifier" && m.attr("id_type") == "isbn":
			p.crossrefISBN(m.text(), p.container().Title)
		case m.name != "":
			p.extraText(m.name, strings.TrimSpace(m.attr("id_type")+" "+m.text()))
		}
	}
}

// program takes what is said of licences, relations and funding.
func (p *deposit) program(n *xmlNode) {
	n.all(func(m *xmlNode) {
		switch m.name {
		case "license_ref":
			p.extraText("license", m.text())
		case "free_to_read":
			p.extraText("free_to_read", strings.TrimSpace("yes "+m.attr("start_date")))
		case "related_item":
			said := plainXML(m.find("description"), maxTitle)
			for _, name := range []string{"inter_work_relation", "intra_work_relation"} {
				for _, rel := range children(m, name) {
					p.crossrefRelation(rel.attr("relationship-type"), rel.attr("identifier-type"), cleanLine(rel.text(), maxValue), said)
				}
			}
		case "assertion":
			if name := m.attr("name"); name == "funder_name" || name == "award_number" {
				var own strings.Builder
				for _, c := range m.children {
					own.WriteString(c.data) // without the assertions in it
				}
				p.extraText(name, own.String())
			}
		}
	})
}
