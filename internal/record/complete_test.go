package record

import (
	"reflect"
	"testing"
	"time"
)

// TestComplete: what is encoded is what was completed, so that who writes an entry need
// not read it again; and Encode refuses nothing that Decode takes, or the reverse.
func TestComplete(t *testing.T) {
	n := int64(7)
	for _, e := range []Entry{
		{Record: &Record{Title: "A"}},
		{Record: &Record{Title: "红楼梦 <&>\u2028", AltTitles: []string{"Hong lou meng"}, Creators: []Creator{{Name: "曹雪芹", Role: "aut", IDs: []ID{{"isni", "1"}}}}, Container: &Container{Title: "J"}},
			Source: &Source{Name: "marc", ID: "1", Digest: "d"}},
		{Record: &Record{Title: "A", Relations: []Relation{{Type: "edition_of", Record: &n}}}, Source: &Source{Name: "a", Extra: []byte(`{"500":["x"]}`)}},
		{Record: &Record{Title: "A"}, Files: []File{{SHA256: sumHex(nil), Name: "a.txt", Role: RoleText}}, Rights: &Rights{Access: None}},
	} {
		e.Type, e.Time = TypeAccession, time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600))
		whole, err := Complete(e)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := Encode(whole)
		if err != nil {
			t.Fatal(err)
		}
		got, known, err := Decode(raw)
		if err != nil || !known || !reflect.DeepEqual(got, whole) {
			t.Errorf("%s\n%+v\n%+v, %v", raw, got, whole, err)
		}
	}
	for _, title := range []string{"a\xff", "\xed\xa0\x80"} { // no UTF-8
		if raw, err := Encode(Entry{Type: TypeAccession, Time: time.Now(), Record: &Record{Title: title}}); err == nil {
			t.Errorf("encoded: %s", raw)
		}
	}
}
