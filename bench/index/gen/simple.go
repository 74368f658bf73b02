package gen

import (
	"bufio"
	"encoding/json"
	"io"
	"strconv"
)

// Simple writes records from to to-1 in the form that `wenlan import simple` reads,
// with their text as it stands, not in tokens.
func (v *Vocabulary) Simple(w io.Writer, from, to int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for i := from; i < to; i++ {
		x := v.record(i)
		r := simple{
			ID: strconv.Itoa(i), Type: x.kind, Title: x.title, Authors: x.persons, Year: x.year,
			Publisher: x.publisher, Language: x.language, Abstract: x.abstract, Keywords: x.subjects,
		}
		if x.kind == "book" {
			r.ISBN = x.identifier
		} else {
			r.Type, r.DOI = "article", x.identifier
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return out.Flush()
}

type simple struct {
	ID        string   `json:"id"`
	Type      string   `json:"type"`
	Title     string   `json:"title"`
	Authors   []string `json:"authors"`
	Year      int      `json:"year"`
	Publisher string   `json:"publisher"`
	Language  string   `json:"language"`
	Abstract  string   `json:"abstract,omitempty"`
	Keywords  []string `json:"keywords"`
	DOI       string   `json:"doi,omitempty"`
	ISBN      string   `json:"isbn13,omitempty"`
}
