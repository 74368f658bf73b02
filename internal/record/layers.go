package record

import (
	stdjson "encoding/json"

	"wenlan/internal/errs"

	"github.com/go-json-experiment/json"
)

// Layer is what one source says of a record: what its entries come to, as a merge
// patch (RFC 7396). A null in it takes away what later sources say.
type Layer struct {
	Source Source             `json:"source"`
	Patch  stdjson.RawMessage `json:"says"`
}

// Layers are what each source says of record number, the accession's first, the others
// in the order in which they first spoke: [FoldLayers] of them is what [Fold] says. The
// entries and errors are those of Fold; an erased record has none.
func Layers(number int64, entries []Indexed, body BodyFunc) ([]Layer, error) {
	st, layers, err := fold(number, entries, body, nil)
	if err != nil || st.Erased != nil {
		return nil, err
	}
	out := make([]Layer, len(layers))
	for i, l := range layers {
		raw, err := json.Marshal(l.patch, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		out[i] = Layer{l.source, raw}
	}
	return out, nil
}

// FoldLayers is the description that sources give together. Each patch must be an
// object: errs.Refused.
func FoldLayers(layers []Layer) (Record, error) {
	in := make([]layer, len(layers))
	for i, l := range layers {
		if len(l.Patch) == 0 || l.Patch[0] != '{' {
			return Record{}, errs.New(errs.Refused, "what a source says is not an object")
		}
		in[i].source = l.Source
		if err := json.Unmarshal(l.Patch, &in[i].patch); err != nil {
			return Record{}, errs.New(errs.Refused, "what a source says is not JSON: %w", err)
		}
	}
	return foldLayers(in)
}

// DiffLayers is the patch by which a source that said from says to; "{}" where that is
// the same. Both are objects.
func DiffLayers(from, to stdjson.RawMessage) ([]byte, error) {
	var a, b map[string]any
	if err := json.Unmarshal(from, &a); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(to, &b); err != nil {
		return nil, err
	}
	patch, _ := diff(a, b)
	return json.Marshal(patch, json.Deterministic(true))
}
