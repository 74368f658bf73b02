package format

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"wenlan/internal/errs"
)

// TestHostileBulk: what is small to write is not large to read. Each of these took
// time with the square of its length, or memory with its length times another's.
func TestHostileBulk(t *testing.T) {
	r := strings.Repeat
	fields := ""
	for i := range 990 {
		fields += fmt.Sprintf(",f%d=1", i)
	}
	overlap := func() string {
		field := "  " + r("\x1faA name of some length", 300) + "\x1e"
		dir := ""
		for range 7000 {
			dir += fmt.Sprintf("500%04d00000", len(field))
		}
		base := 24 + len(dir) + 1
		return fmt.Sprintf("%05dnam a22%05d a 4500", base+len(field)+1, base) + dir + "\x1e" + field + "\x1d"
	}
	mx := func(s string) string {
		return `<record><leader>00000nam a2200000 a 4500</leader><datafield tag="245"><subfield code="a">T</subfield></datafield>` + s + "</record>"
	}
	for name, c := range map[string]struct {
		form, data string
		records    int
		refused    string // part of a sentence
		alloc      uint64 // MiB
	}{
		"commands in commands":      {"bibtex", "@book{k,title={T},note={" + r(`\x{`, 200_000) + r("}", 200_000) + "}}", 1, "", 40},
		"superscripts in each":      {"bibtex", "@book{k,title={T},note={" + r(`\textsu{`, 100_000) + r("}", 100_000) + "}}", 1, "", 40},
		"an abbreviation, often":    {"bibtex", "@string{a={" + r("x", 60_000) + "}}@book{k,title=" + r("a#", 500_000) + "a}", 1, "longer than", 80},
		"lines of one value":        {"ris", "TY  - BOOK\nTI  - T\nN1  - a\n" + r("x\n", 200_000) + "ER  - \n", 1, "", 40},
		"fields that overlap":       {"marc", overlap(), 1, "its directory names 7000 fields, and there are 1", 10},
		"abstracts":                 {"marcxml", mx(r(`<datafield tag="520"><subfield code="a">A name</subfield></datafield>`, 19_000)), 1, "", 250},
		"long names":                {"marcxml", r("<"+r("n", 100_000)+">", 60) + r("<record/>", 100), 0, "the name of an element", 10},
		"a long base of many links": {"opds", `<feed><entry xml:base="http://x/` + r("a", 900_000) + `/"><title>T</title>` + r(`<link href="a"/>`, 1000) + `</entry></feed>`, 1, "no acquisition link", 40},
		"relations of many links":   {"opds", `{"publications":[{"metadata":{"title":"T"},"links":[` + r(`{"href":"a","rel":[`+r(`"b",`, 49)+`"c"]},`, 999) + `{}]}]}`, 1, "", 40},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := FindBulk(c.form)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			e := b.Elements(strings.NewReader(c.data))
			n, why := 0, ""
			for {
				raw, _, err := e.Next()
				if errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					why = err.Error()
					if errs.Is(err, errs.TooLarge) {
						n++
						continue
					}
					break
				}
				n++
				if _, err := b.Parse(raw); err != nil {
					why = err.Error()
				}
			}
			runtime.ReadMemStats(&after)
			if n != c.records || (why == "") != (c.refused == "") || !strings.Contains(why, c.refused) {
				t.Errorf("%d records, %q", n, why)
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > c.alloc {
				t.Errorf("it took %d MiB", mib)
			}
		})
	}
	// Entries that wait for one to inherit from inherit when they are given out.
	e := newBibTeX(strings.NewReader(r("@book{k,xdata=p}", 20_000) + "@xdata{p,title={T}" + fields + "}"))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	raw, _, err := e.Next()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if err != nil || !strings.Contains(string(raw), `["title","T"]`) {
		t.Fatalf("%.100s %v", raw, err)
	}
	if mib := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 20; mib > 60 {
		t.Errorf("%d MiB are held", mib)
	}
	runtime.KeepAlive(e)
	// And entries without fields are not free to hold.
	b := newBibTeX(strings.NewReader(func() string {
		var s strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&s, "@book{%d,}", i)
		}
		return s.String()
	}())).(*bibReader)
	for err = nil; err == nil; _, _, err = b.Next() {
	}
	if !errors.Is(err, io.EOF) || b.n != 100_000 || len(b.parents) > maxBibParents/300 {
		t.Error(b.n, len(b.parents), err)
	}
	for name, page := range map[string]string{"1": "<feed>" + r("<entry/>", maxOPDSEntries+1) + "</feed>", "2": `{"publications":[` + r("{},", maxOPDSEntries) + "{}]}"} {
		if _, err := ReadOPDS("https://example.org/", []byte(page)); !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), "entries on one page") {
			t.Error(name, err)
		}
	}
}
