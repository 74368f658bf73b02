package format

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"wenlan/internal/record"
)

const risSample = "\ufeffExported by somebody\r\n\r\n" + // EndNote
	"TY  - JOUR\r\nAU  - Müller, Jörg\r\nAU  - Smith, John, Jr.\r\nPY  - 2019\r\nDA  - 2019/05/07/\r\nTI  - A title\r\nT2  - Journal of Things\r\nVL  - 12\r\nIS  - 3\r\nSP  - 101\r\nEP  - 110\r\n" +
	"SN  - 1234-5679\r\nDO  - https://doi.org/10.1234/ABC\r\nKW  - one\r\ntwo\r\nthree; four\r\nAB  - First line\r\nsecond line.\r\nUR  - https://x.example/1; https://x.example/2\r\nL1  - internal-pdf://a.pdf\r\nN1  - a note\r\nID  - 17\r\nER  - \r\n\r\n" +
	// Zotero
	"TY  - CHAP\nTI  - A chapter\nA1  - 鲁, 迅\nED  - Editor, Ed\nA4  - Hawkes, David\nBT  - The Book\nT3  - The Series\nSN  - 978-0-14-143951-8\nY1  - 1920///Spring\nLA  - chinese; en\nOP  - 故乡\nC7  - 5\nER  -\n" +
	// ProQuest, with one space, old ends of lines and no ER
	"TY - CONF\rT1 - A paper\rJF - Proceedings\rSN - 0140442935 12345\rPY - 2001/13\rAN - arxiv:2101.00001\rC2 - PMC123\rDB - ProQuest\r" +
	"TY  - XXXX\nTI  - <i>Strange</i> &amp; odd\nPY  - n.d.\nDO  - nonsense\nER  - \n" +
	"TY  - BOOK\nAU  - Nobody\nER  - \nend\n" +
	"TY  - BOOK\nTI  - The last\nDA  - 1900///1900~\nPY  - 1900\nLA  - klingonish"

func TestRIS(t *testing.T) {
	got := readBulk(t, "ris", strings.NewReader(risSample))
	if len(got) != 6 {
		t.Fatalf("%d records", len(got))
	}
	id := func(scheme, value string) record.ID { return record.ID{Scheme: scheme, Value: value} }
	isbn := id("isbn", "9780141439518")
	for i, want := range []record.Record{
		{Title: "A title", Kind: record.Article, Issued: "2019-05-07", Abstract: "First line\nsecond line.",
			Creators:  []record.Creator{{Name: "Jörg Müller", AltNames: []string{"Müller, Jörg"}, Role: "aut"}, {Name: "John Smith Jr.", AltNames: []string{"Smith, John, Jr."}, Role: "aut"}},
			Container: &record.Container{Title: "Journal of Things", Volume: "12", Issue: "3", Pages: "101–110", ISSN: "1234-5679"},
			Subjects:  []record.Subject{{Label: "one"}, {Label: "two"}, {Label: "three"}, {Label: "four"}}, IDs: []record.ID{id("doi", "10.1234/abc"), id("url", "https://x.example/1"), id("url", "https://x.example/2")}},
		{Title: "A chapter", Kind: record.Chapter, Issued: "1920-21", Languages: []string{"zh", "en"},
			Creators: []record.Creator{{Name: "鲁迅", Role: "aut"}, {Name: "Ed Editor", AltNames: []string{"Editor, Ed"}, Role: "edt"},
				{Name: "David Hawkes", AltNames: []string{"Hawkes, David"}, Role: "trl"}},
			Container: &record.Container{Title: "The Book", Pages: "5"}, Relations: []record.Relation{{Type: "translation_of", Title: "故乡"}, {Type: "part_of", ID: &isbn, Title: "The Book"}}},
		{Title: "A paper", Kind: record.Article, Issued: "2001", Container: &record.Container{Title: "Proceedings"}, IDs: []record.ID{id("local", "0140442935"), id("pmcid", "PMC123"), id("arxiv", "2101.00001")}},
		{Title: "Strange & odd", Kind: record.Other, IDs: []record.ID{id("local", "nonsense")}},
		{},
		{Title: "The last", Kind: record.Book, Issued: "1900~"},
	} {
		switch p := got[i]; {
		case p.number != int64(i+1):
			t.Errorf("number %d of %d", p.number, i)
		case want.Title == "":
			if p.err == nil || p.err.Error() != "it has no title" {
				t.Errorf("%d: %v", i, p.err)
			}
		case p.err != nil:
			t.Errorf("%d: %v", i, p.err)
		case !reflect.DeepEqual(p.d.Record, want):
			t.Errorf("%d:\ngot  %+v\nwant %+v", i, p.d.Record, want)
		}
	}
	for i, want := range map[int]string{
		0: "17 map[N1:[a note]] [L1] []", 1: " map[T3:[The Series]] [] []", 2: " map[DB:[ProQuest] TY:[CONF]] [] [the ISBN 0140442935 has a wrong check digit]",
		3: " map[PY:[n.d.] TY:[XXXX]] [] [the date n.d. cannot be read the DOI nonsense has not the form of one]", 5: " map[LA:[klingonish]] [] []",
	} {
		if d := got[i].d; fmt.Sprint(d.ID, " ", d.Extra, " ", d.Left, " ", d.Warnings) != want {
			t.Errorf("%d: %s %v %v %q", i, d.ID, d.Extra, d.Left, d.Warnings)
		}
	}
}

// TestRISLong checks that a record that is too long does not end the stream.
func TestRISLong(t *testing.T) {
	in := "TY  - BOOK\nTI  - A\nER  - \nTY  - BOOK\nAB  - " + strings.Repeat("x", MaxBulkRecord) + "\nER  - \nTY  - BOOK\nTI  - C\nER  - \n"
	var out strings.Builder
	for _, p := range readBulk(t, "ris", strings.NewReader(in)) {
		if p.err != nil {
			fmt.Fprintf(&out, "%d %v;", p.number, p.err)
		} else {
			fmt.Fprintf(&out, "%d %s;", p.number, p.d.Record.Title)
		}
	}
	if want := "1 A;2 " + errTooLong().Error() + ";3 C;"; out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func FuzzRIS(f *testing.F) {
	f.Add([]byte(risSample))
	f.Add([]byte("TY  - JOUR\nER  - \nTY  - "))
	f.Fuzz(func(t *testing.T, data []byte) {
		for i, p := range readBulk(t, "ris", bytes.NewReader(data)) {
			if p.number != int64(i+1) {
				t.Fatal(p.number)
			}
			if p.err == nil {
				checkRecord(t, p.d.Record)
			}
		}
	})
}
