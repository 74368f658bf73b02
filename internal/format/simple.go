package format

import (
	"regexp"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// simpleRecord is a record of the form "simple": one JSON object with plain keys,
// of which only the title must be there. Keys that are not here go under Extra.
type simpleRecord struct {
	ID            simpleText    `json:"id"`
	Type          simpleText    `json:"type"`
	Title         simpleText    `json:"title"`
	OriginalTitle simpleText    `json:"original_title"`
	AltTitles     simpleList    `json:"alt_titles"`
	Authors       simpleNames   `json:"authors"`
	Editors       simpleNames   `json:"editors"`
	Translators   simpleNames   `json:"translators"`
	Persons       simplePersons `json:"persons"`
	Date          simpleText    `json:"date"`
	Year          simpleText    `json:"year"`
	Publisher     simpleText    `json:"publisher"`
	Place         simpleText    `json:"place"`
	Container     simpleText    `json:"container"`
	Volume        simpleText    `json:"volume"`
	Issue         simpleText    `json:"issue"`
	Pages         simpleText    `json:"pages"`
	Source        simpleText    `json:"source"` // the edition that the text is in, with volume and page
	Language      simpleList    `json:"language"`
	Abstract      simpleText    `json:"abstract"`
	Extent        simpleText    `json:"extent"`
	Period        simpleText    `json:"period"`
	Class         simpleText    `json:"class"`
	Categories    simpleList    `json:"categories"`
	Keywords      simpleList    `json:"keywords"`
	ACMClass      simpleText    `json:"acm_class"`
	DOI           simpleText    `json:"doi"`
	ISBN          simpleList    `json:"isbn"`
	ISBN10        simpleList    `json:"isbn10"`
	ISBN13        simpleList    `json:"isbn13"`
	ISSN          simpleList    `json:"issn"`
	URL           simpleList    `json:"url"`

	Rest jsontext.Value `json:",unknown"`
}

// lenient reads JSON as it is found: what is not UTF-8 becomes U+FFFD, which no
// text of a record keeps, and of a name that is there twice the last counts.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// simpleText is a string or a number; of a list, the first; else nothing.
type simpleText string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *simpleText) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var l simpleList
	if err := l.UnmarshalJSONFrom(dec); err != nil {
		return err
	}
	if len(l) > 0 {
		*t = simpleText(l[0])
	}
	return nil
}

// simpleList is a list of strings or numbers, or one of them alone.
type simpleList []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *simpleList) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = (*l)[:0]
	switch dec.PeekKind() {
	case '"', '0':
		tok, err := dec.ReadToken()
		if err != nil {
			return err
		}
		*l = append(*l, tok.String())
		return nil
	case '[':
		return eachElement(dec, func(kind jsontext.Kind) error {
			if (kind != '"' && kind != '0') || len(*l) >= maxList {
				return dec.SkipValue()
			}
			tok, err := dec.ReadToken()
			if err == nil {
				*l = append(*l, tok.String())
			}
			return err
		})
	}
	return dec.SkipValue()
}

// eachElement reads an array; element reads one value of the kind that comes next.
func eachElement(dec *jsontext.Decoder, element func(jsontext.Kind) error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for {
		kind := dec.PeekKind()
		if kind == ']' || kind == 0 {
			_, err := dec.ReadToken()
			return err
		}
		if err := element(kind); err != nil {
			return err
		}
	}
}

// simpleName is a person: a string, or an object with a name, or with its parts.
type simpleName struct {
	Name     simpleText `json:"name"`
	Family   simpleText `json:"family"`
	Given    simpleText `json:"given"`
	Function simpleText `json:"function"`
	Dynasty  simpleText `json:"dynasty"`
}

// simpleNames is a list of persons, or one alone.
type simpleNames []simpleName

// simplePersons is simpleNames whose members are objects.
type simplePersons = simpleNames

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *simpleNames) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = (*l)[:0]
	one := func(kind jsontext.Kind) error {
		switch {
		case len(*l) < maxList && kind == '"':
			tok, err := dec.ReadToken()
			if err == nil {
				*l = append(*l, simpleName{Name: simpleText(tok.String())})
			}
			return err
		case len(*l) < maxList && kind == '{':
			var n simpleName
			err := json.UnmarshalDecode(dec, &n)
			*l = append(*l, n)
			return err
		}
		return dec.SkipValue()
	}
	if kind := dec.PeekKind(); kind != '[' {
		return one(kind)
	}
	return eachElement(dec, one)
}

// simpleKinds leads from types that CSL does not know to kinds of record.
var simpleKinds = map[string]record.Kind{
	"conference-paper": record.Article, "preprint": record.Article, "issue": record.Issue, "audio": record.Audio, "image": record.Image,
}

// hanFunctions lead from what a Chinese title page says that a person did to the
// MARC relator code; the first that stands in the words counts.
var hanFunctions = []struct{ word, role string }{
	{"譯", "trl"}, {"译", "trl"}, {"注", "cwt"}, {"註", "cwt"}, {"疏", "cwt"}, {"箋", "cwt"}, {"釋", "cwt"}, {"解", "cwt"}, {"音義", "cwt"}, {"序", "aui"}, {"跋", "aft"},
	{"校", "edt"}, {"訂", "edt"}, {"整理", "edt"}, {"刪定", "edt"}, {"編", "com"}, {"编", "com"}, {"輯", "com"}, {"辑", "com"}, {"集", "com"}, {"纂", "com"},
	{"說", "aut"}, {"錄", "trc"},
}

func hanRole(function string) string {
	for _, f := range hanFunctions {
		if strings.Contains(function, f.word) {
			return f.role
		}
	}
	return "aut"
}

// inEdition is the form of "四庫全書 文淵閣版, V7.1, p1" and of "Taisho Tripitaka Vol. 19,
// No. 975".
var inEdition = regexp.MustCompile(`^(.{1,200}?),? (?:V|Vol\. ?)([0-9.]+)(?:, No\. ?([A-Za-z0-9.]+))?(?:, p([0-9]+))?$`)

// simpleScheme is the scheme before the colon of an id such as "arxiv:1001.0025".
var simpleScheme = regexp.MustCompile(`^([a-z][a-z0-9-]{1,15}):(\S{1,200})$`)

// plainYear is a year that need not have four digits: -720 is -0720 of EDTF.
var plainYear = regexp.MustCompile(`^-?[0-9]{1,4}$`)

// parseSimple reads one record of the form "simple". Text is kept as found, LaTeX
// and angle brackets with it; only white space and what is no character go.
func parseSimple(raw []byte) (*Described, error) {
	var s simpleRecord
	if err := json.Unmarshal(raw, &s, lenient); err != nil {
		return nil, notJSON(err)
	}
	line := func(t simpleText) string { return cleanLine(string(t), maxTitle) }
	d := &Described{ID: bulkID(string(s.ID))}
	r := &d.Record
	r.Title = line(s.Title)
	r.Publisher, r.Place = line(s.Publisher), line(s.Place)
	r.Abstract = cleanText(string(s.Abstract), maxAbstract)
	r.Kind = simpleKind(string(s.Type))
	if r.Issued = edtf(string(s.Date)); r.Issued == "" {
		d.unread("date", string(s.Date))
		if y := strings.TrimSpace(string(s.Year)); plainYear.MatchString(y) {
			r.Issued = edtfParts(y, "", "")
		} else {
			r.Issued = edtf(y)
		}
		if r.Issued == "" {
			d.unread("year", string(s.Year))
		}
	}
	for _, t := range append([]string{string(s.OriginalTitle)}, s.AltTitles...) {
		if t = cleanLine(t, maxTitle); t != r.Title {
			r.AltTitles = addLine(r.AltTitles, t, maxShort)
		}
	}
	s.creators(r)
	for _, l := range s.Language {
		if tag := normalLanguage(l); tag != "" {
			r.Languages = addLine(r.Languages, tag, maxShort)
		} else if l == "mul" || l == "und" || l == "zxx" { // ISO 639-2: several, not known, none
			d.keep("language", l)
		} else {
			d.unread("language", l)
		}
	}
	s.container(r)
	for _, v := range s.ISSN {
		d.badID("issn", v)
		for _, one := range splitIDs("issn", v) {
			if id, ok := record.NormalID("issn", one); ok && id.Value != r.Container.ISSN { // the container has the first
				d.keep("issn", id.Value)
			}
		}
	}
	scheme := "category"
	if strings.HasPrefix(d.ID, "arxiv:") {
		scheme = "arxiv"
	}
	for _, c := range s.Categories {
		if c = cleanLine(c, maxTitle); c != "" {
			r.Subjects = addSubject(r.Subjects, record.Subject{Scheme: scheme, Code: c, Label: c})
		}
	}
	for c := range strings.FieldsFuncSeq(string(s.ACMClass), func(x rune) bool { return x == ';' || x == ',' }) {
		if c = cleanLine(c, maxTitle); c != "" {
			r.Subjects = addSubject(r.Subjects, record.Subject{Scheme: "acm", Code: c, Label: c})
		}
	}
	for _, k := range s.Keywords {
		if k = cleanLine(k, maxTitle); k != "" {
			r.Subjects = addSubject(r.Subjects, record.Subject{Label: k})
		}
	}
	if c := line(s.Class); c != "" {
		r.Subjects = addSubject(r.Subjects, record.Subject{Scheme: "class", Label: c})
	}
	if p := line(s.Period); p != "" && p != "cent" {
		r.Subjects = addSubject(r.Subjects, record.Subject{Scheme: "period", Label: p})
	}
	s.ids(d)
	// A record has no place for its extent, and a line for the reader is one.
	if x := line(s.Extent); x != "" && r.Abstract == "" {
		r.Abstract = x
	} else {
		d.keep("extent", x)
	}
	d.keepMembers(s.Rest)
	return d, nil
}

func simpleKind(t string) record.Kind {
	t = strings.ToLower(t)
	if k, ok := simpleKinds[t]; ok {
		return k
	}
	if k, ok := cslKinds[t]; ok {
		return k
	}
	return record.Other
}

// creators takes persons, who have functions, before plain names.
func (s *simpleRecord) creators(r *record.Record) {
	add := func(c record.Creator) {
		if c.Name == "" || len(r.Creators) >= maxList {
			return
		}
		for _, have := range r.Creators[:min(len(r.Creators), 64)] {
			if have.Name == c.Name {
				return
			}
		}
		r.Creators = append(r.Creators, c)
	}
	for _, p := range s.Persons {
		c := p.creator(hanRole(string(p.Function)))
		if dynasty := cleanLine(string(p.Dynasty), 50); dynasty != "" && c.Name != "" {
			c.AltNames = addLine(c.AltNames, dynasty+" "+c.Name, maxShort) // as a title page has it: 漢 鄭玄
		}
		add(c)
	}
	for _, group := range []struct {
		names simpleNames
		role  string
	}{{s.Authors, "aut"}, {s.Editors, "edt"}, {s.Translators, "trl"}} {
		for _, n := range group.names {
			add(n.creator(group.role))
		}
	}
}

func (n simpleName) creator(role string) record.Creator {
	return cslName{Literal: string(n.Name), Family: string(n.Family), Given: string(n.Given)}.creator(role)
}

func (s *simpleRecord) container(r *record.Record) {
	line := func(t simpleText) string { return cleanLine(string(t), maxTitle) }
	box := record.Container{Title: line(s.Container), Volume: line(s.Volume), Issue: line(s.Issue), Pages: line(s.Pages)}
	if source := line(s.Source); source != "" && box == (record.Container{}) {
		box.Title = source
		if m := inEdition.FindStringSubmatch(source); m != nil {
			box = record.Container{Title: m[1], Volume: m[2], Issue: m[3], Pages: m[4]}
		}
	}
	for _, v := range s.ISSN {
		for _, one := range splitIDs("issn", v) {
			if id, ok := record.NormalID("issn", one); ok && box.ISSN == "" {
				box.ISSN = id.Value
			}
		}
	}
	if box != (record.Container{}) {
		r.Container = &box
	}
}

func (s *simpleRecord) ids(d *Described) {
	r := &d.Record
	r.IDs = addID(r.IDs, "doi", string(s.DOI))
	d.badID("doi", string(s.DOI))
	for _, list := range []simpleList{s.ISBN, s.ISBN10, s.ISBN13} {
		for _, v := range list {
			r.IDs = addID(r.IDs, "isbn", v)
			d.badID("isbn", v)
		}
	}
	if m := simpleScheme.FindStringSubmatch(d.ID); m != nil && len(r.IDs) < maxShort {
		if schemeNames[m[1]] != "" {
			r.IDs = addID(r.IDs, m[1], m[2])
		} else if v := cleanLine(m[2], maxValue); v != "" {
			r.IDs = append(r.IDs, record.ID{Scheme: m[1], Value: v})
		}
	}
	for _, v := range s.URL {
		r.IDs = addID(r.IDs, "url", v)
	}
}

// notJSON is the sentence for what a JSON decoder refuses.
func notJSON(err error) error {
	return errs.New(errs.Refused, "it is not JSON of this form: %w", err)
}
