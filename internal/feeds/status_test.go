package feeds

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"wenlan/internal/copies"
)

// TestStatus asks how a copy stands, in every state.
func TestStatus(t *testing.T) {
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	l := newLibrary()
	l.note = "wenlan/0\n1200\n" + root + "\n\n— wenlan/0 sig\n"
	d, raw := readDescription(t)
	if _, ok := d.Components.Schemas["Status"]; !ok {
		t.Fatal("the status is not described")
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("https://wenlan.example/openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("https://wenlan.example/openapi.json#/components/schemas/Status")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		trust *copies.Trust
		want  string
	}{
		{nil, `"freshness":"unwitnessed","quorum":0,"safe":0}`},
		{&copies.Trust{Freshness: copies.Current, Witnessed: day.In(time.FixedZone("", 3600)), Quorum: 2, Safe: 1100}, `"freshness":"current","witnessed":"2026-05-04T03:02:01Z","quorum":2,"safe":1100}`},
		{&copies.Trust{Mirror: true, Origin: "https://origin.example", Size: 5, Target: 1300, Partial: true, Selection: "lang:zh", Files: 1, Wanted: 2},
			`"freshness":"unwitnessed","quorum":0,"safe":0,"mirror":{"origin":"https://origin.example","target":1300,"partial":true,"selection":"lang:zh","files":1,"wanted":2}}`},
		{&copies.Trust{Alarm: copies.Alarm{Kind: copies.Rollback, Message: "It <shrank>.", Since: day}}, `"alarm":{"kind":"rollback","message":"It <shrank>.","since":"2026-05-04T03:02:01Z"}}`},
	} {
		w := ask(t, l.serve(t, func(cfg *Config) {
			if c.trust != nil {
				cfg.Copies.Trust = func(context.Context) copies.Trust { return *c.trust }
			}
		}), "GET", "/api/v1/status")
		want := fmt.Sprintf(`{"library":%q,"size":1200,"root":%q,%s`, hashOf("entry 0"), root, "")
		if body := w.Body.String(); w.Code != 200 || !strings.HasPrefix(body, want) || !strings.Contains(body, c.want) {
			t.Errorf("%d %s lacks %s", w.Code, body, c.want)
		}
		v, err := jsonschema.UnmarshalJSON(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Error(err)
		}
	}
	for _, note := range []string{"", "a\n", "a\n-1\n" + root + "\n\n", "a\nx\n" + root + "\n\n", "a\n1\nAAAA\n\n"} {
		var s StatusJSON
		if err := json.Unmarshal(ask(t, (&library{note: note}).serve(t), "GET", "/api/v1/status").Body.Bytes(), &s); err != nil || s.Size != 0 || s.Root != "" {
			t.Errorf("%q: %+v, %v", note, s, err)
		}
	}
}

// getAtom asks for a feed that is not of OPDS, and checks what RFC 4287 asks of it.
func getAtom(t *testing.T, h http.Handler, path string) node {
	t.Helper()
	w := ask(t, h, "GET", path)
	if w.Code != 200 || w.Header().Get("Content-Type") != typeAtom || w.Header().Get("ETag") == "" {
		t.Fatalf("%s: status %d, %v", path, w.Code, w.Header())
	}
	var n node
	if err := xml.Unmarshal(w.Body.Bytes(), &n); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	checkCommon(t, path, n)
	for _, e := range n.all(nsAtom, "entry") {
		checkCommon(t, path, e)
	}
	if again := ask(t, h, "GET", path, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("%s: unchanged, yet status %d", path, again.Code)
	}
	return n
}

// TestShelvesFeed goes through the feed of shelves by its links.
func TestShelvesFeed(t *testing.T) {
	source := func(_ context.Context, before int64, limit int) (copies.Shelves, error) {
		out := copies.Shelves{Total: 70}
		for n := int64(70); n > 0 && len(out.List) < limit; n-- {
			if before > 0 && n >= before {
				continue
			}
			s := copies.Shelf{Number: n, Body: hashOf(fmt.Sprint(n)), Infohash: hashOf(fmt.Sprint(n))[:40], Time: day.Add(time.Duration(n) * time.Hour), Files: 2, Bytes: 3e9,
				State: copies.Seeded, Copies: copies.Count{Announced: 3, Verified: 2}}
			switch n {
			case 69:
				s.State, s.Changed = copies.Stopped, day.AddDate(0, 0, 9)
			case 68:
				s.State, s.ReplacedBy = copies.Replaced, 70
			case 67:
				s.State = copies.Broken
			}
			out.List = append(out.List, s)
		}
		return out, nil
	}
	h := newLibrary().serve(t, func(c *Config) { c.URL, c.Copies.Shelves = "https://library.example", source })
	seen, pages := map[string]bool{}, 0
	for path := "/shelves.atom"; path != ""; pages++ {
		n := getAtom(t, h, path)
		for i, e := range n.all(nsAtom, "entry") {
			id := e.text("id")
			if seen[id] {
				t.Errorf("%s is there twice", id)
			}
			seen[id] = true
			text := e.text("summary")
			var links []string
			for _, l := range e.all(nsAtom, "link") {
				if l.attr("rel") == "enclosure" {
					links = append(links, l.attr("href"))
				}
			}
			if pages > 0 || i > 3 {
				continue
			}
			want := []string{"2 files · 3.0", "Stopped: a file on it was withdrawn. Copies", "Replaced by shelf 70", "Not given out"}[i]
			if !strings.Contains(text, want) || (len(links) == 2) != (i == 0) {
				t.Errorf("entry %d: %q, %v", i, text, links)
			}
			if i == 0 && (links[0] != "https://library.example/shelves/"+hashOf("70")[:40]+".torrent" || !strings.HasPrefix(links[1], "magnet:?xt=urn:btih:"+hashOf("70")[:40])) {
				t.Errorf("links %v", links)
			}
			if i == 1 && e.text("updated") != "2026-05-13T03:02:01Z" {
				t.Error("a shelf that stopped is not newer for it")
			}
		}
		path = n.link("next")
	}
	if len(seen) != 70 || pages != 3 {
		t.Errorf("%d shelves on %d pages", len(seen), pages)
	}
	if n := getAtom(t, newLibrary().serve(t), "/shelves.atom"); len(n.all(nsAtom, "entry")) != 0 || len(n.all(nsAtom, "updated")) != 1 {
		t.Error("a library without shelves has no feed of them")
	}
	broken := newLibrary().serve(t, func(c *Config) {
		c.Copies.Shelves = func(context.Context, int64, int) (copies.Shelves, error) {
			return copies.Shelves{}, errors.New("no view")
		}
	})
	if w := ask(t, broken, "GET", "/shelves.atom"); w.Code != 500 || strings.Contains(w.Body.String(), "no view") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
