package view_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/view"
	"wenlan/internal/view/viewtest"
)

// memory is a view that remembers which entries it got.
type memory struct {
	name    string
	got     []int64
	library string
	ready   error
	mu      sync.Mutex // guards got and library
	fail    int64      // the entry at which Apply fails; 0: none
	needs   *memory
	t       *testing.T
}

func (m *memory) Name() string    { return m.name }
func (m *memory) Format() int     { return 1 }
func (m *memory) Cursor() int64   { m.mu.Lock(); defer m.mu.Unlock(); return int64(len(m.got)) }
func (m *memory) Library() string { m.mu.Lock(); defer m.mu.Unlock(); return m.library }
func (m *memory) Ready() error    { return m.ready }
func (m *memory) Close() error    { return nil }

func (m *memory) Apply(ctx context.Context, batch []view.Entry) error {
	if m.needs != nil && m.needs.Cursor() < batch[len(batch)-1].Index+1 {
		m.t.Errorf("%s is applied to %d, and %s is at %d", m.name, batch[len(batch)-1].Index, m.needs.name, m.needs.Cursor())
	}
	got := m.got
	for _, e := range batch {
		if e.Index != int64(len(got)) {
			m.t.Errorf("%s: entry %d at cursor %d", m.name, e.Index, len(got))
		}
		if m.fail != 0 && e.Index == m.fail {
			return errors.New("the disk is full")
		}
		got = append(got, e.Index)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if batch[0].Index == 0 {
		m.library = view.Library(batch[0].Raw)
	}
	m.got = got
	return nil
}

func (m *memory) Rebuild(ctx context.Context) (view.Building, error) {
	return &draft{memory: memory{name: m.name, t: m.t}, of: m}, nil
}

type draft struct {
	memory
	of *memory
}

func (d *draft) Commit(ctx context.Context) error {
	d.of.got, d.of.library, d.of.ready = d.got, d.library, nil
	return nil
}

func (d *draft) Discard() error { return nil }

func TestFollower(t *testing.T) {
	reg := viewtest.New(t)
	for range 20 {
		reg.Accession(record.Record{Title: "A"}, nil, nil)
	}
	a := &memory{name: "a", t: t}
	b := &memory{name: "b", t: t, needs: a}
	c := &memory{name: "c", t: t}
	f, err := view.New(view.Config{Source: reg, Views: []view.Node{{View: a}, {View: b, After: []string{"a"}}, {View: c}}, BatchEntries: 4})
	if err != nil {
		t.Fatal(err)
	}
	if f.Ready() {
		t.Error("ready before it has followed")
	}
	a.fail = 10
	if err := f.Catch(t.Context()); err == nil || !strings.Contains(err.Error(), "view a") {
		t.Fatalf("no error: %v", err)
	}
	if a.Cursor() != 8 || b.Cursor() != 8 || c.Cursor() != 21 || f.Ready() {
		t.Errorf("after a failure: %d %d %d", a.Cursor(), b.Cursor(), c.Cursor())
	}
	a.fail = 0
	if err := f.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.Cursor() != 21 || b.Cursor() != 21 || !f.Ready() {
		t.Errorf("after it: %d %d", a.Cursor(), b.Cursor())
	}
	b.ready = view.NeedsRebuild(errs.Refused, "another format")
	reg.Accession(record.Record{Title: "B"}, nil, nil)
	if err := f.Catch(t.Context()); err == nil || a.Cursor() != 22 || f.Ready() {
		t.Errorf("with a view that cannot serve: %v, %d", err, a.Cursor())
	}
	if err := f.Rebuild(t.Context(), "b"); err != nil || b.Cursor() != 22 || !f.Ready() {
		t.Errorf("rebuilt: %v, %d", err, b.Cursor())
	}
	if err := f.Rebuild(t.Context(), "x"); !errs.Is(err, errs.Invalid) {
		t.Errorf("an unknown view: %v", err)
	}
	a.got = append(a.got, 22)
	if err := f.Catch(t.Context()); err == nil {
		t.Error("a view beyond the register passes")
	}
	if err := f.Rebuild(t.Context(), ""); err != nil || !f.Ready() {
		t.Errorf("all rebuilt: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reg.Accession(record.Record{Title: "C"}, nil, nil)
	if err := f.Catch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
}

// slow is a view whose Apply ends when it is told to.
type slow struct {
	memory
	begun, end chan struct{}
}

func (s *slow) Apply(ctx context.Context, batch []view.Entry) error {
	s.begun <- struct{}{}
	select {
	case <-s.end:
		return s.memory.Apply(ctx, batch)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestViewsGoOnTogether: a view gets its next batch while those that need it have
// the one before, and stopping stops all.
func TestViewsGoOnTogether(t *testing.T) {
	reg := viewtest.New(t)
	for range 11 {
		reg.Accession(record.Record{Title: "A"}, nil, nil)
	}
	a := &slow{memory{name: "a", t: t}, make(chan struct{}), make(chan struct{})}
	b := &slow{memory{name: "b", t: t, needs: &a.memory}, make(chan struct{}), make(chan struct{})}
	f, err := view.New(view.Config{Source: reg, Views: []view.Node{{View: a}, {View: b, After: []string{"a"}}}, BatchEntries: 4})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Catch(ctx) }()
	<-a.begun
	a.end <- struct{}{}
	<-a.begun
	<-b.begun // both at once
	b.end <- struct{}{}
	a.end <- struct{}{}
	<-a.begun
	<-b.begun
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
	if a.Cursor() != 8 || b.Cursor() != 4 {
		t.Errorf("called off at %d and %d", a.Cursor(), b.Cursor())
	}
}

func TestOrderIsDeclared(t *testing.T) {
	a, b := &memory{name: "a"}, &memory{name: "b"}
	for _, views := range [][]view.Node{
		{{View: b, After: []string{"a"}}, {View: a}},
		{{View: a, After: []string{"a"}}},
		{{View: a}, {View: a}},
	} {
		if _, err := view.New(view.Config{Views: views}); err == nil {
			t.Errorf("accepted: %v", views)
		}
	}
}

// The short way of folding one accession must give what record.Fold gives.
func TestFoldOne(t *testing.T) {
	reg := viewtest.New(t)
	long := strings.Repeat("long ", 20_000)
	for _, e := range []record.Entry{
		{Type: record.TypeAccession, Record: &record.Record{Title: "A"}},
		{Type: record.TypeAccession, Record: &record.Record{Title: "A", Creators: []record.Creator{{Name: "X"}}, Languages: []string{"en"}, Container: &record.Container{Title: "J"}},
			Files: []record.File{{SHA256: strings.Repeat("a", 64), Bytes: 1, Name: "a.txt", Role: record.RoleText}}, Rights: &record.Rights{Basis: record.PublicDomain, Access: record.Open},
			Source: &record.Source{Name: "marc", ID: "1", Digest: strings.Repeat("b", 64)}},
		{Type: record.TypeAccession, Record: &record.Record{Title: "A", Abstract: long}},
		{Type: record.TypeAccession, Record: &record.Record{Title: "A"}, Source: &record.Source{Name: record.Librarian}},
	} {
		n := reg.Append(e)
		raw, err := reg.Entry(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		en, err := view.Decode(t.Context(), n, raw, reg.Body)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := view.Fold(t.Context(), n, []view.Entry{en}, reg.Body)
		if err != nil {
			t.Fatal(err)
		}
		want, err := record.Fold(n, []record.Indexed{{Index: n, Raw: raw}}, func(b record.Body) ([]byte, error) { return reg.Body(t.Context(), b) })
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			x, _ := json.Marshal(got)
			y, _ := json.Marshal(want)
			t.Errorf("%s\n%s", x, y)
		}
	}
}

func TestDescribe(t *testing.T) {
	for in, want := range map[string]int{"": 0, "1999": 1999, "1999-04": 1999, "~1850?": 1850, "-0500": -501, "-0001~": -2, "-0000": 0, "0000": 0, "0001": 1, "-03XX": -301, "18XX": 1800, "199": 0, "19999": 0, "Spring": 0, "1984~": 1984} {
		if got := view.Year(in); got != want {
			t.Errorf("Year(%q) = %d, want %d", in, got, want)
		}
	}
	got := view.Languages(record.Record{Languages: []string{"zh-Hant", "zh", "EN", "?", ""}})
	if !slices.Equal(got, []string{"zh", "en", "und"}) {
		t.Errorf("%v", got)
	}
}
