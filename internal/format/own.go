package format

import (
	"bufio"
	"io"
	"strings"

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
	// Of a record of which several sources speak: what Source alone says, and what each
	// of the others does, the librarian too, in the order in which they first spoke. Record
	// is what all of them give together.
	Said   *record.Record `json:"said,omitempty"`
	Others []record.Layer `json:"others,omitempty"`
}

// maxOthers is the most sources beside the first that a record may have.
const maxOthers = 256

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
	d := &Described{Record: o.Record, Files: o.Files, Rights: o.Rights, Source: o.Source, Said: o.Said, Others: o.Others}
	if s := o.Source; s != nil {
		extra, err := ownSource(s)
		if err != nil {
			return nil, err
		}
		d.ID, d.Extra, s.Extra = s.ID, extra, nil
	}
	return d, o.together()
}

// ownSource holds a source to its form, and gives what it says besides.
func ownSource(s *record.Source) (extra map[string][]string, err error) {
	if s.Digest != "" && !record.IsSHA256(s.Digest) {
		return nil, errs.New(errs.Refused, "the digest of its source is not a SHA-256 of 64 lower-case hex digits")
	}
	if len(s.Name) > maxSourceName || cleanLine(s.Name, maxSourceName) != s.Name {
		return nil, errs.New(errs.Refused, "the name of its source holds what a name cannot hold, or more than %d bytes", maxSourceName)
	}
	if len(s.Extra) > 0 {
		if err := json.Unmarshal(s.Extra, &extra); err != nil || len(encodeExtra(extra)) > record.MaxExtra {
			return nil, errs.New(errs.Refused, "what its source says besides is no object of lists of text, or longer than %d bytes", record.MaxExtra)
		}
	}
	return extra, nil
}

// together holds the other sources to their forms, and to what all sources give
// together, which is the record: else one of the two was changed and the other not.
func (o *ownRecord) together() error {
	if o.Said == nil && len(o.Others) == 0 {
		return nil
	}
	if o.Said == nil || len(o.Others) == 0 || o.Source == nil || o.Source.Name == "" {
		return errs.New(errs.Refused, "what other sources say comes with the name of the first, and with what that says alone")
	}
	if strings.TrimSpace(o.Said.Title) == "" {
		return errs.New(errs.Refused, "what its first source says alone has no title")
	}
	if len(o.Others) > maxOthers {
		return errs.New(errs.Refused, "it has more than %d other sources", maxOthers)
	}
	first, err := json.Marshal(o.Said)
	if err != nil {
		return err
	}
	layers := []record.Layer{{Source: *o.Source, Patch: first}}
	names := map[string]bool{o.Source.Name: true}
	for i := range o.Others {
		l := &o.Others[i]
		extra, err := ownSource(&l.Source)
		if err != nil {
			return err
		}
		l.Source.Extra = encodeExtra(extra)
		if l.Source.Name == "" || names[l.Source.Name] {
			return errs.New(errs.Refused, "one of its other sources has no name, or that of another")
		}
		if cleanLine(l.Source.ID, maxValue) != l.Source.ID {
			return errs.New(errs.Refused, "the id of one of its sources holds what an id cannot hold, or more than %d characters", maxValue)
		}
		if err := json.Unmarshal(l.Patch, new(record.Record), json.RejectUnknownMembers(true)); err != nil {
			return notJSON(err)
		}
		names[l.Source.Name] = true
		layers = append(layers, *l)
	}
	all, err := record.FoldLayers(layers)
	if err != nil {
		return err
	}
	if patch, err := record.Diff(all, o.Record); err != nil || string(patch) != "{}" {
		return errs.New(errs.Refused, "its record is not what its sources say together: change what a source says, or leave the sources out")
	}
	return nil
}

func newOwnWriter(w io.Writer) Writer { return newLineWriter(w, writeOwn) }

// writeOwn writes a record that parseOwn reads as the same: nothing is left out but
// its number and address, which are another library's to give.
func writeOwn(w *bufio.Writer, r Exported) error {
	raw, err := json.Marshal(ownRecord{r.Record, r.Files, r.Rights, r.Source, r.Said, r.Others}, outJSON)
	if err != nil {
		return err
	}
	_, _ = w.Write(raw)
	return w.WriteByte('\n')
}
