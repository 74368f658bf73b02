package format

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// pdfBytes is a File in memory.
type pdfBytes struct{ *bytes.Reader }

func pdfOf(data []byte) File { return pdfBytes{bytes.NewReader(data)} }

func readPDF(t testing.TB, name string) File {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return pdfOf(data)
}

type paper struct {
	File, Title, DOI string
	Pages            int
}

func papers(t testing.TB) (string, []paper) {
	t.Helper()
	dir := testdata.Dir(t)
	f, err := os.Open(filepath.Join(dir, "papers", "papers.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []paper
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var p paper
		if err := json.Unmarshal(s.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		t.Fatal("no papers")
	}
	return dir, out
}

// plainKey compares titles by their letters.
func plainKey(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	}), "")
}

func TestPDFPapers(t *testing.T) {
	dir, list := papers(t)
	right, none, withText, english := 0, 0, 0, 0
	for _, p := range list {
		doc, err := parsePDF(context.Background(), readPDF(t, filepath.Join(dir, p.File)))
		if err != nil {
			t.Errorf("%s: %v", p.File, err)
			continue
		}
		if doc.Pages != p.Pages {
			t.Errorf("%s: %d pages, want %d", p.File, doc.Pages, p.Pages)
		}
		if doc.MediaType != MediaPDF {
			t.Errorf("%s: media type %q", p.File, doc.MediaType)
		}
		got, want := plainKey(doc.Record.Title), plainKey(p.Title)
		switch {
		case got == want || strings.Contains(got, want) || len(got) > 20 && strings.Contains(want, got):
			right++
		case got == "":
			none++
		default:
			t.Logf("%s: title %q, want %q %q", p.File, doc.Record.Title, p.Title, doc.Warnings)
		}
		text := 0
		err = pdfPages(context.Background(), readPDF(t, filepath.Join(dir, p.File)), func(c Chapter) error {
			text += len(c.Text)
			return nil
		})
		if err != nil {
			t.Errorf("%s: text: %v", p.File, err)
		}
		if text > 500*p.Pages {
			withText++
		} else {
			t.Logf("%s: only %d bytes of text", p.File, text)
		}
		if len(doc.Record.Languages) == 1 && strings.HasPrefix(doc.Record.Languages[0], "en") {
			english++
		}
	}
	t.Logf("%d papers: %d titles right, %d without, %d with text, %d known to be English", len(list), right, none, withText, english)
	if right < len(list)*9/10 || withText < len(list)*95/100 {
		t.Errorf("of %d papers %d titles are right and %d have text", len(list), right, withText)
	}
}

func TestPDFConformance(t *testing.T) {
	dir := testdata.Dir(t)
	files, _ := filepath.Glob(filepath.Join(dir, "conformance", "verapdf", "*.pdf"))
	more, _ := filepath.Glob(filepath.Join(dir, "interop", "pdf", "*.pdf"))
	if len(files) == 0 || len(more) == 0 {
		t.Fatal("no PDF files")
	}
	for _, name := range append(files, more...) {
		start := time.Now()
		doc, err := parsePDF(context.Background(), readPDF(t, name))
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		} else if doc.Pages < 1 {
			t.Errorf("%s: no pages", filepath.Base(name))
		}
		if err := pdfPages(context.Background(), readPDF(t, name), func(Chapter) error { return nil }); err != nil {
			t.Errorf("%s: text: %v", filepath.Base(name), err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s took %v", filepath.Base(name), d)
		}
	}
}

func TestPDFMalformed(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "malformed")
	doc, err := parsePDF(context.Background(), readPDF(t, filepath.Join(dir, "ok-minimal.pdf")))
	if err != nil || doc.Pages != 1 || len(doc.Warnings) != 1 || doc.Record.Title != "" {
		t.Errorf("ok-minimal: %+v, %v", doc, err)
	}
	doc, err = parsePDF(context.Background(), readPDF(t, filepath.Join(dir, "pdf-javascript.pdf")))
	if err != nil || !contains(doc.Warnings, pdfScripts) {
		t.Errorf("pdf-javascript: %+v, %v", doc, err)
	}
	if _, err = parsePDF(context.Background(), readPDF(t, filepath.Join(dir, "pdf-truncated.pdf"))); !errs.Is(err, errs.Refused) {
		t.Errorf("pdf-truncated: %v", err)
	}
	var text []string
	err = pdfPages(context.Background(), readPDF(t, filepath.Join(dir, "ok-minimal.pdf")), func(c Chapter) error {
		text = append(text, c.Href+" "+c.Text)
		return nil
	})
	if err != nil || len(text) != 1 || text[0] != "page=1 Hello" {
		t.Errorf("text %q, %v", text, err)
	}
}

// TestPDFCut reads real files cut at many places, and with bytes changed: every
// one must end without a panic, as a document or a refusal.
func TestPDFCut(t *testing.T) {
	dir, list := papers(t)
	for i, p := range list {
		if i%20 != 0 {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, p.File))
		if err != nil {
			t.Fatal(err)
		}
		for cutAt := 1; cutAt < 8; cutAt++ {
			if _, err := parsePDF(context.Background(), pdfOf(data[:len(data)*cutAt/8])); !errs.Is(err, errs.Refused) {
				t.Errorf("%s cut at %d/8: %v", p.File, cutAt, err)
			}
		}
		broken := bytes.Clone(data)
		copy(broken[bytes.LastIndex(broken, []byte("startxref")):], "startxref\n7\n%%EOF\n")
		doc, err := parsePDF(context.Background(), pdfOf(broken))
		if err != nil || doc.Pages != p.Pages || len(doc.Warnings) == 0 {
			t.Errorf("%s with a damaged table: %v", p.File, err)
		}
		for k := range 40 {
			bad := bytes.Clone(data)
			for j := k; j < len(bad); j += 997 + k {
				bad[j] ^= byte(1 << (k % 8))
			}
			if _, err := parsePDF(context.Background(), pdfOf(bad)); err != nil && !errs.Is(err, errs.Refused) {
				t.Errorf("%s with changed bytes: %v", p.File, err)
			}
		}
	}
}

func TestPDFMetadata(t *testing.T) {
	packet := `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://creativecommons.org/ns#"
 xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/"
 prism:doi="10.5555/12345678" xmpRights:WebStatement="https://creativecommons.org/licenses/by/4.0/">
<dc:title><rdf:Alt><rdf:li xml:lang="fr">Un titre</rdf:li><rdf:li xml:lang="x-default">A &lt;b&gt;title&lt;/b&gt;</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>Jane Doe</rdf:li><rdf:li>鲁迅</rdf:li></rdf:Seq></dc:creator>
<dc:language><rdf:Bag><rdf:li>zh-hans</rdf:li></rdf:Bag></dc:language>
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2020 the authors, CC BY 4.0</rdf:li></rdf:Alt></dc:rights>
<cc:license rdf:resource="https://creativecommons.org/licenses/by/4.0/"/>
<prism:publicationName>Journal</prism:publicationName><prism:volume>7</prism:volume>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`
	data := buildPDF(
		"<</Type/Catalog/Pages 2 0 R/Metadata 4 0 R>>",
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
		"<</Type/Metadata/Subtype/XML/Length "+itoa(len(packet))+">>stream\n"+packet+"\nendstream",
		"<</Title(Microsoft Word - x.doc)/Author(Doe, Jane)>>")
	doc, err := parsePDF(context.Background(), pdfOf(data))
	if err != nil {
		t.Fatal(err)
	}
	r := doc.Record
	if r.Title != "A <b>title</b>" || len(r.AltTitles) != 1 || len(r.Creators) != 2 || r.Creators[1].Name != "鲁迅" {
		t.Errorf("record %+v", r)
	}
	if len(r.Languages) != 1 || r.Languages[0] != "zh-Hans" || r.Kind != record.Article || r.Container.Volume != "7" {
		t.Errorf("record %+v", r)
	}
	if len(r.IDs) != 1 || r.IDs[0] != (record.ID{Scheme: "doi", Value: "10.5555/12345678"}) {
		t.Errorf("ids %v", r.IDs)
	}
	if doc.Rights == nil || doc.Rights.Licence != "CC-BY-4.0" || doc.RightsText != "© 2020 the authors, CC BY 4.0" {
		t.Errorf("rights %+v, text %q", doc.Rights, doc.RightsText)
	}
}

func TestPDFNames(t *testing.T) {
	for in, want := range map[string]string{
		"Austen, Jane":                   "Austen, Jane",
		"Ada King, Bob Ray and Cy Poe":   "Ada King|Bob Ray|Cy Poe",
		"Ada King, Bob Ray, and Cy Poe":  "Ada King|Bob Ray|Cy Poe",
		"King, A.; Ray, B.":              "King, A.|Ray, B.",
		"鲁迅、周作人":                         "鲁迅|周作人",
		"Konrad Hinsen and Nicolas Roug": "Konrad Hinsen|Nicolas Roug",
	} {
		parts := splitNames(in)
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		if got := strings.Join(parts, "|"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestPDFCycles holds references that lead in circles, and pages without end.
func TestPDFCycles(t *testing.T) {
	for name, data := range map[string][]byte{
		"kids":    buildPDF("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[2 0 R 2 0 R 3 0 R]/Count 1>>", "<</Type/Page>>"),
		"ref":     buildPDF("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "3 0 R"),
		"length":  buildPDF("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Contents 4 0 R>>", "<</Length 4 0 R>>stream\nBT ET\nendstream"),
		"form":    buildPDF("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Contents 4 0 R/Resources 5 0 R>>", "<</Length 12>>stream\n/F Do /F Do\nendstream", "<</XObject<</F 6 0 R>>>>", "<</Subtype/Form/Length 12>>stream\n/F Do /F Do\nendstream"),
		"actions": buildPDF("<</Type/Catalog/Pages 2 0 R/OpenAction 4 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page>>", "<</S/GoTo/Next[4 0 R 4 0 R]>>"),
		"depth":   buildPDF("<</Type/Catalog/Pages 2 0 R/X " + strings.Repeat("[", 100000) + ">>"),
	} {
		start := time.Now()
		_, err := parsePDF(context.Background(), pdfOf(data))
		if err != nil && !errs.Is(err, errs.Refused) {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
}

func TestPDFEncrypted(t *testing.T) {
	files, _ := filepath.Glob("testdata/pdf/open-*.pdf")
	if len(files) != 3 {
		t.Fatalf("%d files", len(files))
	}
	for _, name := range files {
		doc, err := parsePDF(context.Background(), readPDF(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := ""
		err = pdfPages(context.Background(), readPDF(t, name), func(c Chapter) error { text += c.Text; return nil })
		if err != nil || text != "Hello" || doc.Record.Title != "A Title" {
			t.Errorf("%s: title %q, text %q, %v", name, doc.Record.Title, text, err)
		}
	}
	_, err := parsePDF(context.Background(), readPDF(t, "testdata/pdf/locked.pdf"))
	if !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), "password") {
		t.Errorf("locked: %v", err)
	}
}

func TestPDFStops(t *testing.T) {
	dir, list := papers(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := pdfPages(ctx, readPDF(t, filepath.Join(dir, list[0].File)), func(Chapter) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	mine := errors.New("mine")
	if err := pdfPages(context.Background(), readPDF(t, filepath.Join(dir, list[0].File)), func(Chapter) error { return mine }); err != mine {
		t.Errorf("the function's error: %v", err)
	}
}

// TestPDFFonts reads text through the ways in which fonts name their characters.
func TestPDFFonts(t *testing.T) {
	cmap := "1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0001> <0003> <6587> endbfrange 1 beginbfchar <0009> <D842DFB7> endbfchar"
	for name, c := range map[string]struct{ font, shown, want string }{
		"differences": {"<</Subtype/Type1/Encoding<</Differences[1/fi/eacute/uni6F9C]>>>>", "<010203>", "fié澜"},
		"winansi":     {"<</Subtype/TrueType/Encoding/WinAnsiEncoding>>", "<93e994>", "“é”"},
		"gbk":         {"<</Subtype/Type0/Encoding/GBK-EUC-H/DescendantFonts[<<>>]>>", "<cec4c0bd>", "文澜"},
		"unicode":     {"<</Subtype/Type0/Encoding/UniGB-UTF16-H/DescendantFonts[<<>>]>>", "<65876f9cd842dfb7>", "文澜𠮷"},
		"tounicode":   {"<</Subtype/Type0/Encoding/Identity-H/ToUnicode 5 0 R/DescendantFonts[<</W[1[500 600]3 9 700]>>]>>", "<000100020009>", "文斈𠮷"},
	} {
		content := "BT /F 10 Tf 10 10 Td " + c.shown + " Tj ET"
		data := buildPDF("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
			"<</Type/Page/Contents 4 0 R/Resources<</Font<</F "+c.font+">>>>>>",
			"<</Length "+itoa(len(content))+">>stream\n"+content+"\nendstream",
			"<</Length "+itoa(len(cmap))+">>stream\n"+cmap+"\nendstream")
		got := ""
		if err := pdfPages(context.Background(), pdfOf(data), func(c Chapter) error { got = c.Text; return nil }); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q, %v", name, got, c.want, err)
		}
	}
}

// TestPDFFilters holds each filter to what others packed.
func TestPDFFilters(t *testing.T) {
	for _, c := range []struct{ filter, packed, want string }{
		{"ASCIIHexDecode", "48 65 6c6C 6f>", "Hello"},
		{"ASCII85Decode", "87cURDZ~>", "Hello"},
		{"RunLengthDecode", "\x01He\xffl\x00o\x80", "Hello"},
		{"LZWDecode", "\x80\x0B\x60\x50\x22\x0C\x0C\x85\x01", "-----A---B"}, // the standard's own example
	} {
		got, err := pdfDecode([]byte(c.packed), []pdfName{pdfName(c.filter)}, nil, 100)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v", c.filter, got, err)
		}
	}
	if _, err := pdfDecode(bytes.Repeat([]byte("\x81x"), 100), []pdfName{"RunLengthDecode"}, nil, 1000); err != errPDFLimit {
		t.Errorf("a bomb: %v", err)
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// buildPDF writes objects 1, 2, … and their table; the last is the Info
// dictionary when it starts with /Title.
func buildPDF(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		b.WriteString(itoa(i+1) + " 0 obj\n" + o + "\nendobj\n")
	}
	start := b.Len()
	b.WriteString("xref\n0 " + itoa(len(objects)+1) + "\n0000000000 65535 f \n")
	for _, a := range at {
		n := itoa(a)
		b.WriteString(strings.Repeat("0", 10-len(n)) + n + " 00000 n \n")
	}
	b.WriteString("trailer\n<</Size " + itoa(len(objects)+1) + "/Root 1 0 R")
	if strings.HasPrefix(objects[len(objects)-1], "<</Title") {
		b.WriteString("/Info " + itoa(len(objects)) + " 0 R")
	}
	b.WriteString(">>\nstartxref\n" + itoa(start) + "\n%%EOF\n")
	return b.Bytes()
}

func FuzzPDF(f *testing.F) {
	seeds, _ := filepath.Glob("testdata/pdf/*.pdf")
	for _, name := range seeds {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(buildPDF("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Contents 4 0 R>>", "<</Length 20>>stream\nBT (x) Tj [(a) 2] TJ ET\nendstream"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		p, err := openPDF(ctx, pdfOf(data)) // without recover: a panic is a find
		if err != nil {
			return
		}
		doc := &Document{}
		p.describe(doc, p.dict(p.trailer["Root"]))
		if _, err := parsePDF(ctx, pdfOf(data)); err != nil && !errs.Is(err, errs.Refused) {
			t.Fatal(err)
		}
		fonts := map[pdfRef]*pdfFont{}
		_ = p.pages(func(n int, page, resources pdfDict) error {
			if n > 20 {
				return errPDFLimit
			}
			runs, err := p.pageRuns(page, resources, fonts)
			pdfTitle(pdfLines(runs))
			return err
		})
	})
}

func FuzzXMP(f *testing.F) {
	f.Add([]byte(`<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description xmlns:d="http://purl.org/dc/elements/1.1/" d:source="x"><d:title><r:Alt><r:li>T</r:li></r:Alt></d:title></r:Description></r:RDF>`))
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = parseXMP(data) })
}

func BenchmarkPDF(b *testing.B) {
	dir, list := papers(b)
	var files []File
	for _, p := range list {
		files = append(files, readPDF(b, filepath.Join(dir, p.File)))
	}
	for b.Loop() {
		for _, f := range files {
			if _, err := parsePDF(context.Background(), f); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*len(files))/b.Elapsed().Seconds(), "files/s")
}
