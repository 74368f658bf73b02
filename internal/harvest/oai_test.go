package harvest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/testdata"
)

// oaiRecord is one of a server's.
type oaiRecord struct {
	id, stamp, title string
	deleted          bool
}

// oaiServer is an OAI-PMH server for tests.
type oaiServer struct {
	*httptest.Server
	records     []oaiRecord
	size        int // records in a part
	granularity string
	asked       []url.Values // every request
	agents      []string
	fail        func(n int, w http.ResponseWriter, q url.Values) bool // answers request n, from 0, itself
}

func newOAIServer(t *testing.T, records ...oaiRecord) *oaiServer {
	t.Helper()
	s := &oaiServer{records: records, size: 2, granularity: "YYYY-MM-DDThh:mm:ssZ"}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

const oaiHead = `<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2024-05-06T07:08:09Z</responseDate><request>x</request>`

func (s *oaiServer) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	n := len(s.asked)
	s.asked, s.agents = append(s.asked, q), append(s.agents, r.UserAgent())
	if s.fail != nil && s.fail(n, w, q) {
		return
	}
	var b bytes.Buffer
	b.WriteString(oaiHead)
	switch q.Get("verb") {
	case "Identify":
		fmt.Fprintf(&b, "<Identify><repositoryName>Test</repositoryName><granularity>%s</granularity><earliestDatestamp>2001-01-01</earliestDatestamp><deletedRecord>persistent</deletedRecord></Identify>", s.granularity)
	case "ListMetadataFormats":
		b.WriteString("<ListMetadataFormats><metadataFormat><metadataPrefix>oai_dc</metadataPrefix></metadataFormat><metadataFormat><metadataPrefix>mets</metadataPrefix></metadataFormat></ListMetadataFormats>")
	case "ListRecords":
		s.list(&b, q)
	default:
		b.WriteString(`<error code="badVerb"/>`)
	}
	b.WriteString("</OAI-PMH>")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		_, _ = z.Write(b.Bytes())
		return
	}
	_, _ = w.Write(b.Bytes())
}

func (s *oaiServer) list(b *bytes.Buffer, q url.Values) {
	from, first := q.Get("from"), 0
	if token := q.Get("resumptionToken"); token != "" {
		from, token, _ = strings.Cut(token, "|")
		first, _ = strconv.Atoi(token)
	} else if p := q.Get("metadataPrefix"); p != "oai_dc" {
		b.WriteString(`<error code="cannotDisseminateFormat"/>`)
		return
	}
	var list []oaiRecord
	for _, r := range s.records {
		if r.stamp >= from && (q.Get("until") == "" || r.stamp <= q.Get("until")) {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		b.WriteString(`<error code="noRecordsMatch">nothing</error>`)
		return
	}
	b.WriteString("<ListRecords>")
	for _, r := range list[first:min(first+s.size, len(list))] {
		if r.deleted {
			fmt.Fprintf(b, `<record><header status="deleted"><identifier>%s</identifier><datestamp>%s</datestamp></header></record>`, r.id, r.stamp)
			continue
		}
		fmt.Fprintf(b, `<record><header><identifier>%s</identifier><datestamp>%s</datestamp></header><metadata><oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>%s</dc:title></oai_dc:dc></metadata></record>`, r.id, r.stamp, r.title)
	}
	if next := first + s.size; next < len(list) {
		fmt.Fprintf(b, "<resumptionToken>%s|%d</resumptionToken>", from, next)
	} else if first > 0 {
		b.WriteString("<resumptionToken/>")
	}
	b.WriteString("</ListRecords>")
}

// waits is a Config for tests; it notes how long it would have waited.
func testConfig(t *testing.T, dir string, waits *[]time.Duration) Config {
	t.Helper()
	return Config{FS: durable.OS(), Dir: dir, UserAgent: "test agent", Wait: func(ctx context.Context, d time.Duration) error {
		if waits != nil {
			*waits = append(*waits, d)
		}
		return ctx.Err()
	}}
}

// harvested reads a harvest to its end: what each record is, in a word.
func harvested(t *testing.T, h Harvest) (out []string, err error) {
	t.Helper()
	for e := h.Form().Elements(h); ; {
		raw, _, err := e.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		switch d, err := h.Form().Parse(raw); {
		case err != nil:
			out = append(out, "refused: "+err.Error())
		case d.Deleted:
			out = append(out, d.ID+" deleted")
		default:
			out = append(out, d.ID+" "+d.Record.Title)
		}
	}
}

func openOAI(t *testing.T, cfg Config, req OAIRequest) *OAI {
	t.Helper()
	o, err := OpenOAI(t.Context(), cfg, req)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var five = []oaiRecord{
	{"a", "2020-01-01T00:00:00Z", "A", false}, {"b", "2020-01-02T00:00:00Z", "B", false}, {"c", "2020-01-03T00:00:00Z", "", true},
	{"d", "2020-01-04T00:00:00Z", "D", false}, {"e", "2020-01-05T00:00:00Z", "E", false},
}

// TestOAI: a whole list, and next time only what changed.
func TestOAI(t *testing.T) {
	s := newOAIServer(t, five...)
	dir := t.TempDir()
	cfg := testConfig(t, dir, nil)
	o := openOAI(t, cfg, OAIRequest{URL: s.URL + "/oai?x=1&verb=Identify", Set: "math"})
	got, err := harvested(t, o)
	if want := []string{"a A", "b B", "c deleted", "d D", "e E"}; err != nil || !slices.Equal(got, want) {
		t.Fatal(got, err)
	}
	if err := o.Finish(nil); err != nil {
		t.Fatal(err)
	}
	if q := s.asked[1]; q.Get("x") != "1" || q.Get("verb") != "ListRecords" || q.Get("set") != "math" || q.Get("metadataPrefix") != "oai_dc" || q.Has("from") {
		t.Error(q)
	}
	if q := s.asked[2]; q.Get("resumptionToken") != "|2" || q.Has("metadataPrefix") || q.Has("set") || q.Get("x") != "1" {
		t.Error(q)
	}
	if s.agents[0] != "test agent" {
		t.Error(s.agents)
	}

	s.records = append(s.records, oaiRecord{"f", "2020-02-01T00:00:00Z", "F", false})
	o = openOAI(t, cfg, OAIRequest{URL: s.URL + "/oai?x=1", Set: "math"})
	if got, err := harvested(t, o); err != nil || !slices.Equal(got, []string{"e E", "f F"}) {
		t.Error(got, err)
	}
	if err := o.Finish(errors.New("the disk is full")); err != nil { // then nothing is remembered of it
		t.Fatal(err)
	}
	o = openOAI(t, cfg, OAIRequest{URL: s.URL + "/oai?x=1", Set: "math"})
	if q := (url.Values{}); o.page.From != "2020-01-05T00:00:00Z" {
		t.Error(o.page, q)
	}
	// Another set is another harvest.
	if o = openOAI(t, cfg, OAIRequest{URL: s.URL + "/oai?x=1", Set: "cs"}); o.page.From != "" {
		t.Error(o.page)
	}
	// What cannot be read is as nothing.
	names, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if len(names) != 1 {
		t.Fatal(names)
	}
	if err := os.WriteFile(names[0], []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if o = openOAI(t, cfg, OAIRequest{URL: s.URL + "/oai?x=1", Set: "math"}); o.page != (oaiPlace{}) {
		t.Error(o.page)
	}
}

// TestOAIRange: dates are asked for as fine as the server can.
func TestOAIRange(t *testing.T) {
	s := newOAIServer(t, five...)
	o := openOAI(t, testConfig(t, t.TempDir(), nil), OAIRequest{URL: s.URL, From: "2020-01-02", Until: "2020-01-03"})
	if got, err := harvested(t, o); err != nil || !slices.Equal(got, []string{"b B", "c deleted"}) {
		t.Error(got, err)
	}
	if q := s.asked[1]; q.Get("from") != "2020-01-02T00:00:00Z" || q.Get("until") != "2020-01-03T23:59:59Z" {
		t.Error(q)
	}
	if err := o.Finish(nil); err != nil || o.state.Last != "" {
		t.Error(err, o.state)
	}
	s.granularity = "YYYY-MM-DD"
	o = openOAI(t, testConfig(t, t.TempDir(), nil), OAIRequest{URL: s.URL, From: "2020-01-04T10:00:00Z"})
	if got, err := harvested(t, o); err != nil || !slices.Equal(got, []string{"d D", "e E"}) {
		t.Error(got, err)
	}
	o = openOAI(t, testConfig(t, t.TempDir(), nil), OAIRequest{URL: s.URL, From: "2030-01-01"})
	if got, err := harvested(t, o); err != nil || len(got) > 0 { // noRecordsMatch
		t.Error(got, err)
	}
	for _, bad := range []OAIRequest{{URL: s.URL, From: "yesterday"}, {URL: s.URL, From: "2020-02-01", Until: "2020-01-01"}, {URL: "ftp://x/"}, {URL: "https://"}} {
		if _, err := OpenOAI(t.Context(), testConfig(t, t.TempDir(), nil), bad); !errs.Is(err, errs.Invalid) {
			t.Error(bad, err)
		}
	}
}

// TestOAIFailures: what passes is waited for, what does not ends the harvest with a sentence.
func TestOAIFailures(t *testing.T) {
	whole := []string{"a A", "b B", "c deleted", "d D", "e E"}
	list := func(q url.Values) bool { return q.Get("verb") == "ListRecords" }
	for name, c := range map[string]struct {
		fail  func(n int, w http.ResponseWriter, q url.Values) bool
		req   OAIRequest
		want  []string
		waits []time.Duration
		kind  errs.Kind
		says  string
	}{
		"busy": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if n == 2 {
				w.Header().Set("Retry-After", "77")
				http.Error(w, "busy", http.StatusServiceUnavailable)
			}
			return n == 2
		}, want: whole, waits: []time.Duration{77 * time.Second}},
		"always busy": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if list(q) {
				http.Error(w, "busy", http.StatusTooManyRequests)
			}
			return list(q)
		}, kind: errs.Unavailable, says: "answers 429"},
		"broken off": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if n == 1 {
				fmt.Fprint(w, oaiHead+"<ListRecords><record><header>")
			}
			return n == 1
		}, want: whole, waits: []time.Duration{2 * time.Second}},
		"an expired token": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if n == 2 {
				fmt.Fprint(w, oaiHead+`<error code="badResumptionToken">old</error></OAI-PMH>`)
			}
			return n == 2
		}, want: append([]string{"a A", "b B"}, whole[1:]...)}, // from the newest date on
		"an expired token, by another name": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if n == 2 {
				fmt.Fprint(w, oaiHead+`<error code="badArgument">old</error></OAI-PMH>`)
			}
			return n == 2
		}, want: append([]string{"a A", "b B"}, whole[1:]...)},
		"tokens that expire at once": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if q.Has("resumptionToken") {
				fmt.Fprint(w, oaiHead+`<error code="badResumptionToken">old</error></OAI-PMH>`)
			}
			return q.Has("resumptionToken")
		}, want: []string{"a A", "b B", "b B", "c deleted", "c deleted", "d D", "d D", "e E"}},
		"tokens that never work": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if list(q) {
				fmt.Fprint(w, oaiHead+`<error code="badResumptionToken">old</error></OAI-PMH>`)
			}
			return list(q)
		}, kind: errs.Unavailable, says: "again and again"},
		"a circle": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if list(q) {
				fmt.Fprint(w, oaiHead+`<ListRecords><record><header><identifier>x</identifier><datestamp>2020-01-01T00:00:00Z</datestamp></header></record><resumptionToken>same</resumptionToken></ListRecords></OAI-PMH>`)
			}
			return list(q)
		}, kind: errs.Corrupt, says: "goes in a circle"},
		"no record, for ever": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if list(q) {
				fmt.Fprintf(w, oaiHead+`<ListRecords><resumptionToken>t%d</resumptionToken></ListRecords></OAI-PMH>`, n)
			}
			return list(q)
		}, kind: errs.Unavailable, says: "without a record"},
		"another form":   {req: OAIRequest{Prefix: "marcxml"}, kind: errs.Refused, says: "has no records in the form marcxml"},
		"no such server": {fail: func(n int, w http.ResponseWriter, q url.Values) bool { http.NotFound(w, nil); return true }, kind: errs.NotFound, says: "is not there"},
		"a page of HTML": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			fmt.Fprint(w, "<html><p>hello</p></html>")
			return true
		}, kind: errs.Refused, says: "no answer of OAI-PMH"},
		"a file": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
			return true
		}, kind: errs.Refused, says: "not safe"},
		"round and round": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			w.Header().Set("Location", "/again")
			w.WriteHeader(http.StatusFound)
			return true
		}, kind: errs.Refused, says: "without end"},
		"a token that is cut, once": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if n == 2 {
				fmt.Fprint(w, oaiHead+"<ListRecords><record><header/></record><resumptionToken>\x01|4</resumptionToken></ListRecords></OAI-PMH>")
			}
			return n == 2
		}, want: whole, waits: []time.Duration{2 * time.Second}},
		"no list": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if q.Has("resumptionToken") {
				fmt.Fprint(w, oaiHead+"</OAI-PMH>")
			}
			return q.Has("resumptionToken")
		}, kind: errs.Corrupt, says: "cut short: it holds no list"},
		"a page that speaks of OAI-PMH": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			if q.Has("resumptionToken") {
				fmt.Fprint(w, "<html><title>OAI-PMH is down</title></html>")
			}
			return q.Has("resumptionToken")
		}, kind: errs.Refused, says: "no answer of OAI-PMH"},
		"entities": {fail: func(n int, w http.ResponseWriter, q url.Values) bool {
			fmt.Fprint(w, `<!DOCTYPE x [<!ENTITY a "b">]><OAI-PMH>&a;</OAI-PMH>`)
			return true
		}, kind: errs.Refused, says: "entities"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newOAIServer(t, five...)
			s.fail = c.fail
			var waits []time.Duration
			c.req.URL = s.URL
			o, err := OpenOAI(t.Context(), testConfig(t, t.TempDir(), &waits), c.req)
			var got []string
			if err == nil {
				got, err = harvested(t, o)
			}
			if c.says != "" {
				if errs.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v", errs.KindOf(err), err)
				}
				if name == "another form" && !strings.Contains(errs.HintOf(err), "oai_dc, mets") {
					t.Error(errs.HintOf(err))
				}
			} else if err != nil {
				t.Error(err)
			}
			if c.want != nil && !slices.Equal(got[:min(len(got), len(c.want))], c.want) {
				t.Error(got)
			}
			if c.waits != nil && !slices.Equal(waits, c.waits) {
				t.Error(waits)
			}
		})
	}
}

// TestOAIGoesOn: after a kill a harvest goes on where all was durable; where the token
// has expired meanwhile, from the newest date.
func TestOAIGoesOn(t *testing.T) {
	s := newOAIServer(t, five...)
	cfg := testConfig(t, t.TempDir(), nil)
	o := openOAI(t, cfg, OAIRequest{URL: s.URL})
	if _, err := io.CopyN(io.Discard, o, 1); err != nil { // the first part
		t.Fatal(err)
	}
	o.err = o.next() // and the second
	o.Durable(3)     // of which only one record is durable
	if o.state.Running == nil || o.state.Running.Token != "|2" {
		t.Fatalf("%+v", o.state.Running)
	}
	// Killed here: nothing is finished.
	s.asked = nil
	o = openOAI(t, cfg, OAIRequest{URL: s.URL})
	if got, err := harvested(t, o); err != nil || !slices.Equal(got, []string{"c deleted", "d D", "e E"}) {
		t.Error(got, err)
	}
	if s.asked[1].Get("resumptionToken") != "|2" {
		t.Error(s.asked)
	}
	if err := o.Finish(nil); err != nil || o.state.Running != nil || o.state.Last != "2020-01-05T00:00:00Z" {
		t.Error(err, o.state)
	}
}

// TestOAICut: a list whose token cannot be read is not at its end; next time the harvest
// goes on where all was durable.
func TestOAICut(t *testing.T) {
	s := newOAIServer(t, five...)
	s.fail = func(n int, w http.ResponseWriter, q url.Values) bool {
		cut := q.Get("resumptionToken") == "|2"
		if cut {
			fmt.Fprint(w, oaiHead+`<ListRecords><record><header status="deleted"><identifier>c</identifier><datestamp>2020-01-03T00:00:00Z</datestamp></header></record><resumptionToken>|4</ListRecords></OAI-PMH>`)
		}
		return cut
	}
	cfg := testConfig(t, t.TempDir(), nil)
	o := openOAI(t, cfg, OAIRequest{URL: s.URL})
	if got, err := harvested(t, o); !errs.Is(err, errs.Corrupt) || !slices.Equal(got, []string{"a A", "b B"}) {
		t.Fatal(got, err)
	}
	o.Durable(3) // the two, and what broke off
	if err := o.Finish(nil); err != nil || o.state.Last != "" || o.state.Running == nil || o.state.Running.Token != "|2" {
		t.Fatalf("%+v %v", o.state, err)
	}
	s.fail = nil
	o = openOAI(t, cfg, OAIRequest{URL: s.URL})
	if got, err := harvested(t, o); err != nil || !slices.Equal(got, []string{"c deleted", "d D", "e E"}) {
		t.Error(got, err)
	}
}

// register is a register for tests: its entries, and what they are.
type register struct {
	size int64
	name string
}

func (r *register) Size() int64                     { return r.size }
func (r *register) Root(size int64) (string, error) { return fmt.Sprint(r.name, size), nil }

// TestRegister: what is remembered counts only for the register that has all that was
// harvested.
func TestRegister(t *testing.T) {
	s := newOAIServer(t, five...)
	c := newCatalogue(t, map[string]string{
		"/":  atomHead + atomEntry("n", "New", link(toFeed, "/2")) + "</feed>",
		"/2": atomHead + atomEntry("a", "A", link(toBook, "/a.epub")+licence) + "</feed>"})
	c.files = map[string][]byte{"/a.epub": book(t, "A", 1)}
	into, blobs := &register{}, newBlobs(t)
	var log bytes.Buffer
	cfg := testConfig(t, t.TempDir(), nil)
	cfg.Register, cfg.Log = into, slog.New(slog.NewTextHandler(&log, nil))
	harvest := func() (list, feeds int) {
		t.Helper()
		o := openOAI(t, cfg, OAIRequest{URL: s.URL})
		got, err := harvested(t, o)
		if ferr := o.Finish(err); ferr != nil {
			t.Fatal(err, ferr)
		}
		c.asked = nil
		d := openOPDS(t, cfg, OPDSRequest{URL: c.URL, Files: true, Blobs: blobs})
		entries, _, err := lines(t, d)
		if ferr := d.Finish(err); err != nil || ferr != nil {
			t.Fatal(err, ferr)
		}
		return len(got), len(entries)
	}
	for i, step := range []struct {
		register
		list, feeds int
		says        string
	}{
		{register{0, "x"}, 5, 1, ""}, {register{6, "x"}, 1, 0, ""}, {register{60, "x"}, 1, 0, ""}, // it grows
		{register{59, "x"}, 5, 1, "has fewer entries than then"}, {register{59, "x"}, 1, 0, ""},
		{register{70, "y"}, 5, 1, "is another one"}, {register{70, "y"}, 1, 0, ""},
	} {
		log.Reset()
		*into = step.register
		list, feeds := harvest()
		if list != step.list || feeds != step.feeds || strings.Count(log.String(), "is not used") != min(2, 2*len(step.says)) || !strings.Contains(log.String(), step.says) {
			t.Errorf("%d: %d records, %d entries; %s", i, list, feeds, &log)
		}
		if i > 0 && slices.Contains(c.asked, "/a.epub") { // the blob is there
			t.Error(i, c.asked)
		}
	}
}

// TestOAIUnsorted: where dates come in no order, a list is begun from its beginning.
func TestOAIUnsorted(t *testing.T) {
	s := newOAIServer(t, five[4], five[1], five[0], five[3])
	s.fail = func(n int, w http.ResponseWriter, q url.Values) bool {
		if n == 2 {
			fmt.Fprint(w, oaiHead+`<error code="badResumptionToken"/></OAI-PMH>`)
		}
		return n == 2
	}
	o := openOAI(t, testConfig(t, t.TempDir(), nil), OAIRequest{URL: s.URL})
	if got, err := harvested(t, o); err != nil || !slices.Equal(got, []string{"e E", "b B", "e E", "b B", "a A", "d D"}) {
		t.Error(got, err)
	}
	// What changed while it was listed comes next time.
	o.page.Newest = "2030-01-01T00:00:00Z"
	if last := o.page.last(); last != "2024-05-06T07:08:09Z" {
		t.Error(last)
	}
}

// TestOAISaved harvests the answers of a real server, as they were saved.
func TestOAISaved(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "interop", "oai")
	mux := http.NewServeMux()
	mux.HandleFunc("/oai", func(w http.ResponseWriter, r *http.Request) {
		name := "Identify.xml"
		if r.URL.Query().Get("verb") == "ListRecords" {
			name = "ListRecords.xml"
		}
		if token := r.URL.Query().Get("resumptionToken"); token != "" {
			name = token
		}
		http.ServeFile(w, r, filepath.Join(dir, "sickle-"+filepath.Base(name)))
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	o := openOAI(t, testConfig(t, t.TempDir(), nil), OAIRequest{URL: s.URL + "/oai"})
	got, err := harvested(t, o)
	deleted := 0
	for _, g := range got {
		if strings.HasSuffix(g, " deleted") {
			deleted++
		} else if g != "oai:test.example.com:1585322 Sample Title" {
			t.Error(g)
		}
	}
	if err != nil || len(got) != 8 || deleted != 4 {
		t.Error(got, err)
	}
}

// FuzzReadOAI: whatever a server answers, it is read to an end.
func FuzzReadOAI(f *testing.F) {
	f.Add([]byte(oaiHead + `<ListRecords><record><header status="deleted"><identifier>x</identifier></header></record><resumptionToken>a</resumptionToken></ListRecords></OAI-PMH>`))
	f.Add([]byte(oaiHead + `<error code="noRecordsMatch"/></OAI-PMH>`))
	f.Add([]byte(oaiHead + `<Identify><granularity>YYYY-MM-DD</granularity></Identify></OAI-PMH>`))
	form, err := format.FindBulk("oai")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := format.ReadOAI(data)
		if err != nil {
			return
		}
		if len(p.Records) != len(p.Datestamps) {
			t.Fatal("records without datestamps")
		}
		for _, raw := range p.Records {
			if d, err := form.Parse(raw); err == nil && !d.Deleted && d.Record.Title == "" {
				t.Fatal("a record without a title")
			}
		}
	})
}
