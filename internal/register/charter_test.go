package register

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

func witnessKey(t testing.TB, name string) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := GenerateKeys(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := fnote.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	if vkey, err = fnote.VKeyToCosignatureV1(vkey); err != nil {
		t.Fatal(err)
	}
	return s, vkey
}

func TestCharterText(t *testing.T) {
	k := newKeys(t)
	_, w := witnessKey(t, "w.example")
	c := k.charter()
	c.Addresses = []string{"https://library.example/", "http://[::1]:8080"}
	c.Witnesses, c.Quorum = []string{w}, 1
	c.Expires = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	want := "wenlan-charter/v1\nlibrary -\nversion 1\nprevious -\nbase -\nlog " + k.log + "\norigin " + k.vkey +
		"\naddress https://library.example/\naddress http://[::1]:8080\ntrustee " + k.tkey +
		"\nthreshold 1\nwitness " + w + "\nquorum 1\nexpires 2030-01-02T03:04:05Z\n"
	if got := c.Text(); got != want {
		t.Errorf("text:\n%s\nwant:\n%s", got, want)
	}
	signed, err := SignCharter(c, k.trustee)
	if err != nil {
		t.Fatal(err)
	}
	back, err := VerifyCharter(nil, signed)
	if err != nil || back.Text() != want {
		t.Errorf("read back: %+v, %v", back, err)
	}
}

func TestCharterRefused(t *testing.T) {
	k := newKeys(t)
	_, other := newKey(t, "another")
	_, stranger := newKey(t, "wenlan/"+strings.Repeat("0", 32))
	same := "alias" + k.tkey[strings.IndexByte(k.tkey, '+'):]
	text := k.charter().Text()
	for name, change := range map[string]func(s string) string{
		"header": func(s string) string { return strings.Replace(s, "v1", "v2", 1) },
		"order": func(s string) string {
			return strings.Replace(s, "library -\nversion 1\n", "version 1\nlibrary -\n", 1)
		},
		"zeros":             func(s string) string { return strings.Replace(s, "version 1", "version 01", 1) },
		"plus":              func(s string) string { return strings.Replace(s, "version 1", "version +1", 1) },
		"version 0":         func(s string) string { return strings.Replace(s, "version 1", "version 0", 1) },
		"version 2":         func(s string) string { return strings.Replace(s, "version 1", "version 2", 1) },
		"library":           func(s string) string { return strings.Replace(s, "library -", "library "+strings.Repeat("0", 64), 1) },
		"base":              func(s string) string { return strings.Replace(s, "base -", "base 1 AAAA", 1) },
		"log":               func(s string) string { return strings.Replace(s, "log wenlan/", "log wenlan/x", 1) },
		"origin's name":     func(s string) string { return strings.Replace(s, "origin "+k.vkey, "origin "+stranger, 1) },
		"threshold 0":       func(s string) string { return strings.Replace(s, "threshold 1", "threshold 0", 1) },
		"threshold 2":       func(s string) string { return strings.Replace(s, "threshold 1", "threshold 2", 1) },
		"huge threshold":    func(s string) string { return strings.Replace(s, "threshold 1", "threshold 4294967297", 1) },
		"quorum":            func(s string) string { return strings.Replace(s, "quorum 0", "quorum 1", 1) },
		"address":           func(s string) string { return strings.Replace(s, "\ntrustee", "\naddress ftp://x/\ntrustee", 1) },
		"address with user": func(s string) string { return strings.Replace(s, "\ntrustee", "\naddress http://a@x/\ntrustee", 1) },
		"witness":           func(s string) string { return strings.Replace(s, "\nquorum", "\nwitness "+other+"\nquorum", 1) },
		"expires":           func(s string) string { return strings.Replace(s, "expires -", "expires 2030-01-02T03:04:05+00:00", 1) },
		"more":              func(s string) string { return s + "more -\n" },
		"blank line":        func(s string) string { return s + "\n" },
		"trailing space":    func(s string) string { return strings.Replace(s, "version 1", "version 1 ", 1) },
		"missing line":      func(s string) string { return strings.Replace(s, "quorum 0\n", "", 1) },
		"trustee twice": func(s string) string {
			return strings.Replace(s, "trustee "+k.tkey, "trustee "+k.tkey+"\ntrustee "+k.tkey, 1)
		},
		"trustee's alias": func(s string) string {
			return strings.Replace(s, "trustee "+k.tkey, "trustee "+same+"\ntrustee "+k.tkey, 1)
		},
		"unsorted trustees": func(s string) string {
			return strings.Replace(s, "trustee "+k.tkey, "trustee "+k.tkey+"\ntrustee "+other, 1)
		},
		"upper-case key hash": func(s string) string {
			name, rest, _ := strings.Cut(k.tkey, "+")
			return strings.Replace(s, k.tkey, name+"+"+strings.ToUpper(rest[:8])+rest[8:]+" ", 1)
		},
	} {
		changed := change(text)
		if changed == text {
			t.Errorf("%s: nothing changed", name)
		}
		signed, err := note.Sign(&note.Note{Text: changed}, k.trustee)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseCharter(signed); !errs.Is(err, errs.Refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseCharter(make([]byte, maxCharter+1)); !errs.Is(err, errs.Refused) {
		t.Error(err)
	}
}

// TestSuccession checks who must sign: k of n of the old and of the new.
func TestSuccession(t *testing.T) {
	ctx := context.Background()
	k := newKeys(t)
	var signers []note.Signer
	var vkeys []string
	for _, name := range []string{"a", "b", "c", "d"} {
		s, v := newKey(t, name)
		signers, vkeys = append(signers, s), append(vkeys, v)
	}
	first := NewCharter(k.log, k.vkey, vkeys[:3], 2)
	one, err := SignCharter(first, signers[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyCharter(nil, one); err == nil {
		t.Error("one of two trustees is enough")
	}
	two, err := SignDraft(one, signers[2])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyCharter(nil, two); err != nil {
		t.Error(err)
	}
	if bad, err := SignDraft(two, signers[3]); err != nil {
		t.Fatal(err)
	} else if _, err := VerifyCharter(nil, bad); err == nil {
		t.Error("a stranger signed")
	}

	sim := durable.NewSim(1)
	cfg := Config{Dir: "/r", FS: sim, Signer: k.origin}
	entry0 := encode(t, record.Entry{Type: record.TypeCharter, Note: string(two)})
	r, err := Create(cfg, entry0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Library() != LibraryID(entry0) {
		t.Error("library id")
	}
	if _, err := r.Append(ctx, batchOf(1, 20)); err != nil {
		t.Fatal(err)
	}
	// The second charter: c and d of b, c, d; a new origin key.
	newOrigin, newKeyOf := newKey(t, k.log)
	next, err := NextCharter(r.Library(), two)
	if err != nil {
		t.Fatal(err)
	}
	next.Trustees = slices.Sorted(slices.Values(vkeys[1:]))
	next.Origin = newKeyOf
	if signed, err := SignCharter(next, signers[1:]...); err != nil {
		t.Fatal(err)
	} else if _, err := VerifyCharter(two, signed); err == nil {
		t.Error("a new key without a base")
	}
	next.Base = &Base{r.Size(), r.Published().Root}
	sign := func(who ...note.Signer) []byte {
		t.Helper()
		signed, err := SignCharter(next, who...)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	if err := r.AddCharter(ctx, sign(signers[1], signers[3])); !errs.Is(err, errs.Refused) {
		t.Errorf("one of the old trustees: %v", err)
	}
	if err := r.AddCharter(ctx, sign(signers[0], signers[1])); !errs.Is(err, errs.Refused) {
		t.Errorf("one of the new trustees: %v", err)
	}
	good := sign(signers[1], signers[2])
	if err := r.AddCharter(ctx, good); err != nil {
		t.Fatal(err)
	}
	// The old key may no longer sign; what it has signed up to the base holds.
	if _, err := Open(cfg); !errs.Is(err, errs.Invalid) {
		t.Errorf("the old key: %v", err)
	}
	cfg.Signer = newOrigin
	if r, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	e := encode(t, record.Entry{Type: record.TypeCharter, Note: string(good)})
	if _, err := r.Append(ctx, [][]byte{e}); err != nil {
		t.Fatal(err)
	}
	want := append([][]byte{entry0}, batchOf(1, 20)...)
	want = append(want, e)
	sum := check(t, r, cfg, want)
	if sum.Library != r.Library() || len(r.Charters()) != 2 {
		t.Errorf("%+v", sum)
	}
	// A charter of another library, and one whose base is another register.
	next.Previous, next.Version, next.Base = textSum(mustParse(t, good)), 3, nil
	next.Library = strings.Repeat("0", 64)
	if err := r.AddCharter(ctx, sign(signers[1:]...)); !errs.Is(err, errs.Refused) {
		t.Errorf("of another library: %v", err)
	}
	next.Library, next.Base = r.Library(), &Base{Size: 7}
	if err := r.AddCharter(ctx, sign(signers[1:]...)); err != nil {
		t.Fatal(err)
	}
	if _, problems := verify(t, cfg, VerifyOptions{}); len(problems) != 1 || problems[0].Where != "charters/3" {
		t.Errorf("a wrong base: %+v", problems)
	}
}

func mustParse(t *testing.T, signed []byte) Charter {
	t.Helper()
	c, err := ParseCharter(signed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCharterEntries refuses charters that do not count, alone.
func TestCharterEntries(t *testing.T) {
	ctx := context.Background()
	r, cfg, want := library(t, durable.NewSim(1), "/r", 3)
	k := newKeys(t)
	bad := k.entry0(t)
	if _, err := r.Append(ctx, [][]byte{bad}); !errs.Is(err, errs.Refused) {
		t.Errorf("a charter of another library: %v", err)
	}
	if _, err := Create(Config{Dir: "/other", FS: durable.NewSim(1), Signer: k.origin}, want[1]); !errs.Is(err, errs.Refused) {
		t.Errorf("entry 0 is no charter: %v", err)
	}
	if _, err := r.Append(ctx, want[:1]); err != nil { // the same charter again says nothing new
		t.Errorf("the charter again: %v", err)
	}
	check(t, r, cfg, append(want, want[0]))
}

func TestCosignatures(t *testing.T) {
	ctx := context.Background()
	k := newKeys(t)
	s1, w1 := witnessKey(t, "one.example")
	s2, w2 := witnessKey(t, "two.example")
	s3, _ := witnessKey(t, "three.example")
	sim := durable.NewSim(1)
	cfg := Config{Dir: "/r", FS: sim, Signer: k.origin}
	r, err := Create(cfg, k.entry0(t, func(c *Charter) { c.Witnesses, c.Quorum = []string{w1, w2}, 2 }))
	if err != nil {
		t.Fatal(err)
	}
	cosign := func(s ...note.Signer) error {
		signed, err := note.Sign(&note.Note{Text: r.Published().note.Text}, s...)
		if err != nil {
			t.Fatal(err)
		}
		return r.AddCosignatures(ctx, signed)
	}
	if err := cosign(s3); !errs.Is(err, errs.Refused) {
		t.Errorf("a stranger: %v", err)
	}
	if err := cosign(s3, s2); err != nil {
		t.Error(err)
	}
	if err := cosign(s1); err != nil {
		t.Error(err)
	}
	for range 2 {
		if c := r.Published(); len(c.Cosignatures) != 2 || c.Unknown != 0 {
			t.Errorf("%+v", c)
		}
		if sum := verifyClean(t, cfg); len(sum.Cosignatures) != 2 {
			t.Errorf("%+v", sum)
		}
		if !strings.HasPrefix(strings.Split(string(r.Checkpoint()), "\n\n")[1], "— "+k.log) {
			t.Error("the origin's signature is not the first")
		}
		sim.Crash()
		if r, err = Open(cfg); err != nil {
			t.Fatal(err)
		}
	}
	old := r.Published().note.Text
	if _, err := r.Append(ctx, batchOf(1, 1)); err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: old}, s1)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddCosignatures(ctx, signed); !errs.Is(err, errs.Refused) {
		t.Errorf("a cosignature of an old checkpoint: %v", err)
	}
	if n := len(r.Published().Cosignatures); n != 0 {
		t.Errorf("%d cosignatures on a new checkpoint", n)
	}
}
