package web

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"wenlan/bench/index/gen"
	"wenlan/internal/record"
)

// BenchmarkBrowse draws each page to browse by over a library of WENLAN_BENCH_RECORDS
// records (20,000 when it is not set; a million take some two minutes to make), made with a few
// names, subjects and classes that very many have, and many that few have. Each request is for
// another address, so that no page is one that was kept. It reports medians and 99th percentiles.
func BenchmarkBrowse(b *testing.B) {
	n, _ := strconv.Atoi(os.Getenv("WENLAN_BENCH_RECORDS"))
	if n <= 0 {
		n = 20_000
	}
	l := newLibrary(b)
	r := rand.New(rand.NewPCG(5, 5))
	families := []string{"Smith", "Wang", "García", "Müller", "Ivanova", "Tanaka", "Okafor", "Silva", "Nguyen", "Kowalski"}
	names := rand.NewZipf(r, 1.2, 8, uint64(n/3+10))
	name := func() string {
		i := names.Uint64()
		return fmt.Sprintf("%c%s %s%d", 'A'+rune(i%26), "nna", families[i%uint64(len(families))], i/10)
	}
	subjects := rand.NewZipf(r, 1.3, 4, uint64(n/50+50))
	subject := func() string { return fmt.Sprintf("Subject no. %d", subjects.Uint64()) }
	ddc := func() string { return fmt.Sprintf("%03d.%d", r.IntN(1000), r.IntN(100)) }
	clc := func() string {
		return fmt.Sprintf("%c%03d.%d", "ABCDEFGHIJKNOPQRSUVXZ"[r.IntN(21)], r.IntN(1000), r.IntN(10))
	}
	langs := []string{"en", "en", "en", "zh", "zh", "de", "fr", "ru", "ja", "es"}
	for at := 0; at < n; at += 10_000 {
		var entries []record.Entry
		for i := at; i < min(n, at+10_000); i++ {
			rec := record.Record{Title: fmt.Sprintf("Work %d of %s", r.IntN(n), families[i%10]), Kind: record.Kinds[r.IntN(len(record.Kinds))], Languages: []string{langs[r.IntN(len(langs))]},
				Issued: strconv.Itoa(1700 + r.IntN(320)), Creators: []record.Creator{{Name: name()}, {Name: name()}}}
			if i%3 == 0 {
				rec.Creators[0].IDs = []record.ID{{Scheme: "orcid", Value: gen.ORCID(r.IntN(n/5 + 1))}}
			}
			rec.Subjects = []record.Subject{{Scheme: "lcsh", Label: subject()}, {Scheme: "ddc", Code: ddc()}, {Scheme: "clc", Code: clc()}}
			entries = append(entries, record.Entry{Type: record.TypeAccession, Record: &rec, Source: &record.Source{Name: "made", ID: strconv.Itoa(i)}})
		}
		l.append(entries...)
	}
	another := 0
	fresh := func(path string) func() string {
		return func() string { another++; return fmt.Sprintf("%s?n=%d", path, another) }
	}
	for _, p := range []struct {
		name string
		path func() string
	}{
		{"record", func() string { return recordPath(int64(1 + r.IntN(n))) }},
		{"overview", fresh("/browse")}, {"new", func() string { return fmt.Sprintf("/browse/new?before=%d", 100+r.IntN(n)) }},
		{"languages", fresh("/browse/languages")}, {"kinds", fresh("/browse/kinds")}, {"years", fresh("/browse/years")},
		{"subjects", fresh("/browse/subjects")}, {"subjects-from", func() string { return fmt.Sprintf("/browse/subjects?from=subject+no+%d", r.IntN(n)) }},
		{"authors", fresh("/browse/authors")}, {"authors-from", func() string { return fmt.Sprintf("/browse/authors?from=%s%d", families[r.IntN(10)], r.IntN(n)) }},
		{"author", func() string { return authorPath(name()) }}, {"author-most", func() string { return authorPath("Anna Smith0") + fresh("&")() }},
		{"person", func() string { return personPath("orcid", gen.ORCID(r.IntN(n/5+1))) }},
		{"subject", func() string { return subjectPath(subject()) }}, {"subject-most", func() string { return subjectPath("Subject no. 0") + fresh("&")() }},
		{"classes", fresh("/classes/ddc")}, {"class-most", fresh("/classes/ddc/5")}, {"class", func() string { return classPath("clc", clc()) }},
	} {
		b.Run(p.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				req := httptest.NewRequest("GET", p.path(), nil)
				w := httptest.NewRecorder()
				start := time.Now()
				l.mux.ServeHTTP(w, req)
				took = append(took, time.Since(start))
				if w.Code != 200 && w.Code != 404 {
					b.Fatal(req.URL, w.Code)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
