package analysis

import (
	"slices"
	"strings"
	"testing"
)

// TestIDForms: what is typed finds what is stored.
func TestIDForms(t *testing.T) {
	for _, c := range []struct {
		scheme, value string
		typed         []string
	}{
		{"isbn", "9780439554930", []string{"9780439554930", "0439554934", "0-439-55493-4", "978-0-439-55493-0", "ISBN 0 439 55493 4", "isbn:0439554934", "ISBN-13: 978-0-439-55493-0", "９７８０４３９５５４９３０"}},
		{"isbn", "0-439-55493-4", []string{"9780439554930"}},
		{"isbn", "7-101-00000-9", []string{"7-101-00000-9", "7101000009"}}, // a wrong check digit
		{"doi", "10.1000/ABC-1", []string{"10.1000/abc-1", "https://doi.org/10.1000/abc-1", "doi:10.1000/ABC-1", "DOI: 10.1000/abc-1", "http://dx.doi.org/10.1000/abc-1", "10.1000/abc-1.", "(10.1000/abc-1)"[1:]}},
		{"doi", "https://doi.org/10.48550/arXiv.2101.00001", []string{"2101.00001", "arXiv:2101.00001", "10.48550/arxiv.2101.00001"}},
		{"issn", "0317-8471", []string{"0317-8471", "03178471", "ISSN 0317-8471", "issn:03178471"}},
		{"arxiv", "2101.00001v2", []string{"2101.00001", "arXiv:2101.00001", "arxiv 2101.00001v2", "https://arxiv.org/abs/2101.00001", "https://arxiv.org/pdf/2101.00001v2.pdf", "2101.00001v1"}},
		{"arxiv", "math.GT/0309136", []string{"math.GT/0309136", "math/0309136"[:0] + "arXiv:math.GT/0309136v1"}},
		{"kanripo", "KR1a0001", []string{"KR1a0001", "kr1a0001"}},
		{"uuid", "URN:UUID:123E4567-E89B-12D3-A456-426614174000", []string{"123e4567-e89b-12d3-a456-426614174000", "urn:uuid:123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"}},
		{"oclc", "ocm00012345", []string{"OCM00012345"}},
	} {
		stored := IDs(nil, c.scheme, c.value)
		for _, typed := range c.typed {
			if forms := IDForms(typed); !slices.ContainsFunc(forms, func(f string) bool { return slices.Contains(stored, f) }) {
				t.Errorf("%q is %q, stored is %q", typed, forms, stored)
			}
		}
	}
	for _, text := range []string{"", "plain", "红楼梦", strings.Repeat("1", 513)} {
		if got := IDForms(text); got != nil {
			t.Errorf("%q: %q", text, got)
		}
	}
	a, b := ID(strings.Repeat("x", 200)+"1"), ID(strings.Repeat("x", 200)+"2")
	if a == b || len(a) > maxID+len(MarkID) {
		t.Errorf("%q and %q", a, b)
	}
	if ID(" -\u00ad\ue000") != "" {
		t.Error("nothing has a token")
	}
}

func FuzzIDs(f *testing.F) {
	f.Add("isbn", "0-439-55493-4")
	f.Add("doi", "\xff10.1/x")
	f.Add("A\x8a", "AA\u0385")
	f.Fuzz(func(t *testing.T, scheme, value string) {
		for _, tok := range append(IDs(nil, scheme, value), IDForms(value)...) {
			if !strings.HasPrefix(tok, MarkID) || len(tok) == len(MarkID) || len(tok) > maxID+len(MarkID) || ID(tok) != tok {
				t.Fatalf("%q %q: %q", scheme, value, tok)
			}
		}
	})
}

func TestTitleKey(t *testing.T) {
	for title, want := range map[string]string{
		"The Origin of Species": "origin of species", "A": "a", "An  Ünïque\tTitle!": "unique title", "紅樓夢 (1)": "红楼梦 1", "": "", "...": "",
	} {
		if got := string(TitleKey(title)); got != want {
			t.Errorf("%q: %q", title, got)
		}
	}
	if n := len(TitleKey(strings.Repeat("word ", 1000))); n != MaxTitleKey {
		t.Errorf("%d bytes", n)
	}
}
