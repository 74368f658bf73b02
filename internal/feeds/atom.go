package feeds

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/record"
)

// Media types and link relations of OPDS 1.2 (https://specs.opds.io/opds-1.2).
const (
	typeNavigation  = "application/atom+xml;profile=opds-catalog;kind=navigation"
	typeAcquisition = "application/atom+xml;profile=opds-catalog;kind=acquisition"
	typeEntry       = "application/atom+xml;type=entry;profile=opds-catalog"
	typeOpenSearch  = "application/opensearchdescription+xml"

	relOpenAccess = "http://opds-spec.org/acquisition/open-access"
	relImage      = "http://opds-spec.org/image"
	relThumbnail  = "http://opds-spec.org/image/thumbnail"
	relNew        = "http://opds-spec.org/sort/new"
	relFacet      = "http://opds-spec.org/facet"
)

// Namespaces. encoding/xml has no prefixes of its own, so element names carry
// theirs and the document element declares them.
const (
	nsAtom       = "http://www.w3.org/2005/Atom"
	nsTerms      = "http://purl.org/dc/terms/"
	nsOPDS       = "http://opds-spec.org/2010/catalog"
	nsOpenSearch = "http://a9.com/-/spec/opensearch/1.1/"
	nsThread     = "http://purl.org/syndication/thread/1.0"
)

// atomFeed is an atom:feed (RFC 4287, section 4.1.1).
type atomFeed struct {
	XMLName      xml.Name     `xml:"feed"`
	NS           string       `xml:"xmlns,attr"`
	NSTerms      string       `xml:"xmlns:dc,attr"`
	NSOPDS       string       `xml:"xmlns:opds,attr"`
	NSOpenSearch string       `xml:"xmlns:opensearch,attr"`
	NSThread     string       `xml:"xmlns:thr,attr"`
	Lang         string       `xml:"xml:lang,attr"`
	ID           string       `xml:"id"`
	Title        atomText     `xml:"title"`
	Updated      string       `xml:"updated"`
	Author       atomPerson   `xml:"author"`
	Generator    string       `xml:"generator"`
	Links        []atomLink   `xml:"link"`
	Total        *int64       `xml:"opensearch:totalResults"`
	StartIndex   *int64       `xml:"opensearch:startIndex"`
	PerPage      *int         `xml:"opensearch:itemsPerPage"`
	Entries      []*atomEntry `xml:"entry"`
}

// atomEntry is an atom:entry (RFC 4287, section 4.1.2), within a feed or alone.
type atomEntry struct {
	XMLName      xml.Name       `xml:"entry"`
	NS           string         `xml:"xmlns,attr,omitempty"` // of a document of its own
	NSTerms      string         `xml:"xmlns:dc,attr,omitempty"`
	Lang         string         `xml:"xml:lang,attr,omitempty"`
	ID           string         `xml:"id"`
	Title        atomText       `xml:"title"`
	Updated      string         `xml:"updated"`
	Published    string         `xml:"published,omitempty"`
	Authors      []atomPerson   `xml:"author"`
	Contributors []atomPerson   `xml:"contributor"`
	Languages    []string       `xml:"dc:language"`
	Issued       string         `xml:"dc:issued,omitempty"`
	Publisher    string         `xml:"dc:publisher,omitempty"`
	Identifiers  []string       `xml:"dc:identifier"`
	Categories   []atomCategory `xml:"category"`
	Rights       *atomText      `xml:"rights"`
	Summary      *atomText      `xml:"summary"`
	Content      *atomText      `xml:"content"`
	Links        []atomLink     `xml:"link"`
}

type atomText struct {
	Type string `xml:"type,attr,omitempty"`
	Lang string `xml:"xml:lang,attr,omitempty"`
	Text string `xml:",chardata"`
}

type atomPerson struct {
	Name string `xml:"name"`
	URI  string `xml:"uri,omitempty"`
}

type atomCategory struct {
	Scheme string `xml:"scheme,attr,omitempty"`
	Term   string `xml:"term,attr"`
	Label  string `xml:"label,attr,omitempty"`
}

type atomLink struct {
	Rel      string `xml:"rel,attr"`
	Href     string `xml:"href,attr"`
	Type     string `xml:"type,attr,omitempty"`
	HrefLang string `xml:"hreflang,attr,omitempty"`
	Title    string `xml:"title,attr,omitempty"`
	Length   int64  `xml:"length,attr,omitempty"`
	Group    string `xml:"opds:facetGroup,attr,omitempty"`
	Active   string `xml:"opds:activeFacet,attr,omitempty"`
	Count    int64  `xml:"thr:count,attr,omitempty"`
}

// openSearch is an OpenSearch 1.1 description (draft 6, section 4).
type openSearch struct {
	XMLName     xml.Name      `xml:"OpenSearchDescription"`
	NS          string        `xml:"xmlns,attr"`
	ShortName   string        `xml:"ShortName"` // at most 16 characters
	Description string        `xml:"Description"`
	URLs        []openSearchU `xml:"Url"`
	Language    []string      `xml:"Language"`
	OutputEnc   string        `xml:"OutputEncoding"`
	InputEnc    string        `xml:"InputEncoding"`
}

type openSearchU struct {
	Type     string `xml:"type,attr"`
	Template string `xml:"template,attr"`
}

// marshal writes a document with its XML declaration. Characters that XML
// cannot hold become U+FFFD.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", " ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// atomID is the permanent id of something in this library: a UUID made from the
// library id and a name, so that it outlives every address (RFC 4287, section
// 4.2.6; RFC 9562, section 5.8).
func (f *Feeds) atomID(name string) string {
	sum := sha256.Sum256([]byte(f.cfg.ID + "\n" + name))
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// atomTime writes a moment (RFC 4287, section 3.3).
func atomTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// updated is when anything was last said about a record.
func updated(st *record.State) time.Time {
	t := st.Time
	for _, ev := range st.History {
		if ev.Time.After(t) {
			t = ev.Time
		}
	}
	return t
}

// summaryLength is the most characters of an abstract in a list.
const summaryLength = 400

// entry describes a record with links to the files that may be downloaded; with
// whole it holds all that is known, else what a list needs.
func (f *Feeds) entry(v voice, st *record.State, files []record.File, whole bool) *atomEntry {
	rec := st.Record
	lang := ""
	if len(rec.Languages) > 0 {
		lang = rec.Languages[0]
	}
	e := &atomEntry{
		ID:        f.atomID("record " + strconv.FormatInt(st.Number, 10)),
		Title:     atomText{Text: rec.Title, Lang: lang},
		Updated:   atomTime(updated(st)),
		Published: atomTime(st.Time),
		Languages: rec.Languages,
		Issued:    rec.Issued,
	}
	for _, c := range rec.Creators {
		p := atomPerson{Name: c.Name}
		if c.Role == "" || c.Role == "aut" || c.Role == "cre" {
			e.Authors = append(e.Authors, p)
		} else {
			e.Contributors = append(e.Contributors, p)
		}
	}
	if len(e.Authors) == 0 { // RFC 4287, section 4.1.2: there must be one
		e.Authors = []atomPerson{{Name: v.say("unknown")}}
	}
	for _, s := range rec.Subjects {
		if c, ok := category(s); ok && !slices.Contains(e.Categories, c) {
			e.Categories = append(e.Categories, c)
		}
	}
	if text := rightsText(v, st.Rights); text != "" {
		e.Rights = &atomText{Text: text}
	}
	if rec.Abstract != "" {
		short := shorten(rec.Abstract, summaryLength)
		e.Summary = &atomText{Type: "text", Lang: lang, Text: short}
		if whole && short != rec.Abstract {
			e.Content = &atomText{Type: "text", Lang: lang, Text: rec.Abstract}
		}
	}
	e.Links = append(e.Links, atomLink{Rel: "alternate", Href: recordPath(st.Number), Type: "text/html", Title: v.say("page")})
	self := atomLink{Rel: "alternate", Href: opdsRecordPath(st.Number), Type: typeEntry, Title: v.say("complete")}
	if whole {
		e.NS, e.NSTerms, e.Lang = nsAtom, nsTerms, v.Tag()
		e.Publisher = rec.Publisher
		for _, id := range rec.IDs {
			e.Identifiers = append(e.Identifiers, identifier(id))
		}
		self.Rel, self.Title = "self", ""
	}
	e.Links = append(e.Links, self)
	if uri := record.LicenceURI(st.Rights); uri != "" { // RFC 4946; by it another library takes the work over
		e.Links = append(e.Links, atomLink{Rel: "license", Href: uri, Type: "text/html"})
	}
	e.Links = append(e.Links, fileLinks(st.Number, files)...)
	return e
}

// fileLinks are the links to texts and covers. OPDS wants covers as GIF, JPEG or
// PNG (section 5.2.2); others are left to the record's page.
func fileLinks(n int64, files []record.File) (links []atomLink) {
	cover := false
	for _, file := range files {
		href := filePath(n, file.Name)
		switch {
		case file.Role == record.RoleCover && !cover && isArtwork(file.MediaType):
			cover = true
			links = append(links,
				atomLink{Rel: relImage, Href: href, Type: file.MediaType},
				atomLink{Rel: relThumbnail, Href: href, Type: file.MediaType})
		case file.Role == record.RoleText:
			links = append(links, atomLink{Rel: relOpenAccess, Href: href, Type: acquisitionType(file.MediaType),
				HrefLang: file.Language, Title: file.Name, Length: file.Bytes})
		}
	}
	return links
}

func isArtwork(mediaType string) bool {
	return mediaType == "image/jpeg" || mediaType == "image/png" || mediaType == "image/gif"
}

// acquisitionType is a media type as an acquisition link states it: without
// parameters, because clients compare the whole value with what they can open.
func acquisitionType(mediaType string) string {
	base, _, _ := strings.Cut(mediaType, ";")
	if base = strings.TrimSpace(base); base == "" {
		return "application/octet-stream"
	}
	return base
}

// category is a subject as an atom:category; term may not be empty.
func category(s record.Subject) (atomCategory, bool) {
	c := atomCategory{Scheme: subjectSchemes[strings.ToLower(s.Scheme)], Term: s.Code, Label: s.Label}
	if c.Term == "" {
		c.Term = s.Label
	}
	return c, c.Term != ""
}

// subjectSchemes are the IRIs of the schemes that have one.
var subjectSchemes = map[string]string{
	"lcsh":  "http://id.loc.gov/authorities/subjects",
	"lcc":   "http://id.loc.gov/authorities/classification",
	"ddc":   "http://dewey.info/",
	"bisac": "http://www.bisg.org/standards/bisac_subject/index.html",
}

// identifier is an id of the publication as dc:identifier has it.
func identifier(id record.ID) string {
	switch id.Scheme {
	case "isbn", "issn", "uuid":
		return "urn:" + id.Scheme + ":" + id.Value
	case "url", "uri", "urn":
		return id.Value
	}
	return id.Scheme + ":" + id.Value
}

// rightsText states rights in a few words.
func rightsText(v voice, r *record.Rights) string {
	if r == nil {
		return ""
	}
	text := ""
	switch r.Basis {
	case record.PublicDomain:
		text = v.say("publicdomain")
	case record.Licence:
		text = r.Licence
	case record.Permission:
		text = v.say("permission")
	}
	if r.Holder != "" {
		text = strings.TrimPrefix(text+" · "+r.Holder, " · ")
	}
	return text
}

// shorten cuts a text at a number of characters.
func shorten(s string, most int) string {
	n := 0
	for i := range s {
		if n == most {
			return strings.TrimSpace(s[:i]) + "…"
		}
		n++
	}
	return s
}

// opdsRecordPath is the address of a record's entry document.
func opdsRecordPath(n int64) string { return "/opds/records/" + strconv.FormatInt(n, 10) }

// withQuery adds parameters to a path; empty ones are left out, and none are
// written for a value that is the default.
func withQuery(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
