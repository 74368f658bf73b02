// Package errs holds the kinds of failure that Wenlan tells apart, and the one
// table from kind to HTTP status and exit code.
//
// An [Error] carries a kind for the program and a sentence for the person. An
// error without a kind is [Internal]: its text is logged, never shown.
package errs

import (
	"errors"
	"fmt"
	"net/http"
)

// Kind says what sort of failure an error is.
type Kind int

const (
	Internal    Kind = iota // a fault of ours, or of the machine
	Invalid                 // the request makes no sense: wrong usage
	Refused                 // an input is bad or not permitted; others may be good
	Corrupt                 // bytes differ from what their hash or signature says
	NotFound                // no such record, file, page
	Gone                    // erased
	Forbidden               // rights not stated, or not open to this reader
	Withdrawn               // closed for legal reasons
	Locked                  // another process owns the data folder
	Unavailable             // not now; try again later
	TooLarge                // over a stated limit
	Conflict                // it does not go with what is there already
)

// Exit codes of the command line.
const (
	ExitDone     = 0
	ExitInternal = 1
	ExitUsage    = 2
	ExitRefused  = 3
	ExitCorrupt  = 4
	ExitNotFound = 5
	ExitLocked   = 6
)

var table = map[Kind]struct {
	name   string
	status int
	exit   int
}{
	Internal:    {"internal", http.StatusInternalServerError, ExitInternal},
	Invalid:     {"invalid", http.StatusBadRequest, ExitUsage},
	Refused:     {"refused", http.StatusUnprocessableEntity, ExitRefused},
	Corrupt:     {"corrupt", http.StatusInternalServerError, ExitCorrupt},
	NotFound:    {"not-found", http.StatusNotFound, ExitNotFound},
	Gone:        {"gone", http.StatusGone, ExitNotFound},
	Forbidden:   {"forbidden", http.StatusForbidden, ExitRefused},
	Withdrawn:   {"withdrawn", http.StatusUnavailableForLegalReasons, ExitRefused},
	Locked:      {"locked", http.StatusServiceUnavailable, ExitLocked},
	Unavailable: {"unavailable", http.StatusServiceUnavailable, ExitInternal},
	TooLarge:    {"too-large", http.StatusRequestEntityTooLarge, ExitRefused},
	Conflict:    {"conflict", http.StatusConflict, ExitRefused},
}

// String is the kind's stable name, as programs see it in JSON.
func (k Kind) String() string { return table[k].name }

// ParseKind is the inverse of String; an unknown name is Internal.
func ParseKind(name string) Kind {
	for k, row := range table {
		if row.name == name {
			return k
		}
	}
	return Internal
}

// Error is a failure with a kind and a sentence written for people.
type Error struct {
	Kind    Kind
	Message string // the whole text, without a final stop; if empty, that of Err
	Hint    string // what the person can do about it; may be empty
	Err     error  // the cause; may be nil
}

func (e *Error) Error() string {
	if e.Message != "" || e.Err == nil {
		return e.Message
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// New makes an error of a kind with a formatted sentence; %w keeps the cause.
func New(kind Kind, format string, args ...any) error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: wrapped.Error(), Err: errors.Unwrap(wrapped)}
}

// WithHint adds what the person can do; the kind stays.
func WithHint(err error, hint string) error {
	return &Error{Kind: KindOf(err), Err: err, Hint: hint}
}

// KindOf is the kind of the outermost [Error] in the chain; Internal without one.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is says whether err has the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// HintOf is the first hint in the chain, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}

// Status is the HTTP status for an error; 200 for nil.
func Status(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return table[KindOf(err)].status
}

// Exit is the process exit code for an error; 0 for nil.
func Exit(err error) int {
	if err == nil {
		return ExitDone
	}
	return table[KindOf(err)].exit
}
