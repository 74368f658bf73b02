package format

import (
	"bytes"
	"errors"
	"io"
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

// taken is what a form makes of a stream.
type taken struct {
	records []*Described
	deleted int
	refused []string
	broken  error
}

func take(t *testing.T, form string, r io.Reader) (out taken) {
	t.Helper()
	b, err := FindBulk(form)
	if err != nil {
		t.Fatal(err)
	}
	for e := b.Elements(r); ; {
		raw, _, err := e.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil && !errs.Is(err, errs.TooLarge) {
			out.broken = err
			return out
		}
		var d *Described
		if err == nil {
			d, err = b.Parse(raw)
		}
		switch {
		case err != nil:
			out.refused = append(out.refused, err.Error())
		case d.Deleted:
			out.deleted++
		default:
			checkRecord(t, d.Record)
			out.records = append(out.records, d)
		}
	}
}

// TestOAIFiles: every saved answer is read, and what is refused says why.
func TestOAIFiles(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "interop", "oai")
	names, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(names) != 23 {
		t.Fatal(len(names), err)
	}
	want := map[string]struct {
		records, deleted int
		refused          string
	}{
		"sickle-GetRecord": {1, 0, ""}, "sickle-GetRecord_utf8test": {1, 0, ""},
		"sickle-ListRecords": {1, 1, ""}, "sickle-ListRecords2": {1, 1, ""}, "sickle-ListRecords3": {1, 1, ""}, "sickle-ListRecords4": {1, 1, ""},
		"sickle-badArgument": {0, 0, "the server answered an error, badArgument"}, "sickle-badResumptionToken": {0, 0, "badResumptionToken: This resumptionToken is invalid"},
		"sickle-cannotDisseminateFormat": {0, 0, "cannotDisseminateFormat"}, "sickle-idDoesNotExist": {0, 0, "idDoesNotExist: oai:lcoa1.loc.gov"},
		"sickle-noRecordsMatch": {0, 0, "noRecordsMatch"}, "sickle-noSetHierarchy": {0, 0, "noSetHierarchy"}, "sickle-undefinedError": {0, 0, "undefinedError"},
		"traject-oai-pmh-one-record-2": {1, 0, ""}, "traject-oai-pmh-one-record-first": {1, 0, ""},
		"traject-sample-oai-no-namespace": {10, 0, ""}, "traject-sample-oai-pmh": {10, 0, ""},
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(filepath.Base(name), ".xml")
		got, w := take(t, "oai", bytes.NewReader(data)), want[base]
		if base == "sickle-ListRecordsBroken" {
			if !errs.Is(got.broken, errs.Corrupt) && !errs.Is(got.broken, errs.Refused) {
				t.Error(base, got.broken)
			}
			continue
		}
		if got.broken != nil || len(got.records) != w.records || got.deleted != w.deleted || (len(got.refused) == 0) != (w.refused == "") || len(got.refused) > 0 && !strings.Contains(got.refused[0], w.refused) {
			t.Errorf("%s: %d records, %d deleted, refused %q, %v", base, len(got.records), got.deleted, got.refused, got.broken)
		}
		switch base {
		case "sickle-GetRecord_utf8test":
			if r := got.records[0].Record; r.Creators[0].Name != "某人" || r.Languages[0] != "en" || r.Issued != "2011" {
				t.Errorf("%+v", r)
			}
		case "traject-oai-pmh-one-record-first":
			d := got.records[0]
			if r := d.Record; d.ID != "oai:sciencehistoryorg:fq977t769" || r.Title != "Spice Storage" || r.Kind != record.Image || r.Issued != "195X" || len(r.Subjects) != 4 ||
				r.IDs[0] != (record.ID{Scheme: "url", Value: "https://digital.sciencehistory.org/works/fq977t769"}) {
				t.Errorf("%+v", d)
			}
			if !slices.Equal(d.Extra["rights"], []string{"http://rightsstatements.org/vocab/NKC/1.0/"}) || !slices.Equal(d.Extra["hasType"], []string{"photographs"}) {
				t.Errorf("%v", d.Extra)
			}
		}
	}
}

func dcAnswer(elements string) string {
	return `<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords><record><header><identifier>oai:x:1</identifier><datestamp>2024-01-01</datestamp><setSpec>math</setSpec></header>` +
		`<metadata><oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		elements + `</oai_dc:dc></metadata><about><provenance/></about></record></ListRecords></OAI-PMH>`
}

// TestDublinCore: an article as OJS and DSpace write it.
func TestDublinCore(t *testing.T) {
	got := take(t, "oai", strings.NewReader(dcAnswer(`
<dc:title xml:lang="en">On Growth</dc:title><dc:title xml:lang="de">Vom Wachstum</dc:title>
<dc:creator>Thompson, D'Arcy Wentworth, 1860-1948</dc:creator><dc:creator>Carberry, Josiah; https://orcid.org/0000-0002-1825-0097</dc:creator>
<dc:creator>Acme, Inc.</dc:creator><dc:contributor>王, 小明 (translator)</dc:contributor><dc:contributor>Grey, Ann (ed.)</dc:contributor>
<dc:subject>Biology; Form</dc:subject><dc:subject>info:eu-repo/classification/ddc/570</dc:subject><dc:subject xsi:type="dcterms:LCSH">Growth</dc:subject>
<dc:description>Short.</dc:description><dc:description>A longer
   description
   of it.</dc:description>
<dc:publisher>Press</dc:publisher><dc:publisher>Second Press</dc:publisher>
<dc:date>2019-05-06T10:00:00Z</dc:date><dc:date>2018</dc:date><dc:date>info:eu-repo/date/embargoEnd/2017-01-01</dc:date>
<dc:type>text</dc:type><dc:type>info:eu-repo/semantics/article</dc:type><dc:type>info:eu-repo/semantics/publishedVersion</dc:type>
<dc:format>application/pdf</dc:format><dc:identifier>https://journal.example.org/article/view/7</dc:identifier><dc:identifier>10.1234/ABC.7</dc:identifier>
<dc:identifier>ISBN 978-0-306-40615-8</dc:identifier><dc:identifier>Journal of Form 12 (2018), 3-9</dc:identifier>
<dc:source>Journal of Form; Vol. 12 No. 3 (2018): Spring; 3-9</dc:source><dc:source>1234-5679</dc:source>
<dc:language>eng; deu</dc:language><dc:relation>info:eu-repo/semantics/altIdentifier/doi/10.1234/abc.7</dc:relation><dc:relation>https://journal.example.org/article/view/7/3</dc:relation><dc:relation>info:eu-repo/grantAgreement/EC/FP7/1</dc:relation>
<dc:rights>https://creativecommons.org/licenses/by/4.0</dc:rights><dc:coverage>Scotland</dc:coverage>`)))
	if len(got.records) != 1 || got.broken != nil {
		t.Fatalf("%+v", got)
	}
	d := got.records[0]
	want := record.Record{
		Title: "On Growth", AltTitles: []string{"Vom Wachstum"}, Kind: record.Article, Languages: []string{"en", "de"}, Issued: "2018", Publisher: "Press",
		Creators: []record.Creator{
			{Name: "D'Arcy Wentworth Thompson", AltNames: []string{"Thompson, D'Arcy Wentworth, 1860-1948"}, Role: "aut"},
			{Name: "Josiah Carberry", AltNames: []string{"Carberry, Josiah"}, Role: "aut", IDs: []record.ID{{Scheme: "orcid", Value: "0000-0002-1825-0097"}}},
			{Name: "Acme, Inc.", Role: "aut"},
			{Name: "王小明", AltNames: []string{"王, 小明"}, Role: "trl"},
			{Name: "Ann Grey", AltNames: []string{"Grey, Ann"}, Role: "edt"},
		},
		Container: &record.Container{Title: "Journal of Form", Volume: "12", Issue: "3", Pages: "3-9", ISSN: "1234-5679"},
		Subjects:  []record.Subject{{Label: "Biology"}, {Label: "Form"}, {Scheme: "ddc", Code: "570", Label: "570"}, {Scheme: "lcsh", Label: "Growth"}},
		IDs: []record.ID{{Scheme: "url", Value: "https://journal.example.org/article/view/7"}, {Scheme: "doi", Value: "10.1234/abc.7"},
			{Scheme: "local", Value: "ISBN 978-0-306-40615-8"}},
		Abstract:  "A longer description of it.",
		Relations: []record.Relation{{Type: record.RelatedTo, ID: &record.ID{Scheme: "url", Value: "https://journal.example.org/article/view/7/3"}}},
	}
	if !reflect.DeepEqual(d.Record, want) {
		t.Errorf("got  %+v\nwant %+v", d.Record, want)
	}
	extra := map[string][]string{
		"setSpec": {"math"}, "publisher": {"Second Press"}, "date": {"2019-05-06T10:00:00Z", "info:eu-repo/date/embargoEnd/2017-01-01"}, "type": {"text", "info:eu-repo/semantics/publishedVersion"},
		"format": {"application/pdf"}, "identifier": {"Journal of Form 12 (2018), 3-9"}, "source": {"Journal of Form; Vol. 12 No. 3 (2018): Spring; 3-9"},
		"relation": {"info:eu-repo/grantAgreement/EC/FP7/1"}, "rights": {"https://creativecommons.org/licenses/by/4.0"}, "coverage": {"Scotland"}, "description": {"Short."},
	}
	if !reflect.DeepEqual(d.Extra, extra) {
		t.Errorf("extra %v", d.Extra)
	}
	if !slices.Equal(d.Left, []string{"about"}) || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "not a valid ISBN") {
		t.Error(d.Left, d.Warnings)
	}
}

// TestPersonOf: names as lists have them.
func TestPersonOf(t *testing.T) {
	for in, want := range map[string]string{
		"Austen, Jane": "Jane Austen", "Jane Austen": "Jane Austen", "King, Martin Luther, Jr.": "King, Martin Luther, Jr.", "Plato": "Plato", "鲁迅": "鲁迅",
		"Smith, 1990-": "Smith", "Bach, Johann Sebastian (1685-1750)": "Johann Sebastian Bach", "Verlag, GmbH": "Verlag, GmbH", "Doe, J. (Univ. of X)": "J. (Univ. of X) Doe", "": "", ",": "",
	} {
		if got := personOf(in, "aut").Name; got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// TestOAIMARC: MARCXML in an answer has the id of the header.
func TestOAIMARC(t *testing.T) {
	marc := `<marc:record xmlns:marc="http://www.loc.gov/MARC21/slim"><marc:leader>00000nam a2200000 a 4500</marc:leader><marc:controlfield tag="001">77</marc:controlfield>` +
		`<marc:datafield tag="245" ind1="1" ind2="0"><marc:subfield code="a">Emma /</marc:subfield></marc:datafield></marc:record>`
	for _, body := range []string{marc, "<collection>" + marc + "</collection>"} {
		in := `<OAI-PMH><GetRecord><record><header><identifier>oai:y:77</identifier><setSpec>books</setSpec></header><metadata>` + body + `</metadata></record></GetRecord></OAI-PMH>`
		got := take(t, "oai", strings.NewReader(in+"\n"+in))
		if len(got.records) != 2 || got.records[1].ID != "oai:y:77" || got.records[1].Record.Title != "Emma" || !slices.Equal(got.records[1].Extra["setSpec"], []string{"books"}) {
			t.Errorf("%+v", got)
		}
	}
	got := take(t, "oai", strings.NewReader(`<OAI-PMH><GetRecord><record><header/><metadata><mods><title>x</title></mods></metadata></record><record><header/></record></GetRecord></OAI-PMH>`))
	if len(got.refused) != 2 || !strings.Contains(got.refused[0], "<mods>") || !strings.Contains(got.refused[1], "no description") {
		t.Errorf("%+v", got)
	}
}

// TestReadOAI: an answer that does not say where its list goes on is no end of the list.
func TestReadOAI(t *testing.T) {
	const head, record, tail = `<OAI-PMH><responseDate>2024-01-01</responseDate><ListRecords>`, `<record><header><identifier>a</identifier></header></record>`, `</ListRecords></OAI-PMH>`
	for in, token := range map[string]string{
		head + record + tail: "", head + record + "<resumptionToken/>" + tail: "", head + record + `<resumptionToken cursor="1"> a b </resumptionToken>` + tail: "a b",
		head + record + "<resumptionToken>a&b</resumptionToken>" + tail: "a&b", head + record + "<resumptionToken><![CDATA[<a>]]></resumptionToken>" + tail: "<a>",
	} {
		if p, err := ReadOAI([]byte(in)); err != nil || p.Token != token || !p.List || len(p.Records) != 1 || p.Date != "2024-01-01" {
			t.Errorf("%s: %+v %v", in, p, err)
		}
	}
	for _, in := range []string{
		head + record + "<resumptionToken>a\x01b</resumptionToken>" + tail, head + record + "<resumptionToken>\x01b</resumptionToken>" + tail, head + record + "<resumptionToken>a\xff</resumptionToken>" + tail,
		head + record + "<resumptionToken>" + strings.Repeat("a", MaxBulkRecord) + "</resumptionToken>" + tail,
		head + record + "<resumptionToken>a" + tail, head + record + "<resumptionToken>a", head + record + "<resumptionToken", head + record, head + record + "</OAI-PMH>", head + "<record><header>",
	} {
		if p, err := ReadOAI([]byte(in)); !errs.Is(err, errs.Corrupt) || !strings.Contains(err.Error(), "cut") {
			t.Errorf("%.200s: %+v %v", in, p, err)
		}
	}
	for in, list := range map[string]bool{"<OAI-PMH></OAI-PMH>": false, "<OAI-PMH><ListRecords/></OAI-PMH>": true, "<OAI-PMH><Identify></Identify></OAI-PMH>": false} {
		if p, err := ReadOAI([]byte(in)); err != nil || p.List != list {
			t.Errorf("%s: %+v %v", in, p, err)
		}
	}
	for _, in := range []string{"", "OAI-PMH", "<html><title>OAI-PMH is down</title></html>"} {
		if p, err := ReadOAI([]byte(in)); !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), "no answer of OAI-PMH") {
			t.Errorf("%s: %+v %v", in, p, err)
		}
	}
}

// FuzzBulkOAI: whatever stands in a saved answer, it is read to an end.
func FuzzBulkOAI(f *testing.F) {
	f.Add([]byte(dcAnswer(`<dc:title>t</dc:title><dc:creator>A, B, 1-2; 0000-0002-1825-0097</dc:creator><dc:source>J; Vol 1, No 2; 3-4</dc:source><dc:date>1950s</dc:date>`)))
	f.Add([]byte(`<OAI-PMH><error code="badVerb">x</error></OAI-PMH>`))
	f.Fuzz(func(t *testing.T, data []byte) { take(t, "oai", bytes.NewReader(data)) })
}
