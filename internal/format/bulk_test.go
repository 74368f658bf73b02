package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"wenlan/internal/errs"
	"wenlan/internal/testdata"
)

var update = flag.Bool("update", false, "write the golden files anew")

// one is an element of a stream.
type one struct {
	number int64
	raw    string
	err    error
}

// elements takes a stream apart to its end. The last has an error where it breaks off.
func elements(t testing.TB, r io.Reader) (list []one) {
	t.Helper()
	b, err := FindBulk("simple")
	if err != nil {
		t.Fatal(err)
	}
	for e := b.Elements(r); ; {
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

// TestBulkGolden holds what each form makes of a record to testdata/bulk.
func TestBulkGolden(t *testing.T) {
	for name, file := range map[string]string{"simple": "simple.jsonl", "csl": "csl.json", "jsonl": "jsonl.jsonl"} {
		t.Run(name, func(t *testing.T) {
			in, err := os.ReadFile(filepath.Join("testdata", "bulk", file))
			if err != nil {
				t.Fatal(err)
			}
			form, err := FindBulk(name)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for _, el := range elements(t, bytes.NewReader(in)) {
				if el.err != nil {
					t.Fatal(el.err)
				}
				d, err := form.Parse([]byte(el.raw))
				if err != nil {
					t.Fatalf("%d: %v", el.number, err)
				}
				if name != "jsonl" {
					checkRecord(t, d.Record)
				}
				enc := json.NewEncoder(&got)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", " ")
				if err := enc.Encode(d); err != nil {
					t.Fatal(err)
				}
				if name == "jsonl" { // lossless: what comes out says what went in
					var a, b map[string]any
					_ = json.Unmarshal([]byte(el.raw), &a)
					out, _ := json.Marshal(ownRecord{d.Record, d.Files, d.Rights, d.Source, d.Said, d.Others})
					_ = json.Unmarshal(out, &b)
					x, _ := json.Marshal(a)
					y, _ := json.Marshal(b)
					if !bytes.Equal(x, y) {
						t.Errorf("in:  %s\nout: %s", x, y)
					}
				}
			}
			golden := filepath.Join("testdata", "bulk", name+".golden")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s differs (-update writes it anew):\n%s", golden, &got)
			}
		})
	}
}

func TestFindBulk(t *testing.T) {
	for _, name := range []string{"simple", "csl", "jsonl", "oai", "opds"} {
		if b, err := FindBulk(name); err != nil || b.Name != name {
			t.Error(name, err)
		}
	}
	for name, want := range map[string]string{"docx": `there is no format "docx" to import`} {
		if _, err := FindBulk(name); !errs.Is(err, errs.Invalid) || err.Error() != want {
			t.Error(name, err)
		}
	}
}

func TestElements(t *testing.T) {
	long := strings.Repeat("x", MaxBulkRecord+1)
	cut := errs.New(errs.Corrupt, "cut")
	tooLong := errs.New(errs.TooLarge, "long")
	for _, c := range []struct {
		in   string
		want []one
	}{
		{"", nil},
		{" \n\n", nil},
		{"a\n\n b \r\nc", []one{{1, "a", nil}, {3, "b", nil}, {4, "c", nil}}},
		{"\ufeffa\n", []one{{1, "a", nil}}},
		{"\n\na", []one{{3, "a", nil}}},
		{"a\n" + long + "\nb", []one{{1, "a", nil}, {2, "", tooLong}, {3, "b", nil}}},
		{long, []one{{1, "", tooLong}}},
		{"[]", nil},
		{" [ \n] \n", nil},
		{`[{"a":"],}\"["} , 2,"x"]`, []one{{1, `{"a":"],}\"["}`, nil}, {2, "2", nil}, {3, `"x"`, nil}}},
		{`[1,,2]`, []one{{1, "1", nil}, {2, "", nil}, {3, "2", nil}}},
		{`[1,2,]`, []one{{1, "1", nil}, {2, "2", nil}}},
		{`[1,{"a":`, []one{{1, "1", nil}, {2, "", cut}}},
		{`[1`, []one{{1, "", cut}}},
		{`[1] 2`, []one{{1, "1", nil}, {1, "", cut}}},
		{`["` + long + `",2]`, []one{{1, "", tooLong}, {2, "2", nil}}},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.HalfReader(strings.NewReader(c.in))} {
			got := elements(t, r)
			ok := len(got) == len(c.want)
			for i := 0; ok && i < len(got); i++ {
				ok = got[i].number == c.want[i].number && got[i].raw == c.want[i].raw && errs.KindOf(got[i].err) == errs.KindOf(c.want[i].err)
			}
			if !ok {
				t.Errorf("%.60q: %.300v, not %.300v", c.in, got, c.want)
			}
		}
	}
	got := elements(t, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(errors.New("the disk is gone"))))
	if len(got) != 2 || got[1].number != 2 || !errs.Is(got[1].err, errs.Corrupt) {
		t.Error(got)
	}
}

func packed(t testing.TB, text string) (gz, zst []byte) {
	t.Helper()
	var a, b bytes.Buffer
	g := gzip.NewWriter(&a)
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{g, z} {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return a.Bytes(), b.Bytes()
}

func TestDecompress(t *testing.T) {
	text := strings.Repeat("some text to pack, ", 9000)
	gz, zst := packed(t, text)
	skip := []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc") // a skippable frame
	for name, in := range map[string][]byte{"plain": []byte(text), "gzip": gz, "zstd": zst, "skippable": append(skip, zst...),
		"two members": append(bytes.Clone(gz), gz...), "two frames": append(bytes.Clone(zst), zst...), "empty": nil, "short": []byte("ab")} {
		r, err := Decompress(bytes.NewReader(in))
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := io.ReadAll(r)
		want := map[string]string{"two members": text + text, "two frames": text + text, "empty": "", "short": "ab"}
		if w, ok := want[name]; !ok && string(got) != text || ok && string(got) != w || err != nil {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(name, err)
		}
	}
	for _, in := range [][]byte{gz[:len(gz)/2], zst[:len(zst)/2], gz[:4], append(bytes.Clone(gz), "rest"...)} {
		r, err := Decompress(bytes.NewReader(in))
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil {
			t.Error("damaged, and nobody says so")
		}
	}
}

// TestBomb reads what unpacks to an endless line: its record is refused, memory is
// bounded, and what follows is read.
func TestBomb(t *testing.T) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 200 {
		_, _ = z.Write(zeros)
	}
	_, _ = io.WriteString(z, "\n{}\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Decompress(&b)
	if err != nil {
		t.Fatal(err)
	}
	got := elements(t, r)
	if len(got) != 2 || !errs.Is(got[0].err, errs.TooLarge) || got[1].raw != "{}" {
		t.Errorf("%.200v", got)
	}
}

func TestBulkRefuses(t *testing.T) {
	sum := strings.Repeat("a", 64)
	for _, c := range []struct{ form, in string }{
		{"simple", ``}, {"simple", `{`}, {"simple", `[]`}, {"simple", `"x"`}, {"simple", `{}`}, {"simple", `{"title":" \u0000 "}`}, {"simple", `{"title":"x"} 2`},
		{"simple", `{"title":"x","id":"` + strings.Repeat("y", maxValue+1) + `"}`},
		{"csl", `null`}, {"csl", `{"title":5,"author":"x"}`}, {"csl", `{"id":"x"}`},
		{"jsonl", `{"title":"x"}`}, {"jsonl", `{"record":{"title":" "}}`}, {"jsonl", `{"record":{"title":"x","extra":1}}`}, {"jsonl", `{"record":{"title":"x"},"record":{"title":"x"}}`},
		{"jsonl", `{"record":{"title":"x"},"files":[{"sha256":"x","bytes":1,"name":"a"}]}`}, {"jsonl", `{"record":{"title":"x"},"files":[{"sha256":"` + sum + `","bytes":1,"name":"../a"}]}`},
		{"jsonl", `{"record":{"title":"x"},"rights":{"access":"open"}}`}, {"jsonl", `{"record":{"title":"x"},"source":{"name":"x","digest":"y"}}`},
		{"jsonl", `{"record":{"title":"x"},"source":{"name":"x\u0001"}}`}, {"jsonl", `{"record":{"title":"x"},"source":{"name":"x","id":"a\nb"}}`}, {"jsonl", "{\"record\":{\"title\":\"\xff\"}}"},
	} {
		form, err := FindBulk(c.form)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := form.Parse([]byte(c.in)); !errs.Is(err, errs.Refused) || err.Error() == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %.80s: %v %v", c.form, c.in, d, err)
		}
	}
}

// TestRealRecords reads every record there is, of all four sources.
func TestRealRecords(t *testing.T) {
	form, err := FindBulk("simple")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"acl-anthology": 52507, "arxiv": 90124, "goodbooks": 8493, "kanripo-catalogue": 8638} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(filepath.Join(testdata.Dir(t), "records", name+".jsonl.zst"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := Decompress(f)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			read, creators, dated := 0, 0, 0
			for e := form.Elements(r); ; {
				raw, n, err := e.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(n, err)
				}
				d, err := form.Parse(raw)
				if err != nil || d.ID == "" {
					t.Fatalf("%d: %v", n, err)
				}
				if n%50 == 0 {
					checkRecord(t, d.Record)
				}
				read++
				if len(d.Record.Creators) > 0 {
					creators++
				}
				if d.Record.Issued != "" {
					dated++
				}
			}
			t.Logf("%d records, %d with creators, %d with a date", read, creators, dated)
			if read != want || creators*10 < read*8 {
				t.Errorf("%d records, not %d; %d with creators", read, want, creators)
			}
		})
	}
}

func fuzzBulk(f *testing.F, name, file string) {
	form, err := FindBulk(name)
	if err != nil {
		f.Fatal(err)
	}
	in, err := os.ReadFile(filepath.Join("testdata", "bulk", file))
	if err != nil {
		f.Fatal(err)
	}
	for _, el := range elements(f, bytes.NewReader(in)) {
		f.Add([]byte(el.raw))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := form.Parse(data)
		if err != nil {
			if !errs.Is(err, errs.Refused) {
				t.Fatal(err)
			}
			return
		}
		if name != "jsonl" {
			checkRecord(t, d.Record)
		}
	})
}

func FuzzBulkSimple(f *testing.F) { fuzzBulk(f, "simple", "simple.jsonl") }
func FuzzBulkCSL(f *testing.F)    { fuzzBulk(f, "csl", "csl.json") }
func FuzzBulkOwn(f *testing.F)    { fuzzBulk(f, "jsonl", "jsonl.jsonl") }

func FuzzElements(f *testing.F) {
	gz, zst := packed(f, `[{"a":1},{"b":"]"}]`)
	f.Add(gz)
	f.Add(zst)
	f.Add([]byte("{}\n\n{}"))
	f.Add([]byte(`[{"a":"\"]"},[1],2]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decompress(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer r.Close()
		last := int64(0)
		for _, el := range elements(t, io.LimitReader(r, 4<<20)) {
			if el.number < last || len(el.raw) > MaxBulkRecord {
				t.Fatalf("%d after %d, %d bytes", el.number, last, len(el.raw))
			}
			last = el.number
		}
	})
}

func TestIsClean(t *testing.T) {
	for _, s := range []string{"", " ", "a", " a", "a ", "a b", "a  b", "a\u00a0b", "a\u3000b", "a\nb", "a\tb", "é 中", "\xff", "\ufffd", "a\u202eb", "\x7f", "abc", "abcd", "ab d", "中文字数"} {
		for _, limit := range []int{0, 3, 100} {
			if isClean(s, limit) && (clean(s+" ", limit, true) != s || clean(s+" ", limit, false) != s) {
				t.Errorf("%q is not clean at %d", s, limit)
			}
		}
	}
	if !isClean("Poset “topology” of 中文", 100) || isClean("abcd", 3) || isClean("a  b", 9) {
		t.Error("what is clean is not told")
	}
}
