package index

import (
	"testing"

	"wenlan/internal/index/analysis"
	"wenlan/internal/record"
)

func TestSortForm(t *testing.T) {
	for _, c := range []struct{ name, alt, key string }{
		{"Jane Austen", "Austen, Jane", "austen, jane"},
		{"Jane Austen", "", "austen, jane"},
		{"Gabriel García Márquez", "García Márquez, Gabriel", "garcia marquez, gabriel"},
		{"Ludwig van Beethoven", "", "beethoven, ludwig van"},
		{"Martin Luther King Jr.", "", "king, martin luther jr"},
		{"World Health Organization", "", "world health organization"},
		{"Plato", "", "plato"},
		{"Austen, Jane", "", "austen, jane"},
		{"鲁迅", "Lu, Xun", "lu xun"},
		{"单田芳", "", "shan tian fang"},
		{"夏目漱石", "", "xia mu shu shi"},
		{"Лев Толстой", "Толстой, Лев", "толстои, лев"},
		{"Jane Austen", "Smith, John", "austen, jane"},
	} {
		var alts []string
		if c.alt != "" {
			alts = []string{c.alt}
		}
		if got := analysis.Heading(sortForm(c.name, alts), true); got != c.key {
			t.Errorf("%q, %q: %q, want %q", c.name, c.alt, got, c.key)
		}
	}
}

// What is kept of a value gives the value again, in few bytes where it is written as most are.
func TestHeading(t *testing.T) {
	for _, c := range []struct {
		value string
		short bool
	}{
		{"Jane Austen", true}, {"Austen, Jane", true}, {"J. R. R. Tolkien", true}, {"Tolkien, J. R. R.", true}, {"Plato", true},
		{"Paul Erdős", false}, {"鲁迅", false}, {"魯迅", false}, {"Ludwig van Beethoven", false}, {"O’Brien", false},
	} {
		term := creatorTerm(c.value, &record.Creator{Name: c.value})
		key, value := headingOf(term[len(termCreator):])
		if value != c.value {
			t.Errorf("%q: %q is %q", c.value, term, value)
		}
		if short := len(term) == len(termCreator)+len(key)+2; short != c.short {
			t.Errorf("%q: %q, short: %v", c.value, term, short)
		}
	}
	for _, value := range []string{"English literature", "english literature", "Machine Learning", "C++", "Fiction -- History, modern", "中国文学", "a\x00b"} {
		if _, got := headingOf(subjectTerm(value)[len(termSubject):]); got != value {
			t.Errorf("%q is %q", value, got)
		}
	}
	if term := subjectTerm("!!"); term != "" {
		t.Errorf("what cannot be ordered: %q", term)
	}
}

func TestClass(t *testing.T) {
	for _, c := range []struct{ scheme, code, want string }{
		{"ddc", "823.7", "823.7"}, {"ddc", "823/.7", "823.7"}, {"ddc", "813'.54", "813.54"}, {"ddc", "[510]", "510"}, {"ddc", "510 20", "510"},
		{"ddc", "8", "8"}, {"ddc", "82", "82"}, {"ddc", "005.133", "005.133"}, {"ddc", "[Fic]", ""}, {"ddc", "823.7123456789012", "823.712345678"}, {"ddc", "", ""},
		{"clc", "I247.5", "I247.5"}, {"clc", "tp311.1", "TP311.1"}, {"clc", "TP311.138SQ", "TP311.138"}, {"clc", "K825.6=6", "K825.6"}, {"clc", "D923.04-53", "D923.04"},
		{"clc", "T", "T"}, {"clc", "TP", "TP"}, {"clc", "AB1", ""}, {"clc", "L1", ""}, {"clc", "G649.20", "G649.20"}, {"clc", "X-4", "X"}, {"lcc", "PR4034", ""},
	} {
		got, ok := Class(c.scheme, c.code)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s %q: %q %v, want %q", c.scheme, c.code, got, ok, c.want)
		}
		if again, _ := Class(c.scheme, got); ok && again != got {
			t.Errorf("%s %q: %q is then %q", c.scheme, c.code, got, again)
		}
	}
}

func FuzzHeading(f *testing.F) {
	f.Add("Jane Austen", "Austen, Jane", "823.7")
	f.Add("鲁迅,", "A, ", "TP3")
	f.Add("a\x00b \xff", ",", "8''")
	f.Fuzz(func(t *testing.T, name, other, code string) {
		for _, term := range []string{subjectTerm(name), creatorTerm(name, &record.Creator{AltNames: []string{other}})} {
			if term == "" {
				continue
			}
			if _, got := headingOf(term[len(termSubject):]); got != name {
				t.Fatalf("%q is %q", name, got)
			}
		}
		headingOf(name)
		for _, scheme := range []string{DDC, CLC} {
			if class, ok := Class(scheme, code); ok {
				if again, ok := Class(scheme, class); !ok || again != class {
					t.Fatalf("%q: %q, %q", code, class, again)
				}
			}
		}
	})
}

func TestListed(t *testing.T) {
	for value, want := range map[string]string{
		"Jane Austen": "Austen, Jane", "Gabriel García Márquez": "García Márquez, Gabriel", "Austen, Jane": "Austen, Jane", "鲁迅": "鲁迅",
		"Martin Luther King Jr.": "Martin Luther King Jr.", "World Health Organization": "World Health Organization",
	} {
		key, back := headingOf(creatorTerm(value, &record.Creator{AltNames: []string{"García Márquez, Gabriel"}})[len(termCreator):])
		if got := listed(key, back); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func BenchmarkHeading(b *testing.B) {
	c := &record.Creator{AltNames: []string{"Manning, Christopher D."}}
	for _, name := range []string{"Christopher D. Manning", "Paul Erdős", "鲁迅"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				creatorTerm(name, c)
			}
		})
	}
	b.Run("subject", func(b *testing.B) {
		for b.Loop() {
			subjectTerm("English literature, modern")
		}
	})
}
