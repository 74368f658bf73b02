package format

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/simplifiedchinese"
	utf16enc "golang.org/x/text/encoding/unicode"

	"wenlan/internal/errs"
)

// allOf takes a stream apart to its end. The last has an error where it breaks off.
func allOf(e Elements) (list []one) {
	for {
		raw, n, err := e.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		list = append(list, one{n, string(raw), err})
		if err != nil && !errs.Is(err, errs.TooLarge) {
			return list
		}
	}
}

func TestSplitXML(t *testing.T) {
	plain := xmlSpec{records: []string{"r"}, context: []string{"c"}, skip: []string{"s"}}
	for name, c := range map[string]struct {
		spec xmlSpec
		in   string
		want []string
	}{
		"plain":           {plain, `<?xml version="1.0"?><a><r>1</r> <r x="2"/></a>`, []string{`<a><r>1</r></a>`, `<a><r x="2"/></a>`}},
		"the root itself": {plain, "\n<r><b/></r>\n", []string{`<r><b/></r>`}},
		"context of the ancestors, that of a sibling forgotten": {plain,
			`<a xmlns:p="u"><c>0</c><b n='>'><c>1</c><r>x</r><c>2</c><r>y</r></b><b><r>z</r></b></a>`,
			[]string{`<a xmlns:p="u"><c>0</c><b n='>'><c>1</c><r>x</r></b></a>`, `<a xmlns:p="u"><c>0</c><b n='>'><c>1</c><c>2</c><r>y</r></b></a>`, `<a xmlns:p="u"><c>0</c><b><r>z</r></b></a>`}},
		"prefixes":                    {plain, `<m:a xmlns:m="u"><m:r>1</m:r></m:a>`, []string{`<m:a xmlns:m="u"><m:r>1</m:r></m:a>`}},
		"within itself":               {plain, `<a><r>1<m:r>2</m:r><r/>3</r><r>4</r></a>`, []string{`<a><r>1<m:r>2</m:r><r/>3</r></a>`, `<a><r>4</r></a>`}},
		"comments and instructions":   {plain, `<a><!-- <r>no</r> ' --><?p <r>no</r>?><r>1<!-- </r> -->2<?q </r>?></r></a>`, []string{`<a><r>12</r></a>`}},
		"CDATA":                       {plain, `<a><![CDATA[<r>no</r>]]><r><![CDATA[</r>]]]]>&lt;</r></a>`, []string{`<a><r><![CDATA[</r>]]]]>&lt;</r></a>`}},
		"attributes with brackets":    {plain, `<a><r t="a>b" u='</r>'>1</r></a>`, []string{`<a><r t="a>b" u='</r>'>1</r></a>`}},
		"left out":                    {plain, `<a><s><r>no</r></s><r>1<s k="v">x<s/><s>y</s><![CDATA[</s>]]></s>2<s/></r></a>`, []string{`<a><r>1<s k="v"/>2<s/></r></a>`}},
		"a bare bracket":              {plain, `<a><r>1 < 2 <3</r></a>`, []string{`<a><r>1 &lt; 2 &lt;3</r></a>`}},
		"an outer document type":      {plain, `<!DOCTYPE a PUBLIC "-//X//'DTD" "x.dtd" [<!ELEMENT a ANY> <!-- it's > -->]><a><r/></a>`, []string{`<a><r/></a>`}},
		"an end tag that fits no one": {plain, `<a><b></x><r/></b></a>`, []string{`<a><b><r/></b></a>`}},
		"an element left open":        {plain, `<a><b><r>1</r></a><r>2</r>`, []string{`<a><b><r>1</r></b></a>`, `<r>2</r>`}},
		"several documents":           {plain, `<?xml version="1.0"?><a><r>1</r></a><?xml version="1.0"?><a><r>2</r></a>`, []string{`<a><r>1</r></a>`, `<a><r>2</r></a>`}},
		"record and context":          {xmlSpec{records: []string{"r", "c"}, context: []string{"c"}}, `<a><c>0</c><r>1</r></a>`, []string{`<a><c>0</c></a>`, `<a><c>0</c><r>1</r></a>`}},
		"only what holds something":   {xmlSpec{records: []string{"r"}, holds: map[string]string{"r": "id"}}, `<a><r>1<idx/></r><r><p:id/></r></a>`, []string{`<a><r><p:id/></r></a>`}},
		"nothing":                     {plain, " \n", nil},
		"no record":                   {plain, "<a><b/></a>", nil},
	} {
		for _, slow := range []bool{false, true} {
			var r io.Reader = strings.NewReader(c.in)
			if slow {
				r = iotest.OneByteReader(r)
			}
			var got []string
			for i, el := range allOf(splitXML(r, c.spec)) {
				if el.err != nil || el.number != int64(i+1) {
					t.Errorf("%s: %d: %v", name, el.number, el.err)
				}
				got = append(got, el.raw)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
}

func TestSplitXMLBreaks(t *testing.T) {
	spec := xmlSpec{records: []string{"r"}, context: []string{"c"}, skip: []string{"s"}, roots: []string{"a", "b"}}
	for in, want := range map[string]struct {
		kind errs.Kind
		said string
	}{
		`<a><r>1</r><r>2`:           {errs.Corrupt, "cut off in the middle of this element"},
		`<a><r>1</r><r x="1`:        {errs.Corrupt, "cut off in the middle of this element"},
		`<a><r>1</r><r><s>2</r>`:    {errs.Corrupt, "cut off in the middle of this element"},
		`<a><r>1</r><!-- `:          {errs.Corrupt, "cut off"},
		`<a><r>1</r><`:              {errs.Corrupt, "cut off"},
		`<a><r>1</r>`:               {errs.Corrupt, `its element "a" is not closed`},
		`{"title":"no"}`:            {errs.Refused, "it is not XML"},
		`<x:html><r>1</r></x:html>`: {errs.Refused, `its root element is "x:html", not a or b`},
		`<!DOCTYPE a [<!ENTITY x "y">]><a><r>&x;</r></a>`:                               {errs.Refused, "declares entities"},
		`<!DOCTYPE a [<!-- ' --><!entity % x SYSTEM "file:///etc/passwd"> %x;]><a></a>`: {errs.Refused, "declares entities"},
		`<?xml version="1.0" encoding="x-none"?><a/>`:                                   {errs.Refused, "encoding"},
		strings.Repeat("<a>", maxXMLDepth+1):                                            {errs.Corrupt, "nested too deep"},
		"<a " + strings.Repeat("x", maxTag+1) + "/>":                                    {errs.Corrupt, "a tag is longer than"},
	} {
		list := allOf(splitXML(strings.NewReader(in), spec))
		last := list[len(list)-1]
		if !errs.Is(last.err, want.kind) || !strings.Contains(last.err.Error(), want.said) || last.number != int64(len(list)) {
			t.Errorf("%.60q: %d: %v", in, last.number, last.err)
		}
	}
	e := splitXML(strings.NewReader("<a><r>1"), spec)
	_, _, first := e.Next()
	if _, _, again := e.Next(); first == nil || again == nil || first.Error() != again.Error() {
		t.Errorf("%v, then %v", first, again)
	}
	failing := io.MultiReader(strings.NewReader("<a><r>1</r>"), iotest.ErrReader(errors.New("the disk is gone")))
	list := allOf(splitXML(failing, spec))
	if len(list) != 2 || list[0].raw != "<a><r>1</r></a>" || !strings.Contains(list[1].err.Error(), "the disk is gone") {
		t.Errorf("%+v", list)
	}
}

// What is too long is refused by itself, and what follows it is read.
func TestSplitXMLTooLarge(t *testing.T) {
	spec := xmlSpec{records: []string{"r"}, context: []string{"c"}}
	for name, in := range map[string]string{
		"a record":      `<a><r>` + strings.Repeat("<b>x</b>", MaxBulkRecord/8) + `</r><r>2</r></a>`,
		"its text":      `<a><r><![CDATA[` + strings.Repeat("x", MaxBulkRecord) + `]]></r><r>2</r></a>`,
		"its context":   `<a><b><c>` + strings.Repeat("x", maxAround) + `</c><r>1</r></b><r>2</r></a>`,
		"its ancestors": `<a><b x="` + strings.Repeat("x", maxAround) + `"><b><r>1</r></b></b><r>2</r></a>`,
	} {
		list := allOf(splitXML(strings.NewReader(in), spec))
		if len(list) != 2 || !errs.Is(list[0].err, errs.TooLarge) || list[1].raw != "<a><r>2</r></a>" || list[1].number != 2 {
			t.Errorf("%s: %d elements, %.100v", name, len(list), list[len(list)-1])
		}
	}
}

// What is given with records grows with the stream, however large their surroundings.
func TestSplitXMLAround(t *testing.T) {
	spec := xmlSpec{records: []string{"r"}, context: []string{"c"}}
	many := func(context, records int) (given, taken, refused int, last string) {
		in := `<a><c>` + strings.Repeat("x", context) + `</c>` + strings.Repeat("<r/>", records) + `<c/></a><a><r>end</r></a>`
		e := splitXML(strings.NewReader(in), spec)
		for {
			raw, _, err := e.Next()
			switch {
			case errors.Is(err, io.EOF):
				return given, taken, refused, last
			case errs.Is(err, errs.TooLarge) && strings.Contains(err.Error(), "too long for so many short records"):
				refused++
				continue
			case err != nil:
				t.Fatal(err)
			}
			given, last = given+len(raw), string(raw)
			taken++
		}
	}
	const records = 50_000
	given, taken, refused, last := many(60<<10, records)
	if room := freeAround + perAround*(4*records+60<<10) + 20*records; given > room || taken+refused != records+1 || refused < records/2 || last != "<a><r>end</r></a>" {
		t.Errorf("%d bytes given, %d taken, %d refused, at last %q", given, taken, refused, last)
	}
	if _, taken, refused, _ = many(200, records); refused > 0 || taken != records+1 {
		t.Errorf("of a short context: %d taken, %d refused", taken, refused)
	}
}

func TestSplitXMLEncodings(t *testing.T) {
	spec := xmlSpec{records: []string{"r"}}
	doc := func(encoding string) string {
		return `<?xml version="1.0" encoding="` + encoding + `"?><a><r>é</r></a>`
	}
	utf16 := func(order utf16enc.Endianness, mark utf16enc.BOMPolicy) string {
		s, err := utf16enc.UTF16(order, mark).NewEncoder().String(doc("UTF-16"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(`<?xml version='1.0' encoding='GB2312'?><a><r>文澜</r></a>`)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ in, want string }{
		"utf-8":        {doc("UTF-8"), "é"},
		"its mark":     {"\ufeff" + doc("utf-8"), "é"},
		"latin-1":      {strings.ReplaceAll(doc("ISO-8859-1"), "é", "\xe9"), "é"},
		"said utf-16":  {doc("utf-16"), "é"},
		"utf-16le":     {utf16(utf16enc.LittleEndian, utf16enc.UseBOM), "é"},
		"utf-16be":     {utf16(utf16enc.BigEndian, utf16enc.UseBOM), "é"},
		"without mark": {utf16(utf16enc.BigEndian, utf16enc.IgnoreBOM), "é"},
		"gbk":          {gbk, "文澜"},
	} {
		list := allOf(splitXML(strings.NewReader(c.in), spec))
		if len(list) != 1 || list[0].raw != "<a><r>"+c.want+"</r></a>" {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

func TestSplitXMLWaits(t *testing.T) {
	r, w := io.Pipe()
	e := splitXML(r, xmlSpec{records: []string{"r"}})
	if !e.Waits() {
		t.Error("nothing is read, and it does not wait")
	}
	go func() {
		// As long as the head that tells the encoding.
		_, _ = io.WriteString(w, "<a>"+strings.Repeat(" ", 300)+"<r>1</r><r>2</r>\n")
	}()
	for want := range 2 {
		if _, n, err := e.Next(); err != nil || n != int64(want+1) || e.Waits() != (want == 1) {
			t.Errorf("%d: %v, waits: %v", n, err, e.Waits())
		}
	}
	_ = w.Close()
}

func TestRecordXML(t *testing.T) {
	for in, want := range map[string]string{
		"<r>a\x01b</r>":           "a b",
		"<r>a\xff\xfeb</r>":       "a\ufffdb",
		"<r>a\uffffb</r>":         "a\ufffdb",
		"<r>&eacute;&#x4e2d;</r>": "é中",
		"<r>plain\n</r>":          "plain\n",
	} {
		raw := []byte(in)
		root, warning, err := recordXML(raw)
		if err != nil || warning != "" || root.text() != want || string(raw) != in {
			t.Errorf("%q: %q, %q, %v", in, root.text(), warning, err)
		}
	}
	if root, warning, err := recordXML([]byte("<r>a<b>&nope; c</r>")); err != nil || warning == "" || !strings.Contains(root.text(), "c") {
		t.Errorf("%v, %q, %v", root.text(), warning, err)
	}
	if _, _, err := recordXML([]byte("<")); !errs.Is(err, errs.Refused) {
		t.Errorf("%v", err)
	}
}

// FuzzSplitXML holds the splitter to its bounds, and every record that it gives of a
// well-formed document to being one.
func FuzzSplitXML(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0" encoding="latin1"?><!DOCTYPE a [<!ELEMENT a ANY>]><a x=">"><c/><p:r>1<r/><!-- --><s>2</s></p:r><![CDATA[<r>]]><c>3</c><r/></a>`))
	f.Add([]byte("\xff\xfe<\x00r\x00>\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		spec := xmlSpec{records: []string{"r", "c"}, context: []string{"c"}, skip: []string{"s"}, holds: map[string]string{"c": "b"}}
		fast, slow := allOf(splitXML(bytes.NewReader(data), spec)), allOf(splitXML(iotest.HalfReader(bytes.NewReader(data)), spec))
		if len(fast) != len(slow) {
			t.Fatalf("%d records, and %d when read in pieces", len(fast), len(slow))
		}
		// What encoding/xml takes for a directive is more than XML has.
		plain := bytes.Count(data, []byte("<!")) == bytes.Count(data, []byte("<!--"))+bytes.Count(data, []byte("<![CDATA["))
		root, wellFormed, err := parseXML(data)
		for i, el := range fast {
			if el.raw != slow[i].raw || el.number != int64(i+1) || len(el.raw) > MaxBulkRecord {
				t.Fatalf("record %d (%d): %q, and %q when read in pieces", i+1, el.number, el.raw, slow[i].raw)
			}
			if el.err != nil {
				continue
			}
			if _, warning, bad := recordXML([]byte(el.raw)); plain && err == nil && wellFormed && root != nil && (bad != nil || warning != "") {
				t.Fatalf("%q of %q: %v, %s", el.raw, data, bad, warning)
			}
		}
	})
}

func BenchmarkSplitXML(b *testing.B) {
	one := `<record><leader>00925njm  22002777a 4500</leader><controlfield tag="001">5637241</controlfield><datafield tag="245" ind1="0" ind2="4"><subfield code="a">The Great Ray Charles</subfield><subfield code="h">[sound recording].</subfield></datafield></record>` + "\n"
	data := []byte("<collection>" + strings.Repeat(one, 100_000) + "</collection>")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		e := splitXML(bytes.NewReader(data), xmlSpec{records: []string{"record"}})
		n := 0
		for {
			if _, _, err := e.Next(); err != nil {
				break
			}
			n++
		}
		if n != 100_000 {
			b.Fatal(n)
		}
	}
}
