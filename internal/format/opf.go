package format

import (
	"sort"
	"strconv"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// opf is a package document (EPUB 3.3, section 5; OPF 2.0.1), as far as the
// library needs it.
type opf struct {
	doc      Document
	version  string
	name     string // of the package document in the archive; "" for a sidecar
	items    map[string]*opfItem
	order    []*opfItem // in the order of the manifest
	spine    []*opfItem
	nav, ncx *opfItem
	coverID  string // EPUB 2: <meta name="cover">
	guide    string // EPUB 2: the cover page, a path in the archive
	fallback map[string]string
}

// opfItem is one file of the manifest.
type opfItem struct {
	id, path, mediaType, properties string
	linear                          bool
}

func (it *opfItem) has(property string) bool {
	for _, p := range strings.Fields(it.properties) {
		if p == property {
			return true
		}
	}
	return false
}

// ParseOPF reads a metadata.opf as Calibre writes it beside a book, or any
// package document on its own. The media type of the document stays empty: an OPF
// describes another file.
func ParseOPF(data []byte) (*Document, error) {
	p, err := parsePackage(data, "")
	if err != nil {
		return nil, err
	}
	return &p.doc, nil
}

func parsePackage(data []byte, name string) (*opf, error) {
	root, wellFormed, err := parseXML(data)
	if err != nil {
		return nil, errs.New(errs.Refused, "the package document cannot be read: %w", err)
	}
	pkg := root.find("package")
	if pkg == nil {
		return nil, errs.New(errs.Refused, "the package document has no package element")
	}
	p := &opf{version: pkg.attr("version"), name: name, items: map[string]*opfItem{}, fallback: map[string]string{}}
	if !wellFormed {
		p.doc.warn("the package document is not well-formed XML; what could be read of it was used")
	}
	m := pkg.find("metadata")
	if m == nil && name == "" {
		return nil, errs.New(errs.Refused, "the package document has no metadata")
	}
	p.metadata(m, pkg.attr("unique-identifier"))
	p.manifest(pkg)
	return p, nil
}

// refinement is a meta element that says more of another element.
type refinement struct{ property, scheme, value, lang string }

// opfMeta is the metadata section, sorted into what it is about.
type opfMeta struct {
	refines map[string][]refinement // by the id that they refine
	named   map[string][]string     // EPUB 2: <meta name content>
	props   []opfProp               // EPUB 3: <meta property> of the publication itself
}

type opfProp struct {
	id string
	refinement
}

// of is the first value of a property that refines the element with an id.
func (m *opfMeta) of(id, property string) string {
	for _, r := range m.refines[id] {
		if id != "" && r.property == property {
			return r.value
		}
	}
	return ""
}

func (p *opf) metadata(section *xmlNode, uniqueID string) {
	meta := &opfMeta{refines: map[string][]refinement{}, named: map[string][]string{}}
	var rights rightsOf
	var dc []*xmlNode
	section.all(func(n *xmlNode) {
		switch name := strings.ToLower(n.name); name {
		case "meta":
			p.meta(n, meta)
		case "link":
			rel := strings.ToLower(n.attr("rel"))
			if n.attr("refines") == "" && (strings.Contains(rel, "license") || strings.Contains(rel, "licence")) {
				rights.add(n.attr("href"))
			}
		case "metadata", "dc-metadata", "x-metadata":
		default:
			if n.space == "" || strings.Contains(n.space, "purl.org/dc") || n.space == "dc" || strings.Contains(n.space, "openebook") || strings.Contains(n.space, "idpf") {
				dc = append(dc, n)
			}
		}
	})
	r := &p.doc.Record
	r.Kind = record.Book
	p.titles(dc, meta)
	for _, n := range dc {
		text := n.text()
		switch strings.ToLower(n.name) {
		case "creator":
			p.creator(n, meta, "aut")
		case "contributor":
			p.creator(n, meta, "ctb")
		case "language":
			if tag := normalLanguage(text); tag != "" {
				r.Languages = addLine(r.Languages, tag, maxShort)
			}
		case "identifier":
			scheme := n.attr("scheme")
			if t := meta.of(n.attr("id"), "identifier-type"); t != "" {
				scheme = t
			}
			r.IDs = addID(r.IDs, scheme, text)
		case "subject":
			p.subject(n, meta)
		case "description":
			if r.Abstract == "" {
				r.Abstract = cleanText(stripHTML(text), maxAbstract)
			}
		case "publisher":
			if r.Publisher == "" {
				r.Publisher = cleanLine(text, maxTitle)
			}
		case "source":
			if id, ok := parseID(n.attr("scheme"), text); ok && (id.Scheme == "isbn" || id.Scheme == "doi") && len(r.Relations) < maxShort {
				r.Relations = append(r.Relations, record.Relation{Type: "edition_of", ID: &id})
			}
		case "rights":
			rights.add(text)
		}
	}
	p.dates(dc, meta)
	for _, prop := range meta.props {
		switch prop.property {
		case "dcterms:rights", "dcterms:license", "cc:license", "schema:license", "xhtml:license", "dcterms:rightsstatement":
			rights.add(prop.value)
		}
	}
	for _, name := range []string{"license", "licence", "dc.rights", "dcterms.license"} {
		for _, v := range meta.named[name] {
			rights.add(v)
		}
	}
	p.series(meta)
	rights.settle(&p.doc)
	if c := meta.named["cover"]; len(c) > 0 {
		p.coverID = c[0]
	}
	if looksLikeMarkup(r.Title) {
		p.doc.warn("the title holds markup; it is kept as plain text")
	}
}

// meta sorts one meta element of either version.
func (p *opf) meta(n *xmlNode, meta *opfMeta) {
	if property := strings.ToLower(n.attr("property")); property != "" {
		ref := refinement{property: property, scheme: n.attr("scheme"), value: strings.TrimSpace(n.text()), lang: n.attr("lang")}
		if target := strings.TrimPrefix(n.attr("refines"), "#"); target != "" {
			if len(meta.refines[target]) < maxShort {
				meta.refines[target] = append(meta.refines[target], ref)
			}
		} else {
			meta.props = append(meta.props, opfProp{n.attr("id"), ref})
		}
		return
	}
	if name := strings.ToLower(n.attr("name")); name != "" {
		meta.named[name] = append(meta.named[name], n.attr("content"))
	}
}

// titles picks the main title and gathers the others. A subtitle is kept out of
// the title, so that editions of one work find each other, and given with it as
// an alternative title.
func (p *opf) titles(dc []*xmlNode, meta *opfMeta) {
	type title struct {
		text, kind string
		seq        int
	}
	var list []title
	var alt []string
	for _, n := range dc {
		if !strings.EqualFold(n.name, "title") || len(list) > maxShort {
			continue
		}
		text := cleanLine(n.text(), maxTitle)
		if text == "" {
			continue
		}
		id := n.attr("id")
		seq, err := strconv.Atoi(meta.of(id, "display-seq"))
		if err != nil {
			seq = maxShort
		}
		list = append(list, title{text, strings.ToLower(meta.of(id, "title-type")), seq})
		for _, ref := range meta.refines[id] {
			if ref.property == "alternate-script" {
				alt = append(alt, ref.value)
			}
		}
	}
	r := &p.doc.Record
	for _, t := range list {
		if r.Title == "" && t.kind == "main" {
			r.Title = t.text
		}
	}
	for _, t := range list {
		if r.Title == "" && (t.kind == "" || t.kind == "expanded") {
			r.Title = t.text
		}
	}
	if r.Title == "" && len(list) > 0 {
		r.Title = list[0].text
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].seq < list[j].seq })
	for _, t := range list {
		switch t.kind {
		case "subtitle":
			r.AltTitles = addLine(r.AltTitles, r.Title+": "+t.text, maxShort)
		case "edition":
		case "collection":
			if r.Container == nil {
				r.Container = &record.Container{Title: t.text}
			}
		default:
			if t.text != r.Title {
				r.AltTitles = addLine(r.AltTitles, t.text, maxShort)
			}
		}
	}
	for _, a := range alt {
		if a != r.Title {
			r.AltTitles = addLine(r.AltTitles, a, maxShort)
		}
	}
}

// makers are the roles of those who made the file and not the work.
var makers = map[string]bool{
	"bkp": true, "bkd": true, "mrk": true, "mdc": true, "tyd": true, "tyg": true, "pfr": true, "pbl": true, "dst": true,
	"prg": true, "prt": true, "crr": true, "own": true, "fmo": true, "cov": true, "bjd": true, "trc": true,
}

// roleNames are roles written out, with their MARC relator codes.
var roleNames = map[string]string{
	"author": "aut", "writer": "aut", "作者": "aut", "著": "aut", "translator": "trl", "译者": "trl", "譯者": "trl", "译": "trl",
	"editor": "edt", "编者": "edt", "編者": "edt", "illustrator": "ill", "contributor": "ctb", "compiler": "com", "narrator": "nrt",
	"introduction": "aui", "artist": "art", "photographer": "pht", "annotator": "ann", "commentator": "cmm", "composer": "cmp",
}

// relator is a role as a MARC relator code; fallback where none can be told.
func relator(s, fallback string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if i := strings.LastIndexAny(s, "/:"); i >= 0 {
		s = s[i+1:]
	}
	if code, ok := roleNames[s]; ok {
		return code
	}
	if len(s) == 3 && s[0] >= 'a' && s[0] <= 'z' && s[1] >= 'a' && s[1] <= 'z' && s[2] >= 'a' && s[2] <= 'z' {
		return s
	}
	return fallback
}

func (p *opf) creator(n *xmlNode, meta *opfMeta, fallback string) {
	r := &p.doc.Record
	name := cleanLine(n.text(), maxTitle)
	if name == "" || len(r.Creators) >= maxList {
		return
	}
	id := n.attr("id")
	stated := n.attr("role")
	if v := meta.of(id, "role"); v != "" {
		stated = v
	}
	c := record.Creator{Name: name, Role: relator(stated, fallback)}
	if fallback == "ctb" && makers[c.Role] {
		return
	}
	sortName := n.attr("file-as")
	if v := meta.of(id, "file-as"); v != "" {
		sortName = v
	}
	if sortName != "" && cleanLine(sortName, maxTitle) != name {
		c.AltNames = addLine(c.AltNames, sortName, maxShort)
	}
	for _, ref := range meta.refines[id] {
		if ref.property == "alternate-script" {
			c.AltNames = addLine(c.AltNames, ref.value, maxShort)
		}
	}
	for _, have := range r.Creators {
		if have.Name == c.Name && have.Role == c.Role {
			return
		}
	}
	r.Creators = append(r.Creators, c)
}

func (p *opf) subject(n *xmlNode, meta *opfMeta) {
	r := &p.doc.Record
	id := n.attr("id")
	s := record.Subject{Label: cleanLine(n.text(), maxTitle)}
	scheme, code := n.attr("authority"), n.attr("term")
	if v := meta.of(id, "authority"); v != "" {
		scheme = v
	}
	if v := meta.of(id, "term"); v != "" {
		code = v
	}
	s.Scheme, s.Code = strings.ToLower(cleanLine(scheme, 100)), cleanLine(code, 200)
	if s.Code != "" && strings.EqualFold(s.Code, "unknown") {
		s.Code = ""
	}
	r.Subjects = addSubject(r.Subjects, s)
}

func addSubject(list []record.Subject, s record.Subject) []record.Subject {
	if s.Label == "" || len(list) >= maxList {
		return list
	}
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// dates picks the date of issue: what is said to be the publication, else the
// first date that is not one of a change to the file.
func (p *opf) dates(dc []*xmlNode, meta *opfMeta) {
	r := &p.doc.Record
	var first string
	for _, n := range dc {
		if !strings.EqualFold(n.name, "date") {
			continue
		}
		event := strings.ToLower(n.attr("event"))
		date := edtf(n.text())
		switch {
		case date == "" || strings.Contains(event, "modif") || strings.Contains(event, "conver"):
		case strings.Contains(event, "publi"):
			r.Issued = date
			return
		case first == "":
			first = date
		}
	}
	for _, prop := range meta.props {
		if prop.property == "dcterms:issued" {
			if date := edtf(prop.value); date != "" {
				r.Issued = date
				return
			}
		}
	}
	r.Issued = first
}

// series finds the series or set: Calibre's metas first, then the first
// belongs-to-collection that is called a series, then any.
func (p *opf) series(meta *opfMeta) {
	r := &p.doc.Record
	if s := meta.named["calibre:series"]; len(s) > 0 && cleanLine(s[0], maxTitle) != "" {
		r.Container = &record.Container{Title: cleanLine(s[0], maxTitle)}
		if v := meta.named["calibre:series_index"]; len(v) > 0 {
			r.Container.Volume = cleanLine(strings.TrimSuffix(strings.TrimSuffix(v[0], ".0"), ".00"), 40)
		}
		return
	}
	var sets *record.Container
	for _, prop := range meta.props {
		if prop.property != "belongs-to-collection" {
			continue
		}
		c := &record.Container{Title: cleanLine(prop.value, maxTitle), Volume: cleanLine(meta.of(prop.id, "group-position"), 40)}
		if c.Title == "" {
			continue
		}
		if meta.of(prop.id, "collection-type") != "set" {
			r.Container = c
			return
		}
		if sets == nil {
			sets = c
		}
	}
	if r.Container == nil {
		r.Container = sets
	}
}

// manifest reads manifest, spine and guide. Paths are resolved to names in the
// archive; what leads out of it is left out.
func (p *opf) manifest(pkg *xmlNode) {
	for _, n := range children(pkg.find("manifest"), "item") {
		it := &opfItem{
			id:         n.attr("id"),
			path:       resolve(p.name, n.attr("href")),
			mediaType:  strings.ToLower(n.attr("media-type")),
			properties: n.attr("properties"),
		}
		if it.path == "" {
			continue
		}
		p.order = append(p.order, it)
		if it.id != "" && p.items[it.id] == nil {
			p.items[it.id] = it
			if fb := n.attr("fallback"); fb != "" {
				p.fallback[it.id] = fb
			}
		}
		if p.nav == nil && it.has("nav") {
			p.nav = it
		}
	}
	spine := pkg.find("spine")
	if spine != nil {
		p.ncx = p.items[spine.attr("toc")]
	}
	for _, it := range p.order {
		if p.ncx == nil && it.mediaType == "application/x-dtbncx+xml" {
			p.ncx = it
		}
	}
	for _, n := range children(spine, "itemref") {
		if it := p.items[n.attr("idref")]; it != nil && len(p.spine) <= maxSpine {
			it.linear = !strings.EqualFold(n.attr("linear"), "no")
			p.spine = append(p.spine, p.readable(it))
		}
	}
	for _, n := range children(pkg.find("guide"), "reference") {
		if strings.EqualFold(n.attr("type"), "cover") && p.guide == "" {
			p.guide = resolve(p.name, n.attr("href"))
		}
	}
}

// readable follows fallbacks to something that has text.
func (p *opf) readable(it *opfItem) *opfItem {
	for range 8 {
		if it.isMarkup() {
			return it
		}
		next := p.items[p.fallback[it.id]]
		if next == nil {
			return it
		}
		it = next
	}
	return it
}

func (it *opfItem) isMarkup() bool {
	switch it.mediaType {
	case "application/xhtml+xml", "text/html", "image/svg+xml", "text/x-oeb1-document", "application/x-dtbook+xml", "application/xml", "text/xml":
		return true
	}
	return false
}

func children(n *xmlNode, name string) []*xmlNode {
	if n == nil {
		return nil
	}
	var list []*xmlNode
	for _, c := range n.children {
		if strings.EqualFold(c.name, name) {
			list = append(list, c)
		}
	}
	return list
}
