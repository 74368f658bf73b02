package format

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// PDFs are read by a parser of our own, of which every step is bounded: the Go
// libraries that there are refuse files that readers open (PDF 2.0, small breaks
// of the standard), or hold the whole file in memory, and none stops when the
// context ends. Nothing is drawn and nothing is run.

const (
	pdfMaxPages    = 200_000
	pdfMaxTree     = 64       // levels of the page tree
	pdfMaxMetadata = 16 << 20 // bytes of an XMP packet
	pdfActionPages = 500      // pages whose actions are looked at
	pdfSamplePages = 5        // pages from which language and licence hints are told
	pdfUNESCOBook  = 49       // pages from which a print is a book, as UNESCO counts
)

// parsePDF describes a PDF: its Info dictionary, its XMP packet, the number of
// pages, and what it would do if it could. Record.Title is empty where neither
// metadata nor the first page gives one: the caller then takes the file name.
func parsePDF(ctx context.Context, f File) (doc *Document, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, errs.New(errs.Refused, "the PDF is damaged in a way that could not be read")
		}
	}()
	p, err := openPDF(ctx, f)
	if err != nil {
		return nil, pdfRefusal(err)
	}
	doc = &Document{MediaType: MediaPDF}
	root := p.dict(p.trailer["Root"])
	var first []pdfLine
	var sample strings.Builder
	fonts := map[pdfRef]*pdfFont{}
	actions := map[string]bool{}
	err = p.pages(func(n int, page, resources pdfDict) error {
		doc.Pages = n + 1
		if n < pdfActionPages {
			p.pageActions(page, actions)
		}
		if n < pdfSamplePages {
			runs, err := p.pageRuns(page, resources, fonts)
			if err != nil {
				return err
			}
			lines := pdfLines(runs)
			if n == 0 {
				first = lines
			}
			if sample.Len() < langSample {
				sample.WriteString(pdfProse(lines))
				sample.WriteByte('\n')
			}
		}
		return nil
	})
	if err != nil {
		return nil, pdfRefusal(err)
	}
	count := p.integer(p.dict(root["Pages"])["Count"])
	switch {
	case doc.Pages == 0:
		return nil, errs.New(errs.Refused, "the PDF has no pages that can be read")
	case p.rebuilt && doc.Pages < count:
		return nil, errs.New(errs.Refused, "the PDF is damaged: %d of its %d pages are there", doc.Pages, count)
	case p.rebuilt:
		doc.warn("the PDF's table of contents for programs is damaged; the file was read without it")
	}
	p.describe(doc, root)
	p.catalogActions(root, actions)
	for _, sentence := range pdfActionOrder {
		if actions[sentence] {
			doc.warn(sentence)
		}
	}
	if p.crypt != nil {
		doc.warn("the PDF is encrypted, but opens without a password")
	}
	if doc.Record.Title == "" {
		if t := pdfTitle(first); t != "" {
			doc.Record.Title = t
			doc.warn("the metadata has no title; it was taken from the largest letters of the first page")
		} else {
			doc.warn("neither the metadata nor the first page gives a title; the file name stands for it")
		}
	}
	text := sample.String()
	doc.hintsFrom("the text of the first pages", text[:min(len(text), hintSample)])
	if len(doc.Record.Languages) == 0 {
		if tag, sure := DetectLanguage(cut(text, langSample)); tag != "" && sure >= 0.5 {
			doc.Record.Languages = []string{tag}
			doc.LanguageDetected = true
		}
	}
	return doc, nil
}

// cut shortens s to at most n bytes, at the end of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// pdfPages gives the text of a PDF page by page; a page without text is left
// out. Text that is only in pictures cannot be had.
func pdfPages(ctx context.Context, f File, fn func(Chapter) error) error {
	return pdfText(ctx, f, func(int) bool { return true }, fn)
}

// pdfText is pdfPages for those pages that want names; the others are not read.
func pdfText(ctx context.Context, f File, want func(n int) bool, fn func(Chapter) error) (err error) {
	var outside error
	defer func() {
		if r := recover(); r != nil {
			if outside != nil {
				panic(r) // fn's, not ours
			}
			err = errs.New(errs.Refused, "the PDF is damaged in a way that could not be read")
		}
	}()
	p, err := openPDF(ctx, f)
	if err != nil {
		return pdfRefusal(err)
	}
	fonts := map[pdfRef]*pdfFont{}
	err = p.pages(func(n int, page, resources pdfDict) error {
		if !want(n) {
			return nil
		}
		runs, err := p.pageRuns(page, resources, fonts)
		if err != nil {
			return err
		}
		text := pdfProse(pdfLines(runs))
		if text == "" {
			return nil
		}
		outside = errPDFOutside
		outside = fn(Chapter{Index: n, Href: fmt.Sprintf("page=%d", n+1), Text: text})
		return outside
	})
	if outside != nil {
		return outside
	}
	return pdfRefusal(err)
}

var errPDFOutside = errors.New("pdf: in the caller's function")

// pdfRefusal is the sentence for a file that cannot be read.
func pdfRefusal(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return errs.New(errs.Refused, "the PDF took too long to read")
	case errors.Is(err, errPDFLocked):
		return errs.New(errs.Refused, "the PDF is locked with a password")
	case errors.Is(err, errPDFLimit):
		return errs.New(errs.Refused, "the PDF is larger inside than this program reads")
	case errors.Is(err, errPDFToken):
		return errs.New(errs.Refused, "the file is not a PDF")
	case errors.Is(err, errPDFXref):
		return errs.New(errs.Refused, "the PDF is cut short or damaged: its cross-reference table is missing")
	}
	return fmt.Errorf("read PDF: %w", err)
}

// pages calls fn with each page in order, and the resources it inherits.
func (p *pdfFile) pages(fn func(n int, page, resources pdfDict) error) error {
	n := 0
	seen := map[int]bool{} // inner nodes and pages: a page has one place
	var walk func(v any, resources pdfDict, depth int) error
	walk = func(v any, resources pdfDict, depth int) error {
		if depth > pdfMaxTree || n >= pdfMaxPages {
			return errPDFLimit
		}
		if err := p.step(); err != nil {
			return err
		}
		if ref, ok := v.(pdfRef); ok {
			if seen[ref.num] {
				return nil
			}
			seen[ref.num] = true
		}
		node := p.dict(v)
		if node == nil {
			return nil
		}
		if r := p.dict(node["Resources"]); r != nil {
			resources = r
		}
		if kids, ok := p.get(node["Kids"]).(pdfArray); ok {
			for _, kid := range kids {
				if err := walk(kid, resources, depth+1); err != nil {
					return err
				}
			}
			return nil
		}
		if p.get(node["Type"]) == pdfName("Pages") {
			return nil
		}
		n++
		return fn(n-1, node, resources)
	}
	return walk(p.dict(p.trailer["Root"])["Pages"], nil, 0)
}

// What a PDF may want to do, in the order in which it is told.
const (
	pdfScripts = "scripts in the PDF will not run"
	pdfLaunch  = "the PDF wants to start a program or open another file; it will not"
	pdfSends   = "the PDF wants to open or send something when it is opened; it will not"
	pdfAttach  = "the PDF carries other files inside"
	pdfForms   = "the PDF holds an interactive form that will not work"
)

var pdfActionOrder = []string{pdfScripts, pdfLaunch, pdfSends, pdfAttach, pdfForms}

// action notes what an action and those after it would do (12.6).
func (p *pdfFile) action(v any, automatic bool, found map[string]bool) {
	queue := []any{v}
	for i := 0; i < len(queue) && i < 64; i++ {
		d := p.dict(queue[i])
		switch p.get(d["S"]) {
		case pdfName("JavaScript"):
			found[pdfScripts] = true
		case pdfName("Rendition"):
			if d["JS"] != nil {
				found[pdfScripts] = true
			}
		case pdfName("Launch"), pdfName("ImportData"):
			found[pdfLaunch] = true
		case pdfName("URI"), pdfName("SubmitForm"), pdfName("GoToR"), pdfName("GoToE"):
			if automatic {
				found[pdfSends] = true
			}
		}
		switch next := p.get(d["Next"]).(type) {
		case pdfDict:
			queue = append(queue, next)
		case pdfArray:
			queue = append(queue, next[:min(len(next), 64)]...)
		}
	}
}

func (p *pdfFile) triggers(v any, found map[string]bool) {
	for _, a := range p.dict(v) {
		p.action(a, true, found)
	}
}

func (p *pdfFile) pageActions(page pdfDict, found map[string]bool) {
	p.triggers(page["AA"], found)
	for i, a := range p.array(page["Annots"]) {
		if i >= 1000 {
			return
		}
		annot := p.dict(a)
		p.action(annot["A"], false, found)
		p.triggers(annot["AA"], found)
		if p.get(annot["Subtype"]) == pdfName("FileAttachment") {
			found[pdfAttach] = true
		}
	}
}

func (p *pdfFile) catalogActions(root pdfDict, found map[string]bool) {
	if _, ok := p.get(root["OpenAction"]).(pdfDict); ok {
		p.action(root["OpenAction"], true, found)
	}
	p.triggers(root["AA"], found)
	names := p.dict(root["Names"])
	if p.dict(names["JavaScript"]) != nil {
		found[pdfScripts] = true
	}
	if p.dict(names["EmbeddedFiles"]) != nil {
		found[pdfAttach] = true
	}
	if form := p.dict(root["AcroForm"]); form != nil && (len(p.array(form["Fields"])) > 0 || form["XFA"] != nil) {
		found[pdfForms] = true
	}
}

// text is a text string (7.9.2.2) as UTF-8.
func (p *pdfFile) text(v any) string {
	s, _ := p.get(v).(pdfString)
	b := []byte(s)
	switch {
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return utf16Text(b, true)
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return utf16Text(b, false)
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return string(bytes.ToValidUTF8(b[3:], nil))
	}
	if utf8.Valid(b) && bytes.ContainsFunc(b, func(r rune) bool { return r >= 0x80 }) {
		return string(b) // not what the standard says, but what many programs write
	}
	var out strings.Builder
	for _, c := range b {
		switch {
		case c >= 0x18 && c < 0x20:
			out.WriteRune(pdfDocLow[c-0x18])
		case c >= 0x80 && c < 0x80+byte(len(pdfDocHigh)):
			out.WriteRune(pdfDocHigh[c-0x80])
		default:
			out.WriteRune(rune(c))
		}
	}
	return out.String()
}

// PDFDocEncoding where it differs from Latin-1 (annex D.3).
var (
	pdfDocLow  = []rune("˘ˇˆ˙˝˛˚˜")
	pdfDocHigh = []rune("•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž\ufffd€")
)

var (
	doiInText   = regexp.MustCompile(`(?i)\bdoi:?\s*(?:https?://(?:dx\.)?doi\.org/)?(10\.\d{4,9}/\S+)`)
	pdfFileName = regexp.MustCompile(`(?i)^\S+\.(docx?|dvi|tex|indd|ps|qxd|pdf|rtf|odt|pmd|fm|wpd|xml|html?)$`)
	pdfWordName = regexp.MustCompile(`(?i)^microsoft (word|powerpoint|excel) *- *`)
	pdfNoTitle  = regexp.MustCompile(`(?i)^(untitled.*|title|document\d*|no title|none|null|paper|manuscript|无标题|無題|\W*)$`)
)

// pdfCleanTitle gives "" for what a program put in place of a title.
func pdfCleanTitle(s string) string {
	s = cleanLine(s, maxTitle)
	s = pdfWordName.ReplaceAllString(s, "")
	if pdfFileName.MatchString(s) || pdfNoTitle.MatchString(s) {
		return ""
	}
	return s
}

// describe fills the record from XMP and, where that is silent, from Info.
func (p *pdfFile) describe(doc *Document, root pdfDict) {
	r := &doc.Record
	info := p.dict(p.trailer["Info"])
	x := xmp{}
	if st, ok := p.get(root["Metadata"]).(pdfStream); ok {
		if data, err := p.stream(st); err == nil && len(data) <= pdfMaxMetadata {
			var bad error
			if x, bad = parseXMP(data); bad != nil {
				doc.warn("the XMP metadata is damaged; what stood before the damage was used")
			}
		}
	}
	titles := append(append([]string{}, x["dc:title"]...), p.text(info["Title"]))
	for _, t := range titles {
		if t = pdfCleanTitle(t); t == "" {
			continue
		} else if r.Title == "" {
			r.Title = t
		} else if t != r.Title {
			r.AltTitles = addLine(r.AltTitles, t, maxShort)
		}
	}
	names := x["dc:creator"]
	if len(names) == 1 {
		names = splitNames(names[0])
	}
	if len(names) == 0 {
		names = splitNames(p.text(info["Author"]))
	}
	for _, name := range names {
		if name = cleanLine(name, maxTitle); name != "" && len(r.Creators) < maxList {
			r.Creators = append(r.Creators, record.Creator{Name: name, Role: "aut"})
		}
	}
	for _, tag := range append(append([]string{}, x["dc:language"]...), p.text(root["Lang"])) {
		if tag = pdfLanguage(tag); tag != "" && !contains(r.Languages, tag) && len(r.Languages) < maxShort {
			r.Languages = append(r.Languages, tag)
		}
	}
	r.Publisher = cleanLine(x.first("dc:publisher", "prism:publisher"), maxTitle)
	r.Abstract = cleanText(stripHTML(x.first("dcterms:abstract", "dc:description")), maxAbstract)
	r.Issued = edtf(x.first("prism:publicationDate", "prism:coverDate", "dcterms:issued", "dc:date"))
	subjects := x["dc:subject"]
	if len(subjects) < 2 {
		words := strings.Join(append(append([]string{}, subjects...), x.first("pdf:Keywords"), p.text(info["Keywords"])), ";")
		subjects = strings.FieldsFunc(words, func(c rune) bool { return c == ',' || c == ';' || c == '；' || c == '，' || c == '、' })
	}
	seen := map[string]bool{}
	for _, s := range subjects {
		if s = cleanLine(s, maxTitle); s != "" && !seen[s] && len(r.Subjects) < maxList {
			seen[s] = true
			r.Subjects = append(r.Subjects, record.Subject{Label: s})
		}
	}
	p.identify(r, x, info)
	journal := cleanLine(x.first("prism:publicationName"), maxTitle)
	if issn := x.first("prism:issn", "prism:eIssn"); journal != "" {
		r.Container = &record.Container{
			Title: journal, Volume: cleanLine(x.first("prism:volume"), 100), Issue: cleanLine(x.first("prism:number"), 100),
			Pages: cleanLine(x.first("prism:pageRange"), 100), ISSN: cleanLine(issn, 20),
		}
	}
	switch kind := strings.ToLower(x.first("prism:aggregationType")); {
	case kind == "book":
		r.Kind = record.Book
	case journal != "" || hasScheme(r.IDs, "doi") || hasScheme(r.IDs, "arxiv"):
		r.Kind = record.Article
	case hasScheme(r.IDs, "isbn") || doc.Pages >= pdfUNESCOBook:
		r.Kind = record.Book
	default:
		r.Kind = record.Other
	}
	var rights rightsOf
	for _, name := range []string{"cc:license", "dcterms:license", "xmpRights:WebStatement", "dc:rights", "dcterms:rights", "xmpRights:UsageTerms"} {
		for _, v := range x[name] {
			rights.add(v)
		}
	}
	for _, key := range []pdfName{"License", "Licence", "license", "Copyright", "Rights"} {
		rights.add(p.text(info[key]))
	}
	rights.settle(doc)
}

func hasScheme(ids []record.ID, scheme string) bool {
	for _, id := range ids {
		if id.Scheme == scheme {
			return true
		}
	}
	return false
}

// identify gathers identifiers: those that are stated as such, and a DOI that
// the subject line names after "doi:", as publishers write it.
func (p *pdfFile) identify(r *record.Record, x xmp, info pdfDict) {
	for _, name := range []string{"prism:doi", "crossmark:DOI", "pdfx:doi", "pdfx:DOI"} {
		for _, v := range x[name] {
			r.IDs = addID(r.IDs, "doi", v)
		}
	}
	for _, key := range []pdfName{"doi", "DOI"} {
		r.IDs = addID(r.IDs, "doi", p.text(info[key]))
	}
	for _, v := range append(append([]string{}, x["prism:isbn"]...), x["prism:eIsbn"]...) {
		r.IDs = addID(r.IDs, "isbn", v)
	}
	for _, v := range x["dc:identifier"] {
		if !strings.HasPrefix(strings.ToLower(v), "uuid:") {
			r.IDs = addID(r.IDs, "", v)
		}
	}
	if v := x.first("prism:url"); strings.Contains(v, "://") {
		r.IDs = addID(r.IDs, "", v)
	}
	if !hasScheme(r.IDs, "doi") {
		for _, v := range append(append([]string{}, x["dc:description"]...), p.text(info["Subject"])) {
			if m := doiInText.FindStringSubmatch(v); m != nil {
				r.IDs = addID(r.IDs, "doi", strings.TrimRight(m[1], ".,;)]"))
				return
			}
		}
	}
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$`)

// pdfLanguage is a BCP 47 tag with its usual letters, or "".
func pdfLanguage(s string) string {
	s = strings.TrimSpace(s)
	if !languageTag.MatchString(s) || len(s) > 35 || strings.EqualFold(s, "x-default") {
		return ""
	}
	parts := strings.FieldsFunc(s, func(c rune) bool { return c == '-' || c == '_' })
	for i, part := range parts {
		switch {
		case i > 0 && len(part) == 2:
			parts[i] = strings.ToUpper(part)
		case i > 0 && len(part) == 4:
			parts[i] = strings.ToUpper(part[:1]) + strings.ToLower(part[1:])
		default:
			parts[i] = strings.ToLower(part)
		}
	}
	return strings.Join(parts, "-")
}

// splitNames parts the authors of one string. "Austen, Jane" stays whole: a
// comma parts names only where each part has several words, or is in a script
// that writes names without spaces.
func splitNames(s string) []string {
	s = cleanLine(s, maxTitle*4)
	if s == "" {
		return nil
	}
	for _, sep := range []string{";", "；", "、", " & "} {
		if strings.Contains(s, sep) {
			return strings.Split(s, sep)
		}
	}
	s = strings.ReplaceAll(s, ", and ", " and ")
	var out []string
	for _, part := range strings.Split(s, " and ") {
		pieces := strings.Split(strings.ReplaceAll(part, "，", ", "), ",")
		whole := false
		for _, piece := range pieces {
			piece = strings.TrimSpace(piece)
			if !strings.Contains(piece, " ") && !startsWide(piece) {
				whole = true
			}
		}
		if whole {
			pieces = []string{part}
		}
		out = append(out, pieces...)
	}
	return out
}
