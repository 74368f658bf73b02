package web

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"wenlan/internal/record"
)

func TestDrawnCovers(t *testing.T) {
	for name, rec := range map[string]record.Record{
		"zh":      {Title: "聊斋志异", Languages: []string{"zh-Hans"}, Creators: []record.Creator{{Name: "蒲松龄"}}},
		"zh-long": {Title: "钦定四库全书总目提要（附：未收书目）·经部一·易类", Languages: []string{"lzh"}},
		"en":      {Title: "Pride & <Prejudice>", Languages: []string{"en"}, Creators: []record.Creator{{Name: "Jane Austen"}}},
		"he":      {Title: "שלום עליכם", Languages: []string{"he"}},
	} {
		got := drawCover(rec)
		wellFormed(t, got)
		if drawCover(rec) != got {
			t.Errorf("%s is not drawn the same twice", name)
		}
		golden(t, "cover-"+name+".svg", got+"\n")
	}
}

func TestChineseWorks(t *testing.T) {
	for _, c := range []struct {
		title, lang string
		want        bool
	}{
		{"红楼梦", "zh", true}, {"紅樓夢", "zh-Hant", true}, {"紅樓夢", "", true}, {"论语", "lzh", true},
		{"Dream of the Red Chamber", "zh", false}, {"源氏物語", "ja", false}, {"Emma", "en", false}, {"Emma 红", "", false}, {"论语", "not a tag!", false},
	} {
		rec := record.Record{Title: c.title}
		if c.lang != "" {
			rec.Languages = []string{c.lang}
		}
		if got := chinese(rec); got != c.want {
			t.Errorf("%s (%s): %v", c.title, c.lang, got)
		}
	}
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well formed: %v\n%s", err, svg)
		}
		if el, ok := tok.(xml.StartElement); ok {
			switch el.Name.Local {
			case "svg", "rect", "path", "g", "text", "circle":
			default:
				t.Fatalf("holds a %s", el.Name.Local)
			}
		}
	}
}

func FuzzDrawCover(f *testing.F) {
	f.Add("聊斋志异", "蒲松龄", "zh")
	f.Add("Pride & <Prejudice>", "Jane Austen", "en")
	f.Add("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", "", "de")
	f.Add(strings.Repeat("長", 500), strings.Repeat("名", 50), "zh-Hant")
	f.Add("\x00\xff", "\u202e", "")
	f.Fuzz(func(t *testing.T, title, by, lang string) {
		rec := record.Record{Title: title, Creators: []record.Creator{{Name: by}}}
		if lang != "" {
			rec.Languages = []string{lang}
		}
		got := drawCover(rec)
		wellFormed(t, got)
		if len(got) > 40_000 {
			t.Fatalf("%d bytes", len(got))
		}
	})
}
