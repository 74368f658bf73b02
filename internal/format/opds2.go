package format

import (
	"encoding/json"
	"slices"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// opds2Feed is a feed of OPDS 2.0, section 2.
type opds2Feed struct {
	Metadata     opds2Meta          `json:"metadata"`
	Links        opds2Links         `json:"links"`
	Navigation   opds2Links         `json:"navigation"`
	Publications []opds2Publication `json:"publications"`
	Groups       []opds2Feed        `json:"groups"`
	Images       opds2Links         `json:"images"` // of a publication by itself
}

// opds2Publication is a publication (OPDS 2.0, section 3; Readium Web Publication
// Manifest, metadata).
type opds2Publication struct {
	Metadata opds2Meta  `json:"metadata"`
	Links    opds2Links `json:"links"`
	Images   opds2Links `json:"images"`
}

// opds2Wrapped is a publication with the address of its feed.
type opds2Wrapped struct {
	Base        string           `json:"base,omitempty"`
	Publication opds2Publication `json:"publication"`
}

type opds2Link struct {
	Href       string    `json:"href"`
	Type       string    `json:"type"`
	Rel        opds2Text `json:"rel"`
	Templated  bool      `json:"templated"`
	Properties struct {
		Price struct {
			Value    json.Number `json:"value"`
			Currency string      `json:"currency"`
		} `json:"price"`
	} `json:"properties"`
}

// opds2Links is a list of links; what is no link in it is passed over.
type opds2Links []opds2Link

// UnmarshalJSON implements json.Unmarshaler.
func (l *opds2Links) UnmarshalJSON(data []byte) error {
	var raws []json.RawMessage
	if json.Unmarshal(data, &raws) != nil {
		return nil
	}
	for _, raw := range raws[:min(len(raws), maxOPDSLinks)] {
		var one opds2Link
		if json.Unmarshal(raw, &one) == nil && one.Href != "" && len(one.Href) <= maxValue {
			*l = append(*l, one)
		}
	}
	return nil
}

// opds2Text is one text or several: a string, a number, a list of them, or an
// object of them by language, whose values then come sorted by language.
type opds2Text []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *opds2Text) UnmarshalJSON(data []byte) error {
	var any any
	if err := json.Unmarshal(data, &any); err != nil {
		return err
	}
	t.add(any)
	return nil
}

func (t *opds2Text) add(v any) {
	if len(*t) >= maxShort {
		return
	}
	switch v := v.(type) {
	case string:
		*t = append(*t, v)
	case float64:
		raw, _ := json.Marshal(v)
		*t = append(*t, string(raw))
	case []any:
		for _, one := range v[:min(len(v), maxShort)] {
			t.add(one)
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if s, ok := v[key].(string); ok {
				t.add(s)
			}
		}
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (t opds2Text) first() string {
	if len(t) == 0 {
		return ""
	}
	return t[0]
}

// opds2Meta is a metadata object, by its names.
type opds2Meta map[string]any

// opds2Roles leads from the names of contributors to MARC relator codes.
var opds2Roles = []struct{ name, role string }{
	{"author", "aut"}, {"translator", "trl"}, {"editor", "edt"}, {"artist", "art"}, {"illustrator", "ill"}, {"letterer", "ill"}, {"penciler", "ill"},
	{"colorist", "clr"}, {"inker", "ill"}, {"narrator", "nrt"}, {"contributor", "ctb"},
}

// opds2Kinds leads from schema.org types to kinds.
var opds2Kinds = map[string]record.Kind{
	"book": record.Book, "ebook": record.Book, "audiobook": record.Audio, "article": record.Article, "scholarlyarticle": record.Article, "newsarticle": record.Article,
	"chapter": record.Chapter, "thesis": record.Thesis, "report": record.Report, "periodical": record.Issue, "publicationissue": record.Issue, "dataset": record.Dataset,
	"comicstory": record.Book, "comicissue": record.Issue,
}

func (m opds2Meta) text(name string) opds2Text {
	var t opds2Text
	t.add(m[name])
	return t
}

// entry is a publication as an entry; base is the address of its feed.
func (p opds2Publication) entry(base string) OPDSEntry {
	d := &Described{}
	e := OPDSEntry{Described: d}
	r := &d.Record
	m := p.Metadata
	r.Kind = record.Book
	var rights rightsOf
	for i, t := range m.text("title") {
		if t = cleanLine(t, maxTitle); i == 0 {
			r.Title = t
		} else if t != r.Title {
			r.AltTitles = addLine(r.AltTitles, t, maxShort)
		}
	}
	if s := cleanLine(m.text("subtitle").first(), maxTitle); s != "" {
		r.AltTitles = addLine(r.AltTitles, r.Title+": "+s, maxShort)
	}
	d.ID = bulkID(m.text("identifier").first())
	for _, role := range opds2Roles {
		e.contributors(m[role.name], role.role)
	}
	var texts []string
	for _, name := range sortedKeys(m) {
		v := m.text(name)
		switch name {
		case "title", "subtitle", "author", "translator", "editor", "artist", "illustrator", "letterer", "penciler", "colorist", "inker", "narrator", "contributor":
		case "modified":
			e.Updated = cleanLine(v.first(), 60)
		case "@type":
			word := v.first()
			word = strings.ToLower(word[strings.LastIndexAny(word, "/:")+1:])
			if kind, ok := opds2Kinds[word]; ok {
				r.Kind = kind
			} else {
				d.keep("@type", v.first())
			}
		case "identifier":
			for _, id := range v {
				d.addStated("", cleanLine(id, maxValue))
			}
		case "altIdentifier", "isbn":
			for _, id := range v {
				stated := ""
				if name == "isbn" {
					stated = name
				}
				d.addStated(stated, cleanLine(id, maxValue))
			}
		case "language":
			for _, l := range v {
				if tag := normalLanguage(l); tag != "" {
					r.Languages = addLine(r.Languages, tag, maxShort)
				} else {
					d.keep("language", l)
				}
			}
		case "published":
			if r.Issued = edtf(v.first()); r.Issued == "" && v.first() != "" {
				d.keep(name, v.first())
				d.Warnings = append(d.Warnings, "the date “"+cleanLine(v.first(), 100)+"” cannot be read")
			}
		case "publisher":
			e.names(m[name], func(s string) {
				if r.Publisher == "" {
					r.Publisher = cleanLine(s, maxTitle)
				} else {
					d.keep(name, s)
				}
			})
		case "imprint":
			e.names(m[name], func(s string) { d.keep(name, s) })
		case "subject":
			e.subjects(m[name])
		case "description":
			texts = append(texts, v.first())
		case "belongsTo":
			e.belongs(m[name])
		case "rights", "license", "licence":
			for _, s := range v {
				rights.add(s)
				d.keep(name, s)
			}
		default:
			if len(v) == 0 {
				d.Left = append(d.Left, name)
			}
			for _, s := range v {
				d.keep(name, s)
			}
		}
	}
	e.links(p, base, &rights)
	e.finish(texts, &rights, true)
	return e
}

func (e *OPDSEntry) links(p opds2Publication, base string, rights *rightsOf) {
	for _, l := range p.Links {
		if l.Templated {
			continue
		}
		href := joinBase(base, l.Href)
		for _, rel := range l.Rel {
			if len(e.Links) == maxOPDSLinks {
				e.leave("links")
				return
			}
			one := OPDSLink{Rel: rel, Type: l.Type, Href: href}
			e.Links = append(e.Links, one)
			price := ""
			if l.Properties.Price.Value != "" {
				price = " " + l.Properties.Price.Value.String() + " " + cleanLine(l.Properties.Price.Currency, 3)
			}
			e.link(one, price, rights)
			if rel == "self" && strings.Contains(l.Type, "opds-publication+json") && e.Complete == "" {
				e.Complete = one.Href
			}
		}
	}
	for _, l := range p.Images {
		e.keep("image", joinBase(base, l.Href))
	}
}

// names calls fn for each name of a contributor object, string or list.
func (e *OPDSEntry) names(v any, fn func(string)) {
	switch v := v.(type) {
	case []any:
		for _, one := range v[:min(len(v), maxList)] {
			if _, list := one.([]any); !list {
				e.names(one, fn)
			}
		}
	case map[string]any:
		var t opds2Text
		t.add(v["name"])
		if t.first() != "" {
			fn(t.first())
		}
	case string:
		fn(v)
	}
}

func (e *OPDSEntry) contributors(v any, role string) {
	switch v := v.(type) {
	case []any:
		for _, one := range v[:min(len(v), maxList)] {
			if _, list := one.([]any); !list {
				e.contributors(one, role)
			}
		}
	case string:
		e.creator(v, "", "", role)
	case map[string]any:
		var name, sorted, id, stated opds2Text
		name.add(v["name"])
		sorted.add(v["sortAs"])
		id.add(v["identifier"])
		if stated.add(v["role"]); stated.first() != "" {
			role = relator(stated.first(), role)
		}
		e.creator(name.first(), sorted.first(), id.first(), role)
		if len(name) > 1 && len(e.Record.Creators) > 0 { // in several languages
			last := &e.Record.Creators[len(e.Record.Creators)-1]
			for _, n := range name[1:] {
				last.AltNames = addLine(last.AltNames, n, maxShort)
			}
		}
	}
}

func (e *OPDSEntry) subjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v[:min(len(v), maxList)] {
			if _, list := one.([]any); !list {
				e.subjects(one)
			}
		}
	case string:
		e.Record.Subjects = addSubject(e.Record.Subjects, subjectOf(v))
	case map[string]any:
		var name, code, scheme opds2Text
		name.add(v["name"])
		code.add(v["code"])
		scheme.add(v["scheme"])
		s := record.Subject{Scheme: atomScheme(scheme.first()), Code: cleanLine(code.first(), 200), Label: cleanLine(name.first(), maxTitle)}
		if s.Label == "" {
			s.Label = s.Code
		}
		e.Record.Subjects = addSubject(e.Record.Subjects, s)
	}
}

// belongs reads belongsTo: series first, then collections.
func (e *OPDSEntry) belongs(v any) {
	m, _ := v.(map[string]any)
	for _, name := range []string{"series", "collection"} {
		list, ok := m[name].([]any)
		if !ok {
			list = []any{m[name]}
		}
		for _, one := range list[:min(len(list), maxShort)] {
			var title, position opds2Text
			if o, ok := one.(map[string]any); ok {
				title.add(o["name"])
				position.add(o["position"])
			} else {
				title.add(one)
			}
			if name == "series" {
				e.series(title.first(), position.first())
			} else {
				e.keep(name, title.first())
			}
		}
	}
}

// readOPDS2 reads a feed or a publication of OPDS 2.0.
func readOPDS2(base string, data []byte) (*OPDSPage, error) {
	var f opds2Feed
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, errs.New(errs.Refused, "it is no OPDS 2.0 catalogue: %w", err)
	}
	p := &OPDSPage{}
	if f.isPublication() {
		p.Entries = []OPDSEntry{opds2Publication{f.Metadata, f.Links, f.Images}.entry(base)}
		p.Entries[0].Complete = ""
		return p, nil
	}
	for _, l := range f.Links {
		for _, rel := range l.Rel {
			switch {
			case l.Templated:
			case rel == "next":
				p.Next = joinBase(base, l.Href)
			case rel == relCrawlable:
				p.Complete = joinBase(base, l.Href)
			}
		}
	}
	if !p.add(base, f, 0) {
		return nil, errOPDSEntries()
	}
	return p, nil
}

func (f opds2Feed) isPublication() bool {
	if len(f.Publications)+len(f.Navigation)+len(f.Groups) > 0 {
		return false
	}
	for _, l := range f.Links {
		for _, rel := range l.Rel {
			if is, _ := (OPDSLink{Rel: rel}).Acquisition(); is {
				return true
			}
		}
	}
	return false
}

// add adds the publications and the ways on of a feed, or of a group in it; false
// where there are too many.
func (p *OPDSPage) add(base string, f opds2Feed, depth int) bool {
	if len(p.Entries)+len(f.Publications) > maxOPDSEntries {
		return false
	}
	for _, pub := range f.Publications {
		p.Entries = append(p.Entries, pub.entry(base))
	}
	links := slices.Clone(f.Navigation)
	if depth > 0 {
		links = append(links, f.Links...)
	}
	for _, l := range links {
		one := OPDSLink{Type: l.Type, Href: joinBase(base, l.Href)}
		if one.Type == "" {
			one.Type = "application/opds+json"
		}
		if !l.Templated && one.navigates() && len(p.Feeds) < maxOPDSLinks && !slices.Contains(p.Feeds, one.Href) {
			p.Feeds = append(p.Feeds, one.Href)
		}
	}
	if depth < 3 {
		for _, g := range f.Groups {
			if !p.add(base, g, depth+1) {
				return false
			}
		}
	}
	return true
}
