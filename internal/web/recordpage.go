package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/record"
)

type recordPage struct {
	page
	Number    int64
	Heading   string
	Lang      string
	AltTitles []string
	By        []creatorLine
	ByMore    []creatorLine // beyond the first few
	MoreCount int64
	Cover     string
	Cloth     string // the spoken name of the cover
	Read      string // the reader, where the file can be read here
	Inside    string // search within the book, where it can be read here
	Download  *fileLine
	Status    string // why it cannot be read, in a word
	Abstract  []string
	Facts     []fact
	Files     []fileLine
	Rights    rightsBox
	Withdrawn *tombstone
	Needs     bool // has files and no stated rights
	MergedTo  *recordLink
	Merged    []mergedLine  // records merged into this one
	Editions  []editionCard // of the same work
	Same      []recordLink
	Plain     string // the citation
	Cites     []formatLink
	COinS     string
	History   []historyLine
	Earlier   int64 // entries before those
	Proof     string
	Proven    proofLine
	Taken     string     // the day of accession
	Copies    *copiesBox // how often its files are held, or nil

	MoreEditions int64  // beyond those that are shown
	AllEditions  string // a search that finds them
}

type creatorLine struct{ Name, Role, Href string }

// fact is one line of the description.
type fact struct {
	Name   string
	Values []factValue
}

type factValue struct {
	Text string
	Href string // may be empty
	Lang string
	Away bool // the address is another site's
}

type fileLine struct {
	Name, Href   string // no Href: the door is shut
	Format, Size string
	Role, SHA256 string
	Language     string
	Status       string // why it cannot be had
	Of           string // the merged record that has it
}

type recordLink struct {
	Number      int64
	Href, Title string
	Lang, Why   string
}

type formatLink struct{ Name, Href, Type string }

// record answers /records/N.
func (s *Site) record(w http.ResponseWriter, r *http.Request) error {
	h, err := s.named(r)
	if err != nil {
		return err
	}
	if h.Erased != nil {
		return &refusal{s.decide(r, h, nil), h.Number}
	}
	rec := h.Record
	text := h.text()
	decision := s.decide(r, h, text)
	p := &recordPage{page: s.newPage(w, r), Number: h.Number, Heading: rec.Title, Lang: titleLang(rec)}
	p.page.Title = rec.Title
	p.Cover = recordPath(h.Number) + "/cover"
	p.AltTitles = rec.AltTitles
	p.By = p.creatorLines(rec.Creators)
	if len(p.By) > creatorsShown {
		p.By, p.ByMore = p.By[:creatorsShown], p.By[creatorsShown:]
		p.MoreCount = int64(len(p.ByMore))
	}
	p.Abstract = paragraphs(rec.Abstract)
	p.Facts = p.facts(h)
	p.Status = p.status(h, decision)
	p.Rights = p.rights(h, decision)
	p.Withdrawn = p.tombstone(decision, h.Number)
	p.Needs = text != nil && decision.Reason == record.ReasonNotStated
	p.Taken = p.Date(h.Time)
	s.files(r, p, h)
	if text != nil && decision.Read && s.cfg.Readable(text.MediaType) {
		p.Read = recordPath(h.Number) + "/read"
	}
	if file, ok := fulltext.File(h.State); ok && s.searchable(h) && s.decide(r, h, &file).Read {
		p.Inside = recordPath(h.Number) + "/search"
	}
	if h.MergedInto != nil {
		to, err := s.cfg.Catalog.Target(r.Context(), h.Number)
		if err != nil {
			return err
		}
		p.MergedTo = s.link(r, to)
		p.Canonical, p.NoIndex = s.base(r)+recordPath(to), true
	}
	if p.Withdrawn != nil {
		p.NoIndex = true
	}
	if err := s.merged(r, p, h); err != nil {
		return err
	}
	if err := s.duplicates(r, p); err != nil {
		return err
	}
	if err := s.editions(r, p, h); err != nil {
		return err
	}
	if err := s.changed(r, p, h); err != nil {
		return err
	}
	if err := s.copiesOf(r, p); err != nil {
		return err
	}
	s.describeFor(r, p, h, decision)
	p.Proof = recordPath(h.Number) + "/proof"
	p.Proven = s.prove(p.Number)
	return s.render(w, r, http.StatusOK, "record", p)
}

// creatorLines are the creators, each person once with all that they did; that they
// wrote is only said of those who did something else, too.
func (p *page) creatorLines(list []record.Creator) []creatorLine {
	var out []creatorLine
	var roles [][]string // by line
	at := map[[2]string]int{}
	for i, c := range list {
		l := creatorLine{Name: c.Name, Href: authorHref(c, i)}
		who := [2]string{l.Name, l.Href}
		n, had := at[who]
		if !had {
			n = len(out)
			at[who], out, roles = n, append(out, l), append(roles, nil)
		}
		role := p.role(c.Role)
		if c.Role == "aut" || c.Role == "cre" || c.Role == "" {
			role = p.T("role.aut")
		}
		if role != "" && !slices.Contains(roles[n], role) {
			roles[n] = append(roles[n], role)
		}
	}
	for n := range out {
		if len(roles[n]) > 1 || len(roles[n]) == 1 && roles[n][0] != p.T("role.aut") {
			out[n].Role = strings.Join(roles[n], p.T("list.comma"))
		}
	}
	return out
}

// copiesOf says how often the files of a record are held.
func (s *Site) copiesOf(r *http.Request, p *recordPage) error {
	if s.cfg.Copies.Of == nil || p.Withdrawn != nil || len(p.Files) == 0 {
		return nil
	}
	n, ok, err := s.cfg.Copies.Of(r.Context(), p.Number)
	if err != nil {
		return err
	}
	if ok {
		p.Copies = p.copies(n)
	}
	return nil
}

// files lists the files of the record, or of one that was merged into it, the text
// first, each with its door.
func (s *Site) files(r *http.Request, p *recordPage, h *holding) {
	text := h.text()
	of := ""
	if h.Number != p.Number {
		of = p.T("record.number", h.Number)
	}
	line := func(f *record.File) fileLine {
		l := fileLine{Name: f.Name, Of: of, Format: formatName(f.MediaType), Size: p.Bytes(f.Bytes), SHA256: f.SHA256}
		if key, ok := fileRoleKeys[f.Role]; ok {
			l.Role = p.T(key)
		}
		if f.Language != "" {
			l.Language = p.Language(f.Language)
		}
		if d := s.decide(r, h, f); d.Download {
			l.Href = filePath(h, f)
		} else {
			l.Status = p.status(h, d)
		}
		return l
	}
	if text != nil {
		first := line(text)
		p.Files = append(p.Files, first)
		if first.Href != "" && p.Download == nil {
			p.Download = &first
		}
	}
	for i := range h.Files {
		if f := &h.Files[i]; f != text {
			p.Files = append(p.Files, line(f))
		}
	}
}

// link names another record, or nil where it is not to be had.
func (s *Site) link(r *http.Request, n int64) *recordLink {
	h, err := s.holdings.get(r.Context(), n)
	if err != nil || h.Erased != nil {
		return nil
	}
	return &recordLink{Number: n, Href: recordPath(n), Title: h.Record.Title, Lang: titleLang(h.Record)}
}

// What a page shows at most, of lists that may be long.
const (
	sameShown     = 12
	creatorsShown = 12
)

func (s *Site) duplicates(r *http.Request, p *recordPage) error {
	list, err := s.cfg.Catalog.Duplicates(r.Context(), p.Number)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	for _, d := range list {
		if len(p.Same) == sameShown {
			break
		}
		if l := s.link(r, d.Record); l != nil && d.Record != p.Number {
			l.Why = p.why(d.Why)
			p.Same = append(p.Same, *l)
		}
	}
	return nil
}

// paragraphs splits a description at its line breaks.
func paragraphs(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// web is an address that a page may link to, or "".
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}

// resolvers lead from an identifier to the page that it stands for.
var resolvers = map[string]string{
	"doi": "https://doi.org/", "arxiv": "https://arxiv.org/abs/",
	"pmid": "https://pubmed.ncbi.nlm.nih.gov/", "oclc": "https://search.worldcat.org/title/",
	"lccn": "https://lccn.loc.gov/", "orcid": "https://orcid.org/", "isni": "https://isni.org/isni/",
}

var schemeNames = map[string]string{
	"isbn": "ISBN", "doi": "DOI", "issn": "ISSN", "oclc": "OCLC", "lccn": "LCCN",
	"arxiv": "arXiv", "pmid": "PubMed", "uuid": "UUID", "url": "URL", "uri": "URI", "orcid": "ORCID", "isni": "ISNI",
}

// facts is the description as lines of name and values.
func (p *page) facts(h *holding) []fact {
	rec := h.Record
	var out []fact
	add := func(name string, values ...factValue) {
		values = slices.DeleteFunc(values, func(v factValue) bool { return v.Text == "" })
		if len(values) > 0 {
			out = append(out, fact{name, values})
		}
	}
	if rec.Issued != "" {
		add(p.T("fact.issued"), factValue{Text: p.EDTF(rec.Issued)})
	}
	add(p.T("fact.publisher"), factValue{Text: rec.Publisher})
	add(p.T("fact.place"), factValue{Text: rec.Place})
	if c := rec.Container; c != nil {
		var parts []string
		for _, part := range []struct{ key, value string }{
			{"container.volume", c.Volume}, {"container.issue", c.Issue}, {"container.pages", c.Pages},
		} {
			if part.value != "" {
				parts = append(parts, p.T(part.key, part.value))
			}
		}
		text := c.Title
		if len(parts) > 0 {
			text = strings.TrimPrefix(text+p.T("list.comma")+strings.Join(parts, p.T("list.comma")), p.T("list.comma"))
		}
		v := factValue{Text: text}
		if c.Title != "" {
			v.Href = searchPath("q", `"`+strings.ReplaceAll(c.Title, `"`, "")+`"`)
		}
		add(p.T("fact.container"), v)
	}
	var langs []factValue
	for _, l := range rec.Languages {
		langs = append(langs, factValue{Text: p.Language(l), Href: searchPath("lang", l)})
	}
	add(p.T("fact.language"), langs...)
	if rec.Kind != "" {
		add(p.T("fact.kind"), factValue{Text: p.kind(rec.Kind), Href: searchPath("kind", string(rec.Kind))})
	}
	var subjects []factValue
	for i, sub := range rec.Subjects {
		text := sub.Label
		if text == "" {
			text = strings.TrimSpace(strings.ToUpper(sub.Scheme) + " " + sub.Code)
		}
		subjects = append(subjects, factValue{Text: text, Href: subjectHref(sub, i)})
	}
	add(p.T("fact.subjects"), subjects...)
	for _, id := range rec.IDs {
		v := factValue{Text: id.Value}
		if base, ok := resolvers[id.Scheme]; ok {
			v.Href, v.Away = base+url.PathEscape(id.Value), true
			v.Href = strings.ReplaceAll(v.Href, "%2F", "/")
		} else if address := webAddress(id.Value); address != "" {
			v.Href, v.Away = address, true
		}
		add(schemeName(id.Scheme), v)
	}
	for _, rel := range rec.Relations {
		if v, ok := p.relation(rel); ok {
			add(p.relationName(rel.Type), v)
		}
	}
	var sources []factValue
	for _, name := range sourceNames(h.State) {
		sources = append(sources, factValue{Text: name})
	}
	add(p.T("fact.sources"), sources...)
	return out
}

var relationKeys = map[string]string{
	record.TranslationOf: "relation.translation_of", record.HasTranslation: "relation.has_translation",
	record.EditionOf: "relation.edition_of", record.FormatOf: "relation.format_of",
	record.PartOf: "relation.part_of", record.HasPart: "relation.has_part", record.SupplementTo: "relation.supplement_to",
	record.Continues: "relation.continues", record.ContinuedBy: "relation.continued_by",
}

func (p *page) relationName(kind string) string {
	if key, ok := relationKeys[kind]; ok {
		return p.T(key)
	}
	return p.T("relation.other")
}

// relation names the other record of a relation, or what the source calls it.
func (p *page) relation(rel record.Relation) (factValue, bool) {
	v := factValue{Text: rel.Title}
	switch {
	case rel.Record != nil:
		if v.Text == "" {
			v.Text = p.T("record.number", *rel.Record)
		}
		v.Href = recordPath(*rel.Record)
	case rel.ID != nil:
		if v.Text == "" {
			v.Text = rel.ID.Value
		}
		if base, ok := resolvers[rel.ID.Scheme]; ok {
			v.Href, v.Away = strings.ReplaceAll(base+url.PathEscape(rel.ID.Value), "%2F", "/"), true
		} else if address := webAddress(rel.ID.Value); address != "" {
			v.Href, v.Away = address, true
		}
	}
	return v, v.Text != ""
}
