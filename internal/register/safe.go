package register

import "time"

// Freshness says how old the witnesses' word on the register is.
type Freshness int

const (
	Unwitnessed Freshness = iota // the charter asks for no quorum, or it has not signed
	Current                      // under 24 hours
	Late                         // to 72 hours
	Stale
)

// String is the stable name, as programs see it in JSON.
func (f Freshness) String() string {
	return [...]string{"unwitnessed", "current", "late", "stale"}[f]
}

// Safe is the longest checkpoint that the quorum of the newest charter's
// witnesses has cosigned; ok is false where there is none.
func (r *Register) Safe() (c Checkpoint, ok bool) { return Checkpoint{}, false }

// Freshness is that of the published checkpoint.
func (r *Register) Freshness(now time.Time) (f Freshness, at time.Time) { return Unwitnessed, time.Time{} }
