package gen

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	library "wenlan/internal/record"
)

// Linked writes records from to to-1 in the form that `wenlan import jsonl` reads, with
// what catalogues of libraries say besides: classes of DDC and CLC, the ORCID iD of
// every third first author, and in every tenth that it is another edition of the one before.
func (v *Vocabulary) Linked(w io.Writer, from, to int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for i := from; i < to; i++ {
		if err := enc.Encode(linked{v.linked(i), library.Source{Name: "bench", ID: strconv.Itoa(i)}}); err != nil {
			return err
		}
	}
	return out.Flush()
}

// People is how many have an ORCID iD in what Linked writes.
const People = 100_003

// Subject is the first subject of record i.
func (v *Vocabulary) Subject(i int) string { return v.record(i).subjects[0] }

// Author is the first author of record i.
func (v *Vocabulary) Author(i int) string { return v.record(i).persons[0] }

type linked struct {
	Record library.Record `json:"record"`
	Source library.Source `json:"source"`
}

func (v *Vocabulary) linked(i int) library.Record {
	x := v.record(i)
	r := library.Record{Title: x.title, Kind: "book", Languages: []string{x.language}, Issued: strconv.Itoa(x.year), Publisher: x.publisher,
		Abstract: x.abstract, IDs: []library.ID{{Scheme: "isbn", Value: x.identifier}}}
	if x.kind != "book" {
		r.Kind, r.IDs[0].Scheme = "article", "doi"
	}
	if i%10 == 9 {
		before := v.record(i - 1)
		id := library.ID{Scheme: "isbn", Value: before.identifier}
		if before.kind != "book" {
			id.Scheme = "doi"
		}
		r.Relations = []library.Relation{{Type: "edition_of", ID: &id}}
	}
	for k, name := range x.persons {
		c := library.Creator{Name: name, Role: "aut"}
		if k == 0 && i%3 == 0 {
			c.IDs = []library.ID{{Scheme: "orcid", Value: ORCID(i % People)}}
		}
		r.Creators = append(r.Creators, c)
	}
	for _, s := range x.subjects {
		r.Subjects = append(r.Subjects, library.Subject{Label: s})
	}
	// Numbers without a pattern that the title or the year would have.
	at := uint32(i) * 2654435761
	r.Subjects = append(r.Subjects,
		library.Subject{Scheme: "ddc", Code: fmt.Sprintf("%03d.%d", at%1000, at/1000%100)},
		library.Subject{Scheme: "clc", Code: fmt.Sprintf("%c%03d.%d", "ABCDEFGHIJKNOPQRSUVXZ"[at%21], at/21%1000, at/21_000%10)})
	return r
}

// ORCID is the i-th ORCID iD, with its check digit (ISO/IEC 7064, MOD 11-2).
func ORCID(i int) string {
	digits := fmt.Sprintf("0000000%08d", i)
	sum := 0
	for _, d := range digits {
		sum = (sum + int(d-'0')) * 2
	}
	check := strconv.Itoa((12 - sum%11) % 11)
	if check == "10" {
		check = "X"
	}
	all := digits + check
	return all[:4] + "-" + all[4:8] + "-" + all[8:12] + "-" + all[12:]
}
