package witness

import (
	"path/filepath"
	"testing"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/register"
)

// TestSuccession lets the trustees go back behind what was cosigned: the witness
// cosigns the new origin from the charter's base on, and the old one no more.
func TestSuccession(t *testing.T) {
	l := newLibrary(t, 1, 1)
	l.add(t, 9)
	m := l.replica(t, 0)
	m.follow(t, l)
	heirAt := l.replica(t, 0)
	heirAt.follow(t, l)
	if _, err := m.w.Add(t.Context(), l.request(t, 0)); err != nil {
		t.Fatal(err)
	}

	c, err := register.NextCharter(l.reg.Library(), l.reg.Charters()[0])
	if err != nil {
		t.Fatal(err)
	}
	_, signer, vkey := key(t, l.reg.Origin())
	root, err := l.reg.RootHash(6)
	if err != nil {
		t.Fatal(err)
	}
	c.Origin, c.Base = vkey, &register.Base{Size: 6, Root: root}
	charter, err := register.SignCharter(c, l.trustee)
	if err != nil {
		t.Fatal(err)
	}
	heir := *l
	heir.origin = signer
	heir.reg, err = register.Continue(t.Context(), register.Config{Dir: filepath.Join(heirAt.dir, "register"), Signer: signer}, charter)
	if err != nil {
		t.Fatal(err)
	}
	heir.add(t, 2)

	// The charter comes first: the old origin's word is worth nothing from then on.
	if err := m.reg.AddCharter(t.Context(), charter); err != nil {
		t.Fatal(err)
	}
	if signed, size := m.w.Newest(); signed != nil || size != 6 {
		t.Errorf("%q, %d", signed, size)
	}
	if err := l.gatherer(t, []*replica{m}).Check(t.Context()); !errs.Is(err, errs.Unavailable) {
		t.Errorf("the old origin may sign: %v", err)
	}
	l.add(t, 1)
	if _, err := m.w.Add(t.Context(), l.request(t, 10)); !errs.Is(err, errs.Forbidden) {
		t.Errorf("the old origin is cosigned: %v", err)
	}
	if status, _, text := m.post(t, heir.request(t, 6).Marshal()); status != 503 && status != 409 {
		t.Errorf("before the copy follows: %d %q", status, text)
	}
	m.follow(t, &heir)
	m.open(t, l.cosigner[0], durable.OS(), filepath.Join(m.dir, "witness"))
	if status, _, text := m.post(t, heir.request(t, 0).Marshal()); status != 409 || text != "6\n" {
		t.Errorf("%d %q", status, text)
	}
	if status, _, text := m.post(t, heir.request(t, 6).Marshal()); status != 200 {
		t.Errorf("%d %q", status, text)
	}
	if signed, size := m.w.Newest(); signed == nil || size != 9 {
		t.Errorf("%q, %d", signed, size)
	}
	m.open(t, l.cosigner[0], durable.OS(), filepath.Join(m.dir, "witness"))
	if _, size := m.w.Newest(); size != 9 {
		t.Errorf("after a start %d entries stand", size)
	}
	if len(m.evidence) != 0 {
		t.Errorf("a succession is taken for a fork: %s", m.evidence)
	}

	// The old origin asks before it signs again, and gets no quorum.
	if err := l.gatherer(t, []*replica{m}).Check(t.Context()); !errs.Is(err, errs.Unavailable) {
		t.Errorf("the old origin may sign: %v", err)
	}
	if err := heir.gatherer(t, []*replica{m}).Check(t.Context()); err != nil {
		t.Error(err)
	}
}
