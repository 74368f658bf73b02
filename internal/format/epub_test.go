package format

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"wenlan/internal/errs"
	"wenlan/internal/record"
)

func TestMetadata(t *testing.T) {
	doc := parseBytes(t, "x.epub", makeEPUB(t, `
<dc:title id="t2">Sense of the Past</dc:title><meta refines="#t2" property="title-type">subtitle</meta><meta refines="#t2" property="display-seq">2</meta>
<dc:title id="t1">  The
   Story </dc:title><meta refines="#t1" property="title-type">main</meta><meta refines="#t1" property="alternate-script" xml:lang="zh">故事</meta>
<dc:creator id="a">Jane Austen</dc:creator><meta refines="#a" property="file-as">Austen, Jane</meta><meta refines="#a" property="role" scheme="marc:relators">aut</meta>
<dc:creator id="b" opf:role="trl" opf:file-as="Lu, Xun">魯迅</dc:creator>
<dc:contributor id="c">Calibre</dc:contributor><meta refines="#c" property="role">bkp</meta>
<dc:contributor id="d">An Artist</dc:contributor><meta refines="#d" property="role">http://id.loc.gov/vocabulary/relators/ill</meta>
<dc:language>en_gb</dc:language><dc:language>und</dc:language>
<dc:identifier id="id">urn:uuid:88F817CB-2bb3-5326-8d04-a5c86c7b10a7</dc:identifier><dc:identifier opf:scheme="ISBN">0-306-40615-2</dc:identifier>
<dc:identifier opf:scheme="ISBN">978-0-306-40615-8</dc:identifier><dc:identifier>https://doi.org/10.1000/ABC</dc:identifier>
<dc:subject id="s">Love stories</dc:subject><meta refines="#s" property="authority">LCSH</meta><meta refines="#s" property="term">sh85078619</meta>
<dc:description>&lt;p&gt;One &amp;amp; two.&lt;/p&gt;&lt;script&gt;evil()&lt;/script&gt;&lt;p&gt;Three.&lt;/p&gt;</dc:description>
<dc:publisher>The Press</dc:publisher><dc:date opf:event="modification">2020</dc:date><dc:date>1813-01-28T00:00:00Z</dc:date>
<dc:rights>https://creativecommons.org/licenses/by-sa/4.0/</dc:rights><dc:rights>See the CC BY-SA licence.</dc:rights>
<meta id="g" property="belongs-to-collection">The Series</meta><meta refines="#g" property="collection-type">series</meta><meta refines="#g" property="group-position">2</meta>`))
	want := record.Record{
		Title:     "The Story",
		AltTitles: []string{"The Story: Sense of the Past", "故事"},
		Creators: []record.Creator{
			{Name: "Jane Austen", AltNames: []string{"Austen, Jane"}, Role: "aut"},
			{Name: "魯迅", AltNames: []string{"Lu, Xun"}, Role: "trl"},
			{Name: "An Artist", Role: "ill"},
		},
		Kind: record.Book, Languages: []string{"en-GB"}, Issued: "1813-01-28", Publisher: "The Press",
		Container: &record.Container{Title: "The Series", Volume: "2"},
		Subjects:  []record.Subject{{Scheme: "lcsh", Code: "sh85078619", Label: "Love stories"}},
		IDs: []record.ID{{Scheme: "uuid", Value: "88f817cb-2bb3-5326-8d04-a5c86c7b10a7"}, {Scheme: "isbn", Value: "9780306406157"},
			{Scheme: "local", Value: "978-0-306-40615-8"}, {Scheme: "doi", Value: "10.1000/abc"}},
		Abstract: "One & two.\nThree.",
	}
	if !reflect.DeepEqual(doc.Record, want) {
		t.Errorf("got  %+v\nwant %+v", doc.Record, want)
	}
	if doc.Rights == nil || doc.Rights.Basis != record.Licence || doc.Rights.Licence != "CC-BY-SA-4.0" {
		t.Errorf("rights %+v", doc.Rights)
	}
	if doc.RightsText != "See the CC BY-SA licence." || len(doc.Hints) != 1 {
		t.Errorf("rights text %q, hints %q", doc.RightsText, doc.Hints)
	}
	if doc.Cover == nil || doc.Cover.MediaType != "image/png" || doc.MediaType != MediaEPUB {
		t.Errorf("cover %v of %s", doc.Cover, doc.MediaType)
	}
}

func TestCalibreOPF(t *testing.T) {
	doc, err := ParseOPF([]byte(`<?xml version='1.0' encoding='utf-8'?>
<package xmlns="http://www.idpf.org/2007/opf" unique-identifier="uuid_id" version="2.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">
<dc:identifier opf:scheme="calibre" id="calibre_id">17</dc:identifier><dc:identifier opf:scheme="uuid" id="uuid_id">c7c5b44e-a1c4-5b57-ab7a-7435ebe08a77</dc:identifier>
<dc:title>Middlemarch</dc:title><dc:creator opf:file-as="Eliot, George" opf:role="aut">George Eliot</dc:creator>
<dc:contributor opf:file-as="calibre" opf:role="bkp">calibre (5.44.0)</dc:contributor><dc:date>0101-01-01T00:00:00+00:00</dc:date>
<dc:language>eng</dc:language><dc:subject>Fiction</dc:subject><dc:rights>CC0-1.0</dc:rights>
<meta name="calibre:series" content="Classics"/><meta name="calibre:series_index" content="3.0"/></metadata>
<guide><reference type="cover" title="Cover" href="cover.jpg"/></guide></package>`))
	if err != nil {
		t.Fatal(err)
	}
	r := doc.Record
	if r.Title != "Middlemarch" || len(r.Creators) != 1 || r.Creators[0].AltNames[0] != "Eliot, George" || r.Issued != "" ||
		!reflect.DeepEqual(r.Languages, []string{"en"}) || len(r.IDs) != 1 || r.IDs[0].Scheme != "uuid" ||
		*r.Container != (record.Container{Title: "Classics", Volume: "3"}) {
		t.Errorf("got %+v %+v", r, r.Container)
	}
	if doc.Rights == nil || doc.Rights.Licence != "CC0-1.0" {
		t.Errorf("rights %+v", doc.Rights)
	}
}

// Two licences are none, prose is none, what is free in one country is none.
func TestRightsOnlyWhole(t *testing.T) {
	for _, c := range []struct {
		rights string
		want   *Statement
	}{
		{`<dc:rights>Public domain</dc:rights>`, nil},
		{`<dc:rights>Licensed under https://creativecommons.org/licenses/by/4.0/ by us</dc:rights>`, nil},
		{`<dc:rights>http://rightsstatements.org/vocab/NoC-US/1.0/</dc:rights>`, nil},
		{`<dc:rights>CC-BY-4.0</dc:rights><link rel="cc:license" href="https://creativecommons.org/licenses/by-nc/4.0/"/>`, nil},
		{`<link rel="cc:license" refines="#c1" href="https://creativecommons.org/licenses/by/4.0/"/>`, nil},
		{`<link rel="cc:license" href="http://creativecommons.org/licenses/by/3.0/"/>`, &Statement{record.Licence, "CC-BY-3.0", "http://creativecommons.org/licenses/by/3.0/"}},
		{`<meta property="dcterms:rights">https://creativecommons.org/publicdomain/mark/1.0/</meta>`, &Statement{record.PublicDomain, "", record.PublicDomainMark}},
	} {
		doc := parseBytes(t, "x.epub", makeEPUB(t, plainMetadata+c.rights))
		if !reflect.DeepEqual(doc.Rights, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.rights, doc.Rights, c.want)
		}
	}
}

func TestChaptersAndResources(t *testing.T) {
	data := makeEPUB(t, plainMetadata)
	list := chaptersOf(t, data, MediaEPUB)
	if len(list) != 2 || list[0].Title != "Book the First" || list[1].Title != "Book the <Second>" || list[1].Href != "OPS/text/c 2.xhtml" || list[1].Index != 1 {
		t.Fatalf("chapters %+v", list)
	}
	if want := "The first chapter\nIt was the best of times, it was the worst of times, and all of it was in the book that he had."; list[0].Text != want {
		t.Errorf("text %q", list[0].Text)
	}
	e, err := OpenEPUB(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	rc, mediaType, size, err := e.Resource("OPS/text/c1.xhtml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(rc)
	if err != nil || string(got) != testChapter || mediaType != "application/xhtml+xml" || size != int64(len(testChapter)) {
		t.Errorf("resource: %d bytes of %d, %s, %v", len(got), size, mediaType, err)
	}
	for _, missing := range []string{"", "nothing", "../OPS/nav.xhtml", "OPS/", "ops/nav.xhtml"} {
		if _, _, _, err := e.Resource(missing); !errs.Is(err, errs.NotFound) {
			t.Errorf("resource %q: %v", missing, err)
		}
	}
}

// An EPUB 2 with its cover page in the guide and its contents in the NCX.
func TestEPUB2(t *testing.T) {
	opf := `<package xmlns="http://www.idpf.org/2007/opf" version="2.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">` + plainMetadata + `</metadata>
<manifest><item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/><item id="cv" href="cv.html" media-type="application/xhtml+xml"/>
<item id="c1" href="text/c1.xhtml" media-type="application/xhtml+xml"/><item id="pic" href="img/front.png" media-type="image/png"/></manifest>
<spine toc="ncx"><itemref idref="cv" linear="no"/><itemref idref="c1"/></spine><guide><reference type="cover" href="cv.html#top"/></guide></package>`
	data := makeEPUB(t, "", entry{"OPS/package.opf", opf, zip.Deflate},
		entry{"OPS/toc.ncx", `<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd"><ncx><navMap><navPoint><navLabel><text>Opening</text></navLabel><content src="text/c1.xhtml"/></navPoint></navMap></ncx>`, zip.Deflate},
		entry{"OPS/cv.html", `<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body><svg xmlns="http://www.w3.org/2000/svg"><image xlink:href="img/front.png"/></svg></body></html>`, zip.Deflate},
		entry{"OPS/img/front.png", makePNG(t, 3, 4), zip.Store})
	doc := parseBytes(t, "x.epub", data)
	if doc.Cover == nil || len(doc.Warnings) != 0 {
		t.Errorf("cover %v, warnings %q", doc.Cover, doc.Warnings)
	}
	list := chaptersOf(t, data, MediaEPUB)
	if len(list) != 2 || list[1].Title != "Opening" {
		t.Errorf("chapters %+v", list)
	}
}

func TestDrawnCover(t *testing.T) {
	opf := `<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">` + plainMetadata + `</metadata>
<manifest><item id="c" href="cover.svg" media-type="image/svg+xml" properties="cover-image"/><item id="c1" href="text/c1.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="c1"/></spine></package>`
	for svg, taken := range map[string]bool{
		`<?xml version="1.0"?><!-- x --><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 3 4"><rect/></svg>`:          true,
		`<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd"><svg xmlns="http://www.w3.org/2000/svg"/>`:            true,
		`<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg"><t>&b;</t></svg>`: false,
		`<html><svg xmlns="http://www.w3.org/2000/svg"/></html>`:                                                          false,
		`not a drawing`: false,
		``:              false,
	} {
		doc := parseBytes(t, "x.epub", makeEPUB(t, "", entry{"OPS/package.opf", opf, zip.Deflate}, entry{"OPS/cover.svg", svg, zip.Deflate}))
		if got := doc.Cover != nil && doc.Cover.MediaType == "image/svg+xml" && string(doc.Cover.Data) == svg; got != taken {
			t.Errorf("%s: taken %v", svg, got)
		}
	}
}

func TestLanguageFromText(t *testing.T) {
	doc := parseBytes(t, "x.epub", makeEPUB(t, `<dc:title>A Tale</dc:title>`))
	if !doc.LanguageDetected || !reflect.DeepEqual(doc.Record.Languages, []string{"en"}) {
		t.Errorf("languages %v, detected %v", doc.Record.Languages, doc.LanguageDetected)
	}
}

// What is refused, and the words the sentence must have.
func TestRefusedEPUB(t *testing.T) {
	encryption := func(algorithm string) entry {
		return entry{"META-INF/encryption.xml", `<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#">
<EncryptionMethod Algorithm="` + algorithm + `"/><CipherData><CipherReference URI="OPS/x"/></CipherData></EncryptedData></encryption>`, zip.Deflate}
	}
	good := makeEPUB(t, plainMetadata)
	locked := bytes.Clone(good)
	for i := bytes.Index(locked, []byte("PK\x01\x02")); i >= 0; {
		locked[i+8] |= 1
		next := bytes.Index(locked[i+4:], []byte("PK\x01\x02"))
		if next < 0 {
			break
		}
		i += 4 + next
	}
	deep := strings.Repeat("<a>", 5000)
	for _, c := range []struct {
		what, want string
		data       []byte
	}{
		{"DRM", "DRM", makeEPUB(t, plainMetadata, encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc"))},
		{"LCP", "DRM", makeEPUB(t, plainMetadata, entry{"META-INF/license.lcpl", "{}", zip.Deflate})},
		{"password", "password", locked},
		{"twice", "same name", makeZip(t, entry{"a", "1", 0}, entry{"a", "2", 0})},
		{"absolute", "leads out", makeZip(t, entry{"/etc/x", "1", 0})},
		{"backslash", "leads out", makeZip(t, entry{`a\..\..\x`, "1", 0})},
		{"drive", "leads out", makeZip(t, entry{`C:/x`, "1", 0})},
		{"overlap", "overlap", overlapping(t)},
		{"no spine", "spine is empty", makeEPUB(t, "", entry{"OPS/package.opf", `<package><metadata/></package>`, 0})},
		{"no chapters", "missing", makeEPUB(t, "", entry{"OPS/package.opf", `<package><metadata/><manifest><item id="a" href="gone.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>`, 0})},
		{"deep", "too deep", makeEPUB(t, deep)},
		{"no package", "package document", makeEPUB(t, "", entry{"OPS/package.opf", "", 0})},
		{"damaged chapter", "damaged", damage(t, good, "OPS/text/c1.xhtml")},
		{"bomb", "beyond reason", makeEPUB(t, plainMetadata, entry{"OPS/b", strings.Repeat("0", 20<<20), zip.Deflate})},
	} {
		_, err := Parse(context.Background(), "x.epub", bytes.NewReader(c.data))
		if !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	for _, algorithm := range []string{obfuscationIDPF, obfuscationAdobe} {
		parseBytes(t, "x.epub", makeEPUB(t, plainMetadata, encryption(algorithm)))
	}
}

// overlapping is an archive whose second file lies inside its first.
func overlapping(t *testing.T) []byte {
	data := makeZip(t, entry{"a", strings.Repeat("x", 100), zip.Store}, entry{"b", strings.Repeat("x", 100), zip.Store})
	first := bytes.Index(data, []byte("PK\x01\x02"))
	second := first + 4 + bytes.Index(data[first+4:], []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(data[second+42:], 0) // the offset of the local header
	return data
}

// damage changes the packed bytes of one file, so that its checksum fails.
func damage(t *testing.T, data []byte, name string) []byte {
	zr, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.Clone(data)
	for _, f := range zr.File {
		if f.Name == name {
			off, err := f.DataOffset()
			if err != nil {
				t.Fatal(err)
			}
			out[off+int64(f.CompressedSize64)/2] ^= 0x55
		}
	}
	return out
}

func TestDamagedPictureWarns(t *testing.T) {
	doc := parseBytes(t, "x.epub", damage(t, makeEPUB(t, plainMetadata), "OPS/front.png"))
	if doc.Cover != nil || len(doc.Warnings) != 1 || !strings.Contains(doc.Warnings[0], "front.png") {
		t.Errorf("cover %v, warnings %q", doc.Cover, doc.Warnings)
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Parse(ctx, "x.epub", bytes.NewReader(makeEPUB(t, plainMetadata))); err == nil {
		t.Error("parsed with a cancelled context")
	}
}

// Package documents as they are found: in UTF-16, not well-formed, with a chapter
// whose name is composed another way than in the archive.
func TestOddPackages(t *testing.T) {
	opf := func(title, href string) string {
		return `<?xml version="1.0" encoding="UTF-16"?><package version="2.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>` + title +
			`</dc:title></metadata><manifest><item id="a" href="` + href + `" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>`
	}
	units := utf16.Encode([]rune(opf("紅樓夢", "text/c1.xhtml")))
	wide := []byte{0xff, 0xfe}
	for _, u := range units {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	if doc := parseBytes(t, "x.epub", makeEPUB(t, "", entry{"OPS/package.opf", string(wide), 0})); doc.Record.Title != "紅樓夢" {
		t.Errorf("title %q", doc.Record.Title)
	}
	bad := strings.Replace(opf("Tom & Jerry", "text/c1.xhtml"), "UTF-16", "UTF-8", 1)
	if doc := parseBytes(t, "x.epub", makeEPUB(t, "", entry{"OPS/package.opf", bad, 0})); doc.Record.Title != "Tom & Jerry" || len(doc.Warnings) != 1 {
		t.Errorf("title %q, warnings %q", doc.Record.Title, doc.Warnings)
	}
	composed := strings.Replace(opf("", "caf\u00e9.xhtml"), "UTF-16", "UTF-8", 1)
	doc := parseBytes(t, "the name.epub", makeEPUB(t, "", entry{"OPS/package.opf", composed, 0},
		entry{"OPS/cafe\u0301.xhtml", strings.Replace(testChapter, "<title>One</title>", "<title/>", 1), 0}))
	if doc.Record.Title != "the name" {
		t.Errorf("title %q", doc.Record.Title)
	}
}

// A book is read by many at once.
func TestResourceConcurrently(t *testing.T) {
	e, err := OpenEPUB(bytes.NewReader(makeEPUB(t, plainMetadata)))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			rc, _, size, err := e.Resource("OPS/text/c1.xhtml")
			if err != nil {
				t.Error(err)
				return
			}
			if n, err := io.Copy(io.Discard, rc); n != size || err != nil {
				t.Errorf("%d of %d bytes, %v", n, size, err)
			}
		})
	}
	group.Wait()
}
