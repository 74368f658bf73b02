package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"wenlan/internal/errs"
	"wenlan/internal/testdata"
)

// xmlForms are the samples of testdata/bulk that are held to golden files. They are
// our own, by the specifications that the parsers name: no others may be given on.
var xmlForms = []struct{ form, file string }{
	{"crossref", "crossref.json"}, {"crossref", "deposit.xml"}, {"jats", "jats.xml"}, {"onix", "onix.xml"}, {"onix", "onix-short.xml"}, {"acl", "acl.xml"},
}

func findBulk(t testing.TB, name string) *Bulk {
	t.Helper()
	form, err := FindBulk(name)
	if err != nil {
		t.Fatal(err)
	}
	return form
}

func TestXMLFormsGolden(t *testing.T) {
	for _, f := range xmlForms {
		in, err := os.ReadFile(filepath.Join("testdata", "bulk", f.file))
		if err != nil {
			t.Fatal(err)
		}
		form := findBulk(t, f.form)
		var got bytes.Buffer
		enc := json.NewEncoder(&got)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		slow := allOf(form.Elements(iotest.OneByteReader(bytes.NewReader(in))))
		for i, el := range allOf(form.Elements(bytes.NewReader(in))) {
			if el.err != nil || el != slow[i] {
				t.Fatalf("%s: %+v, %+v in pieces", f.file, el, slow[i])
			}
			d, err := form.Parse([]byte(el.raw))
			if err != nil {
				t.Fatalf("%s: %d: %v", f.file, el.number, err)
			}
			checkDescribed(t, d)
			if err := enc.Encode(d); err != nil {
				t.Fatal(err)
			}
		}
		golden := filepath.Join("testdata", "bulk", strings.TrimSuffix(f.file, filepath.Ext(f.file))+".golden")
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs (-update writes it anew):\n%s", golden, &got)
		}
	}
}

// checkDescribed holds what a parser gives to what the register can hold.
func checkDescribed(t *testing.T, d *Described) {
	t.Helper()
	checkRecord(t, d.Record)
	for _, c := range d.Record.Creators {
		if strings.TrimSpace(c.Name) == "" {
			t.Errorf("a creator without a name: %+v", c)
		}
	}
	if c := d.Record.Container; c != nil && c.Title+c.Volume+c.Issue+c.Pages+c.ISSN == "" {
		t.Error("an empty container")
	}
	if raw := d.ExtraJSON(); raw != nil && !json.Valid(raw) {
		t.Errorf("%s", raw)
	}
	for _, s := range d.Left {
		if s == "" {
			t.Error("a nameless field was left aside")
		}
	}
}

// TestRealCrossref counts what the test data holds of Crossref: each of the 72
// deposits has one work; of the 14 answers three have three works each, two are lists
// of works that are empty, and the others are answers of other kinds.
func TestRealCrossref(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "interop", "crossref")
	form := findBulk(t, "crossref")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		ext, none := filepath.Ext(file.Name()), true
		for _, el := range allOf(form.Elements(bytes.NewReader(data))) {
			if el.err != nil {
				t.Fatalf("%s: %v", file.Name(), el.err)
			}
			none = false
			d, err := form.Parse([]byte(el.raw))
			if err != nil {
				counts[err.Error()]++
				continue
			}
			counts[ext]++
			checkDescribed(t, d)
			if ext == ".xml" {
				if len(d.Record.Creators) > 0 {
					counts["with creators"]++ // the first eleven of one journal name none
				}
				checkDeposit(t, file.Name(), d)
			}
		}
		if none {
			counts["none"]++
		}
	}
	want := map[string]int{
		".xml": 72, "with creators": 61, ".json": 9, "none": 2,
		`it is an answer of the type "license-list", which holds no works`: 1,
		`it is an answer of the type "prefix", which holds no works`:       3,
		`it is an answer of the type "work-agency", which holds no works`:  3,
		`it is an answer of the type "type", which holds no works`:         2,
	}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("%v", counts)
	}
}

// checkDeposit checks a deposit of a journal: its file is named after its DOI.
func checkDeposit(t *testing.T, name string, d *Described) {
	t.Helper()
	doi := strings.Replace(strings.TrimSuffix(name, ".crossref.xml"), ".j", "/j", 1)
	r := d.Record
	if d.ID != doi || r.Container == nil || r.Container.Volume == "" || r.Container.ISSN == "" || len(r.Issued) != len("2018-08-30") || r.Kind != "article" {
		t.Errorf("%s: %s: %+v", name, d.ID, r)
	}
	if len(d.Warnings) > 0 || !slices.Equal(d.Left, []string{"citation_list", "collection"}) || len(d.Extra["license"]) == 0 {
		t.Errorf("%s: %v, left %v, %v", name, d.Warnings, d.Left, d.Extra)
	}
}

func TestRealJATS(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata.Dir(t), "interop", "jats", "*.xml"))
	if err != nil || len(files) != 38 {
		t.Fatal(len(files), err)
	}
	form := findBulk(t, "jats")
	abstracts, creators := 0, 0
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		list := allOf(form.Elements(f))
		_ = f.Close()
		if len(list) != 1 || list[0].err != nil {
			t.Fatalf("%s: %d articles, %v", file, len(list), list[0].err)
		}
		d, err := form.Parse([]byte(list[0].raw))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		checkDescribed(t, d)
		r := d.Record
		doi := "10.1371/" + strings.TrimSuffix(filepath.Base(file), ".xml")
		if d.ID != doi || r.IDs[0].Value != doi || r.Container == nil || !strings.HasPrefix(r.Container.Title, "PL") || r.Container.ISSN == "" || r.Container.Pages == "" ||
			len(r.Issued) != len("2004-07-13") || !slices.Equal(r.Languages, []string{"en"}) || len(d.Warnings) > 0 || len(list[0].raw) > 100_000 {
			t.Errorf("%s: %s: %+v, %v", file, d.ID, r, d.Warnings)
		}
		if r.Abstract != "" {
			abstracts++
		}
		creators += len(r.Creators)
	}
	if abstracts != 28 || creators != 409 { // 424 stand there; 15 members of a group are its authors too
		t.Errorf("%d abstracts, %d creators", abstracts, creators)
	}
}

// TestCrossrefStreams takes apart what Crossref gives in other ways.
func TestCrossrefStreams(t *testing.T) {
	big := `{"title":"` + strings.Repeat("x", MaxBulkRecord) + `"}`
	for name, c := range map[string]struct {
		in   string
		want []string // a raw each, or the start of an error
	}{
		"the public data file": {`{"items":[{"a":"]}\"{"}, {"b":[1,{}]} ,3]}`, []string{`{"a":"]}\"{"}`, `{"b":[1,{}]}`, `3`}},
		"an answer of a work":  {`{"status":"ok","message-type":"work","message":{"DOI":"x","title":["T"]},"more":[{}]}`, []string{`{"DOI":"x","title":["T"]}`}},
		"a work by itself":     {"{\n \"DOI\": \"x\",\n \"n\": 1\n}\n", []string{"{\"DOI\":\"x\",\"n\":1}"}},
		"answers, a line each": {`{"message":{"items":[{"a":1}],"x":{"items":[2]}}}` + "\n" + `{"message":{"items":[]}}` + "\n" + `{"message-type":"prefix","message":{"n":1}}` + "\n" + `{"message":{"items":[{"b":1}]}}`,
			[]string{`{"a":1}`, `{"message-type":"prefix"}`, `{"b":1}`}},
		"works, a line each":     {"\ufeff" + `{"a":1}` + "\n{\"broken\": [\n" + `{"c":1}` + "\n", []string{`{"a":1}`, `{"broken": [`, `{"c":1}`}},
		"an array":               {` [{"a":1},{"b":2}]`, []string{`{"a":1}`, `{"b":2}`}},
		"nothing":                {" \n", nil},
		"a deposit":              {"\n<doi_batch><body><dissertation/></body></doi_batch>", []string{"<doi_batch><body><dissertation/></body></doi_batch>"}},
		"one too long":           {`{"items":[` + big + `,{"b":1}]}`, []string{"! it is longer than", `{"b":1}`}},
		"one too long by itself": {"{\n\"x\":" + big + "}\n{\"b\":1}", []string{"! it is longer than", `{"b":1}`}},
		"cut off":                {`{"items":[{"a":1},{"b"`, []string{`{"a":1}`, "! the JSON is cut off"}},
		"cut off outside":        {`{"items":[{"a":1}]`, []string{`{"a":1}`, "! the JSON is cut off"}},
		"something else":         {`hello`, []string{"! it is neither XML nor JSON"}},
		"no JSON":                {`{1:2}`, []string{"! it is not JSON"}},
	} {
		for _, slow := range []bool{false, true} {
			r := bytes.NewReader([]byte(c.in))
			e := newCrossref(r)
			if slow {
				if len(c.in) > 1<<20 {
					continue
				}
				r.Reset([]byte(c.in))
				e = newCrossref(iotest.HalfReader(r))
			}
			var got []string
			for _, el := range allOf(e) {
				if el.err != nil {
					got = append(got, "! "+el.err.Error())
				} else {
					got = append(got, el.raw)
				}
			}
			same := len(got) == len(c.want)
			for i := 0; same && i < len(got); i++ {
				same = got[i] == c.want[i] || strings.HasPrefix(c.want[i], "!") && strings.HasPrefix(got[i], c.want[i])
			}
			if !same {
				t.Errorf("%s: %.300q", name, got)
			}
		}
	}
}

// TestXMLFormsRefuse checks the sentences that say why a record is not taken.
func TestXMLFormsRefuse(t *testing.T) {
	for _, c := range []struct{ form, raw, want string }{
		{"crossref", `{"message-type":"prefix"}`, "an answer of the type"},
		{"crossref", `[1]`, "it is not JSON of this form"},
		{"crossref", `{"DOI":"10.1234/x"}`, "it has no title"},
		{"crossref", `<doi_batch><body/></doi_batch>`, "it is no work of a Crossref deposit"},
		{"jats", `<article><front/></article>`, "it has no title"},
		{"jats", `<book/>`, "it is no article of JATS"},
		{"onix", `<ONIXMessage><Product><NotificationType>05</NotificationType></Product></ONIXMessage>`, "it asks that the record be deleted"},
		{"onix", `<ONIXmessage release="2.1"><product><title><b203>T</b203></title></product></ONIXmessage>`, "it is ONIX 2"},
		{"onix", `<ONIXMessage release="3.0"><Product/></ONIXMessage>`, "it describes nothing"},
		{"acl", `<collection/>`, "it is in no volume"},
		{"acl", `<collection id="x"><volume id="1"/></collection>`, "it is no paper"},
		{"acl", `<!DOCTYPE a [<!ENTITY b "c">]><paper/>`, "declares entities"},
	} {
		_, err := findBulk(t, c.form).Parse([]byte(c.raw))
		if !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %v", c.form, c.raw, err)
		}
	}
	for form, in := range map[string]string{"jats": "<html><p/></html>", "onix": "<html/>", "acl": "<onix/>", "crossref": "<article/>"} {
		list := allOf(findBulk(t, form).Elements(strings.NewReader(in)))
		if len(list) != 1 || !errs.Is(list[0].err, errs.Refused) {
			t.Errorf("%s of %s: %+v", form, in, list)
		}
	}
}

func TestACLIDs(t *testing.T) {
	for _, c := range [][4]string{
		{"2020.acl", "main", "12", "2020.acl-main.12"}, {"P19", "1", "12", "P19-1012"}, {"W19", "3", "12", "W19-0312"}, {"D19", "50", "3", "D19-5003"}, {"D19", "1", "3", "D19-1003"},
		{"", "P18", "1001", "P18-1001"},
	} {
		if got := aclID(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%v: %s", c, got)
		}
	}
}

func TestONIXDates(t *testing.T) {
	for in, want := range map[string]string{
		"<Date>20091105</Date>": "2009-11-05", "<Date>200911</Date>": "2009-11", "<Date>2009</Date>": "2009", `<Date dateformat="05">2009</Date>`: "2009",
		`<Date dateformat="03">20093</Date>`: "2009", `<Date dateformat="06">2009110520091231</Date>`: "2009-11-05/2009-12-31", `<Date dateformat="11">20092010</Date>`: "2009/2010",
		`<Date dateformat="13">20091105T0102</Date>`: "2009-11-05", `<Date dateformat="12">5 November 2009</Date>`: "2009-11-05", "<Date>soon</Date>": "", "<Date/>": "",
		`<Date dateformat="11">2009中中</Date>`: "", `<Date dateformat="02">中</Date>`: "",
	} {
		root, _, err := recordXML([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := onixDate(root); got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
}

func TestPlainMarkup(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                        "plain",
		"R&amp;D":                      "R&D",
		"a < b and c > d":              "a < b and c > d",
		"<jats:p>One</jats:p><p>2</p>": "One 2",
		"<i>E. coli</i> and <unclosed": "E. coli and <unclosed",
		"<p>k<beth and m>beth</p>":     "k<beth and m>beth",
		"x<sub>2</sub>":                "x2",
		"<math><mi>a</mi><annotation>no</annotation></math>b": "ab",
		"<b>bad \xff</b>": "bad",
	} {
		if got := plainMarkup(in, maxTitle, false); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got := plainMarkup("<jats:title>Abstract</jats:title><jats:p>One\ntwo</jats:p><jats:p>Three</jats:p>", maxAbstract, true); got != "One two\nThree" {
		t.Errorf("%q", got)
	}
}

// fuzzForm holds a form's splitter and parser to what the register can hold.
func fuzzForm(f *testing.F, form string) {
	for _, s := range xmlForms {
		data, err := os.ReadFile(filepath.Join("testdata", "bulk", s.file))
		if err != nil {
			f.Fatal(err)
		}
		if s.form == form {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := findBulk(t, form)
		last := int64(0)
		for _, el := range allOf(b.Elements(bytes.NewReader(data))) {
			if el.number < last || len(el.raw) > MaxBulkRecord {
				t.Fatalf("%d after %d, %d bytes", el.number, last, len(el.raw))
			}
			if last = el.number; el.err != nil {
				continue
			}
			d, err := b.Parse([]byte(el.raw))
			if err != nil {
				if !errs.Is(err, errs.Refused) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("%v", err)
				}
				continue
			}
			checkDescribed(t, d)
		}
	})
}

func FuzzCrossref(f *testing.F) { fuzzForm(f, "crossref") }
func FuzzJATS(f *testing.F)     { fuzzForm(f, "jats") }
func FuzzONIX(f *testing.F)     { fuzzForm(f, "onix") }
func FuzzACL(f *testing.F)      { fuzzForm(f, "acl") }

// TestXMLFormsHostile reads records with as many children as fit, which must take a
// time that grows with them and no faster.
func TestXMLFormsHostile(t *testing.T) {
	many := func(s string) string { return strings.Repeat(s, 20_000) }
	for _, c := range []struct{ form, raw string }{
		{"crossref", "<doi_batch><body><journal><journal_issue>" + many("<issue>1</issue>") + "<titles><title>T</title></titles><doi_data/></journal_issue></journal></body></doi_batch>"},
		{"crossref", "<doi_batch><body><book><book_metadata>" + many("<isbn>1</isbn><publication_date/>") + "</book_metadata><content_item><titles><title>T</title></titles></content_item></book></body></doi_batch>"},
		{"jats", "<article><front><article-meta><title-group><article-title>T</article-title></title-group>" + many("<elocation-id>e</elocation-id>") + many("<aff id='a'>A</aff>") + "</article-meta></front></article>"},
		{"jats", "<article><front><article-meta><title-group><article-title>T</article-title></title-group><contrib-group>" + many("<contrib><collab>C</collab></contrib>") + "</contrib-group></article-meta></front></article>"},
		{"onix", "<ONIXMessage><Product><DescriptiveDetail><TitleDetail><TitleElement><TitleText>T</TitleText></TitleElement></TitleDetail>" + many("<Subject><SubjectCode>s</SubjectCode></Subject>") + "</DescriptiveDetail></Product></ONIXMessage>"},
		{"acl", "<collection><volume><meta>" + many("<isbn>1</isbn>") + many("<year>x</year>") + "</meta><paper><title>T</title>" + many("<year>y</year>") + "</paper></volume></collection>"},
	} {
		if d, err := findBulk(t, c.form).Parse([]byte(c.raw)); err != nil || !strings.HasPrefix(d.Record.Title, "T") && c.form != "crossref" {
			t.Errorf("%s: %.80s: %v", c.form, c.raw, err)
		}
	}
}
