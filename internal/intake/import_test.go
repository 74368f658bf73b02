package intake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"wenlan/internal/app"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/intake"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// imports runs an import of texts, all of which have the source name "src" unless
// opt says otherwise.
func imports(t *testing.T, in *intake.Intake, name string, opt intake.ImportOptions, texts ...string) ([]intake.Outcome, intake.Summary) {
	t.Helper()
	form, err := format.FindBulk(name)
	if err != nil {
		t.Fatal(err)
	}
	var files []intake.ImportFile
	for i, text := range texts {
		files = append(files, intake.ImportFile{Path: "/x/src.jsonl", Input: fmt.Sprint("f", i+1), Reader: strings.NewReader(text)})
	}
	var outs []intake.Outcome
	sum, err := in.Import(t.Context(), form, files, opt, func(o intake.Outcome) { outs = append(outs, o) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return outs, sum
}

// said is the outcomes in short: "f1:2 known 5; …".
func said(outs []intake.Outcome) string {
	var list []string
	for _, o := range outs {
		s := fmt.Sprintf("%s %s", o.Input, o.Status)
		if o.Record >= 0 {
			s += fmt.Sprintf(" %d", o.Record)
		}
		if len(o.Duplicates) > 0 {
			s += fmt.Sprint(" like ", o.Duplicates)
		}
		list = append(list, s)
	}
	return strings.Join(list, "; ")
}

func expect(t *testing.T, outs []intake.Outcome, want string) {
	t.Helper()
	if got := said(outs); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
		for _, o := range outs {
			if o.Err != nil {
				t.Log(o.Err)
			}
		}
	}
}

func TestImport(t *testing.T) {
	l, in := library(t, nil)
	none := intake.ImportOptions{}
	first := `{"id":"a","title":"One","authors":["Ann"],"year":"1900","publisher":"P"}
{"id":"b","title":"Two","doi":"10.1234/x"}

not json
{"id":"c","authors":["nobody"]}
{"id":"d","title":"One","authors":["Ann"]}`
	outs, _ := imports(t, in, "simple", none, first)
	expect(t, outs, "f1:1 added 1; f1:2 added 2; f1:4 refused; f1:5 refused; f1:6 added 3 like [1]")
	if e := outs[2].Err.Error(); !strings.HasPrefix(e, "f1:4: it is not JSON") || strings.Contains(e, "\n") {
		t.Error(e)
	}
	size := l.Register.Size()
	outs, sum := imports(t, in, "simple", none, first)
	expect(t, outs, "f1:1 known 1; f1:2 known 2; f1:4 refused; f1:5 refused; f1:6 known 3")
	if l.Register.Size() != size || sum != (intake.Summary{Known: 3, Refused: 2}) {
		t.Errorf("%d entries more, %+v", l.Register.Size()-size, sum)
	}

	// What looks the same in another source is a record of its own, and said to be.
	outs, _ = imports(t, in, "simple", intake.ImportOptions{Source: "other"}, `{"id":"a","title":"2","doi":"https://doi.org/10.1234/X"}
{"id":"z","title":"zwei","doi":"10.1234/x"}`)
	expect(t, outs, "f1:1 added 4 like [2]; f1:2 added 5 like [2 4]")

	// A librarian corrects the title; the source then says all anew, and leaves out
	// the publisher.
	n := int64(1)
	raw, err := record.Encode(record.Entry{Type: record.TypeRevision, Time: time.Now(), Of: &n, Patch: []byte(`{"title":"Won","place":"Q"}`), Source: &record.Source{Name: record.Librarian}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), [][]byte{raw}); err != nil {
		t.Fatal(err)
	}
	outs, _ = imports(t, in, "simple", none, `{"id":"a","title":"Uno","authors":["Ann"],"year":"1901"}`)
	expect(t, outs, "f1:1 revised 1")
	if r := state(t, l, 1).Record; r.Title != "Won" || r.Issued != "1901" || r.Publisher != "" || r.Place != "Q" {
		t.Errorf("%+v", r)
	}
	st := state(t, l, 1)
	if last := st.History[len(st.History)-1]; last.Type != record.TypeRevision || last.Note != "issued, publisher, title" {
		t.Errorf("%+v", last)
	}
	outs, _ = imports(t, in, "simple", none, `{"id":"a","title":"Uno","authors":["Ann"],"year":"1901"}`)
	expect(t, outs, "f1:1 known 1")
	// And back again.
	outs, _ = imports(t, in, "simple", none, first)
	expect(t, outs, "f1:1 revised 1; f1:2 known 2; f1:4 refused; f1:5 refused; f1:6 known 3")
	if r := state(t, l, 1).Record; r.Title != "Won" || r.Issued != "1900" || r.Publisher != "P" {
		t.Errorf("%+v", r)
	}
}

// TestImportExportedTwins: two records of one DOI, which a library may have, go out as
// Crossref's JSON and come in again as two, one like the other.
func TestImportExportedTwins(t *testing.T) {
	text := ""
	for i, title := range []string{"Optimal Partitions", "Stable partitions"} {
		line, err := format.Text("crossref", format.Exported{Number: int64(i + 7), Record: record.Record{Title: title, Kind: record.Article, IDs: []record.ID{{Scheme: "doi", Value: "10.1234/x"}}}})
		if err != nil {
			t.Fatal(err)
		}
		text += line
	}
	l, in := library(t, nil)
	outs, _ := imports(t, in, "crossref", intake.ImportOptions{}, text)
	expect(t, outs, "f1:1 added 1; f1:2 added 2 like [1]")
	if a, b := state(t, l, 1).Record, state(t, l, 2).Record; a.Title != "Optimal Partitions" || b.Title != "Stable partitions" || !slices.Equal(a.IDs[:1], b.IDs[:1]) {
		t.Errorf("%+v\n%+v", a, b)
	}
	outs, _ = imports(t, in, "crossref", intake.ImportOptions{}, text)
	expect(t, outs, "f1:1 known 1; f1:2 known 2")
}

// TestImportTwiceInAFile: an id counts once in a file, and in a later file anew.
func TestImportTwiceInAFile(t *testing.T) {
	l, in := library(t, nil)
	text := `{"id":"a","title":"One"}
{"id":"a","title":"Two"}
{"id":"a","title":"One"}`
	outs, _ := imports(t, in, "simple", intake.ImportOptions{}, text, `{"id":"a","title":"Three"}`)
	expect(t, outs, "f1:1 added 1; f1:2 refused; f1:3 known 1; f2:1 revised 1")
	for range 2 {
		outs, _ = imports(t, in, "simple", intake.ImportOptions{}, text)
		if title := state(t, l, 1).Record.Title; title != "One" {
			t.Error(title)
		}
	}
	expect(t, outs, "f1:1 known 1; f1:2 refused; f1:3 known 1")

	// Also where another batch took in the first.
	var long strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&long, "{\"id\":\"%d\",\"title\":\"Title %d\"}\n", i%8999, i)
	}
	for _, want := range []intake.Summary{{Added: 8999, Refused: 1}, {Known: 8999, Refused: 1}} {
		if _, sum := imports(t, in, "simple", intake.ImportOptions{}, long.String()); sum != want {
			t.Errorf("%+v, not %+v", sum, want)
		}
	}
}

func TestImportCSL(t *testing.T) {
	l, in := library(t, nil)
	text := `[{"id":"x","title":"One","type":"book","author":[{"family":"鲁","given":"迅"}]}, {"title":"Two"}, 5, {"title":"Three"}`
	outs, _ := imports(t, in, "csl", intake.ImportOptions{}, text)
	expect(t, outs, "f1:1 added 1; f1:2 added 2; f1:3 refused; f1:4 refused")
	if r := state(t, l, 1).Record; r.Creators[0].Name != "鲁迅" {
		t.Errorf("%+v", r)
	}
	if st := state(t, l, 2); !strings.HasPrefix(st.Sources[0].ID, "sha256:") {
		t.Errorf("%+v", st.Sources)
	}
	outs, _ = imports(t, in, "csl", intake.ImportOptions{}, text+"]")
	expect(t, outs, "f1:1 known 1; f1:2 known 2; f1:3 refused; f1:4 added 3")
}

func TestImportOwn(t *testing.T) {
	l, in := library(t, nil)
	ref, err := l.Blobs.Put(t.Context(), strings.NewReader("the text"))
	if err == nil {
		err = l.Blobs.Flush(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf(`{"sha256":"%s","bytes":%d,"media_type":"text/plain","name":"a.txt","role":"text"}`, ref.SHA256, ref.Bytes)
	missing := strings.Replace(file, ref.SHA256, strings.Repeat("0", 64), 1)
	digest := strings.Repeat("d", 64)
	text := `{"record":{"title":"Bare","kind":"book"},"source":{"name":"there","id":"1","digest":"` + digest + `"}}
{"record":{"title":"With a file"},"files":[` + file + `],"source":{"name":"there","id":"2"}}
{"record":{"title":"Absent"},"files":[` + missing + `]}
{"record":{"title":"Stated"},"files":[` + file + `],"rights":{"basis":"licence","licence":"CC-BY-4.0","access":"open"},"source":{"name":"","id":"4"}}
{"record":{"title":"Mine"},"source":{"name":"librarian","id":"4"}}
{"record":{"title":"Short"},"files":[` + strings.Replace(file, fmt.Sprintf(`"bytes":%d`, ref.Bytes), `"bytes":1`, 1) + `]}`
	outs, _ := imports(t, in, "jsonl", intake.ImportOptions{}, text)
	expect(t, outs, "f1:1 added 1; f1:2 needs-rights 2; f1:3 refused; f1:4 added 3; f1:5 refused; f1:6 refused")
	if s := state(t, l, 1).Sources[0]; s.Name != "there" || s.ID != "1" || s.Digest != digest || s.Extra != nil {
		t.Errorf("%+v", s)
	}
	if st := state(t, l, 3); st.Rights.Licence != "CC-BY-4.0" || st.Sources[0].Name != "src" || st.Files[0].SHA256 != ref.SHA256 {
		t.Errorf("%+v", st)
	}
	// The flags speak where the record says nothing, and only where there are files.
	outs, _ = imports(t, in, "jsonl", intake.ImportOptions{Options: intake.Options{Licence: "CC0-1.0"}}, text)
	expect(t, outs, "f1:1 known 1; f1:2 revised 2; f1:3 refused; f1:4 known 3; f1:5 refused; f1:6 refused")
	if a, b, c := state(t, l, 1).Rights, state(t, l, 2).Rights, state(t, l, 3).Rights; a != nil || b.Licence != "CC0-1.0" || c.Licence != "CC-BY-4.0" {
		t.Error(a, b, c)
	}
	outs, _ = imports(t, in, "jsonl", intake.ImportOptions{}, text)
	expect(t, outs, "f1:1 known 1; f1:2 known 2; f1:3 refused; f1:4 known 3; f1:5 refused; f1:6 refused")
	// The source now has a file of the first.
	outs, _ = imports(t, in, "jsonl", intake.ImportOptions{Options: intake.Options{Basis: "public-domain"}}, `{"record":{"title":"Bare","kind":"book"},"files":[`+file+`],"source":{"name":"there","id":"1"}}`)
	expect(t, outs, "f1:1 revised 1")
	if st := state(t, l, 1); len(st.Files) != 1 || st.Rights.Basis != record.PublicDomain {
		t.Errorf("%+v", st)
	}
}

// TestImportLong takes in a record that does not fit into an entry.
func TestImportLong(t *testing.T) {
	l, in := library(t, nil)
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `%s{"name":"A rather long name of a person, number %d"}`, map[bool]string{true: ","}[i > 0], i)
		}
		return `{"record":{"title":"Large","creators":[` + b.String() + `]},"source":{"name":"x","id":"1"}}`
	}
	for i, c := range []struct {
		text, want string
		creators   int
	}{{names(3000), "f1:1 added 1", 3000}, {names(3000), "f1:1 known 1", 3000}, {names(3001), "f1:1 revised 1", 3001}, {strings.Repeat(" ", 1<<20) + names(3001), "f1:1 known 1", 3001},
		{`{"record":{"title":"` + strings.Repeat("x", format.MaxBulkRecord) + `"}}`, "f1:1 refused", 3001}} {
		outs, _ := imports(t, in, "jsonl", intake.ImportOptions{}, c.text)
		if got := said(outs); got != c.want || len(state(t, l, 1).Record.Creators) != c.creators {
			t.Errorf("%d: %s, not %s", i, got, c.want)
		}
	}
}

func TestImportFiles(t *testing.T) {
	_, in := library(t, nil)
	dir := t.TempDir()
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	for i := range 5000 {
		fmt.Fprintf(w, "{\"id\":\"%d\",\"title\":\"Number %d\"}\n", i, i*i)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"whole.jsonl.gz": gz.String(), "cut.jsonl.gz": gz.String()[:gz.Len()/2], "empty.jsonl": ""})
	form, err := format.FindBulk("simple")
	if err != nil {
		t.Fatal(err)
	}
	var files []intake.ImportFile
	for _, name := range []string{"whole.jsonl.gz", "absent.jsonl", "cut.jsonl.gz", "empty.jsonl", "."} {
		files = append(files, intake.ImportFile{Path: filepath.Join(dir, name), Input: name})
	}
	var refused []string
	var last intake.ImportProgress
	sum, err := in.Import(t.Context(), form, files, intake.ImportOptions{Source: "s"}, func(o intake.Outcome) {
		if o.Err != nil {
			refused = append(refused, o.Err.Error())
		}
	}, func(p intake.ImportProgress) { last = p })
	cut := (sum.Known - 5000) / 2
	if err != nil || sum.Added != 5000 || sum.Refused != 3 || cut < 1000 || cut > 4999 || sum.Known != 5000+2*cut {
		t.Errorf("%+v %v", sum, err)
	}
	broken := fmt.Sprintf("cut.jsonl.gz:%d: the stream breaks off here: unexpected EOF", cut+1)
	want := []string{"absent.jsonl: there is no such file", broken, broken}
	if !reflect.DeepEqual(refused, want) {
		t.Errorf("%q", refused)
	}
	if last.Records != int64(sum.Added+sum.Known+sum.Refused) || last.Bytes == 0 || last.Size < last.Bytes {
		t.Errorf("%+v", last)
	}
	for _, opt := range []intake.ImportOptions{{Source: "librarian"}, {Source: "a\nb"}, {Options: intake.Options{Access: "open"}}} {
		if _, err := in.Import(t.Context(), form, files, opt, nil, nil); !errs.Is(err, errs.Invalid) {
			t.Errorf("%+v: %v", opt, err)
		}
	}
	if _, err := in.Import(t.Context(), form, []intake.ImportFile{{Path: "-", Input: "-", Reader: strings.NewReader("")}}, intake.ImportOptions{}, nil, nil); !errs.Is(err, errs.Invalid) {
		t.Error(err)
	}
}

func TestSourceName(t *testing.T) {
	for in, want := range map[string]string{"/a/arxiv.jsonl.zst": "arxiv", "acl.json": "acl", "x.csl.json.gz": "x", "dump.2024.jsonl": "dump.2024", "plain": "plain", "odd.ext": "odd", ".hidden": ".hidden", "-": "", "/": "", "": ""} {
		if got := intake.SourceName(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

// slow is a stream that stops after its first records until it is let go.
type slow struct {
	first io.Reader
	hold  chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	if n, err := s.first.Read(p); err == nil {
		return n, nil
	}
	<-s.hold
	return 0, io.EOF
}

// TestImportSlow: what a slow stream has given is taken in while it goes on, others
// may add meanwhile, and a cancelled import does not wait for the stream.
func TestImportSlow(t *testing.T) {
	_, in := library(t, nil)
	form, err := format.FindBulk("simple")
	if err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	defer close(hold)
	ctx, cancel := context.WithCancel(t.Context())
	reported, done := make(chan intake.Outcome, 8), make(chan error)
	go func() {
		_, err := in.Import(ctx, form, []intake.ImportFile{{Path: "s", Input: "-", Reader: &slow{strings.NewReader("{\"title\":\"One\"}\n{\"title\":\"Two\"}\n"), hold}}}, intake.ImportOptions{}, func(o intake.Outcome) { reported <- o }, nil)
		done <- err
	}()
	for range 2 {
		if o := <-reported; o.Status != intake.Added {
			t.Errorf("%+v", o)
		}
	}
	outs, _ := add(t, in, publicDomain, write(t, t.TempDir(), map[string]string{"a.txt": "A text\n\nof its own."}))
	if outs[0].Status != intake.Added {
		t.Errorf("%+v", outs)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestImportReal imports two whole sources, twice.
func TestImportReal(t *testing.T) {
	records := filepath.Join(testdata.Dir(t), "records")
	cfg := app.Config{Data: filepath.Join(t.TempDir(), "lib")}
	if _, err := app.Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	l, err := app.Open(t.Context(), cfg, app.Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	in := intake.New(intake.Config{Register: catalogOnly(t, l), Blobs: l.Blobs, Known: l.Catalog})
	form, err := format.FindBulk("simple")
	if err != nil {
		t.Fatal(err)
	}
	var files []intake.ImportFile
	for _, name := range []string{"goodbooks", "kanripo-catalogue"} {
		files = append(files, intake.ImportFile{Path: filepath.Join(records, name+".jsonl.zst"), Input: name})
	}
	const all = 8493 + 8638
	for _, want := range []intake.Summary{{Added: all, Warned: 20}, {Known: all, Warned: 20}} {
		next := int64(1)
		sum, err := in.Import(t.Context(), form, files, intake.ImportOptions{}, func(o intake.Outcome) {
			if o.Record != next {
				t.Fatalf("%+v", o)
			}
			next++
		}, nil)
		if err != nil || sum != want {
			t.Fatalf("%+v %v", sum, err)
		}
	}
	if l.Register.Size() != all+1 {
		t.Error(l.Register.Size())
	}
}

// panics is a form whose parser panics on some records, or whose stream does.
type panics struct{ *format.Bulk }

type panicking struct{ format.Elements }

func (p panics) Parse(raw []byte) (*format.Described, error) {
	if bytes.Contains(raw, []byte("bang")) {
		var none []int
		_ = none[len(raw)]
	}
	return p.Bulk.Parse(raw)
}

func (p panics) Elements(r io.Reader) format.Elements { return panicking{p.Bulk.Elements(r)} }

func (p panicking) Next() ([]byte, int64, error) {
	raw, n, err := p.Elements.Next()
	if bytes.Contains(raw, []byte("crash")) {
		panic("no more")
	}
	return raw, n, err
}

// TestImportPanic: a parser that panics costs the one record, and a stream what comes
// after it; the rest goes in.
func TestImportPanic(t *testing.T) {
	l, in := library(t, nil)
	form, err := format.FindBulk("simple")
	if err != nil {
		t.Fatal(err)
	}
	var outs []intake.Outcome
	files := []intake.ImportFile{
		{Path: "a", Input: "a", Reader: strings.NewReader("{\"id\":\"1\",\"title\":\"One\"}\n{\"title\":\"bang\"}\n{\"id\":\"3\",\"title\":\"Three\"}")},
		{Path: "b", Input: "b", Reader: strings.NewReader("{\"id\":\"1\",\"title\":\"Four\"}\n{\"title\":\"crash\"}\n{\"title\":\"Never read\"}")},
		{Path: "c", Input: "c", Reader: strings.NewReader("{\"id\":\"1\",\"title\":\"Five\"}")},
	}
	sum, err := in.Import(t.Context(), panics{form}, files, intake.ImportOptions{}, func(o intake.Outcome) { outs = append(outs, o) }, nil)
	if err != nil || sum.Added != 4 || sum.Refused != 2 {
		t.Fatalf("%+v %v", sum, err)
	}
	expect(t, outs, "a:1 added 1; a:2 refused; a:3 added 2; b:1 added 3; b refused; c:1 added 4")
	for i, want := range map[int]string{
		1: "a:2: it cannot be read, by a mistake of this program: runtime error: index out of range [16] with length 0",
		4: "b: it cannot be read, by a mistake of this program: no more",
	} {
		if got := outs[i].Err.Error(); got != want || !errs.Is(outs[i].Err, errs.Refused) {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if title := state(t, l, 4).Record.Title; title != "Five" {
		t.Error(title)
	}
}
