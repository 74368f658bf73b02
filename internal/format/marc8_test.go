package format

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestMARC8(t *testing.T) {
	for name, c := range map[string]struct {
		in, want string
		bad      int
	}{
		"plain":                       {"Plain text & more", "Plain text & more", 0},
		"letters of ANSEL":            {"\xb2re \xa5 \xb5 \xc7 \xc3", "øre Æ æ ß ©", 0},
		"marks before letters":        {"\xe2e \xe8u \xf0c \xe5a", "é ü ç ā", 0},
		"two marks":                   {"\xe3\xf2a", "ậ", 0},
		"a ligature over two":         {"\xebt\xecs", "t͡s", 0},
		"a tilde over two":            {"\xfan\xfbg", "n͠g", 0},
		"Hebrew":                      {"\x1b(2ylem\x1b(B", "שלום", 0},
		"Cyrillic":                    {"\x1b(NmOSKWA\x1b(B", "Москва", 0},
		"Cyrillic of other languages": {"\x1b)Q\xc7\x1b)!E", "ї", 0},
		"Greek":                       {"\x1b(S\x41\x6c\x1b(B", "Αι", 0},
		"Arabic":                      {"\x1b(3\x43\x6a\x1b(B", "أي", 0},
		"Chinese":                     {"\x1b$1!0!\x1b(B", "一", 0},
		"Chinese, space, Latin":       {"\x1b$1!:` !0!\x1b(B ok", "", -1},
		"Chinese in the upper half":   {"\x1b$)1\xa1\xb0\xa1\x1b)!E x", "一 x", 0},
		"superscript":                 {"x\x1bp2\x1bs y", "x² y", 0},
		"subscript":                   {"H\x1bb2\x1bsO", "H₂O", 0},
		"Greek symbol":                {"\x1bga\x1bs-rays", "α-rays", 0},
		"not sorted by":               {"\x88The \x89end", "The end", 0},
		"a reference":                 {"&#x4E2D;&#xZ;&#x110000;", "中&#xZ;&#x110000;", 0},
		"no such code":                {"a\xbfb", "ab", 1},
		"a character cut off":         {"\x1b$1!0", "", 1},
		"an escape cut off":           {"a\x1b", "a", 1},
		"an escape to nowhere":        {"a\x1b(zb", "a(zb", 1},
		"a mark without a letter":     {"a\xe2", "a", 1},
		"marks without end":           {strings.Repeat("\xe2", 100) + "a", "", -1},
		"a full stop amid East Asian": {"\x1b$1!0!!0!\x1b(B.", "一一.", 0},
		"controls":                    {"a\tb\x01c", "a b c", 0},
	} {
		got, bad := decodeMARC8(c.in)
		if c.bad >= 0 && (got != c.want || bad != c.bad) || !utf8.ValidString(got) || len(got) > 3*len(c.in)+100 {
			t.Errorf("%s: %q, %d bad; not %q, %d", name, got, bad, c.want, c.bad)
		}
	}
}

// TestMARC8Table holds the tables to their size, and to what yaz-marcdump makes of each code of EACC.
func TestMARC8Table(t *testing.T) {
	sizes := map[byte]int{0x31: 15741, 0x32: 78, 0x33: 83, 0x34: 90, 0x45: 65, 0x4e: 94, 0x51: 42, 0x53: 73, 0x62: 14, 0x67: 3, 0x70: 14}
	sets := marc8Sets()
	for set, want := range sizes {
		n, last := 0, -1
		for _, run := range sets[set] {
			if int(run.first) <= last {
				t.Errorf("set %x: %x is out of order", set, run.first)
			}
			last = int(run.first) + len(run.chars) - 1
			n += len(run.chars)
		}
		if n != want {
			t.Errorf("set %x has %d codes, not %d", set, n, want)
		}
	}
	if len(sets) != len(sizes) {
		t.Errorf("%d sets", len(sets))
	}
	yaz := needYaz(t)
	var in []byte
	var fields, codes []string
	for _, run := range sets[marc8EACC] {
		for i, r := range run.chars {
			if r == 0x3013 || r == 0x3000 { // yaz has characters of private use where Unicode has none
				continue
			}
			code := run.first + uint32(i)
			one := fmt.Sprintf("\x1b$1%c%c%c\x1b(B", code>>16, code>>8&0xff, code&0xff)
			codes = append(codes, one)
			// Not by makeMARC, which writes $ for the delimiter.
			if fields = append(fields, "500  \x1fa"+one+"|"); len(fields) == 2000 {
				in, fields = append(in, rawMARC(fields)...), nil
			}
		}
	}
	path := filepath.Join(t.TempDir(), "eacc.mrc")
	if err := os.WriteFile(path, append(in, rawMARC(fields)...), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(yaz, "-f", "marc-8", "-t", "utf-8", "-o", "line", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs []string
	for line := range strings.Lines(string(out)) {
		if text, ok := strings.CutPrefix(line, "500    $a "); ok {
			theirs = append(theirs, strings.TrimRight(text, "|\n"))
		}
	}
	if len(theirs) != len(codes) {
		t.Fatalf("%d characters, not %d", len(theirs), len(codes))
	}
	differ := 0
	for i, code := range codes {
		got, bad := decodeMARC8(code)
		if bad != 0 || got != norm.NFC.String(theirs[i]) {
			if differ++; differ < 20 {
				t.Logf("%q: %q, yaz %q", code, got, theirs[i])
			}
		}
	}
	if differ > 2 { // an ellipsis and a quotation mark that catalogues have, and yaz has not
		t.Errorf("%d of %d characters are not those of yaz", differ, len(codes))
	}
}

// rawMARC is a record in MARC-8 of data fields as they are.
func rawMARC(fields []string) []byte {
	var directory, data strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&directory, "%s%04d%05d", f[:3], len(f)-2, data.Len())
		data.WriteString(f[3:] + "\x1e")
	}
	base := marcLeader + directory.Len() + 1
	return fmt.Appendf(nil, "%05dnam  22%05d   4500%s\x1e%s\x1d", base+data.Len()+1, base, directory.String(), data.String())
}

func FuzzMARC8(f *testing.F) {
	f.Add("\x1b$1!0!\x1b(B \xe2e \x1b)Q\xc7")
	f.Add("\x1bp2\x1bs&#x4E2D;")
	f.Fuzz(func(t *testing.T, s string) {
		got, bad := decodeMARC8(s)
		if !utf8.ValidString(got) || bad > len(s) || len(got) > 6*len(s)+16 {
			t.Fatalf("%q: %q, %d", s, got, bad)
		}
	})
}
