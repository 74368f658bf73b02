package feeds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"wenlan/internal/index"
	"wenlan/internal/record"
)

// described is the part of openapi.json that the tests read.
type described struct {
	OpenAPI string `json:"openapi"`
	Info    struct{ Version string }
	Paths   map[string]map[string]struct {
		OperationID string
		Parameters  []struct {
			Name, In string
			Required bool
			Schema   json.RawMessage
		}
		Responses map[string]struct {
			Content map[string]struct{ Schema json.RawMessage }
		}
	}
	Components struct {
		Schemas map[string]schema
	}
}

type schema struct {
	Type       any
	Properties map[string]schema
	Required   []string
	Items      *schema
	Ref        string `json:"$ref"`
	AnyOf      []schema
	Enum       []string
}

func readDescription(t *testing.T) (described, []byte) {
	t.Helper()
	w := ask(t, newLibrary().serve(t, func(c *Config) { c.Version = `1.2 "x"` }), "GET", "/api/v1/openapi.json")
	var d described
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.OpenAPI != "3.1.0" || d.Info.Version != `1.2 "x"` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("openapi %q, version %q, %v", d.OpenAPI, d.Info.Version, w.Header())
	}
	return d, w.Body.Bytes()
}

// TestDescribedRoutes holds the paths and parameters of openapi.json to the
// table of routes, in both directions.
func TestDescribedRoutes(t *testing.T) {
	d, _ := readDescription(t)
	f, err := New(Config{Catalog: newLibrary(), Index: newLibrary(), Blobs: newLibrary(), Register: newLibrary()})
	if err != nil {
		t.Fatal(err)
	}
	wildcard := regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)
	ids := map[string]bool{}
	for _, r := range f.routes() {
		method, pattern, _ := strings.Cut(r.pattern, " ")
		path := wildcard.ReplaceAllString(pattern, "{$1}")
		op, ok := d.Paths[path][strings.ToLower(method)]
		if !ok {
			t.Errorf("%s is not described", r.pattern)
			continue
		}
		if op.OperationID == "" || ids[op.OperationID] {
			t.Errorf("%s: operationId %q", path, op.OperationID)
		}
		ids[op.OperationID] = true
		var query, inPath, wantPath []string
		for _, p := range op.Parameters {
			if p.In == "path" {
				inPath = append(inPath, p.Name)
				if !p.Required {
					t.Errorf("%s: path parameter %s must be required", path, p.Name)
				}
			} else {
				query = append(query, p.Name)
			}
		}
		for _, m := range wildcard.FindAllStringSubmatch(pattern, -1) {
			wantPath = append(wantPath, m[1])
		}
		if !slices.Equal(slices.Sorted(slices.Values(query)), slices.Sorted(slices.Values(r.query))) {
			t.Errorf("%s: described with %q, reads %q", path, query, r.query)
		}
		if !slices.Equal(inPath, wantPath) {
			t.Errorf("%s: described with %q, has %q", path, inPath, wantPath)
		}
		if delete(d.Paths[path], strings.ToLower(method)); len(d.Paths[path]) == 0 {
			delete(d.Paths, path)
		}
	}
	for path := range d.Paths {
		t.Errorf("%s is described and there is no such route", path)
	}
}

// TestDescribedFields holds the schemas to the Go types, in both directions:
// every field, and whether it is always there.
func TestDescribedFields(t *testing.T) {
	d, _ := readDescription(t)
	seen := map[string]bool{"Kind": true}
	todo := []reflect.Type{reflect.TypeFor[SearchJSON](), reflect.TypeFor[SuggestJSON](), reflect.TypeFor[TextSearchJSON](), reflect.TypeFor[RecordJSON](), reflect.TypeFor[StatusJSON](), reflect.TypeFor[ErrorJSON](), reflect.TypeFor[CharterJSON]()}
	for len(todo) > 0 {
		typ := todo[0]
		todo = todo[1:]
		name := strings.TrimSuffix(typ.Name(), "JSON")
		if seen[name] {
			continue
		}
		seen[name] = true
		s, ok := d.Components.Schemas[name]
		if !ok {
			t.Errorf("%s is not described", typ)
			continue
		}
		fields := jsonFields(typ)
		for field, info := range fields {
			if _, ok := s.Properties[field]; !ok {
				t.Errorf("%s.%s is not described", name, field)
			}
			if slices.Contains(s.Required, field) == info.optional {
				t.Errorf("%s.%s: required in the description is %v, optional in the code is %v", name, field, !info.optional, info.optional)
			}
			inner := info.typ
			for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Map {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && inner.Name() != "Time" {
				todo = append(todo, inner)
			}
		}
		for field := range s.Properties {
			if _, ok := fields[field]; !ok {
				t.Errorf("%s.%s is described and there is no such field", name, field)
			}
		}
	}
	for name := range d.Components.Schemas {
		if !seen[name] {
			t.Errorf("schema %s is described and no answer has it", name)
		}
	}
	var kinds []string
	for _, k := range record.Kinds {
		kinds = append(kinds, string(k))
	}
	if !slices.Equal(d.Components.Schemas["Kind"].Enum, kinds) {
		t.Errorf("kinds are described as %q", d.Components.Schemas["Kind"].Enum)
	}
	var facets []string
	for name := range d.Components.Schemas["Search"].Properties["facets"].Properties {
		facets = append(facets, name)
	}
	if !slices.Equal(slices.Sorted(slices.Values(facets)), slices.Sorted(slices.Values(facetNames))) {
		t.Errorf("facets are described as %q", facets)
	}
}

type fieldInfo struct {
	typ      reflect.Type
	optional bool
}

// jsonFields are the fields that encoding/json writes, embedded ones included.
func jsonFields(typ reflect.Type) map[string]fieldInfo {
	out := map[string]fieldInfo{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			for k, v := range jsonFields(f.Type) {
				out[k] = v
			}
			continue
		}
		out[name] = fieldInfo{f.Type, strings.Contains(opts, "omit")}
	}
	return out
}

// richLibrary has a record with every field, and poor ones.
func richLibrary() *library {
	l := newLibrary()
	two := int64(2)
	st := l.add(1, &record.Rights{Basis: record.Licence, Licence: "CC-BY-4.0", Holder: "某人", Access: record.Open, Opens: "2020-01-01", Copies: 1,
		Price: &record.Price{Minor: 100, Currency: "EUR"}, Territories: []string{"DE"},
		Evidence: &record.Evidence{URL: "https://example.org", Text: "x", By: "a librarian", At: "2026-01-01T00:00:00Z", Territories: []string{"DE"}}}, "红楼梦 bytes")
	st.Record = record.Record{
		Title: "紅樓夢 <第一回> & more", AltTitles: []string{"红楼梦"}, Kind: record.Book, Languages: []string{"zh-Hant", "lzh"},
		Creators: []record.Creator{{Name: "曹雪芹", AltNames: []string{"Cao Xueqin"}, Role: "aut", IDs: []record.ID{{Scheme: "viaf", Value: "1"}}},
			{Name: "高鶚", Role: "edt"}},
		Issued: "1791", Publisher: "萃文書屋", Place: "北京",
		Container: &record.Container{Title: "A series", Volume: "1", Issue: "2", Pages: "3-4", ISSN: "1234-5679"},
		Subjects:  []record.Subject{{Scheme: "lcsh", Code: "sh1", Label: "Fiction"}, {Label: "小說"}, {}},
		IDs: []record.ID{{Scheme: "isbn", Value: "9780141439518"}, {Scheme: "doi", Value: "10.1000/1"},
			{Scheme: "url", Value: "https://example.org/1"}},
		Abstract:  strings.Repeat("滿紙荒唐言，一把辛酸淚。", 60) + "\x01",
		Relations: []record.Relation{{Type: "edition_of", Record: &two}, {Type: "translation_of", ID: &record.ID{Scheme: "doi", Value: "10.1/2"}}},
	}
	st.Sources = []record.Source{{Name: "epub", ID: "x", Digest: hashOf("said")}}
	hash := hashOf("cover")
	l.blobs[hash] = []byte("cover")
	st.Files[0].Name, st.Files[0].Language = "紅樓夢 1.epub", "zh-Hant"
	st.Files = append(st.Files, record.File{SHA256: hash, Bytes: 5, MediaType: "image/jpeg", Name: "cover.jpg", Role: record.RoleCover},
		record.File{SHA256: hashOf("txt"), Bytes: 3, MediaType: "text/plain; charset=gb18030", Name: "a.txt", Role: record.RoleText})
	st.Withdrawals = []record.Withdrawal{{Entry: 3, Time: day, Ground: "court", Case: "1/26", Territories: []string{"FR"}}}
	l.withdrawals[hashOf("txt")] = []record.Withdrawal{{Entry: 4, Time: day, Blob: hashOf("txt"), Ground: "court"}}
	st.History = append(st.History, record.Event{Entry: 7, Erased: true}, record.Event{Entry: 8, Type: record.TypeRights, Time: day.AddDate(0, 1, 0), Note: "licence"})
	l.add(2, nil, "two")
	l.add(3, open(), "three").Record = record.Record{Title: "Untitled"}
	l.states[2].MergedInto = &st.Number
	return l
}

// TestAnswersMatchDescription validates real answers against the schemas.
func TestAnswersMatchDescription(t *testing.T) {
	d, raw := readDescription(t)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://wenlan.example/openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	rich := richLibrary()
	rich.keys, rich.guess = true, index.Result{Partial: true, Corrected: "a", DidYouMean: "b"}
	h := rich.serve(t, func(c *Config) { c.Place = func(*http.Request) string { return "DE" } })
	for _, a := range []struct {
		path, schema string
		status       int
	}{
		{"/api/v1/search", "Search", 200},
		{"/api/v1/search?q=" + url.QueryEscape("紅樓夢") + "&lang=zh-Hant,lzh&kind=book&year=1700-1800&subject=a&subject=b&sort=newest&limit=5&page=1", "Search", 200},
		{"/api/v1/search?q=nothing+like+it", "Search", 200},
		{"/api/v1/search?creator=a&creator=b&access=open,lend&after=1", "Search", 200},
		{"/api/v1/search?page=2&after=1", "Error", 400},
		{"/api/v1/search?after=" + strings.Repeat("x", 513), "Error", 400},
		{"/api/v1/fulltext?q=white+whale", "TextSearch", 200},
		{"/api/v1/fulltext?q=white+whale&record=3&limit=50&after=x", "TextSearch", 200},
		{"/api/v1/fulltext", "TextSearch", 200},
		{"/api/v1/fulltext?q=x&record=99", "Error", 404},
		{"/api/v1/fulltext?q=x&record=2", "Error", 403},
		{"/api/v1/fulltext?q=x&record=-1", "Error", 400},
		{"/api/v1/fulltext?q=x&limit=51", "Error", 400},
		{"/api/v1/fulltext?q=x&after=" + strings.Repeat("x", 513), "Error", 400},
		{"/api/v1/suggest?q=Unt", "Suggest", 200},
		{"/api/v1/suggest", "Suggest", 200},
		{"/api/v1/status", "Status", 200},
		{"/shelves.atom?before=x", "Error", 400},
		{"/api/v1/records/1", "Record", 200},
		{"/api/v1/records/2", "Record", 200},
		{"/api/v1/records/3", "Record", 200},
		{"/api/v1/records/4", "Error", 404},
		{"/api/v1/records/x", "Error", 404},
		{"/api/v1/records/01", "Error", 404},
		{"/api/v1/nothing", "Error", 404},
		{"/api/v1/search?limit=0", "Error", 400},
		{"/api/v1/search?limit=101", "Error", 400},
		{"/api/v1/search?page=99999", "Error", 400},
		{"/api/v1/search?kind=poem", "Error", 400},
		{"/api/v1/search?sort=best", "Error", 400},
		{"/api/v1/search?year=long+ago", "Error", 400},
		{"/api/v1/search?year=1950-1900", "Error", 400},
		{"/api/v1/search?year=-", "Error", 400},
		{"/api/v1/search?q=" + strings.Repeat("x", 1001), "Error", 400},
		{"/api/v1/suggest?q=x&limit=21", "Error", 400},
		{"/opds/kinds/poem", "Error", 404},
	} {
		if _, ok := d.Components.Schemas[a.schema]; !ok {
			t.Fatalf("no schema %s", a.schema)
		}
		s, err := c.Compile("https://wenlan.example/openapi.json#/components/schemas/" + a.schema)
		if err != nil {
			t.Fatal(err)
		}
		w := ask(t, h, "GET", a.path)
		if w.Code != a.status {
			t.Errorf("%s: status %d, want %d: %s", a.path, w.Code, a.status, w.Body)
		}
		v, err := jsonschema.UnmarshalJSON(w.Body)
		if err != nil {
			t.Errorf("%s: %v", a.path, err)
			continue
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", a.path, err)
		}
	}
}

// TestGrouped: of the editions of one work the first hit is shown, and names the others.
func TestGrouped(t *testing.T) {
	l := newLibrary()
	for n := range int64(4) {
		l.add(n+1, open(), string(rune('a'+n)))
	}
	l.states[3].Record.Title, l.states[4].Record.Title = l.states[1].Record.Title, l.states[1].Record.Title
	h := l.serve(t)
	var got SearchJSON
	for _, c := range []struct {
		path string
		hits int
	}{{"/api/v1/search?q=Book", 4}, {"/api/v1/search?q=Book&group=1", 2}} {
		if err := json.Unmarshal(ask(t, h, "GET", c.path).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Hits) != c.hits || got.Total != 4 {
			t.Errorf("%s: %+v of %d", c.path, got.Hits, got.Total)
		}
	}
	if together := append([]int64{got.Hits[0].Record}, got.Hits[0].Editions...); !slices.Equal(together, []int64{1, 3, 4}) {
		t.Errorf("together %v", together)
	}
	if len(got.Hits[1].Editions) != 0 {
		t.Errorf("%+v", got.Hits[1])
	}
	// The best that can be read is shown.
	l.states[1].Rights = nil
	l.withdrawals[l.states[3].Files[0].SHA256] = []record.Withdrawal{{Entry: 9, Blob: l.states[3].Files[0].SHA256}}
	got = SearchJSON{}
	if err := json.Unmarshal(ask(t, h, "GET", "/api/v1/search?q=Book&group=1").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Hits) != 2 || got.Hits[0].Record != 4 || !slices.Equal(got.Hits[0].Editions, []int64{1, 3}) {
		t.Errorf("%+v", got.Hits)
	}
}

func TestSearchAnswer(t *testing.T) {
	h := richLibrary().serve(t)
	w := ask(t, h, "GET", "/api/v1/search?lang=zh-Hant&limit=1")
	var got SearchJSON
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Total != 1 || !got.Exact || got.TookMS != 1.5 || got.Page != 1 || got.Limit != 1 || len(got.Hits) != 1 {
		t.Fatalf("%s", w.Body)
	}
	if hit := got.Hits[0]; hit.Record != 1 || hit.Title != "紅樓夢 <第一回> & more" || hit.Creators[0].Name != "曹雪芹" || hit.Issued != "1791" || hit.Score != 1 {
		t.Errorf("%+v", hit)
	}
	if !strings.Contains(w.Body.String(), "<第一回> & more") {
		t.Errorf("characters are escaped for HTML: %s", w.Body)
	}
	var rec RecordJSON
	if err := json.Unmarshal(ask(t, h, "GET", "/api/v1/records/1").Body.Bytes(), &rec); err != nil {
		t.Fatal(err)
	}
	if len(rec.Changes) != maxChanges || rec.Changes[0].Fields[0].After[0] != "Title" || !slices.Equal(rec.Merged, []int64{2}) ||
		len(rec.Editions) != 1 || rec.Editions[0].Record != 3 || rec.Editions[0].Title != "Untitled" || rec.Editions[0].Relation != record.HasTranslation {
		t.Errorf("%+v, %+v, %+v", rec.Changes, rec.Merged, rec.Editions)
	}
	w = ask(t, h, "GET", "/api/v1/records/3")
	if !strings.Contains(w.Body.String(), `"decision":{"read":true,"download":true,"lend":false,"buy":false,"reason":"open"}`) ||
		!strings.Contains(w.Body.String(), `"url":"/records/3/files/book.epub"`) {
		t.Errorf("%s", w.Body)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("%v", w.Header())
	}
	for name, want := range map[string]string{"a.txt": "withdrawn", "cover.jpg": "open"} {
		var rec RecordJSON
		place := richLibrary().serve(t, func(c *Config) { c.Place = func(*http.Request) string { return "DE" } })
		if err := json.Unmarshal(ask(t, place, "GET", "/api/v1/records/1").Body.Bytes(), &rec); err != nil {
			t.Fatal(err)
		}
		for _, f := range rec.Files {
			if f.Name == name && string(f.Decision.Reason) != want {
				t.Errorf("%s: %+v", name, f.Decision)
			}
		}
	}
}

// TestTextsThroughDoors searches as readers in different places.
func TestTextsThroughDoors(t *testing.T) {
	l := newLibrary()
	st := l.add(1, open(), "one")
	german := open()
	german.Territories = []string{"DE"}
	l.add(2, german, "two")
	l.add(3, nil, "three")
	withdrawn := l.add(4, open(), "four")
	l.withdrawals[withdrawn.Files[0].SHA256] = []record.Withdrawal{{Entry: 9, Blob: withdrawn.Files[0].SHA256, Territories: []string{"FR"}}}
	st.Files = append(st.Files, record.File{SHA256: hashOf("x"), MediaType: "text/plain", Name: "a b.txt", Role: record.RoleText})
	for place, want := range map[string]string{"": "[1 2]", "DE": "[1 2 4]", "FR": "[1]"} {
		h := l.serve(t, func(c *Config) { c.Place = func(*http.Request) string { return place } })
		var got TextSearchJSON
		if err := json.Unmarshal(ask(t, h, "GET", "/api/v1/fulltext?q=whale").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		var numbers []int64
		for _, hit := range got.Hits {
			numbers = append(numbers, hit.Record)
		}
		if fmt.Sprint(numbers) != want {
			t.Errorf("in %q: %v, want %s", place, numbers, want)
		}
		hit := got.Hits[0]
		if hit.URL != "/records/1/read?chapter=3&file=book.epub&q=white+whale" || fmt.Sprint(hit.Snippet) != "[{a  false} {<white> true} {  false} {whale true}]" {
			t.Errorf("%+v", hit)
		}
		if w := ask(t, h, "GET", "/api/v1/fulltext?q=whale&record=4"); (w.Code == 200) != (place == "DE") || w.Code != 200 && w.Code != 451 {
			t.Errorf("in %q: %d", place, w.Code)
		}
	}
	h := l.serve(t, func(c *Config) { c.FullText = nil })
	if w := ask(t, h, "GET", "/api/v1/fulltext?q=whale"); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
}

// TestDeepPaging goes through everything by key, in the API and in OPDS.
func TestDeepPaging(t *testing.T) {
	l := newLibrary()
	l.keys = true
	for n := range int64(95) {
		l.add(n+1, open(), strings.Repeat("x", int(n)))
	}
	h := l.serve(t)
	var seen []int64
	for path, pages := "/api/v1/search?limit=19", 0; path != ""; pages++ {
		var got SearchJSON
		if err := json.Unmarshal(ask(t, h, "GET", path).Body.Bytes(), &got); err != nil || pages > 6 {
			t.Fatal(err, pages)
		}
		for _, hit := range got.Hits {
			seen = append(seen, hit.Record)
		}
		path = ""
		if got.Next != "" {
			path = "/api/v1/search?limit=19&after=" + got.Next
		}
	}
	if len(seen) != 95 || !slices.IsSorted(seen) {
		t.Errorf("saw %d: %v", len(seen), seen)
	}
	for _, start := range []string{"/opds/search?q=Book", "/opds/kinds/book", "/opds/languages/en"} {
		entries, pages := 0, 0
		for path := start; path != ""; pages++ {
			n := getXML(t, h, path)
			if len(n.all(nsOpenSearch, "startIndex")) == 1 != (pages == 0) || pages > 4 {
				t.Fatalf("%s: page %d", path, pages)
			}
			entries += len(n.all(nsAtom, "entry"))
			path = n.link("next")
		}
		if entries != 95 {
			t.Errorf("%s: %d entries on %d pages", start, entries, pages)
		}
	}
}

func TestYears(t *testing.T) {
	for s, want := range map[string][2]int{"": {0, 0}, "1900": {1900, 1900}, "1900-1950": {1900, 1950}, "1900-": {1900, 0}, "-1950": {0, 1950}} {
		if from, to, err := years(s); err != nil || from != want[0] || to != want[1] {
			t.Errorf("%q: %d, %d, %v", s, from, to, err)
		}
	}
	for _, s := range []string{"-", "x", "1-2-3", "0", "99999", "1950-1900", " 1900"} {
		if _, _, err := years(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}
