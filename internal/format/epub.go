package format

import (
	"context"
	"errors"
	"io"
	"mime"
	"path"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// EPUB is an open EPUB whose archive and package document are sound. It holds no
// content: files are read from the archive when asked for. Safe for concurrent use
// where the File is.
type EPUB struct {
	zip   *archive
	opf   *opf
	types map[string]string // path -> media type, as the manifest states
}

// OpenEPUB opens an EPUB and checks its archive, container, encryption and
// package document. It reads no chapter.
func OpenEPUB(f File) (*EPUB, error) {
	a, err := openArchive(f, "book")
	if err != nil {
		return nil, err
	}
	return openEPUB(a)
}

func openEPUB(a *archive) (*EPUB, error) {
	if err := checkEncryption(a); err != nil {
		return nil, err
	}
	root, err := rootFile(a)
	if err != nil {
		return nil, err
	}
	file := a.get(root)
	if file == nil {
		return nil, errs.New(errs.Refused, "the book's package document is missing: %q", cleanLine(root, 80))
	}
	data, err := a.read(file, maxXML)
	if err != nil {
		return nil, errs.New(errs.Refused, "the book's package document cannot be read")
	}
	p, err := parsePackage(data, file.Name)
	if err != nil {
		return nil, err
	}
	if len(p.spine) == 0 {
		return nil, errs.New(errs.Refused, "the book has no chapters: its spine is empty")
	}
	if len(p.spine) > maxSpine {
		return nil, errs.New(errs.Refused, "the book has more than %d chapters", maxSpine)
	}
	e := &EPUB{zip: a, opf: p, types: make(map[string]string, len(p.order))}
	for _, it := range p.order {
		e.types[it.path] = it.mediaType
	}
	return e, nil
}

// rootFile reads META-INF/container.xml (EPUB 3.3, section 4.2.6.3.1).
func rootFile(a *archive) (string, error) {
	file := a.get("META-INF/container.xml")
	if file == nil {
		return "", errs.New(errs.Refused, "the book has no META-INF/container.xml, so its contents cannot be found")
	}
	data, err := a.read(file, maxXML)
	if err != nil {
		return "", errs.New(errs.Refused, "the book's META-INF/container.xml cannot be read")
	}
	root, _, err := parseXML(data)
	if err != nil {
		return "", errs.New(errs.Refused, "the book's META-INF/container.xml cannot be read: %w", err)
	}
	var first, typed string
	root.all(func(n *xmlNode) {
		if !strings.EqualFold(n.name, "rootfile") {
			return
		}
		full := resolve("", n.attr("full-path"))
		if first == "" {
			first = full
		}
		if typed == "" && n.attr("media-type") == "application/oebps-package+xml" {
			typed = full
		}
	})
	if typed != "" {
		first = typed
	}
	if first == "" {
		return "", errs.New(errs.Refused, "the book's META-INF/container.xml names no package document")
	}
	return first, nil
}

// Font obfuscation keeps fonts from being copied out, not books from being read.
const (
	obfuscationIDPF  = "http://www.idpf.org/2008/embedding"
	obfuscationAdobe = "http://ns.adobe.com/pdf/enc#RC"
)

// checkEncryption refuses a book whose files are encrypted (EPUB 3.3, section
// 4.2.6.3.2), fonts apart.
func checkEncryption(a *archive) error {
	if a.get("META-INF/license.lcpl") != nil {
		return errs.New(errs.Refused, "the book is locked by DRM (LCP), so readers could not open it")
	}
	file := a.get("META-INF/encryption.xml")
	if file == nil {
		return nil
	}
	data, err := a.read(file, maxXML)
	if err != nil {
		return errs.New(errs.Refused, "the book's META-INF/encryption.xml cannot be read")
	}
	root, _, err := parseXML(data)
	if err != nil {
		return errs.New(errs.Refused, "the book's META-INF/encryption.xml cannot be read: %w", err)
	}
	locked := false
	root.all(func(n *xmlNode) {
		if !strings.EqualFold(n.name, "EncryptedData") {
			return
		}
		algorithm := n.find("EncryptionMethod")
		if algorithm == nil {
			locked = true
			return
		}
		switch algorithm.attr("Algorithm") {
		case obfuscationIDPF, obfuscationAdobe:
		default:
			locked = true
		}
	})
	if locked {
		return errs.New(errs.Refused, "the book is locked by DRM, so readers could not open it")
	}
	return nil
}

// Resource opens a file of the book by its path in the archive, with the media
// type that the manifest states and its size unpacked. The reader gives no more
// than size bytes, and an error where the archive lied. No such file gives
// errs.NotFound. What it gives is hostile: see ARCHITECTURE.md on the reader.
func (e *EPUB) Resource(name string) (io.ReadCloser, string, int64, error) {
	return e.zip.resource(name, e.types)
}

// Package is the path of the package document in the archive.
func (e *EPUB) Package() string { return e.opf.name }

func (a *archive) resource(name string, types map[string]string) (io.ReadCloser, string, int64, error) {
	f, ok := a.byName[strings.TrimPrefix(name, "/")]
	if !ok {
		return nil, "", 0, errs.New(errs.NotFound, "there is no such file in the book")
	}
	rc, err := a.open(f)
	if err != nil {
		return nil, "", 0, errs.New(errs.Corrupt, "a file of the book cannot be read: %w", err)
	}
	return rc, mediaTypeOf(f.Name, types[f.Name]), int64(f.UncompressedSize64), nil
}

// extensions are the media types of what books hold (EPUB 3.3, section 3.2).
var extensions = map[string]string{
	".xhtml": "application/xhtml+xml", ".html": "text/html", ".htm": "text/html", ".xml": "application/xml", ".opf": "application/oebps-package+xml",
	".ncx": "application/x-dtbncx+xml", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".jpg": "image/jpeg",
	".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif", ".mp3": "audio/mpeg",
	".mp4": "video/mp4", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".ttf": "font/ttf", ".otf": "font/otf", ".woff": "font/woff",
	".woff2": "font/woff2", ".smil": "application/smil+xml", ".pls": "application/pls+xml", ".json": "application/json", ".txt": "text/plain",
}

// mediaTypeOf is a stated media type when it is one, else that of the extension.
func mediaTypeOf(name, stated string) string {
	if t, _, err := mime.ParseMediaType(stated); err == nil && strings.Count(t, "/") == 1 {
		return t
	}
	if t, ok := extensions[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}

// parseEPUB describes an EPUB from its open archive.
func parseEPUB(ctx context.Context, name string, a *archive) (*Document, error) {
	e, err := openEPUB(a)
	if err != nil {
		return nil, err
	}
	doc := e.opf.doc
	doc.MediaType = MediaEPUB
	if f := a.get("mimetype"); f == nil {
		doc.warn("the archive has no mimetype entry")
	} else if data, err := a.read(f, 100); err != nil || strings.TrimSpace(string(data)) != MediaEPUB {
		doc.warn("the archive's mimetype entry does not say that this is an EPUB")
	}
	if err := e.survey(ctx, &doc); err != nil {
		return nil, err
	}
	doc.Cover = e.cover(&doc)
	if doc.Record.Title == "" {
		doc.Record.Title = titleOfName(name)
		doc.warn("the book states no title; the file's name was used")
	}
	if doc.Record.Title == "" {
		return nil, errs.New(errs.Refused, "the book has no title")
	}
	return &doc, nil
}

// survey reads every file of the book once: for checksums, active content, sound
// markup, and the text from which language and hints are told.
func (e *EPUB) survey(ctx context.Context, doc *Document) error {
	budget := int64(maxMarkupTotal)
	var sample strings.Builder
	seen := map[string]bool{}
	unsound, active, embeds, missing := 0, false, false, 0
	title := ""
	for i, it := range e.opf.spine {
		if err := ctx.Err(); err != nil {
			return tooLong(err)
		}
		f := e.zip.get(it.path)
		if f == nil {
			missing++
			continue
		}
		if seen[f.Name] || !it.isMarkup() {
			continue
		}
		seen[f.Name] = true
		if budget -= int64(f.UncompressedSize64); budget < 0 {
			break
		}
		// The text of the first chapters tells the language, that of the ends the licence.
		ends := i < 3 || i >= len(e.opf.spine)-3
		limit := 1
		if need := langSample - sample.Len(); need > 0 && it != e.opf.nav {
			limit = need
		}
		if ends {
			limit = max(limit, hintSample)
		}
		m, err := e.chapter(it, limit)
		if err != nil {
			return err
		}
		if m.NotWell {
			unsound++
		}
		active, embeds = active || m.Active, embeds || m.Embeds
		if title == "" {
			title = m.Title
		}
		if ends {
			doc.hintsFrom(path.Base(it.path), m.Text)
		}
		if it != e.opf.nav && sample.Len() < langSample {
			sample.WriteString(m.Text)
			sample.WriteByte('\n')
		}
	}
	if missing == len(e.opf.spine) {
		return errs.New(errs.Refused, "the book's chapters are missing from its archive")
	}
	if missing > 0 {
		doc.warn("chapters that the book lists are missing from its archive")
	}
	if unsound > 0 {
		doc.warn("chapters of the book are not well-formed; they may look odd")
	}
	damaged, scripts, err := e.rest(ctx, seen)
	if err != nil {
		return err
	}
	if damaged != "" {
		doc.warn("a file in the book is damaged: " + damaged)
	}
	if active || scripts {
		doc.warn("scripts in the book will not run")
	}
	if embeds {
		doc.warn("forms and frames in the book will not work")
	}
	if doc.Record.Title == "" && title != "" {
		doc.Record.Title = title
		doc.warn("the package document has no title; that of the first chapter was used")
	}
	doc.setLanguage(sample.String())
	return nil
}

// rest reads what is not in the spine, for checksums and scripts.
func (e *EPUB) rest(ctx context.Context, seen map[string]bool) (damaged string, scripts bool, err error) {
	budget := int64(maxMarkupTotal)
	buf := make([]byte, 64<<10)
	for _, f := range e.zip.files {
		if seen[f.Name] {
			continue
		}
		if budget -= int64(f.UncompressedSize64); budget < 0 {
			break
		}
		switch t := mediaTypeOf(f.Name, e.types[f.Name]); t {
		case "text/javascript", "application/javascript", "application/ecmascript", "application/x-javascript":
			scripts = true
		case "image/svg+xml", "text/html", "application/xhtml+xml":
			if f.UncompressedSize64 <= maxMarkup {
				m, err := e.chapter(&opfItem{path: f.Name, mediaType: t}, 1)
				if err != nil && damaged == "" {
					damaged = cleanLine(path.Base(f.Name), 80)
				}
				scripts = scripts || err == nil && m.Active
				continue
			}
		}
		if err := e.zip.check(ctx, f, buf); err != nil {
			if ctx.Err() != nil {
				return "", false, tooLong(ctx.Err())
			}
			if damaged == "" {
				damaged = cleanLine(path.Base(f.Name), 80)
			}
		}
	}
	return damaged, scripts, nil
}

// chapter reads one document of the book.
func (e *EPUB) chapter(it *opfItem, limit int) (*markup, error) {
	f := e.zip.get(it.path)
	if f == nil {
		return nil, errs.New(errs.NotFound, "there is no such chapter")
	}
	if f.UncompressedSize64 > maxMarkup {
		return nil, errs.New(errs.Refused, "a chapter of the book is too large: %q", cleanLine(path.Base(f.Name), 80))
	}
	data, err := e.zip.read(f, maxMarkup)
	if err != nil {
		return nil, errs.New(errs.Refused, "a chapter of the book is damaged: %q", cleanLine(path.Base(f.Name), 80))
	}
	m, err := markupOf(data, it.mediaType != "text/html", limit)
	if err != nil {
		return nil, errs.New(errs.Refused, "a chapter of the book cannot be read: %q", cleanLine(path.Base(f.Name), 80))
	}
	return m, nil
}

// tooLong turns the end of a context into a sentence.
func tooLong(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errs.New(errs.Refused, "reading the file took too long")
	}
	return err
}

// Chapters calls fn with the text of each chapter in reading order. Titles come
// from the table of contents, else from the chapter's first heading.
func (e *EPUB) Chapters(ctx context.Context, fn func(Chapter) error) error {
	return e.chapters(ctx, func(int) bool { return true }, fn)
}

// chapters is Chapters for those whose index want names; the others are not read.
func (e *EPUB) chapters(ctx context.Context, want func(index int) bool, fn func(Chapter) error) error {
	titles := e.contents()
	budget := int64(maxMarkupTotal)
	for index, it := range e.spine() {
		if err := ctx.Err(); err != nil {
			return tooLong(err)
		}
		if !want(index) {
			continue
		}
		if budget -= int64(e.zip.get(it.path).UncompressedSize64); budget < 0 {
			return errs.New(errs.TooLarge, "the book's text is longer than is read")
		}
		m, err := e.chapter(it, 0)
		if err != nil {
			return err
		}
		c := Chapter{Index: index, Title: titles[it.path], Href: it.path, Text: m.Text}
		if c.Title == "" {
			c.Title = m.Heading
		}
		if c.Title == "" {
			c.Title = m.Title
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

// contents maps the files of the book to their titles in the table of contents.
func (e *EPUB) contents() map[string]string {
	titles := map[string]string{}
	add := func(base, href, label string) {
		if name := resolve(base, href); name != "" && titles[name] == "" && len(titles) < maxSpine {
			titles[name] = cleanLine(label, maxTitle)
		}
	}
	if it := e.opf.nav; it != nil {
		if root := e.tree(it); root != nil {
			root.all(func(n *xmlNode) {
				if n.name != "nav" || (n.attr("type") != "" && !strings.Contains(n.attr("type"), "toc")) {
					return
				}
				n.all(func(a *xmlNode) {
					if a.name == "a" {
						add(it.path, a.attr("href"), a.text())
					}
				})
			})
		}
	}
	if it := e.opf.ncx; it != nil && len(titles) == 0 {
		if root := e.tree(it); root != nil {
			root.all(func(n *xmlNode) {
				if !strings.EqualFold(n.name, "navPoint") {
					return
				}
				var label, src string
				for _, c := range n.children {
					switch strings.ToLower(c.name) {
					case "navlabel":
						label = c.text()
					case "content":
						src = c.attr("src")
					}
				}
				add(it.path, src, label)
			})
		}
	}
	return titles
}

// tree is a document of the book as XML, or nil: contents are a convenience.
func (e *EPUB) tree(it *opfItem) *xmlNode {
	f := e.zip.get(it.path)
	if f == nil {
		return nil
	}
	data, err := e.zip.read(f, maxXML)
	if err != nil {
		return nil
	}
	root, _, err := parseXML(data)
	if err != nil {
		return nil
	}
	return root
}

// cover finds the picture on the front: the EPUB 3 property, the EPUB 2 meta,
// the cover page of the guide, then a picture that is called cover.
func (e *EPUB) cover(doc *Document) *Cover {
	var candidates []string
	for _, it := range e.opf.order {
		if it.has("cover-image") {
			candidates = append(candidates, it.path)
		}
	}
	if id := e.opf.coverID; id != "" {
		if it := e.opf.items[id]; it != nil {
			candidates = append(candidates, it.path)
		} else if name := resolve(e.opf.name, id); name != "" {
			candidates = append(candidates, name)
		}
	}
	if e.opf.guide != "" {
		candidates = append(candidates, e.opf.guide)
	}
	for _, it := range e.opf.order {
		base := strings.ToLower(path.Base(it.path))
		if strings.HasPrefix(it.mediaType, "image/") && (strings.HasPrefix(base, "cover") || strings.EqualFold(it.id, "cover")) {
			candidates = append(candidates, it.path)
		}
	}
	for i := 0; i < len(candidates) && i < 16; i++ {
		f := e.zip.get(candidates[i])
		if f == nil {
			continue
		}
		switch t := mediaTypeOf(f.Name, e.types[f.Name]); {
		case t == "application/xhtml+xml" || t == "text/html":
			if m, err := e.chapter(&opfItem{path: f.Name, mediaType: t}, 1); err == nil {
				for _, src := range m.Images {
					candidates = append(candidates, resolve(f.Name, src))
				}
			}
		case f.UncompressedSize64 > MaxCover:
			doc.warn("the cover is too large and was left out")
		default:
			data, err := e.zip.read(f, MaxCover)
			if err != nil {
				continue
			}
			if c := newCover(data); c != nil {
				return c
			}
		}
	}
	return nil
}

// newBook is the record of something of which nothing is known yet.
func newBook() record.Record { return record.Record{Kind: record.Book} }
