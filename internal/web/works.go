package web

import (
	"net/http"
	"slices"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// What a record page says of other records: editions and translations of its work,
// and what was merged into it.

// What a page shows at most of them.
const (
	editionsShown = 24
	mergedShown   = 16
)

// editionCard is another edition of the work.
type editionCard struct {
	card
	Relation string // "Translation"; empty where only title and author say so
}

// mergedLine is a record that was merged into the one that is shown.
type mergedLine struct {
	recordLink
	IDs     []string
	Sources []string
}

var editionKeys = map[string]string{
	record.TranslationOf: "edition.original", record.HasTranslation: "edition.translation",
	record.EditionOf: "edition.edition", record.FormatOf: "edition.format",
}

// editions lists the other editions of the work. Those that look the same as the
// record are listed as that.
func (s *Site) editions(r *http.Request, p *recordPage, h *holding) error {
	list, err := s.cfg.Catalog.Editions(r.Context(), h.Number)
	if err != nil && !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Gone) {
		return err
	}
	for _, e := range list {
		if e.Record == h.Number || slices.ContainsFunc(p.Same, func(l recordLink) bool { return l.Number == e.Record }) {
			continue
		}
		if len(p.Editions) == editionsShown {
			p.MoreEditions++
			continue
		}
		other, err := s.holdings.get(r.Context(), e.Record)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return err
		}
		if other.Erased != nil {
			continue
		}
		c := editionCard{card: s.card(r, &p.page, other)}
		if key, ok := editionKeys[e.Relation]; ok {
			c.Relation = p.T(key)
		}
		if other.Record.Kind == h.Record.Kind {
			c.Kind = ""
		}
		p.Editions = append(p.Editions, c)
	}
	p.AllEditions = searchPath("q", `"`+strings.ReplaceAll(h.Record.Title, `"`, "")+`"`)
	return nil
}

// merged lists what was merged into a record, and its files.
func (s *Site) merged(r *http.Request, p *recordPage, h *holding) error {
	list, err := s.cfg.Catalog.Merged(r.Context(), h.Number)
	if err != nil {
		return err
	}
	for _, n := range list[:min(len(list), mergedShown)] {
		other, err := s.holdings.get(r.Context(), n)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
			continue
		}
		if err != nil {
			return err
		}
		if other.Erased != nil {
			continue
		}
		m := mergedLine{recordLink: recordLink{Number: n, Href: recordPath(n), Title: other.Record.Title, Lang: titleLang(other.Record)}, Sources: sourceNames(other.State)}
		for _, id := range other.Record.IDs {
			if len(m.IDs) == mergedShown {
				break
			}
			if !slices.Contains(h.Record.IDs, id) {
				m.IDs = append(m.IDs, strings.TrimSpace(schemeName(id.Scheme)+" "+id.Value))
			}
		}
		p.Merged = append(p.Merged, m)
		s.files(r, p, other)
		text := other.text()
		if p.Read == "" && text != nil && s.cfg.Readable(text.MediaType) && s.decide(r, other, text).Read {
			p.Read = recordPath(n) + "/read"
		}
	}
	return nil
}

// sourceNames is who describes a record, librarians apart.
func sourceNames(st *record.State) []string {
	var out []string
	for _, src := range st.Sources {
		if src.Name != record.Librarian && src.Name != "" && !slices.Contains(out, src.Name) {
			out = append(out, src.Name)
		}
	}
	return out
}

func schemeName(scheme string) string {
	if name, ok := schemeNames[scheme]; ok {
		return name
	}
	return scheme
}
