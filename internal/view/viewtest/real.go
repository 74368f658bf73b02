package viewtest

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"wenlan/internal/record"

	"github.com/klauspost/compress/zstd"
)

// Real appends up to n real records from the folder of the test data, taken from
// every source in turn, and returns how many there were.
func (r *Register) Real(t testing.TB, data string, n int) int {
	t.Helper()
	dir := filepath.Join(data, "records")
	var sources []*bufio.Scanner
	for _, name := range []string{"arxiv", "acl-anthology", "goodbooks", "kanripo-catalogue"} {
		f, err := os.Open(filepath.Join(dir, name+".jsonl.zst"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<20)
		sources = append(sources, lines)
	}
	done := 0
	for at := 0; done < n && len(sources) > 0; at++ {
		at %= len(sources)
		if !sources[at].Scan() {
			if err := sources[at].Err(); err != nil {
				t.Fatal(err)
			}
			sources = append(sources[:at], sources[at+1:]...)
			at--
			continue
		}
		var in struct {
			ID, Type, Title, Language, Date, Year, DOI, Abstract, Container, Publisher, ISBN10, Class string
			Authors, Categories                                                                       []string
		}
		if err := json.Unmarshal(sources[at].Bytes(), &in); err != nil {
			t.Fatal(err)
		}
		rec := record.Record{Title: in.Title, Kind: record.Article, Issued: in.Date, Abstract: in.Abstract, Publisher: in.Publisher}
		if in.Title == "" {
			continue
		}
		if in.Type == "book" {
			rec.Kind = record.Book
		}
		if rec.Issued == "" {
			rec.Issued = in.Year
		}
		if in.Language != "" {
			rec.Languages = []string{in.Language}
		}
		for _, a := range in.Authors {
			rec.Creators = append(rec.Creators, record.Creator{Name: a, Role: "aut"})
		}
		if in.Container != "" {
			rec.Container = &record.Container{Title: in.Container}
		}
		for _, c := range append(in.Categories, in.Class) {
			if c != "" {
				rec.Subjects = append(rec.Subjects, record.Subject{Label: c})
			}
		}
		if in.DOI != "" {
			rec.IDs = append(rec.IDs, record.ID{Scheme: "doi", Value: in.DOI})
		}
		if in.ISBN10 != "" {
			rec.IDs = append(rec.IDs, record.ID{Scheme: "isbn", Value: in.ISBN10})
		}
		r.Append(record.Entry{Type: record.TypeAccession, Record: &rec, Source: &record.Source{Name: "real", ID: in.ID}})
		done++
	}
	return done
}
