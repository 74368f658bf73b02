package format

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wenlan/internal/record"
)

// TestDescribedSettle checks that what a record says besides is one JSON object
// that an entry can hold, and that what does not fit is named.
func TestDescribedSettle(t *testing.T) {
	d := Described{
		Extra: map[string][]string{"500": {"a note", " ", "bad \xff \u2028."}, "Note": {"upper"}, "note": {"lower"}, "": {"nameless"}, "zz": {strings.Repeat("z", record.MaxExtra)}, "zzz": {"small"}},
		Left:  []string{"zz", "body", "body"},
	}
	d.Warnings = slices.Repeat([]string{"a\nsentence"}, 100)
	d.settle()
	want := map[string][]string{"500": {"a note", "bad \ufffd \u2028."}, "Note": {"upper", "lower"}, "?": {"nameless"}, "zzz": {"small"}}
	var got map[string][]string
	if err := json.Unmarshal(d.ExtraJSON(), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if fmt.Sprint(d.Left) != "[body zz]" {
		t.Errorf("%q", d.Left)
	}
	if len(d.Warnings) != maxWarnings || d.Warnings[0] != "a sentence" {
		t.Errorf("%q", d.Warnings)
	}
	many := Described{Extra: map[string][]string{}}
	for i := range 3000 {
		many.Extra[fmt.Sprint("f", i)] = []string{strings.Repeat("\"\x01", i%20), "v"}
	}
	many.settle()
	if n := len(many.ExtraJSON()); n > record.MaxExtra || n < record.MaxExtra-200 || len(many.Left) != maxLeft {
		t.Errorf("%d bytes, %d left", n, len(many.Left))
	}
	if err := record.CheckIJSON(many.ExtraJSON()); err != nil {
		t.Error(err)
	}
	var none Described
	none.settle()
	if none.ExtraJSON() != nil || none.Left != nil {
		t.Errorf("%+v", none)
	}
}
