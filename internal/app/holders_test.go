package app

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"wenlan/internal/copies"
	"wenlan/internal/mirror"
	"wenlan/internal/mirror/audit"
	"wenlan/internal/register"
)

// announced puts a mirror of the library into the list, as if its address had
// answered.
func announced(t *testing.T, l *Library, list *mirror.List, address string, all bool, shelves ...int64) {
	t.Helper()
	secret, _, err := register.GenerateKeys("mirror")
	if err != nil {
		t.Fatal(err)
	}
	key, err := mirror.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	a := mirror.Announcement{Library: l.Register.Library(), URL: address, Key: key.Public(), Size: 5, All: all, Time: l.Config.now()}
	for _, n := range shelves {
		for int64(len(a.Shelves)) <= n/8 {
			a.Shelves = append(a.Shelves, 0)
		}
		a.Shelves[n/8] |= 1 << (n % 8)
	}
	signed, err := mirror.SignAnnouncement(a, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Add(t.Context(), signed); err != nil {
		t.Fatal(err)
	}
}

// TestCopiesAreCounted: a copy counts once for its operator, as verified once its
// mirror has passed an audit, and what is said of a record follows within a minute.
func TestCopiesAreCounted(t *testing.T) {
	cfg := made(t)
	numbers := take(t, cfg, "public-domain", text(t, "a.txt", "free for good"))
	now := time.Now()
	cfg.Now = func() time.Time { return now }
	l := owned(t, cfg)
	list, err := mirror.OpenList(mirror.ListConfig{Dir: filepath.Join(t.TempDir(), "mirror"), Library: l.Register.Library(), Now: cfg.Now,
		Check: func(context.Context, mirror.Announcement) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	l.mirrors = list
	counted := func() copies.Count {
		t.Helper()
		n, ok, err := l.copiesOf(t.Context(), numbers[0])
		if err != nil || !ok {
			t.Fatal(n, ok, err)
		}
		return n
	}
	if got := counted(); got != (copies.Count{Announced: 1, Verified: 1}) {
		t.Errorf("alone: %+v", got)
	}
	before := l.trust(t.Context()).Changes
	announced(t, l, list, "https://one.example", true)
	announced(t, l, list, "https://one.example:8443", true) // the same keeper
	announced(t, l, list, "https://two.example", true)
	announced(t, l, list, "https://part.example", false, 1, 9) // has shelves, and the file is on none
	if err := l.audits.Add(audit.Result{Address: "https://two.example", Time: now, Passed: true}, audit.Result{Address: "https://one.example", Time: now, Note: "It did not answer."}); err != nil {
		t.Fatal(err)
	}
	if got := counted(); got.Announced != 1 || l.trust(t.Context()).Changes != before {
		t.Errorf("within a minute: %+v", got)
	}
	now = now.Add(holdersFor)
	if got := counted(); got != (copies.Count{Announced: 3, Verified: 2}) {
		t.Errorf("a minute later: %+v", got)
	}
	if got := l.trust(t.Context()).Changes; got <= before {
		t.Errorf("%d changes after %d", got, before)
	}
	page, err := l.listMirrors(t.Context())
	if err != nil || len(page.List) != 4 {
		t.Fatal(page, err)
	}
	for _, m := range page.List {
		if m.URL == "https://two.example" && (!m.Passed || m.Audited.IsZero() || m.Witness == "") ||
			m.URL == "https://one.example" && (m.Passed || m.Note == "") || m.URL == "https://part.example" && (m.Shelves != 2 || m.Witness != "") {
			t.Errorf("%+v", m)
		}
	}
	if len(page.Shelves) != 0 || len(page.Records) != 1 || page.Records[0] != (copies.Held{Copies: 2, N: 1}) {
		t.Errorf("%+v and %+v", page.Shelves, page.Records)
	}
	if _, ok, err := l.copiesOf(t.Context(), 999); ok || err != nil {
		t.Errorf("a record that is not there: %t, %v", ok, err)
	}
}
