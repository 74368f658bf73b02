package feeds

import (
	"time"

	"wenlan/internal/record"
)

// HitJSON is one hit of a search, as /api/v1/search and `wenlan search --json`
// give it. Lists are never null.
type HitJSON struct {
	Record    int64            `json:"record"` // the accession number
	Title     string           `json:"title"`
	Creators  []record.Creator `json:"creators"`
	Languages []string         `json:"languages"` // BCP 47
	Issued    string           `json:"issued"`    // EDTF, or empty
	Kind      record.Kind      `json:"kind"`
	Score     float64          `json:"score"` // higher is better; comparable within one answer only
}

// NewHit makes the JSON of a hit from the record and its score.
func NewHit(st *record.State, score float64) HitJSON {
	return HitJSON{
		Record:    st.Number,
		Title:     st.Record.Title,
		Creators:  list(st.Record.Creators),
		Languages: list(st.Record.Languages),
		Issued:    st.Record.Issued,
		Kind:      st.Record.Kind,
		Score:     score,
	}
}

// SearchEndJSON closes a search: the last object of `wenlan search --json`, and
// part of [SearchJSON].
type SearchEndJSON struct {
	Total  int64   `json:"total"`   // how many records match
	Exact  bool    `json:"exact"`   // false: total and facets are estimates
	TookMS float64 `json:"took_ms"` // the time that the search took
}

// ListedJSON is one line of `wenlan list --json`.
type ListedJSON struct {
	Record int64  `json:"record"`
	Title  string `json:"title"`
}

// NewListed makes the JSON of a listed record.
func NewListed(st *record.State) ListedJSON {
	return ListedJSON{Record: st.Number, Title: st.Record.Title}
}

// EventJSON is one line of a record's history.
type EventJSON struct {
	Entry  int64       `json:"entry"` // index in the register
	Type   record.Type `json:"type"`
	Time   time.Time   `json:"time"`
	Erased bool        `json:"erased,omitempty"` // the entry's content is gone
	Note   string      `json:"note,omitempty"`
}

// WithdrawalJSON is a closing that is in force.
type WithdrawalJSON struct {
	Entry       int64     `json:"entry"`
	Time        time.Time `json:"time"`
	Blob        string    `json:"blob,omitempty"` // set when a file and not the record is withdrawn
	Ground      string    `json:"ground,omitempty"`
	Case        string    `json:"case,omitempty"`
	Territories []string  `json:"territories,omitempty"` // absent: everywhere
}

func newWithdrawal(w record.Withdrawal) WithdrawalJSON {
	return WithdrawalJSON{Entry: w.Entry, Time: w.Time, Blob: w.Blob, Ground: w.Ground, Case: w.Case, Territories: w.Territories}
}

// ErrorJSON is the body of every answer that is not 2xx or 304.
type ErrorJSON struct {
	Error ErrorBodyJSON `json:"error"`
}

// ErrorBodyJSON is a failure: a kind for the program, a sentence for the person.
type ErrorBodyJSON struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// list turns nil into an empty list, so that JSON shows [] and not null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
