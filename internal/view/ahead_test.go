package view_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wenlan/internal/record"
	"wenlan/internal/view"
	"wenlan/internal/view/viewtest"
)

// TestLead: the first view has all when Lead returns, the others when Catch does, or
// a while later; an error of theirs is Catch's to give.
func TestLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := viewtest.New(t)
		a := &memory{name: "a", t: t}
		b := &memory{name: "b", t: t, needs: a}
		f, err := view.New(view.Config{Source: reg, Views: []view.Node{{View: a}, {View: b, After: []string{"a"}}}, BatchEntries: 4})
		if err != nil {
			t.Fatal(err)
		}
		more := func() {
			t.Helper()
			for range 10 {
				reg.Accession(record.Record{Title: "A"}, nil, nil)
			}
			if err := f.Lead(t.Context(), nil); err != nil || a.Cursor() != reg.Size() {
				t.Fatalf("%v, %d of %d", err, a.Cursor(), reg.Size())
			}
		}
		more()
		if !f.Ready() { // whether b has had them yet is left to chance
			t.Errorf("not ready with a view at %d of %d", b.Cursor(), reg.Size())
		}
		more()
		if err := f.Catch(t.Context()); err != nil || b.Cursor() != reg.Size() {
			t.Errorf("caught: %v, %d", err, b.Cursor())
		}
		more()
		for b.Cursor() < reg.Size() { // by itself, when nothing more comes
			synctest.Wait()
			time.Sleep(time.Second)
		}
		b.fail = reg.Size() + 2
		more()
		more()
		if err := f.Catch(t.Context()); err == nil || !strings.Contains(err.Error(), "view b") || a.Cursor() != reg.Size() {
			t.Errorf("a failure: %v", err)
		}
		b.fail = 0
		if err := f.Catch(t.Context()); err != nil || b.Cursor() != reg.Size() || !f.Ready() {
			t.Errorf("after it: %v, %d", err, b.Cursor())
		}
	})
}
