package format

import (
	"context"
	"fmt"
	"io"
	"path"
	"sort"
	"strconv"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// CBZ is an open comic archive. Safe for concurrent use where the File is.
type CBZ struct {
	zip   *archive
	pages []string
}

// OpenCBZ opens a comic archive: a ZIP file of pictures.
func OpenCBZ(f File) (*CBZ, error) {
	a, err := openArchive(f, "comic")
	if err != nil {
		return nil, err
	}
	return openCBZ(a)
}

func openCBZ(a *archive) (*CBZ, error) {
	c := &CBZ{zip: a}
	for _, f := range a.files {
		if isComicPage(f.Name) {
			c.pages = append(c.pages, f.Name)
		}
	}
	if len(c.pages) == 0 {
		return nil, errs.New(errs.Refused, "the comic holds no pictures")
	}
	keys := make(map[string]string, len(c.pages))
	for _, p := range c.pages {
		keys[p] = naturalKey(p)
	}
	sort.SliceStable(c.pages, func(i, j int) bool { return keys[c.pages[i]] < keys[c.pages[j]] })
	return c, nil
}

// isComicPage says whether a file is a picture, and not what macOS leaves behind.
func isComicPage(name string) bool {
	base := path.Base(name)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(name, "__MACOSX/") {
		return false
	}
	switch strings.ToLower(path.Ext(base)) {
	case ".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif":
		return true
	}
	return false
}

// naturalKey sorts page2 before page10: numbers are padded.
func naturalKey(name string) string {
	var b strings.Builder
	name = strings.ToLower(name)
	for i := 0; i < len(name); {
		j := i
		for j < len(name) && name[j] >= '0' && name[j] <= '9' {
			j++
		}
		if j == i {
			b.WriteByte(name[i])
			i++
			continue
		}
		number := strings.TrimLeft(name[i:j], "0")
		if len(number) < 12 {
			b.WriteString(strings.Repeat("0", 12-len(number)))
		}
		b.WriteString(number)
		i = j
	}
	return b.String()
}

// Pages are the paths of the pictures in reading order.
func (c *CBZ) Pages() []string { return c.pages }

// Resource opens a picture by its path in the archive; see [EPUB.Resource].
func (c *CBZ) Resource(name string) (io.ReadCloser, string, int64, error) {
	return c.zip.resource(name, nil)
}

// parseCBZ describes a comic by its ComicInfo.xml (the Anansi project's schema
// 2.1), else by its file name.
func parseCBZ(ctx context.Context, name string, a *archive) (*Document, error) {
	c, err := openCBZ(a)
	if err != nil {
		return nil, err
	}
	doc := &Document{Record: newBook(), MediaType: MediaCBZ, Pages: len(c.pages)}
	front := c.pages[0]
	if f := a.get("ComicInfo.xml"); f != nil {
		data, err := a.read(f, maxXML)
		var root *xmlNode
		if err == nil {
			root, _, err = parseXML(data)
		}
		if err != nil {
			doc.warn("the comic's ComicInfo.xml cannot be read and was not used")
		} else if n := comicInfo(doc, root); n >= 0 && n < len(c.pages) {
			front = c.pages[n]
		}
	}
	if doc.Record.Title == "" {
		doc.Record.Title = titleOfName(name)
	}
	if doc.Record.Title == "" {
		return nil, errs.New(errs.Refused, "the comic has no title and no name")
	}
	if f := a.get(front); f.UncompressedSize64 <= MaxCover {
		if data, err := a.read(f, MaxCover); err == nil {
			doc.Cover = newCover(data)
		}
	}
	budget := int64(maxMarkupTotal)
	buf := make([]byte, 64<<10)
	for _, f := range a.files {
		if budget -= int64(f.UncompressedSize64); budget < 0 {
			break
		}
		if err := a.check(ctx, f, buf); err != nil {
			if ctx.Err() != nil {
				return nil, tooLong(ctx.Err())
			}
			doc.warn("a page of the comic is damaged: " + cleanLine(path.Base(f.Name), 80))
		}
	}
	return doc, nil
}

// comicRoles are the makers that ComicInfo.xml names, with their relator codes.
var comicRoles = []struct{ element, role string }{
	{"Writer", "aut"}, {"Penciller", "art"}, {"Inker", "art"}, {"Colorist", "clr"}, {"CoverArtist", "cov"},
	{"Editor", "edt"}, {"Translator", "trl"},
}

// comicInfo reads ComicInfo.xml into doc and gives the number of the front cover's
// page, or -1.
func comicInfo(doc *Document, root *xmlNode) int {
	value := func(name string) string {
		for _, n := range children(root, name) {
			return cleanLine(n.text(), maxTitle)
		}
		return ""
	}
	r := &doc.Record
	series, number := value("Series"), value("Number")
	r.Title = value("Title")
	if series != "" {
		r.Container = &record.Container{Title: series, Volume: value("Volume"), Issue: number}
		if r.Title == "" {
			r.Title = series
			if number != "" {
				r.Title += " " + number
			}
		}
	}
	for _, m := range comicRoles {
		for _, who := range strings.Split(value(m.element), ",") {
			r.Creators = addCreator(r.Creators, who, m.role)
		}
	}
	r.Publisher = value("Publisher")
	if tag := normalLanguage(value("LanguageISO")); tag != "" {
		r.Languages = []string{tag}
	}
	for _, n := range children(root, "Summary") {
		r.Abstract = cleanText(stripHTML(n.text()), maxAbstract)
	}
	for _, list := range []string{value("Genre"), value("Tags")} {
		for _, s := range strings.Split(list, ",") {
			r.Subjects = addSubject(r.Subjects, subjectOf(s))
		}
	}
	r.IDs = addID(r.IDs, "isbn", value("GTIN"))
	for _, web := range strings.Fields(value("Web")) {
		r.IDs = addID(r.IDs, "url", web)
	}
	if year, err := strconv.Atoi(value("Year")); err == nil {
		r.Issued = edtfParts(fmt.Sprintf("%04d", year), value("Month"), value("Day"))
	}
	front := -1
	for _, p := range children(root.find("Pages"), "Page") {
		if p.attr("Type") == "FrontCover" && front < 0 {
			if n, err := strconv.Atoi(p.attr("Image")); err == nil {
				front = n
			}
		}
	}
	return front
}
