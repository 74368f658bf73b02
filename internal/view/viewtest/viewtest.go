// Package viewtest holds a register in memory for the tests of views, and the
// plainest model of what a catalogue must answer.
package viewtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/view"
)

// Register is a register in memory, with entry 0 in place. It implements
// [view.Source]. Its methods may be used at once.
type Register struct {
	t testing.TB

	mu      sync.Mutex
	entries [][]byte
	bodies  map[string][]byte
	named   map[int64][]int64 // records that an entry names, for ever
	clock   time.Time
}

var _ view.Source = (*Register)(nil)

// New makes a register that holds a charter.
func New(t testing.TB) *Register {
	r := &Register{t: t, bodies: map[string][]byte{}, named: map[int64][]int64{}, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	r.Append(record.Entry{Type: record.TypeCharter, Note: "wenlan-charter/v1 " + record.NewSalt() + "\n"})
	return r
}

// Append adds entries and returns the index of the first.
func (r *Register) Append(entries ...record.Entry) int64 {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	first := int64(len(r.entries))
	for _, e := range entries {
		r.clock = r.clock.Add(time.Second)
		if e.Time.IsZero() {
			e.Time = r.clock
		}
		raw, body, ref, err := record.EncodeLong(e)
		if err != nil {
			r.t.Fatalf("encode: %v", err)
		}
		if ref != nil {
			r.bodies[ref.SHA256] = body
		}
		i := int64(len(r.entries))
		r.entries = append(r.entries, raw)
		switch e.Type {
		case record.TypeAccession, record.TypeErasure:
		case record.TypeUnmerge:
			r.named[i] = r.named[*e.Of]
		default:
			r.named[i], _ = e.Names(i)
		}
	}
	return first
}

// Named is the model of the catalogue's Named; raw entries name nothing.
func (r *Register) Named(ctx context.Context, entry int64) ([]int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.named[entry], nil
}

// Merged is the model of the catalogue's Merged: it asks every record.
func (r *Register) Merged(ctx context.Context, n int64) ([]int64, error) {
	var out []int64
	for ask := []int64{n}; len(ask) > 0; ask = ask[1:] {
		for m := range r.Size() {
			if st, err := r.Record(ctx, m); err == nil && st.MergedInto != nil && *st.MergedInto == ask[0] && m != n && !slices.Contains(out, m) {
				out, ask = append(out, m), append(ask, m)
			}
		}
	}
	return out, nil
}

// MergesOf is the model of the catalogue's MergesOf, those that were taken back as well.
func (r *Register) MergesOf(ctx context.Context, n int64) ([]int64, error) {
	var out []int64
	for i := range r.Size() {
		raw, err := r.Entry(ctx, i)
		if err != nil {
			continue
		}
		if e, err := view.Decode(ctx, i, raw, r.Body); err == nil && e.Known && e.Entry.Type == record.TypeMerge && *e.Entry.From == n {
			out = append(out, i)
		}
	}
	return out, nil
}

// AppendRaw adds an entry as it is.
func (r *Register) AppendRaw(raw []byte) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, raw)
	return int64(len(r.entries)) - 1
}

// Accession adds a record with files and rights that may be nil.
func (r *Register) Accession(rec record.Record, files []record.File, rights *record.Rights) int64 {
	r.t.Helper()
	return r.Append(record.Entry{Type: record.TypeAccession, Record: &rec, Files: files, Rights: rights})
}

// Purge takes the content of entries away, as a server does after an erasure.
func (r *Register) Purge(entries ...int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range entries {
		r.entries[i] = nil
	}
}

// Size implements [view.Source].
func (r *Register) Size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.entries))
}

// Entry implements [view.Source].
func (r *Register) Entry(ctx context.Context, i int64) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i < 0 || i >= int64(len(r.entries)) {
		return nil, errs.New(errs.NotFound, "there is no entry %d", i)
	}
	if r.entries[i] == nil {
		return nil, errs.New(errs.Gone, "entry %d is erased", i)
	}
	return r.entries[i], nil
}

// Read implements [view.Source].
func (r *Register) Read(ctx context.Context, from, to int64, fn func(i int64, entry []byte) error) error {
	for i := from; i < to; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := r.Entry(ctx, i)
		if err != nil && !errs.Is(err, errs.Gone) {
			return err
		}
		// What is given is only valid in the call: let whoever keeps it find out.
		passing := slices.Clone(raw)
		err = fn(i, passing)
		clear(passing)
		if err != nil {
			return err
		}
	}
	return nil
}

// Body is a [view.Body] for the entries that were too long.
func (r *Register) Body(ctx context.Context, b record.Body) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if body, ok := r.bodies[b.SHA256]; ok {
		return body, nil
	}
	return nil, errs.New(errs.Unavailable, "no body %s", b.SHA256)
}

// Record is the model of the catalogue's Record: it looks at every entry.
func (r *Register) Record(ctx context.Context, n int64) (*record.State, error) {
	size := r.Size()
	merges := map[int64][2]int64{}
	var named []record.Indexed
	gone, err := r.gone(ctx, size)
	if err != nil {
		return nil, err
	}
	if gone[n] {
		return &record.State{Number: n, Erased: &record.Erasure{}}, errs.New(errs.Gone, "record %d is erased", n)
	}
	for i := range size {
		if gone[i] {
			continue
		}
		raw, err := r.Entry(ctx, i)
		if err != nil {
			return nil, err
		}
		e, err := view.Decode(ctx, i, raw, r.Body)
		if err != nil {
			return nil, err
		}
		if !e.Known && !e.Entry.Critical {
			continue
		}
		names, _ := e.Entry.Names(i)
		if e.Known {
			switch e.Entry.Type {
			case record.TypeErasure:
				names = nil
			case record.TypeMerge:
				merges[i] = [2]int64{*e.Entry.From, *e.Entry.Into}
			case record.TypeUnmerge:
				m, ok := merges[*e.Entry.Of]
				if ok {
					names = m[:]
				}
			}
		}
		if slices.Contains(names, n) && (i > n || e.Entry.Type == record.TypeAccession) {
			named = append(named, record.Indexed{Index: i, Raw: raw})
		}
	}
	st, err := record.Fold(n, named, func(b record.Body) ([]byte, error) { return r.Body(ctx, b) })
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, fmt.Errorf("model: %w", err)
	}
	return st, err
}

// gone gives the erased entries, purged or not.
func (r *Register) gone(ctx context.Context, size int64) (map[int64]bool, error) {
	out := map[int64]bool{}
	for i := range size {
		raw, err := r.Entry(ctx, i)
		if errs.Is(err, errs.Gone) {
			out[i] = true
			continue
		}
		if err != nil {
			return nil, err
		}
		e, err := view.Decode(ctx, i, raw, r.Body)
		if err != nil {
			return nil, err
		}
		if e.Known && e.Entry.Type == record.TypeErasure {
			for _, j := range e.Entry.Entries {
				if j < i && !r.fixed(j) {
					out[j] = true
				}
			}
		}
	}
	return out, nil
}

// fixed says whether entry i cannot be erased.
func (r *Register) fixed(i int64) bool {
	raw, err := r.Entry(context.Background(), i)
	if err != nil {
		return false
	}
	e, _, err := record.Decode(raw)
	return err == nil && (e.Critical || e.Type == record.TypeCharter)
}
