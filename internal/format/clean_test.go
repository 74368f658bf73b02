package format

import (
	"strings"
	"testing"
)

// What stands between "<" and ">" is left out only where it is a tag; titles and
// abstracts have angle brackets of their own.
func TestStripHTML(t *testing.T) {
	for in, want := range map[string]string{
		"patron <Adjectif – Nom> en anglais":                "patron <Adjectif – Nom> en anglais",
		"<TextCoop>: un analyseur":                          "<TextCoop>: un analyseur",
		"The <C,A>,T Framework":                             "The <C,A>,T Framework",
		"kappa<beth_omega, so mu^+>beth_omega":              "kappa<beth_omega, so mu^+>beth_omega",
		"a<b and c>d":                                       "a<b and c>d",
		"a<b and c=d>e":                                     "a<b and c=d>e",
		"a<sub>1</sub><b_2 &amp; c>d":                       "a1<b_2 & c>d",
		"<i>E. coli</i> at $\\left<U^2\\right>$":            "E. coli at $\\left<U^2\\right>$",
		`<P CLASS="x">One<BR/>two</p>`:                      "One\ntwo",
		`<script async src="x">evil()</script>kept`:         "kept",
		"<jats:italic toggle=\"yes\">x</jats:italic> <y z>": "x <y z>",
		"see <http://example.org/x>":                        "see <http://example.org/x>",
		"open <b":                                           "open <b",
		"<":                                                 "<",
	} {
		if got := stripHTML(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	for _, s := range []string{"<b x=1 ", "<", "<b      ", "<a:", "</"} { // in linear time
		long := strings.Repeat(s, 1<<20/len(s))
		if got := stripHTML(long); got != long {
			t.Errorf("%q many times: %.40q", s, got)
		}
	}
}
