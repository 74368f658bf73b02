package mirror

import "time"

// Status is how a mirror is doing, as pages and programs show it.
type Status struct {
	Library string `json:"library"` // its id
	Origin  string `json:"origin"`  // the address that is followed
	Self    string `json:"self,omitempty"`

	Size   int64     `json:"size"`           // entries of the register that are here
	Target int64     `json:"target"`         // entries that the newest checkpoint covers
	Heard  time.Time `json:"heard,omitzero"` // when the origin, or whoever was asked for it, last answered

	Files   Tally `json:"files"`   // held
	Wanted  Tally `json:"wanted"`  // held or not
	Missing Tally `json:"missing"` // wanted and not held
	Covered int64 `json:"covered"` // entries of which every file that is wanted is here, or has been found missing
	Looked  bool  `json:"looked"`  // the three numbers are of a whole look at the register as it is here

	Copying   bool           `json:"copying"` // work is under way
	Partial   bool           `json:"partial"` // not all that may be held is wanted
	Selection string         `json:"selection,omitempty"`
	Space     int64          `json:"space,omitempty"` // bytes; 0: no limit
	NoFiles   bool           `json:"no_files,omitempty"`
	Denied    int            `json:"denied,omitempty"` // how much the keeper refuses
	Sources   []SourceStatus `json:"sources"`
	Alarm     *Alarm         `json:"alarm,omitempty"`
	Trouble   string         `json:"trouble,omitempty"` // why the last round did not end well; a sentence
}

// Tally is a number of files and their bytes.
type Tally struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// Complete says whether all that is wanted is here, of the whole register that is
// known.
func (s Status) Complete() bool {
	return s.Looked && s.Size >= s.Target && s.Missing.Files == 0
}

// AlarmKind says what is wrong with an origin.
type AlarmKind string

const (
	AlarmFork       AlarmKind = "fork"       // its key signed two trees that do not go together
	AlarmRollback   AlarmKind = "rollback"   // it shows a shorter register than it has shown
	AlarmSuperseded AlarmKind = "superseded" // it signs with a key that a charter has replaced
)

// Alarm is why nothing new is taken from an origin. Its evidence is kept below
// DATA/mirror/evidence.
type Alarm struct {
	Kind     AlarmKind `json:"kind"`
	Address  string    `json:"address"` // who showed it
	Since    time.Time `json:"since"`
	Sentence string    `json:"sentence"`
	Evidence string    `json:"evidence"` // the name of its file
	Charter  int64     `json:"charter"`  // the version of the newest charter then; a newer one may end it
}
