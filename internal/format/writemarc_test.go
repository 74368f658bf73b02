package format

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// marcXMLOf writes records and gives the document.
func marcXMLOf(t *testing.T, list ...Exported) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter("marcxml", &b)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func fromMARCXML(t *testing.T, doc []byte) (list []*Described) {
	t.Helper()
	form, _ := FindBulk("marcxml")
	for _, el := range allOf(form.Elements(bytes.NewReader(doc))) {
		if el.err != nil {
			t.Fatal(el.err)
		}
		d, err := form.Parse([]byte(el.raw))
		if err != nil {
			t.Fatalf("%v: %s", err, el.raw)
		}
		list = append(list, d)
	}
	return list
}

// inOrder is a record whose identifiers and subjects stand in an order that does not
// depend on where they come from.
func inOrder(r record.Record) record.Record {
	r.IDs, r.Subjects, r.Relations = slices.Clone(r.IDs), slices.Clone(r.Subjects), slices.Clone(r.Relations)
	r.Creators = slices.Clone(r.Creators)
	slices.SortFunc(r.IDs, func(a, b record.ID) int { return strings.Compare(a.Scheme+" "+a.Value, b.Scheme+" "+b.Value) })
	slices.SortFunc(r.Subjects, func(a, b record.Subject) int {
		return strings.Compare(a.Scheme+" "+a.Code+" "+a.Label, b.Scheme+" "+b.Code+" "+b.Label)
	})
	key := func(r record.Relation) string { text, _ := json.Marshal(r); return string(text) }
	slices.SortFunc(r.Relations, func(a, b record.Relation) int { return strings.Compare(key(a), key(b)) })
	return r
}

func TestMARCXMLWriter(t *testing.T) {
	if got := string(marcXMLOf(t)); got != `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<collection xmlns="http://www.loc.gov/MARC21/slim">`+"\n</collection>\n" {
		t.Errorf("none: %q", got)
	}
	id := func(scheme, value string) *record.ID { return &record.ID{Scheme: scheme, Value: value} }
	list := []record.Record{
		{Title: "A", Kind: record.Book},
		{Title: "Dream of the red chamber: a novel <&> \"in\" parts: three", AltTitles: []string{"Hong lou meng", "红楼梦"},
			Creators: []record.Creator{
				{Name: "曹雪芹", AltNames: []string{"Cao, Xueqin"}, Role: "aut", IDs: []record.ID{{Scheme: "isni", Value: "0000000121032683"}, {Scheme: "viaf", Value: "64022142"}}},
				{Name: "David Hawkes", AltNames: []string{"Hawkes, David"}, Role: "trl", IDs: []record.ID{{Scheme: "orcid", Value: "0000-0002-1825-0097"}}},
				{Name: "Institute of Literature", Role: "edt"}, {Name: "Martin Luther King, Jr.", AltNames: []string{"King, Martin Luther, Jr."}, Role: "wpr"}, {Name: "Plato", Role: "aui"}},
			Kind: record.Book, Languages: []string{"en"}, Issued: "1973/1980", Publisher: "Penguin Books", Place: "Harmondsworth",
			Container: &record.Container{Title: "Penguin classics", Volume: "12", ISSN: "0028-0836"},
			Subjects: []record.Subject{{Scheme: "ddc", Code: "895.134", Label: "895.134"}, {Scheme: "clc", Code: "I242.4", Label: "I242.4"}, {Scheme: "lcc", Code: "PL2727", Label: "PL2727"},
				{Scheme: "lcsh", Label: "China--History--18th century--Fiction"}, {Scheme: "fast", Code: "fst00847920", Label: "Domestic fiction"}, {Label: "novels"}},
			IDs:       []record.ID{{Scheme: "isbn", Value: "9780140442939"}, {Scheme: "oclc", Value: "2480001"}, {Scheme: "lccn", Value: "78020280"}, {Scheme: "doi", Value: "10.1000/182"}, {Scheme: "url", Value: "https://example.org/1?a=1&b=2"}, {Scheme: "local", Value: "(XX)17"}, {Scheme: "local", Value: "0-14-044293-0"}, {Scheme: "arxiv", Value: "2101.00001"}, {Scheme: "uuid", Value: "2b1f0e4c-0f0e-4b1c-9d3e-0123456789ab"}},
			Abstract:  "A family.\nAnother paragraph, with 中文.",
			Relations: []record.Relation{{Type: record.TranslationOf, Title: "红楼梦"}, {Type: record.EditionOf, ID: id("isbn", "9780140443714"), Title: "The debt of tears"}, {Type: record.FormatOf, ID: id("oclc", "99")}, {Type: record.RelatedTo, ID: id("doi", "10.1000/183")}, {Type: record.HasPart, Title: "The golden days"}}},
		{Title: "On the electrodynamics", Creators: []record.Creator{{Name: "A. Einstein", AltNames: []string{"Einstein, A."}, Role: "aut"}}, Kind: record.Article, Languages: []string{"de", "en"}, Issued: "1905-06-30",
			Container: &record.Container{Title: "Annalen der Physik", Volume: "XVII", Issue: "10a", Pages: "891–921", ISSN: "0003-3804"}},
		{Title: "Chapter three", Kind: record.Chapter, Languages: []string{"zh-Hant", "en"}, Issued: "198X", Container: &record.Container{Title: "A book", Pages: "1-10"},
			Relations: []record.Relation{{Type: record.PartOf, ID: id("isbn", "9780140442939"), Title: "A book"}, {Type: record.PartOf, ID: id("isbn", "9780140443714"), Title: "Another"}}},
		{Title: "Nature", Kind: record.Issue, Issued: "1869/..", IDs: []record.ID{{Scheme: "issn", Value: "0028-0836"}}, Relations: []record.Relation{{Type: record.Continues, ID: id("issn", "0003-3804"), Title: "Before"}, {Type: record.ContinuedBy, Title: "After"}, {Type: record.SupplementTo, Title: "What"}}},
		{Title: "T", Kind: record.Thesis, Issued: "1999?"}, {Title: "R", Kind: record.Report, Issued: "1850~", Languages: []string{"fa"}}, {Title: "D", Kind: record.Dataset, Issued: "19XX"}, {Title: "S", Kind: record.Audio, Issued: "-0099"},
		{Title: "M", Kind: record.Image, Issued: "1971?/1975?"}, {Title: "O", Kind: record.Other, Issued: "2020-05"}, {Title: "1990/", Kind: record.Issue, Issued: "1990/"}, {Title: "X", Kind: record.Book, Issued: "2001/..", Place: "東京"},
	}
	var out []Exported
	for i, r := range list {
		out = append(out, Exported{Number: int64(i + 1), Record: r})
	}
	doc := marcXMLOf(t, out...)
	back := fromMARCXML(t, doc)
	if len(back) != len(list) {
		t.Fatalf("%d records come back of %d", len(back), len(list))
	}
	for i, d := range back {
		if want, got := inOrder(list[i]), inOrder(d.Record); !reflect.DeepEqual(want, got) || len(d.Warnings) > 0 {
			a, _ := json.Marshal(want)
			b, _ := json.Marshal(got)
			t.Errorf("%d: %q\nwrote %s\nread  %s", i+1, d.Warnings, a, b)
		}
	}
	throughYaz(t, doc, back)
}

// throughYaz has yaz-marcdump read a document and write it as ISO 2709, which must
// come back as the same records.
func throughYaz(t *testing.T, doc []byte, want []*Described) {
	t.Helper()
	yaz := needYaz(t)
	path := filepath.Join(t.TempDir(), "a.xml")
	if err := os.WriteFile(path, doc, 0o644); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd := exec.Command(yaz, "-i", "marcxml", "-o", "marc", path)
	cmd.Stderr = &stderr
	iso, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("yaz-marcdump: %v: %s", err, &stderr)
	}
	list := allOf(newMARC(bytes.NewReader(iso)))
	if len(list) != len(want) {
		t.Fatalf("%d records through yaz-marcdump, not %d", len(list), len(want))
	}
	for i, el := range list {
		d := readMARC(t, []byte(el.raw))
		if !reflect.DeepEqual(d.Record, want[i].Record) || d.ID != want[i].ID || len(d.Warnings) > 0 {
			a, _ := json.Marshal(want[i].Record)
			b, _ := json.Marshal(d.Record)
			t.Errorf("%d through yaz-marcdump: %q\n%s\n%s", i+1, d.Warnings, a, b)
		}
	}
}

// TestMARCXMLOfCatalogue writes what the catalogue's records say, and reads it back.
func TestMARCXMLOfCatalogue(t *testing.T) {
	var list []Exported
	for _, name := range []string{"test_data.utf8.mrc", "george_eliot.marc", "nature.marc", "hebrew880s.marc", "manufacturing_consent.marc"} {
		described, _ := marcFile(t, "marc", filepath.Join(testdata.Dir(t), "interop", "marc", name))
		for _, d := range described {
			if !d.Deleted {
				list = append(list, Exported{Number: int64(len(list) + 1), Record: d.Record, URL: "https://library.example/records/1"})
			}
		}
	}
	doc := marcXMLOf(t, list...)
	back := fromMARCXML(t, doc)
	if len(back) != len(list) {
		t.Fatalf("%d records come back of %d", len(back), len(list))
	}
	for i, d := range back {
		want, got := inOrder(list[i].Record), inOrder(d.Record)
		// A name may have got a sort form, and of several other forms one is kept.
		for j := range min(len(want.Creators), len(got.Creators)) {
			want.Creators[j].AltNames, got.Creators[j].AltNames = nil, nil
		}
		if !reflect.DeepEqual(want, got) {
			a, _ := json.Marshal(want)
			b, _ := json.Marshal(got)
			t.Errorf("%d:\nwrote %s\nread  %s", i+1, a, b)
		}
	}
	throughYaz(t, doc, back)
}

// A title comes back as it was, whatever follows its first colon.
func TestMARCXMLTitles(t *testing.T) {
	var list []Exported
	titles := []string{"A Modest Proposal: (Possible) Implications", "Emma: A Novel", "One: two: three", "A : b", "Ratio: ", "(084.3): (x)", "A: = b"}
	for _, title := range titles {
		list = append(list, Exported{Record: record.Record{Title: title, Kind: record.Book}})
	}
	for i, d := range fromMARCXML(t, marcXMLOf(t, list...)) {
		if want := strings.TrimSpace(titles[i]); d.Record.Title != want {
			t.Errorf("%q came back as %q", want, d.Record.Title)
		}
	}
}
