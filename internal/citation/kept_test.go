package citation

import (
	"fmt"
	"html/template"
	"strings"
	"testing"
)

// TestKept: what was made once is not made again, of another item it is, and what is kept
// does not grow without end.
func TestKept(t *testing.T) {
	p := New()
	book := func(title string) []byte { return item(t, map[string]any{"type": "book", "title": title}) }
	first, err := p.References(t.Context(), book("Emma"), "en")
	if err != nil {
		t.Fatal(err)
	}
	<-p.free // nobody can make any now
	p.vm = nil
	again, err := p.References(t.Context(), book("Emma"), "en-GB")
	if err != nil || len(again) != len(Styles) || again[0].HTML != first[0].HTML {
		t.Errorf("%v, %v", again, err)
	}
	p.free <- struct{}{}
	for _, other := range []struct{ title, language string }{{"Emma", "zh"}, {"Emma!", "en"}} {
		refs, err := p.References(t.Context(), book(other.title), other.language)
		if err != nil || refs[0].HTML == first[0].HTML {
			t.Errorf("%v: %v, %v", other, refs, err)
		}
	}

	var k kept
	for i := range 2000 {
		k.add(keyOf(fmt.Sprint(i), ""), []Reference{{Text: strings.Repeat("x", 4000)}})
		if k.get(keyOf("0", "")) == nil { // asked for all the time
			t.Fatalf("it was let go after %d", i)
		}
	}
	if n := len(k.now) + len(k.older); n > 2*keptBytes/4000 || k.get(keyOf("1", "")) != nil || k.get(keyOf("1999", "")) == nil {
		t.Errorf("%d are kept", n)
	}
	k.add(keyOf("long", ""), []Reference{{HTML: template.HTML(strings.Repeat("x", keptOne))}})
	if k.get(keyOf("long", "")) != nil {
		t.Error("a very long one is kept")
	}
}
