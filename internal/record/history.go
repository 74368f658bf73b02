package record

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Change is what one entry changed in a record, as readers saw it.
type Change struct {
	Entry  int64         `json:"entry"`            // index in the register
	Source string        `json:"source,omitempty"` // who says so, of an accession or revision
	Fields []FieldChange `json:"fields"`           // empty where nothing that is shown changed, as when another source counts first
}

// FieldChange is one field before and after. Of a list only the values that went
// and came are given, or all of them where only their order changed. Values are
// text for people, cut where they are very long.
type FieldChange struct {
	Field  string   `json:"field"` // as in a record; of its parts "container/volume", "rights/access"; "files", "withdrawn", "merged_into"
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
}

// Bounds of what a change shows.
const (
	maxChangeValues = 100  // of one field, before or after
	maxChangeText   = 2000 // bytes of one value
)

// Changes gives what each of the last entries about record number changed, oldest
// first; at most most, and none for entries that are erased or of an unknown type,
// nor for an accession, which changes nothing that was there. The entries and
// errors are those of [Fold].
//
// What is compared is the folded record before and after, not what a source says:
// a revision of a source that does not count first may change nothing.
func Changes(number int64, entries []Indexed, body BodyFunc, most int) ([]Change, error) {
	var out []Change
	var before []valued
	first, base := window(number, entries, most)
	_, _, err := fold(number, entries, body, func(at int, e Entry, st *State, layers []layer) error {
		if at < base {
			return nil
		}
		var after []valued
		if before == nil || e.Type == TypeAccession || e.Type == TypeRevision {
			rec, err := foldLayers(layers)
			if err != nil {
				return err
			}
			after = describe(rec)
		} else {
			after = slices.DeleteFunc(slices.Clone(before), func(v valued) bool { return v.ofState })
		}
		after = append(after, describeState(st)...)
		if at >= first && e.Type != TypeAccession {
			c := Change{Entry: entries[at].Index, Fields: changed(before, after)}
			if c.Fields == nil {
				c.Fields = []FieldChange{}
			}
			if e.Type == TypeRevision {
				c.Source = Librarian
				if e.Source != nil {
					c.Source = e.Source.Name
				}
			}
			out = append(out, c)
		}
		before = after
		return nil
	})
	return out, err
}

// window gives the place of the first entry that is told, and of the one that tells
// what was before it. Of a record that has a body blob, which is long, few are told.
func window(number int64, entries []Indexed, most int) (first, base int) {
	for _, in := range entries {
		if bytes.Contains(in.Raw, []byte(`"body"`)) {
			most = min(most, 4)
		}
	}
	first = max(0, len(entries)-most)
	for base = first - 1; base >= 0; base-- {
		e, isKnown, err := Decode(entries[base].Raw)
		if err == nil && isKnown && (e.Type != TypeAccession || entries[base].Index == number) {
			return first, base
		}
	}
	return first, 0
}

// valued is a field and its values as text.
type valued struct {
	field   string
	values  []string
	ofState bool // of what is not the description
}

func describe(r Record) []valued {
	var out []valued
	add := func(field string, values ...string) {
		if values = slices.DeleteFunc(values, func(v string) bool { return v == "" }); len(values) > 0 {
			out = append(out, valued{field, values, false})
		}
	}
	add("title", r.Title)
	add("alt_titles", slices.Clone(r.AltTitles)...)
	creators := make([]string, len(r.Creators))
	for i, c := range r.Creators {
		creators[i] = creatorText(c)
	}
	add("creators", creators...)
	add("kind", string(r.Kind))
	add("languages", slices.Clone(r.Languages)...)
	add("issued", r.Issued)
	add("publisher", r.Publisher)
	add("place", r.Place)
	if c := r.Container; c != nil {
		add("container/title", c.Title)
		add("container/volume", c.Volume)
		add("container/issue", c.Issue)
		add("container/pages", c.Pages)
		add("container/issn", c.ISSN)
	}
	subjects := make([]string, len(r.Subjects))
	for i, s := range r.Subjects {
		subjects[i] = joined(" ", s.Label, s.Code, bracketed(s.Scheme))
	}
	add("subjects", subjects...)
	ids := make([]string, len(r.IDs))
	for i, id := range r.IDs {
		ids[i] = joined(" ", id.Scheme, id.Value)
	}
	add("ids", ids...)
	add("abstract", r.Abstract)
	relations := make([]string, len(r.Relations))
	for i, rel := range r.Relations {
		text := joined(" ", rel.Type, rel.Title)
		if rel.Record != nil {
			text = joined(" ", text, "#"+strconv.FormatInt(*rel.Record, 10))
		}
		if rel.ID != nil {
			text = joined(" ", text, rel.ID.Scheme, rel.ID.Value)
		}
		relations[i] = text
	}
	add("relations", relations...)
	return out
}

func creatorText(c Creator) string {
	text := joined(" ", c.Name, bracketed(c.Role))
	if len(c.AltNames) > 0 {
		text += " = " + strings.Join(c.AltNames, " = ")
	}
	for _, id := range c.IDs {
		text = joined(" ", text, id.Scheme, id.Value)
	}
	return text
}

func describeState(st *State) []valued {
	var out []valued
	add := func(field string, values ...string) {
		if values = slices.DeleteFunc(values, func(v string) bool { return v == "" }); len(values) > 0 {
			out = append(out, valued{field, values, true})
		}
	}
	files := make([]string, len(st.Files))
	for i, f := range st.Files {
		files[i] = joined(" ", f.Name, bracketed(f.Role), "sha256:"+f.SHA256)
	}
	add("files", files...)
	if r := st.Rights; r != nil {
		add("rights/basis", r.Basis)
		add("rights/licence", r.Licence)
		add("rights/holder", r.Holder)
		if e := r.Evidence; e != nil {
			add("rights/evidence", joined(" ", e.URL, e.Text, e.By, e.At, strings.Join(e.Territories, ", ")))
		}
		add("rights/access", string(r.Access))
		add("rights/opens", r.Opens)
		if p := r.Price; p != nil {
			add("rights/price", strconv.FormatInt(p.Minor, 10)+" "+p.Currency)
		}
		if r.Copies != 0 {
			add("rights/copies", strconv.Itoa(r.Copies))
		}
		add("rights/territories", slices.Clone(r.Territories)...)
	}
	withdrawn := make([]string, len(st.Withdrawals))
	for i, w := range st.Withdrawals {
		withdrawn[i] = joined(" ", w.Ground, w.Case, bracketed(strings.Join(w.Territories, ", ")))
		if withdrawn[i] == "" {
			withdrawn[i] = "-"
		}
	}
	add("withdrawn", withdrawn...)
	if st.MergedInto != nil {
		add("merged_into", strconv.FormatInt(*st.MergedInto, 10))
	}
	return out
}

func bracketed(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// joined is the parts that are not empty, joined.
func joined(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), sep)
}

// changed compares two descriptions, field by field, in the order of a record.
func changed(before, after []valued) []FieldChange {
	values := func(list []valued, field string) []string {
		for _, v := range list {
			if v.field == field {
				return v.values
			}
		}
		return nil
	}
	var out []FieldChange
	for _, field := range fieldOrder(before, after) {
		a, b := values(before, field), values(after, field)
		if slices.Equal(a, b) {
			continue
		}
		went, came := without(a, b), without(b, a)
		if len(went) == 0 && len(came) == 0 { // another order, or one of two that were alike
			went, came = a, b
		}
		out = append(out, FieldChange{field, shown(went), shown(came)})
	}
	return out
}

// fieldOrder is the fields of both, those of the description first.
func fieldOrder(before, after []valued) []string {
	var out []string
	seen := map[string]bool{}
	for _, state := range []bool{false, true} {
		for _, list := range [][]valued{after, before} {
			for _, v := range list {
				if v.ofState == state && !seen[v.field] {
					seen[v.field] = true
					out = append(out, v.field)
				}
			}
		}
	}
	return out
}

// without is what a has and b has not.
func without(a, b []string) []string {
	have := make(map[string]bool, len(b))
	for _, v := range b {
		have[v] = true
	}
	var out []string
	for _, v := range a {
		if !have[v] {
			out = append(out, v)
		}
	}
	return out
}

// shown bounds what a change shows.
func shown(values []string) []string {
	if len(values) == 0 {
		return nil
	}
	out := slices.Clone(values[:min(len(values), maxChangeValues)])
	for i, v := range out {
		if len(v) > maxChangeText {
			end := maxChangeText
			for end > 0 && !utf8.RuneStart(v[end]) {
				end--
			}
			out[i] = v[:end] + "…"
		}
	}
	if len(values) > maxChangeValues {
		out = append(out, "…")
	}
	return out
}
