package intake

import (
	"strings"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"
)

// Options are the librarian's statements on everything that one Add takes in.
type Options struct {
	Basis       string   `json:"basis,omitempty"` // public-domain, licence, permission
	Licence     string   `json:"licence,omitempty"`
	Holder      string   `json:"holder,omitempty"`
	Evidence    string   `json:"evidence,omitempty"` // a URL or a text
	Access      string   `json:"access,omitempty"`
	Opens       string   `json:"opens,omitempty"`
	Territories []string `json:"territories,omitempty"`
	By          string   `json:"by,omitempty"` // who says so
}

// Rights is the statement that the options make, or nil when they make none. A
// bare assertion is recorded as just that: who, and when.
func (o Options) Rights(now time.Time) (*record.Rights, error) {
	if o.Basis == "" && o.Licence == "" {
		if o.Access != "" && o.Access != string(record.None) {
			return nil, errs.WithHint(errs.New(errs.Invalid, "an access needs a reason for it"), "add --basis public-domain, licence or permission")
		}
		if o.Holder != "" || o.Evidence != "" || o.Opens != "" || len(o.Territories) > 0 {
			return nil, errs.WithHint(errs.New(errs.Invalid, "a rights statement needs a basis"), "add --basis public-domain, licence or permission")
		}
		return nil, nil
	}
	r := &record.Rights{Basis: o.Basis, Licence: o.Licence, Holder: o.Holder, Opens: o.Opens, Access: record.Access(o.Access)}
	open := false
	if o.Licence != "" {
		basis, licence, ok := record.ParseLicence(o.Licence)
		if ok {
			open = true
			r.Licence = licence
			if r.Basis == "" {
				r.Basis = basis
			}
		}
		if r.Basis == "" {
			r.Basis = record.Licence
		}
	}
	if r.Basis == record.PublicDomain {
		open = true
	}
	if r.Access == "" {
		if !open {
			return nil, errs.WithHint(errs.New(errs.Invalid, "the basis %q does not by itself say how the work is offered", r.Basis),
				"add --access open, subsidised, lend or sale; an open licence is given as its SPDX id or its URI")
		}
		r.Access = record.Open
	}
	for _, t := range o.Territories {
		r.Territories = append(r.Territories, strings.ToUpper(t))
	}
	r.Evidence = &record.Evidence{By: o.By, At: now.UTC().Format("2006-01-02T15:04:05Z")}
	if strings.HasPrefix(o.Evidence, "https://") || strings.HasPrefix(o.Evidence, "http://") {
		r.Evidence.URL = o.Evidence
	} else {
		r.Evidence.Text = o.Evidence
	}
	if err := r.Check(); err != nil {
		return nil, errs.New(errs.Invalid, "%w", err)
	}
	return r, nil
}

// stated is the rights statement that a file or its sidecar makes in a form that
// a program can read; nil without one.
func stated(s *format.Statement, where string) *record.Rights {
	if s == nil {
		return nil
	}
	r := &record.Rights{Basis: s.Basis, Licence: s.Licence, Access: record.Open,
		Evidence: &record.Evidence{Text: "stated in " + where + ": " + s.Raw}}
	if strings.HasPrefix(s.Raw, "https://") || strings.HasPrefix(s.Raw, "http://") {
		r.Evidence.URL = s.Raw
	}
	if r.Check() != nil {
		return nil
	}
	return r
}
