package cli_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// oai: an OAI-PMH server at $OAI/oai, which gives the saved answers of a real one.
func oai(ts *testscript.TestScript, neg bool, args []string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/oai", func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("verb") + ".xml" // Identify, ListRecords
		if token := r.URL.Query().Get("resumptionToken"); token != "" {
			name = token // the answers' tokens are the names of the next
		}
		if r.URL.Query().Has("from") && r.URL.Query().Get("from") > "2011-01" {
			name = "ListRecords4.xml"
		}
		http.ServeFile(w, r, filepath.Join(ts.Getenv("OAI_ANSWERS"), "sickle-"+filepath.Base(name)))
	})
	s := httptest.NewServer(mux)
	ts.Defer(s.Close)
	ts.Setenv("OAI", s.URL)
}
