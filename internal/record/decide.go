package record

import (
	"slices"
	"time"

	"wenlan/internal/errs"
)

// Standing is what a reader is to the library.
type Standing int

const (
	Visitor Standing = iota
	Registered
	Member
	StandingLibrarian
)

// Reason says why a decision is as it is, for programs; people are shown a
// sentence in their language for it.
type Reason string

const (
	ReasonOpen       Reason = "open"       // open to everyone
	ReasonSubsidised Reason = "subsidised" // open to everyone, paid for by the fund
	ReasonOpened     Reason = "opened"     // its term has passed
	ReasonLend       Reason = "lend-only"  // lent to readers who are registered
	ReasonSale       Reason = "for-sale"   // sold
	ReasonNotStated  Reason = "not-stated" // nobody has said that it may be served
	ReasonTerritory  Reason = "territory"  // not in this country
	ReasonWithdrawn  Reason = "withdrawn"  // closed for legal reasons
	ReasonErased     Reason = "erased"     // gone by law
	ReasonClosed     Reason = "closed"     // an entry that this program does not understand closes it
	ReasonUnknown    Reason = "unknown"    // there is no such record
)

// Question is all that a decision rests on.
type Question struct {
	State           *State       // nil: unknown
	BlobWithdrawals []Withdrawal // in force, of the blob that is asked for
	Standing        Standing
	Place           string    // ISO 3166-1 alpha-2; "" when not known
	At              time.Time // the moment of asking
}

// Decision is what may be done.
type Decision struct {
	Read     bool
	Download bool
	Lend     bool // a loan may be offered to this reader
	Buy      bool // a copy may be offered for sale
	Reason   Reason

	Withdrawal *Withdrawal // the one that closes it
	Erasure    *Erasure
}

// Decide tells what a reader may do with a record and its files. It is the only
// judge: the site, the blob route, feeds, the command line and mirrors all ask it.
//
// Erasure comes first, then withdrawal, then an unknown critical entry; then the
// rights statement. Without a stated basis nothing is served, to anyone. A place
// that is not known counts as every listed one: a withdrawal for DE closes the
// door to it, a licence for CN opens it.
func Decide(q Question) Decision {
	st := q.State
	if st == nil {
		return Decision{Reason: ReasonUnknown}
	}
	if st.Erased != nil {
		return Decision{Reason: ReasonErased, Erasure: st.Erased}
	}
	for _, list := range [][]Withdrawal{q.BlobWithdrawals, st.Withdrawals} {
		for i := range list {
			if placed(list[i].Territories, q.Place) {
				return Decision{Reason: ReasonWithdrawn, Withdrawal: &list[i]}
			}
		}
	}
	if st.Closed {
		return Decision{Reason: ReasonClosed}
	}
	r := st.Rights
	if r == nil || r.Basis == "" || r.Access == "" {
		return Decision{Reason: ReasonNotStated}
	}
	opened := r.OpenBy(q.At)
	if r.Access == None && !opened {
		return Decision{Reason: ReasonNotStated}
	}
	if !placed(r.Territories, q.Place) || (r.Evidence != nil && !placed(r.Evidence.Territories, q.Place)) {
		return Decision{Reason: ReasonTerritory}
	}
	switch {
	case r.Access == Open:
		return Decision{Read: true, Download: true, Reason: ReasonOpen}
	case opened:
		return Decision{Read: true, Download: true, Reason: ReasonOpened}
	case r.Access == Subsidised:
		return Decision{Read: true, Download: true, Reason: ReasonSubsidised}
	case r.Access == Lend:
		return Decision{Lend: q.Standing >= Registered, Reason: ReasonLend}
	case r.Access == Sale:
		return Decision{Buy: true, Reason: ReasonSale}
	}
	return Decision{Reason: ReasonNotStated}
}

// placed says whether a place is among the territories; no territories mean
// everywhere, and a place that is not known counts as every listed one.
func placed(territories []string, place string) bool {
	return len(territories) == 0 || place == "" || slices.Contains(territories, place)
}

// DecideBlob tells what may be done with a blob that several records name, one
// question each. A withdrawal of the blob overrides them all; else the most open
// record decides. No question at all means that no record names the blob.
func DecideBlob(questions []Question) Decision {
	best := Decision{Reason: ReasonUnknown}
	for i, q := range questions {
		d := Decide(q)
		if d.Withdrawal != nil && d.Withdrawal.Blob != "" {
			return d
		}
		if i == 0 || openness(d) > openness(best) {
			best = d
		}
	}
	return best
}

func openness(d Decision) int {
	switch {
	case d.Read:
		return 6
	case d.Lend:
		return 5
	case d.Buy:
		return 4
	}
	switch d.Reason {
	case ReasonWithdrawn:
		return 3 // say why, rather than that nothing was stated
	case ReasonErased:
		return 1
	case ReasonUnknown:
		return 0
	}
	return 2
}

// Err is the error of a door that this decision keeps shut to reading: Forbidden
// (403), Withdrawn (451), NotFound (404) or Gone (410); nil when it is open.
func (d Decision) Err() error {
	if d.Read {
		return nil
	}
	switch d.Reason {
	case ReasonUnknown:
		return errs.New(errs.NotFound, "there is no such record or file")
	case ReasonErased:
		return errs.New(errs.Gone, "this was erased by law")
	case ReasonWithdrawn:
		return errs.New(errs.Withdrawn, "access to this was withdrawn for legal reasons")
	case ReasonLend:
		return errs.New(errs.Forbidden, "this is only lent, to registered readers")
	case ReasonSale:
		return errs.New(errs.Forbidden, "this is for sale")
	case ReasonTerritory:
		return errs.New(errs.Forbidden, "the rights do not cover this place")
	case ReasonClosed:
		return errs.New(errs.Forbidden, "the register restricts this in a way that this program is too old to understand")
	}
	return errs.New(errs.Forbidden, "the rights in this are not stated, so it is not served")
}
