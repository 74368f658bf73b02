package record

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"wenlan/internal/errs"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Indexed is an entry with its place in the register.
type Indexed struct {
	Index int64
	Raw   []byte // nil: erased
}

// BodyFunc fetches the body blob of an entry.
type BodyFunc func(Body) ([]byte, error)

// Librarian is the source of corrections made at this library; it has the last word.
const Librarian = "librarian"

// Names says which records and blobs an entry names, so that a view knows what
// to fold again. An accession names its own index. An unmerge names the records
// of the merge entry, which the view must look up; an erasure names entries, and
// an erased entry i makes record i answer "erased", whatever it was.
func (e Entry) Names(index int64) (records []int64, blobs []string) {
	if e.Type == TypeAccession {
		return []int64{index}, nil
	}
	if e.Type == TypeErasure {
		return slices.Clone(e.Entries), nil
	}
	if e.Of != nil && e.Type != TypeUnmerge {
		records = append(records, *e.Of)
	}
	if e.From != nil {
		records = append(records, *e.From)
	}
	if e.Into != nil && (e.From == nil || *e.Into != *e.From) {
		records = append(records, *e.Into)
	}
	if !slices.Contains(known, e.Type) {
		records = append(records, e.Entries...)
	}
	if e.Blob != "" {
		blobs = append(blobs, e.Blob)
	}
	return records, blobs
}

// layer is what one source says: a merge patch over an empty object.
type layer struct {
	source Source
	patch  any // decoded JSON; nulls kept, except in the first layer
}

// Fold makes the present state of record number out of all entries that name it,
// in register order. The same entries give the same state, whoever folds them.
//
// Descriptions fold by source: a revision patches what its own source said
// before. The librarian's layer has the last word; then comes the source of the
// accession; other sources, in the order in which they first spoke, only fill in
// what is missing. Identifiers add up, those of the accession first, unless the
// librarian has set them.
//
// It returns errs.NotFound when there is no accession at number. An erased
// accession gives a state with Erased set and nothing else known.
func Fold(number int64, entries []Indexed, body BodyFunc) (*State, error) {
	st, layers, err := fold(number, entries, body, nil)
	if err != nil || st.Erased != nil {
		return st, err
	}
	if st.Record, err = foldLayers(layers); err != nil {
		return nil, fmt.Errorf("record %d: %w", number, err)
	}
	return st, nil
}

// Said is what one source says of record number, by all that it said there: its
// accession and its revisions, without what others say. It is what a patch of that
// source applies to. ok is false where it says nothing, as of an erased record.
//
// The entries and errors are those of [Fold]. The description of a source that is
// not that of the accession may have no title.
func Said(number int64, entries []Indexed, body BodyFunc, source string) (said Record, ok bool, err error) {
	st, layers, err := fold(number, entries, body, nil)
	if err != nil || st.Erased != nil {
		return said, false, err
	}
	for _, l := range layers {
		if l.source.Name == source {
			said, err = foldLayers([]layer{l})
			return said, err == nil, err
		}
	}
	return said, false, nil
}

// fold is Fold without the description, whose layers it gives, the accession's first.
// seen is called with what is known after each entry that is not erased; it may be nil.
func fold(number int64, entries []Indexed, body BodyFunc, seen func(at int, e Entry, st *State, layers []layer) error) (*State, []layer, error) {
	st := &State{Number: number}
	var layers []layer
	merges := map[int64]int64{}  // merge entry -> into
	merged := map[int64]string{} // merge entry -> its note; of merges into this record, too
	found := false
	for at, in := range entries {
		if in.Raw == nil {
			if in.Index == number {
				found = true
				st.Erased = &Erasure{Entry: -1}
			}
			st.History = append(st.History, Event{Entry: in.Index, Erased: true})
			continue
		}
		e, isKnown, err := Decode(in.Raw)
		if err == nil && isKnown && e.Body != nil {
			var b []byte
			if body == nil {
				err = errs.New(errs.Unavailable, "no body blobs here")
			} else if b, err = body(*e.Body); err == nil {
				e, err = e.WithBody(b)
			}
		}
		if err != nil {
			return nil, nil, fmt.Errorf("entry %d of record %d: %w", in.Index, number, err)
		}
		if !isKnown {
			if e.Critical {
				st.Closed = true
			}
			st.History = append(st.History, Event{Entry: in.Index, Type: e.Type, Time: e.Time})
			continue
		}
		ev := Event{Entry: in.Index, Type: e.Type, Time: e.Time}
		switch e.Type {
		case TypeAccession:
			if in.Index != number {
				continue
			}
			found = true
			st.Time = e.Time
			st.Files = slices.Clone(e.Files)
			st.Rights = e.Rights
			src := Source{}
			if e.Source != nil {
				src = *e.Source
			}
			ev.Note = src.Name
			base, err := toAny(e.Record)
			if err != nil {
				return nil, nil, err
			}
			layers = append(layers, layer{src, base})
		case TypeRevision:
			var patch any
			if err := json.Unmarshal(e.Patch, &patch); err != nil {
				return nil, nil, fmt.Errorf("entry %d of record %d: %w", in.Index, number, err)
			}
			src := Source{Name: Librarian}
			if e.Source != nil {
				src = *e.Source
			}
			layers = revise(layers, src, patch)
			ev.Note = strings.Join(keysOf(patch), ", ")
		case TypeFiles:
			st.Files = slices.DeleteFunc(st.Files, func(f File) bool { return slices.Contains(e.Remove, f.SHA256) })
			for _, f := range e.Add {
				if !slices.ContainsFunc(st.Files, func(g File) bool { return g.SHA256 == f.SHA256 }) {
					st.Files = append(st.Files, f)
				}
			}
		case TypeRights:
			st.Rights = e.Rights
			ev.Note = string(e.Rights.Access)
		case TypeWithdrawal, TypeRestoration:
			if e.Blob == "" {
				st.Withdrawals = FoldWithdrawal(st.Withdrawals, in.Index, e)
			}
			ev.Note = e.Ground
		case TypeMerge:
			if *e.From == number {
				merges[in.Index] = *e.Into
				into := *e.Into
				st.MergedInto = &into
			}
			ev.Note = fmt.Sprintf("%d → %d", *e.From, *e.Into)
			merged[in.Index] = ev.Note
		case TypeUnmerge:
			if _, ok := merges[*e.Of]; ok {
				delete(merges, *e.Of)
				st.MergedInto = lastMerge(merges)
			}
			ev.Note = merged[*e.Of]
		case TypeErasure:
			if slices.Contains(e.Entries, number) {
				st.Erased = &Erasure{Entry: in.Index, Time: e.Time, Ground: e.Ground, Case: e.Case}
				found = true
			}
			ev.Note = e.Ground
		}
		st.History = append(st.History, ev)
		if seen != nil {
			if err := seen(at, e, st, layers); err != nil {
				return nil, nil, fmt.Errorf("entry %d of record %d: %w", in.Index, number, err)
			}
		}
	}
	if !found {
		return nil, nil, errs.New(errs.NotFound, "there is no record %d", number)
	}
	if st.Erased != nil {
		return &State{Number: number, Erased: st.Erased, History: st.History}, nil, nil
	}
	for _, l := range layers {
		st.Sources = append(st.Sources, l.source)
	}
	return st, layers, nil
}

// FoldWithdrawal applies a withdrawal or restoration to those in force.
// A restoration without territories lifts all of them; one with territories
// lifts these places from withdrawals that name places. It cannot open a place
// in a worldwide withdrawal, which stays closed.
func FoldWithdrawal(in []Withdrawal, index int64, e Entry) []Withdrawal {
	if e.Type == TypeWithdrawal {
		return append(in, Withdrawal{Entry: index, Time: e.Time, Blob: e.Blob, Ground: e.Ground, Case: e.Case, Territories: e.Territories})
	}
	if len(e.Territories) == 0 {
		return nil
	}
	var out []Withdrawal
	for _, w := range in {
		if len(w.Territories) > 0 {
			w.Territories = slices.DeleteFunc(slices.Clone(w.Territories), func(t string) bool { return slices.Contains(e.Territories, t) })
			if len(w.Territories) == 0 {
				continue
			}
		}
		out = append(out, w)
	}
	return out
}

func lastMerge(merges map[int64]int64) *int64 {
	last := int64(-1)
	for i := range merges {
		last = max(last, i)
	}
	if last < 0 {
		return nil
	}
	into := merges[last]
	return &into
}

func revise(layers []layer, src Source, patch any) []layer {
	for i := range layers {
		if layers[i].source.Name == src.Name {
			if i == 0 {
				layers[i].patch = applyPatch(layers[i].patch, patch)
			} else {
				layers[i].patch = composePatch(layers[i].patch, patch)
			}
			layers[i].source = src
			return layers
		}
	}
	return append(layers, layer{src, patch})
}

func foldLayers(layers []layer) (Record, error) {
	var result any
	for i := len(layers) - 1; i > 0; i-- { // later sources yield to earlier ones
		if layers[i].source.Name != Librarian {
			result = applyPatch(result, layers[i].patch)
		}
	}
	if len(layers) > 0 && layers[0].source.Name != Librarian {
		result = applyPatch(result, layers[0].patch)
	}
	if len(layers) > 1 {
		if ids := allIDs(layers); ids != nil {
			result = applyPatch(result, map[string]any{"ids": ids})
		}
	}
	for _, l := range layers {
		if l.source.Name == Librarian {
			result = applyPatch(result, l.patch)
		}
	}
	raw, err := json.Marshal(result, json.Deterministic(true))
	if err != nil {
		return Record{}, err
	}
	var rec Record
	if err := json.Unmarshal(raw, &rec); err != nil {
		return Record{}, errs.New(errs.Refused, "the patched description is not a record: %w", err)
	}
	return rec, nil
}

// allIDs is every identifier that a source from outside states, each once; nil
// where only one of them states any.
func allIDs(layers []layer) []any {
	var all []any
	seen := map[ID]bool{}
	stating := 0
	for _, l := range layers {
		said, _ := l.patch.(map[string]any)
		ids, _ := said["ids"].([]any)
		if l.source.Name == Librarian || len(ids) == 0 {
			continue
		}
		stating++
		for _, v := range ids {
			m, _ := v.(map[string]any)
			scheme, _ := m["scheme"].(string)
			value, _ := m["value"].(string)
			if id := (ID{scheme, value}); m == nil || !seen[id] {
				seen[id] = m != nil
				all = append(all, v)
			}
		}
	}
	if stating < 2 {
		return nil
	}
	return all
}

// PatchRecord applies a merge patch (RFC 7396) to a record and says whether the
// result is one; it is how a patch is tried before it is appended.
func PatchRecord(r Record, patch []byte) (Record, error) {
	if err := CheckIJSON(patch); err != nil {
		return r, err
	}
	var p any
	if err := json.Unmarshal(patch, &p); err != nil {
		return r, err
	}
	base, err := toAny(r)
	if err != nil {
		return r, err
	}
	raw, err := json.Marshal(applyPatch(base, p), json.Deterministic(true))
	if err != nil {
		return r, err
	}
	var out Record
	if err := json.Unmarshal(raw, &out, json.RejectUnknownMembers(true)); err != nil {
		return r, errs.New(errs.Refused, "the patch does not fit a record: %w", err)
	}
	if strings.TrimSpace(out.Title) == "" {
		return r, errs.New(errs.Refused, "a record needs a title")
	}
	return out, nil
}

// Diff is the merge patch (RFC 7396) that turns one record into another;
// "{}" when they are equal.
func Diff(from, to Record) ([]byte, error) {
	a, err := toAny(from)
	if err != nil {
		return nil, err
	}
	b, err := toAny(to)
	if err != nil {
		return nil, err
	}
	patch, _ := diff(a.(map[string]any), b.(map[string]any))
	return json.Marshal(patch, json.Deterministic(true))
}

func diff(a, b map[string]any) (map[string]any, bool) {
	out := map[string]any{}
	for k := range a {
		if _, ok := b[k]; !ok {
			out[k] = nil
		}
	}
	for k, bv := range b {
		av, ok := a[k]
		am, aIsMap := av.(map[string]any)
		bm, bIsMap := bv.(map[string]any)
		if ok && aIsMap && bIsMap {
			if sub, changed := diff(am, bm); changed {
				out[k] = sub
			}
			continue
		}
		if !ok || !equalJSON(av, bv) {
			out[k] = bv
		}
	}
	return out, len(out) > 0
}

func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a, json.Deterministic(true))
	y, errY := json.Marshal(b, json.Deterministic(true))
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// applyPatch is MergePatch of RFC 7396, section 2. Its arguments stay as they are.
func applyPatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out := map[string]any{}
	if t, ok := target.(map[string]any); ok {
		for k, v := range t {
			out[k] = v
		}
	}
	for k, v := range p {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = applyPatch(out[k], v)
		}
	}
	return out
}

// composePatch is the patch that does first a, then b: as applyPatch, but a null
// stays, because it must still remove what lies below.
func composePatch(a, b any) any {
	bp, ok := b.(map[string]any)
	if !ok {
		return b
	}
	out := map[string]any{}
	if ap, ok := a.(map[string]any); ok {
		for k, v := range ap {
			out[k] = v
		}
	}
	for k, v := range bp {
		if v == nil {
			out[k] = nil
		} else {
			out[k] = composePatch(out[k], v)
		}
	}
	return out
}

func toAny(v any) (any, error) {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	var out any
	if err := json.Unmarshal(raw, &out, jsontext.AllowDuplicateNames(false)); err != nil {
		return nil, err
	}
	return out, nil
}

func keysOf(patch any) []string {
	m, _ := patch.(map[string]any)
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Bare says whether the statement rests on nothing but the librarian's word.
func (r *Rights) Bare() bool {
	return r != nil && (r.Evidence == nil || (r.Evidence.URL == "" && r.Evidence.Text == ""))
}

// OpenBy says whether, on the day of at, the date on which the work opens by
// itself has come.
func (r *Rights) OpenBy(at time.Time) bool {
	if r == nil || r.Opens == "" {
		return false
	}
	day, err := time.Parse(time.DateOnly, r.Opens)
	return err == nil && !at.UTC().Before(day)
}
