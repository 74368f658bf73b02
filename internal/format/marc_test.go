package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/unicode/norm"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// makeMARC is a record of ISO 2709. Each field is its tag, for a data field the
// indicators, and the value, in which $ stands for the delimiter: "245 10$aTitle".
func makeMARC(leader string, fields ...string) []byte {
	var directory, data []byte
	for _, f := range fields {
		tag, value := f[:3], f[3:]
		if !isControlTag(tag) {
			value = strings.ReplaceAll(strings.TrimPrefix(value, " "), "$", "\x1f")
		} else {
			value = value[1:]
		}
		directory = fmt.Appendf(directory, "%s%04d%05d", tag, (len(value)+1)%10000, len(data)%100000)
		data = append(append(data, value...), marcFieldEnd)
	}
	directory = append(directory, marcFieldEnd)
	base := marcLeader + len(directory)
	length := base + len(data) + 1
	out := fmt.Appendf(nil, "%05d%s22%05d%s4500", min(length, 99999), leader[5:10], min(base, 99999), leader[17:20])
	out = append(append(out, directory...), data...)
	return append(out, marcRecordEnd)
}

const marcBook = "00000nam a2200000 a 4500"

func readMARC(t *testing.T, raw []byte) *Described {
	t.Helper()
	form, err := FindBulk("marc")
	if err != nil {
		t.Fatal(err)
	}
	d, err := form.Parse(raw)
	if err != nil {
		t.Fatalf("%v: %q", err, raw)
	}
	if !d.Deleted {
		checkRecord(t, d.Record)
	}
	return d
}

// marcFile is every record of a file, or the reason why it was refused.
func marcFile(t *testing.T, name, path string) (list []*Described, refused []string) {
	t.Helper()
	form, err := FindBulk(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := Decompress(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, el := range allOf(form.Elements(r)) {
		if el.err != nil {
			t.Fatalf("%s: %d: %v", path, el.number, el.err)
		}
		d, err := form.Parse([]byte(el.raw))
		if err != nil {
			refused = append(refused, err.Error())
			continue
		}
		list = append(list, d)
	}
	return list, refused
}

// TestMARCFiles reads every file there is: as many records as the files have, and the
// right ones.
func TestMARCFiles(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "interop", "marc")
	files, err := filepath.Glob(filepath.Join(dir, "*.m*"))
	if err != nil || len(files) != 29 {
		t.Fatal(len(files), err)
	}
	titles := map[string]string{
		"245_no_ab.marc": "Papers", "880_with_no_6.utf8.marc": "Личные архивные фонды в государственных хранилищах СССР: указатель", "bad_subfield_code.marc": "Les corps étrangers, roman",
		"date_resort_to_260.marc": "DAWN annual report", "date_resort_to_264.marc": "Understanding Kashmir and Kashmiris", "date_type_r_missing_date2.marc": "The judgment of a Catholicke English-man living in banishment for his religion (1608)",
		"date_with_u.marc": "The educational circular", "emptyish_record.marc": "Collection la philosophie en effet", "george_eliot.marc": "Rereading George Eliot: changing responses to her experiments in life",
		"hebrew880s.marc": "אנרכיזם ב״ציון״: בין מרטין בובר לאהרן דוד גורדון", "iso639-3_lang.marc": "Alpha Crucis: contemporary African art", "louis_armstrong.marc": "Louis Armstrong",
		"manufacturing_consent.marc": "Manufacturing consent: the political economy of the mass media", "manuscript_online_thesis.marc": "Capetian women and their books: art, ideology, and dynastic continuity in medieval France",
		"microform_online_conference.marc": "Proceedings, the fourth Conference on Artificial Intelligence Applications: Sheraton Harbor Island Hotel, San Diego, California, March 14-18, 1988",
		"missing-second-date.marc":         "Plan de la ville de Puiçerda: pris en 1678", "multi_era.marc": "Uncloistered virtue: English political literature, 1640-1660", "multi_geo.marc": "Lamps of the Roman period, first to seventh century after Christ",
		"musical_cage.marc": "Lou Harrison, Harry Partch, John Cage", "nature.marc": "Nature", "one-marc8.mrc": "Por uma outra globalização: do pensamemto único à consciência universal", "online_only.marc": "The Best Business Books Ever",
		"packed_041a_lang.marc": "Proverbs. Proverbes. Sprichwörter. Proverbi. Proverbios. Poslovit͡sy (romanized form): A comparative book of English, French, German, Italian, Spanish and Russian proverbs with a Latin appendix",
		"the_business_ren.marc": "The Business renaissance quarterly",
	}
	dates := map[string]string{
		"date_resort_to_260.marc": "1980/..", "date_resort_to_264.marc": "2015", "date_type_r_missing_date2.marc": "1957", "date_with_u.marc": "184X/18XX", "missing-second-date.marc": "1678", "nature.marc": "1869/..", "245_no_ab.marc": "1917/1950",
	}
	untitled := []string{"it has no title"} // and they have none
	for _, path := range files {
		name := filepath.Base(path)
		switch {
		case strings.HasPrefix(name, "test_data"):
			form := "marc"
			if strings.HasSuffix(name, ".xml") {
				form = "marcxml"
			}
			if list, refused := marcFile(t, form, path); len(list) != 30 || len(refused) != 0 {
				t.Errorf("%s: %d records, %q", name, len(list), refused)
			}
		case titles[name] == "":
			if list, refused := marcFile(t, "marc", path); len(list) != 0 || !slices.Equal(refused, untitled) {
				t.Errorf("%s: %d, %q", name, len(list), refused)
			}
		default:
			list, refused := marcFile(t, "marc", path)
			if len(list) != 1 || len(refused) != 0 {
				t.Errorf("%s: %d, %q", name, len(list), refused)
				continue
			}
			checkRecord(t, list[0].Record)
			if got := list[0].Record.Title; got != titles[name] {
				t.Errorf("%s: title %q", name, got)
			}
			if want := dates[name]; want != "" && list[0].Record.Issued != want {
				t.Errorf("%s: date %q, not %q", name, list[0].Record.Issued, want)
			}
		}
	}
}

// TestMARCSame holds the two forms of the same records to each other.
func TestMARCSame(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "interop", "marc")
	a, _ := marcFile(t, "marc", filepath.Join(dir, "test_data.utf8.mrc"))
	b, _ := marcFile(t, "marcxml", filepath.Join(dir, "test_data.utf8.marc.xml"))
	c, _ := marcFile(t, "marc", filepath.Join(dir, "test_data.utf8.mrc.gz"))
	if len(a) != 30 || len(b) != 30 || len(c) != 30 {
		t.Fatal(len(a), len(b), len(c))
	}
	for i := range a {
		for _, other := range []*Described{b[i], c[i]} {
			other.Warnings = a[i].Warnings
			if !reflect.DeepEqual(a[i], other) {
				x, _ := json.Marshal(a[i])
				y, _ := json.Marshal(other)
				t.Errorf("%d:\n%s\n%s", i+1, x, y)
			}
		}
	}
}

// TestMARCAgainstYaz compares the fields of every record with what yaz-marcdump reads.
func TestMARCAgainstYaz(t *testing.T) {
	yaz := needYaz(t)
	files, err := filepath.Glob(filepath.Join(testdata.Dir(t), "interop", "marc", "*.m*"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, path := range files {
		name := filepath.Base(path)
		if strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".xml") || strings.HasPrefix(name, "bad_") {
			continue // it reads none of the first, and gives bad bytes on
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"-i", "marc", "-o", "line", path}
		if raw[9] != 'a' {
			args = append([]string{"-f", "marc-8", "-t", "utf-8"}, args...)
		}
		want, err := exec.Command(yaz, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, el := range allOf(newMARC(bytes.NewReader(raw))) {
			m := new(marcRecord)
			if err := m.decode([]byte(el.raw)); err != nil {
				t.Fatal(name, err)
			}
			got.WriteString(m.leader + "\n")
			for i := range m.fields {
				f := &m.fields[i]
				if isControlTag(f.tag) {
					got.WriteString(f.tag + " " + f.value + "\n")
					continue
				}
				got.WriteString(f.tag + " " + string(rune(f.ind1)) + string(rune(f.ind2)))
				for _, s := range m.of(f) {
					got.WriteString(" $" + string(rune(s.code)) + " " + s.value)
				}
				got.WriteString("\n")
			}
			got.WriteString("\n")
			compared++
		}
		a, b := marcLines(got.String()), marcLines(string(want))
		if len(a) != len(b) {
			t.Errorf("%s: %d lines, not %d", name, len(a), len(b))
			continue
		}
		for i := range a {
			if a[i] != b[i] {
				t.Errorf("%s:\n%q\n%q", name, a[i], b[i])
			}
		}
	}
	if compared < 50 {
		t.Errorf("%d records", compared)
	}
}

// marcLines are lines in which differences that mean nothing are gone.
func marcLines(s string) []string {
	s = strings.NewReplacer("&#xFFFD;", "\ufffd").Replace(s)
	m := &marcRecord{subs: []marcSub{{value: s}}}
	m.each(func(s string) string { return norm.NFC.String(s) })
	var out []string
	for line := range strings.Lines(m.subs[0].value) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && !isLeaderLine(line) {
			out = append(out, line)
		}
	}
	return out
}

// isLeaderLine: yaz gives leaders with lengths of its own.
func isLeaderLine(line string) bool {
	_, ok := number(line[:min(5, len(line))])
	return ok && len(line) >= 20
}

func needYaz(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("yaz-marcdump")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("yaz-marcdump is not installed (Debian's yaz)")
	}
	return path
}

func TestMARCStream(t *testing.T) {
	one := string(makeMARC(marcBook, "001 1", "245 00$aOne"))
	two := string(makeMARC(marcBook, "001 2", "245 00$aTwo"))
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":                  {"", nil},
		"white space":              {" \r\n\x00\x1a", nil},
		"two":                      {one + two, []string{one, two}},
		"line ends between":        {"\ufeff" + one + "\r\n" + two + "\n\x1a", []string{one, two}},
		"the first lost its end":   {strings.TrimSuffix(one, "\x1d") + two, []string{strings.TrimSuffix(one, "\x1d"), two}},
		"cut off in the middle":    {one[:40] + two, []string{one[:40], two}},
		"junk before":              {"junk" + one, []string{"junk", one}},
		"junk between":             {one + "<html>no</html>" + two, []string{one, "<html>no</html>", two}},
		"cut off at the end":       {one + two[:50], []string{one, two[:50]}},
		"a wrong length":           {"00050" + one[5:] + two, []string{"00050" + one[5:], two}},
		"no record":                {"hello", []string{"hello"}},
		"an empty one between two": {one + "\x1d" + two, []string{one, two}},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
			var got []string
			for i, el := range allOf(newMARC(r)) {
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

	long := one + strings.Repeat("x", MaxBulkRecord+1) + "\x1d" + two
	list := allOf(newMARC(strings.NewReader(long)))
	if len(list) != 3 || !errs.Is(list[1].err, errs.TooLarge) || list[1].number != 2 || list[2].raw != two || list[2].number != 3 {
		t.Errorf("after one that is too long: %d, %v", len(list), list[1].err)
	}
	list = allOf(newMARC(strings.NewReader("<?xml version='1.0'?><collection/>")))
	if len(list) != 1 || !errs.Is(list[0].err, errs.Corrupt) || list[0].err.Error() != "this is XML and not ISO 2709" {
		t.Errorf("XML: %v", list)
	}
	broken := errors.New("the disk is gone")
	list = allOf(newMARC(io.MultiReader(strings.NewReader(one+two[:30]), iotest.ErrReader(broken))))
	if len(list) != 2 || !errs.Is(list[1].err, errs.Corrupt) || list[1].number != 2 {
		t.Errorf("a broken stream: %v", list)
	}
	e := newMARC(strings.NewReader(one + two))
	if !e.Waits() {
		t.Error("a stream of which nothing was read does not wait")
	}
	if _, _, err := e.Next(); err != nil || e.Waits() {
		t.Error(err, e.Waits())
	}
}

func TestMARCMended(t *testing.T) {
	const mended = "its leader or directory gives wrong lengths; its fields were told by their ends"
	good := string(makeMARC(marcBook, "001 1", "245 10$aA title :$ba subtitle.", "500  $aA note."))
	long := string(makeMARC(marcBook, "001 1", "245 10$aLong", "505 0 $a"+strings.Repeat("contents ", 3000), "505 0 $a"+strings.Repeat("contents ", 9000), "700 1 $aLast, First"))
	if len(long) < 99_999 {
		t.Fatal(len(long))
	}
	for name, raw := range map[string]string{
		"a wrong length":          "00001" + good[5:],
		"letters for the length":  "xxxxx" + good[5:],
		"a wrong base":            good[:12] + "00025" + good[17:],
		"a length too long":       good[:27] + "0009" + good[31:],
		"lengths in characters":   strings.Replace(good, "subtitle", "sübtitle", 1),
		"the directory of a tape": good[:24+12+7] + "00003" + good[24+12+12:],
	} {
		d := readMARC(t, []byte(raw))
		if !slices.Contains(d.Warnings, mended) || !strings.HasPrefix(d.Record.Title, "A title: a s") || d.ID != "1" || d.Extra["500"][0] != "A note." {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if d := readMARC(t, []byte(long)); d.Record.Title != "Long" || len(d.Record.Creators) != 1 || d.Record.Creators[0].Name != "First Last" || !slices.Contains(d.Warnings, mended) {
		t.Errorf("longer than 99,999 bytes: %+v", d)
	}

	form, _ := FindBulk("marc")
	for raw, want := range map[string]string{
		"hello": "it is no MARC record: 5 bytes are too few",
		"hello, this is no record of MARC at all":                          "it is no MARC record: no leader begins it and no terminator ends it",
		good[:len(good)-5]:                                                 fmt.Sprintf("it is cut off: its leader says %d bytes, and there are %d without an end", len(good), len(good)-5),
		strings.Replace(good, "\x1e500", "500", 1):                         "",
		good[:24] + "\x1e" + good[24:]:                                     "it has no directory",
		good[:30] + good[31:]:                                              "its directory has 35 bytes, which is no whole number of entries",
		strings.Replace(good, "\x1f", "\x1e", 1):                           "its directory names 3 fields, and there are 4",
		"\x01" + good[1:]:                                                  "it does not begin with a leader",
		string(makeMARC(marcBook, "001 1", "500  $aNo.")):                  "it has no title",
		string(makeMARC("00000nz  a2200000n  4500", "001 1", "100 1 $aX")): "it is an authority record, and describes no work",
		string(makeMARC("00000nx  a2200000n  4500", "001 1", "245 1 $aX")): "it is a holdings record, and describes no work",
	} {
		if want == "" {
			continue
		}
		d, err := form.Parse([]byte(raw))
		if err == nil || !errs.Is(err, errs.Refused) || err.Error() != want {
			t.Errorf("%.60q: %v, %+v", raw, err, d)
		}
	}
	d, err := form.Parse(makeMARC("00000dam a2200000 a 4500", "001 7", "003 X", "245 00$aGone"))
	if err != nil || !d.Deleted || d.ID != "(X)7" {
		t.Errorf("deleted: %v, %+v", err, d)
	}
	raw, err := os.ReadFile(filepath.Join(testdata.Dir(t), "malformed", "marc-truncated.mrc"))
	if err != nil {
		t.Fatal(err)
	}
	if d := readMARC(t, raw); d.Record.Title != "X" || !slices.Contains(d.Warnings, mended) {
		t.Errorf("%+v", d)
	}
}

func TestMARCCharacters(t *testing.T) {
	for name, c := range map[string]struct{ leader, title, want, warning string }{
		"UTF-8":                       {"a", "Ŝatalit\xcc\xa7", "Ŝataliţ", ""},
		"UTF-8 that is called MARC-8": {" ", "Café 中文", "Café 中文", "its leader says MARC-8, and it is UTF-8"},
		"MARC-8":                      {" ", "Caf\xe2e", "Café", ""},
		"MARC-8 that is called UTF-8": {"a", "Caf\xe2e na\xe8ive \xe1a la \xe3ile \xf0ca", "Café naïve à la île ça", "its leader says UTF-8, and it is MARC-8"},
		"Windows-1252":                {"a", "Caf\xe9, na\xefve, \xe0 la c\xf4te \x93x\x94", "Café, naïve, à la côte “x”", "its leader says UTF-8, and it is not; it was read as Windows-1252"},
		"one bad byte":                {"a", "Café \xff naïve Ülo", "Café naïve Ülo", "bytes that are not UTF-8 were left out"},
		"references in MARC-8":        {" ", "&#x4E2D;&#x6587; & so", "中文 & so", ""},
		"what MARC-8 does not have":   {" ", "A\xbfB", "AB", "characters that MARC-8 does not have were left out"},
		"ligatures in halves":         {"a", "Soi\ufe20u\ufe21z", "Soi͡uz", ""},
		"marks of direction":          {"a", "\u200fספר :\u200f", "ספר", ""},
	} {
		leader := marcBook[:9] + c.leader + marcBook[10:]
		d := readMARC(t, makeMARC(leader, "001 1", "245 00$a"+c.title))
		if d.Record.Title != c.want || c.warning != "" && !slices.Contains(d.Warnings, c.warning) || c.warning == "" && len(d.Warnings) > 0 {
			t.Errorf("%s: %q, %q", name, d.Record.Title, d.Warnings)
		}
	}
}

func FuzzBulkMARC(f *testing.F) {
	f.Add(makeMARC(marcBook, "001 1", "003 X", "008 000000s1999    xx ||||||||||||||||||eng|d", "100 1 $6880-01$aLu, Xun", "245 10$aA :$bb =$bc /$cd", "700 1 $aX$tY", "880 1 $6100-01/$1$a鲁迅"))
	f.Add(makeMARC(marcBook[:9]+" "+marcBook[10:], "020  $a0-123", "245 10$a\x1b$1!0!\x1b(B\xe2e", "773 0 $tJ$gVol. 1, no. 2, p. 3-4", "776 08$z123"))
	f.Add([]byte("99999nam a2200025 a 450024500070000000\x1e10\x1faX\x1e\x1d"))
	form, _ := FindBulk("marc")
	f.Fuzz(func(t *testing.T, data []byte) {
		last := int64(0)
		n := 0
		for _, el := range allOf(form.Elements(bytes.NewReader(data))) {
			if el.number != last+1 || len(el.raw) > MaxBulkRecord {
				t.Fatalf("%d after %d", el.number, last)
			}
			last, n = el.number, n+len(el.raw)
			if el.err != nil {
				continue
			}
			d, err := form.Parse([]byte(el.raw))
			if err != nil {
				if !errs.Is(err, errs.Refused) || strings.Contains(err.Error(), "\n") {
					t.Fatal(err)
				}
				continue
			}
			if d.Deleted {
				continue
			}
			checkRecord(t, d.Record)
			checkExtra(t, d)
			var b bytes.Buffer
			w := newMARCXMLWriter(&b)
			if w.Write(Exported{Number: 1, Record: d.Record}) != nil || w.Close() != nil {
				t.Fatal("it cannot be written")
			}
			list := allOf(newMARCXML(&b))
			if len(list) != 1 || list[0].err != nil {
				t.Fatalf("%d records come back: %v", len(list), list)
			}
			if back, err := parseMARCXML([]byte(list[0].raw)); err != nil || back.Record.Title != d.Record.Title {
				t.Fatalf("%q comes back as %v, %v", d.Record.Title, back, err)
			}
		}
		if n > len(data) {
			t.Fatal("more bytes come out than went in")
		}
	})
}

func checkExtra(t *testing.T, d *Described) {
	t.Helper()
	if len(d.ExtraJSON()) > record.MaxExtra {
		t.Fatal("the extra is too long")
	}
	for _, values := range d.Extra {
		for _, v := range values {
			for _, c := range v {
				if c != '\n' && !printable(c) {
					t.Fatalf("unprintable %U in %.80q", c, v)
				}
			}
		}
	}
}

func FuzzBulkMARCXML(f *testing.F) {
	f.Add([]byte(`<collection xmlns="http://www.loc.gov/MARC21/slim"><record><leader>00000nam a2200000 a 4500</leader><controlfield tag="001">1</controlfield><datafield tag="245" ind1="1" ind2="0"><subfield code="a">T :</subfield><subfield code="b">s</subfield></datafield></record></collection>`))
	f.Add([]byte(`<OAI><record><metadata><m:record><m:datafield tag="880"><m:subfield code="6">245-01</m:subfield><m:subfield code="a">中</m:subfield></m:datafield></m:record></metadata></record></OAI>`))
	form, _ := FindBulk("marcxml")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, el := range allOf(form.Elements(bytes.NewReader(data))) {
			if el.err != nil {
				continue
			}
			d, err := form.Parse([]byte(el.raw))
			if err != nil {
				if !errs.Is(err, errs.Refused) {
					t.Fatal(err)
				}
				continue
			}
			if !d.Deleted {
				checkRecord(t, d.Record)
				checkExtra(t, d)
			}
		}
	})
}
