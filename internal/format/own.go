package format

import (
	"bufio"
	"io"

	"wenlan/internal/errs"
	"wenlan/internal/record"

	"github.com/go-json-experiment/json"
)

// ownRecord is a record of the form "jsonl", which is Wenlan's own: the fields of
// an accession entry of the register.
type ownRecord struct {
	Record record.Record  `json:"record"`
	Files  []record.File  `json:"files,omitempty"`
	Rights *record.Rights `json:"rights,omitempty"`
	Source *record.Source `json:"source,omitempty"`
}

// maxSourceName is the most bytes that the name of a source may have.
const maxSourceName = 200

// parseOwn reads one record of the form "jsonl". Nothing is changed and nothing
// left out: what it cannot keep, such as a field that it does not know, it refuses.
func parseOwn(raw []byte) (*Described, error) {
	if err := record.CheckIJSON(raw); err != nil {
		return nil, err
	}
	var o ownRecord
	if err := json.Unmarshal(raw, &o, json.RejectUnknownMembers(true)); err != nil {
		return nil, notJSON(err)
	}
	for _, f := range o.Files {
		switch {
		case !record.IsSHA256(f.SHA256) || f.Bytes < 0:
			return nil, errs.New(errs.Refused, "a file has no SHA-256 of 64 lower-case hex digits, or no size")
		case f.Name == "" || record.CleanFileName(f.Name) != f.Name:
			return nil, errs.New(errs.Refused, "the file name %q is not a plain one", f.Name)
		}
	}
	if o.Rights != nil {
		if err := o.Rights.Check(); err != nil {
			return nil, err
		}
	}
	d := &Described{Record: o.Record, Files: o.Files, Rights: o.Rights, Source: o.Source}
	if s := o.Source; s != nil {
		if s.Digest != "" && !record.IsSHA256(s.Digest) {
			return nil, errs.New(errs.Refused, "the digest of its source is not a SHA-256 of 64 lower-case hex digits")
		}
		if len(s.Name) > maxSourceName || cleanLine(s.Name, maxSourceName) != s.Name {
			return nil, errs.New(errs.Refused, "the name of its source holds what a name cannot hold, or more than %d bytes", maxSourceName)
		}
		d.ID = s.ID
		if len(s.Extra) > 0 {
			if err := json.Unmarshal(s.Extra, &d.Extra); err != nil || len(encodeExtra(d.Extra)) > record.MaxExtra {
				return nil, errs.New(errs.Refused, "what its source says besides is no object of lists of text, or longer than %d bytes", record.MaxExtra)
			}
			s.Extra = nil
		}
	}
	return d, nil
}

func newOwnWriter(w io.Writer) Writer { return newLineWriter(w, writeOwn) }

// writeOwn writes a record that parseOwn reads as the same: nothing is left out but
// its number and address, which are another library's to give.
func writeOwn(w *bufio.Writer, r Exported) error {
	raw, err := json.Marshal(ownRecord{r.Record, r.Files, r.Rights, r.Source}, outJSON)
	if err != nil {
		return err
	}
	_, _ = w.Write(raw)
	return w.WriteByte('\n')
}
