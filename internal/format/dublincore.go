package format

import (
	"regexp"
	"slices"
	"strings"

	"wenlan/internal/record"
)

// # Dublin Core
//
// Elements are those of the DCMI Metadata Terms (https://www.dublincore.org/specifications/dublin-core/dcmi-terms/),
// told by their local name; oai_dc has the first fifteen. What they become:
//
//	title          title; the further ones, and alternative, are alternative titles
//	creator        creator (aut), contributor (ctb, or the role in brackets behind the
//	               name); "Austen, Jane" is shown as Jane Austen; life dates are taken off
//	               the name; an ORCID or ISNI beside it is the person's
//	date           issued: the one called issued, else the earliest; others to Extra
//	type           kind, by info:eu-repo/semantics, COAR resource types, DCMI types or a
//	               word; all but the deciding one to Extra
//	identifier     id, by its form; a sentence is no id and goes to Extra
//	language       language
//	relation       info:eu-repo/semantics/altIdentifier is an id; another id is a relation,
//	               by the refinement's name (isPartOf, isVersionOf …); else Extra
//	source         of an article or chapter the journal, with volume, issue and pages as
//	               OJS writes them; an ISSN the journal's; what was taken apart also to Extra
//	subject        subject; of a scheme by info:eu-repo/classification, xsi:type, a scheme
//	               attribute or "ddc:823". A bare number is a word like any other: those of
//	               DDC and UDC look the same
//	publisher      publisher, the first; others to Extra
//	description    abstract: abstract, else the longest; others to Extra
//	rights         Extra: rights are stated for files, and here are none
//	all others     Extra, by their name
type dublinCore struct {
	d      *Described
	fields []dcField
}

// dcField is one element.
type dcField struct{ name, text, typ string }

// maxDCFields bounds the elements of one record that are looked at.
const maxDCFields = 5000

// describeDC reads the elements that are n's children.
func describeDC(n *xmlNode, d *Described) {
	c := dublinCore{d: d}
	for _, e := range n.children {
		if e.name == "" {
			continue
		}
		text := strings.TrimSpace(e.text())
		if text == "" {
			continue
		}
		if len(c.fields) == maxDCFields {
			d.Left = append(d.Left, e.name)
			continue
		}
		if s := strings.ToLower(e.space); s != "" && !strings.Contains(s, "purl.org/dc") && !strings.Contains(s, "openarchives.org") && s != "dc" && s != "dcterms" {
			d.keep(e.name, text)
			continue
		}
		c.fields = append(c.fields, dcField{strings.ToLower(e.name), text, dcType(e)})
	}
	c.titles()
	c.kind()
	for _, f := range c.fields {
		switch f.name {
		case "creator":
			c.person(f.text, "aut")
		case "contributor":
			c.person(f.text, "ctb")
		case "subject":
			c.subject(f)
		case "language":
			c.language(f.text)
		case "identifier":
			c.identifier(f.text)
		case "publisher":
			if d.Record.Publisher == "" {
				d.Record.Publisher = cleanLine(f.text, maxTitle)
			} else {
				d.keep("publisher", f.text)
			}
		case "source":
			c.source(f.text)
		case "title", "alternative", "type", "date", "issued", "created", "available", "description", "abstract":
		default:
			if t, ok := dcRelations[f.name]; ok {
				c.relation(f, t)
			} else {
				d.keep(f.name, f.text)
			}
		}
	}
	c.date()
	c.abstract()
}

func (c *dublinCore) titles() {
	r := &c.d.Record
	for _, name := range []string{"title", "alternative"} {
		for _, f := range c.fields {
			if f.name != name {
				continue
			}
			t := cleanLine(stripHTML(f.text), maxTitle)
			switch {
			case t == "" || t == r.Title:
			case r.Title == "":
				r.Title = t
			case len(r.AltTitles) < maxShort:
				r.AltTitles = addLine(r.AltTitles, t, maxShort)
			default:
				c.d.Left = append(c.d.Left, name)
			}
		}
	}
}

// dcKinds leads from what dc:type says to a kind: the last part of
// info:eu-repo/semantics/… (https://wiki.surfnet.nl/display/standards/info-eu-repo),
// of a COAR resource type (https://vocabularies.coar-repositories.org/resource_types/),
// of a DCMI type, or the words that repositories write.
var dcKinds = map[string]record.Kind{
	"article": record.Article, "journalarticle": record.Article, "preprint": record.Article, "conferenceobject": record.Article, "conferencepaper": record.Article,
	"conferenceitem": record.Article, "contributiontoperiodical": record.Article, "review": record.Article, "workingpaper": record.Report, "letter": record.Article,
	"researcharticle": record.Article, "reviewarticle": record.Article, "datapaper": record.Article, "lecture": record.Article, "newspaperarticle": record.Article,
	"book": record.Book, "monograph": record.Book, "ebook": record.Book, "bookpart": record.Chapter, "bookchapter": record.Chapter, "bookitem": record.Chapter, "chapter": record.Chapter,
	"doctoralthesis": record.Thesis, "masterthesis": record.Thesis, "bachelorthesis": record.Thesis, "studentthesis": record.Thesis, "thesis": record.Thesis,
	"dissertation": record.Thesis, "thesisordissertation": record.Thesis, "electronicthesisordissertation": record.Thesis, "phdthesis": record.Thesis,
	"report": record.Report, "technicalreport": record.Report, "technicaldocumentation": record.Report, "researchreport": record.Report, "externalresearchreport": record.Report,
	"dataset": record.Dataset, "sound": record.Audio, "audio": record.Audio, "image": record.Image, "stillimage": record.Image, "movingimage": record.Image, "photograph": record.Image,
	"journal": record.Issue, "periodical": record.Issue, "issue": record.Issue,
	"c_6501": record.Article, "c_2df8fbb1": record.Article, "c_dcae04bc": record.Article, "c_beb9": record.Article, "c_816b": record.Article, "c_5794": record.Article,
	"c_c94f": record.Article, "c_545b": record.Article, "c_998f": record.Article, "c_2f33": record.Book, "c_3248": record.Chapter, "c_46ec": record.Thesis, "c_db06": record.Thesis,
	"c_bdcc": record.Thesis, "c_7a1f": record.Thesis, "c_93fc": record.Report, "c_18ws": record.Report, "c_18gh": record.Report, "c_8042": record.Report,
	"c_ddb1": record.Dataset, "c_18cc": record.Audio, "c_c513": record.Image, "c_ecc8": record.Image, "c_2659": record.Issue, "c_0640": record.Issue,
}

func (c *dublinCore) kind() {
	r := &c.d.Record
	for _, f := range c.fields {
		if f.name != "type" {
			continue
		}
		word := f.text[strings.LastIndexAny(f.text, "/:#")+1:]
		word = strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(word))
		kind, ok := dcKinds[word]
		if code := f.text[strings.LastIndexByte(f.text, '/')+1:]; !ok && strings.HasPrefix(code, "c_") {
			kind, ok = dcKinds[strings.ToLower(code)]
		}
		if ok && r.Kind == "" {
			r.Kind = kind
			continue
		}
		c.d.keep("type", f.text)
	}
	if r.Kind == "" {
		r.Kind = record.Other
	}
}

var (
	lifeDates   = regexp.MustCompile(`,?\s*\(?(?:b\. |d\. |ca?\. ?)?\d{3,4}\??\s*[-–]\s*(?:ca?\. ?)?(?:\d{3,4}\??)?\)?\.?$`)
	roleBehind  = regexp.MustCompile(`\s*[\[(]([\p{L}.]{2,20})[\])]\s*$`)
	personID    = regexp.MustCompile(`(?i)[;,]?\s*[\[(]?(?:orcid:?\s*|isni:?\s*)?(?:https?://(?:www\.)?(orcid|isni)\.org/(?:isni/)?)?((?:\d{4}[- ]?){3}\d{3}[\dX])[\])]?\s*$`)
	notInverted = regexp.MustCompile(`(?i)^(?:jr|sr|inc|ltd|llc|co|corp|gmbh|ag|sa|s\.a|plc|ph\.? ?d|m\.? ?d|eds?|et al|[ivx]+)\.?$`)
)

// personOf is a person as the name stands in a list: "Austen, Jane, 1775-1817" is
// shown as Jane Austen and sorted as it stands. A name with more commas, or with
// what is no given name behind the comma, stays as it is.
func personOf(text, role string) record.Creator {
	c := record.Creator{Role: role}
	name := cleanLine(text, maxTitle)
	if m := personID.FindStringSubmatch(name); m != nil {
		for _, scheme := range []string{"orcid", "isni"} {
			if strings.EqualFold(m[1], "isni") && scheme == "orcid" {
				continue
			}
			if id, ok := record.NormalID(scheme, m[2]); ok {
				c.IDs = []record.ID{id}
				name = strings.TrimSpace(name[:len(name)-len(m[0])])
				break
			}
		}
	}
	if m := roleBehind.FindStringSubmatch(name); m != nil {
		if code := relator(strings.TrimSuffix(m[1], "."), ""); code != "" && (len(m[1]) > 3 || code != strings.ToLower(m[1])) {
			c.Role = code
			name = strings.TrimSpace(name[:len(name)-len(m[0])])
		} else if code, ok := roleShort[strings.ToLower(strings.TrimSuffix(m[1], "."))]; ok {
			c.Role = code
			name = strings.TrimSpace(name[:len(name)-len(m[0])])
		}
	}
	sorted := name
	if plain := lifeDates.ReplaceAllString(name, ""); plain != name && strings.TrimSpace(plain) != "" {
		name = strings.TrimSpace(plain)
	}
	name = strings.TrimSpace(strings.TrimRight(name, ",;"))
	c.Name = name
	if parts := strings.Split(name, ","); len(parts) == 2 {
		family, given := strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1])
		switch {
		case family == "" || given == "" || notInverted.MatchString(given) || len(strings.Fields(given)) > 5 || strings.ContainsAny(name, "0123456789"):
		case isHanName(family) && isHanName(given):
			c.Name = family + given
		default:
			c.Name = given + " " + family
		}
	}
	if sorted != c.Name && c.Name != "" {
		c.AltNames = addLine(nil, sorted, maxShort)
	}
	return c
}

// roleShort are roles as they stand in brackets behind a name.
var roleShort = map[string]string{"ed": "edt", "eds": "edt", "hrsg": "edt", "hg": "edt", "éd": "edt", "tr": "trl", "trans": "trl", "übers": "trl", "trad": "trl", "ill": "ill", "dir": "dgs", "director": "dgs", "advisor": "ths", "supervisor": "ths"}

func (c *dublinCore) person(text, role string) {
	r := &c.d.Record
	p := personOf(text, role)
	if p.Name == "" {
		if len(p.IDs) > 0 && len(r.Creators) > 0 { // the ORCID of the name before it
			last := &r.Creators[len(r.Creators)-1]
			if !slices.Contains(last.IDs, p.IDs[0]) && len(last.IDs) < maxShort {
				last.IDs = append(last.IDs, p.IDs[0])
			}
		}
		return
	}
	if len(r.Creators) >= maxList {
		c.d.Left = append(c.d.Left, "creator")
		return
	}
	for _, have := range r.Creators[max(0, len(r.Creators)-maxShort):] {
		if have.Name == p.Name && have.Role == p.Role {
			return
		}
	}
	r.Creators = append(r.Creators, p)
}

// dcSchemes are the encoding schemes of subjects, as dcType gives them.
var dcSchemes = map[string]string{"ddc": "ddc", "dewey": "ddc", "lcsh": "lcsh", "lcc": "lcc", "udc": "udc", "mesh": "mesh", "nlm": "nlm", "clc": "clc"}

// dcType is the encoding scheme that an element names, as xsi:type="dcterms:DDC",
// scheme="DDC", or by the IRI of the scheme: its last part.
func dcType(e *xmlNode) string {
	typ := e.attr("type")
	if typ == "" {
		typ = e.attr("scheme")
	}
	typ = strings.TrimRight(typ, "/#")
	return strings.ToLower(typ[strings.LastIndexAny(typ, ":/#")+1:])
}

func (c *dublinCore) subject(f dcField) {
	r := &c.d.Record
	if rest, ok := strings.CutPrefix(f.text, "info:eu-repo/classification/"); ok {
		scheme, code, _ := strings.Cut(rest, "/")
		code = cleanLine(code, 200)
		r.Subjects = addSubject(r.Subjects, record.Subject{Scheme: strings.ToLower(cleanLine(scheme, 100)), Code: code, Label: code})
		return
	}
	scheme := dcSchemes[f.typ]
	for part := range strings.SplitSeq(f.text, "; ") {
		s := subjectOf(strings.Trim(part, "; "))
		if s.Scheme == "" {
			s.Scheme = scheme
		}
		switch s.Scheme {
		case "ddc", "lcc", "udc", "clc", "nlm":
			s.Code = cleanLine(s.Label, 200)
		}
		if len(r.Subjects) >= maxList {
			c.d.Left = append(c.d.Left, "subject")
			return
		}
		r.Subjects = addSubject(r.Subjects, s)
	}
}

func (c *dublinCore) language(text string) {
	for l := range strings.FieldsFuncSeq(text, func(x rune) bool { return x == ';' || x == ',' || x == '/' }) {
		if tag := normalLanguage(l); tag != "" {
			c.d.Record.Languages = addLine(c.d.Record.Languages, tag, maxShort)
		} else {
			c.d.keep("language", l)
		}
	}
}

// dcStated are the beginnings by which an identifier names a scheme with a check.
var dcStated = []struct{ prefix, scheme string }{
	{"urn:isbn:", "isbn"}, {"isbn", "isbn"}, {"urn:issn:", "issn"}, {"issn", "issn"}, {"doi:", "doi"},
}

// addStated adds an identifier that may be wrong: one whose scheme is stated and
// whose check digit or form is not right is kept as text, with a warning.
func (d *Described) addStated(scheme, value string) {
	r := &d.Record
	if len(r.IDs) >= maxShort {
		d.Left = append(d.Left, "identifier")
		return
	}
	if scheme == "" {
		lower := strings.ToLower(value)
		for _, s := range dcStated {
			if strings.HasPrefix(lower, s.prefix) {
				scheme = s.scheme
				break
			}
		}
	}
	switch scheme {
	case "isbn", "issn", "doi", "orcid", "isni":
		if _, ok := record.NormalID(scheme, value); !ok {
			d.Warnings = append(d.Warnings, "“"+cleanLine(value, 100)+"” is not a valid "+strings.ToUpper(scheme)+"; it is kept as text")
			if id := (record.ID{Scheme: "local", Value: cleanLine(value, maxValue)}); !slices.Contains(r.IDs, id) {
				r.IDs = append(r.IDs, id)
			}
			return
		}
	}
	r.IDs = addID(r.IDs, scheme, value)
}

func (c *dublinCore) identifier(text string) {
	r := &c.d.Record
	text = cleanLine(text, maxValue)
	if list := splitIDs("", text); len(list) > 1 {
		for _, one := range list {
			c.d.addStated("", one)
		}
		return
	}
	if issn, ok := record.ISSN(text); ok && r.Kind != record.Issue {
		c.container().ISSN = issn
		return
	}
	if strings.ContainsRune(text, ' ') {
		if id, ok := parseID("", text); !ok || id.Scheme == "local" || id.Scheme == "url" {
			if !statedID(text) {
				c.d.keep("identifier", text)
				return
			}
		}
	}
	c.d.addStated("", text)
}

func statedID(text string) bool {
	lower := strings.ToLower(text)
	for _, s := range dcStated {
		if strings.HasPrefix(lower, s.prefix) && len(text) < 60 {
			return true
		}
	}
	return false
}

func (c *dublinCore) container() *record.Container {
	if c.d.Record.Container == nil {
		c.d.Record.Container = &record.Container{}
	}
	return c.d.Record.Container
}

var (
	ojsVolume = regexp.MustCompile(`(?i)\b(?:vol(?:ume|\.)?|bd\.?|band|tomo|t\.|v\.)\s*([0-9A-Za-z/-]{1,20})`)
	ojsIssue  = regexp.MustCompile(`(?i)\b(?:no\.?|n[úu]m\.?|nr\.?|n[º°]|issue|heft)\s*([0-9A-Za-z/-]{1,20})`)
	ojsPages  = regexp.MustCompile(`^(?:pp?\. ?)?([0-9A-Za-z]{1,12}(?:\s*[-–]\s*[0-9A-Za-z]{1,12})?)$`)
)

// source reads dc:source. OJS writes "Journal; Vol. 3 No. 2 (2010): Theme; 12-20"
// and, apart, the ISSN.
func (c *dublinCore) source(text string) {
	r := &c.d.Record
	text = cleanLine(text, maxValue)
	if issn, ok := record.ISSN(text); ok {
		if box := c.container(); box.ISSN == "" {
			box.ISSN = issn
		} else {
			c.d.keep("source", text)
		}
		return
	}
	if (r.Kind != record.Article && r.Kind != record.Chapter) || r.Container != nil && r.Container.Title != "" || strings.Contains(text, "://") {
		c.d.keep("source", text)
		return
	}
	parts := strings.Split(text, ";")
	c.container().Title = cleanLine(parts[0], maxTitle)
	if len(parts) == 1 {
		return
	}
	c.d.keep("source", text)
	if m := ojsVolume.FindStringSubmatch(parts[1]); m != nil {
		r.Container.Volume = m[1]
	}
	if m := ojsIssue.FindStringSubmatch(parts[1]); m != nil {
		r.Container.Issue = m[1]
	}
	if m := ojsPages.FindStringSubmatch(strings.TrimSpace(parts[len(parts)-1])); m != nil && len(parts) > 2 {
		r.Container.Pages = m[1]
	}
}

// dcRelations leads from relation and its refinements to types of relation; ""
// has none.
var dcRelations = map[string]string{
	"relation": record.RelatedTo, "ispartof": record.PartOf, "haspart": record.HasPart, "isversionof": record.EditionOf, "hasversion": record.EditionOf,
	"isformatof": record.FormatOf, "hasformat": record.FormatOf, "replaces": record.Continues, "isreplacedby": record.ContinuedBy,
}

func (c *dublinCore) relation(f dcField, typ string) {
	r := &c.d.Record
	if rest, ok := strings.CutPrefix(f.text, "info:eu-repo/semantics/altIdentifier/"); ok {
		scheme, value, _ := strings.Cut(rest, "/")
		switch scheme = strings.ToLower(scheme); scheme {
		case "eissn", "pissn", "issn":
			if issn, ok := record.ISSN(value); ok && c.container().ISSN == "" {
				r.Container.ISSN = issn
				return
			}
		case "hdl":
			value, scheme = "https://hdl.handle.net/"+value, "url"
		case "isbn", "doi", "arxiv", "pmid", "pissnl", "urn":
		default:
			c.d.keep(f.name, f.text)
			return
		}
		c.d.addStated(scheme, value)
		return
	}
	if typ == record.PartOf && (r.Kind == record.Article || r.Kind == record.Chapter) && !strings.Contains(f.text, "://") && (r.Container == nil || r.Container.Title == "") {
		if _, ok := record.ISSN(f.text); !ok {
			c.container().Title = cleanLine(f.text, maxTitle)
			return
		}
	}
	id, ok := parseID("", f.text)
	if !ok || id.Scheme == "local" || strings.HasPrefix(f.text, "info:") || len(r.Relations) >= maxShort {
		c.d.keep(f.name, f.text)
		return
	}
	rel := record.Relation{Type: typ, ID: &id}
	if !slices.ContainsFunc(r.Relations, func(have record.Relation) bool { return have.Type == typ && have.ID != nil && *have.ID == id }) {
		r.Relations = append(r.Relations, rel)
	}
}

var decade = regexp.MustCompile(`^(\d{3})0s$`)

func (c *dublinCore) date() {
	r := &c.d.Record
	var from string // the text that Issued was told from
	found := func(text string) string {
		if m := decade.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
			return m[1] + "X"
		}
		if strings.HasPrefix(text, "info:eu-repo/date/") {
			return ""
		}
		return edtf(text)
	}
	for _, name := range []string{"issued", "date", "created"} {
		for _, f := range c.fields {
			if f.name != name || r.Issued != "" && name != "date" {
				continue
			}
			d := found(f.text)
			if d != "" && (r.Issued == "" || name == "date" && d < r.Issued && !strings.HasPrefix(from, "\x00")) {
				r.Issued, from = d, f.text
				if name == "issued" {
					from = "\x00" + f.text // decides, whatever else there is
				}
			}
		}
	}
	from = strings.TrimPrefix(from, "\x00")
	for _, f := range c.fields {
		switch f.name {
		case "date", "issued", "created", "available":
			if f.text == from {
				continue
			}
			c.d.keep(f.name, f.text)
			if r.Issued == "" && f.name != "available" && !strings.HasPrefix(f.text, "info:") {
				c.d.Warnings = append(c.d.Warnings, "the date “"+cleanLine(f.text, 100)+"” cannot be read")
			}
		}
	}
}

var paragraphs = regexp.MustCompile(`\n[ \t\r]*\n\s*`)

// unwrap joins the lines into which XML was broken; an empty line ends a paragraph.
func unwrap(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	parts := paragraphs.Split(s, -1)
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], "\n", " ")
	}
	return strings.Join(parts, "\n")
}

func (c *dublinCore) abstract() {
	best := -1
	for i, f := range c.fields {
		if f.name != "abstract" && f.name != "description" {
			continue
		}
		switch {
		case best < 0, f.name == "abstract" && c.fields[best].name != "abstract":
			best = i
		case f.name == c.fields[best].name && len(f.text) > len(c.fields[best].text):
			best = i
		}
	}
	for i, f := range c.fields {
		if f.name != "abstract" && f.name != "description" {
			continue
		}
		if i == best {
			c.d.Record.Abstract = cleanText(unwrap(stripHTML(f.text)), maxAbstract)
		} else {
			c.d.keep(f.name, f.text)
		}
	}
}
