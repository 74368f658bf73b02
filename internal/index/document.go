package index

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"wenlan/internal/record"
	"wenlan/internal/view"
)

// document is what the index stores of a record: tokens by column, and values.
type document struct {
	n        int64
	title    string
	creators string
	about    string
	abstract string
	ids      string
	facets   string
	year     int
	kind     string
	langs    []string
	subjects []string
	tkey     []byte
}

// Marks that no token of a text begins with: Analyze drops private-use characters.
const (
	markID    = "\ue000"
	markFacet = "\ue001"
	markBreak = "\ue002" // between values of a field, so that no phrase crosses
)

const (
	maxSubjects = 32 // of one record, in facets
	maxTitleKey = 48 // bytes
)

// newDocument makes the document of a record.
func newDocument(st *record.State) document {
	r := st.Record
	d := document{n: st.Number, year: yearOf(r), kind: view.Kind(r), langs: view.Languages(r)}
	d.title = column(append([]string{r.Title}, r.AltTitles...))
	var names []string
	for _, c := range r.Creators {
		names = append(append(names, c.Name), c.AltNames...)
	}
	d.creators = column(names)
	var about []string
	if r.Container != nil {
		about = append(about, r.Container.Title)
	}
	for _, s := range r.Subjects {
		about = append(about, s.Label)
		if s.Code != "" && s.Code != s.Label {
			about = append(about, s.Code)
		}
		label := s.Label
		if label == "" {
			label = s.Code
		}
		label = strings.Join(strings.Fields(label), " ")
		if label != "" && len(label) <= 256 && len(d.subjects) < maxSubjects && !slices.Contains(d.subjects, label) {
			d.subjects = append(d.subjects, label)
		}
	}
	d.about = column(append(about, r.Publisher))
	d.abstract = column([]string{r.Abstract})

	var ids []string
	for _, id := range r.IDs {
		id, _ = record.NormalID(id.Scheme, id.Value)
		ids = append(ids, idToken(id.Value))
	}
	if r.Container != nil && r.Container.ISSN != "" {
		id, _ := record.NormalID("issn", r.Container.ISSN)
		ids = append(ids, idToken(id.Value))
	}
	for _, c := range r.Creators {
		for _, id := range c.IDs {
			ids = append(ids, idToken(id.Value))
		}
	}
	d.ids = strings.Join(ids, " ")

	facets := []string{facetToken(FacetKind, d.kind)}
	for _, l := range d.langs {
		facets = append(facets, facetToken(FacetLanguage, l))
	}
	for _, s := range d.subjects {
		facets = append(facets, facetToken(FacetSubject, s))
	}
	d.facets = strings.Join(facets, " ")
	d.tkey = titleKey(r.Title)
	return d
}

// unknownYear stands for no year, before all others.
const unknownYear = -100_000

func yearOf(r record.Record) int {
	if y := view.Year(r.Issued); y != 0 {
		return y
	}
	return unknownYear
}

// column is values as the tokenizer of FTS5 gets them: tokens with spaces between.
func column(values []string) string {
	var b strings.Builder
	left := maxField
	for _, v := range values {
		if v == "" || left <= 0 {
			continue
		}
		if len(v) > left {
			v = v[:left]
		}
		left -= len(v)
		if b.Len() > 0 {
			b.WriteString(" " + markBreak)
		}
		for _, t := range Analyze(v) {
			b.WriteByte(' ')
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

// titleKey sorts titles: the words of the title, folded but not stemmed, without
// an English article at the start.
func titleKey(title string) []byte {
	s := folded(title)
	for _, article := range []string{"the ", "a ", "an "} {
		if rest, ok := strings.CutPrefix(s, article); ok && rest != "" {
			s = rest
			break
		}
	}
	if len(s) > maxTitleKey {
		s = s[:maxTitleKey]
	}
	return []byte(s)
}

// folded is text with case, diacritics and variants of characters folded, and
// words parted by one space.
func folded(text string) string {
	if len(text) > 1024 {
		text = text[:1024]
	}
	var words []string
	for _, t := range analyze(text, true) {
		words = append(words, t.Text)
	}
	return strings.Join(words, " ")
}

// idToken is the token of an identifier, whatever its scheme.
func idToken(value string) string {
	return markID + hash(strings.ToLower(strings.Join(strings.Fields(value), "")))
}

func facetToken(facet, value string) string { return markFacet + hash(facet+"\x00"+value) }

// hash is a string of letters and digits that stands for any string.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:10])
}
