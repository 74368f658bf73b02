package format

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// checkRecord holds what any parser gives to what the register can hold.
func checkRecord(t *testing.T, r record.Record) {
	t.Helper()
	texts := []string{r.Title, r.Publisher, r.Abstract, r.Issued}
	texts = append(texts, r.AltTitles...)
	for _, c := range r.Creators {
		texts = append(texts, c.Name)
		texts = append(texts, c.AltNames...)
	}
	for _, s := range r.Subjects {
		texts = append(texts, s.Label, s.Code, s.Scheme)
	}
	for _, id := range r.IDs {
		texts = append(texts, id.Scheme, id.Value)
	}
	for _, s := range texts {
		if !utf8.ValidString(s) || len(s) > 4*maxAbstract+100 {
			t.Fatalf("text of %d bytes: %.80q", len(s), s)
		}
		for _, c := range s {
			if c != '\n' && !printable(c) {
				t.Fatalf("unprintable %U in %.80q", c, s)
			}
		}
	}
	if strings.TrimSpace(r.Title) == "" {
		t.Fatal("a record without a title")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("x.epub", makeEPUB(f, plainMetadata))
	f.Add("x.cbz", makeZip(f, entry{"1.png", makePNG(f, 2, 2), 0}, entry{"ComicInfo.xml", "<ComicInfo><Title>T</Title></ComicInfo>", 8}))
	f.Add("x.html", []byte("<html lang=en><title>T</title><p>Text"))
	f.Add("x.md", []byte("---\ntitle: T\n---\n# H\n\ntext"))
	f.Add("x.txt", []byte("Title: T\nAuthor: A\n\nChapter 1\ntext"))
	f.Add("x.pdf", []byte("%PDF-1.4\n%%EOF"))
	for _, dir := range []string{"malformed", "conformance/epubcheck"} { // where they are
		files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", dir, "*minimal*.epub"))
		for _, path := range files {
			if data, err := os.ReadFile(path); err == nil {
				f.Add(filepath.Base(path), data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		doc, err := Parse(context.Background(), name, bytes.NewReader(data))
		if err != nil {
			if doc != nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v with %v", err, doc)
			}
			return
		}
		checkRecord(t, doc.Record)
		if doc.Cover != nil && len(doc.Cover.Data) > MaxCover {
			t.Fatal("the cover is too large")
		}
		err = Chapters(context.Background(), bytes.NewReader(data), doc.MediaType, func(c Chapter) error {
			if !utf8.ValidString(c.Text) || !utf8.ValidString(c.Title) {
				t.Fatal("text is not UTF-8")
			}
			return nil
		})
		if err != nil && errs.KindOf(err) == errs.Internal {
			t.Fatal(err)
		}
	})
}

// FuzzEPUB puts fuzzed documents into a sound archive, where mutation of the
// whole file would hardly get past the checksums.
func FuzzEPUB(f *testing.F) {
	f.Add([]byte(`<package version="3.0"><metadata><title>T</title></metadata><manifest><item id="a" href="text/c1.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>`),
		[]byte(testChapter), []byte(`<ncx><navPoint><navLabel>x</navLabel><content src="a"/></navPoint></ncx>`), []byte("<encryption/>"))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><package/>`), []byte("<p>&amp;<svg><title/><![CDATA[x]]>"), []byte("<nav><a href='%zz'>"), []byte("<EncryptedData/>"))
	f.Fuzz(func(t *testing.T, opf, chapter, nav, encryption []byte) {
		data := makeZip(t, entry{"META-INF/container.xml", testContainer, 0}, entry{"OPS/package.opf", string(opf), 0}, entry{"OPS/text/c1.xhtml", string(chapter), 0},
			entry{"OPS/nav.xhtml", string(nav), 0}, entry{"META-INF/encryption.xml", string(encryption), 0})
		doc, err := Parse(context.Background(), "x.epub", bytes.NewReader(data))
		if err != nil {
			if !errs.Is(err, errs.Refused) {
				t.Fatal(err)
			}
			return
		}
		checkRecord(t, doc.Record)
		e, err := OpenEPUB(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Chapters(context.Background(), func(Chapter) error { return nil }); err != nil && !errs.Is(err, errs.Refused) {
			t.Fatal(err)
		}
	})
}

func FuzzOPF(f *testing.F) {
	f.Add([]byte(`<package><metadata><dc:title id="a">T</dc:title><meta refines="#a" property="title-type">main</meta><meta name="calibre:series" content="S"/></metadata></package>`))
	f.Add([]byte(`<package><metadata><dc-metadata><dc:Title>T</dc:Title><dc:Date>18??</dc:Date></dc-metadata></metadata></package>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := ParseOPF(data)
		if err != nil {
			if !errs.Is(err, errs.Refused) {
				t.Fatal(err)
			}
			return
		}
		r := doc.Record
		r.Title += "x" // a sidecar need not state one
		checkRecord(t, r)
	})
}

func FuzzCSL(f *testing.F) {
	f.Add([]byte(`{"title":"T","author":[{"family":"F","given":"G"}],"issued":{"date-parts":[[2020,1],[2021]]},"ISBN":["x"],"license":{"URL":"u"}}`))
	f.Add([]byte(`[{"title":["T",[1],null,{}],"volume":12,"issued":"2020"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _, err := ParseCSL(data)
		if err != nil {
			if !errs.Is(err, errs.Refused) {
				t.Fatal(err)
			}
			return
		}
		checkRecord(t, r)
	})
}

func FuzzMarkup(f *testing.F) {
	f.Add([]byte(testChapter), true)
	f.Add([]byte(`<title/><p>a<br>b<script>x</script>c<svg:image xlink:href="x"/><h1>h</h1>&bogus; & <![CDATA[<]]><!-- - --`), false)
	f.Fuzz(func(t *testing.T, data []byte, xml bool) {
		m, err := markupOf(data, xml, 0)
		if err == nil && !utf8.ValidString(m.Text) {
			t.Fatalf("%q is not UTF-8", m.Text)
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add([]byte("plain"))
	f.Add([]byte("\xff\xfea\x00b\x00"))
	f.Add([]byte("\x1b$B$3$s\x1b(B"))
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(samples["zh-Hans"])
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(gb))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, charset, _, err := decodeText(data)
		if err != nil {
			if !errs.Is(err, errs.Refused) {
				t.Fatal(err)
			}
			return
		}
		if !utf8.ValidString(text) || charset == "" {
			t.Fatalf("%q in %q", text, charset)
		}
		DetectLanguage(text)
	})
}

func FuzzMarkdown(f *testing.F) {
	f.Add([]byte("---\ntitle: T\nauthor:\n- A\n---\n# H #\n\n```\n# c\n```\nU\n==\n> > * [a](b) ![c](d)"))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := parseMarkdown("x.md", data)
		if err != nil {
			return
		}
		checkRecord(t, doc.Record)
		if err := markdownChapters(data, func(Chapter) error { return nil }); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzEDTF(f *testing.F) {
	f.Add("1850-03-07")
	f.Add("5 March 1850")
	f.Add("ca. 384-322 BC")
	f.Add("约公元前1世纪")
	f.Fuzz(func(t *testing.T, s string) {
		date := edtf(s)
		if date != "" && edtf(date) == "" && !strings.HasPrefix(date, "0000") { // 1 BC, which as a date in a file says nothing
			t.Fatalf("%q gives %q, which is no date", s, date)
		}
		parseID("", s)
		if v := cleanLine(s, 1000); v != "" {
			for _, scheme := range []string{"local", "url", "x"} {
				id := record.ID{Scheme: scheme, Value: v}
				if back, ok := idOf(idText(id)); scheme == "local" && (!ok || back != id) || ok && back != id && scheme == "x" {
					t.Fatalf("%v is written %q and read %v", id, idText(id), back)
				}
			}
		}
		for _, scheme := range []string{"", "doi", "isbn", "issn"} {
			if list := splitIDs(scheme, s); len(list) == 0 || len(list) > maxShort {
				t.Fatalf("%q: %d parts", s, len(list))
			}
		}
		normalLanguage(s)
		parseStatement(s)
	})
}
