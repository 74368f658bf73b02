package format

import (
	"regexp"
	"strings"

	"wenlan/internal/record"
)

// parseStatement reads a rights value that as a whole is machine-readable, and
// gives nil for prose, for what is in copyright, and for what is free in one
// country only: those are for the librarian.
func parseStatement(value string) *Statement {
	value = strings.TrimSpace(value)
	if value == "" || len(value) > maxValue {
		return nil
	}
	basis, licence, ok := record.ParseLicence(value)
	if !ok {
		return nil
	}
	return &Statement{Basis: basis, Licence: licence, Raw: value}
}

// rightsOf gathers what metadata says of rights.
type rightsOf struct {
	statements []*Statement
	prose      []string
}

// add takes one value of dc:rights, dcterms:license, a licence link or the like.
func (r *rightsOf) add(value string) {
	value = cleanLine(value, maxValue)
	if value == "" {
		return
	}
	st := parseStatement(value)
	if st == nil {
		if !contains(r.prose, value) && len(r.prose) < maxShort {
			r.prose = append(r.prose, value)
		}
		return
	}
	for _, have := range r.statements {
		if have.Basis == st.Basis && have.Licence == st.Licence {
			return
		}
	}
	if len(r.statements) < maxShort {
		r.statements = append(r.statements, st)
	}
}

// settle writes what was gathered into doc. Statements that differ are no
// statement: a person has to say which holds.
func (r *rightsOf) settle(doc *Document) {
	doc.RightsText = strings.Join(r.prose, "\n")
	switch len(r.statements) {
	case 0:
	case 1:
		doc.Rights = r.statements[0]
	default:
		var raws []string
		for _, st := range r.statements {
			raws = append(raws, st.Raw)
		}
		doc.addHint("the metadata states more than one licence: " + cleanLine(strings.Join(raws, ", "), maxValue))
	}
	for _, p := range r.prose {
		doc.hintsFrom("the rights text of the metadata", p)
	}
}

// licenceMention finds licences named in prose. It only ever makes hints.
var licenceMention = regexp.MustCompile(`(?i)https?://(?:www\.)?creativecommons\.org/(?:licenses|publicdomain)/[a-z-]+(?:/[0-9.]+)?` +
	`|https?://(?:www\.)?rightsstatements\.org/vocab/[A-Z-]+/[0-9.]+` +
	`|\bCC0(?:[ -]1\.0)?\b` +
	`|\bCC[ -]BY(?:-(?:NC|SA|ND)){0,2}(?:[ -][1-4]\.[0-9])?\b` +
	`|creative commons[ -](?:attribution|zero)[a-z -]{0,40}(?:[1-4]\.[0-9])?` +
	`|\bpublic[ -]domain\b|project gutenberg license|\bGNU Free Documentation License\b` +
	`|公有领域|公有領域|公共领域|公眾領域|知识共享|創用CC|パブリックドメイン`)

// licenceWords are words of which every mention has one: they are found many
// times faster than the mention itself.
var licenceWords = []string{
	"creativecommons", "creative commons", "creative-commons", "rightsstatements", "cc0", "cc by", "cc-by", "public domain", "public-domain",
	"gutenberg license", "free documentation", "公有领域", "公有領域", "公共领域", "公眾領域", "知识共享", "創用cc", "パブリックドメイン",
}

// hintsFrom adds a hint for each licence that text mentions; where says whose
// text it is.
func (d *Document) hintsFrom(where, text string) {
	lower := strings.ToLower(text)
	if len(lower) != len(text) { // a letter whose lower case has another length
		text = lower
	}
	for _, word := range licenceWords {
		from := 0
		for range maxHints {
			i := strings.Index(lower[from:], word)
			if i < 0 {
				break
			}
			at := from + i
			window := text[max(at-40, 0):min(at+len(word)+120, len(text))]
			if m := licenceMention.FindString(window); m != "" {
				d.addHint(where + " mentions “" + strings.TrimRight(cleanLine(m, 200), "-. ") + "”")
			}
			from = at + len(word)
		}
	}
}

func (d *Document) addHint(hint string) {
	if len(d.Hints) < maxHints && !contains(d.Hints, hint) {
		d.Hints = append(d.Hints, hint)
	}
}

// warn adds a warning, once.
func (d *Document) warn(sentence string) {
	if len(d.Warnings) < maxShort && !contains(d.Warnings, sentence) {
		d.Warnings = append(d.Warnings, sentence)
	}
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}
