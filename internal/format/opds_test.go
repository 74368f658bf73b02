package format

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// TestOPDSFiles: every saved feed is read, and what is refused says why.
func TestOPDSFiles(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "interop", "opds")
	for name, want := range map[string]struct{ records, refused int }{
		"opds1-acquisition-feed.atom": {2, 0}, "opds1-entry.atom": {1, 0}, "opds1-nav-feed.atom": {0, 3},
		"opds2-home.json": {10, 0}, "opds2-navigation.json": {0, 0}, "opds2-publications.json": {14, 0},
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got := take(t, "opds", bytes.NewReader(data))
		if got.broken != nil || len(got.records) != want.records || len(got.refused) != want.refused {
			t.Errorf("%s: %d records, refused %q, %v", name, len(got.records), got.refused, got.broken)
			continue
		}
		switch name {
		case "opds1-acquisition-feed.atom":
			d := got.records[1]
			if d.ID != "urn:uuid:7b595b0c-e15c-4755-bf9a-b7019f5c1dab" || len(d.Record.Creators) != 3 || d.Record.Issued != "2009-10-01" || d.Record.Publisher != "StampMeOnline, Inc." ||
				!slices.Equal(d.Record.IDs, []record.ID{{Scheme: "local", Value: "urn:isbn:978029536341X"}}) || len(d.Warnings) != 1 {
				t.Errorf("%+v", d)
			}
			if !slices.Equal(d.Extra["acquisition"], []string{"buy application/epub+zip /content/buy/11241.epub 18.99 USD 11.99 GBP"}) {
				t.Error(d.Extra)
			}
		case "opds1-nav-feed.atom":
			if !strings.Contains(got.refused[0], "leads to another feed, “Popular Publications”") {
				t.Error(got.refused)
			}
		case "opds2-publications.json":
			r := got.records[0].Record
			want := record.Record{Title: "Voyage au centre de la Terre", AltTitles: []string{"Voyage au centre de la Terre: Un super sous-titre"}, Kind: record.Book,
				Creators: []record.Creator{{Name: "Jules Verne", Role: "aut"}}, Languages: []string{"fr"}, Issued: "1864-01-01", Publisher: "Feedbooks",
				Container: &record.Container{Title: "Les classiques SF de Verne", Volume: "5"},
				Subjects:  []record.Subject{{Code: "FBFIC028000", Label: "Science Fiction"}, {Code: "FBFIC002000", Label: "Action & Aventure"}},
				IDs:       []record.ID{{Scheme: "url", Value: "http://fr.feedbooks.com/book/1474/voyage-au-centre-de-la-terre"}}, Abstract: r.Abstract}
			if !reflect.DeepEqual(r, want) || !strings.HasPrefix(r.Abstract, "Le professeur Lidenbrock") {
				t.Errorf("%+v", r)
			}
			if x := got.records[0].Extra; !slices.Equal(x["imprint"], []string{"Feedbooks Classics"}) || !slices.Equal(x["collection"], []string{"Domaine Public"}) || len(x["image"]) != 2 {
				t.Error(x)
			}
			if r := got.records[1].Record; r.Title != "Title in multiple languages" || !slices.Equal(r.AltTitles, []string{"Titre en plusieurs langues"}) || !slices.Equal(r.Languages, []string{"fr", "en"}) {
				t.Errorf("%+v", r)
			}
			buy := slices.IndexFunc(got.records, func(d *Described) bool { return d.Record.Title == "Buy" })
			if x := got.records[buy].Extra["acquisition"]; len(x) != 1 || !strings.HasPrefix(x[0], "buy application/epub+zip https://") || !strings.HasSuffix(x[0], " 2.99 EUR") {
				t.Error(x)
			}
		}
	}
}

// TestOPDSEntry: what an entry of Atom may say.
func TestOPDSEntry(t *testing.T) {
	p, err := ReadOPDS("https://lib.example.org/opds/all?page=2", []byte(`<feed xmlns="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/terms/" xmlns:schema="http://schema.org/" xmlns:opf="http://www.idpf.org/2007/opf">
<link rel="next" href="?page=3"/><link rel="http://opds-spec.org/crawlable" href="/all"/>
<entry xml:base="https://cdn.example.org/x/"><id>urn:x:1</id><title type="html">R&amp;amp;D &lt;i>now&lt;/i></title><updated>2024-01-01T00:00:00Z</updated>
<author><name>Carberry, Josiah</name><uri>https://orcid.org/0000-0002-1825-0097</uri></author><contributor opf:role="trl"><name>Grey, Ann</name></contributor>
<category term="blue"/><category scheme="http://id.loc.gov/authorities/subjects" term="Growth"/><dc:language>de</dc:language><dc:issued>circa soon</dc:issued>
<rights>CC-BY-SA-4.0</rights><link rel="license" href="http://creativecommons.org/licenses/by-sa/4.0/"/>
<summary>Short.</summary><content type="html">&lt;p>A longer text.&lt;/p></content><schema:Series schema:name="Set" schema:position="3.0"/><dc:extent>300 pages</dc:extent>
<link rel="http://opds-spec.org/acquisition/open-access" href="a.epub" type="application/epub+zip"/><link rel="alternate" type="text/html" href="a.html"/>
<link rel="alternate" type="application/atom+xml;type=entry" href="a.xml"/><link rel="http://opds-spec.org/image" href="a.jpg" type="image/jpeg"/></entry>
<entry><id>n</id><title>More</title><link rel="subsection" type="application/atom+xml" href="more"/><link rel="search" type="application/atom+xml" href="s?q={searchTerms}"/></entry></feed>`))
	if err != nil || len(p.Entries) != 1 {
		t.Fatal(p, err)
	}
	if p.Next != "https://lib.example.org/opds/all?page=3" || p.Complete != "https://lib.example.org/all" || !slices.Equal(p.Feeds, []string{"https://lib.example.org/opds/more"}) {
		t.Errorf("%+v", p)
	}
	e := p.Entries[0]
	want := record.Record{Title: "R&D now", Kind: record.Book, Languages: []string{"de"}, Abstract: "A longer text.", Container: &record.Container{Title: "Set", Volume: "3"},
		Creators: []record.Creator{{Name: "Josiah Carberry", AltNames: []string{"Carberry, Josiah"}, Role: "aut", IDs: []record.ID{{Scheme: "orcid", Value: "0000-0002-1825-0097"}}},
			{Name: "Ann Grey", AltNames: []string{"Grey, Ann"}, Role: "trl"}},
		Subjects: []record.Subject{{Label: "blue"}, {Scheme: "lcsh", Code: "Growth", Label: "Growth"}}, IDs: []record.ID{{Scheme: "url", Value: "https://cdn.example.org/x/a.html"}}}
	if !reflect.DeepEqual(e.Record, want) {
		t.Errorf("%+v", e.Record)
	}
	if e.Stated == nil || e.Stated.Licence != "CC-BY-SA-4.0" || e.Complete != "https://cdn.example.org/x/a.xml" || e.Updated != "2024-01-01T00:00:00Z" || len(e.Warnings) != 1 {
		t.Errorf("%+v", e)
	}
	if x := e.Extra; !slices.Equal(x["image"], []string{"https://cdn.example.org/x/a.jpg"}) || !slices.Equal(x["extent"], []string{"300 pages"}) || !slices.Equal(x["issued"], []string{"circa soon"}) {
		t.Error(x)
	}
	// What a harvest hands on comes back as it was.
	line, err := EncodeHarvested(e.Described, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := Harvested().Parse(line); err != nil || !reflect.DeepEqual(d.Record, e.Record) || len(d.Extra) != len(e.Extra) || !slices.Equal(d.Warnings, e.Warnings) {
		t.Errorf("%+v %v", d, err)
	}
	line, _ = EncodeHarvested(nil, errs.New(errs.Refused, "no"))
	if _, err := Harvested().Parse(line); err == nil || err.Error() != "no" {
		t.Error(err)
	}
}

// TestOPDS2Streams: publications come one by one, wherever they stand; what is not
// JSON, or too long, ends the stream with a sentence.
func TestOPDS2Streams(t *testing.T) {
	pub := `{"metadata":{"title":"T"},"links":[{"rel":"http://opds-spec.org/acquisition","href":"t.epub"}]}`
	for in, want := range map[string]struct {
		records int
		broken  string
	}{
		`{"links":[{"rel":"self","href":"https://x.example/f"}],"groups":[{"publications":[` + pub + `]},{"groups":[{"publications":[` + pub + `,` + pub + `]}]}],"publications":[` + pub + `]}`: {4, ""},
		"\ufeff \n" + pub: {1, ""},
		`{"metadata":{"title":"F"},"navigation":[]}`:                      {0, ""},
		`{"publications":[` + pub + `,`:                                   {1, "breaks off"},
		`{"publications":[` + pub + `]} x`:                                {1, "breaks off"},
		`{"publications":[` + pub + `]} {}`:                               {1, "follows"},
		`{"publications":"no","groups":[1,[2],"x"],"a":{}}`:               {0, ""},
		`{"metadata":"` + strings.Repeat("x", MaxBulkRecord+2<<20) + `"}`: {0, "longer than"},
	} {
		got := take(t, "opds", strings.NewReader(in))
		if len(got.records) != want.records || (got.broken == nil) != (want.broken == "") || got.broken != nil && !strings.Contains(got.broken.Error(), want.broken) || len(got.refused) > 0 {
			t.Errorf("%.80s: %d records, %q, %v", in, len(got.records), got.refused, got.broken)
		}
	}
	got := take(t, "opds", strings.NewReader(`{"links":[{"rel":"self","href":"https://x.example/f/"}],"publications":[`+pub+`]}`))
	if ids := got.records[0].Record.IDs; len(ids) != 1 || ids[0].Value != "https://x.example/f/t.epub" {
		t.Error(ids)
	}
}

// TestReadOPDSCut: of a feed that breaks off nothing is believed; a fault in an entry
// takes nothing from those after it.
func TestReadOPDSCut(t *testing.T) {
	const entry = `<entry><id>a</id><title>A</title><link rel="http://opds-spec.org/acquisition" href="/a"/></entry>`
	for _, in := range []string{"<feed>" + entry, "<feed>" + entry + "<link", "<feed>" + entry + "<!-- ", "<feed>" + entry + "<entry><id>b"} {
		if p, err := ReadOPDS("https://x.test/", []byte(in)); !errs.Is(err, errs.Corrupt) {
			t.Errorf("%s: %+v %v", in, p, err)
		}
	}
	in := "<feed>" + strings.ReplaceAll(entry, "A", "A\x01\xff") + entry + `<link rel="next" href="/2"/></feed>`
	if p, err := ReadOPDS("https://x.test/", []byte(in)); err != nil || len(p.Entries) != 2 || p.Next != "https://x.test/2" {
		t.Errorf("%+v %v", p, err)
	}
}

// FuzzBulkOPDS: whatever stands in a saved feed, it is read to an end.
func FuzzBulkOPDS(f *testing.F) {
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"><link rel="self" href="https://a.b/"/><entry><id>a</id><title>t</title><link rel="http://opds-spec.org/acquisition" href="x"/></entry></feed>`))
	f.Add([]byte(`{"links":[{"rel":["self"],"href":"a"}],"groups":[{"publications":[{"metadata":{"title":"t","author":["a",{"name":"b"}]}}]}],"publications":[{}]}`))
	f.Add([]byte(`{"metadata":{"title":"t"},"links":[{"rel":"http://opds-spec.org/acquisition/buy","href":"b"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) { take(t, "opds", bytes.NewReader(data)) })
}
