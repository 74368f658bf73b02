package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// What the history of a record shows at most; the rest is in the register.
const (
	historyShown = 100 // entries, the last
	changesShown = 24  // of those, the last that say what they changed
)

type historyLine struct {
	Date, Stamp string
	What, Note  string
	Entry       int64
	Href        string
	Fields      string // the names of those that it changed
	Changes     []changeLine
}

// changeLine is one field that an entry changed. A value that went stands in Old,
// one that came in New.
type changeLine struct {
	Field    string
	Old, New []string
}

// history is the entries about a record, oldest first.
func (p *page) history(h *holding) []historyLine {
	out := make([]historyLine, 0, len(h.History))
	for _, e := range h.History {
		l := historyLine{What: p.event(e), Entry: e.Entry, Note: e.Note, Href: proofPath(h.Number, e.Entry)}
		if !e.Time.IsZero() {
			l.Date, l.Stamp = p.Date(e.Time), e.Time.UTC().Format(time.RFC3339)
		}
		out = append(out, l)
	}
	return out
}

// changed is the last of the history, and what the last of that changed.
func (s *Site) changed(r *http.Request, p *recordPage, h *holding) error {
	p.History = p.history(h)
	if len(p.History) > historyShown {
		p.Earlier = int64(len(p.History) - historyShown)
		p.History = p.History[p.Earlier:]
	}
	if len(h.History) < 2 {
		return nil
	}
	list, err := s.cfg.Catalog.Changes(r.Context(), h.Number, changesShown)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, c := range list {
		i := slices.IndexFunc(p.History, func(l historyLine) bool { return l.Entry == c.Entry })
		if i < 0 {
			continue
		}
		l := &p.History[i]
		switch {
		case c.Source == record.Librarian:
			l.Note = p.T("history.librarian")
		case c.Source != "":
			l.Note = c.Source
		}
		if c.Source != "" && len(c.Fields) == 0 {
			l.Note = p.T("history.unseen", l.Note)
		}
		var names []string
		for _, f := range c.Fields {
			name := p.field(f.Field)
			names = append(names, name)
			l.Changes = append(l.Changes, changeLine{name, p.values(f.Field, f.Before), p.values(f.Field, f.After)})
		}
		l.Fields = strings.Join(names, p.T("list.comma"))
	}
	return nil
}

// fieldKeys name the fields of [record.FieldChange].
var fieldKeys = map[string]string{
	"title": "field.title", "alt_titles": "field.alt_titles", "creators": "field.creators", "kind": "fact.kind",
	"languages": "fact.language", "issued": "fact.issued", "publisher": "fact.publisher", "place": "fact.place",
	"container/title": "fact.container", "container/volume": "field.volume", "container/issue": "field.issue",
	"container/pages": "field.pages", "container/issn": "field.issn", "subjects": "fact.subjects", "ids": "field.ids",
	"abstract": "field.abstract", "relations": "field.relations", "files": "record.files", "withdrawn": "event.withdrawal",
	"merged_into": "field.merged_into", "rights/basis": "field.basis", "rights/licence": "field.licence",
	"rights/holder": "field.holder", "rights/evidence": "field.evidence", "rights/access": "field.access",
	"rights/opens": "field.opens", "rights/price": "field.price", "rights/copies": "field.copies",
	"rights/territories": "field.territories",
}

// field names a field; an unknown one is named as the register does.
func (p *page) field(name string) string {
	if key, ok := fieldKeys[name]; ok {
		return p.T(key)
	}
	return name
}

// values writes the values of a field as the rest of the page does.
func (p *page) values(field string, values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		switch field {
		case "kind":
			v = p.kind(record.Kind(v))
		case "languages":
			v = p.Language(v)
		case "issued":
			v = p.EDTF(v)
		case "rights/access":
			v = p.access(v)
		case "merged_into":
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				v = p.T("record.number", n)
			}
		}
		out[i] = v
	}
	return out
}
