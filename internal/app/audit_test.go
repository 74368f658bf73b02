package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/mirror/audit"
	"wenlan/internal/register"
)

// auditedMirror is a mirror, as far as an audit sees one: it answers from the blobs
// of a data folder.
func auditedMirror(t *testing.T, cfg Config, library string) (note string, address string) {
	t.Helper()
	secret, _, err := register.GenerateKeys("wenlan-mirror-test")
	if err != nil {
		t.Fatal(err)
	}
	key, err := mirror.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.OpenLocal(blob.LocalConfig{Roots: []string{cfg.path("blobs")}, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	audit.New(audit.Config{Library: library, Signer: key, Blobs: blobs, May: func(context.Context, string) error { return nil }}).Routes(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	signed, err := mirror.SignAnnouncement(mirror.Announcement{Library: library, URL: server.URL, Key: key.Public(), Size: 1, All: true, Time: time.Now()}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed), server.URL
}

func TestAudit(t *testing.T) {
	cfg := made(t)
	var shas []string
	for _, n := range take(t, cfg, "public-domain", text(t, "a.txt", strings.Repeat("one book ", 20_000)), text(t, "b.txt", strings.Repeat("two books ", 20_000))) {
		shas = append(shas, sha(t, cfg, n))
	}
	l, err := Open(t.Context(), cfg, Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	library := l.Register.Library()
	l.Close()
	run := func(req AuditRequest) (list []audit.Result, err error) {
		t.Helper()
		err = Do(t.Context(), cfg, Request{Audit: &req}, nil, func(ev Event) {
			if ev.Audited != nil {
				list = append(list, *ev.Audited)
			}
		})
		slices.SortFunc(list, func(a, b audit.Result) int { return strings.Compare(a.Address, b.Address) })
		return list, err
	}
	_, err = run(AuditRequest{})
	kind(t, err, errs.NotFound, "no mirror")

	good, bad := another(t, cfg), another(t, cfg)
	for _, sha := range shas {
		name := bad.path("blobs", sha[:2], sha[2:4], sha)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			data[i] ^= 1
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	goodNote, goodURL := auditedMirror(t, good, library)
	badNote, badURL := auditedMirror(t, bad, library)
	list := map[string]any{"mirrors": []any{
		map[string]any{"note": goodNote, "heard": time.Now(), "checked": time.Now()},
		map[string]any{"note": badNote, "heard": time.Now(), "checked": time.Now()},
	}}
	raw, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cfg.path(mirrorDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.path(mirrorDir, "list.json"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	results, err := run(AuditRequest{})
	kind(t, err, errs.Corrupt, "1 of 2 mirrors showed other bytes")
	if len(results) != 2 {
		t.Fatalf("%+v", results)
	}
	for _, r := range results {
		if r.Address == goodURL && (!r.Passed || r.Right != auditRanges) || r.Address == badURL && (r.Passed || r.Wrong != auditRanges) {
			t.Errorf("%+v", r)
		}
	}
	if results, err = run(AuditRequest{Mirrors: []string{goodURL + "/"}, Ranges: 3}); err != nil || len(results) != 1 || results[0].Right != 3 {
		t.Errorf("%+v %v", results, err)
	}
	if results, err = run(AuditRequest{Mirrors: []string{"http://127.0.0.1:1"}}); len(results) != 1 || !strings.Contains(results[0].Note, "key is not known") {
		t.Errorf("%+v %v", results, err)
	}
	// Nobody keeps others from being audited, by announcing what there is not.
	secret, _, err := register.GenerateKeys("wenlan-mirror-test")
	if err != nil {
		t.Fatal(err)
	}
	boaster, err := mirror.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := mirror.SignAnnouncement(mirror.Announcement{Library: library, URL: "http://127.0.0.1:2", Key: boaster.Public(), Shelves: mirror.Bitmap{0, 4}, Time: time.Now()}, boaster)
	if err != nil {
		t.Fatal(err)
	}
	list["mirrors"] = append(list["mirrors"].([]any), map[string]any{"note": string(signed), "heard": time.Now(), "checked": time.Now()})
	if raw, err = json.Marshal(list); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.path(mirrorDir, "list.json"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	results, err = run(AuditRequest{})
	kind(t, err, errs.Corrupt, "1 of 3 mirrors showed other bytes")
	if len(results) != 3 {
		t.Errorf("%+v", results)
	}
	// What was found is kept, and shown.
	l = owned(t, cfg)
	last := l.audited()
	if !last[goodURL].Passed || last[badURL].Passed || last[badURL].Note == "" {
		t.Errorf("%+v", last)
	}
	shown, err := l.listMirrors(t.Context())
	if err != nil || len(shown.List) != 3 {
		t.Fatalf("%+v %v", shown, err)
	}
	for _, m := range shown.List {
		if m.Audited.IsZero() || m.Passed != (m.URL == goodURL) {
			t.Errorf("%+v", m)
		}
	}
	// Damage of our own is not blamed on others.
	rot(t, cfg, shas[0])
	for range 3 {
		asked, err := l.question(t.Context(), mirror.Announcement{All: true}, 4)
		if err != nil || len(asked) != 4 {
			t.Fatalf("%d %v", len(asked), err)
		}
		for _, a := range asked {
			if a.Blob != shas[1] {
				t.Errorf("asked for %s", a.Blob)
			}
		}
	}
}
