package web

import (
	"net/http/httptest"
	"testing"

	"wenlan/internal/record"
)

// BenchmarkPages draws the three pages that are asked for most.
func BenchmarkPages(b *testing.B) {
	l := newLibrary(b)
	for i := range 200 {
		l.add(record.Record{Title: "Voyage " + number(int64(i)), Kind: record.Book, Languages: []string{"fr"}, Issued: "1870",
			Creators: []record.Creator{{Name: "Jules Verne"}}, Abstract: "A voyage round the world."}, openRights())
	}
	for _, path := range []string{"/", "/records/100", "/search?q=voyage", "/records/100/cover"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("GET", path, nil)
				w := httptest.NewRecorder()
				l.mux.ServeHTTP(w, r)
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
