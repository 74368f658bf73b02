package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"wenlan/internal/errs"
)

// TestHarvestGoesOn: a harvest that is stopped goes on where its records were durable,
// and the library is the same as without the stop; the next asks for what changed.
func TestHarvestGoesOn(t *testing.T) {
	const parts, each = 4, 30
	var mu sync.Mutex
	var asked []string
	hang := true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		fmt.Fprint(w, `<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2025-01-01T00:00:00Z</responseDate>`)
		defer fmt.Fprint(w, `</OAI-PMH>`)
		if q.Get("verb") == "Identify" {
			fmt.Fprint(w, `<Identify><granularity>YYYY-MM-DDThh:mm:ssZ</granularity></Identify>`)
			return
		}
		mu.Lock()
		asked = append(asked, q.Get("resumptionToken")+q.Get("from"))
		wait := hang && q.Get("resumptionToken") == "2"
		mu.Unlock()
		if wait { // for the stop
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		part, _ := strconv.Atoi(q.Get("resumptionToken"))
		fmt.Fprint(w, "<ListRecords>")
		for i := range each {
			n := part*each + i
			fmt.Fprintf(w, `<record><header><identifier>oai:x:%d</identifier><datestamp>2024-01-01T00:%02d:%02dZ</datestamp></header><metadata><dc><title>Title %d</title></dc></metadata></record>`, n, n/60, n%60, n)
		}
		if part+1 < parts {
			fmt.Fprintf(w, "<resumptionToken>%d</resumptionToken>", part+1)
		}
		fmt.Fprint(w, "</ListRecords>")
	}))
	defer s.Close()
	cfg := made(t)
	req := Request{Import: &ImportRequest{Format: "oai", Paths: []string{s.URL + "/oai"}, Inputs: []string{s.URL + "/oai"}}}

	ctx, stop := context.WithCancel(t.Context())
	defer context.AfterFunc(ctx, s.CloseClientConnections)()
	defer time.AfterFunc(20*time.Second, stop).Stop()
	err := Do(ctx, cfg, req, nil, func(ev Event) {
		if ev.Imported != nil && ev.Imported.Records == 2*each {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	mu.Lock()
	hang, asked = false, nil
	mu.Unlock()
	run := func(added, known int) {
		t.Helper()
		var got Event
		if err := Do(t.Context(), cfg, req, nil, func(ev Event) {
			if ev.Summary != nil {
				got = ev
			}
		}); err != nil {
			t.Fatal(err)
		}
		if got.Summary.Added != added || got.Summary.Known != known || got.Summary.Refused != 0 {
			t.Errorf("%+v", got.Summary)
		}
	}
	run(2*each, 0)
	if asked[0] != "2" {
		t.Error(asked)
	}
	asked = nil
	run(0, parts*each) // this server knows no from
	if asked[0] != "2024-01-01T00:01:59Z" {
		t.Error(asked)
	}
	// What is remembered may be lost.
	if err := os.RemoveAll(filepath.Join(cfg.Data, harvestDir)); err != nil {
		t.Fatal(err)
	}
	run(0, parts*each)
	l := owned(t, cfg)
	for n := range int64(parts * each) {
		st, err := l.Catalog.Record(t.Context(), n+1)
		if err != nil || st.Record.Title != fmt.Sprintf("Title %d", n) || len(st.History) != 1 {
			t.Fatal(n, st, err)
		}
	}
	if _, err := l.Catalog.Record(t.Context(), parts*each+1); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
}
